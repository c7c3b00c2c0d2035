"""(c) A GPT of one block in the shape of microgpt, on one document, a name: loss, gradients, one step of Adam.

16 wide, 4 heads, RMSNorm without gain, a ReLU network of 64 between, 27 tokens, at most 16 of them, no biases, learned
positions, a head of its own: 4,192 parameters. Every engine starts from the same ones, in the same order.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from .job import Job, flat, jax_alone, torch_alone, with_start

TOKENS, WIDTH, HEADS, CONTEXT, HIDDEN = 27, 16, 4, 16, 64
HEAD = WIDTH // HEADS
SCALE, EPSILON = HEAD**-0.5, 1e-5
RATE, BETA1, BETA2, TINY = 1e-4, 0.9, 0.999, 1e-8  # so small a rate that thousands of steps leave work to do
NAMES = {8: "anthony", 16: "christopherjohn"}  # so many tokens each, with the one that begins and ends a name
SHAPES = {
    "tokens": (TOKENS, WIDTH),
    "positions": (CONTEXT, WIDTH),
    "query": (WIDTH, WIDTH),
    "key": (WIDTH, WIDTH),
    "value": (WIDTH, WIDTH),
    "mix": (WIDTH, WIDTH),
    "widen": (HIDDEN, WIDTH),
    "narrow": (WIDTH, HIDDEN),
    "head": (TOKENS, WIDTH),
}


def document(length: int) -> tuple[Any, Any]:
    """The tokens of a name, and what follows each."""
    edge = TOKENS - 1
    codes = np.array([edge, *(ord(letter) - ord("a") for letter in NAMES[length]), edge])
    return codes[:-1], codes[1:]


def start() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(0.0, 0.08, shape) for name, shape in SHAPES.items()}


# Ours: scalars, compiled or as they are ---------------------------------------------------------------------------


def model() -> Any:
    import nn

    plain = partial(nn.RMSNorm, gain=False)
    sizes: dict[str, Any] = {"width": WIDTH, "heads": HEADS, "context": CONTEXT, "hidden": HIDDEN}
    norms: dict[str, Any] = {"normalization": plain, "norm_first": True, "norm_last": False}
    gpt = nn.GPT(TOKENS, **sizes, **norms, activation="relu", bias=False)
    return with_start(gpt, start().values())


def loss(logits: Any, targets: Any) -> Any:
    import nn

    return nn.cross_entropy(logits, targets)


def adam(gpt: Any) -> Any:
    import nn

    return nn.Adam(gpt.parameters(), lr=RATE, betas=(BETA1, BETA2), eps=TINY)


def ours(length: int) -> Job:
    import nn

    gpt = model()
    step = nn.train_step(gpt, loss, adam(gpt), batch=False)
    tokens, targets = document(length)
    return Job(lambda: step(tokens, targets), lambda value: [value, *(p.data for p in gpt.parameters())])


def ours_gradients(length: int) -> Job:
    import autograd

    gpt = model()
    program = autograd.compile(lambda tokens, targets: loss(gpt(tokens), targets), wrt=gpt)
    tokens, targets = document(length)
    return Job(lambda: program.value_and_grad(tokens, targets), lambda found: flat(*found))


def eager(length: int) -> Job:
    gpt = model()
    optimizer = adam(gpt)
    tokens, targets = (part.tolist() for part in document(length))

    def run() -> float:
        value = loss(gpt(tokens), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return float(value)

    return Job(run, lambda value: [value, *(p.data for p in gpt.parameters())])


# An engine of scalars in the manner of microgpt's: local gradients, a recursive sort, no dependencies ----------------


class Scalar:
    __slots__ = ("children", "data", "grad", "local_grads")

    def __init__(self, data: float, children: Any = (), local_grads: Any = ()) -> None:
        self.data, self.grad, self.children, self.local_grads = data, 0.0, children, local_grads

    def __add__(self, other: Any) -> Scalar:
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other: Any) -> Scalar:
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> Scalar:
        return Scalar(self.data**power, (self,), (power * self.data ** (power - 1),))

    def exp(self) -> Scalar:
        return Scalar(math.exp(self.data), (self,), (math.exp(self.data),))

    def log(self) -> Scalar:
        return Scalar(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Scalar:
        return Scalar(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self) -> Scalar:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __truediv__(self, other: Any) -> Any:
        return self * other**-1

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        order: list[Scalar] = []
        visited: set[Scalar] = set()

        def visit(v: Scalar) -> None:
            if v not in visited:
                visited.add(v)
                for child in v.children:
                    visit(child)
                order.append(v)

        visit(self)
        self.grad = 1
        for v in reversed(order):
            for child, local in zip(v.children, v.local_grads):  # noqa: B905 (as one writes it for speed)
                child.grad += local * v.grad


def scalars(length: int) -> Job:
    weights = {
        name: [[Scalar(v) for v in row] for row in matrix.tolist()] for name, matrix in start().items()
    }
    parameters = [v for matrix in weights.values() for row in matrix for v in row]
    tokens, targets = (part.tolist() for part in document(length))
    m, v, t = [0.0] * len(parameters), [0.0] * len(parameters), 0

    def linear(x: list[Any], name: str) -> list[Any]:
        return [sum(wi * xi for wi, xi in zip(row, x, strict=True)) for row in weights[name]]

    def softmax(z: list[Any]) -> list[Any]:
        top = max(v.data for v in z)
        powers = [(v - top).exp() for v in z]
        total = sum(powers)
        return [e / total for e in powers]

    def norm(x: list[Any]) -> list[Any]:
        scale = (sum(v * v for v in x) / len(x) + EPSILON) ** -0.5
        return [v * scale for v in x]

    def plus(x: list[Any], y: list[Any]) -> list[Any]:
        return [a + b for a, b in zip(x, y, strict=True)]

    def next_token(token: int, position: int, keys: list[Any], values: list[Any]) -> list[Any]:
        x = norm(plus(weights["tokens"][token], weights["positions"][position]))
        y = norm(x)
        query = linear(y, "query")
        keys.append(linear(y, "key"))
        values.append(linear(y, "value"))
        seen = []
        for i in range(0, WIDTH, HEAD):
            scores = [sum(query[j] * key[j] for j in range(i, i + HEAD)) * SCALE for key in keys]
            shares = softmax(scores)
            seen += [
                sum(p * value[j] for p, value in zip(shares, values, strict=True)) for j in range(i, i + HEAD)
            ]
        x = plus(x, linear(seen, "mix"))
        x = plus(x, linear([v.relu() for v in linear(norm(x), "widen")], "narrow"))
        return softmax(linear(x, "head"))

    def run() -> Any:
        nonlocal t
        keys: list[Any] = []
        values: list[Any] = []
        losses = [
            -next_token(token, position, keys, values)[target].log()
            for position, (token, target) in enumerate(zip(tokens, targets, strict=True))
        ]
        value = sum(losses) / len(losses)
        value.backward()
        t += 1
        for i, p in enumerate(parameters):
            m[i] = BETA1 * m[i] + (1 - BETA1) * p.grad
            v[i] = BETA2 * v[i] + (1 - BETA2) * p.grad**2
            p.data -= RATE * (m[i] / (1 - BETA1**t)) / ((v[i] / (1 - BETA2**t)) ** 0.5 + TINY)
            p.grad = 0.0
        return value.data

    return Job(run, lambda value: [value, *(p.data for p in parameters)])


# NumPy: forward and backward by hand, all parameters one vector ---------------------------------------------------


def views(vector: Any) -> list[Any]:
    """The matrices in a vector of all parameters; query, key and value are one."""
    shapes = [*SHAPES.values()]
    shapes[2:5] = [(3 * WIDTH, WIDTH)]
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True)]


class Handwritten:
    def __init__(self, length: int) -> None:
        self.parameters = np.array(flat(*start().values()))
        self.gradient = np.zeros_like(self.parameters)
        self.weights, self.slopes = views(self.parameters), views(self.gradient)
        self.m, self.v = np.zeros((2, len(self.parameters)))
        self.t = 0
        self.tokens, self.targets = document(length)
        self.mask = np.triu(np.full((length, length), -np.inf), 1)
        self.places = np.arange(length)

    def loss_and_gradient(self) -> Any:
        tokens, targets, places, n = self.tokens, self.targets, self.places, len(self.tokens)
        E, P, Wqkv, Wmix, Wwiden, Wnarrow, Whead = self.weights
        dE, dP, dWqkv, dWmix, dWwiden, dWnarrow, dWhead = self.slopes

        x0, r0 = normed(E[tokens] + P[:n])
        y0, r1 = normed(x0)
        q, k, v = (y0 @ Wqkv.T).reshape(n, 3, HEADS, HEAD).transpose(1, 2, 0, 3)
        a = q @ k.transpose(0, 2, 1)
        a *= SCALE
        a += self.mask
        a -= a.max(2, keepdims=True)
        np.exp(a, out=a)
        a /= a.sum(2, keepdims=True)
        seen = (a @ v).transpose(1, 0, 2).reshape(n, WIDTH)
        x1 = seen @ Wmix.T
        x1 += x0
        y1, r2 = normed(x1)
        h = y1 @ Wwiden.T
        np.maximum(h, 0.0, out=h)
        x2 = h @ Wnarrow.T
        x2 += x1
        z = x2 @ Whead.T
        z -= z.max(1, keepdims=True)
        picked = z[places, targets]
        np.exp(z, out=z)
        total = z.sum(1, keepdims=True)
        loss = (np.log(total[:, 0]) - picked).mean()

        z /= total
        z[places, targets] -= 1.0
        z /= n
        np.matmul(z.T, x2, out=dWhead)
        dx = z @ Whead
        np.matmul(dx.T, h, out=dWnarrow)
        dh = dx @ Wnarrow
        dh *= h > 0.0
        np.matmul(dh.T, y1, out=dWwiden)
        dx += through_norm(dh @ Wwiden, y1, r2)
        np.matmul(dx.T, seen, out=dWmix)
        dseen = (dx @ Wmix).reshape(n, HEADS, HEAD).transpose(1, 0, 2)
        da = dseen @ v.transpose(0, 2, 1)
        da -= (da * a).sum(2, keepdims=True)
        da *= a
        da *= SCALE
        dqkv = np.empty((n, 3 * WIDTH))
        dq, dk, dv = dqkv.reshape(n, 3, HEADS, HEAD).transpose(1, 2, 0, 3)
        np.matmul(da, k, out=dq)
        np.matmul(da.transpose(0, 2, 1), q, out=dk)
        np.matmul(a.transpose(0, 2, 1), dseen, out=dv)
        np.matmul(dqkv.T, y0, out=dWqkv)
        dx += through_norm(dqkv @ Wqkv, y0, r1)
        dx = through_norm(dx, x0, r0)
        dP[:n] = dx
        dE.fill(0.0)
        np.add.at(dE, tokens, dx)
        return float(loss), self.gradient

    def step(self) -> float:
        value, g = self.loss_and_gradient()
        m, v = self.m, self.v
        self.t += 1
        m *= BETA1
        m += (1.0 - BETA1) * g
        v *= BETA2
        g *= g
        g *= 1.0 - BETA2
        v += g
        np.sqrt(v, out=g)
        g *= (1.0 - BETA2**self.t) ** -0.5
        g += TINY
        np.divide(m, g, out=g)
        g *= RATE / (1.0 - BETA1**self.t)
        self.parameters -= g
        return float(value)


def normed(x: Any) -> tuple[Any, Any]:
    """x / (the mean of its squares)^(1/2), row by row, and the factors."""
    scale = np.einsum("ij,ij->i", x, x)
    scale /= WIDTH
    scale += EPSILON
    np.sqrt(scale, out=scale)
    np.reciprocal(scale, out=scale)
    return x * scale[:, None], scale[:, None]


def through_norm(dy: Any, y: Any, scale: Any) -> Any:
    dy -= y * (np.einsum("ij,ij->i", dy, y) / WIDTH)[:, None]
    dy *= scale
    return dy


def handwritten(length: int) -> Job:
    gpt = Handwritten(length)
    return Job(gpt.step, lambda value: [value, *gpt.parameters])


def handwritten_gradients(length: int) -> Job:
    return Job(Handwritten(length).loss_and_gradient, lambda found: flat(*found))


# NumPy without tricks: the formulas, and the rules of calculus in reverse, everything new at each call ----------------


def rms_norm(x: Any) -> tuple[Any, Any]:
    scale = (np.mean(x**2, axis=1, keepdims=True) + EPSILON) ** -0.5
    return x * scale, scale


def rms_norm_backward(dy: Any, y: Any, scale: Any) -> Any:
    return scale * (dy - y * np.mean(dy * y, axis=1, keepdims=True))


def softmax(z: Any) -> Any:
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def split_heads(x: Any) -> Any:
    """(tokens, width) to (heads, tokens, width of a head)."""
    return x.reshape(len(x), HEADS, HEAD).transpose(1, 0, 2)


def merge_heads(x: Any) -> Any:
    return x.transpose(1, 0, 2).reshape(-1, WIDTH)


def plain_loss_and_gradient(parameters: Any, tokens: Any, targets: Any) -> tuple[Any, Any]:
    E, P, Wqkv, Wmix, Wwiden, Wnarrow, Whead = views(parameters)
    n = len(tokens)
    places = np.arange(n)

    x0, scale0 = rms_norm(E[tokens] + P[:n])
    y0, scale1 = rms_norm(x0)
    q, k, v = (split_heads(part) for part in np.split(y0 @ Wqkv.T, 3, axis=1))
    scores = np.where(np.tri(n, dtype=bool), q @ k.transpose(0, 2, 1) * SCALE, -np.inf)
    shares = softmax(scores)
    seen = merge_heads(shares @ v)
    x1 = x0 + seen @ Wmix.T
    y1, scale2 = rms_norm(x1)
    h = np.maximum(y1 @ Wwiden.T, 0.0)
    x2 = x1 + h @ Wnarrow.T
    chances = softmax(x2 @ Whead.T)
    loss = -np.log(chances[places, targets]).mean()

    dz = chances.copy()
    dz[places, targets] -= 1.0
    dz = dz / n
    dx2 = dz @ Whead
    dh = (dx2 @ Wnarrow) * (h > 0.0)
    dx1 = dx2 + rms_norm_backward(dh @ Wwiden, y1, scale2)
    dseen = split_heads(dx1 @ Wmix)
    dshares = dseen @ v.transpose(0, 2, 1)
    dscores = shares * (dshares - (dshares * shares).sum(axis=-1, keepdims=True)) * SCALE
    dq, dk, dv = dscores @ k, dscores.transpose(0, 2, 1) @ q, shares.transpose(0, 2, 1) @ dseen
    dqkv = np.hstack([merge_heads(part) for part in (dq, dk, dv)])
    dx0 = dx1 + rms_norm_backward(dqkv @ Wqkv, y0, scale1)
    dsum = rms_norm_backward(dx0, x0, scale0)
    dE, dP = np.zeros_like(E), np.zeros_like(P)
    np.add.at(dE, tokens, dsum)
    dP[:n] = dsum
    slopes = dE, dP, dqkv.T @ y0, dx1.T @ seen, dh.T @ y1, dx2.T @ h, dz.T @ x2
    return loss, np.concatenate([slope.ravel() for slope in slopes])


def plain(length: int) -> Job:
    parameters = np.array(flat(*start().values()))
    m, v, t = np.zeros_like(parameters), np.zeros_like(parameters), 0
    tokens, targets = document(length)

    def run() -> float:
        nonlocal parameters, m, v, t
        value, g = plain_loss_and_gradient(parameters, tokens, targets)
        t += 1
        m = BETA1 * m + (1.0 - BETA1) * g
        v = BETA2 * v + (1.0 - BETA2) * g**2
        m_hat, v_hat = m / (1.0 - BETA1**t), v / (1.0 - BETA2**t)
        parameters = parameters - RATE * m_hat / (np.sqrt(v_hat) + TINY)
        return float(value)

    return Job(run, lambda value: [value, *parameters])


def plain_gradients(length: int) -> Job:
    parameters, given = np.array(flat(*start().values())), document(length)
    return Job(lambda: plain_loss_and_gradient(parameters, *given), lambda found: flat(*found))


# PyTorch and JAX ----------------------------------------------------------------------------------------------------


def torch_loss(torch: Any, weights: Any, tokens: Any, targets: Any) -> Any:
    F = torch.nn.functional
    E, P, Wq, Wk, Wv, Wmix, Wwiden, Wnarrow, Whead = weights
    n = len(tokens)

    def norm(x: Any) -> Any:
        return F.rms_norm(x, (WIDTH,), eps=EPSILON)

    x = norm(E[tokens] + P[:n])
    y = norm(x)
    q, k, v = (F.linear(y, W).view(n, HEADS, HEAD).transpose(0, 1) for W in (Wq, Wk, Wv))
    seen = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    x = x + F.linear(seen.transpose(0, 1).reshape(n, WIDTH), Wmix)
    x = x + F.linear(F.linear(norm(x), Wwiden).relu(), Wnarrow)
    return F.cross_entropy(F.linear(x, Whead), targets)


def torch_parts(length: int) -> Any:
    torch = torch_alone()
    weights = [torch.tensor(matrix, requires_grad=True) for matrix in start().values()]
    return torch, weights, *map(torch.tensor, document(length))


def torch_eager(length: int) -> Job:
    torch, weights, tokens, targets = torch_parts(length)
    optimizer = torch.optim.Adam(weights, lr=RATE, betas=(BETA1, BETA2), eps=TINY, fused=True)

    def run() -> float:
        value = torch_loss(torch, weights, tokens, targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return float(value.detach())

    return Job(run, lambda value: [value, *flat(*(p.detach() for p in weights))])


def torch_gradients(length: int) -> Job:
    torch, weights, tokens, targets = torch_parts(length)

    def run() -> Any:
        value = torch_loss(torch, weights, tokens, targets)
        return float(value.detach()), *torch.autograd.grad(value, weights)

    return Job(run, lambda found: flat(*found))


def jax_loss(jax: Any, weights: Any, tokens: Any, targets: Any) -> Any:
    jnp = jax.numpy
    E, P, Wq, Wk, Wv, Wmix, Wwiden, Wnarrow, Whead = weights
    n = len(tokens)

    def norm(x: Any) -> Any:
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPSILON)

    x = norm(E[tokens] + P[:n])
    y = norm(x)
    q, k, v = ((y @ W.T).reshape(n, HEADS, HEAD) for W in (Wq, Wk, Wv))
    scores = jnp.einsum("qhi,khi->hqk", q, k) * SCALE
    shares = jax.nn.softmax(jnp.where(jnp.tri(n, dtype=bool), scores, -jnp.inf))
    x = x + jnp.einsum("hqk,khi->qhi", shares, v).reshape(n, WIDTH) @ Wmix.T
    x = x + jax.nn.relu(norm(x) @ Wwiden.T) @ Wnarrow.T
    return -jnp.take_along_axis(jax.nn.log_softmax(x @ Whead.T), targets[:, None], 1).mean()


def jax_parts(length: int) -> Any:
    jax = jax_alone()
    weights = tuple(map(jax.numpy.asarray, start().values()))
    return jax, weights, *map(jax.numpy.asarray, document(length))


def jitted(length: int) -> Job:
    jax, weights, tokens, targets = jax_parts(length)
    jnp = jax.numpy
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = weights, zeros, jax.tree.map(jnp.zeros_like, weights), jnp.zeros(())

    def step(state: Any, tokens: Any, targets: Any) -> Any:
        weights, m, v, t = state
        value, g = jax.value_and_grad(lambda *given: jax_loss(jax, *given))(weights, tokens, targets)
        t = t + 1.0
        m = jax.tree.map(lambda m, g: BETA1 * m + (1.0 - BETA1) * g, m, g)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1.0 - BETA2) * g * g, v, g)
        rate, root = RATE / (1.0 - BETA1**t), (1.0 - BETA2**t) ** -0.5
        weights = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + TINY), weights, m, v)
        return value, (weights, m, v, t)

    step = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal state
        value, state = jax.block_until_ready(step(state, tokens, targets))
        return float(value)

    return Job(run, lambda value: [value, *flat(*state[0])])


def jitted_gradients(length: int) -> Job:
    jax, weights, tokens, targets = jax_parts(length)
    work = jax.jit(jax.value_and_grad(lambda *given: jax_loss(jax, *given)))
    return Job(
        lambda: jax.block_until_ready(work(weights, tokens, targets)),
        lambda found: flat(found[0], *found[1]),
    )
