"""Local machines on the real host: what a lab, and a learner, relies on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from courselab.errors import LabError, Unreachable, UsageError
from courselab.machines.base import Machine, MachineSpec, MachineState, Mount, Provider
from courselab.machines.local import local_provider
from courselab.paths import Paths, find_paths
from courselab.process import CommandTimeout
from courselab.progress import Silent

from .traces import host_settings, traces

pytestmark = pytest.mark.filterwarnings("error")
READY_S = 30
CAP_SYS_MODULE = 16


def paths_below(home: Path) -> Paths:
    cache = os.environ.get("LAB_CACHE", str(Path.home() / ".cache/k3s-course-lab"))
    return find_paths({"LAB_HOME": str(home), "LAB_CACHE": cache})


def provider_at(home: Path) -> Provider:
    return local_provider(paths_below(home), Silent(), lambda _: True)


def spec(name: str, lab: str = "02", **more: object) -> MachineSpec:
    return MachineSpec(f"k3s-{lab}-{name}", name, lab, memory_mib=512, **more)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A LAB_HOME with a space, a colon and an umlaut in its path; whatever is left in it at the end is removed."""
    folder = tmp_path / "läb: home"
    yield folder
    for machine in provider_at(folder).list():
        machine.delete()


@pytest.fixture
def provider(home: Path) -> Provider:
    return provider_at(home)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all tests that leave it as it was."""
    made = provider_at(tmp_path_factory.mktemp("lab home")).create(spec("server"))
    yield made
    made.delete()


def text(machine: Machine, *argv: str, user: str = "root") -> str:
    done = machine.run(argv, timeout_s=20, user=user)
    assert done.code == 0, done.error_text
    return done.text.strip()


def reaches(machine: Machine, address: str) -> bool:
    return machine.run(["ping", "-c1", "-W1", address], timeout_s=10).code == 0


# Running programs and moving files


def test_it_is_a_whole_system_of_its_own(machine: Machine) -> None:
    assert text(machine, "hostname") == "server"
    assert text(machine, "systemctl", "is-system-running", "--wait") == "running"
    assert machine.address in text(machine, "ip", "-br", "addr", "show", "eth0")
    assert text(machine, "systemd-run", "--wait", "--pipe", "--quiet", "echo", "unit") == "unit"


def test_a_program_runs_as_its_user_at_home(machine: Machine) -> None:
    script = 'id -un; pwd; echo "$HOME $USER"'
    assert text(machine, "sh", "-c", script) == "root\n/root\n/root root"
    assert text(machine, "sh", "-c", script, user="student") == "student\n/home/student\n/home/student student"
    assert text(machine, "sudo", "-n", "id", "-un", user="student") == "root"


def test_exit_codes_input_and_both_outputs_come_back(machine: Machine) -> None:
    done = machine.run(["sh", "-c", "cat; echo oops >&2; exit 7"], input=b"\0bytes\xff", timeout_s=10)
    assert (done.code, done.stdout, done.stderr) == (7, b"\0bytes\xff", b"oops\n")
    assert done.argv == ("sh", "-c", "cat; echo oops >&2; exit 7")


def test_a_program_that_is_not_there_fails_without_hurting_the_machine(machine: Machine) -> None:
    assert machine.run(["no-such-program"], timeout_s=10).code == 127
    assert machine.state is MachineState.RUNNING


def test_a_program_is_ended_at_its_deadline(machine: Machine) -> None:
    with pytest.raises(CommandTimeout, match="sleep 4711"):
        machine.run(["sleep", "4711"], timeout_s=0.5)
    assert machine.run(["pgrep", "-f", "^sleep 4711$"], timeout_s=10).code == 1


def test_endless_output_is_cut(machine: Machine) -> None:
    done = machine.run(["sh", "-c", "head -c 20000000 /dev/zero"], timeout_s=30)
    assert done.truncated
    assert len(done.stdout) < 20_000_000


def test_many_programs_run_at_once(machine: Machine) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(text(machine, "echo", str(n)))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=int) == [str(n) for n in range(12)]


def test_a_file_arrives_whole_with_its_mode_and_owner(machine: Machine) -> None:
    machine.put("/home/student/.kube/a b/config", b"\0one", mode=0o600, owner="student")
    assert machine.get("/home/student/.kube/a b/config") == b"\0one"
    assert text(machine, "stat", "-c", "%a %U %G", "/home/student/.kube/a b/config") == "600 student student"
    assert text(machine, "stat", "-c", "%U", "/home/student/.kube") == "student"
    machine.put("/home/student/.kube/a b/config", b"two")
    assert text(machine, "ls", "-A", "/home/student/.kube/a b") == "config"


def test_a_large_file_of_the_host_arrives(machine: Machine, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 30
    (tmp_path / "big").write_bytes(data)
    machine.put_file("/opt/tools/big", tmp_path / "big", mode=0o755)
    assert machine.get("/opt/tools/big", limit_bytes=len(data)) == data
    assert text(machine, "stat", "-c", "%a %U", "/opt/tools/big") == "755 root"


def test_a_file_that_is_not_there_or_too_large_is_an_error(machine: Machine) -> None:
    with pytest.raises(LabError, match="/no/such"):
        machine.get("/no/such")
    with pytest.raises(LabError) as told:
        machine.get("/etc/passwd", limit_bytes=10)
    assert "10 bytes" in told.value.why


def test_a_link_in_the_machine_does_not_lead_to_the_host(machine: Machine, tmp_path: Path) -> None:
    text(machine, "mkdir", "-p", str(tmp_path))
    text(machine, "ln", "-sfn", str(tmp_path), "/trap")
    machine.put("/trap/file", b"x")
    assert not (tmp_path / "file").exists()


def test_a_shell_has_a_terminal_of_its_own_and_its_exit_code_comes_back(machine: Machine) -> None:
    done = subprocess.run(machine.shell_argv(["sh", "-c", "tty; id -un; exit 3"]), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3
    assert done.stdout.split() == ["/dev/pts/0", "student"]


def test_without_a_terminal_output_and_errors_stay_apart(machine: Machine) -> None:
    argv = machine.shell_argv(["sh", "-c", "echo out; echo err >&2"], user="root", terminal=False)
    done = subprocess.run(argv, capture_output=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_job_control_works_in_a_shell(machine: Machine) -> None:
    argv = machine.shell_argv(["bash", "-ic", "sleep 60 & jobs; kill %1; wait; echo done"])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert "sleep 60" in done.stdout
    assert "done" in done.stdout
    assert "no job control" not in done.stdout


# The host is not harmed


def test_the_clock_of_the_host_cannot_be_set(machine: Machine) -> None:
    # The time that it is: should this ever succeed, nothing is lost.
    assert machine.run(["sh", "-c", 'date -s "$(date)"'], timeout_s=10).code != 0
    assert machine.run(["systemd-run", "--wait", "--quiet", "sh", "-c", 'date -s "$(date)"'], timeout_s=10).code != 0


@pytest.mark.parametrize("name", ["kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom"])
def test_what_a_kubelet_sets_does_not_reach_the_host(machine: Machine, name: str) -> None:
    before = Path("/proc/sys", name).read_text()
    text(machine, "sh", "-c", f"echo 1 > /proc/sys/{name}")
    assert text(machine, "cat", f"/proc/sys/{name}") == "1"
    assert Path("/proc/sys", name).read_text() == before


def test_other_settings_of_the_kernel_are_read_only_but_the_network_is_the_machines_own(machine: Machine) -> None:
    same = Path("/proc/sys/vm/swappiness").read_text().strip()
    assert machine.run(["sh", "-c", f"echo {same} > /proc/sys/vm/swappiness"], timeout_s=10).code != 0
    before = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text()
    text(machine, "sh", "-c", "echo 77 > /proc/sys/net/ipv4/ip_default_ttl")
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() == before


def test_memory_is_limited(machine: Machine) -> None:
    grab = "import sys; data = bytearray(700 << 20); sys.stdout.write('got it')"
    assert machine.run(["python3", "-c", grab], timeout_s=60).text == ""
    assert machine.state is MachineState.RUNNING


def test_swap_and_modules_of_the_host_are_out_of_reach(machine: Machine) -> None:
    text(machine, "swapoff", "-a")
    assert len(text(machine, "cat", "/proc/swaps").splitlines()) <= 1
    assert int(text(machine, "sed", "-n", "s/^CapBnd:\t//p", "/proc/self/status"), 16) >> CAP_SYS_MODULE & 1 == 0


# Networks


def test_machines_of_a_lab_reach_each_other_and_other_labs_do_not(provider: Provider, home: Path, tmp_path: Path) -> None:
    server, agent = provider.create(spec("server")), provider.create(spec("agent"))
    other = provider.create(spec("server", lab="03"))
    elsewhere = provider_at(tmp_path / "another home")
    stranger = elsewhere.create(spec("server"))
    try:
        assert reaches(server, agent.address)
        with pytest.raises(ConnectionRefusedError):  # so the host reaches it
            socket.create_connection((server.address, 9), timeout=5)
        for far in (other, stranger):
            assert not reaches(server, far.address)
            assert not reaches(far, server.address)
        assert len({machine.address for machine in (server, agent, other, stranger)}) == 4
        assert {machine.name for machine in provider.list("02")} == {server.name, agent.name}
    finally:
        stranger.delete()
    assert traces(paths_below(tmp_path / "another home").machines) == {}
    assert reaches(server, agent.address)


FIREWALL = """
set -eu
ip netns add $1; ip netns add $2
ip link add up0 netns $1 type veth peer name up0 netns $2
for n in $1 $2; do ip -n $n link set lo up; ip -n $n link set up0 up; done
ip -n $1 addr add 198.51.100.1/24 dev up0; ip -n $2 addr add 198.51.100.2/24 dev up0
ip -n $1 route add default via 198.51.100.2
in_host="nsenter --net=/run/netns/$1"
$in_host iptables -P FORWARD DROP
$in_host iptables -N DOCKER-USER; $in_host iptables -A DOCKER-USER -j RETURN
$in_host iptables -N DOCKER-FORWARD; $in_host iptables -A FORWARD -j DOCKER-USER; $in_host iptables -A FORWARD -j DOCKER-FORWARD
$in_host iptables -t nat -N DOCKER; $in_host iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
$in_host iptables-save
"""
# A process for which the network of a namespace is the host's. What it lends from "the host" is kept apart from the real one's.
IN_NAMESPACE = """
import sys
from pathlib import Path
from courselab.machines.base import MachineSpec
from tests.integration.test_local_machines import provider_at, reaches, spec
provider = provider_at(Path(sys.argv[1]))
server, agent = provider.create(spec("server")), provider.create(spec("agent"))
print("neighbour", reaches(server, agent.address))
print("outside", reaches(server, "198.51.100.2"))
server.delete()
print("still", reaches(agent, "198.51.100.2"))
agent.delete()
"""


def test_dockers_firewall_does_not_cut_machines_off(home: Path) -> None:
    host, world = f"clt-h{os.getpid()}", f"clt-w{os.getpid()}"
    try:
        rules = subprocess.run(["sh", "-c", FIREWALL, "sh", host, world], capture_output=True, text=True, timeout=60, check=True).stdout
        apart = 'mkdir -p /run/courselab; mount -t tmpfs tmpfs /run/courselab; exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{host}", "unshare", "--mount", "--propagation=private", "sh", "-c", apart, "sh"]
        done = child(IN_NAMESPACE, str(home), before=enter)
        assert done.stdout.split("\n")[:3] == ["neighbour True", "outside True", "still True"], done.stderr
        after = subprocess.run(
            ["nsenter", f"--net=/run/netns/{host}", "iptables-save"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
        assert without_counters(after) == without_counters(rules)
    finally:
        for name in (host, world):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=20, check=False)


def without_counters(rules: str) -> list[str]:
    return [line.split(" [")[0] for line in rules.splitlines() if not line.startswith("#")]


# A machine's life


def test_creating_again_returns_the_same_machine(provider: Provider) -> None:
    first = provider.create(spec("server"))
    first.put("/root/mark", b"x")
    again = provider.create(spec("server"))
    assert again.get("/root/mark") == b"x"
    assert again.address == first.address
    with pytest.raises(LabError, match="another machine"):
        provider.create(spec("server", student_uid=1234))


def test_a_stopped_machine_says_so_and_comes_back_with_its_files_and_address(provider: Provider, home: Path) -> None:
    machine = provider.create(spec("server"))
    machine.put("/root/mark", b"kept")
    machine.stop()
    assert machine.state is MachineState.STOPPED
    assert traces(paths_below(home).machines) == {}
    with pytest.raises(Unreachable):
        machine.run(["true"], timeout_s=5)
    address = machine.address
    machine.start()
    machine.start()
    assert machine.get("/root/mark") == b"kept"
    assert machine.address == address
    assert address in text(machine, "ip", "-br", "addr", "show", "eth0")


def test_a_machine_can_be_restarted_from_inside(provider: Provider) -> None:
    machine = provider.create(spec("server"))
    boot = text(machine, "cat", "/proc/sys/kernel/random/boot_id")
    machine.run(["systemctl", "reboot"], timeout_s=10)
    wait_until(lambda: machine.state is MachineState.RUNNING and text(machine, "cat", "/proc/sys/kernel/random/boot_id") != boot)
    assert machine.address in text(machine, "ip", "-br", "addr", "show", "eth0")


def test_a_machine_that_switched_itself_off_can_be_started(provider: Provider) -> None:
    machine = provider.create(spec("server"))
    machine.run(["systemctl", "poweroff"], timeout_s=10)
    wait_until(lambda: machine.state is MachineState.STOPPED)
    machine.start()
    assert machine.state is MachineState.RUNNING


def test_a_machine_whose_init_was_killed_can_be_started(provider: Provider, home: Path) -> None:
    machine = provider.create(spec("server"))
    for path in traces(paths_below(home).machines)["processes"]:
        os.kill(int(path.split("/")[2]), 9)
    machine.start()
    assert machine.run(["true"], timeout_s=10).code == 0


def test_a_machine_that_was_killed_leaves_no_lock_on_the_host(provider: Provider) -> None:
    """`delete` kills it: systemd-nspawn cannot remove its locks itself then, one for each machine there ever was."""
    locks = Path("/run/systemd/nspawn/locks")
    before = set(locks.glob("*"))
    machine = provider.create(spec("server"))
    assert (made := set(locks.glob("*")) - before)
    machine.delete()
    assert not made & set(locks.glob("*"))


def test_a_machine_made_anew_keeps_its_place_and_nothing_else(provider: Provider, home: Path) -> None:
    machine = provider.create(spec("server"))
    machine.put("/etc/mark", b"old")
    machine.put("/var/lib/rancher/mark", b"old")
    again = provider.create(spec("server", student_uid=4711), anew=True)
    assert (again.address, again.spec.student_uid) == (machine.address, 4711)
    for mark in ("/etc/mark", "/var/lib/rancher/mark"):
        with pytest.raises(LabError, match="could not be read"):
            again.get(mark)
    disks = paths_below(home).machines / "k3s-02-server" / "disks"
    assert len(list(disks.iterdir())) == 2
    provider.sweep("02")
    assert len(list(disks.iterdir())) == 1
    assert text(again, "hostname") == "server"


def test_snapshots(provider: Provider) -> None:
    machine = provider.create(spec("server"))
    machine.put("/etc/mark", b"early")
    machine.put("/var/lib/rancher/mark", b"early", owner="student")
    with pytest.raises(LabError, match="stopped"):
        machine.snapshot("early")
    machine.stop()
    machine.snapshot("early")
    with pytest.raises(LabError, match="already"):
        machine.snapshot("early")
    machine.start()
    machine.put("/etc/mark", b"late")
    machine.put("/var/lib/rancher/mark", b"late")
    text(machine, "rm", "/etc/debian_version")
    machine.stop()
    machine.restore("early")
    assert machine.snapshots() == ["early"]
    machine.start()
    assert machine.get("/etc/mark") == machine.get("/var/lib/rancher/mark") == b"early"
    assert text(machine, "stat", "-c", "%U", "/var/lib/rancher/mark") == "student"
    assert machine.get("/etc/debian_version")
    machine.delete_snapshot("early")
    assert machine.snapshots() == []
    machine.stop()
    with pytest.raises(LabError, match="no snapshot"):
        machine.restore("early")
    with pytest.raises(UsageError):
        machine.snapshot("../early")


def test_a_learners_folder_is_shared_and_survives_everything(provider: Provider, tmp_path: Path) -> None:
    work = tmp_path / "my: wörk"
    (work / "deep").mkdir(parents=True)
    (work / "deep/web.yaml").write_text("mine")
    os.chown(work, 1234, 1234)
    machine = provider.create(spec("server", student_uid=1234, mounts=(Mount(work, "/home/student/work", writable=True),)))
    assert text(machine, "cat", "work/deep/web.yaml", user="student") == "mine"
    text(machine, "sh", "-c", "echo new > work/new.yaml", user="student")
    assert (work / "new.yaml").stat().st_uid == 1234
    machine.stop()
    machine.snapshot("one")
    (work / "later").write_text("x")
    machine.restore("one")
    machine.start()
    machine.delete()
    assert sorted(path.name for path in work.rglob("*")) == ["deep", "later", "new.yaml", "web.yaml"]


def test_a_folder_shared_read_only_cannot_be_written(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    machine = provider.create(spec("server", mounts=(Mount(tmp_path / "tools", "/opt/tools"),)))
    assert machine.run(["touch", "/opt/tools/x"], timeout_s=10).code != 0
    with pytest.raises(UsageError, match="cannot be shared"):
        provider.create(spec("agent", mounts=(Mount(tmp_path / "none", "/opt/tools"),)))


def test_deleting_leaves_the_host_as_it_was(provider: Provider, home: Path) -> None:
    settings = host_settings()
    machines = [provider.create(spec("server")), provider.create(spec("server", lab="03"))]
    held = {"processes", "grouped processes", "interfaces", "groups", "firewall", "routes", "nspawn", "settings"}
    assert set(traces(paths_below(home).machines)) == held
    for machine in machines:
        machine.delete()
    assert traces(paths_below(home).machines) == {}
    assert host_settings() == settings
    assert provider.list() == []
    assert provider.get(machines[0].name) is None
    machines[0].delete()


def test_names_that_are_no_names_are_refused(provider: Provider) -> None:
    assert provider.get("../../etc") is None
    with pytest.raises(UsageError):
        provider.create(MachineSpec("../x", "server", "02"))
    with pytest.raises(UsageError):
        provider.create(MachineSpec("x", "a b", "02"))


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_any_umask_will_do(home: Path, umask: int) -> None:
    made = child(CREATE, str(home), umask=umask)
    assert made.returncode == 0, made.stderr
    machine = provider_at(home).get("k3s-02-server")
    assert machine
    assert text(machine, "stat", "-c", "%a %U", "/", "/etc", "/etc/passwd", "/home").split("\n") == [
        "755 root",
        "755 root",
        "644 root",
        "755 root",
    ]
    assert text(machine, "id", "-un", user="student") == "student"


# Killed half-way

CREATE = """
import sys
from pathlib import Path
from tests.integration.test_local_machines import provider_at, spec
provider = provider_at(Path(sys.argv[1]))
provider.prepare()
print("go", flush=True)
provider.create(spec("server"))
"""
STOP = CREATE + 'print("go", flush=True); provider.get("k3s-02-server").stop()\n'
DELETE = CREATE + 'print("go", flush=True); provider.get("k3s-02-server").delete()\n'


def child(code: str, *words: str, before: list[str] = [], umask: int = 0o022) -> subprocess.CompletedProcess[str]:  # noqa: B006
    argv = [*before, sys.executable, "-c", code, *words]
    return subprocess.run(argv, capture_output=True, text=True, env=child_env(), timeout=300, check=False, umask=umask)


def child_env() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}:{os.environ.get('PYTHONPATH', '')}"}


def killed_after(seconds: float, code: str, home: Path, *, goes: int) -> None:
    """Run code in a process of its own; kill it so long after it said "go" for the last time."""
    process = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, env=child_env())
    with process:
        assert process.stdout
        for _ in range(goes):
            assert process.stdout.readline() == b"go\n"
        time.sleep(seconds)
        process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except LabError:
            pass  # it is just going down or coming up
        time.sleep(0.05)
    raise AssertionError("it never became so")


MOMENTS = (0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.26, 0.33)


@pytest.mark.parametrize("seconds", MOMENTS)
def test_a_machine_whose_maker_was_killed_can_be_finished(provider: Provider, home: Path, seconds: float) -> None:
    killed_after(seconds, CREATE, home, goes=1)
    machine = provider.create(spec("server"))
    assert text(machine, "hostname") == "server"
    machine.delete()
    assert traces(paths_below(home).machines) == {}


@pytest.mark.parametrize("seconds", MOMENTS)
def test_a_machine_whose_maker_was_killed_can_be_removed(provider: Provider, home: Path, seconds: float) -> None:
    settings = host_settings()
    killed_after(seconds, CREATE, home, goes=1)
    for machine in provider.list():
        machine.delete()
    assert traces(paths_below(home).machines) == {}
    assert host_settings() == settings


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.08, 0.15])
@pytest.mark.parametrize("code", [STOP, DELETE], ids=["stop", "delete"])
def test_a_stop_or_delete_that_was_killed_can_be_repeated(provider: Provider, home: Path, seconds: float, code: str) -> None:
    settings = host_settings()
    killed_after(seconds, code, home, goes=2)
    for machine in provider.list():
        machine.delete()
    assert traces(paths_below(home).machines) == {}
    assert host_settings() == settings
    assert text(provider.create(spec("server")), "hostname") == "server"


def test_two_at_once_make_one_machine(home: Path) -> None:
    makers = [subprocess.Popen([sys.executable, "-c", CREATE, str(home)], stdout=subprocess.DEVNULL, env=child_env()) for _ in range(2)]
    assert [maker.wait(READY_S) for maker in makers] == [0, 0]
    assert len(provider_at(home).list()) == 1


# Without being root

USER = "labtest"
AS_USER = """
import subprocess, sys
from pathlib import Path
from courselab.errors import LabError
from courselab.machines.base import MachineState
from tests.integration.test_local_machines import provider_at, spec
provider = provider_at(Path(sys.argv[1]))
assert provider.available().usable
machine = provider.create(spec("server", student_uid=4711))
assert machine.state is MachineState.RUNNING
done = machine.run(["sh", "-c", "cat; id -u; exit 3"], input=b"in ", timeout_s=20, user="student")
assert (done.code, done.stdout) == (3, b"in 4711\\n"), done
machine.put("/root/x", b"\\0x")
machine.put_file("/root/y", Path(sys.argv[1], "file"))
assert machine.get("/root/x") == b"\\0x" and machine.get("/root/y") == b"of the user"
try:
    machine.get("/no/such")
except LabError as told:
    assert "no such file" in told.why
shell = subprocess.run(machine.shell_argv(["id", "-un"], terminal=False), capture_output=True, text=True, timeout=20)
assert shell.stdout == "student\\n", shell
machine.stop()
machine.snapshot("one")
assert machine.state is MachineState.STOPPED and machine.snapshots() == ["one"]
machine.start()
assert [one.name for one in provider.list("02")] == ["k3s-02-server"]
machine.delete()
assert provider.list() == []
"""


@pytest.fixture
def user() -> Iterator[list[str]]:
    """A user who may use sudo without a password; the beginning of a command line that runs a program as that user."""
    if subprocess.run(["sh", "-c", "command -v sudo"], capture_output=True, check=False).returncode != 0:
        subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", "sudo"], capture_output=True, timeout=300, check=True)
    rule = Path("/etc/sudoers.d/courselab-test")
    rule.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    subprocess.run(["useradd", "--create-home", "--uid", "4711", USER], capture_output=True, timeout=20, check=True)
    try:
        # Our Python and the checkout may be where only root looks: the user may look there too, but not write.
        yield [
            "setpriv", "--reuid", USER, "--regid", USER, "--init-groups",
            "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--",
        ]  # fmt: skip
    finally:
        subprocess.run(["userdel", "--remove", "--force", USER], capture_output=True, timeout=20, check=False)
        rule.unlink()


def test_a_user_who_is_not_root_has_machines_through_sudo(user: list[str]) -> None:
    home = Path(f"/home/{USER}/läb home")
    home.mkdir()
    (home / "file").write_text("of the user")
    subprocess.run(["chown", "-R", USER, str(home)], check=True)
    done = child(AS_USER, str(home), before=user)
    assert done.returncode == 0, done.stderr
    assert traces(paths_below(home).machines) == {}
    assert (home / "state").owner() == USER


def test_without_sudo_rights_the_way_out_is_told(user: list[str]) -> None:
    Path("/etc/sudoers.d/courselab-test").write_text("")
    home = Path(f"/home/{USER}/home")
    code = "import sys\nfrom pathlib import Path\nfrom tests.integration.test_local_machines import *\nprovider_at(Path(sys.argv[1])).prepare()"
    done = child(code, str(home), before=user)
    assert "Machines on this computer need root" in done.stderr


def test_what_runs_in_a_machine_ends_with_the_users_command(user: list[str]) -> None:
    home = Path(f"/home/{USER}/home")
    code = AS_USER.partition("done =")[0] + 'print("go", flush=True)\nmachine.run(["sleep", "4712"], timeout_s=600)\n'
    process = subprocess.Popen([*user, sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, env=child_env())
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"go\n"
        wait_until(lambda: is_running("sleep 4712"))
        process.kill()
    wait_until(lambda: not is_running("sleep 4712"))
    machine = provider_at(home).get("k3s-02-server")
    assert machine
    assert machine.state is MachineState.RUNNING
    machine.delete()
    assert traces(paths_below(home).machines) == {}


def is_running(command: str) -> bool:
    return subprocess.run(["pgrep", "-fx", command], capture_output=True, timeout=10, check=False).returncode == 0
