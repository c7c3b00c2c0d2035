"""BERT: a transformer encoder that learns a language by filling in what was masked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autograd.ops import sum_
from autograd.value import Value

from . import activations
from .attention import each
from .checks import entries, function, real, size
from .embedding import Embedding
from .init import generator
from .losses import cross_entropy
from .module import Module, in_use
from .neuron import Layer
from .normalization import LayerNorm
from .positions import SMALL, LearnedPositions
from .regularization import Dropout
from .transformer import TransformerBlock, padding, some


class BERT(Module):
    """Every place sees all others, to its left and to its right (J. Devlin et al., 2018):

        x = norm(embedding(tokens) + positions)        x = block(x) for each block        logits = head(x)

    `bert(tokens)` takes a list of 1 to `context` tokens and gives, for each place, logits of the token that belongs
    there; of a padded list the first `length` count, an int or, in a function that is being compiled, an integer input.
    Blocks are post-norm with GELU, unless told otherwise. Embeddings and positions begin as N(0, .02^2). Of the paper's
    model, segments, the prediction of the next sentence and the layer before the head are left out, and the head has
    weights of its own. `masked` makes samples to train with, `fill` fills in.

    >>> bert = BERT(6, width=4, heads=2, context=5, rng=0)
    >>> [len(logits) for logits in bert([1, 5, 3])]
    [6, 6, 6]
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
        norm: str = "post",
        activation: Any = "gelu",
        normalization: Callable[[int], Any] = LayerNorm,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        self.context, self.label, rng = size("BERT", "context", context), label, generator(rng)
        tokens, width = size("BERT", "tokens", tokens), size("BERT", "width", width)
        normalization = function("BERT", "normalization", normalization)
        start = SMALL if init is None else init
        self.embedding = Embedding(tokens, width, init=start, rng=rng)
        self.positions = LearnedPositions(context, width, init=start, rng=rng)
        self.norm_first = normalization(width)
        self.dropout = Dropout(dropout, rng=rng)
        self.blocks = [
            TransformerBlock(
                width, heads, hidden, norm=norm, activation=activation, normalization=normalization,
                dropout=dropout, bias=bias, init=init, rng=rng,
            )
            for _ in range(size("BERT", "blocks", blocks))
        ]  # fmt: skip
        self.norm_last = normalization(width) if norm == "pre" else None
        self.head = Layer(width, tokens, activation="identity", bias=bias, init=init, rng=rng)

    def __call__(self, tokens: Any, length: Any = None) -> list[list[Any]]:
        tokens = some(self, tokens, self.context)
        x = self.dropout(each(self.norm_first, self.positions(self.embedding(tokens))))
        for block in self.blocks:
            x = block(x, mask=padding(length, tokens))
        return each(self.head, each(self.norm_last, x) if self.norm_last else x)

    def masked(
        self, tokens: Any, mask: int, rate: float = 0.15, *, keep: Iterable[int] = (), rng: Any = None
    ) -> tuple[list[int], list[int]]:
        """To train with: the tokens, some of them hidden, and for each place 1 if it is to be predicted, else 0.

        Chosen is this rate of the places, one at least, but none with a token of `keep`, such as padding. Of those
        chosen, 80% become `mask`, 10% any token at all, and 10% stay as they are, so that no place can be trusted. The
        loss is `masked_cross_entropy(bert(hidden), tokens, chosen)`.

        >>> BERT(6, width=4, heads=2, rng=0).masked([1, 2, 3, 4], mask=5, rate=0.5, rng=1)
        ([5, 2, 3, 5], [1, 0, 0, 1])
        """
        tokens, rng = [self.embedding.checked(token) for token in some(self, tokens)], generator(rng)
        mask, rate = self.embedding.checked(mask), real(self._named(), "rate", rate)
        keep = [*keep] if isinstance(keep, (set, frozenset)) else keep
        kept = [self.embedding.checked(token) for token in entries(self._named(), "tokens as keep", keep)]
        if not 0.0 < rate <= 1.0:
            raise ValueError(f"{self._named()} needs a rate above 0 and at most 1. Received: rate={rate}.")
        free = [i for i, token in enumerate(tokens) if token not in kept]
        if not free:
            raise ValueError(
                f"{self._named()} needs a token that may be masked. Received: none outside keep."
            )
        chosen = sorted(free, key=lambda _: rng.random())[: max(1, round(rate * len(free)))]
        hidden = [*tokens]
        for i in chosen:
            u = rng.random()
            if u < 0.9:
                hidden[i] = mask if u < 0.8 else int(rng.random() * self.embedding.count)
        return hidden, [int(i in chosen) for i in range(len(tokens))]

    def fill(self, tokens: Any, mask: int, top: int = 3) -> dict[int, list[tuple[int, float]]]:
        """For each place with the token `mask` the most probable tokens, the best first, each with its probability.

        >>> [*BERT(6, width=4, heads=2, rng=0).fill([1, 5, 3], mask=5)]
        [1]
        """
        tokens = [self.embedding.checked(token) for token in some(self, tokens, self.context)]
        mask = self.embedding.checked(mask)
        places = [i for i, token in enumerate(tokens) if token == mask]
        if not places:
            raise ValueError(f"{self._named()} needs a masked token, {mask}. Received: {tokens}.")
        size("fill", "top", top)
        with in_use(self):
            logits = self(tokens)
        found = {}
        for i in places:
            p = activations.softmax([float(z) for z in logits[i]])
            found[i] = [(k, p[k]) for k in sorted(range(len(p)), key=lambda k, p=p: -p[k])[:top]]  # type: ignore[misc]
        return found

    def _title(self) -> str:
        return (
            f"{type(self).__name__}({self.embedding.count}, {self.embedding.width}, context={self.context})"
        )


def masked_cross_entropy(logits: Any, targets: Any, chosen: Any) -> Any:
    """The mean cross entropy of the chosen places: of a row of logits and a target each, where `chosen` is 1, not 0.

    >>> print(f"{masked_cross_entropy([[0.0, 0.0], [9.0, 0.0]], [1, 1], [1, 0]):.6f}")
    0.693147
    """
    names, given = ("logits", "targets", "chosen"), (logits, targets, chosen)
    columns = [entries("masked_cross_entropy", name, xs) for name, xs in zip(names, given, strict=True)]
    if len({*map(len, columns)}) > 1:
        raise ValueError(
            "masked_cross_entropy needs a row of logits, a target and a choice for each place."
            f" Received: {', '.join(f'{len(xs)} {name}' for name, xs in zip(names, columns, strict=True))}"
        )
    rows = [*zip(*columns, strict=True)]
    if all(not isinstance(c, Value) and c == 0 for *_, c in rows):
        raise ValueError(f"masked_cross_entropy needs a chosen place. Received: none of {len(rows)}")
    losses = [c * cross_entropy(row, target) for row, target, c in rows]
    return sum_(losses) / sum_(columns[2])
