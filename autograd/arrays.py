"""Formulas on arrays that need care: what `formulas` is for floats, in NumPy, and as fast as NumPy goes.

The table's `numpy` spellings name them where an inline one would overflow to nan, lose digits or be slow. In
double precision they are as exact as the table's formulas, within 4 units in the last place (`tests.accuracy`), tails
and edges included. They keep float32, and expect `np.errstate(all="ignore")` around them: inf and nan are answers here.
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
    "cbrt",
    "clamp",
    "equal",
    "erf",
    "erfc",
    "gaussian",
    "gelu",
    "gelu_tanh",
    "isru",
    "logistic_pdf",
    "logsumexp",
    "mish",
    "norm",
    "normal_cdf",
    "normal_cdf_tanh",
    "normal_pdf",
    "pow",
    "sech2",
    "sigmoid",
    "silu",
    "snake",
    "softplus",
    "softsign",
    "squareplus",
    "steep_sigmoid",
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
            plain = isinstance(x, (int, float, np.integer, np.bool_))  # whole ones would stay so in place
            out = formula(np.asarray(x, float if plain else None)[()], *settings)
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


# Powers and sums


def pow(x: Any, y: Any) -> Any:
    """x^y; a few products where y is a small whole number, which are a hundred times as fast as a power."""
    if is_number(y) and isinstance(x, np.ndarray):
        if y == -0.5:
            return 1 / pow(x, 0.5)
        if -3 <= y < 0 and float(y).is_integer():
            return pow(1 / x, -y)  # x^-y could be too large or too small where x^y is not
        if y == 0.5:
            return np.where(x == -inf, inf, np.sqrt(x) + 0.0)  # + 0 makes -0 the 0 that a power is
        if 1 <= y <= 6 and float(y).is_integer():
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


@blockwise
def cbrt(x: Any) -> Any:
    """x^(1/3), right to the last digit: with one of Newton's steps for y^3 = x, since NumPy's own may be off by a few
    units there. The scale, a power of 2, keeps all parts of y^3 within the doubles."""
    near = np.cbrt(x)
    if near.dtype != np.float64:
        return near
    scale = np.where(np.abs(x) > 1, 2.0**-200, 2.0**200)
    y = near * scale
    square = y * y
    cube = square * y
    left = (x * scale**3 - cube) - rounding(square, y, cube) - rounding(y, y, square) * y
    return np.where((near == 0) | (np.abs(near) == inf), near, (y + left / (3 * square)) / scale)


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


# What a product's rounding loses. e^z is wrong by |z| / 2 units in the last place where z was rounded


def split(x: Any) -> tuple[Any, Any]:
    """x as head + tail, the head of 26 bits, so that products of heads are exact (Veltkamp, 1968)."""
    c = 134217729.0 * x  # 2^27 + 1
    head = c - (c - x)
    return head, x - head


def rounding(x: Any, y: Any, product: Any) -> Any:
    """x y less the float x * y, exactly (Dekker, 1971); of other types than double 0, their tails being lost anyhow."""
    if getattr(product, "dtype", None) != np.float64:
        return 0
    (a, b), (c, d) = split(x), split(y)
    return (a * c - product) + (a * d + b * y)


def mended(out: Any, where: Any, formula: Callable[..., Any], *xs: Any) -> Any:
    """`out`, but `formula` of the x's at the few points where it says so."""
    if not where.any():
        return out
    if not isinstance(out, np.ndarray):
        return formula(*xs)
    out[where] = formula(*(np.broadcast_to(x, out.shape)[where] if np.ndim(x) else x for x in xs))
    return out


# Sigmoid and its kin


@blockwise
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), and e^x where e^-x is infinite and e^x not yet 0."""
    e = np.exp(-x)
    e += 1
    return mended(1 / e, x < -708, np.exp, x)


@blockwise
def steep_sigmoid(x: Any, beta: Any = 1.0) -> Any:
    """1 / (1 + e^(-beta x)), with the rounding of beta x put right."""
    if is_one(beta):
        return sigmoid(x)
    z, rest = scaled(x, beta)
    s = sigmoid(z)
    return s + s * (1 - s) * rest


def scaled(x: Any, beta: Any) -> tuple[Any, Any]:
    """beta x, and what its rounding left out where that is of use: not where `split` overflows."""
    z = beta * x
    rest = rounding(x, beta, z)
    return z, rest if is_number(rest) else np.where(np.abs(rest) < 1, rest, 0)


@blockwise
def logistic_pdf(x: Any) -> Any:
    """e^-x / (1 + e^-x)^2, of |x|, which it is of x too."""
    e = np.exp(-np.abs(x))
    square = e + 2
    square *= e
    square += 1
    return e / square


@blockwise
def softplus(x: Any, beta: Any = 1.0) -> Any:
    """ln(1 + e^(beta x)) / beta as max(z, 0) + ln(1 + e^-|z|), which neither overflows nor cancels."""
    if is_one(beta):
        out = np.log1p(np.exp(-np.abs(x)))
        out += np.maximum(x, 0)
        return out
    z, rest = scaled(x, beta)
    e = np.exp(-np.abs(z))
    e -= e * rest * np.sign(z)
    return (np.log1p(e) + np.maximum(z, 0)) / beta


def is_one(x: Any) -> bool:
    return is_number(x) and x == 1


@blockwise
def silu(x: Any, beta: Any = 1.0) -> Any:
    """x sigmoid(beta x); 0 where a closed gate meets infinity."""
    if is_one(beta):
        e = np.exp(-x)
        e += 1
        return mended(np.maximum(x, -1e6) / e, x < -708, times_exp, x, x)
    z, rest = scaled(x, beta)
    if is_number(beta) and 1e-3 <= beta <= 1e3:
        e = np.exp(-z)
        e += 1
        s = 1 / e
        s += s * (1 - s) * rest
        return mended(np.maximum(x, -1e6) * s, z < -700, times_exp, x, z, rest)
    root = np.exp(-0.5 * np.abs(z))  # of e^-|z|, which alone could be too small to have all its digits
    e = root * root
    out = np.where(z < 0, x * root * root, x) / (1 + e)
    out = out * (1 + rest * np.where(z < 0, 1, e) / (1 + e))
    return np.where(z < -800, np.copysign(0, x), out)


def times_exp(x: Any, z: Any, rest: Any = 0) -> Any:
    """x e^(z + rest) for z < 0, also where e^z alone would be too small to have all its digits."""
    root = np.exp(np.maximum(z, -1e6) / 2)
    return np.maximum(x, -1e6) * root * root * (1 + rest)


@blockwise
def mish(x: Any) -> Any:
    """x tanh(ln(1 + e^x)), and that tanh is ((1 + e)^2 - 1) / ((1 + e)^2 + 1) with e = e^x; 1 from x = 40."""
    e = np.exp(np.minimum(x, 40))
    e *= e + 2
    return mended(np.maximum(x, -1e3) * (e / (e + 2)), x < -700, times_exp, x, x)


def sech2(x: Any) -> Any:
    """1 / cosh(x)^2, of which the square alone would overflow too early."""
    c = np.cosh(x)
    out = 1 / c
    out /= c
    return out


@blockwise
def tanhshrink(x: Any) -> Any:
    """x - tanh x; near 0 by the continued fraction tanh x = x / (1 + x^2 / (3 + x^2 / (5 + ...))), nine levels of it
    written as one fraction, all of whose terms are of one sign."""
    s = np.minimum(x * x, 2)
    p = polynomial(s, 1.0, 1430.0, 289575.0, 16081065.0, 218243025.0)
    q = polynomial(s, 1.0, 1485.0, 315315.0, 18918900.0, 310134825.0, 654729075.0)
    return np.where(s < 1.5625, x * (s * p / q), x - np.tanh(x))


def polynomial(x: Any, *coefficients: float) -> Any:
    """By Horner's rule, from the highest power downwards."""
    out = coefficients[0] * x
    for c in coefficients[1:-1]:
        out += c
        out *= x
    return out + coefficients[-1]


@blockwise
def softsign(x: Any) -> Any:
    """x / (1 + |x|), also where x is infinite."""
    x = np.clip(x, -1e30, 1e30)
    return x / (1 + np.abs(x))


@blockwise
def isru(x: Any, alpha: Any = 1.0) -> Any:
    """x / (1 + alpha x^2)^(1/2), or 1 / (1 / x^2 + alpha)^(1/2), so that neither overflows."""
    c = root(alpha)
    far = np.abs(x) > 1
    return np.where(far, np.copysign(1, x), x) / np.hypot(np.where(far, 1 / x, 1), np.where(far, c, c * x))


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

# e^(a^2 / 2) (1 - Phi(a)) is K / (a + N(a) / P(a)) for a in [0, 39], with a relative error of 5.2e-17 before rounding.
# A Remez exchange in 60 digits gave the coefficients, from the constant upwards, of P and Q, where P / Q is that
# function; N = K Q - a P. Almost all are positive: nothing cancels. The larger a, the less counts a rounding in N / P.
K = 0.3989422804014327  # (2 pi)^(-1/2)
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
N = (
    0.39894228040143267794,
    0.43657499735319371609,
    0.24691525433091954466,
    0.089894543570271706795,
    0.022656507736702805331,
    0.0040150183408532862748,
    0.00048767908570763813869,
    3.7257256187910668981e-5,
    1.3858439348328263095e-6,
    -8.5134204638309986893e-16,
    4.1114812291669600195e-18,
)
# Their even and their odd halves, as polynomials in a^2: one matrix product of powers gives all four
HALVES = np.array([N[::2], P[::2], (*N[1::2], 0.0), (*P[1::2], 0.0)])


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
    out = np.divide(even[0], even[1])
    out += flat
    return np.divide(K, out, out=out).reshape(a.shape)


def bell(x: Any, c: float) -> Any:
    """e^(-c x^2) for |x| <= 100. With x^2 rounded it would be wrong by c x^2 units in the last place; of the 24 bits
    that float32 keeps, the square is exact, and what the rounding lost is found from it."""
    square = x * x
    head = x.astype(np.float32).astype(x.dtype)
    lost = head * head
    lost -= square
    lost += (x - head) * (x + head)
    out = np.exp(-c * square)
    out -= out * (c * lost)
    return out


@blockwise
def gaussian(x: Any) -> Any:
    """e^(-x^2)."""
    return bell(np.clip(x, -40, 40), 1.0)


@blockwise
def normal_pdf(x: Any) -> Any:
    """e^(-x^2 / 2) / (2 pi)^(1/2)."""
    return K * bell(np.clip(x, -40, 40), 0.5)


def tail(a: Any) -> Any:
    """1 - Phi(a) for 0 <= a <= 40."""
    return bell(a, 0.5) * mills(a)


def half_erfc(x: Any) -> Any:
    """erfc(|x|) / 2."""
    a = np.minimum(np.abs(x), 28)
    return bell(a, 1.0) * mills(SQRT2 * a)


@blockwise
def normal_cdf(x: Any) -> Any:
    """The integral of the normal density up to x, each side by the tail it has."""
    return np.abs((x >= 0) - tail(np.minimum(np.abs(x), 40)))


@blockwise
def gelu(x: Any) -> Any:
    """x Phi(x), as max(x, 0) less |x| times the tail: both sides at once, without cancellation."""
    a = np.minimum(np.abs(x), 40)
    return np.maximum(x, 0) - bell(a, 0.5) * (a * mills(a))


# Its approximation by a logistic curve

A, B = 1.5957691216057308, 0.07135481627260025  # 2 (2 / pi)^(1/2), and 0.044715 times that
# The same as multiples of 2^-30 and of 2^-18, which leave room for exact products, and their rest
A_HEAD, A_TAIL = 1.595769121311605, 2.941257351057315e-10
B_HEAD, B_TAIL = 0.07135391235351562, 9.039190846237764e-07


def cubic(x: Any) -> tuple[Any, Any]:
    """A x + B x^3 for |x| <= 30, and what its rounding left out. Of h, the multiple of 1 / 64 next to x, all of it is
    exact but for the tails; the step from h to x is short, and so is its rounding."""
    if x.dtype != np.float64:
        return x * (A + B * (x * x)), 0
    h = np.rint(64 * x)
    h *= 1 / 64
    step = x - h
    cube = h * h * h
    z = A_HEAD * h + B_HEAD * cube
    slope = 3 * B * h * x
    slope += B * step * step
    slope += A
    rest = slope * step
    rest += A_TAIL * h + B_TAIL * cube
    total = z + rest
    return total, rest - (total - z)


@blockwise
def normal_cdf_tanh(x: Any) -> Any:
    """sigmoid(2 (2 / pi)^(1/2) (x + 0.044715 x^3)), with the rounding of that argument put right."""
    z, rest = cubic(np.clip(x, -30, 30))
    s = sigmoid(z)
    return s + s * (1 - s) * rest


@blockwise
def gelu_tanh(x: Any) -> Any:
    """x normal_cdf_tanh(x)."""
    x = np.maximum(x, -30)
    z, rest = cubic(np.minimum(x, 30))
    e = np.exp(-z)
    e += 1
    s = 1 / e
    s += s * (1 - s) * rest
    return mended(x * s, z < -700, times_exp, x, z, rest)


@blockwise
def erfc(x: Any) -> Any:
    """1 - erf(x)."""
    return 2 * np.abs((x < 0) - half_erfc(x))


@blockwise
def erf(x: Any) -> Any:
    """2 / pi^(1/2) * the integral of e^(-t^2) from 0 to x; near 0 a polynomial, where 1 - erfc(x) would cancel."""
    s = np.minimum(x * x, 0.5)
    return np.where(s < 0.5, x * polynomial(s, *ERF), np.copysign(1 - 2 * half_erfc(x), x))


# erf(x) / x as a polynomial in x^2, to 2.9e-17 for x^2 <= 0.5: through its values at Chebyshev's points
ERF = (
    -1.3071203371526935e-07,
    1.6125756652237547e-06,
    -1.4906250578086517e-05,
    0.0001205465124082153,
    -0.0008548312133862098,
    0.005223977426985298,
    -0.026866170629913998,
    0.11283791670895803,
    -0.37612638903182855,
    1.1283791670955126,
)
