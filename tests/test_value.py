"""Value: what a user may rely on, row by row, apart from the single operations (those are in test_ops)."""

import asyncio
import copy
import gc
import inspect
import math
import operator
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Scope, Value, Vector, detect_anomaly, dot, no_grad, record_lines
from autograd.context import within
from autograd.value import gradients, topological
from nn import Neuron

inf, nan = math.inf, math.nan


def same(x, y):
    """Equal to the bit, a nan being equal to a nan."""
    return (math.copysign(1.0, x) == math.copysign(1.0, y) and x == y) or (x != x and y != y)


def numbers(root):
    """Data and gradient of every node below, in order."""
    return [(v.data, float(v.grad)) for v in topological(root)]


# Construction -----------------------------------------------------------------------------------------------------

WELCOME = [
    (3, 3.0),
    (-0.0, -0.0),
    (True, 1.0),
    (np.float32(1.5), 1.5),
    (np.float64(2.5), 2.5),
    (np.int8(-7), -7.0),
    (np.bool_(True), 1.0),
    (np.array(4), 4.0),
    (np.array(4.5, dtype=object), 4.5),
    (Fraction(1, 4), 0.25),
    (Decimal("0.1"), 0.1),
    (inf, inf),
    (nan, nan),
]


@pytest.mark.parametrize(("given", "data"), WELCOME, ids=lambda x: type(x).__name__)
def test_data_is_a_float_at_construction(given, data):
    v = Value(given)
    assert type(v.data) is float
    assert same(v.data, data)


REFUSED: list = [
    "1",
    None,
    1j,
    [1.0],
    (1.0,),
    {1.0},
    {},
    b"1",
    np.array([1.0]),
    np.array("x"),
    np.complex64(1),
    object,
]


@pytest.mark.parametrize("given", [*REFUSED, Value(1.0)], ids=lambda x: type(x).__name__)
def test_what_is_not_one_real_number_is_refused_by_its_type(given):
    with pytest.raises(TypeError, match=r"one real number\. Received: \w+"):
        Value(given)


def test_the_type_named_is_the_one_received():
    for given in ("1", None, 1j, [1.0], Value(1.0), object()):
        with pytest.raises(TypeError) as caught:
            Value(given)
        assert type(given).__name__ in str(caught.value)


a, b = Value(2.0, label="a"), Value(-3.0, label="b")

FORMS = [
    # constructed, _op, _children, _local_grads, label
    (lambda: Value(1.0), "", (), (), ""),
    (lambda: Value(1.0, label="x"), "", (), (), "x"),
    (lambda: Value(1.0, (), "", "x"), "", (), (), "x"),
    (lambda: Value(1.0, (a, b), "+"), "+", (a, b), (0.0, 0.0), ""),
    (lambda: Value(1.0, (a, b), "*", "c"), "*", (a, b), (0.0, 0.0), "c"),
    (lambda: Value(1.0, _children=(a, b), _op="*", label="c"), "*", (a, b), (0.0, 0.0), "c"),
    (lambda: Value(1.0, {a: 1}, "tanh"), "tanh", (a,), (0.0,), ""),
    (lambda: Value(1.0, _prev=(a,), _op="exp"), "exp", (a,), (0.0,), ""),
    (lambda: Value(1.0, (a, b), (5.0, 7.0)), "", (a, b), (5.0, 7.0), ""),
    (lambda: Value(1.0, (a, b), [5.0, 7.0]), "", (a, b), (5.0, 7.0), ""),
    (lambda: Value(1.0, children=(a, b), local_grads=(5.0, 7.0)), "", (a, b), (5.0, 7.0), ""),
    (lambda: Value(1.0, (a, b), "mix", local_grads=(5.0, 7.0)), "mix", (a, b), (5.0, 7.0), ""),
]


@pytest.mark.parametrize(("make", "op", "children", "slopes", "label"), FORMS)
def test_the_constructor_takes_every_form(make, op, children, slopes, label):
    v = make()
    assert (v.data, v.grad, v._op, v._children, v._local_grads, v.label) == (
        1.0,
        0,
        op,
        children,
        slopes,
        label,
    )
    assert v._prev == set(children)


def test_given_local_gradients_are_used():
    x, y = Value(1.0), Value(2.0)
    v = Value(9.0, (x, y, x), (5.0, 7.0, 0.5))
    (v * 2.0).backward()
    assert (x.grad, y.grad) == (11.0, 14.0)


def test_a_local_gradient_for_each_child():
    with pytest.raises(ValueError, match="2 for 1"):
        Value(1.0, (a,), (1.0, 2.0))
    with pytest.raises(TypeError, match=r"label is a str.*int"):
        Value(1.0, label=3)  # type: ignore[arg-type]


# Operators with numbers, NumPy and strangers ----------------------------------------------------------------------

OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
]
NUMBERS = [3, 3.0, True, np.float64(3), np.float32(3), np.int64(3), np.array(3.0), np.array(3), Fraction(3)]
NUMBERS += [Decimal(3)]


@pytest.mark.parametrize("compute", OPERATORS)
@pytest.mark.parametrize("n", NUMBERS, ids=lambda n: f"{type(n).__name__}({n})")
def test_numbers_on_either_side_give_a_value(compute, n):
    x = Value(2.5)
    left, right = compute(x, n), compute(n, x)
    assert type(left) is type(right) is Value
    assert left.data == compute(2.5, float(n))
    assert right.data == compute(float(n), 2.5)
    for v, position in ((left, 0), (right, 1)):
        assert v.operands[position] is x
        y = Value(2.5)
        pair = (y, Value(float(n))) if position == 0 else (Value(float(n)), y)
        compute(*pair).backward()
        x.grad = 0.0
        v.backward()
        assert x.grad == y.grad  # the same as between two Values


@pytest.mark.parametrize("compute", OPERATORS)
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, object])
def test_arrays_on_either_side_are_taken_element_by_element(compute, kind):
    x, xs = Value(2.5), np.array([[1, 2, 3], [4, 5, 6]], dtype=kind)
    for result, expected in ((compute(x, xs), compute(2.5, xs)), (compute(xs, x), compute(xs, 2.5))):
        assert result.dtype == object
        assert result.shape == (2, 3)
        assert all(type(v) is Value for v in result.flat)
        assert np.allclose(result.astype(float), expected.astype(float), rtol=1e-6)


def array_of(*data):
    return np.array([Value(x) for x in data])


NUMPY = [
    np.exp, np.log, np.sqrt, np.tanh, np.sin, np.cos, np.tan, np.arcsin, np.arctan, np.sinh, np.cosh, np.arcsinh,
    np.expm1, np.log1p, np.log2, np.log10, np.cbrt, np.abs, np.negative, np.square, np.reciprocal, np.floor, np.ceil,
    np.rint, np.sum, np.prod, np.mean, np.max, np.min, np.cumsum, np.linalg.norm,
    lambda xs: np.maximum(xs, 0.5),
    lambda xs: np.clip(xs, 0.3, 0.6),
    lambda xs: np.hypot(xs, xs[::-1]),
    lambda xs: np.arctan2(xs, xs[::-1]),
    lambda xs: np.power(xs, 2),
    lambda xs: np.dot(xs, xs[::-1]),
    lambda xs: xs @ xs,
    lambda xs: np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]) @ xs,
    lambda xs: np.outer(xs, xs) @ xs,
    lambda xs: np.einsum("i,j->ij", xs, xs).sum(axis=0),
    lambda xs: np.where(np.array([True, False, True]), xs, 0.0),
    lambda xs: np.concatenate([xs, xs]).reshape(2, 3).T.mean(axis=0),
    lambda xs: (xs < 0.5).astype(float) * xs,
]  # fmt: skip


@pytest.mark.parametrize("f", NUMPY, ids=lambda f: f.__name__)
def test_numpy_functions_work_on_arrays_of_values(f):
    data = [0.25, 0.5, 0.75]
    xs, expected = array_of(*data), np.asarray(f(np.array(data)))
    result = np.asarray(f(xs))
    assert result.shape == expected.shape
    assert np.allclose(result.astype(float), expected)
    if any(isinstance(v, Value) and v.op for v in result.flat):  # it was recorded: the gradient is there too
        autograd.sum(result.ravel()).backward()
        slope = [
            (np.sum(f(np.array(data) + h)) - np.sum(f(np.array(data) - h))) / 2e-6 for h in np.eye(3) * 1e-6
        ]
        kinked = [i for i in range(3) if not np.isclose(xs[i].grad, slope[i], atol=1e-6)]
        assert all(data[i] == 0.5 for i in kinked)  # where a maximum ties


def test_an_array_without_dimensions_is_its_element():
    x = Value(2.0)
    zero_d: Any = np.array(x, dtype=object)
    for v in (
        zero_d * 3,
        np.exp(zero_d),
        autograd.exp(zero_d),
        autograd.sum(zero_d),
        autograd.sum([zero_d, zero_d]),
    ):
        assert gradients(v)[x] > 0.0


def test_numpy_functions_work_on_a_bare_value():
    for result in (np.tanh(a), np.exp(a), np.sqrt(a), np.add(a, 1), np.multiply(2.0, a), np.power(a, 2)):
        assert isinstance(result, Value)


@pytest.mark.parametrize(
    "foreign", ["x", None, [1.0], (1.0,), {}, 1j, object(), b"x"], ids=lambda x: type(x).__name__
)
def test_operators_leave_foreign_types_alone(foreign):
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        assert getattr(a, f"__{name}__")(foreign) is NotImplemented
        assert getattr(a, f"__r{name}__")(foreign) is NotImplemented
        with pytest.raises(TypeError):
            getattr(operator, name)(a, foreign)
    for name in ("lt", "le", "gt", "ge"):
        assert getattr(a, f"__{name}__")(foreign) is NotImplemented


def test_a_foreign_type_gets_its_turn():
    class Meters:
        def __radd__(self, other):
            return "radd"

        def __rpow__(self, other):
            return "rpow"

        def __gt__(self, other):
            return "gt"

    assert [a + Meters(), a ** Meters(), a < Meters()] == ["radd", "rpow", "gt"]


# Equality, order, conversions ---------------------------------------------------------------------------------------


def test_equality_and_hash_are_identity():
    x, twin = Value(2.0), Value(2.0)
    assert x == x
    assert x != twin
    assert x != 2.0  # type: ignore[comparison-overlap]
    assert len({x, twin, x}) == 2
    assert [twin, x].index(x) == 1
    x.data = 7.0
    assert {x: "found"}[x] == "found"


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize(
    "other", [2, 2.0, 1.5, np.float64(3), np.int64(1), Value(2.0), Value(5.0), nan, Fraction(5, 2)]
)
def test_comparisons_compare_the_numbers(compare, other):
    x = Value(2.0)
    assert compare(x, other) is bool(compare(2.0, float(other)))
    assert bool(compare(other, x)) is bool(compare(float(other), 2.0))
    assert type(compare(x, other)) is bool


def test_order():
    xs = [Value(x) for x in (3.0, -1.0, 2.0)]
    assert [v.data for v in sorted(xs)] == [-1.0, 2.0, 3.0]
    assert max(xs) is xs[0]
    assert min(xs) is xs[1]


def test_conversions():
    x = Value(2.567)
    assert (float(x), int(x), bool(x), bool(Value(0.0)), x.item()) == (2.567, 2, True, False, 2.567)
    assert type(float(x)) is float
    assert f"{x:.1f}|{x:>8.2f}|{x:e}" == "2.6|    2.57|2.567000e+00"
    assert math.sqrt(Value(4.0)) == 2.0
    assert +x is x or (+x).data == x.data
    for v, data in (
        (round(x), 3.0),
        (round(x, 2), 2.57),
        (abs(-x), 2.567),
        (math.floor(x), 2.0),
        (math.ceil(x), 3.0),
    ):
        assert isinstance(v, Value)
        assert v.data == data
    assert round(Value(12345.0), -2).data == 12300.0
    with pytest.raises(ValueError, match="NaN"):
        int(Value(nan))
    with pytest.raises(TypeError):
        [1, 2][Value(1.0)]


def test_repr_shows_a_gradient_once_there_is_one():
    x = Value(2.0)
    y = x * 3
    assert (repr(x), str(y), f"{y}") == ("Value(data=2.0)", "Value(data=6.0)", "Value(data=6.0)")
    y.backward()
    assert (repr(x), repr(y)) == ("Value(data=2.0, grad=3.0)", "Value(data=6.0, grad=1.0)")
    x.grad = 0.0
    assert repr(x) == "Value(data=2.0, grad=0.0)"
    assert repr(Value(nan)) == "Value(data=nan)"


# Gradients accumulate in leaves -----------------------------------------------------------------------------------


def test_a_second_backward_doubles_the_leaves_and_nothing_else():
    x, w = Value(3.0), Value(4.0)
    inner = x * w
    out = inner * inner
    out.backward()
    first = (x.grad, w.grad, inner.grad, out.grad)
    assert first == (96.0, 72.0, 24.0, 1.0)
    out.backward()
    assert (x.grad, w.grad, inner.grad, out.grad) == (192.0, 144.0, 24.0, 1.0)


def test_the_known_bug_of_a_second_backward():
    """x^2 twice over gives 64 at 2 for two passes, where accumulating in inner nodes would give 96."""
    x = Value(2.0)
    square = x * x
    fourth = square * square
    fourth.backward()
    fourth.backward()
    assert x.grad == 64.0


def test_two_losses_accumulate_and_inner_gradients_are_the_last_one_s():
    x = Value(2.0)
    shared = x * 3.0
    (shared * 5.0).backward()
    (shared * 7.0).backward()
    assert (x.grad, shared.grad) == (36.0, 7.0)


def test_backward_starts_from_another_number():
    x = Value(3.0)
    y = x * x
    y.backward(gradient=0.5)
    assert (x.grad, y.grad) == (3.0, 0.5)
    y.backward(np.float32(2))
    assert (x.grad, y.grad) == (15.0, 2.0)
    assert type(x.grad) is float
    with pytest.raises(TypeError, match="str"):
        y.backward(gradient="1")


def test_backward_of_a_leaf():
    x = Value(3.0)
    x.backward()
    x.backward(2.0)
    assert x.grad == 3.0


def test_backward_of_a_constant_says_why_it_cannot():
    for c in (Value(1.0).detach(), Value(2.0).detach() * 3):
        with pytest.raises(RuntimeError, match=r"constant.*no_grad"):
            c.backward()
        assert c.grad == 0


def test_gradients_may_be_assigned():
    x = Value(3.0)
    y = x * x
    x.grad = 10
    y.backward()
    assert x.grad == 16.0
    y.grad = 99.0  # an inner one is reset
    y.backward()
    assert (x.grad, y.grad) == (22.0, 1.0)


def test_data_changed_between_forward_and_backward_changes_nothing():
    x, w = Value(3.0), Value(4.0)
    y = x * w + x**2 + (x / w).tanh() + dot([x, w], [w, 2.0], x)
    expected = gradients(y)
    for v in [*topological(y), x, w]:
        v.data = 1000.0
    y.backward()
    assert (x.grad, w.grad) == (expected[x], expected[w])
    x.grad = w.grad = 0.0
    y.backward()
    assert (x.grad, w.grad) == (expected[x], expected[w])


def test_a_look_after_data_changed_shows_what_was_recorded():
    x, y, bias = Value(2.0), Value(3.0), Value(1.0)
    z, total, weighted = x * 10.0, autograd.sum([bias, x, y]), dot([x, x], [y, y], bias)
    for v in (x, y, bias):
        v.data = 1000.0
    assert z._local_grads[0] == 10.0
    assert [v.data for v in total._prev if v.op] == [3.0]
    assert sorted(v.data for v in weighted._prev) == [6.0, 7.0]


@pytest.mark.parametrize("kind", [int, np.float64])
def test_data_assigned_as_another_kind_of_number_computes_the_same(kind):
    """As after `p.data -= rate * np.float64(...)`: the same results, and a NumPy float is no reason to unfold."""
    w, x = [Value(0.0), Value(0.0)], Value(0.0)
    for v, data in zip([*w, x], (2, -3, 0), strict=True):
        v.data = kind(data)
    y = dot(w, [x, 5.0], x) + 1.0
    assert y.data == -14.0
    if kind is np.float64:
        assert dot(w, [4.0, 5.0]).op is autograd.TABLE["dot"]
    y.backward()
    assert (w[0].grad, w[1].grad, x.grad) == (0.0, 5.0, 3.0)


def test_operand_order_is_kept_and_a_node_used_twice_appears_twice():
    x, y = Value(2.0), Value(5.0)
    assert (x - y)._children == (x, y)
    assert (y - x)._children == (y, x)
    assert (x * x)._children == (x, x)
    assert (x * x)._prev == {x}
    assert len((x * x)._prev) == 1
    assert (x * x)._local_grads == (2.0, 2.0)
    assert [v.data for v in (1.0 - x)._children] == [1.0, 2.0]
    assert autograd.maximum(y, x)._children == (y, x)
    z = x * x * x
    z.backward()
    assert x.grad == 12.0


def test_create_graph_records_and_leaves_the_graph_usable():
    x, w = Value(3.0), Value(2.0)
    y = (x * x * w).tanh() + x**3 * w
    y.backward(create_graph=True)
    slope, x.grad, w.grad = x.grad, 0.0, 0.0
    assert isinstance(slope, Value)
    assert slope.requires_grad
    plain = gradients(y)
    assert slope.data == pytest.approx(plain[x], rel=1e-14)
    slope.backward()
    assert x.grad == pytest.approx(6 * 3.0 * 2.0, rel=1e-6)
    x.grad = w.grad = 0.0
    y.backward()
    y.backward()
    assert type(x.grad) is float
    assert x.grad == 2 * plain[x]


def test_create_graph_accumulates_as_numbers_do():
    x = Value(3.0)
    y = x * x
    y.backward()
    y.backward(create_graph=True)
    assert x.grad.data == 12.0
    y.backward(create_graph=True)
    assert x.grad.data == 18.0
    slope, x.grad = x.grad, 0.0
    slope.backward()
    assert x.grad == 4.0  # the first 6 was a plain number


def test_gradients_of_a_whole_graph_touch_nothing():
    x = Value(3.0)
    y = x * x
    found = gradients(y, 2.0)
    assert {v.data: g for v, g in found.items()} == {9.0: 2.0, 3.0: 12.0}
    assert (x.grad, y.grad) == (0, 0)


# What needs no gradient -------------------------------------------------------------------------------------------


def test_detach():
    x = Value(3.0, label="x")
    c = (x * 2).detach()
    assert (c.data, c.requires_grad, c._prev) == (6.0, False, set())
    y = x * c
    y.backward()
    assert (x.grad, c.grad) == (6.0, 0)
    assert x.detach().label == "x"
    assert not (c * c + 1).requires_grad
    assert c < x * 3


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow"])
def test_constants_on_either_side(name):
    compute = getattr(operator, name)
    x, c = Value(2.0), Value(3.0).detach()
    for pair in ((x, c), (c, x)):
        v = compute(*pair)
        plain = compute(*(p if p is x else 3.0 for p in pair))
        assert v.data == plain.data
        assert v.operands == pair
        assert v.partials.count(None) == 1
        assert gradients(v)[x] == gradients(plain)[x]
    assert not compute(c, c).requires_grad
    assert not compute(c, 2.0).requires_grad
    assert not compute(2, c).requires_grad


def test_what_only_constants_reach_is_not_recorded():
    c = Value(3.0).detach()
    for v in (
        c.tanh(),
        -c,
        abs(c),
        c.relu(),
        autograd.sum([c, c]),
        autograd.maximum(c, 1.0),
        autograd.prod([c, 2.0]),
    ):
        assert not v.requires_grad
        assert v._prev == set()


def test_a_dot_of_constants_is_a_constant():
    c, x = Value(3.0).detach(), Value(2.0)
    assert not dot([c, c], [1.0, 2.0]).requires_grad
    assert not dot([c, c], [c, c], c).requires_grad
    assert not dot(Vector([c]), Vector([2.0]), 1.0).requires_grad
    for v, slope in ((dot([c, c], [x, 1.0]), 3.0), (dot([x, c], [c, c]), 3.0), (dot([c], [2.0], x), 1.0)):
        assert gradients(v)[x] == slope
        v.backward()
        assert (x.grad, c.grad) == (slope, 0)
        x.grad = 0.0


def test_a_leaf_is_frozen_and_thawed():
    w, x = Value(3.0), Value(2.0)
    w.requires_grad = False
    y = w * x
    y.backward()
    assert (w.grad, x.grad, w.requires_grad) == (0, 3.0, False)
    w.data = 5.0
    w.requires_grad = True
    (w * x).backward()
    assert (w.grad, x.grad) == (2.0, 8.0)
    with pytest.raises(ValueError, match="only a leaf can be frozen"):
        y.requires_grad = False


def test_no_grad_as_context_manager_and_decorator():
    x = Value(3.0)

    @no_grad
    def bare(y):
        """its doc"""
        return y * y

    @no_grad()
    def called(y):
        return dot([y, y], [1.0, 2.0])

    with no_grad():
        with no_grad():
            pass
        first = x * 2 + autograd.exp(x)
        assert Value(1.0).requires_grad  # a leaf is a leaf
    for v in (first, bare(x), called(x), bare(x)):
        assert not v.requires_grad
        assert v._prev == set()
    assert bare.__name__ == "bare"
    assert bare.__doc__ == "its doc"
    assert (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad


def test_no_grad_stays_in_its_thread():
    x, inside, done = Value(3.0), threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(5)
        seen.append((x * 2).requires_grad)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with no_grad():
        inside.set()
        done.wait(5)
        seen.append((x * 2).requires_grad)
    thread.join()
    assert seen == [True, False]


def test_no_grad_stays_in_its_task():
    x = Value(3.0)

    async def without():
        with no_grad():
            await asyncio.sleep(0)
            first = (x * 2).requires_grad
            await asyncio.sleep(0)
            return first, (x * 2).requires_grad

    async def recording():
        await asyncio.sleep(0)
        first = (x * 2).requires_grad
        await asyncio.sleep(0)
        return first, (x * 2).requires_grad

    async def both():
        return await asyncio.gather(without(), recording(), without())

    assert asyncio.run(both()) == [(False, False), (True, True), (False, False)]


def test_threads_with_graphs_of_their_own_do_not_meet():
    def slope(seed):
        x = Value(float(seed))
        for _ in range(30):
            y = x
            for _ in range(50):
                y = y * 1.01 + x
            x.grad = 0.0
            y.backward()
        return x.grad

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(slope, range(12)))) == 1


# Copies and pickles -----------------------------------------------------------------------------------------------

CARRIERS = [copy.deepcopy] + [
    lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
]


def a_graph(by_hand=True):
    """Every kind of node: binary, unary, folded, vector, constant, and one made by hand."""
    x, w, c = Value(0.5, label="x"), Value(-1.5, label="w"), Value(2.0).detach()
    xs = Vector([x, x * w])
    folded = [dot(Vector([w, c]), xs, w), dot(Vector([w, x]), xs)]
    y = autograd.sum([*folded, (x * w).tanh(), w**3, c * x, 1.5 - w])
    y = y + autograd.logsumexp([x, w, 3.0]) + autograd.clamp(x, 0.0, 1.0)
    return x, w, y + Value(1.0, (x, w), (0.25, 4.0)) if by_hand else y


@pytest.mark.parametrize("carry", CARRIERS)
def test_copies_keep_the_whole_graph(carry):
    x, w, y = a_graph()
    y.backward()
    x2, w2, y2 = carry([x, w, y])  # together, so that what is shared stays shared
    assert y2 is not y
    assert (x2.label, w2.label) == ("x", "w")
    assert numbers(y2) == numbers(y)
    assert [type(v) for v in topological(y2)] == [type(v) for v in topological(y)]
    assert (x2.grad, w2.grad) == (x.grad, w.grad)
    assert not {*topological(y2), x2, w2} & {*topological(y), x, w}
    y2.backward()
    assert (x2.grad, w2.grad) == (2 * x.grad, 2 * w.grad)
    assert repr(carry(Value(1.0))) == "Value(data=1.0)"  # still without a gradient


@pytest.mark.parametrize("carry", CARRIERS)
def test_copies_differentiate_twice(carry):
    x = Value(0.5)
    y = (x * x).exp() * autograd.sum([x, x.sin()])
    x2, y2 = carry((x, y))
    slope = gradients(y, create_graph=True)[x]
    slope2 = gradients(y2, create_graph=True)[x2]
    assert slope2.data == slope.data
    assert gradients(slope2)[x2] == gradients(slope)[x]


def test_a_shallow_copy_shares_what_is_below():
    x = Value(2.0)
    y = x * x
    y.note = "mine"
    z = copy.copy(y)
    assert z is not y
    assert (z.operands, z.data, z.note) == ((x, x), 4.0, "mine")
    z.note = "changed"
    assert y.note == "mine"
    z.backward()
    assert (x.grad, y.grad) == (4.0, 0)


@pytest.mark.parametrize("carry", CARRIERS)
def test_constants_scopes_and_foreign_attributes_are_carried(carry):
    scope = Scope("neurons.0", "Neuron", "neuron", Scope("layers.1", "Layer", "layer"))
    with within(scope=scope):
        x = Value(2.0)
        y = x * x
    x.m, x.history = 0.25, [y.detach(), "text"]
    x2, y2 = carry([x, y])
    assert (x2.m, x2.history[0].data, x2.history[1]) == (0.25, 4.0, "text")
    assert not x2.history[0].requires_grad
    assert (y2.scope.name, y2.scope.parent.title) == ("neurons.0", "Layer")
    assert x2.scope is y2.scope


@pytest.mark.parametrize("carry", CARRIERS)
def test_recorded_gradients_are_carried_at_any_depth(carry):
    x = Value(0.5)
    y = x
    for _ in range(3000):
        y = (y * 1.0001).sin()
    y.backward(create_graph=True)
    x2 = carry(x)
    slope, slope2 = x.grad, x2.grad
    assert slope2.data == slope.data
    assert gradients(slope2)[x2] == gradients(slope)[x]


@pytest.mark.parametrize("dumps", [pickle.dumps, pickle._dumps])  # type: ignore[attr-defined]
def test_a_pickle_that_fails_leaves_no_trace(dumps):
    def chain(x):
        for _ in range(3000):
            x = x + 1.0
        return x

    x = Value(1.0)
    x.hook = lambda: None
    try:
        dumps(chain(x))
    except (AttributeError, pickle.PicklingError) as error:
        kept = error  # and with it the frames of the pickler
    assert pickle.loads(pickle.dumps(chain(Value(1.0)))).data == 3001.0
    assert kept


def test_depth_is_no_limit_to_copies():
    """The other depths are in test_scale."""
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    for z in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        z.backward()
        (leaf,) = {v for n in topological(z) for v in n.operands if not v.op}
        assert (z.data, leaf.grad) == (100_001.0, 100_001.0)


# Attributes, lifetime ---------------------------------------------------------------------------------------------


def test_foreign_attributes_and_weak_references():
    x = Value(1.0)
    x.m = x.v = 0.0
    x.m += 0.5
    inner = x * 2
    inner.name = "twice"
    assert (x.m, x.v, inner.name) == (0.5, 0.0, "twice")
    ref = weakref.ref(inner)
    assert weakref.WeakKeyDictionary({inner: 1})[inner] == 1
    assert ref() is inner
    del inner
    assert ref() is None


LOOKS = {
    "recorded": lambda y: None,
    "backward": lambda y: y.backward(),
    "twice": lambda y: [y.backward(), y.backward()],
    "gradients": lambda y: gradients(y),
    "recorded gradients": lambda y: gradients(y, create_graph=True),
    "_prev": lambda y: [v._prev for v in topological(y)],
    "_backward": lambda y: [v._backward() for v in reversed(topological(y))],
    "trace": autograd.trace,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "anomaly": lambda y: detect_anomaly(y.backward)(),
    "repr": repr,
}


@pytest.mark.parametrize(("name", "look"), LOOKS.items(), ids=LOOKS)
def test_a_graph_is_freed_the_moment_nobody_holds_its_end(name, look):
    gc.collect()
    gc.disable()
    try:
        x, w, y = a_graph(by_hand="recorded" not in name)
        look(y)
        held = [weakref.ref(v) for v in topological(y)]
        del y
        assert [ref() for ref in held if ref() is not None] == []
        leaves = [weakref.ref(x), weakref.ref(w)]
        del x, w
        assert [ref() for ref in leaves] == [None, None]
    finally:
        gc.enable()


# Anomalies --------------------------------------------------------------------------------------------------------


def line_number():
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_an_anomaly_in_the_forward_pass_says_all():
    p, layer = Value(0.0, label="p"), Scope("layers.2", "Layer", "layer", Scope("MLP", "MLP", "model"))
    with within(scope=layer), detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        p.log()
    here = f"test_value.py:{line_number() - 1}"
    message = str(caught.value)
    for part in ("log", "p=0", "-inf", here, "MLP.layers.2"):
        assert part in message


def test_an_anomaly_in_the_backward_pass_says_all():
    p = Value(0.0, label="p")
    with detect_anomaly():
        with within(scope=Scope("neurons.3")):
            root = p.sqrt()
        here = f"test_value.py:{line_number() - 1}"
        y = root * 2.0
        with pytest.raises(FloatingPointError) as caught:
            y.backward()
    message = str(caught.value)
    for part in ("gradient", "sqrt", "p=0", "inf", here, "neurons.3"):
        assert part in message
    assert y.data == 0.0


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: 1.0 / x, "div"),
        (lambda x: x / x, "div"),
        (lambda x: (x + 1000.0).exp(), "exp"),
        (lambda x: (x - 1.0) ** 0.5, "pow"),
        (lambda x: autograd.logsumexp([x + inf, x]), "add"),
        (lambda x: dot([x, x], [inf, 1.0]), "mul"),
        (lambda x: autograd.log([x + 1.0, x]), "log"),
        (lambda x: np.errstate(all="ignore")(np.log)(np.array([x])), "log"),  # NumPy warns, as of its own
        (lambda x: (x * 1.0).detach().log(), "log"),
    ],
)
def test_anomalies_are_found_wherever_they_arise(f, name):
    f(Value(0.0))  # silent by default
    with detect_anomaly(), pytest.raises(FloatingPointError, match=rf"{name}.*test_value\.py"):
        f(Value(0.0))


def test_detect_anomaly_changes_no_result():
    def slopes():
        x, w, y = a_graph()
        y.backward()
        return y.data, x.grad, w.grad

    assert detect_anomaly(slopes)() == pytest.approx(slopes(), rel=1e-15)
    with detect_anomaly():
        assert (Value(1.0) * 2).requires_grad
        with no_grad(), pytest.raises(FloatingPointError):
            Value(0.0).log()
    Value(0.0).log()


WAYS = {
    "a method": lambda x: x.tanh(),
    "an operator": lambda x: x * x,
    "with a number": lambda x: x * 2.0,
    "reflected": lambda x: 2.0 - x,
    "a function": lambda x: autograd.exp(x),
    "of several": lambda x: autograd.logsumexp([x, x, 1.0]),
    "a weighted sum": lambda x: dot([x, x], [1.0, 2.0], x),
    "in an array": lambda x: (np.array([x, x]) + 1.0)[0],
    "a neuron": lambda x: Neuron(2, rng=0)([x, 1.0]),
    "a gradient": lambda x: autograd.grad(lambda y: y**3)(x),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_line_that_recorded_is_remembered(way):
    f, x = WAYS[way], Value(0.5)
    here = f"{__file__}:{f.__code__.co_firstlineno}"
    plain = f(x)
    with record_lines():
        out = f(x)
    assert {v.recorded_at for v in topological(out)} == {here}
    assert not any(hasattr(v, "recorded_at") for v in (*topological(plain), *topological(f(x)), x))
    operations = [v.op for v in topological(plain)]
    assert [v.op for v in topological(out)] == operations  # a neuron's sum stays one node
    assert out.data == plain.data
    out.backward()
    plain.backward()
    assert [v.grad for v in topological(out)] == [v.grad for v in topological(plain)]
    with record_lines(), no_grad():
        assert not hasattr(f(x), "recorded_at")
    assert record_lines(f)(x).recorded_at.partition(":")[2] == here.partition(":")[2]


def test_an_anomaly_behind_remembered_lines_names_the_line():
    with record_lines():
        y = Value(0.0).sqrt()
    with detect_anomaly(), pytest.raises(FloatingPointError, match=rf"test_value\.py:{line_number() - 1}"):
        y.backward()


def test_a_graph_recorded_before_detect_anomaly_is_checked_too():
    p = Value(0.0, label="p")
    y = p.sqrt()
    with detect_anomaly(), pytest.raises(FloatingPointError, match="sqrt"):
        y.backward()


# Extending --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cube():
    op = autograd.op("cube_", "x^3", lambda x: x * x * x, lambda g, out, x: 3 * g * x * x)
    yield op
    del autograd.TABLE["cube_"], Value.cube_  # type: ignore[attr-defined]


def test_a_custom_op_is_like_ours(cube):
    x = Value(2.0)
    assert isinstance(cube(x), Value)
    assert cube(2.0) == 8.0
    assert x.cube_()._op == "cube_"
    assert [v.data for v in cube(array_of(1.0, 2.0))] == [1.0, 8.0]
    slope = gradients(x.cube_() * 2.0, create_graph=True)[x]
    assert slope.data == 24.0
    curvature = gradients(slope, create_graph=True)[x]
    assert curvature.data == 24.0
    assert gradients(curvature)[x] == 12.0
    assert not x.detach().cube_().requires_grad
    y = pickle.loads(pickle.dumps(cube(x)))
    assert y.op is cube


def test_a_custom_op_of_two_inputs_and_its_errors():
    blend = autograd.op(
        "blend_", "t x + (1 - t) y", lambda x, y, t=0.5: t * x + (1 - t) * y,
        lambda g, out, x, y, t: g * t, lambda g, out, x, y, t: g * (1 - t), lambda g, out, x, y, t: g * (x - y),
    )  # fmt: skip
    try:
        x, y = Value(2.0), Value(10.0)
        v = blend(x, y, t=0.25)
        v.backward()
        assert (v.data, x.grad, y.grad, blend(2.0, 10.0)) == (8.0, 0.25, 0.75, 6.0)
        with pytest.raises(TypeError, match="blend_"):
            blend(x, y, s=1.0)
    finally:
        del autograd.TABLE["blend_"], Value.blend_  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="rule"):
        autograd.op("blend_", "x", lambda x: x)
    with pytest.raises(ValueError, match="one rule for each input"):
        autograd.op("blend_", "x", lambda x: x, lambda g, out, x: g, lambda g, out, x: g)
    with pytest.raises(ValueError, match="backward"):
        autograd.op("backward", "x", lambda x: x, lambda g, out, x: g)
    assert not {"blend_", "backward"} & autograd.TABLE.keys()
    assert Value(1.0).backward() is None  # type: ignore[func-returns-value]


def test_methods_may_be_added_live():
    Value.cubed = lambda self: self**3  # type: ignore[attr-defined]
    try:
        x = Value(2.0)
        x.cubed().backward()
        assert (x.grad, x.detach().cubed().data) == (12.0, 8.0)
    finally:
        del Value.cubed  # type: ignore[attr-defined]


def square_by_hand(x):
    out = Value(x.data**2, (x,), "square")

    def _backward():
        x.grad += 2 * x.data * out.grad

    out._backward = _backward
    return out


def test_a_hand_set_backward_is_honoured_by_backward():
    x = Value(3.0)
    y = square_by_hand(x + 1.0) * 5.0
    y.backward()
    assert (y.data, x.grad, y._op) == (80.0, 40.0, "*")
    y.backward()
    assert x.grad == 80.0
    y._backward()  # ours, by hand
    (square,) = (v for v in y._prev if v._op == "square")
    assert square.grad == 10.0


def test_a_hand_set_backward_replaces_ours():
    x = Value(3.0)
    y = x * x
    pushed = []
    y._backward = lambda: pushed.append(y.grad)
    (y * 2).backward()
    assert (pushed, x.grad, y._op, y._prev) == ([2.0], 0, "*", {x})


def test_a_hand_set_backward_is_honoured_under_detect_anomaly():
    x = Value(3.0)
    with detect_anomaly():
        (square_by_hand(x) * 5.0).backward()
    assert x.grad == 30.0


def test_no_gradient_goes_behind_a_node_made_by_hand_without_one():
    x = Value(3.0)
    behind = x * 2.0
    made = Value(6.0, (behind,), "made")
    found = gradients(made * x)
    assert (found[made], found[x], behind in found) == (3.0, 6.0, False)


def test_a_hand_set_backward_cannot_be_recorded_and_says_so():
    x = Value(3.0)
    with pytest.raises(TypeError, match="square"):
        square_by_hand(x).backward(create_graph=True)


def test_a_subclass_works():
    class Named(Value):
        def shout(self):
            return self.label.upper()

    x = Named(3.0, label="x")
    y = (x * x + 2 * x) / Value(2.0) + x.tanh() - dot([x], [x])
    y.backward()
    assert x.shout() == "X"
    expected = Value(3.0)
    (
        (expected * expected + 2 * expected) / Value(2.0) + expected.tanh() - dot([expected], [expected])
    ).backward()
    assert x.grad == expected.grad


# Vectors of Values, folded ----------------------------------------------------------------------------------------


def test_dot_wants_two_vectors_of_one_size():
    with pytest.raises(ValueError, match=r"one size.*2 and 1"):
        dot([a, b], [1.0])
    with pytest.raises(TypeError, match="str"):
        dot([a], ["1"])


@pytest.mark.parametrize(
    "xs",
    [
        [3.0, 4.0],
        [3, 4],
        (3, 4.0),
        np.array([3, 4]),
        np.array([3.0, 4.0]),
        np.array([3, 4], np.float32),
        {3.0: 0, 4.0: 0}.keys(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("bias", [0.0, 0, 2, np.float64(0.5), Value(0.5), Value(1.0).detach()], ids=repr)
def test_dot_takes_any_numbers(xs, bias):
    w = [Value(2.0), Value(-1.0)]
    v = dot(w, xs, bias)
    assert type(v.data) is float
    assert v.data == 2.0 + float(bias)
    v.backward()
    assert [p.grad for p in w] == [3.0, 4.0]


@pytest.mark.parametrize("values", [True, False])
def test_dot_of_nothing_is_the_bias(values):
    assert float(dot([], [], Value(2.0) if values else 2.0)) == 2.0
    assert float(dot([], [])) == 0.0


def test_dot_of_numbers_and_values_mixed_in_any_place():
    x, y = Value(3.0), Value(5.0)
    for ws, xs in (([2.0, x], [y, 7.0]), ([x, 2.0], [7.0, y]), ([2.0, x], [y, x]), ([x, x], [1.0, y])):
        v = dot(ws, xs, 1.0)
        written_out = 1.0 + ws[0] * xs[0] + ws[1] * xs[1]  # type: ignore[operator]
        assert isinstance(written_out, Value)
        assert v.data == written_out.data
        assert gradients(v)[x] == gradients(written_out)[x]


def test_a_shared_vector_gathers_from_all_its_readers():
    x, w = [Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]
    xs, ws = Vector(x), Vector(w)
    y = dot(ws, xs) * dot(ws, xs, x[0]) + x[1] * dot(ws, [5.0, 6.0])
    for passes in (1, 2):
        y.backward()
        assert [v.grad for v in (*x, *w)] == [
            passes * g for g in (3 * 11 + 3 * 12 + 11, 4 * 11 + 4 * 12 + 39, 33, 58)
        ]


# Edges that belong to no single operation -------------------------------------------------------------------------


def test_zero_gradients_are_not_skipped():
    """0 * inf is nan: an engine that skips zeros hides it."""
    x = Value(0.0)
    y = x.sqrt() * 0.0
    y.backward()
    assert math.isnan(x.grad)
    w = Value(1.0)
    dot([w], [inf]).backward(gradient=0.0)
    assert math.isnan(w.grad)


def test_arithmetic_raises_nothing():
    for x in (0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 1e308, 5e-324):
        for y in (0.0, -0.0, 1.0, -2.5, inf, -inf, nan, 1e308):
            for compute in OPERATORS:
                for pair in ((Value(x), Value(y)), (Value(x), y), (x, Value(y))):
                    v = compute(*pair)
                    assert type(v.data) is float
                    v.backward()
    assert same((1.0 / Value(-0.0)).data, -inf)
    assert same((Value(1.0) / 0).data, inf)
    assert same((Value(0.0) / 0).data, nan)
    assert same((Value(inf) * 0).data, nan)
    assert same((Value(1e200) ** 2).data, inf)


def test_a_tie_splits_the_gradient():
    x, y = Value(2.0), Value(2.0)
    autograd.maximum(x, y).backward()
    assert (x.grad, y.grad) == (0.5, 0.5)
    autograd.minimum(x, x).backward()
    assert x.grad == 1.5
    assert math.isnan(autograd.maximum(Value(nan), 1.0).data)
    assert math.isnan(Value(nan).relu().data)
