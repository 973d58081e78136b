"""Run one submitted lab in a kernel of its own, and have its answers judged."""

import contextlib
import tempfile
import time
from typing import NamedTuple

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError

from teaching.marking import cell_outputs, kernels, needed_cells, watched_values
from teaching.marking.cell_client import CellClient
from teaching.marking.clock import PATIENCE, Clock
from teaching.marking.remote_answer import (
    Asker,
    Given,
    Silent,
    checks_of,
    judge,
    questions,
)
from teaching.marking.values import pack, unpack
from teaching.marking.watch_cells import Watch


class Limits(NamedTuple):
    """What one lab of one student may take.

    ``cell``, ``answer`` and ``lab``: seconds for a cell, for judging an answer on one
    set of problems, and for all, of a ``Clock``; ``memory``: bytes; ``output``:
    characters a cell; ``library``: whether answers may call the package for what they
    were to do.
    """

    cell: int = 60
    answer: int = 10
    lab: int = 300
    memory: int = 3 * 2**30
    output: int = 3_000_000
    library: bool = True


class Run(NamedTuple):
    """A lab that was run.

    ``right`` is {grade_id: bool}, ``given`` {grade_id: packed values}, ``notes`` a list
    of str, ``seconds`` what it took, ``known`` what ``needed_cells.plan`` asks for;
    ``late``: it was stopped though it had not worked that long, as on a busy machine.
    """

    notebook: object
    right: dict
    given: dict
    notes: list
    seconds: float
    known: dict | None = None
    late: bool = False


class _NotHanded(Exception):
    """A value could not be handed to a kernel."""


def run(
    notebook, lab, *, seeds, given=None, known=None, limits=None, warm=kernels.CAN_FORK
):
    """Run a notebook from top to bottom; judge what is graded, before its check is run.

    Parameters
    ----------
    notebook : NotebookNode
        With nbgrader's metadata. It is changed: outputs are stored in it, and each
        graded cell ends in an error unless its answer is right.
    lab : str
        Its name, which begins with its number: ``labchecks`` has its checks.
    seeds : sequence of int
        For the problems that answers are judged on.
    given : dict, optional
        What checks get besides the answer, by grade_id, as a run of the worked lab
        returns it. If None, this is that run: the values of its own kernel count, and
        its cells are watched.
    known : dict, optional
        The course's own cells, as a run of the worked lab returns them. If None, all
        cells are run; else those that answers depend on. After the last answer, none.
    limits : Limits, optional
    warm : bool
        Whether to fork the kernel from a warm process.

    Returns
    -------
    Run
    """
    started, limits = time.monotonic(), limits or Limits()
    cells, asking = notebook.cells, asked(notebook)
    all_cells = known is None and given is not None
    plans = [needed_cells.everything(cells, None if all_cells else asking)]
    if known is not None:
        plans.insert(0, needed_cells.plan(cells, known, asking))
    for plan in plans:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            session = _Session(notebook, folder, limits, warm)
            session.checks, session.seeds, session.given = checks_of(lab), seeds, given
            with contextlib.closing(session), contextlib.suppress(_NotHanded):
                session.start()
                session.run_all(plan)
                break
    seconds = time.monotonic() - started
    found = session.right, session.found, session.notes
    known = session.watch and session.watch.known
    return Run(notebook, *found, seconds, known, session.late)


def asked(notebook):
    """Return {index of a graded cell: the expressions that answer it}."""
    return {
        index: [question.answer for question in questions(cell.source)]
        for index, cell in enumerate(notebook.cells)
        if _is_check(cell)
    }


def _is_check(cell):
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")


def refused(notebook, why):
    """Return the Run of a notebook that cannot be run: every check fails."""
    right = {}
    for cell in notebook.cells:
        if _is_check(cell):
            right[cell.metadata["nbgrader"]["grade_id"]] = False
            cell.outputs = cell_outputs.with_verdict([], f"not run: {why}")
    return Run(notebook, right, {}, [], 0.0)


class _Session:
    def __init__(self, notebook, folder, limits, warm):
        self.limits, self.right, self.found, self.notes = limits, {}, {}, []
        manager = kernels.manager(
            folder, memory=limits.memory, seconds=limits.lab + 60, warm=warm
        )
        self.notebook_client = CellClient(
            notebook,
            km=manager,
            allow_errors=True,
            coalesce_streams=True,
            error_on_timeout=cell_outputs.STOPPED,
            extra_arguments=kernels.QUIET,
            interrupt_on_timeout=True,
            record_timing=False,
            resources={"metadata": {"path": folder}},
            shutdown_kernel="immediate",
        )
        self.notebook_client.most = limits.output
        self.manager, self.asker, self.dead = manager, None, False
        self.cells, self.watch, self.late = notebook.cells, None, False

    def start(self):
        self.notebook_client.start_new_kernel()
        self.notebook_client.start_new_kernel_client()
        self.clock = Clock(lambda: kernels.used_by(self.manager))
        self.notebook_client.clock = self.clock
        self.asker = Asker(kernels.client(self.manager), self._is_alive, self.clock)
        self.deadline = self.clock() + self.limits.lab

    def close(self):
        if self.asker:
            self.asker.client.stop_channels()
        with contextlib.suppress(Exception):
            self.notebook_client._cleanup_kernel()

    def _is_alive(self):
        process = self.manager.provisioner.process
        return process is not None and process.poll() is None

    def run_all(self, plan):
        if self.given is None:
            expressions = asked(self.notebook_client.nb)
            self.watch = Watch(self.cells, expressions, self._look)
        for index, cell in enumerate(self.cells):
            is_check = _is_check(cell)
            grade_id = cell.metadata["nbgrader"]["grade_id"] if is_check else None
            verdict = self._judge(grade_id, cell.source) if is_check else None
            if cell.cell_type == "code":
                cell.outputs = []
                self._run(index, cell, plan)
            if is_check:
                self.right[grade_id] = cell_outputs.is_right(verdict)
                cell.outputs = cell_outputs.with_verdict(cell.outputs, verdict)

    def _run(self, index, cell, plan):
        whole, started = cell.source, time.monotonic()
        if index in plan.sources:
            cell.source = plan.sources[index]
            self._execute(index, cell)
            cell.source = whole
        elif not _is_check(cell):
            cell.outputs = cell_outputs.not_run()
        for name, text in plan.handed.get(index, {}).items():
            self._hand(name, text)
        if self.watch:
            seconds, looked = time.monotonic() - started, self.clock()
            try:
                self.watch.after(cell, seconds)
            except Exception:  # then all is run of each submission
                self.watch = None
                self._wake()
            self.deadline += self.clock() - looked

    def _look(self, expression):
        """Return the value of an expression in the kernel of a worked lab."""
        self.asker.limit(self.limits.lab)
        return self.asker.answer(expression)

    def _hand(self, name, text):
        call = f"{watched_values.USE}load(globals(), {name!r}, {text!r})"
        try:
            self._look(call)
        except Exception as error:
            raise _NotHanded from error

    def _execute(self, index, cell):
        left = self.deadline - self.clock()
        if self.dead or left < 1:
            self._note(f"more than {self.limits.lab} s", not self.dead)
            return
        limit = min(self.limits.cell, left)
        began, worked = self.clock(), self.clock.worked
        self.notebook_client.begin(began + limit, PATIENCE * limit)
        try:
            self.notebook_client.execute_cell(cell, index)
        except DeadKernelError:
            why = kernels.end_of(self.manager)
            self._note(f"the kernel died in {cell.id}" + (why and f": {why}"))
            self.dead = True
            return
        late = self.clock() - began >= limit
        self.late |= late and self.clock.worked - worked < limit / 2
        flooded = self.notebook_client.written > self.limits.output
        self._note(f"{cell.id} was stopped after {limit:.0f} s", late)
        self._note(f"{cell.id} wrote too much", flooded)
        for error in cell.outputs:
            if error.output_type == "error":
                self._note_missed(cell.id, f"{error.ename}: {error.evalue}")
        if late or flooded:
            self._wake()

    def _judge(self, grade_id, source):
        """Return the Check of a graded cell, or what went wrong, a str."""
        verdict, calls = "no check", self.asker.begin()
        for question in questions(source):
            if self.dead:
                return "not judged: the kernel was gone"
            worked = self.clock.worked
            try:
                if self.given is None:
                    self.asker.limit(self.limits.answer)
                    values = [self.asker.answer(text) for text in question.given]
                    packed = [pack(value) for value in values]
                    self.found[grade_id] = Given(packed, calls)
                else:
                    values = [unpack(value) for value in self.given[grade_id].values]
                verdict = judge(
                    self.asker,
                    getattr(self.checks, question.check),
                    question,
                    values,
                    seeds=self.seeds,
                    seconds=self.limits.answer,
                )
            except Silent:
                self.late |= self.clock.worked - worked < self.limits.answer / 2
                self._note(f"{grade_id}: no answer within {self.limits.answer} s")
                self._wake()
                return f"no answer within {self.limits.answer} seconds"
            if not verdict:
                self._note_missed(grade_id, repr(verdict))
                return verdict
        if self.given and (own := calls - self.given[grade_id].calls):
            text = f"{grade_id}: the answer calls {', '.join(sorted(own))}"
            self._note(text)
            return verdict if self.limits.library else text
        return verdict

    def _wake(self):
        """Interrupt what still runs; a kernel that doesn't listen is given up."""
        for _ in range(3):
            self.asker.silent = False
            self.asker.limit(3)
            try:
                run_sync(self.manager.interrupt_kernel)()
                self.asker.ask({"answer": "None"})
                return
            except Exception:
                continue
        self._note("the kernel could not be stopped, and was ended")
        self.dead = True

    def _note_missed(self, name, error):
        for words in cell_outputs.missed(error):
            self._note(f"{name} asked for {words}")

    def _note(self, text, condition=True):
        if condition and text not in self.notes:
            self.notes.append(text)
