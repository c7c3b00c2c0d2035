"""Straight-line Python on floats: what a small program without a batch becomes, because NumPy would cost more to call.

    def value_and_grad(a, b):
        c = a + b
        ...

A line for what is used more than once, everything else within it; the operations are the table's formulas themselves,
or Python's own where these cannot raise.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops import TABLE, Op
from . import syntax as s
from .graph import ADD, DIV, MUL, NEG, SUB, SUM
from .naming import Names, identifier, indexed, is_ours, place

INFIX = {ADD: "+", SUB: "-", MUL: "*"}
DOT, PICK = TABLE["dot"], TABLE["pick"]
LINEAR = {ADD, SUB, NEG, SUM, DOT}
# Functions of Python's that answer as the table's formulas do, without their care for what could raise
UNGUARDED: dict[str, Callable[..., float]] = {
    "tanh": math.tanh, "atan": math.atan, "asinh": math.asinh, "atan2": math.atan2, "hypot": math.hypot,
}  # fmt: skip
NONNEGATIVE = {
    TABLE[name]
    for name in ("abs", "exp", "cosh", "sqrt", "relu", "sigmoid", "softplus", "hypot", "norm", "gaussian")
}
COSH, HYPOT = TABLE["cosh"], TABLE["hypot"]
AT_ONCE = 30  # operations that Python does in the time of one call of NumPy
OVERHEAD = 4  # calls of NumPy in the time that it takes to pass arrays in and out
MOST = 20_000  # operations; more make a text that takes longer to compile than it could save
WIDTH = 90  # letters of what is returned
LONGEST = 60  # letters of an expression that may go into another one
SHORT = 20  # letters of a gradient that may stand in the `return`
TERMS = 32  # of a sum in one statement


class Straight:
    """The body of a function that computes `outputs` of a graph, number by number.

    `slopes` are those of the outputs that are gradients by what the recording's `wrt` says. Nothing is written before
    `tree` asks for it.
    """

    def __init__(self, recorded: Any, outputs: Sequence[int], slopes: Sequence[int] = ()) -> None:
        self.recorded, self.graph, self.outputs, self.slopes = recorded, recorded.graph, outputs, slopes
        self.live = self.graph.live(outputs)
        self.operations = sum(
            max(1, len(self.graph.args[i]) - 1) for i in self.live if isinstance(self.graph.ops[i], Op)
        )
        self.formulas: dict[str, Any] = {}
        self.called: dict[Op, str] = {}
        self.index_inputs: dict[int, int] = {}
        self.lines: list[str] = []
        self.known: dict[int, s.Expr] = {}
        self.lengths: dict[int, int] = {}
        self.names = Names(self.graph, [])
        self.written = False

    def worthwhile(self) -> bool:
        """Whether this is likely to be faster than arrays. These need a call for each operation at each depth: nodes of
        one operation at one depth can become one array, and sums of sums of products one sum."""
        if self.operations > MOST:
            return False
        ops = self.graph.ops
        depth: dict[int, int] = {}
        calls = set()
        for i in self.live:
            op, args = ops[i], self.graph.args[i]
            depth[i] = 0
            if op in LINEAR:
                depth[i] = max(
                    [depth[j] + (ops[j] not in LINEAR and ops[j] is not MUL) for j in args], default=1
                )
                calls.add(("sum", depth[i]))
            elif isinstance(op, Op):
                depth[i] = 1 + max([depth[j] for j in args], default=0)
                calls.add((op.name, depth[i]))
        return self.operations <= AT_ONCE * (OVERHEAD + len(calls))

    # Writing ------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """All lines but the last."""
        self.written = True
        graph = self.graph
        unused = {"n", "g"} if self.recorded.parameters else {"n", "g", "p"}
        self.names = Names(graph, self.recorded.names, unused)
        uses: Counter[int] = Counter()
        for i in self.live:
            if isinstance(graph.ops[i], Op):
                uses.update(graph.args[i])
        wanted = Counter(self.outputs)
        before = set(graph.live(self.outputs[:1])) if self.slopes else {*self.live}
        leaf_of = dict(zip(self.slopes, self.targets(), strict=True)) if self.slopes else {}
        alone = len(self.outputs) == 1
        self.leaves()
        for i in self.live:
            if not isinstance(graph.ops[i], Op) and graph.ops[i] != "random":
                continue
            expr, length = self.expression(i)
            if isinstance(expr, (ast.Name, ast.Constant)):
                self.known[i], self.lengths[i] = expr, length
                continue
            once = uses[i] + wanted[i] == 1 and graph.ops[i] != "random"
            longest = LONGEST if uses[i] else WIDTH if alone else SHORT
            if once and length <= longest and not (wanted[i] and graph.labels.get(i)):
                self.known[i], self.lengths[i] = expr, length
                continue
            of = [] if i in before else [graph.gradient_of.get(i, -1), leaf_of.get(i, -1)]
            self.line(i, self.name(i, of), expr)

    def line(self, i: int, name: str, expr: s.Expr) -> None:
        self.lines += s.broken(f"{name} = {s.text(expr)}")
        self.known[i], self.lengths[i] = s.name(name), len(name)

    def name(self, i: int, of: Sequence[int]) -> str:
        """What a line is called: its label, its place in a model, `d` and the name of what it is the gradient of."""
        graph, names = self.graph, self.names
        for node in of:
            if isinstance(named := self.known.get(node), ast.Name):
                return names.unique(f"d{named.id}")
        if label := graph.labels.get(i):
            return names.unique(identifier(label))
        if graph.ops[i] == "random":
            return names.numbered("u")
        scope = graph.scopes.get(i)
        if scope is not None and scope.level == "neuron":
            *path, kind, number = ["", "", *str(getattr(scope, "path", "")).split(".")]
            path, numbers = (path, [number]) if kind == "neurons" else ([*path, kind, number], [])
            letter = "z" if graph.ops[i] in LINEAR else "h"
            return names.unique(indexed(letter + place([part for part in path if part]), numbers))
        if i == self.outputs[0]:
            return names.unique("out")
        return names.numbered("t")

    def targets(self) -> list[int]:
        """The leaves by which the slopes are taken, in their order."""
        graph, wrt = self.graph, self.recorded.wrt
        if wrt is None:
            return [i for i, kind in enumerate(graph.ops) if kind == "input"]
        return [graph.parameters[k] for k in wrt]

    def leaves(self) -> None:
        """Names for the numbers in the arguments and for the parameters, and the numbers themselves."""
        graph, live = self.graph, {*self.live}
        by_argument: list[list[int]] = [[] for _ in self.recorded.shapes]
        for i, kind in enumerate(graph.ops):
            if kind == "input":
                by_argument[graph.args[i][0]].append(i)
            elif kind == "literal" and i in live:
                self.known[i] = self.literal(graph.args[i][0])
                self.lengths[i] = len(s.text(self.known[i]))
        for name, shape, nodes in zip(self.names.arguments, self.recorded.shapes, by_argument, strict=True):
            if shape:
                names = [self.names.unique(indexed(name, index)) for index in np.ndindex(shape)]
                self.unpack(name, nodes, names)
            else:
                self.known[nodes[0]], self.lengths[nodes[0]] = s.name(name), len(name)
        own = [i for i in graph.parameters if graph.ops[i] == "parameter"]
        if not live.isdisjoint(own):
            names = [
                self.names.element(graph.labels.get(i, "")) if i in live and i in {*own} else ""
                for i in graph.parameters
            ]
            self.unpack("p", graph.parameters, names)

    def unpack(self, source: str, nodes: Sequence[int], names: Sequence[str]) -> None:
        """name, name, _, ... = source; what is not read has no name."""
        for i, name in zip(nodes, names, strict=True):
            if name:
                self.known[i], self.lengths[i] = s.name(name), len(name)
        if not names:
            return
        targets = [name or "_" for name in names]
        line = f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = {source}"
        if len(line) <= 100:
            self.lines.append(line)
        else:
            self.lines += ["(", *s.filled([f"{name}," for name in targets], 4, 106), f") = {source}"]

    def literal(self, x: float) -> s.Expr:
        if math.isfinite(x):
            return s.number(x)
        self.formulas |= {"inf": math.inf, "nan": math.nan}
        return s.name("nan") if x != x else s.name("inf") if x > 0 else s.negative(s.name("inf"))

    # Expressions --------------------------------------------------------------------------------------------------

    def expression(self, i: int) -> tuple[s.Expr, int]:
        """A node as an expression of what is known, and about how long it is."""
        op, args = self.graph.ops[i], self.graph.args[i]
        if op == "random":
            return s.method(s.name("rng"), "random"), 12
        xs = [self.known[j] for j in args]
        length = sum([self.lengths[j] for j in args]) + 3 * len(args)
        if op is ADD:
            return self.plus(*xs), length
        if op in INFIX:
            return s.binary(xs[0], INFIX[op], xs[1]), length
        if op is NEG:
            return s.negative(xs[0]), length
        if op is DIV and self.apart_from_zero(args[1]):
            return s.binary(xs[0], "/", xs[1]), length
        if op is SUM:
            return self.chain(xs, [self.lengths[j] for j in args])
        if op is DOT:
            half = len(xs) // 2
            products = [s.binary(w, "*", x) for w, x in zip(xs[:half], xs[half:-1], strict=True)]
            lengths = [
                self.lengths[j] + self.lengths[k] + 3 for j, k in zip(args[:half], args[half:-1], strict=True)
            ]
            if self.graph.value(args[-1]) == 0.0:
                return self.chain(products, lengths)
            return self.chain([xs[-1], *products], [self.lengths[args[-1]], *lengths])
        if op.numpy == "{0}":  # a constant, as far as gradients go
            return xs[0], self.lengths[args[0]]
        if op is PICK:
            self.check_pick(args)
        name = self.formula(op)
        return s.call(s.name(name), *map(as_float, xs)), length + len(name)

    def plus(self, x: s.Expr, y: s.Expr) -> s.Expr:
        """x + y, which is x - 3 where y is -3."""
        if isinstance(y, ast.UnaryOp):
            return s.binary(x, "-", y.operand)
        return s.binary(x, "+", y)

    def chain(self, xs: Sequence[s.Expr], lengths: Sequence[int]) -> tuple[s.Expr, int]:
        """x1 + x2 + ..., from left to right; a long one in several statements."""
        total, length = xs[0], lengths[0]
        for k, (x, n) in enumerate(zip(xs[1:], lengths[1:], strict=True), 1):
            if k % TERMS == 0:
                name = self.names.numbered("t")
                self.lines += s.broken(f"{name} = {s.text(total)}")
                total, length = s.name(name), len(name)
            total, length = self.plus(total, x), length + n + 3
        return total, length

    def formula(self, op: Op) -> str:
        """The name by which the text calls an operation's formula."""
        if op not in self.called:
            self.called[op] = name = self.names.formula(op)
            self.formulas[name] = UNGUARDED.get(name, op.formula) if is_ours(op) else op.formula
        return self.called[op]

    def apart_from_zero(self, i: int) -> bool:
        """Whether a number cannot be 0, so that Python divides by it as IEEE does."""
        op, args, value = self.graph.ops[i], self.graph.args[i], self.graph.value
        if op == "literal":
            return bool(args[0] != 0.0)
        if op is COSH:
            return True
        if op is HYPOT:
            return any(abs(value(j) or 0.0) > 1e-150 for j in args)
        if op is ADD:
            return any((value(j) or 0.0) > 0.0 and self.nonnegative(k) for j, k in (args, args[::-1]))
        return False

    def nonnegative(self, i: int) -> bool:
        op, args = self.graph.ops[i], self.graph.args[i]
        if op == "literal":
            return bool(args[0] >= 0.0)
        return op in NONNEGATIVE or (op is MUL and args[0] == args[1])

    def check_pick(self, args: tuple[int, ...]) -> None:
        kind, where = self.graph.ops[args[-1]], self.graph.args[args[-1]]
        if kind != "input":
            raise TypeError(
                "take needs an integer input of the function as its index. Received: a computed number"
            )
        self.index_inputs[where[0]] = min(len(args) - 1, self.index_inputs.get(where[0], len(args)))

    # The function -------------------------------------------------------------------------------------------------

    def source(self, kind: str, parameters: bool, returned: s.Expr) -> str:
        text = s.text(returned)
        if isinstance(returned, ast.Tuple) and len(returned.elts) > 1:
            text = text[1:-1]
        lines = [*self.lines, *s.broken(f"return {text}")]
        arguments = [*self.names.arguments, *(["p"] if parameters else [])]
        return "\n".join([*s.header(kind, arguments), *(f"    {line}" for line in lines)]) + "\n"

    def gradient_tree(self) -> s.Expr:
        """The value and its gradient as they are returned: a number by a number, a flat list by an array, a tuple of
        those where there are several arguments; by parameters a tuple."""
        value, slopes = self.outputs[0], [*self.slopes]
        if self.recorded.wrt is not None:
            return self.tree((value, tuple(slopes)))
        found: list[Any] = []
        for shape in self.recorded.shapes:
            size = math.prod(shape)
            found.append(slopes[:size] if shape else slopes[0])
            del slopes[:size]
        return self.tree((value, found[0] if len(found) == 1 else tuple(found)))

    def tree(self, nodes: Any) -> s.Expr:
        """Nodes in nested lists as nested lists of expressions."""
        if not self.written:
            self.write()
        if isinstance(nodes, dict):
            return s.dict_of({key: self.tree(x) for key, x in nodes.items()})
        if isinstance(nodes, (list, tuple)):
            items = [self.tree(x) for x in nodes]
            return s.tuple_of(items) if isinstance(nodes, tuple) else s.list_of(items)
        return as_float(self.known[nodes])


def as_float(x: s.Expr) -> s.Expr:
    """A formula wants floats: 2.0, not 2."""
    if isinstance(x, ast.UnaryOp) and isinstance(x.operand, ast.Constant):
        return s.negative(as_float(x.operand))
    return ast.Constant(float(x.value)) if isinstance(x, ast.Constant) else x  # type: ignore[arg-type]
