"""Operators and methods of Value, made from the table, and `dot`, the weighted sum recorded as one node.

Python's `+` becomes a method that records the table's `add`. These methods fill a bare node slot by slot, which
takes half the time of calling Value(...): they are the hot path of every forward pass.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from . import activations, functions, ops  # noqa: F401 (the whole table, before methods are made from it)
from .context import current, user_line
from .ops import TABLE, Op, apply, number
from .value import DOT, NO_GRADIENT, Constant, Value, new
from .vector import Vector


def unary(op: Op) -> Callable[[Any], Any]:
    forward = op.forward

    def method(self: Value) -> Any:
        now = current()
        if not now.plain:
            return Value._record(op, (self,))
        v = new(Value)
        v.data, v._dx = forward(self.data)
        v._x = self
        v._y = None
        v._dy = None
        v.grad = NO_GRADIENT
        v.label = ""
        v.op = op
        v.scope = now.scope
        return v

    return method


def binary(op: Op, otherwise: Callable[[Op, Any, Any], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The method of an operation of two inputs and its reflection, for a Value with a Value or a number."""
    formula, forward, (rule_x, rule_y) = op.formula, op.forward, op.on_floats

    def method(self: Value, other: Any = op.defaults[0] if op.defaults else None) -> Any:
        now = current()
        if not now.plain:
            return otherwise(op, self, other)
        x = self.data
        v = new(Value)
        if type(other) is Value:
            v.data, v._dx, v._dy = forward(x, other.data)
            v._y = other
        elif type(other) is float or type(other) is int:
            y = float(other)
            v.data = out = formula(x, y)
            v._y = y
            v._dx = rule_x(1.0, out, x, y)
            v._dy = None
        else:
            return otherwise(op, self, other)
        v._x = self
        v.grad = NO_GRADIENT
        v.label = ""
        v.op = op
        v.scope = now.scope
        return v

    def reflected(self: Value, other: Any) -> Any:
        now = current()
        if (type(other) is not float and type(other) is not int) or not now.plain:
            return otherwise(op, other, self)
        x, y = float(other), self.data
        v = new(Value)
        v.data = out = formula(x, y)
        v._x = x
        v._y = self
        v._dx = None
        v._dy = rule_y(1.0, out, x, y)
        v.grad = NO_GRADIENT
        v.label = ""
        v.op = op
        v.scope = now.scope
        return v

    return method, reflected


def either(op: Op, x: Any, y: Any) -> Any:
    """x op y where one may be a number; whatever else it is gets its own chance: NumPy takes arrays apart."""
    try:
        return Value._record(op, (x, y))
    except TypeError:
        return NotImplemented


def comparison(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], Any]:
    def method(self: Value, other: Any) -> Any:
        try:
            return compare(self.data, other.data if isinstance(other, Value) else number(other))
        except TypeError:
            return NotImplemented

    return method


RESERVED = set(dir(Value))
OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "floordiv": "floordiv", "mod": "mod"}
OPERATORS |= {"pow": "pow", "neg": "neg", "abs": "abs", "floor": "floor", "ceil": "ceil"}


def install(op: Op) -> None:
    """Give Value the methods of one operation: its names, and the operator of Python that it is."""
    if op.variadic:
        return
    for name in (op.name, *op.aliases):
        if name in RESERVED or name[:2] == "__":
            raise ValueError(f"an op named {name!r} would hide Value.{name}; choose another name")
    general: Any = lambda self, *more, **named: op(self, *more, **named)
    fast = general
    if len(op.rules) == 1:
        fast = op.method = unary(op)
    elif len(op.rules) == 2:
        op.method, _ = binary(op, lambda op, x, y: apply(op, op.bind((x,) if y is None else (x, y), {})))
    if op.method:
        op.node, op.method.__qualname__ = Value, op.name
    for name in (op.name, *op.aliases):
        setattr(Value, name, fast)
        setattr(Constant, name, general)  # may record nothing
    if op.name in OPERATORS:
        dunder = OPERATORS[op.name]
        if len(op.rules) == 1:
            setattr(Value, f"__{dunder}__", fast)
            setattr(Constant, f"__{dunder}__", general)
        else:
            method, reflected = binary(op, either)
            setattr(Value, f"__{dunder}__", method)
            setattr(Value, f"__r{dunder}__", reflected)
            setattr(Constant, f"__{dunder}__", lambda self, other: either(op, self, other))
            setattr(Constant, f"__r{dunder}__", lambda self, other: either(op, other, self))


for entry in TABLE.values():
    install(entry)
    ops.protected.update((entry.name, *entry.aliases))
ops.installers.append(install)
for name in ("lt", "le", "gt", "ge"):
    setattr(Value, f"__{name}__", comparison(getattr(operator, name)))


def dot(w: Iterable[Any], x: Iterable[Any], b: Any = 0.0) -> Any:
    """b + w1 x1 + w2 x2 + ... as one node, which unfolds into its products and sums when somebody looks.

    >>> w = [Value(2.0), Value(-1.0)]
    >>> dot(w, [3.0, 4.0], Value(0.5))
    Value(data=2.5)
    """
    ws = w if type(w) is Vector else Vector(w)
    xs = x if type(x) is Vector else Vector(x)
    if len(ws._x) != len(xs._x):
        raise ValueError(f"dot needs two vectors of one size. Received: {len(ws)} and {len(xs)}")
    now = current()
    if now.tracer:
        return now.tracer(DOT, (*ws, *xs, b))
    try:
        dx = [weight.data for weight in ws._x]
        dw = xs.data or [v.data for v in xs._x]
        out: Any = b if type(b) is float else b.data
        bias = out
        for p, q in zip(dw, dx):
            out += p * q
    except (AttributeError, TypeError, ValueError):  # ints, or plain numbers among Values
        out = None
    if type(out) is not float and isinstance(out, float):  # NumPy's
        out = float(out)
    if type(out) is not float or now.anomaly or not dx:
        products = map(
            operator.mul, *([v if isinstance(v, Value) else number(v) for v in vs] for vs in (ws, xs))
        )
        return reduce(operator.add, products, b if isinstance(b, Value) else number(b))
    if not now.recording or (
        type(ws._x[0]) is Constant and all(type(v) in (Constant, float) for v in (*ws, *xs, b))
    ):
        return Constant(out)
    v = new(Value)
    v.data = out
    v.grad = NO_GRADIENT
    v.label = ""
    v.op = DOT
    v.scope = now.scope
    v._x = (ws, xs, b)
    v._dx = (dw, dx, 1.0)
    v._y = None
    v._dy = bias  # what the bias was: the products' factors stand in _dx
    if now.lines:
        v.recorded_at = user_line()
    return v


def take(rows: Any, index: Any) -> Any:
    """rows[index], where the index may be a Value, such as an integer input of a compiled function.

    `rows` is a list or array of numbers or Values, or of lists of them: the rows of an embedding. The gradient goes
    to the row that was taken. IndexError unless the index is a whole number from 0 to len(rows) - 1.

    >>> take([Value(2.0), Value(5.0)], 1), take([[1.0, 2.0], [3.0, 4.0]], Value(0.0))
    (Value(data=5.0), [Value(data=1.0), Value(data=2.0)])
    """
    try:
        rows = list(rows)
    except TypeError:
        raise TypeError(f"take needs a list or array as rows. Received: {type(rows).__name__}") from None
    if not isinstance(index, Value):
        try:
            position = number(index)
        except (TypeError, OverflowError) as error:
            raise type(error)(
                f"take needs a whole number as index. Received: {index!r:.60} ({type(index).__name__})"
            ) from None
        if not (position.is_integer() and 0 <= position < len(rows)):
            raise IndexError(
                f"take needs a whole number from 0 to {len(rows) - 1} as index. Received: {index!r}"
            )
        return rows[int(position)]
    if rows and hasattr(rows[0], "__iter__"):
        return [take(column, index) for column in zip(*rows, strict=True)]
    return Value._record(ops.pick, (*rows, index))
