"""The neuron, the layer of neurons, the network of layers; and the two units that came before them."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autograd import ops
from autograd.compiler.traced import Traced
from autograd.context import no_grad
from autograd.operators import dot
from autograd.value import Value
from autograd.vector import Vector

from . import activations
from .checks import entries, is_list, size
from .init import generator, weights
from .module import Module, sample, scalars

# The neuron -------------------------------------------------------------------------------------------------------


class Neuron(Module):
    """A weighted sum, a bias, an activation:

        z = b + w[0] x[0] + ... + w[nin-1] x[nin-1]        out = activation(z)

    Without keywords it is micrograd's: weights from the global `random.uniform(-1, 1)`, bias 0, ReLU, or linear with
    `nonlin=False`. `activation` is a name or a function of one Value, and brings the initialiser that suits it;
    `init` chooses another (see `nn.init`); `rng` is None, an int seed, a random.Random or a NumPy Generator.
    `bias=False` leaves the bias out: `b` is None. With "prelu" the neuron learns its `slope`, too. An activation may be
    a Module with parameters of its own. Inputs: a list, tuple, generator or array of nin numbers or Values.

    `z` is the preactivation of the last call. It keeps that call's graph alive until the next one.

    >>> neuron = Neuron(3, activation="sigmoid", init="zeros")
    >>> neuron([1.0, 2.0, 3.0]), neuron.z
    (Value(data=0.5), Value(data=0.0))
    """

    level = "neuron"

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Any = None,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        nin = size(type(self).__name__, "nin", nin)
        kind = chosen(activation, nonlin)
        if kind.vector:
            raise ValueError(f"{kind.name} needs all outputs of a Layer. Received: a single Neuron")
        self.label = label
        self.activation = kind
        self.w: Any = [Value(w) for w in first_weights(init, activation, (1, nin), rng)[0]]
        self.b: Any = Value(0.0) if bias else None
        if kind is PRELU:
            self.slope = Value(0.25)

    def __call__(self, x: Any) -> Any:
        w, b, activation = self.w, self.b, self.activation
        if type(w) is not list:
            w = [*w]
        if w != self._w:  # the list was replaced or changed since the last call
            self._vector, self._w = Vector(w), [*w]
        if type(x) is not Vector or len(x._x) != len(w):
            x = sample(self, x, len(w))
        z = dot(self._vector, x, 0.0 if b is None else b)
        if type(z) is not Traced:  # a recording for the compiler is nobody's last call
            self._z = z
        if activation is IDENTITY:
            return z
        return activation.function(z, self.slope) if activation is PRELU else activation.function(z)

    _w: Sequence[Any] = ()
    _vector = Vector(())  # the weights, wrapped once for all calls: their gradients are gathered in one list

    @property
    def z(self) -> Any:
        """The preactivation of the last call, as a node of its graph."""
        if "_z" not in vars(self):
            raise AttributeError(f"{self._named()} has a z once it has been called")
        return self._z

    def explain(self, x: Any) -> str:
        """The computation for x, written out: each product, the sum z, the output. It records nothing.

        >>> neuron = Neuron(3, activation="sigmoid")
        >>> for w, start in zip(neuron.w, [0.4, -0.6, 0.9]):
        ...     w.data = start
        >>> neuron.b.data = 0.1
        >>> print(neuron.explain([0.5, 0.8, 0.2]))
        SigmoidNeuron(3)
          w[0] * x[0] =  0.4 * 0.5 =  0.2
          w[1] * x[1] = -0.6 * 0.8 = -0.48
          w[2] * x[2] =  0.9 * 0.2 =  0.18
          b                        =  0.1
          z = 0.1 + 0.2 - 0.48 + 0.18 = 0 (8.3e-17 in floats)
          out = sigmoid(z) = 0.5
        """
        xs = [float(v) for v in sample(self, x, len(self.w))]
        ws = [float(w) for w in self.w]
        terms = [w * v for w, v in zip(ws, xs, strict=True)]
        rows = [(f"w[{i}] * x[{i}]", short(w), short(v)) for i, (w, v) in enumerate(zip(ws, xs, strict=True))]
        a, b, c = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            f"  {name:{a}} = {w:>{b}} * {v:>{c}} = {term: .6g}"
            for (name, w, v), term in zip(rows, terms, strict=True)
        ]
        if self.b is not None:
            terms.insert(0, float(self.b))
            lines.append(f"  {'b':{a + b + c + 6}} = {terms[0]: .6g}")
        with no_grad():
            z = float(dot(ws, xs, terms[0] if self.b is not None else 0.0))
            out = float(self.activation.function(z, *([self.slope] if self.activation is PRELU else [])))
        total = short(terms[0]) + "".join(f" {'-' if t < 0.0 else '+'} {short(abs(t))}" for t in terms[1:])
        remainder = 0.0 < abs(z) < 1e-14 * sum(map(abs, terms))  # of rounding
        lines.append(f"  z = {total} = {f'0 ({z:.2g} in floats)' if remainder else short(z)}")
        lines.append(f"  out = {self.activation.name}(z) = {short(out)}")
        return "\n".join([repr(self), *lines])

    def __repr__(self) -> str:
        name = self.activation.name
        prefix = PREFIXES.get(name) or "".join(word.capitalize() for word in name.split("_"))
        return f"{prefix}{type(self).__name__}({len(self.w)}{'' if self.b is not None else ', bias=False'})"

    def _title(self) -> str:
        return f"{type(self).__name__}({len(self.w)})"

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without the last call's graph."""
        return {name: x for name, x in super().__getstate__().items() if name not in ("_z", "_w", "_vector")}


IDENTITY, PRELU = activations.get("identity"), activations.get("prelu")
PREFIXES = {"relu": "ReLU", "identity": "Linear"}  # as micrograd writes them


def chosen(activation: Any, nonlin: bool) -> Any:
    """The activation that the keywords ask for."""
    if activation is None:
        return activations.get("relu" if nonlin else "identity")
    if not nonlin:
        raise ValueError(
            f"nonlin=False asks for a linear neuron. Received: activation={activation!r} with it"
        )
    return activations.get(activation)


def short(number: float) -> str:
    return f"{number:.6g}"


def first_weights(start: Any, activation: Any, shape: tuple[int, int], rng: Any) -> list[list[float]]:
    """The rows of weights of `shape[0]` neurons: as told, or as suits the activation, or as micrograd has them."""
    if start is None:
        start = "uniform" if activation is None else activations.get(activation).init
    rows: list[list[float]] = weights(start, shape, rng).tolist()
    return rows


# The layer --------------------------------------------------------------------------------------------------------


class Layer(Module):
    """Neurons that read the same inputs: nin numbers in, nout out; a single output comes bare, not in a list.

    Keywords are those of `Neuron`, and the weights are initialised together, as one matrix (nout, nin). The
    activation may also be one of vectors, as "softmax", of all the neurons' z together.

    >>> Layer(2, 2, init="ones", nonlin=False)([1.0, 2.0])
    [Value(data=3.0), Value(data=3.0)]
    >>> Layer(2, 3, activation="tanh")
    Layer of [TanhNeuron(2), TanhNeuron(2), TanhNeuron(2)]
    """

    level = "layer"

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Any = None,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        name = type(self).__name__
        nin, nout = size(name, "nin", nin), size(name, "nout", nout)
        self.label = label
        kind = chosen(activation, nonlin)
        self.activation = kind if kind.vector else None
        own = "identity" if kind.vector else activation
        self.neurons = [
            Neuron(nin, nonlin, activation=own, bias=bias, init=lambda *_, row=row: [row])
            for row in first_weights(init, activation, (nout, nin), rng)
        ]

    def __call__(self, x: Any) -> Any:
        neurons = self.neurons
        x = sample(self, x, len(neurons[0].w))
        out = [neuron(x) for neuron in neurons]
        if self.activation is not None:
            out = self.activation.function(out)
        return out[0] if isinstance(out, list) and len(out) == 1 else out

    def _title(self) -> str:
        return f"{type(self).__name__}({len(self.neurons[0].w)}, {len(self.neurons)})"


# The network ------------------------------------------------------------------------------------------------------


class MLP(Module):
    """A multilayer perceptron: each layer reads the outputs of the one before, `nouts` are their sizes.

    `activation` is that of the hidden layers, `output_activation` of the last; by default ReLU, and linear. Where
    either is given, each layer's weights begin as suits its own, or all as `init` says. One `rng` serves all layers.
    (D. Rumelhart, G. Hinton, R. Williams, 1986.)

    >>> MLP(2, [4, 1])
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(4)]]
    >>> net = MLP(2, [4, 3], activation="tanh", output_activation="softmax", rng=0)
    >>> round(sum(p.data for p in net([0.5, -0.5])), 12)
    1.0
    """

    def __init__(
        self,
        nin: int,
        nouts: Iterable[int],
        *,
        activation: Any = None,
        output_activation: Any = None,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        name = type(self).__name__
        if not is_list(nouts):
            raise TypeError(
                f"{name} needs a list of layer sizes. Received: {nouts!r} ({type(nouts).__name__})"
            )
        sizes = [size(name, "nin", nin), *(size(name, f"nouts[{i}]", n) for i, n in enumerate(nouts))]
        if len(sizes) < 2:
            raise ValueError(f"{name} needs at least one layer. Received: nouts=[]")
        self.label = label
        rng, last = generator(rng), len(sizes) - 2
        suited = activation is not None or output_activation is not None
        for given in (activation, output_activation):
            if given is not None:
                activations.get(given)  # an unknown name is an error also where no hidden layer uses it
        inside, outside = (activation or "relu", output_activation or "identity") if suited else (None, None)
        self.layers: list[Any] = [
            Layer(
                n,
                m,
                i < last or suited,
                activation=inside if i < last else outside,
                bias=bias,
                init=init,
                rng=rng,
            )
            for i, (n, m) in enumerate(pairwise(sizes))
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def _title(self) -> str:
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        sizes = [len(layer.neurons) for layer in layers]
        return f"{type(self).__name__}({len(layers[0].neurons[0].w) if layers else ''}, {sizes})"


# Before backpropagation -------------------------------------------------------------------------------------------


class McCullochPitts(Module):
    """The first artificial neuron: inputs and output are 0 or 1, all weights are equal and none is learned.

        out = 1 if no inhibitory input is on and at least `threshold` excitatory ones are, else 0

    A single inhibitory input vetoes. Of the inputs the first `excitatory` excite, the others inhibit. Numbers give
    an int; Values give a Value, which can be drawn. (W. McCulloch and W. Pitts, 1943)

    >>> both = McCullochPitts(excitatory=2, threshold=2)
    >>> [both([a, b]) for a in (0, 1) for b in (0, 1)]
    [0, 0, 0, 1]
    >>> not_ = McCullochPitts(inhibitory=1, threshold=0)
    >>> not_([0]), not_([1])
    (1, 0)
    """

    level = "neuron"

    def __init__(
        self, excitatory: int = 0, inhibitory: int = 0, threshold: int = 1, *, label: str = ""
    ) -> None:
        counts = (("excitatory", excitatory), ("inhibitory", inhibitory), ("threshold", threshold))
        for name, n in counts:
            if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
                raise TypeError(
                    f"McCullochPitts needs an int as {name}. Received: {n!r} ({type(n).__name__})"
                )
            if n < 0 and name != "threshold":
                raise ValueError(f"McCullochPitts needs {name} to be at least 0. Received: {name}={n}")
        size("McCullochPitts", "the number of inputs", excitatory + inhibitory)
        self.excitatory, self.inhibitory, self.threshold = int(excitatory), int(inhibitory), int(threshold)
        self.label = label

    def __call__(self, x: Any) -> Any:
        xs = tuple(sample(self, x, self.excitatory + self.inhibitory))
        for v in xs:
            if activations.known(v) and float(v) not in (0.0, 1.0):
                raise ValueError(f"{self._named()} needs inputs that are 0 or 1. Received: {float(v):g}.")
        excited = ops.step(ops.sum_(xs[: self.excitatory]), float(self.threshold))
        out = excited * (1.0 - ops.step(ops.sum_(xs[self.excitatory :]), 1.0)) if self.inhibitory else excited
        return out if isinstance(out, Value) else int(out)

    def _title(self) -> str:
        return (
            f"{type(self).__name__}(excitatory={self.excitatory}, inhibitory={self.inhibitory},"
            f" threshold={self.threshold})"
        )


class Fit(NamedTuple):
    """What a perceptron's `fit` reports."""

    converged: bool  # whether the last epoch was free of mistakes
    mistakes: list[int]  # in each epoch

    @property
    def epochs(self) -> int:
        """How many were needed, the last one, without a mistake, included."""
        return len(self.mistakes)

    @property
    def total(self) -> int:
        """All mistakes: the number of corrections of the weights."""
        return sum(self.mistakes)


class Perceptron(Neuron):
    """A neuron with a step for its activation that learns from its mistakes (F. Rosenblatt, 1958):

        out = 1 if b + w . x >= 0 else the other label, 0 or -1        at a mistake, y = +-1:  w += y x,  b += y

    Weights begin at 0. If some (w, b) of length 1 separates the two classes with a margin gamma, y (b + w . x) >=
    gamma, and no (x, 1) is longer than R, then there are at most (R / gamma)^2 mistakes, in whatever order the samples
    come (A. Novikoff, 1962). If none does, as for exclusive or, it never comes to rest, and `fit` says so.

    >>> perceptron = Perceptron(2)
    >>> perceptron.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    Fit(converged=True, mistakes=[2, 3, 3, 2, 1, 0])
    >>> [int(perceptron(x)) for x in ([0, 0], [0, 1], [1, 0], [1, 1])]
    [0, 0, 0, 1]
    """

    def __init__(self, nin: int, *, label: str = "") -> None:
        super().__init__(nin, activation="step", init="zeros", label=label)
        self.negative = 0  # the label of the class that is not 1: 0, or -1 once `fit` has seen it

    def __call__(self, x: Any) -> Any:
        out = super().__call__(x)
        return 2.0 * out - 1.0 if self.negative else out

    def fit(self, X: Iterable[Any], y: Iterable[Any], epochs: int = 100) -> Fit:
        """Learn from zero weights, sample after sample, until an epoch passes without a mistake, or `epochs` have.

        X: samples of nin numbers. y: their labels, all 0 or 1, or all -1 or 1.
        """
        name, nin, epochs = self._named(), len(self.w), size("fit", "epochs", epochs)
        samples = [[float(v) for v in sample(self, x, nin)] for x in entries(name, "samples as X", X)]
        labels = [float(label) for label in scalars(self, y, "labels as")]
        if len(samples) != len(labels) or not samples:
            raise ValueError(
                f"{name} needs a label for each sample, and one sample at least."
                f" Received: {len(samples)} samples, {len(labels)} labels."
            )
        kinds = set(labels)
        if not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
            shown = ", ".join(f"{label:g}" for label in sorted(kinds)[:5])
            raise ValueError(f"{name} needs labels that are 0 or 1, or -1 or 1. Received: {shown}.")
        if any(not math.isfinite(v) for x in samples for v in x):
            raise ValueError(f"{name} needs finite numbers to learn from. Received: nan or inf among them.")
        mistakes: list[int] = []
        w, b = [0.0] * nin, 0.0
        while len(mistakes) < epochs and mistakes[-1:] != [0]:
            mistakes.append(0)
            for x, label in zip(samples, labels, strict=True):
                wanted = 1.0 if label == 1.0 else -1.0
                found = 1.0 if b + sum(map(operator.mul, w, x)) >= 0.0 else -1.0
                if found != wanted:
                    w, b = [wi + wanted * xi for wi, xi in zip(w, x, strict=True)], b + wanted
                    mistakes[-1] += 1
        self.negative = -1 if -1.0 in kinds else 0
        for parameter, learned in zip((*self.w, self.b), (*w, b), strict=True):
            parameter.data = learned
        return Fit(mistakes[-1] == 0, mistakes)
