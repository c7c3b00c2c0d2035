"""Checks of what comes in: an int, a number, a list. Errors name whose argument it was, and what was received."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.checks import among as among
from autograd.checks import function as function
from autograd.checks import one_line as one_line
from autograd.checks import text as text
from autograd.checks import whole
from autograd.ops import number

__all__: list[str] = []  # for the modules of nn


def size(owner: str, name: str, n: Any) -> int:
    """n as a positive int, or an error that says whose number it should have been."""
    return whole(owner, name, n)


def real(owner: str, name: str, x: Any) -> float:
    """x as a float."""
    try:
        return number(x)
    except TypeError:
        raise TypeError(f"{owner} needs a number as {name}. Received: {x!r} ({type(x).__name__})") from None
    except OverflowError:
        raise ValueError(f"{owner} needs a number that a float holds as {name}. Received: {x}") from None


def positive(owner: str, name: str, x: Any) -> float:
    """x as a finite number above 0."""
    value = real(owner, name, x)
    if not 0.0 < value < math.inf:
        raise ValueError(f"{owner} needs {name} to be finite and above 0. Received: {name}={value:g}")
    return value


def nonnegative(owner: str, name: str, x: Any) -> float:
    """x as a finite number of at least 0."""
    value = real(owner, name, x)
    if not 0.0 <= value < math.inf:
        raise ValueError(f"{owner} needs {name} to be finite and at least 0. Received: {name}={value:g}")
    return value


def share(owner: str, name: str, x: Any) -> float:
    """x as a number from 0 to 1."""
    value = real(owner, name, x)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{owner} needs {name} from 0 to 1. Received: {name}={value:g}")
    return value


def listed(names: Sequence[str], most: int = 10) -> str:
    """The first of these names, whatever is in them, and how many more there are."""
    rest = len(names) - most
    shown = [one_line(name, 100) for name in names[:most]]
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def is_list(xs: Any) -> bool:
    """Whether it has entries in an order: a list, tuple, array, range, generator and the like."""
    if isinstance(xs, np.ndarray):
        return xs.ndim > 0
    return hasattr(xs, "__iter__") and not isinstance(xs, (str, bytes, dict, set, frozenset))


def entries(owner: str, what: str, xs: Any) -> list[Any]:
    """The entries of something of that kind."""
    if not is_list(xs):
        raise TypeError(f"{owner} needs a list of {what}. Received: {type(xs).__name__}")
    return list(xs)


def shape(xs: Any) -> tuple[int, ...]:
    """The sizes of an array, or of nested lists by their first entries; none of a single number."""
    if isinstance(xs, np.ndarray):
        return tuple(xs.shape)
    if not is_list(xs) or not hasattr(xs, "__len__"):
        return ()
    return (len(xs), *shape(next(iter(xs), None)))
