"""Tests of `workers/`, one folder a worker. May import `hub`, `schemas` and the worker under test."""
