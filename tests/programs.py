"""Random programs over the whole table of operations, each a function of its seed, and the laws that all of them keep.

    python -m tests.programs 100000          so many cases, and a summary
    python -m tests.programs 1 --from 4711   the case of that seed again

A program is a list of instructions, an operation and its operands each, which are constants or what came before. So
one recipe runs on Values, in compiled code, and in 50 digits of mpmath by the references of `tests.reference`, where
differences are derivatives. How far a float may lie from the truth is not a tolerance but a bound: each node may be
wrong by a few units in its last place, and that counts by the slope of the result with respect to the node.
"""

import argparse
import copy
import math
import operator
import pickle
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

import autograd
from autograd import TABLE, Constant, Value, Vector
from autograd.value import gradients, topological

from .reference import REFERENCE

DIGITS, H = 60, mpf(10) ** -15  # of the truth, and the step of its differences: wrong by some 1e-30
ULPS = 16.0  # how many units in the last place a node may be wrong
EPSILON = sys.float_info.epsilon
NOTHING = 1e-25  # what those differences may give for 0
OPERATORS: dict[str, Any] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "mod": operator.mod,
    "floordiv": operator.floordiv,
    "neg": operator.neg,
    "abs": operator.abs,
}
OWN: dict[str, Any] = {  # operations of a user's, of which NumPy knows nothing
    "own_wave": (
        lambda x: x * math.cos(x),
        (lambda g, out, x: g * (autograd.cos(x) - x * autograd.sin(x)),),
        lambda x: x * mpmath.cos(x),
    ),
    "own_bend": (
        lambda x, y: x * y / (1.0 + y * y),
        (
            lambda g, out, x, y: g * y / (1.0 + y * y),
            lambda g, out, x, y: g * x * (1.0 - y * y) / ((1.0 + y * y) * (1.0 + y * y)),
        ),
        lambda x, y: x * y / (1 + y * y),
    ),
}
CHOICES = {"step", "above", "equal"}  # what they give is 0 or 1, and no more


@contextmanager
def own_operations() -> Iterator[None]:
    """Operations of a user's in the table, for a while."""
    before = dict(vars(Value))
    for name, (formula, rules, reference) in OWN.items():
        autograd.op(name, name, formula, *rules)
        REFERENCE[name] = reference
    try:
        yield
    finally:
        for name in OWN:
            del TABLE[name], REFERENCE[name]
            for kind in (Value, *Value.__subclasses__()):
                if name in vars(kind):
                    delattr(kind, name)
        assert vars(Value).keys() == before.keys()


def distances(op: Any, data: Any) -> list[float]:
    """How far the inputs of an operation are from its kinks, roughly."""
    if op.name in ("div", "mod", "floordiv"):
        return [0.0] if abs(data[1]) < 0.2 else [abs(op.kinks(*data))]
    if callable(op.kinks):
        return [abs(op.kinks(*data))]
    return [math.inf, *(abs(data[0] - kink) for kink in op.kinks)]


# Programs ---------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One instruction: `places` are ints, where an operand stands among what came before, or floats, constants.
    `spelling` says in which of several ways it is written."""

    name: str
    places: tuple[int | float, ...]
    spelling: int


class Program:
    """A random function of one to three numbers, with a point at which it is smooth. Its constants are numbers in
    some places and Values without a gradient in others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.point = [round(rng.uniform(-2.0, 2.0), 3) for _ in range(rng.randint(1, 3))]
        self.steps: list[Step] = []
        self.data = [*self.point]
        self.vectors: list[tuple[int | float, ...]] = []  # weights and inputs that several sums share
        shape = rng.random()
        self.deep, self.wide = shape < 0.01, 0.01 < shape < 0.03
        rows = rng.randint(60, 120) if self.deep else rng.randint(2, 6)
        while rows:
            rows -= self.add(rng.choice(NAMES), rng)
        self.finish(rng)

    def __repr__(self) -> str:
        lines = [f"x{i} = {x!r}" for i, x in enumerate(self.point)]
        lines += [
            f"v{i} = {step.name}({', '.join(map(self.named, step.places))})  # {self.data[i]:.6g}"
            for i, step in enumerate(self.steps, len(self.point))
        ]
        return f"Program({self.seed}):\n" + "\n".join(lines)

    def named(self, place: int | float) -> str:
        return repr(place) if isinstance(place, float) else f"{'xv'[place >= len(self.point)]}{place}"

    # how it is made

    def operand(self, rng: random.Random) -> int | float:
        """Something that came before, in a deep program often the last; now and then a constant."""
        if rng.random() < 0.15:
            return rng.choice([0.5, 2.0, -1.0, 1.0, round(rng.uniform(-2.0, 2.0), 2)])
        if self.deep and rng.random() < 0.6:
            return len(self.data) - 1
        return rng.randrange(len(self.data))

    def number(self, place: int | float) -> float:
        return place if isinstance(place, float) else self.data[place]

    def name_at(self, place: int | float) -> str:
        """The operation whose result stands there; none of a constant or a leaf."""
        leaf = isinstance(place, float) or place < len(self.point)
        return "" if leaf else self.steps[int(place) - len(self.point)].name

    def put(self, name: str, places: tuple[int | float, ...], spelling: int = 0) -> int:
        """The place of a new step."""
        self.steps.append(Step(name, places, spelling))
        self.data.append(float(TABLE[name].formula(*map(self.number, places))))
        return len(self.data) - 1

    def inside(self, place: int | float, interval: Any) -> int | float:
        """The operand itself if it lies well inside the interval, or else a smooth map of it that does."""
        low, high = interval
        x = self.number(place)
        if low + 0.05 < x < high - 0.05:
            return place
        if isinstance(place, float):
            return float(low + 0.75 if math.isinf(high) else low + 0.75 * (high - low))
        if math.isinf(high):
            square = self.put("mul", (place, place))
            return self.put("add", (self.put("sqrt", (self.put("add", (square, 1.0)),)), low + 0.3))
        share = self.put("sigmoid", (self.put("tanh", (place,)),))
        return self.put("add", (self.put("mul", (share, 0.8 * (high - low))), low + 0.1 * (high - low)))

    def add(self, name: str, rng: random.Random) -> bool:
        """Another row, unless its result would be too large, or stand too near to a kink, to be compared."""
        op, spelling = TABLE[name], rng.randrange(6)
        kept = len(self.steps)
        if name == "dot":
            places = self.dot_operands(rng)
        elif op.variadic:
            count = rng.randint(20, 60) if self.wide else rng.randint(1, 5)
            places = tuple(self.operand(rng) for _ in range(count))
            if name == "pick":
                places += (float(rng.randrange(count)),)
        else:
            places = tuple(self.inside(self.operand(rng), interval) for interval in op.domain)
            if name == "where" and spelling < 4:
                condition = self.put("above", (self.operand(rng), self.operand(rng)))
                places = (condition, *places[1:])
            if name == "pow" and spelling < 2:  # of any base
                places = (self.operand(rng), rng.choice([2.0, 3.0, 1.0, 0.0]))
            if len(places) == 2 and rng.random() < 0.1:
                places = (places[0], places[0])  # twice the same, if it may
        if any(isinstance(p, int) for p in places):
            self.put(name, places, spelling)
        if len(self.steps) > kept and all(map(self.usable, range(kept, len(self.steps)))):
            return True
        del self.steps[kept:], self.data[len(self.point) + kept :]
        self.vectors = [v for v in self.vectors if all(isinstance(p, float) or p < len(self.data) for p in v)]
        return False

    def dot_operands(self, rng: random.Random) -> tuple[int | float, ...]:
        count = rng.randint(20, 60) if self.wide else rng.randint(1, 5)
        known = [v for v in self.vectors if len(v) == count]
        both = []
        for _ in range(2):
            new = tuple(self.operand(rng) for _ in range(count))
            both.append(rng.choice(known) if known and rng.random() < 0.6 else new)
        self.vectors += both
        return (*both[0], *both[1], self.operand(rng) if rng.random() < 0.7 else 0.0)

    def usable(self, i: int, data: list[float] | None = None) -> bool:
        """Whether step i has a finite result of a moderate size, and lies apart from the kinks."""
        data = data or self.data
        step, op, out = self.steps[i], TABLE[self.steps[i].name], data[len(self.point) + i]
        xs = [p if isinstance(p, float) else data[p] for p in step.places]
        if not abs(out) < 1e4:
            return False
        if step.name == "where" and self.name_at(step.places[0]) in CHOICES:
            return True
        if step.name == "atan2" and (abs(xs[0]) < 1e-3 or abs(xs[1]) < 1e-3):
            return False
        if step.name in ("norm", "hypot") and out < 0.05:
            return False
        if step.name == "largest":  # a tie of different things is a kink
            by_place = sorted({repr(p): x for p, x in zip(step.places, xs, strict=True)}.values())
            return len(by_place) < 2 or by_place[-1] - by_place[-2] > 1e-3
        if step.name == "softshrink" and xs[1] < 0.0 and abs(xs[0]) < 1e-3:
            return False  # a jump
        if step.name in ("celu", "softplus", "snake") and abs(xs[1]) < 0.05:
            return False  # what they are divided by
        if not op.variadic:
            if not all(low + 0.01 < x < high - 0.01 for x, (low, high) in zip(xs, op.domain, strict=True)):
                whole = step.name == "pow" and isinstance(step.places[1], float) and xs[1] == round(xs[1])
                return whole and abs(xs[0]) > 1e-3
            return min(distances(op, xs)) > 1e-3
        return True

    def finish(self, rng: random.Random) -> None:
        """A last sum of what nothing else reads, so that all of it counts."""
        read = {p for step in self.steps for p in step.places if isinstance(p, int)}
        ends = [i for i in range(len(self.data)) if i not in read]
        weights = [round(rng.uniform(0.3, 1.5), 2) for _ in ends]
        self.put("dot", (*ends, *weights, 0.0), rng.randrange(6))

    # how it runs

    def exact(self, leaves: Any) -> Any:
        """Its value at mpmath's numbers."""
        nodes = [*leaves]
        for step in self.steps:
            xs = [mpf(p) if isinstance(p, float) else nodes[p] for p in step.places]
            nodes.append(mpf(REFERENCE[step.name](*xs)))
        return nodes[-1]

    def smooth_at(self, point: list[float]) -> bool:
        """Whether it may be compared at another point too."""
        data = [*point]
        for i, step in enumerate(self.steps):
            xs = [p if isinstance(p, float) else data[p] for p in step.places]
            data.append(float(TABLE[step.name].formula(*xs)))
            if not self.usable(i, data):
                return False
        return True

    def __call__(self, *leaves: Any) -> Any:
        """The same on Values: folded sums, operators, methods and functions, as each step is spelled."""
        nodes: list[Any] = [*leaves]
        vectors: dict[Any, Vector] = {}

        def vector(places: Any) -> Vector:
            """One and the same for all that read it."""
            key = repr(places)  # 2 is a place, 2.0 a number
            if key not in vectors:
                vectors[key] = Vector([p if isinstance(p, float) else nodes[p] for p in places])
            return vectors[key]

        for name, places, spelling in self.steps:
            xs: Any = [
                (Constant(p) if (spelling + i) % 5 == 0 else p) if isinstance(p, float) else nodes[p]
                for i, p in enumerate(places)
            ]
            half = len(xs) // 2
            if name == "dot" and spelling % 2:
                out = autograd.dot(vector(places[:half]), vector(places[half:-1]), xs[-1])
            elif name == "dot":
                out = autograd.dot(xs[:half], xs[half:-1], xs[-1])
            elif name == "pick" and spelling % 2:
                out = autograd.take(xs[:-1], xs[-1])
            elif name == "sum" and spelling % 2:
                out = sum(xs)
            elif TABLE[name].variadic:
                out = TABLE[name](xs)
            elif name in OPERATORS and spelling % 3:
                out = OPERATORS[name](*xs)
            elif spelling % 2 and isinstance(xs[0], Value):
                out = getattr(xs[0], name)(*xs[1:])
            else:
                out = TABLE[name](*xs)
            nodes.append(out)
        return nodes[-1]


NAMES = (*TABLE, *OWN, *["dot", "sum", "mul", "add", "where", "div"] * 2)


# The truth --------------------------------------------------------------------------------------------------------


def moved(point: Any, *directions: Any) -> list[Any]:
    """The point, moved by a step along each direction, which are added up."""
    return [mpf(x) + H * sum(d) for x, *d in zip(point, *directions, strict=True)]


def true_slope(f: Any, point: Any, u: Any) -> float:
    """d f along u."""
    return float((f(moved(point, u)) - f(moved(point, [-d for d in u]))) / (2 * H))


def true_curvature(f: Any, point: Any, u: Any, v: Any) -> float:
    """u H v."""
    minus = lambda w: [-d for d in w]
    ends = [f(moved(point, a, b)) for a, b in ((u, v), (u, minus(v)), (minus(u), v), (minus(u), minus(v)))]
    return float((ends[0] - ends[1] - ends[2] + ends[3]) / (4 * H * H))


def bound(output: Any, least: float = 0.0, ulps: float = ULPS) -> float:
    """How far from the truth a recorded result may lie, where each node is wrong by a few units in the last place of
    its own and of the terms that it adds up. With `least` by that much at least, in these units."""
    if not isinstance(output, Value):
        return float(ulps * EPSILON * abs(output))
    found = gradients(output)
    total: float = 0.0
    for v in topological(output):
        if found.get(v):  # a branch that is not taken may be infinite
            parts = [abs(d * float(x)) for d, x in zip(v.partials, v.operands, strict=True) if d]
            total += abs(found[v]) * (least + abs(v.data) + sum(parts)) * max(1.0, math.sqrt(len(parts)))
    return ulps * EPSILON * (float(total) + least + abs(float(output)))


def flows(output: Any) -> dict[Value, float]:
    """The gradients of all nodes, were all local gradients positive: what is added up to the true ones."""
    found = {output: 1.0}
    for v in reversed(topological(output)) if isinstance(output, Value) else ():
        for x, d in zip(v.operands, v.partials, strict=True):
            if d and v in found:
                found[x] = found.get(x, 0.0) + abs(d) * found[v]
    return found


# The laws ---------------------------------------------------------------------------------------------------------


def agree(what: str, found: Any, expected: Any, allowed: float) -> None:
    found, expected = float(found), float(expected)
    if not abs(found - expected) <= allowed:
        raise AssertionError(f"{what}: {found!r} for {expected!r}, where {allowed:.3g} is allowed")


def dotted(xs: Any, ys: Any) -> Any:
    return sum(x * y for x, y in zip(xs, ys, strict=True))


def check(program: Program) -> None:
    """All laws for one program; AssertionError where one is broken."""
    rng = random.Random(program.seed + 1)
    point = program.point
    u, v = ([round(rng.uniform(-1.0, 1.0), 2) for _ in point] for _ in range(2))
    leaves = [Value(x) for x in point]
    output = program(*leaves)
    with mpmath.workdps(DIGITS):
        value = float(program.exact([mpf(x) for x in point]))
        unit = lambda i: [float(k == i) for k in range(len(point))]
        slopes = [true_slope(program.exact, point, unit(i)) for i in range(len(point))]
        curvature = true_curvature(program.exact, point, u, v)
    agree("value", output, value, bound(output))

    if not isinstance(output, Value) or not output.requires_grad:  # a choice among constants
        assert not any(slopes)
        return
    recorded = gradients(output, create_graph=True)
    sizes = flows(output)
    allowed = [bound(recorded.get(x, 0.0)) + ULPS * EPSILON * sizes.get(x, 0.0) + NOTHING for x in leaves]
    output.backward()
    for i, x in enumerate(leaves):
        agree(f"backward, x{i}", x.grad, slopes[i], allowed[i])
        agree(f"recorded gradient, x{i}", recorded.get(x, 0.0), slopes[i], allowed[i])
    if rng.random() < 0.25:
        for i, (x, g) in enumerate(zip(leaves, gradient_of(program, point), strict=True)):
            agree(f"grad, x{i}", g, x.grad, 2.0 * allowed[i])
    _, tangent = autograd.jvp(program, tuple(point), tuple(u))
    agree(
        "forward mode", tangent, dotted(slopes, u), sum(abs(a * b) for a, b in zip(allowed, u, strict=True))
    )

    check_second_order(program, leaves, recorded, u, v, curvature)
    check_compiled(program, point, rng, output, recorded, leaves)
    check_carried(program, point, rng, output, leaves)


def gradient_of(program: Program, point: Any) -> Any:
    return autograd.grad(program, argnums=tuple(range(len(point))))(*point)


def check_second_order(program: Any, leaves: Any, recorded: Any, u: Any, v: Any, curvature: float) -> None:
    """u H v is v H u, as forward over reverse too, and as the differences say."""
    sides = []
    for a, b in ((u, v), (v, u)):
        slope = dotted(a, [recorded.get(x, 0.0) for x in leaves])
        found, sizes = (
            (gradients(slope, create_graph=True), flows(slope)) if isinstance(slope, Value) else ({}, {})
        )
        side = dotted(b, [found.get(x, 0.0) for x in leaves])
        sides.append((side, bound(side) + ULPS * EPSILON * sum(sizes.get(x, 0.0) for x in leaves) + NOTHING))
    allowed = sum(a for _, a in sides)
    agree("second order is symmetric", sides[0][0], sides[1][0], allowed)
    agree("second order", sides[0][0], curvature, allowed)
    moves = autograd.hvp(program, tuple(float(x) for x in leaves), tuple(u))
    moves = moves if isinstance(moves, tuple) else (moves,)
    agree("forward over reverse", dotted(moves, v), curvature, allowed)


def check_compiled(program: Any, point: Any, rng: Any, output: Any, recorded: Any, leaves: Any) -> None:
    """Compiled, where it was recorded and at another point, alone or a batch, by inputs or parameters."""
    batch = rng.random() < 0.12
    other = [x + round(rng.uniform(-0.2, 0.2), 3) for x in point]
    points = [point, other] if program.smooth_at(other) else [point]
    by_parameters = len(point) > 1 and rng.random() < 0.3
    results = []
    for at in points:
        if at is point:
            xs, out, slopes = leaves, output, recorded
        else:
            xs = [Value(x) for x in at]
            out = program(*xs)
            slopes = gradients(out, create_graph=True) if isinstance(out, Value) else {}
        sizes = flows(out)
        results.append((out, [(slopes.get(x, 0.0), ULPS * EPSILON * sizes.get(x, 0.0)) for x in xs]))
    if by_parameters:
        w = Value(point[-1])
        compiled = autograd.compile(lambda *xs: program(*xs, w), wrt=w, batch=batch)
        xs, results = point[:-1], results[:1]
        points = [xs]
    else:
        compiled = autograd.compile(program, batch=batch)
    if batch:
        values = compiled(*map(np.array, zip(*points, strict=True)))
        _, gradient = compiled.value_and_grad(*(np.array([x]) for x in points[0]))
        results = results[: len(values)]
        gradients_found = [gradient]
    else:
        both = [compiled.value_and_grad(*at) for at in points]
        values, gradients_found = [value for value, _ in both], [g for _, g in both]
        agree("compiled value alone", compiled(*points[0]), values[0], bound(output, 1.0))
    for found, (out, _) in zip(values, results, strict=True):
        agree("compiled value", found, out, bound(out, 1.0))
    for found, (_, expected) in zip(gradients_found, results, strict=False):
        found = [*np.ravel(found)]
        expected = expected[-1:] if by_parameters else expected
        for i, (got, (true, slack)) in enumerate(zip(found, expected, strict=True)):
            agree(f"compiled gradient {i}", got, true, bound(true, 1.0) + slack)


def check_carried(program: Any, point: Any, rng: Any, output: Any, leaves: Any) -> None:
    """Looked at, copied or pickled, a graph keeps its numbers to the bit."""

    def numbers(output: Any, leaves: Any) -> str:
        found = gradients(output)
        return repr((output.data, [x.grad for x in leaves], [found.get(x, 0.0) for x in leaves]))

    before = numbers(output, leaves)
    way = rng.randrange(16)
    if way < 4:
        both = (copy.deepcopy if way % 2 else lambda x: pickle.loads(pickle.dumps(x)))((output, leaves))
        assert numbers(*both) == before, "a copy or pickle has other numbers"
        return
    if way == 4:
        source = autograd.draw_dot(output).source
        assert f"{output.data:.4f}" in source or len(topological(output)) > 100, (
            "the drawing lacks the result"
        )
    elif way == 5:
        assert repr(output.data) in autograd.explore(output).html, "the page lacks the result"
    elif way == 6:
        autograd.trace(output)
    else:
        return
    # what is folded may have been unfolded: the numbers stay, their sums may round otherwise
    grads = [x.grad for x in leaves]
    assert numbers(output, leaves).startswith(before[: before.index("], [")]), "a look has changed a number"
    assert grads == [x.grad for x in leaves]


# Many -------------------------------------------------------------------------------------------------------------


def run(seeds: Any, report: Any = None) -> tuple[Counter[str], dict[int, str]]:
    """How often each operation took part, and what was broken, by seed."""
    taken: Counter[str] = Counter()
    broken: dict[int, str] = {}
    with own_operations():
        for i, seed in enumerate(seeds):
            program = Program(seed)
            taken.update({step.name for step in program.steps})
            try:
                check(program)
            except Exception as error:
                broken[seed] = f"{type(error).__name__}: {error}\n{program}"
            if report:
                report(i + 1, broken)
    return taken, broken


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.programs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("cases", type=int, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    chosen = parser.parse_args()
    begun = time.perf_counter()

    told: set[int] = set()

    def report(done: int, broken: dict[int, str]) -> None:
        for seed in broken.keys() - told:
            print(f"\nseed {seed}: {broken[seed]}", flush=True)
            told.add(seed)
        if done % 5000 == 0:
            print(f"{done:,} cases, {len(broken)} broken, {time.perf_counter() - begun:.0f} s", flush=True)

    taken, broken = run(range(chosen.first, chosen.first + chosen.cases), report)
    print(f"\n{chosen.cases:,} cases, {len(broken)} broken, {time.perf_counter() - begun:.0f} s")
    print(f"{len(taken)} operations:", ", ".join(f"{name} {n:,}" for name, n in sorted(taken.items())))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
