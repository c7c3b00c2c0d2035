"""The lesson on training dynamics: what it says comes out; its exercises, solved."""

import numpy as np
import pytest

import autograd
import nn

MOONS_STEPS = 600


def by_hand(model, x):
    """The norm of each hidden layer's gradient, weights and biases, from the outputs of the layers by matrices."""
    matrices = [np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in model.layers]
    biases = [np.array([n.b.data for n in layer.neurons]) for layer in model.layers]
    inputs, sums = [np.asarray(x)], []
    for W, b in zip(matrices, biases, strict=True):
        sums.append(W @ inputs[-1] + b)
        inputs.append(1 / (1 + np.exp(-sums[-1])))
    norms, above = [], matrices[-1][0]
    for k in reversed(range(len(matrices) - 1)):
        out = inputs[k + 1]
        delta = above * out * (1 - out)
        norms.append(float(np.sqrt(np.sum(np.outer(delta, inputs[k]) ** 2) + np.sum(delta**2))))
        above = delta @ matrices[k]
    return norms[::-1]


def test_the_gradients_are_those_of_the_chain_rule(lesson):
    model = lesson["network"]("sigmoid", "xavier", 5, 3)
    norms = lesson["gradients"](model, 3)
    x = np.random.default_rng(103).normal(size=lesson["width"])
    np.testing.assert_allclose(norms, by_hand(model, x), rtol=1e-10)


def test_sigmoids_vanish_and_the_others_do_not(lesson):
    ratios = lesson["ratios"]
    for depth, expected in ((5, 4e-3), (10, 4e-6), (20, 4e-12)):  # 1/4 for each layer
        assert expected / 5 < ratios["sigmoid, Xavier", depth][0] < 5 * expected
    for name in ("tanh, Xavier", "ReLU, He", "sigmoid, Xavier, skips"):
        for depth in (5, 10, 20):
            assert 0.1 < ratios[name, depth][0] < 10, (name, depth)


def test_ten_layers_learn_but_for_sigmoids(lesson):
    deep = lesson["deep"]
    assert deep["sigmoid, Xavier"][0] == pytest.approx(np.log(2), abs=1e-3)
    assert min(right for name, (_, right) in deep.items() if name != "sigmoid, Xavier") > 0.85


def test_signals_are_multiplied_as_the_variance_says(lesson):
    for name, (_, variance) in lesson["starts"].items():
        expected = (lesson["width"] * variance / 2) ** lesson["depth"]
        found = lesson["forward"][name][0]
        assert abs(np.log10(found / expected)) < 3, (
            name
        )  # single networks scatter, over 71 orders of magnitude


@pytest.mark.parametrize("seed", range(5))
def test_the_first_layer_keeps_the_mean_square(lesson, seed):
    """(n v / 2) for one layer, by many samples and neurons: wide enough to hold to a tenth."""
    rng = np.random.default_rng(seed)
    W = np.array(nn.init.he_normal((400, 400), rng=rng))
    out = np.maximum(W @ rng.normal(size=(400, 200)), 0)
    assert np.mean(out**2) == pytest.approx(1.0, rel=0.1)


def test_dead_units_get_no_gradient_at_all(lesson):
    assert len(lesson["dead"]) >= 28
    assert len(lesson["of_dead"]) > 200
    assert {*lesson["of_dead"]} == {0.0}


def test_who_recovers(lesson):
    recovered = lesson["recovered"]
    for (how, activation), rows in recovered.items():
        for before, after, right in rows:
            if activation == "relu":
                assert before > 10, how
                assert after > 10, how
            if activation == "leaky_relu":
                assert (before, after, right) == (0, 0, 1.0), how
    assert all(right == 1.0 for *_, right in recovered["biases of -3", "elu"])
    assert all(right == 0.5 for *_, right in recovered["biases of -3", "relu"])


def test_death_is_for_the_data_seen(lesson):
    assert lesson["woken"]
    assert all(": layers.1." in unit for unit in lesson["woken"])  # the first layer's inputs do not change
    assert lesson["for_larger"] < lesson["for_moons"] / 2


def test_pictures_left(pictures):
    assert pictures == {"gradients", "signals", "damaged"}


def test_exercise_halved_weights(lesson):
    """Each layer halves signal and gradient; by a weight it is the product of both, and 19 of the halves are left
    wherever one cuts. By a bias it is the gradient alone: the first layer's has 19 halves more than the last one's."""
    x = np.random.default_rng(1).normal(size=lesson["width"])
    model = lesson["network"]("relu", "he", 20, 0)

    def ratios():
        model.zero_grad()
        model(x).backward()
        norms = []
        for layer in (model.layers[0], model.layers[-2]):
            by_weights = np.array([w.grad for neuron in layer.neurons for w in neuron.w])
            by_biases = np.array([neuron.b.grad for neuron in layer.neurons])
            norms.append((np.sqrt(np.sum(by_weights**2)), np.sqrt(np.sum(by_biases**2))))
        return np.array(norms[0]) / np.array(norms[1])

    before = ratios()
    for layer in model.layers[:-1]:
        for neuron in layer.neurons:
            for w in neuron.w:
                w.data /= 2
    after = ratios()
    assert after[0] == before[0]
    assert after[1] == before[1] / 2**19


@pytest.mark.parametrize("seed", range(3))
def test_exercise_tanh_saturates(lesson, seed):
    """It does not explode, but more than a quarter of the outputs stand where it is flat; with Xavier's, none."""
    data = np.random.default_rng(seed).normal(size=(8, lesson["width"]))

    def share(init):
        report = nn.saturation(lesson["network"]("tanh", init, 20, seed), data)
        return np.mean([row.share for row in [*report.values()][:-1]])

    assert 0.25 < share("uniform") < 0.32
    assert share("xavier") < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_exercise_wake_the_dead(lesson, seed):
    model, X, y = lesson["damaged"]("relu", "biases of -3", seed), lesson["X"], lesson["y"]
    for layer in model.layers[:2]:
        for neuron in layer.neurons:
            neuron.b.data = 0.0
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.02))
    for _ in range(MOONS_STEPS):
        step(X, y)
    assert nn.metrics.accuracy(autograd.compile(model, batch=True)(X), y) == 1.0
