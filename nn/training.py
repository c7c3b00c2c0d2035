"""train_step: forward, backward and update as one compiled call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.compiler.program import Program, Version
from autograd.value import NO_GRADIENT, Value

from .module import Module
from .neuron import Layer
from .optim import Optimizer

LARGE = 10_000  # weights of a layer


class TrainStep:
    """A compiled step of training; `train_step` makes it.

    `step(X, Y)` computes the mean loss over a batch, its gradient and the optimiser's update, and returns the loss, as
    it was before the update. The first call for samples of a shape records and compiles.

    >>> from nn import MLP, SGD, mse
    >>> model = MLP(2, [4, 1], activation="tanh", rng=0)
    >>> step = TrainStep(model, mse, SGD(model.parameters(), lr=0.5, momentum=0.9))
    >>> X, Y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    >>> losses = [step(X, Y) for _ in range(100)]
    >>> losses[0] > 0.1, losses[-1] < 1e-3, [round(model(x).data) for x in X]
    (True, True, [0, 1, 1, 0])
    """

    def __init__(
        self,
        model: Callable[..., Any],
        loss: Callable[..., Any],
        optimizer: Optimizer,
        *,
        batch: bool = True,
        dtype: Any = "float64",
        seed: int = 0,
    ) -> None:
        for what, part in (("model", model), ("loss", loss)):
            if not callable(part):
                raise TypeError(
                    f"train_step needs a {what} that can be called. Received: {type(part).__name__}"
                )
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"train_step needs an Optimizer, such as nn.SGD. Received: {type(optimizer).__name__}"
            )
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.program = Program(
            of_sample(model, loss), as_read(model, optimizer), batch, dtype=dtype, seed=seed, take_over=True
        )
        self.known: set[Version] = set()  # the shapes that `moved` and `runs` are for
        self.moved: tuple[Value, ...] = ()
        self.runs: list[slice] = []
        self.pieces: list[
            slice
        ] = []  # where these lie in `parts`, two arrays for what is moved and its gradient
        self.parts: Any = None

    def __call__(self, *sample: Any) -> float:
        """The mean loss over the batch, before the update that is then made."""
        with self.program.lock, np.errstate(all="ignore"):
            return self.made(sample)

    def made(self, sample: tuple[Any, ...]) -> float:
        program, optimizer = self.program, self.optimizer
        arrays, version = program.version(sample)
        value = version.quiet_gradient(arrays)
        if type(value) is tuple:  # plain Python, of a small program without a batch
            value, version.g[:] = value
        loss = float(value)
        if version not in self.known:
            self.look()
        if not optimizer.takes_arrays():
            self.step_by_step(version.g)
            return loss
        p, g = version.p[: len(version.g)], version.g
        if len(self.moved) == len(g):
            optimizer.move(self.moved, p, g)
        elif self.moved:
            part, slopes = self.parts
            np.concatenate([p[run] for run in self.runs], out=part)
            np.concatenate([g[run] for run in self.runs], out=slopes)
            optimizer.move(self.moved, part, slopes)
            for run, piece in zip(self.runs, self.pieces, strict=True):
                p[run] = part[piece]
        if program.store is not None and program.store.back:
            program.store.put_back()
        return loss

    def look(self) -> None:
        """Which parameters the optimiser moves: what a gradient reaches in samples of any shape that has come. Where
        those of the present shape do not reach one of them, its gradient is 0."""
        versions = self.program.versions.values()
        reached = np.unique([place for version in versions for place in version.reached]).astype(int)
        breaks = np.flatnonzero(np.diff(reached) > 1) + 1
        self.runs = [slice(int(r[0]), int(r[-1]) + 1) for r in np.split(reached, breaks) if len(r)]
        self.moved = tuple([self.program.wrt_values[place] for place in reached])
        ends = np.cumsum([run.stop - run.start for run in self.runs]).tolist()
        self.pieces = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        self.parts = np.zeros((2, len(self.moved)), self.program.dtype)
        self.known = {*versions}

    def step_by_step(self, g: Any) -> None:
        """What an optimiser does that knows nothing of arrays."""
        for p in self.optimizer.parameters:
            p.grad = NO_GRADIENT
        slopes = [slope for run in self.runs for slope in g[run].tolist()]
        for p, slope in zip(self.moved, slopes, strict=True):
            p.grad = slope
        self.optimizer.step()

    @property
    def source(self) -> str:
        """The text of the compiled gradient."""
        return self.program.source

    def draw(self) -> Any:
        """The arrays of the compiled gradient, and which is computed from which, as a graphviz.Digraph."""
        return self.program.draw()

    def __repr__(self) -> str:
        return f"<step of {type(self.optimizer).__name__}, {self.program.compiled}>"

    def _repr_html_(self) -> str | None:
        """How a notebook shows it, beside the text of `repr`: as its program."""
        return self.program._repr_html_()


def train_step(
    model: Callable[..., Any],
    loss: Callable[..., Any],
    optimizer: Optimizer,
    *,
    batch: bool = True,
    dtype: Any = "float64",
    seed: int = 0,
) -> TrainStep:
    """Compile forward pass, backward pass and update: the `TrainStep` to be called with a batch of samples.

    `loss`: of two arguments, such as `nn.mse`, it is called as loss(model(x), y) for each sample; of three or more, as
    loss(model, *sample). `optimizer` says what is trained: what it was constructed with; what is frozen among it, or
    what no gradient has reached in samples of any shape so far, stays. `batch`: whether the arguments have a leading
    axis, one entry a sample; without, a step takes one sample. `dtype`: "float64" or "float32". `seed` begins the
    random numbers of `autograd.uniform`.

    The Values show the trained numbers at once; what is assigned to them, or to the optimiser's `lr`, between steps is
    taken up. An optimiser of one's own, with an `update` for single numbers, is called for each parameter in turn.
    """
    return TrainStep(model, loss, optimizer, batch=batch, dtype=dtype, seed=seed)


def as_read(model: Any, optimizer: Optimizer) -> list[Value]:
    """What is trained, in the order in which it is kept: a large matrix of weights as x @ W reads it, column by column.

    In float32 a step is a tenth faster for it; small ones stay as they are, for several may be read as one."""
    matrices = []
    for part in model.modules() if isinstance(model, Module) else ():
        if isinstance(part, Layer) and len(part.neurons) * len(part.neurons[0].w) >= LARGE:
            columns = zip(*[neuron.w for neuron in part.neurons], strict=True)
            matrices += [w for column in columns for w in column] + [neuron.b for neuron in part.neurons]
    trained = dict.fromkeys(optimizer.parameters)
    return [*dict.fromkeys([*(p for p in matrices if p in trained), *trained])]


def required_arguments(loss: Callable[..., Any]) -> list[inspect.Parameter]:
    """The arguments that a loss must be given; from three on, it takes the model and the sample."""
    try:
        parameters = [*inspect.signature(loss).parameters.values()]
    except (TypeError, ValueError):  # what is not written in Python need not tell
        parameters = []
    return [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]


def of_sample(model: Callable[..., Any], loss: Callable[..., Any]) -> Callable[..., Any]:
    """The loss of one sample, a function of what the sample consists of."""
    required = required_arguments(loss)

    def of_output(x: Any, y: Any) -> Any:
        return loss(model(x), y)

    def of_model(*sample: Any) -> Any:
        return loss(model, *sample)

    f: Callable[..., Any] = of_output if len(required) < 3 else of_model
    f.__name__ = f.__qualname__ = "train_step"  # for errors
    if f is of_model:
        vars(f)["__signature__"] = inspect.Signature(required[1:])  # names for the arguments
    return f
