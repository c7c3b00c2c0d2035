"""Metrics against values counted by hand and against plain loops over the samples."""

import math
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from nn import metrics

FOUND, TRUE = (
    [0, 1, 1, 2, 2, 2, 0, 1],
    [0, 1, 2, 2, 2, 1, 1, 1],
)  # by hand: hits 1, 2, 2; found 2, 3, 3; true 1, 4, 3
ROWS = (np.eye(3)[FOUND] * 3.0 - 1.0).tolist()


def by_loops(found, true, k):
    """(hits, false alarms, misses) of one class, sample by sample."""
    both = [*zip(found, true, strict=True)]
    return (
        sum(f == k and t == k for f, t in both),
        sum(f == k and t != k for f, t in both),
        sum(f != k and t == k for f, t in both),
    )


def share(x, y):
    return x / y if y else 0.0


RATIOS: dict[str, Any] = {
    "precision": lambda tp, fp, fn: share(tp, tp + fp),
    "recall": lambda tp, fp, fn: share(tp, tp + fn),
    "f1": lambda tp, fp, fn: share(2 * tp, 2 * tp + fp + fn),
}


def test_by_hand():
    assert metrics.accuracy(FOUND, TRUE) == 5 / 8
    assert metrics.confusion_matrix(FOUND, TRUE).tolist() == [[1, 0, 0], [1, 2, 1], [0, 1, 2]]
    assert metrics.precision(FOUND, TRUE, None).tolist() == [1 / 2, 2 / 3, 2 / 3]
    assert metrics.recall(FOUND, TRUE, None).tolist() == [1.0, 2 / 4, 2 / 3]
    assert metrics.f1(FOUND, TRUE, None).tolist() == pytest.approx([2 / 3, 4 / 7, 2 / 3])
    assert metrics.precision(FOUND, TRUE, "macro") == pytest.approx(11 / 18)
    assert metrics.recall(FOUND, TRUE, "macro") == pytest.approx(13 / 18)
    for metric in (metrics.precision, metrics.recall, metrics.f1):
        assert metric(FOUND, TRUE, "micro") == 5 / 8


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_against_loops(name, classes):
    metric, ratio = getattr(metrics, name), RATIOS[name]
    for seed in range(20):
        found, true = np.random.default_rng([seed, classes]).integers(classes, size=(2, 2 + seed)).tolist()
        counts = [by_loops(found, true, k) for k in range(classes)]
        present = [k for k in range(classes) if sum(counts[k])]
        each = [ratio(*c) for c in counts]
        assert metric(found, true, None) == pytest.approx(each[: 1 + max(found + true)])
        assert metric(found, true, "macro") == pytest.approx(np.mean([each[k] for k in present]))
        assert metric(found, true, "micro") == pytest.approx(ratio(*np.sum(counts, axis=0)))
        if classes == 2:
            assert metric(found, true) == pytest.approx(each[1])
        for average in ("macro", "micro"):
            assert type(metric(found, true, average)) is float


def test_nothing_found_and_nothing_there():
    """0 / 0 is 0, and says nothing."""
    for metric in (metrics.precision, metrics.recall, metrics.f1):
        assert metric([0, 0], [1, 1]) == metric([1, 1], [0, 0]) == metric([0, 0], [0, 0]) == 0.0
        assert metric([0, 0], [0, 0], "macro") == 1.0
        assert metric([0, 3], [0, 3], None).tolist() == [1.0, 0.0, 0.0, 1.0]
        assert type(metric([0, 0], [1, 1])) is float


def test_every_form_of_outputs():
    logits = [0.5, -2.0, 1e-30, 0.0, -0.0, 3.0]
    signs, truth = [1, 0, 1, 0, 0, 1], [1, 1, 1, 0, 0, 0]
    for given in (
        signs, np.array(signs), np.array(signs, np.uint8), np.array(signs, bool), logits, np.array(logits),
        [Value(z) for z in logits], np.array([Value(z) for z in logits]), iter(logits),
        [[0.0, z] for z in logits], np.array([[0.0, z] for z in logits]), [[Value(0.0), Value(z)] for z in logits],
        [np.array([0.0, z]) for z in logits], np.array([[0.0, z] for z in logits], np.float32),
    ):  # fmt: skip
        assert metrics.confusion_matrix(given, truth).tolist() == [[2, 1], [1, 2]]
    for targets in (truth, np.array(truth), np.array(truth, float), [Value(t) for t in truth], iter(truth)):
        assert metrics.accuracy(signs, targets) == 4 / 6
    assert metrics.accuracy(ROWS, TRUE) == 5 / 8
    assert metrics.f1(ROWS, TRUE, "macro") == metrics.f1(FOUND, TRUE, "macro")
    assert metrics.confusion_matrix([[1.0, 0.0, 0.0, 0.0]], [1]).shape == (4, 4)
    assert metrics.confusion_matrix([0], [1], classes=5).shape == (5, 5)
    assert metrics.confusion_matrix([0], [1]).dtype == np.int64
    model = nn.MLP(2, [3, 3], rng=0)
    assert 0.0 <= metrics.accuracy([model([1.0, float(i)]) for i in range(4)], [0, 1, 2, 0]) <= 1.0


def test_r2():
    draw = np.random.default_rng(0)
    y, t = draw.normal(size=(2, 9, 3))
    each = [1 - sum((y[:, i] - t[:, i]) ** 2) / sum((t[:, i] - t[:, i].mean()) ** 2) for i in range(3)]
    assert metrics.r2(y[:, 0], t[:, 0]) == pytest.approx(each[0])
    assert metrics.r2(y, t) == pytest.approx(np.mean(each))
    assert metrics.r2(y[:, :1], t[:, :1]) == metrics.r2([Value(v) for v in y[:, 0]], t[:, 0].tolist())
    assert metrics.r2(t, t) == 1.0
    assert metrics.r2([t[:, 0].mean()] * 9, t[:, 0]) == pytest.approx(0.0)
    assert metrics.r2([0.1] * 3, [0.1] * 3) == metrics.r2([2.0], [2.0]) == 1.0
    assert metrics.r2([0.1, 0.1, 0.2], [0.1] * 3) == metrics.r2([2.0], [3.0]) == 0.0
    assert metrics.r2([[1.0, 5.0], [2.0, 5.0]], [[1.0, 4.0], [2.0, 4.0]]) == 0.5
    assert math.isnan(metrics.r2([math.nan, 1.0], [0.0, 1.0]))


def test_perplexity():
    z = np.random.default_rng(0).normal(size=(6, 4)) * 3
    targets = [0, 1, 2, 3, 1, 1]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = np.prod([1 / row[k] for row, k in zip(p, targets, strict=True)]) ** (1 / 6)
    assert metrics.perplexity(z, targets) == pytest.approx(expected)
    assert metrics.perplexity(np.log(p), targets) == pytest.approx(expected)
    values = [[Value(v) for v in row] for row in z]
    assert metrics.perplexity(values, targets) == pytest.approx(math.exp(nn.cross_entropy(z, targets)))
    assert metrics.perplexity(z + 1e4, targets) == pytest.approx(expected)
    assert metrics.perplexity([[0.0, -math.inf]], [0]) == 1.0
    assert metrics.perplexity([[0.0, -math.inf]], [1]) == math.inf


def test_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    for seed in range(10):
        draw = np.random.default_rng(seed)
        found, true = draw.integers(4, size=(2, 12))
        for ours, theirs in (
            (metrics.precision, sklearn.precision_score), (metrics.recall, sklearn.recall_score),
            (metrics.f1, sklearn.f1_score),
        ):  # fmt: skip
            for average in ("macro", "micro"):
                expected = theirs(true, found, average=average, zero_division=0)
                assert ours(found, true, average) == pytest.approx(expected)
        y, t = draw.normal(size=(2, 7, 2))
        assert metrics.r2(y, t) == pytest.approx(sklearn.r2_score(t, y))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.accuracy([0, 1], [0]), ValueError, r"Received: 2 samples, targets \(1,\)"),
        (lambda: metrics.accuracy([0, 1], 0), ValueError, r"Received: 2 samples, targets \(\)"),
        (lambda: metrics.accuracy([], []), ValueError, r"at least one sample. Received: shape \(0,\)"),
        (lambda: metrics.accuracy(3, [1]), ValueError, r"Received: shape \(\)"),
        (
            lambda: metrics.accuracy([[1.0], [2.0]], [0, 1]),
            ValueError,
            r"rows of at least 2.* shape \(2, 1\)",
        ),
        (lambda: metrics.accuracy([[1.0, 2.0], [2.0]], [0, 1]), ValueError, "lists of different lengths"),
        (lambda: metrics.accuracy([0, 1], [-1, 1]), ValueError, "whole numbers from 0. Received: -1"),
        (lambda: metrics.accuracy([0, 1], [0.5, 1]), ValueError, "whole numbers from 0. Received: 0.5"),
        (lambda: metrics.accuracy([0, 1], [math.nan, 1]), ValueError, "Received: nan"),
        (lambda: metrics.accuracy([0, 1], [math.inf, 1]), ValueError, "Received: inf"),
        (
            lambda: metrics.accuracy([0, -1], [0, 1]),
            ValueError,
            "accuracy needs class indices.* Received: -1",
        ),
        (lambda: metrics.accuracy(["a", "b"], [0, 1]), TypeError, "accuracy needs numbers or Values"),
        (lambda: metrics.confusion_matrix([0, 2], [0, 1], 2), ValueError, "Received: 2, 2"),
        (lambda: metrics.f1([0, 2], [0, 1]), ValueError, "Received: average='binary', 3 classes"),
        (lambda: metrics.f1([0, 2], [0, 1], "mean"), ValueError, "f1 needs average to be one of .* 'mean'"),
        (lambda: metrics.r2([1.0], [1.0, 2.0]), ValueError, r"Received: \(1,\) and \(2,\)"),
        (lambda: metrics.r2([], []), ValueError, "at least one"),
        (lambda: metrics.perplexity([1.0, 2.0], [0, 1]), ValueError, r"Received: outputs of shape \(2,\)"),
        (lambda: metrics.perplexity([[1.0, 2.0]], [2]), ValueError, "needs targets below 2.* Received: 2"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
