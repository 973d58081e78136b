"""nbgrader's page of feedback, but complete in itself, and without scripts.

What a student has written stands in it, so it must not run or fetch anything in the
browser of a teacher, nor lead it elsewhere.
"""

import re

import math_core
from jinja2 import pass_context
from markupsafe import escape
from nbconvert.exporters import HTMLExporter

from teaching import formulas

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
SCRIPTS = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
META = re.compile(r"<(?=meta\b)", re.IGNORECASE)


class FeedbackExporter(HTMLExporter):
    """Writes formulas as MathML, and forbids the page whatever isn't in it."""

    @pass_context
    def markdown2html(self, context, source):
        """Return Markdown as HTML."""
        return formulas.html(source, _Renderer(escape=False))

    def from_notebook_node(self, nb, resources=None, **kwargs):
        """Return a notebook as a page of HTML, and the resources."""
        page, resources = super().from_notebook_node(nb, resources, **kwargs)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
        page = SCRIPTS.sub("", page)
        page = page.replace("<html>", '<html lang="en">', 1)
        page = page.replace("<head>", f"<head>\n{policy}", 1)
        # No policy forbids <meta http-equiv="refresh">, so it becomes a text.
        head, body, rest = page.partition("<body")
        return head + body + META.sub("&lt;", rest), resources


class _Renderer(formulas.Renderer):
    def formula(self, tex, *, display):
        """Return a formula as MathML, or as it was written if that isn't TeX."""
        try:
            return super().formula(tex, display=display)
        except math_core.LatexError:
            return f"<code>{escape(tex)}</code>"
