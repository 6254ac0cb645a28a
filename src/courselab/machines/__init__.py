"""Machines: the one small interface through which labs, K3s and checks reach a machine, whoever provides it."""

from __future__ import annotations

from courselab.machines.base import (
    Availability,
    Completed,
    Machine,
    MachineSpec,
    MachineState,
    Mount,
    Provider,
    Usage,
)

__all__ = ["Availability", "Completed", "Machine", "MachineSpec", "MachineState", "Mount", "Provider", "Usage"]
