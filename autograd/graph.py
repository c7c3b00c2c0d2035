"""Looking at a recorded graph: unfolding, the tutorials' view of a node, copies and pickles.

A sum recorded as one node unfolds here into the products and partial sums that it stands for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, KeysView
from typing import Any
from weakref import WeakSet

from . import ops
from .ops import Op
from .value import NO_GRADIENT, ByHand, Value, new


def node(op: Op, x: Any, y: Any, data: float, dx: Any, dy: Any, like: Value) -> Value:
    """An inner node, made from its parts, with the gradient and the scope of the node that it belongs to."""
    v = new(Value)
    v.data, v.grad, v.label, v.op, v.scope = data, like.grad, "", op, like.scope
    v._x, v._y, v._dx, v._dy = x, y, dx, dy
    if like.__dict__:  # the line that recorded it
        v.__dict__.update(like.__dict__)
    return v


def expansion(v: Value) -> tuple[Any, Any, Any, Any, Any]:
    """(op, x, y, dx, dy) of v with a folded sum written out: what `sum((w * x for ...), b)` would have recorded."""
    if v.op is ops.dot:
        (weights, inputs, bias), (dw, dx, _), start = v._x, v._dx, v._dy
        terms: list[tuple[Any, Any, float]] = [
            (node(ops.mul, w, x, p * q, p, q if isinstance(x, Value) else None, v), 1.0, p * q)
            for w, x, p, q in zip(weights, inputs, dw, dx)
        ]
        if type(bias) is not float or bias:
            terms.insert(0, (bias, 1.0 if isinstance(bias, Value) else None, start))
    elif v.op is ops.sum_:
        terms = list(zip(v._x, v._dx, v._dy))
    else:
        return v.op, v._x, v._y, v._dx, v._dy
    (total, slope, data), rest = terms[0], terms[1:]
    if not rest:
        only = node(ops.add, total, 0.0, v.data, slope, None, v) if v.op is ops.sum_ else total
        return only.op, only._x, only._y, only._dx, only._dy
    for term, d, number in rest[:-1]:
        data += number
        total, slope = node(ops.add, total, term, data, slope, d, v), 1.0
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
                partials[i] = v.op.slopes(v.data, *map(float, operands))[i]
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
    unfold(v)
    if v.op is ops.pow_ and type(v._y) is float:
        return f"**{v._y:g}"
    return v.op.symbol if v.op else ""


def pusher(v: Value) -> Callable[[], None]:
    """`v._backward`: a function that adds v's share to the gradients of its operands. It may be assigned."""

    def push() -> None:
        received, v.grad = v.grad, NO_GRADIENT  # if v unfolds now, its parts have received nothing yet
        unfold(v)
        v.grad = received
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
    if not isinstance(root, Value):
        raise TypeError(f"trace needs a Value as root. Received: {type(root).__name__}")
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

SLOTS = ("data", "grad", "label", "op", "scope", "_x", "_y", "_dx", "_dy")


def everything(v: Value) -> list[Value]:
    """All nodes that belong to v, operands before results, v among them; with the graphs of gradients that have one."""
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = []
    later = [v]
    while stack or later:
        x = stack.pop() if stack else later.pop()
        if x is None:
            order.append(stack.pop())
        elif x not in seen:
            seen.add(x)
            stack += (x, None, *[y for y in x.operands if type(y) is not float])
            if isinstance(x.grad, Value):
                later.append(x.grad)
    return order


def getstate(v: Value) -> dict[str, Any]:
    state = {name: getattr(v, name) for name in SLOTS}
    if v._copied_as:
        state["_dx"] = state["_dy"] = None
    if v.grad is NO_GRADIENT:
        del state["grad"]
    return {**state, "__dict__": v.__dict__} if v.__dict__ else state


def setstate(v: Value, state: dict[str, Any]) -> None:
    state = {"grad": NO_GRADIENT, **state}
    v.__dict__.update(state.pop("__dict__", {}))
    for x, gradient in state.pop("gradients", ()):
        x.grad = gradient
    for name, item in state.items():
        setattr(v, name, item)


def shallow_copy(v: Value) -> Value:
    twin = new(v._copied_as or type(v))
    setstate(twin, getstate(v))
    return twin


def deepcopy(v: Value, memo: dict[int, Any]) -> Any:
    nodes = [x for x in everything(v) if id(x) not in memo]
    memo.update((id(x), new(x._copied_as or type(x))) for x in nodes)
    for x in nodes:
        setstate(memo[id(x)], copy.deepcopy(getstate(x), memo))
    return memo[id(v)]


listed: WeakSet[Value] = WeakSet()  # nodes that a pickler is about to meet with all their operands behind it


class Below:
    """All nodes under one, as a list that is made while the pickler asks for it, operands before results."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes

    def __iter__(self) -> Iterator[Value]:
        for v in self.nodes:
            listed.add(v)
            yield v

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self)


def blank(kind: type[Value], below: Any = None) -> Value:
    return new(kind)


def reduce(v: Value, protocol: Any) -> tuple[Any, ...]:
    state = getstate(v)
    if v in listed:
        listed.discard(v)
        if isinstance(v.grad, Value):
            del state["grad"]  # comes with the state of the node on top
        return blank, (v._copied_as or type(v),), state
    nodes = everything(v)
    state["gradients"] = [(x, x.grad) for x in nodes if isinstance(x.grad, Value) and x is not v]
    return blank, (v._copied_as or type(v), Below([x for x in nodes if x is not v])), state


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
