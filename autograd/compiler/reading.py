"""Reading arrays: an index array as an expression, by slices and reshapes wherever `views` finds them.

Here are also the lines of the program under construction, and what holes hold.
"""

from __future__ import annotations

import ast
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ops import TABLE, Op
from . import syntax as s
from .grouping import CONSTANT, PICK, Array, Grouping, Operand
from .naming import Names
from .views import Affine, Index, View, affine, periods, split_axes, view

Expr = s.Expr
DIV, EQUAL = TABLE["div"], TABLE["equal"]
WIDTH = 76  # of an expression that may still be put into another one
UNKNOWN = math.nan  # what a hole holds, where nobody said


@dataclass
class Line:
    """name = expr, with the shape for a comment; a target's `name` may be `dW1[...]`."""

    key: str
    name: str
    expr: Expr
    comment: str = ""
    keep: bool = False  # a statement in any case


class Reader:
    """The lines that have been written, and the expressions by which arrays are read."""

    def __init__(self, grouping: Grouping, names: Names, batch: bool, dtype: Any = np.float64) -> None:
        self.grouping, self.names, self.batch, self.dtype = grouping, names, batch, np.dtype(dtype)
        self.graph = grouping.graph
        self.lines: list[Line] = []
        self.head: list[Line] = []  # views of the parameters and constants, made once
        self.by_key: dict[str, Line] = {}
        self.constants: dict[str, Any] = {}  # arrays too long to be written out, and formulas
        self.called: dict[Op, str] = {}  # the names of these
        self.fills: dict[int, float] = {}
        indices = {x.operands[-1].source for x in grouping.arrays if x.kind is PICK} - {CONSTANT}
        self.indexed = {i for i in indices if grouping.arrays[i].kind == "input"}
        self.counted = {  # comparisons that multiply each other: True times True is True, which does not add
            x.source
            for array in grouping.arrays
            for part in array.parts
            if part.b is not None and all(self.compares(x) for x in (part.a, part.b))
            for x in (part.a, part.b)
        }
        self.as_index = False  # whether what is being read is an index, or compared with one
        self.stacks: dict[tuple[str, ...], str] = {}
        self.starts: dict[int, list[int]] = {}
        self.first_of: dict[str, int] = {}  # the first parameter that a view shows
        self.integer_inputs: dict[int, int] = {}  # arguments used as an index, and how many rows there are

    # Defining and reading -----------------------------------------------------------------------------------------

    def define(
        self, key: str, name: str, expr: Expr, comment: str = "", head: bool = False, **more: Any
    ) -> Expr:
        line = Line(key, name, expr, comment, **more)
        (self.head if head else self.lines).append(line)
        self.by_key[key] = line
        return s.name(key)

    def constant(self, values: Any, called: str = "") -> Expr:
        """An array of numbers: written out if it is short, else kept beside the program."""
        short = s.array_text(values)
        if short is not None and values.size > 1:
            key = f"@c{values.shape}{values.tolist()}"
            if key in self.by_key:
                return s.name(key)
            if values.size <= 4:
                return short
            return self.define(key, self.names.unique("c"), short, head=True, keep=True)
        key = f"@k{values.shape}{values.dtype}{digest(values)}"
        if key not in self.by_key:
            name = self.names.unique(called or ("i" if values.dtype.kind == "i" else "c"))
            self.constants[name] = values
            self.by_key[key] = Line(key, name, s.name(name))
        return s.name(self.by_key[key].name)

    def source(self, number: int) -> Expr:
        if number in self.indexed and not self.as_index:  # an argument that is an index and a number, too
            key = f"@f{number}"
            if key not in self.by_key:
                as_numbers = s.method(
                    s.name(f"@{number}"), "astype", s.attribute(s.name("np"), self.dtype.name)
                )
                self.define(key, f"{self.names.arguments[number]}_numbers", as_numbers)
            return s.name(key)
        return s.name(f"@{number}")

    def depends(self, operand: Operand) -> list[bool]:
        """For each axis of an operand's index array, whether what is read differs along it."""
        index = operand.index
        if operand.source != CONSTANT and (index < 0).any():
            form = affine(index)
            if form is not None:
                return [stride != 0 and n > 1 for stride, n in zip(form.strides, index.shape, strict=True)]
            return [n > 1 for n in index.shape]
        return [n > 1 and not (index == index.take([0], axis=k)).all() for k, n in enumerate(index.shape)]

    def varies(self, operand: Operand) -> bool:
        return operand.source != CONSTANT and self.grouping.arrays[operand.source].varies

    def scalar(self, operand: Operand) -> float | None:
        """The number, where all that is read is one literal."""
        if operand.source == CONSTANT and operand.index.size:
            first = operand.index.flat[0]
            if (operand.index == first).all() or np.isnan(operand.index).all():
                return float(first)
        return None

    def read(self, operand: Operand) -> Expr:
        """What an index array reads, with its axes; those along which nothing differs have size 1, and leading ones
        of what is the same for all samples are left out."""
        number = self.scalar(operand)
        if number is not None:
            return s.number(number)
        depends = self.depends(operand)
        index = operand.index
        known = operand.source == CONSTANT or not (index < 0).any()
        if known:
            index = index[tuple(slice(None) if d else slice(0, 1) for d in depends)]
        if operand.source == CONSTANT:
            while index.ndim and index.shape[0] == 1:
                index = index[0]
            return self.constant(index)
        array = self.grouping.arrays[operand.source]
        form = affine(index)
        if form is not None:
            found = self.by_view(array, form, index.shape)
            if found is not None:
                return found
        elif known:
            split = split_axes(index)
            if split is not None:
                form = affine(split[0])
                if form is not None and all(
                    st or n == 1 for st, n in zip(form.strides, split[1], strict=True)
                ):
                    found = self.by_view(array, form, split[1], index.shape)
                    if found is not None:
                        return found
                elif form is not None:
                    found = self.repeated(array, index)
                    if found is not None:
                        return found
        return self.by_take(array, np.maximum(index, 0))

    def by_view(
        self, array: Array, form: Affine, shape: tuple[int, ...], after: tuple[int, ...] | None = None
    ) -> Expr | None:
        """A view of an array, as an expression. `after` is what to reshape it to at the end."""
        flat = array.kind == "parameter"
        found = view(form, shape, array.size, array.shape, self.starts if flat else None)
        if found is None:
            return None
        lead = [slice(None)] * array.varies
        expr = self.sliced(array, found)
        rank = len(found.order)
        order = found.order
        if order != tuple(range(rank)):
            expr = self.transposed(expr, order, array.varies)
        news: list[Any] = [slice(None) if there else None for there in found.places]
        if not array.varies:
            while news and news[0] is None:
                news.pop(0)
        if None in news:
            while news and news[-1] == slice(None):
                news.pop()
            items = lead + news
            expr = s.index(expr, items)
        if after is not None:
            expr = s.method(expr, "reshape", *([s.number(-1)] * array.varies), *s.integers(after))
        if flat and isinstance(expr, (ast.Subscript, ast.Attribute, ast.Call)) and found.shares(after):
            return self.parameter_view(array, expr, form, shape)
        return self.remember(expr)

    def sliced(self, array: Array, found: View) -> Expr:
        """A view of an array, as far as reshaping and slicing go."""
        flat, lead = array.kind == "parameter", [slice(None)] * array.varies
        expr = self.source(array.number)
        if found.cut != (0, array.size):
            if len(array.shape) != 1:
                expr = s.method(expr, "reshape", *s.integers([-1] + [array.size] * array.varies))
            expr = s.index(expr, [*lead, slice(*found.cut)])
        if found.shape != (array.shape if found.cut == (0, array.size) else (found.cut[1] - found.cut[0],)):
            expr = s.method(expr, "reshape", *([s.number(-1)] * array.varies), *s.integers(found.shape))
        slices = list(found.slices)
        while slices and slices[-1] == slice(None):
            slices.pop()
        if slices:
            alone = flat and not found.order  # one parameter: an index alone would copy it
            expr = s.index(expr, lead + slices + [Ellipsis] * alone)
        return expr

    def reduced(self, operand: Operand, method: str, over_batch: bool = False) -> Expr | None:
        """What an operand reads, reduced over its last axis, where that is several axes of the array, as the window of
        a pooling; and over the samples. None where it is not."""
        if operand.source == CONSTANT or (operand.index < 0).any():
            return None
        array, split = self.grouping.arrays[operand.source], split_axes(operand.index)
        terms = len(periods(operand.index.reshape(-1, operand.index.shape[-1])[:1].T) or ())
        if split is None or terms + over_batch < 2:
            return None
        index, shape = split
        form = affine(index)
        found = view(form, shape, array.size, array.shape) if form else None
        if found is None or not all(found.places):
            return None
        kept, gone = found.order[:-terms], found.order[-terms:]
        if list(kept) != sorted(kept):
            return None
        expr = self.sliced(array, found)
        if over_batch:  # one axis after the other is faster than both at once
            expr = s.method(expr, method, axis=s.axis(0))
        axes = sorted(k + (array.varies and not over_batch) for k in gone)
        expr = s.method(expr, method, axis=s.axis(*axes))
        if shape[:-terms] != operand.index.shape[:-1]:
            sizes = s.integers(operand.index.shape[:-1])
            lead = [s.number(-1)] * (array.varies and not over_batch)
            expr = s.method(expr, "reshape", *lead, *sizes)
        return expr

    def repeated(self, array: Array, index: Index) -> Expr | None:
        """An array each of whose numbers is read several times in a row, along some axes; None if it is not so."""
        if 1 in index.shape or array.kind == "parameter":
            return None
        counts, few = [], index
        for k, n in enumerate(index.shape):
            line = few.swapaxes(0, k).reshape(n, -1)[:, 0]
            changes = np.flatnonzero(np.diff(line))
            r = int(changes[0]) + 1 if len(changes) else 1
            if n % r or (np.diff(line.reshape(-1, r), axis=1) != 0).any():
                r = 1
            counts.append(r)
            few = few.take(range(0, n, r), axis=k)
        whole = few
        for k, r in enumerate(counts):
            whole = whole.repeat(r, axis=k)
        if max(counts) == 1 or not np.array_equal(whole, index):
            return None
        expr = self.read(Operand(array.number, few))
        for k, r in enumerate(counts):
            if r > 1:
                expr = s.method(expr, "repeat", s.number(r), axis=s.axis(k + array.varies))
        return self.remember(expr)

    def transposed(self, expr: Expr, order: tuple[int, ...], varies: bool) -> Expr:
        if not varies and order == (1, 0):
            return s.attribute(expr, "T")
        if varies:
            order = (0, *(k + 1 for k in order))
        moved = [k for k in range(len(order)) if order[k] != k]
        if len(moved) == 2:
            return s.method(expr, "swapaxes", *s.integers(moved))
        return s.method(expr, "transpose", *s.integers(order))

    def remember(self, expr: Expr, called: str = "") -> Expr:
        """A view that is read more than once gets a name: here it gets a key, and `text` counts."""
        if isinstance(expr, ast.Name):
            return expr
        if isinstance(expr, ast.Attribute) and isinstance(expr.value, ast.Name):
            return expr  # x.T
        if isinstance(expr, ast.Subscript) and isinstance(expr.value, ast.Name):
            items = expr.slice.elts if isinstance(expr.slice, ast.Tuple) else [expr.slice]
            if all(
                (isinstance(i, ast.Slice) and not (i.lower or i.upper))
                or (isinstance(i, ast.Constant) and i.value is None)
                for i in items
            ):
                return expr  # x[:, None]
        key = "@v" + ast.dump(expr)
        if key not in self.by_key:
            base = next((n for n in s.names_in(expr) if n in self.by_key), "")
            whole = self.by_key[base].name if base else "v"
            self.define(key, called or self.names.part_of(whole), expr)
        return s.name(key)

    def parameter_view(self, array: Array, expr: Expr, form: Affine, shape: tuple[int, ...]) -> Expr:
        """Weights have one name for all that reads them, transposed or not."""
        transposed = False
        steps = [(st, n) for st, n in zip(form.strides, shape, strict=True) if st]
        if (
            len(steps) == 2
            and steps[0][0] < steps[1][0]
            and isinstance(expr, ast.Attribute)
            and expr.attr == "T"
        ):
            expr, transposed = expr.value, True
        key = "@p" + ast.dump(expr)
        if key not in self.by_key:
            shown = tuple(n for _, n in (reversed(steps) if transposed else steps))
            self.first_of[key] = form.base
            step, rows = max(steps, default=(0, 1))
            labels = [
                self.graph.labels.get(int(array.members[form.base + step * k]), "") for k in range(rows)
            ]
            self.define(key, self.names.parameter(labels, len(shown)), expr, str(shown), head=True, keep=True)
        return s.attribute(s.name(key), "T") if transposed else s.name(key)

    def by_take(self, array: Array, index: Index) -> Expr:
        expr = self.source(array.number)
        if len(array.shape) > 1:
            expr = s.method(expr, "reshape", *s.integers([-1] + [array.size] * array.varies))
        if not array.varies:
            while index.ndim > 1 and index.shape[0] == 1:
                index = index[0]
        if array.kind == "parameter":
            return s.index(expr, [self.constant(index)])
        split = split_axes(index)  # windows overlap, so that no view shows them
        window = "window" if split is not None and affine(split[0]) is not None else ""
        places = self.constant(index, window)
        return self.remember(s.index(expr, [slice(None)] * array.varies + [places]), window and "windows")

    def read_index(self, index: Operand) -> Expr:
        self.as_index = True
        try:
            return self.read(index)
        finally:
            self.as_index = False

    def full(self, array: Array, expr: Expr, operands: Sequence[Operand]) -> Expr:
        """The expression with all the array's axes, also those along which all members are the same."""
        reached = [self.depends(x) for x in operands]
        missing = [n > 1 and not any(d[k] for d in reached) for k, n in enumerate(array.shape)]
        if not any(missing) and (not array.varies or any(self.varies(x) for x in operands)):
            return expr
        lead = [s.name("n")] if array.varies else []
        return s.np_call("broadcast_to", expr, s.tuple_of([*lead, *s.integers(array.shape)]))

    def as_float(self, operand: Operand, expr: Expr) -> Expr:
        """Comparisons are kept as True and False, which multiply as 1 and 0 but do not add."""
        boolean = self.compares(operand) and operand.source not in self.counted
        return s.binary(s.number(1.0), "*", expr) if boolean and self.dtype == float else expr

    def compares(self, operand: Operand) -> bool:
        """Whether it is read from an array of comparisons."""
        return operand.source != CONSTANT and self.grouping.arrays[operand.source].kind is EQUAL

    # Holes --------------------------------------------------------------------------------------------------------

    def mask(self, array: Array) -> Expr:
        """True where the array has a member."""
        there = (array.members >= 0).reshape(array.shape)
        while there.ndim > 1 and (there == there[:1]).all():
            there = there[0]
        return self.mask_of(there)

    def mask_of(self, there: Any) -> Expr:
        key = f"@m{there.shape}{digest(there)}"
        if key not in self.by_key:
            if there.ndim == 2 and np.array_equal(there, np.tri(*there.shape, dtype=bool)):
                rows = s.integers(there.shape if there.shape[0] != there.shape[1] else there.shape[:1])
                expr = s.np_call("tri", *rows, dtype=s.name("bool"))
                self.define(
                    key,
                    self.names.unique("causal"),
                    expr,
                    "which positions each one may see",
                    head=True,
                    keep=True,
                )
            else:
                name = self.names.unique("mask")
                self.constants[name] = there
                self.by_key[key] = Line(key, name, s.name(name))
                return s.name(name)
        line = self.by_key[key]
        return s.name(line.name if line.expr and isinstance(line.expr, ast.Name) else key)

    def require(self, array: Array, fill: float) -> bool:
        """See to it that the holes of an array hold `fill`; False if they hold something else already."""
        known = self.fills.get(array.number, UNKNOWN)
        if known == fill:
            return True
        line = self.by_key.get(f"@{array.number}")
        if not math.isnan(known) or line is None or (isinstance(array.kind, str) and array.kind != "sum"):
            return False
        line.expr = s.np_call("where", self.mask(array), line.expr, s.number(fill))
        self.fills[array.number] = fill
        return True

    def ragged(self, operand: Operand, complete: Any, fill: float) -> bool:
        """Whether what an operand reads at places without a term can be made to be `fill`."""
        if operand.source == CONSTANT:
            return False
        array = self.grouping.arrays[operand.source]
        form = affine(operand.index)
        if form is None or not array.holes:
            return False
        at = form.at(operand.index.shape)[~complete]
        if not len(at) or at.min() < 0 or at.max() >= array.size or (array.members[at] >= 0).any():
            return False
        found = view(form, operand.index.shape, array.size, array.shape)
        return found is not None and self.require(array, fill)

    def fill_of(self, array: Array, operand: Operand) -> float:
        """What an operand shows at the holes of its reader. Where it is some finite number, 0 and inf prevail."""
        if operand.source == CONSTANT:
            return UNKNOWN
        source = self.grouping.arrays[operand.source]
        form = affine(operand.index) if source.holes and operand.index.shape == array.shape else None
        if form is None:
            return UNKNOWN
        read = form.at(array.shape).ravel()[array.members < 0]
        inside = len(read) and read.min() >= 0 and read.max() < source.size
        return (
            self.fills.get(source.number, UNKNOWN) if inside and (source.members[read] < 0).all() else UNKNOWN
        )


def digest(values: Any) -> str:
    """A short text that no two different arrays share."""
    return hashlib.blake2b(values.tobytes(), digest_size=16).hexdigest()


def across(operand: Operand, keep: Sequence[bool]) -> Index:
    """The index array without the axes along which nothing differs; a hole along them is no matter."""
    dropped = tuple(k for k, kept in enumerate(keep) if not kept)
    if operand.source == CONSTANT:
        return operand.index[tuple(slice(None) if kept else 0 for kept in keep)]
    return operand.index.max(axis=dropped) if dropped else operand.index


def trimmed(operand: Operand) -> Operand:
    """Without the axis of the terms, of which there is one."""
    return Operand(operand.source, operand.index[..., 0])


def swapped(operand: Operand) -> Operand:
    return Operand(operand.source, operand.index.swapaxes(-1, -2))


def filled(operand: Operand) -> Operand:
    """Some position in the place of -1: what is read there is not used."""
    return Operand(
        operand.source, np.maximum(operand.index, 0) if operand.source != CONSTANT else operand.index
    )


def whole(operand: Operand) -> Operand:
    """The affine continuation of an index array over the places where it has no term."""
    if operand.source == CONSTANT or (operand.index >= 0).all():
        return operand
    form = affine(operand.index)
    return Operand(operand.source, form.at(operand.index.shape)) if form is not None else operand
