"""Attention, masks and positions: against NumPy, against PyTorch, compiled against eager, and by their laws."""

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from nn.attention import MultiHeadAttention, attention, attention_weights, causal_mask, padding_mask
from nn.positions import LearnedPositions, SinusoidalPositions, rotary, sinusoidal

TIGHT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def values(array):
    return [values(part) for part in array] if np.ndim(array) else Value(array)


def data(nested):
    return np.array([data(part) for part in nested]) if hasattr(nested, "__iter__") else float(nested)


def slopes(nested):
    return np.array([slopes(part) for part in nested]) if hasattr(nested, "__iter__") else float(nested.grad)


def weighted(nested, weights):
    """One number of all outputs, each with its own weight."""
    return autograd.dot([*np.ravel(np.array(nested, dtype=object))], [*map(float, np.ravel(weights))])


def matrix(layer):
    return np.array([[float(w) for w in neuron.w] for neuron in layer.neurons])


def bias(layer):
    return np.array([float(neuron.b) for neuron in layer.neurons])


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def by_numpy(q, k, v, mask=None, scale=None):
    scores = q @ k.T * (q.shape[1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    return softmax(scores) @ v


# The equation -----------------------------------------------------------------------------------------------------

SOME = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1]], dtype=bool)
CASES: dict[str, Any] = {
    "all": (3, 4, None, None),
    "single": (1, 1, None, None),
    "scale": (3, 4, None, 2.0),
    "scale 0": (2, 3, None, 0.0),
    "rows": (3, 4, SOME, None),
    "lists": (3, 4, SOME.tolist(), 1.0),
    "one row": (3, 4, [True, False, True, False], None),
    "causal": (4, 4, "causal", None),
    "causal rows": (4, 4, causal_mask(4), None),
}


def plain_mask(mask, n):
    return np.tri(n, dtype=bool) if isinstance(mask, str) else mask


@pytest.mark.parametrize("case", CASES)
def test_attention_is_numpys(case):
    queries, keys, mask, scale = CASES[case]
    q, k, v = normal(queries, 3), normal(keys, 3, seed=1), normal(keys, 2, seed=2)
    expected = by_numpy(q, k, v, plain_mask(mask, queries), scale)
    numbers = attention(q.tolist(), k, v.tolist(), mask, scale)
    assert {type(x) for row in numbers for x in row} == {float}
    np.testing.assert_allclose(data(numbers), expected, **TIGHT)
    np.testing.assert_allclose(
        data(attention(values(q), values(k), values(v), mask, scale)), expected, **TIGHT
    )


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_attention(case):
    queries, keys, mask, scale = CASES[case]
    q, k, v, weights = (
        normal(*s, seed=i) for i, s in enumerate([(queries, 3), (keys, 3), (keys, 2), (queries, 2)])
    )
    arrays: tuple[Any, Any, Any] = (values(q), values(k), values(v))
    weighted(attention(*arrays, mask=mask, scale=scale), weights).backward()
    for i, array in enumerate(arrays):
        found = slopes(array)
        for place in np.ndindex(found.shape):
            sides = []
            for h in (1e-5, -1e-5):
                moved: tuple[Any, Any, Any] = (q.copy(), k.copy(), v.copy())
                moved[i][place] += h
                sides.append((by_numpy(*moved, mask=plain_mask(mask, queries), scale=scale) * weights).sum())
            assert found[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("case", ["all", "rows", "causal"])
def test_attention_is_torchs(case):
    torch = pytest.importorskip("torch")
    queries, keys, mask, _ = CASES[case]
    shapes = [(queries, 3), (keys, 3), (keys, 2)]
    arrays = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    weights = normal(queries, 2, seed=9)
    q, k, v = ours = [values(a) for a in arrays]
    out = attention(q, k, v, mask)
    weighted(out, weights).backward()
    theirs = [torch.tensor(a[None], requires_grad=True) for a in arrays]
    allowed = None if mask is None else torch.tensor(plain_mask(mask, queries))
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs, attn_mask=allowed)
    (expected[0] * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(data(out), expected.detach().numpy()[0], **TIGHT)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(slopes(our), their.grad.numpy()[0], **TIGHT)


def test_weights_sum_to_1_and_are_0_where_masked():
    weights = data(attention_weights(normal(3, 2), normal(4, 2, seed=1), SOME))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-15)
    assert ((weights > 0.0) == SOME).all()


def test_what_is_masked_is_not_recorded():
    k, v = values(normal(4, 2)), values(normal(4, 2, seed=1))
    weighted(attention(values(normal(3, 2)), k, v, [True, True, False, True]), np.ones((3, 2))).backward()
    assert not slopes([k[2], v[2]]).any()
    assert (slopes([k[0], v[0]]) != 0.0).all()
    v[2][0].data = math.nan  # nor is it read
    assert np.isfinite(data(attention(normal(3, 2), k, v, [True, True, False, True]))).all()


def test_soft_dictionary():
    keys = [[20.0, 0.0], [0.0, 20.0]]
    assert data(attention([[0.0, 20.0]], keys, [[5.0], [7.0]])) == pytest.approx(7.0, abs=1e-12)
    assert data(attention([[1e3, 0.0]], [[1e3, 0.0], [0.0, 1e3]], [[5.0], [7.0]])) == pytest.approx(
        5.0
    )  # no overflow


@pytest.mark.parametrize("mask", [None, "causal", [True, False, True]])
def test_second_derivatives(mask):
    def f(q, k, v):
        return weighted(attention(q, k, v, mask), normal(3, 1))

    autograd.check_gradient(f, *[normal(3, 1, seed=i).tolist() for i in range(3)], order=2)


# Masks ------------------------------------------------------------------------------------------------------------


def test_masks():
    assert causal_mask(3).tolist() == [[j <= i for j in range(3)] for i in range(3)]
    for length in range(1, 4):
        assert padding_mask(length, 3) == [j < length for j in range(3)]
        assert (
            padding_mask(np.int64(length), 3)
            == padding_mask(Value(float(length)), 3)
            == padding_mask(length, 3)
        )


def test_padding_known_only_at_run_time():
    lengths = np.array([1, 3, 4])
    q, k, v = normal(3, 2, 3), normal(3, 4, 3, seed=1), normal(3, 4, 2, seed=2)

    def f(q, k, v, length):
        return weighted(attention(q, k, v, padding_mask(length, 4)), normal(2, 2))

    program = autograd.compile(f, batch=True)
    value, gradient = program.value_and_grad(q, k, v, lengths)
    found = []
    for sample in zip(q, k, v, lengths, strict=True):
        arrays = [values(a) for a in sample[:3]]
        y = f(arrays[0], arrays[1], arrays[2], int(sample[3]))
        (y / 3.0).backward()
        found.append((float(y), [slopes(a) for a in arrays]))
    assert value == pytest.approx(np.mean([y for y, _ in found]), rel=1e-12)
    for i in range(3):
        np.testing.assert_allclose(gradient[i], [g[i] for _, g in found], rtol=1e-12, atol=1e-15)
    assert not gradient[1][0, 1:].any()


# The layer --------------------------------------------------------------------------------------------------------


def multi_head_by_numpy(layer, x, context, mask=None):
    q, k, v = (
        xs @ matrix(part).T + bias(part)
        for xs, part in ((x, layer.query), (context, layer.key), (context, layer.value))
    )
    n = layer.width // layer.heads
    parts = [slice(i, i + n) for i in range(0, layer.width, n)]
    heads = [by_numpy(q[:, part], k[:, part], v[:, part], mask) for part in parts]
    return np.hstack(heads) @ matrix(layer.out).T + bias(layer.out)


def shaken(module, seed=5):
    """The module with biases and gains that are not all 0 and 1."""
    rng = random.Random(seed)
    for p in module.parameters():
        p.data += rng.gauss(0.0, 0.3)
    return module


KINDS: dict[str, Any] = {  # settings, context of how many and how wide, mask
    "self": ({}, None, None),
    "causal": ({"causal": True}, None, None),
    "masked": ({}, None, np.array([[1, 0, 1, 1]] * 3 + [[0, 0, 0, 1]], dtype=bool)),
    "padded": ({}, None, [True, True, False, True]),
    "causal and padded": ({"causal": True}, None, [True, True, False, True]),
    "cross": ({}, (3, 4), None),
    "cross of other width": ({"kv_width": 3}, (5, 3), None),
    "cross masked": ({}, (3, 4), [True, False, True]),
}


def prepared(kind, heads):
    settings, other, mask = KINDS[kind]
    layer = shaken(MultiHeadAttention(4, heads, rng=heads, **settings))
    x, context = normal(4, 4), None if other is None else normal(*other, seed=1)
    keys = 4 if other is None else other[0]
    full = np.broadcast_to(np.ones(keys, dtype=bool) if mask is None else mask, (4, keys))
    return layer, x, context, mask, full & (np.tri(4, dtype=bool) if settings.get("causal") else True)


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_multi_head_attention_is_numpys(kind, heads):
    layer, x, context, mask, full = prepared(kind, heads)
    expected = multi_head_by_numpy(layer, x, x if context is None else context, full)
    np.testing.assert_allclose(data(layer(x, context, mask)), expected, **TIGHT)
    weights = data(layer.weights(x, context, mask))
    assert weights.shape == (heads, *full.shape)
    assert ((weights > 0.0) == full).all()


@pytest.mark.parametrize("kind", KINDS)
def test_multi_head_attention_is_torchs(kind):
    torch = pytest.importorskip("torch")
    layer, x, context, mask, full = prepared(kind, 2)
    theirs = torch.nn.MultiheadAttention(
        4, 2, batch_first=True, kdim=layer.kv_width, vdim=layer.kv_width, dtype=torch.float64
    )
    projections = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        if layer.kv_width == 4:
            theirs.in_proj_weight.copy_(torch.tensor(np.vstack([matrix(part) for part in projections])))
        else:
            for weight, part in zip(
                (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight), projections, strict=True
            ):
                weight.copy_(torch.tensor(matrix(part)))
        theirs.in_proj_bias.copy_(torch.tensor(np.hstack([bias(part) for part in projections])))
        theirs.out_proj.weight.copy_(torch.tensor(matrix(layer.out)))
        theirs.out_proj.bias.copy_(torch.tensor(bias(layer.out)))
    weights = normal(4, 4, seed=7)
    our = [values(x), None if context is None else values(context)]
    out = layer(*our, mask)
    weighted(out, weights).backward()

    tx = torch.tensor(x[None], requires_grad=True)
    tc = tx if context is None else torch.tensor(context[None], requires_grad=True)
    expected, shares = theirs(tx, tc, tc, attn_mask=torch.tensor(~full), average_attn_weights=False)
    (expected[0] * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(data(out), expected.detach().numpy()[0], **TIGHT)
    np.testing.assert_allclose(data(layer.weights(*our, mask)), shares.detach().numpy()[0], **TIGHT)
    np.testing.assert_allclose(slopes(our[0]), tx.grad.numpy()[0], **TIGHT)
    if context is not None:
        np.testing.assert_allclose(slopes(our[1]), tc.grad.numpy()[0], **TIGHT)
    if layer.kv_width == 4:
        matrices = np.split(theirs.in_proj_weight.grad.numpy(), 3)
    else:
        matrices = [
            w.grad.numpy() for w in (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight)
        ]
    biases = np.split(theirs.in_proj_bias.grad.numpy(), 3)
    for part, weight, b in zip(
        (*projections, layer.out),
        (*matrices, theirs.out_proj.weight.grad.numpy()),
        (*biases, theirs.out_proj.bias.grad.numpy()),
        strict=True,
    ):
        np.testing.assert_allclose(slopes([neuron.w for neuron in part.neurons]), weight, **TIGHT)
        np.testing.assert_allclose(slopes([neuron.b for neuron in part.neurons]), b, **TIGHT)


@pytest.mark.parametrize(
    "settings", [{}, {"causal": True}, {"rotary": True}, {"causal": True, "rotary": True}]
)
def test_compiled_is_eager(settings):
    layer = shaken(MultiHeadAttention(4, 2, rng=0, **settings))
    X, weights = normal(2, 5, 4), normal(5, 4, seed=1)
    f = lambda x: weighted(layer(x), weights)
    np.testing.assert_allclose(
        autograd.compile(layer, batch=True)(X), [data(layer(x)) for x in X], rtol=1e-12, atol=1e-14
    )
    value, gradient = autograd.compile(f, wrt=layer, batch=True).value_and_grad(X)
    layer.zero_grad()
    mean = autograd.mean([f(x) for x in X])
    mean.backward()
    assert value == pytest.approx(float(mean), rel=1e-12)
    np.testing.assert_allclose(gradient, slopes(layer.parameters()), rtol=1e-12, atol=1e-13)
    _, inputs = autograd.compile(f, batch=True).value_and_grad(X)
    for x, found in zip(X, inputs, strict=True):
        np.testing.assert_allclose(found, np.array(autograd.grad(f)(x), float) / 2.0, rtol=1e-12, atol=1e-13)


def test_compiled_cross_attention_is_eager():
    layer = shaken(MultiHeadAttention(4, 2, kv_width=3, rng=0))
    X, C = normal(2, 3, 4), normal(2, 5, 3, seed=1)
    expected = [data(layer(x, c)) for x, c in zip(X, C, strict=True)]
    np.testing.assert_allclose(autograd.compile(layer, batch=True)(X, C), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("settings", [{"causal": True}, {"rotary": True}])
def test_layers_second_derivatives(settings):
    layer = shaken(MultiHeadAttention(2, 1, rng=0, **settings))
    f = lambda x: weighted(layer(x), normal(3, 2))
    autograd.check_gradient(f, normal(3, 2, seed=1).tolist(), order=2)
    x, t = normal(3, 2, seed=2), normal(3, 2, seed=3)
    product = lambda x, t: autograd.hvp(f, (x,), (t,))
    found = autograd.compile(product, batch=True)(x[None], t[None])[0]
    np.testing.assert_allclose(found, np.array(product(x, t), float), rtol=1e-11, atol=1e-13)


def test_compiled_causal_attention_is_a_few_arrays():
    layer = MultiHeadAttention(8, 2, causal=True, rng=0)
    lengths = []
    for n in (4, 9):
        program = autograd.compile(layer, batch=True)
        program(normal(2, n, 8))
        assert "np.where(causal" in program.source
        lengths.append(program.source.count("\n"))
    assert lengths[0] == lengths[1] < 40


def test_nothing_flows_from_the_future():
    layer, x = MultiHeadAttention(4, 2, causal=True, rng=0), normal(5, 4)
    before = data(layer(x))
    for place in range(5):
        changed = x.copy()
        changed[place] += 1.0
        after = data(layer(changed))
        assert (after[:place] == before[:place]).all()
        assert (after[place:] != before[place:]).all()


def test_without_positions_the_order_does_not_matter():
    layer, x = MultiHeadAttention(4, 2, rng=0), normal(4, 4)
    out = data(layer(x))
    for order in itertools.permutations(range(4)):
        np.testing.assert_allclose(data(layer(x[[*order]])), out[[*order]], rtol=1e-12, atol=1e-14)
    turned = MultiHeadAttention(4, 2, rotary=True, rng=0)
    assert not np.allclose(data(turned(x[::-1])), data(turned(x))[::-1])


def test_dropout_of_weights():
    layer, x = MultiHeadAttention(4, 2, dropout=0.5, rng=0), normal(5, 4)
    assert data(layer(x)).tolist() != data(layer(x)).tolist()
    still = data(layer.eval()(x))
    assert still.tolist() == data(layer(x)).tolist()
    layer.train()
    mean = np.mean([data(layer(x)) for _ in range(600)], axis=0)
    np.testing.assert_allclose(mean, still, atol=0.25)
    everything = MultiHeadAttention(2, 1, dropout=1.0, rng=0)
    assert data(everything(normal(3, 2))).tolist() == [[0.0, 0.0]] * 3


def test_dropout_compiled_keeps_what_is_masked_out():
    layer = MultiHeadAttention(4, 2, causal=True, dropout=0.5, rng=0)
    program = autograd.compile(lambda x: autograd.sum(layer(x)[1]), batch=True)
    drawn = set()
    for _ in range(5):
        value, gradient = program.value_and_grad(normal(3, 4, 4))
        drawn.add(value)
        assert not gradient[:, 2:].any()
        assert gradient[:, :2].any()
    assert len(drawn) == 5
    assert "-np.inf" not in program.source  # places beyond are not read at all


def test_drawing_shows_the_parts():
    layer = MultiHeadAttention(2, 1, rng=0)
    out = layer([[Value(1.0), Value(2.0)], [Value(0.5), Value(-1.0)]])
    text = autograd.draw(out[0][0], level="layer").source
    for name in ("query", "key", "value", "out", "MultiHeadAttention(2, heads=1)"):
        assert name in text
    assert "softmax" in text or "exp" in autograd.draw(out[0][0], level="scalar", max_nodes=500).source


def test_parameters_and_seeds():
    layer = MultiHeadAttention(4, 2, kv_width=3, rng=0)
    assert layer.count_parameters() == 2 * (16 + 4) + 2 * (12 + 4)
    assert MultiHeadAttention(4, 2, bias=False).count_parameters() == 64
    again, other = (MultiHeadAttention(4, 2, kv_width=3, rng=seed) for seed in (0, 1))
    assert (
        data(layer.parameters()).tolist()
        == data(again.parameters()).tolist()
        != data(other.parameters()).tolist()
    )
    assert set(data(MultiHeadAttention(2, 1, init="ones", bias=False).parameters())) == {1.0}
    assert data(MultiHeadAttention(1, 1, init="ones")([[2.0], [2.0]])).tolist() == [[2.0], [2.0]]


# Positions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "width"), [(1, 1), (3, 2), (5, 6), (7, 5)])
def test_sinusoidal(n, width):
    expected = [
        [(math.cos if i % 2 else math.sin)(t / 10000.0 ** (2 * (i // 2) / width)) for i in range(width)]
        for t in range(n)
    ]
    np.testing.assert_allclose(sinusoidal(n, width), expected, rtol=1e-14, atol=1e-15)
    xs = normal(n, width)
    np.testing.assert_allclose(data(SinusoidalPositions(n, width)(xs)), xs + expected, rtol=1e-14, atol=1e-15)


def test_sinusoidal_is_not_learned():
    layer = SinusoidalPositions(3, 2)
    assert layer.parameters() == []
    assert [name for name, _ in layer.named_buffers()][:2] == ["rows[0][0]", "rows[0][1]"]


@pytest.mark.parametrize("d", [2, 4, 8])
def test_rotary_turns_complex_numbers(d):
    x = normal(d)
    for place in (0, 1, 7, -3, 0.5):
        z = (x[: d // 2] + 1j * x[d // 2 :]) * np.exp(1j * place * 10000.0 ** (-2 * np.arange(d // 2) / d))
        np.testing.assert_allclose(rotary(x, place), np.hstack([z.real, z.imag]), rtol=1e-13)
    assert rotary(x, 0) == x.tolist()
    z = (x[: d // 2] + 1j * x[d // 2 :]) * np.exp(1j * 3 * 100.0 ** (-2 * np.arange(d // 2) / d))
    np.testing.assert_allclose(rotary(x, 3, base=100.0), np.hstack([z.real, z.imag]), rtol=1e-13)


def test_rotary_scores_depend_on_the_difference_of_places():
    q, k = normal(6), normal(6, seed=1)
    score = lambda i, j: float(np.dot(rotary(q, i), rotary(k, j)))
    for shift in range(1, 20):
        assert score(5 + shift, 2 + shift) == pytest.approx(score(5, 2), rel=1e-12)
    assert score(5, 3) != pytest.approx(score(5, 2), rel=1e-3)


def test_rotary_attention_depends_on_the_difference_of_places():
    layer, x = MultiHeadAttention(4, 2, causal=True, rotary=True, rng=0), normal(4, 4)
    seen = data(layer.weights(np.vstack([x, x])))[:, 7, 4:8]  # the second copy among itself
    np.testing.assert_allclose(
        seen / seen.sum(axis=1, keepdims=True), data(layer.weights(x))[:, 3], rtol=1e-12
    )


def test_rotary_at_a_place_known_only_at_run_time():
    program = autograd.compile(lambda x, place: rotary(x, place), batch=True)
    X = normal(3, 4)
    np.testing.assert_allclose(program(X, np.arange(3)), [rotary(x, i) for i, x in enumerate(X)], rtol=1e-12)


def test_learned_positions():
    layer = LearnedPositions(3, 2, rng=0)
    rows = data(layer.rows)
    x = values(normal(2, 2))
    out = layer(x)
    np.testing.assert_allclose(data(out), data(x) + rows[:2], rtol=1e-15)
    weighted(out, [[1.0, 2.0], [3.0, 4.0]]).backward()
    assert slopes(layer.rows).tolist() == [[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]
    assert [p.label for p in layer.parameters()][:3] == ["rows[0][0]", "rows[0][1]", "rows[1][0]"]
    assert float(np.std(data(LearnedPositions(100, 20, rng=0).rows))) == pytest.approx(0.02, rel=0.05)
    X = normal(2, 2, 2)
    np.testing.assert_allclose(autograd.compile(layer, batch=True)(X), X + rows[:2], rtol=1e-12)


# What is not welcome ----------------------------------------------------------------------------------------------

TWO = [[1.0, 0.0], [0.0, 1.0]]
BAD: dict[str, Any] = {
    "sizes": (lambda: attention([[1.0]], TWO, TWO), ValueError, "one size. Received: 1 and 2"),
    "values": (lambda: attention(TWO, TWO, [[1.0]]), ValueError, "a value for each of 2 keys. Received: 1"),
    "ragged": (lambda: attention([[1.0], [1.0, 2.0]], TWO, TWO), ValueError, "queries of one size"),
    "empty": (lambda: attention([], TWO, TWO), ValueError, "queries of one size, one at least"),
    "not vectors": (lambda: attention([1.0], TWO, TWO), TypeError, "list of vectors as queries. Received"),
    "nothing seen": (
        lambda: attention(TWO, TWO, TWO, [[True, False], [False, False]]),
        ValueError,
        "see one key",
    ),
    "rows of mask": (lambda: attention(TWO, TWO, TWO, [[True, True]]), ValueError, "each of 2 queries"),
    "entries of mask": (
        lambda: attention(TWO, TWO, TWO, [True] * 3),
        ValueError,
        "each of 2 keys. Received: 3",
    ),
    "additive mask": (
        lambda: attention(TWO, TWO, TWO, [0.0, -np.inf]),
        ValueError,
        "True and False. Received: -inf",
    ),
    "word": (lambda: attention(TWO, TWO, TWO, "forward"), TypeError, "Received: 'forward'"),
    "causal": (lambda: attention(TWO, TWO * 2, TWO * 2, "causal"), ValueError, "Received: 2 queries, 4 keys"),
    "causal n": (lambda: causal_mask(0), ValueError, "n to be at least 1"),
    "length": (lambda: padding_mask(4, 3), ValueError, "length from 1 to 3. Received: length=4"),
    "no length": (lambda: padding_mask(0, 3), ValueError, "at least 1. Received: length=0"),
    "half a Value": (lambda: padding_mask(Value(1.5), 3), TypeError, "int as length. Received: Value"),
    "half": (lambda: padding_mask(1.5, 3), TypeError, "int as length. Received: 1.5"),
    "heads": (lambda: MultiHeadAttention(4, 3), ValueError, "heads divide. Received: width=4, heads=3"),
    "no heads": (lambda: MultiHeadAttention(4, 0), ValueError, "heads to be at least 1"),
    "width": (lambda: MultiHeadAttention(data(2.5), 1), TypeError, "int as width"),
    "odd heads": (lambda: MultiHeadAttention(3, 1, rotary=True), ValueError, "even width if rotary"),
    "dropout": (lambda: MultiHeadAttention(2, 1, dropout=2.0), ValueError, "from 0 to 1"),
    "x": (
        lambda: MultiHeadAttention(2, 1)([[1.0]]),
        ValueError,
        "MultiHeadAttention(2, heads=1) needs 2 inputs",
    ),
    "no x": (lambda: MultiHeadAttention(2, 1)([]), ValueError, "at least one vector"),
    "a number": (lambda: MultiHeadAttention(2, 1)(1.0), TypeError, "list of vectors"),
    "no context": (lambda: MultiHeadAttention(2, 1, kv_width=3)(TWO), ValueError, "a context, of width 3"),
    "causal context": (
        lambda: MultiHeadAttention(2, 1, causal=True)(TWO, TWO),
        ValueError,
        "a single sequence",
    ),
    "blind": (
        lambda: MultiHeadAttention(2, 1, causal=True)(TWO, mask=[False, True]),
        ValueError,
        "up to itself",
    ),
    "rotary": (lambda: rotary([1.0], 1), ValueError, "even size. Received: 1"),
    "rotary of one": (lambda: rotary(1.0, 1), TypeError, "a list of numbers. Received: float"),
    "too long": (lambda: LearnedPositions(1, 2)(TWO), ValueError, "at most 1 vectors. Received: 2"),
    "too long a wave": (lambda: SinusoidalPositions(1, 2)(TWO), ValueError, "at most 1 vectors. Received: 2"),
    "no places": (lambda: sinusoidal(0, 2), ValueError, "n to be at least 1"),
}


@pytest.mark.parametrize("what", BAD)
def test_malformed(what):
    call, kind, message = BAD[what]
    with pytest.raises(kind) as error:
        call()
    assert message in str(error.value)
    assert "Received" in str(error.value)


def test_a_model_with_attention_learns():
    """Which place holds the largest first number: attention can tell."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 4, 2))
    Y = X[np.arange(64), X[:, :, 0].argmax(axis=1), 1]
    layer = MultiHeadAttention(2, 1, rng=0)

    def loss(model, x, y):
        return nn.mse([autograd.mean([row[0] for row in model(x)])], [y])

    step = nn.train_step(layer, loss, nn.Adam(layer.parameters(), lr=0.03))
    losses = [step(X, Y) for _ in range(400)]
    assert losses[-1] < 0.35 * losses[0]
