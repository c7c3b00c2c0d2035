"""`python -m tests.reproduce`: digests of the bits that seeded work gives, one line each, as JSON.

Whoever runs it again, in another process, with other hashes of text, in a thread or a task, gets the same lines.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import autograd
import nn

STEPS = 3


def digest(numbers: Iterable[float]) -> str:
    found = [float(x) for x in numbers]
    return hashlib.sha256(struct.pack(f"<{len(found)}d", *found)).hexdigest()[:16]


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def points(n: int, width: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, width))
    return X, (X.sum(axis=1) > 0.0).astype(float)


def perceptron() -> Any:
    return nn.Sequential(
        nn.Layer(3, 5, activation="tanh", rng=1), nn.Dropout(0.3, rng=9), nn.MLP(5, [4, 1], rng=2)
    )


def trained(model: Any, compiled: bool, optimizer: Callable[..., Any] = nn.Adam) -> str:
    X, y = points(12, 3)
    nn.fit(
        model, X, y, loss=nn.mse, optimizer=optimizer(model.parameters(), lr=0.05), epochs=STEPS, batch_size=4,
        compiled=compiled, rng=7, progress=False,
    )  # fmt: skip
    return digest(p.data for p in model.parameters())


def sequence(compiled: bool) -> str:
    """A step on an LSTM, whose state goes from position to position."""
    lstm = nn.LSTM(2, 3, rng=3)
    xs = np.random.default_rng(6).normal(size=(4, 2))

    def loss(xs: Any) -> Any:
        outputs, _ = lstm(xs)
        return autograd.sum([h * h for h in outputs[-1]])

    if compiled:
        value, slopes = autograd.compile(loss, wrt=lstm).value_and_grad(xs)
        return digest([value, *slopes])
    value = loss(xs.tolist())
    value.backward()
    return digest([value.data, *(p.grad for p in lstm.parameters())])


def letters() -> str:
    """What a language model says, letter by letter."""
    gpt = nn.GPT(7, width=8, heads=2, context=6, hidden=8, rng=4)
    return text_digest(str(gpt.generate([0, 1], 4, temperature=0.8, top_k=5, rng=3)))


def shown() -> Any:
    model = perceptron().eval()
    return model([autograd.Value(x, label=f"x[{i}]") for i, x in enumerate([0.5, -1.0, 2.0])])


def source() -> str:
    model = nn.MLP(3, [4, 4, 1], activation="gelu", rng=2)
    program = autograd.compile(lambda x, y: nn.mse(model(x), y), wrt=model, batch=True)
    program.value_and_grad(*points(5, 3))
    return text_digest(program.source)


WORK: dict[str, Callable[[], str]] = {
    "fit, eager": lambda: trained(perceptron(), False),
    "fit, compiled": lambda: trained(perceptron(), True),
    "SGD, eager": lambda: trained(perceptron(), False, nn.SGD),
    "recurrence, eager": lambda: sequence(False),
    "recurrence, compiled": lambda: sequence(True),
    "generated text": letters,
    "drawing": lambda: text_digest(autograd.draw(shown()).source),
    "tree": lambda: text_digest(autograd.tree(shown())),
    "program": source,
}


def digests() -> dict[str, str]:
    return {name: work() for name, work in WORK.items()}


async def one_after_another() -> dict[str, str]:
    """The same, giving way to other tasks after each piece."""
    found = {}
    for name, work in WORK.items():
        found[name] = work()
        await asyncio.sleep(0)
    return found


if __name__ == "__main__":
    print(json.dumps(digests(), indent=2))
