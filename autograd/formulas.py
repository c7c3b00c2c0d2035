"""Formulas on floats that need care: IEEE's answers at the edges, and every digit in the tails."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np


def ieee(exact: Callable[[float], float], fallback: Callable[..., Any]) -> Callable[[float], float]:
    """`exact` wherever Python answers, and NumPy's inf or nan where Python raises."""

    def formula(x: float) -> float:
        try:
            return exact(x)
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                return float(fallback(x))

    return formula


def ieee2(
    exact: Callable[[float, float], float], fallback: Callable[..., Any]
) -> Callable[[float, float], float]:
    """The same for two inputs."""

    def formula(x: float, y: float) -> float:
        try:
            return exact(x, y)
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                return float(fallback(x, y))

    return formula


def quotient(x: float, y: float) -> float:
    """x / y, where y = 0 gives inf or nan as IEEE has it."""
    try:
        return x / y
    except ZeroDivisionError:
        return math.nan if x == 0.0 or x != x else math.copysign(math.inf, x) * math.copysign(1.0, y)


def split(x: float) -> tuple[float, float]:
    """x as head + tail, the head of 26 bits, so that products of heads are exact (Veltkamp, 1968)."""
    c = 134217729.0 * x  # 2^27 + 1
    head = c - (c - x)
    return head, x - head


def rounding(x: float, y: float) -> float:
    """x y less the float x * y, exactly (Dekker, 1971). e^(x y) is wrong by that much where it is left out."""
    (a, b), (c, d) = split(x), split(y)
    error = (a * c - x * y + a * d + b * c) + b * d
    return error if error == error else 0.0  # beyond 1e300 `split` overflows


def cube_root(x: float) -> float:
    """x^(1/3), right to the last digit: with one of Newton's steps for y^3 = x, since the platform's own may be off by
    a few units there. The scale, a power of 2, keeps all parts of y^3 within the doubles."""
    y = float(np.cbrt(x))
    if not 0.0 < abs(y) < math.inf:
        return y
    scale = 2.0**-200 if abs(x) > 1.0 else 2.0**200
    x, y = x * scale**3, y * scale
    square = y * y
    left = (x - square * y) - rounding(square, y) - rounding(y, y) * y
    return (y + left / (3.0 * square)) / scale


def bell(x: float, c: float) -> float:
    """e^(-c x^2), c a power of 2. With x^2 rounded first it would be wrong by x^2/2 units in the last place."""
    if not abs(x) < 60.0:
        return x * 0.0 if x != x else 0.0
    head, tail = split(x)
    return math.exp(-c * head * head) * math.exp(-c * tail * (x + head))


def normal_integral(x: float) -> float:
    """erfc(-x / 2^(1/2)) / 2, with the error of that rounded argument put right to first order."""
    if not abs(x) < 60.0:
        return x if x != x else float(x > 0.0)
    c, rest = 0.7071067811865476, -4.833646656726457e-17  # 2^(-1/2) and what that double leaves out
    z = -x * c
    (xh, xt), (ch, ct) = split(-x), split(c)
    error = (xh * ch - z + xh * ct + xt * ch) + xt * ct - x * rest
    return 0.5 * (math.erfc(z) - 1.1283791670955126 * bell(z, 1.0) * error)


def logistic_density(x: float) -> float:
    """e^-x / (1 + e^-x)^2, of |x|, which it is of x too."""
    e = math.exp(-abs(x))
    return e / (1.0 + e * (2.0 + e))


def total(*xs: float) -> float:
    """From left to right, as the same sum written by hand; the builtin `sum` of Python 3.12 rounds otherwise."""
    return reduce(operator.add, xs, 0.0)


def average(*xs: float) -> float:
    if not xs:
        raise ValueError("mean needs at least one number. Received: none")
    return total(*xs) / len(xs)


def weighted_sum(*wxb: float) -> float:
    """b + w1 x1 + w2 x2 + ..., in this order, from the flat (w..., x..., b)."""
    if len(wxb) % 2 == 0:
        raise ValueError(f"dot needs as many weights as inputs, and a bias. Received: {len(wxb)} numbers")
    n = len(wxb) // 2
    return reduce(operator.add, map(operator.mul, wxb[:n], wxb[n:-1]), wxb[-1])


def top(*xs: float) -> float:
    """The largest; nan if there is one."""
    if not xs:
        raise ValueError("largest needs at least one number. Received: none")
    return next((x for x in xs if x != x), max(xs))


def element(*xsi: float) -> float:
    """The number at position i, both given flat: (x0, x1, ..., i)."""
    if len(xsi) < 2:
        raise ValueError(f"pick needs at least one number, and an index. Received: {len(xsi)} numbers")
    *xs, i = xsi
    if not (i.is_integer() and 0 <= i < len(xs)):
        raise IndexError(f"an index is a whole number from 0 to {len(xs) - 1}. Received: {i:g}")
    return xs[int(i)]


def log_sum_exp(*xs: float) -> float:
    """With the maximum taken out, so that nothing overflows."""
    if not xs:
        raise ValueError("logsumexp needs at least one number. Received: none")
    if any(x != x for x in xs):
        return math.nan
    *others, top = sorted(xs)
    return top if math.isinf(top) else top + math.log1p(math.fsum(math.exp(x - top) for x in others))
