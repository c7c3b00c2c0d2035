"""README.md is true: its Python blocks run, and its two lines are where readers and `.ci/run` find them."""

import doctest
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def chapters():
    """The text under each heading of README.md, with the number of the line before it."""
    lines = README.read_text(encoding="utf-8").split("\n")
    fenced = False
    heads = []
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if not fenced and re.match("##? ", line):
            heads.append(number)
    for head, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        yield lines[head].lstrip("# "), head + 1, "\n".join(lines[head + 1 : end])


def blocks(text, language):
    """Each block of a language, with the number of lines before it."""
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start(1)), match[1]


@pytest.mark.parametrize(
    ("text", "start"),
    [pytest.param(text, start, id=title) for title, start, text in chapters() if "```python\n" in text],
)
def test_python_blocks_run(text, start, tmp_path, monkeypatch):
    """The blocks of a chapter run in order and share their names; lines after `>>>` print what is shown."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for line, code in blocks(text, "python"):
        if code.startswith(">>> "):
            example = doctest.DocTestParser().get_doctest(code, names, "README", str(README), start + line)
            failures: list[str] = []
            doctest.DocTestRunner().run(example, out=failures.append, clear_globs=False)
            names = example.globs
            assert not failures, "".join(failures)
        else:
            exec(compile("\n" * (start + line) + code, README, "exec", dont_inherit=True), names)


def test_there_are_python_blocks():
    assert any("```python\n" in text for _, _, text in chapters())


@pytest.mark.parametrize("title", ["Run it", "Test it"])
def test_chapter_opens_with_one_line_to_run(title):
    (text,) = (text for heading, _, text in chapters() if heading == title)
    assert re.match(r"\n*```bash\n[^\n]+\n```\n", text)


# The generated program that it shows -----------------------------------------------------------------------------

SHOWN = re.compile(r"(?<=^The last line prints this program:\n\n```text\n)(?:(?!```).*\n)*", re.M)


def generated():
    """What the first block of the program's chapter ends with printing."""
    (text,) = (text for title, _, text in chapters() if title == "Write scalars, run arrays")
    names: dict = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(next(blocks(text, "python"))[1], names)
    source = names["step"].source
    assert printed.getvalue().endswith("\n" + source + "\n"), "the block's last line must print step.source"
    return source


def test_the_program_shown_is_the_one_generated():
    (shown,) = SHOWN.findall(README.read_text(encoding="utf-8"))
    assert shown == generated(), (
        "README.md shows an older program; `python -m tests.test_readme` puts in the new"
    )


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(SHOWN.sub(lambda _: generated(), text, count=1), encoding="utf-8")
