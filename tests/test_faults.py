"""Planted faults: each makes another program, none comes into the checkout, and the tests of a toy see what matters."""

import ast
import itertools
import json
import textwrap

import pytest

from . import faults
from .faults import GROUPS, ROOT, Group

pytest.importorskip("resource")  # it limits the memory

SAMPLE = '''
"""A docstring; "é" takes two bytes."""
from math import pi
LIMIT: float = 0.5
def f(x: int, *rest, flag=True) -> list[int]:
    """It says nothing."""
    total = -x if flag and not rest else max(x, 3) @ pow(x, 2, *rest)
    total += f"{x + 1}" + "word" * 2
    for y in [z // 2 for z in rest if z in total if z is not None]:
        if not y:
            continue
        if y == 3 or total < LIMIT:
            print("é", y); break
        while y <= 1e308:
            del rest[y:-1]
    if x > 4: raise ValueError(x + 1)
    match x:
        case 0 | -1: return lambda: (yield)
        case _: return None
    return total[x:][1:]
'''


def test_each_fault_of_each_kind_is_another_program():
    found = faults.faults("sample.py", SAMPLE)
    programs = {ast.dump(ast.parse(SAMPLE))}
    for fault in found:
        data = SAMPLE.encode()
        changed = data[: fault.start] + fault.new.encode() + data[fault.stop :]
        assert data[fault.start : fault.stop].decode() == fault.old
        assert SAMPLE.splitlines()[fault.line - 1].encode().find(fault.old.splitlines()[0].encode()) >= 0
        compile(changed, "sample.py", "exec")
        programs.add(ast.dump(ast.parse(changed)))
    assert len(programs) == len(found) + 1
    kinds = [line.split()[0] for line in str(faults.__doc__).split("\n\n")[2].splitlines()]
    assert {fault.kind for fault in found} == {*kinds}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("def f(a, b): return a < b", ["(a <= b)", "return None"]),
        ("x = 1.5 if not y else -z", ["(1.001 * 1.5)", "(y)", "(z)"]),
        ("x = a - 0.0", ["(a + 0.0)", "0.001"]),
        ("x = g(a, b, c=d)", ["(g(b, a, c=d))"]),
        ("x = g(*a, b), max(a, b), g(a, a)", []),
        ("x = a[i:2]", ["(i) + 1", "3"]),
        ("x = [a for a in b if a if a != c]", ["(not (a))", "(a == c)"]),
        ("def f(a):\n  a += True", ["a -= True", "pass", "False"]),
        ("x: 1 + 1\n@g(a, b)\ndef f(a: g(1, 2)) -> 1: return", []),
        ("if TYPE_CHECKING:\n  x = 1\nimport a\nraise a + b\nx = f'{a + b}', 'a' + b, b % 'a'", []),
    ],
)  # fmt: skip
def test_faults_by_hand(source, wanted):
    assert sorted(fault.new for fault in faults.faults("", source)) == sorted(wanted)


def test_the_groups_name_files_that_are_there():
    for group in GROUPS.values():
        assert [path for path in (*group.modules, *group.tests) if not (ROOT / path).is_file()] == []
    assert {*GROUPS["compiler"].modules} == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "autograd/compiler").glob("*.py")
        if path.name != "__init__.py"
    }
    modules = [module for group in GROUPS.values() for module in group.modules]
    assert len(modules) == len({*modules})


TOY = {
    "toy/__init__.py": "",
    "toy/number.py": '''
        def kind(x):
            """
            >>> kind(-1)
            'small'
            """
            if x == 1 and x == 2:
                x = 5
            return "large" if x > 3 else "small"
    ''',
    "tests/test_number.py": """
        from toy.number import kind

        def test_kind():
            assert (kind(4), kind(3), kind(1)) == ("large", "small", "small")
    """,
}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # it needs none
    root = tmp_path / "toy"
    for name, text in TOY.items():
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(textwrap.dedent(text))
    (root / "pytest.ini").write_text("[pytest]\naddopts = --doctest-modules\n")
    return root


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_the_tests_see_is_caught(toy):
    """A doctest or a module's own test fails; what is never reached survives; the toy stays as it is."""
    before = files(toy)
    group = Group(["toy/number.py"], [])
    found = {(fault.old, fault.new): by for fault, by in faults.outcomes(group, 99, 1, 2, toy)}
    assert files(toy) == before
    assert len(found) == len(faults.faults("", (toy / "toy/number.py").read_text()))
    assert found['return "large" if x > 3 else "small"', "return None"] == "toy/number.py::toy.number.kind"
    assert found["x > 3", "(x >= 3)"] == "tests/test_number.py::test_kind"
    assert found["x == 1 and x == 2", "(x == 1 or x == 2)"] == "tests/test_number.py::test_kind"
    survivors = {new for (_, new), by in found.items() if by is None}
    assert survivors == {"6", "pass", "2", "3", "(x != 1)"}


def test_tests_that_never_end_fail(toy):
    test = toy / "tests/test_endless.py"
    test.write_text("def test_endless():\n    while True:\n        pass\n")
    assert faults.failure(toy, ["tests/test_endless.py"], 4.0) == "more than 4 s"


def test_a_fault_is_there_for_a_while(toy):
    fault = faults.faults("toy/number.py", (toy / "toy/number.py").read_text())[0]
    before = files(toy)
    with faults.there(fault, toy):
        ((path, text),) = (item for item in files(toy).items() if item[1] != before[item[0]])
    assert path == toy / fault.module
    assert fault.new in text.decode()
    assert files(toy) == before


def test_too_much_memory_is_a_failure(toy):
    test = toy / "tests/test_large.py"
    test.write_text(f"def test_large():\n    assert bytearray({faults.MEMORY})\n")
    assert faults.failure(toy, ["tests/test_large.py"], 60.0) == "tests/test_large.py::test_large"


def test_processes_that_tests_start_see_the_copy(toy):
    (toy / "tests/test_process.py").write_text("""
import subprocess, sys
def test_process(tmp_path):
    subprocess.run([sys.executable, "-c", "import toy.number"], cwd=tmp_path, check=True)
""")
    assert faults.failure(toy, ["tests/test_process.py"], 60.0) is None


def test_nothing_is_planted_where_the_tests_fail_anyway(toy):
    test = toy / "tests/test_wrong.py"
    test.write_text("def test_wrong():\n    assert False\n")
    with pytest.raises(RuntimeError, match=r"must pass without a fault. Received: tests/test_wrong"):
        next(faults.outcomes(Group(["toy/number.py"], ["tests/test_wrong.py"]), 1, 1, 1, toy))


def test_the_command(toy, monkeypatch, capsys, tmp_path):
    """The seed says which faults are drawn; survivors are printed, and the share of those that are caught."""
    monkeypatch.setattr(faults, "GROUPS", {"toy": Group(["toy/number.py"], ["tests/test_number.py"])})
    monkeypatch.setattr(faults, "ROOT", toy)
    calls = itertools.count()  # doctests and tests without a fault, with one that survives, with three
    monkeypatch.setattr(faults, "failure", lambda *_: None if next(calls) % 7 < 4 else "a test")
    path = tmp_path / "found.json"
    drawn = []
    for seed in ("2", "2", "3"):
        faults.main(["toy", "--count", "4", "--seed", seed, "--json", str(path)])
        drawn.append(path.read_text())
        survivor, head, last = capsys.readouterr().out.splitlines()
        first = json.loads(drawn[-1].partition("\n")[0])
        assert survivor.startswith(f"{first['module']}:{first['line']}: {first['kind']}: {first['old']}")
        assert first["caught"] is None
        assert head.split() == ["planted", "caught", "share"]
        assert last.split() == ["toy", "4", "3", "75%"]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(SystemExit):
        faults.main(["toys"])
    assert "no such group. Received: toys" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        faults.main(["toy", "--jobs", "0"])
    assert "at least one fault and one job. Received: 50, 0" in capsys.readouterr().err
