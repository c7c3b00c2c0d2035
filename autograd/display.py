"""How a notebook shows things: always as text, and besides as one picture or one page, where it can be made.

    repr(x)           text/plain: what a terminal shows, and what every notebook falls back on
    x._repr_svg_()    a picture: of a Value, of a History
    x._repr_html_()   a page: of a model, a summary, a compiled program, the explorer, a recording

Jupyter, VS Code and their like ask for these. None of ours has both of the last two, so that nothing is kept twice and
all see the same; None stands for "as text alone". A terminal asks for neither, and nothing is drawn in vain. What is
made here takes on the notebook's own colours, light or dark.
"""

from __future__ import annotations

import keyword
import re
from base64 import b64encode
from collections.abc import Container, Sequence

from .render import NO_XML, HasSource, layout

__all__: list[str] = []  # for the classes that display themselves

SECONDS = 10.0  # so long a picture may take
LINES = 300  # of a program, at most
HEIGHT = 640  # of a page, in pixels
SCROLLS = "overflow-x:auto"
PYTHON = re.compile(rf"(\"[^\"\n]*\"|'[^'\n]*')|(#.*)|\b({'|'.join(keyword.kwlist)})\b")


def escaped(text: str, quote: bool = True) -> str:
    """Text as HTML that shows it; what no page can hold becomes U+FFFD."""
    from html import escape  # whose table of entities takes a while to load

    return escape(NO_XML.sub("\N{REPLACEMENT CHARACTER}", text), quote)


def picture(dot: str | HasSource) -> str | None:
    """DOT text laid out, as SVG; None where there is no Graphviz, or it takes too long."""
    try:
        return layout(dot, "svg", timeout=SECONDS).decode()
    except (RuntimeError, OSError):
        return None


def frame(title: str, page: str) -> str:
    """A whole HTML file in a frame of its own, which shares nothing with the notebook."""
    return (
        f'<iframe title="{escaped(title)}" sandbox="allow-scripts" width="100%" height="{HEIGHT}" '
        f'style="border:1px solid #8c959f" srcdoc="{escaped(page)}"></iframe>'
    )


def image(svg: str, title: str) -> str:
    """A picture inside a page, at its own size: a wide one scrolls, and does not shrink until it cannot be read."""
    data = b64encode(svg.encode()).decode()
    return (
        f'<div style="{SCROLLS}"><img alt="{escaped(title)}" style="max-width:none" '
        f'src="data:image/svg+xml;base64,{data}"></div>'
    )


def code(source: str) -> str:
    """Lines of Python: keywords bold, comments pale.

    >>> print(code("return x @ W  # (3, 2)"))  # doctest: +ELLIPSIS
    <pre ...><b>return</b> x @ W  <span style="opacity:.6"># (3, 2)</span></pre>
    """

    def styled(found: re.Match[str]) -> str:
        text, comment, word = found.groups()
        return text or (f"<b>{word}</b>" if word else f'<span style="opacity:.6">{comment}</span>')

    lines = escaped(source, quote=False).splitlines()
    shown = [PYTHON.sub(styled, line) for line in lines[:LINES]]
    more = [f"... {len(lines) - LINES:,} more lines: see its attribute source"] * (len(lines) > LINES)
    return (
        f'<pre style="font-family:monospace;white-space:pre;{SCROLLS}">' + "\n".join(shown + more) + "</pre>"
    )


def table(rows: Sequence[Sequence[str]], left: Container[str], title: str = "", note: str = "") -> str:
    """Cells, of which the first row names the columns; those in `left` are set to the left."""
    head, *body = [[escaped(cell) for cell in row] for row in rows]
    ends = ["left" if name in left else "right" for name in rows[0]]

    def line(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, ends, strict=True)
        return "<tr>" + "".join(f'<{tag} style="text-align:{end}">{x}</{tag}>' for x, end in pairs) + "</tr>"

    return "\n".join(
        [
            f'<div style="{SCROLLS}">',
            *[f"<div><b>{escaped(title)}</b></div>"] * bool(title),
            '<table style="font-variant-numeric:tabular-nums;margin:.4em 0">',
            f"<thead>{line(head, 'th')}</thead>",
            "<tbody>",
            *[line(cells, "td") for cells in body],
            "</tbody>",
            "</table>",
            *[f"<div>{escaped(note)}</div>"] * bool(note),
            "</div>",
        ]
    )
