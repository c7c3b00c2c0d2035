"""`python -m tests.benchmarks [--only ROW] [--growth [--plot FILE]] [--json] [--repeats N]`: how fast, beside whom."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from . import growth
from .irregular import NODES
from .job import OURS
from .race import ENVIRONMENT, ROOT, Worker, duration, race
from .work import JOBS


class Bar(NamedTuple):
    """What is asked of a ratio, and what is hoped for."""

    limit: float | None
    goal: float | None = None
    at_least: bool = True  # of their time to ours; else: at most, of our time to theirs

    def verdict(self, theirs: float, ours: float = 1.0) -> str:
        ratio = theirs / ours if self.at_least else ours / theirs
        sign = ">=" if self.at_least else "<="
        found = [] if self.at_least else [f"ours {ratio:.3g}x its time"]
        for word, limit, missed in (("bar", self.limit, "MISSED"), ("goal", self.goal, "missed")):
            if limit is not None:
                met = ratio >= limit if self.at_least else ratio <= limit
                found.append(f"{word} {sign} {limit:g}x: {'met' if met else missed}")
        return ", ".join(found)


def at_most(limit: float | None, goal: float | None = None) -> Bar:
    return Bar(limit, goal, at_least=False)


class Row(NamedTuple):
    name: str  # in JOBS
    title: str
    bars: dict[str, Bar]
    tolerance: float = 1e-9  # up to which the numbers of all engines agree
    nodes: int = 0  # where the time of one node is of interest: their number


FASTER = Bar(1.0)
ROWS = [
    Row("readme", "(a) README expression, forward + backward", {"micrograd": Bar(3.0, 5.0)}),
    Row("by hand", "(b) moons step, binary operations by hand", {"micrograd": Bar(8.0, 15.0)}),
    Row("nn.MLP", "(b) moons step, nn.MLP", {"micrograd": Bar(50.0, 200.0)}),
    Row("nn GPT", "GPT of one block, 8 tokens and a step of Adam, nn", {"scalars": Bar(3.0, 8.0)}),
    Row(
        "compiled readme",
        "(a) README expression, compiled, value and both gradients",
        {"micrograd": Bar(15.0, 90.0), "jax": FASTER},
    ),
    Row(
        "compiled moons",
        "(b) moons step, compiled",
        {"NumPy": at_most(1.25, 1.0), "torch": Bar(5.0), "jax": FASTER},
    ),
    *(
        Row(
            f"compiled gpt {length}",
            f"(c) GPT of one block, {length} tokens and a step of Adam, compiled",
            {
                "scalars": Bar(300.0),
                "plain NumPy": FASTER,
                "NumPy": FASTER,
                "torch": Bar(3.0),
                "jax": Bar(None, 1.0),
            },
        )
        for length in (8, 16)
    ),
    Row("compiled gpt gradients", "(c) the same, 8 tokens, loss and gradients alone", {}),
    *(
        Row(
            f"compiled digits {dtype}",
            f"(d) 784-128-10, batch 64, a step in {dtype}, compiled",
            {"NumPy": at_most(1.15, 1.0), "torch": FASTER, "jax": Bar(None, 1.0)},
            tolerance,
        )
        for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-4))
    ),
    Row(
        "compiled convolution",
        "3x3 convolution on 8x8, batch 64, value and gradients, compiled",
        {"plain NumPy": at_most(1.5, 1.0), "NumPy": at_most(1.5, 1.0)},
    ),
    Row(
        "compiled convolution step",
        "the same before a linear layer, a step, compiled",
        {"NumPy": at_most(1.5, 1.0)},
    ),
    Row(
        "compiled lstm",
        "LSTM of 16, 20 steps, batch 32, value and gradients, compiled",
        {"plain NumPy": at_most(1.5), "NumPy": at_most(1.5)},
    ),
    *(
        Row(
            f"compiled irregular {near}",
            f"{NODES:,} random operations, {near}, value and gradient, compiled",
            {"eager": FASTER},
            nodes=NODES,
        )
        for near in ("wide", "deep")
    ),
]


def measure(what: str, engine: str = OURS) -> Any:
    """What a worker measured once; None where its engine is absent."""
    with Worker(engine) as worker:
        found = worker.ask("measure", what)
    return None if isinstance(found, dict) and "none" in found else found


def import_seconds(names: str) -> float:
    code = f"import time; t = time.perf_counter(); import {names}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    done.check_returncode()
    return float(done.stdout)


def imports(repeats: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"numpy": [], "autograd, nn": []}
    for _ in range(repeats + 1):  # the first one fills the caches
        for names, found in seconds.items():
            found.append(import_seconds(names))
    return {names: median(found[1:]) for names, found in seconds.items()}


def attempt(take: Callable[[], Any]) -> Any:
    """What it gives, or why it failed: the others are taken all the same."""
    try:
        return take()
    except (ArithmeticError, ImportError, RuntimeError) as error:
        return {"failed": str(error)}


def report_row(row: Row, found: dict[str, Any]) -> None:
    ours = found[OURS]
    for engine in JOBS[row.name]:
        if engine in found["missing"]:
            print(f"    {engine:<14}  {found['missing'][engine]}")
            continue
        times = found[engine]
        line = f"    {engine:<14}{duration(times['on']):>10} {'(' + duration(times['off']) + ')':<10}"
        notes = []
        if engine != OURS:
            on, off = (times[mode] / ours[mode] for mode in ("on", "off"))
            notes.append(f"{on:.3g}x ({off:.3g}x) our time")
            if engine in row.bars:
                notes.append(row.bars[engine].verdict(times["on"], ours["on"]))
        if row.nodes:
            size = times["on"] / row.nodes * 1e9
            notes.append(f"{size:.3g} ns a node" + (f", {within(size, 60, ' ns')}" if engine == OURS else ""))
        if engine in (OURS, "jax", "casadi") and row.name.startswith("compiled"):
            notes.append(f"first call {duration(times['first'])}")
        print("   ".join([line, *notes]).rstrip())


def within(size: float, bar: float, unit: str, goal: float | None = None) -> str:
    text = f"bar <= {bar:g}{unit}: {'met' if size <= bar else 'MISSED'}"
    if goal is not None:
        text += f", goal {goal:g}{unit}: {'met' if size <= goal else 'missed'}"
    return text


def report_bytes(size: dict[str, Any]) -> None:
    other = size["micrograd"] or {}
    print(f"    {'':<24}{OURS:>12}   micrograd")
    for node, taken in size[OURS].items():
        line = f"    {node:<24}{taken:12.0f}{format(other[node], '.0f') if other else 'absent':>12}"
        print(line + (f"   {within(taken, 200, '', 140)}" if node == "binary" else ""))


def report_chain(found: dict[str, float]) -> None:
    print("    " + ", ".join(f"{step} {duration(seconds)}" for step, seconds in found.items()))


def report_compiling(found: dict[str, float]) -> None:
    print(f"    {duration(found['seconds'])}   {within(found['seconds'], 3, ' s', 1)}")
    print(f"    {found['bytes'] / 1e9:.2f} GB at most   {within(found['bytes'] / 1e9, 1, ' GB')}")


def report_import(found: dict[str, float]) -> None:
    ours, numpy = found["autograd, nn"], found["numpy"]
    print(f"    autograd, nn {duration(ours)}, numpy {duration(numpy)}   {at_most(1.5).verdict(numpy, ours)}")


OTHERS: dict[str, tuple[str, Callable[[int], Any], Callable[[Any], None]]] = {
    "bytes": (
        "bytes a recorded node",
        lambda _: {engine: measure("bytes", engine) for engine in (OURS, "micrograd")},
        report_bytes,
    ),
    "chain": ("a chain of 1,000,000 operations", lambda _: measure("chain"), report_chain),
    "compiling": (
        "recording and compiling 784-128-10 with its gradient, to the end of the first call",
        lambda _: measure("compiling"),
        report_compiling,
    ),
    "import": ("import", imports, report_import),
}


def report(results: dict[str, Any]) -> None:
    parts = [(row.name, row.title, partial(report_row, row)) for row in ROWS]
    parts += [(name, title, show) for name, (title, _, show) in OTHERS.items()]  # type: ignore[misc]
    parts += [(name, of.title, partial(growth.report, name)) for name, of in growth.SERIES.items()]
    modes = (
        f"compiled and eager are {OURS}" if any(name in results for name in growth.SERIES) else "gc on (off)"
    )
    print(f"{results['machine']}; one thread, medians of {results['repeats']}, {modes}\n")
    for name, title, show in parts:
        found = results.get(name)
        if found is not None:
            print(title)
            print(f"    FAILED: {found['failed']}") if "failed" in found else show(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = [*(row.name for row in ROWS), *OTHERS]
    parser.add_argument(
        "--only",
        action="append",
        metavar="ROW",
        help=f"that alone: {', '.join(names)}; with --growth: {', '.join(growth.SERIES)}",
    )
    parser.add_argument("--growth", action="store_true", help="how the time of a run grows with its size")
    parser.add_argument("--plot", metavar="FILE", help="with --growth: draw it there, as SVG, PNG or PDF")
    parser.add_argument("--json", action="store_true", help="print all figures, in seconds, as JSON")
    parser.add_argument("--repeats", type=int, help="7 unless given, with --growth 3")
    arguments = parser.parse_args()
    if arguments.growth:
        names = [*growth.SERIES]
    wanted, repeats = arguments.only or names, arguments.repeats or (3 if arguments.growth else 7)
    for name in wanted:
        if name not in names:
            parser.error(f"--only needs one of {', '.join(names)}. Received: {name}")
    figure = None
    if arguments.plot:
        if not arguments.growth:
            parser.error("--plot draws what --growth measures, and needs it too")
        try:
            figure = growth.empty_figure()
            figure.savefig(arguments.plot)  # what is wrong with the file shows now, and not in minutes
        except (ImportError, OSError, ValueError) as error:
            parser.error(str(error))
    results: dict[str, Any] = {
        "machine": f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores",
        "repeats": repeats,
    }
    takes: dict[str, Callable[[], Any]] = {
        **{row.name: partial(race, row.name, JOBS[row.name], row.tolerance, repeats) for row in ROWS},
        **{name: partial(take, repeats) for name, (_, take, _) in OTHERS.items()},
        **{name: partial(growth.grow, name, of.sizes, repeats) for name, of in growth.SERIES.items()},
    }
    results |= {name: attempt(take) for name, take in takes.items() if name in wanted}
    if arguments.json:
        print(json.dumps(results, indent=2))
    else:
        report(results)
    if figure is not None:
        growth.plot({name: results[name] for name in wanted if "failed" not in results[name]}, figure)
        figure.savefig(arguments.plot)
    sys.exit(any("failed" in found for found in results.values() if isinstance(found, dict)))


if __name__ == "__main__":
    main()
