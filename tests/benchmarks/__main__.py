"""`python -m tests.benchmarks [--json] [--repeats N]`: the eager table."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from .work import JOBS, OURS

ROOT = Path(__file__).parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an import is timed as users meet it, compiled before

# What is printed: the row of JOBS, its title, and against whom which bar is set
TIMED = [
    ("readme", "(a) README expression, forward + backward", {"micrograd": 3.0}),
    ("by hand", "(b) moons step, binary operations by hand", {"micrograd": 8.0}),
    ("nn.MLP", "(b) moons step, nn.MLP", {"micrograd": 50.0}),
]


class Worker:
    """An engine at work in a process of its own."""

    def __init__(self, row: str, engine: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.worker", row, engine]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe, text=True
        )
        self.numbers = self.read()

    def read(self) -> Any:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"a benchmark ended early: {' '.join(map(str, self.process.args))}")  # type: ignore[arg-type]
        return json.loads(line)

    def ask(self, what: str) -> Any:
        print(what, file=self.process.stdin, flush=True)
        return self.read()

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()


def check(row: str, workers: dict[str, Worker]) -> None:
    """All engines computed the same loss, gradients or weights."""
    ours = workers[OURS].numbers
    for engine, worker in workers.items():
        pairs = zip(ours, worker.numbers, strict=True)
        if not all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in pairs):
            raise ArithmeticError(f"{row}: {engine} computes other numbers than {OURS}, so times say nothing")


def race(row: str, repeats: int) -> dict[str, Any]:
    """Median seconds of every engine, asked in turn, with the garbage collector on and off."""
    workers = {engine: Worker(row, engine) for engine in JOBS[row]}
    absent = [engine for engine, worker in workers.items() if isinstance(worker.numbers, dict)]
    for engine in absent:
        workers.pop(engine).close()
    if OURS in absent:
        raise ImportError(f"{row}: {OURS} itself cannot be imported")
    check(row, workers)
    times: dict[str, Any] = {engine: {"on": [], "off": []} for engine in workers}
    for mode in ("on", "off"):
        for _ in range(repeats):
            for engine, worker in workers.items():
                times[engine][mode].append(worker.ask(mode))
    for worker in workers.values():
        worker.close()
    return {"absent": absent} | {
        engine: {mode: median(seconds) for mode, seconds in by_mode.items()}
        for engine, by_mode in times.items()
    }


def measure(what: str, engine: str) -> Any:
    worker = Worker("measure", f"{what}:{engine}")
    worker.close()
    return worker.numbers


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


UNITS = [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)]


def duration(seconds: float) -> str:
    unit, size = next(pair for pair in UNITS if seconds >= pair[1] or pair is UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def verdict(ratio: float, bar: float, at_least: bool = True) -> str:
    met = ratio >= bar if at_least else ratio <= bar
    return f"bar {'>=' if at_least else '<='} {bar:g}x: {'met' if met else 'MISSED'}"


def report(results: dict[str, Any]) -> None:
    print(f"{results['machine']}; one thread, medians of {results['repeats']}, gc on (off)\n")
    for row, title, bars in TIMED:
        found = results[row]
        ours = found[OURS]
        print(f"{title}\n    {OURS:<12}{duration(ours['on']):>10} ({duration(ours['off'])})")
        for engine in JOBS[row]:
            if engine in found["absent"]:
                print(f"    {engine:<12}    absent")
            elif engine != OURS:
                on, off = (found[engine][mode] / ours[mode] for mode in ("on", "off"))
                line = (
                    f"    {engine:<12}{duration(found[engine]['on']):>10} ({duration(found[engine]['off'])})"
                )
                line += f"   {on:.3g}x ({off:.3g}x) our time"
                print(line + (f"   {verdict(on, bars[engine])}" if engine in bars else ""))
    size = results["bytes"]
    print(f"bytes a recorded binary node\n    {OURS:<12}{size[OURS]:10.0f}   bar <= 200")
    print(
        f"    micrograd   {size['micrograd']:10.0f}" if "micrograd" in size else "    micrograd       absent"
    )
    print("a chain of 1,000,000 operations")
    print("    " + ", ".join(f"{step} {duration(seconds)}" for step, seconds in results["chain"].items()))
    seconds = results["import"]
    ratio = seconds["autograd, nn"] / seconds["numpy"]
    print("import")
    print(
        f"    autograd, nn {duration(seconds['autograd, nn'])}, numpy {duration(seconds['numpy'])}: {ratio:.2f}x",
        end="",
    )
    print(f"   {verdict(ratio, 1.5, at_least=False)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print all figures, in seconds, as JSON")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "machine": f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores",
        "repeats": arguments.repeats,
        **{row: race(row, arguments.repeats) for row, _, _ in TIMED},
        "chain": measure("chain", OURS),
        "import": imports(arguments.repeats),
    }
    engines = [OURS] if "micrograd" in results["readme"]["absent"] else [OURS, "micrograd"]
    results["bytes"] = {engine: measure("bytes", engine) for engine in engines}
    if arguments.json:
        print(json.dumps(results, indent=2))
    else:
        report(results)


if __name__ == "__main__":
    main()
