"""One neuron shared by all places of an image: few parameters, a gradient that is a sum, patterns found anywhere."""

# %% [markdown]
# # Convolution
# A layer that reads an image as a list of pixels does not know which of them are neighbours, and what it learns about
# one corner says nothing to it about the next. A convolution is one neuron that reads a small window, and then the
# next window, with the same weights, until it has been everywhere.

# %%
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from demos.data import load_digits, split
from demos.lessons import settings

quick, folder = settings()
X, y = load_digits()
images = X.reshape(-1, 1, 8, 8) / 16  # each (channels, height, width), from 0 for white to 1 for ink

# %% [markdown]
# ## A neuron that sees edges
# Nine weights, chosen by hand, for a window of 3 x 3 pixels: what is on the right counts, less what is on the left.
# Where ink begins from left to right, the sum is positive; where it ends, negative; where all is the same, 0.

# %%
sobel = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]  # I. Sobel, G. Feldman, 1968
kernels = np.array(
    [[sobel], [np.transpose(sobel)]]
)  # left to right, top to bottom: two filters, each of one channel
edges = nn.Conv2d(1, 2, 3, init=lambda shape, rng: kernels)

digit = images[0]
maps = edges(digit)
print("image", digit.shape, "-> two maps", maps.shape, "with", edges.count_parameters(), "parameters")

left_to_right = edges.filters[0]  # it is a Neuron
window = digit[0, 1:4, 1:4]
print(left_to_right.explain(window.ravel()))
print("the same place in its map:", float(maps[0, 1, 1]))

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
axes[0].imshow(digit[0], cmap="Greys")
axes[0].plot([0.5, 3.5, 3.5, 0.5, 0.5], [0.5, 0.5, 3.5, 3.5, 0.5], color="tab:red", lw=2)  # the window
axes[0].set_title("a zero")
for ax, feature, name in zip(axes[1:], maps.astype(float), ("left to right", "top to bottom"), strict=True):
    shown = ax.imshow(feature, cmap="PuOr", vmin=-3.5, vmax=3.5)
    ax.set_title(f"from {name}")
axes[1].plot([0.5, 1.5, 1.5, 0.5, 0.5], [0.5, 0.5, 1.5, 1.5, 0.5], color="tab:red", lw=2)
fig.colorbar(shown, ax=axes[1:], label="ink ends < 0 < ink begins", shrink=0.8)
fig.suptitle("Two filters that see edges; in red the window at (1, 1) and what one makes of it")
fig.savefig(folder / "convolution-edges.png", dpi=120)
print("picture:", folder / "convolution-edges.png")

# %% [markdown]
# ## How many parameters
# A filter has as many weights as its window, and a bias, however large the image. A dense layer of the same shape has
# a neuron for each place, and each of them reads every pixel.

# %%
one = nn.Conv2d(1, 1, 3)
shared_count = one.count_parameters()
dense_counts = {}
for size in (8, 28, 224):
    places = (size - 2) ** 2
    dense_counts[size] = places * (size * size + 1)
    print(
        f"{size:3} x {size:3} pixels: convolution {shared_count}, dense {dense_counts[size]:13,} parameters"
    )

# %% [markdown]
# Still, the convolution is such a dense layer: one with most of its weights 0, and all others copies of the same
# nine. Let us make it.

# %%
dense = nn.Layer(64, 36, activation="identity", init="zeros")
pixels = np.arange(64).reshape(8, 8)
read = [pixels[i : i + 3, j : j + 3].ravel() for i, j in np.ndindex(6, 6)]  # which pixels each place reads
for neuron, window in zip(dense.neurons, read, strict=True):
    for pixel, w in zip(window, left_to_right.w, strict=True):
        neuron.w[pixel].data = w.data

matrix = np.array([[w.data for w in neuron.w] for neuron in dense.neurons])
reached = np.zeros(matrix.shape, dtype=bool)
for row, window in enumerate(read):
    reached[row, window] = True
dense_differs = max(
    abs(float(a) - float(b)) for a, b in zip(dense(digit.ravel()), maps[0].ravel(), strict=True)
)
print(f"dense: {dense.count_parameters():,} parameters, of its weights {1 - reached.mean():.0%} always 0")
print(f"its outputs differ from the convolution's by at most {dense_differs:.0e}")

# %%
fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
shown = ax.imshow(np.where(reached, matrix, np.nan), cmap="PuOr", vmin=-2.5, vmax=2.5)
ax.set(
    title="A convolution as a dense layer: its weights, 0 where it is white", xlabel="pixel", ylabel="place"
)
fig.colorbar(shown, label="weight", shrink=0.8)
fig.savefig(folder / "convolution-dense.png", dpi=120)
print("picture:", folder / "convolution-dense.png")

# %% [markdown]
# ## The shared gradient
# A weight that is used at 36 places gets 36 gradients, and they add up: that is all that "weight sharing" means for
# backpropagation, and no code was written for it. With g(i, j) for the gradient of the map at (i, j):
#
#     dL/dw[k, m] = sum over i, j of g(i, j) x[i + k, j + m]        dL/db = sum over i, j of g(i, j)
#
# Three ways to the same nine numbers: by `backward`, by the sum, and from the dense layer, copy by copy.

# %%
rng = np.random.default_rng(0)
wanted = rng.normal(size=36)

loss = nn.mse([*maps[0].ravel()], wanted)
loss.backward()
by_backward = np.array([w.grad for w in left_to_right.w])

g = np.array([v.grad for v in maps[0].ravel()]).reshape(6, 6)
by_sum = np.array([np.sum(g * digit[0, k : k + 6, m : m + 6]) for k, m in np.ndindex(3, 3)])

nn.mse(dense(digit.ravel()), wanted).backward()
of_copies = np.array(
    [[neuron.w[p].grad for p in window] for neuron, window in zip(dense.neurons, read, strict=True)]
)

with np.printoptions(precision=4, suppress=True):
    print("by backward\n", by_backward.reshape(3, 3))
    print("of the weight in the middle, place by place\n", of_copies[:, 4].reshape(6, 6))
shared_differs = max(abs(by_backward - by_sum).max(), abs(by_backward - of_copies.sum(axis=0)).max())
print(f"the three ways differ by at most {shared_differs:.0e}")

# %% [markdown]
# ## When the image moves
# As one neuron serves all places, a shifted image gives a shifted map: shift, then convolve, is convolve, then shift.
# To see it without a border in the way, the zero stands on a larger sheet.

# %%
sheet = np.zeros((1, 14, 14))
sheet[0, 2:10, 2:10] = digit[0]


def shift(image: Any, down: int, right: int) -> Any:
    """The image moved; what leaves it comes in again on the other side, which here is blank."""
    return np.roll(image, (down, right), axis=(-2, -1))


def apart(a: Any, b: Any) -> float:
    """The largest difference of two maps."""
    return float(np.abs(np.subtract(a, b).astype(float)).max())


flat = nn.Sequential(nn.Flatten(), nn.Layer(196, 144, activation="identity", rng=0))  # dense, any weights
pooled = nn.Sequential(edges, nn.MaxPool(2))
anywhere = nn.Sequential(edges, nn.MaxPool())  # the largest number of each whole map


def as_map(image: Any) -> Any:
    return np.reshape(flat(image), (1, 12, 12))


moved = {
    "convolution, 1 down and 2 right": apart(edges(shift(sheet, 1, 2)), shift(edges(sheet), 1, 2)),
    "dense layer, 1 down and 2 right": apart(as_map(shift(sheet, 1, 2)), shift(as_map(sheet), 1, 2)),
    "convolution and MaxPool(2), 2 right": apart(pooled(shift(sheet, 0, 2)), shift(pooled(sheet), 0, 1)),
    "convolution and MaxPool(2), 1 right": min(
        apart(pooled(shift(sheet, 0, 1)), shift(pooled(sheet), 0, by)) for by in (0, 1)
    ),
    "convolution and MaxPool(), 1 down and 2 right": apart(anywhere(shift(sheet, 1, 2)), anywhere(sheet)),
}
print("how far the output of the moved image is from the moved output")
for name, most in moved.items():
    print(f"  {name:46}{most:g}")

# %% [markdown]
# The convolution is equivariant: its map moves along, exactly. Pooling over windows of 2 x 2 is so for steps of 2; in
# between it is neither that nor unmoved. Pooling over the whole map is invariant: whether there is an edge, not
# where.
#
# ## Does it pay? A small CNN and an MLP on the digits
# Two convolutions, each with ReLUs and a pooling, and a dense layer to the ten classes; against an MLP with one
# hidden layer and as many parameters. Same data, same optimiser, same number of steps; several seeds, which draw the
# weights, the order of the samples, and which quarter of the digits is held out.


# %%
def cnn(seed: int, first: int, second: int) -> Any:
    """Two convolutions with this many filters."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1, activation="relu", rng=rng),  # (first, 8, 8)
        nn.MaxPool(2),  # (first, 4, 4)
        nn.Conv2d(first, second, 3, padding=1, activation="relu", rng=rng),  # (second, 4, 4)
        nn.MaxPool(2),  # (second, 2, 2)
        nn.Flatten(),
        nn.Layer(4 * second, 10, activation="identity", rng=rng),
    )


def mlp(seed: int, hidden: int) -> Any:
    layers = nn.MLP(64, [hidden, 10], activation="relu", output_activation="identity", rng=seed)
    return nn.Sequential(nn.Flatten(), layers)


def learned(model: Any, seed: int, epochs: int) -> tuple[float, float]:
    """Train it; its accuracy on held-out digits, and on the same, each moved by one pixel in four directions."""
    X_train, X_test, y_train, y_test = split(images, y, rng=seed)
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    step = nn.train_step(model, nn.cross_entropy, optimizer)
    batches = nn.DataLoader(X_train, y_train, batch_size=32, rng=seed)
    schedule = nn.schedules.Cosine(optimizer, epochs * len(batches))
    for _ in range(epochs):
        for X_batch, y_batch in batches:
            step(X_batch, y_batch)
            schedule.step()
    forward = autograd.compile(model, batch=True)
    wide = np.pad(X_test, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = [wide[:, :, i : i + 8, j : j + 8] for i, j in ((0, 1), (2, 1), (1, 0), (1, 2))]
    return (
        nn.metrics.accuracy(forward(X_test), y_test),
        mean(nn.metrics.accuracy(forward(part), y_test) for part in shifted),
    )


print(cnn(0, 6, 12).summary(images[0]))

# %%
seeds, epochs = (1, 3) if quick else (5, 25)
sizes = (
    {(6, 12): 16} if quick else {(6, 12): 16, (12, 24): 49}
)  # filters of the CNN: hidden neurons of the MLP
counts, accuracies = {}, {}
print(f"{'mean (least to most), seeds: ' + str(seeds):43}{'held out':25}moved by one pixel")
for (first, second), hidden in sizes.items():
    models: dict[str, Any] = {}
    for name in (f"CNN, {first} and {second} filters", f"MLP, {hidden} hidden"):
        found = []
        for seed in range(seeds):
            models[name] = cnn(seed, first, second) if name.startswith("CNN") else mlp(seed, hidden)
            found.append(learned(models[name], seed, epochs))
        counts[name], accuracies[name] = models[name].count_parameters(), found
        cells = [f"{mean(a):.1%} ({min(a):.1%} to {max(a):.1%})" for a in zip(*found, strict=True)]
        print(f"{name:22}{counts[name]:6,} parameters  {cells[0]:25}{cells[1]}")
    ours, theirs = (np.array(accuracies[name]) for name in models)
    wins = (ours > theirs).sum(axis=0)
    print(f"{'  the CNN is ahead in':43}{f'{wins[0]} of {seeds}':25}{wins[1]} of {seeds}")
    model = models[f"CNN, {first} and {second} filters"]

# %% [markdown]
# What came out over five seeds: with 1,210 parameters each, the spread on held-out digits is larger than the
# difference; with 3,700 the CNN is about a point ahead. These digits stand in the middle of their 8 x 8 pixels, so
# there is little to gain from finding a stroke anywhere. Move them by one pixel, and the difference is large: the MLP
# is right less than every second time, the CNN six or seven times in ten. It has not seen a moved digit either; nor
# is it invariant, for its last layer is dense, and knows places.
#
# What the first filters of the last CNN have become, and what they make of a zero:

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
nn.plots.filters(model.layers[0], ax=axes[0]).set_title("the first filters", loc="left")
nn.plots.feature_maps(model.layers[0], digit, ax=axes[1]).set_title("what they make of a zero", loc="left")
fig.savefig(folder / "convolution-learned.png", dpi=120)
print("picture:", folder / "convolution-learned.png")

# %% [markdown]
# ## Exercises
# 1. Which nine weights move an image by one pixel to the right? Try it with `padding=1`.
# 2. Two convolutions of 3 x 3 in a row, without an activation between, are one of 5 x 5. Find its kernel.
# 3. How many parameters has the small CNN for images of 16 x 16 pixels? Which layers have grown? Which have not, and
#    what stands in for `Flatten` if none is to grow?
#
# ## Where it lives
# `nn/convolution.py`: `Conv2d`, whose `filters` are Neurons, `MaxPool`, `AvgPool`, `Flatten`.
