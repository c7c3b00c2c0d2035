"""Neurons side by side are a layer, layers in a row are a network; the last one is chosen by the task."""

# %% [markdown]
# # Layers and networks
# One neuron draws one straight line. Many of them, side by side and in a row, draw anything else.

# %%
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_digits, load_iris, make_moons, split
from demos.lessons import settings

quick, folder = settings()
seeds = range(1 if quick else 5)

# %% [markdown]
# ## A layer: neurons that read the same inputs
# Each has weights and a bias of its own. Their weights, one row a neuron, are a matrix W, their biases a vector b:
# four neurons are one product of a matrix and a vector.

# %%
layer = nn.Layer(3, 4, activation="tanh", rng=0)
x = [0.5, 0.8, 0.2]
by_neurons = np.array([float(out) for out in layer(x)])

W = np.array([[w.data for w in neuron.w] for neuron in layer.neurons])
b = np.array([neuron.b.data for neuron in layer.neurons])
by_matrix = np.tanh(W @ x + b)

print("four neurons, one by one:", by_neurons.round(4))
print("tanh(W x + b):           ", by_matrix.round(4))

# %% [markdown]
# ## A network: input, hidden and output layer
# The input layer has no neurons: it is the numbers that come in. A hidden layer is one that is neither input nor
# output. A neuron with n inputs has n weights and a bias, so a layer of m of them has n m + m parameters.
#
# Here: an image of 28 x 28 pixels, 128 hidden neurons, 10 classes.

# %%
network = nn.MLP(784, [128, 10], rng=0)
print(network.summary())

parameters = network.count_parameters()
counted = (784 * 128 + 128) + (128 * 10 + 10)
print(f"by hand: (784 x 128 + 128) + (128 x 10 + 10) = {counted:,}")

# %% [markdown]
# ## What a hidden layer is good for
# A network needs none: a single neuron is one, too, as old as the perceptron. But its boundary, where
# w x + b = 0, is a straight line, and two moons reach into each other.


# %%
def train(model: nn.Module, loss: Any, X: Any, y: Any, steps: int, lr: float) -> list[float]:
    """All samples in each step; the losses."""
    step = nn.train_step(model, loss, nn.Adam(model.parameters(), lr=lr))
    return [step(X, y) for _ in range(steps)]


X, y = make_moons(200, noise=0.15, rng=0)
X_new, y_new = make_moons(1000, noise=0.15, rng=1)
line = nn.MLP(2, [1], activation="tanh", rng=0)
curve = nn.MLP(2, [16, 16, 1], activation="tanh", rng=0)

moons = {}
for name, model in (("no hidden layer", line), ("two hidden layers", curve)):
    train(model, nn.binary_cross_entropy, X, y, steps=500, lr=0.02)
    logits = autograd.compile(model, batch=True)(X_new)
    moons[name] = nn.metrics.accuracy(logits, y_new)
    print(f"{name:17} {model.count_parameters():4} parameters, right on new points: {moons[name]:.1%}")

# %%
across, up = np.meshgrid(np.linspace(-1.7, 2.7, 89), np.linspace(-1.3, 1.8, 63))
points = np.column_stack([across.ravel(), up.ravel()])

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, name, model in zip(axes, moons, (line, curve), strict=True):
    p = autograd.sigmoid(autograd.compile(model, batch=True)(points)).reshape(across.shape)
    shades = ax.contourf(across, up, p, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.8)
    ax.contour(across, up, p, levels=[0.5], colors="black", linewidths=2)
    for moon, marker in ((0, "o"), (1, "s")):
        ax.scatter(*X[y == moon].T, marker=marker, c="white", edgecolors="black", s=20, label=f"moon {moon}")
    ax.set(title=f"{name}: {moons[name]:.1%}", xlabel="x[0]")
axes[0].set_ylabel("x[1]")
axes[0].legend(loc="upper right")
figure.colorbar(shades, label="probability of moon 1")
figure.savefig(folder / "layers-moons.png", dpi=120)
print("picture:", folder / "layers-moons.png")

# %% [markdown]
# ## The output layer is chosen by the task
#
# | task           | last activation | what comes out              | loss                 |
# |----------------|-----------------|-----------------------------|----------------------|
# | two classes    | sigmoid         | one probability             | binary cross entropy |
# | one of many    | softmax         | probabilities that sum to 1 | cross entropy        |
# | a number       | none: linear    | any number                  | mean squared error   |
#
# The two cross entropies take the sum z before the activation (the logit) and apply sigmoid or softmax themselves:
# ln(sigmoid(z)) in two steps loses digits, and overflows. Each pair belongs together, for the slope of the loss by z
# is then just the prediction minus the truth (twice that, for the squared error).

# %%
z = Value(0.8)
nn.binary_cross_entropy(z, 1).backward()
two_classes = z.grad, float(autograd.sigmoid(0.8)) - 1

zs = [Value(0.8), Value(-0.3), Value(1.5)]
nn.cross_entropy(zs, 2).backward()
one_of_many = [v.grad for v in zs], np.array(nn.activations.softmax([0.8, -0.3, 1.5])) - [0, 0, 1]

out = Value(0.8)
nn.mse(out, 1.5).backward()
a_number = out.grad, 2 * (0.8 - 1.5)

print("                  slope by backward         prediction - truth")
print(f"two classes       {two_classes[0]:.4f}                   {two_classes[1]:.4f}")
print(f"one of many       {np.round(one_of_many[0], 4)}  {one_of_many[1].round(4)}")
print(f"a number          {a_number[0]:.4f}                   {a_number[1]:.4f}  (twice)")

# %% [markdown]
# What goes wrong in another pairing. A sigmoid with the squared error hardly learns from its worst mistakes: its slope
# is nearly 0 there. Probabilities that are computed first and then put into a logarithm are 0 where they should be
# small. And a sigmoid cannot give a sine its negative half: the best it can do there is 0, a mean squared error of
# 1/4, while a linear output has no such bounds.

# %%
wrong = Value(-10.0)  # "certainly not", and the truth is 1
nn.mse(wrong.sigmoid(), 1).backward()
by_mse = wrong.grad
wrong = Value(-10.0)
nn.binary_cross_entropy(wrong, 1).backward()
by_cross_entropy = wrong.grad
print(f"slope at a bad mistake:    squared error {by_mse:.1e}, cross entropy {by_cross_entropy:.4f}")

p = nn.activations.softmax([1000.0, 0.0])
naive, stable = -autograd.log(p[1]), nn.cross_entropy([1000.0, 0.0], 1)
print(f"-ln p of a class 1000 behind:  in two steps {naive}, from the logits {stable}")

t = np.linspace(-np.pi, np.pi, 64)[:, None]
sine = {}
for name in ("identity", "sigmoid"):
    regression = nn.MLP(1, [16, 1], activation="tanh", output_activation=name, rng=0)
    sine[name] = train(regression, nn.mse, t, np.sin(t[:, 0]), steps=1500, lr=0.02)[-1]
print(f"a sine, mean squared error:    linear output {sine['identity']:.1e}, sigmoid {sine['sigmoid']:.3f}")

# %% [markdown]
# ## Real data: iris
# 150 flowers, four lengths in cm, three species. A quarter is held out, and never seen in training.

# %%
flowers, species, names = load_iris()
iris = []
for seed in seeds:
    X_train, X_test, y_train, y_test = split(flowers, species, rng=seed)
    scale = nn.Standardize.fit(X_train)
    model = nn.MLP(4, [8, 3], activation="tanh", rng=seed)
    train(model, nn.cross_entropy, scale(X_train), y_train, steps=150, lr=0.03)
    logits = autograd.compile(model, batch=True)(scale(X_test))
    iris.append(nn.metrics.accuracy(logits, y_test))
print(f"right of {len(X_test)} held-out flowers:", ", ".join(f"{right:.1%}" for right in iris))
print(f"mean {np.mean(iris):.1%}, deviation over {len(iris)} seeds {np.std(iris):.1%}")

# %% [markdown]
# ## Real data: digits
# 1,797 images of 8 x 8 pixels, now in batches of 32: a step for each batch, an epoch is once through all.

# %%
images, digits = load_digits()
held_out = []
for seed in seeds:
    X_train, X_test, y_train, y_test = split(images / 16, digits, rng=seed)
    reader = nn.MLP(64, [64, 10], activation="relu", rng=seed)
    step = nn.train_step(reader, nn.cross_entropy, nn.Adam(reader.parameters(), lr=0.005))
    batches = nn.data.DataLoader(X_train, y_train, batch_size=32, rng=seed)
    for _epoch in range(10 if quick else 30):
        for X_batch, y_batch in batches:
            step(X_batch, y_batch)
    logits = autograd.compile(reader, batch=True)(X_test)
    held_out.append(nn.metrics.accuracy(logits, y_test))
print(f"right of {len(X_test)} held-out digits:", ", ".join(f"{right:.1%}" for right in held_out))
print(f"mean {np.mean(held_out):.1%}, deviation over {len(held_out)} seeds {np.std(held_out):.1%}")

# %%
guesses = logits.argmax(axis=1)
missed = np.flatnonzero(guesses != y_test)[:8]

figure, axes = plt.subplots(1, 8, figsize=(10, 1.8), layout="constrained")
for ax in axes:
    ax.axis("off")
for ax, i in zip(axes, missed, strict=False):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"a {y_test[i]}, read as {guesses[i]}", fontsize=8)
figure.savefig(folder / "layers-missed-digits.png", dpi=120)
print("picture:", folder / "layers-missed-digits.png")

# %% [markdown]
# ## Inputs of one scale
# `Standardize` makes each feature (x - mean) / deviation. Mean and deviation are those of the training part alone: in
# use nobody has the test part beforehand. So of the test part they are near 0 and 1, not equal to them.

# %%
X_train, X_test, y_train, y_test = split(flowers, species, rng=0)
scale = nn.Standardize.fit(X_train)
for name, data in (("training part", scale(X_train)), ("test part", scale(X_test))):
    mean, deviation = abs(data.mean(axis=0)).max(), data.std(axis=0).round(2)
    print(f"{name:14} means at most {mean:.2f} away from 0, deviations {deviation}")

# %% [markdown]
# Why do it: a step of gradient descent is as long as its steepest direction allows, and the flattest one then needs
# many. How unlike the two are is the condition number: the largest over the smallest eigenvalue of the mean of x x^T.
#
# Is it fair? Each side gets the learning rate that suits it best, out of five. We count steps of plain gradient
# descent, all flowers in each, down to a training loss of 0.1.


# %%
def steps_needed(X: Any, y: Any, lr: float, seed: int, most: int) -> int:
    """Steps of SGD down to a loss of 0.1, or `most`."""
    model = nn.MLP(4, [8, 3], activation="tanh", rng=seed)
    step = nn.train_step(model, nn.cross_entropy, nn.SGD(model.parameters(), lr=lr))
    return next((k for k in range(most) if step(X, y) < 0.1), most)


def condition(X: Any) -> float:
    X = np.column_stack([X, np.ones(len(X))])  # the bias has the input 1
    return float(np.linalg.cond(X.T @ X / len(X)))


rates = (0.1, 0.3, 1.0, 3.0, 10.0)
print(f"condition number: in cm {condition(X_train):,.0f}, standardised {condition(scale(X_train)):,.0f}")
needed = []
for seed in seeds:
    X_train, _, y_train, _ = split(flowers, species, rng=seed)
    scale = nn.Standardize.fit(X_train)
    raw = {lr: steps_needed(X_train, y_train, lr, seed, most=1500) for lr in rates}
    scaled = {lr: steps_needed(scale(X_train), y_train, lr, seed, most=1500) for lr in rates}
    best_raw, best_scaled = min(rates, key=raw.__getitem__), min(rates, key=scaled.__getitem__)
    needed.append((raw[best_raw], scaled[best_scaled]))
    print(f"  seed {seed}, in cm:        {raw[best_raw]:4} steps, at a rate of {best_raw:g}")
    print(f"  seed {seed}, standardised: {scaled[best_scaled]:4} steps, at a rate of {best_scaled:g}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for name, data, lr in (("in cm", X_train, best_raw), ("standardised", scale(X_train), best_scaled)):
    model = nn.MLP(4, [8, 3], activation="tanh", rng=seed)
    step = nn.train_step(model, nn.cross_entropy, nn.SGD(model.parameters(), lr=lr))
    ax.semilogy([step(data, y_train) for _ in range(700)], label=f"{name}, learning rate {lr:g}")
ax.axhline(0.1, color="grey", linestyle="--", linewidth=1)
ax.set(title="Iris: the same network, its inputs scaled or not", xlabel="step", ylabel="training loss")
ax.legend()
figure.savefig(folder / "layers-standardised.png", dpi=120)
print("picture:", folder / "layers-standardised.png")

# %% [markdown]
# ## Exercises
# 1. Count the parameters of `nn.MLP(20, [50, 50, 3])` by hand, then ask its `summary()`.
# 2. Two classes could have a softmax of two logits as well. Show that its cross entropy is the binary one of the
#    difference of the two.
# 3. Measure the first feature of iris in micrometres instead of cm. What becomes of the steps needed, with and without
#    `Standardize`?
#
# ## Where it lives
# `nn/neuron.py` (`Layer`, `MLP`), `nn/summary.py`, `nn/losses.py`, `nn/normalization.py` (`Standardize`),
# `nn/metrics.py`, `nn/data.py` (`DataLoader`).
