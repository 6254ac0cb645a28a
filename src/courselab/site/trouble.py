"""What went wrong, as the page is told it: what, why and what to do, each safe to show."""

from __future__ import annotations

from courselab.errors import LabError
from courselab.grade.clean import clean


def error_json(failed: LabError) -> dict[str, str]:
    """An error that a reader can do something about."""
    return {"what": clean(failed.what), "why": clean(failed.why), "fix": clean(failed.fix)}


def bug_json(bug: Exception, fix: str) -> dict[str, str]:
    """One that nobody foresaw; `fix` is the command that tells more."""
    return {"what": f"lab has a bug ({type(bug).__name__})", "why": clean(str(bug)), "fix": fix}
