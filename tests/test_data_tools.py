"""Splitting, encoding and batches: nothing is lost, nothing comes twice, rows stay together, seeds repeat."""

import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

import nn
from nn.data import DataLoader, one_hot, train_test_split

KINDS: dict[str, Any] = {
    "seed": lambda: 7,
    "random": lambda: random.Random(7),
    "numpy": lambda: np.random.default_rng(7),
}
X, Y = np.arange(22.0).reshape(11, 2), np.arange(11)
WORDS = [[i] * (1 + i % 3) for i in range(11)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("test", "count"), [(0.25, 3), (0.5, 6), (1, 1), (10, 10), (np.int64(4), 4), (0.01, 1)]
)
def test_a_split(kind, test, count):
    parts = train_test_split(X, Y.tolist(), WORDS, test=test, rng=KINDS[kind]())
    assert [len(part) for part in parts] == [11 - count, count] * 3
    x_train, x_test, y_train, y_test, words_train, words_test = parts
    assert sorted([*y_train, *y_test]) == Y.tolist()
    for x, y, words in ((x_train, y_train, words_train), (x_test, y_test, words_test)):
        assert (x == X[y]).all()
        assert words == [WORDS[i] for i in y]
        assert type(words) is list
        assert x.dtype == float
        assert y.dtype == int
    again = train_test_split(X, Y.tolist(), WORDS, test=test, rng=KINDS[kind]())
    assert str(again) == str(parts)


def test_splits_differ_and_none_is_the_global_generator():
    assert len({str(train_test_split(Y, rng=seed)[1]) for seed in range(10)}) > 5
    random.seed(3)
    first = train_test_split(Y)[1].tolist()
    random.seed(3)
    assert train_test_split(Y)[1].tolist() == first
    chosen = Counter(int(i) for seed in range(2000) for i in train_test_split(Y, test=1, rng=seed)[1])
    assert min(chosen.values()) > 120  # of 182 expected: 4.8 standard deviations
    assert max(chosen.values()) < 250


@pytest.mark.parametrize("labels", [["a"] * 30 + ["b"] * 10 + ["c"] * 4, np.repeat([5, 1, 2], [30, 10, 4])])
@pytest.mark.parametrize("test", [0.25, 0.5, 7])
def test_a_stratified_split(labels, test):
    for seed in range(5):
        train, held, train_labels, held_labels = train_test_split(
            np.arange(44), labels, test=test, stratify=labels, rng=seed
        )
        assert sorted([*train, *held]) == [*range(44)]
        assert all(
            labels[i] == label
            for i, label in zip([*train, *held], [*train_labels, *held_labels], strict=True)
        )
        ratio = len(held) / 44
        for label, count in Counter([*held_labels]).items():
            assert abs(count - ratio * [*labels].count(label)) < 1.0
        assert len(held) == (7 if test == 7 else 44 * test)
        assert held.tolist() != sorted(held)  # labels are not in blocks


def test_the_largest_remainders_get_what_rounding_leaves():
    labels = ["a"] * 5 + ["b"] * 3 + ["c"] * 2  # of 4: 2, 1.2 and 0.8
    for seed in range(10):
        _, held = train_test_split(labels, test=4, stratify=labels, rng=seed)
        assert sorted(held) == ["a", "a", "b", "c"]


def test_one_hot():
    assert one_hot([0, 2, 1]).tolist() == np.eye(3)[[0, 2, 1]].tolist()
    assert one_hot(np.array([[0, 1], [1, 1]], np.uint8), 4).shape == (2, 2, 4)
    assert one_hot(1, 3).tolist() == [0.0, 1.0, 0.0]
    assert one_hot([], 3).shape == (0, 3)
    assert one_hot([0]).dtype == float
    logits = np.random.default_rng(0).normal(size=(3, 3))
    assert nn.cross_entropy(logits, one_hot([0, 2, 1])) == nn.cross_entropy(logits, [0, 2, 1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "drop", "sizes"), [
    (4, False, [4, 4, 3]), (4, True, [4, 4]), (11, False, [11]), (20, False, [11]), (20, True, []), (1, True, [1] * 11)
])  # fmt: skip
def test_epochs(kind, size, drop, sizes):
    loader = DataLoader(X, Y.tolist(), WORDS, batch_size=size, drop_last=drop, rng=KINDS[kind]())
    assert len(loader) == len(sizes)
    orders = []
    for _ in range(3):
        batches = [*loader]
        assert [len(y) for _, y, _ in batches] == sizes
        for x, y, words in batches:
            assert (x == X[y]).all()
            assert words == [WORDS[i] for i in y]
        orders.append([int(i) for _, y, _ in batches for i in y])
        assert len({*orders[-1]}) == sum(sizes)
    if sizes:
        assert len({str(order) for order in orders}) == 3
    twin = DataLoader(X, Y.tolist(), WORDS, batch_size=size, drop_last=drop, rng=KINDS[kind]())
    assert [[int(i) for _, y, _ in twin for i in y] for _ in range(3)] == orders


def test_in_order():
    loader = DataLoader(Y, batch_size=4, shuffle=False)
    assert [batch.tolist() for (batch,) in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert repr(loader) == "DataLoader(11 samples, batch_size=4)"
    (batch,) = next(iter(loader))
    batch[0] = 99
    assert Y[0] == 0  # a batch is a copy


def test_two_epochs_at_a_time_do_not_meet():
    loader = DataLoader(Y, batch_size=2, rng=0)
    pairs = [*zip(loader, loader, strict=True)]
    for side in (0, 1):
        assert sorted(i for pair in pairs for i in pair[side][0].tolist()) == Y.tolist()


@pytest.mark.parametrize("kind", [*KINDS, "global"])
def test_what_is_saved_resumes(kind):
    make = lambda: DataLoader(Y, batch_size=4, rng=KINDS.get(kind, lambda: None)())
    loader = make()
    for _ in range(3):
        list(loader)
    state = loader.state_dict()
    kept = json.dumps(state)
    following = [[batch.tolist() for (batch,) in loader] for _ in range(2)]
    assert json.dumps(state) == kept
    for given in (state, json.loads(kept)):
        twin = make()
        twin.load_state_dict(given)
        assert [[batch.tolist() for (batch,) in twin] for _ in range(2)] == following


def test_with_a_compiled_step():
    model = nn.MLP(2, [4, 1], activation="tanh", rng=0)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.1))
    targets = (X[:, 0] > 10).astype(float)
    loader = DataLoader(X / 20, targets, batch_size=4, rng=0)
    losses = [np.mean([step(*batch) for batch in loader]) for _ in range(100)]
    assert losses[-1] < losses[0] / 3


of: Any = DataLoader
split: Any = train_test_split
hot: Any = one_hot


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: split(), TypeError, "train_test_split needs at least one array or list. Received: none"),
        (lambda: split("abc"), TypeError, "needs arrays or lists. Received: str"),
        (lambda: split(3), TypeError, "needs arrays or lists. Received: int"),
        (lambda: split(np.array(3.0)), TypeError, "needs arrays or lists. Received: ndarray"),
        (lambda: split([1, 2], [1]), ValueError, r"of one length, at least 1. Received: lengths \[2, 1\]"),
        (lambda: split([], []), ValueError, r"Received: lengths \[0, 0\]"),
        (lambda: split([1]), ValueError, "Received: test=0.25 for 1 samples"),
        (lambda: split([1, 2], test=2), ValueError, "Received: test=2 for 2 samples"),
        (lambda: split([1, 2], test=0.99), ValueError, "Received: test=0.99 for 2 samples"),
        (lambda: split([1, 2], test=1.0), ValueError, "Received: test=1.0"),
        (lambda: split([1, 2], test=True), ValueError, "Received: test=True"),
        (lambda: split([1, 2], test=float("nan")), ValueError, "Received: test=nan"),
        (lambda: split([1, 2], stratify=[1]), ValueError, r"Received: lengths \[2, 1\]"),
        (lambda: split([1, 2], rng="x"), TypeError, "rng is None, an int"),
        (lambda: hot([0.5]), TypeError, "one_hot needs ints as labels. Received: an array of float64"),
        (lambda: hot([True]), TypeError, "Received: an array of bool"),
        (lambda: hot([0, 3], 3), ValueError, "one_hot needs labels from 0 to 2. Received: 3"),
        (lambda: hot([-1, 0]), ValueError, "one_hot needs labels from 0 to 0. Received: -1"),
        (lambda: hot([]), ValueError, "at least one label, or classes. Received: neither"),
        (lambda: of(), TypeError, "DataLoader needs at least one array"),
        (lambda: of([1], [1, 2]), ValueError, r"DataLoader needs arrays of one length.* \[1, 2\]"),
        (lambda: of([1], batch_size=0), ValueError, "DataLoader needs batch_size to be at least 1"),
        (lambda: of([1], batch_size=1.5), TypeError, "DataLoader needs an int as batch_size"),
        (
            lambda: of([1], rng=0).load_state_dict(of([1], rng=np.random.default_rng(0)).state_dict()),
            ValueError,
            "the state of a generator Random. Received: PCG64 with",
        ),
        (lambda: of([1], rng=0).load_state_dict({}), ValueError, r"Received: None with \[\]"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
