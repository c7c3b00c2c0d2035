"""Optimisers: from gradients to better parameters. Used as in PyTorch, and by its formulas:

    loss = ...
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

Below g is the gradient of one parameter p; what is remembered of it from step to step is kept here, not on it. The
same formulas move all parameters at once in `train_step`: then g is the array of all gradients.

All take two more keywords: `clip_norm` shortens the gradient of all parameters together, where it is longer, to this
norm (Pascanu et al., 2013), as `clip_grad_norm` before a step would; `clip_value` clips each number of it to
-clip_value..clip_value. Both before weight decay, and `p.grad` stays. In Keras they are `global_clipnorm` and
`clipvalue`, and `clipnorm` is for each array of weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autograd.formulas import quotient
from autograd.ops import sign
from autograd.value import NO_GRADIENT, Value

from .checks import is_list, nonnegative, one_line, real

Update = TypeVar("Update", bound=Callable[..., Any])
Floats = NDArray[np.float64]
TOGETHER = "all parameters that move together"  # the key of their state, while it stands in arrays


def for_arrays(update: Update) -> Update:
    """Marks an `update` that is right for arrays too. It may change what it remembers in place, but not g."""
    update.for_arrays = True  # type: ignore[attr-defined]
    return update


class Optimizer:
    """What all have in common: the parameters, the learning rate `lr`, which may be changed between steps.

    A step leaves alone what is frozen and what no gradient has reached since `zero_grad`. A parameter that is listed
    twice counts once. To make one of your own, write `update`, and name in `slots` what it keeps in `state`. Eager
    steps and those of a `train_step` may take turns: they share what is remembered.

    >>> class SignDescent(Optimizer):
    ...     def update(self, p, g):
    ...         return self.lr * math.copysign(1.0, g)
    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> SignDescent([x], lr=0.5).step()
    >>> x.data
    2.5
    """

    # For `state_dict`: which attributes are settings, beside those that all have, and names for what is remembered of
    # a parameter. `start` is that before the first step: a number, or a tuple with one for each slot. `counts` are the
    # slots that depend on nothing but how many steps there were.
    settings: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    start: Any = 0.0
    counts: tuple[str, ...] = ()
    decoupled = False  # whether weight decay takes its own way, past the gradient

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float,
        weight_decay: float = 0.0,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        name = type(self).__name__
        if not is_list(parameters):
            raise TypeError(
                f"{name} needs a list of Values, such as model.parameters(). Received: {type(parameters).__name__}"
            )
        self.parameters = each_once(name, parameters)
        if not self.parameters:
            raise ValueError(f"{name} needs at least one parameter. Received: none")
        for p in self.parameters:
            if p.op is not None:
                raise ValueError(
                    f"{name} needs parameters that are leaves. Received: the result of {p.op.symbol!r}"
                )
        self.lr = nonnegative(name, "lr", lr)
        self.weight_decay = nonnegative(name, "weight_decay", weight_decay)
        self.clip_norm = None if clip_norm is None else nonnegative(name, "clip_norm", clip_norm)
        self.clip_value = None if clip_value is None else nonnegative(name, "clip_value", clip_value)
        if clip_norm is not None and clip_value is not None:
            raise ValueError(
                f"{name} needs clip_norm or clip_value, not both. Received: {clip_norm:g} and {clip_value:g}"
            )
        self.state: dict[Any, Any] = {}
        self.together: tuple[Value, ...] = ()

    def zero_grad(self) -> None:
        """Forget the gradients: they are as they were before any backward, equal to 0."""
        for p in self.parameters:
            p.grad = NO_GRADIENT

    def step(self) -> None:
        """Move every parameter that has a gradient: p -= update(p, g), with g + weight_decay p for g; `decoupled`, p is
        shortened by lr weight_decay p instead."""
        decay = 0.0 if self.decoupled else self.weight_decay
        kept = 1.0 - self.lr * self.weight_decay if self.decoupled else 1.0
        if self.together:
            self.separate()
        moved = [p for p in self.parameters if p.grad is not NO_GRADIENT]  # what is frozen never has another
        gradients = [float(p.grad) for p in moved]
        if self.clip_norm is not None or self.clip_value is not None:
            gradients = self.clipped(np.array(gradients)).tolist()
        for p, g in zip(moved, gradients, strict=True):
            if kept != 1.0:
                p.data *= kept
            p.data -= self.update(p, g + decay * p.data if decay else g)

    def clipped(self, g: Floats) -> Floats:
        """The gradients of all parameters, as `clip_value` or `clip_norm` allow."""
        if self.clip_value is not None:
            return np.clip(g, -self.clip_value, self.clip_value)
        return g if self.clip_norm is None else shortened(g, self.clip_norm)[0]

    def update(self, p: Any, g: Any) -> Any:
        """What is to be subtracted from p, under which `state` may remember something."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(p, g)")

    # All at once --------------------------------------------------------------------------------------------------

    def takes_arrays(self) -> bool:
        """Whether `move` does the same as a step: it does not know of a step or an update of one's own."""
        own = getattr(self.step, "__func__", None)
        return own is Optimizer.step and getattr(self.update, "for_arrays", False)

    def move(self, parameters: tuple[Value, ...], p: Any, g: Any) -> None:
        """One step for these parameters, whose numbers are the array p and whose gradients are the array g."""
        if self.together is not parameters:
            self.join(parameters, p.dtype)
        if self.clip_norm is not None or self.clip_value is not None:
            g = self.clipped(g)
        if self.weight_decay and self.decoupled:
            p *= 1.0 - self.lr * self.weight_decay
        elif self.weight_decay:
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
                    columns = zip(self.slots or self.start, zip(*entries, strict=True), strict=True)
                    self.state[TOGETHER] = tuple([column_of(c, dtype, s in self.counts) for s, c in columns])
                else:
                    self.state[TOGETHER] = column_of(entries, dtype, False)
        self.together = parameters

    def separate(self) -> None:
        """Take apart what is remembered of all parameters together, to one by one."""
        self.state, self.together = self.remembered(), ()

    def remembered(self) -> dict[Any, Any]:
        """What is remembered of each parameter, as it is when taken apart."""
        found = {**self.state}
        kept = found.pop(TOGETHER, None)
        if kept is not None:
            parts = kept if type(kept) is tuple else (kept,)
            columns = [
                c.tolist() if isinstance(c, np.ndarray) and c.ndim else [c] * len(self.together)
                for c in parts
            ]
            entries = zip(*columns, strict=True) if type(kept) is tuple else columns[0]
            found.update(zip(self.together, entries, strict=True))
        return found

    # To be saved --------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What further steps depend on, beside the parameters: the name of the class, the settings (one for clipping
        only where it is set), for each of `slots` a float64 array of one number a parameter, in their order, and the
        bool array `reached`: which of them have such numbers by now. Later steps do not change it.

        >>> x = Value(3.0)
        >>> optimizer = SGD([x], lr=0.5, momentum=0.9)
        >>> (x * x).backward()
        >>> optimizer.step()
        >>> state = optimizer.state_dict()
        >>> state["lr"], state["v"], state["reached"]
        (0.5, array([6.]), array([ True]))
        """
        found = self.remembered()
        if found and not self.slots:
            name = type(self).__name__
            raise ValueError(f"{name} needs `slots`, names for the numbers it remembers. Received: none")
        rows = [found.get(p, self.start) for p in self.parameters]
        columns = [*zip(*rows, strict=True)] if type(self.start) is tuple else [rows]
        settings = {name: getattr(self, name) for name in (*COMMON, *self.settings)}
        clipping = {name: x for name in CLIPPING if (x := getattr(self, name)) is not None}
        arrays = {slot: np.array(column, float) for slot, column in zip(self.slots, columns, strict=False)}
        reached = np.array([p in found for p in self.parameters])
        return {"optimizer": type(self).__name__, **settings, **clipping, **arrays, "reached": reached}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave: further steps are the same to the last bit. Numbers may have become 0-d
        arrays meanwhile, and tuples arrays. ValueError, and nothing has changed, unless class, settings, slots and
        number of parameters are the same."""
        name, n = type(self).__name__, len(self.parameters)
        if not isinstance(state, Mapping):
            raise TypeError(f"{name} needs a state, a dict of state_dict. Received: {type(state).__name__}")
        settings = [*COMMON, *self.settings, *(key for key in CLIPPING if key in state)]
        needed: dict[str, Any] = {key: np.shape(getattr(self, key) or 0.0) for key in settings}
        needed |= {"optimizer": name, **dict.fromkeys((*self.slots, "reached"), (n,))}
        given: dict[str, Any] = {key: np.shape(x) for key, x in state.items() if key != "optimizer"}
        given |= {"optimizer": str(state.get("optimizer"))}
        wrong = sorted(key for key in needed | given if needed.get(key) != given.get(key))
        if wrong:
            ours, theirs = (
                ", ".join(one_line(f"{key}: {side.get(key, 'none')}", 100) for key in wrong)
                for side in (needed, given)
            )
            raise ValueError(f"{name} needs a state with (names and shapes) {ours}. Received: {theirs}")
        numbers = {key: like(name, key, state[key], getattr(self, key)) for key in settings}
        columns = [np.array(state[slot], float).tolist() for slot in self.slots]
        rows = [*zip(*columns, strict=True)] if type(self.start) is tuple else columns[0] if columns else []
        reached = np.array(state["reached"], bool).tolist() if rows else []
        vars(self).update(dict.fromkeys(CLIPPING), **numbers)
        own = zip(self.parameters, rows, reached, strict=True) if rows else ()
        self.state, self.together = {p: row for p, row, there in own if there}, ()


COMMON, CLIPPING = ("lr", "weight_decay"), ("clip_norm", "clip_value")  # settings that all optimisers have


def like(owner: str, name: str, x: Any, now: Any) -> Any:
    """x, a setting that was saved, as what it was: a bool, a tuple of numbers or a number."""
    if isinstance(now, bool):
        return bool(x)
    return (
        tuple([nonnegative(owner, name, v) for v in x])
        if isinstance(now, tuple)
        else nonnegative(owner, name, x)
    )


def column_of(numbers: Iterable[float], dtype: Any, count: bool) -> Any:
    """An array of them; of a count, the one number that all are, which `separate` and this leave as it was."""
    numbers = list(numbers)
    return numbers[0] if count and len(set(numbers)) == 1 else np.array(numbers, dtype)


def ratio(x: Any, y: Any) -> Any:
    """x / y of floats or arrays, as IEEE has it."""
    return quotient(x, y) if type(y) is float else x / y


# Clipping ---------------------------------------------------------------------------------------------------------


def clip_grad_norm(parameters: Any, max_norm: float, norm_type: float = 2.0) -> float:
    """Shorten the gradient of all parameters together to the norm `max_norm` where it is longer (Pascanu et al., 2013):
    each p.grad times max_norm / (norm + 1e-6), if that is below 1. Returns the norm as it was.

    parameters: a Module or a list of Values, of which those without a gradient stay without. norm_type: p of the norm
    (|g1|^p + |g2|^p + ...)^(1/p), with math.inf the largest |g|. PyTorch's `clip_grad_norm_`, Keras'
    `global_clipnorm`. Before an eager step; in a `train_step` give the optimiser `clip_norm`.

    >>> x, y = Value(3.0), Value(4.0)
    >>> (x * x / 2 + y * y / 2).backward()
    >>> clip_grad_norm([x, y], 1.0), round(x.grad, 3), round(y.grad, 3)
    (5.0, 0.6, 0.8)
    """
    limit, kind = (
        nonnegative("clip_grad_norm", "max_norm", max_norm),
        real("clip_grad_norm", "norm_type", norm_type),
    )
    if not kind > 0.0:
        raise ValueError(f"clip_grad_norm needs norm_type above 0. Received: norm_type={kind:g}")
    moved = [p for p in leaves("clip_grad_norm", parameters) if p.grad is not NO_GRADIENT]
    gradients = np.array([float(p.grad) for p in moved])
    clipped, norm = shortened(gradients, limit, kind)
    for p, g in zip(moved, clipped.tolist(), strict=True):
        p.grad = g
    return norm


def clip_grad_value(parameters: Any, clip_value: float) -> None:
    """Clip the gradient of each parameter to -clip_value..clip_value. PyTorch's `clip_grad_value_`.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> clip_grad_value([x], 0.5)
    >>> x.grad
    0.5
    """
    limit = nonnegative("clip_grad_value", "clip_value", clip_value)
    for p in leaves("clip_grad_value", parameters):
        if p.grad is not NO_GRADIENT:
            g = float(p.grad)
            p.grad = g if g != g else min(max(g, -limit), limit)


def shortened(g: Floats, limit: float, kind: float = 2.0) -> tuple[Floats, float]:
    """g times PyTorch's factor, in which a little is added to the norm that may be 0; and the norm."""
    with np.errstate(all="ignore"):  # what is not finite stays so, or becomes nan
        norm = float(np.linalg.norm(g, kind)) if g.size else 0.0
        return g * (norm if math.isnan(norm) else min(limit / (norm + 1e-6), 1.0)), norm


def leaves(owner: str, parameters: Any) -> list[Value]:
    """The parameters of a module, or those in a list, each once."""
    found = parameters.parameters() if hasattr(parameters, "parameters") else parameters
    if not is_list(found):
        raise TypeError(f"{owner} needs a Module or a list of Values. Received: {type(parameters).__name__}")
    return each_once(owner, found)


def each_once(owner: str, parameters: Iterable[Any]) -> list[Value]:
    """The parameters in the list, all of them Values."""
    found = [*parameters]
    for p in found:
        if not isinstance(p, Value):
            raise TypeError(f"{owner} needs parameters that are Values. Received: {type(p).__name__}")
    return [*dict.fromkeys(found)]


# The optimisers ---------------------------------------------------------------------------------------------------


class SGD(Optimizer):
    """Stochastic gradient descent:

        v = momentum v + g  (v = g at first)        p -= lr v,  or  lr (g + momentum v) with `nesterov`

    Momentum: Polyak, 1964; Nesterov's: Sutskever et al., 2013. Keras' lr is .01, and stands within v.

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
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, **clip)
        self.momentum, self.nesterov = nonnegative("SGD", "momentum", momentum), nesterov
        if nesterov and not self.momentum:
            raise ValueError("SGD needs a momentum above 0 for nesterov. Received: momentum=0")

    settings, slots = ("momentum", "nesterov"), ("v",)

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

    In the paper m and v are (1 - beta) times these, a and b 1 - beta^t after t steps: the same means. Keras' eps is
    1e-7, and is added to the root of the paper's v before the division by (1 - beta2^t)^(1/2).

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
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, **clip)
        self.betas = two_betas(type(self).__name__, betas)
        self.eps = nonnegative(type(self).__name__, "eps", eps)

    settings, slots, counts = ("betas", "eps"), ("m", "v", "a", "b"), ("a", "b")
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


class AdamW(Adam):
    """Adam with weight decay past the gradient, p -= lr weight_decay p before each step, so that the division by the
    gradient's size does not undo it (Loshchilov & Hutter, 2019). Keras' weight_decay is .004.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> AdamW([x], lr=0.1).step()
    >>> print(f"{x.data:.6f}")
    2.897000
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, **clip)


class Adagrad(Optimizer):
    """Steps that shrink where gradients have been large or many, for rare features (Duchi et al., 2011):

        v = v + g^2        p -= lr g / (v^(1/2) + eps)

    v begins at 0. In Keras it begins at .1, lr is .001, eps 1e-7, and within the root.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> Adagrad([x], lr=0.1).step()
    >>> print(f"{x.data:.6f}")
    2.900000
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-2,
        weight_decay: float = 0.0,
        eps: float = 1e-10,
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, **clip)
        self.eps = nonnegative("Adagrad", "eps", eps)

    settings, slots = ("eps",), ("v",)

    @for_arrays
    def update(self, p: Any, g: Any) -> Any:
        v = self.state.get(p, 0.0)
        v += g * g
        self.state[p] = v
        return self.lr * ratio(g, v**0.5 + self.eps)


class RMSprop(Optimizer):
    """Steps of about lr whatever the scale of the gradient, from a weighted mean v of g^2 (Hinton, lecture 6e, 2012):

        v = alpha v + (1 - alpha) g^2        p -= lr g / (v^(1/2) + eps)

    `centered` subtracts from v the square of the mean m of g, weighted alike (Graves, 2013). With `momentum` p moves by
    b = momentum b + g / (v^(1/2) + eps) instead, times lr. Keras' alpha, rho, is .9, its lr .001, its eps 1e-7 and
    within the root.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> RMSprop([x], lr=0.1).step()
    >>> print(f"{x.data:.6f}")
    2.000000
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, **clip)
        self.alpha, self.eps = nonnegative("RMSprop", "alpha", alpha), nonnegative("RMSprop", "eps", eps)
        self.momentum, self.centered = nonnegative("RMSprop", "momentum", momentum), centered

    settings, slots = ("alpha", "eps", "momentum", "centered"), ("v", "m", "b")
    start = (0.0, 0.0, 0.0)

    @for_arrays
    def update(self, p: Any, g: Any) -> Any:
        alpha, (v, m, b) = self.alpha, self.state.get(p, self.start)
        v *= alpha
        v += (1.0 - alpha) * g * g
        spread = v
        if self.centered:
            m *= alpha
            m += (1.0 - alpha) * g
            spread = abs(v - m * m)  # below 0 it is by rounding
        step = ratio(g, spread**0.5 + self.eps)
        if self.momentum:
            b *= self.momentum
            b += step
            step = b
        self.state[p] = v, m, b
        return self.lr * step


class Lion(Optimizer):
    """Steps of lr up or down, by the sign of a mean of gradients, with weight decay past the gradient as in `AdamW`
    (Chen et al., 2023):

        p -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)        then  m = beta2 m + (1 - beta2) g

    Its steps are larger than Adam's: the authors advise an lr of 1/3 to 1/10, a weight decay of 3 to 10 times Adam's.
    Keras' lr is .001. PyTorch has none.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> Lion([x], lr=0.5).step()
    >>> x.data
    2.5
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        **clip: float | None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, **clip)
        self.betas = two_betas("Lion", betas)

    settings, slots = ("betas",), ("m",)

    @for_arrays
    def update(self, p: Any, g: Any) -> Any:
        (beta1, beta2), m = self.betas, self.state.get(p, 0.0)
        mean = beta1 * m + (1.0 - beta1) * g
        m *= beta2
        m += (1.0 - beta2) * g
        self.state[p] = m
        return self.lr * (sign(mean) if type(mean) is float else np.sign(mean))


def two_betas(owner: str, betas: Any) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ValueError(f"{owner} needs two betas. Received: betas={betas!r}")
    first, second = (real(owner, f"betas[{i}]", beta) for i, beta in enumerate(betas))
    for i, beta in enumerate((first, second)):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"{owner} needs betas[{i}] to be in [0, 1). Received: betas[{i}]={beta:g}")
    return first, second
