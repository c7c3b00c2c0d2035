"""One artificial neuron by hand: the weighted sum, the activation, its gradients, and what the bias is for."""

# %% [markdown]
# # The artificial neuron
#
#     z = b + w[0] x[0] + w[1] x[1] + w[2] x[2]        out = f(z)
#
# Three inputs, three weights, a bias, an activation. First plain numbers.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.lessons import settings

quick, folder = settings()

x = [0.5, 0.8, 0.2]
w = [0.4, -0.6, 0.9]
b = 0.1

terms = [wi * xi for wi, xi in zip(w, x, strict=True)]
z = sum(terms) + b
out = 1 / (1 + math.exp(-z))
print("terms", [round(term, 2) for term in terms])
print("z    ", z)
print("out  ", out)

# %% [markdown]
# By hand z is .20 - .48 + .18 + .10 = 0. The computer says almost 0: .1 has no finite binary expansion, as 1/3 has no
# decimal one, and each product and sum is rounded. The order of the terms decides which remainder is left over.

# %%
orders = {
    "sum(terms) + b": sum(terms) + b,
    "b + sum(terms)": ((b + terms[0]) + terms[1]) + terms[2],
    "math.fsum, exact sum": math.fsum([*terms, b]),
}
for how, total in orders.items():
    print(f"{how:22} {total:9.2e}")

# %% [markdown]
# ## The same, remembered
#
# A `Neuron` does this with `Value`s, numbers that remember how they were made. `explain` writes the computation out.

# %%
neuron = nn.Neuron(3, activation="sigmoid", label="neuron")
for weight, start in zip(neuron.w, w, strict=True):
    weight.data = start
neuron.b.data = b
print(neuron.explain(x))

# %%
inputs = [Value(number, label=f"x[{i}]") for i, number in enumerate(x)]
output = neuron(inputs)
output.label = "out"
can_draw = True
try:
    print("picture:", autograd.render(output, folder / "neuron-before-backward.png"))
except RuntimeError as missing:  # neither `dot` nor pygraphviz is there
    can_draw = False
    print("no pictures of graphs:", missing)

# %% [markdown]
# ## Who is to blame?
#
# How does the output move if one number moves a little? The chain rule says it, from the output back:
#
#     d out / dz = out (1 - out) = .5 * .5 = .25
#     d out / dw[i] = .25 x[i]      d out / db = .25      d out / dx[i] = .25 w[i]
#
# A weight's gradient is its input, scaled: a weight whose input is 0 had no part in the output, and gets no blame.

# %%
output.backward()
dw = [weight.grad for weight in neuron.w]
db = neuron.b.grad
dx = [v.grad for v in inputs]
print("i       ", "   ".join(f"{i:6}" for i in range(3)))
print("d out/dw", "   ".join(f"{g:+.3f}" for g in dw))
print("d out/dx", "   ".join(f"{g:+.3f}" for g in dx))
print("d out/db", f"{db:+.3f}")
if can_draw:
    print("picture:", autograd.render(output, folder / "neuron-after-backward.png"))

# %% [markdown]
# Trust, but verify: move one weight by a hair, both ways, and see how far the output moves.

# %%
h = 1e-6
measured = []
for i in range(3):
    up = [wi + h * (i == j) for j, wi in enumerate(w)]
    down = [wi - h * (i == j) for j, wi in enumerate(w)]
    z_up, z_down = np.dot(up, x) + b, np.dot(down, x) + b
    measured.append((autograd.sigmoid(z_up) - autograd.sigmoid(z_down)) / (2 * h))
    print(f"w[{i}]: backward {dw[i]:+.6f}, measured {measured[i]:+.6f}")

# %% [markdown]
# ## One step of learning
#
# The output should have been 1. Each number moves a little against the gradient of the squared error, and the next
# output is closer.

# %%
error = nn.mse(neuron(x), 1.0)
neuron.zero_grad()
error.backward()
for p in neuron.parameters():
    p.data -= 0.5 * p.grad
after = neuron(x).data
print(f"output before {output.data:.3f}, after one step {after:.3f}, wanted 1")

# %% [markdown]
# ## What a missing bias costs
#
# Without b every neuron's z is 0 where all inputs are 0, whatever the weights: a sigmoid says .5 there, and a line of
# decision must run through the origin. Two clouds of points that lie on the same side of the origin show the price.
# The best line with a bias separates them; the best without cannot.

# %%
rng = np.random.default_rng(0)
centres = np.array([[1.0, 1.0], [2.5, 2.5]])
y = np.repeat([0, 1], 100)
points = centres[y] + rng.normal(0.0, 0.3, (200, 2))

accuracy, losses, trained = {}, {}, {}
for bias in (True, False):
    model = nn.Neuron(2, activation="identity", bias=bias, init="zeros")
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.1))
    for _ in range(300 if quick else 2000):
        loss = step(points, y)
    scores = autograd.compile(model, batch=True)(points)
    losses[bias] = loss
    accuracy[bias] = float(np.mean((scores > 0) == y))
    trained[bias] = [*(v.data for v in model.w), model.b.data if bias else 0.0]
    print(f"{'with' if bias else 'without':7} bias: loss {losses[bias]:.3f}, right {accuracy[bias]:.1%}")

# %% [markdown]
# More training does not help the second: its loss has a single lowest point, and it is there. Nor does any other
# direction: turn a line through the origin all the way round and count.

# %%
angles = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
turned = points @ np.array([np.cos(angles), np.sin(angles)])
rights = np.mean((turned > 0) == y[:, None], axis=0)
best_without = float(rights.max())
print(f"the best of {len(angles):,} lines through the origin has {best_without:.1%} right")

# %%
fig, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for label, marker, colour in ((0, "o", "tab:blue"), (1, "s", "tab:orange")):
    ax.plot(*points[y == label].T, marker, color=colour, mec="white", label=f"class {label}")
across = np.linspace(-0.5, 3.8, 2)
for bias, style in ((True, "-"), (False, "--")):
    w0, w1, offset = trained[bias]
    name = f"{'with' if bias else 'without'} bias: {accuracy[bias]:.1%} right"
    ax.plot(across, -(w0 * across + offset) / w1, style, color="black", label=name)
ax.plot(0, 0, "+", color="black", ms=12)
ax.set(xlim=(-0.5, 3.8), ylim=(-0.5, 3.8), xlabel="x[0]", ylabel="x[1]", aspect="equal")
ax.set_title("One neuron, with and without a bias")
ax.legend(loc="lower right")
fig.savefig(folder / "neuron-bias.png", dpi=150)
print("picture:", folder / "neuron-bias.png")

# %% [markdown]
# ## Exercises
#
# 1. Give the neuron the activation tanh instead. What are its output and its gradients, before you run it?
# 2. Find inputs of length 1 that make the output as large as possible. What have they to do with the weights?
# 3. Do without the bias, but give every sample one more input that is always 1. What is its weight?
#
# ## Where it lives
#
# `nn/neuron.py`: `Neuron`. `autograd/operators.py`: `dot`, its weighted sum. `autograd/draw.py`: its picture.
