"""Markdown as in Jupyter, but with formulas as MathML, which no script has to draw."""

import math_core
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


class Renderer(IPythonRenderer):
    """Writes HTML. A formula that is no TeX raises a ``math_core.LatexError``."""

    def inline_math(self, body):
        return self.formula(body, display=False)

    def block_math(self, body):
        return self.formula(body, display=True)

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def formula(self, tex, *, display):
        """Return a formula as MathML."""
        converter = math_core.LatexToMathML(fancy_error=False)
        return converter.convert_with_local_state(tex, displaystyle=display)


def html(source, renderer):
    """Return Markdown as HTML, a str."""
    return MarkdownWithMath(renderer=renderer).render(source)
