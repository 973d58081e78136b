"""Which cells of a submission must be run, so that its answers are what they would be.

Cells that a student wrote or changed are all run. Of the course's own, those are
left out that nothing else depends on: no cell that is run, and no answer. What they
give a value to is read in their text; what else they change was watched in the worked
lab. Where a student's code could do something that names don't tell, all is run.
"""

from typing import NamedTuple

from teaching.marking.read_cells import Doubt, look_for_doubt, plain, statements_of
from teaching.marking.watched_values import RANDOM, SETTINGS


class Known(NamedTuple):
    """A cell of the course: what its text changes, and what can be handed over.

    ``changes`` are names that had a value before it; ``saved`` is {name: text}, of what
    takes long to make.
    """

    source: str
    changes: tuple
    saved: dict


class Plan(NamedTuple):
    """{index of a cell: what to run of it}, and {index: {name: text}} to be loaded."""

    sources: dict
    handed: dict


def everything(cells, asked=None):
    """Return the plan that runs all cells, or all before the last that is asked."""
    end = len(cells) if asked is None else max(asked, default=0)
    sources = {i: cell.source for i, cell in enumerate(cells[:end]) if _is_code(cell)}
    return Plan(sources, {})


def plan(cells, known, asked):
    """Return the Plan of a submission.

    Parameters
    ----------
    cells : list of NotebookNode
        In the shape of the lab.
    known : dict of str to Known
        The course's own cells by their ids, in the order of the lab.
    asked : dict of int to list of str
        By the index of a graded cell, the expressions that answer it. They are
        evaluated before that cell is run.
    """
    if not asked:
        return Plan({}, {})
    try:
        return _Lab(cells, known, asked).plan()
    except (Doubt, RecursionError):
        return everything(cells, asked)


def wanted(cells, known, asked):
    """Return {id of a cell: the names that are needed of it}, if nothing is handed."""
    lab = _Lab(cells, known, asked)
    lab.plan()
    return {cells[i].id: lab.needed_of(i, lab.read[i]) for i in lab.course}


class _Lab:
    def __init__(self, cells, known, asked):
        self.cells, self.known, self.asked = cells, known, asked
        self.last = max(asked)
        before = [i for i in range(self.last) if _is_code(cells[i])]
        self.course = [i for i in before if self._is_course(cells[i])]
        self.own = [i for i in before if i not in self.course]
        ids = [cells[i].id for i in self.course]
        changed = {cells[i].id for i in self.own}
        order = list(known)[: list(known).index(ids[-1]) + 1] if ids else []
        if ids != [name for name in order if name not in changed]:
            raise Doubt  # moved or missing
        self.read = {i: statements_of(cells[i].source) for i in before}
        self.bound = {}  # {name: [(index, number of the statement), …]}
        for i, statements in self.read.items():
            for k, s in enumerate(statements):
                for name in s.binds:
                    self.bound.setdefault(name, []).append((i, k))
        self.filled = {}  # the same, of what a student may have put into them
        for i in self.own:
            for k, s in enumerate(self.read[i]):
                for name in s.reads | s.later:
                    self.filled.setdefault(name, []).append((i, k))
        modules = {name for name in self.bound if self._are(name, "import")}
        for i in self.own:
            look_for_doubt(cells[i].source, modules)
        self.code = self._code()
        self.calls = {i: self._calls_theirs(i) for i in self.course}
        self.group = {}
        for i in before:
            if i in self.own or self.calls[i]:
                for s in self.read[i]:
                    self._unite(self._expand(_immediate(s)))

    def _is_course(self, cell):
        return cell.id in self.known and self.known[cell.id].source == cell.source

    # --- Names ---

    def _are(self, name, kind):
        return all(s.kind == kind for s in self._given_by(name))

    def _given_by(self, name):
        return [self.read[i][k] for i, k in self.bound.get(name, ())]

    def _is_data(self, name):
        if name in (RANDOM, SETTINGS):
            return True
        return name in self.bound and not (
            self._are(name, "import") or self._are(name, "function")
        )

    def _code(self):
        """Return the names by which a student's code may be called."""
        statements = [s for i in self.own for s in self.read[i]]
        course = {n for i in self.course for s in self.read[i] for n in s.binds}
        code = set()
        for s in statements:
            if s.kind == "import":
                code |= {n for n in s.binds if not self._is_the_same_import(n)}
            else:
                code |= s.binds & course
        while True:
            count = len(code)
            for s in statements:
                if s.has_code or (s.reads | s.later) & code:
                    code |= s.binds | {n for n in s.reads if self._is_data(n)}
            if len(code) == count:
                return code

    def _is_the_same_import(self, name):
        found = {dict(s.origins).get(name, s.origins) for s in self._given_by(name)}
        return self._are(name, "import") and len(found) == 1

    def _expand(self, names):
        """Return the data that names stand for, or that their functions use."""
        found, open_ = set(), set(names)
        while open_:
            name = open_.pop()
            found.add(name)
            for s in self._given_by(name):
                open_ |= s.later - found
        return {name for name in found if self._is_data(name)}

    def _reach(self, names, i):
        """Return the names from which these come, as seen from a cell."""
        found, seen = set(names), set()
        open_ = {place for name in names for place in self._places(name, i)}
        while open_:
            seen |= open_
            before = set()
            for j, k in open_:
                s = self.read[j][k]
                found |= s.reads | s.later
                for name in s.reads:
                    within = [n for n in range(k) if name in self.read[j][n].binds]
                    sure = [n for n in within if self.read[j][n].kind != "other"]
                    if sure:
                        before |= {(j, n) for n in within if n >= sure[-1]}
                    else:
                        before |= self._places(name, i)
                for name in s.later:
                    before |= self._places(name, i)
            open_ = before - seen
        return found

    def _places(self, name, i):
        places = [*self.bound.get(name, ())]
        places += self.filled.get(name, ()) if self._is_data(name) else []
        return {(j, k) for j, k in places if j <= i}

    def _unite(self, names):
        """Take names for such as may share what they stand for."""
        names = set(names) - {RANDOM, SETTINGS}
        for name in list(names):
            names |= self.group.get(name, set())
        for name in names:
            self.group[name] = names

    def _used(self, i, length=None):
        """Return the names that a cell uses, as they are before it or later."""
        used, bound = set(), set()
        for s in self.read[i][:length]:
            used |= (s.reads - bound) | s.later
            if s.kind != "other":
                bound |= s.binds
        return used

    def _calls_theirs(self, i):
        return bool(self._reach(self._used(i), i) & self.code)

    # --- What is needed ---

    def plan(self):
        self.need = {}  # {name: it must be as it would before the cell of this index}
        self._want({SETTINGS}, self.last)
        for i, expressions in self.asked.items():
            for text in expressions:
                for s in statements_of(text):
                    self._want(s.reads | s.later, i)
        run, handed = {}, {}
        for i in self.own:
            run[i] = len(self.read[i])
            self._want_for(i, run[i])
        while True:
            before = dict(self.need), dict(run), dict(handed)
            for i in self.course:
                length = self._length(i)
                name = self._can_be_handed(i, length) if length else ""
                handed.pop(i, None)
                run[i] = length
                if name:
                    handed[i] = {name: self.known[self.cells[i].id].saved[name]}
                elif length:
                    self._want_for(i, length)
            if (self.need, run, handed) == before:
                break
        sources = {
            i: self._first(i, length)
            for i, length in run.items()
            if (length or i in self.own) and i not in handed
        }
        return Plan(sources, handed)

    def _want(self, names, index):
        for name in names:
            self.need[name] = max(self.need.get(name, 0), index)

    def _want_for(self, i, length):
        """Want what the first statements of a cell read, now or later."""
        bound = set()
        for s in self.read[i][:length]:
            self._want(s.reads - bound, i)
            self._want(s.later - {RANDOM}, self.last)
            if RANDOM in self._expand(_immediate(s)):
                self._want({RANDOM}, i)
            if s.kind != "other":
                bound |= s.binds

    def _length(self, i):
        """Return how many statements of a cell of the course are needed.

        Functions are complete once they are defined; to data, what follows in the cell
        may do something (``U.requires_grad_()``).
        """
        touched = set(self.known[self.cells[i].id].changes)
        if self.calls[i]:
            sources = self._reach(self._used(i), i)
            touched |= {name for name in sources if self._is_data(name)}
        needed = self.needed_of(i, self.read[i])
        is_touched = any(self._is_needed_in_group(name, i) for name in touched)
        if is_touched or any(map(self._is_data, needed)):
            return len(self.read[i])
        return max(
            (n for n, s in enumerate(self.read[i], 1) if s.binds & needed), default=0
        )

    def needed_of(self, i, statements):
        return {n for s in statements for n in s.binds if self.need.get(n, 0) > i}

    def _is_needed_in_group(self, name, i):
        alike = self.group.get(name, set()) | {name}
        return any(self.need.get(each, 0) > i for each in alike)

    def _can_be_handed(self, i, length):
        """Return the one name that is needed of a cell, if all get the same value."""
        known = self.known[self.cells[i].id]
        statements = self.read[i][:length]
        names = self.needed_of(i, statements)
        whole = {n for n in known.changes if self._is_needed_in_group(n, i)}
        if len(names) != 1 or not names <= set(known.saved) or whole or self.calls[i]:
            return ""
        sources = self._reach(self._used(i, length), i)
        seen = {
            n
            for j in self.own
            if j < i
            for s in self.read[j]
            for n in self._expand(_immediate(s) | s.later)
        }
        shared = {n for n in sources & seen if self._is_data(n)} - {RANDOM}
        return "" if shared else names.pop()

    def _first(self, i, length):
        """Return the first statements of a cell as text."""
        source = self.cells[i].source
        if i in self.own or length == len(self.read[i]):
            return source
        lines = plain(source).splitlines(keepends=True)
        return "".join(lines[: self.read[i][length - 1].end])


def _is_code(cell):
    return cell.cell_type == "code"


def _immediate(statement):
    return statement.reads | statement.binds
