"""Recording a training: what a frame holds, that training does not notice, and what a browser makes of the page."""

import base64
import functools
import html
import json
import math
import os
import random
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, detect_anomaly
from nn import recording as module
from nn.recording import BINS, FOLDER, GRID, LINE, Recording, Twin, histogram, places

from .hostile import HOSTILE, SEEN
from .test_explore import match, written

rng = np.random.default_rng(0)
VECTORS, PAIRS, NUMBERS = rng.normal(size=(11, 3)), rng.normal(size=(24, 2)), rng.normal(size=11)
CLASSES, THREE = rng.integers(0, 3, 11), np.arange(24) % 3
SIDES = (PAIRS[:, 0] * PAIRS[:, 1] > 0).astype(int)
SEQUENCES, IMAGES = rng.normal(size=(11, 4, 3)), rng.normal(size=(11, 4, 4))
XOR = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
quiet: Any = functools.partial(nn.fit, progress=False)


def trained(model, X=PAIRS, y=SIDES, loss=nn.binary_cross_entropy, *, lr=0.05, **named):
    task = {"epochs": 3, "batch_size": 8, "rng": 7, **named}
    optimizer = task.pop("optimizer", nn.Adam)
    return quiet(model, X, y, loss=loss, optimizer=optimizer(model.parameters(), lr=lr), **task)


def small(nout=1, activation="tanh", nin=2, hidden=4, **named):
    return nn.MLP(nin, [hidden, nout], activation=activation, rng=0, **named)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f8")


class Read:
    """A page's data, taken apart as the page does it."""

    def __init__(self, text):
        self.data = written(text)
        self.frames = [self.frame(*pair) for pair in zip(*self.both(), strict=True)]
        self.epochs = self.data["frames"]["epochs"]
        history = self.data["history"]
        self.history = dict(zip(history["names"], map(floats, history["values"]), strict=True))

    def both(self):
        frames = self.data["frames"]
        return map(floats, frames["numbers"]), (
            np.frombuffer(base64.b64decode(m), np.uint8) for m in frames["marks"]
        )

    def frame(self, numbers, marks):
        d, place = self.data, 0

        def take(*shape):
            nonlocal place
            n = math.prod(shape)
            place += n
            return numbers[place - n : place].reshape(shape)

        layers = [take(11) for _ in d["layers"]]
        weights = [(take(c["size"], c["inputs"]), take(sum(c["biases"]))) for c in d["columns"]]
        sizes = [d["inputs"], *(c["size"] for c in d["columns"])] if weights else []
        values = [[take(n) for n in sizes] for _ in d["samples"]]
        outputs = take(len(d["samples"]), d["outputs"])
        plane = d["function"]
        curve = take(plane["outputs"], plane["n"]) if plane and plane["kind"] == "curve" else None
        assert place == len(numbers)
        bars = marks[: 2 * BINS * len(layers)].reshape(-1, 2, BINS)
        field = marks[bars.size :].reshape(plane["n"], plane["n"]) if plane and curve is None else None
        return {"layers": layers, "weights": weights, "values": values, "outputs": outputs, "curve": curve,
                "bars": bars, "field": field}  # fmt: skip


def recorded(model, *data, path, **named):
    trained(model, *data, record=path, **named)
    return Read(Path(path).read_text(encoding="utf-8"))


def numbers(model):
    return [v.data for _, v in (*model.named_parameters(), *model.named_buffers())]


# Training does not notice -----------------------------------------------------------------------------------------


class Last(nn.Module):
    """The class by the last state of a recurrence."""

    def __init__(self):
        self.lstm, self.head = nn.LSTM(3, 4, rng=0), nn.Layer(4, 3, activation="identity", rng=1)

    def __call__(self, xs):
        return self.head(self.lstm(xs)[1][0][-1])


class Locked(nn.Module):
    """What cannot be copied, and draws random numbers whatever mode it is in."""

    def __init__(self):
        self.lock, self.inner, self.rng = threading.Lock(), small(nin=3), random.Random(5)

    def __call__(self, x):
        return self.inner(x) + 0.01 * (self.rng.random() + random.random() + np.random.rand())


class Branching(nn.Module):
    def __init__(self):
        self.w = Value(0.5)

    def __call__(self, x):
        return self.w * x if x > 0.0 else -self.w * x


class Total(nn.Module):
    def __init__(self):
        self.w = Value(0.1)

    def __call__(self, xs):
        return self.w * sum(xs)


class Pair(nn.Module):
    """Called by its loss alone, with more than a sample."""

    def __init__(self):
        self.w = Value(0.1)

    def __call__(self, x, offset):
        return self.w * x + offset


def noisy():
    first, last = nn.Layer(3, 6, activation="identity", rng=0), nn.Layer(6, 3, activation="identity", rng=1)
    return nn.Sequential(first, nn.BatchNorm(6), "tanh", nn.Dropout(0.3, rng=2), last, nn.Dropout(0.1))


def convolution():
    return nn.Sequential(
        lambda x: np.asarray(x)[None], nn.Conv2d(1, 2, 3, rng=0), nn.Flatten(), nn.MLP(8, [3], rng=1)
    )


def by_model(model, x, target):
    return nn.mse(model(x, 1.0), target)


def embedded(tokens):
    return nn.Sequential(nn.Embedding(3, 2, rng=0), nn.Flatten(), nn.MLP(2 * tokens, [1], rng=0))


EAGER: dict[str, Any] = {"compiled": False}
TOKENS = rng.integers(0, 3, (11, 2))
RAGGED = ([[1.0], [1.0, 2.0], [3.0], [0.5, 1.5, 2.5]], [1.0, 3.0, 3.0, 4.5])
TASKS: dict[str, tuple[Any, ...]] = {
    "compiled": (small, PAIRS, SIDES, nn.binary_cross_entropy, {}),
    "scalar by scalar": (small, PAIRS, SIDES, nn.binary_cross_entropy, EAGER),
    "float32": (small, PAIRS, SIDES, nn.binary_cross_entropy, {"dtype": "float32"}),
    "one input": (lambda: small(nin=1), NUMBERS, NUMBERS**2, nn.mse, {}),
    "three classes": (lambda: small(3), PAIRS, THREE, nn.cross_entropy, {}),
    "noisy": (noisy, VECTORS, CLASSES, nn.cross_entropy, {}),
    "noisy, scalar by scalar": (noisy, VECTORS, CLASSES, nn.cross_entropy, EAGER),
    "convolution": (convolution, IMAGES, CLASSES, nn.cross_entropy, {}),
    "LSTM": (Last, SEQUENCES, CLASSES, nn.cross_entropy, {}),
    "GPT": (lambda: nn.GPT(3, 4, 1, 1, 3, rng=0), TOKENS, TOKENS, nn.cross_entropy, {}),
    "two tokens": (lambda: embedded(2), TOKENS, NUMBERS, nn.mse, {}),
    "no copy": (Locked, VECTORS, NUMBERS, nn.mse, EAGER),
    "a branch": (Branching, NUMBERS, NUMBERS, nn.mse, EAGER),
    "a neuron": (lambda: nn.Neuron(3, activation="tanh", rng=0), VECTORS, NUMBERS, nn.mse, {}),
    "samples of many lengths": (Total, *RAGGED, nn.mse, EAGER),
    "called by its loss": (Pair, NUMBERS, NUMBERS, by_model, {}),
    "large": (lambda: nn.MLP(3, [70, 3], rng=0), VECTORS, CLASSES, nn.cross_entropy, {}),
    "linear": (lambda: nn.MLP(3, [2], activation="identity", bias=False, rng=0), VECTORS, VECTORS[:, :2], nn.mse, {}),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_a_recorded_training_is_the_same_to_the_last_bit(task, tmp_path):
    """Weights, history, generators, modes and each neuron's last call; and there is a page, whatever the model is."""
    make, X, y, loss, named = TASKS[task]
    found = []
    for record in (None, tmp_path / "run.html"):
        random.seed(3)
        np.random.seed(3)
        model = make()
        history = trained(model, X, y, loss, record=record, **named)
        parts = model.modules()
        state = [rng.getstate() for part in parts if isinstance(rng := vars(part).get("rng"), random.Random)]
        calls = [repr(vars(part).get("_z")) for part in parts]
        own = (
            repr(np.random.get_state()),
            random.getstate(),
            state,
            [part.training for part in parts],
            calls,
        )
        found.append((numbers(model), dict(history), own))
    assert found[0] == found[1]
    assert numbers(model) != numbers(make())
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert page.epochs == [0, 1, 2, 3]
    assert page.history["loss"].tolist() == history["loss"]
    assert page.data["layers"]


def test_what_of_these_is_drawn(tmp_path):
    drawn = {}
    for task, (make, X, y, loss, named) in TASKS.items():
        data = recorded(make(), X, y, loss, path=tmp_path / "run.html", **named).data
        drawn[task] = (len(data["columns"]), data["outputs"], (data["function"] or {}).get("kind"))
        assert bool(data["remarks"]) == (task == "called by its loss")
    assert drawn == {
        "compiled": (2, 0, "classes"),
        "scalar by scalar": (2, 0, "classes"),
        "float32": (2, 0, "classes"),
        "one input": (2, 0, "curve"),
        "three classes": (2, 0, "classes"),
        "noisy": (2, 0, None),
        "noisy, scalar by scalar": (2, 0, None),
        "convolution": (0, 3, None),
        "LSTM": (0, 3, None),
        "GPT": (0, 0, None),
        "two tokens": (0, 1, None),
        "no copy": (0, 1, None),
        "a branch": (0, 1, "curve"),
        "a neuron": (1, 0, None),
        "samples of many lengths": (0, 1, None),
        "called by its loss": (0, 0, None),
        "large": (0, 3, None),
        "linear": (1, 0, None),
    }


def test_a_plain_function_is_recorded_too(tmp_path):
    w = Value(0.0)
    optimizer = nn.SGD([w], lr=0.1)
    quiet(lambda x: w * x, [1.0, 2.0], [2.0, 4.0], loss=nn.mse, optimizer=optimizer, epochs=4,
          record=tmp_path / "run.html")  # fmt: skip
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert [layer["name"] for layer in page.data["layers"]] == ["parameters"]
    assert page.frames[-1]["layers"][0][0] == w.data
    grid = np.linspace(0.9, 2.1, LINE)
    assert page.frames[-1]["curve"][0] == pytest.approx(w.data * grid, rel=1e-12)


def test_who_watches_or_looks_for_anomalies_does_not_notice(tmp_path):
    def told(record):
        calls = []
        with nn.watching(lambda module, _, output: calls.append((module._title(), str(output)))):
            trained(small(), compiled=False, record=record)
        return calls

    assert told(None) == told(tmp_path / "run.html") != []

    class Root(nn.Module):
        """nan below 1, where there are no samples but places of the curve."""

        def __init__(self):
            self.w = Value(1.0)

        def __call__(self, x):
            return self.w * autograd.sqrt(x - 1.0)

    for compiled in (True, False):
        model = Root()
        with detect_anomaly():
            trained(model, [1.05, 2.05], [1.0, 2.0], nn.mse, compiled=compiled, record=tmp_path / "run.html")
        page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
        grid = np.linspace(0.95, 2.15, LINE)
        with np.errstate(invalid="ignore"):
            expected = model.w.data * np.sqrt(grid - 1.0)
        assert page.frames[-1]["curve"][0] == pytest.approx(expected, rel=1e-9, nan_ok=True)


# What a frame holds -----------------------------------------------------------------------------------------------


def forward(weights, X, activation=np.tanh):
    """The outputs of the layers, by NumPy: hidden ones with an activation, the last one linear."""
    found = [np.asarray(X, float)]
    for i, (W, b) in enumerate(weights):
        z = found[-1] @ W.T + b
        found.append(activation(z) if i < len(weights) - 1 else z)
    return found


def test_weights_are_pythons_and_activations_numpys(tmp_path):
    model, seen = nn.MLP(2, [5, 3, 1], activation="tanh", rng=0), []

    def look(run):
        seen.append([p.data for p in model.parameters()])

    page = recorded(model, path=tmp_path / "run.html", callbacks=[look], epochs=4)
    chosen = [row["index"] for row in page.data["samples"]]
    assert len(chosen) == 8
    for k, frame in enumerate(page.frames):
        if k:
            flat = [np.concatenate([np.column_stack(pair).ravel() for pair in frame["weights"]])]
            assert np.concatenate(flat).tolist() == seen[k - 1]
        found = forward(frame["weights"], PAIRS[chosen])
        for s in range(len(chosen)):
            for column, values in zip(found, frame["values"][s], strict=True):
                assert values == pytest.approx(column[s], rel=1e-12, abs=1e-15)
    assert [row["x"] for row in page.data["samples"]] == PAIRS[chosen].tolist()


def test_statistics_and_histograms_are_numpys(tmp_path):
    model = small(hidden=30)
    trained(model, record=Recording(tmp_path / "run.html", samples=20))
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    for layer, (W, b), row in zip(
        range(2), page.frames[-1]["weights"], page.frames[-1]["layers"], strict=True
    ):
        w = np.concatenate([W.ravel(), b])
        a = np.array([values[layer + 1] for values in page.frames[-1]["values"]])
        for x, found in ((w, row[:5]), (a, row[5:10])):
            assert found == pytest.approx([x.mean(), x.std(), x.min(), x.max(), 0.0], rel=1e-12)
        for x, bars in zip((w, a), page.frames[-1]["bars"][layer], strict=True):
            counts = np.histogram(x, BINS)[0]
            assert np.abs(bars - 255.0 * counts / counts.max()).max() <= 1.0
            assert ((bars > 0) == (counts > 0)).all()


def test_a_histogram_of_odd_numbers():
    assert not histogram(np.array([math.nan, math.inf])).any()
    assert histogram(np.array([2.0, 2.0, math.nan])).tolist() == [0] * (BINS // 2) + [255] + [0] * (
        BINS - BINS // 2 - 1
    )
    assert histogram(np.array([-1e308, 1e308]))[[0, -1]].tolist() in ([255, 255], [0, 0])


@pytest.mark.parametrize("compiled", [True, False])
def test_gradients_are_those_of_the_loss_of_the_samples(compiled, tmp_path):
    """With plain SGD, all samples chosen and in one batch: how far a layer is about to move, by the learning rate."""
    recording = Recording(tmp_path / "run.html", samples=24)
    trained(small(), record=recording, compiled=compiled, batch_size=24, optimizer=nn.SGD, lr=0.1)
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    for before, after in zip(page.frames, page.frames[1:], strict=False):
        for k, row in enumerate(before["layers"]):
            moved = [(b - a).ravel() for b, a in zip(before["weights"][k], after["weights"][k], strict=True)]
            assert row[10] == pytest.approx(np.linalg.norm(np.concatenate(moved)) / 0.1, rel=1e-9)


def test_what_is_frozen_has_no_gradient(tmp_path):
    model = small()
    model.layers[0].freeze()
    page = recorded(model, path=tmp_path / "run.html")
    assert [row[10] > 0.0 for row in page.frames[-1]["layers"]] == [False, True]
    assert page.frames[-1]["layers"][0][10] == -1.0


def test_a_loss_that_reads_the_model_by_itself_leaves_it_alone(tmp_path):
    """Its gradient would need the Values that are trained: it is not known."""
    model = small()
    loss = lambda z, t: nn.binary_cross_entropy(z, t) + 0.01 * nn.penalties.l2(model)
    page = recorded(model, PAIRS, SIDES, loss, path=tmp_path / "run.html", compiled=False)
    assert [row[10] for row in page.frames[-1]["layers"]] == [-1.0, -1.0]
    assert {*map(type, model.parameters())} == {Value}


def grid_of(page, n=GRID):
    plane = page.data["function"]
    assert plane["n"] == n
    x, y = (np.linspace(low, high, n) for low, high in zip(plane["low"], plane["high"], strict=True))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def decoded(field, kinds):
    """The class, and by how much it is ahead."""
    part = (field.ravel() // kinds / (255 // kinds - 1)) ** 2
    return field.ravel() % kinds, part / np.maximum(1e-9, 1.0 - part)


def test_the_field_of_two_classes(tmp_path):
    page = recorded(small(), path=tmp_path / "run.html", epochs=20)
    assert page.data["function"]["rule"] == "class 1 where the output is above 0"  # logits
    for frame in page.frames:
        z = forward(frame["weights"], grid_of(page))[-1][:, 0]
        kind, ahead = decoded(frame["field"], 2)
        assert (kind == (z > 0)).all()
        middle = np.abs(z) < 4.0
        assert ahead[middle] == pytest.approx(np.abs(z[middle]) / 2.0, abs=0.06)
    low, high = PAIRS.min(axis=0), PAIRS.max(axis=0)
    assert page.data["function"]["low"] == pytest.approx(low - 0.1 * (high - low))


def test_the_field_of_three_classes(tmp_path):
    page = recorded(small(3), PAIRS, THREE, nn.cross_entropy, path=tmp_path / "run.html", epochs=5)
    z = forward(page.frames[-1]["weights"], grid_of(page))[-1]
    kind, ahead = decoded(page.frames[-1]["field"], 3)
    assert (kind == z.argmax(axis=1)).all()
    ordered = np.sort(z, axis=1)
    assert ahead == pytest.approx((ordered[:, -1] - ordered[:, -2]) / 2.0, abs=0.1, rel=0.1)
    softmax = small(3, output_activation="softmax")
    page = recorded(softmax, PAIRS, np.eye(3)[THREE], nn.mse, path=tmp_path / "run.html", lr=0.0)
    z = forward(page.frames[-1]["weights"], grid_of(page))[-1]
    kind, ahead = decoded(page.frames[-1]["field"], 3)
    ordered = np.sort(z, axis=1)
    assert (kind == z.argmax(axis=1)).all()
    assert ahead == pytest.approx((ordered[:, -1] - ordered[:, -2]) / 2.0, abs=0.1, rel=0.1)


@pytest.mark.parametrize(
    ("y", "loss", "threshold", "rule"),
    [
        (SIDES, nn.binary_cross_entropy, None, "class 1 where the output is above 0"),
        (SIDES, functools.partial(nn.binary_cross_entropy, pos_weight=2), None, "class 1 where the output is above 0"),
        (2 * SIDES - 1, nn.hinge, None, "class 1 where the output is above 0"),
        (SIDES, nn.mse, None, "class 1 where the output is above 0.5"),
        (SIDES.astype(float), nn.mse, 0.25, "class 1 where the output is above 0.25"),
        (THREE, nn.mse, None, ""),
        (PAIRS[:, 0], nn.mse, None, ""),
    ],
)  # fmt: skip
def test_where_a_class_begins(y, loss, threshold, rule, tmp_path):
    recording = Recording(tmp_path / "run.html", threshold=threshold)
    trained(small(), PAIRS, y, loss, record=recording)
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert page.data["function"]["rule"] == rule
    z = forward(page.frames[-1]["weights"], grid_of(page))[-1][:, 0]
    field = page.frames[-1]["field"].ravel()
    if rule:
        assert ((field % 2) == (z > float(rule.split()[-1]))).all()
    else:
        low, high = y.min(), y.max()
        assert page.data["function"]["range"] == [low, high]
        assert field == pytest.approx(np.clip(254.0 * (z - low) / (high - low), 0.0, 254.0), abs=0.51)


def test_the_curve_of_one_input_and_its_points(tmp_path):
    page = recorded(small(2, nin=1), NUMBERS, VECTORS[:, :2], nn.mse, path=tmp_path / "run.html")
    plane = page.data["function"]
    grid = np.linspace(plane["low"], plane["high"], LINE)
    outputs = forward(page.frames[-1]["weights"], grid)[-1]
    assert pytest.approx(outputs, rel=1e-12) == page.frames[-1]["curve"].T
    points = [
        [float(f"{x:.6g}"), None, float(f"{t:.6g}")] for x, t in zip(NUMBERS, VECTORS[:, 0], strict=True)
    ]
    assert plane["points"] == points


def test_nan_and_inf_in_a_frame(tmp_path):
    model = small(activation="identity")
    with pytest.warns(RuntimeWarning, match="the loss is"):
        page = recorded(model, PAIRS, 100.0 * SIDES - 50.0, nn.mse, path=tmp_path / "run.html", optimizer=nn.SGD,
                        lr=100.0, epochs=80)  # fmt: skip
    last = page.frames[-1]
    assert np.isnan(last["weights"][0][0]).all()
    assert (last["field"] == 255).all()
    assert last["layers"][0][4] == 12.0  # weights and biases that are not finite
    assert np.isnan(page.history["loss"][-1])
    json.dumps(page.data, allow_nan=False)


# Which frames there are -------------------------------------------------------------------------------------------


def test_frames_are_thinned_evenly_and_the_page_says_so(tmp_path):
    path = tmp_path / "run.html"
    page = recorded(small(), path=path, epochs=1003, validation=0.2)
    assert page.epochs == [*range(0, 1001, 8), 1003]
    assert page.data["remarks"] == ["To keep the page small, every 8th epoch is shown."]
    assert len(page.history["loss"]) == 1003
    assert path.stat().st_size < 2_000_000
    assert recorded(small(), path=path, epochs=199).epochs == [*range(200)]
    assert recorded(small(), path=path, epochs=200).epochs == [*range(0, 201, 2)]


def test_every(tmp_path):
    trained(small(), record=Recording(tmp_path / "run.html", every=3), epochs=10)
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert page.epochs == [0, 3, 6, 9, 10]
    assert not page.data["remarks"]


def test_a_page_stays_below_two_megabytes(tmp_path):
    path = tmp_path / "run.html"
    model = nn.MLP(2, [30, 30, 1], activation="tanh", rng=0)
    page = recorded(
        model, path=path, epochs=220, metrics={name: lambda *_: 1.0 for name in "abcd"}, validation=0.1
    )
    assert page.data["columns"]
    assert 40 < len(page.frames) <= 200
    assert 1_000_000 < path.stat().st_size < 2_000_000


def test_long_curves_are_thinned_too(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "CURVE", 50)
    page = recorded(small(), path=tmp_path / "run.html", epochs=203)
    assert page.data["history"]["epochs"] == sorted({*range(5, 204, 5), *range(2, 203, 2), 203})
    assert page.data["remarks"][-1] == "The curves are drawn from every 5th epoch."


def long_run(path, epochs, resume=None, record=True, **named):
    model = noisy()
    optimizer = nn.Adam(model.parameters(), lr=0.05)
    recording = Recording(path / "run.html", every=2) if record else None
    task = {
        "loss": nn.cross_entropy,
        "optimizer": optimizer,
        "batch_size": 4,
        "rng": 5,
        "validation": 0.2,
        **named,
    }
    kept = {"callbacks": [nn.Checkpoint(path / "run.npz")], "record": recording, "resume": resume}
    quiet(model, VECTORS, CLASSES, **task, **kept, epochs=epochs)
    return (path / "run.html").read_text(encoding="utf-8") if record else ""


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("broken", [3, 4])
def test_a_resumed_run_has_the_page_of_one_without_a_break(tmp_path, compiled, broken):
    random.seed(1)
    whole = long_run(tmp_path, 7, compiled=compiled)
    random.seed(1)
    long_run(tmp_path, broken, compiled=compiled)
    assert long_run(tmp_path, 7, tmp_path / "run.npz", compiled=compiled) == whole
    assert Read(whole).epochs == [0, 2, 4, 6, 7]
    again = Read(long_run(tmp_path, 7, tmp_path / "run.npz", compiled=compiled))
    assert again.data["frames"] == Read(whole).data["frames"]  # of no epoch more


def test_a_resumed_run_goes_on_as_thinned_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FRAMES", 4)
    random.seed(1)
    whole = long_run(tmp_path, 10)
    random.seed(1)
    long_run(tmp_path, 9)
    assert long_run(tmp_path, 10, tmp_path / "run.npz") == whole
    assert Read(whole).epochs == [0, 4, 8, 10]
    assert Read(whole).data["remarks"] == ["To keep the page small, every 4th epoch is shown."]


def test_a_break_before_anything_was_recorded(tmp_path):
    long_run(tmp_path, 3, record=False)
    page = Read(long_run(tmp_path, 6, tmp_path / "run.npz"))
    assert page.epochs == [3, 4, 6]
    assert page.data["remarks"] == ["What came before epoch 3 was not recorded."]
    assert len(page.history["loss"]) == 6


def test_ctrl_c_leaves_a_page_of_what_there_is(tmp_path):
    def interrupted(callback):
        model = small()
        history = trained(model, record=tmp_path / "run.html", epochs=9, callbacks=[callback])
        assert history.interrupted
        page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
        flat = np.concatenate([np.column_stack(pair).ravel() for pair in page.frames[-1]["weights"]])
        assert flat.tolist() == numbers(model)
        return page

    class InEpoch(nn.Callback):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (3, 2):
                signal.raise_signal(signal.SIGINT)

    page = interrupted(InEpoch())
    assert page.epochs == [0, 1, 2, 2 + 2 / 3]
    assert page.data["frames"]["notes"] == ["", "", "", "ended in epoch 3, at step 2 of 3"]
    assert len(page.history["loss"]) == 2

    class AfterEpoch(nn.Callback):
        def on_epoch(self, run):
            if run.epoch == 2:
                signal.raise_signal(signal.SIGINT)

    page = interrupted(AfterEpoch())
    assert page.epochs == [0, 1, 2]
    assert page.data["frames"]["notes"] == ["", "", ""]


def test_an_error_leaves_a_page_too(tmp_path):
    def broken(run):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        trained(small(), record=tmp_path / "run.html", callbacks=[broken])
    assert Read((tmp_path / "run.html").read_text(encoding="utf-8")).epochs == [0, 1]


def test_weights_that_early_stopping_restores_are_a_frame_of_their_own(tmp_path):
    model = small()
    stop = nn.EarlyStopping("loss", patience=3, min_delta=10.0)
    page = recorded(model, path=tmp_path / "run.html", epochs=50, callbacks=[stop])
    assert page.epochs == [0, 1, 2, 3, 4, 4]
    assert page.data["frames"]["notes"][-1] == "the end: other weights, such as EarlyStopping restores"
    *_, best, _, _, _, restored = (np.concatenate([np.concatenate(pair, axis=None) for pair in frame["weights"]])
                                   for frame in page.frames)  # fmt: skip
    assert restored.tolist() == best.tolist()


@pytest.mark.parametrize("epochs", [50, 4])  # it stops after 4; or is just about to when the training ends
def test_weights_are_restored_where_frames_are_few(tmp_path, epochs):
    stop = nn.EarlyStopping("loss", patience=3 if epochs > 4 else 4, min_delta=10.0)
    trained(small(), record=Recording(tmp_path / "run.html", every=10), epochs=epochs, callbacks=[stop])
    page = Read((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert page.epochs == [0, 4, 4]
    assert page.data["frames"]["notes"][1] == ""
    assert page.frames[1]["weights"][0][0].tolist() != page.frames[2]["weights"][0][0].tolist()


# In a loop of one's own -------------------------------------------------------------------------------------------


def test_a_loop_records_what_fit_does(tmp_path):
    page = recorded(small(), path=tmp_path / "fit.html", rng=7, metrics={"half": lambda *_: 0.5})
    model = small()
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.05))
    batches = nn.DataLoader(PAIRS, SIDES, batch_size=8, rng=7)
    recording = Recording(tmp_path / "loop.html", threshold=0.0)
    recording.add(model, PAIRS, SIDES)
    for _ in range(3):
        losses = [step(*batch) * 8 for batch in batches]
        recording.add(model, loss=sum(losses) / 24, half=0.5)
    assert recording.save() == tmp_path / "loop.html"
    other = Read((tmp_path / "loop.html").read_text(encoding="utf-8"))
    assert other.epochs == page.epochs
    assert other.history["loss"] == pytest.approx(page.history["loss"], rel=1e-12)
    assert other.history["half"].tolist() == [0.5] * 3
    for mine, theirs in zip(other.frames, page.frames, strict=True):
        assert [a.tolist() for pair in mine["weights"] for a in pair] == [
            a.tolist() for pair in theirs["weights"] for a in pair
        ]
        assert (mine["field"] % 2).tolist() == (theirs["field"] % 2).tolist()


def test_a_loop_counts_its_epochs(tmp_path):
    recording, model = Recording(every=2), small()
    recording.add(model, *XOR, loss=1.0)
    for k in range(4):
        recording.add(model, loss=1.0 / (k + 2))
    recording.add(model, epoch=9, loss=0.1)
    page = Read(recording.page().html)
    assert page.epochs == [1, 2, 4, 9]
    assert page.data["history"]["epochs"] == [1, 2, 3, 4, 5, 9]
    recording.add(model, loss=0.05)
    assert Read(recording.page().html).epochs == [1, 2, 4, 10]  # 9 was there as the last one
    assert repr(recording) == "<Recording of MLP(2, [4, 1]), 4 frames>"


def test_gradients_of_an_eager_loop_are_seen():
    model, recording = small(), Recording()
    for k in range(2):
        model.zero_grad()
        loss = nn.mse(model.batch(XOR[0]), XOR[1])
        loss.backward()
        recording.add(model, *XOR, loss=loss) if not k else recording.add(model, loss=loss)
    row = Read(recording.page().html).frames[-1]["layers"][1]
    last = model.layers[1].parameters()
    assert row[10] == pytest.approx(math.sqrt(sum(p.grad**2 for p in last)), rel=1e-12)


def test_without_samples_there_are_the_weights_alone():
    recording = Recording()
    recording.add(small(), loss=0.5)
    page = Read(recording.page().html)
    assert page.data["samples"] == []
    assert page.data["columns"] == []
    assert page.frames[0]["layers"][0][0] != 0.0


def test_a_recording_begins_anew_with_each_run(tmp_path):
    recording = Recording(tmp_path / "run.html")
    trained(small(), record=recording, epochs=5)
    trained(small(), record=recording, epochs=2, callbacks=[recording])  # twice, but one and the same
    assert Read((tmp_path / "run.html").read_text(encoding="utf-8")).epochs == [0, 1, 2]


# Samples ----------------------------------------------------------------------------------------------------------


def test_samples_are_chosen_evenly_or_in_turn_of_each_class():
    assert places(3, 11, None) == [0, 5, 10]
    assert places(20, 3, None) == [0, 1, 2]
    assert places(4, 8, np.array([0, 0, 0, 0, 0, 1, 1, 2])) == [0, 1, 5, 7]
    assert places(2, 8, np.array([0, 0, 0, 0, 0, 1, 1, 2])) == [0, 7]  # more classes than samples
    assert places([4, 2, 4], 8, None) == [4, 2]


def test_what_samples_are_called(tmp_path):
    recording = Recording(tmp_path / "run.html", samples=[5, 0], classes=["out", "in"])
    trained(small(), record=recording)
    data = Read((tmp_path / "run.html").read_text(encoding="utf-8")).data
    assert [row["index"] for row in data["samples"]] == [5, 0]
    assert [row["target"] for row in data["samples"]] == [["out", "in"][SIDES[i]] for i in (5, 0)]
    assert data["classes"] == ["out", "in"]
    trained(small(nin=3), VECTORS, NUMBERS, nn.mse, record=Recording(tmp_path / "run.html", samples=[3]))
    (row,) = Read((tmp_path / "run.html").read_text(encoding="utf-8")).data["samples"]
    assert row["target"] == f"{NUMBERS[3]:.4g}"
    assert row["x"] == VECTORS[3].tolist()


# The file ---------------------------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_page(tmp_path):
    texts = set()
    for _ in range(2):
        trained(small(), record=tmp_path / "run.html")
        texts.add((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert len(texts) == 1


def test_the_page_needs_nothing_from_outside(tmp_path):
    trained(small(), record=tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    policy = html.unescape(match(r'http-equiv="Content-Security-Policy" content="(.*?)"', text))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert {*re.findall(r"\w+://[^\"')\s]+", text)} == {
        "http://www.w3.org/2000/svg"
    }  # the name of a namespace
    assert not re.search(r"\b(src|href)=|@import|url\((?!#)", text.split('id="data"')[0])


@pytest.mark.parametrize(
    "kind", ["script", "end", "quotes", "format", "long", "unicode line", "entities", "lone"]
)
def test_names_reach_the_page_as_they_are_and_nothing_else_does(kind, tmp_path):
    name = HOSTILE[kind]
    recording = Recording(tmp_path / "run.html", classes=[name, "other"], title=name)
    trained(small(label=name), record=recording, metrics={name: lambda *_: 1.0})
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    data = written(text)
    assert name in data["history"]["names"]
    assert data["classes"][0] == name
    assert text.count("</script>") == 2
    assert "<img" not in text


def test_the_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "run.html"
    trained(small(), record=path)
    before = path.read_text(encoding="utf-8")
    model = small()
    start = numbers(model)
    with pytest.raises(OSError, match="no page could be written there"):
        trained(model, record=tmp_path / "nowhere" / "run.html")
    assert numbers(model) == start  # it is known before training
    original = os.replace

    def full(source, target):
        if str(target).endswith(".html"):
            raise OSError(28, "No space left on device")
        return original(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(
        RuntimeWarning, match="has trained, but not written its page: .*No space left"
    ) as caught:
        history = trained(model, record=path, epochs=4)
    assert caught[0].filename == __file__ or "functools" in caught[0].filename
    assert len(history["loss"]) == 4
    assert path.read_text(encoding="utf-8") == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.html"]


def test_a_notebook_shows_it_in_a_closed_frame():
    recording = Recording(title="Lesson")
    recording.add(small(), *XOR)
    frame = recording._repr_html_()
    assert frame is not None
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(match(r'srcdoc="([^"]*)"', frame)) == recording.page().html
    assert repr(recording.page()).startswith("<Page 'Lesson', ")


def test_the_page_is_made_of_files_that_a_person_reads():
    assert sorted(p.name for p in FOLDER.iterdir()) == ["recording.css", "recording.html", "recording.js"]
    for path in FOLDER.iterdir():
        assert path.stat().st_size < 60_000


def test_a_copy_is_asked_and_follows_the_model():
    model = small()
    twin = Twin(model, {})
    assert twin.own
    before = twin(PAIRS)[""]
    model.layers[1].neurons[0].b.data += 1.0
    assert twin(PAIRS)[""] == pytest.approx(before + 1.0)
    assert type(model.layers[1].neurons[0].b) is Value  # no program holds it


WRONG: list[Any] = [
    ({"record": "run.svg"}, ValueError, r"a page's file must end in \.html\. Received: 'run\.svg'"),
    ({"record": 3}, TypeError, r"fit needs record to be a path .* \.html, or a Recording\. Received: 3 \(int\)"),
    ({"record": Recording}, TypeError, "or a Recording. Received: <class"),
    ({"record": True}, TypeError, r"Received: True \(bool\)"),
]  # fmt: skip


@pytest.mark.parametrize(("named", "error", "text"), WRONG)
def test_malformed(named, error, text):
    model = small()
    before = numbers(model)
    with pytest.raises(error, match=text):
        trained(model, **named)
    assert numbers(model) == before


new: Any = Recording  # calls that the types forbid
SETTINGS: list[Any] = [
    (lambda: new(3.5), TypeError, "path"),
    (lambda: new("run.txt"), ValueError, r"must end in \.html"),
    (lambda: new(every=0), ValueError, "Recording needs every to be at least 1. Received: every=0"),
    (lambda: new(every=1.5), TypeError, "Recording needs an int as every"),
    (lambda: new(samples=0), ValueError, "Recording needs samples to be at least 1"),
    (lambda: new(samples=65), ValueError, "from 1 to 64 samples. Received: 65"),
    (lambda: new(samples=[]), ValueError, "from 1 to 64 samples. Received: 0"),
    (lambda: new(samples=[-1]), ValueError, "indices from 0. Received: -1"),
    (lambda: new(samples=[1.5]), TypeError, r"needs ints as samples. Received: 1.5 \(float\)"),
    (lambda: new(samples="all"), TypeError, "a list of indices as samples. Received: str"),
    (lambda: new(classes="ab"), TypeError, "a list of names as classes. Received: str"),
    (lambda: new(classes=[1, 2]), TypeError, r"classes to be names. Received: 1 \(int\)"),
    (lambda: new(threshold="0"), TypeError, "Recording needs a number as threshold"),
    (lambda: new(title=3), TypeError, "a title is a str. Received: int"),
    (lambda: new(theme="blue"), ValueError, "theme is one of auto, light, dark. Received: theme='blue'"),
    (lambda: Recording().page(), RuntimeError, "once a model was added to it"),
    (lambda: added().save(), ValueError, "Recording.save needs a path"),
    (lambda: added().save("run.svg"), ValueError, r"must end in \.html"),
    (lambda: new().add(3), TypeError, "Recording.add needs a model. Received: int"),
    (lambda: added().add(small()), ValueError, "the same model in each call"),
    (
        lambda: new().add(small(), [[1.0]], [1.0, 2.0]),
        ValueError,
        r"arrays of one length, at least 1. .*\[1, 2\]",
    ),
    (lambda: new().add(small(), 3), TypeError, "Recording.add needs arrays or lists. Received: int"),
    (lambda: new().add(small(), *XOR, loss="low"), TypeError, "Recording.add needs a number as loss"),
    (lambda: new().add(small(), *XOR, epoch=1.5), TypeError, "Recording.add needs an int as epoch"),
    (lambda: new().add(small(), *XOR, epoch=-1), ValueError, "epoch to be at least 0.* Received: epoch=-1"),
    (lambda: new(samples=[4]).add(small(), *XOR), ValueError, "indices below 4. Received: 4"),
    (lambda: new(classes=["a"]).add(small(), *XOR), ValueError, "a name for each of 2 classes. Received: 1"),
]


def added():
    recording = Recording()
    recording.add(small(), *XOR)
    return recording


@pytest.mark.parametrize(("make", "error", "text"), SETTINGS)
def test_malformed_settings(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_a_refused_call_has_recorded_nothing():
    recording = Recording()
    with pytest.raises(ValueError, match="epoch to be at least 0"):
        recording.add(small(), *XOR, epoch=-1)
    with pytest.raises(RuntimeError, match="once a model was added to it"):
        recording.page()
    recording.add(small(), tuple(XOR[0]), tuple(XOR[1]))
    assert [row["target"] for row in Read(recording.page().html).data["samples"]] == ["0", "1", "1", "0"]


def test_names_of_classes_that_are_none_are_left_out_and_the_page_says_so(tmp_path):
    trained(small(), PAIRS, PAIRS[:, 0], nn.mse, record=Recording(tmp_path / "run.html", classes=["a", "b"]))
    data = Read((tmp_path / "run.html").read_text(encoding="utf-8")).data
    assert data["classes"] == []
    assert data["remarks"] == [
        "The names of classes are left out: outputs and targets are not known to be classes."
    ]


def test_numbers_too_large_for_a_picture_are_recorded_all_the_same():
    for X, y in ((PAIRS * 1e200, SIDES), (PAIRS, np.sign(PAIRS[:, 0]) * 1e300)):
        recording = Recording()
        recording.add(small(), X, y)
        assert (Read(recording.page().html).data["function"] is None) == (X is not PAIRS)


def test_functions_between_layers_are_named():
    layers = (
        nn.Layer(2, 3, activation="tanh", rng=0),
        nn.Dropout(0.1),
        nn.Layer(3, 1, activation="identity", rng=0),
    )
    recording = Recording()
    recording.add(nn.Sequential(*layers, "sigmoid"), *XOR)
    columns = Read(recording.page().html).data["columns"]
    assert [(c["name"], c["activation"]) for c in columns] == [
        ("layers.0", "tanh, Dropout(0.1)"),
        ("layers.2", "sigmoid"),
    ]
    values = Read(recording.page().html).frames[0]["values"][0]
    assert 0.0 < values[2][0] < 1.0


def test_an_epoch_must_be_above_the_one_before():
    recording, model = Recording(), small()
    recording.add(model, *XOR)
    recording.add(model, epoch=4)
    with pytest.raises(ValueError, match=r"epoch to be at least 5, above the one before\. Received: epoch=4"):
        recording.add(model, epoch=4)
    with pytest.raises(TypeError, match=r"Recording\.add needs a number as loss"):
        recording.add(model, loss=None)
    assert Read(recording.page().html).epochs == [0, 4]


# In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def show(visit, tmp_path):
    """Opens the page of a recording."""
    return lambda recording: visit(recording.save(tmp_path / "run.html"))


def run_of(model=None, X=PAIRS, y=SIDES, loss=nn.binary_cross_entropy, settings=None, **named):
    recording = Recording(**(settings or {}))
    trained(model or small(), X, y, loss, record=recording, **named)
    return recording


def neurons(browser):
    """The numbers at the neurons, and what a screen reader says of each."""
    script = """return [...document.querySelectorAll(".neuron")].map(g => [g.dataset.at,
        g.querySelector("text:not(.name)")?.textContent ?? "", g.getAttribute("aria-label")])"""
    return {at: (text, told) for at, text, told in browser.run(script)}


def frames_in(browser):
    return Read(browser.run("return document.documentElement.outerHTML"))


def test_every_number_of_the_network_is_pythons(show):
    browser = show(run_of(epochs=5, metrics=[nn.metrics.accuracy], validation=0.25))
    page = frames_in(browser)
    for k in (5, 0, 3):
        browser.run("recording.go(arguments[0])", k)
        frame, found = page.frames[k], neurons(browser)
        for c, values in enumerate(frame["values"][0]):
            for i, a in enumerate(values):
                text, told = found[f"{c}.{i}"]
                assert text == f"{a:.4g}"
                assert told.startswith(
                    f"layers.{c - 1}, neuron {i}: {a:.4g}" if c else f"input x[{i}]: {a:.4g}"
                )
                if c:
                    assert told.endswith(f", bias {frame['weights'][c - 1][1][i]:.4g}")
        labels = browser.run('return [...document.querySelectorAll(".weight")].map(t => t.textContent)')
        weights = [f"{w:.4g}" for W, _ in frame["weights"] for w in W.ravel()]
        assert len(labels) > 8
        assert {*labels} <= {*weights}
        state = browser.text("#state")
        if k:
            assert state.startswith(f"Epoch {k} of 5")
            for name, row in page.history.items():
                assert f"{name} {row[k - 1]:.4g}" in state
        else:
            assert state == "Before training"


def test_edges_show_sign_and_size(show):
    browser = show(run_of(nn.MLP(2, [5, 3, 1], activation="tanh", rng=0)))
    weights = [w for W, _ in frames_in(browser).frames[-1]["weights"] for w in W.ravel().tolist()]
    edges = browser.run("""return [...document.querySelectorAll(".edge")].map(e =>
        [e.getAttribute("class").split(" ")[1], Number(e.getAttribute("stroke-width"))])""")
    assert [kind for kind, _ in edges] == ["p" if w > 0 else "n" for w in weights]
    widths = [
        width for _, width in sorted(zip(map(abs, weights), [width for _, width in edges], strict=True))
    ]
    assert widths == sorted(widths)
    assert widths[0] < 1.0 < 3.0 < widths[-1]
    tints = browser.run("""return [...document.querySelectorAll(".neuron .tint")].map(e =>
        e.getAttribute("class").split(" ")[1])""")
    values = np.concatenate(frames_in(browser).frames[-1]["values"][0])
    assert tints == ["p" if a > 0 else "n" for a in values]


def test_a_neuron_in_full(show):
    browser = show(run_of(epochs=2))
    page = frames_in(browser)
    browser.press("Left", "]")
    browser.click("[data-at='1.2']")
    W, b = page.frames[1]["weights"][0]
    values = page.frames[1]["values"][1]
    assert browser.text("#detail h2") == "layers.0, neuron 2"
    rows = browser.run("""return [...document.querySelectorAll("#detail dd")].map(dd => dd.textContent)""")
    assert rows == [repr(float(values[1][2])), repr(float(b[2])), "tanh"]
    table = browser.run("""return [...document.querySelectorAll("#detail tbody tr")].map(tr =>
        [...tr.children].map(td => td.textContent))""")
    assert table == [[f"x[{j}]", repr(float(values[0][j])), repr(float(W[2, j]))] for j in range(2)]
    assert browser.run("return document.querySelectorAll('.edge.near').length") == 3
    browser.press("Escape")
    assert browser.run("return document.querySelectorAll('.edge.near').length") == 0


def test_the_tables_hold_all_numbers(show):
    browser = show(run_of(epochs=4))
    page = frames_in(browser)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.press("Left")
    cells = """return [...document.querySelectorAll(arguments[0] + " tbody tr")].map(tr =>
        [...tr.children].map(td => td.textContent))"""
    rows = browser.run(cells, "#frames-table")
    losses = [repr(float(x)) for x in page.history["loss"]]
    assert rows == [["Before training", "-"], *([f"Epoch {k} of 4", x] for k, x in enumerate(losses, 1))]
    current = "return document.querySelector('#frames-table [aria-current]').rowIndex"
    assert browser.run(current) == 4
    inputs, hidden, last, layers = (
        browser.run(cells, f"#numbers-table table:nth-of-type({k})") for k in (1, 2, 3, 4)
    )
    frame = page.frames[3]
    for rows, (W, b), values in zip((hidden, last), frame["weights"], frame["values"][0][1:], strict=True):
        assert rows == [[str(i), *map(repr, map(float, (values[i], b[i], *W[i])))] for i in range(len(W))]
    assert inputs == [[f"x[{j}]", repr(float(x))] for j, x in enumerate(frame["values"][0][0])]
    wanted = [[repr(float(x)) for x in (*row[:4], *row[5:9], row[10])] for row in frame["layers"]]
    assert [row[2:] for row in layers] == wanted


def test_it_plays_to_the_end_and_steps_back(show):
    browser = show(run_of(epochs=6))
    assert browser.text("#where") == "Epoch 6 of 6 (end)"
    end = neurons(browser)
    browser.run("document.getElementById('speed').value = 4")
    browser.press("Space")  # at the end it begins anew
    pressed = "return document.getElementById('play').getAttribute('aria-pressed')"
    assert browser.run(pressed) == "true"
    live = "return document.getElementById('state').getAttribute('aria-live')"
    assert browser.run(live) == "off"  # nothing is read out while it plays
    until = time.monotonic() + 30
    while "(end)" not in browser.text("#where") and time.monotonic() < until:
        time.sleep(0.05)
    assert browser.text("#where") == "Epoch 6 of 6 (end)"
    assert browser.run(pressed) == "false"
    assert neurons(browser) == end
    browser.press("Home")
    assert browser.text("#where") == "Before training"
    assert browser.run(live) == "polite"
    seen = []
    for key in ("Right", "n", "Right", "Left", "p", "End", "Right"):
        browser.press(key)
        seen.append(browser.text("#where").split(" of")[0])
    assert seen == ["Epoch 1", "Epoch 2", "Epoch 3", "Epoch 2", "Epoch 1", "Epoch 6", "Epoch 6"]
    assert neurons(browser) == end
    assert (
        browser.run("return document.getElementById('position').getAttribute('aria-valuetext')")
        == "Epoch 6 of 6"
    )


def test_the_keyboard_alone_will_do(show):
    browser = show(run_of(epochs=3))
    reached = []
    for _ in range(9):
        browser.press("Tab")
        reached.append(browser.run("return document.activeElement.id || document.activeElement.dataset.at"))
    reached = [name for name in reached if name]
    assert reached[:6] == ["sample-previous", "sample", "sample-next", "theme", "help-button", "2.0"]
    browser.run("document.querySelector('[data-at=\"2.0\"]').focus()")
    at = "return document.activeElement.dataset.at"
    browser.press("Up")
    assert browser.run(at) == "1.3"
    browser.press("Down", "Down")
    assert browser.run(at) == "0.0"  # round to the first
    browser.press("Enter")
    assert browser.text("#detail h2") == "input x[0]"
    assert browser.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.press("Left")  # a step, from wherever the focus is
    assert browser.text("#where") == "Epoch 2 of 3"
    assert browser.run(at) == "0.0"
    browser.press("]")
    assert browser.run("return document.getElementById('sample').selectedIndex") == 1
    browser.press("[", "[")
    assert browser.run("return document.getElementById('sample').selectedIndex") == 7
    browser.run("document.getElementById('position').focus()")
    browser.press("Left")
    assert browser.text("#where") == "Epoch 1 of 3"  # one, not two
    browser.run("document.getElementById('frames-table').open = true")
    browser.run("document.querySelector('.scroll[aria-label=\"All epochs\"]').focus()")
    browser.press("Right")
    assert browser.text("#where") == "Epoch 1 of 3"  # there it scrolls
    browser.press("?")
    assert browser.run("return document.querySelector('dialog').open")
    browser.press("Escape")
    assert not browser.run("return document.querySelector('dialog').open")
    assert browser.text("#detail h2") == "input x[0]"  # that Escape was for the help
    browser.press("Escape")
    assert "Choose a neuron" in browser.text("#detail")


def test_every_control_has_a_name(show):
    browser = show(run_of())
    nameless = browser.run("""
        const all = [...document.querySelectorAll("button, input, select, .neuron, summary, svg[role]")];
        const named = e => e.getAttribute("aria-label") || e.textContent.trim() || e.closest("label");
        return all.filter(e => e.checkVisibility() && !named(e)).map(e => e.outerHTML)""")
    assert nameless == []
    assert browser.run("return document.querySelectorAll('.neuron[tabindex=\"0\"]').length") == 1


def test_the_field_and_its_border(show):
    """In the browser: each pixel's class, and a border that runs where the output crosses the threshold."""
    browser = show(run_of(epochs=40))
    page = frames_in(browser)
    pixels = np.array(browser.run("""const c = document.getElementById("field");
        return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]"""))  # fmt: skip
    red, _, blue, _ = pixels.reshape(GRID, GRID, 4)[::-1].transpose(2, 0, 1).astype(int)
    z = forward(page.frames[-1]["weights"], grid_of(page))[-1].reshape(GRID, GRID)
    assert ((blue > red) == (z > 0)).all()
    path = browser.run("return document.querySelector('.border').getAttribute('d')")
    width, height = browser.run(
        """const v = document.getElementById("function").viewBox.baseVal; return [v.width, v.height]"""
    )
    places = np.array([[*map(float, pair.split())] for pair in re.findall(r"[ML]([-\d. ]+)", path)])
    assert len(places) > 20
    share = (places - [46, 8]) / [width - 46 - 13, height - 8 - 22]
    low, high = (np.array(page.data["function"][end]) for end in ("low", "high"))
    x = np.column_stack([low[0] + share[:, 0] * (high - low)[0], high[1] - share[:, 1] * (high - low)[1]])
    beside = forward(page.frames[-1]["weights"], x)[-1][:, 0]
    assert np.abs(beside).max() < 0.06 * np.abs(z).max()


def test_the_border_is_of_the_shown_epoch(show):
    browser = show(run_of(epochs=20))
    border = "return document.querySelector('.border').getAttribute('d')"
    last = browser.run(border)
    browser.press("Home")
    assert browser.run(border) != last
    browser.press("End")
    assert browser.run(border) == last


def test_a_click_on_a_curve_goes_to_its_epoch(show):
    browser = show(run_of(epochs=10))
    browser.run("""const svg = document.getElementById("loss"), r = svg.getBoundingClientRect();
        const { width } = svg.viewBox.baseVal, x = r.left + r.width / width * (46 + (width - 46 - 13) * 0.42);
        svg.dispatchEvent(new PointerEvent("pointerdown", {clientX: x, clientY: r.top + 50, bubbles: true}))""")
    assert browser.text("#where") == "Epoch 4 of 10"
    browser.click("#log")
    assert browser.text("#where") == "Epoch 4 of 10"


def test_a_click_on_a_sample_chooses_it(show):
    browser = show(run_of())
    browser.run("document.querySelectorAll('.watched')[3].dispatchEvent(new MouseEvent('click'))")
    assert browser.run("return document.getElementById('sample').selectedIndex") == 3
    page = frames_in(browser)
    assert neurons(browser)["0.0"][0] == f"{page.frames[-1]['values'][3][0][0]:.4g}"


def test_nan_and_inf_stand_out(show):
    task = {"optimizer": nn.SGD, "lr": 100.0, "epochs": 80}
    with pytest.warns(RuntimeWarning, match="the loss is"):
        recording = run_of(small(activation="identity"), PAIRS, 100.0 * SIDES - 50.0, nn.mse, **task)
    browser = show(recording)
    assert browser.run("return document.querySelectorAll('.neuron text.wild').length") == 5  # not the inputs
    assert browser.run("return document.querySelectorAll('.edge.w').length") == 12
    assert browser.text("#state .wild") == "nan"
    assert "nan or inf at 1681 of 1681 places" in browser.text("#rule")
    assert "12 nan or inf" in browser.text("#layers")
    assert browser.run(
        "return [...document.querySelectorAll('#loss text.wild')].map(t => t.textContent)"
    ) in (
        ["nan"],
        ["inf"],
    )
    browser.press("Home")
    visible = """return [...document.querySelectorAll(".wild")].filter(e => e.checkVisibility())
        .map(e => e.parentNode.id)"""
    assert browser.run(visible) == ["loss"]  # in the curve of all epochs
    assert "e-" not in browser.text("#network-key")


def test_hostile_names_are_text(show, browser):
    names = [name or "empty" for name in SEEN]
    model = small(len(names), label=HOSTILE["end"])
    metrics = {name: lambda *_: 0.5 for name in names}
    y = np.arange(24) % len(names)
    settings = {"classes": names, "title": HOSTILE["script"], "samples": 20}
    for size in ((1280, 800), (390, 844)):
        browser.size(*size)
        show(run_of(model, PAIRS, y, nn.cross_entropy, settings, metrics=metrics))
        browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
        assert browser.run("return document.title") == HOSTILE["script"]
        assert browser.run("return document.querySelectorAll('img, script:not([type])').length") == 1
        for _ in range(2):
            browser.press("]", "Left")
        assert HOSTILE["entities"] in browser.text("#state")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.run(
            """const m = document.querySelector("main"); return m.scrollWidth <= m.clientWidth"""
        )


@pytest.mark.parametrize(("scheme", "theme", "dark"), [
    ("dark", "auto", True), ("light", "auto", False), ("dark", "light", False), ("light", "dark", True),
])  # fmt: skip
def test_themes(show, browser, scheme, theme, dark):
    browser.prefer(color_scheme=scheme, reduced_motion="reduce")
    show(run_of(settings={"theme": theme}))
    colour = "return getComputedStyle(document.body).backgroundColor"
    ink = "return getComputedStyle(document.querySelector('.border')).stroke"
    assert browser.run(colour) == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    pixels = """const paper = document.getElementById("field").getContext("2d");
        return [...paper.getImageData(0, 0, 1, 1).data]"""
    before = browser.run(pixels)
    browser.click("#theme")
    assert browser.run(colour) == ("rgb(255, 255, 255)" if dark else "rgb(13, 17, 23)")
    assert browser.run(ink) == ("rgb(31, 35, 40)" if dark else "rgb(230, 237, 243)")
    assert browser.run(pixels) != before
    browser.prefer(media="print")
    assert browser.run(colour) == "rgb(255, 255, 255)"
    assert not browser.run("return document.querySelector('footer').checkVisibility()")
    assert browser.run("return document.getElementById('network').checkVisibility()")
    browser.prefer(reduced_motion="reduce")


OVERLAP = """
const shown = [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility() && e.textContent.trim());
const boxes = shown.map(e => [e.textContent, e.getBoundingClientRect()]);
const share = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]);
return boxes.flatMap(([a, r], i) => boxes.slice(i + 1)
    .filter(([, s]) => share(r, s, "left", "right") > 1 && share(r, s, "top", "bottom") > 2.5)
    .map(([b]) => `${a} / ${b}`))
"""
CUT_OFF = """
const drawn = document.querySelectorAll("section svg text, section svg .neuron circle");
return [...drawn].filter(e => e.checkVisibility()).filter(e => {
    const r = e.getBoundingClientRect(), s = e.ownerSVGElement.getBoundingClientRect();
    return r.width && (r.left < s.left - 1 || r.right > s.right + 1 || r.top < s.top - 1 || r.bottom > s.bottom + 1);
}).map(e => e.textContent || e.outerHTML)
"""
SIZES = [(390, 844, 3.0), (1024, 640, 1.25), (1280, 800, 1.0)]
MODELS: dict[str, Any] = {
    "two": (small, PAIRS, SIDES, nn.binary_cross_entropy),
    "three": (lambda: small(3, hidden=8), PAIRS, THREE, nn.cross_entropy),
    "moons": (
        lambda: nn.MLP(2, [16, 16, 1], activation="tanh", rng=0),
        PAIRS,
        SIDES,
        nn.binary_cross_entropy,
    ),
    "curve": (lambda: small(nin=1, hidden=8), NUMBERS, NUMBERS**2, nn.mse),
    "values": (small, PAIRS, PAIRS[:, 0] * 1e-6, nn.mse),
    "large": (lambda: nn.MLP(3, [70, 3], rng=0), VECTORS, CLASSES, nn.cross_entropy),
    "wide": (lambda: nn.MLP(3, [64, 3], rng=0), VECTORS, CLASSES, nn.cross_entropy),
}


@pytest.mark.parametrize(("width", "height", "scale"), SIZES)
@pytest.mark.parametrize("kind", MODELS)
def test_nothing_overlaps_or_is_cut_off(show, browser, kind, width, height, scale):
    browser.size(width, height, scale, phone=width < 500)
    make, X, y, loss = MODELS[kind]
    show(run_of(make(), X, y, loss, epochs=12, validation=0.25, metrics={"share": lambda *_: 0.123456}))
    for key in ("Home", "End", "Left"):
        browser.press(key)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.run("return document.documentElement.scrollHeight") <= height
        assert browser.run(
            """const m = document.querySelector("main"); return m.scrollWidth <= m.clientWidth"""
        )
        assert browser.run("return document.querySelector('main').clientHeight") > 150
        assert browser.run(CUT_OFF) == []
        assert browser.run(OVERLAP, "#network text") == []
        assert browser.run(OVERLAP, "#function text") == []
        assert browser.run(OVERLAP, ".chart text") == []
        assert browser.run(OVERLAP, "section, #state, details") == []
        assert browser.run(OVERLAP, "#layers td, #layers th, #outputs span.name") == []
    for selector in ("#next", "#play", "#position", "#theme"):
        x, y, w, h = browser.run("""const r = document.querySelector(arguments[0]).getBoundingClientRect();
            return [r.x, r.y, r.width, r.height]""", selector)  # fmt: skip
        assert x >= 0
        assert x + w <= width
        assert y >= 0
        assert y + h <= height
        assert h > 10


def test_all_other_kinds_of_models_step_through(show):
    """Whatever was recorded: at each end, for each sample, with all tables open."""
    for make, X, y, loss, named in TASKS.values():
        browser = show(run_of(make(), X, y, loss, **named))
        browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
        browser.press("Home", "]", "Right", "End")
        assert browser.text("#where") == "Epoch 3 of 3 (end)"
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_an_unfinished_epoch_is_named(show):
    class Stop(nn.Callback):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (2, 1):
                signal.raise_signal(signal.SIGINT)

    browser = show(run_of(callbacks=[Stop()]))
    assert browser.text("#state") == "Ended in epoch 2, at step 1 of 3"
    assert browser.text("#where") == "Epoch 1, unfinished"


def test_it_works_inside_a_notebooks_frame(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><title>notebook</title>{run_of()._repr_html_()}", encoding="utf-8")
    browser.open(path)
    browser.post("/frame", id={"element-6066-11e4-a52e-4f735466cecf": browser.element("iframe")})
    assert len(neurons(browser)) == 7
    browser.post("/frame", id=None)
    assert browser.complaints() == []
