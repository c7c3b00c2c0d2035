"""Index arrays as slices: which positions of an array a computation reads, said without an index wherever it can be.

An index array says, for each place of a result, the flat position in a source. Where it is affine, that is base + the
sum of stride * place over the axes, the same numbers are a view of the source: reshaped, sliced, transposed. Only what
is not affine is gathered with `take`. -1 in an index array is a place that nobody will read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Index = Any  # an array of ints


@dataclass
class Affine:
    """base + sum of strides[k] * place along axis k."""

    base: int
    strides: tuple[int, ...]

    def at(self, shape: tuple[int, ...]) -> Index:
        total = np.full(shape, self.base)
        for k, stride in enumerate(self.strides):
            steps = stride * np.arange(shape[k])
            total += steps.reshape((-1,) + (1,) * (len(shape) - k - 1))
        return total


def affine(index: Index) -> Affine | None:
    """The affine form of an index array, whatever it says at places marked -1; None if there is none."""
    known = index >= 0
    if known.all():
        base = int(index.flat[0])
        strides = [
            int(index[(0,) * k + (1,) + (0,) * (index.ndim - k - 1)]) - base if index.shape[k] > 1 else 0
            for k in range(index.ndim)
        ]
    else:
        strides = []
        for k in range(index.ndim):
            steps = np.diff(index, axis=k)
            both = np.diff(known, axis=k) == 0
            both &= np.take(known, range(known.shape[k] - 1), axis=k)
            strides.append(int(steps[both][0]) if both.any() else 0)
        place = np.argwhere(known)[0]
        base = int(index[tuple(place)]) - sum(s * int(p) for s, p in zip(strides, place, strict=True))
    found = Affine(base, tuple(strides))
    at = found.at(index.shape)
    return found if np.array_equal(at[known], index[known]) else None


def periods(rows: Index) -> list[int] | None:
    """Sizes d0, d1, ... such that a sequence of K = d0 d1 ... rows of numbers is affine once reshaped to them; None if
    only the trivial size K would do and the sequence is not affine. `rows` has shape (K, anything)."""
    if len(rows) == 1:
        return []
    steps = np.diff(rows, axis=0)
    other = np.flatnonzero((steps != steps[0]).any(axis=1))
    if not len(other):
        return [len(rows)]
    run = int(other[0]) + 1
    if run == 1 or len(rows) % run:
        return None
    blocks = rows.reshape(-1, run, rows.shape[1])
    if not ((blocks - blocks[:, :1]) == (blocks[0] - blocks[0, :1])).all():
        return None
    outer = periods(blocks[:, 0])
    return None if outer is None else [*outer, run]


def split_axes(index: Index) -> tuple[Index, tuple[int, ...]] | None:
    """The index array with axes split where that makes it affine, and its new shape; None where nothing does."""
    if (index < 0).any() or not index.size:
        return None
    base = index.flat[0]
    lines = [index[(0,) * k + (slice(None),) + (0,) * (index.ndim - k - 1)] - base for k in range(index.ndim)]
    total = base
    for k, line in enumerate(lines):
        total = total + line.reshape((-1,) + (1,) * (index.ndim - k - 1))
    if not np.array_equal(total, index):
        return None
    shape: list[int] = []
    for line in lines:
        sizes = periods(line[:, None])
        if sizes is None:
            return None
        shape += sizes or [1]
    return index.reshape(shape), tuple(shape)


@dataclass
class View:
    """How to get from a flat source of `size` numbers to an array by reshaping, slicing and transposing.

    `cut` (start, stop) of the flat source, then `reshape`, `slices` (an int drops the axis), then `order` of the axes
    that are left; `places` has for each axis of the result whether it is there (True) or a new one of size 1 (False).
    """

    cut: tuple[int, int]
    shape: tuple[int, ...]
    slices: tuple[Any, ...]
    order: tuple[int, ...]
    places: tuple[bool, ...]
    size: int

    def shares(self, after: tuple[int, ...] | None) -> bool:
        """Whether NumPy makes it without a copy, so that it shows what is written to the source later."""
        source = np.zeros(self.size)
        shown = source[slice(*self.cut)].reshape(self.shape)[(*self.slices, ...)].transpose(self.order)
        return np.shares_memory(shown if after is None else shown.reshape(after), source)


def view(
    form: Affine,
    shape: tuple[int, ...],
    size: int,
    natural: tuple[int, ...] | None = None,
    starts: dict[int, list[int]] | None = None,
) -> View | None:
    """The view that shows base + strides . place for all places of `shape`, in a source of `size` numbers.
    Along axes of one place the stride is 0.

    `natural` is the source's own shape, kept where it will do; `starts` remembers where blocks of rows of a flat
    source begin, by the length of a row, so that the weights and biases of a layer are cut from the same block.
    """
    places = tuple(s != 0 for s in form.strides)
    axes = [(form.strides[k], shape[k], k) for k, there in enumerate(places) if there]
    if any(s < 0 for s, _, _ in axes):
        return None
    axes.sort(key=lambda axis: (-axis[0], -axis[1]))
    strides, sizes = [s for s, _, _ in axes], [d for _, d, _ in axes]
    rest = [k for _, _, k in axes]
    order = tuple(rest.index(k) for k in range(len(shape)) if k in rest)
    for dims in ([natural] if natural is not None else []) + [None]:
        found = within(form.base, strides, sizes, size, dims, starts)
        if found:
            cut, dims_found, slices = found
            return View(cut, dims_found, slices, order, places, size)
    return None


def within(
    base: int,
    strides: list[int],
    sizes: list[int],
    size: int,
    dims: tuple[int, ...] | None,
    starts: dict[int, list[int]] | None,
) -> tuple[tuple[int, int], tuple[int, ...], tuple[Any, ...]] | None:
    """(cut, shape, slices) for strides in falling order: in the shape `dims`, or in one made from the strides."""
    cut = (0, size)
    if dims is None:
        if len(set(strides)) < len(strides) or any(a % b for a, b in pairwise(strides)):
            return None
        largest = strides[0] if strides else 1
        if not strides:
            return (base, base + 1), (1,), (0,)
        inner = [a // b for a, b in pairwise(strides)] + ([strides[-1]] if strides[-1] > 1 else [])
        reach = sum(s * (d - 1) for s, d in zip(strides, sizes, strict=True))
        whole = size % largest == 0 and starts is None
        if whole:
            dims = (size // largest, *inner)
        else:
            known = [] if starts is None else starts.setdefault(largest, [])
            start = next(
                (s for s in known if 0 <= base - s < largest and s + largest * sizes[0] <= size), None
            )
            if start is None:
                start = max(0, min(base, size - largest * sizes[0]))
                known.append(start)
            stop = start + largest * sizes[0]
            if stop > size or base < start or base + reach >= stop:
                return None
            cut, dims, base = (start, stop), (sizes[0], *inner), base - start
    steps = [math.prod(dims[k + 1 :]) for k in range(len(dims))]
    slices: list[Any] = []
    left = dict(zip(strides, sizes, strict=True))
    if len(left) < len(strides):
        return None
    for dim, step in zip(dims, steps, strict=True):
        at, base = divmod(base, step)
        count = left.pop(step, None) if dim > 1 else None
        if count is None:
            if at >= dim:
                return None
            slices.append(at)
        elif at + count > dim:
            return None
        else:
            slices.append(slice(None) if count == dim else slice(at, at + count))
    return (cut, dims, tuple(slices)) if not left else None
