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

GRADIENTS = [1.0, -2.0, 0.5, 0.5, 3.0, 0.0, -1.0]
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


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", o) for o in SGD_OPTIONS] + [("Adam", o) for o in ADAM_OPTIONS]
)
def test_against_pytorch(name, options):
    torch = pytest.importorskip("torch")
    p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    optimizer, expected = getattr(torch.optim, name)([p], **options), []
    for g in GRADIENTS:
        optimizer.zero_grad()
        (p * g).backward()
        optimizer.step()
        expected.append(p.item())
    assert run(getattr(nn, name), options) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize(
    ("name", "options"), [("SGD", o) for o in SGD_OPTIONS] + [("Adam", o) for o in ADAM_OPTIONS]
)
def test_all_parameters_at_once(name, options, size, dtype):
    """The same formulas on arrays, also where eager steps come between."""
    draw = np.random.default_rng(0)
    ps = tuple(Value(x) for x in draw.normal(size=size).astype(dtype))
    array = np.array([p.data for p in ps], dtype)
    one, other = (getattr(nn, name)(ps, **options) for _ in range(2))
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
            one.move(ps, array, gradients.copy())
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


@pytest.mark.parametrize("kind", [nn.SGD, nn.Adam])
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
        (lambda: nn.SGD([Value(1.0)], lr="fast"), TypeError, "Received: str"),
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
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
