"""Chapter 04, Configuration, Secrets and storage: what the shop's container sees, and what is left of it when its pod is gone."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from courselab.errors import LabError
from courselab.grade import check, diagnose, expect, fact, fail, image, probe, quantity
from courselab.grade.redacted import compare, describe, is_redacted

SHOP, CONTAINER, IMAGE = "shop", "web", "course/web"
FOLDER, NAME = "/etc/shop", "notice.txt"
FILE = f"{FOLDER}/{NAME}"
VARIABLE = "TILL_PASSWORD"
CLAIM, DATA = "guestbook", "/data"
PROVISIONER = "rancher.io/local-path"
STORAGE = "/var/lib/rancher/k3s/storage"
FIRST_KEY = "aescbckey"  # what K3s calls the key that it makes when it first starts; later ones have a date in their names
CONFIG_MAPS = ("configMap", "configMapKeyRef", "configMapRef")
PODS_AT_MOST = 4
# What a pod sees: whether the file is a file or a folder, what is in it, and the variable; NUL between them.
LOOK = f"""
if [ -d {FILE} ]; then printf folder; elif [ -e {FILE} ]; then printf file; fi
printf '\\000'
[ -f {FILE} ] && head -c 4096 {FILE}
printf '\\000'
[ "${{{VARIABLE}+x}}" ] && printf set
printf '\\000%s' "${VARIABLE}"
"""

Obj = dict[str, Any]


# Reading objects ------------------------------------------------------------------------------------------------------------


def shop(cluster: Any, params: Any) -> Obj:
    """The shop's Deployment; the check fails if it is not there."""
    return cluster.get("Deployment", SHOP, namespace=params.namespace)


def pod_spec(workload: Obj) -> Obj:
    """The pod's part of a Deployment; a pod's own."""
    return workload["spec"].get("template", workload)["spec"]


def container_of(workload: Obj) -> Obj:
    """The container that is the shop: by its image (and name, if there are several), else the first. Others are the learner's own affair."""
    containers = pod_spec(workload).get("containers") or [{}]
    by_image = [one for one in containers if image(IMAGE).test(one.get("image"))]
    return next((one for one in by_image if one.get("name") == CONTAINER), (by_image or containers)[0])


def mount_at(workload: Obj, path: str) -> Obj | None:
    """The mount of the shop's container in which a path lies: the longest that fits."""
    mounts = container_of(workload).get("volumeMounts") or []
    above = [one for one in mounts if f"{path}/".startswith(one["mountPath"].rstrip("/") + "/")]
    return max(above, key=lambda one: len(one["mountPath"].rstrip("/")), default=None)


def volume_at(workload: Obj, path: str) -> Obj | None:
    """The volume in which a path of the shop's container lies."""
    mount = mount_at(workload, path)
    volumes = pod_spec(workload).get("volumes") or []
    return next((one for one in volumes if mount and one["name"] == mount["name"]), None)


def kind_of(volume: Obj) -> str:
    """What a volume is made of, as its field is called: "emptyDir"."""
    return next((key for key in volume if key != "name"), "nothing")


def named(node: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The names of objects that are referred to below one of these keys, anywhere in a pod's specification."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys and isinstance(value, dict) and value.get("name"):
                yield value["name"]
            yield from named(value, keys)
    elif isinstance(node, list):
        for item in node:
            yield from named(item, keys)


def config_maps(cluster: Any, params: Any) -> list[Obj]:
    """The ConfigMaps that the shop's pods are told to use, and that are there."""
    names = dict.fromkeys(named(pod_spec(shop(cluster, params)), CONFIG_MAPS))
    found = (cluster.find("ConfigMap", name, namespace=params.namespace) for name in names)
    return [one for one in found if one]


def contents(obj: Obj | None) -> Obj:
    """What a ConfigMap or Secret holds, by its keys. A ConfigMap may have values as base64, too."""
    encoded = ((obj or {}).get("binaryData") or {}).items()
    return {**((obj or {}).get("data") or {}), **{key: decoded(value) for key, value in encoded}}


def decoded(value: str) -> str:
    """Base64 as text; what is cut off or no text shows as such."""
    try:
        return base64.b64decode(value).decode("utf-8", "replace")
    except binascii.Error:
        return value


def is_one_of(value: Any, texts: tuple[str, ...]) -> bool:
    """Whether a value is one of these texts; white space around it does not count. One that is a Secret's, too, stands hidden in Evidence."""
    if not is_redacted(value):
        return str(value).strip() in texts
    found = [compare(text, value) for text in texts]
    return any(one.equal or "white space" in one.note for one in found)


def quoted(value: Any) -> str:
    """The beginning of a value."""
    return describe(value) if is_redacted(value) else repr(str(value).strip()[:60])


def holds(config_map: Obj, *texts: str) -> bool:
    """Whether one of a ConfigMap's values is one of these texts."""
    return any(is_one_of(value, texts) for value in contents(config_map).values())


def texts_of(config_map: Obj) -> str:
    """The beginnings of a ConfigMap's values."""
    return ", ".join(map(quoted, contents(config_map).values())) or "nothing"


def keys_of(obj: Obj | None) -> str:
    """The keys of a ConfigMap or Secret in words."""
    return ", ".join(sorted(contents(obj))) or "none"


def alive(pods: list[Obj]) -> list[Obj]:
    """Without pods that are over."""
    return [pod for pod in pods if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]


def is_ready(pod: Obj) -> bool:
    """Whether the pod says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions") or [])


def starting(cluster: Any, params: Any) -> list[Obj]:
    """What explains why a change has not arrived: pods that are not ready, else the Deployment."""
    found = shop(cluster, params)
    return [pod for pod in alive(cluster.pods_of(found)) if not is_ready(pod)] or [found]


# What the pods see ----------------------------------------------------------------------------------------------------------


@probe("04.inside", effect="observe", deadline_s=8)
def look_inside(lab: Any, cluster: Any, params: Any) -> list[Obj]:
    """What each ready pod of the shop sees of the notice and of the password."""
    found = cluster.find("Deployment", SHOP, namespace=params.namespace)
    pods = [pod for pod in cluster.pods_of(found) if is_ready(pod)] if found else []
    return [seen_in(lab, pod) for pod in pods[:PODS_AT_MOST]]


def seen_in(lab: Any, pod: Obj) -> Obj:
    """What one pod sees."""
    name, container = pod["metadata"]["name"], container_of(pod)["name"]
    try:
        done = lab.exec(name, ["/bin/sh", "-c", LOOK], namespace=pod["metadata"]["namespace"], container=container, timeout_s=4)
    except LabError as failed:
        return {"pod": name, "error": f"{failed.what}. {failed.why}", "kind": "", "notice": "", "set": False, "password": ""}
    kind, notice, is_set, password = [*done.stdout.decode("utf-8", "replace").split("\0"), "", "", "", ""][:4]
    return {"pod": name, "error": "", "kind": kind, "notice": notice, "set": bool(is_set), "password": password}


def all_seen(cluster: Any, probes: Any, params: Any) -> list[Obj]:
    """What the pods see; the check fails if none of them could be asked."""
    seen = [one for one in probes["04.inside"] if not one["error"]]
    if not seen:
        errors = [one["error"] for one in probes["04.inside"]]
        fail(
            "No pod of the shop could be looked into",
            expected="a pod that is ready",
            actual=errors[0] if errors else "none is ready",
            about=starting(cluster, params),
            next="kubectl get pods",
        )
    return seen


def shows(cluster: Any, probes: Any, params: Any, *texts: str) -> None:
    """Fail unless the file in every pod holds one of these texts."""
    for one in all_seen(cluster, probes, params):
        if one["kind"] != "file" or not is_one_of(one["notice"], texts):
            there = {"": "no such file", "folder": "a folder of this name"}.get(one["kind"], quoted(one["notice"]))
            fail(
                f"The notice in pod {one['pod']} is not the right one" if one["kind"] == "file" else f"Pod {one['pod']} has no file {FILE}",
                expected=f"{FILE} with {' or '.join(map(repr, texts))}",
                actual=there,
                path=FILE,
                about=starting(cluster, params),
                next=f"kubectl exec deployment/{SHOP} -- ls -l {FOLDER}",
            )


# 04.config ------------------------------------------------------------------------------------------------------------------


# A rollout that is stuck may be so for another task's sake: hence settled=False here and below.
@check("04.config", reads=["ConfigMap", "Deployment", "Pod"], probes=["04.inside"], settled=False)
def config(cluster: Any, probes: Any, params: Any) -> None:
    texts = (params.notice, params.news)
    found = shop(cluster, params)
    used = config_maps(cluster, params)
    if not any(holds(one, *texts) for one in used):
        gone = set(named(pod_spec(found), CONFIG_MAPS)) - {one["metadata"]["name"] for one in used}
        seen = [f"ConfigMap {one['metadata']['name']} with {texts_of(one)}" for one in used]
        fail(
            "The shop's pods use no ConfigMap that holds the notice",
            expected=f"a ConfigMap with {params.notice!r}, named in the Deployment",
            actual="; ".join([*seen, *(f"ConfigMap {name}, which is not there" for name in sorted(gone))]) or "no ConfigMap is used",
            path="spec.template.spec.volumes",
            about=found,
            next="kubectl get configmaps",
        )
    # What the Deployment says counts, too: pods of before a change that does not start still have what they had.
    volume = volume_at(found, FILE)
    missing = keys_not_there(cluster, volume or {}, params)
    if volume is None or missing:
        fail(
            f"ConfigMap {missing[0][0]} has no key {missing[0][1]}" if missing else f"The shop's container mounts nothing at {FOLDER}",
            expected=f"a volume at {FOLDER} with the file {NAME}",
            actual=f"key {missing[0][1]} is not there" if missing else "no volume",
            path=f"spec.template.spec.containers[{container_of(found).get('name')}].volumeMounts",
            about=starting(cluster, params),
            next="kubectl describe pod",
        )
    shows(cluster, probes, params, *texts)


def keys_not_there(cluster: Any, volume: Obj, params: Any) -> list[tuple[str, str]]:
    """Keys that a volume wants of ConfigMaps which do not have them: (ConfigMap, key)."""
    wanted = [one for one in maps_in(volume) if not one.get("optional")]
    held = {one.get("name", ""): cluster.find("ConfigMap", one.get("name", ""), namespace=params.namespace) for one in wanted}
    asked = [(one.get("name", ""), item.get("key", "")) for one in wanted for item in one.get("items") or []]
    return [(name, key) for name, key in asked if key not in contents(held[name])]


def maps_in(volume: Obj) -> list[Obj]:
    """The parts of a volume that name a ConfigMap."""
    parts = [volume, *((volume.get("projected") or {}).get("sources") or [])]
    return [part["configMap"] for part in parts if part.get("configMap")]


@diagnose("04.config", "other-namespace")
def config_in_other_namespace(cluster: Any, params: Any) -> str | None:
    maps = [one for one in cluster.list("ConfigMap") if holds(one, params.notice, params.news)]
    if not maps or any(one["metadata"]["namespace"] == params.namespace for one in maps):
        return None
    name, namespace = maps[0]["metadata"]["name"], maps[0]["metadata"]["namespace"]
    return f"ConfigMap {name} is in namespace {namespace}. Pods see those of their own namespace only, here {params.namespace}."


@diagnose("04.config", "not-used")
def config_not_used(cluster: Any, params: Any) -> str | None:
    used = [one["metadata"]["name"] for one in config_maps(cluster, params)]
    for one in cluster.list("ConfigMap", namespace=params.namespace):
        if holds(one, params.notice, params.news) and not used:
            return f"ConfigMap {one['metadata']['name']} holds the notice, and the Deployment does not name it: no volume brings it into the pod."
    return None


@diagnose("04.config", "mounted-as-folder")
def config_mounted_as_folder(cluster: Any, params: Any) -> str | None:
    mount = mount_at(shop(cluster, params), FILE)
    if mount is None or mount["mountPath"].rstrip("/") != FILE or mount.get("subPath"):
        return None
    return f"The volume is mounted at {FILE}, so that is a folder: a volume is one, and its files stand in it. Mount it at {FOLDER}."


@diagnose("04.config", "key-missing")
def config_key_missing(cluster: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    mount, volume = mount_at(found, FILE), volume_at(found, FILE)
    source = (volume or {}).get("configMap") or {}
    held = cluster.find("ConfigMap", source.get("name", ""), namespace=params.namespace)
    wanted = [item.get("key", "") for item in source.get("items") or []]
    if not wanted and mount and mount.get("subPath"):
        wanted = [mount["subPath"]]
    for key in wanted:
        if held and key not in contents(held):
            return f"The Deployment asks for key {key} of ConfigMap {source['name']}, which has: {keys_of(held)}."
    return None


@diagnose("04.config", "file-name")
def config_file_name(cluster: Any, probes: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    source = (volume_at(found, FILE) or {}).get("configMap") or {}
    held = cluster.find("ConfigMap", source.get("name", ""), namespace=params.namespace)
    named_otherwise = source.get("items") or (mount_at(found, FILE) or {}).get("subPath")
    if held is None or named_otherwise or NAME in contents(held):
        return None
    return (
        f"Each key of a ConfigMap becomes a file of its name. ConfigMap {source['name']} has: {keys_of(held)}. The file should be {NAME}."
    )


@diagnose("04.config", "other-folder")
def config_other_folder(cluster: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    if volume_at(found, FILE):
        return None
    from_maps = {one["name"] for one in pod_spec(found).get("volumes") or [] if list(named(one, CONFIG_MAPS))}
    paths = [one["mountPath"] for one in container_of(found).get("volumeMounts") or [] if one["name"] in from_maps]
    if paths:
        return f"The ConfigMap is mounted at {paths[0]}. The shop looks for its notice in {FOLDER}."
    if from_maps:
        return f"The pod has the ConfigMap among its volumes, and no container mounts it: volumeMounts of container {container_of(found)['name']}."
    if not list(named(pod_spec(found), CONFIG_MAPS)):
        return None
    return "The ConfigMap becomes environment variables only. A file comes from a volume that is mounted."


# 04.change ------------------------------------------------------------------------------------------------------------------


@check("04.change", needs=["04.config"], reads=["ConfigMap", "Deployment", "Pod"], probes=["04.inside"], settled=False)
def change(cluster: Any, probes: Any, params: Any) -> None:
    if not any(holds(one, params.news) for one in config_maps(cluster, params)):
        fail(
            "No ConfigMap that the shop uses holds the new notice",
            expected=f"a ConfigMap with {params.news!r}",
            actual="; ".join(f"ConfigMap {one['metadata']['name']} with {texts_of(one)}" for one in config_maps(cluster, params)),
            path="data",
            about=config_maps(cluster, params),
            next="kubectl get configmaps -o yaml",
        )
    shows(cluster, probes, params, params.news)


@diagnose("04.change", "other-map")
def change_of_other_map(cluster: Any, params: Any) -> str | None:
    used = {one["metadata"]["name"] for one in config_maps(cluster, params)}
    for one in cluster.list("ConfigMap"):
        if holds(one, params.news):
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            if namespace != params.namespace:
                return f"The new notice is in ConfigMap {name} of namespace {namespace}, which the shop's pods do not see."
            return None if name in used else f"The new notice is in ConfigMap {name}. The Deployment names {', '.join(sorted(used))}."
    return None


@diagnose("04.change", "other-key")
def change_of_other_key(cluster: Any, params: Any) -> str | None:
    keys = keys_of_file(shop(cluster, params))
    held = {name: contents(cluster.find("ConfigMap", name, namespace=params.namespace)) for name, _ in keys}
    if not keys or not changed(cluster, params) or any(is_one_of(held[name].get(key), (params.news,)) for name, key in keys):
        return None
    name, key = keys[0]
    return f"The file comes from key {key} of ConfigMap {name}. The new notice stands elsewhere, so it does not get there."


def keys_of_file(workload: Obj) -> list[tuple[str, str]]:
    """The keys of which the file may be made, as the Deployment says it: (ConfigMap, key)."""
    mount, volume = mount_at(workload, FILE) or {}, volume_at(workload, FILE) or {}
    if mount.get("subPathExpr"):
        return []  # which one it is only the container knows
    below = FILE.removeprefix(mount.get("mountPath", "").rstrip("/"))
    path = f"{mount.get('subPath') or ''}{below}".strip("/")
    made = [(one, one.get("items") or [{"key": path, "path": path}]) for one in maps_in(volume)]
    return [(one.get("name", ""), item["key"]) for one, items in made for item in items if item.get("path") == path]


@diagnose("04.change", "sub-path")
def change_of_sub_path(cluster: Any, params: Any) -> str | None:
    mount = mount_at(shop(cluster, params), FILE)
    if not mount or not (mount.get("subPath") or mount.get("subPathExpr")) or not changed(cluster, params):
        return None
    return "The file is mounted with subPath. Such a file stays as it was when its container started, however long you wait."


@diagnose("04.change", "old-pods")
def change_not_in_pods(cluster: Any, params: Any) -> str | None:
    if not changed(cluster, params):
        return None
    return (
        "The ConfigMap is new, the file in the pod still the old one. A ConfigMap that is mounted and not immutable follows"
        " within two minutes; pods that are made anew have it at once."
    )


def changed(cluster: Any, params: Any) -> bool:
    """Whether a ConfigMap that the shop uses holds the new notice."""
    return any(holds(one, params.news) for one in config_maps(cluster, params))


# 04.secret ------------------------------------------------------------------------------------------------------------------


def variable(workload: Obj) -> Obj | None:
    """The entry of the shop's container for the till's password; None where it comes from envFrom, or not at all."""
    entries = container_of(workload).get("env") or []
    own: Obj | None = next((one for one in reversed(entries) if one.get("name") == VARIABLE), None)
    value = (own or {}).get("value", "")
    return next((one for one in entries if compare(f"$({one.get('name')})", value).equal), own)  # $(NAME) is another one's value


def in_plain_text(workload: Obj, params: Any) -> list[str]:
    """The variables, of any container, whose value in the Deployment is the password itself."""
    containers = [one for kind in ("containers", "initContainers") for one in pod_spec(workload).get(kind) or []]
    entries = [entry for one in containers for entry in one.get("env") or []]
    return [entry["name"] for entry in entries if compare(params.password, entry.get("value", "")).equal]


def secret_names(workload: Obj) -> list[str]:
    """The Secrets from which the shop's container takes environment variables."""
    container = container_of(workload)
    return list(named([container.get("env") or [], container.get("envFrom") or []], ("secretKeyRef", "secretRef")))


def sources(workload: Obj, cluster: Any, params: Any) -> list[tuple[str, str]]:
    """The Secrets and keys that the variable may come from; an entry of its own stands before envFrom."""
    entry = variable(workload)
    if entry:
        reference = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
        return [(reference["name"], reference.get("key", ""))] if reference.get("name") else []
    found: list[tuple[str, str]] = []
    for group in container_of(workload).get("envFrom") or []:
        name = (group.get("secretRef") or {}).get("name")
        held = cluster.find("Secret", name, namespace=params.namespace) if name else None
        keys = [key for key in (held or {}).get("data") or {} if group.get("prefix", "") + key == VARIABLE]
        found += [(name, key) for key in keys]
    return found


@check("04.secret", reads=["Secret", "Deployment", "Pod"], probes=["04.inside"], settled=False)
def secret(cluster: Any, probes: Any, params: Any) -> None:
    found = shop(cluster, params)
    entry, look, about = variable(found), f"kubectl describe deployment {SHOP}", starting(cluster, params)
    if (entry and "secretKeyRef" not in (entry.get("valueFrom") or {})) or not secret_names(found):
        fail(
            f"{VARIABLE} does not come from a Secret",
            expected="a secretKeyRef, or envFrom with a secretRef",
            actual="a value of its own" if entry else "no Secret is used for environment variables",
            path=f"spec.template.spec.containers[{container_of(found).get('name')}].env[{VARIABLE}]",
            about=found,
            next=look,
        )
    for name in in_plain_text(found, params)[:1]:
        fail(
            "The Deployment itself holds the password",
            expected="it to be in the Secret only",
            actual=f"variable {name} has it",
            about=found,
            next=look,
        )
    # What the Deployment says counts, too: pods of before a change that does not start still have what they had.
    for name, key in sources(found, cluster, params)[-1:] or [(secret_names(found)[-1], VARIABLE)]:
        held = cluster.get("Secret", name, namespace=params.namespace)
        if key not in (held.get("data") or {}):
            fail(f"Secret {name} has no key {key}", expected=f"key {key}", actual=f"keys: {keys_of(held)}", about=about, next=look)
        expect(held["data"][key], f"Secret {name} does not hold the password", about=about).matches(params.password)
    for one in all_seen(cluster, probes, params):
        if not one["set"]:
            fail(
                f"Pod {one['pod']} has no variable {VARIABLE}",
                expected=f"{VARIABLE} with the password",
                actual="no such variable",
                path=VARIABLE,
                about=about,
                next=look,
            )
        expect(one["password"], f"{VARIABLE} in pod {one['pod']} is not the password", about=about).matches(params.password)


@diagnose("04.secret", "in-the-deployment")
def password_in_the_deployment(cluster: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    entry = variable(found)
    names = [entry["name"]] if entry and not entry.get("valueFrom") else in_plain_text(found, params)
    return f"The value of {names[0]} stands in the Deployment, where everybody reads it who may see Deployments." if names else None


@diagnose("04.secret", "config-map")
def password_in_a_config_map(cluster: Any, params: Any) -> str | None:
    entry = variable(shop(cluster, params))
    source = ((entry or {}).get("valueFrom") or {}).get("configMapKeyRef")
    return f"{VARIABLE} comes from ConfigMap {source.get('name')}. ConfigMaps are not for what is secret." if source else None


@diagnose("04.secret", "secret-missing")
def secret_missing(cluster: Any, params: Any) -> str | None:
    for name in secret_names(shop(cluster, params)):
        if not cluster.find("Secret", name, namespace=params.namespace):
            elsewhere = [one["metadata"]["namespace"] for one in cluster.list("Secret") if one["metadata"]["name"] == name]
            where = f"it is in namespace {elsewhere[0]}" if elsewhere else "there is none of this name"
            return f"The Deployment takes {VARIABLE} from Secret {name} of namespace {params.namespace}, and {where}."
    return None


@diagnose("04.secret", "key-missing")
def secret_key_missing(cluster: Any, params: Any) -> str | None:
    entry = variable(shop(cluster, params))
    source = ((entry or {}).get("valueFrom") or {}).get("secretKeyRef") or {}
    held = cluster.find("Secret", source.get("name", ""), namespace=params.namespace)
    if held is None or source.get("key") in (held.get("data") or {}):
        return None
    return f"The Deployment asks for key {source.get('key')} of Secret {source['name']}, which has: {keys_of(held)}."


@diagnose("04.secret", "variable-name")
def variable_name(cluster: Any, probes: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    if any(one["set"] for one in probes["04.inside"]) or variable(found) or not secret_names(found):
        return None
    names = [one["name"] for one in container_of(found).get("env") or [] if list(named(one, ("secretKeyRef",)))]
    if names:
        return f"The Secret becomes the variable {', '.join(names)}. The shop looks for {VARIABLE}."
    held = cluster.find("Secret", secret_names(found)[0], namespace=params.namespace)
    return f"With envFrom each key becomes a variable of its name. The Secret has: {keys_of(held)}. The shop looks for {VARIABLE}."


@diagnose("04.secret", "old-pods")
def secret_changed_since(cluster: Any, probes: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    source = ((variable(found) or {}).get("valueFrom") or {}).get("secretKeyRef") or {}
    seen = [one for one in probes["04.inside"] if not one["error"]]
    if all(one["set"] and compare(params.password, one["password"]).equal for one in seen):
        return None
    for name in secret_names(found):
        held = (cluster.find("Secret", name, namespace=params.namespace) or {}).get("data") or {}
        if compare(params.password, held.get(source.get("key", VARIABLE), "")).equal:
            return f"Secret {name} has the password, and the pods have what it was when they started: variables do not follow a change."
    return None


@diagnose("04.secret", "white-space")
def password_with_white_space(cluster: Any, probes: Any, params: Any) -> str | None:
    if not any("white space" in note for note in password_notes(cluster, probes, params)):
        return None
    return "There is a newline or a blank around the password. `echo` ends what it prints with a newline; `printf` and `echo -n` do not."


@diagnose("04.secret", "encoding")
def password_encoded_wrongly(cluster: Any, probes: Any, params: Any) -> str | None:
    for note in password_notes(cluster, probes, params):
        if "encoded" in note:
            return "The value is base64 of the password: encoded once too often. `kubectl create secret` and `stringData` want the text itself."
        if "decoded" in note:
            return "The password was decoded though it is not encoded: what stands below `data` is base64, and plain text belongs below `stringData`."
    return None


def password_notes(cluster: Any, probes: Any, params: Any) -> list[str]:
    """How the password in the pods, and in the Secrets they take it from, nearly agrees with the right one."""
    names = secret_names(shop(cluster, params))
    secrets = [cluster.find("Secret", name, namespace=params.namespace) or {} for name in names]
    values = [one["password"] for one in probes["04.inside"] if one["set"]]
    values += [value for one in secrets for value in (one.get("data") or {}).values()]
    return [compare(params.password, value).note for value in values]


# 04.encrypted ---------------------------------------------------------------------------------------------------------------


@fact("secrets-encryption", on="server")
def secrets_encryption(host: Any) -> Obj:
    """What K3s says of the encryption of Secrets: its answer, or why there is none."""
    done = host.run("timeout 8 /usr/local/bin/k3s secrets-encrypt status --output json")
    try:
        return {"status": json.loads(done.stdout), "error": ""}
    except ValueError:
        return {"status": {}, "error": (done.stderr.strip() or done.stdout.strip() or "no answer").splitlines()[-1][:300]}


@check("04.encrypted")
def encrypted(nodes: Any) -> None:
    said = nodes["server"].fact("secrets-encryption")
    status, look = said["status"], "sudo k3s secrets-encrypt status"
    if said["error"]:
        nodes["server"].unit("k3s")  # one that has just started, as between the steps of a change, is waited for
        fail("K3s does not say whether Secrets are encrypted", expected="an answer", actual=said["error"], next=look)
    if not status.get("enable"):
        fail("Secrets are not encrypted", expected="Encryption Status: Enabled", actual="Disabled", next=look)
    stage = status.get("stage", "")
    if stage in ("reencrypt_request", "reencrypt_active"):
        nodes["server"].settling("K3s is encrypting all Secrets anew")
    if stage != "reencrypt_finished":
        fail("Secrets are not all encrypted with a new key", expected="stage reencrypt_finished", actual=f"stage {stage}", next=look)
    if active_key(status) == FIRST_KEY:  # `reencrypt --force` comes to this stage with any key
        fail("Secrets are encrypted with the key of before", expected="a new key", actual=f"key {active_key(status)}", next=look)
    if status.get("hasherror"):
        fail("The servers do not agree on the key", expected="All hashes match", actual=status["hasherror"], next=look)


def active_key(status: Obj) -> str:
    """The name of the key with which Secrets are encrypted, without its type."""
    return status.get("activekey", "").rpartition(" ")[2]


@diagnose("04.encrypted", "disabled")
def encryption_disabled(nodes: Any) -> str | None:
    said = nodes["server"].fact("secrets-encryption")
    if said["error"] or said["status"].get("enable"):
        return None
    return "Encryption is switched off: Secrets are written as they are. `k3s secrets-encrypt` switches it on again, too."


@diagnose("04.encrypted", "same-key")
def encryption_key_as_before(nodes: Any) -> str | None:
    status = nodes["server"].fact("secrets-encryption")["status"]
    anew_with_it = status.get("stage") == "reencrypt_finished" and active_key(status) == FIRST_KEY
    if status.get("stage") != "start" and not anew_with_it:
        return None
    return f"The server still uses the key it was set up with, {active_key(status)}."


@diagnose("04.encrypted", "half-way")
def encryption_half_way(nodes: Any) -> str | None:
    stage = nodes["server"].fact("secrets-encryption")["status"].get("stage")
    following = {
        "prepare": "a new key is there and nothing uses it yet; `rotate` comes next, then `reencrypt`",
        "rotate": "the new key is used for what is written from now on; `reencrypt` comes next",
        "reencrypt_request": "K3s has been told to encrypt all Secrets anew, and is at it",
        "reencrypt_active": "K3s is encrypting all Secrets anew",
    }
    return f"The change has come as far as stage {stage}: {following[stage]}." if stage in following else None


# 04.claim -------------------------------------------------------------------------------------------------------------------


@check("04.claim", reads=["PersistentVolumeClaim", "PersistentVolume", "StorageClass", "Pod"])
def claim(cluster: Any, params: Any) -> None:
    found = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)
    look = f"kubectl describe pvc {CLAIM}"
    expect(found, next=look).matches({"spec": {"resources": {"requests": {"storage": quantity(f"{params.size}Mi")}}}})
    modes = found["spec"].get("accessModes") or []
    if modes != ["ReadWriteOnce"]:
        fail(
            f"The claim asks for {' and '.join(modes) or 'no access mode'}",
            expected="ReadWriteOnce",
            actual=", ".join(modes) or "none",
            path="spec.accessModes",
            about=found,
            next=look,
        )
    expect(found, next=look).matches({"status": {"phase": "Bound"}})
    name = found["spec"].get("storageClassName") or ""
    storage = cluster.find("StorageClass", name)
    if storage is None or storage.get("provisioner") != PROVISIONER:
        fail(
            "The claim is not served by K3s's local-path storage",
            expected="a StorageClass of K3s's local-path storage",
            actual=f"StorageClass {name}" if name else "no StorageClass",
            path="spec.storageClassName",
            about=found,
            next="kubectl get storageclass",
        )


@diagnose("04.claim", "other-namespace")
def claim_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if cluster.find("PersistentVolumeClaim", CLAIM, namespace=params.namespace):
        return None
    for one in cluster.list("PersistentVolumeClaim"):
        name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
        if name == CLAIM:
            return f"The claim is in namespace {namespace}. A pod finds only claims of its own namespace, here {params.namespace}."
    return None


@diagnose("04.claim", "size")
def claim_size(cluster: Any, params: Any) -> str | None:
    found = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)
    asked = str(found["spec"]["resources"]["requests"]["storage"])
    if quantity(f"{params.size}Mi").test(asked):
        return None
    units = {
        "M": "a million bytes",
        "Gi": "1024 times as much",
        "G": "a thousand million bytes",
        "m": "a thousandth of a byte",
        "": "one byte",
    }
    unit = asked.lstrip("0123456789.")
    if asked.removesuffix(unit) == params.size and unit in units:
        return (
            f"The claim asks for {asked}: {f'{unit} is {units[unit]}' if unit else 'without a unit, bytes are meant'}. MiB is written Mi."
        )
    return f"The claim asks for {asked}. With local-path a claim cannot become larger or smaller: delete it, and make it anew."


@diagnose("04.claim", "access-mode")
def claim_access_mode(cluster: Any, params: Any) -> str | None:
    modes = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)["spec"].get("accessModes") or []
    if "ReadWriteMany" in modes or "ReadOnlyMany" in modes:
        return f"{' and '.join(modes)} is for many nodes. local-path gives a folder of one node, so it knows ReadWriteOnce, and leaves this claim alone."
    return None


@diagnose("04.claim", "class-unknown")
def claim_class_unknown(cluster: Any, params: Any) -> str | None:
    found = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)
    name = found["spec"].get("storageClassName")
    there = ", ".join(one["metadata"]["name"] for one in cluster.list("StorageClass"))
    if name is None or cluster.find("StorageClass", name):
        return None
    return f"The claim names {f'StorageClass {name}, which is not there' if name else 'no StorageClass on purpose (an empty name)'}. There is: {there}."


@diagnose("04.claim", "no-pod")
def claim_without_pod(cluster: Any, params: Any) -> str | None:
    found = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)
    pods = [pod for pod in cluster.list("Pod", namespace=params.namespace) if claims_of(pod) & {CLAIM}]
    if found.get("status", {}).get("phase") == "Bound" or pods:
        return None
    return "The claim waits for a pod that uses it: local-path makes the folder on the node where that pod will run, so it must be known first."


@diagnose("04.claim", "node-name")
def claim_of_unscheduled_pod(cluster: Any, params: Any) -> str | None:
    if CLAIM not in claims_of(shop(cluster, params)) or not pod_spec(shop(cluster, params)).get("nodeName"):
        return None
    return "The pod names its node itself (nodeName), so the scheduler never sees it, and nobody says where the volume is to be. Use a nodeSelector."


def claims_of(workload: Obj) -> set[str]:
    """The claims among a pod's volumes."""
    return {name for one in pod_spec(workload).get("volumes") or [] if (name := (one.get("persistentVolumeClaim") or {}).get("claimName"))}


# 04.survive -----------------------------------------------------------------------------------------------------------------


@probe(
    "04.next-pod",
    effect="disturb",
    needs=["04.claim"],
    objects=["Deployment/{namespace}/shop", "PersistentVolumeClaim/{namespace}/guestbook"],
    deadline_s=50,
)
def write_and_look_again(lab: Any, cluster: Any, params: Any) -> Obj:
    """Write a file into /data, delete the pod, and look for the file in the pod that follows."""
    found = cluster.find("Deployment", SHOP, namespace=params.namespace)
    labels = found["spec"]["selector"] if found else {}
    pods = [pod for pod in cluster.pods_of(found) if is_ready(pod)] if found else []
    result = {"pod": "", "wrote": "", "next": "", "read": ""}
    if not pods:
        return result
    first, container = pods[0]["metadata"]["name"], container_of(pods[0])["name"]
    mark = f"{DATA}/.lab-check-{first}"

    def run(pod: str, script: str) -> str:
        """What a script says in a pod: ok, or why not."""
        try:
            done = lab.exec(pod, ["/bin/sh", "-c", script], namespace=params.namespace, container=container, timeout_s=5)
        except LabError as failed:
            return f"{failed.what}. {failed.why}"
        return "ok" if done.code == 0 else done.error_text.strip()[:200] or f"exit code {done.code}"

    result |= {"pod": first, "wrote": run(first, f"echo {first} > {mark} && sync {mark}")}
    if result["wrote"] != "ok":
        return result
    lab.delete("Pod", first, namespace=params.namespace)
    others = {pod["metadata"]["uid"] for pod in pods}

    def followers(now: list[Obj]) -> list[Obj]:
        return [pod for pod in now if pod["metadata"]["uid"] not in others and is_ready(pod)]

    now = lab.wait("Pod", until=followers, timeout_s=35, namespace=params.namespace, labels=labels)
    if now:
        following = followers(now)[0]["metadata"]["name"]
        result |= {"next": following, "read": run(following, f"cat {mark} && rm -f {mark}")}
    return result


@check("04.survive", needs=["04.claim"], reads=["Deployment", "Pod"], probes=["04.next-pod"], settled=False)
def survive(cluster: Any, probes: Any, params: Any) -> None:
    found, seen = shop(cluster, params), probes["04.next-pod"]
    look = f"kubectl describe deployment {SHOP}"
    if not seen["pod"]:
        fail("No pod of the shop is ready", expected="a pod that is ready", actual="none", about=found, next="kubectl get pods")
    if seen["wrote"] != "ok":
        fail(
            f"Pod {seen['pod']} cannot write into {DATA}",
            expected=f"a folder {DATA} to write into",
            actual=seen["wrote"],
            path=DATA,
            about=found,
            next=look,
        )
    if not seen["next"]:
        fail(
            "No pod followed the one that was deleted",
            expected="another pod, ready within 35 s",
            actual="none",
            about=starting(cluster, params),
        )
    if seen["read"] != "ok":
        fail(
            f"What was written into {DATA} of pod {seen['pod']} is not there in pod {seen['next']}",
            expected="the same file",
            actual=seen["read"],
            path=DATA,
            about=found,
            next=look,
        )
    if CLAIM not in claims_of({"spec": {"volumes": [volume_at(found, DATA) or {}]}}):
        fail(
            f"{DATA} is not the claim {CLAIM}",
            expected=f"a volume with the claim {CLAIM}",
            actual=kind_of(volume_at(found, DATA) or {}),
            path="spec.template.spec.volumes",
            about=found,
            next=look,
        )


@diagnose("04.survive", "other-path")
def claim_at_other_path(cluster: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    if volume_at(found, DATA):
        return None
    ours = {
        one["name"] for one in pod_spec(found).get("volumes") or [] if (one.get("persistentVolumeClaim") or {}).get("claimName") == CLAIM
    }
    paths = [one["mountPath"] for one in container_of(found).get("volumeMounts") or [] if one["name"] in ours]
    if paths:
        return f"The claim is mounted at {paths[0]}. {DATA} is a folder of the container itself, and gone with it."
    if ours:
        return f"The pod has the claim among its volumes, and container {container_of(found).get('name')} mounts it nowhere: look at volumeMounts."
    return "The shop's pod does not have the claim among its volumes. Another pod may have had it bound."


@diagnose("04.survive", "empty-dir")
def data_in_empty_dir(cluster: Any, params: Any) -> str | None:
    volume = volume_at(shop(cluster, params), DATA)
    if volume is None or "emptyDir" not in volume:
        return None
    return f"Volume {volume['name']} at {DATA} is an emptyDir. It begins empty with each pod, and is gone with it."


@diagnose("04.survive", "host-path")
def data_in_host_path(cluster: Any, params: Any) -> str | None:
    volume = volume_at(shop(cluster, params), DATA)
    if volume is None or "hostPath" not in volume:
        return None
    return f"Volume {volume['name']} is a folder of the node itself (hostPath). Use the claim: then nobody but the storage needs to know which."


@diagnose("04.survive", "read-only")
def data_read_only(cluster: Any, params: Any) -> str | None:
    found = shop(cluster, params)
    mount, volume = mount_at(found, DATA) or {}, volume_at(found, DATA) or {}
    if not mount.get("readOnly") and not (volume.get("persistentVolumeClaim") or {}).get("readOnly"):
        return None
    return f"The claim is mounted for reading only (readOnly), so nobody can write into {DATA}."


@diagnose("04.survive", "folder-per-pod")
def data_in_folder_per_pod(cluster: Any, params: Any) -> str | None:
    mount = mount_at(shop(cluster, params), DATA)
    expression = (mount or {}).get("subPathExpr", "")
    return (
        f"Each pod has a folder of its own in the claim: subPathExpr {expression}. The next pod looks into another one."
        if expression
        else None
    )


# 04.keep --------------------------------------------------------------------------------------------------------------------


@check("04.keep", needs=["04.claim"], reads=["PersistentVolumeClaim", "PersistentVolume", "StorageClass"])
def keep(cluster: Any, nodes: Any, params: Any) -> None:
    volume = volume_of_claim(cluster, params)
    expect(volume, next="kubectl get pv").matches({"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    path = ((volume["spec"].get("hostPath") or volume["spec"].get("local")) or {}).get("path", "")
    folder = path.removeprefix(f"{STORAGE}/").partition("/")[0]  # a class may ask for folders in folders (pathPattern)
    if not path.startswith(f"{STORAGE}/") or folder not in nodes["server"].file(STORAGE).names:
        fail(
            "The volume's folder is not on the server's disk",
            expected=f"a folder below {STORAGE}",
            actual=path or "no folder",
            path="spec.local.path" if "local" in volume["spec"] else "spec.hostPath.path",
            about=volume,
            next=f"sudo ls -l {STORAGE}",
        )


def volume_of_claim(cluster: Any, params: Any) -> Obj:
    """The PersistentVolume behind the claim; the check fails if it is not there."""
    found = cluster.get("PersistentVolumeClaim", CLAIM, namespace=params.namespace)
    return cluster.get("PersistentVolume", found["spec"].get("volumeName", ""))


@diagnose("04.keep", "class-only")
def policy_of_the_class_only(cluster: Any, params: Any) -> str | None:
    classes = [one["metadata"]["name"] for one in cluster.list("StorageClass") if one.get("reclaimPolicy") == "Retain"]
    volume = volume_of_claim(cluster, params)
    if not classes or volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain":
        return None
    policy = volume["spec"].get("persistentVolumeReclaimPolicy")
    return f"StorageClass {classes[0]} says Retain, for volumes that are made from now on. Volume {volume['metadata']['name']} is there already, with {policy}."


@diagnose("04.keep", "other-volume")
def policy_of_other_volume(cluster: Any, params: Any) -> str | None:
    volume = volume_of_claim(cluster, params)
    own = volume["metadata"]["name"]
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain":
        return None
    others = [
        one["metadata"]["name"]
        for one in cluster.list("PersistentVolume")
        if one["spec"].get("persistentVolumeReclaimPolicy") == "Retain" and one["metadata"]["name"] != own
    ]
    return f"Volume {others[0]} is kept. The claim {CLAIM} has volume {own}." if others else None
