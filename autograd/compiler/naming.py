"""Names for what is in a program: the user's labels and the modules' paths, made identifiers that hide nothing."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..arrays import __all__ as array_formulas
from ..context import Scope
from ..ops import TABLE, Op

if TYPE_CHECKING:
    from .graph import Graph
    from .grouping import Array

RESERVED = {"np", "n", "p", "g", "rng", "forward", "value_and_grad", "math", "inf", "nan"}
RESERVED |= set(dir(builtins)) | set(keyword.kwlist) | {*array_formulas, *TABLE}

# What an array is called after the operation that made it
SHORT = {
    "exp": "e", "log": "l", "largest": "top", "logsumexp": "total", "equal": "hot", "above": "on", "pick": "picked",
    "sqrt": "root", "div": "q", "sum": "s", "where": "chosen", "maximum": "m", "minimum": "m",
}  # fmt: skip


def identifier(label: str, otherwise: str = "v") -> str:
    """A label as a Python name: `layers.0.w[2]` -> layers_0_w_2."""
    name = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_")
    name = f"{otherwise}_{name}" if name[:1].isdigit() else name or otherwise
    return f"{name}_" if name in RESERVED else name


class Names:
    """Hands out names, each once."""

    def __init__(self, graph: Graph, arguments: Sequence[str]) -> None:
        self.graph = graph
        self.taken: set[str] = set(RESERVED)
        self.counts: dict[str, int] = {}
        self.arguments = [self.unique(identifier(name, "x")) for name in arguments]

    def unique(self, base: str) -> str:
        name = base
        while name in self.taken:
            self.counts[base] = k = self.counts.get(base, 1) + 1
            name = f"{base}{'_' if base[-1:].isdigit() else ''}{k}"
        self.taken.add(name)
        return name

    def leaf(self, array: Array) -> str:
        return self.arguments[array.number] if array.kind == "input" else "p"

    def part_of(self, name: str) -> str:
        return f"{name}_part" if name else "part"

    def parameter(self, label: str, rank: int) -> str:
        """`layers.0.neurons.3.w[2]`, read as a matrix -> W1."""
        *path, last = re.sub(r"\bneurons\.\d+\.", "", label).split(".")
        stem = identifier(re.sub(r"\[.*", "", last), "w")
        if rank == 2:
            stem = stem[:1].upper() + stem[1:]
        return self.unique(stem + place(path))

    def array(self, array: Array) -> str:
        """The name that an array would like to have."""
        first = next(int(i) for i in array.members if i >= 0)
        stems = {re.sub(r"\[.*", "", self.graph.labels.get(int(i), "")) for i in array.members if i >= 0}
        if len(stems) == 1 and "" not in stems:
            return identifier(stems.pop())
        path = scope_path(self.graph.scopes.get(first))
        kind = array.kind
        if kind == "sum":
            return ("z" if path else "s") + place(path)
        if len(kind.rules) == 1 and not kind.variadic and kind.name not in SHORT and path:
            return "h" + place(path)
        return SHORT.get(kind.name, kind.name[:1] if isinstance(kind, Op) else "t")


def place(path: Sequence[str]) -> str:
    """Where in a model: layers, 0 -> 1; attention, query -> _query."""
    words = [part for part in path if not re.fullmatch(r"\d+|\w*\[\d+\]", part)]
    numbers = [part for part in path if re.fullmatch(r"\d+", part)]
    if path and path[-1].isdigit():
        return str(int(numbers[-1]) + 1)
    return f"_{identifier(words[-1])}" if words else ""


def scope_path(scope: Scope | None) -> list[str]:
    """The path of the layer in which something was recorded; nothing for the model itself, or outside."""
    path: list[str] = []
    while scope is not None:
        if getattr(scope, "path", "") and scope.level == "layer":
            return [part for part in scope.path.split(".") if part != "neurons"]
        if getattr(scope, "level", "") == "neuron" and not getattr(scope, "path", ""):
            return []
        scope = scope.parent
    return path
