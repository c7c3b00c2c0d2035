"""Convolution and pooling: neurons that look at one window of a signal or an image after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd.context import current
from autograd.ops import largest, mean
from autograd.value import Constant, Value
from autograd.vector import Vector

from . import activations
from .checks import shape, size
from .init import generator, weights
from .module import Module, grid, nested, scalars
from .neuron import Neuron

# Convolution ------------------------------------------------------------------------------------------------------


class Convolution(Module):
    """What `Conv1d` and `Conv2d` have in common: each filter is one Neuron, which reads every window.

    The weights of a filter stand in the order of PyTorch's: `np.reshape(filter.w, (channels_in // groups, *kernel))`.
    """

    level = "layer"
    axes = 2  # of the windows: 1 for a signal, 2 for an image

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        *,
        activation: Any = "identity",
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        name = type(self).__name__
        self.channels_in = size(name, "channels_in", channels_in)
        self.channels_out = size(name, "channels_out", channels_out)
        owner = f"{name}({channels_in}, {channels_out})"
        self.kernel = each_axis(owner, "kernel", kernel, self.axes)
        self.stride = each_axis(owner, "stride", stride, self.axes)
        self.dilation = each_axis(owner, "dilation", dilation, self.axes)
        same = isinstance(padding, str) and padding == "same"
        self.padding = padding if same else each_axis(owner, "padding", padding, self.axes, least=0)
        if same and max(self.stride) > 1:
            raise ValueError(f"{owner} needs stride 1 for padding='same'. Received: stride={stride}")
        self.groups = size(owner, "groups", groups)
        if channels_in % groups or channels_out % groups:
            raise ValueError(f"{owner} needs channels that groups divides. Received: groups={groups}")
        kind = activations.get(activation)
        if kind.vector:
            raise ValueError(f"{owner} needs an activation of one number. Received: {kind.name}, of a vector")
        self.label = label
        shape = (self.channels_out, self.channels_in // self.groups, *self.kernel)
        first = weights(kind.init if init is None else init, shape, generator(rng))
        self.filters: list[Any] = [
            Neuron(math.prod(shape[1:]), activation=kind, bias=bias, init=lambda *_, row=row: [row])
            for row in first.reshape(self.channels_out, -1).tolist()
        ]

    def __call__(self, x: Any) -> Any:
        windows, share = self.windows(x), len(self.filters) // self.groups
        out = np.empty((len(self.filters), *windows.shape[1:-1]), dtype=object)
        for group, *place in np.ndindex(windows.shape[:-1]):
            window = Vector(windows[(group, *place)], fixed=not current().tracer)  # its filters share it
            for c in range(group * share, (group + 1) * share):
                out[(c, *place)] = self.filters[c](window)
        return out

    def windows(self, x: Any) -> Any:
        """What the filters of each group read at each place: an array (groups, *places, size of a window)."""
        image = grid(self, x, (self.channels_in, *[None] * self.axes))
        values = isinstance(image.flat[0], Value) and not current().tracer
        beyond = Constant(0.0) if values else 0.0  # `dot` is slow where numbers and Values are mixed
        padded = pad(image, self.around(), beyond)
        return slide(self, padded, self.groups, self.kernel, self.stride, self.dilation)

    def around(self) -> list[tuple[int, int]]:
        """How much padding stands before and after, along each axis."""
        if self.padding != "same":
            return [(p, p) for p in self.padding]
        more = [(k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True)]
        return [(n // 2, n - n // 2) for n in more]

    def _title(self) -> str:
        settings = {
            "kernel": (short(self.kernel), None),
            "stride": (short(self.stride), 1),
            "padding": (repr("same") if self.padding == "same" else short(self.padding), 0),
            "dilation": (short(self.dilation), 1),
            "groups": (self.groups, 1),
        }
        shown = "".join(f", {name}={n}" for name, (n, usual) in settings.items() if n != usual)
        return f"{type(self).__name__}({self.channels_in}, {self.channels_out}{shown})"


class Conv1d(Convolution):
    """A convolution along signals of several channels, such as sound or the steps of a sequence:

        out[c, i] = activation(b_c + sum over d, k of w_c[d, k] x[d, i stride + k dilation])

    x: a signal (channels_in, length); out: an array (channels_out, places) of Values, where places is
    (length + 2 padding - (kernel - 1) dilation - 1) // stride + 1. All else is as in `Conv2d`. (The time-delay network
    of A. Waibel et al., 1989.)

    >>> difference = Conv1d(1, 1, 2, init=lambda shape, rng: [[[-1.0, 1.0]]])
    >>> [float(v) for v in difference([[1.0, 2.0, 4.0, 8.0]])[0]]
    [1.0, 2.0, 4.0]
    """

    axes = 1


class Conv2d(Convolution):
    """A convolution over images: each output channel is one neuron, its filter, which reads every window of the image.

        out[c, i, j] = filter_c(window at i, j)
                     = activation(b_c + sum over d, k, m of w_c[d, k, m] x[d, i s + k t, j s + m t])

    with stride s and dilation t. As one filter serves all places, a pattern is found wherever it stands, and when the
    image moves the output moves with it (translation equivariance; exact for shifts by multiples of the stride, away
    from the padding). The gradient of a filter is the sum over all places. So there are few parameters, and a larger
    image needs no more:

        channels_out (channels_in / groups * height * width of the kernel + 1)

    kernel, stride, padding, dilation: an int, or a pair (along the height, along the width). `padding` zeros stand
    around the image; "same" puts as many as keep its size, for stride 1, the odd one after the end. `dilation` is the
    distance of neighbours within a window. With `groups` the channels are parted: each group of filters reads its own
    part of the input channels; `groups=channels_in` is a depthwise convolution. The remainder of an image that a stride
    does not reach is not read. ValueError where the image is smaller than the kernel.

    x: an image (channels_in, height, width); out: an array (channels_out, rows, columns) of Values. Other keywords are
    those of `Layer`; "prelu" learns a slope for each filter. Weights begin as suits the activation, biases at 0;
    PyTorch's both begin as U(-a, a), a = fan_in^(-1/2). Formula and order of the weights are PyTorch's, a
    cross-correlation: nothing is flipped. Keras has the channels last and pads "same" for any stride.

    Shared weights: K. Fukushima's neocognitron, 1980; by backpropagation: Y. LeCun et al., 1989; LeNet-5: 1998.

    >>> edges = Conv2d(1, 1, (1, 2), init=lambda shape, rng: [[[[-1.0, 1.0]]]])
    >>> [[float(v) for v in row] for row in edges([[[0.0, 0.0, 5.0, 5.0], [0.0, 5.0, 5.0, 5.0]]])[0]]
    [[0.0, 5.0, 0.0], [5.0, 0.0, 0.0]]
    >>> Conv2d(1, 8, 3, padding="same").count_parameters(), Conv2d(1, 8, 3, padding=1)([[[1.0] * 28] * 28]).shape
    (80, (8, 28, 28))
    """


# Pooling ----------------------------------------------------------------------------------------------------------


class Pool(Module):
    """What `MaxPool` and `AvgPool` have in common: the windows of each channel on its own."""

    level = "layer"
    beyond: Any = 0.0  # what stands around the image

    def __init__(self, size: Any = None, stride: Any = None, padding: Any = 0, *, label: str = "") -> None:
        name = type(self).__name__
        if size is None and (stride is not None or padding != 0):
            raise ValueError(
                f"{name} needs a size to have stride and padding. Received: stride={stride}, padding={padding}"
            )
        owner = f"{name}({size})"
        self.pairs = any(isinstance(n, (tuple, list)) for n in (size, stride, padding))
        self.size = None if size is None else each_axis(owner, "size", size, 2)
        self.stride = each_axis(owner, "stride", 1 if size is None else size if stride is None else stride, 2)
        self.padding = each_axis(owner, "padding", padding, 2, least=0)
        if self.size and any(2 * p > k for p, k in zip(self.padding, self.size, strict=True)):
            raise ValueError(f"{owner} needs padding of at most half its size. Received: padding={padding}")
        self.label = label

    def windows(self, x: Any) -> Any:
        """What stands in the window at each place: an array (channels, *places, size of a window)."""
        x = x if isinstance(x, np.ndarray) else nested(x)
        image = grid(self, x, (None,) * (3 if self.pairs or len(shape(x)) > 2 else 2))
        axes = image.ndim - 1
        padded = pad(image, [(p, p) for p in self.padding[:axes]], self.beyond)
        window = self.size[:axes] if self.size else image.shape[1:]
        return slide(self, padded, len(image), window, self.stride[:axes], (1,) * axes)

    def _title(self) -> str:
        shown = [] if self.size is None else [str(short(self.size))]
        shown += [f"stride={short(self.stride)}"] if self.size and self.stride != self.size else []
        shown += [f"padding={short(self.padding)}"] if any(self.padding) else []
        return f"{type(self).__name__}({', '.join(shown)})"


class MaxPool(Pool):
    """The largest number of each window, in each channel: whether a pattern was found anywhere near.

        out[c, i, j] = max over k, m of x[c, i stride + k, j stride + m]

    x: a signal (channels, length) or an image (channels, height, width); out: an array of as many axes. `size`,
    `stride` and `padding` are ints, or pairs for images; the stride is the size unless given. Without a size the window
    is the whole image, and out (channels, 1, 1), where Keras' global pooling gives (channels,). Padding counts as -inf:
    it is left out. It is at most half the size, so that every window holds a number of the image. A tie shares the
    gradient; in PyTorch one of the tied gets all. A remainder that does not fill a window is not read. (J. Weng et al.,
    1992.)

    >>> MaxPool(2)([[1.0, 3.0, 2.0, 0.0]]).tolist()
    [[3.0, 2.0]]
    """

    beyond = None

    def __call__(self, x: Any) -> Any:
        return of_each(lambda window: largest([v for v in window if v is not None]), self.windows(x))


class AvgPool(Pool):
    """The mean of each window, in each channel.

        out[c, i, j] = mean over k, m of x[c, i stride + k, j stride + m]

    Sizes and shapes are as in `MaxPool`. The zeros of the padding count, as in PyTorch; in Keras they do not. Without
    a size it is global average pooling (M. Lin et al., 2014), a way from images of any size to a vector.

    >>> AvgPool(2)([[1.0, 3.0, 2.0, 0.0]]).tolist(), AvgPool()([[1.0, 3.0, 2.0, 0.0]]).tolist()
    ([[2.0, 1.0]], [[1.5]])
    """

    def __call__(self, x: Any) -> Any:
        return of_each(mean, self.windows(x))


class Flatten(Module):
    """All numbers of an image, signal or sequence as one list: channel after channel, row after row.

    It stands between convolutions and a `Layer`. PyTorch's order; Keras, with the channels last, has another.

    >>> Flatten()([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    """

    level = "layer"

    def __call__(self, x: Any) -> list[Any]:
        return [*scalars(self, flat(self, x), "any number of")]


# Windows ----------------------------------------------------------------------------------------------------------


def pad(image: Any, padding: Sequence[tuple[int, int]], beyond: Any) -> Any:
    """The image in a larger one of `beyond`: so many before, and so many after, along each axis but the first."""
    sides = [n + before + after for n, (before, after) in zip(image.shape[1:], padding, strict=True)]
    padded = np.full((len(image), *sides), beyond, dtype=object)
    inside = [slice(p, p + n) for n, (p, _) in zip(image.shape[1:], padding, strict=True)]
    padded[(slice(None), *inside)] = image
    return padded


def slide(
    module: Module,
    image: Any,
    groups: int,
    shape: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Any:
    """The windows of that shape: [group, i, j] holds those of the group's channels at (i, j), one after the other."""
    spans = tuple([(k - 1) * d + 1 for k, d in zip(shape, dilation, strict=True)])
    if any(n < span for n, span in zip(image.shape[1:], spans, strict=True)):
        raise ValueError(
            f"{module._named()} needs an input of at least {short(spans)}, padding included."
            f" Received: {short(image.shape[1:])}."
        )
    axes = len(shape)
    views = sliding_window_view(image, spans, axis=tuple(range(1, axes + 1)))
    views = views[(slice(None), *(slice(None, None, step) for step in (*stride, *dilation)))]
    parted = views.reshape(groups, -1, *views.shape[1:])  # group, channel, place, place within the window
    parted = np.moveaxis(parted, 1, axes + 1)
    return parted.reshape(*parted.shape[: axes + 1], -1)


def of_each(f: Callable[[Any], Any], windows: Any) -> Any:
    """f of each window, as an array."""
    out = np.empty(windows.shape[:-1], dtype=object)
    for place in np.ndindex(out.shape):
        out[place] = f(windows[place])
    return out


# Settings and samples ---------------------------------------------------------------------------------------------


def each_axis(owner: str, name: str, given: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """A setting for each axis, from one int for all of them or from one for each."""
    found = tuple(given) if isinstance(given, (tuple, list)) else (given,) * axes
    for n in found:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            wanted = "an int" if axes == 1 else "an int or a pair"
            raise TypeError(f"{owner} needs {wanted} as {name}. Received: {name}={given!r}")
    if len(found) != axes:
        raise ValueError(
            f"{owner} needs {name} for {axes} {'axis' if axes == 1 else 'axes'}. Received: {name}={given!r}"
        )
    if min(found) < least:
        raise ValueError(f"{owner} needs {name} to be at least {least}. Received: {name}={given!r}")
    return tuple([int(n) for n in found])


def short(setting: Any) -> Any:
    """As it may be given: one int where it is the same for all axes."""
    return setting[0] if len({*setting}) == 1 else setting


def flat(module: Module, x: Any) -> Any:
    """All that is in x, in order; lists side by side are of one length."""
    if isinstance(x, np.ndarray):
        return x.ravel()
    try:
        array = np.array(nested(x), dtype=object)
    except ValueError:
        array = None
    if array is None or any(isinstance(v, list) for v in array.flat):
        raise ValueError(
            f"{module._named()} needs lists of one length. Received: lists of different lengths."
        )
    return array.ravel()
