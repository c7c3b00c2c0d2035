"""Compiled steps of training where several programs, shapes, optimisers and hands move the same Values."""

import copy
import functools
import math
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value

from .test_compile import OPTIMIZERS, Twins, counted, eager_step, mlp, normal


class Line(nn.Module):
    """A weighted sum of however many inputs, of which each has its weight."""

    def __init__(self, n=4):
        self.w, self.b = [Value(0.1 * (i + 1)) for i in range(n)], Value(0.5)

    def __call__(self, x):
        return autograd.tanh(sum(w * v for w, v in zip(self.w, x, strict=False)) + self.b)


def numbers(model):
    return [p.data for p in model.parameters()]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_shapes_in_turn(name):
    """They share the array of parameters, and nothing is recorded again; weights beyond an input's length stay."""
    loss, calls = counted(lambda y, t: nn.mse(y, t))
    twins = Twins(Line(), loss, OPTIMIZERS[name])
    for i in range(12):
        twins.train(normal(5, 2 + i % 3, seed=i), normal(5, seed=i))
        if i == 2:
            store, recorded = twins.step.program.store, len(calls)
    assert twins.step.program.store is store
    assert len(calls) - recorded == 9 * 5  # the eager twin's alone


def test_a_shape_that_reads_more_parameters():
    """Values that are not trained, but read, come into the array when a longer sample needs them."""
    model, scales = Line(2), [Value(1.0 + i) for i in range(3)]
    f = lambda x: model([v * s for v, s in zip(x, scales, strict=False)])
    other, _ = copy.deepcopy((model, scales))
    g = lambda x: other([v * s for v, s in zip(x, scales, strict=False)])
    optimizer, twin = (OPTIMIZERS["adam"](m.parameters()) for m in (model, other))
    loss, calls = counted(nn.mse)
    step = nn.train_step(f, loss, optimizer)
    for i in range(9):
        X, Y = normal(5, 1 + i % 3, seed=i), normal(5, seed=i)
        assert step(X, Y) == pytest.approx(eager_step(g, nn.mse, twin, X, Y), rel=1e-10)
        assert numbers(model) == pytest.approx(numbers(other), rel=1e-10)
        scales[i % 3].data += 0.1
        if i == 5:
            recorded = len(calls)
    assert len(calls) == recorded


@pytest.mark.parametrize("dtypes", [("float64", "float64"), ("float32", "float64"), ("float64", "float32")])
def test_steps_of_one_model_in_turn_are_recorded_once(dtypes):
    precision = 1e-10 if dtypes == ("float64", "float64") else 1e-4
    model = mlp(2, 4, 1)
    other = copy.deepcopy(model)
    loss, calls = counted(nn.mse)
    steps = []
    for dtype, name in zip(dtypes, ("adam", "all"), strict=True):
        ours, theirs = (OPTIMIZERS[name](m.parameters()) for m in (model, other))
        steps.append(
            (
                nn.train_step(model, loss, ours, dtype=dtype),
                functools.partial(eager_step, other, nn.mse, theirs),
            )
        )
    for i in range(12):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        compiled, eager = steps[i % 2]
        assert compiled(X, Y) == pytest.approx(eager(X, Y), rel=precision)
        assert numbers(model) == pytest.approx(numbers(other), rel=precision, abs=precision)
    assert len(calls) == 2


def test_two_parts_that_are_trained_in_turn():
    """As a generator and its critic: each step reads both parts and moves one."""
    one, two = mlp(2, 3, 2), mlp(2, 3, 1, seed=2)
    twins = copy.deepcopy((one, two))
    compose = lambda parts: lambda x: parts[1](parts[0](x))
    loss, calls = counted(nn.mse)
    steps = []
    for k in (0, 1):
        optimizers = [OPTIMIZERS["adam"](parts[k].parameters()) for parts in ((one, two), twins)]
        steps.append(
            (
                nn.train_step(compose((one, two)), loss, optimizers[0]),
                functools.partial(eager_step, compose(twins), nn.mse, optimizers[1]),
            )
        )
    predict = autograd.compile(compose((one, two)), batch=True)
    for i in range(12):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        compiled, eager = steps[i % 2]
        assert compiled(X, Y) == pytest.approx(eager(X, Y), rel=1e-10)
        for ours, theirs in zip((one, two), twins, strict=True):
            assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-10)
        assert predict(X) == pytest.approx([compose(twins)(x).data for x in X], rel=1e-10)
    assert len(calls) == 2


@pytest.mark.parametrize("first", ["predict", "step"])
def test_a_program_beside_the_steps(first):
    model = mlp(2, 4, 1)
    f, calls = counted(lambda x: model(x))
    predict = autograd.compile(f, batch=True)
    single = autograd.compile(f, batch=True, dtype="float32")
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.1, momentum=0.5))
    X, Y = normal(6, 2), normal(6)
    if first == "step":
        step(X, Y)
    for i in range(5):
        for program, precision in ((predict, 1e-12), (single, 1e-5)):
            assert program(X) == pytest.approx([model(x).data for x in X], rel=precision, abs=precision)
        step(X, Y)
        model.parameters()[i].data += 0.1
    assert len(calls) == 2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_freezing_and_freeing_between_steps(name):
    """Also with an optimiser that remembers: what was frozen has made fewer steps than the rest."""
    twins = Twins(mlp(2, 4, 1), nn.mse, OPTIMIZERS[name])

    def freeze(frozen, some):
        def change(model, optimizer):
            for p in model.parameters()[some]:
                p.requires_grad = not frozen

        return change

    changes = {
        2: freeze(True, slice(0, 3)),
        4: freeze(True, slice(5, None, 2)),
        6: freeze(False, slice(0, 2)),
        9: freeze(False, slice(None)),
        11: freeze(True, slice(None)),
        12: freeze(False, slice(None)),
    }
    for i in range(15):
        twins.change(changes.get(i, lambda model, optimizer: None))
        if i == 11:
            before = numbers(twins.models[0])
            twins.step(normal(5, 2, seed=i), normal(5, seed=i))
            assert numbers(twins.models[0]) == before
        else:
            twins.train(normal(5, 2, seed=i), normal(5, seed=i))


def test_a_step_beside_one_that_freezes():
    """Two steps of one model, of which something is frozen: both go on with the same array."""
    model = mlp(2, 4, 1)
    for p in model.parameters()[:3]:
        p.requires_grad = False
    other = copy.deepcopy(model)
    loss, calls = counted(nn.mse)
    optimizers = [[nn.SGD(m.parameters(), lr=0.1) for _ in range(2)] for m in (model, other)]
    steps = [nn.train_step(model, loss, optimizer) for optimizer in optimizers[0]]
    for i in range(10):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        expected = eager_step(other, nn.mse, optimizers[1][i % 2], X, Y)
        assert steps[i % 2](X, Y) == pytest.approx(expected, rel=1e-10)
        assert numbers(model) == pytest.approx(numbers(other), rel=1e-10)
        if i == 5:
            for m in (model, other):
                m.parameters()[1].requires_grad = True
                m.parameters()[4].requires_grad = False
    assert len(calls) == 4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_eager_and_compiled_steps_in_turn(name):
    """With one optimiser, which remembers the steps of both."""
    twins = Twins(mlp(2, 4, 1), nn.mse, OPTIMIZERS[name])
    for i in range(12):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        if i % 4 < 2:
            twins.train(X, Y)
        else:
            for model, optimizer in zip(twins.models, twins.optimizers, strict=True):
                eager_step(model, nn.mse, optimizer, X, Y)
            twins.agree()


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_copies_go_on_where_the_original_was(carry):
    twins = Twins(mlp(2, 4, 1), nn.mse, OPTIMIZERS["adam"])
    for i in range(3):
        twins.train(normal(5, 2, seed=i), normal(5, seed=i))
    model, optimizer = carry((twins.models[0], twins.optimizers[0]))
    step = nn.train_step(model, nn.mse, optimizer)
    for i in range(3):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        step(X, Y)
        twins.train(X, Y)
    assert numbers(model) == pytest.approx(numbers(twins.models[0]), rel=1e-12)


def test_hyperparameters_may_change():
    every: dict[str, list[tuple[str, Any]]] = {
        "all": [("momentum", 0.3), ("weight_decay", 0.0), ("nesterov", False), ("momentum", 0.0)],
        "adam": [("betas", (0.5, 0.9)), ("eps", 1e-2), ("weight_decay", 0.2), ("lr", 0.1)],
    }
    for name, changes in every.items():
        twins = Twins(mlp(2, 4, 1), nn.mse, OPTIMIZERS[name])
        for i in range(10):
            twins.train(normal(5, 2, seed=i), normal(5, seed=i))
            if i % 2 and changes:
                change = changes.pop(0)
                twins.change(lambda model, optimizer, change=change: setattr(optimizer, *change))


def test_an_optimizer_with_a_step_of_its_own():
    class Clipped(nn.Adam):
        def step(self):
            length = math.hypot(*(p.grad for p in self.parameters))
            for p in self.parameters:
                p.grad = p.grad / max(length, 1.0)
            super().step()

    class Rounded(nn.SGD):
        def update(self, p, g):
            return round(super().update(p, g), 2) * (1.0 + p.data)

    for kind in (Clipped, Rounded):
        twins = Twins(mlp(2, 4, 1), nn.mse, lambda ps, kind=kind: kind(ps, lr=0.3))
        for i in range(5):
            twins.train(normal(5, 2, seed=i) * 4.0, normal(5, seed=i))


def test_what_an_own_optimizer_must_not_move():
    class Drift(nn.Optimizer):
        def update(self, p, g):
            return self.lr

    model = Line(3)
    model.w[0].requires_grad = False
    step = nn.train_step(model, nn.mse, Drift(model.parameters(), lr=0.25))
    step(normal(4, 2), normal(4))
    assert numbers(model) == [0.1, 0.2 - 0.25, 0.1 * 3, 0.5 - 0.25]


def test_a_slope_of_zero_is_a_slope():
    """A path on which nothing flows is a path: weight decay acts, as in an eager step. Through what is flat, there is
    none."""
    paths = (
        (lambda w, x: w * 0.0 + x, 0.75),
        (lambda w, x: autograd.step(w) * x, 1.0),
        (lambda w, x: autograd.where(w, x, 0.0), 1.0),
        (lambda w, x: autograd.TABLE["flat"](w, x), 1.0),
        (lambda w, x: w.detach() * x, 1.0),
    )
    autograd.op("flat", "x y, as if x were a constant", lambda x, y: x * y, None, lambda g, out, x, y: g * x)
    for f, after in paths:
        found = []
        for compiled in (True, False):
            w = Value(1.0)
            optimizer = nn.SGD([w], lr=0.5, weight_decay=0.5)
            model = lambda x, w=w, f=f: f(w, x)
            X, Y = np.array([[1.0], [2.0]]), np.array([1.0, 1.0])
            if compiled:
                nn.train_step(lambda x, model=model: model(x[0]), nn.mse, optimizer)(X, Y)
            else:
                value = autograd.mean([nn.mse(model(Value(x[0])), y) for x, y in zip(X, Y, strict=True)])
                value.backward()
                optimizer.step()
            found.append(w.data)
        assert found == [after, after]
    del autograd.TABLE["flat"]


def test_an_index_is_no_parameter():
    w = Value(1.0)
    step = nn.train_step(lambda x: autograd.TABLE["pick"](x[0] * w, w, w), nn.mse, nn.SGD([w], lr=0.1))
    with pytest.raises(TypeError, match="take needs an integer input of the function as its index"):
        step(np.ones((3, 1)), np.ones(3))


def test_draws_are_new_at_each_step_and_the_same_for_a_seed():
    def losses(seed):
        model = mlp(2, 8, 1)
        dropped = lambda x: model([v * autograd.step(autograd.uniform(), 0.5) for v in x])
        step = nn.train_step(dropped, nn.mse, nn.SGD(model.parameters(), lr=0.0), seed=seed)
        return [step(normal(4, 2), normal(4)) for _ in range(8)]

    first = losses(0)
    assert first == losses(0) != losses(1)
    assert len({*first}) > 4


@pytest.mark.parametrize("batch", [True, False])
def test_losses_of_three_arguments_and_more(batch):
    model = mlp(2, 3, 1)
    ahead = (4,) if batch else ()
    X, Y, W = normal(*ahead, 2), normal(*ahead, 1)[..., 0], abs(normal(*ahead, 1)[..., 0])
    if not batch:
        Y, W = float(Y), float(W)

    def weighted(model, x, y, weight=1.0, *, power=2):
        return weight * (model(x) - y) ** power

    def needed(model, x, y, weight):
        return weighted(model, x, y, weight)

    for loss, sample in ((weighted, (X, Y)), (weighted, (X, Y, W)), (needed, (X, Y, W))):
        step = nn.train_step(model, loss, nn.SGD(model.parameters(), lr=0.0), batch=batch)
        rows = [*zip(*sample, strict=True)] if batch else [sample]
        assert step(*sample) == pytest.approx(np.mean([loss(model, *row).data for row in rows]), rel=1e-12)


def test_all_modules_can_be_recorded():
    scale, unit = nn.Standardize([1.0, 2.0], [0.5, 4.0]), nn.McCullochPitts(2, 1, threshold=1)
    X = normal(4, 2)
    for f in (lambda x: scale(x), lambda x: scale([x[0], x[1]])):
        np.testing.assert_allclose(autograd.compile(f, batch=True)(X), scale(X), rtol=1e-15)
    bits = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert autograd.compile(unit, batch=True)(bits).tolist() == [unit(x) for x in bits]


def test_a_recording_is_not_the_last_call():
    """Otherwise its graph would stay."""
    neuron = nn.Neuron(2, activation="tanh", rng=0)
    step = nn.train_step(neuron, nn.mse, nn.SGD(neuron.parameters(), lr=0.0))
    step(normal(4, 2), normal(4))
    with pytest.raises(AttributeError, match="once it has been called"):
        assert neuron.z
    z = neuron([1.0, 2.0]) and neuron.z
    step(normal(4, 2), normal(4))
    assert neuron.z is z


def test_it_shows_itself():
    model = mlp(2, 3, 1)
    step = nn.train_step(model, nn.mse, nn.Adam(model.parameters()))
    assert repr(step) == "<step of Adam, compiled when it is called>"
    step(normal(4, 2), normal(4))
    assert repr(step) == "<step of Adam, compiled for 1 shape>"
    assert "def value_and_grad(x, y):" in step.source
    of_model = nn.train_step(
        model, lambda net, image, label: net(image) * label, nn.SGD(model.parameters(), lr=0.1)
    )
    of_model(normal(4, 2), normal(4))
    assert "def value_and_grad(image, label):" in of_model.source


def test_what_diverges_says_so_without_a_warning():
    model = mlp(2, 3, 1, activation="identity")
    for optimizer in (nn.SGD(model.parameters(), lr=1e200), nn.Adam(model.parameters(), lr=1e300)):
        step = nn.train_step(model, nn.mse, optimizer)
        for _ in range(4):
            loss = step(normal(4, 2), normal(4))
        assert not math.isfinite(loss)


of: Any = nn  # so that types do not forbid what is tested here
MODEL = mlp(2, 3, 1)
PARAMETERS = MODEL.parameters()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: of.train_step(3, nn.mse, nn.SGD(PARAMETERS)), TypeError, "a model that can be called. Received: int"),
        (lambda: of.train_step(MODEL, "mse", nn.SGD(PARAMETERS)), TypeError, "a loss that can .* Received: str"),
        (lambda: of.train_step(MODEL, nn.mse, PARAMETERS), TypeError, "needs an Optimizer.* Received: list"),
        (lambda: of.train_step(MODEL, nn.mse, nn.SGD(PARAMETERS), dtype="int8"), ValueError, "Received: 'int8'"),
        (
            lambda: of.train_step(MODEL, nn.mse, nn.SGD(PARAMETERS))(normal(3, 2)),
            TypeError,
            r"train_step\(\) missing .* 'y'",
        ),
        (
            lambda: of.train_step(MODEL, nn.mse, nn.SGD(PARAMETERS))(normal(3, 2), normal(4)),
            ValueError,
            r"train_step was compiled with batch=True.* Received: \(3, 2\), \(4,\)",
        ),
        (
            lambda: of.train_step(MODEL, lambda y, t: [y, t], nn.SGD(PARAMETERS))(normal(3, 2), normal(3)),
            TypeError,
            "a function that returns one number",
        ),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    before = numbers(MODEL)
    with pytest.raises(error, match=message):
        call()
    assert numbers(MODEL) == before


def test_a_large_layer_is_kept_as_the_product_reads_it():
    """In the order of x @ W; everybody else sees the parameters in their own order."""
    make = lambda: nn.MLP(120, [100, 2], activation="tanh", rng=0)
    model, twin = make(), make()
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(3, 120)), np.array([0, 1, 1])
    optimizer, other = nn.Adam(model.parameters(), lr=0.01), nn.Adam(twin.parameters(), lr=0.01)
    step = nn.train_step(model, nn.cross_entropy, optimizer)
    for _ in range(3):
        loss = nn.cross_entropy([twin(x) for x in X], Y)
        other.zero_grad()
        loss.backward()
        other.step()
        assert step(X, Y) == pytest.approx(loss.data, rel=1e-12)
    assert "x @ W1 + b1" in step.source
    wanted = [p.data for p in twin.parameters()]
    np.testing.assert_allclose([p.data for p in model.parameters()], wanted, rtol=1e-9, atol=1e-12)
    kept, other_kept = optimizer.state_dict(), other.state_dict()
    np.testing.assert_allclose(kept["m"], other_kept["m"], rtol=1e-9, atol=1e-12)
    model.layers[0].neurons[3].b = None  # a layer may lack some biases, or have frozen weights
    model.layers[0].neurons[2].w[1].requires_grad = False
    again = nn.train_step(model, nn.cross_entropy, nn.SGD(model.parameters(), lr=0.1))
    assert again(X, Y) > again(X, Y)
