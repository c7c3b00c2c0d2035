"""Which nodes of a recorded graph are looked at: all of them, those near one of them, those on the way between two.

A folded sum is written out here, into Nodes; the Values themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .context import Scope
from .graph import expansion
from .levels import counted, merged, parameters, places
from .value import Value, spread


@dataclass(eq=False)
class Node:
    """A Value as it is drawn: itself, and from what it was computed; `operands` are Nodes or plain numbers."""

    value: Any
    op: Any = None
    operands: list[Any] = field(default_factory=list)
    partials: tuple[Any, ...] = ()
    scope: Scope | None = None

    @property
    def below(self) -> list[Node]:
        return [x for x in self.operands if isinstance(x, Node)]


def collect(
    outputs: Sequence[Value],
    unfold: bool,
    places: Mapping[Value, Scope | None] | None = None,
    cut: Container[Value] = (),
) -> list[Node]:
    """All Values behind the outputs, operands before results, in an order that depends on the graph alone.

    `places` says in which scopes they stand, if not in those in which they were recorded. What is in `cut` is taken
    for a leaf.
    """
    made: dict[Value, Node] = {}
    scopes = dict(places or {})
    stack: list[Any] = list(reversed(outputs))
    while stack:
        v = stack.pop()
        if isinstance(v, Node):  # its operands are made
            v.operands = [made[x] if isinstance(x, Value) else x for x in v.operands]
            made[v.value] = v
        elif v not in made:
            scope = scopes.get(v, v.scope)
            if v in cut:
                made[v] = Node(v, scope=scope)
                continue
            op, x, y, dx, dy = expansion(v) if unfold else (v.op, v._x, v._y, v._dx, v._dy)
            operands = spread(x, y)
            partials = spread(dx, dy) if type(x) is tuple else (dx, dy)[: len(operands)]
            stack.append(Node(v, op, list(operands), partials, scope))
            below = [x for x in reversed(operands) if isinstance(x, Value) and x not in made]
            scopes.update((x, scope) for x in below if x.op and x.scope is v.scope and x not in scopes)
            stack.extend(below)
    return list(made.values())


# What is chosen ---------------------------------------------------------------------------------------------------


def everything(outputs: list[Value]) -> dict[Value, list[Value]]:
    """Each Value behind the outputs with those that it was computed from, operands before results."""
    found: dict[Value, list[Value]] = {}
    for v in [*merged(outputs), *outputs]:
        below = [x for x in v.operands if isinstance(x, Value)]
        for x in below:
            found.setdefault(x, [])
        found[v] = below
    return found


def named(which: Any, option: str, among: Iterable[Value]) -> list[Value]:
    """The Values that a user means by a Value or by a label."""
    if isinstance(which, Value):
        found = [v for v in among if v is which]
    elif isinstance(which, str):
        found = [v for v in among if v.label == which]
    else:
        raise TypeError(f"{option} needs a Value or a label. Received: {type(which).__name__}")
    if not found:
        from difflib import get_close_matches

        labels = {v.label for v in among if v.label}
        near = get_close_matches(which, sorted(labels), 3) if isinstance(which, str) else []
        hint = f"; similar: {', '.join(near)}" if near else ""
        raise ValueError(f"{option} needs a node of the graph. Received: {option}={which!r}{hint}")
    return found


COUNTED = 1_000_000_000  # ways, at most: n squarings after each other have 2^n


def leading(below: Mapping[Any, Sequence[Any]], starts: Iterable[Any], ends: Iterable[Any]) -> dict[Any, int]:
    """What lies on a way from a start to an end, the ends included, with the number of ways from the starts to it, up
    to `COUNTED`."""
    ways: dict[Any, int] = dict.fromkeys(starts, 1)
    for v, operands in below.items():
        count = sum(ways.get(x, 0) for x in operands)
        if count:
            ways[v] = min(ways.get(v, 0) + count, COUNTED)
    needed = {v for v in ends if v in ways}
    for v in reversed(below):
        if v in needed:
            needed.update(x for x in below[v] if x in ways)
    return {v: ways[v] for v in below if v in needed}


def around(below: Mapping[Any, Sequence[Any]], centres: Iterable[Any], hops: int) -> list[Any]:
    """What can be reached from the centres, along edges either way, in at most so many hops; the nearest first."""
    above: dict[Any, list[Any]] = {}
    for v, operands in below.items():
        for x in operands:
            above.setdefault(x, []).append(v)
    found = dict.fromkeys(centres)
    ring = list(found)
    for _ in range(hops):
        ring = [y for x in ring for y in (*below[x], *above.get(x, ()))]
        ring = [y for y in dict.fromkeys(ring) if y not in found]
        found.update(dict.fromkeys(ring))
    return list(found)


def size(node: Node) -> int:
    """How many boxes and circles a node is drawn as."""
    numbers = sum(not isinstance(x, Node) for x in node.operands)
    return 1 + bool(node.op) + numbers


@dataclass
class Selection:
    """What of a graph is drawn."""

    outputs: list[Value]  # what was asked for, or where the way ends
    nodes: list[Node]
    owners: dict[Value, Scope]  # of the parameters
    kept: set[Value] | None = None  # those of a path, of which the picture shows nothing else; None: all
    readers: dict[Node, int] | None = None  # of nodes at the edge of a picture, how many readers are left out
    note: str = ""
    left_out: int = 0  # nodes that would have been shown, but are too many

    @property
    def count(self) -> int:
        return sum(map(size, self.nodes))


def neighbourhood(outputs: list[Value], focus: Any, hops: int, unfold: bool, most: int) -> Selection:
    """What lies within so many hops of a node, up to `most` boxes and circles."""
    if isinstance(hops, bool) or not isinstance(hops, int) or hops < 1:
        raise ValueError(f"hops is an int from 1. Received: hops={hops!r}")
    below = everything(outputs)
    centres = named(focus, "focus", below)
    near = set(ring := around(below, centres, hops))  # unfolded, no node is nearer than that
    whole = collect(ring, unfold, stand(outputs), below.keys() - near)
    operands = {node: node.below for node in whole}
    found = around(operands, [node for node in whole if node.value in centres], hops)
    total, kept = 0, dict[Node, int]()
    for node in found:
        total += size(node)
        if total > most and kept:
            break
        kept[node] = 0
    made = {node.value: node for node in whole}
    for x in (
        *(x for node in whole if node not in kept for x in operands[node]),
        *(made[x] for v in below if v not in near for x in dict.fromkeys(below[v]) if x in made),
    ):
        if x in kept:
            kept[x] += 1
    note = f"{centres[0].label or 'a node'} and what is within {counted(hops, 'hop')} of it"
    left_out = len(found) - len(kept)
    return Selection(
        centres,
        [node for node in whole if node in kept],
        parameters(outputs),
        readers={node: n for node, n in kept.items() if n},
        note=f"{note}, but for {counted(left_out, 'node')}" if left_out else note,
        left_out=left_out,
    )


def between(outputs: list[Value], path: Any, unfold: bool) -> Selection:
    """What leads from one node to another, and nothing else."""
    if isinstance(path, (str, Value)) or not isinstance(path, Sequence) or len(path) != 2:
        raise TypeError(f"path is a pair of Values or labels, (from, to). Received: {path!r}")
    below = everything(outputs)
    starts, ends = (named(which, "path", below) for which in path)
    kept = leading(below, starts, ends)
    if not kept:
        raise ValueError(f"path needs its second node to be computed from its first. Received: path={path!r}")
    ends = [v for v in ends if v in kept]
    nodes = collect(ends, unfold, stand(outputs), below.keys() - kept.keys())
    made = {node.value: node for node in nodes}
    ways = leading(
        {node: node.below for node in nodes},
        [made[v] for v in starts if v in made],
        [made[v] for v in ends],
    )
    count = sum(ways[made[v]] for v in ends)
    paths = counted(count, "path") if count < COUNTED else f"at least {COUNTED:,} paths"
    source, target = (v.label or ("the output" if v in outputs else "a node") for v in (starts[0], ends[0]))
    return Selection(
        ends,
        [node for node in nodes if node in ways],
        parameters(outputs),
        set(kept),
        note=f"from {source} to {target}: {paths}",
    )


def all_of(outputs: list[Value], unfold: bool) -> Selection:
    """The whole graph."""
    return Selection(outputs, collect(outputs, unfold, stand(outputs)), parameters(outputs))


def stand(outputs: list[Value]) -> dict[Value, Scope | None]:
    """Where each Value behind the outputs stands."""
    return places(merged(outputs), parameters(outputs))
