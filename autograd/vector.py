"""Vector: Values that are read together, such as the weights of a neuron or the inputs of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import reduce
from operator import add, mul
from typing import Any

import numpy as np


class Vector:
    """Values that are read together: the weights of a neuron, the inputs of a layer.

    In the backward pass it gathers what its readers send, from each a gradient g and the list of local gradients d,
    and hands out the sums once: that is what makes a neuron of many inputs cheap. Plain numbers may stand in it too;
    then no gradient comes here. `fixed` reads the numbers once, at the start: for a vector that lives no longer than
    they stay as they are.
    """

    __slots__ = ("_dx", "_dy", "_x", "_y", "data", "grad", "op")

    def __init__(self, values: Iterable[Any], fixed: bool = False) -> None:
        try:
            self._x = tuple(values.tolist() if isinstance(values, np.ndarray) else values)
        except TypeError:
            raise TypeError(
                f"a Vector needs a list of Values and numbers. Received: {type(values).__name__}"
            ) from None
        self._y = self._dx = self._dy = None
        self.grad: Any = 0.0
        plain = bool(self._x) and type(self._x[0]) is float
        self.op = None if plain else "vector"
        self.data: Any = self._x if plain else None
        if fixed and not plain:
            with suppress(AttributeError):  # a plain number among Values: `dot` will see
                self.data = [v.data for v in self._x]

    def __len__(self) -> int:
        return len(self._x)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._x)

    def gather(self, g: float, slopes: Any) -> None:
        if self.grad:
            self.grad[0].append(g)
            self.grad[1].append(slopes)
        else:
            self.grad = ([g], [slopes])

    def hand_out(self) -> None:
        """To each element g d of one reader after the other; the builtin `sum` of Python 3.12 would round otherwise."""
        gradients, slopes = self.grad
        for element, column in zip(self._x, zip(*slopes, strict=True), strict=True):
            element.grad = reduce(add, map(mul, gradients, column), element.grad)
