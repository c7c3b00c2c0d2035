"""The lesson on depth and width: what it says comes out; its exercises, solved."""

import itertools
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import autograd
import nn


def tent(x, k):
    for _ in range(k):
        x = min(2 * x, 2 - 2 * x)
    return x


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_both_networks_are_the_tent_map_applied_k_times(lesson, k):
    exact = [tent(Fraction(i, 193), k) for i in range(194)]  # no bend but the ends is among them
    for build in (lesson["folded"], lesson["side_by_side"]):
        model = build(k)
        found = [model([i / 193]).data for i in range(194)]
        assert found == pytest.approx([float(y) for y in exact], abs=1e-10)


def test_depth_doubles_pieces_and_width_adds_them(lesson):
    assert lesson["rows"] == [(k, 2**k, 6 * k + 1, 3 * 2**k + 1, 0.0) for k in range(1, 11)]
    assert [len(layer.neurons) for layer in lesson["folded"](10).layers] == [2] * 10 + [1]
    assert lesson["rows"][-1][2:4] == (61, 3_073)
    assert lesson["least"] == 3_070


def test_pieces_are_counted(lesson):
    x = np.linspace(0, 1, 1001)
    pieces = lesson["pieces"]
    assert pieces(3 * x + 1) == 1
    assert pieces(np.abs(x - 0.5)) == 2
    assert pieces(np.abs(x - 0.50037) + np.maximum(x - 0.7, 0)) == 3  # a bend between two places is one


def test_random_networks_have_fewer_pieces_than_neurons(lesson):
    for (width, depth), found in lesson["drawn"].items():
        assert len(found) == 10
        assert max(found) < width * depth
    assert max(lesson["drawn"][2, 10]) < 10 < 2**10  # as deep as the tents, and nothing like them
    assert min(lesson["drawn"][16, 5]) > max(lesson["drawn"][16, 1])


def test_the_interpolant_is_interpolation(lesson):
    knots = np.array([0.0, 0.1, 0.35, 0.5, 1.0])
    x = lesson["x"]
    found = lesson["values"](lesson["interpolant"](np.cos, knots), x)
    np.testing.assert_allclose(found, np.interp(x, knots, np.cos(knots)), rtol=1e-12)
    assert lesson["interpolant"](np.cos, knots).count_parameters() == 3 * 4 + 1


def test_its_error_falls_as_the_square_of_the_neurons(lesson):
    assert lesson["slope"] == pytest.approx(-2.0, abs=0.03)
    for n, error in zip(lesson["numbers"], lesson["largest"], strict=True):
        at_most = math.pi**2 / 2 / n**2
        assert 0.6 * at_most < error <= at_most * (1 + 1e-9)
    assert lesson["beyond"] == pytest.approx(-256 * math.sin(-2 * math.pi / 256) / 2)  # along the last piece


def test_no_width_of_squares_is_near(lesson):
    assert lesson["floor"] == pytest.approx(3 * math.sqrt(3) / 8)
    assert min(lesson["nearest"]) > lesson["floor"]
    for name, degree in (("z^2", 2), ("z^3", 3)):
        for row in lesson["left_over"][name][1:]:  # from three neurons on
            assert row == pytest.approx([lesson["polynomials"][degree]] * len(row), rel=1e-6)
    for name, best in (("ReLU", 5e-3), ("tanh", 1e-6)):
        assert max(lesson["left_over"][name][-1]) < best


def test_the_best_quadratic_is_the_projection(lesson):
    """On [-1, 1] by Legendre's polynomials: of 1, t, t^2 the sine meets only t, by <sin(pi t), t> = 2 / pi."""
    squared = 0.5 * (1 - (2 / math.pi) ** 2 * 3 / 2)  # the mean of sin^2, less what is along t
    assert lesson["polynomials"][2] == pytest.approx(math.sqrt(squared), abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_squares_have_third_differences_of_0_at_any_width(lesson, seed):
    model = lesson["best_output"](lesson["square"], 20, seed)
    at = [model([place / 3]).data for place in range(4)]
    assert at[0] - 3 * at[1] + 3 * at[2] - at[3] == pytest.approx(0, abs=1e-9)
    assert lesson["best_output"]("relu", 20, seed)([0.5]).data == pytest.approx(0, abs=0.2)


def test_two_layers_of_squares_are_of_degree_4(lesson):
    model = nn.MLP(1, [5, 5, 1], activation=lesson["square"], init=nn.init.normal, rng=0)
    at = np.array([model([place / 6]).data for place in range(7)])
    assert np.abs(np.diff(at, 4)).max() > 1e-6
    assert np.abs(np.diff(at, 5)).max() < 1e-12 * np.abs(at).max()


def test_losses_are_plain_cross_entropies(lesson):
    logits, y = np.array([-2.0, 0.3, 40.0]), np.array([0.0, 1.0, 0.0])
    expected = np.mean([float(nn.binary_cross_entropy(z, t)) for z, t in zip(logits, y, strict=True)])
    assert lesson["cross_entropy"](logits, y) == pytest.approx(expected, rel=1e-12)
    for name, (numbers,) in lesson["results"].items():  # and fit has measured the same, at the end
        history = lesson["histories"][name][0]
        if name != "early stopping":  # which goes back to an earlier epoch
            assert history["cross_entropy"][-1] == pytest.approx(numbers[0], rel=1e-9), name


def test_what_is_done_narrows_the_gap(lesson):
    assert lesson["network"](0).count_parameters() == 2 * 64 + 64 + 64 * 64 + 64 + 64 + 1 == 4_417
    in_training, held_out, right = lesson["results"]["nothing done"][0]
    assert in_training < 0.05
    assert held_out > math.log(2)
    assert right > 0.8
    for name, (numbers,) in lesson["results"].items():
        if name != "nothing done":
            assert numbers[1] < 0.8 * held_out, name
            assert lesson["gaps"][name][0] < 0.6 * lesson["gaps"]["nothing done"][0], name


def test_early_stopping_goes_back_to_its_best_epoch(lesson):
    (history,) = lesson["histories"]["early stopping"]
    best = int(np.argmin(history["val_loss"]))
    assert len(history.epochs) == lesson["stopped"][0] == best + 1 + 50
    assert lesson["results"]["early stopping"][0, 0] == pytest.approx(
        history["cross_entropy"][best], rel=1e-9
    )


@pytest.mark.parametrize("seed", [1, 2])  # the lesson's quick mode has the first
def test_l2_helps_with_other_seeds(lesson, seed):
    _, _, *plain = lesson["learned"](seed)
    _, _, *penalised = lesson["learned"](seed, loss=lesson["with_l2"])
    assert plain[0] < 0.05 < penalised[0] < penalised[1] < 0.6 < plain[1]


def test_the_penalty_is_the_sum_of_squares(lesson):
    model = lesson["network"](0)
    squares = sum(p.data**2 for p in model.parameters())
    x, y = [0.3, -0.4], 1.0
    penalty = float(lesson["with_l2"](model, x, y, c=0.1)) - float(nn.binary_cross_entropy(model(x), y))
    assert penalty == pytest.approx(0.1 * squares, rel=1e-9)


def test_pictures_left(pictures):
    assert pictures == {"tents", "approximation", "overfitting"}


@pytest.mark.parametrize("k", [1, 2, 3])
def test_exercise_one_neuron_less(lesson, k):
    """Each neuron must stand at a bend, and change the slope there by 2^(k+1), down or up. One that opens to the left
    adds as much to the first piece, whose slope so is a multiple of 2^(k+1); it should be 2^k."""
    n = 2**k
    x = np.arange(4 * n + 1) / (4 * n)
    wanted = lesson["values"](lesson["folded"](k), x)
    bends = np.arange(1, n) / n
    for ways in itertools.product((-1, 1), repeat=n - 1):
        columns = np.column_stack(
            [
                *(np.maximum(way * (x - bend), 0) for way, bend in zip(ways, bends, strict=True)),
                np.ones_like(x),
            ]
        )
        best = columns @ np.linalg.lstsq(columns, wanted, rcond=None)[0]
        assert np.abs(best - wanted).max() > 0.05
    less = lesson["side_by_side"](k)  # the tents without the line 2^k x have their pieces nevertheless
    (output,) = less.layers[1].neurons
    del less.layers[0].neurons[0], output.w[0]
    assert less.count_parameters() == 3 * (2**k - 1) + 1
    found = lesson["values"](less, x)
    np.testing.assert_allclose(found, wanted - n * x, atol=1e-12)
    assert lesson["pieces"](found) == n


@pytest.mark.parametrize(("power", "expected"), [(1, -0.5), (4, -2.0)])
def test_exercise_knots_where_it_is_steep(lesson, power, expected):
    x, numbers = lesson["x"], np.array([8, 16, 32, 64, 128])
    largest = []
    for n in numbers:
        model = lesson["interpolant"](np.sqrt, (np.arange(n + 1) / n) ** power)
        largest.append(np.abs(lesson["values"](model, x) - np.sqrt(x)).max())
    slope = np.polyfit(np.log(numbers), np.log(largest), 1)[0]
    assert slope == pytest.approx(expected, abs=0.05)


def test_exercise_a_penalty_that_is_too_strong(lesson):
    """No gap, as nothing is learned: the network says 50% to everything, and both losses are ln 2."""
    strong = partial(lesson["with_l2"], c=0.3)
    model, _, in_training, held_out, right = lesson["learned"](0, loss=strong)
    assert (in_training, held_out) == pytest.approx((math.log(2),) * 2, abs=1e-3)
    assert right < 0.6
    logits = autograd.compile(model, batch=True)(np.random.default_rng(0).normal(size=(100, 2)))
    assert np.abs(logits).max() < 1e-2
