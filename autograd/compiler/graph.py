"""The recorded program as plain data: a list of nodes, each an operation of the table and the numbers of its operands.

    graph.ops[i], graph.args[i]     node i; its operands stand before it
    graph.varies[i]                 whether it differs from sample to sample of a batch

The same operation on the same operands is one node, however often it was recorded. `add` asks `simplify` first, so
that nothing is in the graph that a rewrite would take out. Leaves: "input" (argument, position), "parameter" (number),
"random" (number), "literal" (the float itself), "count" (the number of samples).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..context import Scope
from ..operators import dot as _  # noqa: F401 (the whole table, before it is read)
from ..ops import TABLE, Op, number, zero
from . import simplify

# A sum over the samples of a batch: what is the same for all of them receives its gradient through one
BATCH_SUM = Op(
    "batch_sum", "the sum over all samples", lambda x: x, lambda g, out, x: g, numpy="{0}.sum(axis=0)"
)


class Graph:
    """Nodes in the order of their making, each once."""

    def __init__(self, batch: bool = False) -> None:
        self.batch = batch
        self.ops: list[Any] = []
        self.args: list[tuple[Any, ...]] = []
        self.varies: list[bool] = []
        self.scopes: dict[int, Scope] = {}
        self.labels: dict[int, str] = {}
        self.gradient_of: dict[int, int] = {}
        self.parameters: list[int] = []
        self.found: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.ops)

    def new(self, op: Any, args: tuple[Any, ...], varies: bool) -> int:
        self.ops.append(op)
        self.args.append(args)
        self.varies.append(varies)
        return len(self.ops) - 1

    def leaf(self, kind: str, *args: Any, varies: bool) -> int:
        return self.new(kind, args, varies)

    def literal(self, x: float) -> int:
        key = ("literal", x if x == x else "nan", math.copysign(1.0, x))
        if key not in self.found:
            self.found[key] = self.new("literal", (x,), False)
        return self.found[key]

    def count(self) -> int:
        """The number of samples; 1 where there is no batch."""
        if not self.batch:
            return self.literal(1.0)
        if "count" not in self.found:
            self.found["count"] = self.new("count", (), False)
        return self.found["count"]

    def value(self, i: int) -> float | None:
        """The number of a literal, None of anything else."""
        return self.args[i][0] if self.ops[i] == "literal" else None

    def add(self, op: Op, args: Iterable[int]) -> int:
        """The node of an operation: the one that is there, or what it simplifies to, or a new one."""
        args = tuple(args)
        commutes = op is MUL or op is ADD
        key = (op, args[::-1] if commutes and args[0] > args[1] else args)
        node = self.found.get(key)
        if node is None:
            node = simplify.simplify(self, op, args)
            if node is None:
                varies = self.varies
                node = self.new(op, args, op is not BATCH_SUM and any(varies[i] for i in args))
            self.found[key] = node
        return node

    def live(self, outputs: Sequence[int]) -> list[int]:
        """The nodes that the outputs need, in order."""
        needed = set(outputs)
        stack = [*needed]
        while stack:
            i = stack.pop()
            if isinstance(self.ops[i], Op):
                for j in self.args[i]:
                    if j not in needed:
                        needed.add(j)
                        stack.append(j)
        return sorted(needed)

    def sym(self, i: int) -> Sym:
        return Sym(self, None, (), i)


class Sym:
    """A node on which the table's own code can run: operators and operations add nodes to the graph.

    It becomes a node when somebody asks for its `id`: what a derivative rule computes in vain leaves no trace.
    """

    __slots__ = ("args", "graph", "node", "op")

    def __init__(self, graph: Graph, op: Op | None, args: tuple[Any, ...], node: int | None = None) -> None:
        self.graph, self.op, self.args, self.node = graph, op, args, node

    @property
    def id(self) -> int:
        if self.node is None:
            args = [x.id if isinstance(x, Sym) else self.graph.literal(number(x)) for x in self.args]
            self.node = self.graph.add(self.op, args)  # type: ignore[arg-type]
        return self.node

    @staticmethod
    def _record(op: Op, inputs: tuple[Any, ...]) -> Sym:
        graph = next(x.graph for x in inputs if isinstance(x, Sym))
        return Sym(graph, op, inputs)

    def __add__(self, other: Any) -> Sym:
        return Sym(self.graph, ADD, (self, other))

    def __radd__(self, other: Any) -> Sym:
        return Sym(self.graph, ADD, (other, self))

    def __sub__(self, other: Any) -> Sym:
        return Sym(self.graph, SUB, (self, other))

    def __rsub__(self, other: Any) -> Sym:
        return Sym(self.graph, SUB, (other, self))

    def __mul__(self, other: Any) -> Sym:
        return Sym(self.graph, MUL, (self, other))

    def __rmul__(self, other: Any) -> Sym:
        return Sym(self.graph, MUL, (other, self))

    def __truediv__(self, other: Any) -> Sym:
        return Sym(self.graph, DIV, (self, other))

    def __rtruediv__(self, other: Any) -> Sym:
        return Sym(self.graph, DIV, (other, self))

    def __pow__(self, other: Any) -> Sym:
        return Sym(self.graph, POW, (self, other))

    def __neg__(self) -> Sym:
        return Sym(self.graph, NEG, (self,))


ADD, SUB, MUL, DIV, POW, NEG = (TABLE[name] for name in ("add", "sub", "mul", "div", "pow", "neg"))
SUM = TABLE["sum"]


def differentiate(graph: Graph, seeds: dict[int, int], targets: Sequence[int]) -> list[int]:
    """For each target the gradient of the roots, summed over the samples: nodes of the same graph.

    `seeds` has the gradient that each root starts from. The derivative rules are the table's own. Where a node that
    varies hands a gradient to one that does not, all samples hand theirs: their sum arrives there.
    """
    order = graph.live([*seeds])
    reaching = set(targets)  # nodes on the way from a target
    for i in order:
        if (
            isinstance(graph.ops[i], Op)
            and not flat(graph.ops[i])
            and any(j in reaching for j in graph.args[i])
        ):
            reaching.add(i)
    kinds = kinds_of(graph, order)
    alone = used_once(graph, order, kinds)
    uses = Counter(
        j for i in reaching.intersection(order) if isinstance(graph.ops[i], Op) for j in graph.args[i]
    )
    shared = any(uses[t] > 1 for t in targets if graph.ops[t] == "parameter")
    gains: dict[int, list[int]] = {root: [seed] for root, seed in seeds.items()}
    found: dict[int, int] = {}
    for i in reversed(order):
        if i not in gains or i not in reaching:
            continue
        parts = gains.pop(i)
        op = graph.ops[i]
        single = len(parts) == 1 and (kinds[i] in alone if isinstance(op, Op) else not shared)
        total = found[i] = parts[0] if single else graph.add(SUM, parts)
        if not isinstance(op, Op):
            continue
        graph.gradient_of.setdefault(total, i)
        g, out, inputs = graph.sym(total), graph.sym(i), [graph.sym(j) for j in graph.args[i]]
        every = op.rules[0](g, out, *inputs) if op.variadic else None
        varies = graph.varies
        for k, j in enumerate(graph.args[i]):
            if j not in reaching or not flows(op, k):
                continue
            gain = every[k] if every is not None else op.rules[k](g, out, *inputs)
            if gain is None:  # of a vector's element
                continue
            node = gain.id if isinstance(gain, Sym) else graph.literal(number(gain))
            if graph.ops[node] == "literal" and graph.args[node][0] == 0.0:
                continue
            if varies[i] and not varies[j]:
                node = (
                    graph.add(BATCH_SUM, (node,)) if varies[node] else graph.add(MUL, (graph.count(), node))
                )
            if j in gains:
                gains[j].append(node)
            else:
                gains[j] = [node]
    zero_node = graph.literal(0.0)
    return [found.get(t, zero_node) for t in targets]


def kinds_of(graph: Graph, nodes: Sequence[int]) -> dict[int, int]:
    """A number for each node, the same for nodes that are computed alike: by one operation, from operands of the same
    kinds, however many. What is done to one node of a kind should be done to all, for they may become one array."""
    numbers: dict[Any, int] = {}
    kinds: dict[int, int] = {}
    for i in nodes:
        op, args = graph.ops[i], graph.args[i]
        if isinstance(op, Op):
            key: Any = op, graph.varies[i], frozenset([kinds[j] for j in args])
        else:
            key = op, args[0] if op == "input" else None
        kinds[i] = numbers.setdefault(key, len(numbers))
    return kinds


def used_once(
    graph: Graph, nodes: Sequence[int], kinds: dict[int, int], outputs: Sequence[int] = ()
) -> set[int]:
    """The kinds of which no node has more than one reader. An output is wanted itself, too."""
    uses = dict.fromkeys(nodes, 0)
    for i in nodes:
        if isinstance(graph.ops[i], Op):
            for j in graph.args[i]:
                uses[j] += 1
    for i in outputs:
        uses[i] += 2
    return {*kinds.values()} - {kinds[i] for i, n in uses.items() if n > 1}


def split(graph: Graph, root: int) -> tuple[int | None, int | None]:
    """A sum as (the part that varies from sample to sample, the part that does not)."""
    linear = {ADD, SUB, SUM, NEG}
    parts: tuple[list[int], list[int]] = ([], [])
    uses = dict.fromkeys(graph.live([root]), 0)
    for i in uses:
        for j in graph.args[i] if isinstance(graph.ops[i], Op) else ():
            uses[j] += 1
    stack = [(root, 1)]
    while stack:
        i, sign = stack.pop()
        op, args = graph.ops[i], graph.args[i]
        if op in linear and graph.varies[i] and uses[i] <= 1:
            signs = [-sign if op is NEG or (op is SUB and k) else sign for k in range(len(args))]
            stack.extend(reversed([*zip(args, signs, strict=True)]))
        else:
            parts[not graph.varies[i]].append(graph.add(NEG, (i,)) if sign < 0 else i)
    varying, rest = (graph.add(SUM, xs) if xs else None for xs in parts)
    return varying, rest


def flows(op: Op, k: int) -> bool:
    """Whether a gradient goes to its input k, be it 0."""
    return op.variadic or op.rules[k] is not zero


def flat(op: Op) -> bool:
    """Whether no gradient goes through it."""
    return all(rule is zero for rule in op.rules)
