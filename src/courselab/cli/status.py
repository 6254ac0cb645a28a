"""`lab status`: the started labs, their machines and what runs in them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.course import Lab
from courselab.errors import LabError
from courselab.machines import Machine, MachineState
from courselab.machines.base import Usage
from courselab.session.ages import size
from courselab.session.context import machines_of
from courselab.session.store import LabState


@click.command("status", epilog="Example:  lab status")
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> None:
    """Show the started labs: which Kubernetes, where, and each machine's state, address, and what it takes of this computer."""
    app = App.here()
    names = [app.catalog.find(chapter).chapter] if chapter else app.store.chapters()
    rows, failed = _rows(app, names)
    if failed and not rows:
        raise failed[0]
    if as_json:
        print(json.dumps({"schema": 1, "labs": rows}, ensure_ascii=False))
    else:
        _show(rows, none=not names)
    if failed:
        raise failed[0]


def _show(rows: list[dict[str, Any]], *, none: bool) -> None:
    if none:
        print("No lab is started. `lab start 01` starts one.")
    for row in rows:
        print(f"Lab {row['lab']}  {row['title']}  {row['state']}  {row['k3s']}  on {row['provider']}")
        for machine in row["machines"]:
            about = [f"{machine['state']:<8}", f"{machine['address']:<15}", f"{machine['kubernetes']:<16}", *_usage_words(machine)]
            print(f"  {machine['name']:<12} {'  '.join(about).rstrip()}")
        print(f"  your files   {row['work']}")


def _rows(app: App, chapters: list[str]) -> tuple[list[dict[str, Any]], list[LabError]]:
    """A row for each lab that can be looked at; why the others cannot."""
    rows: list[dict[str, Any]] = []
    failed: list[LabError] = []
    for chapter in chapters:
        try:
            if chapter not in app.catalog.chapters():
                raise LabError(
                    f"Lab {chapter} is of a chapter that is not in {app.paths.course}", fix=f"`lab delete {chapter}` removes it."
                )
            lab = app.catalog.find(chapter)
            rows.append(_row(app, lab, app.started(lab)))
        except LabError as error:
            failed.append(error)
    return rows, failed


def _row(app: App, lab: Lab, state: LabState) -> dict[str, Any]:
    context = app.context_of(state)
    machines = machines_of(context, state)
    return {
        "lab": lab.chapter,
        "title": lab.title,
        "state": state.phase.value,
        "provider": state.provider,
        "k3s": state.k3s or "not installed yet",
        "work": str(app.paths.work / lab.chapter),
        "machines": [_machine_row(host, machine) for host, machine in machines.items()],
    }


def _machine_row(host: str, machine: Machine | None) -> dict[str, Any]:
    state = machine.state.value if machine else "gone"
    row: dict[str, Any] = {"name": host, "state": state, "address": "", "kubernetes": "", **asdict(Usage())}
    if machine is None:
        return row
    try:
        running = machine.state is MachineState.RUNNING
        return row | {"address": machine.address, "kubernetes": _kubernetes(machine) if running else "", **asdict(machine.usage())}
    except LabError as silent:  # one machine that hangs does not hide the others
        return row | {"kubernetes": silent.what}


def _usage_words(row: dict[str, Any]) -> list[str]:
    """What is known of: memory, disk, CPU."""
    amounts = [f"{what} {size(row[key] << 20)}" for what, key in (("memory", "memory_mib"), ("disk", "disk_mib")) if row[key]]
    return [*amounts, *([f"CPU {row['cpu_percent']:.0f} %"] if row["cpu_percent"] is not None else [])]


def _kubernetes(machine: Machine) -> str:
    """What the machine's own systemd says of K3s: active, failed, not installed."""
    said = machine.run(["systemctl", "is-active", "k3s", "k3s-agent"], timeout_s=5).text.split()
    return next((f"k3s {word}" for word in said if word != "inactive"), "k3s not running")
