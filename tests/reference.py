"""What every operation of the table should give: the same functions in mpmath, in as many digits as it takes.

`REFERENCE[name]` is the function by its definition, at exact numbers or at `Dual` ones, which carry a derivative;
`exact(name, xs, wrt)` its value, or its derivative of any order. Nothing here is taken from the library.
"""

import functools
import math
from typing import Any

import mpmath
from mpmath import mp, mpf

# Numbers that carry a derivative ----------------------------------------------------------------------------------


class Dual:
    """value + slope e, where e^2 = 0. Both may be dual numbers again, and so on: one level for each derivative."""

    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    def __add__(self, other):
        return plus(self, other)

    def __sub__(self, other):
        return plus(self, -other)

    def __mul__(self, other):
        return times(self, other)

    def __truediv__(self, other):
        return over(self, other)

    def __rsub__(self, other):
        return plus(other, -self)

    def __rtruediv__(self, other):
        return over(other, self)

    def __pow__(self, n):
        return power(self, n)

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __abs__(self):
        return -self if self < 0 else self

    def __lt__(self, other):
        return number(self) < number(other)

    def __le__(self, other):
        return number(self) <= number(other)

    def __gt__(self, other):
        return number(self) > number(other)

    def __ge__(self, other):
        return number(self) >= number(other)

    def __eq__(self, other):
        return number(self) == number(other)

    def __bool__(self):
        return bool(number(self))

    __radd__, __rmul__ = __add__, __mul__
    __hash__ = object.__hash__


def number(x):
    while isinstance(x, Dual):
        x = x.value
    return x


def lift(f, *slopes):
    """f, at dual numbers too, from its partial derivatives as functions of the same inputs."""

    @functools.wraps(f)
    def lifted(*xs):
        if not any(isinstance(x, Dual) for x in xs):
            return f(*xs)
        values = [x.value if isinstance(x, Dual) else x for x in xs]
        slope = 0
        for x, partial in zip(xs, slopes, strict=True):
            if isinstance(x, Dual) and not (type(x.slope) is int and x.slope == 0):
                slope = partial(*values) * x.slope + slope
        return Dual(lifted(*values), slope)

    return lifted


def flat(x):
    return 0


plus = lift(lambda x, y: x + y, lambda x, y: 1, lambda x, y: 1)
times = lift(lambda x, y: x * y, lambda x, y: y, lambda x, y: x)
over = lift(lambda x, y: x / y, lambda x, y: mpf(1) / y, lambda x, y: -x / (y * y))
power: Any = lift(mp.power, lambda x, y: y * power(x, y - 1), lambda x, y: power(x, y) * log(x))
exp: Any = lift(mp.exp, lambda x: exp(x))
expm1 = lift(mp.expm1, exp)
log: Any = lift(mp.log, lambda x: 1 / x)
log1p = lift(mp.log1p, lambda x: 1 / (1 + x))
sqrt: Any = lift(mp.sqrt, lambda x: 1 / (2 * sqrt(x)))
cbrt: Any = lift(lambda x: mp.sign(x) * mp.cbrt(abs(x)), lambda x: cbrt(x) / (3 * x))
sin = lift(mp.sin, lambda x: cos(x))
cos: Any = lift(mp.cos, lambda x: -sin(x))
tan = lift(mp.tan, lambda x: 1 / cos(x) ** 2)
asin = lift(mp.asin, lambda x: 1 / sqrt(1 - x * x))
acos = lift(mp.acos, lambda x: -1 / sqrt(1 - x * x))
atan = lift(mp.atan, lambda x: 1 / (1 + x * x))
atan2 = lift(mp.atan2, lambda x, y: y / (x * x + y * y), lambda x, y: -x / (x * x + y * y))
sinh = lift(mp.sinh, lambda x: cosh(x))
cosh: Any = lift(mp.cosh, sinh)
tanh = lift(mp.tanh, lambda x: 1 / cosh(x) ** 2)
asinh = lift(mp.asinh, lambda x: 1 / sqrt(x * x + 1))
acosh = lift(mp.acosh, lambda x: 1 / sqrt(x * x - 1))
atanh = lift(mp.atanh, lambda x: 1 / (1 - x * x))
sign, floor, ceil, nint = (lift(f, flat) for f in (mp.sign, mp.floor, mp.ceil, mp.nint))

# The table --------------------------------------------------------------------------------------------------------


def choose(condition, x, y):
    return x if condition else y


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x, beta=1):
    z = beta * x
    return (z + log1p(exp(-z)) if z > 0 else log1p(exp(z))) / beta


def clip(x, low, high):
    return min(max(x, low), high)


def bell(x):
    """e^(-x^2), beyond the reach of doubles 0: mpmath takes long there."""
    return exp(-x * x) if abs(x) < 100 else mpf(0)


erf = lift(lambda x: mp.erf(x) if abs(x) < 100 else mp.sign(x), lambda x: 2 / mp.sqrt(mp.pi) * bell(x))
erfc = lift(lambda x: mp.erfc(x) if abs(x) < 100 else 1 - mp.sign(x), lambda x: -2 / mp.sqrt(mp.pi) * bell(x))


def normal_cdf(x):
    return erfc(-x / sqrt(2)) / 2


def elu(x, alpha=1):
    return x if x > 0 else alpha * expm1(x)


def normal_cdf_tanh(x):
    if abs(x) > 100:
        return mpf(x > 0)
    return sigmoid(2 * sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3))


SCALE, ALPHA = mpf(1.0507009873554805), mpf(1.6732632423543772)  # as published: the doubles

REFERENCE = {
    # arithmetic
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "floordiv": lambda x, y: floor(x / y),
    "mod": lambda x, y: x - y * floor(x / y),
    "pow": power,
    "neg": lambda x: -x,
    "abs": abs,
    "reciprocal": lambda x: 1 / x,
    # exponentials, logarithms, roots
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "log2": lambda x: log(x) / log(2),
    "log10": lambda x: log(x) / log(10),
    "sqrt": sqrt,
    "cbrt": cbrt,
    # choices and steps
    "maximum": max,
    "minimum": min,
    "clamp": clip,
    "where": choose,
    "step": lambda x, t: mpf(x >= t),
    "above": lambda x, y: mpf(x > y),
    "equal": lambda x, y: mpf(x == y),
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "round": nint,
    # what derivatives are made of
    "one_less_square": lambda x: 1 - x * x,
    "sech2": lambda x: 1 / cosh(x) ** 2,
    "logistic_pdf": lambda x: exp(-x) / (1 + exp(-x)) ** 2,
    # of vectors
    "sum": lambda *xs: sum(xs),
    "mean": lambda *xs: sum(xs) / len(xs),
    "prod": lambda *xs: math.prod(xs),
    "norm": lambda *xs: sqrt(sum(x * x for x in xs)),
    "logsumexp": lambda *xs: max(xs) + log1p(sum(exp(x - max(xs)) for x in xs) - 1),
    "largest": lambda *xs: max(xs),
    "pick": lambda *xsi: xsi[int(number(xsi[-1]))],
    "dot": lambda *wxb: sum(map(times, wxb[: len(wxb) // 2], wxb[len(wxb) // 2 : -1]), wxb[-1]),
    # trigonometry, hyperbolic functions, the bell curve
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "atan2": atan2,
    "hypot": lambda x, y: sqrt(x * x + y * y),
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
    "gaussian": bell,
    "normal_pdf": lambda x: bell(x / sqrt(2)) / sqrt(2 * mp.pi),
    "normal_cdf": normal_cdf,
    "normal_cdf_tanh": normal_cdf_tanh,
    "erf": erf,
    "erfc": erfc,
    # activation functions
    "identity": lambda x: x,
    "sigmoid": sigmoid,
    "steep_sigmoid": lambda x, beta: sigmoid(beta * x),
    "logsigmoid": lambda x: -softplus(-x),
    "hardsigmoid": lambda x: clip(x + 3, 0, 6) / 6,
    "hardtanh": clip,
    "softsign": lambda x: x / (1 + abs(x)),
    "isru": lambda x, alpha: x / sqrt(1 + alpha * x * x),
    "sparse_sigmoid": lambda x: clip(x + 1, 0, 2) / 2,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: clip(x, 0, 6),
    "squared_relu": lambda x: max(x, 0) ** 2,
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "prelu": lambda x, slope: x if x > 0 else slope * x,
    "rrelu": lambda x, low, high: x if x > 0 else (low + high) / 2 * x,
    "threshold": lambda x, t, value: x if x > t else value,
    "thresholded_relu": lambda x, t: x if x > t else 0,
    "softshrink": lambda x, t: sign(x) * max(abs(x) - t, 0),
    "hardshrink": lambda x, t: x if abs(x) > t else 0,
    "sparse_plus": lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "elu": elu,
    "celu": lambda x, alpha: max(0, x) + min(0, alpha * expm1(x / alpha)),
    "selu": lambda x: SCALE * elu(x, ALPHA),
    "softplus": softplus,
    "squareplus": lambda x, b: (x + sqrt(x * x + b)) / 2,
    "gelu": lambda x: x * normal_cdf(x),
    "gelu_tanh": lambda x: x * normal_cdf_tanh(x),
    "quick_gelu": lambda x: x * sigmoid(mpf(1.702) * x),
    "silu": lambda x, beta: x * sigmoid(beta * x),
    "mish": lambda x: x * tanh(softplus(x)),
    "hardswish": lambda x: x * clip(x + 3, 0, 6) / 6,
    "lisht": lambda x: x * tanh(x),
    "tanhshrink": lambda x: x - tanh(x),
    "bent_identity": lambda x: (sqrt(x * x + 1) - 1) / 2 + x,
    "snake": lambda x, a: x + sin(a * x) ** 2 / a,
}


def derivative(f, xs, wrt):
    """The mixed partial derivative of f at xs with respect to the inputs numbered in `wrt`, one after the other."""
    if not wrt:
        return f(*xs)
    *rest, i = wrt
    found = derivative(f, [Dual(x, int(k == i)) for k, x in enumerate(xs)], rest)
    return found.slope if isinstance(found, Dual) else mpf(0)


def difference(f, xs, wrt):
    """The same by central differences, which know no rule. The steps are so small that nothing between two doubles is
    stepped over; so they need many digits, and time."""
    if not wrt:
        return f(*xs)
    *rest, i = wrt
    h = (mpf(10) ** -30 * min(abs(xs[i]), 1) or mpf(10) ** -400) / max(1, *map(abs, xs))
    ends = [difference(f, [*xs[:i], xs[i] + step, *xs[i + 1 :]], rest) for step in (h, -h)]
    return (ends[0] - ends[1]) / (2 * h)


@functools.cache
def exact(name, xs, wrt=()):
    """REFERENCE[name], or its derivative, at floats, as an mpf. Digits are added until they no longer matter; 0 is
    what is far below the smallest double, or stays 0."""
    spread = int(sum(abs(math.log10(abs(x))) for x in xs if x and math.isfinite(x)))
    digits, last = 50 + min(spread, 20), None
    while True:
        with mpmath.workdps(digits):
            found = mpf(derivative(REFERENCE[name], [mpf(x) for x in xs], list(wrt)))
        change = mpf("inf") if last is None else abs(found - last)
        if found and change <= mpf(10) ** -25 * abs(found):
            return found
        if digits > 450 + 2 * spread and change <= mpf(10) ** -345:
            return found
        digits = digits + 25 if last is None else max(2 * digits, 400)
        last = found


LARGEST = mpf(2) ** 1024  # what inf stands for: the double that would come after the largest one


def ulps(got, true):
    """How many units in the last place of `true`, an mpf, the float `got` is away from it. That unit is the distance
    between doubles at the one nearest to `true`: 2^-1074 among the subnormal ones, 2^971 among the largest. inf, and
    what is true beyond the doubles, count as 2^1024."""
    if math.isnan(got) or mpmath.isnan(true):
        return 0.0 if math.isnan(got) and mpmath.isnan(true) else math.inf
    nearest = min(abs(float(true)), 1.7976931348623157e308)
    with mpmath.workdps(60):
        off = clip(mpf(got), -LARGEST, LARGEST) - clip(true, -LARGEST, LARGEST)
        return float(abs(off) / mpf(math.ulp(nearest)))
