"""The lesson on recurrence: what it says comes out; its exercises, solved."""

import math
from itertools import pairwise

import numpy as np
import pytest

import nn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def weights(layer):
    """W and b of a Layer."""
    return np.array([[w.data for w in n.w] for n in layer.neurons]), np.array(
        [n.b.data for n in layer.neurons]
    )


def test_the_loop_is_the_network(lesson):
    W, b = weights(lesson["layer"])
    h = np.zeros(2)
    for x in lesson["steps"]:
        h = np.tanh(W @ [*x, *h] + b)
    np.testing.assert_allclose([v.data for v in lesson["outputs"][-1]], h, rtol=1e-12)
    assert lesson["rnn"].count_parameters() == 8
    assert lesson["loop_differs"] == lesson["resumed_differs"] == 0.0


def test_the_shared_gradient_is_the_sum_over_the_steps(lesson):
    assert lesson["sum_differs"] < 1e-14
    assert lesson["by_step"].shape == (3, 8)
    names = lesson["names"]
    by_state = [names.index(f"neurons.{k}.w[{m}]") for k in (0, 1) for m in (1, 2)]
    assert not lesson["by_step"][0, by_state].any()  # the first state is 0
    assert lesson["by_step"][1:, by_state].all()


def test_a_factor_for_each_step(lesson):
    assert lesson["powers"].keys() == {0.8, 1.0, 1.25}
    for s, found in lesson["powers"].items():
        assert found == pytest.approx(s**40, rel=1e-10)


def test_slopes_are_products_of_matrices(lesson):
    """Back through each step: by h the slope is W_h' diag(1 - h^2), by x the same with W_x."""
    net = lesson["kinds"]["RNN"](1, 3)
    found = lesson["slopes"](net, 7, 3)
    rng = np.random.default_rng(3)
    xs = [rng.normal(0.0, 0.5, 1) for _ in range(7)]
    direction = rng.normal(size=8)
    W, b = weights(net.cells[0].layer)
    states = [np.zeros(8)]
    for x in xs:
        states.append(np.tanh(W @ [*x, *states[-1]] + b))
    expected, g = [], direction
    for h in reversed(states[1:]):
        g = g * (1 - h**2)
        expected.append(abs(W[:, :1].T @ g).item())
        g = W[:, 1:].T @ g
    np.testing.assert_allclose(found, expected[::-1], rtol=1e-10)


def test_what_comes_back_depends_on_the_start(lesson):
    middle = {name: np.median(found) for name, found in lesson["ratios"].items()}
    for closed in ("RNN", "LSTM", "GRU"):
        assert middle[closed] < 1e-6, closed
    assert 1e-4 < middle["RNN, orthogonal"] < 0.1
    assert min(middle["LSTM, open"], middle["GRU, open"]) > 0.1
    assert max(lesson["ratios"]["LSTM"]) < min(lesson["ratios"]["LSTM, open"])  # of all ten


def test_the_open_lstm_remembers(lesson):
    assert lesson["recalled"].keys() == {"RNN", "LSTM, open"}
    xs, answers = lesson["sequences"](500, np.random.default_rng(0))
    assert xs.shape == (500, 40, 1)
    np.testing.assert_array_equal(xs[:, 0, 0], 2 * answers - 1)
    assert 0.4 < answers.mean() < 0.6
    assert lesson["recalled"]["RNN"][0] < 0.6


def test_names_are_learned_better_than_by_pairs(lesson):
    assert lesson["spelling"] < lesson["bigram"] < lesson["guessing"] == math.log(27)
    assert not {*lesson["held_out"]} & {*lesson["learned"]}
    for names in lesson["written"].values():
        assert all(len(name) <= 11 and (name.isalpha() or not name) for name in names)


def test_the_table_of_pairs_is_counted_right(lesson):
    def steps(names):
        for name in names:
            tokens = [26, *(ord(letter) - ord("a") for letter in name), 26][:13]
            yield from pairwise(tokens)

    counts = np.ones((27, 27))
    for a, b in steps(lesson["learned"]):
        counts[a, b] += 1
    np.testing.assert_allclose(lesson["pairs"], counts / counts.sum(axis=1, keepdims=True), rtol=1e-12)
    each = [-math.log(lesson["pairs"][a, b]) for a, b in steps(lesson["held_out"])]
    assert lesson["bigram"] == pytest.approx(math.fsum(each) / len(each), rel=1e-12)


def test_pictures_left(pictures):
    assert pictures - {"unrolled"} == {"gradients"}  # that one needs Graphviz


def test_exercise_an_rnn_that_adds_up():
    rnn = nn.RNN(1, 1, activation="identity", init="ones")  # biases begin at 0
    outputs, _ = rnn([[1.0], [2.0], [-4.0]])
    assert [out[0].data for out in outputs] == [1.0, 3.0, -1.0]


@pytest.mark.parametrize("n", [1, 3, 6])
def test_exercise_padding_changes_nothing(n):
    rng = np.random.default_rng(n)
    rnn, xs = nn.RNN(2, 3, rng=0), rng.normal(size=(6, 2))
    padded = xs.copy()
    padded[n:] = rng.normal(size=(6 - n, 2)) * 1e6
    states = [rnn(padded, length=n)[1], rnn(xs, length=n)[1], rnn(xs[:n])[1]]
    first, *others = [np.array(state, dtype=float) for state in states]
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_exercise_a_bias_for_300_steps():
    """sigmoid(b)^300 = 1/2, so b = ln(p / (1 - p)) with p = 2^(-1/300): about 6.07."""
    p = 2 ** (-1 / 300)
    b = math.log(p / (1 - p))
    assert b == pytest.approx(6.07, abs=0.01)
    assert sigmoid(b) ** 300 == pytest.approx(0.5)
    lstm = nn.LSTM(1, 1, init="zeros", forget_bias=b)  # nothing is read; the store only fades
    _, state = lstm([[0.0]] * 300, ([0.0], [1.0]))
    assert float(np.array(state, dtype=float).ravel()[-1]) == pytest.approx(0.5)
