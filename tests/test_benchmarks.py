"""Benchmarks: all engines that are there compute the same numbers, and the tables are complete. No time is asserted."""

import io
import json
import math
import subprocess
import sys
import warnings
from contextlib import ExitStack

import numpy as np
import pytest

from .benchmarks import growth, irregular, symbolic, worker
from .benchmarks.__main__ import OTHERS, ROWS, Bar, at_most
from .benchmarks.growth import SERIES
from .benchmarks.job import OURS
from .benchmarks.race import ENVIRONMENT, ROOT, Worker, check, duration, prepare
from .benchmarks.work import JOBS

OUR_OWN = {
    OURS,
    "compiled",
    "eager",
    "scalars",
    "NumPy",
    "plain NumPy",
}  # they need nothing that may be absent
PEERS = {
    "micrograd": "micrograd",
    "torch": "torch",
    "jax": "jax",
    "casadi": "casadi",
    "casadi buffers": "casadi",
}


@pytest.fixture(scope="module")
def workers():
    """Of any engine its worker, one for the whole module."""
    with ExitStack() as stack:
        found = {}

        def of(engine):
            if engine not in found:
                found[engine] = stack.enter_context(Worker(engine))
            return found[engine]

        yield of


def test_every_row_has_jobs_and_every_bar_an_engine():
    assert [row.name for row in ROWS] == [*JOBS]
    for row in ROWS:
        assert next(iter(JOBS[row.name])) == OURS  # with whose numbers the others are compared
        assert {*row.bars} <= {*JOBS[row.name]}
    names = [*JOBS, *OTHERS, *SERIES]
    assert len({*names}) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_all_engines_compute_the_same_numbers(row, workers):
    answers = prepare(map(workers, JOBS[row.name]), row.tolerance, row.name)
    assert {engine for engine, answer in answers.items() if "none" in answer}.isdisjoint(OUR_OWN)


@pytest.mark.parametrize("name", SERIES)
def test_all_engines_grow_from_the_same_numbers(name, workers):
    series = SERIES[name]
    answers = prepare(map(workers, series.jobs), growth.TOLERANCE, name, series.sizes[0])
    assert {engine for engine, answer in answers.items() if "none" in answer}.isdisjoint(OUR_OWN)


@pytest.mark.parametrize("engine", PEERS)
def test_an_engine_that_is_absent_is_named_so(engine, monkeypatch, capsys):
    package = PEERS[engine]
    for name in {package, *(name for name in sys.modules if name.startswith(f"{package}."))}:
        monkeypatch.setitem(sys.modules, name, None)
    questions: list = [["prepare", row] for row in JOBS if engine in JOBS[row]]
    questions += [["prepare", name, of.sizes[0]] for name, of in SERIES.items() if engine in of.jobs]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{json.dumps(each)}\n" for each in questions)))
    worker.main(engine)
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers == [{"none": "absent"}] * len(questions) != []


def test_every_engine_is_ours_or_a_peer():
    named = {engine for jobs in JOBS.values() for engine in jobs}
    named |= {engine for of in SERIES.values() for engine in of.jobs}
    assert named == OUR_OWN | {*PEERS}


@pytest.fixture
def casadi():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its bindings need not keep up with Python
        return pytest.importorskip("casadi")


@pytest.mark.parametrize("symbol", ["SX", "MX"])
def test_the_symbols_relu_is_flat_at_0(symbol, casadi):
    x = getattr(casadi, symbol).sym("x", 3)
    y = symbolic.relu(x)
    f = casadi.Function("f", [x], [y, casadi.gradient(casadi.sum1(y), x)])
    assert symbolic.results(f([-2.0, 0.0, 3.0])) == [0.0, 0.0, 3.0, 0.0, 0.0, 1.0]


def test_the_symbols_cross_entropy(casadi):
    """In closed form; and where exp overflows."""
    scores = np.array([[1.0, 2.0, 4.0], [1000.0, 0.0, 1000.0], [-1000.0, -1000.0, -1001.0]])
    classes = [1, 0, 2]
    losses = [
        math.log(math.e + math.e**2 + math.e**4) - 2.0,
        math.log(2.0),
        1.0 + math.log(2.0 + math.exp(-1.0)),
    ]
    slopes = np.array([[math.e, math.e**2, math.e**4], [1.0, 0.0, 1.0], [1.0, 1.0, math.exp(-1.0)]])
    slopes = (slopes / slopes.sum(1, keepdims=True) - np.eye(3)[classes]) / 3
    z, hot = casadi.MX.sym("z", 3, 3), casadi.MX.sym("hot", 3, 3)
    loss = symbolic.cross_entropy(z, hot)
    found = casadi.Function("f", [z, hot], [loss, casadi.gradient(loss, z)])(scores, np.eye(3)[classes])
    assert float(found[0]) == pytest.approx(sum(losses) / 3, rel=1e-14)
    np.testing.assert_allclose(found[1].full(), slopes, rtol=1e-12, atol=1e-16)


def test_a_function_of_symbols_is_made_in_its_first_call(casadi):
    made = []

    def square(x):
        made.append(x)
        return x * x

    f = symbolic.scalar_function(square, 1)
    assert not made
    assert [symbolic.results(f(x)) for x in (3.0, -2.0)] == [[9.0, 6.0], [4.0, -4.0]]
    assert len(made) == 1


@pytest.mark.parametrize("near", irregular.NEAR.values(), ids=irregular.NEAR)
def test_the_irregular_operations(near):
    """In reach, with two different operands; and the end is the sum of those that no other reads."""
    steps, unread = irregular.operations(near)
    assert len(steps) == irregular.NODES
    read = set()
    for n, (kind, x, y) in enumerate(steps, irregular.INPUTS):
        assert max(n - near, 0) <= min(x, y) < max(x, y) < n
        read |= {x} if kind in ("tanh", "relu") else {x, y}
    assert unread == [n for n in range(irregular.INPUTS + irregular.NODES) if n not in read]


@pytest.mark.parametrize("name", SERIES)
def test_a_series_can_be_told_apart(name):
    series = SERIES[name]
    assert [*series.sizes] == sorted({*series.sizes})
    amounts = [series.amount(size) for size in series.sizes]
    assert amounts == sorted({*amounts})
    assert all(series.sizes[1] <= series.largest[engine] < series.sizes[-1] for engine in series.largest)
    assert {*series.largest} <= {*series.jobs}


def test_the_parameters_are_counted():
    for width in SERIES["parameters"].sizes[:3]:
        assert growth.parameters_of(width) == sum(layer.size for layer in growth.wide(width).start)


def test_growth_fills_its_table(capsys, monkeypatch):
    """The smallest sizes of the chain, and one at which recursion ends."""
    sizes = [10, 20, 10_000]
    jobs = {engine: SERIES["nodes"].jobs[engine] for engine in ("eager", "scalars", "torch")}
    monkeypatch.setitem(SERIES, "nodes", SERIES["nodes"]._replace(jobs=jobs, largest={"torch": 20}))
    found = growth.grow("nodes", sizes, repeats=1)
    assert found == json.loads(json.dumps(found))
    assert found["amounts"] == sizes
    assert [*found["cells"]] == [*found["exponents"]] == [*jobs]
    for engine, row in found["cells"].items():
        assert len(row) == len(sizes)
        assert engine == "torch" or {*row[0]} == {*row[1]} == {"seconds", "first"}
    assert {*found["cells"]["eager"][2]} == {"seconds", "first"}
    assert found["cells"]["scalars"][2] == {"none": "too deep"}
    assert found["cells"]["torch"][2]["none"] in ("too long", "absent")
    growth.report("nodes", found)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["operations", *jobs]
    assert [row.split()[0] for row in rows] == ["10", "20", "10,000", "exponent"]
    assert "too deep" in rows[2]


def test_an_engine_that_stopped_stays_so(monkeypatch):
    """Its reason is the first one, at each further size."""
    jobs = {"scalars": SERIES["nodes"].jobs["scalars"]}
    monkeypatch.setitem(SERIES, "nodes", SERIES["nodes"]._replace(jobs=jobs, largest={"scalars": 10_000}))
    row = growth.grow("nodes", [10_000, 20_000], repeats=1)["cells"]["scalars"]
    assert row == [{"none": "too deep"}, {"none": "too deep"}]


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_later_half(k):
    amounts = [1, 10, 100, 1_000, 10_000]
    row = [{"seconds": 5.0}, {"seconds": 5.0}, *({"seconds": 3.0 * n**k} for n in amounts[2:])]
    assert growth.exponent(amounts, row) == pytest.approx(k, abs=1e-9)
    assert growth.exponent(amounts, [*row[:4], {"none": "too long"}]) == pytest.approx(k, abs=1e-9)
    assert growth.exponent(amounts[:1], row[:1]) is None


def test_growth_is_drawn():
    pytest.importorskip("matplotlib")
    found = {
        name: {
            "amounts": [series.amount(size) for size in series.sizes],
            "cells": {
                engine: [
                    {"seconds": 1e-6 * (k + 1) * size} if size < series.sizes[-1] else {"none": "too long"}
                    for size in series.sizes
                ]
                for k, engine in enumerate(series.jobs)
            },
        }
        for name, series in SERIES.items()
    }
    figure = growth.empty_figure()
    growth.plot(found, figure)
    figure.canvas.draw()
    looks: dict = {}
    for (name, series), ax in zip(SERIES.items(), figure.axes, strict=True):
        assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel()) == ("log", "log", series.unit)
        assert [line.get_label() for line in ax.lines] == [*series.jobs]
        for k, line in enumerate(ax.lines):
            xs, ys = line.get_data()
            assert [*xs] == found[name]["amounts"]
            assert ys[0] == 1e-6 * (k + 1) * series.sizes[0]
            assert math.isnan(ys[-1])
            assert (line.get_linewidth() > 2.0) == (line.get_label() in OUR_OWN - {"scalars", "NumPy"})
            look = line.get_marker(), line.get_color(), line.get_linestyle()
            assert looks.setdefault(line.get_label(), look) == look
    markers, *pairs = zip(*looks.values(), strict=True)
    assert len({*markers}) == len(looks) == len({*zip(*pairs, strict=True)})
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {*looks}
    assert OURS in legend.get_title().get_text()
    figure.clear()
    growth.plot({name: found[name] for name in [*SERIES][:3]}, figure)
    assert len(figure.axes) == 3  # none is left empty


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "node"], "--only needs one of readme, by hand"),
        (
            ["--growth", "--only", "readme"],
            "--only needs one of nodes, parameters, batch, depth. Received: readme",
        ),
        (["--plot", "growth.svg"], "--plot draws what --growth measures"),
        (["--growth", "--plot", "nowhere/growth.svg"], "nowhere/growth.svg"),
    ],
)
def test_what_is_wrong_shows_before_anything_is_measured(arguments, message):
    if "--growth" in arguments and "--plot" in arguments:
        pytest.importorskip("matplotlib")
    done = command(*arguments)
    assert done.returncode == 2
    assert not done.stdout
    assert message in done.stderr


def test_growth_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="a plot needs matplotlib: pip install"):
        growth.empty_figure()


def test_a_row_as_json():
    done = command("--only", "readme", "--json", "--repeats", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["repeats"] == 1
    assert {*found["readme"]} | {*found["readme"]["missing"]} == {"missing", *JOBS["readme"]}
    assert {*found["readme"][OURS]} == {"on", "off", "first"}


def test_other_numbers_are_found():
    check({OURS: [1.0, 2.0], "other": [1.0, 2.0 + 1e-12]}, 1e-9)
    with pytest.raises(
        ArithmeticError, match=r"other computes other numbers than neurongrad.*: 1 of 2, number 1 is 2.1"
    ):
        check({OURS: [1.0, 2.0], "other": [1.0, 2.1]}, 1e-9)
    with pytest.raises(ArithmeticError, match="other gives 1 numbers, neurongrad 2"):
        check({OURS: [1.0, 2.0], "other": [1.0]}, 1e-9)


def test_nothing_is_timed_before_the_numbers_are_compared():
    class Answers(Worker):
        def __init__(self, engine, **answer):
            self.engine, self.answer = engine, answer

        def ask(self, *question):
            assert question == ("prepare", "a row")
            return dict(self.answer)

    ours, absent = Answers(OURS, numbers=[1.0], again=0.5), Answers("absent", none="absent")
    found = prepare([ours, absent, Answers("same", numbers=[1.0], again=0.25)], 1e-9, "a row")
    assert found == {OURS: {"again": 0.5}, "absent": {"none": "absent"}, "same": {"again": 0.25}}
    with pytest.raises(ArithmeticError, match="wrong computes other numbers"):
        prepare([ours, absent, Answers("wrong", numbers=[1.1], again=0.25)], 1e-9, "a row")


def test_verdicts():
    assert Bar(3.0, 5.0).verdict(theirs=8.0, ours=2.0) == "bar >= 3x: met, goal >= 5x: missed"
    assert (
        at_most(1.5, 1.0).verdict(theirs=1.0, ours=2.0)
        == "ours 2x its time, bar <= 1.5x: MISSED, goal <= 1x: missed"
    )


def test_durations():
    assert [duration(s) for s in (12.345, 1.0, 0.0123, 4.5e-6, 1e-7)] == [
        "12.3 s",
        "1 s",
        "12.3 ms",
        "4.5 us",
        "0.1 us",
    ]
