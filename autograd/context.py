"""How Values are recorded just now: whether at all, in which module, with which line, and what of an anomaly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .checks import one_line


class Scope:
    """The module in whose call a Value was recorded; scopes nest as the modules do."""

    __slots__ = ("level", "name", "parent", "title")

    def __init__(self, name: str, title: str = "", level: str = "", parent: Scope | None = None) -> None:
        for what, x in (("name", name), ("title", title), ("level", level)):
            if not isinstance(x, str):
                raise TypeError(f"Scope needs a str as {what}. Received: {x!r} ({type(x).__name__})")
        if not isinstance(parent, (Scope, type(None))):
            raise TypeError(f"Scope needs a Scope as parent. Received: {parent!r} ({type(parent).__name__})")
        self.name, self.title, self.level, self.parent = name, title, level, parent


class Context:
    """What holds for the thread or task that is recording."""

    __slots__ = ("anomaly", "lines", "plain", "recording", "scope", "tracer", "watch")

    def __init__(
        self,
        recording: bool = True,
        anomaly: bool = False,
        scope: Scope | None = None,
        tracer: Callable[..., Any] | None = None,  # who records, without numbers, in place of Value
        watch: Callable[..., None] | None = None,  # who is told of each module's call
        lines: bool = False,  # whether each Value remembers the line that recorded it
    ) -> None:
        self.recording, self.anomaly, self.scope, self.tracer = recording, anomaly, scope, tracer
        self.watch, self.lines = watch, lines
        self.plain = recording and not anomaly and not lines and tracer is None

    def but(self, **changes: Any) -> Context:
        """The same, but for what is named."""
        kept = {
            "recording": self.recording,
            "anomaly": self.anomaly,
            "scope": self.scope,
            "tracer": self.tracer,
            "watch": self.watch,
            "lines": self.lines,
        }
        return Context(**{**kept, **changes})


context: ContextVar[Context] = ContextVar("autograd", default=Context())  # noqa: B039 (a Context never changes)
current = context.get


@contextmanager
def within(**changes: Any) -> Iterator[None]:
    token = context.set(current().but(**changes))
    try:
        yield
    finally:
        context.reset(token)


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Compute without recording, `with no_grad():` or `@no_grad`, in this thread or task alone.

    >>> from autograd import Value
    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.requires_grad
    (Value(data=4.0), False)
    """
    return within(recording=False)(function) if function else within(recording=False)


def detect_anomaly(function: Callable[..., Any] | None = None) -> Any:
    """Raise FloatingPointError at the first nan or inf, forward or backward, saying what made it and where.

    >>> from autograd import Value
    >>> with detect_anomaly():
    ...     Value(0.0, label="p").log()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FloatingPointError: log(p=0) is -inf, recorded at ...
    """
    return within(anomaly=True, lines=True)(function) if function else within(anomaly=True, lines=True)


def record_lines(function: Callable[..., Any] | None = None) -> Any:
    """Remember of each operation which line recorded it: `explore` quotes the line, `detect_anomaly` names it.

    A line is one of yours: of what a layer computes, the line that called it. `with record_lines():` or
    `@record_lines`, in this thread or task alone. A network's forward pass takes four to five times as long, so it is
    off otherwise; within `detect_anomaly()`, which also looks at every number and takes far longer, it is on.

    >>> from autograd import Value
    >>> with record_lines():
    ...     y = Value(2.0).exp()
    >>> file, _, line = y.recorded_at.rpartition(":")
    >>> int(line) > 0
    True
    """
    return within(lines=True)(function) if function else within(lines=True)


LONGEST = 100  # letters of a name in a message


def name_of(x: Any) -> str:
    label = one_line(getattr(x, "label", ""), LONGEST)
    return f"{label}={x.data:.6g}" if label else f"{float(x):.6g}"


def describe(op: Any, operands: Sequence[Any]) -> str:
    """An operation with its operands, long vectors cut short: `log(p=0)`."""
    shown = [name_of(x) for x in operands[:6]] + ["..."] * (len(operands) > 6)
    return f"{getattr(op, 'name', op)}({', '.join(shown)})"


def path(scope: Scope | None) -> str:
    """` in MLP.layers.0`, or nothing outside any module."""
    names: list[str] = []
    while scope is not None:
        names.insert(0, scope.name)
        scope = scope.parent
    return f", in {one_line('.'.join(names), 4 * LONGEST)}" if names else ""


def user_line() -> str:
    """The file and line, outside this package and nn, that is being executed."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "autograd",
        "nn",
        "numpy",
        "contextlib",
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
