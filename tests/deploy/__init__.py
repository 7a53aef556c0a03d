"""compose.yaml and deploy/, tried where there is no container engine.

What they say is read and held against what is installed; what they start is started directly, against Debian's
RabbitMQ and nginx and the tests' PostgreSQL. May import everything. To add a component: its service in compose.yaml
and its unit in deploy/systemd, which these tests ask for.
"""
