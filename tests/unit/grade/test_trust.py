"""What a student has on the machine or at home cannot change a verdict, and where it could it is noticed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from courselab.grade import check, fact
from courselab.grade.authors import CheckerMistake
from courselab.grade.clean import clean
from courselab.grade.collect import collect
from courselab.grade.judge import judge
from courselab.grade.toolbox import Lab
from courselab.grade.verdict import Judged, Trouble, VerdictName
from courselab.k3s.kubeconfig import fetch_kubeconfig
from tests.unit.grade.api_stub import Stub, serving
from tests.unit.grade.builders import checker
from tests.unit.grade.test_collect import ANSWER, Machine, target

COURSE = Path(__file__).parents[3]
UNIT = {"load": "loaded", "active": "active", "sub": "running"}


@check("02.deploy")
def unit_runs(nodes: Any) -> None:
    assert nodes["server"].unit("k3s").active == "active"


@check("02.deploy")
def port_is_free(nodes: Any) -> None:
    assert not nodes["server"].port(8080).listening


def judged(function: Any, answer: dict[str, Any]) -> Judged:
    found = collect(target(None, Machine({**ANSWER, "units": {"k3s": UNIT}, **answer}), function))
    return judge(checker(function), found)[0]


# Programs of the machine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("facts", COURSE / "src/courselab/grade/machine_facts.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(path: Path, data: bytes = b"\x7fELF program") -> dict[str, str]:
    """A program, and dpkg's record of it as it is now."""
    path.write_bytes(data)
    path.chmod(0o755)
    return {str(path)[1:]: hashlib.md5(data).hexdigest()}


def test_a_program_that_is_as_its_package_brought_it_is_trusted(facts: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "systemctl"
    sums = program(path)
    if os.stat(path).st_uid == 0:
        assert facts.difference(str(path), sums) == ""
        assert facts.difference(str(path), {}) == ""


@pytest.mark.parametrize("data", [b"\x7fELF another program", b"#!/bin/sh\necho active\n", b""])
def test_a_replaced_program_is_told(facts: ModuleType, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "systemctl"
    sums = program(path)
    path.write_bytes(data)
    assert facts.difference(str(path), sums)


def test_a_program_behind_a_link_and_one_that_anyone_can_change_are_told(facts: ModuleType, tmp_path: Path) -> None:
    path, fake = tmp_path / "systemctl", tmp_path / "fake"
    sums = program(path)
    path.rename(tmp_path / "old")
    program(fake, b"\x7fELF fake")
    path.symlink_to(fake)
    assert facts.difference(str(path), sums)
    path.unlink()
    sums = program(path)
    path.chmod(0o777)
    assert facts.difference(str(path), sums) == "can be changed by others than root"


def test_dpkg_s_records_are_read(facts: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "systemd.md5sums").write_text("0123456789abcdef0123456789abcdef  usr/bin/systemctl\n")
    (tmp_path / "libpython3.11-stdlib:amd64.md5sums").write_text("fedcba  usr/lib/python3.11/json/__init__.py\n")
    facts.RECORDS = f"{tmp_path}/"
    assert facts.recorded_sums() == {
        "usr/bin/systemctl": "0123456789abcdef0123456789abcdef",
        "usr/lib/python3.11/json/__init__.py": "fedcba",
    }


def test_what_rests_on_a_replaced_program_is_no_verdict() -> None:
    replaced = {"untrusted": {"/usr/bin/systemctl": "is not the one that its package brought"}}
    assert judged(unit_runs, {}).passed
    one = judged(unit_runs, replaced)
    assert (one.verdict, one.trouble) == (VerdictName.ERROR, Trouble.UNREACHABLE)
    assert "/usr/bin/systemctl is not the one that its package brought" in one.message
    assert judged(port_is_free, replaced).passed


@pytest.mark.parametrize("path", ["/etc/ld.so.preload", "/usr/bin/python3.11", "/usr/lib/python3.11/json/__init__.py"])
def test_where_python_itself_is_another_nothing_is_believed(path: str) -> None:
    for function in (unit_runs, port_is_free):
        assert judged(function, {"untrusted": {path: "is another"}}).verdict is VerdictName.ERROR


@pytest.mark.parametrize("nonce", ["", "0123456789abcdef", None, 7])
def test_an_answer_that_was_written_beforehand_is_not_taken(nonce: Any) -> None:
    node = collect(target(None, Machine({**ANSWER, "nonce": nonce}), unit_runs)).nodes["server"]
    assert not node.reachable
    assert "did not run what it was given" in node.why


def test_fact_functions_find_the_system_s_programs_first() -> None:
    @fact("who", on="server")
    def who(host: Any) -> Any:
        return host.run("id").stdout

    machine = Machine()
    collect(target(None, machine, unit_runs, who))
    [argv] = [argv for argv in machine.ran if "/bin/sh" in argv]
    assert argv[:2] == ["/usr/bin/env", "-i"]
    assert next(word for word in argv if word.startswith("PATH=")) == "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"


def test_experiments_name_programs_with_their_whole_path() -> None:
    lab = Lab(None, {"server": Machine()}, deadline_s=5)
    with pytest.raises(CheckerMistake, match="whole path"):
        lab.run("server", ["curl", "http://localhost/"])
    assert lab.run("server", ["/usr/bin/curl", "http://localhost/"]).code == 0


# The way to the cluster -------------------------------------------------------------------------------------------------------


class Server(Machine):
    """A machine with a kubeconfig."""

    text = ""

    def get(self, path: str, *, limit_bytes: int) -> bytes:
        return self.text.encode()


@pytest.mark.parametrize("host", ["127.0.0.1", "cluster.example", "[::1]", "203.0.113.9", "'https://x'"])
def test_a_kubeconfig_leads_to_its_own_machine_whatever_it_says(host: str) -> None:
    server = Server()
    server.text = f"clusters:\n- cluster:\n    server: https://{host}:6443\n"
    if "'" not in host:
        assert f"server: https://{server.address}:6443\n" in fetch_kubeconfig(server)  # pyright: ignore[reportArgumentType]
    server.text = f'clusters:\n- cluster:\n    server: "https://{host.strip(chr(39))}:6443"\n'
    if "//" not in host:
        assert f'server: "https://{server.address}:6443"\n' in fetch_kubeconfig(server)  # pyright: ignore[reportArgumentType]


def test_proxies_and_kubeconfigs_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with serving(Stub()) as stub:
        assert collect(target(stub, Machine(), unit_runs)).cluster.reachable


# The student's own files and environment --------------------------------------------------------------------------------------

TRAPS = {
    "conftest.py": "raise SystemExit('conftest')",
    "sitecustomize.py": "raise SystemExit('sitecustomize')",
    "usercustomize.py": "raise SystemExit('usercustomize')",
    "courselab.py": "raise SystemExit('courselab')",
    "msgspec.py": "raise SystemExit('msgspec')",
    "json.py": "raise SystemExit('json')",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "kubectl": "#!/bin/sh\nexit 0\n",
    "python3": "#!/bin/sh\nexit 0\n",
}


@pytest.mark.parametrize(("case", "code"), [("solved", 0), ("route.host", 1), ("untouched", 1)])
def test_files_and_variables_at_home_change_no_verdict(tmp_path: Path, case: str, code: int) -> None:
    for name, text in TRAPS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    here = str(tmp_path)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "PYTEST"))},
        "LAB_HOME": here,
        "HOME": here,
        "PATH": f"{here}:/usr/bin:/bin",
        "PYTHONPATH": here,
        "PYTHONSTARTUP": f"{here}/sitecustomize.py",
        "PYTHONUSERBASE": here,
        "PYTHONOPTIMIZE": "2",
        "PYTEST_ADDOPTS": "--collect-only",
        "PYTEST_PLUGINS": "conftest",
        "KUBECONFIG": f"{here}/none",
        "BASH_ENV": f"{here}/kubectl",
    }
    argv = [sys.executable, "-I", "-m", "courselab", "check", "--evidence", str(COURSE / f"tests/evidence/03/{case}.json.gz"), "--json"]
    done = subprocess.run(
        argv, cwd=here, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    verdicts = {one["id"]: one["verdict"] for one in json.loads(done.stdout)["checks"]}
    if case == "solved":
        assert set(verdicts.values()) == {"pass"}
    elif case == "untouched":
        assert "pass" not in verdicts.values()
    else:
        assert verdicts["03.route"] == "fail"


def test_asserts_of_checks_work_however_python_was_started() -> None:
    """PYTHONOPTIMIZE takes asserts out of a program; ./lab starts Python with -I, which does not look at it."""
    assert " -I -m courselab" in (COURSE / "lab").read_text(encoding="utf-8")


# The screen -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0x1B, 0x07, 0x9B, 0x061C, 0x180E, 0x200B, 0x202E, 0x2066, 0x206F, 0xFEFF, 0xFFF9, 0xE0041, 0xD800])
def test_what_hides_or_moves_text_is_shown_as_a_code(code: int) -> None:
    shown = clean(f"a{chr(code)}b")
    assert chr(code) not in shown
    assert shown.startswith("a\\")


def test_words_of_all_languages_stay() -> None:
    for words in ("größer", "čaj", "שלום", "مرحبا", "नमस्ते", "こんにちは", "e\u0301"):
        assert clean(words) == words


def test_a_tower_of_accents_does_not_cover_other_lines() -> None:
    assert len(clean("Z" + "\u0301\u0308" * 500)) == 3


def test_a_long_line_is_cut() -> None:
    assert len(clean("x" * 1_000_000)) == 400
