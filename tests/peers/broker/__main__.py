"""`python -m tests.peers.broker`: starts a broker, prints where it is, ends it at SIGTERM or SIGINT."""

import json
import signal
import sys

from tests.rabbitmq import MISSING, Broker, is_installed


def main() -> int:
    """Exit status 1 where Debian's rabbitmq-server is not installed."""
    if not is_installed():
        sys.stderr.write(f"{MISSING}\n")
        return 1
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with Broker() as broker:
        sys.stdout.write(json.dumps({"amqp_url": broker.url()}) + "\n")
        sys.stdout.flush()
        signal.sigwait(ends)
    return 0


if __name__ == "__main__":
    sys.exit(main())
