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
