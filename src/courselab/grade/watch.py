"""Watching a lab: verdicts as they change, for `lab check --watch` and `lab serve`.

watch = Watch(lambda: target, lasting=lambda: "")
for update in watch.updates(threading.Event()):
    print(update.report.to_json())
print(watch.ended)

One loop takes messages from a queue into which streams and background jobs put what they have to tell, and judges what that changes.
What takes time (collecting, asking machines, experiments) is such a job, so the loop always answers. Whatever goes wrong with a stream
has one cure: collect everything anew and stream from there, after a pause that grows. See docs/internals/watch.md.
"""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from courselab.grade.affected import Change
from courselab.grade.collect import collect, read_logs
from courselab.grade.experiments import Cache
from courselab.grade.kube import Api
from courselab.grade.live import Live
from courselab.grade.run import Collector
from courselab.grade.standing import Standing, Update
from courselab.grade.streams import Changed, Ended, Streams
from courselab.grade.target import Target
from courselab.grade.together import Later
from courselab.grade.watch_work import Collected, Gone, Work, ask, probe


@dataclass(frozen=True)
class Pace:
    """How often things are done, in seconds; tests are in a hurry."""

    nodes: float = 10.0  # machines are looked at, and asked if something is not as it was
    nodes_at_rest: float = 20.0  # the same, when no verdict has changed for `rest` seconds
    rest: float = 60.0
    everything: float = 120.0  # they are asked in any case, and all experiments are made: not everything that a request meets is an object
    waiting: float = 1.0  # what waits is judged, because time alone may decide it
    debounce: float = 0.04  # what comes right behind a change is taken with it
    judge: float = 0.15  # judged at most so often, however much changes
    lasting: float = 2.0  # it is looked whether the lab is still the same
    shortest_pause: float = 0.2  # before collecting anew; each failure doubles it
    longest_pause: float = 15.0
    longest_knock: float = 2.0  # between two questions whether the API is back, which cost nothing
    steady: float = 10.0  # streams that lived so long end a row of failures


@dataclass(frozen=True)
class _Done:
    """A background job has ended: with a value, or with an error."""

    job: str
    round: int
    value: Any = None
    error: BaseException | None = None


@dataclass
class _Plan:
    """What is to be done when: by name, in seconds of the monotonic clock."""

    at: dict[str, float] = field(default_factory=dict[str, float])

    def put(self, what: str, when: float) -> None:
        """Do it at `when`."""
        self.at[what] = when

    def soon(self, what: str, when: float) -> None:
        """Do it at `when`, or earlier if that was planned."""
        self.at[what] = min(when, self.at.get(what, when))

    def take(self, now: float) -> list[str]:
        """What is due; it is not planned any more."""
        due = [what for what, when in self.at.items() if when <= now]
        for what in due:
            del self.at[what]
        return due

    def left(self, now: float) -> float:
        """Seconds until something is due."""
        return max(0.0, min(self.at.values(), default=now) - now)


class Watch:
    """One watched lab. `check_now` and `wake` may be called from other threads.

    `aim` gives the lab as it is now; it raises LabError when it is not there any more. `lasting` says why the lab is not the one that was
    watched, "" while it is. Either ends the watch. `cache`: results of earlier disturbing experiments; none is ever made here.
    `bug_folder`: where reports about broken checks go. `collector`: tests collect otherwise.
    """

    def __init__(
        self,
        aim: Callable[[], Target],
        *,
        lasting: Callable[[], str] = lambda: "",
        cache: Cache | None = None,
        bug_folder: Path | None = None,
        collector: Collector = collect,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._work = Work(aim, collector, cache if cache is not None else {}, bug_folder)
        self._lasting = lasting
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._plan = _Plan()
        self._running: set[str] = set()
        self._round = 0  # how often everything was collected; what belongs to an earlier time is not listened to
        self._failures = 0  # of streams, in a row
        self._knocks = 0
        self._streaming_since = 0.0
        self._asked_for = False
        self._judged_at = 0.0
        self._looked_at = 0.0
        self._changed_at = 0.0
        self._marks: dict[str, bytes] = {}
        self._standing: Standing | None = None
        self._streams: Streams | None = None
        self._api: Api | None = None
        self._update: Update | None = None
        self.ended = ""  # why the watch ended by itself

    def check_now(self) -> None:
        """Have everything collected and judged anew."""
        self._inbox.put("check")

    def wake(self) -> None:
        """Have `stop` looked at now."""
        self._inbox.put("wake")

    def updates(self, stop: threading.Event) -> Iterator[Update]:
        """What is known, at each change, until `stop` is set or the lab is another one; then `ended` says why."""
        self._plan.put("lasting", 0.0)
        self._plan.put("collect", 0.0)
        try:
            while not stop.is_set() and not self.ended:
                for message in self._messages():
                    yield from self._take(message)
                for what in self._plan.take(time.monotonic()):
                    yield from self._do(what)
        except Gone as gone:
            self.ended = self._lasting() or str(gone)
        finally:
            self._let_go()

    def _messages(self) -> list[Any]:
        """What has been told, after waiting for something to be told or due."""
        found: list[Any] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._inbox.get(timeout=self._plan.left(time.monotonic())))
            while True:
                found.append(self._inbox.get_nowait())
        return found

    def _take(self, message: Any) -> Iterator[Update]:
        if isinstance(message, _Done):
            self._running.discard(message.job)
            if message.error is not None:
                raise message.error
            if message.job == "collect":
                yield self._collected(message.value)
            elif message.job == "knock":
                self._knocked(back=message.value)
            elif self._standing and message.round == self._round:
                self._take_news(self._standing, message.job, message.value)
        elif message == "check":
            self._asked_for = True
            self._plan.put("collect", 0.0)
            if self._update:
                yield replace(self._update, checking=True)
        elif isinstance(message, tuple) and message[0] is self._streams and self._standing:
            self._told(self._standing, cast("Changed | Ended", message[1]))

    def _do(self, what: str) -> Iterator[Update]:
        """What was planned for now."""
        now = time.monotonic()
        if what == "lasting":
            self.ended = self._lasting()
            self._plan.put(what, now + self._pace.lasting)
        elif what == "collect":
            self._collect()
        elif what == "knock":
            self._begin("knock", self._work.is_back)
        elif self._standing and what == "nodes":
            self._ask_nodes(self._standing, now)
        elif self._standing and what == "probes":
            self._make_probes(self._standing, now)
        elif self._standing and what == "waited":
            self._after_waiting(self._standing)
        elif self._standing and what == "judge":
            yield self._judge(self._standing)

    def _begin(self, job: str, call: Callable[[], Any]) -> bool:
        """Do something in the background, unless it is being done; its result comes as a message."""
        if job in self._running:
            return False
        self._running.add(job)
        round_ = self._round

        def work() -> None:
            try:
                self._inbox.put(_Done(job, round_, call()))
            except BaseException as error:  # raised again in the loop
                self._inbox.put(_Done(job, round_, error=error))

        Later(work, f"watch-{job}")
        return True

    # Collecting and streaming -------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        if self._begin("collect", self._work.collect):
            self._round += 1
            self._stop_streams()
        else:
            self._plan.put("collect", time.monotonic() + self._pace.shortest_pause)  # once the one that runs has ended

    def _collected(self, found: Collected) -> Update:
        """Begin anew with what was collected."""
        now = time.monotonic()
        self._round += 1
        before = self._standing
        self._let_go()
        live = Live(found.evidence, found.redactor, probes=dict(found.evidence.probes))
        standing = Standing(found.target, live, self._work.experiments(found.target, found.redactor), self._work.bug_folder)
        if before:
            standing.go_on_waiting(before)
        self._standing, self._looked_at, self._changed_at = standing, now, now
        self._marks = {}
        self._plan.put("nodes", now + self._pace.nodes)
        if found.access:
            self._knocks = 0
            self._api = Api(found.access)
            self._streaming_since = now
            self._streams = Streams(Api(found.access), found.kinds, lambda streams, told: self._inbox.put((streams, told)))
            if any(missing.what.startswith("cluster/") for missing in found.evidence.missing):
                self._collect_later()
        else:
            self._knock_later()
        full, self._asked_for = self._asked_for, False
        return replace(self._judge(standing), full=full)

    def _stop_streams(self) -> None:
        if self._streams:
            if time.monotonic() - self._streaming_since > self._pace.steady:
                self._failures = 0
            self._streams.close()
            self._streams = None

    def _told(self, standing: Standing, told: Changed | Ended) -> None:
        if isinstance(told, Ended):
            self._stop_streams()
            self._collect_later()
            return
        self._note(standing, standing.live.apply(told.kind, told.type, told.object))
        if standing.live.outdated:
            standing.live.outdated = False
            self._collect_later()

    def _collect_later(self) -> None:
        """Collect anew: at once after a long time without trouble, else after a pause that grows."""
        self._failures += 1
        self._plan.soon("collect", time.monotonic() + self._pause(self._failures, self._pace.longest_pause))

    def _knock_later(self) -> None:
        self._knocks += 1
        self._plan.soon("knock", time.monotonic() + self._pause(self._knocks, self._pace.longest_knock))

    def _pause(self, tries: int, longest_s: float) -> float:
        longest = min(longest_s, self._pace.shortest_pause * 2 ** min(tries - 1, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311 no secret

    def _knocked(self, *, back: bool) -> None:
        if back:
            self._collect()
        elif self._streams is None:
            self._knock_later()

    # News ---------------------------------------------------------------------------------------------------------------------------

    def _note(self, standing: Standing, change: Change) -> None:
        """Plan what a change asks for."""
        if not change:
            return
        now = time.monotonic()
        standing.note(change)
        self._plan.soon("judge", max(now + self._pace.debounce, self._judged_at + self._pace.judge))
        if "Pod" in change.kinds:
            self._read_logs(standing)

    def _take_news(self, standing: Standing, job: str, value: Any) -> None:
        """What a background job has found."""
        if job == "nodes":
            self._marks = value.marks
            if value.states:
                self._note(standing, standing.live.take_nodes(value.states))
            if not value.alive and self._streams:
                self._stop_streams()
                self._collect_later()
        elif job == "logs":
            self._note(standing, standing.live.take_logs(value))
        elif job == "probes":
            self._note(standing, standing.take_probes(value))

    def _judge(self, standing: Standing) -> Update:
        now = time.monotonic()
        self._judged_at = now
        self._plan.at.pop("judge", None)
        before, self._update = self._update, standing.judge(now)
        if before is None or before.judged != self._update.judged:
            self._changed_at = now
            self._plan.soon("nodes", now + self._pace.nodes)
        self._plan_probes(standing, now)
        if waiting := standing.waiting(now):
            self._plan.soon("waited", now + self._pace.waiting)
            if any(one.reads_nodes for one in waiting):
                self._plan.soon("nodes", now + self._pace.waiting)
        return self._update

    def _after_waiting(self, standing: Standing) -> None:
        self._note(standing, Change(waited=True))
        standing.repeat_for(standing.waiting(time.monotonic()))

    # Machines, logs, experiments ----------------------------------------------------------------------------------------------------

    def _ask_nodes(self, standing: Standing, now: float) -> None:
        """Ask machines, and whether the API is alive: a connection to one that vanished is silent for long."""
        at_rest = now - self._changed_at > self._pace.rest
        self._plan.put("nodes", now + (self._pace.nodes_at_rest if at_rest else self._pace.nodes))
        everything = now - self._looked_at >= self._pace.everything
        if everything:
            self._looked_at = now
        # While the API does not answer, what units and their logs say is the news.
        before = self._marks if self._streams and not everything else {}
        self._begin("nodes", partial(ask, standing, self._api if self._streams else None, before))
        self._read_logs(standing, again=True)
        standing.repeat(everything=everything)
        self._plan_probes(standing, now)

    def _read_logs(self, standing: Standing, *, again: bool = False) -> None:
        if self._api and "logs" not in self._running and (wanted := standing.live.logs_due(again=again)) is not None:
            self._begin("logs", partial(read_logs, self._api, wanted))

    def _plan_probes(self, standing: Standing, now: float) -> None:
        due, wait = standing.probes_due(now)
        if due or wait != float("inf"):
            self._plan.soon("probes", now + (0.0 if due else wait))

    def _make_probes(self, standing: Standing, now: float) -> None:
        due, _ = standing.probes_due(now)
        if "probes" in self._running:
            self._plan.soon("probes", now + self._pace.shortest_pause)
        elif due:
            evidence, passed = standing.evidence_for(due), standing.passed
            standing.begin_probes(due, now)
            self._begin("probes", partial(probe, standing, evidence, passed, due))

    def _let_go(self) -> None:
        """Close all connections."""
        self._stop_streams()
        if self._api:
            self._api.close()
            self._api = None
        if self._standing:
            self._standing.experiments.close()
            self._standing = None
