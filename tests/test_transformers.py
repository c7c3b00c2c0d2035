"""Blocks, encoder-decoder, GPT, BERT and ViT: against NumPy and PyTorch, compiled against eager, and by their laws."""

import math
import pickle
import random
from functools import partial
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from nn import LayerNorm, RMSNorm
from nn.bert import BERT, masked_cross_entropy
from nn.gpt import GPT
from nn.transformer import FeedForward, Transformer, TransformerBlock, next_token
from nn.vit import ViT

from .benchmarks import gpt as benchmark
from .benchmarks.job import with_start
from .test_attention import (
    TIGHT,
    bias,
    data,
    matrix,
    multi_head_by_numpy,
    normal,
    shaken,
    slopes,
    values,
    weighted,
)

BARE = partial(RMSNorm, gain=False)


def sequence_loss(logits, targets):
    return autograd.mean([nn.cross_entropy(row, target) for row, target in zip(logits, targets, strict=True)])


def same_gradients(f, model, *arrays, rtol=1e-12):
    """f of a batch, compiled and eager: its mean, and the gradient by the model's parameters."""
    value, gradient = autograd.compile(f, wrt=model, batch=True).value_and_grad(*arrays)
    model.zero_grad()
    mean = autograd.mean([f(*[part.tolist() for part in sample]) for sample in zip(*arrays, strict=True)])
    mean.backward()
    assert value == pytest.approx(float(mean), rel=rtol)
    expected = slopes(model.parameters())
    assert np.count_nonzero(expected) > len(expected) / 2
    np.testing.assert_allclose(gradient, expected, rtol=rtol, atol=rtol * abs(expected).max())


# The block --------------------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, Any] = {
    "relu": lambda z: np.maximum(z, 0.0),
    "gelu": lambda z: z * np.vectorize(lambda v: 0.5 * (1.0 + math.erf(v / math.sqrt(2.0))))(z),
    "swiglu": lambda z: z[..., : z.shape[-1] // 2] * (b := z[..., z.shape[-1] // 2 :]) / (1.0 + np.exp(-b)),
    "reglu": lambda z: z[..., : z.shape[-1] // 2] * np.maximum(z[..., z.shape[-1] // 2 :], 0.0),
}


def feed_by_numpy(feed, x, activation):
    hidden = ACTIVATIONS[activation](x @ matrix(feed.widen).T + bias(feed.widen))
    return hidden @ matrix(feed.narrow).T + bias(feed.narrow)


def norm_by_numpy(norm, x):
    if isinstance(norm, RMSNorm):
        y = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5)
        return y if norm.gain is None else y * data(norm.gain)
    y = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return y * data(norm.gain) + data(norm.bias)


def block_by_numpy(block, x, activation, context=None, mask=None, context_mask=None):
    def around(norm, part, x):
        if block.norm == "pre":
            return x + part(norm_by_numpy(norm, x))
        return norm_by_numpy(norm, x + part(x))

    x = around(block.norm_1, lambda y: multi_head_by_numpy(block.attention, y, y, mask), x)
    if context is not None:
        x = around(block.norm_cross, lambda y: multi_head_by_numpy(block.cross, y, context, context_mask), x)
    return around(block.norm_2, lambda y: feed_by_numpy(block.feed, y, activation), x)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_feed_forward_is_numpys(activation):
    feed = shaken(FeedForward(3, 5, activation=activation, rng=0))
    assert len(feed.widen.neurons) == (10 if activation.endswith("glu") else 5)
    x = normal(4, 3)
    np.testing.assert_allclose([data(feed(row)) for row in x], feed_by_numpy(feed, x, activation), **TIGHT)


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("normalization", [LayerNorm, RMSNorm, BARE])
@pytest.mark.parametrize("activation", ["relu", "swiglu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_is_numpys(norm, activation, normalization, cross):
    block = TransformerBlock(
        4,
        2,
        6,
        norm=norm,
        activation=activation,
        normalization=normalization,
        causal=True,
        cross=cross,
        rng=0,
    )
    shaken(block)
    x, context = normal(3, 4), normal(5, 4, seed=1) if cross else None
    seen = [True, False, True, True, False] if cross else None
    expected = block_by_numpy(block, x, activation, context, np.tri(3, dtype=bool), seen)
    np.testing.assert_allclose(data(block(x, context, context_mask=seen)), expected, **TIGHT)
    np.testing.assert_allclose(data(block(x.tolist(), context, context_mask=seen)), expected, **TIGHT)


def copy_attention(torch, theirs, ours):
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.copy_(torch.tensor(np.vstack([matrix(part) for part in parts])))
    theirs.in_proj_bias.copy_(torch.tensor(np.hstack([bias(part) for part in parts])))
    copy_linear(torch, theirs.out_proj, ours.out)


def copy_linear(torch, theirs, ours):
    theirs.weight.copy_(torch.tensor(matrix(ours)))
    theirs.bias.copy_(torch.tensor(bias(ours)))


def copy_norm(torch, theirs, ours):
    theirs.weight.copy_(torch.tensor(data(ours.gain)))
    theirs.bias.copy_(torch.tensor(data(ours.bias)))


def same_linear(theirs, ours):
    np.testing.assert_allclose(slopes([n.w for n in ours.neurons]), theirs.weight.grad.numpy(), **TIGHT)
    np.testing.assert_allclose(slopes([n.b for n in ours.neurons]), theirs.bias.grad.numpy(), **TIGHT)


def same_norm(theirs, ours):
    np.testing.assert_allclose(slopes(ours.gain), theirs.weight.grad.numpy(), **TIGHT)
    np.testing.assert_allclose(slopes(ours.bias), theirs.bias.grad.numpy(), **TIGHT)


def same_attention(theirs, ours):
    weights = np.split(theirs.in_proj_weight.grad.numpy(), 3)
    biases = np.split(theirs.in_proj_bias.grad.numpy(), 3)
    for part, weight, b in zip((ours.query, ours.key, ours.value), weights, biases, strict=True):
        np.testing.assert_allclose(slopes([n.w for n in part.neurons]), weight, **TIGHT)
        np.testing.assert_allclose(slopes([n.b for n in part.neurons]), b, **TIGHT)
    same_linear(theirs.out_proj, ours.out)


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_is_torchs(norm, activation, cross):
    torch = pytest.importorskip("torch")
    ours = shaken(
        TransformerBlock(4, 2, 6, norm=norm, activation=activation, causal=cross, cross=cross, rng=0)
    )
    kind = torch.nn.TransformerDecoderLayer if cross else torch.nn.TransformerEncoderLayer
    theirs = kind(
        4,
        2,
        6,
        dropout=0.0,
        activation=activation,
        batch_first=True,
        norm_first=norm == "pre",
        dtype=torch.float64,
    )
    pairs = [
        (copy_attention, same_attention, theirs.self_attn, ours.attention),
        (copy_linear, same_linear, theirs.linear1, ours.feed.widen),
        (copy_linear, same_linear, theirs.linear2, ours.feed.narrow),
        (copy_norm, same_norm, theirs.norm1, ours.norm_1),
    ]
    if cross:
        pairs += [
            (copy_attention, same_attention, theirs.multihead_attn, ours.cross),
            (copy_norm, same_norm, theirs.norm2, ours.norm_cross),
            (copy_norm, same_norm, theirs.norm3, ours.norm_2),
        ]
    else:
        pairs.append((copy_norm, same_norm, theirs.norm2, ours.norm_2))
    with torch.no_grad():
        for copy, _, their, our in pairs:
            copy(torch, their, our)
    x, context, weights = normal(4, 4), normal(3, 4, seed=1), normal(4, 4, seed=2)
    seen = [True, False, True]
    vx, vc = values(x), values(context)
    tx, tc = (torch.tensor(a[None], requires_grad=True) for a in (x, context))
    if cross:
        out = ours(vx, vc, context_mask=seen)
        expected = theirs(
            tx,
            tc,
            tgt_mask=torch.tensor(~np.tri(4, dtype=bool)),
            memory_key_padding_mask=~torch.tensor([seen]),
        )
    else:
        out, expected = ours(vx), theirs(tx)
    weighted(out, weights).backward()
    (expected[0] * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(data(out), expected.detach().numpy()[0], **TIGHT)
    np.testing.assert_allclose(slopes(vx), tx.grad.numpy()[0], **TIGHT)
    if cross:
        np.testing.assert_allclose(slopes(vc), tc.grad.numpy()[0], **TIGHT)
    for _, same, their, our in pairs:
        same(their, our)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_blocks_second_derivatives(norm):
    block = shaken(TransformerBlock(2, 1, 2, norm=norm, activation="gelu", causal=True, rng=0))
    f = lambda x: weighted(block(x), normal(2, 2))
    autograd.check_gradient(f, normal(2, 2, seed=1).tolist(), order=2, tolerance=1e-5)
    x, t = normal(2, 2, seed=2), normal(2, 2, seed=3)
    product = lambda x, t: autograd.hvp(f, (x,), (t,))
    found = autograd.compile(product, batch=True)(x[None], t[None])[0]
    np.testing.assert_allclose(found, np.array(product(x, t), float), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_compiled_block_is_eager(norm, activation):
    block = shaken(TransformerBlock(4, 2, 6, norm=norm, activation=activation, cross=True, rng=0))
    weights = normal(3, 4, seed=2)
    f = lambda x, context: weighted(block(x, context), weights)
    same_gradients(f, block, normal(2, 3, 4), normal(2, 2, 4, seed=1), rtol=1e-11)


def test_dropout_only_in_training():
    block, x = TransformerBlock(4, 2, dropout=0.3, rng=0), normal(3, 4)
    assert data(block(x)).tolist() != data(block(x)).tolist()
    assert data(block.eval()(x)).tolist() == data(block(x)).tolist()
    program = autograd.compile(block, batch=True)
    np.testing.assert_allclose(program(x[None])[0], data(block(x)), rtol=1e-12)
    block.train()
    assert program(x[None]).tolist() != program(x[None]).tolist()


# Encoder and decoder ----------------------------------------------------------------------------------------------


def small_transformer(blocks=2, **settings):
    return shaken(
        Transformer(
            7, width=4, heads=2, blocks=blocks, context=6, target_tokens=5, hidden=6, rng=0, **settings
        )
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_transformer_is_numpys(norm):
    model = small_transformer(norm=norm)
    source, target = [3, 1, 6, 2], [0, 4, 4]

    def embedded(embedding, tokens):
        return data(embedding.rows)[tokens] * 2.0 + nn.positions.sinusoidal(len(tokens), 4)

    for length in (None, 2, 4):
        seen = np.arange(4) < (length or 4)
        memory, x = embedded(model.source, source), embedded(model.target, target)
        for block in model.encoder:
            memory = block_by_numpy(block, memory, "relu", mask=seen)
        if norm == "pre":
            memory = norm_by_numpy(model.norms[0], memory)
        for block in model.decoder:
            x = block_by_numpy(block, x, "relu", memory, np.tri(3, dtype=bool), seen)
        if norm == "pre":
            x = norm_by_numpy(model.norms[1], x)
        expected = x @ matrix(model.head).T + bias(model.head)
        np.testing.assert_allclose(data(model(source, target, length)), expected, **TIGHT)


def test_padding_changes_nothing():
    model = small_transformer()
    short = data(model([3, 1], [0, 4]))
    np.testing.assert_allclose(data(model([3, 1, 6, 6], [0, 4], 2)), short, rtol=1e-12)
    assert data(model([3, 1, 6, 6], [0, 4], 3)).tolist() != short.tolist()


def test_compiled_transformer_is_eager():
    model = small_transformer(blocks=1)
    rng = np.random.default_rng(0)
    source, target, lengths = rng.integers(0, 7, (2, 4)), rng.integers(0, 5, (2, 4)), np.array([2, 4])

    def f(source, target, following, length):
        return sequence_loss(model(source, target, length), following)

    same_gradients(f, model, source, target[:, :-1], target[:, 1:], lengths, rtol=1e-11)


def test_decoder_does_not_look_ahead():
    model = small_transformer()
    before = data(model([1, 2, 3], [0, 1, 2, 3]))
    after = data(model([1, 2, 3], [0, 1, 4, 3]))
    assert (after[:2] == before[:2]).all()
    assert (after[2:] != before[2:]).any(axis=1).all()
    assert (data(model([1, 2, 4], [0, 1, 2, 3])) != before).any(axis=1).all()


def test_transformer_generates():
    model = small_transformer()
    found, target = model.generate([1, 2, 3], start=0, length=5), [0]
    for _ in range(5):
        target.append(int(data(model([1, 2, 3], target))[-1].argmax()))
    assert found == target[1:]
    assert model.generate([1, 2, 3], start=0, length=5, end=found[2]) == found[: found.index(found[2])]
    other = next(t for t in range(4) if model.generate([1, 2, 3], start=t, length=1) != [t])
    assert model.generate([1, 2, 3], start=other, length=3, end=other)  # the start does not end it
    drawn = [model.generate([1, 2, 3], start=0, length=6, temperature=9.0, rng=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_transformer_learns_to_reverse():
    rng = np.random.default_rng(0)
    model = Transformer(5, width=8, heads=2, context=4, norm="pre", rng=0)
    X = rng.integers(1, 5, (64, 3))
    Y = X[:, ::-1]
    before = np.hstack([np.zeros((64, 1), int), Y[:, :-1]])

    def loss(model, x, y, z):
        return sequence_loss(model(x, y), z)

    step = nn.train_step(model, loss, nn.Adam(model.parameters(), lr=0.01))
    losses = [step(X, before, Y) for _ in range(200)]
    assert losses[-1] < 0.1 < 1.0 < losses[0]
    assert model.generate([1, 4, 2], start=0, length=3) == [2, 4, 1]


# GPT --------------------------------------------------------------------------------------------------------------


def micro(**settings):
    return GPT(
        27, normalization=BARE, norm_first=True, norm_last=False, activation="relu", bias=False, **settings
    )


def test_micro_gpt_is_the_one_of_the_benchmark():
    """4,192 parameters in the same order, the same logits and gradients, and the same program once compiled."""
    ours, other = micro(), benchmark.model()
    assert ours.count_parameters() == len(other.parameters()) == 4192
    with_start(ours, benchmark.start().values())
    tokens, targets = (part.tolist() for part in benchmark.document(8))
    np.testing.assert_allclose(data(ours(tokens)), data(other(tokens)), rtol=1e-12, atol=1e-15)
    for model in (ours, other):
        benchmark.loss(model(tokens), targets).backward()
    np.testing.assert_allclose(slopes(ours.parameters()), slopes(other.parameters()), rtol=1e-10, atol=1e-16)


OPTIONS: dict[str, Any] = {
    "usual": {},
    "swiglu": {"activation": "swiglu"},
    "tied": {"tied": True},
    "sinusoidal": {"positions": "sinusoidal"},
    "rotary": {"positions": "rotary"},
    "no positions": {"positions": None},
    "micro": {"normalization": BARE, "norm_first": True, "norm_last": False, "bias": False},
}


def small_gpt(**settings):
    return shaken(GPT(6, width=4, heads=2, context=5, hidden=6, rng=0, **settings))


@pytest.mark.parametrize("options", OPTIONS)
def test_compiled_gpt_is_eager(options):
    model = small_gpt(blocks=2 if options == "usual" else 1, **OPTIONS[options])
    tokens = np.random.default_rng(0).integers(0, 6, (2, 5))
    same_gradients(lambda x, y: sequence_loss(model(x), y), model, tokens[:, :-1], tokens[:, 1:], rtol=1e-10)
    expected = [data(model(row.tolist())) for row in tokens]
    np.testing.assert_allclose(autograd.compile(model, batch=True)(tokens), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("options", OPTIONS)
def test_gpt_does_not_look_ahead(options):
    model = small_gpt(blocks=2, **OPTIONS[options])
    before = data(model([0, 1, 2, 3, 4]))
    for place in range(5):
        tokens = [0, 1, 2, 3, 4]
        tokens[place] = 5
        after = data(model(tokens))
        assert (after[:place] == before[:place]).all()
        assert (after[place:] != before[place:]).any(axis=1).all()
        assert (data(model([0, 1, 2, 3, 4][: place + 1])) == before[: place + 1]).all()


def test_gpt_is_numpys():
    model = small_gpt(blocks=2)
    tokens = [3, 0, 5]
    x = data(model.embedding.rows)[tokens] + data(model.positions.rows)[:3]
    for block in model.blocks:
        x = block_by_numpy(block, x, "gelu", mask=np.tri(3, dtype=bool))
    expected = norm_by_numpy(model.norm_last, x) @ matrix(model.head).T
    np.testing.assert_allclose(data(model(tokens)), expected, **TIGHT)
    tied = small_gpt(tied=True)
    (x,) = autograd.no_grad(lambda: tied.blocks[0]([tied.positions([tied.embedding(2)])[0]]))()
    expected = norm_by_numpy(tied.norm_last, data([x])) @ data(tied.embedding.rows).T
    np.testing.assert_allclose(data(tied([2])), expected, **TIGHT)
    assert tied.count_parameters() == small_gpt().count_parameters() - 24


def test_generating_is_seeded_and_ends():
    model = small_gpt()
    drawn = [
        model.generate([1], 12, rng=seed) for seed in (0, 0, 1, random.Random(0), np.random.default_rng(0))
    ]
    assert drawn[0] == drawn[1] == drawn[3] != drawn[2]
    assert all(len(tokens) == 12 and set(tokens) <= set(range(6)) for tokens in drawn)
    ended = model.generate([1], 12, rng=0, end=drawn[0][3])
    assert ended == drawn[0][: drawn[0].index(drawn[0][3])]
    assert model.generate(length=4, rng=0, end=5) == model.generate([5], length=4, rng=0, end=5)
    assert model.generate(np.array([1]), 12, rng=0) == drawn[0]


def test_generating_takes_the_most_probable_or_draws():
    model, tokens = small_gpt(), [1, 2]
    for _ in range(8):  # beyond the context too
        tokens.append(int(data(model(tokens[-5:]))[-1].argmax()))
    assert model.generate([1, 2], 8, temperature=0.0) == tokens[2:]
    assert model.generate([1, 2], 8, temperature=1e-9, rng=0) == tokens[2:]
    assert model.generate([1, 2], 8, top_k=1, rng=0) == tokens[2:]
    assert model.generate([1, 2], 8, top_p=1e-6, rng=0) == tokens[2:]


def test_positions_are_what_was_asked_for():
    kinds = {"learned": nn.LearnedPositions, "sinusoidal": nn.SinusoidalPositions, "rotary": None, None: None}
    for positions, kind in kinds.items():
        model = GPT(5, 4, 2, context=4, positions=positions, rng=0)
        assert model.positions is None if kind is None else isinstance(model.positions, kind)
        assert model.blocks[0].attention.rotary == (positions == "rotary")
        rows = data(model([1, 1, 1]))
        assert np.allclose(rows, rows[0]) == (
            kind is None
        )  # rotary tells relative places, here of equal values


def test_generating_records_nothing_and_drops_nothing():
    model = small_gpt(dropout=0.5)
    model.blocks[0].eval()
    found = model.generate([1], 5, temperature=0.0)
    assert [model.training, model.blocks[0].training, model.dropout.training] == [True, False, True]
    assert all(p.grad == 0.0 for p in model.parameters())
    assert found == model.eval().generate([1], 5, temperature=0.0)


LOGITS = [1.0, 3.0, 2.0, -1.0]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [0, 1, 2, 3]),
        ({"temperature": 3.0}, [0, 1, 2, 3]),
        ({"top_k": 2}, [1, 2]),
        ({"top_k": 9}, [0, 1, 2, 3]),
        ({"top_p": 0.6}, [1]),
        ({"top_p": 0.7}, [1, 2]),
        ({"top_p": 1.0}, [0, 1, 2, 3]),
        ({"top_k": 3, "top_p": 0.7}, [1, 2]),
        ({"temperature": 3.0, "top_k": 3}, [0, 1, 2]),
    ],
)
def test_next_token_draws_from_what_is_kept(settings, kept):
    rng, n = random.Random(0), 4000
    counts = np.bincount([next_token(LOGITS, rng=rng, **settings) for _ in range(n)], minlength=4) / n
    p = np.exp(np.array(LOGITS) / settings.get("temperature", 1.0))
    p[[i for i in range(4) if i not in kept]] = 0.0
    p /= p.sum()
    assert (counts[p == 0.0] == 0.0).all()
    assert (abs(counts - p) <= 4.5 * np.sqrt(p * (1.0 - p) / n)).all()


def test_next_token_of_equals_is_the_first_and_minus_infinity_never_comes():
    assert next_token([1.0, 2.0, 2.0], temperature=0.0) == 1
    assert {next_token([-math.inf, 0.0, -math.inf], rng=seed) for seed in range(50)} == {1}
    assert next_token([Value(1e308), Value(-1e308)], temperature=1e-300, rng=0) == 0


def test_gpt_learns_a_name():
    model = micro(width=8, heads=2, rng=0)
    step = nn.train_step(model, benchmark.loss, nn.Adam(model.parameters(), lr=0.01), batch=False)
    tokens, targets = benchmark.document(8)
    losses = [step(tokens, targets) for _ in range(150)]
    assert losses[-1] < 0.02 < 2.0 < losses[0]
    assert model.generate(length=10, temperature=0.0, end=26) == targets[:-1].tolist()


def test_drawing_shows_the_blocks():
    model = small_gpt(blocks=2)
    out = model([1, 2])[-1][0]
    text = autograd.draw(out, level="model").source
    assert "blocks.0" in text
    assert "blocks.1" in text
    text = autograd.draw(out, level="layer").source
    for name in ("attention", "query", "feed", "norm_1", "head", "positions"):
        assert name in text, name


def test_copies_compute_the_same():
    for options in OPTIONS.values():
        model = small_gpt(**options)
        autograd.compile(model, batch=True)(np.array([[1, 2]]))
        again = pickle.loads(pickle.dumps(model))
        assert data(again([1, 2])).tolist() == data(model([1, 2])).tolist()
        assert [p.label for p in again.parameters()] == [p.label for p in model.parameters()]


# BERT -------------------------------------------------------------------------------------------------------------


def small_bert(**settings):
    return shaken(BERT(6, width=4, heads=2, blocks=2, context=5, hidden=6, rng=0, **settings))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_bert_is_numpys(norm):
    model, tokens = small_bert(norm=norm), [3, 0, 5, 1]
    for length in (None, 2, 4):
        x = data(model.embedding.rows)[tokens] + data(model.positions.rows)[:4]
        x = norm_by_numpy(model.norm_first, x)
        for block in model.blocks:
            x = block_by_numpy(block, x, "gelu", mask=np.arange(4) < (length or 4))
        x = norm_by_numpy(model.norm_last, x) if norm == "pre" else x
        expected = x @ matrix(model.head).T + bias(model.head)
        np.testing.assert_allclose(data(model(tokens, length)), expected, **TIGHT)


def test_compiled_bert_is_eager():
    model, rng = small_bert(), np.random.default_rng(0)
    tokens, hidden = rng.integers(0, 6, (2, 2, 5))
    chosen, lengths = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 1, 0]]), np.array([2, 4])

    def f(hidden, tokens, chosen, length):
        return masked_cross_entropy(model(hidden, length), tokens, chosen)

    same_gradients(f, model, hidden, tokens, chosen, lengths, rtol=1e-10)


def test_bert_sees_both_sides():
    model = small_bert()
    before = data(model([1, 2, 3]))
    for place in range(3):
        tokens = [1, 2, 3]
        tokens[place] = 5
        assert (data(model(tokens)) != before).any(axis=1).all()


def test_masked_loss():
    logits = values(normal(3, 4))
    loss = masked_cross_entropy(logits, [0, 1, 2], [1, 0, 1])
    expected = nn.cross_entropy([logits[0], logits[2]], [0, 2])
    assert float(loss) == pytest.approx(float(expected), rel=1e-14)
    loss.backward()
    assert not slopes(logits[1]).any()


def test_masked_is_devlins():
    model, rng = BERT(50, width=4, heads=2), random.Random(0)
    tokens = [*range(1, 41)]
    counts, n = np.zeros(3), 0
    strangers: list[int] = []
    for _ in range(200):
        hidden, chosen = model.masked(tokens, mask=49, rng=rng)
        assert sum(chosen) == 6  # 15% of 40
        assert len(hidden) == len(chosen) == 40
        for token, now, picked in zip(tokens, hidden, chosen, strict=True):
            if not picked:
                assert now == token
            else:
                n += 1
                counts += [now == 49, now not in (49, token), now == token]
                assert 0 <= now < 50
                strangers += [now] if now not in (49, token) else []
    assert n == 1200
    assert len({*strangers}) > 20  # of all tokens
    np.testing.assert_allclose(counts / n, [0.8, 0.1, 0.1], atol=0.035)
    assert (
        model.masked(tokens, 49, rng=3) == model.masked(tokens, 49, rng=3) != model.masked(tokens, 49, rng=4)
    )
    assert sum(model.masked([1, 2], 49, rng=0)[1]) == 1
    for seed in range(20):
        assert model.masked([0, 7, 0], mask=49, rate=1.0, keep=[0], rng=seed)[1] == [0, 1, 0]


def test_filling():
    model = small_bert()
    found = model.fill([1, 5, 3, 5], mask=5, top=2)
    assert [*found] == [1, 3]
    logits = data(model([1, 5, 3, 5]))
    for place, candidates in found.items():
        p = np.exp(logits[place]) / np.exp(logits[place]).sum()
        assert [token for token, _ in candidates] == np.argsort(-p)[:2].tolist()
        np.testing.assert_allclose([share for _, share in candidates], np.sort(p)[::-1][:2], rtol=1e-12)
    whole = model.fill([5], mask=5, top=6)[0]
    assert sum(share for _, share in whole) == pytest.approx(1.0)
    assert model.training


def test_bert_learns_to_fill():
    """Sentences count up: what is masked follows from either neighbour."""
    rng = np.random.default_rng(0)
    sentences = (rng.integers(0, 5, (128, 1)) + np.arange(4)) % 5
    model = BERT(6, width=8, heads=2, context=4, norm="pre", rng=0)
    hidden, chosen = map(
        np.array,
        zip(*(model.masked(s, mask=5, rate=0.3, rng=i) for i, s in enumerate(sentences)), strict=True),
    )

    def loss(model, hidden, tokens, chosen):
        return masked_cross_entropy(model(hidden), tokens, chosen)

    step = nn.train_step(model, loss, nn.Adam(model.parameters(), lr=0.01))
    losses = [step(hidden, sentences, chosen) for _ in range(150)]
    assert losses[-1] < 0.1 * losses[0]
    token, share = model.fill([3, 5, 0, 1], mask=5)[1][0]
    assert token == 4
    assert share > 0.8


# ViT --------------------------------------------------------------------------------------------------------------


def by_patches(image, h, w):
    channels, height, width = image.shape
    cut = image.reshape(channels, height // h, h, width // w, w)
    return cut.transpose(1, 3, 0, 2, 4).reshape(-1, channels * h * w)


@pytest.mark.parametrize(
    ("size", "patch", "channels", "pool", "norm"),
    [(4, 2, 1, "class", "pre"), (4, 2, 2, "mean", "pre"), ((2, 6), (1, 3), 3, "class", "post"),
     (3, 3, 1, "mean", "post")],
)  # fmt: skip
def test_vit_is_numpys(size, patch, channels, pool, norm):
    model = ViT(
        size, patch, 3, width=4, heads=2, blocks=2, channels=channels, pool=pool, norm=norm, hidden=6, rng=0
    )
    shaken(model)
    image = normal(channels, *model.size)
    x = by_patches(image, *model.patch) @ matrix(model.embedding).T + bias(model.embedding)
    if pool == "class":
        x = np.vstack([data(model.token), x])
    x = x + data(model.positions.rows)
    for block in model.blocks:
        x = block_by_numpy(block, x, "gelu")
    x = norm_by_numpy(model.norm_last, x) if norm == "pre" else x
    x = x[0] if pool == "class" else x.mean(axis=0)
    expected = x @ matrix(model.head).T + bias(model.head)
    np.testing.assert_allclose(data(model(image)), expected, **TIGHT)
    np.testing.assert_allclose(data(model(values(image))), expected, **TIGHT)
    if channels == 1:
        np.testing.assert_allclose(data(model(image[0])), expected, **TIGHT)
        np.testing.assert_allclose(data(model(image[0].tolist())), expected, **TIGHT)


def test_patches_are_read_as_by_torchs_convolution():
    torch = pytest.importorskip("torch")
    model = ViT((4, 6), (2, 3), 2, width=4, heads=2, channels=2, rng=0)
    image = normal(2, 4, 6)
    kernel = torch.tensor(matrix(model.embedding).reshape(4, 2, 2, 3))
    expected = torch.nn.functional.conv2d(torch.tensor(image[None]), kernel, stride=(2, 3))
    found = np.array(model.patches(image), float) @ matrix(model.embedding).T
    np.testing.assert_allclose(found, expected[0].reshape(4, -1).T.numpy(), **TIGHT)


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_compiled_vit_is_eager(pool):
    model = shaken(ViT(4, 2, 3, width=4, heads=2, hidden=6, pool=pool, rng=0))
    X, Y = normal(2, 4, 4), np.array([2, 0])
    same_gradients(lambda x, y: nn.cross_entropy(model(x), y), model, X, Y, rtol=1e-10)
    _, inputs = autograd.compile(lambda x: weighted(model(x), [1.0, 2.0, 3.0]), batch=True).value_and_grad(X)
    vx = values(X[0])
    weighted(model(vx), [1.0, 2.0, 3.0]).backward()
    np.testing.assert_allclose(inputs[0] * 2.0, slopes(vx), rtol=1e-10, atol=1e-13)


def test_one_class_is_a_single_number():
    model = ViT(2, 1, 1, width=4, heads=2, rng=0)
    assert isinstance(model(normal(2, 2)), Value)


# What is not welcome ----------------------------------------------------------------------------------------------

BAD: dict[str, Any] = {
    "norm": (lambda: TransformerBlock(4, 2, norm="middle"), ValueError, "\"pre\" or \"post\". Received: norm='middle'"),
    "hidden": (lambda: TransformerBlock(4, 2, 0), ValueError, "hidden to be at least 1"),
    "heads": (lambda: TransformerBlock(4, 3), ValueError, "heads divide"),
    "width of x": (lambda: TransformerBlock(2, 1)([[1.0]]), ValueError, "TransformerBlock(2, heads=1) needs 2 inputs"),
    "context": (lambda: TransformerBlock(2, 1)([[1.0, 2.0]], [[1.0, 2.0]]), ValueError, "needs no context"),
    "no context": (lambda: TransformerBlock(2, 1, cross=True)([[1.0, 2.0]]), ValueError, "needs a context"),
    "blocks": (lambda: GPT(5, blocks=0), ValueError, "blocks to be at least 1"),
    "positions": (lambda: GPT(5, positions="absolute"), ValueError, "Received: 'absolute'"),
    "no tokens": (lambda: small_gpt()([]), ValueError, "1 to 5 tokens. Received: 0"),
    "too many": (lambda: small_gpt()([0] * 6), ValueError, "GPT(6, 4, context=5) needs 1 to 5 tokens. Received: 6"),
    "a token": (lambda: small_gpt()(3), TypeError, "list of tokens. Received: int"),
    "half a token": (lambda: small_gpt()([0.5]), TypeError, "tokens that are ints"),
    "unknown token": (lambda: small_gpt()([6]), IndexError, "tokens from 0 to 5. Received: 6"),
    "prompt": (lambda: small_gpt().generate(), ValueError, "a prompt, or the token that ends"),
    "length": (lambda: small_gpt().generate([1], 0), ValueError, "length to be at least 1"),
    "temperature": (lambda: next_token(LOGITS, -1.0), ValueError, "at least 0. Received: temperature=-1.0"),
    "top_k": (lambda: next_token(LOGITS, top_k=0), ValueError, "top_k to be at least 1"),
    "top_p": (lambda: next_token(LOGITS, top_p=0.0), ValueError, "Received: top_p=0.0"),
    "top_p above 1": (lambda: next_token(LOGITS, top_p=1.5), ValueError, "Received: top_p=1.5"),
    "nan": (lambda: next_token([0.0, math.nan]), ValueError, "finite logits"),
    "only minus infinity": (lambda: next_token([-math.inf]), ValueError, "Received: [-inf]"),
    "no logits": (lambda: next_token([]), ValueError, "Received: []"),
    "source": (lambda: small_transformer()([], [0]), ValueError, "at least one token"),
    "long source": (lambda: small_transformer()([0] * 7, [0]), ValueError, "at most 6 vectors"),
    "padded source": (lambda: small_transformer()([0], [0], 2), ValueError, "from 1 to 1. Received: length=2"),
    "long target": (lambda: small_transformer().generate([0], 0, 7), ValueError, "at most 6. Received: 7"),
    "rate": (lambda: small_bert().masked([1], 5, 0.0), ValueError, "Received: rate=0.0"),
    "all kept": (lambda: small_bert().masked([1], 5, keep=[1]), ValueError, "a token that may be masked"),
    "mask": (lambda: small_bert().masked([1] * 5, 6, 1.0, rng=0), IndexError, "tokens from 0 to 5. Received: 6"),
    "no mask": (lambda: small_bert().fill([1, 2], mask=5), ValueError, "a masked token, 5. Received: [1, 2]"),
    "none chosen": (lambda: masked_cross_entropy([[0.0, 1.0]], [1], [0]), ValueError, "a chosen place. Received: none"),
    "patch": (lambda: ViT(5, 2, 3), ValueError, "patches that divide the image. Received: size=5, patch=2"),
    "pool": (lambda: ViT(4, 2, 3, pool="max"), ValueError, "Received: pool='max'"),
    "size": (lambda: ViT((4, 0), 2, 3), ValueError, "size to be at least 1"),
    "classes": (lambda: ViT(4, 2, 0), ValueError, "ViT needs classes to be at least 1. Received: classes=0"),
    "image": (lambda: ViT(4, 2, 3)(np.zeros((4, 5))), ValueError, "ViT(4, patch=2) needs an array of shape (1, 4, 4)"),
    "channels": (lambda: ViT(4, 2, 3, channels=2)(np.zeros((4, 4))), ValueError, "shape (2, 4, 4)"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_malformed(what):
    call, kind, message = BAD[what]
    with pytest.raises(kind) as error:
        call()
    assert message in str(error.value)
    assert "Received" in str(error.value)
