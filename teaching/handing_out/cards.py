"""Cards to vote with where there are no devices: a letter large enough for a hall.

One page a student, to be cut into four. Where the options of a question are numbers or
words, a stands for the first of them.
"""

import jinja2

from teaching.handing_out import fonts

LETTERS = "abcd"


def page():
    """Return the cards as a page of HTML, a str, complete in itself."""
    loader = jinja2.PackageLoader("teaching.handing_out", "")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    html = environment.get_template("cards.html.j2").render(letters=LETTERS)
    return html.replace("/* fonts */", fonts.css(html), 1)
