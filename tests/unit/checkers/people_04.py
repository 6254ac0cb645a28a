"""Chapter 04 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.checkers.kept_config import (
    Change,
    Config,
    both,
    container,
    encoded,
    encryption,
    field,
    moved,
    next_pod,
    notice,
    password,
    pods,
    renamed,
    sees,
    variable,
    volume,
)
from tests.unit.checkers.kept_lab import GONE, Obj, put
from tests.unit.checkers.variant import Variant, each, one

MAP, SECRET, CLAIM = "ConfigMap/notice", "Secret/till", "PersistentVolumeClaim/guestbook"
STORAGE = "/var/lib/rancher/k3s/storage"
LOST = "cat: can't open '/data/.lab-check-shop': No such file or directory"


def volumes(change: Any) -> Change:
    """The pod's volumes, changed by their names."""
    return lambda lab: lab.rolled_out(lambda spec: change({one["name"]: one for one in spec["volumes"]}))


def mounts(change: Any) -> Change:
    """The container's mounts, changed by their paths."""
    return lambda lab: lab.rolled_out(lambda spec: change({one["mountPath"]: one for one in spec["containers"][0]["volumeMounts"]}))


def mounted(path: str, **changes: Any) -> Change:
    """Another mount in place of the one at a path."""
    return mounts(lambda found: found[path].update(changes))


def without_mount(path: str) -> Change:
    def change(spec: Obj) -> None:
        spec["containers"][0]["volumeMounts"] = [one for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] != path]

    return lambda lab: lab.rolled_out(change)


def mounted_in_a_sidecar(path: str) -> Change:
    """The mount stands in the container beside it."""

    def change(spec: Obj) -> None:
        found = [one for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] == path]
        spec["containers"][0]["volumeMounts"] = [one for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] != path]
        spec["containers"].append({"name": "log", "image": "course/tools:1", "volumeMounts": found})

    return lambda lab: lab.rolled_out(change)


def hashed_names(lab: Config) -> None:
    """kustomize's generators add a hash to names."""
    renamed(MAP, "notice-7bf2h9kd8m")(lab)
    renamed(SECRET, "till-4tm7c6k2bh")(lab)
    volumes(lambda found: found["notice"]["configMap"].update(name="notice-7bf2h9kd8m"))(lab)
    container("env", "[{name: TILL_PASSWORD, valueFrom: {secretKeyRef: {name: till-4tm7c6k2bh, key: password}}}]")(lab)


def two_replicas(lab: Config) -> None:
    twin = copy.deepcopy(lab.pods[0])
    twin["metadata"].update(name="shop-twin", uid="uid-twin")
    lab.all("Pod").append(twin)
    seen = lab.document["probes"]["04.inside"]["result"]
    seen.append({**seen[0], "pod": "shop-twin"})
    for obj in (
        lab.shop,
        *(found for found in lab.all("ReplicaSet") if found["spec"]["replicas"] and found["metadata"]["namespace"] == lab.params.namespace),
    ):
        obj["spec"]["replicas"] = 2
        obj["status"].update(replicas=2, updatedReplicas=2, readyReplicas=2, availableReplicas=2)


def one_pod_behind(lab: Config) -> None:
    """Two pods, and one of them is from before the change."""
    two_replicas(lab)
    lab.document["probes"]["04.inside"]["result"][1]["notice"] = lab.params.notice


def made_of_secret(lab: Config) -> None:
    """The notice as a Secret: it shows, and is no ConfigMap."""
    volumes(lambda found: found["notice"].pop("configMap") and found["notice"].update(secret={"secretName": "notice"}))(lab)


def other_class(name: str, provisioner: str) -> Change:
    def change(lab: Config) -> None:
        lab.all("StorageClass").append(
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name, "uid": name}, "provisioner": provisioner}
        )
        field(CLAIM, "spec/storageClassName", name)(lab)
        put(lab.volume, "spec/storageClassName", name)

    return change


def pending(**spec: Any) -> Change:
    """A claim that is not served, and the pod that waits for it; the old pod is gone."""

    def change(lab: Config) -> None:
        lab.all("PersistentVolume").remove(lab.volume)
        found = lab.find("PersistentVolumeClaim", "guestbook")
        found["spec"].update(spec)
        found["spec"].pop("volumeName")
        found["status"] = {"phase": "Pending"}

    return change


def released_volume_kept(lab: Config) -> None:
    """An earlier claim's volume lies there, retained."""
    old = copy.deepcopy(lab.volume)
    old["metadata"].update(name="pvc-old", uid="uid-old")
    old["status"]["phase"] = "Released"
    lab.all("PersistentVolume").append(old)


def old_one_retained_only(lab: Config) -> None:
    released_volume_kept(lab)
    put(lab.volume, "spec/persistentVolumeReclaimPolicy", "Delete")


def as_host_path(lab: Config) -> None:
    spec = lab.volume["spec"]
    spec["hostPath"] = {"path": spec.pop("local")["path"], "type": "DirectoryOrCreate"}


def folder_elsewhere(lab: Config) -> None:
    lab.volume["spec"]["local"]["path"] = "/opt/local-path-provisioner/pvc-1"


def stuck(*changes: Change) -> Change:
    """A change of the Deployment with which the new pod does not start; the old one goes on, and sees what it saw."""

    def change(lab: Config) -> None:
        pods, seen = copy.deepcopy(lab.pods), copy.deepcopy(lab.document["probes"]["04.inside"]["result"])
        for apply in changes:
            apply(lab)
        for pod in lab.pods:
            pod["metadata"].update(name="shop-new", uid="uid-new")
        lab.nothing_ready()
        lab.all("Pod").extend(pods)
        lab.document["probes"]["04.inside"]["result"] = seen
        lab.shop["status"].update(replicas=2, updatedReplicas=1, readyReplicas=1, availableReplicas=1, unavailableReplicas=1)

    return change


def in_binary_data(lab: Config) -> None:
    """What kubectl makes of a file that is no text stands there; by hand it may be any value."""
    held = lab.find("ConfigMap", "notice")
    held["binaryData"] = {"notice.txt": encoded(held.pop("data")["notice.txt"])}


def in_a_secret_too(lab: Config) -> None:
    """A first try was a Secret of the same file: what equals it is hidden wherever it stands."""
    value = lab.hidden(lab.params.news + "\n")
    lab.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notice"}, "data": {"notice.txt": value}})
    lab.find("ConfigMap", "notice")["data"] = {"notice.txt": value}
    lab.see(notice=value)


def folders_in_folders(lab: Config) -> None:
    """A class with a pathPattern, {{ .PVC.Namespace }}/{{ .PVC.Name }} as local-path's own instructions have it."""
    lab.volume["spec"]["local"]["path"] = f"{STORAGE}/{lab.params.namespace}/guestbook"
    lab.document["nodes"]["server"]["files"][STORAGE]["names"] = [lab.params.namespace]


def plain_value(name: str, value: str) -> Change:
    """A variable before the till's, whose value stands in the Deployment."""

    def change(lab: Config) -> None:
        hidden = lab.hidden(value.replace("{password}", lab.params.password))
        lab.rolled_out(lambda spec: spec["containers"][0]["env"].insert(0, {"name": name, "value": hidden}))

    return change


def by_another_variable(lab: Config) -> None:
    """Kubernetes puts another variable's value in for $(NAME)."""
    value = lab.hidden("$(PGPASSWORD)")
    container("env/0/name", "PGPASSWORD")(lab)
    lab.rolled_out(lambda spec: spec["containers"][0]["env"].append({"name": "TILL_PASSWORD", "value": value}))


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    one("", "names with a hash", hashed_names),
    one("", "two replicas", two_replicas),
    one("", "from a file with an end of line", notice("{news}\n")),
    one("", "from a file of Windows", notice("{news}\r\n")),
    one("", "with empty lines behind", notice("{news}\n\n")),
    one("", "by items", both(notice("{news}", "door"), volumes(lambda found: found["notice"]["configMap"].update(items=[{"key": "door", "path": "notice.txt"}])))),
    one("", "by subPath", mounted("/etc/shop", mountPath="/etc/shop/notice.txt", subPath="notice.txt")),
    one("", "read only", mounted("/etc/shop", readOnly=True)),
    one("", "with a mode of its own", volumes(lambda found: found["notice"]["configMap"].update(defaultMode=292))),
    one("", "immutable", both(field(MAP, "immutable", True), field(SECRET, "immutable", True))),
    *each("", field, SECRET, "type", values=["kubernetes.io/basic-auth"]),
    *each("", field, "Deployment/shop", "spec/template/metadata/annotations/checksum~1config", values=["0f3a"]),
    one("", "envFrom", both(
        lambda lab: lab.find("Secret", "till")["data"].update(TILL_PASSWORD=lab.hidden(lab.params.password)),
        container("env", GONE), container("envFrom", "[{secretRef: {name: till}}]"))),
    one("", "the password twice", container("env", "[{name: TILL_PASSWORD, valueFrom: {secretKeyRef: {name: till, key: password}}}, {name: PGPASSWORD, valueFrom: {secretKeyRef: {name: till, key: password}}}]")),
    *each("", lambda kind: encryption(activekey=kind), values=["XSalsa20-POLY1305 secretboxkey-2026-11-28T10:00:00Z"]),
    one("", "the notice in binaryData", in_binary_data),
    one("", "the notice in a Secret, too", in_a_secret_too),
    one("", "by another variable", by_another_variable),
    one("", "folders in folders", folders_in_folders),
    one("", "an old key is still there", encryption(inactivekeys=["AES-CBC aescbckey"])),
    one("", "a class of their own", other_class("retained", "rancher.io/local-path")),
    *each("", field, CLAIM, "spec/resources/requests/storage", values=["'{size*1048576}'", "{size*1024}Ki"]),
    one("", "a hostPath volume", as_host_path),
    one("", "an old volume lies beside", released_volume_kept),
    one("", "another shop before it", lambda lab: lab.rolled_out(
        lambda spec: spec["containers"].insert(0, {"name": "canary", "image": "course/web:2", "args": ["-port=8081"]}))),
    one("", "a folder of the claim", mounted("/data", subPath="guests")),
    *each("", pods, "securityContext", values=["{fsGroup: 1000}"]),
    *each("", field, "Deployment/shop", "spec/strategy", values=["{type: Recreate}"]),
]  # fmt: skip
NO_FILE: dict[str, Any] = {"kind": "", "notice": ""}
NO_VARIABLE: dict[str, Any] = {"set": False, "password": ""}
WRONG: list[Variant] = [
    one("config", "mounted in a sidecar", both(mounted_in_a_sidecar("/etc/shop"), sees(**NO_FILE))),
    one("config", "a Secret instead", made_of_secret),
    one("config", "mounted over /etc", both(mounted("/etc/shop", mountPath="/etc"), sees(**NO_FILE))),
    one("config", "the ConfigMap's name misspelt, and optional", both(
        volumes(lambda found: found["notice"]["configMap"].update(name="notce", optional=True)), sees(**NO_FILE))),
    one("config", "an env file", notice("NOTICE={news}")),
    one("config", "quotes in it", notice('"{news}"')),
    one("config", "the literal's name missing", both(notice("notice.txt", "{news}"), sees(**NO_FILE))),
    one("config", "a folder in place of the file", both(mounted("/etc/shop", mountPath="/etc/shop/notice.txt"), sees(kind="folder", notice=""))),
    one("change", "one pod is from before", one_pod_behind),
    one("change", "the old text, restarted", notice("{notice}")),
    one("change", "edited in the pod", both(notice("{notice}"), sees(notice="{news}"))),
    one("secret", "a newline", password(lambda text: text + "\n")),  # kubernetes/kubernetes#23404, #28086
    one("secret", "an end of line of Windows", password(lambda text: text + "\r\n")),
    one("secret", "quotes", password(lambda text: f'"{text}"')),
    one("secret", "encoded by hand", password(encoded)),
    one("secret", "encoded by hand with a newline", password(lambda text: encoded(text + "\n"))),
    one("secret", "encoded twice", password(lambda text: encoded(encoded(text)))),
    one("secret", "a variable of the shell, unset", password(lambda text: "")),
    one("secret", "single quotes around the variable", password(lambda text: "$LAB_PASSWORD")),
    one("secret", "the key is optional and missing", variable(
        "[{name: TILL_PASSWORD, valueFrom: {secretKeyRef: {name: till, key: pass, optional: true}}}]", reaches=False)),
    one("secret", "envFrom with the key password", both(variable("[]", reaches=False), container("envFrom", "[{secretRef: {name: till}}]"))),
    one("secret", "in small letters", variable("[{name: till_password, valueFrom: {secretKeyRef: {name: till, key: password}}}]", reaches=False)),
    one("secret", "in the Deployment again", variable(
        "[{name: TILL_PASSWORD, valueFrom: {secretKeyRef: {name: till, key: password}}}, {name: TILL_PASSWORD, value: x}]", reaches=True)),
    one("secret", "a key that is not there, and the old pod", stuck(container("env/0/valueFrom/secretKeyRef/key", "TILL_PASSWORD"))),
    one("secret", "a Secret that is not there, and the old pod", stuck(container("env/0/valueFrom/secretKeyRef/name", "tills"))),
    one("secret", "changed since the pods started", lambda lab: lab.find("Secret", "till")["data"].update(password=lab.hidden("another one"))),
    one("config", "a key that is not there, and the old pod", stuck(
        volumes(lambda found: found["notice"]["configMap"].update(items=[{"key": "notice", "path": "notice.txt"}])))),
    one("config", "a ConfigMap that is not there, and the old pod", stuck(volumes(lambda found: found["notice"]["configMap"].update(name="notices")))),
    one("config", "not mounted any more, and the old pod", stuck(without_mount("/etc/shop"))),
    one("secret", "left in another variable", plain_value("TIL_PASSWORD", "{password}")),
    one("config", "the password as the notice", lambda lab: lab.see(notice=lab.hidden(lab.params.password))),
    one("encrypted", "anew with the first key", encryption(activekey="AES-CBC aescbckey")),  # secrets-encrypt reencrypt --force --skip
    one("encrypted", "prepared", encryption(stage="prepare")),
    one("encrypted", "rotated", encryption(stage="rotate")),
    one("encrypted", "switched off", encryption(enable=False)),
    *[one("claim", f"for {mode}", pending(accessModes=[mode])) for mode in ("ReadWriteMany", "ReadOnlyMany")],  # rancher/local-path-provisioner#70
    *[one("claim", f"class {name}", pending(storageClassName=name)) for name in ("standard", "longhorn", "local-storage", "")],
    one("claim", "a volume made by hand", other_class("manual", "kubernetes.io/no-provisioner")),
    *each("claim", field, CLAIM, "spec/resources/requests/storage", values=["{size}M", "{size}Gi", "{size}m"]),
    one("claim", "in default", moved(CLAIM, "default")),
    one("survive", "mounted in a sidecar", both(mounted_in_a_sidecar("/data"), next_pod(wrote="can't create /data/x: nonexistent directory", next="", read=""))),
    one("survive", "in memory", both(volumes(lambda found: found["guestbook"].pop("persistentVolumeClaim") and found["guestbook"].update(emptyDir={"medium": "Memory"})), next_pod(read=LOST))),
    one("survive", "a folder per pod", both(mounted("/data", subPathExpr="$(HOSTNAME)"), next_pod(read=LOST))),
    one("survive", "not writable", next_pod(wrote="can't create /data/x: Permission denied", next="", read="")),
    one("keep", "an annotation of the claim", both(volume("spec/persistentVolumeReclaimPolicy", "Delete"), field(CLAIM, "metadata/annotations/reclaimPolicy", "Retain"))),
    one("keep", "an old volume's policy", old_one_retained_only),
    one("keep", "Recycle", volume("spec/persistentVolumeReclaimPolicy", "Recycle")),
    one("keep", "a folder elsewhere", folder_elsewhere),
]  # fmt: skip
