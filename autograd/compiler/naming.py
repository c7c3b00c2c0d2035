"""Names for what is in a program: the user's labels and the modules' paths, made identifiers that hide nothing."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import __all__ as array_formulas
from ..context import Scope
from ..ops import TABLE, Op, protected

if TYPE_CHECKING:
    from .graph import Graph
    from .grouping import Array

RESERVED = {"__builtins__", "np", "n", "p", "g", "rng", "forward", "value_and_grad", "math", "inf", "nan"}
RESERVED |= set(dir(builtins)) | set(keyword.kwlist) | {*array_formulas}  # and the table, which grows
LONGEST = 24  # letters of a name
FOREIGN = re.compile("[^0-9A-Za-zΑ-ΡΣ-Ωα-ω]+")  # what becomes an underscore

# What an array is called after the operation that made it
SHORT = {
    "exp": "e", "log": "l", "largest": "top", "logsumexp": "total", "equal": "hot", "above": "on", "pick": "picked",
    "sqrt": "root", "div": "ratio", "sum": "s", "where": "chosen", "maximum": "m", "minimum": "m",
}  # fmt: skip


def identifier(label: str, otherwise: str = "v") -> str:
    """A label, whatever is in it, as a short Python name: `layers.0.w[2]` -> layers_0_w_2."""
    name = FOREIGN.sub("_", label[: 8 * LONGEST])[: LONGEST + 1].strip("_")[:LONGEST].rstrip("_")
    return f"{otherwise}_{name}" if name[:1].isdigit() else name or otherwise


def spelling(op: Op) -> str:
    """How an operation is written on arrays; nothing where nobody has spelled it: then it is its formula alone."""
    named = op.numpy.startswith("np.") or op.name in array_formulas
    return op.numpy if op.spelled or (is_ours(op) and named) else ""


def is_ours(op: Op) -> bool:
    return op.name in protected and TABLE.get(op.name) is op


class Names:
    """Hands out names, each once, and none that would hide something; `unused` is what the text does not use."""

    def __init__(self, graph: Graph, arguments: Sequence[str], unused: Iterable[str] = ()) -> None:
        self.graph = graph
        self.reserved = (RESERVED | {*TABLE}).difference(unused)
        self.taken: set[str] = set(self.reserved)
        self.counts: dict[str, int] = {}
        self.arguments = [self.unique(identifier(name, "x")) for name in arguments]

    def unique(self, base: str) -> str:
        name = base = identifier(base)
        if name in self.reserved:
            name = f"{base}_"
        while name in self.taken:
            self.counts[base] = k = self.counts.get(base, 1) + 1
            name = f"{base}{'_' if base[-1:].isdigit() else ''}{k}"
        self.taken.add(name)
        return name

    def numbered(self, base: str) -> str:
        """The next of t1, t2, ..."""
        while True:
            self.counts[base] = k = self.counts.get(base, 0) + 1
            if (name := f"{base}{k}") not in self.taken:
                self.taken.add(name)
                return name

    def formula(self, op: Op) -> str:
        """By which name the text calls an operation's formula: its own, if that is a name, and hides nothing."""
        name = op.name
        plain = name.isascii() and name.isidentifier() and TABLE.get(name) is op
        return name if is_ours(op) or (plain and name not in RESERVED) else self.unique(f"{name}_op")

    def leaf(self, array: Array) -> str:
        return self.arguments[array.number] if array.kind == "input" else "p"

    def part_of(self, name: str) -> str:
        return f"{name}_part" if name else "part"

    def parameter(self, labels: Sequence[str] | str, rank: int) -> str:
        """`layers.0.neurons.3.w[2]` and its like, read as a matrix -> W1. Of several layers: W_qkv."""
        labels = [labels] if isinstance(labels, str) else labels
        parts = [re.sub(r"\bneurons\.\d+\.", "", label).split(".") for label in labels]
        stem = identifier(re.sub(r"\[.*", "", parts[0][-1], flags=re.DOTALL), "w")
        if rank == 2:
            stem = stem[:1].upper() + stem[1:]
        return self.unique(stem + together([place(path) for *path, _ in parts]))

    def element(self, label: str) -> str:
        """A parameter by itself: `layers.0.neurons.3.w[2]` -> w1_3_2, which is W1[3, 2]; `w[2]` of a neuron -> w2."""
        *path, last = label[: 8 * LONGEST].split(".")
        stem, *rest = re.split(r"\[(\w+)\]", last)
        inside, outside = re.fullmatch(r"(?:(.*)\.)?neurons\.(\d+)", ".".join(path)), path
        if inside:
            outside = inside[1].split(".") if inside[1] else []
        index = [inside[2]] if inside else []
        index += [part for part in rest if part]
        return self.unique(indexed(identifier(stem, "w") + place(outside), index))

    def array(self, array: Array) -> str:
        """The name that an array would like to have."""
        labels = {self.graph.labels.get(int(i), "") for i in array.members if i >= 0}
        stems = {re.sub(r"\[.*", "", label, flags=re.DOTALL) for label in labels}
        if len(stems) == 1 and "" not in stems:
            return identifier(stems.pop())
        paths = [
            scope_path(scope) for scope in {self.graph.scopes.get(int(i)): None for i in array.members[:4096]}
        ]
        known = [path for path in paths if path is not None]
        where = together([place(path) for path in known])
        kind = array.kind
        if kind == "beside":
            return "all"
        if kind == "padded":
            return "padded"
        if kind == "sum":
            return ("z" if known else "s") + where
        if len(kind.rules) == 1 and not kind.variadic and kind.name not in SHORT and known:
            return "h" + where
        return SHORT.get(kind.name, kind.name[:1] if isinstance(kind, Op) else "t")


def together(places: Sequence[str]) -> str:
    """The place of several layers in one array: _query, _key, _value -> _qkv."""
    different = [*dict.fromkeys(places)]
    if len(different) > 1 and all(place[:1] == "_" for place in different):
        return "_" + "".join(place[1] for place in different[:8])
    return different[0] if different else ""


def place(path: Sequence[str]) -> str:
    """Where in a model: layers, 0 -> 1; attention, query -> _query."""
    words = [part for part in path if not re.fullmatch(r"[0-9]+|\w*\[\d+\]", part)]
    if path and re.fullmatch("[0-9]{1,9}", path[-1]):
        return str(int(path[-1]) + 1)
    return f"_{identifier(words[-1])}" if words else ""


def indexed(name: str, index: Sequence[Any]) -> str:
    """The name of an element: x, (2,) -> x2; W1, (0, 2) -> W1_0_2."""
    digits = "_".join(map(str, index))
    return name + ("_" if digits and name[-1:].isdigit() else "") + digits


def scope_path(scope: Scope | None) -> list[str] | None:
    """The path of the layer in which something was recorded; None for what was recorded outside of any."""
    while scope is not None:
        level = getattr(scope, "level", "")
        if level == "layer" and hasattr(scope, "path"):
            return [part for part in str(getattr(scope, "path")).split(".") if part not in ("neurons", "")]  # noqa: B009
        if level == "neuron" and not getattr(scope, "path", ""):
            return []
        scope = scope.parent
    return None
