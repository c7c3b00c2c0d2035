"""One engine at one piece of work, in a process of its own: garbage that one leaves must not slow another.

It prints its first numbers and the seconds they took, compiling included, then answers each line it reads, "on" or
"off" for the garbage collector, with the seconds of one repeat; or, for "measure", one of those measurements.
Everything printed is JSON, a line each.
"""

from __future__ import annotations

import gc
import json
import sys
import time

from .work import JOBS, MEASURES


def main(row: str, engine: str) -> None:
    def answer(x: object) -> None:
        print(json.dumps(x), flush=True)

    try:
        if row == "measure":
            what, _, engine = engine.partition(":")
            answer(MEASURES[what](engine))
            return
        run, numbers = JOBS[row][engine]()
    except ImportError as error:
        answer({"absent": str(error.name or error)})
        return
    started = time.perf_counter()
    found = run()
    first = time.perf_counter() - started
    answer({"numbers": [float(x) for x in numbers(found)], "first": first})
    del found
    started = time.perf_counter()
    run()
    loops = max(1, int(0.1 / (time.perf_counter() - started)))  # a repeat takes at least about 100 ms
    for line in sys.stdin:
        if line.strip() == "on":  # as in a training loop: what the last repeat left is part of this one
            gc.enable()
        else:
            gc.disable()
            gc.collect()
        run()  # the other engine has had the caches meanwhile
        started = time.perf_counter()
        for _ in range(loops):
            run()
        answer((time.perf_counter() - started) / loops)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
