"""Tests, one folder for each package, and `labs` for the notebooks."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
