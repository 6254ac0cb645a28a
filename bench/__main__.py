"""`python -m bench` measures the command as a user runs it and writes bench/README.md with machine and date.

It uses a home of its own, so the labs of whoever runs it are not touched. `--cold` also empties the build cache first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from courselab.machines.local.names import HostNames

ROOT = Path(__file__).parents[1]
LONG_S = 3600


@dataclass(frozen=True)
class Row:
    """One measure: what, the bound it must keep, what was seen (seconds or GB)."""

    measure: str
    bound: float
    unit: str
    seen: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seen)

    def markdown(self) -> str:
        low, high = min(self.seen), max(self.seen)
        kept = "yes" if self.median <= self.bound else "**no**"
        return f"| {self.measure} | {self.bound:g} {self.unit} | {self.median:.2f} | {low:.2f} to {high:.2f} | {len(self.seen)} | {kept} |"


class Bench:
    """The command, in a home of its own."""

    def __init__(self, home: Path, chapter: str) -> None:
        self.env = {
            **os.environ,
            "LAB_HOME": str(home),
            "LAB_CACHE": os.environ.get("LAB_CACHE", str(Path.home() / ".cache/k3s-course-lab")),
        }
        self.chapter = chapter
        self.group = HostNames.of(home / "state" / "machines").group

    def lab(self, *words: str, codes: tuple[int, ...] = (0,)) -> tuple[float, str]:
        """Run `./lab …`; its seconds and standard output."""
        began = time.monotonic()
        done = subprocess.run([str(ROOT / "lab"), *words], env=self.env, capture_output=True, text=True, timeout=LONG_S, check=False)
        took = time.monotonic() - began
        if done.returncode not in codes:
            sys.exit(f"lab {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
        return took, done.stdout

    def times(self, count: int, call: Callable[[], float]) -> list[float]:
        return [call() for _ in range(count)]

    def start(self) -> tuple[float, float]:
        """Seconds until the node is Ready, and until everything is; from a lab that is not there."""
        took, out = self.lab("start", self.chapter, "--json")
        return json.loads(out)["node_ready"], took

    def memory_gb(self) -> float:
        """All processes of the lab's machines, shared pages counted once (PSS)."""
        total = 0
        for pid in machine_pids(self.group):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1e6


def machine_pids(group: str) -> list[int]:
    """Processes in the machines' control group; the other labs of this computer have others."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if group in (entry / "cgroup").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def measure(bench: Bench, runs: int) -> list[Row]:
    """Every bound of the issue, in the order in which a user meets them."""
    bench.lab("--help")
    rows = [Row("`lab --help`", 0.12, "s", bench.times(10, lambda: bench.lab("--help")[0]))]
    ready: list[float] = []
    whole: list[float] = []
    for _ in range(runs):
        bench.lab("delete", "--all", "--yes")
        node, everything = bench.start()
        ready.append(node)
        whole.append(everything)
    rows += [
        Row(f"warm `lab start {bench.chapter}`: node Ready", 6, "s", ready),
        Row("… everything the lab needs available", 12, "s", whole),
    ]
    rows.append(Row("memory of a one-machine lab, all processes", 1.2, "GB", [bench.memory_gb()]))
    solve(bench)
    bench.lab("check", bench.chapter, "--no-disturb", codes=(0, 1))
    check = bench.times(10, lambda: bench.lab("check", bench.chapter, "--no-disturb", codes=(0, 1))[0])
    rows.append(Row(f"`lab check {bench.chapter}`, solved, without disturbing probes", 0.8, "s", check))
    rows.append(Row("`lab snapshot`", 3, "s", bench.times(runs, lambda: bench.lab("snapshot")[0])))
    rows.append(Row("`lab restore` to Ready", 8, "s", bench.times(runs, lambda: bench.lab("restore", "snapshot", "--yes")[0])))
    resets = bench.times(runs, lambda: bench.lab("reset", bench.chapter, "--yes")[0])
    rows.append(Row(f"`lab reset {bench.chapter}` (bound: the start above)", round(statistics.median(whole), 1), "s", resets))
    stops = [(bench.lab("stop", bench.chapter)[0], bench.lab("resume", bench.chapter)[0]) for _ in range(runs)]
    rows.append(Row("`lab stop`", 5, "s", [stop for stop, _ in stops]))
    rows.append(Row("`lab resume`", 10, "s", [resume for _, resume in stops]))
    bench.lab("delete", "--all", "--yes")
    bench.lab("start", "03")  # Traefik's image is made, if it was not yet
    bench.lab("delete", "--all", "--yes")
    rows.append(Row("warm `lab start 03`, Traefik answering", 20, "s", bench.times(runs, lambda: start_anew(bench, "03"))))
    bench.lab("delete", "--all", "--yes")
    return rows + catching_up(min(runs, 3)) + several_machines(bench, runs)


def several_machines(bench: Bench, runs: int) -> list[Row]:
    """A lab of one server and two agents, if the course has one."""
    labs = (lab for lab in Catalog(ROOT).all() if sorted(role.value for role in lab.roles.values()) == ["agent", "agent", "server"])
    lab = next(labs, None)
    if lab is None:
        return []
    three = Bench(Path(bench.env["LAB_HOME"]), lab.chapter)
    ready: list[float] = []
    for _ in range(runs):
        three.lab("delete", "--all", "--yes")
        ready.append(three.start()[0])
    rows = [
        Row(f"warm `lab start {lab.chapter}`, three machines: all nodes Ready", 12, "s", ready),
        Row("memory of a three-machine lab, all processes", 2.0, "GB", [three.memory_gb()]),
    ]
    three.lab("delete", "--all", "--yes")
    return rows


def start_anew(bench: Bench, chapter: str) -> float:
    """Seconds of a start from a lab that is not there."""
    bench.lab("delete", "--all", "--yes")
    return bench.lab("start", chapter)[0]


def catching_up(runs: int) -> list[Row]:
    """`lab start --catch-up` over five chapters: the time beyond a plain start, with their solutions, and from the snapshot of that."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-course-") as folder, tempfile.TemporaryDirectory(prefix="lab-bench-") as home:
        course_of_copies(Path(folder))
        copies = Bench(Path(home), "99")
        copies.env["LAB_COURSE"] = folder
        solutions: list[float] = []
        snapshots: list[float] = []
        try:
            plain = statistics.median(copies.times(runs, lambda: start_anew(copies, "99")))
            for _ in range(runs):
                copies.lab("delete", "--all", "--yes")
                solutions.append(copies.lab("start", "99", "--catch-up")[0] - plain)
                snapshots.append(copies.lab("reset", "99", "--catch-up", "--yes")[0])
        finally:
            copies.lab("delete", "--all", "--yes")
    return [
        Row("`lab start --catch-up` over five chapters of eight tasks, graded: beyond a plain start", 60, "s", solutions),
        Row("… `lab reset --catch-up` afterwards, from its snapshot: all of it", 60, "s", snapshots),
    ]


def course_of_copies(folder: Path) -> None:
    """A course of five chapters that are chapter 02, each in a namespace of its own, and one that builds on them all."""
    for name in ("infra", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "checkers").mkdir()
    (folder / "checkers" / "__init__.py").touch()
    chapters = ["91", "92", "93", "94", "95"]
    for chapter in chapters:
        lab = folder / "labs" / f"{chapter}-workloads"
        shutil.copytree(ROOT / "labs" / "02-workloads", lab)
        text = (lab / "lab.yaml").read_text().replace('"02"', f'"{chapter}"').replace(" 02.", f" {chapter}.")
        text = re.sub(r"namespace: \{.*\}", f"namespace: {{choice: [shop-{chapter}]}}", text)
        text = re.sub(r"cpu: \{.*\}", 'cpu: {choice: ["50"]}', text)  # the pods of all five have to fit
        text = re.sub(r"missing: \{.*\}", "missing: {choice: [LEDGER_OWNER]}", text)  # its answer is one file for all
        (lab / "lab.yaml").write_text(text)
        checks = (ROOT / "checkers" / "ch02.py").read_text().replace('"02.', f'"{chapter}.')
        (folder / "checkers" / f"ch{chapter}.py").write_text(checks)
    last = folder / "labs" / "99-last"
    last.mkdir()
    first = Catalog(ROOT).find("02").file
    task = {"id": "99.none", "title": "None", "text": "None.", "points": 1, "hints": ["a", "b", "c"]}
    file = {"schema": 1, "chapter": "99", "title": "Last", "summary": "Last.", "minutes": 1, "tasks": [task], "images": first.images}
    file |= {"builds_on": chapters, "k3s": {"config": first.k3s.config, "needs": first.k3s.needs}}
    file |= {"machines": {"server": {"role": "server", "cpus": 2, "memory_mib": 2048}}}
    (last / "lab.yaml").write_text(json.dumps(file))
    (folder / "checkers" / "ch99.py").write_text("")


def solve(bench: Bench) -> None:
    """Run the chapter's solutions, and check until everything has settled and passed."""
    for script in read_scripts(Catalog(ROOT).find(bench.chapter), "solution"):
        user = ["--root"] if script.user == "root" else []
        bench.lab("shell", *user, "--lab", bench.chapter, script.on, "--", "sh", "-elc", script.text)
    bench.lab("check", bench.chapter)


def report(rows: list[Row]) -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = f"Linux {platform.release()}, Python {platform.python_version()}"
    head = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} × {cpu}, {memory:.0f} GiB, {versions}"
    table = "\n".join(row.markdown() for row in rows)
    return f"## Measured\n\n{head}\n\n| measure | bound | median | range | runs | kept |\n|---|---|---|---|---|---|\n{table}\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--chapter", default="02")
    parser.add_argument("--write", action="store_true", help="put the result into bench/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as home:
        bench = Bench(Path(home), options.chapter)
        try:
            text = report(measure(bench, options.runs))
        finally:
            bench.lab("delete", "--all", "--yes")
    print(text)
    if options.write:
        path = ROOT / "bench" / "README.md"
        before, _, after = path.read_text(encoding="utf-8").partition("## Measured\n")
        rest = after[after.index("\n## ") :] if "\n## " in after else ""
        path.write_text(before + text + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
