"""A page of the site: what stands around its inside, and what is found in it."""

import itertools
import json
import re
from functools import cache
from typing import NamedTuple

import jinja2
from bs4 import BeautifulSoup
from markupsafe import Markup

HEADINGS = ["h1", "h2", "h3"]


class Heading(NamedTuple):
    """A heading of a page, with what stands below it as plain text."""

    level: int
    id: str
    title: str
    text: str


class Page(NamedTuple):
    """The inside of a page, with an id for each heading, and its headings."""

    html: Markup
    headings: list

    @property
    def title(self):
        """The title, without a mark."""
        return self.headings[0].title


def read(html, links=None):
    """Return a Page: the headings in HTML get ids, and links lead where they should.

    Parameters
    ----------
    html : str
    links : dict of str to str, optional
        What to put in place of a link's address, up to its ``#``.

    Raises
    ------
    ValueError
        If a link leads to a file that is not on the site; it is named.
    """
    soup = BeautifulSoup(html, "html.parser")
    tags = soup.find_all(True)
    taken = {tag["id"] for tag in tags if "id" in tag.attrs}
    for tag in tags:
        if tag.name == "h6":  # a section of a docstring
            tag.name, tag.attrs = "p", {"class": "part"}
        elif tag.name in HEADINGS:
            tag["id"] = tag.get("id") or _free(_slug(tag.get_text()), taken)
            _set_apart(tag, soup)
        elif tag.name == "a" and links is not None:
            tag["href"] = _led(tag["href"], links)
    return Page(Markup(soup), _headings(soup))


def frame(page, *, root, assets, **about):
    """Return a page as HTML, a str.

    Parameters
    ----------
    page : Page
    root, assets : str
        The way from the page to the index of its edition, and to what all share.
    **about
        What the template asks for besides.
    """
    about |= {"page": page, "root": root, "assets": assets}
    return template("page.html.j2").render(**about)


@cache
def template(name):
    """Return a template that lies beside this module."""
    loader = jinja2.PackageLoader("teaching.site", "")
    return jinja2.Environment(loader=loader, autoescape=True).get_template(name)


def search_index(pages):
    """Return the script of what can be searched.

    ``pages`` is {path from the index: Page}.
    """
    entries = [
        [f"{path}#{heading.id}", page.title, heading.title, heading.text]
        for path, page in pages.items()
        for heading in page.headings
    ]
    text = json.dumps(entries, ensure_ascii=False, indent=0)
    return f"window.searchIndex = {text};\n"


def _slug(text):
    return re.sub(r"[\W_]+", "-", text.partition(" · ")[0].lower()).strip("-")


def _free(name, taken):
    """Return this id, or with a number if it is taken."""
    others = (f"{name}-{count}" for count in itertools.count(2))
    free = next(each for each in itertools.chain([name], others) if each not in taken)
    taken.add(free)
    return free


def _set_apart(tag, soup):
    """Put what follows the name of an exercise, minutes and stars, into a <small>."""
    name, dot, rest = tag.get_text().partition(" · ")
    if dot:
        small = soup.new_tag("small")
        small.string = rest
        tag.clear()
        tag.extend([f"{name} ", small])


def _led(href, links):
    """Return where a link leads from a page of the site."""
    path, mark, anchor = href.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return href
    if path not in links:
        raise ValueError(f"the site must have what is linked, got {href}")
    return links[path] + mark + anchor


def _headings(soup):
    """Return the headings with the text below each, and a … for a formula."""
    found = []

    def walk(tag):
        for child in tag.children:
            if child.name in HEADINGS:
                found.append((child, []))
            elif found and child.name in (None, "math"):
                found[-1][1].append("…" if child.name else child)
            elif child.name:
                walk(child)

    walk(soup)
    return [
        Heading(
            int(tag.name[1]),
            tag["id"],
            (tag.contents[0] if tag.small else tag.get_text()).strip(),
            " ".join("".join(texts).split()),
        )
        for tag, texts in found
    ]
