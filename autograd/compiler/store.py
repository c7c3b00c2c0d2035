"""Parameters in one array: what a compiled program reads and an optimiser moves.

The Values stay what they are to everybody else. While a program holds them they are `Bound`: `data` reads and writes
their place in the program's array, so a model shows its trained numbers at once, and what somebody assigns is taken up
by the next call. A frozen Value stays by itself; its number is read at each call.

A Value is in one array only. Who wants to read it too reads that array, as a view where the Values stand in the same
order there, else as a copy at each call. Who trains it takes it over, once, when compiling; nobody takes it back.
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
    def data(self) -> float:
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
    """Let a Bound Value live by itself again; whoever reads its place will see."""
    if type(v) is Bound:
        number, holder = v.data, v._dx
        holder.changes += 1
        v._dx = v._dy = None
        v.__class__ = Value  # type: ignore[assignment]
        v.data = number


class Store:
    """An array with the numbers of Values, in their order; the first `trained` of them are moved here."""

    def __init__(self, values: Sequence[Value], dtype: Any, trained: int = 0) -> None:
        self.values, self.trained = list(values), trained
        self.changes = 0  # how many Values have left
        self.array, self.holder, self.offset = self.view_of_another(np.dtype(dtype))
        if self.holder is self:
            self.array = np.array([v.data for v in self.values], dtype=dtype)
            for v in self.values[:trained]:
                release(v)
        self.refresh()

    def view_of_another(self, dtype: Any) -> tuple[Any, Any, int]:
        """(array, its Store, where it begins there) if one Store holds the Values, in this order; else itself."""
        for place, v in enumerate(self.values):
            if type(v) is Bound:
                holder, start = v._dx, v._dy - place
                end = start + len(self.values)
                same = start >= 0 and holder.array.dtype == dtype and holder.values[start:end] == self.values
                if same and all(type(v) is not Bound or v._dx is holder for v in self.values):
                    return holder.array[start:end], holder, start
                break
        return None, self, 0

    def refresh(self) -> bool:
        """Look again who holds what; whether others than before are frozen."""
        frozen: list[int] = []
        apart: dict[int, tuple[Store, list[int], list[int]]] = {}
        alone: list[int] = []
        for place, v in enumerate(self.values):
            if type(v) is Value and v.op is None:
                self.array[place] = v.data
                v.__class__ = Bound
                v._dx, v._dy = self, place
            elif type(v) is not Bound:
                alone.append(place)
                if not v.requires_grad:
                    frozen.append(place)
            elif v._dx is not self and not (v._dx is self.holder and v._dy == self.offset + place):
                _, mine, theirs = apart.setdefault(id(v._dx), (v._dx, [], []))
                mine.append(place)
                theirs.append(v._dy)
        self.alone, self.constants = places(alone), [self.values[place] for place in alone]
        self.elsewhere = [(other, places(mine), places(theirs)) for other, mine, theirs in apart.values()]
        self.back = [  # where to write what has been trained
            (other, places(mine[:n]), places(theirs[:n]))
            for other, mine, theirs in apart.values()
            if (n := sum(place < self.trained for place in mine))
        ]
        others = dict.fromkeys([self, self.holder, *(other for other, _, _ in self.elsewhere)])
        self.seen = [(other, other.changes) for other in others]
        self.shared = bool(self.elsewhere or self.constants)  # numbers must be fetched before each call
        before, self.frozen = getattr(self, "frozen", frozen), frozen
        return before != frozen

    def changed(self) -> bool:
        """Whether somebody froze, freed or took one of the Values since."""
        for other, changes in self.seen:
            if other.changes != changes:
                return True
        if not self.constants or {*map(type, self.constants)}.isdisjoint((Value, Bound)):
            return False
        return any(type(v) in (Value, Bound) and not v.op for v in self.constants)

    def fetch(self) -> None:
        """Bring in the numbers that live elsewhere."""
        for other, mine, theirs in self.elsewhere:
            self.array[mine] = other.array[theirs]
        if self.constants:
            self.array[self.alone] = [v.data for v in self.constants]

    def put_back(self) -> None:
        """Write what has been trained to where it lives."""
        for other, mine, theirs in self.back:
            other.array[theirs] = self.array[mine]

    def let_go(self) -> None:
        """Let all the Values that are held here live by themselves again."""
        for v in self.values:
            if type(v) is Bound and v._dx is self:
                release(v)


def places(found: list[int]) -> Any:
    """Places in an array: a slice where they are consecutive."""
    first, n = found[0] if found else 0, len(found)
    return slice(first, first + n) if found == [*range(first, first + n)] else np.array(found)
