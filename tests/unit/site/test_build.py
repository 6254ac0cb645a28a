"""The site as plain files: what MkDocs warns of ends the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from courselab.errors import LabError
from courselab.site.build import build_site


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("[gone](gone.md)", "gone.md"),
        ("[gone](#gone)", "#gone"),
        ("![gone](gone.webp)", "gone.webp"),
    ],
)
def test_a_warning_is_an_error(tmp_path: Path, page: str, says: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Course\n\n{page}\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: Course\nvalidation: {links: {anchors: warn}}\n")
    with pytest.raises(LabError) as failed:
        build_site(tmp_path, tmp_path / "site")
    assert says in failed.value.why
