"""Helpers of the autograd labs: one descent loop, and exact answers to judge it by.

An argument that is out of range is refused, everywhere, by a ``ValueError`` that names
it, what it was and what it may be.
"""

__version__ = "0.1.0"
