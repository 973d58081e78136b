"""Whoever waits sees how far it is: a bar for whatever takes more than two seconds."""

import os
import sys

from tqdm import tqdm


def bar(steps, *, doing):
    """Return an iterable over ``range(steps)``, which shows a bar after two seconds.

    The bar is plain text on stdout, so a notebook that is opened another day shows it
    still. Where the environment variable TQDM_DISABLE is set, there is none.

    Parameters
    ----------
    steps : int
    doing : str
        What takes so long.

    Examples
    --------
    >>> list(bar(3, doing="descent"))
    [0, 1, 2]
    """
    disable = bool(os.environ.get("TQDM_DISABLE"))
    said = {"desc": doing, "unit": " steps", "file": sys.stdout, "disable": disable}
    return tqdm(range(steps), delay=2, **said)
