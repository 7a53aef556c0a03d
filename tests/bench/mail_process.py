"""The process of P10: the mail connector alone, with the settings it has where none are said, signing with DKIM."""

import json
import sys
import time
from dataclasses import dataclass

from hub import logs, loop
from hub.clock import SystemClock
from tests.bench.children import say, told
from tests.memory import peak_kib
from tests.running import running


@dataclass(frozen=True, slots=True)
class Job:
    """Hear what is said in this database, mail it to this port of this machine, signed by the key in this file."""

    database_url: str
    smtp_port: int
    dkim_key_file: str


async def serve(job: Job) -> None:
    """Serve until told to end: told once before, it takes the processor time from then on."""
    logs.configure("error")
    settings = {
        "smtp_port": job.smtp_port,
        "dkim_key_file": job.dkim_key_file,
        "mail_from": "no-reply@mykey.example",
        "public_url": "https://mykey.example",
        "log_level": "error",
    }
    async with running(job.database_url, "mail", clock=SystemClock(), **settings):
        say("ready")
        await told()
        cpu_s = time.process_time()
        say("begun")
        await told()
        cpu_s = time.process_time() - cpu_s
    say({"cpu_s": cpu_s, "peak_kib": peak_kib()})


if __name__ == "__main__":
    loop.run(serve(Job(**json.loads(sys.argv[1]))))
