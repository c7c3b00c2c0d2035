"""Normalisation of inputs: features of one scale, so that no weight has to make up for a unit of measurement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .module import Module, scalars, wrong_size


class Standardize(Module):
    """(x - mean) / std for each feature, so that the data it was fitted to have mean 0 and standard deviation 1.

    Fit it to the training part alone: the other parts must stay unseen. A deviation of 0, of a feature that never
    changes, counts as 1. `std` divides by n, not n - 1. Mean and deviation are plain numbers; nothing is learned.
    A sample gives a list; an array, of one sample or of a row for each, gives an array.

    >>> scale = Standardize.fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scale([3.0, 5.0]), scale.mean, scale.std
    ([1.0, 0.0], [2.0, 5.0], [1.0, 1.0])
    """

    level = "layer"

    def __init__(self, mean: Iterable[Any], std: Iterable[Any], *, label: str = "") -> None:
        self.label = label
        self.mean: list[float] = []  # so that an error below knows the size
        self.mean = [float(m) for m in scalars(self, mean, "means as")]
        self.std = [float(s) or 1.0 for s in scalars(self, std, "deviations as")]
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(
                "Standardize needs a mean and a standard deviation for each feature."
                f" Received: {len(self.mean)} means, {len(self.std)} deviations."
            )
        if not (np.isfinite(self.mean + self.std).all() and min(self.std) > 0.0):
            raise ValueError(
                "Standardize needs finite means and deviations, these not below 0."
                f" Received: mean={self.mean}, std={self.std}."
            )

    @classmethod
    def fit(cls, X: Any) -> Standardize:
        """The one for the data X, a row for each sample."""
        rows = [np.asarray(x, dtype=float) for x in X]
        sizes = {row.shape for row in rows}
        if len(sizes) != 1 or rows[0].ndim != 1 or not rows[0].size:
            raise ValueError(
                "Standardize.fit needs a table, a row of numbers for each sample."
                f" Received: {len(rows)} rows, of shape {', '.join(map(str, sorted(sizes))) or '()'}."
            )
        data = np.array(rows)
        if not np.isfinite(data).all():
            raise ValueError("Standardize.fit needs finite numbers. Received: nan or inf among them.")
        changes = data.max(axis=0) > data.min(
            axis=0
        )  # of a constant, rounding may leave a deviation of 1e-17
        return cls(data.mean(axis=0), np.where(changes, data.std(axis=0), 0.0))

    def __call__(self, x: Any) -> Any:
        table = isinstance(x, np.ndarray) and x.ndim > 0
        xs = x if table else scalars(self, x, len(self.mean))
        n = x.shape[-1] if table else len(xs)
        if n != len(self.mean):
            raise wrong_size(self, len(self.mean), n)
        if table:
            return (x - np.array(self.mean)) / np.array(self.std)
        return [(v - m) / s for v, m, s in zip(xs, self.mean, self.std, strict=True)]

    def _title(self) -> str:
        return f"{type(self).__name__}({len(self.mean)})"
