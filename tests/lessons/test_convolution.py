"""The lesson on convolution: what it says comes out; its exercises, solved."""

from typing import Any

import numpy as np

import nn


def test_the_maps_are_correlations_with_the_kernels(lesson):
    digit, kernels = lesson["digit"][0], lesson["kernels"]
    assert lesson["edges"].count_parameters() == 2 * (9 + 1)
    for feature, kernel in zip(lesson["maps"].astype(float), kernels[:, 0], strict=True):
        by_hand = [np.sum(kernel * digit[i : i + 3, j : j + 3]) for i, j in np.ndindex(6, 6)]
        np.testing.assert_allclose(feature.ravel(), by_hand, rtol=1e-12, atol=1e-15)


def test_ten_parameters_do_for_a_dense_half_million(lesson):
    assert lesson["shared_count"] == 10
    assert lesson["dense_counts"] == {8: 2_340, 28: 530_660, 224: 2_472_923_268}
    assert lesson["dense"].count_parameters() == 2_340
    assert lesson["dense_differs"] < 1e-14
    assert lesson["reached"].sum() == 36 * 9
    assert not lesson["matrix"][~lesson["reached"]].any()


def test_the_shared_gradient_is_the_sum_over_the_places(lesson):
    digit, wanted = lesson["digit"][0], lesson["wanted"].reshape(6, 6)
    g = 2 / 36 * (lesson["maps"][0].astype(float) - wanted)  # of the mean squared error
    windows = np.lib.stride_tricks.sliding_window_view(digit, (6, 6))
    np.testing.assert_allclose(
        lesson["by_backward"].reshape(3, 3), np.einsum("kmij,ij", windows, g), rtol=1e-12
    )
    assert lesson["of_copies"].shape == (36, 9)
    assert lesson["shared_differs"] < 1e-14


def test_maps_move_with_the_image(lesson):
    moved = lesson["moved"]
    assert [name for name, most in moved.items() if most == 0.0] == [
        "convolution, 1 down and 2 right",
        "convolution and MaxPool(2), 2 right",
        "convolution and MaxPool(), 1 down and 2 right",
    ]
    assert min(most for most in moved.values() if most) > 1.0


def test_the_two_networks_are_of_one_size_and_learn(lesson):
    assert {*lesson["counts"].values()} == {1_210}
    for found in lesson["accuracies"].values():
        assert all(held_out > 0.8 > moved for held_out, moved in found)
    assert lesson["cnn"](0, 12, 24).count_parameters() == 3_706  # the larger pair, of the whole lesson
    assert lesson["mlp"](0, 49).count_parameters() == 3_685


def test_a_cnn_finds_moved_digits_more_often_than_an_mlp(lesson):
    learned = lesson["learned"]
    _, moved = learned(lesson["cnn"](0, 6, 12), seed=0, epochs=12)
    _, by_mlp = learned(lesson["mlp"](0, 16), seed=0, epochs=12)
    assert moved > by_mlp + 0.05


def test_pictures_left(pictures):
    assert pictures == {"edges", "dense", "learned"}


def test_exercise_a_kernel_that_moves_the_image(lesson):
    """The pixel on the left of each place, and nothing else."""
    digit = lesson["digit"]
    right = nn.Conv2d(1, 1, 3, padding=1, init=lambda *_: [[[[0, 0, 0], [1, 0, 0], [0, 0, 0]]]])
    np.testing.assert_array_equal(right(digit)[0, :, 1:].astype(float), digit[0, :, :-1])
    np.testing.assert_array_equal(right(digit)[0, :, 0].astype(float), np.zeros(8))


def test_exercise_two_kernels_are_one(lesson):
    """Each weight of the first, spread by the second: the kernels' full convolution."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 3))
    together = np.zeros((5, 5))
    for k, m in np.ndindex(3, 3):
        together[k : k + 3, m : m + 3] += second[k, m] * first

    def conv(kernel: Any) -> nn.Conv2d:
        return nn.Conv2d(1, 1, kernel.shape, init=lambda *_: kernel[None, None])

    digit = lesson["digit"]
    one, two = conv(together)(digit), conv(second)(conv(first)(digit))
    assert one.shape == two.shape == (1, 4, 4)
    np.testing.assert_allclose(one.astype(float), two.astype(float), rtol=1e-12, atol=1e-12)


def test_exercise_a_larger_image_needs_a_larger_last_layer(lesson):
    """What is after the poolings is four times as large; with the mean of each map nothing depends on the size."""
    small = lesson["cnn"](0, 6, 12)
    *convolutions, _ = small.layers
    large = nn.Sequential(*convolutions, nn.Layer(12 * 4 * 4, 10, activation="identity"))
    assert len(large(np.zeros((1, 16, 16)))) == 10
    assert large.count_parameters() - small.count_parameters() == 10 * 12 * (4 * 4 - 2 * 2)
    any_size = nn.Sequential(
        *convolutions[:-1], nn.AvgPool(), nn.Flatten(), nn.Layer(12, 10, activation="identity")
    )
    assert any_size.count_parameters() == 60 + 660 + 130
    assert len(any_size(np.zeros((1, 8, 8)))) == len(any_size(np.zeros((1, 16, 16)))) == 10
