"""Sixth pass: the steps of a recurrence, lines that come again and again, become a loop.

Before the text is written, its lines are compared with those some places further on. Where they are the same, but for
the numbers of steps and for whose results they read, only the first ones are kept, as the body of a `for`:

    for t in range(1, 20):
        z = x[:, t] @ W.T + h @ U.T + b
        h = np.tanh(z)
        h_steps.append(h)

What a pass reads of the one before is handed on by name; what is read one by one after the loop, as by that of the
backward pass, is appended to a list. What is computed stays as it was: the numbers are the same bits.
"""

from __future__ import annotations

import ast
import functools
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import syntax as s
from .reading import Expr, Line

LEAST = 4  # passes, to be a loop
WORTHWHILE = 6  # lines that it saves
LONGEST = 300  # lines of a body
MANY = 8  # results that a line brings together: of several steps
COUNTER = "@t"  # the key of the variable that counts passes

Form = tuple[int, int]  # (a, b): the number a k + b, in pass k


@dataclass
class Carried:
    """What a pass reads of the one before: `key` is its name there, `of` what becomes it, `first` what it is at first,
    by itself or as the loop reads it."""

    key: str
    of: str
    first: str
    read: Expr


@dataclass
class Loop:
    """A body of lines for so many passes; in pass k the variable that counts is slope k + start."""

    lines: list[Line]
    count: int
    again: list[Line]  # views that other loops have named; before the lines
    carried: dict[int, Carried]  # by the place of the line
    slope: int = 1
    start: int = 0
    numbers: dict[str, Expr] = field(default_factory=dict)  # those that depend on the pass, by their key
    stored: dict[int, str] = field(default_factory=dict)  # of a line: the key of the list of its results
    named: set[str] = field(default_factory=set)  # results of the last pass, read when the loop is over

    @functools.cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """What the lines call one another's results: which line's, of how many passes before."""
        return {
            **{line.key: (place, 0) for place, line in enumerate(self.lines)},
            **{carried.key: (place, 1) for place, carried in self.carried.items()},
        }

    @property
    def every(self) -> list[Line]:
        return [*self.again, *self.lines]

    def kept(self) -> set[str]:
        """The keys of what must have a name."""
        return {
            *self.named,
            *(carried.of for carried in self.carried.values()),
            *(self.lines[place].key for place in self.stored),
        }

    def first_in_list(self, place: int) -> int:
        """Where the first pass stands in the list of a line: what is handed on has a beginning before it."""
        return int(place in self.carried)

    def passes(self) -> Expr:
        low, high = sorted((self.start, self.start + self.slope * (self.count - 1)))
        numbers = s.call(s.name("range"), *s.integers([low, high + 1] if low else [high + 1]))
        return numbers if self.slope > 0 else s.call(s.name("reversed"), numbers)

    def number(self, form: Form) -> Expr:
        """a k + b as the variable has it: t, t - 1, 19 - t."""
        slope, rest = form[0] * self.slope, form[1] - form[0] * self.slope * self.start
        t = s.name(COUNTER)
        steps = t if abs(slope) == 1 else s.binary(s.number(abs(slope)), "*", t)
        if slope < 0:
            return s.binary(s.number(rest), "-", steps)
        return s.binary(steps, "+" if rest > 0 else "-", s.number(abs(rest))) if rest else steps


class Different(Exception):
    """The passes are not the same."""


def rolled(lines: Sequence[Line], results: Sequence[Expr]) -> tuple[list[Line | Loop], list[Expr]]:
    """The lines with what comes again as loops, and the results that read them."""
    items, found = Rolling(near(lines)).rolled(results)
    return (items, found) if any(isinstance(item, Loop) for item in items) else ([*lines], [*results])


def near(lines: Sequence[Line]) -> list[Line]:
    """The lines in an order in which each stands near what it reads, and what follows from one step before the next
    input is looked at: so the lines of a step stand together."""
    by_key = {line.key: line for line in lines}
    reads = {
        line.key: [name for name in dict.fromkeys(s.names_in(line.expr)) if name in by_key] for line in lines
    }
    leaves = {key for key, names in reads.items() if not names}
    readers: dict[str, list[str]] = {}
    for key, names in reads.items():
        for name in names:
            readers.setdefault(name, []).append(key)
    order = {line.key: i for i, line in enumerate(lines)}
    missing = {key: len({*names} - leaves) for key, names in reads.items()}
    found: dict[str, Line] = {}
    ready: list[tuple[bool, int, int, str]] = []

    def offer(key: str, at: int) -> None:
        waits = not leaves.isdisjoint(reads[key]) or len(reads[key]) >= MANY
        heapq.heappush(ready, (waits, at, order[key], key))

    for key in reads:
        if key not in leaves and not missing[key]:
            offer(key, order[key])
    while ready:
        key = heapq.heappop(ready)[-1]
        for name in reads[key]:  # a leaf stands where it is first read
            found.setdefault(name, by_key[name])
        found[key] = by_key[key]
        for reader in readers.get(key, ()):
            missing[reader] -= 1
            if not missing[reader]:
                offer(reader, len(found))
    return [*found.values(), *(line for line in lines if line.key not in found)]


class Rolling:
    """Looks for loops among lines, the longest first."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = [*lines]
        self.order = {line.key: i for i, line in enumerate(lines)}
        self.loops: list[Loop] = []
        self.element: dict[str, tuple[Loop, int, int]] = {}  # of a key: which loop, which line, which pass
        self.forms: dict[str, Form] = {}  # numbers that depend on the pass, by the key that holds their place

    def rolled(self, results: Sequence[Expr]) -> tuple[list[Line | Loop], list[Expr]]:
        items: list[Line | Loop] = []
        reached = 0
        for start, period, count in self.regions():
            here = self.attempt(start, period, count)
            if here is not None:
                at, loop = here
                items += [*self.lines[reached:at], loop]
                reached = at + loop.count * len(loop.lines)
        items += self.lines[reached:]
        if not self.loops:
            return items, [*results]
        for expr in (*(x.expr for x in items if isinstance(x, Line)), *results):
            self.read(expr)  # to know which lists there are
        found: list[Line | Loop] = []
        for item in items:
            if isinstance(item, Loop):
                found.append(item)
                self.listed(item)
            else:
                found.append(replace(item, expr=self.read(item.expr)))
        return found, [self.read(expr) for expr in results]

    def listed(self, loop: Loop) -> None:
        """What a loop begins with stands in its lists, too: when it is over, it is read there."""
        for place, carried in loop.carried.items():
            if carried.first in self.order and not self.is_view(loop, place):
                self.element.setdefault(carried.first, (loop, place, -1))

    # Where lines come again ---------------------------------------------------------------------------------------

    def regions(self) -> list[tuple[int, int, int]]:
        """(start, lines of a pass, passes) of regions apart, in order; those that save most lines are chosen first."""
        runs = self.runs()
        found: list[tuple[int, int, int]] = []
        while runs:
            start, stop, period = max(runs, key=lambda run: (run[1] - run[0]) // run[2] * run[2])
            start = self.turned(start, stop + period, period)
            count = (stop - start) // period + 1
            found.append((start, period, count))
            end = start + count * period
            runs = [  # without what is taken now
                (low, high, p)
                for first, last, p in runs
                for low, high in ((first, min(last, start - p)), (max(first, end), last))
                if high - low >= shortest(p)
            ]
        return sorted(found)

    def runs(self) -> list[tuple[int, int, int]]:
        """(start, stop, period) wherever the lines from start to stop are those that stand a period further on."""
        codes = self.codes()
        found = []
        for period in range(1, min(LONGEST, len(codes) // LEAST) + 1):
            same = np.concatenate([[False], codes[:-period] == codes[period:], [False]])
            edges = np.flatnonzero(same[1:] != same[:-1]).reshape(-1, 2)
            long = edges[edges[:, 1] - edges[:, 0] >= shortest(period)]
            found += [(start, stop, period) for start, stop in long.tolist()]
        return found

    def codes(self) -> Any:
        """A number for each line; the same for those that differ in steps and in whose results they read."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(self.pattern(line), len(numbers)) for line in self.lines])

    def pattern(self, line: Line) -> str:
        def blank(node: Any, in_index: bool) -> Any:
            if isinstance(node, ast.Name):
                return f"?{self.shown(node.id)}" if node.id in self.order else node.id
            if isinstance(node, ast.Constant):
                return "#" if in_index and type(node.value) is int else repr(node.value)
            if isinstance(node, ast.Subscript):
                return "[]", blank(node.value, in_index), blank(node.slice, True)
            if isinstance(node, ast.AST):
                return type(node).__name__, *(blank(part, in_index) for _, part in ast.iter_fields(node))
            return tuple(blank(part, in_index) for part in node) if isinstance(node, list) else node

        return repr((blank(line.expr, False), line.comment, line.keep))

    def shown(self, key: str) -> str:
        """The argument of which a line is a view; nothing, if it is none."""
        while key in self.order:
            expr = self.lines[self.order[key]].expr
            if not is_view(expr):
                return ""
            key = next(name for name in s.names_in(expr) if name.startswith("@"))
        return key

    def turned(self, start: int, stop: int, period: int) -> int:
        """The start at which a pass hands on least to the next one, the first of those."""
        if stop - start < (LEAST + 1) * period:
            return start
        reads = [
            (i, j)
            for i in range(start + period, start + 2 * period)
            for name in {*s.names_in(self.lines[i].expr)}
            if (j := self.order.get(name, -1)) >= start
        ]

        def handed_on(turn: int) -> int:
            return len({j % period for i, j in reads if (i - turn) // period != (j - turn) // period})

        return min(range(start, start + period), key=lambda turn: (handed_on(turn), turn))

    # One loop -----------------------------------------------------------------------------------------------------

    def attempt(self, start: int, period: int, count: int) -> tuple[int, Loop] | None:
        """Where a loop begins, and the loop: all passes, or without a few at its ends; two or three of them at once, if
        their lines only look the same."""
        for fewer, first, times in self.attempts(count):
            before = [(loop, {**loop.stored}, {*loop.named}) for loop in self.loops]
            try:
                at = start + first * period
                return at, self.loop(at, times * period, (count - fewer) // times)
            except Different:
                for loop, stored, named in before:
                    loop.stored, loop.named = stored, named
        return None

    def attempts(self, count: int) -> Iterator[tuple[int, int, int]]:
        """(passes left out, those of them at the beginning, passes taken together)"""
        for times in (1, 2, 3):
            for fewer in range(5):
                for first in range(fewer + 1):
                    if count - fewer >= LEAST * times and not (count - fewer) % times:
                        yield fewer, first, times

    def loop(self, start: int, period: int, count: int) -> Loop:
        body = Body(self, start, period, count)
        lines = []
        for place in range(period):
            passes = [self.lines[start + k * period + place] for k in range(count)]
            first = passes[0]
            lines.append(
                Line(
                    first.key,
                    first.name,
                    body.merged([line.expr for line in passes]),
                    first.comment,
                    first.keep,
                )
            )
        return body.finished(lines)

    # Reading what loops have found --------------------------------------------------------------------------------

    def read(self, expr: Expr) -> Expr:
        """An expression beside the loops, with their results where it reads them."""
        if not any(name in self.element for name in s.names_in(expr)):
            return expr
        return Outside(self).visit(s.copy(expr))  # type: ignore[no-any-return]

    def one(self, key: str) -> Expr:
        """What one pass of a loop found: the last one by its name, others from the list."""
        loop, place, k = self.element[key]
        if k == loop.count - 1:
            loop.named.add(loop.lines[place].key)
            return s.name(loop.lines[place].key)
        if k < 0 and place not in loop.stored:
            return s.name(key)
        return self.of_passes(loop, place, (0, k))

    def of_passes(self, loop: Loop, place: int, form: Form) -> Expr:
        """What pass a k + b of a loop found in a line, for any k; a view is made again, of what it shows."""
        if self.is_view(loop, place):
            shown: dict[str, Expr] = {}
            for name in s.names_in(loop.lines[place].expr):
                if name in self.forms:
                    a, b = self.forms[name]
                    shown[name] = self.counted((a * form[0], a * form[1] + b))
                elif name in loop.places:
                    at, back = loop.places[name]
                    shown[name] = self.of_passes(loop, at, (form[0], form[1] - back))
            return s.replace(loop.lines[place].expr, shown)
        return s.index(
            self.steps(loop, place), [self.counted((form[0], form[1] + loop.first_in_list(place)))]
        )

    def is_view(self, loop: Loop, place: int) -> bool:
        """Whether a line shows an array, or part of one; of the pass before it must be one that is in a list."""
        expr = loop.lines[place].expr
        before = [
            at for name in s.names_in(expr) if name in loop.places for at, back in [loop.places[name]] if back
        ]
        return is_view(expr) and not any(is_view(loop.lines[at].expr) for at in before)

    def steps(self, loop: Loop, place: int) -> Expr:
        """The list of what all passes found in a line."""
        return s.name(loop.stored.setdefault(place, f"@steps{loop.lines[place].key}"))

    def counted(self, form: Form) -> Expr:
        """A number that depends on the pass: its place is held until the loop's variable is known."""
        if form[0] == 0:
            return s.number(form[1])
        key = f"@count{form[0]}:{form[1]}"
        self.forms[key] = form
        return s.name(key)


class Body:
    """A loop under construction: the passes' expressions become one."""

    def __init__(self, rolling: Rolling, start: int, period: int, count: int) -> None:
        self.rolling, self.start, self.period, self.count = rolling, start, period, count
        self.carried: dict[int, Carried] = {}
        self.views: dict[Any, Line] = {}

    def merged(self, trees: Sequence[Any]) -> Any:
        """One tree in place of those of all passes."""
        first = trees[0]
        if any(type(tree) is not type(first) for tree in trees):
            raise Different
        if isinstance(first, ast.Name):
            return self.name([tree.id for tree in trees])
        if isinstance(first, ast.Constant):
            return self.constant([tree.value for tree in trees])
        if isinstance(first, ast.AST):
            fields = {
                key: self.merged([getattr(tree, key) for tree in trees]) for key, _ in ast.iter_fields(first)
            }
            return type(first)(**fields)
        if isinstance(first, list):
            if any(len(tree) != len(first) for tree in trees):
                raise Different
            return [self.merged(parts) for parts in zip(*trees, strict=True)]
        if any(tree != first for tree in trees):
            raise Different
        return first

    def constant(self, values: list[Any]) -> Expr:
        if all(value == values[0] for value in values):
            return ast.Constant(values[0])
        return self.rolling.counted(form_of(values))

    def name(self, keys: list[str]) -> Expr:
        rolling, start, period = self.rolling, self.start, self.period
        if all(key == keys[0] for key in keys):
            if rolling.order.get(keys[0], -1) >= start:
                raise Different  # what one pass finds, and others read
            return rolling.one(keys[0]) if keys[0] in rolling.element else s.name(keys[0])
        if any(key not in rolling.order for key in keys):
            raise Different
        places = [rolling.order[key] - start for key in keys]
        passes = [place // period for place in places]
        if passes == [*range(self.count)] and len({place % period for place in places}) == 1:
            return s.name(rolling.lines[start + places[0]].key)
        if passes[1:] == [*range(self.count - 1)] and len({place % period for place in places[1:]}) == 1:
            return self.of_the_pass_before(places[1] % period, keys[0])
        if all(place < 0 and is_view(rolling.lines[place + start].expr) for place in places):
            return self.view(keys)
        return self.of_another_loop(keys)

    def of_the_pass_before(self, place: int, first: str) -> Expr:
        key = self.rolling.lines[self.start + place].key
        if self.rolling.order.get(first, -1) >= self.start:
            raise Different
        known = self.carried.get(place)
        if known is None:
            read = self.rolling.one(first) if first in self.rolling.element else s.name(first)
            known = self.carried[place] = Carried(f"@before{key}", key, first, read)
        elif known.first != first:
            raise Different
        return s.name(known.key)

    def of_another_loop(self, keys: list[str]) -> Expr:
        rolling = self.rolling
        found = [rolling.element.get(key) for key in keys]
        known = next((x for x in found if x is not None), None)
        if known is None:
            raise Different
        loop, place, _ = known
        first = loop.carried[place].first if place in loop.carried else ""
        passes = []
        for key, x in zip(keys, found, strict=True):
            if x is not None and x[0] is loop and x[1] == place:
                passes.append(x[2])
            elif key == first:
                passes.append(-1)  # what stands before the first pass
            else:
                raise Different
        return rolling.of_passes(loop, place, form_of(passes))

    def view(self, keys: list[str]) -> Expr:
        """Views of what lies before the loop: made again here."""
        lines = [self.rolling.lines[self.rolling.order[key]] for key in keys]
        if tuple(keys) not in self.views:
            again = f"@again{len(self.views)}{self.rolling.lines[self.start].key}"
            expr = self.merged([line.expr for line in lines])
            self.views[tuple(keys)] = Line(again, lines[0].name, expr, lines[0].comment)
        return s.name(self.views[tuple(keys)].key)

    def finished(self, lines: list[Line]) -> Loop:
        """The loop, whose variable is what most of the numbers in it are."""
        rolling = self.rolling
        if not self.carried:
            raise Different  # no recurrence: each pass could have been a row of an array
        loop = Loop(lines, self.count, [*self.views.values()], self.carried)
        rolling.loops.append(loop)
        for k in range(self.count):
            for place in range(self.period):
                rolling.element[rolling.lines[self.start + k * self.period + place].key] = (loop, place, k)
        forms = rolling.forms
        used = Counter(name for line in loop.every for name in s.names_in(line.expr) if name in forms)
        plain = [forms[name] for name, _ in used.most_common() if abs(forms[name][0]) == 1]
        loop.slope, loop.start = plain[0] if plain else (1, 0)
        loop.numbers = {name: loop.number(forms[name]) for name in used}
        return loop


class Outside(ast.NodeTransformer):
    """Reads what loops have found; a list of what one pass after the other found is the loop's own list."""

    def __init__(self, rolling: Rolling) -> None:
        self.rolling = rolling

    def visit_Name(self, node: ast.Name) -> Expr:
        return self.rolling.one(node.id) if node.id in self.rolling.element else node

    def visit_List(self, node: ast.List) -> Expr:
        found: list[Expr] = []
        for run in self.runs(node.elts):
            if len(run) < LEAST:
                found += [self.visit(x) for x in run]
                continue
            loop, place, first = self.rolling.element[run[0].id]
            last = self.rolling.element[run[-1].id][2]
            steps = self.rolling.steps(loop, place)
            skipped, length = loop.first_in_list(place), loop.count + loop.first_in_list(place)
            low, high = sorted((first, last))
            low, high = low + skipped, high + skipped + 1
            if (low, high) != (0, length):
                steps = s.index(steps, [slice(low, high if high < length else None)])
            if first > last:
                steps = ast.Subscript(steps, ast.Slice(None, None, s.number(-1)), ast.Load())
            if len(run) == len(node.elts):
                return steps
            found.append(ast.Starred(steps, ast.Load()))
        return s.list_of(found)

    def runs(self, elements: Sequence[Expr]) -> Iterator[list[Any]]:
        """Elements in a row that are one line of one loop, pass by pass, up or down."""
        run: list[Any] = []
        step = 0
        for x in elements:
            here = self.rolling.element.get(x.id) if isinstance(x, ast.Name) else None
            before = self.rolling.element.get(run[-1].id) if run and isinstance(run[-1], ast.Name) else None
            goes_on = here is not None and before is not None and here[:2] == before[:2]
            difference = here[2] - before[2] if here is not None and before is not None else 0
            if goes_on and abs(difference) == 1 and (len(run) == 1 or difference == step):
                step = difference
                run.append(x)
            else:
                if run:
                    yield run
                run = [x]
        if run:
            yield run


def shortest(period: int) -> int:
    """How many lines must come again, a period further on, to be worth a loop."""
    return -(-max((LEAST - 1) * period, WORTHWHILE) // period) * period


def form_of(numbers: Sequence[Any]) -> Form:
    """a k + b, if that is what they are, integers that differ."""
    if not all(type(x) is int for x in numbers):
        raise Different
    a = numbers[1] - numbers[0]
    if a == 0 or any(y - x != a for x, y in zip(numbers, numbers[1:], strict=False)):  # noqa: RUF007
        raise Different
    return a, numbers[0]


def is_view(expr: Expr) -> bool:
    """Whether an expression only shows another array, in part or turned."""
    if isinstance(expr, ast.Subscript):
        return isinstance(expr.value, ast.Name) or is_view(expr.value)
    if isinstance(expr, ast.Attribute):
        return expr.attr == "T" and (isinstance(expr.value, ast.Name) or is_view(expr.value))
    if isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute):
        inner = expr.func.value
        own = expr.func.attr in ("reshape", "swapaxes", "transpose") and not s.is_numpy(inner)
        return own and (isinstance(inner, ast.Name) or is_view(inner))
    return False
