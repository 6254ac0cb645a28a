"""`python -m bench.site` measures the site and `lab serve` as a reader meets them, and with --write puts the table into bench/README.md.

It uses a home of its own with one lab in it, and Debian's Chromium through the development packages (`./lab test --version` installs them).
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.chromium import launch

from bench.__main__ import ROOT, Bench, Row, report, solve
from courselab.course import Catalog

CHAPTER = "03"
TASK = "03.route"
PAGE_RUNS = 10
# Resolves with the time at which the task's verdict says `words`, by this computer's clock.
WHEN_IT_SAYS = """words => new Promise(done => {
  const place = document.querySelector('[data-task="03.route"]')
  const look = () => { if (place.querySelector(".lab-verdict")?.textContent.includes(words)) { watch.disconnect(); done(Date.now() / 1000) } }
  const watch = new MutationObserver(look)
  watch.observe(place, { subtree: true, childList: true, characterData: true })
  look()
})"""


def build_row(bench: Bench, runs: int) -> Row:
    """The whole site from its text, as `lab site build` makes it."""
    with tempfile.TemporaryDirectory() as scratch:
        return Row(
            "site build, all chapters", 10, "s", bench.times(runs, lambda: bench.lab("site", "build", "--out", f"{scratch}/site")[0])
        )


@contextmanager
def serving(bench: Bench) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """`lab serve` beside the measurement: the address it prints, and its process."""
    argv = [str(ROOT / "lab"), "serve", "--no-open", "--json", "--port", "0"]
    serve = subprocess.Popen(argv, env=bench.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if serve.stdout is None:
            raise RuntimeError("a pipe was asked for")
        yield json.loads(serve.stdout.readline())["url"], serve
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(30)


def first_page_rows(browser: Browser, url: str) -> list[Row]:
    """The landing page in a browser that was never here: bytes over the wire, seconds until everything is loaded, and what of that is computing."""
    return [
        Row("first page from `lab serve`: sent", 400, "kB", [sent_kb(browser, url) for _ in range(PAGE_RUNS)]),
        Row("… loaded after", 0.3, "s", [loaded_s(browser, url) for _ in range(PAGE_RUNS)]),
        Row(
            "… CPU time of it in the browser's page, mostly the theme's script",
            0.3,
            "s",
            [computed_s(browser, url) for _ in range(PAGE_RUNS)],
        ),
    ]


# Each in visits of its own: a browser whose requests are counted, or whose work is timed, takes 0.04 s longer.


def sent_kb(browser: Browser, url: str) -> float:
    sizes: list[float] = []
    with new_page(browser) as page:
        page.on(
            "requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"] + request.sizes()["responseHeadersSize"])
        )
        page.goto(url)
        page.wait_for_timeout(500)  # what is loaded after the page, the search's index say
    return sum(sizes) / 1000


def loaded_s(browser: Browser, url: str) -> float:
    with new_page(browser) as page:
        page.goto(url)
        page.wait_for_timeout(500)
        return float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000


def computed_s(browser: Browser, url: str) -> float:
    with new_page(browser) as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(url)
        return next(float(one["value"]) for one in devtools.send("Performance.getMetrics")["metrics"] if one["name"] == "TaskDuration")


@contextmanager
def new_page(browser: Browser) -> Generator[Page]:
    """A page of a browser that knows nothing yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        yield context.new_page()
    finally:
        context.close()


def verdict_row(browser: Browser, bench: Bench, url: str, runs: int) -> Row:
    """How much later than the terminal's `lab check --watch` the page shows that a task turned; below zero it was first."""
    lab = Catalog(ROOT).find(CHAPTER)
    page = browser.new_context().new_page()
    page.goto(url.replace("/?", f"/chapters/{lab.folder.name}/?"))
    later: list[float] = []
    with watching(bench) as heard:
        for _ in range(runs):
            for script, words, verdict in (
                (lab.folder / "undo" / "route.sh", "not yet", "fail"),
                (lab.folder / "solution" / "route.sh", "done", "pass"),
            ):
                seen = Waiting(heard, verdict)
                bench.lab("shell", "--lab", CHAPTER, "server", "--", "sh", "-elc", script.read_text(encoding="utf-8"))
                later.append(_page_says(page, words) - seen.when())
    return Row("verdict on the page, after the terminal's", 0.5, "s", later)


class Heard:
    """What the terminal's watch has said of the task, with the time of each line."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.changed = threading.Condition()
        self.verdicts: list[tuple[float, str]] = []
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterator[str]) -> None:
        for line in lines:
            now = time.time()
            verdict = next((check["verdict"] for check in json.loads(line).get("checks", []) if check["id"] == TASK), "")
            with self.changed:
                self.verdicts.append((now, verdict))
                self.changed.notify_all()


class Waiting:
    """Waits for the first line with a verdict, from now on."""

    def __init__(self, heard: Heard, verdict: str) -> None:
        self._heard = heard
        self._verdict = verdict
        self._from = len(heard.verdicts)

    def when(self) -> float:
        """The time of that line."""
        with self._heard.changed:
            if not self._heard.changed.wait_for(lambda: self._found() is not None, 120):
                sys.exit(f"The terminal never said {self._verdict}")
            return self._found() or 0.0

    def _found(self) -> float | None:
        return next((at for at, verdict in self._heard.verdicts[self._from :] if verdict == self._verdict), None)


@contextmanager
def watching(bench: Bench) -> Generator[Heard]:
    """`lab check --watch` in a terminal beside the page."""
    argv = [str(ROOT / "lab"), "check", CHAPTER, "--watch", "--json"]
    watch = subprocess.Popen(argv, env=bench.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if watch.stdout is None:
            raise RuntimeError("a pipe was asked for")
        yield Heard(iter(watch.stdout))
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait(30)


def _page_says(page: Page, words: str) -> float:
    return float(page.evaluate(WHEN_IT_SAYS, words))


def memory_mb(pid: int) -> float:
    """Memory of a process that is its own (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def measure(bench: Bench, runs: int) -> list[Row]:
    bench.lab("list")
    rows = [build_row(bench, runs)]
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with serving(bench) as (url, serve):
            never = memory_mb(serve.pid)
            rows += first_page_rows(browser, url)
            bench.lab("start", CHAPTER)
            solve(bench)
            rows.append(verdict_row(browser, bench, url, runs))
            watched = memory_mb(serve.pid)
            browser.close()
            time.sleep(45)  # longer than it goes on looking after the last page was closed
            rows += [
                Row("memory of `lab serve` (PSS), nobody has looked yet: Python, the command, its table of files", 60, "MB", [never]),
                Row(
                    "… while a lab is watched: the checks and their libraries, the client of its API, one state of the cluster",
                    200,
                    "MB",
                    [watched],
                ),
                Row("… idle again: the libraries stay loaded", 200, "MB", [memory_mb(serve.pid)]),
            ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.site", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the result into bench/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as home:
        bench = Bench(Path(home), CHAPTER)
        try:
            text = report(measure(bench, options.runs)).replace("## Measured\n", "## The site\n")
        finally:
            bench.lab("delete", "--all", "--yes")
    print(text)
    if options.write:
        path = ROOT / "bench" / "README.md"
        before, found, after = path.read_text(encoding="utf-8").partition("## The site\n")
        rest = after[after.index("\n## ") :] if "\n## " in after else ""
        path.write_text(f"{before.rstrip()}\n\n{text}{rest}" if not found else before + text + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
