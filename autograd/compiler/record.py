"""First pass: a function is called once, on inputs without numbers, and what it does is recorded.

An input is a `Traced`: a Value that has operands but no number. While a function is recorded every operation ends in
`trace`, which makes the next one. So what depends on an input can never be looked at, and no branch that Python takes
on it can be baked into a program: bool(), float(), a comparison or an index is an error that names the user's line.

The Values themselves are then walked into a `Graph`, plain data: see `to_graph`.
"""

from __future__ import annotations

import inspect
import itertools
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..context import Scope, current, user_line, within
from ..ops import Op, number
from ..value import DOT, NO_GRADIENT, ByHand, Constant, Value, new
from .graph import Graph
from .simplify import STOP


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
        return float((rng or random).uniform(low, high))
    v = leaf("u")
    v.op, v._x = Draw, ()
    return low + (high - low) * v


# Calling the function ---------------------------------------------------------------------------------------------


class Recording:
    """One call of f: what it returned, and the inputs that stood for its arguments.

    `names` are the arguments' names, `inputs` for each argument its Values in order.
    """

    def __init__(self, f: Callable[..., Any], shapes: Sequence[tuple[int, ...]]) -> None:
        self.names = argument_names(f, len(shapes))
        self.inputs: list[list[Value]] = []
        arguments: list[Any] = []
        self.scope = Scope("compiled")
        with within(tracer=trace, recording=True, anomaly=False, scope=None):
            for name, shape in zip(self.names, shapes, strict=True):
                indices = [*np.ndindex(shape)]
                values: list[Value] = [leaf(name + "".join(f"[{i}]" for i in index)) for index in indices]
                self.inputs.append(values)
                if shape:
                    array = np.empty(len(values), dtype=object)
                    array[:] = values
                    arguments.append(array.reshape(shape))
                else:
                    arguments.append(values[0])
        before = random_states()
        with within(tracer=trace, recording=True, anomaly=False, scope=self.scope):
            self.output = f(*arguments)
        self.drew = before != random_states()

    def check_draws(self) -> None:
        """Raise TypeError if the call drew random numbers that would now be baked in."""
        if self.drew:
            raise TypeError(
                "a compiled function draws from Python's or NumPy's global generator, and its numbers would be the "
                "same in every call. Write autograd.uniform(), which is drawn anew."
            )

    def made_here(self, v: Value) -> bool:
        """Whether a leaf was made by the call itself: then its number is a constant of the program."""
        scope = v.scope
        while scope is not None and scope is not self.scope:
            scope = scope.parent
        return scope is not None


def random_states() -> tuple[Any, bytes]:
    """Of Python's global generator and of NumPy's, whatever kind it is."""
    return random.getstate(), pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """The names of the first n positional arguments, x0, x1, ... where f does not tell."""
    try:
        parameters = [*inspect.signature(f).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    return names + [f"x{i}" for i in range(len(names), n)]


def without_zeros(graph: Graph, args: list[int]) -> list[int]:
    """The operands of a weighted sum without the products by a 0 that stands in the code: what is around an image, the
    first state of a recurrence."""
    n, nothing = len(args) // 2, graph.literal(0.0)
    kept = [(w, x) for w, x in zip(args[:n], args[n:-1], strict=True) if nothing not in (w, x)]
    return [*(w for w, _ in kept), *(x for _, x in kept), args[-1]]


# From Values to plain data ----------------------------------------------------------------------------------------


def operands_first(outputs: Sequence[Value], leaves: set[Value]) -> Iterator[Value]:
    """All nodes under the outputs, operands before results; those in `leaves` end the walk."""
    seen: set[Value] = set()
    stack: list[Any] = [*reversed(outputs)]
    while stack:
        v = stack.pop()
        if v is None:
            yield stack.pop()
        elif v not in seen:
            seen.add(v)
            if v.op is None or v in leaves:
                yield v
            else:
                stack += (v, None)
                stack += [x for x in reversed(v.operands) if type(x) is not float and x not in seen]


def to_graph(
    outputs: Sequence[Any],
    inputs: Sequence[Sequence[Value]],
    wrt: Sequence[Value],
    is_constant: Callable[[Value], bool],
    batch: bool,
) -> tuple[Graph, list[int], list[Value]]:
    """The recorded Values as a Graph: (graph, the outputs' nodes, the parameters that it reads, in order).

    Every leaf that is neither an input nor constant is a parameter; those in `wrt` come first, in their order. An input
    may be in `wrt`, too: then a place among the parameters is its, which nobody reads.
    """
    graph = Graph(batch)
    node: dict[Value, int] = {}
    for i, values in enumerate(inputs):
        for k, v in enumerate(values):
            node[v] = graph.leaf("input", i, k, varies=batch)
    parameters = [*dict.fromkeys(wrt)]
    for v in parameters:
        place = graph.leaf("parameter", len(node), 0, varies=False)
        node.setdefault(v, place)
    fixed = set(node)
    walked = operands_first([v for v in outputs if isinstance(v, Value)], fixed)
    for v in sorted(walked, key=lambda v: v._dy if type(v) is Traced and v.op not in (None, Draw) else -1):
        if v in node:
            continue
        if v.op is None:
            if is_constant(v):
                node[v] = graph.literal(v.data)
            else:
                parameters.append(v)
                node[v] = graph.leaf("parameter", len(node), 0, varies=False)
        elif type(v.op) is ByHand:
            raise TypeError(f"the node {v._op!r} was made by hand, without a rule: it cannot be compiled")
        elif v.op is Draw:
            node[v] = graph.leaf("random", len(node), 0, varies=batch)
        else:
            args = [graph.literal(x) if type(x) is float else node[x] for x in v.operands]
            node[v] = graph.add(v.op, without_zeros(graph, args) if v.op is DOT else args)
        if v.scope is not None:
            graph.scopes.setdefault(node[v], v.scope)
        if v.label:
            graph.labels.setdefault(node[v], v.label)
    found = [node[v] if isinstance(v, Value) else graph.literal(number(v)) for v in outputs]
    graph.parameters = [node[v] for v in parameters]
    graph.labels.update((node[v], v.label) for v in parameters if v.label)
    return graph, found, parameters
