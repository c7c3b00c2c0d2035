"""What depth and what width can do, exactly; an activation that cannot; and what helps a large net not to overfit."""

# %% [markdown]
# # Depth and width
# A network can be wide or deep, and large in either way. First what it could compute at all, with weights chosen by
# hand and no training: there the answers are exact. Then what becomes of a large network that learns from few samples.

# %%
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from demos.data import make_moons
from demos.lessons import settings

quick, folder = settings()
seeds = range(1 if quick else 5)

# %% [markdown]
# ## Folding: depth doubles
# The tent map goes up from 0 to 1 and down again: two ReLUs, T(x) = 2 relu(x) - 4 relu(x - 1/2) on [0, 1]. Applied to
# its own result, it folds once more, and each fold doubles the straight pieces: k times T has 2^k.
#
# As a network: two neurons in each of k layers, 4 + 6 (k - 1) parameters, and 3 for the output: 6 k + 1.


# %%
def folded(k: int) -> nn.MLP:
    """T(T(... T(x))), k times."""
    model = nn.MLP(1, [2] * k + [1], activation="relu", init="ones")
    for layer in model.layers:
        for neuron, b in zip(layer.neurons, (0.0, -0.5), strict=False):
            neuron.b.data = b
            if layer is not model.layers[0]:  # it reads the two ReLUs of the layer before
                neuron.w[0].data, neuron.w[1].data = 2.0, -4.0
    return model


tents = folded(3)
print(tents.summary())
print([tents([x / 8]).data for x in range(9)])

# %% [markdown]
# With one hidden layer? Each of its ReLUs bends the line at one place, so m neurons give at most m + 1 pieces, and
# 2^k pieces take at least 2^k - 1 neurons, of 3 parameters each, and a bias: 3 (2^k - 1) + 1. This very function takes
# one more (exercise 1): the first neuron rises from x = 0 on, the others bend the line down and up.


# %%
def side_by_side(k: int) -> nn.MLP:
    """The same function, with 2^k neurons in one layer."""
    n = 2**k
    model = nn.MLP(1, [n, 1], activation="relu", init="ones")
    (output,) = model.layers[1].neurons
    for i, neuron in enumerate(model.layers[0].neurons):
        neuron.b.data = -i / n
        output.w[i].data = float(n if i == 0 else 2 * n * (-1) ** i)
    return model


def values(model: Any, x: Any) -> Any:
    return autograd.compile(model, batch=True)(x[:, None])


def pieces(y: Any) -> int:
    """The straight pieces of a curve, by its values at places of equal distance."""
    bends = np.abs(np.diff(y, n=2)) > 1e-9 * np.abs(y).max()
    return 1 + int(np.sum(bends & ~np.append(False, bends[:-1])))  # a bend between two places shows at both


print(f"{'k':>2}{'pieces':>8}{'deep: parameters':>19}{'wide: parameters':>19}{'at least':>10}   differ by")
rows = []
for k in range(1, 11):
    deep, wide = folded(k), side_by_side(k)
    x = np.arange(4 * 2**k + 1) / (4 * 2**k)  # all bends are among them
    of_deep, of_wide = values(deep, x), values(wide, x)
    differ = float(np.abs(of_deep - of_wide).max())
    rows.append((k, pieces(of_deep), deep.count_parameters(), wide.count_parameters(), differ))
    least = 3 * (2**k - 1) + 1
    print(f"{k:2}{rows[-1][1]:8,}{rows[-1][2]:19}{rows[-1][3]:19,}{least:10,}   {differ:g}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
x = np.arange(4097) / 4096
for k, colour in ((6, "lightgrey"), (3, "tab:orange"), (1, "tab:blue")):
    left.plot(x, values(folded(k), x), color=colour, label=f"k = {k}: {2**k} pieces")
left.set(title="The tent map, k times", xlabel="x")
left.legend(loc="lower center", framealpha=1)
for column, name in ((3, "one hidden layer"), (2, "layers of two neurons")):
    right.loglog([row[1] for row in rows], [row[column] for row in rows], "o-", label=name)
right.set(title="What the same function takes", xlabel="straight pieces", ylabel="parameters")
right.legend()
figure.savefig(folder / "depth-tents.png", dpi=120)
print("picture:", folder / "depth-tents.png")

# %% [markdown]
# So there are functions for which depth is exponentially cheaper than width (M. Telgarsky, 2015): 61 parameters against
# 3,073. That is what a deep network can do, not what it does. Here are ten of each shape as they are before training,
# weights by He, biases of N(0, 1/4):

# %%
x = np.arange(2**14 + 1) / 2**14
drawn: dict[tuple[int, int], list[int]] = {}
for width, depth in ((2, 10), (16, 1), (16, 5)):
    found = drawn[width, depth] = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        model = nn.MLP(1, [width] * depth + [1], activation="relu", init="he", rng=rng)
        for layer in model.layers[:-1]:
            for neuron in layer.neurons:
                neuron.b.data = rng.normal(0.0, 0.5)
        found.append(pieces(values(model, x)))
    print(
        f"{depth:2} hidden layers of {width:2}: {width * depth:2} neurons, pieces on [0, 1]:", *sorted(found)
    )

# %% [markdown]
# Fewer pieces than neurons, at any depth (B. Hanin, D. Rolnick, 2019).
#
# ## Approximation: width suffices
# One hidden layer can come as near as one likes to any continuous function on a closed and bounded set, if only it has
# neurons enough and its activation is no polynomial (G. Cybenko, 1989, for sigmoids; M. Leshno et al., 1993). With
# ReLUs and one input it can be built: choose knots, put a neuron at each, and let its output weight be how much the
# slope changes there. Between N + 1 even knots the network is straight, off by at most max |f''| / (8 N^2).


# %%
def interpolant(f: Any, knots: Any) -> nn.MLP:
    """Straight lines from knot to knot: a neuron for each piece."""
    slopes = np.diff(f(knots)) / np.diff(knots)
    model = nn.MLP(1, [len(slopes), 1], activation="relu", init="ones")
    (output,) = model.layers[1].neurons
    output.b.data = float(f(knots[0]))
    for neuron, w, knot, change in zip(
        model.layers[0].neurons, output.w, knots[:-1], np.diff(slopes, prepend=0.0), strict=True
    ):
        neuron.b.data, w.data = -float(knot), float(change)
    return model


def sine(x: Any) -> Any:
    return np.sin(2 * np.pi * x)


x = np.linspace(0, 1, 2001)
numbers = [4, 8, 16, 32, 64, 128, 256]
largest, typical = [], []
for n in numbers:
    errors = values(interpolant(sine, np.arange(n + 1) / n), x) - sine(x)
    largest.append(float(np.abs(errors).max()))
    typical.append(float(np.sqrt(np.mean(errors**2))))
    bound = (2 * np.pi) ** 2 / (8 * n * n)
    print(f"{n:3} neurons: largest error {largest[-1]:.6f}, at most {bound:.6f}")
slope = float(np.polyfit(np.log(numbers[2:]), np.log(largest[2:]), 1)[0])
beyond = float(interpolant(sine, np.arange(257) / 256)([1.5]).data)
print(f"from 16 neurons on the error goes as N^{slope:.2f}")
print(f"the largest of them at x = 1.5: {beyond:.2f}, the sine {sine(1.5):.2f}")

# %% [markdown]
# Twice the neurons, a quarter of the error. On [0, 1], that is: the theorem says nothing of what is outside, nor how
# many neurons it takes, nor that training finds their weights.
#
# ## An activation that cannot
# With z^2 for an activation, each neuron is a polynomial of degree 2, and so is any sum of them, however many. Of every
# such q the third difference, q(0) - 3 q(1/3) + 3 q(2/3) - q(1), is 0. That of the sine is not: it is the difference of
# the errors, and as they count 1 + 3 + 3 + 1 = 8 times, one of the four is an eighth of it or more.
#
# Below, neurons at random places, and in each network the best output weights there are, by least squares.


# %%
def square(z: Any) -> Any:
    return z * z


def cube(z: Any) -> Any:
    return z * z * z


def best_output(activation: Any, width: int, seed: int) -> nn.MLP:
    """A random hidden layer, and the output weights with the least squared error."""
    rng = np.random.default_rng(seed)
    model = nn.MLP(1, [width, 1], activation=activation, init=nn.init.normal, rng=rng)
    hidden, (output,) = model.layers[0], model.layers[1].neurons
    for neuron in hidden.neurons:
        neuron.b.data = -neuron.w[0].data * rng.uniform()  # its z is 0 somewhere in [0, 1]
    columns = np.column_stack([values(hidden, x).reshape(len(x), width), np.ones(len(x))])
    *w, output.b.data = np.linalg.lstsq(columns, sine(x), rcond=None)[0].tolist()
    for weight, best in zip(output.w, w, strict=True):
        weight.data = best
    return model


third = sine(0) - 3 * sine(1 / 3) + 3 * sine(2 / 3) - sine(1)
floor = float(abs(third) / 8)
print(f"no quadratic is nearer to the sine everywhere than {floor:.4f}")
widths = (1, 3, 10, 30, 100)
left_over: dict[str, list[list[float]]] = {}
print(f"root mean square error, the median of {len(seeds)} (least to most)")
print(f"{'neurons':10}" + "".join(f"{width:<30}" for width in widths))
nearest = []
for name, activation in (("z^2", square), ("z^3", cube), ("ReLU", "relu"), ("tanh", "tanh")):
    left_over[name], cells = [], ""
    for width in widths:
        found_errors = []
        for seed in seeds:
            errors = values(best_output(activation, width, seed), x) - sine(x)
            found_errors.append(float(np.sqrt(np.mean(errors**2))))
            if name == "z^2":
                nearest.append(float(np.abs(errors).max()))
        left_over[name].append(found_errors)
        cells += f"{median(found_errors):.1e} ({min(found_errors):.1e} to {max(found_errors):.1e})  "
    print(f"{name:10}{cells}")
polynomials = {}
for degree in (2, 3):
    fit = np.polynomial.Polynomial.fit(x, sine(x), degree)
    polynomials[degree] = float(np.sqrt(np.mean((fit(x) - sine(x)) ** 2)))
    print(f"the best polynomial of degree {degree}: {polynomials[degree]:.1e}")
print(f"the largest error of a network of squares: {min(nearest):.4f} or more")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(x, sine(x), color="lightgrey", linewidth=5, label="sine")
left.plot(x, values(interpolant(sine, np.arange(9) / 8), x), label="8 ReLUs, built")
left.plot(x, values(best_output(square, 100, 0), x), "--", label="100 squares, the best")
left.set(title="One hidden layer", xlabel="x")
left.legend()
right.loglog(numbers, typical, "s-", label="ReLU, built")
for (name, found_rows), marker in zip(left_over.items(), "od^v", strict=True):
    right.loglog(widths, [median(row) for row in found_rows], f"{marker}--", label=f"{name}, random")
right.set(title="How near it comes", xlabel="neurons", ylabel="root mean square error")
right.legend()
figure.savefig(folder / "depth-approximation.png", dpi=120)
print("picture:", folder / "depth-approximation.png")

# %% [markdown]
# From three squares on, more of them change nothing: all are the best quadratic, as all the cubes are the best cubic.
# A higher power, or more layers, only lower the floor: k layers of squares are of degree 2^k, whatever their width.
#
# ## Overfitting: a large network, few samples
# Forty points of two noisy moons, and a network of 4,417 parameters: it can learn them by heart. How far apart are the
# losses in training and on points that it has not seen, and what becomes of that gap with a penalty on the parameters
# (L2), with dropout, with a training that stops early? And with ten times the samples?
#
# Three sets of points: 40 to train on, 200 to watch, by which early stopping stops, and 1,000 held out, by which all
# are judged. All losses are plain cross entropies, without penalty and with nothing dropped. Each seed draws points
# and weights.


# %%
def network(seed: int, dropout: float = 0.0) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Layer(2, 64, activation="relu", rng=rng),
        nn.Dropout(dropout, rng=rng),
        nn.Layer(64, 64, activation="relu", rng=rng),
        nn.Dropout(dropout, rng=rng),
        nn.Layer(64, 1, activation="identity", rng=rng),
    )


def with_l2(model: Any, x: Any, y: Any, c: float = 0.003) -> Any:
    return nn.binary_cross_entropy(model(x), y) + c * nn.penalties.l2(model)


def cross_entropy(logits: Any, y: Any) -> float:
    """The mean over samples, as a metric for `fit`."""
    return float(np.mean(np.logaddexp(0, logits) - y * logits))


def learned(
    seed: int, samples: int = 40, dropout: float = 0.0, loss: Any = nn.binary_cross_entropy, patience: int = 0
) -> tuple[Any, Any, float, float, float]:
    """A trained network, its history; its loss in training and on what is held out, and how much of that is right."""
    X, y = make_moons(samples, noise=0.3, rng=seed)
    model = network(seed, dropout)
    history = nn.fit(
        model, X, y, loss=loss, optimizer=nn.Adam(model.parameters(), lr=0.01),
        epochs=300 if quick else 500, batch_size=40, validation=make_moons(200, noise=0.3, rng=100 + seed),
        metrics=[cross_entropy], callbacks=[nn.EarlyStopping(patience=patience)] if patience else [],
        progress=False, rng=seed,
    )  # fmt: skip
    outputs = autograd.compile(model.eval(), batch=True)
    X_new, y_new = make_moons(1000, noise=0.3, rng=200 + seed)
    logits = outputs(X_new)
    return (
        model,
        history,
        cross_entropy(outputs(X), y),
        cross_entropy(logits, y_new),
        nn.metrics.accuracy(logits, y_new),
    )


print(f"{network(0).count_parameters():,} parameters")
cures: dict[str, dict[str, Any]] = {
    "nothing done": {},
    "L2, c = 0.003": {"loss": with_l2},
    "dropout, p = 0.5": {"dropout": 0.5},
    "early stopping": {"patience": 50},
    "400 samples": {"samples": 400},
}
models, histories, results = {}, {}, {}
for name, how in cures.items():
    runs = [learned(seed, **how) for seed in seeds]
    models[name], histories[name] = runs[0][0], [history for _, history, *_ in runs]
    results[name] = np.array([numbers for _, _, *numbers in runs])
print(f"mean (least to most) of {len(seeds)} seeds")
print(f"{'':18}{'loss in training':25}{'loss held out':25}{'gap':25}right, held out")
gaps = {}
for name, numbers_of in results.items():
    in_training, held_out, right_share = numbers_of.T
    gaps[name] = held_out - in_training
    cells = ""
    for column in (in_training, held_out, gaps[name]):
        cells += f"{f'{np.mean(column):.3f} ({min(column):.3f} to {max(column):.3f})':25}"
    print(f"{name:18}{cells}{np.mean(right_share):.1%} ({min(right_share):.1%} to {max(right_share):.1%})")
losses = {name: numbers_of[:, 1] for name, numbers_of in results.items()}
better = {name: int(np.sum(losses[name] < losses["nothing done"])) for name in [*cures][1:]}
print(f"held-out loss lower than with nothing done, of {len(seeds)}:", end=" ")
print("; ".join(f"{name}: {count}" for name, count in better.items()))
stopped = [len(history.epochs) for history in histories["early stopping"]]
print("early stopping ended after epoch", *stopped)

# %%
figure, (left, *planes) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
for name, colour in (
    ("nothing done", "tab:red"),
    ("dropout, p = 0.5", "tab:green"),
    ("L2, c = 0.003", "tab:blue"),
):
    history = histories[name][0]
    left.semilogy(history["val_cross_entropy"], color=colour, label=name)
    left.semilogy(history["cross_entropy"], ":", color=colour)
left.set(title="Watched (lines) and in training (dots)", xlabel="epoch", ylabel="loss")
left.legend(loc="lower left")

X, y = make_moons(40, noise=0.3, rng=0)
across, up = np.meshgrid(np.linspace(-2.2, 3.2, 109), np.linspace(-1.7, 2.2, 79))
points = np.column_stack([across.ravel(), up.ravel()])
for plane, name in zip(planes, ("nothing done", "L2, c = 0.003"), strict=True):
    logits = autograd.compile(models[name], batch=True)(points)
    p = autograd.sigmoid(logits).reshape(across.shape)
    shades = plane.contourf(across, up, p, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.8)
    plane.contour(across, up, p, levels=[0.5], colors="black", linewidths=2)
    for moon, marker in ((0, "o"), (1, "s")):
        plane.scatter(*X[y == moon].T, marker=marker, c="white", edgecolors="black", s=20)
    plane.set(title=name, xlabel="x[0]", ylabel="x[1]")
figure.colorbar(shades, ax=planes, label="probability of moon 1 (squares)")
figure.savefig(folder / "depth-overfitting.png", dpi=120)
print("picture:", folder / "depth-overfitting.png")

# %% [markdown]
# With nothing done, the network is right about 85% of the held-out points, and yet its loss there is 1.5, twice the
# ln 2 of one who says 50% to everything: it is sure of itself also where it is wrong. All four helped, in all five
# seeds, at the one strength that was tried of each. L2 has the lowest loss, 0.28. The smallest gap, 0.04, is that of
# early stopping, which has learned its points least, and looked at 200 more; its loss is 0.32. Dropout (0.56) and ten
# times the samples, with ten times the steps (0.57), took away two thirds of the gap.
#
# A network that is large need not overfit, then: it is samples, training and penalties together that decide.
#
# ## Exercises
# 1. With 2^k - 1 ReLUs in one hidden layer 2^k pieces can be had, and yet not the tents. Why not? Begin with k = 1, and
#    think of what a ReLU adds to the slope on either side.
# 2. The square root is steep at 0. How does the error of its `interpolant` go with N, with even knots i / N, and with
#    knots (i / N)^4?
# 3. A small gap is not the aim. Make the L2 penalty a hundred times as strong: what becomes of the gap, and of the two
#    losses?
#
# ## Where it lives
# `nn/neuron.py` (`MLP`), `nn/penalties.py` (`l1`, `l2`), `nn/regularization.py` (`Dropout`), `nn/callbacks.py`
# (`EarlyStopping`), `nn/fit.py`, `nn/history.py`; `weight_decay` is in `nn/optim.py`.
