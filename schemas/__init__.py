"""What is said: values, messages, problems and the catalogue of all message types.

Imports nothing of ours, and of other people's only pydantic. A message type is one frozen class in the file of its
subject; it is listed by itself in `schemas.catalog` as soon as its file is named there. To add one: write the class,
give it its `TYPE`, name its receiver in `hub.routes`.
"""
