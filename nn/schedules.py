"""Schedules: how the learning rate goes on from step to step. Used as in PyTorch, and by its formulas:

    optimizer = nn.SGD(model.parameters(), lr=0.1)
    schedule = nn.schedules.Cosine(optimizer, T_max=100)
    for X, Y in batches:
        step(X, Y)  # or optimizer.step()
        schedule.step()

n counts the calls of `step`, base is the optimiser's lr when the schedule is made, which sets the first lr at once.
Each lr is computed from n alone, so that no rounding adds up; only `Plateau` looks at what has been reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autograd.value import Value

from .checks import among, nonnegative, one_line, positive, real, size
from .optim import Optimizer


class Schedule:
    """What all have in common. To make one of your own, write `at`: the lr after n steps.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> class Inverse(Schedule):
    ...     def at(self, n):
    ...         return self.base / (1.0 + n)
    >>> optimizer = SGD([Value(1.0)], lr=0.5)
    >>> schedule = Inverse(optimizer)
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__} needs an Optimizer, such as nn.SGD. Received: {type(optimizer).__name__}"
            )
        self.optimizer, self.base, self.n = optimizer, optimizer.lr, 0

    def at(self, n: int) -> float:
        """The lr after n steps."""
        raise NotImplementedError(f"{type(self).__name__} needs a method at(n)")

    def step(self) -> None:
        """After a step, or an epoch, of the optimiser: go on to the next lr."""
        self.n += 1
        self.optimizer.lr = self.at(self.n)

    def state_dict(self) -> dict[str, Any]:
        """Its name and its numbers: the settings, and how far it is."""
        numbers = {name: x for name, x in vars(self).items() if isinstance(x, (bool, int, float, str))}
        return {"schedule": type(self).__name__, **numbers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, whatever the optimiser's lr was meanwhile. ValueError, and nothing has
        changed, if it is that of another schedule."""
        ours = self.state_dict()
        if not isinstance(state, Mapping):
            raise TypeError(
                f"{type(self).__name__} needs a state, a dict of state_dict. Received: {type(state).__name__}"
            )
        if ours["schedule"] != str(state.get("schedule")) or ours.keys() != state.keys():
            raise ValueError(
                f"{type(self).__name__} needs a state of {ours['schedule']} with {sorted(ours)}."
                f" Received: {one_line(str(state.get('schedule')))} with {sorted(state)}"
            )
        ours.pop("schedule")
        try:
            self.set_state({name: type(now)(state[name]) for name, now in ours.items()})
            lr = nonnegative(type(self).__name__, "lr", self.now())
        except (TypeError, ValueError, ArithmeticError) as error:
            self.set_state(ours)
            raise ValueError(
                f"{type(self).__name__} needs a state that it has had. Received: {dict(state)}"
            ) from error
        self.optimizer.lr = lr

    def set_state(self, numbers: Mapping[str, Any]) -> None:
        vars(self).update(numbers)

    def now(self) -> float:
        return self.at(self.n)


class Step(Schedule):
    """base gamma^floor(n / step_size): a stair. PyTorch's `StepLR`.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], lr=0.8)
    >>> schedule = Step(optimizer, step_size=2, gamma=0.5)
    >>> [schedule.at(n) for n in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.step_size = size("Step", "step_size", step_size)
        self.gamma = positive("Step", "gamma", gamma)

    def at(self, n: int) -> float:
        return float(self.base * self.gamma ** (n // self.step_size))


class Exponential(Schedule):
    """base gamma^n. PyTorch's `ExponentialLR`.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> [Exponential(SGD([Value(1.0)], lr=0.8), gamma=0.5).at(n) for n in range(4)]
    [0.8, 0.4, 0.2, 0.1]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer)
        self.gamma = positive("Exponential", "gamma", gamma)

    def at(self, n: int) -> float:
        return float(self.base * self.gamma**n)


class Cosine(Schedule):
    """eta_min + (base - eta_min) (1 + cos(pi n / T_max)) / 2: from base down to eta_min in T_max steps, half a wave
    (Loshchilov & Hutter, 2017). After that it rises again, as PyTorch's `CosineAnnealingLR`; Keras' `CosineDecay`
    stays.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> [round(Cosine(SGD([Value(1.0)], lr=0.8), T_max=4).at(n), 4) for n in range(5)]
    [0.8, 0.6828, 0.4, 0.1172, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer)
        self.T_max = size("Cosine", "T_max", T_max)
        self.eta_min = nonnegative("Cosine", "eta_min", eta_min)

    def at(self, n: int) -> float:
        return between(self.base, self.eta_min, n / self.T_max)


class Warmup(Schedule):
    """A straight line from base start_factor up to base in total_iters steps; then base, or the schedule `after`, which
    begins there. PyTorch's `LinearLR`, and with `after` its `SequentialLR`.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], lr=0.8)
    >>> schedule = Warmup(optimizer, 2, start_factor=0.5, after=Exponential(optimizer, 0.5))
    >>> [round(schedule.at(n), 4) for n in range(5)]
    [0.4, 0.6, 0.8, 0.4, 0.2]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        start_factor: float = 1 / 3,
        *,
        after: Schedule | None = None,
    ) -> None:
        super().__init__(optimizer)
        if after is not None and (not isinstance(after, Schedule) or isinstance(after, (Plateau, Warmup))):
            raise TypeError(
                "Warmup needs a schedule after it that goes by n alone: no Plateau, no other Warmup."
                f" Received: {type(after).__name__}"
            )
        if after is not None and after.optimizer is not optimizer:
            raise ValueError("Warmup needs a schedule after it for the same optimizer. Received: another's")
        self.total_iters = size("Warmup", "total_iters", total_iters)
        self.start_factor = positive("Warmup", "start_factor", start_factor)
        self.after = after
        optimizer.lr = self.at(0)

    def at(self, n: int) -> float:
        if n >= self.total_iters and self.after is not None:
            return self.after.at(n - self.total_iters)
        base = self.base if self.after is None else self.after.at(0)
        rise = min(n / self.total_iters, 1.0)
        return base * (self.start_factor + (1.0 - self.start_factor) * rise)

    def state_dict(self) -> dict[str, Any]:
        later = {} if self.after is None else self.after.state_dict()
        return {**super().state_dict(), **{f"after.{name}": x for name, x in later.items()}}

    def set_state(self, numbers: Mapping[str, Any]) -> None:
        super().set_state({name: x for name, x in numbers.items() if not name.startswith("after.")})
        if self.after is not None:
            later = {name[6:]: x for name, x in numbers.items() if name.startswith("after.")}
            self.after.set_state({name: x for name, x in later.items() if name != "schedule"})


class OneCycle(Schedule):
    """Up from max_lr / div_factor to max_lr in the first pct_start of total_steps, and down to the start's
    1 / final_div_factor in the rest, where it stays (Smith & Topin, 2018); along half waves with anneal_strategy "cos",
    or along straight lines with "linear". PyTorch's `OneCycleLR` in two phases, without its momentum.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], lr=0.1)
    >>> schedule = OneCycle(optimizer, 0.8, 10, anneal_strategy="linear", div_factor=4.0)
    >>> [round(schedule.at(n), 3) for n in range(10)]
    [0.2, 0.5, 0.8, 0.686, 0.571, 0.457, 0.343, 0.229, 0.114, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        super().__init__(optimizer)
        self.max_lr = positive("OneCycle", "max_lr", max_lr)
        self.total_steps = size("OneCycle", "total_steps", total_steps)
        self.pct_start = real("OneCycle", "pct_start", pct_start)
        if not 1.0 < self.pct_start * self.total_steps < self.total_steps:
            raise ValueError(
                "OneCycle needs pct_start below 1, and pct_start total_steps above 1 so that there are steps to rise."
                f" Received: pct_start={self.pct_start:g}, total_steps={self.total_steps}"
            )
        if not among(anneal_strategy, ("cos", "linear")):
            raise ValueError(
                f"OneCycle needs anneal_strategy 'cos' or 'linear'. Received: anneal_strategy={anneal_strategy!r}"
            )
        self.anneal_strategy = anneal_strategy
        self.div_factor = positive("OneCycle", "div_factor", div_factor)
        self.final_div_factor = positive("OneCycle", "final_div_factor", final_div_factor)
        optimizer.lr = self.at(0)

    def at(self, n: int) -> float:
        start = self.max_lr / self.div_factor
        top, end = self.pct_start * self.total_steps - 1.0, self.total_steps - 1.0
        path = between if self.anneal_strategy == "cos" else line
        if n <= top:
            return path(start, self.max_lr, n / top)
        return path(self.max_lr, start / self.final_div_factor, min((n - top) / (end - top), 1.0))


class Plateau(Schedule):
    """lr times factor, but not below min_lr, once a metric has not become better for more than `patience` calls of
    `step(metric)`. PyTorch's `ReduceLROnPlateau`.

    `mode`: "min" or "max", what is better. Better is below best (1 - threshold), or above best (1 + threshold); with
    threshold_mode "abs" below best - threshold, or above best + threshold. After a reduction `cooldown` calls are
    not counted. A reduction by no more than eps is not made. nan is never better. Keras' waits one call less, and its
    threshold, min_delta, is "abs".

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], lr=0.8)
    >>> schedule = Plateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 0.5, 0.6, 0.6):
    ...     schedule.step(loss)
    >>> optimizer.lr
    0.4
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(optimizer)
        if not among(mode, ("min", "max")) or not among(threshold_mode, ("rel", "abs")):
            raise ValueError(
                "Plateau needs mode 'min' or 'max' and threshold_mode 'rel' or 'abs'."
                f" Received: mode={mode!r}, threshold_mode={threshold_mode!r}"
            )
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor = positive("Plateau", "factor", factor)
        if not self.factor < 1.0:
            raise ValueError(f"Plateau needs factor below 1. Received: factor={self.factor:g}")
        for name, calls in (("patience", patience), ("cooldown", cooldown)):
            if isinstance(calls, bool) or not isinstance(calls, int) or calls < 0:
                raise ValueError(f"Plateau needs {name} to be an int of at least 0. Received: {name}={calls}")
        self.patience, self.cooldown = patience, cooldown
        self.threshold = nonnegative("Plateau", "threshold", threshold)
        self.min_lr = nonnegative("Plateau", "min_lr", min_lr)
        self.eps = nonnegative("Plateau", "eps", eps)
        self.lr = optimizer.lr
        self.best = math.inf if mode == "min" else -math.inf
        self.bad = self.cooling = 0  # calls without a better metric; calls that are not counted yet

    def at(self, n: int) -> float:
        """The lr that it has set last: what follows depends on the metric, not on n."""
        return self.lr

    def step(self, metric: Any = None) -> None:
        """After each epoch, with what it has reached: a number or Value."""
        if metric is None:
            raise TypeError("Plateau needs a number to judge by: step(metric). Received: none")
        self.n += 1
        metric = metric.data if isinstance(metric, Value) else real("Plateau", "metric", metric)
        counted = self.cooling == 0
        if self.better(metric):
            self.best, self.bad = metric, 0
        else:
            self.bad = self.bad + 1 if counted else 0
        self.cooling = max(self.cooling - 1, 0)
        if self.bad > self.patience:
            lower = max(self.optimizer.lr * self.factor, self.min_lr)
            if self.optimizer.lr - lower > self.eps:
                self.optimizer.lr = lower
            self.cooling, self.bad = self.cooldown, 0
        self.lr = self.optimizer.lr

    def better(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "abs":
            return sign * metric < sign * self.best - self.threshold
        return sign * metric < sign * self.best * (1.0 - sign * self.threshold)


def line(start: float, end: float, share: float) -> float:
    """On the straight line from start, at share 0, to end, at share 1."""
    return start + (end - start) * share


def between(start: float, end: float, share: float) -> float:
    """On half a cosine wave from start, at share 0, to end, at share 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
