"""The tour: `python -m demos [folder]`. One neuron, its graph and gradients; then networks of them learn real data.

Everything here is made of scalars: each weight, each product is a number that knows where it came from. Where there
are many of them, the network is compiled: the same scalars, run as arrays. `python -m demos list` names the lessons.
"""

# %% The pieces

from __future__ import annotations

import random
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_digits, load_iris, make_moons, split
from demos.lessons import LESSONS

left_out: list[str] = []  # what a missing extra kept us from doing


def progress(epochs: int, title: str) -> Iterable[Any]:
    """The numbers of the epochs, as a progress bar where tqdm is installed and somebody looks."""
    try:
        from tqdm import tqdm
    except ImportError:
        if "progress bars (pip install tqdm)" not in left_out:
            left_out.append("progress bars (pip install tqdm)")
        return range(epochs)
    bar: Iterable[Any] = tqdm(range(epochs), desc=title, ncols=80, disable=None, leave=False)
    return bar


def draw(output: Value, path: Path, **options: Any) -> None:
    """Write the graph's picture as SVG and PNG, or say what is missing."""
    for ending in (".svg", ".png"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a picture that collapses says so itself
                print("  drawn:", autograd.render(output, path.with_suffix(ending), **options).name)
        except RuntimeError as error:
            if str(error) not in left_out:
                left_out.append(str(error))


def batches(n: int, size: int, rng: random.Random) -> Iterator[list[int]]:
    """The numbers 0 to n - 1 in random order, `size` at a time."""
    order = rng.sample(range(n), n)
    yield from (order[i : i + size] for i in range(0, n, size))


def by_hand(model: Any, loss: Any, optimizer: nn.Optimizer) -> Callable[..., float]:
    """A step of training on a batch, written out as everybody writes it: every scalar is recorded, then walked back."""

    def step(X: Any, y: Any) -> float:
        error = loss([model(x) for x in X], y)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        return float(error.data)

    return step


def learn(
    title: str, step: Callable[..., float], X: Any, y: Any, *, epochs: int, batch_size: int = 16
) -> None:
    """Steps on mini-batches in random order."""
    rng, start, lines = random.Random(0), time.perf_counter(), max(1, epochs // 5)
    bar = progress(epochs, title)
    for epoch in bar:
        total = 0.0
        for rows in batches(len(X), batch_size, rng):
            total += step(X[rows], y[rows]) * len(rows) / len(X)
        if hasattr(bar, "set_postfix"):
            bar.set_postfix(loss=f"{total:.4f}")
        if (epoch + 1) % lines == 0 and getattr(bar, "disable", True):
            print(f"  epoch {epoch + 1:3d}   loss {total:.4f}")
    print(f"  {epochs} epochs, final training loss {total:.4f}, {time.perf_counter() - start:.1f} s")


def accuracy(outputs: Any, y: Any) -> float:
    """The share of samples whose true class gets the largest output."""
    return float(np.mean(np.argmax(outputs, axis=1) == y))


def timed(step: Callable[[], float], times: int) -> tuple[float, list[float]]:
    """The milliseconds of a step, the median of so many, and the loss of each."""
    taken, losses = [], []
    for _ in range(times):
        start = time.perf_counter()
        losses.append(step())
        taken.append(1000.0 * (time.perf_counter() - start))
    return median(taken), losses


# %% One neuron: the weighted sum, the activation, and what each weight is to blame for


def one_neuron(folder: Path) -> None:
    print("1. One neuron: inputs, weights, a bias, an activation\n")
    neuron = nn.Neuron(3, activation="sigmoid")
    for w, start in zip(neuron.w, (0.4, -0.6, 0.9), strict=True):
        w.data = start
    neuron.b.data = 0.1
    x = [Value(number, label=f"x[{i}]") for i, number in enumerate((0.5, 0.8, 0.2))]
    print(neuron.explain(x))

    output = neuron(x)
    draw(output, folder / "neuron-before-backward")
    output.backward()
    draw(output, folder / "neuron-after-backward")
    print("\n  backward: how the output moves when one number moves")
    for v in (*neuron.w, neuron.b, *x):
        print(f"    d out / d {v.label:6} = {v.grad:+.4f}")


# %% A derivative is a graph, too: differentiate it again


def second_derivative(folder: Path) -> None:
    print("\n2. The neuron's second derivative\n")

    def f(x: Any) -> Any:
        return autograd.sigmoid(0.8 * x + 0.1)

    df, d2f = autograd.grad(f), autograd.grad(autograd.grad(f))
    print("      x    sigmoid(0.8 x + 0.1)    first      second derivative")
    for at in (-2.0, 0.0, 2.0):
        print(f"    {at:4.1f}    {f(at):.6f}               {df(at):.6f}   {d2f(at):+.6f}")
    x = Value(1.0, label="x")
    f(x).backward(create_graph=True)
    draw(x.grad, folder / "neuron-first-derivative")


# %% Real data, each scalar by hand: flowers


def iris(folder: Path) -> None:
    print("\n3. Iris: 150 flowers, 4 measurements, 3 species\n")
    X, y, _ = load_iris()
    X_train, X_test, y_train, y_test = split(X, y, rng=0)
    scale = nn.Standardize.fit(X_train)  # mean and deviation of the training part alone
    model = nn.MLP(4, [8, 3], activation="tanh", rng=0)
    print(model.summary())
    step = by_hand(model, nn.cross_entropy, nn.Adam(model.parameters(), lr=0.02))
    learn("iris", step, np.array([scale(x) for x in X_train]), y_train, epochs=30)
    with autograd.no_grad():
        found = accuracy([[float(v) for v in model(scale(x))] for x in X_test], y_test)
    print(f"  held-out accuracy on {len(X_test)} flowers never seen: {found:.1%}")
    draw(nn.cross_entropy(model(scale(X_test[0])), y_test[0]), folder / "iris-one-loss")


# %% The same, compiled: digits


def digits(folder: Path) -> None:
    print("\n4. Digits: 1,797 images of 8 x 8 pixels, 10 classes; written as scalars, run as arrays\n")
    X, y = load_digits()
    X_train, X_test, y_train, y_test = split(X / 16.0, y, rng=0)

    def begin() -> tuple[Any, Any, nn.Optimizer]:
        model = nn.MLP(64, [64, 10], activation="relu", rng=0)
        return model, nn.cross_entropy, nn.Adam(model.parameters(), lr=0.005)

    model, loss, optimizer = begin()
    print(model.summary())
    step = nn.train_step(model, loss, optimizer)
    learn("digits", step, X_train, y_train, epochs=30, batch_size=32)
    forward = autograd.compile(model, batch=True)
    found = accuracy(forward(X_test), y_test)
    print(f"  trained on {len(X_train)}, held-out accuracy on {len(X_test)} others: {found:.1%}")

    batch = X_train[:32], y_train[:32]
    eager, losses = timed(partial(by_hand(*begin()), *batch), 9)
    again = nn.train_step(*begin())
    again_losses = [again(*batch) for _ in losses]  # the first call compiles
    most = np.abs(np.subtract(losses, again_losses)).max()
    compiled, _ = timed(partial(again, *batch), 200)
    ratio = f"{eager / compiled:,.0f} times as fast"
    print(f"\n  The same step on 32 digits: eager {eager:.0f} ms, compiled {compiled:.2f} ms, {ratio};")
    print(f"  over {len(losses)} steps the losses of the two differ by at most {most:.0e}.")
    print("\n  The compiler watched the scalars of one digit and wrote this program: the mean loss of n")
    print("  digits at once, and its gradient. All parameters are in p, their gradients go into g; then")
    print("  Adam moves p.\n")
    print(textwrap.indent(step.source, "    "))
    error = nn.cross_entropy(model(X_test[0]), y_test[0])  # the scalars are all still there
    error.backward()
    draw(error, folder / "digits-one-loss", level="layer")


# %% A boundary to look at


def moons(folder: Path) -> None:
    print("\n5. Two moons: a boundary that no straight line can be\n")
    X, y = make_moons(100, noise=0.1, rng=0)
    model = nn.MLP(2, [16, 16, 1], rng=0)
    step = by_hand(model, nn.hinge, nn.Adam(model.parameters(), lr=0.02))
    learn("moons", step, X, 2.0 * y - 1.0, epochs=20)
    with autograd.no_grad():
        right = [(float(model(x)) > 0) == bool(moon) for x, moon in zip(X, y, strict=True)]
        print(f"  on the right side of the boundary: {np.mean(right):.0%}")
        try:
            from matplotlib.figure import Figure
        except ImportError:
            left_out.append("the picture of the decision boundary (pip install matplotlib)")
            return
        across, up = np.linspace(-1.6, 2.6, 43), np.linspace(-1.1, 1.6, 28)
        scores = np.array([[float(model((a, b))) for a in across] for b in up])
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    top = float(np.abs(scores).max())
    shades = axes.contourf(across, up, scores, levels=np.linspace(-top, top, 21), cmap="PuOr", alpha=0.8)
    axes.contour(across, up, scores, levels=[0.0], colors="black", linewidths=2)
    for moon, marker in ((0, "o"), (1, "s")):
        axes.scatter(
            X[y == moon, 0],
            X[y == moon, 1],
            marker=marker,
            c="white",
            edgecolors="black",
            label=f"moon {moon}",
        )
    axes.set(
        title="MLP(2, [16, 16, 1]) of scalar neurons: its score, and where it is 0",
        xlabel="x[0]",
        ylabel="x[1]",
    )
    axes.legend(loc="upper right")
    figure.colorbar(shades, label="score")
    for ending in ("svg", "png"):
        figure.savefig(folder / f"moons-decision-boundary.{ending}", dpi=150)
        print(f"  drawn: moons-decision-boundary.{ending}")


# %% The lessons


def lessons() -> None:
    """Print the table of the lessons, in their order."""
    for number, lesson in enumerate(LESSONS.values(), start=1):
        print(f"{number:2d}  {lesson.name:12} {lesson.title}, about {lesson.seconds} s")
        print(f"    {'':12} {lesson.about}")
    print("\nRun one as a script, step through it in the terminal, or make notebooks of all:")
    print("    python -m demos.biology [--quick] [--folder pictures]")
    print("    python -m demos.live biology [--quick] [--folder pictures]")
    print("    python -m demos.notebooks")


# %% All of it


def main(folder: str | Path = "pictures") -> None:
    """Run the tour and leave its pictures in `folder`."""
    start, folder = time.perf_counter(), Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    left_out.clear()
    for part in (one_neuron, second_derivative, iris, digits, moons):
        part(folder)
    for what in left_out:
        print(f"\nLeft out: {what}")
    print(f"\n{time.perf_counter() - start:.0f} s. The pictures are in")
    print(folder)


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        lessons()
    else:
        main(*sys.argv[1:2])
