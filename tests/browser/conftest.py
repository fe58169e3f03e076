"""Pages in a real headless Chromium: Debian's, driven by playwright, which brings no browser of its own here."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kept_archives import host_page, whole
from viewer_pages import drawn

from usaid.report.page.viewer.sources import ViewerSource

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file; at the end of the test no page may have said anything on its console, nor asked for anything."""
    contexts, complaints = [], []

    def open_file(path: Path, **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        url = path.resolve().as_uri()
        page.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: _note(complaints, request.url, url))
        page.goto(url)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def opened(tmp_path: Path, open_page):
    """A page with some experiments, scrolled to the viewer; by default one of three benchmarks, at kodim01."""

    def open_viewer(*sources: ViewerSource, before: str = "", **options):
        shown = sources or (whole(tmp_path),)
        page = open_page(host_page(tmp_path / "index.html", *shown, before=before), **options)
        if not sources:
            page.select_option("#viewer-image", label="kodim01 (first)")
        return drawn(page)

    return open_viewer


def _note(complaints: list[str], asked: str, page: str) -> None:
    if asked.split("#")[0] != page and not asked.startswith(("data:", "blob:")):
        complaints.append(f"request: {asked[:200]}")
