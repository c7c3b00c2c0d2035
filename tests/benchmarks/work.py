"""The pieces of work. Each function prepares one and returns `run`, which does it once and returns its numbers.

`JOBS[row][engine]` is such a function; it imports its engine itself, so an engine that is absent is an ImportError.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], list[float]]
RATE, PENALTY = 0.05, 1e-4


def values(engine: str) -> Any:
    """The scalar class of an engine."""
    if engine == "micrograd":
        from micrograd.engine import Value
    else:
        from autograd import Value
    return Value


# (a) the expression of micrograd's README -------------------------------------------------------------------------


def readme(Value: Any) -> Run:
    def run() -> list[float]:
        a, b = Value(-4.0), Value(2.0)
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        g += 10.0 / f
        g.backward()
        return [g.data, a.grad, b.grad]

    return run


# (b) two moons, 2-16-16-1, 100 points, hinge loss with L2, one step of gradient descent ------------------------------


def moons() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    angle, label = rng.uniform(0, np.pi, 100), np.repeat([-1.0, 1.0], 50)
    x = np.where(label < 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(label < 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.column_stack([x, y]) + rng.normal(0, 0.1, (100, 2)), label


class WrittenOut:
    """The net of the lecture, in binary operations and with plain lists."""

    def __init__(self, Value: Any, sizes: list[int]) -> None:
        def neuron(fan_in: int) -> tuple[list[Any], Any]:
            return [Value(random.uniform(-1, 1)) for _ in range(fan_in)], Value(0.0)

        self.layers = [
            [neuron(fan_in) for _ in range(fan_out)]
            for fan_in, fan_out in zip(sizes, sizes[1:], strict=False)  # noqa: RUF007
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            sums = [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in layer]
            x = sums if layer is self.layers[-1] else [s.relu() for s in sums]
        return x[0]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for w, b in layer for p in (*w, b)]


def descent(prepare: Callable[[float], Any], make: Callable[[], Any]) -> Run:
    """One step on the hinge loss, with any net of scalars; each input is prepared: wrapped, or left as it is."""
    points, labels = moons()
    random.seed(1337)
    model = make()
    parameters = model.parameters()
    rows, targets = points.tolist(), labels.tolist()

    def run() -> list[float]:
        scores = [model(list(map(prepare, row))) for row in rows]
        losses = [(1 + -y * score).relu() for y, score in zip(targets, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + PENALTY * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= RATE * p.grad
        return [loss.data, *(p.data for p in parameters)]

    return run


def by_hand(engine: str) -> Run:
    Value = values(engine)
    return descent(Value, lambda: WrittenOut(Value, [2, 16, 16, 1]))


def with_nn(engine: str) -> Run:
    if engine == "micrograd":
        from micrograd.nn import MLP
    else:
        from nn import MLP
    return descent(float, lambda: MLP(2, [16, 16, 1]))


def start() -> list[Any]:
    """The same weights as arrays: per layer one row a neuron, its bias last."""
    random.seed(1337)
    return [
        np.array([[random.uniform(-1, 1) for _ in range(fan_in)] + [0.0] for _ in range(fan_out)])
        for fan_in, fan_out in ((2, 16), (16, 16), (16, 1))
    ]


def handwritten() -> Run:
    """What one would write in NumPy alone."""
    points, labels = moons()
    (W1, b1), (W2, b2), (W3, b3) = ((layer[:, :-1].copy(), layer[:, -1].copy()) for layer in start())
    parameters = W1, b1, W2, b2, W3, b3

    def run() -> list[float]:
        z1 = points @ W1.T + b1
        h1 = np.maximum(z1, 0.0)
        z2 = h1 @ W2.T + b2
        h2 = np.maximum(z2, 0.0)
        margin = 1.0 - labels * (h2 @ W3.T + b3)[:, 0]
        loss = np.maximum(margin, 0.0).sum() / len(labels) + PENALTY * sum((p * p).sum() for p in parameters)
        d3 = (-labels * (margin > 0.0) / len(labels))[:, None]
        d2 = d3 @ W3 * (z2 > 0.0)
        d1 = d2 @ W2 * (z1 > 0.0)
        slopes = d1.T @ points, d1.sum(0), d2.T @ h1, d2.sum(0), d3.T @ h2, d3.sum(0)
        for p, slope in zip(parameters, slopes, strict=True):
            p -= RATE * (slope + 2.0 * PENALTY * p)
        layers = (np.column_stack([W1, b1]), np.column_stack([W2, b2]), np.column_stack([W3, b3]))
        return [float(loss), *np.concatenate([layer.ravel() for layer in layers]).tolist()]

    return run


def torch_eager() -> Run:
    import torch

    torch.set_num_threads(1)
    points, labels = (torch.tensor(x) for x in moons())
    layers = [torch.tensor(layer, requires_grad=True) for layer in start()]

    def run() -> list[float]:
        x = points
        for layer in layers:
            x = x @ layer[:, :-1].T + layer[:, -1]
            x = x if layer is layers[-1] else x.relu()
        loss = (1.0 - labels * x[:, 0]).relu().mean() + PENALTY * sum((p * p).sum() for p in layers)
        for p in layers:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in layers:
                p -= RATE * p.grad
        return [loss.item(), *torch.cat([p.detach().ravel() for p in layers]).tolist()]

    return run


# Memory and depth -------------------------------------------------------------------------------------------------


def node_bytes(engine: str) -> float:
    """Bytes that a recorded sum of two Values takes."""
    Value = values(engine)
    x, y, count = Value(1.5), Value(2.5), 20_000
    x + y
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    nodes = [x + y for _ in range(count)]
    taken = tracemalloc.get_traced_memory()[0] - before - nodes.__sizeof__()
    tracemalloc.stop()
    return taken / count


def chain(engine: str, depth: int = 1_000_000) -> dict[str, float]:
    """Seconds to build, differentiate and free a chain of operations."""
    Value = values(engine)
    x = Value(0.5)
    marks = [time.perf_counter()]
    y = x
    for _ in range(depth // 2):
        y = y * 0.5 + x
    marks.append(time.perf_counter())
    y.backward()
    marks.append(time.perf_counter())
    del y
    marks.append(time.perf_counter())
    if abs(x.grad - 2.0) > 1e-12:
        raise ArithmeticError(f"the slope of the chain must be 2. Received: {x.grad}")
    return dict(zip(("build", "backward", "free"), np.diff(marks).tolist(), strict=True))


OURS = "neurongrad"
JOBS: dict[str, dict[str, Callable[[], Run]]] = {
    "readme": {name: lambda name=name: readme(values(name)) for name in (OURS, "micrograd")},  # type: ignore[misc]
    "by hand": {name: lambda name=name: by_hand(name) for name in (OURS, "micrograd")},  # type: ignore[misc]
    "nn.MLP": {
        **{name: lambda name=name: with_nn(name) for name in (OURS, "micrograd")},  # type: ignore[misc]
        "NumPy": handwritten,
        "torch": torch_eager,
    },
}
