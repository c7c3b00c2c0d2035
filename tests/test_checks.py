"""What is not an int, a number, a list or a function is refused, by an error that names the parameter."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from autograd.ops import flatten
from nn import checks

new: Any = nn  # calls that the types forbid
model = nn.MLP(2, [2], rng=0)
ROW = [1.0, 2.0]
RAGGED = [[1.0], [2.0, 3.0]]
NOT = np.array(1.0)  # it has no entries, though it can be asked for them


def sgd() -> Any:
    return nn.SGD([Value(1.0)], lr=0.1)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (checks.real, [0, 1.5, -2.0, math.inf, np.float32(0.5), True], []),
        (checks.positive, [1, 0.5, np.int64(3)], [0.0, -1.0, math.inf, math.nan]),
        (checks.nonnegative, [0, 0.5], [-1e-9, math.inf, math.nan]),
        (checks.share, [0, 0.5, 1], [-0.1, 1.1, math.nan]),
    ],
)
def test_numbers(check, right, wrong):
    for x in right:
        assert check("Owner", "name", x) == x
        assert type(check("Owner", "name", x)) is float
    for x in wrong:
        with pytest.raises(ValueError, match=f"^Owner needs name .* Received: name={x:g}$"):
            check("Owner", "name", x)
    for x in ("fast", None, [1.0], 1j, np.ones(2)):
        with pytest.raises(TypeError, match=r"^Owner needs a number as name\. Received: .* \(\w+\)$"):
            check("Owner", "name", x)
    with pytest.raises(ValueError, match=r"^Owner needs a number that a float holds as name. Received: 1000"):
        check("Owner", "name", 10**400)


def test_lists_and_their_shapes():
    lists: list[Any] = [[], (), range(2), np.ones(2), (x for x in ROW), {}.keys()]
    others: list[Any] = [1.0, "ab", b"ab", {}, set(), frozenset(), Value(1.0), NOT, None]
    assert all(map(checks.is_list, lists))
    assert not any(map(checks.is_list, others))
    assert checks.shape([[1.0, 2.0], [3.0, 4.0]]) == checks.shape(np.ones((2, 2))) == (2, 2)
    assert checks.shape(RAGGED) == (2, 1)
    assert checks.shape([]) == (0,)
    assert checks.shape(1.0) == checks.shape("ab") == checks.shape(NOT) == ()


REFUSED: dict[str, tuple[Any, Any, str]] = {
    # numbers, by the name that they were given
    "eps": (
        lambda: new.LayerNorm(2, eps="small"),
        TypeError,
        "LayerNorm needs a number as eps. Received: 'small'",
    ),
    "eps below 0": (
        lambda: nn.RMSNorm(2, eps=-1.0),
        ValueError,
        "RMSNorm needs eps to be finite and at least 0",
    ),
    "eps nan": (
        lambda: nn.BatchNorm(2, eps=math.nan),
        ValueError,
        "BatchNorm needs eps .* Received: eps=nan",
    ),
    "momentum": (lambda: new.BatchNorm(2, momentum=None), TypeError, "BatchNorm needs a number as momentum"),
    "p": (lambda: new.Dropout("half"), TypeError, "Dropout needs a number as p. Received: 'half'"),
    "dropout": (lambda: new.LSTM(2, 2, 2, dropout=None), TypeError, "LSTM needs a number as dropout"),
    "dropout of one layer": (lambda: nn.GRU(2, 2, dropout=2.0), ValueError, "GRU needs dropout from 0 to 1"),
    "label_smoothing": (
        lambda: new.cross_entropy(ROW, 0, label_smoothing="e"),
        TypeError,
        "cross_entropy needs a number as label_smoothing",
    ),
    "delta": (lambda: new.huber(1.0, 1.0, delta=None), TypeError, "huber needs a number as delta"),
    "pos_weight": (
        lambda: new.binary_cross_entropy(1.0, 1, pos_weight="w"),
        TypeError,
        "a number as pos_weight",
    ),
    "weight": (
        lambda: nn.cross_entropy(ROW, 0, weight=[math.inf, 1.0]),
        ValueError,
        "classes, all finite. Received",
    ),
    "clip_norm": (lambda: new.SGD([Value(1.0)], clip_norm="n"), TypeError, "SGD needs a number as clip_norm"),
    "betas": (
        lambda: new.Adam([Value(1.0)], betas=(0.9, "b")),
        TypeError,
        r"Adam needs a number as betas\[1\]",
    ),
    "norm_type": (
        lambda: new.clip_grad_norm(model, 1.0, "inf"),
        TypeError,
        "clip_grad_norm needs a number as norm_type",
    ),
    "gamma": (lambda: new.schedules.Step(sgd(), 2, gamma="g"), TypeError, "Step needs a number as gamma"),
    "metric": (
        lambda: new.schedules.Plateau(sgd()).step("low"),
        TypeError,
        "Plateau needs a number as metric",
    ),
    "scale": (
        lambda: nn.attention([ROW], [ROW], [ROW], scale="s"),
        TypeError,
        "attention needs a number as scale",
    ),
    "position": (lambda: nn.rotary(ROW, None), TypeError, "rotary needs a number as position"),
    "base": (lambda: nn.rotary(ROW, 1, base=0.0), ValueError, "rotary needs base to be finite and above 0"),
    "temperature": (
        lambda: new.next_token(ROW, temperature=None),
        TypeError,
        "next_token needs a number as temperature",
    ),
    "temperature of softmax": (
        lambda: nn.activations.softmax(ROW, None),
        TypeError,
        "a number as temperature",
    ),
    "top_p": (lambda: new.next_token(ROW, top_p="all"), TypeError, "next_token needs a number as top_p"),
    "rate": (lambda: new.BERT(3, 2, 1).masked([1], 2, rate=None), TypeError, "needs a number as rate"),
    "below": (
        lambda: new.saturation(model, [ROW], below=None),
        TypeError,
        "saturation needs a number as below",
    ),
    "test": (
        lambda: new.train_test_split(ROW, test=None),
        TypeError,
        "train_test_split needs a number as test",
    ),
    "min_delta": (
        lambda: new.EarlyStopping(min_delta=None),
        TypeError,
        "EarlyStopping needs a number as min_delta",
    ),
    "gain": (
        lambda: new.init.xavier_normal((2, 2), gain=None),
        TypeError,
        "xavier_normal needs a number as gain",
    ),
    "gain of orthogonal": (
        lambda: new.init.orthogonal((2, 2), gain="g"),
        TypeError,
        "orthogonal needs a number as gain",
    ),
    "slope": (
        lambda: new.init.he_uniform((2, 2), slope=None),
        TypeError,
        "he_uniform needs a number as slope",
    ),
    "low": (lambda: new.init.uniform((2, 2), low=None), TypeError, "uniform needs a number as low"),
    "shape": (lambda: new.init.zeros(None), TypeError, "needs a list of sizes as shape. Received: NoneType"),
    "shape's sizes": (
        lambda: new.init.normal((2, 1.5)),
        TypeError,
        r"needs an int as shape\[1\]. Received: 1.5",
    ),
    "pieces": (lambda: new.activations.maxout(ROW, 1.5), TypeError, "maxout needs an int as pieces"),
    # ints and functions of an architecture, by its own names
    "tokens": (lambda: new.GPT("27"), TypeError, "GPT needs an int as tokens. Received: '27'"),
    "width": (lambda: nn.BERT(3, 0), ValueError, "BERT needs width to be at least 1"),
    "classes": (lambda: new.ViT(2, 1, None), TypeError, "ViT needs an int as classes"),
    "context": (
        lambda: nn.Transformer(3, context=0),
        ValueError,
        "Transformer needs context to be at least 1",
    ),
    "target_tokens": (
        lambda: new.Transformer(3, target_tokens=1.5),
        TypeError,
        "Transformer needs an int as target_tokens",
    ),
    **{
        f"normalization of {name}": (
            lambda make=make: make(normalization=None),
            TypeError,
            f"{name} needs a function or class as normalization",
        )
        for name, make in {
            "TransformerBlock": lambda **kind: new.TransformerBlock(2, 1, **kind),
            "GPT": lambda **kind: new.GPT(3, 2, 1, **kind),
            "BERT": lambda **kind: new.BERT(3, 2, 1, **kind),
            "ViT": lambda **kind: new.ViT(2, 1, 2, 2, 1, **kind),
        }.items()
    },
    "change": (lambda: new.Layer(2, 2).apply(None), TypeError, "apply needs a function or class as change"),
    "callback": (
        lambda: new.watching(3),
        TypeError,
        "watching needs a function or class as callback. Received: 3",
    ),
    "lr": (lambda: new.gradient_report(model, lr="x"), TypeError, "gradient_report needs a number as lr"),
    # lists
    "stratify": (
        lambda: nn.train_test_split([1, 2], stratify=[[1], [2]]),
        ValueError,
        "one label for each sample as stratify",
    ),
    "stratify of lists": (
        lambda: nn.train_test_split([1, 2], stratify=[[1], [2, 3]]),
        ValueError,
        "one label for each sample",
    ),
    "a state of a loader": (
        lambda: new.DataLoader([1]).load_state_dict(None),
        TypeError,
        "DataLoader needs a state, a dict",
    ),
    "a state of its generator": (
        lambda: new.DataLoader([1], rng=0).load_state_dict({"generator": "Random", "state": 3}),
        ValueError,
        "DataLoader needs a state of its generator, as state_dict gave it. Received: 3",
    ),
    "keys": (lambda: nn.from_torch(model, {1: np.ones((2, 2))}), ValueError, "theirs: 1 \\(2, 2\\)"),
    "weights of text": (
        lambda: new.Layer(2, 2, init=lambda *_: "ab"),
        TypeError,
        "init must return an array of numbers",
    ),
    "complex weights": (
        lambda: nn.Layer(2, 2, init=lambda s, _: np.ones(s) * 1j),
        TypeError,
        "numbers. Received: .* complex",
    ),
    "nouts": (lambda: new.MLP(2, NOT), TypeError, "MLP needs a list of layer sizes"),
    "a sequence": (
        lambda: nn.RNN(2, 2)(NOT),
        TypeError,
        r"RNN\(2, 2\) needs a list of vectors. Received: ndarray",
    ),
    "samples": (
        lambda: new.Layer(2, 2).batch(None),
        TypeError,
        r"Layer\(2, 2\) needs a list of samples. Received: NoneType",
    ),
    "samples of a Sequential": (
        lambda: new.Sequential("relu").batch(3),
        TypeError,
        "needs a list of samples. Received: int",
    ),
    "samples of a Residual": (
        lambda: new.Residual("relu").batch(3),
        TypeError,
        "needs a list of samples. Received: int",
    ),
    "samples of a BatchNorm": (
        lambda: new.BatchNorm(2).batch(3),
        TypeError,
        "needs a list of samples. Received: int",
    ),
    "data": (
        lambda: new.dead_units(model, None),
        TypeError,
        "dead_units needs a list of samples as data. Received: NoneType",
    ),
    "X": (
        lambda: new.Perceptron(2).fit(None, [1]),
        TypeError,
        "needs a list of samples as X. Received: NoneType",
    ),
    "a table": (
        lambda: nn.Standardize.fit(None),
        TypeError,
        "Standardize.fit needs a table, .* Received: NoneType|rows",
    ),
    "a table of text": (
        lambda: nn.MinMax.fit([["a"]]),
        ValueError,
        "MinMax.fit needs a table, a row of numbers",
    ),
    "text to scale": (
        lambda: nn.Standardize([0.0], [1.0])(np.array(["a"])),
        TypeError,
        "needs 1 numbers or Values",
    ),
    "a vector": (lambda: nn.rotary([ROW, ROW], 1), TypeError, "rotary needs one vector at a time"),
    "one list of tokens": (
        lambda: nn.GPT(4, 2, 1)([[1], [2]]),
        TypeError,
        "needs one list of tokens at a time",
    ),
    "a prompt": (
        lambda: new.GPT(4, 2, 1).generate(None),
        TypeError,
        "needs a list of tokens as prompt. Received: NoneType",
    ),
    "keep": (
        lambda: new.BERT(3, 2, 1).masked([1], 2, keep=0),
        TypeError,
        "needs a list of tokens as keep. Received: int",
    ),
    "logits": (
        lambda: new.next_token(None),
        TypeError,
        "next_token needs a list of logits. Received: NoneType",
    ),
    "a logit": (
        lambda: new.next_token(["a"]),
        TypeError,
        "next_token needs a number as each logit. Received: 'a'",
    ),
    "chosen": (
        lambda: nn.masked_cross_entropy([ROW], [1], 1),
        TypeError,
        "needs a list of chosen. Received: int",
    ),
    "unequal": (
        lambda: nn.masked_cross_entropy([ROW], [1], [1, 0]),
        ValueError,
        "1 logits, 1 targets, 2 chosen",
    ),
    "a mask": (
        lambda: nn.attention([ROW], [ROW], [ROW], [None]),
        ValueError,
        "mask of True and False. Received: None",
    ),
    "a mask of text": (
        lambda: nn.attention([ROW], [ROW], [ROW], ["a"]),
        ValueError,
        "mask of True and False. Received: 'a'",
    ),
    "a state": (
        lambda: new.Adam([Value(1.0)]).load_state_dict(None),
        TypeError,
        "Adam needs a state, a dict .* NoneType",
    ),
    "a state of a schedule": (
        lambda: new.schedules.Cosine(sgd(), 2).load_state_dict(3),
        TypeError,
        "Cosine needs a state, a dict",
    ),
    "arrays": (
        lambda: new.load_arrays(model, None),
        TypeError,
        "load_arrays needs a dict of arrays by name. Received: NoneType",
    ),
    "parameters": (lambda: new.SGD([ROW]), TypeError, "SGD needs parameters that are Values. Received: list"),
    "parameters to clip": (
        lambda: new.clip_grad_value([ROW], 1.0),
        TypeError,
        "that are Values. Received: list",
    ),
    "labels": (lambda: nn.one_hot([[1], [2, 3]]), ValueError, "one_hot needs lists of one length as labels"),
    "outputs": (lambda: nn.metrics.accuracy([object()], [1]), TypeError, "accuracy needs numbers or Values"),
    "reduction": (
        lambda: new.mse(1.0, 1.0, reduction=[]),
        ValueError,
        r"reduction to be one of .* Received: \[\]",
    ),
    # single numbers, text
    "a number to drop": (
        lambda: nn.Dropout(0.5)("text"),
        TypeError,
        "needs a number as input. Received: 'text'",
    ),
    "nothing to drop": (
        lambda: nn.Dropout(0.5)([None]),
        TypeError,
        "needs a number as input. Received: None",
    ),
    "an image": (lambda: nn.ViT(2, 1, 2, 2, 1)(RAGGED), ValueError, r"needs an array of shape \(1, 2, 2\)"),
    "a signal": (
        lambda: nn.BatchNorm(2).eval()(RAGGED),
        ValueError,
        r"needs an array of shape \(2, any\). Received: shape \(2,\)",
    ),
    "monitor": (lambda: new.EarlyStopping(monitor=None), TypeError, "EarlyStopping needs a str as monitor"),
    "a path": (lambda: new.save(None, model), TypeError, "a str or a Path as path. Received: None"),
    "a name": (
        lambda: new.activations.register(abs, name=1),
        TypeError,
        "an activation needs a str as name. Received: 1",
    ),
    "history of a number": (
        lambda: new.History(1),
        TypeError,
        "History needs a list of epochs. Received: int",
    ),
    "history of numbers": (
        lambda: new.History([1.0]),
        TypeError,
        r"History needs a dict of numbers for each epoch. Received: 1.0 \(float\)",
    ),
    "history seconds": (lambda: new.History([], None), TypeError, "History needs a list of seconds"),
    "history from": (lambda: new.History.from_dict([]), TypeError, r"from_dict needs .* Received: \[\]"),
    "history from others": (lambda: new.History.from_dict({"loss": []}), TypeError, "Received: {'loss'"),
    "history of a name": (lambda: new.History([{"loss": 1.0}])[np.ones(2)], KeyError, "a history has one of"),
    "seed of a step": (
        lambda: new.train_step(model, nn.mse, sgd(), seed="one"),
        TypeError,
        "compile needs an int as seed. Received: 'one'",
    ),
    "negative seed": (
        lambda: new.train_step(model, nn.mse, sgd(), seed=-1),
        ValueError,
        "compile needs seed to be at least 0. Received: seed=-1",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    call, error, message = REFUSED[what]
    with pytest.raises(error, match=message) as raised:
        call()
    raiser = Path(str(raised.traceback[-1].path)).parts[-2]
    assert raiser in ("nn", "autograd", "compiler")  # raised on purpose, not deep in another library


def test_what_numbers_may_be():
    assert new.next_token(iter(ROW), temperature=np.float32(0.5), top_p=1, rng=0) in (0, 1)
    assert [*new.GPT(4, 2, 1, rng=0).generate(iter([1]), 2, rng=0)] == nn.GPT(4, 2, 1, rng=0).generate(
        [1], 2, rng=0
    )
    nn.schedules.Plateau(sgd()).step(Value(1.0))
    assert new.init.zeros(np.array([2, 1])).shape == (2, 1)


def test_a_choice_may_come_from_generators():
    logits, targets, chosen = [ROW, ROW], [0, 1], [1, 1]
    expected = nn.masked_cross_entropy(logits, targets, chosen)
    assert nn.masked_cross_entropy(iter(logits), iter(targets), iter(chosen)) == expected


def test_every_sequence_may_be_a_generator():
    rows = [[0.5, -1.0], [1.0, 2.0]]
    cases = [
        (nn.attention, (rows, rows, rows)),
        (nn.BERT(4, 2, 1, rng=0), ([1, 2], 1)),
        (nn.Transformer(4, 2, 1, rng=0), ([1, 2], [0, 1], 1)),
        (nn.ViT(2, 1, 2, 2, 1, rng=0), (rows,)),
        (nn.BatchNorm(2).eval(), (rows,)),
        (nn.Residual(nn.Layer(2, 2, rng=0)), (rows[0],)),
        (nn.LSTM(2, 2, rng=0), (rows,)),
        (nn.Conv1d(2, 1, 1, rng=0), (rows,)),
    ]
    for f, given in cases:
        generators = [iter(x) if isinstance(x, list) else x for x in given]
        assert [float(v) for v in flatten(f(*generators))] == [float(v) for v in flatten(f(*given))]


def test_tokens_that_end_are_among_the_tokens():
    with pytest.raises(IndexError, match=r"tokens from 0 to 3. Received: 9"):
        nn.GPT(4, 2, 1).generate([1], 2, end=9)
    with pytest.raises(IndexError, match=r"tokens from 0 to 3. Received: 9"):
        nn.Transformer(4, 2, 1).generate([1], 0, 2, end=9)
    with pytest.raises(IndexError, match=r"tokens from 0 to 3. Received: 9"):
        nn.BERT(4, 2, 1).fill([1], mask=9)


@pytest.mark.parametrize("length", [4, -1])
def test_a_padding_mask_checks_its_length_at_run_time(length):
    masked = autograd.compile(lambda n: nn.padding_mask(n, 3), batch=True)
    assert masked(np.array([2, 3])).tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    with pytest.raises(IndexError, match=rf"from 0 to 3\. Received: {length}"):
        masked(np.array([length]))


def test_dropout_of_everything_is_0():
    assert nn.Dropout(1.0)([1.0, 2.0]) == [0.0, 0.0]
    assert [float(y) for y in nn.Dropout(1.0)([Value(1.0), Value(2.0)])] == [0.0, 0.0]


def test_a_residual_of_an_array_is_an_array():
    y = nn.Residual(lambda x: [2.0 * v for v in x])(np.array([1.0, 2.0]))
    assert isinstance(y, np.ndarray)
    assert y.tolist() == [3.0, 6.0]


def test_dropout_of_ints_is_not_cut_to_ints():
    x = np.arange(1, 9)
    kept = nn.Dropout(0.3, rng=0)(x)
    np.testing.assert_allclose(kept, np.where(kept > 0.0, x / 0.7, 0.0), rtol=1e-15)
    assert 0 < (kept > 0.0).sum() < 8
    assert nn.Dropout(0.3, rng=0)(x.astype(np.float32)).dtype == np.float32
    assert nn.Dropout(0.3)(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "wrong", [{"n": math.nan}, {"n": "many"}, {"base": None}, {"step_size": 0}, {"gamma": -1e400}]
)
def test_a_state_that_no_schedule_has_had_changes_nothing(wrong):
    optimizer = sgd()
    schedule = nn.schedules.Step(optimizer, 2)
    schedule.step()
    before = schedule.state_dict()
    with pytest.raises(ValueError, match=r"Step needs a state that it has had. Received: {"):
        schedule.load_state_dict({**before, "n": 5, **wrong})
    assert (schedule.state_dict(), optimizer.lr) == (before, 0.1)
    warm = nn.schedules.Warmup(optimizer, 2, after=nn.schedules.Step(optimizer, 2))
    before = warm.state_dict()
    with pytest.raises(ValueError, match="Warmup needs a state that it has had"):
        warm.load_state_dict({**before, "n": 7, "after.n": 3, "after.step_size": 0})
    assert warm.state_dict() == before
