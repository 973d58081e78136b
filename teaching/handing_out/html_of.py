"""Text, code and outputs of a cell as HTML, for paper and for the site."""

import base64
import io
import re
from functools import cache
from typing import NamedTuple

import jinja2
from bs4 import BeautifulSoup
from markupsafe import Markup, escape
from nbconvert.filters import strip_ansi
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from teaching import formulas
from teaching.handing_out import fonts

CODE = HtmlFormatter(style="bw", nowrap=True)
WIDGET = "application/vnd.jupyter.widget-view+json"


class Picture(NamedTuple):
    """A figure: as WebP, its size in CSS pixels, and a text in its place."""

    webp: bytes
    width: int
    height: int
    alt: str


def code(source):
    """Return code in black and white, each line with the indent of its wrapped rest.

    One empty line in a row is enough on paper.
    """
    source = re.sub(r"\n{3,}", "\n\n", source.strip("\n"))
    lines = highlight(source, PythonLexer(stripnl=False), CODE).splitlines()
    indents = [len(line) - len(line.lstrip()) for line in source.splitlines()]
    spans = [
        f'<span class="line" style="--in: {indent}">{line}\n</span>'
        for indent, line in zip(indents, lines, strict=True)
    ]
    return Markup('<pre class="code">{}</pre>').format(Markup("".join(spans)))


class _Renderer(formulas.Renderer):
    def block_math(self, body):
        return f'<span class="formula" tabindex="0">{super().block_math(body)}</span>'

    def block_code(self, source, info=None):
        return code(source) if info else f'<pre class="output">{escape(source)}</pre>'


def text(source, *, folder):
    """Return Markdown as HTML; pictures that it names lie in ``folder``."""
    renderer = _Renderer(
        escape=False, embed_images=True, exclude_anchor_links=True, path=str(folder)
    )
    return tidied(formulas.html(source, renderer))


def plain(text):
    """Return what a cell printed as HTML."""
    return Markup('<pre class="output">{}</pre>').format(strip_ansi(text).rstrip())


def shown(outputs, *, own):
    """Yield outputs as HTML: no bars, widgets or tracebacks, which can't be read.

    ``own`` is {kind of data: the function that makes HTML of an output that has it}.
    """
    for output in outputs:
        data, name = output.get("data", {}), output.get("name")
        kind = next((kind for kind in own if kind in data), None)
        if output.output_type == "error":
            yield plain(f"{output.ename}: {output.evalue}")
        elif name == "stdout":
            yield plain(re.sub(r"[^\n]*\r(?!\n)", "", output.text))
        elif "<table" in data.get("text/html", ""):
            yield tidied(data["text/html"])
        elif kind:
            yield own[kind](output)
        elif "text/plain" in data and WIDGET not in data:
            yield plain(data["text/plain"])


def picture(output):
    """Return the figure that an output holds, a Picture.

    Raises
    ------
    ValueError
        If it has no alt text.
    """
    png, about = output.data["image/png"], output.metadata.get("image/png", {})
    if not about.get("alt", "").strip():
        raise ValueError("a figure needs an alt text, use plots.show(ax, alt=…)")
    file = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        width, height = image.size
        image.save(file, "WEBP", lossless=True)  # half as large
    size = about.get("width", width), about.get("height", height)
    return Picture(file.getvalue(), *size, about["alt"])


def tidied(html):
    """Return HTML that asks for nothing from outside, its tables with headers."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all("style"):
        tag.decompose()
    for tag in soup.find_all(["script", "link", "iframe"]) + soup.find_all(src=True):
        if not tag.get("src", "").startswith("data:"):
            raise ValueError(f"a sheet is complete in itself, but this has {tag}")
    for table in soup.find_all("table"):
        _tidy(table)
        table.wrap(soup.new_tag("div", attrs={"class": "table", "tabindex": "0"}))
    return Markup(soup)


def _tidy(table):
    """Make the headers of a table known as such; put the index's name beside them."""
    for tag in [table, *table.find_all(True)]:
        tag.attrs = {k: v for k, v in tag.attrs.items() if k in {"colspan", "rowspan"}}
    rows = table.thead.find_all("tr") if table.thead else []
    if len(rows) == 2 and not any(th.text.strip() for th in rows[1].find_all("th")[1:]):
        rows[0].th.string = rows.pop().extract().th.text
    for th in table.find_all("th"):
        th["scope"] = "col" if th.find_parent("thead") else "row"
        if not th.text.strip():
            th.name = "td"
            del th["scope"]


def page(template, **content):
    """Return a page, a str, complete in itself: a template beside this module, filled.

    In a template, ``| md`` writes Markdown, and ``| line`` one line of it; pictures
    that they name lie in its ``folder``.
    """
    html = _environment().get_template(template).render(content)
    return html.replace("/* fonts */", fonts.css(html), 1)


@cache
def _environment():
    loader = jinja2.PackageLoader("teaching.handing_out", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {"md": _markdown, "line": _line, "code": code}
    environment.filters |= {"plain": plain, "zip": zip, "css": _css_string}
    return environment


@jinja2.pass_context
def _markdown(context, source):
    return text(source, folder=context["folder"])


@jinja2.pass_context
def _line(context, source):
    """Return Markdown of one paragraph as HTML, without the paragraph."""
    html = _markdown(context, " ".join(source.split())).strip()
    return Markup(html.removeprefix("<p>").removesuffix("</p>"))


def _css_string(text):
    """Return text as a string of CSS that can stand in a <style>."""
    return Markup('"' + "".join(f"\\{ord(c):06x}" for c in text) + '"')
