"""Summaries: what is counted, against the model's own count; shapes, against the samples; and nothing is changed."""

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from nn import Conv1d, Conv2d, Flatten, Layer, MaxPool, Module, Neuron, Residual, Sequential
from nn.summary import summary

IMAGE = np.arange(36.0).reshape(1, 6, 6) / 36.0
TOKENS = [1, 0, 2]
SEQUENCE = [[0.1, 0.2, 0.3]] * 4

# Models of every kind, each with a call of it.
MODELS: dict[str, Any] = {
    "MLP": (lambda: nn.MLP(3, [4, 4, 2], activation="tanh", output_activation="softmax"), ([1.0, 2.0, 3.0],)),
    "prelu": (lambda: nn.MLP(2, [3, 1], activation="prelu"), ([1.0, 2.0],)),
    "Layer": (lambda: Layer(2, 1, bias=False), ([1.0, 2.0],)),
    "Neuron": (lambda: Neuron(2), ([1.0, 2.0],)),
    "Conv2d": (
        lambda: Sequential(Conv2d(1, 2, 3), nn.BatchNorm(2), "relu", MaxPool(2), Flatten(), Layer(8, 3)),
        (IMAGE,),
    ),
    "Conv1d": (lambda: Conv1d(1, 2, 3, padding=1, activation="relu"), ([[1.0, 2.0, 3.0]],)),
    "Residual": (lambda: Sequential(Residual(Layer(2, 2), Layer(2, 2)), nn.LayerNorm(2)), ([1.0, 2.0],)),
    "RNN": (lambda: nn.RNN(3, 2), (SEQUENCE,)),
    "LSTM": (lambda: nn.LSTM(3, 2, layers=2, bidirectional=True), (SEQUENCE,)),
    "GRU": (lambda: nn.GRU(3, 2), (SEQUENCE,)),
    "Embedding": (lambda: nn.Embedding(3, 2, padding=0), (TOKENS,)),
    "GPT": (lambda: nn.GPT(5, 8, heads=2), (TOKENS,)),
    "ViT": (lambda: nn.ViT(6, 3, 10, width=8, heads=2), (IMAGE,)),
    "Transformer": (lambda: nn.Transformer(3, width=8, heads=2), (TOKENS, TOKENS)),
}


def rows(text):
    """The cells of each line, by the layer, as far as they are not blank; two blanks part them."""
    return {
        line.split()[0]: [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in text.splitlines()
    }


def test_a_network_of_layers_as_ever():
    lines = """\
MLP(784, [128, 10])
layer     inputs -> outputs  activation  weights  biases  parameters
layers.0         784 -> 128  relu        100,352     128     100,480
layers.1          128 -> 10  identity      1,280      10       1,290
total                                    101,632     138     101,770
depth: 1 hidden layer"""
    model = nn.MLP(784, [128, 10])
    assert model.summary() == summary(model) == lines


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("with_sample", [False, True])
def test_the_total_is_the_models_own_count(name, with_sample):
    make, sample = MODELS[name]
    model = make()
    text = model.summary(*sample) if with_sample else model.summary()
    frozen = model.count_parameters() - model.count_parameters(trainable=True)
    total = [int(cell.replace(",", "")) for cell in rows(text)["total"][1:]]
    assert total[2] == model.count_parameters()
    assert total[3:] == ([frozen] if frozen else [])
    assert sum(total[:2]) == total[2] - (3 if name == "prelu" else 0)  # slopes are neither
    assert all(line == line.rstrip() for line in text.splitlines())
    if with_sample:
        assert text.count("->") > 1


def test_weights_and_biases_are_told_apart():
    for name, weights, biases in (
        ("LSTM", 4 * 2 * (2 * 5 + 2 * 6), 4 * 4 * 2),
        ("GRU", 2 * (2 * 5 + 5), 4 * 2),
    ):
        assert rows(MODELS[name][0]().summary())["total"][1:3] == [str(weights), str(biases)]
    table = rows(Sequential(nn.LayerNorm(3), Layer(3, 1)).summary())
    assert table["layers.0"][2:] == ["3", "3", "6"]
    assert table["layers.1"][3:] == ["relu", "3", "1", "4"]


def test_shapes_are_those_of_the_sample():
    model, (image,) = MODELS["Conv2d"][0](), MODELS["Conv2d"][1]
    table = rows(model.summary(image))
    assert [table[f"layers.{i}"][2] for i in (0, 1, 3, 4, 5)] == [
        "(1, 6, 6) -> (2, 4, 4)",
        "(2, 4, 4) -> (2, 4, 4)",
        "(2, 4, 4) -> (2, 2, 2)",
        "(2, 2, 2) -> 8",
        "8 -> 3",
    ]
    assert table["layers.2"] == ["layers.2", "function", "relu"]
    assert model.summary(x=image.tolist()) == model.summary(image)
    without = model.summary()
    assert [line.count("->") for line in without.splitlines()] == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0]


def test_shapes_of_sequences_tokens_and_states():
    table = rows(nn.LSTM(3, 2, layers=2, bidirectional=True).summary(SEQUENCE))
    assert [table[f"cells.{k}"][2] for k in range(4)] == ["3 -> 2", "3 -> 2", "4 -> 2", "4 -> 2"]
    assert rows(Sequential(nn.LSTM(3, 2)).summary(SEQUENCE))["layers.0"][2] == "(4, 3) -> (4, 2)"
    assert rows(nn.Embedding(3, 2).summary(TOKENS))["Embedding"][1] == "3 -> (3, 2)"
    assert rows(nn.Embedding(3, 2).summary(1))["Embedding"][1] == "1 -> 2"
    assert rows(Neuron(2).summary((1.0, 2.0)))["Neuron"][1] == "2 -> 1"


def test_containers_are_shown_by_their_paths_and_neurons_are_not():
    inner = Sequential(Layer(2, 2), Layer(2, 2))
    text = Sequential(Residual(inner), Layer(2, 1)).summary([1.0, 2.0])
    assert [*rows(text)][2:-2] == [
        "layers.0", "layers.0.inner", "layers.0.inner.layers.0", "layers.0.inner.layers.1", "layers.1",
    ]  # fmt: skip
    assert rows(text)["layers.0"] == ["layers.0", "Residual", "2 -> 2"]
    assert text.endswith("depth: 2 hidden layers")


def test_parameters_of_a_container_itself_are_counted():
    class Scaled(Module):
        def __init__(self):
            self.slope, self.layer = Value(2.0), Layer(2, 1)

        def __call__(self, x):
            return self.slope * self.layer(x)

    text = Scaled().summary([1.0, 2.0])
    assert rows(text)["Scaled"] == ["Scaled", "2 -> 1", "1", "0", "1"]
    assert rows(text)["total"] == ["total", "3", "1", "4"]
    assert rows(Sequential(Scaled()).summary())["layers.0"] == ["layers.0", "Scaled", "1", "0", "1"]


def test_what_is_shared_counts_once():
    layer = Layer(2, 2)
    assert rows(Sequential(layer, layer).summary())["total"] == ["total", "4", "2", "6"]
    tied = Sequential(Layer(2, 2), Layer(2, 2))
    tied[1].neurons[0].w = tied[0].neurons[0].w
    table = rows(tied.summary())
    assert table["layers.1"][-1] == "4"
    assert table["total"][-1] == str(tied.count_parameters()) == "10"


def test_buffers_are_no_parameters_and_frozen_ones_are_marked():
    model = Sequential(nn.BatchNorm(2), nn.Standardize([0.0, 0.0], [1.0, 1.0]), Layer(2, 1))
    assert "frozen" not in model.summary()
    assert rows(model.summary())["layers.1"] == ["layers.1", "Standardize(2)", "0", "0", "0"]
    model[2].freeze()
    assert rows(model.summary())["layer"][-1] == "frozen"
    assert rows(model.summary())["layers.2"][-2:] == ["3", "3"]
    assert rows(model.summary())["layers.0"][-2:] == ["4", "0"]


def test_activations_are_named_once_and_the_identity_where_there_is_no_other():
    found = {name: rows(MODELS[name][0]().summary()) for name in ("MLP", "LSTM", "prelu", "GPT")}
    assert [found["MLP"][f"layers.{i}"][2] for i in range(3)] == ["tanh", "tanh", "softmax"]
    assert found["LSTM"]["cells.0"][2] == "sigmoid, tanh"
    assert found["prelu"]["layers.0"][2:] == ["prelu", "6", "3", "12"]
    assert found["GPT"]["blocks.0.feed"][2] == "gelu"
    assert found["GPT"]["blocks.0.attention"][2] == "identity"


@pytest.mark.parametrize(("model", "depth"), [
    (nn.MLP(2, [1]), "0 hidden layers"), (nn.MLP(2, [2, 1]), "1 hidden layer"),
    (nn.MLP(2, [2, 2, 1]), "2 hidden layers"), (Sequential(Flatten()), "0 hidden layers"),
    (Sequential(nn.LayerNorm(2), Layer(2, 2), Flatten(), nn.LayerNorm(2)), "0 hidden layers"),
    (Sequential(Conv2d(1, 2, 3), Flatten(), Layer(2, 3), Layer(3, 1)), "2 hidden layers"),
    (Sequential(nn.RNN(2, 2, layers=2), Layer(2, 1)), "2 hidden layers"),
])  # fmt: skip
def test_depth(model, depth):
    assert model.summary().splitlines()[-1] == f"depth: {depth}"


def test_nothing_is_changed_by_the_call():
    model = Sequential(nn.BatchNorm(2), nn.Dropout(0.5), Layer(2, 1, activation="identity"))
    model[0].eval()
    x = Value(1.0)
    model[2]([x, 2.0]).backward()
    before = [(p.data, p.grad) for p in model.parameters()]
    model.summary([x, 5.0])
    assert [part.training for part in model] == [False, True, True]
    assert model.training
    assert [(p.data, p.grad) for p in model.parameters()] == before
    assert [float(v) for _, v in model.named_buffers()] == [0.0, 0.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="Received: 3"):
        model.summary([1.0, 2.0, 3.0])
    assert [part.training for part in model] == [False, True, True]


def test_a_foreign_model_is_refused():
    with pytest.raises(TypeError, match=r"^summary needs a Module\. Received: list$"):
        summary([1.0])  # type: ignore[arg-type]
