"""What becomes of signals and gradients in many layers: they vanish, explode or stay, and units die."""

# %% [markdown]
# # Training dynamics
# Forward, each layer multiplies the signal; backward, each layer multiplies the gradient. A factor of 1/4 in twenty
# layers is 10^-12, a factor of 4 is 10^12: much of what a deep network can learn is decided before its first step.

# %%
from functools import partial
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
width = 32

# %% [markdown]
# ## Gradients on their way back
# Layers of 32 neurons, one random input, and the slope of the output by every weight. The gradient of a
# layer is that of the layer above, times the weights between the two, times the slopes of its activation. Xavier's
# weights have a factor of about 1. The slope of a sigmoid is 1/4 at most, that of tanh is 1 at 0, that of a ReLU is 1
# or 0.


# %%
def network(activation: str, init: Any, depth: int, seed: int, skips: bool = False) -> Any:
    """So many hidden layers, all as wide as the input, and one linear output."""
    rng = np.random.default_rng(seed)
    layers: list[Any] = [
        nn.Layer(width, width, activation=activation, init=init, rng=rng) for _ in range(depth)
    ]
    if skips:
        layers = [nn.Residual(layer) for layer in layers]  # x + layer(x)
    return nn.Sequential(*layers, nn.Layer(width, 1, activation="identity", init="xavier", rng=rng))


def gradients(model: Any, seed: int) -> list[float]:
    """The norms of the layers' gradients, from the first to the last, which is the output."""
    model(np.random.default_rng(100 + seed).normal(size=width)).backward()
    return [row.gradient for row in nn.gradient_report(model).values()]


small = network("sigmoid", "xavier", depth=3, seed=0)
small(np.ones(width)).backward()
print(nn.gradient_report(small))

# %%
kinds = {
    "sigmoid, Xavier": partial(network, "sigmoid", "xavier"),
    "tanh, Xavier": partial(network, "tanh", "xavier"),
    "ReLU, He": partial(network, "relu", "he"),
    "sigmoid, Xavier, skips": partial(network, "sigmoid", "xavier", skips=True),
}
print(f"gradient of the first layer / of the last: the median of {len(seeds)} networks (least to most)")
print(f"{'hidden layers':25}" + " ".join(f"{depth:<30}" for depth in (5, 10, 20)))
ratios: dict[tuple[str, int], list[float]] = {}
for name, make in kinds.items():
    for depth in (5, 10, 20):
        norms = [gradients(make(depth=depth, seed=seed), seed) for seed in seeds]
        ratios[name, depth] = [norm[0] / norm[-1] for norm in norms]
    cells = ""
    for depth in (5, 10, 20):
        r = ratios[name, depth]
        cells += f"{median(r):8.1e} ({min(r):.1e} to {max(r):.1e})  "
    print(f"{name:24}{cells}")
print(f"{'1/4 for each layer':24}" + " ".join(f"{0.25**depth:8.1e}{'':22}" for depth in (5, 10, 20)))

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, make), marker in zip(kinds.items(), "osd^", strict=True):
    ax.semilogy(range(1, 22), gradients(make(depth=20, seed=0), 0), marker=marker, markersize=4, label=name)
ax.set(
    title="Twenty hidden layers and the output: gradients", xlabel="layer, from the input on", ylabel="norm"
)
ax.set_xticks(range(1, 22, 2))
ax.legend()
figure.savefig(folder / "training-gradients.png", dpi=120)
print("picture:", folder / "training-gradients.png")

# %% [markdown]
# So it is not that "deep networks have vanishing gradients". Sigmoids have them; tanh with Xavier's weights does not,
# nor a ReLU with He's. And with a way around each layer the same sigmoids keep a few hundredths where they had 10^-12;
# most of what is missing is that the output reads a signal to which every layer has added: its gradient is larger.
# The ReLU is older than 2010: depth came with initialisation, normalisation and skips as well.
#
# Does it matter? Ten hidden layers, two moons, plain gradient descent. ln 2 = 0.6931 is the loss of one who says 50%
# to everything; how much of that is right hangs on digits that the loss does not show.

# %%
X, y = make_moons(100, noise=0.1, rng=0)
deep: dict[str, list[tuple[float, float]]] = {}
for name, activation in (("sigmoid, Xavier", "sigmoid"), ("tanh, Xavier", "tanh"), ("ReLU, He", "relu")):
    runs = deep[name] = []
    for seed in seeds:
        model = nn.MLP(2, [16] * 10 + [1], activation=activation, rng=seed)  # begins as suits the activation
        step = nn.train_step(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), lr=0.1))
        losses = [step(X, y) for _ in range(300 if quick else 1000)]
        runs.append((losses[-1], nn.metrics.accuracy(autograd.compile(model, batch=True)(X), y)))
    print(f"{name:16} " + "   ".join(f"loss {loss:.4f}, right {right:4.0%}" for loss, right in runs))

# %% [markdown]
# ## Signals on their way forward
# With n inputs and weights of variance v, a neuron multiplies the mean square of its inputs by n v; a ReLU then drops
# the negative half of it. So twenty layers multiply by (n v / 2)^20, and He chose v = 2 / n. That holds for the mean
# over all weights that might have been drawn. Single networks scatter, narrow ones more than wide ones, and most are
# below it: such a mean is made by the few that are far above.

# %%
depth = 20
starts: dict[str, tuple[Any, float]] = {
    "He": ("he", 2 / width),
    "Xavier": ("xavier", 1 / width),
    "N(0, 0.01^2)": (partial(nn.init.normal, std=0.01), 0.01**2),
    "U(-1, 1)": ("uniform", 1 / 3),
}


def mean_squares(model: Any, seed: int) -> list[float]:
    """Of the outputs of each hidden layer, for eight random inputs."""
    signals: list[Any] = [*np.random.default_rng(100 + seed).normal(size=(8, width))]
    found = []
    with autograd.no_grad():
        for hidden in model.layers[:-1]:
            signals = [[float(out) for out in hidden(signal)] for signal in signals]
            found.append(float(np.mean(np.square(signals))))
    return found


print(f"mean square of the signal after {depth} layers of {width} ReLUs, that of the input being about 1")
print(f"{'weights':14}{'(n v / 2)^20':>14}{'median':>11}    least to most of {len(seeds)}")
forward: dict[str, list[float]] = {}
courses = {}
for name, (init, variance) in starts.items():
    courses[name] = [mean_squares(network("relu", init, depth, seed), seed) for seed in seeds]
    forward[name] = [course[-1] for course in courses[name]]
    expected = (width * variance / 2) ** depth
    found = forward[name]
    print(f"{name:14}{expected:14.1e}{median(found):11.1e}    {min(found):.1e} to {max(found):.1e}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, course), marker in zip(courses.items(), "osd^", strict=True):
    ax.semilogy(range(1, depth + 1), course[0], marker=marker, markersize=4, label=name)
ax.set(title="Twenty layers of ReLUs: the signal", xlabel="layer", ylabel="mean square of the outputs")
ax.set_xticks(range(2, 21, 2))
ax.legend()
figure.savefig(folder / "training-signals.png", dpi=120)
print("picture:", folder / "training-signals.png")

# %% [markdown]
# ## Units that die
# A ReLU whose sum is below 0 for every sample hands on 0, and its slope is 0: no gradient reaches its weights, so it
# stays where it is. Biases of -3 bring that about, and so do a few steps at a far too high rate.

# %%
model = nn.MLP(2, [16, 16, 1], activation="relu", rng=0)
for layer in model.layers[:2]:
    for neuron in layer.neurons:
        neuron.b.data = -3.0
print(nn.dead_units(model, X))

nn.binary_cross_entropy([model(x) for x in X], y).backward()
dead = {path for row in nn.dead_units(model, X).values() for path in row.dead}
of_dead = [
    float(p.grad)
    for path, part in model.named_modules()
    if path in dead and isinstance(part, nn.Neuron)
    for p in part.parameters()
]
print(f"{len(dead)} dead units with {len(of_dead)} weights and biases; gradients among them: {set(of_dead)}")

# %% [markdown]
# The slope of a leaky ReLU or an ELU below 0 is small, but not 0. Do they come back? First damage, then 600 steps of
# Adam at a usual rate, 0.02.


# %%
def damaged(activation: str, how: str, seed: int) -> nn.MLP:
    model = nn.MLP(2, [16, 16, 1], activation=activation, init="he", rng=seed)
    if how == "biases of -3":
        for layer in model.layers[:2]:
            for neuron in layer.neurons:
                neuron.b.data = -3.0
    else:
        step = nn.train_step(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), lr=5.0))
        for _ in range(3):
            step(X, y)
    return model


ways = ("biases of -3", "three steps at a rate of 5")
recovered: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
sizes: dict[tuple[str, str], list[float]] = {}
curves = {}
unhurt = [nn.MLP(2, [16, 16, 1], activation="relu", init="he", rng=seed) for seed in seeds]
at_first = [len(nn.dead_units(model, X).total.dead) for model in unhurt]
print("dead ReLUs, of 32, before any damage:", *at_first)
print("dead units after the damage -> after training, and how many of the moons are right then")
for how in ways:
    for activation in ("relu", "leaky_relu", "elu"):
        rows = recovered[how, activation] = []
        sizes[how, activation] = []
        for seed in seeds:
            model = damaged(activation, how, seed)
            before = len(nn.dead_units(model, X).total.dead)
            sizes[how, activation].append(float(nn.penalties.l2(model)) ** 0.5)
            step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.02))
            curves[how, activation, seed] = [step(X, y) for _ in range(600)]
            after = len(nn.dead_units(model, X).total.dead)
            rows.append((before, after, nn.metrics.accuracy(autograd.compile(model, batch=True)(X), y)))
        shown = [f"{before:2} -> {after:2}, {right:4.0%}" for before, after, right in rows]
        print(f"{how:27}{activation:11}" + "  ".join(shown))
print(f"norm of all parameters after {ways[1]}, in the same order:")
for activation in ("relu", "leaky_relu", "elu"):
    print(f"{'':27}{activation:11}" + "  ".join(f"{norm:14,.0f}" for norm in sizes[ways[1], activation]))

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, how in zip(axes, ways, strict=True):
    for activation, style in (("relu", "-"), ("leaky_relu", "--"), ("elu", ":")):
        ax.semilogy(curves[how, activation, 0], style, label=activation)
    ax.set(title=f"After {how} (the first seed)", xlabel="step of Adam")
axes[0].set_ylabel("loss")
axes[0].legend()
figure.savefig(folder / "training-damaged.png", dpi=120)
print("picture:", folder / "training-damaged.png")

# %% [markdown]
# After biases of -3, no ReLU comes back: what is left says 50% to everything. Leaky ReLUs and ELUs learn the moons in
# all five networks.
#
# Three steps at a rate of 5 kill 12 to 26 of the 32 ReLUs, and training kills a few more, but those that live are
# often enough: three networks in five still get all of the moons right. With leaky ReLUs all five do. With ELUs, whose
# slope below 0 is e^z, three do: in the other two the parameters were thrown to a norm above 1,000, which 600 small
# steps do not mend; in one of them some units are even dead, for below z = -745 e^z is 0 in floats. No activation
# makes a rate good that is too high.
#
# And death is not for ever. A unit is dead for the data it sees: others may wake it. In the second layer it may come
# back in training, when the first layer, which feeds it, changes.

# %%
woken: list[str] = []
for seed in range(2 if quick else 10):
    model = nn.MLP(2, [16, 16, 1], activation="relu", rng=seed)
    before_training = set(nn.dead_units(model, X).total.dead)
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.02))
    for _ in range(600):
        step(X, y)
    still_dead = set(nn.dead_units(model, X).total.dead)
    woken += [f"seed {seed}: {unit}" for unit in sorted(before_training - still_dead)]
print("dead before training, alive after it:", *woken, sep="\n  ")

still = damaged("relu", "biases of -3", 0)
for_moons = len(nn.dead_units(still, X).total.dead)
for_larger = len(nn.dead_units(still, 10 * X).total.dead)
print(f"biases of -3: {for_moons} units are dead for the moons, {for_larger} for moons ten times as large")

# %% [markdown]
# ## Exercises
# 1. Halve the hidden weights of twenty layers of ReLUs. The gradients of the first and the last hidden layer by their
#    weights keep their ratio to the last digit, while that of the gradients by their biases falls by 2^19. Why?
# 2. The signal of a tanh cannot explode. What do weights of U(-1, 1) do in twenty layers of 32 of them? Ask
#    `nn.saturation` about the outputs, `gradients` about the way back.
# 3. Wake the dead: set the biases of -3 to 0 and train on. How many of the moons are right?
#
# ## Where it lives
# `nn/init.py` (Xavier, He, LeCun, orthogonal), `nn/diagnostics.py` (`gradient_report`, `dead_units`, `saturation`),
# `nn/containers.py` (`Residual`), `nn/normalization.py` (`BatchNorm`, `LayerNorm`), `autograd/activations.py`.
