"""Execute a notebook as ``make render`` does, and ``make site``."""

import asyncio
import os

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# Outputs are stored without progress bars and sliders, and are those of the patches,
# also where CIFAR-10 has been downloaded. No class is told of.
AS_STORED = {"TQDM_DISABLE": "1", "LAB_VIEW": "static", "CIFAR10_DIR": "none"}
AS_STORED |= {"AUTOGRAD_LABS_ROOM": ""}


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


def not_compared(cell):
    """Tell whether nbval leaves the outputs of this cell alone."""
    return "nbval-ignore-output" in cell.metadata.get("tags", [])
