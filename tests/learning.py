"""`python -m tests.learning [NAME ...] [--seeds N]`: what the networks learn from real data, and how long it takes.

Digits: 1,797 images of 8x8 pixels, a quarter of each class held out. Names: letter by letter, a tenth held out; the
loss is that of each next letter, and must be below that of a table of letter pairs. All are trained compiled.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import autograd
import nn
from demos.data import load_digits, load_names, split


class Learned(NamedTuple):
    """What came of it: a score on held-out data, and what it must reach."""

    name: str
    parameters: int
    epochs: int
    seconds: float
    score: float
    bar: float
    samples: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        return self.score < self.bar if self.samples else self.score >= self.bar


# Digits -----------------------------------------------------------------------------------------------------------


def digits(seed: int) -> Any:
    """(training images, held-out images, training labels, held-out labels), pixels from 0 to 1."""
    X, y = load_digits()
    return split(X.reshape(-1, 8, 8) / 16.0, y, test=0.25, rng=seed)


def mlp(seed: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.MLP(64, [64, 10], activation="relu", init=None, rng=seed))


def cnn(seed: int) -> nn.Module:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        as_channel,
        nn.Conv2d(1, 12, 3, padding=1, activation="relu", rng=rng),
        nn.MaxPool(2),
        nn.Conv2d(12, 24, 3, padding=1, activation="relu", rng=rng),
        nn.MaxPool(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Layer(96, 10, activation="identity", rng=rng),
    )


def as_channel(image: Any) -> Any:
    return np.asarray(image)[None]


def vit(seed: int) -> nn.Module:
    return nn.ViT(size=8, patch=2, classes=10, width=16, heads=4, blocks=2, rng=seed)


class RowsLSTM(nn.Module):
    """Reads an image row by row, and tells the digit from its last state."""

    def __init__(self, seed: int) -> None:
        self.lstm = nn.LSTM(8, 32, rng=seed)
        self.head = nn.Layer(32, 10, activation="identity", rng=seed)

    def __call__(self, image: Any) -> Any:
        _, (h, _) = self.lstm(image)
        return self.head(h[-1])


class Digits(NamedTuple):
    model: Callable[[int], nn.Module]
    epochs: int
    lr: float
    bar: float


DIGITS = {
    "MLP": Digits(mlp, 40, 0.003, 0.96),
    "CNN": Digits(cnn, 40, 0.005, 0.97),
    "ViT": Digits(vit, 40, 0.005, 0.93),
    "LSTM": Digits(RowsLSTM, 40, 0.005, 0.93),
}


def learn_digits(name: str, seed: int = 0, epochs: int | None = None) -> Learned:
    make, usual, lr, bar = DIGITS[name]
    epochs = usual if epochs is None else epochs
    X, X_test, y, y_test = digits(seed)
    began = time.perf_counter()
    model = make(seed)
    optimizer = nn.Adam(model.parameters(), lr=lr)
    step, rng, size = nn.train_step(model, nn.cross_entropy, optimizer), np.random.default_rng(seed), 64
    count = epochs * math.ceil(len(X) / size)
    for k, batch in enumerate(batches(len(X), size, epochs, rng)):
        optimizer.lr = lr * 0.5 * (1.0 + math.cos(math.pi * k / count))
        step(X[batch], y[batch])
    model.eval()
    guesses = autograd.compile(model, batch=True)(X_test).argmax(axis=-1)
    seconds = time.perf_counter() - began
    return Learned(name, model.count_parameters(), epochs, seconds, float((guesses == y_test).mean()), bar)


def batches(n: int, size: int, epochs: int, rng: Any) -> Iterator[Any]:
    """The places of one batch after the other, in an order that is new for each epoch."""
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, size):
            yield order[start : start + size]


# Names ------------------------------------------------------------------------------------------------------------

EDGE = 26  # the token that begins and ends a name; letters are 0 to 25


def tokens_of(names: list[str]) -> tuple[Any, Any, Any]:
    """(tokens, the tokens that follow them, 1 for each of a name), a row for each name, padded to the longest."""
    width = max(map(len, names)) + 1
    tokens = np.full((len(names), width + 1), EDGE)
    for row, name in zip(tokens, names, strict=True):
        row[1 : len(name) + 1] = [ord(letter) - ord("a") for letter in name]
    lengths = np.array([len(name) + 1 for name in names])
    return tokens[:, :-1], tokens[:, 1:], (np.arange(width) < lengths[:, None]).astype(float)


def letters(tokens: list[int]) -> str:
    return "".join(chr(token + ord("a")) for token in tokens if token != EDGE)


def bigram_loss(names: list[str], held_out: list[str]) -> float:
    """The mean of -ln p(next token | token) over held-out names, p from counted pairs, each counted once more."""
    pairs = np.ones((27, 27))
    tokens, following, real = tokens_of(names)
    np.add.at(pairs, (tokens[real > 0], following[real > 0]), 1.0)
    logs = np.log(pairs / pairs.sum(axis=1, keepdims=True))
    tokens, following, real = tokens_of(held_out)
    return float(-logs[tokens[real > 0], following[real > 0]].mean())


def losses(gpt: nn.GPT, tokens: Any, following: Any, weights: Any) -> Any:
    """The weighted sum of the losses of all tokens of a name."""
    each = [nn.cross_entropy(row, target) for row, target in zip(gpt(tokens), following, strict=True)]
    return autograd.dot(weights, each)


def learn_names(seed: int = 0, epochs: int | None = None) -> Learned:
    epochs = 30 if epochs is None else epochs
    names = load_names()
    order = np.random.default_rng(seed).permutation(len(names))
    cut = len(names) // 10
    held_out, known = ([names[i] for i in part] for part in (order[:cut], order[cut:]))
    began = time.perf_counter()
    plain = partial(nn.RMSNorm, gain=False)
    gpt = nn.GPT(
        27, context=12, normalization=plain, norm_first=True, activation="relu", bias=False, rng=seed
    )
    lr, size = 0.01, 64
    optimizer = nn.Adam(gpt.parameters(), lr=lr)
    step, rng = nn.train_step(gpt, losses, optimizer), np.random.default_rng(seed)
    tokens, following, real = tokens_of(known)
    count = epochs * math.ceil(len(known) / size)
    for k, batch in enumerate(batches(len(known), size, epochs, rng)):
        optimizer.lr = lr * (1.0 - k / count)
        step(tokens[batch], following[batch], real[batch] * (len(batch) / real[batch].sum()))
    tokens, following, real = tokens_of(held_out)
    found = autograd.compile(lambda x, y, w: losses(gpt, x, y, w), batch=True)(tokens, following, real)
    samples = tuple(letters(gpt.generate(length=11, end=EDGE, rng=k)) for k in range(10))
    return Learned(
        "GPT", gpt.count_parameters(), epochs, time.perf_counter() - began, float(found.sum() / real.sum()),
        bigram_loss(known, held_out), samples,
    )  # fmt: skip


TASKS = {name: partial(learn_digits, name) for name in DIGITS} | {"GPT": learn_names}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.learning", description=__doc__)
    parser.add_argument("names", nargs="*", default=[*TASKS], help=", ".join(TASKS))
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'':6}{'parameters':>11}{'epochs':>8}{'seconds':>9}{'held out':>10}{'bar':>8}")
    for name in arguments.names:
        for seed in range(arguments.seeds):
            row = TASKS[name](seed=seed)
            print(
                f"{row.name:6}{row.parameters:>11,}{row.epochs:>8}{row.seconds:>9.1f}{row.score:>10.4f}{row.bar:>8.4f}"
            )
            if row.samples:
                print(f"      {', '.join(row.samples)}")


if __name__ == "__main__":
    main()
