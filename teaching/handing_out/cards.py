"""Cards to vote with where there are no devices: a letter large enough for a hall.

One page a student, to be cut into four. Where the options of a question are numbers or
words, a stands for the first of them.
"""

from teaching.handing_out import html_of

LETTERS = "abcd"


def page():
    """Return the cards as a page of HTML, a str, complete in itself."""
    return html_of.page("cards.html.j2", letters=LETTERS)
