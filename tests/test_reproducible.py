"""The same seed gives the same bits: in any process, thread or task, whatever the hashes of text are."""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

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
