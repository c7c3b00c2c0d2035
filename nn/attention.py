"""Attention: each query looks at all keys, and takes the more of a value the better its key fits.

    w[i] = softmax(q[i] . k[0] / sqrt(d), q[i] . k[1] / sqrt(d), ...)        out[i] = w[i][0] v[0] + w[i][1] v[1] + ...

It is a soft dictionary: where one key fits far better than all others, its value comes out. (A. Vaswani et al., 2017)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.context import current, within
from autograd.operators import dot
from autograd.ops import where
from autograd.value import Constant, Value
from autograd.vector import Vector

from .activations import known, softmax
from .checks import is_list, real, size
from .embedding import counted
from .init import generator
from .module import Module, sequence
from .neuron import Layer
from .positions import rotary as rotated
from .positions import turned
from .regularization import Dropout

# The equation -----------------------------------------------------------------------------------------------------


def attention(q: Any, k: Any, v: Any, mask: Any = None, scale: Any = None) -> list[list[Any]]:
    """For each query the mean of the values, weighted by how well their keys fit: softmax(q . k scale) v.

    q: a list of vectors, k: a list of vectors of the same size d, v: a vector of any size for each key. `scale` is
    1 / sqrt(d) unless given: then scores have about the variance of single products, whatever the size is. `mask` says
    which query may see which key: None (all), "causal" (each those up to its own place), or a row for each query with
    True (may be seen) or False for each key; one row alone holds for all queries. The True of PyTorch's
    `MultiheadAttention` means the contrary. What is masked is left out of the sums. In a function that is being
    compiled the mask may depend on inputs; then its score is minus infinity where the mask is 0. ValueError for a query
    that may see nothing, if that is known; otherwise it gives nan. (D. Bahdanau et al., 2014; in this form A. Vaswani
    et al., 2017.)

    >>> [[round(x, 3) for x in row] for row in attention([[9.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[5.0], [7.0]])]
    [[5.003]]
    >>> attention([[0.0], [0.0]], [[1.0], [2.0]], [[5.0], [7.0]], mask="causal")
    [[5.0], [6.0]]
    """
    k = vectors("attention", "keys", k)
    return mixed(attention_weights(q, k, mask, scale), vectors("attention", "values", v, len(k)))


def attention_weights(q: Any, k: Any, mask: Any = None, scale: Any = None) -> list[list[Any]]:
    """How much each query takes of each value: a row for each query, with sum 1; 0.0 where the mask is False.

    >>> attention_weights([[0.0], [0.0]], [[1.0], [2.0]], mask="causal")
    [[1.0, 0.0], [0.5, 0.5]]
    """
    q, k = vectors("attention", "queries", q), vectors("attention", "keys", k)
    d = len(q[0])
    if len(k[0]) != d:
        raise ValueError(f"attention needs queries and keys of one size. Received: {d} and {len(k[0])}")
    if not isinstance(scale, Value):
        scale = d**-0.5 if scale is None else real("attention", "scale", scale)
    return weigh(q, k, visible("attention", mask, len(q), len(k)), scale)


def weigh(
    q: Sequence[Any],
    k: Sequence[Any],
    seen: Sequence[dict[int, Any]],
    scale: Any,
    dropout: Callable[[list[Any]], list[Any]] = list,
) -> list[list[Any]]:
    """The weights, where for each query the places that it may see are known."""
    rows = []
    for query, places in zip(q, seen, strict=True):
        scores = [dot(query, k[j]) * scale for j in places]
        if any(flag is not True for flag in places.values()):
            scores = [
                s if f is True else where(f, s, -np.inf) for s, f in zip(scores, places.values(), strict=True)
            ]
        row: list[Any] = [0.0] * len(k)
        for j, weight in zip(places, dropout(softmax(scores)), strict=True):
            row[j] = weight
        rows.append(row)
    return rows


def mixed(weights: Sequence[Sequence[Any]], v: Sequence[Any]) -> list[list[Any]]:
    """For each row of weights the weighted sum of the values; those of weight 0.0 are left out."""
    out = []
    for row in weights:
        places = [j for j, w in enumerate(row) if type(w) is not float or w] or [0]
        shares = Vector([row[j] for j in places], fixed=not current().tracer)
        out.append([dot(shares, column) for column in zip(*[v[j] for j in places], strict=True)])
    return out


# Who may see what -------------------------------------------------------------------------------------------------


def causal_mask(n: int) -> Any:
    """Each of n places may see itself and those before it: an array (n, n) of True and False.

    >>> causal_mask(2)
    array([[ True, False],
           [ True,  True]])
    """
    return np.tri(size("causal_mask", "n", n), dtype=bool)


def padding_mask(length: Any, n: int) -> list[Any]:
    """Of n places the first `length` may be seen, the others are padding: one row, which holds for all queries.

    `length` is an int from 1 to n or, in a function that is being compiled, an integer input: then the row is recorded,
    1 or 0 for each place, and a length that is none of 0 to n is an IndexError of the program.

    >>> padding_mask(2, 3)
    [True, True, False]
    """
    n = size("padding_mask", "n", n)
    if not known(length):
        return counted(length, n)
    whole = isinstance(length, Value) and float(length).is_integer()
    k = size("padding_mask", "length", int(length) if whole else length)
    if k > n:
        raise ValueError(f"padding_mask needs a length from 1 to {n}. Received: length={k}")
    return [j < k for j in range(n)]


def visible(owner: str, mask: Any, queries: int, keys: int) -> list[dict[int, Any]]:
    """For each query the places of the keys that it may see: with True, or with what says so at run time."""
    if mask is None:
        return [dict.fromkeys(range(keys), True)] * queries
    if isinstance(mask, str) and mask == "causal":
        if queries != keys:
            raise ValueError(
                f"{owner} needs a key for each query if the mask is causal. Received: {queries} queries, {keys} keys"
            )
        return [dict.fromkeys(range(i + 1), True) for i in range(queries)]
    if not is_list(mask):
        raise TypeError(
            f'{owner} needs rows of True and False, or "causal", as mask. Received: {mask!r} ({type(mask).__name__})'
        )
    rows = [[*row] if is_list(row) else row for row in mask]
    if rows and not any(isinstance(row, list) for row in rows):
        return [seen_in(owner, rows, keys)] * queries
    if len(rows) != queries or not all(isinstance(row, list) for row in rows):
        raise ValueError(
            f"{owner} needs a mask with a row for each of {queries} queries, or one row. Received: {len(rows)} rows"
        )
    return [seen_in(owner, row, keys) for row in rows]


def seen_in(owner: str, row: list[Any], keys: int) -> dict[int, Any]:
    """One row of a mask: the places that may be seen."""
    if len(row) != keys:
        raise ValueError(
            f"{owner} needs a mask with an entry for each of {keys} keys. Received: {len(row)} entries"
        )
    places = {}
    for j, flag in enumerate(row):
        if not known(flag):
            places[j] = flag
        elif is_list(flag) or (flag.data if isinstance(flag, Value) else flag) not in (0.0, 1.0):
            raise ValueError(f"{owner} needs a mask of True and False. Received: {flag!r}")
        elif float(flag):
            places[j] = True
    if not places:
        raise ValueError(
            f"{owner} needs a mask that lets each query see one key at least. Received: a row of False"
        )
    return places


def vectors(owner: str, what: str, xs: Any, count: int | None = None) -> list[Vector]:
    """A list of vectors of one size, each wrapped to be read again and again."""
    rows = list(xs) if is_list(xs) else [xs]
    if not all(isinstance(x, Vector) or is_list(x) for x in rows):
        raise TypeError(f"{owner} needs a list of vectors as {what}. Received: {type(xs).__name__}")
    found = [x if isinstance(x, Vector) else Vector(x, fixed=not current().tracer) for x in rows]
    sizes = sorted({len(x) for x in found})
    if len(sizes) != 1 or not sizes[0]:
        raise ValueError(f"{owner} needs {what} of one size, one at least. Received: sizes {sizes}")
    if count not in (None, len(found)):
        raise ValueError(f"{owner} needs a value for each of {count} keys. Received: {len(found)} values")
    return found


# The layer --------------------------------------------------------------------------------------------------------


class MultiHeadAttention(Module):
    """Several attentions side by side, each of which reads its own part of learned queries, keys and values:

        q = query x,   k = key context,   v = value context        out = W [attention(q_1, k_1, v_1), ...] + b

    Each of `heads` parts has width / heads numbers. `attend(x)` is self-attention: the context is x itself;
    `attend(x, context)` cross-attention to another sequence, of vectors of `kv_width` (by default the same width). x: a
    list of vectors of `width`; so is the output, with a vector for each of x. `mask` is that of `attention`; `causal`
    lets each place see those up to itself alone, in addition. With `rotary`, queries and keys are turned by their
    places, see `rotary`. `dropout` drops weights. Query, key, value and out are Layers; weights begin by Xavier, each
    matrix by itself, biases at 0. (A. Vaswani et al., 2017.) Keras' `MultiHeadAttention` names width / heads key_dim.

    >>> attend = MultiHeadAttention(4, 2, rng=0)
    >>> len(attend([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])), attend.count_parameters()
    (2, 80)
    """

    level = "layer"

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        kv_width: int | None = None,
        causal: bool = False,
        rotary: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        self.width, self.heads, self.label = size("MultiHeadAttention", "width", width), heads, label
        self.part = head_size("MultiHeadAttention", width, heads, rotary)
        self.kv_width = width if kv_width is None else size("MultiHeadAttention", "kv_width", kv_width)
        self.causal, self.rotary = causal, rotary
        self._turns: list[list[tuple[Constant, Constant]]] = []
        rng = generator(rng)

        def linear(nin: int) -> Layer:
            return Layer(nin, width, activation="identity", bias=bias, init=init, rng=rng)

        self.query, self.key, self.value = linear(width), linear(self.kv_width), linear(self.kv_width)
        self.out = linear(width)
        self.dropout = Dropout(dropout, rng=rng)

    def __call__(self, x: Any, context: Any = None, mask: Any = None) -> list[list[Any]]:
        x, context = self.checked(x, context)
        weights = self.shares(x, context, mask, self.dropout)
        values = self.split(each(self.value, context))
        heads = [mixed(w, v) for w, v in zip(weights, values, strict=True)]
        return each(self.out, [[y for part in parts for y in part] for parts in zip(*heads, strict=True)])

    def shares(
        self,
        x: list[Vector],
        context: list[Vector],
        mask: Any,
        dropout: Callable[[list[Any]], list[Any]] = list,
    ) -> list[list[list[Any]]]:
        """For each head the weights of its attention."""
        seen = self.visible(mask, len(x), len(context))
        q, k = self.split(each(self.query, x), self.rotary), self.split(each(self.key, context), self.rotary)
        return [weigh(*head, seen, self.part**-0.5, dropout) for head in zip(q, k, strict=True)]

    def weights(self, x: Any, context: Any = None, mask: Any = None) -> list[list[list[Any]]]:
        """For each head, what each place of x takes of each place of the context: to be looked at, or plotted."""
        return self.shares(*self.checked(x, context), mask)

    def split(self, xs: Sequence[Any], turn: bool = False) -> list[list[Vector]]:
        """For each head its part of each vector, turned by its place if asked for."""
        fixed = not current().tracer
        starts = range(0, self.width, self.part)
        parts = [[x[i : i + self.part] for x in xs] for i in starts]
        if turn:
            parts = [[self.turned(x, place) for place, x in enumerate(head)] for head in parts]
        return [[Vector(x, fixed) for x in head] for head in parts]

    def turned(self, x: list[Any], place: int) -> list[Any]:
        """`rotary`, by constants of the module where it is compiled: the program reads them as one array."""
        if not current().tracer:
            return rotated(x, place)
        with within(scope=None):
            while len(self._turns) <= place:
                ones, zeros = [1.0] * (self.part // 2), [0.0] * (self.part // 2)
                numbers = rotated([*ones, *zeros], len(self._turns))  # cosines, then sines
                constants = [Constant(v) for v in numbers]
                self._turns.append([*zip(constants, constants[self.part // 2 :], strict=False)])
        return turned(x, self._turns[place])

    def visible(self, mask: Any, queries: int, keys: int) -> list[dict[int, Any]]:
        """The places that each query may see, by the mask and, if it is causal, by itself."""
        seen = visible(self._named(), mask, queries, keys)
        if not self.causal:
            return seen
        seen = [{j: flag for j, flag in places.items() if j <= i} for i, places in enumerate(seen)]
        if not all(seen):
            raise ValueError(
                f"{self._named()} needs a mask that lets each place see one up to itself. Received: none."
            )
        return seen

    def checked(self, x: Any, context: Any) -> tuple[list[Vector], list[Vector]]:
        """Both sequences, of which all vectors are wrapped once."""
        if context is not None and (self.causal or self.rotary):
            raise ValueError(
                f"{self._named()} is causal or rotary, and both are of a single sequence. Received: a context."
            )
        if context is None and self.kv_width != self.width:
            raise ValueError(f"{self._named()} needs a context, of width {self.kv_width}. Received: none.")
        x = sequence(self, x, self.width)
        return x, x if context is None else sequence(self, context, self.kv_width)

    def _title(self) -> str:
        return f"{type(self).__name__}({self.width}, heads={self.heads})"


def each(layer: Callable[[Any], Any], xs: Sequence[Any]) -> list[Any]:
    """The layer's output for each vector of a sequence; it is a list also if it is one number."""
    return [y if isinstance(y, list) else [y] for y in map(layer, xs)]


def head_size(owner: str, width: int, heads: Any, rotary: bool) -> int:
    """The width of each head."""
    part, rest = divmod(width, size(owner, "heads", heads))
    if rest:
        raise ValueError(f"{owner} needs a width that heads divide. Received: width={width}, heads={heads}")
    if rotary and part % 2:
        raise ValueError(
            f"{owner} needs heads of even width if rotary. Received: width={width}, heads={heads}"
        )
    return part
