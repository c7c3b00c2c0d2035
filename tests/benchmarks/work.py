"""The pieces of work. Each function prepares one for one engine; the larger ones have a file each.

`JOBS[row][engine]` is such a function; it imports its engine itself, so an engine that is absent is an ImportError.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import convolution, digits, gpt, irregular, lstm
from .job import OURS, Job, apart, by_neuron, flat, jax_alone, torch_alone, with_start

RATE, PENALTY = 0.05, 1e-4


def values(engine: str) -> Any:
    """The scalar class of an engine."""
    if engine == "micrograd":
        from micrograd.engine import Value
    else:
        from autograd import Value
    return Value


# (a) the expression of micrograd's README -------------------------------------------------------------------------


def expression(a: Any, b: Any, relu: Any = lambda x: x.relu()) -> Any:
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def readme(engine: str) -> Job:
    Value = values(engine)

    def run() -> list[float]:
        a, b = Value(-4.0), Value(2.0)
        g = expression(a, b)
        g.backward()
        return [g.data, a.grad, b.grad]

    return Job(run)


def readme_compiled() -> Job:
    import autograd

    program = autograd.compile(lambda a, b: expression(a, b))
    return Job(lambda: program.value_and_grad(-4.0, 2.0), lambda found: [found[0], *found[1]])


def readme_torch() -> Job:
    torch = torch_alone()

    def run() -> Any:
        a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (-4.0, 2.0))
        g = expression(a, b)
        g.backward()
        return g.item(), a.grad.item(), b.grad.item()

    return Job(run)


def readme_jax() -> Job:
    jax = jax_alone()
    work = jax.jit(jax.value_and_grad(lambda a, b: expression(a, b, jax.nn.relu), argnums=(0, 1)))
    return Job(lambda: jax.block_until_ready(work(-4.0, 2.0)), lambda found: flat(found[0], *found[1]))


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


def descent(prepare: Callable[[float], Any], make: Callable[[], Any]) -> Job:
    """One step on the hinge loss, with any net of scalars; each input is prepared: wrapped, or left as it is."""
    points, labels = moons()
    random.seed(1337)
    model = make()
    parameters = model.parameters()
    rows, targets = points.tolist(), labels.tolist()

    def run() -> Any:
        scores = [model(list(map(prepare, row))) for row in rows]
        losses = [(1 + -y * score).relu() for y, score in zip(targets, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + PENALTY * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= RATE * p.grad
        return loss.data

    return Job(run, lambda loss: [loss, *(p.data for p in parameters)])


def by_hand(engine: str) -> Job:
    Value = values(engine)
    return descent(Value, lambda: WrittenOut(Value, [2, 16, 16, 1]))


def with_nn(engine: str) -> Job:
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


def moons_compiled() -> Job:
    import nn

    points, labels = moons()
    model = with_start(nn.MLP(2, [16, 16, 1]), start())
    parameters = model.parameters()

    def loss(score: Any, label: Any) -> Any:
        return nn.hinge(score, label) + PENALTY * sum(p * p for p in parameters)

    step = nn.train_step(model, loss, nn.SGD(parameters, lr=RATE))
    return Job(lambda: step(points, labels), lambda value: [value, *(p.data for p in parameters)])


def handwritten() -> Job:
    """What one would write in NumPy alone."""
    points, labels = moons()
    parameters = W1, b1, W2, b2, W3, b3 = apart(start())

    def run() -> float:
        h1 = points @ W1.T
        h1 += b1
        np.maximum(h1, 0.0, out=h1)
        h2 = h1 @ W2.T
        h2 += b2
        np.maximum(h2, 0.0, out=h2)
        margin = 1.0 - labels * (h2 @ W3[0] + b3)
        loss = np.maximum(margin, 0.0).sum() / len(labels) + PENALTY * sum(
            [np.vdot(p, p) for p in parameters]
        )
        d3 = (labels * (margin > 0.0) * (-1.0 / len(labels)))[:, None]
        d2 = d3 * W3
        d2 *= h2 > 0.0
        d1 = d2 @ W2
        d1 *= h1 > 0.0
        slopes = d1.T @ points, d1.sum(0), d2.T @ h1, d2.sum(0), d3.T @ h2, d3.sum(0)
        for p, slope in zip(parameters, slopes, strict=True):
            p *= 1.0 - 2.0 * RATE * PENALTY
            slope *= RATE
            p -= slope
        return float(loss)

    return Job(run, lambda loss: [loss, *flat(*by_neuron([(W1, b1), (W2, b2), (W3, b3)]))])


def torch_eager() -> Job:
    torch = torch_alone()
    points, labels = map(torch.tensor, moons())
    parameters = [torch.tensor(part, requires_grad=True) for part in apart(start())]
    layers = [*zip(parameters[::2], parameters[1::2], strict=True)]

    def run() -> float:
        x = points
        for W, b in layers:
            x = torch.nn.functional.linear(x, W, b)
            x = x if W is layers[-1][0] else x.relu()
        loss = (1.0 - labels * x[:, 0]).relu().mean() + PENALTY * sum((p * p).sum() for p in parameters)
        for p in parameters:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=RATE)
        return float(loss.detach())

    return Job(run, lambda loss: [loss, *flat(*by_neuron((W.detach(), b.detach()) for W, b in layers))])


def jitted() -> Job:
    jax = jax_alone()
    jnp = jax.numpy
    points, labels = map(jnp.asarray, moons())
    parameters = tuple(map(jnp.asarray, apart(start())))

    def loss(parameters: Any, points: Any, labels: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        h = jax.nn.relu(jax.nn.relu(points @ W1.T + b1) @ W2.T + b2)
        hinge = jax.nn.relu(1.0 - labels * (h @ W3.T + b3)[:, 0])
        return hinge.mean() + PENALTY * sum((p * p).sum() for p in parameters)

    def step(parameters: Any, points: Any, labels: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(parameters, points, labels)
        return value, jax.tree.map(lambda p, slope: p - RATE * slope, parameters, slopes)

    step = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal parameters
        value, parameters = jax.block_until_ready(step(parameters, points, labels))
        return float(value)

    def numbers(value: float) -> list[float]:
        return [value, *flat(*by_neuron(zip(parameters[::2], parameters[1::2], strict=True)))]

    return Job(run, numbers)


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


def recording_and_compiling(_: str) -> dict[str, float]:
    """Seconds from a network of 784-128-10 to the value and gradient of its loss, and the bytes that took at most."""
    import autograd
    import nn

    net = digits.model()
    x, y = digits.images("float64")
    before, started = peak_bytes(), time.perf_counter()
    program = autograd.compile(lambda x, y: nn.cross_entropy(net(x), y), wrt=net, batch=True)
    program.value_and_grad(x, y)
    return {"seconds": time.perf_counter() - started, "bytes": peak_bytes() - before}


def peak_bytes() -> float:
    """The most memory that this process ever held; nan where nobody counts it."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak * (1 if sys.platform == "darwin" else 1024))


MEASURES: dict[str, Callable[[str], Any]] = {
    "bytes": node_bytes,
    "chain": chain,
    "compiling": recording_and_compiling,
}
JOBS: dict[str, dict[str, Callable[[], Job]]] = {
    "readme": {name: partial(readme, name) for name in (OURS, "micrograd")},
    "by hand": {name: partial(by_hand, name) for name in (OURS, "micrograd")},
    "nn.MLP": {
        **{name: partial(with_nn, name) for name in (OURS, "micrograd")},
        "NumPy": handwritten,
        "torch": torch_eager,
    },
    "nn GPT": {OURS: partial(gpt.eager, 8), "scalars": partial(gpt.scalars, 8)},
    "compiled readme": {
        OURS: readme_compiled,
        "micrograd": partial(readme, "micrograd"),
        "torch": readme_torch,
        "jax": readme_jax,
    },
    "compiled moons": {OURS: moons_compiled, "NumPy": handwritten, "torch": torch_eager, "jax": jitted},
    **{
        f"compiled gpt {length}": {
            OURS: partial(gpt.ours, length),
            "eager": partial(gpt.eager, length),
            "scalars": partial(gpt.scalars, length),
            "NumPy": partial(gpt.handwritten, length),
            "torch": partial(gpt.torch_eager, length),
            "jax": partial(gpt.jitted, length),
        }
        for length in gpt.NAMES
    },
    "compiled gpt gradients": {
        OURS: partial(gpt.ours_gradients, 8),
        "NumPy": partial(gpt.handwritten_gradients, 8),
        "torch": partial(gpt.torch_gradients, 8),
        "jax": partial(gpt.jitted_gradients, 8),
    },
    **{
        f"compiled digits {dtype}": {
            OURS: partial(digits.ours, dtype),
            "NumPy": partial(digits.handwritten, dtype),
            "torch": partial(digits.torch_eager, dtype),
            "jax": partial(digits.jitted, dtype),
        }
        for dtype in ("float64", "float32")
    },
    "compiled convolution": {
        OURS: convolution.ours,
        "plain NumPy": convolution.plain,
        "NumPy": convolution.handwritten,
        "torch": convolution.torch_eager,
        "jax": convolution.jitted,
    },
    "compiled convolution step": {
        OURS: convolution.ours_trained,
        "NumPy": convolution.handwritten_trained,
        "torch": convolution.torch_trained,
        "jax": convolution.jitted_trained,
    },
    "compiled lstm": {
        OURS: lstm.ours,
        "NumPy": lstm.handwritten,
        "torch": lstm.torch_eager,
        "jax": lstm.jitted,
    },
    **{
        f"compiled irregular {near}": {
            OURS: partial(irregular.ours, near),
            "eager": partial(irregular.eager, near),
        }
        for near in irregular.NEAR
    },
}
