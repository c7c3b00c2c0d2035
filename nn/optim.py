"""Optimisers: from gradients to better parameters. Used as in PyTorch, and by its formulas:

    loss = ...
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

Below g is the gradient of one parameter p; what is remembered of it from step to step is kept here, not on it. The
same formulas move all parameters at once in `train_step`: then g is the array of all gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from autograd.formulas import quotient
from autograd.ops import number
from autograd.value import NO_GRADIENT, Value

Update = TypeVar("Update", bound=Callable[..., Any])
TOGETHER = "all parameters that move together"  # the key of their state, while it stands in arrays


def for_arrays(update: Update) -> Update:
    """Marks an `update` that is right for arrays too. It may change what it remembers in place, but not g."""
    update.for_arrays = True  # type: ignore[attr-defined]
    return update


class Optimizer:
    """What all have in common: the parameters, the learning rate `lr`, which may be changed between steps.

    A step leaves alone what is frozen and what no gradient has reached since `zero_grad`. A parameter that is listed
    twice counts once. To make one of your own, write `update`. Eager steps and those of a `train_step` may take turns:
    they share what is remembered.

    >>> class SignDescent(Optimizer):
    ...     def update(self, p, g):
    ...         return self.lr * math.copysign(1.0, g)
    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> SignDescent([x], lr=0.5).step()
    >>> x.data
    2.5
    """

    def __init__(self, parameters: Iterable[Value], lr: float, weight_decay: float = 0.0) -> None:
        name = type(self).__name__
        if isinstance(parameters, Value) or not hasattr(parameters, "__iter__"):
            raise TypeError(
                f"{name} needs a list of Values, such as model.parameters(). Received: {type(parameters).__name__}"
            )
        self.parameters = list(dict.fromkeys(parameters))
        if not self.parameters:
            raise ValueError(f"{name} needs at least one parameter. Received: none")
        for p in self.parameters:
            if not isinstance(p, Value):
                raise TypeError(f"{name} needs parameters that are Values. Received: {type(p).__name__}")
            if p.op is not None:
                raise ValueError(
                    f"{name} needs parameters that are leaves. Received: the result of {p.op.symbol!r}"
                )
        self.lr = within(name, "lr", lr)
        self.weight_decay = within(name, "weight_decay", weight_decay)
        self.state: dict[Any, Any] = {}
        self.together: tuple[Value, ...] = ()

    def zero_grad(self) -> None:
        """Forget the gradients: they are as they were before any backward, equal to 0."""
        for p in self.parameters:
            p.grad = NO_GRADIENT

    def step(self) -> None:
        """Move every parameter that has a gradient: p -= update(p, g), with g + weight_decay p for g."""
        decay = self.weight_decay
        if self.together:
            self.separate()
        for p in self.parameters:
            if p.grad is not NO_GRADIENT:  # what is frozen never has another
                g = float(p.grad)
                p.data -= self.update(p, g + decay * p.data if decay else g)

    def update(self, p: Any, g: Any) -> Any:
        """What is to be subtracted from p, under which `state` may remember something."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(p, g)")

    # All at once --------------------------------------------------------------------------------------------------

    start: Any = 0.0  # what is remembered of a parameter before its first step

    def takes_arrays(self) -> bool:
        """Whether `move` does the same as a step: it does not know of a step or an update of one's own."""
        own = getattr(self.step, "__func__", None)
        return own is Optimizer.step and getattr(self.update, "for_arrays", False)

    def move(self, parameters: tuple[Value, ...], p: Any, g: Any) -> None:
        """One step for these parameters, whose numbers are the array p and whose gradients are the array g."""
        if self.together is not parameters:
            self.join(parameters, p.dtype)
        if self.weight_decay:
            decay = self.weight_decay * p
            decay += g
            g = decay
        p -= self.update(TOGETHER, g)

    def join(self, parameters: tuple[Value, ...], dtype: Any) -> None:
        """Put together in arrays what is remembered of these parameters, one by one until now."""
        if self.together != parameters:
            self.separate()
            found = [self.state.pop(p, None) for p in parameters]
            if any(entry is not None for entry in found):
                entries = [self.start if entry is None else entry for entry in found]
                if type(self.start) is tuple:
                    columns = zip(*entries, strict=True)
                    self.state[TOGETHER] = tuple([column_of(c, dtype) for c in columns])
                else:
                    self.state[TOGETHER] = column_of(entries, dtype)
        self.together = parameters

    def separate(self) -> None:
        """Take apart what is remembered of all parameters together, to one by one."""
        parameters, self.together = self.together, ()
        if TOGETHER in self.state:
            kept = self.state.pop(TOGETHER)
            parts = kept if type(kept) is tuple else (kept,)
            columns = [
                c.tolist() if isinstance(c, np.ndarray) and c.ndim else [c] * len(parameters) for c in parts
            ]
            entries = zip(*columns, strict=True) if type(kept) is tuple else columns[0]
            self.state.update(zip(parameters, entries, strict=True))


def column_of(numbers: Iterable[float], dtype: Any) -> Any:
    """An array of them, or the one that all are."""
    numbers = list(numbers)
    return np.array(numbers, dtype) if len(set(numbers)) > 1 else numbers[0]


def within(owner: str, name: str, x: Any, end: float = math.inf) -> float:
    """x as a number from 0 up to, and not including, `end`."""
    value = number(x)
    if not 0.0 <= value < end:
        bounds = "finite and at least 0" if end == math.inf else f"in [0, {end:g})"
        raise ValueError(f"{owner} needs {name} to be {bounds}. Received: {name}={value:g}")
    return value


class SGD(Optimizer):
    """Stochastic gradient descent:

        v = momentum v + g  (v = g at first)        p -= lr v,  or  lr (g + momentum v) with `nesterov`

    Momentum: Polyak, 1964; Nesterov's: Sutskever et al., 2013.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> SGD([x], lr=0.1).step()
    >>> x
    Value(data=2.4, grad=6.0)
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum, self.nesterov = within("SGD", "momentum", momentum), nesterov
        if nesterov and not self.momentum:
            raise ValueError("SGD needs a momentum above 0 for nesterov. Received: momentum=0")

    @for_arrays
    def update(self, p: Any, g: Any) -> Any:
        if not self.momentum:
            g *= self.lr  # of arrays: the step may take the gradient's place
            return g
        v = self.state.get(p, 0.0)
        v *= self.momentum
        v += g
        self.state[p] = v
        if not self.nesterov:
            return self.lr * v
        step = self.momentum * v
        step += g
        step *= self.lr
        return step


class Adam(Optimizer):
    """Steps of about lr whatever the scale of the gradient, from weighted means of g and of g^2 in which what is older
    counts less (Kingma & Ba, 2015):

        m = beta1 m + g        a = beta1 a + 1        the mean of g is m / a
        v = beta2 v + g^2      b = beta2 b + 1        the mean of g^2 is v / b
        p -= lr m / a / ((v / b)^(1/2) + eps)

    In the paper m and v are (1 - beta) times these, a and b 1 - beta^t after t steps: the same means.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> Adam([x], lr=0.1).step()
    >>> print(f"{x.data:.6f}")
    2.900000
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"Adam needs two betas. Received: betas={betas!r}")
        self.betas = (within("Adam", "betas[0]", betas[0], 1.0), within("Adam", "betas[1]", betas[1], 1.0))
        self.eps = within("Adam", "eps", eps)

    start = (0.0, 0.0, 0.0, 0.0)

    @for_arrays
    def update(self, p: Any, g: Any) -> Any:
        (beta1, beta2), (m, v, a, b) = self.betas, self.state.get(p, self.start)
        m *= beta1
        m += g
        v *= beta2
        v += g * g
        a = beta1 * a + 1.0
        root_b = (b := beta2 * b + 1.0) ** 0.5
        self.state[p] = m, v, a, b
        size = v**0.5
        size += self.eps * root_b
        step = quotient(m, size) if type(size) is float else np.divide(m, size, out=size)
        step *= self.lr * root_b / a
        return step
