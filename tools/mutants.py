"""Break the helpers on purpose, and see whether the tests notice: ``make mutants``.

A mutant is one room of ``labhelpers``, ``labchecks`` or ``teaching`` with one small
change, made by cosmic-ray: ``<`` for ``<=``, 2 for 1, a loop that never runs. Places in
the source are drawn at random, as many in each package, all equally likely, and one
change at each. The tests of the room run on a copy of the checkout; the checkout itself
stays as it is. Tests of teachers' rooms that run a kernel, a browser or a program are
left out, and so are the rooms that only such tests hold.
"""

import argparse
import ast
import difflib
import multiprocessing
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cosmic_ray.plugins
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = "labhelpers", "labchecks", "teaching"
# What the labs say, most of it by oracles, is slow; a class in kernels takes minutes.
LEFT_OUT = {"test_facts.py", "test_mark_class.py", "test_run_notebook.py"}
LEFT_OUT |= {"test_kernels.py", "test_pdf.py", "test_workers.py"}
HELD_BY_THOSE = "kernels", "keeper", "one_kernel", "run_notebook", "warm"
HELD_BY_THOSE = {f"teaching/marking/{name}" for name in HELD_BY_THOSE}
# Bits of floats, and `is` for `==`, say nothing: any test notices, or none can.
DULL = re.compile(
    "Shift|_BitXor|(Add|Sub|Mul|Div|Mod|Pow)_Bit|(Eq|Lt|LtE|Gt|GtE)_Is|Is_Eq"
)
# A check draws its problems, and others would be as good: in these lines, and in
# functions that say they "Draw" something, numbers and arithmetic are left alone.
PROBLEM = re.compile(
    r"for .+ in (zip\()?\[\(|_\w+\(student, [\d(]|_problem\(|rng\."
    r"|^ +follow\(|shapes = \[|^SEED = |^    \(\[[\d., ]+\], \d+\),$"
)
SEED = re.compile(
    r"(seed=|default_rng\()$"
)  # what stands before one: 1 is as good as 0
CALCULATION = re.compile("core/(NumberReplacer|Replace(Binary|Unary)Operator)")
ENVIRONMENT = {
    "CHECK_SEEDS": "2",
    "CIFAR10_DIR": "none",
    "LAB_VIEW": "static",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",  # two mutants may be born in the same second
    "TQDM_DISABLE": "1",
}

# Where processes can be forked (not on Windows), they come from one that has imported
# all the rest, so that tests start at once.
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("forkserver" if FORKS else "spawn")
IMPORTED = ["matplotlib.pyplot", "sklearn.datasets", "sklearn.linear_model", "torch"]
IMPORTED += ["IPython", "hypothesis.extra.numpy", "scipy.spatial", "tqdm"]
IMPORTED += ["sklearn.decomposition", "cosmic_ray.plugins", "nbformat", "pytest"]
IMPORTED += ["nbgrader.api", "nbgrader.apps", "nbgrader.preprocessors", "nbclient"]
IMPORTED += ["axe_playwright_python.sync_playwright", "bs4", "fontTools.subset", "PIL"]
IMPORTED += ["jinja2", "math_core", "mistune", "nbconvert", "playwright.sync_api"]


class Mutant(NamedTuple):
    """A room, the line that is changed, the name of the change, and the new source."""

    room: str
    line: int
    change: str
    source: str


def rooms(package):
    """Return the rooms of a package: paths from the top of the pack, without .py."""
    paths = [p for p in sorted((ROOT / package).rglob("*.py")) if p.stem != "__init__"]
    names = [path.relative_to(ROOT).with_suffix("").as_posix() for path in paths]
    return [name for name in names if name not in HELD_BY_THOSE]


def tests_of(room):
    """Return the files of tests for a room, the short ones first.

    These are the files that import it, and those that import no room by name: they are
    for all. A room that no test imports has all the files of its package.
    """
    package = room.split("/")[0]
    paths = (ROOT / "tests" / package).glob("test_*.py")
    paths = [path for path in paths if path.name not in LEFT_OUT]
    paths = sorted(paths, key=lambda path: path.stat().st_size)
    found = {path: imported(path, package) for path in paths}
    if any(room in each for each in found.values()):
        paths = [path for path in paths if room in found[path] or not found[path]]
    return [path.relative_to(ROOT).as_posix() for path in paths]


def imported(path, package):
    """Return the rooms of a package that a file of Python imports by name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return {name.replace(".", "/") for name in names} & set(rooms(package))


TESTS = {room: tests_of(room) for package in PACKAGES for room in rooms(package)}


def room_path(root, room):
    return root / f"{room}.py"


def places(room):
    """Return the changes at each place of a room, as pairs (operator, occurrence)."""
    source = room_path(ROOT, room).read_text(encoding="utf-8")
    skip = problems(source) if room.startswith("labchecks/") else set()
    lines, tree = source.split("\n"), get_ast(source)
    found = defaultdict(list)
    for name in cosmic_ray.plugins.operator_names():
        if DULL.search(name) or "Variable" in name:
            continue
        operator = cosmic_ray.plugins.get_operator(name)()
        positions = [p for n in ast_nodes(tree) for p in operator.mutation_positions(n)]
        kind = name.split("_")[0]
        for occurrence, (start, _end) in enumerate(positions):
            line, column = start
            is_seed = SEED.search(lines[line - 1][:column])
            if CALCULATION.match(name) and (line in skip or is_seed):
                continue
            found[room, kind, start].append((name, occurrence))
    return found


def problems(source):
    """Return the numbers of the lines in which a check draws its problems."""
    found = {n for n, line in enumerate(source.split("\n"), 1) if PROBLEM.search(line)}
    for node in ast.walk(ast.parse(source)):
        is_function = isinstance(node, ast.FunctionDef)
        if is_function and (ast.get_docstring(node) or "").startswith("Draw"):
            found |= set(range(node.lineno, node.end_lineno + 1))
    return found


def mutants(rng, size, chosen):
    """Yield so many mutants that Python can compile, at places drawn at random."""
    found = {}
    for room in chosen:
        found |= places(room)
    print(f"{len(found)} places in {len(chosen)} rooms", flush=True)
    drawn = 0
    for place in rng.sample(sorted(found), len(found)):
        room, _kind, (line, _column) = place
        name, occurrence = rng.choice(found[place])
        operator = cosmic_ray.plugins.get_operator(name)()
        source = room_path(ROOT, room).read_text(encoding="utf-8")
        try:
            source = mutate_code(source, operator, occurrence)
            compile(source, room, "exec")
        except (AttributeError, SyntaxError):  # the first: `except a.B`, not foreseen
            continue
        yield Mutant(room, line, name.removeprefix("core/"), source)
        drawn += 1
        if drawn == size:
            return


def copy_checkout(target):
    """Copy what git knows of, as it is now."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")
    for name in filter(None, found):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def passes(checkout, paths, timeout=None):
    """Run tests in a checkout. A test that never ends has not passed."""
    process = PROCESSES.Process(target=run_tests, args=(checkout, paths))
    process.start()
    process.join(timeout)
    process.kill()
    process.join()
    return process.exitcode in (0, pytest.ExitCode.NO_TESTS_COLLECTED)


def run_tests(checkout, paths):
    """Run the tests in these files, those in docstrings too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.chdir(checkout)
    sys.path.insert(0, str(checkout))
    options = ["-x", "-p", "no:cacheprovider", "-m", "not apart"]
    # IMPORTED has been imported without pytest's leave.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    sys.exit(pytest.main([*options, *paths]))


def seconds_of(path, checkouts):
    """See a file of tests pass before anything is changed; return what it takes."""
    checkout, start = checkouts.get(), time.perf_counter()
    try:
        if not passes(checkout, [path]):
            sys.exit(f"{path} fails before anything is changed.")
        return time.perf_counter() - start
    finally:
        checkouts.put(checkout)


def see_it_fail(room, checkouts):
    """See the tests of a room fail without it."""
    if survives(Mutant(room, 0, "", "raise SystemError\n"), checkouts, None):
        sys.exit(f"The tests of {room} pass without it: they import another copy.")


def survives(mutant, checkouts, timeout):
    checkout = checkouts.get()
    path = room_path(checkout, mutant.room)
    path.write_text(mutant.source, encoding="utf-8")
    try:
        return passes(checkout, [f"{mutant.room}.py", *TESTS[mutant.room]], timeout)
    finally:
        shutil.copy(room_path(ROOT, mutant.room), path)
        checkouts.put(checkout)


def show(mutant):
    path = room_path(Path(), mutant.room)
    before = (ROOT / path).read_text(encoding="utf-8").splitlines()
    after = mutant.source.splitlines()
    print(f"\n{path.as_posix()}:{mutant.line} {mutant.change}")
    diff = list(difflib.unified_diff(before, after, n=0, lineterm=""))
    print("\n".join(line for line in diff[2:] if not line.startswith("@@")), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=150, help="a package (150)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--least", type=float, default=90, help="percent to kill (90)")
    parser.add_argument("--rooms", default="", help="whose path begins so (all)")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    if FORKS:
        PROCESSES.set_forkserver_preload(IMPORTED)
    rng, sample = random.Random(options.seed), []
    for package in PACKAGES:
        chosen = [room for room in rooms(package) if room.startswith(options.rooms)]
        sample += mutants(rng, options.size, chosen)
    if not sample:
        sys.exit(f"--rooms must begin a path such as labhelpers, got {options.rooms!r}")
    with tempfile.TemporaryDirectory() as folder:
        checkouts = queue.SimpleQueue()
        for number in range(options.jobs):
            checkout = Path(folder, str(number))
            copy_checkout(checkout)
            checkouts.put(checkout)
        drawn, killed = Counter(), Counter()
        with ThreadPoolExecutor(options.jobs) as pool:
            changed = sorted({mutant.room for mutant in sample})
            files = sorted({path for room in changed for path in TESTS[room]})
            seconds = dict(
                zip(files, pool.map(lambda path: seconds_of(path, checkouts), files))
            )
            list(pool.map(lambda room: see_it_fail(room, checkouts), changed))
            limits = {
                room: 20 + 3 * sum(seconds[path] for path in TESTS[room])
                for room in changed
            }
            verdicts = pool.map(
                lambda m: survives(m, checkouts, limits[m.room]), sample
            )
            for mutant, survived in zip(sample, verdicts):
                package = mutant.room.split("/")[0]
                drawn[package] += 1
                killed[package] += not survived
                if survived:
                    show(mutant)
                else:
                    print(".", end="", flush=True)
    print("\n")
    for package in drawn:
        percent = 100 * killed[package] / drawn[package]
        print(
            f"{package}: {killed[package]} of {drawn[package]} mutants killed", end=""
        )
        print(f" ({percent:.1f} %)")
    print(f"Seed {options.seed}.")
    sys.exit(any(100 * killed[p] < options.least * drawn[p] for p in drawn))


if __name__ == "__main__":
    main()
