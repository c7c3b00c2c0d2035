"""A 3x3 convolution of 8 channels on 8x8 images, batch 64: alone, and before a linear layer, trained."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from . import symbolic
from .job import Job, apart, by_neuron, flat, jax_alone, torch_alone, with_start

SIDE, KERNEL, CHANNELS, CLASSES, BATCH, RATE = 8, 3, 8, 10, 64, 0.05
OUT = SIDE - KERNEL + 1
PLACES = OUT * OUT


def images() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.random((BATCH, SIDE, SIDE)), rng.integers(0, CLASSES, BATCH)


def start() -> list[Any]:
    """Per layer a row for each neuron, its bias last."""
    rng = np.random.default_rng(1)
    shapes = (CHANNELS, KERNEL**2 + 1), (CLASSES, CHANNELS * PLACES + 1)
    return [rng.normal(0.0, shape[1] ** -0.5, shape) for shape in shapes]


# Ours: one neuron a channel, shared by all places -----------------------------------------------------------------


def convolution() -> Any:
    import nn

    class Convolution(nn.Module):
        def __init__(self) -> None:
            self.channels = [nn.Neuron(KERNEL**2) for _ in range(CHANNELS)]

        def __call__(self, x: Any) -> Any:
            return [
                channel([x[i + k, j + m] for k, m in product(range(KERNEL), repeat=2)])
                for channel in self.channels
                for i in range(OUT)
                for j in range(OUT)
            ]

    return Convolution()


def ours() -> Job:
    import autograd

    model = with_start(convolution(), start()[:1])

    @autograd.compile(wrt=model, batch=True, reduction="sum")
    def squares(x: Any) -> Any:
        return autograd.sum([y * y for y in model(x)])

    x, _ = images()
    return Job(lambda: squares.value_and_grad(x), lambda found: flat(*found))


def ours_trained() -> Job:
    import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            self.convolution = convolution()
            self.head = nn.Layer(CHANNELS * PLACES, CLASSES, nonlin=False)

        def __call__(self, x: Any) -> Any:
            return self.head(self.convolution(x))

    net = with_start(Net(), start())
    step = nn.train_step(net, nn.cross_entropy, nn.SGD(net.parameters(), lr=RATE))
    x, y = images()
    return Job(lambda: step(x, y), lambda loss: [loss, *(p.data for p in net.parameters())])


# NumPy: the 3x3 pixels of every place are a column of one matrix, for one product; the batch is the last axis ---------


class Buffers:
    """The large arrays, made once: memory that is new at every call costs more than what is computed in it."""

    def __init__(self) -> None:
        self.last = np.empty((SIDE, SIDE, BATCH))
        windows = np.lib.stride_tricks.sliding_window_view(self.last, (KERNEL, KERNEL), axis=(0, 1))
        self.windows = windows.transpose(3, 4, 0, 1, 2)
        self.patches = np.empty(self.windows.shape)
        self.columns = self.patches.reshape(KERNEL**2, -1)
        self.h, self.d = np.empty((2, CHANNELS, PLACES * BATCH))
        self.on = np.empty(self.h.shape, bool)

    def forward(self, x: Any, W: Any, b: Any) -> tuple[Any, Any]:
        np.copyto(self.last, x.transpose(1, 2, 0))
        np.copyto(self.patches, self.windows)
        h = np.matmul(W, self.columns, out=self.h)
        h += b[:, None]
        np.maximum(h, 0.0, out=h)
        return h, self.columns


def handwritten() -> Job:
    x, _ = images()
    W, b = apart(start()[:1])
    buffers = Buffers()

    def run() -> Any:
        h, columns = buffers.forward(x, W, b)
        return np.vdot(h, h), 2.0 * (h @ columns.T), 2.0 * h.sum(1)  # h is 0 where the slope is

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def plain() -> Job:
    """im2col as textbooks have it: a row of pixels for each place, one product, everything new at each call."""
    x, _ = images()
    W, b = apart(start()[:1])

    def run() -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(x, (KERNEL, KERNEL), axis=(1, 2))
        patches = windows.reshape(-1, KERNEL**2)
        h = np.maximum(patches @ W.T + b, 0.0)
        d = 2.0 * h * (h > 0.0)
        return (h * h).sum(), d.T @ patches, d.sum(axis=0)

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def handwritten_trained() -> Job:
    x, y = images()
    W1, b1, W2, b2 = apart(start())
    samples = np.arange(BATCH)
    buffers = Buffers()
    d, on = buffers.d, buffers.on

    def run() -> float:
        h, columns = buffers.forward(x, W1, b1)
        features = h.reshape(-1, BATCH)
        z = W2 @ features
        z += b2[:, None]
        z -= z.max(0)
        picked = z[y, samples]
        np.exp(z, out=z)
        total = z.sum(0)
        loss = (np.log(total) - picked).mean()
        z /= total
        z[y, samples] -= 1.0
        z *= RATE / BATCH
        np.matmul(W2.T, z, out=d.reshape(-1, BATCH))
        np.multiply(d, np.greater(h, 0.0, out=on), out=d)
        for p, slope in ((W1, d @ columns.T), (b1, d.sum(1)), (W2, z @ features.T), (b2, z.sum(1))):
            p -= slope
        return float(loss)

    return Job(run, lambda loss: [loss, *flat(*by_neuron([(W1, b1), (W2, b2)]))])


# PyTorch and JAX have convolutions --------------------------------------------------------------------------------


def torch_eager() -> Job:
    torch = torch_alone()
    x = torch.tensor(images()[0])[:, None]
    W, b = (torch.tensor(part, requires_grad=True) for part in apart(start()[:1]))

    def run() -> Any:
        h = torch.nn.functional.conv2d(x, W.view(CHANNELS, 1, KERNEL, KERNEL), b).relu()
        loss = (h * h).sum()
        return loss.item(), *torch.autograd.grad(loss, (W, b))

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def torch_trained() -> Job:
    torch = torch_alone()
    x, y = map(torch.tensor, images())
    x = x[:, None]
    W1, b1, W2, b2 = weights = [torch.tensor(part, requires_grad=True) for part in apart(start())]
    F = torch.nn.functional

    def run() -> float:
        h = F.conv2d(x, W1.view(CHANNELS, 1, KERNEL, KERNEL), b1).relu()
        loss = F.cross_entropy(F.linear(h.flatten(1), W2, b2), y)
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


def convolved(jax: Any, x: Any, W: Any, b: Any) -> Any:
    kernel = W.reshape(CHANNELS, 1, KERNEL, KERNEL)
    return jax.nn.relu(jax.lax.conv(x[:, None], kernel, (1, 1), "VALID") + b[:, None, None])


def jitted() -> Job:
    jax = jax_alone()
    x = jax.numpy.asarray(images()[0])
    weights = tuple(map(jax.numpy.asarray, apart(start()[:1])))

    def squares(weights: Any, x: Any) -> Any:
        return (convolved(jax, x, *weights) ** 2).sum()

    work = jax.jit(jax.value_and_grad(squares))
    return Job(
        lambda: jax.block_until_ready(work(weights, x)),
        lambda found: flat(found[0], *by_neuron([found[1]])),
    )


def jitted_trained() -> Job:
    jax = jax_alone()
    jnp = jax.numpy
    x, y = map(jnp.asarray, images())
    weights = tuple(map(jnp.asarray, apart(start())))

    def loss(weights: Any, x: Any, y: Any) -> Any:
        W1, b1, W2, b2 = weights
        z = convolved(jax, x, W1, b1).reshape(BATCH, -1) @ W2.T + b2
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
        return [value, *flat(*by_neuron([(W1, b1), (W2, b2)]))]

    return Job(run, numbers)


# CasADi: im2col; a matrix lies column by column, so that a channel is a column, and the batch its last axis ----------


def channels(layer: Any, x: Any) -> Any:
    import casadi

    pixels = np.lib.stride_tricks.sliding_window_view(np.arange(SIDE**2).reshape(SIDE, SIDE), (OUT, OUT))
    columns = [casadi.vec(x[:, seen.ravel().tolist()]) for seen in pixels.reshape(KERNEL**2, OUT, OUT)]
    return symbolic.relu(symbolic.weighted(layer, casadi.horzcat(*columns)))


def symbols() -> Job:
    import casadi

    x, _ = images()
    data = [x.reshape(BATCH, -1)]
    return symbolic.gradients(start()[:1], data, lambda layers, x: casadi.sumsqr(channels(layers[0], x)))


def symbols_trained() -> Job:
    import casadi

    x, y = images()

    def loss(layers: Any, x: Any, hot: Any) -> Any:
        first, second = layers
        features = casadi.reshape(channels(first, x), BATCH, -1)
        return symbolic.cross_entropy(symbolic.weighted(second, features), hot)

    return symbolic.descent(start(), (x.reshape(BATCH, -1), np.eye(CLASSES)[y]), loss, RATE)
