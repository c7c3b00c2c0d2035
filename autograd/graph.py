"""Looking at a recorded graph: unfolding, the tutorials' view of a node, copies and pickles.

A sum recorded as one node unfolds here into the products and partial sums that it stands for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, KeysView
from contextvars import ContextVar
from typing import Any

from . import ops
from .ops import Op
from .value import NO_GRADIENT, ByHand, Value, new, topological


def node(op: Op, x: Any, y: Any, data: float, dx: Any, dy: Any, like: Value) -> Value:
    """An inner node, made from its parts, with the gradient and the scope of the node that it belongs to."""
    v = new(Value)
    v.data, v.grad, v.label, v.op, v.scope = data, like.grad, "", op, like.scope
    v._x, v._y, v._dx, v._dy = x, y, dx, dy
    return v


def expansion(v: Value) -> tuple[Any, Any, Any, Any, Any]:
    """(op, x, y, dx, dy) of v with a folded sum written out: what `sum((w * x for ...), b)` would have recorded."""
    if v.op is ops.dot:
        (weights, inputs, bias), (dw, dx, _) = v._x, v._dx
        terms: list[tuple[Any, Any]] = [
            (node(ops.mul, w, x, p * q, p, q if isinstance(x, Value) else None, v), 1.0)
            for w, x, p, q in zip(weights, inputs, dw, dx)
        ]
        if type(bias) is not float or bias:
            terms.insert(0, (bias, 1.0 if isinstance(bias, Value) else None))
    elif v.op is ops.sum_:
        terms = list(zip(v._x, v._dx))
    else:
        return v.op, v._x, v._y, v._dx, v._dy
    (total, slope), rest = terms[0], terms[1:]
    if not rest:
        only = node(ops.add, total, 0.0, v.data, slope, None, v) if v.op is ops.sum_ else total
        return only.op, only._x, only._y, only._dx, only._dy
    for term, d in rest[:-1]:
        total = node(ops.add, total, term, float(total) + float(term), slope, d, v)
        slope = 1.0
    return ops.add, total, rest[-1][0], slope, rest[-1][1]


def unfold(v: Value) -> None:
    """Make v what somebody expects who looks closely: binary sums and products, and its numbers nodes of their own."""
    v.op, v._x, v._y, v._dx, v._dy = expansion(v)
    if isinstance(v.op, Op) and any(type(x) is float for x in v.operands):
        settings = 0 if v.op.variadic else v.op.parameters
        operands, partials = list(v.operands), list(v.partials)
        for i in range(len(operands) - settings):
            if type(operands[i]) is float:
                operands[i] = Value(operands[i])
                partials[i] = v.op.formula_then_rules(*map(float, operands))[1:][i]
        if type(v._x) is tuple:
            v._x, v._dx = tuple(operands), tuple(partials)
        else:
            (v._x, v._y), (v._dx, v._dy) = (*operands, None)[:2], (*partials, None)[:2]


def children(v: Value) -> tuple[Value, ...]:
    unfold(v)
    return tuple(x for x in v.operands if isinstance(x, Value))


def local_grads(v: Value) -> tuple[Any, ...]:
    unfold(v)
    return tuple(0.0 if d is None else d for x, d in zip(v.operands, v.partials) if isinstance(x, Value))


def operands_once(v: Value) -> KeysView[Value]:
    return dict.fromkeys(children(v)).keys()  # equal to a set, but in a fixed order


def op_string(v: Value) -> str:
    if v.op is ops.pow_ and type(v._y) is float:
        return f"**{v._y:g}"
    return v.op.symbol if v.op else ""


def pusher(v: Value) -> Callable[[], None]:
    """`v._backward`: a function that adds v's share to the gradients of its operands. It may be assigned."""

    def push() -> None:
        unfold(v)
        for x, d in zip(v.operands, v.partials):
            if isinstance(x, Value) and d is not None:
                x.grad += d * v.grad

    return v.op.push if isinstance(v.op, ByHand) and v.op.push else push


def assign_pusher(v: Value, push: Callable[[], None]) -> None:
    operands, symbol = children(v), op_string(v)
    v.op, v._x, v._y, v._dx, v._dy = ByHand(symbol, push), operands, None, (None,) * len(operands), None


def trace(root: Value) -> tuple[set[Value], set[tuple[Value, Value]]]:
    """All nodes under `root` and all edges (operand, result), as the tutorials' drawing code wants them.

    >>> a = Value(2.0)
    >>> nodes, edges = trace(a * a + 1)
    >>> len(nodes), len(edges)
    (4, 3)
    """
    nodes: set[Value] = set()
    edges: set[tuple[Value, Value]] = set()
    stack = [root]
    while stack:
        v = stack.pop()
        if v not in nodes:
            nodes.add(v)
            edges.update((x, v) for x in operands_once(v))
            stack.extend(operands_once(v))
    return nodes, edges


# Copies and pickles, at any depth: what lies below is copied first, so that no copy has to descend ----------------

SLOTS = ("data", "label", "op", "scope", "_x", "_y", "_dx", "_dy")
shallow: ContextVar[bool] = ContextVar("shallow", default=False)


def getstate(v: Value) -> dict[str, Any]:
    state = {name: getattr(v, name) for name in SLOTS}
    if v.grad is not NO_GRADIENT:
        state["grad"] = v.grad
    return {**state, "__dict__": v.__dict__} if v.__dict__ else state


def setstate(v: Value, state: dict[str, Any]) -> None:
    state = dict(state)
    v.__dict__.update(state.pop("__dict__", {}))
    for name, x in {"grad": NO_GRADIENT, **state}.items():
        setattr(v, name, x)


def deepcopy(v: Value, memo: dict[int, Any]) -> Any:
    for each in [*topological(v), v]:
        if id(each) not in memo:
            memo[id(each)] = twin = new(type(each))
            setstate(twin, copy.deepcopy(getstate(each), memo))
    return memo[id(v)]


def shallow_copy(v: Value) -> Value:
    twin = new(type(v))
    setstate(twin, getstate(v))
    return twin


class Below:
    """The nodes from which one was computed, pickled one after another as the pickler asks for them."""

    def __init__(self, v: Value) -> None:
        self.nodes = topological(v)[:-1]

    def __iter__(self) -> Iterator[Value]:
        token = shallow.set(True)
        try:
            yield from self.nodes
        finally:
            shallow.reset(token)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self)


def blank(kind: type[Value], below: Any = None) -> Value:
    return new(kind)


def reduce(v: Value, protocol: Any) -> tuple[Any, ...]:
    return blank, (type(v),) if shallow.get() else (type(v), Below(v)), getstate(v)


FACES: dict[str, Any] = {
    "_children": property(children),
    "_local_grads": property(local_grads),
    "_prev": property(operands_once),
    "_op": property(op_string),
    "_backward": property(pusher, assign_pusher),
    "__copy__": shallow_copy,
    "__deepcopy__": deepcopy,
    "__reduce_ex__": reduce,
    "__setstate__": setstate,
}
for name, face in FACES.items():
    setattr(Value, name, face)
