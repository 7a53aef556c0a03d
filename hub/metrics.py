"""What is counted, for Prometheus: static names, components and outcomes as labels, never ids."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

HANDLED: Final = Counter("mykey_messages_handled_total", "Messages whose effect has committed", ("component", "way"))
FAILED: Final = Counter("mykey_messages_failed_total", "Failed attempts at a message", ("component", "permanent"))
PARKED: Final = Counter("mykey_messages_parked_total", "Messages parked after their attempts", ("component",))
BATCH: Final = Histogram(
    "mykey_batch_messages", "Messages per transaction", ("component",), buckets=(1, 4, 16, 64, 128, 256, 512)
)
COMMIT: Final = Histogram(
    "mykey_batch_seconds",
    "From taking a batch to its commit",
    ("component",),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
)
WAITING: Final = Gauge("mykey_calls_waiting", "Calls not yet taken into a transaction", ("component",))
OWNED: Final = Gauge("mykey_lanes_owned", "Lanes this process works on", ("receiver",))
FROM_STORE: Final = Counter(
    "mykey_messages_from_store_total", "Messages read from the store because no broker had brought them", ("receiver",)
)
BROKER: Final = Gauge("mykey_broker_usable", "1 while the broker takes what is published", ("link",))
PUBLISHED: Final = Counter(
    "mykey_broker_published_total", "Batches given to the broker, by how that ended", ("outcome",)
)
ARRIVED: Final = Counter("mykey_broker_arrived_total", "Messages that the broker has brought", ("receiver",))
UNROUTED: Final = Gauge("mykey_broker_unrouted", "Batches for which the broker has no queue")
UNDER_WAY: Final = Gauge("mykey_door_requests_under_way", "Requests let in and not answered yet", ("door",))
SENT_AWAY: Final = Counter("mykey_door_sent_away_total", "Requests told to come again: the queue is long", ("door",))
OUTAGES: Final = Gauge("mykey_outages_open", "Other sides that are down, as last seen here", ("receiver",))
OUTAGES_BEGUN: Final = Counter("mykey_outages_total", "Outages found by this process", ("receiver",))
