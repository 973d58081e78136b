"""The files that describe the pack agree with each other."""

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import sklearn.datasets
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import labhelpers
from labhelpers import data
from tests import ROOT
from tools import matrix


def project(path):
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]


PROJECT, TEACHING = project("pyproject.toml"), project("teaching/pyproject.toml")
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def bounds_of(requirements):
    parsed = [Requirement(line) for line in requirements]
    return {each.name: each.specifier for each in parsed}


def stated(project):
    """Return all that a project needs, its extras included: a list of Requirement."""
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


BOTH = {each["name"]: each for each in (PROJECT, TEACHING)}
EVERYTHING = stated(PROJECT) + stated(TEACHING)
LEFT_OUT = {"hub", "mutants"}  # extras that no test needs
WITHOUT_TOOLS = [
    Requirement(line)
    for project in BOTH.values()
    for extra, lines in project["optional-dependencies"].items()
    if extra not in LEFT_OUT
    for line in [*project["dependencies"], *lines]
]
NEEDS = bounds_of(PROJECT["dependencies"])


def test_conda_environment_has_the_same_packages_and_bounds():
    *packages, with_pip = yaml.safe_load(read("environment.yml"))["dependencies"]
    wanted = {CONDA_NAMES.get(name, name): bounds for name, bounds in NEEDS.items()}
    wanted |= bounds_of(["python" + PROJECT["requires-python"], "pip"])
    assert bounds_of(packages) == wanted
    assert with_pip == {"pip": ["-e ."]}


def test_conda_and_a_hub_set_what_the_makefile_sets():
    setting = re.compile(r"^ *(?:export )?(GOMP\w+|MALLOC\w+) ?:=? \"?(\d+)", re.M)
    exported = dict(setting.findall(read("Makefile")))
    assert len(exported) == 3
    assert yaml.safe_load(read("environment.yml"))["variables"] == exported
    assert dict(setting.findall(read("docs/teaching.md"))) == exported  # of a hub


def test_no_bound_stands_in_two_places():
    """A package is named once; what needs it too refers to the extra that names it."""
    named = [each.name for each in EVERYTHING if each.name not in BOTH]
    assert sorted(named) == sorted(set(named))
    for each in EVERYTHING:
        if each.name in BOTH:
            assert not each.specifier
            assert each.extras <= set(BOTH[each.name]["optional-dependencies"])
        else:
            assert {bound.operator for bound in each.specifier} in ({">=", "<"}, {"=="})


def test_constraints_are_plain_pins_within_the_bounds():
    lines = [line for line in read("constraints.txt").splitlines() if line[0] != "#"]
    pins = {}
    for line in lines:
        name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9a-z.]+)", line).groups()
        pins[canonicalize_name(name)] = version
    assert len(pins) == len(lines)
    labs = {canonicalize_name(each.name): each for each in EVERYTHING}
    for name, each in labs.items():
        if name in pins:
            assert pins[name] in each.specifier, name
    assert {canonicalize_name(name) for name in NEEDS} <= set(pins)


JOBS = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]


@pytest.mark.parametrize("name", ["ci", "pages", "release"])
def test_workflows_pin_their_actions_and_may_only_read(name):
    workflow = read(f".github/workflows/{name}.yml")
    used = re.findall(r"uses: (.*)", workflow)
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
    workflow = yaml.safe_load(workflow)
    assert workflow["permissions"] == {}
    publish = workflow["jobs"].pop("publish", {"steps": []})
    for step in publish["steps"]:  # it may write, so no code of ours runs
        assert "checkout" not in step.get("uses", "")
        assert step.get("run", "gh release").startswith("gh release")
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        (checkout,) = [s for s in job["steps"] if "/checkout@" in s.get("uses", "")]
        assert checkout["with"] == {"persist-credentials": False}


def test_what_make_site_builds_is_published():
    job = yaml.safe_load(read(".github/workflows/pages.yml"))["jobs"]["build"]
    assert "make site PYTHON=python" in [step.get("run") for step in job["steps"]]
    assert job["steps"][-1]["with"] == {"path": "site/"}


def test_ci_runs_verbs_that_there_are():
    run = re.findall(r"make ([a-z ]*[a-z])\b", " ".join(run_by_ci()))
    verbs = {verb for verbs in run for verb in verbs.split()}
    assert {"lint", "test", "shake", "matrix", "handouts"} <= verbs <= set(VERBS)


def run_by_ci():
    return [
        step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step
    ]


def test_ci_has_the_pythons_of_the_matrix_at_night():
    assert "schedule" in JOBS["matrix"]["if"]
    (set_up,) = [
        s for s in JOBS["matrix"]["steps"] if "setup-python@" in s.get("uses", "")
    ]
    pythons = set_up["with"]["python-version"].split()
    assert set(pythons) == {row.python for row in matrix.ROWS}


def test_ci_tries_the_oldest_and_the_newest_packages_at_night(tmp_path):
    matrix = JOBS["test"]["strategy"]["matrix"]
    systems = {name.split("-")[0] for name in matrix["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    at_night, by_day = re.findall(r"\[.*?\]", matrix["packages"])
    assert "schedule" in matrix["packages"]
    assert json.loads(at_night) == ["stored", "oldest", "newest"]
    assert json.loads(by_day) == ["stored"]

    (script,) = [each for each in run_by_ci() if "> use.txt" in each]
    names = "pyproject.toml", "teaching/pyproject.toml", "tools/matrix.py"
    for name in ("constraints.txt", *names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def use(packages):
        line = script.replace("${{ matrix.packages }}", packages)
        line = line.replace("python -c", f'"{sys.executable}" -c')
        subprocess.run(["bash", "-euc", line], cwd=tmp_path, check=True)
        return (tmp_path / "use.txt").read_text(encoding="utf-8")

    assert use("stored") == read("constraints.txt")
    used = {
        p: list(map(Requirement, use(p).splitlines())) for p in ("oldest", "newest")
    }
    tested = [each for each in WITHOUT_TOOLS if each.name not in BOTH]
    assert set(used["newest"]) == set(tested)
    lowest = {
        Requirement(f"{each.name}=={bound.version}")
        for each in tested
        for bound in each.specifier
        if bound.operator in (">=", "==")
    }
    assert set(used["oldest"]) == lowest


def test_the_version_is_the_same_everywhere():
    cited = yaml.safe_load(read("CITATION.cff"))["version"]
    assert cited == labhelpers.__version__ == PROJECT["version"]


def test_licences_are_there_in_full():
    assert read("LICENSE").startswith("MIT License")
    ours, full = read("LICENSE-TEXT").split("=" * 71 + "\n")
    assert "https://creativecommons.org/licenses/by/4.0/" in ours
    sections = re.findall(r"^Section (\d) -- (.+?)\.?$", full, re.MULTILINE)
    assert [int(number) for number, _ in sections] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(full.split()) == 2023


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


VERBS = [
    verb
    for path in ("Makefile", "teaching/verbs.mk")
    for line in re.findall(r"^\.PHONY: (.+)$", read(path), re.MULTILINE)
    for verb in line.split()
]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_verb():
    listed = subprocess.check_output(["make", "help"], cwd=ROOT, text=True)
    assert re.findall(r"^make (\w+) +\S", listed, re.MULTILINE) == VERBS
    for verb in VERBS:
        subprocess.run(["make", "--dry-run", verb], cwd=ROOT, check=True)


def test_make_lab_leaves_out_all_of_nbgrader():
    """What nbgrader switches on in a server, and its menus in the browser."""
    room = "tools/room/lab/"
    server = json.loads(read(room + "jupyter_server_config.json"))["ServerApp"]
    switched = server["jpserver_extensions"]
    found = importlib.metadata.distribution("nbgrader").files
    [file] = [p for p in found if p.match("jupyter_server_config.d/nbgrader.json")]
    switched_on = json.loads(file.read_text())["ServerApp"]["jpserver_extensions"]
    assert switched == dict.fromkeys(switched_on, False)
    disabled = json.loads(read(room + "labconfig/page_config.json"))
    menus = [p for p in found if p.match("labextensions/*/*/package.json")]
    names = [json.loads(p.read_text())["name"] for p in menus]
    assert disabled == {"disabledExtensions": dict.fromkeys(names, True)}
