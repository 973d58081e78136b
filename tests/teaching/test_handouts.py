"""``make handouts``: nobody's work is lost, and the students' zip works by itself."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from teaching import __main__ as command
from teaching import labs
from teaching.handing_out import careful_writing, handouts, sheets, students_zip
from teaching.handing_out.student_copy import student_copies
from tests import ROOT

WORKED = labs.read()
LABS = [f"{lab}.ipynb" for lab in WORKED]
NOON = datetime(2025, 3, 4, 12, 0, 0)
SECONDS = 120


def read(folder):
    """Return {path: content} of all files in a folder, the record aside."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    found.pop(careful_writing.BUILT, None)
    return found


# --- Nobody's work is lost -----------------------------------------------------------


@pytest.fixture
def built(tmp_path):
    """Return a folder in which two files were built."""
    files = {"student/01.ipynb": b"one", "a.zip": b"zip"}
    outcome = careful_writing.write(tmp_path, files)
    assert outcome.written == list(files)
    assert outcome.complete
    assert read(tmp_path) == files
    return tmp_path


def test_what_nobody_changed_is_built_anew(built):
    outcome = careful_writing.write(
        built, {"student/01.ipynb": b"new", "a.zip": b"zip"}
    )
    assert (outcome.written, outcome.same) == (["student/01.ipynb"], ["a.zip"])
    assert read(built) == {"student/01.ipynb": b"new", "a.zip": b"zip"}


def test_a_changed_file_is_left_and_the_rest_is_built(built):
    (built / "student/01.ipynb").write_bytes(b"my work")
    outcome = careful_writing.write(
        built, {"student/01.ipynb": b"new", "a.zip": b"newer"}
    )
    assert (outcome.left, outcome.written) == (["student/01.ipynb"], ["a.zip"])
    assert not outcome.complete
    assert read(built) == {"student/01.ipynb": b"my work", "a.zip": b"newer"}
    again = careful_writing.write(
        built, {"student/01.ipynb": b"new", "a.zip": b"newer"}
    )
    assert again.left == ["student/01.ipynb"]


def test_by_force_the_changed_file_is_kept_under_a_name_that_says_when(built):
    for number in range(3):  # three in one second
        (built / "student/01.ipynb").write_bytes(b"work %d" % number)
        files = {"student/01.ipynb": b"new %d" % number}
        outcome = careful_writing.write(built, files, force=True, now=NOON)
        assert outcome.complete
        assert len(outcome.kept) == 1
    assert read(built) == {
        "a.zip": b"zip",
        "student/01.ipynb": b"new 2",
        "student/01.kept-2025-03-04-120000.ipynb": b"work 0",
        "student/01.kept-2025-03-04-120000-2.ipynb": b"work 1",
        "student/01.kept-2025-03-04-120000-3.ipynb": b"work 2",
    }


def test_force_moves_only_what_was_changed(built):
    outcome = careful_writing.write(built, {"a.zip": b"new"}, force=True)
    assert (outcome.written, outcome.kept) == (["a.zip"], {})


def test_a_deleted_file_is_built_again(built):
    (built / "a.zip").unlink()
    assert careful_writing.write(built, {"a.zip": b"zip"}).written == ["a.zip"]


@pytest.mark.parametrize("record", [None, b"", b"{", b"[1]", b'{"a.zip": 7}', b"\xff"])
def test_without_a_record_whatever_differs_counts_as_changed(built, record):
    (built / careful_writing.BUILT).unlink()
    if record is not None:
        (built / careful_writing.BUILT).write_bytes(record)
    outcome = careful_writing.write(
        built, {"student/01.ipynb": b"one", "a.zip": b"new"}
    )
    assert (outcome.same, outcome.left) == (["student/01.ipynb"], ["a.zip"])
    assert read(built)["a.zip"] == b"zip"
    assert careful_writing.write(built, {"student/01.ipynb": b"two"}).complete


def test_what_cannot_be_written_is_named_and_the_rest_is_built(built):
    (built / "print").write_bytes(b"a file where a folder should be")
    (built / "a.zip").unlink()
    (built / "a.zip").mkdir()
    files = {"print/01.pdf": b"pdf", "a.zip": b"new", "student/01.ipynb": b"new"}
    outcome = careful_writing.write(built, files)
    assert set(outcome.failed) == {"print/01.pdf", "a.zip"}
    assert not outcome.complete
    assert read(built)["student/01.ipynb"] == b"new"


def test_a_write_that_breaks_off_leaves_the_old_file(built, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        careful_writing.write(built, {"a.zip": b"half of the new one"})
    assert read(built) == {"student/01.ipynb": b"one", "a.zip": b"zip"}


def test_what_was_written_before_a_break_counts_as_built(built, monkeypatch):
    replace = os.replace

    def stop(source, target):
        if Path(target).name == "a.zip":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        careful_writing.write(built, {"student/01.ipynb": b"new", "a.zip": b"new"})
    monkeypatch.undo()
    outcome = careful_writing.write(built, {"student/01.ipynb": b"newer"})
    assert (outcome.written, outcome.left) == (["student/01.ipynb"], [])


def test_a_sweep_removes_what_is_no_longer_built_unless_somebody_changed_it(built):
    (built / "mine.txt").write_bytes(b"mine")
    assert careful_writing.write(built, {"a.zip": b"zip"}).removed == []
    outcome = careful_writing.write(built, {"a.zip": b"zip"}, sweep=True)
    assert outcome.removed == ["student/01.ipynb"]
    assert outcome.complete
    assert read(built) == {"a.zip": b"zip", "mine.txt": b"mine"}
    (built / "a.zip").write_bytes(b"my zip")
    assert careful_writing.write(built, {"b.zip": b"b"}, sweep=True).removed == []
    assert read(built)["a.zip"] == b"my zip"


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_everybody_may_read_what_is_built(built):
    for name in [*read(built), careful_writing.BUILT]:
        assert (built / name).stat().st_mode & 0o777 == 0o644


@pytest.fixture
def quick(monkeypatch):
    """Leave the sheets out: other tests build them."""
    for made in handouts.sheets, handouts.guide:
        monkeypatch.setattr(made, "pages", lambda worked, folder: {})
    monkeypatch.setattr(handouts.pdf, "print_all", lambda pages: {})


def test_make_handouts_says_what_it_left_and_how_to_go_on(quick, tmp_path, capsys):
    into = tmp_path / "handouts"
    assert command.main(["build", f"--into={into}"]) == 0
    assert {f"student/{name}" for name in LABS} | {handouts.ZIP} <= set(read(into))
    changed = into / "student" / "02_pca_comparison.ipynb"
    changed.write_text("my work")
    capsys.readouterr()

    assert command.main(["build", f"--into={into}"]) == 1
    said = capsys.readouterr().out
    assert said.count(str(changed)) == 1
    assert "make handouts HANDOUTS_ARGS=--force" in said
    assert changed.read_text() == "my work"

    assert command.main(["build", f"--into={into}", "--force"]) == 0
    (kept,) = into.glob("student/02_pca_comparison.kept-*.ipynb")
    assert kept.name in capsys.readouterr().out
    assert kept.read_text() == "my work"
    assert changed.read_text() != "my work"


def test_without_a_browser_all_but_the_pdfs_is_built(quick, monkeypatch, tmp_path):
    def none(pages):
        raise handouts.pdf.NoBrowser("no Chromium is here")

    monkeypatch.setattr(handouts.pdf, "print_all", none)
    worked = {"00_autograd": WORKED["00_autograd"]}
    assert (
        "No PDFs, since no Chromium is here" in handouts.build(worked, tmp_path).no_pdf
    )
    files = read(tmp_path)
    copied = files["student/00_autograd.ipynb"]
    assert files["course/source/00_autograd/00_autograd.ipynb"] == copied
    cards = tmp_path / "print" / "cards.html"
    cards.write_text("mine")
    assert not handouts.build(worked, tmp_path).outcome.complete
    assert cards.read_text() == "mine"


# --- The zip -------------------------------------------------------------------------

FILES = handouts.student_files(WORKED, handouts.written(student_copies(WORKED)))
BUILD_TWO = """
from tests.teaching import test_handouts
print(*test_handouts.digests())
"""


def digests():
    """Return the digests of the zip and of a printed sheet, both built anew."""
    name, worked = next(iter(WORKED.items()))
    page = sheets.pages({name: worked})[f"{labs.number(name)}_student.html"]
    built = students_zip.pack(dict(reversed(FILES.items()))), page.encode()
    return [hashlib.sha256(content).hexdigest() for content in built]


@pytest.mark.apart
def test_another_process_builds_the_same_bytes():
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "2"}
    said = subprocess.check_output(
        [sys.executable, "-c", BUILD_TWO],
        cwd=ROOT,
        env={**os.environ, **other},
        text=True,
        **({"umask": 0o077} if os.name == "posix" else {}),
    )
    assert said.split() == digests()


def test_everybody_may_read_what_is_unpacked():
    with zipfile.ZipFile(io.BytesIO(students_zip.pack(FILES))) as archived:
        assert archived.testzip() is None
        for member in archived.infolist():
            assert (member.create_system, member.external_attr >> 16) == (3, 0o100644)


def test_the_zip_holds_what_students_need_and_nothing_else():
    folders = {name.split("/")[0] for name in FILES if "/" in name}
    assert folders == {"data", "labchecks", "labhelpers", "notebooks", "tools"}
    assert {name for name in FILES if name.startswith("notebooks/")} == {
        f"notebooks/{name}" for name in LABS
    }
    assert {"LICENSE", "LICENSE-TEXT", "START-HERE.txt", "tools/doctor.py"} <= set(
        FILES
    )


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git's list of files")
def test_only_files_under_version_control_are_in_the_zip():
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    made = {"START-HERE.txt"}
    assert set(FILES) - made <= set(tracked)
    helpers = {n for n in tracked if re.match(r"(labhelpers|labchecks)/.*\.py$", n)}
    data = {name for name in tracked if name.startswith("data/")}
    assert helpers | data <= set(FILES)


def test_a_downloaded_picture_or_a_scratch_file_stays_out(tmp_path):
    for name in [
        *students_zip.FILES,
        "labhelpers/linalg.py",
        "teaching/x.py",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    hidden = tmp_path / "labhelpers" / ".ipynb_checkpoints" / "linalg-checkpoint.py"
    for path in hidden, tmp_path / "data" / "cifar-10-batches-bin" / "data_batch_1.bin":
        path.parent.mkdir()
        path.write_text("")
    found = students_zip.contents(tmp_path, {})
    assert set(found) == {
        *students_zip.FILES,
        "labhelpers/linalg.py",
        students_zip.PAGE,
    }


def test_every_file_of_the_zip_is_copied_as_it_is():
    made = {f"notebooks/{name}" for name in LABS} | {students_zip.PAGE}
    for name in set(FILES) - made:
        assert FILES[name] == (ROOT / name).read_bytes()


# --- The zip, unpacked in an empty folder --------------------------------------------


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a student's folder")
    with zipfile.ZipFile(io.BytesIO(students_zip.pack(FILES))) as archived:
        archived.extractall(folder)
    return folder


@pytest.fixture
def environment(unpacked):
    """Return an environment in which this Python has the helpers of the folder."""
    return {**os.environ, "PYTHONPATH": str(unpacked), "OMP_NUM_THREADS": "1"}


@pytest.mark.apart
def test_the_doctor_finds_all_in_order(unpacked, environment):
    done = subprocess.run(
        [sys.executable, "tools/doctor.py"],
        cwd=unpacked,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FAIL" not in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("[ OK ]") >= 15
    assert f"the helpers of this folder: {unpacked}" in done.stdout
    assert done.returncode == 0


BUILD = "import sys; from setuptools.build_meta import build_editable as build\n"
BUILD += "build(sys.argv[1])"
FIND = """
import site, sys
sys.path[:] = [path for path in sys.path if path not in ("", sys.argv[1])]
site.addsitedir(sys.argv[2])
import labhelpers
print(labhelpers.__path__[0])
"""


@pytest.mark.apart
def test_the_unpacked_folder_can_be_installed(unpacked, tmp_path):
    """Build what pip would, and use it. Pip itself would change this very Python."""
    labs, wheel, site = (tmp_path / name for name in ("labs", "wheel", "site"))
    shutil.copytree(unpacked, labs)
    wheel.mkdir()
    build = [sys.executable, "-c", BUILD, str(wheel)]
    subprocess.run(build, cwd=labs, check=True, capture_output=True)
    (path,) = wheel.glob("autograd_labs-*.whl")
    with zipfile.ZipFile(path) as archived:
        archived.extractall(site)
    # -S leaves out this Python's own packages, among them the checkout.
    found = subprocess.check_output(
        [sys.executable, "-S", "-c", FIND, str(ROOT), str(site)], text=True
    )
    assert Path(found.strip()) == labs / "labhelpers"


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is missing")


@needs_make
def test_the_makefile_has_the_verbs_that_work_here(unpacked):
    helped = subprocess.check_output(["make", "help"], cwd=unpacked, text=True)
    verbs = re.findall(r"^make (\w+) +\S", helped, re.M)
    assert verbs == ["help", "lab", "present", "doctor", "cifar10", "clean"]
    for verb in verbs:
        said = subprocess.check_output(["make", "-n", verb], cwd=unpacked, text=True)
        assert "handouts" not in said
        for name in re.findall(r"tools/\w+\.py", said):
            assert (unpacked / name).exists()


@pytest.mark.apart
@needs_make
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes")
def test_make_lab_opens_on_the_copies_and_builds_nothing(unpacked, environment):
    for name in LABS:  # a student has worked
        (unpacked / "notebooks" / name).write_bytes(b"my work on " + name.encode())
    before = read(unpacked)
    options = "--no-browser --port=0 --ServerApp.allow_root=True"
    log = unpacked.parent / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["make", "--old-file=.venv/lab", "lab", f"LAB_ARGS={options}"]
            + [f"BIN={Path(sys.executable).parent}"],
            cwd=unpacked,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        address = r"http://(?:localhost|127\.0\.0\.1):\d+/lab\S*\?token=\w+"
        url = wait_for(process, lambda: re.search(address, log.read_text()), log)[0]
        url = re.sub(r"/lab\S*\?", "/api/contents?", url)
        listing = wait_for(process, lambda: answer(url), log)
        names = {entry["name"] for entry in listing["content"]}
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)
    assert names == {*LABS, "START.md"}
    # Only what was there: JupyterLab removes files of its own while it ends.
    assert {name: (unpacked / name).read_bytes() for name in before} == before
    assert not (unpacked / "handouts").exists()


def wait_for(process, look, log):
    """Return what ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + SECONDS
    while not (found := look()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    return found


def answer(url):
    """Return what a server says, or None as long as there is none."""
    try:
        with urllib.request.urlopen(url) as response:
            return json.load(response)
    except urllib.error.URLError:
        return None


def test_the_doctor_knows_the_checksum_of_the_data():
    from tools import doctor

    assert hashlib.sha256(FILES["data/iris.csv"]).hexdigest() == doctor.IRIS


def test_what_became_of_each_file_is_told(capsys):
    outcome = careful_writing.Outcome(
        written=["a"],
        same=["b"],
        left=["c/d"],
        kept={"e": "e.kept-1"},
        failed={"f": "no space"},
        removed=["g"],
    )
    folder = Path("out")
    told = [
        f"NOT BUILT  {folder / 'f'}: no space",
        f"built      {folder / 'e'}  (the changed one is now {folder / 'e.kept-1'})",
        f"  {folder / 'c/d'}",
        "To build these anew, too: make again",
    ]
    files = [
        f"built      {folder / 'a'}",
        f"unchanged  {folder / 'b'}",
        f"removed    {folder / 'g'}",
    ]
    careful_writing.report(folder, outcome, again="make again")
    assert set(told + files) <= set(capsys.readouterr().out.splitlines())
    careful_writing.report(folder, outcome, again="make again", brief=True)
    said = capsys.readouterr().out.splitlines()
    assert {*told, "built: 1, unchanged: 1, removed: 1"} <= set(said)
    assert not set(files) & set(said)
