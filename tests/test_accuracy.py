"""Every op and activation within 4 ulp, or what `accuracy.UNITS` counts instead, run and compiled: the table of
`python -m tests.accuracy`, at fewer points."""

import itertools
import math
import random

import mpmath
import pytest
from mpmath import mpf

from autograd.ops import Op

from .accuracy import BAR, BARS, BUILT_IN, MAX, ORDERS, REASONS, UNITS, main, measure, mixed, row
from .reference import REFERENCE, derivative, difference, ulps


def check(row):
    """Nothing of a row is above the bar."""
    found = [
        f"{ORDERS[order]}, {way}: {worst}"
        for (order, way), worst in row.worst.items()
        if worst.error > BARS[way]
    ]
    assert not found, f"{row.name}\n" + "\n".join(found)
    assert not row.edges, "\n".join(row.edges)


@pytest.mark.parametrize("name", BUILT_IN)
def test_within_the_bar(name):
    check(measure(name, 24))


def test_every_exception_is_of_an_op_and_has_a_reason():
    assert {name for name, _ in UNITS} <= set(BUILT_IN)
    assert {unit.reason for units in UNITS.values() for unit in units} == set(REASONS)


TANH = BUILT_IN["tanh"].rules[0]


@pytest.mark.parametrize(
    ("name", "formula", "rule", "wrong"),
    [
        ("log1p", lambda x: BUILT_IN["log"].formula(1.0 + x), BUILT_IN["log1p"].rules[0], {"value"}),
        ("tanh", math.tanh, lambda g, out, x: g * (1.0 - out * out), {"first", "second"}),
        ("tanh", math.tanh, lambda g, out, x: 1.001 * TANH(g, out, x), {"first", "second"}),
        ("tanh", math.tanh, TANH, set()),
    ],
)
def test_it_finds_what_is_wrong(monkeypatch, name, formula, rule, wrong):
    """By a thousandth, or only in its last digits."""
    monkeypatch.setitem(BUILT_IN, name, Op(name, name, formula, rule, domain=BUILT_IN[name].domain))
    worst = measure(name, 24).worst
    found = {ORDERS[order] for (order, way), w in worst.items() if w.error > BARS[way]}
    assert found == wrong


def test_it_finds_a_program_that_is_wrong(monkeypatch):
    monkeypatch.setattr(BUILT_IN["sigmoid"], "numpy", "1 / (1 + np.exp(-{0}))")  # 0 where it is subnormal
    worst = measure("sigmoid", 24).worst
    assert worst[0, "compiled"].error > 1e10
    assert worst[0, "eager"].error < BAR
    monkeypatch.setattr(BUILT_IN["softsign"], "numpy", "{0} / (1 + np.abs({0}))")
    assert measure("softsign", 24).edges == [
        "softsign, value at inf: 1.0 eager, nan compiled",
        "softsign, value at -inf: -1.0 eager, nan compiled",
    ]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_references_derivatives_are_those_of_its_values(name):
    """Dual numbers know rules, differences none."""
    entry, rng = BUILT_IN[name], random.Random(name)
    points = row(3, rng) if entry.variadic else mixed(entry, 20, rng)[0] if len(entry.rules) > 1 else (0.4,)
    if name in ("pick", "acosh"):
        points = (0.5, 1.5, 1.0) if name == "pick" else (1.4,)
    inputs = range(len(points) - (name == "pick"))
    for wrt in [*((i,) for i in inputs), *itertools.product(inputs, repeat=2)]:
        with mpmath.workdps(1500):
            xs = [mpf(x) for x in points]
            found, expected = (way(REFERENCE[name], xs, list(wrt)) for way in (derivative, difference))
            assert abs(found - expected) <= mpf(10) ** -20 * (abs(expected) + mpf(10) ** -20), (points, wrt)


def test_what_an_ulp_is():
    assert ulps(1.0 + 2.0**-52, mpf(1)) == 1.0
    with mpmath.workdps(50):
        assert ulps(1.0, 1 + mpf(2) ** -54) == 0.25
    assert ulps(0.0, mpf(5e-324)) == ulps(1e-323, mpf(5e-324)) == 1.0
    assert ulps(math.inf, mpf(MAX)) == ulps(MAX, mpf(10) ** 400) == 1.0
    assert ulps(math.inf, mpf(10) ** 400) == ulps(math.nan, mpf("nan")) == 0.0
    assert ulps(-math.inf, mpf(10) ** 400) == 2.0**54
    assert ulps(math.inf, mpf(1)) == ulps(math.nan, mpf(1)) == math.inf


def test_the_table_in_print(capsys):
    main(["tanh", "mish", "--size", "24", "--points"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["eager", "compiled"] * 3
    tanh, mish = (next(line for line in lines if line.startswith(name)) for name in ("tanh", "mish"))
    assert all(0.4 < float(x) <= BARS["compiled"] for x in tanh.split()[1:7])
    assert "z" in mish
    assert f"z: {REASONS['z']}" in lines
    assert sum(line.startswith("    second, compiled: ") for line in lines) == 2
    with pytest.raises(SystemExit):
        main(["tan", "tanhh"])
    assert "no op of the table. Received: tanhh" in capsys.readouterr().err
