"""`lab status`: the started labs, their machines and what runs in them."""

from __future__ import annotations

import json
from typing import Any

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.course import Lab
from courselab.machines import Machine, MachineState
from courselab.session.context import machines_of
from courselab.session.store import LabState


@click.command("status", epilog="Example:  lab status")
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> None:
    """Show the started labs: which Kubernetes, where, and each machine's state and address."""
    app = App.here()
    labs = [app.catalog.find(chapter)] if chapter else [app.catalog.find(name) for name in app.store.chapters()]
    rows = [_row(app, lab, app.started(lab)) for lab in labs]
    if as_json:
        print(json.dumps({"schema": 1, "labs": rows}, ensure_ascii=False))
        return
    if not rows:
        print("No lab is started. `lab start 02` starts one.")
    for row in rows:
        print(f"Lab {row['lab']}  {row['title']}  {row['state']}  {row['k3s']}  on {row['provider']}")
        for machine in row["machines"]:
            print(f"  {machine['name']:<12} {machine['state']:<9} {machine['address']:<15} {machine['kubernetes']}")
        print(f"  your files   {row['work']}")


def _row(app: App, lab: Lab, state: LabState) -> dict[str, Any]:
    context = app.context_of(state)
    machines = machines_of(context, state)
    name = "K3s" if state.distribution == "k3s" else state.distribution
    return {
        "lab": lab.chapter,
        "title": lab.title,
        "state": state.phase.value,
        "provider": state.provider,
        "k3s": f"{name} {state.version}".strip() or "not installed yet",
        "work": str(app.paths.work / lab.chapter),
        "machines": [_machine_row(host, machine) for host, machine in machines.items()],
    }


def _machine_row(host: str, machine: Machine | None) -> dict[str, str]:
    if machine is None:
        return {"name": host, "state": "gone", "address": "", "kubernetes": ""}
    state = machine.state
    return {
        "name": host,
        "state": state.value,
        "address": machine.address,
        "kubernetes": _kubernetes(machine) if state is MachineState.RUNNING else "",
    }


def _kubernetes(machine: Machine) -> str:
    """What the machine's own systemd says of K3s: active, failed, not installed."""
    said = machine.run(["systemctl", "is-active", "k3s", "k3s-agent"], timeout_s=5).text.split()
    return next((f"k3s {word}" for word in said if word != "inactive"), "k3s not running")
