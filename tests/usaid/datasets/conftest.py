"""A local server to download from."""

from collections.abc import Iterator

import pytest
from servers import Server, running_server

from usaid.datasets import mirrors, transfers


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(mirrors, "BACKOFF", 0.01)
    monkeypatch.setattr(transfers, "TIMEOUT", 5.0)
    monkeypatch.setenv("no_proxy", "*")
    with running_server() as running:
        yield running
