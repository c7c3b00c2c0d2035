"""The data of the lessons is what its README says, and a split of it is honest."""

import numpy as np
import pytest

from demos.data import load_digits, load_iris, load_names, make_moons, split


def test_iris_is_the_table_of_fishers_paper():
    X, y, names = load_iris()
    assert X.shape == (150, 4)
    assert np.bincount(y).tolist() == [50, 50, 50]
    assert names == ("setosa", "versicolor", "virginica")
    assert X.sum() == pytest.approx(2078.7)
    assert X[34].tolist() == [4.9, 3.1, 1.5, 0.2]  # these two flowers are wrong in UCI's own file
    assert X[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    assert X[101].tolist() == X[142].tolist()
    assert X[y == 0, 2].max() < X[y == 1, 2].min()  # setosa is told apart by the length of its petals


def test_digits_are_all_there():
    X, y = load_digits()
    assert X.shape == (1797, 64)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (X.min(), X.max(), X.sum()) == (0, 16, 561718)
    assert np.array_equal(X, X.astype(int))


def test_names_are_words_each_once():
    names = load_names()
    assert len(names) == 5163
    assert names == sorted({*names})
    assert {letter for name in names for letter in name} == {*"abcdefghijklmnopqrstuvwxyz"}
    assert {*map(len, names)} == {*range(2, 12)}
    assert {"mary", "james", "christopher"} <= {*names}


@pytest.mark.parametrize("n", [2, 7, 100])
def test_moons_without_noise_lie_on_their_circles(n):
    X, y = make_moons(n, noise=0, rng=3)
    assert np.bincount(y).tolist() == [n // 2, n - n // 2]
    centre = np.where(y[:, None] == 0, [0, 0], [1, 0.5])
    assert np.hypot(*(X - centre).T) == pytest.approx(np.ones(n))
    assert (X[y == 0, 1] >= 0).all()
    assert (X[y == 1, 1] <= 0.5).all()


def test_noise_has_the_deviation_asked_for():
    X, y = make_moons(20_000, noise=0.25, rng=3)
    radius = np.hypot(*(X - np.where(y[:, None] == 0, [0, 0], [1, 0.5])).T)
    assert radius.std() == pytest.approx(0.25, rel=0.05)
    assert abs(np.diff(y)).sum() == pytest.approx(10_000, rel=0.05)  # in random order


def test_randomness_is_the_seed_given():
    for make in (lambda rng: make_moons(10, rng=rng), lambda rng: split(range(10), [0, 1] * 5, rng=rng)):
        first, again, other = make(5), make(np.random.default_rng(5)), make(6)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.99])
def test_split_leaks_nothing_and_loses_nothing(share):
    y = np.repeat(["a", "b", "c"], [2, 40, 200])
    train, test, y_train, y_test = split(np.arange(242), y, test=share, rng=1)
    assert sorted([*train, *test]) == list(range(242))
    assert np.array_equal(y[train], y_train)
    assert np.array_equal(y[test], y_test)
    for name, count in zip(*np.unique(y, return_counts=True), strict=True):
        assert 1 <= np.sum(y_test == name) <= count - 1
        assert np.sum(y_test == name) == pytest.approx(share * count, abs=1)
    assert list(train) != sorted(train)
    assert share == 0.01 or list(test) != sorted(test)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: make_moons(1), "at least 2 points.* Received: n=1"),
        (lambda: make_moons(noise=-1), "noise of at least 0.* Received: noise=-1"),
        (lambda: make_moons(noise=float("nan")), "Received: noise=nan"),
        (lambda: split([1, 2], [1]), r"one class for each row of X. Received: X \(2,\), y \(1,\)"),
        (lambda: split([], []), r"Received: X \(0,\), y \(0,\)"),
        (lambda: split([1, 2], [[1], [2]]), r"Received: X \(2,\), y \(2, 1\)"),
        (lambda: split([1, 2, 3], [0, 0, 0], test=1), "between 0 and 1. Received: test=1"),
        (lambda: split([1, 2, 3], [0, 0, 1]), "at least 2 rows of each class. Received: 1 of class 1"),
    ],
)
def test_errors_say_what_must_hold_and_what_came(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
