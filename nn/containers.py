"""Containers: modules one after the other, and around each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import activations
from .checks import entries, shape
from .module import Module, nested


class Sequential(Module):
    """Each layer reads what the one before returned:

        y = layers[n - 1](... layers[1](layers[0](x)))

    A layer is a Module, any other function, or the name of an activation. Without layers it hands on what it gets.
    Its `layers` are a list, to be changed as lists are; an index gives a layer, a slice a Sequential that shares its
    layers, which keep their names.

    >>> from nn import Layer
    >>> net = Sequential(Layer(2, 3, activation="identity", rng=0), "tanh", Layer(3, 1, activation="sigmoid", rng=1))
    >>> len(net), net.count_parameters(), 0.0 < net([0.5, -1.0]).data < 1.0
    (3, 13, True)
    """

    def __init__(self, *layers: Any, label: str = "") -> None:
        self.label = label
        self.layers: list[Callable[[Any], Any]] = [callable_of(layer) for layer in layers]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def batch(self, samples: Sequence[Any]) -> list[Any]:
        found = entries(self._named(), "samples", samples)
        for layer in self.layers:
            found = together(layer, found)
        return found

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, k: Any) -> Any:
        if not isinstance(k, slice):
            try:
                return self.layers[k]
            except TypeError:
                raise TypeError(
                    f"{self._named()} needs an int or a slice as index. Received: {k!r} ({type(k).__name__})"
                ) from None
            except IndexError:
                raise IndexError(
                    f"{self._named()} has {len(self.layers)} layers. Received: index {k}"
                ) from None
        part = Sequential.__new__(
            Sequential
        )  # not constructed: that would rename the layers, by their new places
        part.label, part.layers = self.label, self.layers[k]
        return part

    def _title(self) -> str:
        return f"{type(self).__name__}({len(self.layers)})"


class Residual(Module):
    """A way around: what `inner` computes is added to its input, or to what `shortcut` makes of it.

        y = x + inner(x)        or        y = shortcut(x) + inner(x)

    Even where `inner` passes no gradient on, the sum does: so networks can be deep (K. He et al., 2015). Output and
    input have the same shape; where they do not, `shortcut` is a module that brings the input to that of the output.

    >>> Residual(lambda x: [0.5 * v for v in x])([2.0, 4.0])
    [3.0, 6.0]
    """

    def __init__(self, inner: Any, shortcut: Any = None, *, label: str = "") -> None:
        self.label = label
        self.inner, self.shortcut = callable_of(inner), None if shortcut is None else callable_of(shortcut)

    def __call__(self, x: Any) -> Any:
        x = nested(x) if hasattr(x, "__next__") else x  # both ways read it
        return plus(self, x if self.shortcut is None else self.shortcut(x), self.inner(x))

    def batch(self, samples: Sequence[Any]) -> list[Any]:
        samples = entries(self._named(), "samples", samples)
        around = samples if self.shortcut is None else together(self.shortcut, samples)
        return [plus(self, x, y) for x, y in zip(around, together(self.inner, samples), strict=True)]


def callable_of(layer: Any) -> Any:
    """A layer that can be called: an activation by its name, else what it is."""
    if isinstance(layer, str):
        return activations.get(layer).function
    if not callable(layer):
        raise TypeError(
            "a container needs modules, functions, or names of activations. "
            f"Received: {type(layer).__name__}{' (write *layers)' if isinstance(layer, list) else ''}"
        )
    return layer


def together(layer: Any, samples: list[Any]) -> list[Any]:
    """What a layer makes of the samples of a batch."""
    return layer.batch(samples) if isinstance(layer, Module) else [layer(x) for x in samples]


def plus(module: Module, x: Any, y: Any) -> Any:
    """x + y, number by number, of the same shape."""
    if shape(x) != shape(y):
        raise ValueError(
            f"{module._named()} adds what has one shape. Received: {shape(x)} around, {shape(y)} within."
        )
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        return np.add(x, y)
    return [plus(module, a, b) for a, b in zip(x, y, strict=True)] if hasattr(x, "__iter__") else x + y
