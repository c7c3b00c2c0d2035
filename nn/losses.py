"""Losses: one number that says how wrong the outputs are. Formulas, and the mean over all samples, as in PyTorch.

`outputs` are a model's for one sample, or a list of them for a batch; `targets` have the same shape, or, for classes,
one integer a sample. All are Values, numbers, lists or arrays; a shape that does not match is an error, never
broadcast. Losses that end in "from logits" take what a linear last layer gives: the sigmoid or softmax is within them,
because together they are stable where one after the other would compute log 0.

Targets are checked, except within a function that is being compiled, where those that are inputs have no number yet.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograd.activations import relu, softplus
from autograd.operators import dot, take
from autograd.ops import abs_, clamp, logsumexp, mean, number
from autograd.value import Value

from .activations import known

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "huber", "mae", "mse"]


def mse(outputs: Any, targets: Any) -> Any:
    """Mean squared error, for regression: the mean of (output - target)^2.

    >>> mse([1.0, 4.0], [1.0, 2.0])
    2.0
    """
    return mean([(d := y - t) * d for y, t in pairs("mse", outputs, targets)])


def mae(outputs: Any, targets: Any) -> Any:
    """Mean absolute error: the mean of |output - target|. Outliers pull less than in `mse`; slope 0 at no error.

    >>> mae([1.0, 4.0], [1.0, 2.0])
    1.0
    """
    return mean([abs_(y - t) for y, t in pairs("mae", outputs, targets)])


def huber(outputs: Any, targets: Any, delta: float = 1.0) -> Any:
    """The mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = output - target (Huber, 1964).

    With c = d clamped to +-delta both are c (d - c / 2).

    >>> huber([1.5, 4.0], [1.0, 1.0])
    1.3125
    """
    delta = number(delta)
    if not delta > 0.0:
        raise ValueError(f"huber needs delta above 0. Received: delta={delta:g}")

    def entry(d: Any) -> Any:
        c = clamp(d, -delta, delta)
        return c * (d - 0.5 * c)

    return mean([entry(y - t) for y, t in pairs("huber", outputs, targets)])


def hinge(outputs: Any, targets: Any) -> Any:
    """For two classes, targets -1 or 1: the mean of max(0, 1 - target output). No loss beyond a margin of 1; what
    support vector machines and micrograd's demo minimise (Cortes & Vapnik, 1995).

    >>> hinge([0.5, -2.0], [1, -1])
    0.25
    """
    checked = pairs("hinge", outputs, targets, lambda t: t in (-1.0, 1.0), "-1 or 1")
    return mean([relu(1.0 - t * y) for y, t in checked])


def binary_cross_entropy(logits: Any, targets: Any) -> Any:
    """For two classes or several yes-or-no questions, targets 0, 1 or a probability t between: the mean of
    -t ln p - (1 - t) ln(1 - p), p = sigmoid(z), from logits z. PyTorch's `binary_cross_entropy_with_logits`.

    -ln p = softplus(-z) and -ln(1 - p) = softplus(z), which lose no digit and never overflow.

    >>> print(f"{binary_cross_entropy([0.0, 2.0], [1, 0]):.6f}")
    1.410038
    """

    def entry(z: Any, t: Any) -> Any:
        if type(t) is float and t in (0.0, 1.0):  # a known class: half the work, and no 0 * inf
            return softplus(-z if t else z)
        return t * softplus(-z) + (1.0 - t) * softplus(z)

    checked = pairs("binary_cross_entropy", logits, targets, lambda t: 0.0 <= t <= 1.0, "from 0 to 1")
    return mean([entry(z, t) for z, t in checked])


def cross_entropy(logits: Any, targets: Any) -> Any:
    """For one class out of K: the mean of -ln p[target], p = softmax(z), from logits z; as -ln p[k] =
    logsumexp(z) - z[k], which never overflows.

    logits: a list of K for one sample, or a list of such lists. targets: for each sample the class index 0 to K - 1,
    or K probabilities with sum 1, such as a one-hot row.

    >>> print(f"{cross_entropy([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 2]):.6f}")
    0.669079
    >>> cross_entropy([2.0, 0.0], 1) == cross_entropy([2.0, 0.0], [0, 1])
    True
    """
    rows = listed("cross_entropy", logits, "logits")
    if not (rows and is_list(rows[0])):
        rows, targets = [rows], [targets]
    targets = listed("cross_entropy", targets, "targets")
    if len(rows) != len(targets):
        raise ValueError(
            f"cross_entropy needs a target for each sample. Received: {len(rows)} samples, {len(targets)} targets"
        )
    return mean([class_entropy(z, t) for z, t in zip(rows, targets, strict=True)])


def class_entropy(logits: Any, target: Any) -> Any:
    """The cross entropy of one sample."""
    z = [scalar("cross_entropy", v) for v in listed("cross_entropy", logits, "logits")]
    if not z:
        raise ValueError("cross_entropy needs at least one number. Received: 0 logits")
    if not is_list(target):
        if isinstance(target, Value):
            if known(target):
                class_index(whole(target), len(z))
            return logsumexp(z) - take(z, target)
        return logsumexp(z) - z[class_index(target, len(z))]
    t = [scalar("cross_entropy", v) for v in target]
    if len(t) != len(z):
        raise ValueError(
            f"cross_entropy needs a probability for each of {len(z)} classes. Received: {len(t)}"
        )
    if not all(map(known, t)):
        return logsumexp(z) - dot(z, t)
    plain = [float(v) for v in t]
    if not (min(plain) >= 0.0 and abs(math.fsum(plain) - 1.0) < 1e-6):
        raise ValueError(f"cross_entropy needs probabilities whose sum is 1. Received: {plain}")
    return logsumexp(z) - (z[t.index(1.0)] if 1.0 in t else dot(z, t))  # one-hot: no 0 * inf


# Checks -----------------------------------------------------------------------------------------------------------


def is_list(xs: Any) -> bool:
    if isinstance(xs, np.ndarray):
        return xs.ndim > 0
    return hasattr(xs, "__iter__") and not isinstance(xs, (str, bytes, dict, set))


def listed(name: str, xs: Any, what: str) -> list[Any]:
    if not is_list(xs):
        raise TypeError(f"{name} needs a list of {what}. Received: {type(xs).__name__}")
    return list(xs)


def scalar(name: str, x: Any) -> Any:
    """A Value as it is, a number as a float."""
    try:
        return x if isinstance(x, Value) else number(x)
    except TypeError:
        raise TypeError(
            f"{name} needs numbers or Values, or lists of them. Received: {type(x).__name__}"
        ) from None


def shape(xs: Any) -> tuple[int, ...]:
    """The shape of nested lists, by their first elements."""
    sizes: tuple[int, ...] = ()
    while is_list(xs):
        sizes = (*sizes, len(xs))
        xs = xs[0] if sizes[-1] else None
    return sizes


def pairs(
    name: str, outputs: Any, targets: Any, allowed: Callable[[float], bool] | None = None, what: str = ""
) -> Iterator[tuple[Any, Any]]:
    """Each output with its target, through lists that are nested alike; targets must be `allowed`."""
    if not is_list(outputs) and not is_list(targets):
        y, t = scalar(name, outputs), scalar(name, targets)
        if allowed and known(t) and not allowed(float(t)):
            raise ValueError(f"{name} needs targets {what}. Received: {float(t):g}")
        yield y, t
        return
    ys, ts = (list(xs) if is_list(xs) else xs for xs in (outputs, targets))
    if shape(ys) != shape(ts):
        raise ValueError(
            f"{name} needs outputs and targets of one shape. Received: {shape(ys)} and {shape(ts)}"
        )
    if not ys:
        raise ValueError(f"{name} needs at least one output. Received: none")
    for y, t in zip(ys, ts, strict=True):
        yield from pairs(name, y, t, allowed, what)


def whole(target: Value) -> Any:
    """The integer that a Value holds, or the Value itself."""
    return int(target) if float(target).is_integer() else target


def class_index(target: Any, classes: int) -> int:
    try:
        k = operator.index(target)
    except TypeError:
        k = None
    if k is None or isinstance(target, (bool, np.bool_)):
        raise TypeError(
            f"cross_entropy needs an int, or a row of probabilities, for each sample. Received: {target!r}"
        )
    if not 0 <= k < classes:
        raise ValueError(f"cross_entropy needs a class index from 0 to {classes - 1}. Received: {k}")
    return k
