"""The agent ships alone: none of its modules needs the server's packages, or a reader, to be imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALONE = """
import importlib, importlib.abc, pkgutil, sys

class Forbidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"hub", "connectors", "workers", "demo", "tests", "asyncpg", "aio_pika", "uvloop",
                                      "smartcard", "rich", "prometheus_client", "aiosmtplib", "argon2"}:
            raise ImportError("forbidden: " + name)

sys.meta_path.insert(0, Forbidden())
import reader_agent
names = ["reader_agent", *(one.name for one in pkgutil.walk_packages(reader_agent.__path__, "reader_agent."))]
print(len([importlib.import_module(name) for name in names]))
"""


def test_every_module_is_imported_without_the_servers_packages() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert int(done.stdout) > 15
