"""Each pass of the compiler by itself, on plain data; and golden texts: whole programs, as they are read.

The golden texts are in `tests/golden`. `python -m tests.test_compiler_passes` writes them anew.
"""

import inspect
import itertools
import math
import random
import traceback
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autograd
import nn
from autograd import TABLE, Value
from autograd.compiler import padding
from autograd.compiler.build import value_and_slopes
from autograd.compiler.graph import BATCH_SUM, Graph, differentiate, flat, kinds_of, split, used_once
from autograd.compiler.grouping import CONSTANT, Grouping, blocks, classes
from autograd.compiler.levels import Levels
from autograd.compiler.program import flatten
from autograd.compiler.record import Recording, to_graph
from autograd.compiler.simplify import LOG_SUM, RULES, build, match, parse, times_number
from autograd.compiler.sums import fold
from autograd.compiler.traced import BATCH_MEAN, COUNT, STOP
from autograd.compiler.views import affine, periods, split_axes, view
from autograd.ops import Op
from nn import activations

from .test_compile import (
    LSTM,
    Attention,
    ConvNet,
    Convolution,
    Transformer,
    check,
    close,
    mlp,
    normal,
    readme,
)
from .test_imports import ROOT, imports_of
from .test_properties import central

inf, nan = math.inf, math.nan
LAWS = settings(max_examples=100, deadline=None, derandomize=True)  # the same in every run
ADD, SUB, MUL, DIV, NEG = (TABLE[name] for name in ("add", "sub", "mul", "div", "neg"))
SUM, DOT, PICK = TABLE["sum"], TABLE["dot"], TABLE["pick"]
GOLDEN = Path(__file__).with_name("golden")

# Interpreters: what a graph, and what is left of it after folding, says in numbers --------------------------------


def spread(x, n):
    """A number for each of n samples."""
    return [x] * n if isinstance(x, float) else [*x]


def evaluate(graph, leaves, n=1):
    """For each node its numbers at n samples, by the table's formulas; `leaves` has those of the leaves."""
    found: list[list[float]] = []
    for i, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True)):
        if op == "literal":
            row = [args[0]] * n
        elif op == "count":
            row = [float(n)] * n
        elif not isinstance(op, Op):
            row = spread(leaves[i], n)
        elif op is BATCH_SUM:
            row = [math.fsum(found[args[0]])] * n
        else:
            assert all(j < i for j in args)
            row = [op.formula(*xs) for xs in zip(*(found[j] for j in args), strict=True)]
        assert graph.varies[i] or len({*map(repr, row)}) == 1, (i, op, row)  # `varies` tells the truth
        found.append(row)
    return found


def run(program, leaves, n=1):
    """The same of a folded program, from its sums and calls alone."""
    graph = program.graph
    found = {
        i: spread(args[0] if op == "literal" else float(n) if op == "count" else leaves[i], n)
        for i, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True))
        if not isinstance(op, Op)
    }
    ones = [1.0] * n
    for i in program.order:
        if i in program.calls:
            found[i] = [
                graph.ops[i].formula(*xs) for xs in zip(*(found[j] for j in program.calls[i]), strict=True)
            ]
            continue
        total = [0.0] * n
        for sign, a, b in program.sums[i]:
            term = [sign * x * y for x, y in zip(found[a], ones if b is None else found[b], strict=True)]
            summed = not graph.varies[i] and any(graph.varies[j] for j in (a, b) if j is not None)
            total = [t + (math.fsum(term) if summed else x) for t, x in zip(total, term, strict=True)]
        found[i] = total
    return found


def leaves_of(graph, inputs=0, parameters=0):
    """Leaves of a graph by itself: inputs, which vary in a batch, and parameters, which do not."""
    xs = [graph.leaf("input", 0, k, varies=graph.batch) for k in range(inputs)]
    graph.parameters = [graph.leaf("parameter", k, 0, varies=False) for k in range(parameters)]
    return xs + graph.parameters


def added(graph):
    """do("mul", 2.0, x): a node of the graph; floats are literals."""
    return lambda name, *xs: graph.add(TABLE[name], [graph.literal(x) if type(x) is float else x for x in xs])


# Random graphs ----------------------------------------------------------------------------------------------------

positive = lambda do, x: do("add", 1.0, do("mul", x, x))
STEPS: dict[str, Any] = {
    **{
        name: lambda do, c, x, *more, name=name: do(name, x)
        for name in ("neg", "tanh", "sin", "sigmoid", "identity", "abs")
    },
    **{name: lambda do, c, x, y, *more, name=name: do(name, x, y) for name in ("add", "sub", "mul")},
    **{name: lambda do, c, *xs, name=name: do(name, *xs) for name in ("sum", "mean", "prod", "logsumexp")},
    "times": lambda do, c, x, *more: do("mul", c, do("mul", do("div", x, 4.0), 3.0)),
    "twice": lambda do, c, x, y, *more: do("sum", x, do("mul", x, y), x, do("mul", y, x), y),
    "minus": lambda do, c, x, y, *more: do("mul", do("neg", x), do("sub", do("neg", y), c)),
    "div": lambda do, c, x, y, *more: do("div", x, positive(do, y)),
    "shares": lambda do, c, x, *more: do("sum", *(do("div", y, positive(do, x)) for y in (x, *more))),
    "losses": lambda do, c, x, *more: do(
        "sum", *(do("neg", do("div", y, positive(do, x))) for y in (*more, c))
    ),
    "pow": lambda do, c, x, *more: do("pow", positive(do, x), round(2.0 * c) / 2.0),
    "dot": lambda do, c, x, y, *more: do("dot", x, 0.0, *more, y, y, *more, 0.0, x, c),
    "where": lambda do, c, x, y, *more: do("add", do("where", float(c > 0.0), x, y), do("where", x, c, y)),
    "pick": lambda do, c, *xs: do("pick", *xs, float(len(xs) - 1)),
    "above": lambda do, c, x, y, *more: do("mul", do("sub", 1.0, do("step", y, do("add", x, 9.0))), x),
}


class Recipe:
    """Rows of (step, places of its operands among what came before, a number), from two inputs and two parameters."""

    def __init__(self, rows):
        self.rows = rows

    def __repr__(self):
        return f"Recipe({self.rows!r})"

    def nodes(self, do, leaves):
        found = [*leaves]
        for name, places, c in self.rows:
            found.append(STEPS[name](do, c, *(found[p % len(found)] for p in places)))
        return found

    def numbers(self, leaves, n):
        """The truth: every node's numbers, by the table's formulas, one operation after the other."""

        def do(name, *xs):
            columns = [spread(x, n) for x in xs]
            return [TABLE[name].formula(*at) for at in zip(*columns, strict=True)]

        found = self.nodes(do, [spread(x, n) for x in leaves])
        assume(all(abs(x) < 100.0 for row in found for x in row))
        return found


@st.composite
def recipes(draw):
    row = st.tuples(
        st.sampled_from([*STEPS]),
        st.lists(st.integers(0, 30), min_size=2, max_size=5),
        st.sampled_from([-1.0, -0.5, 0.25, 1.0, 1.5, 2.0, 3.0]),
    )
    return Recipe(draw(st.lists(row, min_size=1, max_size=9)))


def data(seed, n=1):
    """Numbers for two inputs and two parameters; a batch has n of each input."""
    rng = random.Random(seed)
    number = lambda: rng.choice([-1, 1]) * rng.uniform(0.1, 1.5)  # away from the kinks at 0
    return [[number() for _ in range(n)], [number() for _ in range(n)], number(), number()]


@LAWS
@given(recipes(), st.integers(0, 99))
def test_a_graph_says_what_was_recorded(recipe, seed):
    """Whatever `add` and `simplify` make of it."""
    graph, n = Graph(batch=True), 3
    leaves = leaves_of(graph, 2, 2)
    nodes = recipe.nodes(added(graph), leaves)
    numbers = data(seed, n)
    truth = recipe.numbers(numbers, n)
    found = evaluate(graph, dict(zip(leaves, numbers, strict=True)), n)
    for i, expected in zip(nodes, truth, strict=True):
        close(found[i], expected)


# simplify ---------------------------------------------------------------------------------------------------------

EDGES = [
    0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 1e-3, -3.75, inf, -inf, nan, 5e-324, -5e-324, 1e-308, -1e-200, 1e103, 1e154,
    -1e155, 1e200, -1e307, 1.7976931348623157e308, -1.7976931348623157e308,
]  # fmt: skip


def points():
    rng = random.Random(0)
    return EDGES + [rng.choice([-1, 1]) * 10.0 ** rng.uniform(-250, 250) for _ in range(30)]


def at(pattern, bound):
    """The number that a side of a rule says."""
    if type(pattern) is tuple:
        return pattern[0].formula(*[at(p, bound) for p in pattern[1]])
    return bound[pattern] if type(pattern) is str else pattern


def letters(pattern):
    if type(pattern) is tuple:
        return set().union(*map(letters, pattern[1]))
    return {pattern} if type(pattern) is str else set()


def same(x, y, exact):
    """Equal but for the sign of a zero; or up to rounding, also of what is nearly too small or too large."""
    if not exact and min(abs(x), abs(y)) > 8e307:
        return (x > 0) == (y > 0)
    if x != x or y != y or math.isinf(x) or math.isinf(y) or exact:
        return x == y or (x != x and y != y)
    return math.isclose(x, y, rel_tol=1e-15, abs_tol=1e-307)


@pytest.mark.parametrize(("left", "right"), RULES, ids=[left for left, _ in RULES])
def test_a_rule_says_the_same_on_both_sides(left, right):
    one, other = parse(left), parse(right)
    names = sorted(letters(one))
    assert letters(other) <= {*names}
    power, root = (
        left.startswith("pow") or "mul(2, sqrt(y))" in left,
        right == "sqrt(x)" or right == "div(1, sqrt(x))",
    )
    for xs in itertools.product(points(), repeat=len(names)):
        bound = dict(zip(names, xs, strict=True))
        x, y = at(one, bound), at(other, bound)
        if root and xs == (-inf,):
            assert math.isnan(y)  # documented
        elif root and xs == (0.0,) and math.isinf(x):
            assert abs(y) == x  # 1 / -0.0: the sign of a zero
        else:
            assert same(x, y, exact=not power), (bound, x, y)


@pytest.mark.parametrize(("left", "right"), RULES, ids=[left for left, _ in RULES])
def test_a_rule_is_applied(left, right):
    """Its left side is never made: it becomes the node of its right side."""
    graph = Graph()
    bound = dict(zip(sorted(letters(parse(left))), leaves_of(graph, 2), strict=False))
    found = build(graph, parse(left), bound)
    before = len(graph)
    assert build(graph, parse(right), bound) == found
    assert len(graph) == before


def test_rules_ask_for_the_same_thing_where_a_letter_stands_twice():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    pattern = parse("mul(x, x)")
    square, product = graph.add(MUL, (x, x)), graph.add(MUL, (x, y))
    assert match(graph, pattern, square, {})
    assert not match(graph, pattern, product, {})
    assert not match(graph, parse("add(x, x)"), square, {})


LINE = [0.5, -1.25, 3.0, -0.0]
SPECIALS: dict[str, Any] = {  # (how many leaves, do and leaves -> node)
    "log_of_sum": (3, lambda do, x, y, z: do("logsumexp", x, y, z)),
    "log_of_sum of one": (1, lambda do, x: do("logsumexp", x)),
    "log_of_sum twice": (2, lambda do, x, y: do("logsumexp", x, y, x)),
    "mean_as_sum": (3, lambda do, x, y, z: do("mean", x, y, z)),
    "mean_as_sum twice": (2, lambda do, x, y: do("mean", x, y, x)),
    "short_sum": (2, lambda do, x, y: do("sum", x, y, x, x)),
    "short_sum all the same": (1, lambda do, x: do("sum", x, x, x)),
    "short_sum of products": (2, lambda do, x, y: do("sum", do("mul", x, y), y, do("mul", x, y))),
    "pick_known": (3, lambda do, x, y, z: do("pick", x, y, z, 1.0)),
    "chosen": (2, lambda do, x, y: do("where", 2.0, x, y)),
    "chosen else": (2, lambda do, x, y: do("where", 0.0, x, y)),
    "chosen by -0": (2, lambda do, x, y: do("where", -0.0, x, y)),
    "chosen by nan": (2, lambda do, x, y: do("where", nan, x, y)),
    "numbers_together": (1, lambda do, x: do("mul", 2.0, do("mul", 3.0, x))),
    "numbers_together behind": (1, lambda do, x: do("mul", do("mul", x, -0.25), 3.0)),
    "numbers_together quotient": (1, lambda do, x: do("mul", 3.0, do("div", x, -8.0))),
    "numbers_together not": (1, lambda do, x: do("mul", 1e200, do("mul", 1e-300, x))),
    "numbers_together overflow": (1, lambda do, x: do("mul", 1e-140, do("mul", 1e149, x))),
    "numbers_together zero": (1, lambda do, x: do("mul", 0.0, do("div", x, 0.0))),
    "numbers": (1, lambda do, x: do("mul", do("exp", do("div", 1.0, 4.0)), x)),
}


def plainly(n):
    """do on numbers: nothing is rewritten."""
    return lambda name, *xs: TABLE[name].formula(*xs)


@pytest.mark.parametrize("name", SPECIALS)
def test_a_special_rewrite_says_the_same(name):
    count, make = SPECIALS[name]
    graph = Graph()
    leaves = leaves_of(graph, count)
    node = make(added(graph), *leaves)
    for xs in itertools.product([*LINE, inf, -inf, nan, 700.0, -5e-324], repeat=count):
        found = evaluate(graph, dict(zip(leaves, xs, strict=True)))[node][0]
        expected = make(plainly(count), *xs)
        assert same(found, expected, False) or math.isclose(found, expected, abs_tol=1e-14), (xs, expected)


@pytest.mark.parametrize("signed", [False, True])
def test_a_common_denominator(signed):
    def make(do, a, b, bottom):
        parts = [do("div", x, bottom) for x in (a, b, a)]
        return do("sum", *([do("neg", x) for x in parts] if signed else parts))

    graph = Graph()
    leaves = leaves_of(graph, 3)
    node = make(added(graph), *leaves)
    assert not signed or [graph.ops[i] for i in graph.live([node])].count(DIV) == 1
    for xs in itertools.product(LINE, LINE, [0.5, -3.0, inf, nan, *[0.0] * (not signed)]):
        found = evaluate(graph, dict(zip(leaves, xs, strict=True)))[node][0]
        assert same(found, make(plainly(3), *xs), False)


def test_denominators_that_are_not_shared():
    graph = Graph(batch=True)
    a, b, c, d = leaves_of(graph, 4)
    for parts in (((a, c), (b, d)), ((a, graph.literal(3.0)),) * 1, ((a, graph.count()), (b, graph.count()))):
        shares = [graph.add(DIV, part) for part in parts]
        assert graph.ops[graph.add(SUM, shares)] is SUM
        assert graph.ops[graph.add(SUM, [graph.add(NEG, (share,)) for share in shares])] is SUM
    assert graph.ops[graph.add(SUM, (graph.add(DIV, (a, c)), b))] is SUM
    assert (
        graph.ops[graph.add(SUM, (graph.add(DIV, (a, c)), graph.add(NEG, (graph.add(DIV, (b, c)),))))] is SUM
    )


def test_what_the_rewrites_leave():
    graph = Graph()
    x, y, z = leaves_of(graph, 3)
    do = added(graph)
    shown = lambda i: (
        graph.ops[i],
        *(graph.value(j) if graph.ops[j] == "literal" else j for j in graph.args[i]),
    )
    assert shown(do("mul", 2.0, do("mul", x, 3.0))) == (MUL, 6.0, x)
    assert shown(do("mul", do("div", x, 8.0), 2.0)) == (MUL, 0.25, x)
    assert shown(do("mul", 2.0, do("div", x, 3.0))) == (MUL, 2.0, do("div", x, 3.0))  # 2 / 3 is not exact
    for c, d in ((1e-200, 1e-200), (1e200, 1e200), (inf, 2.0), (2.0, nan), (0.0, 2.0)):
        assert shown(do("mul", c, do("mul", d, x)))[0] is MUL
        assert do("mul", d, x) in graph.args[do("mul", c, do("mul", d, x))]
    assert shown(times_number(graph, 3, do("mul", x, y))) == (MUL, do("mul", 3.0, x), y)
    assert shown(times_number(graph, 5, x)) == (MUL, 5.0, x)
    assert do("pick", x, y, z, 2.0) == z
    assert [do("where", c, x, y) for c in (1.0, nan, 0.0, -0.0)] == [x, x, y, y]
    assert shown(do("mean", x, y)) == (DIV, do("sum", x, y), 2.0)
    assert graph.ops[do("sum", x)] is SUM  # beside longer ones it is like them
    assert do("sum", x, x) == do("mul", 2.0, x)
    assert graph.value(do("exp", 0.0)) == 1.0
    assert graph.value(do("sum", 1.0, 2.0, 3.0)) == 6.0
    log = do("logsumexp", x, y)
    assert graph.ops[log] is LOG_SUM
    powers = graph.args[log][0]
    top = graph.args[log][1]
    assert powers == do("sum", *(do("exp", graph.add(SUB, (v, top))) for v in (x, y)))


@pytest.mark.parametrize(
    "xs", [(0.3, -1.2, 0.4), (700.0, 710.0, -800.0), (-inf, -inf, -inf), (inf, 0.0, 1.0)]
)
def test_the_gradient_of_a_log_of_a_sum_is_the_softmax(xs):
    graph = Graph()
    leaves = leaves_of(graph, 3)
    root = added(graph)("logsumexp", *leaves)
    slopes = differentiate(graph, {root: graph.literal(1.0)}, leaves)
    found = evaluate(graph, dict(zip(leaves, xs, strict=True)))
    if all(map(math.isfinite, xs)):
        total = math.fsum(math.exp(x - max(xs)) for x in xs)
        close([found[i][0] for i in slopes], [math.exp(x - max(xs)) / total for x in xs])
        assert [graph.ops[i].name for i in graph.live(slopes) if isinstance(graph.ops[i], Op)].count(
            "exp"
        ) == 3
    assert same(found[root][0], TABLE["logsumexp"].formula(*xs), False)


# graph ------------------------------------------------------------------------------------------------------------


def test_the_same_operation_on_the_same_operands_is_one_node():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    for op in (ADD, MUL):
        assert graph.add(op, (x, y)) == graph.add(op, (x, y)) == graph.add(op, [y, x])
    for op in (SUB, DIV, TABLE["pow"], TABLE["maximum"]):
        assert graph.add(op, (x, y)) == graph.add(op, (x, y)) != graph.add(op, (y, x))
    assert graph.add(SUM, (x, y)) != graph.add(ADD, (x, y))
    before = len(graph)
    added(graph)("mul", y, x), added(graph)("identity", x), added(graph)("neg", added(graph)("neg", x))
    assert len(graph) == before + 1  # -x


@pytest.mark.parametrize("op", [STOP, BATCH_SUM, BATCH_MEAN, COUNT, LOG_SUM], ids=lambda op: op.name)
def test_an_operation_of_the_compiler_s_own_says_what_it_is(op):
    assert op.name.isidentifier()
    assert op.name not in TABLE
    assert " " in op.text


def test_literals():
    graph = Graph()
    assert graph.literal(nan) == graph.literal(float("nan"))
    assert graph.literal(0.0) == graph.literal(0.0) != graph.literal(-0.0) == graph.literal(-0.0)
    assert graph.literal(1.5) == graph.literal(1.5) != graph.literal(-1.5)
    assert graph.value(graph.literal(-0.0)) == 0.0
    assert math.copysign(1.0, graph.args[graph.literal(-0.0)][0]) == -1.0
    (x,) = leaves_of(graph, 1)
    assert graph.value(x) is None
    assert graph.add(MUL, (x, graph.literal(0.0))) != graph.add(MUL, (x, graph.literal(-0.0)))
    assert graph.count() == graph.literal(1.0)
    batch = Graph(batch=True)
    assert batch.ops[batch.count()] == "count"
    assert batch.count() == batch.count()


def test_what_a_rule_computes_in_vain_leaves_no_trace():
    graph = Graph()
    x, y = map(graph.sym, leaves_of(graph, 2))
    before = len(graph)
    product = x * y / 3.0 - 2.0 ** (1 + 1) * autograd.exp(-x) + y**2
    assert len(graph) == before
    assert graph.live([product.id])
    numbers = evaluate(graph, {x.id: 0.5, y.id: -2.0})
    close(numbers[product.id], [0.5 * -2.0 / 3.0 - 4.0 * math.exp(-0.5) + 4.0])


@LAWS
@given(recipes(), st.data())
def test_what_is_live_is_what_is_reached(recipe, more):
    graph = Graph()
    nodes = recipe.nodes(added(graph), leaves_of(graph, 2, 2))
    outputs = more.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=3))
    reached = {*outputs}
    for i in reversed(range(len(graph))):
        if i in reached and isinstance(graph.ops[i], Op):
            reached |= {*graph.args[i]}
    assert graph.live(outputs) == sorted(reached)


def differences(f, numbers):
    """The slopes of f by each number, by finite differences, and their errors; numbers are nested like `data`."""
    flat_numbers = [x for row in numbers for x in (row if isinstance(row, list) else [row])]

    def nested(xs):
        left = iter(xs)
        return [[next(left) for _ in row] if isinstance(row, list) else next(left) for row in numbers]

    pairs = [central(lambda xs: f(nested(xs)), flat_numbers, i, 1e-3) for i in range(len(flat_numbers))]
    return nested([slope for slope, _ in pairs]), nested([error for _, error in pairs])


@LAWS
@given(recipes(), st.integers(0, 99))
def test_gradients_are_differences(recipe, seed):
    numbers = [x if isinstance(x, float) else x[0] for x in data(seed)]
    value = lambda xs: math.fsum(x for (x,) in recipe.numbers(xs, 1))
    graph = Graph()
    leaves = leaves_of(graph, 2, 2)
    root = graph.add(SUM, recipe.nodes(added(graph), leaves))
    slopes = differentiate(graph, {root: graph.literal(1.0)}, leaves)
    found = evaluate(graph, dict(zip(leaves, numbers, strict=True)))
    expected, errors = differences(value, numbers)
    for i, slope, error in zip(slopes, expected, errors, strict=True):
        assert abs(found[i][0] - slope) <= 1e-7 * (1.0 + abs(slope)) + 10.0 * error


@LAWS
@given(recipes(), st.integers(0, 99), st.sampled_from([1, 2, 3]), st.sampled_from(["mean", "sum"]))
def test_gradients_of_a_batch_are_differences_of_the_whole(recipe, seed, n, reduction):
    """By a parameter, which all samples share, and by the inputs of each sample."""
    numbers, share = data(seed, n), n if reduction == "mean" else 1
    value = lambda xs: math.fsum(x for row in recipe.numbers(xs, n) for x in row) / share
    graph = Graph(batch=True)
    leaves = leaves_of(graph, 2, 2)
    root = graph.add(SUM, recipe.nodes(added(graph), leaves))
    total, slopes = value_and_slopes(graph, root, reduction, leaves)
    found = evaluate(graph, dict(zip(leaves, numbers, strict=True)), n)
    close(found[total], [value(numbers)] * n)
    expected, errors = differences(value, numbers)
    assert not any(graph.varies[i] for i in slopes[2:])
    for i, slope, error in zip(slopes, expected, errors, strict=True):
        for got, wanted, e in zip(found[i], spread(slope, n), spread(error, n), strict=True):
            assert abs(got - wanted) <= 1e-7 * (1.0 + abs(wanted)) + 10.0 * e


def test_all_samples_hand_their_gradient_to_what_they_share():
    graph = Graph(batch=True)
    x, w, b = leaves_of(graph, 1, 2)
    do = added(graph)
    root = do("add", do("mul", w, x), b)
    dw, db, dx = differentiate(graph, {root: graph.literal(1.0)}, [w, b, x])
    assert (graph.ops[dw], graph.args[dw]) == (BATCH_SUM, (x,))
    assert graph.ops[db] == "count"  # each sample hands 1
    assert dx == w
    doubled = differentiate(graph, {do("mul", 2.0, do("add", b, x)): graph.literal(1.0)}, [b])[0]
    assert (graph.ops[doubled], {*graph.args[doubled]}) == (MUL, {graph.count(), graph.literal(2.0)})
    found = evaluate(graph, {x: [1.0, 2.0, 4.0], w: 3.0, b: 0.5}, 3)
    assert [found[i][0] for i in (dw, db, doubled)] == [7.0, 3.0, 6.0]


def test_no_gradient_goes_through_what_is_flat():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    do = added(graph)
    root = do("add", do("step", x, 0.0), do("where", x, y, do("floor", y)))
    assert differentiate(graph, {root: graph.literal(1.0)}, [x])[0] == graph.literal(0.0)
    assert flat(TABLE["step"])
    assert not flat(TABLE["where"])
    assert differentiate(graph, {do("sin", y): graph.literal(1.0)}, [x]) == [graph.literal(0.0)]
    stairs = do("sin", do("step", do("tanh", x), y))
    before = len(graph)
    assert differentiate(graph, {stairs: graph.literal(1.0)}, [x]) == [graph.literal(0.0)]
    assert len(graph) == before  # not even looked for
    assert differentiate(graph, {x: graph.literal(3.0)}, [x, y]) == [graph.literal(3.0), graph.literal(0.0)]


def test_a_weight_beside_a_zero():
    graph = Graph()
    x, v, w = leaves_of(graph, 1, 2)
    zero = graph.literal(0.0)
    root = graph.add(DOT, (v, w, x, zero, zero))
    assert differentiate(graph, {root: graph.literal(1.0)}, [v, w, x]) == [x, zero, v]
    (slope,) = differentiate(graph, {graph.add(TABLE["exp"], (root,)): graph.literal(1.0)}, [w])
    for number, expected in ((2.0, 0.0), (inf, nan)):  # exp(v x) * 0
        assert same(evaluate(graph, {x: number, v: 1.0, w: 3.0})[slope][0], expected, True)


def test_split_takes_the_part_that_is_the_same_for_all_out_of_a_sum():
    graph = Graph(batch=True)
    x, y, v, w = leaves_of(graph, 2, 2)
    do = added(graph)
    penalty = do("mul", 0.1, do("add", do("mul", v, v), w))
    cases = [
        (do("add", do("tanh", x), penalty), True, True),
        (do("sub", penalty, do("sub", x, do("sub", y, w))), True, True),
        (do("sum", x, v, do("neg", do("add", y, do("neg", w)))), True, True),
        (do("mul", x, v), True, False),
        (penalty, False, True),
        (x, True, False),
    ]
    numbers = {x: [0.5, -1.0], y: [2.0, 0.25], v: 3.0, w: -0.75}
    for root, some, same_for_all in cases:
        varying, rest = split(graph, root)
        assert (varying is not None, rest is not None) == (some, same_for_all)
        assert varying is None or graph.varies[varying]
        assert rest is None or not graph.varies[rest]
        found = evaluate(graph, numbers, 2)
        parts = [found[i] for i in (varying, rest) if i is not None]
        close([sum(at) for at in zip(*parts, strict=True)], found[root])
    shared = do("add", do("tanh", x), w)
    varying, rest = split(graph, do("add", shared, do("mul", shared, shared)))
    assert rest is None  # what others read stays whole


def test_kinds_are_what_is_computed_alike():
    graph = Graph(batch=True)
    x, y = graph.leaf("input", 0, 0, varies=True), graph.leaf("input", 0, 1, varies=True)
    other = graph.leaf("input", 1, 0, varies=True)
    v, w = leaves_of(graph, 0, 2)
    do = added(graph)
    kinds = kinds_of(graph, range(len(graph)))
    assert kinds[x] == kinds[y] != kinds[other]
    assert kinds[v] == kinds[w] != kinds[x]
    pairs = [
        (do("dot", v, x, 0.0), do("dot", w, v, y, x, 0.0), True),  # however many
        (do("mul", v, x), do("mul", w, y), True),
        (do("mul", v, x), do("mul", w, other), False),
        (do("tanh", x), do("tanh", do("tanh", x)), False),
        (do("tanh", x), do("sin", x), False),
        (do("tanh", do("mul", v, x)), do("tanh", do("mul", w, y)), True),
        (do("tanh", v), do("tanh", x), False),
    ]
    kinds = kinds_of(graph, range(len(graph)))
    for i, j, alike in pairs:
        assert (kinds[i] == kinds[j]) is alike


def test_a_kind_is_read_once_if_all_its_nodes_are():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    do = added(graph)
    a, b, c = do("sin", x), do("sin", y), do("tanh", x)
    outer = do("add", do("mul", a, c), b)
    live = graph.live([outer])
    kinds = kinds_of(graph, live)
    alone = used_once(graph, live, kinds)
    assert {kinds[a], kinds[c]} <= alone
    assert kinds[x] not in alone
    assert kinds[c] not in used_once(graph, live, kinds, [c])
    again = do("add", outer, do("mul", b, 2.0))
    live = graph.live([again])
    kinds = kinds_of(graph, live)
    assert kinds[a] not in used_once(graph, live, kinds)  # for b, of its kind, is read twice


# sums -------------------------------------------------------------------------------------------------------------


def check_fold(program):
    """What holds of every folded program: nothing is read before it is there, or inlined that others want."""
    graph = program.graph
    live = graph.live(program.outputs)
    kinds = kinds_of(graph, live)
    reads = Counter(j for i in live if isinstance(graph.ops[i], Op) for j in graph.args[i])
    most: Counter[int] = Counter()
    for i in live:
        most[kinds[i]] = max(most[kinds[i]], reads[i] + 2 * (i in program.outputs))
    there = {i for i, op in enumerate(graph.ops) if not isinstance(op, Op)}
    for i in program.order:
        args = program.calls.get(i) or [x for _, a, b in program.sums[i] for x in (a, b) if x is not None]
        assert there.issuperset(args)
        assert all(program.depth[j] < program.depth[i] for j in args)
        there.add(i)
    assert there >= {*program.outputs}
    for i in {*live} - there:
        assert most[kinds[i]] == 1, "inlined, though one of its kind is read twice"
    assert {*program.sums, *program.calls} == {*program.order}


@LAWS
@given(recipes(), st.integers(0, 99), st.sampled_from([1, 3]))
def test_a_folded_program_computes_the_same(recipe, seed, n):
    graph = Graph(batch=True)
    leaves = leaves_of(graph, 2, 2)
    nodes = recipe.nodes(added(graph), leaves)
    numbers = data(seed, n)
    recipe.numbers(numbers, n)  # within bounds
    root = graph.add(SUM, nodes)
    outputs = [*nodes[-2:], root]
    program = fold(graph, outputs)
    check_fold(program)
    value, slopes = value_and_slopes(graph, root, "mean", leaves)
    gradient = fold(graph, [value, *slopes])
    check_fold(gradient)
    given_numbers = dict(zip(leaves, numbers, strict=True))
    truth = evaluate(graph, given_numbers, n)
    for each in (program, gradient):
        found = run(each, given_numbers, n)
        for i in {*each.outputs}:
            close(found[i], truth[i], 1e-11)


def test_what_is_linear_becomes_one_sum_of_products():
    graph = Graph()
    x, y, w, b = leaves_of(graph, 4)
    do = added(graph)
    root = do("sub", do("add", b, do("mul", w, x)), do("sub", do("neg", y), do("mul", do("neg", w), y)))
    program = fold(graph, [root])
    terms = sorted((s, *sorted((a, -1 if c is None else c))) for s, a, c in program.sums[root])
    expected = [(1, -1, b), (1, *sorted((w, x))), (1, -1, y), (-1, *sorted((w, y)))]
    assert terms == sorted(expected)


def test_what_is_read_twice_stays():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    do = added(graph)
    z = do("add", x, y)
    program = fold(graph, [do("add", do("tanh", z), z)])
    assert z in program.sums
    alone = do("add", do("add", x, do("sin", y)), y)
    assert len(fold(graph, [alone]).sums) == 1
    inner = graph.args[alone][0]
    assert inner in fold(graph, [alone, inner]).sums  # an output is wanted itself


def test_zero_factors_and_a_zero_bias():
    """A bias of 0 is left out. A factor of 0 is not: beside inf it gives nan."""
    graph = Graph()
    v, w, x, b = leaves_of(graph, 4)
    zero = graph.literal(0.0)
    node = graph.add(DOT, (v, w, x, zero, b))
    assert fold(graph, [node]).sums[node] == [(1, b, None), (1, v, x), (1, w, zero)]
    for number, expected in ((3.0, 7.0), (inf, nan)):
        found = run(fold(graph, [node]), {v: 2.0, w: number, x: 3.0, b: 1.0})[node]
        assert same(found[0], expected, True)
    node = graph.add(DOT, (v, w, x, b, zero))
    assert fold(graph, [node]).sums[node] == [(1, v, x), (1, w, b)]
    empty = graph.add(DOT, (b,))
    assert run(fold(graph, [empty]), {v: 2.0, w: 0.5, x: 3.0, b: 1.0})[empty] == [1.0]


def test_what_is_the_same_for_all_samples_counts_as_often_as_there_are():
    graph = Graph(batch=True)
    x, v, w = leaves_of(graph, 1, 2)
    do = added(graph)
    sums = [
        graph.add(BATCH_SUM, (do("sum", do("sin", x), do("tanh", v)),)),
        graph.add(BATCH_SUM, (do("add", do("mul", x, v), do("mul", v, w)),)),
        graph.add(BATCH_SUM, (do("mul", x, x),)),
        graph.add(BATCH_SUM, (do("dot", v, w, x, v, 0.0),)),
        do("add", x, graph.add(BATCH_SUM, (do("sin", x),))),
    ]
    numbers: Any = {x: [1.0, -2.0, 0.5], v: 2.0, w: 3.0}
    found = run(fold(graph, sums), numbers, 3)
    expected = [
        math.fsum(math.sin(a) + math.tanh(2.0) for a in numbers[x]),
        math.fsum(2.0 * a + 6.0 for a in numbers[x]),
        5.25,
        math.fsum(2.0 * a + 6.0 for a in numbers[x]),
        1.0 + math.fsum(map(math.sin, numbers[x])),
    ]
    close([found[i][0] for i in sums], expected)


def test_the_signs_of_both_factors_count():
    graph = Graph()
    x, y = leaves_of(graph, 2)
    do = added(graph)
    node = do("mul", do("neg", x), do("sum", do("neg", y)))
    assert fold(graph, [node]).sums == {node: [(1, x, y)]}


# views ------------------------------------------------------------------------------------------------------------


def shown(found, source, shape):
    """What a View says of a flat source."""
    x = source[slice(*found.cut)].reshape(found.shape)[found.slices].transpose(found.order)
    return np.broadcast_to(x[tuple(slice(None) if there else None for there in found.places)], shape)


@st.composite
def windows(draw, most=4):
    """(index array, shape of the source): a slice of it, transposed, repeated along some axes."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=most)))
    index = np.arange(math.prod(shape)).reshape(shape)
    items: list[Any] = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        stop = draw(st.integers(start + 1, n))
        items.append(draw(st.sampled_from([slice(None), slice(start, stop), start])))
    index = index[tuple(items)]
    index = np.asarray(index).transpose(draw(st.permutations(range(np.ndim(index)))))
    for _ in range(draw(st.integers(0, 2))):
        axis = draw(st.integers(0, index.ndim))
        index = np.repeat(np.expand_dims(index, axis), draw(st.integers(1, 3)), axis)
    return index, shape


@LAWS
@given(windows(), st.booleans())
def test_a_window_is_a_view(window, natural):
    index, shape = window
    size = math.prod(shape)
    form = affine(index)
    assert form is not None
    np.testing.assert_array_equal(form.at(index.shape), index)
    source = np.random.default_rng(0).normal(size=size)
    found = view(form, index.shape, size, shape if natural else None)
    assert found is not None or not natural
    start: dict[int, list[int]] = {}
    for starts in (None, start):
        found = view(form, index.shape, size, shape if natural else None, starts)
        if found is not None:
            np.testing.assert_array_equal(shown(found, source, index.shape), source[index])


@LAWS
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-9, 9)), min_size=1, max_size=4), st.integers(0, 9))
def test_any_steps_are_affine_and_a_view_of_them_is_right(axes, more):
    sizes, steps = [n for n, _ in axes], [step for _, step in axes]
    index = sum(
        s * np.arange(n).reshape((-1,) + (1,) * (len(axes) - k - 1))
        for k, (n, s) in enumerate(zip(sizes, steps, strict=True))
    )
    index = np.broadcast_to(index, sizes) - np.min(index) + more
    size = int(index.max()) + 1 + more
    form = affine(index)
    assert form is not None
    np.testing.assert_array_equal(form.at(index.shape), index)
    source = np.random.default_rng(1).normal(size=size)
    more_options: Any = itertools.product((None, (size,)), (None, {}))
    for natural, starts in more_options:
        found = view(form, index.shape, size, natural, starts)
        if found is not None:
            assert source[slice(*found.cut)].base is source  # no copy
            np.testing.assert_array_equal(shown(found, source, index.shape), source[index])


def test_views_that_must_be_found():
    def found(index, size, *more):
        form = affine(np.array(index))
        assert form is not None
        return view(form, np.shape(index), size, *more)

    column = found([1, 5, 9], 12)
    assert (column.shape, column.slices) == ((3, 4), (slice(None), 1))
    assert found([[0, 1, 2], [4, 5, 6]], 12).slices == (slice(0, 2), slice(0, 3))
    assert found([7, 7, 7], 12).cut == (7, 8)
    assert found([5, 4, 3], 12, (12,)) is None  # backwards
    assert found([[0, 1], [1, 2]], 12) is None  # overlapping


@LAWS
@given(windows(3), st.integers(0, 10**6))
def test_what_is_not_affine_has_no_form(window, place):
    index, _ = window
    place %= index.size
    at_place = np.unravel_index(place, index.shape)
    assume(any(n > 2 and 0 < k < n - 1 for n, k in zip(index.shape, at_place, strict=True)))
    index = index.copy()
    index[at_place] += 1
    assert affine(index) is None


@LAWS
@given(windows(3), st.integers(0, 99))
def test_holes_are_ignored(window, seed):
    index, _ = window
    rng = np.random.default_rng(seed)
    there = rng.random(index.shape) < 0.7
    assume(there.any())
    form = affine(np.where(there, index, -1))
    if form is not None:
        np.testing.assert_array_equal(form.at(index.shape)[there], index[there])


@pytest.mark.parametrize("n", [2, 3, 6])
def test_a_causal_index_is_affine(n):
    index = 3 + 10 * np.arange(n)[:, None] + 2 * np.arange(n)
    causal = np.tri(n, dtype=bool)
    for there in (causal, causal[::-1], causal.T, causal[:, ::-1]):
        form = affine(np.where(there, index, -1))
        assert form is not None
        np.testing.assert_array_equal(form.at((n, n)), index)
    bent = np.where(np.tri(n, dtype=bool), index, -1)
    bent[-1, -1] += 1
    assert n == 2 or affine(bent) is None


STRIDED = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 50)), min_size=1, max_size=3)


def strided(axes):
    """base + the sum of step * place, flat."""
    index = np.zeros((1,), int)
    for n, step in axes:
        index = (index[:, None] + step * np.arange(n)).ravel()
    return index


@LAWS
@given(STRIDED, STRIDED)
def test_periods_make_a_sequence_affine(axes, others):
    sequence = strided(axes)
    sizes = periods(sequence[:, None])
    assert sizes is not None
    assert math.prod(sizes) == len(sequence)
    assert affine(sequence.reshape(sizes)) is not None
    assert len(sizes) <= len(axes)
    index = sequence[:, None] + 1000 * strided(others)
    found = split_axes(index)
    assert found is not None
    again, shape = found
    assert again.shape == shape
    np.testing.assert_array_equal(again.ravel(), index.ravel())
    assert affine(again) is not None


@LAWS
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_periods_of_anything(steps):
    sequence = np.cumsum(steps)
    sizes = periods(sequence[:, None])
    if sizes is None:
        assert affine(sequence) is None
    else:
        assert math.prod(sizes) == len(sequence)
        assert affine(sequence.reshape(sizes)) is not None


def test_axes_that_cannot_be_split():
    assert periods(np.array([[0], [1], [3], [7]])) is None
    assert periods(np.array([[5, 2]])) == []
    assert periods(np.array([[0], [1], [10], [11], [20], [21]])) == [3, 2]
    assert split_axes(np.array([0, 1, 3, 7])) is None
    assert split_axes(np.array([[0, 1], [2, 4]])) is None  # no sum of a row's place and a column's
    assert split_axes(np.array([0, -1, 1])) is None
    assert split_axes(np.zeros((0, 3), int)) is None


@pytest.mark.parametrize(
    ("nout", "nin", "before", "after"), [(4, 3, 0, 0), (4, 3, 7, 30), (2, 5, 11, 1), (1, 2, 4, 4)]
)
def test_weights_and_biases_are_cut_from_one_block(nout, nin, before, after):
    """In p they stand neuron by neuron: its weights and its bias."""
    p = np.random.default_rng(2).normal(size=before + nout * (nin + 1) + after)
    weights = before + (nin + 1) * np.arange(nout)[:, None] + np.arange(nin)
    starts: dict[int, list[int]] = {}
    cuts = set()
    for index in (weights, weights[:, -1] + 1, weights.T):
        found = view(affine(index), index.shape, len(p), None, starts)  # type: ignore[arg-type]
        assert found is not None
        np.testing.assert_array_equal(shown(found, p, index.shape), p[index])
        cuts.add(found.cut)
    assert nout == 1 or cuts == {(before, before + nout * (nin + 1))}


# padding ------------------------------------------------------------------------------------------------------------


def test_ragged_rows_are_put_in_line_by_their_weights():
    aligned: Any = padding.aligned
    weights = np.array([[2, 3, -1], [1, 2, 3], [1, 2, -1], [7, 8, 9], [7, 9, -1]])
    reads = np.array([[10, 11, -1], [10, 11, 12], [13, 14, -1], [20, 21, 22], [30, 31, -1]])
    rows, found = aligned(weights, reads)
    assert rows.tolist() == [[1, 2, 3]] * 3 + [[7, 8, 9]] * 2
    assert found.tolist() == [[-1, 10, 11], [10, 11, 12], [13, 14, -1], [20, 21, 22], [30, -1, 31]]
    rows, found = aligned(np.array([[1, 2], [5, -1], [11, 12]]), np.array([[1, 2], [3, -1], [5, 6]]))
    assert rows.tolist() == [[1, 2], [5, 5], [11, 12]]
    assert found[[0, 2]].tolist() == [[1, 2], [5, 6]]
    assert found[1, 0] == 3
    assert found[1, 1] < -1  # no weight of this filter: zeros of their own kind
    assert aligned(np.array([[1, 1]]), np.array([[5, 6]])) is None  # one weight twice
    assert aligned(np.array([[1, 2], [-1, -1]]), np.array([[5, 6], [-1, -1]])) is None  # nothing at all
    chain = np.array([[i, i + 1] for i in range(12)])
    assert aligned(chain[:4], chain[:4])[1].tolist()[1] == [-1, 1, 2, -1, -1]
    assert aligned(chain, chain) is None  # mostly zeros


@given(
    st.integers(1, 3), st.integers(2, 6), st.integers(2, 6), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
)  # fmt: skip
@LAWS
def test_a_window_that_moves_over_an_image_reads_zeros_around_it(channels, height, width, k, pad, dilation):
    image = normal(channels, height, width)
    reach = dilation * (k - 1) + 1
    assume(min(height, width) + 2 * pad >= reach)
    places = np.pad(
        np.arange(image.size).reshape(image.shape), ((0, 0), (pad, pad), (pad, pad)), constant_values=-1
    )
    windows = np.lib.stride_tricks.sliding_window_view(places, (reach, reach), axis=(1, 2))
    index = windows[..., ::dilation, ::dilation].transpose(1, 2, 0, 3, 4).reshape(-1, channels * k * k)
    assume((index >= 0).any(axis=0).all() and (index >= 0).any(axis=1).all())
    pads, moved = padding.around(index, image.shape)
    padded = np.pad(image if len(pads) == 3 else image.ravel(), pads).ravel()
    np.testing.assert_array_equal(padded[moved], np.where(index < 0, 0.0, image.ravel()[index]))
    if len(pads) == 3:
        assert max(max(pair) for pair in pads) <= pad
        assert pads[0] == (0, 0)
    full = (index >= 0).all(axis=1).any()
    assert len(pads) == 3 or not full or (index >= 0).all()


def test_what_is_no_window_reads_one_zero_behind_all():
    pads, index = padding.around(np.array([[0, 1, -1], [0, -1, 5]]), (2, 3))
    assert pads == ((0, 1),)
    assert index.tolist() == [[0, 1, 6], [0, 6, 5]]
    pads, index = padding.around(np.array([[0, -1], [1, -3]]), (2,))
    assert pads == ((0, 3),)
    assert index.tolist() == [[0, 2], [1, 4]]
    assert padding.around(np.array([[0], [-1]]), ())[0] == ((0, 1),)


# grouping ---------------------------------------------------------------------------------------------------------


def recorded(f, *shapes, batch=True, gradient=False):
    """The Grouping of a function, or of the gradient of the sum of its squares by its parameters."""
    recording = Recording(f, shapes)
    outputs = [*flatten(recording.output)]
    if gradient:
        with autograd.context.within(tracer=autograd.compiler.traced.trace, recording=True):
            outputs = [autograd.sum([y * y for y in outputs])]
    graph, nodes, _ = to_graph(outputs, recording.inputs, (), recording.made_here, batch)
    if gradient:
        value, slopes = value_and_slopes(graph, nodes[0], "mean", graph.parameters)
        nodes = [value, *slopes]
    return Grouping(fold(graph, nodes), shapes)


def check_grouping(grouping):
    """The arrays say exactly what the sums and calls say, place by place."""
    graph, program = grouping.graph, grouping.program
    token = lambda i: ("number", repr(graph.value(i))) if graph.value(i) is not None else i

    def read(operand, place, reader):
        """The nodes that an operand reads there, without holes."""
        row = operand.index.reshape(reader.size, -1)[place]
        if operand.source == CONSTANT:
            return [("number", repr(float(x))) for x in row]
        source = grouping.arrays[operand.source]
        assert source.number < reader.number
        if source.kind == "padded":
            return [int(source.members[k]) if source.members[k] >= 0 else "zero" for k in row]
        found = [int(source.members[k]) if k >= 0 else None for k in row]
        assert -1 not in found  # no hole is read
        return found

    grouped: Counter[int] = Counter()
    for array in grouping.arrays:
        assert grouping.arrays[array.number] is array
        assert array.size == math.prod(array.shape) or array.kind == "count"
        if array.kind == "padded":  # zeros around what stands elsewhere, in its order
            (x,) = array.operands
            source = grouping.arrays[x.source]
            inside = np.pad(np.ones_like(x.index, bool), array.pads).ravel()
            assert array.varies == source.varies
            assert (array.members[inside] == source.members).all()
            assert (array.members[~inside] == -1).all()
            continue
        assert array.holes == bool((array.members < 0).any())
        for place, i in enumerate(array.members.tolist()):
            if i < 0:
                sides = [x for part in array.parts for x in (part.a, part.b) if x is not None]
                for x in [*array.operands, *sides]:
                    assert x.source == CONSTANT or not any(j is not None for j in read(x, place, array))
                continue
            assert graph.varies[i] == array.varies
            if array.kind == "beside":
                continue
            assert (grouping.array_of[i], grouping.place_of[i]) in {(array.number, place)} or any(
                b.kind == "beside"
                and b.number == grouping.array_of[i]
                and b.members[grouping.place_of[i]] == i
                for b in grouping.arrays
            )
            if array.kind == "sum":
                grouped[i] += 1
                terms: Counter[Any] = Counter()
                for part in array.parts:
                    firsts = read(part.a, place, array)
                    seconds = [None] * len(firsts) if part.b is None else read(part.b, place, array)
                    if part.a.source == CONSTANT and part.b is not None:
                        firsts = [None if y is None else x for x, y in zip(firsts, seconds, strict=True)]
                    for x, y in zip(firsts, seconds, strict=True):
                        if x is not None and "zero" not in (x, y):
                            terms[part.sign, frozenset(Counter([x, y]).items())] += 1
                expected = Counter(
                    (s, frozenset(Counter([token(a), None if b is None else token(b)]).items()))
                    for s, a, b in program.sums[i]
                )
                padding = 1, frozenset(Counter([("number", "0.0"), None]).items())
                assert {**terms, padding: 0} == {**expected, padding: 0}
            elif isinstance(array.kind, Op):
                grouped[i] += 1
                assert graph.ops[i] is array.kind
                found = [
                    x for operand in array.operands for x in read(operand, place, array) if x is not None
                ]
                wanted = [*map(token, graph.args[i])]
                if array.kind.variadic and array.kind is not PICK:
                    assert Counter(found) == Counter(wanted)
                else:
                    assert found == wanted
    assert grouped == Counter(program.order)


def models():
    def softmax_loss(x, y):
        return nn.cross_entropy(network(x), y)

    network, transformer = mlp(3, 5, 4), Transformer(5, 4)
    yield "neuron", nn.Neuron(3, activation="sigmoid", rng=0), [(3,)]
    yield "network", mlp(2, 5, 3, 1), [(2,)]
    yield "classes", softmax_loss, [(3,), ()]
    yield "convolutions", ConvNet("mean", 1, 1), [(5, 5)]
    yield "pooling", ConvNet("max", 2, 0), [(5, 5)]
    yield "recurrence", LSTM(2, 3, 0), [(4, 2)]
    yield "tokens", lambda x: transformer(x, autograd.take), [(3,)]
    for heads, causal in ((1, True), (2, True), (2, False)):
        yield f"attention {heads} {causal}", Attention(4, heads, causal, 0), [(5, 4)]


MODELS = {name: (f, shapes) for name, f, shapes in models()}


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_arrays_say_what_the_sums_say(name, gradient, batch):
    f, shapes = MODELS[name]
    grouping = recorded(f, *shapes, batch=batch, gradient=gradient)
    check_fold(grouping.program)
    check_grouping(grouping)


@LAWS
@given(recipes(), st.booleans())
def test_arrays_of_anything_say_what_the_sums_say(recipe, batch):
    graph = Graph(batch=batch)
    inputs = leaves_of(graph, 2, 2)
    nodes = recipe.nodes(added(graph), inputs)
    value, slopes = value_and_slopes(graph, graph.add(SUM, nodes), "sum", inputs)
    check_grouping(Grouping(fold(graph, [*nodes, value, *slopes]), [(2,)]))


def test_sums_with_different_numbers_of_numbers_in_them():
    f = lambda x: [
        autograd.tanh(x[0] + -3.0),
        autograd.tanh(x[1] + -1.0 + -2.5),
        autograd.tanh(x[2] + 4.0 + -1.0 + -0.5),
    ]
    samples = normal(5, 3)
    close(autograd.compile(f, batch=True)(samples), [[float(v) for v in f(row)] for row in samples])


def test_what_holes_hold_is_only_believed_where_it_is_known():
    """Sums of several terms, comparisons and choices, and what is read across the diagonal of a causal matrix."""
    size = 5

    def f(q, k):
        a, b = (
            [[autograd.dot(u[t], v[s]) for s in range(t + 1)] for t in range(size)]
            for u, v in ((q, k), (k, q))
        )
        weights = [activations.softmax(row) for row in a]
        product = [
            [autograd.sum([weights[t][u] * b[u][s] for u in range(s, t + 1)]) for s in range(t + 1)]
            for t in range(size)
        ]
        choice = [
            [
                autograd.where(autograd.above(x, 0.0), y, 3.0 * y) + autograd.equal(x, 1.0)
                for x, y in zip(*rows, strict=True)
            ]
            for rows in zip(a, weights, strict=True)
        ]
        across = [
            [weights[s][t] * autograd.exp(0.1 * b[s][t]) + 1.0 for s in range(t, size)] for t in range(size)
        ]
        return [
            op(row)
            for table in (product, choice, across)
            for row in table
            for op in (autograd.sum, autograd.prod)
        ]

    queries, keys = normal(3, size, 2), normal(3, size, 2, seed=1)
    expected = [
        [float(v) for v in f(*sample)] for sample in zip(queries.tolist(), keys.tolist(), strict=True)
    ]
    close(autograd.compile(f, batch=True)(queries, keys), expected)


def test_what_holes_hold_is_not_known_by_the_first_of_several_terms():
    """Of e[t][s] + e[t][t] only the first is 0 above the diagonal of a causal matrix."""

    def f(q, k):
        e = [[autograd.exp(autograd.dot(a, b)) for b in k[: t + 1]] for t, a in enumerate(q)]
        totals = [autograd.sum(row) for row in e]
        z = [[x / total + x + row[-1] for x in row] for row, total in zip(e, totals, strict=True)]
        return [autograd.sum([x * autograd.tanh(x) for x in row]) for row in z]

    queries, keys = normal(3, 4, 2), normal(3, 4, 2, seed=1)
    expected = [
        [float(v) for v in f(*sample)] for sample in zip(queries.tolist(), keys.tolist(), strict=True)
    ]
    close(autograd.compile(f, batch=True)(queries, keys), expected)


@pytest.mark.parametrize("names", list(itertools.permutations(["sum", "largest", "prod"])))
def test_holes_hold_one_number_at_a_time(names):
    """Readers of the same ragged rows that need 0, -inf and 1 where there is nothing."""

    def f(q, k):
        rows = [[-autograd.exp(autograd.dot(a, b)) for b in k[: t + 1]] for t, a in enumerate(q)]
        return [[TABLE[name](row) for row in rows] for name in names]

    queries, keys = normal(3, 4, 2), normal(3, 4, 2, seed=1)
    expected = [
        [[float(v) for v in row] for row in f(*sample)]
        for sample in zip(queries.tolist(), keys.tolist(), strict=True)
    ]
    close(autograd.compile(f, batch=True)(queries, keys), expected)


@pytest.mark.parametrize("n", [2, 3])
def test_terms_that_come_again_are_multiplied(n):
    """n x y, written term by term: summed over the samples, for each of them, or with weights."""
    w = [Value(2.0), Value(-3.0)]
    again = lambda x, y: autograd.dot([x] * n, [y] * n)
    check(again, (normal(4), normal(4, seed=1)))
    check(lambda x, y: autograd.tanh(again(x, y)) * w[0], (normal(4), normal(4, seed=1)), wrt=w)
    each = lambda x, y: autograd.sum([again(a, b) * c for a, b, c in zip(x, y, w, strict=True)])
    check(each, (normal(4, 2), normal(4, 2, seed=1)), wrt=w)


def test_windows_beside_what_is_flat():
    """The sum over each window of an image, plus a number of a list: the windows lie in rows, the sums in one."""
    corners = list(itertools.product(range(0, 4, 2), range(0, 6, 2)))

    def f(x, y):
        sums = [autograd.sum([x[r + i][c + j] for i in range(2) for j in range(2)]) for r, c in corners]
        return [autograd.tanh(a + b) for a, b in zip(sums, y, strict=True)]

    program = check(f, (normal(3, 4, 6), normal(3, 6)))
    assert "axis=(2, 4)" in program.source  # as a view, without copies of the numbers


def test_what_is_chosen_at_run_time_may_lie_in_any_order():
    """Several of one row, one of each row, each of all rows; the rows are weights, or computed for each sample."""
    weights = [[Value(x) for x in row] for row in normal(5, 4)]
    every = [v for row in weights for v in row]

    def build(take):
        def columns(i, x):
            return zip(*[take(weights, k) for k in i], strict=True)

        return [
            lambda i, x: [take([v * v for v in x], k) for k in i],
            lambda i, x: [take([v * x[0] for v in row], k) for k, row in zip(i, weights, strict=False)],
            lambda i, x: [take(row, k) * x[0] for k, row in zip(i, weights, strict=False)],
            lambda i, x: [[take([v * x[0] for v in row], k) for k in i] for row in weights],
            lambda i, x: [[take(row, k) * x[0] for k in i] for row in weights],
            lambda i, x: [[v * x[0] for v in take(weights, k)] for k in i],
            lambda i, x: [[v * x[0] for v in column] for column in columns(i, x)],
            lambda i, x: [autograd.sum(take(weights, k)) * x[0] for k in i],
        ]

    def total(f):
        return lambda i, x: autograd.sum([v * v for v in flatten(f(i, x))])

    ids, xs = np.random.default_rng(0).integers(4, size=(6, 3)), normal(6, 4)
    for f, truth in zip(build(autograd.take), build(lambda rows, k: rows[k]), strict=True):
        check(f, (ids, xs), truth=truth, wrt=every)
        check(total(f), (ids, xs), truth=total(truth), wrt=every)


@pytest.mark.parametrize("name", ["largest", "prod"])
def test_of_one_number_nothing_is_reduced(name):
    f = lambda x: TABLE[name](autograd.exp(x))
    program = check(f, (normal(4),))
    assert "axis=-1" not in program.source
    check(lambda x: f(x) * autograd.sum([autograd.tanh(k * x) for k in range(200)]), (0.5,), batch=False)


@pytest.mark.parametrize("name", ["largest", "prod", "logsumexp"])
def test_of_different_numbers_of_numbers_the_largest_and_the_product(name):
    op = TABLE[name]
    f = lambda x: [op(x[0], -1e3), op(x[1], -1e3, -2e3), op(x[2], -1e3, -2e3, -3e3)]
    samples = -1e3 * abs(normal(5, 3))
    close(autograd.compile(f, batch=True)(samples), [[float(v) for v in f(row)] for row in samples])


def sums_of(grouping):
    return [array for array in grouping.arrays if array.kind == "sum"]


@pytest.mark.parametrize(("nin", "nout"), [(3, 4), (4, 3), (5, 5), (1, 2), (7, 2)])
def test_a_layer_is_one_array_whose_part_is_a_product(nin, nout):
    layer = nn.Layer(nin, nout, activation="tanh", rng=0)
    grouping = recorded(layer, (nin,))
    (z,) = sums_of(grouping)
    assert z.shape == (nout,)
    assert z.varies
    assert not z.holes
    product = next(part for part in z.parts if part.b is not None)
    bias = next(part for part in z.parts if part.b is None)
    assert product.a.index.shape == product.b.index.shape == (nout, nin)
    assert {grouping.arrays[x.source].kind for x in (product.a, product.b)} == {"input", "parameter"}
    weights, x = (
        (product.a, product.b)
        if grouping.arrays[product.b.source].kind == "input"
        else (product.b, product.a)
    )
    assert (x.index == np.arange(nin)).all()
    assert (weights.index == (nin + 1) * np.arange(nout)[:, None] + np.arange(nin)).all()
    assert (bias.a.index[:, 0] == (nin + 1) * np.arange(nout) + nin).all()
    (h,) = [array for array in grouping.arrays if isinstance(array.kind, Op)]
    assert (h.kind.name, h.shape) == ("tanh", (nout,))
    assert (h.operands[0].index[:, 0] == np.arange(nout)).all()


def test_a_layer_at_many_places_is_a_matrix():
    layer = nn.Layer(3, 4, activation="tanh", rng=0)
    (z,) = sums_of(recorded(lambda xs: [layer(x) for x in xs], (5, 3)))
    assert z.shape == (5, 4)
    assert (np.diff(z.members) > 0).all()
    product = next(part for part in z.parts if part.b is not None)
    for x in (product.a, product.b):
        steps = affine(x.index)
        assert steps is not None
        assert 0 in steps.strides  # one factor has its rows, the other its columns


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("heads", "tokens"), [(2, 3), (3, 5), (2, 6)])
def test_heads_are_an_axis_and_what_is_not_yet_there_is_a_hole(heads, tokens, causal):
    grouping = recorded(Attention(heads * 2, heads, causal, 0), (tokens, heads * 2))
    scores = next(array for array in sums_of(grouping) if array.shape[-2:] == (tokens, tokens))
    assert scores.shape == (heads, tokens, tokens)
    assert scores.holes is causal
    there = (scores.members >= 0).reshape(scores.shape)
    assert there.sum() == heads * (tokens * (tokens + 1) // 2 if causal else tokens * tokens)
    assert not causal or all((head == np.tri(tokens, dtype=bool)).all() for head in there)
    exponentials = next(a for a in grouping.arrays if getattr(a.kind, "name", "") == "exp")
    assert exponentials.shape == scores.shape
    assert ((exponentials.members >= 0) == there.ravel()).all()


@pytest.mark.parametrize("ends", [False, True])
def test_sums_of_different_length_begin_together_or_end_together(ends):
    w = [Value(x) for x in normal(5)]
    parts = [slice(t, None) if ends else slice(t + 1) for t in range(5)]
    grouping = recorded(lambda x: [autograd.dot(w[part], x[part]) for part in parts], (5,))
    ((_, first, second, complete),) = grouping.sum_parts(sums_of(grouping)[0].members.tolist())
    assert not complete
    there = np.tri(5, dtype=bool).T if ends else np.tri(5, dtype=bool)
    for x in (first, second):
        assert (x.index == np.where(there, np.arange(5), -1)).all()


def test_what_is_apart():
    """What varies and what does not, and different exponents, though they read the same arrays."""
    graph = Graph(batch=True)
    x, y = leaves_of(graph, 2)
    do = added(graph)
    each, once = do("sum", do("sin", x), do("sin", y)), graph.add(BATCH_SUM, (do("sin", x),))
    grouping = Grouping(fold(graph, [each, once]), [(2,)])
    check_grouping(grouping)
    assert sorted(s.varies for s in sums_of(grouping)) == [False, True]
    grouping = recorded(lambda x: [x[0] ** 2.5, x[1] ** 3.5, x[2] ** 2.5], (3,))
    assert [a.shape for a in grouping.arrays if a.kind is TABLE["pow"]] == [(2,), ()]


def test_gradients_of_one_product_lie_side_by_side():
    grouping = recorded(Attention(4, 1, True, 0), (6, 4), gradient=True)
    (beside,) = [array for array in grouping.arrays if array.kind == "beside"]
    assert (beside.shape, beside.axis, len(beside.operands)) == ((6, 12), 1, 3)
    for x in beside.operands:
        assert grouping.arrays[x.source].number < beside.number


def test_classes():
    number = lambda rows: None if (found := classes(np.array(rows))) is None else found.tolist()
    assert number([[0, 1], [2, 3], [0, 1]]) == [0, 1, 0]
    assert number([[2, 3], [0, 1], [2, 3]]) == [1, 0, 1]  # in the order of their first positions
    assert number([[0, 1], [0, 2]]) == [0, 1]
    assert number([[0, -1], [0, 1], [4, 5]]) == [0, 0, 1]  # the beginning of a longer one
    assert number([[-1, 1], [0, 1], [-1, 5]]) == [0, 0, 1]  # the end of one
    assert number([[0, 1], [0, -1], [0, 2]]) is None  # of which of two?
    assert number([[-1, 1], [0, -1]]) is None
    assert number([[3], [1], [2]]) == [2, 0, 1]


def test_blocks():
    def found(there):
        """Blocks of the pairs that a matrix marks, in any order."""
        row, col = np.nonzero(np.array(there))
        mixed = np.random.default_rng(0).permutation(len(row))
        row, col = row[mixed], col[mixed]
        answer = blocks(row, col)
        if answer is None:
            return None
        block, r, c, shape = answer
        assert len({*zip(block, r, c, strict=True)}) == len(row)
        order = np.lexsort((c, r, block))
        assert (np.diff(row[order]) >= 0).all()  # rows and columns keep their order
        assert all((np.diff(c[block == b][np.argsort(col[block == b])]) >= 0).all() for b in range(shape[0]))
        return shape

    assert found(np.ones((2, 3))) == (1, 2, 3)
    assert found(np.kron(np.eye(2), np.ones((3, 4)))) == (2, 3, 4)
    assert found(np.tri(5)) == (1, 5, 5)
    assert found(np.kron(np.eye(3), np.tri(4))) == (3, 4, 4)
    assert found(np.eye(4)) == (4, 1, 1)
    assert found([[1, 1, 0], [0, 0, 1]]) is None  # of two sizes
    assert found(np.tri(9) - np.tri(9, k=-2)) is None  # a band: mostly holes
    assert found(np.kron(np.ones((1, 2)), np.eye(3))) == (3, 1, 2)  # blocks of columns that lie apart
    assert blocks(np.array([0, 0]), np.array([1, 1])) is None  # a pair twice
    assert blocks(np.array([0, 500]), np.array([500, 0])) is None  # too thin to look at


# levels -----------------------------------------------------------------------------------------------------------


def test_only_what_goes_number_by_number_goes_level_by_level():
    w = [Value(1.0), Value(2.0)]
    for f, shape, suits in (
        (lambda x: autograd.tanh(x[0] * x[1]) + autograd.sum(x), (3,), True),
        (lambda x: autograd.tanh(x[0]) + autograd.prod(x), (3,), False),
        (lambda i: autograd.tanh(autograd.take(w, i)), (), False),
    ):
        assert Levels.suits(recorded(f, shape, batch=False).program) is suits


# text -------------------------------------------------------------------------------------------------------------


def written(f, *arrays, kind="forward", **options):
    """A compiled function, after one call."""
    program = autograd.compile(f, **options)
    (program if kind == "forward" else program.value_and_grad)(*arrays)
    return program, program.last.built[kind].function


@pytest.mark.parametrize("batch", [True, False])
def test_the_source_of_a_built_function_can_be_asked_for(batch):
    layer = nn.Layer(2, 3, activation="tanh", rng=0)
    program, function = written(layer, normal(4, 2) if batch else normal(2), batch=batch)
    assert inspect.getsource(function).strip() in program.source
    assert inspect.getsource(function).startswith("def forward(x")
    assert "np.tanh" in inspect.getsource(function) or "tanh(" in inspect.getsource(function)
    other, again = written(mlp(3, 2), normal(4, 3), batch=True)
    assert inspect.getsource(again).strip() in other.source  # each keeps its own text
    assert inspect.getsource(function).strip() in program.source


@pytest.mark.parametrize("batch", [True, False])
def test_a_traceback_shows_the_line(batch):
    layer = nn.Layer(2, 3, activation="tanh", rng=0)
    _, function = written(layer, normal(4, 2) if batch else normal(2), batch=batch)
    wrong = [np.ones((4, 7))] if batch else [[1.0, "2"], [0.0] * 9]
    try:
        function(*wrong)
    except (ValueError, TypeError):
        text = traceback.format_exc()
    else:
        raise AssertionError("no error")
    line = next(x.strip() for x in inspect.getsource(function).splitlines() if "tanh" in x or "* x" in x)
    assert 'File "<compiled Layer' in text
    assert line in text


# Golden texts -----------------------------------------------------------------------------------------------------


def convolved(layer, size):
    """A layer that is applied at all places of an image, channels first."""

    def convolution(image):
        height, width = (n - size + 1 for n in image.shape)
        rows = [
            [layer(image[i : i + size, j : j + size].ravel()) for j in range(width)] for i in range(height)
        ]
        return np.moveaxis(np.array(rows, dtype=object), -1, 0)

    return convolution


class Head(nn.Module):
    """Causal attention (Vaswani et al., 2017)."""

    def __init__(self, width):
        rng = random.Random(0)
        linear = lambda: nn.Layer(width, width, activation="identity", bias=False, rng=rng)
        self.query, self.key, self.value = linear(), linear(), linear()

    def __call__(self, xs):
        queries, keys, values = ([layer(x) for x in xs] for layer in (self.query, self.key, self.value))
        out = []
        for t, q in enumerate(queries):
            scores = [autograd.dot(q, k) / len(q) ** 0.5 for k in keys[: t + 1]]
            weights = activations.softmax(scores)
            out.append([autograd.dot(weights, column) for column in zip(*values[: t + 1], strict=True)])
        return out


def squares(f):
    """The sum of the squares of all that f returns."""

    def loss(x):
        return autograd.sum([y * y for y in flatten(f(x))])

    return loss


def both(program, *arrays):
    program(*arrays)
    program.value_and_grad(*arrays)
    return program.source


def alone(program, *arrays):
    program.value_and_grad(*arrays)
    return program.source


def neuron():
    model = nn.Neuron(3, activation="sigmoid", rng=0)
    return both(autograd.compile(model, wrt=model, batch=True), normal(5, 3))


def layer():
    program = autograd.compile(nn.Layer(3, 4, activation="tanh", rng=0), batch=True)
    program(normal(5, 3))
    return program.source


def moons():
    """The loss of micrograd's demo."""
    model = nn.MLP(2, [16, 16, 1], rng=0)
    loss = lambda x, y: nn.hinge(model(x), y) + 1e-4 * sum(p * p for p in model.parameters())
    return both(autograd.compile(loss, wrt=model, batch=True), normal(5, 2), np.ones(5))


def convolution():
    program = autograd.compile(convolved(nn.Layer(9, 4, activation="relu", rng=0), 3), batch=True)
    program(normal(5, 8, 8))
    return program.source


def convolution_gradient():
    channels = nn.Layer(9, 4, activation="relu", rng=0)
    return alone(autograd.compile(squares(convolved(channels, 3)), wrt=channels, batch=True), normal(5, 8, 8))


def padded_convolutions():
    """Two, with zeros around what they read, and a pooling: the gradient flows back through both."""
    rng = random.Random(0)
    first, second = Convolution(1, 2, 3, 1, 1, rng=rng), Convolution(2, 3, 3, 1, 1, rng=rng)

    def network(image):
        maps = np.array(first(image.reshape(1, *image.shape)), dtype=object)
        pooled = [
            [[autograd.largest(m[i : i + 2, j : j + 2].ravel()) for j in (0, 2, 4)] for i in (0, 2, 4)]
            for m in maps
        ]
        return np.ravel(np.array(second(np.array(pooled, dtype=object)), dtype=object))

    wrt = [*first.parameters(), *second.parameters()]
    return alone(autograd.compile(squares(network), wrt=wrt, batch=True), normal(5, 6, 6))


def attention():
    program = autograd.compile(Head(4), batch=True)
    program(normal(5, 6, 4))
    return program.source


def attention_gradient():
    model = Head(4)
    return alone(autograd.compile(squares(model), wrt=model, batch=True), normal(5, 6, 4))


def recurrence():
    """The steps of an LSTM, as loops."""
    model = nn.LSTM(3, 4, rng=0)
    last = lambda xs: autograd.sum([h * h for h in model(xs)[0][-1]])
    return alone(autograd.compile(last, wrt=model, batch=True), normal(5, 12, 3))


def straight():
    return both(autograd.compile(readme), -4.0, 2.0)


TEXTS: tuple[Any, ...] = (
    neuron,
    layer,
    moons,
    convolution,
    convolution_gradient,
    padded_convolutions,
    attention,
)
TEXTS += (attention_gradient, recurrence, straight)


def golden(make):
    return GOLDEN / f"{make.__name__}.txt"


def rewrite():
    GOLDEN.mkdir(exist_ok=True)
    for make in TEXTS:
        golden(make).write_text(make(), encoding="utf-8")


@pytest.mark.parametrize("make", TEXTS, ids=lambda make: make.__name__)
def test_golden_texts(make):
    kept = golden(make).read_text(encoding="utf-8") if golden(make).exists() else ""
    assert make().splitlines() == kept.splitlines(), (
        "the text of a program has changed: if that is meant, `python -m tests.test_compiler_passes` writes "
        f"{golden(make).relative_to(ROOT)} anew"
    )


@pytest.mark.parametrize("make", TEXTS, ids=lambda make: make.__name__)
def test_golden_texts_can_be_read(make):
    text = make()
    assert max(map(len, text.splitlines())) <= 110
    compile(text, make.__name__, "exec")
    assert text == make()  # the same each time


def test_every_golden_text_is_of_a_program_here():
    assert {path.stem for path in GOLDEN.iterdir()} == {make.__name__ for make in TEXTS}


# Length -----------------------------------------------------------------------------------------------------------


def length(tokens, width, heads, gradient):
    model = Attention(width, heads, True, 0)
    if gradient:
        text = alone(autograd.compile(squares(model), wrt=model, batch=True), normal(2, tokens, width))
        return len(text.splitlines())
    program = autograd.compile(model, batch=True)
    program(normal(2, tokens, width))
    return len(program.source.splitlines())


@pytest.mark.parametrize(("gradient", "most"), [(False, 16), (True, 40)])
def test_attention_is_no_longer_for_more_tokens_heads_or_width(gradient, most):
    lengths = {key: length(*key, gradient) for key in itertools.product((4, 8, 16), (4, 8), (1, 2, 4))}
    assert max(lengths.values()) <= most
    for (tokens, width, heads), n in lengths.items():
        assert n <= lengths[4, width, heads] + 1, (tokens, width, heads)
        assert n <= lengths[tokens, 4, heads] + 5, (tokens, width, heads)


# Imports ----------------------------------------------------------------------------------------------------------


def parts():
    """For each module of the compiler those that it imports, also where it does so only when called."""
    folder = ROOT / "autograd" / "compiler"
    graph: dict[str, set[str]] = {path.stem: set() for path in folder.glob("*.py")}
    for path in folder.glob("*.py"):
        for name, _ in imports_of(path):
            if name.startswith("autograd.compiler."):
                first, _, rest = name.removeprefix("autograd.compiler.").partition(".")
                graph[path.stem].add(first if first in graph else rest or "__init__")
        graph[path.stem] &= {*graph}
        graph[path.stem].discard(path.stem)
    return graph


def test_no_module_of_the_compiler_needs_itself_in_a_circle():
    order = [*TopologicalSorter(parts()).static_order()]
    assert order[-1] == "__init__"
    place = {name: k for k, name in enumerate(order)}
    assert all(
        place[a] < place[b] for a, b in itertools.pairwise(("simplify", "graph", "sums", "grouping", "emit"))
    )


def test_the_first_modules_of_the_compiler_stand_alone():
    needed = parts()
    for name in ("traced", "views", "syntax", "store"):
        assert not needed[name]
    assert needed["simplify"] == {"traced"}
    assert needed["graph"] == {"simplify"}
    assert needed["sums"] == {"graph"}
    assert needed["grouping"] == {"padding", "sums", "views"}


if __name__ == "__main__":
    rewrite()
