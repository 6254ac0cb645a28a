"""Chapter 04: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest

from courselab.grade.evidence import FileState
from tests.unit.checkers.answers import assert_all_pass, assert_fails, assert_fails_unexplained, each_right, each_wrong
from tests.unit.checkers.fake_cluster import FakeCluster, Obj, hidden, objects

ALL = {"config", "change", "secret", "encrypted", "claim", "survive", "keep"}
STORAGE = "/var/lib/rancher/k3s/storage"
FOLDER = "pvc-1_{namespace}_guestbook"
SOLUTION = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notice, namespace: {namespace}}
data: {notice.txt: "{news}"}
---
apiVersion: v1
kind: Secret
type: Opaque
metadata: {name: till, namespace: {namespace}}
data: {password: "{password}"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: guestbook, namespace: {namespace}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: local-path
  volumeName: pvc-1
  resources: {requests: {storage: "{size}Mi"}}
status: {phase: Bound}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pvc-1}
spec:
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local-path
  claimRef: {name: guestbook, namespace: {namespace}}
  local: {path: "/var/lib/rancher/k3s/storage/pvc-1_{namespace}_guestbook"}
status: {phase: Bound}
"""
CLASS: Obj = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "rancher.io/local-path",
    "volumeBindingMode": "WaitForFirstConsumer",
    "reclaimPolicy": "Delete",
}
STATUS: Obj = {"stage": "reencrypt_finished", "activekey": "AES-CBC aescbckey-2026-11-28T10:00:00Z", "enable": True, "hashmatch": True}
SURVIVED: Obj = {"pod": "shop-1abc-0xyz", "wrote": "ok", "next": "shop-1abc-9new", "read": "ok"}
LOST: Obj = {**SURVIVED, "read": "cat: can't open '/data/.lab-check-shop-1abc-0xyz': No such file or directory"}


class Lab:
    """A lab on paper; tests change its objects, then have it judged."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("04")
        self.params = self.cluster.params
        self.cluster.add(CLASS)
        manifests = [path.read_text() for path in self.cluster.lab.manifests_folder.glob("*.yaml")]
        namespace, self.shop = [obj for text in manifests for obj in objects(text, self.params)]
        self.cluster.add(namespace)
        self.objects = objects(SOLUTION, self.params) if solved else []
        self.password: str | None = self.params.password if solved else None
        self.notice: str | None = self.params.news if solved else None
        self.kind = "file"
        self.ready = True
        self.status: Obj = {**STATUS} if solved else {**STATUS, "stage": "start", "activekey": "AES-CBC aescbckey"}
        self.error = ""
        self.next_pod: Obj = SURVIVED
        self.folders = [self.params.fill(FOLDER)] if solved else []
        if solved:
            self.spec["volumes"] = [
                {"name": "notice", "configMap": {"name": "notice"}},
                {"name": "guestbook", "persistentVolumeClaim": {"claimName": "guestbook"}},
            ]
            self.container["volumeMounts"] = [{"name": "notice", "mountPath": "/etc/shop"}, {"name": "guestbook", "mountPath": "/data"}]
            self.container["env"] = [from_secret("till", "password")]

    def __getitem__(self, name: str) -> Obj:
        kind, _, name = name.partition("/")
        return next(obj for obj in self.objects if obj["kind"] == kind and obj["metadata"]["name"] == name)

    @property
    def spec(self) -> Obj:
        return self.shop["spec"]["template"]["spec"]

    @property
    def container(self) -> Obj:
        return next(one for one in self.spec["containers"] if one["image"].startswith("course/web"))

    @property
    def claim(self) -> Obj:
        return self["PersistentVolumeClaim/guestbook"]

    @property
    def volume(self) -> Obj:
        return self["PersistentVolume/pvc-1"]

    def drop(self, name: str) -> None:
        self.objects.remove(self[name])

    def verdicts(self) -> Any:
        for obj in self.objects:
            if obj["kind"] == "Secret":
                obj["data"] = {key: hidden(value) for key, value in obj["data"].items()}
            self.cluster.add(obj)
        shop = self.cluster.run(self.shop, ready=self.ready)
        pods = [obj["metadata"]["name"] for obj in self.cluster.objects if obj["kind"] == "Pod"] if self.ready else []
        assert shop["status"]["replicas"] == 1
        password = "" if self.password is None else hidden(self.password)
        seen = {"error": "", "kind": self.kind if self.notice is not None else "", "notice": self.notice or "", "password": password}
        self.cluster.probe("04.inside", [{**seen, "pod": name, "set": self.password is not None} for name in pods])
        self.cluster.facts["secrets-encryption"] = {"status": {} if self.error else self.status, "error": self.error}
        self.cluster.files[STORAGE] = FileState(exists=True, kind="folder", names=self.folders)
        if any(obj["kind"] == "PersistentVolumeClaim" for obj in self.objects):
            self.cluster.probe("04.next-pod", self.next_pod)
        return self.cluster.verdicts()

    def passed(self) -> set[str]:
        return {name for name, one in self.verdicts().items() if one.passed}


def from_secret(name: str, key: str, variable: str = "TILL_PASSWORD") -> Obj:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def test_the_solved_lab_passes_everything() -> None:
    assert Lab().passed() == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"config", "secret", "encrypted", "claim"}


# Right answers reached another way ------------------------------------------------------------------------------------------


def file_with_newline(lab: Lab) -> None:
    lab["ConfigMap/notice"]["data"]["notice.txt"] += "\n"
    lab.notice = lab.params.news + "\n"


def by_sub_path(lab: Lab) -> None:
    lab.container["volumeMounts"][0].update(mountPath="/etc/shop/notice.txt", subPath="notice.txt")


def by_items(lab: Lab) -> None:
    lab["ConfigMap/notice"]["data"] = {"door": lab.params.news, "window": "something else"}
    lab.spec["volumes"][0]["configMap"]["items"] = [{"key": "door", "path": "notice.txt"}]


def projected(lab: Lab) -> None:
    lab.spec["volumes"][0] = {"name": "notice", "projected": {"sources": [{"configMap": {"name": "notice"}}]}}


def other_names(lab: Lab) -> None:
    for kind, name, new in (("ConfigMap", "notice", "shop-7bf2h9"), ("Secret", "till", "shop-secrets")):
        lab[f"{kind}/{name}"]["metadata"]["name"] = new
    lab.spec["volumes"][0]["configMap"]["name"] = "shop-7bf2h9"
    lab.container["env"] = [from_secret("shop-secrets", "password")]


def a_map_per_notice(lab: Lab) -> None:
    old = copy.deepcopy(lab["ConfigMap/notice"])
    old["metadata"]["name"], old["data"] = "notice-1", {"notice.txt": lab.params.notice}
    lab.objects.append(old)


def immutable_map(lab: Lab) -> None:
    lab["ConfigMap/notice"]["immutable"] = True


def copied_by_an_init_container(lab: Lab) -> None:
    lab.spec["volumes"][0] = {"name": "notice", "emptyDir": {}}
    lab.spec["volumes"].append({"name": "from", "configMap": {"name": "notice"}})
    lab.spec["initContainers"] = [{"name": "copy", "image": "course/web:1", "volumeMounts": [{"name": "from", "mountPath": "/from"}]}]


def env_from(lab: Lab) -> None:
    lab["Secret/till"]["data"] = {"TILL_PASSWORD": lab.params.password}
    lab.container["env"] = []
    lab.container["envFrom"] = [{"secretRef": {"name": "till"}}]


def env_from_with_prefix(lab: Lab) -> None:
    lab["Secret/till"]["data"] = {"PASSWORD": lab.params.password}
    lab.container["env"] = []
    lab.container["envFrom"] = [{"prefix": "TILL_", "secretRef": {"name": "till"}}]


def more_variables(lab: Lab) -> None:
    lab.container["env"] += [{"name": "WEB_BODY", "value": "Hello!"}, from_secret("till", "password", "PASSWORD")]


def secret_as_a_file_too(lab: Lab) -> None:
    lab.spec["volumes"].append({"name": "till", "secret": {"secretName": "till"}})
    lab.container["volumeMounts"].append({"name": "till", "mountPath": "/run/secrets/till"})


def a_sidecar_before_it(lab: Lab) -> None:
    lab.spec["containers"].insert(0, {"name": "log", "image": "course/tools:1", "command": ["sleep", "infinity"]})


def other_key_type(lab: Lab) -> None:
    lab.status["activekey"] = "XSalsa20-POLY1305 secretboxkey-2026-11-28T10:00:00Z"


def an_old_key_beside(lab: Lab) -> None:
    lab.status["inactivekeys"] = ["AES-CBC aescbckey"]


def size_in_other_units(lab: Lab) -> None:
    lab.claim["spec"]["resources"]["requests"]["storage"] = f"{int(lab.params.size) * 1024}Ki"


def a_class_that_retains(lab: Lab) -> None:
    lab.cluster.add({**CLASS, "reclaimPolicy": "Retain"}, name="keep")
    lab.claim["spec"]["storageClassName"] = lab.volume["spec"]["storageClassName"] = "keep"


def a_host_path_volume(lab: Lab) -> None:
    """What local-path makes unless its class asks for local volumes."""
    spec = lab.volume["spec"]
    spec["hostPath"] = {**spec.pop("local"), "type": "DirectoryOrCreate"}


def data_mounted_with_slash(lab: Lab) -> None:
    lab.container["volumeMounts"][1]["mountPath"] = "/data/"


def data_in_a_folder_of_the_claim(lab: Lab) -> None:
    lab.container["volumeMounts"][1]["subPath"] = "shop"


def more_folders_on_the_disk(lab: Lab) -> None:
    lab.folders.insert(0, "pvc-0_other_claim")


RIGHT = [
    file_with_newline,
    by_sub_path,
    by_items,
    projected,
    other_names,
    a_map_per_notice,
    immutable_map,
    copied_by_an_init_container,
    env_from,
    env_from_with_prefix,
    more_variables,
    secret_as_a_file_too,
    a_sidecar_before_it,
    other_key_type,
    an_old_key_beside,
    size_in_other_units,
    a_class_that_retains,
    a_host_path_volume,
    data_mounted_with_slash,
    data_in_a_folder_of_the_claim,
    more_folders_on_the_disk,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def moved(name: str) -> Change:
    return lambda lab: lab[name]["metadata"].update(namespace="default")


def dropped(name: str) -> Change:
    return lambda lab: lab.drop(name)


def not_named(lab: Lab) -> None:
    lab.spec["volumes"].pop(0)
    lab.container["volumeMounts"].pop(0)
    lab.notice = None


def not_even_there(lab: Lab) -> None:
    not_named(lab)
    lab.drop("ConfigMap/notice")


def not_mounted(lab: Lab) -> None:
    lab.container["volumeMounts"].pop(0)
    lab.notice = None


def mounted_at(path: str) -> Change:
    def change(lab: Lab) -> None:
        lab.container["volumeMounts"][0]["mountPath"] = path
        lab.kind = "folder"
        lab.notice = "" if path.endswith(".txt") else None

    return change


def key_called(name: str) -> Change:
    def change(lab: Lab) -> None:
        lab["ConfigMap/notice"]["data"] = {name: lab.params.news}
        lab.notice = None

    return change


def item_missing(lab: Lab) -> None:
    lab.spec["volumes"][0]["configMap"]["items"] = [{"key": "notice", "path": "notice.txt"}]
    lab.ready = False


def sub_path_missing(lab: Lab) -> None:
    lab.container["volumeMounts"][0].update(mountPath="/etc/shop/notice.txt", subPath="notice")
    lab.kind, lab.notice = "folder", ""


def as_variable(lab: Lab) -> None:
    not_named(lab)
    lab.container["env"].append({"name": "NOTICE", "valueFrom": {"configMapKeyRef": {"name": "notice", "key": "notice.txt"}}})


def written_by_hand(lab: Lab) -> None:
    """kubectl exec … > notice.txt: it shows, and is gone with the pod."""
    not_named(lab)
    lab.notice = lab.params.news


def other_words(lab: Lab) -> None:
    lab["ConfigMap/notice"]["data"]["notice.txt"] = lab.notice = "Open!"


def a_whole_settings_file(lab: Lab) -> None:
    lab["ConfigMap/notice"]["data"]["notice.txt"] = lab.notice = f"notice={lab.params.news}"


def still_the_old_notice(lab: Lab) -> None:
    lab["ConfigMap/notice"]["data"]["notice.txt"] = lab.notice = lab.params.notice


def pods_show_the_old_notice(lab: Lab) -> None:
    lab.notice = lab.params.notice


def stale_by_sub_path(lab: Lab) -> None:
    by_sub_path(lab)
    lab.notice = lab.params.notice


def new_notice_under_other_key(lab: Lab) -> None:
    """The file's key has the old one still, and will have it in two minutes."""
    still_the_old_notice(lab)
    lab["ConfigMap/notice"]["data"]["news"] = lab.params.news


def new_notice_under_other_key_by_sub_path(lab: Lab) -> None:
    by_sub_path(lab)
    new_notice_under_other_key(lab)


def stale_by_sub_path_of_the_container(lab: Lab) -> None:
    stale_by_sub_path(lab)
    mount = lab.container["volumeMounts"][0]
    mount["subPathExpr"] = mount.pop("subPath").replace("notice.txt", "$(NOTICE)")


def new_notice_in_other_map(lab: Lab, namespace: str = "{namespace}") -> None:
    other = copy.deepcopy(lab["ConfigMap/notice"])
    other["metadata"].update(name="news", namespace=lab.params.fill(namespace))
    lab.objects.append(other)
    still_the_old_notice(lab)


def password(wrap: Callable[[str], str]) -> Change:
    def change(lab: Lab) -> None:
        lab["Secret/till"]["data"]["password"] = lab.password = wrap(lab.params.password)

    return change


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def not_encoded(lab: Lab) -> None:
    """`data: {password: THE-PASSWORD}`: it happens to be valid base64, of something that is no text. No container starts with it."""
    lab["Secret/till"]["data"]["password"] = base64.b64decode(lab.params.password)
    lab.password, lab.ready = None, False


def in_the_deployment(lab: Lab) -> None:
    lab.container["env"] = [{"name": "TILL_PASSWORD", "value": hidden(lab.params.password)}]


def also_in_the_deployment(lab: Lab) -> None:
    lab.container["env"].append({"name": "TIL_PASSWORD", "value": hidden(lab.params.password)})


def in_a_config_map(lab: Lab) -> None:
    lab.container["env"] = [{"name": "TILL_PASSWORD", "valueFrom": {"configMapKeyRef": {"name": "notice", "key": "password"}}}]


def no_variable(lab: Lab) -> None:
    lab.container["env"] = []
    lab.password = None


def only_a_file(lab: Lab) -> None:
    no_variable(lab)
    secret_as_a_file_too(lab)


def wrong_key(lab: Lab) -> None:
    lab.container["env"] = [from_secret("till", "TILL_PASSWORD")]
    lab.password, lab.ready = None, False


def other_variable(lab: Lab) -> None:
    lab.container["env"] = [from_secret("till", "password", "PASSWORD")]
    lab.password = None


def env_from_with_other_key(lab: Lab) -> None:
    lab.container.update(env=[], envFrom=[{"secretRef": {"name": "till"}}])
    lab.password = None


def secret_elsewhere(lab: Lab) -> None:
    moved("Secret/till")(lab)
    lab.password, lab.ready = None, False


def pods_have_the_old_password(lab: Lab) -> None:
    lab.password = lab.params.password + "\n"


def stage(name: str) -> Change:
    return lambda lab: lab.status.update(stage=name)


def switched_off(lab: Lab) -> None:
    lab.status.update(enable=False, activekey="")


def anew_with_the_first_key(lab: Lab) -> None:
    lab.status["activekey"] = "AES-CBC aescbckey"


def never_configured(lab: Lab) -> None:
    lab.status = {"stage": "", "activekey": ""}


def hashes_differ(lab: Lab) -> None:
    lab.status.pop("hashmatch")
    lab.status["hasherror"] = "hash does not match between server and server-2"


def no_answer(lab: Lab) -> None:
    lab.error = "the API server on this machine did not answer as it should: connection refused"


def pending(**spec: Any) -> Change:
    def change(lab: Lab) -> None:
        lab.claim["spec"].update(spec)
        lab.claim["spec"].pop("volumeName")
        lab.claim["status"] = {"phase": "Pending"}
        lab.drop("PersistentVolume/pvc-1")
        lab.ready = False

    return change


def no_pod_has_it(lab: Lab) -> None:
    pending()(lab)
    lab.ready = True
    lab.spec["volumes"].pop(1)
    lab.container["volumeMounts"].pop(1)


def node_named(lab: Lab) -> None:
    pending()(lab)
    lab.spec["nodeName"] = "server"


def size(text: str) -> Change:
    return lambda lab: lab.claim["spec"]["resources"]["requests"].update(storage=lab.params.fill(text))


def hand_made_volume(lab: Lab) -> None:
    """A volume and a claim that name no class."""
    lab.claim["spec"]["storageClassName"] = ""


def lost(volume: Obj) -> Change:
    def change(lab: Lab) -> None:
        lab.spec["volumes"].append({"name": "scratch", **volume})
        lab.container["volumeMounts"][1]["name"] = "scratch"
        lab.next_pod = LOST

    return change


def host_path(lab: Lab) -> None:
    lost({"hostPath": {"path": "/srv/data"}})(lab)
    lab.next_pod = SURVIVED


def data_at(path: str) -> Change:
    def change(lab: Lab) -> None:
        lab.container["volumeMounts"][1]["mountPath"] = path
        lab.next_pod = {**SURVIVED, "wrote": "/bin/sh: can't create /data/.lab-check-shop: nonexistent directory", "next": "", "read": ""}

    return change


def data_not_mounted(lab: Lab) -> None:
    data_at("/x")(lab)
    lab.container["volumeMounts"].pop(1)


def read_only(lab: Lab) -> None:
    lab.container["volumeMounts"][1]["readOnly"] = True
    lab.next_pod = {**SURVIVED, "wrote": "/bin/sh: can't create /data/.lab-check-shop: Read-only file system", "next": "", "read": ""}


def folder_per_pod(lab: Lab) -> None:
    lab.container["volumeMounts"][1]["subPathExpr"] = "$(POD_NAME)"
    lab.next_pod = LOST


def no_pod_follows(lab: Lab) -> None:
    lab.next_pod = {**SURVIVED, "next": "", "read": ""}


def policy(name: str) -> Change:
    return lambda lab: lab.volume["spec"].update(persistentVolumeReclaimPolicy=name)


def class_only(lab: Lab) -> None:
    policy("Delete")(lab)
    lab.cluster.add({**CLASS, "reclaimPolicy": "Retain"}, name="keep")


def other_volume(lab: Lab) -> None:
    other = copy.deepcopy(lab.volume)
    other["metadata"]["name"] = "pvc-0"
    policy("Delete")(lab)
    lab.objects.append(other)


def folder_gone(lab: Lab) -> None:
    lab.folders = []


WRONG: list[tuple[Change, str, str]] = [
    (dropped("ConfigMap/notice"), "config", ""),
    (moved("ConfigMap/notice"), "config", "other-namespace"),
    (not_named, "config", "not-used"),
    (not_mounted, "config", "other-folder"),
    (mounted_at("/etc/shop/notice.txt"), "config", "mounted-as-folder"),
    (mounted_at("/etc"), "config", ""),
    (mounted_at("/etc/shop/notice.txt/"), "config", "mounted-as-folder"),
    (mounted_at("/shop"), "config", "other-folder"),
    (key_called("notice"), "config", "file-name"),
    (key_called("Notice.txt"), "config", "file-name"),
    (item_missing, "config", "key-missing"),
    (sub_path_missing, "config", "key-missing"),
    (as_variable, "config", "other-folder"),
    (written_by_hand, "config", "not-used"),
    (other_words, "config", ""),
    (a_whole_settings_file, "config", ""),
    (still_the_old_notice, "change", ""),
    (pods_show_the_old_notice, "change", "old-pods"),
    (stale_by_sub_path, "change", "sub-path"),
    (stale_by_sub_path_of_the_container, "change", "sub-path"),
    (new_notice_under_other_key, "change", "other-key"),
    (new_notice_under_other_key_by_sub_path, "change", "other-key"),
    (new_notice_in_other_map, "change", "other-map"),
    (lambda lab: new_notice_in_other_map(lab, "default"), "change", "other-map"),
    (password(lambda text: text + "\n"), "secret", "white-space"),
    (password(lambda text: " " + text), "secret", "white-space"),
    (password(encoded), "secret", "encoding"),
    (password(lambda text: encoded(text + "\n")), "secret", ""),
    (password(lambda text: encoded(encoded(text))), "secret", "encoding"),
    (not_encoded, "secret", "encoding"),
    (password(lambda text: f"'{text}'"), "secret", ""),
    (password(str.upper), "secret", ""),
    (password(lambda text: ""), "secret", ""),
    (in_the_deployment, "secret", "in-the-deployment"),
    (also_in_the_deployment, "secret", "in-the-deployment"),
    (in_a_config_map, "secret", "config-map"),
    (no_variable, "secret", ""),
    (only_a_file, "secret", ""),
    (wrong_key, "secret", "key-missing"),
    (other_variable, "secret", "variable-name"),
    (env_from_with_other_key, "secret", "variable-name"),
    (secret_elsewhere, "secret", "secret-missing"),
    (pods_have_the_old_password, "secret", "old-pods"),
    (stage("start"), "encrypted", "same-key"),
    (anew_with_the_first_key, "encrypted", "same-key"),
    (stage("prepare"), "encrypted", "half-way"),
    (stage("rotate"), "encrypted", "half-way"),
    (stage("reencrypt_active"), "encrypted", "half-way"),
    (switched_off, "encrypted", "disabled"),
    (never_configured, "encrypted", "disabled"),
    (hashes_differ, "encrypted", ""),
    (no_answer, "encrypted", ""),
    (moved("PersistentVolumeClaim/guestbook"), "claim", "other-namespace"),
    (dropped("PersistentVolumeClaim/guestbook"), "claim", ""),
    (pending(accessModes=["ReadWriteMany"]), "claim", "access-mode"),
    (pending(accessModes=["ReadWriteOnce", "ReadWriteMany"]), "claim", "access-mode"),
    (pending(storageClassName="standard"), "claim", "class-unknown"),
    (pending(storageClassName=""), "claim", "class-unknown"),
    (hand_made_volume, "claim", "class-unknown"),
    (no_pod_has_it, "claim", "no-pod"),
    (node_named, "claim", "node-name"),
    (size("{size}M"), "claim", "size"),
    (size("{size}Gi"), "claim", "size"),
    (size("{size}"), "claim", "size"),
    (size("1Gi"), "claim", "size"),
    (lost({"emptyDir": {}}), "survive", "empty-dir"),
    (lost({"configMap": {"name": "notice"}}), "survive", ""),
    (host_path, "survive", "host-path"),
    (data_at("/var/data"), "survive", "other-path"),
    (data_not_mounted, "survive", "other-path"),
    (read_only, "survive", "read-only"),
    (folder_per_pod, "survive", "folder-per-pod"),
    (no_pod_follows, "survive", ""),
    (policy("Delete"), "keep", ""),
    (class_only, "keep", "class-only"),
    (other_volume, "keep", "other-volume"),
    (folder_gone, "keep", ""),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis)


def other_words_by_sub_path(lab: Lab) -> None:
    by_sub_path(lab)
    lab["ConfigMap/notice"]["data"] = {"notice": "Open!"}
    lab.container["volumeMounts"][0]["subPath"] = "notice"
    lab.notice = "Open!"


def crashing(lab: Lab) -> None:
    lab.ready = False


def folder_gone_and_an_old_volume(lab: Lab) -> None:
    other_volume(lab)
    policy("Retain")(lab)
    folder_gone(lab)


@pytest.mark.parametrize(
    ("change", "task"),
    [(not_even_there, "config"), (other_words_by_sub_path, "config"), (folder_gone_and_an_old_volume, "keep"), (crashing, "secret")],
)
def test_no_mistake_is_named_that_is_not_the_cause(change: Change, task: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails_unexplained(lab, task, lab.cluster.checker.diagnoses)


def test_a_config_map_that_is_named_and_not_there_is_told() -> None:
    lab = Lab()
    lab.drop("ConfigMap/notice")
    assert lab.verdicts()["config"].actual == "ConfigMap notice, which is not there"


def test_an_encryption_that_is_going_on_is_waited_for() -> None:
    lab = Lab()
    stage("reencrypt_active")(lab)
    assert lab.verdicts()["encrypted"].verdict.value == "waiting"


def test_a_k3s_that_has_just_started_is_waited_for() -> None:
    lab = Lab()
    no_answer(lab)
    lab.cluster.reachable = False
    assert lab.verdicts()["encrypted"].verdict.value == "waiting"


def test_the_password_is_in_no_verdict() -> None:
    for change in (password(lambda text: text + "\n"), in_the_deployment, pods_have_the_old_password):
        lab = Lab()
        change(lab)
        assert lab.params.password not in repr(lab.verdicts())


def test_a_task_that_is_wrong_leaves_the_others_alone() -> None:
    lab = Lab()
    switched_off(lab)
    other_variable(lab)
    pods_show_the_old_notice(lab)
    assert lab.passed() == ALL - {"encrypted", "secret", "change"}


def test_what_stands_on_the_claim_waits_for_it() -> None:
    lab = Lab()
    pending(accessModes=["ReadWriteMany"])(lab)
    verdicts = lab.verdicts()
    assert not verdicts["claim"].passed
    assert [verdicts[name].verdict.value for name in ("survive", "keep")] == ["blocked", "blocked"]
