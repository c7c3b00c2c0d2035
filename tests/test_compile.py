"""Compiled programs against the same functions run on Values, sample by sample, and differentiated by backward().

The helpers at the top are the independent truth; `test_compile_properties` uses them on random programs.
"""

import ast
import copy
import functools
import inspect
import math
import pickle
import random
import re
from pathlib import Path
from typing import Any

import graphviz
import numpy as np
import pytest

import autograd
import nn
from autograd import TABLE, Value, detect_anomaly, grad, hessian, jacobian, no_grad, trace, value_and_grad
from autograd.compiler.traced import remember
from autograd.value import NO_GRADIENT
from nn import activations

from .hostile import HOSTILE, PROGRAM
from .test_transform import spots

inf, nan = math.inf, math.nan
HERE = Path(__file__).name
PRECISION = {"float64": 1e-12, "float32": 2e-5}

# The truth --------------------------------------------------------------------------------------------------------


def sample(x):
    """One argument as a function on Values gets it: a Value or an object array of them; integers stay integers."""
    x = np.asarray(x)
    if x.dtype.kind in "iu":
        return x if x.ndim else int(x)
    return np.frompyfunc(Value, 1, 1)(x) if x.ndim else Value(x)


def plain(tree):
    """Numbers and Values, however nested, as an array of floats."""
    return np.array(np.frompyfunc(float, 1, 1)(np.array(tree, dtype=object)), dtype=float)


def slopes(x):
    """The gradients that stand in what `sample` gave."""
    if isinstance(x, Value) or (isinstance(x, np.ndarray) and x.dtype == object):
        return np.array(np.frompyfunc(lambda v: float(v.grad), 1, 1)(x), dtype=float)
    return np.zeros(np.shape(x))


class Truth:
    """What a program must give: outputs, and where f returns one number value and gradients; `size` of each."""

    def __init__(self, f, arrays, parameters=(), batch=True, reduction="mean"):
        rows = [*zip(*arrays, strict=True)] if batch else [arrays]
        outputs, values = [], []
        self.parameters = np.zeros(len(parameters))
        inputs: list[list[Any]] = [[] for _ in arrays]
        for row in rows:
            leaves = [sample(x) for x in row]
            for p in parameters:
                p.grad = 0.0
            out = f(*leaves)
            outputs.append(plain(out))
            if isinstance(out, Value) and out.requires_grad:
                out.backward()
            values.append(outputs[-1])
            self.parameters += [float(p.grad) for p in parameters]
            for found, leaf in zip(inputs, leaves, strict=True):
                found.append(slopes(leaf))
        share = len(rows) if reduction == "mean" else 1
        self.outputs = np.array(outputs) if batch else outputs[0]
        self.scalar = outputs[0].ndim == 0
        self.value = sum(map(float, values)) / share if self.scalar else nan
        self.parameters /= share
        self.inputs = [np.array(g) / share if batch else g[0] for g in inputs]


def parameters_of(wrt):
    return wrt.parameters() if isinstance(wrt, nn.Module) else [wrt] if isinstance(wrt, Value) else wrt or []


def close(found, expected, precision=1e-12):
    """Equal in shape, in where they are nan or infinite, and in numbers up to the size of the largest."""
    assert np.shape(found) == np.shape(expected)
    expected = np.asarray(expected)
    finite = abs(expected[np.isfinite(expected)])
    size = 1.0 + (float(finite.max()) if finite.size else 0.0)
    np.testing.assert_allclose(found, expected, rtol=10.0 * precision, atol=precision * size)


def compare(program, f, arrays, wrt=None, batch=True, reduction="mean", dtype="float64", precision=None):
    """One call of a program, and of its gradient, against f on Values."""
    precision = precision or PRECISION[dtype]
    truth = Truth(f, arrays, parameters_of(wrt), batch, reduction)
    before = [np.array(x) for x in arrays]
    found = program(*arrays)
    assert type(found) is (float if truth.outputs.ndim == 0 else np.ndarray)
    close(found, truth.outputs, precision)
    if truth.scalar:
        value, gradient = program.value_and_grad(*arrays)
        assert type(value) is float
        close(value, truth.value, precision)
        if wrt is not None:
            assert type(gradient) is (float if isinstance(wrt, Value) else np.ndarray)
            close(gradient, truth.parameters[0] if isinstance(wrt, Value) else truth.parameters, precision)
        else:
            assert isinstance(gradient, tuple) is (len(arrays) > 1)
            every = gradient if isinstance(gradient, tuple) else (gradient,)
            for got, expected in zip(every, truth.inputs, strict=True):
                close(got, expected, precision)
    for x, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, kept)


def check(f, *calls, truth=None, wrt=None, batch=True, reduction="mean", dtype="float64", precision=None):
    """Compile f and compare it, at each of the calls in turn, with `truth`, by default f itself."""
    program = autograd.compile(f, wrt=wrt, batch=batch, reduction=reduction, dtype=dtype)
    for arrays in calls:
        compare(program, truth or f, arrays, wrt, batch, reduction, dtype, precision)
    return program


def normal(*shape, seed=0):
    """Random numbers that float32 can hold, so that rounding the inputs is no difference."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32).astype(float)


def counted(f):
    """f, and a list that grows by one each time it is called."""
    calls: list[int] = []

    @functools.wraps(f)
    def counting(*inputs):
        calls.append(len(calls))
        return f(*inputs)

    return counting, calls


def index(rows, i):
    """What `autograd.take` says within a compiled function."""
    return rows[i]


@pytest.fixture
def table():
    """What a test adds to the table, and to Value, goes again."""
    before = dict(TABLE)
    yield TABLE
    for name in TABLE.keys() - before.keys():
        for other in (name, *TABLE[name].aliases):
            for kind in (Value, *Value.__subclasses__()):
                if other in vars(kind):
                    delattr(kind, other)
        del TABLE[name]


def mlp(*sizes, activation="tanh", seed=1, **more):
    return nn.MLP(sizes[0], [*sizes[1:]], activation=activation, rng=seed, **more)


# What goes in and what comes out ----------------------------------------------------------------------------------


def test_one_sample_of_numbers():
    check(lambda x: x * x + 3.0, (2.0,), (-1.5,), (0.0,), batch=False)
    check(lambda x, y: x * y + autograd.sin(x), (2.0, 5.0), (0.3, -1.0), batch=False)
    check(lambda x, y: [x + y, x * y, 2.0 * x], (2.0, 5.0), (0.3, -1.0), batch=False)
    program = autograd.compile(lambda x: x * x)
    assert program(3.0) == 9.0
    assert program(np.float64(4.0)) == program(np.array(4.0)) == program(4) == 16.0
    value, slope = program.value_and_grad(3.0)
    assert (value, float(slope)) == (9.0, 6.0)


def test_one_sample_of_arrays():
    f = lambda x, w: autograd.tanh(x @ w)
    check(f, (normal(4), normal(4, seed=1)), (normal(4, seed=2), normal(4, seed=3)), batch=False)
    check(lambda x: (x @ x.T).sum(), (normal(3, 2),), (normal(3, 2, seed=1),), batch=False)
    check(lambda x: [v * v for v in x], (normal(5),), (normal(5, seed=1),), batch=False)
    check(lambda x: x[0] * x[-1], (normal(5),), (normal(5, seed=1),), batch=False)


@pytest.mark.parametrize("size", [1, 2, 37])
def test_a_batch(size):
    numbers, vectors, matrices = normal(size), normal(size, 3), normal(size, 2, 3)
    check(lambda x: autograd.tanh(x) * x, (numbers,))
    check(lambda v: (v * v).sum(), (vectors,))
    check(lambda x, v, m: autograd.tanh(x + (m @ v).sum()), (numbers, vectors, matrices))
    check(lambda v: v * 2.0, (vectors,))
    check(lambda m: m.T, (matrices,))
    check(lambda x, v: [x * v[0], v[1], x], (numbers, vectors))
    check(lambda v: [[v[0] * v[1], v[2]], [v[0], 1.0]], (vectors,))


def test_one_program_takes_batches_of_any_size():
    model = mlp(3, 4, 1)
    f, calls = counted(lambda x: model(x))
    program = autograd.compile(f, wrt=model, batch=True)
    for size in (5, 1, 64, 2, 37):
        compare(program, model, (normal(size, 3, seed=size),), model)
    program = autograd.compile(f, batch=True)
    program(normal(5, 3))
    before = len(calls)
    for size in (1, 64, 2):
        program(normal(size, 3))
    assert len(calls) == before


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_with_respect_to_what(dtype, reduction):
    model = mlp(3, 4, 1)
    f = lambda x, y: (model(x) - y) ** 2
    a, b = (normal(7, 3), normal(7)), (normal(9, 3, seed=1), normal(9, seed=1))
    w = model.layers[0].neurons[1].w[2]
    for wrt in (None, model, w, model.layers[1].parameters(), [w], [model.layers[1].neurons[0].b, w]):
        program = check(f, a, b, wrt=wrt, reduction=reduction, dtype=dtype)
        assert program(*a).dtype == dtype
        _, gradient = program.value_and_grad(*a)
        if isinstance(gradient, np.ndarray):
            assert gradient.dtype == dtype
    check(lambda x: model(x), (normal(7, 3),), wrt=None, reduction=reduction, dtype=dtype)
    one = (normal(3), normal(1)[0])
    for wrt in (None, model, w, [w]):
        check(f, one, wrt=wrt, batch=False, reduction=reduction, dtype=dtype)


def test_arrays_of_any_kind():
    program = autograd.compile(lambda x: (x * x).sum(), batch=True)
    x = normal(6, 4)
    expected = (x * x).sum(axis=1)
    for same in (x, np.asfortranarray(x), x.T.copy().T, np.repeat(x, 2, axis=0)[::2], x.astype(np.float32)):
        np.testing.assert_allclose(program(same), expected, rtol=1e-12)
    fixed = x.copy()
    fixed.flags.writeable = False
    np.testing.assert_allclose(program(fixed), expected, rtol=1e-12)
    np.testing.assert_allclose(program.value_and_grad(x.T.copy().T)[1], 2.0 * x / 6, rtol=1e-12)


def test_what_was_returned_stays_as_it_was():
    model = mlp(3, 5, 2)
    square = lambda x: sum(v * v for v in model(x))
    program, loss = autograd.compile(model, batch=True), autograd.compile(square, wrt=model, batch=True)
    inputs = autograd.compile(square, batch=True)
    x, other = normal(8, 3), normal(8, 3, seed=1)
    first = [program(x), loss.value_and_grad(x)[1], inputs.value_and_grad(x)[1]]
    kept = [a.copy() for a in first]
    program(other), loss.value_and_grad(other), inputs.value_and_grad(other)
    for a, b in zip(first, kept, strict=True):
        np.testing.assert_array_equal(a, b)
        a[...] = 7.0
    for a, b in zip([program(x), loss.value_and_grad(x)[1], inputs.value_and_grad(x)[1]], kept, strict=True):
        np.testing.assert_array_equal(a, b)


W = Value(0.75)
TRIVIAL: dict[str, Any] = {
    "a number": lambda x: 3.0,
    "an int": lambda x: 3,
    "a Value of its own": lambda x: Value(2.0) * 3.0,
    "two numbers": lambda x: [1.0, 2.0],
    "the input": lambda x: x,
    "a parameter": lambda x: W,
    "of a parameter alone": lambda x: W * W,
    "without the input": lambda x: autograd.tanh(W) + 1.0,
    "constants and all else": lambda x: [1.0, x, W, x * W, 2, W * W, x],
    "the same twice": lambda x: [x * W, x * W],
    "one": lambda x: [x * W],
    "a difference that is zero": lambda x: x * W - x * W,
    "a product with zero": lambda x: 0.0 * x * W + W,
    "a Value of its own and the rest": lambda x: Value(2.0) * x + Value(0.5) * W,
}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("name", TRIVIAL)
def test_trivial_functions(name, batch):
    a, b = (normal(5), normal(4, seed=1)) if batch else (2.0, -0.5)
    for wrt in (None, W, [W], [W, Value(1.0)]):
        for reduction in ("mean", "sum"):
            check(TRIVIAL[name], (a,), (b,), wrt=wrt, batch=batch, reduction=reduction)


def test_an_argument_that_is_not_used():
    for batch in (False, True):
        a, b = (normal(4), normal(4, 2)) if batch else (1.5, normal(2))
        check(lambda x, y: x * W, (a, b), batch=batch)
        check(lambda y, x: x * W, (b, a), batch=batch, wrt=[W])


def test_numpy_within_the_function():
    weights = np.array([[Value(w) for w in row] for row in normal(4, 3, seed=5)])
    functions = {
        "matmul": lambda x: np.tanh(weights @ x).sum(),
        "methods": lambda x: x.reshape(3, 1).T.ravel()[::-1].cumsum()[-1] * x.mean(),
        "functions": lambda x: (np.exp(x) / np.sqrt(x * x + 1.0) + np.abs(np.sin(x))).sum(),
        "join": lambda x: np.concatenate([x, weights[0], [1.0]]).prod(),
        "outer": lambda x: (np.outer(x, x) - np.dot(x, x) * np.eye(3)).sum() + np.stack([x, x]).sum(),
        "einsum": lambda x: np.einsum("ij,j->i", weights, x) @ np.arange(4.0),
        "power": lambda x: (x**2 - 2.0 * x + 2.0**x).sum(),
    }
    for f in functions.values():
        check(f, (normal(5, 3),), (normal(4, 3, seed=1),), wrt=[*weights.ravel()])
        check(f, (normal(5, 3),), (normal(4, 3, seed=1),))


def test_within_no_grad_and_with_what_is_detached():
    """What is taken as a constant is still computed from each call's numbers."""
    w = Value(1.5)
    functions = {
        "detach": lambda x: w * x * (x * w).detach(),
        "detached input": lambda x: x.detach() * x + w.detach() * w,
        "no_grad": lambda x: constant(x) * x * w,
        "all of it": lambda x: constant(x),
        "top": lambda x: (x - autograd.maximum(x, w).detach()).exp() * w,
    }

    def constant(x):
        with no_grad():
            return x * x * w

    for f in functions.values():
        for wrt in (None, w):
            check(f, (2.0,), (-0.7,), wrt=wrt, batch=False)
            check(f, (normal(5),), (normal(4, seed=1),), wrt=wrt)
    program = autograd.compile(lambda x: x * x * w, wrt=w, batch=True)
    with no_grad():
        value, gradient = program.value_and_grad(np.array([2.0, 3.0]))
    assert (value, gradient) == (9.75, 6.5)
    with detect_anomaly():
        assert program(np.array([2.0])).tolist() == [6.0]


def test_frozen_parameters_have_no_gradient():
    model = mlp(2, 3, 1)
    for p in model.layers[0].parameters():
        p.requires_grad = False
    f = lambda x: model(x) ** 2
    check(f, (normal(5, 2),), wrt=model)
    check(f, (normal(5, 2),))
    _, gradient = autograd.compile(f, wrt=model, batch=True).value_and_grad(normal(5, 2))
    assert not gradient[:9].any()
    assert gradient[9:].all()
    for p in model.layers[0].parameters():
        p.data += 0.5
    check(f, (normal(5, 2),), wrt=model)


def test_all_are_frozen():
    model = mlp(2, 1)
    for p in model.parameters():
        p.requires_grad = False
    check(lambda x: model(x) ** 2, (normal(5, 2),), wrt=model)


def test_large_and_deep():
    xs = [Value(x) for x in normal(2000)]
    check(lambda x: sum((x * w).tanh() for w in xs), (normal(3),), wrt=xs)

    def chain(x):
        for _ in range(500):
            x = (x * 1.001).sin() + 0.001
        return x

    check(chain, (0.5,), (1.5,), batch=False, precision=1e-10)
    check(chain, (normal(3),), precision=1e-10)


# Architectures ----------------------------------------------------------------------------------------------------

CALLS = 3  # a first one, which is recorded, and two others, of other numbers and sizes of batch


def batches(*shapes, sizes=(3, 1, 8)):
    return [tuple(normal(n, *shape, seed=10 * n + i) for i, shape in enumerate(shapes)) for n in sizes]


def everywhere(f, *calls, truth=None, model=None, float32=True):
    """With respect to the model and to the inputs, in both precisions and both reductions."""
    whole = all(x.dtype.kind == "f" for x in calls[0])
    check(f, *calls, truth=truth, wrt=model)
    check(f, *calls, truth=truth, wrt=model, reduction="sum")
    if whole:
        check(f, *calls, truth=truth)
    if float32:
        check(f, *calls, truth=truth, wrt=model, dtype="float32")
    check(
        f, tuple(x[0] for x in calls[0]), tuple(x[-1] for x in calls[-1]), truth=truth, wrt=model, batch=False
    )


@pytest.mark.parametrize("sizes", [(2, 1), (3, 4, 1), (2, 16, 16, 1), (5, 3, 4, 2)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_mlp(sizes, activation):
    model = mlp(*sizes, activation=activation)
    everywhere(lambda x: model(x), *batches((sizes[0],)), model=model)
    square = lambda x: autograd.sum(*[v * v for v in np.ravel(model(x))])
    everywhere(square, *batches((sizes[0],)), model=model)


def test_micrograds_demo():
    """Hinge loss and a penalty on all weights, as in the demo."""
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])

    def loss(x, y):
        return (1.0 - y * model(x)).relu() + 1e-4 * sum(p * p for p in model.parameters())

    X, Y = normal(20, 2), np.sign(normal(20))
    everywhere(loss, (X, Y), (X[:7], -Y[:7]), model=model)


@pytest.mark.parametrize("name", [n for n, row in activations.ACTIVATIONS.items() if not row.vector])
def test_layers_of_every_activation(name):
    model = nn.MLP(3, [4, 2], activation=name, output_activation=name, rng=3)
    f = lambda x: autograd.sum(*[(i + 1.0) * v for i, v in enumerate(model(x))])
    everywhere(f, *batches((3,)), model=model, float32=False)


VECTOR = [
    n for n, row in activations.ACTIVATIONS.items() if row.vector and n not in ("sparsemax", "gumbel_softmax")
]


@pytest.mark.parametrize("name", VECTOR)
def test_activations_of_vectors(name):
    function = activations.get(name).function
    model = nn.Layer(3, 4, activation="identity", rng=3)
    whole = lambda x: function(model(x))
    everywhere(whole, *batches((3,)), model=model)

    def squares(x):
        return autograd.sum(*[(i + 1.0) * v * v for i, v in enumerate(np.ravel(function(model(x))))])

    everywhere(squares, *batches((3,)), model=model)
    check(lambda x: function(x), *batches((4,)))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_softmax_with_a_temperature(temperature):
    for f in (activations.softmax, activations.softmin, activations.log_softmax):
        check(lambda x, f=f: autograd.sum(*[v * v for v in f(x, temperature)]), *batches((4,)))
    check(lambda x: activations.logsumexp(x, temperature), *batches((4,)))


def test_softmax_far_out():
    """The largest number is taken out anew at each call, whichever it is."""
    near, far = np.array([[0.5, -1.0, 2.0]]), np.array([[1e4, 0.0, -1e4], [-2e3, 0.0, 3e3], [5.0, 1e4, 1e4]])
    for function in (activations.softmax, activations.log_softmax, activations.softmin):
        check(lambda x, f=function: list(f(x)), (near,), (far,), (near,))
        check(lambda x, f=function: f(x)[1], (near,), (far,), (near,))
    check(lambda x: nn.activations.logsumexp(x), (near,), (far,))
    check(lambda x: autograd.logsumexp(x), (near,), (far,))
    check(lambda x: nn.cross_entropy(x, 1), (near,), (far,))


def normalized(x, gain, bias, epsilon=1e-5):
    """Layer normalisation (Ba et al., 2016)."""
    mean = autograd.mean(x)
    centred = [v - mean for v in x]
    scale = 1.0 / autograd.sqrt(autograd.mean([v * v for v in centred]) + epsilon)
    return [g * v * scale + b for g, v, b in zip(gain, centred, bias, strict=True)]


def root_mean_square(x, epsilon=1e-5):
    """RMS normalisation, as microgpt has it."""
    scale = (sum(v * v for v in x) / len(x) + epsilon) ** -0.5
    return [v * scale for v in x]


class Normalized(nn.Module):
    def __init__(self, width, kind, rng=0):
        self.kind = kind
        self.inside = nn.Layer(width, width, activation="tanh", rng=rng)
        self.gain = [Value(1.0 + 0.1 * i) for i in range(width)]
        self.bias = [Value(0.1 * i) for i in range(width)]

    def __call__(self, x):
        for _ in range(2):
            x = self.inside(x)
            x = normalized(x, self.gain, self.bias) if self.kind == "layer" else root_mean_square(x)
        return x


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_normalisation(kind):
    model = Normalized(4, kind)
    everywhere(lambda x: model(x), *batches((4,)), model=model)
    everywhere(lambda x, y: nn.mse(model(x), y), *batches((4,), (4,)), model=model)


class LSTM(nn.Module):
    """Hochreiter and Schmidhuber, 1997, with a forget gate: the same layers at every step."""

    def __init__(self, nin, width, rng=None):
        rng = random.Random(rng)
        gate = lambda activation: nn.Layer(nin + width, width, activation=activation, rng=rng)
        self.forget, self.input, self.output = gate("sigmoid"), gate("sigmoid"), gate("sigmoid")
        self.candidate = gate("tanh")
        self.read = nn.Neuron(width, activation="identity", rng=rng)

    def __call__(self, xs):
        width = len(self.forget.neurons)
        h, c = [0.0] * width, [0.0] * width
        for x in xs:
            both = [*x, *h]
            f, i, o, g = (gate(both) for gate in (self.forget, self.input, self.output, self.candidate))
            c = [a * b + p * q for a, b, p, q in zip(f, c, i, g, strict=True)]
            h = [a * autograd.tanh(b) for a, b in zip(o, c, strict=True)]
        return self.read(h)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_lstm(steps):
    model = LSTM(2, 3, 0)
    everywhere(lambda x: model(x), *batches((steps, 2)), model=model)
    everywhere(lambda x, y: nn.mse(model(x), y), *batches((steps, 2), ()), model=model)


class Recurrent(nn.Module):
    """Elman, 1990; every step has an output."""

    def __init__(self, nin, width, rng=None):
        rng = random.Random(rng)
        self.cell = nn.Layer(nin + width, width, activation="tanh", rng=rng)
        self.read = nn.Layer(width, 2, activation="identity", rng=rng)

    def __call__(self, xs):
        h, out = [0.0] * len(self.cell.neurons), []
        for x in xs:
            h = self.cell([*x, *h])
            out.append(self.read(h))
        return out


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_recurrence_with_an_output_at_each_step(steps):
    model = Recurrent(2, 3, 0)
    everywhere(lambda x: model(x), *batches((steps, 2)), model=model)
    everywhere(lambda x, y: nn.mse(model(x), y), *batches((steps, 2), (steps, 2)), model=model)


class Convolution(nn.Module):
    """A layer that is applied at all places of an image: channels first, stride, zeros around."""

    def __init__(self, channels, nout, size, stride=1, padding=0, activation="tanh", rng=None):
        self.size, self.stride, self.padding = size, stride, padding
        self.layer = nn.Layer(channels * size * size, nout, activation=activation, rng=rng)

    def __call__(self, image):
        p, n = self.padding, self.size
        image = np.pad(np.array(image, dtype=object), ((0, 0), (p, p), (p, p)), constant_values=0.0)
        _, height, width = image.shape
        rows = [
            [self.layer(image[:, i : i + n, j : j + n].ravel()) for j in range(0, width - n + 1, self.stride)]
            for i in range(0, height - n + 1, self.stride)
        ]
        return np.moveaxis(np.array(rows, dtype=object), -1, 0)


class ConvNet(nn.Module):
    def __init__(self, pool, stride, padding):
        rng = random.Random(0)
        self.pool = pool
        self.first = Convolution(1, 2, 3, 1, padding, rng=rng)
        self.second = Convolution(2, 3, 2, stride, rng=rng)
        self.read = nn.Layer(3, 2, activation="identity", rng=rng)

    def __call__(self, image):
        maps = self.second(self.first(image.reshape(1, *image.shape)))
        if self.pool == "max":
            return self.read([functools.reduce(autograd.maximum, m.ravel()) for m in maps])
        return self.read([autograd.mean(m.ravel()) for m in maps])


@pytest.mark.parametrize(
    ("pool", "stride", "padding"), [("mean", 1, 0), ("max", 1, 1), ("mean", 2, 1), ("max", 2, 0)]
)
def test_convolution(pool, stride, padding):
    model = ConvNet(pool, stride, padding)
    everywhere(lambda x: model(x), *batches((5, 5), sizes=(2, 1, 3)), model=model)
    everywhere(lambda x, y: nn.mse(model(x), y), *batches((5, 5), (2,), sizes=(2, 1, 3)), model=model)


class Attention(nn.Module):
    """Vaswani et al., 2017. Causal: the output at t reads the inputs up to t, so that row t has t terms."""

    def __init__(self, width, heads=1, causal=True, rng=None):
        rng = random.Random(rng)
        linear = lambda: nn.Layer(width, width, activation="identity", bias=False, rng=rng)
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v, self.out = linear(), linear(), linear(), linear()

    def __call__(self, xs):
        qs, ks, vs = ([layer(x) for x in xs] for layer in (self.q, self.k, self.v))
        size = len(qs[0]) // self.heads
        out = []
        for t, q in enumerate(qs):
            row, reach = [], t + 1 if self.causal else len(xs)
            for h in range(self.heads):
                part = slice(h * size, h * size + size)
                scores = [autograd.dot(q[part], ks[s][part]) / size**0.5 for s in range(reach)]
                weights = activations.softmax(scores)
                columns = zip(*(vs[s][part] for s in range(reach)), strict=True)
                row += [autograd.dot(weights, column) for column in columns]
            out.append(self.out(row))
        return out


@pytest.mark.parametrize("tokens", [1, 2, 5])
@pytest.mark.parametrize(("heads", "causal"), [(1, True), (2, True), (2, False)])
def test_attention(tokens, heads, causal):
    model = Attention(4, heads, causal, 0)
    sizes = (2, 1, 3)
    everywhere(lambda x: model(x), *batches((tokens, 4), sizes=sizes), model=model)
    loss = lambda x, y: nn.mse(model(x), y)
    everywhere(loss, *batches((tokens, 4), (tokens, 4), sizes=sizes), model=model)


class Transformer(nn.Module):
    """microgpt's: token and position embeddings, normalisation, attention, a hidden layer, residuals, logits."""

    def __init__(self, vocabulary, context, width=4, heads=2, rng=0):
        rng = random.Random(rng)
        row = lambda: [Value(rng.gauss(0.0, 0.5)) for _ in range(width)]
        self.tokens = [row() for _ in range(vocabulary)]
        self.places = [row() for _ in range(context)]
        self.attention = Attention(width, heads, rng=rng.random())
        self.hidden = nn.Layer(width, 2 * width, activation="relu", rng=rng)
        self.back = nn.Layer(2 * width, width, activation="identity", rng=rng)
        self.read = nn.Layer(width, vocabulary, activation="identity", rng=rng)

    def __call__(self, tokens, take=index):
        xs = [
            [a + b for a, b in zip(take(self.tokens, token), place, strict=True)]
            for token, place in zip(tokens, self.places, strict=False)
        ]
        mixed = self.attention([root_mean_square(x) for x in xs])
        xs = [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(xs, mixed, strict=True)]
        for i, x in enumerate(xs):
            more = self.back(self.hidden(root_mean_square(x)))
            xs[i] = [a + b for a, b in zip(x, more, strict=True)]
        return [self.read(x) for x in xs]


def tokens_of(size, length, vocabulary, seed=0):
    return np.random.default_rng(seed).integers(0, vocabulary, (size, length))


@pytest.mark.parametrize("length", [1, 4])
def test_a_transformer_reads_tokens(length):
    model = Transformer(5, 4)
    f, recordings = counted(lambda x, y: nn.cross_entropy(model(x, autograd.take), y))
    truth = lambda x, y: nn.cross_entropy(model(x), y)
    calls = [(tokens_of(n, length, 5, n), tokens_of(n, length, 5, n + 100)) for n in (2, 1, 5)]
    everywhere(f, *calls, truth=truth, model=model)
    program = autograd.compile(f, wrt=model, batch=True)
    program.value_and_grad(*calls[0])
    before = len(recordings)
    for seed in range(10):
        x = tokens_of(3, length, 5, seed)
        program.value_and_grad(x, x)
    assert len(recordings) == before


# Losses -----------------------------------------------------------------------------------------------------------

TARGETS: dict[str, tuple[Any, Any]] = {
    "mse": (nn.mse, lambda shape, seed: normal(*shape, seed=seed)),
    "mae": (nn.mae, lambda shape, seed: normal(*shape, seed=seed)),
    "huber": (nn.huber, lambda shape, seed: 2.0 * normal(*shape, seed=seed)),
    "narrow huber": (lambda y, t: nn.huber(y, t, 0.25), lambda shape, seed: normal(*shape, seed=seed)),
    "hinge": (nn.hinge, lambda shape, seed: np.sign(normal(*shape, seed=seed))),
    "binary": (nn.binary_cross_entropy, lambda shape, seed: (normal(*shape, seed=seed) > 0.0).astype(float)),
    "soft binary": (nn.binary_cross_entropy, lambda shape, seed: normal(*shape, seed=seed) ** 2 / 32.0),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("nout", [1, 3])
def test_losses_with_targets_as_inputs(name, nout):
    loss, targets = TARGETS[name]
    model = mlp(2, 4, nout)
    shape = (nout,) if nout > 1 else ()
    calls = [(normal(n, 2, seed=n), targets((n, *shape), n)) for n in (3, 1, 8)]
    everywhere(lambda x, y: loss(model(x), y), *calls, model=model)
    check(lambda y, t: loss(y, t), *[(normal(n, *shape, seed=n), targets((n, *shape), n)) for n in (3, 1, 8)])


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_cross_entropy_of_a_class(kind):
    model = mlp(2, 4, 3)
    f, recordings = counted(lambda x, y: nn.cross_entropy(model(x), y))
    calls = [(normal(n, 2, seed=n), tokens_of(n, 1, 3, n)[:, 0].astype(kind)) for n in (3, 1, 20)]
    everywhere(f, *calls, truth=lambda x, y: nn.cross_entropy(model(x), y), model=model)
    program = autograd.compile(f, wrt=model, batch=True)
    program.value_and_grad(*calls[0])
    before = len(recordings)
    for x, y in calls:
        program.value_and_grad(x, y)
        program.value_and_grad(x, (y + 1) % 3)
    assert len(recordings) == before


def test_cross_entropy_of_probabilities():
    model = mlp(2, 4, 3)
    rows = lambda n: np.random.default_rng(n).dirichlet([1.0, 1.0, 1.0], n)
    calls = [(normal(n, 2, seed=n), rows(n)) for n in (3, 1, 8)]
    everywhere(lambda x, y: nn.cross_entropy(model(x), y), *calls, model=model, float32=False)
    one_hot = [(x, np.eye(3)[y.argmax(axis=1)]) for x, y in calls]
    check(lambda x, y: nn.cross_entropy(model(x), y), *calls, *one_hot, wrt=model)


def test_a_batch_within_one_sample():
    """The whole data set as one sample: the losses are then written as in the eager loop."""
    model = mlp(2, 4, 3)
    X, Y = normal(6, 2), tokens_of(6, 1, 3)[:, 0]
    f = lambda X, Y: nn.cross_entropy([model(x) for x in X], Y)
    check(f, (X, Y), (X + 1.0, (Y + 1) % 3), wrt=model, batch=False)
    line = mlp(2, 4, 1)
    g = lambda X, Y: nn.mse([line(x) for x in X], Y)
    check(g, (X, normal(6)), (X + 1.0, normal(6, seed=1)), wrt=line, batch=False)


# Integer inputs ---------------------------------------------------------------------------------------------------


def test_take_without_a_program():
    rows = [Value(1.0), 2.0, Value(3.0)]
    assert autograd.take(rows, 0) is rows[0]
    assert float(autograd.take(rows, 1)) == 2.0
    table = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    assert [*map(float, autograd.take(table, 1))] == [3.0, 4.0]
    assert [*map(float, autograd.take(table, np.int64(0)))] == [1.0, 2.0]
    out = autograd.take(table, 1)[0] * 2.0
    out.backward()
    assert (table[1][0].grad, table[0][0].grad) == (2.0, 0.0)


@pytest.mark.parametrize("batch", [False, True])
def test_take_of_parameters_inputs_and_numbers(batch):
    w = [Value(x) for x in normal(4)]
    table = [[Value(x) for x in row] for row in normal(4, 3)]
    plain_rows = normal(4, 3).tolist()

    def build(take):
        return [
            lambda i, x: take(w, i) * x[0],
            lambda i, x: take([v * v for v in x], i) * w[0],
            lambda i, x: sum(a * b for a, b in zip(take(table, i), x[:3], strict=True)),
            lambda i, x: sum(a * b for a, b in zip(take(plain_rows, i), x[:3], strict=True)),
            lambda i, x: take([1.0, 2.0, x[1], w[2]], i) * take(w, i),
            lambda i, x: take([3.0, 1.0, 4.0, 1.0], i) * x[2],
            lambda i, x: [*take(table, i), take(w, i)],
            lambda i, x: (
                take([w[0], w[0], w[1], x[0]], i) + take([[a, b] for a, b in zip(x, w, strict=True)], i)[1]
            ),
        ]

    calls = [(tokens_of(n, 1, 4, n)[:, 0], normal(n, 4, seed=n)) for n in (5, 1, 9)]
    if not batch:
        calls = [(i[0], x[0]) for i, x in calls] + [(3, normal(4)), (0, normal(4))]
    every = [*w, *(v for row in table for v in row)]
    for f, truth in zip(build(autograd.take), build(index), strict=True):
        check(f, *calls, truth=truth, wrt=every, batch=batch)
        check(f, *calls, truth=truth, wrt=every, batch=batch, dtype="float32")
        check(f, *calls, truth=truth, wrt=every, batch=batch, reduction="sum")


def test_one_recording_serves_all_tokens():
    table = [[Value(x) for x in row] for row in normal(7, 3)]
    read = nn.Neuron(3, activation="tanh", rng=0)

    def score(tokens, take):
        return sum(read(take(table, t)) for t in tokens)

    f, recordings = counted(lambda tokens: score(tokens, autograd.take))
    every = [*(v for row in table for v in row), *read.parameters()]
    program = autograd.compile(f, wrt=every, batch=True)
    program.value_and_grad(tokens_of(2, 3, 7))
    program(tokens_of(2, 3, 7))
    before = len(recordings)
    for seed in range(20):
        tokens = tokens_of(1 + seed % 4, 3, 7, seed)
        compare(program, lambda tokens: score(tokens, index), (tokens,), every)
    assert len(recordings) == before
    compare(program, lambda tokens: score(tokens, index), (tokens_of(2, 5, 7),), every)
    assert len(recordings) > before


def test_a_token_that_occurs_twice_gets_both_gradients():
    table = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    every = [v for row in table for v in row]
    f = lambda i: sum(v * v for k in i for v in autograd.take(table, k))
    program = autograd.compile(f, wrt=every, batch=True, reduction="sum")
    _, gradient = program.value_and_grad(np.array([[1, 1, 1], [1, 0, 1]]))
    assert gradient.tolist() == [2.0, 4.0, 30.0, 40.0]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("wrong", [3, 100, -4])
def test_an_index_out_of_range(batch, wrong):
    w = [Value(1.0), Value(2.0), Value(3.0)]
    for f in (
        lambda i: autograd.take(w, i) * 2.0,
        lambda i: nn.cross_entropy(w, i),
        lambda i: autograd.take([[v, v] for v in w], i)[1] * w[0],
    ):
        program = autograd.compile(f, wrt=w, batch=batch)
        good, bad = (np.array([0, 2]), np.array([0, wrong])) if batch else (2, wrong)
        expected = program.value_and_grad(good)
        for call in (program, program.value_and_grad):
            with pytest.raises((IndexError, ValueError), match=re.escape(str(wrong))):
                call(bad)
        value, gradient = program.value_and_grad(good)  # and it goes on afterwards
        assert value == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("batch", [False, True])
def test_integers_serve_as_numbers_too(batch):
    """Exclusive or, its inputs written without a point."""
    X, Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    model = mlp(2, 4, 1)
    f = lambda x, y: (model(x) - y) ** 2 + 2 * y
    program = autograd.compile(f, wrt=model, batch=batch)
    args = (X, Y) if batch else (X[2], 1)
    truth = Truth(f, [np.asarray(x, dtype=float) for x in args], model.parameters(), batch)
    close(program(*args), truth.outputs)
    close(program.value_and_grad(*args)[1], truth.parameters)


# The table: every operation, ordinary points and edges ------------------------------------------------------------

SCALAR = [name for name, op in TABLE.items() if not op.variadic]
FOLDS = [name for name, op in TABLE.items() if op.variadic and name not in ("dot", "pick")]


def columns(points):
    return tuple(np.array(column) for column in zip(*points, strict=True))


@pytest.mark.parametrize("name", SCALAR)
def test_every_operation(name):
    entry = TABLE[name]
    n = len(entry.rules)
    points = spots(entry, 12)
    f = lambda *xs: entry(*xs)
    precision = 1e-13 if name != "tan" else 1e-11
    check(f, *points, batch=False, precision=precision)
    check(f, columns(points[:2]), columns(points), reduction="sum", precision=precision)
    ws = [Value(x) for x in points[0]]
    check(lambda y: entry(*ws) * y, (normal(3),), wrt=ws)
    for i in range(n if n > 1 else 0):  # plain numbers among the inputs
        some = lambda x, i=i: entry(*points[1][:i], x, *points[1][i + 1 :])
        check(some, *[(p[i],) for p in points], batch=False)
        check(some, (columns(points)[i],))


@pytest.mark.parametrize("name", SCALAR)
def test_every_operation_in_float32(name):
    entry = TABLE[name]
    points = np.array(spots(entry, 12), dtype=np.float32).astype(float)
    check(lambda *xs: entry(*xs), columns(points), dtype="float32", precision=1e-5, reduction="sum")


@pytest.mark.parametrize("name", SCALAR)
def test_the_gradient_of_every_operation_is_compiled_in_its_turn(name):
    entry = TABLE[name]
    points = spots(entry, 6)
    for i in range(len(entry.rules)):
        f = grad(lambda *xs: entry(*xs) * 1.0, i)
        check(f, *points, batch=False, precision=1e-12)
        check(f, columns(points[:2]), columns(points), reduction="sum", precision=1e-12)


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_operation_of_vectors(name, n):
    entry = TABLE[name]
    w = [Value(x) for x in normal(n, seed=9)]
    calls = batches((n,))
    check(lambda x: entry(x), *calls)
    check(lambda x: entry([a * b for a, b in zip(x, w, strict=True)]), *calls, wrt=w)
    check(lambda x: entry([*x, 0.5, w[0], x[0]]), *calls, wrt=w)
    check(lambda x: entry(x), *[(c[0][0],) for c in calls], batch=False)
    check(lambda x: grad(lambda x: entry(x))(x)[0], *calls, precision=1e-11)
    check(lambda x: entry(x), *calls, dtype="float32")


def test_dot():
    w = [Value(x) for x in normal(4)]
    for n in (1, 2, 4):
        calls = batches((n,))
        check(lambda x, n=n: autograd.dot(w[:n], x, w[0]), *calls, wrt=w)
        check(lambda x, n=n: autograd.dot(x, x), *calls, wrt=w)
        check(lambda x: autograd.dot(x, [2.0] * len(x), 1.0), *calls)
        check(lambda x: autograd.dot([*x, w[1]], [*x, 3.0], x[0]) * w[0], *calls, wrt=w)


def test_operations_of_nothing():
    check(lambda x: autograd.sum([]) + x, (normal(2),))
    check(lambda x: autograd.prod([]) * x, (normal(2),))
    for f in (lambda x: autograd.logsumexp([]) + x, lambda x: activations.softmax([])[0] * x):
        for batch in (False, True):
            with pytest.raises(ValueError, match="needs at least one number"):
                autograd.compile(f, batch=batch)(normal(2) if batch else 1.0)


def test_an_op_of_ones_own(table):
    """With nothing but a formula on floats; with a spelling in NumPy; and one that closes over something."""
    scale = 3.0
    own = autograd.op("own_bump", "e^(-x^2) y", lambda x, y=2.0: math.exp(-x * x) * y,
                      lambda g, out, x, y: -2.0 * g * x * out,
                      lambda g, out, x, y: g * autograd.exp(-x * x))  # fmt: skip
    spelled = autograd.op("own_cube", "x^3", lambda x: x * x * x, lambda g, out, x: 3.0 * g * x * x,
                          numpy="{0} * {0} * {0}")  # fmt: skip
    closed = autograd.op("own_scaled", "3 x", lambda x: scale * x, lambda g, out, x: scale * g)
    wide = autograd.op("own_squares", "x1^2 + ...", lambda *xs: math.fsum(x * x for x in xs),
                       lambda g, out, *xs: [2.0 * g * x for x in xs], variadic=True)  # fmt: skip
    w = [Value(0.5), Value(-1.5), Value(2.5)]
    functions = [
        lambda x: own(x) * w[0],
        lambda x: own(x, w[1]) + own(w[0], x),
        lambda x: spelled(x * w[0]) + x.own_cube(),
        lambda x: closed(x * w[0]),
        lambda x: wide([x, w[0], w[1] * x]),
        lambda x: sum(own(x * v) * spelled(v) for v in w),
        lambda x: wide([own(x + v) for v in w]),
        lambda x: grad(own)(x * w[0]) + grad(spelled)(x * w[1]),
    ]
    for f in functions:
        for wrt in (None, w):
            check(f, (0.3,), (-1.2,), wrt=wrt, batch=False)
            check(f, (normal(5),), (normal(4, seed=1),), wrt=wrt)
            check(f, (normal(5),), wrt=wrt, dtype="float32")


tab = lambda name: lambda *xs: TABLE[name](*xs)
EDGES: list[tuple[Any, tuple[float, ...], float, tuple[float, ...]]] = [
    # function, inputs, value, gradients
    (lambda x: x**0, (0.0,), 1.0, (0.0,)),
    (lambda x: x**0.0, (0.0,), 1.0, (0.0,)),
    (tab("sqrt"), (0.0,), 0.0, (inf,)),
    (lambda x: x**0.5, (0.0,), 0.0, (inf,)),
    (lambda x: x**0.5, (-1.0,), nan, (nan,)),
    (tab("sqrt"), (-1.0,), nan, (nan,)),
    (tab("log"), (-1.0,), nan, (nan,)),
    (tab("log"), (0.0,), -inf, (inf,)),
    (lambda x: 1 / x, (0.0,), inf, (-inf,)),
    (lambda x: 1 / x, (-0.0,), -inf, (-inf,)),
    (lambda x: x**-1, (0.0,), inf, (-inf,)),
    (tab("reciprocal"), (0.0,), inf, (-inf,)),
    (tab("reciprocal"), (-0.0,), -inf, (-inf,)),
    (tab("div"), (0.0, 0.0), nan, (inf, nan)),
    (tab("div"), (1.0, 0.0), inf, (inf, -inf)),
    (tab("div"), (1.0, -0.0), -inf, (-inf, -inf)),
    (tab("pow"), (0.0, 0.0), 1.0, (0.0, 0.0)),
    (tab("pow"), (0.0, 2.0), 0.0, (0.0, 0.0)),
    (tab("pow"), (-2.0, 3.0), -8.0, (12.0, nan)),
    (lambda x: x**3, (-2.0,), -8.0, (12.0,)),
    (lambda x: 0.0**x, (0.0,), 1.0, (0.0,)),
    (lambda x: 0.0**x, (2.0,), 0.0, (0.0,)),
    (tab("exp"), (1000.0,), inf, (inf,)),
    (lambda x: x**2, (1e200,), inf, (2e200,)),
    (lambda x: x * x, (1e200,), inf, (2e200,)),
    (lambda x: x * 0.0, (inf,), nan, (0.0,)),
    (tab("mul"), (inf, 0.0), nan, (0.0, inf)),
    (lambda x: 0.0 * x, (nan,), nan, (0.0,)),
    (lambda x: x - x, (inf,), nan, (0.0,)),
    (lambda x: x / x, (0.0,), nan, (nan,)),
    (tab("relu"), (0.0,), 0.0, (0.0,)),
    (tab("relu"), (nan,), nan, (nan,)),
    (tab("abs"), (0.0,), 0.0, (0.0,)),
    (tab("sign"), (0.0,), 0.0, (0.0,)),
    (tab("sign"), (3.0,), 1.0, (0.0,)),
    (tab("floor"), (1.5,), 1.0, (0.0,)),
    (tab("floor"), (inf,), inf, (0.0,)),
    (tab("ceil"), (1.5,), 2.0, (0.0,)),
    (tab("round"), (2.5,), 2.0, (0.0,)),
    (tab("maximum"), (2.0, 2.0), 2.0, (0.5, 0.5)),
    (tab("minimum"), (2.0, 2.0), 2.0, (0.5, 0.5)),
    (tab("maximum"), (nan, 1.0), nan, (nan, nan)),
    (tab("maximum"), (1.0, nan), nan, (nan, nan)),
    (tab("minimum"), (nan, 1.0), nan, (nan, nan)),
    (tab("minimum"), (1.0, nan), nan, (nan, nan)),
    (lambda x: autograd.maximum(x, 0.0), (nan,), nan, (nan,)),
    (tab("clamp"), (2.0, -1.0, 2.0), 2.0, (1.0, 0.0, 0.0)),
    (tab("clamp"), (-1.0, -1.0, 2.0), -1.0, (1.0, 0.0, 0.0)),
    (lambda x: autograd.clamp(x, 0.0, 1.0), (1.0,), 1.0, (1.0,)),
    (lambda x: autograd.clamp(x, 0.0, 1.0), (0.0,), 0.0, (1.0,)),
    (lambda x: x % 3, (7.0,), 1.0, (1.0,)),
    (lambda x: x // 3, (7.0,), 2.0, (0.0,)),
    (tab("mod"), (7.0, 3.0), 1.0, (1.0, -2.0)),
    (tab("floordiv"), (7.0, 3.0), 2.0, (0.0, 0.0)),
    (tab("mod"), (-7.0, 3.0), 2.0, (1.0, 3.0)),
    (tab("atan2"), (0.0, 0.0), 0.0, (0.0, 0.0)),
    (tab("hypot"), (0.0, 0.0), 0.0, (0.0, 0.0)),
    (tab("where"), (1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)),
    (tab("where"), (nan, 2.0, 3.0), 2.0, (0.0, 1.0, 0.0)),
    (tab("step"), (0.0, 0.0), 1.0, (0.0, 0.0)),
    (tab("norm"), (0.0, 0.0), 0.0, (0.0, 0.0)),
    (tab("prod"), (0.0, 2.0, 3.0), 0.0, (6.0, 0.0, 0.0)),
    (tab("prod"), (0.0, 0.0, 3.0), 0.0, (0.0, 0.0, 0.0)),
    (tab("logsumexp"), (-inf, -inf), -inf, (nan, nan)),
    (tab("logsumexp"), (inf, 0.0), inf, (nan, nan)),
    (tab("logsumexp"), (1000.0, 1000.0), 1000.0 + math.log(2.0), (0.5, 0.5)),
    (lambda *xs: activations.softmax([*xs])[0], (1e4, 0.0), 1.0, (0.0, 0.0)),
    (lambda *xs: activations.softmax([*xs])[1], (1e4, 0.0), 0.0, (0.0, 0.0)),
    (lambda *xs: activations.softmax([*xs])[0], (-inf, 0.0), 0.0, (0.0, 0.0)),
    (lambda *xs: activations.softmax([*xs])[1], (-inf, 0.0), 1.0, (0.0, 0.0)),
    (lambda *xs: activations.softmax([*xs])[0], (inf, 0.0), nan, (nan, nan)),
    (lambda *xs: activations.softmax([*xs])[1], (-inf, -inf), nan, (nan, nan)),
]  # fmt: skip


def identical(found, expected):
    """To the sign of zero and with nan for nan."""
    assert all(a == b or (a != a and b != b) for a, b in zip(found, expected, strict=True)), (found, expected)


@pytest.mark.parametrize("recorded_there", [False, True])
@pytest.mark.parametrize("number", range(len(EDGES)))
def test_edges(number, recorded_there):
    f, xs, value, expected = EDGES[number]
    truth = Truth(f, xs, batch=False)
    identical([truth.outputs], [value])
    if not math.isnan(value) and "softmax" not in f.__code__.co_names:
        identical([float(g) for g in truth.inputs], expected)
    found = [float(g) for g in truth.inputs]
    ordinary = [0.7 + 0.1 * i for i in range(len(xs))]
    first = xs if recorded_there else ordinary
    for batch in (False, True):
        program = autograd.compile(f, batch=batch, reduction="sum")
        wrapped = lambda xs, batch=batch: [np.array([x, 0.5, x]) for x in xs] if batch else xs
        program(*wrapped(first))
        program.value_and_grad(*wrapped(first))
        out = program(*wrapped(xs))
        total, gradient = program.value_and_grad(*wrapped(xs))
        gradients = gradient if isinstance(gradient, tuple) else (gradient,)
        if batch:
            other = Truth(f, [0.5] * len(xs), batch=False)
            identical(
                [out[0], out[2], out[1]], [value, value, pytest.approx(float(other.outputs), rel=1e-12)]
            )
            identical([g[0] for g in gradients], found)
            identical([g[2] for g in gradients], found)
            close([g[1] for g in gradients], other.inputs)
        else:
            identical([out, total], [value, value])
            assert math.copysign(1.0, out) == math.copysign(1.0, value) or value != value or value == 0.0
            identical([float(g) for g in gradients], found)


@pytest.mark.parametrize("number", range(len(EDGES)))
def test_edges_of_parameters(number):
    """The same with numbers that do not come as inputs."""
    f, xs, value, _ = EDGES[number]
    ws = [Value(x) for x in xs]
    zero = Value(1.0)
    truth = Truth(lambda x: f(*ws) * zero, [0.0], ws, batch=False)
    for batch in (False, True):
        program = autograd.compile(lambda x: f(*ws) * zero, wrt=ws, batch=batch)
        arg = np.array([0.0, 1.0]) if batch else 0.0
        found, gradient = program.value_and_grad(arg)
        identical([found], [value])
        identical(gradient.tolist(), truth.parameters.tolist())


FAR = [0.0, -0.0, inf, -inf, nan, 1.0, -1.0, 3.0, 25.0, -25.0, 1e3, -1e3, 1e-200, 1e200, -1e200]
PAIRS = [(x, y) for x in (0.0, -0.0, 1.0, -2.0, inf, nan) for y in (0.0, 0.5, -1.0, 3.0, -inf, nan)]


@pytest.mark.parametrize("name", SCALAR)
def test_far_out(name):
    """A program says nan or inf where the recorded code says it, and warns of nothing."""
    entry = TABLE[name]
    n = len(entry.rules)
    points = [(x,) for x in FAR] if n == 1 else [p if n == 2 else (p[0], *p, 1.0)[:n] for p in PAIRS]
    f = lambda *xs: entry(*xs)
    alone = autograd.compile(f)
    together = autograd.compile(f, batch=True, reduction="sum")
    out = together(*columns(points))
    _, slopes = together.value_and_grad(*columns(points))
    for i, point in enumerate(points):
        truth = Truth(f, point, batch=False)
        _, gradient = alone.value_and_grad(*point)
        assert_equal = functools.partial(
            np.testing.assert_allclose, rtol=1e-11, atol=1e-14, err_msg=f"at {point}"
        )
        assert_equal(alone(*point), truth.outputs)
        assert_equal(out[i], truth.outputs)
        for k, expected in enumerate(truth.inputs):
            assert_equal(gradient[k] if n > 1 else gradient, expected)
            assert_equal(slopes[k][i] if n > 1 else slopes[i], expected)


def test_what_is_not_a_number_stays_in_its_sample():
    model = mlp(2, 3, 1)
    X = normal(4, 2)
    X[1, 0], X[3, 1] = nan, inf
    for batch_of in (X, X[[1, 0]], X[:1]):
        check(lambda x: model(x), (batch_of,), wrt=model)
        check(lambda x: model(x), (batch_of,))


# Errors -----------------------------------------------------------------------------------------------------------
# In each of these the line after the first is the one that cannot be recorded.


def branch(x, k):
    if x > 0.0:
        return x
    return -x


def branch_on_a_result(x, k):
    if (x * W).tanh() - 1.0:
        return x
    return -x


def loop(x, k):
    while x < 3.0:
        x = x * 2.0
    return x


def conjunction(x, k):
    return x and x * 2.0


def negation(x, k):
    return x if not x else 0.0


def truth_value(x, k):
    return x * float(bool(x))


def to_float(x, k):
    return x * float(x)


def to_int(x, k):
    return x * int(x)


def to_math(x, k):
    return x * math.exp(x * 2.0)


def larger(x, k):
    return max(x, 0.0)


def smaller_of_results(x, k):
    return min([x * x, x * 2.0])


def sorting(x, k):
    return sorted([x, 1.0])[0]


def at_least(x, k):
    return x * (x >= 0.5)


def equality(x, k):
    return x if x == 1.0 else 2.0 * x


def membership(x, k):
    return x if x in (1.0, 2.0) else 2.0 * x


def numpys_maximum(x, k):
    return np.maximum(x, 0.0)


def list_index(x, k):
    return [x, 2.0 * x][k]


def tuple_index_of_a_result(x, k):
    return (x, 2.0 * x)[k + 1]


def counting_to(x, k):
    return sum(x for _ in range(k))


def integer_branch(x, k):
    return x if k > 1 else 2.0 * x


def integer_equality(x, k):
    return x if k == 1 else 2.0 * x


def integer_membership(x, k):
    return x if k in (1, 2) else 2.0 * x


def integer_as_a_condition(x, k):
    return x if k else 2.0 * x


UNRECORDABLE = [
    branch, branch_on_a_result, loop, conjunction, negation, truth_value, to_float, to_int, to_math, larger,
    smaller_of_results, sorting, at_least, equality, membership, numpys_maximum, list_index,
    tuple_index_of_a_result, counting_to, integer_branch, integer_equality, integer_membership,
    integer_as_a_condition,
]  # fmt: skip


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("f", UNRECORDABLE)
def test_a_look_at_an_input_is_an_error_that_names_the_line(f, batch):
    args = (np.array([1.0, 2.0]), np.array([0, 1])) if batch else (1.0, 1)
    program = autograd.compile(f, wrt=[W], batch=batch)
    for call in (program, program.value_and_grad):
        with pytest.raises(TypeError) as caught:
            call(*args)
        message = str(caught.value)
        assert f"{HERE}:{f.__code__.co_firstlineno + 1}" in message
        assert re.search(r"\bwhere\b|\bmaximum\b|\btake\b", message)


def test_a_look_at_parameters_and_numbers_is_allowed():
    w = [Value(1.0), Value(-2.0)]

    def f(x):
        scale = 2.0 if w[0] > w[1] else 3.0
        return x * scale * max(w, key=float) + float(w[1])

    check(f, (normal(4),), wrt=w)


def returns_text(x):
    return "text"


def returns_none(x):
    x * x


def returns_a_module(x):
    return [x, nn.Neuron(2)]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("f", "kind"), [(returns_text, "str"), (returns_none, "NoneType"), (returns_a_module, "")]
)
def test_a_function_must_return_numbers(f, kind, batch):
    program = autograd.compile(f, batch=batch)
    for call in (program, program.value_and_grad):
        with pytest.raises(TypeError, match=f"Received: .*{kind}"):
            call(np.array([1.0, 2.0]) if batch else 1.0)


@pytest.mark.parametrize("batch", [False, True])
def test_value_and_grad_needs_one_number(batch):
    for f in (lambda x: [x, x], lambda x: [x], lambda x: np.array([x, x])):
        program = autograd.compile(f, batch=batch)
        arg = np.array([1.0, 2.0]) if batch else 1.0
        assert program(arg).shape[-1] in (1, 2)
        with pytest.raises((TypeError, ValueError), match="Received: "):
            program.value_and_grad(arg)


@pytest.mark.parametrize("batch", [False, True])
def test_the_number_of_arguments(batch):
    x = normal(3) if batch else 1.0
    program = autograd.compile(lambda x, y: x * y, batch=batch)
    for call in (program, program.value_and_grad):
        for args in ((), (x,), (x, x, x)):
            with pytest.raises(TypeError):
                call(*args)
    close(program(x, x), np.square(x))
    scaled = autograd.compile(lambda x, scale=2.0: x * scale, batch=batch)
    close(scaled(x), 2.0 * np.asarray(x) if batch else 2.0)


def test_batches_of_different_sizes():
    program = autograd.compile(lambda x, y: x * y, batch=True)
    for first in (True, False):
        for call in (program, program.value_and_grad):
            with pytest.raises(ValueError, match=r"Received: .*3.*4"):
                call(normal(3), normal(4))
        if first:
            program(normal(3), normal(3))
    with pytest.raises((TypeError, ValueError)):
        program(1.0, normal(3))


@pytest.mark.parametrize("batch", [False, True])
def test_floats_do_not_index(batch):
    w = [Value(1.0), Value(2.0), Value(3.0)]
    for f in (lambda i: autograd.take(w, i) * 2.0, lambda i: nn.cross_entropy(w, i)):
        program = autograd.compile(f, wrt=w, batch=batch)
        for call in (program, program.value_and_grad):
            with pytest.raises((TypeError, ValueError, IndexError)):
                call(np.array([0.5, 1.5]) if batch else 0.5)
        program.value_and_grad(np.array([2]) if batch else 2)  # and integers do


def test_samples_that_are_no_numbers():
    program = autograd.compile(lambda x: x * 2.0)
    samples: list[Any] = ["1", None, 1j, np.array(["a"]), {}]
    for wrong in samples:
        with pytest.raises((TypeError, ValueError)):
            program(wrong)


of: Any = autograd  # so that types do not forbid what is tested here
ERRORS = [
    (lambda: of.compile(3), TypeError, "Received: int"),
    (lambda: of.compile("f"), TypeError, "Received: str"),
    (lambda: of.compile(Value(1.0)), TypeError, "Received: Value"),
    (lambda: of.compile(lambda x: x, wrt=3.0)(1.0), TypeError, "wrt.*Received: "),
    (lambda: of.compile(lambda x: x, wrt="w")(1.0), TypeError, "wrt.*Received: "),
    (lambda: of.compile(lambda x: x, wrt=[1.0])(1.0), TypeError, "wrt.*Received: "),
    (lambda: of.compile(lambda x: x, dtype="float16")(1.0), (TypeError, ValueError), "dtype.*Received: .*float16"),
    (lambda: of.compile(lambda x: x, dtype="int64")(1.0), (TypeError, ValueError), "dtype.*Received: .*int64"),
    (lambda: of.compile(lambda x: x, dtype="double trouble")(1.0), (TypeError, ValueError), "dtype.*Received: "),
    (lambda: of.compile(lambda x: x, reduction="max")(1.0), (TypeError, ValueError), "reduction.*Received: .*max"),
    (lambda: of.compile(lambda x: x, reduction=None)(1.0), (TypeError, ValueError), "reduction.*Received: .*None"),
    (lambda: of.compile_graph(3.0, inputs=[]), TypeError, "Received: "),
    (lambda: of.compile_graph(Value(1.0), inputs=[2.0]), TypeError, "Received: "),
    (lambda: of.compile_graph(Value(1.0), inputs=[Value(1.0)])(1.0, 2.0), (TypeError, ValueError), "Received: "),
    (lambda: of.take([Value(1.0)], 5), (IndexError, ValueError), "Received: 5"),
    (lambda: of.take([Value(1.0)], "x"), TypeError, "Received: "),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_say_what_must_hold_and_what_was_received(number):
    call, error, text = ERRORS[number]
    with pytest.raises(error, match=text):
        call()


def test_an_error_of_the_functions_own_comes_through():
    attempts = []

    def f(x):
        attempts.append(1)
        if len(attempts) < 3:
            raise KeyError("mine")
        return x * 2.0

    program = autograd.compile(f)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            program(1.0)
    assert program(4.0) == 8.0
    assert isinstance(Value(1.0) * 2.0, Value)  # and nothing is left of the recording
    assert (Value(1.0) > 0.0) is True
    assert float(Value(1.0)) == 1.0


# What is remembered between calls ---------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [False, True])
def test_another_shape_records_again_and_the_same_does_not(batch):
    f, calls = counted(lambda x: (x * x).sum())
    program = autograd.compile(f, batch=batch)
    ahead = (5,) if batch else ()
    numbers = []
    for shape in ((3,), (3,), (4,), (2, 2), (4,), (3,), (2, 2)):
        x = normal(*ahead, *shape)
        close(program(x), (x * x).reshape(5, -1).sum(axis=1) if batch else float((x * x).sum()))
        numbers.append(len(calls))
    assert numbers[1] == numbers[0]
    assert numbers[0] < numbers[2] < numbers[3]
    assert numbers[-1] == numbers[3]


def test_another_program_may_be_recorded_in_between():
    """What the outer one is to remember is noted for it, and not for the one within."""
    total = Value(0.0)

    def f(x):
        scale = autograd.compile(lambda y: 2.0 * y)(3.0)
        remember(total, total + 1.0)
        return scale * x

    program = autograd.compile(f)
    assert [program(x) for x in (1.0, 2.0)] == [6.0, 12.0]
    assert total.data == 2.0


def test_gradients_are_not_recorded_at_each_call():
    f, calls = counted(lambda x, y: x * y)
    program = autograd.compile(f, batch=True)
    program.value_and_grad(normal(3), normal(3))
    before = len(calls)
    for n in (3, 5, 1):
        program.value_and_grad(normal(n), normal(n))
    assert len(calls) == before


def test_floats_and_integers_of_one_shape():
    w = [Value(1.0), Value(2.0)]
    program = autograd.compile(lambda x: x * 2.0 + w[0], wrt=w, batch=True)
    close(program(np.array([0.5, 1.5])), [2.0, 4.0])
    close(program(np.array([0, 1])), [1.0, 3.0])
    close(program(np.array([0.25, 1.0])), [1.5, 3.0])


@pytest.mark.parametrize("batch", [False, True])
def test_parameters_are_read_at_each_call(batch):
    model, other, plain_one = mlp(2, 3, 1), Value(2.0), Value(0.5)
    f = lambda x: model(x) * other + plain_one * plain_one
    for wrt in (None, model, [other]):
        program = autograd.compile(f, wrt=wrt, batch=batch)
        for seed in range(4):
            args = (normal(3, 2, seed=seed),) if batch else (normal(2, seed=seed),)
            compare(program, f, args, wrt, batch)
            for i, p in enumerate([*model.parameters(), other, plain_one]):
                p.data += 0.01 * (i + 1)
            compare(program, f, args, wrt, batch)
    plain_one.data = 7  # what a user assigns need not be a float
    close(program(*args), Truth(f, args, batch=batch).outputs)


def test_gradients_on_the_values_do_not_matter_and_are_not_touched():
    model = mlp(2, 3, 1)
    program = autograd.compile(lambda x: model(x) ** 2, wrt=model, batch=True)
    for i, p in enumerate(model.parameters()):
        p.grad = float(i)
    first = program.value_and_grad(normal(3, 2))[1]
    assert [p.grad for p in model.parameters()] == [float(i) for i in range(len(model.parameters()))]
    np.testing.assert_array_equal(first, program.value_and_grad(normal(3, 2))[1])


def test_two_programs_of_one_model():
    model = mlp(2, 4, 1)
    predict = autograd.compile(model, batch=True)
    loss = autograd.compile(lambda x, y: (model(x) - y) ** 2, wrt=model, batch=True)
    inputs = autograd.compile(lambda x: model(x), batch=True, dtype="float32")
    last = autograd.compile(lambda x: model(x), wrt=model.layers[1], batch=True)
    for seed in range(3):
        x, y = normal(5, 2, seed=seed), normal(5, seed=seed)
        compare(predict, model, (x,))
        compare(loss, lambda x, y: (model(x) - y) ** 2, (x, y), model)
        compare(inputs, model, (x,), dtype="float32")
        compare(last, model, (x,), model.layers[1])
        _, gradient = loss.value_and_grad(x, y)
        for p, g in zip(model.parameters(), gradient, strict=True):
            p.data -= 0.1 * g


def test_models_that_share_a_part():
    part = nn.Layer(2, 3, activation="tanh", rng=0)
    heads = [nn.Neuron(3, activation="identity", rng=i) for i in (1, 2)]
    functions = [lambda x, head=head: head(part(x)) for head in heads]
    everything = [[*part.parameters(), *head.parameters()] for head in heads]
    programs = [autograd.compile(f, wrt=w, batch=True) for f, w in zip(functions, everything, strict=True)]
    for seed in range(3):
        for program, f, w in zip(programs, functions, everything, strict=True):
            x = normal(4, 2, seed=seed)
            compare(program, f, (x,), w)
            for p, g in zip(w, program.value_and_grad(x)[1], strict=True):
                p.data -= 0.1 * g


def test_eager_code_goes_on_as_before():
    model = mlp(2, 4, 1)
    f = lambda x: model(x) ** 2
    program = autograd.compile(f, wrt=model, batch=True)
    x = normal(1, 2)
    _, gradient = program.value_and_grad(x)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.1))
    step(x, normal(1))
    gradient = program.value_and_grad(x)[1]
    model.zero_grad()
    out = f([Value(v) for v in x[0]])
    out.backward()
    close(gradient, [p.grad for p in model.parameters()])
    assert {type(p.data) for p in model.parameters()} == {float}
    assert len(trace(out)[0]) > 10
    assert repr(model.parameters()[0]).startswith("Value(data=")
    eager = nn.SGD(model.parameters(), lr=0.1)
    eager.step()
    compare(program, f, (x,), model)


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_of_a_model_that_was_compiled(carry):
    model = mlp(2, 4, 1)
    program = autograd.compile(lambda x: model(x), wrt=model, batch=True)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.1))
    x, y = normal(5, 2), normal(5)
    program.value_and_grad(x)
    step(x, y)
    other = carry(model)
    expected = [p.data for p in model.parameters()]
    assert [p.data for p in other.parameters()] == expected
    assert [p.label for p in other.parameters()] == [p.label for p in model.parameters()]
    compare(autograd.compile(other, batch=True), model, (x,))
    for p in other.parameters():
        p.data += 1.0
    assert [p.data for p in model.parameters()] == expected
    step(x, y)
    assert [p.data - 1.0 for p in other.parameters()] == pytest.approx(expected)
    compare(program, model, (x,), model)
    compare(autograd.compile(lambda x: other(x), wrt=other, batch=True), other, (x,), other)


def test_a_method_and_a_module_are_functions_too():
    model = mlp(2, 3, 2)
    compare(autograd.compile(model, batch=True), model, (normal(4, 2),))
    compare(autograd.compile(model, wrt=model, batch=True), model, (normal(4, 2),), model)
    compare(autograd.compile(model.layers[0].__call__, batch=True), model.layers[0], (normal(4, 2),))
    compare(autograd.compile(functools.partial(pow, exp=2), batch=False), lambda x: x**2, (3.0,), batch=False)
    compare(autograd.compile(autograd.tanh), autograd.tanh, (0.5,), batch=False)


# Ways to write it -------------------------------------------------------------------------------------------------


def test_decorators():
    @autograd.compile
    def square(x):
        """The square."""
        return x * x

    @autograd.compile(batch=True, wrt=W, reduction="sum")
    def product(x, y):
        return x * y * W

    @autograd.compile()
    def cube(x):
        return x**3

    assert square(3.0) == 9.0
    assert cube(2.0) == 8.0
    compare(product, lambda x, y: x * y * W, (normal(3), normal(3, seed=1)), W, reduction="sum")


def test_compiled_derivatives():
    f = lambda x: autograd.sin(x) * autograd.exp(x) + 1.0 / (2.0 + x * x)
    check(grad(f), (0.3,), (-1.2,), batch=False)
    check(grad(grad(f)), (0.3,), (-1.2,), batch=False)
    check(grad(grad(grad(f))), (normal(5),), (normal(4, seed=1),))
    g = lambda x: autograd.tanh(x[0] * x[1]) + x[0] ** 3 * x[2]
    for transform in (grad, hessian, jacobian):
        check(transform(g), (normal(3),), (normal(3, seed=1),), batch=False)
        check(transform(g), (normal(4, 3),), (normal(2, 3, seed=1),))
    check(lambda x: value_and_grad(g)(x)[1], (normal(4, 3),))
    check(lambda x, t: autograd.jvp(g, (x,), (t,))[1], (normal(4, 3), normal(4, 3, seed=1)))
    check(lambda x, t: autograd.hvp(g, (x,), (t,)), (normal(4, 3), normal(4, 3, seed=1)))
    w = Value(1.5)
    check(lambda x: grad(lambda x: f(x * w))(x) ** 2, (normal(4),), wrt=w)
    check(lambda x: sum(v * v for v in grad(g)(x)), (normal(4, 3),), (normal(3, 3, seed=2),))
    program = autograd.compile(grad(f))
    value, second = program.value_and_grad(0.3)
    assert value == pytest.approx(grad(f)(0.3), rel=1e-13)
    assert float(second) == pytest.approx(grad(grad(f))(0.3), rel=1e-12)


def readme(a, b):
    """The expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


@pytest.mark.parametrize("as_graph", [False, True])
def test_the_numbers_of_micrograd_s_readme(as_graph):
    a, b = Value(-4.0, label="a"), Value(2.0, label="b")
    g = readme(a, b)
    program = autograd.compile_graph(g, inputs=[a, b], wrt=[a, b]) if as_graph else autograd.compile(readme)
    value, slopes = program.value_and_grad(-4.0, 2.0)
    assert [f"{x:.4f}" for x in (program(-4.0, 2.0), value, *slopes)] == [
        "24.7041",
        "24.7041",
        "138.8338",
        "645.5773",
    ]
    for point in ((1.5, -0.5), (3.0, 2.0), (-4.0, 2.0)):
        truth = Truth(readme, point, batch=False)
        value, slopes = program.value_and_grad(*point)
        close([program(*point), value], [truth.outputs] * 2)
        close(np.array(slopes), np.array(truth.inputs))
    assert (a.data, b.data, a.grad) == (-4.0, 2.0, 0.0)


def test_compile_graph():
    x, y, w = Value(2.0, label="x"), Value(3.0, label="y"), Value(0.5, label="w")
    out = autograd.tanh(x * w) + y * y * w
    program = autograd.compile_graph(out, inputs=[x, y], wrt=[w])
    for number in (0.5, -1.0):
        w.data = number
        for a, b in ((2.0, 3.0), (-1.0, 0.5)):
            expected = math.tanh(a * w.data) + b * b * w.data
            slope = a * (1.0 - math.tanh(a * w.data) ** 2) + b * b
            assert program(a, b) == pytest.approx(expected, rel=1e-13)
            value, gradient = program.value_and_grad(a, b)
            assert value == pytest.approx(expected, rel=1e-13)
            close(gradient, [slope])
    both = autograd.compile_graph([out, x * w, x], inputs=[x, y])
    w.data = 2.0
    close(both(1.0, 2.0), [math.tanh(2.0) + 8.0, 2.0, 1.0])
    value, gradient = autograd.compile_graph(out, inputs=[x, y]).value_and_grad(1.0, 2.0)
    close(np.array(gradient), [2.0 * (1.0 - math.tanh(2.0) ** 2), 8.0])
    closed = autograd.compile_graph(out, inputs=[], wrt=[x, y, w])
    assert closed() == pytest.approx(math.tanh(x.data * w.data) + y.data**2 * w.data, rel=1e-13)
    close(closed.value_and_grad()[1][1], 2.0 * y.data * w.data)


def test_compile_graph_of_a_network():
    model = mlp(3, 4, 1)
    xs = [Value(v) for v in (0.5, -1.0, 2.0)]
    out = model(xs) ** 2
    program = autograd.compile_graph(out, inputs=xs, wrt=model.parameters())
    for seed in range(3):
        x = normal(3, seed=seed)
        truth = Truth(lambda x: model(x) ** 2, (x,), model.parameters(), batch=False)
        value, gradient = program.value_and_grad(*x)
        close(value, truth.value)
        close(gradient, truth.parameters)
        model.layers[0].neurons[0].w[0].data += 0.5


# Random numbers ---------------------------------------------------------------------------------------------------


def test_uniform_without_a_program():
    xs = [float(autograd.uniform(2.0, 5.0)) for _ in range(100)]
    assert all(2.0 <= x < 5.0 for x in xs)
    assert len(set(xs)) == 100
    again = [float(autograd.uniform(rng=random.Random(3))) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize("batch", [False, True])
def test_uniform_is_drawn_anew_at_each_call_and_the_same_for_the_same_seed(batch):
    f, calls = counted(lambda x: x * 0.0 + autograd.uniform())
    x = np.zeros(4) if batch else 0.0
    sequence = lambda seed: [
        np.array(program(x)) for program in [autograd.compile(f, batch=batch, seed=seed)] for _ in range(5)
    ]
    first, again, other = np.array(sequence(0)), np.array(sequence(0)), np.array(sequence(1))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == first.size  # at each call, and for each sample, another one
    assert not np.isin(other, first).any()
    assert (first >= 0.0).all()
    assert (first < 1.0).all()
    assert len(calls) <= 6  # and yet it is recorded once


def test_uniform_does_not_follow_the_global_generator():
    f = lambda x: x + autograd.uniform()
    random.seed(0)
    first = autograd.compile(f, batch=True)(np.zeros(5))
    random.seed(1)
    state = random.getstate()
    np.testing.assert_array_equal(first, autograd.compile(f, batch=True)(np.zeros(5)))
    assert random.getstate() == state


def test_the_distribution_of_uniform():
    x = np.zeros(20_000)
    draws = autograd.compile(lambda x: x + autograd.uniform(-1.0, 3.0), batch=True)(x)
    assert -1.0 <= draws.min() < -0.99
    assert 2.99 < draws.max() < 3.0
    assert draws.mean() == pytest.approx(1.0, abs=0.05)
    assert draws.std() == pytest.approx(4.0 / 12.0**0.5, abs=0.02)
    two = autograd.compile(lambda x: [x + autograd.uniform(), x + autograd.uniform()], batch=True)(x)
    assert abs(np.corrcoef(two.T)[0, 1]) < 0.03
    apart = autograd.compile(lambda x: autograd.uniform() - autograd.uniform(), batch=True)(x)
    assert apart.std() > 0.3
    same = autograd.compile(lambda x: (lambda u: u - u)(autograd.uniform() + x), batch=True)(x)
    assert not same.any()
    alone = autograd.compile(lambda x: autograd.uniform(), batch=True)(x)
    assert len(np.unique(alone)) == len(x)


def test_value_and_gradient_are_of_one_draw():
    """As a network with dropout needs it: what falls out of the value falls out of the gradient."""
    w = Value(2.0)
    program = autograd.compile(lambda x: w * x * autograd.uniform(), wrt=w)
    for _ in range(5):
        value, gradient = program.value_and_grad(3.0)
        assert value == pytest.approx(w.data * gradient, rel=1e-13)

    def dropped(x):
        return sum(v * p * autograd.step(autograd.uniform(), 0.5) for v, p in zip(x, ps, strict=True))

    ps = [Value(1.0 + i) for i in range(8)]
    program = autograd.compile(dropped, wrt=ps, batch=True, reduction="sum")
    x = np.ones((50, 8))
    value, gradient = program.value_and_grad(x)
    assert value == pytest.approx(sum(g * p.data for g, p in zip(gradient, ps, strict=True)), rel=1e-12)
    assert all(5.0 < g < 45.0 for g in gradient)
    assert (gradient == gradient.round()).all()
    assert len({*gradient.tolist()}) > 1


# The source and the drawing ---------------------------------------------------------------------------------------


def lines(program):
    source = program.source
    ast.parse(source)
    rows = source.splitlines()
    assert max(map(len, rows)) <= 140
    return len(rows)


def source_of(f, *arrays, wrt=None, **more):
    program = autograd.compile(f, wrt=wrt, **more)
    program(*arrays)
    forward = lines(program)
    program = autograd.compile(f, wrt=wrt, **more)
    program.value_and_grad(*arrays)
    return forward, lines(program)


def test_the_source_does_not_grow_with_the_width():
    found = set()
    for width in (3, 8, 32):
        model = mlp(2, width, width + 1, 1)
        found.add(
            source_of(lambda x, y, m=model: nn.mse(m(x), y), normal(4, 2), normal(4), wrt=model, batch=True)
        )
    assert len(found) == 1


def test_the_source_does_not_grow_with_the_tokens():
    found = []
    for tokens in (4, 8, 16):
        model = Attention(4, 2, True, 0)
        f = lambda x, m=model: sum(v * v for row in m(x) for v in row)
        found.append(source_of(f, normal(1, tokens, 4), wrt=model, batch=True))
    assert found[0] >= found[1] >= found[2]
    assert found[2] <= found[0]


def test_the_source_of_what_is_small():
    for f in (
        readme,
        lambda x, y: [x * y, autograd.where(x, 1e-300, y)],
        lambda x, y: autograd.logsumexp([x, y]),
    ):
        program = autograd.compile(f)
        program(0.5, 2.0)
        assert lines(program) > 1
        assert isinstance(program.source, str)


def test_long_literals_and_many_names_keep_the_lines_short():
    ws = [Value(w, label=f"a_rather_long_label_for_the_weight_{i}") for i, w in enumerate(normal(40))]
    f = lambda x: sum((w * x + 0.12345678901234567 * i).tanh() for i, w in enumerate(ws))
    for batch in (False, True):
        program = check(f, (normal(3),) if batch else (0.5,), wrt=ws, batch=batch)
        lines(program)
    numbers = normal(3, 40).tolist()
    program = check(lambda x: [autograd.dot(row, x) for row in numbers], (normal(2, 40),))
    lines(program)


LABELS = HOSTILE | {word: word for word in PROGRAM}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_labels_do_no_harm(label):
    w, b = Value(0.5, label=label), Value(1.5, label=label)
    model = mlp(2, 3, 1, label=label)
    for p in model.parameters()[:2]:
        p.label = label

    def f(x):
        y = x[0] * w
        y.label = label
        return autograd.tanh(y + b).exp() + model(x) * x[1]

    every = [w, b, *model.parameters()]
    for program in (
        check(f, (normal(4, 2),), wrt=every),
        check(f, (normal(2),), wrt=every, batch=False),
        check(f, (normal(4, 2),)),
    ):
        lines(program)
        program.draw()
    x = Value(1.0, label=label)
    program = autograd.compile_graph(autograd.exp(x * w), inputs=[x], wrt=[x, w])
    assert program(2.0) == pytest.approx(math.e, rel=1e-13)
    lines(program)


def test_names_of_arguments_do_no_harm():
    def named(np, exp, float, W, self, sum):
        return autograd.exp(np * exp) + float * W - autograd.sum([self, sum])

    args = [normal(3, seed=i) for i in range(6)]
    check(named, tuple(args))
    check(named, tuple(a[0] for a in args), batch=False)
    check(lambda *xs: autograd.prod(xs), tuple(args))
    check(lambda λ, _, __: λ * _ + __, tuple(args[:3]))


def test_the_drawing():
    model = mlp(2, 4, 1)
    program = autograd.compile(lambda x: model(x) ** 2, wrt=model, batch=True)
    program.value_and_grad(normal(3, 2))
    picture = program.draw()
    assert isinstance(picture, graphviz.Digraph)
    assert "->" in picture.source
    assert program.draw().source == picture.source


def test_the_source_is_the_same_in_every_run():
    sources = set()
    for _ in range(3):
        model = mlp(2, 4, 1)
        program = autograd.compile(lambda x, m=model: m(x) ** 2, wrt=model, batch=True)
        program.value_and_grad(normal(3, 2))
        sources.add(program.source)
    assert len(sources) == 1


# Training ---------------------------------------------------------------------------------------------------------


def eager_step(model, loss, optimizer, X, Y):
    for p in optimizer.parameters:
        if (
            p.grad is not NO_GRADIENT
        ):  # what a gradient has reached once is moved in every step, as in PyTorch
            p.grad = 0.0
    rows = zip(X, Y, strict=True)
    value = autograd.mean([loss(model(sample(x)), sample(y)) for x, y in rows])
    value.backward()
    optimizer.step()
    return value.data


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda ps: nn.SGD(ps, lr=0.1),
    "momentum": lambda ps: nn.SGD(ps, lr=0.05, momentum=0.9),
    "nesterov": lambda ps: nn.SGD(ps, lr=0.05, momentum=0.9, nesterov=True),
    "decay": lambda ps: nn.SGD(ps, lr=0.1, weight_decay=0.1),
    "all": lambda ps: nn.SGD(ps, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.05),
    "adam": lambda ps: nn.Adam(ps, lr=0.02),
    "adam with all": lambda ps: nn.Adam(ps, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
}


class Twins:
    """A model that is trained by compiled steps, and a copy of it that is trained on Values."""

    def __init__(self, model, loss, optimizer, **more):
        self.loss = loss
        self.models = model, copy.deepcopy(model)
        self.optimizers = [optimizer(m.parameters()) for m in self.models]
        self.step = nn.train_step(self.models[0], loss, self.optimizers[0], **more)

    def train(self, X, Y, precision=1e-10):
        found = self.step(X, Y)
        assert type(found) is float
        expected = eager_step(self.models[1], self.loss, self.optimizers[1], X, Y)
        assert found == pytest.approx(expected, rel=precision, abs=precision)
        self.agree(precision)

    def agree(self, precision=1e-10):
        ours, theirs = ([p.data for p in m.parameters()] for m in self.models)
        assert {*map(type, ours)} == {float}
        np.testing.assert_allclose(ours, theirs, rtol=precision, atol=precision)

    def change(self, change):
        for model, optimizer in zip(self.models, self.optimizers, strict=True):
            change(model, optimizer)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps(name):
    twins = Twins(mlp(2, 5, 1), nn.mse, OPTIMIZERS[name])
    for seed in range(10):
        size = (6, 1, 9)[seed % 3]
        twins.train(normal(size, 2, seed=seed), normal(size, seed=seed))
    X = normal(3, 2)
    close(autograd.compile(twins.models[0], batch=True)(X), [twins.models[1](x).data for x in X], 1e-9)


@pytest.mark.parametrize("name", TARGETS)
def test_ten_steps_with_every_loss(name):
    loss, targets = TARGETS[name]
    twins = Twins(mlp(2, 4, 3), loss, OPTIMIZERS["momentum"])
    for seed in range(10):
        twins.train(normal(6, 2, seed=seed), targets((6, 3), seed))


def test_ten_steps_with_classes():
    twins = Twins(mlp(2, 4, 3), nn.cross_entropy, OPTIMIZERS["adam"])
    for seed in range(10):
        twins.train(normal(6, 2, seed=seed), tokens_of(6, 1, 3, seed)[:, 0])


def test_ten_steps_of_weights_that_are_shared():
    twins = Twins(LSTM(2, 3, 0), nn.mse, OPTIMIZERS["adam"])
    for seed in range(10):
        twins.train(normal(4, 3, 2, seed=seed), normal(4, seed=seed))


def test_ten_steps_in_float32():
    twins = Twins(mlp(2, 5, 1), nn.mse, OPTIMIZERS["momentum"], dtype="float32")
    for seed in range(10):
        twins.train(normal(6, 2, seed=seed), normal(6, seed=seed), 1e-4)


def test_steps_of_single_samples():
    twins = Twins(mlp(2, 5, 1), nn.mse, OPTIMIZERS["adam"], batch=False)
    for seed in range(10):
        x, y = normal(2, seed=seed), normal(1, seed=seed)[0]
        found = twins.step(x, y)
        assert found == pytest.approx(
            eager_step(twins.models[1], nn.mse, twins.optimizers[1], [x], [y]), rel=1e-10
        )
        twins.agree()


@pytest.mark.parametrize("name", ["sgd", "all", "adam"])
def test_changes_by_hand_between_steps_are_taken_up(name):
    twins = Twins(mlp(2, 4, 1), nn.mse, OPTIMIZERS[name])

    def nudge(model, optimizer):
        model.layers[0].neurons[1].w[0].data = 0.25
        model.layers[1].neurons[0].b.data += 0.5

    def slower(model, optimizer):
        optimizer.lr *= 0.5

    def stop(model, optimizer):
        optimizer.lr = 0.0

    changes = {
        2: nudge,
        4: slower,
        5: nudge,
        6: stop,
        7: lambda model, optimizer: setattr(optimizer, "lr", 0.1),
    }
    for seed in range(10):
        twins.train(normal(5, 2, seed=seed), normal(5, seed=seed))
        if seed in changes:
            twins.change(changes[seed])
            twins.agree()


@pytest.mark.parametrize("name", ["sgd", "all", "adam with all"])
def test_what_is_frozen_stays(name):
    model = mlp(2, 4, 1)
    for p in (*model.layers[0].neurons[0].parameters(), model.layers[1].neurons[0].b):
        p.requires_grad = False
    before = [p.data for p in model.parameters()]
    frozen = [not p.requires_grad for p in model.parameters()]
    twins = Twins(model, nn.mse, OPTIMIZERS[name])
    for seed in range(10):
        twins.train(normal(5, 2, seed=seed), normal(5, seed=seed))
    after = [p.data for p in twins.models[0].parameters()]
    assert [a == b for a, b in zip(before, after, strict=True)] == frozen


class Unused(nn.Module):
    def __init__(self):
        self.used, self.unused = nn.Neuron(2, activation="tanh", rng=0), Value(3.0)

    def __call__(self, x):
        return self.used(x)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_no_gradient_reaches_stays(name):
    twins = Twins(Unused(), nn.mse, OPTIMIZERS[name])
    for seed in range(3):
        twins.train(normal(5, 2, seed=seed), normal(5, seed=seed))
    assert twins.models[0].unused.data == 3.0


def test_an_optimizer_of_a_part_moves_that_part():
    model = mlp(2, 4, 1)
    before = [p.data for p in model.layers[0].parameters()]
    other = copy.deepcopy(model)
    optimizer, twin = (nn.Adam(m.layers[1].parameters(), lr=0.05) for m in (model, other))
    step = nn.train_step(model, nn.mse, optimizer)
    for seed in range(5):
        X, Y = normal(5, 2, seed=seed), normal(5, seed=seed)
        assert step(X, Y) == pytest.approx(eager_step(other, nn.mse, twin, X, Y), rel=1e-10)
    assert [p.data for p in model.layers[0].parameters()] == before
    close([p.data for p in model.parameters()], [p.data for p in other.parameters()], 1e-10)


def test_two_training_steps_of_one_model():
    """One for each of two losses, with an optimizer of its own, in turn."""
    model = mlp(2, 4, 1)
    other = copy.deepcopy(model)
    pairs = []
    for loss, make in ((nn.mse, OPTIMIZERS["adam"]), (nn.mae, OPTIMIZERS["all"])):
        ours, theirs = make(model.parameters()), make(other.parameters())
        pairs.append((nn.train_step(model, loss, ours), functools.partial(eager_step, other, loss, theirs)))
    for seed in range(8):
        X, Y = normal(5, 2, seed=seed), normal(5, seed=seed)
        compiled, eager = pairs[seed % 2]
        assert compiled(X, Y) == pytest.approx(eager(X, Y), rel=1e-10)
        close([p.data for p in model.parameters()], [p.data for p in other.parameters()], 1e-10)


def test_an_optimizer_of_ones_own():
    class SignDescent(nn.Optimizer):
        def update(self, p, g):
            self.state[p] = self.state.get(p, 0) + 1
            return self.lr / self.state[p] * math.copysign(1.0, g)

    twins = Twins(mlp(2, 4, 1), nn.mse, lambda ps: SignDescent(ps, lr=0.1))
    for seed in range(5):
        twins.train(normal(5, 2, seed=seed), normal(5, seed=seed))


def test_the_loss_is_that_before_the_update():
    model = mlp(2, 4, 1)
    X, Y = normal(5, 2), normal(5)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.1))
    expected = np.mean([nn.mse(model(x), y).data for x, y in zip(X, Y, strict=True)])
    assert step(X, Y) == pytest.approx(expected, rel=1e-12)
    assert step(X, Y) < expected


def test_a_step_records_once_for_all_batches():
    model = mlp(2, 4, 3)
    loss, calls = counted(lambda output, target: nn.cross_entropy(output, target))
    step = nn.train_step(model, loss, nn.SGD(model.parameters(), lr=0.1))
    step(normal(5, 2), tokens_of(5, 1, 3)[:, 0])
    before = len(calls)
    for n in (5, 2, 9):
        step(normal(n, 2), tokens_of(n, 1, 3, n)[:, 0])
    assert len(calls) == before


def test_a_loss_that_reads_the_model():
    """Of three arguments: the model and a sample."""
    model = mlp(2, 4, 1)
    other = copy.deepcopy(model)
    loss = lambda m, x, y: (m(x) - y) ** 2 + 0.01 * sum(p * p for p in m.parameters())
    optimizer, twin = (nn.SGD(m.parameters(), lr=0.1) for m in (model, other))
    step = nn.train_step(model, loss, optimizer)
    for seed in range(5):
        X, Y = normal(5, 2, seed=seed), normal(5, seed=seed)
        twin.zero_grad()
        value = autograd.mean([loss(other, sample(x), sample(y)) for x, y in zip(X, Y, strict=True)])
        value.backward()
        twin.step()
        assert step(X, Y) == pytest.approx(value.data, rel=1e-10)
        close([p.data for p in model.parameters()], [p.data for p in other.parameters()], 1e-10)


def test_it_learns():
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    Y = np.array([0.0, 1.0, 1.0, 0.0])
    model = mlp(2, 4, 1, seed=0)
    step = nn.train_step(model, nn.mse, nn.Adam(model.parameters(), lr=0.1))
    for _ in range(200):
        loss = step(X, Y)
    assert loss < 1e-3
    assert [round(model(x).data) for x in X] == [0, 1, 1, 0]


def test_all_is_exported():
    for name in ("compile", "compile_graph", "take", "uniform"):
        assert name in autograd.__all__
    assert "train_step" in nn.__all__
    for function in (
        autograd.compile,
        autograd.compile_graph,
        autograd.take,
        autograd.uniform,
        nn.train_step,
    ):
        assert inspect.getdoc(function)
