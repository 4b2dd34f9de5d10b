"""A real server for the samples, the same as that of the doors' tests."""

from tests.api.conftest import app, client, clock, installation, make_key, server

__all__ = ["app", "client", "clock", "installation", "make_key", "server"]
