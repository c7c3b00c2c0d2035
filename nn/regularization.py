"""Regularisation while training: `Dropout`. Penalties on the weights are in `penalties`, weight decay is the
optimisers', label smoothing that of `cross_entropy`, early stopping a callback of `fit`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from autograd.compiler.traced import uniform
from autograd.ops import step
from autograd.value import Value

from .checks import is_list, real, share
from .init import generator
from .module import Module


class Dropout(Module):
    """In training, each number is set to 0 with probability p, all else divided by 1 - p, so that the mean stays:

        y = x keep / (1 - p),   keep = 1 if u >= p else 0,   u uniform in [0, 1)

    So no neuron can rely on another one. In use, after `eval()`, it hands on what it gets (N. Srivastava et al., 2014).
    It takes numbers, vectors, sequences and images. `rng` is None, a seed, a random.Random or a NumPy Generator; in
    a compiled function the draws come from the program's own generator, anew for each sample and call.

    >>> Dropout(0.5, rng=1)([1.0, 1.0, 1.0, 1.0])
    [0.0, 2.0, 2.0, 0.0]
    >>> Dropout(0.5).eval()([1.0, 1.0])
    [1.0, 1.0]
    """

    level = "layer"

    def __init__(self, p: float = 0.5, *, rng: Any = None, label: str = "") -> None:
        self.p, self.label = share("Dropout", "p", p), label
        self.rng = None if generator(rng) is random else generator(rng)  # a module cannot be pickled

    def __call__(self, x: Any) -> Any:
        return self.dropped(x) if self.p and self.training else x

    def dropped(self, x: Any) -> Any:
        if isinstance(x, np.ndarray) and x.ndim:
            kept = [self.dropped(part) for part in x]
            return np.array(kept, dtype=float if x.dtype.kind in "biu" else x.dtype).reshape(x.shape)
        if is_list(x):
            return [self.dropped(part) for part in x]
        x = x if isinstance(x, Value) else real(self._named(), "input", x)
        keep = step(uniform(rng=self.rng), self.p)  # 0 in any case if p is 1, for u is below
        return x * (keep / (1.0 - self.p) if self.p < 1.0 else 0.0)

    def _title(self) -> str:
        return f"{type(self).__name__}({self.p:g})"
