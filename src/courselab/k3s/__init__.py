"""K3s on machines: which one, installed how, reached how, ready when."""

from __future__ import annotations
