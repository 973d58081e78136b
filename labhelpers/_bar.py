"""Whoever waits sees how far it is, and can stop it without losing what is done."""

import os
import sys

from tqdm import tqdm


class Steps:
    """Iterates over ``range(total)``, and shows a bar once that takes two seconds.

    The bar is plain text on stdout, so a notebook that is opened another day shows it
    still. Where the environment variable TQDM_DISABLE is set, there is none.

    In a ``with`` block, an interrupt (Ctrl-C, the stop button) ends the block and no
    more; it is told. ``done`` counts the steps that were finished, and ``stopped``
    tells whether it was interrupted.

    Examples
    --------
    >>> with Steps(3, doing="descent") as steps:
    ...     for t in steps:
    ...         if t == 2:
    ...             raise KeyboardInterrupt
    Stopped after 2 of 3 steps: the result is what came of them.
    >>> steps.done, steps.stopped
    (2, True)
    """

    def __init__(self, total, *, doing):
        disable = bool(os.environ.get("TQDM_DISABLE"))
        said = {"desc": doing, "unit": " steps", "file": sys.stdout, "disable": disable}
        self.bar = tqdm(range(total), delay=2, **said)
        self.total, self.done, self.stopped = total, 0, False

    def __iter__(self):
        for step in self.bar:
            self.done = step
            yield step
        self.done = self.total

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stopped = kind is KeyboardInterrupt
        if self.stopped:
            after = f"Stopped after {self.done} of {self.total} steps"
            print(f"{after}: the result is what came of them.")
        return self.stopped
