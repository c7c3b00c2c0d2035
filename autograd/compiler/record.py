"""First pass: a function is called once, on inputs without numbers, and what it does is recorded.

The inputs are `Traced`: see `traced`. The Values that come out are walked into a `Graph`, plain data: see `to_graph`.
"""

from __future__ import annotations

import inspect
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..context import Scope, within
from ..ops import number
from ..value import DOT, ByHand, Value
from .graph import BATCH_SUM, DIV, Graph
from .traced import BATCH_MEAN, COUNT, Draw, Notes, Traced, leaf, notes, trace

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
        self.notes = Notes()
        before, token = random_states(), notes.set(self.notes)
        try:
            with within(tracer=trace, recording=True, anomaly=False, scope=self.scope):
                self.output = f(*arguments)
        finally:
            notes.reset(token)
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


def mean_of_batch(graph: Graph, x: int) -> int:
    """The mean over the samples; x itself where it is the same for all of them."""
    return graph.add(DIV, (graph.add(BATCH_SUM, (x,)), graph.count())) if graph.varies[x] else x


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
        elif v.op is BATCH_MEAN:
            node[v] = mean_of_batch(graph, node[v.operands[0]])
        elif v.op is COUNT:
            node[v] = graph.count()
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


@dataclass
class Recorded:
    """A recording as plain data, and what is asked of it."""

    graph: Graph
    outputs: list[int]  # nodes of what f returned, flat
    names: list[str]  # of the arguments
    shapes: list[tuple[int, ...]]  # of one sample of each argument
    parameters: list[Value]
    wrt: list[int] | None  # the parameters' numbers by which to differentiate; None: by the inputs
    title: str = "program"
    updates: Sequence[
        tuple[Value, int]
    ] = ()  # what to remember after each call: a Value, and the node of its number
