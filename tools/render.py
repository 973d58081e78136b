"""Execute the notebooks and store their outputs: ``make render``.

Whatever belongs to one machine or one moment is left out of the files, so that running
this twice changes nothing.
"""

import os
import sys
from pathlib import Path

import nbformat

from teaching.execute_notebook import CellFailed, execute, not_compared

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT = {"tags", "nbgrader", "deletable", "editable"}
FOLDED = {"source_hidden": True}  # of a cell that only draws


def render(path):
    """Execute one notebook and store it. It stays as it is if anything fails.

    Cells that are not compared, since they measure time, keep the outputs they have: to
    refresh one, clear it first.
    """
    notebook = nbformat.read(path, as_version=4)
    kept = {
        cell.id: cell.get("outputs") for cell in notebook.cells if not_compared(cell)
    }
    execute(notebook, path.parent)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = kept_metadata(cell)
        if kept.get(cell.id):
            cell.outputs = kept[cell.id]
            renumber(cell)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    nbformat.validate(notebook)
    beside = path.with_suffix(".rendering")
    try:
        nbformat.write(notebook, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def kept_metadata(cell):
    """Return what is stored of the metadata of a cell, a dict."""
    kept = {k: v for k, v in cell.metadata.items() if k in KEPT}
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        kept["jupyter"] = FOLDED
    return kept


def renumber(cell):
    """Give the outputs the execution count of their cell."""
    for output in cell.outputs:
        if "execution_count" in output:
            output.execution_count = cell.execution_count


def main(names):
    paths = [Path(name).resolve() for name in names] or sorted(
        NOTEBOOKS.glob("*.ipynb")
    )
    for path in paths:
        print(f"rendering {path.name}", flush=True)
        try:
            render(path)
        except CellFailed as error:
            sys.exit(f"{path.name} is unchanged: {error}")
        except KeyboardInterrupt:
            sys.exit(f"stopped: {path.name} is unchanged")


if __name__ == "__main__":
    main(sys.argv[1:])
