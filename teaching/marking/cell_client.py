"""Run cells in a kernel, and stop those that write too much or work too long."""

import asyncio
import contextlib
import time

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat import ValidationError


class CellClient(NotebookClient):
    """Takes no more output of a cell than ``most`` characters, and then stops it.

    It stops one, too, whose time by the ``clock`` is up.
    """

    most, clock = 0, time.monotonic

    def begin(self, deadline, timeout):
        """Give the next cell so long by the clock, and by the time of day."""
        self.deadline, self.timeout = deadline, int(timeout) + 1
        self.written, self.stopping = 0, None

    async def async_execute_cell(self, *args, **kwargs):
        watcher = asyncio.create_task(self._watch())
        try:
            return await super().async_execute_cell(*args, **kwargs)
        finally:
            watcher.cancel()
            if self.stopping:  # here, so that it stops no later cell
                await self.stopping

    execute_cell = run_sync(async_execute_cell)

    async def _watch(self):
        while True:
            await asyncio.sleep(0.5)
            if self.clock() >= self.deadline:
                await self.km.interrupt_kernel()

    def process_message(self, msg, cell, cell_index):
        self.written += len(str(msg["content"]))
        if self.written <= self.most:
            with contextlib.suppress(ValidationError):  # no notebook can hold it
                return super().process_message(msg, cell, cell_index)
        elif not self.stopping:
            self.stopping = asyncio.ensure_future(self.km.interrupt_kernel())
        return None
