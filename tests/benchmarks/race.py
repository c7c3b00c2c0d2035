"""Engines beside each other, each in a process of its own: first all must compute the same numbers, then times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .job import OURS

ROOT = Path(__file__).parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), "1")
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an import is timed as users meet it, compiled before


class Worker:
    """An engine in a process of its own; `worker` says what it may be asked."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        command = [sys.executable, "-m", "tests.benchmarks.worker", engine]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe, text=True
        )

    def ask(self, *question: Any) -> Any:
        with suppress(BrokenPipeError):  # of one that ended: it answers nothing
            print(json.dumps(question), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"the worker of {self.engine} ended early")
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def check(numbers: dict[str, Any], tolerance: float) -> None:
    """All engines computed the same loss, gradients or weights as the first of them."""
    first, *others = numbers
    ours = np.array(numbers[first])
    for engine in others:
        theirs = np.array(numbers[engine])
        if len(theirs) != len(ours):
            raise ArithmeticError(f"{engine} gives {len(theirs)} numbers, {first} {len(ours)}")
        wrong = ~np.isclose(theirs, ours, rtol=tolerance, atol=1e-3 * tolerance)
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            raise ArithmeticError(
                f"{engine} computes other numbers than {first}, so times say nothing: {wrong.sum()} of "
                f"{len(ours)}, number {i} is {theirs[i]} there, {ours[i]} here"
            )


def prepare(workers: Iterable[Worker], tolerance: float, *question: Any) -> dict[str, Any]:
    """What each engine answers when asked to prepare that piece of work. Those that did it found the same numbers."""
    answers = {worker.engine: worker.ask("prepare", *question) for worker in workers}
    numbers = {engine: answer.pop("numbers") for engine, answer in answers.items() if "none" not in answer}
    if numbers:
        check(numbers, tolerance)
    return answers


def times(workers: Iterable[Worker], mode: str, repeats: int) -> dict[str, float]:
    """Median seconds of each engine, asked in turn."""
    found = [{worker.engine: worker.ask("time", mode) for worker in workers} for _ in range(repeats)]
    return {engine: median(each[engine] for each in found) for engine in found[0]}


def race(row: str, engines: Iterable[str], tolerance: float, repeats: int) -> dict[str, Any]:
    """Seconds of every engine at that piece of work, with the garbage collector on and off, and of its first call."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(engine)) for engine in engines]
        answers = prepare(workers, tolerance, row)
        missing = {engine: answer["none"] for engine, answer in answers.items() if "none" in answer}
        if OURS in missing:
            raise RuntimeError(f"{OURS} itself is {missing[OURS]}")
        there = [worker for worker in workers if worker.engine not in missing]
        modes = {mode: times(there, mode, repeats) for mode in ("on", "off")}
    return {"missing": missing} | {
        engine: {mode: seconds[engine] for mode, seconds in modes.items()} | {"first": answer["first"]}
        for engine, answer in answers.items()
        if engine not in missing
    }


UNITS = [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)]


def duration(seconds: float) -> str:
    unit, size = next(pair for pair in UNITS if seconds >= pair[1] or pair is UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
