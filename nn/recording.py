"""Recording: a training to watch again, epoch by epoch, as one HTML file without network or server.

    nn.fit(model, X, y, ..., record="run.html")

A frame is what is seen of the model after an epoch: its weights, what the layers give out for a few samples, and of a
model of one or two inputs the function itself, on a grid. A copy of the model is asked for it, so that the training
does not notice. Python computes, and the page of the folder `page` only shows.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import os
import random
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autograd.compiler.program import Program
from autograd.context import within
from autograd.explorer import Page, check, page, save, target_of, text_of
from autograd.value import NO_GRADIENT, Value

from .callbacks import Callback, numbers_in
from .checks import entries, is_list, real, shape, size
from .containers import Sequential
from .data import pick, samples
from .diagnostics import layers_in
from .losses import binary_cross_entropy
from .module import Module, watching
from .neuron import MLP, Layer, Neuron
from .summary import activation
from .training import of_sample

if TYPE_CHECKING:
    from .fit import Run

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

FOLDER = Path(__file__).with_name("page")
FRAMES, ROOM = 200, 1_700_000  # a page holds at most so many frames, in so many characters
FEWEST = 8  # however large they are
CURVE = 2_000  # points of a curve over the epochs, about
NEURONS, EDGES = 64, 1_500  # a network is drawn with at most so many neurons in a layer and edges in all
SAMPLES = 64  # that can be chosen
GRADIENTS = 20_000  # parameters, at most, of which gradients are computed
OUTPUTS = 512  # of a layer, for each sample, are looked at
POINTS = 400  # samples that are drawn beside the function
BINS, STATISTICS = 24, 11
GRID, COARSE, LINE = 41, 21, 101  # the places, along each axis, at which the function is computed
CURVES = 6  # outputs of a model of one input that are drawn
INPUTS, OUTPUT = "<", ""  # names that no layer has


class Recording(Callback):
    """Records a training and writes it as a page, on which weights, activations and the loss move over the epochs.

    In `fit`, `record="run.html"` is short for `record=Recording("run.html")`. In a loop of one's own:

    >>> from tempfile import TemporaryDirectory
    >>> from nn import MLP, SGD, mse, train_step
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]
    >>> model = MLP(2, [4, 1], activation="tanh", rng=0)
    >>> step = train_step(model, mse, SGD(model.parameters(), lr=0.2))
    >>> recording = Recording()
    >>> recording.add(model, X, y)  # before training
    >>> for epoch in range(20):
    ...     recording.add(model, loss=step(X, y))
    >>> with TemporaryDirectory() as folder:
    ...     recording.save(folder + "/xor.html").name
    'xor.html'

    The page needs no network and no server. It has a slider, plays, and steps with the arrow keys. Small networks of
    layers are drawn: neurons in the colour of their activation for a chosen sample, edges in that of their weight. Of
    larger and other models it shows histograms of the weights and outputs of each layer. With two inputs it draws the
    decision boundary, with one the curve of the function, and the samples over it.

    `path`: where `fit` writes the page, at its end, however it ends; None: not by itself. A notebook displays the
    Recording. `every`: so many epochs lie between two frames; the first, before training, and the last are always
    there. Where a page would hold more than 200 frames, or 2 MB, fewer are kept, evenly, and it says so.

    `samples`: how many of the training samples can be chosen on the page, or a list of their indices. `classes`: names
    for them, in order. `threshold`: above which number a single output means the upper one of two classes; unless
    given, 0 for the targets -1 and 1, and in `fit` for logits; else 0.5. (A loop's loss is not known: give 0 there for
    logits.) `title` and `theme` ("auto", "light" or "dark") are those of the page.

    Nothing of the training is changed, and no random number is taken from its generators.
    """

    rank = 1

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        every: int = 1,
        samples: int | Sequence[int] = 8,
        *,
        classes: Sequence[str] | None = None,
        threshold: float | None = None,
        title: str = "",
        theme: str = "auto",
    ) -> None:
        check(title, theme)
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"Recording needs a path that ends in .html. Received: {path!r} ({type(path).__name__})"
            )
        self.path = None if path is None else target_of(path)
        self.every, self.title, self.theme = size("Recording", "every", every), title, theme
        self.samples = wanted(samples)
        self.classes = None if classes is None else names_of(classes)
        self.threshold = None if threshold is None else real("Recording", "threshold", threshold)
        self.restored: Mapping[str, Any] = {}
        self.begin()

    def begin(self) -> None:
        """Nothing is recorded yet."""
        self.model: Any = None
        self.view: View | None = None
        self.frames: list[Frame] = []
        self.numbers: dict[int, dict[str, float]] = {}  # of each epoch
        self.stride, self.last = self.every, 0
        self.weights: Any = np.zeros(0)  # those of the last frame
        self.remarks: list[str] = []

    # In a loop of one's own ---------------------------------------------------------------------------------------

    def add(
        self,
        model: Callable[..., Any],
        X: Any = None,
        y: Any = None,
        *,
        epoch: int | None = None,
        **numbers: Any,
    ) -> None:
        """What the model is after an epoch, and numbers of that epoch by name, such as loss=0.5, val_loss=0.6.

        X and y, the samples and their targets, are read in the first call alone. Epochs count by themselves: a first
        call without numbers is epoch 0, before training. An `epoch` must be above the one before.
        """
        plain = {name: x.data if isinstance(x, Value) else x for name, x in numbers.items()}
        row = {name: real("Recording.add", name, x) for name, x in plain.items()}
        first = self.view is None
        if first and not callable(model):
            raise TypeError(f"Recording.add needs a model. Received: {type(model).__name__}")
        if not first and model is not self.model:
            raise ValueError("Recording.add needs the same model in each call. Received: another one")
        if epoch is not None and (isinstance(epoch, bool) or not isinstance(epoch, (int, np.integer))):
            raise TypeError(
                f"Recording.add needs an int as epoch. Received: {epoch!r} ({type(epoch).__name__})"
            )
        least = 0 if first else self.last + 1
        if epoch is not None and epoch < least:
            raise ValueError(
                f"Recording.add needs epoch to be at least {least}, above the one before. Received: epoch={epoch}"
            )
        if first:
            several = isinstance(y, tuple) and any(map(is_list, y))  # targets for each sample
            known = [a is not None and not (a is y and several) for a in (X, y)]
            arrays = [a for a, there in zip((X, y), known, strict=True) if there]
            arrays = samples("Recording.add", (*arrays,)) if arrays else []
            X, y = (arrays.pop(0) if there else None for there in known)
            self.look_at(model, X, y, [], None)
        following = self.last + 1 if not first or row else 0
        self.last = following if epoch is None else int(epoch)
        if row:
            self.numbers[self.last] = row
        if not self.frames or self.last % self.stride == 0:
            self.keep(self.last)

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page, and return its path: the one given, or that of the Recording."""
        target = self.path if path is None else target_of(path)
        if target is None:
            raise ValueError("Recording.save needs a path, for the Recording has none. Received: path=None")
        save(self.page().html, target)
        return target

    def page(self) -> Page:
        """The page as text, in its attribute `html`; a notebook displays it."""
        if self.view is None:
            raise RuntimeError("a Recording has a page once a model was added to it, by `add` or by `fit`")
        if self.frames[-1].epoch < self.last:
            self.keep(self.last)
        title = self.title or f"Training of {title_of(self.model)}"
        return Page(page(self.contents(title), self.theme, FOLDER, "recording"), title)

    def _repr_html_(self) -> str | None:
        return self.page()._repr_html_() if self.view else None

    def __repr__(self) -> str:
        return (
            f"<Recording of {title_of(self.model)}, {len(self.frames)} frames>"
            if self.view
            else "<Recording>"
        )

    # In `fit` -----------------------------------------------------------------------------------------------------

    def on_start(self, run: Run) -> None:
        restored, self.restored = self.restored if run.epoch else {}, {}
        self.begin()
        if self.path is not None:
            check_writable(self.path)
        loss = getattr(run.step.program, "loss", None)
        self.look_at(run.model, run.X, run.y, run.optimizer.parameters, loss)
        if restored and restored["view"] == self.signature():
            self.stride = max(self.every, int(restored["stride"]))
            rows = zip(*(restored[name] for name in ("epochs", "notes", "numbers", "marks")), strict=True)
            self.frames = [Frame(int(epoch), *rest) for epoch, *rest in rows]
            self.weights = self.view.weights() if self.view else self.weights
        if not self.frames:
            if run.epoch:
                self.remarks.append(f"What came before epoch {run.epoch} was not recorded.")
            self.keep(run.epoch)

    def on_epoch(self, run: Run) -> None:
        if run.epoch % self.stride == 0 or run.epoch == run.epochs or run.stopped:
            self.keep(run.epoch)

    def on_end(self, run: Run) -> None:
        done = len(run.history.epochs)
        self.numbers, self.last = dict(enumerate(run.history.epochs, 1)), done
        if run.epoch > done:
            note = f"ended in epoch {run.epoch}, at step {run.batch} of {run.batches}"
            self.keep(done + min(run.batch / run.batches, 0.99), note)
        elif self.frames[-1].epoch < done:
            self.keep(done)
        elif self.view and not np.array_equal(self.weights, self.view.weights(), equal_nan=True):
            self.keep(done, "the end: other weights, such as EarlyStopping restores")
        if self.path is not None:
            try:
                self.save()
            except OSError as error:  # the training is of more worth than its page
                warnings.warn(
                    f"fit has trained, but not written its page: {error}", RuntimeWarning, stacklevel=5
                )

    def state_dict(self) -> dict[str, Any]:
        if not self.frames:
            return {}
        return {
            "view": self.signature(),
            "stride": self.stride,
            "epochs": np.array([frame.epoch for frame in self.frames]),
            "notes": [frame.note for frame in self.frames],
            "numbers": np.array([frame.numbers for frame in self.frames]),
            "marks": np.array([frame.marks for frame in self.frames]),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.restored = state

    # Frames -------------------------------------------------------------------------------------------------------

    def look_at(self, model: Any, X: Any, y: Any, parameters: Sequence[Value], loss: Any) -> None:
        self.model = model
        self.view = View(model, parameters, X, y, self.samples, self.classes, loss, self.threshold)

    def keep(self, epoch: float, note: str = "") -> None:
        """A frame more; where they become too many, every other one goes, but the first and the last."""
        if self.view is None:
            return
        frame = Frame(epoch, note, *self.view.frame())
        self.weights = self.view.weights()
        if len(self.frames) > 1 and self.frames[-1].epoch % self.stride and epoch > self.frames[-1].epoch:
            self.frames.pop()  # which was there as the last one
        self.frames.append(frame)
        length = 4 * (8 * len(frame.numbers) + len(frame.marks)) / 3 + 10  # in base64
        while len(self.frames) > min(FRAMES, max(FEWEST, ROOM // length)):
            self.stride *= 2
            first, *between, last = self.frames
            self.frames = [first, *(each for each in between if each.epoch % self.stride == 0), last]

    def signature(self) -> str:
        """What a frame's numbers mean: another run's are of use where it is the same."""
        return json.dumps(self.view.header()) if self.view else ""

    def contents(self, title: str) -> dict[str, Any]:
        """All that the page shows, as JSON knows it; numbers are in base64, to the last bit."""
        view = self.view
        if view is None:
            return {}
        known = {frame.epoch for frame in self.frames}
        step = -(-len(self.numbers) // CURVE) or 1
        epochs = [k for k in self.numbers if k % step == 0 or k in known or k == self.last]
        names = dict.fromkeys(name for row in self.numbers.values() for name in row)
        remarks = [*self.remarks, *view.remarks]
        if self.stride > self.every:
            remarks.append(f"To keep the page small, every {ordinal(self.stride)} epoch is shown.")
        if step > 1:
            remarks.append(f"The curves are drawn from every {ordinal(step)} epoch.")
        return {
            "title": title,
            "model": title_of(self.model),
            "remarks": remarks,
            "history": {
                "epochs": epochs,
                "names": [*names],
                "values": [
                    encoded([self.numbers[k].get(name, math.nan) for k in epochs], "<f8") for name in names
                ],
            },
            "frames": {
                "epochs": [frame.epoch for frame in self.frames],
                "notes": [frame.note for frame in self.frames],
                "numbers": [encoded(frame.numbers, "<f8") for frame in self.frames],
                "marks": [encoded(frame.marks, "u1") for frame in self.frames],
            },
            **view.header(),
        }


@dataclass
class Frame:
    """What was seen after an epoch: numbers to read, and marks, bytes, to draw."""

    epoch: float
    note: str
    numbers: Any
    marks: Any


def asked_for(record: Any) -> Recording:
    """What the `record` of `fit` asks for."""
    if isinstance(record, Recording):
        return record
    if not isinstance(record, (str, os.PathLike)):
        received = f"{record!r} ({type(record).__name__})"
        raise TypeError(
            f"fit needs record to be a path that ends in .html, or a Recording. Received: {received}"
        )
    return Recording(record)


# What is looked at ------------------------------------------------------------------------------------------------


@dataclass
class Column:
    """A layer of a network that is drawn, and the functions that follow it."""

    name: str
    layer: Any
    after: list[Any] = field(default_factory=list)

    @property
    def neurons(self) -> list[Any]:
        return [self.layer] if isinstance(self.layer, Neuron) else self.layer.neurons

    @property
    def values(self) -> list[Value]:
        """The weights, a row for each neuron, then the biases."""
        weights = [w for neuron in self.neurons for w in neuron.w]
        return weights + [neuron.b for neuron in self.neurons if neuron.b is not None]

    def header(self) -> dict[str, Any]:
        own = activation(self.layer)
        applied = [own] if own != "identity" or not self.after else []
        after = [part._title() if isinstance(part, Module) else activation(part) for part in self.after]
        return {
            "name": self.name,
            "size": len(self.neurons),
            "inputs": len(self.neurons[0].w),
            "biases": [neuron.b is not None for neuron in self.neurons],
            "activation": ", ".join([*applied, *after]),
        }


class Chain:
    """The layers of a model that is nothing but layers one after the other, and functions between them."""

    def __init__(self, model: Any) -> None:
        self.before: list[Any] = []
        self.columns: list[Column] = []
        for path, part in stages("", model):
            if isinstance(part, (Layer, Neuron)):
                self.columns.append(Column(path or type(part).__name__, part))
            elif self.columns:
                self.columns[-1].after.append(part)
            else:
                self.before.append(part)

    def __call__(self, x: Any) -> tuple[Any, dict[str, list[Any]]]:
        """The output, and what was given out on the way, by the names of the layers."""
        for part in self.before:
            x = part(x)
        found = {INPUTS: flat(x)}
        for column in self.columns:
            x = column.layer(x)
            for part in column.after:
                x = part(x)
            found[column.name] = flat(x)
        return x, found


def stages(path: str, part: Any) -> Iterator[tuple[str, Any]]:
    """What is called one after the other; one stage where it is not known to be several."""
    own = [kind.__call__ for kind in (MLP, Sequential) if isinstance(part, kind)]
    if own and type(part).__call__ is own[0]:
        for i, layer in enumerate(part.layers):
            yield from stages(f"{path}.layers.{i}" if path else f"layers.{i}", layer)
    else:
        yield path, part


class Twin:
    """A copy of a model, which is asked in its place: so modes, generators and the last call of each neuron stay.

    It is compiled. What cannot be copied is asked itself, scalar by scalar, and so is a plain function, and what reads
    Values of others.
    """

    def __init__(self, model: Any, names: Mapping[str, Any], loss: Any = None) -> None:
        self.pairs: list[tuple[Value, Value]] = []
        self.model, self.own = model, False
        if isinstance(model, Module):
            with suppress(Exception):
                twin = copy.deepcopy(model, {id(random): random}).eval()
                self.pairs = [*zip(numbers_in(model), numbers_in(twin), strict=True)]
                self.model, self.own = twin, True
        chain = Chain(self.model)
        self.chain = chain if chain.columns else None
        parts = dict(self.model.named_modules()) if isinstance(self.model, Module) else {}
        self.names = {parts.get(name, self.model): name for name in names}
        self.single = True  # whether the output is a number or a list of them
        own = {ours for _, ours in self.pairs}
        self.program = Apart(self.look, own) if self.own else None
        self.compiled = False  # it has been
        few = self.own and len(own) <= GRADIENTS and loss is not None
        self.gradient = Apart(of_sample(self.model, loss), own, self.model) if few else None

    def look(self, x: Any) -> dict[str, list[Any]]:
        """What the layers give out for a sample, by their names, and the output."""
        found: dict[str, list[Any]] = {}

        def see(module: Module, _: Any, given: Any) -> None:
            if module in self.names:
                found.setdefault(self.names[module], []).extend(flat(given))

        with watching(see):
            if self.chain:
                output, columns = self.chain(x)
                found.update(columns)  # with the functions that follow the layers
            else:
                output = self.model(x)
        self.single = len(shape(output)) < 2 and not isinstance(output, (tuple, dict))
        found[OUTPUT] = flat(output)
        return {name: row[:: -(-len(row) // OUTPUTS)] for name, row in found.items() if row}

    def __call__(self, X: Any) -> dict[str, Floats]:
        """The same for several samples, as arrays with a row for each."""
        self.follow()
        with undisturbed(self.model, self.own):
            if self.program:
                try:
                    found = self.program(X)
                    self.compiled = True
                    return {name: np.asarray(rows, np.float64) for name, rows in found.items()}
                except Exception:
                    if self.compiled:
                        raise
                    self.program = None
            with within(recording=False):
                seen = [self.look(x) for x in X]
            return {name: np.array([[*map(float, row[name])] for row in seen]) for name in seen[0]}

    def slopes(self, samples: Sequence[Any]) -> list[float]:
        """The gradient of the mean loss of samples, by each parameter; nothing where it cannot be compiled."""
        if self.gradient is None:
            return []
        self.follow()
        with undisturbed(self.model, self.own):
            try:
                return [*map(float, self.gradient.value_and_grad(*samples)[1])]
            except Exception:  # the training goes on without its being seen
                self.gradient = None
                return []

    def follow(self) -> None:
        for theirs, ours in self.pairs:
            ours.data = theirs.data


class Apart(Program):
    """A program that holds no Values but its own: those of a model in training stay where they are."""

    def __init__(self, f: Callable[..., Any], own: set[Value], wrt: Any = None) -> None:
        super().__init__(f, wrt, batch=True)
        self.own = own

    def hold(self, values: list[Value]) -> None:
        if not self.own.issuperset(values):
            raise TypeError("what is compiled reads Values of others")
        super().hold(values)


@contextmanager
def undisturbed(model: Any, own: bool) -> Iterator[None]:
    """Whoever watches, looks for anomalies or draws random numbers does not notice. A model that is not our own copy is
    in use meanwhile, and its neurons' last calls stay the last."""
    from .fit import mode, set_state, state_of  # which makes Recordings

    parts = model.modules() if isinstance(model, Module) and not own else []
    kinds = (random.Random, np.random.Generator)
    found: list[Any] = [
        random,
        *(rng for part in parts for rng in vars(part).values() if isinstance(rng, kinds)),
    ]
    states = [(rng, state_of(rng)) for rng in found]
    numpys = np.random.get_state()  # noqa: NPY002 (somebody's model may draw from it)
    calls = [(part, vars(part).get("_z")) for part in parts if isinstance(part, Neuron)]
    try:
        with np.errstate(all="ignore"), within(recording=True, anomaly=False, watch=None), mode(parts, False):
            yield
    finally:
        np.random.set_state(numpys)  # noqa: NPY002
        for rng, state in states:
            set_state(rng, state)
        for neuron, z in calls:
            vars(neuron).pop("_z", None)
            if z is not None:
                neuron._z = z


class View:
    """What is seen of a model: of its parameters, by layer; of a few samples; of the function it is.

    A frame's numbers are, one after the other: of each layer statistics (see `of`) of its weights and of its outputs
    for the samples, and the norm of its gradient; the weights of each column, if the network is drawn; for each sample
    the outputs of all columns, or without them the model's; the curve. Its marks: of each layer two histograms; the
    grid.
    """

    def __init__(
        self,
        model: Any,
        parameters: Sequence[Value],
        X: Any,
        y: Any,
        chosen: int | list[int],
        classes: list[str] | None,
        loss: Any,
        threshold: float | None,
    ) -> None:
        self.remarks: list[str] = []
        self.layers: dict[str, list[Value]] = {"parameters": [*parameters]} if parameters else {}
        if isinstance(model, Module):
            self.layers = {
                name: part.parameters for name, part in layers_in(model).items() if part.parameters
            }
        self.parameters = model.parameters() if isinstance(model, Module) else []
        self.loss, self.twin = loss, Twin(model, self.layers, loss)
        labels = labels_of(y, 0 if X is None else len(X))
        self.chosen = [] if X is None else places(chosen, len(X), labels)
        self.X, self.failed = pick(X, self.chosen) if self.chosen else [], False
        self.targets = [pick(t, self.chosen) for t in (y if isinstance(y, tuple) else (y,)) if t is not None]
        self.widths = {name: rows.shape[1] for name, rows in self.observed(self.X).items()}
        outputs = self.widths.get(OUTPUT, 0) if self.twin.single else 0
        self.columns = self.drawn(model)
        self.outputs = outputs if outputs <= NEURONS and not self.columns else 0
        self.question = Question(y, 0 if X is None else len(X), outputs, labels, classes, loss, threshold)
        if classes and not self.question.known:
            self.remarks.append(
                "The names of classes are left out: outputs and targets are not known to be classes."
            )
        self.function = function_of(X, outputs, self.question, GRID if self.twin.program else COARSE)
        if self.function and not self.observed(self.function.grid[:1]):
            self.function = None  # it reads integers alone
        self.rows = [self.row(i, X, y) for i in self.chosen]

    def observed(self, X: Any) -> dict[str, Floats]:
        """What the twin says; nothing where it cannot be asked: a training goes on without being seen."""
        if self.failed or not len(X):
            return {}
        try:
            return self.twin(X)
        except Exception as error:
            if X is self.X:
                self.failed = True
                told = str(error).partition("\n")[0]
                self.remarks.append(
                    f"The model was not asked for outputs, because of a {type(error).__name__}: {told}"
                )
            return {}

    def drawn(self, model: Any) -> list[Column]:
        """The columns of neurons, if the network can be drawn and is small enough."""
        chain = Chain(model)
        learning = any(isinstance(part, Module) and part.parameters() for part in chain.before)
        found = chain.columns if self.twin.chain and not learning else []
        sizes = [self.widths.get(name, 0) for name in (INPUTS, *(column.name for column in found))]
        fits = all(
            len(column.neurons) == after and all(len(neuron.w) == before for neuron in column.neurons)
            for before, after, column in zip(sizes, sizes[1:], found, strict=False)
        )
        edges = sum(len(column.neurons) * len(column.neurons[0].w) for column in found)
        return found if fits and max(sizes) <= NEURONS and edges <= EDGES else []

    def row(self, i: int, X: Any, y: Any) -> dict[str, Any]:
        """A sample as the page names it."""
        x = np.asarray(X[i]) if isinstance(X, np.ndarray) else np.zeros((0, 0))
        shown = x.ndim < 2 and x.size <= NEURONS and x.dtype.kind in "biuf"
        values = [text_of(float(v)) for v in x.ravel()] if shown else []
        return {"index": i, "x": values, "target": self.question.target(y, i), "of": self.question.both(i)}

    def weights(self) -> Floats:
        return np.array([v.data for values in self.layers.values() for v in values])

    def slopes(self) -> dict[Value, float]:
        """The gradients: in `fit` of the loss of the samples, in a loop of one's own those that backward() has left."""
        if self.loss is not None:
            found = self.twin.slopes([self.X, *self.targets])
            return dict(zip(self.parameters, found, strict=True)) if found else {}
        values = [v for values in self.layers.values() for v in values]
        return {v: float(v.grad) for v in values if v.grad is not NO_GRADIENT}

    def frame(self) -> tuple[Floats, Bytes]:
        """The numbers and marks as they are now."""
        slopes = self.slopes()
        found, numbers, marks = self.observed(self.X), [np.zeros(0)], [np.zeros(0, np.uint8)]
        with np.errstate(all="ignore"):
            for name, values in self.layers.items():
                weights = np.array([v.data for v in values])
                outputs = found.get(name, np.zeros(0)).ravel()
                g = [slopes[v] for v in values if v in slopes and v.requires_grad]
                norm = float(np.linalg.norm(g)) if g else -1.0  # not known
                numbers.append(np.array([*of(weights), *of(outputs), norm]))
                marks += [histogram(weights), histogram(outputs)]
            numbers += [np.array([v.data for v in column.values]) for column in self.columns]
            names = (
                [INPUTS, *(c.name for c in self.columns)] if self.columns else [OUTPUT] * (self.outputs > 0)
            )
            if names:
                rows = [self.outputs_in(found, name, len(self.chosen)) for name in names]
                numbers.append(np.concatenate(rows, axis=1).ravel())
            if self.function:
                grid = self.function.grid
                given = self.outputs_in(self.observed(grid), OUTPUT, len(grid))
                numbers.append(self.function.numbers(given))
                marks.append(self.function.marks(given))
        return np.concatenate(numbers), np.concatenate(marks)

    def outputs_in(self, found: Mapping[str, Floats], name: str, n: int) -> Floats:
        """What n samples gave; nan where they could not be asked this time."""
        return found.get(name, np.full((n, self.widths[name]), math.nan))

    def header(self) -> dict[str, Any]:
        """What the page has to know of all frames."""
        return {
            "layers": [
                {"name": name, "weights": len(values), "outputs": name in self.widths}
                for name, values in self.layers.items()
            ],
            "columns": [column.header() for column in self.columns],
            "inputs": self.widths[INPUTS] if self.columns else 0,
            "outputs": self.outputs,
            "samples": self.rows,
            "classes": self.question.classes,
            "function": self.function.header() if self.function else None,
            "bins": BINS,
        }


def of(x: Floats) -> list[float]:
    """Mean, deviation, the smallest and the largest of the finite numbers, and how many are not finite."""
    finite = x[np.isfinite(x)]
    odd = float(len(x) - len(finite))
    if not len(finite):
        return [math.nan, math.nan, math.nan, math.nan, odd]
    return [float(finite.mean()), float(finite.std()), float(finite.min()), float(finite.max()), odd]


def histogram(x: Floats) -> Bytes:
    """How many of the finite numbers lie in each part between the smallest and the largest, 255 being the most."""
    finite = x[np.isfinite(x)]
    counts = np.zeros(BINS)
    if len(finite) and finite.max() == finite.min():
        counts[BINS // 2] = 1.0
    elif len(finite):
        half = finite / 2.0  # so that the range is no inf
        scaled = (half - half.min()) / (half.max() - half.min())
        np.add.at(counts, np.minimum((scaled * BINS).astype(int), BINS - 1), 1.0)
    heights: Bytes = np.ceil(255.0 * counts / max(1.0, counts.max())).astype(np.uint8)
    return heights


# The question that the samples ask --------------------------------------------------------------------------------


def labels_of(y: Any, n: int) -> NDArray[np.int64] | None:
    """The targets as class indices, -1 and 1 as they are; None where they are no classes."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "biuf" or len(y) != n or not y.size:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1) if one_hot else None
    flat = y.reshape(n, -1)
    if flat.shape[1] != 1 or not (np.abs(flat.astype(float)) < 1e9).all() or (flat != np.round(flat)).any():
        return None
    return flat[:, 0].astype(np.int64)


class Question:
    """What the outputs are taken for: classes, with their names, or numbers."""

    def __init__(
        self,
        y: Any,
        n: int,
        outputs: int,
        labels: Any,
        names: list[str] | None,
        loss: Any,
        threshold: float | None,
    ) -> None:
        base = loss.func if isinstance(loss, functools.partial) else loss
        found = {*labels.tolist()} if labels is not None else set()
        signs = outputs == 1 and found <= {-1, 1} and -1 in found
        two = signs or (outputs == 1 and found <= {0, 1})
        self.known = bool(found) and (two or (outputs > 1 and found <= {*range(outputs)}))
        self.labels = (labels > 0).astype(int) if self.known and signs else labels if self.known else None
        self.logits = base is binary_cross_entropy and not signs
        self.threshold = 0.0 if signs or self.logits else 0.5
        self.threshold = self.threshold if threshold is None else threshold
        self.half = 1.0 if signs else 0.5  # from the threshold to a target
        count = 2 if outputs == 1 else outputs
        self.targets = first_numbers(y, n)
        self.classes = [] if not self.known else ["-1", "1"] if signs else [*map(str, range(count))]
        if names is not None and self.known:
            if len(names) != count:
                raise ValueError(
                    f"Recording needs a name for each of {count} classes. Received: {len(names)}"
                )
            self.classes = names
        self.rule = "the class whose output is the largest" if outputs > 1 else ""
        if self.known and outputs == 1:
            self.rule = f"class {self.classes[1]} where the output is above {self.threshold:g}"

    def target(self, y: Any, i: int) -> str:
        """The target of a sample in words."""
        if self.labels is not None:
            name: str = self.classes[self.labels[i]]
            return name
        if not isinstance(y, np.ndarray) or y[i].size > 4 or y.dtype.kind not in "biuf":
            return ""
        return ", ".join(f"{x:.4g}" for x in y[i].ravel().tolist())

    def both(self, i: int) -> list[Any]:
        """The class of a sample, if there are classes, and its target as a number."""
        label = None if self.labels is None else int(self.labels[i])
        return [label, text_of(rounded(self.targets[i]))]

    def surest(self, outputs: Floats) -> tuple[Any, Floats]:
        """The class at each place, and how far it is ahead of the next one: half the difference of their logits, or
        from the threshold 1.5 at the target. 0 is where the class changes."""
        if outputs.shape[1] == 1:
            above = outputs[:, 0] - self.threshold
            return (above > 0.0).astype(int), np.abs(above) / (2.0 if self.logits else self.half / 1.5)
        shares = (outputs >= 0.0).all() and np.allclose(outputs.sum(axis=1), 1.0)
        ordered = np.sort(np.log(outputs) if shares else outputs, axis=1)
        return outputs.argmax(axis=1), (ordered[:, -1] - ordered[:, -2]) / 2.0


# The function, of one input or of two -----------------------------------------------------------------------------


def function_of(X: Any, outputs: int, question: Question, steps: int) -> Function | None:
    """What can be drawn of a model; nothing where it has more inputs, or where they are no numbers."""
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf" or not outputs or X.ndim > 2:
        return None
    if X.size // len(X) not in (1, 2) or not (np.abs(X.astype(float)) < 1e100).all():
        return None
    return Function(X, outputs, question, steps if X.size == 2 * len(X) else LINE)


class Function:
    """The places at which it is computed, a tenth beyond the samples, and how its outputs are kept.

    Of one input, a curve: the outputs. Of two, a byte for each place. With K classes, k + K level for class k; if it is
    ahead by m, the level is the square root of m / (1 + m), in so many parts as fit. Without classes, 0 to 254 for the
    first output from the smallest target to the largest. 255: nan, or inf.
    """

    def __init__(self, X: Any, outputs: int, question: Question, steps: int) -> None:
        self.X, self.question, self.n = X.reshape(len(X), -1).astype(float), question, steps
        self.kind = "curve" if self.X.shape[1] == 1 else "classes" if question.classes else "values"
        low, high = self.X.min(axis=0), self.X.max(axis=0)
        edge = np.where(high > low, 0.1 * (high - low), 1.0)
        self.low, self.high = low - edge, high + edge
        axes = np.linspace(self.low, self.high, steps).T
        places = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
        self.grid = places[:, 0] if X.ndim == 1 else places
        self.outputs = min(outputs, CURVES)
        finite = question.targets[np.isfinite(question.targets)]
        self.range = [float(finite.min()), float(finite.max())] if len(finite) else [-1.0, 1.0]
        if self.range[0] == self.range[1]:
            self.range = [self.range[0] - 1.0, self.range[0] + 1.0]

    def numbers(self, outputs: Floats) -> Floats:
        return outputs[:, : self.outputs].T.ravel() if self.kind == "curve" else np.zeros(0)

    def marks(self, outputs: Floats) -> Bytes:
        if self.kind == "curve":
            return np.zeros(0, np.uint8)
        if self.kind == "values":
            low, high = self.range
            level = np.clip(254.0 * (outputs[:, 0] - low) / (high - low), 0.0, 254.0)
        else:
            kinds = len(self.question.classes)
            found, ahead = self.question.surest(outputs)
            part = np.where(ahead < 1e6, ahead / (1.0 + ahead), 1.0)
            level = found + kinds * np.round((255 // kinds - 1) * np.sqrt(part))
        wild = ~np.isfinite(outputs).all(axis=1) | ~np.isfinite(level)
        kept: Bytes = np.where(wild, 255.0, np.round(np.where(wild, 0.0, level))).astype(np.uint8)
        return kept

    def header(self) -> dict[str, Any]:
        n = len(self.X)
        shown = [*range(n)] if n <= POINTS else np.linspace(0, n - 1, POINTS).round().astype(int).tolist()
        return {
            "kind": self.kind,
            "n": self.n,
            "outputs": self.outputs,
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "range": self.range,
            "rule": self.question.rule,
            "threshold": self.question.threshold if self.question.known and self.outputs == 1 else None,
            "points": [[*map(rounded, self.X[i]), *self.question.both(i)] for i in shown],
            "of": n,
        }


def first_numbers(y: Any, n: int) -> Floats:
    """The targets, or the first of several, as floats; nan where there are none."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "biuf" or len(y) != n or not y.size:
        return np.full(n, math.nan)
    return y.reshape(n, -1)[:, 0].astype(float)


def rounded(x: Any) -> float:
    return float(f"{float(x):.6g}")


# What comes in ----------------------------------------------------------------------------------------------------


def wanted(chosen: Any) -> int | list[int]:
    """How many samples, or which."""
    if hasattr(chosen, "__iter__"):
        listed = entries("Recording", "indices as samples", chosen)
        for i in listed:
            if isinstance(i, bool) or not isinstance(i, (int, np.integer)):
                raise TypeError(f"Recording needs ints as samples. Received: {i!r} ({type(i).__name__})")
            if i < 0:
                raise ValueError(f"Recording needs samples to be indices from 0. Received: {i}")
        found: int | list[int] = [*map(int, listed)]
    else:
        found = size("Recording", "samples", chosen)
    count = len(found) if isinstance(found, list) else found
    if not 0 < count <= SAMPLES:
        raise ValueError(f"Recording needs from 1 to {SAMPLES} samples. Received: {count}")
    return found


def places(chosen: int | list[int], n: int, labels: Any) -> list[int]:
    """Which samples are chosen: those listed; or so many, spread evenly, in turn of each class if there are few."""
    if isinstance(chosen, list):
        if max(chosen) >= n:
            raise ValueError(f"Recording needs samples to be indices below {n}. Received: {max(chosen)}")
        return [*dict.fromkeys(chosen)]
    if labels is None or len({*labels.tolist()}) > chosen or n <= chosen:
        return [*dict.fromkeys(np.linspace(0, n - 1, min(n, chosen)).round().astype(int).tolist())]
    groups = [np.flatnonzero(labels == label).tolist() for label in sorted({*labels.tolist()})]
    turns = [group[k] for k in range(chosen) for group in groups if k < len(group)]
    return sorted(turns[:chosen])


def names_of(classes: Any) -> list[str]:
    found = entries("Recording", "names as classes", classes)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(
                f"Recording needs classes to be names. Received: {name!r} ({type(name).__name__})"
            )
    return found


def flat(x: Any) -> list[Any]:
    """All numbers in an array, or in nested lists."""
    if isinstance(x, dict):
        x = [*x.values()]
    if isinstance(x, (str, bytes)):
        raise TypeError(f"a Recording needs numbers as outputs. Received: {type(x).__name__}")
    return [v for part in x for v in flat(part)] if hasattr(x, "__iter__") else [x]


def title_of(model: Any) -> str:
    return model._title() if isinstance(model, Module) else getattr(model, "__name__", type(model).__name__)


def ordinal(n: int) -> str:
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def encoded(x: Any, dtype: str) -> str:
    return b64encode(np.asarray(x).astype(dtype).tobytes()).decode()


def check_writable(path: Path) -> None:
    """An error now, not after the training."""
    target = Path(os.path.realpath(path))
    probe = target.with_name(f".{os.urandom(16).hex()}.part")
    try:
        probe.touch(exist_ok=False)
    except OSError as error:
        raise OSError(
            error.errno, f"{error.strerror}, so no page could be written there", str(path)
        ) from None
    finally:
        with suppress(OSError):
            probe.unlink()
