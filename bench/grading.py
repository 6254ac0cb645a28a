"""`python -m bench.grading` measures `lab check` beside two peers, watching, and judging; with --write it puts the table into bench/README.md.

The peers (bench/peers) are the same seven tasks as a bash script with kubectl, and as pytest with the official client's types. All are
run in turn on one solved lab. `--judging` measures only what needs no lab.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.__main__ import ROOT, Bench, Row, report, solve
from courselab.course import Catalog
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import load
from courselab.grade.run import judge_saved

CHAPTER = "02"
TASK = "02.history"
CHANGES = 50
IDLE_S = 240  # two rounds of asking everything
FILES = 1000
CAUSE = "kubernetes.io/change-cause"
PEERS = Path(__file__).parent / "peers"


# Judging ----------------------------------------------------------------------------------------------------------------------------


def judging() -> tuple[float, float]:
    """Milliseconds per saved Evidence, read and judged, on one core; and by how many MB memory grew after each file was read twice."""
    catalog = Catalog(ROOT)
    files = sorted((ROOT / "tests" / "evidence").glob("*/*.json.gz"))
    labs = {chapter: catalog.find(chapter) for chapter in {file.parent.name for file in files}}
    checkers = {chapter: load_checker(checker_path(ROOT, chapter), lab) for chapter, lab in labs.items()}
    began, first = time.process_time(), 0.0
    for place in range(FILES):
        file = files[place % len(files)]
        judge_saved(labs[file.parent.name], checkers[file.parent.name], load(file))
        if place == 2 * len(files):  # by then, the heap has the size that it needs
            first = _memory_mb()
    return (time.process_time() - began) / FILES * 1000, _memory_mb() - first


def _memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def judging_rows() -> list[Row]:
    code = "import json, bench.grading; print(json.dumps(bench.grading.judging()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    milliseconds, grown = json.loads(done.stdout)
    return [
        Row(f"reading and judging one of {FILES:,} saved Evidence files, CPU time", 5, "ms", [milliseconds]),
        Row("… memory grown after each file was read twice", 1, "MB", [grown]),
    ]


# lab check and its peers ------------------------------------------------------------------------------------------------------------


class Shell:
    """A shell on the lab's machine that runs one command after another, so that entering the machine is not measured."""

    def __init__(self, bench: Bench) -> None:
        argv = [str(ROOT / "lab"), "shell", "--lab", CHAPTER, "server", "--", "bash", "-l"]
        self._shell = subprocess.Popen(argv, env=bench.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run("true")

    def run(self, command: str) -> float:
        """Run it; its seconds. Raises RuntimeError if it fails."""
        began = time.monotonic()
        _pipe(self._shell.stdin).write(f"{command} >/tmp/said 2>&1 </dev/null; echo returned $?\n")
        _pipe(self._shell.stdin).flush()
        for line in _pipe(self._shell.stdout):
            if line.startswith("returned "):
                took = time.monotonic() - began
                if line.split()[1] != "0":
                    raise RuntimeError(f"{command} ended with {line.split()[1]}")
                return took
        raise RuntimeError("the shell has ended")

    def close(self) -> None:
        _pipe(self._shell.stdin).close()
        self._shell.wait(30)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("a pipe was asked for")
    return pipe


def peer_rows(bench: Bench, shell: Shell, runs: int) -> list[Row]:
    """Whole processes, in turn. lab check and pytest run on the host; the script runs on the machine, where kubectl is nearer."""
    params = json.loads(bench.lab("tasks", CHAPTER, "--json")[1])["params"]
    home = Path(bench.env["LAB_HOME"])
    typed = bench.env | {f"LAB_{name.upper()}": value for name, value in params.items()}
    typed |= {"KUBECONFIG": str(home / "state" / "labs" / CHAPTER / "kubeconfig"), "LAB_WORK": str(home / "work" / CHAPTER)}
    script = (PEERS / "check.sh").read_text(encoding="utf-8")
    shell.run(f"cat > /tmp/check.sh <<'END_OF_SCRIPT'\n{script}\nEND_OF_SCRIPT\ntrue")
    seen: dict[str, list[float]] = {"lab": [], "bash": [], "pytest": []}
    for _ in range(runs + 1):
        seen["lab"].append(bench.lab("check", CHAPTER, "--no-disturb", codes=(0, 1))[0])
        seen["bash"].append(shell.run("bash /tmp/check.sh"))
        seen["pytest"].append(_pytest(typed))
    lab, bash, pytest = (seen[name][1:] for name in ("lab", "bash", "pytest"))  # the first run of each warms caches
    return [
        Row("`lab check 02`, solved, whole process", 0.6, "s", lab),
        Row("… as a share of the same seven tasks in bash with kubectl", 1, "", [statistics.median(lab) / statistics.median(bash)]),
        Row("… as a share of them in pytest with the typed client", 1, "", [statistics.median(lab) / statistics.median(pytest)]),
        Row("the bash script", 60, "s", bash),
        Row("the pytest run", 60, "s", pytest),
    ]


def _pytest(env: dict[str, str]) -> float:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(PEERS / "test_typed.py")]
    began = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, cwd=PEERS)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return time.monotonic() - began


# Watching ---------------------------------------------------------------------------------------------------------------------------


class Screen:
    """`lab check --watch` on a terminal: when did which verdict appear?"""

    def __init__(self, bench: Bench) -> None:
        self._ours, its = pty.openpty()
        self.process = subprocess.Popen(
            [str(ROOT / "lab"), "check", CHAPTER, "--watch"],
            env=bench.env | {"TERM": "xterm"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        self._changed = threading.Condition()
        self._mark, self._at = "", 0.0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        text = ""
        while select.select([self._ours], [], [], None)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            now = time.monotonic()
            text = (text + re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "ignore")))[-20000:]
            marks = re.findall(rf"(\S) {re.escape(TASK)} ", text)
            with self._changed:
                if marks and marks[-1] != self._mark:
                    self._mark, self._at = marks[-1], now
                    self._changed.notify_all()

    def when(self, mark: str) -> float:
        """When this mark appeared, or will; monotonic seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._mark == mark, 60):
                raise RuntimeError(f"{mark} does not appear; it is {self._mark}")
            return self._at

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@contextmanager
def screen(bench: Bench) -> Generator[Screen]:
    shown = Screen(bench)
    try:
        yield shown
    finally:
        shown.close()


def watch_rows(bench: Bench, shell: Shell) -> list[Row]:
    """From kubectl returning to the changed verdict on the screen."""
    later: list[float] = []
    with screen(bench) as shown:
        shown.when("✓")
        for place in range(CHANGES):
            reason, mark = ("", "✗") if place % 2 == 0 else ("release version 2", "✓")
            shell.run(f"kubectl annotate deployment/web --overwrite --namespace=$LAB_NAMESPACE {CAUSE}='{reason}'")
            returned = time.monotonic()
            later.append(shown.when(mark) - returned)
            time.sleep(0.3 + 0.02 * place)  # not in step with anything the watch does
    high = statistics.quantiles(later, n=20)[-1]
    return [
        Row(f"watch: from `kubectl` returning to the changed verdict on the screen, {CHANGES} changes", 0.3, "s", later),
        Row("… 95 % of them within", 0.6, "s", [high]),
    ]


def idle_row(bench: Bench) -> Row:
    """What watching costs while nothing happens, with the programs that it runs on the machine."""
    with screen(bench) as shown:
        shown.when("✓")
        time.sleep(12)  # a machine's first mark has been read
        before = _cpu_s(shown.process.pid)
        time.sleep(IDLE_S)
        idle = (_cpu_s(shown.process.pid) - before) / IDLE_S * 100
    return Row(f"watch: share of one core in {IDLE_S} idle seconds", 0.5, "%", [idle])


def _cpu_s(pid: int) -> float:
    """CPU time of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def measure(bench: Bench, runs: int) -> list[Row]:
    """What needs a lab; each part is shown as soon as it is known."""
    bench.lab("start", CHAPTER)
    solve(bench)
    shell = Shell(bench)
    try:
        return [*_shown(peer_rows(bench, shell, runs)), *_shown(watch_rows(bench, shell)), *_shown([idle_row(bench)])]
    finally:
        shell.close()


def _shown(rows: list[Row]) -> list[Row]:
    print("\n".join(row.markdown() for row in rows), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.grading", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--judging", action="store_true", help="measure only what needs no lab")
    parser.add_argument("--write", action="store_true", help="put the result into bench/README.md")
    options = parser.parse_args()
    rows = judging_rows()
    if not options.judging:
        with tempfile.TemporaryDirectory(prefix="lab-bench-") as home:
            bench = Bench(Path(home), CHAPTER)
            try:
                rows = [*measure(bench, options.runs), *rows]
            finally:
                bench.lab("delete", "--all", "--yes")
    text = report(rows).replace("## Measured\n", "## Grading\n")
    print(text)
    if options.write:
        path = ROOT / "bench" / "README.md"
        before, found, after = path.read_text(encoding="utf-8").partition("## Grading\n")
        rest = after[after.index("\n## ") :] if "\n## " in after else ""
        path.write_text(before + text + rest if found else f"{before.rstrip()}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
