"""Transformers: blocks of attention and feed-forward networks, and the encoder-decoder made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.value import Value

from . import activations
from .attention import MultiHeadAttention, each, padding_mask
from .checks import among, entries, function, is_list, real, size
from .embedding import Embedding
from .init import generator
from .module import Module, in_use, sequence
from .neuron import Layer
from .normalization import LayerNorm
from .positions import SMALL, SinusoidalPositions, plus
from .regularization import Dropout

GATED = ("glu", "reglu", "geglu", "swiglu")


class FeedForward(Module):
    """Two Layers, wide between: y = narrow(activation(widen(x))), of one vector.

    With "swiglu", and likewise "glu", "reglu" and "geglu", the hidden numbers are products, (W x) silu(V x), W and V
    the halves of `widen`: the gate decides what passes (N. Shazeer, 2020, who then takes 2/3 of the hidden width, and
    no biases). `dropout` drops hidden numbers.

    >>> feed = FeedForward(4, 8, activation="swiglu", bias=False, rng=0)
    >>> len(feed([1.0, 0.0, 0.0, 0.0])), feed.count_parameters()
    (4, 96)
    """

    level = "layer"

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Any = "gelu",
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        width, hidden = size("FeedForward", "width", width), size("FeedForward", "hidden", hidden)
        self.width, self.hidden, self.label = width, hidden, label
        rng = generator(rng)
        rows = 2 * hidden if activations.get(activation).name in GATED else hidden
        self.widen = Layer(width, rows, activation=activation, bias=bias, init=init, rng=rng)
        self.narrow = Layer(hidden, width, activation="identity", bias=bias, init=init, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)

    def __call__(self, x: Any) -> Any:
        return self.narrow(self.dropout(self.widen(x)))

    def _title(self) -> str:
        return f"{type(self).__name__}({self.width}, {self.hidden})"


class TransformerBlock(Module):
    """Attention, then a feed-forward network for each place, both with a way around and a normalisation:

        norm="pre":   x = x + attention(norm_1(x))        x = x + feed(norm_2(x))
        norm="post":  x = norm_1(x + attention(x))        x = norm_2(x + feed(x))

    With `cross` there is a cross-attention to a `context` between: then it is a block of a decoder. x: a list of
    vectors of `width`. `hidden` is the width within the feed-forward network, 4 width unless given. `normalization`
    makes a module for a width, such as LayerNorm or RMSNorm. `mask` says who may see whom among x, `context_mask` in
    the context, see `attention`. `dropout` drops weights of attention, hidden numbers, and outputs of the parts, as in
    PyTorch's `TransformerEncoderLayer`. The original has the norms after, which needs a warm-up; before, it does not
    (A. Vaswani et al., 2017; R. Xiong et al., 2020).

    >>> block = TransformerBlock(4, 2, rng=0)
    >>> len(block([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])), block.count_parameters()
    (2, 244)
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int | None = None,
        *,
        norm: str = "pre",
        activation: Any = "gelu",
        normalization: Callable[[int], Any] = LayerNorm,
        causal: bool = False,
        rotary: bool = False,
        cross: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        if not among(norm, ("pre", "post")):
            raise ValueError(f'TransformerBlock needs norm to be "pre" or "post". Received: norm={norm!r}')
        self.width, self.heads, self.norm, self.label = width, heads, norm, label
        normalization = function("TransformerBlock", "normalization", normalization)
        rng = generator(rng)
        more: dict[str, Any] = {"dropout": dropout, "bias": bias, "init": init, "rng": rng}
        self.attention = MultiHeadAttention(width, heads, causal=causal, rotary=rotary, **more)
        self.norm_1 = normalization(width)
        self.cross: Any = MultiHeadAttention(width, heads, **more) if cross else None
        self.norm_cross = normalization(width) if cross else None
        self.feed = FeedForward(width, 4 * width if hidden is None else hidden, activation=activation, **more)
        self.norm_2 = normalization(width)
        self.dropout = Dropout(dropout, rng=rng)

    def __call__(
        self, x: Any, context: Any = None, mask: Any = None, context_mask: Any = None
    ) -> list[list[Any]]:
        x = sequence(self, x, self.width)
        x = self.around(self.norm_1, lambda y: self.attention(y, mask=mask), x)
        if context_mask is not None and not self.crosses(context):
            raise ValueError(f"{self._named()} needs a context for context_mask. Received: none")
        if self.crosses(context):
            x = self.around(self.norm_cross, lambda y: self.cross(y, context, context_mask), x)
        return self.around(self.norm_2, lambda y: each(self.feed, y), x)

    def around(self, norm: Any, part: Callable[[Any], Any], x: Sequence[Any]) -> list[Any]:
        """One part of the block with its way around."""
        y = self.dropout(part(each(norm, x) if self.norm == "pre" else x))
        x = [plus(a, b) for a, b in zip(x, y, strict=True)]
        return x if self.norm == "pre" else each(norm, x)

    def crosses(self, context: Any) -> bool:
        if (context is None) != (self.cross is None):
            wanted = "no context, being made without cross=True" if self.cross is None else "a context"
            raise ValueError(
                f"{self._named()} needs {wanted}. Received: {'none' if context is None else 'one'}."
            )
        return self.cross is not None

    def _title(self) -> str:
        return f"{type(self).__name__}({self.width}, heads={self.heads})"


class Transformer(Module):
    """An encoder reads the source, a decoder writes the target, token after token (A. Vaswani et al., 2017):

        memory = encoder(embed(source))        logits = head(decoder(embed(target), memory))

    source, target: lists of tokens; the logits at each place of the target are for the token that follows it, and do
    not depend on those after; both have at most `context`. Embeddings are multiplied by sqrt(width), and `sinusoidal`
    positions added. In the encoder each place sees all others, or of a padded source the first `length`. As in the
    paper, the norms come after the parts and the activation is ReLU; unlike there, the two embeddings and the head
    share no weights. With norm="pre" the encoder and the decoder each end in one more. `target_tokens`: where the
    target has other tokens than the source.

    >>> translate = Transformer(5, width=4, heads=2, blocks=1, rng=0)
    >>> [len(logits) for logits in translate([1, 2, 3], [0, 4])]
    [5, 5]
    """

    def __init__(
        self,
        tokens: int,
        width: int = 16,
        heads: int = 4,
        blocks: int = 1,
        context: int = 16,
        *,
        target_tokens: int | None = None,
        hidden: int | None = None,
        norm: str = "post",
        activation: Any = "relu",
        normalization: Callable[[int], Any] = LayerNorm,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        self.width, self.label, rng = size("Transformer", "width", width), label, generator(rng)
        tokens, context = size("Transformer", "tokens", tokens), size("Transformer", "context", context)
        target_tokens = (
            tokens if target_tokens is None else size("Transformer", "target_tokens", target_tokens)
        )
        start = SMALL if init is None else init

        def stack(**kind: Any) -> list[TransformerBlock]:
            return [
                TransformerBlock(
                    width, heads, hidden, norm=norm, activation=activation, normalization=normalization,
                    dropout=dropout, bias=bias, init=init, rng=rng, **kind,
                )
                for _ in range(size("Transformer", "blocks", blocks))
            ]  # fmt: skip

        self.source = Embedding(tokens, width, init=start, rng=rng)
        self.target = Embedding(target_tokens, width, init=start, rng=rng)
        self.positions = SinusoidalPositions(context, width)
        self.encoder, self.decoder = stack(), stack(causal=True, cross=True)
        self.norms = [normalization(width), normalization(width)] if norm == "pre" else []
        self.head = Layer(width, target_tokens, activation="identity", bias=bias, init=init, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)

    def __call__(self, source: Any, target: Any, length: Any = None) -> list[list[Any]]:
        source = some(self, source)
        return self.decode(target, self.encode(source, length), padding(length, source))

    def encode(self, source: Any, length: Any = None) -> list[list[Any]]:
        """The memory of the source: a vector for each of its places."""
        source = some(self, source)
        x, mask = self.embedded(self.source, source), padding(length, source)
        for block in self.encoder:
            x = block(x, mask=mask)
        return each(self.norms[0], x) if self.norms else x

    def decode(self, target: Any, memory: Any, mask: Any = None) -> list[list[Any]]:
        """The logits for what follows each place of the target."""
        x = self.embedded(self.target, target)
        for block in self.decoder:
            x = block(x, memory, context_mask=mask)
        return each(self.head, each(self.norms[1], x) if self.norms else x)

    def embedded(self, embedding: Embedding, tokens: Any) -> list[list[Any]]:
        scale = math.sqrt(self.width)
        x = [[v * scale for v in row] for row in embedding(some(self, tokens))]
        return self.dropout(self.positions(x))  # type: ignore[no-any-return]

    def generate(
        self,
        source: Any,
        start: int,
        length: int,
        *,
        end: int | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: Any = None,
    ) -> list[int]:
        """What follows `start` in the target: at most `length` tokens, up to `end`, which is left out.

        By default always the most probable token; a temperature above 0 draws, as `next_token` says.

        >>> Transformer(5, width=4, heads=2, rng=0).generate([1, 2, 3], start=0, length=4)
        [0, 0, 4, 4]
        """
        if size("generate", "length", length) > self.positions.n:
            raise ValueError(
                f"{self._named()} needs a length of at most {self.positions.n}. Received: {length}."
            )
        end = None if end is None else self.target.checked(end)
        rng, target = generator(rng), [start]
        with in_use(self):
            memory = self.encode(source)
            while len(target) <= length and (len(target) == 1 or target[-1] != end):
                target.append(next_token(self.decode(target, memory)[-1], temperature, top_k, top_p, rng))
        return [token for token in target[1:] if token != end]

    def _title(self) -> str:
        return f"{type(self).__name__}({self.source.count}, {self.width})"


def padding(length: Any, tokens: Any) -> Any:
    """The mask of a sequence of which only the first `length` places count."""
    return None if length is None else padding_mask(length, len(tokens))


def some(module: Module, tokens: Any, most: int | None = None) -> list[Any]:
    """A list of tokens, one at least and not more than `most`."""
    if not is_list(tokens):
        raise TypeError(f"{module._named()} needs a list of tokens. Received: {type(tokens).__name__}.")
    found = [*tokens]
    if any(map(is_list, found)):
        raise TypeError(f"{module._named()} needs one list of tokens at a time. Received: lists in a list.")
    if not found or (most is not None and len(found) > most):
        wanted = "at least one token" if most is None else f"1 to {most} tokens"
        raise ValueError(f"{module._named()} needs {wanted}. Received: {len(found)}.")
    return found


# Generating -------------------------------------------------------------------------------------------------------


def next_token(
    logits: Any,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: Any = None,
) -> int:
    """A token, drawn from softmax(logits / temperature); at temperature 0 the most probable one, of equals the first.

    `top_k` leaves only the k most probable ones to draw from. `top_p`, of these, only the fewest whose probabilities
    add up to top_p at least (A. Holtzman et al., 2019). `rng`: None, an int seed, a random.Random or a NumPy Generator.

    >>> next_token([0.0, 3.0, 1.0], temperature=0.0), next_token([0.0, 3.0, 1.0], top_k=1)
    (1, 1)
    """
    z, temperature, top_p = checked_choice(logits, temperature, top_k, top_p)
    best = np.argsort(-z, kind="stable")[:top_k]
    if temperature == 0.0:
        return int(best[0])
    with np.errstate(over="ignore"):  # at a very low temperature all but the best get 0
        p = np.exp((z[best] - z[best[0]]) / temperature)
    total = np.cumsum(p / p.sum())
    if top_p is not None:
        total = total[: np.searchsorted(total, top_p) + 1]
    drawn = np.searchsorted(total, generator(rng).random() * total[-1], side="right")
    return int(best[min(drawn, len(total) - 1)])


def checked_choice(logits: Any, temperature: Any, top_k: Any, top_p: Any) -> tuple[Any, float, float | None]:
    """The logits as an array, and the numbers as floats."""
    z = np.array(
        [
            float(v) if isinstance(v, Value) else real("next_token", "each logit", v)
            for v in entries("next_token", "logits", logits)
        ]
    )
    temperature = real("next_token", "temperature", temperature)
    top_p = None if top_p is None else real("next_token", "top_p", top_p)
    if not z.size or not np.isfinite(z.max()):  # the maximum is nan if one is
        raise ValueError(f"a token is chosen by finite logits, or some of -inf. Received: {z.tolist()}")
    if not temperature >= 0.0:
        raise ValueError(f"a temperature is at least 0. Received: temperature={temperature}")
    if top_k is not None:
        size("a choice of tokens", "top_k", top_k)
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p is above 0 and at most 1. Received: top_p={top_p}")
    return z, temperature, top_p
