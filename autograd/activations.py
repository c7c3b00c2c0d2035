"""The table continued: the activation functions of one number.

Formulas, derivatives at kinks and defaults are PyTorch's. Each formula and each derivative is written so that it
keeps its digits over the whole range of doubles: where the textbook form cancels or overflows, another one stands.
What a reader wants to know of each, its range, its use, its source, is in `nn.activations`.
"""

from __future__ import annotations

import math
from typing import Any

from .formulas import bell, normal_integral, quotient, rounding
from .functions import cos, hypot, logistic_pdf, normal_cdf, normal_pdf, sech2, sin, tanh
from .ops import Op, above, abs_, clamp, div, exp, expm1, inf, op, sign, sqrt, step, where, zero


def between(x: Any, low: Any, high: Any) -> Any:
    """1 where low < x < high, else 0."""
    return above(x, low) * above(high, x)


def logistic(x: float) -> float:
    """1 / (1 + e^-x); e^x / (1 + e^x) where x < 0, so that nothing overflows and the tail keeps its digits."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def steep_logistic(x: float, beta: float) -> float:
    """logistic(beta x), where it is small with the rounding of that product put right."""
    z = beta * x
    s = logistic(z)
    return s * (1.0 + (1.0 - s) * rounding(beta, x)) if -800.0 < z < 0.0 and beta != 1.0 else s


def softplus_formula(x: float, beta: float = 1.0) -> float:
    """ln(1 + e^(beta x)) / beta as max(z, 0) + ln(1 + e^-|z|), which neither overflows nor cancels."""
    z = beta * x
    if z != z:
        return z
    e = math.exp(-abs(z))
    if -800.0 < z < 0.0 and beta != 1.0:
        e *= 1.0 + rounding(beta, x)
    return quotient((z if z > 0.0 else 0.0) + math.log1p(e), beta)


def times_exp(x: float, z: float) -> float:
    """x e^z, also where e^z alone would be too small to have all its digits."""
    return x * math.exp(z / 2.0) * math.exp(z / 2.0)


def swish(x: float, beta: float = 1.0) -> float:
    """x logistic(beta x); 0 where a closed gate meets infinity."""
    z = beta * x
    if z < -800.0:
        return -0.0 if x < 0.0 else 0.0
    if z < -40.0:
        return times_exp(x, z) * (1.0 + (rounding(beta, x) if beta != 1.0 else 0.0))
    return x * steep_logistic(x, beta)


def gelu_formula(x: float) -> float:
    """x Phi(x); from where Phi is too small to have all its digits, -phi(x) (1 - 1/x^2 + 3/x^4 - 15/x^6 + ...)."""
    if x > -37.0:
        return x * normal_integral(x) if x < 60.0 else x
    if x < -60.0:
        return -0.0
    total, term, n = 1.0, 1.0, 1
    while n < 16:
        term *= -n / (x * x)
        n += 2
        total += term
    return -0.3989422804014327 * total * bell(x, 0.5)


def cubic(x: float) -> tuple[float, float]:
    """2 (2 / pi)^(1/2) (x + 0.044715 x^3), and what its rounding left out: x (a + b x^2), all in double doubles."""
    (a, a_rest), (b, b_rest) = GELU_A, GELU_B
    square = x * x
    product = b * square
    product_rest = rounding(b, square) + b * rounding(x, x) + b_rest * square
    total = product + a
    total_rest = (a - (total - product)) + (product - (total - (total - product))) + product_rest + a_rest
    return x * total, rounding(x, total) + x * total_rest


def tanh_integral(x: float) -> float:
    """logistic(2 (2 / pi)^(1/2) (x + 0.044715 x^3)), in the tail with the rounding of its argument put right."""
    if not abs(x) < 22.0:
        return x if x != x else float(x > 0.0)
    z, rest = cubic(x)
    return logistic(z) * (1.0 + rest * logistic(-z)) if z < 0.0 else logistic(z)


def gelu_tanh_formula(x: float) -> float:
    """x tanh_integral(x)."""
    if not -22.0 < x < -15.0:
        return x * tanh_integral(x) if x > -22.0 or x != x else -0.0
    z, rest = cubic(x)
    return times_exp(x, z) * (1.0 + rest)


def mish_formula(x: float) -> float:
    """x tanh(ln(1 + e^x)); far below 0, where that is x e^x, without the factor too small to have all its digits."""
    return x * math.tanh(softplus_formula(x)) if not x < -40.0 else times_exp(x, x) if x > -800.0 else -0.0


def smooth_half(x: float, b: float = 4.0) -> float:
    """(x + (x^2 + b)^(1/2)) / 2; where x < 0, where that cancels, b / 4 over half of what it subtracts."""
    r = math.hypot(x, sqrt.formula(b))
    return x / 2.0 + r / 2.0 if not x < 0.0 else quotient(b / 4.0, r / 2.0 - x / 2.0)


def inverse_root_unit(x: float, alpha: float = 1.0) -> float:
    """x / (1 + alpha x^2)^(1/2), or 1 / (1 / x^2 + alpha)^(1/2), so that neither overflows."""
    root = sqrt.formula(alpha)
    if abs(x) > 1.0:
        return math.copysign(quotient(1.0, math.hypot(1.0 / x, root)), x)
    return x / math.hypot(1.0, root * x)


def tanh_gap(x: float) -> float:
    """x - tanh x; for small x by the continued fraction tanh x = x / (1 + x^2 / (3 + x^2 / (5 + ...))), nine levels of
    it written as one fraction, all of whose terms are of one sign."""
    s = x * x
    if not s < 1.5625:
        return x - math.tanh(x)
    p = (((s + 1430.0) * s + 289575.0) * s + 16081065.0) * s + 218243025.0
    q = ((((s + 1485.0) * s + 315315.0) * s + 18918900.0) * s + 310134825.0) * s + 654729075.0
    return x * (s * p / q)


def snake_formula(x: float, a: float = 1.0) -> float:
    """x + sin(a x)^2 / a."""
    return x + (quotient(math.sin(a * x) ** 2, a) if abs(a * x) < inf else 0.0 * a)


def bounded(x: Any, size: float = 1e3) -> Any:
    """x within +-size: beyond, only its product with a vanishing slope is wanted, and inf * 0 would be nan."""
    return clamp(x, -size, size)


LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772  # of selu: Klambauer et al., 2017
GELU_A = (1.5957691216057308, -9.96930880911092e-17)  # 2 (2 / pi)^(1/2), a double and the rest of it
GELU_B = (0.07135481627260025, -6.175149918155315e-19)  # 0.044715 times that: Hendrycks and Gimpel, 2016

# fmt: off
identity = op("identity", "x", lambda x: x, lambda g, out, x: g, numpy="{0}", aliases=("linear",))

# S-shaped

sigmoid: Op = op("sigmoid", "1 / (1 + e^-x)", logistic, lambda g, out, x: g * logistic_pdf(x),
                 glyph="σ", numpy="sigmoid({0})", aliases=("logistic",))
logsigmoid = op("logsigmoid", "ln(1 / (1 + e^-x))", lambda x: -softplus_formula(-x),
                lambda g, out, x: g * sigmoid(-x), numpy="-softplus(-{0})")
hardsigmoid = op("hardsigmoid", "min(max(x + 3, 0), 6) / 6",
                 lambda x: 0.0 if x <= -3.0 else 1.0 if x >= 3.0 else (x + 3.0) / 6.0,
                 lambda g, out, x: g * div(between(x, -3.0, 3.0), 6.0),
                 numpy="np.clip({0} + 3, 0, 6) / 6", kinks=(-3, 3))
hardtanh = op("hardtanh", "min(max(x, low), high)",
              lambda x, low=-1.0, high=1.0: high if x > high or low > high else low if x < low else x,
              lambda g, out, x, low, high: g * between(x, low, high),
              lambda g, out, x, low, high: g * step(low, x) * step(high, low),
              lambda g, out, x, low, high: g * (1.0 - (1.0 - step(x, high)) * step(high, low)),
              numpy="clamp({0}, {1}, {2})",
              kinks=lambda x, low, high: min(abs(x - low), abs(x - high), abs(high - low)))
softsign = op("softsign", "x / (1 + |x|)", lambda x: math.copysign(1.0, x) if math.isinf(x) else x / (1.0 + abs(x)),
              lambda g, out, x: div(div(g, 1.0 + abs_(x)), 1.0 + abs_(x)),
              numpy="softsign({0})", kinks=(0,))
isru = op("isru", "x / (1 + alpha x^2)^(1/2)", inverse_root_unit,
          lambda g, out, x, alpha: div(div(div(g, stretch(x, alpha)), stretch(x, alpha)), stretch(x, alpha)),
          lambda g, out, x, alpha: -0.5 * g * out * out * out,
          numpy="isru({0}, {1})", domain=[(-inf, inf), (0, inf)])
sparse_sigmoid = op("sparse_sigmoid", "min(max(x + 1, 0), 2) / 2",
                    lambda x: 0.0 if x <= -1.0 else 1.0 if x >= 1.0 else (x + 1.0) / 2.0,
                    lambda g, out, x: 0.5 * g * between(x, -1.0, 1.0),
                    numpy="np.clip({0} + 1, 0, 2) / 2", kinks=(-1, 1))

# Rectifiers

relu = op("relu", "max(0, x)", lambda x: x if x > 0.0 or x != x else 0.0, lambda g, out, x: g * sign(out),
          forward=lambda x: (x, 1.0) if x > 0.0 else (0.0, 0.0) if x <= 0.0 else (x, x),
          symbol="ReLU", numpy="np.maximum({0}, 0)", kinks=(0,))
relu6 = op("relu6", "min(max(x, 0), 6)", lambda x: 0.0 if x <= 0.0 else 6.0 if x >= 6.0 else x,
           lambda g, out, x: g * between(x, 0.0, 6.0), numpy="np.clip({0}, 0, 6)", kinks=(0, 6))
squared_relu = op("squared_relu", "max(0, x)^2", lambda x: 0.0 if x <= 0.0 else x * x,
                  lambda g, out, x: 2.0 * g * relu(x), numpy="np.maximum({0}, 0) ** 2", kinks=(0,))
leaky_relu = op("leaky_relu", "x if x > 0 else slope x", lambda x, slope=0.01: x if x > 0.0 else slope * x,
                lambda g, out, x, slope: g * where(above(x, 0.0), 1.0, slope),
                lambda g, out, x, slope: g * -relu(-x), numpy="np.where({0} > 0, {0}, {1} * {0})", kinks=(0,))
prelu = op("prelu", "x if x > 0 else slope x, the slope learned", lambda x, slope=0.25: x if x > 0.0 else slope * x,
           lambda g, out, x, slope: g * where(above(x, 0.0), 1.0, slope),
           lambda g, out, x, slope: g * -relu(-x), numpy="np.where({0} > 0, {0}, {1} * {0})", kinks=(0,))
rrelu = op("rrelu", "x if x > 0 else slope x, slope = (low + high) / 2; in training drawn from between them",
           lambda x, low=0.125, high=1.0 / 3.0: x if x > 0.0 else (low + high) / 2.0 * x,
           lambda g, out, x, low, high: g * where(above(x, 0.0), 1.0, 0.5 * (low + high)),
           lambda g, out, x, low, high: -0.5 * g * relu(-x),
           lambda g, out, x, low, high: -0.5 * g * relu(-x),
           numpy="np.where({0} > 0, {0}, ({1} + {2}) / 2 * {0})", kinks=(0,))
threshold = op("threshold", "x if x > threshold else value",
               lambda x, threshold=0.0, value=0.0: x if x > threshold or x != x else value,
               lambda g, out, x, threshold, value: g * above(x, threshold), zero,
               lambda g, out, x, threshold, value: g * step(threshold, x),
               numpy="np.where(({0} > {1}) | np.isnan({0}), {0}, {2})", kinks=lambda x, threshold, value: x - threshold)
thresholded_relu = op("thresholded_relu", "x if x > threshold else 0",
                      lambda x, threshold=1.0: x if x > threshold or x != x else 0.0,
                      lambda g, out, x, threshold: g * above(x, threshold), zero,
                      numpy="np.where(({0} > {1}) | np.isnan({0}), {0}, 0)",
                      kinks=lambda x, threshold: x - threshold)
softshrink = op("softshrink", "x moved towards 0 by threshold, 0 within it",
                lambda x, threshold=0.5: math.copysign(max(abs(x) - threshold, 0.0), x) if x == x else x,
                lambda g, out, x, threshold: g * above(abs_(x), threshold),
                lambda g, out, x, threshold: -g * sign(x) * above(abs_(x), threshold),
                numpy="np.copysign(np.maximum(np.abs({0}) - {1}, 0), {0})",
                kinks=lambda x, threshold: abs(x) - threshold)
hardshrink = op("hardshrink", "x if |x| > threshold else 0",
                lambda x, threshold=0.5: x if abs(x) > threshold or x != x else 0.0,
                lambda g, out, x, threshold: g * above(abs_(x), threshold), zero,
                numpy="np.where((np.abs({0}) > {1}) | np.isnan({0}), {0}, 0)",
                kinks=lambda x, threshold: abs(x) - threshold)
sparse_plus = op("sparse_plus", "0 if x <= -1, x if x >= 1, (x + 1)^2 / 4 between",
                 lambda x: 0.0 if x <= -1.0 else x if x >= 1.0 else (x + 1.0) * (x + 1.0) / 4.0,
                 lambda g, out, x: 0.5 * g * (clamp(x, -1.0, 1.0) + 1.0),
                 numpy="np.where({0} < 1, np.maximum({0} + 1, 0) ** 2 / 4, {0})", kinks=(-1, 1))

# Exponential units

elu = op("elu", "x if x > 0 else alpha (e^x - 1)", lambda x, alpha=1.0: x if x > 0.0 else alpha * math.expm1(x),
         lambda g, out, x, alpha: g * where(above(x, 0.0), 1.0, alpha * exp(clamp(x, -inf, 0.0))),
         lambda g, out, x, alpha: g * expm1(clamp(x, -inf, 0.0)),
         numpy="np.where({0} > 0, {0}, {1} * np.expm1(np.minimum({0}, 0)))", kinks=(0,))
celu = op("celu", "max(0, x) + min(0, alpha (e^(x / alpha) - 1))",
          lambda x, alpha=1.0: x if x > 0.0 else alpha * expm1.formula(quotient(x, alpha)),
          lambda g, out, x, alpha: g * exp(div(clamp(x, -inf, 0.0), alpha)),
          lambda g, out, x, alpha: g * celu_alpha_slope(clamp(div(clamp(x, -inf, 0.0), alpha), -1e3, 1e3)),
          numpy="np.where({0} > 0, {0}, {1} * np.expm1(np.minimum({0}, 0) / {1}))", kinks=(0,))
selu = op("selu", "lambda (x if x > 0 else alpha (e^x - 1)), lambda = 1.0507, alpha = 1.6733",
          lambda x: LAMBDA * x if x > 0.0 else LAMBDA * ALPHA * math.expm1(x),
          lambda g, out, x: g * where(above(x, 0.0), LAMBDA, LAMBDA * ALPHA * exp(clamp(x, -inf, 0.0))),
          numpy="1.0507009873554805 * np.where({0} > 0, {0}, 1.6732632423543772 * np.expm1(np.minimum({0}, 0)))",
          kinks=(0,))

# Smooth rectifiers and gates

softplus = op("softplus", "ln(1 + e^(beta x)) / beta", softplus_formula,
              lambda g, out, x, beta: g * steep_sigmoid(x, beta),
              lambda g, out, x, beta: -div(g * uncertainty(x, beta), beta),
              numpy="softplus({0}, {1})")
squareplus: Op = op("squareplus", "(x + (x^2 + b)^(1/2)) / 2", smooth_half,
                    lambda g, out, x, b: g * div(squareplus(bounded(x, 1e300), b), hypot(bounded(x, 1e300), sqrt(b))),
                    lambda g, out, x, b: g * div(0.25, hypot(x, sqrt(b))),
                    numpy="squareplus({0}, {1})", domain=[(-inf, inf), (0, inf)])
gelu = op("gelu", "x Phi(x), Phi the integral of the normal density", gelu_formula,
          lambda g, out, x: g * (normal_cdf(x) + bounded(x) * normal_pdf(x)),
          numpy="gelu({0})")
normal_cdf_tanh: Op = op("normal_cdf_tanh", "(1 + tanh((2 / pi)^(1/2) (x + 0.044715 x^3))) / 2, about normal_cdf",
                         tanh_integral,
                         lambda g, out, x: g * out * normal_cdf_tanh(-x) * cubic_slope(bounded(x)),
                         symbol="Phi~", glyph="Φ~",
                         numpy="normal_cdf_tanh({0})")
gelu_tanh = op("gelu_tanh", "x (1 + tanh((2 / pi)^(1/2) (x + 0.044715 x^3))) / 2", gelu_tanh_formula,
               lambda g, out, x: g * normal_cdf_tanh(x)
               * (1.0 + bounded(x) * normal_cdf_tanh(-x) * cubic_slope(bounded(x))),
               numpy="gelu_tanh({0})")
steep_sigmoid: Op = op("steep_sigmoid", "1 / (1 + e^(-beta x))", lambda x, beta=1.0: steep_logistic(x, beta),
                       lambda g, out, x, beta: g * beta * out * steep_sigmoid(-x, beta),
                       lambda g, out, x, beta: g * bounded(x, 1e140) * out * steep_sigmoid(-x, beta),
                       numpy="steep_sigmoid({0}, {1})")
quick_gelu = op("quick_gelu", "x sigmoid(1.702 x)", lambda x: swish(x, 1.702),
                lambda g, out, x: g * steep_sigmoid(x, 1.702) * (1.0 + bounded(1.702 * x) * steep_sigmoid(-x, 1.702)),
                numpy="silu({0}, 1.702)")
silu = op("silu", "x sigmoid(beta x)", swish,
          lambda g, out, x, beta: g * steep_sigmoid(x, beta) * (1.0 + bounded(beta * x) * steep_sigmoid(-x, beta)),
          lambda g, out, x, beta: g * (bounded(x, 1e140) * steep_sigmoid(x, beta))
          * (bounded(x, 1e140) * steep_sigmoid(-x, beta)),
          numpy="silu({0}, {1})", aliases=("swish",))
mish = op("mish", "x tanh(ln(1 + e^x))", mish_formula,
          lambda g, out, x: g * mish_slope(bounded(x)),
          numpy="mish({0})")
hardswish = op("hardswish", "x min(max(x + 3, 0), 6) / 6",
               lambda x: 0.0 if x <= -3.0 else x if x >= 3.0 else x * (x + 3.0) / 6.0,
               lambda g, out, x: g * (between(x, -3.0, 3.0) * div(2.0 * clamp(x, -3.0, 3.0) + 3.0, 6.0) + step(x, 3.0)),
               numpy="np.maximum({0}, -3) * (np.clip({0} + 3, 0, 6) / 6)", kinks=(-3, 3), aliases=("hardsilu",))
lisht = op("lisht", "x tanh x", lambda x: x * math.tanh(x),
           lambda g, out, x: g * (tanh(x) + bounded(x) * sech2(x)), numpy="{0} * np.tanh({0})")
tanhshrink = op("tanhshrink", "x - tanh x", tanh_gap, lambda g, out, x: g * tanh(x) * tanh(x),
                numpy="tanhshrink({0})")
bent_identity = op("bent_identity", "((x^2 + 1)^(1/2) - 1) / 2 + x",
                   lambda x: x * (x / (math.hypot(x, 1.0) + 1.0)) / 2.0 + x if abs(x) < inf else x,
                   lambda g, out, x: g * (0.5 * isru(x, 1.0) + 1.0),
                   numpy="bent_identity({0})")
snake = op("snake", "x + sin(a x)^2 / a", snake_formula,
           lambda g, out, x, a: g * (sin(a * x) + cos(a * x)) * (sin(a * x) + cos(a * x)),
           lambda g, out, x, a: g * div(x * (2.0 * sin(a * x) * cos(a * x)) - div(sin(a * x) * sin(a * x), a), a),
           numpy="snake({0}, {1})")


def stretch(x: Any, alpha: Any) -> Any:
    """(1 + alpha x^2)^(1/2)."""
    return hypot(1.0, bounded(sqrt(alpha) * x, 1e300))


def celu_alpha_slope(z: Any) -> Any:
    """d/d alpha of alpha (e^z - 1), at z = x / alpha."""
    return expm1(z) - z * exp(z)


def uncertainty(x: Any, beta: Any) -> Any:
    """(-s ln s - (1 - s) ln(1 - s)) / beta, with s = sigmoid(beta x)."""
    x = bounded(x, 1e140)
    return steep_sigmoid(x, beta) * softplus(-x, beta) + steep_sigmoid(-x, beta) * softplus(x, beta)


def mish_slope(x: Any) -> Any:
    """tanh s + x s' / cosh(s)^2, with s = softplus(x)."""
    s = softplus(x)
    return tanh(s) + x * sigmoid(x) * sech2(s)


def cubic_slope(x: Any) -> Any:
    """d/dx of 2 (2 / pi)^(1/2) (x + 0.044715 x^3)."""
    return 1.5957691216057308 + 0.21406444881780074 * x * x
