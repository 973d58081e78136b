"""The documents hold together: links, verbs, rooms and versions that they name."""

import base64
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import labhelpers
from tests import ROOT
from tests.tools.test_environment import VERBS, read
from tools import documents

DOCUMENTS = [*documents.MARKDOWN, *documents.NOTEBOOKS]
HEADINGS = "# What, and `why`?\n\n```\n# no heading\n```\n\n## Twice\n\n## Twice\n"


def make(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def lab(*texts):
    cells = [new_markdown_cell(text) for text in texts]
    return nbformat.writes(new_notebook(cells=[*cells, new_code_cell("# [](x)")]))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git's list of files")
def test_no_document_is_left_out():
    listed = ["git", "ls-files", "*.md", "*.ipynb"]
    names = subprocess.check_output(listed, cwd=ROOT, text=True).split()
    assert {ROOT / name for name in names} == set(DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    students = documents.for_students()
    assert documents.broken_links(path, students=students) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    text = """
    [](docs/b.md) [](docs/b.md#what-and-why) [](docs/b.md#twice-1) [](docs) [](#here)
    [](https://x.org/y#z) [](mailto:a@x.org) `[](code.md)` $[](formula)$ [][1]
    [](a%20b.txt) ![](picture.png) <a href='docs/b.md#twice'>

    # Here

    ```
    [](fenced.md)
    ```

    [1]: c.md
    [](docs/b.md#What) [](docs/b.md#twice-2) [](docs/b.md#no-heading) [](a%20b.txt#a)
    [](../a.md) [](/docs/b.md) <a href='d.md'> <img src='e.png' alt='[](no.md)'>
    """
    root = tmp_path / "pack"
    page = "\n".join(line.strip() for line in text.splitlines())
    make(root, {"a.md": page, "docs/b.md": HEADINGS, "a b.txt": "", "../a.md": ""})
    assert documents.broken_links(root / "a.md", root=root) == [
        "c.md: no such file",
        "docs/b.md#What: no such heading",
        "docs/b.md#twice-2: no such heading",
        "docs/b.md#no-heading: no such heading",
        "a%20b.txt#a: no such heading",
        "../a.md: outside of the pack",
        "/docs/b.md: outside of the pack",
        "d.md: no such file",
        "picture.png: no such file",
        "e.png: no such file",
    ]


def test_a_lab_has_the_headings_that_jupyter_makes(tmp_path):
    right = "[](#What,-and-why?) [](#Twice) [](../a.md#twice) [](b.ipynb#Twice)"
    wrong = "[](#what-and-why) [](b.ipynb#twice) [](../a.md#Twice)"
    notebooks = {"notebooks/a.ipynb": lab(HEADINGS, right, wrong)}
    make(tmp_path, {"a.md": HEADINGS, "notebooks/b.ipynb": lab(HEADINGS), **notebooks})
    found = documents.broken_links(tmp_path / "notebooks/a.ipynb", root=tmp_path)
    assert [each.split(":")[0] for each in found] == re.findall(r"\((.*?)\)", wrong)


def test_what_students_get_leads_only_to_what_they_get(tmp_path):
    text = "[](../docs/b.md) [](../docs) [](../data/c.md) [](../data) [](START.md)"
    make(tmp_path, {"notebooks/a.ipynb": lab(text), "docs/b.md": "", "data/c.md": ""})
    page, students = tmp_path / "notebooks/a.ipynb", {"notebooks/a.ipynb", "data/c.md"}
    assert documents.broken_links(page, root=tmp_path) == []
    assert documents.broken_links(page, root=tmp_path, students=students) == [
        "../docs/b.md: students don't get it",
        "../docs: students don't get it",
    ]
    labs = {path.name for path in documents.NOTEBOOKS}
    assert {f"notebooks/{name}" for name in labs} < documents.for_students()
    assert "docs/teaching.md" not in documents.for_students()


def test_what_people_read_is_spelt_the_british_way():
    assert documents.american_words(documents.texts()) == []


def test_an_american_word_is_found_where_people_read():
    markdown = "The colour,\nthe color, `center`\n\n```\nflavor\n```\n\n$labeled$\n\n"
    markdown += "$$\nx \\text{ gray}\n$$\n"
    python = (
        'color = plots.color("color")  # the center of it\n'
        'raise ValueError(f"{color} is no flavor")\n'
        'def f():\n    """Draw.\n\n    Its neighbors.\n    """\n'
    )
    texts = {
        "docs/a.md": documents.without_code(markdown),
        "b.ipynb/cell": documents.without_names(python),
    }
    assert documents.american_words(texts) == [
        "b.ipynb/cell:1: center ==> centre",
        "b.ipynb/cell:2: flavor ==> flavour",
        "b.ipynb/cell:6: neighbors ==> neighbours",
        "docs/a.md:2: color ==> colour",
    ]


def test_codespell_finds_a_slip_in_a_lab_but_none_in_what_is_no_text(tmp_path):
    slip = "teh"  # codespell:ignore
    code = new_code_cell(f"x  # {slip}\nmake(x)")
    picture = base64.b64encode(bytes(range(256))).decode() + f"/{slip}+"
    code.outputs = [new_output("display_data", data={"image/png": picture})]
    text = new_markdown_cell(f"It is {slip}\n\n- A. Cite (2015), {slip}, *X*.")
    nbformat.write(new_notebook(cells=[text, code]), tmp_path / "lab.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--config", ROOT / ".codespellrc"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    lines = (tmp_path / "lab.ipynb").read_text(encoding="utf-8").splitlines()
    found = [lines[int(n) - 1] for n in re.findall(r"ipynb:(\d+): ", run.stdout)]
    assert [line.strip() for line in found] == [
        f'"It is {slip}\\n",',
        f'"x  # {slip}\\n",',
    ]


def test_no_slip_is_left_in_the_pack():
    run = [sys.executable, "-m", "codespell_lib"]
    assert subprocess.run(run, cwd=ROOT, capture_output=True, text=True).stdout == ""


def test_the_readme_is_short_and_names_every_lab():
    readme = read("README.md")
    assert len(readme.splitlines()) <= 100
    for lab in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert f"(notebooks/{lab.name})" in readme


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_explained(verb):
    names = ["README.md", "CONTRIBUTING.md", "docs/teaching.md"]
    said = "\n".join(read(name) for name in names)
    assert re.search(rf"\bmake {verb}\b", said)


def test_the_map_has_the_rooms_that_there_are():
    section = read("docs/design.md").split("## labhelpers")[1].split("\n## ")[0]
    rooms = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    files = (ROOT / "labhelpers").glob("*.py")
    assert rooms == {path.stem for path in files} - {"__init__"}


def test_what_the_documents_name_is_there():
    """Paths of the pack in code marks, as `tests/answers/`."""
    folders = "data|docs|labchecks|labhelpers|notebooks|teaching|tests|tools"
    for path in set(documents.MARKDOWN) - {
        ROOT / "docs" / "add-a-lab.md"
    }:  # of a lab to come
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", text):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def test_the_changelog_has_this_version_and_what_is_new():
    changelog = read("CHANGELOG.md")
    versions = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert versions[:2] == ["Unreleased", labhelpers.__version__]
