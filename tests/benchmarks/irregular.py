"""A graph without any pattern: 10,000 random operations on 20 inputs, to one number and its gradient.

Wide, an operation reads any of those before it; deep, only the latest. The end is the sum of what nobody reads. No
operation reads a number twice: an engine that knows that x - x is 0 would have nearly nothing left to compute, deep.
"""

from __future__ import annotations

import math
import random
from typing import Any

from . import symbolic
from .job import Job, flat

NODES, INPUTS, BOUND = 10_000, 20, 2.0
NEAR = {"wide": NODES + INPUTS, "deep": 30}  # how far back an operation may reach


def operate(kind: str, x: Any, y: Any) -> Any:
    return x + y if kind == "+" else x - y if kind == "-" else x * y if kind == "*" else getattr(x, kind)()


def starts() -> list[float]:
    rng = random.Random(0)
    return [rng.uniform(-1.0, 1.0) for _ in range(INPUTS)]


def operations(near: int) -> tuple[list[tuple[str, int, int]], list[int]]:
    """Kinds and operands, inputs numbered first, and what nobody reads. What would leave the bound becomes a tanh."""
    rng = random.Random(1)
    data, steps, unread = starts(), [], set(range(INPUTS))
    for n in range(INPUTS, INPUTS + NODES):
        kind = rng.choice(["+", "+", "-", "-", "*", "*", "*", "tanh", "relu"])
        x, y = (n - back for back in rng.sample(range(1, min(near, n) + 1), 2))
        if kind in "+-*" and abs(operate(kind, data[x], data[y])) > BOUND:
            kind = "tanh"
        plain = {"tanh": math.tanh(data[x]), "relu": max(data[x], 0.0)}
        data.append(plain[kind] if kind in plain else operate(kind, data[x], data[y]))
        steps.append((kind, x, y))
        unread -= {x} if kind in plain else {x, y}
        unread.add(n)
    return steps, sorted(unread)


def result(inputs: list[Any], steps: list[tuple[str, int, int]], unread: list[int]) -> Any:
    import autograd

    nodes = list(inputs)
    for kind, x, y in steps:
        nodes.append(operate(kind, nodes[x], nodes[y]))
    return autograd.sum([nodes[n] for n in unread])


def ours(near: str) -> Job:
    import autograd

    numbers, plan = starts(), operations(NEAR[near])
    program = None

    def run() -> Any:
        nonlocal program
        if program is None:  # here, so that it is timed as a part of the first call
            inputs = [autograd.Value(x) for x in numbers]
            program = autograd.compile_graph(result(inputs, *plan), inputs=inputs)
        return program.value_and_grad(*numbers)

    return Job(run, lambda found: flat(*found))


def eager(near: str) -> Job:
    import autograd

    numbers, plan = starts(), operations(NEAR[near])

    def run() -> Any:
        inputs = [autograd.Value(x) for x in numbers]
        out = result(inputs, *plan)
        out.backward()
        return out.data, [x.grad for x in inputs]

    return Job(run, lambda found: flat(*found))


def symbols(near: str) -> Job:
    import casadi

    numbers, (steps, unread) = starts(), operations(NEAR[near])

    def total(inputs: Any) -> Any:
        nodes = casadi.vertsplit(inputs)
        for kind, x, y in steps:
            relu = kind == "relu"
            nodes.append(symbolic.relu(nodes[x]) if relu else operate(kind, nodes[x], nodes[y]))
        return sum(nodes[n] for n in unread)

    f = symbolic.scalar_function(total, INPUTS)
    return Job(lambda: f(numbers), symbolic.results)
