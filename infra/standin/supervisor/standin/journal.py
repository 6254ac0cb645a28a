"""Lines for the journal, in the form in which K3s writes its own (logrus text): what learners are told to look for is found there."""

from __future__ import annotations

import datetime
import json
import sys


def info(text: str) -> None:
    _write("info", text)


def warning(text: str) -> None:
    _write("warning", text)


def error(text: str) -> None:
    _write("error", text)


def fatal(text: str) -> None:
    """For what ends the command; ending is left to the caller."""
    _write("fatal", text)


def _write(level: str, text: str) -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f'time="{now}" level={level} msg={json.dumps(text, ensure_ascii=False)}', file=sys.stderr, flush=True)
