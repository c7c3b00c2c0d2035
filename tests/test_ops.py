"""Every operation of the table, against mpmath: value, first, second and third derivatives, edges, spellings.

Nothing here names the operations one by one but for what is special about them: a new entry of the table is tested
as soon as `tests.reference` says what it should give.
"""

import itertools
import math
import random

import numpy as np
import pytest
from mpmath import mpf

import autograd
from autograd import arrays as spellings
from autograd import ops
from autograd.ops import TABLE, Op
from autograd.value import Value, gradients

from .accuracy import BAR, BUILT_IN, MAX, TINY, at_kink, record, unit
from .reference import REFERENCE, exact, ulps

inf, nan = math.inf, math.nan
NAMES = sorted(BUILT_IN)

# Where each is looked at -------------------------------------------------------------------------------------------

TAILS = [
    0.0,
    TINY,
    1e-310,
    1e-300,
    1e-160,
    1e-20,
    1e-8,
    1e-3,
    0.5,
    1.0,
    3.0,
    8.4,
    17.0,
    19.1,
    23.0,
    37.3,
    38.4,
]
TAILS += [90.0, 300.0, 709.5, 744.0, 750.0, 1e4, 1e10, 1e160, 1e300, 1.7e308]
PAIRS = [
    (2.0, 3.0),
    (-2.5, 0.5),
    (1e-300, 2.0),
    (3.0, 1e300),
    (1e200, -1e200),
    (-1e-9, 1e9),
    (0.0, 1.5),
    (1.0, -1e-310),
]


def inside(x, interval):
    return interval[0] < x < interval[1]


def settings(entry, rng):
    """Values for the inputs after the first, where these are settings: ordered, because some are low and high."""
    return sorted(rng.uniform(0.3, 2.0) for _ in entry.rules[1:])


def points(entry):
    """Inputs at which value and first derivative are tested: random ones, tails, one ulp beside kinks."""
    rng = random.Random(entry.name)
    if entry.variadic:
        if entry.name == "pick":
            return [[*xs, float(i)] for xs in ([1.5, -2.0, 1e100], [0.0, -1e-100, 7.0]) for i in range(3)]
        sizes = (3, 5, 7) if entry.name == "dot" else (1, 2, 5)
        plain = [[rng.gauss(0.0, 2.0) for _ in range(n)] for n in sizes * 2]
        return [
            *plain,
            [1e-200, 2e-200, -3e-200],
            [1e150, 2e150, 1.5],
            [0.0, -40.0, -45.0],
            [700.0, 710.0, 3.0],
        ]
    n = len(entry.rules)
    first = [rng.uniform(-6.0, 6.0) for _ in range(10)] + [
        rng.gauss(0.0, 1.0) * 10.0**k for k in range(-3, 4)
    ]
    first += [rng.uniform(-1.0, 1.0) for _ in range(8)] + [1.0 + rng.expovariate(1.0) for _ in range(4)]
    if entry.name == "where":
        return [(float(rng.random() < 0.5), rng.gauss(0.0, 2.0), rng.gauss(0.0, 2.0)) for _ in range(8)]
    if n == 1 or entry.defaults:
        usual = entry.defaults if len(entry.defaults) == n - 1 else settings(entry, rng)
        usual = [(-1.0, 2.0)[i] if math.isinf(x) else x for i, x in enumerate(usual)]
        tails = [sign * x for x in TAILS for sign in (1.0, -1.0)]
        kinks = [float(x) for x in entry.kinks] if not callable(entry.kinks) else [-1.0, -0.5, 0.5, 1.0, 2.0]
        beside = [math.nextafter(x, to) for x in kinks for to in (inf, -inf)]
        xs = [(x, *usual) for x in tails + beside] + [(x, *settings(entry, rng)) for x in first]
    else:
        xs = [*PAIRS, *((x, rng.gauss(0.0, 3.0)) for x in first)]
    if entry.name in ("floordiv", "mod"):
        xs = [(x, y) for x, y in xs if abs(x) < 1e9 * abs(y)]
    if entry.name == "pow":
        xs = (
            [(x, y) for x, y in xs if 1e-3 < abs(y) < 1e3]
            + [(x, 2.0) for x in TAILS]
            + [(x, 0.5) for x in TAILS]
        )
    return [x for x in xs if all(map(inside, x, entry.domain)) and (entry.name != "reciprocal" or x[0])]


def moderate(entry, n=6):
    """Random points, away from tails and kinks: where higher derivatives are tested."""
    rng = random.Random(entry.name + "moderate")
    if entry.variadic:
        last = [1.0] if entry.name == "pick" else []
        return [[rng.uniform(0.3, 3.0) for _ in range(3 - len(last))] + last for _ in range(n)]
    found: list = []
    while len(found) < n:
        x = rng.uniform(*(max(-3.0, entry.domain[0][0]), min(3.0, entry.domain[0][1])))
        more = settings(entry, rng) if entry.defaults else [rng.uniform(-2.0, 2.0) for _ in entry.rules[1:]]
        xs = (x, *more)
        if entry.name == "where":
            xs = (1.0, *xs[1:])
        if all(map(inside, xs, entry.domain)) and not at_kink(entry, xs, 1e-3):
            found.append(xs)
    return found


# How exact ---------------------------------------------------------------------------------------------------------


def shown(slopes):
    """0 where no gradient goes."""
    return [0.0 if d is None else float(d) for d in slopes]


def misses(entry, xs, name=None):
    """Value and first derivatives of an entry at xs that are further from the truth than is allowed."""
    name, found = name or entry.name, []
    out = entry.formula(*xs)
    for wrt, got in [((), out), *(((i,), slope) for i, slope in enumerate(shown(entry.slopes(out, *xs))))]:
        if wrt and at_kink(entry, xs):
            continue
        true = exact(name, tuple(xs), wrt)
        off = ulps(got, true)
        if off * math.ulp(min(abs(float(true)), MAX)) > BAR * unit(name, wrt, xs, float(true))[0]:
            what = f"d {name} / d input {wrt[0]}" if wrt else name
            found.append(f"{what} at {tuple(xs)}: got {got!r}, expected {float(true)!r}, {off:.3g} ulp")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_value_and_first_derivative(name):
    assert name in REFERENCE, f"tests.reference needs the function {name}"
    entry = BUILT_IN[name]
    found = [miss for xs in points(entry) for miss in misses(entry, xs)]
    assert not found, "\n".join(found)


def test_the_check_finds_a_rule_that_is_wrong_by_a_thousandth():
    wrong = Op("wrong", "tanh", math.tanh, lambda g, out, x: 1.001 * g * (1.0 - out * out))
    (miss,) = misses(wrong, (0.5,), "tanh")
    assert miss.startswith("d tanh / d input 0 at (0.5,): got 0.7872")
    assert "expected 0.7864" in miss
    assert (
        len(
            misses(
                Op("wrong", "exp", lambda x: 1.001 * math.exp(x), lambda g, out, x: g * out), (0.5,), "exp"
            )
        )
        == 2
    )
    assert not misses(BUILT_IN["tanh"], (0.5,))


def test_the_reference_is_right():
    assert float(exact("pow", (2.0, 3.0), (0,))) == 12.0
    assert float(exact("pow", (2.0, 3.0), (0, 0, 1))) == pytest.approx(10.0 + 12.0 * math.log(2.0), rel=1e-15)
    assert float(exact("sin", (0.0,), (0, 0, 0))) == -1.0
    assert float(exact("tanh", (300.0,), (0,))) == pytest.approx(4.0 * math.exp(-600.0), rel=1e-13)
    assert ulps(1.0 + 2.0**-52, mpf(1)) == 1.0
    assert ulps(0.0, mpf(TINY)) == 1.0
    assert ulps(inf, mpf(1)) == ulps(nan, mpf(1)) == inf


# Higher orders -----------------------------------------------------------------------------------------------------


def slopes_of(output, inputs):
    """The gradients of a Value, recorded, in the order of the inputs."""
    found = gradients(output, 1.0, create_graph=True) if isinstance(output, Value) and output.op else {}
    return [found.get(x, 0.0) for x in inputs]


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives(name):
    entry = BUILT_IN[name]
    for xs in moderate(entry):
        inputs = [Value(x) for x in xs]
        out = record(entry, inputs)
        first = slopes_of(out, inputs)
        for i, slope in enumerate(first):
            for j, got in enumerate(slopes_of(slope, inputs)):
                true = float(exact(name, tuple(xs), (i, j)))
                size = abs(true) + sum(abs(float(x)) for x in (out, *first))
                assert abs(float(got) - true) <= 1e-13 * size, (xs, i, j, float(got), true)


@pytest.mark.parametrize("name", [name for name in NAMES if len(BUILT_IN[name].rules) == 1])
def test_third_derivatives(name):
    entry = BUILT_IN[name]
    for xs in moderate(entry, 3):
        inputs = [Value(x) for x in xs]
        orders = [record(entry, inputs)]
        for _ in range(3):
            orders.append(slopes_of(orders[-1], inputs)[0])
        true = float(exact(name, tuple(xs), (0, 0, 0)))
        size = abs(true) + sum(abs(float(x)) for x in orders)
        assert abs(float(orders[3]) - true) <= 1e-12 * size, (xs, float(orders[3]), true)


# One table, many readers: all of them agree ------------------------------------------------------------------------


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize("name", NAMES)
def test_recorded_slopes_are_those_of_the_rules(name):
    """What a node records, what its rules give on Values and on floats, and the fast path: the same bits."""
    entry = BUILT_IN[name]
    special = [(x, *entry.defaults) for x in (0.0, -0.0, inf, -inf, nan)] if not entry.variadic else []
    for xs in [*points(entry), *(x for x in special if len(x) == len(entry.rules))]:
        inputs = [Value(x) for x in xs]
        out = record(entry, inputs)
        assert same(out.data, entry.formula(*xs)), xs
        recorded = shown(out.partials)
        by_rules = shown(slopes_of(out, inputs))
        on_floats = shown(entry.slopes(out.data, *xs))
        through = shown(entry.forward(*xs))
        out.backward()
        for i, x in enumerate(inputs):
            assert same(recorded[i], by_rules[i]), (xs, i, recorded[i], by_rules[i])
            assert same(recorded[i], on_floats[i]), (xs, i, recorded[i], on_floats[i])
            assert same(recorded[i], through[i + 1]), (xs, i, recorded[i], through)
            assert same(recorded[i], x.grad), (xs, i, recorded[i], x.grad)
        assert same(through[0], out.data)


@pytest.mark.parametrize("name", [name for name in NAMES if not BUILT_IN[name].variadic])
def test_methods_and_mixed_inputs(name):
    entry = BUILT_IN[name]
    for xs in moderate(entry, 2):
        whole = entry(*map(Value, xs))
        for method in (name, *entry.aliases):
            assert getattr(Value(xs[0]), method)(*xs[1:]).data == whole.data
            assert getattr(Value(xs[0]).detach(), method)(*xs[1:]).data == whole.data
        for mask in itertools.product([True, False], repeat=len(xs)):
            mixed = [Value(x) if value else x for x, value in zip(xs, mask, strict=True)]
            out = entry(*mixed)
            if not any(mask):
                assert type(out) is float
                assert out == whole.data
                continue
            assert out.data == whole.data
            expected = [d if value else None for d, value in zip(whole.partials, mask, strict=True)]
            assert [*out.partials] == expected


@pytest.mark.parametrize("name", NAMES)
def test_numpy_spelling(name):
    """The text that stands for an operation on arrays computes the same as its formula."""
    entry = BUILT_IN[name]
    rows = moderate(entry, 8)
    for xs in rows if entry.variadic else [np.transpose(rows)]:
        arrays = [xs] if entry.variadic else list(xs)
        if name == "dot":
            arrays = [xs[:1], xs[1:2], xs[2]]
        if name == "pick":
            arrays = [xs[:-1], int(xs[-1])]
        scope = {"np": np, **vars(spellings)} | {f"x{i}": np.array(x) for i, x in enumerate(arrays)}
        got = eval(entry.numpy.format(*(f"x{i}" for i in range(len(arrays)))), scope)
        expected = entry.formula(*xs) if entry.variadic else [entry.formula(*x) for x in rows]
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15, err_msg=entry.numpy)


# What goes in ------------------------------------------------------------------------------------------------------


def test_lists_arrays_ints_and_scalars():
    assert autograd.exp(0) == 1.0
    assert type(autograd.exp(0)) is float
    assert type(autograd.exp(np.float32(0.0))) is float
    assert type(autograd.exp(np.array(0.0))) is float
    assert autograd.exp([0, 0.0]).tolist() == [1.0, 1.0]
    assert autograd.exp([0, 0.0]).dtype == np.float64
    assert autograd.exp(np.zeros((2, 3))).shape == (2, 3)
    assert autograd.maximum([1.0, 5.0], 2.0).tolist() == [2.0, 5.0]
    assert autograd.maximum(np.array([[1.0], [4.0]]), [2.0, 3.0]).tolist() == [[2.0, 3.0], [4.0, 4.0]]
    x = Value(0.0)
    mixed = autograd.exp([x, 0.0])
    assert mixed.dtype == object
    assert mixed[0].op is ops.exp
    assert mixed[1] == 1.0
    assert autograd.sum([[1.0, 2.0], [x, 3]]).data == 6.0
    assert autograd.norm(3.0, 4.0) == 5.0
    assert autograd.clamp(5.0, high=2.0) == 2.0
    assert autograd.clamp(-5.0, -1.0) == -1.0
    assert autograd.leaky_relu(Value(-1.0), slope=0.5).data == -0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: autograd.exp(), "exp(x): missing a required argument: 'x'"),
        (lambda: autograd.exp(1.0, 2.0), "exp(x): too many positional arguments"),
        (lambda: autograd.maximum(1.0), "maximum(x, y): missing a required argument: 'y'"),
        (lambda: autograd.clamp(1.0, lower=0.0), "got an unexpected keyword argument 'lower'"),
        (lambda: autograd.clamp(1.0, 0.0, low=0.0), "multiple values for argument 'low'"),
        (lambda: autograd.exp("1"), "exp needs a number as x. Received: '1' (str)"),
        (lambda: autograd.exp(None), "exp needs a number as x. Received: None (NoneType)"),
        (lambda: autograd.exp(1j), "exp needs a number as x. Received: 1j (complex)"),
        (lambda: autograd.sum("12"), "numbers or Values are needed. Received: str"),
        (lambda: autograd.maximum(Value(1.0), "a"), "maximum needs a number as y. Received: 'a' (str)"),
    ],
)
def test_what_does_not_fit(call, message):
    with pytest.raises(TypeError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["mean", "logsumexp"])
def test_of_nothing(name):
    with pytest.raises(ValueError, match=f"{name} needs at least one number. Received: none"):
        BUILT_IN[name]([])


# Edges -------------------------------------------------------------------------------------------------------------

EDGES = [
    # operation, inputs, value, gradients
    ("pow", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, nan)),
    ("pow", (0.0, 0.5), 0.0, (inf, 0.0)),
    ("pow", (-1.0, 0.5), nan, (nan, nan)),
    ("pow", (1e200, 2.0), inf, (2e200, inf)),
    ("sqrt", (0.0,), 0.0, (inf,)),
    ("sqrt", (-1.0,), nan, (nan,)),
    ("log", (-1.0,), nan, (nan,)),
    ("log", (0.0,), -inf, (inf,)),
    ("reciprocal", (0.0,), inf, (-inf,)),
    ("reciprocal", (-0.0,), -inf, (-inf,)),
    ("div", (1.0, 0.0), inf, (inf, -inf)),
    ("div", (1.0, -0.0), -inf, (-inf, -inf)),
    ("div", (0.0, 0.0), nan, (inf, nan)),
    ("exp", (1000.0,), inf, (inf,)),
    ("mul", (inf, 0.0), nan, (0.0, inf)),
    ("relu", (0.0,), 0.0, (0.0,)),
    ("abs", (0.0,), 0.0, (0.0,)),
    ("sign", (0.0,), 0.0, (0.0,)),
    ("sign", (3.0,), 1.0, (0.0,)),
    ("floor", (1.5,), 1.0, (0.0,)),
    ("ceil", (1.5,), 2.0, (0.0,)),
    ("round", (2.5,), 2.0, (0.0,)),
    ("floor", (inf,), inf, (0.0,)),
    ("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("maximum", (3.0, 2.0), 3.0, (1.0, 0.0)),
    ("minimum", (3.0, 2.0), 2.0, (0.0, 1.0)),
    ("clamp", (2.0, -1.0, 2.0), 2.0, (1.0, 0.0, 0.0)),
    ("clamp", (-1.0, -1.0, 2.0), -1.0, (1.0, 0.0, 0.0)),
    ("clamp", (-3.0, -1.0, 2.0), -1.0, (0.0, 1.0, 0.0)),
    ("clamp", (3.0, -1.0, 2.0), 2.0, (0.0, 0.0, 1.0)),
    ("mod", (7.0, 3.0), 1.0, (1.0, -2.0)),
    ("floordiv", (7.0, 3.0), 2.0, (0.0, 0.0)),
    ("mod", (-7.0, 3.0), 2.0, (1.0, 3.0)),
    ("atan2", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("where", (1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)),
    ("step", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("logsumexp", (-inf, -inf), -inf, (nan, nan)),
    ("logsumexp", (1000.0, 1000.0), 1000.0 + math.log(2.0), (0.5, 0.5)),
    ("norm", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("prod", (0.0, 2.0, 3.0), 0.0, (6.0, 0.0, 0.0)),
    ("sum", (), 0.0, ()),
    ("prod", (), 1.0, ()),
]


@pytest.mark.parametrize(("name", "xs", "value", "slopes"), EDGES)
def test_edges(name, xs, value, slopes):
    entry, inputs = BUILT_IN[name], [Value(x) for x in xs]
    out = record(entry, inputs)
    assert repr(float(out)) == repr(value)
    if inputs:
        for found in (out.partials, slopes_of(out, inputs)):
            assert all(same(x, y) for x, y in zip(shown(found), slopes, strict=True)), shown(found)


FLAT = [
    (name, i)
    for name, entry in BUILT_IN.items()
    for xs in moderate(entry, 1)
    for i, d in enumerate(entry.slopes(entry.formula(*xs), *xs))
    if d is None
]


@pytest.mark.parametrize(("name", "i"), FLAT)
def test_no_gradient_goes_where_an_operation_is_flat(name, i):
    """Not even inf times 0, whichever way it is differentiated: the slope of the root at 0 is inf."""
    entry = BUILT_IN[name]
    (xs,) = moderate(entry, 1)

    def f(x):
        inputs = [*xs]
        inputs[i] = xs[i] + autograd.sqrt(x)
        return entry(*inputs)

    def product(x):
        return x * f(x)

    value = entry.formula(*xs)
    x = Value(0.0)
    y = f(x)
    y.backward()
    assert (y.data, x.grad) == (value, 0.0)
    assert gradients(y, create_graph=True).get(x, 0.0) == 0.0
    assert autograd.value_and_grad(f)(0.0) == (value, 0.0)
    assert autograd.jvp(f, (0.0,), (1.0,)) == (value, 0.0)
    x = Value(0.0)
    product(x).backward()
    assert x.grad == autograd.grad(product)(0.0) == value
    if name != "pick":  # a program takes no computed index
        assert autograd.compile(f).value_and_grad(0.0) == (value, 0.0)
        assert autograd.compile(autograd.grad(product))(0.0) == value
    assert autograd.hessian(product)(0.0) == 0.0
    assert autograd.grad(lambda x: autograd.jvp(product, (x,), (1.0,))[1])(0.0) == 0.0


def test_flat_operations_are_many():
    assert {"where", "step", "sign", "floor", "equal", "above", "pick"} <= {name for name, _ in FLAT}


def test_none_in_place_of_a_rule_says_that_no_gradient_goes_there():
    op = ops.op("flat_in_y", "x y, as if y were a constant", lambda x, y: x * y, lambda g, out, x, y: g * y,
                None)  # fmt: skip
    try:
        x, y = Value(3.0), Value(4.0)
        op(x, y).backward()
        assert (x.grad, y.grad) == (4.0, 0.0)
        assert autograd.grad(op, (0, 1))(3.0, 4.0) == (4.0, 0.0)
        assert autograd.hessian(lambda x: op(x, x))(3.0) == 1.0
        assert autograd.compile(lambda x: op(x, x)).value_and_grad(3.0) == (9.0, 3.0)
    finally:
        del TABLE["flat_in_y"]


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_a_rule_that_forgets_its_return_is_an_error(arity):
    def forgets(g, *more):
        g * 1.0

    name = f"forgetful{arity}"
    formula = [lambda x: x, lambda x, y: x + y, lambda x, y, z: x + y + z][arity - 1]
    op = ops.op(name, "the sum", formula, *[forgets] * arity)
    try:
        with pytest.raises(TypeError, match=f"op '{name}' needs rules that return .* returned None"):
            op(*[Value(1.0)] * arity)
        with pytest.raises(TypeError, match="returned None"):
            autograd.compile(lambda x: op(*[x] * arity)).value_and_grad(1.0)
    finally:
        del TABLE[name]


@pytest.mark.parametrize("x", [2.0, 0.5, 1.0, 1e100, 1e-100])
def test_second_derivatives_of_a_power_at_the_exponent_0(x):
    f = lambda xy: xy[0] ** xy[1]
    expected = np.array([[0.0, 1.0 / x], [1.0 / x, math.log(x) ** 2]])
    for way in (autograd.hessian(f), autograd.compile(autograd.hessian(f))):
        assert np.array(way([x, 0.0])) == pytest.approx(expected, rel=1e-15)
    assert autograd.hessian(lambda x: x**0)(0.0) == autograd.hessian(lambda x: x**1)(0.0) == 0.0


def test_forward_mode_passes_by_what_is_flat():
    """Also in a program, where slopes are not yet numbers."""
    f = lambda x: autograd.where(autograd.above(x, 1.0), x * x, x) * autograd.floor(x)
    tangent = lambda x: autograd.jvp(f, (x,), (1.0,))[1]
    assert tangent(2.5) == autograd.compile(tangent)(2.5) == 10.0


@pytest.mark.parametrize("numpy", ["", "own_cube({0})", "{0} ** 3"])
def test_an_operation_of_ones_own_spelled_by_its_own_name(numpy):
    cube = ops.op("own_cube", "x^3", lambda x: x**3, lambda g, out, x: 3.0 * g * x * x, numpy=numpy)
    try:
        xs = np.arange(2000.0) / 100
        assert np.array(autograd.compile(lambda xs: [cube(x) for x in xs])(xs)) == pytest.approx(xs**3)
    finally:
        del TABLE["own_cube"]


def test_the_second_derivative_of_a_logarithm_at_0():
    for log in (autograd.log, autograd.log2, autograd.log10):
        for way in (autograd.grad(autograd.grad(log)), autograd.compile(autograd.grad(autograd.grad(log)))):
            assert way(0.0) == way(5e-324) == -inf


# What answers a number where one input is nan: what C's library says of pow and hypot, and what is not chosen
PASSES = {
    ("equal", 0),
    ("equal", 1),
    *(("pick", i) for i in range(3)),
    ("pow", 1),
    ("where", 0),
    ("where", 2),
    ("threshold", 2),
}
LIMITLESS = {"sin", "cos", "tan"}  # have none at infinity


@pytest.mark.parametrize("name", NAMES)
def test_nan_in_nan_out(name):
    entry = BUILT_IN[name]
    for xs in moderate(entry, 2):
        for i in range(len(xs)):
            if (name, i) in PASSES:
                continue
            xs = [*xs[:i], nan, *xs[i + 1 :]]
            assert math.isnan(entry(xs) if entry.variadic else entry(*xs)), xs
            assert math.isnan(record(entry, [*map(Value, xs)]).data)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if len(BUILT_IN[name].rules) == 1 + len(BUILT_IN[name].defaults)]
)
def test_at_infinity(name):
    """There the value and the slope are their limits, where they have any: what they are at the largest double."""
    entry = BUILT_IN[name]
    if entry.variadic or name in LIMITLESS:
        return
    for sign in (1.0, -1.0):
        if not entry.domain[0][0] < sign * 1e308 < entry.domain[0][1]:
            continue
        x = Value(sign * inf)
        out, near = entry(x), entry(sign * 1.7e308)
        assert not math.isnan(out.data), x
        grows = abs(near) > 300.0 and abs(out.data) == inf and out.data * near > 0.0
        assert grows or abs(out.data - near) < 1e-100, (x, out, near)
        if name == "snake":  # its slope swings for ever
            continue
        slope = entry(Value(sign * 1.7e308)).partials[0]
        assert (
            out.partials[0] == slope
            or abs(out.partials[0] - slope) < 1e-100
            or out.partials[0] == inf * slope
        ), (x, out.partials, slope)


@pytest.mark.parametrize("name", ["silu", "softplus", "steep_sigmoid"])
def test_slopes_by_a_setting_at_infinity(name):
    for x in (inf, -inf):
        assert BUILT_IN[name].slopes(BUILT_IN[name](x), x, 1.0)[1] == 0.0


# What else an entry says -------------------------------------------------------------------------------------------

DEFAULTS = {
    "celu": (1.0,),
    "clamp": (-inf, inf),
    "elu": (1.0,),
    "hardshrink": (0.5,),
    "hardtanh": (-1.0, 1.0),
    "isru": (1.0,),
    "leaky_relu": (0.01,),
    "prelu": (0.25,),
    "rrelu": (1 / 8, 1 / 3),
    "silu": (1.0,),
    "snake": (1.0,),
    "softplus": (1.0,),
    "softshrink": (0.5,),
    "squareplus": (4.0,),
    "steep_sigmoid": (1.0,),
    "step": (0.0,),
    "threshold": (0.0, 0.0),
    "thresholded_relu": (1.0,),
}


def test_defaults():
    assert {name: entry.defaults for name, entry in BUILT_IN.items() if entry.defaults} == DEFAULTS


@pytest.mark.parametrize("name", [name for name in NAMES if BUILT_IN[name].neutral is not None])
def test_the_neutral_element_changes_nothing(name):
    entry = BUILT_IN[name]
    for xs in ([1.5, -2.0, 0.25], [-3.0], [0.0, 7.0]):
        more: list = [*xs, entry.neutral]
        assert entry(more) == entry(xs)
        assert entry.slopes(entry(more), *more)[:-1] == entry.slopes(entry(xs), *xs)


def derivatives(entry, x):
    """The value and the first two derivatives."""
    x = Value(x)
    found = [entry(x)]
    for _ in range(2):
        found.append(Value(0.0) + gradients(found[-1], create_graph=True).get(x, 0.0))
    return [y.data for y in found]


@pytest.mark.parametrize(
    "name", [name for name in NAMES if len(BUILT_IN[name].rules) == 1 and not BUILT_IN[name].variadic]
)
def test_kinks(name):
    """There the value or one of the first two derivatives jumps, and nowhere else."""
    entry = BUILT_IN[name]
    low, high = entry.domain[0]
    for x in (i / 16 for i in range(-128, 129)):  # holds all kinks exactly
        if low < x < high:
            left, right = derivatives(entry, x - 1e-9), derivatives(entry, x + 1e-9)
            smooth = all(abs(a - b) < 1e-5 * (1.0 + abs(a)) for a, b in zip(left, right, strict=True))
            listed = abs(entry.kinks(x)) < 1e-9 if callable(entry.kinks) else x in entry.kinks
            assert smooth is not listed, (x, left, right)


# Operations of one's own -------------------------------------------------------------------------------------------


@pytest.fixture
def table():
    """What a test adds to the table, and to Value, goes again."""
    before = dict(TABLE)
    yield TABLE
    for name in TABLE.keys() - before.keys():
        for other in (name, *TABLE[name].aliases):
            for kind in Value.__mro__[:1] + tuple(Value.__subclasses__()):
                if other in vars(kind):
                    delattr(kind, other)
        del TABLE[name]


def test_an_op_of_ones_own(table):
    power = autograd.op(
        "volume", "x^3 y", lambda x, y=1.0: x**3 * y, lambda g, out, x, y: 3.0 * g * x * x * y,
        lambda g, out, x, y: g * x * x * x, symbol="vol", aliases=("cubic",),
    )  # fmt: skip
    assert table["volume"] is power
    assert power(2.0) == 8.0
    assert power([1.0, 2.0], 2.0).tolist() == [2.0, 16.0]
    x, y = Value(2.0), Value(5.0)
    out = power(x, y)
    assert out._op == "vol"
    assert x.cubic(5).data == x.volume(y=5.0).data == 40.0
    dx, dy = slopes_of(out, (x, y))
    assert (dx.data, dy.data) == (60.0, 8.0)
    assert [float(d) for d in slopes_of(dx, (x, y))] == [60.0, 12.0]
    (third,) = slopes_of(slopes_of(dx, (x,))[0], (y,))
    assert float(third) == 12.0
    assert repr(power) == "<op volume(x, y=1.0) = x^3 y>"


def test_an_op_of_a_function_that_closes_over_something(table):
    scale = 3.0
    times = autograd.op("times_three", "3 x", lambda x: scale * x, lambda g, out, x: scale * g)
    x = Value(2.0)
    assert [float(s) for s in slopes_of(times(x), (x,))] == [3.0]
    assert times(x).partials == (3.0,)


def test_ops_that_cannot_be(table):
    before = dict(table)
    with pytest.raises(ValueError, match=r"op 'none' needs a derivative rule for each input. Received: none"):
        autograd.op("none", "x", lambda x: x)
    with pytest.raises(ValueError, match=r"two\(x, y\) = x needs one rule for each input. Received: 1 rules"):
        autograd.op("two", "x", lambda x, y: x, lambda g, out, x, y: g)
    for name in ("data", "grad", "backward", "_x", "__init__", "__getattr__"):
        with pytest.raises(
            ValueError, match=f"an op named '{name}' would hide Value.{name}; choose another name"
        ):
            autograd.op(name, "x", lambda x: x, lambda g, out, x: g)
    with pytest.raises(ValueError, match=r"would hide Value.label"):
        autograd.op("fine", "x", lambda x: x, lambda g, out, x: g, aliases=("label",))
    assert dict(table) == before


def test_no_name_stands_twice():
    names = [name for entry in BUILT_IN.values() for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))
    assert all(name == entry.name for name, entry in BUILT_IN.items())
