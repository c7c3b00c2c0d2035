"""Straight-line Python on floats: what a small program without a batch becomes, because NumPy would cost more to call.

    def value_and_grad(a, b):
        c = a + b
        ...

A line for what is used more than once, everything else within it; the operations are the table's formulas themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ..ops import TABLE, Op
from . import syntax as s
from .graph import ADD, DIV, MUL, NEG, SUB, SUM
from .naming import Names, identifier
from .sums import count_uses

INFIX = {ADD: "+", SUB: "-", MUL: "*"}
DOT, PICK = TABLE["dot"], TABLE["pick"]
SMALL = 400  # operations
LONGEST = 70  # characters of an expression that may go into another one


class Straight:
    """The body of a function that computes `outputs` of a graph, number by number."""

    def __init__(self, recorded: Any, outputs: Sequence[int]) -> None:
        self.graph = recorded.graph
        self.names = Names(self.graph, recorded.names)
        self.formulas: dict[str, Any] = {}
        self.lines: list[str] = []
        self.operations = 0
        self.index_inputs: dict[int, int] = {}
        self.known: dict[int, s.Expr] = {}
        self.lengths: dict[int, int] = {}
        live = self.graph.live(outputs)
        uses = count_uses(self.graph, live, outputs)
        self.arguments(recorded, live)
        for i in live:
            if isinstance(self.graph.ops[i], Op) or self.graph.ops[i] == "random":
                self.node(i, uses[i])

    def arguments(self, recorded: Any, live: Sequence[int]) -> None:
        """Names for the numbers in the arguments and for the parameters."""
        graph = self.graph
        by_argument: list[list[int]] = [[] for _ in recorded.shapes]
        for i, kind in enumerate(graph.ops):
            if kind == "input":
                by_argument[graph.args[i][0]].append(i)
            elif kind == "literal":
                self.known[i] = self.literal(graph.args[i][0])
        for name, shape, nodes in zip(self.names.arguments, recorded.shapes, by_argument, strict=True):
            if shape:
                self.unpack(name, nodes, [f"{name}{k}" for k in range(len(nodes))])
            else:
                self.known[nodes[0]] = s.name(name)
        labels = [identifier(graph.labels.get(i, ""), "p") for i in graph.parameters]
        if graph.parameters:
            self.unpack("p", graph.parameters, labels)

    def unpack(self, source: str, nodes: Sequence[int], labels: Sequence[str]) -> None:
        names = [self.names.unique(label) for label in labels]
        for i, name in zip(nodes, names, strict=True):
            self.known[i] = s.name(name)
        if names:
            self.lines.append(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {source}")

    def literal(self, x: float) -> s.Expr:
        if x != x or x in (float("inf"), -float("inf")):
            self.formulas |= {"inf": float("inf"), "nan": float("nan")}
            return s.name("nan") if x != x else s.name("inf") if x > 0 else s.negative(s.name("inf"))
        return s.number(x)

    def node(self, i: int, uses: int) -> None:
        expr = self.expression(i)
        text = s.text(expr)
        if uses == 1 and len(text) <= LONGEST:
            self.known[i] = expr
            return
        label = self.graph.labels.get(i)
        of = self.graph.gradient_of.get(i)
        name = identifier(label) if label else f"d{s.text(self.known[of])}" if of in self.known else "t"
        name = self.names.unique(name if name.isidentifier() else "t")
        self.lines.append(f"{name} = {text}")
        self.known[i] = s.name(name)

    def worthwhile(self) -> bool:
        """Whether this is likely to be faster than arrays: NumPy takes as long for a call as Python for twenty sums."""
        return self.operations <= SMALL

    def expression(self, i: int) -> s.Expr:
        op, args = self.graph.ops[i], self.graph.args[i]
        self.operations += max(1, len(args) - 1)
        if op is PICK:
            self.check_pick(args)
        if op == "random":
            return s.method(s.name("rng"), "random")
        xs = [self.known[j] for j in args]
        if op in INFIX:
            return s.binary(xs[0], INFIX[op], xs[1])
        if op is NEG:
            return s.negative(xs[0])
        if op is DIV and self.graph.value(args[1]):
            return s.binary(xs[0], "/", xs[1])
        if op is SUM:
            return self.chain(xs)
        if op is DOT:
            half = len(xs) // 2
            products = [s.binary(w, "*", x) for w, x in zip(xs[:half], xs[half:-1], strict=True)]
            return self.chain(([] if self.graph.value(args[-1]) == 0.0 else [xs[-1]]) + products)
        if op.numpy == "{0}":  # stop_gradient
            return xs[0]
        name = op.name if op.name.isidentifier() else f"op_{len(self.formulas)}"
        while self.formulas.setdefault(name, op.formula) is not op.formula:
            name += "_"
        return s.call(s.name(name), *map(as_float, xs))

    def check_pick(self, args: tuple[int, ...]) -> None:
        kind, where = self.graph.ops[args[-1]], self.graph.args[args[-1]]
        if kind != "input":
            raise TypeError(
                "take needs an integer input of the function as its index. Received: a computed number"
            )
        self.index_inputs[where[0]] = min(len(args) - 1, self.index_inputs.get(where[0], len(args)))

    def chain(self, xs: Sequence[s.Expr]) -> s.Expr:
        """x1 + x2 + ..., from left to right; a long one in several lines."""
        total = xs[0]
        for k, x in enumerate(xs[1:], 1):
            total = s.binary(total, "+", x)
            if k % 8 == 0 and k < len(xs) - 1:
                name = self.names.unique("t")
                self.lines.append(f"{name} = {s.text(total)}")
                total = s.name(name)
        return total

    def source(self, kind: str, parameters: bool, returned: s.Expr) -> str:
        arguments = [*self.names.arguments, *(["p"] if parameters else [])]
        lines = [*self.lines, f"return {s.text(returned)}"]
        return f"def {kind}({', '.join(arguments)}):\n" + "".join(f"    {line}\n" for line in lines)

    def tree(self, nodes: Any) -> s.Expr:
        """Nodes in nested lists as nested lists of expressions."""
        if isinstance(nodes, dict):
            return s.dict_of({key: self.tree(x) for key, x in nodes.items()})
        if isinstance(nodes, (list, tuple)):
            items = [self.tree(x) for x in nodes]
            return s.tuple_of(items) if isinstance(nodes, tuple) else s.list_of(items)
        return self.known[nodes]


def as_float(x: s.Expr) -> s.Expr:
    """A formula wants floats: 2.0, not 2."""
    return ast.Constant(float(x.value)) if isinstance(x, ast.Constant) else x  # type: ignore[arg-type]
