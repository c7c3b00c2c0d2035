"""How fast, beside whom: `python -m tests.benchmarks` prints one table of ratios (`--only ROW`, `--json`).

`work` holds the small pieces of work and the table of all; `digits`, `convolution`, `gpt`, `lstm` and `irregular` hold
a large one each, for every engine. `worker` runs one of them for one engine in a process of its own, `__main__` asks
the workers in turn and prints. All sides are compared number by number before they are timed; nothing asserts a time.
"""
