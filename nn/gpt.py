"""GPT: a stack of causal transformer blocks that says, after each token, how probable each next one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd.operators import dot

from .attention import each
from .checks import among, entries, function, size
from .embedding import Embedding
from .init import generator
from .module import Module, in_use
from .neuron import Layer
from .normalization import LayerNorm
from .positions import SMALL, LearnedPositions, SinusoidalPositions
from .regularization import Dropout
from .transformer import TransformerBlock, next_token, some


class GPT(Module):
    """A language model (A. Radford et al., 2018 and 2019):

        x = embedding(tokens) + positions        x = block(x) for each block        logits = head(norm(x))

    `gpt(tokens)` takes a list of 1 to `context` tokens; the logits at each place are for the token that follows it, and
    do not depend on those after. `nn.cross_entropy(gpt(tokens[:-1]), tokens[1:])` is the loss. Blocks are pre-norm.
    `positions` is "learned", "sinusoidal", "rotary" or None. `tied`: the head's weights are the embedding's rows, as in
    GPT-2. `norm_first` puts a norm after the embedding, `norm_last` one before the head. `normalization` makes a module
    for a width. Embeddings and positions begin as N(0, .02^2), Layers by Xavier, or all as `init` says. The shape of
    microgpt, for 27 tokens:

    >>> from functools import partial
    >>> from nn import RMSNorm
    >>> plain = partial(RMSNorm, gain=False)
    >>> gpt = GPT(27, normalization=plain, norm_first=True, norm_last=False, activation="relu", bias=False, rng=0)
    >>> gpt.count_parameters(), len(gpt([26, 0, 1])), gpt.generate(length=5, end=26, rng=1)
    (4192, 3, [11, 22, 19, 3, 16])
    """

    def __init__(
        self,
        tokens: int,
        width: int = 16,
        heads: int = 4,
        blocks: int = 1,
        context: int = 16,
        *,
        hidden: int | None = None,
        positions: str | None = "learned",
        activation: Any = "gelu",
        normalization: Callable[[int], Any] = LayerNorm,
        norm_first: bool = False,
        norm_last: bool = True,
        tied: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        self.context, self.label, rng = size("GPT", "context", context), label, generator(rng)
        tokens, width = size("GPT", "tokens", tokens), size("GPT", "width", width)
        normalization = function("GPT", "normalization", normalization)
        start = SMALL if init is None else init
        self.embedding = Embedding(tokens, width, init=start, rng=rng)
        if not among(positions, ("learned", "sinusoidal", "rotary", None)):
            raise ValueError(
                f'GPT needs positions to be "learned", "sinusoidal", "rotary" or None. Received: {positions!r}'
            )
        self.positions: Any = None
        if positions == "learned":
            self.positions = LearnedPositions(context, width, init=start, rng=rng)
        elif positions == "sinusoidal":
            self.positions = SinusoidalPositions(context, width)
        self.dropout = Dropout(dropout, rng=rng)
        self.norm_first = normalization(width) if norm_first else None
        self.blocks = [
            TransformerBlock(
                width, heads, hidden, activation=activation, normalization=normalization, causal=True,
                rotary=positions == "rotary", dropout=dropout, bias=bias, init=init, rng=rng,
            )
            for _ in range(size("GPT", "blocks", blocks))
        ]  # fmt: skip
        self.norm_last = normalization(width) if norm_last else None
        self.head = (
            None if tied else Layer(width, tokens, activation="identity", bias=False, init=init, rng=rng)
        )

    def __call__(self, tokens: Any) -> list[list[Any]]:
        x = self.embedding(some(self, tokens, self.context))
        x = self.dropout(self.positions(x) if self.positions else x)
        x = each(self.norm_first, x) if self.norm_first else x
        for block in self.blocks:
            x = block(x)
        x = each(self.norm_last, x) if self.norm_last else x
        return each(self.head or self.tied, x)

    def tied(self, x: Any) -> list[Any]:
        """The head that shares the embedding's rows."""
        return [dot(row, x) for row in self.embedding.rows]

    def generate(
        self,
        prompt: Any = (),
        length: int = 16,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: Any = None,
        end: int | None = None,
    ) -> list[int]:
        """What follows the prompt: at most `length` tokens, up to `end`, which is left out.

        Each is drawn from the logits, as `next_token` says, after the last `context` tokens. An empty prompt stands for
        `end`, the token between documents. All is computed anew for each token.
        """
        tokens = entries(self._named(), "tokens as prompt", prompt)
        if end is None and not tokens:
            raise ValueError(
                f"{self._named()} needs a prompt, or the token that ends documents. Received: neither."
            )
        end = None if end is None else self.embedding.checked(end)
        rng, tokens, new = generator(rng), tokens or [end], list[int]()
        with in_use(self):
            while len(new) < size("generate", "length", length) and (not new or new[-1] != end):
                logits = self(tokens[-self.context :])[-1]
                new.append(next_token(logits, temperature, top_k, top_p, rng))
                tokens.append(new[-1])
        return [token for token in new if token != end]

    def _title(self) -> str:
        return (
            f"{type(self).__name__}({self.embedding.count}, {self.embedding.width}, context={self.context})"
        )
