"""What a chapter's lab is: `lab.yaml` as typed values, a student's parameters, looking labs up."""

from __future__ import annotations

from courselab.course.catalog import Catalog
from courselab.course.model import Lab, MachineNeed, Role, Task
from courselab.course.params import Params

__all__ = ["Catalog", "Lab", "MachineNeed", "Params", "Role", "Task"]
