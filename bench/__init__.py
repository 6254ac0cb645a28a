"""How fast and how small: run by hand with `./lab bench`-like `python -m bench`, written to bench/README.md."""

from __future__ import annotations
