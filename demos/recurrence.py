"""A Layer used at every step: gradients through time, what a network remembers and why, names letter by letter."""

# %% [markdown]
# # Recurrence
# A sequence has no fixed length, so no layer can read it as a whole. A recurrent network reads it step by step, and
# keeps a few numbers, its state, from each step to the next. The same Layer serves all steps: what a convolution does
# along an image, this does along time.

# %%
from copy import deepcopy
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_names
from demos.lessons import settings

quick, folder = settings()

# %% [markdown]
# ## A Layer that reads its own last output
#     h[t] = tanh(W [x[t], h[t-1]] + b)
#
# That is a Layer of 1 + 2 inputs and 2 outputs, called in a loop. `nn.RNN` is that loop.

# %%
rnn = nn.RNN(1, 2, rng=0)
layer = rnn.cells[0].layer
print(layer, "with", rnn.count_parameters(), "parameters, for any number of steps")

steps = [[1.0], [0.0], [0.0]]
h: Any = [0.0, 0.0]
for x in steps:
    h = layer([*x, *h])
    print(f"  x = {x[0]:g}   h = {h[0]:+.4f} {h[1]:+.4f}")
outputs, state = rnn(steps)
loop_differs = max(abs(a.data - b.data) for a, b in zip(h, outputs[-1], strict=True))
print(f"nn.RNN differs from the loop by {loop_differs:g}")

begun, state = rnn(steps[:1])  # the state is all that is remembered: stop anywhere, go on with it
resumed, _ = rnn(steps[1:], state)
resumed_differs = max(abs(a.data - b.data) for a, b in zip(resumed[-1], outputs[-1], strict=True))
print(f"stopped after one step and resumed: {resumed_differs:g}")

# %%
shown, _ = rnn([[Value(x, label=f"x[{t}]")] for t, (x,) in enumerate(steps)])
try:
    print("picture:", autograd.render(shown[-1][0], folder / "recurrence-unrolled.png", level="layer"))
except RuntimeError as error:  # neither `dot` nor pygraphviz is there
    print("no picture of the graph:", error)

# %% [markdown]
# Unrolled, it is a deep network with one layer for each step, all of which share their weights. So backpropagation
# through time is backpropagation, and a shared weight's gradient is the sum over the steps. To see it, unroll by hand
# with a copy of the Layer for each step.

# %%
outputs, _ = rnn(steps)
nn.mse(outputs[-1], [1.0, -1.0]).backward()
shared = np.array([p.grad for p in layer.parameters()])

copies = [deepcopy(layer) for _ in steps]
for copy in copies:
    copy.zero_grad()
h = [0.0, 0.0]
for x, copy in zip(steps, copies, strict=True):
    h = copy([*x, *h])
nn.mse(h, [1.0, -1.0]).backward()
by_step = np.array([[p.grad for p in copy.parameters()] for copy in copies])

names = [p.label.removeprefix("cells.0.layer.") for p in layer.parameters()]
print(f"{'gradient of':16}{'step 1':>9}{'step 2':>9}{'step 3':>9}{'sum':>9}{'shared':>9}")
for name, row, total in zip(names, by_step.T, shared, strict=True):
    print(f"{name:16}" + "".join(f"{g:9.4f}" for g in (*row, sum(row), total)))
sum_differs = float(abs(by_step.sum(axis=0) - shared).max())

# %% [markdown]
# ## The gradient through T steps
# A weight learns what an early step is good for only if a gradient comes back to it. On its way each step multiplies
# it by the matrix W of the state, and by the slopes of tanh, which are at most 1. Without tanh, and with a W that
# turns vectors and scales them by s, the factor is s^T exactly: there is no middle way but s = 1.


# %%
def slopes(net: Any, length: int, seed: int) -> Any:
    """The norm of the gradient by each input x[t] of some combination of the last output."""
    rng = np.random.default_rng(seed)
    xs = [[Value(v) for v in rng.normal(0.0, 0.5, net.nin)] for _ in range(length)]
    outputs, _ = net(xs)
    autograd.dot(rng.normal(size=net.nhidden).tolist(), outputs[-1]).backward()
    return np.array([np.linalg.norm([v.grad for v in x]) for x in xs])


def turning(s: float) -> Any:
    """A state of 8 numbers, which each step turns and scales by s; x is added to it."""

    def start(shape: Any, rng: Any) -> Any:
        return np.hstack([np.eye(8), s * nn.init.orthogonal((8, 8), rng)])

    return nn.RNN(8, 8, activation="identity", init=start, rng=0)


powers = {}
for s in (0.8, 1.0, 1.25):
    g = slopes(turning(s), length=41, seed=0)
    powers[s] = g[0] / g[-1]
    print(f"s = {s:<5g} after 40 steps {powers[s]:9.3g}, s^40 = {s**40:.3g}")

# %% [markdown]
# Where s is larger than 1 gradients explode; `nn.clip_grad_norm` cuts them to a length before a step is made. Where s
# is smaller they vanish, and nothing can be done about it afterwards.
#
# The LSTM (S. Hochreiter, J. Schmidhuber, 1997) has a store c beside h, and a gate f in front of it (F. Gers and
# others, 2000):
#
#     c[t] = f c[t-1] + i g        from store to store the gradient is multiplied by f alone: no W, no tanh
#
# A gate is a sigmoid, and with biases of 0 it begins half open, f = 1/2. So whether an LSTM passes gradients on
# depends on where its gates begin. `forget_bias=4` opens them: sigmoid(4) = 0.98. The GRU's update gate z does the
# same work, h[t] = (1 - z) n + z h[t-1], and is opened by hand here.

# %%
size, far = 8, 39


def open_gru(nin: int, rng: int) -> Any:
    """Its update gates begin at sigmoid(4) = 0.98."""
    gru = nn.GRU(nin, size, rng=rng)
    for neuron in gru.cells[0].update.neurons:
        neuron.b.data = 4.0
    return gru


kinds = {
    "RNN": lambda nin, rng: nn.RNN(nin, size, rng=rng),
    "RNN, orthogonal": lambda nin, rng: nn.RNN(nin, size, init="orthogonal", rng=rng),
    "LSTM": lambda nin, rng: nn.LSTM(nin, size, rng=rng),
    "LSTM, open": lambda nin, rng: nn.LSTM(nin, size, forget_bias=4.0, rng=rng),
    "GRU": lambda nin, rng: nn.GRU(nin, size, rng=rng),
    "GRU, open": open_gru,
}
draws = 10
print(f"gradient by the input {far} steps before the last / by the last: median of {draws} (least to most)")
ratios: dict[str, Any] = {}
curves: dict[str, Any] = {}
for name, make in kinds.items():
    found = np.array([slopes(make(1, seed), far + 1, seed)[::-1] for seed in range(draws)])
    found /= found[:, :1]  # from the last input on backwards
    ratios[name], curves[name] = found[:, -1], np.median(found, axis=0)
    print(f"{name:16}{median(ratios[name]):9.1e}   ({min(ratios[name]):.1e} to {max(ratios[name]):.1e})")

# %%
fig, ax = plt.subplots(figsize=(6.8, 4), layout="constrained")
for (name, curve), colour, marker in zip(
    curves.items(), ["C0", "C0", "C1", "C1", "C2", "C2"], "osxd^v", strict=True
):
    opened = name.endswith(("open", "orthogonal"))
    ax.semilogy(curve, color=colour, marker=marker, ms=4, ls="-" if opened else "--", label=name)
ax.set(title="Before training: how much of the gradient comes back", xlabel="steps back", ylabel="share")
ax.legend(fontsize="small")
fig.savefig(folder / "recurrence-gradients.png", dpi=120)
print("picture:", folder / "recurrence-gradients.png")

# %% [markdown]
# So "the gradient of an LSTM does not vanish" is loosely said: with half-open gates it does, much as that of the
# plain RNN. With open ones it does not. And an RNN whose W begins orthogonal is between the two.
#
# ## Does it matter? A memory task
# The first number of a sequence is 1 or -1, then 39 numbers of noise follow. At the end: which was it? Chance is 50%.


# %%
class Recall(nn.Module):
    """Reads a sequence; two logits from the last output."""

    def __init__(self, net: Any, seed: int) -> None:
        self.net = net
        self.head = nn.Layer(net.nhidden, 2, activation="identity", rng=seed)

    def __call__(self, xs: Any) -> Any:
        outputs, _ = self.net(xs)
        return self.head(outputs[-1])


def sequences(n: int, rng: Any) -> tuple[Any, Any]:
    """n sequences of vectors of one number; what the first one said."""
    xs, answers = rng.normal(0.0, 0.5, size=(n, far + 1, 1)), rng.integers(0, 2, n)
    xs[:, 0, 0] = 2 * answers - 1
    return xs, answers


count = 150 if quick else 300
print(f"right after {count} steps of training, several seeds")
recalled: dict[str, list[float]] = {}
for name in ("RNN", "LSTM, open") if quick else kinds:
    recalled[name] = []
    for seed in range(1 if quick else 6 if name.startswith("RNN") else 3):  # an RNN trains faster
        rng, model = np.random.default_rng(seed), Recall(kinds[name](1, seed), seed)
        optimizer = nn.Adam(model.parameters(), lr=0.02)
        schedule = nn.schedules.Cosine(optimizer, count)
        step = nn.train_step(model, nn.cross_entropy, optimizer)
        for _ in range(count):
            step(*sequences(32, rng))
            schedule.step()
        xs, answers = sequences(1000, rng)
        recalled[name].append(nn.metrics.accuracy(autograd.compile(model, batch=True)(xs), answers))
    print(f"{name:16}" + "".join(f"{right:7.1%}" for right in recalled[name]))

# %% [markdown]
# The plain RNN fails with most seeds, as its gradient had said; but so do LSTM and GRU with half-open gates. What
# remembers from the start learns what to remember: open gates, and mostly an orthogonal W. Over shorter distances,
# such as those within a name, all of them learn.
#
# ## Names, letter by letter
# A language model: read the letters so far, say how probable each next one is. The token 26 begins and ends a name.
# Names are padded to one length, and a weight of 0 tells the loss what is padding.

# %%
END = 26
known_names = load_names()
order = np.random.default_rng(0).permutation(len(known_names))
held_out, learned = ([known_names[i] for i in part] for part in (order[:500], order[500:]))


def encoded(names: list[str]) -> tuple[Any, Any, Any]:
    """For each name its tokens, the tokens that follow them, and 1 where there is one, else 0."""
    tokens = np.full((len(names), 13), END)
    for row, name in zip(tokens, names, strict=True):
        row[1 : len(name) + 1] = [ord(letter) - ord("a") for letter in name]
    real = np.arange(12) <= np.array([len(name) for name in names])[:, None]
    return tokens[:, :-1], tokens[:, 1:], real.astype(float)


class Speller(nn.Module):
    """A vector for each token, a GRU along them, logits for the token that follows."""

    def __init__(self, width: int, hidden: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.embedding = nn.Embedding(27, width, rng=rng)
        self.gru = nn.GRU(width, hidden, rng=rng)
        self.head = nn.Layer(hidden, 27, activation="identity", rng=rng)

    def __call__(self, tokens: Any) -> Any:
        outputs, _ = self.gru(self.embedding(tokens))
        return [self.head(h) for h in outputs]


def losses(model: Any, tokens: Any, following: Any, real: Any) -> Any:
    """The summed losses of the letters of one name, and of its end."""
    each = [nn.cross_entropy(logits, token) for logits, token in zip(model(tokens), following, strict=True)]
    return autograd.dot(real, each)


epochs = 2 if quick else 7
speller = Speller(12, 24, seed=0)
optimizer = nn.Adam(speller.parameters(), lr=0.01)
step = nn.train_step(speller, losses, optimizer)
batches = nn.DataLoader(*encoded(learned), batch_size=64, rng=0)
schedule = nn.schedules.Cosine(optimizer, epochs * len(batches))
forward = autograd.compile(lambda *name: losses(speller, *name), batch=True)
test = encoded(held_out)
for epoch in range(epochs):
    for tokens, following, real in batches:
        step(tokens, following, real * (len(real) / real.sum()))  # the mean over all letters of the batch
        schedule.step()
    spelling = float(forward(*test).sum() / test[2].sum())
    if quick or epoch % 3 == 0:
        print(f"epoch {epoch + 1:2}   held-out loss {spelling:.3f} a letter")

pairs = np.ones((27, 27))  # the model to beat: how often which letter follows which, each pair once more
tokens, following, real = encoded(learned)
np.add.at(pairs, (tokens[real > 0], following[real > 0]), 1)
pairs /= pairs.sum(axis=1, keepdims=True)
tokens, following, real = test
bigram = float(-np.log(pairs[tokens[real > 0], following[real > 0]]).mean())
guessing = float(np.log(27))
print(f"{speller.count_parameters():,} parameters, loss {spelling:.3f}")
print(f"to compare: a table of pairs of letters {bigram:.3f}, guessing {guessing:.3f}")

# %% [markdown]
# To write a name, draw a token, feed it back, and carry the state along. The temperature sharpens the choice (below
# 1) or flattens it (above).


# %%
def write(temperature: float, rng: Any) -> str:
    token, state, name = END, None, ""
    with autograd.no_grad():
        while len(name) < 11:
            outputs, state = speller.gru(speller.embedding([token]), state)
            token = nn.next_token(speller.head(outputs[-1]), temperature, rng=rng)
            if token == END:
                break
            name += chr(ord("a") + token)
    return name


written = {}
for temperature in (0.5, 1.0, 1.5):
    rng = np.random.default_rng(1)
    written[temperature] = [write(temperature, rng) for _ in range(10)]
    print(f"{temperature:3}  {', '.join(written[temperature])}")
new = [name for name in written[1.0] if name not in known_names]
print(f"at temperature 1, {len(new)} of {len(written[1.0])} are not in the list")

# %% [markdown]
# ## Exercises
# 1. An RNN of one number, with the identity for its activation and the weights 1, adds up its inputs. Set them.
# 2. A sequence is padded to the longest of its batch. Show that `rnn(xs, length=n)` ends with the state it has after
#    n steps, whatever stands in the padding.
# 3. Which forget bias does a memory of 300 steps need, if half of the store is to be left at the end?
#
# ## Where it lives
# `nn/recurrence.py`: the cells, each an equation over Layers; `RNN`, `LSTM`, `GRU`. `nn/embedding.py`,
# `nn/transformer.py` (`next_token`), `nn/optim.py` (`clip_grad_norm`).
