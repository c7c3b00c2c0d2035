"""The lesson on biology: what it says comes out; its exercises, solved."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

import nn


def test_the_truth_tables_are_those_of_logic(lesson):
    logic: dict[str, Any] = {
        "AND": lambda a, b: a and b,
        "OR": lambda a, b: a or b,
        "NOT": lambda a: not a,
        "majority": lambda a, b, c: a + b + c >= 2,
        "a and not b": lambda a, b: a and not b,
    }
    assert lesson["truth"].keys() == logic.keys()
    for name, table in lesson["truth"].items():
        assert len(table) in (2, 4, 8)
        assert all(out == bool(logic[name](*x)) for x, out in table.items()), name


def test_no_single_unit_computes_xor_and_two_layers_do(lesson):
    xor = tuple(a ^ b for a, b in product((0, 1), repeat=2))
    assert xor == lesson["XOR"] == lesson["xor_found"]
    assert xor not in lesson["by_units"] | lesson["by_weights"]
    assert lesson["missing"] == [xor, tuple(1 - bit for bit in xor)]
    assert lesson["by_units"] < lesson["by_weights"]
    assert len(lesson["by_weights"]) == 14


def test_perceptrons_keep_within_the_bound_and_xor_goes_round(lesson):
    assert lesson["bounds"] == pytest.approx({"AND": 51.0, "OR": 27.0}, abs=1e-9)
    for name in ("AND", "OR"):
        assert lesson["fits"][name].converged
        assert lesson["fits"][name].total <= lesson["most"][name] <= lesson["bounds"][name]
    assert not lesson["fits"]["XOR"].converged
    assert lesson["visited"][lesson["back"] - 1] == lesson["lines"]["XOR"]
    assert not nn.Perceptron(2).fit(lesson["corners"], lesson["XOR"], epochs=10_000).converged


def test_spikes_come_as_often_as_the_closed_form_says(lesson):
    for current, (spikes, exact) in lesson["rates"].items():
        assert exact == pytest.approx(0.0 if current < 1 else 1000 / (2 - 20 * math.log(1 - 1 / current)))
        assert abs(spikes - exact) < 1.0 + 0.005 * exact, current


def test_pictures_left(pictures):
    assert pictures - {"xor"} == {"neuron", "perceptron", "spikes"}  # that one needs Graphviz


def test_exercise_nand(lesson):
    both, not_ = lesson["gates"]["AND"], lesson["gates"]["NOT"]

    def nand(a, b):
        return not_([both([a, b])])

    one = nn.McCullochPitts(inhibitory=2, threshold=0)  # a veto of either is NOR, not NAND
    assert [one(x) for x in lesson["corners"]] == [1, 0, 0, 0]
    assert [nand(*x) for x in lesson["corners"]] == [1, 1, 1, 0]
    xor = [nand(nand(a, nand(a, b)), nand(b, nand(a, b))) for a, b in lesson["corners"]]
    assert xor == [0, 1, 1, 0]


def test_exercise_functions_of_three_bits():
    grid = np.array(list(product(range(-3, 4), repeat=3)))
    z = grid @ np.array(list(product((0, 1), repeat=3))).T
    found = {tuple(row) for b in np.arange(-10, 11) for row in (z + b >= 0).astype(int).tolist()}
    assert len(found) == 104


def test_exercise_a_third_input_separates_xor(lesson):
    X = [(a, b, a * b) for a, b in lesson["corners"]]
    fit = nn.Perceptron(3).fit(X, lesson["XOR"])
    line = np.array([2.0, 2.0, -4.0, -1.0])  # keeps all four samples at least 1 away
    sides = [(1 if y else -1) * line @ [*x, 1] for x, y in zip(X, lesson["XOR"], strict=True)]
    bound = (max(math.hypot(*x, 1) for x in X) * np.linalg.norm(line) / min(sides)) ** 2
    assert fit.converged
    assert fit.total <= round(bound) == 100
