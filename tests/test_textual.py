"""Trees, Mermaid, expressions and LaTeX: what stands in them, that they mean the graph, and hostile labels."""

import ast
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd
import nn
from autograd import TABLE, Value
from autograd.expressions import expression, latex
from autograd.textual import mermaid, tree
from autograd.value import topological

from .hostile import HOSTILE, JOINERS

NAMES = {**TABLE, "inf": math.inf, "nan": math.nan}


def worked():
    unit = nn.Neuron(3, activation="sigmoid")
    for w, start in zip(unit.w, (0.4, -0.6, 0.9), strict=True):
        w.data = start
    unit.b.data = 0.1
    return unit([Value(number, label=f"x[{i}]") for i, number in enumerate((0.5, 0.8, 0.2))])


def abc():
    return tuple(Value(x, label=name) for x, name in ((2.0, "a"), (-3.0, "b"), (0.5, "c")))


# Expressions ------------------------------------------------------------------------------------------------------

WRITTEN = [
    (lambda a, b, c: (a * b + c).tanh(), "tanh(a * b + c)", r"\tanh\left(a \, b + c\right)"),
    (lambda a, b, c: (a + b) * c, "(a + b) * c", r"\left(a + b\right) \, c"),
    (lambda a, b, c: a - (b - c), "a - (b - c)", r"a - \left(b - c\right)"),
    (lambda a, b, c: a - b - c, "a - b - c", "a - b - c"),
    (lambda a, b, c: a / (b * c), "a / (b * c)", r"\frac{a}{b \, c}"),
    (lambda a, b, c: a / b * c, "a / b * c", r"\frac{a}{b} \, c"),
    (lambda a, b, c: a * (b / c), "a * (b / c)", r"a \, \frac{b}{c}"),
    (lambda a, b, c: -(a * b), "-(a * b)", r"-a \, b"),
    (lambda a, b, c: -a * b, "-a * b", r"\left(-a\right) \, b"),
    (lambda a, b, c: a * -b, "a * -b", r"a \, \left(-b\right)"),
    (lambda a, b, c: (-a) ** 2, "(-a) ** 2", r"{\left(-a\right)}^{2}"),
    (lambda a, b, c: -(a**2), "-a ** 2", "-{a}^{2}"),
    (lambda a, b, c: a ** (b**c), "a ** b ** c", "{a}^{{b}^{c}}"),
    (lambda a, b, c: (a**b) ** c, "(a ** b) ** c", r"{\left({a}^{b}\right)}^{c}"),
    (lambda a, b, c: a**-b, "a ** -b", "{a}^{-b}"),
    (lambda a, b, c: a**-0.5, "a ** -0.5", "{a}^{-0.5}"),
    (lambda a, b, c: 2 * a * 3, "2 * a * 3", r"2 \, a \cdot 3"),
    (lambda a, b, c: a * -2.5, "a * -2.5", r"a \, \left(-2.5\right)"),
    (lambda a, b, c: a + -2.5, "a + -2.5", r"a + \left(-2.5\right)"),
    (lambda a, b, c: a * 1e-9, "a * 1e-09", r"a \, \left(1 \cdot 10^{-9}\right)"),
    (lambda a, b, c: a * math.inf, "a * inf", r"a \, \infty"),
    (lambda a, b, c: a % b // c, "a % b // c", r"\left\lfloor \frac{a \bmod b}{c} \right\rfloor"),
    (lambda a, b, c: a.exp() ** 2, "exp(a) ** 2", r"{\left(e^{a}\right)}^{2}"),
    (lambda a, b, c: abs(a - b).sqrt(), "sqrt(abs(a - b))", r"\sqrt{\left|a - b\right|}"),
    (lambda a, b, c: autograd.maximum(a, b + c), "maximum(a, b + c)", r"\max\left(a, b + c\right)"),
    (lambda a, b, c: a.leaky_relu(0.3), "leaky_relu(a, 0.3)", r"\operatorname{leaky\_relu}\left(a, 0.3\right)"),
    (lambda a, b, c: autograd.mean([a, b, c]), "mean(a, b, c)", r"\operatorname{mean}\left(a, b, c\right)"),
    (lambda a, b, c: autograd.sum([a, b, c]), "a + b + c", "a + b + c"),
    (lambda a, b, c: autograd.dot([a, b], [1.5, c], 1.0), "1 + a * 1.5 + b * c", r"1 + a \cdot 1.5 + b \, c"),
    (lambda a, b, c: 1.0 / a.reciprocal(), "1 / reciprocal(a)", r"\frac{1}{\frac{1}{a}}"),
    (lambda a, b, c: Value(4.0, (a, b), "+"), "a + b", "a + b"),
    (lambda a, b, c: Value(4.0, (a,), "**2") * b, "a ** 2 * b", r"{a}^{2} \, b"),
    (lambda a, b, c: Value(4.0, (a,), "my op!"), "my_op_(a)", r"\operatorname{my\_op\_}\left(a\right)"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "python", "mathematics"), WRITTEN, ids=[text for _, text, _ in WRITTEN])
def test_as_a_person_writes_it(make, python, mathematics):
    out = make(*abc())
    assert expression(out) == python
    assert latex(out) == mathematics


def test_the_worked_neuron():
    assert expression(worked()) == "sigmoid(b + w[0] * x[0] + w[1] * x[1] + w[2] * x[2])"
    assert latex(worked()) == r"\sigma\left(b + w_{0} \, x_{0} + w_{1} \, x_{1} + w_{2} \, x_{2}\right)"
    assert expression(Value(0.1234567)) == "0.1235"
    assert expression(Value(0.1234567), number_format=".2f") == "0.12"


def operations(operands):
    pairs = st.tuples(operands, operands)
    return st.one_of(
        operands.map(lambda x: -x),
        operands.map(lambda x: x.tanh()),
        operands.map(lambda x: x**2),
        operands.map(lambda x: x * -1.5),
        pairs.map(lambda xy: xy[0] + xy[1]),
        pairs.map(lambda xy: xy[0] - xy[1]),
        pairs.map(lambda xy: xy[0] * xy[1]),
        pairs.map(lambda xy: xy[0] / xy[1]),
        pairs.map(lambda xy: xy[0] ** xy[1]),
        pairs.map(lambda xy: xy[0] % xy[1]),
        pairs.map(lambda xy: autograd.minimum(*xy)),
    )


LEAVES = [*abc(), Value(7.0, label="d"), Value(-0.25, label="e")]
FORMULAS = st.recursive(st.sampled_from(LEAVES), operations, max_leaves=12)


def without(text, start):
    """The text without the pair of parentheses that begins at `start`."""
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if not depth:
            break
    return text[:start] + text[start + 1 : end] + text[end + 1 :]


def meaning(text):
    try:
        return ast.dump(ast.parse(text.strip()))
    except SyntaxError:
        return None


@settings(deadline=None, max_examples=200)
@given(FORMULAS)
def test_an_expression_is_the_graph_and_has_no_parentheses_too_many(out):
    text = expression(out, number_format=".17g")
    scope = {v.label: v for v in LEAVES} | NAMES
    *definitions, last = text.splitlines()
    for line in definitions:
        name, _, formula = line.partition(" = ")
        scope[name] = eval(formula, scope)
    again = eval(last, scope)
    assert repr(again.data) == repr(out.data)
    for start in (found.start() for found in re.finditer(r"(?<!\w)\(", text)):  # not those of a call
        assert meaning(without(text, start)) != meaning(text)


def test_what_is_long_and_shared_gets_a_name():
    a, b, c = abc()
    z = a * b + b * c + a * c
    assert expression(z * z.tanh()).splitlines() == ["t1 = a * b + b * c + a * c", "t1 * tanh(t1)"]
    assert (
        latex(z * z) == r"\begin{aligned} t_{1} &= a \, b + b \, c + a \, c \\ & t_{1} \, t_{1} \end{aligned}"
    )
    z.label = "score"
    assert expression(z * z).splitlines() == ["score = a * b + b * c + a * c", "score * score"]
    short = a * b
    assert expression(short + short) == "a * b + a * b"
    assert expression([a + b, a * b]).splitlines() == ["a + b", "a * b"]


def test_names_are_names_and_belong_to_one_node():
    one, two, three = Value(1.0, label="x"), Value(2.0, label="x"), Value(3.0, label="x_2")
    assert expression(one * two + three) == "x * x_2 + x_2_2"
    t1 = Value(1.0, label="t1")
    z = t1 * 2.0 + t1 * 3.0 + t1 * 4.0
    assert expression(z * z).splitlines()[0].startswith("t1_2 = ")
    odd = [
        Value(float(i), label=label)
        for i, label in enumerate(HOSTILE.values())
        if label and not re.search(r"\.\d", label)
    ]
    text = expression(autograd.sum(odd))
    assert len(text.split(" + ")) == len(odd) == len(set(text.split(" + ")))
    ast.parse(text)


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("x", "x"), ("x1", "x_{1}"), ("w[0]", "w_{0}"), ("w[0][2]", "w_{0,2}"), ("alpha", r"\alpha"),
        ("theta_3", r"\theta_{3}"), ("score", r"\mathrm{score}"), ("layers.0.w[1]", r"\mathrm{layers.0.w}_{1}"),
        ("a_b", r"\mathrm{a\_b}"), ("50%", r"\text{50\%}"), ("a b", r"\text{a b}"),
        ("\\x{}$", r"\text{\textbackslash{}x\{\}\$}"),
        ("é", r"\text{é}"), ("x\n\\\\", r"\text{x \textbackslash{}\textbackslash{}}"), ("[3]", r"\text{[3]}"),
    ],
)  # fmt: skip
def test_labels_in_latex(label, written):
    assert latex(Value(1.0, label=label)) == written


def test_matplotlib_can_set_what_latex_is_given():
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    for make, *_ in WRITTEN:
        text = latex(make(*abc()))
        if "bmod" not in text:  # which it does not know
            parser.parse(f"${text}$")


def test_a_large_graph_is_no_formula():
    out = nn.MLP(20, [12, 3], rng=0)([0.0] * 20)[0]
    for write in (expression, latex):
        with pytest.raises(
            ValueError,
            match=rf"{write.__name__} needs a graph of at most max_nodes=300 nodes\. Received: \d+",
        ):
            write(out)
    assert "relu" in expression(out, max_nodes=2000)


# Trees ------------------------------------------------------------------------------------------------------------


def test_a_tree():
    out = worked()
    out.backward()
    assert (
        tree(out)
        == """\
sigmoid = 0.5, grad 1
└── + = 8.327e-17, grad 0.25
    ├── + = -0.18, grad 0.25
    │   ├── + = 0.3, grad 0.25
    │   │   ├── b = 0.1, grad 0.25
    │   │   └── * = 0.2, grad 0.25
    │   │       ├── w[0] = 0.4, grad 0.125
    │   │       └── x[0] = 0.5, grad 0.1
    │   └── * = -0.48, grad 0.25
    │       ├── w[1] = -0.6, grad 0.2
    │       └── x[1] = 0.8, grad -0.15
    └── * = 0.18, grad 0.25
        ├── w[2] = 0.9, grad 0.05
        └── x[2] = 0.2, grad 0.225"""
    )
    assert tree(out, ascii=True).isascii()
    assert tree(out, ascii=True).splitlines()[-1] == "        `-- x[2] = 0.2, grad 0.225"


def test_what_is_shared_is_told_once():
    a, b, _ = abc()
    c = a * b
    c.label = "c"
    d = c.exp() + c
    assert tree(d * d).splitlines() == [
        "* = 35.97",
        "├── [1] + = -5.998",
        "│   ├── exp = 0.002479",
        "│   │   └── [2] c: * = -6",
        "│   │       ├── a = 2",
        "│   │       └── b = -3",
        "│   └── [2], above",
        "└── [1], above",
    ]
    assert tree([c, c, d]).splitlines()[0] == "[1] c: * = -6"
    assert tree((a**2).leaky_relu(0.3) + 1.0).splitlines() == [
        "+ = 5",
        "├── leaky_relu 0.3 = 4",
        "│   └── **2 = 4",
        "│       └── a = 2",
        "└── 1",
    ]


def test_a_deep_diamond_has_as_many_lines_as_edges():
    v = Value(1.0)
    for _ in range(60):
        v = v + v  # 2^60 ways
    assert len(tree(v).splitlines()) == 1 + 2 * 60


def test_a_large_tree_collapses_by_module_or_ends():
    lines = tree(nn.MLP(20, [12, 3], label="net", rng=0)([0.1] * 20)).splitlines()
    assert re.fullmatch(r"\d+ nodes: collapsed to neurons", lines[0])
    assert "net.layers.1.neurons.0, Neuron(12), 1 value, 13 parameters" in lines
    assert "├── [1] net.layers.0.neurons.0, Neuron(20), 2 values, 21 parameters" in lines
    assert tree(worked(), level="layer").splitlines() == [
        "Neuron, Neuron(3), 2 values, 4 parameters",
        "├── x[0], data 0.5",
        "├── x[1], data 0.8",
        "└── x[2], data 0.2",
    ]
    v = Value(1.0)
    for _ in range(20_000):
        v = v + 1.0
    lines = tree(v, max_nodes=40).splitlines()
    assert lines[0] == "60001 nodes: only the part nearest to the output"
    assert (len(lines), lines[-1]) == (41, "...")


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE)
def test_hostile_labels_stay_on_their_line_in_a_tree(label):
    lines = tree(Value(1.0, label=label) * 2.0).splitlines()
    assert len(lines) == 3
    assert all(c.isprintable() or c in JOINERS for line in lines for c in line)
    assert max(map(len, lines)) < 70


# Mermaid ----------------------------------------------------------------------------------------------------------

STATEMENT = re.compile(
    r"""flowchart\ (LR|TB|RL|BT)
      | \s+ v\d+c?\d*\["[^"<>`&;\\%]*(<br/>[^"<>`&\\%]*)*"\]:::(value|parameter)
      | \s+ g\d+\["[^"<>`&\\%]*(<br/>[^"<>`&\\%]*)*"\]:::(value|parameter)
      | \s+ v\d+op\(\("[^"<>`&\\%]*"\)\):::operation
      | \s+ [vg]\w+\ -->(\|"[^"<>`&\\%]*"\|)?\ [vg]\w+
      | \s+ subgraph\ m\d+\["[^"<>`&\\%]*"\]
      | \s+ end
      | \s+ classDef\ \w+\ [\w:,#]+""",
    re.VERBOSE,
)


def check(text):
    for line in text.splitlines():
        assert STATEMENT.fullmatch(re.sub(r"#\d+;", "", line)), line
    assert text.count("subgraph ") == len(re.findall(r"^ +end$", text, re.MULTILINE))


def test_mermaid_shows_what_draw_shows():
    out = worked()
    out.backward()
    text = mermaid(out)
    check(text)
    source = autograd.draw(out, glyphs=False).source
    arrows = lambda text, arrow: sorted(re.findall(rf"(\w+) {arrow}(?:\|[^|]*\|)? (\w+)", text))
    assert arrows(text, "-->") == arrows(source, "->")
    assert len(arrows(text, "-->")) == 20
    assert '    subgraph m0["Neuron: Neuron(3)"]' in text.splitlines()
    assert '        v1["w[0]<br/>data 0.4<br/>grad 0.125"]:::parameter' in text.splitlines()
    assert 'v1 -->|"0.5"| v3op' in text
    assert mermaid(out) == text
    assert mermaid(out, rankdir="TB").startswith("flowchart TB\n")


def test_mermaid_collapses_as_draw_does():
    model = nn.MLP(20, [12, 3], rng=0)
    loss = nn.cross_entropy(model([0.1] * 20), 1)
    with pytest.warns(UserWarning, match=r"nodes: collapsed to neurons; mermaid\("):
        text = mermaid(loss)
    check(text)
    assert text.count("Neuron(") == 15
    check(text := mermaid(loss, level="layer"))
    assert '"layers.0<br/>Layer(20, 12)<br/>24 values, 252 parameters"' in text
    assert '-->|"12"|' in text
    v = Value(1.0)
    for _ in range(2000):
        v = v + 1.0
    with pytest.raises(
        ValueError, match=r"mermaid needs a graph of at most max_nodes=300 nodes, or one of modules"
    ):
        mermaid(v)


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE)
def test_hostile_labels_stay_labels_in_mermaid(label):
    plain = mermaid(Value(1.0, label="plain") * 2.0)
    text = mermaid(Value(1.0, label=label) * 2.0)
    check(text)
    assert len(text.splitlines()) == len(plain.splitlines())
    scope = autograd.Scope(label, label, "model")
    check(mermaid(with_scope(scope), level="scalar"))
    check(mermaid(with_scope(scope), level="model"))


def with_scope(scope):
    from autograd.context import within

    with within(scope=scope):
        return Value(1.0, label="a") * 2.0


# All --------------------------------------------------------------------------------------------------------------

FORMS = [tree, mermaid, expression, latex]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_the_graph_changes(form):
    out = worked()
    out.backward()
    state = lambda: [(id(v), v.data, v.grad, v.label, v.op, v.scope, v._x, v._dx) for v in topological(out)]
    before = state()
    first = form(out)
    assert state() == before
    assert form(out) == first
    assert repr(out) == "Value(data=0.5, grad=1.0)"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op", [op for op in TABLE.values() if not op.variadic], ids=lambda op: op.name)
def test_every_operation_has_its_form(form, op):
    assert form(op(*[Value(0.7, label=f"x{i}") for i in range(len(op.rules))]))


@pytest.mark.parametrize("form", FORMS)
def test_errors(form):
    with pytest.raises(TypeError, match="Received: float"):
        form(3.0)
    with pytest.raises(ValueError, match="at least one Value"):
        form([])
    with pytest.raises(ValueError, match="q"):
        form(Value(1.0) * 2.0, number_format="q")
    if form in (tree, mermaid):
        with pytest.raises(ValueError, match=r"Received: level='atom'"):
            form(Value(1.0), level="atom")
    with pytest.raises(ValueError, match=r"Received: rankdir='up'"):
        mermaid(Value(1.0), rankdir="up")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_inf_are_told(number):
    out = Value(number) * Value(2.0)
    assert str(number) in tree(out)
    assert f"data {number}" in mermaid(out)
    assert str(number) in expression(out)
    assert {"nan": r"\mathrm{nan}", "inf": r"\infty"}[str(number).removeprefix("-")] in latex(out)
