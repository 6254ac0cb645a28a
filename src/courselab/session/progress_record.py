"""What a learner has reached: attempts, verdicts that changed, hints and solutions, in a small database that only grows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab.errors import LabError
from courselab.session.lock import LabBusy, lab_lock
from courselab.session.store import now

SCHEMA = 2  # 1 had attempts and hints only; its files are read and grow on
_TABLES = """
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
CREATE TABLE IF NOT EXISTS verdicts (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    task TEXT NOT NULL,
    verdict TEXT NOT NULL,
    before TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS verdicts_task ON verdicts (task, verdict);
CREATE TABLE IF NOT EXISTS solutions (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    task TEXT NOT NULL,
    gave_up INTEGER NOT NULL
);
"""
_TABLE_NAMES = ("attempts", "hints", "verdicts", "solutions")
_BUSY_S = 5.0


@dataclass(frozen=True)
class Best:
    """The best attempt at a chapter."""

    earned: float
    possible: float


@dataclass(frozen=True)
class Attempts:
    """How often a chapter was checked."""

    count: int
    first: str  # UTC, ISO 8601
    last: str


@dataclass(frozen=True)
class TaskRecord:
    """What is known of one task. Times are UTC, ISO 8601; "" if it has not happened."""

    verdict: str = ""  # the newest
    solved_at: str = ""  # when it passed first
    hints: int = 0  # how many were taken
    solution_at: str = ""  # when the solution was shown first
    gave_up: bool = False  # it was shown before the task had passed


class ProgressRecord:
    """The learner's progress.db. Opened for each call: commands are short, and a lock is never kept.

    `tell` is given a sentence when a damaged file had to be set aside. Every method raises LabError if the file cannot be used.
    """

    def __init__(self, state: Path, tell: Callable[[str], None] | None = None) -> None:
        self._path = state / "progress.db"
        self._tell = tell or _tell

    def add_attempt(self, report: Mapping[str, Any]) -> None:
        """Keep a report of `lab check --json`, and which of its verdicts are others than before."""
        score, at = report["score"], now()
        with self._open() as database:
            database.execute(
                "INSERT INTO attempts (at, chapter, earned, possible, report) VALUES (?, ?, ?, ?, ?)",
                (at, report["lab"], score["earned"], score["possible"], json.dumps(report)),
            )
            for check in report["checks"]:
                before = _newest_verdict(database, check["id"])
                if check["verdict"] != before:
                    database.execute(
                        "INSERT INTO verdicts (at, task, verdict, before) VALUES (?, ?, ?, ?)", (at, check["id"], check["verdict"], before)
                    )

    def best(self) -> dict[str, Best]:
        """The best attempt per chapter."""
        with self._read() as database:
            rows = database.execute("SELECT chapter, MAX(earned), MAX(possible) FROM attempts GROUP BY chapter").fetchall()
        return {chapter: Best(earned, possible) for chapter, earned, possible in rows}

    def attempts(self) -> dict[str, Attempts]:
        """How often each chapter was checked, and when."""
        with self._read() as database:
            rows = database.execute("SELECT chapter, COUNT(*), MIN(at), MAX(at) FROM attempts GROUP BY chapter").fetchall()
        return {chapter: Attempts(count, first, last) for chapter, count, first, last in rows}

    def passing(self, chapter: str, since: str = "") -> set[str]:
        """The tasks that passed in the chapter's newest attempt; none if that is older than `since` (UTC, ISO 8601)."""
        with self._read() as database:
            newest = "SELECT at, report FROM attempts WHERE chapter = ? ORDER BY id DESC LIMIT 1"
            for at, report in database.execute(newest, (chapter,)):
                return _passed_in(report) if at >= since else set()
        return set()

    def solved(self, task: str) -> bool:
        """Whether any attempt passed this task."""
        with self._read() as database:
            return bool(_first_pass(database, task))

    def tasks(self, chapter: str) -> dict[str, TaskRecord]:
        """What is known of each task of a chapter on which anything is known."""
        hints, like = self.hints(chapter), f"{chapter}.%"
        with self._read() as database:
            verdicts = dict(database.execute("SELECT task, verdict FROM verdicts WHERE task LIKE ? ORDER BY id", (like,)).fetchall())
            shown = database.execute(
                "SELECT task, MIN(at), MAX(gave_up) FROM solutions WHERE task LIKE ? GROUP BY task", (like,)
            ).fetchall()
            solutions = {task: (at, bool(gave_up)) for task, at, gave_up in shown}
            names = {*verdicts, *hints, *solutions}
            return {
                task: TaskRecord(
                    verdict=verdicts.get(task, ""),
                    solved_at=_first_pass(database, task),
                    hints=hints.get(task, 0),
                    solution_at=solutions.get(task, ("", False))[0],
                    gave_up=solutions.get(task, ("", False))[1],
                )
                for task in sorted(names)
            }

    def take_hint(self, task: str, most: int) -> int:
        """Count one more hint for a task and return its number, from 1; the last one again when all were taken."""
        with self._open() as database:
            (taken,) = database.execute("SELECT COALESCE(MAX(level), 0) FROM hints WHERE task = ?", (task,)).fetchone()
            level = min(taken + 1, most)
            database.execute("INSERT OR IGNORE INTO hints (at, task, level) VALUES (?, ?, ?)", (now(), task, level))
        return level

    def saw_hint(self, task: str, level: int) -> None:
        """Count the hints up to this one as taken: it was read where the ones before it had to be read first."""
        with self._open() as database:
            database.executemany(
                "INSERT OR IGNORE INTO hints (at, task, level) VALUES (?, ?, ?)", [(now(), task, n + 1) for n in range(level)]
            )

    def hints(self, chapter: str) -> dict[str, int]:
        """Task → how many of its hints were taken."""
        with self._read() as database:
            rows = database.execute("SELECT task, MAX(level) FROM hints WHERE task LIKE ? GROUP BY task", (f"{chapter}.%",))
            return dict(rows.fetchall())

    def saw_solution(self, task: str, *, gave_up: bool) -> None:
        """Note that a task's solution was shown; `gave_up`: before the task had passed."""
        with self._open() as database:
            database.execute("INSERT INTO solutions (at, task, gave_up) VALUES (?, ?, ?)", (now(), task, int(gave_up)))

    # The file -----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Generator[sqlite3.Connection]:
        """The database; an empty one in memory while there is no file: looking makes none."""
        if self._path.exists():
            with self._open("BEGIN") as database:
                yield database
        else:
            with contextlib.closing(sqlite3.connect(":memory:")) as empty:
                empty.executescript(_TABLES)
                yield empty

    @contextmanager
    def _open(self, begin: str = "BEGIN IMMEDIATE") -> Generator[sqlite3.Connection]:
        """The database, in one transaction."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            database = self._connected()
        except (OSError, LabBusy) as unusable:
            raise self._unusable(unusable) from unusable
        with contextlib.closing(database):
            try:
                with database:
                    database.execute(begin)
                    yield database
            except sqlite3.Error as broken:
                raise self._unusable(broken) from broken

    def _connected(self) -> sqlite3.Connection:
        """The database, or in place of a damaged one, which is kept, a new one. Of several commands that find it damaged at once, one does it."""
        try:
            return self._connect()
        except sqlite3.DatabaseError:
            with lab_lock(self._path.parent, self._path.name, "check", wait_s=_BUSY_S):
                try:
                    return self._connect()
                except sqlite3.DatabaseError as broken:
                    self._set_aside(broken)
                    return self._connect()

    def _connect(self) -> sqlite3.Connection:
        """The database. Raises sqlite3.DatabaseError if it is damaged, LabError if it cannot be used otherwise."""
        try:
            database = sqlite3.connect(self._path, timeout=_BUSY_S)
        except sqlite3.Error as broken:
            raise self._unusable(broken) from broken
        try:
            self._path.chmod(0o600)
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                raise LabError(
                    "The record of your progress is of a newer version of the course",
                    why=f"{self._path} has schema {version}; this version knows {SCHEMA}.",
                    fix="Update the course.",
                )
            if version < SCHEMA:
                self._upgrade(database)
            if (said := database.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(str(said[0] if said else "quick_check"))
        except BaseException as broken:
            database.close()
            if isinstance(broken, sqlite3.DatabaseError) and not _is_damage(broken):
                raise self._unusable(broken) from broken
            raise
        return database

    def _upgrade(self, database: sqlite3.Connection) -> None:
        """Make the tables, in one transaction; what stands in them is never changed afterwards, and triggers hold that."""
        never = [
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} only grow'); END"
            for table in _TABLE_NAMES
            for verb in ("UPDATE", "DELETE")
        ]
        with database:
            database.execute("BEGIN IMMEDIATE")
            if database.execute("PRAGMA user_version").fetchone() == (SCHEMA,):
                return  # another command was faster
            for statement in (*_TABLES.split(";"), *never):
                database.execute(statement)
            _fill_verdicts(database)
            database.execute(f"PRAGMA user_version = {SCHEMA}")

    def _set_aside(self, broken: sqlite3.Error) -> None:
        """Keep a file that is no database, or a damaged one, under another name."""
        aside = self._path.with_name(f"progress.db.damaged-{now().replace(':', '').partition('+')[0]}")
        try:
            self._path.replace(aside)
            for rest in ("-journal", "-wal", "-shm"):
                self._path.with_name(f"progress.db{rest}").unlink(missing_ok=True)
        except OSError as unusable:
            raise self._unusable(unusable) from unusable
        self._tell(f"The record of your progress was damaged ({broken}). It is kept as {aside}; a new one was begun.")

    def _unusable(self, broken: Exception) -> LabError:
        return LabError(
            "The record of your progress cannot be used",
            why=f"{self._path}: {broken}.",
            fix="Is another lab command running, is the disk full, is the file yours? Then run the command again.",
        )


def _tell(sentence: str) -> None:
    print(f"lab: {sentence}", file=sys.stderr)


def _is_damage(broken: sqlite3.DatabaseError) -> bool:
    """Whether it is no database, or one of something else, not one that is busy, full or forbidden."""
    return not isinstance(broken, sqlite3.OperationalError) or any(
        words in str(broken) for words in ("no such column", "no such table", "has no column", "no such function", "views may not")
    )


def _fill_verdicts(database: sqlite3.Connection) -> None:
    """Verdicts of attempts that were kept before their changes were."""
    newest: dict[str, str] = {}
    for at, report in database.execute("SELECT at, report FROM attempts ORDER BY id").fetchall():
        for task, verdict in _verdicts_in(report).items():
            if newest.get(task) != verdict:
                database.execute(
                    "INSERT INTO verdicts (at, task, verdict, before) VALUES (?, ?, ?, ?)", (at, task, verdict, newest.get(task, ""))
                )
                newest[task] = verdict


def _newest_verdict(database: sqlite3.Connection, task: str) -> str:
    found = database.execute("SELECT verdict FROM verdicts WHERE task = ? ORDER BY id DESC LIMIT 1", (task,)).fetchone()
    return found[0] if found else ""


def _first_pass(database: sqlite3.Connection, task: str) -> str:
    (at,) = database.execute("SELECT MIN(at) FROM verdicts WHERE task = ? AND verdict = 'pass'", (task,)).fetchone()
    return at or ""


def _verdicts_in(report: str) -> dict[str, str]:
    try:
        return {str(check["id"]): str(check["verdict"]) for check in json.loads(report)["checks"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _passed_in(report: str) -> set[str]:
    return {task for task, verdict in _verdicts_in(report).items() if verdict == "pass"}
