"""Metrics: how good the outputs are, in numbers for people. None is for training: they know of no gradient.

`targets` are class indices, one a sample. `outputs` for classes are, by their form:

    ints or bools                 class indices
    rows of K numbers, K >= 2     logits or probabilities: the class is where the largest stands, the first of equals
    single floats or Values       logits of two classes: 1 above 0, else 0 (a probability p: pass p - 0.5)

All take lists, arrays and Values, and are defined as in scikit-learn. Where it says 0 / 0, as for a precision when
nothing was predicted, they are 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd.ops import number
from autograd.value import Value

from .checks import among, size

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
AVERAGES = ("binary", "macro", "micro", None)


def accuracy(outputs: Any, targets: Any) -> float:
    """The share of samples whose class is right.

    >>> accuracy([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [0, 1, 1]), accuracy([0.5, -2.0], [1, 0])
    (0.6666666666666666, 1.0)
    """
    found, truth, _ = classes("accuracy", outputs, targets)
    return float((found == truth).mean())


def confusion_matrix(outputs: Any, targets: Any, classes: int | None = None) -> Ints:
    """How often each class (row) was taken for each (column): (K, K) integers. K is `classes`, or else the length of
    the outputs' rows, or one more than the largest class that occurs.

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 1, 1]])
    """
    return counted("confusion_matrix", outputs, targets, classes)


def precision(outputs: Any, targets: Any, average: str | None = "binary") -> Any:
    """Of those found to be of a class, the share that is: TP / (TP + FP).

    average: "binary", of class 1 against 0; "macro", the mean over the classes that occur in outputs or targets;
    "micro", from the sums of TP and FP over all classes; None, an array of one for each class.

    >>> precision([1, 1, 1, 0], [1, 0, 1, 1])
    0.6666666666666666
    """
    return averaged("precision", outputs, targets, average, lambda hits, found, true: (hits, found))


def recall(outputs: Any, targets: Any, average: str | None = "binary") -> Any:
    """Of those that are of a class, the share found to be: TP / (TP + FN). `average` as in `precision`.

    >>> recall([1, 1, 1, 0], [1, 0, 1, 1], average="macro")
    0.3333333333333333
    """
    return averaged("recall", outputs, targets, average, lambda hits, found, true: (hits, true))


def f1(outputs: Any, targets: Any, average: str | None = "binary") -> Any:
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall. `average` as in `precision`; "macro" is the
    mean of the classes' F1.

    >>> f1([1, 1, 1, 0], [1, 0, 1, 1], average=None)
    array([0.        , 0.66666667])
    """
    return averaged("f1", outputs, targets, average, lambda hits, found, true: (2 * hits, found + true))


def r2(outputs: Any, targets: Any) -> float:
    """For regression, 1 - sum of (target - output)^2 / sum of (target - mean target)^2: 1 is perfect, 0 no better than
    the mean. Rows of several outputs: the mean over the columns. Targets that are all the same give 1 where they are
    met exactly, and else 0.

    >>> r2([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    0.5
    """
    ys, ts = numbers("r2", outputs), numbers("r2", targets)
    if ys.shape != ts.shape or ys.ndim not in (1, 2) or not ys.size:
        raise ValueError(
            "r2 needs outputs and targets of one shape, numbers or rows of them, at least one."
            f" Received: {ys.shape} and {ts.shape}"
        )
    rest = ((ts - ys) ** 2).sum(axis=0)
    spread = ((ts - ts.mean(axis=0)) ** 2).sum(axis=0)
    constant = (ts == ts[0]).all(axis=0)  # their mean may be off by rounding
    share = np.divide(rest, spread, out=np.where(rest == 0.0, 0.0, 1.0), where=~constant & (spread > 0.0))
    return float(np.mean(1.0 - share))


def perplexity(outputs: Any, targets: Any) -> float:
    """e^(mean of -ln p[target]), p = softmax(logits): among how many equally likely classes one would be as unsure
    (Jelinek et al., 1977). outputs: rows of logits, or of log-probabilities.

    >>> round(perplexity([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]], [3, 0]), 12)
    4.0
    """
    rows = numbers("perplexity", outputs)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(
            f"perplexity needs a row of logits for each sample. Received: outputs of shape {rows.shape}"
        )
    truth = indices("perplexity", targets, len(rows))
    if truth.max() >= rows.shape[1]:
        raise ValueError(
            f"perplexity needs targets below {rows.shape[1]}, the logits of a row. Received: {truth.max()}"
        )
    with np.errstate(all="ignore"):
        z = rows - rows.max(axis=1, keepdims=True)
        nll = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), truth]
        return float(np.exp(nll.mean()))


# What they share --------------------------------------------------------------------------------------------------


def averaged(name: str, outputs: Any, targets: Any, average: str | None, parts: Any) -> Any:
    """A ratio of each class, from its (hits, found, true), or their average."""
    if not among(average, AVERAGES):
        raise ValueError(f"{name} needs average to be one of {[*AVERAGES]}. Received: {average!r}")
    matrix = counted(name, outputs, targets, None)
    if average == "binary":
        if len(matrix) > 2:
            raise ValueError(
                f"{name} needs an average over classes, such as 'macro', where there are more than two."
                f" Received: average='binary', {len(matrix)} classes"
            )
        matrix = np.pad(matrix, (0, 2 - len(matrix)))
    hits, found, true = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    above, below = parts(hits, found, true)
    if average == "micro":
        return ratio(above.sum(), below.sum()).item()
    ratios = ratio(above, below)
    if average == "macro":
        return float(ratios[found + true > 0].mean())
    return float(ratios[1]) if average == "binary" else ratios


def ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 where y is 0."""
    return np.divide(x, y, out=np.zeros(np.shape(y)), where=np.asarray(y) > 0)


def counted(name: str, outputs: Any, targets: Any, k: int | None) -> Ints:
    found, truth, width = classes(name, outputs, targets)
    needed = 1 + int(max(found.max(), truth.max()))
    k = max(width, needed) if k is None else size(name, "classes", k)
    if k < needed:
        raise ValueError(
            f"{name} needs classes to be more than each that occurs. Received: {k}, {needed - 1}"
        )
    matrix = np.zeros((k, k), np.int64)
    np.add.at(matrix, (truth, found), 1)
    return matrix


def classes(name: str, outputs: Any, targets: Any) -> tuple[Ints, Ints, int]:
    """The classes found, the true ones, and how many the outputs tell apart, as far as one sees."""
    array = plain(name, outputs)
    if array.ndim not in (1, 2) or not array.size or array.shape[1:] == (1,):
        raise ValueError(
            f"{name} needs outputs that are single numbers or rows of at least 2, for at least one sample."
            f" Received: shape {array.shape}"
        )
    truth = indices(name, targets, len(array))
    if array.ndim == 2:
        return np.argmax(array, axis=1), truth, int(array.shape[1])
    if array.dtype.kind == "f":
        return np.where(array > 0.0, 1, 0), truth, 2
    return indices(name, array, len(array)), truth, 0


def indices(name: str, xs: Any, n: int) -> Ints:
    """n class indices."""
    array = plain(name, xs)
    if array.shape != (n,):
        raise ValueError(
            f"{name} needs a target for each sample. Received: {n} samples, targets {array.shape}"
        )
    wrong = array[~((array >= 0) & (array == np.floor(array)) & (array < math.inf))]
    if wrong.size:
        raise ValueError(f"{name} needs class indices, whole numbers from 0. Received: {wrong[0]}")
    return np.asarray(array, np.int64)


def numbers(name: str, xs: Any) -> Floats:
    return np.asarray(plain(name, xs), float)


def plain(name: str, xs: Any) -> Any:
    """xs as an array of ints or floats, where Values are floats."""
    try:
        array = np.asarray(xs if isinstance(xs, np.ndarray) else nested(xs))
        if array.dtype == object:
            array = np.array([float(x) if isinstance(x, Value) else number(x) for x in array.flat]).reshape(
                array.shape
            )
    except (TypeError, OverflowError):
        raise TypeError(f"{name} needs numbers or Values. Received: others among them") from None
    except ValueError:
        raise ValueError(f"{name} needs lists of one length. Received: lists of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} needs numbers or Values. Received: an array of {array.dtype}")
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def nested(xs: Any) -> Any:
    """Generators and the like as lists."""
    return [nested(x) for x in xs] if hasattr(xs, "__iter__") and not isinstance(xs, (str, bytes)) else xs
