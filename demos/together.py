"""Parts put together: a CNN that feeds a GRU, a ViT from its pieces, a table of all, and where a model goes next."""

# %% [markdown]
# # Putting them together
# A module is what has parameters and can be called, and a module may hold modules. So anything that has been shown
# fits into anything else: this lesson feeds a GRU by a CNN, puts a ViT together from its pieces, compares what the
# lessons have shown on one task, and takes a trained model onward.

# %%
import time
from importlib.util import find_spec
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_digits, split
from demos.lessons import settings

quick, folder = settings()
X, y = load_digits()
images = X.reshape(-1, 8, 8) / 16

# %% [markdown]
# ## A CNN feeds a GRU
# A strip of digits, to be read from left to right; at each of them the question is which has been the largest so far.
# For that one has to see and to remember. Convolutions see the strokes, wherever they are; what they make of the strip
# is a sequence of columns, two for each digit, and a GRU reads them one after the other. Text in photographs is read
# like that (B. Shi and others, 2015, with LSTMs).
#
# To compare, the same without the GRU: it sees the digit where it stands, and has to guess what came before. After k
# digits that it does not know none was larger than d with probability ((d + 1) / 10)^k, and there was a 9 among them
# with 1 - (9 / 10)^k: whichever is more likely, d or 9, is the best guess.


# %%
class StripReader(nn.Module):
    """Logits for the largest digit so far, at each digit of a strip (8, 8 n)."""

    def __init__(self, hidden: int, rng: Any, gru: bool = True) -> None:
        self.see = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, activation="relu", rng=rng),  # (8, 8, 8 n)
            nn.MaxPool(2),  # (8, 4, 4 n)
            nn.Conv2d(8, 12, 3, padding=1, activation="relu", rng=rng),  # (12, 4, 4 n)
            nn.MaxPool(2),  # (12, 2, 2 n)
        )
        self.read = nn.GRU(24, hidden, rng=rng) if gru else None
        self.head = nn.Layer(hidden if gru else 24, 10, activation="identity", rng=rng)

    def __call__(self, strip: Any) -> Any:
        maps = self.see(strip[None])
        columns = [maps[:, :, j].ravel() for j in range(maps.shape[2])]
        outputs = self.read(columns)[0] if self.read else columns
        return [self.head(h) for h in outputs[1::2]]  # a digit is told at its second column


def strips(digits: Any, labels: Any, n: int, rng: Any) -> tuple[Any, Any]:
    """All digits in random order, n side by side in each strip; at each the largest so far."""
    order = rng.permutation(len(digits))[: len(digits) // n * n].reshape(-1, n)
    pictures = digits[order].transpose(0, 2, 1, 3).reshape(len(order), 8, 8 * n)
    return pictures, np.maximum.accumulate(labels[order], axis=1)


def taught(gru: bool, seed: int, size: int, epochs: int) -> Any:
    """A reader that has learned from strips of this size."""
    X_train, _, y_train, _ = split(images, y, rng=seed)
    rng = np.random.default_rng(seed)
    reader = StripReader(hidden, rng, gru)
    optimizer = nn.Adam(reader.parameters(), lr=0.01)
    schedule = nn.schedules.Cosine(optimizer, epochs)
    step = nn.train_step(reader, nn.cross_entropy, optimizer)
    for _ in range(epochs):
        for batch in nn.DataLoader(*strips(X_train, y_train, size, rng), batch_size=16, rng=rng):
            step(*batch)
        schedule.step()
    return reader


hidden, sizes = (8, [2]) if quick else (24, [3, 6])  # it learns from strips of the first size
print(StripReader(hidden, rng=0).summary(np.zeros((8, 8 * sizes[0]))))

# %%
seeds, epochs = (1, 3) if quick else (3, 25)
by_place: dict[tuple[bool, int], list[Any]] = {}
print(f"learned from strips of {sizes[0]}; right, {seeds} seeds; and at each place, their mean")
guess = [mean(max(((d + 1) / 10) ** k, (1 - 0.9**k) * (d < 9)) for d in range(10)) for k in range(6)]
print(f"{'the best guess by one digit':28}{'':{7 * seeds}}  ", *(f"{right:4.0%}" for right in guess))
for gru in (False, True):
    readers = [taught(gru, seed, sizes[0], epochs) for seed in range(seeds)]
    for n in sizes:
        by_place[gru, n] = []
        for seed, reader in enumerate(readers):
            _, X_test, _, y_test = split(images, y, rng=seed)
            pictures, largest = strips(X_test, y_test, n, np.random.default_rng(seed))
            told = autograd.compile(reader, batch=True)(pictures).argmax(axis=-1)
            by_place[gru, n].append((told == largest).mean(axis=0))
        each = "".join(f"{row.mean():7.1%}" for row in by_place[gru, n])
        places = " ".join(f"{right:4.0%}" for right in np.mean(by_place[gru, n], axis=0))
        print(f"{'with' if gru else 'without'} a GRU, strips of {n}".ljust(28) + f"{each}   {places}")

# %%
fig, axes = plt.subplots(3, 1, figsize=(6.4, 4), layout="constrained")
for ax, picture, right, found in zip(axes, pictures, largest, told, strict=False):
    ax.imshow(picture, cmap="Greys")
    for k in range(sizes[-1]):
        colour = "black" if found[k] == right[k] else "tab:red"
        ax.text(8 * k + 3.5, 9.7, found[k], ha="center", color=colour, weight="bold")
    ax.set_axis_off()
fig.suptitle("Held-out digits, and the largest so far, as read (wrong in red)")
fig.savefig(folder / "together-strips.png", dpi=120)
print("picture:", folder / "together-strips.png")

# %% [markdown]
# With a GRU more than nine of ten are right and, of strips twice as long as any it has learned from, 86 to 92 in a
# hundred. Without, what is not in sight is not known: three in five, little else than guesses by one digit, and fewer
# of long strips, for which it has not learned to guess.
#
# ## A ViT from its pieces
# A dozen lines. The names of the parts are those of `nn.ViT`, so that the numbers of one fit the other.


# %%
class OurViT(nn.Module):
    """An image of 8 x 8 as sixteen patches of 2 x 2, after a learned vector at whose place the digit is read off."""

    def __init__(self, rng: Any) -> None:
        self.embedding = nn.Layer(4, 16, activation="identity", rng=rng)
        self.token = [Value(v) for v in rng.normal(0.0, 0.02, 16)]
        self.positions = nn.LearnedPositions(17, 16, rng=rng)
        self.blocks = [nn.TransformerBlock(16, 4, rng=rng)]
        self.norm_last = nn.LayerNorm(16)
        self.head = nn.Layer(16, 10, activation="identity", rng=rng)

    def __call__(self, image: Any) -> Any:
        patches = [image[i : i + 2, j : j + 2].ravel() for i in range(0, 8, 2) for j in range(0, 8, 2)]
        x = self.positions([self.token, *map(self.embedding, patches)])
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm_last(x[0]))


ours, vit = OurViT(np.random.default_rng(1)), nn.ViT(size=8, patch=2, classes=10, rng=2)
nn.load_arrays(ours, nn.state_arrays(vit))
vit_differs = max(abs(a.data - b.data) for a, b in zip(ours(images[0]), vit(images[0]), strict=True))
print(f"{ours.count_parameters():,} parameters; with those of nn.ViT, it differs by {vit_differs:g}")

# %% [markdown]
# ## All of them on one task
# About as many parameters, the same digits, optimiser and schedule for all. Seconds are those of training, with
# compiling, on this machine.


# %%
class RowReader(nn.Module):
    """An LSTM reads the image row by row; the digit is told from its last state."""

    def __init__(self, rng: Any) -> None:
        self.lstm = nn.LSTM(8, 25, rng=rng)
        self.head = nn.Layer(25, 10, activation="identity", rng=rng)

    def __call__(self, image: Any) -> Any:
        outputs, _ = self.lstm(image)
        return self.head(outputs[-1])


def mlp(rng: Any) -> Any:
    layers = nn.MLP(64, [49, 10], activation="relu", output_activation="identity", rng=rng)
    return nn.Sequential(nn.Flatten(), layers)


first, second = (4, 8) if quick else (12, 24)  # how many filters


def cnn(rng: Any) -> Any:
    return nn.Sequential(
        lambda image: image[None],  # one channel
        nn.Conv2d(1, first, 3, padding=1, activation="relu", rng=rng),
        nn.MaxPool(2),
        nn.Conv2d(first, second, 3, padding=1, activation="relu", rng=rng),
        nn.MaxPool(2),
        nn.Flatten(),
        nn.Layer(4 * second, 10, activation="identity", rng=rng),
    )


def learned(make: Any, seed: int, epochs: int) -> tuple[Any, float, float]:
    """The model, trained on three quarters of the digits; the seconds; what it reads right of the last quarter."""
    X_train, X_test, y_train, y_test = split(images, y, rng=seed)
    began = time.perf_counter()
    model = make(np.random.default_rng(seed))
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    step = nn.train_step(model, nn.cross_entropy, optimizer)
    batches = nn.DataLoader(X_train, y_train, batch_size=32, rng=seed)
    schedule = nn.schedules.Cosine(optimizer, epochs * len(batches))
    for _ in range(epochs):
        for batch in batches:
            step(*batch)
            schedule.step()
    seconds = time.perf_counter() - began
    return model, seconds, nn.metrics.accuracy(autograd.compile(model, batch=True)(X_test), y_test)


kinds: dict[str, Any] = {"MLP": mlp, "CNN": cnn, "LSTM": RowReader, "ViT": OurViT}
seeds, epochs = (1, 2) if quick else (4, 20)
rows: dict[str, tuple[int, list[float], list[float]]] = {}
print(f"{'':5}{'parameters':>10}{'seconds':>9}{'mean':>8}   held-out digits right, {seeds} seeds")
for name, make in kinds.items():
    models, seconds, right = zip(*[learned(make, seed, epochs) for seed in range(seeds)], strict=True)
    rows[name] = models[0].count_parameters(), [*seconds], [*right]
    print(
        f"{name:5}{rows[name][0]:10,}{mean(seconds):9.1f}{mean(right):8.1%}  ", *(f"{r:6.1%}" for r in right)
    )

# %%
fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
for k, row in enumerate(rows.values()):
    right = row[2]
    ax.plot([100 * r for r in right], [k] * len(right), "o", color="C0", alpha=0.7)
    ax.plot(100 * mean(right), k, "|", color="black", ms=24)
ax.set_yticks(range(len(rows)), rows)
ax.set(
    title="Held-out digits: each seed, and the mean",
    xlabel="right, in per cent",
    ylim=(len(rows) - 0.5, -0.5),
)
ax.grid(axis="x", alpha=0.4)
fig.savefig(folder / "together-models.png", dpi=120)
print("picture:", folder / "together-models.png")

# %% [markdown]
# One task, and a small one: this orders the models for these digits, not for all that can be learned. The CNN is told
# beforehand that neighbours belong together, and that a stroke may be anywhere; it is ahead, with all seeds but one.
# The MLP is told nothing and yet comes second: these digits stand in the middle of their 64 pixels, so that each pixel
# has a meaning of its own. The LSTM, whose seeds are more than three points apart, is not surely behind it. The ViT,
# which has to find out what is beside what, is last.
#
# ## Going on: a checkpoint
# Training can be stopped, and resumed as if it had not been: a file holds the numbers of the model, what the
# optimiser remembers, how far the schedule is, and, as an extra of our own, where the order of the samples is. The
# weights alone are not enough: Adam would begin anew with its means, and the learning rate at its top.


# %%
def trainer(seed: int) -> tuple[Any, ...]:
    """A model and all that is needed to train it."""
    model = cnn(np.random.default_rng(seed))
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    schedule = nn.schedules.Cosine(optimizer, 200)
    batches = nn.DataLoader(X_train, y_train, rng=seed)
    return model, optimizer, schedule, batches, nn.train_step(model, nn.cross_entropy, optimizer)


def epoch(schedule: Any, batches: Any, step: Any) -> list[float]:
    """The loss of each step of one epoch."""
    found = []
    for batch in batches:
        found.append(step(*batch))
        schedule.step()
    return found


X_train, X_test, y_train, y_test = split(images, y, rng=0)
checkpoint = folder / "together-cnn.npz"
model, optimizer, schedule, batches, step = trainer(seed=0)
epoch(schedule, batches, step)
nn.save(checkpoint, model, optimizer, schedule, extra={"epoch": 1, "batches": batches.state_dict()})
straight = epoch(schedule, batches, step)

again, optimizer, schedule, batches, step = trainer(seed=99)  # other weights, another order
extra = nn.load(checkpoint, again, optimizer, schedule)
batches.load_state_dict(extra["batches"])
resumed = epoch(schedule, batches, step)

bare, optimizer, schedule, batches, step = trainer(seed=99)
nn.load(checkpoint, bare)  # the weights alone
batches.load_state_dict(extra["batches"])
forgetful = epoch(schedule, batches, step)

resumed_differs = float(abs(np.subtract(straight, resumed)).max())
forgetful_differs = float(abs(np.subtract(straight, forgetful)).max())
print(
    f"{checkpoint.name}: {checkpoint.stat().st_size / 1024:.0f} KB, after epoch {extra['epoch']}, which holds"
)
with np.load(checkpoint) as file:  # NumPy's own format: arrays with names, and no code
    for name in file:
        if name.startswith("model/"):
            print(f"  {name:24}{file[name].shape}")
print(f"losses of the next {len(straight)} steps: {straight[0]:.4f} ... {straight[-1]:.4f}")
print(f"resumed from the file they differ by at most {resumed_differs:g}")
print(f"from its weights alone by up to {forgetful_differs:.2g}")

# %% [markdown]
# ## Going elsewhere: safetensors and PyTorch
# Whoever has NumPy can read the arrays of a `.npz`, as we just did. Where the package safetensors is installed,
# `nn.save` and `nn.load` write and read that format, too, by the suffix of the path.
#
# PyTorch's formulas are the same, so a network of the same layers, given the same numbers, computes the same, up to the
# order of its sums. `nn.to_torch` gives the numbers in PyTorch's names, `nn.from_torch` takes them back.


# %%
def through_safetensors(model: Any) -> float:
    """Saved, read into a new model: how far the two are apart."""
    path = folder / "together-cnn.safetensors"
    nn.save(path, model)
    copy = cnn(np.random.default_rng(1))
    nn.load(path, copy)
    pairs = zip(model.parameters(), copy.parameters(), strict=True)
    return float(max(abs(a.data - b.data) for a, b in pairs))


def in_torch(model: Any) -> Any:
    """The CNN as a PyTorch model, through a file of PyTorch's own."""
    import torch

    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, first, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(first, second, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * second, 10),
    ).double()
    torch.save(nn.to_torch(model, theirs), folder / "together-cnn.pt")
    theirs.load_state_dict(torch.load(folder / "together-cnn.pt", weights_only=True))
    return theirs


def their_logits(theirs: Any, pictures: Any) -> Any:
    """What the PyTorch model says to images (n, 8, 8)."""
    import torch

    with torch.no_grad():
        return theirs(torch.tensor(pictures[:, None])).numpy()


ours_say = autograd.compile(model, batch=True)(X_test)
safetensors_differs = torch_differs = None
if find_spec("safetensors"):
    safetensors_differs = through_safetensors(model)
    print(f"saved as safetensors and read again, the parameters differ by {safetensors_differs:g}")
else:
    print("safetensors is not installed: the file above will do")
if find_spec("torch"):
    theirs = in_torch(model)
    torch_differs = float(abs(ours_say - their_logits(theirs, X_test)).max())
    print(f"logits of {len(X_test)} digits, in PyTorch and here, differ by at most {torch_differs:.0e}")
else:
    print("PyTorch is not installed: the model stays here")

# %% [markdown]
# ## What it gets wrong
# To end with, what a single number hides: which digits are taken for which.

# %%
matrix = nn.metrics.confusion_matrix(ours_say, y_test)
found = matrix.diagonal() / matrix.sum(axis=1)
hardest = int(found.argmin())
wrong = np.flatnonzero(ours_say.argmax(axis=1) != y_test)
print(
    f"after two epochs {len(wrong)} of {len(y_test)} held-out digits are wrong: {len(wrong) / len(y_test):.1%}"
)
print(f"hardest to find: the {hardest}, {matrix[hardest, hardest]} of {matrix[hardest].sum()}")

fig, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
nn.plots.confusion(matrix, ax=ax).set_title("The CNN on held-out digits")
fig.savefig(folder / "together-confusion.png", dpi=120)
print("picture:", folder / "together-confusion.png")

# %%
fig, axes = plt.subplots(1, 8, figsize=(10, 1.8), layout="constrained")
for ax in axes:
    ax.set_axis_off()
for ax, i in zip(axes, wrong, strict=False):
    ax.imshow(X_test[i], cmap="Greys")
    ax.set_title(f"a {y_test[i]}, read as {ours_say[i].argmax()}", size=8)
fig.savefig(folder / "together-wrong.png", dpi=120)
print("picture:", folder / "together-wrong.png")

# %% [markdown]
# ## Exercises
# 1. Give the ViT rows instead of patches: each row of the image is one vector of 8. How many positions does it need?
# 2. Freeze the convolutions of a trained CNN, put a new last layer on them, and train only that, for even and odd.
# 3. Save the strip reader, load it into a new one, and show that both read the same. What happens if the new one has
#    another size?
#
# ## Where it lives
# `nn/module.py` (what a module is), `nn/training.py`, `nn/saving.py`, `nn/torch_weights.py`; `tests/learning.py`
# trains models like these, and larger ones.
