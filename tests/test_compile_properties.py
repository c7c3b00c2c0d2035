"""Random programs: compiled, they agree with the same code on Values, also away from where they were recorded.

Three kinds of them: expressions over the whole table, as in `test_properties`; wirings, which are vectors whose
elements are combined by regular and irregular patterns; and networks, whose layers are shared, tied and applied at
many places. What a recipe says is built from other leaves each time it is called, so one recipe is both the program
and the truth.
"""

import math
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autograd
import nn
from autograd import TABLE, Value
from autograd.context import within
from autograd.value import topological
from nn import activations

from .programs import distances
from .test_compile import Truth, parameters_of, plain, sample

LAWS = settings(max_examples=60, deadline=None, derandomize=True)  # the same in every run
PRECISION = {"float64": 1e-11, "float32": 1e-4}  # of the sizes of all that a result is made of
SIZES = (1, 2, 37)
OWN = "own_wave"  # an operation of the user's, of which NumPy knows nothing
SCALAR = [*(name for name, op in TABLE.items() if not op.variadic), OWN]
UNARY = [*(name for name, op in TABLE.items() if len(op.rules) == 1 and not op.variadic), OWN]
FOLDS = [name for name, op in TABLE.items() if op.variadic and name not in ("dot", "pick")]


@pytest.fixture(autouse=True, scope="module")
def own_operation():
    before = dict(vars(Value))
    autograd.op(
        OWN,
        "x cos x",
        lambda x: x * math.cos(x),
        lambda g, out, x: g * (autograd.cos(x) - x * autograd.sin(x)),
    )
    yield
    del TABLE[OWN]
    for kind in (Value, *Value.__subclasses__()):
        if OWN in vars(kind):
            delattr(kind, OWN)
    assert vars(Value).keys() == before.keys()


# Running a recipe on Values ---------------------------------------------------------------------------------------


def inside(interval, v):
    """Any number, smoothly into an interval."""
    low, high = interval
    if math.isinf(low) and math.isinf(high):
        return 2.0 * (0.5 * v).tanh()
    if math.isinf(high):
        return low + 0.3 + (1.0 + v * v).sqrt()
    return low + (high - low) * (0.1 + 0.8 / (1.0 + (-(v.tanh())).exp()))


def look(output):
    """(how near a graph comes to a kink, its largest number, the size of what its output is made of)."""
    near, most, size = math.inf, abs(output.data), 1.0
    output.backward()
    for v in topological(output):
        data = [*map(float, v.operands)]
        near = min(near, *distances(v.op, data), 1.0)
        most = max(most, abs(v.data), *map(abs, data)) if math.isfinite(v.data) else math.inf
        size += abs(v.grad) * (1.0 + abs(v.data))
    return near, most, size


def usable(f, row, least):
    """The size of f's result at this sample; 0 where it is too near to a kink, or too large, to compare."""
    out = f(*map(sample, row))
    if not isinstance(out, Value) or not out.op:
        return 1.0
    near, most, size = look(out)
    return size if near > least and most < 1e3 and size < 1e5 else 0.0


def points(f, shapes, seed, least):
    """Arrays of up to 37 samples each at which f can be compared, and the largest size among them."""
    rng = np.random.default_rng(seed)
    rows, sizes = [], []
    for attempt in range(60):
        row = [rng.uniform(-2.0, 2.0, shape).astype(np.float32).astype(float) for shape in shapes]
        size = usable(f, row, least)
        if size:
            rows.append(row)
            sizes.append(size)
        if len(rows) == max(SIZES) or (attempt > 5 and not rows):
            break
    if len(rows) < 3:
        assume(False)
    rows = (rows * max(SIZES))[: max(SIZES)]
    return [np.array(column) for column in zip(*rows, strict=True)], max(sizes)


def near(found, expected, tolerance):
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


class Setting:
    """How a program is compiled."""

    def __init__(self, batch, inputs, reduction, dtype, order):
        self.batch, self.inputs, self.reduction, self.dtype, self.order = (
            batch,
            inputs,
            reduction,
            dtype,
            order,
        )

    def __repr__(self):
        return f"Setting{(self.batch, self.inputs, self.reduction, self.dtype, self.order)}"


def chosen(batch):
    """Settings: of a batch or not; by the inputs or the parameters; the sizes of the batches, in which order."""
    return st.builds(
        Setting,
        batch,
        st.booleans(),
        st.sampled_from(["mean", "sum"]),
        st.sampled_from(["float64", "float64", "float32"]),
        st.permutations(SIZES),
    )


def agree(f, shapes, wrt, setting, seed):
    """f compiled and compared, at the point where it is recorded and at others."""
    least = 0.02 if setting.dtype == "float64" else 0.03
    arrays, size = points(f, shapes, seed, least)
    wrt = None if setting.inputs else wrt
    named: dict[str, Any] = {"batch": setting.batch, "reduction": setting.reduction, "dtype": setting.dtype}
    program = autograd.compile(f, wrt=wrt, **named)
    count = len(arrays[0])
    for i, n in enumerate(setting.order):
        start = (5 * i) % (count - n + 1)
        some = [x[start : start + n] for x in arrays] if setting.batch else [x[5 * i] for x in arrays]
        truth = Truth(f, some, parameters_of(wrt), setting.batch, setting.reduction)
        share = len(some[0]) if setting.batch and setting.reduction == "sum" else 1
        tolerance = PRECISION[setting.dtype] * size
        near(program(*some), truth.outputs, tolerance)
        if truth.scalar:
            value, gradient = program.value_and_grad(*some)
            near(value, truth.value, tolerance * share)
            if setting.inputs:
                for got, expected in zip(
                    gradient if len(shapes) > 1 else (gradient,), truth.inputs, strict=True
                ):
                    near(got, expected, tolerance)
            else:
                near(gradient, truth.parameters, tolerance * share)


# Expressions ------------------------------------------------------------------------------------------------------


class Expression:
    """A recipe for a graph: each row is an operation and the places of its operands among what came before, leaves
    first. Equal places make reuse and diamonds; equal rows make common parts."""

    def __init__(self, inputs, parameters, rows):
        self.inputs, self.parameters, self.rows = inputs, parameters, rows

    def __repr__(self):
        return f"Expression({self.inputs!r}, {self.parameters!r}, {self.rows!r})"

    def build(self, inputs, parameters):
        """All the nodes above the leaves."""
        nodes = [*inputs, *parameters]
        leaves = len(nodes)
        for name, places, constant in self.rows:
            xs = [nodes[place % len(nodes)] for place in places]
            if name == "dot":
                half = len(xs) // 2
                nodes.append(autograd.dot(xs[:half], xs[half : 2 * half], xs[0]) * 0.3)
                nodes.append(autograd.tanh(autograd.dot(xs[:half], [constant] * half)))
            elif name == "choose":
                nodes.append(autograd.where(autograd.step(xs[0], xs[1]), xs[2], constant * xs[1]))
            elif name == "written":
                nodes.append((xs[0] * xs[1] - xs[2] / (1.5 + xs[1] ** 2)) * constant + (-xs[0]))
            elif name == "same":
                nodes.append((xs[0] * xs[1]).tanh() + (xs[0] * xs[1]).tanh() * constant)
            elif name == "prod":
                nodes.append(autograd.tanh(autograd.prod([*xs, constant])))
            elif name in FOLDS:
                nodes.append(TABLE[name]([*xs, constant]) * 0.5)
            else:
                op = TABLE[name]
                operands = [inside(d, x) for d, x in zip(op.domain, xs, strict=False)]
                if constant > 0.5 and len(operands) == 2:  # a plain number on one side
                    side = int(constant > 0.75)
                    with within(tracer=None):  # a number, also while a function is recorded
                        operands[side] = float(inside(op.domain[side], Value(constant)))
                nodes.append(op(*operands))
        return nodes[leaves:]

    def total(self, inputs, parameters):
        nodes = self.build(inputs, parameters)
        return sum((1.0 + 0.1 * i) * v for i, v in enumerate(nodes)) + 0.1 * inputs[0]


NAMES = (*SCALAR, *FOLDS, "dot", "dot", "choose", "written", "same", "sum", "mul", "add", "logsumexp")
NUMBERS = st.floats(-2, 2).map(lambda x: float(np.float32(round(x, 3))))


@st.composite
def expressions(draw, names=NAMES):
    inputs = draw(st.integers(1, 3))
    parameters = draw(st.lists(NUMBERS, min_size=1, max_size=3))
    row = st.tuples(
        st.sampled_from(names), st.lists(st.integers(0, 30), min_size=3, max_size=6), st.floats(0.1, 1.0)
    )
    return Expression(inputs, parameters, draw(st.lists(row, min_size=3, max_size=8)))


def test_every_operation_takes_part():
    covered = set()
    for name in NAMES:
        expression = Expression(2, [0.37], [(name, [0, 1, 2, 0], 0.3)])
        out = expression.total([Value(-0.81), Value(1.3)], [Value(0.37)])
        covered |= {v.op.name for v in topological(out)}
    assert covered >= TABLE.keys() - {"pick"}


@LAWS
@given(expressions(), chosen(st.booleans()), st.integers(0, 1000))
def test_expressions_of_several_inputs(expression, setting, seed):
    ws = [Value(w) for w in expression.parameters]
    f = lambda *xs: expression.total(xs, ws)
    agree(f, [()] * expression.inputs, ws, setting, seed)


@LAWS
@given(expressions(), st.integers(2, 4), chosen(st.just(True)), st.integers(0, 1000))
def test_an_expression_applied_to_each_element(expression, n, setting, seed):
    """The same code for every element of the inputs: what is a loop here must become arrays."""
    ws = [Value(w) for w in expression.parameters]
    own = [Value(0.25 * i - 0.5) for i in range(n)]
    several = expression.inputs

    def f(x, y):
        rows = [[x[i], y[i], own[i]][:several] for i in range(n)]
        return autograd.mean([expression.total(row, ws) for row in rows])

    agree(f, [(n,), (n,)], [*ws, *own], setting, seed)


@LAWS
@given(expressions(), chosen(st.booleans()), st.integers(0, 1000))
def test_all_that_an_expression_computes(expression, setting, seed):
    """Every node an output, and no gradient."""
    ws = [Value(w) for w in expression.parameters]
    f = lambda x: [*expression.build([*x], ws), x[0]]
    (x,), size = points(lambda x: expression.total([*x], ws), [(expression.inputs,)], seed, 0.03)
    program = autograd.compile(f, batch=setting.batch, dtype=setting.dtype)
    for n in setting.order:
        some = x[:n] if setting.batch else x[n - 1]
        rows = np.array([plain(f(sample(row))) for row in np.atleast_2d(some)])
        near(program(some), rows if setting.batch else rows[0], PRECISION[setting.dtype] * size)


@pytest.mark.parametrize("inputs", [False, True])
@pytest.mark.parametrize("name", SCALAR)
def test_every_operation_on_vectors_with_parameters(name, inputs):
    """One operation at work in all elements of a layer, between others."""
    op, n = TABLE[name], 4
    weights = [[Value(0.3 * i - 0.2 * j + 0.1) for j in range(3)] for i in range(n)]
    w = [v for row in weights for v in row]

    def f(x):
        z = [autograd.dot(row, x, row[0]) for row in weights]
        places = ([z[i], z[(i + 1) % n], x[i % 3]] for i in range(n))
        out = [op(*(inside(d, v) for d, v in zip(op.domain, vs, strict=False))) for vs in places]
        return autograd.mean([autograd.tanh(0.2 * v) * z[i] for i, v in enumerate(out)])

    for dtype in ("float64", "float32"):
        agree(f, [(3,)], w, Setting(True, inputs, "mean", dtype, (2, 37, 1)), 0)


# Wirings ----------------------------------------------------------------------------------------------------------


def places(pattern, n, size, rng):
    """n positions among `size` ones: whole ranges, strided and turned ones, repeats, or any at all."""
    every: dict[str, Any] = {
        "same": lambda i: i,
        "reversed": lambda i: size - 1 - i % size,
        "strided": lambda i: 2 * i,
        "shifted": lambda i: i + 1,
        "one": lambda i: size // 2,
        "repeated": lambda i: i // 2,
        "turned": lambda i: (i % 2) * (size // 2) + i // 2,
        "random": lambda i: rng.randrange(size),
    }
    return [every[pattern](i) % size for i in range(n)]


PATTERNS = ["same", "same", "reversed", "strided", "shifted", "one", "repeated", "turned", "random"]
KINDS = [
    "map",
    "zip",
    "dots",
    "windows",
    "ragged",
    "product",
    "turned product",
    "outer",
    "softmax",
    "normalise",
]
KINDS += ["recur", "fold", "mix", "branch", "constants", "lookup of ranges"]
PAIRS: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / (1.5 + y * y),
    "maximum": autograd.maximum,
    "hypot": lambda x, y: autograd.hypot(x, 1.0 + y * y),
    "power": lambda x, y: (1.0 + x * x) ** (0.5 * y),
    "weighted": lambda x, y: 0.25 * x - 1.5 * y,
}


class Wiring:
    """A recipe of vectors: each row takes elements of two vectors that came before, by a pattern, into a new one."""

    def __init__(self, inputs, parameters, rows, seed):
        self.inputs, self.parameters, self.rows, self.seed = inputs, parameters, rows, seed

    def __repr__(self):
        return f"Wiring({self.inputs!r}, {self.parameters!r}, {self.rows!r}, {self.seed!r})"

    def build(self, x, w):
        rng = random.Random(self.seed)
        vectors = [[*x], [*w]]
        for kind, first, second, pattern, n, function in self.rows:
            a, b = (vectors[place % len(vectors)] for place in (first, second))
            p = [a[i] for i in places(pattern, n, len(a), rng)]
            q = [b[i] for i in places(rng.choice(PATTERNS), n, len(b), rng)]
            vectors.append([*map(autograd.tanh, getattr(self, kind.replace(" ", "_"))(p, q, a, b, function))])
        return vectors[2:]

    def map(self, p, q, a, b, function):
        op = TABLE[UNARY[function % len(UNARY)]]
        return [op(inside(op.domain[0], v)) for v in p]

    def zip(self, p, q, a, b, function):
        combine = PAIRS[[*PAIRS][function % len(PAIRS)]]
        return [combine(v, w) for v, w in zip(p, q, strict=True)]

    def dots(self, p, q, a, b, function):
        """Each element the product of a row of its own with a vector that all share."""
        return [autograd.dot([v * w, v, w], q[:1] * 3, 0.5) for v, w in zip(p, q, strict=True)]

    def windows(self, p, q, a, b, function):
        """A convolution."""
        width = 1 + function % min(3, len(p))
        kernel = [b[i % len(b)] for i in range(width)]
        return [autograd.dot(kernel, p[i : i + width], q[0]) for i in range(len(p) - width + 1)]

    def ragged(self, p, q, a, b, function):
        """Sums of 1, 2, ... terms."""
        if function % 2:
            return [autograd.dot(p[: i + 1], q[: i + 1]) for i in range(len(p))]
        return [sum(v * w for v, w in zip(p[: i + 1], q[: i + 1], strict=True)) for i in range(len(p))]

    def product(self, p, q, a, b, function):
        """A matrix times a vector; the matrix is what there is, in rows."""
        terms = 1 + function % 3
        rows = [[b[(terms * i + j) % len(b)] for j in range(terms)] for i in range(len(p))]
        return [autograd.dot(row, (p * terms)[:terms], p[0]) for row in rows]

    def turned_product(self, p, q, a, b, function):
        """The same matrix from its other side."""
        rows = 1 + function % 3
        columns = [[b[(j + len(p) * i) % len(b)] for i in range(rows)] for j in range(len(p))]
        return [autograd.dot(column, (q * rows)[:rows]) for column in columns]

    def outer(self, p, q, a, b, function):
        return [v * w for v in p[:3] for w in q[:3]]

    def softmax(self, p, q, a, b, function):
        return [v * w for v, w in zip(activations.softmax(p), q, strict=True)]

    def normalise(self, p, q, a, b, function):
        mean = autograd.mean(p)
        scale = (autograd.mean([(v - mean) ** 2 for v in p]) + 0.1) ** -0.5
        return [(v - mean) * scale * w for v, w in zip(p, q, strict=True)]

    def recur(self, p, q, a, b, function):
        h, out = 0.5 * q[0], []
        for v in p:
            h = autograd.tanh(b[0] * h + v)
            out.append(h)
        return out if function % 2 else [h]

    def fold(self, p, q, a, b, function):
        op = TABLE[FOLDS[function % len(FOLDS)]]
        half = (len(p) + 1) // 2
        return [op([v * w for v, w in zip(part, q, strict=False)]) for part in (p[:half], p[half:] or p)]

    def mix(self, p, q, a, b, function):
        """Elements that are made in different ways, side by side."""
        return [
            v if i % 3 == 0 else v * w if i % 3 == 1 else v + w
            for i, (v, w) in enumerate(zip(p, q, strict=True))
        ]

    def branch(self, p, q, a, b, function):
        return [autograd.where(autograd.step(v, 0.05), v * w, w) for v, w in zip(p, q, strict=True)]

    def constants(self, p, q, a, b, function):
        return [(0.5 + i) * v - 0.1 * i * w + (i == 1) for i, (v, w) in enumerate(zip(p, q, strict=True))]

    def lookup_of_ranges(self, p, q, a, b, function):
        return [*a[len(a) // 2 :], *b[: 1 + len(b) // 2]]

    def total(self, x, w):
        vectors = self.build(x, w)
        terms = [(1.0 + 0.1 * i) * v for i, v in enumerate(vectors[-1])]
        return autograd.mean(terms) + 0.1 * autograd.sum([v for vector in vectors[:-1] for v in vector])


@st.composite
def wirings(draw):
    row = st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 10),
        st.integers(0, 10),
        st.sampled_from(PATTERNS),
        st.integers(1, 8),
        st.integers(0, 1000),
    )
    parameters = draw(st.lists(NUMBERS, min_size=1, max_size=8))
    rows = draw(st.lists(row, min_size=2, max_size=6))
    return Wiring(draw(st.integers(1, 6)), parameters, rows, draw(st.integers(0, 1000)))


@LAWS
@given(wirings(), chosen(st.sampled_from([True, True, True, False])), st.integers(0, 1000))
def test_wirings(wiring, setting, seed):
    ws = [Value(w) for w in wiring.parameters]
    agree(lambda x: wiring.total(x, ws), [(wiring.inputs,)], ws, setting, seed)


@LAWS
@given(wirings(), st.sampled_from(["float64", "float32"]), st.integers(0, 1000))
def test_all_vectors_of_a_wiring(wiring, dtype, seed):
    ws = [Value(w) for w in wiring.parameters]
    f = lambda x: [v for vector in wiring.build(x, ws) for v in vector]
    (x,), size = points(lambda x: wiring.total(x, ws), [(wiring.inputs,)], seed, 0.03)
    program = autograd.compile(f, batch=True, dtype=dtype)
    for n in SIZES:
        near(program(x[-n:]), np.array([plain(f(sample(row))) for row in x[-n:]]), PRECISION[dtype] * size)


# Networks ---------------------------------------------------------------------------------------------------------

SMOOTH = [
    "tanh",
    "sigmoid",
    "silu",
    "gelu",
    "softplus",
    "sin",
    "mish",
    "gaussian",
    "identity",
    "elu",
    "snake",
]
KINKED = ["relu", "leaky_relu", "prelu", "hardtanh", "softshrink", "relu6"]
STEPS = [
    "dense",
    "dense",
    "tied",
    "back",
    "convolution",
    "channels",
    "recurrence",
    "all states",
    "skip",
    "norm",
]
STEPS += ["gate", "attention", "shuffle", "softmax", "square", "pool"]


class Network(nn.Module):
    """Layers in a row, as a plan says: what is shared, tied or skipped is found among the layers and vectors before."""

    def __init__(self, nin, plan, seed):
        self._plan, self._nin = plan, nin
        rng = random.Random(seed)
        self.layers: list[Any] = []
        self._steps: list[Any] = []
        width, widths = nin, [nin]

        def layer(n, m, activation):
            self.layers.append(nn.Layer(n, m, activation=activation, rng=rng))
            return self.layers[-1]

        for kind, size, activation, number in plan:
            step: Any = None
            if kind == "dense":
                step, width = layer(width, size, activation), size
            elif kind == "tied":
                step = layer(width, width, activation)
            elif kind == "back":
                step, width = layer(width, size, activation), width
            elif kind in ("convolution", "channels"):
                span, outs = 1 + number % min(3, width), 1 if kind == "convolution" else 2
                step, width = (layer(span, outs, activation), span), (width - span + 1) * outs
            elif kind in ("recurrence", "all states"):
                step, steps = layer(1 + size, size, "tanh"), width
                width = size if kind == "recurrence" else size * steps
            elif kind == "skip":
                step = number % len(widths)
                width = max(width, widths[step])
            elif kind == "norm":
                step = [Value(1.0 + 0.1 * i) for i in range(width)]
                self.layers.append(step)
            elif kind == "gate":
                step = layer(width, width, "sigmoid")
            elif kind == "attention":
                step = [layer(1, 2, "identity") for _ in range(3)]
                width *= 2
            elif kind == "shuffle":
                step = [random.Random(number + i).randrange(width) for i in range(size)]
                width = size
            elif kind == "pool":
                width = (width + 1) // 2
            self._steps.append((kind, step, size))
            widths.append(width)
            if width > 9:  # not too large for a test
                step = [*range(0, width, 2)][:9]
                self._steps.append(("shuffle", step, size))
                width = len(step)
                widths.append(width)

    def __repr__(self):
        return f"Network({self._nin}, {self._plan})"

    def __call__(self, x):
        xs = [*x]
        seen = [xs]
        for kind, step, size in self._steps:
            xs = self.run(kind, step, size, xs, seen)
            seen.append(xs)
        return xs

    def run(self, kind, step, size, xs, seen):
        every = lambda out: out if isinstance(out, list) else [out]  # a single output comes bare
        if kind in ("dense", "gate"):
            out = every(step(xs))
            return out if kind == "dense" else [a * b for a, b in zip(xs, out, strict=True)]
        if kind == "tied":  # one layer, several times
            for _ in range(1 + size % 3):
                xs = every(step(xs))
            return xs
        if kind == "back":  # the weights of the way there, turned, lead back
            columns = zip(*(neuron.w for neuron in step.neurons), strict=True)
            hidden = every(step(xs))
            return [autograd.dot(column, hidden) for column in columns]
        if kind in ("convolution", "channels"):
            layer, span = step
            return [v for i in range(len(xs) - span + 1) for v in every(layer(xs[i : i + span]))]
        if kind in ("recurrence", "all states"):
            h: list[Any] = [0.0] * size
            states = []
            for x in xs:
                h = every(step([x, *h]))
                states += h
            return h if kind == "recurrence" else states
        if kind == "skip":
            other = seen[step]
            longer, shorter = (xs, other) if len(xs) >= len(other) else (other, xs)
            return [a + shorter[i] if i < len(shorter) else a for i, a in enumerate(longer)]
        if kind == "norm":
            mean = autograd.mean(xs)
            scale = 1.0 / autograd.sqrt(autograd.mean([(v - mean) ** 2 for v in xs]) + 0.1)
            return [(v - mean) * scale * g for v, g in zip(xs, step, strict=False)]
        if kind == "attention":  # causal
            qs, ks, vs = ([layer([x]) for x in xs] for layer in step)
            out = []
            for t, q in enumerate(qs):
                weights = activations.softmax([autograd.dot(q, k) for k in ks[: t + 1]])
                out += [autograd.dot(weights, column) for column in zip(*vs[: t + 1], strict=True)]
            return out
        if kind == "shuffle":
            return [xs[i] for i in step]
        if kind == "softmax":
            return [a * p for a, p in zip(xs, activations.softmax(xs), strict=True)]
        if kind == "square":
            return [0.5 * v * v for v in xs]
        return [autograd.mean(pair) for pair in zip(xs[::2], [*xs[1::2], xs[0]], strict=False)]


@st.composite
def networks(draw):
    step = st.tuples(
        st.sampled_from(STEPS), st.integers(1, 6), st.sampled_from(SMOOTH + KINKED), st.integers(0, 100)
    )
    plan = draw(st.lists(step, min_size=2, max_size=5))
    return Network(draw(st.integers(1, 6)), plan, draw(st.integers(0, 1000)))


def bounded(network):
    """One number of all the outputs."""

    def f(x):
        return autograd.mean([autograd.tanh(v) * (1.0 + 0.1 * i) for i, v in enumerate(network(x))])

    return f


@LAWS
@given(networks(), chosen(st.sampled_from([True, True, True, False])), st.integers(0, 1000))
def test_networks(network, setting, seed):
    assume(network.parameters())
    agree(bounded(network), [(network._nin,)], network, setting, seed)


@settings(LAWS, max_examples=30)
@given(networks(), st.sampled_from(["mse", "mae", "huber", "binary_cross_entropy"]), st.integers(0, 1000))
def test_networks_learn_as_on_values(network, loss, seed):
    """Ten steps of gradient descent on the Values by the compiled gradient, each compared; targets are inputs."""
    parameters = network.parameters()
    assume(parameters)
    function = getattr(nn, loss)
    f = lambda x, t: function([autograd.tanh(v) for v in network(x)], t)
    nout = len(network(np.zeros(network._nin)))
    rng = np.random.default_rng(seed)
    program = autograd.compile(f, wrt=network, batch=True)
    for n in (3, 1, 4):
        x, t = rng.normal(size=(n, network._nin)), rng.uniform(0.1, 0.9, (n, nout))
        for row in zip(x, t, strict=True):
            assume(usable(f, row, 1e-4))
        truth = Truth(f, (x, t), parameters)
        value, gradient = program.value_and_grad(x, t)
        near(value, truth.value, 1e-9)
        near(gradient, truth.parameters, 1e-9 * (1.0 + abs(truth.parameters).max()))
        for p, g in zip(parameters, gradient, strict=True):
            p.data -= 0.05 * float(g)


@settings(LAWS, max_examples=25)
@given(
    st.integers(1, 4),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.sampled_from(SMOOTH + KINKED),
    st.booleans(),
    chosen(st.booleans()),
    st.integers(0, 1000),
)
def test_mlps_of_any_size(nin, sizes, activation, bias, setting, seed):
    model = nn.MLP(nin, sizes, activation=activation, bias=bias, rng=seed)
    assert len(model.layers) == len([*pairwise([nin, *sizes])])
    f = lambda x: autograd.sum([autograd.tanh(v) for v in np.ravel(model(x))])
    agree(f, [(nin,)], model, setting, seed)


# Integer inputs ---------------------------------------------------------------------------------------------------


@settings(LAWS, max_examples=25)
@given(wirings(), st.integers(1, 5), st.integers(1, 3), st.sampled_from([True, False]), st.integers(0, 1000))
def test_wirings_that_begin_with_rows_of_a_table(wiring, rows, tokens, batch, seed):
    """An embedding in front of anything, and a class among its results behind it."""
    rng = np.random.default_rng(seed)
    table = [[Value(x) for x in row] for row in rng.uniform(-1.5, 1.5, (rows, wiring.inputs))]
    ws = [Value(w) for w in wiring.parameters]

    def score(take, index, wanted):
        x = [v for i in index for v in take(table, i)]
        out = wiring.build(x, ws)[-1]
        return nn.cross_entropy([*out, ws[0]], wanted)

    last = len(wiring.build([v for _ in range(tokens) for v in table[0]], ws)[-1])
    compiled = lambda index, wanted: score(autograd.take, index, wanted)
    truth = lambda index, wanted: score(lambda xs, i: xs[i], index, wanted)
    every = [*ws, *(v for row in table for v in row)]
    program = autograd.compile(compiled, wrt=every, batch=batch)
    for n in (2, 1, 5):
        index, wanted = rng.integers(0, rows, (n, tokens)), rng.integers(0, last + 1, n)
        sizes = [usable(truth, row, 0.01) for row in zip(index, wanted, strict=True)]
        assume(all(sizes))
        args = (index, wanted) if batch else (index[0], int(wanted[0]))
        expected = Truth(truth, args, every, batch)
        tolerance = PRECISION["float64"] * max(sizes)
        near(program(*args), expected.outputs, tolerance)
        value, gradient = program.value_and_grad(*args)
        near(value, expected.value, tolerance)
        near(gradient, expected.parameters, tolerance)
