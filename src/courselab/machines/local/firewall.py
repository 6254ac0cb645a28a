"""Rules that let machines out, keep labs apart, and get along with other people's firewalls on the same host.

Ours are in one nft table that comes and goes as a whole. In nftables, accepting in one table does not overrule another table that
drops, and Docker, ufw and others drop what the host forwards. So each such chain gets one rule per bridge in front, marked with
our table's name, and loses it again. Where br_netfilter is loaded those chains also see what machines of one lab say to each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab import process
from courselab.errors import LabError
from courselab.machines.local.names import BRIDGES
from courselab.machines.local.packages import find_program

TIMEOUT_S = 10.0
LEGACY_TABLES = Path("/proc/net/ip_tables_names")  # what the older kernel interface of iptables has


@dataclass(frozen=True)
class Side:
    """One lab's bridge with its network."""

    bridge: str
    net: str


@dataclass(frozen=True)
class Chain:
    """A chain of somebody else that decides what the host forwards."""

    family: str
    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


def apply(table: str, sides: Sequence[Side]) -> None:
    """Make the host's firewall right for exactly these bridges; without any, no rule of ours is left."""
    _nft(ruleset(table, sides) + "".join(f"{line}\n" for line in _passes(table, sides, _nft_json("--terse", "list", "ruleset"))))
    if LEGACY_TABLES.exists() and "filter" in LEGACY_TABLES.read_text().split():
        _legacy_passes(table, sides)


def ruleset(table: str, sides: Sequence[Side]) -> str:
    """The input for nft that replaces our table in one step."""
    lines = [f"table inet {table}", f"delete table inet {table}"]
    if sides:
        forward: list[str] = []
        for side in sides:
            forward.append(f'    iifname "{side.bridge}" oifname "{BRIDGES}*" oifname != "{side.bridge}" drop')
            forward.append(f'    oifname "{side.bridge}" iifname != "{side.bridge}" ct state new drop')
        hide = [f'    ip saddr {side.net} oifname != "{side.bridge}" masquerade' for side in sides]
        lines += [
            f"table inet {table} {{",
            "  chain forward {",
            "    type filter hook forward priority -5; policy accept;",
            *forward,
            "  }",
            "  chain postrouting {",
            "    type nat hook postrouting priority 100; policy accept;",
            *hide,
            "  }",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _passes(table: str, sides: Sequence[Side], objects: Iterable[dict[str, Any]]) -> list[str]:
    """The nft commands that give each foreign forwarding chain our passes and remove those that are not needed."""
    chains: list[Chain] = []
    wanted: list[str] = []
    ours: list[str] = []
    filled: set[Chain] = set()
    strict: set[Chain] = set()
    for entry in objects:
        if chain := entry.get("chain"):
            found = Chain(chain["family"], chain["table"], chain["name"])
            if chain.get("hook") == "forward" and chain.get("type") == "filter" and found.family in {"ip", "inet"} and not _is_lab(found):
                chains.append(found)
                strict |= {found} if chain.get("policy") == "drop" else set()
        if rule := entry.get("rule"):
            found = Chain(rule["family"], rule["table"], rule["chain"])
            if rule.get("comment") == table:
                ours.append(f"delete rule {found} handle {rule['handle']}")
            else:
                filled.add(found)
    for chain in chains:
        if chain in strict or chain in filled:
            for side in sides:
                wanted.append(f'insert rule {chain} iifname "{side.bridge}" counter accept comment "{table}"')
                wanted.append(f'insert rule {chain} oifname "{side.bridge}" counter accept comment "{table}"')
    return ours + wanted


def _is_lab(chain: Chain) -> bool:
    return chain.table.startswith("courselab_")


def _legacy_passes(table: str, sides: Sequence[Side]) -> None:
    """The same for rules that were made through the older kernel interface, which nft does not show."""
    program = find_program("iptables-legacy")
    if not program:
        if sides:
            raise LabError(
                "The host's firewall would not let machines pass",
                why="Some program made rules through the older interface of iptables, and there is no iptables-legacy to add ours.",
                fix="Run `apt-get install iptables` as root.",
            )
        return  # then none of ours are there
    command = [program, "--wait", "5"]
    listed = process.run([*command, "-S", "FORWARD"], timeout_s=TIMEOUT_S)
    for line in listed.text.splitlines():
        if line.startswith("-A FORWARD ") and f"--comment {table}" in line:
            process.run([*command, "-D", *line.split()[1:]], timeout_s=TIMEOUT_S)
    for side in sides:
        for direction in ("-i", "-o"):
            rule = ["FORWARD", direction, side.bridge, "-m", "comment", "--comment", table, "-j", "ACCEPT"]
            process.run([*command, "-I", *rule], timeout_s=TIMEOUT_S)


def _nft(text: str) -> None:
    done = process.run(["nft", "-f", "-"], input=text.encode(), timeout_s=TIMEOUT_S)
    done.check("The firewall rules of the machines could not be set", fix="Run `lab doctor`.")


def _nft_json(*words: str) -> list[dict[str, Any]]:
    shown = process.run(["nft", "--json", *words], timeout_s=TIMEOUT_S).check("The host's firewall could not be read")
    objects: list[dict[str, Any]] = json.loads(shown.stdout or b"{}").get("nftables", [])
    return objects
