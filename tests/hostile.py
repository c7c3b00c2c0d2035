"""The one table of hostile labels: what a user, or somebody who means harm, may write where a name is asked for.

Each is named after the language that it would break out of. A suite that shows labels iterates over all of them; a new
way out is one line here. `MARK` is what the attacks would set or call, so that it is seen where one of them runs.
"""

from __future__ import annotations

import builtins
import keyword

JOINERS = (
    "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # not printable, as Python has it; they move no cursor
)
MARK = "owned"  # a file, a global of a page, a name in a namespace: it must never come to be
SCRIPT = f"window.{MARK} = 1"

HOSTILE = {
    # Python
    "import": f"__import__('os').system('touch {MARK}')",
    "open": f"open('{MARK}', 'w')",
    "statement": f"x\nopen('{MARK}', 'w')",
    "semicolon": f"x; open('{MARK}', 'w')",
    "comment": f"# x\ropen('{MARK}', 'w')",
    "docstring": f'x"""\nopen("{MARK}", "w")\n"""',
    "quotes": "\"double\" 'single' '''three''' `back` ${1+1}",
    "backslash": "x\\",
    "escape": "\\N{LATIN SMALL LETTER A} \\x41 \\u0041 \\l",
    "format": "{0} {x.__class__} {{title}} {{script}} %s %(x)s ${x}",
    "keyword": "lambda",
    "builtin": "float",
    "builtins": "__builtins__",
    "module": "np",
    "function": "exp",
    "digit": "1x",
    "sum": "1+1",
    "name": "__import__",
    "attribute": "os.system",
    "call": f"x.__class__('{MARK}')",
    "fullwidth": "𝐞𝐯𝐚𝐥",  # NFKC makes it eval
    "fullwidth keyword": "ｌａｍｂｄａ",
    "superscript": "x²",
    "digits alone": "²",
    "greek": "Σ_λ",
    "no identifier in Greek": "\u03a2",
    "arabic digit": "٣",
    "ligature": "ﬁ",
    # lines
    "line": "one\ntwo\r\nthree\rfour\tfive\vsix\fseven",
    "unicode line": "one\u2028two\u2029three\x85four\x1cfive",
    "nul": "x\0y",
    "lone": "x\ud800y",
    "noncharacter": "\ufffe\uffff",
    "empty": "",
    "space": " ",
    "long": "long" * 25_000,
    # HTML
    "script": f"<script>{SCRIPT}</script>",
    "end": f'</script></title></style><img src=x onerror="{SCRIPT}">',
    "comment in HTML": "<!--<script>",
    "image": f"<img src=x onerror={SCRIPT.replace(' ', '')}>",
    "attribute in HTML": f"\" autofocus onfocus=\"{SCRIPT}\" x='",
    "svg": f"<svg onload={SCRIPT.replace(' ', '')}><a xlink:href='javascript:{SCRIPT}'>x</a></svg>",
    "address": f"javascript:{SCRIPT}",
    "frame": f"<iframe srcdoc='<script>parent.{MARK}=1</script>'>",
    "entities": "&lt;b&gt; &amp; &#39; &quot &#x0a;",
    "template": f"${{{SCRIPT}}}`-alert(1)-`",
    "style": "</style><style>*{display:none}",
    "cdata": "]]> <!-- --> <?xml?>",
    "prototype": "__proto__",
    "constructor": "constructor",
    # DOT
    "html label": "<b>bold</b>",
    "html image": '<<table><tr><td href="javascript:owned"><img src="/etc/hostname"/></td></tr></table>>',
    "angles": "<>",
    "node in DOT": '"]; evil [label="',
    "edge in DOT": '"]; evil -> v0 [URL="javascript:owned" image="/etc/hostname" shape=none label="',
    "names in DOT": "\\N \\G \\E \\T \\H \\L \\n \\l \\r",
    "record": "{a|<port> b|{c}}",
    "port": "v0:n:e",
    "end in DOT": '\\"]; evil [label="',
    "hash": "#include /etc/hostname",
    # Mermaid and Markdown
    "node in Mermaid": '"]\n evil["',
    "edge in Mermaid": "--> evil",
    "directive": "%%{init: {'securityLevel': 'loose'}}%%",
    "entity in Mermaid": "#quot;#35;",
    "word in Mermaid": "end",
    "click": f'x"] click v0 href "javascript:{SCRIPT}"',
    "markdown": "`**md**` [x](javascript:owned) | ![x](x) \n# x",
    # LaTeX and mathtext
    "input": "\\input{/etc/hostname}\\write18{touch owned}",
    "braces": "}}{{ \\end{aligned} \\begin{evil}",
    "dollar": "$\\frac{$",
    "mathtext": "$x$ $\\notacommand$",
    "signs": "a_b^c~d%e&f#g",
    # terminals
    "colour": "\x1b[31mred\x1b]0;owned\x07\x1b[2J",
    "carriage": "x\r\x08\x08\x7fy\x9b31m",
    "direction": "\u202eשלום \u2066evil\u2069\u200f",
    "invisible": "a\u200bb\u00adc\ufeffd\u2060e",
    "combining": "x" + "\u0301" * 40,
    "emoji": "🧠🔥👩‍👩‍👧‍👦",
    # files
    "path": "../../owned",
    "root": "/tmp/owned",
    "drive": "C:\\owned:stream",
    "device": "CON",
    "hidden": ".owned",
    "option": "--output=owned",
    "glob": "*?[a-z]",
    # names that look like parts of ours
    "index": "w[0",
    "indices": "w[0][1].x[2]",
    "path of a neuron": "layers.0.neurons.3.w[2]",
    "number": "layers." + "9" * 5000 + ".w",
}  # fmt: skip
# Names that are taken in a program, by Python and by what the program itself is made of
WORDS = sorted({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})
PROGRAM = ["numpy", "program", "batch", "X", "W", "W1", "p", "g", "n", "t1", "dw", "self", "gradient", "rng"]

# What a browser can be asked for: the protocol that drives it carries no other characters
SEEN = [label for kind, label in HOSTILE.items() if kind not in ("lone", "noncharacter", "long", "number")]
