"""What every operation of the table should give: the same functions in mpmath, in as many digits as it takes.

`REFERENCE[name]` is the function by its definition, at exact numbers; `exact(name, xs, wrt)` its value, or its
derivative of any order, rounded once. Nothing here is taken from the library.
"""

import functools
import math

import mpmath
from mpmath import mp, mpf


def choose(condition, x, y):
    return x if condition else y


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x, beta=1):
    z = beta * x
    return (z + mp.log1p(mp.exp(-z)) if z > 0 else mp.log1p(mp.exp(z))) / beta


def clip(x, low, high):
    return min(max(x, low), high)


def bell(x):
    """e^(-x^2), beyond the reach of doubles 0: mpmath takes long there."""
    return mp.exp(-x * x) if abs(x) < 100 else mpf(0)


def erf(x):
    return mp.erf(x) if abs(x) < 100 else mp.sign(x)


def erfc(x):
    return mp.erfc(x) if abs(x) < 100 else 1 - mp.sign(x)


def normal_cdf(x):
    return erfc(-x / mp.sqrt(2)) / 2


def elu(x, alpha=1):
    return x if x > 0 else alpha * mp.expm1(x)


def normal_cdf_tanh(x):
    if abs(x) > 100:
        return mpf(x > 0)
    return sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3))


SCALE, ALPHA = mpf(1.0507009873554805), mpf(1.6732632423543772)  # as published: the doubles

REFERENCE = {
    # arithmetic
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "floordiv": lambda x, y: mp.floor(x / y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "pow": lambda x, y: mp.power(x, y),
    "neg": lambda x: -x,
    "abs": abs,
    "reciprocal": lambda x: 1 / x,
    # exponentials, logarithms, roots
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    # choices and steps
    "maximum": max,
    "minimum": min,
    "clamp": clip,
    "where": choose,
    "step": lambda x, t: mpf(x >= t),
    "above": lambda x, y: mpf(x > y),
    "equal": lambda x, y: mpf(x == y),
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "round": mp.nint,
    # of vectors
    "sum": lambda *xs: mp.fsum(xs),
    "mean": lambda *xs: mp.fsum(xs) / len(xs),
    "prod": lambda *xs: mp.fprod(xs),
    "norm": lambda *xs: mp.sqrt(mp.fsum(x * x for x in xs)),
    "logsumexp": lambda *xs: max(xs) + mp.log1p(mp.fsum(mp.exp(x - max(xs)) for x in xs) - 1),
    "largest": lambda *xs: max(xs),
    "pick": lambda *xsi: xsi[int(mp.nint(xsi[-1]))],
    "dot": lambda *wxb: mp.fdot(wxb[: len(wxb) // 2], wxb[len(wxb) // 2 : -1]) + wxb[-1],
    # trigonometry, hyperbolic functions, the bell curve
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "gaussian": bell,
    "normal_pdf": lambda x: bell(x / mp.sqrt(2)) / mp.sqrt(2 * mp.pi),
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
    "isru": lambda x, alpha: x / mp.sqrt(1 + alpha * x * x),
    "sparse_sigmoid": lambda x: clip(x + 1, 0, 2) / 2,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: clip(x, 0, 6),
    "squared_relu": lambda x: max(x, 0) ** 2,
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "prelu": lambda x, slope: x if x > 0 else slope * x,
    "rrelu": lambda x, low, high: x if x > 0 else (low + high) / 2 * x,
    "threshold": lambda x, t, value: x if x > t else value,
    "thresholded_relu": lambda x, t: x if x > t else 0,
    "softshrink": lambda x, t: mp.sign(x) * max(abs(x) - t, 0),
    "hardshrink": lambda x, t: x if abs(x) > t else 0,
    "sparse_plus": lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "elu": elu,
    "celu": lambda x, alpha: max(0, x) + min(0, alpha * mp.expm1(x / alpha)),
    "selu": lambda x: SCALE * elu(x, ALPHA),
    "softplus": softplus,
    "squareplus": lambda x, b: (x + mp.sqrt(x * x + b)) / 2,
    "gelu": lambda x: x * normal_cdf(x),
    "gelu_tanh": lambda x: x * normal_cdf_tanh(x),
    "quick_gelu": lambda x: x * sigmoid(mpf(1.702) * x),
    "silu": lambda x, beta: x * sigmoid(beta * x),
    "mish": lambda x: x * mp.tanh(softplus(x)),
    "hardswish": lambda x: x * clip(x + 3, 0, 6) / 6,
    "lisht": lambda x: x * mp.tanh(x),
    "tanhshrink": lambda x: x - mp.tanh(x),
    "bent_identity": lambda x: (mp.sqrt(x * x + 1) - 1) / 2 + x,
    "snake": lambda x, a: x + mp.sin(a * x) ** 2 / a,
}


def derivative(f, xs, wrt):
    """The mixed partial derivative of f at xs with respect to the inputs numbered in `wrt`, one after the other, by
    central differences; the steps are so small that nothing between two doubles is stepped over."""
    if not wrt:
        return f(*xs)
    *rest, i = wrt
    h = (mpf(10) ** -30 * min(abs(xs[i]), 1) or mpf(10) ** -400) / max(1, *map(abs, xs))
    ends = [derivative(f, [*xs[:i], xs[i] + step, *xs[i + 1 :]], rest) for step in (h, -h)]
    return (ends[0] - ends[1]) / (2 * h)


@functools.cache
def exact(name, xs, wrt=()):
    """REFERENCE[name], or its derivative, at floats, as an mpf. Digits are added until they no longer matter."""
    spread = sum(abs(math.log10(abs(x))) for x in xs if x)
    small = sum(max(0.0, -math.log10(abs(xs[i]))) if xs[i] else 400.0 for i in wrt)
    digits, last = int(50 + spread + (30 + spread) * len(wrt) + small), None
    while True:
        with mpmath.workdps(digits):
            found = mpf(derivative(REFERENCE[name], [mpf(x) for x in xs], list(wrt)))
        if last is None:
            digits += 25
        elif found and abs(found - last) <= mpf(10) ** -25 * abs(found):
            return found
        elif digits > 450 + 2 * spread and abs(found - last) <= mpf(10) ** -345:
            return found  # far below the smallest double; with fewer digits a zero need not mean zero
        else:
            digits = max(2 * digits, 400)
        last = found


def ulps(got, true):
    """How many units in the last place of `true`, an mpf, the float `got` is away from it."""
    if math.isnan(got) or mpmath.isnan(true):
        return 0.0 if math.isnan(got) and mpmath.isnan(true) else math.inf
    nearest = float(true)
    if math.isinf(got) or math.isinf(nearest):
        return 0.0 if got == nearest else math.inf
    with mpmath.workdps(60):
        return float(abs(mpf(got) - true) / mpf(math.ulp(nearest)))
