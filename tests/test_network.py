"""The network is closed to unit tests; one that is marked may talk to itself."""

import socket

import pytest
import pytest_socket

# pytest-socket warns before it raises, and our warnings are errors.
pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use socket")

# For documentation only (RFC 5737): nobody answers there.
ELSEWHERE = ("192.0.2.1", 80)


def test_a_unit_test_has_no_network() -> None:
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket(socket.AF_INET)


def test_a_unit_test_has_unix_sockets() -> None:
    socket.socket(socket.AF_UNIX).close()


@pytest.mark.loopback
def test_a_marked_test_may_talk_to_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())


@pytest.mark.loopback
def test_a_marked_test_may_talk_to_nobody_else() -> None:
    with socket.socket() as client, pytest.raises(pytest_socket.SocketConnectBlockedError):
        client.connect(ELSEWHERE)


def test_the_mark_of_one_test_opens_nothing_for_the_next() -> None:
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket(socket.AF_INET)


@pytest.mark.usefixtures("database_url")
def test_a_test_with_a_database_may_talk_to_nobody_else() -> None:
    with socket.socket() as client, pytest.raises(pytest_socket.SocketConnectBlockedError):
        client.connect(ELSEWHERE)
