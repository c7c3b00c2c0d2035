"""Recurrence: networks that read a sequence step by step and carry a state from each step to the next.

A cell is the equation of one step, made of Layers over [x, h], the input and the last state side by side. Every step
uses the same Layers, and a Value that is used many times sums its gradients: so backpropagation through time needs no
code of its own. `RNN`, `LSTM` and `GRU` run their cells along a sequence, in several layers and in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from autograd.functions import tanh
from autograd.ops import where
from autograd.value import Constant
from autograd.vector import Vector

from .activations import known
from .checks import is_list, real, share, size
from .embedding import counted, whole
from .init import generator, uniform
from .module import Module, sample, scalars, sequence
from .neuron import Layer
from .regularization import Dropout

# One step ---------------------------------------------------------------------------------------------------------


class Cell(Module):
    """What the cells have in common: their sizes, and how their inputs are checked."""

    level = "layer"

    def __init__(self, nin: int, nhidden: int, label: str) -> None:
        name = type(self).__name__
        self.nin, self.nhidden, self.label = size(name, "nin", nin), size(name, "nhidden", nhidden), label

    def both(self, x: Any, h: Any) -> Vector:
        """[x, h], wrapped once for all Layers that read it."""
        return sample(self, (*sample(self, x, self.nin), *h), self.nin + self.nhidden)

    def state(self, given: Any) -> Any:
        """The state that was given, checked; zeros for None."""
        if given is None:
            return [0.0] * self.nhidden
        h = list(scalars(self, given, f"a state of {self.nhidden}"))
        if len(h) != self.nhidden:
            raise ValueError(f"{self._named()} needs a state of {self.nhidden} numbers. Received: {len(h)}.")
        return h

    def _title(self) -> str:
        return f"{type(self).__name__}({self.nin}, {self.nhidden})"


def layers_of(nhidden: int, bias: bool, init: Any, rng: Any) -> Callable[..., Layer]:
    """What makes the Layers of a cell: each has nhidden neurons, and one generator serves them all."""
    a = size("a cell", "nhidden", nhidden) ** -0.5
    init = partial(uniform, low=-a, high=a) if init is None else init
    return partial(Layer, nout=nhidden, bias=bias, init=init, rng=generator(rng))


def listed(out: Any) -> list[Any]:
    """What a Layer returned, as a list also where it is a single number."""
    return out if isinstance(out, list) else [out]


def pair(module: Module, given: Any) -> tuple[Any, Any]:
    """The two parts of an LSTM's state."""
    parts = list(given) if is_list(given) else []
    if len(parts) != 2:
        what = f"{len(parts)} parts" if is_list(given) else type(given).__name__
        raise ValueError(f"{module._named()} needs a state (h, c). Received: {what}.")
    return parts[0], parts[1]


class RNNCell(Cell):
    """A step of a simple recurrent network: a Layer that reads its own last output beside the input.

        h' = activation(W [x, h] + b)

    `cell(x, h)`, of nin and nhidden numbers, gives h'; without h it begins at 0. PyTorch has two biases, b_ih and b_hh,
    of which only the sum counts: that is b. `bias=False` leaves it out.

    Weights begin as U(-a, a), a = nhidden^(-1/2), as in PyTorch: so whatever the size, the sum over h has a third of
    the mean square of a state, and states do not grow. Biases begin at 0; PyTorch draws them as the weights. `init` is
    another initialiser for W. Keras draws the weights of x by Xavier, those of h orthogonal. (J. Elman, 1990.)

    >>> cell = RNNCell(1, 2, activation="identity", init="ones")
    >>> cell([1.0], [2.0, 3.0])
    [Value(data=6.0), Value(data=6.0)]
    """

    def __init__(
        self,
        nin: int,
        nhidden: int,
        activation: Any = "tanh",
        *,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        super().__init__(nin, nhidden, label)
        layer = layers_of(nhidden, bias, init, rng)
        self.layer = layer(nin + nhidden, activation=activation)

    def __call__(self, x: Any, h: Any = None) -> Any:
        return listed(self.layer(self.both(x, self.state(h))))


class LSTMCell(Cell):
    """A step of long short-term memory: a store c, and gates that say what it takes in, keeps and shows.

        i = sigmoid(W_i [x, h] + b_i)    input gate          g = tanh(W_g [x, h] + b_g)    candidate
        f = sigmoid(W_f [x, h] + b_f)    forget gate         c' = f c + i g
        o = sigmoid(W_o [x, h] + b_o)    output gate         h' = o tanh(c')

    Where f is near 1, the gradient runs back along c undiminished. `cell(x, (h, c))` gives (h', c'); without a state
    both begin at 0. `forget_bias` is what b_f begins at: 0 as all biases, or 1, Keras' default, with which it remembers
    from the start, often to its advantage (R. Jozefowicz et al., 2015). What `RNNCell` says of weights and biases holds
    here too. (S. Hochreiter, J. Schmidhuber, 1997; the forget gate: F. Gers et al., 2000.)

    >>> h, c = LSTMCell(1, 1, init="zeros")([5.0], ([0.0], [2.0]))
    >>> c
    [Value(data=1.0)]
    """

    def __init__(
        self,
        nin: int,
        nhidden: int,
        *,
        forget_bias: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        super().__init__(nin, nhidden, label)
        layer = layers_of(nhidden, bias, init, rng)
        self.input = layer(nin + nhidden, activation="sigmoid")
        self.forget = layer(nin + nhidden, activation="sigmoid")
        self.output = layer(nin + nhidden, activation="sigmoid")
        self.candidate = layer(nin + nhidden, activation="tanh")
        self.begin(self.forget, real("LSTMCell", "forget_bias", forget_bias))

    def __call__(self, x: Any, state: Any = None) -> Any:
        h, c = self.state(state)
        x = self.both(x, h)
        i, f, o, g = (listed(layer(x)) for layer in (self.input, self.forget, self.output, self.candidate))
        c = [f * c + i * g for f, c, i, g in zip(f, c, i, g, strict=True)]
        h = [o * tanh(c) for o, c in zip(o, c, strict=True)]
        return h, c

    def begin(self, gate: Layer, bias: float) -> None:
        for neuron in gate.neurons if bias else ():
            if neuron.b is None:
                raise ValueError(
                    f"{self._title()} needs biases to begin one. Received: forget_bias={bias:g}, bias=False."
                )
            neuron.b.data = bias

    def state(self, given: Any) -> Any:
        h, c = (None, None) if given is None else pair(self, given)
        return super().state(h), super().state(c)


class GRUCell(Cell):
    """A step of a gated recurrent unit: one gate mixes the old state and a new one, another what the new one sees.

        r = sigmoid(W_r [x, h] + b_r)    reset gate          n = tanh(W_n x + b_n + r (U_n h + b_h))    candidate
        z = sigmoid(W_z [x, h] + b_z)    update gate         h' = (1 - z) n + z h

    `cell(x, h)` gives h'; without h it begins at 0. The candidate is made of two Layers, since r stands between them,
    and so keeps PyTorch's two biases. This is PyTorch's form and Keras' default, reset_after=True; in that of K. Cho et
    al. (2014), reset_after=False, r acts before the matrix: U_n (r h). What `RNNCell` says of weights and of the gates'
    biases holds here too. (K. Cho et al., 2014; J. Chung et al., 2014.)

    >>> GRUCell(1, 1, init="zeros")([5.0], [2.0])
    [Value(data=1.0)]
    """

    def __init__(
        self, nin: int, nhidden: int, *, bias: bool = True, init: Any = None, rng: Any = None, label: str = ""
    ) -> None:
        super().__init__(nin, nhidden, label)
        layer = layers_of(nhidden, bias, init, rng)
        self.reset = layer(nin + nhidden, activation="sigmoid")
        self.update = layer(nin + nhidden, activation="sigmoid")
        self.candidate = layer(nin, activation="identity")
        self.memory = layer(nhidden, activation="identity")

    def __call__(self, x: Any, h: Any = None) -> Any:
        x, h = sample(self, x, self.nin), self.state(h)
        both = self.both(x, h)
        r, z = listed(self.reset(both)), listed(self.update(both))
        new, old = listed(self.candidate(x)), listed(self.memory(h))
        n = [tanh(a + r * b) for a, r, b in zip(new, r, old, strict=True)]
        return [(1.0 - z) * n + z * h for z, n, h in zip(z, n, h, strict=True)]


# A sequence -------------------------------------------------------------------------------------------------------


class Recurrent(Module):
    """What `RNN`, `LSTM` and `GRU` have in common: cells along a sequence.

    `cells` are those of the layers from the first to the last; with two directions, forwards and backwards for each.
    `cell` makes one, of so many inputs.
    """

    def __init__(
        self,
        cell: Callable[..., Cell],
        nin: int,
        nhidden: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
        rng: Any,
        label: str,
    ) -> None:
        name, rng = type(self).__name__, generator(rng)
        self.nin, self.nhidden = size(name, "nin", nin), size(name, "nhidden", nhidden)
        self.layers, self.directions = size(name, "layers", layers), 2 if bidirectional else 1
        self.label, dropout = label, share(name, "dropout", dropout)
        widths = [self.nin, *[self.directions * self.nhidden] * (self.layers - 1)]
        self.cells: list[Any] = [cell(n, nhidden, rng=rng) for n in widths for _ in range(self.directions)]
        self.dropout = Dropout(dropout, rng=rng) if dropout else None
        if dropout and self.layers == 1:
            raise ValueError(
                f"{self._title()} needs 2 layers at least for dropout between them. Received: dropout={dropout:g}."
            )

    def __call__(self, xs: Any, state: Any = None, length: Any = None) -> Any:
        xs = sequence(self, xs, self.nin)
        counts = self.counts(length, len(xs))
        xs = [chosen(c, x, [0.0] * self.nin) for c, x in zip(counts, xs, strict=True)]  # padding may be nan
        states = self.states(state)
        for k in range(0, len(self.cells), self.directions):
            if k and self.dropout:
                xs = [self.dropout(x) for x in xs]
            layer = slice(k, k + self.directions)
            xs, states[layer] = both_ways(self.cells[layer], xs, states[layer], counts)
        return xs, self.final(states)

    def counts(self, length: Any, n: int) -> list[Any]:
        """Of each of n steps, whether it counts: True or False; or, where the length is recorded, 1 or 0."""
        if length is None:
            return [True] * n
        if not known(length):
            return counted(length, n)
        steps = whole(length)
        if steps is None:
            raise TypeError(
                f"{self._named()} needs an int as length. Received: {length!r} ({type(length).__name__})."
            )
        if not 0 <= steps <= n:
            raise ValueError(
                f"{self._named()} needs a length from 0 to {n}, the number of steps. Received: {steps}."
            )
        return [t < steps for t in range(n)]

    def states(self, given: Any) -> list[Any]:
        """The first state of each cell."""
        if given is None:
            return [cell.state(None) for cell in self.cells]
        return [cell.state(h) for cell, h in zip(self.cells, self.for_each_cell(given), strict=True)]

    def for_each_cell(self, given: Any) -> list[Any]:
        if not is_list(given):
            raise TypeError(
                f"{self._named()} needs a list of states, one for each cell. Received: {type(given).__name__}."
            )
        found = list(given)
        if len(found) != len(self.cells):
            raise ValueError(
                f"{self._named()} needs a list of states, one for each cell, {len(self.cells)} in all."
                f" Received: {len(found)}."
            )
        return found

    def final(self, states: list[Any]) -> Any:
        """The last state of each cell, as it is returned."""
        return states

    def _title(self) -> str:
        layers = f", layers={self.layers}" if self.layers > 1 else ""
        both = ", bidirectional=True" if self.directions > 1 else ""
        return f"{type(self).__name__}({self.nin}, {self.nhidden}{layers}{both})"


def run(cell: Cell, xs: Sequence[Any], state: Any, counts: Sequence[Any]) -> tuple[list[Any], Any]:
    """What a cell shows after each step, and its last state. A step that does not count shows zeros."""
    shown = []
    for x, c in zip(xs, counts, strict=True):
        if c is not False:
            state = chosen(c, cell(x, state), state)
        shown.append(chosen(c, hidden(state), [Constant(0.0)] * cell.nhidden))
    return shown, state


def both_ways(
    cells: Sequence[Cell], xs: Sequence[Any], states: Sequence[Any], counts: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """One cell forwards, and the other, if there is one, backwards: what they show side by side, and their last states.
    Backwards, steps that do not count come first, and the state waits for the first one that does."""
    shown, last = run(cells[0], xs, states[0], counts)
    if len(cells) == 1:
        return shown, [last]
    back, first = run(cells[1], xs[::-1], states[1], counts[::-1])
    return [[*f, *b] for f, b in zip(shown, back[::-1], strict=True)], [last, first]


def chosen(counts: Any, new: Any, old: Any) -> Any:
    """new where a step counts, else old: one of the two, or, recorded, both, of which the program chooses."""
    if isinstance(counts, bool):
        return new if counts else old
    if isinstance(new, tuple):
        return tuple(chosen(counts, a, b) for a, b in zip(new, old, strict=True))
    return [where(counts, a, b) for a, b in zip(new, old, strict=True)]


def hidden(state: Any) -> Any:
    """What a state shows: h, of h or (h, c)."""
    return state[0] if isinstance(state, tuple) else state


class RNN(Recurrent):
    """A simple recurrent network: at each step a Layer reads the input and its own last output.

        h[t] = tanh(W [x[t], h[t-1]] + b)

    `outputs, state = rnn(xs)`: of a list of vectors of nin numbers, the list of h[t], each of nhidden, and the last
    states, a list with one for each cell. With more `layers` each reads the outputs of the one before, and the outputs
    are those of the last. `bidirectional`: a second cell of each layer runs from the end to the start, and an output is
    both cells' h[t], one after the other (M. Schuster, K. Paliwal, 1997). States stand as in PyTorch, those of the
    first layer first, forwards before backwards; `rnn(xs, state)` begins with those given, else with zeros.

    `length` says how many steps count, where sequences are padded at their end to one length: an int from 0 to the
    number of steps, or, in a function that is being compiled, an integer input, so that each sample of a batch has its
    own. Afterwards the state stays as it is and outputs are 0; backwards, it begins at the last step that counts: as
    with PyTorch's packed sequences.

    `dropout`: the probability with which, in training, an output of any layer but the last is set to 0 (see `Dropout`).
    Other keywords are those of `RNNCell`. (J. Elman, 1990.)

    >>> outputs, state = RNN(1, 1, activation="identity", init="ones")([[1.0], [2.0], [3.0]])
    >>> [float(h[0]) for h in outputs], float(state[0][0])
    ([1.0, 3.0, 6.0], 6.0)
    """

    def __init__(
        self,
        nin: int,
        nhidden: int,
        layers: int = 1,
        bidirectional: bool = False,
        *,
        activation: Any = "tanh",
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        cell = partial(RNNCell, activation=activation, bias=bias, init=init)
        super().__init__(cell, nin, nhidden, layers, bidirectional, dropout, rng, label)


class LSTM(Recurrent):
    """Long short-term memory along a sequence: an `RNN` of `LSTMCell`s, called likewise.

    `outputs, (h, c) = lstm(xs)`: h and c are lists with one entry for each cell, and `lstm(xs, (h, c))` begins with
    such. `forget_bias` is what the forget gates' biases begin at. (S. Hochreiter, J. Schmidhuber, 1997.)

    >>> outputs, (h, c) = LSTM(1, 2, layers=2, bidirectional=True, rng=0)([[1.0], [2.0], [3.0]])
    >>> len(outputs), len(outputs[0]), len(h), len(c[0])
    (3, 4, 4, 2)
    """

    def __init__(
        self,
        nin: int,
        nhidden: int,
        layers: int = 1,
        bidirectional: bool = False,
        *,
        forget_bias: float = 0.0,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        cell = partial(LSTMCell, forget_bias=forget_bias, bias=bias, init=init)
        super().__init__(cell, nin, nhidden, layers, bidirectional, dropout, rng, label)

    def states(self, given: Any) -> list[Any]:
        """From (h, c), two lists, to a list of pairs."""
        if given is None:
            return super().states(None)
        return super().states(list(zip(*map(self.for_each_cell, pair(self, given)), strict=True)))

    def final(self, states: list[Any]) -> Any:
        return tuple(map(list, zip(*states, strict=True)))


class GRU(Recurrent):
    """Gated recurrent units along a sequence: an `RNN` of `GRUCell`s, called likewise. (K. Cho et al., 2014.)

    >>> gru = GRU(2, 3, rng=0)
    >>> outputs, state = gru([[1.0, 0.0], [0.0, 1.0]], length=1)
    >>> outputs[0] == state[0], [float(v) for v in outputs[1]]
    (True, [0.0, 0.0, 0.0])
    """

    def __init__(
        self,
        nin: int,
        nhidden: int,
        layers: int = 1,
        bidirectional: bool = False,
        *,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        cell = partial(GRUCell, bias=bias, init=init)
        super().__init__(cell, nin, nhidden, layers, bidirectional, dropout, rng, label)
