"""What a slider of a lab shows at each of its positions, as pictures."""

import base64
import copy
from typing import NamedTuple

from teaching.execute_notebook import CellFailed, execute, not_compared

FRAMES = "application/vnd.autograd-labs.frames+json"
MOST = 17  # positions of a slider, so that the site stays small: some are left out


class Slider(NamedTuple):
    """What a slider sets, and for each position its value, a text and a picture."""

    label: str
    values: list
    alts: list
    pictures: list  # of bytes, WebP
    still: int  # where it stands at first
    width: int  # in CSS pixels
    height: int


def with_frames(worked, folder, *, say=print):
    """Return the labs with what their sliders show, which is not stored with them.

    Labs that have sliders are executed. What they print must be what is stored.

    Parameters
    ----------
    worked : dict of str to NotebookNode
        The worked labs, executed, by the stem of their files.
    folder : path
        Where they lie, and work.
    say : callable
        Is told, in a line, which lab is being executed.

    Raises
    ------
    ValueError
        If a cell fails, or prints something else; file and cell are named.
    """
    result = {}
    for lab, stored in worked.items():
        result[lab] = stored
        code = [cell.source for cell in stored.cells if cell.cell_type == "code"]
        if any(".scrub(" in source for source in code):
            say(f"executing {lab}.ipynb, for what its sliders show")
            ran = copy.deepcopy(stored)
            try:
                execute(ran, folder, LAB_VIEW="frames")
            except CellFailed as error:
                raise ValueError(f"{lab}.ipynb must run: {error}") from error
            result[lab] = merged(stored, ran, lab=lab)
    return result


def merged(stored, ran, *, lab):
    """Return a lab as it is stored, with the frames of a run.

    Raises
    ------
    ValueError
        If the run printed anything else; file and cell are named.
    """
    result = copy.deepcopy(stored)
    for cell, again in zip(result.cells, ran.cells):
        if cell.cell_type != "code" or not_compared(cell):
            continue
        if list(map(_printed, cell.outputs)) != list(map(_printed, again.outputs)):
            raise ValueError(
                f"{lab}.ipynb, cell {cell.id!r}: must print what is stored, and did "
                "not: make test tells what differs, make render stores it"
            )
        for output, new in zip(cell.outputs, again.outputs):
            if FRAMES in new.get("data", {}):
                output.data[FRAMES] = new.data[FRAMES]
    return result


def slider(data, *, most=MOST):
    """Return the Slider that a cell's output describes, with at most so many positions.

    The one that is shown at first stays, and so do both ends.
    """
    kept = thinned(len(data["frames"]), data["still"], most=most)
    return Slider(
        data["label"],
        [data["values"][i] for i in kept],
        [data["alts"][i] for i in kept],
        [base64.b64decode(data["frames"][i]) for i in kept],
        kept.index(data["still"]),
        data["width"],
        data["height"],
    )


def thinned(count, still, *, most=MOST):
    """Return which of ``count`` positions stay: at most so many, and ``still``.

    >>> thinned(9, 3, most=4)
    [0, 3, 4, 8]
    >>> thinned(3, 1, most=4)
    [0, 1, 2]
    """
    if count <= most:
        return list(range(count))
    steps = most - 2
    return sorted({still, *(round(i * (count - 1) / steps) for i in range(steps + 1))})


def _printed(output):
    """Return all of an output that is text."""
    data = {
        k: v
        for k, v in output.get("data", {}).items()
        if k not in (FRAMES, "image/png")
    }
    keys = "output_type", "name", "text", "ename", "evalue"
    return [output.get(key) for key in keys], data
