"""Lets `pytest checkers/ --evidence FILE` run a chapter's checks on saved Evidence."""

from __future__ import annotations

pytest_plugins = ["courselab.grade.pytest_plugin"]
