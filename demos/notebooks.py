"""The lessons as notebooks: `python -m demos.notebooks [--check] [--execute] [--quick] [FOLDER]`.

A notebook (nbformat 4.5) is made of a lesson's cells, prose and code alike. It is made, not kept: the lesson's file
is the one to edit. Executing needs the extra: pip install "neurongrad[notebook]".
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from demos.lessons import LESSONS, Lesson, cells

FOLDER = Path("build/notebooks")  # git ignores it
SETUP = "setup"  # the cell that stands in for the command line while a notebook is executed quickly


def notebook(lesson: Lesson) -> dict[str, Any]:
    """The lesson as a notebook without outputs.

    >>> made = notebook(LESSONS["biology"])
    >>> made["nbformat"], made["cells"][0]["source"][0]
    (4, '# From biology to arithmetic\\n')
    """
    made = []
    for i, cell in enumerate(cells(lesson.path.read_text(encoding="utf-8"))):
        made.append(as_json("markdown" if cell.prose else "code", f"{lesson.name}-{i}", cell.source))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"title": lesson.title, "kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def as_json(kind: str, name: str, source: str) -> dict[str, Any]:
    """One cell as nbformat has it."""
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def execute(made: dict[str, Any], lesson: Lesson, folder: Path, quick: bool) -> dict[str, Any]:
    """The notebook with the outputs of its cells, run in `folder`."""
    try:
        nbformat, nbclient = import_module("nbformat"), import_module("nbclient")
    except ImportError:
        raise ImportError('executing notebooks needs: pip install "neurongrad[notebook]"') from None
    if quick:
        line = f"import sys\nsys.argv = {[lesson.path.name, '--quick']}"
        made = made | {"cells": [as_json("code", SETUP, line), *made["cells"]]}
    book = nbformat.reads(json.dumps(made), as_version=4)
    nbclient.NotebookClient(book, resources={"metadata": {"path": str(folder)}}).execute()
    done: dict[str, Any] = json.loads(nbformat.writes(book))
    return done | {"cells": [cell for cell in done["cells"] if cell["id"] != SETUP]}


def sources(book: dict[str, Any]) -> list[tuple[str, str]]:
    """The kind and text of each cell, without outputs: what two equal notebooks have in common."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]


def stale(lesson: Lesson, folder: Path) -> bool:
    """Whether the lesson's notebook in `folder` is missing, or is not made of the lesson as it is now."""
    path = folder / f"{lesson.name}.ipynb"
    return not path.exists() or sources(json.loads(path.read_text("utf-8"))) != sources(notebook(lesson))


def write(lesson: Lesson, folder: Path, run: bool = False, quick: bool = False) -> Path:
    """Write the lesson's notebook into `folder`, with outputs if it is to run, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    made, path = notebook(lesson), folder / f"{lesson.name}.ipynb"
    if run:
        made = execute(made, lesson, folder, quick)
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m demos.notebooks", description="Lessons as notebooks.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where they go: %(default)s")
    parser.add_argument("--check", action="store_true", help="write nothing; say which are missing or stale")
    parser.add_argument("--execute", action="store_true", help="run them, so that they have outputs")
    parser.add_argument("--quick", action="store_true", help="with --execute: a few steps of training only")
    given = parser.parse_args(words)
    if given.check:
        old = [lesson.name for lesson in LESSONS.values() if stale(lesson, given.folder)]
        sys.exit(f"missing or stale in {given.folder}: {', '.join(old)}" if old else None)
    for lesson in LESSONS.values():
        print(write(lesson, given.folder, given.execute, given.quick))


if __name__ == "__main__":
    main()
