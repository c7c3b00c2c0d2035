"""Sixth pass: lines of NumPy become the text of a program, and the text becomes functions.

What is used once goes into the line that uses it, as long as that stays readable. The text is kept in `linecache`, so
that tracebacks, debuggers and inspect.getsource show it.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import arrays as formulas
from . import syntax as s
from .emit import Emitter
from .reading import WIDTH, Line

LARGE = 256  # numbers a sample, from which on memory counts
numbered = itertools.count(1)


class Text:
    """The program under construction."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.known: dict[str, s.Expr] = {}
        self.names = emitter.names

    def head(self) -> list[str]:
        """Views of the parameters, and constants, in the order in which they were needed."""
        found = []
        for line in self.emitter.head:
            self.known[line.key] = s.name(line.name)
        for line in self.emitter.head:
            found.append(
                commented(f"{line.name} = {s.text(s.replace(line.expr, self.leaves()))}", line.comment)
            )
        return found

    def leaves(self) -> dict[str, s.Expr]:
        found = {
            key: s.name(line.name)
            for key, line in self.emitter.by_key.items()
            if isinstance(line.expr, ast.Name) and line.expr.id in (key, line.name)
        }
        return {**found, **self.known}

    def body(self, results: Sequence[tuple[str, s.Expr]]) -> list[str]:
        """The statements that compute the results: (`return ` or `dW1[...] = `, expression)."""
        lines = self.needed([expr for _, expr in results])
        uses: Counter[str] = Counter()
        for tree in [line.expr for line in lines] + [expr for _, expr in results]:
            uses.update(n for n in s.names_in(tree) if n.startswith("@"))
        known = self.leaves()
        found: list[tuple[str, str]] = []
        own = {line.key for line in lines}
        ends = {  # results that are a line of their own: written where they belong at once
            e.id: before
            for before, e in results
            if isinstance(e, ast.Name) and e.id in own and uses[e.id] == 1 and "[" in before
        }
        for line in lines:
            expr = s.replace(line.expr, known)
            if line.key in ends:
                found.append((written(ends[line.key], expr), ""))
                continue
            last = any(
                before == "return " and isinstance(e, ast.Name) and e.id == line.key for before, e in results
            )
            if uses[line.key] == 1 and not line.keep and (last or len(s.text(expr)) <= WIDTH // 2):
                known[line.key] = expr
                continue
            if isinstance(expr, ast.Name):
                known[line.key] = expr
                continue
            name = self.names.unique(self.resolved(line, known))
            known[line.key] = s.name(name)
            first, rest = self.in_place(line, expr)
            found.append((f"{name} = {s.text(first)}", line.comment))
            found += [(f"{name} {sign}= {s.text(term)}", "") for sign, term in rest]
        for before, expr in results:
            if isinstance(expr, ast.Name) and expr.id in ends:
                continue
            found.append((before + s.text(s.replace(expr, known)), ""))
        return [commented(code, comment) for code, comment in found]

    def in_place(self, line: Line, expr: s.Expr) -> tuple[s.Expr, list[tuple[str, s.Expr]]]:
        """A large product with what is added to it afterwards, for which it then needs no room of its own."""
        array = self.emitter.grouping.arrays[int(line.key[1:])] if line.key[1:].isdigit() else None
        rest: list[tuple[str, s.Expr]] = []
        if array is not None and array.varies and array.size >= LARGE:
            while isinstance(expr, ast.BinOp) and isinstance(expr.op, (ast.Add, ast.Sub)):
                rest.insert(0, ("+" if isinstance(expr.op, ast.Add) else "-", expr.right))
                expr = expr.left
        if rest and fresh(expr):
            return expr, rest
        for sign, term in rest:
            expr = s.binary(expr, sign, term)
        return expr, []

    def resolved(self, line: Line, known: dict[str, s.Expr]) -> str:
        """The name of a line; of a gradient `d` and the name of what it is the gradient of."""
        if not line.key[1:].isdigit():
            return line.name
        array = self.emitter.grouping.arrays[int(line.key[1:])]
        node = next((int(i) for i in array.members if i >= 0), -1)
        of = self.emitter.graph.gradient_of.get(node)
        if of is not None:
            source = int(self.emitter.grouping.array_of[of])
            named = known.get(f"@{source}") if source >= 0 else None
            if isinstance(named, ast.Name):
                return f"d{named.id}"
            if source >= 0 and f"@{source}" in self.emitter.by_key:
                return f"d{self.emitter.by_key[f'@{source}'].name}"
        return line.name

    def needed(self, results: Sequence[s.Expr]) -> list[Line]:
        """The lines that the results need, in order."""
        wanted = {n for tree in results for n in s.names_in(tree)}
        found = []
        for line in reversed(self.emitter.lines):
            if line.key in wanted:
                found.append(line)
                wanted.update(s.names_in(line.expr))
        return found[::-1]


def fresh(expr: s.Expr) -> bool:
    """Whether an expression is a product of matrices that nobody else holds."""
    if isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute) and expr.func.attr == "reshape":
        expr = expr.func.value
    return isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.MatMult)


def written(before: str, expr: s.Expr) -> str:
    """The statement that writes an expression to its place; a product writes there itself."""
    place = before.removesuffix("[...] = ")
    if place != before and isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.MatMult):
        return s.text(s.np_call("matmul", expr.left, expr.right, out=s.name(place)))
    return before + s.text(expr)


def commented(code: str, comment: str) -> str:
    return f"{code:<56}  # {comment}" if comment else code


def execute(source: str, namespace: dict[str, Any], title: str) -> dict[str, Any]:
    """Run the text once, with `np`, the array formulas and what is given; the functions that it defines."""
    filename = f"<compiled {title} {next(numbered)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope = {"np": np, **{name: getattr(formulas, name) for name in formulas.__all__}, **namespace}
    exec(compile(source, filename, "exec"), scope)
    return scope
