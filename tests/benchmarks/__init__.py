"""How fast, beside whom: `python -m tests.benchmarks` prints one table of ratios (`--only ROW`, `--json`), and with
`--growth` how the time of a run grows with its size (`--plot growth.svg`).

`work` holds the small pieces of work and the table of all; `mlp`, `digits`, `convolution`, `gpt`, `lstm` and
`irregular` hold a larger one each, for every engine; `growth` the series of sizes; `symbolic` what CasADi needs.
`worker` is one engine in a process of its own, `race` asks the workers in turn, `__main__` prints. All sides are
compared number by number before they are timed; nothing asserts a time.
"""
