"""Packaged components and whatever else lies in server/manifests, kept applied as K3s does (pkg/deploy/controller.go).

Each file is an AddOn called after it. It is applied when the server starts and when the file changes; objects that vanish
from a changed file are deleted; objects of a removed file are left alone. `name.yaml.skip` keeps a file from being applied.
A component named by --disable has its file and its objects removed (docs.k3s.io/installation/packaged-components).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from . import layout
from .api import TROUBLE, Api, ApiError, Object
from .files import write

MANAGER = "deploy@k3s"
ADDONS = "/apis/k3s.cattle.io/v1/namespaces/kube-system/addons"
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
class Deployer:
    """Applies manifests; remembers what it found, so that an unchanged file costs one look at its time."""

    api: Api
    disabled: frozenset[str]
    variables: Mapping[str, str]
    _applied: dict[Path, tuple[float, str]] = field(
        default_factory=dict[Path, tuple[float, str]]
    )  # file: time and checksum when it was applied
    _recorded: dict[Path, str] = field(default_factory=dict[Path, str])  # file: checksum that its AddOn has
    _resources: dict[str, dict[str, tuple[str, bool]]] = field(
        default_factory=dict[str, dict[str, tuple[str, bool]]]
    )  # version: kind: plural, namespaced
    _addons_ready: bool = False

    def stage(self, *, later: Set[str] = frozenset()) -> None:
        """Lay the packaged manifests where K3s has them, its variables filled in; not what is disabled, skipped, or comes `later`."""
        for source in sorted((layout.HOME / "manifests").glob("*.yaml")):
            target = layout.MANIFESTS / source.name
            if source.stem not in self.disabled | later and not target.with_name(f"{target.name}.skip").exists():
                text = re.sub(r"%\{(\w+)\}%", lambda match: self.variables[match[1]], source.read_text())
                if not target.exists() or target.read_text() != text:
                    write(target, text.encode())

    def scan(self) -> None:
        """Apply the files that are new or changed; what fails is logged and tried again at the next scan."""
        for path in _manifests():
            try:
                modified = path.stat().st_mtime
                if path not in self._applied or self._applied[path][0] != modified:
                    content = path.read_bytes()
                    self._apply_file(path, content)
                    self._applied[path] = (modified, hashlib.sha256(content).hexdigest())
            except (*TROUBLE, ValueError, yaml.YAMLError) as error:
                log(f"applying manifest {path} failed: {error}")

    def record(self) -> None:
        """Keep one AddOn object per applied file."""
        try:
            if not self._addons_ready:
                self.api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD['metadata']['name']}", CRD, MANAGER)
                self._addons_ready = True
            for path, (_, checksum) in self._applied.items():
                if self._recorded.get(path) != checksum:
                    self._record_file(path, checksum)
        except TROUBLE as error:
            if not (isinstance(error, ApiError) and error.code == 404):  # the new kind takes a moment to be served
                log(f"recording addons failed: {error}")

    def remove_disabled(self) -> None:
        """Delete the objects and the file of each disabled component that was applied before."""
        for name in sorted(self.disabled):
            path = layout.MANIFESTS / f"{name}.yaml"
            if path.exists():
                for thing in documents(path.read_bytes()):
                    self._delete(self._path(thing))
                self._delete(f"{ADDONS}/{name}")
                path.unlink()

    def _apply_file(self, path: Path, content: bytes) -> None:
        things = documents(content)
        marks = ownership(_addon_name(path))
        for thing in things:
            meta = thing.setdefault("metadata", {})
            meta["labels"] = {**(meta.get("labels") or {}), **marks["labels"]}
            meta["annotations"] = {**(meta.get("annotations") or {}), **marks["annotations"]}
            self.api.apply(self._path(thing), thing, MANAGER)
        if path in self._applied:
            self._prune(_addon_name(path), things)

    def _prune(self, name: str, things: Iterable[Object]) -> None:
        """Delete what an earlier version of a changed file had and this one has not."""
        wanted = {self._path(thing) for thing in things}
        before = self.api.get(f"{ADDONS}/{name}")["metadata"].get("annotations", {}).get(KINDS_ANNOTATION, "")
        selector = "%2C".join(f"{key}%3D{value}" for key, value in ownership(name)["labels"].items())
        for text in filter(None, before.split(";")):
            version, kind = text.split(", Kind=")
            plural, _ = self._resource(version.removeprefix("/"), kind)
            for found in self.api.get(f"{_root(version.removeprefix('/'))}/{plural}?labelSelector={selector}")["items"]:
                target = self._path({"apiVersion": version.removeprefix("/"), "kind": kind, "metadata": found["metadata"]})
                if target not in wanted:
                    self._delete(target)

    def _record_file(self, path: Path, checksum: str) -> None:
        kinds = sorted({f"{_slashed(thing['apiVersion'])}, Kind={thing['kind']}" for thing in documents(path.read_bytes())})
        addon: Object = {
            "apiVersion": "k3s.cattle.io/v1",
            "kind": "Addon",
            "metadata": {"name": _addon_name(path), "namespace": "kube-system", "annotations": {KINDS_ANNOTATION: ";".join(kinds)}},
            "spec": {"source": str(path), "checksum": checksum},
        }
        self.api.apply(f"{ADDONS}/{_addon_name(path)}", addon, MANAGER)
        self._recorded[path] = checksum

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
        path for path in files if path.suffix in (".yaml", ".yml", ".json") and not path.name.startswith(".") and path.name not in skipped
    ]


def _addon_name(path: Path) -> str:
    return path.name.split(".", 1)[0]


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _slashed(version: str) -> str:
    return version if "/" in version else f"/{version}"


def log(text: str) -> None:
    """One line for the journal of k3s.service."""
    print(f"standin: {text}", file=sys.stderr, flush=True)
