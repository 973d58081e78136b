"""Execute the notebooks and store their outputs: ``make render``.

Whatever belongs to one machine or one moment is left out of the files, so that running
this twice changes nothing.
"""

import asyncio
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT = {"tags", "nbgrader", "deletable", "editable"}
FOLDED = {"source_hidden": True}  # of a cell that only draws
# Outputs are stored without progress bars and sliders, and are those of the patches,
# also where CIFAR-10 has been downloaded.
AS_STORED = {"TQDM_DISABLE": "1", "LAB_VIEW": "static", "CIFAR10_DIR": "none"}


class CellFailed(Exception):
    """Says in which cell, and of what."""


def execute(notebook, folder, *, allow_errors=False, **env):
    """Run a notebook, in place, in a new kernel that works in ``folder``.

    Parameters
    ----------
    notebook : NotebookNode
        Its cells get outputs and execution counts.
    folder : path
    allow_errors : bool
        Go on after a cell that fails.
    **env : str
        Environment variables of the kernel, beside those of this process.

    Raises
    ------
    CellFailed
        If a cell fails that isn't tagged raises-exception.
    """
    failed = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        allow_errors=allow_errors,
        on_cell_error=lambda cell, **others: failed.append(cell.id),
        record_timing=False,
        coalesce_streams=True,
        # ipykernel's advice on encryption would now and then land in a cell's output.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    # In a loop of its own, which is closed again: this may run in a thread.
    try:
        asyncio.run(client.async_execute(env=os.environ | AS_STORED | env))
    except CellExecutionError as error:
        said = f"in {failed[-1]}, {error.ename}: {error.evalue}"
        raise CellFailed(said) from error


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


def not_compared(cell):
    """Tell whether nbval leaves the outputs of this cell alone."""
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


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
