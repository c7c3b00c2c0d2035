"""The pieces of work. Each function prepares one for one engine; the larger ones have a file each.

`JOBS[row][engine]` is such a function; it imports its engine itself, so an engine that is absent is an ImportError.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import convolution, digits, gpt, irregular, lstm, mlp, symbolic
from .job import OURS, Job, flat, jax_alone, torch_alone, values

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


def readme_casadi() -> Job:
    g = symbolic.scalar_function(lambda a, b: expression(a, b, symbolic.relu), 1, 1)
    return Job(lambda: g(-4.0, 2.0), symbolic.results)


def readme_casadi_buffers() -> Job:
    """It reads and writes memory that it was given once: no number is made a matrix of CasADi's."""
    import casadi

    x = casadi.SX.sym("x", 2)
    g = expression(x[0], x[1], symbolic.relu)
    inputs, value, slopes = (np.zeros(size) for size in (2, 1, 2))
    buffers: Any
    buffers, call = casadi.Function("g", [x], [g, casadi.gradient(g, x)]).buffer()
    buffers.set_arg(0, inputs.data)
    buffers.set_res(0, value.data)
    buffers.set_res(1, slopes.data)
    call.buffers = buffers  # it does not keep them alive by itself

    def run() -> Any:
        inputs[0], inputs[1] = -4.0, 2.0
        call()
        return value[0], slopes[0], slopes[1]

    return Job(run)


# Memory and depth -------------------------------------------------------------------------------------------------


def node_bytes(engine: str) -> dict[str, float]:
    """Bytes that a recorded node takes, its numbers included, by what it is."""
    Value, count = values(engine), 5_000
    x, y = Value(1.5), Value(2.5)
    weights, inputs = ([Value(0.5) for _ in range(16)] for _ in "wx")
    if engine == OURS:
        from autograd import Vector, dot

        w, xs = Vector(weights), Vector(inputs)  # as the neurons of a layer have them
        neuron = lambda: dot(w, xs, y)
    else:
        neuron = lambda: sum((p * q for p, q in zip(weights, inputs, strict=True)), y)

    def taken(record: Callable[[], Any], backward: bool = False) -> float:
        record().backward()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        nodes = [record() for _ in range(count)]
        for v in nodes if backward else ():
            v.backward()
        found = tracemalloc.get_traced_memory()[0] - before - nodes.__sizeof__()
        tracemalloc.stop()
        return found / count

    return {
        "binary": taken(lambda: x + y),
        "binary, after backward": taken(lambda: x + y, True),
        "unary": taken(lambda: x.relu()),
        "leaf": taken(lambda: Value(1.5)),
        "neuron of 16 inputs": taken(neuron),
    }


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
MOONS = mlp.moons_net()
JOBS: dict[str, dict[str, Callable[[], Job]]] = {
    "readme": {name: partial(readme, name) for name in (OURS, "micrograd")},
    "by hand": {name: partial(mlp.by_hand, name, MOONS) for name in (OURS, "micrograd")},
    "nn.MLP": {
        **{name: partial(mlp.eager, name, MOONS) for name in (OURS, "micrograd")},
        "NumPy": partial(mlp.handwritten, MOONS),
        "torch": partial(mlp.torch_eager, MOONS),
    },
    "nn GPT": {OURS: partial(gpt.eager, 8), "scalars": partial(gpt.scalars, 8)},
    "compiled readme": {
        OURS: readme_compiled,
        "micrograd": partial(readme, "micrograd"),
        "torch": readme_torch,
        "jax": readme_jax,
        "casadi": readme_casadi,
        "casadi buffers": readme_casadi_buffers,
    },
    "compiled moons": {
        OURS: partial(mlp.compiled, MOONS),
        "NumPy": partial(mlp.handwritten, MOONS),
        "torch": partial(mlp.torch_eager, MOONS),
        "jax": partial(mlp.jitted, MOONS),
        "casadi": partial(mlp.symbols, MOONS),
    },
    **{
        f"compiled gpt {length}": {
            OURS: partial(gpt.ours, length),
            "eager": partial(gpt.eager, length),
            "scalars": partial(gpt.scalars, length),
            "plain NumPy": partial(gpt.plain, length),
            "NumPy": partial(gpt.handwritten, length),
            "torch": partial(gpt.torch_eager, length),
            "jax": partial(gpt.jitted, length),
        }
        for length in gpt.NAMES
    },
    "compiled gpt gradients": {
        OURS: partial(gpt.ours_gradients, 8),
        "plain NumPy": partial(gpt.plain_gradients, 8),
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
            **({"casadi": digits.symbols} if dtype == "float64" else {}),  # it has no float32
        }
        for dtype in ("float64", "float32")
    },
    "compiled convolution": {
        OURS: convolution.ours,
        "plain NumPy": convolution.plain,
        "NumPy": convolution.handwritten,
        "torch": convolution.torch_eager,
        "jax": convolution.jitted,
        "casadi": convolution.symbols,
    },
    "compiled convolution step": {
        OURS: convolution.ours_trained,
        "NumPy": convolution.handwritten_trained,
        "torch": convolution.torch_trained,
        "jax": convolution.jitted_trained,
        "casadi": convolution.symbols_trained,
    },
    "compiled lstm": {
        OURS: lstm.ours,
        "plain NumPy": lstm.plain,
        "NumPy": lstm.handwritten,
        "torch": lstm.torch_eager,
        "jax": lstm.jitted,
        "casadi": lstm.symbols,
    },
    **{
        f"compiled irregular {near}": {
            OURS: partial(irregular.ours, near),
            "eager": partial(irregular.eager, near),
            "casadi": partial(irregular.symbols, near),
        }
        for near in irregular.NEAR
    },
}
