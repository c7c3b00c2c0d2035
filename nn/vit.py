"""ViT: a transformer that reads an image as a sequence of patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.ops import mean
from autograd.value import Value

from . import checks
from .attention import each
from .init import generator, weights
from .module import Module, grid, nested
from .neuron import Layer
from .normalization import LayerNorm
from .positions import SMALL, LearnedPositions
from .regularization import Dropout
from .transformer import TransformerBlock


class ViT(Module):
    """An image is cut into patches, "worth 16 x 16 words" (A. Dosovitskiy et al., 2020):

        x = [token, W patch_1 + b, W patch_2 + b, ...] + positions
        x = block(x) for each block        logits = head(norm(x[0]))

    The image has the shape (channels, height, width), or (height, width) if there is one channel; `size` and `patch`
    are an int or a pair (height, width), and patches divide the image. A patch is read by channel, row and column, as
    by a convolution whose stride is its kernel. `token` is learned, and at its place the classes are read off; with
    pool="mean" there is none, and the mean of all places is read. Blocks are pre-norm with GELU. Token and positions
    begin as N(0, .02^2), Layers by Xavier, or all as `init` says.

    >>> vit = ViT(4, 2, classes=3, width=4, heads=2, rng=0)
    >>> len(vit(np.zeros((4, 4)))), vit.count_parameters()
    (3, 311)
    """

    def __init__(
        self,
        size: Any,
        patch: Any,
        classes: int,
        width: int = 16,
        heads: int = 4,
        blocks: int = 1,
        channels: int = 1,
        *,
        pool: str = "class",
        hidden: int | None = None,
        norm: str = "pre",
        activation: Any = "gelu",
        normalization: Callable[[int], Any] = LayerNorm,
        dropout: float = 0.0,
        bias: bool = True,
        init: Any = None,
        rng: Any = None,
        label: str = "",
    ) -> None:
        self.size, self.patch, self.channels, places = cut(size, patch, channels)
        width, classes = checks.size("ViT", "width", width), checks.size("ViT", "classes", classes)
        normalization = checks.function("ViT", "normalization", normalization)
        if not checks.among(pool, ("class", "mean")):
            raise ValueError(f'ViT needs pool to be "class" or "mean". Received: pool={pool!r}')
        self.label, rng = label, generator(rng)
        start = SMALL if init is None else init
        nin = self.channels * self.patch[0] * self.patch[1]
        self.embedding = Layer(nin, width, activation="identity", bias=bias, init=init, rng=rng)
        self.token = (
            [Value(v) for v in weights(start, (1, width), rng)[0].tolist()] if pool == "class" else None
        )
        self.positions = LearnedPositions(places + (pool == "class"), width, init=start, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)
        self.blocks = [
            TransformerBlock(
                width, heads, hidden, norm=norm, activation=activation, normalization=normalization,
                dropout=dropout, bias=bias, init=init, rng=rng,
            )
            for _ in range(checks.size("ViT", "blocks", blocks))
        ]  # fmt: skip
        self.norm_last = normalization(width) if norm == "pre" else None
        self.head = Layer(width, classes, activation="identity", bias=bias, init=init, rng=rng)

    def __call__(self, image: Any) -> Any:
        x = each(self.embedding, self.patches(image))
        x = self.dropout(self.positions([self.token, *x] if self.token else x))
        for block in self.blocks:
            x = block(x)
        x = each(self.norm_last, x) if self.norm_last else x
        return self.head(x[0] if self.token else [mean(column) for column in zip(*x, strict=True)])

    def patches(self, image: Any) -> list[list[Any]]:
        """The patches of an image, row by row, each a list of its numbers."""
        image = image if isinstance(image, np.ndarray) else nested(image)
        if self.channels == 1 and len(checks.shape(image)) == 2:
            image = [image]
        array = grid(self, image, (self.channels, *self.size))
        (h, w), (height, width) = self.patch, self.size
        corners = [(i, j) for i in range(0, height, h) for j in range(0, width, w)]
        return [array[:, i : i + h, j : j + w].ravel().tolist() for i, j in corners]

    def _title(self) -> str:
        by = [f"{h}x{w}" if h != w else f"{h}" for h, w in (self.size, self.patch)]
        return f"{type(self).__name__}({by[0]}, patch={by[1]})"


def cut(image: Any, patch: Any, channels: int) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    """The sizes of image and patch as pairs, the channels, and how many patches there are."""
    sides, parts = pair("size", image), pair("patch", patch)
    if any(n % part for n, part in zip(sides, parts, strict=True)):
        raise ValueError(f"ViT needs patches that divide the image. Received: size={image}, patch={patch}")
    return (
        sides,
        parts,
        checks.size("ViT", "channels", channels),
        (sides[0] // parts[0]) * (sides[1] // parts[1]),
    )


def pair(name: str, n: Any) -> tuple[int, int]:
    """Height and width: given as a pair, or as one number for both."""
    h, w = n if isinstance(n, (tuple, list)) and len(n) == 2 else (n, n)
    return checks.size("ViT", name, h), checks.size("ViT", name, w)
