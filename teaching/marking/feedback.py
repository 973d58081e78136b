"""nbgrader's page of feedback, but complete in itself, and without scripts.

What a student has written stands in it, so it must not run or fetch anything in the
browser of a teacher.
"""

import re

import math_core
from jinja2 import pass_context
from markupsafe import escape
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
SCRIPTS = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)


class FeedbackExporter(HTMLExporter):
    """Writes formulas as MathML, and forbids the page whatever isn't in it."""

    @pass_context
    def markdown2html(self, context, source):
        """Return Markdown as HTML."""
        return MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)

    def from_notebook_node(self, nb, resources=None, **kwargs):
        """Return a notebook as a page of HTML, and the resources."""
        page, resources = super().from_notebook_node(nb, resources, **kwargs)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
        page = SCRIPTS.sub("", page)
        page = page.replace("<html>", '<html lang="en">', 1)
        return page.replace("<head>", f"<head>\n{policy}", 1), resources


class _Renderer(IPythonRenderer):
    def inline_math(self, body):
        return _formula(body, display=False)

    def block_math(self, body):
        return _formula(body, display=True)

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def _formula(tex, *, display):
    """Return a formula as MathML, or as it was written if that isn't TeX."""
    converter = math_core.LatexToMathML(fancy_error=False)
    try:
        return converter.convert_with_local_state(tex, displaystyle=display)
    except math_core.LatexError:
        return f"<code>{escape(tex)}</code>"
