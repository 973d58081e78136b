"""The documents hold together: links, verbs, rooms and versions that they name."""

import re
from urllib.parse import unquote

import pytest

import labhelpers
from tests import ROOT
from tests.tools.test_environment import VERBS, read

OURS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data" / "README.md"]


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """Return the anchors that a reader's software makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken(path):
    """Return the relative links of a document that lead nowhere."""
    text = without_code(path.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [each for each in links if not leads_somewhere(path, unquote(each))]


def leads_somewhere(path, link):
    """Whether the file is there, and has the heading; an address counts as such."""
    if re.match(r"[a-z]+:", link):
        return True
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    assert broken(path) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# What, and why?\n")
    page = tmp_path / "a.md"
    page.write_text(
        "[1](b.md#what-and-why) [2](b.md#what) [3](c.md) [4](https://x.org)"
    )
    assert broken(page) == ["b.md#what", "c.md"]


def test_the_readme_is_short_and_names_every_lab():
    readme = read("README.md")
    assert len(readme.splitlines()) <= 100
    for lab in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert f"(notebooks/{lab.name})" in readme


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_explained(verb):
    documents = ["README.md", "CONTRIBUTING.md", "docs/teaching.md"]
    said = "\n".join(read(name) for name in documents)
    assert re.search(rf"\bmake {verb}\b", said)


def test_the_map_has_the_rooms_that_there_are():
    section = read("docs/design.md").split("## labhelpers")[1].split("\n## ")[0]
    rooms = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    files = (ROOT / "labhelpers").glob("*.py")
    assert rooms == {path.stem for path in files} - {"__init__"}


def test_what_the_documents_name_is_there():
    """Paths of the pack in code marks, as `tests/answers/`."""
    folders = "data|docs|labchecks|labhelpers|notebooks|teaching|tests|tools"
    for path in set(OURS) - {ROOT / "docs" / "add-a-lab.md"}:  # of a lab to come
        text = without_code(path.read_text(encoding="utf-8"))
        for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", text):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def test_the_changelog_has_this_version_and_what_is_new():
    changelog = read("CHANGELOG.md")
    versions = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert versions[:2] == ["Unreleased", labhelpers.__version__]
