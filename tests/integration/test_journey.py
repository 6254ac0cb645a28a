"""The main journey on a real cluster, as a learner types it: start, check, solve, restart, reset, delete."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest
import testinfra.backend.base
import testinfra.host

from courselab.course import Catalog
from courselab.course.scripts import Script, read_scripts
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.traces import traces

CHAPTER = "02"
LAB = Catalog(COURSE).find(CHAPTER)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    """Chapter 02 started once for this module, in a home with a space in its name."""
    before = host_marks()
    command = LabCommand(tmp_path_factory.mktemp("a home"))
    try:
        command.ok("start", CHAPTER)
        yield command
    finally:
        command.ok("delete", "--all", "--yes")
    assert traces(command.home / "state" / "machines") == {}, "nothing is left"
    assert host_marks() == before, "the host is as it was"


def verdicts(lab: LabCommand, *words: str) -> dict[str, str]:
    report = json.loads(lab.run("check", CHAPTER, "--json", *words).stdout)
    return {check["id"]: check["verdict"] for check in report["checks"]}


def run_script(lab: LabCommand, script: Script) -> None:
    user = ["--root"] if script.user == "root" else []
    lab.ok("shell", *user, "--lab", CHAPTER, script.on, "--", "sh", "-elc", script.text)


def solve(lab: LabCommand) -> None:
    for script in read_scripts(LAB, "solution"):
        run_script(lab, script)


def test_the_journey(lab: LabCommand) -> None:
    untouched = verdicts(lab, "--no-wait")
    assert "pass" not in untouched.values()
    assert lab.run("check", CHAPTER, "--no-wait").returncode == 1

    solve(lab)
    done = lab.run("check", CHAPTER, "--json")
    report = json.loads(done.stdout)
    assert {check["id"]: check["verdict"] for check in report["checks"]} == dict.fromkeys(untouched, "pass"), done.stdout
    assert done.returncode == 0
    assert report["score"] == {"earned": LAB.possible, "possible": LAB.possible, "undecided": 0}

    snapshots = json.loads(lab.ok("snapshots", CHAPTER, "--json").stdout)["snapshots"]
    assert [one["name"] for one in snapshots] == ["completed"], "a solved lab is kept"
    (machine,) = json.loads(lab.ok("status", CHAPTER, "--json").stdout)["labs"][0]["machines"]
    assert machine["memory_mib"] > 100
    assert machine["disk_mib"] > 10

    lab.ok("shell", "--root", "server", "--", "systemctl", "restart", "k3s")
    assert set(verdicts(lab).values()) == {"pass"}, "a restart of K3s changes nothing"

    listed = json.loads(lab.ok("list", "--json").stdout)["chapters"]
    assert next(row for row in listed if row["chapter"] == CHAPTER)["earned"] == LAB.possible


def test_saved_evidence_is_judged_the_same_without_a_cluster(lab: LabCommand, tmp_path: Path) -> None:
    live = lab.run("check", CHAPTER, "--json", "--save-evidence", str(tmp_path / "evidence.json"))
    again = LabCommand(tmp_path / "another home").run("check", CHAPTER, "--json", "--evidence", str(tmp_path / "evidence.json"))
    assert again.returncode == live.returncode
    pick = [(c["id"], c["verdict"], c["earned"]) for c in json.loads(live.stdout)["checks"]]
    assert [(c["id"], c["verdict"], c["earned"]) for c in json.loads(again.stdout)["checks"]] == pick


def test_the_machine_is_what_k3s_would_leave(lab: LabCommand) -> None:
    host = testinfra.host.Host(Shell(lab))
    k3s = host.service("k3s")
    assert k3s.is_running
    assert k3s.is_enabled
    config = host.file("/etc/rancher/k3s/k3s.yaml")
    assert (config.user, config.mode) == ("root", 0o600)
    assert host.file("/var/lib/rancher/k3s/server/node-token").exists
    assert host.file("/home/student/.kube/config").mode == 0o600
    assert host.file("/home/student/.kube/config").user == "student"
    assert host.socket("tcp://6443").is_listening
    assert host.user("student").exists
    assert re.match(r"(k3s|stand-in) version v1\.", host.check_output("k3s --version"))


def test_the_learners_files_are_on_both_sides_and_survive_reset(lab: LabCommand) -> None:
    work = lab.home / "work" / CHAPTER
    (work / "mine.txt").write_text("notes")
    assert lab.ok("shell", "server", "--", "cat", "work/mine.txt").stdout == "notes"
    lab.ok("shell", "server", "--", "sh", "-c", "echo theirs > work/theirs.txt")
    assert (work / "theirs.txt").read_text() == "theirs\n"
    values = lab.ok("env", CHAPTER).stdout
    lab.ok("reset", CHAPTER, "--yes")
    assert (work / "mine.txt").read_text() == "notes"
    assert lab.ok("env", CHAPTER).stdout == values
    assert "pass" not in {v for k, v in verdicts(lab, "--no-wait").items() if not k.endswith("crash")}


def test_kubectl_takes_a_file_of_the_host(lab: LabCommand, tmp_path: Path) -> None:
    manifest = tmp_path / "a map.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-host}\ndata: {a: b}\n")
    lab.ok("kubectl", "apply", "-f", str(manifest))
    assert lab.ok("kubectl", "get", "cm", "from-host", "-o", "jsonpath={.data.a}").stdout == "b"
    failed = lab.run("kubectl", "get", "nonsense")
    assert failed.returncode == 1
    assert "nonsense" in failed.stderr


class Shell(testinfra.backend.base.BaseBackend):
    """pytest-testinfra through `lab shell`, as root."""

    NAME = "lab"

    def __init__(self, lab: LabCommand) -> None:
        super().__init__("lab")
        self._lab = lab
        self._encoding = "utf-8"

    def run(self, command: str, *args: str, **_: object) -> testinfra.backend.base.CommandResult:
        text = self.get_command(command, *args)
        done = self._lab.run("shell", "--root", "--lab", CHAPTER, "server", "--", "sh", "-c", text)
        return self.result(done.returncode, text, done.stdout, done.stderr)
