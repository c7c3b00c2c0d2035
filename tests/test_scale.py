"""Depth, width and memory: a million operations deep, a hundred thousand operands wide, nothing left behind."""

import copy
import gc
import pickle
import tracemalloc

import pytest

import autograd
from autograd import Value, Vector, dot, trace
from autograd.value import gradients, topological

DEEP, WIDE = 1_000_000, 100_000


@pytest.fixture(autouse=True)
def without_the_collector():
    """Whatever goes, goes by reference count alone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def chain(x, depth):
    """x + x / 2^30 + ...: multiplications and additions in turn."""
    y, small = x, 1.0 + 2.0**-30
    for _ in range(depth // 2):
        y = y * small + x
    return y


def slope_of_chain(depth):
    """d chain / d x, in the same order as backward sums it: from the end to the start."""
    total, g, small = 0.0, 1.0, 1.0 + 2.0**-30
    for _ in range(depth // 2):
        total, g = total + g, small * g
    return total + g


SLACK = 10_000  # bytes that the interpreter keeps for itself, and whoever else runs


def blocks():
    return tracemalloc.get_traced_memory()[0]


def test_a_chain_a_million_deep():
    x = Value(1e-6)
    y = chain(x, DEEP)
    assert len(topological(y)) == DEEP
    y.backward()
    assert x.grad == slope_of_chain(DEEP)
    y.backward()
    assert x.grad == pytest.approx(2 * slope_of_chain(DEEP), rel=1e-12)
    del y  # a recursive release would end the interpreter


@pytest.mark.parametrize(
    "carry", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))], ids=["deepcopy", "pickle"]
)
def test_a_deep_chain_is_carried(carry):
    depth = 200_000
    x = Value(1e-6)
    y = chain(x, depth)
    y.backward()
    z = carry(y)
    below = topological(z)
    assert len(below) == depth
    twin = below[0].operands[0]
    assert twin is not x
    assert (z.data, twin.grad) == (y.data, x.grad)
    z.backward()
    assert twin.grad == pytest.approx(2 * slope_of_chain(depth), rel=1e-12)


def test_a_deep_chain_is_recorded_backward_and_looked_at():
    depth = 50_000
    x = Value(1e-6)
    y = chain(x, depth)
    slope = gradients(y * y, create_graph=True)[x]
    assert slope.data == pytest.approx(2.0 * y.data * slope_of_chain(depth), rel=1e-12)
    slope.backward()
    assert x.grad == pytest.approx(2.0 * slope_of_chain(depth) ** 2, rel=1e-12)
    nodes, edges = trace(y)
    constants = depth // 2
    assert (len(nodes), len(edges)) == (depth + 1 + constants, 2 * depth)


@pytest.mark.parametrize("op", ["sum", "mean", "prod", "norm", "logsumexp"])
def test_a_node_with_a_hundred_thousand_operands(op):
    xs = [Value(1.0) for _ in range(WIDE)]
    y = autograd.TABLE[op](xs)
    assert len(topological(y)) == 1
    y.backward()
    slope = {"sum": 1.0, "mean": 1e-5, "prod": 1.0, "norm": WIDE**-0.5, "logsumexp": 1e-5}[op]
    (grad,) = {v.grad for v in xs}
    assert grad == pytest.approx(slope, rel=1e-9)


def test_a_wide_dot_folded_and_unfolded():
    ws, xs = ([Value(float(i % 7)) for i in range(WIDE)] for _ in "wx")
    y = dot(ws, Vector(xs), Value(0.5))
    assert len(topological(y)) == 1
    y.backward()
    assert [w.grad for w in ws] == [x.data for x in xs]
    assert y._prev  # and now it is 2 * WIDE binary nodes
    assert len(topological(y)) == 2 * WIDE
    y.backward()
    assert [w.grad for w in ws] == [2 * x.data for x in xs]


def test_a_binary_node_takes_at_most_200_bytes():
    count = 10_000
    for record in (lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - y):
        x, y = Value(1.5), Value(2.5)
        record(x, y)
        tracemalloc.start()
        try:
            before = blocks()
            nodes = [record(x, y) for _ in range(count)]
            taken = blocks() - before - nodes.__sizeof__()
            assert 100 < taken / count <= 200
            del nodes
            assert blocks() - before < SLACK
        finally:
            tracemalloc.stop()


def scores(net, points):
    total = Value(0.0)
    for point in points:
        xs = Vector(point)
        hidden = Vector([dot(w, xs, b).tanh() for w, b in net[0]])
        (w, b) = net[1]
        total = total + (1.0 - dot(w, hidden, b)).relu()
    return total


@pytest.mark.parametrize("keep", [False, True], ids=["backward", "look"])
def test_memory_is_flat_over_training(keep):
    net = ([(Vector([Value(0.1 * i), Value(-0.2 * i)]), Value(0.0)) for i in range(4)],
           (Vector([Value(0.3 * i) for i in range(4)]), Value(0.0)))  # fmt: skip
    parameters = [p for w, b in (*net[0], net[1]) for p in (*w, b)]

    def step():
        loss = scores(net, [(0.5, -1.0), (1.5, 2.0)])
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        if keep:
            trace(loss)
        for p in parameters:
            p.data -= 0.001 * p.grad
        return loss.data

    first = step()
    for _ in range(20):
        step()
    objects = len(gc.get_objects())
    for _ in range(300):
        last = step()
    assert len(gc.get_objects()) - objects < 10
    assert last < first


def test_nothing_is_left_when_nobody_calls_backward():
    tracemalloc.start()
    try:
        x = Value(1.0)
        before = blocks()
        for _ in range(100):
            chain(x, 1000)
        assert blocks() - before < SLACK
    finally:
        tracemalloc.stop()
