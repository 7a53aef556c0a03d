"""The provider as a program: `python -m tests.peers.openid --port 8090 --redirect-uri … --jwks-uri …`."""

import argparse
import sys

from aiohttp import web

from tests.peers.openid.provider import make_app
from tests.peers.openid.registered import Client, Kept, Member


def main() -> int:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.openid", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="as it calls itself; it listens on 127.0.0.1")
    parser.add_argument("--client-id", default="mykey-hub")
    parser.add_argument("--title", default="会員ログイン")
    parser.add_argument("--tell-members", action="store_true", help="write the members' passwords on the page")
    parser.add_argument("--redirect-uri", required=True)
    parser.add_argument("--jwks-uri", required=True, help="the client's public keys")
    parser.add_argument("--member", action="append", default=[], help="login:password:subject; as often as needed")
    options = parser.parse_args()
    members = [Member(*given.split(":", 2)) for given in options.member]
    client = Client(options.client_id, options.redirect_uri, options.jwks_uri)
    kept = Kept(f"http://{options.host}:{options.port}", client, members, options.title, options.tell_members)
    web.run_app(make_app(kept), host="127.0.0.1", port=options.port, print=ready)
    return 0


def ready(*_said: object) -> None:
    """One line of JSON on the standard output, once it listens."""
    sys.stdout.write('{"event": "ready"}\n')
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
