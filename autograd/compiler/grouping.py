"""Fourth pass: nodes become arrays.

Nodes of one kind, at one depth, whose operands lie in the same earlier arrays, form one array. Its operands are index
arrays into the earlier ones. What is left to choose is the order of its members, and so its shape:

- A group of sums of products is laid out as a matrix where it is one: its nodes' first factors have R distinct rows,
  their second factors C distinct rows, and the nodes are all R x C pairs. Blocks of such pairs (the heads of an
  attention) are an axis more. Where some pairs are missing (a causal mask) the array has holes that nobody reads.
- Where the sums are ragged, as at the edge of an image, the array that they read gets zeros around it: see `padding`.
- Any other group takes the shape of its largest operand, or whatever shape makes its index arrays affine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ..ops import TABLE, Op
from .padding import aligned, around
from .sums import Program
from .views import Index, periods

CONSTANT = -1  # the array of the literals: their "positions" are numbers of nodes


@dataclass
class Operand:
    """What an array reads: for each place of the reader a position in `source`; in CONSTANT, the number itself."""

    source: int
    index: Index


@dataclass
class Part:
    """A term of each sum in an array: sign * a, or sign * a * b, summed over the last axis of the index arrays.

    `complete` says whether every place has all its terms.
    """

    sign: int
    a: Operand
    b: Operand | None
    complete: bool = True


Terms = tuple[int, Operand, Operand | None, bool]  # a part under construction: a row for each node


@dataclass
class Array:
    """A group of nodes as an array. `members` are the nodes in the order of its places, -1 for a hole."""

    number: int
    kind: Any  # "input", "parameter", "random", "count", "sum", "beside", "padded", or an Op
    shape: tuple[int, ...]
    varies: bool
    members: Index
    parts: list[Part] = field(default_factory=list)
    operands: list[Operand] = field(default_factory=list)
    holes: bool = False
    axis: int = 0  # along which the operands of an array of kind "beside" follow one another
    pads: tuple[
        tuple[int, int], ...
    ] = ()  # of kind "padded": how many zeros before and after, along each axis

    @property
    def size(self) -> int:
        return len(self.members)


class Grouping:
    """The arrays of a program, in an order in which they can be computed."""

    def __init__(self, program: Program, shapes: Sequence[tuple[int, ...]]) -> None:
        graph = self.graph = program.graph
        self.program = program
        self.arrays: list[Array] = []
        self.array_of = np.full(len(graph), -2)
        self.place_of = np.full(len(graph), -1)
        self.numbers: list[int] = self.array_of.tolist()  # the same, where they are looked at one by one
        self.asked = {i: k for k, i in enumerate(program.outputs)}  # outputs, in their order
        self.gradients: dict[int, int] = {}  # the nodes of gradients, by what they are the gradient of
        self.gathered: set[int] = set()
        self.leaves(shapes)
        for depth in self.buckets():
            first = len(self.arrays)
            for bucket in depth:
                self.build(bucket)
            self.gather_gradients(self.arrays[first:])

    # Leaves -------------------------------------------------------------------------------------------------------

    def leaves(self, shapes: Sequence[tuple[int, ...]]) -> None:
        graph = self.graph
        inputs: list[list[int]] = [[] for _ in shapes]
        by_kind: dict[str, list[int]] = {"parameter": [], "random": [], "count": []}
        for i, kind in enumerate(graph.ops):
            if kind == "input":
                inputs[graph.args[i][0]].append(i)
            elif kind == "literal":
                self.array_of[i], self.place_of[i], self.numbers[i] = CONSTANT, i, CONSTANT
            elif type(kind) is str:
                by_kind[kind].append(i)
        self.values = np.array(
            [a[0] if k == "literal" else 0.0 for k, a in zip(graph.ops, graph.args, strict=True)]
        )
        for nodes, shape in zip(inputs, shapes, strict=True):
            self.place("input", shape, graph.batch, np.array(nodes, dtype=int))
        for kind, nodes in by_kind.items():
            shape = () if kind == "count" else (len(nodes),)
            self.place(kind, shape, kind == "random" and graph.batch, np.array(nodes, dtype=int))

    def place(self, kind: Any, shape: tuple[int, ...], varies: bool, members: Index) -> Array:
        array = Array(len(self.arrays), kind, shape, varies, members)
        self.arrays.append(array)
        there = members >= 0
        array.holes = not there.all()
        self.array_of[members[there]] = array.number
        self.place_of[members[there]] = np.flatnonzero(there)
        for i in members[there].tolist():
            self.numbers[i] = array.number
        return array

    # Which nodes belong together ----------------------------------------------------------------------------------

    def buckets(self) -> Any:
        """For each depth, shallow ones first: lists of nodes that form an array each."""
        program = self.program
        by_depth: dict[int, list[int]] = {}
        for i in program.order:
            by_depth.setdefault(program.depth[i], []).append(i)
        for depth in sorted(by_depth):
            found: dict[Any, list[int]] = {}
            for i in by_depth[depth]:
                found.setdefault(self.key(i), []).append(i)
            yield [*found.values()]

    def key(self, i: int) -> Any:
        varies, array_of = self.graph.varies[i], self.numbers
        if i in self.program.sums:
            kinds = {
                (s, array_of[a], -2) if b is None else (s, *sorted((array_of[a], array_of[b])))
                for s, a, b in self.program.sums[i]
            }
            return varies, frozenset(kinds)
        op: Op = self.graph.ops[i]
        sources = [array_of[j] for j in self.graph.args[i]]
        if op.variadic:
            last = sources.pop() if op is PICK else None
            return varies, op, last, frozenset(sources), sources.count(CONSTANT)
        settings = [self.graph.value(j) for j in self.graph.args[i][len(sources) - op.parameters :]]
        return varies, op, *sources, *settings  # one exponent, one slope for all

    # One array ----------------------------------------------------------------------------------------------------

    def build(self, nodes: list[int]) -> None:
        varies = self.graph.varies[nodes[0]]
        if nodes[0] in self.program.sums:
            strands = self.strands(nodes)
            if len(strands) > 1:
                for strand in strands:
                    self.build(strand)
                return
            parts = self.sum_parts(nodes)
            ragged = [(a, b) for _, a, b, complete in parts if not complete]
            found = None if self.of_weights(nodes, ragged) else self.as_product(nodes, parts, varies)
            if found is None and ragged:
                before = len(self.arrays)
                found, parts = self.as_padded_product(nodes, parts, varies)
                if found is None:
                    del self.arrays[before:]
                    found = self.as_product(nodes, parts, varies)
            order, shape = (
                found
                or self.as_operands(nodes, parts)
                or self.as_product(nodes, parts, varies, outer=True)
                or (np.arange(len(nodes)), (len(nodes),))
            )
            array = self.place("sum", shape, varies, take_or_hole(np.array(nodes), order))
            array.parts = [
                Part(sign, self.operand(a, order, shape), b and self.operand(b, order, shape), complete)
                for sign, a, b, complete in parts
            ]
        else:
            op = self.graph.ops[nodes[0]]
            operands = self.call_operands(op, nodes)
            found = self.as_operands(nodes, [(1, x, None, True) for x in operands])
            order, shape = found or (np.arange(len(nodes)), (len(nodes),))
            array = self.place(op, shape, varies, take_or_hole(np.array(nodes), order))
            array.operands = [self.operand(x, order, shape) for x in operands]

    def gather_gradients(self, new: list[Array]) -> None:
        """The gradient of a matrix product, found in several arrays (the gates of a cell; queries, keys and values),
        is laid side by side as soon as it is complete: then the product's other gradients are products, too."""
        gradient_of = self.graph.gradient_of
        touched = {
            int(self.array_of[gradient_of[i]])
            for array in new
            for i in array.members.tolist()
            if i in gradient_of
        }
        for number in sorted(touched):
            array = self.arrays[number] if number >= 0 else None
            if (
                array is None
                or array.kind != "sum"
                or array.holes
                or number in self.gathered
                or array.size < 2
            ):
                continue
            if not any(part.b is not None and part.a.index.shape[-1] > 1 for part in array.parts):
                continue
            if not self.gradients:
                self.gradients.update((v, i) for i, v in gradient_of.items() if i in self.program.depth)
            nodes = np.array([self.gradients.get(int(v), -1) for v in array.members])
            if (nodes < 0).any() or (self.array_of[nodes] < 0).any():
                continue  # not all are there yet
            self.gathered.add(number)
            sources = self.array_of[nodes].reshape(array.shape)
            axes = [k for k in range(sources.ndim) if (sources != sources.take([0], axis=k)).any()]
            distinct = [self.arrays[int(i)] for i in np.unique(sources)]
            if len(axes) == 1 and 1 < len(distinct) < 9 and all(x.varies == array.varies for x in distinct):
                places = self.place_of[nodes].reshape(array.shape)
                beside = self.place("beside", array.shape, array.varies, nodes)
                beside.axis = axes[0]
                line = np.moveaxis(sources, axes[0], 0).reshape(sources.shape[axes[0]], -1)[:, 0]
                cuts = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
                for start, stop in pairwise(cuts):
                    piece = places.take(range(start, stop), axis=axes[0])
                    beside.operands.append(Operand(int(line[start]), piece))

    def strands(self, nodes: list[int]) -> list[list[int]]:
        """Nodes apart that walk through their operands in different steps: the rows and the columns of a matrix are
        read by different products. A node of one term goes with those that read the same number."""
        sums, array_of, place_of = self.program.sums, self.array_of, self.place_of
        if all(len(sums[i]) == 1 for i in nodes):
            return [nodes]
        steps: dict[int, Any] = {}
        read_by: dict[int, Counter[Any]] = {}
        for i in nodes:
            terms = [(a, b) for _, a, b in sums[i] if b is not None]
            if len(terms) > 1:
                (a0, b0), (a1, b1) = terms[:2]
                step = {
                    int(array_of[x0]): int(place_of[x1] - place_of[x0]) for x0, x1 in ((a0, a1), (b0, b1))
                }
                steps[i] = tuple(sorted((source, abs(s)) for source, s in step.items() if source != CONSTANT))
                for a, b in terms:
                    read_by.setdefault(a, Counter())[steps[i]] += 1
                    read_by.setdefault(b, Counter())[steps[i]] += 1
        kinds = {*steps.values()}
        if not 1 < len(kinds) < 5 or len(kinds) * 2 > len(nodes):
            return [nodes]
        mixed = {int(array_of[x]) for x, count in read_by.items() if len(count) > 1}
        for i in nodes:
            if i not in steps:
                read = [x for _, a, b in sums[i] for x in (a, b) if x in read_by]
                near = [x for x in read if int(array_of[x]) not in mixed] or read
                if not near:
                    return [nodes]
                steps[i] = max((read_by[x] for x in near), key=Counter.total).most_common(1)[0][0]
        return [[i for i in nodes if steps[i] == kind] for kind in dict.fromkeys(steps[i] for i in nodes)]

    def operand(self, x: Operand, order: Index, shape: tuple[int, ...]) -> Operand:
        """The operand's index array, over places of the array instead of nodes."""
        rows = x.index[np.maximum(order, 0)]
        if x.source != CONSTANT:
            rows = np.where((order >= 0)[:, None], rows, -1)
        rows = rows.reshape(*shape, -1)
        return Operand(x.source, rows)

    def sum_parts(self, nodes: list[int]) -> list[Terms]:
        """For each pair of sources: index arrays with a row for each node and a column for each term."""
        array_of, place_of = self.array_of, self.place_of
        terms = [term for i in nodes for term in self.program.sums[i]]
        owner = np.repeat(np.arange(len(nodes)), [len(self.program.sums[i]) for i in nodes])
        sign = np.array([s for s, _, _ in terms])
        a = np.array([x for _, x, _ in terms])
        b = np.array([-1 if x is None else x for _, _, x in terms])
        source_a, source_b = array_of[a], np.where(b >= 0, array_of[b], -2)
        swap = (source_b != -2) & (source_b < source_a)
        a, b = np.where(swap, b, a), np.where(swap, a, b)
        source_a, source_b = np.where(swap, source_b, source_a), np.where(swap, source_a, source_b)
        codes = (sign > 0) + 2 * ((source_a + 2) * (len(self.arrays) + 2) + source_b + 2)
        parts: list[Terms] = []
        for code in dict.fromkeys(codes.tolist()):
            chosen = np.flatnonzero(codes == code)
            first = chosen[0]
            two = source_b[first] != -2
            who, x, y = owner[chosen], a[chosen], b[chosen]
            place_x, place_y = place_of[x], place_of[y] if two else np.zeros(len(chosen), int)
            if source_a[first] == CONSTANT:
                place_x = np.zeros(len(chosen), int)
            weights = two and self.arrays[source_a[first]].kind == "parameter" and source_a[first] != CONSTANT
            by = np.lexsort((place_x, place_y, who) if weights else (place_y, place_x, who))
            if weights and not even(place_x[by[: np.count_nonzero(who == who[by[0]])]]):
                by_weights = np.lexsort((place_y, place_x, who))
                if even(place_x[by_weights[: np.count_nonzero(who == who[by[0]])]]):
                    by = by_weights
            who, x, y = who[by], x[by], y[by]
            counts = np.bincount(who, minlength=len(nodes))
            column = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
            complete = bool((counts == counts[0]).all())
            if not complete and self.end_together(who, place_of[x], place_of[y] if two else None, counts):
                column += (counts.max() - counts)[who]
            shape = (len(nodes), int(counts.max()))
            first_operand = self.fill(int(source_a[first]), shape, who, column, x)
            second = self.fill(int(source_b[first]), shape, who, column, y) if two else None
            parts.append((int(sign[first]), first_operand, second, complete))
        return parts

    def fill(self, source: int, shape: tuple[int, int], who: Index, column: Index, nodes: Index) -> Operand:
        """An index array of that shape, -1 where there is no term."""
        if source == CONSTANT:
            values = np.zeros(shape)
            values[who, column] = self.values[nodes]
            return Operand(source, values)
        index = np.full(shape, -1)
        index[who, column] = self.place_of[nodes]
        return Operand(source, index)

    def end_together(self, who: Index, x: Index, y: Index | None, counts: Index) -> bool:
        """Whether rows of different length have their ends in common rather than their beginnings, in a factor."""
        ends = np.cumsum(counts) - 1
        heads = ends - counts + 1
        factors = [x] if y is None else [x, y]
        at_ends, at_heads = (sum(len(set(v[at].tolist())) for v in factors) for at in (ends, heads))
        return at_ends < at_heads

    def call_operands(self, op: Op, nodes: list[int]) -> list[Operand]:
        rows = [self.graph.args[i] for i in nodes]
        if op.variadic:
            index = None
            if op is PICK:
                index, rows = [row[-1] for row in rows], [row[:-1] for row in rows]
            sources = sorted({int(self.array_of[j]) for j in rows[0]})
            found = []
            for source in sources:
                chosen = [[j for j in row if self.array_of[j] == source] for row in rows]
                counts = [len(row) for row in chosen]
                who = np.repeat(np.arange(len(rows)), counts)
                column = np.concatenate([np.arange(n) for n in counts])
                flat = np.array([j for row in chosen for j in row])
                found.append(self.fill(source, (len(rows), max(counts)), who, column, flat))
            return found if index is None else [*found, self.column(index)]
        return [self.column(column) for column in zip(*rows, strict=True)]

    def column(self, nodes: Sequence[int]) -> Operand:
        """An operand of one node in each row."""
        count = len(nodes)
        source = int(self.array_of[nodes[0]])
        return self.fill(source, (count, 1), np.arange(count), np.zeros(count, int), np.array(nodes))

    # The order of the members -------------------------------------------------------------------------------------

    def as_product(
        self,
        nodes: list[int],
        parts: Sequence[Terms],
        varies: bool,
        outer: bool = False,
    ) -> tuple[Index, tuple[int, ...]] | None:
        """(order, shape) by which the largest part is a matrix product, or blocks of them; None if none is.
        With `outer` products of single numbers count, too."""
        products = [
            (a.index.size, a, b)
            for _, a, b, _ in parts
            if b is not None
            and a.source != CONSTANT
            and (outer or a.index.shape[1] > 1 or self.batch_sum(varies, a, b))
        ]
        if not products or len(nodes) == 1:
            return None
        _, a, b = max(products, key=lambda product: product[0])
        row, col = classes(a.index), classes(b.index)
        if row is None or col is None:
            return None
        ranks = self.ranks(nodes)
        if ranks is not None:
            row, col = by_rank(row, ranks), by_rank(col, ranks)
        found = blocks(row, col)
        if found is None:
            return None
        block, row, col, sizes = found
        if sizes[1] == sizes[2] == 1:
            return None
        _, r, c = sizes
        order = np.full(sizes, -1)
        order[block, row, col] = np.arange(len(nodes))
        if r > 1 and c > 1:
            here = order[0] if ranks is None else np.where(order[0] >= 0, ranks[np.maximum(order[0], 0)], -1)
            if (self.units_first if ranks is None else second_is_slower)(here, a, b):
                order = order.transpose(0, 2, 1)
                a, b = b, a
        shape: tuple[int, ...] = order.shape
        if varies and nodes[0] not in self.asked:
            shape = (shape[0], *self.positions(order, a, 1), *self.positions(order, b, 2))
        return order.ravel(), tuple(d for d in shape if d > 1)

    def positions(self, order: Index, x: Operand, axis: int) -> tuple[int, ...]:
        """The sizes of an axis of the product, along which x is read: two or more where a window moves over x both
        along and across."""
        n = order.shape[axis]
        line = order[0].max(axis=2 - axis)
        if n == 1 or self.arrays[x.source].kind == "parameter" or (line < 0).any():
            return (n,)
        rows = x.index[line]
        found = periods(self.coordinates([Operand(x.source, rows)])) if (rows >= 0).all() else None
        return tuple(found) if found else (n,)

    def of_weights(self, nodes: list[int], ragged: Sequence[tuple[Operand, Operand | None]]) -> bool:
        """Whether ragged parts are of weights, or the gradient of some: then zeros are what they lack. Others, as those
        of a causal attention, may be products with holes."""
        sources = {x.source for pair in ragged for x in pair if x is not None} - {CONSTANT}
        gradient = self.graph.batch and not self.graph.varies[nodes[0]] and nodes[0] in self.asked
        return bool(ragged) and (gradient or any(self.arrays[k].kind == "parameter" for k in sources))

    def as_padded_product(
        self, nodes: list[int], parts: list[Terms], varies: bool
    ) -> tuple[Any, list[Terms]]:
        """The same as `as_product`, with zeros where a product is missing; and the parts, changed if that is one."""
        whole: list[Any] = []
        for sign, a, b, complete in parts:
            if complete:
                whole.append((sign, a, b, complete))
                continue
            if b is None or CONSTANT in (a.source, b.source):
                return None, parts
            choices = []
            for first, second in ((a, b), (b, a)):
                lines = aligned(first.index, second.index)
                if lines is not None:
                    rows, columns = (len(np.unique(line, axis=0)) for line in lines)
                    choices.append((rows * columns, -rows, first.source, second.source, *lines))
            if not choices:
                return None, parts
            *_, first_source, second_source, weights, reads = min(choices, key=lambda choice: choice[:2])
            second = self.with_zeros(Operand(second_source, reads))
            whole.append((sign, Operand(first_source, weights), second, True))
        order = self.as_product(nodes, whole, varies)
        return (None, parts) if order is None else (order, whole)

    def with_zeros(self, x: Operand) -> Operand:
        """An operand that reads 0 at each -1: from its source with zeros around it."""
        source = self.arrays[x.source]
        pads, index = around(x.index, source.shape)
        for there in self.arrays:
            if there.kind == "padded" and there.pads == pads and there.operands[0].source == x.source:
                return Operand(there.number, index)
        places = np.arange(source.size)
        if len(pads) == len(source.shape):
            places = places.reshape(source.shape)
        members = np.pad(source.members.reshape(places.shape), pads, constant_values=-1)
        padded = Array(len(self.arrays), "padded", members.shape, source.varies, members.ravel(), pads=pads)
        padded.operands = [Operand(x.source, places)]
        self.arrays.append(padded)
        return Operand(padded.number, index)

    def ranks(self, nodes: list[int]) -> Index | None:
        """The order that the nodes should have: a gradient's is that of what it is the gradient of."""
        if nodes[0] in self.asked:
            found = [self.asked.get(i, -1) for i in nodes]
        else:
            of = [self.graph.gradient_of.get(i, -1) for i in nodes]
            found = [int(self.place_of[v]) if v >= 0 else -1 for v in of]
            if len({int(self.array_of[v]) for v in of}) > 1:
                return None
        return np.array(found) if min(found) >= 0 else None

    def units_first(self, here: Index, a: Operand, b: Operand) -> bool:
        """Whether columns should come before rows: a layer's units lie side by side, behind the positions that share
        its weights; of two computed matrices that is first which was recorded so."""
        fixed = [self.arrays[x.source].kind == "parameter" for x in (a, b)]
        if fixed[0] != fixed[1]:
            return bool(fixed[0])
        return second_is_slower(here, a, b)

    def batch_sum(self, varies: bool, a: Operand, b: Operand) -> bool:
        return not varies and all(x.source != CONSTANT and self.arrays[x.source].varies for x in (a, b))

    def as_operands(self, nodes: list[int], parts: Sequence[Terms]) -> tuple[Index, tuple[int, ...]] | None:
        """(order, shape) after the largest operand, or after what makes all operands affine; None if nothing does."""
        operands = [x for _, a, b, _ in parts for x in (a, b) if x is not None and x.source != CONSTANT]
        count = len(nodes)
        if count == 1:
            return np.zeros(1, int), ()
        operands.sort(key=lambda x: (-self.arrays[x.source].size, -x.source))
        for x in operands:
            source = self.arrays[x.source]
            if x.index.shape[1] == 1 and source.kind != "parameter":
                places = x.index[:, 0]
                order = np.full(source.size, -1)
                order[places] = np.arange(count)
                if count == (order >= 0).sum() == (source.members >= 0).sum():
                    return order, source.shape
        rows = self.coordinates(operands)
        by_place = [np.lexsort((np.arange(count), x.index[:, 0])) for x in operands]
        orders = [
            order for order, x in zip(by_place, operands, strict=True) if len(set(x.index[:, 0])) == count
        ]
        orders += [np.arange(count), *by_place]
        found = None
        for order in orders:
            shape = periods(rows[order]) if rows.shape[1] else [count]
            if shape is not None and rising(rows[order].reshape(*shape, -1)):
                return order, tuple(shape)
            if shape is not None and found is None:
                found = order, tuple(shape)
        return found

    def coordinates(self, operands: Sequence[Operand]) -> Index:
        """For each node where its operands lie, along each axis of their arrays: a row of numbers."""
        columns: list[Index] = []
        for x in operands:
            source = self.arrays[x.source]
            index = x.index if (x.index >= 0).all() else x.index.max(axis=1, keepdims=True)
            if source.shape:
                coordinates = np.unravel_index(np.maximum(index, 0), source.shape)
                columns += coordinates
        count = len(operands[0].index) if operands else 0
        return np.concatenate(columns, axis=1) if columns else np.zeros((count, 0), int)


def even(places: Index) -> bool:
    """Whether they follow one another in even steps."""
    return len(places) < 3 or bool((np.diff(places, n=2) == 0).all())


def rising(rows: Index) -> bool:
    """Whether positions grow along every axis: what is read backwards cannot be a slice."""
    return all((np.diff(rows, axis=k) >= 0).all() for k in range(rows.ndim - 1))


def second_is_slower(here: Index, a: Operand, b: Operand) -> bool:
    """Whether numbers grow faster down the rows of a table than along them."""
    if (here[:2, :2] < 0).any():  # a hole near the corner: ask the other one
        here = here[::-1, ::-1]
    return bool(abs(here[1, 0] - here[0, 0]) < abs(here[0, 1] - here[0, 0]))


def by_rank(kinds: Index, ranks: Index) -> Index:
    """The numbers of classes, given anew in the order of their members' lowest ranks."""
    lowest = np.full(int(kinds.max()) + 1, np.iinfo(int).max)
    np.minimum.at(lowest, kinds, ranks)
    return np.argsort(np.argsort(lowest, kind="stable"), kind="stable")[kinds]


def take_or_hole(nodes: Index, order: Index) -> Index:
    return np.where(order >= 0, nodes[np.maximum(order, 0)], -1)


def classes(index: Index) -> Index | None:
    """For each row of an index array the number of its class: equal rows, or rows that agree wherever both have a
    term (a causal row is the beginning of a longer one). Numbers rise with the rows' first positions."""
    known = index >= 0
    if known.all():
        keys = [row.tobytes() for row in np.ascontiguousarray(index)]
        first: dict[Any, int] = {}
        for i, key in enumerate(keys):
            first.setdefault(key, i)
        by_place = sorted(first.values(), key=lambda i: index[i].tolist())
        number = {keys[i]: k for k, i in enumerate(by_place)}
        return np.array([number[key] for key in keys])
    column = int(known.sum(axis=0).argmax())  # one in which all rows have a term
    if not known[:, column].all():
        return None
    starts, number_of = np.unique(index[:, column], return_inverse=True)
    merged = np.full((len(starts), index.shape[1]), -1)
    np.maximum.at(merged, number_of, index)
    return number_of if (merged[number_of][known] == index[known]).all() else None


def blocks(row: Index, col: Index) -> tuple[Index, Index, Index, tuple[int, int, int]] | None:
    """Nodes as pairs (row, column) of blocks that share neither: (block, row within, column within, shape).

    None unless all blocks have one shape, most of whose places are taken, and no pair stands twice.
    """
    rows, cols = int(row.max()) + 1, int(col.max()) + 1
    if rows * cols > 64 * len(row) + 4096:
        return None
    there = np.zeros((rows, cols), bool)
    there[row, col] = True
    if there.sum() != len(row):
        return None
    block_of_row, block_of_col = np.full(rows, -1), np.full(cols, -1)
    count = 0
    for start in range(rows):
        if block_of_row[start] >= 0:
            continue
        new_rows: Index = np.zeros(rows, bool)
        new_rows[start] = True
        while True:
            new_cols: Index = there[new_rows].any(axis=0)
            more = there[:, new_cols].any(axis=1)
            if (more == new_rows).all():
                break
            new_rows = more
        block_of_row[new_rows], block_of_col[new_cols] = count, count
        count += 1
    sizes_r, sizes_c = np.bincount(block_of_row), np.bincount(block_of_col)
    if (sizes_r != sizes_r[0]).any() or (sizes_c != sizes_c[0]).any():
        return None
    shape = (count, int(sizes_r[0]), int(sizes_c[0]))
    if len(row) < 0.4 * shape[0] * shape[1] * shape[2]:
        return None

    def within(block_of: Index, size: int) -> Index:
        place = np.empty(len(block_of), int)
        place[np.argsort(block_of, kind="stable")] = np.tile(np.arange(size), count)
        return place

    return (
        block_of_row[row],
        within(block_of_row, shape[1])[row],
        within(block_of_col, shape[2])[col],
        shape,
    )


PICK = TABLE["pick"]
