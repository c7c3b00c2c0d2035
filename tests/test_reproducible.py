"""The same seed gives the same bits: in any process, thread or task, whatever the hashes of text are."""

import ast
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
from autograd import Value

from . import reproduce

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def here():
    return reproduce.digests()


def test_again_in_this_process(here):
    assert reproduce.digests() == here
    assert len({*here.values()}) == len(here)  # each is a number of its own


@pytest.mark.parametrize("hashes", ["0", "1", "4294967295"])
def test_in_another_process_with_other_hashes(here, hashes):
    done = subprocess.run(
        [sys.executable, "-m", "tests.reproduce"], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests have left threads behind
def test_in_processes_forked_and_spawned(here, method):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        found = [pool.submit(reproduce.digests) for _ in range(2)]
        assert [f.result() for f in found] == [here, here]


def test_in_threads_at_the_same_time(here):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that they take turns within each piece
    try:
        with ThreadPoolExecutor(4) as pool:
            found = [pool.submit(reproduce.digests) for _ in range(4)]
            assert [f.result() for f in found] == [here] * 4
    finally:
        sys.setswitchinterval(before)


def test_texts_are_parsed_one_after_the_other(monkeypatch):
    """Some versions of CPython cannot do it in two threads at once: a SystemError, seldom."""
    parse, inside, most = ast.parse, [], []

    def slow(*given, **named):
        inside.append(given)
        most.append(len(inside))
        time.sleep(1e-4)
        found = parse(*given, **named)
        inside.pop()
        return found

    monkeypatch.setattr(ast, "parse", slow)
    with ThreadPoolExecutor(4) as pool:
        for found in [pool.submit(reproduce.WORK["recurrence, compiled"]) for _ in range(4)]:
            found.result()
    assert len(most) > 8
    assert max(most) == 1


def on_arrays():
    net = nn.MLP(8, [16, 16, 1], activation="tanh", rng=1)
    program = autograd.compile(lambda x, y: nn.mse(net(x), y), wrt=net, batch=True)
    rng = np.random.default_rng(2)
    return program, [(rng.normal(size=(2000 + i % 2, 8)), rng.normal(size=2000 + i % 2)) for i in range(8)]


def on_floats():
    program = autograd.compile(lambda x, y: (x * y).tanh() + (x - y).exp())
    return program, [(0.1 * i, 1.0 - 0.2 * i) for i in range(8)]


@pytest.mark.parametrize("make", [on_arrays, on_floats])
def test_one_program_in_threads_at_the_same_time(make):
    """Threads may even compile it at the same time, by its first call."""
    program, samples = make()
    alone = [(program(*sample), program.value_and_grad(*sample)) for sample in samples]
    program, _ = make()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(10):
                found = pool.map(lambda sample: (program(*sample), program.value_and_grad(*sample)), samples)
                for (value, (loss, slopes)), (true_value, (true_loss, true_slopes)) in zip(
                    found, alone, strict=True
                ):
                    np.testing.assert_array_equal(value, true_value)
                    assert loss == true_loss
                    np.testing.assert_array_equal(slopes, true_slopes)
    finally:
        sys.setswitchinterval(before)


def test_in_tasks_that_take_turns(here):
    async def all_of_them():
        return await asyncio.gather(*[reproduce.one_after_another() for _ in range(3)])

    assert asyncio.run(all_of_them()) == [here] * 3


def test_sums_go_from_left_to_right_on_every_python():
    """The builtin `sum` carries what is lost along from Python 3.12 on; written by hand, and before, it is lost."""
    x, layer = Value(1.0), nn.Layer(1, 3, activation="identity", bias=False)
    for neuron, w in zip(layer.neurons, [1e16, 1.0, -1e16], strict=True):
        neuron.w[0].data = w
    a, b, c = layer([x])
    (a + b + c).backward()
    assert x.grad == (-1e16 + 1.0) + 1e16 == (1e16 + 1.0) - 1e16 == 0.0
    assert autograd.sum([1e16, 1.0, Value(-1e16)]).data == 0.0
    assert autograd.dot([1e16, 1.0, Value(-1e16)], [1.0, 1.0, 1.0]).data == 0.0
