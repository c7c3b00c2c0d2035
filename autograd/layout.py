"""Where boxes stand: columns from left to right, an order within each, heights at which edges run straight.

    layers      a box stands in the column behind everything it needs; edges that close a circle do not count
    bends       an edge over several columns takes a place in each one between
    order       each box goes to the mean of its neighbours' places, column after column, to and fro (K. Sugiyama,
                S. Tagawa, M. Toda, 1981)
    heights     as near to the mean height of the neighbours as the others in the column allow

It knows nothing of Values, needs no Graphviz, and gives the same answer in every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__: list[str] = []  # for `explore`

GAP = 18.0  # between two boxes of a column
BEND = 10.0  # the height that an edge takes which passes a column
MANY_BENDS = 400  # with more than this, edges pass behind the boxes instead
SWEEPS = 6

OUTSIDE = -1

Edge = tuple[int, int]


@dataclass
class Layout:
    """The column of each box, the height of its middle, and of each long edge the heights at which it passes."""

    columns: list[int]
    heights: list[float]
    bends: dict[Edge, list[float]]


def arrange(
    sizes: Sequence[float], edges: Sequence[Edge], entries: Sequence[int] = (), exits: Sequence[int] = ()
) -> Layout:
    """A layout of boxes, given the height of each and the edges between them.

    `entries` are the boxes to which edges lead from outside, left of all of them, and `exits` those from which edges
    lead out at the right: these pass the columns between, too, as (OUTSIDE, box) and (box, OUTSIDE).

    >>> arrange([10.0, 10.0, 10.0], [(0, 2), (1, 2)])
    Layout(columns=[0, 0, 1], heights=[5.0, 33.0, 19.0], bends={})
    >>> arrange([10.0, 10.0], [(0, 1)], entries=[1]).bends
    {(-1, 1): [33.0]}
    """
    n = len(sizes)
    forward = without_circles(n, edges)
    columns = layers(n, forward)
    ways = {(a, b): range(columns[a] + 1, columns[b]) for a, b in forward}
    doors = {(OUTSIDE, b): range(columns[b]) for b in entries}
    doors |= {(a, OUTSIDE): range(columns[a] + 1, max(columns) + 1) for a in exits}
    for more in (ways, doors):
        if sum(map(len, more.values())) > MANY_BENDS:
            more.update(dict.fromkeys(more, range(0)))
    places, every = [*columns], [*map(float, sizes)]
    links: list[Edge] = []
    passing: dict[Edge, list[int]] = {}
    for (a, b), way in {**ways, **doors}.items():
        bend = [*range(len(places), len(places) + len(way))]
        places += way
        every += [BEND] * len(way)
        links += pairwise([i for i in (a, *bend, b) if i != OUTSIDE])
        if bend:
            passing[a, b] = bend
    before: list[list[int]] = [[] for _ in places]
    after: list[list[int]] = [[] for _ in places]
    for a, b in links:
        after[a].append(b)
        before[b].append(a)
    grid: list[list[int]] = [[] for _ in range(max(places, default=-1) + 1)]
    for i, column in enumerate(places):
        grid[column].append(i)
    sort_columns(grid, before, after)
    heights = middles(grid, every, before, after)
    return Layout(columns, heights[:n], {edge: [heights[i] for i in bend] for edge, bend in passing.items()})


def without_circles(n: int, edges: Sequence[Edge]) -> list[Edge]:
    """The edges, each once, without those that lead back to where a walk from the first box came from."""
    after: list[list[int]] = [[] for _ in range(n)]
    for a, b in dict.fromkeys(edges):
        if a != b:
            after[a].append(b)
    state, forward = [0] * n, []  # 0 not met, 1 on the way, 2 done
    for start in range(n):
        stack = [(start, iter(after[start]))] if not state[start] else []
        state[start] = state[start] or 1
        while stack:
            a, rest = stack[-1]
            for b in rest:
                if state[b] != 1:
                    forward.append((a, b))
                if not state[b]:
                    state[b] = 1
                    stack.append((b, iter(after[b])))
                    break
            else:
                state[a] = 2
                stack.pop()
    kept = {*forward}
    return [edge for edge in dict.fromkeys(edges) if edge in kept]


def layers(n: int, edges: Sequence[Edge]) -> list[int]:
    """The longest way to each box; one to which no way leads stands directly before its first reader."""
    waiting, after = [0] * n, [list[int]() for _ in range(n)]
    for a, b in edges:
        waiting[b] += 1
        after[a].append(b)
    columns, ready = [0] * n, [i for i in range(n) if not waiting[i]]
    sources = [*ready]
    while ready:
        a = ready.pop()
        for b in after[a]:
            columns[b] = max(columns[b], columns[a] + 1)
            waiting[b] -= 1
            if not waiting[b]:
                ready.append(b)
    for a in sources:
        columns[a] = min((columns[b] for b in after[a]), default=1) - 1
    return columns


def sort_columns(grid: list[list[int]], before: list[list[int]], after: list[list[int]]) -> None:
    """Bring each column into an order with few crossings."""
    place = {i: float(k) for column in grid for k, i in enumerate(column)}
    port = {
        (a, b): k / len(all) for b, all in enumerate(before) for k, a in enumerate(all)
    }  # the first one on top
    for sweep in range(SWEEPS):
        backward = sweep % 2 == 0  # from the end first: what is computed decides the order of what it reads
        neighbours = after if backward else before
        for column in reversed(grid) if backward else grid:
            wanted = {
                i: mean([place[k] + port.get((i, k), 0.0) for k in neighbours[i]])
                if neighbours[i]
                else place[i]
                for i in column
            }
            column.sort(key=lambda i: (wanted[i], place[i]))
            place.update((i, k * 1.0) for k, i in enumerate(column))


def middles(
    grid: list[list[int]], sizes: Sequence[float], before: list[list[int]], after: list[list[int]]
) -> list[float]:
    """The height of each box's middle; the top of the highest box is 0."""
    y = [0.0] * len(sizes)
    for column in grid:
        for i, height in zip(column, spaced([0.0] * len(column), [sizes[i] for i in column]), strict=True):
            y[i] = height
    for sweep in range(SWEEPS + 1):
        backward, last = sweep % 2 == 0, sweep == SWEEPS
        for column in reversed(grid) if backward else grid:
            wanted = []
            for i in column:
                near = (after[i] if backward or last else []) + (before[i] if not backward or last else [])
                wanted.append(mean([y[k] for k in near]) if near else y[i])
            for i, height in zip(column, spaced(wanted, [sizes[i] for i in column]), strict=True):
                y[i] = height
    top = min((y[i] - sizes[i] / 2 for i in range(len(sizes))), default=0.0)
    return [round(height - top, 1) for height in y]


def spaced(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Heights in the given order, without overlap, whose squared distances from those wanted are least in sum.

    Boxes that would overlap become a block, which goes to the mean of what its members want.
    """
    offsets, offset = [], 0.0  # how far below the first one each stands when all touch
    for k, size in enumerate(sizes):
        offset += (sizes[k - 1] + size) / 2 + GAP if k else 0.0
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []  # where the first box of all would be, and how many agree on it
    for want, offset in zip(wanted, offsets, strict=True):
        position, count = want - offset, 1
        while blocks and blocks[-1][0] > position:
            other, n = blocks.pop()
            position, count = (position * count + other * n) / (count + n), count + n
        blocks.append((position, count))
    firsts = [position for position, count in blocks for _ in range(count)]
    return [first + offset for first, offset in zip(firsts, offsets, strict=True)]


def mean(xs: Sequence[float]) -> float:
    return math.fsum(xs) / len(xs)
