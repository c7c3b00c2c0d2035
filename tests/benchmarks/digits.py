"""(d) A 784-128-10 ReLU network, batch 64, cross entropy, one step of gradient descent; in float64 and float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import symbolic
from .job import Job, apart, by_neuron, flat, jax_alone, torch_alone, with_start

NIN, HIDDEN, CLASSES, BATCH, RATE = 784, 128, 10, 64, 0.05


def images(dtype: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.random((BATCH, NIN)).astype(dtype), rng.integers(0, CLASSES, BATCH)


def start(dtype: str) -> list[Any]:
    """Per layer a row for each neuron, its bias last."""
    rng = np.random.default_rng(1)
    shapes = (HIDDEN, NIN + 1), (CLASSES, HIDDEN + 1)
    return [rng.normal(0.0, shape[1] ** -0.5, shape).astype(dtype) for shape in shapes]


def model() -> Any:
    import nn

    return nn.MLP(NIN, [HIDDEN, CLASSES])


def ours(dtype: str) -> Job:
    import nn

    net = with_start(model(), start(dtype))
    step = nn.train_step(net, nn.cross_entropy, nn.SGD(net.parameters(), lr=RATE), dtype=dtype)
    x, y = images(dtype)
    return Job(lambda: step(x, y), lambda loss: [loss, *(p.data for p in net.parameters())])


def handwritten(dtype: str) -> Job:
    """Weights lie as the products read them; the large arrays are there before, and reused."""
    x, y = images(dtype)
    W1, b1, W2, b2 = apart(start(dtype))
    W1, W2 = np.ascontiguousarray(W1.T), np.ascontiguousarray(W2.T)
    shapes = (BATCH, HIDDEN), (BATCH, CLASSES), (BATCH, HIDDEN), W1.shape, W2.shape
    h, z, d, slope1, slope2 = (np.empty(shape, dtype) for shape in shapes)
    rows = np.arange(BATCH)

    def run() -> float:
        np.matmul(x, W1, out=h)
        np.add(h, b1, out=h)
        np.maximum(h, 0.0, out=h)
        np.matmul(h, W2, out=z)
        np.add(z, b2, out=z)
        np.subtract(z, z.max(1, keepdims=True), out=z)
        picked = z[rows, y]
        np.exp(z, out=z)
        total = z.sum(1, keepdims=True)
        loss = (np.log(total[:, 0]) - picked).mean()
        np.divide(z, total, out=z)
        z[rows, y] -= 1.0
        np.multiply(z, RATE / BATCH, out=z)  # the rate comes in here, where there are few numbers
        np.matmul(z, W2.T, out=d)
        np.multiply(d, h > 0.0, out=d)
        np.matmul(h.T, z, out=slope2)
        np.matmul(x.T, d, out=slope1)
        for p, slope in ((W1, slope1), (b1, d.sum(0)), (W2, slope2), (b2, z.sum(0))):
            p -= slope
        return float(loss)

    return Job(run, lambda loss: [loss, *flat(*by_neuron([(W1.T, b1), (W2.T, b2)]))])


def torch_eager(dtype: str) -> Job:
    torch = torch_alone()
    x, y = map(torch.tensor, images(dtype))
    W1, b1, W2, b2 = weights = [torch.tensor(part, requires_grad=True) for part in apart(start(dtype))]
    linear, cross_entropy = torch.nn.functional.linear, torch.nn.functional.cross_entropy

    def run() -> float:
        loss = cross_entropy(linear(linear(x, W1, b1).relu(), W2, b2), y)
        for p in weights:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in weights:
                p.sub_(p.grad, alpha=RATE)
        return float(loss.detach())

    def numbers(loss: float) -> list[float]:
        W1, b1, W2, b2 = (p.detach() for p in weights)
        return [loss, *flat(*by_neuron([(W1, b1), (W2, b2)]))]

    return Job(run, numbers)


def jitted(dtype: str) -> Job:
    jax = jax_alone()
    jnp = jax.numpy
    x, y = map(jnp.asarray, images(dtype))
    W1, b1, W2, b2 = map(jnp.asarray, apart(start(dtype)))
    weights = W1.T, b1, W2.T, b2

    def loss(weights: Any, x: Any, y: Any) -> Any:
        W1, b1, W2, b2 = weights
        z = jax.nn.relu(x @ W1 + b1) @ W2 + b2
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

    def step(weights: Any, x: Any, y: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(weights, x, y)
        return value, tuple(p - RATE * slope for p, slope in zip(weights, slopes, strict=True))

    step = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal weights
        value, weights = jax.block_until_ready(step(weights, x, y))
        return float(value)

    def numbers(value: float) -> list[float]:
        W1, b1, W2, b2 = weights
        return [value, *flat(*by_neuron([(W1.T, b1), (W2.T, b2)]))]

    return Job(run, numbers)


def symbols() -> Job:
    x, y = images("float64")

    def loss(layers: Any, x: Any, hot: Any) -> Any:
        first, second = layers
        h = symbolic.relu(symbolic.weighted(first, x))
        return symbolic.cross_entropy(symbolic.weighted(second, h), hot)

    return symbolic.descent(start("float64"), (x, np.eye(CLASSES)[y]), loss, RATE)
