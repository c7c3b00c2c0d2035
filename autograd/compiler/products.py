"""Sums of products as text: `@` where their factors separate, elementwise products and sums where they do not."""

from __future__ import annotations

import ast
import math
from typing import Any

from . import syntax as s
from .grouping import CONSTANT, Array, Operand, Part
from .reading import UNKNOWN, Expr, Reader, across, filled, swapped, trimmed, whole
from .views import affine


class Products(Reader):
    """The expressions of arrays that are sums of products."""

    # Sums of products ---------------------------------------------------------------------------------------------

    def sum(self, array: Array) -> Expr:
        terms: list[tuple[int, int, Expr]] = []
        fills = []
        stacks, others = self.stackable(array)
        terms += [(sign, 0, self.stacked_product(a, b, array)) for sign, a, b in stacks]
        for part in sorted(others, key=lambda part: part.b is None):  # weights are named before biases
            expr, rank = self.term(array, part)
            sign = part.sign
            if (
                sign < 0
                and self.is_number(part.a)
                and isinstance(expr, ast.BinOp)
                and isinstance(expr.op, ast.Mult)
            ):
                sign, expr = (
                    1,
                    s.binary(s.negative(expr.left), "*", expr.right),
                )  # the sign costs nothing there
            terms.append((sign, rank, expr))
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

    def is_number(self, operand: Operand) -> bool:
        """Whether it is a single number, the same for all samples."""
        if operand.source == CONSTANT:
            return False
        array = self.grouping.arrays[operand.source]
        return array.size == 1 and not array.varies

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
        if array.varies or not part.complete or a.index.shape[-1] > 1:
            return None
        if not array.shape:  # a number, from the numbers of all samples
            both = b is None or self.varies(b)
            return (trimmed(a), b and trimmed(b)) if self.varies(a) and both else None
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
            return s.method(first, "sum", axis=s.axis(0)) if array.shape else s.method(first, "sum")
        second = self.stack([self.read(x) for x in seconds])
        if not array.shape:
            return s.binary(first, "@", second)
        expr = s.binary(s.attribute(first, "T"), "@", second)
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

    def fill_of_term(self, array: Array, part: Part) -> float:
        if not array.holes:
            return 0.0
        if part.a.index.shape[-1] > 1:  # a sum of several terms: its holes may hold anything
            return UNKNOWN
        fills = [self.fill_of(array, trimmed(x)) for x in (part.a, part.b) if x is not None]
        return 0.0 if 0.0 in fills else part.sign * fills[0] if len(fills) == 1 else UNKNOWN

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
                found = self.reduced(a, "sum", over_batch)
                if found is not None:
                    return found, 2
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
            return s.call(s.name("vecdot"), self.read(x), self.read(y))
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
        return s.call(s.name("vecdot"), self.read(x), self.read(y))

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
        samples = array.varies and "n" in used  # a term may be the same for all
        out = "n" * samples + "".join(c for c in letters if c in used)
        expr = s.np_call("einsum", ast.Constant(f"{','.join(specs)}->{out}"), *operands)
        if len(out) - samples < len(letters):
            news = [slice(None)] * samples + [slice(None) if c in used else None for c in letters]
            expr = s.index(expr, news)
        return expr
