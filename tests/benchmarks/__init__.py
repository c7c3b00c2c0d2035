"""How fast, beside whom: `python -m tests.benchmarks` prints one table of ratios (`--json` for machines).

`work` holds the pieces of work, `worker` runs one of them for one engine in a process of its own, `__main__` asks the
workers in turn and prints. Both sides are compared number by number before they are timed; nothing asserts a time.
"""
