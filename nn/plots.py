"""Plots of functions, decision boundaries, training, weights, gradients, confusions, attention and images.

    history(h)                      each draws on new matplotlib axes and returns them,
    activation("relu", ax=axes)     or on those given

All can be read in grey, and by the colour-blind. They need matplotlib: `pip install "neurongrad[plot]"`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from autograd import compile, value_and_grad
from autograd.value import NO_GRADIENT, Value

from .activations import get
from .charts import COLOURS, DASHES, MARKERS, axes, heat, literal, regions, ridges, tiles
from .charts import bars as bars  # for the reports of `diagnostics`
from .checks import entries, listed, one_line, real, size
from .convolution import Convolution
from .metrics import numbers
from .module import Module, contents, in_use
from .neuron import Layer

# What a function does ---------------------------------------------------------------------------------------------


def activation(f: Any, low: float = -5.0, high: float = 5.0, derivative: bool = True, ax: Any = None) -> Any:
    """An activation function from `low` to `high`, and its derivative, by backpropagation.

    `f`: a name, a function of one number, or an `Activation`. The lines are broken at the kinks that an `Activation`
    knows of, where the value or the slope may jump. ValueError for an activation of vectors, such as softmax.

    >>> from matplotlib.figure import Figure
    >>> curve, slope = activation("sigmoid", -1.0, 1.0, ax=Figure().subplots()).lines
    >>> float(curve.get_ydata()[200]), float(slope.get_ydata()[200])  # in the middle, at 0
    (0.5, 0.25)
    """
    kind = get(f)
    if kind.vector:
        raise ValueError(f"activation needs a function of one number. Received: {kind.name}, of a vector")
    low, high = real("activation", "low", low), real("activation", "high", high)
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"activation needs finite low < high. Received: low={low}, high={high}")
    xs, both = points(low, high, kind.kinks or ()), value_and_grad(lambda x: kind.function(x))
    ys = np.array([(math.nan, math.nan) if math.isnan(x) else both(x) for x in xs.tolist()])
    ax = axes(ax, 4.0)
    for k, name in enumerate([one_line(kind.name), "its derivative"][: 2 if derivative else 1]):
        ax.plot(xs, ys[:, k], color=COLOURS[k], ls=DASHES[k], lw=2.0, label=name)
    title = ax.set_title(one_line(kind.formula or kind.name, 100), loc="left")
    ax.set_xlabel("x")
    literal([title, *ax.legend().get_texts()])
    ax.grid(color="0.85", lw=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def points(low: float, high: float, kinks: Iterable[float]) -> Any:
    """Numbers from low to high; in the place of a kink the two next to it, and nan between them."""
    kinks = [kink for kink in kinks if low <= kink <= high]
    beside = [float(np.nextafter(kink, end)) for kink in kinks for end in (-math.inf, math.inf)]
    even = [x for x in np.linspace(low, high, 401).tolist() if x not in kinks]
    xs = np.unique([*even, *(x for x in beside if low <= x <= high)])
    return np.insert(xs, np.searchsorted(xs, kinks), math.nan)


def decision_boundary(
    model: Any, X: Any, y: Any, ax: Any = None, steps: int = 60, threshold: float | None = None
) -> Any:
    """Which class a model of two inputs finds where; and the samples, each with the marker of its true class.

    X: samples of two numbers; y: their classes. Of several outputs the class is where the largest stands, the first of
    equals. The classes of a single output are 0 and 1, or -1 and 1, the upper one above the `threshold`: unless given,
    0.5 if all outputs lie between 0 and 1, as probabilities do, and no class is -1; else 0, as for logits. The title
    says which. The model, a Module or a function of a sample, is compiled, and reads in the mode of use the corners of
    `steps` times `steps` squares; where it gives inf or nan, nothing is filled in.

    >>> from matplotlib.figure import Figure
    >>> from nn import MLP
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> net = MLP(2, [4, 1], output_activation="sigmoid", rng=0)
    >>> decision_boundary(net, X, y, ax=Figure().subplots()).get_title(loc="left")
    'class 1 where the output is above 0.5'
    """
    xs, labels = numbers("decision_boundary", X), numbers("decision_boundary", y)
    if xs.ndim != 2 or xs.shape[1] != 2 or labels.shape != (len(xs),) or not labels.size:
        raise ValueError(
            "decision_boundary needs samples of two numbers, and a class for each."
            f" Received: X of shape {xs.shape}, y of shape {labels.shape}"
        )
    if not np.isfinite(xs).all():
        raise ValueError("decision_boundary needs finite numbers as samples. Received: nan or inf in X")
    n = size("decision_boundary", "steps", steps)
    low, high = xs.min(axis=0), xs.max(axis=0)
    edge = np.where(high > low, 0.1 * (high - low), 1.0)
    across, up = np.linspace(low - edge, high + edge, n + 1).T
    places = np.stack(np.meshgrid(across, up), axis=-1)
    with in_use(model) if isinstance(model, Module) else nullcontext():
        found = compile(model, batch=True)(places.reshape(-1, 2))
    classes, margins, rule = ahead(found, labels, threshold)
    ax = axes(ax, 4.8)
    regions(ax, across, up, margins.reshape(-1, n + 1, n + 1), classes, xs, labels)
    ax.set_title(rule, loc="left")
    ax.set_xlabel("x[0]")
    ax.set_ylabel("x[1]")
    return ax


def ahead(found: Any, labels: Any, threshold: float | None) -> tuple[list[int], Any, str]:
    """The classes; how far each is ahead of the others, at each place; and the rule. It is never 0: a tie goes to the
    first."""
    if not isinstance(found, np.ndarray) or found.ndim > 2:
        form = f"shape {found.shape[1:]}" if isinstance(found, np.ndarray) else type(found).__name__
        raise ValueError(
            f"decision_boundary needs a model whose output is a number or a vector. Received: {form}"
        )
    found = found.reshape(len(found), -1)
    if found.shape[1] == 1:
        classes = [-1 if -1 in labels else 0, 1]
        if threshold is None:
            threshold = 0.5 if classes[0] == 0 and ((found >= 0.0) & (found <= 1.0)).all() else 0.0
        found = np.hstack([np.full_like(found, threshold), found])
        rule = f"class 1 where the output is above {threshold:g}"
    elif threshold is not None:
        raise ValueError(
            "decision_boundary needs a model of a single output to have a threshold."
            f" Received: {found.shape[1]} outputs, threshold={threshold}"
        )
    else:
        classes, rule = [*range(found.shape[1])], "the class whose output is the largest"
    strange = sorted({*labels.tolist()} - {*classes})
    if strange:
        raise ValueError(
            f"decision_boundary needs classes among {classes}, by the model's outputs. Received: {strange[0]:g}"
        )
    with np.errstate(invalid="ignore"):
        margins = np.array([z - np.delete(found, k, axis=1).max(axis=1) for k, z in enumerate(found.T)])
    first = np.arange(len(classes))[:, None] == margins.argmax(axis=0)
    least = np.finfo(float).tiny
    return classes, np.where(first, np.maximum(margins, least), np.minimum(margins, -least)), rule


# Training ---------------------------------------------------------------------------------------------------------


def history(history: Any, ax: Any = None, names: Sequence[str] | None = None) -> Any:
    """How the loss fell, from the first epoch to the last.

    `history`: what `nn.fit` returns, or any mapping from names to lists with a number for each epoch; None or nan where
    there was none. `names`: which to draw, the "loss" and, if it is there, the "val_loss" unless given.

    >>> from matplotlib.figure import Figure
    >>> ax = history({"loss": [4.0, 2.0, 1.0], "val_loss": [4.0, 3.0, 3.0]}, ax=Figure().subplots())
    >>> [line.get_label() for line in ax.lines], ax.lines[0].get_ydata()
    (['loss', 'val_loss'], array([4., 2., 1.]))
    """
    if not hasattr(history, "keys"):
        raise TypeError(f"history needs a mapping from names to lists. Received: {type(history).__name__}")
    if names is None:
        names = ["loss", "val_loss"] if "val_loss" in history else ["loss"]
    names = entries("history", "names", names)
    for name in names:
        if name not in [*history]:
            raise ValueError(
                f"history needs {name!r} to be among its names. Received: {listed([*history]) or 'none'}"
            )
    rows = {name: numbers("history", [math.nan if x is None else x for x in history[name]]) for name in names}
    shapes = {row.shape for row in rows.values()}
    if len(shapes) != 1 or len(epochs := shapes.pop()) != 1 or not epochs[0]:
        raise ValueError(
            "history needs for each name a number for each epoch, one epoch at least."
            f" Received: {', '.join(f'{name} of shape {row.shape}' for name, row in rows.items())}"
        )
    ax = axes(ax, 4.0)
    for k, (name, row) in enumerate(rows.items()):
        style = {"color": COLOURS[k % len(COLOURS)], "ls": DASHES[k % len(DASHES)]}
        dots = {"marker": MARKERS[k % len(MARKERS)], "ms": 4} if len(row) <= 30 or np.isnan(row).any() else {}
        ax.plot(range(1, len(row) + 1), row, lw=2.0, label=one_line(name, 100), **style, **dots)
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    ax.set_xlabel("epoch")
    literal(ax.legend().get_texts())
    ax.spines[["top", "right"]].set_visible(False)
    return ax


# Layers -----------------------------------------------------------------------------------------------------------


def weights(model: Module, ax: Any = None, bins: int = 30) -> Any:
    """A histogram of the weights of each layer, all with the same bins and of the same height.

    Biases, and the slopes that "prelu" learns, are left out; shared weights stand where they come first. ValueError
    for a model without weights.

    >>> from matplotlib.figure import Figure
    >>> from nn import MLP
    >>> ax = weights(MLP(2, [3, 1], init="ones"), ax=Figure().subplots())
    >>> [label.get_text().split(chr(10)) for label in ax.get_yticklabels()]
    [['layers.0', '1 ± 0'], ['layers.1', '1 ± 0']]
    """
    rows = {
        name: [p.data for path, p in found.items() if last(path) not in ("b", "bias", "slope")]
        for name, found in parameters("weights", model).items()
    }
    rows = {name: row for name, row in rows.items() if row}
    if not rows:
        raise ValueError(f"weights needs a model with weights. Received: {model._title()}")
    return ridges("Weights: mean ± deviation", "weight", rows, size("weights", "bins", bins), ax)


def activations(model: Module, data: Iterable[Any], ax: Any = None, bins: int = 30) -> Any:
    """A histogram of what each layer with neurons gives out while the model reads `data`, a list of samples.

    All have the same bins and the same height. What is counted is as in `nn.saturation`; the model is in the mode of
    use.

    >>> from matplotlib.figure import Figure
    >>> from nn import MLP
    >>> ax = activations(MLP(2, [3, 1], init="ones"), [[1.0, 2.0]], ax=Figure().subplots())
    >>> [label.get_text().split(chr(10)) for label in ax.get_yticklabels()]
    [['layers.0', '3 ± 0'], ['layers.1', '9 ± 0']]
    """
    from .diagnostics import observed  # which draws with the charts of this module

    bins = size("activations", "bins", bins)
    rows = {name: seen.outputs() for name, seen in observed("activations", model, data).items()}
    return ridges("Activations: mean ± deviation", "output", rows, bins, ax)


def gradient_flow(model: Module, ax: Any = None) -> Any:
    """After `backward()`: mean and maximum of |gradient| over the parameters of each layer, on a logarithmic scale.

    From the last layer to the first they may fade or grow by a factor for each layer: gradients vanish or explode.
    At the ends of the bars stand the maxima; a gradient of 0 has no bar. Frozen parameters are left out. ValueError if
    no parameter has a gradient: a compiled step computes them without storing them in the Values. (S. Hochreiter,
    1991.)

    >>> from matplotlib.figure import Figure
    >>> from nn import MLP
    >>> net = MLP(2, [2, 1], init="ones")
    >>> net([1.0, 2.0]).backward()
    >>> ax = gradient_flow(net, ax=Figure().subplots())
    >>> [float(bar.get_width()) for bar in ax.patches[2:]]  # the maxima
    [2.0, 3.0]
    """
    moved = {
        name: [p for p in found.values() if p.requires_grad]
        for name, found in parameters("gradient_flow", model).items()
    }
    moved = {name: found for name, found in moved.items() if found}
    if all(p.grad is NO_GRADIENT for found in moved.values() for p in found):
        raise ValueError(
            "gradient_flow needs gradients: call backward() first. Received: a model without any."
        )
    slopes = {name: np.abs([float(p.grad) for p in found]) for name, found in moved.items()}
    rows = {name: [float(g.mean()), float(g.max())] for name, g in slopes.items()}
    notes = [f"{largest:.2g}" for _, largest in rows.values()]
    return bars("Gradient flow", "|gradient|", ["mean", "maximum"], rows, notes, ax=ax)


def parameters(owner: str, model: Module) -> dict[str, dict[str, Value]]:
    """The parameters of each layer, by their paths."""
    from .diagnostics import layers_in

    if not isinstance(model, Module):
        raise TypeError(f"{owner} needs a Module. Received: {type(model).__name__}")
    paths = contents(model)
    return {name: {paths[p]: p for p in part.parameters} for name, part in layers_in(model).items()}


def last(path: str) -> str:
    """The name of a parameter within its module: "w" of `layers.0.neurons.1.w[2]`."""
    return path.rpartition(".")[2].partition("[")[0]


# Matrices ---------------------------------------------------------------------------------------------------------


def confusion(matrix: Any, names: Sequence[str] | None = None, ax: Any = None) -> Any:
    """A confusion matrix, such as `nn.metrics.confusion_matrix` gives: how often each class, a row, was taken for each.

    matrix: (K, K) numbers from 0; counts stand as they are, other numbers with two decimals. `names`: those of the
    classes, else their numbers.

    >>> from matplotlib.figure import Figure
    >>> from nn.metrics import confusion_matrix
    >>> ax = confusion(confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2]), ["a", "b", "c"], ax=Figure().subplots())
    >>> [text.get_text() for text in ax.texts]
    ['1', '0', '0', '0', '1', '0', '0', '1', '1']
    """
    found = matrix_of("confusion", matrix)
    if len(found) != len(found.T):
        raise ValueError(f"confusion needs a square matrix. Received: shape {found.shape}")
    classes = named("confusion", "names", names, len(found))
    most, whole = found.max(), (found == np.floor(found)).all()
    ax = heat(found, classes, classes, most, ax)
    for (i, j), count in np.ndenumerate(found):
        text, colour = f"{count:.0f}" if whole else f"{count:.2f}", "white" if count > 0.6 * most else "black"
        ax.text(j, i, text, ha="center", va="center", color=colour, size=min(10.0, 120.0 / len(found)))
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    return ax


def attention_map(
    weights: Any, queries: Sequence[Any] | None = None, keys: Sequence[Any] | None = None, ax: Any = None
) -> Any:
    """The weights of an attention: how much each query, a row, takes of each key, a column.

    weights: a matrix of numbers or Values from 0, such as one head of `MultiHeadAttention.weights(x)`. `queries` and
    `keys`: their tokens; if there are as many keys as queries, and no tokens of theirs, those of the queries.

    >>> from matplotlib.figure import Figure
    >>> from nn import attention_weights
    >>> shares = attention_weights([[0.0], [0.0]], [[1.0], [2.0]], mask="causal")
    >>> ax = attention_map(shares, ["a", "b"], ax=Figure().subplots())
    >>> ax.images[0].get_array().tolist(), [label.get_text() for label in ax.get_xticklabels()]
    ([[1.0, 0.0], [0.5, 0.5]], ['a', 'b'])
    """
    found = matrix_of("attention_map", weights)
    if keys is None and queries is not None and len(found) == len(found.T):
        keys = queries
    rows = named("attention_map", "queries", queries, len(found))
    columns = named("attention_map", "keys", keys, len(found.T))
    ax = heat(found, rows, columns, found.max(), ax)
    ax.figure.colorbar(ax.images[-1], ax=ax, label="weight", shrink=0.8)
    ax.set_xlabel("key")
    ax.set_ylabel("query")
    return ax


def matrix_of(owner: str, x: Any) -> Any:
    found = numbers(owner, x)
    if found.ndim != 2 or not found.size:
        one = ", of which one is drawn" if found.ndim == 3 else ""
        raise ValueError(f"{owner} needs a matrix of numbers. Received: shape {found.shape}{one}")
    if not ((found >= 0.0) & (found < math.inf)).all():
        wrong = found[~((found >= 0.0) & (found < math.inf))][0]
        raise ValueError(f"{owner} needs finite numbers from 0. Received: {wrong}")
    return found


def named(owner: str, what: str, names: Sequence[Any] | None, n: int) -> list[str]:
    """The names of n rows or columns: those given, or their numbers."""
    names = range(n) if names is None else [*names] if isinstance(names, str) else names  # "ab": a and b
    found = [*map(str, entries(owner, what, names))]
    if len(found) != n:
        raise ValueError(f"{owner} needs {n} {what}, as the matrix has. Received: {len(found)}")
    return found


# Images -----------------------------------------------------------------------------------------------------------


def filters(conv: Convolution, ax: Any = None) -> Any:
    """The weights of a `Conv1d` or `Conv2d` as small images: from black through grey, for 0, to white.

    A filter of Conv2d that reads several channels is a row, with an image for each channel: "3, 0" is that of filter 3
    for channel 0. One of Conv1d is a single image, whose rows are the channels. Biases are not shown.

    >>> from matplotlib.figure import Figure
    >>> from nn import Conv2d
    >>> edges = Conv2d(1, 1, (1, 2), init=lambda shape, rng: [[[[-1.0, 1.0]]]])
    >>> filters(edges, ax=Figure().subplots()).collections[0].get_array().tolist()
    [[-1.0, 1.0]]
    """
    if not isinstance(conv, Convolution):
        raise TypeError(f"filters needs a Conv1d or a Conv2d. Received: {type(conv).__name__}")
    channels = conv.channels_in // conv.groups
    shape = (channels, *conv.kernel) if len(conv.kernel) == 2 else (1, channels, *conv.kernel)
    found = np.array([np.reshape([float(w) for w in neuron.w], shape) for neuron in conv.filters])
    names = [f"{c}, {d}" if shape[0] > 1 else f"{c}" for c in range(len(found)) for d in range(shape[0])]
    most = float(np.abs(found).max())
    columns = shape[0] if shape[0] > 1 else None
    images = found.reshape(-1, *shape[1:])
    return tiles(f"Filters of {conv._title()}", images, names, columns, (-most, most), ax)


def matrix(layer: Layer, ax: Any = None) -> Any:
    """The weights of a `Layer` as one image, a row for each neuron: from black through grey, for 0, to white. Of a deep
    linear model, `matrix(collapse_linear(model))` shows the one matrix that it amounts to. Biases are not shown.

    >>> from matplotlib.figure import Figure
    >>> from nn import Layer
    >>> matrix(Layer(2, 1, init="ones"), ax=Figure().subplots()).collections[0].get_array().tolist()
    [[1.0, 1.0]]
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"matrix needs a Layer. Received: {type(layer).__name__}")
    found = np.array([[float(w) for w in neuron.w] for neuron in layer.neurons])
    most = float(np.abs(found).max())
    return tiles(f"Weights of {layer._title()}", found[None], [""], 1, (-most, most), ax)


def feature_maps(conv: Module, image: Any, ax: Any = None) -> Any:
    """What a convolution makes of an image or a signal: each channel of the output as a small image.

    `conv`: a `Conv2d`, a `Conv1d`, or any module that gives an image (channels, height, width) or a signal (channels,
    length); a signal's channel is a strip. All are on one scale, from the smallest number, black, to the largest. The
    module is in the mode of use.

    >>> from matplotlib.figure import Figure
    >>> from nn import MaxPool
    >>> ax = feature_maps(MaxPool(2), [[[1.0, 3.0], [2.0, 0.0]]], ax=Figure().subplots())
    >>> ax.collections[0].get_array().tolist()
    [[3.0]]
    """
    if not isinstance(conv, Module):
        raise TypeError(f"feature_maps needs a Module. Received: {type(conv).__name__}")
    with in_use(conv):
        found = numbers("feature_maps", conv(image))
    if found.ndim not in (2, 3) or not found.size:
        raise ValueError(
            "feature_maps needs a module that gives (channels, height, width) or (channels, length)."
            f" Received: {conv._title()}, which gives shape {found.shape}"
        )
    images = found if found.ndim == 3 else found[:, None, :]
    finite = images[np.isfinite(images)]
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    names = [str(c) for c in range(len(images))]
    return tiles(f"Feature maps of {conv._title()}", images, names, None, ends, ax)
