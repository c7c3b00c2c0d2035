"""Scalars recorded once become the NumPy one would have written: read line by line, timed, and where it says no."""

# %% [markdown]
# # From scalars to matrices
# A network of scalars is easy to look at, and slow: each product is an object. Yet what it computes are sums of
# products, and those are matrices. `autograd.compile` watches the scalars of one sample once, finds the matrices among
# them, and writes the program that a person would have written. Here it is read, checked and timed.

# %%
import textwrap
import time
from collections.abc import Callable
from fractions import Fraction
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from autograd import Value
from demos.data import make_moons
from demos.lessons import settings

quick, folder = settings()

# %% [markdown]
# ## One neuron
# Three weights, three inputs, a bias, tanh: written with scalars, and called.

# %%
w = [Value(0.4, label="w[0]"), Value(-0.6, label="w[1]"), Value(0.9, label="w[2]")]
b = Value(0.1, label="b")


def neuron(x: Any) -> Any:
    return autograd.tanh(w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + b)


sample = [0.5, 0.8, 0.3]
inputs = [Value(number, label=f"x[{i}]") for i, number in enumerate(sample)]
eager = neuron(inputs)

compiled_neuron = autograd.compile(neuron)
print("scalars: ", eager.data)
print("compiled:", compiled_neuron(sample))
print()
print(compiled_neuron.source)

# %% [markdown]
# The function was called once more, with inputs that have no numbers; what it did with them is now this text, and
# nothing is recorded any more. No matrix yet: for three products plain Python is faster than NumPy.
#
# With `batch=True` the same function, still written for one sample, runs on many. Now the three weights are one vector:

# %%
samples = np.random.default_rng(0).normal(size=(5, 3))
batch_of_neuron = autograd.compile(neuron, batch=True)
outputs = batch_of_neuron(samples)
one_by_one = np.array([neuron(x).data for x in samples])
print(batch_of_neuron.source)
print(f"5 samples, at most {np.abs(outputs - one_by_one).max():.0e} away from the scalars")

# %% [markdown]
# ## Neurons side by side
# Four such neurons read the same three inputs. For one sample the source shows what is there to be found: look down the
# columns. Each line has the same x0, x1, x2, and its own row of weights.

# %%
layer = nn.Layer(3, 4, activation="tanh", rng=0)
of_one, of_many = autograd.compile(layer), autograd.compile(layer, batch=True)
of_one(sample)
layer_outputs = of_many(samples)
print(of_one.source)
print(of_many.source)

# %% [markdown]
# How can a program see that? Number the parameters as they are kept, neuron after neuron, weights before the bias, and
# the inputs, too. Four sums of three products are then two tables, one of the weights, one of the inputs: a row for
# each sum, a column for each product. The rule: **if one table has R different rows, the other C, and the sums are all
# R x C pairs of them, it is a matrix product.** Where the numbers of a table go up in even steps, no copy is made: it
# is a view of the array in which they are.
#
# The gradients are sums of products as well, so the same rule finds their matrices:


# %%
def product(name: str, left: Any, right: Any) -> tuple[int, int, int]:
    """The different rows of both tables, and how many sums there are."""
    left, right = np.array(left), np.array(right)
    rows, columns = len(np.unique(left, axis=0)), len(np.unique(right, axis=0))
    shapes = f"({rows}, {left.shape[1]}) @ ({left.shape[1]}, {columns})"
    print(f"{name:15} {len(left):2} sums of {left.shape[1]} = {rows} x {columns} pairs of rows: {shapes}")
    return rows, columns, len(left)


place = {p: i for i, p in enumerate(layer.parameters())}
weights = [[place[v] for v in unit.w] for unit in layer.neurons]
print("the weights of the four sums:", weights)
print("as a view:                   ", np.arange(16).reshape(4, 4)[:, :3].tolist())
found = {
    "z = W x": product("z = W x", weights, [[0, 1, 2]] * 4),
    "dx = W.T dz": product("dx = W.T dz", np.transpose(weights), [[0, 1, 2, 3]] * 3),
    "dW = dz x": product(
        "dW = dz x", [[i] for i in range(4) for _ in range(3)], [[j] for _ in range(4) for j in range(3)]
    ),
}

# %% [markdown]
# ## Two pictures of one layer
# The scalars, a box for each number, and the program, a box for each line.

# %%
can_draw = True
try:
    labelled = [Value(number, label=f"x[{i}]") for i, number in enumerate(sample)]
    print("picture:", autograd.render(layer(labelled), folder / "compiling-scalars.png", local_grads=False))
    print("picture:", autograd.render(of_many.draw(), folder / "compiling-program.png"))
except RuntimeError as missing:  # neither `dot` nor pygraphviz is there
    can_draw = False
    print("no pictures of graphs:", missing)

# %% [markdown]
# ## A network and its gradient
# Two hidden layers and the squared error. `wrt` says by what to differentiate, here by all parameters of the model; the
# gradient comes as one array, in the order of `model.parameters()`.

# %%
model = nn.MLP(8, [12, 10, 1], activation="relu", rng=0)
rng = np.random.default_rng(1)
X, y = rng.normal(size=(50, 8)), rng.normal(size=50)


def error(x: Any, y: Any) -> Any:
    return nn.mse(model(x), y)


program = autograd.compile(error, wrt=model)
loss, gradient = program.value_and_grad(X[0], y[0])
print(program.source)

scalar_loss = error(X[0], y[0])
model.zero_grad()
scalar_loss.backward()
scalar_gradient = np.array([p.grad for p in model.parameters()])
differ = max(abs(loss - scalar_loss.data), float(np.abs(gradient - scalar_gradient).max()))
print(f"value and {len(gradient)} slopes: at most {differ:.0e} away from the scalars")

# %% [markdown]
# Forward the lines are read downwards, backward upwards: each has its answer.

# %%
lines = [line.partition("  #")[0].strip() for line in program.source.splitlines() if line.startswith(" ")]
beside = {
    "h1 =": ["dz1 =", "dW1[", "db1["],
    "h2 =": ["dz2 =", "dW2[", "db2["],
    "s =": ["ds =", "dw3[", "g["],
}
pairs = {}
print(f"{'forward, down':35}backward, up")
for start, answers in beside.items():
    (forward,) = [line for line in lines if line.startswith(start)]
    pairs[forward] = [line for answer in answers for line in lines if line.startswith(answer)]
    for left, right in zip([forward, "", ""], pairs[forward], strict=True):
        print(f"{left:35}{right}")

# %% [markdown]
# Why `W2.T @ dz2`? The number h1[j] goes to all ten neurons of the next layer, and to neuron i by the weight W2[i, j].
# The chain rule adds up what comes back on all those ways:
#
#     dL/dh1[j] = W2[0, j] dz2[0] + W2[1, j] dz2[1] + ... + W2[9, j] dz2[9]
#
# That is column j of W2 times dz2, so row j of its transpose. From z to h there is the ReLU in between, whose slope is
# 1 or 0: `np.sign(h1)`, as h1 is never negative. Nothing comes back through a neuron that is off.

# %%
first, second, _ = model.layers
z1 = np.array([unit.z.data for unit in first.neurons])
dz1 = np.array([float(unit.z.grad) for unit in first.neurons])
dz2 = np.array([float(unit.z.grad) for unit in second.neurons])
W2 = np.array([[v.data for v in unit.w] for unit in second.neurons])
h1 = np.maximum(z1, 0)

j = int(np.argmax(h1))  # a neuron that is on
ways = [W2[i, j] * dz2[i] for i in range(10)]
print(f"h1[{j}] by its ten ways:", " ".join(f"{way:+.3f}" for way in ways))
print(f"their sum {sum(ways):.12f}")
print(f"W2.T @ dz2 {(W2.T @ dz2)[j]:.12f}")
print(f"backward   {dz1[j]:.12f}")

# %% [markdown]
# Why an outer product for dW, and why is db just dz? A weight has one way out: z2[i] = ... + W2[i, j] h1[j] + ... +
# b2[i]. Its slope is dz2[i] h1[j], each i with each j; that of the bias dz2[i] times 1.

# %%
dW2 = np.array([[v.grad for v in unit.w] for unit in second.neurons])
db2 = np.array([unit.b.grad for unit in second.neurons])
outer_differs = float(np.abs(dW2 - np.outer(dz2, h1)).max())
bias_differs = float(np.abs(db2 - dz2).max())
print(f"dW2: (10, 12), differs from the outer product of dz2 and h1 by {outer_differs:.0e}")
print(f"db2: (10,), differs from dz2 by {bias_differs:.0e}")

# %% [markdown]
# ## Batches: samples are one more axis
# The same scalars once more, with `batch=True`: still one sample is recorded. What depends on an input gets a leading
# axis, n samples; parameters have none. A sample is now a row, so W @ x becomes x @ W.T. And the gradient of a
# parameter is a sum over the samples, which is one more sum of products: fifty outer products, added up, are
# `dz2.T @ h1`.

# %%
batch_program = autograd.compile(error, wrt=model, batch=True)
mean_loss, mean_gradient = batch_program.value_and_grad(X, y)
print(batch_program.source)

single = [program.value_and_grad(x, t) for x, t in zip(X, y, strict=True)]
loop_loss = float(np.mean([value for value, _ in single]))
loop_gradient = np.mean([slopes for _, slopes in single], axis=0)
batch_differs = max(abs(mean_loss - loop_loss), float(np.abs(mean_gradient - loop_gradient).max()))
print(f"50 samples at once: at most {batch_differs:.0e} away from the mean of a loop over them")
batch_program.value_and_grad(X[:7], y[:7])
print("batches of 50, and of 7:", batch_program)
if can_draw:
    print("picture:", autograd.render(batch_program.draw(), folder / "compiling-gradient.png"))

# %% [markdown]
# ## How fast
# Four ways to the loss of 32 samples and its gradient, for networks of two hidden layers, narrow and wide:
# scalars with `backward`; the program of one sample, in a loop; the program of a batch; and NumPy by hand:


# %%
def matrices(layer: Any) -> tuple[Any, Any]:
    """W and b of a layer."""
    W = np.array([[v.data for v in unit.w] for unit in layer.neurons])
    return W, np.array([unit.b.data for unit in layer.neurons])


def by_hand(parts: list[Any], X: Any, y: Any) -> tuple[float, list[Any]]:
    (W1, b1), (W2, b2), (W3, b3) = parts
    h1 = np.maximum(X @ W1.T + b1, 0)
    h2 = np.maximum(h1 @ W2.T + b2, 0)
    s = (h2 @ W3.T + b3)[:, 0] - y
    ds = (2 / len(X) * s)[:, None]
    dz2 = (h2 > 0) * (ds @ W3)
    dz1 = (h1 > 0) * (dz2 @ W2)
    slopes = [(dz1.T @ X, dz1.sum(0)), (dz2.T @ h1, dz2.sum(0)), (ds.T @ h2, ds.sum(0))]
    return float(s @ s / len(X)), slopes


def seconds(call: Callable[[], Any], times: int) -> float:
    """The median of so many calls."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def race(width: int) -> dict[str, Any]:
    """The four ways, their numbers compared before they are timed."""
    model = nn.MLP(8, [width, width, 1], activation="relu", rng=0)
    X, y = (rng.normal(size=shape) for shape in ((32, 8), 32))

    def error(x: Any, y: Any) -> Any:
        return nn.mse(model(x), y)

    def scalars() -> tuple[float, Any]:
        model.zero_grad()
        total = sum(error(x, t) for x, t in zip(X, y, strict=True)) / 32
        total.backward()
        return total.data, [p.grad for p in model.parameters()]

    def loop() -> tuple[float, Any]:
        found = [of_one.value_and_grad(x, t) for x, t in zip(X, y, strict=True)]
        return sum(value for value, _ in found) / 32, sum(slopes for _, slopes in found) / 32

    of_one, of_many = autograd.compile(error, wrt=model), autograd.compile(error, wrt=model, batch=True)
    first_call = seconds(lambda: of_many.value_and_grad(X, y), 1)  # it records and compiles
    parts = [matrices(layer) for layer in model.layers]

    expected, slopes = of_many.value_and_grad(X, y)
    hand, hand_slopes = by_hand(parts, X, y)
    in_order = np.concatenate([np.column_stack([dW, db]).ravel() for dW, db in hand_slopes])
    differ = 0.0
    for value, found in (scalars(), loop(), (hand, in_order)):
        differ = max(differ, abs(value - expected), float(np.abs(found - slopes).max()))
    return {
        "parameters": model.count_parameters(),
        "differ": differ,
        "scalars": seconds(scalars, 3),
        "loop": seconds(loop, 5),
        "compiled": seconds(lambda: of_many.value_and_grad(X, y), 200),
        "by hand": seconds(lambda: by_hand(parts, X, y), 200),
        "first call": first_call,
    }


widths = (4, 16) if quick else (4, 8, 16, 32, 64)
races = [race(width) for width in widths]
print(f"all within {max(row['differ'] for row in races):.0e} of each other; milliseconds, medians:")
print(f"{'parameters':>10}{'scalars':>10}{'loop':>8}{'compiled':>10}{'by hand':>9}", end="")
print(f"{'scalars / compiled':>21}{'compiled / by hand':>21}")
for row in races:
    print(f"{row['parameters']:10,}{1e3 * row['scalars']:10.1f}{1e3 * row['loop']:8.2f}", end="")
    print(f"{1e3 * row['compiled']:10.3f}{1e3 * row['by hand']:9.3f}", end="")
    print(f"{row['scalars'] / row['compiled']:21,.0f}{row['compiled'] / row['by hand']:21.2f}")

# %%
figure, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
sizes = [row["parameters"] for row in races]
for name, label, style in (
    ("first call", "compiled, the first call", "x:"),
    ("scalars", "scalars, recorded each time", "o-"),
    ("loop", "compiled for one sample, in a loop", "s-"),
    ("compiled", "compiled for a batch", "^-"),
    ("by hand", "NumPy by hand", "v--"),
):
    ax.loglog(sizes, [1e3 * row[name] for row in races], style, label=label)
ax.set(title="Loss of 32 samples and its gradient", xlabel="parameters", ylabel="milliseconds")
figure.legend(loc="outside right upper")
figure.savefig(folder / "compiling-speed.png", dpi=120)
print("picture:", folder / "compiling-speed.png")

# %% [markdown]
# The scalars take longer with each parameter, for each product is one more step in Python. The arrays hardly do: at
# these sizes it is the calls of NumPy that count, and not the numbers in them. So hundreds of times as fast become
# thousands, and a loop over the samples, which makes the calls for each of them, takes more than ten times as long.
#
# ## What cannot be compiled
# A recording holds what was done, and not what was not done. An `if` that looks at an input would be decided once,
# while recording, and the decision would hold for every later call: so it is refused, with its line and what to write.


# %%
def bent(x: Any) -> Any:
    if x > 0:
        return x
    return 0.1 * x


print("scalars:", bent(Value(2.0)).data, bent(Value(-2.0)).data)
try:
    autograd.compile(bent)(2.0)
except TypeError as refusal:
    refused = str(refusal)
    print(textwrap.fill(f"compiled: {refused}", 100, break_long_words=False, break_on_hyphens=False))


# %% [markdown]
# `where` has both sides in the recording, and chooses with each call.


# %%
def bent_by_where(x: Any) -> Any:
    return autograd.where(autograd.above(x, 0.0), x, 0.1 * x)


places = [-2.0, -0.5, 0.0, 0.5, 2.0]
bends = autograd.compile(bent_by_where, batch=True)
bent_outputs = bends(np.array(places))
bent_slopes = [autograd.compile(bent_by_where).value_and_grad(x)[1] for x in places]
eager_outputs = [bent(Value(x)).data for x in places]
eager_slopes = [autograd.grad(bent)(x) for x in places]
print(bends.source)
print("x       ", places)
print("if      ", eager_outputs, "slopes", eager_slopes)
print("where   ", bent_outputs.tolist(), "slopes", bent_slopes)

# %% [markdown]
# Both sides are computed, so it costs both. And the side that is not chosen still has a slope, which counts 0 times: if
# it is infinite or no number, 0 times it is no number either, in scalars as in arrays. Give that side an input that
# does no harm:


# %%
def careless(x: Any) -> Any:
    return autograd.where(autograd.above(x, 0.0), autograd.log(x), 0.0)


def careful(x: Any) -> Any:
    return autograd.where(autograd.above(x, 0.0), autograd.log(autograd.maximum(x, 1e-300)), 0.0)


unchosen = {
    f.__name__: (autograd.grad(f)(-1.0), autograd.compile(f).value_and_grad(-1.0)[1])
    for f in (careless, careful)
}
for name, (by_scalar, by_program) in unchosen.items():
    print(f"{name}: slope at -1 by scalars {by_scalar}, compiled {by_program}")

# %% [markdown]
# The same with an index that is an input, such as a token or a class: `rows[i]` would be one row for ever, `take` takes
# the row that is asked for. Here a table of three rows; the gradient shows how often each was taken.

# %%
rows = [[Value(float(10 * i + j), label=f"E[{i}][{j}]") for j in range(2)] for i in range(3)]
flat = [v for row in rows for v in row]

try:
    autograd.compile(lambda i: sum(rows[i]))(1)
except TypeError as refusal:
    refused_index = str(refusal)
    print(refused_index.partition(", but")[0], "...")

looked_up = autograd.compile(lambda i: sum(autograd.take(rows, i)), wrt=flat, batch=True)
tokens = np.array([0, 2, 2, 2])
sums = looked_up(tokens)
taken = looked_up.value_and_grad(tokens)[1].reshape(3, 2)
print("sums of the rows 0, 2, 2, 2:", sums)
print("gradient of their mean:     ", taken.tolist())

# %% [markdown]
# A loop of a fixed number of rounds is no problem. They are recorded one after the other, and in the program what comes
# again and again is a loop once more; here a memory that reads a sequence number by number:

# %%
keep, take_in = Value(0.5, label="keep"), Value(0.8, label="take_in")


def remembered(xs: Any) -> Any:
    h = 0.0
    for x in xs:
        h = autograd.tanh(take_in * x + keep * h)
    return h


remember = autograd.compile(remembered, batch=True)
sequences = rng.normal(size=(5, 20))
memories = remember(sequences)
memories_differ = max(abs(remembered(xs).data - h) for xs, h in zip(sequences, memories, strict=True))
print(remember.source)
print(f"5 sequences of 20, at most {memories_differ:.0e} away from the scalars")

# %% [markdown]
# A `while` that looks at an input is a choice again (exercise 3).
#
# ## Training
# `nn.train_step` compiles all of a step: forward, backward and the optimiser's update. Two networks that begin the same
# learn the moons, one by scalars, one compiled.

# %%
points, moon = make_moons(200, noise=0.15, rng=0)
new_points, new_moon = make_moons(1000, noise=0.15, rng=1)
by_scalars, by_arrays = (nn.MLP(2, [16, 16, 1], activation="tanh", rng=0) for _ in range(2))
optimizer = nn.Adam(by_scalars.parameters(), lr=0.02)
steps = 5 if quick else 50

begin = time.perf_counter()
for _ in range(steps):
    total = nn.binary_cross_entropy([by_scalars(x) for x in points], moon)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
scalar_step = (time.perf_counter() - begin) / steps

step = nn.train_step(by_arrays, nn.binary_cross_entropy, nn.Adam(by_arrays.parameters(), lr=0.02))
begin = time.perf_counter()
step(points, moon)
first_step = time.perf_counter() - begin
array_step = seconds(lambda: step(points, moon), steps - 1)

trained = [np.array([p.data for p in net.parameters()]) for net in (by_scalars, by_arrays)]
training_differs = float(np.abs(trained[0] - trained[1]).max())
print(f"after {steps} steps of each, {len(trained[0])} parameters differ by at most {training_differs:.0e}")
print(f"a step by scalars {1e3 * scalar_step:.1f} ms, compiled {1e3 * array_step:.3f} ms: ", end="")
print(f"{scalar_step / array_step:,.0f} times as fast; the first one took {1e3 * first_step:.0f} ms")

for _ in range(500 - steps):
    last_loss = step(points, moon)
right = nn.metrics.accuracy(autograd.compile(by_arrays, batch=True)(new_points), new_moon)
print(f"after 500 steps: loss {last_loss:.4f}, right of 1,000 new points {right:.1%}")

# %% [markdown]
# ## Where the parameters are
# All in one array, neuron after neuron, so that the optimiser moves them with a few operations however many layers
# there are. The matrices are views of it: other shapes and steps over the same memory, no copies. The first line of
# the source, typed by hand:

# %%
print("\n".join(step.source.splitlines()[:6]))
p = np.array([v.data for v in by_arrays.parameters()])
W1 = p[:48].reshape(16, 3)[:, :2]
print("W1:", W1.shape, "strides", W1.strides, "bytes; a view of p:", np.shares_memory(W1, p))
same_weights = bool((matrices(by_arrays.layers[0])[0] == W1).all())
print("the weights of the first layer, row by row:", same_weights)

# %% [markdown]
# The Values of the model show the trained numbers after each step, and what is assigned to them counts in the next.
#
# ## What it costs
# Three things. **Time, once**: the first call records one sample and looks for the matrices. How many steps until that
# is paid back?

# %%
paid_back = [row["first call"] / (row["scalars"] - row["compiled"]) for row in races]
print("parameters  first call  the time of")
for row, count in zip(races, paid_back, strict=True):
    print(f"{row['parameters']:10,}{1e3 * row['first call']:9.0f} ms{count:8.1f} steps by scalars")

# %% [markdown]
# **Again for each shape**: a program is for samples of one shape (not for one size of the batch). Others are recorded
# when they first come, and kept.

# %%
recorded_at: list[int] = []


def energy(x: Any) -> Any:
    recorded_at.append(len(x))
    return sum(v * v for v in x)


energies = autograd.compile(energy, batch=True)
by_shape = []
for n, size in ((5, 100), (5, 200), (5, 100), (50, 200), (5, 1000), (900, 100)):
    data = rng.normal(size=(n, size))
    before = len(recorded_at)
    begin = time.perf_counter()
    energies(data)
    milliseconds = 1e3 * (time.perf_counter() - begin)
    by_shape.append(len(recorded_at) > before)
    print(f"{n:3} samples of {size:4}: {milliseconds:6.2f} ms{', recorded' if by_shape[-1] else ''}")
print(energies)

# %% [markdown]
# **The last digits**: a product of matrices adds up its products in an order of its own, and floating-point sums depend
# on the order. So compiled and eager agree to rounding, and not to the bit. Neither is the right one: here are both,
# against the exact sums, in fractions.

# %%
wide = nn.Layer(400, 50, activation="identity", rng=0)
x = rng.normal(size=400)
in_order_of_scalars = np.array([out.data for out in wide(x)])
in_order_of_product = autograd.compile(wide)(x)
exact = [
    sum(Fraction(v.data) * Fraction(t) for v, t in zip(unit.w, x.tolist(), strict=True))
    + Fraction(unit.b.data)
    for unit in wide.neurons
]
off = {
    name: max(abs(float(Fraction(a) - e)) for a, e in zip(sums.tolist(), exact, strict=True))
    for name, sums in (("scalars", in_order_of_scalars), ("compiled", in_order_of_product))
}
other_digits = int(np.sum(in_order_of_scalars != in_order_of_product))
apart = float(np.abs(in_order_of_scalars - in_order_of_product).max())
print(f"of 50 sums of 400 products {other_digits} have other last digits, at most {apart:.0e} apart")
print(f"off the exact sums by at most: scalars {off['scalars']:.0e}, compiled {off['compiled']:.0e}")

# %% [markdown]
# ## Exercises
# 1. A neuron without activation and the mean squared error are linear regression. What is the gradient by its weights,
#    in one line with matrices X, y and w? Derive it, then find it in the source.
# 2. Write attention with scalars and loops, for a few tokens: `scores[i][j]`, a sum of products of `q[i]` and `k[j]`,
#    then `softmax` of each row, then sums of products with `v`. Compile it. How many `@` has the source?
# 3. Newton's way to the square root of a: begin with x = a; while |x x - a| > 1e-9 a, x becomes (x + a / x) / 2. Why
#    can that not be compiled? Write it with a fixed number of rounds, in which `where` leaves alone what has arrived,
#    and count the rounds that each number took.
#
# ## Where it lives
# `autograd/compiler/`, one pass after another; read them in this order. `autograd/compiler/traced.py` and
# `autograd/compiler/record.py` call the function once, on Values without numbers; `autograd/compiler/graph.py` is the
# recording as plain data, and its gradient; `autograd/compiler/simplify.py` and `autograd/compiler/sums.py` make all
# that is linear sums of products; `autograd/compiler/grouping.py` has the rule of the rows,
# `autograd/compiler/views.py` finds slices in indices; `autograd/compiler/products.py` and
# `autograd/compiler/emit.py` write lines, `autograd/compiler/loops.py` finds those that come again,
# `autograd/compiler/text.py` makes a function of them, and `autograd/compiler/straight.py` the plain Python of small
# programs; `autograd/compiler/program.py` is `compile` itself. `nn/training.py`: `train_step`.
