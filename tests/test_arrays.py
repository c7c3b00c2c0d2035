"""How the table's operations are spelled on arrays, against their formulas on floats, which are the truth.

A program made of these spellings must compute what a recording computes: at every point, its edges, its tails, its
kinks; and for arrays of every shape, in the precision they come in.
"""

import ast
import itertools
import math
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autograd import arrays
from autograd.ops import TABLE

inf, nan = math.inf, math.nan
BUILT_IN = dict(TABLE)  # what doctests and other tests define comes and goes
ELEMENTWISE = [name for name, entry in BUILT_IN.items() if not entry.variadic]
REDUCTIONS = ["sum", "mean", "prod", "norm", "logsumexp", "largest"]
SCOPE = {"np": np} | {name: getattr(arrays, name) for name in arrays.__all__}

EDGES = [0.0, -0.0, 5e-324, -1e-310, 1.0, -1.0, 0.5, -2.0, 3.0, 1e10, -1e200, 1.7e308, inf, -inf, nan]
LINES = """
    1e-320 1e-308 1e-300 1e-160 1e-100 1e-20 1e-8 1e-4 0.01 0.1 0.2 5.5 8.4 15 17 19.1 20 22 26.6 28 30 37 37.6 38.4
    38.6 39 40 60 300 708 709.5 710 744 746 750 799 801 1e3 1e4 1e6 1e16 1e17 1e150 1e154 1e155 1e300 1e308
"""
TAILS = [float(x) for x in LINES.split()]
KINKS = [-6.0, -3.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0, 2.5, 3.0, 6.0]
SETTINGS = [0.0, -0.0, 1e-300, 1e-8, 0.3, 1.0, 1.702, -0.7, 40.0, 1e10, -1e200, 1e300, inf, -inf, nan]


def numbers():
    """Points for one input: edges, tails, both sides of kinks, a grid, and random ones of every magnitude."""
    rng = random.Random(0)
    xs = EDGES + [sign * x for x in TAILS for sign in (1.0, -1.0)]
    xs += [math.nextafter(x, to) for x in KINKS for to in (x, inf, -inf)]
    xs += [i / 16 for i in range(-700, 701)]
    xs += [rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-320.0, 308.0) for _ in range(100)]
    return xs + [rng.uniform(-45.0, 45.0) for _ in range(200)] + [rng.uniform(-3.0, 3.0) for _ in range(200)]


def pairs():
    """Points for two inputs."""
    rng = random.Random(1)
    some = [rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-5.0, 5.0) for _ in range(20)]
    integers = [float(i) for i in range(-4, 9)]
    near = [(x, math.nextafter(x, to)) for x in KINKS for to in (x, inf, -inf)]
    values = EDGES + TAILS[::3] + integers + some
    return [
        *itertools.product(values, repeat=2),
        *near,
        *((rng.gauss(0, 3), rng.gauss(0, 3)) for _ in range(200)),
    ]


XS, PAIRS = numbers(), pairs()
TRIPLES = [*itertools.product(EDGES[::2], EDGES, EDGES)]


def spelled(entry, *inputs):
    """What the spelling gives."""
    names = [f"x{i}" for i in range(len(inputs))]
    with np.errstate(all="ignore"):
        return eval(entry.numpy.format(*names), SCOPE | dict(zip(names, inputs, strict=True)))


def truth(entry, *inputs):
    """What the formula gives, elementwise."""
    arrays_ = np.broadcast_arrays(*(np.asarray(x, float) for x in inputs))
    flat = [entry.formula(*xs) for xs in zip(*(x.ravel().tolist() for x in arrays_), strict=True)]
    return np.reshape(np.array(flat, float), arrays_[0].shape)


def check(got, want, *inputs, rtol=1e-13, atol=1e-322):
    """Equal but for rounding; infinite or nan where the other is."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    with np.errstate(all="ignore"):
        good = (
            (got == want)
            | (np.isnan(got) & np.isnan(want))
            | (np.abs(got - want) <= atol + rtol * np.abs(want))
        )
    if not good.all():
        worst = np.argwhere(~good)[:8]
        points = np.broadcast_arrays(*inputs)
        lines = [
            f"at {[float(x[tuple(i)]) for x in points]}: {got[tuple(i)]!r}, not {want[tuple(i)]!r}"
            for i in worst
        ]
        raise AssertionError(f"{(~good).sum()} of {good.size} points\n" + "\n".join(lines))


def grid(entry):
    """Arrays of points for every input, all of them operands."""
    n = len(entry.rules)
    return [np.array(xs) for xs in zip(*(((x,) for x in XS), PAIRS, TRIPLES)[n - 1], strict=True)]


def settings(entry):
    """Settings as plain numbers: the usual ones, random ones in order, whole ones, and every edge."""
    n, rng = entry.parameters, random.Random(entry.name)
    yield tuple(entry.defaults)[-n:] if len(entry.defaults) >= n else (2.0,) * n
    for _ in range(3):
        yield tuple(sorted(rng.uniform(0.2, 3.0) for _ in range(n)))
    yield tuple(range(1, n + 1))
    yield tuple(range(-n, 0))
    yield from itertools.product(SETTINGS, repeat=n)
    if entry.name == "pow":
        yield from ((float(y),) for y in (0.5, -0.5, 2, 3, 4, 5, 7, 13, 64, 65, -2, -3, -1, 1.5, 1 / 3, 300))


def moderate(entry, size=300, dtype=np.float64):
    """Operands inside the domain and away from where float32 ends."""
    rng = np.random.default_rng(5)
    n = len(entry.rules) - entry.parameters
    ends = [(max(low, -6.0), min(high, 6.0)) for low, high in entry.domain[:n]]
    xs = [(low + (high - low) * rng.random(size)).astype(dtype) for low, high in ends]
    if entry.name in ("floordiv", "mod"):
        xs[1] = np.abs(xs[1]) + dtype(0.5)
    return xs


def usual(entry):
    """Settings that float32 has too."""
    return (0.5, 0.75, 1.25)[: entry.parameters] if entry.name != "pow" else (3.0,)


# The whole table ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_it_agrees_with_the_formula_everywhere(name):
    entry = BUILT_IN[name]
    if not entry.parameters:
        xs = grid(entry)
        check(spelled(entry, *xs), truth(entry, *xs), *xs)
        return
    xs = np.array(XS)
    for each in settings(entry):
        some = (
            xs if each == tuple(entry.defaults) else np.concatenate([EDGES, xs[:: 1 + 2 * entry.parameters]])
        )
        try:
            check(spelled(entry, some, *each), truth(entry, some, *each), some)
        except AssertionError as error:
            raise AssertionError(f"{entry.numpy} with {each}: {error}") from None


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if BUILT_IN[name].parameters])
def test_settings_may_be_learned(name):
    """They are arrays then, of any shape that fits."""
    entry = BUILT_IN[name]
    rng = random.Random(name)
    xs = [np.array(XS)] + [np.array([rng.choice(SETTINGS) for _ in XS]) for _ in range(entry.parameters)]
    check(spelled(entry, *xs), truth(entry, *xs), *xs)
    more = [np.array([0.7, 1.0, 1.9]) + i for i in range(entry.parameters)]
    column = np.abs(xs[0][::9, None]) if name == "pow" else xs[0][::9, None]
    check(spelled(entry, column, *more), truth(entry, column, *more), column, *more)
    for scalar in (nan, inf, -0.7):
        point = np.float64(scalar)
        check(spelled(entry, point, *more), truth(entry, point, *more), point, *more)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if len(BUILT_IN[name].rules) > 1])
def test_operands_may_be_numbers_or_broadcast(name):
    entry = BUILT_IN[name]
    n = len(entry.rules) - entry.parameters
    column, row = np.array(EDGES)[:, None], np.array(EDGES[::-1])
    for first in itertools.product([column, row, *([2.0, 0.0, inf, -0.5] if n > 1 else [])], repeat=n):
        if any(isinstance(x, np.ndarray) for x in first):
            xs = (*first, *usual(entry))
            check(spelled(entry, *xs), truth(entry, *xs), *xs)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_shape(name):
    entry = BUILT_IN[name]
    xs, more = moderate(entry), usual(entry)
    want = spelled(entry, *xs, *more)
    for shape in [(10, 30), (5, 3, 20), (300, 1)]:
        got = spelled(entry, *(x.reshape(shape) for x in xs), *more)
        check(got, want.reshape(shape), rtol=1e-14)
        got = spelled(entry, *(x.reshape(shape).T for x in xs), *more)  # not contiguous
        check(got, want.reshape(shape).T, rtol=1e-14)
    size = 2 * arrays.BLOCK + 7
    got = spelled(entry, *(np.resize(x, (size, 2)) for x in xs), *more)
    check(got, np.resize(want, (size, 2)), rtol=1e-14)
    assert spelled(entry, *(x[:0].reshape(0, 3) for x in xs), *more).shape == (0, 3)
    for i in range(3):
        check(spelled(entry, *(x[i] for x in xs), *more), want[i], rtol=1e-14)  # NumPy's scalars
        check(spelled(entry, *(x[i, ...] for x in xs), *more), want[i], rtol=1e-14)  # arrays of no axes


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_inputs_stay_as_they_are(name):
    entry = BUILT_IN[name]
    xs = moderate(entry)
    before = [x.copy() for x in xs]
    first = spelled(entry, *xs, *usual(entry))
    kept = np.array(first)
    spelled(entry, *(x[::-1] for x in xs), *usual(entry))  # nor is a result overwritten by the next
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(xs, before)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_single_precision_stays_single(name):
    entry = BUILT_IN[name]
    xs = moderate(entry, dtype=np.float32)
    for more in {usual(entry), (1.0, 1.0, 2.0)[: entry.parameters], (1, 1, 2)[: entry.parameters]}:
        got = spelled(entry, *xs, *more)
        assert got.dtype == np.float32
        check(got, truth(entry, *xs, *more), *xs, rtol=2e-5, atol=1e-6)
    for i in range(len(xs)):
        if len(xs) > 1:  # a constant among the operands
            mixed = [1.5 if i == j else x for j, x in enumerate(xs)]
            assert spelled(entry, *mixed).dtype == np.float32
    if name == "where":
        assert spelled(entry, xs[0], 1.0, 0.5).dtype == np.float32
    large = [np.resize(x, 3 * arrays.BLOCK) for x in xs]
    assert spelled(entry, *large, *usual(entry)).dtype == np.float32


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_spelling_is_an_expression_of_known_names(name):
    entry = BUILT_IN[name]
    tree = ast.parse(entry.numpy.format("x0", "x1", "x2"), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names <= {"np", "x0", "x1", "x2", *arrays.__all__}


def test_every_array_formula_is_of_use():
    spellings = " ".join(entry.numpy for entry in BUILT_IN.values())
    of_products = {"vecdot"}  # what sums of products become
    assert {name for name in arrays.__all__ if f"{name}(" not in spellings} == of_products
    assert sorted(arrays.__all__) == arrays.__all__


# Of vectors: over the last axis ------------------------------------------------------------------------------------


def reduced(name, rows):
    """The formula's answer for every row of the last axis."""
    rows = np.asarray(rows, float)
    flat = [BUILT_IN[name].formula(*row) for row in rows.reshape(-1, rows.shape[-1]).tolist()]
    return np.reshape(np.array(flat), rows.shape[:-1])


def check_rows(name, rows, **tolerance):
    """A sum in another order may differ by the rounding of its largest term."""
    rows = np.asarray(rows)
    with np.errstate(all="ignore"):
        size = np.sum(np.abs(rows.astype(float)), axis=-1) if name in ("sum", "mean") else 0.0
        size = np.abs(np.max(rows, axis=-1)) if name == "logsumexp" else size
        slack = np.where(np.isfinite(size), size, 0.0) * tolerance.get("rtol", 1e-15) + tolerance.get(
            "atol", 1e-300
        )
    got = spelled(BUILT_IN[name], rows)
    assert got.dtype == rows.dtype
    check(got, reduced(name, rows), **(tolerance | {"atol": slack}))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    rng = np.random.default_rng(0)
    for shape in [(7,), (1,), (4, 5), (2, 3, 6), (3, 1), (20, 1000)]:
        for scale in (1.0, 3.0, 300.0):
            check_rows(name, scale * rng.normal(size=shape))
            check_rows(name, scale * rng.normal(size=shape[::-1]).T)
    few = [0.0, -0.0, 1.0, -2.5, 700.0, 1e-5, inf, -inf, nan]
    check_rows(name, [*itertools.product(few, repeat=3)])
    check_rows(name, [*itertools.product(few, repeat=1)])
    for row in itertools.product(few, repeat=2):  # not all rows are looked at alike
        check_rows(name, row)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_in_single_precision(name):
    rows = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    check_rows(name, rows, rtol=2e-5, atol=1e-6)
    check_rows(name, rows * np.float32(1e-12), rtol=2e-5, atol=1e-6)


def test_the_norm_neither_overflows_nor_vanishes():
    rows = [
        [3e200, 4e200],
        [3e-200, 4e-200],
        [0.0, 0.0],
        [3.0, 4.0],
        [5e-324, 0.0],
        [1.7e308, 1e308],
        [inf, nan],
    ]
    check_rows("norm", rows)
    for row in rows:
        check_rows("norm", row)


def test_logsumexp_keeps_the_digits_of_what_is_small():
    rows = [
        [0.0, -40.0, -45.0],
        [0.0, -1e3, -700.0],
        [1e4, 1e4, -1e4],
        [-1e300, -1e300, 0.0],
        [800.0, 1.0, 800.0],
    ]
    check_rows("logsumexp", rows, rtol=1e-14)
    np.testing.assert_allclose(arrays.logsumexp([0.0, -40.0]), math.exp(-40.0), rtol=1e-14)


# What the array formulas say beyond that ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["erf", "erfc", "normal_cdf", "gelu"])
def test_the_bell_curve_has_all_its_digits(name):
    """With x^2 rounded, they would be wrong by x^2 / 2 units in the last place."""
    xs = np.concatenate([np.linspace(-40.0, 40.0, 4001), np.geomspace(1e-10, 6.0, 500)])
    check(SCOPE[name](xs), truth(BUILT_IN[name], xs), xs, rtol=2e-15)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu", "gelu", "erf", "erfc", "mish", "snake"])
def test_of_a_float_a_float(name):
    with np.errstate(all="ignore"):
        for x in (0.3, -800.0, inf, -inf, nan, 2):
            got = SCOPE[name](x)
            assert type(got) is float
            check(got, BUILT_IN[name](x))
        check(SCOPE[name](np.array([1, -2])), [BUILT_IN[name](1.0), BUILT_IN[name](-2.0)])


def test_threads_do_not_share_their_room():
    xs = [np.random.default_rng(i).normal(size=5000) for i in range(8)]
    want = [arrays.gelu(x) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            for got, expected in zip(pool.map(arrays.gelu, xs), want, strict=True):
                np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("vecdot", [arrays.vecdot, arrays.by_einsum])
def test_vecdot_sums_products_over_the_last_axis(vecdot):
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(vecdot(x, y), (x * y).sum(axis=-1), rtol=1e-14)
    np.testing.assert_allclose(vecdot(x, y[0]), (x * y[0]).sum(axis=-1), rtol=1e-14)
    assert vecdot(x.astype(np.float32), y.astype(np.float32)).dtype == np.float32
