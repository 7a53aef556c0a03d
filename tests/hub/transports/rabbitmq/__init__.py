"""What is RabbitMQ's own, beyond the conformance suite of all transports. May import what its parent may.

To add a test: one file for each thing that can go wrong at a broker; `broker_view` looks into it.
"""
