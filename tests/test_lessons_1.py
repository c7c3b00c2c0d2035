"""Lessons 1 to 4: the numbers they compute are the ones they claim, and their exercises have solutions."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from demos.lessons import main

pytest.importorskip("matplotlib")


def lesson(name):
    """A fixture: the global names of the lesson, run once in quick mode; its pictures are in `folder`."""

    @pytest.fixture(scope="module", name=name)
    def run(tmp_path_factory):
        return main(name, quick=True, folder=tmp_path_factory.mktemp(name))

    return run


biology = lesson("biology")
neuron = lesson("neuron")
engine = lesson("engine")
activations = lesson("activations")


def pictures(names):
    return {path.name for path in names["folder"].iterdir()}


# 1. Biology -------------------------------------------------------------------------------------------------------


def test_the_truth_tables_are_those_of_logic(biology):
    logic: dict[str, Any] = {
        "AND": lambda a, b: a and b,
        "OR": lambda a, b: a or b,
        "NOT": lambda a: not a,
        "majority": lambda a, b, c: a + b + c >= 2,
        "a and not b": lambda a, b: a and not b,
    }
    assert biology["truth"].keys() == logic.keys()
    for name, table in biology["truth"].items():
        assert len(table) in (2, 4, 8)
        assert all(out == bool(logic[name](*x)) for x, out in table.items()), name


def test_no_single_unit_computes_xor_and_two_layers_do(biology):
    xor = tuple(a ^ b for a, b in product((0, 1), repeat=2))
    assert xor == biology["XOR"] == biology["xor_found"]
    assert xor not in biology["by_units"] | biology["by_weights"]
    assert biology["missing"] == [xor, tuple(1 - bit for bit in xor)]
    assert biology["by_units"] < biology["by_weights"]
    assert len(biology["by_weights"]) == 14


def test_perceptrons_keep_within_the_bound_and_xor_goes_round(biology):
    assert biology["bounds"] == pytest.approx({"AND": 51.0, "OR": 27.0}, abs=1e-9)
    for name in ("AND", "OR"):
        assert biology["fits"][name].converged
        assert biology["fits"][name].total <= biology["most"][name] <= biology["bounds"][name]
    assert not biology["fits"]["XOR"].converged
    assert biology["visited"][biology["back"] - 1] == biology["lines"]["XOR"]
    assert not nn.Perceptron(2).fit(biology["corners"], biology["XOR"], epochs=10_000).converged


def test_spikes_come_as_often_as_the_closed_form_says(biology):
    for current, (spikes, exact) in biology["rates"].items():
        assert exact == pytest.approx(0.0 if current < 1 else 1000 / (2 - 20 * math.log(1 - 1 / current)))
        assert abs(spikes - exact) < 1.0 + 0.005 * exact, current


def test_pictures_of_biology(biology):
    named = {f"biology-{what}.png" for what in ("neuron", "perceptron", "spikes")}
    assert named <= pictures(biology) <= named | {"biology-xor.png"}


def test_exercise_nand(biology):
    both, not_ = biology["gates"]["AND"], biology["gates"]["NOT"]

    def nand(a, b):
        return not_([both([a, b])])

    one = nn.McCullochPitts(inhibitory=2, threshold=0)  # a veto of either is NOR, not NAND
    assert [one(x) for x in biology["corners"]] == [1, 0, 0, 0]
    assert [nand(*x) for x in biology["corners"]] == [1, 1, 1, 0]
    xor = [nand(nand(a, nand(a, b)), nand(b, nand(a, b))) for a, b in biology["corners"]]
    assert xor == [0, 1, 1, 0]


def test_exercise_functions_of_three_bits():
    grid = np.array(list(product(range(-3, 4), repeat=3)))
    z = grid @ np.array(list(product((0, 1), repeat=3))).T
    found = {tuple(row) for b in np.arange(-10, 11) for row in (z + b >= 0).astype(int).tolist()}
    assert len(found) == 104


def test_exercise_a_third_input_separates_xor(biology):
    X = [(a, b, a * b) for a, b in biology["corners"]]
    fit = nn.Perceptron(3).fit(X, biology["XOR"])
    line = np.array([2.0, 2.0, -4.0, -1.0])  # keeps all four samples at least 1 away
    sides = [(1 if y else -1) * line @ [*x, 1] for x, y in zip(X, biology["XOR"], strict=True)]
    bound = (max(math.hypot(*x, 1) for x in X) * np.linalg.norm(line) / min(sides)) ** 2
    assert fit.converged
    assert fit.total <= round(bound) == 100


# 2. The neuron ----------------------------------------------------------------------------------------------------


def test_the_worked_neuron(neuron):
    assert neuron["terms"] == pytest.approx([0.2, -0.48, 0.18], abs=1e-15)
    assert neuron["z"] == 2.0**-54  # 5.6e-17, and 0 by hand
    assert neuron["out"] == neuron["output"].data == 0.5


def test_the_gradients_of_the_worked_neuron(neuron):
    assert neuron["dw"] == pytest.approx([0.125, 0.2, 0.05], abs=1e-15)
    assert neuron["dx"] == pytest.approx([0.1, -0.15, 0.225], abs=1e-15)
    assert neuron["db"] == pytest.approx(0.25, abs=1e-15)
    assert neuron["measured"] == pytest.approx(neuron["dw"], abs=1e-9)


def test_a_step_moves_the_output_towards_what_was_wanted(neuron):
    """By hand: d error / dz = 2 (.5 - 1) .25 = -.25, a step of .5 moves z by .125 (1 + x . x) = .24125."""
    assert neuron["after"] == pytest.approx(1 / (1 + math.exp(-0.24125)), abs=1e-12)


def test_a_missing_bias_costs(neuron):
    assert neuron["accuracy"][True] == 1.0
    assert neuron["accuracy"][False] <= neuron["best_without"] < 0.7
    assert neuron["losses"][True] < 0.05
    assert neuron["losses"][False] > 0.6


@pytest.mark.parametrize("seed", range(5))
def test_no_line_through_the_origin_separates_such_clouds(neuron, seed):
    y = np.repeat([0, 1], 100)
    points = neuron["centres"][y] + np.random.default_rng(seed).normal(0.0, 0.3, (200, 2))
    angles = np.linspace(0.0, 2.0 * np.pi, 720)
    right = (points @ [np.cos(angles), np.sin(angles)] > 0.0) == y[:, None]
    assert right.mean(axis=0).max() < 0.75


def test_pictures_of_the_neuron(neuron):
    graphs = {"neuron-before-backward.png", "neuron-after-backward.png"} if neuron["can_draw"] else set()
    assert pictures(neuron) == {"neuron-bias.png"} | graphs


def test_exercise_tanh(neuron):
    """tanh 0 = 0 and tanh' 0 = 1: the gradients are the inputs and the weights themselves."""
    x, w = neuron["x"], neuron["w"]
    unit = nn.Neuron(3, activation="tanh", init=lambda *_: [w])
    unit.b.data = neuron["b"]
    inputs = [Value(number) for number in x]
    out = unit(inputs)
    out.backward()
    assert out.data == pytest.approx(0.0, abs=1e-15)
    assert [p.grad for p in (*unit.w, unit.b, *inputs)] == pytest.approx([*x, 1.0, *w], abs=1e-15)


def test_exercise_the_best_inputs_point_where_the_weights_do(neuron):
    w, b = np.array(neuron["w"]), neuron["b"]
    best = w / np.linalg.norm(w)
    others = np.random.default_rng(0).normal(size=(1000, 3))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (others @ w + b).max() < best @ w + b == pytest.approx(np.linalg.norm(w) + b)


def test_exercise_a_constant_input_is_a_bias(neuron):
    points = np.column_stack([neuron["points"], np.ones(200)])
    model = nn.Neuron(3, activation="identity", bias=False, init="zeros")
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.1))
    for _ in range(300):
        step(points, neuron["y"])
    assert [w.data for w in model.w] == pytest.approx(neuron["trained"][True], rel=1e-9)


# 3. The engine ----------------------------------------------------------------------------------------------------


def test_the_chain_rule_by_hand(engine):
    assert engine["by_hand"] == {"w": 24.0, "x": -16.0, "b": 8.0}
    assert engine["measured"] == pytest.approx(engine["by_hand"], abs=1e-6)


def test_gradients_of_several_uses_add_up(engine):
    assert [*engine["setting"].values(), *engine["adding"].values()] == [1.0, 2.0]


def test_a_diamond_needs_the_topological_order(engine):
    assert engine["right"] == 108.0 == engine["in_order"] == engine["drawn"].grad
    assert engine["wrong"] == 156.0  # b hands on 4 x 12 when it is met first, and 4 x 27 when it is met again


def test_the_engine_agrees_with_the_package_and_with_differences(engine):
    assert engine["worst_package"] < 1e-12
    assert engine["worst_measured"] < 1e-6


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_the_engine_agrees_on_other_graphs(engine, seed):
    start = np.random.default_rng(seed).uniform(-2.0, 2.0, 3).tolist()
    ours, theirs = [[kind(s) for s in start] for kind in (engine["Value"], Value)]
    out, other = engine["grow"](ours, seed), engine["grow"](theirs, seed)
    engine["backward"](out)
    other.backward()
    assert out.data == pytest.approx(other.data, rel=1e-13)
    assert [v.grad for v in ours] == pytest.approx([v.grad for v in theirs], rel=1e-10, abs=1e-13)


def test_every_operation_is_in_some_random_graph(engine):
    used = set()

    def counted(i, operation):
        def apply(a, b):
            used.add(i)
            return operation(a, b)

        return apply

    operations = engine["OPERATIONS"]
    scope = engine["grow"].__globals__
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scope, "OPERATIONS", [counted(*pair) for pair in enumerate(operations)])
        for seed in range(20):
            engine["grow"]([Value(0.5)] * 3, seed)
    assert used == set(range(len(operations)))


def test_only_the_package_walks_deep_chains(engine):
    assert engine["deep"].grad == 1.0
    assert engine["too_deep"]


def test_exercise_sin(engine):
    mine = engine["Value"]
    sin = lambda v: v.one(math.sin(v.data), math.cos(v.data))
    v = mine(0.7)
    engine["backward"](sin(v * v))
    up, down = (math.sin(x * x) for x in (0.7 + 1e-6, 0.7 - 1e-6))
    assert v.grad == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_exercise_a_loop_in_place_of_recursion(engine):
    def topological(root):
        order, seen, stack = [], set(), [(root, False)]
        while stack:
            v, done = stack.pop()
            if done:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack.extend((operand, False) for operand in v.operands)
        return order

    v = engine["Value"](0.0)
    end = engine["chain"](v, 20_000)
    end.grad = 1.0
    for node in reversed(topological(end)):
        node._backward()
    assert v.grad == 1.0
    a = engine["Value"](2.0)
    e = engine["diamond"](a)
    e.grad = 1.0
    for node in reversed(topological(e)):
        node._backward()
    assert a.grad == 108.0


def test_exercise_train_a_neuron(engine):
    w, b = engine["Value"](0.0), engine["Value"](0.0)
    for _ in range(500):
        loss = sum(((w * x + b).tanh() - y) ** 2 for x, y in ((1.0, 0.5), (-1.0, -0.8)))
        w.grad = b.grad = 0.0
        engine["backward"](loss)
        w.data, b.data = w.data - 0.2 * w.grad, b.data - 0.2 * b.grad
    plus, minus = math.atanh(0.5), math.atanh(-0.8)
    assert (w.data, b.data) == pytest.approx(((plus - minus) / 2, (plus + minus) / 2), abs=1e-6)


def test_pictures_of_the_engine(engine):
    assert pictures(engine) <= {"engine-diamond.png"}


# 4. Activation functions ------------------------------------------------------------------------------------------


def test_all_activations_are_shown_and_as_the_table_says(activations):
    names = [f.name for f in activations["scalar"] + activations["vector"]]
    assert set(names) >= nn.activations.OURS
    assert len(names) == len(set(names))
    assert activations["disagree"] == []
    assert len(activations["axes"].flat) == 2  # the last figure; the one of all has room for them:
    assert len(activations["scalar"]) <= 7 * 6


def test_slopes_that_a_sigmoid_and_others_have(activations):
    for name, most in {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0, "step": 0.0, "sign": 0.0}.items():
        assert activations["steepest"][name] == pytest.approx(most, abs=1e-12), name
    assert activations["steepest"]["gelu"] > 1.0
    assert activations["naive"] == 0.0
    assert activations["careful"] == pytest.approx(math.exp(-40.0), rel=1e-12)


def test_positive_inputs_tie_the_signs_of_gradients(activations):
    alike = activations["alike"]
    assert (alike["sigmoid"], alike["relu"]) == (1.0, 1.0)
    assert alike["tanh"] < 0.5


def test_slopes_at_kinks_are_pytorch_s_choice(activations):
    assert activations["at_kinks"] == {
        ("relu", 0): 0.0, ("leaky_relu", 0): 0.01, ("relu6", 0): 0.0, ("relu6", 6): 0.0,
        ("hardtanh", -1): 0.0, ("hardtanh", 1): 0.0, ("hardswish", -3): 0.0, ("hardswish", 3): 1.0,
    }  # fmt: skip


def test_nothing_is_learned_through_a_step(activations):
    assert activations["moved"]["step"] == 0.0
    assert activations["first"]["step"] == activations["last"]["step"] == 0.75
    assert activations["last"]["sigmoid"] < 0.1 * activations["first"]["sigmoid"]


def test_what_gelu_is(activations):
    assert activations["gelu_error"] < 1e-14
    assert activations["lowest"] == pytest.approx(-0.16997, abs=1e-5)
    assert activations["lowest_at"] == pytest.approx(-0.75179, abs=1e-5)


def test_softmax_gives_shares(activations):
    assert sum(activations["shares"]) == pytest.approx(1.0, abs=1e-15)
    assert activations["shifted"] == pytest.approx(activations["shares"], abs=1e-12)
    assert activations["shares"] == pytest.approx(np.exp([2, 1, 0.1]) / np.exp([2, 1, 0.1]).sum(), abs=1e-15)


def test_linear_layers_collapse_and_cannot_fit_xor(activations):
    assert activations["sizes"] == (177, 3)
    assert activations["collapse_error"] < 1e-13
    assert activations["best"] == pytest.approx(0.25, abs=1e-15)
    assert activations["solution"] == pytest.approx([0.0, 0.0, 0.5], abs=1e-12)
    assert activations["errors"]["identity"] == pytest.approx([0.25] * activations["seeds"], abs=1e-6)
    assert max(activations["errors"]["tanh"]) < 1e-3


def test_pictures_of_the_activations(activations):
    assert pictures(activations) == {"activations-all.png", "activations-xor.png"}


def test_exercise_an_activation_of_your_own(activations):
    """With s = x[0] + x[1] - 1: XOR is 1 - s^2, and (s + 1)^3 - (s - 1)^3 = 6 s^2 + 2."""
    nn.activations.register(lambda z: z**3, "cube_of_the_lesson")
    model = nn.MLP(2, [2, 1], activation="cube_of_the_lesson", init="ones")
    for neuron, start in zip(model.layers[0].neurons, (0.0, -2.0), strict=True):
        neuron.b.data = start
    (last,) = model.layers[1].neurons
    last.w[0].data, last.w[1].data, last.b.data = -1 / 6, 1 / 6, 4 / 3
    assert [model(x).data for x in activations["X"]] == pytest.approx(activations["XOR"], abs=1e-12)

    arrived = 0
    for seed in range(10):  # some stay where two neurons are stuck
        model = nn.MLP(2, [2, 1], activation="cube_of_the_lesson", rng=seed)
        step = nn.train_step(model, nn.mse, nn.Adam(model.parameters(), lr=0.02))
        for _ in range(1000):
            error = step(np.array(activations["X"]), np.array(activations["XOR"]))
        arrived += error < 1e-3
    assert 0 < arrived < 10


def test_exercise_where_silu_is_lowest():
    silu, z = nn.activations.get("silu"), Value(0.0)
    for _ in range(1000):
        z.grad = 0.0
        silu(z).backward()
        z.data -= 0.5 * z.grad
    assert z.data == pytest.approx(-1.27846, abs=1e-5)
    assert silu(z.data) == pytest.approx(min(silu.range or ()), abs=1e-12)


def test_exercise_tanh_is_a_sigmoid():
    """tanh(z) = 2 sigmoid(2 z) - 1: twice as tall, and squeezed to half the width, so four times as steep."""
    z = np.linspace(-5.0, 5.0, 101)
    assert nn.activations.get("tanh")(z) == pytest.approx(2.0 * nn.activations.get("sigmoid")(2.0 * z) - 1.0)
