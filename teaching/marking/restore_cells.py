"""Put a submitted notebook back into the shape of the lab, and keep what is answered.

Students delete, copy, move and retype cells. What is graded stands afterwards where it
was, once, in the words of the lab; their own cells stay as they are.
"""

import json

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KINDS = {"code": new_code_cell, "markdown": new_markdown_cell}
MOST_CELLS = 1000
ELSEWHERE = "*(Not written in this cell, but in one of the student's own.)*\n\n"


def read(data):
    """Return the cells of a file, a list of (kind, source, marks).

    ``marks`` are the ids that a cell was known by, its grade_id first.

    Parameters
    ----------
    data : bytes
        What is in the file; anything at all.

    Raises
    ------
    ValueError
        If that is no notebook; the message says what it is instead.
    """
    if not data.strip():
        raise ValueError("the file is empty")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("not a notebook: broken JSON") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or len(cells) > MOST_CELLS:
        raise ValueError(f"not a notebook with at most {MOST_CELLS} cells")
    return [_read_cell(cell) for cell in cells if isinstance(cell, dict)]


def _read_cell(cell):
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = source if isinstance(source, str) else ""
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    grader = metadata.get("nbgrader")
    grader = grader if isinstance(grader, dict) else {}
    marks = [grader.get("grade_id"), cell.get("id"), metadata.get("id")]
    kind = cell.get("cell_type")
    return (
        kind if kind in KINDS else "markdown",
        source.replace("\r\n", "\n").replace("\r", "\n"),
        [mark for mark in marks if isinstance(mark, str)],
    )


def likeness(cells, copy):
    """Return which part of the cells of a lab occurs in a notebook, from 0 to 1."""
    marks = {mark for _, _, marks in cells for mark in marks}
    sources = {source.strip() for _, source, _ in cells if source.strip()}
    found = [c.id in marks or c.source.strip() in sources for c in copy.cells]
    same = [cell.source.strip() in sources for cell in copy.cells]
    return (sum(found) + sum(same)) / (2 * len(copy.cells))


def mended(cells, copy):
    """Return the notebook to be marked, and notes about what was mended.

    Parameters
    ----------
    cells : list
        What ``read`` returns.
    copy : NotebookNode
        The student's copy of the lab, as it was handed out.
    """
    chosen, copied = _match(cells, copy)
    placed = _match_places(cells, copy, chosen)
    chosen |= placed
    by_index = {index: known for known, index in chosen.items()}
    known = {cell.id: cell for cell in copy.cells}
    result, changed = [], []
    for index, (kind, source, _) in enumerate(cells):
        mine = known.get(by_index.get(index))
        if mine is None:
            result.append(KINDS[kind](source))
            continue
        if _is_check(mine) and source.rstrip() != mine.source.rstrip():
            result.append(KINDS[kind](source))  # an answer may have been put there
            changed.append(mine.id)
        result.append(_again(mine, mine.source if _is_check(mine) else source))
    notes = [f"copied cells: {', '.join(copied)}"] if copied else []
    if placed:
        notes.append(f"known by their place alone: {', '.join(placed)}")
    missing = _insert_missing(result, copy, set(chosen))
    if missing:
        notes.append(f"deleted cells, put back: {', '.join(missing)}")
    elsewhere = _written_elsewhere(cells, copy, chosen)
    for cell in result:
        if cell.id in elsewhere:
            cell.source = ELSEWHERE + elsewhere[cell.id]
    if elsewhere:
        notes.append(f"written in a cell of their own: {', '.join(elsewhere)}")
    if changed:
        notes.append(f"changed checks, put back below: {', '.join(changed)}")
    for number, cell in enumerate(result):
        cell.id = cell.id if cell.id in known else f"own-{number}"
    return new_notebook(cells=result, metadata=copy.metadata), notes


def _match(cells, copy):
    """Return {id in the lab: index in the submission}, and the ids that occur again."""
    by_grade = {
        cell.metadata["nbgrader"]["grade_id"]: cell.id
        for cell in copy.cells
        if "nbgrader" in cell.metadata
    }
    by_mark = {cell.id: cell.id for cell in copy.cells} | by_grade
    by_source = {cell.source.strip(): cell.id for cell in copy.cells}
    stubs = {cell.id: cell.source for cell in copy.cells}
    found = {}
    for index, (_, source, marks) in enumerate(cells):
        names = [by_mark[mark] for mark in marks if mark in by_mark]
        names = names or [by_source.get(source.strip())]
        found.setdefault(names[0], []).append(index)
    found.pop(None, None)
    copied = [name for name, indices in found.items() if len(indices) > 1]
    chosen = {
        name: _which([cells[i][1] for i in indices], indices, stubs[name])
        for name, indices in found.items()
    }
    return chosen, copied


def _match_places(cells, copy, chosen):
    """Return {id: index} of written answers that are known by nothing but their place.

    That is the first text of the student's between the cells before and after it.
    """
    found = {}
    for at, cell in enumerate(copy.cells):
        if _is_written(cell) and cell.id not in chosen:
            known = chosen | found
            texts = _own_texts(cells, known, _between(at, copy, known, len(cells)))
            found |= {cell.id: texts[0]} if texts else {}
    return found


def _written_elsewhere(cells, copy, chosen):
    """Return {id: text} of written answers whose cell is gone, or as it was handed out.

    Texts of the student's that could be the answer are those in its place, or, if the
    cell is gone, any: a person decides.
    """
    found, sources = {}, {cell.source.strip() for cell in copy.cells}
    for at, cell in enumerate(copy.cells):
        index = chosen.get(cell.id)
        is_open = index is None or cells[index][1].strip() == cell.source.strip()
        if not (_is_written(cell) and is_open):
            continue
        where = _between(at, copy, chosen, len(cells))
        texts = _own_texts(cells, chosen, where)
        if index is None:
            texts = texts or _own_texts(cells, chosen, range(len(cells)))
        texts = [cells[i][1] for i in texts if cells[i][1].strip() not in sources]
        found |= {cell.id: "\n\n".join(texts)} if texts else {}
    return found


def _between(at, copy, known, count):
    """Return the places after the last known cell before one, to the next after it."""
    before = [known[cell.id] for cell in copy.cells[:at] if cell.id in known]
    after = [known[cell.id] for cell in copy.cells[at + 1 :] if cell.id in known]
    return range(before[-1] + 1 if before else 0, after[0] if after else count)


def _own_texts(cells, known, where):
    """Return the places of texts that are no cell of the lab."""
    return [
        index
        for index in where
        if index not in known.values()
        and cells[index][0] == "markdown"
        and cells[index][1].strip()
    ]


def _which(sources, indices, stub):
    """Return the first index of what was written last; a stub isn't written."""
    written = [source for source in sources if source != stub] or sources
    return indices[sources.index(written[-1])]


def _insert_missing(result, copy, present):
    """Insert what is missing after the cell that it followed; return the ids of it."""
    missing, before = [], None
    for cell in copy.cells:
        if cell.id not in present and _is_needed(cell):
            at = [i for i, other in enumerate(result) if other.id == before]
            result.insert(at[0] + 1 if at else 0, _again(cell, cell.source))
            missing.append(cell.id)
            before = cell.id
        elif cell.id in present:
            before = cell.id
    return missing


def _again(cell, source):
    again = KINDS[cell.cell_type](source, id=cell.id)
    again.metadata = NotebookNode(cell.metadata)
    return again


def _grader(cell):
    return cell.metadata.get("nbgrader", {})


def _is_check(cell):
    """Whether a cell is graded, and not the student's."""
    return bool(_grader(cell).get("grade")) and not _grader(cell).get("solution")


def _is_written(cell):
    """Whether a cell is an answer that a person marks."""
    return cell.cell_type == "markdown" and bool(_grader(cell).get("grade"))


def _is_needed(cell):
    is_answer = _grader(cell).get("solution") and not _grader(cell).get("grade")
    return bool(_grader(cell).get("grade")) or (
        cell.cell_type == "code" and not is_answer
    )
