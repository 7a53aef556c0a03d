"""The airline's program: posts its month of transfers, half by batches and half as a file, and reports."""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.peers.airline.client import Hub, RefusedError, finished, session
from tests.peers.airline.signing import Signer, load_key
from tests.peers.airline.tally import Tally
from tests.peers.airline.transfers import Month, batches, read_month, rest_as_file

PAGE = 1_000


def tell(event: str, **values: object) -> None:
    """One line of JSON on the standard output."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.airline", description=__doc__)
    parser.add_argument("--url", required=True, help="the hub, such as http://127.0.0.1:8080")
    parser.add_argument("--key-file", required=True, type=Path, help="Ed25519 private key: PEM, raw or hex")
    parser.add_argument("--key-id", required=True, help="the id it is registered under")
    parser.add_argument("--transfers", required=True, type=Path, help="CSV file of transfers")
    parser.add_argument("--batches", type=int, default=0, help="how many rows to post by batches")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--file-rest", action="store_true", help="hand the other rows in as a file")
    parser.add_argument("--file-url", help="the hub for the file, where it has another door; default: --url")
    parser.add_argument("--file-id", help="the airline's own id of that file; default: from its name")
    parser.add_argument("--file-timeout-s", type=float, default=600.0)
    parser.add_argument("--report", type=Path, help="where to write the report")
    return parser.parse_args()


async def post_batches(hub: Hub, month: Month, first: int, size: int, tally: Tally) -> None:
    """The first rows, batch by batch, each answered before the next is sent."""
    for body in batches(month, first, size):
        retries = hub.retries
        results = await hub.post_batch(body)
        tally.add(results, asked_again=hub.retries > retries)
        tell("batch", done=tally.rows, rows=first)


async def post_file(hub: Hub, content: bytes, own_id: str, timeout_s: float, tally: Tally) -> dict[str, Any]:
    """The other rows as a file: hand it in, wait for it, read its results by pages."""
    file_id = await hub.post_file(content, own_id)
    tell("file_taken", file_id=file_id)
    file = await finished(hub, file_id, timeout_s, tell)
    cursor: str | None = None
    read = 0
    while True:
        page = await hub.results(file_id, cursor, PAGE)
        tally.add(page["items"], asked_again=True)  # by the hub itself, if it was killed in the middle
        read += len(page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    if read != file["rows"]:
        raise RefusedError(0, f"the file has {file['rows']} rows, and {read} results")
    return file


async def play(options: argparse.Namespace) -> dict[str, Any]:
    """The airline's month; returns its report."""
    month = read_month(options.transfers)
    tally = Tally()
    started = time.monotonic()
    async with session() as http:
        signer = Signer(options.key_id, load_key(options.key_file))
        hub = Hub(http, options.url, signer)
        await post_batches(hub, month, options.batches, options.batch_size, tally)
        batches_s = time.monotonic() - started
        file: dict[str, Any] | None = None
        if options.file_rest and len(month.rows) > options.batches:
            content = rest_as_file(month, options.batches)
            own_id = options.file_id or f"{options.transfers.stem}-from-{options.batches}"
            other = Hub(http, options.file_url or options.url, signer)
            file = await post_file(other, content, own_id, options.file_timeout_s, tally)
    total_s = time.monotonic() - started
    return {
        **tally.report(),
        "file": file,
        "retries": hub.retries,
        "timings": {
            "batches_s": round(batches_s, 3),
            "file_s": round(total_s - batches_s, 3),
            "total_s": round(total_s, 3),
        },
    }


def main() -> int:
    """The exit status: 0 when every row has its outcome."""
    options = arguments()
    try:
        report = asyncio.run(play(options))
    except (RefusedError, TimeoutError) as error:
        tell("failed", reason=str(error))
        return 1
    if options.report is not None:
        options.report.write_text(json.dumps(report, indent=2), encoding="utf-8")
    tell("report", **report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
