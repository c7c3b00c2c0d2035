"""How exact the table is: `python -m tests.accuracy` prints the largest error of every op and activation, in ulp.

    python -m tests.accuracy                    the whole table
    python -m tests.accuracy gelu softplus      these
    python -m tests.accuracy --size 1000        at more points
    python -m tests.accuracy --points           and where each figure comes from

Of each: the value, the first and the second derivatives (by each input, by each two of them), as the engine says on
floats, and as a compiled program says in float64. The judge is mpmath, with 50 digits or as many as it takes.

One ulp is the distance between neighbouring doubles at the true value; `reference.ulps` says what it is at the ends.
The bar is 4. Where a formula cannot meet it at a sane cost, `UNITS` says what is counted instead of an ulp, and why.
"""

import argparse
import itertools
import math
import os
import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd
from autograd.ops import TABLE

from .reference import exact, ulps

inf, nan = math.inf, math.nan
BUILT_IN = dict(TABLE)  # what doctests and other tests define comes and goes
TINY, MAX = 5e-324, sys.float_info.max
PERIODIC = {"floordiv", "mod", "floor", "ceil", "round"}  # their kinks are everywhere
ORDERS = ("value", "first", "second")
WAYS = ("eager", "compiled")
BAR = 4.0
# Before 2.0 NumPy's own tan, sinh, cosh and tanh were less exact.
BARS = {"eager": BAR, "compiled": BAR if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 6.0}

# Where ------------------------------------------------------------------------------------------------------------

# Small whole numbers; where sigmoid and tanh reach 1, where e^(-x^2), e^(-x^2 / 2), e^x and x^2 leave the doubles
LANDMARKS = [0.5, 1.0, 2.0, 3.0, 6.0, 18.4, 19.1, 22.2, 26.6, 27.3, 36.8, 37.7, 38.6, 708.3964185322641]
LANDMARKS += [
    709.782712893384,
    710.4758600739439,
    744.4400719213812,
    745.1332191019412,
    1.3407807929942597e154,
]
TINIES = [TINY, 2e-323, 1e-310, 2.2250738585072014e-308, 1e-300, 1.5e-154, 1e-16, 1e-8]
EXPONENTS = [(y,) for y in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 64.0, -1.0, -2.0, -3.0, -4.0, 0.5, -0.5, 1.0 / 3.0)]
SPECIAL = [0.0, -0.0, inf, -inf, nan]
# Beyond this, in or out, a derivative with several inputs is not asked for: parts of it leave the doubles
REACH = (0.0, 1e300, 1e75)


def beside(x):
    """A double and its neighbours."""
    return [math.nextafter(x, -inf), x, math.nextafter(x, inf)]


def either(xs):
    return [sign * x for x in xs for sign in (1.0, -1.0)]


def line(entry, size, rng):
    """Points for the first input: every magnitude, the middle, kinks and landmarks with their neighbours."""
    exponents = np.linspace(-1074, 1023, size // 2).astype(int).tolist()
    kinks = [0.0, -1.0, 2.0] if callable(entry.kinks) else [0.0, *entry.kinks]
    xs = [rng.choice((-1.0, 1.0)) * math.ldexp(rng.uniform(1.0, 2.0), e) for e in exponents]
    xs += [-40.0 + 80.0 * (i + rng.random()) / size for i in range(size)]
    xs += [-3.0 + 6.0 * (i + rng.random()) / size for i in range(size // 2)]
    xs += either([y for x in LANDMARKS for y in beside(x)] + TINIES + [MAX])
    xs += [y for x in kinks for y in beside(x)] + [-0.0]
    low, high = entry.domain[0]
    return [x for x in xs if low < x < high]


def operand(interval, rng):
    """A number of an interval: of moderate size, or of any."""
    low, high = interval
    kind, sign = rng.random(), rng.choice((-1.0, 1.0))
    if kind < 0.4:
        x = rng.gauss(0.0, 3.0)
    elif kind < 0.8:
        x = sign * 10.0 ** rng.uniform(-3.0, 3.0)
    else:
        x = sign * math.ldexp(rng.uniform(1.0, 2.0), rng.randint(-1074, 1023))
    return next((y for y in (x, abs(x)) if low < y < high), rng.uniform(max(low, -1.0), min(high, 1.0)))


def mixed(entry, size, rng):
    """Points for all inputs: settings moderate and in order, operands of every magnitude, pairs of landmarks."""
    if entry.name == "where":
        return [(float(rng.random() < 0.5), rng.gauss(0.0, 2.0), rng.gauss(0.0, 2.0)) for _ in range(size)]
    operands = len(entry.rules) - entry.parameters
    found = []
    for _ in range(size):
        settings = sorted(rng.uniform(0.2, 3.0) for _ in range(entry.parameters))
        found.append((*(operand(interval, rng) for interval in entry.domain[:operands]), *settings))
    if not entry.parameters:
        found += itertools.product(either([*TINIES[::2], 0.5, 3.0, 1e16, 1e154, MAX]), repeat=operands)
    elif entry.name == "pow":
        found += [(operand(entry.domain[0], rng), rng.gauss(0.0, 3.0)) for _ in range(size)]
    return [
        xs for xs in found if all(low < x < high for x, (low, high) in zip(xs, entry.domain, strict=True))
    ]


def row(n, rng):
    """A vector: its elements alike or far apart."""
    scale = 10.0 ** rng.choice((0.0, 0.0, 0.0, 2.0, -100.0, 100.0))
    return tuple(scale * rng.gauss(0.0, 1.0) * 10.0 ** rng.choice((0.0, 0.0, -3.0, -9.0)) for _ in range(n))


def cases(entry, size):
    """(points, settings that stay) of an entry: its first input alone at the usual settings, and all together."""
    rng, n = random.Random(entry.name), len(entry.rules)
    if entry.variadic:
        for k in (3, 5):
            last = (float(rng.randrange(k)),) if entry.name == "pick" else ()
            yield [row(k, rng) for _ in range(size // 2)], last
        return
    if n == 1 + len(entry.defaults):
        usual = [(-1.0, 2.0)[i] if math.isinf(x) else x for i, x in enumerate(entry.defaults)]  # of clamp
        yield [(x,) for x in line(entry, size, rng)], tuple(usual)
        if usual:  # others, written into the program
            others = sorted(rng.uniform(0.3, 2.0) for _ in usual)
            yield [(x,) for x in line(entry, size // 4, rng)], tuple(others)
    elif entry.name == "pow":
        for exponent in EXPONENTS:
            yield [(x,) for x in line(entry, size // 8, rng)], exponent
    if n > 1:
        yield mixed(entry, size, rng), ()


def at_kink(entry, xs, near=0.0):
    """Whether a derivative jumps there."""
    if not callable(entry.kinks):
        return any(abs(xs[0] - x) <= near for x in entry.kinks)
    if entry.name in PERIODIC:
        halves = 2.0 * xs[0] / (xs[1] if len(xs) > 1 else 1.0)
        return math.isinf(halves) or abs(halves - round(halves)) <= max(near, 1e-9)
    return entry.name != "where" and abs(entry.kinks(*xs)) <= near


# What is counted --------------------------------------------------------------------------------------------------

# Why a figure is not in ulp of the result
REASONS = {
    "z": "near a zero, where terms cancel: in ulp of the largest of them",
    "a": "of a rounded argument, as e^(x - y): half an ulp for each unit of it is let pass",
    "s": "a product with a factor that is subnormal: in 2^-1074 times the other factor",
    "r": "a product of many factors, or a high power of a rounded root, whose error counts as often: in 2 ulp",
}


@dataclass
class Unit:
    """What an error is counted in where it is not an ulp: `size(*inputs)` gives the number whose ulp it is, or, of
    reason "s", how many times 2^-1074, of "a", how large the rounded argument is, of "r", how many ulp."""

    reason: str
    size: Callable[..., float] = lambda *xs: 2.0

    def of(self, xs, true):
        ulp = math.ulp(min(abs(true), MAX))
        size = self.size(*xs)
        if self.reason == "z":
            return max(ulp, math.ulp(size))
        if self.reason == "s":
            return max(ulp, TINY * size)
        return ulp * (1.0 + size / BAR if self.reason == "a" else size)


def e(x):
    return math.exp(min(x, 700.0))


def s(x):
    """sigmoid"""
    return 1.0 / (1.0 + e(-x))


def phi(x):
    return 0.4 * e(-0.5 * min(x * x, 1e4))


def log(x):
    return math.log(x) if x else -745.0


def log_of(x):
    return abs(log(x))


def differences(*xs):
    return max(xs) - min(xs)


def sizes(*xs):
    return sum(map(abs, xs))


def products(*wxb):
    n = len(wxb) // 2
    return sizes(*(w * x for w, x in zip(wxb[:n], wxb[n:-1], strict=True)), wxb[-1])


def gate(x, b=1.0):
    """The larger of the terms of silu'(x), s(b x) (1 + b x s(-b x))."""
    return s(b * x) * max(1.0, abs(b * x) * s(-b * x))


def bend(x, b=1.0):
    """And of silu''(x)."""
    return b * s(b * x) * s(-b * x) * (1.0 + abs(b * x))


def turn(x, a):
    """How much a rounded a x counts in its sine."""
    return 1.0 if a == 1.0 else (1.0 + abs(a * x)) / min(a, 1.0) ** 3


def near(x, size):
    """`size` where x is moderate: where gelu and its kin are not monotone."""
    return size if abs(x) < 4.0 else 0.0


# (op, how often it is differentiated, or by which inputs) -> units; the largest counts
UNITS: dict[tuple[str, Any], list[Unit]] = {
    # sums
    ("sum", 0): [Unit("z", sizes)],
    ("mean", 0): [Unit("z", lambda *xs: sizes(*xs) / len(xs))],
    ("dot", 0): [Unit("z", products)],
    ("logsumexp", 1): [Unit("a", differences)],
    ("logsumexp", 2): [Unit("a", differences), Unit("z", lambda *xs: 0.25)],
    # powers and roots: x^(y - 1), y - 1 rounded; 1 / h - x^2 / h^3
    ("pow", 1): [Unit("a", lambda x, y: abs(y - 1.0) * log_of(x))],
    ("pow", 2): [Unit("a", lambda x, y: 2.0 * abs(y - 2.0) * log_of(x)), Unit("z", lambda x, y: e((y - 1.0) * log(x)))],
    ("norm", 2): [Unit("z", lambda *xs: 1.0 / math.hypot(*xs))],
    ("hypot", 2): [Unit("z", lambda x, y: 1.0 / math.hypot(x, y))],
    ("atan2", 2): [Unit("z", lambda y, x: 1.0 / math.hypot(x, y) ** 2), Unit("r")],
    ("squareplus", 1): [Unit("r")],
    ("squareplus", 2): [Unit("z", lambda x, b: 1.0 / math.hypot(x, math.sqrt(b)))],
    ("isru", 1): [Unit("r")],
    ("isru", 2): [Unit("r", lambda x, a: 3.0)],
    ("cbrt", 2): [Unit("r", lambda x: 3.0)],
    **{(name, 2): [Unit("r")] for name in ("sqrt", "asin", "acos", "atan", "asinh", "acosh")},
    # the bell curve
    ("gaussian", 1): [Unit("s", lambda x: 60.0)],
    ("gaussian", 2): [Unit("z", lambda x: max(2.0, 4.0 * x * x) * e(-min(x * x, 600.0))), Unit("s", lambda x: 3e3)],
    ("normal_pdf", 1): [Unit("s", lambda x: 40.0)],
    ("normal_pdf", 2): [Unit("z", lambda x: max(1.0, x * x) * phi(x)), Unit("s", lambda x: 3e3)],
    **{(name, 2): [Unit("s", lambda x: 60.0)] for name in ("normal_cdf", "erf", "erfc")},
    ("gelu", 1): [Unit("z", lambda x: near(x, 2.0 * abs(x) * phi(x))), Unit("s", lambda x: 40.0)],
    ("gelu", 2): [Unit("z", lambda x: near(x, max(2.0, x * x) * phi(x))), Unit("s", lambda x: 3e3)],
    ("gelu_tanh", 1): [Unit("z", lambda x: near(x, 2.0 * abs(x) * phi(x))), Unit("s", lambda x: 1e3)],
    ("gelu_tanh", 2): [
        Unit("z", lambda x: near(x, max(2.0, x * x) * phi(x))), Unit("s", lambda x: 2e5), Unit("r", lambda x: 3.0)
    ],
    ("normal_cdf_tanh", 1): [Unit("s", lambda x: 100.0), Unit("r")],
    ("normal_cdf_tanh", 2): [Unit("z", lambda x: near(x, phi(x))), Unit("s", lambda x: 1e5), Unit("r")],
    # sigmoid and its kin
    ("logistic_pdf", 2): [Unit("z", lambda x: s(x) * s(-x))],
    ("sech2", 2): [Unit("z", lambda x: 8.0 * s(2.0 * x) * s(-2.0 * x)), Unit("r")],
    ("steep_sigmoid", (1,)): [Unit("s", lambda x, b: abs(x))],
    ("steep_sigmoid", 2): [
        Unit("z", lambda x, b: max(1.0, b, min(abs(x), 1e6)) ** 2 * s(b * x) * s(-b * x)), Unit("r")
    ],
    ("softplus", (1,)): [Unit("s", lambda x, b: abs(x)), Unit("r")],
    ("softplus", (0, 1)): [Unit("s", lambda x, b: x * x)],
    ("softplus", (1, 1)): [Unit("s", lambda x, b: x * x), Unit("r")],
    ("silu", (0,)): [Unit("z", gate), Unit("s", lambda x, b: abs(b * x))],
    ("silu", (1,)): [Unit("s", lambda x, b: x * x), Unit("r")],
    ("silu", (0, 0)): [Unit("z", bend), Unit("s", lambda x, b: abs(b * x)), Unit("r")],
    ("silu", (0, 1)): [Unit("z", lambda x, b: abs(x) * bend(x, b))],
    ("silu", (1, 1)): [Unit("z", lambda x, b: min(abs(x), 1e6) ** 3 * bend(x, b)), Unit("r")],
    ("quick_gelu", 1): [Unit("z", lambda x: gate(x, 1.702)), Unit("s", abs)],
    ("quick_gelu", 2): [Unit("z", lambda x: bend(x, 1.702)), Unit("s", lambda x: 2.0 * abs(x)), Unit("r")],
    ("mish", 1): [Unit("z", lambda x: near(x, 2.0 * gate(x))), Unit("s", abs), Unit("r")],
    ("mish", 2): [Unit("z", lambda x: near(x, bend(x))), Unit("s", abs), Unit("a", lambda x: 2.0 * max(x, 4.0))],
    ("lisht", 2): [Unit("z", lambda x: 4.0 * bend(2.0 * x)), Unit("s", abs)],
    # settings that are learned: e^(x / a) - 1 - x / a e^(x / a), x / a rounded; sin(a x), a x rounded
    ("celu", (0,)): [Unit("a", lambda x, a: abs(x / a))],
    ("celu", (1,)): [Unit("z", lambda x, a: min(1.0, abs(x / a)))],
    ("celu", 2): [Unit("a", lambda x, a: 2.0 * abs(x / a))],
    ("celu", (1, 1)): [Unit("z", lambda x, a: min(1.0, abs(x / a)))],
    ("snake", (0,)): [Unit("z", turn)],
    ("snake", (1,)): [Unit("z", lambda x, a: abs(x) * turn(x, a))],
    ("snake", (0, 0)): [Unit("z", lambda x, a: 2.0 * a * turn(x, a))],
    ("snake", (0, 1)): [Unit("z", lambda x, a: 2.0 * abs(x) * turn(x, a))],
    ("snake", (1, 1)): [Unit("z", lambda x, a: 2.0 * (abs(x) + 1.0) ** 2 * turn(x, a))],
}  # fmt: skip


def unit(name, wrt, xs, true):
    """(what an error is counted in, the reasons why it is not an ulp)."""
    found = [*UNITS.get((name, len(wrt)), ()), *UNITS.get((name, wrt), ())]
    sizes = [(u.of(xs, true), u.reason) for u in found]
    ulp = math.ulp(min(abs(true), MAX))
    return max([ulp, *(size for size, _ in sizes)]), {reason for size, reason in sizes if size > ulp}


# How it is measured -----------------------------------------------------------------------------------------------


def derivatives(n):
    """Which inputs to differentiate by, one after the other: none, each, each two."""
    return [(), *((i,) for i in range(n)), *itertools.combinations_with_replacement(range(n), 2)]


def record(entry, inputs):
    """The operation on Values, as a user calls it."""
    if entry.name == "dot":
        n = len(inputs) // 2
        return autograd.dot(inputs[:n], inputs[n:-1], inputs[-1])
    return entry(inputs) if entry.variadic else entry(*inputs)


def function(entry, n, settings):
    """(*xs) -> value, first and second derivatives, in the order of `derivatives`; to be run, or compiled."""

    def each(wrt):
        f = lambda *xs: record(entry, [*xs, *settings])
        for i in wrt:
            f = autograd.grad(f, i)
        return f

    every = [each(wrt) for wrt in derivatives(n)]
    return lambda *xs: [f(*xs) for f in every]


def answers(entry, points, settings):
    """What the engine and a compiled program say: two arrays of len(points) x derivatives."""
    f = function(entry, len(points[0]), settings)
    eager = np.array([[float(x) for x in f(*xs)] for xs in points])
    return eager, autograd.compile(f, batch=True)(*np.array(points).T)


def truth(entry, xs, settings, wrt):
    """The exact number; None where there is none, at a kink, a pole, beyond the domain, or none is asked for."""
    every = (*xs, *settings)
    if wrt and at_kink(entry, every):
        return None
    if wrt and len(xs) > 1 and any(x and not 1.0 / REACH[len(wrt)] < abs(x) < REACH[len(wrt)] for x in xs):
        return None
    try:
        return exact(entry.name, every, wrt)
    except (ZeroDivisionError, ValueError, TypeError):
        return None


@dataclass
class Worst:
    """The largest error of a kind, and where it is."""

    error: float = 0.0
    xs: tuple = ()
    wrt: tuple = ()
    got: float = 0.0
    true: float = 0.0

    def __str__(self):
        by = f" by {', '.join(map(str, self.wrt))}" if len(self.xs) > 1 and self.wrt else ""
        return f"{self.error:.2f} at {', '.join(map(repr, self.xs))}{by}: {self.got!r}, not {self.true!r}"


@dataclass
class Row:
    """What was found of one entry: the worst of each order and way, and the reasons for other units than ulp."""

    name: str
    points: int = 0
    worst: dict = field(default_factory=lambda: {(o, w): Worst() for o in range(3) for w in WAYS})
    reasons: dict = field(default_factory=lambda: {o: set() for o in range(3)})
    edges: list = field(default_factory=list)

    def worst_point(self):
        """Where the largest of all errors is."""
        (order, _), worst = max(self.worst.items(), key=lambda item: item[1].error)
        return f"{ORDERS[order]} at {', '.join(f'{x:.9g}' for x in worst.xs)}" if worst.error else "exact"


def measure(name, size):
    """A row of the table."""
    entry, row = BUILT_IN[name], Row(name)
    for points, settings in cases(entry, size):
        found = answers(entry, points, settings)
        row.points += len(points)
        for (k, xs), (j, wrt) in itertools.product(enumerate(points), enumerate(derivatives(len(points[0])))):
            true = truth(entry, xs, settings, wrt)
            if true is None:
                continue
            every, order, nearest = (*xs, *settings), len(wrt), float(true)
            if order and math.isinf(nearest):
                continue  # inf, or nan by way of 0 inf
            counted, reasons = unit(name, wrt, every, nearest)
            ulp = math.ulp(min(abs(nearest), MAX))
            for way, got in zip(WAYS, found, strict=True):
                error = ulps(float(got[k, j]), true)
                if error * ulp / counted > 0.5:
                    row.reasons[order] |= reasons
                error *= ulp / counted
                if error > row.worst[order, way].error:
                    row.worst[order, way] = Worst(error, every, wrt, float(got[k, j]), nearest)
    row.edges = disagreements(entry)
    return row


def disagreements(entry):
    """Where the two ways differ in nan or infinity at +-0, +-inf and nan. Signs of zeros are free."""
    if entry.variadic:
        return []
    n, found = len(entry.rules) - 1, []
    others = entry.defaults if len(entry.defaults) == n else (2.0,) * n
    eager, compiled = answers(entry, [(x,) for x in SPECIAL], others)
    for order in range(
        2
    ):  # of second derivatives, the engine says 0 inf = nan where a program knows of the 0
        for x, a, b in zip(SPECIAL, eager[:, order].tolist(), compiled[:, order].tolist(), strict=True):
            if not (a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) < 1e-15):
                found.append(f"{entry.name}, {ORDERS[order]} at {x}: {a} eager, {b} compiled")
    return found


def table(names, size):
    """The rows, each as soon as it and those before it are there."""
    if len(names) < 3:
        yield from (measure(name, size) for name in names)
        return
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(measure, names, itertools.repeat(size))


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.accuracy", description="Errors of the table, in ulp."
    )
    parser.add_argument("names", nargs="*", help="ops and activations; without, all of them")
    parser.add_argument(
        "--size", type=int, default=300, help="how many points, about half as many as are taken"
    )
    parser.add_argument("--points", action="store_true", help="where each figure comes from")
    chosen = parser.parse_args(arguments)
    names = chosen.names or list(BUILT_IN)
    for name in names:
        if name not in BUILT_IN:
            parser.error(f"no op of the table. Received: {name}")
    print(f"{'':18}{'value':>15}{'first':>18}{'second derivative':>22}{'the largest of them':>24}")
    print(f"{'':18}" + "   eager compiled " * 3)
    reasons, edges = set(), []
    for found in table(names, chosen.size):
        cells = []
        for order in range(3):
            cells += [f"{found.worst[order, way].error:8.2f}" for way in WAYS]
            cells.append("".join(sorted(found.reasons[order])).ljust(2))
            reasons |= found.reasons[order]
        print(f"{found.name:16}", *cells, found.worst_point(), flush=True)
        edges += found.edges
        if chosen.points:
            for (order, way), worst in found.worst.items():
                if worst.error:
                    print(f"    {ORDERS[order]}, {way}: {worst}")
    for reason in sorted(reasons):
        print(f"{reason}: {REASONS[reason]}")
    for disagreement in edges:
        print(disagreement)


if __name__ == "__main__":
    main()
