"""The `rabbitmq` transport: the broker carries news, messages and calls; what is due stays PostgreSQL's word.

The broker is disposable. It saves reading messages from the store and brings them at once; whatever it loses, holds
back or brings twice is found, read or dropped by the receivers' own look at `hub.delivery`. `links` keeps connections,
`topology` names and declares, `publisher` and `arrivals` are the two ends of a delivery, `broker_calls` carries calls,
`transport` puts them together. The only place that may import aio_pika. To add something that travels: a queue in
`topology`, and its two ends here.
"""
