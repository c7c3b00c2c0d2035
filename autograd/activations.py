"""The table continued: the activation functions of one number.

Formulas, derivatives at kinks and defaults are PyTorch's. Each formula and each derivative is written so that it
keeps its digits over the whole range of doubles: where the textbook form cancels or overflows, another one stands.
What a reader wants to know of each, its range, its use, its source, is in `nn.activations`.
"""

from __future__ import annotations

import math
from typing import Any

from .formulas import normal_integral, quotient
from .functions import cosh, hypot, normal_cdf, normal_pdf, sin, tanh
from .ops import Op, abs_, clamp, div, exp, expm1, inf, op, sign, sqrt, step, where, zero


def above(x: Any, t: Any) -> Any:
    """1 where x > t, 0 where x <= t: a `step` that is 0 at the threshold itself."""
    return 1.0 - step(t, x)


def between(x: Any, low: Any, high: Any) -> Any:
    """1 where low < x < high, else 0."""
    return above(x, low) * above(high, x)


def logistic(x: float) -> float:
    """1 / (1 + e^-x); e^x / (1 + e^x) where x < 0, so that nothing overflows and the tail keeps its digits."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def softplus_formula(x: float, beta: float = 1.0) -> float:
    """ln(1 + e^(beta x)) / beta as max(z, 0) + ln(1 + e^-|z|), which neither overflows nor cancels."""
    z = beta * x
    return quotient((z if z > 0.0 else 0.0) + math.log1p(math.exp(-abs(z))), beta) if z == z else z


def times_gate(x: float, gate: float) -> float:
    """x * gate, and 0 where a closed gate meets infinity."""
    return x * gate if gate or x != x else -0.0 if x < 0.0 else 0.0


def smooth_half(x: float, b: float = 4.0) -> float:
    """(x + (x^2 + b)^(1/2)) / 2; where x < 0, where that cancels, b / 2 over the sum of what it subtracts."""
    r = math.hypot(x, sqrt.formula(b))
    return (x + r) / 2.0 if not x < 0.0 else (b / 2.0) / (r - x)


def tanh_gap(x: float) -> float:
    """x - tanh x; for small x (x cosh x - sinh x) / cosh x, by the series of its numerator, all of one sign."""
    if not abs(x) < 2.0:
        return x - math.tanh(x)
    total, term, n = 0.0, x, 1
    while n < 40:  # the last term is below 1e-30 of the first
        term *= x * x / ((n + 1) * (n + 2))  # x^(n+2) / (n+2)!
        n += 2
        total += (n - 1) * term
    return total / math.cosh(x)


def bounded(x: Any, size: float = 1e3) -> Any:
    """x within +-size: beyond, only its product with a vanishing slope is wanted, and inf * 0 would be nan."""
    return clamp(x, -size, size)


LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772  # of selu: Klambauer et al., 2017
GELU_C, GELU_K = math.sqrt(2.0 / math.pi), 0.044715  # of gelu_tanh: Hendrycks and Gimpel, 2016

# fmt: off
identity = op("identity", "x", lambda x: x, lambda g, out, x: g, numpy="{0}", aliases=("linear",))

# S-shaped

sigmoid: Op = op("sigmoid", "1 / (1 + e^-x)", logistic, lambda g, out, x: g * out * sigmoid(-x),
                 glyph="σ", numpy="1 / (1 + np.exp(-{0}))", aliases=("logistic",))
logsigmoid = op("logsigmoid", "ln(1 / (1 + e^-x))", lambda x: -softplus_formula(-x),
                lambda g, out, x: g * sigmoid(-x), numpy="-np.logaddexp(0, -{0})")
hardsigmoid = op("hardsigmoid", "min(max(x + 3, 0), 6) / 6",
                 lambda x: 0.0 if x <= -3.0 else 1.0 if x >= 3.0 else (x + 3.0) / 6.0,
                 lambda g, out, x: g * div(between(x, -3.0, 3.0), 6.0),
                 numpy="np.clip({0} + 3, 0, 6) / 6", kinks=(-3, 3))
hardtanh = op("hardtanh", "min(max(x, low), high)",
              lambda x, low=-1.0, high=1.0: low if x < low else high if x > high else x,
              lambda g, out, x, low, high: g * between(x, low, high),
              lambda g, out, x, low, high: g * step(low, x),
              lambda g, out, x, low, high: g * step(x, high), numpy="np.clip({0}, {1}, {2})",
              kinks=lambda x, low, high: min(abs(x - low), abs(x - high)))
softsign = op("softsign", "x / (1 + |x|)", lambda x: math.copysign(1.0, x) if math.isinf(x) else x / (1.0 + abs(x)),
              lambda g, out, x: div(div(g, 1.0 + abs_(x)), 1.0 + abs_(x)), numpy="{0} / (1 + np.abs({0}))", kinks=(0,))
isru = op("isru", "x / (1 + alpha x^2)^(1/2)",
          lambda x, alpha=1.0: quotient(math.copysign(1.0, x), sqrt.formula(alpha)) if math.isinf(x)
          else x / math.hypot(1.0, sqrt.formula(alpha) * x),
          lambda g, out, x, alpha: div(div(div(g, hypot(1.0, sqrt(alpha) * x)), hypot(1.0, sqrt(alpha) * x)),
                                       hypot(1.0, sqrt(alpha) * x)),
          lambda g, out, x, alpha: -0.5 * g * out * out * out,
          numpy="{0} / np.sqrt(1 + {1} * {0} ** 2)", domain=[(-inf, inf), (0, inf)])
sparse_sigmoid = op("sparse_sigmoid", "min(max(x + 1, 0), 2) / 2",
                    lambda x: 0.0 if x <= -1.0 else 1.0 if x >= 1.0 else (x + 1.0) / 2.0,
                    lambda g, out, x: 0.5 * g * between(x, -1.0, 1.0),
                    numpy="np.clip({0} + 1, 0, 2) / 2", kinks=(-1, 1))

# Rectifiers

relu = op("relu", "max(0, x)", lambda x: x if x > 0.0 or x != x else 0.0, lambda g, out, x: g * above(x, 0.0),
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
threshold = op("threshold", "x if x > threshold else value",
               lambda x, threshold=0.0, value=0.0: x if x > threshold or x != x else value,
               lambda g, out, x, threshold, value: g * above(x, threshold), zero,
               lambda g, out, x, threshold, value: g * step(threshold, x),
               numpy="np.where({0} > {1}, {0}, {2})", kinks=lambda x, threshold, value: x - threshold)
thresholded_relu = op("thresholded_relu", "x if x > threshold else 0",
                      lambda x, threshold=1.0: x if x > threshold or x != x else 0.0,
                      lambda g, out, x, threshold: g * above(x, threshold), zero,
                      numpy="np.where({0} > {1}, {0}, 0)",
                      kinks=lambda x, threshold: x - threshold)
softshrink = op("softshrink", "x moved towards 0 by threshold, 0 within it",
                lambda x, threshold=0.5: math.copysign(max(abs(x) - threshold, 0.0), x) if x == x else x,
                lambda g, out, x, threshold: g * above(abs_(x), threshold),
                lambda g, out, x, threshold: -g * sign(x) * above(abs_(x), threshold),
                numpy="np.sign({0}) * np.maximum(np.abs({0}) - {1}, 0)",
                kinks=lambda x, threshold: abs(x) - threshold)
hardshrink = op("hardshrink", "x if |x| > threshold else 0",
                lambda x, threshold=0.5: x if abs(x) > threshold or x != x else 0.0,
                lambda g, out, x, threshold: g * above(abs_(x), threshold), zero,
                numpy="np.where(np.abs({0}) > {1}, {0}, 0)", kinks=lambda x, threshold: abs(x) - threshold)
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
          lambda g, out, x, alpha: g * exp(clamp(div(x, alpha), -inf, 0.0)),
          lambda g, out, x, alpha: g * celu_alpha_slope(clamp(div(x, alpha), -1e3, 0.0)),
          numpy="np.where({0} > 0, {0}, {1} * np.expm1(np.minimum({0} / {1}, 0)))", kinks=(0,))
selu = op("selu", "lambda (x if x > 0 else alpha (e^x - 1)), lambda = 1.0507, alpha = 1.6733",
          lambda x: LAMBDA * x if x > 0.0 else LAMBDA * ALPHA * math.expm1(x),
          lambda g, out, x: g * where(above(x, 0.0), LAMBDA, LAMBDA * ALPHA * exp(clamp(x, -inf, 0.0))),
          numpy="1.0507009873554805 * np.where({0} > 0, {0}, 1.6732632423543772 * np.expm1(np.minimum({0}, 0)))",
          kinks=(0,))

# Smooth rectifiers and gates

softplus = op("softplus", "ln(1 + e^(beta x)) / beta", softplus_formula,
              lambda g, out, x, beta: g * sigmoid(beta * x),
              lambda g, out, x, beta: g * div(x * sigmoid(beta * x) - out, beta),
              numpy="np.logaddexp(0, {1} * {0}) / {1}")
squareplus: Op = op("squareplus", "(x + (x^2 + b)^(1/2)) / 2", smooth_half,
                    lambda g, out, x, b: g * div(squareplus(bounded(x, 1e300), b), hypot(bounded(x, 1e300), sqrt(b))),
                    lambda g, out, x, b: g * div(0.25, hypot(x, sqrt(b))),
                    numpy="np.where({0} < 0, {1} / 2 / (np.sqrt({0} ** 2 + {1}) + np.abs({0})),"
                          " ({0} + np.sqrt({0} ** 2 + {1})) / 2)", domain=[(-inf, inf), (0, inf)])
gelu = op("gelu", "x Phi(x), Phi the integral of the normal density", lambda x: times_gate(x, normal_integral(x)),
          lambda g, out, x: g * (normal_cdf(x) + bounded(x) * normal_pdf(x)),
          numpy="0.5 * {0} * np.vectorize(math.erfc)(-0.7071067811865476 * {0})")
gelu_tanh = op("gelu_tanh", "x (1 + tanh((2 / pi)^(1/2) (x + 0.044715 x^3))) / 2",
               lambda x: times_gate(x, logistic(2.0 * GELU_C * x * (1.0 + GELU_K * x * x))),
               lambda g, out, x: g * gelu_tanh_slope(bounded(x)),
               numpy="{0} / (1 + np.exp(-1.5957691216057308 * {0} * (1 + 0.044715 * {0} ** 2)))")
quick_gelu = op("quick_gelu", "x sigmoid(1.702 x)", lambda x: times_gate(x, logistic(1.702 * x)),
                lambda g, out, x: g * gate_slope(1.702 * bounded(x)), numpy="{0} / (1 + np.exp(-1.702 * {0}))")
silu = op("silu", "x sigmoid(beta x)", lambda x, beta=1.0: times_gate(x, logistic(beta * x)),
          lambda g, out, x, beta: g * gate_slope(bounded(beta * x)),
          lambda g, out, x, beta: g * bounded(x) * bounded(x) * sigmoid(beta * x) * sigmoid(-(beta * x)),
          numpy="{0} / (1 + np.exp(-{1} * {0}))", aliases=("swish",))
mish = op("mish", "x tanh(ln(1 + e^x))", lambda x: times_gate(x, math.tanh(softplus_formula(x))),
          lambda g, out, x: g * mish_slope(bounded(x)),
          numpy="{0} * np.tanh(np.logaddexp(0, {0}))")
hardswish = op("hardswish", "x min(max(x + 3, 0), 6) / 6",
               lambda x: 0.0 if x <= -3.0 else x if x >= 3.0 else x * (x + 3.0) / 6.0,
               lambda g, out, x: g * (between(x, -3.0, 3.0) * div(2.0 * clamp(x, -3.0, 3.0) + 3.0, 6.0) + step(x, 3.0)),
               numpy="{0} * np.clip({0} + 3, 0, 6) / 6", kinks=(-3, 3), aliases=("hardsilu",))
lisht = op("lisht", "x tanh x", lambda x: x * math.tanh(x),
           lambda g, out, x: g * (tanh(x) + bounded(x) * div(div(1.0, cosh(x)), cosh(x))), numpy="{0} * np.tanh({0})")
tanhshrink = op("tanhshrink", "x - tanh x", tanh_gap, lambda g, out, x: g * tanh(x) * tanh(x),
                numpy="{0} - np.tanh({0})")
bent_identity = op("bent_identity", "((x^2 + 1)^(1/2) - 1) / 2 + x",
                   lambda x: x * (x / (math.hypot(x, 1.0) + 1.0)) / 2.0 + x if abs(x) < inf else x,
                   lambda g, out, x: g * (div(bounded(x, 1e300), 2.0 * hypot(bounded(x, 1e300), 1.0)) + 1.0),
                   numpy="(np.sqrt({0} ** 2 + 1) - 1) / 2 + {0}")
snake = op("snake", "x + sin(a x)^2 / a", lambda x, a=1.0: x + quotient(sin.formula(a * x) ** 2, a),
           lambda g, out, x, a: g * (1.0 + sin(2.0 * (a * x))),
           lambda g, out, x, a: g * div(x * sin(2.0 * (a * x)) - div(sin(a * x) * sin(a * x), a), a),
           numpy="{0} + np.sin({1} * {0}) ** 2 / {1}")


def celu_alpha_slope(z: Any) -> Any:
    """d/d alpha of alpha (e^z - 1), at z = x / alpha."""
    return expm1(z) - z * exp(z)


def gate_slope(z: Any) -> Any:
    """d/dx of x sigmoid(b x), at z = b x."""
    return sigmoid(z) * (1.0 + z * sigmoid(-z))


def mish_slope(x: Any) -> Any:
    """tanh s + x s' / cosh(s)^2, with s = softplus(x)."""
    s = softplus(x)
    return tanh(s) + x * div(div(sigmoid(x), cosh(s)), cosh(s))


def gelu_tanh_slope(x: Any) -> Any:
    """s + x s (1 - s) z', with s = sigmoid(z), z = 2 (2 / pi)^(1/2) (x + 0.044715 x^3)."""
    z = 2.0 * GELU_C * x * (1.0 + GELU_K * x * x)
    return sigmoid(z) + x * sigmoid(z) * sigmoid(-z) * (2.0 * GELU_C * (1.0 + 3.0 * GELU_K * x * x))
