"""Activation functions: all of them with their slopes, what to look for in one, and what a net is without any."""

# %% [markdown]
# # Activation functions
#
# What a neuron makes of its weighted sum: out = f(z). The library has a table of them. Each row makes claims: the
# range of the outputs, whether f is odd (zero-centred: inputs spread evenly around 0 give outputs that are), whether it
# never falls, and where it has kinks or jumps. The claims can be measured.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from demos.lessons import settings
from nn.activations import ACTIVATIONS

quick, folder = settings()

scalar = [f for f in ACTIVATIONS.values() if not f.vector and f.range]  # all that make claims
vector = [f for f in ACTIVATIONS.values() if f.vector]
print(f"{len(scalar)} of one number, {len(vector)} of a whole layer: {', '.join(f.name for f in vector)}")

# %%
z = np.linspace(-8, 8, 321)
corners = np.arange(-6, 6.5, 0.5)  # where kinks may be
hair = 1e-6
slopes, steepest, disagree = {}, {}, []
print(f"{'':17} range              odd  never falls  kinks         steepest")
for f in scalar:
    slope = autograd.grad(f)
    slopes[f.name] = np.array([slope(at) for at in z.tolist()])
    outputs = np.concatenate([f(z), f(np.array([-1e6, 1e6]))])
    odd = bool(np.allclose(f(z), -f(-z)))
    never_falls = bool(np.all(np.diff(f(z)) >= 0))
    kinks = []
    for at in corners.tolist():
        bend = abs(slope(at + hair) - slope(at - hair))
        jump = abs(f(at + hair) - f(at - hair))
        if bend > 0.005 or jump > 0.005:
            kinks.append(at)
    low, high = f.range or (-math.inf, math.inf)
    inside = low <= outputs.min() and outputs.max() <= high
    for found, bound in ((outputs.min(), low), (outputs.max(), high)):  # and it comes near its bounds
        inside = inside and (abs(found - bound) < 1e-3 if math.isfinite(bound) else abs(found) > 1e3)
    if not inside or odd != f.zero_centred or never_falls != f.monotone or tuple(kinks) != f.kinks:
        disagree.append(f.name)
    steepest[f.name] = float(np.abs(slopes[f.name]).max())
    spread = f"({low:.4g}, {high:.4g})"
    told = ", ".join(f"{kink:g}" for kink in kinks) or "none"
    print(
        f"{f.name:17} {spread:18} {'yes' if odd else '-':4} {'yes' if never_falls else '-':12} {told:13}"
        f" {steepest[f.name]:.4g}"
    )
print(f"rows of the table that the measurement contradicts: {disagree or 'none'}")

# %%
fig, axes = plt.subplots(7, 6, figsize=(13, 14), layout="constrained", sharex=True)
for ax in axes.flat:
    ax.axis("off")
for ax, f in zip(axes.flat, scalar, strict=False):
    ax.axis("on")
    ax.axhline(0, color="lightgray", lw=0.8)
    ax.axvline(0, color="lightgray", lw=0.8)
    ax.plot(z, f(z), color="tab:blue", lw=2)
    ax.plot(z, slopes[f.name], "--", color="tab:orange")
    ax.set(title=f.name, xlim=(-5, 5), ylim=(-2.2, 3.2), xticks=[-3, 0, 3], yticks=[-1, 0, 1, 2])
fig.legend(axes[0, 0].lines[2:], ["f(z)", "its slope"], loc="lower right", fontsize="x-large")
fig.savefig(folder / "activations-all.png", dpi=100)
print("picture:", folder / "activations-all.png")

# %% [markdown]
# ## Saturation
#
# A sigmoid is flat at both ends: there it passes almost no gradient on. And it is never steep, 1/4 at most, so that
# ten in a row pass on at most 1/4^10. tanh reaches slope 1, at 0 alone. ReLU has slope 1 wherever it is on.

# %%
print("slope at z =   0        2        5        10       ten in a row, at best")
for name in ("sigmoid", "tanh", "relu", "gelu"):
    slope = autograd.grad(nn.activations.get(name))
    at = "  ".join(f"{slope(place):7.5f}" for place in (1e-9, 2.0, 5.0, 10.0))
    print(f"{name:12} {at}  {steepest[name] ** 10:.1e}")

naive = autograd.sigmoid(40.0) * (1 - autograd.sigmoid(40.0))
careful = autograd.grad(autograd.sigmoid)(40.0)
print(
    f"sigmoid(40) == 1 in floats: {autograd.sigmoid(40.0) == 1.0}; its slope as s (1 - s) is {naive:g}, in truth"
)
print(
    f"e^-40 = {math.exp(-40):.2e}; the library says {careful:.2e}, because it computes 1 - s as sigmoid(-z)"
)

# %% [markdown]
# ## Zero-centring
#
# The gradient of a weight is the neuron's gradient times the weight's input. If all inputs are positive, as the
# outputs of sigmoids are, all weights of the neuron must go up together or down together.

# %%
rng = np.random.default_rng(0)
samples = rng.normal(size=(200, 5)).tolist()
alike = {}
for name in ("sigmoid", "relu", "tanh"):
    hidden = nn.Layer(5, 4, activation=name, rng=0)
    neuron = nn.Neuron(4, activation="identity", rng=1)
    count = 0
    for x in samples:
        neuron.zero_grad()
        nn.mse(neuron(hidden(x)), rng.normal()).backward()
        gradients = [w.grad for w in neuron.w]
        count += min(gradients) >= 0 or max(gradients) <= 0
    alike[name] = count / len(samples)
    print(f"after {name:8} no two weights' gradients differ in sign for {alike[name]:.0%} of the samples")

# %% [markdown]
# ## Kinks
#
# At a kink there are two slopes, and a program must choose. Any number between them is a fair choice, and the sample
# that falls exactly there is rare. Libraries chose once; here it is PyTorch's choice.

# %%
at_kinks = {}
for name in ("relu", "leaky_relu", "relu6", "hardtanh", "hardswish"):
    f = nn.activations.get(name)
    slope = autograd.grad(f)
    for at in f.kinks or ():
        at_kinks[name, at] = slope(at)
        print(f"{name:11} at {at:2g}: slope {slope(at - hair):5.2f} before, {slope(at):5.2f} at it", end=", ")
        print(f"{slope(at + hair):5.2f} after")

# %% [markdown]
# ## A slope almost everywhere is not enough
#
# The step function has a derivative everywhere but at 0. It is 0. So gradient descent stands still, on a task as simple
# as AND, while the sigmoid learns it.

# %%
X, AND = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 0.0, 0.0, 1.0]
first, last, moved = {}, {}, {}
for name in ("step", "sigmoid"):
    neuron = nn.Neuron(2, activation=name, init="ones")
    optimizer = nn.SGD(neuron.parameters(), lr=1.0)
    begin = [p.data for p in neuron.parameters()]
    for step in range(300):
        loss = nn.mse([neuron(x) for x in X], AND)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 0:
            first[name] = loss.data
    last[name] = loss.data
    moved[name] = max(abs(p.data - at) for p, at in zip(neuron.parameters(), begin, strict=True))
    print(
        f"{name:8} loss {first[name]:.3f} -> {last[name]:.3f}; a parameter moved by up to {moved[name]:.3f}"
    )

# %% [markdown]
# ## Said of them, and not quite so
#
# - GELU is not random. It is z Phi(z), Phi the distribution function of the normal distribution: what is left on
#   average of z if it is dropped with probability 1 - Phi(z). It goes down to -0.17, not to minus infinity.
# - ReLU is older than the deep networks of 2010, and depth needed more than ReLU: initialisation, normalisation, skips.
# - Not only weights are learned: biases are, and a PReLU learns the slope of its activation.

# %%
gelu = nn.activations.get("gelu")
phi = [0.5 * math.erfc(-at / math.sqrt(2)) for at in z.tolist()]
gelu_error = float(np.abs(gelu(z) - z * phi).max())
lowest_at = -1.0
for _ in range(500):  # downhill to the lowest point
    lowest_at -= 0.5 * autograd.grad(gelu)(lowest_at)
lowest = gelu(lowest_at)
print(f"gelu(z) - z Phi(z) is at most {gelu_error:.0e}; lowest output {lowest:.5f}, at z = {lowest_at:.5f}")
print("ReLU:", nn.activations.get("relu").source)
print("a PReLU neuron's parameters:", [p.label for p in nn.Neuron(2, activation="prelu").parameters()])

# %% [markdown]
# ## Of a whole layer
#
# Softmax makes numbers into shares: positive, with sum 1. A constant added to all of them changes nothing, so it can be
# computed without overflow; the temperature makes it bolder or more cautious.

# %%
scores = [2.0, 1.0, 0.1]
for temperature in (0.1, 1.0, 10.0):
    print(
        f"temperature {temperature:4g}:", [round(p, 4) for p in nn.activations.softmax(scores, temperature)]
    )
shares = nn.activations.softmax(scores)
shifted = nn.activations.softmax([s + 1000 for s in scores])
print(
    f"sum {sum(shares):.15g}; with 1000 added the shares differ by {max(abs(np.subtract(shares, shifted))):.0e}"
)

# %% [markdown]
# ## Without any
#
# W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2): linear layers in a row are one linear layer, however many. Here are
# four, and the one that does the same.

# %%
deep = nn.MLP(2, [8, 8, 8, 1], activation="identity", rng=0)
one = nn.collapse_linear(deep)
collapse_error = max(abs(deep(x).data - one(x).data) for x in X)
sizes = deep.count_parameters(), one.count_parameters()
print(f"{sizes[0]} parameters do what {sizes[1]} do; their outputs differ by {collapse_error:.0e}")

# %% [markdown]
# So depth without activations cannot fit XOR: the best linear answer is 1/2 everywhere, with squared error 1/4. Least
# squares says so exactly, and training ends there. With tanh between the layers the error goes to 0.

# %%
XOR = [0.0, 1.0, 1.0, 0.0]
table = np.column_stack([X, np.ones(4)])
solution = np.linalg.lstsq(table, np.array(XOR), rcond=None)[0]
best = float(np.mean((table @ solution - XOR) ** 2))
print(f"least squares: w = {np.round(solution[:2], 12) + 0}, b = {solution[2]:.3f}, squared error {best:.6f}")

seeds, steps = (2, 300) if quick else (10, 1000)
errors: dict[str, list[float]] = {"identity": [], "tanh": []}
models = {}
for name, losses in errors.items():
    for seed in range(seeds):
        models[name] = nn.MLP(2, [8, 8, 8, 1], activation=name, rng=seed)
        train = nn.train_step(models[name], nn.mse, nn.Adam(models[name].parameters(), lr=0.01))
        for _ in range(steps):
            error = train(np.array(X), np.array(XOR))
        losses.append(error)
    print(
        f"{name:8} squared error after {steps} steps, {seeds} seeds: {min(losses):.2e} to {max(losses):.2e}"
    )

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
across = np.linspace(-0.5, 1.5, 60)
plane = np.stack(np.meshgrid(across, across), axis=-1)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    found = autograd.compile(model, batch=True)(plane.reshape(-1, 2)).reshape(60, 60)
    shades = ax.contourf(across, across, found, levels=np.linspace(-0.5, 1.5, 22), cmap="PuOr", extend="both")
    for (x0, x1), wanted in zip(X, XOR, strict=True):
        ax.plot(x0, x1, "o", mfc="black" if wanted else "white", mec="black", ms=10)
    ax.set(title=f"{name}: squared error {errors[name][-1]:.2g}", xlabel="x[0]")
    ax.set(xticks=[0, 1], yticks=[0, 1], aspect="equal")
axes[0].set_ylabel("x[1]")
fig.colorbar(shades, ax=axes, label="output; wanted: 1 at filled points", ticks=[-0.5, 0, 0.5, 1, 1.5])
fig.savefig(folder / "activations-xor.png", dpi=150)
print("picture:", folder / "activations-xor.png")

# %% [markdown]
# ## Exercises
#
# 1. Register an activation of your own, z^3, by name. Fit XOR with one hidden layer of two such neurons: choose the
#    weights, then train from ten beginnings. Does each arrive?
# 2. Where is silu lowest, and how low? Let gradient descent find it.
# 3. tanh is a sigmoid, stretched and shifted: find the formula, and explain with it why tanh is four times as steep.
#
# ## Where it lives
#
# `autograd/activations.py`: formulas and rules. `nn/activations.py`: the table, those of a layer, `get`, `register`.
# `nn/diagnostics.py`: `collapse_linear`, `dead_units`, `saturation`.
