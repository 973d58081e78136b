"""The doctor: each need that isn't met is named, with a cure, and none stops it."""

import ast
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import ROOT
from tests.tools.test_environment import PROJECT
from tools import doctor


@pytest.fixture(autouse=True)
def _forget():
    doctor._installed.cache_clear()
    yield
    doctor._installed.cache_clear()


def missing(check, *given):
    """Return what a need complains of, and its cure."""
    with pytest.raises(doctor.Missing) as caught:
        check(*given)
    assert len(caught.value.cure) > 20
    return caught.value.found, caught.value.cure


def answering(monkeypatch, answer, complaint=None):
    """Let whatever the doctor runs say this."""
    monkeypatch.setattr(doctor, "_run", lambda *a, **k: (answer, complaint))


@pytest.mark.parametrize("tool", ["doctor.py", "set_up.py"])
def test_an_old_python_can_read_the_file_and_is_refused_before_anything_else(tool):
    source = (ROOT / "tools" / tool).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    (at,) = [i for i, node in enumerate(tree.body) if isinstance(node, ast.If)][:1]
    docstring, only_sys, refusal = tree.body[: at + 1]
    assert ast.unparse(only_sys) == "import sys"
    assert isinstance(docstring, ast.Expr)
    top = compile(ast.Module([refusal], []), tool, "exec")

    class Old:
        executable = "/old/python"
        version_info = (2, 7, 18)
        exit = staticmethod(sys.exit)

    with pytest.raises(SystemExit, match="Python.* 3.11 or newer"):
        exec(top, {"sys": Old})
    oldest = re.search(r"version_info < \((\d+), (\d+)\)", source).groups()
    assert ">={}.{}".format(*oldest) == PROJECT["requires-python"]
    Old.version_info = tuple(map(int, oldest))
    exec(top, {"sys": Old})


def test_every_dependency_has_a_line():
    names = [name for name, _ in doctor.needs()]
    for line in PROJECT["dependencies"]:
        assert Requirement(line).name in names
    assert "pytest" not in names


@pytest.mark.parametrize(
    ("version", "bounds", "good"),
    [
        ("2.13.0+cpu", ">=2.6,<2.15", True),
        ("2.15.0", ">=2.6,<2.15", False),
        ("2.5.1", ">=2.6,<2.15", False),
        ("2.14.0rc1", ">=2.6,<2.15", True),
    ],
)
def test_a_package_must_lie_in_its_bounds(monkeypatch, version, bounds, good):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    requirement = Requirement("torch" + bounds)
    if good:
        assert doctor.package(requirement) == version
    else:
        found, cure = missing(doctor.package, requirement)
        assert version in found
        assert str(requirement.specifier) in found
        assert "pip install -c constraints.txt" in cure


def test_a_package_that_is_missing_is_named():
    found, _ = missing(doctor.package, Requirement("no-such-package-at-all>=1"))
    assert found == "not installed"


def test_helpers_of_another_folder_are_refused(monkeypatch, tmp_path):
    answering(monkeypatch, str(tmp_path / "labhelpers"))
    found, cure = missing(doctor.helpers)
    assert str(tmp_path) in found
    assert "moved" in cure


def test_helpers_that_are_not_installed_are_missed(monkeypatch):
    answering(monkeypatch, None, "ModuleNotFoundError: No module named 'labhelpers'")
    assert missing(doctor.helpers)[0] == "not installed"


def test_a_python_of_its_own_is_told_to_install_and_another_where_to_go(monkeypatch):
    answering(monkeypatch, "pip 25.0")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert "pip install" in doctor._install()
    answering(monkeypatch, None, "ModuleNotFoundError: No module named 'pip._vendor'")
    assert "delete the folder .venv" in doctor._install()
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert "make doctor" in doctor._install()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "no such kernel"),
        ("", "it says ''"),
        ("kernel|/another/python|/x", "another Python, that of /another/python"),
        (f"kernel|{sys.prefix}|/elsewhere/labhelpers", "another folder"),
    ],
)
def test_a_kernel_that_is_not_ours_is_refused(monkeypatch, answer, words):
    answering(monkeypatch, answer, None if answer is not None else "no such kernel")
    assert words in missing(doctor.kernel)[0]


@pytest.mark.parametrize("content", [None, b"", b"changed"])
def test_data_that_are_gone_or_changed_are_missed(monkeypatch, tmp_path, content):
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    (tmp_path / "data").mkdir()
    if content is not None:
        (tmp_path / "data" / "iris.csv").write_bytes(content)
    found, cure = missing(doctor.iris)
    assert "iris.csv" in found
    assert "zip" in cure


def test_line_ends_of_another_system_are_no_fault(monkeypatch, tmp_path):
    content = (ROOT / "data" / "iris.csv").read_bytes()
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "iris.csv").write_bytes(content.replace(b"\n", b"\r\n"))
    assert doctor.iris()


def test_a_folder_that_cannot_be_written_is_named(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    found, _ = missing(doctor.writing)
    assert str(ROOT / "notebooks") in found


def test_a_full_disc_is_named(monkeypatch):
    usage = type("Usage", (), {"free": 10**8})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    assert missing(doctor.room)[0] == "100 MB free"


def test_what_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 0.2)
    assert doctor._run("-c", "import time; time.sleep(60)") == (
        None,
        "no answer within 0.2 seconds",
    )


def diagnosed(folder, **environment):
    """Run the doctor with a folder in which packages are broken; return code, lines."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "doctor.py")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    lines = re.findall(r"^\[( OK |FAIL)\] ([^:]+): (.*)$", done.stdout, re.M)
    return done.returncode, {name: (state.strip(), said) for state, name, said in lines}


@pytest.mark.parametrize(
    ("package", "content", "said"),
    [
        ("torch", "raise ImportError('libtorch.so: no such file')", "libtorch.so"),
        ("torch", "import os\nos.abort()", "ended with code"),
    ],
)
def test_a_broken_package_is_named_and_the_rest_looked_at(
    tmp_path, package, content, said
):
    (tmp_path / f"{package}.py").write_text(content)
    code, lines = diagnosed(tmp_path)
    assert code == 1
    assert lines["a gradient"][0] == "FAIL"
    assert said in lines["a gradient"][1]
    assert lines["the data"][0] == lines["Python"][0] == "OK"


def test_a_bare_python_is_told_what_is_missing(monkeypatch, capsys):
    def refuse():
        raise ModuleNotFoundError("No module named 'packaging'")

    monkeypatch.setattr(doctor, "_requirements", refuse)
    answering(monkeypatch, None, "ModuleNotFoundError: No module named 'torch'")
    assert doctor.main() == 5
    said = capsys.readouterr().out
    assert "[FAIL] the helpers of this folder: not installed\n       " in said
    assert "[ OK ] the data" in said
    assert said.endswith("5 to mend.\n")


def test_wheels_are_looked_at_if_there_are_any(monkeypatch, tmp_path):
    assert "set-up without a network" not in dict(doctor.needs())
    monkeypatch.setenv("AUTOGRAD_LABS_WHEELS", str(tmp_path))
    with pytest.raises(doctor.Missing, match="must name a folder of wheels"):
        dict(doctor.needs())["set-up without a network"]()
    (tmp_path / "SHA256SUMS").write_text("")
    assert "0 wheels, all whole" in doctor.wheels()


def test_what_nobody_thought_of_does_not_stop_the_doctor(monkeypatch, capsys):
    def crash():
        raise RuntimeError("odd")

    monkeypatch.setattr(doctor, "needs", lambda: [("x", crash), ("y", lambda: "z")])
    assert doctor.main() == 1
    assert "[FAIL] x: RuntimeError: odd\n" in (said := capsys.readouterr().out)
    assert "[ OK ] y: z\n" in said


def test_the_doctor_imports_nothing_that_can_be_missing():
    tree = ast.parse(Path(doctor.__file__).read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name.split(".")[0]
        for node in top
        for name in [getattr(node, "module", None) or node.names[0].name]
    }
    assert names <= set(sys.stdlib_module_names)
