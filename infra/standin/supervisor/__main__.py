"""Started as `python3 SUPERVISOR_FOLDER ARGUMENTS`."""

from __future__ import annotations

import sys

from standin.cli import main

sys.exit(main(sys.argv[1:]))
