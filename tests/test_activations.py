"""The catalogue of activation functions: what it says of each is measured, not believed.

Value and derivatives of those in the table are tested with the whole table, in `tests.test_ops`.
"""

import copy
import functools
import itertools
import math
import pickle
import random

import numpy as np
import pytest

import autograd
import nn
from autograd.ops import TABLE, Op
from autograd.value import Value, gradients
from nn import activations
from nn.activations import ACTIVATIONS, Activation, get, register

from .reference import exact

inf, nan = math.inf, math.nan
ROWS = dict(ACTIVATIONS)
SCALAR = [row for row in ROWS.values() if not row.vector]
VECTOR = [row for row in ROWS.values() if row.vector]
by_name = pytest.mark.parametrize("row", SCALAR, ids=lambda row: row.name)
each_vector = pytest.mark.parametrize("row", VECTOR, ids=lambda row: row.name)

DENSE = sorted({i / 128 for i in range(-2560, 2561)} | {s * 10.0**k for k in range(2, 13) for s in (1, -1)})


def outputs(row):
    return [row.function(x) for x in DENSE]


# What the catalogue says -------------------------------------------------------------------------------------------


def test_all_of_them_are_there():
    scalar = """
        identity step sign sigmoid tanh relu leaky_relu prelu rrelu elu selu celu gelu gelu_tanh quick_gelu silu mish
        softplus softsign squareplus hardtanh relu6 hardsigmoid hardswish tanhshrink softshrink hardshrink threshold
        thresholded_relu logsigmoid exponential gaussian sparse_plus sparse_sigmoid sin arctan bent_identity isru
        lisht snake squared_relu"""
    vector = """
        softmax softmin log_softmax logsumexp sparsemax gumbel_softmax glu reglu geglu swiglu maxout"""
    assert {row.name for row in SCALAR} == set(scalar.split())
    assert {row.name for row in VECTOR} == set(vector.split())


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_every_row_is_full(row):
    assert row.formula
    assert row.use_for
    assert row.source
    assert row.range is not None
    assert row.init in (*nn.init.INITIALISERS, *nn.init.ALIASES)
    assert getattr(activations, row.name) is row.function
    assert (row.function.__doc__ or "").strip()
    assert get(row.name) is get(row) is get(row.function) is row


@by_name
def test_range(row):
    """No output leaves it, and some come close to either end; beyond 1e6 an end counts as reached."""
    low, high = row.range
    ys = outputs(row)
    assert low <= min(ys)
    assert max(ys) <= high
    assert min(ys) <= (low + 2e-3 * max(1.0, abs(low)) if low > -inf else -1e6)
    assert max(ys) >= (high - 2e-3 * max(1.0, abs(high)) if high < inf else 1e6)


@pytest.mark.parametrize(
    ("name", "low", "where"),
    [
        ("gelu", -0.16997, -0.75179),
        ("gelu_tanh", -0.17004, -0.75246),
        ("silu", -0.27846, -1.27846),
        ("mish", -0.30884, -1.19243),
        ("hardswish", -0.375, -1.5),
        ("quick_gelu", -0.16361, -0.75115),
    ],
)
def test_minimum(name, low, where):
    """The infimum is a minimum; where it lies, the slope is 0 and the value the end of the range."""
    function, (infimum, _) = ROWS[name].function, ROWS[name].range or (nan, nan)
    assert infimum == pytest.approx(low, abs=5e-6)
    a, b = Value(where - 6e-6), Value(where + 6e-6)
    assert function(a).partials[0] < 0.0 < function(b).partials[0]
    assert function(where) == pytest.approx(infimum, abs=1e-10)
    assert min(function(where + i * 1e-9) for i in range(-3000, 3000)) >= infimum - 4.0 * math.ulp(low)


@by_name
def test_monotone(row):
    ys = outputs(row)
    falls = any(b < a for a, b in itertools.pairwise(ys))
    assert falls is not row.monotone


@by_name
def test_zero_centred(row):
    """That is: odd."""
    odd = all(row.function(-x) == -row.function(x) for x in DENSE if x and abs(x) not in (row.kinks or ()))
    assert odd is row.zero_centred
    assert not odd or row.function(0.0) == 0.0


def slope(function, x):
    x = Value(x)
    out = function(x)
    return 0.0 if not out.op else gradients(out).get(x, 0.0)


@by_name
def test_kinks(row):
    """There value or slope jump, and nowhere else."""
    jumps = set()
    for x in (i / 64 for i in range(-512, 513)):  # holds all kinks exactly
        left, right = x - 1e-9, x + 1e-9
        if abs(slope(row.function, right) - slope(row.function, left)) > 1e-6 * (
            1.0 + abs(row.function(x))
        ) or abs(row.function(right) - row.function(left)) > 1e-6 * (1.0 + abs(row.function(x))):
            jumps.add(x)
    assert jumps == set(row.kinks)


# What PyTorch says at the kinks: (x, slope)
AT_KINKS = {
    "step": [(0.0, 0.0)],
    "sign": [(0.0, 0.0)],
    "relu": [(0.0, 0.0), (-0.0, 0.0)],
    "leaky_relu": [(0.0, 0.01)],
    "prelu": [(0.0, 0.25)],
    "rrelu": [(0.0, 11 / 48)],
    "elu": [(0.0, 1.0)],
    "selu": [(0.0, 1.7580993408473766)],
    "celu": [(0.0, 1.0)],
    "softsign": [(0.0, 1.0)],
    "hardtanh": [(-1.0, 0.0), (1.0, 0.0), (0.5, 1.0)],
    "relu6": [(0.0, 0.0), (6.0, 0.0), (3.0, 1.0)],
    "hardsigmoid": [(-3.0, 0.0), (3.0, 0.0), (0.0, 1 / 6)],
    "hardswish": [(-3.0, 0.0), (3.0, 1.0), (0.0, 0.5)],
    "tanhshrink": [(0.0, 0.0)],
    "softshrink": [(0.5, 0.0), (-0.5, 0.0), (0.75, 1.0)],
    "hardshrink": [(0.5, 0.0), (-0.5, 0.0), (0.75, 1.0)],
    "threshold": [(0.0, 0.0)],
    "thresholded_relu": [(1.0, 0.0)],
    "logsigmoid": [(0.0, 0.5)],
    "sparse_plus": [(-1.0, 0.0), (1.0, 1.0), (0.0, 0.5)],
    "sparse_sigmoid": [(-1.0, 0.0), (1.0, 0.0), (0.0, 0.5)],
    "squared_relu": [(0.0, 0.0)],
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_slope_at_kinks(name):
    for x, expected in AT_KINKS[name]:
        v = Value(x)
        out = ROWS[name].function(v)
        assert gradients(out).get(v, 0.0) == pytest.approx(expected, abs=1e-16), x
        recorded = gradients(out, create_graph=True).get(v, 0.0)
        assert float(recorded) == gradients(out).get(v, 0.0), x


def test_every_kink_is_tested():
    for row in SCALAR:
        if row.kinks:
            assert set(row.kinks) <= {x for x, _ in AT_KINKS[row.name]}


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: autograd.step(0.0), 1.0),
        (lambda: autograd.step(0.3, 0.5), 0.0),
        (lambda: autograd.leaky_relu(-2.0), -0.02),
        (lambda: autograd.leaky_relu(-2.0, 0.2), -0.4),
        (lambda: autograd.prelu(-2.0), -0.5),
        (lambda: autograd.elu(-inf, 2.0), -2.0),
        (lambda: autograd.hardtanh(5.0, -2.0, 3.0), 3.0),
        (lambda: autograd.softshrink(2.0), 1.5),
        (lambda: autograd.hardshrink(0.5), 0.0),
        (lambda: autograd.hardshrink(0.6), 0.6),
        (lambda: autograd.threshold(1.0, 2.0, -7.0), -7.0),
        (lambda: autograd.thresholded_relu(1.0), 0.0),
        (lambda: autograd.squareplus(0.0), 1.0),
        (lambda: autograd.softplus(0.0, 2.0), math.log(2.0) / 2.0),
        (lambda: autograd.gelu(1.0), 0.8413447460685429),
        (lambda: autograd.gelu_tanh(1.0), 0.8411919906082768),
        (lambda: autograd.selu(1.0), 1.0507009873554805),
        (lambda: autograd.hardswish(1.0), 2.0 / 3.0),
        (lambda: autograd.silu(1.0, 2.0), 0.8807970779778823),
        (lambda: autograd.snake(math.pi / 2), 1.0 + math.pi / 2),
    ],
)
def test_settings_and_values(call, value):
    assert call() == pytest.approx(value, rel=2e-16)


def test_a_learned_slope_gets_a_gradient():
    slope = Value(0.25, label="slope")
    loss = autograd.prelu(Value(-2.0), slope) + autograd.prelu(Value(3.0), slope)
    loss.backward()
    assert slope.grad == -2.0
    again = autograd.prelu(Value(-3.0), slope) ** 2
    (d,) = [gradients(again, create_graph=True)[slope]]
    assert gradients(d)[slope] == 18.0


def test_where_doubles_end():
    assert autograd.sigmoid(37.0) == 1.0
    assert autograd.sigmoid(36.0) < 1.0
    assert autograd.tanh(19.07) == 1.0
    assert autograd.tanh(19.0) < 1.0
    assert autograd.gelu(-8.4) < 0.0
    assert slope(autograd.sigmoid, 50.0) == pytest.approx(1.928749847963918e-22, rel=1e-15)
    assert autograd.squareplus(-1e4) == pytest.approx(1e-4, rel=1e-7)


@pytest.mark.parametrize("x", [-38.4, -37.2, -37.6, -30.0])
def test_gelu_is_of_one_piece(x):
    """Where its formula changes to a series."""
    assert abs(autograd.gelu(x) - float(exact("gelu", (x,)))) <= 4.0 * math.ulp(autograd.gelu(x))


# rrelu -------------------------------------------------------------------------------------------------------------


def test_rrelu():
    rrelu = activations.rrelu
    assert rrelu(-48.0) == -11.0
    assert rrelu(3.0, training=True, rng=0) == 3.0
    draws = rrelu(np.full(2000, -1.0), training=True, rng=1)
    assert draws.shape == (2000,)
    assert -1 / 3 <= draws.min() < -0.33
    assert -0.13 < draws.max() <= -1 / 8
    assert draws.mean() == pytest.approx(-11 / 48, abs=5e-3)
    assert np.array_equal(draws, rrelu(np.full(2000, -1.0), training=True, rng=1))
    generator = random.Random(3)
    assert rrelu(-1.0, training=True, rng=generator) != rrelu(-1.0, training=True, rng=generator)
    x = Value(-2.0)
    out = rrelu(x, 0.1, 0.2, training=True, rng=5)
    assert -0.4 < out.data < -0.2
    assert gradients(out)[x] == out.data / -2.0
    assert rrelu([[x, -1.0]], training=True).shape == (1, 2)
    with pytest.raises(ValueError, match=r"rrelu needs low <= high. Received: low=0.5, high=0.25"):
        rrelu(1.0, 0.5, 0.25)


# Vectors -----------------------------------------------------------------------------------------------------------

EXAMPLE = [0.3, -1.2, 2.0, 0.9]
SEEDED = {"gumbel_softmax": {"rng": 0}}


def vector(row):
    return functools.partial(row.function, **(SEEDED.get(row.name) or {}))


def flat(result):
    return result if isinstance(result, list) else [result]


@each_vector
def test_vector_lists_and_arrays(row):
    function = vector(row)
    found = flat(function(EXAMPLE))
    assert all(type(y) is float for y in found)
    assert flat(function(tuple(EXAMPLE))) == flat(function(iter(EXAMPLE))) == found
    as_array = function(np.array(EXAMPLE))
    assert as_array.tolist() == found if len(found) > 1 else float(as_array) == found[0]
    block = np.array([[EXAMPLE, EXAMPLE[::-1]], [EXAMPLE] * 2])
    many = function(block)
    assert many.dtype == float
    assert many.shape[:2] == (2, 2)
    assert np.array_equal(np.ravel(many[0, 0]), found)
    assert flat(function([EXAMPLE, EXAMPLE])[1]) == found
    of_values = flat(function([Value(x) for x in EXAMPLE]))
    assert [y.data for y in of_values] == found
    mixed = np.array([Value(EXAMPLE[0]), *EXAMPLE[1:]], dtype=object)
    assert [float(y) for y in np.ravel(function(mixed))] == found
    low, high = row.range
    assert all(low <= y <= high for y in found)


@each_vector
def test_vector_gradients(row):
    """Of a weighted sum of the outputs, to second order, against central differences."""
    function = vector(row)

    def loss(xs):
        return sum((i + 1.5) * y for i, y in enumerate(flat(function(xs))))

    xs = [Value(x) for x in EXAMPLE]
    first = gradients(loss(xs), create_graph=True)
    for i, x in enumerate(xs):
        shifted = [[float(v) + step * (v is x) for v in xs] for step in (1e-6, -1e-6)]
        expected = (loss(shifted[0]) - loss(shifted[1])) / 2e-6
        got = float(first.get(x, 0.0))
        assert got == pytest.approx(expected, abs=1e-8), (row.name, i)
        second = gradients(first[x]) if isinstance(first.get(x), Value) and first[x].op else {}
        for j, other in enumerate(xs):

            def slope(step, i=i, other=other):
                moved = [Value(float(v) + step * (v is other)) for v in xs]
                return gradients(loss(moved)).get(moved[i], 0.0)

            expected = (slope(1e-5) - slope(-1e-5)) / 2e-5
            assert second.get(other, 0.0) == pytest.approx(expected, abs=1e-7), (row.name, i, j)


@each_vector
def test_vector_errors(row):
    function, name = vector(row), row.name
    with pytest.raises(ValueError, match=f"{name} needs at least one number. Received: none"):
        function([])
    with pytest.raises(ValueError, match=f"{name} needs at least one number. Received: none"):
        function(np.zeros((2, 0)))
    for wrong in (1.0, Value(1.0), "ab", None, {1.0: 2.0}, np.array(1.0)):
        with pytest.raises(
            TypeError, match=rf"{name} needs a list or array of numbers or Values. Received: "
        ):
            function(wrong)
    with pytest.raises(TypeError, match=r"a Value holds one real number. Received: str"):
        function(["a", 1.0])


@each_vector
def test_vector_monotone_and_zero_centred(row):
    function, rng = vector(row), random.Random(row.name)
    falls = odd = 0
    trials = 60
    for _ in range(trials):
        xs = [rng.uniform(-3.0, 3.0) for _ in range(4)]
        base = flat(function(xs))
        odd += [-y for y in base] == flat(function([-x for x in xs]))
        for i in range(4):
            falls += any(
                b < a - 1e-12
                for a, b in zip(
                    base, flat(function([x + 0.5 * (i == j) for j, x in enumerate(xs)])), strict=True
                )
            )
    assert (falls == 0) is row.monotone
    assert (odd == trials) is row.zero_centred


@pytest.mark.parametrize(
    ("xs", "expected"),
    [
        ([1e4, 0.0], [1.0, 0.0]),
        ([-inf, 0.0], [0.0, 1.0]),
        ([inf, 0.0], [nan, nan]),
        ([-inf, -inf], [nan, nan]),
        ([nan, 0.0], [nan, nan]),
        ([0.0, nan], [nan, nan]),
        ([5.0], [1.0]),
        ([-1e308, 1e308], [0.0, 1.0]),
    ],
)
def test_softmax_at_the_edges(xs, expected):
    for found in (
        activations.softmax(xs),
        [y.data for y in activations.softmax([Value(x) for x in xs])],
        activations.softmin([-x for x in xs]),
        [math.exp(y) for y in activations.log_softmax(xs)],
        activations.sparsemax(xs),
    ):
        assert all(a == b or (a != a and b != b) for a, b in zip(found, expected, strict=True)), found


def test_softmax_gradient_at_the_edges():
    for function in (activations.softmax, activations.sparsemax):
        xs = [Value(-inf), Value(0.0), Value(1e4)]
        found = gradients(function(xs)[2])
        assert [found.get(x, 0.0) for x in xs] == [0.0, 0.0, 0.0]
    xs = [Value(-inf), Value(0.0)]
    found = gradients(activations.log_softmax(xs)[1])
    assert [found[x] for x in xs] == [0.0, 0.0]


def test_softmax_and_logsumexp_with_a_temperature():
    xs = [1.0, 2.0, 4.0]
    for t in (0.1, 1.0, 10.0):
        e = [math.exp(x / t) for x in xs]
        assert activations.softmax(xs, temperature=t) == pytest.approx([p / sum(e) for p in e], rel=1e-14)
        assert activations.softmin(xs, t) == pytest.approx(
            activations.softmax([-x for x in xs], t), rel=1e-14
        )
        assert activations.logsumexp(xs, t) == pytest.approx(t * math.log(sum(e)), rel=1e-14)
        assert activations.log_softmax(xs, t) == pytest.approx([math.log(p / sum(e)) for p in e], rel=1e-13)
    warmth = Value(2.0)
    (p, _) = activations.softmax([1.0, 0.0], warmth)
    s = 1.0 / (1.0 + math.exp(-0.5))
    assert gradients(p)[warmth] == pytest.approx(-s * (1.0 - s) / 4.0, rel=1e-14)
    for wrong in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match=r"a temperature is above 0. Received: "):
            activations.softmax(xs, wrong)


def test_logsumexp_at_the_edges():
    assert activations.logsumexp([-inf, -inf]) == -inf
    assert activations.logsumexp([inf, 0.0]) == inf
    assert math.isnan(activations.logsumexp([nan, inf]))
    assert activations.logsumexp([1e4, 0.0]) == 1e4


def test_log_softmax_keeps_its_digits():
    assert activations.log_softmax([1e4, 1e4 + 1.0]) == activations.log_softmax([0.0, 1.0])
    assert activations.log_softmax([0.0, -1000.0]) == [0.0, -1000.0]


def test_sparsemax_is_a_projection():
    rng = random.Random(0)
    for _ in range(50):
        xs = [rng.gauss(0.0, 1.5) for _ in range(rng.randint(1, 7))]
        p = activations.sparsemax(xs)
        assert sum(p) == pytest.approx(1.0, abs=1e-14)
        assert min(p) >= 0.0
        taus = [x - q for x, q in zip(xs, p, strict=True) if q > 0.0]
        assert max(taus) - min(taus) < 1e-14  # one tau for all that are in,
        assert all(x <= taus[0] + 1e-14 for x, q in zip(xs, p, strict=True) if q == 0.0)  # above what is out
    x = 0.6
    assert activations.sparsemax([x, 0.0]) == pytest.approx(
        [autograd.sparse_sigmoid(x), autograd.sparse_sigmoid(-x)]
    )
    assert activations.sparsemax([3.0, 3.0]) == [0.5, 0.5]


@pytest.mark.parametrize("generator", [random.Random, np.random.default_rng])
def test_draws_are_those_of_the_generator(generator):
    rng, twin = generator(3), generator(3)
    noise = [-math.log(-math.log(float(twin.random()))) for _ in range(3)]
    soft = activations.softmax([x + g for x, g in zip([0.5, 1.0, -1.0], noise, strict=True)])
    assert activations.gumbel_softmax([0.5, 1.0, -1.0], rng=rng) == soft
    slope = float(twin.uniform(0.125, 0.25))
    assert activations.rrelu(-8.0, 0.125, 0.25, training=True, rng=rng) == -8.0 * slope


def test_draws_of_a_compiled_function():
    """They are new at each call and for each sample, whatever rng is given, and moves no other generator."""
    rng = random.Random(0)
    state = rng.getstate()
    for f in (
        lambda x: activations.gumbel_softmax(x, 0.5, rng=rng),
        lambda x: activations.rrelu(x - 5.0, training=True, rng=rng),
        lambda x: [activations.rrelu(v - 5.0, training=True, rng=0) for v in x],
    ):
        program = autograd.compile(f, batch=True)
        draws = np.array([program(np.zeros((4, 3))) for _ in range(5)])
        assert len(np.unique(draws)) == draws.size
        assert np.array_equal(draws[0], autograd.compile(f, batch=True)(np.zeros((4, 3))))
        if draws.min() > 0.0:
            assert draws.sum(axis=-1) == pytest.approx(np.ones((5, 4)))
        else:
            assert ((draws > -5.0 / 3.0) & (draws < -5.0 / 8.0)).all()
    assert rng.getstate() == state


def test_the_temperature_may_be_an_input():
    program = autograd.compile(lambda x, t: activations.softmax(x, t), batch=True)
    x, t = np.array([[1.0, 3.0], [1e4, -1e4], [0.0, 0.5]]), np.array([1.0, 2.0, 0.25])
    expected = [activations.softmax(row.tolist(), s) for row, s in zip(x, t.tolist(), strict=True)]
    assert program(x, t) == pytest.approx(np.array(expected), rel=1e-13)


def test_what_chooses_by_number_cannot_be_compiled():
    for f in (
        lambda x: activations.sparsemax(x),
        lambda x: activations.sparsemax([Value(1.0), Value(2.0)]),
        lambda x: activations.gumbel_softmax(x, hard=True),
    ):
        with pytest.raises(TypeError, match=f"test_activations.py:{f.__code__.co_firstlineno}: float"):
            autograd.compile(f)(np.zeros(3))


def test_gumbel_softmax():
    draw = activations.gumbel_softmax
    state = random.getstate()
    xs, rng = [0.0, 1.0, -1.0], np.random.default_rng(0)
    wins = np.mean([draw(xs, hard=True, rng=rng) for _ in range(4000)], axis=0)
    assert wins == pytest.approx(activations.softmax(xs), abs=0.025)  # three deviations
    soft, hard = draw(xs, 0.5, rng=3), draw(xs, 0.5, hard=True, rng=3)
    assert draw(xs, 0.5, rng=3) == soft
    assert sorted(hard) == [0.0, 0.0, 1.0]
    assert hard.index(1.0) == soft.index(max(soft))
    assert max(draw(xs, 0.01, rng=3)) > 0.99
    values = [Value(x) for x in xs]
    through = [gradients(draw(values, 0.5, hard=hard, rng=3)[0]) for hard in (False, True)]
    assert [through[0][x] for x in values] == [through[1][x] for x in values]
    assert random.getstate() == state
    assert draw([2.0], rng=0) == [1.0]


@pytest.mark.parametrize(
    ("name", "gate"), [("glu", "sigmoid"), ("reglu", "relu"), ("geglu", "gelu"), ("swiglu", "silu")]
)
def test_gated_units(name, gate):
    gate = TABLE[gate]
    found = ROWS[name].function([2.0, -3.0, 0.5, 1.5])
    assert found == [2.0 * gate(0.5), -3.0 * gate(1.5)]
    with pytest.raises(
        ValueError, match=f"{name} needs an even number of inputs: values, then gates. Received: 3"
    ):
        ROWS[name].function([1.0, 2.0, 3.0])


def test_maxout():
    maxout = activations.maxout
    assert maxout([1.0, 2.0, 4.0, 3.0]) == [2.0, 4.0]
    assert maxout([1.0, 2.0, 4.0, 3.0], pieces=4) == [4.0]
    assert maxout([1.0, 2.0], 1) == [1.0, 2.0]
    assert maxout(np.arange(12.0).reshape(2, 6), 3).tolist() == [[2.0, 5.0], [8.0, 11.0]]
    with pytest.raises(ValueError, match=r"maxout needs a multiple of pieces=2 inputs\. Received: 3"):
        maxout([1.0] * 3, 2)
    for pieces in (0, -2):
        with pytest.raises(ValueError, match=f"pieces to be at least 1. Received: pieces={pieces}"):
            maxout([1.0] * 2, pieces)


# By name -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("linear", "identity"), ("heaviside", "step"), ("binary_step", "step"), ("logistic", "sigmoid"),
        ("swish", "silu"), ("hardsilu", "hardswish"), ("siren", "sin"), ("atan", "arctan"), ("exp", "exponential"),
        ("ReLU", "relu"), ("LeakyReLU", "leaky_relu"), ("hard-tanh", "hardtanh"), ("Log Softmax", "log_softmax"),
        ("GELU", "gelu"), ("tanh ", "tanh"),
    ],
)  # fmt: skip
def test_aliases(alias, name):
    assert get(alias) is ROWS[name]
    assert getattr(activations, alias.strip().replace("-", "_").replace(" ", "_")) is ROWS[name].function


def test_names_are_unique():
    names = [activations.plain(name) for row in ROWS.values() for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


@by_name
def test_methods_are_found(row):
    """The function, the table's entry and the method of Value are one activation."""
    for name in (row.name, *row.aliases):
        if hasattr(Value, name):
            assert get(getattr(Value, name)) is row
    assert hasattr(Value, row.function.name if isinstance(row.function, Op) else row.name)


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match=r"no activation 'sigmiod'. Did you mean sigmoid"):
        get("sigmiod")
    with pytest.raises(ValueError, match=r"no activation 'qqqq'. There are identity, step, .* or maxout"):
        get("qqqq")
    for wrong in (None, 3, 1.0, ["relu"]):
        with pytest.raises(
            TypeError, match=r"an activation is a name or a function of one Value. Received: "
        ):
            get(wrong)
    with pytest.raises(AttributeError, match=r"module 'nn.activations' has no attribute 'rellu'"):
        activations.rellu  # noqa: B018


def test_any_function():
    def square(x):
        """x^2"""
        return x * x

    row = get(square)
    assert (row.name, row.formula, row.range, row.monotone, row.vector) == (
        "square",
        "x^2",
        None,
        None,
        False,
    )
    assert row(3.0) == 9.0
    assert get(lambda x: x).name == "lambda"
    leaky = get(functools.partial(autograd.leaky_relu, slope=0.2))
    assert (leaky.name, leaky.init, leaky(-1.0), leaky.range) == ("leaky_relu", "he", -0.2, None)

    class Scaled:
        def __eq__(self, other):  # and so it has no hash
            return self is other

        def __call__(self, x):
            return 2.0 * x

    assert get(Scaled()).name == "Scaled"
    assert nn.Neuron(2, activation=square, init="ones")([1.0, 2.0]).data == 9.0


@pytest.mark.usefixtures("catalogue")
def test_register():
    cube = register(lambda x: x * x * x, "cube", aliases=["third_power"], init="he", monotone=True)
    assert get("Third-Power") is get("cube") is get(cube.function) is cube
    assert cube.aliases == ("third_power",)
    assert activations.cube is cube.function
    layer = nn.Layer(2, 2, activation="cube", rng=0)
    assert layer.neurons[0].activation is cube
    again = register(lambda x: x**3, "cube")  # as in a notebook, whose cell is run again
    assert get("cube") is again
    pair = register(lambda xs: xs[::-1], "reversed", vector=True)
    assert [v.data for v in nn.Layer(1, 2, activation=pair, init="ones")([2.0])] == [2.0, 2.0]

    @register
    def half(x):
        """x / 2"""
        return x / 2.0

    assert get("half").formula == "x / 2"
    assert half(3.0) == 1.5


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: register(abs, "relu"), ValueError, "the name 'relu' is taken by the activation relu"),
        (lambda: register(abs, "Swish"), ValueError, "the name 'Swish' is taken by the activation silu"),
        (lambda: register(abs, "size", aliases=("TanH",)), ValueError, "taken by the activation tanh"),
        (lambda: register("abs"), TypeError, "an activation is a function. Received: str"),
        (lambda: register(abs, colour="red"), TypeError, "Received: colour"),
        (lambda: register(abs, "no name!"), ValueError, "Received: 'no name!'"),
    ],
)
def test_what_cannot_be_registered(call, error, message):
    before = dict(ACTIVATIONS)
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
    assert before == ACTIVATIONS


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_copies_and_pickles_are_the_same_row(row):
    assert pickle.loads(pickle.dumps(row)) is row
    assert copy.deepcopy(row) is row


def test_an_unnamed_activation_can_be_pickled():
    row = get(math.fabs)
    twin = pickle.loads(pickle.dumps(row))
    assert twin == row
    assert isinstance(twin, Activation)
    net = copy.deepcopy(nn.MLP(2, [2], activation=lambda x: x * x, output_activation=lambda x: x + 1.0))
    assert isinstance(net([1.0, 2.0])[0], Value)
