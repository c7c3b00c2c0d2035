"""Diagnostics: which units are dead, which are saturated, how gradients compare with weights; and how deep a net is
that has no nonlinearity. Each gives a report, a dict by layer that prints as a table and can be plotted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autograd import gradient
from autograd.value import NO_GRADIENT, Value

from . import activations
from .charts import bars
from .checks import entries, listed, nonnegative, real
from .containers import Sequential
from .module import Module, contents, in_use, watching, wrong_size
from .neuron import IDENTITY, MLP, PRELU, Layer, Neuron
from .summary import activation, table

SHOWN = 8  # so many dead units are named when a report is printed


class Report(dict[str, Any]):
    """A row for each layer, by its path; a model that is itself the layer goes by its class."""

    def cells(self) -> list[Sequence[str]]:
        """The table: first the names of the columns."""
        raise NotImplementedError(f"{type(self).__name__} needs a method cells, its table")

    def __repr__(self) -> str:
        return "\n".join(table(self.cells(), ("layer",)))


# Dead units -------------------------------------------------------------------------------------------------------


class Dead(NamedTuple):
    """The units of a layer, and the paths of those that are dead."""

    units: int
    dead: list[str]

    @property
    def share(self) -> float:
        """Dead units per unit."""
        return len(self.dead) / self.units


class DeadUnits(Report):
    """What `dead_units` found: a `Dead` for each layer."""

    @property
    def total(self) -> Dead:
        """All layers together."""
        return Dead(
            sum(row.units for row in self.values()), [path for row in self.values() for path in row.dead]
        )

    def cells(self) -> list[Sequence[str]]:
        rows = [*self.items(), ("total", self.total)]
        shown = [(name, f"{row.units:,}", f"{len(row.dead):,}", f"{row.share:.1%}") for name, row in rows]
        return [("layer", "units", "dead", "share"), *shown]

    def __repr__(self) -> str:
        dead = listed(self.total.dead, SHOWN)
        return "\n".join([super().__repr__(), *([f"dead: {dead}"] if dead else [])])

    def plot(self, ax: Any = None) -> Any:
        """The share of dead units in each layer, as bars on matplotlib axes, which are returned."""
        rows = {name: [100.0 * row.share] for name, row in self.items()}
        notes = [f"{len(row.dead)} of {row.units}" for row in self.values()]
        return bars("Dead units", "% of the units", ["dead"], rows, notes, end=100.0, ax=ax)


def dead_units(model: Module, data: Iterable[Any]) -> DeadUnits:
    """The units that learn nothing from these data: the slope of their activation is exactly 0 for every sample.

        dead if activation'(z) = 0 for each z that the unit has, at each sample, step and place

    So a filter of a convolution is dead only if it is at every place. A ReLU that a large negative bias holds below 0
    passes no gradient on and does not come back, while the data stay as they are. Linear neurons are never dead, nor
    those of a layer with an activation of vectors, such as softmax; those with a step always are, as its slope is 0
    everywhere. Where a `Sequential` has an activation as a layer of its own, its units are the numbers or the channels
    that it reads, named as `layers.1[0]`. Units that no sample reaches are not counted.

    `data`: a list of samples. The model reads them in the mode of use, and nothing is recorded. ValueError without
    samples, or where no neuron was called. (L. Lu et al., "Dying ReLU and initialization", 2019.)

    >>> net = MLP(2, [3, 1], init="ones")
    >>> net.layers[0].neurons[1].b.data = -1000.0
    >>> dead_units(net, [[0.5, 1.0], [1.0, 2.0]])
    layer     units  dead  share
    layers.0      3     1  33.3%
    layers.1      1     0   0.0%
    total         4     1  25.0%
    dead: layers.0.neurons.1
    """
    layers = observed("dead_units", model, data)
    return DeadUnits(
        {
            name: Dead(len(seen.units), [unit.path for unit in seen.units.values() if not any(unit.slopes())])
            for name, seen in layers.items()
        }
    )


# Saturation -------------------------------------------------------------------------------------------------------


class Saturated(NamedTuple):
    """The outputs of a layer that were seen, and how many of them were saturated."""

    outputs: int
    saturated: int

    @property
    def share(self) -> float:
        """Saturated outputs per output."""
        return self.saturated / self.outputs


class Saturation(Report):
    """What `saturation` found: a `Saturated` for each layer."""

    def cells(self) -> list[Sequence[str]]:
        rows = [(name, f"{n.outputs:,}", f"{n.saturated:,}", f"{n.share:.1%}") for name, n in self.items()]
        return [("layer", "outputs", "saturated", "share"), *rows]

    def plot(self, ax: Any = None) -> Any:
        """The share of saturated outputs in each layer, as bars on matplotlib axes, which are returned."""
        rows = {name: [100.0 * n.share] for name, n in self.items()}
        notes = [f"{n.share:.1%}" for n in self.values()]
        return bars("Saturation", "% of the outputs", ["saturated"], rows, notes, end=100.0, ax=ax)


def saturation(model: Module, data: Iterable[Any], below: float = 0.01) -> Saturation:
    """How many outputs stand where their activation is nearly flat, and so pass almost no gradient on.

        saturated if activation'(z) = 0, or |activation'(z)| < below max |activation'|

    The largest slope is that between -10 and 10: 1/4 for sigmoid, 1 for tanh and ReLU; 1 is taken where the slope
    grows without bound, as that of exp. A ReLU at rest counts as saturated, so half of them is usual; a leaky one does
    not. What is a unit, and how data are read, is as in `dead_units`; each unit has an output for each sample, step and
    place. ValueError also if `below` is not between 0 and 1. (X. Glorot, Y. Bengio, 2010.)

    >>> neuron = Neuron(1, activation="sigmoid", init="ones")
    >>> saturation(neuron, [[0.0], [1.0], [5.0], [10.0]])  # the last two have slopes of .0066 and .000045
    layer   outputs  saturated  share
    Neuron        4          1  25.0%
    """
    below = real("saturation", "below", below)
    if not 0.0 < below < 1.0:
        raise ValueError(f"saturation needs below between 0 and 1. Received: below={below}")
    layers = observed("saturation", model, data)
    return Saturation({name: saturated_in(seen, below) for name, seen in layers.items()})


def saturated_in(seen: Seen, below: float) -> Saturated:
    largest: dict[Any, float] = {}  # most units share their activation
    flat = outputs = 0
    for unit in seen.units.values():
        if unit.kind not in largest:
            largest[unit.kind] = largest_slope(unit.function)
        slopes = unit.slopes()
        flat += sum(slope == 0.0 or abs(slope) < below * largest[unit.kind] for slope in slopes)
        outputs += len(slopes)
    return Saturated(outputs, flat)


def largest_slope(function: Callable[[Any], Any]) -> float:
    """Of those between -10 and 10; 1 where it is far larger at -100 or 100."""
    largest = max(abs(slope_at(function, k / 20.0)) for k in range(-200, 201))
    beyond = max(abs(slope_at(function, z)) for z in (-100.0, 100.0))
    return 1.0 if beyond > 2.0 * largest else largest


# Gradients --------------------------------------------------------------------------------------------------------


class Gradients(NamedTuple):
    """The gradients of a layer beside its weights; and, with data, its outputs."""

    parameters: int
    gradient: float  # the norm
    weight: float  # the norm
    ratio: float  # of the update to the weights
    zeros: float  # the share of gradients that are exactly 0
    mean: float | None = None  # of the outputs, as the next two
    deviation: float | None = None
    saturated: float | None = None  # the share


class GradientReport(Report):
    """What `gradient_report` found: a `Gradients` for each layer with parameters."""

    def cells(self) -> list[Sequence[str]]:
        head = ["layer", "parameters", "|gradient|", "|weight|", "update:weight", "zeros"]
        with_data = any(row.mean is not None for row in self.values())
        rows: list[Sequence[str]] = [[*head, "mean", "deviation", "saturated"] if with_data else head]
        for name, row in self.items():
            norms = [f"{x:.3g}" for x in (row.gradient, row.weight, row.ratio)]
            seen = [number_or_blank(row.mean), number_or_blank(row.deviation)]
            seen.append("" if row.saturated is None else f"{row.saturated:.1%}")
            rows.append(
                [name, f"{row.parameters:,}", *norms, f"{row.zeros:.1%}", *(seen if with_data else [])]
            )
        return rows

    def plot(self, ax: Any = None) -> Any:
        """The norms of each layer, and at their ends update:weight, on matplotlib axes, which are returned."""
        rows = {name: [row.gradient, row.weight] for name, row in self.items()}
        notes, unit = [f"{row.ratio:.1g}" for row in self.values()], "norm (after the bars: update:weight)"
        return bars("Gradients and weights", unit, ["gradient", "weight"], rows, notes, ax=ax)


def gradient_report(model: Module, data: Iterable[Any] | None = None, lr: float = 1.0) -> GradientReport:
    """After `backward()`: how the gradients of each layer compare with its weights.

        update:weight = lr |g| / |w|        |g|, |w|: the Euclidean norms of a layer's gradients and parameters

    That is how far a step of plain SGD moves the layer, relative to where it is; with the `lr` that is used, something
    near 1/1000 is usual. It shows gradients that vanish or explode with the depth, and layers that learn too fast or
    not at all. `zeros` is the share of gradients that are exactly 0. Frozen parameters are left out. With `data`, a
    list of samples, it tells mean and deviation of the layer's outputs, too, and the share that is saturated, as
    `saturation` has it.

    ValueError if no parameter has a gradient: a compiled step computes them without storing them in the Values.

    >>> net = MLP(2, [2, 1], init="ones")
    >>> net([1.0, 2.0]).backward()
    >>> gradient_report(net, lr=0.01)
    layer     parameters  |gradient|  |weight|  update:weight  zeros
    layers.0           6        3.46         2         0.0173   0.0%
    layers.1           3        4.36      1.41         0.0308   0.0%
    """
    if not isinstance(model, Module):
        raise TypeError(f"gradient_report needs a Module. Received: {type(model).__name__}")
    lr = nonnegative("gradient_report", "lr", lr)
    moved = {name: [p for p in part.parameters if p.requires_grad] for name, part in layers_in(model).items()}
    if all(p.grad is NO_GRADIENT for parameters in moved.values() for p in parameters):
        raise ValueError(
            "gradient_report needs gradients: call backward() first. Received: a model without any."
        )
    layers = {} if data is None else observed("gradient_report", model, data)
    return GradientReport(
        {
            name: Gradients(
                *of_parameters(parameters, lr), *(of_outputs(layers[name]) if name in layers else ())
            )
            for name, parameters in moved.items()
            if parameters
        }
    )


def of_parameters(parameters: Sequence[Value], lr: float) -> tuple[int, float, float, float, float]:
    g, w = np.array([float(p.grad) for p in parameters]), np.array([p.data for p in parameters])
    gradient, weight = float(np.linalg.norm(g)), float(np.linalg.norm(w))
    with np.errstate(all="ignore"):  # weights that are all 0
        ratio = float(np.divide(lr * gradient, weight))
    return len(g), gradient, weight, ratio, float((g == 0.0).mean())


def of_outputs(seen: Seen) -> tuple[float, float, float]:
    outputs = seen.outputs()
    return float(np.mean(outputs)), float(np.std(outputs)), saturated_in(seen, 0.01).share


def number_or_blank(x: float | None) -> str:
    return "" if x is None else f"{x:.3g}"


# What a model does ------------------------------------------------------------------------------------------------


@dataclass
class Unit:
    """The preactivations that a unit has had and what it gave out; its activation, a function of one number."""

    path: str
    function: Callable[[Any], Any]
    kind: Any  # equal for units with the same activation
    z: list[float] = field(default_factory=list)
    outputs: list[float] = field(default_factory=list)
    node: Any = None  # the last z as the neuron has it

    def slopes(self) -> list[float]:
        return [slope_at(self.function, z) for z in self.z]

    def see(self, node: Any, output: Any) -> None:
        """A call of a neuron. One that overrides `__call__`, and has called it, is told of twice: the last holds."""
        if node is self.node:
            self.outputs.pop()
        else:
            self.node = node
            self.z.append(float(node))
        self.outputs.append(float(output))


@dataclass
class Seen:
    """What a layer did: its units; and, if its activation is one of vectors, what that gave out."""

    units: dict[Any, Unit] = field(default_factory=dict)
    of_vector: list[float] = field(default_factory=list)

    def outputs(self) -> list[float]:
        return self.of_vector or [y for unit in self.units.values() for y in unit.outputs]


@dataclass
class Part:
    """The parameters of a layer, and the neurons that it calls, with their paths."""

    module: Module
    parameters: list[Value] = field(default_factory=list)
    neurons: dict[Neuron, str] = field(default_factory=dict)


def slope_at(function: Callable[[Any], Any], z: float) -> float:
    """The derivative of an activation."""
    x = Value(z)
    out = function(x)
    return float(gradient(out, x)) if isinstance(out, Value) else 0.0


def layers_in(model: Module) -> dict[str, Part]:
    """The modules that hold parameters or neurons themselves, by their paths; each parameter counts once."""
    found: dict[str, Part] = {}
    seen: set[Any] = set()
    for path, module in model.named_modules():
        if path and isinstance(module, Neuron):
            continue  # belongs to the layer
        part = found[path or type(module).__name__] = Part(module)
        for inner, own in contents(module, deep=False).items():
            if isinstance(inner, Neuron) and inner not in seen:
                seen.add(inner)
                part.neurons[inner] = ".".join(name for name in (path, own) if name) or type(module).__name__
            within = contents(inner) if isinstance(inner, Neuron) else (inner,)
            new = [p for p in within if isinstance(p, Value) and p not in seen]
            seen.update(new)
            part.parameters += new
    return found


def functions_in(model: Module) -> dict[Module, list[tuple[str, Any]]]:
    """The activations that a Sequential has as layers of their own, with their paths, by the module each follows."""
    found: dict[Module, list[tuple[str, Any]]] = {}
    for path, module in model.named_modules():
        layers: list[Any] = module.layers if isinstance(module, Sequential) else []
        for i, (before, layer) in enumerate(pairwise(layers), 1):
            if not isinstance(before, Module) or isinstance(layer, Module):
                continue
            kind = activations.get(layer.func if isinstance(layer, partial) else layer)
            if kind is activations.ACTIVATIONS.get(kind.name) and not kind.vector:  # others may be of vectors
                own = f"{path}.layers.{i}" if path else f"layers.{i}"
                found.setdefault(before, []).append((own, layer))
    return found


def observed(owner: str, model: Module, data: Iterable[Any]) -> dict[str, Seen]:
    """What each layer does while the model reads the samples, in the order in which the layers are called."""
    if not isinstance(model, Module):
        raise TypeError(f"{owner} needs a Module. Received: {type(model).__name__}")
    layers, functions = layers_in(model), functions_in(model)
    of_neuron = {n: (name, path) for name, part in layers.items() for n, path in part.neurons.items()}
    names = {part.module: name for name, part in layers.items()}
    found: dict[str, Seen] = {}

    def look(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, Neuron) and module in of_neuron:
            name, path = of_neuron[module]
            units = found.setdefault(name, Seen()).units
            units.setdefault(module, Unit(path, *activation_of(module))).see(module.z, output)
        elif isinstance(module, Layer) and module.activation is not None and names.get(module) in found:
            found[names[module]].of_vector += numbers_in(output)
        for name, function in functions.get(module, ()):
            units = found.setdefault(name, Seen()).units
            for k, part in enumerate(output if hasattr(output, "__iter__") else [output]):
                unit = units.setdefault(k, Unit(f"{name}[{k}]", function, id(function)))
                for z in numbers_in(part):
                    unit.z.append(z)
                    unit.outputs.append(float(function(z)))

    samples = 0
    with in_use(model), watching(look):
        for x in entries(owner, "samples as data", data):
            model(x)
            samples += 1
    if not samples:
        raise ValueError(f"{owner} needs at least one sample. Received: none")
    if not found:
        raise ValueError(f"{owner} needs a model with neurons. Received: {model._title()}")
    return found


def activation_of(neuron: Neuron) -> tuple[Callable[[Any], Any], Any]:
    """The activation of a neuron, of one number, and a key for it."""
    kind = neuron.activation
    if kind is PRELU:
        slope = float(neuron.slope)
        return lambda z: kind.function(z, slope), (id(kind), slope)
    return kind.function, id(kind)


def numbers_in(x: Any) -> Iterator[float]:
    """All numbers in an array or nested lists."""
    if hasattr(x, "__iter__"):
        for part in x:
            yield from numbers_in(part)
    else:
        yield float(x)


# Depth without nonlinearity ---------------------------------------------------------------------------------------


def collapse_linear(model: Module) -> Layer:
    """The one linear Layer that computes what a model of linear layers does: without nonlinearity, depth is nothing.

        W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)

    The model is a `Layer`, an `MLP`, or a `Sequential` of such, all with the identity for activation; the Layer that
    is returned shares nothing with it. It has biases if any layer has. ValueError naming the first layer that is not
    linear; `nn.plots.matrix` shows the matrix. (M. Minsky, S. Papert, "Perceptrons", 1969, on what a single layer
    cannot do.)

    >>> net = MLP(2, [8, 8, 1], activation="identity", rng=0)
    >>> one = collapse_linear(net)
    >>> one._title(), abs(one([0.5, -1.0]).data - net([0.5, -1.0]).data) < 1e-12
    ('Layer(2, 1)', True)
    """
    if not isinstance(model, Module):
        raise TypeError(f"collapse_linear needs a Module. Received: {type(model).__name__}")
    layers = [*linear_layers("", model)]
    if not layers:
        raise ValueError(f"collapse_linear needs at least one Layer. Received: {model._title()}")
    nin = len(layers[0].neurons[0].w)
    W, b = np.eye(nin), np.zeros(nin)
    for layer in layers:
        w = np.array([[float(v) for v in neuron.w] for neuron in layer.neurons])
        if w.shape[1] != len(W):
            raise wrong_size(layer, w.shape[1], len(W))
        W, b = w @ W, w @ b + [0.0 if neuron.b is None else float(neuron.b) for neuron in layer.neurons]
    bias = any(neuron.b is not None for layer in layers for neuron in layer.neurons)
    one = Layer(nin, len(W), activation="identity", bias=bias, init=lambda *_: W)
    for neuron, start in zip(one.neurons, b.tolist() if bias else (), strict=bias):
        neuron.b.data = start
    return one


def linear_layers(path: str, part: Any) -> Iterator[Layer]:
    """The Layers in it, in the order of their calls, all of them linear."""
    call = type(part).__call__
    if isinstance(part, (MLP, Sequential)) and call in (MLP.__call__, Sequential.__call__):
        for i, layer in enumerate(part.layers):
            yield from linear_layers(f"{path}.layers.{i}" if path else f"layers.{i}", layer)
    elif isinstance(part, Layer) and call is Layer.__call__ and is_linear(part):
        yield part
    elif isinstance(part, Module) or activations.get(part) is not IDENTITY:
        name = part._title() if isinstance(part, Module) else activation(part)
        bent = isinstance(part, Layer) and activation(part) != "identity"
        using = f", whose activation is {activation(part)}" if bent else ""
        raise ValueError(
            f"collapse_linear needs linear layers alone. Received: {path + ': ' if path else ''}{name}{using}"
        )


def is_linear(layer: Layer) -> bool:
    """Whether each of its neurons is a weighted sum and no more."""
    sums = all(n.activation is IDENTITY and type(n).__call__ is Neuron.__call__ for n in layer.neurons)
    return sums and layer.activation is None
