"""How the labs are executed before they are stored; here without a kernel."""

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from teaching.execute_notebook import CellFailed, execute, not_compared

LAB = new_notebook(cells=[new_code_cell("1", id="one"), new_code_cell("2", id="two")])


@pytest.fixture
def started(monkeypatch):
    """Return the clients that were started, each with its ``env``; the second fails."""
    clients = []

    async def run(client, *, env):
        client.env = env
        clients.append(client)
        if not client.allow_errors:
            client.on_cell_error(cell=LAB.cells[1], cell_index=1, execute_reply={})
            raise CellExecutionError("", "ValueError", "no 2")

    monkeypatch.setattr(NotebookClient, "async_execute", run)
    return clients


def test_a_kernel_is_told_how_labs_are_stored_whatever_it_is_told_here(
    started, monkeypatch, tmp_path
):
    monkeypatch.setenv("LAB_VIEW", "live")
    monkeypatch.setenv("AUTOGRAD_LABS_ROOM", str(tmp_path))
    monkeypatch.setenv("HERE", "as everywhere")
    execute(LAB, tmp_path, allow_errors=True, OMP_NUM_THREADS="1")
    execute(LAB, tmp_path, allow_errors=True, LAB_VIEW="frames")
    one, other = (client.env for client in started)
    assert (one["LAB_VIEW"], other["LAB_VIEW"]) == ("static", "frames")
    assert (one["AUTOGRAD_LABS_ROOM"], one["HERE"]) == ("", "as everywhere")
    assert one["OMP_NUM_THREADS"] == "1"
    assert started[0].resources["metadata"]["path"] == str(tmp_path)


def test_a_cell_that_fails_is_named_unless_errors_are_allowed(started, tmp_path):
    with pytest.raises(CellFailed, match="^in two, ValueError: no 2$"):
        execute(LAB, tmp_path)


def test_outputs_are_compared_unless_a_tag_says_otherwise():
    tags = [[], ["a", "nbval-ignore-output"], ["nbval-ignore"]]
    cells = [new_code_cell("1", metadata={"tags": each}) for each in tags]
    told = [not_compared(cell) for cell in [*cells, new_code_cell("1")]]
    assert told == [False, True, False, False]
