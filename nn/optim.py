"""Optimisers: from gradients to better parameters. Used as in PyTorch, and by its formulas:

    loss = ...
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

Below g is the gradient of one parameter p; what is remembered of it from step to step is kept here, not on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from autograd.formulas import quotient
from autograd.ops import number
from autograd.value import NO_GRADIENT, Value


class Optimizer:
    """What all have in common: the parameters, the learning rate `lr`, which may be changed between steps.

    A step leaves alone what is frozen and what no gradient has reached since `zero_grad`. A parameter that is listed
    twice counts once. To make one of your own, write `update`.

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
        self.state: dict[Value, Any] = {}

    def zero_grad(self) -> None:
        """Forget the gradients: they are as they were before any backward, equal to 0."""
        for p in self.parameters:
            p.grad = NO_GRADIENT

    def step(self) -> None:
        """Move every parameter that has a gradient: p -= update(p, g), with g + weight_decay p for g."""
        decay = self.weight_decay
        for p in self.parameters:
            if p.grad is not NO_GRADIENT:  # what is frozen never has another
                g = float(p.grad)
                p.data -= self.update(p, g + decay * p.data if decay else g)

    def update(self, p: Value, g: float) -> float:
        """What is to be subtracted from p."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(p, g)")


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

    def update(self, p: Value, g: float) -> float:
        if self.momentum:
            self.state[p] = v = self.momentum * self.state[p] + g if p in self.state else g
            g = g + self.momentum * v if self.nesterov else v
        return self.lr * g


class Adam(Optimizer):
    """Steps of about lr whatever the scale of the gradient, from running means of g and of g^2, begun at 0, which the
    denominators make up for (Kingma & Ba, 2015); t counts the steps of p:

        m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
        p -= lr m / (1 - beta1^t) / ((v / (1 - beta2^t))^(1/2) + eps)

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

    def update(self, p: Value, g: float) -> float:
        (beta1, beta2), (m, v, t) = self.betas, self.state.get(p, (0.0, 0.0, 0))
        m, v, t = beta1 * m + (1.0 - beta1) * g, beta2 * v + (1.0 - beta2) * g * g, t + 1
        self.state[p] = m, v, t
        return quotient(self.lr * m / (1.0 - beta1**t), math.sqrt(v / (1.0 - beta2**t)) + self.eps)
