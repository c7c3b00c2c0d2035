"""Parameters in one array: what a compiled program reads and an optimiser moves.

The Values stay what they are to everybody else. While a program holds them they are `Bound`: `data` reads and writes
their place in the program's array, so a model shows its trained numbers at once, and what somebody assigns is taken up
by the next call. A frozen Value stays by itself; its number is read at each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..value import Constant, Value


class Bound(Value):
    """A leaf whose number lives in an array, beside those of other leaves."""

    __slots__ = ()
    _copied_as = Value  # a copy lives by itself

    @property
    def data(self) -> float:  # type: ignore[override]
        return self._dx.array.item(self._dy)  # type: ignore[no-any-return]

    @data.setter
    def data(self, x: Any) -> None:
        self._dx.array[self._dy] = x

    @property
    def requires_grad(self) -> bool:
        return True

    @requires_grad.setter
    def requires_grad(self, needed: bool) -> None:
        if not needed:
            release(self)
            self.__class__ = Constant  # type: ignore[assignment]


def release(v: Value) -> None:
    """Let a Bound Value live by itself again; whoever held it will see."""
    if type(v) is Bound:
        number, holder = v.data, v._dx
        holder.stale = True
        v._dx = v._dy = None
        v.__class__ = Value  # type: ignore[assignment]
        v.data = number


class Store:
    """An array with the numbers of Values, in their order."""

    def __init__(self, values: Sequence[Value], dtype: Any, take_over: bool = False) -> None:
        """Values that another Store holds are read from there, or, to `take_over`, released and bound here."""
        self.values = list(values)
        self.stale = False
        self.array = np.array([v.data for v in values], dtype=dtype)
        self.elsewhere: dict[int, tuple[Store, list[int], list[int]]] = {}
        self.constants: list[int] = []
        for place, v in enumerate(self.values):
            if take_over:
                release(v)
            if type(v) is Value and v.op is None:
                v.__class__ = Bound  # type: ignore[assignment]
                v._dx, v._dy = self, place
            elif type(v) is Bound:
                _, mine, theirs = self.elsewhere.setdefault(id(v._dx), (v._dx, [], []))
                mine.append(place)
                theirs.append(v._dy)
            else:
                self.constants.append(place)

    def shared(self) -> bool:
        """Whether some numbers must be fetched before each call."""
        return bool(self.elsewhere or self.constants)

    def changed(self) -> bool:
        """Whether somebody froze, freed or took one of the Values since."""
        return (
            self.stale
            or any(other.stale for other, _, _ in self.elsewhere.values())
            or any(
                type(self.values[place]) in (Value, Bound) and not self.values[place].op
                for place in self.constants
            )
        )

    def fetch(self) -> None:
        """Bring in the numbers that live elsewhere."""
        for other, mine, theirs in self.elsewhere.values():
            self.array[mine] = other.array[theirs]
        for place in self.constants:
            self.array[place] = self.values[place].data
