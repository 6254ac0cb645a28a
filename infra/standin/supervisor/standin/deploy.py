"""Packaged components and whatever else lies in server/manifests, kept applied as K3s does (pkg/deploy/controller.go).

Each file is an AddOn called after it. It is applied when the server starts and when the file changes; objects that vanish
from a changed file are deleted; objects of a removed file are left alone. `name.yaml.skip` keeps a file from being applied.
What --disable names has its file, its objects and its AddOn removed (docs.k3s.io/installation/packaged-components).
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from . import journal, layout
from .api import TROUBLE, Api, ApiError, Object
from .files import write

MANAGER = "deploy@k3s"
ADDONS = "/apis/k3s.cattle.io/v1/namespaces/kube-system/addons"
EVENTS = "/api/v1/namespaces/kube-system/events"
COMPLAIN_EVERY_S = 15.0  # how often K3s looks at the files
KINDS_ANNOTATION = "addon.k3s.cattle.io/gvks"
OWNED = "objectset.rio.cattle.io"

CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "addons.k3s.cattle.io"},
    "spec": {
        "group": "k3s.cattle.io",
        "names": {"kind": "Addon", "plural": "addons", "singular": "addon", "listKind": "AddonList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "additionalPrinterColumns": [
                    {"name": "Source", "type": "string", "jsonPath": ".spec.source"},
                    {"name": "Checksum", "type": "string", "jsonPath": ".spec.checksum"},
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"source": {"type": "string"}, "checksum": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


@dataclass
class Applied:
    """A file as it was applied. `counts` until its AddOn says so."""

    modified: float
    checksum: str
    kinds: frozenset[str]
    counts: bool = True


@dataclass(frozen=True)
class Addon:
    """What an AddOn in the cluster says."""

    uid: str = ""
    checksum: str = ""
    kinds: frozenset[str] = frozenset()


@dataclass
class Deployer:
    """Applies manifests; remembers what it found, so that an unchanged file costs one look at its time."""

    api: Api
    disabled: frozenset[str]
    variables: Mapping[str, str]
    _applied: dict[Path, Applied] = field(default_factory=dict[Path, "Applied"])
    _addons: dict[str, Addon] = field(default_factory=dict[str, "Addon"])  # as they are in the cluster
    _packaged: set[Path] = field(default_factory=set[Path])
    _complained: dict[Path, tuple[str, float]] = field(default_factory=dict[Path, tuple[str, float]])  # file: what, and when
    _resources: dict[str, dict[str, tuple[str, bool]]] = field(
        default_factory=dict[str, dict[str, tuple[str, bool]]]
    )  # version: kind: plural, namespaced
    _addons_known: bool = False
    _begun: bool = False  # all files were applied once; from here on a file that says what its AddOn says is left alone

    def stage(self, *, later: Set[str] = frozenset()) -> None:
        """Lay the packaged manifests where K3s has them, its variables filled in; not what is disabled, or comes `later`."""
        packaged = layout.HOME / "manifests"
        for source in sorted(packaged.rglob("*.yaml")):
            target = layout.MANIFESTS / source.relative_to(packaged)
            if not _names(target) & (self.disabled | later):
                self._packaged.add(target)
                text = re.sub(r"%\{(\w+)\}%", lambda match: self.variables.get(match[1], match[0]), source.read_text())
                if not target.exists() or target.read_text() != text:
                    write(target, text.encode())

    def scan(self) -> None:
        """Apply the files that are new or changed; what fails is logged and tried again at the next scan."""
        self._know_addons()
        failed = False
        for path in _manifests():
            if not (self._addons_known or path in self._packaged):
                failed = True
                continue  # K3s begins with the AddOn: its name may be refused, and then nothing of the file is applied
            try:
                modified = path.stat().st_mtime
                if path not in self._applied or self._applied[path].modified != modified:
                    self._apply_file(path, modified)
                    self._complained.pop(path, None)
            except (*TROUBLE, ValueError, yaml.YAMLError) as error:
                failed = True
                self._complain(path, error)
        self._begun = self._begun or not failed

    def record(self) -> None:
        """Bring the AddOns up to what was applied, with an event each."""
        if not self._addons_known:
            return
        for path, applied in self._applied.items():
            name = _addon_name(path)
            if self._addons.get(name, Addon()).checksum != applied.checksum and applied.counts:
                self._addons[name] = self._write_addon(name, path, applied.checksum, applied.kinds)
                self._event(name, "Normal", "AppliedManifest", f'Applied manifest at "{path}"')
                applied.counts = False  # another file of this name may take the AddOn over

    def remove_disabled(self) -> None:
        """Delete objects, AddOn and file of everything that --disable names and was applied before."""
        for path in _manifests():
            if _names(path) & self.disabled:
                for thing in documents(path.read_bytes()):
                    with contextlib.suppress(ValueError):  # a kind that is not there any more
                        self._delete(self._path(thing))
                self._delete(f"{ADDONS}/{_addon_name(path)}")
                path.unlink()
        for name in self.disabled:
            folder = layout.MANIFESTS / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _know_addons(self) -> None:
        """Make the kind AddOn and learn which there are; until then only packaged files are applied."""
        if self._addons_known:
            return
        try:
            self.api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD['metadata']['name']}", CRD, MANAGER)
            self._read_addons()
            self._addons_known = True
        except TROUBLE as error:
            if not (isinstance(error, ApiError) and error.code == 404):  # the new kind takes a moment to be served
                log(f"the kind AddOn cannot be had: {error}")

    def _read_addons(self) -> None:
        self._addons = {item["metadata"]["name"]: addon_of(item) for item in self.api.get(ADDONS)["items"]}

    def _apply_file(self, path: Path, modified: float) -> None:
        name = _addon_name(path)
        if path not in self._packaged:
            self._read_addons()  # somebody may have deleted it: then it is made anew, also for a file that says what it said before
            if name not in self._addons:
                self._addons[name] = self._write_addon(name, path, "", frozenset())
        content = path.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        if self._begun and path not in self._packaged and self._addons.get(name, Addon()).checksum == checksum:
            self._applied[path] = Applied(modified, checksum, self._addons[name].kinds, counts=False)
            return
        try:
            things = documents(content)
        except (ValueError, yaml.YAMLError) as error:
            self._event(name, "Warning", "ParseManifestFailed", f'Parse manifest at "{path}" failed: {error}')
            raise
        kinds = frozenset(_kind(thing) for thing in things)
        try:
            self._apply(name, things)
            before = self._addons.get(name)
            if before and before.checksum not in ("", checksum):
                self._prune(name, things, before.kinds | kinds)
        except (*TROUBLE, ValueError) as error:
            self._event(name, "Warning", "ApplyManifestFailed", f'Applying manifest at "{path}" failed: {error}')
            raise
        self._applied[path] = Applied(modified, checksum, kinds)

    def _apply(self, name: str, things: Iterable[Object]) -> None:
        marks = ownership(name)
        for thing in things:
            meta = thing.setdefault("metadata", {})
            meta["labels"] = {**(meta.get("labels") or {}), **marks["labels"]}
            meta["annotations"] = {**(meta.get("annotations") or {}), **marks["annotations"]}
            self.api.apply(self._path(thing), thing, MANAGER)

    def _prune(self, name: str, things: Iterable[Object], kinds: Iterable[str]) -> None:
        """Delete what an earlier version of the file had and this one has not."""
        wanted = {self._path(thing) for thing in things}
        selector = "%2C".join(f"{key}%3D{value}" for key, value in ownership(name)["labels"].items())
        for text in sorted(kinds):
            version, kind = text.split(", Kind=")
            version = version.removeprefix("/")
            with contextlib.suppress(ValueError):  # a kind that is not there any more
                plural, _ = self._resource(version, kind)
                for found in self.api.get(f"{_root(version)}/{plural}?labelSelector={selector}")["items"]:
                    target = self._path({"apiVersion": version, "kind": kind, "metadata": found["metadata"]})
                    if target not in wanted:
                        self._delete(target)

    def _write_addon(self, name: str, path: Path, checksum: str, kinds: frozenset[str]) -> Addon:
        annotations = {KINDS_ANNOTATION: ";".join(sorted(kinds))} if kinds else {}
        addon: Object = {
            "apiVersion": "k3s.cattle.io/v1",
            "kind": "Addon",
            "metadata": {"name": name, "namespace": "kube-system", "annotations": annotations},
            "spec": {"source": str(path), "checksum": checksum},
        }
        return addon_of(self.api.apply(f"{ADDONS}/{name}", addon, MANAGER))

    def _event(self, name: str, kind: str, reason: str, message: str) -> None:
        """What `kubectl describe addon` shows; that it cannot be written is no reason to stop."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"apiVersion": "k3s.cattle.io/v1", "kind": "Addon", "name": name, "namespace": "kube-system"}
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name}.", "namespace": "kube-system"},
            "involvedObject": {**about, "uid": self._addons.get(name, Addon()).uid},
            "source": {"component": "deploy"},
            "type": kind,
            "reason": reason,
            "message": message[:1000],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with contextlib.suppress(*TROUBLE):
            self.api.create(EVENTS, event)

    def _complain(self, path: Path, error: Exception) -> None:
        """K3s's line for a file that cannot be applied, when it says something new and else as often as K3s says it."""
        text, now = str(error), time.monotonic()
        before, when = self._complained.get(path, ("", 0.0))
        if text != before or now - when >= COMPLAIN_EVERY_S:
            journal.error(f"Failed to process config: failed to process {path}: {text}")
            self._complained[path] = (text, now)

    def _path(self, thing: Object) -> str:
        """Where an object of a manifest lives in the API."""
        version, name = thing["apiVersion"], thing["metadata"]["name"]
        plural, namespaced = self._resource(version, thing["kind"])
        inside = f"/namespaces/{thing['metadata'].get('namespace', 'default')}" if namespaced else ""
        return f"{_root(version)}{inside}/{plural}/{name}"

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        """A kind's plural and whether it has namespaces, asked from the API server once per group and version."""
        if kind not in self._resources.get(version, {}):
            listed = self.api.get(_root(version))["resources"]
            self._resources[version] = {item["kind"]: (item["name"], item["namespaced"]) for item in listed if "/" not in item["name"]}
        try:
            return self._resources[version][kind]
        except KeyError:
            raise ValueError(f"the API server knows no kind {kind} in {version}") from None

    def _delete(self, path: str) -> None:
        try:
            self.api.delete(path)
        except ApiError as error:
            if error.code != 404:
                raise


def documents(content: bytes) -> list[Object]:
    """The objects of a manifest; lists are taken apart."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[Object] = []
    for loaded in yaml.load_all(content, loader):
        if loaded is None:
            continue
        if not isinstance(loaded, dict) or "kind" not in loaded or "apiVersion" not in loaded:
            raise ValueError("a document has no apiVersion and kind")
        document = cast(Object, loaded)
        found.extend(document.get("items", []) if str(document["kind"]).endswith("List") else [document])
    for thing in found:
        if not (isinstance(thing.get("metadata"), dict) and thing["metadata"].get("name")):
            raise ValueError(f"a {thing.get('kind')} has no name")
    return found


def addon_of(thing: Object) -> Addon:
    """An AddOn from the API."""
    kinds = thing["metadata"].get("annotations", {}).get(KINDS_ANNOTATION, "")
    return Addon(thing["metadata"].get("uid", ""), thing.get("spec", {}).get("checksum", ""), frozenset(filter(None, kinds.split(";"))))


def ownership(name: str) -> dict[str, dict[str, str]]:
    """The marks by which an AddOn's objects are found again: the label and annotations that K3s puts on them."""
    owner = {"owner-gvk": "k3s.cattle.io/v1, Kind=Addon", "owner-name": name, "owner-namespace": "kube-system"}
    digest = hashlib.sha1(json.dumps(owner, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    return {
        "labels": {f"{OWNED}/hash": digest},
        "annotations": {f"{OWNED}/id": "", **{f"{OWNED}/{key}": value for key, value in owner.items()}},
    }


def _manifests() -> list[Path]:
    """Files to apply: not hidden, not skipped, YAML or JSON."""
    files = [path for path in sorted(layout.MANIFESTS.rglob("*")) if path.is_file()]
    skipped = {path.name.removesuffix(".skip") for path in files if path.name.endswith(".skip")}
    return [
        path
        for path in files
        if path.suffix.lower() in (".yaml", ".yml", ".json") and not path.name.startswith(".") and path.name not in skipped
    ]


def _addon_name(path: Path) -> str:
    return path.name.split(".", 1)[0]


def _names(path: Path) -> set[str]:
    """What --disable may call a manifest: its name without suffix, or a folder below server/manifests that it is in."""
    inside = path.relative_to(layout.MANIFESTS)
    return {path.stem, *(str(folder) for folder in inside.parents if folder.name)}


def _kind(thing: Object) -> str:
    return f"{_slashed(thing['apiVersion'])}, Kind={thing['kind']}"


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _slashed(version: str) -> str:
    return version if "/" in version else f"/{version}"


def log(text: str) -> None:
    """One line for the journal of k3s.service."""
    print(f"standin: {text}", file=sys.stderr, flush=True)
