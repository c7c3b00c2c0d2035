"""Depth, width, size and time: a million operations deep, a million operands wide, a million nodes without a pattern,
ten thousand steps of training; and nothing left behind.

The collector of cycles is off throughout: what a test made must be gone when it ends. Time is not measured but counted,
so that a busy machine changes nothing.
"""

import copy
import gc
import math
import pickle
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd
import nn
from autograd import TABLE, Value, Vector, dot, trace
from autograd.value import gradients, topological

DEEP = WIDE = LARGE = 1_000_000
LEFT = (
    10_000  # objects that pytest and the interpreter may keep of a test; a graph here has ten times as many
)
SLACK = 200_000  # bytes: Python keeps up to 2000 freed tuples of each length, to use them again


@pytest.fixture(scope="module", autouse=True)
def melted():
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def without_the_collector():
    """Whatever goes, goes by reference count alone; and all that a test made goes. What was there is frozen: it is
    neither counted nor looked through again."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    left = len(gc.get_objects())
    gc.enable()
    assert left < LEFT


def blocks():
    return tracemalloc.get_traced_memory()[0]


def close(found, expected, tolerance=1e-9):
    """Whether many numbers are right beside the largest of them, up to a million roundings in a row."""
    found, expected = np.array(found, float), np.array(expected, float)
    assert found.shape == expected.shape
    return bool(np.all(abs(found - expected) <= tolerance * abs(expected).max()))


# Deep -------------------------------------------------------------------------------------------------------------


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


def test_a_chain_a_million_deep():
    x = Value(1e-6)
    y = chain(x, DEEP)
    assert len(topological(y)) == DEEP
    y.backward()
    assert x.grad == slope_of_chain(DEEP)
    y.backward()
    assert x.grad == pytest.approx(2 * slope_of_chain(DEEP), rel=1e-12)
    del y  # a recursive release would end the interpreter


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


# Wide -------------------------------------------------------------------------------------------------------------


class Closed(NamedTuple):
    """An operation on a vector in closed form: its value, its slopes, and the slopes of the first of these."""

    value: float
    slopes: Any
    second: Any


def closed_sum(xs: Any) -> Closed:
    return Closed(math.fsum(xs), np.ones(len(xs)), np.zeros(len(xs)))


def closed_mean(xs: Any) -> Closed:
    return Closed(math.fsum(xs) / len(xs), np.full(len(xs), 1.0 / len(xs)), np.zeros(len(xs)))


def closed_prod(xs: Any) -> Closed:
    product = math.prod(xs)  # of powers of two: without rounding
    second = product / xs / xs[0]
    second[0] = 0.0
    return Closed(product, product / xs, second)


def closed_norm(xs: Any) -> Closed:
    length = math.sqrt(math.fsum(xs * xs))
    second = -xs[0] * xs / length**3
    second[0] += 1.0 / length
    return Closed(length, xs / length, second)


def closed_logsumexp(xs: Any) -> Closed:
    total = math.fsum(np.exp(xs))
    shares = np.exp(xs) / total
    second = -shares[0] * shares
    second[0] += shares[0]
    return Closed(math.log(total), shares, second)


def closed_largest(xs: Any) -> Closed:
    ties = xs == max(xs)
    return Closed(max(xs), ties / math.fsum(ties), np.zeros(len(xs)))


def closed_pick(xs: Any) -> Closed:
    return Closed(xs[PICKED], np.arange(len(xs)) == PICKED, np.zeros(len(xs)))


def closed_dot(xs: Any) -> Closed:
    w, x = np.split(xs, 2)
    return Closed(math.fsum(w * x), np.concatenate([x, w]), np.arange(len(xs)) == len(x))


CLOSED: dict[str, Callable[[Any], Closed]] = {
    "sum": closed_sum,
    "mean": closed_mean,
    "prod": closed_prod,
    "norm": closed_norm,
    "logsumexp": closed_logsumexp,
    "largest": closed_largest,
    "pick": closed_pick,
    "dot": closed_dot,
}
PICKED = 1234
ON_VECTORS = [name for name, op in TABLE.items() if op.variadic]


def on_vector(name, xs):
    """The operation on all of these: `dot` has one half of them as weights, `pick` an index besides."""
    if name == "dot":
        return dot(xs[: len(xs) // 2], xs[len(xs) // 2 :])
    return autograd.take(xs, Value(PICKED)) if name == "pick" else TABLE[name](xs)


@pytest.fixture(scope="module")
def operands():
    """A million of them, whose product is 1 after every fourth."""
    return [Value(x) for x in (2.0, 0.5, -1.0, -1.0) * (WIDE // 4)]


@pytest.fixture
def fresh(operands):
    for x in operands:
        x.grad = 0.0
    return operands


@pytest.mark.parametrize("name", ON_VECTORS)
def test_a_node_with_a_million_operands(name, fresh):
    true = CLOSED[name](np.array([x.data for x in fresh]))
    y = on_vector(name, fresh)
    assert len(topological(y)) == 1
    assert y.data == pytest.approx(true.value, rel=1e-12)
    y.backward()
    assert close([x.grad for x in fresh], true.slopes)
    y.backward()
    assert close([x.grad for x in fresh], 2.0 * true.slopes)


@pytest.mark.parametrize("name", ON_VECTORS)
def test_a_wide_node_is_recorded_backward(name, fresh):
    xs = fresh[: WIDE // 4]
    true = CLOSED[name](np.array([x.data for x in xs]))
    slopes = gradients(on_vector(name, xs), create_graph=True)
    assert close([float(slopes[x]) for x in xs], true.slopes)
    if isinstance(slopes[xs[0]], Value):  # not a sum's, which is 1
        slopes[xs[0]].backward()
    assert close([x.grad for x in xs], true.second)


@pytest.mark.parametrize("name", ["sum", "dot"])
def test_a_node_with_a_million_operands_unfolds(name, fresh):
    true = CLOSED[name](np.array([x.data for x in fresh]))
    y = on_vector(name, fresh)
    y.backward()
    assert len(y._prev) == 2
    assert len(topological(y)) == WIDE - 1  # of binary nodes
    assert y.data == pytest.approx(true.value, rel=1e-12)
    y.backward()
    assert close([x.grad for x in fresh], 2.0 * true.slopes)


# Large ------------------------------------------------------------------------------------------------------------


class Irregular:
    """A graph without a pattern, and what a plain loop over it gives. Each operation reads any two of those before it:
    most are read by several, and ways from an input to the end are without number. No number is beyond 1."""

    def __init__(self, steps: int) -> None:
        self.inputs = steps // 50
        rng = np.random.default_rng(0)
        self.starts: list[float] = rng.uniform(-1.0, 1.0, self.inputs).tolist()
        before = np.arange(self.inputs, self.inputs + steps)
        kinds, *operands = rng.integers(0, 3, steps), rng.integers(0, before), rng.integers(0, before)
        self.steps = [*zip(kinds.tolist(), *(x.tolist() for x in operands), strict=True)]
        self.unread: list[int] = np.setdiff1d(np.arange(self.inputs + steps), operands).tolist()

    def record(self) -> tuple[list[Value], Value]:
        """The inputs, and the mean of what nobody reads."""
        inputs = [Value(x) for x in self.starts]
        values = [*inputs]
        for kind, i, j in self.steps:
            x, y = values[i], values[j]
            values.append(x * y if kind == 0 else (x - y).sin() if kind == 1 else ((x + y) * 0.5).tanh())
        return inputs, autograd.mean([values[i] for i in self.unread])

    def solve(self, starts: list[float] | None = None) -> tuple[float, list[float]]:
        """The same number and its gradient, by a loop forward and a loop backward."""
        data = [*(self.starts if starts is None else starts)]
        for kind, i, j in self.steps:
            x, y = data[i], data[j]
            data.append(x * y if kind == 0 else math.sin(x - y) if kind == 1 else math.tanh((x + y) * 0.5))
        slopes = [0.0] * len(data)
        for i in self.unread:
            slopes[i] = 1.0 / len(self.unread)
        for n in range(len(data) - 1, self.inputs - 1, -1):
            kind, i, j = self.steps[n - self.inputs]
            x, y, g = data[i], data[j], slopes[n]
            if kind == 0:
                to_x, to_y = g * y, g * x
            elif kind == 1:
                to_x, to_y = g * math.cos(x - y), -g * math.cos(x - y)
            else:
                to_x = to_y = g * (1.0 - data[n] ** 2) * 0.5
            slopes[i] += to_x
            slopes[j] += to_y
        return math.fsum(data[i] for i in self.unread) / len(self.unread), slopes[: self.inputs]


def test_a_million_nodes_without_a_pattern():
    graph = Irregular(LARGE // 2)
    value, slopes = graph.solve()
    inputs, y = graph.record()
    assert len(topological(y)) == pytest.approx(LARGE, rel=0.01)
    assert y.data == pytest.approx(value, rel=1e-12)
    y.backward()
    assert close([x.grad for x in inputs], slopes)
    y.backward()
    assert close([x.grad for x in inputs], 2.0 * np.array(slopes))


class Net:
    """An MLP of tanh on many samples, and the mean of its squared outputs: as Values, and in NumPy."""

    SIZES = (4, 16, 16, 1)

    def __init__(self, samples: int) -> None:
        self.model = nn.MLP(self.SIZES[0], [*self.SIZES[1:]], activation="tanh", rng=1)
        self.samples = np.random.default_rng(2).normal(size=(samples, self.SIZES[0]))

    def record(self) -> Value:
        outputs = [self.model(x) for x in self.samples.tolist()]
        mean: Value = autograd.mean([y * y for y in outputs])
        return mean

    def solve(self) -> tuple[float, list[float]]:
        """The mean, and its slopes in the order of the parameters."""
        layers = [
            (
                np.array([[w.data for w in n.w] for n in layer.neurons]),
                np.array([n.b.data for n in layer.neurons]),
            )
            for layer in self.model.layers
        ]
        inputs, last = [self.samples], len(layers) - 1
        for k, (W, b) in enumerate(layers):
            z = inputs[-1] @ W.T + b
            inputs.append(z if k == last else np.tanh(z))
        g = 2.0 * inputs[-1] / len(self.samples)
        slopes: list[Any] = []
        for k in range(last, -1, -1):
            slopes.insert(0, np.column_stack([g.T @ inputs[k], g.sum(axis=0)]))
            g = (g @ layers[k][0]) * (1.0 - inputs[k] ** 2)
        return float(np.mean(inputs[-1] ** 2)), [x for part in slopes for x in part.ravel().tolist()]


def test_a_network_of_a_million_nodes():
    net = Net(LARGE // 66)
    value, slopes = net.solve()
    y = net.record()
    assert len(topological(y)) == pytest.approx(LARGE, rel=0.02)
    assert y.data == pytest.approx(value, rel=1e-9)
    y.backward()
    assert close([p.grad for p in net.model.parameters()], slopes)
    y.backward()
    assert close([p.grad for p in net.model.parameters()], 2.0 * np.array(slopes))


def test_a_large_graph_is_recorded_backward():
    """Its gradient's own gradient, along a direction, beside differences of the loop's gradients."""
    graph = Irregular(40_000)
    direction = np.random.default_rng(3).normal(size=graph.inputs)
    inputs, y = graph.record()
    slopes = gradients(y, create_graph=True)
    along = dot([slopes[x] for x in inputs], direction.tolist())
    assert len(topological(along)) > 200_000
    along.backward()
    step, starts = 1e-5, np.array(graph.starts)
    ahead, behind = (np.array(graph.solve([*(starts + h * direction)])[1]) for h in (step, -step))
    assert close([x.grad for x in inputs], (ahead - behind) / (2.0 * step), 1e-6)


# Carried ----------------------------------------------------------------------------------------------------------

CARRY = {"deepcopy": copy.deepcopy, "pickle": lambda v: pickle.loads(pickle.dumps(v))}


@pytest.mark.parametrize("carry", CARRY)
def test_a_deep_chain_is_carried(carry):
    depth = 200_000
    x = Value(1e-6)
    y = chain(x, depth)
    y.backward()
    z = CARRY[carry](y)
    below = topological(z)
    assert len(below) == depth
    twin = below[0].operands[0]
    assert twin is not x
    assert (z.data, twin.grad) == (y.data, x.grad)
    z.backward()
    assert twin.grad == pytest.approx(2 * slope_of_chain(depth), rel=1e-12)


def leaves_of(nodes):
    return (x for v in nodes for x in v.operands if isinstance(x, Value) and not x.op)


@pytest.mark.parametrize("carry", CARRY)
def test_a_large_graph_is_carried(carry):
    """All of it, what is read twice once; and the copy computes the same bits."""
    graph = Irregular(60_000)
    _, y = graph.record()
    y.backward()
    z = CARRY[carry](y)
    nodes, twins = topological(y), topological(z)
    assert len({*nodes, *twins}) == 2 * len(nodes)
    assert [(v.data, v.grad, v.op) for v in nodes] == [(v.data, v.grad, v.op) for v in twins]
    leaves, copies = ([*dict.fromkeys(leaves_of(found))] for found in (nodes, twins))
    for v in (y, z):
        v.backward()
    assert [x.grad for x in leaves] == [x.grad for x in copies]


# Looked at --------------------------------------------------------------------------------------------------------


def halves(n):
    """n times the mean of a number with itself: 2^n ways lead from the start to the end."""
    y = Value(0.5, label="x")
    for _ in range(n):
        y = y * 0.5 + y * 0.5
    return y


LOOKED_AT = {
    "deep": lambda: chain(Value(1e-6, label="x"), 20_000),
    "wide": lambda: autograd.sum([Value(1.0) for _ in range(40_000)]),
    "irregular": lambda: Irregular(20_000).record()[1],
    "many ways": lambda: halves(5_000),
}
LOOKS = {
    "draw": lambda y: autograd.draw(y).source,
    "draw folded": lambda y: autograd.draw(y, unfold=False).source,
    "draw near": lambda y: autograd.draw(y, focus=y).source,
    "draw a path": lambda y: autograd.draw(y, path=(start(y), y)).source,
    "explore": lambda y: autograd.explore(y, max_nodes=1000).html,
    "tree": autograd.tree,
    "mermaid": autograd.mermaid,
    "expression": autograd.expression,
    "latex": autograd.latex,
    "steps": lambda y: "".join(frame.source for frame in autograd.steps(y)),
    "repr": repr,
}
REFUSING = {"mermaid", "expression", "latex", "steps"}


def start(y):
    return next(leaves_of(topological(y)))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("graph", LOOKED_AT)
def test_a_large_graph_is_looked_at(graph, look):
    """What comes is a part or a summary of it; or an error that says how large it is."""
    y = LOOKED_AT[graph]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is collapsed
        if look in REFUSING and not (look == "mermaid" and graph == "wide"):  # which is one box
            with pytest.raises(ValueError, match="at most max_nodes=300"):
                LOOKS[look](y)
        else:
            assert 0 < len(LOOKS[look](y)) < 200_000


def test_ways_beyond_all_numbers_are_not_counted():
    y = halves(15_000)  # 2^15,000: Python writes out no int of so many digits
    with pytest.warns(UserWarning, match="only the part nearest"):
        assert "from x to the output: at least 1,000,000,000 paths" in autograd.draw(y, path=("x", y)).source
    y = halves(29)
    assert f"from x to the output: {2**29} paths" in autograd.draw(y, path=("x", y)).source


# Time, counted ----------------------------------------------------------------------------------------------------


def lines(work):
    """How many lines of Python it runs through, a turn of a loop on one line for one. What C does, such as sorting,
    hashing and freeing, is not seen."""
    count, before = 0, sys.gettrace()

    def step(frame, event, arg):
        nonlocal count
        count += event == "line"
        return step

    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def quietly(work):
    def looking(y):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work(y)

    return looking


GROWING = {"chain": lambda n: chain(Value(1e-6), n), "irregular": lambda n: Irregular(n // 2).record()[1]}
WORK = {
    "topological": topological,
    "backward": lambda y: y.backward(),
    "gradient, recorded": lambda y: autograd.gradient(y, start(y), create_graph=True),
    "trace": trace,
    "deepcopy": copy.deepcopy,
    "pickle": lambda y: pickle.loads(pickle.dumps(y)),
    "draw": quietly(autograd.draw),
}


def is_linear(work, sizes):
    """At most 2.1 times as much for twice as many; less than twice where some is the same for all sizes."""
    counts = [lines(lambda: work(n)) for n in sizes]  # noqa: B023 (it is called at once)
    return all(1.5 <= b / a <= 2.1 for a, b in pairwise(counts))


@pytest.mark.parametrize("graph", GROWING)
@pytest.mark.parametrize("work", WORK)
def test_time_is_linear_in_nodes(graph, work):
    made = {n: GROWING[graph](n) for n in (1000, 2000, 4000)}
    assert is_linear(lambda n: WORK[work](made[n]), made)


@pytest.mark.parametrize("graph", GROWING)
def test_time_to_record_is_linear_in_nodes(graph):
    assert is_linear(GROWING[graph], (1000, 2000, 4000))


@pytest.mark.parametrize(("graph", "n"), [("chain", 2000), ("irregular", 500), ("irregular", 4000)])
def test_time_to_compile_is_linear_in_nodes(graph, n):
    """Of irregular graphs, the small ones become Python on floats, the large ones arrays of one depth each."""
    made = {n: GROWING[graph](n) for n in (n, 2 * n)}
    assert is_linear(
        lambda n: autograd.compile_graph(made[n], inputs=[start(made[n])]).value_and_grad(0.5), made
    )
    gc.collect()  # a program, and what it is for each shape, know each other


# Memory -----------------------------------------------------------------------------------------------------------


def neuron(n):
    """A weighted sum of n inputs, whose Vectors are another's as well, as in a layer."""
    w, x = (Vector([Value(0.5) for _ in range(n)]) for _ in "wx")
    return lambda: dot(w, x, B)


A, B = Value(1.5), Value(2.5)
RECORD: dict[str, tuple[Callable[[], Any], int]] = {  # a node, and how many bytes it may take
    "leaf": (lambda: Value(1.5), 150),
    "unary": (lambda: A.tanh(), 200),
    "binary": (lambda: A * B, 200),
    "binary with a number": (lambda: A * 3.0, 200),
    "neuron of 16 inputs": (neuron(16), 1000),
    "neuron of 64 inputs": (neuron(64), 2000),
}


@pytest.mark.parametrize("after", ["recorded", "backward"])
@pytest.mark.parametrize("kind", RECORD)
def test_memory_of_a_node(kind, after):
    """Its numbers included; a gradient adds the float that it is."""
    count, (record, most) = 2_000, RECORD[kind]
    record().backward()
    tracemalloc.start()
    try:
        before = blocks()
        nodes = [record() for _ in range(count)]
        if after == "backward":
            for v in nodes:
                v.backward(0.25)
        taken = (blocks() - before - nodes.__sizeof__()) / count
        assert 100 < taken <= most + 24 * (after == "backward")
        del nodes
        assert blocks() - before < SLACK
    finally:
        tracemalloc.stop()


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


# Training ---------------------------------------------------------------------------------------------------------

POINTS, TARGETS = [[0.5, -1.0], [1.5, 2.0], [-0.5, 0.25]], [1.0, -1.0, 0.5]


def small():
    return nn.MLP(2, [1, 1], activation="tanh", rng=1)


def eager(model, optimizer):
    def step(i):
        loss = nn.mse(model(POINTS[i % 3]), TARGETS[i % 3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    return step


def penalized(model, optimizer):
    """On the loss and the length of its gradient, which is a graph of its own."""

    def step(i):
        loss = nn.mse(model(POINTS[i % 3]), TARGETS[i % 3])
        slopes = autograd.gradient(loss, model.parameters(), create_graph=True)
        optimizer.zero_grad()
        (loss + 0.01 * autograd.norm(slopes)).backward()
        optimizer.step()
        return loss.data

    return step


def compiled(model, optimizer):
    step = nn.train_step(model, nn.mse, optimizer)
    X, y = np.array(POINTS), np.array(TARGETS)
    return lambda i: step(X, y)


OPTIMIZERS = {
    "SGD": lambda ps: nn.SGD(ps, lr=0.01, momentum=0.9),
    "Adam": lambda ps: nn.Adam(ps, lr=0.01),
}
FIRST, LAST = 1_000, 10_000


def mark():
    return blocks(), len(gc.get_objects())


def flat(marks):
    """Whether bytes and objects are after the last step what they were after the first thousand. One float a step would
    be too much."""
    (bytes_before, objects_before), (bytes_after, objects_after) = marks
    return bytes_after - bytes_before < SLACK and objects_after - objects_before < 50


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("train", [eager, compiled, penalized])
def test_memory_is_flat_over_ten_thousand_steps(train, name):
    model, marks = small(), []
    step = train(model, OPTIMIZERS[name](model.parameters()))
    first = step(0)
    tracemalloc.start()
    try:
        for i in range(LAST):
            last = step(i)
            if i + 1 in (FIRST, LAST):
                marks.append(mark())
    finally:
        tracemalloc.stop()
    assert flat(marks), marks
    assert last < first


def test_gradients_that_are_kept_wait_for_the_collector():
    """What `backward(create_graph=True)` leaves in `grad` was computed from the nodes that bear it: circles, which
    `gradient` does not make. The collector takes them."""
    model, marks = small(), []
    for i in range(200):
        nn.mse(model(POINTS[i % 3]), TARGETS[i % 3]).backward(create_graph=True)
        for p in model.parameters():
            p.grad = 0.0
        if i in (99, 199):
            gc.collect()
            marks.append(len(gc.get_objects()))
    assert marks[1] - marks[0] < 50


@pytest.mark.parametrize("compiled", [False, True])
def test_memory_is_flat_over_ten_thousand_steps_of_fit(compiled):
    """Ten epochs of a thousand steps; the history grows by a row each."""
    model, marks = small(), []

    def look(run):
        if run.epoch in (1, 10):
            marks.append(mark())

    X = np.random.default_rng(0).normal(size=(1000, 2))
    tracemalloc.start()
    try:
        nn.fit(
            model, X, X.sum(axis=1), loss=nn.mse, optimizer=nn.Adam(model.parameters(), lr=0.01), epochs=10,
            batch_size=1, compiled=compiled, callbacks=[look], rng=0, progress=False,
        )  # fmt: skip
    finally:
        tracemalloc.stop()
    assert flat(marks), marks
