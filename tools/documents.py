"""Links that lead somewhere and British spelling in what people read: ``make lint``."""

import io
import re
import subprocess
import sys
import tempfile
import tokenize
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from teaching.handing_out import students_zip

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
PLACES = ("*.md", "docs/*.md", "data/README.md", "tools/**/*.md")
MARKDOWN = [path for place in PLACES for path in sorted(ROOT.glob(place))]
PACKAGES = ("labchecks", "labhelpers", "teaching", "tools")
GENERATED = {"notebooks/START.md"}  # by `make lab`; a link to it is right


# Links


def broken_links(path, *, root=ROOT, students=frozenset()):
    """Return the links of a document that lead nowhere, each with the reason.

    Parameters
    ----------
    path : path
        A notebook or a Markdown file. Code and formulas in it hold no links.
    root : path
        The top of the pack. A link may not leave it.
    students : set of str
        The files that students get, from ``root``. A document that is one of them may
        only link to others.

    Returns
    -------
    list of str
    """
    path, root = Path(path).resolve(), Path(root).resolve()
    page = _page(path)
    links = [tag["href"] for tag in page.find_all(href=True)]
    links += [tag["src"] for tag in page.find_all(src=True)]
    said = [(link, _wrong_with(link, path, root, students)) for link in links]
    return [f"{link}: {wrong}" for link, wrong in said if wrong]


def for_students():
    """Return the files that students get, from the top of the pack: a set of str."""
    copies = {path.name: b"" for path in NOTEBOOKS}
    return set(students_zip.contents(ROOT, copies))


def _wrong_with(link, path, root, students):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:  # an address; the network isn't asked
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(root):
        return "outside of the pack"
    name = target.relative_to(root).as_posix()
    if name in GENERATED:
        return None
    if not target.exists():
        return "no such file"
    for_all = name in students or any(each.startswith(f"{name}/") for each in students)
    if path.relative_to(root).as_posix() in students and not for_all:
        return "students don't get it"
    if parts.fragment and unquote(parts.fragment) not in _anchors(target):
        return "no such heading"
    return None


@cache
def _page(path):
    """Return what Jupyter makes of a document's text, less its links to headings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    page = BeautifulSoup(markdown2html_mistune(text), "html.parser")
    for tag in page.find_all(class_="anchor-link"):
        tag.decompose()
    return page


def _anchors(path):
    """Return the names of a document's headings, as in the address of a link."""
    if path.suffix not in (".md", ".ipynb"):
        return set()
    page = _page(path)
    named = {tag["id"] for tag in page.find_all(id=True)}
    if path.suffix == ".ipynb":
        return named  # JupyterLab and nbconvert: hyphens for blanks
    headings = page.find_all(re.compile("^h[1-6]$"))
    found = named - {tag.get("id") for tag in headings}
    times = {}
    for heading in headings:  # GitHub: small letters too, no marks, the second is -1
        plain = re.sub(r"[^\w\- ]", "", heading.get_text().lower()).replace(" ", "-")
        times[plain] = again = times.get(plain, -1) + 1
        found.add(f"{plain}-{again}" if again else plain)
    return found


# Spelling


def american_words(texts):
    """Return the American spellings in texts, as codespell tells them.

    Parameters
    ----------
    texts : dict of str to str
        By the name that is told: a relative path with ``/``.

    Returns
    -------
    list of str
        Each with its place and the British one.
    """
    theirs = resources.files("codespell_lib") / "data/dictionary_en-GB_to_en-US.txt"
    pairs = [line.split("->") for line in theirs.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder, "british.txt")
        ours.write_text("".join(f"{us}->{gb}\n" for gb, us in pairs), encoding="utf-8")
        top = Path(folder, "texts")
        for name, text in texts.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text, encoding="utf-8")
        config = ["--config", ROOT / ".codespellrc", "--dictionary", ours]
        run = subprocess.run(
            [sys.executable, "-m", "codespell_lib", *config, "."],
            cwd=top,
            capture_output=True,
            encoding="utf-8",
        )
    lines = run.stdout.replace("\\", "/").splitlines()
    if (run.returncode == 0) == bool(lines):
        raise RuntimeError(f"codespell failed: {run.stderr}")
    return sorted(line.removeprefix("./") for line in lines)


def texts():
    """Return what people read in the pack, less code and formulas: {name: text}."""
    found = {}
    for path in [*MARKDOWN, *ROOT.glob("teaching/**/*.txt")]:
        found[path.relative_to(ROOT).as_posix()] = without_code(path.read_text("utf-8"))
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            read = without_code if cell.cell_type == "markdown" else without_names
            found[f"notebooks/{path.name}/{cell.id}"] = read(cell.source)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            found[name] = without_names(path.read_text(encoding="utf-8"))
    return found


def without_code(markdown):
    """Return Markdown with blanks in place of code and formulas."""
    code = r"^```.*?^```$|`+[^`\n]+`+|\$\$.*?\$\$|\$[^$\n]*\$"
    return re.sub(code, _blank, markdown, flags=re.MULTILINE | re.DOTALL)


def without_names(python):
    """Return the comments and sentences of Python code, each in its line."""
    kept = [""] * (len(python.splitlines()) + 1)
    for token in tokenize.generate_tokens(io.StringIO(python).readline):
        if " " in token.string.strip():  # else it is a name
            for i, line in enumerate(token.string.splitlines(), token.start[0]):
                kept[i - 1] += line + " "
    return without_code(re.sub(r"\{[^{}\n]*\}", _blank, "\n".join(kept)))


def _blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def main():
    students = for_students()
    complaints = [
        f"{path.relative_to(ROOT).as_posix()}: {link}"
        for path in [*MARKDOWN, *NOTEBOOKS]
        for link in broken_links(path, students=students)
    ]
    complaints += american_words(texts())
    sys.exit("\n".join(complaints) or None)


if __name__ == "__main__":
    main()
