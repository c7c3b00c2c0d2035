"""The table continued: trigonometry, hyperbolic functions, the bell curve and its integral."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .formulas import bell, ieee, ieee2, logistic_density, normal_integral
from .ops import Op, clamp, div, inf, op, sqrt, where

# fmt: off
# Trigonometry

sin = op("sin", "sin x", ieee(math.sin, np.sin), lambda g, out, x: g * cos(x))
cos: Op = op("cos", "cos x", ieee(math.cos, np.cos), lambda g, out, x: -g * sin(x))
tan = op("tan", "sin x / cos x", ieee(math.tan, np.tan), lambda g, out, x: g * (1.0 + out * out))
one_less_square = op("one_less_square", "1 - x^2", lambda x: 1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x),
                     lambda g, out, x: -2.0 * g * x, symbol="1-x^2", glyph="1-x²",
                     numpy="np.where(np.abs({0}) < 0.5, 1 - {0} * {0}, (1 - {0}) * (1 + {0}))")
asin = op("asin", "arcsin x", ieee(math.asin, np.arcsin),
          lambda g, out, x: div(g, sqrt(one_less_square(x))),
          numpy="np.arcsin({0})", domain=(-1, 1), aliases=("arcsin",))
acos = op("acos", "arccos x", ieee(math.acos, np.arccos),
          lambda g, out, x: -div(g, sqrt(one_less_square(x))),
          numpy="np.arccos({0})", domain=(-1, 1), aliases=("arccos",))
atan = op("atan", "arctan x", ieee(math.atan, np.arctan),
          lambda g, out, x: div(div(g, hypot(1.0, x)), hypot(1.0, x)),  # 1 + x^2 would overflow too early
          numpy="np.arctan({0})", aliases=("arctan",))


def radius(x: Any, y: Any) -> Any:
    """hypot(x, y), but 1 at the origin, so that what is divided by it is 0 there."""
    r = hypot(x, y)
    return where(r, r, 1.0)


hypot: Op = op("hypot", "(x^2 + y^2)^(1/2)", ieee2(math.hypot, np.hypot),
           lambda g, out, x, y: g * div(x, radius(x, y)),
           lambda g, out, x, y: g * div(y, radius(x, y)), kinks=math.hypot)
atan2 = op("atan2", "the angle at which the point (y, x) is seen", ieee2(math.atan2, np.arctan2),
           lambda g, out, x, y: g * div(div(y, radius(x, y)), radius(x, y)),
           lambda g, out, x, y: -g * div(div(x, radius(x, y)), radius(x, y)),
           numpy="np.arctan2({0}, {1})", kinks=math.hypot, aliases=("arctan2",))

# Hyperbolic functions. tanh' = 1 - tanh^2 has no correct digit left beyond |x| = 18; 1 / cosh^2 has all of them, and as
# an operation of its own a derivative that neither cancels nor, as cosh and sinh do, overflows

sinh = op("sinh", "(e^x - e^-x) / 2", ieee(math.sinh, np.sinh), lambda g, out, x: g * cosh(x))
cosh: Op = op("cosh", "(e^x + e^-x) / 2", ieee(math.cosh, np.cosh), lambda g, out, x: g * sinh(x))
tanh: Op = op("tanh", "(e^x - e^-x) / (e^x + e^-x)", ieee(math.tanh, np.tanh),
          lambda g, out, x: g * sech2(x))
sech2: Op = op("sech2", "1 / cosh(x)^2", lambda x: 4.0 * logistic_density(2.0 * x),
               lambda g, out, x: -2.0 * g * out * tanh(x), glyph="sech²", numpy="sech2({0})")
logistic_pdf: Op = op("logistic_pdf", "e^-x / (1 + e^-x)^2", logistic_density,
                      lambda g, out, x: -g * out * tanh(0.5 * x), glyph="σ'", numpy="logistic_pdf({0})")
asinh = op("asinh", "ln(x + (x^2 + 1)^(1/2))", ieee(math.asinh, np.arcsinh),
           lambda g, out, x: div(g, hypot(1.0, x)), numpy="np.arcsinh({0})", aliases=("arcsinh",))
acosh = op("acosh", "ln(x + (x^2 - 1)^(1/2))", ieee(math.acosh, np.arccosh),
           lambda g, out, x: div(g, sqrt(x - 1.0) * sqrt(x + 1.0)),
           numpy="np.arccosh({0})", domain=(1, inf), aliases=("arccosh",))
atanh: Op = op("atanh", "ln((1 + x) / (1 - x)) / 2", ieee(math.atanh, np.arctanh),
           lambda g, out, x: div(g, one_less_square(x)),
           numpy="np.arctanh({0})", domain=(-1, 1), aliases=("arctanh",))

# The bell curve and its integral; beyond 1000 all is 0, and inf * 0 must not make it nan


gaussian = op("gaussian", "e^(-x^2)", lambda x: bell(x, 1.0), lambda g, out, x: -2.0 * g * clamp(x, -1e3, 1e3) * out,
              numpy="gaussian({0})")
normal_pdf = op("normal_pdf", "e^(-x^2 / 2) / (2 pi)^(1/2)", lambda x: 0.3989422804014327 * bell(x, 0.5),
                lambda g, out, x: -g * clamp(x, -1e3, 1e3) * out, symbol="phi", glyph="φ",
                numpy="normal_pdf({0})")
normal_cdf = op("normal_cdf", "the integral of normal_pdf up to x", normal_integral,
                lambda g, out, x: g * normal_pdf(x), symbol="Phi", glyph="Φ",
                numpy="normal_cdf({0})")
erf = op("erf", "2 / pi^(1/2) * the integral of e^(-t^2) from 0 to x", math.erf,
         lambda g, out, x: 1.1283791670955126 * g * gaussian(x), numpy="erf({0})")
erfc = op("erfc", "1 - erf(x)", math.erfc,
          lambda g, out, x: -1.1283791670955126 * g * gaussian(x), numpy="erfc({0})")
