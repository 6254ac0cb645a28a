"""What a learner has reached: every graded attempt, kept in a small database, never changed afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab.session.store import now

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    chapter TEXT NOT NULL,
    earned REAL NOT NULL,
    possible REAL NOT NULL,
    report TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_chapter ON attempts (chapter, earned);
CREATE TABLE IF NOT EXISTS hints (
    at TEXT NOT NULL,
    task TEXT NOT NULL,
    level INTEGER NOT NULL,
    PRIMARY KEY (task, level)
);
"""
_BUSY_S = 5.0


@dataclass(frozen=True)
class Best:
    """The best attempt at a chapter."""

    earned: float
    possible: float


class ProgressRecord:
    """The learner's progress.db. Opened for each call: commands are short, and a lock is never kept."""

    def __init__(self, state: Path) -> None:
        self._path = state / "progress.db"

    def add_attempt(self, report: Mapping[str, Any]) -> None:
        """Keep a report of `lab check --json`."""
        score = report["score"]
        with self._open() as database:
            database.execute(
                "INSERT INTO attempts (at, chapter, earned, possible, report) VALUES (?, ?, ?, ?, ?)",
                (now(), report["lab"], score["earned"], score["possible"], json.dumps(report)),
            )

    def best(self) -> dict[str, Best]:
        """The best attempt per chapter."""
        if not self._path.exists():
            return {}
        with self._open() as database:
            rows = database.execute("SELECT chapter, MAX(earned), MAX(possible) FROM attempts GROUP BY chapter").fetchall()
        return {chapter: Best(earned, possible) for chapter, earned, possible in rows}

    def solved(self, task: str) -> bool:
        """Whether any attempt passed this task."""
        if not self._path.exists():
            return False
        with self._open() as database:
            reports = database.execute("SELECT report FROM attempts WHERE chapter = ?", (task.partition(".")[0],))
            checks = (check for (report,) in reports for check in json.loads(report).get("checks", []))
            return any(check.get("id") == task and check.get("verdict") == "pass" for check in checks)

    def take_hint(self, task: str, most: int) -> int:
        """Count one more hint for a task and return its number, from 1; the last one again when all were taken."""
        with self._open() as database:
            (taken,) = database.execute("SELECT COALESCE(MAX(level), 0) FROM hints WHERE task = ?", (task,)).fetchone()
            level = min(taken + 1, most)
            database.execute("INSERT OR IGNORE INTO hints (at, task, level) VALUES (?, ?, ?)", (now(), task, level))
        return level

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(self._path, timeout=_BUSY_S)
        try:
            self._path.chmod(0o600)
            database.executescript(_SCHEMA)
            with database:
                yield database
        finally:
            database.close()
