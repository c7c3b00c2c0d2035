"""The summary of a model: its parts in a table, with their shapes, activations and numbers of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from autograd.value import Value

from . import activations
from .activations import Activation
from .checks import one_line, shape
from .containers import Sequential
from .module import Module, contents, in_use, watching
from .neuron import Layer, Neuron

HEAD = ("layer", "kind", "inputs -> outputs", "activation", "weights", "biases", "parameters", "frozen")
LONGEST = 100  # letters in a cell of the text
LEFT = ("layer", "kind", "activation")


class Summary(str):
    """The text of a summary, which shows itself as a table; `summary` makes it.

    It is a str like any other. `rows` are its numbers, a dict for each part with a key for each column, so that
    `pandas.DataFrame(model.summary().rows)` is a table to compute with; the total is not among them.

    >>> from nn import MLP
    >>> text = summary(MLP(784, [128, 10]))
    >>> text
    MLP(784, [128, 10])
    layer     inputs -> outputs  activation  weights  biases  parameters
    layers.0         784 -> 128  relu        100,352     128     100,480
    layers.1          128 -> 10  identity      1,280      10       1,290
    total                                    101,632     138     101,770
    depth: 1 hidden layer
    >>> [row["parameters"] for row in text.rows], sum(row["weights"] for row in text.rows)
    ([100480, 1290], 101632)
    """

    rows: Sequence[dict[str, Any]]
    cells: Sequence[Sequence[str]]  # of the table, the names of the columns first

    def __new__(
        cls, text: str, rows: Sequence[dict[str, Any]] = (), cells: Sequence[Sequence[str]] = ()
    ) -> Summary:
        self = super().__new__(cls, text)
        self.rows, self.cells = rows, cells
        return self

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        """How a notebook shows it, beside the text."""
        if not self.cells:
            return None
        from autograd.display import table as in_html

        title, *_, depth = self.splitlines()
        return in_html(self.cells, LEFT, title, depth)


def summary(model: Module, x: Any = None, *more: Any) -> Summary:
    """The parts of a model in the order of its attributes, and what is in them, as a table: a str, see `Summary`.

    A part is a layer with all that is in it, or a container, which counts only parameters of its own; what is shared
    counts where it comes first. Biases are the parameters named `b` or `bias`; what an activation learns is neither
    weight nor bias; buffers are no parameters. A column tells how many are frozen, if any are.

    A `Layer` knows its sizes. With a sample x the model is called once, as model(x, *more), in the mode of use and
    without recording, and every part shows the shapes of its last call: the number of inputs for a vector, else
    (channels, height, width) and the like; of a result with a state, such as that of `LSTM`, the shape without it.

    The depth is the number of layers in which there are neurons, less the last. An LSTM's cell counts as one; layers
    side by side, such as the two directions of a recurrent network, one each.

    >>> from nn import Conv2d, Flatten
    >>> net = Sequential(Conv2d(1, 4, 3, activation="relu"), Flatten(), Layer(16, 3, activation="softmax"))
    >>> print(summary(net, [[[0.0] * 4] * 4]))
    Sequential(3)
    layer     kind                         inputs -> outputs  activation  weights  biases  parameters
    layers.0  Conv2d(1, 4, kernel=3)  (1, 4, 4) -> (4, 2, 2)  relu             36       4          40
    layers.1  Flatten                        (4, 2, 2) -> 16                    0       0           0
    layers.2  Layer(16, 3)                           16 -> 3  softmax          48       3          51
    total                                                                      84       7          91
    depth: 1 hidden layer
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary needs a Module. Received: {type(model).__name__}")
    shapes = {} if x is None else shapes_in(model, (x, *more))
    cells, rows = [[*HEAD]], list[dict[str, Any]]()
    totals, seen, layers = [0, 0, 0, 0], set[Value](), 0
    for path, part in parts(model):
        own = {p: name for p, name in parameters_of(part).items() if p not in seen}
        seen.update(own)
        layer = isinstance(part, Module) and part.level != "model"
        if not (path or layer or own):
            continue  # the title names it
        counts = counted(part, own)
        totals = [total + n for total, n in zip(totals, counts, strict=True)]
        numbers = [f"{n:,}" for n in counts] if layer or own else [""] * 4
        shape = known_shape(part) or shapes.get(id(part), "")
        names = [path or type(part).__name__, kind(part), shape, activation(part)]
        cells.append([*names, *numbers])
        rows.append(dict(zip(HEAD, [*names, *counts], strict=True)))
        layers += is_hidden_or_last(part)
    cells.append(["total", "", "", "", *(f"{n:,}" for n in totals)])
    left_out = {"frozen"} if not totals[3] else set()
    if all(isinstance(part, Layer) for path, part in parts(model) if path):
        left_out.add("kind")  # the sizes say it all
    shown = [i for i, name in enumerate(HEAD) if name not in left_out]
    cells = [[row[i] for i in shown] for row in cells]
    hidden = max(layers - 1, 0)
    depth = f"depth: {hidden} hidden layer{'' if hidden == 1 else 's'}"
    return Summary("\n".join([one_line(model._title(), LONGEST), *table(cells, LEFT), depth]), rows, cells)


def table(rows: Sequence[Sequence[str]], left: Iterable[str]) -> list[str]:
    """Rows of cells as lines; the first row names the columns, and those in `left` are set to the left."""
    rows = [[one_line(cell, LONGEST) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [
        [
            f"{cell:<{width}}" if name in left else f"{cell:>{width}}"
            for name, cell, width in zip(rows[0], row, widths, strict=True)
        ]
        for row in rows
    ]
    return ["  ".join(cells).rstrip() for cells in aligned]


# Parts ------------------------------------------------------------------------------------------------------------


def parts(model: Module) -> Iterator[tuple[str, Any]]:
    """The model and each part in it, with its path. Nothing inside a layer is a part; a function in a Sequential is."""
    seen = {model}

    def inside(path: str, module: Module) -> Iterator[tuple[str, Any]]:
        yield path, module
        if module.level != "model":
            return
        found: dict[str, Any] = {own: x for x, own in contents(module, deep=False).items() if own}
        if isinstance(module, Sequential):
            found = {f"layers.{i}": layer for i, layer in enumerate(module.layers)} | found
        for own, part in found.items():
            own = f"{path}.{own}" if path else own
            if not isinstance(part, Module):
                yield from () if isinstance(part, Value) else [(own, part)]
            elif part not in seen:
                seen.add(part)
                yield from inside(own, part)

    return inside("", model)


def parameters_of(part: Any) -> dict[Value, str]:
    """The parameters that a part counts, with their paths: all in a layer, its own of a container."""
    found = contents(part, deep=part.level != "model") if isinstance(part, Module) else {}
    return {p: path for p, path in found.items() if isinstance(p, Value)}


def counted(part: Any, parameters: dict[Value, str]) -> list[int]:
    """How many are weights, are biases, are there, and are frozen."""
    counts = [0, 0, len(parameters), 0]
    neurons = [module for module in part.modules() if isinstance(module, Neuron)] if parameters else []
    slopes = {getattr(neuron, "slope", None) for neuron in neurons}
    for p, path in parameters.items():
        *around, name = path.split(".")
        name = name.partition("[")[0]
        if name in ("b", "bias"):
            counts[1] += 1
        elif p not in slopes and "activation" not in around:
            counts[0] += 1
        counts[3] += not p.requires_grad
    return counts


def kind(part: Any) -> str:
    return part._title() if isinstance(part, Module) else "function"


def activation(part: Any) -> str:
    """The activations in a layer, each once; the identity only where there is no other."""
    if not isinstance(part, Module):
        return activations.get(part).name
    if part.level == "model":
        return ""
    found = [getattr(module, "activation", None) for module in part.modules()]
    names = dict.fromkeys(f.name for f in found if isinstance(f, Activation))
    return ", ".join([name for name in names if name != "identity"] or names)


def is_hidden_or_last(part: Any) -> bool:
    """Whether it is a layer of neurons."""
    neurons = isinstance(part, Module) and any(isinstance(module, Neuron) for module in part.modules())
    return neurons and part.level == "layer"


# Shapes -----------------------------------------------------------------------------------------------------------


def known_shape(part: Any) -> str:
    """What a layer knows without being called."""
    return f"{len(part.neurons[0].w)} -> {len(part.neurons)}" if isinstance(part, Layer) else ""


def shapes_in(model: Module, sample: Sequence[Any]) -> dict[int, str]:
    """What goes into each module and comes out of it, in its last call while the model reads a sample, by its id."""
    found: dict[int, str] = {}

    def look(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        result = output[0] if isinstance(output, tuple) and output and shape(output[0]) else output
        found[id(module)] = f"{shown(inputs[0]) if inputs else ''} -> {shown(result)}".strip()

    with in_use(model), watching(look):
        model(*sample)
    return found


def shown(x: Any) -> str:
    """A shape as it is read: 1 for a number, n for a vector, else (m, n)."""
    sizes = shape(x)
    return str(sizes) if len(sizes) > 1 else str(sizes[0] if sizes else 1)
