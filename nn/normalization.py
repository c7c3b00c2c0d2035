"""Normalisation: numbers of one scale, of the inputs before training, and of what layers hand on during it.

`Standardize` and `MinMax` are fitted once to the training data. `LayerNorm` and `RMSNorm` look at one sample at a
time, `BatchNorm` at all samples of a batch together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd.compiler.traced import batch_count, batch_mean, remember
from autograd.context import current
from autograd.ops import maximum, mean
from autograd.value import Constant, Value

from .checks import entries, nonnegative, shape, share, size
from .module import Module, grid, nested, sample, scalars, wrong_size

# Of inputs --------------------------------------------------------------------------------------------------------


class Scaling(Module):
    """What `Standardize` and `MinMax` have in common: (x - shift) / scale for each feature, fitted, not learned.

    A sample gives a list; an array, of one sample or of a row for each, gives an array.
    """

    level = "layer"
    buffers = ("shift", "scale")

    def __init__(self, shift: Iterable[Any], scale: Iterable[Any], label: str = "") -> None:
        self.label = label
        self.shift, self.scale = [Constant(v) for v in shift], [Constant(v) for v in scale]

    def __call__(self, x: Any) -> Any:
        table = isinstance(x, np.ndarray) and x.ndim > 0 and x.dtype.kind in "biuf"
        xs = x if table else scalars(self, x, len(self.shift))
        n = x.shape[-1] if table else len(xs)
        if n != len(self.shift):
            raise wrong_size(self, len(self.shift), n)
        if table:
            return (x - np.array(numbers(self.shift))) / np.array(numbers(self.scale))
        values = current().tracer or isinstance(xs[0], Value)
        shift, scale = (self.shift, self.scale) if values else (numbers(self.shift), numbers(self.scale))
        return [(v - a) / b for v, a, b in zip(xs, shift, scale, strict=True)]

    def _title(self) -> str:
        return f"{type(self).__name__}({len(self.shift)})"


def numbers(values: Iterable[Value]) -> list[float]:
    return [v.data for v in values]


def table_of(name: str, X: Any) -> Any:
    """The data X as an array, a row for each sample."""
    try:
        rows = [np.asarray(x, dtype=float) for x in entries(name, "rows", X)]
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} needs a table, a row of numbers for each sample. Received: {error}"
        ) from None
    sizes = {row.shape for row in rows}
    if len(sizes) != 1 or rows[0].ndim != 1 or not rows[0].size:
        raise ValueError(
            f"{name} needs a table, a row of numbers for each sample."
            f" Received: {len(rows)} rows, of shape {', '.join(map(str, sorted(sizes))) or '()'}."
        )
    data = np.array(rows)
    if not np.isfinite(data).all():
        raise ValueError(f"{name} needs finite numbers. Received: nan or inf among them.")
    return data


def two_lists(
    module: Module, first: Any, second: Any, names: tuple[str, str]
) -> tuple[list[float], list[float]]:
    """Two lists with a finite number for each feature."""
    pairs = zip((first, second), names, strict=True)
    a, b = ([float(v) for v in scalars(module, xs, f"{what} as")] for xs, what in pairs)
    name = type(module).__name__
    if len(a) != len(b) or not a:
        raise ValueError(
            f"{name} needs {names[0]} and {names[1]}, one for each feature."
            f" Received: {len(a)} {names[0]}, {len(b)} {names[1]}."
        )
    if not np.isfinite([*a, *b]).all():
        raise ValueError(f"{name} needs finite {names[0]} and {names[1]}. Received: {a} and {b}.")
    return a, b


class Standardize(Scaling):
    """(x - mean) / std for each feature, so that the data it was fitted to have mean 0 and standard deviation 1.

    Fit it to the training part alone: the other parts must stay unseen. A deviation of 0, of a feature that never
    changes, counts as 1. `std` divides by n, not n - 1. Mean and deviation are plain numbers; nothing is learned.
    A sample gives a list; an array, of one sample or of a row for each, gives an array.

    >>> scale = Standardize.fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scale([3.0, 5.0]), scale.mean, scale.std
    ([1.0, 0.0], [2.0, 5.0], [1.0, 1.0])
    """

    def __init__(self, mean: Iterable[Any], std: Iterable[Any], *, label: str = "") -> None:
        super().__init__([], [])  # so that an error below knows the size
        means, deviations = two_lists(self, mean, std, ("means", "deviations"))
        if min(deviations) < 0.0:
            raise ValueError(
                f"Standardize needs deviations not below 0. Received: mean={means}, std={deviations}."
            )
        super().__init__(means, [s or 1.0 for s in deviations], label)

    @classmethod
    def fit(cls, X: Any) -> Standardize:
        """The one for the data X, a row for each sample."""
        data = table_of("Standardize.fit", X)
        changes = data.max(axis=0) > data.min(
            axis=0
        )  # of a constant, rounding may leave a deviation of 1e-17
        return cls(data.mean(axis=0), np.where(changes, data.std(axis=0), 0.0))

    @property
    def mean(self) -> list[float]:
        return numbers(self.shift)

    @property
    def std(self) -> list[float]:
        return numbers(self.scale)


class MinMax(Scaling):
    """(x - low) / (high - low) for each feature, so that the data it was fitted to lie between 0 and 1.

    As `Standardize`, to be fitted to the training part alone; what lies beyond it then lies beyond 0 and 1. A feature
    that never changes has the range 1. A single outlier squeezes all else together: `Standardize` suffers less.

    >>> scale = MinMax.fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scale([2.5, 5.0]), scale.low, scale.high
    ([0.75, 0.0], [1.0, 5.0], [3.0, 6.0])
    """

    def __init__(self, low: Iterable[Any], high: Iterable[Any], *, label: str = "") -> None:
        super().__init__([], [])
        lows, highs = two_lists(self, low, high, ("lows", "highs"))
        if any(b < a for a, b in zip(lows, highs, strict=True)):
            raise ValueError(f"MinMax needs each high at least its low. Received: low={lows}, high={highs}.")
        super().__init__(lows, [b - a or 1.0 for a, b in zip(lows, highs, strict=True)], label)

    @classmethod
    def fit(cls, X: Any) -> MinMax:
        """The one for the data X, a row for each sample."""
        data = table_of("MinMax.fit", X)
        return cls(data.min(axis=0), data.max(axis=0))

    @property
    def low(self) -> list[float]:
        return numbers(self.shift)

    @property
    def high(self) -> list[float]:
        return [a.data + b.data for a, b in zip(self.shift, self.scale, strict=True)]


# Of one sample ----------------------------------------------------------------------------------------------------


class LayerNorm(Module):
    """A vector moved and scaled to mean 0 and variance 1, then by a learned gain and bias for each place:

        y = gain (x - mean) / (variance + eps)^(1/2) + bias

    The variance divides by n. Gains begin at 1, biases at 0; `gain=False` and `bias=False` leave them out. It does the
    same in training and in use. (J. Ba, J. Kiros, G. Hinton, 2016.) Keras' eps is 1e-3.

    >>> [round(y.data, 4) for y in LayerNorm(2)([1.0, 5.0])]
    [-1.0, 1.0]
    """

    level = "layer"

    def __init__(
        self, width: int, eps: float = 1e-5, *, gain: bool = True, bias: bool = True, label: str = ""
    ) -> None:
        name = type(self).__name__
        self.width, self.label = size(name, "width", width), label
        self.eps = nonnegative(name, "eps", eps)
        self.gain: Any = [Value(1.0) for _ in range(self.width)] if gain else None
        self.bias: Any = [Value(0.0) for _ in range(self.width)] if bias else None

    def __call__(self, x: Any) -> Any:
        x = sample(self, x, self.width)
        centre = mean(x)
        x = [v - centre for v in x]
        scale = (mean([v * v for v in x]) + self.eps) ** -0.5
        return affine([v * scale for v in x], self.gain, self.bias)

    def _title(self) -> str:
        return f"{type(self).__name__}({self.width})"


class RMSNorm(Module):
    """A vector scaled to a mean square of 1, then by a learned gain for each place:

        y = gain x / (mean of x^2 + eps)^(1/2)

    `LayerNorm` without the mean and the bias, which turned out not to be needed (B. Zhang, R. Sennrich, 2019).
    PyTorch's eps is, unless given, the distance of 1 to the next number, 2e-16 in double precision.

    >>> [round(y.data, 4) for y in RMSNorm(2)([1.0, 7.0])]
    [0.2, 1.4]
    """

    level = "layer"

    def __init__(self, width: int, eps: float = 1e-5, *, gain: bool = True, label: str = "") -> None:
        name = type(self).__name__
        self.width, self.label = size(name, "width", width), label
        self.eps = nonnegative(name, "eps", eps)
        self.gain: Any = [Value(1.0) for _ in range(self.width)] if gain else None

    def __call__(self, x: Any) -> Any:
        x = sample(self, x, self.width)
        scale = (mean([v * v for v in x]) + self.eps) ** -0.5
        return affine([v * scale for v in x], self.gain, None)

    def _title(self) -> str:
        return f"{type(self).__name__}({self.width})"


def affine(x: Sequence[Any], gain: Sequence[Any] | None, bias: Sequence[Any] | None) -> list[Any]:
    """gain x + bias, place by place, where there are any."""
    if gain is not None:
        x = [a * v for a, v in zip(gain, x, strict=True)]
    return [v + b for v, b in zip(x, bias, strict=True)] if bias is not None else [*x]


# Of a batch -------------------------------------------------------------------------------------------------------


class BatchNorm(Module):
    """Each channel moved and scaled to mean 0 and variance 1 over the batch, then by a learned gain and bias:

        y = gain (x - mean) / (variance + eps)^(1/2) + bias

    A sample is a vector, whose entries are the channels, or a signal or image, (channels, ...): then the mean runs over
    the positions, too. In training mean and variance are those of the batch, and running ones are kept:

        running = (1 - momentum) running + momentum new         the new variance divides by n - 1

    In use, after `eval()`, the running ones take their place, and a sample no longer depends on others. So in training
    it needs its samples together: `batch(samples)`, which `Sequential` and `fit` call, or a compiled function, in which
    the means run over the batch. (S. Ioffe, C. Szegedy, 2015.) Formulas and defaults are PyTorch's; Keras' momentum is
    one minus this one, .99 by default, and its eps 1e-3. A batch of a single number has variance 0, which is an error
    in PyTorch.

    >>> norm = BatchNorm(1)
    >>> [round(y[0].data, 4) for y in norm.batch([[1.0], [3.0]])], norm.running_mean
    ([-1.0, 1.0], [Value(data=0.2)])
    >>> norm.eval()([0.2])
    [Value(data=0.0)]
    """

    level = "layer"
    buffers = ("running_mean", "running_variance")

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        gain: bool = True,
        bias: bool = True,
        label: str = "",
    ) -> None:
        name = type(self).__name__
        self.channels, self.label = size(name, "channels", channels), label
        self.eps, self.momentum = nonnegative(name, "eps", eps), share(name, "momentum", momentum)
        self.gain: Any = [Value(1.0) for _ in range(self.channels)] if gain else None
        self.bias: Any = [Value(0.0) for _ in range(self.channels)] if bias else None
        self.running_mean = [Constant(0.0) for _ in range(self.channels)]
        self.running_variance = [Constant(1.0) for _ in range(self.channels)]

    def __call__(self, x: Any) -> Any:
        x = self.checked(x)
        if not self.training:
            return self.normalised(x, self.running_mean, self.running_variance)
        if not current().tracer:
            raise ValueError(
                f"{self._named()} in training needs the samples of a batch together: model.batch(samples). "
                "After model.eval() it takes one sample. Received: a single sample."
            )
        return self.trained([x])[0]

    def batch(self, samples: Sequence[Any]) -> list[Any]:
        samples = [self.checked(x) for x in entries(self._named(), "samples", samples)]
        return self.trained(samples) if self.training else [self(x) for x in samples]

    def trained(self, samples: Sequence[Any]) -> list[Any]:
        """The samples, by the mean and the variance of all of them; the running ones move on."""
        columns = [[v for x in samples for v in np.ravel(x[k])] for k in range(self.channels)]
        means = [batch_mean(mean(column)) for column in columns]
        variances = [
            batch_mean(mean([(d := v - centre) * d for v in column]))
            for column, centre in zip(columns, means, strict=True)
        ]
        n = batch_count() * len(columns[0])
        unbiased = n / maximum(n - 1.0, 1.0)
        self.move(self.running_mean, means)
        self.move(self.running_variance, [v * unbiased for v in variances])
        return [self.normalised(x, means, variances) for x in samples]

    def move(self, running: Sequence[Value], new: Sequence[Any]) -> None:
        for old, x in zip(running, new, strict=True):
            remember(old, (1.0 - self.momentum) * old + self.momentum * x)

    def normalised(self, x: Any, means: Sequence[Any], variances: Sequence[Any]) -> Any:
        channels = []
        for k in range(self.channels):
            scale = (variances[k] + self.eps) ** -0.5
            y = (x[k] - means[k]) * scale  # a number, or an array of them
            y = y if self.gain is None else self.gain[k] * y
            channels.append(y if self.bias is None else y + self.bias[k])
        return channels if np.ndim(x) == 1 else np.array(channels, dtype=object)

    def checked(self, x: Any) -> Any:
        x = x if isinstance(x, np.ndarray) else nested(x)
        axes = len(shape(x))
        if axes < 2:
            return list(sample(self, x, self.channels))
        return grid(self, x, (self.channels, *[None] * (axes - 1)))

    def _title(self) -> str:
        return f"{type(self).__name__}({self.channels})"
