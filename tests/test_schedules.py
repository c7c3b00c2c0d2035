"""Schedules against their closed forms, and against PyTorch's."""

import itertools
import json
import math
import warnings
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from nn import schedules

METRICS = [1.0, 0.9, 0.95, 0.9, 0.89995, 0.7, 0.8, math.nan, 0.8, 0.8, 0.75, 0.7, 0.71, 0.6, 0.6, 0.6] * 3


def optimizer(lr=0.8):
    return nn.SGD([Value(1.0)], lr=lr)


def cosine(a, b, share):
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(n, total, share, path, start, top, end):
    turn = share * total - 1
    if n <= turn:
        return path(start, top, n / turn)
    return path(top, end, min((n - turn) / (total - 1 - turn), 1.0))


def straight(a, b, share):
    return a * (1 - share) + b * share


CASES: dict[str, Any] = {  # name: (the schedule of an optimiser with lr 0.8, its formula, PyTorch's name, arguments)
    "step": (lambda o: schedules.Step(o, 4), lambda n: 0.8 * 0.1 ** (n // 4), "StepLR", {"step_size": 4}),
    "step of a half": (
        lambda o: schedules.Step(o, step_size=7, gamma=0.5), lambda n: 0.8 * 0.5 ** (n // 7), "StepLR",
        {"step_size": 7, "gamma": 0.5}),
    "exponential": (lambda o: schedules.Exponential(o, 0.9), lambda n: 0.8 * 0.9**n, "ExponentialLR", {"gamma": 0.9}),
    "cosine": (lambda o: schedules.Cosine(o, 30), lambda n: cosine(0.8, 0, n / 30), "CosineAnnealingLR", {"T_max": 30}),
    "cosine and back": (
        lambda o: schedules.Cosine(o, T_max=8, eta_min=0.1), lambda n: cosine(0.8, 0.1, n / 8), "CosineAnnealingLR",
        {"T_max": 8, "eta_min": 0.1}),
    "warmup": (
        lambda o: schedules.Warmup(o), lambda n: 0.8 * straight(1 / 3, 1, min(n / 5, 1)), "LinearLR", {}),
    "longer warmup": (
        lambda o: schedules.Warmup(o, 20, start_factor=0.1), lambda n: 0.8 * straight(0.1, 1, min(n / 20, 1)),
        "LinearLR", {"total_iters": 20, "start_factor": 0.1}),
    "one cycle": (
        lambda o: schedules.OneCycle(o, 0.5, 31), lambda n: one_cycle(n, 31, 0.3, cosine, 0.02, 0.5, 2e-6),
        "OneCycleLR", {"max_lr": 0.5, "total_steps": 31}),
    "one cycle of lines": (
        lambda o: schedules.OneCycle(o, 0.5, 40, pct_start=0.2, anneal_strategy="linear", div_factor=5.0,
                                     final_div_factor=10.0),
        lambda n: one_cycle(n, 40, 0.2, straight, 0.1, 0.5, 0.01), "OneCycleLR",
        {"max_lr": 0.5, "total_steps": 40, "pct_start": 0.2, "anneal_strategy": "linear", "div_factor": 5.0,
         "final_div_factor": 10.0}),
}  # fmt: skip
PLATEAUS: list[dict[str, Any]] = [
    {"mode": mode, "threshold_mode": relative, "factor": 0.5, "patience": patience, "cooldown": cooldown}
    for mode, relative, patience, cooldown in itertools.product(
        ("min", "max"), ("rel", "abs"), (0, 2), (0, 3)
    )
] + [{}, {"patience": 1, "threshold": 0.1, "min_lr": 0.05}, {"patience": 0, "factor": 0.01, "eps": 1e-3}]


def path_of(schedule, steps=30, *more):
    found = [schedule.optimizer.lr]
    for i in range(steps):
        schedule.step(*(m[i] for m in more))
        found.append(schedule.optimizer.lr)
    return found


@pytest.mark.parametrize("case", CASES)
def test_closed_forms(case):
    make, formula, _, _ = CASES[case]
    schedule = make(optimizer())
    found = path_of(schedule, 45)
    assert found == pytest.approx([formula(n) for n in range(46)], rel=1e-13, abs=1e-15)
    assert {*map(type, found)} == {float}
    assert found == [schedule.at(n) for n in range(46)]


def torch_path(name, arguments, metrics=None):
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8, momentum=0.9)
    schedule = getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    found = [theirs.param_groups[0]["lr"]]
    for i in range(30):
        theirs.step()
        schedule.step(*([] if metrics is None else [metrics[i]]))
        found.append(theirs.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("case", CASES)
def test_against_pytorch(case):
    make, _, name, arguments = CASES[case]
    assert path_of(make(optimizer())) == pytest.approx(torch_path(name, arguments), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("options", PLATEAUS)
def test_plateau_against_pytorch(options):
    expected = torch_path("ReduceLROnPlateau", options, METRICS)
    schedule = schedules.Plateau(optimizer(), **options)
    assert path_of(schedule, 30, METRICS) == pytest.approx(expected, rel=1e-12)


def test_plateau():
    """By hand: patience 1, then two calls that are not counted."""
    schedule = schedules.Plateau(optimizer(), factor=0.5, patience=1, cooldown=2)
    metrics = [Value(1.0), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, np.float64(0.5), 0.5]
    assert path_of(schedule, 9, metrics) == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2]
    upwards = schedules.Plateau(optimizer(), "max", factor=0.5, patience=0, threshold=0.5)
    assert path_of(upwards, 4, [1.0, 1.4, 1.6, 3.0]) == [0.8, 0.8, 0.4, 0.4, 0.4]
    for mode, threshold_mode, bound in (
        ("min", "rel", 1.0),
        ("min", "abs", 1.5),
        ("max", "rel", 3.0),
        ("max", "abs", 2.5),
    ):
        options: Any = {
            "mode": mode,
            "threshold_mode": threshold_mode,
            "threshold": 0.5,
            "factor": 0.5,
            "patience": 0,
        }
        beyond = bound + (1e-9 if mode == "max" else -1e-9)
        assert path_of(schedules.Plateau(optimizer(), **options), 2, [2.0, beyond]) == [0.8, 0.8, 0.8]
        assert path_of(schedules.Plateau(optimizer(), **options), 2, [2.0, bound]) == [0.8, 0.8, 0.4]
    lowest = schedules.Plateau(optimizer(), factor=0.5, patience=0, min_lr=0.3)
    assert path_of(lowest, 4, [1.0] * 4) == [0.8, 0.8, 0.4, 0.3, 0.3]


@pytest.mark.parametrize("case", [name for name in CASES if "warmup" not in name])
def test_what_comes_after_the_warmup(case):
    make, formula, _, _ = CASES[case]
    o = optimizer()
    schedule = schedules.Warmup(o, 4, 0.5, after=make(o))
    first = formula(0)
    expected = [first * straight(0.5, 1.0, n / 4) for n in range(4)] + [formula(n) for n in range(27)]
    assert path_of(schedule) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_warmup_and_then_against_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    rates = torch.optim.lr_scheduler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [rates.LinearLR(theirs, total_iters=5), rates.CosineAnnealingLR(theirs, 25)]
        both, expected = rates.SequentialLR(theirs, parts, milestones=[5]), []
        for _ in range(30):
            expected.append(theirs.param_groups[0]["lr"])
            theirs.step()
            both.step()
    o = optimizer()
    schedule = schedules.Warmup(o, after=schedules.Cosine(o, 25))
    assert path_of(schedule)[:30] == pytest.approx(expected, rel=1e-12)


MAKERS = {name: case[0] for name, case in CASES.items()}
MAKERS["warmup, then"] = lambda o: schedules.Warmup(o, 4, after=schedules.Cosine(o, 9))
MAKERS["plateau"] = lambda o: schedules.Plateau(o, patience=1)


@pytest.mark.parametrize("case", MAKERS)
def test_what_is_saved_resumes(case):
    more = [METRICS] if case == "plateau" else []
    rest = [METRICS[7:]] if more else []
    schedule = MAKERS[case](optimizer())
    path_of(schedule, 7, *more)
    state = schedule.state_dict()
    twin = MAKERS[case](optimizer(0.123))
    twin.load_state_dict(json.loads(json.dumps(state)))
    assert twin.optimizer.lr == schedule.optimizer.lr
    assert twin.state_dict() == state
    assert path_of(twin, 12, *rest) == path_of(schedule, 12, *rest)
    arrays = {name: np.array(x) for name, x in state.items()}
    twin.load_state_dict(arrays)
    assert twin.state_dict() == state


def test_in_compiled_steps():
    """The lr is taken up at each step."""
    w = Value(0.0)
    sgd = nn.SGD([w], lr=1.0)
    step = nn.train_step(lambda x: w * x, lambda y, t: y, sgd)
    schedule = schedules.Exponential(sgd, 0.5)
    for _ in range(4):
        step(np.ones(3), np.zeros(3))
        schedule.step()
    assert w.data == -1.875


of: Any = schedules


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o: of.Step(3, 1), TypeError, "Step needs an Optimizer, such as nn.SGD. Received: int"),
        (lambda o: of.Step(o, 0), ValueError, "Step needs step_size to be at least 1. Received: step_size=0"),
        (lambda o: of.Step(o, 1.5), TypeError, "Step needs an int as step_size"),
        (lambda o: of.Exponential(o, 0.0), ValueError, "Exponential needs gamma to be finite and above 0"),
        (lambda o: of.Cosine(o, 3, -1.0), ValueError, "eta_min to be finite and at least 0. Received: eta_min=-1"),
        (lambda o: of.Warmup(o, start_factor=math.nan), ValueError, "Received: start_factor=nan"),
        (lambda o: of.Warmup(o, after=of.Plateau(o)), TypeError, "goes by n alone.* Received: Plateau"),
        (lambda o: of.Warmup(o, after=of.Cosine(optimizer(), 3)), ValueError, "for the same optimizer"),
        (lambda o: of.OneCycle(o, 1.0, 3), ValueError, "Received: pct_start=0.3, total_steps=3"),
        (lambda o: of.OneCycle(o, 1.0, 30, 1.0), ValueError, "pct_start below 1"),
        (lambda o: of.OneCycle(o, 1.0, 30, anneal_strategy="x"), ValueError, "Received: anneal_strategy='x'"),
        (lambda o: of.OneCycle(o, 1.0, 30, div_factor=0.0), ValueError, "div_factor to be finite and above 0"),
        (lambda o: of.Plateau(o, "best"), ValueError, "Received: mode='best', threshold_mode='rel'"),
        (lambda o: of.Plateau(o, factor=1.0), ValueError, "Plateau needs factor below 1. Received: factor=1"),
        (lambda o: of.Plateau(o, patience=-1), ValueError, "an int of at least 0. Received: patience=-1"),
        (lambda o: of.Plateau(o).step(), TypeError, r"step\(metric\). Received: none"),
        (lambda o: of.Schedule(o).step(), NotImplementedError, r"Schedule needs a method at\(n\)"),
        (
            lambda o: of.Step(o, 2).load_state_dict(of.Exponential(o, 0.5).state_dict()),
            ValueError,
            r"Step needs a state of Step with \['base', 'gamma', .* Received: Exponential with",
        ),
        (lambda o: of.Warmup(o).load_state_dict(of.Warmup(o, after=of.Step(o, 2)).state_dict()), ValueError, "after.n"),
        (lambda o: of.Step(o, 2).load_state_dict({}), ValueError, r"Received: None with \[\]"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    o = optimizer()
    with pytest.raises(error, match=message):
        call(o)
