"""Embedding: a learned vector for each token."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograd.operators import take
from autograd.ops import above
from autograd.value import Constant, Value

from .activations import known
from .checks import is_list, size
from .init import generator, weights
from .module import Module


class Embedding(Module):
    """A table with a row of `width` numbers for each of `count` tokens:

        embedding(token) = rows[token]        embedding([token, ...]) = [rows[token], ...]

    It is a Layer without bias that reads one-hot vectors, W x with one x[token] = 1, but for the products by 0. Rows
    that are similar after training belong to tokens that are used alike (Y. Bengio et al., 2003). A token is an int
    from 0 to count - 1, or, in a function that is being compiled, an integer input. IndexError for any other int.

    `padding` is a token that stands for nothing: its row is 0, and stays so, for no gradient reaches it and `unfreeze`
    does not change that. Rows begin as N(0, 1), as in PyTorch, or as `init` says; Keras' begin as U(-.05, .05),
    and its `mask_zero` hands a mask on instead.

    >>> embedding = Embedding(5, 2, padding=0, init="ones")
    >>> embedding(3)
    [Value(data=1.0), Value(data=1.0)]
    >>> [[float(v) for v in row] for row in embedding([0, 3])]
    [[0.0, 0.0], [1.0, 1.0]]
    """

    level = "layer"

    def __init__(
        self,
        count: int,
        width: int,
        *,
        padding: int | None = None,
        init: Any = "normal",
        rng: Any = None,
        label: str = "",
    ) -> None:
        name = type(self).__name__
        self.count, self.width, self.label = size(name, "count", count), size(name, "width", width), label
        self.rows: list[Any] = [
            [Value(w) for w in row] for row in weights(init, (count, width), generator(rng)).tolist()
        ]
        self.padding = None if padding is None else self.checked(padding)
        if self.padding is not None:
            self.rows[self.padding] = [Constant(0.0) for _ in range(self.width)]

    def __call__(self, tokens: Any) -> Any:
        if is_list(tokens):
            return [self(token) for token in tokens]
        self.keep_padding_frozen()
        return list(take(self.rows, self.checked(tokens)))

    def keep_padding_frozen(self) -> None:
        """Also where all parameters of a model were unfrozen."""
        if self.padding is not None:
            for v in self.rows[self.padding]:
                v.requires_grad = False

    def checked(self, token: Any) -> Any:
        """The token as an int; one that is recorded as it is, to be checked whenever the program runs."""
        if not known(token):
            return token
        k = whole(token)
        if k is None:
            raise TypeError(
                f"{self._named()} needs tokens that are ints. Received: {token!r} ({type(token).__name__})."
            )
        if not 0 <= k < self.count:
            raise IndexError(f"{self._named()} needs tokens from 0 to {self.count - 1}. Received: {k}.")
        return k

    def _title(self) -> str:
        return f"{type(self).__name__}({self.count}, {self.width})"


def whole(x: Any) -> int | None:
    """The int that x is, or that it holds as a Value; None where it is or holds anything else."""
    if isinstance(x, (bool, np.bool_)):
        return None
    if isinstance(x, Value):
        return int(x) if float(x).is_integer() else None
    try:
        return operator.index(x)
    except TypeError:
        return None


def counted(length: Any, n: int) -> list[Any]:
    """For a length that is recorded: of each of n places 1 or 0, whether it is among the first `length`. A program then
    raises an IndexError where the length is none of 0 to n."""
    length = take([float(k) for k in range(n + 1)], length)
    return [above(length, float(k)) for k in range(n)]
