"""Zeros around an array: how ragged sums of products become whole ones.

The window of a convolution reaches beyond its image, and a gradient that flows back from one reaches fewer outputs at
the edge than inside: sums of one form have different numbers of products. With zeros where a product is missing they
all have the same, and are one product of matrices.
"""

from __future__ import annotations

import math

import numpy as np

from .views import Index

SPARSE = 4  # so many times as many products as there were is too many


def aligned(weights: Index, reads: Index) -> tuple[Index, Index] | None:
    """Ragged rows of two factors' positions, -1 where there is none, put in line by the first factor.

    Rows that share a weight, directly or by way of others, get the same weights, all that any of them has: those of one
    filter. Returns (weights, reads): `weights` is complete, `reads` has -1 where a row did not use a weight, and -2,
    -3, ... beyond the weights of a filter that has fewer than others, by its kind: filters whose weights lie in the
    same steps are of one kind. None if a row uses a weight twice, or most of what would be read are zeros.
    """
    known = (weights >= 0) & (reads >= 0)
    rows, _ = np.nonzero(known)
    positions, place = np.unique(weights[known], return_inverse=True)
    label = np.arange(len(positions))
    while True:  # the lowest position that each is connected with
        of_row = np.full(len(weights), len(positions))
        np.minimum.at(of_row, rows, label[place])
        new = label.copy()
        np.minimum.at(new, place, of_row[rows])
        if np.array_equal(new, label):
            break
        label = new
    if of_row.max() == len(positions):  # a row without a product
        return None
    filters, number = np.unique(label, return_inverse=True)
    sizes = np.bincount(number)
    width = int(sizes.max())
    if len(weights) * width > SPARSE * len(rows):
        return None
    by_filter = np.argsort(number, kind="stable")
    column = np.empty(len(positions), int)
    column[by_filter] = np.arange(len(positions)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.repeat(positions[filters][:, None], width, axis=1)
    table[number, column] = positions
    _, kind = np.unique(table - table[:, :1], axis=0, return_inverse=True)
    beyond = np.where(np.arange(width) < sizes[:, None], -1, -2 - np.ravel(kind)[:, None])
    found = beyond[number[of_row]]
    found[rows, column[place]] = reads[known]
    if (found >= 0).sum() < len(rows):
        return None
    return table[number[of_row]], found


def around(index: Index, shape: tuple[int, ...]) -> tuple[tuple[tuple[int, int], ...], Index]:
    """(how many zeros before and after along each axis of the source, the index array that reads zeros for each -1).

    Where the rows of the index array are one window moved over the source, the zeros are its margin; otherwise they
    stand behind all, one for -1, one for -2 and so on.
    """
    rows = np.unique(index, axis=0)
    found = margin(rows, shape) if shape and index.min() == -1 else None
    if found is None:
        size = math.prod(shape)
        return ((0, -int(index.min())),), np.where(index < 0, size - 1 - index, index)
    pads, starts, steps = found
    wide = tuple(n + before + after for n, (before, after) in zip(shape, pads, strict=True))
    at = starts[:, :, None] + steps[:, None, :] + np.array([before for before, _ in pads])[:, None, None]
    moved = np.ravel_multi_index(tuple(at), wide)
    _, which = np.unique(index, axis=0, return_inverse=True)
    return pads, moved[np.ravel(which)]


def margin(rows: Index, shape: tuple[int, ...]) -> tuple[tuple[tuple[int, int], ...], Index, Index] | None:
    """(zeros along each axis, starts (axes, rows), steps (axes, columns)) if row r reads, in column c, the place
    starts[:, r] + steps[:, c] of the source, and there is nothing there wherever it says -1."""
    known = rows >= 0
    places = np.array(np.unravel_index(np.maximum(rows, 0), shape))
    starts, steps = np.zeros((len(shape), len(rows)), int), np.zeros((len(shape), rows.shape[1]), int)
    done = np.zeros(len(rows), bool)
    there = np.zeros(rows.shape[1], bool)
    first = int(known.sum(axis=1).argmax())
    done[first], there = True, known[first].copy()
    steps[:, there] = places[:, first, there]
    while not (done.all() and there.all()):
        links = known & there
        new = ~done & links.any(axis=1)
        if not new.any():
            return None
        r = np.flatnonzero(new)
        c = links[r].argmax(axis=1)
        starts[:, r] = places[:, r, c] - steps[:, c]
        done |= new
        columns = np.flatnonzero(~there & known[done].any(axis=0))
        if len(columns):
            r = np.flatnonzero(done)[known[done][:, columns].argmax(axis=0)]
            steps[:, columns] = places[:, r, columns] - starts[:, r]
            there[columns] = True
    at = starts[:, :, None] + steps[:, None, :]
    if (at != places)[:, known].any():
        return None
    inside = (at >= 0).all(axis=0) & (at < np.array(shape)[:, None, None]).all(axis=0)
    if (inside & ~known).any():
        return None
    low, high = at.min(axis=(1, 2)), at.max(axis=(1, 2))
    pads = tuple((max(0, -int(a)), max(0, int(b) - n + 1)) for a, b, n in zip(low, high, shape, strict=True))
    grown = math.prod(n + a + b for n, (a, b) in zip(shape, pads, strict=True))
    return (pads, starts, steps) if grown <= SPARSE * math.prod(shape) + 64 else None
