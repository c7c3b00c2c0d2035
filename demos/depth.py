"""Depth and width: folds that multiply, any continuous function by enough neurons, and a net that learns by heart."""

# %% [markdown]
# # Depth and width
# A network with ReLUs of one number is a line with kinks. Each neuron of a first layer makes one kink at most; each
# further layer can fold the line, and what is folded is kinked many times at once. Here weights are set by hand, so
# that what is said is exact; only at the end something is trained.

# %%
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from demos.data import make_moons
from demos.lessons import settings

quick, folder = settings()

# %% [markdown]
# ## The tent, and tents of tents
# tent(x) goes from 0 up to 1 at x = 1/2 and down to 0 again: two ReLUs.
#
#     tent(x) = 2 relu(x) - 4 relu(x - 1/2)      for x from 0 to 1
#
# The tent of the tent has two peaks, the next one four (M. Telgarsky, 2015). Each layer costs the same.


# %%
def deep(k: int) -> nn.MLP:
    """k tents, one after the other: k hidden layers of two ReLUs."""
    model = nn.MLP(1, [2] * k + [1], activation="relu", init="zeros")
    for i, layer in enumerate(model.layers):
        for neuron, start in zip(layer.neurons, (0.0, -0.5), strict=False):
            tent = (1.0,) if i == 0 else (2.0, -4.0)  # what the layer before it has made, put together
            for w, value in zip(neuron.w, tent, strict=True):
                w.data = value
            neuron.b.data = start if i < k else 0.0
    return model


def interpolant(xs: Any, ys: Any) -> nn.MLP:
    """One hidden layer: through all points, straight in between; a ReLU at each but the last turns the line."""
    slopes = np.diff(ys) / np.diff(xs)
    turns = np.diff(slopes, prepend=0.0)
    model = nn.MLP(1, [len(turns), 1], activation="relu", init="ones")
    for neuron, x in zip(model.layers[0].neurons, xs, strict=False):
        neuron.b.data = -x
    (last,) = model.layers[1].neurons
    for w, turn in zip(last.w, turns, strict=True):
        w.data = turn
    last.b.data = ys[0]
    return model


def values(model: Any, xs: Any) -> Any:
    """The output for each x, compiled."""
    return autograd.compile(model, batch=True)(np.reshape(xs, (-1, 1)))


def pieces(ys: Any, xs: Any) -> int:
    """Of how many straight pieces the line through these points is."""
    slopes = np.diff(ys) / np.diff(xs)
    return 1 + int(np.count_nonzero(np.diff(slopes)))


print(" k   pieces   parameters deep   parameters of one hidden layer   they differ by")
table = {}
for k in range(1, 7 if quick else 11):
    xs = np.arange(2 ** (k + 2) + 1) / 2 ** (k + 2)  # each piece is seen at five points
    corners = np.arange(2**k + 1) / 2**k
    one = interpolant(corners, np.arange(2**k + 1) % 2)
    many = deep(k)
    apart = float(abs(values(many, xs) - values(one, xs)).max())
    table[k] = pieces(values(many, xs), xs), many.count_parameters(), one.count_parameters(), apart
    print(f"{k:2}{table[k][0]:9,}{table[k][1]:18}{table[k][2]:33,}{apart:17g}")

# %% [markdown]
# With depth k, 6k + 1 parameters make 2^k pieces. One hidden layer needs a neuron for each of the 2^k - 1 kinks, so
# 3 (2^k - 1) + 1 parameters at the least: for k = 10, 61 against 3,070. The one built here has one neuron more, 3,073
# parameters, and it has to: with no more neurons than kinks, each neuron belongs to one kink, where the slope changes
# by 2^(k+1) up or down; to the left of all kinks the slope is then a sum of such numbers, never 2^k.
#
# So depth can save exponentially much, for such functions. Not for every function, and that they can be learned is
# not said.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
grid = np.arange(1025) / 1024
for ax, k in zip(axes, (1, 2, 5), strict=True):
    ax.plot(grid, values(deep(k), grid), lw=1.2)
    ax.set(title=f"{6 * k + 1} parameters, {2**k} pieces", xlabel="x")
fig.savefig(folder / "depth-tents.png", dpi=120)
print("picture:", folder / "depth-tents.png")

# %% [markdown]
# ## Any continuous function
# One hidden layer is enough for any continuous function on an interval, if it may be wide (G. Cybenko, 1989; M.
# Leshno and others, 1993: for every activation but polynomials). With ReLUs one can see it: go through N + 1 points of
# the function. Between two of them, h = 1/N apart, a line is off by max |f''| h^2 / 8 at most, so twice the neurons
# are a quarter of the error.


# %%
def wave(x: Any) -> Any:
    return np.sin(2 * np.pi * x)


errors = {}
fine = np.linspace(0.0, 1.0, 20_001)
print("neurons   largest error   bound, pi^2 / (2 N^2)")
for n in (4, 8, 16, 32, 64, 128):
    points = np.linspace(0.0, 1.0, n + 1)
    errors[n] = float(abs(values(interpolant(points, wave(points)), fine) - wave(fine)).max())
    print(f"{n:7}{errors[n]:16.6f}{np.pi**2 / (2 * n**2):18.6f}")
rate = np.polyfit(np.log([*errors]), np.log([*errors.values()]), 1)[0]
print(f"error ~ N^{rate:.2f}")

# %% [markdown]
# And with z^2 for an activation? A sum of squares of lines is a parabola, however many there are: the outputs of any
# number of such neurons span three dimensions, 1, x and x^2. So no output weights make it better than the best
# parabola. With ReLUs at random places it does get better.

# %%
some = np.linspace(0.0, 1.0, 401)
best: dict[tuple[str, int], tuple[int, float]] = {}


def square(z: Any) -> Any:
    return z * z


for name, activation in (("square", square), ("relu", "relu")):
    for n in (4, 16, 64):
        hidden = nn.Layer(1, n, activation=activation, init="uniform", rng=n)
        for neuron, place in zip(hidden.neurons, np.random.default_rng(n).uniform(0, 1, n), strict=True):
            neuron.b.data = -neuron.w[0].data * place  # z = 0 there
        features = np.column_stack([values(hidden, some), np.ones(len(some))])
        weights, _, rank, _ = np.linalg.lstsq(features, wave(some), rcond=1e-10)  # the best there are
        best[name, n] = int(rank), float(np.mean((features @ weights - wave(some)) ** 2))
        print(f"{name:7}{n:4} neurons: {rank:3} dimensions, best mean squared error {best[name, n][1]:.6f}")
parabola = float(np.mean((np.polyval(np.polyfit(some, wave(some), 2), some) - wave(some)) ** 2))
print(f"the best parabola: {parabola:42.6f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
axes[0].loglog([*errors], [*errors.values()], "o-", label="largest error")
axes[0].loglog([*errors], [np.pi**2 / 2 / n**2 for n in errors], "k:", label="bound")
axes[0].set(title="Twice the neurons, a quarter of the error", xlabel="ReLUs in one hidden layer")
axes[0].legend()
points = np.linspace(0.0, 1.0, 9)
axes[1].plot(fine, wave(fine), "k:", label="sin")
axes[1].plot(fine, values(interpolant(points, wave(points)), fine), label="8 ReLUs")
axes[1].plot(some, np.polyval(np.polyfit(some, wave(some), 2), some), "--", label="any number of squares")
axes[1].set(title="The best there is", xlabel="x")
axes[1].legend()
fig.savefig(folder / "depth-approximation.png", dpi=120)
print("picture:", folder / "depth-approximation.png")

# %% [markdown]
# ## By heart
# What can be anything can be wrong anywhere. 30 points of two noisy moons, and a network of 1,185 parameters: more
# than it takes to learn each point by heart, noise included. Three remedies: L2 (small weights), dropout (no neuron
# may rely on another), early stopping (by 100 points of their own). Judged on 1,000 new points.


# %%
def network(seed: int, dropout: float = 0.0) -> Any:
    rng = np.random.default_rng(seed)
    layers: list[Any] = []
    for nin in (2, 32):
        layers.append(nn.Layer(nin, 32, activation="relu", rng=rng))
        layers += [nn.Dropout(dropout, rng=rng)] if dropout else []
    return nn.Sequential(*layers, nn.Layer(32, 1, activation="identity", rng=rng))


noise, few = 0.35, 30
epochs, seeds = (300, 1) if quick else (1000, 5)
remedies = {
    "nothing": (0.0, 0.0, False),
    "L2": (0.03, 0.0, False),
    "dropout": (0.0, 0.5, False),
    "early stopping": (0.0, 0.0, True),
}
found: dict[str, list[tuple[float, float, float]]] = {}
models = {}
X_new, y_new = make_moons(1000, noise=noise, rng=99)
print(network(0).count_parameters(), "parameters,", few, "points; mean (least to most) of", seeds, "seeds")
print(f"{'':16}{'loss':24}{'loss on new points':24}right on new points")
for name, (decay, dropout, stop) in remedies.items():
    found[name] = []
    for seed in range(seeds):
        X, y = make_moons(few, noise=noise, rng=seed)
        validation = make_moons(100, noise=noise, rng=50 + seed)
        model = network(seed, dropout)
        nn.fit(
            model,
            X,
            y,
            loss=nn.binary_cross_entropy,
            optimizer=nn.Adam(model.parameters(), lr=0.01, weight_decay=decay),
            epochs=epochs,
            batch_size=few,
            validation=validation if stop else None,
            callbacks=[nn.EarlyStopping(patience=50)] if stop else [],
            rng=seed,
            progress=False,
        )
        models[name] = model.eval()
        seen, new = [autograd.compile(model, batch=True)(points) for points in (X, X_new)]
        found[name].append(
            (
                float(nn.binary_cross_entropy(seen, y)),
                float(nn.binary_cross_entropy(new, y_new)),
                nn.metrics.accuracy(new, y_new),
            )
        )
    loss, loss_new, right = zip(*found[name], strict=True)
    cells = [f"{mean(xs):.3f} ({min(xs):.3f} to {max(xs):.3f})" for xs in (loss, loss_new)]
    print(f"{name:16}{cells[0]:24}{cells[1]:24}{mean(right):.1%} ({min(right):.1%} to {max(right):.1%})")

# %%
fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    nn.plots.decision_boundary(model, X, y, ax=ax)
    ax.set_title(f"{name}: {found[name][-1][2]:.0%} right", loc="left")
fig.savefig(folder / "depth-by-heart.png", dpi=120)
print("picture:", folder / "depth-by-heart.png")

# %% [markdown]
# What came out over five seeds: without a remedy the loss on its own points is 0 and on new ones 2.5, far more than
# the ln 2 = 0.69 of one who says 50% to everything: it is wrong, and sure of it. L2 and early stopping close the gap,
# to 0.39. Dropout alone closes a part of it. The share of right answers differs much less than the loss, by three or
# four points. And early stopping is no longer free once one counts the 100 points that it looks at: here that is
# three times what is learned from.
#
# ## Exercises
# 1. Any number of ReLUs in one hidden layer: why are there never more kinks than neurons? Count those of ten networks
#    with random weights.
# 2. In the net of k tents, how large is the slope by x? What has that to do with exploding gradients?
# 3. Let the 100 points of early stopping be learned from, too: 130 points and no remedy. How much of the gap is left?
#
# ## Where it lives
# `nn/neuron.py` (`MLP`), `nn/regularization.py` (`Dropout`), `nn/penalties.py` (L1, L2), `nn/optim.py`
# (`weight_decay`), `nn/callbacks.py` (`EarlyStopping`), `nn/fit.py`.
