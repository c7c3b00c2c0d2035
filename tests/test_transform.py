"""Derivatives of functions: against closed forms, each other, finite differences and high precision."""

import inspect
import math
import random
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd.transform
from autograd.context import detect_anomaly, no_grad
from autograd.operators import dot
from autograd.ops import TABLE, Op
from autograd.transform import (
    check_gradient,
    grad,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from autograd.value import Constant, Value
from autograd.vector import Vector

exp, log, sin, cos, tanh = (TABLE[name] for name in ("exp", "log", "sin", "cos", "tanh"))


def same(a, b, rel=1e-12):
    """Equal in structure, in the types of all parts, and in numbers up to `rel`."""
    assert type(a) is type(b), f"{type(a)} is not {type(b)}"
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rel, atol=1e-14)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            same(a[name], b[name], rel)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y, rel)
    else:
        assert a == pytest.approx(b, rel=rel, abs=1e-14)


# Closed forms


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (-1.2, 1.0), (0.3, -2.0)])
def test_rosenbrock(a, b):
    slope = [-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)]
    curvature = [[1200 * a * a - 400 * b + 2, -400 * a], [-400 * a, 200.0]]
    for make in (list, np.array):
        same(grad(rosenbrock)(make([a, b])), make(slope))
        same(hessian(rosenbrock)(make([a, b])), make(curvature))


def softmax(z):
    e = [exp(x - max(z).detach()) for x in z]
    return [x / sum(e) for x in e]


def test_softmax_jacobian():
    z = [0.5, -1.0, 2.0, 0.0]
    p = np.exp(z) / np.exp(z).sum()
    same(np.array(jacobian(softmax)(z)), np.diag(p) - np.outer(p, p))


def test_quadratic_form():
    a, x = np.random.default_rng(0).normal(size=(5, 5)), np.arange(5.0) - 1.5
    form = lambda x: x @ a @ x
    same(grad(form)(x), (a + a.T) @ x)
    same(hessian(form)(x), a + a.T)
    same(jacobian(lambda x: a @ x)(x), a)
    same(hvp(form, (x,), (x,)), (a + a.T) @ x)


def test_a_folded_sum_has_the_derivatives_of_the_written_one():
    folded = lambda w, x, b: tanh(dot(w, Vector(x), b))
    written = lambda w, x, b: tanh(sum((p * q for p, q in zip(w, x, strict=True)), b))
    args, every = ([0.5, -1.0], [2.0, 0.25], 0.1), (0, 1, 2)
    same(grad(folded, every)(*args), grad(written, every)(*args))
    same(hessian(folded, every)(*args), hessian(written, every)(*args))
    ways = ([1.0, 2.0], [-1.0, 0.5], 3.0)
    same(jvp(grad(folded, every), args, ways), jvp(grad(written, every), args, ways))


# Structures

STRUCTURES = {  # an argument, and its gradient under f = the sum of k x_k^2 over its numbers in order, k = 1, 2, ...
    "float": (3.0, 6.0),
    "int": (3, 6.0),
    "bool": (True, 2.0),
    "0-d array": (np.array(3), 6.0),
    "list": ([1.0, 2], [2.0, 8.0]),
    "tuple": ((1.0, 2.0), (2.0, 8.0)),
    "nested": ([1.0, [2.0, (3.0,)], []], [2.0, [8.0, (18.0,)], []]),
    "dict": ({"w": [1.0, 2.0], "b": 3.0}, {"w": [2.0, 8.0], "b": 18.0}),
    "array": (np.array([1.0, 2.0]), np.array([2.0, 8.0])),
    "integers": (np.array([[1, 2], [3, 4]]), np.array([[2.0, 8.0], [18.0, 32.0]])),
    "arrays": ([np.array([1.0, 2.0]), 3.0], [np.array([2.0, 8.0]), 18.0]),
}


def numbers(tree):
    if isinstance(tree, np.ndarray):
        return tree.ravel().tolist()
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [x for branch in tree for x in numbers(branch)] if isinstance(tree, (list, tuple)) else [tree]


def weighted_squares(tree):
    return sum(k * x * x for k, x in enumerate(numbers(tree), 1))


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_gradient_has_the_structure_of_the_argument(name):
    x, expected = STRUCTURES[name]
    same(grad(weighted_squares)(x), expected)
    same(value_and_grad(weighted_squares)(x), (float(weighted_squares(x)), expected))
    same(jacobian(weighted_squares)(x), expected)
    same(vjp(weighted_squares, x)[1](2.0), (grad(lambda x: 2 * weighted_squares(x))(x),))
    same(numbers(hvp(weighted_squares, (x,), (x,))), [float(y) for y in numbers(expected)])
    second = [float(y) for y in numbers(jacobian(grad(weighted_squares))(x))]
    assert sorted(y for y in second if y) == [2.0 * k for k in range(1, len(numbers(x)) + 1)]
    total = sum(a * b for a, b in zip(numbers(expected), numbers(x), strict=True))
    same(jvp(weighted_squares, (x,), (x,)), (float(weighted_squares(x)), float(total)))


def test_values_give_values_and_plain_numbers_plain_ones():
    for x in (Value(2.0), [Value(2.0), 1.0], np.array([Value(2.0), Value(1.0)])):
        for result in (
            grad(weighted_squares)(x),
            value_and_grad(weighted_squares)(x),
            hessian(weighted_squares)(x),
        ):
            assert {isinstance(y, Value) for y in numbers(result)} == {True}
    same(grad(lambda w: w * Value(3.0))(2.0), 3.0)
    assert isinstance(grad(lambda w, x: w * x)(2.0, Value(3.0)), Value)
    assert isinstance(grad(lambda w, x: w * x)(2.0, x=Value(3.0)), Value)


def test_shapes_of_jacobians():
    x, a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.arange(8.0).reshape(4, 2)
    outer = lambda x: a @ x  # (4, 3) from (2, 3)
    expected = np.einsum("ij,kl->ikjl", a, np.eye(3))
    same(jacobian(outer)(x), expected)
    same(jacobian(lambda x: a @ np.array(x))(x.tolist()), expected)
    same(jacobian(lambda x: (a @ x).tolist())(x), [list(row) for row in expected])
    same(jacobian(lambda x: a[0] * x)(2.0), a[0])
    same(jacobian(lambda x: {"a": x * x, "b": (x, 3.0)})(2.0), {"a": 4.0, "b": (1.0, 0.0)})
    ragged = lambda p: np.array([p[0] * p[1][0], p[1][1] * p[1][1]])
    same(jacobian(ragged)([2.0, [3.0, 4.0]]), [[3.0, [2.0, 0.0]], [0.0, [0.0, 8.0]]])
    same(jacobian(lambda x: [])([1.0]), [])
    same(hessian(lambda x: (x * x * x).sum())(x).shape, (2, 3, 2, 3))


@pytest.mark.parametrize(("f", "sweeps"), [(lambda x: [x[0]] * 5, "push"), (lambda x: [x[0], x[1]], "pull")])
def test_a_jacobian_takes_the_cheaper_mode(f, sweeps, monkeypatch):
    count = {"push": 0, "pull": 0}
    for name in count:
        method = getattr(autograd.transform.Route, name)
        counted = lambda self, each, name=name, method=method: (
            count.update({name: count[name] + 1}) or method(self, each)
        )
        monkeypatch.setattr(autograd.transform.Route, name, counted)
    rows = jacobian(f)([1.0, 2.0, 3.0])
    assert rows[0] == [1.0, 0.0, 0.0]
    assert count == {"push": 0, "pull": 0, sweeps: 3 if sweeps == "push" else 2}


def test_several_arguments():
    f = lambda x, y, z: x[0] * y * y + x[1] * z
    args = (np.array([2.0, 3.0]), 5.0, 7.0)
    same(grad(f, 1)(*args), 20.0)
    same(grad(f, -1)(*args), 3.0)
    same(grad(f, (1,))(*args), (20.0,))
    same(grad(f, (2, 0))(*args), (3.0, np.array([25.0, 7.0])))
    same(grad(f, (1, -2))(*args), (20.0, 20.0))
    same(
        hessian(f, (0, 1))(*args),
        ((np.zeros((2, 2)), np.array([10.0, 0.0])), (np.array([10.0, 0.0]), 4.0)),
    )
    product_of = lambda x, w: w @ x
    w = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    by_x, by_w = jacobian(product_of, (0, 1))(args[0], w)
    same(by_x, w)
    same(by_w, np.einsum("ij,k->ijk", np.eye(3), args[0]))
    same(jacobian(lambda x, y: [x * y, x], (0, 1))(2.0, 3.0), [(3.0, 2.0), (1.0, 0.0)])
    same(hvp(lambda x, y: x * x * y, (2.0, 3.0), (1.0, 0.0)), (6.0, 4.0))


def test_other_arguments_are_passed_on():
    f = lambda x, how, *, k=1.0: k * x * x if how == "square" else x
    same(grad(f)(3.0, "square", k=2.0), 12.0)
    same(hessian(f)(3.0, "square", k=2.0), 4.0)
    same(grad(f)(3.0, "no"), 1.0)


def test_a_transform_bears_the_name_of_its_function():
    def height(x, scale=1.0):
        """How high it is."""
        return x * x * scale

    for transform in (grad, value_and_grad, jacobian, hessian):
        assert transform(height).__name__ == "height"
        assert transform(height).__doc__ == "How high it is."
        assert list(inspect.signature(transform(height)).parameters) == ["x", "scale"]
    assert grad(exp).__name__ == "exp"
    assert not hasattr(grad(exp), "rules")


def test_arguments_that_occur_twice_are_two():
    x, xs = Value(3.0), np.array([1.0, 2.0])
    same([float(g) for g in grad(lambda x, y: x * x * y, (0, 1))(x, x)], [18.0, 9.0])
    same([float(g) for g in grad(lambda xs: xs[0] * xs[0] * xs[1])([x, x])], [18.0, 9.0])
    same(jacobian(lambda a, b: a * b * b, (0, 1))(xs, xs), (np.diag(xs**2), np.diag(2 * xs**2)))


def test_the_argument_itself_and_what_does_not_depend_on_it():
    same(value_and_grad(lambda x: x)(2.0), (2.0, 1.0))
    same(
        jacobian(lambda xs: [xs[1], xs[1], 5, xs[0]])([1.0, 2.0]),
        [[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]],
    )
    same(vjp(lambda x: [x, x], 2.0)[1]([3.0, 4.0]), (7.0,))
    same(jvp(lambda x: [x, 1], (2.0,), (3.0,)), ([2.0, 1.0], [3.0, 0.0]))
    for constant in (7, 7.0, np.float64(7.0), Value(7.0), Constant(7.0), np.array(7.0)):
        same(value_and_grad(lambda x, c=constant: c)([1.0, 2.0]), (7.0, [0.0, 0.0]))
        same(jvp(lambda x, c=constant: c, (1.0,), (2.0,)), (7.0, 0.0))
    same(hessian(lambda x: 3.0 * x[0])(np.array([1.0, 2.0])), np.zeros((2, 2)))


def test_a_function_gets_a_copy_of_the_structure():
    def f(xs):
        xs.append(xs.pop() * 2.0)
        return xs[0] * xs[1]

    xs = [3.0, 4.0]
    same(grad(f)(xs), [8.0, 6.0])
    assert xs == [3.0, 4.0]


# Nesting


def test_no_perturbation_confusion():
    for d in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]):
        for e in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]):
            same(d(lambda x: x * e(lambda y: x + y)(2.0))(1.0), 1.0)  # noqa: B023
            same(d(lambda x: e(lambda y: x * y * y)(x))(3.0), 12.0)  # noqa: B023
            same(d(lambda x: e(lambda y: x * y)(x) * e(lambda y: x * x * y)(5.0))(2.0), 12.0)  # noqa: B023
            same(d(lambda x: e(lambda x: x * x)(x * x))(3.0), 12.0)  # noqa: B023
            same(d(lambda x: x * e(lambda y: 7.0)(x))(3.0), 0.0)  # noqa: B023


def test_three_deep_with_closures():
    f = lambda x: grad(lambda y: grad(lambda z: x * y**2 * z**3)(y))(x)  # 3 x y^2 z^2: d/dy at y=x: 6 x y z^2
    # Inner: g(y) = 3 x y^2 y^2 = 3 x y^4, g'(y) = 12 x y^3, at y = x: 12 x^4, so f' = 48 x^3
    same(f(2.0), 192.0)
    same(grad(f)(2.0), 384.0)


def test_compositions_agree():
    f = lambda x: sin(x[0] * x[1]) + exp(x[1]) * x[0]
    x, v = np.array([0.5, -0.7]), np.array([1.0, 2.0])
    h = hessian(f)(x)
    same(h, h.T)
    same(jacobian(grad(f))(x), h)
    same(jacobian(jacobian(f))(x), h)
    same(jvp(grad(f), (x,), (v,))[1], h @ v)
    same(vjp(grad(f), x)[1](v)[0], h @ v)
    same(grad(lambda x: jvp(f, (x,), (v,))[1])(x), h @ v)
    same(grad(lambda x: (grad(f)(x) * v).sum())(x), h @ v)
    same(jacobian(lambda x: vjp(f, x)[1](1.0)[0])(x), h)
    third = jacobian(hessian(f))(x)
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        same(third, third.transpose(order))


def test_values_in_are_connected_to_values_out():
    x = Value(2.0, label="x")
    y, slope = value_and_grad(lambda x: x**3)(x)
    assert x.grad == 0.0
    slope.backward()
    same(x.grad, 12.0)
    same(gradient(y, x), 12.0)
    same(gradient(jvp(sin, (x,), (x,))[1], x), math.cos(2.0) - 2.0 * math.sin(2.0))
    t = Value(3.0)
    same(gradient(jvp(sin, (2.0,), (t,))[1], t), math.cos(2.0))
    c = Value(3.0)
    _, pullback = vjp(sin, 2.0)
    same(gradient(pullback(c)[0], c), math.cos(2.0))


def test_a_penalty_on_the_slope_trains_what_the_function_closes_over():
    w = Value(0.5)
    slope = grad(lambda x: tanh(w * x))(Value(2.0))  # w / cosh^2(w x)
    t = math.tanh(1.0)
    same(gradient(slope, w), (1 - t * t) * (1 - 2 * 0.5 * 2.0 * t))


def test_what_came_before_is_not_walked(monkeypatch):
    """Steps of gradient descent, each on the result of the last: a walk through all of it would be quadratic."""
    looked_at = []
    parts = autograd.transform.parts

    def counting(v):
        looked_at.append(v)
        return parts(v)

    monkeypatch.setattr(autograd.transform, "parts", counting)
    w = Value(2.0)
    for _ in range(300):
        w = w - 0.01 * grad(lambda w: w * w)(w)
    assert w.data == pytest.approx(2.0 * 0.98**300)
    assert 300 <= len(looked_at) <= 300 * 3
    same(gradient(w, w), 1.0)


def test_labels_stay():
    labels = lambda x, y: {"a": 1.0, "b": 2.0}[x.label] * x + (y.label == "b") * y
    same([float(g) for g in grad(labels, (0, 1))(Value(1.0, label="b"), Value(2.0, label="b"))], [2.0, 1.0])


def test_signed_zero_passes_into_nested_functions():
    same(
        [float(value_and_grad(TABLE["reciprocal"])(Value(x))[0]) for x in (0.0, -0.0)], [math.inf, -math.inf]
    )


# Recording


def test_no_grad_outside_does_not_hinder_and_inside_holds():
    x = Value(3.0)
    with no_grad():
        same(grad(lambda x: x * x)(3.0), 6.0)
        same(hessian(lambda x: x * x * x)(3.0), 18.0)
        same(hvp(lambda x: x * x * x, (3.0,), (2.0,)), 36.0)
        y, slope = value_and_grad(lambda x: x * x)(x)
    assert (type(y), type(slope)) == (Constant, Constant)
    assert (y.data, slope.data) == (9.0, 6.0)

    def partly(x):
        with no_grad():
            constant = x * x
        return constant * x + x.detach()

    same(grad(partly)(3.0), 9.0)
    same(grad(no_grad(lambda x: x * x))(3.0), 0.0)


def test_after_an_error_inside_all_is_as_before():
    def fails(x):
        raise RuntimeError("inside")

    with no_grad():
        with pytest.raises(RuntimeError, match="inside"):
            grad(fails)(1.0)
        assert isinstance(Value(1.0) * 2.0, Constant)
    same(grad(lambda x: x * x)(3.0), 6.0)


def test_anomalies_are_reported():
    with detect_anomaly():
        root = TABLE["sqrt"]
        for f in (grad(root), lambda x: jvp(root, (x,), (1.0,)), jacobian(lambda x: [root(x), x])):
            with pytest.raises(
                FloatingPointError, match=r"gradient of sqrt\(0\) with respect to 0 is inf, recorded"
            ):
                f(0.0)
    assert grad(root)(0.0) == math.inf


def test_a_chain_of_a_hundred_thousand():
    def chain(x):
        for _ in range(100_000):
            x = x * 0.99999
        return x * x

    expected = 2.0 * 0.99999**200_000
    same(grad(chain)(0.5), 0.5 * expected, 1e-9)
    same(hvp(chain, (0.5,), (3.0,)), 3.0 * expected, 1e-9)


# Recorded graphs


def test_gradient_of_leaves_and_inner_nodes():
    a, b, other = Value(2.0), Value(-3.0), Value(1.0)
    c = a * b
    d = c + a
    out = d * c
    for v in (a, b, c, d, out):
        v.grad = 99.0
    same(
        gradient(out, [a, b, c, d, out, other]),
        [24.0, -20.0, -10.0, -6.0, 1.0, 0.0],
    )
    same(gradient(out, a), 24.0)
    same(gradient(out, [[a, (b,)], {"d": d}]), [[24.0, (-20.0,)], {"d": -6.0}])
    same(gradient(out, np.array([a, b])), np.array([24.0, -20.0]))
    same(gradient(out, [a, a]), [24.0, 24.0])
    same(gradient(out, []), [])
    same(gradient(other, [other, a, Constant(1.0)]), [1.0, 0.0, 0.0])
    assert {v.grad for v in (a, b, c, d, out)} == {99.0}
    assert other.grad == 0.0
    out.backward()
    same([b.grad, d.grad], [79.0, -6.0])


def test_frozen_leaves_have_no_gradient():
    w = [Value(1.0), Value(2.0)]
    w[0].requires_grad = False
    same(gradient(dot(w, [3.0, 4.0], w[1]) * w[0], w), [0.0, 5.0])
    same(gradient(dot(w, [3.0, 4.0], w[1]) * w[0], w, create_graph=True)[0].data, 0.0)


def test_gradient_agrees_with_backward():
    xs = [Value(0.3), Value(-0.4), Value(1.1)]
    out = exp(dot(xs, [1.0, 2.0, 3.0], 0.1)) * TABLE["logsumexp"](xs) + TABLE["prod"](*xs) ** 2
    out.backward()
    same(gradient(out, xs), [x.grad for x in xs])
    same([g.data for g in gradient(out, xs, create_graph=True)], [x.grad for x in xs])


def test_create_graph_gives_values_that_can_be_differentiated():
    x, y = Value(2.0), Value(5.0)
    gx, gy, none = gradient(x**3 * y, [x, y, Value(1.0)], create_graph=True)
    assert isinstance(none, Value)
    same(gradient(gx, [x, y]), [60.0, 12.0])
    same(gradient(gy, [x, y]), [12.0, 0.0])
    same(gradient(gradient(gx, x, create_graph=True), x), 30.0)
    assert (x.grad, y.grad) == (0.0, 0.0)
    gx.backward()
    same((x.grad, y.grad), (60.0, 12.0))


# Laws

UNARY = [sin, cos, tanh, lambda x: x * x, lambda x: exp(0.3 * tanh(x)), lambda x: 1.0 / (2.0 + x * x)]
BINARY = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 0.5 * y, TABLE["hypot"], TABLE["atan2"]]
BINARY.append(lambda x, y: dot([x, y, x], [y, 0.5, y], x))
STEPS = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=10
)
REALS = st.floats(-2.0, 2.0).filter(lambda x: abs(x) > 0.05)
VECTORS = st.lists(REALS, min_size=3, max_size=3)


def program(steps):
    """The function from 3 numbers to 4 that applies these operations to results before."""

    def f(xs):
        known = list(xs)
        for which, i, j in steps:
            x, y = known[i % len(known)], known[j % len(known)]
            known.append(
                UNARY[which](x) if which < len(UNARY) else BINARY[(which - len(UNARY)) % len(BINARY)](x, y)
            )
        return [known[-1], tanh(known[-2]), known[0] * known[-1], known[1]]

    return f


@settings(max_examples=50, deadline=None)
@given(STEPS, VECTORS, VECTORS, st.lists(REALS, min_size=4, max_size=4))
def test_forward_and_reverse_mode_are_dual(steps, xs, ts, cs):
    f = program(steps)
    value, moved = jvp(f, (xs,), (ts,))
    again, pullback = vjp(f, xs)
    assert value == again
    (pulled,) = pullback(cs)
    j = np.array(jacobian(f)(xs))
    scale = 1.0 + abs(np.array(cs)) @ abs(j) @ abs(np.array(ts))
    assert np.dot(cs, moved) == pytest.approx(np.dot(pulled, ts), abs=1e-11 * scale)
    np.testing.assert_allclose(moved, j @ ts, rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_allclose(pulled, cs @ j, rtol=1e-9, atol=1e-11 * scale)


@settings(max_examples=30, deadline=None)
@given(STEPS, VECTORS, VECTORS)
def test_a_hessian_is_symmetric_and_hvp_is_its_product(steps, xs, ts):
    f = lambda xs: tanh(program(steps)(xs)[0])
    h = np.array(hessian(f)(xs))
    scale = 1.0 + abs(h).max() * 10.0
    np.testing.assert_allclose(h, h.T, rtol=1e-7, atol=1e-10 * scale)
    np.testing.assert_allclose(hvp(f, (xs,), (ts,)), h @ ts, rtol=1e-7, atol=1e-10 * scale)


# Third derivatives of the whole table


def spots(entry, count=3):
    """Points in the domain of an operation, at some distance from its kinks."""
    rng = random.Random(entry.name)
    found: list[list[float]] = []
    while len(found) < count:
        point = [
            rng.uniform(max(low, -2.0) + 0.1, min(high, max(low, -2.0) + 4.0) - 0.1)
            for low, high in entry.domain
        ]
        if callable(entry.kinks):
            distance = abs(entry.kinks(*point))
        else:
            distance = min((abs(x - kink) for x, kink in product(point, entry.kinks)), default=1.0)
        if distance > 0.1:
            found.append(point)
    return found


@pytest.mark.parametrize("name", TABLE)
def test_three_orders_of_every_operation(name):
    entry = TABLE[name]
    if entry.variadic:
        index = [1.0] if name == "pick" else []
        check_gradient(lambda xs: entry([*xs, *index]), [0.7, -1.3, 0.4], order=3)
        return
    for point in spots(entry):
        check_gradient(entry, *point, order=3)


PRECISE = ["exp", "expm1", "log", "log1p", "sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan"]
PRECISE += ["sinh", "cosh", "tanh", "asinh", "atanh", "erf", "erfc"]


@pytest.mark.parametrize("name", PRECISE)
def test_third_derivatives_in_high_precision(name):
    third = grad(grad(grad(TABLE[name])))
    for x in (0.1, 0.3, 0.55):
        with mpmath.workdps(60):
            expected = float(mpmath.diff(getattr(mpmath, name), mpmath.mpf(x), 3))
        assert third(x) == pytest.approx(expected, rel=1e-13)


# The check itself


def wrong(order, factor=1.001):
    """A sine whose derivatives are right but for that of one order."""
    name = f"wrong_in_order_{order}"
    if order == 1:
        return Op(name, "sin x", math.sin, lambda g, out, x: factor * g * cos(x))
    below = wrong_cosine(order - 1, factor)
    return Op(name, "sin x", math.sin, lambda g, out, x: g * below(x))


def wrong_cosine(order, factor):
    if order == 1:
        return Op("wrong_cos", "cos x", math.cos, lambda g, out, x: -factor * g * sin(x))
    below = wrong(order - 1, factor)
    return Op("right_cos", "cos x", math.cos, lambda g, out, x: -g * below(x))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_rule_wrong_by_a_thousandth_is_found(order):
    f = wrong(order)
    check_gradient(f, 0.5, order=order - 1) if order > 1 else None
    with pytest.raises(AssertionError):
        check_gradient(f, 0.5, order=order)
    with pytest.raises(AssertionError):
        check_gradient(wrong(order, -1.0), 0.5, order=order)
    check_gradient(wrong(order, 1.0), 0.5, order=order)
    check_gradient(wrong(order, 1.0 + 1e-8), 0.5, order=order)
    with pytest.raises(AssertionError):
        check_gradient(wrong(order, 1.0 + 1e-8), 0.5, order=order, tolerance=1e-9)


@pytest.mark.parametrize("x", [1e-3, 0.05, 30.0, 1000.0, -1000.0])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_it_is_found_at_any_size(x, scale):
    check_gradient(lambda x: scale * sin(x), x)
    with pytest.raises(AssertionError):
        check_gradient(lambda x: scale * wrong(1)(x), x)
    with pytest.raises(AssertionError):
        check_gradient(lambda x: scale * wrong(2)(x), x)


def test_one_wrong_number_among_many_is_named():
    bad = wrong(1)
    f = lambda w, x: [w[0][0] * x["a"], w[1] * 2.0, bad(w[0][1]) + x["b"][1, 0]]
    w, x = [[1.0, 0.0], 3.0], {"a": 2.0, "b": np.ones((2, 2))}
    with pytest.raises(AssertionError) as caught:
        check_gradient(f, w, x, order=1)
    assert str(caught.value).startswith(
        "d f[2] / d x[0][0][1] at x[0][0][0] = 1.0, x[0][0][1] = 0.0, x[0][1] = 3.0, x[1]['a'] = 2.0, "
        "x[1]['b'][0, 0] = 1.0, x[1]['b'][0, 1] = 1.0, x[1]['b'][1, 0] = 1.0, x[1]['b'][1, 1] = 1.0: "
        "got 1.001, expected 1 ± "
    )
    with pytest.raises(
        AssertionError, match=r"^d \(d f / d x\[0\]\) / d x\[0\] at x\[0\] = 0.5, x\[1\] = 2.0: got -"
    ):
        check_gradient(lambda x, y: wrong(2)(x) * y, 0.5, 2.0)


RIGHT: dict[str, Any] = {
    "constant": (lambda x: 3.0, 1.0),
    "zero": (lambda x: x - x, 1.0),
    "linear": (lambda x: 3.0 * x - 2.0, 1e6),
    "flat at the point": (lambda x: x**4, 0.0),
    "an extremum": (cos, 0.0),
    "a zero of f and f'": (lambda x: 1.0 - cos(x) + x * x * x, 0.0),
    "near the edge of the domain": (log, 1e-3),
    "steep": (lambda x: exp(50.0 * x), 1.0),
    "large": (exp, 709.0),
    "fast": (lambda x: sin(200.0 * x), 0.3),
    "a kink nearby": (TABLE["relu"], 0.01),
    "a step nearby": (TABLE["floor"], 2.01),
    "many": (lambda x: (np.tanh(x) * x[::-1]).sum(), np.linspace(-1.0, 1.0, 6)),
    "list of functions": (lambda x: [sin(x[0]), {"y": x[0] * x[1]}, np.array([[x[1] * x[1]]])], [0.5, 2.0]),
    "numbers among Values": (lambda x: TABLE["logsumexp"]([1.0, x, x * x]) + TABLE["prod"](2.0, x, x), 0.5),
    "Values": (lambda x: x * x, Value(3.0)),
    "an integer": (lambda x: x * x, 3),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    f, x = RIGHT[name]
    check_gradient(f, x)


def test_where_there_is_no_derivative_nothing_is_right():
    for f, x in ((TABLE["relu"], 0.0), (TABLE["floor"], 1.0), (log, -1.0), (TABLE["sqrt"], 0.0)):
        with pytest.raises(AssertionError):
            check_gradient(f, x)


# Errors

of: Any = autograd.transform  # so that types do not forbid what is tested here
two = lambda x: [x, x]
ERRORS = [
    (lambda: of.grad(two)(1.0), TypeError, r"that returns one number; .* Received: a list of 2$"),
    (lambda: of.grad(lambda x: x)(np.ones(3)), TypeError, r"Received: an array of shape \(3,\)$"),
    (lambda: of.hessian(two)(1.0), TypeError, "one number.*Received: a list of 2$"),
    (lambda: of.grad(lambda x: None)(1.0), TypeError, "must return numbers.*Received: NoneType$"),
    (lambda: of.jacobian(lambda x: "text")(1.0), TypeError, "must return numbers.*Received: str$"),
    (lambda: of.grad(Value(1.0)), TypeError, "a function is needed.*Received: Value$"),
    (lambda: of.jvp(3, (1.0,), (1.0,)), TypeError, "a function is needed.*Received: int$"),
    (
        lambda: of.grad(sin, 1)(1.0),
        ValueError,
        "argnums=1 needs at least 2 positional arguments. Received: 1$",
    ),
    (
        lambda: of.grad(sin, -2)(1.0),
        ValueError,
        "argnums=-2 needs at least 2 positional arguments. Received: 1$",
    ),
    (
        lambda: of.grad(sin)(x=1.0),
        ValueError,
        "argnums=0 needs at least 1 positional arguments. Received: 0$",
    ),
    (lambda: of.grad(sin, ()), ValueError, r"at least one argument. Received: \(\)$"),
    (lambda: of.grad(sin, "x"), TypeError, "must be an int or a tuple of ints. Received: 'x'$"),
    (lambda: of.grad(sin, 1.5), TypeError, "must be an int or a tuple of ints. Received: 1.5$"),
    (lambda: of.grad(sum)([]), ValueError, r"a number to differentiate by. Received: \[\[\]\]$"),
    (lambda: of.grad(sin)("x"), TypeError, "one real number. Received: str$"),
    (lambda: of.grad(sin)(None), TypeError, "one real number. Received: NoneType$"),
    (lambda: of.grad(sin)(1j), TypeError, "one real number. Received: complex$"),
    (lambda: of.jvp(sin, 1.0, 1.0), TypeError, "primals must be the tuple of .*arguments. Received: float$"),
    (
        lambda: of.jvp(two, ([1.0, 2.0],), ([1.0],)),
        ValueError,
        r"structure of \(\[1.0, 2.0\],\). Received: \(\[1.0\],\)$",
    ),
    (
        lambda: of.hvp(sin, (1.0,), 1.0),
        ValueError,
        r"tangents must have the structure of \(1.0,\). Received: 1.0$",
    ),
    (
        lambda: of.vjp(two, 1.0)[1](1.0),
        ValueError,
        "pullback's argument must have the structure of .*Received: 1.0$",
    ),
    (lambda: of.vjp(sin), ValueError, "at least one argument"),
    (lambda: of.gradient(1.0, Value(1.0)), TypeError, "output must be a Value. Received: float$"),
    (lambda: of.gradient(Value(1.0), [1.0]), TypeError, "each input must be a Value. Received: float$"),
    (lambda: of.check_gradient(sin), ValueError, "needs a number in xs"),
    (lambda: of.check_gradient(sin, 1.0, order=0), ValueError, "needs order to be at least 1.*order=0$"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_say_what_must_hold_and_what_was_received(number):
    call, error, text = ERRORS[number]
    with pytest.raises(error, match=text):
        call()


def test_nodes_made_by_hand():
    def with_slopes(x):
        return Value(x.data**2, (x,), (2.0 * x.data,))

    def with_push(x):
        out = Value(x.data**2, (x,), "square")
        out._backward = lambda: None
        return out

    same(grad(with_slopes)(3.0), 6.0)
    same(grad(lambda x: Value(x.data, (x,), "without slopes") + x)(3.0), 1.0)
    same(jvp(with_slopes, (3.0,), (2.0,)), (9.0, 12.0))
    for differentiate in (lambda: grad(grad(with_slopes))(3.0), lambda: grad(with_push)(3.0)):
        with pytest.raises(TypeError, match="was made by hand, without a rule: only backward"):
            differentiate()
    same(grad(lambda x: x * x + with_push(Value(1.0)))(3.0), 6.0)


def test_all_is_exported():
    for transform in (grad, value_and_grad, jacobian, hessian, jvp, vjp, hvp, gradient, check_gradient):
        assert getattr(autograd, transform.__name__) is transform
