"""Finding labs: every folder NN-slug below labs/ that has a lab.yaml."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from courselab.course.load import load_lab
from courselab.course.model import Lab
from courselab.errors import UsageError


class Catalog:
    """The labs of a course checkout."""

    def __init__(self, course: Path) -> None:
        self._labs = course / "labs"

    def chapters(self) -> list[str]:
        """The chapter numbers that have a lab, in order."""
        return sorted(self._folders())

    def folder(self, chapter: str) -> Path:
        """The folder of a chapter's lab ("03"). Raises KeyError if there is none."""
        return self._folders()[chapter]

    def all(self) -> list[Lab]:
        """Every lab, in order. Raises UsageError on the first one that is not valid."""
        return [load_lab(folder) for _, folder in sorted(self._folders().items())]

    def find(self, wanted: str) -> Lab:
        """The lab a learner means by "03", "3", "services" or "03-services". Raises UsageError with what there is."""
        folders = self._folders()
        chapter = wanted.zfill(2) if wanted.isdigit() else wanted
        for number, folder in folders.items():
            if chapter in (number, folder.name, folder.name.partition("-")[2]):
                return load_lab(folder)
        names = [*folders, *(folder.name for folder in folders.values())]
        near = difflib.get_close_matches(wanted, names, n=1)
        raise UsageError(
            f"There is no chapter {wanted[:40]!r}",
            why=f"Did you mean {near[0]}?" if near else f"Chapters with a lab are: {', '.join(sorted(folders)) or 'none'}.",
            fix="`lab list` shows them all.",
        )

    def _folders(self) -> dict[str, Path]:
        found = (folder for folder in self._labs.glob("*-*") if (folder / "lab.yaml").is_file())
        return {folder.name[:2]: folder for folder in found if re.match(r"\d\d-", folder.name)}
