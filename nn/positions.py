"""Positions: attention sees a set of vectors; these tell it their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from autograd.functions import cos, sin
from autograd.value import Constant, Value
from autograd.vector import Vector

from .checks import entries, is_list, positive, real, size
from .init import generator, normal, weights
from .module import Module, sequence

SMALL = partial(normal, std=0.02)  # what embeddings and positions begin with in BERT, GPT-2 and ViT


def sinusoidal(n: int, width: int) -> Any:
    """Waves of geometrically growing length: for each of n places a row of `width` numbers, an array (n, width).

        p[t][2 i] = sin(t / 10000^(2 i / width))        p[t][2 i + 1] = cos(t / 10000^(2 i / width))

    They are added to the vectors and not learned. A shift of t turns each pair by an angle, so that relative places can
    be read off by a linear map. (A. Vaswani et al., 2017)

    >>> sinusoidal(2, 4).round(4)
    array([[0.    , 1.    , 0.    , 1.    ],
           [0.8415, 0.5403, 0.01  , 1.    ]])
    """
    n, width = size("sinusoidal", "n", n), size("sinusoidal", "width", width)
    i = np.arange(width)
    angles = np.arange(n)[:, None] / 10000.0 ** ((i - i % 2) / width)
    return np.where(i % 2, np.cos(angles), np.sin(angles))


def rotary(x: Any, position: Any, base: float = 10000.0) -> list[Any]:
    """A vector of even size d, turned by its place: each pair (x[i], x[i + d / 2]) by the angle a.

        a = position / base^(2 i / d)
        y[i] = x[i] cos a - x[i + d / 2] sin a        y[i + d / 2] = x[i + d / 2] cos a + x[i] sin a

    If queries and keys are turned, q . k depends on the difference of their places alone. (J. Su et al., 2021.) The
    pairs are those of GPT-NeoX and LLaMA, half a vector apart; the paper pairs neighbours, x[2 i] and x[2 i + 1], the
    same up to a permutation. `position` is a number, or an input of a function that is being compiled.

    >>> [round(y, 4) for y in rotary([1.0, 0.0], 1)]
    [0.5403, 0.8415]
    """
    x = entries("rotary", "numbers", x)
    if any(map(is_list, x)):
        raise TypeError("rotary needs one vector at a time. Received: lists in a list")
    x = [v if isinstance(v, Value) else real("rotary", "each number of x", v) for v in x]
    half, rest = divmod(len(x), 2)
    if rest or not x:
        raise ValueError(f"rotary needs a vector of even size. Received: {len(x)} numbers")
    position = position if isinstance(position, Value) else real("rotary", "position", position)
    base = positive("rotary", "base", base)
    angles = [position * base ** (-i / half) for i in range(half)]
    return turned(x, [(cos(angle), sin(angle)) for angle in angles])


def turned(x: Sequence[Any], turns: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The pairs of a vector, turned by angles of which cosine and sine are given."""
    half = len(turns)
    pairs = [(a, b, c, s) for a, b, (c, s) in zip(x[:half], x[half:], turns, strict=True)]
    return [a * c - b * s for a, b, c, s in pairs] + [b * c + a * s for a, b, c, s in pairs]


class LearnedPositions(Module):
    """A learned vector for each of n places, which is added: y[t] = x[t] + rows[t].

    x: a sequence of at most n vectors of `width`; there is nothing for a longer one, which is an error. Rows begin as
    N(0, .02^2), as in BERT and GPT-2, or as `init` says. (J. Gehring et al., 2017)

    >>> LearnedPositions(3, 2, init="ones")([[1.0, 2.0]])
    [[Value(data=2.0), Value(data=3.0)]]
    """

    level = "layer"

    def __init__(self, n: int, width: int, *, init: Any = None, rng: Any = None, label: str = "") -> None:
        self.n, self.width = size("LearnedPositions", "n", n), size("LearnedPositions", "width", width)
        self.label = label
        start = weights(SMALL if init is None else init, (n, width), generator(rng))
        self.rows = [[Value(p) for p in row] for row in start.tolist()]

    def __call__(self, xs: Any) -> list[list[Any]]:
        return [plus(x, row) for x, row in zip(some_of(self, xs), self.rows, strict=False)]

    def _title(self) -> str:
        return f"{type(self).__name__}({self.n}, {self.width})"


class SinusoidalPositions(Module):
    """The numbers of `sinusoidal`, added: y[t] = x[t] + p[t]. There is nothing to learn.

    x: a sequence of at most n vectors of `width`. (A. Vaswani et al., 2017)

    >>> SinusoidalPositions(3, 2)([[1.0, 2.0]])
    [[Value(data=1.0), Value(data=3.0)]]
    """

    level = "layer"
    buffers = ("rows",)

    def __init__(self, n: int, width: int, *, label: str = "") -> None:
        self.n, self.width = size("SinusoidalPositions", "n", n), size("SinusoidalPositions", "width", width)
        self.label = label
        # constants of the module, not plain numbers: a compiled program then reads them as one array
        self.rows = [[Constant(p) for p in row] for row in sinusoidal(n, width).tolist()]

    def __call__(self, xs: Any) -> list[list[Any]]:
        return [plus(x, row) for x, row in zip(some_of(self, xs), self.rows, strict=False)]

    def _title(self) -> str:
        return f"{type(self).__name__}({self.n}, {self.width})"


def some_of(module: LearnedPositions | SinusoidalPositions, xs: Any) -> list[Vector]:
    """xs as a sequence that is not longer than there are positions."""
    steps = sequence(module, xs, module.width)
    if len(steps) > module.n:
        raise ValueError(
            f"{module._named()} needs a sequence of at most {module.n} vectors. Received: {len(steps)}."
        )
    return steps


def plus(x: Iterable[Any], y: Iterable[Any]) -> list[Any]:
    """x + y, number by number."""
    return [a + b for a, b in zip(x, y, strict=True)]
