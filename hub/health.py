"""Ask the process on this machine whether it is ready: `mykey-hub health`, or `python -m hub.health`.

It imports the standard library only: a supervisor asks every few seconds, by the second name, which starts fast.
"""

import http.client
import os
import sys
from typing import Final

HOST: Final = "127.0.0.1"
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - that is where it listens, not we
VARIABLE: Final = "MYKEY_INSIDE_PORT"
HOST_VARIABLE: Final = "MYKEY_INSIDE_HOST"
TIMEOUT_S: Final = 5.0
ANSWER_LIMIT_BYTES: Final = 4_096


def main() -> int:
    """0 when it says that it is ready; else 1, and what is wrong is printed."""
    port = os.environ.get(VARIABLE, "")
    if not port.isdecimal():
        return _complain(f"{VARIABLE} names no port")
    named = os.environ.get(HOST_VARIABLE, "")
    host = HOST if named in EVERYWHERE else named
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(ANSWER_LIMIT_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return _complain(f"{host}:{port} does not answer: {error!r}")
    finally:
        connection.close()
    return 0 if answer.status == http.client.OK else _complain(text)


def _complain(text: str) -> int:
    sys.stderr.write(f"not ready: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
