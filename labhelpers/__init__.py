"""Helpers of the autograd labs: one descent loop, and exact answers to judge it by."""

__version__ = "0.1.0"
