"""One engine in a process of its own: garbage that one leaves must not slow another.

It answers each line it reads. Both are JSON, a line each; a question is a list:

    ["prepare", row]            the first numbers of that piece of work, the seconds they took, compiling included,
    ["prepare", series, size]   and the seconds of another run
    ["time", "on"]              the seconds of a repeat, with the garbage collector on, or "off"
    ["measure", what]           one of the measurements

Where it cannot, it says so: {"none": "absent"} if the engine cannot be imported, {"none": "too deep"} if it recurses.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from .growth import SERIES
from .job import Job
from .work import JOBS, MEASURES


class Bench:
    """What one engine has before it."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.job = Job(lambda: None)
        self.loops = 1

    def prepare(self, row: str, size: int | None = None) -> Any:
        self.job = Job(lambda: None)  # what was there goes first
        gc.enable()
        gc.collect()
        self.job = run, numbers = (
            JOBS[row][self.engine]() if size is None else SERIES[row].jobs[self.engine](size)
        )
        first, found = seconds(run)
        answer = {"first": first, "numbers": [float(x) for x in numbers(found)]}
        del found
        again, _ = seconds(run)
        self.loops = max(1, int(0.1 / again))  # a repeat takes at least about 100 ms
        return answer | {"again": again}

    def time(self, mode: str) -> float:
        if mode == "on":  # as in a training loop: what the last repeat left is part of this one
            gc.enable()
        else:
            gc.disable()
            gc.collect()
        run = self.job.run
        run()  # the other engine has had the caches meanwhile
        started = time.perf_counter()
        for _ in range(self.loops):
            run()
        return (time.perf_counter() - started) / self.loops

    def measure(self, what: str) -> Any:
        return MEASURES[what](self.engine)


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def main(engine: str) -> None:
    bench = Bench(engine)
    for line in sys.stdin:
        what, *given = json.loads(line)
        try:
            answer = getattr(bench, what)(*given)
        except ImportError:
            answer = {"none": "absent"}
        except RecursionError:
            answer = {"none": "too deep"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
