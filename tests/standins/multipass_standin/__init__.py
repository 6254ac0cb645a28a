"""A stand-in for `multipass` 1.16, for computers where none can run.

It keeps the command line, answers, error texts, exit codes and oddities that `src/courselab/machines/multipass` is written
against, and runs real machines with a real cloud-init: systemd-nspawn machines of the course's own provider `local`, or, with
MULTIPASS_STANDIN=qemu, virtual machines. State is below MULTIPASS_STANDIN_HOME. Faults can be ordered: see faults.py.
"""

from __future__ import annotations
