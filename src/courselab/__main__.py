"""`python -m courselab` is the same as the `lab` command."""

from __future__ import annotations

from courselab.cli.main import main

if __name__ == "__main__":
    main()
