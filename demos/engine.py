"""An autograd engine from nothing, in small steps: numbers that remember, the chain rule, and the right order."""

# %% [markdown]
# # Build the engine live
#
# How does a program know the derivative of what it computed? It writes down each step, and walks back.

# %%
from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import autograd
from demos.lessons import settings

quick, folder = settings()


class Number:
    """A number that can add and multiply."""

    def __init__(self, data: float) -> None:
        self.data = data

    def __add__(self, other: Number) -> Number:
        return Number(self.data + other.data)

    def __mul__(self, other: Number) -> Number:
        return Number(self.data * other.data)

    def __repr__(self) -> str:
        return f"Number({self.data:g})"


print(Number(-2.0) * Number(3.0) + Number(10.0))

# %% [markdown]
# ## Step 1: remember
#
# The answer is right, and nobody knows where it came from. So each result keeps its operands.


# %%
class Node:
    """A number that knows what it was made of."""

    def __init__(self, data: float, operands: tuple[Node, ...] = (), op: str = "", label: str = "") -> None:
        self.data, self.operands, self.op, self.label = data, operands, op, label

    def __add__(self, other: Node) -> Node:
        return Node(self.data + other.data, (self, other), "+")

    def __mul__(self, other: Node) -> Node:
        return Node(self.data * other.data, (self, other), "*")


def show(node: Node, depth: int = 0) -> None:
    name = f"{node.label} = " if node.label else ""
    print(f"{'    ' * depth}{name}{node.data:g}{'   made by ' if node.op else ''}{node.op}")
    for operand in node.operands:
        show(operand, depth + 1)


x, w, b = Node(3.0, label="x"), Node(-2.0, label="w"), Node(10.0, label="b")
z = w * x + b
z.label = "z"
y = z * z
y.label = "y"
show(y)

# %% [markdown]
# ## Step 2: the chain rule by hand
#
# y = z z, z = p + b, p = w x. From the end back, each gradient is the one after it times a local derivative:
#
#     dy/dy = 1      dy/dz = 2 z      dy/dp = dy/dz * 1      dy/db = dy/dz * 1
#     dy/dw = dy/dp * x      dy/dx = dy/dp * w

# %%
dy = 1.0
dz = dy * 2 * z.data
dp, db = dz * 1.0, dz * 1.0
dw, dx = dp * x.data, dp * w.data
by_hand = {"w": dw, "x": dx, "b": db}
print("by hand ", by_hand)


def line(w: float, x: float, b: float) -> float:
    return (w * x + b) ** 2


h = 1e-6
measured = {
    "w": (line(-2 + h, 3, 10) - line(-2 - h, 3, 10)) / (2 * h),
    "x": (line(-2, 3 + h, 10) - line(-2, 3 - h, 10)) / (2 * h),
    "b": (line(-2, 3, 10 + h) - line(-2, 3, 10 - h)) / (2 * h),
}
print("measured", {name: round(slope, 6) for name, slope in measured.items()})

# %% [markdown]
# ## Step 3: a number used twice
#
# In y = z z both factors are the same node. Going along each edge, and setting the gradient, the second edge forgets
# what the first one brought. Gradients of several uses add up. The smallest example is n + n, whose derivative is 2.

# %%
n = Node(5.0, label="n")
twice = n + n
setting, adding = {n: 0.0}, {n: 0.0}
for edge_end in twice.operands:  # the local derivative of + is 1 on each edge
    setting[edge_end] = 1.0
    adding[edge_end] += 1.0
print(f"d (n + n) / dn: setting {setting[n]:g}, adding {adding[n]:g}")

# %% [markdown]
# ## Step 4: each operation knows its own derivative
#
# A result gets a function `_backward` that hands its gradient to its operands, times the local derivative. It is
# written where the formula is, knows nothing of the rest of the graph, and adds.


# %%
class Value:
    """A number that remembers how it was made, and hands gradients back."""

    def __init__(self, data: float, operands: tuple[Value, ...] = ()) -> None:
        self.data, self.grad, self.operands = float(data), 0.0, operands
        self._backward: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Value:
        other = lift(other)
        out = Value(self.data + other.data, (self, other))

        def push() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = push
        return out

    def __mul__(self, other: Any) -> Value:
        other = lift(other)
        out = Value(self.data * other.data, (self, other))

        def push() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = push
        return out

    def __pow__(self, k: float) -> Value:
        return self.one(self.data**k, k * self.data ** (k - 1))

    def exp(self) -> Value:
        return self.one(math.exp(self.data), math.exp(self.data))

    def tanh(self) -> Value:
        return self.one(math.tanh(self.data), 1 - math.tanh(self.data) ** 2)

    def relu(self) -> Value:
        return self.one(max(self.data, 0.0), float(self.data > 0))

    def one(self, data: float, slope: float) -> Value:
        """The result of an operation on one number, with its local derivative."""
        out = Value(data, (self,))

        def push() -> None:
            self.grad += slope * out.grad

        out._backward = push
        return out

    def __neg__(self) -> Value:
        return self * -1

    def __sub__(self, other: Any) -> Value:
        return self + -lift(other)

    def __truediv__(self, other: Any) -> Value:
        return self * lift(other) ** -1

    __radd__, __rmul__ = __add__, __mul__


def lift(x: Any) -> Value:
    return x if isinstance(x, Value) else Value(x)


a, c = Value(0.5), Value(-1.5)
p = a * c
out = p.tanh()
out.grad = 1.0
out._backward()
p._backward()
print(f"d tanh(a c) / da = {a.grad:.6f}, / dc = {c.grad:.6f}")

# %% [markdown]
# ## Step 5: in which order?
#
# We called `_backward` by hand, from the end. The obvious program: call mine, then do the same with my operands.
# On a chain it works, and on n + n. Then comes a diamond: b is used by c and by d, which meet again in e.
#
#     b = a a      c = b + 1      d = 3 b      e = c d  =  3 a^4 + 3 a^2,  de/da = 12 a^3 + 6 a


# %%
def diamond(a: Any) -> Any:
    b = a * a
    c = b + 1
    d = b * 3
    return c * d


def naive(v: Value) -> None:
    v._backward()
    for operand in v.operands:
        naive(operand)


a = Value(2.0)
e = diamond(a)
e.grad = 1.0
naive(e)
wrong, right = a.grad, 12 * 2.0**3 + 6 * 2.0
print(f"de/da: naive {wrong:g}, right {right:g}")

# %% [markdown]
# When the walk comes to b the second time, b's gradient still holds what was handed on already, and hands it on again.
# A node must hand on once, and only when all that use it have handed to it. An order with operands before results is
# called topological; backward takes it from the end.


# %%
def topological(root: Value) -> list[Value]:
    order: list[Value] = []
    seen: set[Value] = set()

    def visit(v: Value) -> None:
        if v not in seen:
            seen.add(v)
            for operand in v.operands:
                visit(operand)
            order.append(v)  # after all its operands

    visit(root)
    return order


def backward(root: Value) -> None:
    root.grad = 1.0
    for v in reversed(topological(root)):
        v._backward()


a = Value(2.0)
backward(diamond(a))
print(f"de/da: in topological order {a.grad:g}")
in_order = a.grad

# %% [markdown]
# That is all of backpropagation.
#
# ## The package does the same
#
# `diamond` was written with operators alone, so it takes the package's Values as well, and they can be drawn.

# %%
drawn = autograd.Value(2.0, label="a")
end = diamond(drawn)
end.backward()
print(f"de/da: autograd {drawn.grad:g}")
try:
    print("picture:", autograd.render(end, folder / "engine-diamond.png"))
except RuntimeError as missing:  # neither `dot` nor pygraphviz is there
    print("no picture of the graph:", missing)

# %% [markdown]
# One graph proves little. So random ones: some numbers, then operations on whatever is there already, so that nodes
# are used again and again. Ours, the package's and finite differences must agree.

# %%
OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (b * b + 1),
    lambda a, b: (a * a + 1) ** 0.5 - b,
    lambda a, b: a.tanh(),
    lambda a, b: (a.tanh() * 2).exp(),
    lambda a, b: (a + b).relu(),
]


def grow(leaves: list[Any], seed: int) -> Any:
    """The same graph for the same seed, from whatever leaves."""
    rng, nodes = random.Random(seed), [*leaves]
    for _ in range(rng.randrange(5, 25)):
        operation, i, j = rng.choice(OPERATIONS), rng.randrange(len(nodes)), rng.randrange(len(nodes))
        nodes.append(operation(nodes[i], nodes[j]).tanh())
    return sum(nodes[len(leaves) :], nodes[0] * 0)


graphs = 50 if quick else 500
worst_package = worst_measured = 0.0
for seed in range(graphs):
    rng = random.Random(-seed)
    start = [rng.uniform(-2, 2) for _ in range(3)]
    ours, theirs = [Value(s) for s in start], [autograd.Value(s) for s in start]
    backward(grow(ours, seed))
    grow(theirs, seed).backward()
    for i in range(3):
        moved = [[s + step * (i == j) for j, s in enumerate(start)] for step in (h, -h)]
        up, down = (grow([Value(s) for s in point], seed).data for point in moved)
        worst_package = max(worst_package, abs(ours[i].grad - theirs[i].grad))
        worst_measured = max(worst_measured, abs(ours[i].grad - (up - down) / (2 * h)))
print(f"{graphs} random graphs, three gradients each; the largest difference")
print(f"  between our engine and the package:   {worst_package:.0e}")
print(f"  between our engine and measured ones: {worst_measured:.0e}")

# %% [markdown]
# ## What the package does besides
#
# `visit` calls itself, and Python's patience ends at some thousand calls. The package walks with a loop and a list.


# %%
def chain(v: Any, length: int = 100_000) -> Any:
    for _ in range(length):
        v = v + 1.0
    return v


deep = autograd.Value(0.0)
chain(deep).backward()
print(f"100,000 additions, autograd: gradient {deep.grad:g}")
try:
    backward(chain(Value(0.0)))
    too_deep = False
except RecursionError:
    too_deep = True
print(f"100,000 additions, our engine: {'RecursionError' if too_deep else 'fine'}")

# %% [markdown]
# And local derivatives as numbers instead of functions, so that graphs hold no cycles and go away at once; a table in
# which an operation is its formula and its rule; gradients of gradients, because rules are made of the same operations.
#
# ## Exercises
#
# 1. Add `sin` to our Value, in one line beside `exp`, and check it against finite differences.
# 2. Write `topological` without recursion, so that the chain of 100,000 works.
# 3. Train one neuron, tanh(w x + b), with our engine: from x = 1 to y = .5, and from x = -1 to y = -.8.
#
# ## Where it lives
#
# `autograd/value.py`: the node, `topological`, `backward`. `autograd/ops.py`: the table of operations and their rules.
# `autograd/transform.py`: `check_gradient`, finite differences that know their own error.
