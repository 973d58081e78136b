"""Run the labs and the fast tests in many environments: ``make matrix``.

An environment is a Python, the versions of its packages, and settings. Each runs on a
copy of the checkout: every cell of the labs is compared with what is stored, once more
with inputs moved in the 13th digit (``make shake``), and the tests of ``make quick``.

    make matrix MATRIX_ARGS="--only pinned oldest"
    make matrix MATRIX_ARGS="--venvs FOLDER"    # with Pythons that are set up there

What was found is kept in docs/reproducibility.json, an entry for each environment, and
docs/reproducibility.md is written from all of them: one can be run again alone.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "docs/reproducibility.json"
PAGE = ROOT / "docs/reproducibility.md"
SCRATCH = ROOT / ".matrix"
SECONDS = 3 * 3600  # after which a hung run is given up

POSIX = os.name == "posix"
PYTHON = "bin/python" if POSIX else "Scripts/python.exe"
# What is set on this machine and would make another environment of a row.
UNSET = r"(ATEN|CIFAR10|IPYTHON|JUPYTER|LANG|LC|MAKE|MFLAGS|MKL|MPL|OMP|ONEDNN|PYTEST"
UNSET += r"|PYTHON|TZ|VIRTUAL_ENV|XDG)"
# A folder that nothing can be written to, root's processes included.
READ_ONLY = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
READ_ONLY += [
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$PWD" && exec "$@"'
]


class Row(NamedTuple):
    """An environment.

    ``packages`` are "stored" (those of constraints.txt), or the "oldest" or "newest"
    that pyproject.toml allows. ``capability`` is what torch must find in the processor.
    ``read_only`` names a folder, "pack" or "home", and ``setting`` tells readers of
    whatever else is special.
    """

    name: str
    python: str
    packages: str
    threads: int = 1
    setting: str = ""
    env: dict = {}
    capability: str = ""
    folder: str = "labs"
    umask: int = -1
    locale: str = ""
    read_only: str = ""


ROWS = [
    Row("pinned", "3.11", "stored"),
    Row("python-3.12", "3.12", "stored", threads=2),
    Row("oldest", "3.11", "oldest"),
    Row("newest", "3.13", "newest", threads=4),
    Row(
        "cpu-lowest",
        "3.11",
        "stored",
        setting="a processor without AVX, as far as torch, MKL, oneDNN and OpenBLAS "
        "can be told so",
        env={"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
        | {"ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"},
        capability="DEFAULT",
    ),
    Row(
        "cpu-avx2",
        "3.11",
        "stored",
        threads=4,
        setting="a processor with AVX2 and no more",
        env={"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2"}
        | {"ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
        capability="AVX2",
    ),
    Row(
        "cpu-avx512",
        "3.11",
        "stored",
        threads=2,
        setting="a processor with AVX-512",
        env={"ATEN_CPU_CAPABILITY": "avx512", "MKL_CBWR": "AVX512"}
        | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OPENBLAS_CORETYPE": "SkylakeX"},
        capability="AVX512",
    ),
    Row(
        "folder",
        "3.11",
        "stored",
        setting="a path with spaces and ü, a home that can't be written, Turkish "
        "locale, time zone UTC+12:45, umask 077",
        env={"TZ": "Pacific/Chatham"},
        folder="my labs/für später",
        umask=0o077,
        locale="tr_TR.UTF-8",
        read_only="home",
    ),
    Row(
        "read-only",
        "3.11",
        "stored",
        setting="a checkout that can't be written, locale C, time zone UTC−3:30",
        env={"TZ": "America/St_Johns", "LC_ALL": "C"},
        read_only="pack",
    ),
]

# What a row runs: {column of the table: arguments of Python}; see `run_row`.
PYTEST = ["-m", "pytest", "-q", "--tb=short", "--dist=loadfile"]
STAGES = {
    "labs": [*PYTEST, "--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]
    + ["notebooks"],
    "shake": ["-m", "tools.shake", "--seeds", "1"],
    "tests": [*PYTEST, "-m", "not slow"],
}
PACKAGES = ["torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib"]
PACKAGES += ["jupyterlab"]
ABOUT = f"""
import json, platform
from importlib.metadata import version
import numpy, scipy.linalg, threadpoolctl, torch
pools = threadpoolctl.threadpool_info()
print(json.dumps({{
    "versions": {{"Python": platform.python_version()}}
    | {{name: version(name) for name in {PACKAGES}}},
    "capability": torch.backends.cpu.get_cpu_capability(),
    "threads": torch.get_num_threads(),
    "openblas": sorted({{p["architecture"] for p in pools if "architecture" in p}}),
}}))
"""


class NotHere(Exception):
    """This machine can't make the environment."""


class Broken(Exception):
    """The environment could be made here, and fails."""


# --- An environment ------------------------------------------------------------------


def requirements(packages, root=ROOT):
    """Return all that the labs and their tests need, as pip takes it: a list of str."""
    lines = []
    extras = {"": ["cifar10"], "teaching": ["cluster", "test"]}
    for path, names in extras.items():
        text = (root / path / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        lines += project["dependencies"]
        lines += [line for e in names for line in project["optional-dependencies"][e]]
    lines = [line for line in lines if not line.startswith("autograd-labs")]
    if packages == "oldest":
        return [re.sub(r">=([\d.]+),<.*", r"==\1", line) for line in lines]
    return lines


def interpreter(version):
    """Return the path of a Python, ``version`` being such as "3.12"."""
    places = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *places.glob(f"{version}.*/{PYTHON}")]
    for python in [sys.executable, *found]:
        if python and says([python, "--version"]).startswith(f"Python {version}."):
            return str(python)
    raise NotHere(f"there is no Python {version} here")


def says(command):
    """Return what a command prints, or nothing if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


def venv(row, folder):
    """Return the Python of the row, with its packages, set up in ``folder`` if need be.

    The pack itself isn't installed: the same venv serves any copy of it.
    """
    path = folder / f"{row.python}-{row.packages}"
    python, stamp = path / PYTHON, path / "installed.txt"
    pins = ROOT / "constraints.txt"
    arguments = state = requirements(row.packages)
    if row.packages == "stored":
        arguments = [*arguments, "-c", pins]
        state = [*state, *pins.read_text(encoding="utf-8").splitlines()]
    if stamp.exists() and stamp.read_text(encoding="utf-8").splitlines() == state:
        return python
    print(f"setting up {path}", flush=True)
    if not stamp.exists():  # else it is whole, and others are installed over them
        make = [interpreter(row.python), "-m", "venv", "--clear", path]
        subprocess.run(make, check=True)
    stamp.unlink(missing_ok=True)
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    done = subprocess.run([*install, *arguments], stderr=subprocess.PIPE)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        errors = re.findall(r"^ERROR: (.+)", said, re.MULTILINE)
        raise Broken(f"pip: {' '.join(errors[-2:]) or said[-300:]}")
    stamp.write_text("\n".join(state) + "\n", encoding="utf-8")
    return python


def copy_of_the_pack(target):
    """Copy what git knows of, or would, changes included; return ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    listed = says(["git", "-C", ROOT, "ls-files", "-zco", "--exclude-standard"])
    if not listed:
        raise NotHere("this is no git checkout")
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def environment(row, pack, scratch, python):
    """Return the variables of the row's processes, as ``make`` sets them."""
    kept = {k: v for k, v in os.environ.items() if not re.match(UNSET, k)}
    path = os.pathsep.join([str(python.parent), kept.get("PATH", "")])
    own = {"HOME": scratch / "home", "PYTHONPATH": pack}
    # `make` keeps what others write into the home in the checkout, if it can.
    jupyter = (scratch / "home" if row.read_only == "pack" else pack) / ".jupyter"
    own |= {f"JUPYTER_{x}_DIR": jupyter / x for x in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": jupyter / "ipython", "MPLCONFIGDIR": jupyter / "matplotlib"}
    return (
        kept
        | {name: str(folder) for name, folder in own.items()}
        | {"PATH": path, "LANG": "C.UTF-8", "TQDM_DISABLE": "1", "CIFAR10_DIR": "none"}
        | {"LAB_VIEW": "static"}
        | {"OMP_NUM_THREADS": str(row.threads)}
        | (foreign(scratch, row.locale) if row.locale else {})
        | row.env
    )


def foreign(scratch, locale):
    """Make a locale that the machine may lack; return the variables that set it."""
    folder = scratch / "locales"
    folder.mkdir(exist_ok=True)
    language, _, charset = locale.partition(".")
    if shutil.which("localedef"):  # it warns much, and may fail
        make = ["localedef", "-i", language, "-f", charset, "--no-archive"]
        subprocess.run([*make, folder / locale], capture_output=True)
    if not (folder / locale).is_dir():
        raise NotHere(f"the locale {locale} can't be made here (localedef)")
    return {"LOCPATH": str(folder), "LC_ALL": locale}


# --- What it runs --------------------------------------------------------------------


def run_row(row, options):
    """Run one environment, and return what was found, as it is stored."""
    scratch = SCRATCH / "rows" / row.name
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "home").mkdir(parents=True)
    found = {"date": date.today().isoformat(), "machine": machine()}
    try:
        python = venv(row, Path(options.venvs).resolve())
        pack = copy_of_the_pack(scratch / row.folder)
        env = environment(row, pack, scratch, python)
        run = in_row(row, pack, scratch, env)
        found |= about(row, run, python)
        for stage, arguments in STAGES.items():
            if stage != "shake":
                report = scratch / f"{stage}.xml"
                arguments = [*arguments, f"--junitxml={report}", "-n", options.workers]
            log = scratch / f"{stage}.log"
            with log.open("w", encoding="utf-8") as file:
                done = run([python, *arguments], stdout=file, stderr=file)
            read = shaken if stage == "shake" else tested
            found[stage] = read(log, done.returncode, pack)
            print(f"  {stage}: {in_words(found[stage], stage)}", flush=True)
    except NotHere as error:
        found["not here"] = str(error)
    except Broken as error:
        found["broken"] = str(error)
    except subprocess.TimeoutExpired:
        found["broken"] = f"no end after {SECONDS // 3600} hours"
    for why in ("not here", "broken"):
        if why in found:
            print(f"  {why}: {found[why]}", flush=True)
    return found


def in_row(row, pack, scratch, env):
    """Return ``subprocess.run``, but in the environment."""
    before = []
    if row.read_only:
        folder = pack if row.read_only == "pack" else scratch / "home"
        before = [*READ_ONLY, folder]
        probe = [*before, "sh", "-c", 'test ! -w "$0"', folder]
        if not shutil.which("unshare") or subprocess.run(probe).returncode:
            raise NotHere("no folder can be made read-only here (unshare --mount)")
    umask = {"umask": row.umask} if POSIX else {}
    if row.umask >= 0 and not POSIX:
        raise NotHere("there is no umask here")

    def run(command, **pipes):
        return subprocess.run(
            [*before, *command],
            cwd=pack,
            env=env,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            **umask,
            **pipes,
        )

    return run


def about(row, run, python):
    """Return the versions, and what torch makes of the processor."""
    said = run([python, "-c", ABOUT], stdout=subprocess.PIPE).stdout
    if not said:
        raise Broken("torch can't be imported")
    found = json.loads(said)
    if row.capability not in ("", found["capability"]):
        why = "this processor has no " + row.capability.replace("512", "-512")
        raise NotHere(f"{why}: torch says {found['capability']}")
    return found


def tested(log, code, pack):
    """Read the report of pytest: how many passed, and the names of the others."""
    path = log.with_suffix(".xml")
    if not path.exists():
        return ended(log, code)
    cases = list(ElementTree.parse(path).iter("testcase"))
    failed, skipped = [], 0
    for case in cases:
        kinds = {child.tag for child in case}
        skipped += "skipped" in kinds
        if kinds & {"failure", "error"}:
            failed.append(named(case, pack))
    if bool(code) != bool(failed):  # it may stop before its first test
        return ended(log, code)
    ran = len(cases) - skipped
    found = {"ran": ran, "passed": ran - len(failed), "skipped": skipped}
    return found | {"failed": list(dict.fromkeys(failed))}


def named(case, pack):
    """Name a test, and a cell by its lab and id."""
    where, name = case.get("classname", ""), case.get("name", "")
    cell = re.search(r"Cell (\d+)$", name)
    lab = re.search(r"notebooks[./\\](\w+?)(\.ipynb)?(::|$)", f"{where}::{name}")
    if not (cell and lab):
        return f"{where}::{name}".strip(":")
    stored = (pack / f"notebooks/{lab[1]}.ipynb").read_text(encoding="utf-8")
    code = [x for x in json.loads(stored)["cells"] if x["cell_type"] == "code"]
    return f"{lab[1]} {code[int(cell[1])]['id']}"


def shaken(log, code, pack):
    """Read what ``make shake`` says: how many labs hold, and which cells move."""
    text = log.read_text(encoding="utf-8", errors="replace")
    parts = re.split(r"^(\w+)\.ipynb, seed \d+: (\d+) cells move$", text, flags=re.M)
    labs = len(list((pack / "notebooks").glob("*.ipynb")))
    if len(parts) != 3 * labs + 1:
        return ended(log, code)
    failed = [
        f"{lab} {cell}"
        for lab, said in zip(parts[1::3], parts[3::3])
        for cell in re.findall(r"^ {4}([a-z0-9][\w-]*)$", said, re.MULTILINE)
    ]
    moved = {lab for lab, count in zip(parts[1::3], parts[2::3]) if int(count)}
    return {"ran": labs, "passed": labs - len(moved), "skipped": 0, "failed": failed}


def ended(log, code):
    """Return what a run says that came to no result."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1].strip("= ") if lines else "it said nothing"
    failed = [f"ended with code {code}: {last}"]
    return {"ran": 0, "passed": 0, "skipped": 0, "failed": failed}


def machine():
    """Say in general words what this runs on."""
    return f"{platform.system()}, {processor()}, {os.cpu_count()} cores"


def processor():
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model = re.search(r"model name\s*: (.+)", text)
    return model[1] if model else platform.processor() or platform.machine()


# --- The page ------------------------------------------------------------------------

TEXT = """# The same numbers everywhere

Written by `make matrix`. In each environment all cells of the labs were run and their
outputs compared with the stored ones; once more with every input multiplied by
1 + 10⁻¹³ · noise, in one thread; and the tests of `make quick` were run.

{table}

*Stored* packages are the versions in `constraints.txt`; *oldest* and *newest* are those
that `pyproject.toml` and `teaching/pyproject.toml` allow, what they need in turn being
of the day. Few cells are run without comparison, such as those that print times: they
count here as well. A test is skipped where something that it tries isn't there.
{failures}
## Versions

{versions}

{machines}

What has not been run, here or at all, is told in
[Teach with the labs](teaching.md#what-has-been-run-and-what-not).
"""
UNITS = {"labs": "cells", "shake": "labs", "tests": "tests"}
FEW = 3  # names that a field of the table has room for


def in_words(found, stage):
    """Say what a stage found, as in "142 of 143 cells; not: `01_x outlier`"."""
    held = f"{found['passed']:,} of {found['ran']:,} {UNITS[stage]}"
    if found["skipped"]:
        held += f", {found['skipped']:,} skipped"
    if not found["failed"]:
        return held
    names = ", ".join(f"`{name}`" for name in found["failed"][:FEW])
    more = len(found["failed"]) - FEW
    return f"**{held}**; not: {names}" + (f" and {more:,} more" if more > 0 else "")


def held(found):
    """Tell whether all that was run in an environment came out as it should."""
    stages = [found[stage] for stage in STAGES if stage in found]
    return "broken" not in found and not any(stage["failed"] for stage in stages)


def report(store):
    """Return the page, from what is stored of all environments."""
    rows = [(row, store[row.name]) for row in ROWS if row.name in store]
    ran = [(row, found) for row, found in rows if "versions" in found]
    head = ["environment", "what it is", "labs", "moved inputs", "fast tests"]
    table = [[row.name, what(row), *results(found)] for row, found in rows]
    names = ["Python", *PACKAGES]
    versions = [
        [row.name, *(found["versions"][name] for name in names)]
        + [found["capability"], ", ".join(found["openblas"]), found["date"]]
        for row, found in ran
    ]
    failures = [
        f"- {row.name}: " + ", ".join(f"`{name}`" for name in found[stage]["failed"])
        for row, found in rows
        for stage in STAGES
        if len(found.get(stage, {}).get("failed", [])) > FEW
    ]
    machines = dict.fromkeys(found["machine"] for _, found in rows)
    return TEXT.format(
        table=in_a_table(head, table),
        failures="\n".join(
            ["", "All that failed:", "", *failures, ""] if failures else [""]
        ),
        versions=in_a_table(
            ["environment", *names, "processor, to torch", "OpenBLAS", "run on"],
            versions,
        ),
        machines="Machine: " + "; ".join(machines) + ".",
    )


def what(row):
    """Describe a row in words."""
    threads = f"{row.threads} thread{'s' * (row.threads > 1)}"
    words = [f"Python {row.python}", f"{row.packages} packages", threads]
    return ", ".join(words + [row.setting] * bool(row.setting))


def results(found):
    """Return the fields of a row, one for each stage; the first not run says why."""
    said = [in_words(found[stage], stage) for stage in STAGES if stage in found]
    said += [f"{why}: {found[why]}" for why in ("not here", "broken") if why in found]
    return said + ["–"] * (len(STAGES) - len(said))


def in_a_table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


# --- By hand -------------------------------------------------------------------------


def main():
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="ROW"
    )
    parser.add_argument(
        "--venvs", default=SCRATCH / "venvs", help="where they are kept"
    )
    parser.add_argument("--workers", default="auto", help="of pytest, as in pytest -n")
    options = parser.parse_args()
    fallen = []
    for row in ROWS:
        if row.name not in options.only:
            continue
        print(f"{row.name}: {what(row)}", flush=True)
        found = run_row(row, options)
        # Read only now: another row may have been run, and stored, in the meantime.
        store = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
        store[row.name] = found
        text = json.dumps(store, indent=1, ensure_ascii=False, sort_keys=True)
        STORE.write_text(text + "\n", encoding="utf-8")
        PAGE.write_text(report(store), encoding="utf-8")
        fallen += [] if held(found) else [row.name]
    if fallen:
        sys.exit(f"Not the same: {', '.join(fallen)}. The logs are in .matrix/rows.")


if __name__ == "__main__":
    main()
