"""Chapter 02: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.checkers.answers import each_right, each_wrong
from tests.unit.checkers.fake_cluster import FakeCluster, Obj, objects

ALL = {"deploy", "scale", "image", "history", "ready", "requests", "heal", "crash"}
ANSWER = "/home/student/work/crash.txt"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: {namespace}
  annotations:
    kubernetes.io/change-cause: release version 2
spec:
  replicas: {replicas}
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: course/web:2
          env:
            - {name: WEB_PORT, value: "{port}"}
          readinessProbe:
            httpGet: {path: /readyz, port: {port}}
          resources:
            requests: {cpu: {cpu}m, memory: {memory}Mi}
"""
SIDECAR = {"name": "log", "image": "course/tools:1", "command": ["sleep", "infinity"]}
HEALED = {"deleted": "web-2abc-0xyz", "replacement": "web-2abc-9new", "seen": "web-2abc-9new", "refused": ""}


class Solved:
    """A solved lab on paper, before its pods are made; tests change it and then have it judged."""

    def __init__(self) -> None:
        self.cluster = FakeCluster("02")
        self.params = self.cluster.params
        self.cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.params.namespace}})
        manifests = self.cluster.lab.manifests_folder.glob("*.yaml")
        for obj in (obj for path in manifests for obj in objects(path.read_text(), self.params)):
            self.cluster.add(obj)
        [self.web] = objects(DEPLOYMENT, self.params)
        self.container: Obj = self.containers[0]  # the shop's, wherever it stands
        self.pod: Callable[[Obj], None] = lambda pod: None
        self.ready = True
        self.running = False
        self.kept = 10
        self.past = ["course/web:1"]
        self.healed: Any = HEALED
        self.answer: str | None = self.params.missing + "\n"

    @property
    def containers(self) -> list[Obj]:
        return self.web["spec"]["template"]["spec"]["containers"]

    def done(self) -> FakeCluster:
        """The cluster with the Deployment running, made once."""
        if self.running:
            return self.cluster
        self.running = True
        past: list[Obj] = []
        present = self.container["image"]
        for image in self.past:
            self.container["image"] = image
            past.append(copy.deepcopy(self.web["spec"]["template"]))
        self.container["image"] = present
        self.cluster.run(self.web, past=past, ready=self.ready, pod=self.pod)
        self.forget(len(past) - self.kept)
        if self.answer is not None:
            self.cluster.say(ANSWER, self.answer)
        if self.healed:
            self.cluster.probe("02.heal", self.healed)
        return self.cluster

    def forget(self, count: int) -> None:
        """Take away the oldest revisions."""
        for number in range(1, count + 1):
            self.cluster.objects.remove(self.cluster.find("ReplicaSet", f"web-{number}abc"))


@pytest.fixture
def solved() -> Solved:
    return Solved()


def test_the_solved_lab_passes_everything(solved: Solved) -> None:
    assert solved.done().passed() == ALL


def test_the_untouched_lab_passes_nothing(solved: Solved) -> None:
    solved.cluster.remove("Namespace", namespace=None)
    verdicts = solved.cluster.verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"deploy", "crash"}


# Right answers reached another way ------------------------------------------------------------------------------------------


def by_command(lab: Solved) -> None:
    """kubectl create deployment: other labels, the container named after the image."""
    lab.web["metadata"]["labels"] = {"app": "web"}
    lab.container["name"] = "web-2fqxz"


def full_image_name(lab: Solved) -> None:
    lab.container["image"] = "docker.io/course/web:2"
    lab.past = ["docker.io/course/web:1"]


def more_labels(lab: Solved) -> None:
    lab.web["spec"]["template"]["metadata"]["labels"].update({"tier": "front", "app.kubernetes.io/name": "shop"})


def a_sidecar_behind_it(lab: Solved) -> None:
    lab.containers.append(copy.deepcopy(SIDECAR))


def a_sidecar_before_it(lab: Solved) -> None:
    lab.containers.insert(0, copy.deepcopy(SIDECAR))


def whole_quantities(lab: Solved) -> None:
    millis, mebis = int(lab.params.cpu), int(lab.params.memory)
    lab.container["resources"]["requests"] = {"cpu": str(millis / 1000), "memory": str(mebis * 1024 * 1024)}


def kibibytes(lab: Solved) -> None:
    lab.container["resources"]["requests"]["memory"] = f"{int(lab.params.memory) * 1024}Ki"


def generous_limits(lab: Solved) -> None:
    lab.container["resources"]["limits"] = {"cpu": "1", "memory": "256Mi"}


def limits_that_equal(lab: Solved) -> None:
    lab.container["resources"] = {"limits": lab.container["resources"]["requests"]}


def namespace_default_requests(lab: Solved) -> None:
    """A LimitRange gives pods what the template does not say."""
    wanted = lab.container["resources"].pop("requests")
    lab.pod = lambda pod: pod["spec"]["containers"][0]["resources"].update(requests=wanted)


def named_port(lab: Solved) -> None:
    lab.container["ports"] = [{"name": "http", "containerPort": int(lab.params.port)}]
    lab.container["readinessProbe"]["httpGet"]["port"] = "http"


def port_by_flag(lab: Solved) -> None:
    lab.container.pop("env")
    lab.container["args"] = [f"-port={lab.params.port}"]


def port_from_a_config_map(lab: Solved) -> None:
    lab.container.pop("env")
    lab.container["envFrom"] = [{"configMapRef": {"name": "web"}}]


def probe_by_command(lab: Solved) -> None:
    lab.container["readinessProbe"] = {"exec": {"command": ["wget", "-qO-", f"http://localhost:{lab.params.port}/readyz"]}}


def probe_by_shell(lab: Solved) -> None:
    lab.container["readinessProbe"] = {"exec": {"command": ["sh", "-c", 'wget -q -O - "http://127.0.0.1:$WEB_PORT/readyz"']}}


def more_probes(lab: Solved) -> None:
    lab.container["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": int(lab.params.port)}}


def more_revisions(lab: Solved) -> None:
    lab.past = ["course/web:1", "course/web:2", "course/wbe:2", "course/web:2"]


def so_many_revisions_that_the_first_is_forgotten(lab: Solved) -> None:
    lab.past = ["course/web:1", *["course/web:2"] * 11]


def answer_in_a_sentence(lab: Solved) -> None:
    lab.answer = f"FATAL: the environment variable {lab.params.missing} is not set, and I cannot work without it\n"


def answer_in_small_letters(lab: Solved) -> None:
    lab.answer = f"  `{lab.params.missing.lower()}`"


def answer_with_a_comparison(lab: Solved) -> None:
    lab.answer = f"LEDGER_URL is set, but {lab.params.missing} is missing."


def a_pod_of_their_own(lab: Solved) -> None:
    template = copy.deepcopy(lab.web["spec"]["template"])
    template["metadata"]["labels"] = {"run": "try"}
    template["spec"]["containers"][0]["image"] = "course/web:1"
    lab.cluster.bare_pod("try", template, namespace=lab.params.namespace)


def an_evicted_pod(lab: Solved) -> None:
    """What was evicted stays in the list of pods, as Failed."""

    def evict(pod: Obj) -> None:
        if not seen:
            seen.append(pod)
            ghost = copy.deepcopy(pod)
            ghost["metadata"].update(name="web-1abc-evicted", uid="evicted")
            ghost["spec"]["containers"][0]["image"] = "course/web:1"
            ghost["status"] = {"phase": "Failed", "reason": "Evicted"}
            lab.cluster.objects.append(ghost)

    seen: list[Obj] = []
    lab.pod = evict


RIGHT = [
    by_command,
    a_sidecar_behind_it,
    a_sidecar_before_it,
    full_image_name,
    more_labels,
    whole_quantities,
    kibibytes,
    generous_limits,
    limits_that_equal,
    namespace_default_requests,
    named_port,
    port_by_flag,
    port_from_a_config_map,
    probe_by_command,
    probe_by_shell,
    more_probes,
    more_revisions,
    so_many_revisions_that_the_first_is_forgotten,
    answer_in_a_sentence,
    answer_in_small_letters,
    answer_with_a_comparison,
    a_pod_of_their_own,
    an_evicted_pod,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(solved: Solved, change: Callable[[Solved], None]) -> None:
    change(solved)
    assert solved.done().passed() == ALL


# Wrong answers --------------------------------------------------------------------------------------------------------------


def judged(lab: Solved, task: str) -> Any:
    return lab.done().verdicts()[task]


Change = Callable[[Solved], None]


def set_image(name: str) -> Change:
    return lambda lab: lab.container.update(image=name)


def set_requests(**requests: str) -> Change:
    return lambda lab: lab.container.update(resources={"requests": {k: lab.params.fill(v) for k, v in requests.items()}})


def set_probe(**probe: Any) -> Change:
    return lambda lab: lab.container.update(readinessProbe=probe)


def set_answer(text: str) -> Change:
    def change(lab: Solved) -> None:
        lab.answer = lab.params.fill(text)

    return change


def deployed_in(namespace: str) -> Change:
    return lambda lab: lab.web["metadata"].update(namespace=namespace)


def another_image_of_the_node(lab: Solved) -> None:
    lab.container["image"] = "nginx:1.27"
    lab.cluster.find("Node", "server")["status"]["images"].append({"names": ["docker.io/library/nginx:1.27"]})


def renamed(lab: Solved) -> None:
    lab.web["metadata"]["name"] = "shop"


def shop_beside_a_pod_of_one_s_own(lab: Solved) -> None:
    """The chapter's pod `try` is still there; what is wrong is the Deployment's name."""
    a_pod_of_their_own(lab)
    renamed(lab)


def as_stateful_set(lab: Solved) -> None:
    lab.web["kind"] = "StatefulSet"


def one_pod(lab: Solved) -> None:
    lab.web["spec"]["replicas"] = 1


def none_ready(lab: Solved) -> None:
    lab.ready = False


def no_pods(lab: Solved) -> None:
    lab.web["spec"]["replicas"] = 0


def pods_edited(lab: Solved) -> None:
    lab.container["image"] = "course/web:1"
    lab.past = ["course/web:2"]
    lab.pod = lambda pod: pod["spec"]["containers"][0].update(image="course/web:2")


def paused(lab: Solved) -> None:
    """The template is new, no ReplicaSet and no pod has been made from it yet."""
    still_version_1(lab)
    cluster = lab.done()
    web = cluster.find("Deployment", "web", lab.params.namespace)
    web["spec"] = copy.deepcopy(web["spec"])
    web["spec"]["paused"] = True
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "course/web:2"


def still_version_1(lab: Solved) -> None:
    lab.container["image"] = "course/web:1"
    lab.past = ["course/web:1"]


def created_with_version_2(lab: Solved) -> None:
    lab.past = []


def only_version_2(lab: Solved) -> None:
    lab.past = ["course/web:2", "course/web:2"]


def no_cause(lab: Solved) -> None:
    lab.web["metadata"]["annotations"] = {}


def blank_cause(lab: Solved) -> None:
    lab.web["metadata"]["annotations"]["kubernetes.io/change-cause"] = "  "


def cause_without_prefix(lab: Solved) -> None:
    lab.web["metadata"]["annotations"] = {"change-cause": "release version 2"}


def cause_in_template(lab: Solved) -> None:
    lab.web["metadata"]["annotations"] = {}
    lab.web["spec"]["template"]["metadata"]["annotations"] = {"kubernetes.io/change-cause": "release version 2"}


def history_forgotten(lab: Solved) -> None:
    lab.web["spec"]["revisionHistoryLimit"] = lab.kept = 1
    lab.past = ["course/web:2", "course/web:2", "course/web:2"]


def liveness(lab: Solved) -> None:
    lab.container["livenessProbe"] = lab.container.pop("readinessProbe")


def startup(lab: Solved) -> None:
    lab.container["startupProbe"] = lab.container.pop("readinessProbe")


def no_probe(lab: Solved) -> None:
    lab.container.pop("readinessProbe")


def probe_on_8080(lab: Solved) -> None:
    lab.container["readinessProbe"]["httpGet"]["port"] = 8080
    lab.ready = False


def port_not_told(lab: Solved) -> None:
    lab.container.pop("env")
    lab.pod = lambda pod: pod["status"]["conditions"][1].update(status="False")


def pods_without_probe(lab: Solved) -> None:
    lab.pod = lambda pod: pod["spec"]["containers"][0].pop("readinessProbe")


def pods_without_requests(lab: Solved) -> None:
    lab.pod = lambda pod: pod["spec"]["containers"][0].update(resources={})


def no_requests(lab: Solved) -> None:
    lab.container["resources"] = {}


def only_limits(lab: Solved) -> None:
    lab.container["resources"] = {"limits": {"cpu": "1", "memory": "64Mi"}}


def not_replaced(lab: Solved) -> None:
    lab.healed = {"deleted": "web-2abc-0xyz", "replacement": "", "seen": "", "refused": "exceeded quota: no-more-pods"}


def replaced_not_ready(lab: Solved) -> None:
    lab.healed = {"deleted": "web-2abc-0xyz", "replacement": "", "seen": "web-2abc-9new", "refused": ""}


WRONG: list[tuple[Change, str, str]] = [
    (deployed_in("default"), "deploy", "other-namespace"),
    (renamed, "deploy", "other-name"),
    (as_stateful_set, "deploy", "other-kind"),
    (another_image_of_the_node, "deploy", "other-image"),
    (set_image("course/wbe:1"), "deploy", ""),
    (none_ready, "deploy", ""),
    (no_pods, "deploy", ""),
    (one_pod, "scale", "replicas-differ"),
    (pods_edited, "image", "edited-pods"),
    (paused, "image", "paused"),
    (still_version_1, "image", "old-version"),
    (set_image("course/web:v2"), "image", ""),
    (set_image("course/web"), "image", ""),
    (created_with_version_2, "history", "recreated"),
    (only_version_2, "history", "never-version-1"),
    (history_forgotten, "history", "never-version-1"),
    (cause_without_prefix, "history", "annotation-name"),
    (cause_in_template, "history", "annotation-name"),
    (no_cause, "history", ""),
    (blank_cause, "history", ""),
    (liveness, "ready", "liveness-instead"),
    (no_probe, "ready", ""),
    (probe_on_8080, "deploy", ""),
    (set_probe(httpGet={"path": "/readyz", "port": 8080}), "ready", "probe-port"),
    (set_probe(httpGet={"path": "/readyz", "port": "http"}), "ready", "probe-port"),
    (lambda lab: lab.container["readinessProbe"]["httpGet"].update(path="/healthz"), "ready", "probe-path"),
    (lambda lab: lab.container["readinessProbe"]["httpGet"].update(path="/ready"), "ready", "probe-path"),
    (set_probe(tcpSocket={"port": 8081}), "ready", ""),
    (set_probe(exec={"command": ["true"]}), "ready", ""),
    (set_probe(exec={"command": ["wget", "-qO-", "http://localhost:8080/readyz"]}), "ready", ""),
    (port_not_told, "ready", "app-port"),
    (pods_without_probe, "ready", ""),
    (set_requests(cpu="{cpu}", memory="{memory}Mi"), "requests", "whole-cores"),
    (set_requests(cpu="{cpu}m", memory="{memory}M"), "requests", "memory-unit"),
    (set_requests(cpu="{cpu}m", memory="{memory}m"), "requests", "memory-unit"),
    (set_requests(cpu="{cpu}m", memory="{memory}"), "requests", "memory-unit"),
    (set_requests(cpu="{cpu}m", memory="{memory}Gi"), "requests", "memory-unit"),
    (set_requests(cpu="{memory}m", memory="{cpu}Mi"), "requests", "swapped"),
    (set_requests(cpu="{cpu}m"), "requests", ""),
    (shop_beside_a_pod_of_one_s_own, "deploy", "other-name"),
    (startup, "ready", "liveness-instead"),
    (only_limits, "requests", "limits-only"),
    (no_requests, "requests", ""),
    (pods_without_requests, "requests", ""),
    (not_replaced, "heal", ""),
    (replaced_not_ready, "heal", ""),
    (set_answer(""), "crash", ""),
    (set_answer("\n \n"), "crash", ""),
    (set_answer("CrashLoopBackOff"), "crash", "symptom"),
    (set_answer("exit code 1"), "crash", "symptom"),
    (set_answer("LEDGER_URL"), "crash", "not-missing"),
    (set_answer("LEDGER_URL,LEDGER_REGION,LEDGER_FORMAT,{missing}"), "crash", "several"),
    (set_answer("X{missing}"), "crash", ""),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(solved: Solved, change: Change, task: str, diagnosis: str) -> None:
    change(solved)
    one = judged(solved, task)
    assert not one.passed
    assert one.verdict.value in ("fail", "waiting")
    assert one.message
    if diagnosis:
        assert one.diagnosis == diagnosis


def probe_and_shop_on_8080(lab: Solved) -> None:
    """Nothing was said of the port, and the probe is where the shop listens: the pods are ready."""
    lab.container.pop("env")
    lab.container["readinessProbe"]["httpGet"]["port"] = 8080


def without_port(**probe: Any) -> Change:
    def change(lab: Solved) -> None:
        lab.container.pop("env")
        lab.container["readinessProbe"] = probe

    return change


def same_number(name: str) -> Change:
    """One number for both: it is wrong for one of them, and nothing has changed places."""
    return set_requests(cpu=f"{{{name}}}m", memory=f"{{{name}}}Mi")


def forgotten_and_without_words(lab: Solved) -> None:
    so_many_revisions_that_the_first_is_forgotten(lab)
    no_cause(lab)


@pytest.mark.parametrize(
    ("change", "task", "untrue"),
    [
        (probe_and_shop_on_8080, "ready", "nobody answers"),
        (without_port(tcpSocket={"port": 8080}), "ready", "asks port"),
        (without_port(exec={"command": ["wget", "-qO-", "http://localhost:8080/readyz"]}), "ready", "asks port"),
        (same_number("cpu"), "requests", "changed places"),
        (same_number("memory"), "requests", "changed places"),
        (forgotten_and_without_words, "history", "version 1"),
        (startup, "ready", "restarted"),
    ],
)
def test_nothing_is_said_that_is_not_so(solved: Solved, change: Change, task: str, untrue: str) -> None:
    change(solved)
    one = judged(solved, task)
    assert not one.passed
    assert untrue not in one.message


def test_a_port_that_stands_in_a_config_map_is_not_called_missing(solved: Solved) -> None:
    port_not_told(solved)
    solved.container["env"] = [{"name": "WEB_PORT", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "port"}}}]
    assert judged(solved, "ready").diagnosis != "app-port"


def test_a_cause_that_is_there_is_not_called_misnamed(solved: Solved) -> None:
    """kustomize's commonAnnotations write it into the template, too."""
    still_version_1(solved)
    solved.web["spec"]["template"]["metadata"]["annotations"] = dict(solved.web["metadata"]["annotations"])
    assert judged(solved, "history").diagnosis == ""


def test_bare_pods_are_named(solved: Solved) -> None:
    for number in range(3):
        template = copy.deepcopy(solved.web["spec"]["template"])
        solved.cluster.bare_pod(f"web-{number}", template, namespace=solved.params.namespace)
    one = solved.cluster.verdicts()["deploy"]
    assert (one.verdict.value, one.diagnosis) == ("fail", "bare-pods")


def test_an_answer_beside_the_work_folder_is_named(solved: Solved) -> None:
    solved.answer = None
    solved.cluster.say("/home/student/crash.txt", solved.params.missing)
    assert judged(solved, "crash").diagnosis == "other-place"


def test_half_of_the_requests_earns_half(solved: Solved) -> None:
    set_requests(cpu="{cpu}m", memory="1Mi")(solved)
    one = judged(solved, "requests")
    assert not one.passed
    assert one.credit == 0.5


def test_a_history_without_words_earns_half(solved: Solved) -> None:
    no_cause(solved)
    assert judged(solved, "history").credit == 0.5


def test_one_wrong_task_does_not_take_others_along(solved: Solved) -> None:
    set_requests(cpu="1m", memory="1Mi")(solved)
    solved.answer = None
    assert solved.done().passed() == ALL - {"requests", "crash"}


def test_a_pod_that_is_old_is_waited_for_while_the_rollout_goes_on(solved: Solved) -> None:
    cluster = solved.done()
    web = cluster.find("Deployment", "web", solved.params.namespace)
    web["status"]["updatedReplicas"] = 1
    pod = next(obj for obj in cluster.objects if obj["kind"] == "Pod" and obj["metadata"]["namespace"] == solved.params.namespace)
    pod["spec"]["containers"][0]["image"] = "course/web:1"
    pod["metadata"]["ownerReferences"] = [
        {**pod["metadata"]["ownerReferences"][0], "uid": cluster.find("ReplicaSet", "web-1abc")["metadata"]["uid"], "name": "web-1abc"}
    ]
    assert cluster.verdicts()["image"].verdict.value == "waiting"
