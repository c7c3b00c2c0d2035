"""What is around the lessons: the table, running one, its cells; the terminal and the notebooks replay the same."""

import ast
import codeop
import json
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demos import __main__ as tour
from demos import lessons, live, notebooks
from demos.lessons import LESSONS, cells, main, settings

ROOT = Path(__file__).parents[1]
ALL = [pytest.param(lesson, id=lesson.name) for lesson in LESSONS.values()]


def text_of(lesson):
    return lesson.path.read_text(encoding="utf-8")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A lesson of a few lines, in the table under the name `small`."""
    path = tmp_path / "small.py"
    path.write_text(
        '"""Adds."""\n\n# %% [markdown]\n# # Small\n#\n# One and **two**.\n\n'
        "# %% The first one\nfrom __future__ import annotations\n\nfrom demos.lessons import settings\n\n"
        "quick, folder = settings()\nprint(f'quick: {quick}')\n\n\n"
        "# %%\nclass Chain:\n    def longer(self) -> Chain:\n        return self\n\n\n"
        "# %%\n(folder / 'small-picture.txt').write_text('drawn')\nprint(Chain().longer() is not None)\n"
    )
    lesson = lessons.Lesson("small", "Small", 1)
    monkeypatch.setattr(lessons, "HERE", tmp_path)
    monkeypatch.setitem(LESSONS, "small", lesson)
    return lesson


# The table --------------------------------------------------------------------------------------------------------


def test_the_lessons_in_their_order():
    assert list(LESSONS) == [
        "biology",
        "neuron",
        "engine",
        "activations",
        "layers",
        "training",
        "depth",
        "compiling",
        "convolution",
        "recurrence",
        "attention",
        "together",
    ]
    assert [name for name, lesson in LESSONS.items() if not lesson.path.exists()] == []


def test_the_list(capsys, monkeypatch):
    tour.lessons()
    text = capsys.readouterr().out
    places = [text.index(f"{number:2d}  {name}") for number, name in enumerate(LESSONS, start=1)]
    assert places == sorted(places)
    assert all(lesson.title in text and lesson.about in text for lesson in LESSONS.values())


def test_the_list_as_it_is_called():
    done = subprocess.run([sys.executable, "-m", "demos", "list"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m demos.live biology" in done.stdout


@pytest.mark.parametrize("lesson", ALL)
def test_the_form_of_a_lesson(lesson):
    text = text_of(lesson)
    found = cells(text)
    code = [cell for cell in found if not cell.prose]
    assert lesson.about.endswith(".")
    assert text.startswith(f'"""{lesson.about}')
    assert found[0].prose
    assert found[0].source.startswith("# ")
    assert "quick, folder = settings()" in code[0].source
    assert "from demos.lessons import" in code[0].source
    for cell in code[1:]:  # all imports of the file are in its first cell
        assert not re.search(r"^(import|from) ", cell.source, re.MULTILINE), cell.source
    compiled = codeop.Compile()
    for cell in code:  # each is whole, as the terminal and a kernel take them
        compiled(f"{cell.source}\n", lesson.name, "exec")
    assert "## Exercises" in text
    assert "## Where it lives" in text
    exercises = text.split("## Exercises")[1].split("## Where it lives")[0]
    assert len(re.findall(r"^# [1-9]\. ", exercises, re.MULTILINE)) == 3
    for path in re.findall(r"`((?:autograd|nn|demos|tests)/[\w/]+\.py)`", text):
        assert (ROOT / path).exists(), path


# Running one ------------------------------------------------------------------------------------------------------


def test_running_a_lesson_gives_its_names(small, tmp_path, capsys):
    names = main("small", quick=True, folder=tmp_path / "pictures")
    assert names["quick"] is True
    assert names["folder"] == (tmp_path / "pictures").resolve()
    assert (tmp_path / "pictures" / "small-picture.txt").exists()
    assert capsys.readouterr().out == "quick: True\nTrue\n"
    assert names["Chain"]().longer().__class__ is names["Chain"]


def test_an_unknown_lesson_is_an_error_that_names_all(capsys):
    with pytest.raises(ValueError, match=r"A lesson is one of biology, .*\. Received: name='biologie'"):
        main("biologie")


def test_settings_are_those_of_the_command_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/somewhere/biology.py", "--quick", "--folder", str(tmp_path / "here")])
    assert settings() == (True, (tmp_path / "here").resolve())
    monkeypatch.setattr(sys, "argv", ["/somewhere/biology.py"])
    assert settings() == (False, (tmp_path / "pictures").resolve())
    assert (tmp_path / "pictures").is_dir()
    monkeypatch.setattr(sys, "argv", ["/somewhere/ipykernel_launcher.py", "-f", "kernel.json", "--quick"])
    assert settings() == (False, (tmp_path / "pictures").resolve())


def test_a_wrong_word_on_the_command_line_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["biology.py", "--quik"])
    with pytest.raises(SystemExit):
        settings()
    assert "--quik" in capsys.readouterr().err


def test_the_command_line_is_put_back(small, tmp_path):
    before = sys.argv
    small.path.write_text("raise KeyError('lost')")
    with pytest.raises(KeyError, match="lost"):
        main("small", folder=tmp_path)
    assert sys.argv is before


def test_figures_are_closed(small, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    small.path.write_text("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\n")
    main("small", folder=tmp_path)
    assert pyplot.get_fignums() == []


def test_a_lesson_as_a_script(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-m", "demos.engine", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "50 random graphs" in done.stdout


# Cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", ALL)
def test_cells_keep_every_line(lesson):
    """Each line of the file is the docstring, a mark, blank between cells, or in the cell that says so."""
    text = text_of(lesson)
    lines = text.splitlines()
    for cell in cells(text):
        source = cell.source.splitlines()
        there = lines[cell.line - 1 : cell.line - 1 + len(source)]
        assert source == [re.sub("^# ?", "", line) for line in there] if cell.prose else source == there
        for line in there:
            lines[lines.index(line, cell.line - 1)] = ""
    left = [line for line in lines if line and not line.startswith("# %%")]
    assert ast.get_docstring(ast.parse("\n".join(left))) is not None
    assert len(ast.parse("\n".join(left)).body) == 1


def same(one, other):
    """Whether two programs are the same but for comments and docstring."""
    trees = [ast.parse(text).body for text in (one, other)]
    trees = [body[1:] if ast.get_docstring(ast.Module(body, [])) else body for body in trees]
    return [ast.dump(node) for node in trees[0]] == [ast.dump(node) for node in trees[1]]


def test_same_is_not_always_true():
    assert same('"""A."""\na = 1  # one\n', "a = 1")
    assert not same("a = 1", "a = 2")
    assert not same("a = 1\nb = 2", "a = 1")


# In the terminal --------------------------------------------------------------------------------------------------


def test_replaying_shows_prose_code_and_output(small, tmp_path, capsys):
    names = live.play("small", quick=True, folder=tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [
        "# Small", "One and **two**.",
        "| from __future__ import annotations", "|", "| from demos.lessons import settings", "|",
        "| quick, folder = settings()", "| print(f'quick: {quick}')", "quick: True",
        "| class Chain:", "|     def longer(self) -> Chain:", "|         return self",
        "| (folder / 'small-picture.txt').write_text('drawn')", "| print(Chain().longer() is not None)", "True",
    ]  # fmt: skip
    assert names["quick"] is True
    assert (tmp_path / "small-picture.txt").exists()


def test_each_step_waits_and_q_quits(small, tmp_path, capsys):
    """Prose, code, output: asked after each; code that is shown last is not run."""
    for steps, (shown, run) in enumerate([(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (4, 2), (4, 3)], start=1):
        answers = iter([True] * (steps - 1) + [False])
        names = live.play("small", folder=tmp_path, go_on=answers.__next__)
        text = capsys.readouterr().out
        assert ("Small" in text) + ("| quick" in text) + ("| class" in text) + (
            "| print(Chain" in text
        ) == shown
        assert ("quick" in names) + ("Chain" in names) + (text.splitlines()[-1] == "True") == run


def test_an_error_names_the_line_of_the_file(small, tmp_path):
    text = small.path.read_text() + "\n\n# %%\nprint(1)\nraise KeyError('here')\n"
    small.path.write_text(text)
    with pytest.raises(KeyError) as caught:
        live.play("small", folder=tmp_path)
    last = caught.traceback[-1]
    assert Path(last.path) == small.path
    assert text.splitlines()[last.lineno] == "raise KeyError('here')"


def test_without_a_terminal_all_is_printed(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-m", "demos.live", "engine", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| quick, folder = settings()" in done.stdout
    assert "50 random graphs" in done.stdout
    assert "\033" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is Unix's")
def test_at_a_terminal_keys_go_on_and_q_quits(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "demos.live", "engine", "--quick", "--folder", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text, keys, deadline = b"", b" \nxq", time.monotonic() + 60  # any key goes on
    for asked, key in enumerate(keys, start=1):
        while text.count(b"q: quit") < asked and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 1024)
        os.write(ours, bytes([key]))
    try:
        assert running.wait(10) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)
    assert b"Number(4)" in text  # the first cell has run
    assert b"class Node" not in text  # the second one is not reached


# Notebooks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", ALL)
def test_notebooks_are_faithful(lesson):
    book = notebooks.notebook(lesson)
    code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    prose = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "markdown"]
    assert same("\n".join(code), text_of(lesson))
    comments = [line for part in prose for line in part.splitlines()]
    marked = re.findall(r"^# %% \[markdown\]\n((?:#.*\n)+)", text_of(lesson), re.MULTILINE)
    assert comments == [re.sub("^# ?", "", line) for part in marked for line in part.splitlines()]


@pytest.mark.parametrize("lesson", ALL)
def test_notebooks_are_as_the_format_says(lesson):
    book = json.loads(json.dumps(notebooks.notebook(lesson)))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", name) for name in ids)
    for cell in book["cells"]:
        needed = {"cell_type", "id", "metadata", "source"}
        assert cell.keys() == needed | (
            {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        )
        assert all(line.endswith("\n") for line in cell["source"][:-1])
    if any("from __future__" in "".join(cell["source"]) for cell in book["cells"][2:]):
        pytest.fail("a kernel wants `from __future__` in the first cell of code")


def test_nbformat_agrees():
    nbformat = pytest.importorskip("nbformat")
    for lesson in LESSONS.values():
        nbformat.validate(nbformat.from_dict(notebooks.notebook(lesson)))


def test_writing_and_checking(small, tmp_path, monkeypatch, capsys):
    for name in [*LESSONS]:
        if name != "small":
            monkeypatch.delitem(LESSONS, name)
    with pytest.raises(SystemExit, match=r"missing or stale in .*: small"):
        notebooks.main(["--check", str(tmp_path / "made")])
    assert not (tmp_path / "made").exists()
    notebooks.main([str(tmp_path / "made")])
    assert capsys.readouterr().out == f"{tmp_path / 'made' / 'small.ipynb'}\n"
    with pytest.raises(SystemExit) as passed:
        notebooks.main(["--check", str(tmp_path / "made")])
    assert passed.value.code is None
    small.path.write_text(small.path.read_text().replace("quick: ", "fast: "))
    with pytest.raises(SystemExit, match="small"):
        notebooks.main(["--check", str(tmp_path / "made")])


def test_git_ignores_where_notebooks_go():
    ignored = (ROOT / ".gitignore").read_text().split()
    assert f"/{notebooks.FOLDER.parts[0]}/" in ignored
    assert not list((ROOT / "demos").rglob("*.ipynb"))


def test_executing_needs_the_extra(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with pytest.raises(ImportError, match=r'pip install "neurongrad\[notebook\]"'):
        notebooks.write(small, tmp_path / "made", run=True)
    assert not (tmp_path / "made" / "small.ipynb").exists()


def test_executing(small, tmp_path, monkeypatch):
    for needed in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(needed)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = notebooks.write(small, tmp_path / "made", run=True, quick=False)
    book = json.loads(path.read_text())
    printed = [
        "".join(out["text"]) for cell in book["cells"] for out in cell.get("outputs", ()) if "text" in out
    ]
    assert printed == ["quick: False\n", "True\n"]
    assert (tmp_path / "made" / "pictures" / "small-picture.txt").exists()
    assert notebooks.sources(book) == notebooks.sources(notebooks.notebook(small))
