"""Last pass: lines of NumPy become the text of a program, and the text becomes functions.

What is used once goes into the line that uses it, as long as that stays readable. The text is kept in `linecache`, so
that tracebacks, debuggers and inspect.getsource show it.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import arrays as formulas
from . import syntax as s
from .emit import Emitter
from .loops import COUNTER, Loop, rolled
from .reading import WIDTH, Line

LARGE = 256  # numbers a sample, from which on memory counts
numbered = itertools.count(1)


@dataclass
class Statement:
    """`before` and an expression on one line, with a comment."""

    before: str
    expr: s.Expr | None = None
    comment: str = ""
    indent: int = 0

    def __str__(self) -> str:
        code = self.before + (s.text(self.expr) if self.expr is not None else "")
        return " " * self.indent + commented(code, self.comment, self.indent)


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
        items, exprs = rolled(self.needed([expr for _, expr in results]), [expr for _, expr in results])
        results = [(before, expr) for (before, _), expr in zip(results, exprs, strict=True)]
        loops = [item for item in items if isinstance(item, Loop)]
        self.first = {carried.first: "" for loop in loops for carried in loop.carried.values()}
        self.kept = {key for loop in loops for key in loop.kept()}
        self.uses = self.counted(items, exprs)
        self.known = self.leaves()
        if loops:
            self.known[COUNTER] = s.name(self.names.unique("t"))
        own = {item.key for item in items if isinstance(item, Line)}
        ends = {  # results that are a line of their own: written where they belong at once
            e.id: before
            for before, e in results
            if isinstance(e, ast.Name) and e.id in own and self.uses[e.id] == 1 and "[" in before
        }
        returned = {e.id for before, e in results if before == "return " and isinstance(e, ast.Name)}
        found: list[Statement] = []
        for item in items:
            if isinstance(item, Loop):
                found += self.loop(item)
            elif item.key in ends:
                found.append(Statement(written(ends[item.key], s.replace(item.expr, self.known))))
            else:
                found += self.statements(item, item.key in returned)
        for before, expr in results:
            if not (isinstance(expr, ast.Name) and expr.id in ends):
                found.append(Statement(before, s.replace(expr, self.known)))
        return [str(statement) for statement in found]

    def counted(self, items: Sequence[Line | Loop], results: Sequence[s.Expr]) -> Counter[str]:
        """How often each line is read, by lines that are read themselves."""
        uses = Counter(name for tree in results for name in s.names_in(tree))
        for item in reversed(items):
            if isinstance(item, Loop):
                uses.update(name for c in item.carried.values() for name in s.names_in(c.read))
            for line in reversed(item.every if isinstance(item, Loop) else [item]):
                if uses[line.key] or line.keep or line.key in self.kept:
                    uses.update(s.names_in(line.expr))
        return uses

    def statements(self, line: Line, returned: bool = False) -> list[Statement]:
        """A line as a statement, or as several; as none, where it goes into the line that uses it."""
        expr = s.replace(line.expr, self.known)
        kept = line.keep or line.key in self.kept
        anyway = returned or line.key in self.first  # it is a statement there
        if self.uses[line.key] == 1 and not kept and (anyway or len(s.text(expr)) <= WIDTH // 2):
            self.known[line.key] = expr
            return []
        if (isinstance(expr, ast.Name) or not self.uses[line.key]) and not kept:
            self.known[line.key] = expr
            return []
        name = self.names.unique(self.resolved(line, self.known))
        self.known[line.key] = s.name(name)
        first, rest = self.in_place(line, expr)
        more = [Statement(f"{name} {sign}= ", term) for sign, term in rest]
        return [Statement(f"{name} = ", first, line.comment), *more]

    def loop(self, loop: Loop) -> list[Statement]:
        """A `for`, after what it begins with. What the pass before found has the name of what takes its place, if
        nobody reads it any more when that is found."""
        self.known.update((key, s.replace(number, self.known)) for key, number in loop.numbers.items())
        body = [statement for line in loop.every for statement in self.statements(line)]
        begin, end, before = [], [], {}
        for carried in loop.carried.values():
            name = s.text(self.known[carried.of])
            found = next(k for k, x in enumerate(body) if x.before == f"{name} = ")
            if any(carried.key in s.names_in(x.expr) for x in body[found + 1 :] if x.expr is not None):
                old = self.names.unique(f"{name}_before")
                end.append(Statement(f"{old} = ", s.name(name)))
            else:
                old = name
            before[carried.key] = s.name(old)
            begin.append(Statement(f"{old} = ", s.replace(carried.read, self.known)))
        for place, key in loop.stored.items():
            name = s.text(self.known[loop.lines[place].key])
            steps = self.names.unique(f"{name}_steps")
            self.known[key] = s.name(steps)
            first = [before[loop.carried[place].key]] if place in loop.carried else []
            begin.append(Statement(f"{steps} = ", s.list_of(first)))
            end.append(Statement("", s.method(s.name(steps), "append", s.name(name))))
        head = Statement(
            f"for {s.text(self.known[COUNTER])} in {s.text(s.replace(loop.passes(), self.known))}:"
        )
        inside = [x if x.expr is None else replace(x, expr=s.replace(x.expr, before)) for x in body]
        return [*begin, head, *[replace(x, indent=4) for x in (*inside, *end)]]

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


def commented(code: str, comment: str, indent: int = 0) -> str:
    return f"{code:<{56 - indent}}  # {comment}" if comment else code


def execute(source: str, namespace: dict[str, Any], title: str) -> dict[str, Any]:
    """Run the text once, with `np`, the array formulas and what is given; the functions that it defines."""
    filename = f"<compiled {title} {next(numbered)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope = {"np": np, **{name: getattr(formulas, name) for name in formulas.__all__}, **namespace}
    exec(compile(source, filename, "exec"), scope)
    return scope
