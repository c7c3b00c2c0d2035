"""The lesson on the neuron: what it says comes out; its exercises, solved."""

import math

import numpy as np
import pytest

import nn
from autograd import Value


def test_the_worked_neuron(lesson):
    assert lesson["terms"] == pytest.approx([0.2, -0.48, 0.18], abs=1e-15)
    assert lesson["z"] == 2.0**-54  # 5.6e-17, and 0 by hand
    assert lesson["out"] == lesson["output"].data == 0.5


def test_the_gradients_of_the_worked_neuron(lesson):
    assert lesson["dw"] == pytest.approx([0.125, 0.2, 0.05], abs=1e-15)
    assert lesson["dx"] == pytest.approx([0.1, -0.15, 0.225], abs=1e-15)
    assert lesson["db"] == pytest.approx(0.25, abs=1e-15)
    assert lesson["measured"] == pytest.approx(lesson["dw"], abs=1e-9)


def test_a_step_moves_the_output_towards_what_was_wanted(lesson):
    """By hand: d error / dz = 2 (.5 - 1) .25 = -.25, a step of .5 moves z by .125 (1 + x . x) = .24125."""
    assert lesson["after"] == pytest.approx(1 / (1 + math.exp(-0.24125)), abs=1e-12)


def test_a_missing_bias_costs(lesson):
    assert lesson["accuracy"][True] == 1.0
    assert lesson["accuracy"][False] <= lesson["best_without"] < 0.7
    assert lesson["losses"][True] < 0.05
    assert lesson["losses"][False] > 0.6


@pytest.mark.parametrize("seed", range(5))
def test_no_line_through_the_origin_separates_such_clouds(lesson, seed):
    y = np.repeat([0, 1], 100)
    points = lesson["centres"][y] + np.random.default_rng(seed).normal(0.0, 0.3, (200, 2))
    angles = np.linspace(0.0, 2.0 * np.pi, 720)
    right = (points @ [np.cos(angles), np.sin(angles)] > 0.0) == y[:, None]
    assert right.mean(axis=0).max() < 0.75


def test_pictures_left(lesson, pictures):
    graphs = {"before-backward", "after-backward"} if lesson["can_draw"] else set()
    assert pictures == {"bias"} | graphs


def test_exercise_tanh(lesson):
    """tanh 0 = 0 and tanh' 0 = 1: the gradients are the inputs and the weights themselves."""
    x, w = lesson["x"], lesson["w"]
    unit = nn.Neuron(3, activation="tanh", init=lambda *_: [w])
    unit.b.data = lesson["b"]
    inputs = [Value(number) for number in x]
    out = unit(inputs)
    out.backward()
    assert out.data == pytest.approx(0.0, abs=1e-15)
    assert [p.grad for p in (*unit.w, unit.b, *inputs)] == pytest.approx([*x, 1.0, *w], abs=1e-15)


def test_exercise_the_best_inputs_point_where_the_weights_do(lesson):
    w, b = np.array(lesson["w"]), lesson["b"]
    best = w / np.linalg.norm(w)
    others = np.random.default_rng(0).normal(size=(1000, 3))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (others @ w + b).max() < best @ w + b == pytest.approx(np.linalg.norm(w) + b)


def test_exercise_a_constant_input_is_a_bias(lesson):
    points = np.column_stack([lesson["points"], np.ones(200)])
    model = nn.Neuron(3, activation="identity", bias=False, init="zeros")
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.1))
    for _ in range(300):
        step(points, lesson["y"])
    assert [w.data for w in model.w] == pytest.approx(lesson["trained"][True], rel=1e-9)
