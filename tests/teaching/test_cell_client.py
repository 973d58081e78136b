"""Cells that write too much, or work too long by a clock, are stopped."""

import asyncio
import math
from types import SimpleNamespace

import nbclient
import pytest
from nbformat.v4 import new_notebook

from teaching.marking.cell_client import CellClient
from teaching.marking.clock import Clock

# --- The clock ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "seconds", "worked"),
    [
        ([2.0, 3.0, 7.0], [1.0, 5.0], 5.0),  # a kernel that works: what it worked
        ([2.0, 2.5, 2.5], [1.0, 2.0], 0.5),  # one that waits: a quarter of that
        ([None, None, None], [1.0, 2.0], 0.0),  # nobody knows
        ([None, 3.0, 6.0], [3.0, 6.0], 6.0),
        ([2.0, None, 9.0], [1.0, 8.0], 7.0),  # for a while
        ([9.0, 2.0, 5.0], [1.0, 4.0], 3.0),  # what had worked is gone
    ],
)
def test_a_clock_counts_work_or_a_quarter_of_the_time(used, seconds, worked):
    times, told = iter([100.0, 104.0, 108.0]), iter(used)
    clock = Clock(lambda: next(told), now=lambda: next(times))
    assert [clock(), clock()] == seconds
    assert clock.worked == worked


# --- The cells ------------------------------------------------------------------------


@pytest.fixture
def client(monkeypatch):
    """Return a client whose cells are ``cell``, a coroutine; it counts its stops."""

    async def interrupt():
        await asyncio.sleep(0.1)
        client.stops += 1

    async def execute(self):
        await self.cell()

    monkeypatch.setattr(nbclient.NotebookClient, "async_execute_cell", execute)
    taken = []
    monkeypatch.setattr(
        nbclient.NotebookClient,
        "process_message",
        lambda self, msg, cell, index: taken.append(msg["content"]) or "taken",
    )
    client = CellClient(new_notebook())
    client.km = SimpleNamespace(interrupt_kernel=interrupt)
    client.most, client.stops, client.taken = 10, 0, taken
    client.clock = lambda: 7.0
    client.begin(math.inf, 60.5)
    return client


def test_a_cell_that_writes_too_much_is_stopped_once_before_the_next(client):
    async def cell():
        client.results = [
            client.process_message({"content": text}, None, 0)
            for text in ["x" * 6, "y" * 4, "z", "more", "and more"]
        ]

    client.cell = cell
    client.execute_cell()
    assert client.stops == 1
    assert client.results == ["taken", "taken", None, None, None]
    assert client.taken == ["x" * 6, "y" * 4]
    client.begin(math.inf, 60.5)
    client.execute_cell()
    assert client.stops == 2  # by the messages of this cell alone
    assert client.taken == 2 * ["x" * 6, "y" * 4]


def test_a_cell_is_stopped_until_it_ends_once_its_time_is_up(client):
    async def cell():
        for _ in range(100):
            if client.stops == 2:
                return
            await asyncio.sleep(0.05)

    client.cell = cell
    client.begin(7.0, 60.5)
    client.execute_cell()
    assert client.stops == 2
    client.cell = lambda: asyncio.sleep(0.7)
    client.begin(7.1, 60.5)
    client.execute_cell()
    assert client.stops == 2  # and a later one is not, whose time is not up
    assert 60.5 < client.timeout < 63  # by the time of day
