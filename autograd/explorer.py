"""The graph as a page to walk through: one HTML file that opens, closes, steps forward and backward, offline.

Python computes, and the page only shows: all numbers, names and places (`outline`) go into it as JSON, beside the style
and the script of the folder `page`. The script opens a box by making room for what is known to be in it.
"""

from __future__ import annotations

import json
import linecache
import math
import os
import re
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from . import display
from .checks import among
from .draw import THEMES, outputs_of
from .files import path_of, replace
from .levels import LEVELS, full_name, whole
from .ops import Op
from .outline import BOX, LEAF, RESULT, Box, Graph, Part, count_shown, opens, outline, place
from .selection import Node
from .value import NO_GRADIENT, Constant, Value

__all__ = ["explore"]

FOLDER = Path(__file__).with_name("page")
AT_A_GLANCE = 40  # boxes that are shown at first, at most
AT_MOST = 1500  # boxes that a browser shows without delay
INFIX = {"add", "sub", "mul", "div", "floordiv", "mod", "pow", "above", "equal"}


def text_of(x: float | None) -> float | str | None:
    """A number as JSON can say it."""
    return x if x is None or math.isfinite(x) else repr(x)


def line_of(v: Any) -> str:
    """Where a Value was recorded, where that is known, with the line itself."""
    place = str(getattr(v, "recorded_at", ""))
    name, _, line = place.rpartition(":")
    source = linecache.getline(name, int(line)).strip() if line.isdigit() else ""
    place = f"{cell_of(name) or name}:{line}" if name else place
    return f"{place}: {source}" if source else place


def cell_of(file: str) -> str:
    """`In[3]`, if the file is what a notebook made of a cell."""
    notebook = sys.modules.get("IPython")
    compiler = getattr(notebook.get_ipython() if notebook else None, "compile", None)
    tell = getattr(compiler, "format_code_name", lambda file: None)
    known = tell(file)  # ("Cell", "In[3]")
    return str(known[1]) if known else ""


def is_stale(n: Node) -> bool:
    """Whether what was computed does not follow any more from the operands: somebody changed their data since."""
    if not isinstance(n.op, Op) or n.op.variadic or any(isinstance(x, Part) for x in (n, *n.operands)):
        return False
    inputs = [x.value.data if isinstance(x, Node) else x for x in n.operands]
    now, then = n.op.formula(*map(float, inputs)), float(n.value.data)
    return not (math.isclose(now, then, rel_tol=1e-12) or (now != now and then != then))


def contents(outputs: list[Value], title: str, level: str, max_nodes: int) -> dict[str, Any]:
    """All that the page shows, as JSON knows it: of the nodes a column for each property; of the boxes a row each."""
    graph = Graph(outputs, max_nodes)
    nodes, gradients = graph.nodes, graph.gradients
    root = outline(graph)
    where = place(root, nodes)
    index = {n: i for i, n in enumerate(nodes)}
    home = {n: box.number for box in root.boxes() for n in box.parts if isinstance(n, Node)}
    table = {op: k for k, op in enumerate(dict.fromkeys(kind_of(n) for n in nodes if n.op))}
    values = [None if isinstance(n, Part) else n.value for n in nodes]
    recorded = {i: line for i, v in enumerate(values) if (line := line_of(v))}
    lines = {line: k for k, line in enumerate(dict.fromkeys(recorded.values()))}
    python = {i: float(v.grad) for i, v in enumerate(values) if v is not None and v.grad is not NO_GRADIENT}

    def reference(part: Any) -> int | None:
        return None if part is None else -1 - part.number if isinstance(part, Box) else index[part]

    fits = [k for k in range(len(LEVELS)) if count_shown(root, k) <= AT_A_GLANCE] or [len(LEVELS) - 1]
    found = {
        "title": title,
        "note": graph.note,
        "levels": LEVELS,
        "level": fits[0] if level == "auto" else LEVELS.index(level),
        "most": AT_MOST,
        "called": any(v.grad is not NO_GRADIENT for v in graph.starts),
        "starts": [i for i, v in enumerate(values) if v in graph.starts],
        "outputs": [i for i, v in enumerate(values) if v in graph.outputs],
        "sizes": {"leaf": LEAF, "result": RESULT, "box": BOX},
        "ops": [
            [op.name, op.glyph, op.text, op.name in INFIX]
            if isinstance(op, Op)
            else [op, op, "made by hand", False]
            for op in table
        ],
        "label": ["" if v is None else v.label for v in values],
        "data": [None if v is None else text_of(float(v.data)) for v in values],
        "grad": [text_of(gradients.get(n)) for n in nodes],
        "op": [table[kind_of(n)] if n.op else -1 for n in nodes],
        "kind": ["p" if v in graph.owners else "c" if isinstance(v, Constant) else "" for v in values],
        "x": [[index[x] if isinstance(x, Node) else [text_of(x)] for x in n.operands] for n in nodes],
        "d": [[text_of(d) for d in n.partials] for n in nodes],
        "box": [home[n] for n in nodes],
        "at": [where[n] for n in nodes],
        "python": {i: text_of(g) for i, g in python.items() if repr(g) != repr(gradients.get(nodes[i]))},
        "lines": [*lines],
        "line": {i: lines[line] for i, line in recorded.items()},
        "stale": [i for n, i in index.items() if is_stale(n)],
        "parts": {i: n.count for n, i in index.items() if isinstance(n, Part)},
        "boxes": [
            {
                "kind": b.kind,
                "title": b.title,
                "path": full_name(b.scope) if b.scope else "",
                "prefix": str(getattr(whole(b.scope), "path", "")),
                "level": b.scope.level if b.scope else "",
                "parent": b.parent.number if b.parent else -1,
                "opens": opens(b),
                "face": index[b.face] if b.face else -1,
                "at": [b.column, b.height],
                "parts": [reference(part) for part in b.parts],
                "bends": [[reference(a), reference(c), ys] for a, c, ys in b.bends],
            }
            for b in root.boxes()
        ],
    }
    for box in [*root.boxes()]:
        box.parent = None  # boxes that know each other would keep the graph until the collector comes
    return found


def kind_of(n: Node) -> Any:
    """The operation that made it, or the sign that somebody gave it who made it by hand."""
    return n.op if isinstance(n.op, Op) else str(n.op.symbol) or "by hand"


def embedded(data: Any) -> str:
    """JSON that may stand inside an HTML script element, whatever the labels say."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII: no U+2028 either
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def digest(text: str) -> str:
    import hashlib

    return "'sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(data: dict[str, Any], theme: str, folder: Path = FOLDER, name: str = "explorer") -> str:
    """The HTML, with a policy that lets nothing be loaded from anywhere and no other script run.

    A page is `shared` in the folder of this package, and what of it is its own in `folder`, under its `name`: style,
    script and what stands between the head of the file and the stepper at the foot.
    """

    def both(ending: str) -> list[str]:
        files = (FOLDER / f"shared.{ending}", folder / f"{name}.{ending}")
        return [file.read_text(encoding="utf-8") for file in files]

    style, script = "\n".join(both("css")), "\n".join(['"use strict";\n(() => {', *both("js"), "})();"])
    frame, body = both("html")
    policy = f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}"
    policy += "; base-uri 'none'; form-action 'none'"
    pieces = {
        "policy": policy,
        "title": display.escaped(data["title"]),
        "theme": theme,
        "style": style,
        "script": script,
        "data": embedded(data),
    }
    template = frame.replace("{{body}}", body)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: pieces[found[1]], template)


class Page:
    """A page as text: a notebook shows it in a frame of its own; `html` is the whole file."""

    def __init__(self, html: str, title: str) -> None:
        self.html, self.title = html, title

    def _repr_html_(self) -> str:
        return display.frame(self.title, self.html)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title!r}, {len(self.html):,} characters>"


def explore(
    output: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
    level: str = "auto",
    theme: str = "auto",
    max_nodes: int = 30_000,
) -> Any:
    """Write the graph behind a Value, or a list of them, as one HTML file to walk through, and return its path.

    The page needs no network and no server. It pans, zooms and searches; modules open and close; each value shows its
    gradient and the chain rule with its numbers; and it steps through the forward pass and the backward pass, one
    operation after another. Keys: N and P step, space plays, the arrows go from value to value, / searches, ? tells
    the rest. Without a `path` the result is the page, which a notebook displays in its place, and no file.

    `level` is what is open at first: "scalar", "neuron", "layer", "model", or "auto", the finest at which some hundred
    boxes are to be seen. `theme` is "auto" (the reader's own), "light" or "dark". Of a graph with more than `max_nodes`
    values, weighted sums stay folded and then modules closed; the page says so.

    Gradients are those of backward() where the output has one; otherwise what it would give, starting from 1. Nothing
    in the graph is changed. Of what was recorded within `record_lines()` the page quotes your line of source.

    Raises ValueError for a path that does not end in .html, OSError where it cannot be written; the file is whole or
    not there.

    >>> from tempfile import TemporaryDirectory
    >>> x = Value(3.0, label="x")
    >>> with TemporaryDirectory() as folder:
    ...     explore(x * x + 1, folder + "/graph.html").name
    'graph.html'
    """
    outputs = outputs_of(output, "explore")
    if not among(level, ("auto", *LEVELS)):
        raise ValueError(f"level is one of auto, {', '.join(LEVELS)}. Received: level={level!r}")
    check(title, theme)
    if not isinstance(max_nodes, int) or max_nodes < 1:
        raise ValueError(f"max_nodes is an int of at least 1. Received: max_nodes={max_nodes!r}")
    target = None if path is None else target_of(path)
    title = title or (f"Graph of {outputs[0].label}" if outputs[0].label else "Computation graph")
    text = page(contents(outputs, title, level, max_nodes), theme)
    if target is None:
        return Page(text, title)
    save(text, target)
    return target


def check(title: Any, theme: Any) -> None:
    if not among(theme, ("auto", *THEMES)):
        raise ValueError(f"theme is one of auto, {', '.join(THEMES)}. Received: theme={theme!r}")
    if not isinstance(title, str):
        raise TypeError(f"a title is a str. Received: {type(title).__name__}")


def target_of(path: str | os.PathLike[str]) -> Path:
    """The path, if a page may stand there."""
    target = path_of("a page", path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a page's file must end in .html. Received: {str(path)!r}")
    return target


def save(text: str, path: Path) -> None:
    """Write the file, whole or not at all."""
    replace("a page", path, text.encode("utf-8"))
