"""What a piece of work is, and what the pieces share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

OURS = "neurongrad"


class Job(NamedTuple):
    """A piece of work, prepared for one engine."""

    run: Callable[[], Any]  # does it once: this is timed
    numbers: Callable[[Any], Iterable[float]] = list  # of what `run` gave: what all engines must agree about


def flat(*arrays: Any) -> list[float]:
    """The numbers of all of them, one after the other."""
    found: list[float] = np.concatenate([np.ravel(array) for array in arrays]).tolist()
    return found


def values(engine: str) -> Any:
    """The scalar class of an engine."""
    if engine == "micrograd":
        from micrograd.engine import Value
    else:
        from autograd import Value
    return Value


def with_start(model: Any, start: Iterable[Any]) -> Any:
    """The model of Values, its parameters set to the numbers of these arrays."""
    for p, number in zip(model.parameters(), flat(*start), strict=True):
        p.data = number
    return model


def by_neuron(layers: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Of each layer's weights (nout, nin) and biases, a row for each neuron, its bias last: the order of Values."""
    return [np.column_stack([np.asarray(W), np.asarray(b)]) for W, b in layers]


def apart(layers: Iterable[Any]) -> list[Any]:
    """And back: the weights and the biases, each contiguous."""
    return [part.copy() for layer in layers for part in (layer[:, :-1], layer[:, -1])]


def torch_alone() -> Any:
    """PyTorch on one thread."""
    import torch

    torch.set_num_threads(1)
    return torch


def jax_alone() -> Any:
    """JAX in double precision where it is asked for, and at its fastest on one thread: without a queue."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return jax
