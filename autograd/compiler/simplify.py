"""Rewrites: what may stand for what, as data. `Graph.add` applies them to each node before it is made.

A rule is a pair of texts, in the table's own names; a lower-case letter stands for any operand, a number for itself.
Each says the same on both sides at every double, nan and inf among them, but for the sign of a zero, for what is within
a factor of two of the smallest or largest normal number, and for the powers of -inf, of which a root is nan.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..ops import TABLE, Op, zero
from .traced import STOP

if TYPE_CHECKING:
    from .graph import Graph

RULES = [
    ("add(x, 0)", "x"),
    ("add(0, x)", "sum(x)"),  # the builtin sum of one: beside longer ones it is like them
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
    ("div(neg(x), mul(2, sqrt(y)))", "mul(-0.5, div(x, sqrt(y)))"),
    ("div(x, mul(2, sqrt(y)))", "mul(0.5, div(x, sqrt(y)))"),
    ("pow(x, 1)", "x"),
    ("pow(x, 2)", "mul(x, x)"),
    ("pow(x, 3)", "mul(mul(x, x), x)"),
    ("pow(x, -1)", "div(1, x)"),
    ("pow(x, 0.5)", "sqrt(x)"),
    ("pow(x, -0.5)", "div(1, sqrt(x))"),
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
        return bool(graph.ops[node] == "literal" and graph.args[node][0] == pattern)
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
            return int(found)
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
    shared = common_denominator(graph, args)
    if shared is not None:
        return shared
    if len(set(args)) < len(args):
        times = Counter(args)
        parts = [i if n == 1 else times_number(graph, n, i) for i, n in times.items()]
        return parts[0] if len(parts) == 1 else graph.add(TABLE["sum"], parts)
    return None


def log_of_sum(graph: Graph, args: tuple[int, ...]) -> int:
    """ln(e^x1 + e^x2 + ...) with the maximum taken out; e^(x - maximum) serves the gradient, too."""
    top = graph.add(STOP, (graph.add(TABLE["largest"], args),))
    powers = [graph.add(TABLE["exp"], (graph.add(TABLE["sub"], (x, top)),)) for x in args]
    return graph.add(LOG_SUM, (graph.add(TABLE["sum"], powers), top))


def common_denominator(graph: Graph, args: tuple[int, ...]) -> int | None:
    """-(a / s) - (b / s) = -((a + b) / s): what a common denominator gets as its gradient; and a / s - b / s =
    (a - b) / s, where s is a sum of powers of e, and so above 0: the gradient of a softmax."""
    neg, div = TABLE["neg"], TABLE["div"]
    if (
        len(args) == 2
        and [graph.ops[i] for i in args] == [div, neg]
        and graph.ops[graph.args[args[1]][0]] is div
    ):
        (a, s), (b, same) = graph.args[args[0]], graph.args[graph.args[args[1]][0]]
        if s == same and is_sum_of_powers(graph, s):
            return graph.add(div, (graph.add(TABLE["sub"], (a, b)), s))
    if not args or any(graph.ops[i] is not neg for i in args):
        return None
    parts = [graph.args[i][0] for i in args]
    if any(graph.ops[i] is not div for i in parts):
        return None
    tops, bottoms = zip(*[graph.args[i] for i in parts], strict=True)
    if len(set(bottoms)) > 1 or graph.ops[bottoms[0]] in ("literal", "count"):
        return None
    quotient = graph.add(div, (graph.add(TABLE["sum"], tops), bottoms[0]))
    return graph.add(neg, (quotient,))


def is_sum_of_powers(graph: Graph, s: int) -> bool:
    return graph.ops[s] is TABLE["sum"] and all(graph.ops[i] is TABLE["exp"] for i in graph.args[s])


def products(graph: Graph, args: tuple[int, ...]) -> int | None:
    """e (q / s) = (e / s) q, where s is a sum of powers of e and e / s is there already, as in a softmax."""
    for e, b in (args, args[::-1]):
        if graph.ops[b] is TABLE["div"] and graph.ops[e] is TABLE["exp"]:
            q, s = graph.args[b]
            share = graph.found.get((TABLE["div"], (e, s)))
            if share is not None and is_sum_of_powers(graph, s):
                return graph.add(TABLE["mul"], (share, q))
    return numbers_together(graph, args)


def times_number(graph: Graph, n: int, i: int) -> int:
    """n x; of a product n goes to the first factor, which in a gradient is the smaller array."""
    mul, number = TABLE["mul"], graph.literal(float(n))
    if graph.ops[i] is mul:
        x, y = graph.args[i]
        return graph.add(mul, (graph.add(mul, (number, x)), y))
    return graph.add(mul, (number, i))


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
        if c is not None and graph.ops[b] is TABLE["div"]:
            top, bottom = graph.args[b]
            d = graph.value(bottom)
            if d is not None and d and math.frexp(d)[0] in (0.5, -0.5) and 1e-150 < abs(c / d) < 1e150:
                return graph.add(TABLE["mul"], (graph.literal(c / d), top))  # exact: d is a power of 2
        if c is not None and graph.ops[b] is TABLE["mul"]:
            for inner, other in (graph.args[b], graph.args[b][::-1]):
                d = graph.value(inner)
                if d is not None and 1e-150 < abs(c) < 1e150 and 1e-150 < abs(d) < 1e150:
                    return graph.add(TABLE["mul"], (graph.literal(c * d), other))
    return None


# An operation of the compiler's own, which no user records
LOG_SUM = Op(
    "log_sum",
    "ln s + top; top where that is no number",
    lambda s, top: TABLE["log"].formula(s) + top if math.isfinite(top) else top,
    lambda g, out, s, top: TABLE["div"](g, s),
    zero,
    numpy="np.where(np.isfinite({1}), np.log({0}) + {1}, {1})",
)

SPECIAL: dict[str, Any] = {
    "logsumexp": log_of_sum,
    "mul": products,
    "sum": short_sum,
    "mean": mean_as_sum,
    "pick": pick_known,
    "where": chosen,
}
