"""An LSTM of 16 units over 20 steps of 8 inputs, batch 32: loss of the last state, gradients of all weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import symbolic
from .job import Job, apart, by_neuron, flat, jax_alone, torch_alone, with_start

UNITS, STEPS, NIN, BATCH = 16, 20, 8, 32


def sequences() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, STEPS, NIN)), rng.uniform(-1.0, 1.0, (BATCH, UNITS))


def start() -> list[Any]:
    """A row for each neuron, over [x, h] and its bias: the gates forget, add, show, then the candidates."""
    return [np.random.default_rng(1).normal(0.0, 0.3, (4 * UNITS, NIN + UNITS + 1))]


def ours() -> Job:
    import autograd
    import nn

    class LSTM(nn.Module):
        def __init__(self) -> None:
            self.forget, self.add, self.show = (
                nn.Layer(NIN + UNITS, UNITS, activation="sigmoid") for _ in range(3)
            )
            self.candidates = nn.Layer(NIN + UNITS, UNITS, activation="tanh")

        def __call__(self, xs: Any) -> Any:
            h = c = [0.0] * UNITS
            for x in xs:
                seen = [*x, *h]
                gates = zip(self.forget(seen), c, self.add(seen), self.candidates(seen), strict=True)
                c = [f * ci + a * new for f, ci, a, new in gates]
                h = [s * autograd.tanh(ci) for s, ci in zip(self.show(seen), c, strict=True)]
            return h

    model = with_start(LSTM(), start())
    program = autograd.compile(lambda xs, target: nn.mse(model(xs), target), wrt=model, batch=True)
    xs, target = sequences()
    return Job(lambda: program.value_and_grad(xs, target), lambda found: flat(*found))


def handwritten() -> Job:
    """All four gates in one product, the inputs' part of it for all steps at once. The batch is the last axis, so that
    each gate lies in one piece."""
    xs, target = sequences()
    W, b = apart(start())
    Wx, Wh = W[:, :NIN].copy(), W[:, NIN:].copy()
    Wt = np.ascontiguousarray(Wh.T)
    forget, add, show, new = (slice(i * UNITS, (i + 1) * UNITS) for i in range(4))
    gates = slice(0, 3 * UNITS)
    h, c = np.zeros((2, STEPS + 1, UNITS, BATCH))
    bent, unbent = np.empty((2, STEPS, UNITS, BATCH))
    z, d, slope = np.empty((3, STEPS, 4 * UNITS, BATCH))
    x, dc = np.empty((STEPS, NIN, BATCH)), np.empty((UNITS, BATCH))
    wide, seen = np.empty((4 * UNITS, STEPS, BATCH)), np.empty((STEPS, BATCH, NIN + UNITS))

    def run() -> Any:
        np.copyto(x, xs.transpose(1, 2, 0))
        np.matmul(Wx, x, out=z)
        np.add(z, b[:, None], out=z)
        for t in range(STEPS):
            zt = z[t]
            zt += Wh @ h[t]
            g = zt[gates]
            np.negative(g, out=g)
            np.exp(g, out=g)
            g += 1.0
            np.reciprocal(g, out=g)
            np.tanh(zt[new], out=zt[new])
            np.multiply(zt[forget], c[t], out=c[t + 1])
            c[t + 1] += zt[add] * zt[new]
            np.tanh(c[t + 1], out=bent[t])
            np.multiply(zt[show], bent[t], out=h[t + 1])
        error = h[-1] - target.T
        loss = np.vdot(error, error) / error.size
        np.subtract(1.0, z[:, gates], out=slope[:, gates])  # the slopes of the gates, from their outputs
        slope[:, gates] *= z[:, gates]
        np.multiply(z[:, new], z[:, new], out=slope[:, new])
        np.subtract(1.0, slope[:, new], out=slope[:, new])
        np.multiply(bent, bent, out=unbent)
        np.subtract(1.0, unbent, out=unbent)
        np.multiply(unbent, z[:, show], out=unbent)
        dh = error * (2.0 / error.size)
        dc.fill(0.0)
        for t in reversed(range(STEPS)):
            dt, zt = d[t], z[t]
            np.add(dc, dh * unbent[t], out=dc)
            np.multiply(dc, c[t], out=dt[forget])
            np.multiply(dc, zt[new], out=dt[add])
            np.multiply(dh, bent[t], out=dt[show])
            np.multiply(dc, zt[add], out=dt[new])
            dt *= slope[t]
            dh = Wt @ dt
            np.multiply(dc, zt[forget], out=dc)
        np.copyto(wide, d.transpose(1, 0, 2))
        np.copyto(seen[..., :NIN], x.transpose(0, 2, 1))
        np.copyto(seen[..., NIN:], h[:-1].transpose(0, 2, 1))
        rows = wide.reshape(4 * UNITS, -1)
        return loss, rows @ seen.reshape(-1, NIN + UNITS), rows.sum(1)

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def plain() -> Job:
    """The formulas, step by step: all four gates in one product over [x, h], a row for each sequence."""
    xs, target = sequences()
    W, b = apart(start())

    def run() -> Any:
        h = c = np.zeros((BATCH, UNITS))
        steps = []
        for t in range(STEPS):
            seen = np.hstack([xs[:, t], h])
            z = seen @ W.T + b
            forget, add, show = np.split(1.0 / (1.0 + np.exp(-z[:, : 3 * UNITS])), 3, axis=1)
            new = np.tanh(z[:, 3 * UNITS :])
            before, c = c, forget * c + add * new
            bent = np.tanh(c)
            h = show * bent
            steps.append((seen, forget, add, show, new, before, bent))
        error = h - target
        loss = (error**2).mean()
        dW, db = np.zeros_like(W), np.zeros_like(b)
        dh, dc = 2.0 * error / error.size, np.zeros_like(c)
        for seen, forget, add, show, new, before, bent in reversed(steps):
            dc = dc + dh * show * (1.0 - bent**2)
            dz = np.hstack(
                [
                    dc * before * forget * (1.0 - forget),
                    dc * new * add * (1.0 - add),
                    dh * bent * show * (1.0 - show),
                    dc * add * (1.0 - new**2),
                ]
            )
            dW += dz.T @ seen
            db += dz.sum(axis=0)
            dh = dz @ W[:, NIN:]
            dc = dc * forget
        return loss, dW, db

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def torch_eager() -> Job:
    torch = torch_alone()
    xs, target = map(torch.tensor, sequences())
    W, b = (torch.tensor(part, requires_grad=True) for part in apart(start()))

    def run() -> Any:
        h = c = torch.zeros(BATCH, UNITS, dtype=xs.dtype)
        for x in xs.unbind(1):
            z = torch.nn.functional.linear(torch.cat([x, h], 1), W, b)
            f, a, s = z[:, : 3 * UNITS].sigmoid().chunk(3, 1)
            c = f * c + a * z[:, 3 * UNITS :].tanh()
            h = s * c.tanh()
        loss = torch.nn.functional.mse_loss(h, target)
        return loss.item(), *torch.autograd.grad(loss, (W, b))

    return Job(run, lambda found: flat(found[0], *by_neuron([found[1:]])))


def jitted() -> Job:
    jax = jax_alone()
    jnp = jax.numpy
    xs, target = map(jnp.asarray, sequences())
    weights = tuple(map(jnp.asarray, apart(start())))

    def loss(weights: Any, xs: Any, target: Any) -> Any:
        W, b = weights

        def step(state: Any, x: Any) -> Any:
            h, c = state
            z = jnp.concatenate([x, h], 1) @ W.T + b
            f, a, s = jnp.split(jax.nn.sigmoid(z[:, : 3 * UNITS]), 3, 1)
            c = f * c + a * jnp.tanh(z[:, 3 * UNITS :])
            return (s * jnp.tanh(c), c), None

        zeros = jnp.zeros((BATCH, UNITS))
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), xs.transpose(1, 0, 2))
        return ((h - target) ** 2).mean()

    work = jax.jit(jax.value_and_grad(loss))
    return Job(
        lambda: jax.block_until_ready(work(weights, xs, target)),
        lambda found: flat(found[0], *by_neuron([found[1]])),
    )


def symbols() -> Job:
    import casadi

    xs, target = sequences()

    def loss(layers: Any, xs: Any, target: Any) -> Any:
        (layer,) = layers
        h = c = casadi.DM.zeros(BATCH, UNITS)
        for x in casadi.horzsplit(xs, NIN):
            z = casadi.horzsplit(symbolic.weighted(layer, casadi.horzcat(x, h)), UNITS)
            f, a, s = (1.0 / (1.0 + casadi.exp(-gate)) for gate in z[:3])
            c = f * c + a * casadi.tanh(z[3])
            h = s * casadi.tanh(c)
        return casadi.sumsqr(h - target) / (BATCH * UNITS)

    return symbolic.gradients(start(), (xs.reshape(BATCH, -1), target), loss)
