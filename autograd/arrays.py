"""Formulas on arrays that need care: what `formulas` is for floats, in NumPy, and as fast as NumPy goes.

The table's `numpy` spellings name them where an inline one would overflow to nan, lose digits or be slow. They agree
with the table's formulas to 1e-12 at every point, edges included; only what is too small to be a normal double may
come out as 0. They keep float32, and expect `np.errstate(all="ignore")` around them: inf and nan are answers here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import local
from typing import Any

import numpy as np

__all__ = [
    "above",
    "bent_identity",
    "clamp",
    "equal",
    "erf",
    "erfc",
    "gelu",
    "hardtanh",
    "isru",
    "logsumexp",
    "mish",
    "norm",
    "normal_cdf",
    "pow",
    "sigmoid",
    "silu",
    "snake",
    "softplus",
    "squareplus",
    "step",
    "tanhshrink",
    "vecdot",
    "where",
]

BLOCK = 8192  # doubles: what is computed on the way then stays in the cache
SQRT2 = 1.4142135623730951
inf = np.inf


def blockwise(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The same on large arrays, a block at a time: arrays of megabytes on the way would cost more than the formula.
    Also on a float, which gives a float, and on integers, which are made floats."""

    @wraps(formula)
    def on_any(x: Any, *settings: Any) -> Any:
        if not isinstance(x, np.ndarray):
            out = formula(np.asarray(x, float if isinstance(x, (int, float)) else None)[()], *settings)
            return float(out) if isinstance(x, (int, float)) and not np.ndim(out) else out
        if x.dtype.kind != "f":
            x = x.astype(float)
        if x.size <= BLOCK or any(isinstance(s, np.ndarray) for s in settings):
            return formula(x, *settings)
        result = np.empty(x.shape, x.dtype)
        source, flat = x.reshape(-1), result.reshape(-1)
        for i in range(0, x.size, BLOCK):
            flat[i : i + BLOCK] = formula(source[i : i + BLOCK], *settings)
        return result

    return on_any


def is_number(x: Any) -> bool:
    """Whether x is written in the program, so that asking for its value is no branch on data."""
    return isinstance(x, (int, float))


def in_place(x: Any) -> Any:
    """Where to put what replaces x: x itself, unless it is one number."""
    return x if isinstance(x, np.ndarray) else None


def root(x: Any) -> Any:
    """The square root; of a Python number again one, for NumPy's own scalar would make float32 arrays float64."""
    return float(np.sqrt(x)) if is_number(x) else np.sqrt(x)


def dtype_of(*xs: Any) -> Any:
    """The floating-point type in which they meet."""
    return np.result_type(*xs, np.float32)


# Sums of products


def by_einsum(x: Any, y: Any) -> Any:
    return np.einsum("...i,...i->...", x, y)


vecdot = getattr(np, "vecdot", by_einsum)  # the sum of x y over the last axis; NumPy's own has come with 2.0


# Choices and steps: 1 and 0 as numbers, and nan where a comparison with nan has no answer


def difference(x: Any, y: Any) -> Any:
    """x - y where its sign tells which is larger; None where both may be infinite."""
    if is_number(y) and abs(y) < inf:
        return x - y if y else x
    if is_number(x) and abs(x) < inf:
        return x - y if x else -y
    return None


def above(x: Any, y: Any) -> Any:
    """1 if x > y else 0."""
    if (d := difference(x, y)) is not None:
        s = np.sign(d)
        return np.maximum(s, 0, out=in_place(s))
    larger = np.greater(x, y)
    answered = larger | np.less_equal(x, y)
    return np.divide(larger, answered, dtype=dtype_of(x, y))  # 0 / 0 where neither is true


def step(x: Any, threshold: Any = 0.0) -> Any:
    """1 if x >= threshold else 0."""
    if (d := difference(x, threshold)) is not None:
        s = np.sign(d)
        s += 1
        return np.minimum(s, 1, out=in_place(s))
    reached = np.greater_equal(x, threshold)
    answered = reached | np.less(x, threshold)
    return np.divide(reached, answered, dtype=dtype_of(x, threshold))


def equal(x: Any, y: Any) -> Any:
    """1 if x = y else 0."""
    return np.equal(x, y).astype(dtype_of(x, y))


def where(condition: Any, x: Any, y: Any) -> Any:
    """x if condition else y; two plain numbers take the condition's type."""
    if is_number(x) and is_number(y) and isinstance(condition, np.ndarray) and condition.dtype.kind == "f":
        x, y = condition.dtype.type(x), condition.dtype.type(y)
    return np.where(condition, x, y)


def clamp(x: Any, low: Any = -inf, high: Any = inf) -> Any:
    """x, but at least low and at most high."""
    if is_number(low) and is_number(high) and low <= high:
        if low == -inf:
            return np.minimum(x, high)
        return np.maximum(x, low) if high == inf else np.clip(x, low, high)
    top = np.greater(x, high) | np.greater(low, high)
    return np.where(top, high, np.where(np.less(x, low), low, x))


def hardtanh(x: Any, low: Any = -1.0, high: Any = 1.0) -> Any:
    """min(max(x, low), high)."""
    if is_number(low) and is_number(high) and low <= high:
        return clamp(x, low, high)
    return np.where(np.less(x, low), low, np.where(np.greater(x, high), high, x))


# Powers and sums


def pow(x: Any, y: Any) -> Any:
    """x^y; a few products where y is a small whole number, which are a hundred times as fast as a power."""
    if is_number(y) and isinstance(x, np.ndarray):
        if y < 0 and (y == -0.5 or float(y).is_integer()):
            return 1 / pow(x, -y)
        if y == 0.5:
            return np.where(x == -inf, inf, np.sqrt(x) + 0.0)  # + 0 makes -0 the 0 that a power is
        if 1 <= y <= 64 and float(y).is_integer():
            return product(x, int(y))
    return np.power(x, y)


def product(x: Any, n: int) -> Any:
    """x^n for n >= 1, by repeated squaring."""
    out = None
    while True:
        if n & 1:
            out = x if out is None else out * x
        n >>= 1
        if not n:
            return out
        x = x * x


def norm(x: Any) -> Any:
    """The Euclidean length of each row; where its square would not be a normal number, of the row over its largest."""
    x = np.asarray(x)
    length = np.sqrt(np.sum(x * x, axis=-1))
    if np.all((length > 1e-10) & (length < 1e18)):
        return length
    size = np.fmax.reduce(np.abs(x), axis=-1, keepdims=True, initial=0)  # inf, if any is: even beside a nan
    scale = np.where((size > 0) & (size < inf), size, 1)
    scaled = x / scale
    length = np.sqrt(np.sum(scaled * scaled, axis=-1)) * scale[..., 0]
    return np.where(size[..., 0] == inf, inf, length)


def logsumexp(x: Any) -> Any:
    """ln(e^x1 + e^x2 + ...) of each row. The largest is taken out, so that nothing overflows, and its e^0 = 1 is left
    to log1p, so that the others keep their digits beside it."""
    x = np.asarray(x)
    top = np.max(x, axis=-1, keepdims=True)
    top = np.where(np.abs(top) < inf, top, 0)  # an infinite one comes out by itself, as e^inf or ln 0
    largest = x == top
    others = np.exp(x - top)
    others -= largest
    ties = np.sum(largest, axis=-1, dtype=others.dtype)
    return top[..., 0] + np.log1p(np.sum(others, axis=-1) + (ties - 1))


# Sigmoid and its kin


@blockwise
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x): where e^-x is inf, 0, and the right one was too small to be a normal number."""
    e = np.exp(-x)
    e += 1
    return 1 / e


@blockwise
def softplus(x: Any, beta: Any = 1.0) -> Any:
    """ln(1 + e^(beta x)) / beta as max(z, 0) + ln(1 + e^-|z|), which neither overflows nor cancels."""
    z = x if is_one(beta) else beta * x
    out = np.log1p(np.exp(-np.abs(z)))
    out += np.maximum(z, 0)
    return out if is_one(beta) else out / beta


def is_one(x: Any) -> bool:
    return is_number(x) and x == 1


@blockwise
def silu(x: Any, beta: Any = 1.0) -> Any:
    """x sigmoid(beta x); 0 where a closed gate meets infinity."""
    if is_number(beta) and 1e-3 <= beta < inf:  # the gate is closed to the last digit long before x is -1e6
        e = np.exp((-beta) * x)
        e += 1
        return np.maximum(x, -1e6) / e
    z = beta * x
    root = np.exp(-0.5 * np.abs(z))  # of e^-|z|, which alone could be too small to have all its digits
    out = np.where(z < 0, x * root * root, x) / (1 + root * root)
    return np.where(z < -800, np.copysign(0, x), out)


@blockwise
def mish(x: Any) -> Any:
    """x tanh(ln(1 + e^x)), and that tanh is ((1 + e)^2 - 1) / ((1 + e)^2 + 1) with e = e^x; 1 from x = 40."""
    e = np.exp(np.minimum(x, 40))
    e *= e + 2
    return np.maximum(x, -1e3) * (e / (e + 2))


@blockwise
def tanhshrink(x: Any) -> Any:
    """x - tanh x; near 0 by the continued fraction tanh x = x / (1 + x^2 / (3 + x^2 / (5 + ...))), all of one sign."""
    s = np.minimum(x * x, 1)
    q = s / (3 + s / (5 + s / (7 + s / (9 + s / 11))))
    return np.where(np.abs(x) < 0.2, x * q / (1 + q), x - np.tanh(x))


@blockwise
def isru(x: Any, alpha: Any = 1.0) -> Any:
    """x / (1 + alpha x^2)^(1/2)."""
    c = root(alpha)
    return np.where(np.abs(x) == inf, np.copysign(1, x) / c, x / np.hypot(1, c * x))


@blockwise
def squareplus(x: Any, b: Any = 4.0) -> Any:
    """(x + (x^2 + b)^(1/2)) / 2; where x < 0, where that cancels, b / 4 over half of what it subtracts."""
    half = 0.5 * np.hypot(x, root(b)) + 0.5 * np.abs(x)
    return np.where(x < 0, b / 4 / half, half)


@blockwise
def bent_identity(x: Any) -> Any:
    """((x^2 + 1)^(1/2) - 1) / 2 + x as x (1 + t / 2), t = x / (1 + (x^2 + 1)^(1/2)), which is 1 long before 1e17."""
    t = np.clip(x, -1e17, 1e17)
    t = t / (1 + np.sqrt(t * t + 1))
    return x * (1 + 0.5 * t)


@blockwise
def snake(x: Any, a: Any = 1.0) -> Any:
    """x + sin(a x)^2 / a."""
    z = a * x
    wave = np.sin(z)
    return x + np.where(np.abs(z) < inf, wave * wave / a, 0 * a)


# The bell curve's integral. Beyond 39 standard deviations, what is left of it is not a normal number

# e^(a^2 / 2) (1 - Phi(a)) is P(a) / Q(a) for a in [0, 39], with a relative error of 5.2e-17 before rounding: a Remez
# exchange in 60 digits gave the coefficients of P and Q, from the constant upwards. None is negative: nothing cancels.
P = (
    0.49999999999999997434,
    0.77488040443755726378,
    0.59405594722878152557,
    0.28933974286154720955,
    0.097702627358627518548,
    0.023623453151052718186,
    0.0040895375355182706633,
    0.00049045060373601456014,
    3.7257260649782627981e-5,
    1.3858438553523574845e-6,
    0.0,
)
Q = (
    1.0,
    2.3476453696779697625,
    2.561261889164273562,
    1.714409638684656788,
    0.7820586233284326931,
    0.25496832673921697803,
    0.060437645798030507881,
    0.010344340508490664415,
    0.00123285114622581655,
    9.3390102977908099395e-5,
    3.4737953920601596273e-6,
)
# Their even and their odd halves, as polynomials in a^2: one matrix product of powers gives all four
HALVES = np.array([P[::2], Q[::2], (*P[1::2], 0.0), (*Q[1::2], 0.0)])


class Workspace(local):
    """Arrays to work in, for each thread its own: to ask for them anew would take longer than to fill them."""

    def __init__(self) -> None:
        self.kept: dict[Any, tuple[Any, Any]] = {}

    def of(self, dtype: Any) -> tuple[Any, Any]:
        """The matrix of four polynomials, and room for six powers of a block and the four values."""
        if dtype not in self.kept:
            self.kept[dtype] = HALVES.astype(dtype), np.ones((10, BLOCK), dtype)
        return self.kept[dtype]


workspace = Workspace()


def mills(a: Any) -> Any:
    """e^(a^2 / 2) (1 - Phi(a)) for 0 <= a <= 40, of one block: the tail over (2 pi)^(1/2) times the density."""
    flat = a.reshape(-1)
    halves, room = workspace.of(flat.dtype)
    powers, values = room[:6, : flat.size], room[6:, : flat.size]  # the first row stays 1
    np.multiply(flat, flat, out=powers[1])
    np.multiply(powers[1], powers[1], out=powers[2])
    np.multiply(powers[1:3], powers[2], out=powers[3:5])
    np.multiply(powers[1], powers[4], out=powers[5])
    np.matmul(halves, powers, out=values)
    even, odd = values[:2], values[2:]
    odd *= flat
    even += odd
    return np.divide(even[0], even[1]).reshape(a.shape)


def tail(a: Any) -> Any:
    """1 - Phi(a) for 0 <= a <= 40."""
    out = a * a
    out *= -0.5
    out = np.exp(out)
    out *= mills(a)
    return out


def half_erfc(x: Any) -> Any:
    """erfc(|x|) / 2."""
    a = np.minimum(np.abs(x), 28)
    out = np.exp(-a * a)
    out *= mills(SQRT2 * a)
    return out


@blockwise
def normal_cdf(x: Any) -> Any:
    """The integral of the normal density up to x, each side by the tail it has."""
    return np.abs((x >= 0) - tail(np.minimum(np.abs(x), 40)))


@blockwise
def gelu(x: Any) -> Any:
    """x Phi(x), as max(x, 0) less |x| times the tail: both sides at once, without cancellation."""
    a = np.minimum(np.abs(x), 40)
    return np.maximum(x, 0) - a * tail(a)


@blockwise
def erfc(x: Any) -> Any:
    """1 - erf(x)."""
    return 2 * np.abs((x < 0) - half_erfc(x))


@blockwise
def erf(x: Any) -> Any:
    """2 / pi^(1/2) * the integral of e^(-t^2) from 0 to x; near 0 a polynomial, where 1 - erfc(x) would cancel."""
    s = np.minimum(x * x, 1)
    near = -0.0008404642426265352 * s  # Chebyshev's, on |x| <= 0.2, to 2.4e-16
    for c in (0.005223331378883251, -0.02686615722695757, 0.11283791658353456, -0.37612638903140455):
        near += c
        near *= s
    near += 1.1283791670955123
    return np.where(s < 0.04, x * near, np.copysign(1 - 2 * half_erfc(x), x))
