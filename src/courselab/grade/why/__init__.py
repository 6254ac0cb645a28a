"""Why an object is not as it should be: from the object down to the container, its state and its events, told as sentences.

The walkers (pods, workloads, network, storage, nodes) follow what owns or uses what and report signals; the table in `rules` turns a
signal into a cause: a sentence, what to look at next, and whether waiting can still help.
"""

from __future__ import annotations

from courselab.grade.why.explain import explain
from courselab.grade.why.walk import Cause, Why

__all__ = ["Cause", "Why", "explain"]
