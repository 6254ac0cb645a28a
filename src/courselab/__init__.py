"""The K3s course lab: real clusters for learners, graded by reading their state."""

from __future__ import annotations

__version__ = "0.1.0"
