"""How the time of a run grows with its size: `python -m tests.benchmarks --growth [--plot growth.svg]`.

`SERIES` is the table: of each series what grows, its sizes, and a job for each engine at a size. `eager` and `compiled`
are ours. A run is one value with its gradient, or one step of training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import mlp, symbolic
from .gpt import Scalar
from .job import OURS, Job, flat, jax_alone, torch_alone, values
from .mlp import Net
from .race import Worker, duration, prepare, times

# Nodes: one chain, y = a y + b again and again, and its slopes by a and b ---------------------------------------------

A, B = 0.999, 0.25


def chain(a: Any, b: Any, nodes: int) -> Any:
    y = b
    for _ in range(nodes // 2):
        y = y * a + b
    return y


def chain_of_values(engine: str, nodes: int) -> Job:
    Value = Scalar if engine == "scalars" else values(engine)

    def run() -> Any:
        a, b = Value(A), Value(B)
        y = chain(a, b, nodes)
        y.backward()
        return y.data, a.grad, b.grad

    return Job(run)


def chain_compiled(nodes: int) -> Job:
    import autograd

    program = autograd.compile(lambda a, b: chain(a, b, nodes))
    return Job(lambda: program.value_and_grad(A, B), lambda found: [found[0], *found[1]])


def chain_in_torch(nodes: int) -> Job:
    torch = torch_alone()

    def run() -> Any:
        a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (A, B))
        y = chain(a, b, nodes)
        y.backward()
        return y.item(), a.grad.item(), b.grad.item()

    return Job(run)


def chain_in_jax(nodes: int) -> Job:
    jax = jax_alone()
    work = jax.jit(jax.value_and_grad(partial(chain, nodes=nodes), argnums=(0, 1)))
    return Job(lambda: jax.block_until_ready(work(A, B)), lambda found: flat(found[0], *found[1]))


def chain_of_symbols(nodes: int) -> Job:
    f = symbolic.scalar_function(partial(chain, nodes=nodes), 1, 1)
    return Job(lambda: f(A, B), symbolic.results)


# Parameters, batch, depth: one net of ReLUs -------------------------------------------------------------------------

NIN, SAMPLES, WIDTH = 16, 32, 16


def net(sizes: list[int]) -> Net:
    """With so small a rate that thousands of steps leave work to do."""
    points = np.random.default_rng(0).normal(size=(SAMPLES, sizes[0]))
    return Net(sizes, points, np.where(points[:, 0] < 0.0, -1.0, 1.0), mlp.normal(sizes), rate=1e-4)


def wide(width: int) -> Net:
    return net([NIN, width, width, 1])


def deep(layers: int) -> Net:
    return net([NIN, *[WIDTH] * layers, 1])


def parameters_of(width: int) -> int:
    return (NIN + 1) * width + (width + 1) * width + width + 1


def engines(make: Callable[[int], Net]) -> dict[str, Callable[[int], Job]]:
    """Every engine at the net of a size."""
    jobs: dict[str, Callable[[Net], Job]] = {
        "compiled": mlp.compiled,
        "eager": partial(mlp.eager, OURS),
        "micrograd": partial(mlp.eager, "micrograd"),
        "NumPy": mlp.handwritten,
        "torch": mlp.torch_eager,
        "jax": mlp.jitted,
        "casadi": mlp.symbols,
    }

    def at(job: Callable[[Net], Job], size: int) -> Job:
        return job(make(size))

    return {engine: partial(at, job) for engine, job in jobs.items()}


# The table --------------------------------------------------------------------------------------------------------


class Series(NamedTuple):
    title: str
    unit: str  # what grows
    sizes: tuple[int, ...]
    jobs: dict[str, Callable[[int], Job]]
    largest: dict[str, int]  # of engines that take too long beyond it: seconds a run, or minutes to compile
    amount: Callable[[int], int] = int  # of what grows, at a size


SERIES = {
    "nodes": Series(
        "A chain of scalar operations, value and both slopes",
        "operations",
        (10, 100, 1_000, 10_000, 100_000, 1_000_000),
        {
            "compiled": chain_compiled,
            **{
                name: partial(chain_of_values, engine)
                for name, engine in (("eager", OURS), ("micrograd", "micrograd"), ("scalars", "scalars"))
            },
            "torch": chain_in_torch,
            "jax": chain_in_jax,
            "casadi": chain_of_symbols,
        },
        {"compiled": 10_000, "torch": 100_000, "jax": 1_000},
    ),
    "parameters": Series(
        f"MLP({NIN}, [w, w, 1]), w = 4 ... 1,024, batch {SAMPLES}, a step",
        "parameters",
        (4, 16, 64, 256, 1024),
        engines(wide),
        {"eager": 64, "micrograd": 16},
        parameters_of,
    ),
    "batch": Series(
        "Two moons, MLP(2, [16, 16, 1]), a step",
        "samples in a batch",
        (1, 10, 100, 1_000, 10_000),
        engines(mlp.moons_net),
        {"micrograd": 100},
    ),
    "depth": Series(
        f"Layers of {WIDTH} before one of 1, batch {SAMPLES}, a step",
        "hidden layers",
        (1, 2, 4, 8, 16, 32, 64),
        engines(deep),
        {"micrograd": 4},
    ),
}
TOLERANCE, SLOW = 1e-9, 1.0


# Measuring --------------------------------------------------------------------------------------------------------


def grow(name: str, sizes: Iterable[int], repeats: int) -> dict[str, Any]:
    """The amounts; for each engine a cell for each of them, with the median seconds of a run (of a slow one: the
    seconds of a single run) and those of the first; and the exponents. An engine that could not do a size is not asked
    for the next, and the cell says why."""
    series = SERIES[name]
    amounts: list[int] = []
    cells: dict[str, list[dict[str, Any]]] = {engine: [] for engine in series.jobs}
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(engine)) for engine in series.jobs]
        for size in sizes:
            amounts.append(series.amount(size))
            able = [worker for worker in workers if size <= series.largest.get(worker.engine, size)]
            answers = prepare(able, TOLERANCE, name, size)
            workers = [worker for worker in able if "none" not in answers[worker.engine]]
            again = {worker.engine: answers[worker.engine]["again"] for worker in workers}
            quick = [worker for worker in workers if again[worker.engine] <= SLOW]
            found = again | times(quick, "on", repeats)
            for engine, row in cells.items():
                if engine in found:
                    row.append({"seconds": found[engine], "first": answers[engine]["first"]})
                else:
                    row.append(answers.get(engine) or stopped(row))
    exponents = {engine: exponent(amounts, row) for engine, row in cells.items()}
    return {"amounts": amounts, "cells": cells, "exponents": exponents}


def stopped(row: list[dict[str, Any]]) -> dict[str, Any]:
    """Why an engine that was not asked has no time: as before, or because its largest size is passed."""
    return row[-1] if row and "none" in row[-1] else {"none": "too long"}


def exponent(amounts: list[int], row: list[dict[str, Any]]) -> float | None:
    """The k of time ~ amount^k: the slope of the later half of the points, as logarithms; None for less than two."""
    points = [(n, cell["seconds"]) for n, cell in zip(amounts, row, strict=True) if "seconds" in cell]
    if len(points) < 2:
        return None
    late = points[min(len(points) // 2, len(points) - 2) :]
    x, y = np.log(late).T
    return float(np.polyfit(x, y, 1)[0])


# Showing ----------------------------------------------------------------------------------------------------------


def report(name: str, found: dict[str, Any]) -> None:
    """A row for each amount, a column for each engine; then the exponents, and the first calls of what compiles."""
    series, cells, amounts = SERIES[name], found["cells"], found["amounts"]
    columns = [
        (engine, [shown(cell, "seconds") for cell in row], power(found["exponents"][engine]))
        for engine, row in cells.items()
    ]
    columns += [
        (f"{engine}, first call", [shown(cell, "first") for cell in cells[engine]], "")
        for engine in ("compiled", "jax", "casadi")
        if engine in cells
    ]
    heads = [series.unit, *(f"{n:,}" for n in amounts), "exponent"]
    print_table([heads, *([head, *texts, last] for head, texts, last in columns)])


def shown(cell: dict[str, Any], what: str) -> str:
    return duration(cell[what]) if what in cell else str(cell["none"])


def power(k: float | None) -> str:
    return "" if k is None else f"{k:.2f}"


def print_table(columns: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        print("    " + "   ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def empty_figure() -> Any:
    """To be drawn on. ImportError where there is no matplotlib."""
    from nn.charts import axes

    figure = axes(None, 8.0, 11.0).figure
    figure.clear()
    return figure


def plot(results: dict[str, dict[str, Any]], figure: Any) -> None:
    """Seconds against the amount, for each series on axes of its own, both logarithmic. An engine has its own marker,
    and its own pair of colour and dashes: it can be told in grey, and by the colour-blind. Ours are thicker."""
    from nn.charts import COLOURS, DASHES, MARKERS

    engines = [*dict.fromkeys(engine for series in SERIES.values() for engine in series.jobs)]
    places = figure.subplots(math.ceil(len(results) / 2), min(len(results), 2), squeeze=False).flat
    for ax in places[len(results) :]:
        ax.remove()
    for (name, found), ax in zip(results.items(), places, strict=False):
        for engine, row in found["cells"].items():
            k = engines.index(engine)
            style: dict[str, Any] = {
                "color": COLOURS[k % len(COLOURS)],
                "ls": DASHES[(k + k // len(DASHES)) % len(DASHES)],
                "lw": 2.5 if engine in ("compiled", "eager") else 1.2,
            }
            seconds = [cell.get("seconds", math.nan) for cell in row]
            ax.plot(found["amounts"], seconds, marker=MARKERS[k], ms=5, label=engine, **style)
        ax.set(xscale="log", yscale="log", xlabel=SERIES[name].unit)
        ax.set_title(SERIES[name].title, loc="left", size="medium")
        ax.set_xticks(found["amounts"], [f"{n:,}" for n in found["amounts"]])
        ax.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
        ax.minorticks_off()
        ax.tick_params(labelsize="small")
        ax.grid(color="0.85", lw=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    lines = {line.get_label(): line for ax in figure.axes for line in ax.lines}
    figure.legend(
        handles=[*lines.values()],
        loc="outside lower center",
        ncols=len(lines),
        frameon=False,
        title=f"compiled and eager are {OURS}; a line ends where its engine takes too long, or recurses too deep",
        title_fontsize="small",
    )
