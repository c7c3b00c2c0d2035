"""The page that explores a graph: what Python writes into it, and what a browser makes of it."""

import html
import json
import math
import os
import random
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

import autograd
from autograd import Value
from autograd.explorer import FOLDER, contents, explore
from autograd.layout import BEND, GAP, OUTSIDE, arrange, spaced
from autograd.levels import LEVELS, Recorded
from autograd.selection import collect
from nn import LSTM, MLP, Layer, Neuron

from .hostile import HOSTILE, SEEN


def worked():
    """The neuron of the lecture: z = 0 but for rounding, so the sigmoid gives a half."""
    x = [Value(v, label=f"x[{i}]") for i, v in enumerate([0.5, 0.8, 0.2])]
    neuron = Neuron(3, activation="sigmoid")
    for w, v in zip(neuron.w, [0.4, -0.6, 0.9], strict=True):
        w.data = v
    neuron.b.data = 0.1
    out = neuron(x)
    out.label = "out"
    out.backward()
    return out


def perceptrons(sizes=(4, 4, 1)):
    out = MLP(3, [*sizes], rng=1)([2.0, Value(3.0, label="x1"), -1.0])
    out = out if isinstance(out, Value) else autograd.sum(out)
    out.label = "out"
    out.backward()
    return out


def long_chain(n=10_000):
    v = Value(0.5, label="start")
    for i in range(n):
        v = v * 0.999 if i % 2 else v.sin()
    return v


def data_of(output, level="auto", max_nodes=30_000):
    return contents(output if isinstance(output, list) else [output], "title", level, max_nodes)


def written(text):
    """The data in a page."""
    return json.loads(match(r'<script type="application/json" id="data">(.*?)</script>', text))


def match(pattern, text):
    found = re.search(pattern, text, re.DOTALL)
    assert found
    return found[1]


# Places -----------------------------------------------------------------------------------------------------------


def random_graph(seed, n=25):
    rng = random.Random(seed)
    edges = [(a, b) for a in range(n) for b in range(n) if a != b and rng.random() < 2 / n]
    return [rng.choice([20.0, 60.0, 80.0]) for _ in range(n)], edges


@pytest.mark.parametrize("seed", range(20))
def test_boxes_never_overlap_and_edges_lead_right(seed):
    sizes, edges = random_graph(seed)
    forward = [(a, b) for a, b in edges if a < b]
    found = arrange(sizes, forward, entries=[20], exits=[0])
    assert found == arrange(sizes, forward, entries=[20], exits=[0])
    assert all(found.columns[a] < found.columns[b] for a, b in forward)
    places = [(c, y, size) for c, y, size in zip(found.columns, found.heights, sizes, strict=True)]
    for (a, b), ys in found.bends.items():
        first = 0 if a == OUTSIDE else found.columns[a] + 1
        last = max(found.columns) + 1 if b == OUTSIDE else found.columns[b]
        assert len(ys) == last - first
        places += [(first + k, y, BEND) for k, y in enumerate(ys)]
    for column in set(found.columns):
        stack = sorted((y, size) for c, y, size in places if c == column)
        for (y, size), (z, other) in pairwise(stack):
            assert z - y >= (size + other) / 2 + GAP - 0.11  # heights are rounded to a tenth
    assert min(y - size / 2 for _, y, size in places) >= 0.0


@pytest.mark.parametrize("seed", range(10))
def test_circles_are_cut_at_few_edges(seed):
    sizes, edges = random_graph(seed)
    columns = arrange(sizes, edges).columns
    assert sum(columns[a] >= columns[b] for a, b in edges) < len(edges) / 2
    assert len(columns) == len(sizes)


def test_heights_are_the_nearest_that_keep_apart():
    rng = random.Random(0)
    sizes = [rng.choice([10.0, 50.0]) for _ in range(8)]
    wanted = [rng.uniform(0, 300) for _ in range(8)]
    found = spaced(wanted, sizes)
    distance = sum((a - b) ** 2 for a, b in zip(found, wanted, strict=True))
    for _ in range(2000):  # no other heights that keep apart are nearer in sum
        moved = [y + rng.gauss(0, 10) for y in found]
        if all(
            b - a >= (s + t) / 2 + GAP
            for (a, b), (s, t) in zip(pairwise(moved), pairwise(sizes), strict=True)
        ):
            assert sum((a - b) ** 2 for a, b in zip(moved, wanted, strict=True)) >= distance - 1e-9
    assert spaced([0.0, 500.0], [10.0, 10.0]) == [0.0, 500.0]


def test_nothing_to_arrange():
    assert arrange([], []).columns == []
    assert arrange([10.0], []).heights == [5.0]


# What is in the page ----------------------------------------------------------------------------------------------


def test_the_values_are_those_of_the_drawing():
    out = perceptrons()
    data = data_of(out)
    drawn = collect([out], unfold=True)
    assert sorted(data["data"]) == sorted(n.value.data for n in drawn)
    assert sorted(label for label in data["label"] if label) == sorted(
        n.value.label for n in drawn if n.value.label
    )
    for i, operands in enumerate(data["x"]):
        assert all(isinstance(x, list) or x < i for x in operands)


def test_gradients_are_pythons_to_the_last_digit():
    out = perceptrons()
    data = data_of(out)
    assert data["called"]
    assert not data["python"] or all(data["grad"][int(i)] == g for i, g in data["python"].items())
    by_label = {label: g for label, g in zip(data["label"], data["grad"], strict=True) if label}
    for n in collect([out], unfold=False):
        if n.value.label:
            assert by_label[n.value.label] == n.value.grad


def test_before_backward_the_page_computes_and_leaves_grad_alone():
    x = Value(3.0, label="x")
    y = x * x + 2 * x
    data = data_of(y)
    assert not data["called"]
    assert data["grad"][0] == 8.0
    assert repr(x) == "Value(data=3.0)"
    assert repr(y) == "Value(data=15.0)"
    y.backward()
    assert data_of(y)["grad"] == data["grad"]


def test_what_accumulated_over_passes_is_told_apart():
    x = Value(3.0)
    y = x * x
    y.backward()
    y.backward()
    data = data_of(y)
    assert data["grad"] == [6.0, 1.0]
    assert data["python"] == {0: 12.0}


def test_backward_begins_with_the_gradient_that_the_output_has():
    x = Value(3.0)
    y = x * x
    (y * 5).backward()
    assert data_of(y)["grad"] == [30.0, 5.0]


def test_several_outputs_begin_with_one_each_unless_one_is_behind_another():
    x = Value(2.0)
    y = x * 3
    z = y * 4
    assert data_of([y, x * x])["grad"][0] == 7.0
    data = data_of([z, y])
    assert [data["data"][i] for i in data["starts"]] == [24.0]
    assert len(data["outputs"]) == 2
    assert data["grad"][data["data"].index(6.0)] == 4.0


def test_constants_and_unreached_leaves_have_no_gradient():
    x, c = Value(2.0), Value(5.0).detach()
    data = data_of(x * c)
    assert data["grad"][data["data"].index(5.0)] is None
    assert data["kind"][data["data"].index(5.0)] == "c"


def test_a_node_made_by_hand_shows_what_python_found():
    x = Value(2.0)
    y = Value(8.0, (x,), "cube")

    def push():
        x.grad += 12.0 * y.grad

    y._backward = push
    y.backward()
    data = data_of(y)
    assert data["grad"] == [12.0, 1.0]
    assert data["ops"][0][0] == "cube"


def test_nan_and_inf_are_written_as_python_says_them():
    x = Value(0.0)
    data = data_of([x.log(), x / x])
    assert "-inf" in data["data"]
    assert "nan" in data["data"]
    json.dumps(data, allow_nan=False)


def test_a_stale_operand_is_noticed():
    x = Value(2.0)
    y = x * 3
    assert data_of(y)["stale"] == []
    x.data = 5.0
    assert data_of(y)["stale"] == [1]


def test_the_line_that_recorded_is_quoted_where_known():
    with autograd.detect_anomaly():
        y = Value(2.0).exp()
    (line,) = data_of(y)["lines"]
    assert line.endswith("y = Value(2.0).exp()")
    assert Path(__file__).name in line


def test_all_that_a_layer_computes_has_the_line_that_called_it():
    model, x = MLP(2, [3, 1], rng=1), [Value(0.5), Value(-1.0)]
    with autograd.record_lines():
        out = model(x)
        loss = (out - 1.0) ** 2
    data = data_of(loss)
    computed = [i for i, op in enumerate(data["op"]) if op >= 0]
    assert sorted(data["line"]) == computed  # the products and sums of a folded neuron among them
    assert [line.partition(": ")[2] for line in data["lines"]] == [
        "out = model(x)",
        "loss = (out - 1.0) ** 2",
    ]
    assert [data["line"][i] for i in computed] == [0] * (len(computed) - 2) + [1] * 2
    out = model(x)
    assert data_of(out)["line"] == {}
    assert data_of(out)["lines"] == []


def test_the_page_tells_the_line_or_how_to_come_by_it(show):
    model = MLP(2, [3, 1], rng=1)
    with autograd.record_lines():
        out = model([0.5, -1.0])
    browser = show(out, level="scalar")
    lines = data_of(out)["lines"]
    for i in boxes(browser):
        focus(browser, i)
        leaf = detail(browser).get("kind") in ("leaf", "parameter")
        assert detail(browser).get("recorded at") == (None if leaf else lines[0]), i
        assert "record_lines" not in browser.text("#detail").replace(lines[0], "")
    browser = show(out, level="neuron")
    for i in boxes(browser):
        focus(browser, i)
        assert i >= 0 or detail(browser)["recorded at"] == lines[0]
    browser = show(model([0.5, -1.0]), level="scalar")
    for i in boxes(browser):
        focus(browser, i)
        told = "autograd.record_lines()" in browser.text("#detail")
        assert told == (i >= 0 and detail(browser).get("kind") not in ("leaf", "parameter")), i


def test_deep_graphs_do_not_recurse():
    assert len(data_of(long_chain(3000))["data"]) == 3001


@pytest.mark.parametrize("level", LEVELS[1:])
def test_what_is_closed_at_a_level_are_the_boxes_of_the_drawing(level):
    out = perceptrons()
    data = data_of(out)
    k = LEVELS.index(level)
    closed = set()
    waiting = [0]
    while waiting:
        box = data["boxes"][waiting.pop()]
        if box["opens"] >= k:
            waiting += [-1 - part for part in box["parts"] if part < 0]
        else:
            closed.add(box["path"])
    groups, _ = Recorded([out]).groups(level)
    assert closed == {".".join(names(g.scope)) for g in groups if g.scope}


def names(scope):
    return [*names(scope.parent), scope.name] if scope else []


def test_each_value_stands_in_one_box_and_boxes_stay_small():
    for output in (perceptrons((30, 20)), long_chain(5000)):
        data = data_of(output)
        parts = [part for box in data["boxes"] for part in box["parts"]]
        assert sorted(p for p in parts if p >= 0) == list(range(len(data["data"])))
        assert sorted(-1 - p for p in parts if p < 0) == list(range(1, len(data["boxes"])))
        assert max(len(box["parts"]) for box in data["boxes"]) <= 61


def test_the_same_graph_gives_the_same_page():
    script = (
        "import random, hashlib; from nn import MLP; from autograd.explorer import explore; random.seed(1);"
        "print(hashlib.sha256(explore(MLP(3, [12, 12, 1])([1.0, 2.0, 3.0])).html.encode()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(runs) == 1


# Too large --------------------------------------------------------------------------------------------------------


def test_a_large_graph_keeps_its_sums_folded_then_its_modules_closed():
    out = MLP(20, [30, 10, 1], rng=1)([0.1] * 20)
    full, folded = data_of(out), data_of(out, max_nodes=500)
    assert not full["note"]
    assert "folded" in folded["note"]
    assert len(folded["data"]) <= 500
    closed = data_of(out, max_nodes=85)
    assert "neurons" in closed["note"]
    assert sum(closed["parts"].values()) > 0
    assert [box["opens"] for box in closed["boxes"] if box["level"] == "neuron"].count(-1) == 40


def test_a_long_sum_without_its_weights_is_still_a_result():
    data = data_of(MLP(20, [30, 10, 1], rng=1)([0.1] * 20), max_nodes=500)
    dots = [k for k, op in enumerate(data["ops"]) if op[0] == "dot"]
    assert [op in dots for op in data["op"]].count(True) == 41
    assert [] in [x for x, op in zip(data["x"], data["op"], strict=True) if op in dots]


def test_a_weight_that_others_read_too_stays():
    model = MLP(20, [4, 1], rng=1)
    w = model.layers[0].neurons[0].w[0]
    data = data_of(model([0.1] * 20) + w * w, max_nodes=60)
    assert "folded" in data["note"]
    assert data["label"].count(w.label) == 1


def test_what_lies_far_behind_becomes_one_box():
    data = data_of(long_chain(5000), max_nodes=100)
    assert "nearest" in data["note"]
    assert len(data["data"]) <= 100
    assert any("more values" in box["title"] for box in data["boxes"])


def test_ten_thousand_values_take_seconds_and_stay_small():
    out = long_chain(10_000)
    start = time.perf_counter()
    page = explore(out)
    assert time.perf_counter() - start < 15  # 2 s on a machine that does nothing else
    assert len(page.html.encode()) < 3_000_000
    assert len(explore(perceptrons()).html.encode()) < 300_000


# The file ---------------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_from_outside():
    text = explore(worked()).html
    policy = html.unescape(match(r'http-equiv="Content-Security-Policy" content="(.*?)"', text))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    addresses = set(re.findall(r"\w+://[^\"')\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace
    assert not re.search(r"\b(src|href)=|@import|url\((?!#)", text.split('id="data"')[0])


@pytest.mark.parametrize("kind", HOSTILE)
def test_labels_reach_the_page_as_they_are_and_nothing_else_does(kind):
    label = HOSTILE[kind]
    x = Value(2.0, label=label)
    text = explore(x * 3, title=label).html
    assert label in written(text)["label"]
    assert text.count("</script>") == 2
    assert "<img" not in text
    assert "\u2028" not in text.split('id="data"')[1]
    text.encode("utf-8", "surrogatepass")


def test_a_path_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = explore(worked(), tmp_path / "graph.html")
    assert path == tmp_path / "graph.html"
    before = path.read_text(encoding="utf-8")
    assert before == explore(worked(), title="Graph of out").html
    with pytest.raises(OSError, match="nothing was written"):
        explore(worked(), tmp_path / "nowhere" / "graph.html")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        explore(Value(1.0) * 2, path)
    assert path.read_text(encoding="utf-8") == before
    assert [p.name for p in tmp_path.iterdir()] == ["graph.html"]


def test_a_label_that_is_no_text_is_written_all_the_same(tmp_path):
    assert explore(Value(1.0, label="\ud800") * 2, tmp_path / "lone.html", title="\ud800").exists()


def test_a_notebook_shows_it_in_a_closed_frame():
    page = explore(worked())
    frame = page._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(match(r'srcdoc="([^"]*)"', frame)) == page.html
    assert repr(page).startswith("<Page 'Graph of out', ")


def test_it_needs_no_graphviz(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert explore(worked(), tmp_path / "graph.html").stat().st_size > 10_000


WRONG = [
    (TypeError, "explore needs a Value or a list of Values. Received: float", {"output": 1.0}),
    (TypeError, "explore needs a Value or a list of Values. Received: str", {"output": "x"}),
    (TypeError, "Received: float", {"output": [1.0]}),
    (ValueError, "at least one Value. Received: none", {"output": []}),
    (ValueError, "level is one of auto, scalar, .* Received: level='atoms'", {"level": "atoms"}),
    (ValueError, "theme is one of auto, light, dark. Received: theme='blue'", {"theme": "blue"}),
    (ValueError, "max_nodes is an int of at least 1. Received: max_nodes=0", {"max_nodes": 0}),
    (ValueError, "a page's file must end in .html. Received: 'graph.svg'", {"path": "graph.svg"}),
    (TypeError, "a title is a str. Received: int", {"title": 3}),
]


@pytest.mark.parametrize(("kind", "message", "wrong"), WRONG)
def test_errors_say_what_must_hold_and_what_was_received(kind, message, wrong):
    with pytest.raises(kind, match=message):
        explore(**{"output": Value(1.0) * 2, **wrong})


def test_the_page_is_made_of_files_that_a_person_reads():
    kinds = ("css", "html", "js")
    assert {p.name for p in FOLDER.iterdir()} == {
        f"{n}.{kind}" for n in ("explorer", "shared") for kind in kinds
    }
    for path in FOLDER.iterdir():
        assert path.stat().st_size < 60_000


# In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def show(visit, tmp_path):
    """Opens the page of an output."""
    return lambda output, **options: visit(explore(output, tmp_path / "graph.html", **options))


def boxes(browser):
    """The lines of text in each box of the picture."""
    script = """return [...document.querySelectorAll(".item")].map(item =>
        [Number(item.dataset.id), [...item.querySelectorAll("text")].map(t => t.textContent)])"""
    return dict(browser.run(script))


def focus(browser, i):
    browser.run("document.querySelector(`[data-id='${arguments[0]}']`).focus()", i)


def detail(browser):
    """The rows of the explanation."""
    script = """return [...document.querySelectorAll("#detail dt")].map(dt =>
        [dt.textContent, dt.nextSibling.textContent])"""
    return dict(browser.run(script))


def test_numbers_read_as_python_writes_them(show):
    browser = show(worked())
    rng = random.Random(0)
    numbers = [
        0.0,
        -0.0,
        1.0,
        100.0,
        1e16,
        9007199254740993.0,
        1e15,
        123456789012345680.0,
        1e-4,
        1e-5,
        5e-324,
        1e22,
    ]
    numbers += [
        1.7976931348623157e308,
        0.1,
        12345.0,
        12365.0,
        12355.0,
        0.00012345,
        99995.0,
        9999.5,
        999.95,
        2.5,
        1.0005,
    ]
    numbers += [rng.uniform(-1, 1) * 10 ** rng.randint(-30, 30) for _ in range(2000)]
    numbers += [float(rng.randint(-200000, 200000)) / 8 for _ in range(2000)]
    got = browser.run("return arguments[0].map(x => [explorer.repr(Number(x)), explorer.short(Number(x))])",
                      [repr(x) for x in numbers])  # fmt: skip
    assert got == [[repr(x), format(x, ".4g")] for x in numbers]
    odd = "return [NaN, Infinity, -Infinity].map(x => [explorer.repr(x), explorer.short(x)])"
    assert browser.run(odd) == [["nan"] * 2, ["inf"] * 2, ["-inf"] * 2]


@pytest.mark.parametrize("make", [worked, perceptrons])
def test_every_number_on_the_screen_is_pythons(show, make):
    out = make()
    browser = show(out, level="scalar")
    data = data_of(out)
    found = boxes(browser)
    assert len(found) == len(data["data"])
    for i, lines in found.items():
        assert f"data {data['data'][i]:.4g}" in lines
        assert f"grad {data['grad'][i]:.4g}" in lines
    for i in list(found)[:: max(1, len(found) // 12)]:
        focus(browser, i)
        rows = detail(browser)
        assert rows["value"] == repr(data["data"][i])
        assert rows["gradient"] == repr(data["grad"][i])


def test_the_chain_rule_with_its_numbers(show):
    w, x = Value(0.5, label="w"), Value(3.0, label="x")
    z = w * x
    z.label = "z"
    loss = z * z + w
    loss.label = "L"
    loss.backward()
    browser = show(loss)
    browser.click("[data-id='0']")
    text = browser.text("#detail")
    assert "dL/dw = dL/dz * dz/dw + dL/dL * dL/dw\n  = 3.0 * 3.0 + 1.0 * 1.0\n  = 9.0 + 1.0\n  = 10.0" in text
    assert detail(browser) == {"value": "0.5", "gradient": "10.0", "kind": "leaf"}
    browser.hover("[data-id='2']")
    assert "z = w × x\n  = 0.5 × 3.0\n  = 1.5" in browser.text("#detail")


def test_steps_forward_then_backward_and_back_again(show):
    x = Value(3.0, label="x")
    y = x * x
    y.label = "y"
    loss = y + x
    loss.label = "L"
    loss.backward()
    browser = show(loss)
    end = boxes(browser)
    assert browser.text("#where") == "Backward 2 of 2 (end)"
    browser.press("Home")
    assert browser.text("#where") == "Start"
    assert all("grad -" in lines for lines in boxes(browser).values())
    assert "data ?" in boxes(browser)[1]
    told = []
    for _ in range(5):
        browser.press("n")
        told.append((browser.text("#where"), browser.text("#step")))
    assert [where for where, _ in told] == [
        "Forward 1 of 2", "Forward 2 of 2", "Backward begins", "Backward 1 of 2", "Backward 2 of 2 (end)",
    ]  # fmt: skip
    assert "y = x × x\n  = 3.0 × 3.0\n  = 9.0" in told[0][1]
    assert "dL/dL = 1.0" in told[2][1]
    assert "dL/dx += dL/dL * dL/dx\n   = 1.0 * 1.0\n   = 1.0" in told[3][1]
    assert "dL/dx is now 1.0, from 1 of 3 edges." in told[3][1]
    assert "dL/dx += dL/dy * dy/dx\n   = 1.0 * 3.0\n   = 3.0" in told[4][1]
    assert "dL/dx is now 7.0, from all 3 edges." in told[4][1]
    assert boxes(browser) == end
    browser.press("p")
    assert "grad 1 …" in boxes(browser)[0]
    browser.press("Home", "End")
    assert boxes(browser) == end


def test_it_plays_by_itself(show):
    browser = show(Value(2.0).exp())
    browser.run("document.getElementById('speed').value = 4")
    browser.press("Home", "Space")
    assert browser.run("return document.getElementById('play').getAttribute('aria-pressed')") == "true"
    until = time.monotonic() + 30
    while "(end)" not in browser.text("#where") and time.monotonic() < until:
        time.sleep(0.1)
    assert "(end)" in browser.text("#where")
    assert browser.run("return document.getElementById('play').getAttribute('aria-pressed')") == "false"


def test_modules_open_and_close_with_all_else_in_its_order(show):
    browser = show(perceptrons(), level="layer")
    before = boxes(browser)
    titles = {lines[0]: i for i, lines in before.items()}
    assert {"layers.0", "layers.1", "layers.2"} <= set(titles)
    browser.click(f"[data-id='{titles['layers.1']}']")
    inside = [lines[0] for lines in boxes(browser).values()]
    assert inside.count("neurons.0") == 1
    assert "layers.1" not in inside
    rectangles = browser.run("""return [...document.querySelectorAll(".item .card")].map(card => {
        const r = card.getBBox(); return [r.x, r.y, r.width, r.height]; })""")
    for i, (x, y, w, h) in enumerate(rectangles):
        for a, b, c, d in rectangles[:i]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y
    browser.press("Enter")
    assert boxes(browser) == before
    for level, least in ((0, 110), (1, 9), (2, 3), (4, 1)):
        browser.click(f"#levels [data-level='{level}']")
        assert len(boxes(browser)) >= least
    assert len(boxes(browser)) < 5


def test_search_by_label_operation_and_module(show):
    browser = show(perceptrons(), level="model")
    browser.press("/")
    browser.press(*"relu layers.1")
    assert "4 found" in browser.text("#results")
    browser.press("Down", "Enter")
    assert browser.text("#detail").startswith("v")
    assert "in MLP.layers.1.neurons.1" in browser.text("#detail")
    assert browser.run("return document.activeElement.classList.contains('item')")
    browser.press("/")
    browser.run("document.getElementById('search').value = ''")
    browser.press(*"nothing like it")
    assert "nothing found" in browser.text("#results")
    browser.press("Escape")
    assert not browser.run("return document.getElementById('results').checkVisibility()")


def test_the_keyboard_alone_will_do(show):
    browser = show(worked(), level="neuron")
    reached = []
    for _ in range(12):  # search, levels, view, then the picture
        browser.press("Tab")
        reached.append(
            browser.run("return document.activeElement.id || document.activeElement.getAttribute('class')")
        )
    assert "search" in reached
    assert any(name and "item" in name for name in reached), reached
    browser.press("/", "Escape")
    label = "return document.activeElement.getAttribute('aria-label')"
    start = browser.run(label)
    assert start.startswith("x[0], data 0.5, gradient 0.1")
    browser.press("Right")
    assert browser.run(label).startswith("Neuron")
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "false"
    browser.press("Enter")
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    browser.press("Down")
    assert "data" in browser.run(label)
    for _ in range(6):
        browser.press("Right")
    assert browser.run(label).startswith("out, sigmoid(")
    assert detail(browser)["value"] == "0.5"
    browser.press("?")
    assert browser.run("return document.querySelector('dialog').open")
    browser.press("Escape")
    assert not browser.run("return document.querySelector('dialog').open")


def test_every_control_has_a_name_and_the_step_is_announced(show):
    browser = show(perceptrons())
    nameless = browser.run("""return [...document.querySelectorAll("button, input, select, .item, .head")].filter(e =>
        !(e.getAttribute("aria-label") || e.textContent.trim() || e.closest("label"))).map(e => e.outerHTML)""")
    assert nameless == []
    assert browser.run("return document.getElementById('step').getAttribute('aria-live')") == "polite"
    assert (
        browser.run('return document.querySelectorAll(\'[tabindex="0"].item, [tabindex="0"].head\').length')
        == 1
    )


def test_ten_thousand_values_open_part_by_part(show):
    start = time.monotonic()
    browser = show(long_chain())
    assert time.monotonic() - start < 20
    assert len(boxes(browser)) < 100
    assert "backward() was not called" in browser.text("#notes")
    for _ in range(3):
        closed = next(i for i in boxes(browser) if i < 0)
        focus(browser, closed)
        browser.press("Enter")
    assert 3 < len([i for i in boxes(browser) if i >= 0]) < 150
    browser.click("#levels [data-level='0']")
    assert len(boxes(browser)) < 1600
    assert "stay closed" in browser.text("#notes")
    browser.press("/")
    browser.press(*"start")
    browser.press("Enter")
    assert detail(browser)["value"] == "0.5"
    browser.press("Home", "n", "n")
    assert browser.text("#where").startswith("Forward 2 of ")


def test_hostile_labels_are_text(show):
    leaves = [Value(1.0 + i, label=label) for i, label in enumerate(SEEN)]
    out = autograd.sum(leaves) * leaves[0]
    out.label = HOSTILE["end"]
    out.backward()
    browser = show(out, title=HOSTILE["script"], level="scalar")
    assert browser.run("return document.title") == HOSTILE["script"]
    assert browser.run("return document.querySelectorAll('img, script:not([type])').length") == 1
    for i in boxes(browser):
        focus(browser, i)
    focus(browser, [leaf.label for leaf in leaves].index(HOSTILE["script"]))
    assert HOSTILE["script"] in browser.text("#detail h2")
    assert browser.run("return document.querySelectorAll('img').length") == 0
    browser.press("/")
    browser.press(*"<script")
    assert "found" in browser.text("#results")
    wide = browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert wide


def test_nan_and_inf_stand_out(show):
    x = Value(0.0, label="x")
    out = x.log() * 0.0
    out.backward()
    browser = show(out)
    assert browser.run("return document.querySelectorAll('.item.wild').length") == 2
    assert ["data nan" in lines for lines in boxes(browser).values()].count(True) == 1
    assert "have a nan or inf" in browser.text("#notes")
    browser.click("#notes button")
    assert detail(browser)["gradient"] in ("nan", "inf", "-inf")


@pytest.mark.parametrize(("scheme", "theme", "dark"), [
    ("dark", "auto", True), ("light", "auto", False), ("dark", "light", False), ("light", "dark", True),
])  # fmt: skip
def test_themes(show, browser, scheme, theme, dark):
    browser.prefer(color_scheme=scheme, reduced_motion="reduce")
    show(worked(), theme=theme)
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert browser.run(colour) == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    browser.click("#theme")
    assert browser.run(colour) == ("rgb(255, 255, 255)" if dark else "rgb(13, 17, 23)")
    browser.prefer(media="print")
    assert browser.run(colour) == "rgb(255, 255, 255)"
    assert not browser.run("return document.querySelector('footer').checkVisibility()")
    browser.prefer(reduced_motion="reduce")


@pytest.mark.parametrize(("width", "height", "scale"), [(390, 844, 3.0), (1024, 640, 1.25), (1280, 800, 1.0)])
def test_it_fits_a_phone_and_a_zoom_of_125_percent(show, browser, width, height, scale):
    browser.size(width, height, scale, phone=width < 500)
    show(worked())
    browser.press("Home", "n")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run("return document.documentElement.scrollHeight") <= height
    assert browser.run("return document.getElementById('stage').clientHeight") > 150
    for selector in ("#search", "#next", "#step", "#position"):
        x, y, w, h = browser.run("""const r = document.querySelector(arguments[0]).getBoundingClientRect();
            return [r.x, r.y, r.width, r.height]""", selector)  # fmt: skip
        assert x >= 0
        assert x + w <= width
        assert y >= 0
        assert y < height
        assert h > 10


def test_it_pans_and_zooms(show):
    browser = show(worked())
    where = "return document.getElementById('world').getAttribute('transform')"
    first = browser.run(where)
    browser.press("+")
    second = browser.run(where)
    assert float(match(r"scale\((.*)\)", second)) > float(match(r"scale\((.*)\)", first))
    browser.press("0")
    browser.run("""const g = document.getElementById("graph"), at = (type, x, y) => new PointerEvent(type,
        {pointerId: 1, clientX: x, clientY: y, bubbles: true});
        g.dispatchEvent(at("pointerdown", 100, 100)); g.dispatchEvent(at("pointermove", 160, 140));
        g.dispatchEvent(at("pointerup", 160, 140));""")  # fmt: skip
    assert browser.run(where) != first


def test_it_works_inside_a_notebooks_frame(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><title>notebook</title>{explore(worked())._repr_html_()}", encoding="utf-8"
    )
    browser.open(path)
    frame = browser.element("iframe")
    browser.post("/frame", id={"element-6066-11e4-a52e-4f735466cecf": frame})
    assert len(boxes(browser)) == 14
    browser.press("Tab")
    browser.post("/frame", id=None)
    assert browser.complaints() == []


def test_closed_parts_of_a_large_model_say_so(show):
    browser = show(MLP(20, [30, 10, 1], rng=1)([0.1] * 20), max_nodes=85, level="neuron")
    assert "left out" in browser.text("#notes")
    sealed = next(i for i, lines in boxes(browser).items() if lines[0].startswith("neurons."))
    focus(browser, sealed)
    assert "not in this page" in browser.text("#detail")
    browser.press("Home", "n", "End")


def several():
    x = Value(2.0, label="x")
    return [x * Value(3.0).detach(), x.exp(), x]


EVERY_KIND = {
    "a leaf": lambda: Value(1.0),
    "a constant": lambda: Value(3.0).detach() * 2,
    "several outputs": several,
    "a loop over samples": lambda: autograd.sum([(perceptrons((2, 1)) - t) ** 2 for t in (0.0, 1.0)]),
    "choices": lambda: autograd.where(Value(1.0), autograd.clamp(Value(2.0), 0, 1), 3.0) - (-Value(5.0)) % 3,
    "recurrence": lambda: autograd.sum(LSTM(1, 2, rng=1)([[0.5]] * 3)[-1]),
    "many outputs": lambda: Layer(3, 12, rng=1)([Value(1.0), Value(2.0), Value(3.0)]),
    "by hand": lambda: Value(8.0, (Value(2.0),), "cube"),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("max_nodes", [20, 30_000])
def test_every_kind_of_graph_steps_at_every_level_and_comes_back(show, kind, max_nodes):
    browser = show(EVERY_KIND[kind](), max_nodes=max_nodes)
    walked = browser.run("""
        const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        return [...document.querySelectorAll("#levels button")].map(button => {
            button.click();
            const before = document.getElementById("world").textContent;
            press("Home");
            for (let i = 0; i < 10; i++) press("n");
            for (const item of [...document.querySelectorAll(".item")].slice(0, 8)) item.focus();
            press("End");
            return before === document.getElementById("world").textContent;
        })""")
    assert walked
    assert all(walked)


def test_no_value_is_lost_where_nan_meets_the_largest():
    data = data_of(Value(math.nan) * 2)
    assert data["data"] == ["nan", "nan"]
