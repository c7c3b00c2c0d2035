"""Progress of a run of `fit`, a callback like any other: a bar in a terminal, else lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .callbacks import Callback
from .checks import one_line
from .history import shown

if TYPE_CHECKING:
    from .fit import Run

LINES = 20  # about so many are printed in a run, whatever the number of epochs


def progress_of(kind: Any) -> list[Callback]:
    """The callbacks that show it."""
    if kind in ("auto", True):
        kind = "bar" if sys.stderr.isatty() and has_tqdm() else "lines"
    if kind not in ("bar", "lines", False):
        raise ValueError(
            f"fit needs progress to be 'auto', 'bar', 'lines' or False. Received: progress={kind!r}"
        )
    return [] if kind is False else [Bar()] if kind == "bar" else [Lines()]


def has_tqdm() -> bool:
    try:
        import tqdm  # noqa: F401
    except ImportError:
        return False
    return True


def line_of(run: Run) -> str:
    """`epoch  3/20  loss 0.4312  val_loss 0.5121  1.3 s`, of the epoch just past."""
    row, seconds = run.history.epochs[-1], run.history.seconds[-1]
    epoch = f"epoch {len(run.history.epochs):>{len(str(run.epochs))}}/{run.epochs}"
    return "  ".join(
        [epoch, *(f"{one_line(name)} {shown(x)}" for name, x in row.items()), f"{seconds:.1f} s"]
    )


def ending(run: Run) -> str:
    """How a run came to its end before its last epoch."""
    if run.history.interrupted:
        return f"interrupted in epoch {run.epoch}, after {run.batch} of {run.batches} steps"
    return f"stopped after epoch {run.epoch}" if run.stopped and run.epoch < run.epochs else ""


class Lines(Callback):
    """A line for the first epoch, then for every `every`-th and for the last one."""

    def on_start(self, run: Run) -> None:
        self.every, self.printed = -(-run.epochs // LINES), len(run.history.epochs)

    def on_epoch(self, run: Run) -> None:
        if run.epoch in (1, run.epochs) or run.epoch % self.every == 0:
            self.print(run)

    def on_end(self, run: Run) -> None:
        if len(run.history.epochs) > self.printed:
            self.print(run)
        if how := ending(run):
            print(how, flush=True)

    def print(self, run: Run) -> None:
        print(line_of(run), flush=True)
        self.printed = len(run.history.epochs)


class Bar(Callback):
    """A bar of tqdm over all steps of the run, with the numbers of the last epoch."""

    def on_start(self, run: Run) -> None:
        from tqdm import tqdm

        done = len(run.history.epochs) * run.batches
        self.bar = tqdm(
            total=run.epochs * run.batches,
            initial=done,
            unit="step",
            desc=f"epoch {run.epoch + 1}/{run.epochs}",
        )

    def on_batch(self, run: Run) -> None:
        self.bar.update()

    def on_epoch(self, run: Run) -> None:
        self.bar.set_description_str(line_of(run))

    def on_end(self, run: Run) -> None:
        if how := ending(run):
            self.bar.write(how, file=sys.stderr)
        self.bar.close()
