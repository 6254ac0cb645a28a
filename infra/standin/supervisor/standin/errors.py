"""What ends the stand-in with a sentence instead of a traceback."""

from __future__ import annotations


class Refused(Exception):
    """Something was asked for that this stand-in does not do, or cannot do here. The text goes to the user as it is."""
