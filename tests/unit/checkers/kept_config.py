"""What a cluster makes of changes to the solved lab of chapter 04: what the shop's pods see, and what is left of it in the next pod."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from courselab.course.params import Params
from courselab.grade.redacted import MARK, redact
from tests.unit.checkers.kept_lab import KeptLab, Obj, put

Change = Callable[["Config"], Any]


class Config(KeptLab):
    """Chapter 04: the Deployment shop with its ConfigMap, Secret and claim."""

    def __init__(self) -> None:
        super().__init__("04")
        self._salt = self.document["params"]["password"][MARK]["salt"]
        self.params = Params.draw(self.lab, "verify/04")  # the lab that was verified; its password is not in the Evidence

    @property
    def shop(self) -> Obj:
        """The Deployment."""
        return self.find("Deployment", "shop")

    @property
    def pods(self) -> list[Obj]:
        """Its pods."""
        return [pod for pod in self.all("Pod") if pod["metadata"]["namespace"] == self.params.namespace]

    @property
    def volume(self) -> Obj:
        """The PersistentVolume behind the claim."""
        name = self.find("PersistentVolumeClaim", "guestbook")["spec"]["volumeName"]
        return next(one for one in self.all("PersistentVolume") if one["metadata"]["name"] == name)

    def hidden(self, value: str | bytes) -> Obj:
        """A secret value, as it stands in this Evidence."""
        return redact(value, self._salt)

    def rolled_out(self, change: Callable[[Obj], Any]) -> None:
        """Change the pod template's spec, and the pods that were made from it."""
        for spec in (self.shop["spec"]["template"]["spec"], *(pod["spec"] for pod in self.pods)):
            change(spec)

    def see(self, **seen: Any) -> None:
        """What every pod sees instead."""
        for one in self.document["probes"]["04.inside"]["result"]:
            one.update(seen)

    def nothing_ready(self) -> None:
        """The pods of a change that does not start."""
        for pod in self.pods:
            for condition in pod["status"]["conditions"]:
                if condition["type"] in ("Ready", "ContainersReady"):
                    condition["status"] = "False"
        self.shop["status"].update(readyReplicas=0, availableReplicas=0, unavailableReplicas=1)
        self.document["probes"]["04.inside"]["result"] = []


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def field(name: str, pointer: str, value: Any) -> Change:
    """A field of one object, named as "ConfigMap/notice"."""
    kind, _, called = name.partition("/")
    return lambda lab: put(lab.find(kind, called), pointer, filled(lab, value))


def pods(pointer: str, value: Any) -> Change:
    """A field of the pod template's spec; all pods are made anew and get ready."""
    return lambda lab: lab.rolled_out(lambda spec: put(spec, pointer, filled(lab, value)))


def container(pointer: str, value: Any) -> Change:
    """A field of the shop's container."""
    return pods(f"containers/0/{pointer}", value)


def filled(lab: Config, value: Any) -> Any:
    """A value as YAML with parameters, where it is text."""
    return lab.value(value) if isinstance(value, str) else value


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def sees(**seen: Any) -> Change:
    """What every pod sees instead; texts with {parameters}."""
    return lambda lab: lab.see(**{key: lab.text(value) if isinstance(value, str) else value for key, value in seen.items()})


def notice(text: str, key: str = "notice.txt") -> Change:
    """Another text in the ConfigMap, and in the pods' file."""

    def change(lab: Config) -> None:
        lab.find("ConfigMap", "notice")["data"] = {key: lab.text(text)}
        lab.see(notice=lab.text(text))

    return change


def password(wrap: Callable[[str], str | bytes], *, starts: bool = True) -> Change:
    """Another value in the Secret, and in the pods if they start with it."""

    def change(lab: Config) -> None:
        value = lab.hidden(wrap(lab.params.password))
        lab.find("Secret", "till")["data"]["password"] = value
        if starts:
            lab.see(password=value)
        else:
            lab.nothing_ready()

    return change


def encoded(text: str) -> str:
    """Base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def variable(entries: str, *, reaches: bool) -> Change:
    """Other variables of the container; whether the password reaches the pods by them."""
    return both(container("env", entries), (lambda lab: None) if reaches else sees(set=False, password=""))


def unready(*changes: Change) -> Change:
    """A change with which no pod gets ready."""
    return both(*changes, lambda lab: lab.nothing_ready())


def encryption(**status: Any) -> Change:
    """Another answer of k3s secrets-encrypt status."""
    return lambda lab: lab.document["nodes"]["server"]["facts"]["secrets-encryption"]["status"].update(status)


def next_pod(**result: str) -> Change:
    """Another result of the deleted pod's replacement."""
    return lambda lab: lab.document["probes"]["04.next-pod"]["result"].update(result)


def volume(pointer: str, value: Any) -> Change:
    """A field of the PersistentVolume."""
    return lambda lab: put(lab.volume, pointer, value)


def moved(name: str, namespace: str) -> Change:
    """An object in another namespace."""
    return field(name, "metadata/namespace", namespace)


def renamed(name: str, new: str) -> Change:
    """An object under another name."""
    return field(name, "metadata/name", new)


def dropped(name: str) -> Change:
    """Without an object."""
    kind, _, called = name.partition("/")
    return lambda lab: lab.all(kind).remove(lab.find(kind, called))
