"""Every module of nn does four things: it runs on scalars, draws as a cluster, differentiates twice, and compiles."""

import inspect
import itertools
import pickle
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from autograd.ops import flatten

RNG = np.random.default_rng(0)


class Case(NamedTuple):
    """How a module is made, and the shapes of one sample; `tokens` says how many there are where it reads such."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    tokens: int = 0
    learns: bool = True  # whether it has parameters
    trains: bool = True  # whether a gradient reaches the inputs, or the parameters


def first(module):
    """A module whose first output alone is looked at."""
    return lambda *xs: module(*xs)[0]


CASES: dict[str, Case] = {
    "Neuron": Case(lambda: nn.Neuron(3, activation="tanh", rng=0), ((3,),)),
    "Layer": Case(lambda: nn.Layer(3, 2, activation="tanh", rng=0), ((3,),)),
    "Layer of softmax": Case(lambda: nn.Layer(3, 2, activation="softmax", rng=0), ((3,),)),
    "MLP": Case(lambda: nn.MLP(3, [4, 2], activation="tanh", rng=0), ((3,),)),
    "Sequential": Case(lambda: nn.Sequential(nn.Layer(3, 2, activation="gelu", rng=0), "tanh"), ((3,),)),
    "Residual": Case(lambda: nn.Residual(nn.Layer(3, 3, activation="tanh", rng=0)), ((3,),)),
    "Conv1d": Case(lambda: nn.Conv1d(2, 3, 3, padding=1, activation="tanh", rng=0), ((2, 5),)),
    "Conv2d": Case(lambda: nn.Conv2d(2, 3, 2, stride=2, padding=1, activation="tanh", rng=0), ((2, 4, 4),)),
    "MaxPool": Case(lambda: nn.MaxPool(2), ((2, 4, 4),), learns=False),
    "AvgPool": Case(lambda: nn.AvgPool(2, padding=1), ((2, 4, 4),), learns=False),
    "Flatten": Case(nn.Flatten, ((2, 3, 2),), learns=False),
    "Standardize": Case(lambda: nn.Standardize([1.0, 2.0], [3.0, 4.0]), ((2,),), learns=False),
    "MinMax": Case(lambda: nn.MinMax([1.0, 2.0], [3.0, 5.0]), ((2,),), learns=False),
    "BatchNorm": Case(lambda: nn.BatchNorm(2), ((2, 3),)),
    "LayerNorm": Case(lambda: nn.LayerNorm(4), ((4,),)),
    "RMSNorm": Case(lambda: nn.RMSNorm(4), ((4,),)),
    "Dropout": Case(lambda: nn.Dropout(0.5), ((4,),), learns=False),
    "Embedding": Case(lambda: nn.Embedding(5, 3, rng=0), ((4,),), tokens=5),
    "RNNCell": Case(lambda: nn.RNNCell(2, 3, rng=0), ((2,), (3,))),
    "LSTMCell": Case(lambda: nn.LSTMCell(2, 3, rng=0), ((2,), (2, 3))),
    "GRUCell": Case(lambda: nn.GRUCell(2, 3, rng=0), ((2,), (3,))),
    "RNN": Case(lambda: nn.RNN(2, 3, rng=0), ((4, 2),)),
    "LSTM": Case(lambda: nn.LSTM(2, 3, bidirectional=True, rng=0), ((3, 2),)),
    "GRU": Case(lambda: nn.GRU(2, 2, layers=2, rng=0), ((3, 2),)),
    "LearnedPositions": Case(lambda: nn.LearnedPositions(4, 2, rng=0), ((3, 2),)),
    "SinusoidalPositions": Case(lambda: nn.SinusoidalPositions(4, 2), ((3, 2),), learns=False),
    "MultiHeadAttention": Case(
        lambda: nn.MultiHeadAttention(4, 2, causal=True, rotary=True, rng=0), ((3, 4),)
    ),
    "FeedForward": Case(lambda: nn.FeedForward(3, 4, activation="swiglu", rng=0), ((3,),)),
    "TransformerBlock": Case(lambda: nn.TransformerBlock(4, 2, 5, rng=0), ((3, 4),)),
    "Transformer": Case(lambda: nn.Transformer(5, 4, 2, 1, 4, hidden=4, rng=0), ((3,), (2,)), tokens=5),
    "GPT": Case(lambda: nn.GPT(5, 4, 2, 1, 4, rng=0), ((3,),), tokens=5),
    "BERT": Case(lambda: nn.BERT(5, 4, 2, 1, 4, rng=0), ((3,),), tokens=5),
    "ViT": Case(lambda: nn.ViT(4, 2, 3, 4, 2, 1, rng=0), ((4, 4),)),
}

OTHERWISE = {  # why it is not in the table
    "Module": "has no equation",
    "McCullochPitts": "a threshold, of which every slope is 0; its inputs are 0 or 1",
    "Perceptron": "a threshold, of which every slope is 0",
}


def test_every_module_is_here():
    classes = {
        name
        for name in nn.__all__
        if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module)
    }
    assert classes == {name for name in CASES if " " not in name} | {*OTHERWISE}


def samples(case, n):
    """n samples of each argument."""
    rng = np.random.default_rng(1)
    if case.tokens:
        return [rng.integers(0, case.tokens, (n, *shape)) for shape in case.shapes]
    return [rng.normal(size=(n, *shape)) for shape in case.shapes]


def as_values(x):
    return np.array([Value(float(v)) for v in np.ravel(x)], dtype=object).reshape(np.shape(x))


def numbers(tree):
    return [float(v) for v in flatten([tree])]


def squares(module, *xs):
    """One smooth number of what a module returns."""
    return autograd.sum([v * v * (1.0 + 0.1 * v) for v in flatten([module(*xs)])])


def ready(case):
    """A module, in use if its training mode would draw at random or need a batch."""
    module = case.make()
    return module.eval() if isinstance(module, (nn.Dropout, nn.BatchNorm)) else module


CASE = pytest.mark.parametrize("name", CASES)


@CASE
def test_runs_on_lists_arrays_and_values(name):
    case = CASES[name]
    module = ready(case)
    xs = [x[0] for x in samples(case, 1)]
    found = numbers(module(*xs))
    assert found
    assert np.isfinite(found).all()
    assert numbers(module(*[x.tolist() for x in xs])) == found
    if not case.tokens:
        assert numbers(module(*map(as_values, xs))) == pytest.approx(found, rel=1e-13, abs=1e-15)
    assert bool(module.parameters()) == case.learns
    assert type(module).__name__ in module._title()
    assert numbers(deepcopy(module)(*xs)) == found
    assert numbers(pickle.loads(pickle.dumps(module))(*xs)) == found


@CASE
def test_every_part_is_a_cluster_of_the_picture(name):
    case = CASES[name]
    module = ready(case)
    xs = [x[0] for x in samples(case, 1)]
    out = squares(module, *(xs if case.tokens else map(as_values, xs)))
    source = autograd.draw(out, level="scalar").source
    called: dict[Any, None] = {}
    with nn.watching(lambda part, inputs, output: called.setdefault(part)):
        squares(module, *(xs if case.tokens else map(as_values, xs)))
    silent = (nn.Flatten, nn.Dropout, nn.Embedding)  # these record nothing of their own
    for part in called:
        assert f"{part._title()}" in source or isinstance(part, silent), part._title()
    assert source.count("subgraph") >= len([part for part in called if not isinstance(part, silent)])
    for level in ("model", "layer", "neuron"):
        assert autograd.draw(out, level=level).source


@CASE
def test_differentiates_twice(name):
    case = CASES[name]
    module = ready(case)
    xs = [x[0] for x in samples(case, 1)]
    wrt = module.parameters()
    if not case.tokens:
        xs = [as_values(x) for x in xs]
        wrt += [v for x in xs for v in x.ravel()]
    wrt = wrt[:: max(1, len(wrt) // 4)]

    def slope(w):
        return autograd.gradient(squares(module, *xs), [w], create_graph=True)[0]

    for w in wrt:
        at, h = w.data, 1e-4
        again = slope(w)
        curvature = float(autograd.gradient(again, [w])[0]) if again.requires_grad else 0.0
        found = []
        for shift in (h, -h):
            w.data = at + shift
            found.append(float(slope(w)))
        w.data = at
        assert curvature == pytest.approx((found[0] - found[1]) / (2 * h), rel=1e-5, abs=1e-6)


@CASE
def test_compiles(name):
    case = CASES[name]
    module = ready(case)
    xs = samples(case, 3)
    program = autograd.compile(module, batch=True)
    expected = [numbers(module(*sample)) for sample in zip(*xs, strict=True)]
    parts = [np.asarray(part).reshape(3, -1) for part in leaves(program(*xs))]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=1e-12, atol=1e-13)

    wrt = module if case.learns else None
    program = autograd.compile(lambda *sample: squares(module, *sample), wrt=wrt, batch=True)
    value, gradient = program.value_and_grad(*xs)
    batches = [[sample if case.tokens else as_values(sample) for sample in x] for x in xs]
    loss = sum(squares(module, *sample) for sample in zip(*batches, strict=True)) / 3
    module.zero_grad()
    loss.backward()
    wanted = (
        [p.grad for p in module.parameters()]
        if case.learns
        else [v.grad for x in batches for v in np.ravel(x)]
    )
    assert value == pytest.approx(loss.data, rel=1e-12)
    found = np.concatenate([np.ravel(g) for g in (gradient if isinstance(gradient, tuple) else [gradient])])
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, [float(g) for g in wanted], rtol=1e-10, atol=1e-12 * max(1.0, scale))


def leaves(tree):
    if isinstance(tree, (tuple, list)):
        return list(itertools.chain(*map(leaves, tree)))
    return [tree]


@CASE
def test_trains(name):
    """A compiled step lowers the loss, and the Values show it."""
    case = CASES[name]
    if not case.learns:
        return
    module = case.make()
    xs = samples(case, 4)
    xs += [np.zeros(4)] * (len(xs) < 2)  # a loss of three arguments gets the model and the sample
    loss = lambda model, x, y: squares(model, *[x, y][: len(case.shapes)])
    step = nn.train_step(module, loss, nn.SGD(module.parameters(), lr=1e-3))
    losses = [step(*xs) for _ in range(5)]
    assert losses[-1] < losses[0]


# A batch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_on_a_batch(shape, training):
    module, twin = nn.BatchNorm(3), nn.BatchNorm(3)
    for part in (module, twin):
        for k, p in enumerate(part.parameters()):
            p.data = 1.0 + 0.3 * k
        part.train(training)
    X = np.random.default_rng(3).normal(size=(5, *shape))
    axes = tuple(k for k in range(X.ndim) if k != 1)
    column = (3,) + (1,) * (len(shape) - 1)
    mean, variance = (X.mean(axes), X.var(axes)) if training else (np.zeros(3), np.ones(3))
    gain, bias = (np.array([p.data for p in part]).reshape(column) for part in (module.gain, module.bias))
    wanted = gain * (X - mean.reshape(column)) / np.sqrt(variance.reshape(column) + 1e-5) + bias

    values = [as_values(x) for x in X]
    outputs = module.batch(values)
    np.testing.assert_allclose(np.reshape(numbers(outputs), X.shape), wanted, rtol=1e-12, atol=1e-13)
    program = autograd.compile(twin, batch=True)
    np.testing.assert_allclose(program(X), wanted, rtol=1e-12, atol=1e-13)
    for _, twins in zip(module.named_buffers(), twin.named_buffers(), strict=True):
        assert _[1].data == pytest.approx(twins[1].data, rel=1e-13, abs=1e-15)
    if training:
        n = X.size // 3
        assert numbers(module.running_mean) == pytest.approx(0.1 * mean, rel=1e-12)
        assert numbers(module.running_variance) == pytest.approx(
            0.9 + 0.1 * X.var(axes) * n / (n - 1), rel=1e-12
        )

    weights = np.random.default_rng(4).normal(size=X.shape)
    loss = autograd.sum(
        [
            a * a * b
            for y, w in zip(outputs, weights, strict=True)
            for a, b in zip(flatten([y]), w.ravel(), strict=True)
        ]
    )
    loss.backward()
    f = lambda x, w: autograd.sum([a * a * b for a, b in zip(flatten([twin(x)]), w.ravel(), strict=True)])
    value, (slopes, _) = autograd.compile(f, batch=True, reduction="sum").value_and_grad(X, weights)
    assert value == pytest.approx(loss.data, rel=1e-12)
    np.testing.assert_allclose(
        slopes.ravel(), [v.grad for x in values for v in x.ravel()], rtol=1e-10, atol=1e-12
    )


def test_batch_norm_is_pytorchs():
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(3).normal(size=(6, 2, 3, 2))
    model = nn.Sequential(nn.BatchNorm(2), nn.Flatten(), nn.Layer(12, 3, activation="identity", rng=0))
    theirs = torch.nn.Sequential(torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 3)).double()
    nn.from_torch(model, theirs)
    y = np.array([0, 1, 2, 0, 1, 2])
    for _ in range(3):
        loss = nn.cross_entropy(model.batch([*X]), y)
        model.zero_grad()
        loss.backward()
        other = torch.nn.functional.cross_entropy(theirs(torch.tensor(X)), torch.tensor(y))
        theirs.zero_grad()
        other.backward()
        assert loss.data == pytest.approx(other.item(), rel=1e-12)
    for ours, wanted in [(model[0].gain, theirs[0].weight.grad), (model[0].bias, theirs[0].bias.grad)]:
        np.testing.assert_allclose([p.grad for p in ours], wanted.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(numbers(model[0].running_mean), theirs[0].running_mean, rtol=1e-12)
    np.testing.assert_allclose(numbers(model[0].running_variance), theirs[0].running_var, rtol=1e-12)
    outputs = [numbers(y) for y in model.eval().batch([*X])]
    np.testing.assert_allclose(
        outputs, theirs.eval()(torch.tensor(X)).detach().numpy(), rtol=1e-10, atol=1e-12
    )


def test_a_compiled_step_keeps_the_running_statistics_of_batch_norm():
    X, y = np.random.default_rng(3).normal(size=(8, 3)), np.arange(8) % 2
    make = lambda: nn.Sequential(
        nn.Layer(3, 4, activation="identity", rng=0),
        nn.BatchNorm(4),
        "relu",
        nn.Layer(4, 2, activation="identity", rng=1),
    )
    compiled, eager = make(), make()
    step = nn.train_step(compiled, nn.cross_entropy, nn.SGD(compiled.parameters(), lr=0.1, momentum=0.9))
    optimizer = nn.SGD(eager.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        loss = nn.cross_entropy(eager.batch([*X]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert step(X, y) == pytest.approx(loss.data, rel=1e-12)
    ours, wanted = (
        [v.data for v in (*m.parameters(), *(v for _, v in m.named_buffers()))] for m in (compiled, eager)
    )
    np.testing.assert_allclose(ours, wanted, rtol=1e-11, atol=1e-13)
    program = autograd.compile(compiled, batch=True)
    compiled.eval()
    expected = [numbers(y) for y in eager.eval().batch([*X])]
    np.testing.assert_allclose(program(X), expected, rtol=1e-11, atol=1e-13)
    compiled.train()  # the program is recorded anew
    assert np.abs(program(X) - expected).max() > 0.01
    compiled.eval()
    single = np.array([program(x[None])[0] for x in X])
    np.testing.assert_allclose(program(X), single, rtol=1e-12)


def test_batch_norm_takes_samples_together():
    norm = nn.BatchNorm(2)
    with pytest.raises(ValueError, match=r"BatchNorm\(2\) in training needs the samples of a batch together"):
        norm([1.0, 2.0])
    assert numbers(norm.batch([[1.0, 2.0]])) == [0.0, 0.0]  # one sample: no variance
    assert numbers(norm.running_variance) == [0.9, 0.9]
    with pytest.raises(ValueError, match=r"2 inputs. Received: 3"):
        norm.batch([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"momentum from 0 to 1. Received: momentum=2"):
        nn.BatchNorm(2, momentum=2.0)


PLAIN = {"Module", "Neuron", "Layer", "Sequential", "Flatten", "Standardize", "MinMax"}  # nobody's invention
SOURCES = {
    name: x
    for name in nn.__all__
    if inspect.isclass(x := getattr(nn, name)) and issubclass(x, (nn.Module, nn.Optimizer))
    if name not in PLAIN | {"Optimizer"}
} | {name: f for name, f in nn.init.INITIALISERS.items() if "_" in name or name == "orthogonal"}


@pytest.mark.parametrize("name", [*SOURCES, "attention", "sinusoidal", "rotary"])
def test_docstring_cites_its_source(name):
    text = inspect.getdoc(SOURCES.get(name) or getattr(nn, name))
    assert text
    assert re.search(r"[A-Z][a-z]+\D{2,40}\b(19|20)\d\d\b", text), text
