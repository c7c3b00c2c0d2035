"""Checks of what comes in: errors name whose argument it was, and what was received, on one line."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__: list[str] = []  # for the functions of this package, and of nn


def whole(owner: str, name: str, n: Any, least: int = 1) -> int:
    """n as an int of at least `least`.

    >>> whole("GPT", "width", 16)
    16
    >>> whole("GPT", "width", 0)
    Traceback (most recent call last):
    ValueError: GPT needs width to be at least 1. Received: width=0
    """
    try:
        found = operator.index(n)
    except TypeError:
        found = None
    if found is None or isinstance(n, (bool, np.bool_)):
        raise TypeError(f"{owner} needs an int as {name}. Received: {n!r} ({type(n).__name__})")
    if found < least:
        raise ValueError(f"{owner} needs {name} to be at least {least}. Received: {name}={found}")
    if found > sys.maxsize:
        raise OverflowError(
            f"{owner} needs {name} to be a size that an array can have. Received: {found!r:.60}"
        )
    return found


def function(owner: str, name: str, f: Any) -> Any:
    """f, if it can be called."""
    if not callable(f):
        raise TypeError(f"{owner} needs a function or class as {name}. Received: {f!r} ({type(f).__name__})")
    return f


def text(owner: str, name: str, x: Any) -> str:
    """x, if it is a str."""
    if not isinstance(x, str):
        raise TypeError(f"{owner} needs a str as {name}. Received: {x!r} ({type(x).__name__})")
    return x


JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # which some writings and pictures need


def one_line(text: str, longest: int = 40) -> str:
    """A name as one line of text, cut where it is long, without what would move a terminal's cursor.

    >>> one_line("a\\x1b[2J\\nb")
    'a[2J b'
    """
    start = text[: 8 * longest]
    shown = "".join(c for c in " ".join(start.split()) if c.isprintable() or c in JOINERS)
    return cut(shown, longest, more=start != text)


def cut(text: str, longest: int, more: bool = False) -> str:
    """The text, or its beginning and three dots where it is longer, or where `more` of it follows."""
    return text if len(text) <= longest and not more else text[: longest - 3] + "..."


def among(x: Any, names: Iterable[str | None]) -> bool:
    """Whether x is one of these; an array is not, which `in` would compare number by number."""
    return (x is None or isinstance(x, str)) and x in [*names]
