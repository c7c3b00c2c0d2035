"""fit: a whole training in one call: epochs of steps, validation, callbacks, and files to resume from.

`fit` is what one writes out as a loop; its docstring shows the two side by side. Below it: `Run`, the training under
way, as callbacks see it; Ctrl-C; a step and an evaluation, compiled or scalar by scalar; what is checked.
"""

from __future__ import annotations

import functools
import math
import os
import random
import signal
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import numpy as np

from autograd.compiler.program import Program
from autograd.context import no_grad
from autograd.ops import mean, number
from autograd.value import NO_GRADIENT, Value

from .callbacks import Callback, as_callback
from .checks import among, entries, one_line, size
from .data import DataLoader, as_array, kind_of, samples
from .embedding import Embedding
from .history import History
from .losses import cross_entropy, nll
from .module import Module, contents
from .optim import Optimizer
from .progress import progress_of
from .saving import load, save
from .schedules import Plateau, Schedule
from .training import TrainStep, required_arguments


def fit(
    model: Callable[..., Any],
    X: Any,
    y: Any,
    *,
    loss: Callable[..., Any],
    optimizer: Optimizer,
    epochs: int = 1,
    batch_size: int = 32,
    validation: Any = None,
    callbacks: Sequence[Any] = (),
    metrics: Any = (),
    compiled: Any = "auto",
    shuffle: bool = True,
    rng: Any = None,
    schedule: Schedule | None = None,
    schedule_every: str = "epoch",
    dtype: Any = "float64",
    progress: Any = "auto",
    record: Any = None,
    resume: str | os.PathLike[str] | None = None,
) -> History:
    """Train the model on samples X with targets y; returns the losses and metrics of each epoch.

    >>> from nn import MLP, SGD, mse, train_step
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]
    >>> model = MLP(2, [4, 1], activation="tanh", rng=0)
    >>> optimizer = SGD(model.parameters(), lr=0.2)
    >>> history = fit(model, X, y, loss=mse, optimizer=optimizer, epochs=200, batch_size=2, rng=0, progress=False)
    >>> history["loss"][0] > 0.1, history["loss"][-1] < 0.001
    (True, True)

    The same as a loop, to be changed as one likes:

    >>> twin = MLP(2, [4, 1], activation="tanh", rng=0)
    >>> step = train_step(twin, mse, SGD(twin.parameters(), lr=0.2))
    >>> batches = DataLoader(X, y, batch_size=2, rng=0)
    >>> for epoch in range(200):
    ...     for X_batch, y_batch in batches:
    ...         batch_loss = step(X_batch, y_batch)
    >>> [p.data for p in twin.parameters()] == [p.data for p in model.parameters()]
    True

    What is trained
        X, y: arrays or lists, one entry a sample. `loss` is that of one sample, of which the mean over the batch is
        taken, as in `train_step`: loss(output, target), or of three and more arguments loss(model, x, target, ...); for
        four and more y is a tuple of arrays. (A weighted `cross_entropy` or `nll` divides by the weights of the batch;
        give it as functools.partial(nn.cross_entropy, weight=w).) `optimizer` was made with the model's parameters, or
        some of them. `rng` shuffles: None, an int seed, a random.Random or a NumPy Generator.

    What is measured
        history["loss"] is the mean over an epoch's samples, each as it was before its batch's step. `validation`:
        (X, y), or a share such as 0.1: the last samples, their number rounded up, taken before any shuffling, as in
        Keras; it gives "val_loss". `metrics`: functions (outputs, targets), such as those of `nn.metrics`, or a dict of
        them by name; for each, "accuracy", say, and "val_accuracy" are measured after the epoch, with the model in
        `eval()`, as "val_loss" is. A loss that is nan or inf gives a RuntimeWarning, once, and training goes on.

    How it is computed
        `compiled`: True by a `train_step`; False scalar by scalar; "auto" compiled, unless the compiler refuses, of
        which a RuntimeWarning tells. Both give the same numbers up to rounding, except for those drawn within the
        model, as by `Dropout`. To be compiled, the samples of a batch need one shape. `dtype`: "float64", or "float32"
        if compiled.
        The model is put in `train()` if it was in `eval()`; at the end each part is as it was.

    What else happens
        `schedule` moves on after each epoch or, with schedule_every="batch", each step. A `Plateau` gets "val_loss", or
        without validation "loss"; in mode "max" the first metric. `callbacks`: `Callback`s, such as `EarlyStopping`
        and `Checkpoint`, or functions of the `Run`, called after each epoch. `progress`: "bar", by tqdm; "lines", about
        20; False, nothing; "auto", a bar if tqdm is installed and stderr a terminal, else lines. `record`: a path that
        ends in .html, where at the end, also that of Ctrl-C, a page is written on which weights, activations, losses
        and the decision boundary move over the epochs; or an `nn.Recording`, which has more to choose.

    How it goes on
        `resume`: a file of `Checkpoint`, from which the model, optimiser, schedule, callbacks, history and generators
        of random numbers go on. With the same arguments the result is the same, to the last bit, as without the break:
        `epochs` counts from the very first. Ctrl-C ends the training after the step that is under way, so that no step
        is half made: the history is returned, marked `interrupted`, without the unfinished epoch, and the callbacks'
        `on_end` is run. A second Ctrl-C does not wait, and is raised. That holds in the main thread, unless
        somebody handles SIGINT otherwise.
    """
    check(model, loss, optimizer, compiled)
    batch_size, epochs = size("fit", "batch_size", batch_size), size("fit", "epochs", epochs)
    training, validating = divided(X, y, validation, loss)
    loader = DataLoader(*training, batch_size=batch_size, shuffle=shuffle, rng=rng)
    seed = zlib.crc32(
        repr(loader.state_dict()).encode()
    )  # what is drawn within the model depends on rng, too
    measures = named(metrics)
    run = Run(
        model,
        optimizer,
        step=steps(model, loss, optimizer, compiled, dtype, seed),
        evaluation=evaluation(model, loss, bool(measures), compiled, dtype, seed),
        loader=loader,
        validation=validating,
        metrics=measures,
        epochs=epochs,
        schedule=schedule,
        schedule_every=schedule_every,
        callbacks=[
            *sorted(
                dict.fromkeys(
                    [*map(as_callback, entries("fit", "callbacks", callbacks)), *recordings(record)]
                ),
                key=attrgetter("rank"),
            ),
            *progress_of(progress),
        ],
    )
    run.go([] if resume is None else run.load(resume))
    return run.history


# The training under way -------------------------------------------------------------------------------------------


class Run:
    """A training under way, as callbacks see it; `fit` makes it.

    `model`, `optimizer`, `schedule`, and `X` and `y`, the samples that it trains on; `epoch` of `epochs` and `batch` of
    `batches`, counted from 1; `batch_loss`, that of the last step; `history`, the epochs that are done, and `names`,
    what it lists of each. `stop()` ends the training after this epoch, `save(path)` writes a file to resume from.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        *,
        step: Either,
        evaluation: Either,
        loader: DataLoader,
        validation: list[Any] | None,
        metrics: Mapping[str, Callable[..., Any]],
        epochs: int,
        schedule: Schedule | None,
        schedule_every: str,
        callbacks: list[Callback],
    ) -> None:
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.X, self.y = loader.arrays[0], targets_in(loader.arrays)
        self.step, self.evaluation, self.metrics = step, evaluation, metrics
        self.loader, self.validation = loader, validation
        self.epoch, self.epochs, self.batch, self.batches = 0, epochs, 0, len(loader)
        self.names = ["loss", *metrics]
        if validation:
            self.names += [f"val_{name}" for name in self.names]
        self.judged_by = judged_by(optimizer, schedule, schedule_every, self.names)
        self.schedule_every, self.callbacks, self.history = schedule_every, callbacks, History()
        self.batch_loss = math.nan
        self.stopped = self.warned = False
        self.parts: list[Module] = model.modules() if isinstance(model, Module) else []

    def go(self, states: list[Any]) -> None:
        """All epochs, until something stops them; `states` are those of callbacks before a break."""
        asleep = self.parts if self.parts and not self.model.training else []
        with mode(asleep, True), interruptible() as pause:
            self.hand_out(states)
            self.tell("on_start")
            try:
                while self.epoch < self.epochs and not self.stopped:
                    self.one_epoch(pause)
                    pause()
            except KeyboardInterrupt as error:
                if error.args == SECOND:
                    raise
                self.history.interrupted = True
            finally:
                self.tell("on_end")

    def one_epoch(self, pause: Callable[[], None]) -> None:
        start = time.perf_counter()
        self.epoch += 1
        numbers = {"loss": self.trained(pause)}
        if self.metrics:
            numbers |= self.measured("", self.loader.arrays, pause)
        if self.validation:
            numbers |= self.measured("val_", self.validation, pause)
        self.history.epochs.append(numbers)
        self.history.seconds.append(time.perf_counter() - start)
        if self.schedule is not None and self.schedule_every == "epoch":
            self.schedule.step(*[numbers[name] for name in self.judged_by])
        self.tell("on_epoch")

    def trained(self, pause: Callable[[], None]) -> float:
        """A step for each batch; the mean of their losses."""
        total = 0.0
        for k, batch in enumerate(self.loader, 1):
            self.batch = k
            self.batch_loss = self.step(*batch)
            total += self.batch_loss * len(batch[0])
            if not math.isfinite(self.batch_loss):
                self.warn()
            if self.schedule is not None and self.schedule_every == "batch":
                self.schedule.step()
            self.tell("on_batch")
            pause()
        return total / len(self.X)

    def measured(self, prefix: str, arrays: list[Any], pause: Callable[[], None]) -> dict[str, float]:
        """The metrics, and of validation data the mean loss, of the model in use."""
        total, outputs = 0.0, []
        with mode(self.parts, False):
            for batch in DataLoader(*arrays, batch_size=self.loader.batch_size, shuffle=False):
                found, losses = self.evaluation(*batch)
                total += float(np.sum(losses))
                outputs += rows(found)
                pause()
        numbers = {"val_loss": total / len(arrays[0])} if prefix else {}
        for name, metric in self.metrics.items():
            numbers[prefix + name] = one_number(name, metric(as_array(outputs), targets_in(arrays)))
        return numbers

    def stop(self) -> None:
        """End the training after this epoch."""
        self.stopped = True

    def tell(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    def warn(self) -> None:
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"the loss is {self.batch_loss} in epoch {self.epoch}, batch {self.batch}; the training goes on. A"
                " smaller lr, or the optimiser's clip_norm, may help.",
                RuntimeWarning,
                stacklevel=6,
            )

    # To be resumed ------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that further epochs depend on; to be called between two of them, as by `on_epoch`."""
        state = {
            "history": self.history.to_dict(),
            "schedule": type(self.schedule).__name__,
            "generators": {name: (kind_of(rng), state_of(rng)) for name, rng in self.generators().items()},
            "callbacks": [(type(callback).__name__, callback.state_dict()) for callback in self.callbacks],
        }
        save(path, self.model, self.optimizer, self.schedule, extra={"fit": state})

    def load(self, path: str | os.PathLike[str]) -> list[Any]:
        """Go on from what `save` wrote, once all is checked; returns the states of the callbacks."""
        state, name = load(path).get("fit"), os.fspath(path)
        if state is None:
            raise ValueError(f"fit resumes from a file of Checkpoint. Received: {name}, of nn.save")
        history, generators = History.from_dict(state["history"]), self.generators()
        if len(history.epochs) > self.epochs:
            raise ValueError(
                "fit needs at least the epochs that were made before the break, for they count from the very first."
                f" Received: epochs={self.epochs}, {name} after {len(history.epochs)}"
            )
        if state["schedule"] != type(self.schedule).__name__:
            raise ValueError(
                f"fit needs the schedule that it had before the break, {one_line(str(state['schedule']))}."
                f" Received: {type(self.schedule).__name__}"
            )
        ours, theirs = (
            [(name, kind_of(rng)) for name, rng in generators.items()],
            [(name, kind) for name, (kind, _) in state["generators"].items()],
        )
        if ours != theirs:
            raise ValueError(
                f"fit needs the generators that it had before the break, {theirs}. Received: {ours}"
            )
        load(path, self.model, self.optimizer, self.schedule)
        for key, (_, numbers) in state["generators"].items():
            set_state(generators[key], numbers)
        self.history, self.epoch = history, len(history.epochs)
        return [*state["callbacks"]]

    def hand_out(self, states: list[Any]) -> None:
        """Each callback gets the next state of its class."""
        for callback in self.callbacks:
            for k, (kind, state) in enumerate(states):
                if kind == type(callback).__name__:
                    callback.load_state_dict(state)
                    del states[k]
                    break

    def generators(self) -> dict[str, Any]:
        """All that random numbers come from: of parts such as `Dropout`, of programs, Python's, that of shuffling."""
        own = {part._named(): vars(part).get("rng") for part in self.parts}
        known = (random.Random, np.random.Generator)
        found = {name: rng for name, rng in own.items() if isinstance(rng, known)}
        programs = {"steps": self.step.rng, "evaluation": self.evaluation.rng}
        return {**found, **programs, "Python": random, "shuffling": self.loader.rng}


def state_of(rng: Any) -> Any:
    return rng.bit_generator.state if isinstance(rng, np.random.Generator) else rng.getstate()


def set_state(rng: Any, state: Any) -> None:
    if isinstance(rng, np.random.Generator):
        rng.bit_generator.state = state
    else:
        rng.setstate(state)


def targets_in(arrays: Sequence[Any]) -> Any:
    """The targets among a sample's arrays: one, or a tuple of several."""
    return arrays[1] if len(arrays) == 2 else tuple(arrays[1:])


@contextmanager
def mode(parts: Sequence[Module], training: bool) -> Iterator[None]:
    """All parts in training, or in use; afterwards each as it was."""
    before = [part._training for part in parts]
    for part in parts:
        part._training = training
    try:
        yield
    finally:
        for part, was in zip(parts, before, strict=True):
            part._training = was


# Ctrl-C -----------------------------------------------------------------------------------------------------------

SECOND = ("Ctrl-C for the second time",)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Ctrl-C is raised where the function that is given is called, between steps, and so breaks off none; a second one
    is raised at once."""
    asked = False

    def on_signal(*_: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt(*SECOND)
        asked = True

    def pause() -> None:
        if asked:
            raise KeyboardInterrupt

    ours = (
        threading.current_thread() is threading.main_thread()  # no other one may handle signals, or gets them
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, on_signal)
    try:
        yield pause
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


# A step and an evaluation, compiled or by hand --------------------------------------------------------------------


class Either:
    """Calls what is compiled; with `compiled` "auto", once the compiler refuses it, what is done by hand instead."""

    def __init__(self, program: Any, by_hand: Callable[..., Any], compiled: Any, rng: Any) -> None:
        self.program, self.by_hand, self.compiled, self.rng = program, by_hand, compiled, rng

    def __call__(self, *batch: Any) -> Any:
        if self.compiled:
            try:
                return self.program(*batch)
            except TypeError as error:
                if self.compiled is True or "compiled" not in str(error):  # all its refusals say this word
                    raise
                self.compiled = False
                warnings.warn(
                    f"fit goes on scalar by scalar, which takes longer, because this cannot be compiled: {error}",
                    RuntimeWarning,
                    stacklevel=6,
                )
        return self.by_hand(*batch)


def steps(model: Any, loss: Any, optimizer: Optimizer, compiled: Any, dtype: Any, seed: int) -> Either:
    """A step on a batch; it returns the mean loss before it."""
    groups = siblings(model)

    def by_hand(X: Any, *targets: Any) -> float:
        optimizer.zero_grad()
        batch_loss = mean_loss(model, loss, outputs_of(model, loss, X), X, targets)
        if not isinstance(batch_loss, Value):
            raise TypeError(
                f"fit needs a loss that depends on parameters. Received: {batch_loss!r}, a plain number"
            )
        batch_loss.backward()
        for group in groups:
            if any(p.grad is not NO_GRADIENT for p in group):
                for p in group:
                    p.grad = 0.0 if p.grad is NO_GRADIENT and p.requires_grad else p.grad
        optimizer.step()
        return batch_loss.data

    step = TrainStep(model, loss, optimizer, dtype=dtype, seed=seed)
    if compiled is False and step.program.dtype != np.float64:
        raise ValueError(f"fit needs dtype='float64' where it is not compiled. Received: dtype={dtype!r}")
    return Either(step, by_hand, compiled, step.program.rng)


def siblings(model: Any) -> list[list[Value]]:
    """The rows of each `Embedding`. Where a batch reads some of them, those of its tokens, the gradient of the others
    is 0 and momenta go on, as in a compiled step and in PyTorch."""
    parts = (
        [part for part in model.modules() if isinstance(part, Embedding)] if isinstance(model, Module) else []
    )
    return [[p for p in contents(part, deep=False) if isinstance(p, Value)] for part in parts]


def evaluation(model: Any, loss: Any, outputs_too: bool, compiled: Any, dtype: Any, seed: int) -> Either:
    """(the outputs for a batch, or none where nobody asks for them; the losses of its samples, or their sum)."""

    def evaluated(x: Any, *targets: Any) -> Any:
        output = () if takes_model(loss) and not outputs_too else model(x)
        found = loss(model, x, *targets) if takes_model(loss) else loss(output, *targets)
        return output if outputs_too else (), found

    def by_hand(X: Any, *targets: Any) -> Any:
        with no_grad():
            outputs = [model(x) for x in X] if outputs_too else outputs_of(model, loss, X)
            total = len(X) * float(mean_loss(model, loss, outputs, X, targets))
        return [plain(output) for output in outputs] if outputs_too else (), total

    program = Program(evaluated, batch=True, dtype=dtype, seed=seed)
    return Either(program, by_hand, compiled, program.rng)


def takes_model(loss: Callable[..., Any]) -> bool:
    return len(required_arguments(loss)) > 2


def outputs_of(model: Any, loss: Callable[..., Any], X: Any) -> list[Any]:
    """The outputs that the loss reads; none if it calls the model itself."""
    if takes_model(loss):
        return []
    found: list[Any] = model.batch([*X]) if isinstance(model, Module) else [model(x) for x in X]
    return found


def mean_loss(
    model: Any, loss: Callable[..., Any], outputs: list[Any], X: Any, targets: tuple[Any, ...]
) -> Any:
    """The mean over the samples, as a compiled step computes it."""
    if takes_model(loss):
        return mean([loss(model, *sample) for sample in zip(X, *targets, strict=True)])
    if is_weighted(loss):
        return loss(outputs, [*targets[0]])
    return mean([loss(output, target) for output, target in zip(outputs, targets[0], strict=True)])


def is_weighted(loss: Any) -> bool:
    """Whether it divides by the weights of the whole batch, and so needs the batch together."""
    if not isinstance(loss, functools.partial) or loss.func not in (cross_entropy, nll):
        return False
    return loss.keywords.get("weight") is not None and loss.keywords.get("reduction", "mean") == "mean"


def plain(output: Any) -> Any:
    """Numbers in place of Values."""
    if isinstance(output, (tuple, dict)):
        return output  # which `rows` refuses
    return (
        float(output)
        if isinstance(output, Value) or not hasattr(output, "__iter__")
        else [*map(plain, output)]
    )


def rows(outputs: Any) -> list[Any]:
    """The output for each sample of a batch."""
    odd = [part for part in (outputs, *outputs[:1]) if isinstance(part, (dict, tuple)) and len(part)]
    if odd:
        raise TypeError(
            "fit needs a model that returns numbers, or lists of them, for metrics of its outputs."
            f" Received: a {type(odd[0]).__name__}"
        )
    return [*outputs]


def one_number(name: str, x: Any) -> float:
    try:
        return number(x)
    except TypeError:
        raise TypeError(
            f"fit needs metrics that return one number. Received: {type(x).__name__} from {name}"
        ) from None


# Checks -----------------------------------------------------------------------------------------------------------


def check(model: Any, loss: Any, optimizer: Any, compiled: Any) -> None:
    for what, part in (("model", model), ("loss", loss)):
        if not callable(part):
            raise TypeError(f"fit needs a {what} that can be called. Received: {type(part).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit needs an Optimizer, such as nn.SGD. Received: {type(optimizer).__name__}")
    if isinstance(model, Module) and {*model.parameters()}.isdisjoint(optimizer.parameters):
        raise ValueError(
            "fit needs an optimizer that was made with parameters of the model:"
            f" {type(optimizer).__name__}(model.parameters()). Received: one of {len(optimizer.parameters)} others"
        )
    if compiled != "auto" and not isinstance(compiled, bool):
        raise ValueError(f"fit needs compiled to be 'auto', True or False. Received: compiled={compiled!r}")


def divided(X: Any, y: Any, validation: Any, loss: Callable[..., Any]) -> tuple[list[Any], list[Any] | None]:
    """The arrays to train on, and those to validate with, if any."""
    arrays = together("fit", X, y, loss)
    if validation is None:
        return arrays, None
    if isinstance(validation, (tuple, list)):
        if len(validation) != 2:
            raise ValueError(
                f"fit needs validation to be (X, y), or a share. Received: {len(validation)} entries"
            )
        X, y = validation
        return arrays, together("fit, for its validation,", X, y, loss)
    n = len(arrays[0])
    share = math.nan if isinstance(validation, (bool, int)) else number(validation)
    held = math.ceil(share * n) if 0.0 < share < 1.0 else 0
    if not 0 < held < n:
        raise ValueError(
            "fit needs validation to be (X, y), or a share between 0 and 1 that leaves both parts at least one sample."
            f" Received: validation={validation!r} for {n} samples"
        )
    return [array[:-held] for array in arrays], [array[-held:] for array in arrays]


def together(owner: str, X: Any, y: Any, loss: Callable[..., Any]) -> list[Any]:
    """X and the targets, as many as the loss takes, as arrays of one length."""
    n = max(len(required_arguments(loss)) - 2, 1)
    if n > 1 and not (isinstance(y, tuple) and len(y) == n):
        received = f"{len(y)} entries" if isinstance(y, tuple) else type(y).__name__
        raise ValueError(
            f"{owner} needs y to be a tuple of {n} arrays for a loss of {n + 2} arguments. Received: {received}"
        )
    return samples(owner, (X, *y) if n > 1 else (X, y))


def named(metrics: Any) -> dict[str, Callable[..., Any]]:
    """The metrics by their names."""
    if isinstance(metrics, Mapping):
        found = dict(metrics)
    else:
        if callable(metrics) or isinstance(metrics, str):
            raise TypeError(f"fit needs a list of metrics, or a dict. Received: {metrics!r}")
        listed = entries("fit", "metrics", metrics)
        found = {getattr(getattr(f, "func", f), "__name__", type(f).__name__): f for f in listed}
        if len(found) < len(listed):
            raise ValueError(
                "fit needs metrics of different names, or a dict of them by name."
                f" Received: {len(listed)} with the names {[*found]}"
            )
    for name, metric in found.items():
        if not callable(metric):
            raise TypeError(f"fit needs metrics that can be called. Received: {metric!r}")
        if not isinstance(name, str) or name == "loss" or name.startswith("val_"):
            raise ValueError(
                f"fit needs names of metrics other than 'loss' and 'val_...', which are its own. Received: {name!r}"
            )
    return found


def judged_by(optimizer: Optimizer, schedule: Any, every: str, names: list[str]) -> list[str]:
    """The names of the numbers that the schedule is given after an epoch: one for Plateau, none for others."""
    if not among(every, ("epoch", "batch")):
        raise ValueError(
            f"fit needs schedule_every to be 'epoch' or 'batch'. Received: schedule_every={every!r}"
        )
    if schedule is None:
        return []
    if not isinstance(schedule, Schedule):
        raise TypeError(
            f"fit needs a Schedule, such as nn.schedules.Cosine. Received: {type(schedule).__name__}"
        )
    if schedule.optimizer is not optimizer:
        raise ValueError("fit needs a schedule of its optimizer. Received: another's")
    if not isinstance(schedule, Plateau):
        return []
    if every == "batch":
        raise ValueError("fit needs schedule_every='epoch' for a Plateau. Received: schedule_every='batch'")
    validated = [name for name in names if name.startswith("val_")] or names
    if schedule.mode == "min":
        return validated[:1]
    if len(validated) == 1:
        raise ValueError("fit needs a metric for a Plateau in mode 'max'. Received: no metrics")
    return validated[1:2]


def recordings(record: Any) -> list[Callback]:
    """The callbacks that `record` asks for."""
    if record is None:
        return []
    from .recording import asked_for

    return [asked_for(record)]
