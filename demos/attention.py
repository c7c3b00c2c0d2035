"""Attention as a soft dictionary, what positions and masks do, and one block that is a GPT, a BERT and a ViT."""

# %% [markdown]
# # Attention and transformers
# A recurrent network has to carry what it may need later through every step between. Attention lets each place of a
# sequence look at the others directly, and learns where to look.

# %%
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import load_digits, load_names, split
from demos.lessons import settings

quick, folder = settings()
seeds, width = (1, 8) if quick else (3, 16)
rng = np.random.default_rng(0)

# %% [markdown]
# ## A soft dictionary
# A dictionary compares a query with its keys, and gives the value of the one that is equal. Attention compares by a
# dot product, turns the scores into weights that add up to 1, and gives the mean of the values by these weights:
#
#     w = softmax(q . k[0] / sqrt(d), q . k[1] / sqrt(d), ...)        out = w[0] v[0] + w[1] v[1] + ...
#
# Four keys, the points of the compass, and for each a value. The longer the query, the sharper the choice.

# %%
compass = {"east": [1.0, 0.0], "north": [0.0, 1.0], "west": [-1.0, 0.0], "south": [0.0, -1.0]}
keys, values = list(compass.values()), [[10.0], [20.0], [30.0], [40.0]]
queries = {
    "north": [0.0, 1.0],
    "north, 5 times": [0.0, 5.0],
    "north, 50 times": [0.0, 50.0],
    "north-east, 50 times": [50.0, 50.0],
    "nowhere": [0.0, 0.0],
}
weights = nn.attention_weights(list(queries.values()), keys)
found = nn.attention(list(queries.values()), keys, values)
print(f"{'query':22}" + "".join(f"{name:>7}" for name in compass) + "   value")
for name, row, (value,) in zip(queries, weights, found, strict=True):
    print(f"{name:22}" + "".join(f"{w:7.3f}" for w in row) + f"{value:8.2f}")

scores = np.array(list(queries.values())) @ np.transpose(keys) / np.sqrt(2)
by_numpy = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) @ values
attention_differs = float(abs(by_numpy - found).max())
print(f"the formula in NumPy differs by at most {attention_differs:.0e}")

# %% [markdown]
# Turn the query once around: a long one finds one value or the next, as a dictionary would; a short one gives a mean
# of all.

# %%
angles = np.linspace(0, 2 * np.pi, 361)
fig, ax = plt.subplots(figsize=(6.8, 3.6), layout="constrained")
for length, style in ((1, ":"), (5, "--"), (50, "-")):
    around = length * np.column_stack([np.cos(angles), np.sin(angles)])
    ax.plot(angles, nn.attention(around, keys, values), style, label=f"{length} long")
ax.set(title="What a query finds", xlabel="its direction", ylabel="value")
ax.set_xticks(np.linspace(0, 2 * np.pi, 5), ["east", "north", "west", "south", "east"])
ax.legend(title="query")
fig.savefig(folder / "attention-dictionary.png", dpi=120)
print("picture:", folder / "attention-dictionary.png")

# %% [markdown]
# Unlike a lookup, it has a gradient by everything, and so can be learned: by a value just its weight, and by the
# query what would turn it to the keys of larger values.

# %%
query = [Value(0.0, label="q[0]"), Value(1.0, label="q[1]")]
stored = [[Value(v)] for (v,) in values]
out = nn.attention([query], keys, stored)[0][0]
out.backward()
by_values = [v.grad for (v,) in stored]
by_query = [q.grad for q in query]
w, v = weights[0], np.array(values)[:, 0]
query_formula = (w * (v - w @ v)) @ np.array(list(compass.values())) / np.sqrt(2)
print(
    "gradient by the four values:",
    *(f"{g:.3f}" for g in by_values),
    "  the weights:",
    *(f"{x:.3f}" for x in w),
)
print(
    "gradient by the query:      ",
    *(f"{g:.3f}" for g in by_query),
    "  by hand:",
    *(f"{x:.3f}" for x in query_formula),
)

# %% [markdown]
# Why sqrt(d)? The product q . k of two random vectors of d numbers, each of variance 1, has the variance d. Without
# the root, with growing d one weight of sixteen takes nearly all. And where softmax is that sure of itself, its slopes
# w (1 - w) are nearly 0, and little is learned.

# %%
steepness: dict[tuple[int, str], tuple[float, float, float]] = {}
print("   d  scores           variance   largest of 16 weights   its slope")
for d in (4, 64, 1024):
    drawn = [(rng.normal(size=(1, d)), rng.normal(size=(16, d))) for _ in range(100)]
    for name, scale in (("q . k", 1.0), ("q . k / sqrt(d)", d**-0.5)):
        variance = float(np.var([k @ q[0] * scale for q, k in drawn]))
        most = np.array([max(nn.attention_weights(q, k, scale=scale)[0]) for q, k in drawn])
        steepness[d, name] = variance, float(most.mean()), float((most * (1 - most)).mean())
        print(f"{d:4}  {name:16}" + "{:9.1f}{:24.2f}{:12.3f}".format(*steepness[d, name]))

# %% [markdown]
# ## Order matters through positions alone
# An attention sees a set. Give it the same vectors in another order, and it gives the same outputs in that order. So
# whatever is to depend on the order has to be told it: by positions added to the vectors, or by a mask that is not
# the same for all places.

# %%
x = rng.normal(size=(5, 8))
order = [3, 0, 4, 1, 2]
plain, causal = nn.MultiHeadAttention(8, 2, rng=0), nn.MultiHeadAttention(8, 2, causal=True, rng=0)
rotary = nn.MultiHeadAttention(8, 2, rotary=True, rng=0)
block, positions = nn.TransformerBlock(8, 2, rng=0), nn.SinusoidalPositions(5, 8)
maps: dict[str, Any] = {
    "attention": plain,
    "a whole block": block,
    "a block after positions": lambda x: block(positions(x)),
    "rotary attention": rotary,
    "causal attention": causal,
}
moved = {}
print("how far f(x in another order) is from f(x) in that order")
for name, f in maps.items():
    moved[name] = float(abs(np.array(f(x[order])).astype(float) - np.array(f(x)).astype(float)[order]).max())
    print(f"  {name:24}{moved[name]:8.1e}")

# %% [markdown]
# The last line is easily overlooked: a causal mask tells the order, too, for the first place sees one vector, the
# second two, and so on. A GPT without positions is not blind to it.
#
# ## The causal mask
# A GPT is to say what comes next, so no place may see those after it; a BERT fills gaps, and sees both sides. Change
# the last letter of a word: what do they say at the places before it? And by which letters have their outputs a
# gradient?

# %%
letters = "abcdefghijklmnopqrstuvwxyz"
END, MASK = 26, 27  # begins and ends a name; stands for a hidden letter


def tokens_of(name: str) -> list[int]:
    return [letters.index(letter) for letter in name]


small: dict[str, Any] = {
    "GPT": nn.GPT(28, context=5, init="normal", rng=0),
    "BERT": nn.BERT(28, context=5, norm="pre", init="normal", rng=0),
}
changed, influence = {}, {}
for name, model in small.items():
    before, after = (np.array(model(tokens_of(word))).astype(float) for word in ("carol", "caron"))
    changed[name] = abs(before - after).max(axis=1)
    print(f"{name:5} carol -> caron changes the logits by", "  ".join(f"{c:.2g}" for c in changed[name]))

    rows = [model.embedding.rows[token] for token in tokens_of("carol")]
    influence[name] = np.zeros((5, 5))
    for i in range(5):
        model.zero_grad()
        autograd.dot(rng.normal(size=28).tolist(), model(tokens_of("carol"))[i]).backward()
        influence[name][i] = [np.linalg.norm([v.grad for v in row]) for row in rows]

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for ax, (name, matrix) in zip(axes, influence.items(), strict=True):
    ax.imshow(matrix / matrix.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    ax.set_xticks(range(5), "carol")
    ax.set_yticks(range(5), "carol")
    ax.set(
        title=f"{name}: who depends on whom", xlabel="gradient by this letter", ylabel="of the output here"
    )
fig.savefig(folder / "attention-causal.png", dpi=120)
print("picture:", folder / "attention-causal.png")

# %% [markdown]
# All before the changed letter is the same to the last bit, and what is above the diagonal is exactly 0. That is why
# a GPT learns from all places of a text at once: none has seen its own answer. "Transformers see everything" holds
# for encoders; a decoder sees what came before.
#
# ## One block, three models
# The three have the same block: an attention of 4 heads, a feed-forward network for each place, a norm before each of
# them and a way around each. (In its paper BERT has the norms after; here before, so that the block is the same.)
# They differ in what they read, who sees whom, and what is read off.

# %%
gpt = nn.GPT(27, width, context=12, rng=0)
bert = nn.BERT(28, width, context=11, norm="pre", rng=0)
vit = nn.ViT(size=8, patch=2, classes=10, width=width, rng=0)
models: dict[str, Any] = {"GPT": gpt, "BERT": bert, "ViT": vit}
told = {
    "GPT": ("letters", "those before", "the next letter, at each place"),
    "BERT": ("letters", "all places", "the letter behind a mask"),
    "ViT": ("patches of 2 x 2", "all places", "a digit, at a place of its own"),
}
print(f"{'':5} {'reads':17} {'each place sees':16} {'is asked for':31} {'parameters':>10} {'block':>6}")
for name, (reads, sees, asked) in told.items():
    total, inside = models[name].count_parameters(), models[name].blocks[0].count_parameters()
    print(f"{name:5} {reads:17} {sees:16} {asked:31} {total:10,} {inside:6,}")

nn.load_arrays(small["BERT"].blocks[0], nn.state_arrays(small["GPT"].blocks[0]))  # the same numbers
x = rng.normal(size=(5, 16))
masked_bert = np.array(small["BERT"].blocks[0](x, mask="causal")).astype(float)
block_differs = float(abs(masked_bert - np.array(small["GPT"].blocks[0](x)).astype(float)).max())
print(f"a BERT's block with a GPT's numbers and a causal mask differs from the GPT's by {block_differs:g}")

# %%
names = load_names()
shuffled = np.random.default_rng(0).permutation(len(names))
held_out, known = ([names[i] for i in part] for part in (shuffled[:500], shuffled[500:]))


def train(model: Any, loss: Any, prepare: Any, data: Any, epochs: int) -> Any:
    """Adam with a falling learning rate; `prepare` makes of a batch of data what the loss reads. Returns the model, for
    use: a function of a batch."""
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    step = nn.train_step(model, loss, optimizer)
    batches = nn.DataLoader(*data, batch_size=64, rng=0)
    schedule = nn.schedules.Cosine(optimizer, epochs * len(batches))
    for _ in range(epochs):
        for batch in batches:
            step(*prepare(*batch))
            schedule.step()
    return autograd.compile(model, batch=True)


def surprise(logits: Any, truth: Any) -> Any:
    """-ln p(truth), the cross entropy, for arrays."""
    return np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(logits, truth[..., None], -1)[..., 0]


def padded(words: Any, n: int) -> Any:
    """A row of n tokens for each word, padded with END."""
    return np.array([[*tokens_of(word), *[END] * (n - len(word))] for word in words])


# %% [markdown]
# ### GPT writes names
# The loss is that of each next letter, up to the end of the name. To compare: guessing among 27 tokens, and a table
# of pairs of letters, which sees one letter back: how often each followed each, in the names that are not held out.


# %%
def spelled(words: Any) -> tuple[Any, Any, Any]:
    """Tokens, those that follow, and a weight for each: the mean over all letters of the batch."""
    following = padded(words, 12)
    tokens = np.insert(following[:, :-1], 0, END, axis=1)
    real = np.arange(12) <= np.array([len(word) for word in words])[:, None]
    return tokens, following, real * (len(words) / real.sum())


def next_letters(model: Any, tokens: Any, following: Any, weight: Any) -> Any:
    """The weighted losses of all letters of one name."""
    each = [nn.cross_entropy(logits, token) for logits, token in zip(model(tokens), following, strict=True)]
    return autograd.dot(weight, each)


pairs = np.ones((27, 27))  # each pair is counted once more, so that none is impossible
tokens, following, weight = spelled(known)
np.add.at(pairs, (tokens[weight > 0], following[weight > 0]), 1)

gpts = [gpt, *(nn.GPT(27, width, context=12, rng=seed) for seed in range(1, seeds))]
ask_gpt = [train(model, next_letters, spelled, [known], epochs=2 if quick else 7) for model in gpts]
tokens, following, weight = spelled(held_out)
bigram = float((surprise(np.log(pairs)[tokens], following) * weight).sum(axis=1).mean())
gpt_losses = [float((surprise(ask(tokens), following) * weight).sum(axis=1).mean()) for ask in ask_gpt]
print(f"held-out loss a letter: guessing {np.log(27):.3f}, a table of pairs {bigram:.3f}")
print(f"a GPT, {seeds} seeds:", *(f"{loss:.3f}" for loss in gpt_losses))

written = ["".join(letters[t] for t in gpt.generate(length=11, end=END, rng=seed)) for seed in range(20)]
real = [name for name in written if name in names]
print("written:", ", ".join(written))
print(f"of these {len(written)}, in the list of names: {', '.join(real) or 'none'}")

# %% [markdown]
# ### BERT fills gaps
# One letter in seven, and one at least, is chosen and, mostly, hidden behind a mask; the loss asks what it was. Is it
# better off than a GPT, which sees only the left side? Hide each letter of each held-out name in turn, and ask both;
# of the GPT's answers the end of the name, which cannot be right, is left out.


# %%
def hidden(words: Any) -> tuple[Any, Any, Any]:
    """Tokens, some of which are masked, the true ones, and where to look."""
    tokens = padded(words, 11)
    rows, chosen = zip(*[bert.masked(row, MASK, keep=[END], rng=rng) for row in tokens], strict=True)
    return np.array(rows), tokens, np.array(chosen)


def gaps(model: Any, tokens: Any, truth: Any, chosen: Any) -> Any:
    return nn.masked_cross_entropy(model(tokens), truth, chosen)


berts = [bert, *(nn.BERT(28, width, context=11, norm="pre", rng=seed) for seed in range(1, seeds))]
ask_bert = [train(model, gaps, hidden, [known], epochs=2 if quick else 10) for model in berts]

whose, place = np.array([(n, i) for n, name in enumerate(held_out) for i in range(len(name))]).T
masked = padded(held_out, 11)[whose]  # each name once for each of its letters
truth = masked[np.arange(len(whose)), place]
masked[np.arange(len(whose)), place] = MASK
counts = np.bincount(padded(known, 11).ravel())[:26]

answers: dict[str, list[Any]] = {
    "the commonest letter": [np.tile(np.log(counts), (len(whose), 1))],
    "GPT, from the left": [ask(tokens)[whose, place, :26] for ask in ask_gpt],
    "BERT, from both sides": [ask(masked)[np.arange(len(whose)), place, :26] for ask in ask_bert],
}
filled: dict[str, tuple[list[float], list[float]]] = {}
print(f"{len(whose):,} letters of held-out names, {seeds} seeds")
for name, by_seed in answers.items():
    right = [nn.metrics.accuracy(logits, truth) for logits in by_seed]
    loss = [float(surprise(logits, truth).mean()) for logits in by_seed]
    filled[name] = right, loss
    print(f"{name:22} right", *(f"{r:6.1%}" for r in right), "  loss", *(f"{x:.3f}" for x in loss))

for word in ("m?ry", "jess?ca", "el?zabeth"):
    row = [MASK if letter == "?" else letters.index(letter) for letter in word]
    ((_, best),) = bert.fill([*row, *[END] * (11 - len(row))], MASK).items()
    print(f"  {word:10}", "  ".join(f"{[*letters, '.', '?'][token]} {p:.0%}" for token, p in best))

# %% [markdown]
# With all three seeds both are far above the commonest letter, and the BERT is right four to seven times more in a
# hundred than the GPT: the right side, and the length of the name, tell something too. For that, it cannot write.
#
# ### ViT reads digits
# The image is cut into sixteen patches of 2 x 2 pixels, and read as a sequence of them, after a learned vector at
# whose place the digit is read off. Here, too, only the positions tell where a patch was. Without them the ViT reads a
# bag of patches: how far does it come? And what do both say if the patches are shuffled, in each image in the same
# way?


# %%
def cut_and_shuffled(images: Any) -> Any:
    """The images with their patches in another order."""
    patches = images.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 2, 2)
    patches = patches[:, np.random.default_rng(0).permutation(16)]
    return patches.reshape(-1, 4, 4, 2, 2).swapaxes(2, 3).reshape(-1, 8, 8)


X, y = load_digits()
X_train, X_test, y_train, y_test = split(X.reshape(-1, 8, 8) / 16, y, rng=0)
X_cut = cut_and_shuffled(X_test)
vits = {"with": [vit], "without": []}
vits["with"] += [nn.ViT(size=8, patch=2, classes=10, width=width, rng=seed) for seed in range(1, seeds)]
for seed in range(seeds):
    bag = nn.ViT(size=8, patch=2, classes=10, width=width, rng=seed)
    nn.load_arrays(bag.positions, {"rows": np.zeros((17, width))})
    bag.positions.freeze()
    vits["without"].append(bag)

ask_vit, vit_right = {}, {}
print(f"held-out digits right, {seeds} seeds")
for name, some in vits.items():
    ask_vit[name] = [
        train(model, nn.cross_entropy, lambda *batch: batch, [X_train, y_train], epochs=4 if quick else 20)
        for model in some
    ]
    for what, images in (("as they are", X_test), ("shuffled", X_cut)):
        vit_right[name, what] = [nn.metrics.accuracy(ask(images), y_test) for ask in ask_vit[name]]
        print(
            f"  {name:7} positions, patches {what:12}", *(f"{right:6.1%}" for right in vit_right[name, what])
        )

# %% [markdown]
# A bag of patches is right 55 to 60 times in a hundred, whatever their order. With positions it is 92 to 95 times;
# but then the order is all-important, and shuffled images are little more than guessed at. A CNN of this size gets
# 98% right (`demos/together.py`). That neighbours belong together is built into a convolution; a ViT has to learn it,
# and 1,347 images are not many to learn it from.
#
# ## Where they look
# Every attention can be asked for its weights. Four heads of the BERT over a name, and what the ViT's class place
# takes from the patches of a digit. Look, but do not conclude too much: a weight says what is read, not what it is
# used for.


# %%
def looks(model: Any, x: Any) -> Any:
    """The weights of the first block's attention, for each head, while the model reads x."""
    seen: list[Any] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(module, nn.MultiHeadAttention):
            seen.append(np.array(module.weights(*inputs)).astype(float))

    with autograd.no_grad(), nn.watching(note):
        model(x)
    return seen[0]


name = "katherine"
fig, axes = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
for head, (ax, share) in enumerate(zip(axes, looks(bert, padded([name], 11)[0]), strict=True)):
    nn.plots.attention_map(share[: len(name), : len(name)], name, ax=ax).set_title(f"head {head}")
fig.suptitle("BERT: what each letter, a row, takes from the letters of the name")
fig.savefig(folder / "attention-heads.png", dpi=120)
print("picture:", folder / "attention-heads.png")

# %%
fig, axes = plt.subplots(1, 5, figsize=(11, 2.7), layout="constrained")
axes[0].imshow(X_test[0], cmap="Greys")
axes[0].set_title(f"a {y_test[0]}")
shares = looks(vit, X_test[0])[:, 0, 1:].reshape(4, 4, 4)
for head, (ax, share) in enumerate(zip(axes[1:], shares, strict=True)):
    shown = ax.imshow(
        share, cmap="Blues", vmin=0, vmax=shares.max(), extent=axes[0].get_images()[0].get_extent()
    )
    ax.set_title(f"head {head}")
fig.colorbar(shown, ax=axes, label="weight", shrink=0.8)
for ax in axes:
    ax.set(xticks=[1.5, 3.5, 5.5], yticks=[1.5, 3.5, 5.5], xticklabels=[], yticklabels=[])
    ax.tick_params(length=0)
    ax.grid(color="tab:red", alpha=0.4)  # the patches
fig.suptitle("ViT: what the class place takes from the patches")
fig.savefig(folder / "attention-patches.png", dpi=120)
print("picture:", folder / "attention-patches.png")

# %% [markdown]
# ## Exercises
# 1. Make an attention that returns the vector before each place: of which queries and keys?
# 2. With `nn.rotary`, q . k depends on how far two places are apart, and not on where they are. Show it.
# 3. Given a mask of your own, rows of True and False, let each place see itself and one neighbour on either side.
#    Whom does a second layer of it see?
#
# ## Where it lives
# `nn/attention.py`, `nn/positions.py`, `nn/transformer.py` (`TransformerBlock`), `nn/gpt.py`, `nn/bert.py`,
# `nn/vit.py`.
