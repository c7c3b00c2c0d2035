"""The networks learn: held-out digits and names, with fewer epochs than `python -m tests.learning` takes."""

import math

import numpy as np
import pytest

from demos.data import load_names

from . import learning

EPOCHS = {"MLP": 40, "CNN": 20, "ViT": 30, "LSTM": 40, "GPT": 6}


@pytest.mark.parametrize("name", EPOCHS)
def test_learns(name):
    found = learning.TASKS[name](seed=0, epochs=EPOCHS[name])
    assert found.reached, found
    assert found.seconds < 180.0
    if name == "GPT":
        assert 3500 <= found.parameters <= 4500
        assert len({*found.samples}) > 5
        assert all(sample.isalpha() for sample in found.samples if sample)
    else:
        assert found.score < 1.0


def test_the_bars_are_there_for_every_task():
    assert EPOCHS.keys() == learning.TASKS.keys()
    assert {name: row.bar for name, row in learning.DIGITS.items()} == {
        "MLP": 0.96,
        "CNN": 0.97,
        "ViT": 0.93,
        "LSTM": 0.93,
    }


def test_tokens_of_names():
    tokens, following, real = learning.tokens_of(["ab", "c"])
    assert tokens.tolist() == [[26, 0, 1], [26, 2, 26]]
    assert following.tolist() == [[0, 1, 26], [2, 26, 26]]
    assert real.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert learning.letters([0, 1, 26]) == "ab"


def test_the_loss_of_a_table_of_pairs():
    """By hand for two names; and on all names it beats letters without context, and uniform ones."""
    pairs = {("^", "a"): 2, ("a", "b"): 1, ("a", "$"): 1, ("b", "$"): 1}
    p = lambda first, then: (
        (pairs.get((first, then), 0) + 1) / (sum(n for (x, _), n in pairs.items() if x == first) + 27)
    )
    wanted = -(math.log(p("^", "a")) + math.log(p("a", "b")) + math.log(p("b", "$"))) / 3
    assert learning.bigram_loss(["ab", "a"], ["ab"]) == pytest.approx(wanted, rel=1e-12)
    names = load_names()
    counts = np.bincount([ord(c) - 97 for name in names for c in name] + [26] * len(names))
    p = counts / counts.sum()
    assert learning.bigram_loss(names, names) < -(p * np.log(p)).sum() < math.log(27)
