"""The tour: `python -m demos [folder]`. One neuron, its graph and gradients; then networks of them learn real data.

Everything here is made of scalars: each weight, each product is a number that knows where it came from.
"""

# %% The pieces

from __future__ import annotations

import random
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_digits, load_iris, make_moons, split

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


def learn(
    title: str, model: Any, X: Any, y: Any, *, loss: Any, epochs: int, lr: float, batch_size: int = 16
) -> None:
    """Adam on mini-batches, the loop written out as everybody writes it."""
    optimizer = nn.Adam(model.parameters(), lr=lr)
    rng, start, lines = random.Random(0), time.perf_counter(), max(1, epochs // 5)
    bar = progress(epochs, title)
    for epoch in bar:
        total = 0.0
        for rows in batches(len(X), batch_size, rng):
            error = loss([model(X[i]) for i in rows], [y[i] for i in rows])
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            total += error.data * len(rows) / len(X)
        if hasattr(bar, "set_postfix"):
            bar.set_postfix(loss=f"{total:.4f}")
        if (epoch + 1) % lines == 0 and getattr(bar, "disable", True):
            print(f"  epoch {epoch + 1:3d}   loss {total:.4f}")
    print(f"  {epochs} epochs, final training loss {total:.4f}, {time.perf_counter() - start:.1f} s")


def accuracy(model: Any, X: Any, y: Any) -> float:
    """The share of samples whose true class gets the largest output; computed without recording."""
    with autograd.no_grad():
        guesses = [int(np.argmax([float(v) for v in model(x)])) for x in X]
    return float(np.mean(np.array(guesses) == y))


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


# %% Real data: flowers, digits


def iris(folder: Path) -> None:
    print("\n3. Iris: 150 flowers, 4 measurements, 3 species\n")
    X, y, _ = load_iris()
    X_train, X_test, y_train, y_test = split(X, y, rng=0)
    scale = nn.Standardize.fit(X_train)  # mean and deviation of the training part alone
    model = nn.MLP(4, [8, 3], activation="tanh", rng=0)
    print(model.summary())
    learn("iris", model, [scale(x) for x in X_train], y_train, loss=nn.cross_entropy, epochs=30, lr=0.02)
    found = accuracy(model, [scale(x) for x in X_test], y_test)
    print(f"  held-out accuracy on {len(X_test)} flowers never seen: {found:.1%}")
    draw(nn.cross_entropy(model(scale(X_test[0])), y_test[0]), folder / "iris-one-loss")


def digits(folder: Path) -> None:
    print(
        "\n4. Digits: 8 x 8 pixels of handwriting, 10 classes, each pixel times each weight a scalar product\n"
    )
    X, y = load_digits()
    X_train, X_test, y_train, y_test = split(X / 16.0, y, rng=0)
    model = nn.MLP(64, [16, 10], activation="relu", rng=0)
    print(model.summary())
    learn("digits", model, X_train, y_train, loss=nn.cross_entropy, epochs=10, lr=0.01)
    found = accuracy(model, X_test, y_test)
    print(f"  trained on {len(X_train)}, held-out accuracy on {len(X_test)} others: {found:.1%}")
    draw(model(X_test[0])[0], folder / "digits-one-output")


def moons(folder: Path) -> None:
    print("\n5. Two moons: a boundary that no straight line can be\n")
    X, y = make_moons(100, noise=0.1, rng=0)
    model = nn.MLP(2, [16, 16, 1], rng=0)
    learn("moons", model, X, 2.0 * y - 1.0, loss=nn.hinge, epochs=20, lr=0.02)
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
    main(*sys.argv[1:2])
