"""Data to learn: iris flowers, handwritten digits, first names, two moons, an honest split. Sources: see README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["load_digits", "load_iris", "load_names", "make_moons", "split"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Seed = int | np.random.Generator

HERE = Path(__file__).parent


def load_iris() -> tuple[Floats, Integers, tuple[str, ...]]:
    """150 iris flowers: sepal length and width, petal length and width in cm; their species; its three names.

    >>> X, y, names = load_iris()
    >>> X.shape, y.shape, names
    ((150, 4), (150,), ('setosa', 'versicolor', 'virginica'))
    >>> X[0].tolist(), names[y[0]]
    ([5.1, 3.5, 1.4, 0.2], 'setosa')
    """
    table = np.loadtxt(HERE / "iris.csv", dtype=str, delimiter=",", skiprows=1)
    names, y = np.unique(table[:, -1], return_inverse=True)
    return table[:, :-1].astype(np.float64), y.astype(np.int64), tuple(names.tolist())


def load_digits() -> tuple[Floats, Integers]:
    """1,797 handwritten digits: 64 pixels each, 8x8 row by row from 0 (white) to 16 (black); the digits.

    >>> X, y = load_digits()
    >>> X.shape, y.shape, y[:10].tolist()
    ((1797, 64), (1797,), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> for row in X[0].reshape(8, 8):
    ...     print("".join(" .:*#"[int(pixel) // 4] for pixel in row).rstrip())
      .*:
      **:*.
      *  ::
     .*  ::
     .:  ::
     .:  *.
      *.:*
      .*:
    """
    table = np.loadtxt(HERE / "digits.csv.gz", dtype=np.int64, delimiter=",", skiprows=1)
    return table[:, :-1].astype(np.float64), table[:, -1]


def load_names() -> list[str]:
    """5,163 first names of the United States in the order of the alphabet, 2 to 11 small letters a to z each.

    >>> names = load_names()
    >>> len(names), names[:3], max(map(len, names))
    (5163, ['aaron', 'abbey', 'abbie'], 11)
    """
    return (HERE / "names.txt").read_text(encoding="ascii").split()


def make_moons(n: int = 100, noise: float = 0.1, *, rng: Seed = 0) -> tuple[Floats, Integers]:
    """n points on two half circles that reach into each other, in random order; 0 or 1 for the moon of each.

        moon 0: (cos t, sin t)    moon 1: (1 - cos t, 1/2 - sin t)    t evenly from 0 to pi

    Each coordinate is then off by a normal error of standard deviation `noise`. Where n is odd, moon 1 has
    one more. `rng` is a seed or a generator. The geometry is that of scikit-learn's `make_moons`.

    >>> X, y = make_moons(6, noise=0, rng=1)
    >>> for point, moon in sorted(zip(X.round(9).tolist(), y.tolist())):
    ...     print(point, moon)
    [-1.0, 0.0] 0
    [0.0, 0.5] 1
    [0.0, 1.0] 0
    [1.0, -0.5] 1
    [1.0, 0.0] 0
    [2.0, 0.5] 1
    """
    if n < 2:
        raise ValueError(f"make_moons needs at least 2 points, one for each moon. Received: n={n}")
    if not noise >= 0:
        raise ValueError(f"make_moons needs a noise of at least 0. Received: noise={noise}")
    rng = np.random.default_rng(rng)
    t, s = np.linspace(0, np.pi, n // 2), np.linspace(0, np.pi, n - n // 2)
    outer = np.column_stack([np.cos(t), np.sin(t)])
    inner = np.column_stack([1 - np.cos(s), 0.5 - np.sin(s)])
    X = np.concatenate([outer, inner]) + rng.normal(0.0, noise, (n, 2))
    y = np.repeat(np.arange(2), [len(outer), len(inner)])
    order = rng.permutation(n)
    return X[order], y[order]


def split(
    X: ArrayLike, y: ArrayLike, test: float = 0.25, *, rng: Seed = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A training and a test part: (X_train, X_test, y_train, y_test), no row in both, each in random order.

    The share `test` of every class goes to the test part, to the nearest whole row, and at least one row of
    it stays on either side. `rng` is a seed or a generator.

    >>> X, y, names = load_iris()
    >>> X_train, X_test, y_train, y_test = split(X, y, test=0.2, rng=0)
    >>> X_train.shape, X_test.shape, np.bincount(y_test).tolist()
    ((120, 4), (30, 4), [10, 10, 10])
    """
    X, y = np.asarray(X), np.asarray(y)
    if y.ndim != 1 or X.ndim == 0 or len(X) != len(y) or not len(y):
        raise ValueError(f"split needs one class for each row of X. Received: X {X.shape}, y {y.shape}")
    if not 0 < test < 1:
        raise ValueError(f"split needs a test share between 0 and 1. Received: test={test}")
    rng = np.random.default_rng(rng)
    held_out = np.zeros(len(y), dtype=bool)
    for name, count in zip(*np.unique(y, return_counts=True), strict=True):
        if count < 2:
            raise ValueError(f"split needs at least 2 rows of each class. Received: {count} of class {name}")
        share = min(max(round(test * count), 1), count - 1)
        held_out[rng.choice(np.flatnonzero(y == name), share, replace=False)] = True
    order = rng.permutation(len(y))
    train, tested = order[~held_out[order]], order[held_out[order]]
    return X[train], X[tested], y[train], y[tested]
