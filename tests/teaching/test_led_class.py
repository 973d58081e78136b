"""A class is led through its marking, and workers are chosen; nothing is run here."""

import contextlib
import multiprocessing
import os
import sys
import time
from concurrent.futures import Executor, Future
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_output

from teaching import __main__ as command
from teaching.marking import kernels, mark_class, run_notebook, workers
from tests.teaching import made_up_class as made

LAB, OTHER = "02_pca_comparison", "00_autograd"
MARKED = "Marked on other problems: yes"


class Here(Executor):
    """Does at once, and here, what it is given."""

    def submit(self, function, *args):
        future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class Runs(list):
    """Stands for ``run_notebook.run``: a notebook says itself what comes of it.

    It lists what it is called with: (lab, is it the worked one, the rest).
    """

    def __call__(self, notebook, lab, *, given=None, **how):
        is_worked = given is None
        self.append((lab, is_worked, how | {"given": given}))
        text = "".join(cell.source for cell in notebook.cells)
        if "# fails" in text:
            raise OSError("no room")
        right = {name: f"# {name} is wrong" not in text for name in made.graded(lab)}
        notes = ["it took long"] if "# long" in text else []
        tries = sum(each[:2] == (lab, is_worked) for each in self)
        late = "# late" in text and tries == 1
        given = {"given": lab} if is_worked else {}
        return run_notebook.Run(notebook, right, given, notes, 1.5, {"of": lab}, late)


@pytest.fixture
def runs(monkeypatch):
    """Run nothing, start no worker, keep no gradebook; return what is to be run."""
    found = Runs()
    monkeypatch.setattr(run_notebook, "run", found)
    monkeypatch.setattr(
        mark_class,
        "workers",
        SimpleNamespace(
            local=lambda count: Here(),
            executor=lambda *which: contextlib.nullcontext(Here()),
        ),
    )
    monkeypatch.setattr(kernels, "open_doors", lambda *folders: "")
    book = SimpleNamespace(
        seed_of=lambda again: int(again) if again else None,
        opened=lambda course, copies: None,
        keep=lambda course, students, marks, again: marks,
        left_behind=lambda again, students: ["Ida", "Max"],
    )
    monkeypatch.setattr(mark_class, "gradebook", book)

    def told(course, unmarked):
        (course / "return").mkdir()
        return f"{course.name}, {unmarked}"

    monkeypatch.setattr(
        mark_class.give_back,
        "write",
        lambda course, unmarked, force: ([], [told(course, unmarked)]),
    )
    return found


def says(text, lab=LAB, notebook=None):
    """Return a lab in which a student says what will come of it."""
    notebook = notebook or made.filled(lab)
    return made.after(notebook, notebook.cells[0].id, f"# {text}")


def grade(tmp_path, files, *, worked=None, **how):
    """Mark files, {path: notebook or bytes}; return folder, marks, what was said."""
    data = {k: v if isinstance(v, bytes) else made.text(v) for k, v in files.items()}
    made.write(tmp_path / "class", data)
    copies = {lab: made.empty(lab) for lab in (LAB, OTHER)}
    worked = {lab: made.worked(lab) for lab in copies} | (worked or {})
    said = []
    how |= {"say": said.append}
    into = tmp_path / "new" / "into"
    marking = mark_class.grade(tmp_path / "class", into, worked, copies, **how)
    names = {student.id: student.name for student in marking.students}
    marks = {(names[id], lab): mark for (id, lab), mark in marking.marks.items()}
    said = [names.get(word, word) + rest for word, rest in map(first_word, said)]
    return marking.folder, marks, said


def first_word(line):
    word, space, rest = line.partition(" ")
    return word, space + rest


NAMES = made.graded(LAB)
ALL = dict.fromkeys(NAMES, True)


def test_each_file_is_judged_on_the_same_problems_by_what_the_worked_lab_gave(
    runs, tmp_path
):
    files = {
        f"a/{LAB}.ipynb": made.filled(LAB),
        f"b/{LAB}.ipynb": says(f"{NAMES[0]} is wrong"),
        f"c/{LAB}.ipynb": says("long"),
    }
    limits = run_notebook.Limits(cell=5)
    folder, marks, said = grade(tmp_path, files, seed=3, limits=limits)
    assert [(lab, is_worked) for lab, is_worked, _ in runs] == [
        (LAB, True),
        *[(LAB, False)] * 3,
    ]
    (_, _, first), *others = runs
    assert len({*first["seeds"]}) == 2
    assert first == {"seeds": first["seeds"], "limits": limits, "given": None}
    more = {"given": {"given": LAB}, "known": {"of": LAB}}
    assert [how for _, _, how in others] == [first | more] * 3
    a, b, c = (marks[name, LAB] for name in "abc")
    assert (a.right, a.notes, a.seconds, a.failure) == (ALL, [], 1.5, "")
    assert b.right == ALL | {NAMES[0]: False}
    assert c.notes == ["it took long"]
    ids = [mark.notebook.cells[0].id == "notes" for mark in (a, b, c)]
    assert ids == [False, False, True]
    assert c.notebook.cells[0].source.endswith("\n\n- it took long")
    count = len(NAMES)
    assert said[:3] == [
        f"3 students, marked in {folder}, seed 3",
        "The worked labs first:",
        f"{LAB}: {count} of {count} right, 1.5 s",
    ]
    assert sorted(said[3:-1]) == [
        f"a {LAB}: {count} of {count} right, 1.5 s",
        f"b {LAB}: {count - 1} of {count} right, 1.5 s",
        f"c {LAB}: {count} of {count} right, 1.5 s; it took long",
    ]
    assert said[-1] == f"{folder.name}, False"
    assert (folder / "seed.txt").read_text() == "3\n"


def test_what_cannot_be_read_is_not_run(runs, tmp_path):
    _, marks, _ = grade(tmp_path, {f"a/{LAB}.ipynb": made.broken(LAB)})
    mark = marks["a", LAB]
    assert [is_worked for _, is_worked, _ in runs] == [True]
    assert mark.right == dict.fromkeys(NAMES, False)
    assert not mark.late
    assert "broken JSON" in mark.notes[0]
    assert "broken JSON" in mark.notebook.cells[0].source


def test_all_cells_are_run_on_demand(runs, tmp_path):
    grade(tmp_path, {f"a/{LAB}.ipynb": made.filled(LAB)}, all_cells=True)
    assert runs[1][2]["known"] is None
    assert runs[1][2]["given"] == {"given": LAB}


def test_a_marking_again_has_the_same_problems_and_says_who_is_missing(runs, tmp_path):
    files = {f"a/{LAB}.ipynb": made.filled(LAB)}
    grade(tmp_path / "1", files, seed=8)
    folder, _, said = grade(tmp_path / "2", files, again="8", unmarked=True)
    grade(tmp_path / "3", files, again="8", seed=9)
    grade(tmp_path / "4", files)
    seeds = [tuple(how["seeds"]) for _, is_worked, how in runs if is_worked]
    assert seeds[0] == seeds[1]
    assert len({*seeds}) == 3
    assert said[-2:] == [
        "In 8, but not handed in here: Ida; Max",
        f"{folder.name}, True",
    ]


def test_what_fails_or_is_late_is_tried_once_more_and_no_zero(runs, tmp_path):
    files = {
        f"a/{LAB}.ipynb": says("late"),
        f"b/{OTHER}.ipynb": says("fails", OTHER),
    }
    folder, marks, said = grade(tmp_path, files)
    lost = marks["b", OTHER]
    assert lost.failure == "OSError: no room"
    assert (lost.notebook, lost.right) == (None, {})
    assert marks["a", LAB].right == ALL
    assert not marks["a", LAB].late
    tries = [lab for lab, is_worked, _ in runs if not is_worked]
    assert sorted(tries) == [OTHER, OTHER, LAB, LAB]
    assert said.count(f"b {OTHER}: NOT MARKED: OSError: no room") == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [("fails", "OSError: no room"), (f"{NAMES[1]} is wrong", NAMES[1])],
)
def test_a_worked_lab_that_does_not_pass_marks_nobody(runs, tmp_path, text, why):
    worked = {LAB: says(text, notebook=made.worked(LAB))}
    files = {f"a/{name}.ipynb": made.filled(name) for name in (LAB, OTHER)}
    with pytest.raises(RuntimeError, match=f"the worked {LAB} does not pass: {why}. N"):
        grade(tmp_path, files, worked=worked)
    assert all(is_worked for _, is_worked, _ in runs)


def test_what_changes_meanwhile_is_named(runs, tmp_path, monkeypatch):
    files = {f"a/{LAB}.ipynb": made.filled(LAB)}

    def doors(*folders):
        for path in (tmp_path / "class").glob("*/*.ipynb"):
            path.write_text("")
        return "read /etc"

    monkeypatch.setattr(kernels, "open_doors", doors)
    with pytest.raises(RuntimeError, match=rf"class was changed.* restore a/{LAB}"):
        grade(tmp_path, files)
    monkeypatch.setattr(kernels, "open_doors", lambda *folders: "read /etc")
    packs = iter([{"labs.py": "1"}, {"labs.py": "2"}])
    monkeypatch.setattr(kernels, "digests", lambda: next(packs))
    with pytest.raises(RuntimeError, match=r"the pack was changed.* labs\.py"):
        grade(tmp_path, files)
    assert len([*tmp_path.glob("new/into/*/return")]) == 2  # all the same
    packs = iter([{"labs.py": "1"}] * 2)
    *_, said = grade(tmp_path, files)
    assert said[1:3] == ["The worked labs first:"] + [
        "What students wrote can read /etc: see docs/teaching.md"
    ]


def test_a_lab_without_checks_is_refused_before_anything_is_written(runs, tmp_path):
    copies = {"97_none": made.empty(LAB)}
    made.write(tmp_path, {"class/a/97_none.ipynb": made.text(made.filled(LAB))})
    with pytest.raises(ValueError, match="97_none"):
        mark_class.grade(tmp_path / "class", tmp_path / "into", copies, copies)
    assert not (tmp_path / "into").exists()


def test_a_second_marking_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    names = iter(["one", "one", "two"])
    monkeypatch.setattr(mark_class.time, "strftime", lambda form: next(names))
    first, second = mark_class._new_folder(tmp_path), mark_class._new_folder(tmp_path)
    assert first != second


WRITTEN = "claim-answer"  # of LAB, for a person to mark


def came_of(*right, written=False, failure=""):
    """Return the Mark of a file in which these checks of LAB are right."""
    notebook = made.replaced(made.empty(LAB), WRITTEN, "Mine") if written else None
    notebook = notebook or made.empty(LAB)
    for cell in notebook.cells:
        if cell.id in set(made.graded(LAB)) - {*right}:
            cell.outputs = [new_output("error", ename="NotRight", evalue="no")]
    notes, verdicts = ["a note"], dict.fromkeys(right, True)
    if failure:
        return mark_class.Mark(None, {}, notes, 1.0, failure)
    return mark_class.Mark(notebook, verdicts, notes, 1.0)


def test_of_several_files_the_best_counts_and_is_named():
    two, one, other_two = "split-check", "cond-check", "own-check"  # points
    marks = {
        ("a", LAB, 1): came_of(two, one),
        ("a", LAB, 0): came_of(two),
        ("b", LAB, 0): came_of(two),
        ("c", LAB, 1): came_of(other_two),
        ("c", LAB, 0): came_of(two),
    }
    names = {key: f"in/{key[0]}{key[2]}.ipynb" for key in marks}
    best = mark_class._best(marks, names)
    assert best["a", LAB].notes == ["a note", "a1.ipynb counted"]
    assert set(best["a", LAB].right) == {two, one}
    assert best["b", LAB].notes == ["a note"]
    assert best["c", LAB].notes == ["a note", "c0.ipynb counted"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # As many checks, and more points.
        (came_of("cond-check"), came_of("split-check")),
        # As many points, and answers that a person is to mark.
        (came_of("split-check"), came_of("own-check", written=True)),
        (came_of(), came_of(written=True)),
        # A failure of ours.
        (came_of(failure="lost"), came_of()),
    ],
)
def test_the_best_of_several_files_is_that_with_most_points(first, second):
    marks = {("a", LAB, 0): first, ("a", LAB, 1): second}
    names = dict.fromkeys(marks, "x.ipynb")
    best = mark_class._best(marks, names)["a", LAB]
    assert best.notebook is second.notebook
    lost = "x.ipynb was not marked, by a failure of ours: lost"
    assert (lost in best.notes) == bool(first.failure)


def test_stray_files_are_no_change_of_submissions_and_changes_are_named(tmp_path):
    files = {"a/a.ipynb": b"1", "b/b.ipynb": b"2", ".DS_Store": b"x"}
    made.write(tmp_path, files)
    before = mark_class.digests(tmp_path)
    stray = {".DS_Store": b"y", "a/.ipynb_checkpoints/a-checkpoint.ipynb": b"1"}
    made.write(tmp_path, stray | {"notes.txt": b"new"})
    assert mark_class.changed(before, mark_class.digests(tmp_path)) == []
    made.write(tmp_path, {"a/a.ipynb": b"forged"})
    (tmp_path / "b/b.ipynb").unlink()
    lost = mark_class.changed(before, mark_class.digests(tmp_path))
    assert lost == ["a/a.ipynb", "b/b.ipynb"]


@pytest.mark.parametrize("verb", ["grade", "return"])
def test_a_folder_at_home_is_found_also_where_the_shell_leaves_its_sign(
    tmp_path, monkeypatch, verb
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    why = command.main([verb, "~/class"])
    assert why.endswith(f"got {tmp_path / 'class'}")


@pytest.mark.parametrize("refused", [True, False])
def test_calls_of_the_library_are_refused_on_demand(tmp_path, monkeypatch, refused):
    seen = []

    def grade(*args, limits, **kwargs):
        seen.append(limits.library)
        raise ValueError("enough")

    monkeypatch.setattr(mark_class, "grade", grade)
    command.main(["grade", str(tmp_path), *["--refuse-library"] * refused])
    assert seen == [not refused]


@pytest.mark.parametrize("seed", [None, 7])
def test_a_wrong_folder_of_an_earlier_marking_is_refused_before_any_is_made(
    tmp_path, seed
):
    made.write(tmp_path / "class", {"notes.txt": b"x"})
    wrong = tmp_path / "wrong"
    with pytest.raises(ValueError, match="must be a folder that make grade made"):
        mark_class.grade(
            tmp_path / "class",
            tmp_path / "into",
            *made.pack(),
            seed=seed,
            again=wrong,
            say=list,
        )
    assert not (tmp_path / "into").exists()


# --- Workers --------------------------------------------------------------------------


@pytest.fixture
def forked(monkeypatch):
    """Have workers forked, which is quick: their kernels are not wanted here."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes are forked")
    monkeypatch.setattr(kernels, "context", lambda: multiprocessing.get_context("fork"))


@pytest.mark.filterwarnings("ignore:.* multi-threaded:DeprecationWarning")
def test_workers_are_other_processes_one_for_each_core_if_not_so_many(forked):
    with workers.executor(1) as one, workers.executor() as several:
        assert one.submit(os.getpid).result() == one.submit(os.getpid).result()
        assert one.submit(os.getpid).result() != os.getpid()
        assert one._max_workers == 1
        assert several._max_workers == len(os.sched_getaffinity(0))


@pytest.mark.filterwarnings("ignore:.* multi-threaded:DeprecationWarning")
def test_what_is_broken_off_ends_at_once(forked):
    """Neither is waited for what runs, nor is begun what waits."""
    others, began = {*multiprocessing.active_children()}, []

    def broken_off():
        with workers.executor(1) as executor:
            executor.submit(abs, 1).result()  # the worker is there
            first, *_ = [executor.submit(time.sleep, 30) for _ in range(3)]
            while not first.running():
                time.sleep(0.01)
            began.append(time.monotonic())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    for process in {*multiprocessing.active_children()} - others:
        process.join()
    assert time.monotonic() - began[0] < 20


def test_where_nobody_tells_which_cores_are_ours_all_are(forked, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, most in ((5, 5), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        with workers.executor() as several:
            assert several._max_workers == most


class Cluster:
    """Stands for the client of a Dask cluster."""

    closed = False

    def __init__(self, *threads, packs=(), error=None):
        self.threads, self.packs, self.error = threads, packs, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def scheduler_info(self, n_workers):
        assert n_workers == -1  # all of them
        return {"workers": {i: {"nthreads": n} for i, n in enumerate(self.threads)}}

    def run(self, function):
        if self.error:
            raise self.error
        return dict(enumerate(self.packs or [function()] * len(self.threads)))

    def get_executor(self):
        return self


@pytest.fixture
def chosen(monkeypatch):
    """Return a function that has a cluster of our own chosen."""

    def choose(cluster):
        clients = SimpleNamespace(Client=lambda *args, **kwargs: cluster)
        monkeypatch.setitem(sys.modules, "distributed", clients)
        return workers.executor(cluster="tcp://a:1")

    return choose


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster(), "must have workers"),
        (Cluster(1, 2), "--nthreads 1"),
        (Cluster(1, error=ModuleNotFoundError("teaching")), "have the pack: teaching"),
        (Cluster(1, 1, packs=[b"other", b"other"]), "the same version"),
        (Cluster(1, 1, packs=[workers._pack(), b"other"]), "the same version"),
    ],
)
def test_a_cluster_that_is_not_fit_to_mark_is_refused(chosen, cluster, why):
    with pytest.raises(ValueError, match=f"cluster tcp://a:1: .*{why}"):
        chosen(cluster).__enter__()
    assert cluster.closed


def test_a_cluster_that_is_fit_is_given_until_the_block_ends(chosen):
    cluster = Cluster(1, 1)
    with chosen(cluster) as found:
        assert found is cluster
        assert not cluster.closed
    assert cluster.closed


def test_a_pack_is_the_same_wherever_it_lies_until_its_code_changes(monkeypatch):
    found = []
    for folder, code in (("/a", "1"), ("/z", "1"), ("/a", "2")):
        told = {f"{folder}/labs.py": code, "/b/room.py": "0"}
        monkeypatch.setattr(kernels, "digests", lambda told=told: told)
        found.append(workers._pack())
    assert found[0] == found[1] != found[2]
