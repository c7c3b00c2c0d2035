"""Losses: one number that says how wrong the outputs are. Formulas, and the mean over all samples, as in PyTorch.

`outputs` are a model's for one sample, or a list of them for a batch; `targets` have the same shape, or, for classes,
one integer a sample. All are Values, numbers, lists or arrays; a shape that does not match is an error, never
broadcast. The cross entropies take logits, what a linear last layer gives: the sigmoid or softmax is within them,
because together they are stable where one after the other would compute log 0. Keras' take probabilities unless told
`from_logits=True`.

`reduction` says what becomes of the losses of all outputs, or, for classes, of all samples: their "mean", their "sum",
or with "none" each by itself, in lists nested as they came.

Targets are checked, except within a function that is being compiled, where those that are inputs have no number yet.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.activations import relu, softplus
from autograd.compiler.traced import batch_mean
from autograd.operators import dot, take
from autograd.ops import abs_, clamp, div, log, logsumexp, maximum, mean, number, sum_
from autograd.value import Value

from .activations import known
from .checks import among, entries, is_list, nonnegative, real, shape, share

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "kl",
    "mae",
    "mse",
    "multi_margin",
    "nll",
]


def mse(outputs: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """Mean squared error, for regression: the mean of (output - target)^2.

    >>> mse([1.0, 4.0], [1.0, 2.0])
    2.0
    """
    return reduced("mse", reduction, each("mse", lambda y, t: (d := y - t) * d, outputs, targets))


def mae(outputs: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """Mean absolute error: the mean of |output - target|. Outliers pull less than in `mse`; slope 0 at no error.

    >>> mae([1.0, 4.0], [1.0, 2.0])
    1.0
    """
    return reduced("mae", reduction, each("mae", lambda y, t: abs_(y - t), outputs, targets))


def huber(outputs: Any, targets: Any, delta: float = 1.0, *, reduction: str = "mean") -> Any:
    """The mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = output - target (Huber, 1964).

    With c = d clamped to +-delta both are c (d - c / 2).

    >>> huber([1.5, 4.0], [1.0, 1.0])
    1.3125
    """
    delta = real("huber", "delta", delta)
    if not delta > 0.0:
        raise ValueError(f"huber needs delta above 0. Received: delta={delta:g}")

    def entry(y: Any, t: Any) -> Any:
        c = clamp(d := y - t, -delta, delta)
        return c * (d - 0.5 * c)

    return reduced("huber", reduction, each("huber", entry, outputs, targets))


def hinge(outputs: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """For two classes, targets -1 or 1: the mean of max(0, 1 - target output). No loss beyond a margin of 1; what
    support vector machines and micrograd's demo minimise (Cortes & Vapnik, 1995). Keras takes targets 0 and 1, too.

    >>> hinge([0.5, -2.0], [1, -1])
    0.25
    """
    entry = lambda y, t: relu(1.0 - t * y)
    losses = each("hinge", entry, outputs, targets, lambda t: t in (-1.0, 1.0), "-1 or 1")
    return reduced("hinge", reduction, losses)


def binary_cross_entropy(logits: Any, targets: Any, *, pos_weight: Any = 1.0, reduction: str = "mean") -> Any:
    """For two classes or several yes-or-no questions, targets 0, 1 or a probability t between: the mean of
    -w t ln p - (1 - t) ln(1 - p), p = sigmoid(z), from logits z. PyTorch's `binary_cross_entropy_with_logits`.

    `pos_weight`: w >= 0, one for all or a list of one for each question, the last axis of the logits. What a missed yes
    costs beside a missed no: with (no's / yes's) a rare yes weighs as much as the many no's.
    -ln p = softplus(-z) and -ln(1 - p) = softplus(z), which lose no digit and never overflow.

    >>> print(f"{binary_cross_entropy([0.0, 2.0], [1, 0]):.6f}")
    1.410038
    """

    def entry(z: Any, t: Any, w: Any) -> Any:
        if type(t) is float and t in (0.0, 1.0):  # a known class: half the work, and no 0 * inf
            return times(w, softplus(-z)) if t else softplus(z)
        return times(w, t) * softplus(-z) + (1.0 - t) * softplus(z)

    name, allowed = "binary_cross_entropy", lambda t: 0.0 <= t <= 1.0
    w = [*map(positive_weight, pos_weight)] if is_list(pos_weight) else positive_weight(pos_weight)
    return reduced(name, reduction, each(name, entry, logits, targets, allowed, "from 0 to 1", (w,)))


def positive_weight(w: Any) -> float:
    return nonnegative("binary_cross_entropy", "pos_weight", w)


def cross_entropy(
    logits: Any, targets: Any, *, weight: Any = None, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Any:
    """For one class out of K: the mean of -ln p[target], p = softmax(z), from logits z; as -ln p[k] =
    logsumexp(z) - z[k], which never overflows.

    logits: a list of K for one sample, or a list of such lists. targets: for each sample the class index 0 to K - 1,
    or K probabilities t with sum 1, such as a one-hot row, for the loss -(t[0] ln p[0] + ... + t[K-1] ln p[K-1]).
    `label_smoothing` e puts (1 - e) t + e / K in the place of t (Szegedy et al., 2016).

    `weight`: K numbers w >= 0, the term of class k times w[k]. The mean of samples with a class index is then weighted,
    divided by the sum of w[target] and not by how many there are; so for one sample w cancels, but in a compiled
    function the mean is over the whole batch. Keras has `class_weight` in `fit` and divides by how many there are.

    >>> print(f"{cross_entropy([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 2]):.6f}")
    0.669079
    >>> cross_entropy([2.0, 0.0], 1) == cross_entropy([2.0, 0.0], [0, 1])
    True
    """
    e = share("cross_entropy", "label_smoothing", label_smoothing)

    def entry(z: list[Any], t: Any, w: list[Any] | None) -> Any:
        total = logsumexp(z)
        loss = against(z, total, t, w)
        return (1.0 - e) * loss + e * against(z, total, [1.0 / len(z)] * len(z), w) if e else loss

    return of_classes("cross_entropy", entry, logits, targets, weight, reduction, shares=True)


def against(z: list[Any], total: Any, t: Any, w: list[Any] | None) -> Any:
    """The cross entropy of one sample, total = logsumexp(z), from a class index or from a probability for each."""
    if not is_list(t):
        return times(w and take(w, t), total - take(z, t))
    if w:
        t = [p * v for p, v in zip(t, w, strict=True)]
        return sum_(t) * total - dot(z, t)
    one_hot = all(map(known, t)) and 1.0 in t  # then no 0 * inf
    return total - (z[t.index(1.0)] if one_hot else dot(z, t))


def nll(log_probabilities: Any, targets: Any, *, weight: Any = None, reduction: str = "mean") -> Any:
    """The negative log-likelihood of one class out of K: the mean of -log_probability[target], for a model that ends
    in `log_softmax`. From logits, `cross_entropy` is both. `weight` as there.

    log_probabilities: a list of K for one sample, or a list of such lists. targets: a class index for each sample.

    >>> nll([[-0.5, -2.0], [-1.0, -0.25]], [0, 1])
    0.375
    """
    entry = lambda x, t, w: times(w and take(w, t), -take(x, t))
    return of_classes("nll", entry, log_probabilities, targets, weight, reduction)


def kl(log_probabilities: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """The Kullback-Leibler divergence of probabilities q from the targets t (Kullback & Leibler, 1951): the sum of
    t (ln t - ln q) over the K classes, 0 where they are the same, and the mean of it over the samples.

    log_probabilities: K numbers ln q for one sample, such as from `log_softmax`, or a list of such lists. targets: K
    probabilities with sum 1 for each sample; a class of probability 0 counts 0. This is PyTorch's `kl_div` with
    reduction="batchmean"; its "mean" divides by K once more, and its "none" keeps the classes apart. Keras'
    `KLDivergence` takes q instead of ln q.

    >>> print(f"{kl([math.log(0.5), math.log(0.5)], [0.25, 0.75]):.6f}")
    0.130812
    """

    def term(x: Any, t: Any) -> Any:
        return 0.0 if type(t) is float and t == 0.0 else t * (log(maximum(t, TINY)) - x)

    entry = lambda xs, ts, _: sum_([term(x, t) for x, t in zip(xs, ts, strict=True)])
    return of_classes("kl", entry, log_probabilities, targets, None, reduction, index=False, shares=True)


TINY = 2.0**-126  # the smallest that float32 holds in full: keeps t ln t from 0 * -inf


def multi_margin(outputs: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean") -> Any:
    """The hinge loss of one class out of K: the mean of sum_i max(0, margin - output[target] + output[i]) / K over
    the classes i other than the target (Weston & Watkins, 1999).

    outputs: a list of K for one sample, or a list of such lists. targets: a class index for each sample.

    >>> multi_margin([[2.0, 0.5, 1.5, -1.0]], [0])
    0.125
    """
    m = nonnegative("multi_margin", "margin", margin)

    def entry(y: list[Any], t: Any, _: Any) -> Any:
        right = take(y, t)
        below = m - right
        return (sum_([relu(below + v) for v in y]) - relu(below + right)) / float(len(y))

    return of_classes("multi_margin", entry, outputs, targets, None, reduction)


# What they share --------------------------------------------------------------------------------------------------

REDUCTIONS: dict[str, Callable[[Any], Any]] = {"mean": mean, "sum": sum_, "none": lambda losses: losses}


def reduced(name: str, reduction: str, losses: Any) -> Any:
    """The mean or sum of losses in nested lists, or these."""
    if not among(reduction, REDUCTIONS):
        raise ValueError(f"{name} needs reduction to be one of {[*REDUCTIONS]}. Received: {reduction!r}")
    return REDUCTIONS[reduction](losses)


def each(
    name: str,
    entry: Callable[..., Any],
    outputs: Any,
    targets: Any,
    allowed: Callable[[float], bool] | None = None,
    what: str = "",
    more: tuple[Any, ...] = (),
) -> Any:
    """entry(output, target, *more) of each output, through lists that are nested alike; targets must be `allowed`. A
    list as `more` has one for each output of the innermost lists."""
    listed_more = bool(more) and is_list(more[0])
    if not is_list(outputs) and not is_list(targets):
        y, t = scalar(name, outputs), scalar(name, targets)
        if allowed and known(t) and not allowed(float(t)):
            raise ValueError(f"{name} needs targets {what}. Received: {float(t):g}")
        if listed_more:
            raise ValueError(f"{name} needs a list of outputs for a list of weights. Received: one number")
        return entry(y, t, *more)
    ys, ts = (list(xs) if is_list(xs) else xs for xs in (outputs, targets))
    if shape(ys) != shape(ts):
        raise ValueError(
            f"{name} needs outputs and targets of one shape. Received: {shape(ys)} and {shape(ts)}"
        )
    if not ys:
        raise ValueError(f"{name} needs at least one output. Received: none")
    mores = [(m,) for m in more[0]] if listed_more and not is_list(ys[0]) else [more] * len(ys)
    if len(mores) != len(ys):
        raise ValueError(f"{name} needs a weight for each of {len(ys)} outputs. Received: {len(mores)}")
    return [each(name, entry, y, t, allowed, what, m) for y, t, m in zip(ys, ts, mores, strict=True)]


def of_classes(
    name: str,
    entry: Callable[[list[Any], Any, list[Any] | None], Any],
    outputs: Any,
    targets: Any,
    weight: Any,
    reduction: str,
    index: bool = True,
    shares: bool = False,
) -> Any:
    """entry(K outputs, target, weight) of each sample, reduced; the target may be an `index`, or K `shares`."""
    rows = entries(name, "logits" if name == "cross_entropy" else "rows", outputs)
    single = not (rows and is_list(rows[0]))
    if single:
        rows, targets = [rows], [targets]
    targets = entries(name, "targets", targets)
    if len(rows) != len(targets):
        raise ValueError(
            f"{name} needs a target for each sample. Received: {len(rows)} samples, {len(targets)} targets"
        )
    rows = [row_of_classes(name, row) for row in rows]
    targets = [target(name, t, len(y), index, shares) for y, t in zip(rows, targets, strict=True)]
    w = None if weight is None else class_weights(name, weight, {*map(len, rows)})
    losses = [entry(y, t, w) for y, t in zip(rows, targets, strict=True)]
    if w and reduction == "mean":
        return div(sum_(losses), batch_mean(sum_([1.0 if is_list(t) else take(w, t) for t in targets])))
    return reduced(name, reduction, losses[0] if single else losses)


def times(w: Any, loss: Any) -> Any:
    """w loss; without a weight, or with the weight 1, the loss itself."""
    return loss if w is None or (type(w) is float and w == 1.0) else w * loss


# Checks -----------------------------------------------------------------------------------------------------------


def scalar(name: str, x: Any) -> Any:
    """A Value as it is, a number as a float."""
    try:
        return x if isinstance(x, Value) else number(x)
    except TypeError:
        raise TypeError(
            f"{name} needs numbers or Values, or lists of them. Received: {type(x).__name__}"
        ) from None


def row_of_classes(name: str, row: Any) -> list[Any]:
    what = "logits" if name == "cross_entropy" else "outputs"
    xs = [scalar(name, x) for x in entries(name, what, row)]
    if not xs:
        raise ValueError(f"{name} needs at least one number. Received: 0 {what}")
    return xs


def class_weights(name: str, weight: Any, sizes: set[int]) -> list[Any]:
    """One for each class, of rows that have these sizes."""
    w = [scalar(name, v) for v in entries(name, "weights", weight)]
    if {len(w)} != sizes or not all(0.0 <= float(v) < math.inf for v in w if known(v)):
        classes = " or ".join(map(str, sorted(sizes)))
        raise ValueError(
            f"{name} needs a weight of at least 0 for each of {classes} classes, all finite. Received: {weight}"
        )
    return w


def target(name: str, t: Any, classes: int, index: bool, shares: bool) -> Any:
    """A class index, or the probabilities of all classes, as it is allowed."""
    forms = " or ".join(["an int"] * index + ["a row of probabilities"] * shares)
    if index and isinstance(t, Value):
        if known(t):
            class_index(name, int(t) if float(t).is_integer() else t, classes, forms)
        return t
    if index and not (shares and is_list(t)):
        return class_index(name, t, classes, forms)
    if not is_list(t):
        raise TypeError(f"{name} needs {forms} for each sample. Received: {t!r}")
    ps = [scalar(name, v) for v in t]
    if len(ps) != classes:
        raise ValueError(f"{name} needs a probability for each of {classes} classes. Received: {len(ps)}")
    if all(map(known, ps)):
        plain = [float(v) for v in ps]
        if not (min(plain) >= 0.0 and abs(math.fsum(plain) - 1.0) < 1e-6):
            raise ValueError(f"{name} needs probabilities whose sum is 1. Received: {plain}")
    return ps


def class_index(name: str, t: Any, classes: int, forms: str) -> int:
    try:
        k = operator.index(t)
    except TypeError:
        k = None
    if k is None or isinstance(t, (bool, np.bool_)):
        raise TypeError(f"{name} needs {forms} for each sample. Received: {t!r}")
    if not 0 <= k < classes:
        raise ValueError(f"{name} needs a class index from 0 to {classes - 1}. Received: {k}")
    return k
