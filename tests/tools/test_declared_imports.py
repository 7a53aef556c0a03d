"""An import that nobody declared is found; a declared one is left alone."""

from pathlib import PurePosixPath

from tools.declared_imports import declared, undeclared
from tools.house_rules import parse

PYPROJECT = """
[project]
dependencies = ["aiohttp>=3", "prometheus-client>=0.2", "uvloop>=0.2; sys_platform != 'win32'"]
[project.optional-dependencies]
embedded = ["aiosmtpd"]
dev = ["pytest"]
"""
HOMES = {"prometheus_client": ["prometheus_client"], "http_sf": ["http-sf"], "google": ["one", "aiohttp"]}


def faults(text: str) -> list[str]:
    return undeclared(parse(PurePosixPath("hub/a.py"), text), declared(PYPROJECT), HOMES)


def test_names_are_read_from_the_project_and_its_shipped_extras() -> None:
    assert declared(PYPROJECT) == {"aiohttp", "prometheus-client", "uvloop", "aiosmtpd"}


def test_undeclared_is_found_even_inside_a_function() -> None:
    assert faults("import http_sf\ndef f() -> None:\n    from pytest import raises\n") == [
        "http_sf",
        "pytest",
    ]


def test_declared_own_and_standard_are_left_alone() -> None:
    assert faults("import os, aiohttp.web, google\nfrom prometheus_client import Gauge\nfrom hub import bus\n") == []
