"""The `lab` command: one module per verb, each thin: parse, call, render."""

from __future__ import annotations
