"""The tour, as a user runs it: what it prints is true, its pictures are there, and extras may be missing."""

import ast
import re
import sys
import textwrap

import pytest

from demos import __main__ as tour


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(map(str, words))))
        tour.main(folder / "pictures")
    return folder / "pictures", "\n".join(printed)


def test_the_numbers_of_the_worked_neuron(run):
    _, text = run
    assert "z = 0.1 + 0.2 - 0.48 + 0.18 = 0 (8.3e-17 in floats)" in text
    slopes = dict(re.findall(r"d out / d (\S+) +=? ?= ([+-][\d.]+)", text))
    assert slopes == {
        "w[0]": "+0.1250", "w[1]": "+0.2000", "w[2]": "+0.0500", "b": "+0.2500",
        "x[0]": "+0.1000", "x[1]": "-0.1500", "x[2]": "+0.2250",
    }  # fmt: skip


def test_real_data_is_learned(run):
    _, text = run
    iris, digits = (float(found) for found in re.findall(r"held-out accuracy on .*: ([\d.]+)%", text))
    assert iris >= 93.0
    assert digits >= 95.0
    assert "right side of the boundary: 100%" in text


def test_the_compiled_program_is_shown(run):
    """It is Python, and says what a step does: one function of digits and their classes, from arrays of parameters."""
    _, text = run
    (program,) = re.findall(r"moves p\.\n\n((?:    .*\n|\s*\n)+)", text)
    *_, function = ast.parse(textwrap.dedent(program)).body
    assert isinstance(function, ast.FunctionDef)
    assert (function.name, [a.arg for a in function.args.args]) == ("value_and_grad", ["x", "y"])
    assert "(64, 64)" in program
    assert "@" in program


def test_compiled_is_faster_and_the_same(run):
    _, text = run
    (ratio,) = re.findall(r"eager \d+ ms, compiled [\d.]+ ms, ([\d,]+) times as fast", text)
    assert int(ratio.replace(",", "")) >= 10
    (most,) = re.findall(r"the losses of the two differ by at most ([\d.e+-]+)\.", text)
    assert float(most) <= 1e-12


def test_the_pictures_are_where_the_last_line_says(run):
    folder, text = run
    assert text.splitlines()[-1] == str(folder)
    drawn = set(re.findall(r"drawn: (\S+)", text))
    assert drawn == {path.name for path in folder.iterdir()}
    if "Left out" not in text:
        assert {"neuron-after-backward.svg", "digits-one-loss.png", "moons-decision-boundary.svg"} <= drawn


def test_what_is_missing_is_named(monkeypatch, capsys, tmp_path):
    for name in ("matplotlib", "matplotlib.figure", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)

    def no_renderer(*_, **__):
        raise RuntimeError("no Graphviz here")

    monkeypatch.setattr("autograd.render", no_renderer)
    monkeypatch.setattr(tour, "iris", lambda folder: None)
    monkeypatch.setattr(tour, "digits", lambda folder: None)
    tour.main(tmp_path / "pictures")
    text = capsys.readouterr().out
    for left_out in ("no Graphviz here", "progress bars", "decision boundary"):
        assert f"Left out: {left_out}" in text.replace("the picture of the ", "")
    assert text.splitlines()[-1] == str(tmp_path / "pictures")
