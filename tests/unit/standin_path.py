"""Makes the supervisor, which runs inside machines, importable as `standin`."""

from __future__ import annotations

import sys
from pathlib import Path

COURSE = Path(__file__).parents[2]
SOURCE = COURSE / "infra" / "standin"
sys.path.insert(0, str(SOURCE / "supervisor"))
