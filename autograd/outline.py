"""A graph as boxes in boxes, each with its place: what the explorer opens and closes.

    Graph       the graph that `draw` draws, as nodes with their gradients, and what of it a page can hold
    outline     the nodes in nested boxes: modules, folded sums, bundles of what is alike, parts of a crowd
    place       where each box stands among its siblings (`layout`)
    opens       at which levels it is open, by the rules of `draw`

All is told by a node's position in the order of recording, so that the same graph gives the same page in every run.
"""

from __future__ import annotations

import math
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from . import ops
from .context import Scope
from .draw import nearest
from .layout import OUTSIDE, arrange
from .levels import LEVELS, chain, counted, group_at, merged, parameters, places, step_of, title_of
from .selection import Node, collect
from .value import NO_GRADIENT, ByHand, Constant, Value

__all__: list[str] = []  # for `explore`

LEAF, RESULT, BOX = (122, 62), (122, 78), (196, 82)  # width and height of a box, closed
MANY, SEVERAL = 8, 5  # leaves that are alike, and operations: more than this stand as one
CROWD = 60  # a box with more parts than this has them bundled


@dataclass(eq=False)
class Part(Node):
    """Values that the page leaves out, standing as one; `partials` are the gradients that they hand on."""

    count: int = 0


@dataclass(eq=False)
class Box:
    """A part of the graph that opens: a module, or values that are alike."""

    kind: str  # "module", "fold", "bundle", "part"
    title: str
    parent: Box | None = None
    scope: Scope | None = None
    face: Node | None = None  # the one value that it stands for when closed, if it is one
    sealed: bool = False  # what is inside was left out
    parts: list[Any] = field(default_factory=list)  # Boxes and Nodes
    number: int = -1
    column: int = 0
    height: float = 0.0  # of its middle, in the box around it
    bends: list[Any] = field(default_factory=list)

    def nodes(self) -> Iterator[Node]:
        for part in self.parts:
            if isinstance(part, Box):
                yield from part.nodes()
            else:
                yield part

    def boxes(self) -> Iterator[Box]:
        """Itself, and all inside it."""
        yield self
        for part in self.parts:
            if isinstance(part, Box):
                yield from part.boxes()


# The graph --------------------------------------------------------------------------------------------------------


class Graph:
    """What is shown: the nodes, operands before results, in the order in which they were recorded; the gradient of
    each node that one reaches; the modules that own the parameters; and a note on what was left out."""

    def __init__(self, outputs: list[Value], max_nodes: int) -> None:
        self.outputs = dict.fromkeys(outputs)
        self.starts = dict.fromkeys(ends(outputs))
        self.owners = parameters(outputs)
        self.note = ""
        where = places(merged(outputs), self.owners)
        folded = collect(outputs, False, where)
        self.recorded = {n.value for n in folded}
        count = sum(len(n.operands) if n.op in (ops.dot, ops.sum_) else 1 for n in folded)
        if count <= max_nodes:
            self.nodes = collect([n.value for n in folded], True, where)
            self.gradients = backward(self.nodes, self.starts)
        else:
            self.gradients = backward(folded, self.starts)
            self.nodes = self.reduced(folded, max_nodes)
            self.note = f"{count:,} values: {self.note}"

    def reduced(self, folded: list[Node], most: int) -> list[Node]:
        """A graph that is too large: sums stay folded, without their weights; then modules stay closed, smaller ones
        first; then only what is nearest to the outputs is left."""
        self.note = "weighted sums stay folded, and their weights are left out"
        nodes = self.without_weights(folded)
        if fits(nodes, most):
            return nodes
        for level in LEVELS[1:]:
            found = self.sealed(nodes, {n: group_at(n.scope, level) for n in nodes})
            self.note = f"what is inside {level}s is left out"
            if fits(found, most):
                return found
        self.note = "only the part nearest to the output is here"
        near = {*nearest([*self.outputs], most // 4)}
        return self.sealed(nodes, {n: None if n.value in near else "far" for n in nodes})

    def without_weights(self, folded: list[Node]) -> list[Node]:
        """The nodes without parameters that only long sums read, and these without their plain numbers."""
        read = {x for n in folded if len(n.operands) <= MANY for x in n.below}
        kept = {
            n for n in folded if n.op or n in read or n.value not in self.owners or n.value in self.outputs
        }
        for n in kept:
            if len(n.operands) > MANY:
                pairs = [(x, d) for x, d in zip(n.operands, n.partials, strict=True) if x in kept]
                n.operands, n.partials = [x for x, _ in pairs], tuple(d for _, d in pairs)
        return [n for n in folded if n in kept]

    def sealed(self, nodes: list[Node], groups: dict[Node, Any]) -> list[Node]:
        """The nodes, with those of one group, other than None, as one Part. Outputs stay."""
        parts: dict[Any, Part] = {}
        stand: dict[Node, Node] = {}
        for n in nodes:
            group = groups[n]
            if group is None or n.value in self.outputs:
                stand[n] = Node(n.value, n.op, scope=n.scope)
                if n in self.gradients:
                    self.gradients[stand[n]] = self.gradients[n]
            else:
                part = stand[n] = parts.setdefault(group, Part(None))
                part.scope = group if isinstance(group, Scope) else None
                part.count += bool(n.op)
        gains: dict[Node, dict[Node, float]] = {part: {} for part in parts.values()}
        for old, new in stand.items():
            found = gains.get(new)
            if found is None:
                new.operands, new.partials = [stand.get(x, x) for x in old.operands], old.partials
                if len(new.operands) > MANY:
                    merge_parts(new)
                continue
            for x, d in zip(old.operands, old.partials, strict=True):
                if isinstance(x, Node) and stand[x] is not new and d is not None:
                    found[stand[x]] = found.get(stand[x], 0.0) + d * self.gradients.get(old, 0.0)
        for node, handed in gains.items():
            node.operands, node.partials = [*handed], tuple(handed.values())
        return [*dict.fromkeys(stand.values())]


def merge_parts(node: Node) -> None:
    """Make each Part that a node reads one operand of it, however often it is read."""
    read: dict[Any, set[Any]] = {}  # the local gradients, by Part, or by position for whatever else
    for i, (x, d) in enumerate(zip(node.operands, node.partials, strict=True)):
        read.setdefault(x if isinstance(x, Part) else i, set()).add(d)
    node.operands = [node.operands[x] if isinstance(x, int) else x for x in read]
    node.partials = tuple(found.pop() if len(found) == 1 else None for found in read.values())


def fits(nodes: list[Node], most: int) -> bool:
    return len(nodes) <= most and sum(len(n.operands) for n in nodes) <= 4 * most


def ends(outputs: list[Value]) -> list[Value]:
    """The outputs from which no other output was computed: where backward begins."""
    behind = {x for v in merged(outputs) for x in v.operands if isinstance(x, Value)}
    return [v for v in outputs if v not in behind]


def backward(nodes: list[Node], starts: Container[Value]) -> dict[Node, float]:
    """The gradient of each node that one reaches: from 1, or from the gradient that an output has already.

    No `grad` changes. Where Python's own number is the same but for rounding, because it summed in another order, it
    stands.
    """
    known = any(n.value in starts and n.value.grad is not NO_GRADIENT for n in nodes)
    found: dict[Node, float] = {}
    for n in reversed(nodes):
        v = n.value
        if v in starts and not isinstance(v, Constant):
            found[n] = float(v.grad) if known else 1.0
        by_hand = isinstance(n.op, ByHand) and n.op.push
        for x, d in zip(n.operands, n.partials, strict=True):
            if not isinstance(x, Node):
                continue
            if by_hand and x.value.grad is not NO_GRADIENT:  # only Python has been there
                found[x] = float(x.value.grad)
            elif d is not None and n in found:
                found[x] = found.get(x, 0.0) + d * found[n]
        if n in found and v.grad is not NO_GRADIENT:
            python = float(v.grad)
            if math.isclose(python, found[n], rel_tol=1e-9, abs_tol=1e-300):
                found[n] = python
    return found


# Boxes in boxes ---------------------------------------------------------------------------------------------------


def outline(graph: Graph) -> Box:
    """The boxes, from the one around all of them."""
    nodes, owners = graph.nodes, graph.owners
    root = Box("module", "")
    modules: dict[Scope | None, Box] = {None: root}

    def module(scope: Scope | None) -> Box:
        for around in chain(scope):
            if around not in modules:
                modules[around] = Box("module", name_of(around), modules[around.parent], around)
                modules[around.parent].parts.append(modules[around])
        return modules[scope]

    first = {n: i for i, n in enumerate(nodes)}
    sums: dict[Box, list[list[Node]]] = {}  # what was recorded in each box; a folded sum with all its parts
    parts_of_sum: list[Node] = []
    for n in nodes:
        if isinstance(n, Part):
            box = module(n.scope)
            if box is root:
                box = Box("part", f"{n.count:,} more values", root)
                root.parts.append(box)
            box.sealed = True
            sums.setdefault(box, []).append([n])
        elif n.value in graph.recorded:
            sums.setdefault(module(owners.get(n.value, n.scope)), []).append([*parts_of_sum, n])
            parts_of_sum = []
        else:
            parts_of_sum.append(n)
    readers: dict[Node, list[Node]] = {}
    for n in nodes:
        for x in n.below:
            readers.setdefault(x, []).append(n)
    for box, found in sums.items():
        fold(box, found, readers)
    depth = depths(
        sorted((members for found in sums.values() for members in found), key=lambda m: first[m[-1]])
    )
    for box in [*root.boxes()]:
        bundle(box, depth, readers, owners)
    for box in [*root.boxes()]:
        split(box, first)
    for number, box in enumerate(root.boxes()):
        box.number = number
    return root


def name_of(scope: Scope) -> str:
    """`cells.0, step 2 of 5: LSTMCell(2, 3)`."""
    step = step_of(scope)
    return title_of(scope).replace(scope.name, f"{scope.name}, {step}", 1) if step else title_of(scope)


def depths(sums: list[list[Node]]) -> dict[Node, int]:
    """How many operations stand before each node; a sum counts once, as it was recorded, however many its terms."""
    depth: dict[Node, int] = {}
    for members in sums:
        before = max((depth.get(x, -1) for n in members for x in n.below), default=-1)
        depth.update(dict.fromkeys(members, before + 1))
    return depth


def fold(box: Box, found: list[list[Node]], readers: dict[Node, list[Node]]) -> None:
    """Fill a box with what was recorded there. Among many, a sum with its products, and the leaves that it alone
    reads, become a box of their own."""
    if sum(map(len, found)) <= CROWD:
        box.parts += [n for members in found for n in members]
        return
    sums = {n: members for members in found if len(members) > 1 for n in members}
    inside: dict[int, list[Node]] = {}
    leaves = [n for members in found for n in members if not n.op and not isinstance(n, Part)]
    for n in leaves:
        homes = {id(sums.get(reader)): sums.get(reader) for reader in readers.get(n, ())}
        if len(homes) == 1 and None not in homes.values():
            inside.setdefault(next(iter(homes)), []).append(n)
    moved = {n for own in inside.values() for n in own}
    for members in found:
        if len(members) > 1:
            sign = members[-1].value.op.glyph  # of what was recorded: dot or sum
            parts = [*inside.get(id(members), ()), *members]
            box.parts.append(Box("fold", sign, box, face=members[-1], parts=parts))
        elif members[0] not in moved:
            box.parts += members


def gather(box: Box, members: list[Any], kind: str, title: str) -> Box:
    """A box inside `box` with some of its parts."""
    inner = Box(kind, title, box, parts=members)
    for part in members:
        if isinstance(part, Box):
            part.parent = inner
    return inner


def bundle(
    box: Box, depth: dict[Node, int], readers: dict[Node, list[Node]], owners: dict[Value, Scope]
) -> None:
    """Put together what is alike: the same operation at the same depth, as in a sum of two vectors, and leaves that
    are read by the same boxes. A neuron of usual size is left as it is: its values are what people came to see."""
    if box.sealed or box.kind == "fold":
        return
    alike: dict[Hashable, list[Any]] = {}
    crowded = len(box.parts) > CROWD or any(isinstance(x, Box) and x.kind == "module" for x in box.parts)
    home = {n: part for part in box.parts if isinstance(part, Box) for n in part.nodes()}
    for part in box.parts:
        node = one(part)
        key: Hashable = part
        if node and node.op and crowded:
            key = depth[node], sign_of(part)
        elif node and not node.op:
            boxes = [home.get(reader) for reader in readers.get(node, ())]
            if None not in boxes:
                key = node.value in owners, frozenset(boxes)
        alike.setdefault(key, []).append(part)
    box.parts = []
    for members in alike.values():
        node = one(members[0])
        if not node or len(members) <= (SEVERAL if node.op else MANY):
            box.parts += members
        elif node.op:
            box.parts.append(gather(box, members, "bundle", f"{len(members)} of {sign_of(members[0])}"))
        else:
            what = "parameter" if node.value in owners else "input"
            box.parts.append(gather(box, members, "bundle", counted(len(members), what)))


def one(part: Any) -> Node | None:
    """The value that a node is, or that a folded sum stands for."""
    if isinstance(part, Box):
        return part.face
    return None if isinstance(part, Part) else part


def sign_of(part: Any) -> str:
    return str(part.title if isinstance(part, Box) else getattr(part.op, "glyph", part.op.symbol))


def split(box: Box, first: dict[Node, int]) -> None:
    """Put what is still a crowd into boxes of neighbours, in the order in which they were recorded."""
    start = {id(part): min(map(first.__getitem__, part.nodes())) if isinstance(part, Box) else first[part]
             for part in box.parts}  # fmt: skip
    box.parts.sort(key=lambda part: start[id(part)])
    while len(box.parts) > CROWD:
        pieces = math.ceil(len(box.parts) / CROWD)
        cuts = [round(k * len(box.parts) / pieces) for k in range(pieces + 1)]
        box.parts = [
            gather(box, box.parts[a:b], "part", f"part {k + 1} of {pieces}")
            for k, (a, b) in enumerate(pairwise(cuts))
        ]


def size(part: Any) -> tuple[int, int]:
    node = one(part)
    return BOX if node is None else RESULT if node.op else LEAF


def place(root: Box, nodes: list[Node]) -> dict[Node, tuple[int, float]]:
    """Give each box its column and height among its siblings; those of the nodes are returned."""
    path: dict[Node, list[Any]] = {}
    links: dict[Box, dict[tuple[Any, Any], None]] = {}
    entries: dict[Box, dict[Any, None]] = {}
    exits: dict[Box, dict[Any, None]] = {}
    stack: list[list[Any]] = [[root]]
    while stack:
        way = stack.pop()
        for part in way[-1].parts:
            if isinstance(part, Box):
                stack.append([*way, part])
            else:
                path[part] = [*way, part]
    for n in nodes:
        for x in n.operands:
            if isinstance(x, Node):
                a, b, k = path[x], path[n], 0
                while k < min(len(a), len(b)) and a[k] is b[k]:
                    k += 1
                links.setdefault(a[k - 1], {})[a[k], b[k]] = None
                for around, part in pairwise(a[k:]):
                    exits.setdefault(around, {})[part] = None
                for around, part in pairwise(b[k:]):
                    entries.setdefault(around, {})[part] = None
    where: dict[Node, tuple[int, float]] = {}
    for box in root.boxes():
        position = {id(part): k for k, part in enumerate(box.parts)}
        edges = [(position[id(a)], position[id(b)]) for a, b in links.get(box, ())]
        doors = [[position[id(part)] for part in found.get(box, ())] for found in (entries, exits)]
        found = arrange([size(part)[1] for part in box.parts], edges, *doors)
        for part, column, height in zip(box.parts, found.columns, found.heights, strict=True):
            if isinstance(part, Box):
                part.column, part.height = column, height
            else:
                where[part] = (column, height)
        box.bends = [
            (None if a == OUTSIDE else box.parts[a], None if b == OUTSIDE else box.parts[b], ys)
            for (a, b), ys in found.bends.items()
        ]
    return where


def opens(box: Box) -> int:
    """The coarsest level at which a box is open, by the rule of `draw`: there, the smallest module of at least that
    size is what stands closed."""
    if box.parent is None:
        return len(LEVELS)
    if box.sealed:
        return -1
    inner = {b.scope for b in box.boxes() if b is not box and b.scope}
    for k in range(len(LEVELS) - 1, 0, -1):
        if any(group_at(scope, LEVELS[k]) is scope for scope in inner):
            return k
    return 0


def count_shown(box: Box, level: int) -> int:
    """How many boxes stand in the page at that level."""
    return 1 + (
        sum(count_shown(x, level) if isinstance(x, Box) else 1 for x in box.parts)
        if level <= opens(box)
        else 0
    )
