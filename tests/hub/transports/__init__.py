"""The conformance suite of the transport port: every transport passes all of it."""
