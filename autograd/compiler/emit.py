"""Fifth pass: arrays become lines of NumPy.

Each array is one expression: how it reads earlier arrays is in `reading`, how sums of products become `@` is in
`products`, all else is here. A line of its own is only for what is used twice, or would not fit. Names come from the
modules and labels of what was recorded: see `naming`.
"""

from __future__ import annotations

import ast
import math

import numpy as np

from ..ops import Op
from . import syntax as s
from .grouping import CONSTANT, PICK, Array, Operand
from .naming import spelling
from .products import Products
from .reading import DIV, EQUAL, UNKNOWN, Expr, Line, across, filled, trimmed, whole
from .views import Index

METHODS = {f"{{0}}.{name}(axis=-1)": name for name in ("max", "min", "sum", "mean", "prod")}


class Emitter(Products):
    """Turns a Grouping into the lines of a program."""

    def beside(self, array: Array) -> Expr:
        """Pieces of several arrays, one after the other along an axis."""
        pieces = [self.full_piece(x) for x in array.operands]
        along = s.axis(array.axis + array.varies)
        return s.np_call("concatenate", s.list_of(pieces), axis=along)

    def with_zeros(self, array: Array) -> Expr:
        """An array with zeros around it."""
        number = array.operands[0].source
        source, expr = self.grouping.arrays[number], self.source(number)
        if len(array.shape) != len(source.shape):
            expr = s.method(expr, "reshape", *s.integers([-1] + [source.size] * array.varies))
        pads = [(0, 0)] * array.varies + [*array.pads]
        return s.np_call("pad", expr, s.tuple_of([s.tuple_of(s.integers(pair)) for pair in pads]))

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
            unknown = any(math.isnan(f) for f in known)
            zero = op is DIV and known[0] == 0.0
            self.fills[array.number] = 0.0 if zero else UNKNOWN if unknown else op.formula(*known)
        exprs = [self.as_float(x, self.read(x)) for x in operands]
        spelled = self.spelling(op)
        _, mentions = s.template(spelled)
        exprs = [self.named(x) if n > 1 else x for x, n in zip(exprs, mentions, strict=False)]
        expr = s.fill("{0} == {1}" if op is EQUAL else spelled, exprs)
        if op is EQUAL and (
            array.number in self.counted or self.dtype != float
        ):  # True * 2.0 would be a double
            expr = s.method(expr, "astype", s.attribute(s.name("np"), self.dtype.name))
        return self.full(array, expr, array.operands)

    def spelling(self, op: Op) -> str:
        """How it is written; an operation that nobody has spelled for arrays is its formula, number by number."""
        if spelled := spelling(op):
            return spelled
        if op not in self.called:
            formula = (lambda xs: op.formula(*xs.tolist())) if op.variadic else op.formula
            signature = "(k)->()" if op.variadic else None
            self.called[op] = name = self.names.formula(op)
            self.constants[name] = np.vectorize(formula, otypes=[float], signature=signature)
        return f"{self.called[op]}({', '.join(f'{{{i}}}' for i in range(len(op.rules)))})"

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
        spelled = self.spelling(op)
        if op.numpy in METHODS and len(array.operands) == 1:
            found = self.reduced(array.operands[0], METHODS[op.numpy])
            if found is not None:
                return found
        first = array.operands[0]
        alone = len(array.operands) == 1 and first.index.size == 1 and not array.shape
        if op.numpy in METHODS and alone and first.source != CONSTANT:
            return self.as_float(
                first, self.read(trimmed(first))
            )  # of one number, which may be a Python float
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
        return s.fill(spelled, [self.named(exprs[0]) if s.template(spelled)[1][0] > 1 else exprs[0]])

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
                    else self.with_zeros(array)
                    if array.kind == "padded"
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
