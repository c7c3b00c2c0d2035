"""Data: splitting it, encoding labels, batches.

    X_train, X_test, y_train, y_test = train_test_split(X, y, test=0.2, rng=0)
    batches = DataLoader(X_train, y_train, batch_size=32, rng=0)
    for epoch in range(10):
        for X_batch, y_batch in batches:
            step(X_batch, y_batch)

Arrays and lists of one length go in, one entry a sample; arrays come out, but lists whose entries differ in length,
such as sentences, stay lists. `rng` is None, Python's global `random`, an int seed, a random.Random or a NumPy
Generator.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .checks import real, size
from .init import Floats, generator


def train_test_split(*arrays: Any, test: float = 0.25, rng: Any = None, stratify: Any = None) -> list[Any]:
    """Each array in two parts, to train on and to test with, of the same random samples: [a_train, a_test, b_train,
    b_test, ...]. scikit-learn's function, but for its draws.

    test: the share of samples to test with, rounded up, or their number, an int. stratify: a label for each sample;
    each label has then the same share in both parts, up to rounding.

    >>> X, y = np.arange(8).reshape(4, 2), ["a", "b", "c", "d"]
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, rng=0)
    >>> X_train.shape, X_test.shape, len(y_train), len(y_test)
    ((3, 2), (1, 2), 3, 1)
    >>> sorted(train_test_split([0, 0, 1, 1], test=0.5, stratify=[0, 0, 1, 1], rng=0)[1].tolist())
    [0, 1]
    """
    tables = samples("train_test_split", arrays)
    n = len(tables[0])
    count = how_many(test, n)
    order = shuffled(n, generator(rng))
    if stratify is not None:
        order = first_of_each(samples("train_test_split", (tables[0], stratify))[1], order, count)
    chosen, rest = order[:count], order[count:]
    return [pick(table, part) for table in tables for part in (rest, chosen)]


def one_hot(labels: Any, classes: int | None = None) -> Floats:
    """For each label k, 0 to classes - 1, a row of zeros with a 1 at place k: the shape of labels, and one axis more.
    Without `classes` they are as many as the largest label needs.

    >>> one_hot([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    array = as_array(labels)
    if isinstance(array, list):
        raise ValueError("one_hot needs lists of one length as labels. Received: lists of different lengths")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"one_hot needs ints as labels. Received: an array of {array.dtype}")
    if not array.size and classes is None:
        raise ValueError("one_hot needs at least one label, or classes. Received: neither")
    array = array.astype(np.int64)
    k = 1 + int(array.max()) if classes is None else size("one_hot", "classes", classes)
    wrong = array[(array < 0) | (array >= k)]
    if wrong.size:
        raise ValueError(f"one_hot needs labels from 0 to {k - 1}. Received: {wrong[0]}")
    rows: Floats = np.eye(k)[array]
    return rows


class DataLoader:
    """Batches of samples: each `for` is one epoch, in a new order, of tuples with one batch of each array.

    The last batch is smaller where batch_size does not divide the number of samples; `drop_last` leaves it out.
    `len(loader)` is the number of batches. `state_dict` tells where its random numbers are, so that after
    `load_state_dict` the next epochs are the same; take it between epochs, for an order is drawn at an epoch's start.
    With rng=None that is the state of Python's global `random`.

    >>> loader = DataLoader([[1.0], [2.0], [3.0]], [1, 2, 3], batch_size=2, shuffle=False)
    >>> for X, y in loader:
    ...     print(X.tolist(), y)
    [[1.0], [2.0]] [1 2]
    [[3.0]] [3]
    """

    def __init__(
        self,
        *arrays: Any,
        batch_size: int = 32,
        shuffle: bool = True,
        rng: Any = None,
        drop_last: bool = False,
    ) -> None:
        self.arrays = samples("DataLoader", arrays)
        self.batch_size = size("DataLoader", "batch_size", batch_size)
        self.shuffle, self.rng, self.drop_last = shuffle, generator(rng), drop_last

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        n = len(self.arrays[0])
        order = shuffled(n, self.rng) if self.shuffle else [*range(n)]
        parts = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        return (tuple([pick(array, part) for array in self.arrays]) for part in parts)

    def __len__(self) -> int:
        n = len(self.arrays[0])
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The name of the kind of generator, and its state."""
        if isinstance(self.rng, np.random.Generator):
            return {"generator": kind_of(self.rng), "state": self.rng.bit_generator.state}
        return {"generator": kind_of(self.rng), "state": self.rng.getstate()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. ValueError if it is of another kind of generator."""
        if not isinstance(state, Mapping):
            raise TypeError(
                f"DataLoader needs a state, a dict of state_dict. Received: {type(state).__name__}"
            )
        if state.keys() != {"generator", "state"} or state["generator"] != kind_of(self.rng):
            raise ValueError(
                f"DataLoader needs the state of a generator {kind_of(self.rng)}. Received: "
                f"{state.get('generator')} with {sorted(state)}"
            )
        try:
            if isinstance(self.rng, np.random.Generator):
                self.rng.bit_generator.state = state["state"]
            else:
                version, numbers, more = state["state"]
                self.rng.setstate((version, tuple(numbers), more))  # JSON has made lists of tuples
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ValueError(
                f"DataLoader needs a state of its generator, as state_dict gave it. Received: {state['state']!r:.60}"
            ) from error

    def __repr__(self) -> str:
        return f"DataLoader({len(self.arrays[0])} samples, batch_size={self.batch_size})"


# What they share --------------------------------------------------------------------------------------------------


def samples(owner: str, arrays: tuple[Any, ...]) -> list[Any]:
    """Each as an array, or as a list where its entries are of different lengths; all of one length."""
    if not arrays:
        raise TypeError(f"{owner} needs at least one array or list. Received: none")
    for xs in arrays:
        if (
            isinstance(xs, (str, bytes, dict, set))
            or not hasattr(xs, "__len__")
            or getattr(xs, "ndim", 1) < 1
        ):
            raise TypeError(f"{owner} needs arrays or lists. Received: {type(xs).__name__}")
    lengths = [len(xs) for xs in arrays]
    if len({*lengths}) > 1 or not lengths[0]:
        raise ValueError(f"{owner} needs arrays of one length, at least 1. Received: lengths {lengths}")
    return [as_array(xs) for xs in arrays]


def as_array(xs: Any) -> Any:
    try:
        return np.asarray(xs)
    except ValueError:  # entries of different lengths
        return list(xs)


def pick(table: Any, places: list[int]) -> Any:
    return [table[i] for i in places] if isinstance(table, list) else table[places]


def shuffled(n: int, rng: Any) -> list[int]:
    """0 to n - 1 in random order."""
    order = [*range(n)]
    rng.shuffle(order)
    return order


def kind_of(rng: Any) -> str:
    if isinstance(rng, np.random.Generator):
        return type(rng.bit_generator).__name__
    return "random" if rng is random else type(rng).__name__


def how_many(test: Any, n: int) -> int:
    """The number of samples to test with."""
    try:
        count = operator.index(test)
    except TypeError:
        test = real("train_test_split", "test", test)
        count = math.ceil(test * n) if 0.0 < test < 1.0 else 0
    if isinstance(test, bool) or not 0 < count < n:
        raise ValueError(
            "train_test_split needs test to be a share between 0 and 1, or an int, that leaves both parts at least one"
            f" sample. Received: test={test!r} for {n} samples"
        )
    return count


def first_of_each(labels: Any, order: list[int], count: int) -> list[int]:
    """The order with `count` places first in which each label has its share. Shares are rounded down; what is then
    left goes to the largest remainders (Hamilton's method), by chance where they are equal."""
    if isinstance(labels, list) or labels.ndim > 1:
        raise ValueError(
            "train_test_split needs one label for each sample as stratify. Received: lists of them"
        )
    groups: dict[Any, list[int]] = {}
    for place, label in zip(order, labels[order].tolist(), strict=True):
        groups.setdefault(label, []).append(place)
    from fractions import Fraction  # exact, where a float might round a share up

    exact = {label: Fraction(len(group) * count, len(order)) for label, group in groups.items()}
    take = {label: int(share) for label, share in exact.items()}
    remainders = sorted(groups, key=lambda label: take[label] - exact[label])
    for label in remainders[: count - sum(take.values())]:
        take[label] += 1
    chosen = {place for label, group in groups.items() for place in group[: take[label]]}
    return [p for p in order if p in chosen] + [p for p in order if p not in chosen]
