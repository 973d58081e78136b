"""Wheels for a class without a network: all that is needed, whole, and no more."""

import hashlib
import re
import zipfile

import pytest
from packaging.requirements import Requirement

from tests.tools.test_environment import PROJECT
from tools import wheels

# What packages that nobody has need: {name: requires_dist}.
INDEX = {
    "lab": ["plots>=1", "coloured; sys_platform == 'win32'", "fast; extra == 'quick'"],
    "plots": ["shapes[round]", "lab[quick]", "old; python_version < '3.12'"],
    "shapes": ["circles; extra == 'round'", "squares; extra == 'square'"],
    **dict.fromkeys(["coloured", "fast", "old", "circles", "squares"], []),
}


class Pip:
    """A stand-in for pip's look-up; it keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, requirements, target):
        self.asked += requirements
        names = [Requirement(each).name for each in requirements]
        return [
            {"metadata": {"name": name, "requires_dist": INDEX[name]}} for name in names
        ]


@pytest.mark.parametrize(
    ("system", "python", "more"),
    [
        ("linux", "3.11", {"old"}),
        ("linux", "3.12", set()),
        ("windows", "3.12", {"coloured"}),
        ("macos", "3.11", {"old"}),
    ],
)
def test_what_is_needed_is_what_the_markers_of_that_system_say(system, python, more):
    machine = wheels.target(system, python)
    found = wheels.needed(["lab"], pins={}, target=machine, look=Pip())
    assert set(found) == {"lab", "plots", "shapes", "circles", "fast"} | more


def test_versions_are_the_pinned_ones_and_each_is_asked_for_once():
    pip = Pip()
    pins = {"plots": "1.5", "shapes": "2"}
    wheels.needed(["lab>=3"], pins=pins, target=wheels.target(), look=pip)
    assert {"lab>=3", "plots==1.5", "shapes==2"} <= set(pip.asked)
    assert len(pip.asked) == len({Requirement(each).name for each in pip.asked})


def test_the_labs_need_what_they_state_and_what_installs_them():
    listed = wheels.requirements(wheels.ROOT)
    assert set(PROJECT["dependencies"]) < set(listed)
    assert any(each.startswith("setuptools") for each in listed)
    assert wheels.pinned(wheels.ROOT)["torch"] == "2.13.0"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ("solaris", None),
            "system must be one of linux, macos, windows, got 'solaris'",
        ),
        (("linux", "2.7"), "python must be a version such as 3.12, got '2.7'"),
    ],
)
def test_what_there_is_no_target_for(arguments, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        wheels.target(*arguments)


@pytest.mark.parametrize(
    ("machine", "system"),
    [
        (wheels.SYSTEMS["macos"].markers, "macos"),
        (wheels.SYSTEMS["windows"].markers, "windows"),
        # Wheels for an Intel processor do nothing here.
        (wheels.SYSTEMS["linux"].markers | {"platform_machine": "aarch64"}, None),
        ({"sys_platform": "freebsd14"}, None),
    ],
)
def test_another_python_of_this_machine_is_for_its_processor(
    tmp_path, monkeypatch, machine, system
):
    environment = wheels.default_environment() | machine
    monkeypatch.setattr(wheels, "default_environment", lambda: environment)
    monkeypatch.setattr(wheels, "ask_pip", no_index)
    said = wheels.main(["--python", "3.12", "--into", str(tmp_path)])
    missing = "system must be one of linux, macos, windows, got None"
    wanted = wheels.SYSTEMS[system].tags[0] if system else missing
    assert said.startswith("Not all was gathered: ")
    assert wanted in said


def no_index(requirements, target):
    raise ValueError(" ".join(target.options))


@pytest.fixture
def index(tmp_path):
    """Two wheels on this disk, as pip reports them."""
    found = {}
    for name in ("one", "two"):
        path = tmp_path / "index" / f"{name}-1.0-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            about = f"{name}-1.0.dist-info/"
            archive.writestr(
                about + "METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            )
            archive.writestr(
                about + "WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(about + "RECORD", "")
        hashes = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        info = {"url": path.as_uri(), "archive_info": {"hashes": hashes}}
        found[name] = {"download_info": info}
    return found


def gather(folder, found):
    said = []
    wheels.gather(folder, found, target=wheels.target(), say=said.append)
    return [line.split(", ")[-1] for line in said]


def test_gathering_goes_on_where_it_was_broken_off(index, tmp_path):
    folder = tmp_path / "wheels"
    assert gather(folder, {"one": index["one"]}) == ["downloaded"]
    assert gather(folder, index) == ["there already", "downloaded"]
    (folder / "one-1.0-py3-none-any.whl").write_bytes(b"cut")
    assert gather(folder, index) == ["downloaded", "there already"]
    sums = wheels.read_sums(folder)
    assert sums == {
        f"{name}-1.0-py3-none-any.whl": each["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for name, each in index.items()
    }
    assert {wheels.digest(folder / name) for name in sums} == set(sums.values())


def test_what_does_not_have_its_checksum_is_not_kept(index, tmp_path):
    index["one"]["download_info"]["archive_info"]["hashes"]["sha256"] = "0" * 64
    with pytest.raises(ValueError, match="pip did not find or get"):
        gather(tmp_path / "wheels", index)
    assert not list((tmp_path / "wheels").iterdir())
