"""Values without numbers, which stand for the inputs of a function while it is recorded.

A `Traced` is a Value that has operands but no number. While a function is recorded every operation ends in `trace`,
which makes the next one. So what depends on an input can never be looked at, and no branch that Python takes on it can
be baked into a program: bool(), float(), a comparison or an index is an error that names the user's line.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..context import current, user_line
from ..ops import Op, number, zero
from ..value import NO_GRADIENT, Constant, Value, new

STOP = Op("stop_gradient", "x, as a constant", lambda x: x, zero, numpy="{0}")  # what detach() records


def unknown(what: str) -> TypeError:
    return TypeError(
        f"{user_line()}: {what} needs a number, but what depends on an input of a compiled function has none while "
        "the function is recorded, and a choice made now would hold for every later call. Write where(condition, a, b)"
        " with step, above or equal for a branch, maximum or minimum or clamp for a comparison, take(rows, index) for"
        " an index."
    )


def refuse(what: str) -> Any:
    def refused(self: Any, *others: Any) -> Any:
        raise unknown(what)

    return refused


class Traced(Value):
    """A Value without a number: an input of a function that is being recorded, or what was computed from one."""

    __slots__ = ()
    data = property(refuse(".data"), refuse("assigning .data"))
    __bool__ = refuse("`if`, `and`, `or`, `not` or `while`")
    __float__ = refuse("float()")
    __int__ = refuse("int()")
    __index__ = refuse("an index")
    __hash__ = Value.__hash__
    __lt__ = __le__ = __gt__ = __ge__ = refuse("a comparison")
    backward = refuse("backward() (grad(f) can be compiled)")
    item = refuse("item()")

    def __repr__(self) -> str:
        return f"Value({self.label or 'recorded'})"

    def __eq__(self, other: object) -> bool:
        """Equality of Values is identity; with a number it would be a comparison."""
        if self is other or isinstance(other, Value):
            return self is other
        raise unknown("==")

    def __format__(self, spec: str) -> str:
        if spec:
            raise unknown(f"the format {spec!r}")
        return repr(self)

    def detach(self) -> Value:
        return trace(STOP, (self,))

    @property
    def partials(self) -> tuple[Any, ...]:
        """Not numbers, but where gradients go: `transform` asks for nothing else."""
        return tuple(None if type(x) is float or type(x) is Constant else np.nan for x in self.operands)


def leaf(label: str) -> Traced:
    v = new(Traced)
    v.grad, v.label, v.scope = NO_GRADIENT, label, current().scope
    v.op = v._x = v._y = v._dx = v._dy = None
    return v


serial = itertools.count()


def trace(op: Op, inputs: tuple[Any, ...]) -> Traced:
    """Record an operation without computing it."""
    now = current()
    v = leaf("")
    v.op = op
    v._x = tuple([x if isinstance(x, Value) else number(x) for x in inputs])
    v._dx = v._x  # only looked at through `partials`
    v._dy = next(serial)  # so that nodes can be put back into the order of their making
    return v if now.recording or op is STOP else trace(STOP, (v,))


# What a recording rests on, and what it changes --------------------------------------------------------------------


class Notes:
    """What is noted while a function is recorded, beside the graph."""

    def __init__(self) -> None:
        self.assumed: dict[
            Callable[[], Any], None
        ] = {}  # the recording holds as long as these return the same
        self.updates: dict[Value, Any] = {}  # what to remember after each call


notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


def assume(read: Callable[[], Any]) -> None:
    """Note that what is being recorded holds only while read() returns the same; otherwise it is recorded anew."""
    noted = notes.get()
    if noted is not None:
        noted.assumed[read] = None


def remember(target: Value, x: Any) -> None:
    """Set the number of a Value that is not trained, such as a running mean, now and at each call of what is compiled.

    In a batch x must be the same for all samples.

    >>> total = Value(0.0)
    >>> remember(total, total + 2.0)
    >>> total
    Value(data=2.0)
    """
    noted = notes.get()
    if current().tracer is None or noted is None:
        target.data = float(x)
    else:
        noted.updates[target] = x


BATCH_MEAN = Op(  # it is its own adjoint: what the mean of all samples receives, each of them shares in
    "batch_mean",
    "the mean of x over all samples of the batch",
    lambda x: x,
    lambda g, out, x: batch_mean(g),
    numpy="{0}",
)


def batch_mean(x: Any) -> Any:
    """In a function that is being compiled, the mean of x over all samples of the batch; otherwise, there being one
    sample, x itself."""
    return trace(BATCH_MEAN, (x,)) if isinstance(x, Value) and current().tracer else x


COUNT = Op("batch_count", "the number of samples of the batch", lambda x: x, zero, numpy="{0}")


def batch_count() -> Any:
    """In a function that is being compiled, the number of samples of the batch; otherwise 1."""
    return trace(COUNT, (1.0,)) if current().tracer else 1.0


class Draw:
    """The place of a random number in a recording: uniform in [0, 1)."""

    symbol = name = "uniform"


def uniform(
    low: float = 0.0, high: float = 1.0, rng: random.Random | np.random.Generator | None = None
) -> Any:
    """A random number between low and high, all equally likely.

    It comes from `rng`, by default Python's global `random`. In a function that is being compiled it stands for a
    number that is drawn anew at each call, and for each sample of a batch, from the program's own seeded generator.

    >>> 2.0 <= uniform(2.0, 3.0) <= 3.0
    True
    """
    if current().tracer is None:
        if rng is not None and not hasattr(rng, "uniform"):
            raise TypeError(
                f"uniform needs a random.Random or a NumPy Generator as rng. Received: {type(rng).__name__}"
            )
        return float((rng or random).uniform(number(low), number(high)))
    v = leaf("u")
    v.op, v._x = Draw, ()
    return low + (high - low) * v
