"""What several files of tests need."""

import pytest

from nn import activations


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
