"""What several files of tests need."""

import signal
from pathlib import Path

import pytest

from nn import activations

from .browser import Browser, missing


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Ctrl-C as at a terminal, also where the tests run in the background of a shell, which turns it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def catalogue():
    """The activations that a test registers go again."""
    kept = [
        (table, dict(table)) for table in (activations.ACTIVATIONS, activations.NAMES, activations.FUNCTIONS)
    ]
    yield
    for table, before in kept:
        table.clear()
        table.update(before)


@pytest.fixture(scope="module")
def browser():
    if lacking := missing():
        pytest.skip(f"the page was not tried in a browser; {lacking}")
    with Browser() as found:
        found.prefer(reduced_motion="reduce")
        yield found


@pytest.fixture
def visit(browser):
    """Opens the file of a page; in the end, nothing was complained of or asked of the network."""

    def opened(path):
        browser.open(path)
        paths.append(path)
        return browser

    paths: list[Path] = []
    yield opened
    assert browser.complaints() == []
    assert {*browser.requests()} == {path.resolve().as_uri() for path in paths}
    browser.size(1280, 800)
