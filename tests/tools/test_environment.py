"""The files that describe the pack agree with each other."""

import hashlib
import re
import shutil
import subprocess
import tomllib

import pytest
import sklearn.datasets
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import labhelpers
from labhelpers import data
from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def bounds_of(requirements):
    parsed = [Requirement(line) for line in requirements]
    return {each.name: each.specifier for each in parsed}


NEEDS = bounds_of(PROJECT["dependencies"])


def test_conda_environment_has_the_same_packages_and_bounds():
    *packages, with_pip = yaml.safe_load(read("environment.yml"))["dependencies"]
    wanted = {CONDA_NAMES.get(name, name): bounds for name, bounds in NEEDS.items()}
    wanted |= bounds_of(["python" + PROJECT["requires-python"], "pip"])
    assert bounds_of(packages) == wanted
    assert with_pip == {"pip": ["-e ."]}


def test_constraints_lie_within_the_bounds():
    lines = [line for line in read("constraints.txt").splitlines() if line[0] != "#"]
    for name, pinned in bounds_of(lines).items():
        (pin,) = pinned
        assert pin.operator == "=="
        assert pin.version in NEEDS[name]


def test_ci_tries_the_stored_the_oldest_and_the_newest_torch():
    job = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]["test"]
    oldest, newest = sorted(NEEDS["torch"], key=lambda bound: Version(bound.version))
    assert (oldest.operator, newest.operator) == (">=", "<")
    matrix = job["strategy"]["matrix"]
    lowest = Requirement("torch" + matrix["torch"][1]).specifier
    assert f"torch{matrix['torch'][0]}" in read("constraints.txt").splitlines()
    assert Version(str(lowest).removeprefix("==")) == Version(oldest.version)
    assert matrix["torch"][2] == str(newest)
    assert {name.split("-")[0] for name in matrix["os"]} == {
        "ubuntu",
        "macos",
        "windows",
    }


def test_the_version_is_the_same_everywhere():
    cited = yaml.safe_load(read("CITATION.cff"))["version"]
    assert cited == labhelpers.__version__ == PROJECT["version"]


def test_licences_are_there():
    assert read("LICENSE").startswith("MIT License")
    assert "https://creativecommons.org/licenses/by/4.0/" in read("LICENSE-TEXT")


def test_every_data_file_is_described():
    quoted = dict(
        re.findall(r"\| `(.+)` \| `([0-9a-f]{64})` \|", read("data/README.md"))
    )
    assert quoted == {
        name: hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest()
        for name in ["iris.csv"]
    }


def test_iris_is_what_its_description_says():
    theirs = sklearn.datasets.load_iris()
    fisher, uci = data.load_iris(), data.load_iris(variant="uci")
    assert (fisher.features == theirs.data).all()
    assert (fisher.labels == theirs.target).all()
    rows = re.findall(r"\| (\d+) \| (.+) \| (.+) \|", read("data/README.md"))
    for row, in_file, in_copy in rows:
        for ours, described in (fisher, in_file), (uci, in_copy):
            numbers = [float(x) for x in described.replace("*", "").split(",")]
            assert ours.features[int(row) - 1].tolist() == numbers
    differing = (fisher.features != uci.features).any(axis=1).nonzero()[0]
    assert [int(row) - 1 for row, *_ in rows] == differing.tolist()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_verb():
    makefiles = read("Makefile") + read("teaching/verbs.mk")
    phony = re.findall(r"^\.PHONY: (.+)$", makefiles, re.MULTILINE)
    verbs = " ".join(phony).split()
    listed = subprocess.check_output(["make", "help"], cwd=ROOT, text=True)
    assert re.findall(r"^make (\w+) +\S", listed, re.MULTILINE) == verbs
    for verb in verbs:
        subprocess.run(["make", "--dry-run", verb], cwd=ROOT, check=True)
