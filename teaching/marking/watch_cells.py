"""Watch the worked lab: what does each cell change, and what can be handed over?"""

from teaching.marking.needed_cells import Known, wanted
from teaching.marking.read_cells import read_names
from teaching.marking.watched_values import USE

LONG = 0.3  # seconds; what takes less is made anew


class Watch:
    """Fills ``known``, {id of a cell: Known}, with the cells that are the course's own.

    ``asked`` are the expressions that answer the graded cells, as ``plan`` takes them;
    ``look`` evaluates an expression in the kernel, and returns its value.
    """

    def __init__(self, cells, asked, look):
        self.known, self.look = {}, look
        texts = {
            cell.id: Known(cell.source, (), {})
            for cell in cells
            if cell.cell_type == "code" and not _is_answer(cell)
        }
        self.wanted = wanted(cells, texts, asked)
        self.before = self._states()

    def after(self, cell, seconds):
        """Look at what a cell has changed, which took so long."""
        after, reads = self._states(), read_names(cell.source)
        changes = tuple(
            name
            for name, state in self.before.items()
            if after.get(name) != state or (not state[1] and name in reads)
        )
        if not _is_answer(cell):
            saved = {}
            names = self.wanted.get(cell.id, set()) & after.keys()
            if seconds > LONG and names:
                call = f"{USE}saved(globals(), {sorted(names)}, {[*self.before]})"
                saved = dict(self.look(call))
            self.known[cell.id] = Known(cell.source, changes, saved)
        self.before = after

    def _states(self):
        found = self.look(f"{USE}digests(globals())")
        return {name: (number, state) for name, number, state in found}


def _is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution")
