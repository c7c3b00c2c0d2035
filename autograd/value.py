"""Value: one number that remembers how it was made.

A node is plain data: its number, its gradient, the operation that made it, its operands x and y, and the local
gradients dx = d out / dx and dy, recorded in the forward pass. There are no closures, so a graph has no cycles and
is freed the moment nobody holds its end. Every walk is a loop: a chain may be a million long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import ops
from .context import Scope, current, describe, name_of, path, user_line
from .ops import Op, number
from .vector import Vector

DOT = ops.dot
NO_GRADIENT = float("0")  # one particular zero: before backward, `grad` equals 0 and can still be told apart


class Value:
    """One number, its gradient, and how it was made.

    `Value(data, label="x")` takes whatever is one real number. Operators and the functions of the table record;
    `backward()` fills `grad`. Equality is identity, so that Values are keys; `<` and its kin compare the numbers.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + 10
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (4.0, -3.0, 2.0)
    """

    __slots__ = ("__dict__", "__weakref__", "_dx", "_dy", "_x", "_y", "data", "grad", "label", "op", "scope")
    data: float
    grad: Any  # a float; a Value after backward(create_graph=True)
    label: str
    scope: Scope | None
    op: Any  # an Op; None for a leaf; ByHand for a node that somebody built
    _x: Any  # the first operand, a Value or a plain float; or, of an op on vectors, the tuple of all operands
    _y: Any  # the second one, if there is one
    _dx: Any  # the local gradients, likewise; None where no gradient goes
    _dy: Any
    _copied_as: type[Value] | None = None  # what copies and pickles make of it; None: the same

    def __init__(
        self,
        data: Any,
        _children: Iterable[Any] = (),
        _op: Any = "",
        label: str = "",
        *,
        children: Iterable[Any] = (),
        local_grads: Iterable[float] = (),
        _prev: Iterable[Any] = (),
    ) -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is a str. Received: {type(label).__name__}")
        self.data = data if type(data) is float else number(data)
        self.grad = NO_GRADIENT
        self.label = label
        self.scope = current().scope
        self.op = self._x = self._y = self._dx = self._dy = None
        if not isinstance(_op, str):  # the other dialect: Value(data, children, local_grads)
            _op, local_grads = "", _op
        try:
            operands = _children or children or _prev
            made = bool(operands or local_grads)
        except ValueError:
            raise TypeError("Value needs tuples as children and local_grads. Received: an array") from None
        if made:
            self.op, self._x = ByHand(_op), numbers("children", operands)
            self._dx = numbers("local_grads", local_grads) or (None,) * len(self._x)
            if len(self._dx) != len(self._x):
                raise ValueError(
                    f"each child needs a local gradient. Received: {len(self._dx)} for {len(self._x)}"
                )

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it was computed from, in order; plain numbers stand as floats."""
        return spread(self._x, self._y)

    @property
    def partials(self) -> tuple[Any, ...]:
        """d self / d operand for each operand, as recorded in the forward pass; None where no gradient goes."""
        return (
            spread(self._dx, self._dy)
            if type(self._x) is tuple
            else (self._dx, self._dy)[: len(self.operands)]
        )

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for it. Set False on a leaf to freeze it."""
        return not isinstance(self, Constant)

    @requires_grad.setter
    def requires_grad(self, needed: bool) -> None:
        if self.op and not needed:
            raise ValueError("only a leaf can be frozen; detach() gives a constant with the same number")
        if needed is not self.requires_grad:
            self.__class__ = Value if needed else Constant
            self.grad = NO_GRADIENT

    def detach(self) -> Value:
        """The same number as a constant: no history, no gradient."""
        return Constant(self.data, label=self.label)

    def item(self) -> float:
        return self.data

    def __repr__(self) -> str:
        grad = "" if self.grad is NO_GRADIENT else f", grad={self.grad}"
        return f"Value(data={self.data}{grad})"

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __pos__(self) -> Value:
        return self

    def __round__(self, digits: int | None = None) -> Any:
        return ops.round_(self * 10.0**digits) / 10.0**digits if digits else ops.round_(self)

    @staticmethod
    def _record(op: Op, inputs: tuple[Any, ...]) -> Any:
        """Any operation on any mix of Values and numbers. Those in `operators` do the commonest cases faster."""
        inputs = tuple([x if isinstance(x, Value) else number(x) for x in inputs])
        now = current()
        if now.tracer:
            return now.tracer(op, inputs)
        if op is DOT:  # given flat; `operators.dot` is who folds
            n = len(inputs) // 2
            return sum((w * x for w, x in zip(inputs[:n], inputs[n:-1])), inputs[-1])
        data = [x if type(x) is float else x.data for x in inputs]
        needed = [type(x) is not float and type(x) is not Constant for x in inputs]
        out = op.formula(*data)
        if now.anomaly and not math.isfinite(out):
            raise FloatingPointError(
                f"{describe(op, inputs)} is {out}, recorded at {user_line()}{path(now.scope)}"
            )
        if not now.recording or not any(needed):
            return Constant(out)
        if op.variadic:
            slopes: list[Any] = op.slopes(out, *data)
        else:
            slopes = [rule(1.0, out, *data) if need else None for rule, need in zip(op.on_floats, needed)]
        v = Value(out)
        slopes = [d if need else None for d, need in zip(slopes, needed)]
        v.op = op
        if len(inputs) > 2 or op.variadic:
            v._x, v._dx = inputs, tuple(slopes)
            v._dy = data if op is ops.sum_ else None  # a sum unfolds into what its parts were
        else:
            (v._x, v._y), (v._dx, v._dy) = (*inputs, None)[:2], (*slopes, None)[:2]
        if now.lines:
            v.recorded_at = user_line()
        return v

    def backward(self, gradient: Any = 1.0, create_graph: bool = False) -> None:
        """Add d self / d leaf to the `grad` of every leaf, and set the `grad` of every node on the way. There is no way
        through what is flat, such as a step: what lies behind it keeps the `grad` that it has.

        `gradient` is what self starts from. With `create_graph` the gradients are Values, recorded in their turn; they
        refer to the nodes that bear them, so that such a graph is freed when the garbage collector comes.
        `autograd.gradient` has no such circle.

        >>> x = Value(3.0)
        >>> (x * x * x).backward(create_graph=True)
        >>> slope, x.grad = x.grad, 0.0
        >>> slope.backward()
        >>> slope.data, x.grad
        (27.0, 18.0)
        """
        if type(self) is Constant:
            raise RuntimeError(
                "a constant has no gradient: it was detached, frozen, or computed from such or in no_grad"
            )
        if create_graph:
            for v, g in gradients(self, gradient, create_graph).items():
                g = v.grad + g if not v.op and v.grad is not NO_GRADIENT else g
                v.grad = g if isinstance(g, Value) else Value(g)
            return
        order, anomaly = topological(self, backward=True), current().anomaly
        for v in order:
            v.grad = 0.0
        self.grad += gradient if type(gradient) is float else number(gradient)
        for v in reversed(order):
            g = v.grad
            x = v._x
            dx = v._dx
            dy = v._dy
            if type(x) is not tuple:
                if dx is not None:
                    x.grad += dx * g
                if dy is not None:
                    v._y.grad += dy * g
            elif v.op is DOT:
                w, x, b = x
                dw, dx, _ = dx
                w.gather(g, dw)
                if x.op:
                    x.gather(g, dx)
                if type(b) is not float:
                    b.grad += g
            elif type(v) is Vector:
                v.hand_out()
            else:
                for operand, d in zip(x, dx):
                    if d is not None:
                        operand.grad += d * g
                if type(v.op) is ByHand and v.op.push:
                    v.op.push()
            if anomaly:
                check_finite(v)

    if TYPE_CHECKING:  # the methods that the table gives it, in `operators`

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, x: Any) -> None: ...
        def __add__(self, other: Any) -> Any: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__

        def __lt__(self, other: Any) -> bool: ...

        __le__ = __gt__ = __ge__ = __lt__

        def __neg__(self) -> Any: ...

        __abs__ = __floor__ = __ceil__ = __neg__


class Constant(Value):
    """A Value that no gradient reaches: detached, frozen, or computed from such alone."""

    __slots__ = ()
    grad = property(lambda self: NO_GRADIENT, lambda self, g: None)


class ByHand:
    """The op of a node that somebody built, with local gradients or with a `_backward` of its own."""

    __slots__ = ("push", "symbol")

    def __init__(self, symbol: str, push: Callable[[], None] | None = None) -> None:
        self.symbol, self.push = symbol, push


new = Value.__new__


def numbers(name: str, given: Any) -> tuple[Any, ...]:
    """The children or local gradients that somebody gave a node, if they are Values and numbers."""
    try:
        if isinstance(given, (str, bytes)):
            raise TypeError
        return tuple([x if isinstance(x, Value) else number(x) for x in given])
    except TypeError:
        raise TypeError(
            f"Value needs a tuple of Values and numbers as {name}. Received: {given!r:.60}"
        ) from None


# Walks: each a loop, so that depth costs no stack -----------------------------------------------------------------


def topological(root: Value, backward: bool = False) -> list[Any]:
    """Every node from which `root` was computed, operands before results, root last; leaves are left out.
    With `backward` only those that a gradient reaches, and the Vectors among them, after their elements and before
    their readers."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[Any] = [root] if root.op else []
    pop, push, every = stack.pop, stack.append, not backward
    while stack:
        v = pop()
        if v is None:  # all that lay above it is done: the operands of the next one stand in order
            order.append(pop())
        elif v not in seen:
            seen.add(v)
            push(v)
            push(None)
            if type(v._x) is tuple:
                if every or v.op is DOT or type(v.op) is not Op:
                    for x in v._x:
                        if type(x) is not float and x.op and x not in seen:
                            push(x)
                else:
                    for x, d in zip(v._x, v._dx):  # a slope stands only where a Value does
                        if d is not None and x.op and x not in seen:
                            push(x)
            else:
                if (v._dx is not None or (every and isinstance(v._x, Value))) and v._x.op:
                    push(v._x)
                if (v._dy is not None or (every and isinstance(v._y, Value))) and v._y.op:
                    push(v._y)
    return order if backward else [v for v in order if type(v) is not Vector]


def spread(x: Any, y: Any) -> tuple[Any, ...]:
    """Operands, or local gradients, as one flat tuple."""
    if type(x) is not tuple:
        return () if x is None else (x,) if y is None else (x, y)
    return tuple(
        item for part in x for item in (part if isinstance(part, (Vector, list, tuple)) else (part,))
    )


def gradients(output: Value, seed: Any = 1.0, create_graph: bool = False) -> dict[Value, Any]:
    """d output / d v for every node v that it was computed from, from the recorded local gradients, or, with
    `create_graph`, from the rules of the table run on the nodes themselves, so that the gradients are recorded."""
    found: dict[Value, Any] = {output: seed if isinstance(seed, Value) else number(seed)}
    for v in reversed(topological(output)):
        if v not in found:
            continue
        g, operands, partials = found[v], v.operands, v.partials
        flows = [isinstance(x, Value) and d is not None for x, d in zip(operands, partials)]
        if type(v.op) is ByHand and (v.op.push or create_graph):
            raise TypeError(
                f"the node {v._op!r} was made by hand, without a rule: only backward() goes through it"
            )
        if not create_graph:
            gains = [d * g if flow else 0.0 for d, flow in zip(partials, flows)]
        elif v.op.variadic:
            gains = v.op.rules[0](g, v, *operands)
        else:
            gains = [rule(g, v, *operands) if flow else 0.0 for rule, flow in zip(v.op.rules, flows)]
        for x, gain, flow in zip(operands, gains, flows):
            if flow and gain is not None:
                found[x] = found[x] + gain if x in found else gain
    return found


def check_finite(v: Any) -> None:
    """Raise FloatingPointError if v has just handed a nan or inf to one of its operands."""
    if type(v) is Vector:
        return
    grads = [x.grad if isinstance(x, Value) else 0.0 for x in v.operands]
    if v.op is DOT:
        grads = [d * v.grad for d in v.partials]
    for x, g in zip(v.operands, grads):
        if not math.isfinite(g):
            what = f"{describe(v.op, v.operands)} with respect to {name_of(x)} is {float(g)}"
            line = getattr(v, "recorded_at", "a line before detect_anomaly")
            raise FloatingPointError(f"the gradient of {what}, recorded at {line}{path(v.scope)}")
