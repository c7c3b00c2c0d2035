"""The lesson on compiling: what it says comes out; its exercises, solved."""

import math
import re
from fractions import Fraction
from operator import mul

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from demos.lessons import LESSONS


def body(program):
    """The lines of a program's function, without their comments."""
    return [
        line.partition("  #")[0].strip() for line in program.source.splitlines() if line.startswith("    ")
    ]


def line_of(start):
    """The number of the line of the lesson that begins so."""
    lines = LESSONS["compiling"].path.read_text(encoding="utf-8").splitlines()
    (found,) = [i for i, line in enumerate(lines, start=1) if line.strip().startswith(start)]
    return found


def test_one_neuron(lesson):
    z = 0.4 * 0.5 - 0.6 * 0.8 + 0.9 * 0.3 + 0.1
    assert lesson["eager"].data == pytest.approx(math.tanh(z), rel=1e-12)
    assert lesson["compiled_neuron"](lesson["sample"]) == pytest.approx(math.tanh(z), rel=1e-12)
    assert "np." not in lesson["compiled_neuron"].source
    assert body(lesson["batch_of_neuron"]) == ["return np.tanh(x @ w + b)"]
    by_formula = np.tanh(lesson["samples"] @ [0.4, -0.6, 0.9] + 0.1)
    for found in (lesson["outputs"], lesson["one_by_one"]):
        np.testing.assert_allclose(found, by_formula, rtol=0, atol=1e-12)


def test_a_layer_is_a_product(lesson):
    lines = body(lesson["of_one"])
    sums = [line for line in lines if "tanh" in line]
    assert len(sums) == 4
    for i, line in enumerate(sums):  # the columns that the prose speaks of
        assert re.findall(r"x\d", line) == ["x0", "x1", "x2"]
        assert re.findall(r"w\d_\d", line) == [f"w{i}_{j}" for j in range(3)]
    assert body(lesson["of_many"]) == ["return np.tanh(x @ W.T + b)"]
    one_by_one = [[out.data for out in lesson["layer"](x)] for x in lesson["samples"]]
    np.testing.assert_allclose(lesson["layer_outputs"], one_by_one, rtol=0, atol=1e-12)


def test_the_rule_of_the_rows(lesson):
    assert lesson["found"] == {"z = W x": (4, 1, 4), "dx = W.T dz": (3, 1, 3), "dW = dz x": (4, 3, 12)}
    assert lesson["weights"] == np.arange(16).reshape(4, 4)[:, :3].tolist()
    rows, columns, sums = lesson["product"]("", [[0, 1], [2, 3]], [[0, 1], [1, 2]])
    assert (rows, columns, sums) == (2, 2, 2)  # two of the four pairs only: no product


def test_value_and_gradient_are_those_of_the_scalars(lesson):
    assert len(lesson["gradient"]) == 249
    assert lesson["differ"] < 1e-12
    assert lesson["loss"] == pytest.approx(lesson["scalar_loss"].data, rel=1e-12)
    assert np.abs(lesson["gradient"] - lesson["scalar_gradient"]).max() < 1e-12
    assert np.count_nonzero(lesson["gradient"]) > 50


def test_each_line_forward_has_its_lines_backward(lesson):
    assert lesson["pairs"] == {
        "h1 = np.maximum(W1 @ x + b1, 0)": [
            "dz1 = np.sign(h1) * (W2.T @ dz2)", "dW1[...] = x * dz1[:, None]", "db1[...] = dz1",
        ],
        "h2 = np.maximum(W2 @ h1 + b2, 0)": [
            "dz2 = np.sign(h2) * (w3 * ds)", "dW2[...] = h1 * dz2[:, None]", "db2[...] = dz2",
        ],
        "s = w3 @ h2 + b3 - y": ["ds = 2 * s", "dw3[...] = h2 * ds", "g[248] = ds"],
    }  # fmt: skip
    shown = [line for pair in lesson["pairs"].items() for line in (pair[0], *pair[1])]
    assert sorted(shown) == sorted(body(lesson["program"])[:-1])  # all but the one that returns


def test_the_chain_rule_is_a_row_of_the_transpose(lesson):
    j, ways, dz1 = lesson["j"], lesson["ways"], lesson["dz1"]
    assert len(ways) == 10
    assert abs(sum(ways)) > 0.01
    assert sum(ways) == pytest.approx(dz1[j], rel=1e-12)
    slope = (lesson["h1"] > 0) * (lesson["W2"].T @ lesson["dz2"])
    np.testing.assert_allclose(dz1, slope, rtol=1e-12)
    assert 0 < np.count_nonzero(lesson["h1"]) < 12  # some are on, some off
    assert lesson["outer_differs"] < 1e-12
    assert lesson["bias_differs"] < 1e-12
    by_program = lesson["gradient"][108:238].reshape(10, 13)
    np.testing.assert_allclose(lesson["dW2"], by_program[:, :12], rtol=0, atol=1e-12)
    np.testing.assert_allclose(lesson["db2"], by_program[:, 12], rtol=0, atol=1e-12)


def test_the_scalars_slopes_are_finite_differences(lesson):
    """An independent witness, of the mean over the fifty samples."""
    program, X, y = lesson["batch_program"], lesson["X"], lesson["y"]
    parameters = [*lesson["model"].parameters()]
    for place in (0, 50, 107, 108, 200, 238, 248):
        v, h = parameters[place], 1e-6
        start, found = v.data, []
        for moved in (start + h, start - h):
            v.data = moved
            found.append(float(program(X, y).mean()))
        v.data = start
        assert (found[0] - found[1]) / (2 * h) == pytest.approx(lesson["mean_gradient"][place], abs=1e-7)


def test_a_batch_is_the_mean_of_a_loop(lesson):
    assert lesson["batch_differs"] < 1e-12
    assert lesson["mean_loss"] == pytest.approx(lesson["loop_loss"], rel=1e-12)
    np.testing.assert_allclose(lesson["mean_gradient"], lesson["loop_gradient"], rtol=0, atol=1e-12)
    assert np.abs(lesson["mean_gradient"] - lesson["gradient"]).max() > 0.01  # it is not that of the first
    lines = "\n".join(body(lesson["batch_program"]))
    for part in ("x @ W1.T + b1", "h1 @ W2.T + b2", "dz2 @ W2", "dz2.T, h1", "dz2.sum(axis=0)"):
        assert part in lines
    assert len(lesson["batch_program"].versions) == 1  # for batches of 50 and of 7


def test_by_hand_is_the_gradient_of_its_loss(lesson):
    """Of the NumPy that all are compared with: each slope by moving one number."""
    rng = np.random.default_rng(0)
    shapes = [((5, 8), 5), ((4, 5), 4), ((1, 4), 1)]
    parts = [(rng.normal(size=W), rng.normal(size=b)) for W, b in shapes]
    X, y, h = rng.normal(size=(6, 8)), rng.normal(size=6), 1e-6
    _, slopes = lesson["by_hand"](parts, X, y)
    for pair, found in zip(parts, slopes, strict=True):
        for array, slope in zip(pair, found, strict=True):
            for place in np.ndindex(array.shape):
                start = array[place]
                array[place] = start + h
                up, _ = lesson["by_hand"](parts, X, y)
                array[place] = start - h
                down, _ = lesson["by_hand"](parts, X, y)
                array[place] = start
                assert (up - down) / (2 * h) == pytest.approx(slope[place], abs=1e-6)


def test_all_four_ways_give_the_same_numbers(lesson):
    assert [row["parameters"] for row in lesson["races"]] == [
        8 * n + n + n * n + n + n + 1 for n in lesson["widths"]
    ]
    for row in lesson["races"]:
        assert 0 < row["differ"] < 1e-12
        times = [row[name] for name in ("scalars", "loop", "compiled", "by hand", "first call")]
        assert all(math.isfinite(t) and t > 0 for t in times)


def test_seconds_are_the_median(lesson, monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(lesson["time"], "perf_counter", lambda: next(clock))
    called = []
    assert lesson["seconds"](lambda: called.append(1), 3) == 2.0
    assert len(called) == 3


def test_an_if_is_refused_with_its_line(lesson):
    assert f"compiling.py:{line_of('if x > 0')}: a comparison needs a number" in lesson["refused"]
    assert "where(condition, a, b)" in lesson["refused"]
    line = line_of("autograd.compile(lambda i: sum(rows[i]))")
    assert f"compiling.py:{line}: an index needs a number" in lesson["refused_index"]
    assert "take(rows, index)" in lesson["refused_index"]


def test_where_is_the_if_on_both_sides(lesson):
    expected = [-0.2, -0.05, 0.0, 0.5, 2.0], [0.1, 0.1, 0.1, 1.0, 1.0]
    assert (lesson["eager_outputs"], lesson["eager_slopes"]) == expected
    assert (lesson["bent_outputs"].tolist(), lesson["bent_slopes"]) == expected
    for x in np.random.default_rng(0).normal(size=20):
        assert lesson["bent_by_where"](Value(x)).data == lesson["bent"](Value(x)).data
        assert lesson["bends"](np.array([x]))[0] == lesson["bent"](Value(x)).data


def test_a_side_that_is_not_chosen_has_a_slope(lesson):
    assert all(map(math.isnan, lesson["unchosen"]["careless"]))
    assert lesson["unchosen"]["careful"] == (0.0, 0.0)
    assert lesson["careful"](Value(2.0)).data == lesson["careless"](Value(2.0)).data == math.log(2.0)


def test_take_goes_to_the_rows_that_were_taken(lesson):
    assert lesson["sums"].tolist() == [1.0, 41.0, 41.0, 41.0]
    assert lesson["taken"].tolist() == [[0.25, 0.25], [0.0, 0.0], [0.75, 0.75]]


def test_what_comes_again_is_a_loop(lesson):
    assert lesson["memories_differ"] < 1e-15
    source = lesson["remember"].source
    assert source.count("for t in range(1, 20):") == 1
    assert source.count("np.tanh") == 2  # of the step before, in the loop, and of the last one
    h = np.zeros(5)
    for x in lesson["sequences"].T:
        h = np.tanh(0.8 * x + 0.5 * h)
    assert lesson["memories"] == pytest.approx(h, rel=1e-13)


def test_compiled_steps_are_the_steps_of_the_scalars(lesson):
    assert lesson["training_differs"] < 1e-10
    scalars, arrays = lesson["trained"]
    assert len(scalars) == 2 * 16 + 16 + 16 * 16 + 16 + 16 + 1 == 337
    np.testing.assert_allclose(arrays, scalars, rtol=0, atol=1e-10)
    fresh = nn.MLP(2, [16, 16, 1], activation="tanh", rng=0)
    assert np.abs(scalars - [p.data for p in fresh.parameters()]).max() > 0.05  # they have moved
    assert lesson["right"] > 0.97
    assert min(lesson["scalar_step"], lesson["array_step"], lesson["first_step"]) > 0


def test_parameters_are_views_of_one_array(lesson):
    """All first lines of the source, run on the numbers of the model: each matrix has the numbers of its neurons."""
    p = np.array([v.data for v in lesson["by_arrays"].parameters()])
    head = [line for line in lesson["step"].source.split("def ")[0].splitlines() if "= p[" in line]
    assert head[0].startswith("W1 = p[:48].reshape(16, 3)[:, :2]")
    scope = {"p": p}
    exec("\n".join(head), scope)
    for k, layer in enumerate(lesson["by_arrays"].layers, start=1):
        W, b = lesson["matrices"](layer)
        name = f"W{k}" if len(layer.neurons) > 1 else f"w{k}"
        assert np.array_equal(scope[name], W if len(layer.neurons) > 1 else W[0])
        assert np.array_equal(np.ravel(scope[f"b{k}"]), b)
        assert np.shares_memory(scope[name], p)
    assert lesson["same_weights"]
    assert np.shares_memory(lesson["W1"], lesson["p"])
    assert lesson["W1"].strides == (3 * 8, 8)


def test_what_is_assigned_to_a_value_counts_in_the_next_step(lesson):
    """The last sentence on the parameters, on a network of its own."""
    model = nn.MLP(2, [3, 1], activation="tanh", rng=0)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.0))
    X, y = np.array([[0.5, -1.0]]), np.array([0.0])
    before = step(X, y)
    bias = [*model.parameters()][-1]
    bias.data += 1.0
    assert step(X, y) == pytest.approx((math.sqrt(before) * np.sign(model(X[0]).data - 1) + 1) ** 2)


def test_recorded_once_for_each_shape(lesson):
    assert lesson["recorded_at"] == [100, 200, 1000]
    assert lesson["by_shape"] == [True, True, False, False, True, False]
    assert len(lesson["paid_back"]) == len(lesson["races"])
    for row, count in zip(lesson["races"], lesson["paid_back"], strict=True):
        assert count * (row["scalars"] - row["compiled"]) == pytest.approx(row["first call"])
    found = lesson["energies"](np.array([[3.0] * 100, [1.0] * 100]))
    assert found.tolist() == [900.0, 100.0]


def test_sums_in_another_order_differ_in_the_last_digits(lesson):
    scalars, product = lesson["in_order_of_scalars"], lesson["in_order_of_product"]
    assert 0 < lesson["other_digits"] <= 50
    assert 0 < lesson["apart"] < 1e-13
    for name, found in (("scalars", scalars), ("compiled", product)):
        assert 0 < lesson["off"][name] < 1e-13
        exact = [
            sum(Fraction(v.data) * Fraction(t) for v, t in zip(unit.w, lesson["x"].tolist(), strict=True))
            for unit in lesson["wide"].neurons
        ]
        np.testing.assert_allclose(found, [float(e) for e in exact], rtol=0, atol=1e-13)


def test_pictures_left(lesson, pictures):
    of_graphs = {"scalars", "program", "gradient"} if lesson["can_draw"] else set()
    assert pictures == {"speed"} | of_graphs


def test_the_picture_shows_what_runs(lesson):
    assert "np.tanh(x @ W.T + b)" in lesson["of_many"].draw().source
    program = autograd.compile(lesson["error"], wrt=lesson["model"], batch=True)
    program.value_and_grad(lesson["X"], lesson["y"])
    picture = program.draw().source
    for part in ("x @ W1.T + b1", "dz2.T @ h1", "dz1.T @ x"):
        assert part in picture


def test_exercise_linear_regression():
    neuron = nn.Neuron(3, activation="identity", bias=False, rng=0, label="neuron")
    regression = autograd.compile(lambda x, y: nn.mse(neuron(x), y), wrt=neuron, batch=True)
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(20, 3)), rng.normal(size=20), np.array([v.data for v in neuron.w])
    _, gradient = regression.value_and_grad(X, y)
    np.testing.assert_allclose(gradient, 2 / 20 * X.T @ (X @ w - y), rtol=1e-12)
    lines = body(regression)
    assert "s = x @ p - y" in lines
    assert any(line.startswith("np.matmul(x.T, s * (2 * (1 / n))") for line in lines)


def attention(q, k, v):
    scores = [[sum(map(mul, qi, kj)) / len(qi) ** 0.5 for kj in k] for qi in q]
    shares = [nn.activations.softmax(row) for row in scores]
    return [[sum(map(mul, row, column)) for column in zip(*v, strict=True)] for row in shares]


def test_exercise_attention_has_two_products():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 6, 4))
    compiled = autograd.compile(attention)
    found = compiled(q, k, v)
    scores = q @ k.T / 2
    e = np.exp(scores)
    np.testing.assert_allclose(found, e / e.sum(axis=1, keepdims=True) @ v, rtol=1e-12)
    assert compiled.source.count("@") == 2
    assert "q @ k.T" in compiled.source
    values = [[[Value(t) for t in row] for row in matrix] for matrix in (q, k, v)]
    by_scalars = [[out.data for out in row] for row in attention(*values)]
    np.testing.assert_allclose(found, by_scalars, rtol=1e-12)


def root_while(a):
    x, rounds = a, 0
    while abs(x * x - a) > 1e-9 * a:
        x, rounds = (x + a / x) / 2, rounds + 1
    return x, rounds


def root_where(a):
    x, rounds = a, 0.0
    for _ in range(20):
        going = autograd.above(abs(x * x - a), 1e-9 * a)
        x, rounds = autograd.where(going, (x + a / x) / 2, x), rounds + going
    return x, rounds


def test_exercise_newton_without_while():
    assert root_while(Value(2.0))[0].data == pytest.approx(math.sqrt(2))
    with pytest.raises(TypeError, match="a comparison needs a number"):
        autograd.compile(root_while)(2.0)
    numbers = [0.01, 0.5, 1.0, 2.0, 100.0, 12345.0]
    roots, rounds = autograd.compile(root_where, batch=True)(np.array(numbers))
    np.testing.assert_allclose(roots, np.sqrt(numbers), rtol=1e-9)
    assert [*zip(roots.tolist(), rounds.tolist(), strict=True)] == [root_while(a) for a in numbers]
    assert len(set(rounds.tolist())) > 3  # each took its own number of them
