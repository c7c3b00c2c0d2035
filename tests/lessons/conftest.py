"""A lesson, run once in its quick mode: `lesson` in `test_NAME.py` are the global names of the lesson NAME."""

import pytest

from demos.lessons import main


@pytest.fixture(scope="module")
def lesson(request, tmp_path_factory):
    pytest.importorskip("matplotlib")
    name = request.module.__name__.rpartition("test_")[2]
    return main(name, quick=True, folder=tmp_path_factory.mktemp(name))


@pytest.fixture
def pictures(lesson):
    """The names of the pictures that the lesson left, without its own name; none of them is empty."""
    found = list(lesson["folder"].iterdir())
    assert all(path.stat().st_size > 2000 for path in found)
    return {path.stem.partition("-")[2] for path in found}
