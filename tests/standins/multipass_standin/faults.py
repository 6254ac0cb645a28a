"""Faults on demand: the file `faults` in MULTIPASS_STANDIN_HOME holds lines `NAME COUNT`; each use counts down, -1 never ends.

daemon             the daemon cannot be reached
authenticate       the client is not authenticated
version-old        an old Multipass
answer-117         answers as of 1.17: zones, other keys
half-json          an answer is cut in the middle
no-address         a running machine has no address but N/A
info-ssh           `info` fails as a whole
exec-hang          exec does not come back
list-hang          list does not come back
launch-unknown     no answer over ssh; the machine is left in state Unknown
launch-starting    the client gives up; the daemon goes on and the machine comes up
launch-stuck       the client gives up; the machine stays in state Starting
launch-slow-init   cloud-init takes too long; the machine runs and goes on
launch-died        the virtual machine ends while it starts; it is left Stopped
disk-full          there is no room for the image
vanish             the machines a call is about are gone
"""

from __future__ import annotations

from pathlib import Path


def struck(home: Path, name: str) -> bool:
    """Whether this fault is ordered now; counts it down."""
    path = home / "faults"
    orders = dict(line.split() for line in path.read_text().splitlines() if line.strip()) if path.exists() else {}
    left = int(orders.get(name, "0"))
    if left == 0:
        return False
    if left > 0:
        orders[name] = str(left - 1)
        path.write_text("".join(f"{key} {value}\n" for key, value in orders.items()))
    return True


def order(home: Path, name: str, count: int = 1) -> None:
    """Order a fault (for tests)."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "faults").open("a") as file:
        file.write(f"{name} {count}\n")
