"""RabbitMQ only: `start` starts processes on the test's own virtual host, `view` looks into it."""

from functools import partial
from urllib.parse import unquote, urlsplit

import pytest

from tests.hub.transports.conftest import Ready
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.rabbitmq import Broker


@pytest.fixture
def transport(amqp_url: str) -> dict[str, object]:
    """See the conformance suite's, of which this is one half."""
    return {"transport": "rabbitmq", "amqp_url": amqp_url}


@pytest.fixture
def view(broker: Broker, amqp_url: str) -> BrokerView:
    """A look into the test's own virtual host."""
    return BrokerView(broker, unquote(urlsplit(amqp_url).path[1:]))


@pytest.fixture
def ready(view: BrokerView) -> Ready:
    """Wait until the broker has a consumer for each of mail's lanes."""
    return partial(view.wait_for_consumers, "mail")
