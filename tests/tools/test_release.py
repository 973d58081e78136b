"""A release has what teachers hand out; its forms and lists name what there is."""

import hashlib
import io
import re
import subprocess
import zipfile

import pytest
import yaml

from teaching import labs
from teaching.handing_out import careful_writing
from tests import ROOT
from tests.tools.test_environment import PROJECT, read
from tools import release

BUILT = {
    "handouts/autograd-labs-student.zip": b"zip",
    "handouts/print/01_student.pdf": b"sheet",
    "handouts/teacher/01_guide.html": b"guide",
    "handouts/teacher/.built.json": b"record",
    "site/index.html": b"site",
    "site/solutions/index.html": b"answers",
}


@pytest.fixture
def pack(tmp_path):
    """A checkout in which all was built."""
    write(tmp_path, {".gitignore": b"/handouts/\n/site/\n", "README.md": b"read"})
    git = ["git", "-C", tmp_path, "-c", "user.name=me", "-c", "user.email=me@here"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)
    write(tmp_path, BUILT)
    return tmp_path


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def names(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_a_release_has_all_that_is_handed_out_and_checksums(pack):
    made = release.files(pack, version="1.2.3")
    *parts, sums = made
    assert [re.fullmatch(r"autograd-labs-1\.2\.3-(\w+)\.zip", p)[1] for p in parts] == [
        "student", "sheets", "guide", "site", "source",
    ]  # fmt: skip
    student, sheets, guide, site, source = (made[part] for part in parts)
    assert student == b"zip"
    assert names(sheets) == ["print/01_student.pdf"]
    assert names(guide) == ["teacher/01_guide.html"]
    assert names(site) == ["site/index.html"]  # no solutions, no record
    assert "autograd-labs-1.2.3/README.md" in names(source)
    write(pack / "dist", made)
    check = ["sha256sum", "--check", "--strict", sums]
    subprocess.run(check, cwd=pack / "dist", check=True)
    digest = hashlib.sha256(b"zip").hexdigest()
    assert made[sums].decode().startswith(f"{digest}  {parts[0]}\n")


def test_what_somebody_changed_and_kept_is_not_released(pack):
    old = b"built by make"
    written = pack / "handouts/print/01_student.html"
    careful_writing.write(pack / "handouts", {"print/01_student.html": old})
    written.write_bytes(b"my own notes")
    careful_writing.write(pack / "handouts", {"print/01_student.html": old}, force=True)
    assert len([*written.parent.glob("*.html")]) == 2
    sheets = release.files(pack, version="1.2.3")["autograd-labs-1.2.3-sheets.zip"]
    assert names(sheets) == ["print/01_student.html", "print/01_student.pdf"]


@pytest.mark.parametrize("missing", ["handouts/print", "site"])
def test_what_was_not_built_is_named(pack, missing):
    for name in BUILT:
        if name.startswith(missing):
            (pack / name).unlink()
    with pytest.raises(ValueError, match=f"{missing} .*make {missing.split('/')[0]}"):
        release.files(pack, version="1.2.3")


def test_a_changed_checkout_is_not_released(pack):
    write(pack, {"README.md": b"changed"})
    with pytest.raises(ValueError, match=r"as committed.*README"):
        release.files(pack, version="1.2.3")


@pytest.mark.parametrize("tag", ["v0.1.1", "0.1.0", "v0.1.0-rc1"])
def test_a_tag_is_that_of_the_version(tag):
    with pytest.raises(ValueError, match=r"v0\.1\.0"):
        release.refuse_tag(tag, version="0.1.0", changelog="## 0.1.0")


def test_a_version_tells_what_is_new():
    release.refuse_tag("v0.1.0", version=PROJECT["version"], changelog="## 0.1.0")
    with pytest.raises(ValueError, match=r"CHANGELOG.*0\.2\.0"):
        release.refuse_tag("v0.2.0", version="0.2.0", changelog="## 0.1.0\n### 0.2.0")


# Forms, and what only the owner can fill in


@pytest.mark.parametrize("name", ["taught", "problem"])
def test_a_form_is_one_that_github_takes(name):
    form = yaml.safe_load(read(f".github/ISSUE_TEMPLATE/{name}.yml"))
    assert form["name"]
    assert form["description"]
    asked = [each for each in form["body"] if each["type"] != "markdown"]
    ids = [each["id"] for each in asked]
    assert len(set(ids)) == len(ids) >= 4
    for each in asked:
        assert each["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        about = each["attributes"]
        assert about["label"]
        if each["type"] in {"dropdown", "checkboxes"}:
            labels = [o if isinstance(o, str) else o["label"] for o in about["options"]]
            assert len(set(labels)) == len(labels) > 1


def test_the_form_lists_the_labs():
    form = yaml.safe_load(read(".github/ISSUE_TEMPLATE/taught.yml"))
    [asked] = [each for each in form["body"] if each.get("id") == "labs"]
    listed = [option["label"] for option in asked["attributes"]["options"]]
    titles = [nb.cells[0].source.splitlines()[0] for nb in labs.read().values()]
    assert [f"# {each}" for each in listed] == titles


def test_what_is_to_be_filled_in_stands_in_one_list():
    table = read("CONTRIBUTING.md").split("only the owner")[1]
    files = subprocess.check_output(["git", "-C", ROOT, "ls-files", "*.md", "*.cff"])
    blanks = re.compile(r"example\.org|to be filled in|The autograd-labs authors")
    for name in files.decode().split():
        if name != "CONTRIBUTING.md" and blanks.search(read(name)):
            assert f"`{name}`" in table, f"{name} has blanks that the list lacks"
    for name in re.findall(r"`(docs/.*?|[A-Z_]+\.\w+)`", table):
        assert blanks.search(read(name)), f"{name} has no blank any more"
