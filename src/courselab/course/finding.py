"""What lint finds: a file, a line, and what is wrong there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is missing or does not fit. `line` counts from 1; 0 where it is about the whole file."""

    path: Path
    line: int
    what: str

    def shown(self, root: Path) -> str:
        """One line, as compilers write it, so that editors can jump there: "labs/02-x/lab.yaml:12: what"."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        return f"{path}:{self.line}: {self.what}" if self.line else f"{path}: {self.what}"


def line_of(text: str, part: str | re.Pattern[str]) -> int:
    """The first line that holds `part`, from 1; 0 if none does."""
    found = re.search(part if isinstance(part, re.Pattern) else re.escape(part), text)
    return text.count("\n", 0, found.start()) + 1 if found else 0
