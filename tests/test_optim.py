"""Optimisers against PyTorch's formulas: closed forms, a reference loop, and PyTorch itself where it is installed."""

# mypy: disable-error-code="arg-type, list-item, assignment"

import copy
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from autograd.value import NO_GRADIENT
from nn import optim

from .test_compile import Twins, eager_step, mlp, normal

GRADIENTS = [1.0, -2.0, 0.5, 0.5, 3.0, 0.0, -1.0, -0.05]
SGD_OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
    for momentum, nesterov, decay in itertools.product((0.0, 0.9), (False, True), (0.0, 0.1))
    if momentum or not nesterov
]
ADAM_OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.1},
    {"lr": 0.01, "betas": (0.5, 0.9), "eps": 0.1},
    {"lr": 0.1, "weight_decay": 0.3},
]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": SGD_OPTIONS,
    "Adam": ADAM_OPTIONS,
    "AdamW": [*ADAM_OPTIONS, {"lr": 0.1, "weight_decay": 0.0}],
    "Adagrad": [{}, {"lr": 0.1, "eps": 0.1, "weight_decay": 0.3}],
    "RMSprop": [
        {"lr": 0.1, "momentum": momentum, "centered": centered, "weight_decay": decay, "alpha": 0.9}
        for momentum, centered, decay in itertools.product((0.0, 0.8), (False, True), (0.0, 0.3))
    ],
    "Lion": [{}, {"lr": 0.1, "betas": (0.5, 0.8), "weight_decay": 0.3}],
}
OPTIONS["RMSprop"].append({"eps": 0.1})
ALL = [(name, options) for name, every in OPTIONS.items() for options in every]
KINDS = [getattr(optim, name) for name in OPTIONS]


def run(kind, options, start=2.0):
    p = Value(start)
    optimizer, path = kind([p], **options), []
    for g in GRADIENTS:
        optimizer.zero_grad()
        (p * g).backward()
        optimizer.step()
        path.append(p.data)
    return path


@pytest.mark.parametrize("options", SGD_OPTIONS)
def test_sgd(options):
    lr, mu, nesterov, decay = options.values()
    p, v, expected = 2.0, None, []
    for g in GRADIENTS:
        g = g + decay * p
        if mu:
            v = g if v is None else mu * v + g
            g = g + mu * v if nesterov else v
        p = p - lr * g
        expected.append(p)
    assert run(nn.SGD, options) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("options", ADAM_OPTIONS)
def test_adam(options):
    """Means as sums over all steps: m_t = (1 - b1) sum of b1^(t-s) g_s."""
    options = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, **options}
    (b1, b2), p, seen, expected = options["betas"], 2.0, [], []
    for t, g in enumerate(GRADIENTS, 1):
        seen.append(g + options["weight_decay"] * p)
        m = sum((1 - b1) * b1 ** (t - s) * g for s, g in enumerate(seen, 1)) / (1 - b1**t)
        v = sum((1 - b2) * b2 ** (t - s) * g * g for s, g in enumerate(seen, 1)) / (1 - b2**t)
        p -= options["lr"] * m / (math.sqrt(v) + options["eps"])
        expected.append(p)
    assert run(nn.Adam, options) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS["AdamW"])
def test_adamw(options):
    """Adam's steps, for the gradients of `run` do not depend on p, and the decay beside them."""
    options = {"weight_decay": 0.01, **options}
    steps = np.diff([2.0, *run(nn.Adam, {**options, "weight_decay": 0.0})])
    p, expected = 2.0, []
    for step in steps:
        p = p * (1 - options["lr"] * options["weight_decay"]) + step
        expected.append(p)
    assert run(optim.AdamW, options) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("options", OPTIONS["Adagrad"])
def test_adagrad(options):
    options = {"lr": 0.01, "eps": 1e-10, "weight_decay": 0.0, **options}
    p, seen, expected = 2.0, [], []
    for g in GRADIENTS:
        seen.append(g + options["weight_decay"] * p)
        p -= options["lr"] * seen[-1] / (math.hypot(*seen) + options["eps"])
        expected.append(p)
    assert run(optim.Adagrad, options) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("options", OPTIONS["RMSprop"])
def test_rmsprop(options):
    """The variance as a weighted sum over all steps."""
    defaults = {
        "lr": 0.01,
        "alpha": 0.99,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "momentum": 0.0,
        "centered": False,
    }
    lr, alpha, eps, decay, momentum, centered = {**defaults, **options}.values()
    p, b, seen, expected = 2.0, 0.0, [], []
    for g in GRADIENTS:
        seen.append(g + decay * p)
        weights = [(1 - alpha) * alpha**k for k in range(len(seen))][::-1]
        v, m = np.dot(weights, np.square(seen)), np.dot(weights, seen)
        b = momentum * b + seen[-1] / (math.sqrt(v - m * m * centered) + eps)
        p -= lr * b
        expected.append(p)
    assert run(optim.RMSprop, options) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS["Lion"])
def test_lion(options):
    """Algorithm 2 of the paper."""
    lr, (b1, b2), decay = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0, **options}.values()
    p, m, expected = 2.0, 0.0, []
    for g in GRADIENTS:
        p -= lr * (np.sign(b1 * m + (1 - b1) * g) + decay * p)
        m = b2 * m + (1 - b2) * g
        expected.append(p)
    assert run(optim.Lion, options) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options in ALL if name != "Lion"])
def test_against_pytorch(name, options):
    torch = pytest.importorskip("torch")
    p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    optimizer, expected = getattr(torch.optim, name)([p], **options), []
    for g in GRADIENTS:
        optimizer.zero_grad()
        (p * g).backward()
        optimizer.step()
        expected.append(p.item())
    assert run(getattr(optim, name), options) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize(("name", "options"), ALL)
def test_all_parameters_at_once(name, options, size, dtype):
    """The same formulas on arrays, also where eager steps come between."""
    draw = np.random.default_rng(0)
    ps = tuple(Value(x) for x in draw.normal(size=size).astype(dtype))
    array = np.array([p.data for p in ps], dtype)
    one, other = (getattr(optim, name)(ps, **options) for _ in range(2))
    assert one.takes_arrays()
    for t in range(10):
        gradients = draw.normal(size=size).astype(dtype) * 10.0 ** (t % 3)
        kept = gradients.copy()
        for p, g in zip(ps, gradients.tolist(), strict=True):
            p.grad = g
        if t in (3, 4, 7):
            before = [p.data for p in ps]
            one.step()
            array[:] = [p.data for p in ps]
            for p, number in zip(ps, before, strict=True):
                p.data = number
        else:
            one.move(ps, array, gradients if name != "SGD" else gradients.copy())  # may use up g
        other.step()
        assert array.dtype == dtype
        assert array == pytest.approx([p.data for p in ps], rel=1e-12 if dtype is float else 1e-4)
        for p, number in zip(ps, array.tolist(), strict=True):
            p.data = number
        assert gradients.tolist() == kept.tolist()


def test_whose_formulas_take_arrays():
    class Plain(nn.SGD):
        pass

    class OwnUpdate(nn.SGD):
        def update(self, p, g):
            return super().update(p, g)

    class OwnStep(nn.Adam):
        def step(self):
            super().step()

    kinds: list[Any] = [nn.SGD, nn.Adam, Plain, OwnUpdate, OwnStep, nn.Optimizer]
    assert [kind([Value(1.0)], lr=0.1).takes_arrays() for kind in kinds] == [True] * 3 + [False] * 3
    assert all(kind([Value(1.0)]).takes_arrays() for kind in KINDS)


def test_closed_forms():
    """On x^2 / 2, SGD is x (1 - lr)^t; with a constant gradient, Adam moves by lr, and momentum's speed has a limit."""
    x = Value(1.0)
    optimizer = nn.SGD([x], lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        (x * x / 2).backward()
        optimizer.step()
    assert x.data == pytest.approx(0.9**10)
    for kind, options, step in (
        (nn.Adam, {"lr": 0.01, "eps": 0.0}, 0.01),
        (nn.SGD, {"lr": 0.01, "momentum": 0.5}, 0.1),
    ):
        x = Value(0.0)
        optimizer = kind([x], **options)
        for _ in range(60):
            x.grad, before = 5.0, x.data
            optimizer.step()
        assert before - x.data == pytest.approx(step)


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_gradient_reached_and_what_is_frozen_stays(kind):
    reached, unreached, frozen = Value(1.0), Value(1.0), Value(1.0)
    optimizer = kind([reached, unreached, frozen], lr=0.1, weight_decay=0.5)
    frozen.requires_grad = False
    (reached * 3.0 + frozen).backward()
    optimizer.step()
    assert reached.data < 1.0
    assert unreached.data == frozen.data == 1.0
    optimizer.zero_grad()
    before = reached.data
    optimizer.step()
    assert reached.data == before


def test_a_parameter_listed_twice_moves_once():
    x = Value(1.0)
    optimizer = nn.SGD([x, x], lr=0.1)
    x.grad = 1.0
    optimizer.step()
    assert x.data == 0.9


def test_a_recorded_gradient_leaves_plain_numbers():
    x = Value(2.0)
    (x * x).backward(create_graph=True)
    nn.Adam([x], lr=0.5).step()
    assert type(x.data) is float
    assert x.data == pytest.approx(1.5)


def test_the_rate_may_change_between_steps_and_state_survives_copies():
    x = Value(0.0)
    optimizer = nn.SGD([x], lr=0.1, momentum=0.9)
    x.grad = 1.0
    optimizer.step()
    optimizer.lr = 1.0
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin.step()
        assert twin.parameters[0].data == pytest.approx(-0.1 - 1.9)
    assert x.data == -0.1


def test_learning():
    """The two inputs' exclusive or, as in the README."""
    X, Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]
    for kind, options in ((nn.SGD, {"lr": 0.5, "momentum": 0.9}), (nn.Adam, {"lr": 0.1})):
        model = nn.MLP(2, [4, 1], activation="tanh", rng=0)
        optimizer = kind(model.parameters(), **options)
        for _ in range(150):
            loss = nn.mse([model(x) for x in X], Y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.data < 0.01


# Within train_step, clipped, saved -----------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.3}, {"clip_value": 0.1}], ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_eager_and_compiled_steps_in_turn(name, clip):
    """With one optimiser, which remembers the steps of both."""
    twins = Twins(
        mlp(2, 4, 1), nn.mse, lambda ps: getattr(optim, name)(ps, lr=0.02, weight_decay=0.1, **clip)
    )
    for i in range(10):
        X, Y = normal(5, 2, seed=i), normal(5, seed=i)
        if i % 4 < 2:
            twins.train(X, Y)
        else:
            for model, optimizer in zip(twins.models, twins.optimizers, strict=True):
                eager_step(model, nn.mse, optimizer, X, Y)
            twins.agree()


@pytest.mark.parametrize("name", OPTIONS)
def test_freezing_and_the_rate_between_compiled_steps(name):
    twins = Twins(mlp(2, 4, 1), nn.mse, lambda ps: getattr(optim, name)(ps, lr=0.02, weight_decay=0.1))

    def change(i):
        def changed(model, optimizer):
            optimizer.lr = 0.02 / (1 + i)
            for p in model.parameters()[:5]:
                p.requires_grad = i not in (3, 4)

        return changed

    for i in range(8):
        twins.change(change(i))
        twins.train(normal(5, 2, seed=i), normal(5, seed=i))


def torch_clipped(torch, clip, start, gradients, decay):
    ps = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start]
    optimizer = torch.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=decay)
    for row in gradients:
        for p, g in zip(ps, row, strict=True):
            p.grad = torch.tensor(g, dtype=torch.float64)
        clip(ps)
        optimizer.step()
    return [p.item() for p in ps]


def test_clipping_against_pytorch():
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    start, gradients = draw.normal(size=4), draw.normal(size=(5, 4)) * [[0.1], [10.0], [1.0], [0.0], [100.0]]
    clips = torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_
    for options, theirs in (({"clip_norm": 1.5}, clips[0]), ({"clip_value": 0.5}, clips[1])):
        (limit,) = options.values()
        expected = torch_clipped(torch, lambda ps: theirs(ps, limit), start, gradients, 0.1)  # noqa: B023
        ps = [Value(x) for x in start]
        optimizer = nn.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1, **options)
        for row in gradients:
            for p, g in zip(ps, row.tolist(), strict=True):
                p.grad = g
            optimizer.step()
            assert [p.grad for p in ps] == row.tolist()
        assert [p.data for p in ps] == pytest.approx(expected, rel=1e-12)
    for kind in (0.5, 1.0, 2.0, 3.0, math.inf):
        for row in gradients:
            ps, theirs = [Value(x) for x in start], [torch.tensor(x, requires_grad=True) for x in start]
            for p, t, g in zip(ps, theirs, row.tolist(), strict=True):
                p.grad, t.grad = g, torch.tensor(g, dtype=torch.float64)
            norm = optim.clip_grad_norm(ps, 1.5, kind)
            assert norm == pytest.approx(clips[0](theirs, 1.5, kind).item(), rel=1e-12)
            assert [p.grad for p in ps] == pytest.approx([t.grad.item() for t in theirs], rel=1e-12)


def gradients_of(*gradients):
    ps = [Value(1.0) for _ in gradients]
    for p, g in zip(ps, gradients, strict=True):
        p.grad = g
    return ps


def test_clipping():
    ps = gradients_of(3.0, -4.0, NO_GRADIENT)
    assert optim.clip_grad_norm(ps, 10.0) == 5.0
    assert [p.grad for p in ps[:2]] == [3.0, -4.0]
    assert optim.clip_grad_norm(iter(ps), 2.5) == 5.0
    assert [p.grad for p in ps[:2]] == pytest.approx([1.5, -2.0], rel=1e-6)
    assert ps[2].grad is NO_GRADIENT
    assert {type(p.grad) for p in ps[:2]} == {float}
    assert optim.clip_grad_norm(gradients_of(3.0, -4.0), 1.0, math.inf) == 4.0
    assert optim.clip_grad_norm(gradients_of(1e200, 0.0), 1.0) == math.inf
    assert optim.clip_grad_norm([Value(1.0)], 1.0) == 0.0
    ps = gradients_of(math.nan, 1.0)
    assert math.isnan(optim.clip_grad_norm(ps, 1.0))
    assert math.isnan(ps[1].grad)
    ps = gradients_of(3.0, -4.0, 0.25, math.nan)
    optim.clip_grad_value(ps, 0.5)
    assert [p.grad for p in ps[:3]] == [0.5, -0.5, 0.25]
    assert math.isnan(ps[3].grad)
    model = nn.MLP(2, [2, 1], rng=0)
    (model([1.0, 2.0]) * 100.0).backward()
    assert optim.clip_grad_norm(model, 1.0) > 1.0
    assert optim.clip_grad_norm(model, 1.0) == pytest.approx(1.0, rel=1e-6)


def test_all_of_one_optimiser_are_clipped_together_and_its_own_formula_too():
    class Plain(nn.Optimizer):
        def update(self, p, g):
            return self.lr * g

    for kind in (Plain, nn.SGD):
        ps = gradients_of(3.0, 4.0)
        kind(ps, lr=1.0, clip_norm=1.0).step()
        assert [1.0 - p.data for p in ps] == pytest.approx([0.6, 0.8], rel=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("name", "options", "alone"), [(*one, None) for one in ALL] + [(name, {}, "alone") for name in OPTIONS]
)
def test_what_is_saved_resumes_to_the_last_bit(name, options, alone, dtype):
    """And saving disturbs nothing: one run saves, another does not. A parameter that is alone is an array too."""
    kind = getattr(optim, name)

    def state_after(steps, resume=None):
        nin = 2 if alone is None else 1
        model = mlp(2, 3, 1) if alone is None else nn.Neuron(1, activation="tanh", bias=False, rng=0)
        ps = model.parameters()
        optimizer = kind(ps, **options)
        for i in range(steps):
            if i == resume:
                saved = optimizer.state_dict()
                kept = exact(saved)
                optimizer = kind(ps)
                optimizer.load_state_dict(saved)
            if i in (0, resume):
                step = nn.train_step(model, nn.mse, optimizer, dtype=dtype)
            X, Y = normal(4, nin, seed=i), normal(4, seed=i)
            if i == 7:
                eager_step(model, nn.mse, optimizer, X, Y)
            else:
                step(X, Y)
        if resume:
            assert exact(saved) == kept
        return [p.data for p in ps], exact(optimizer.state_dict())

    numbers, state = state_after(10)
    for resume in (1, 4, 8):
        assert state_after(10, resume) == (numbers, state)


def exact(state):
    return {name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in state.items()}


def test_what_a_state_contains():
    ps = [Value(1.0), Value(2.0), Value(3.0)]
    optimizer = optim.AdamW(ps, lr=0.1, clip_norm=4.0)
    ps[2].grad = 2.0
    optimizer.step()
    state = optimizer.state_dict()
    arrays = {name: x for name, x in state.items() if isinstance(x, np.ndarray)}
    assert {name: x.tolist() for name, x in arrays.items()} == {
        "m": [0.0, 0.0, 2.0], "v": [0.0, 0.0, 4.0], "a": [0.0, 0.0, 1.0], "b": [0.0, 0.0, 1.0],
        "reached": [False, False, True],
    }  # fmt: skip
    assert {x.dtype for name, x in arrays.items() if name != "reached"} == {np.dtype(float)}
    assert arrays["reached"].dtype == bool
    assert {name: x for name, x in state.items() if name not in arrays} == {
        "optimizer": "AdamW", "lr": 0.1, "weight_decay": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "clip_norm": 4.0,
    }  # fmt: skip
    twin = optim.AdamW([Value(0.0) for _ in ps], clip_value=1.0)
    twin.load_state_dict({name: np.array(x) for name, x in state.items()})  # as they come from a file
    assert exact(twin.state_dict()) == exact(state)
    assert (twin.clip_value, type(twin.lr), twin.betas) == (None, float, (0.9, 0.999))
    assert len(twin.state) == 1


def test_a_state_that_does_not_fit_changes_nothing():
    ps = gradients_of(1.0, 2.0)
    optimizer = nn.Adam(ps, lr=0.25)
    optimizer.step()
    state = optimizer.state_dict()
    without = {name: x for name, x in state.items() if name != "m"}
    shorter = nn.Adam(ps[:1]).state_dict()
    for wrong, message in (
        (optim.AdamW(ps).state_dict(), r"optimizer: Adam\. Received: optimizer: AdamW"),
        (nn.SGD(ps).state_dict(), r"betas: \(2,\), eps: \(\), m: .* Received: .*momentum: \(\), "),
        (without, r"Adam needs a state with \(names and shapes\) m: \(2,\)\. Received: m: none"),
        (shorter, r"m: \(2,\), reached: \(2,\), v: \(2,\)\. Received: .*m: \(1,\)"),
        ({**state, "lr": -1.0}, "lr to be finite and at least 0. Received: lr=-1"),
        ({**state, "m": ["x", "y"]}, "could not convert"),
        ({}, "Received: .*optimizer: None"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(wrong)
        assert exact(optimizer.state_dict()) == exact(state)


def test_an_own_optimiser_names_what_it_remembers():
    class Nameless(nn.Optimizer):
        def update(self, p, g):
            self.state[p] = g
            return self.lr * g

    class Named(Nameless):
        settings, slots = ("power",), ("last",)
        power = 2.0

    optimizers = [kind(gradients_of(3.0), lr=0.1) for kind in (Nameless, Named)]
    for optimizer in optimizers:
        optimizer.step()
    with pytest.raises(ValueError, match=r"Nameless needs `slots`, names .* Received: none"):
        optimizers[0].state_dict()
    state = optimizers[1].state_dict()
    assert (state["last"].tolist(), state["power"]) == ([3.0], 2.0)
    twin = Named([Value(1.0)], lr=0.5)
    twin.load_state_dict(state)
    assert [*twin.state.values()] == [3.0]
    plain = nn.Optimizer([Value(1.0)], lr=0.5)
    plain.load_state_dict(nn.Optimizer([Value(1.0)], lr=0.25).state_dict())
    assert plain.lr == 0.25


def test_a_constant_gradient_leaves_no_square_root_of_less_than_0():
    """Its variance is 0 but for rounding."""
    p = Value(1.0)
    optimizer = optim.RMSprop([p], alpha=0.1, centered=True, eps=1e-3)
    for _ in range(100):
        p.grad = 0.1
        optimizer.step()
    assert math.isfinite(p.data)
    assert type(p.data) is float


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_at_the_edges(kind, clip):
    """Without eps a gradient of 0 is 0 / 0, as in PyTorch; what is not finite stays so; no Python exception."""
    for g in (0.0, math.inf, math.nan, 1e200):
        p, q = gradients_of(g, 1.0)
        optimizer = kind([p, q], **clip)
        if hasattr(optimizer, "eps"):
            optimizer.eps = 0.0
        optimizer.step()
        assert type(p.data) is float
        if "clip_norm" not in clip:  # otherwise what is not finite concerns all
            assert math.isfinite(q.data)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.SGD([], lr=0.1), ValueError, "SGD needs at least one parameter. Received: none"),
        (lambda: nn.Adam(nn.Neuron(1)), TypeError, r"such as model.parameters\(\). Received: Neuron"),
        (lambda: nn.SGD(Value(1.0), lr=0.1), TypeError, "needs a list of Values.* Received: Value"),
        (lambda: nn.SGD([1.0], lr=0.1), TypeError, "parameters that are Values. Received: float"),
        (
            lambda: nn.SGD([Value(1.0) + 1.0], lr=0.1),
            ValueError,
            "that are leaves. Received: the result of '\\+'",
        ),
        (lambda: nn.SGD([Value(1.0)], lr=-0.1), ValueError, "SGD needs lr to be .* Received: lr=-0.1"),
        (lambda: nn.SGD([Value(1.0)], lr=math.nan), ValueError, "Received: lr=nan"),
        (lambda: nn.SGD([Value(1.0)], lr="fast"), TypeError, r"SGD needs a number as lr. Received: 'fast'"),
        (
            lambda: nn.SGD([Value(1.0)], lr=0.1, momentum=-1),
            ValueError,
            "momentum to be .* Received: momentum=-1",
        ),
        (lambda: nn.SGD([Value(1.0)], lr=0.1, nesterov=True), ValueError, "a momentum above 0 for nesterov"),
        (
            lambda: nn.Adam([Value(1.0)], betas=(0.9, 1.0)),
            ValueError,
            r"betas\[1\] to be in \[0, 1\). Received",
        ),
        (lambda: nn.Adam([Value(1.0)], betas=0.9), ValueError, "Adam needs two betas. Received: betas=0.9"),
        (lambda: nn.Adam([Value(1.0)], eps=-1.0), ValueError, "Adam needs eps to be"),
        (lambda: nn.Adam([Value(1.0)], weight_decay=-1.0), ValueError, "Adam needs weight_decay to be"),
        (
            lambda: optim.AdamW([Value(1.0)], betas=0.9),
            ValueError,
            "AdamW needs two betas. Received: betas=0.9",
        ),
        (lambda: optim.Lion([Value(1.0)], betas=(1.0, 0.5)), ValueError, r"Lion needs betas\[0\] to be in"),
        (lambda: optim.RMSprop([Value(1.0)], alpha=-1.0), ValueError, "RMSprop needs alpha to be"),
        (lambda: optim.Adagrad([Value(1.0)], eps=-1.0), ValueError, "Adagrad needs eps to be"),
        (lambda: nn.SGD([Value(1.0)], clip_norm=-1.0), ValueError, "SGD needs clip_norm to be"),
        (
            lambda: nn.SGD([Value(1.0)], clip_norm=1.0, clip_value=2.0),
            ValueError,
            "SGD needs clip_norm or clip_value, not both. Received: 1 and 2",
        ),
        (lambda: nn.SGD([Value(1.0)], clip=1.0), TypeError, "unexpected keyword argument 'clip'"),
        (lambda: optim.clip_grad_norm([Value(1.0)], -1.0), ValueError, "clip_grad_norm needs max_norm to be"),
        (lambda: optim.clip_grad_norm([Value(1.0)], 1.0, 0.0), ValueError, "needs norm_type above 0"),
        (
            lambda: optim.clip_grad_norm(Value(1.0), 1.0),
            TypeError,
            "a Module or a list of Values. Received: Value",
        ),
        (lambda: optim.clip_grad_value([1.0], 1.0), TypeError, "parameters that are Values. Received: float"),
        (lambda: optim.clip_grad_value([Value(1.0)], math.nan), ValueError, "Received: clip_value=nan"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
