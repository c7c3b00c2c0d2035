"""From DOT text to a picture: the only place that runs Graphviz, and it knows nothing of Values.

    DOT text  --layout-->  svg, png or pdf bytes  --write-->  a file, whole or not at all

Graphviz comes in two ways, tried in this order: its program `dot` on the PATH, and the package pygraphviz, whose
wheels carry Graphviz itself. Both run as a process of their own, because a layout can take for ever and cannot be
interrupted: the time limit kills the process.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from .files import path_of, replace

__all__: list[str] = []  # for `draw`; what users call is there

FORMATS = ("svg", "png", "pdf", "dot", "gv")

# The one font name that every Graphviz can measure. Where it asks the system, Helvetica finds its nearest relative;
# where it has only its built-in tables, it knows this name, and for a list of names it would take those of Times.
# In an SVG it becomes "Helvetica,sans-Serif".
FONT = "Helvetica"

# Characters that no XML, so no SVG, can hold.
NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class HasSource(Protocol):
    """Whatever carries DOT text, as `graphviz.Digraph` and `graphviz.Source` do."""

    @property
    def source(self) -> str: ...


def write(dot: str | HasSource, path: str | os.PathLike[str], *, timeout: float | None = 60.0) -> Path:
    """Write the picture of `dot` to `path`, in the format of its ending: .svg, .png, .pdf, or .dot and .gv for text.

    The file appears complete or not at all: until the picture is whole, an older one stays as it was.

    Raises ValueError for another ending, OSError where the file cannot be written, and what `layout` raises.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write("digraph { x -> y }", folder + "/graph.dot").read_text()
    'digraph { x -> y }'
    """
    path = path_of("a picture", path)
    format = path.suffix[1:].lower()
    if format not in FORMATS:
        raise ValueError(f"A picture's file must end in {_endings()}. Received: {str(path)!r}.")
    replace("a picture", path, layout(dot, format, timeout=timeout))
    return path


def layout(dot: str | HasSource, format: str, *, timeout: float | None = 60.0) -> bytes:
    """The picture of `dot` as bytes: "svg", "png" or "pdf"; "dot" and "gv" are the text itself, in UTF-8.

    NUL, escape and the few other characters that no SVG can hold become U+FFFD. `timeout` is in seconds, None for
    no limit.

    Raises ValueError for another format, TimeoutError after `timeout`, and RuntimeError where there is no Graphviz
    or it cannot draw this graph.

    >>> layout("digraph { x -> y }", "dot")
    b'digraph { x -> y }'
    """
    if format not in FORMATS:
        raise ValueError(f"A picture's format must be one of {_endings()}. Received: format={format!r}.")
    text = NO_XML.sub("\N{REPLACEMENT CHARACTER}", dot if isinstance(dot, str) else dot.source)
    return text.encode() if format in ("dot", "gv") else _draw(text, _commands(format), timeout)


def measures_glyphs() -> bool:
    """Whether the Graphviz at hand measures letters beyond ASCII, such as Σ, × and →, as wide as they are drawn.

    Without a text layout (Pango, Quartz) it adds up tables of ASCII widths, a space for every further byte, so boxes
    do not fit. The test is an accent over a letter, which adds nothing to its width. False where there is no Graphviz.
    """
    return _measures_glyphs(tuple(_commands("plain")))


@cache
def _measures_glyphs(commands: tuple[tuple[str, ...], ...]) -> bool:
    letters = "eeee", "e\N{COMBINING ACUTE ACCENT}" * 4
    nodes = " ".join(f'{i} [label="{label}"]' for i, label in enumerate(letters))
    probe = f"digraph {{ node [shape=box margin=0 width=0 fontname={FONT}] {nodes} }}"
    try:
        plain = _draw(probe, commands, timeout=10.0).decode()
    except (RuntimeError, TimeoutError):
        return False
    bare, accented = (float(line.split()[4]) for line in plain.splitlines() if line.startswith("node"))
    return accented < 1.1 * bare


# What the process with pygraphviz runs. It searches modules where this one does, so it finds the same pygraphviz.
PYGRAPHVIZ = """
import sys
format, sys.path[:] = sys.argv[1], sys.argv[2:]
try:
    import pygraphviz
    graph = pygraphviz.AGraph().from_string(sys.stdin.buffer.read().decode())
    sys.stdout.buffer.write(graph.draw(format=format, prog="dot"))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def _commands(format: str) -> Iterable[tuple[str, ...]]:
    """The commands that can turn DOT on stdin into a picture on stdout here, best first."""
    import shutil

    if dot := shutil.which("dot"):
        yield (dot, f"-T{format}")
    if sys.executable and find_spec("pygraphviz"):
        yield (sys.executable, "-I", "-c", PYGRAPHVIZ, format, *sys.path)


def _draw(text: str, commands: Iterable[tuple[str, ...]], timeout: float | None) -> bytes:
    """The output of the first command that draws `text`; where none does, the complaint of the first."""
    import subprocess  # with what it needs, a large part of what importing this package would take

    complaints = []
    no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows, none opens for the program
    for command in commands:
        try:
            done = subprocess.run(
                command,
                input=text.encode(),
                capture_output=True,
                timeout=timeout,
                check=False,
                creationflags=no_window,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"A picture must be laid out within timeout={timeout:g} seconds. Received: a graph of "
                f"{text.count(chr(10)) + 1} lines of DOT, unfinished by then. Draw less of it (a coarser `level=`, "
                "a smaller `max_nodes=`), allow more time, or write .dot, which needs no layout."
            ) from None
        except OSError as error:
            complaints.append(str(error))
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode(errors="replace").splitlines()  # Fontconfig chatters about its own settings
        said = [line for line in said if line.strip() and not line.startswith("Fontconfig")]
        complaints.append("\n".join(said[:3]) or f"no picture, exit status {done.returncode}")
    if complaints:
        raise RuntimeError(f"Graphviz must be able to draw the graph. Received: {complaints[0]}")
    raise RuntimeError(
        "A picture needs Graphviz: install its program `dot` (apt install graphviz, brew install graphviz) or its "
        'Python package (pip install "neurongrad[render]"). Received: neither. Writing .dot needs none of them.'
    )


def _endings() -> str:
    return ", ".join(f".{format}" for format in FORMATS)
