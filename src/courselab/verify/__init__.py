"""Proving a chapter: that its checks fail before, pass after, and explain each typical mistake, in a fresh lab of its own."""

from __future__ import annotations
