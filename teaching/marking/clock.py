"""A clock for limits: it counts what a kernel works, not how long it waits to."""

import time

PATIENCE = 4  # seconds of waiting that count as one


class Clock:
    """Return the seconds so far, when called.

    They are those of a processor, of what ``used()`` returns; where that is less (the
    kernel sleeps, or the machine is busy), or None, a quarter of the time that goes by.

    Parameters
    ----------
    used : callable
        Returns the seconds of a processor that were used so far, or None.
    now : callable
        Returns the time of day, in seconds.

    Examples
    --------
    >>> times, works = iter([0.0, 8.0, 16.0]), iter([0.0, 8.0, 8.0])
    >>> clock = Clock(lambda: next(works), now=lambda: next(times))
    >>> clock(), clock()
    (8.0, 10.0)
    """

    def __init__(self, used, now=time.monotonic):
        self.used, self.now = used, now
        self.total, self.worked = 0.0, 0.0
        self.at, self.before = now(), used() or 0.0

    def __call__(self):
        at, used = self.now(), self.used()
        worked = max(0.0, (used or self.before) - self.before)
        self.worked += worked
        self.total += max(worked, (at - self.at) / PATIENCE)
        self.at, self.before = at, used or self.before
        return self.total
