"""fit: the same training whichever way it is computed, resumed to the last bit, interrupted between steps alone."""

import functools
import itertools
import json
import math
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value, tanh
from nn.callbacks import Callback, Checkpoint, EarlyStopping
from nn.data import DataLoader
from nn.fit import fit
from nn.history import History
from nn.metrics import accuracy, r2
from nn.schedules import Cosine, Plateau, Step

rng = np.random.default_rng(0)
VECTORS, NUMBERS, CLASSES = rng.normal(size=(11, 3)), rng.normal(size=11), rng.integers(0, 3, 11)
SEQUENCES, IMAGES = rng.normal(size=(11, 4, 3)), rng.normal(size=(11, 4, 4))
quiet: Any = functools.partial(fit, progress=False)


class Last(nn.Module):
    """The class by the last state of a recurrence."""

    def __init__(self):
        self.lstm, self.head = nn.LSTM(3, 4, rng=0), nn.Layer(4, 3, activation="identity", rng=1)

    def __call__(self, xs):
        return self.head(self.lstm(xs)[1][0][-1])


def classifier():
    return nn.MLP(3, [4, 3], rng=0)


def normed():
    first = nn.Layer(3, 4, activation="identity", bias=False, rng=0)
    return nn.Sequential(first, nn.BatchNorm(4), "tanh", nn.Layer(4, 3, activation="identity", rng=1))


def convolution():
    return nn.Sequential(
        lambda x: np.asarray(x)[None], nn.Conv2d(1, 2, 3, rng=0), nn.Flatten(), nn.MLP(8, [3], rng=1)
    )


def penalised(model, x, target):
    return nn.mse(model(x), target) + 0.01 * nn.penalties.l2(model)


def weighted(model, x, target, weight):
    return weight * nn.mse(model(x), target)


def own(y, t):
    return abs(y - t) ** 1.5


weighted_classes = functools.partial(nn.cross_entropy, weight=[1.0, 2.0, 5.0])
TASKS = {
    "regression": (lambda: nn.MLP(3, [4, 1], rng=0), VECTORS, NUMBERS, nn.mse),
    "own loss": (lambda: nn.MLP(3, [4, 1], rng=0), VECTORS, NUMBERS, own),
    "penalty": (lambda: nn.MLP(3, [4, 1], rng=0), VECTORS, NUMBERS, penalised),
    "several targets": (lambda: nn.MLP(3, [1], rng=0), VECTORS, (NUMBERS, NUMBERS**2), weighted),
    "classes": (classifier, VECTORS, CLASSES, nn.cross_entropy),
    "weighted classes": (classifier, VECTORS, CLASSES, weighted_classes),
    "lists": (classifier, VECTORS.tolist(), CLASSES.tolist(), nn.cross_entropy),
    "BatchNorm": (normed, VECTORS, CLASSES, nn.cross_entropy),
    "LSTM": (Last, SEQUENCES, CLASSES, nn.cross_entropy),
    "convolution": (convolution, IMAGES, CLASSES, nn.cross_entropy),
    "tokens": (
        lambda: nn.Sequential(nn.Embedding(3, 2, rng=0), nn.MLP(2, [1], rng=0)),
        CLASSES,
        NUMBERS,
        nn.mse,
    ),
}


def numbers(model):
    """All that training changes."""
    return [v.data for _, v in (*model.named_parameters(), *model.named_buffers())]


def trained(make, X, y, loss, **named):
    model = make()
    optimizer = nn.Adam(model.parameters(), lr=0.05)
    return model, quiet(model, X, y, loss=loss, optimizer=optimizer, batch_size=4, **{"rng": 7, **named})


# The same, however it is computed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_compiled_and_scalar_by_scalar_are_the_same(task):
    (one, first), (other, second) = (
        trained(*TASKS[task], epochs=3, validation=0.3, compiled=compiled) for compiled in (True, False)
    )
    assert numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-12)
    assert [*first] == [*second] == ["loss", "val_loss"]
    for name in first:
        assert first[name] == pytest.approx(second[name], rel=1e-9)
    assert numbers(one) != numbers(TASKS[task][0]())


def test_against_numpy():
    """Linear regression by stochastic gradient descent, the way a person writes it."""
    w, losses, order = np.array([0.1, -0.2, 0.3]), [], DataLoader(VECTORS, NUMBERS, batch_size=4, rng=3)
    model = nn.Neuron(3, activation="identity", bias=False)
    for p, x in zip(model.parameters(), w, strict=True):
        p.data = x
    for _ in range(5):
        total = 0.0
        for X, y in order:
            error = X @ w - y
            total += (error**2).sum()
            w = w - 0.1 * 2.0 * (error @ X) / len(X)
        losses.append(total / 11)
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    history = quiet(model, VECTORS, NUMBERS, loss=nn.mse, optimizer=optimizer, epochs=5, batch_size=4, rng=3)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert [p.data for p in model.parameters()] == pytest.approx(w, rel=1e-12)


def test_the_loop_written_out_is_the_same_to_the_last_bit():
    model, _ = trained(classifier, VECTORS, CLASSES, nn.cross_entropy, epochs=3)
    twin = classifier()
    step = nn.train_step(twin, nn.cross_entropy, nn.Adam(twin.parameters(), lr=0.05))
    loader = DataLoader(VECTORS, CLASSES, batch_size=4, rng=7)
    for _ in range(3):
        for X, y in loader:
            step(X, y)
    assert numbers(model) == numbers(twin)


def test_a_plain_function_is_a_model():
    w = Value(0.0)
    optimizer = nn.SGD([w], lr=0.1)
    history = quiet(lambda x: w * x, [1.0, 2.0], [2.0, 4.0], loss=nn.mse, optimizer=optimizer, epochs=40)
    assert w.data == pytest.approx(2.0)
    assert history["loss"][-1] < 1e-10


def test_float32():
    model, history = trained(classifier, VECTORS, CLASSES, nn.cross_entropy, dtype="float32", epochs=2)
    _, exact = trained(classifier, VECTORS, CLASSES, nn.cross_entropy, epochs=2)
    assert history["loss"] == pytest.approx(exact["loss"], rel=1e-5)
    assert all(np.float32(x) == x for x in numbers(model))


# What cannot be compiled ------------------------------------------------------------------------------------------


class Branching(nn.Module):
    def __init__(self):
        self.w = Value(0.5)

    def __call__(self, x):
        return self.w * x if x > 0.0 else -self.w * x


def branching(compiled):
    model = Branching()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    data = {"X": [1.0, -2.0], "y": [1.0, 2.0], "validation": ([1.0], [1.0]), "metrics": [r2]}
    history = quiet(model, loss=nn.mse, optimizer=optimizer, epochs=20, compiled=compiled, **data)
    return model.w.data, history


def test_what_cannot_be_compiled_goes_on_by_hand_and_tells():
    with pytest.warns(RuntimeWarning, match=r"scalar by scalar.*a comparison needs a number") as caught:
        w, history = branching("auto")
    assert [w.filename for w in caught] == [__file__] * 2  # once for the step, once for what is measured
    assert w == pytest.approx(1.0, abs=1e-3)
    assert (w, history) == branching(False)
    with pytest.raises(TypeError, match="a comparison needs a number"):
        branching(True)


def test_samples_of_different_lengths():
    words, y = [[1.0], [1.0, 2.0], [3.0], [0.5, 1.5, 2.5]], [1.0, 3.0, 3.0, 4.5]

    class Total(nn.Module):
        def __init__(self):
            self.w = Value(0.1)

        def __call__(self, xs):
            return self.w * sum(xs)

    def w(**named):
        model = Total()
        quiet(
            model,
            words,
            y,
            loss=nn.mse,
            optimizer=nn.SGD(model.parameters(), lr=0.02),
            epochs=5,
            rng=0,
            **named,
        )
        return model.w.data

    with pytest.warns(RuntimeWarning, match="scalar by scalar"):
        assert w(batch_size=2) == w(batch_size=2, compiled=False)
    assert w(batch_size=1, compiled=True) == pytest.approx(w(batch_size=1, compiled=False), rel=1e-12)


def test_a_mistake_of_the_model_is_not_taken_for_a_refusal():
    optimizer = nn.SGD([Value(1.0)], lr=0.1)
    with pytest.raises(TypeError, match="unsupported operand"):
        quiet(lambda x: x + None, VECTORS, NUMBERS, loss=nn.mse, optimizer=optimizer)


def test_a_loss_without_parameters():
    optimizer = nn.SGD([Value(1.0)], lr=0.1)
    with pytest.raises(TypeError, match=r"depends on parameters\. Received: 1\.0"):
        quiet(lambda x: 0.0, [0.0], [1.0], loss=nn.mse, optimizer=optimizer, compiled=False)


# Validation, metrics, modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_measured(compiled):
    """The last samples are held out; all is measured in use, and of the model after the epoch."""
    seen = []

    def share(outputs, targets):
        seen.append((outputs, targets))
        return accuracy(outputs, targets)

    model, history = trained(
        lambda: nn.Sequential(normed(), nn.Dropout(0.5, rng=0)), VECTORS, CLASSES, nn.cross_entropy,
        validation=0.2, metrics={"share": share}, compiled=compiled, epochs=2,
    )  # fmt: skip
    assert [*history] == ["loss", "share", "val_loss", "val_share"]
    assert model.training
    model.eval()
    for (outputs, targets), (X, y), prefix in zip(
        seen[-2:], [(VECTORS[:8], CLASSES[:8]), (VECTORS[8:], CLASSES[8:])], ["", "val_"], strict=True
    ):
        expected = [[v.data for v in model(x)] for x in X]
        assert outputs == pytest.approx(np.array(expected), rel=1e-9)
        assert targets.tolist() == y.tolist()
        assert history[f"{prefix}share"][-1] == accuracy(expected, y)
        if prefix:
            assert history["val_loss"][-1] == pytest.approx(nn.cross_entropy(expected, y), rel=1e-9)


def test_validation_data_are_not_trained_on():
    one, _ = trained(classifier, VECTORS, CLASSES, nn.cross_entropy, validation=3 / 11)
    other, _ = trained(classifier, VECTORS[:8], CLASSES[:8], nn.cross_entropy)
    third, _ = trained(
        classifier, VECTORS[:8], CLASSES[:8], nn.cross_entropy, validation=(VECTORS[8:], CLASSES[8:])
    )
    assert numbers(one) == numbers(other) == numbers(third)


def test_modes():
    """Asleep, it is woken and put to sleep again; a part of it that was put to sleep stays asleep."""
    modes = []
    for asleep in ("all", "part"):
        model = normed()
        (model if asleep == "all" else model.layers[1]).eval()
        before = [m.training for m in model.modules()]
        fit_with = functools.partial(quiet, model, VECTORS, CLASSES, loss=nn.cross_entropy, validation=0.2)
        fit_with(
            optimizer=nn.SGD(model.parameters(), lr=0.1),
            callbacks=[lambda run: modes.append([m.training for m in run.model.modules()])],
        )
        assert [m.training for m in model.modules()] == before
        moved = model.layers[1].running_mean[0].data != 0.0
        assert moved == (asleep == "all")
    assert modes[0] == [True] * len(modes[0])
    assert modes[1] == before


def test_an_evaluation_by_hand_records_nothing():
    recorded: dict[bool, list[bool]] = {True: [], False: []}

    class Watched(Branching):
        def __call__(self, x):
            y = super().__call__(x)
            recorded[self.training].append(y.op is not None)
            return y

    model = Watched()
    task = {"loss": nn.mse, "optimizer": nn.SGD(model.parameters(), lr=0.1), "compiled": False}
    quiet(model, [1.0, -2.0], [1.0, 2.0], validation=([1.0], [1.0]), **task)
    assert recorded == {True: [True, True], False: [False]}


def test_outputs_that_are_several():
    def model(x):
        return (w * x, x)

    w = Value(1.0)
    task = {"loss": lambda y, t: nn.mse(y[0], t), "optimizer": nn.SGD([w], lr=0.1)}
    for compiled in (True, False):
        assert "loss" in quiet(model, [1.0, 2.0], [2.0, 4.0], compiled=compiled, validation=0.5, **task)
        with pytest.raises(TypeError, match=r"numbers, or lists of them, for metrics.*Received: a tuple"):
            quiet(model, [1.0, 2.0], [2.0, 4.0], compiled=compiled, metrics=[r2], **task)


def test_a_loss_that_is_not_finite_warns_once():
    model = nn.MLP(3, [1], rng=0)
    with pytest.warns(RuntimeWarning) as caught:
        history = quiet(
            model, VECTORS, NUMBERS * 1e200, loss=nn.mse, batch_size=4, epochs=2,
            optimizer=nn.SGD(model.parameters(), lr=0.1),
        )  # fmt: skip
    assert [str(w.message).partition(";")[0] for w in caught] == ["the loss is inf in epoch 1, batch 1"]
    assert caught[0].filename == __file__
    assert len(history.epochs) == 2


# Schedules --------------------------------------------------------------------------------------------------------


def rates(schedule, every, **named):
    """The learning rate after each step and after each epoch, of 3 batches each."""
    found, model = [], classifier()

    class Note(Callback):
        def on_batch(self, run):
            found.append(run.optimizer.lr)

        def on_epoch(self, run):
            found.append(run.optimizer.lr)

    optimizer = nn.SGD(model.parameters(), lr=0.5)
    quiet(
        model, VECTORS, CLASSES, loss=nn.cross_entropy, optimizer=optimizer, batch_size=4, epochs=2,
        schedule=schedule(optimizer), schedule_every=every, callbacks=[Note()], **named,
    )  # fmt: skip
    return found


def test_schedules():
    stair = functools.partial(Step, step_size=1, gamma=0.5)
    assert rates(stair, "epoch") == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125]
    assert rates(stair, "batch") == [2.0**-k for k in (2, 3, 4, 4, 5, 6, 7, 7)]


@pytest.mark.parametrize(
    ("mode", "named", "name"),
    [
        ("min", {}, "loss"),
        ("min", {"validation": 0.5}, "val_loss"),
        ("max", {"metrics": [accuracy]}, "accuracy"),
        ("max", {"metrics": [accuracy], "validation": 0.5}, "val_accuracy"),
    ],
)
def test_plateau(mode, named, name):
    judged, model = [], classifier()

    class Noting(Plateau):
        def step(self, metric=None):
            judged.append(metric)
            super().step(metric)

    optimizer = nn.SGD(model.parameters(), lr=0.1)
    schedule = Noting(optimizer, mode=mode)
    task = {"loss": nn.cross_entropy, "optimizer": optimizer, "schedule": schedule}
    history = quiet(model, VECTORS, CLASSES, epochs=3, **task, **named)
    assert judged == history[name]


# Callbacks --------------------------------------------------------------------------------------------------------


class Scripted(nn.Module):
    """A model whose validation loss after each epoch is written beforehand."""

    def __init__(self, losses):
        self.w, self._losses = Value(0.0), losses

    def __call__(self, x):
        return self.w


def scripted(losses, callbacks, **named):
    """The parameter is the epoch's number after each step; the "metric" is what is written."""
    model, written = Scripted(losses), iter(losses)

    class Count(nn.Optimizer):
        def update(self, p, g):
            return -1.0

    history = quiet(
        model, [0.0], [-1.0], loss=nn.mse, optimizer=Count([model.w], lr=1.0), epochs=len(losses),
        metrics={"score": lambda *_: next(written)}, callbacks=callbacks, compiled=False, **named,
    )  # fmt: skip
    return model.w.data, history


@pytest.mark.parametrize(
    ("losses", "named", "epochs", "best", "stopped"),
    [
        ([5.0, 4.0, 3.0, 3.5, 3.5, 1.0], {"patience": 2}, 5, 3, 5),
        ([5.0, 4.0, 3.0, 3.5, 3.5, 1.0], {"patience": 3}, 6, 6, None),
        ([5.0, 4.9, 4.8, 4.7], {"patience": 2, "min_delta": 0.15}, 4, 3, None),
        ([5.0, math.nan, math.nan, 1.0], {"patience": 2}, 3, 1, 3),
        ([1.0, 2.0, 3.0, 2.0, 2.0], {"patience": 2, "mode": "max"}, 5, 3, 5),
        ([3.0, 2.0, 1.0], {"patience": 1, "restore_best": False}, 3, 3, None),
        ([2.0, 2.0, 3.0], {"patience": 1, "restore_best": False}, 2, 2, 2),
    ],
)
def test_early_stopping(losses, named, epochs, best, stopped):
    callback = EarlyStopping("score", **{"mode": "min", **named})
    w, history = scripted(losses, [callback])
    assert (len(history.epochs), w, callback.stopped_epoch) == (epochs, best, stopped)


def test_early_stopping_restores_running_means_too():
    seen = []
    stop = EarlyStopping(patience=1)
    task = TASKS["BatchNorm"]
    model, history = trained(
        *task, epochs=60, validation=0.3, callbacks=[stop, lambda run: seen.append(numbers(run.model))]
    )
    assert len(history.epochs) < 60
    assert numbers(model) == seen[int(np.argmin(history["val_loss"]))]


def test_callbacks_see_the_run():
    told: list[Any] = []

    class Tell(Callback):
        def on_start(self, run):
            told.append(("start", run.epoch, run.epochs, run.X.shape, run.y.shape, [*run.names]))

        def on_batch(self, run):
            told.append((run.epoch, run.batch, run.batches, type(run.batch_loss)))

        def on_epoch(self, run):
            told.append(("epoch", run.epoch, len(run.history["loss"]), run.model, run.optimizer))
            if run.epoch == 2:
                run.stop()

        def on_end(self, run):
            told.append(("end", run.epoch, run.history))

    model = classifier()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    task = {"loss": nn.cross_entropy, "optimizer": optimizer, "epochs": 9, "batch_size": 4}
    history = quiet(model, VECTORS, CLASSES, **task, callbacks=[Tell()], validation=0.3)
    epochs = [[(e, 1, 2, float), (e, 2, 2, float), ("epoch", e, e, model, optimizer)] for e in (1, 2)]
    assert told == [
        ("start", 0, 9, (7, 3), (7,), ["loss", "val_loss"]),
        *itertools.chain(*epochs),
        ("end", 2, history),
    ]


def test_the_end_is_told_after_an_error_too():
    told = []

    class Tell(Callback):
        def on_epoch(self, run):
            raise OSError("full")

        def on_end(self, run):
            told.append("end")

    with pytest.raises(OSError, match="full"):
        trained(*TASKS["regression"], callbacks=[Tell()])
    assert told == ["end"]


# Files ------------------------------------------------------------------------------------------------------------


def noisy():
    first, last = nn.Layer(3, 6, activation="tanh", rng=0), nn.Layer(6, 3, activation="identity", rng=1)
    return nn.Sequential(first, nn.BatchNorm(6), nn.Dropout(0.3, rng=2), last, nn.Dropout(0.1))


def long_run(epochs, path, compiled, resume=None, rng=5, dtype="float64"):
    """All that a run may remember: momenta, running means, dropout, a schedule, callbacks, orders."""
    model = noisy()
    optimizer = nn.Adam(model.parameters(), lr=0.05)
    kept = [
        Checkpoint(path),
        EarlyStopping("loss", patience=2, min_delta=0.02),
    ]  # the file comes last all the same
    history = quiet(
        model, VECTORS, CLASSES, loss=nn.cross_entropy, optimizer=optimizer, epochs=epochs, batch_size=4, rng=rng,
        validation=0.2, metrics=[accuracy], callbacks=kept, compiled=compiled, dtype=dtype, resume=resume,
        schedule=Cosine(optimizer, T_max=6),
    )  # fmt: skip
    saved = nn.load(path)["fit"]
    saved["history"].pop("seconds")
    return repr((numbers(model), dict(history), nn.state_arrays(model), saved, optimizer.state_dict()))


@pytest.mark.parametrize(
    ("compiled", "rng", "dtype"),
    [(True, 5, "float64"), (True, "numpy", "float32"), (False, 5, "float64"), (False, "numpy", "float64")],
)
def test_resumed_to_the_last_bit_in_a_fresh_process(tmp_path, compiled, rng, dtype):
    whole, half = str(tmp_path / "whole.npz"), str(tmp_path / "half.npz")
    make = "np.random.default_rng(5)" if rng == "numpy" else "5"
    run = functools.partial(long_run, compiled=compiled, dtype=dtype)
    random.seed(1)
    expected = run(6, whole, rng=eval(make))
    random.seed(1)
    run(3, half, rng=eval(make))
    code = f"""
import numpy as np
from tests.test_fit import long_run
for _ in range(2):  # the second time it is at its end already
    print(long_run(6, {half!r}, {compiled}, resume={half!r}, rng={make}, dtype={dtype!r}))
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == f"{expected}\n{expected}\n"


def test_checkpoint_keeps_the_best(tmp_path):
    path = tmp_path / "best.npz"
    w, _ = scripted([5.0, 3.0, 4.0, 2.0, 6.0], [Checkpoint(path, monitor="score", mode="min")])
    model = Scripted([])
    nn.load(path, model)
    assert (w, model.w.data) == (5.0, 4.0)
    with pytest.raises(ZeroDivisionError):
        scripted([5.0, 3.0, 4.0, 2.0, 6.0], [Checkpoint(path, every=3), lambda run: run.epoch == 4 and 1 / 0])
    nn.load(path, model)
    assert model.w.data == 3.0
    scripted([5.0, 3.0, 4.0, 2.0, 6.0], [Checkpoint(path, every=3)])
    nn.load(path, model)
    assert model.w.data == 5.0


def test_what_does_not_fit_a_file(tmp_path):
    path, other = tmp_path / "run.npz", tmp_path / "model.npz"
    task = TASKS["classes"]
    model, _ = trained(*task, epochs=2, callbacks=[Checkpoint(path)])
    nn.save(other, model)
    wrong: list[Any] = [
        ({"epochs": 1}, r"epochs=1, .*run\.npz after 2"),
        ({"epochs": 3, "rng": np.random.default_rng(0)}, "needs the generators that it had"),
        ({"epochs": 3, "resume": other}, r"a file of Checkpoint\. Received: .*model\.npz, of nn\.save"),
    ]
    for named, error in wrong:
        with pytest.raises(ValueError, match=error):
            trained(*task, **{"resume": path, **named})
    fresh = classifier()
    before, optimizer = numbers(fresh), nn.Adam(fresh.parameters())
    with pytest.raises(
        ValueError, match=r"needs the schedule that it had before the break, NoneType\. Received: Step"
    ):
        quiet(
            fresh, VECTORS, CLASSES, loss=nn.cross_entropy, optimizer=optimizer, epochs=3, rng=7, resume=path,
            schedule=Step(optimizer, 1),
        )  # fmt: skip
    assert numbers(fresh) == before
    with pytest.raises(FileNotFoundError):
        trained(*task, resume=tmp_path / "none.npz")


# Ctrl-C -----------------------------------------------------------------------------------------------------------


class Interrupted(nn.SGD):
    """Ctrl-C comes in the middle of an update, in the third step."""

    calls, times, scalar = 0, 1, False

    def update(self, p, g):
        self.calls += 1
        if self.calls == 3 + 2 * self.scalar * len(self.parameters):
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return super().update(p, g)

    update.for_arrays = True  # type: ignore[attr-defined]


@pytest.mark.parametrize("compiled", [True, False])
def test_an_interrupted_step_is_finished(compiled, capsys):
    ended = []

    class End(Callback):
        def on_end(self, run):
            ended.append((run.epoch, run.batch))

    model, twin = classifier(), classifier()
    optimizer = Interrupted(model.parameters(), lr=0.1)
    optimizer.scalar = not compiled
    task = {"loss": nn.cross_entropy, "compiled": compiled, "batch_size": 6, "rng": 0}
    history = fit(
        model, VECTORS, CLASSES, optimizer=optimizer, epochs=5, callbacks=[End()], progress="lines", **task
    )
    assert history.interrupted
    assert len(history.epochs) == 1
    assert ended == [(2, 1)]
    assert "interrupted" in repr(history)
    assert model.training
    assert capsys.readouterr().out.endswith("interrupted in epoch 2, after 1 of 2 steps\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def third(run):
        if run.batch == 1 and run.epoch == 2:
            raise KeyboardInterrupt

    class Third(Callback):
        on_batch = staticmethod(third)

    same = quiet(
        twin,
        VECTORS,
        CLASSES,
        optimizer=nn.SGD(twin.parameters(), lr=0.1),
        epochs=5,
        callbacks=[Third()],
        **task,
    )
    assert numbers(twin) == numbers(model)
    assert same.interrupted
    assert same == history


def test_a_second_ctrl_c_does_not_wait():
    model, ended = classifier(), []
    optimizer = Interrupted(model.parameters(), lr=0.1)
    optimizer.times = 2

    class End(Callback):
        def on_end(self, run):
            ended.append(run.epoch)

    task = {"loss": nn.cross_entropy, "optimizer": optimizer, "epochs": 5, "batch_size": 4}
    with pytest.raises(KeyboardInterrupt):
        quiet(model, VECTORS, CLASSES, callbacks=[End()], **task)
    assert ended == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupted_during_validation():
    """The epoch is not finished, and not listed; the model is in training again."""

    def score(outputs, targets):
        signal.raise_signal(signal.SIGINT)
        return 0.0

    model, history = trained(*TASKS["BatchNorm"], metrics=[score], epochs=3, validation=0.3)
    assert history.interrupted
    assert not history.epochs
    assert model.training
    assert repr(history)


def test_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(trained(*TASKS["regression"])[1]))
    thread.start()
    thread.join()
    assert len(found[0].epochs) == 1


# History and progress ---------------------------------------------------------------------------------------------


def test_history():
    history = History([{"loss": 1.0}, {"loss": 0.5, "accuracy": 0.25}], [0.1, 0.2], interrupted=True)
    assert dict(history)["loss"] == [1.0, 0.5]
    assert len(history) == 2
    assert "val_loss" not in history
    assert history["accuracy"] == [pytest.approx(math.nan, nan_ok=True), 0.25]
    again = History.from_dict(json.loads(json.dumps(history.to_dict())))
    assert again.to_dict() == history.to_dict()
    assert repr(again) == repr(history)
    with pytest.raises(KeyError, match=r"one of \['loss', 'accuracy'\]\. Received: 'acc'"):
        history["acc"]
    assert repr(History()) == "History of no epoch"
    long = History([{"loss": 0.5**k} for k in range(100)])
    assert [line.split()[0] for line in repr(long).splitlines()] == [
        "epoch",
        *"1234",
        "...",
        "97",
        "98",
        "99",
        "100",
    ]


def test_plot():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    history = History(
        [{"loss": 1.0, "val_loss": 2.0, "accuracy": 0.5}, {"loss": 0.5, "val_loss": 1.5, "accuracy": 1.0}]
    )
    ax = history.plot(figure.subplots())
    assert [line.get_label() for line in ax.lines] == ["loss", "val_loss"]
    assert history.plot(figure.subplots(), names=["accuracy"]).lines[0].get_ydata().tolist() == [0.5, 1.0]


def test_lines(capsys):
    trained(*TASKS["regression"], progress="lines", epochs=100, metrics=[r2])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/100"] + [f"{k}/100" for k in range(5, 101, 5)]
    assert re.fullmatch(r"epoch   1/100  loss \d\.\d{4}  r2 -?\d+\.\d{4}  \d+\.\d s", lines[0])
    trained(
        *TASKS["regression"],
        progress="auto",
        epochs=50,
        callbacks=[lambda run: run.epoch == 7 and run.stop()],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("epoch  7/50")
    assert lines[-1] == "stopped after epoch 7"
    trained(*TASKS["regression"], progress=False)
    assert capsys.readouterr() == ("", "")


def test_bar(capsys):
    pytest.importorskip("tqdm")
    trained(*TASKS["regression"], progress="bar", epochs=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "9/9" in err
    assert re.search(r"epoch 3/3  loss \d\.\d{4}", err)
    with pytest.raises(ValueError, match="monitor"):
        trained(*TASKS["regression"], progress="bar", callbacks=[EarlyStopping()])
    assert capsys.readouterr() == ("", "")


# Malformed --------------------------------------------------------------------------------------------------------

WRONG: list[Any] = [
    (
        {"y": CLASSES[:5]},
        ValueError,
        r"fit needs arrays of one length, at least 1\. Received: lengths \[11, 5\]",
    ),
    ({"X": [], "y": []}, ValueError, r"at least 1\. Received: lengths \[0, 0\]"),
    ({"X": 3}, TypeError, "fit needs arrays or lists. Received: int"),
    ({"y": (CLASSES, CLASSES), "loss": weighted, "X": VECTORS[:3]}, ValueError, r"lengths \[3, 11, 11\]"),
    ({"loss": weighted}, ValueError, r"a tuple of 2 arrays for a loss of 4 arguments\. Received: ndarray"),
    ({"loss": weighted, "y": (CLASSES,)}, ValueError, r"Received: 1 entries"),
    ({"epochs": 0}, ValueError, r"fit needs epochs to be at least 1\. Received: epochs=0"),
    ({"epochs": 2.5}, TypeError, r"fit needs an int as epochs\. Received: 2\.5"),
    ({"batch_size": 0}, ValueError, r"fit needs batch_size to be at least 1\. Received: batch_size=0"),
    ({"validation": 1.0}, ValueError, r"a share between 0 and 1 .* Received: validation=1\.0 for 11 samples"),
    ({"validation": 0.99}, ValueError, "at least one sample"),
    ({"validation": 0}, ValueError, "Received: validation=0 for"),
    ({"validation": (VECTORS,)}, ValueError, "Received: 1 entries"),
    ({"validation": (VECTORS, CLASSES[:2])}, ValueError, r"fit, for its validation, needs .*\[11, 2\]"),
    (
        {"optimizer": nn.SGD([Value(1.0)])},
        ValueError,
        r"made with parameters of the model: SGD\(model.*one of 1 others",
    ),
    ({"optimizer": None}, TypeError, "fit needs an Optimizer, such as nn.SGD. Received: NoneType"),
    ({"loss": "mse"}, TypeError, "fit needs a loss that can be called. Received: str"),
    ({"compiled": "yes"}, ValueError, "compiled to be 'auto', True or False. Received: compiled='yes'"),
    ({"compiled": 1.5}, ValueError, "Received: compiled=1.5"),
    ({"compiled": False, "dtype": "float32"}, ValueError, "dtype='float64' where it is not compiled"),
    ({"dtype": "int"}, ValueError, "dtype must be"),
    ({"progress": "loud"}, ValueError, "Received: progress='loud'"),
    ({"metrics": accuracy}, TypeError, "a list of metrics, or a dict"),
    ({"metrics": [accuracy, accuracy]}, ValueError, "different names, or a dict"),
    ({"metrics": {"loss": accuracy}}, ValueError, "other than 'loss' and 'val_...'"),
    ({"metrics": ["accuracy"]}, TypeError, "metrics that can be called. Received: 'accuracy'"),
    ({"metrics": {"both": lambda *_: [1.0, 2.0]}}, TypeError, "return one number. Received: list from both"),
    ({"callbacks": ["stop"]}, TypeError, "Callbacks, or functions. Received: str"),
    ({"callbacks": [EarlyStopping]}, TypeError, "Callbacks, or functions. Received: EarlyStopping"),
    (
        {"callbacks": [EarlyStopping()]},
        ValueError,
        r"monitor to be one of \['loss'\]\. Received: .*no validation data",
    ),
    ({"schedule_every": "step"}, ValueError, "schedule_every to be 'epoch' or 'batch'. Received: .*'step'"),
    ({"schedule": 3}, TypeError, "needs a Schedule.* Received: int"),
    (
        {"schedule": Step(nn.SGD([Value(1.0)]), 1)},
        ValueError,
        "a schedule of its optimizer. Received: another's",
    ),
    ({"rng": "seed"}, TypeError, "rng is None, an int"),
]


@pytest.mark.parametrize(("named", "error", "text"), WRONG)
def test_malformed(named, error, text):
    model = classifier()
    before = numbers(model)
    arguments = {
        "X": VECTORS,
        "y": CLASSES,
        "loss": nn.cross_entropy,
        "optimizer": nn.SGD(model.parameters(), lr=0.1),
    }
    with pytest.raises(error, match=text):
        quiet(model, **{**arguments, **named})
    if "list from both" not in text:  # which is seen after the first epoch
        assert numbers(model) == before


def test_malformed_plateaus():
    model = classifier()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    task = {"loss": nn.cross_entropy, "optimizer": optimizer}
    with pytest.raises(ValueError, match="schedule_every='epoch' for a Plateau"):
        quiet(model, VECTORS, CLASSES, schedule=Plateau(optimizer), schedule_every="batch", **task)
    with pytest.raises(ValueError, match="a metric for a Plateau in mode 'max'"):
        quiet(model, VECTORS, CLASSES, schedule=Plateau(optimizer, mode="max"), **task)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: EarlyStopping(patience=0), ValueError, "patience to be at least 1"),
        (lambda: EarlyStopping(min_delta=-1.0), ValueError, "min_delta to be finite and at least 0"),
        (lambda: EarlyStopping("score"), ValueError, "mode='min' or 'max' to know which score is better"),
        (lambda: EarlyStopping(mode="low"), ValueError, "Received: mode='low'"),
        (lambda: Checkpoint("x.npz", every=0), ValueError, "every to be at least 1"),
    ],
)
def test_malformed_callbacks(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("callback", [EarlyStopping("loss"), Checkpoint("x.npz")])
def test_a_function_has_no_parameters_to_keep(callback):
    w = Value(0.0)
    with pytest.raises(TypeError, match="needs a Module"):
        quiet(lambda x: tanh(w * x), [1.0], [1.0], loss=nn.mse, optimizer=nn.SGD([w]), callbacks=[callback])


def test_positions_that_no_sample_reaches_stay_as_they_are():
    """Eager as compiled, also where weights decay."""

    def trained(compiled):
        model = nn.Sequential(
            nn.LearnedPositions(6, 2, rng=0), nn.Flatten(), nn.Layer(8, 1, activation="identity", rng=1)
        )
        optimizer = nn.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
        X, y = np.random.default_rng(0).normal(size=(8, 4, 2)), np.arange(8.0)
        task: dict[str, Any] = {
            "loss": nn.mse,
            "optimizer": optimizer,
            "epochs": 3,
            "rng": 0,
            "progress": False,
        }
        nn.fit(model, X, y, **task, compiled=compiled)
        return [p.data for p in model.parameters()]

    np.testing.assert_allclose(trained(True), trained(False), rtol=1e-11, atol=1e-13)


def test_a_checkpoint_is_made_after_the_last_epoch_too(tmp_path):
    model = nn.MLP(1, [2, 1], rng=0)
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    path = tmp_path / "run.npz"
    task: dict[str, Any] = {"loss": nn.mse, "optimizer": optimizer, "epochs": 5, "progress": False}
    nn.fit(model, [0.0, 1.0], [1.0, 0.0], **task, callbacks=[nn.Checkpoint(path, every=3)])
    assert len(nn.load(path)["fit"]["history"]["epochs"]) == 5
    with pytest.raises(ValueError, match=r"ends in \.npz or \.safetensors"):
        nn.Checkpoint(tmp_path / "run.txt")
