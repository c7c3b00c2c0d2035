"""Rewrites: what may stand for what, as data. `Graph.add` applies them to each node before it is made.

A rule is a pair of texts, in the table's own names; a lower-case letter stands for any operand, a number for itself.
Each says the same on both sides at every double, nan and inf among them, but for the sign of a zero.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..ops import TABLE, Op

if TYPE_CHECKING:
    from .graph import Graph

RULES = [
    ("add(x, 0)", "x"),
    ("add(0, x)", "x"),
    ("add(x, neg(y))", "sub(x, y)"),
    ("sub(x, 0)", "x"),
    ("sub(0, x)", "neg(x)"),
    ("sub(x, neg(y))", "add(x, y)"),
    ("neg(neg(x))", "x"),
    ("neg(sub(x, y))", "sub(y, x)"),
    ("mul(x, 1)", "x"),
    ("mul(1, x)", "x"),
    ("mul(x, -1)", "neg(x)"),
    ("mul(-1, x)", "neg(x)"),
    ("mul(neg(x), neg(y))", "mul(x, y)"),
    ("div(x, 1)", "x"),
    ("pow(x, 1)", "x"),
    ("pow(x, 2)", "mul(x, x)"),
    ("pow(x, 3)", "mul(mul(x, x), x)"),
    ("pow(x, -1)", "div(1, x)"),
    ("pow(x, 0)", "1"),
    ("identity(x)", "x"),
    ("sub(1, step(y, x))", "above(x, y)"),
]


def parse(text: str) -> Any:
    """A pattern: a float, a variable's name, or (op, operands)."""

    def walk(node: ast.expr) -> Any:
        if isinstance(node, ast.Call):
            return TABLE[node.func.id], tuple(map(walk, node.args))  # type: ignore[attr-defined]
        return node.id if isinstance(node, ast.Name) else float(ast.literal_eval(node))

    return walk(ast.parse(text, mode="eval").body)


BY_ROOT: dict[str, list[tuple[Any, Any]]] = {}
CALLS_FOR: dict[str, set[Any]] = {}  # the operations of which an operand must be one, or no rule applies
for left, right in RULES:
    root, operands = parse(left)
    BY_ROOT.setdefault(root.name, []).append((operands, parse(right)))
    named = {"literal" if type(p) is float else p[0] for p in operands if type(p) is not str}
    CALLS_FOR.setdefault(root.name, set()).update(named or {"anything"})


def match(graph: Graph, pattern: Any, node: int, bound: dict[str, int]) -> bool:
    if type(pattern) is str:
        return bound.setdefault(pattern, node) == node
    if type(pattern) is float:
        return graph.ops[node] == "literal" and graph.args[node][0] == pattern
    op, operands = pattern
    return graph.ops[node] is op and all(
        match(graph, p, i, bound) for p, i in zip(operands, graph.args[node], strict=True)
    )


def build(graph: Graph, pattern: Any, bound: dict[str, int]) -> int:
    if type(pattern) is str:
        return bound[pattern]
    if type(pattern) is float:
        return graph.literal(pattern)
    op, operands = pattern
    return graph.add(op, [build(graph, p, bound) for p in operands])


def simplify(graph: Graph, op: Op, args: tuple[int, ...]) -> int | None:
    """A node that says the same as `op(*args)`, or None."""
    name = op.name
    if name in SPECIAL:
        found = SPECIAL[name](graph, args)
        if found is not None:
            return found
    kinds = {graph.ops[i] for i in args}
    if kinds == {"literal"} and name != "batch_sum":
        return graph.literal(op.formula(*[graph.args[i][0] for i in args]))
    if name not in BY_ROOT or ("anything" not in CALLS_FOR[name] and kinds.isdisjoint(CALLS_FOR[name])):
        return None
    for operands, replacement in BY_ROOT[name]:
        bound: dict[str, int] = {}
        if len(operands) == len(args) and all(
            match(graph, p, i, bound) for p, i in zip(operands, args, strict=True)
        ):
            return build(graph, replacement, bound)
    return None


# Rewrites of operations on any number of operands


def short_sum(graph: Graph, args: tuple[int, ...]) -> int | None:
    """A sum of one thing twice. A sum of one stays: beside longer ones (a causal mask) it is like them."""
    if len(set(args)) < len(args):
        times = Counter(args)
        parts = [i if n == 1 else times_number(graph, n, i) for i, n in times.items()]
        return parts[0] if len(parts) == 1 else graph.add(TABLE["sum"], parts)
    return None


def times_number(graph: Graph, n: int, i: int) -> int:
    return graph.add(TABLE["mul"], (graph.literal(float(n)), i))


def mean_as_sum(graph: Graph, args: tuple[int, ...]) -> int | None:
    return graph.add(TABLE["div"], (graph.add(TABLE["sum"], args), graph.literal(float(len(args)))))


def chosen(graph: Graph, args: tuple[int, ...]) -> int | None:
    condition = graph.value(args[0])
    return None if condition is None else args[1] if condition else args[2]


def pick_known(graph: Graph, args: tuple[int, ...]) -> int | None:
    index = graph.value(args[-1])
    return None if index is None else args[int(index)]


def numbers_together(graph: Graph, args: tuple[int, ...]) -> int | None:
    """2 * (3 * x) = 6 * x, where the product of the numbers is exact enough: neither overflows nor vanishes."""
    x, y = args
    for a, b in ((x, y), (y, x)):
        c = graph.value(a)
        if c is not None and graph.ops[b] is TABLE["mul"]:
            for inner, other in (graph.args[b], graph.args[b][::-1]):
                d = graph.value(inner)
                if d is not None and 1e-150 < abs(c) < 1e150 and 1e-150 < abs(d) < 1e150:
                    return graph.add(TABLE["mul"], (graph.literal(c * d), other))
    return None


SPECIAL: dict[str, Any] = {"mul": numbers_together, "sum": short_sum, "mean": mean_as_sum, "pick": pick_known, "where": chosen}
