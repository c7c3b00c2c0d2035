"""README.md is true: its Python blocks run, it shows what is there, its two lines are where `.ci/run` finds them."""

import doctest
import html
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from demos.lessons import TABLE

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


# What it shows of the code is what is there -----------------------------------------------------------------------


def printed_source(title, program):
    """What the first block of a chapter ends with printing, the source of its program of that name."""
    (text,) = (text for heading, _, text in chapters() if heading == title)
    names: dict = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(next(blocks(text, "python"))[1], names)
    source = names[program].source
    assert printed.getvalue().endswith(source + "\n"), f"the block's last line must print {program}.source"
    return source


def beside_the_scalars():
    """The program at the top, without the shapes behind its lines: half a page is narrow."""
    return re.sub(" +#.*", "", printed_source("neurongrad", "loss"))


def lessons():
    """The rows of the table of lessons, three in each."""
    rows = []
    for number, lesson in enumerate(TABLE, start=1):
        path = lesson.path.relative_to(README.parent).as_posix()
        picture = f'<img src="demos/pictures/{lesson.name}.png" width="250" alt="">'
        link = f'<a href="{path}">{picture}<br><b>{number}. {html.escape(lesson.title)}</b></a>'
        cell = f'<td width="33%" valign="top">{link}<br>{html.escape(lesson.about)}</td>\n'
        rows.append(cell if number % 3 != 1 else f"</tr><tr>\n{cell}" if number > 1 else f"<tr>\n{cell}")
    return "".join(rows) + "</tr>\n"


SHOWN = {  # where it stands, the second group, and what must stand there
    "the program beside the scalars": (r"(^```py\n)(.*?)(?=^```$)", beside_the_scalars),
    "the table of lessons": (r"(^## Lessons$.*?^<table>\n)(.*?)(?=^</table>$)", lessons),
    "the program of a step": (
        r"(^The last line prints this program:\n\n```text\n)(.*?)(?=^```$)",
        lambda: printed_source("Write scalars, run arrays", "step"),
    ),
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_is_shown_is_what_is_there(what):
    pattern, made = SHOWN[what]
    ((_, shown),) = re.findall(pattern, README.read_text(encoding="utf-8"), re.M | re.S)
    assert shown == made(), f"{what} in README.md is stale; `python -m tests.test_readme` puts in the new"


def test_the_two_halves_fit_side_by_side():
    """Of a page on GitHub, 830 pixels wide, this is what frames and margins leave for code."""
    (title, *_) = (text for _, _, text in chapters())
    halves = [next(blocks(title, language))[1] for language in ("python", "py")]
    assert sum(max(map(len, half.splitlines())) for half in halves) <= 87


def test_links_lead_to_files():
    text = README.read_text(encoding="utf-8")
    links = [*re.findall(r'(?:href|src|srcset)="([^"]+)"', text), *re.findall(r"\]\(([^)]+)\)", text)]
    assert links
    assert [link for link in links if "://" not in link and not (README.parent / link).is_file()] == []


if __name__ == "__main__":
    for pattern, made in SHOWN.values():
        text = README.read_text(encoding="utf-8")
        found = re.search(pattern, text, re.M | re.S)
        assert found
        README.write_text(text[: found.start(2)] + made() + text[found.end(2) :], encoding="utf-8")
