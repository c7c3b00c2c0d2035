"""The lesson on attention: what it says comes out; its exercises, solved."""

import math
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from demos.data import load_names


def softmax(scores: Any) -> Any:
    shares = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def floats(xs: Any) -> Any:
    return np.array(xs).astype(float)


# A soft dictionary ------------------------------------------------------------------------------------------------


def test_attention_is_a_mean_by_softmax(lesson):
    queries, keys, values = (
        np.array([*lesson["queries"].values()]),
        np.array(lesson["keys"]),
        lesson["values"],
    )
    shares = softmax(queries @ keys.T / math.sqrt(2))
    np.testing.assert_allclose(lesson["weights"], shares, rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(lesson["found"], shares @ values, rtol=1e-12)
    assert lesson["attention_differs"] < 1e-13


def test_a_long_query_looks_up_and_an_empty_one_takes_the_mean(lesson):
    found = dict(zip(lesson["queries"], lesson["found"], strict=True))
    assert found["north, 50 times"] == pytest.approx([20.0], abs=1e-12)
    assert found["north-east, 50 times"] == pytest.approx([15.0], abs=1e-12)
    assert found["nowhere"] == [25.0]
    assert 22.0 < found["north"][0] < 23.0


def test_it_has_a_gradient_by_value_and_query(lesson):
    keys, values = np.array(lesson["keys"]), np.array(lesson["values"])[:, 0]

    def out(q: Any, v: Any) -> float:
        return float(softmax(keys @ q / math.sqrt(2)) @ v)

    q, hair = np.array([0.0, 1.0]), 1e-6
    by_query = [(out(q + step, values) - out(q - step, values)) / 2 / hair for step in hair * np.eye(2)]
    by_values = [(out(q, values + step) - out(q, values - step)) / 2 / hair for step in hair * np.eye(4)]
    np.testing.assert_allclose(lesson["by_query"], by_query, rtol=1e-7)
    np.testing.assert_allclose(lesson["query_formula"], by_query, rtol=1e-7)
    np.testing.assert_allclose(lesson["by_values"], by_values, rtol=1e-7)


def test_the_root_keeps_variance_and_slope(lesson):
    for (d, scores), (variance, largest, slope) in lesson["steepness"].items():
        scaled = scores == "q . k / sqrt(d)"
        assert variance == pytest.approx(1 if scaled else d, rel=0.25)
        assert 1 / 16 < largest < 1
        if scaled:
            assert largest < 0.3
            assert slope > 0.15
    plain = [lesson["steepness"][d, "q . k"] for d in (4, 64, 1024)]
    assert sorted(largest for _, largest, _ in plain) == [largest for _, largest, _ in plain]
    assert plain[-1][1] > 0.9
    assert plain[-1][2] < 0.05


# Order, masks, the block ------------------------------------------------------------------------------------------


def test_only_positions_and_masks_tell_the_order(lesson):
    moved = lesson["moved"]
    blind = [name for name, most in moved.items() if most < 1e-12]
    assert blind == ["attention", "a whole block"]
    assert min(most for name, most in moved.items() if name not in blind) > 0.1


def test_a_later_letter_changes_nothing_before_it(lesson):
    assert lesson["changed"]["GPT"][:4].tolist() == [0.0] * 4
    assert lesson["changed"]["GPT"][4] > 0.1
    assert min(lesson["changed"]["BERT"]) > 0.1
    above = np.triu_indices(5, 1)
    assert not lesson["influence"]["GPT"][above].any()
    assert lesson["influence"]["GPT"][np.tril_indices(5)].min() > 0.0
    assert lesson["influence"]["BERT"].min() > 0.0


@pytest.mark.parametrize("place", range(5))
def test_the_mask_holds_at_every_place(lesson, place):
    """Whichever letter is replaced by whichever: what comes before it stays, bit by bit; from there on, all changes."""
    gpt, word = lesson["small"]["GPT"], lesson["tokens_of"]("carol")
    before = floats(gpt(word))
    for token in (1, 25):
        after = floats(gpt([*word[:place], token, *word[place + 1 :]]))
        differs = (before != after).any(axis=1)
        assert differs.tolist() == [i >= place for i in range(5)]


def test_three_models_have_one_block(lesson):
    shapes = [
        {name: array.shape for name, array in nn.state_arrays(model.blocks[0]).items()}
        for model in lesson["models"].values()
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    d = 8  # quick: four matrices and two of a width of 4 d, with their biases, and two norms
    assert {m.blocks[0].count_parameters() for m in lesson["models"].values()} == {
        4 * (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d) + 2 * 2 * d
    }
    assert lesson["block_differs"] == 0.0
    free = floats(lesson["small"]["BERT"].blocks[0](lesson["x"]))
    assert abs(free - lesson["masked_bert"]).max() > 0.1


# GPT, BERT, ViT ---------------------------------------------------------------------------------------------------


def test_names_are_known_or_held_out(lesson):
    assert sorted([*lesson["held_out"], *lesson["known"]]) == load_names()
    assert len(lesson["held_out"]) == 500


def counted(lesson: Any) -> Any:
    """How often which letter follows which, from 1 on, counted one by one; "." stands at both ends."""
    signs = [*"abcdefghijklmnopqrstuvwxyz."]
    often = {(a, b): 1 for a in signs for b in signs}
    for name in lesson["known"]:
        for a, b in zip(f".{name}", f"{name}.", strict=True):
            often[a, b] += 1
    total = {a: sum(often[a, b] for b in signs) for a in signs}
    return {(a, b): math.log(total[a] / n) for (a, b), n in often.items()}


def letter_loss(surprise: Any, words: Any) -> Any:
    pairs = [pair for name in words for pair in zip(f".{name}", f"{name}.", strict=True)]
    return sum(surprise[pair] for pair in pairs) / len(pairs)


def test_the_table_of_pairs(lesson):
    assert lesson["bigram"] == pytest.approx(letter_loss(counted(lesson), lesson["held_out"]), rel=1e-12)
    assert 2.3 < lesson["bigram"] < 2.4


def test_a_gpt_beats_the_table_and_a_bert_fills_better_still(lesson):
    """Wider and longer than in quick mode; the lesson's own loss is that of the model, letter by letter."""
    known, held_out, tokens_of = lesson["known"], lesson["held_out"], lesson["tokens_of"]
    gpt, bert = nn.GPT(27, 16, context=12, rng=0), nn.BERT(28, 16, context=11, norm="pre", rng=0)
    ask = lesson["train"](gpt, lesson["next_letters"], lesson["spelled"], [known], epochs=3)
    tokens, following, weight = lesson["spelled"](held_out)
    loss = float((lesson["surprise"](ask(tokens), following) * weight).sum(axis=1).mean())
    assert loss < lesson["bigram"] - 0.1

    by_hand = []
    for name in held_out[:10]:
        word = tokens_of(name)
        p = softmax(floats(gpt([26, *word])))
        by_hand += [-math.log(row[token]) for row, token in zip(p, [*word, 26], strict=True)]
    real = weight[:10] > 0
    np.testing.assert_allclose(lesson["surprise"](ask(tokens[:10]), following[:10])[real], by_hand, rtol=1e-9)

    forward = lesson["train"](bert, lesson["gaps"], lesson["hidden"], [known], epochs=6)
    whose, place, truth = (lesson[name] for name in ("whose", "place", "truth"))
    right = {
        "GPT": nn.metrics.accuracy(ask(tokens)[whose, place, :26], truth),
        "BERT": nn.metrics.accuracy(forward(lesson["masked"])[np.arange(len(whose)), place, :26], truth),
        "commonest": np.bincount(truth).max() / len(truth),
    }
    assert right["commonest"] + 0.08 < right["GPT"] < right["BERT"]


def test_each_letter_is_hidden_once(lesson):
    restored = lesson["masked"].copy()
    restored[restored == lesson["MASK"]] = lesson["truth"]
    assert len(restored) == sum(map(len, lesson["held_out"]))
    assert (lesson["masked"] == lesson["MASK"]).sum(axis=1).tolist() == [1] * len(restored)
    names = [name for name in lesson["held_out"] for _ in name]
    for row, name in zip(restored, names, strict=True):
        assert "".join(lesson["letters"][t] for t in row if t != lesson["END"]) == name
    ((commonest,), _) = lesson["filled"]["the commonest letter"]
    assert commonest == pytest.approx((lesson["truth"] == 0).mean())  # it is the a


def test_written_names_look_more_like_names_than_letters_at_random(lesson):
    written, surprise = lesson["written"], counted(lesson)
    assert len(written) == 20
    assert lesson["real"] == [name for name in written if name in load_names()]
    rng = np.random.default_rng(0)
    at_random = ["".join(rng.choice([*lesson["letters"]], size=len(name))) for name in written]
    assert letter_loss(surprise, written) < 2.9 < letter_loss(surprise, at_random)
    assert lesson["gpt_losses"][0] < 2.6


def test_without_positions_a_vit_reads_a_bag_of_patches(lesson):
    X, X_cut = lesson["X_test"], lesson["X_cut"]
    corners = [(i, j) for i in range(0, 8, 2) for j in range(0, 8, 2)]
    bags = [sorted(image[i : i + 2, j : j + 2].tobytes() for i, j in corners) for image in (X[0], X_cut[0])]
    assert bags[0] == bags[1]
    assert (X[0] != X_cut[0]).any()
    (blind,), (seeing,) = lesson["ask_vit"]["without"], lesson["ask_vit"]["with"]
    np.testing.assert_allclose(blind(X), blind(X_cut), rtol=1e-9, atol=1e-9)
    assert abs(seeing(X) - seeing(X_cut)).max() > 0.1
    assert not floats(lesson["vits"]["without"][0].positions.rows).any()


def test_with_positions_a_vit_learns_more(lesson):
    right = {}
    for kind in ("with", "without"):
        model = nn.ViT(size=8, patch=2, classes=10, width=16, rng=0)
        if kind == "without":
            nn.load_arrays(model.positions, {"rows": np.zeros((17, 16))})
            model.positions.freeze()
        data = [lesson["X_train"], lesson["y_train"]]
        ask = lesson["train"](model, nn.cross_entropy, lambda *batch: batch, data, epochs=10)
        right[kind] = nn.metrics.accuracy(ask(lesson["X_test"]), lesson["y_test"])
        shuffled = nn.metrics.accuracy(ask(lesson["X_cut"]), lesson["y_test"])
        assert (shuffled == right[kind]) == (kind == "without")
    assert right["without"] + 0.2 < right["with"]
    assert right["with"] > 0.85
    assert right["without"] > 0.3


def test_who_looks_where(lesson):
    bert, vit, gpt = (lesson[name] for name in ("bert", "vit", "gpt"))
    for share in (lesson["looks"](bert, [1] * 11), lesson["looks"](vit, lesson["X_test"][0])):
        np.testing.assert_allclose(share.sum(axis=-1), 1.0, rtol=1e-12)
        assert share.min() > 0.0
    assert lesson["looks"](vit, lesson["X_test"][0]).shape == (4, 17, 17)
    causal = lesson["looks"](gpt, [1, 2, 3])
    np.testing.assert_array_equal(causal > 0, np.broadcast_to(np.tri(3, dtype=bool), (4, 3, 3)))


def test_pictures_left(pictures):
    assert pictures == {"dictionary", "causal", "heads", "patches"}


# Exercises --------------------------------------------------------------------------------------------------------


def test_exercise_the_vector_before():
    """Each place has a key of its own, and asks for the key of the place before it; the first, which has none, for its
    own."""
    x = np.random.default_rng(0).normal(size=(6, 3))
    keys = np.eye(6)
    queries = 200 * keys[[0, 0, 1, 2, 3, 4]]
    np.testing.assert_allclose(nn.attention(queries, keys, x), x[[0, 0, 1, 2, 3, 4]], atol=1e-12)
    waves = nn.SinusoidalPositions(7, 16).rows  # without a place for each: waves, shifted by one
    keys = floats(waves)
    found = floats(nn.attention(200 * keys[:-1], keys[1:], x))  # the key of place t is wave t + 1
    np.testing.assert_allclose(found[1:], x[:-1], atol=1e-9)


def test_exercise_rotary_depends_on_the_distance():
    q, k = np.random.default_rng(0).normal(size=(2, 8)).tolist()

    def product(i: int, j: int) -> float:
        return float(np.dot(nn.rotary(q, i), nn.rotary(k, j)))

    for distance in (0, 1, 5):
        products = [product(i + distance, i) for i in (0, 1, 7, 100)]
        assert products == pytest.approx([products[0]] * 4, rel=1e-11)
    assert abs(product(1, 0) - product(0, 1)) > 0.1  # and on its sign
    assert product(0, 0) == pytest.approx(np.dot(q, k))


def test_exercise_neighbours_of_neighbours():
    near = abs(np.subtract.outer(np.arange(7), np.arange(7))) <= 1
    layers = [nn.MultiHeadAttention(4, 2, rng=seed) for seed in (0, 1)]
    x = [[autograd.Value(v) for v in row] for row in np.random.default_rng(0).normal(size=(7, 4))]
    y: Any = x
    for reach, layer in enumerate(layers, start=1):
        y = layer(y, mask=near)
        for i in range(7):
            for row in x:
                for v in row:
                    v.grad = 0.0
            layer.zero_grad()
            autograd.dot([1.0, 2.0, 3.0, 4.0], y[i]).backward()
            seen = [any(v.grad for v in row) for row in x]
            assert seen == [abs(i - j) <= reach for j in range(7)]
