"""The command's entry: finds the course's sources, then dispatches."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "src")]

from multipass_standin.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
