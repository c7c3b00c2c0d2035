"""Callbacks: what is done during `fit` beside training: stopping early, saving, and what you write yourself.

    class Rates(nn.Callback):
        def on_epoch(self, run):
            print(run.epoch, run.optimizer.lr, run.history["loss"][-1])

    nn.fit(model, X, y, loss=nn.mse, optimizer=optimizer, epochs=100, callbacks=[Rates(), nn.EarlyStopping()])

`run` is the `Run` of `fit`: `run.model`, `run.optimizer`, `run.history`, `run.epoch` and more; `run.stop()` ends the
run after this epoch. A plain function may stand for a callback: it is called as `on_epoch` is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import among, nonnegative, one_line, size, text
from .module import Module
from .saving import format_of

if TYPE_CHECKING:
    from .fit import Run

HIGHER, LOWER = ("accuracy", "precision", "recall", "f1", "r2"), ("loss", "perplexity")  # which is better


class Callback:
    """Called during `fit`, in the order in which the callbacks are listed, but `Checkpoint`s last of all.

    What must go on as it was when a run is resumed is in `state_dict`: numbers, text, lists, dicts and arrays.

    >>> from nn import MLP, SGD, fit, mse
    >>> class Steps(Callback):
    ...     def on_batch(self, run):
    ...         print(f"epoch {run.epoch}, step {run.batch} of {run.batches}")
    >>> model = MLP(1, [1], rng=0)
    >>> task = {"loss": mse, "optimizer": SGD(model.parameters(), lr=0.1), "batch_size": 2}
    >>> _ = fit(model, [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], **task, callbacks=[Steps()], progress=False)
    epoch 1, step 1 of 2
    epoch 1, step 2 of 2
    """

    rank = 0  # callbacks of a lower one are called first: a Recording shows what others did, a Checkpoint saves all

    def on_start(self, run: Run) -> None:
        """Before the first epoch, or, where a run is resumed, `run.epoch` being above 0, before the next one."""

    def on_batch(self, run: Run) -> None:
        """After each step, the `run.batch`-th of `run.batches` in this epoch, with the loss `run.batch_loss`."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch, once its numbers are in `run.history`."""

    def on_end(self, run: Run) -> None:
        """After the last epoch, and also when Ctrl-C or an error ends the run."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers from epoch to epoch."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; called where a run is resumed, before `on_start`."""


class OnEpoch(Callback):
    """A function as a callback."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def on_epoch(self, run: Run) -> None:
        self.function(run)


def as_callback(x: Any) -> Callback:
    if isinstance(x, Callback):
        return x
    if not callable(x) or isinstance(x, type):
        received = x.__name__ if isinstance(x, type) else type(x).__name__
        raise TypeError(f"fit needs callbacks that are Callbacks, or functions. Received: {received}")
    return OnEpoch(x)


def check_mode(owner: str, mode: Any) -> None:
    if not among(mode, ("auto", "min", "max")):
        raise ValueError(f"{owner} needs mode to be 'auto', 'min' or 'max'. Received: mode={mode!r}")


def check_state(owner: str, state: Any, names: Sequence[str]) -> None:
    """An error unless it is a dict with these names: what `state_dict` gave."""
    if not isinstance(state, Mapping) or not {*names} <= {*state}:
        raise ValueError(
            f"{owner} needs a state that state_dict gave, a dict with {[*names]}. Received: {state!r:.80}"
        )


class Best:
    """Whether the number of the epoch just past is better than all before by more than `min_delta`; nan never is.

    `mode` "auto" knows losses and the metrics of `nn.metrics`.
    """

    def __init__(self, owner: str, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        check_mode(owner, mode)
        kind = text(owner, "monitor", monitor).removeprefix("val_")
        if mode == "auto" and kind not in HIGHER + LOWER:
            raise ValueError(
                f"{owner} needs mode='min' or 'max' to know which {one_line(monitor)} is better. Received: mode='auto'"
            )
        self.owner, self.monitor = owner, monitor
        self.min_delta = nonnegative(owner, "min_delta", min_delta)
        self.sign = -1.0 if mode == "max" or (mode == "auto" and kind in HIGHER) else 1.0
        self.value = self.sign * math.inf

    def start(self, run: Run) -> None:
        if self.monitor not in run.names:
            hint = " (no validation data were given)" if self.monitor.startswith("val_") else ""
            raise ValueError(
                f"{self.owner} needs monitor to be one of {run.names}. Received: monitor={self.monitor!r}{hint}"
            )
        if not run.epoch:
            self.value = self.sign * math.inf

    def improved(self, run: Run) -> bool:
        x = run.history.epochs[-1][self.monitor]
        better = self.sign * x < self.sign * self.value - self.min_delta
        if better:
            self.value = x
        return better


class EarlyStopping(Callback):
    """Ends the run once `patience` epochs in a row have not made the monitored number better than the best by more
    than `min_delta` (Prechelt, 1998).

    `restore_best`: at the end, however the run ends, the model's parameters and buffers are those of the best epoch.
    `mode`: "min" or "max", what is better; "auto" knows losses and the metrics of `nn.metrics`. Keras' callback, whose
    patience is 0 and which restores nothing by default.

    >>> from nn import MLP, SGD, fit, mse
    >>> model = MLP(1, [1], rng=0)
    >>> task = {"loss": mse, "optimizer": SGD(model.parameters(), lr=0.2), "validation": ([4.0], [4.0])}
    >>> stop = EarlyStopping(patience=3, min_delta=1e-6)
    >>> history = fit(model, [0.0, 1.0], [0.0, 1.0], **task, epochs=1000, callbacks=[stop], progress=False)
    >>> len(history.epochs) == stop.stopped_epoch < 1000
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
        *,
        mode: str = "auto",
    ) -> None:
        self.best = Best("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.restore_best = size("EarlyStopping", "patience", patience), bool(restore_best)
        self.waited, self.numbers = 0, np.zeros(0)
        self.stopped_epoch: int | None = None  # in which it has ended the run

    def on_start(self, run: Run) -> None:
        if self.restore_best and not isinstance(run.model, Module):
            raise TypeError(
                "EarlyStopping needs a Module, or restore_best=False, for it keeps a model's parameters."
                f" Received: {type(run.model).__name__}"
            )
        self.best.start(run)
        if not run.epoch:
            self.waited, self.numbers, self.stopped_epoch = 0, np.zeros(0), None
        self.judge(run)

    def on_epoch(self, run: Run) -> None:
        if self.best.improved(run):
            self.waited = 0
            if self.restore_best:
                self.numbers = np.array([v.data for v in numbers_in(run.model)])
            return
        self.waited += 1
        self.judge(run)

    def judge(self, run: Run) -> None:
        if self.waited >= self.patience:
            self.stopped_epoch = run.epoch
            run.stop()

    def on_end(self, run: Run) -> None:
        if self.restore_best and len(self.numbers):
            for v, x in zip(numbers_in(run.model), self.numbers.tolist(), strict=True):
                v.data = x

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value, "waited": self.waited, "numbers": self.numbers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_state("EarlyStopping", state, ("best", "waited", "numbers"))
        self.best.value, self.waited = state["best"], state["waited"]
        self.numbers = state["numbers"]


class Checkpoint(Callback):
    """Saves after every `every`-th epoch, and after the last, all that `fit(..., resume=path)` needs to go on exactly,
    in place of what was at the path before; `nn.load(path, model)` reads the model alone.

    With `monitor`, only if that number is better than at all earlier such epochs; `mode` as in `EarlyStopping`.

    >>> import tempfile
    >>> from nn import MLP, SGD, fit, mse
    >>> def trained(epochs, path, resume=None):
    ...     model = MLP(1, [2, 1], rng=0)
    ...     task = {"loss": mse, "optimizer": SGD(model.parameters(), lr=0.1), "rng": 0, "progress": False}
    ...     kept = {"callbacks": [Checkpoint(path)], "resume": resume}
    ...     return fit(model, [0.0, 1.0], [1.0, 0.0], **task, **kept, epochs=epochs)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = trained(3, f"{folder}/run.npz")
    ...     trained(6, f"{folder}/run.npz", resume=f"{folder}/run.npz") == trained(6, f"{folder}/whole.npz")
    True
    """

    rank = 2

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str | None = None,
        every: int = 1,
        *,
        mode: str = "auto",
    ) -> None:
        format_of(path)  # an error now, not after the first epoch
        self.path, self.every = path, size("Checkpoint", "every", every)
        check_mode("Checkpoint", mode)
        self.best = None if monitor is None else Best("Checkpoint", monitor, mode)

    def on_start(self, run: Run) -> None:
        if not isinstance(run.model, Module):
            raise TypeError(f"Checkpoint needs a Module to save. Received: {type(run.model).__name__}")
        if self.best:
            self.best.start(run)

    def on_epoch(self, run: Run) -> None:
        due = run.epoch % self.every == 0 or run.epoch == run.epochs or run.stopped
        if due and (self.best is None or self.best.improved(run)):
            run.save(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value} if self.best else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_state("Checkpoint", state, ())
        if self.best and "best" in state:
            self.best.value = state["best"]


def numbers_in(model: Any) -> list[Any]:
    """The Values of all parameters and buffers."""
    return [v for _, v in (*model.named_parameters(), *model.named_buffers())]
