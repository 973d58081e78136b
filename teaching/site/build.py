"""Put the site together, in two editions.

The edition for students has no solutions, and it is complete without the folder
``solutions``. In that folder is the other one, which shares pictures, style and script.
"""

import re
from pathlib import Path

import labhelpers
from teaching import labs
from teaching.handing_out import fonts, handouts, html_of, leaks, sheets, students_zip
from teaching.handing_out.student_copy import student_copies
from teaching.site import lab_page, page, reference

FOLDER = "solutions/"
MOST = 15_000_000  # bytes, for a slow network and a small stick
START = {"START.md": "index.html"}  # the page on which `make lab` opens
HERE = Path(__file__).parent


def files(worked, *, folder=labs.NOTEBOOKS):
    """Return the site, a dict of bytes by path.

    Parameters
    ----------
    worked : dict of str to NotebookNode
        The worked labs, with what their sliders show (``frames.with_frames``).
    folder : path
        Where the labs lie.

    Raises
    ------
    ValueError
        If a lab can't be shown, if a solution is in the edition for students, or if the
        site has become too large.
    """
    downloads = _downloads(worked, folder)
    rooms = {room: page.read(html) for room, html in reference.pages().items()}
    site = {f"downloads/{name}": content for name, content in downloads.items()}
    for solutions in (False, True):
        site |= _edition(worked, rooms, downloads, solutions=solutions, folder=folder)
    pages = "".join(c.decode() for name, c in site.items() if name.endswith(".html"))
    style = (HERE / "site.css").read_text(encoding="utf-8")
    site["site.css"] = f"{fonts.css(pages)}\n{style}".encode()
    site["site.js"] = (HERE / "site.js").read_bytes()
    refuse(worked, site)
    return site


def refuse(worked, site):
    """Raise a ValueError if students would see a solution, or if it is too large."""
    size = sum(map(len, site.values()))
    if size > MOST:
        raise ValueError(f"the site must be at most {MOST:,} bytes, and is {size:,}")
    open_to_all = {n: c for n, c in site.items() if not n.startswith(FOLDER)}
    leaks.refuse(worked, students_zip.contents(labs.ROOT, {}) | open_to_all)


def _edition(worked, rooms, downloads, *, solutions, folder):
    """Return the files of an edition."""
    at, way = (FOLDER, "../") if solutions else ("", "")
    site, pages = {}, {}
    links = {f"{lab}.ipynb": f"{lab}.html" for lab in worked} | START
    for lab, notebook in worked.items():
        html, pictures = lab_page.inside(
            lab, notebook, solutions=solutions, folder=folder, assets=way
        )
        site |= pictures
        pages[f"{lab}.html"] = page.read(html, links)
    turns = _turns(pages)
    told = {
        "labs": [listed(lab, notebook) for lab, notebook in worked.items()],
        "downloads": [_offered(name, way, file) for name, file in downloads.items()],
        "rooms": [(f"{room}.html", room, reference.first_line(room)) for room in rooms],
    }
    for path in ("index.html", "reference/index.html"):
        template = path.replace("/index", "") + ".j2"
        html = page.template(template).render(solutions=solutions, **told)
        pages[path] = page.read(html)
    pages |= {f"reference/{room}.html": each for room, each in rooms.items()}
    for path, each in pages.items():
        root = "../" * path.count("/")
        html = page.frame(
            each,
            root=root,
            assets=root + way,
            solutions=solutions,
            version=labhelpers.__version__,
            turns=turns.get(path, {}),
        )
        site[at + path] = html.encode()
    site[f"{at}search-index.js"] = page.search_index(pages).encode()
    return site


def _turns(pages):
    """Return the way back and the way on: {path: {rel: (path, title)}}."""
    titles = [(path, each.title) for path, each in pages.items()]
    turns = {path: {} for path in pages}
    for (path, title), (other, after) in zip(titles, titles[1:]):
        turns[path]["next"] = (other, after)
        turns[other]["prev"] = (path, title)
    return turns


def listed(lab, notebook):
    """Return what the index says of a lab, which its first cell says, a dict."""
    first = notebook.cells[0].source
    number, _, name = re.search(r"^# (.+)$", first, re.M)[1].partition(" ")

    def said(title, until="$"):
        found = re.search(rf"^\*\*{title}\*\* (.+?){until}", first, re.M)
        return html_of.text(found[1], folder=".") if found else None

    return {
        "path": f"{lab}.html",
        "number": number,
        "name": name,
        "about": said(r"What you will do\."),
        "refutes": said(r"It refutes\."),
        "time": said(r"Time\.", until=r"(?<=\.)( |$)"),
    }


def _downloads(worked, folder):
    """Return the files to take away, by name: of what ``make handouts`` builds.

    There are no PDFs among them. They would be larger than all the rest, and the sheets
    print on any paper.
    """
    copies = handouts.written(student_copies(worked))
    packed = students_zip.pack(handouts.student_files(worked, copies))
    return {handouts.ZIP: packed} | {
        f"{labs.number(lab)}_sheet.html": sheets.sheet(notebook, folder=folder).encode()
        for lab, notebook in worked.items()
    }


def _offered(name, way, content):
    """Return how a file is offered for download."""
    kind = name.rpartition(".")[2]
    title = "The labs, to run and to write in"
    if kind != "zip":
        title = f"Lab {labs.number(name)} on paper: open, and print"
    size = f"{len(content) / 1e6:.1f} MB"
    return {
        "path": f"{way}downloads/{name}",
        "title": title,
        "kind": kind,
        "size": size,
    }
