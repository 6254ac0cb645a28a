"""Walking from an object to what explains it, and collecting the causes found on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from courselab.grade.dig import Obj, rows, table, text
from courselab.grade.kinds import KNOWN
from courselab.grade.settle import just_changed, superseded
from courselab.grade.why.rules import RULES, Rule
from courselab.grade.world import World, event_count, is_dying, name_of, namespace_of, title_of, uid_of

MESSAGE_CHARACTERS = 240
PART_CHARACTERS = 160
MOST_CAUSES = 4
LOG_LINES_SHOWN = 3


@dataclass(frozen=True)
class Cause:
    """One reason why an object is not as it should be."""

    slug: str  # its name in the rule table: "image-tag"
    sentence: str
    next: str  # what to look at next
    terminal: bool  # waiting cannot help
    chain: tuple[str, ...]  # "Deployment web", "ReplicaSet web-6d9", "Pod web-6d9-x2k"
    log: tuple[str, ...] = ()  # last lines of the container it is about


@dataclass(frozen=True)
class Why:
    """What explains the state of an object; the causes in order of weight."""

    causes: tuple[Cause, ...] = ()

    @property
    def terminal(self) -> bool:
        """Whether some cause cannot pass by itself."""
        return any(cause.terminal for cause in self.causes)

    @property
    def next(self) -> str:
        """What to look at next."""
        return next((cause.next for cause in self.causes if cause.next), "")

    def lines(self) -> list[str]:
        """The explanation, one sentence a line."""
        lines: list[str] = []
        for cause in self.causes[:MOST_CAUSES]:
            chain = " → ".join(cause.chain)
            if chain and chain not in lines:
                lines.append(chain)
            if cause.sentence not in lines:
                lines.append(cause.sentence)
            lines += [f"log: {line}" for line in cause.log]
        return lines


Walker = Callable[["Walk", Obj], None]


@dataclass
class Walk:
    """Where the walk is, and what it found so far."""

    world: World
    walkers: Mapping[str, Walker]
    chain: tuple[str, ...] = ()
    causes: list[Cause] = field(default_factory=list[Cause])
    seen: set[str] = field(default_factory=set[str])

    def into(self, obj: Obj) -> int:
        """Walk on to another object; returns how many causes that brought."""
        before, kind = len(self.causes), text(obj, "kind")
        key = uid_of(obj) or f"{kind}/{title_of(obj)}"
        walker = self.walkers.get(kind)
        # What is wrong with it does not matter any more.
        going = (is_dying(obj) and kind != "Pod") or superseded(self.world, obj)
        if walker is None or going or key in self.seen or len(self.causes) >= MOST_CAUSES:
            return 0
        self.seen.add(key)
        walker(Walk(self.world, self.walkers, (*self.chain, title_of(obj)), self.causes, self.seen), obj)
        return len(self.causes) - before

    def signal(self, where: str, reason: str, message: str = "", **fields: Any) -> bool:
        """Report what was seen; the first rule that fits makes a cause of it. Returns whether one did.

        `fields` fill the rule's sentence; `log`, a list of lines, is shown below it; `passing`: it is about to be tried again.
        """
        for rule in RULES:
            found = rule.fits(where, reason, message)
            if found is not None:
                self._add(
                    rule,
                    {
                        "reason": reason,
                        "message": short(message),
                        **fields,
                        **{key: short(part, PART_CHARACTERS) for key, part in found.items()},
                    },
                )
                return True
        return False

    def events(self, obj: Obj, **fields: Any) -> int:
        """Report the newest warning of each kind about an object; returns how many made a cause."""
        reasons: set[str] = set()
        before = len(self.causes)
        for event in self.world.events_of(obj):
            reason = text(event, "reason")
            if text(event, "type") == "Warning" and reason not in reasons:
                reasons.add(reason)
                self.signal("event", reason, text(event, "message"), count=event_count(event), **fields)
        return len(self.causes) - before

    def _add(self, rule: Rule, fields: dict[str, Any]) -> None:
        sentence = fill(rule.sentence, fields)
        known = any(cause.slug == rule.slug and _alike(cause.sentence, sentence) for cause in self.causes)
        if known or len(self.causes) >= MOST_CAUSES:
            return
        of_before = is_of_before(self.world, rule, fields)
        lasting = rule.terminal if rule.terminal is not None else bool(fields.get("lasting"))
        terminal = lasting and not (of_before or fields.get("passing"))
        log = tuple(short(line) for line in fields.get("log", [])[-LOG_LINES_SHOWN:])
        sentence += "; that was mended since, and is tried again by itself" if of_before else ""
        cause = Cause(rule.slug, sentence, fill(rule.next, fields), terminal, self.chain, log)
        self.causes.append(cause)


def is_of_before(world: World, rule: Rule, fields: Mapping[str, Any]) -> bool:
    """Whether what a cause is about has been mended since, and who stumbled over it has not tried again yet.

    Messages and events stay as they were: the kubelet, say, tries to mount a volume again only after up to two minutes.
    """
    namespace, name, key = (str(fields.get(part, "")) for part in ("namespace", "name", "key"))
    if rule.slug == "quota":
        return any((name_of(one), namespace_of(one)) == (fields["quota"], namespace) for one in just_changed(world, "ResourceQuota"))
    if rule.slug == "mount-key-missing":
        sources = _sources(world.find("Pod", str(fields.get("pod", "")), namespace), str(fields.get("volume", "")))
        found = [world.find(kind, name, namespace) for kind, name in sources]
        return bool(key) and any(key in held(one) for one in found if one)
    kind = fill(rule.misses, fields).lower()
    there = next((world.find(one, name, namespace) for one in KNOWN if one.lower() == kind), None) if kind else None
    return there is not None and not is_dying(there) and (not key or key in held(there))


def held(obj: Obj) -> Obj:
    """What a ConfigMap or Secret holds, by its keys."""
    return {**table(obj, "data"), **table(obj, "binaryData")}


def _sources(pod: Obj | None, volume: str) -> list[tuple[str, str]]:
    """The ConfigMaps and Secrets that a pod's volume is made of: (kind, name)."""
    own = [one for one in rows(pod, "spec", "volumes") if text(one, "name") == volume]
    parts = [part for one in own for part in (one, *rows(one, "projected", "sources"))]
    named = [(kind, text(part, field, way)) for part in parts for kind, field, way in _VOLUMES]
    return [(kind, name) for kind, name in named if name]


_VOLUMES = (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName"), ("Secret", "secret", "name"))


def fill(template: str, fields: Mapping[str, Any]) -> str:
    """The template with {name} replaced; names that are not known become empty."""
    return re.sub(r"\{(\w+)\}", lambda found: str(fields.get(found[1], "")), template).strip()


def short(message: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """A message in one line, cut to a sane length."""
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _alike(one: str, other: str) -> bool:
    """Whether two sentences differ only in generated names, as for the three pods of one Deployment."""
    plain = re.compile(r"[a-z0-9]+-[a-z0-9]{4,10}(-[a-z0-9]{5})?|\d+")
    return plain.sub("", one) == plain.sub("", other)
