"""The lessons: a table of them, how one is run, and the cells it is made of.

A lesson is a file of this folder, and no more than the code one would type before an audience, in cells that start
with a line `# %%`: run it as a script, cell by cell in an editor, in the terminal (`demos.live`) or as a notebook
(`demos.notebooks`).

    python -m demos list
    python -m demos.biology --quick --folder pictures
"""

from __future__ import annotations

import argparse
import ast
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["LESSONS", "Cell", "Lesson", "arguments", "cells", "main", "settings"]

HERE = Path(__file__).parent


class Lesson(NamedTuple):
    """One lesson: the name of its file, its title, and how many seconds it takes on two cores."""

    name: str
    title: str
    seconds: int

    @property
    def path(self) -> Path:
        return HERE / f"{self.name}.py"

    @property
    def about(self) -> str:
        """What it shows: the first line of the file."""
        text = ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""
        return text.partition("\n")[0]


TABLE = [
    Lesson("biology", "From biology to arithmetic", 5),
    Lesson("neuron", "The artificial neuron", 5),
    Lesson("engine", "Build the engine live", 5),
    Lesson("activations", "Activation functions", 10),
    Lesson("layers", "Layers and networks", 10),
    Lesson("training", "Training dynamics", 25),
    Lesson("depth", "Depth and width", 25),
    Lesson("compiling", "From scalars to matrices", 20),
    Lesson("convolution", "Convolution", 60),
    Lesson("recurrence", "Recurrence", 40),
    Lesson("attention", "Attention and transformers", 60),
    Lesson("together", "Putting them together", 60),
]
LESSONS = {lesson.name: lesson for lesson in TABLE}


def settings() -> tuple[bool, Path]:
    """How a lesson is to run, the first thing it asks: quick (a few steps only), and the folder of its pictures.

    They come from the command line of a lesson that runs as a script; a notebook or an editor has none, so that
    there it is the whole lesson, and `pictures` in the current folder.
    """
    parser = argparse.ArgumentParser(description="A lesson: prints as it goes, and writes pictures.")
    parser.add_argument("--quick", action="store_true", help="a few steps of training only")
    parser.add_argument(
        "--folder", type=Path, default=Path("pictures"), help="where pictures go: %(default)s"
    )
    program, *rest = sys.argv
    given = parser.parse_args(rest if Path(program).stem in LESSONS else [])
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return given.quick, folder


@contextmanager
def arguments(name: str, quick: bool = False, folder: str | Path | None = None) -> Iterator[Lesson]:
    """The command line as if the lesson of that name had been started with these settings."""
    if name not in LESSONS:
        raise ValueError(f"A lesson is one of {', '.join(LESSONS)}. Received: name={name!r}")
    lesson, before = LESSONS[name], sys.argv
    sys.argv = [
        str(lesson.path),
        *["--quick"] * quick,
        *([] if folder is None else ["--folder", str(folder)]),
    ]
    try:
        yield lesson
    finally:
        sys.argv = before


def main(name: str, quick: bool = False, folder: str | Path | None = None) -> dict[str, Any]:
    """Run the lesson of that name and return its global names: what it computed.

    `quick` takes a few steps only; pictures go to `folder`, `pictures` in the current folder if it is None.
    """
    with arguments(name, quick, folder) as lesson:
        try:
            return runpy.run_path(str(lesson.path), run_name=f"demos.{name}")
        finally:
            if "matplotlib.pyplot" in sys.modules:  # it keeps every figure until it is closed
                sys.modules["matplotlib.pyplot"].close("all")


class Cell(NamedTuple):
    """A cell of a lesson: prose in Markdown or code, and the number of its first line in the file."""

    prose: bool
    source: str
    line: int


def cells(text: str) -> list[Cell]:
    r"""The cells of a lesson's text; what stands before the first `# %%`, the docstring, is no cell.

    >>> for cell in cells("'Adds.'\n\n# %% [markdown]\n# One and **two**.\n\n# %%\na = 1 + 2\nprint(a)\n"):
    ...     print(cell)
    Cell(prose=True, source='One and **two**.', line=4)
    Cell(prose=False, source='a = 1 + 2\nprint(a)', line=7)
    """
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        prose, body = "[markdown]" in lines[start], lines[start + 1 : end]
        if prose:
            body = [line.removeprefix("#").removeprefix(" ") for line in body]
        while body and not body[-1].strip():
            body.pop()
        found.append(Cell(prose, "\n".join(body), start + 2))
    return found
