"""Fifth pass: arrays become lines of NumPy.

Each array is one expression. What it reads are views of earlier arrays, slices and reshapes wherever `views` finds
them; sums of products are `@` where their factors separate. A line of its own is only for what is used twice, or would
not fit. Names come from the modules and labels of what was recorded: see `naming`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import __all__ as array_formulas
from ..ops import TABLE, Op
from . import syntax as s
from .grouping import CONSTANT, PICK, Array, Grouping, Operand, Part
from .naming import Names
from .views import Affine, Index, affine, split_axes, view

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
    out: bool = False  # writes into the array of that name


class Emitter:
    """Turns a Grouping into the text of a program."""

    def __init__(self, grouping: Grouping, names: Names, batch: bool, dtype: Any = np.float64) -> None:
        self.grouping, self.names, self.batch, self.dtype = grouping, names, batch, np.dtype(dtype)
        self.graph = grouping.graph
        self.lines: list[Line] = []
        self.head: list[Line] = []  # views of the parameters and constants, made once
        self.by_key: dict[str, Line] = {}
        self.constants: dict[str, Any] = {}  # arrays too long to be written out
        self.fills: dict[int, float] = {}
        self.views: dict[Any, str] = {}
        self.indexed = {x.operands[-1].source for x in grouping.arrays if x.kind is PICK}
        self.as_index = False  # whether what is being read is an index, or compared with one
        self.stacks: dict[tuple[str, ...], str] = {}
        self.starts: dict[int, list[int]] = {}
        self.first_of: dict[str, int] = {}  # the first parameter that a view shows
        self.converted: set[int] = set()
        self.integer_inputs: dict[int, int] = {}  # arguments used as an index, and how many rows there are

    # Defining and reading -----------------------------------------------------------------------------------------

    def define(
        self, key: str, name: str, expr: Expr, comment: str = "", head: bool = False, **more: Any
    ) -> Expr:
        line = Line(key, name, expr, comment, **more)
        (self.head if head else self.lines).append(line)
        self.by_key[key] = line
        return s.name(key)

    def constant(self, values: Any) -> Expr:
        """An array of numbers: written out if it is short, else kept beside the program."""
        short = s.array_text(values)
        if short is not None and values.size > 1:
            key = f"@c{values.shape}{values.tolist()}"
            if key in self.by_key:
                return s.name(key)
            if values.size <= 4:
                return short
            return self.define(key, self.names.unique("c"), short, head=True, keep=True)
        key = f"@k{values.shape}{values.dtype}{hash(values.tobytes())}"
        if key not in self.by_key:
            name = self.names.unique("i" if values.dtype.kind == "i" else "c")
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
        return self.by_take(array, np.maximum(index, 0))

    def by_view(
        self, array: Array, form: Affine, shape: tuple[int, ...], after: tuple[int, ...] | None = None
    ) -> Expr | None:
        """A view of an array, as an expression. `after` is what to reshape it to at the end."""
        flat = array.kind == "parameter"
        found = view(form, shape, array.size, array.shape, self.starts if flat else None)
        if found is None:
            return None
        expr, lead = self.source(array.number), [slice(None)] * array.varies
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

    def transposed(self, expr: Expr, order: tuple[int, ...], varies: bool) -> Expr:
        if not varies and order == (1, 0):
            return s.attribute(expr, "T")
        if varies:
            order = (0, *(k + 1 for k in order))
        moved = [k for k in range(len(order)) if order[k] != k]
        if len(moved) == 2:
            return s.method(expr, "swapaxes", *s.integers(moved))
        return s.method(expr, "transpose", *s.integers(order))

    def remember(self, expr: Expr) -> Expr:
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
            base = next(n for n in s.names_in(expr))
            self.define(key, self.names.part_of(self.by_key[base].name if base in self.by_key else "v"), expr)
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
        return self.remember(s.index(expr, [slice(None)] * array.varies + [self.constant(index)]))

    # Holes --------------------------------------------------------------------------------------------------------

    def mask(self, array: Array) -> Expr:
        """True where the array has a member."""
        there = (array.members >= 0).reshape(array.shape)
        while there.ndim > 1 and (there == there[:1]).all():
            there = there[0]
        return self.mask_of(there)

    def mask_of(self, there: Any) -> Expr:
        key = f"@m{there.shape}{hash(there.tobytes())}"
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

    # Sums of products ---------------------------------------------------------------------------------------------

    def sum(self, array: Array) -> Expr:
        terms: list[tuple[int, int, Expr]] = []
        fills = []
        stacks, others = self.stackable(array)
        terms += [(sign, 0, self.stacked_product(a, b, array)) for sign, a, b in stacks]
        for part in sorted(others, key=lambda part: part.b is None):  # weights are named before biases
            expr, rank = self.term(array, part)
            terms.append((part.sign, rank, expr))
            fills.append(self.fill_of_term(array, part))
        if array.holes:
            endless = {f for f in fills if math.isinf(f)}  # beside it no other number matters
            self.fills[array.number] = endless.pop() if len(endless) == 1 else sum(fills)
        order = sorted(range(len(terms)), key=lambda k: (terms[k][0] < 0, terms[k][1]))
        sign, _, total_expr = terms[order[0]]
        expr = s.negative(total_expr) if sign < 0 else total_expr
        for count, k in enumerate(order[1:], 1):
            if count % 40 == 0:  # a sum of so many arrays is no line to read
                expr = self.define(f"@{array.number}+{count}", self.names.array(array), expr, keep=True)
            sign, _, term = terms[k]
            expr = s.binary(expr, "+" if sign > 0 else "-", term)
        return self.full(array, expr, [x for part in array.parts for x in (part.a, part.b) if x is not None])

    # Sums over time: the steps of a recurrence, one below the other

    def stackable(self, array: Array) -> tuple[list[Any], list[Part]]:
        """Parts that are outer products of one form, a step of a recurrence each, as (sign, firsts, seconds), and the
        parts that are not. Plain sums over the batch have no second factor."""
        found: dict[Any, list[Any]] = {}
        others: list[Part] = []
        for part in sorted(array.parts, key=lambda part: max(part.a.source, part.b.source if part.b else 0)):
            pair = self.outer(array, part)
            if pair is None:
                others.append(part)
            else:
                first, second = pair
                shapes = first.index.shape, None if second is None else second.index.shape
                found.setdefault((part.sign, *shapes), []).append((part, first, second))
        stacks = []
        for (sign, *_), steps in found.items():
            if len(steps) < 4:
                others += [part for part, _, _ in steps]
            else:
                stacks.append((sign, [a for _, a, _ in steps], [b for _, _, b in steps]))
        return stacks, others

    def outer(self, array: Array, part: Part) -> tuple[Operand, Operand | None] | None:
        a, b = part.a, part.b
        if array.varies or not part.complete or a.index.shape[-1] > 1 or not array.shape:
            return None
        if b is None:
            return (trimmed(a), None) if self.varies(a) and all(self.depends(a)[:-1]) else None
        if (
            self.varies(a) != self.varies(b)
            or (self.batch and not self.varies(a))
            or self.scalar(a) is not None
        ):
            return None
        da, db = self.depends(a)[:-1], self.depends(b)[:-1]
        if db[0]:
            a, b, da, db = b, a, db, da
        split = sum(da)
        if not 0 < split < len(da) or da != [k < split for k in range(len(da))] or db != [not d for d in da]:
            return None
        rows = across(a, [*da, False]).reshape(-1)
        cols = across(b, [*db, False]).reshape(-1)
        return Operand(a.source, rows), Operand(b.source, cols)

    def stacked_product(self, firsts: list[Operand], seconds: list[Any], array: Array) -> Expr:
        first = self.stack([self.read(x) for x in firsts])
        if seconds[0] is None:
            return s.method(first, "sum", axis=s.axis(0))
        expr = s.binary(s.attribute(first, "T"), "@", self.stack([self.read(x) for x in seconds]))
        flat = (firsts[0].index.size, seconds[0].index.size)
        return expr if array.shape == flat else s.method(expr, "reshape", *s.integers(array.shape))

    def stack(self, steps: list[Expr]) -> Expr:
        """Arrays of one shape, one below the other; the beginning of a longer stack that is there is a slice of it."""
        keys = tuple(ast.dump(x) for x in steps)
        for there, name in self.stacks.items():
            if there == keys:
                return s.name(name)
            if there[: len(keys)] == keys:
                stop: Expr = s.number(len(keys))
                return s.index(
                    s.name(name), [s.slice_to(s.binary(stop, "*", s.name("n")) if self.batch else stop)]
                )
        pieces = s.list_of(steps)
        expr = s.np_call("concatenate", pieces) if self.batch else s.np_call("stack", pieces)
        key = f"@s{len(self.stacks)}"
        base = next((n for x in steps for n in s.names_in(x)), "")
        hint = self.by_key[base].name if base in self.by_key else "steps"
        self.stacks[keys] = key
        return self.define(key, self.names.part_of(hint).replace("_part", "_steps"), expr)

    def full(self, array: Array, expr: Expr, operands: Sequence[Operand]) -> Expr:
        """The expression with all the array's axes, also those along which all members are the same."""
        reached = [self.depends(x) for x in operands]
        missing = [n > 1 and not any(d[k] for d in reached) for k, n in enumerate(array.shape)]
        if not any(missing) and (not array.varies or any(self.varies(x) for x in operands)):
            return expr
        lead = [s.name("n")] if array.varies else []
        return s.np_call("broadcast_to", expr, s.tuple_of([*lead, *s.integers(array.shape)]))

    def fill_of_term(self, array: Array, part: Part) -> float:
        if not array.holes:
            return 0.0
        fills = [self.fill_of(array, x) for x in (part.a, part.b) if x is not None]
        return 0.0 if 0.0 in fills else part.sign * fills[0] if len(fills) == 1 else UNKNOWN

    def fill_of(self, array: Array, operand: Operand) -> float:
        """What an operand shows at the holes of its reader. Where it is some finite number, 0 and inf prevail."""
        if operand.source == CONSTANT:
            return UNKNOWN
        source = self.grouping.arrays[operand.source]
        if not source.holes or source.shape != array.shape:
            return UNKNOWN
        return self.fills.get(source.number, UNKNOWN)

    def term(self, array: Array, part: Part) -> tuple[Expr, int]:
        """The expression of one part, of the array's own axes, and its rank: products stand first."""
        a, b = part.a, part.b
        over_batch = not array.varies and any(self.varies(x) for x in (a, b) if x is not None)
        if not part.complete:
            return self.incomplete(array, part, over_batch)
        if b is None:
            return self.linear(array, a, over_batch)
        if self.scalar(b) is not None:
            a, b = b, a
        constant = self.scalar(a)
        if constant is not None:
            if constant == 1:
                return self.linear(array, b, over_batch)
            factor = self.linear(array, b, over_batch, as_factor=True)[0]
            return s.binary(s.number(constant), "*", factor), 1
        if a.index.shape[-1] == 1 and not over_batch:
            x, y = self.read(trimmed(a)), self.read(trimmed(b))
            return s.binary(x, "*", y), 1
        return self.contraction(array, a, b, over_batch), 0

    def linear(self, array: Array, a: Operand, over_batch: bool, as_factor: bool = False) -> tuple[Expr, int]:
        count = a.index.shape[-1]
        number = self.scalar(a)
        if number is not None:
            return s.number(number * count), 2
        axes = []
        if count > 1:
            if self.depends(a)[-1]:
                axes.append(-1)
                expr = self.read(a)
            else:
                expr = s.binary(s.number(count), "*", self.read(trimmed(a)))
        else:
            expr = self.read(trimmed(a))
        if over_batch:
            axes.insert(0, 0)
        if axes:
            everything = len(array.shape) == 0 and len(axes) == 1 + (self.varies(a) and count > 1)
            if everything:
                expr = s.method(expr, "sum")
            else:  # one axis after the other is faster than both at once
                for k in axes:
                    expr = s.method(expr, "sum", axis=s.axis(k))
        elif not as_factor:
            expr = self.as_float(a, expr)
        return expr, 2

    def as_float(self, operand: Operand, expr: Expr) -> Expr:
        """Comparisons are kept as True and False, which multiply as 1 and 0 but do not add."""
        boolean = operand.source != CONSTANT and self.grouping.arrays[operand.source].kind is EQUAL
        return s.binary(s.number(1.0), "*", expr) if boolean and self.dtype == float else expr

    def incomplete(self, array: Array, part: Part, over_batch: bool) -> tuple[Expr, int]:
        """Sums with different numbers of terms: zeros in the holes of a factor, or under a mask."""
        a, b = part.a, part.b
        index = a.index if a.source != CONSTANT or b is None else b.index
        complete = index >= 0
        places = (array.members >= 0).reshape(*array.shape, 1)
        padded = complete | ~places
        for x, y in ((a, b), (b, a)):
            if x is not None and self.ragged(x, padded, 0.0):
                if y is None:
                    return self.linear(array, whole(x), over_batch)
                if y.source == CONSTANT or affine(y.index) is not None:
                    return self.contraction(
                        array, whole(x), whole(y) if y.source != CONSTANT else y, over_batch
                    ), 0
        expr = self.read(filled(a))
        if b is not None:
            expr = s.binary(expr, "*", self.read(filled(b)))
        expr = s.np_call("where", self.mask_of(complete), expr, s.number(0.0))
        axes = [0, -1] if over_batch else [-1]
        return s.method(expr, "sum", axis=s.axis(*axes)), 1

    def contraction(self, array: Array, a: Operand, b: Operand, over_batch: bool) -> Expr:
        """The sum over the last axis of a * b, as a product of matrices where the other axes separate."""
        da, db = self.depends(a), self.depends(b)
        va, vb = self.varies(a), self.varies(b)
        axes = range(len(array.shape))
        rows = [k for k in axes if da[k] and not db[k]]
        cols = [k for k in axes if db[k] and not da[k]]
        both = [k for k in axes if da[k] and db[k]]
        neither = [k for k in axes if not da[k] and not db[k]]
        if (rows and cols and cols[0] < rows[0]) or (not rows and cols):
            a, b, va, vb, rows, cols = b, a, vb, va, cols, rows
        if over_batch and va != vb and a.index.shape[-1] == 1 and not any(db if va else da):
            x, y = (a, b) if va else (b, a)
            return s.binary(
                self.read(trimmed(y)), "*", s.method(self.read(trimmed(x)), "sum", axis=s.axis(0))
            )
        if a.index.shape[-1] > 1 and not (da[-1] and db[-1]):
            return self.common_factor(array, a, b, over_batch)
        in_order = both + rows + cols == [*axes] and not neither
        if not in_order or (over_batch and (both or not (va and vb))):
            return self.einsum(array, a, b, over_batch)
        terms = a.index.shape[-1]
        shape = array.shape
        x, y = self.factor(a, both, rows, shape), self.factor(b, both, cols, shape)
        if over_batch:
            expr = self.over_batch(x, y, bool(rows), bool(cols), terms)
        elif both:
            expr = self.batched(x, y, len(both), bool(rows), bool(cols), va, vb)
        else:
            expr = self.plain(x, y, bool(rows), bool(cols), va, vb)
        if len(rows) > 1 or len(cols) > 1:
            expr = s.method(expr, "reshape", *([s.number(-1)] * array.varies), *s.integers(shape))
        return expr

    def common_factor(self, array: Array, a: Operand, b: Operand, over_batch: bool) -> Expr:
        """Where a factor is the same for all terms."""
        terms = a.index.shape[-1]
        if over_batch:
            expr = self.einsum(array, a, b, over_batch)
            twice = not self.depends(a)[-1] and not self.depends(b)[-1]
            return s.binary(s.number(terms), "*", expr) if twice else expr
        if not self.depends(a)[-1]:
            a, b = b, a
        if not self.depends(a)[-1]:
            first = s.binary(s.number(terms), "*", self.read(trimmed(a)))
        else:
            first = s.method(self.read(a), "sum", axis=s.axis(-1))
        return s.binary(first, "*", self.read(trimmed(b)))

    def factor(self, operand: Operand, both: list[int], own: list[int], shape: tuple[int, ...]) -> Operand:
        """The operand over the axes (both..., own merged into one, terms)."""
        kept = [k in both or k in own or k == len(shape) for k in range(len(shape) + 1)]
        index = across(operand, kept)
        if len(own) > 1:
            index = index.reshape(*(shape[k] for k in both), -1, index.shape[-1])
        return Operand(operand.source, index)

    def plain(self, x: Operand, y: Operand, rows: bool, cols: bool, vx: bool, vy: bool) -> Expr:
        if rows and cols:
            if vx and not vy and x.index.shape[0] > 1:  # one product for all samples at once
                r, c = x.index.shape[0], y.index.shape[0]
                flat = s.method(self.read(x), "reshape", *s.integers([-1, x.index.shape[1]]))
                product = s.binary(flat, "@", self.read(swapped(y)))
                return s.method(product, "reshape", *s.integers([-1, r, c]))
            return s.binary(self.read(x), "@", self.read(swapped(y)))
        if rows:
            if vx and vy:
                return s.index(
                    s.binary(self.read(x), "@", s.index(self.read(y), [Ellipsis, None])), [Ellipsis, 0]
                )
            if vy:
                return s.binary(self.read(y), "@", self.read(swapped(x)))
            return s.binary(self.read(x), "@", self.read(y))
        if vx and vy:
            return s.method(s.binary(self.read(x), "*", self.read(y)), "sum", axis=s.axis(-1))
        if vy:
            x, y = y, x
        return s.binary(self.read(x), "@", self.read(y))

    def batched(self, x: Operand, y: Operand, both: int, rows: bool, cols: bool, vx: bool, vy: bool) -> Expr:
        if rows and cols:
            return s.binary(self.read(x), "@", self.read(swapped(y)))
        if rows:
            return s.index(
                s.binary(self.read(x), "@", s.index(self.read(y), [Ellipsis, None])), [Ellipsis, 0]
            )
        return s.method(s.binary(self.read(x), "*", self.read(y)), "sum", axis=s.axis(-1))

    def over_batch(self, x: Operand, y: Operand, rows: bool, cols: bool, terms: int) -> Expr:
        """The sum over the samples, too: they and the terms are one long axis."""

        def long(operand: Operand, own: bool) -> Expr:
            index = operand.index
            if terms == 1:
                return self.read(Operand(operand.source, index[..., 0]))
            if not own:
                return s.method(self.read(operand), "ravel")
            flat = self.read(Operand(operand.source, index.swapaxes(-1, -2)))
            return s.method(flat, "reshape", *s.integers([-1, index.shape[-2]]))

        first, second = long(x, rows), long(y, cols)
        return s.binary(s.attribute(first, "T") if rows else first, "@", second)

    def einsum(self, array: Array, a: Operand, b: Operand, over_batch: bool) -> Expr:
        letters = "ijklmopqrst"[: len(array.shape)]
        specs, operands = [], []
        for x in (a, b):
            depends = self.depends(x)
            spec = "".join(c for c, d in zip(letters, depends, strict=False) if d)
            specs.append("n" * self.varies(x) + spec + "z" * depends[-1])
            operands.append(self.read(Operand(x.source, across(x, depends))))
        used = {c for spec in specs for c in spec}
        out = "n" * array.varies + "".join(c for c in letters if c in used)
        expr = s.np_call("einsum", ast.Constant(f"{','.join(specs)}->{out}"), *operands)
        if len(out) - array.varies < len(letters):
            news = [slice(None)] * array.varies + [slice(None) if c in used else None for c in letters]
            expr = s.index(expr, news)
        return expr

    def beside(self, array: Array) -> Expr:
        """Pieces of several arrays, one after the other along an axis."""
        pieces = [self.full_piece(x) for x in array.operands]
        along = s.axis(array.axis + array.varies)
        return s.np_call("concatenate", s.list_of(pieces), axis=along)

    def full_piece(self, x: Operand) -> Expr:
        expr, index = self.read(x), x.index
        if all(d or n == 1 for d, n in zip(self.depends(x), index.shape, strict=True)) and index.ndim:
            lead_lost = not self.varies(x) and index.shape[0] == 1
            return s.np_call("reshape", expr, s.tuple_of(s.integers(index.shape))) if lead_lost else expr
        lead = [s.name("n")] * self.varies(x)
        return s.np_call("broadcast_to", expr, s.tuple_of([*lead, *s.integers(index.shape)]))

    # The table's operations ---------------------------------------------------------------------------------------

    def call(self, array: Array) -> Expr:
        op: Op = array.kind
        self.as_index = op is EQUAL
        try:
            return self.operation(array)
        finally:
            self.as_index = False

    def operation(self, array: Array) -> Expr:
        op: Op = array.kind
        if op is PICK:
            return self.pick(array)
        if op.variadic:
            return self.reduction(array)
        operands = [trimmed(x) for x in array.operands]
        if array.holes:
            fills = [self.fill_of(array, x) if self.scalar(x) is None else self.scalar(x) for x in operands]
            known = [UNKNOWN if f is None else f for f in fills]
            self.fills[array.number] = 0.0 if op is DIV and known[0] == 0.0 else op.formula(*known)
        exprs = [self.as_float(x, self.read(x)) for x in operands]
        self.spelling(op)
        _, mentions = s.template(op.numpy)
        exprs = [self.named(x) if n > 1 else x for x, n in zip(exprs, mentions, strict=False)]
        expr = s.fill("{0} == {1}" if op is EQUAL else op.numpy, exprs)
        if op is EQUAL and self.dtype != float:  # True times a Python number would be a double
            expr = s.method(expr, "astype", s.attribute(s.name("np"), self.dtype.name))
        return self.full(array, expr, array.operands)

    def spelling(self, op: Op) -> None:
        """An operation that nobody has spelled for arrays is its formula, number by number."""
        name = op.numpy.partition("(")[0]
        if name == op.name and name not in array_formulas:
            formula = (lambda xs: op.formula(*xs.tolist())) if op.variadic else op.formula
            signature = "(k)->()" if op.variadic else None
            self.constants[name] = np.vectorize(formula, otypes=[float], signature=signature)

    def named(self, x: Expr) -> Expr:
        """A name for an expression that will be mentioned several times."""
        if isinstance(x, (ast.Name, ast.Constant)) or (
            isinstance(x, ast.UnaryOp) and isinstance(x.operand, ast.Constant)
        ):
            return x
        key = "@n" + ast.dump(x)
        return s.name(key) if key in self.by_key else self.define(key, self.names.unique("t"), x)

    def reduction(self, array: Array) -> Expr:
        op: Op = array.kind
        self.spelling(op)
        exprs = []
        for x in array.operands:
            complete = (x.index >= 0) | (array.members < 0).reshape(*array.shape, 1)
            if x.source == CONSTANT or complete.all() or self.ragged(x, complete, op.neutral or 0.0):
                exprs.append(self.as_float(x, self.read(whole(x))))
            elif op.neutral is None:
                raise TypeError(f"{op.name} of different numbers of operands in one place cannot be compiled")
            else:
                exprs.append(
                    s.np_call("where", self.mask_of(x.index >= 0), self.read(filled(x)), s.number(op.neutral))
                )
        if len(exprs) > 1:
            full = [
                e
                if self.complete(array, x)
                else s.np_call("broadcast_to", e, self.full_shape(array, [*array.shape], x))
                for e, x in zip(exprs, array.operands, strict=True)
            ]
            exprs = [s.np_call("concatenate", s.list_of(full), axis=s.axis(-1))]
        elif not self.depends(array.operands[0])[-1] and array.operands[0].index.shape[-1] > 1:
            exprs = [
                s.np_call("broadcast_to", exprs[0], self.full_shape(array, [*array.shape], array.operands[0]))
            ]
        return s.fill(op.numpy, [self.named(exprs[0]) if s.template(op.numpy)[1][0] > 1 else exprs[0]])

    def complete(self, array: Array, x: Operand) -> bool:
        """Whether reading an operand gives all the array's axes and that of the terms."""
        depends = all(d or n == 1 for d, n in zip(self.depends(x), x.index.shape, strict=True))
        return depends and self.varies(x) == array.varies and (array.varies or x.index.shape[0] > 1)

    def full_shape(self, array: Array, shape: list[int], x: Operand) -> Expr:
        lead = [s.name("n")] if array.varies else []
        return s.tuple_of([*lead, *s.integers([*shape, x.index.shape[-1]])])

    def pick(self, array: Array) -> Expr:
        *tables, index = array.operands
        source = self.grouping.arrays[index.source] if index.source != CONSTANT else None
        if source is None or source.kind != "input":
            raise TypeError(
                "take needs an integer input of the function as its index. Received: a computed number"
            )
        rows = sum(table.index.shape[-1] for table in tables)
        argument = source.number
        self.integer_inputs[argument] = min(rows, self.integer_inputs.get(argument, rows))
        index = trimmed(index)
        if len(tables) > 1:
            return self.pick_of_many(array, index)
        table = tables[0]
        if not self.depends(table)[-1]:  # one row, or many that are the same
            return self.full(array, self.read(trimmed(table)), [trimmed(table)])
        dt, di = self.depends(table)[:-1], self.depends(index)
        axes = range(len(array.shape))
        with_samples = self.varies(table)
        if not with_samples and not any(t and i for t, i in zip(dt, di, strict=True)):
            own, by_index = [k for k in axes if dt[k]], [k for k in axes if di[k]]
            matrix = np.moveaxis(
                across(table, [k in own or k == len(axes) for k in range(len(axes) + 1)]), -1, 0
            )
            places = across(index, [k in by_index for k in axes])
            expr = s.index(
                self.read(Operand(table.source, matrix)), [self.read_index(Operand(index.source, places))]
            )
            order = by_index + own
            if order != sorted(order):
                moved = tuple(order.index(k) for k in sorted(order))
                expr = self.transposed(expr, moved, array.varies)
            if len(order) < len(axes):  # axes along which nothing differs
                news = [slice(None) if k in order else None for k in axes]
                expr = s.index(expr, [slice(None)] * array.varies + news)
            return self.full(array, expr, [trimmed(table), index])
        if len(array.shape) == 0:
            samples = [s.np_call("arange", s.name("n"))] if with_samples else []
            return s.index(self.read(table), [*samples, self.read_index(index)])
        if len(array.shape) == 1 and dt[0] and di[0]:  # one of each row
            each: Expr = self.constant(np.arange(array.shape[0]))
            samples = [s.index(s.np_call("arange", s.name("n")), [slice(None), None])] if with_samples else []
            return s.index(self.read(table), [*samples, each, self.read_index(index)])
        lead = [s.name("n")] * array.varies
        rows_of_all = s.np_call(
            "broadcast_to", self.read(table), s.tuple_of([*lead, *s.integers([*array.shape, rows])])
        )
        return self.along(array, rows_of_all, index)

    def pick_of_many(self, array: Array, index: Operand) -> Expr:
        """From rows that lie in several arrays: side by side first."""
        nodes = np.array([self.graph.args[max(int(i), 0)][:-1] for i in array.members]).reshape(
            *array.shape, -1
        )
        lead = [s.name("n")] * array.varies
        full = s.tuple_of([*lead, *s.integers(array.shape)])
        rows = [s.np_call("broadcast_to", self.output(nodes[..., k]), full) for k in range(nodes.shape[-1])]
        table = s.np_call("stack", s.list_of(rows), axis=s.axis(-1))
        return self.along(array, table, index)

    def read_index(self, index: Operand) -> Expr:
        self.as_index = True
        try:
            return self.read(index)
        finally:
            self.as_index = False

    def along(self, array: Array, table: Expr, index: Operand) -> Expr:
        """Of each row in the last axis of a table the number at its index."""
        full = s.tuple_of([*[s.name("n")] * array.varies, *s.integers(array.shape)])
        places = s.index(s.np_call("broadcast_to", self.read_index(index), full), [Ellipsis, None])
        return s.index(s.np_call("take_along_axis", table, places, axis=s.axis(-1)), [Ellipsis, 0])

    # Everything, in order -----------------------------------------------------------------------------------------

    def emit(self) -> None:
        for array in self.grouping.arrays:
            key = f"@{array.number}"
            if array.kind == "count":
                self.by_key[key] = Line(key, "n", s.name("n"))
            elif array.kind in ("input", "parameter"):
                self.by_key[key] = Line(key, self.names.leaf(array), s.name(key))
            elif array.kind == "random":
                if array.size:
                    sizes = [s.name("n")] * array.varies + s.integers(array.shape)
                    draw = s.method(s.name("rng"), "random", s.tuple_of(sizes))
                    self.define(key, self.names.unique("u"), draw, keep=True)
            else:
                expr = (
                    self.sum(array)
                    if array.kind == "sum"
                    else self.beside(array)
                    if array.kind == "beside"
                    else self.call(array)
                )
                self.define(key, self.names.array(array), expr, self.shape_text(array))

    def shape_text(self, array: Array) -> str:
        sizes = ["n"] * array.varies + [str(n) for n in array.shape]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})" if sizes else ""

    def output(self, nodes: Index) -> Expr:
        """An array of nodes, of any shape, as an expression; constants among them stand for themselves."""
        if not nodes.size:
            lead = [s.name("n")] if self.batch else []
            return s.np_call("zeros", s.tuple_of([*lead, *s.integers(nodes.shape)]))
        sources = {int(self.grouping.array_of[i]) for i in nodes.flat}
        if len(sources) > 1:
            return self.stacked(nodes)
        (source,) = sources or {CONSTANT}
        if source == CONSTANT:
            values = self.grouping.values[nodes]
            return self.constant(values) if nodes.size > 1 else s.number(float(values.flat[0]))
        index = self.grouping.place_of[nodes]
        operand = Operand(source, index)
        expr = self.read(operand)
        missing = [not d and n > 1 for d, n in zip(self.depends(operand), index.shape, strict=True)]
        if any(missing):
            lead = [s.name("n")] if self.varies(operand) else []
            expr = s.np_call("broadcast_to", expr, s.tuple_of([*lead, *s.integers(index.shape)]))
        elif index.ndim and index.shape[0] == 1 and not self.varies(operand):
            expr = s.np_call("reshape", expr, s.tuple_of(s.integers(index.shape)))
        return expr

    def stacked(self, nodes: Index) -> Expr:
        """Nodes of several arrays: stacked along the first axis, part by part."""
        varies = any(self.graph.varies[int(i)] for i in nodes.flat)
        parts = []
        for row in nodes:
            expr = self.output(row)
            if varies and not any(self.graph.varies[int(i)] for i in np.asarray(row).flat):
                shape = s.tuple_of([s.name("n"), *s.integers(np.shape(row))])
                expr = s.np_call("broadcast_to", expr, shape)
            elif not varies and np.shape(row):
                expr = s.np_call("broadcast_to", expr, s.tuple_of(s.integers(np.shape(row))))
            parts.append(expr)
        return s.np_call("stack", s.list_of(parts), axis=s.axis(int(varies)))


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
