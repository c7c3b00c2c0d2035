"""Initialisers: the weights that a network begins with.

Each is a function `(shape, rng)` that returns an array. A layer of nout neurons with nin inputs has the shape
(nout, nin): row i holds the weights of neuron i; fan_in = nin and fan_out = nout. Further axes, as of a convolution's
kernel (nout, nin, height, width), count into both fans.

Weights must differ, or all neurons of a layer compute and learn the same; and their variance decides whether the
signal, on its way forward, and the gradient, on its way back, grow or shrink from layer to layer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import entries, nonnegative, real, size

Floats = NDArray[np.float64]
Shape = Sequence[int]
Initialiser = Callable[..., Any]

# Randomness -------------------------------------------------------------------------------------------------------


def generator(rng: Any = None) -> Any:
    """Where random numbers come from: None is Python's global `random`, as in the tutorials, an int seeds a new
    `random.Random`; a `random.Random` or a NumPy Generator is used as it is, and moves on.

    >>> generator(0).random() == random.Random(0).random()
    True
    """
    if rng is None:
        return random
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return random.Random(int(rng))
    if rng is random or isinstance(rng, (random.Random, np.random.Generator)):
        return rng
    raise TypeError(
        f"rng is None, an int, a random.Random or a numpy.random.Generator. Received: {type(rng).__name__}"
    )


def draws(rng: Any, kind: str, a: float, b: float, shape: Shape) -> Floats:
    """Independent draws, the last axis running fastest: "uniform" in (a, b), or "normal" of mean a, deviation b."""
    rng, shape = generator(rng), sizes(shape)
    if isinstance(rng, np.random.Generator):
        return np.asarray(getattr(rng, kind)(a, b, shape))
    draw = rng.uniform if kind == "uniform" else rng.gauss
    return np.array([draw(a, b) for _ in range(math.prod(shape))]).reshape(shape)


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of ints."""
    owner = "an initialiser"
    given = entries(owner, "sizes as shape", shape)
    return tuple([size(owner, f"shape[{i}]", n) for i, n in enumerate(given)])


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs a neuron has, and how many neurons read an input."""
    shape = sizes(shape)
    if len(shape) < 2:
        raise ValueError(f"weights have a shape (nout, nin, ...), each at least 1. Received: {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


# Without regard to the fans ---------------------------------------------------------------------------------------


def constant(shape: Shape, rng: Any = None, *, value: float = 0.0) -> Floats:
    """All the same. Neurons that begin equal stay equal: for biases and gains, or to see just that happen.

    >>> constant((1, 3), value=0.5)
    array([[0.5, 0.5, 0.5]])
    """
    return np.full(sizes(shape), real("constant", "value", value))


def zeros(shape: Shape, rng: Any = None) -> Floats:
    """All 0.

    >>> zeros((1, 3))
    array([[0., 0., 0.]])
    """
    return constant(shape)


def ones(shape: Shape, rng: Any = None) -> Floats:
    """All 1.

    >>> ones((1, 3))
    array([[1., 1., 1.]])
    """
    return constant(shape, value=1.0)


def uniform(shape: Shape, rng: Any = None, *, low: float = -1.0, high: float = 1.0) -> Floats:
    """U(low, high), variance (high - low)^2 / 12. The defaults are micrograd's, and the default of the nets here.

    >>> bool((abs(uniform((4, 5), rng=0)) < 1.0).all())
    True
    """
    return draws(rng, "uniform", real("uniform", "low", low), real("uniform", "high", high), shape)


def normal(shape: Shape, rng: Any = None, *, mean: float = 0.0, std: float = 1.0) -> Floats:
    """N(mean, std^2).

    >>> normal((4, 5), rng=0).shape
    (4, 5)
    """
    return draws(rng, "normal", real("normal", "mean", mean), nonnegative("normal", "std", std), shape)


# Scaled to the fans -----------------------------------------------------------------------------------------------


def centred(kind: str, shape: Shape, rng: Any, variance_of: Callable[[int, int], float]) -> Floats:
    """Draws of mean 0 and the variance that belongs to fan_in and fan_out: U(-a, a) has a^2 / 3."""
    shape = sizes(shape)
    variance = variance_of(*fans(shape))
    if kind == "uniform":
        bound = math.sqrt(3.0 * variance)
        return draws(rng, kind, -bound, bound, shape)
    return draws(rng, kind, 0.0, math.sqrt(variance), shape)


def xavier(kind: str, shape: Shape, rng: Any, gain: float) -> Floats:
    gain = real(f"xavier_{kind}", "gain", gain)
    return centred(kind, shape, rng, lambda fan_in, fan_out: gain * gain * 2.0 / (fan_in + fan_out))


def he(kind: str, shape: Shape, rng: Any, slope: float) -> Floats:
    slope = real(f"he_{kind}", "slope", slope)
    return centred(kind, shape, rng, lambda fan_in, _: 2.0 / (1.0 + slope * slope) / fan_in)


def xavier_uniform(shape: Shape, rng: Any = None, *, gain: float = 1.0) -> Floats:
    """U(-a, a), a = gain (6 / (fan_in + fan_out))^(1/2): the variance of `xavier_normal` (Glorot & Bengio, 2010).

    >>> bool((abs(xavier_uniform((3, 3), rng=0)) < 1.0).all())
    True
    """
    return xavier("uniform", shape, rng, gain)


def xavier_normal(shape: Shape, rng: Any = None, *, gain: float = 1.0) -> Floats:
    """N(0, gain^2 2 / (fan_in + fan_out)): a compromise between keeping the variance of the signal, 1 / fan_in, and
    of the gradient, 1 / fan_out, where the activation is about linear around 0 (Glorot & Bengio, 2010).

    >>> xavier_normal((2, 3), rng=0).shape
    (2, 3)
    """
    return xavier("normal", shape, rng, gain)


def he_uniform(shape: Shape, rng: Any = None, *, slope: float = 0.0) -> Floats:
    """U(-a, a), a = (6 / ((1 + slope^2) fan_in))^(1/2): the variance of `he_normal` (He et al., 2015).

    >>> bool((abs(he_uniform((3, 6), rng=0)) < 1.0).all())
    True
    """
    return he("uniform", shape, rng, slope)


def he_normal(shape: Shape, rng: Any = None, *, slope: float = 0.0) -> Floats:
    """N(0, 2 / ((1 + slope^2) fan_in)): a ReLU lets half the variance through, and the 2 puts it back; `slope` is
    the one below 0, of a leaky ReLU (He et al., 2015).

    >>> he_normal((2, 3), rng=0).shape
    (2, 3)
    """
    return he("normal", shape, rng, slope)


def lecun_uniform(shape: Shape, rng: Any = None) -> Floats:
    """U(-a, a), a = (3 / fan_in)^(1/2): the variance of `lecun_normal` (LeCun et al., 1998).

    >>> bool((abs(lecun_uniform((3, 3), rng=0)) < 1.0).all())
    True
    """
    return centred("uniform", shape, rng, lambda fan_in, _: 1.0 / fan_in)


def lecun_normal(shape: Shape, rng: Any = None) -> Floats:
    """N(0, 1 / fan_in): a weighted sum of inputs of variance 1 has variance 1 (LeCun et al., 1998); with SELU the
    activations then normalise themselves (Klambauer et al., 2017).

    >>> lecun_normal((2, 3), rng=0).shape
    (2, 3)
    """
    return centred("normal", shape, rng, lambda fan_in, _: 1.0 / fan_in)


def orthogonal(shape: Shape, rng: Any = None, *, gain: float = 1.0) -> Floats:
    """gain Q, Q a random matrix with orthonormal rows, or columns where these are fewer: lengths and angles are kept,
    through any number of linear layers (Saxe et al., 2014). Q is the QR factor of normal draws, signs made unique.

    >>> w = orthogonal((2, 3), rng=0)
    >>> bool(np.allclose(w @ w.T, np.eye(2)))
    True
    """
    shape = sizes(shape)
    fans(shape)  # a matrix at least
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(draws(rng, "normal", 0.0, 1.0, (max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0.0, -1.0, 1.0)
    return real("orthogonal", "gain", gain) * (q if rows >= columns else q.T).reshape(shape)


# By name ----------------------------------------------------------------------------------------------------------

INITIALISERS: dict[str, Initialiser] = {
    f.__name__: f
    for f in (
        zeros, ones, constant, uniform, normal, xavier_uniform, xavier_normal, he_uniform, he_normal,
        lecun_uniform, lecun_normal, orthogonal,
    )
}  # fmt: skip
ALIASES = {
    "micrograd": "uniform",
    "xavier": "xavier_uniform",
    "glorot": "xavier_uniform",
    "glorot_uniform": "xavier_uniform",
    "glorot_normal": "xavier_normal",
    "he": "he_normal",
    "kaiming": "he_normal",
    "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal",
    "lecun": "lecun_normal",
}


def get(init: Any) -> Initialiser:
    """An initialiser by its name or alias, from a number (all weights that), or any function `(shape, rng)`.

    >>> get("kaiming") is he_normal, get(0.5)((1, 2))
    (True, array([[0.5, 0.5]]))
    """
    if isinstance(init, str):
        name = init.lower()
        if ALIASES.get(name, name) not in INITIALISERS:
            raise ValueError(f"init is one of {', '.join(INITIALISERS)}. Received: {init!r}")
        return INITIALISERS[ALIASES.get(name, name)]
    if callable(init):
        return init  # type: ignore[no-any-return]
    if isinstance(init, (int, float, np.number)):
        return partial(constant, value=real("an initialiser", "init", init))
    raise TypeError(
        f"init is a name, a number or a function of (shape, rng). Received: {type(init).__name__}"
    )


def weights(init: Any, shape: Shape, rng: Any) -> Floats:
    """What an initialiser gives, checked: an array of that shape.

    >>> weights("ones", (1, 2), None)
    array([[1., 1.]])
    """
    array = np.asarray(get(init)(tuple(shape), generator(rng)))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"init must return an array of numbers. Received: an array of {array.dtype}")
    if array.shape != tuple(shape):
        raise ValueError(f"init must return an array of shape {tuple(shape)}. Received: {array.shape}")
    return array.astype(np.float64)
