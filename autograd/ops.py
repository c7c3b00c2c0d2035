"""The table: every primitive operation, once.

One entry carries all that is known of an operation:

    op(name, text, formula, *rules, symbol, glyph, numpy, domain, kinks, aliases)

    text      the formula as a person writes it
    formula   floats in, float out; never raises: the edges are IEEE's (1/0 = inf, log -1 = nan)
    rules     one derivative rule per input: (g, out, *inputs) -> g * d out / d input; None where the operation is flat
              in that input: no gradient goes there
    symbol    what a drawing shows, in ASCII; `glyph` where the renderer has better letters
    forward   inputs -> out and every d out / d input in one go, where speed asks for it: the hottest few
    numpy     how the operation is spelled on arrays; of vectors, along the last axis. One of your own without it is
              computed number by number
    neutral   of an operation on vectors, the element that may be added without changing anything
    parameters   how many trailing inputs are settings (an exponent, a slope) rather than operands when plain numbers
    domain    where each input may lie: tests draw their points from it
    kinks     points at which the derivative jumps, or a function of the inputs that is 0 there

A rule is ordinary code in the table's own operations. On numbers it is backpropagation; on Values it records,
and that is a gradient that can be differentiated again. So a rule never asks `if`: a branch would be baked into
the recording. It says `step` and `where`. It divides by `div`, because Python's own `/` raises at 0.

The engine, higher orders, the drawing, the documentation and the tests read these entries; adding an operation
is adding one entry. The table goes on in `functions.py` and `activations.py`.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property, reduce
from inspect import CO_VARARGS, Parameter, Signature
from inspect import signature as inspect_signature
from itertools import accumulate
from numbers import Real
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .formulas import (
    average,
    cube_root,
    element,
    ieee,
    ieee2,
    log_sum_exp,
    quotient,
    top,
    total,
    weighted_sum,
)

Rule = Callable[..., Any]
Interval = tuple[float, float]

inf, nan = math.inf, math.nan
LARGEST = sys.float_info.max
TABLE: dict[str, Op] = {}
installers: list[Callable[[Op], None]] = []  # whoever gives operations a further face, as `Value` its methods
protected: set[str] = set()  # names and aliases of our own, once all are there; yours may be defined again


class Op:
    """One entry of the table, callable on floats, Values, lists and arrays alike.

    >>> import autograd
    >>> autograd.exp(0.0), autograd.exp([0.0, 0.0]), autograd.maximum(autograd.Value(2.0), 1)
    (1.0, array([1., 1.]), Value(data=2.0))
    """

    def __init__(
        self,
        name: str,
        text: str,
        formula: Callable[..., float],
        *rules: Rule | None,
        symbol: str = "",
        glyph: str = "",
        numpy: str = "",
        domain: Interval | Sequence[Interval] = (-inf, inf),
        kinks: Sequence[float] | Callable[..., float] = (),
        aliases: Sequence[str] = (),
        parameters: int = 0,
        forward: Callable[..., tuple[float, ...]] | None = None,
        variadic: bool = False,
        neutral: float | None = None,
    ) -> None:
        for what, x in {"name": name, "text": text, "symbol": symbol, "glyph": glyph, "numpy": numpy}.items():
            if not isinstance(x, str):
                raise TypeError(f"op needs a str as {what}. Received: {x!r:.60} ({type(x).__name__})")
        for what, function in (
            ("formula", formula),
            *(("rules", rule) for rule in rules if rule is not None),
        ):
            if not callable(function):
                received = f"{function!r:.60} ({type(function).__name__})"
                raise TypeError(f"op {name!r} needs functions as {what}. Received: {received}")
        if not rules:
            raise ValueError(f"op {name!r} needs a derivative rule for each input. Received: none")
        self.name, self.text, self.formula = name, text, formula
        self.rules: tuple[Rule, ...] = tuple(
            [zero if rule is None else answering(name, rule) for rule in rules]
        )
        self.symbol, self.glyph = symbol or name, glyph or symbol or name
        self.variadic = variadic  # takes one vector of any length, and its one rule answers for all elements
        self.neutral = neutral  # the element that changes nothing, of an operation on vectors that has one
        self.given_forward = forward
        if not isinstance(aliases, (list, tuple)) or not all(isinstance(x, str) for x in aliases):
            raise TypeError(f"op {name!r} needs a tuple of str as aliases. Received: {aliases!r:.60}")
        self.kinks, self.aliases = kinks, tuple(aliases)
        self.node: type | None = None  # the class that records, once there is one, and
        self.method: Callable[..., Any] | None = None  # its fast way to do so
        self.__name__ = self.__qualname__ = name
        self.defaults: tuple[float, ...] = ()
        if variadic:
            self.__doc__ = f"{name}(xs) = {text}"
        else:
            self.signature = signature(formula, len(rules))
            self.__doc__ = f"{name}{self.signature} = {text}"
            if len(rules) != len(self.signature.parameters):
                raise ValueError(
                    f"{self.__doc__} needs one rule for each input. Received: {len(rules)} rules"
                )
            self.defaults = tuple(
                p.default for p in self.signature.parameters.values() if p.default is not p.empty
            )
            if not isinstance(parameters, int):
                raise TypeError(f"op {name!r} needs an int as parameters. Received: {parameters!r:.60}")
            self.parameters = parameters or len(self.defaults)
        theirs = vars(np).get(name)
        known = isinstance(theirs, np.ufunc) and theirs.nin == len(rules)
        places = ", ".join(f"{{{i}}}" for i in range(len(rules)))
        self.numpy = numpy or f"{'np.' * known}{name}({places})"
        self.spelled = numpy.partition("(")[0] not in ("", name)  # a name alone does not say what it means
        self.domain = intervals(name, domain, len(rules))

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if (
            inputs
            and type(inputs[0]) is self.node
            and self.method
            and len(inputs) <= len(self.rules)
            and not named
        ):
            return self.method(*inputs)
        if self.variadic:
            return apply(self, tuple(flatten(inputs, **named)))
        if named or len(inputs) != len(self.rules):
            inputs = self.bind(inputs, named)
        for x in inputs:
            if type(x) is not float:
                return apply(self, inputs)
        return self.formula(*inputs)

    @cached_property
    def on_floats(self) -> tuple[Rule, ...]:
        """The rules for plain floats."""
        return tuple(map(with_formulas, self.rules))

    @cached_property
    def forward(self) -> Callable[..., tuple[float, ...]]:
        """(*inputs) -> the result and every local gradient, at plain numbers."""
        if self.given_forward:
            return self.given_forward
        formula, slopes = self.formula, self.slopes
        if len(self.on_floats) > 1 or self.variadic:
            return lambda *xs: (out := formula(*xs), *slopes(out, *xs))
        (rule,) = self.on_floats
        return lambda x: (out := formula(x), rule(1.0, out, x))

    def slopes(self, out: float, *inputs: float) -> list[float | None]:
        """d out / d each input, at plain numbers; None where no gradient goes."""
        if self.variadic:
            return list(self.on_floats[0](1.0, out, *inputs))
        return [rule(1.0, out, *inputs) for rule in self.on_floats]

    def bind(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All inputs in order, with the defaults of those left out."""
        missing = len(self.rules) - len(inputs)
        if not named and 0 < missing <= len(self.defaults):
            return inputs + self.defaults[-missing:]
        try:
            bound = self.signature.bind(*inputs, **named)
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}") from None
        bound.apply_defaults()
        return bound.args

    def __repr__(self) -> str:
        return f"<op {self.__doc__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return find, (self.name,)


def op(name: str, text: str, formula: Callable[..., float], *rules: Rule | None, **more: Any) -> Op:
    """Add an operation to the table, ours or yours: it can be recorded, drawn and differentiated twice at once.

    >>> import autograd
    >>> cube = autograd.op("cube", "x^3", lambda x: x * x * x, lambda g, out, x: 3 * g * x * x)
    >>> x = autograd.Value(2.0)
    >>> cube(x), autograd.grad(autograd.grad(cube))(2.0)
    (Value(data=8.0), 12.0)
    >>> x.cube()
    Value(data=8.0)
    """
    entry = Op(name, text, formula, *rules, **more)
    for each in (name, *entry.aliases):
        if each in protected:
            raise ValueError(f"the table has an op {each!r} of its own; choose another name")
    for install in installers:
        install(entry)  # may refuse the name
    TABLE[name] = entry
    return entry


def intervals(name: str, domain: Any, count: int) -> tuple[Interval, ...]:
    """The domain of each input: one for all, or one for each."""
    if not isinstance(domain, (list, tuple)) or not domain:
        raise TypeError(
            f"op {name!r} needs an interval (low, high), or a list of them, as domain. Received: {domain!r:.60}"
        )
    found = tuple(domain) if isinstance(domain[0], tuple) else (tuple(domain),) * count
    for interval in found:
        if (
            not isinstance(interval, tuple)
            or len(interval) != 2
            or not number(interval[0]) <= number(interval[1])
        ):
            raise ValueError(f"op {name!r} needs intervals (low, high) as domain. Received: {domain!r:.60}")
    return found


def signature(formula: Callable[..., float], arity: int) -> Signature:
    """The inputs' names and defaults: the formula's own, or x, y where it is a builtin or wrapped one."""
    code = getattr(formula, "__code__", None)
    if code is not None and not code.co_flags & CO_VARARGS:
        inputs = inspect_signature(formula).parameters.values()
        return Signature([p.replace(annotation=Parameter.empty) for p in inputs])
    return Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("x", "y")[:arity]])


def ours(rule: Rule) -> bool:
    """Whether it was written in this package."""
    return (getattr(rule, "__module__", None) or "").startswith("autograd.")


def answering(name: str, rule: Rule) -> Rule:
    """A rule; a user's may have forgotten its `return`."""
    if ours(rule):
        return rule

    def checked(*inputs: Any) -> Any:
        found = rule(*inputs)
        if found is None:
            raise TypeError(
                f"op {name!r} needs rules that return g times the slope, or None in place of the rule where it is"
                " flat. Received: a rule that returned None"
            )
        return found

    return checked


def with_formulas(rule: Rule) -> Rule:
    """The same code, but the table's operations in it are bare formulas: three times as fast where all is float.
    What was written elsewhere, or closes over something, stays as it is."""
    if rule.__closure__ or not ours(rule):
        return rule
    mentioned = names_in(rule.__code__)
    names = {name: x for name, x in rule.__globals__.items() if name in mentioned}
    for name, x in names.items():
        names[name] = (
            x.formula if isinstance(x, Op) else with_formulas(x) if isinstance(x, FunctionType) else x
        )
    return FunctionType(rule.__code__, names, rule.__name__, rule.__defaults__)


def names_in(code: CodeType) -> set[str]:
    """The global names that code mentions, its comprehensions included."""
    inner = [names_in(x) for x in code.co_consts if isinstance(x, CodeType)]
    return {*code.co_names}.union(*inner)


def find(name: str) -> Op:
    """The entry of that name: a pickle names its operations, it does not contain them."""
    if name not in TABLE:
        raise KeyError(f"no op {name!r} in the table: define it with autograd.op before loading what uses it")
    return TABLE[name]


def number(x: Any) -> float:
    """A float from an int, bool, NumPy scalar, 0-d array, Fraction or Decimal; a TypeError from anything else."""
    if type(x) is float:
        return x
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = x.item()
    if type(x) is int or isinstance(x, (Real, Decimal, np.bool_)):
        try:
            return float(x)
        except OverflowError:
            raise OverflowError(
                f"a Value holds a number that a float can hold. Received: {x!r:.60}"
            ) from None
    raise TypeError(f"a Value holds one real number. Received: {type(x).__name__}")


def flatten(xs: Any) -> Iterator[Any]:
    """The scalars in a scalar, list, tuple, generator or array, however nested, in order."""
    if isinstance(xs, (str, bytes, dict, set)):
        raise TypeError(f"numbers or Values are needed. Received: {type(xs).__name__}")
    if hasattr(xs, "__iter__") and not (isinstance(xs, np.ndarray) and xs.ndim == 0):
        for x in xs:
            yield from flatten(x)
    else:
        yield xs


def apply(entry: Op, inputs: tuple[Any, ...]) -> Any:
    """The one gate: whatever is not a call between plain floats passes here."""
    inputs = tuple([x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs])
    if any(isinstance(x, (list, tuple, np.ndarray)) for x in inputs):
        try:
            arrays = np.broadcast_arrays(
                *(x if isinstance(x, np.ndarray) else np.array(x, object) for x in inputs)
            )
        except ValueError:
            raise ValueError(
                f"{entry.name} needs numbers, or lists and arrays of shapes that fit. Received: {inputs!r:.100}"
            ) from None
        with np.errstate(all="ignore"):
            result = np.frompyfunc(entry, len(inputs), 1)(*arrays)
        plain = all(type(x) is float for x in result.flat)
        return result.astype(float) if plain else result
    try:
        for x in inputs:
            if hasattr(x, "_record"):  # a Value, which this file does not need to know
                return x._record(entry, inputs)
        return entry.formula(*map(number, inputs))
    except (TypeError, OverflowError):
        blame(entry, inputs)
        raise


def blame(entry: Op, inputs: tuple[Any, ...]) -> None:
    """An error that names the first input that is no number, if there is one."""
    names = [f"x{i}" for i in range(len(inputs))] if entry.variadic else [*entry.signature.parameters]
    for name, x in zip(names, inputs, strict=False):
        try:
            if not hasattr(x, "_record"):
                number(x)
        except (TypeError, OverflowError) as error:
            raise type(error)(
                f"{entry.name} needs a number as {name}. Received: {x!r:.60} ({type(x).__name__})"
            ) from None


def zero(g: Any, out: Any, *inputs: Any) -> None:
    """The rule of what is flat wherever it has a derivative: no gradient goes there, not even inf times 0."""


# fmt: off
# Arithmetic

add = op("add", "x + y", operator.add,
         lambda g, out, x, y: g,
         lambda g, out, x, y: g, forward=lambda x, y: (x + y, 1.0, 1.0), symbol="+", numpy="{0} + {1}")
sub = op("sub", "x - y", operator.sub,
         lambda g, out, x, y: g,
         lambda g, out, x, y: -g, forward=lambda x, y: (x - y, 1.0, -1.0), symbol="-", numpy="{0} - {1}")
mul = op("mul", "x * y", operator.mul,
         lambda g, out, x, y: g * y,
         lambda g, out, x, y: g * x, forward=lambda x, y: (x * y, y, x), symbol="*", glyph="×", numpy="{0} * {1}")
div: Op = op("div", "x / y", quotient,
         lambda g, out, x, y: div(g, y),
         lambda g, out, x, y: -div(g * out, y),
         forward=lambda x, y: (out := quotient(x, y), quotient(1.0, y), -quotient(out, y)),
         symbol="/", glyph="÷", numpy="{0} / {1}", kinks=lambda x, y: y)
floordiv = op("floordiv", "floor(x / y)", ieee2(operator.floordiv, np.floor_divide), zero, zero,
              symbol="//", numpy="{0} // {1}", kinks=lambda x, y: math.sin(math.pi * x / y))
mod = op("mod", "x - y floor(x / y)", ieee2(operator.mod, np.mod),
         lambda g, out, x, y: g,
         lambda g, out, x, y: -g * floordiv(x, y),
         symbol="%", numpy="{0} % {1}", kinks=lambda x, y: math.sin(math.pi * x / y))


def power_slope(g: Any, out: Any, x: Any, y: Any) -> Any:
    """g y x^(y - 1); 0 where y = 0, also where x^-1 is inf. It is bounded there, not left out: it is the slope by y."""
    if type(y) is float:  # an exponent that is a plain number stays what it is
        return g * y * pow_(x, y - 1.0) if y else 0.0 * clamp(x, -1.0, 1.0)  # nan of nan
    power = pow_(x, y - 1.0)
    return g * y * where(y, power, clamp(power, -LARGEST, LARGEST))


pow_: Op = op("pow", "x^y", ieee2(math.pow, np.power), power_slope,  # flat in y where x = 0: not nan
          lambda g, out, x, y: g * out * where(x, log(where(x, x, 1.0)), where(step(y), 0.0, -inf)),
          symbol="**", numpy="pow({0}, {1})", domain=[(0, inf), (-inf, inf)], parameters=1)
neg = op("neg", "-x", operator.neg, lambda g, out, x: -g, symbol="-", numpy="-{0}")
abs_ = op("abs", "|x|", abs, lambda g, out, x: g * sign(x), kinks=(0,), aliases=("absolute", "fabs"))
reciprocal = op("reciprocal", "1 / x", lambda x: quotient(1.0, x),
                lambda g, out, x: -g * out * out, symbol="1/x", numpy="1 / {0}", kinks=(0,))

# Exponentials, logarithms, roots

LN2, LN10 = math.log(2.0), math.log(10.0)


def defined(x: Any) -> Any:
    """x where its logarithm is a number, nan where it is not: 1/x alone would show a slope there."""
    return where(step(x), x, nan)


exp = op("exp", "e^x", ieee(math.exp, np.exp), lambda g, out, x: g * out)
expm1 = op("expm1", "e^x - 1", ieee(math.expm1, np.expm1), lambda g, out, x: g * exp(x))
log: Op = op("log", "ln x", ieee(math.log, np.log), lambda g, out, x: div(g, defined(x)), domain=(0, inf))
log1p = op("log1p", "ln(1 + x)", ieee(math.log1p, np.log1p),
           lambda g, out, x: div(g, defined(1.0 + x)), domain=(-1, inf))
log2 = op("log2", "ln x / ln 2", ieee(math.log2, np.log2),
          lambda g, out, x: div(div(g, LN2), defined(x)), domain=(0, inf))
log10 = op("log10", "ln x / ln 10", ieee(math.log10, np.log10),
           lambda g, out, x: div(div(g, LN10), defined(x)), domain=(0, inf))
sqrt: Op = op("sqrt", "x^(1/2)", ieee(math.sqrt, np.sqrt),
          lambda g, out, x: div(g, 2.0 * out), glyph="√", domain=(0, inf))
cbrt = op("cbrt", "x^(1/3)", cube_root,
          lambda g, out, x: div(g, 3.0 * out * out), glyph="∛", numpy="cbrt({0})", kinks=(0,))

# Choices and steps: branches that a recording may contain. nan in, nan out

maximum = op("maximum", "the larger of x and y; a tie shares the gradient", lambda x, y: x if x > y or x != x else y,
             lambda g, out, x, y: g * (0.5 * (1.0 + step(x, y) - step(y, x))),
             lambda g, out, x, y: g * (0.5 * (1.0 + step(y, x) - step(x, y))), symbol="max", kinks=lambda x, y: x - y)
minimum = op("minimum", "the smaller of x and y; a tie shares the gradient", lambda x, y: x if x < y or x != x else y,
             lambda g, out, x, y: g * (0.5 * (1.0 + step(y, x) - step(x, y))),
             lambda g, out, x, y: g * (0.5 * (1.0 + step(x, y) - step(y, x))), symbol="min", kinks=lambda x, y: x - y)
clamp = op("clamp", "x, but at least low and at most high; slope 1 at a bound",
           lambda x, low=-inf, high=inf: high if x > high or low > high else low if x < low else x,
           lambda g, out, x, low, high: g * step(x, low) * step(high, x),
           lambda g, out, x, low, high: g * (1.0 - step(x, low)) * step(high, low),
           lambda g, out, x, low, high: g * (1.0 - step(high, maximum(x, low))),
           numpy="clamp({0}, {1}, {2})", aliases=("clip",),
           kinks=lambda x, low, high: min(abs(x - low), abs(x - high), abs(high - low)))
where: Op = op("where", "x if condition else y", lambda condition, x, y: x if condition else y, zero,
           lambda g, out, condition, x, y: where(condition, g, 0.0),
           lambda g, out, condition, x, y: where(condition, 0.0, g),
           numpy="where({0}, {1}, {2})", kinks=lambda condition, x, y: condition)
step: Op = op("step", "1 if x >= threshold else 0",
          lambda x, threshold=0.0: 1.0 if x >= threshold else 0.0 if x < threshold else nan, zero, zero,
          numpy="step({0}, {1})", kinks=lambda x, threshold: x - threshold,
          aliases=("heaviside", "binary_step"))
above = op("above", "1 if x > y else 0: a step that is 0 at the threshold itself",
           lambda x, y: 1.0 if x > y else 0.0 if x <= y else nan, zero, zero, symbol=">", numpy="above({0}, {1})",
           kinks=lambda x, y: x - y)
equal = op("equal", "1 if x = y else 0", lambda x, y: 1.0 if x == y else 0.0, zero, zero, symbol="==",
           numpy="equal({0}, {1})", kinks=lambda x, y: x - y)
sign: Op = op("sign", "-1, 0 or 1 as x is negative, 0 or positive",
          lambda x: x if x != x else float((x > 0.0) - (x < 0.0)), zero, kinks=(0,))
floor = op("floor", "the largest integer <= x", lambda x: float(np.floor(x)), zero,
           kinks=lambda x: math.sin(math.pi * x))
ceil = op("ceil", "the smallest integer >= x", lambda x: float(np.ceil(x)), zero,
          kinks=lambda x: math.sin(math.pi * x))
round_ = op("round", "the nearest integer, halves to even", lambda x: float(np.rint(x)), zero, numpy="np.rint({0})",
            kinks=lambda x: math.cos(math.pi * x), aliases=("rint",))

# Of vectors: one rule gives the gradients of all elements


def products_of_others(g: Any, xs: Sequence[Any]) -> list[Any]:
    """g times the product of all but each, from running products of both ends: right also where some are 0."""
    before = accumulate(xs[:-1], operator.mul, initial=g)
    after = [*accumulate(xs[:0:-1], operator.mul, initial=1.0)][::-1]
    return [b * a for b, a in zip(before, after, strict=True)]


def shares(g: Any, parts: Sequence[Any]) -> list[Any]:
    """g divided in proportion to the parts, which need not sum to 1: an error common to all of them cancels."""
    total = sum_(*parts)
    return [g * div(part, total) for part in parts]


def shared_by_the_largest(g: Any, out: Any, *xs: Any) -> list[Any]:
    """g divided evenly among those that equal the maximum."""
    ties = [equal(x, out) for x in xs]
    count = sum_(*ties)
    return [g * div(tie, count) for tie in ties]


def along(g: Any, out: Any, *xs: Any) -> list[Any]:
    """g times the unit vector in the direction of xs, which has length out; 0 where that is 0."""
    length = where(out, out, 1.0)
    return [g * div(x, length) for x in xs]


def vector(name: str, text: str, formula: Callable[..., float], rule: Rule, **more: Any) -> Op:
    return op(name, text, formula, rule, variadic=True, **more)


sum_ = vector("sum", "x1 + x2 + ...", total, lambda g, out, *xs: [g] * len(xs), glyph="Σ", neutral=0.0,
              numpy="{0}.sum(axis=-1)")
mean = vector("mean", "(x1 + ... + xn) / n", average,
              lambda g, out, *xs: [div(g, float(len(xs)))] * len(xs), numpy="{0}.mean(axis=-1)")
prod = vector("prod", "x1 * x2 * ...", lambda *xs: reduce(operator.mul, xs, 1.0),
              lambda g, out, *xs: products_of_others(g, xs), glyph="Π", neutral=1.0,
              numpy="{0}.prod(axis=-1)")
norm = vector("norm", "(x1^2 + x2^2 + ...)^(1/2)", math.hypot, along, neutral=0.0, numpy="norm({0})")
logsumexp = vector("logsumexp", "ln(e^x1 + e^x2 + ...)", log_sum_exp,
                   lambda g, out, *xs: shares(g, [exp(x - out) for x in xs]), neutral=-inf, numpy="logsumexp({0})")
largest = vector("largest", "the largest of x1, x2, ...; a tie shares the gradient", top, shared_by_the_largest,
                 neutral=-inf, numpy="{0}.max(axis=-1)")
pick = vector("pick", "the x at position i, of x0, x1, ..., i", element,
              lambda g, out, *xsi: [*(g * equal(xsi[-1], float(i)) for i in range(len(xsi) - 1)), None],
              numpy="np.take({0}, {1}, axis=-1)")
dot = vector("dot", "b + w1 x1 + w2 x2 + ...", weighted_sum,
             lambda g, out, *wxb: [*(g * x for x in wxb[len(wxb) // 2:-1]), *(g * w for w in wxb[:len(wxb) // 2]), g],
             glyph="Σ w·x", numpy="{0} @ {1} + {2}")
