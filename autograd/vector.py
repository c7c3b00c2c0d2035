"""Vector: Values that are read together, such as the weights of a neuron or the inputs of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np


class Vector:
    """Values that are read together: the weights of a neuron, the inputs of a layer.

    In the backward pass it gathers the gradients of all its readers in one list and hands them out once, which is
    what makes a neuron of many inputs cheap. Plain numbers may stand in it too; then no gradient comes here.
    `fixed` reads the numbers once, here: for a vector that lives no longer than they stay as they are.
    """

    __slots__ = ("_dx", "_dy", "_x", "_y", "data", "grad", "op")

    def __init__(self, values: Iterable[Any], fixed: bool = False) -> None:
        self._x = tuple(values.tolist() if isinstance(values, np.ndarray) else values)
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
