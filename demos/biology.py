"""From a nerve cell to arithmetic: the units of 1943 and 1958, what one of them cannot do, where the likeness ends."""

# %% [markdown]
# # From biology to arithmetic
#
# An artificial neuron borrows its words from the nerve cell:
#
# | nerve cell | what it does            | arithmetic             |
# |------------|-------------------------|------------------------|
# | dendrites  | receive signals         | inputs x[0], x[1], ... |
# | synapses   | pass them on, weighted  | weights w[0], w[1], ...|
# | soma       | adds up what arrives    | z = b + sum w[i] x[i]  |
# | threshold  | fires, or does not      | activation f, bias b   |
# | axon       | carries the signal away | output f(z)            |
#
# A threshold t and a bias b are one thing written twice: w x >= t says the same as b + w x >= 0 with b = -t.

# %%
from itertools import permutations, product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.lessons import settings

quick, folder = settings()

# %%
fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
arrow = {"arrowstyle": "-|>", "color": "black"}
for i, y in enumerate((1.0, 0.0, -1.0)):
    ax.annotate("", (2.55, 0.25 * y), (0.2, y), arrowprops=arrow)
    ax.text(0.1, y, f"x[{i}]", ha="right", va="center", size=13)
    ax.text(1.2, 0.68 * y + 0.12, f"w[{i}]", ha="center", color="tab:blue", size=13)
for x, text in ((3.0, "Σ"), (5.0, "f")):
    ax.text(x, 0, text, ha="center", va="center", size=20, bbox={"boxstyle": "circle,pad=0.4", "fc": "white"})
ax.annotate("", (4.55, 0), (3.45, 0), arrowprops=arrow)
ax.annotate("", (6.7, 0), (5.45, 0), arrowprops=arrow)
ax.annotate("", (3.0, -0.45), (3.0, -1.0), arrowprops=arrow)
ax.text(3.0, -1.2, "b", ha="center", color="tab:blue", size=13)
ax.text(4.0, 0.1, "z", ha="center", size=13)
ax.text(6.8, 0, "f(z)", va="center", size=13)
for x, name in ((0.0, "dendrites"), (1.2, "synapses"), (3.0, "soma"), (5.0, "threshold"), (6.5, "axon")):
    ax.text(x, 1.5, name, ha="center", style="italic", color="dimgray", size=12)
ax.set(xlim=(-0.7, 7.6), ylim=(-1.4, 1.8), aspect="equal")
ax.axis("off")
fig.savefig(folder / "biology-neuron.png", dpi=150)
print("picture:", folder / "biology-neuron.png")

# %% [markdown]
# ## 1943: McCulloch and Pitts
#
# The first artificial neuron. Inputs and output are 0 or 1, every exciting input counts the same, nothing is learned:
# the unit fires if at least `threshold` exciting inputs are on. One inhibiting input that is on forbids it: a veto.
# This is logic, and its truth tables show it.

# %%
gates = {
    "AND": nn.McCullochPitts(excitatory=2, threshold=2, label="AND"),
    "OR": nn.McCullochPitts(excitatory=2, threshold=1, label="OR"),
    "NOT": nn.McCullochPitts(inhibitory=1, threshold=0, label="NOT"),
    "majority": nn.McCullochPitts(excitatory=3, threshold=2, label="majority"),
    "a and not b": nn.McCullochPitts(excitatory=1, inhibitory=1, threshold=1, label="a and not b"),
}
truth = {}
for name, unit in gates.items():
    truth[name] = {x: unit(x) for x in product((0, 1), repeat=unit.excitatory + unit.inhibitory)}
    print(f"{name:12}", "  ".join(f"{''.join(map(str, x))}: {out}" for x, out in truth[name].items()))

# %% [markdown]
# ## What one unit cannot do
#
# Exclusive or, XOR, is 1 if exactly one of two inputs is. Try all units of two inputs: each input excites, inhibits
# or is left out. Then let the weights be any numbers, positive or negative, and try a grid of them.

# %%
corners = list(product((0, 1), repeat=2))  # 00, 01, 10, 11
AND, OR, XOR = (0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0)

by_units = set()
for excite, inhibit, threshold in product([(), (0,), (1,), (0, 1)], [(), (0,), (1,), (0, 1)], range(4)):
    if excite or inhibit:
        unit = nn.McCullochPitts(len(excite), len(inhibit), threshold)
        by_units.add(tuple(unit([x[i] for i in excite + inhibit]) for x in corners))

by_weights = set()
for w0, w1, b in product(np.linspace(-2, 2, 9), repeat=3):
    by_weights.add(tuple(int(b + w0 * x0 + w1 * x1 >= 0) for x0, x1 in corners))

missing = sorted(set(product((0, 1), repeat=4)) - by_weights)
print("of the 16 functions of two bits")
print(f"  McCulloch-Pitts units compute {len(by_units)}; XOR among them: {XOR in by_units}")
print(f"  units with weights compute {len(by_weights)}; XOR among them: {XOR in by_weights}")
print(f"  without, as outputs for 00, 01, 10, 11: {missing}")

# %% [markdown]
# A grid proves nothing about the numbers between its points; four inequalities do. XOR asks for
#
#     b < 0      b + w0 >= 0      b + w1 >= 0      b + w0 + w1 < 0
#
# The two in the middle add up to 2 b + w0 + w1 >= 0, the two outer ones to 2 b + w0 + w1 < 0. No numbers do both.
#
# Two layers can: OR, unless AND forbids it.

# %%
either, both = gates["OR"], gates["AND"]
unless = gates["a and not b"]


def xor(x: Any) -> Any:
    return unless([either(x), both(x)])


xor_found = tuple(xor(x) for x in corners)
print("two layers, for 00, 01, 10, 11:", xor_found)

fired = xor([Value(1, label="a"), Value(0, label="b")])
try:
    print("picture:", autograd.render(fired, folder / "biology-xor.png"))
except RuntimeError as error:  # neither `dot` nor pygraphviz is there
    print("no picture of the graph:", error)

# %% [markdown]
# ## 1958: Rosenblatt's perceptron
#
# It is not a McCulloch-Pitts unit: its weights are any numbers, and they are learned. Nor has it a hidden layer. After
# each mistake the weights move towards the sample or away from it, w += y x and b += y with y = 1 or -1.
#
# If some (w, b) of length 1 keeps all samples at least gamma away from the line, and no (x, 1) is longer than R, then
# there are at most (R / gamma)^2 mistakes, ever (Novikoff, 1962). The widest lines for AND and OR are known.

# %%
R = max(np.linalg.norm([*x, 1]) for x in corners)
widest = {"AND": (AND, (2, 2, -3)), "OR": (OR, (2, 2, -1))}  # name: labels, w0, w1, b
bounds, fits, most, lines = {}, {}, {}, {}
for name, (labels, line) in widest.items():
    sides = [(1 if label else -1) * np.dot(line, [*x, 1]) for x, label in zip(corners, labels, strict=True)]
    gamma = min(sides) / np.linalg.norm(line)
    bounds[name] = (R / gamma) ** 2
    perceptron = nn.Perceptron(2)
    fits[name] = perceptron.fit(corners, labels)
    lines[name] = [*(w.data for w in perceptron.w), perceptron.b.data]
    totals = []
    for order in permutations(range(4)):
        totals.append(nn.Perceptron(2).fit([corners[i] for i in order], [labels[i] for i in order]).total)
    most[name] = max(totals)
    print(f"{name:4} mistakes in each epoch {fits[name].mistakes}: {fits[name].total} in all")
    print(
        f"     at most {bounds[name]:.0f} by the theorem; the most in any order of the samples: {most[name]}"
    )

# %% [markdown]
# For XOR there is no such line, so no bound, and the perceptron never comes to rest. Nor do its weights grow: they
# come back to where they were before, and from there everything repeats for ever.

# %%
visited: list[list[float]] = []  # w[0], w[1], b after 1, 2, 3, ... epochs
perceptron = nn.Perceptron(2)
while True:
    fits["XOR"] = perceptron.fit(corners, XOR, epochs=len(visited) + 1)
    lines["XOR"] = [*(w.data for w in perceptron.w), perceptron.b.data]
    if lines["XOR"] in visited:
        break
    visited.append(lines["XOR"])
back = visited.index(lines["XOR"]) + 1
print(f"XOR  mistakes in each epoch {fits['XOR'].mistakes}, converged: {fits['XOR'].converged}")
print(f"     w[0], w[1], b after {fits['XOR'].epochs} epochs are those after {back}: {lines['XOR']}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained", sharey=True)
for ax, (name, labels) in zip(axes, (("AND", AND), ("OR", OR), ("XOR", XOR)), strict=True):
    w0, w1, b = lines[name]
    across, up = np.meshgrid(np.linspace(-0.5, 1.5, 200), np.linspace(-0.5, 1.5, 200))
    ax.contourf(across, up, b + w0 * across + w1 * up, levels=[0, 9], colors=["lightblue"])
    for (x0, x1), label in zip(corners, labels, strict=True):
        ax.plot(x0, x1, "o", mfc="black" if label else "white", mec="black", ms=10)
    wrong = sum(
        (b + w0 * x0 + w1 * x1 >= 0) != label for (x0, x1), label in zip(corners, labels, strict=True)
    )
    ax.set(title=f"{name}: {wrong} of 4 wrong", xlabel="x[0]", xticks=[0, 1], yticks=[0, 1], aspect="equal")
axes[0].set_ylabel("x[1]")
fig.suptitle("Perceptrons after learning: filled points belong in the shaded half or on its edge")
fig.savefig(folder / "biology-perceptron.png", dpi=150)
print("picture:", folder / "biology-perceptron.png")

# %% [markdown]
# ## Where the likeness ends
#
# A nerve cell answers with spikes: each is all or nothing, the same height for a weak input as for a strong one. What
# changes is how often they come. The simplest model of it leaks, integrates and fires:
#
#     tau dV/dt = I - V        a spike when V reaches 1; then V = 0, and 2 ms of rest
#
# For a steady input I its rate has a closed form: 1 / (rest + tau ln(I / (I - 1))) if I > 1, and else 0.

# %%
tau, rest, dt, duration = 20.0, 2.0, 0.05, 1000.0  # milliseconds


def membrane(current: float) -> tuple[list[float], list[float]]:
    """The voltage at each step, and the times of the spikes."""
    v, wake, voltages, spikes = 0.0, 0.0, [], []
    for step in range(round(duration / dt)):
        t = step * dt
        if t >= wake:
            v = current + (v - current) * np.exp(-dt / tau)  # exact for a steady current
        if v >= 1.0:
            v, wake = 0.0, t + rest
            spikes.append(t)
        voltages.append(v)
    return voltages, spikes


rates = {}
print("input   spikes in a second   closed form   sigmoid(input)")
for current in (0.5, 0.9, 1.1, 1.5, 2.0, 4.0):
    _, spikes = membrane(current)
    exact = 1000 / (rest + tau * np.log(current / (current - 1))) if current > 1 else 0.0
    rates[current] = (len(spikes), exact)
    print(f"{current:5.1f} {len(spikes):20d} {exact:13.1f} {autograd.sigmoid(current):16.3f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", width_ratios=[3, 2])
for height, current in enumerate((1.1, 1.5, 4.0)):
    voltages, spikes = membrane(current)
    shown = np.arange(0, 200, dt)
    axes[0].plot(shown, 2.2 * height + np.array(voltages[: len(shown)]), color="tab:blue", lw=1)
    axes[0].vlines([t for t in spikes if t < 200], 2.2 * height + 1, 2.2 * height + 1.8, color="black", lw=1)
axes[0].set_yticks([0.5, 2.7, 4.9], ["I = 1.1", "I = 1.5", "I = 4.0"])
axes[0].set(title="A leaky integrate-and-fire cell: equal spikes, more often", xlabel="time in ms")
steady = np.linspace(-20, 20, 801)
rate = [1000 / (rest + tau * np.log(i / (i - 1))) if i > 1 else 0.0 for i in steady]
axes[1].plot(steady, np.array(rate) * rest / 1000, color="black", label="rate of spikes")
axes[1].plot(steady, autograd.sigmoid(steady), "--", color="tab:orange", label="sigmoid")
axes[1].set(
    title="One number instead: a rate", xlabel="input I", ylabel="share of the highest", ylim=(-0.05, 1.05)
)
axes[1].legend(loc="upper left", fontsize="small")
fig.savefig(folder / "biology-spikes.png", dpi=150)
print("picture:", folder / "biology-spikes.png")

# %% [markdown]
# An activation such as the sigmoid is a continuous number and has no time: at best it stands for a rate. More that
# the arithmetic leaves out: a nerve cell mostly either excites or inhibits, while a weight may change its sign;
# dendrites compute by themselves; and that brains learn by backpropagation is not known. "Neural" is a metaphor
# that was useful; from here on it is arithmetic.
#
# ## Exercises
#
# 1. Build NAND, which is 0 for two ones alone, of two McCulloch-Pitts units; then XOR of nothing but NANDs.
# 2. How many of the 256 functions of three bits does one unit with weights compute?
# 3. Give XOR a third input, x[0] x[1]. Does the perceptron converge now, and within which bound?
#
# ## Where it lives
#
# `nn/neuron.py`: `McCullochPitts`, `Perceptron` and its `fit`.
