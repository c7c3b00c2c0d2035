"""DOT text to picture files: with `dot`, with pygraphviz, with neither; nothing half-written, no layout without end."""

import os
import shutil
import sys
import time
from importlib.util import find_spec
from xml.etree import ElementTree

import graphviz
import pytest

from autograd.render import FONT, FORMATS, layout, measures_glyphs, write

GRAPH = "digraph { x -> y }"
MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
needs_dot = pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz's program dot is not installed")
needs_pygraphviz = pytest.mark.skipif(not find_spec("pygraphviz"), reason="pygraphviz is not installed")
needs_scripts = pytest.mark.skipif(os.name == "nt", reason="stands in a script for dot")


@pytest.fixture
def no_dot(monkeypatch):
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def no_pygraphviz(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


@pytest.fixture(
    params=[pytest.param("dot", marks=needs_dot), pytest.param("pygraphviz", marks=needs_pygraphviz)]
)
def graphviz_here(request):
    """Each of the two ways to Graphviz, with the other one hidden."""
    request.getfixturevalue({"dot": "no_pygraphviz", "pygraphviz": "no_dot"}[request.param])


@pytest.fixture
def script_as_dot(tmp_path, monkeypatch):
    """Puts a Python script in the place of `dot`."""

    def install(script):
        program = tmp_path / "bin" / "dot"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return install


def tangle(nodes=150):
    """A graph whose layout takes minutes."""
    edges = (f"{i} -> {i * j % nodes}" for i in range(nodes) for j in range(2, 60))
    return "digraph { " + "; ".join(edges) + " }"


def texts(svg):
    """The lines of text that a reader sees in an SVG."""
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.usefixtures("graphviz_here")
class TestWithGraphviz:
    @pytest.mark.parametrize("format", MAGIC)
    def test_pictures(self, format, tmp_path):
        path = write(graphviz.Source(GRAPH), tmp_path / f"graph.{format.upper()}")
        assert path == tmp_path / f"graph.{format.upper()}"
        assert path.read_bytes().startswith(MAGIC[format])
        assert layout(GRAPH, format).startswith(MAGIC[format])
        assert os.listdir(tmp_path) == [path.name]

    @pytest.mark.parametrize(
        "label",
        [
            "× Σ → ² σ √ · − ∂ ≤ ≥ ∞",
            "имя 重み وزن שלום Ελ",
            "😀 👩‍🔬",
            "{a|b} <c> | d",
            """quotes " and ' and \\ here""",
            "a < b & c > d",
            "]]> <!-- --> <script>alert(1)</script>",
            "x" * 2000,
        ],
    )
    def test_hostile_labels_reach_the_picture(self, label):
        dot = graphviz.Digraph(node_attr={"fontname": FONT})
        dot.node("a", graphviz.escape(label))
        assert texts(layout(dot, "svg")) == [label]
        assert layout(dot, "png").startswith(MAGIC["png"])

    def test_newline_makes_two_lines(self):
        dot = graphviz.Digraph()
        dot.node("a", "one\ntwo")
        assert texts(layout(dot, "svg")) == ["one", "two"]

    @pytest.mark.parametrize("character", ["\0", "\x1b", "\ud800", "\ufffe"])
    def test_characters_no_svg_can_hold(self, character):
        assert texts(layout(f'digraph {{ a [label="x{character}y"] }}', "svg")) == [
            "x\N{REPLACEMENT CHARACTER}y"
        ]

    def test_comment_before_the_graph(self):
        assert texts(layout(graphviz.Digraph("name", comment="a { b", body=["a"]), "svg")) == ["a"]

    def test_more_than_a_thousand_nodes(self):
        assert layout("digraph { " + " ".join(map(str, range(1001))) + " }", "svg").startswith(MAGIC["svg"])

    def test_not_dot(self):
        with pytest.raises(RuntimeError, match=r"(?s)must be able to draw.*syntax error") as caught:
            layout("digraph { a [ }", "svg")
        assert "Traceback" not in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 3
        assert caught.value.__cause__ is None

    def test_nothing_to_draw(self):
        with pytest.raises(RuntimeError, match="must be able to draw"):
            layout("", "svg")

    def test_time_limit(self, tmp_path):
        (tmp_path / "graph.svg").write_text("old")
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=r"timeout=0\.5 .*Draw less.*`level=`.*`max_nodes=`"):
            write(tangle(), tmp_path / "graph.svg", timeout=0.5)
        assert time.monotonic() - start < 20
        assert (tmp_path / "graph.svg").read_text() == "old"
        assert os.listdir(tmp_path) == ["graph.svg"]

    def test_measures_glyphs_agrees_with_the_picture(self):
        def width(label):
            svg = layout(
                f'digraph {{ node [shape=box margin=0 width=0 fontname={FONT}] a [label="{label}"] }}', "svg"
            )
            return float(ElementTree.fromstring(svg).attrib["width"].removesuffix("pt"))

        accented = width("e\N{COMBINING ACUTE ACCENT}" * 20)
        assert measures_glyphs() == (accented < 1.2 * width("e" * 20))


@needs_pygraphviz
@pytest.mark.usefixtures("no_dot")
def test_pygraphviz_is_looked_for_where_this_process_would(tmp_path, monkeypatch):
    (tmp_path / "pygraphviz.py").write_text("raise ImportError('this one')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pygraphviz", raising=False)
    with pytest.raises(RuntimeError, match=r"Received: ImportError: this one$"):
        layout(GRAPH, "svg")


@pytest.mark.usefixtures("no_dot", "no_pygraphviz")
class TestWithoutGraphviz:
    @pytest.mark.parametrize("format", MAGIC)
    def test_says_how_to_get_it(self, format, tmp_path):
        path = tmp_path / f"graph.{format}"
        path.write_text("old")
        with pytest.raises(RuntimeError) as caught:
            write(GRAPH, path)
        for way in ("apt install graphviz", "brew install graphviz", 'pip install "neurongrad[render]"'):
            assert way in str(caught.value)
        assert path.read_text() == "old"

    @pytest.mark.parametrize("format", ["dot", "gv"])
    def test_text_needs_none(self, format, tmp_path):
        text = 'digraph { a [label="×\nΣ"] }\n'
        assert write(text, tmp_path / f"graph.{format}").read_bytes() == text.encode()
        assert layout(graphviz.Source(text), format) == text.encode()

    def test_measures_nothing(self):
        assert not measures_glyphs()


@needs_scripts
@pytest.mark.usefixtures("no_pygraphviz")
class TestTheProgram:
    def test_is_killed_at_the_time_limit(self, script_as_dot, tmp_path):
        script_as_dot(f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
        with pytest.raises(TimeoutError, match="timeout=2 "):
            layout(GRAPH, "svg", timeout=2)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_its_first_words_are_the_error(self, script_as_dot):
        script_as_dot("sys.exit('Fontconfig warning: chatter\\n\\nError: one\\ntwo\\nthree\\nfour')")
        with pytest.raises(RuntimeError, match=r"Received: Error: one\ntwo\nthree$"):
            layout(GRAPH, "svg")

    @pytest.mark.parametrize(
        "script", ["sys.exit(3)", "os.abort()", "print('half a pic', flush=True); os.abort()", ""]
    )
    def test_ends_without_a_word(self, script, script_as_dot, tmp_path):
        script_as_dot(script)
        (tmp_path / "graph.svg").write_text("old")
        with pytest.raises(RuntimeError, match="Received: no picture, exit status"):
            write(GRAPH, tmp_path / "graph.svg")
        assert (tmp_path / "graph.svg").read_text() == "old"

    def test_cannot_be_started(self, script_as_dot, tmp_path):
        script_as_dot("")
        (tmp_path / "bin" / "dot").write_bytes(b"\x7fELF")
        with pytest.raises(RuntimeError, match="must be able to draw"):
            layout(GRAPH, "svg")

    def test_without_text_layout_does_not_measure_glyphs(self, script_as_dot):
        script_as_dot("print('graph 1 1 1\\nnode 0 0 0 0.5 0.2\\nnode 1 0 0 1.1 0.2\\nstop')")
        assert not measures_glyphs()

    def test_with_text_layout_measures_glyphs(self, script_as_dot):
        script_as_dot("print('graph 1 1 1\\nnode 0 0 0 0.5 0.2\\nnode 1 0 0 0.5 0.2\\nstop')")
        assert measures_glyphs()


@needs_scripts
@needs_pygraphviz
def test_the_program_fails_and_pygraphviz_takes_over(script_as_dot):
    script_as_dot("sys.exit('Format: \"png\" not recognized.')")
    assert layout(GRAPH, "png").startswith(MAGIC["png"])
    with pytest.raises(
        RuntimeError, match=r'Received: Format: "png" not recognized\.$'
    ):  # the program's own words
        layout("not a graph", "png")


class TestFiles:
    @pytest.mark.parametrize("name", ["graph", "graph.jpg", "graph.svgz", ".svg", "svg", "graph.svg.bak"])
    def test_other_endings(self, name, tmp_path):
        with pytest.raises(
            ValueError, match=r"end in \.svg, \.png, \.pdf, \.dot, \.gv\. Received: .*" + name
        ):
            write(GRAPH, tmp_path / name)
        assert not os.listdir(tmp_path)

    def test_other_formats(self):
        with pytest.raises(ValueError, match=r"one of .* Received: format='jpg'"):
            layout(GRAPH, "jpg")
        assert set(FORMATS) == {*MAGIC, "dot", "gv"}

    def test_missing_folder(self, tmp_path):
        path = tmp_path / "missing" / "graph.dot"
        with pytest.raises(FileNotFoundError, match="nothing was written") as caught:
            write(GRAPH, path)
        assert caught.value.filename == str(path)

    def test_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "file").write_text("old")
        with pytest.raises(OSError, match="nothing was written"):
            write(GRAPH, tmp_path / "file" / "graph.dot")
        assert (tmp_path / "file").read_text() == "old"

    def test_folder_in_place_of_the_file(self, tmp_path):
        (tmp_path / "graph.dot").mkdir()
        with pytest.raises(OSError, match="nothing was written"):
            write(GRAPH, tmp_path / "graph.dot")
        assert os.listdir(tmp_path) == ["graph.dot"]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_folder_without_permission(self, tmp_path):
        (tmp_path / "graph.dot").write_text("old")
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError, match="nothing was written"):
            write(GRAPH, tmp_path / "graph.dot")
        tmp_path.chmod(0o700)
        assert (tmp_path / "graph.dot").read_text() == "old"

    @pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.chmod", "os.replace"])
    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_stopped_in_the_middle(self, step, error, tmp_path, monkeypatch):
        def stop(*_):
            raise error

        path = write("digraph { old }", tmp_path / "graph.dot")
        monkeypatch.setattr(step, stop)
        with pytest.raises(type(error)):
            write(GRAPH, path)
        assert path.read_text() == "digraph { old }"
        assert os.listdir(tmp_path) == ["graph.dot"]

    def test_replaces_and_keeps_the_usual_permissions(self, tmp_path):
        (tmp_path / "plain").touch()
        path = tmp_path / "graph.dot"
        write("digraph { old }", path)
        assert write(GRAPH, str(path)).read_text() == GRAPH
        assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode

    @needs_scripts
    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "real.dot").write_text("old")
        (tmp_path / "graph.dot").symlink_to("real.dot")
        write(GRAPH, tmp_path / "graph.dot")
        assert (tmp_path / "graph.dot").is_symlink()
        assert (tmp_path / "real.dot").read_text() == GRAPH

    def test_long_name(self, tmp_path):
        assert write(GRAPH, tmp_path / ("x" * 240 + ".dot")).read_text() == GRAPH

    def test_relative_to_the_working_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert str(write(GRAPH, "graph.dot")) == "graph.dot"
        assert (tmp_path / "graph.dot").read_text() == GRAPH
