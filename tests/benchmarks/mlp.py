"""(b) A ReLU network of any sizes, hinge loss with L2, one step of gradient descent; and the two moons it is tried on.

Each function makes a `Job` of a `Net` for one engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from . import symbolic
from .job import Job, apart, by_neuron, flat, jax_alone, torch_alone, values, with_start


class Net(NamedTuple):
    """The neurons of each layer, the inputs first; the data; where it starts and how it learns."""

    sizes: list[int]
    points: Any  # (batch, sizes[0])
    labels: Any  # (batch,), -1 or 1
    start: list[Any]  # per layer a row for each neuron, its bias last
    rate: float = 0.05
    penalty: float = 0.0  # times the sum of the squares of all parameters


def moons(count: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    angle, label = rng.uniform(0, np.pi, count), np.where(np.arange(count) < count / 2, -1.0, 1.0)
    x = np.where(label < 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(label < 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.column_stack([x, y]) + rng.normal(0, 0.1, (count, 2)), label


def uniform(sizes: list[int]) -> list[Any]:
    """Weights as micrograd draws them, biases 0."""
    draw = random.Random(1337).uniform
    return [
        np.array([[draw(-1, 1) for _ in range(fan_in)] + [0.0] for _ in range(fan_out)])
        for fan_in, fan_out in pairwise(sizes)
    ]


def normal(sizes: list[int]) -> list[Any]:
    """Weights that keep the size of what passes through ReLUs, in nets of any width and depth (K. He, 2015)."""
    rng = np.random.default_rng(1)
    return [
        np.column_stack([rng.normal(0.0, (2.0 / fan_in) ** 0.5, (fan_out, fan_in)), np.zeros(fan_out)])
        for fan_in, fan_out in pairwise(sizes)
    ]


def moons_net(count: int = 100) -> Net:
    sizes = [2, 16, 16, 1]
    return Net(sizes, *moons(count), uniform(sizes), penalty=1e-4)


# Scalars ----------------------------------------------------------------------------------------------------------


class WrittenOut:
    """The net of the lecture, in binary operations and with plain lists."""

    def __init__(self, Value: Any, sizes: list[int]) -> None:
        self.layers = [
            [([Value(0.0) for _ in range(fan_in)], Value(0.0)) for _ in range(fan_out)]
            for fan_in, fan_out in pairwise(sizes)
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            sums = [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in layer]
            x = sums if layer is self.layers[-1] else [s.relu() for s in sums]
        return x[0]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for w, b in layer for p in (*w, b)]


def descent(net: Net, model: Any, prepare: Callable[[float], Any] = float) -> Job:
    """A step with any model of scalars; each input is prepared: wrapped, or left as it is."""
    parameters = with_start(model, net.start).parameters()
    rows, targets = net.points.tolist(), net.labels.tolist()

    def run() -> Any:
        scores = [model(list(map(prepare, row))) for row in rows]
        losses = [(1 + -y * score).relu() for y, score in zip(targets, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses))
        if net.penalty:
            loss = loss + net.penalty * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= net.rate * p.grad
        return loss.data

    return Job(run, lambda loss: [loss, *(p.data for p in parameters)])


def by_hand(engine: str, net: Net) -> Job:
    Value = values(engine)
    return descent(net, WrittenOut(Value, net.sizes), Value)


def eager(engine: str, net: Net) -> Job:
    if engine == "micrograd":
        from micrograd.nn import MLP
    else:
        from nn import MLP
    return descent(net, MLP(net.sizes[0], net.sizes[1:]))


def compiled(net: Net) -> Job:
    import nn

    model = with_start(nn.MLP(net.sizes[0], net.sizes[1:]), net.start)
    parameters = model.parameters()

    def loss(score: Any, label: Any) -> Any:
        hinge = nn.hinge(score, label)
        return hinge + net.penalty * sum(p * p for p in parameters) if net.penalty else hinge

    step = nn.train_step(model, loss, nn.SGD(parameters, lr=net.rate))
    return Job(lambda: step(net.points, net.labels), lambda value: [value, *(p.data for p in parameters)])


# Arrays -----------------------------------------------------------------------------------------------------------


def handwritten(net: Net) -> Job:
    """What one would write in NumPy alone."""
    points, labels, layers = net.points, net.labels, pairs(apart(net.start))
    last, keep = len(layers) - 1, 1.0 - 2.0 * net.rate * net.penalty

    def run() -> float:
        h, read = points, []
        for k, (W, b) in enumerate(layers):
            read.append(h)
            h = h @ W.T
            h += b
            if k < last:
                np.maximum(h, 0.0, out=h)
        margin = 1.0 - labels * h[:, 0]
        loss = np.maximum(margin, 0.0).sum() / len(labels)
        d = (labels * (margin > 0.0) * (-net.rate / len(labels)))[
            :, None
        ]  # the rate comes in here: few numbers
        for k in range(last, -1, -1):
            (W, b), h = layers[k], read[k]
            slope, shift = d.T @ h, d.sum(0)
            if k:
                d = d @ W
                d *= h > 0.0
            if net.penalty:
                loss += net.penalty * (np.vdot(W, W) + np.vdot(b, b))
                W *= keep
                b *= keep
            W -= slope
            b -= shift
        return float(loss)

    return Job(run, lambda loss: [loss, *flat(*by_neuron(layers))])


def torch_eager(net: Net) -> Job:
    torch = torch_alone()
    points, labels = map(torch.tensor, (net.points, net.labels))
    parameters = [torch.tensor(part, requires_grad=True) for part in apart(net.start)]
    layers = pairs(parameters)

    def run() -> float:
        x = points
        for W, b in layers:
            x = torch.nn.functional.linear(x, W, b)
            x = x if W is layers[-1][0] else x.relu()
        loss = (1.0 - labels * x[:, 0]).relu().mean()
        if net.penalty:
            loss = loss + net.penalty * sum((p * p).sum() for p in parameters)
        for p in parameters:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=net.rate)
        return float(loss.detach())

    return Job(run, lambda loss: [loss, *flat(*by_neuron((W.detach(), b.detach()) for W, b in layers))])


def jitted(net: Net) -> Job:
    jax = jax_alone()
    jnp = jax.numpy
    points, labels = map(jnp.asarray, (net.points, net.labels))
    parameters = tuple(map(jnp.asarray, apart(net.start)))

    def loss(parameters: Any, points: Any, labels: Any) -> Any:
        *hidden, (W, b) = pairs(parameters)
        h = points
        for V, c in hidden:
            h = jax.nn.relu(h @ V.T + c)
        hinge = jax.nn.relu(1.0 - labels * (h @ W.T + b)[:, 0]).mean()
        return hinge + net.penalty * sum((p * p).sum() for p in parameters) if net.penalty else hinge

    def step(parameters: Any, points: Any, labels: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(parameters, points, labels)
        return value, jax.tree.map(lambda p, slope: p - net.rate * slope, parameters, slopes)

    step = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal parameters
        value, parameters = jax.block_until_ready(step(parameters, points, labels))
        return float(value)

    return Job(run, lambda value: [value, *flat(*by_neuron(pairs(parameters)))])


def symbols(net: Net) -> Job:
    import casadi

    def loss(layers: Any, points: Any, labels: Any) -> Any:
        *hidden, last = layers
        h = points
        for layer in hidden:
            h = symbolic.relu(symbolic.weighted(layer, h))
        margins = symbolic.relu(1.0 - labels * symbolic.weighted(last, h))
        hinge = casadi.sum1(margins) / len(net.labels)
        return hinge + net.penalty * sum(map(casadi.sumsqr, layers)) if net.penalty else hinge

    return symbolic.descent(net.start, (net.points, net.labels), loss, net.rate)


def pairs(parameters: Any) -> list[tuple[Any, Any]]:
    """Weights and biases, layer by layer."""
    return [*zip(parameters[::2], parameters[1::2], strict=True)]
