"""Chapter 07: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from courselab.grade.evidence import ContainerLog
from courselab.grade.kube import ApiRefused
from tests.unit.checkers.fake_cluster import FakeCluster, Obj

ALL = {"addon", "helm", "values", "traefik", "metrics", "retired"}
MANIFESTS = "/var/lib/rancher/k3s/server/manifests/"
CHART = "https://%{KUBERNETES_API}%/static/charts/greeter-1.0.0.tgz"
OWNER = "objectset.rio.cattle.io/owner-name"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: web, image: "course/web:1"}]}
"""


class Lab:
    """A lab on paper in which everything is done; tests change it, then have it judged."""

    def __init__(self) -> None:
        self.on = FakeCluster("07")
        self.params = self.on.params
        self.files = [f"{MANIFESTS}{name}" for name in ("coredns.yaml", "traefik.yaml", f"{self.params.addon}.yaml")]
        self.on.time = 2e9
        self.changed: dict[str, float] = {}  # when a file was changed, if that is not long ago
        self.on.config = {"disable": ["local-storage", "metrics-server"]}
        self.on.facts["flags"] = []
        self.node_args("server", "--disable", "local-storage", "--disable", "metrics-server")
        self.on.find("Node", "server")["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        self.on.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        self.on.add(
            {"apiVersion": "k3s.cattle.io/v1", "kind": "Addon", "metadata": {"name": self.params.addon, "namespace": "kube-system"}}
        )
        self.deployment("board", self.params.namespace, annotations={OWNER: self.params.addon})
        self.chart = self.helm_chart(self.params.release, targetNamespace=self.params.target, createNamespace=True, chart=CHART)
        self.chart["spec"]["valuesContent"] = f"replicas: {self.params.replicas}\ngreeting: {self.params.greeting}\n"
        self.job = self.install_job(self.params.release)
        self.release = self.released(self.params.target)
        self.traefik = self.deployment("traefik", "kube-system")
        self.traefik_chart = self.helm_chart("traefik", valuesContent="deployment: {}")
        self.traefik_chart["metadata"]["annotations"] = {OWNER: "traefik"}
        self.traefik_job = self.install_job("traefik")
        self.config = self.helm_config("traefik", valuesContent="logs: {access: {enabled: true}}")
        self.on.probe("07.access", {"status": 404, "error": "", "logged": True})

    def node_args(self, *words: str) -> None:
        self.on.find("Node", "server")["metadata"]["annotations"] = {"k3s.io/node-args": json.dumps(words)}

    def deployment(self, name: str, namespace: str, **metadata: Any) -> Obj:
        (found,) = self.on.apply(WEB.replace("NAMESPACE", namespace).replace("NAME", name))
        found["metadata"].update(metadata)
        return found

    def released(self, namespace: str) -> Obj:
        """What the chart makes of the student's values."""
        found = self.deployment(self.params.release, namespace, annotations={"meta.helm.sh/release-name": self.params.release})
        self.scale(found, int(self.params.replicas))
        found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "WEB_BODY", "value": self.params.greeting}]
        return found

    def scale(self, deployment: Obj, count: int) -> None:
        """As it is when all pods run."""
        deployment["spec"]["replicas"] = count
        deployment["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)

    def helm_chart(self, name: str, namespace: str = "kube-system", **spec: Any) -> Obj:
        metadata, status = {"name": name, "namespace": namespace}, {"jobName": f"helm-install-{name}"}
        return self.on.add({"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": metadata, "spec": spec, "status": status})

    def helm_config(self, name: str, namespace: str = "kube-system", **spec: Any) -> Obj:
        metadata = {"name": name, "namespace": namespace}
        return self.on.add({"apiVersion": "helm.cattle.io/v1", "kind": "HelmChartConfig", "metadata": metadata, "spec": spec})

    def install_job(self, name: str, namespace: str = "kube-system") -> Obj:
        metadata = {"name": f"helm-install-{name}", "namespace": namespace}
        status = {"conditions": [{"type": "Complete", "status": "True"}]}
        return self.on.add({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {}}, "status": status})

    def fail_job(self, job: Obj, *log: str) -> None:
        """The Job's pod crashes again and again, with these last words."""
        job["status"] = {"failed": 1}
        name, namespace = f"{job['metadata']['name']}-x7k2p", job["metadata"]["namespace"]
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
            "controller": True,
        }
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        status = {"name": "helm", "ready": False, "restartCount": 3, "state": waiting, "lastState": {"terminated": {"exitCode": 1}}}
        self.on.add({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner]},
            "spec": {"nodeName": "server", "containers": [{"name": "helm", "image": "helm"}]},
            "status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [status]},
        })  # fmt: skip
        self.on.logs.append(ContainerLog(namespace=namespace, pod=name, container="helm", lines=list(log), previous=True))

    def remove(self, obj: Obj) -> None:
        self.on.objects = [one for one in self.on.objects if one is not obj]

    def passed(self) -> set[str]:
        self.on.facts["files"] = {path: self.changed.get(path, 0.0) for path in self.files}
        return self.on.passed()

    def says(self, task: str) -> tuple[str, str]:
        """Verdict and diagnosis of a task."""
        self.on.facts["files"] = {path: self.changed.get(path, 0.0) for path in self.files}
        found = self.on.verdicts()[task]
        return found.verdict.value, found.diagnosis

    def told(self, task: str) -> str:
        """What a learner reads of a task that is not done."""
        self.says(task)
        found = self.on.verdicts()[task]
        return "\n".join([found.message, found.expected, found.actual, *found.why])


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_the_solution_passes(lab: Lab) -> None:
    assert lab.passed() == ALL


# Other right answers ----------------------------------------------------------------------------------------------------------------


def in_a_folder(lab: Lab) -> None:
    lab.files[-1] = f"{MANIFESTS}mine/{lab.params.addon}.v2.yml"


def as_json(lab: Lab) -> None:
    lab.files[-1] = f"{MANIFESTS}{lab.params.addon}.json"


def another_file_beside_it(lab: Lab) -> None:
    lab.files += [f"{MANIFESTS}more-of-mine.yaml", f"{MANIFESTS}.hidden.swp", f"{MANIFESTS}README"]


def chart_in_another_namespace(lab: Lab) -> None:
    for found in (lab.chart, lab.job):
        found["metadata"]["namespace"] = lab.params.target


def chart_content(lab: Lab) -> None:
    del lab.chart["spec"]["chart"]
    lab.chart["spec"]["chartContent"] = "H4sIAAAAAAAAA"


def own_repository(lab: Lab) -> None:
    lab.chart["spec"] |= {"chart": "greeter", "repo": "https://charts.example/"}


def values_by_set(lab: Lab) -> None:
    del lab.chart["spec"]["valuesContent"]
    lab.chart["spec"]["set"] = {"replicas": lab.params.replicas, "greeting": lab.params.greeting}


def values_as_object(lab: Lab) -> None:
    del lab.chart["spec"]["valuesContent"]
    lab.chart["spec"]["values"] = {"replicas": int(lab.params.replicas), "greeting": lab.params.greeting, "image": "course/web:1"}


def values_in_a_config(lab: Lab) -> None:
    content = lab.chart["spec"].pop("valuesContent")
    lab.helm_config(lab.params.release, valuesContent=content)


def values_in_a_secret(lab: Lab) -> None:
    del lab.chart["spec"]["valuesContent"]
    lab.chart["spec"]["valuesSecrets"] = [{"name": "greeter", "keys": ["values.yaml"]}]


def traefik_by_argument(lab: Lab) -> None:
    lab.config["spec"]["valuesContent"] = 'additionalArguments: ["--accesslog"]'


def traefik_by_environment(lab: Lab) -> None:
    lab.config["spec"]["valuesContent"] = 'env: [{name: TRAEFIK_ACCESSLOG, value: "true"}]'


def traefik_by_object(lab: Lab) -> None:
    lab.config["spec"] = {"values": {"logs": {"access": {"enabled": True, "format": "json"}}}}


def traefik_of_chart_41(lab: Lab) -> None:
    """https://github.com/traefik/traefik-helm-chart/pull/1887"""
    lab.traefik_chart["spec"]["chart"] = "https://%{KUBERNETES_API}%/static/charts/traefik-41.0.201+up41.0.2.tgz"
    lab.config["spec"]["valuesContent"] = "accessLog: {enabled: true}"


def traefik_of_a_repository(lab: Lab) -> None:
    traefik_of_chart_41(lab)
    lab.traefik_chart["spec"] |= {"chart": "traefik", "repo": "https://traefik.github.io/charts", "version": "41.2.0"}


def traefik_of_unknown_version(lab: Lab) -> None:
    lab.traefik_chart["spec"] |= {"chart": "traefik", "repo": "https://traefik.github.io/charts"}


def traefik_of_ones_own(lab: Lab) -> None:
    lab.remove(lab.config)
    lab.files.remove(f"{MANIFESTS}traefik.yaml")
    lab.files.append(f"{MANIFESTS}my-traefik.yaml")
    lab.traefik_chart["metadata"]["annotations"] = {OWNER: "my-traefik"}
    lab.traefik_chart["spec"]["valuesContent"] = "logs: {access: {enabled: true}}"


def traefik_by_set(lab: Lab) -> None:
    """kubectl patch helmchart: K3s merges its file into what is there, and that has no such entry."""
    lab.remove(lab.config)
    lab.traefik_chart["spec"]["set"] = {"global.systemDefaultRegistry": "", "logs.access.enabled": "true"}


def traefik_with_a_skip_file(lab: Lab) -> None:
    """kubectl edit, and K3s is told to leave its own file alone."""
    packaged_file(lab)
    lab.files.append(f"{MANIFESTS}traefik.yaml.skip")


def disabled_with_commas(lab: Lab) -> None:
    lab.on.config = {"disable": "metrics-server,local-storage"}
    lab.node_args("server", "--disable", "metrics-server,local-storage")


def disabled_by_flag(lab: Lab) -> None:
    lab.on.config = {}
    lab.node_args("server", "--disable=metrics-server", "--disable=local-storage")
    lab.on.facts["flags"] = ["local-storage", "metrics-server"]


def one_disabled_by_flag(lab: Lab) -> None:
    """The installer once more, with INSTALL_K3S_EXEC."""
    lab.on.config = {"disable": ["local-storage"]}
    lab.on.facts["flags"] = ["metrics-server"]


def local_storage_by_a_skip_file(lab: Lab) -> None:
    lab.on.config = {"disable": ["metrics-server"]}
    lab.node_args("server", "--disable", "metrics-server")
    lab.files += [f"{MANIFESTS}local-storage.yaml", f"{MANIFESTS}local-storage.yaml.skip"]


def more_disabled(lab: Lab) -> None:
    lab.node_args("server", *(word for name in ("local-storage", "metrics-server", "servicelb") for word in ("--disable", name)))


def till_addon_left(lab: Lab) -> None:
    lab.on.add({"apiVersion": "k3s.cattle.io/v1", "kind": "Addon", "metadata": {"name": "old-till", "namespace": "kube-system"}})


def till_skip_left(lab: Lab) -> None:
    lab.files.append(f"{MANIFESTS}old-till.yaml.skip")


@pytest.mark.parametrize(
    "way",
    [
        in_a_folder, as_json, another_file_beside_it, chart_in_another_namespace, chart_content, own_repository, values_by_set,
        values_as_object, values_in_a_config, values_in_a_secret, traefik_by_argument, traefik_by_environment, traefik_by_object,
        traefik_of_chart_41, traefik_of_a_repository, traefik_of_unknown_version,
        traefik_of_ones_own, traefik_by_set, traefik_with_a_skip_file, disabled_with_commas, disabled_by_flag,
        one_disabled_by_flag, local_storage_by_a_skip_file, more_disabled, till_addon_left, till_skip_left,
    ],
)  # fmt: skip
def test_other_ways_are_right_too(lab: Lab, way: Callable[[Lab], None]) -> None:
    way(lab)
    assert lab.passed() == ALL


def test_what_is_being_deleted_is_waited_for(lab: Lab) -> None:
    lab.deployment("old-till", "default", deletionTimestamp="2026-11-28T15:00:00Z")
    assert lab.says("retired")[0] == "waiting"


def test_a_file_that_k3s_may_not_have_seen_yet_is_waited_for(lab: Lab) -> None:
    no_board(lab)
    lab.files.append(f"{MANIFESTS}{lab.params.addon}.yaml")
    assert lab.says("addon")[0] == "fail"
    lab.changed[lab.files[-1]] = lab.on.time - 3
    assert lab.says("addon")[0] == "waiting"


def test_a_file_that_k3s_has_refused_is_not_waited_for(lab: Lab) -> None:
    cannot_be_parsed(lab)
    lab.changed[lab.files[-1]] = lab.on.time - 3
    lab.on.find("Event", "one")["lastTimestamp"] = "2033-05-18T03:33:19Z"  # a second before it is checked
    assert lab.says("addon") == ("fail", "cannot-be-applied")


@pytest.mark.parametrize("refused", ["10", "17"])  # an event has no parts of a second: in the same one it may have been before
def test_a_file_that_was_mended_is_waited_for_though_k3s_has_refused_it_before(lab: Lab, refused: str) -> None:
    cannot_be_parsed(lab)
    lab.changed[lab.files[-1]] = lab.on.time - 2.5
    lab.on.find("Event", "one")["lastTimestamp"] = f"2033-05-18T03:33:{refused}Z"
    assert lab.says("addon")[0] == "waiting"


def test_values_that_were_mended_in_a_file_are_waited_for(lab: Lab) -> None:
    config_refused(lab)
    assert lab.says("traefik") == ("fail", "values-refused")
    lab.files.append(f"{MANIFESTS}traefik-config.yaml")
    lab.changed[lab.files[-1]] = lab.on.time - 3
    assert lab.says("traefik")[0] == "waiting"


def test_a_chart_described_in_a_file_is_waited_for(lab: Lab) -> None:
    no_chart(lab)
    lab.files.append(f"{MANIFESTS}{lab.params.release}.yaml")
    lab.changed[lab.files[-1]] = lab.on.time - 3
    assert lab.says("helm")[0] == "waiting"


def test_what_is_disabled_goes_a_moment_after_the_start(lab: Lab) -> None:
    lab.deployment("metrics-server", "kube-system")
    assert lab.says("metrics")[0] == "fail"
    lab.on.time = 10.0
    assert lab.says("metrics")[0] == "waiting"


def test_what_a_flag_disables_goes_a_moment_after_the_start(lab: Lab) -> None:
    lab.deployment("metrics-server", "kube-system")
    lab.on.config = {"disable": ["local-storage"]}
    lab.on.facts["flags"] = ["local-storage", "metrics-server"]
    lab.on.time = 10.0
    assert lab.says("metrics")[0] == "waiting"


# Wrong answers ----------------------------------------------------------------------------------------------------------------------


def no_board(lab: Lab) -> None:
    lab.remove(lab.on.find("Deployment", "board"))
    lab.remove(lab.on.find("Addon", lab.params.addon))
    lab.files = lab.files[:2]


def underscore(lab: Lab) -> None:
    no_board(lab)
    lab.files.append(f"{MANIFESTS}notice_board.yaml")


def capital(lab: Lab) -> None:
    no_board(lab)
    lab.files.append(f"{MANIFESTS}Board.yaml")


def by_hand(lab: Lab) -> None:
    no_board(lab)
    lab.deployment("board", lab.params.namespace)


def other_addon(lab: Lab) -> None:
    no_board(lab)
    lab.files.append(f"{MANIFESTS}board.yaml")
    lab.deployment("board", lab.params.namespace, annotations={OWNER: "board"})


def text_file(lab: Lab) -> None:
    no_board(lab)
    lab.files.append(f"{MANIFESTS}{lab.params.addon}.yaml.txt")


def skipped(lab: Lab) -> None:
    no_board(lab)
    lab.files += [f"{MANIFESTS}{lab.params.addon}.yaml", f"{MANIFESTS}{lab.params.addon}.yaml.skip"]


def file_removed(lab: Lab) -> None:
    lab.files = lab.files[:2]


def shared_name(lab: Lab) -> None:
    lab.files.append(f"{MANIFESTS}{lab.params.addon}.more.yaml")
    lab.remove(lab.on.find("Deployment", "board"))


def other_namespace(lab: Lab) -> None:
    lab.on.find("Deployment", "board")["metadata"]["namespace"] = "default"


def cannot_be_parsed(lab: Lab) -> None:
    found = lab.on.find("Addon", lab.params.addon)
    lab.remove(lab.on.find("Deployment", "board"))
    about = {"kind": "Addon", "name": lab.params.addon, "namespace": "kube-system", "uid": found["metadata"]["uid"]}
    lab.on.add({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "one", "namespace": "kube-system"}, "involvedObject": about,
        "type": "Warning", "reason": "ParseManifestFailed", "message": "Parse manifest failed: line 3: found character that cannot start any token",
    })  # fmt: skip


def cannot_be_parsed_after_an_underscore(lab: Lab) -> None:
    cannot_be_parsed(lab)
    lab.files.append(f"{MANIFESTS}notice_board.yaml")


def no_chart(lab: Lab) -> None:
    for found in (lab.chart, lab.job, lab.release):
        lab.remove(found)


def chart_called_otherwise(lab: Lab) -> None:
    no_chart(lab)
    lab.helm_chart("greeter", chart=CHART)
    lab.install_job("greeter")


def namespace_missing(lab: Lab) -> None:
    lab.remove(lab.release)
    lab.fail_job(lab.job, f'Error: INSTALLATION FAILED: create: failed to create: namespaces "{lab.params.target}" not found')


def chart_not_there(lab: Lab) -> None:
    lab.remove(lab.release)
    lab.fail_job(lab.job, "Error: INSTALLATION FAILED: failed to fetch https://10.43.0.1:443/static/charts/greeter.tgz : 404 Not Found")


def chart_as_path(lab: Lab) -> None:
    lab.chart["spec"]["chart"] = "/home/student/work/greeter"
    lab.remove(lab.release)
    lab.fail_job(lab.job, 'Error: INSTALLATION FAILED: path "/home/student/work/greeter" not found')


def installed_elsewhere(lab: Lab) -> None:
    lab.remove(lab.release)
    lab.released("kube-system")


def moved_to_default(lab: Lab) -> None:
    """The HelmChart was changed later; Helm leaves what it has installed before where it is."""
    lab.chart["spec"]["targetNamespace"] = "default"
    lab.released("default")


def broken_template(lab: Lab) -> None:
    lab.remove(lab.release)
    lab.fail_job(lab.job, "Error: INSTALLATION FAILED: template: greeter/templates/deployment.yaml:13:24: executing: map has no entry")


def made_with_kubectl(lab: Lab) -> None:
    lab.release["metadata"]["annotations"] = {}


def value_misnamed(lab: Lab) -> None:
    lab.chart["spec"]["valuesContent"] = "replicaCount: 3\n"
    lab.scale(lab.release, 1)


def values_nested(lab: Lab) -> None:
    lab.chart["spec"]["valuesContent"] = f"greeter:\n  replicas: {lab.params.replicas}\n"
    lab.scale(lab.release, 1)


def values_no_mapping(lab: Lab) -> None:
    lab.chart["spec"]["valuesContent"] = f"replicas={lab.params.replicas}"
    lab.scale(lab.release, 1)


def scaled_by_hand(lab: Lab) -> None:
    lab.chart["spec"]["valuesContent"] = f"greeting: {lab.params.greeting}"


def other_greeting(lab: Lab) -> None:
    lab.release["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "Hello!"


def no_log(lab: Lab) -> None:
    lab.on.probe("07.access", {"status": 404, "error": "", "logged": False})
    lab.remove(lab.config)


def packaged_file(lab: Lab) -> None:
    lab.remove(lab.config)
    lab.traefik_chart["spec"]["valuesContent"] = "logs: {access: {enabled: true}}"


def set_in_the_packaged_file(lab: Lab) -> None:
    traefik_by_set(lab)
    lab.changed[f"{MANIFESTS}traefik.yaml"] = lab.on.time - 300


def copied_packaged_file(lab: Lab) -> None:
    """K3s's own file, which is applied after it at the next start, is still there."""
    traefik_of_ones_own(lab)
    lab.files.append(f"{MANIFESTS}traefik.yaml")


def list_mended_and_not_read(lab: Lab) -> None:
    lab.node_args("server", "--disable", "metrics-server")


def chart_without_a_spec(lab: Lab) -> None:
    no_chart(lab)
    lab.chart = lab.helm_chart(lab.params.release)
    del lab.chart["spec"]


def till_renamed(lab: Lab) -> None:
    """Its file has another name, and what that made was deleted."""
    lab.files.append(f"{MANIFESTS}retired-till.yaml")
    for name in ("old-till", "retired-till"):
        metadata, spec = {"name": name, "namespace": "kube-system"}, {"checksum": "922db4664b11", "source": f"{MANIFESTS}{name}.yaml"}
        lab.on.add({"apiVersion": "k3s.cattle.io/v1", "kind": "Addon", "metadata": metadata, "spec": spec})


def deployment_edited(lab: Lab) -> None:
    lab.remove(lab.config)
    lab.traefik["spec"]["template"]["spec"]["containers"][0]["args"] = ["--accesslog=true"]


def config_elsewhere(lab: Lab) -> None:
    no_log(lab)
    lab.helm_config("traefik", "default", valuesContent="logs: {access: {enabled: true}}")


def config_misnamed(lab: Lab) -> None:
    no_log(lab)
    lab.helm_config("traefik-config", valuesContent="logs: {access: {enabled: true}}")


def config_refused(lab: Lab) -> None:
    no_log(lab)
    lab.helm_config("traefik", valuesContent="accessLog: true")
    lab.fail_job(lab.traefik_job, "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s)")


def config_says_no(lab: Lab) -> None:
    no_log(lab)
    lab.helm_config("traefik", valuesContent="logs: {access: {enabled: false}}")


def value_of_an_older_chart(lab: Lab) -> None:
    """And the Deployment edited, so that it logs."""
    traefik_of_chart_41(lab)
    lab.config["spec"]["valuesContent"] = "logs: {access: {enabled: true}}"


def value_of_a_newer_chart(lab: Lab) -> None:
    lab.traefik_chart["spec"]["chart"] = "https://%{KUBERNETES_API}%/static/charts/traefik-40.1.3+up40.1.0.tgz"
    lab.config["spec"]["valuesContent"] = "accessLog: {enabled: true}"


def config_in_the_packaged_file(lab: Lab) -> None:
    """Added at the end of traefik.yaml: at the next start K3s writes that anew, and takes away what is not in it."""
    lab.config["metadata"]["annotations"] = {OWNER: "traefik"}


def traefik_gone(lab: Lab) -> None:
    lab.on.probe("07.access", {"status": 0, "error": "connection refused", "logged": False})


def not_restarted(lab: Lab) -> None:
    lab.node_args("server", "--disable", "local-storage")
    lab.deployment("metrics-server", "kube-system")


def list_replaced(lab: Lab) -> None:
    lab.on.config = {"disable": ["metrics-server"]}
    lab.node_args("server", "--disable", "metrics-server")


def list_replaced_and_skipped(lab: Lab) -> None:
    """A skip file takes nothing away that is there."""
    list_replaced(lab)
    lab.deployment("local-path-provisioner", "kube-system")
    lab.files += [f"{MANIFESTS}local-storage.yaml", f"{MANIFESTS}local-storage.yaml.skip"]


def deleted_by_hand(lab: Lab) -> None:
    lab.on.config = {"disable": ["local-storage"]}
    lab.node_args("server", "--disable", "local-storage")


def node_says_so_by_hand(lab: Lab) -> None:
    """kubectl annotate, with what the node says of its arguments elsewhere."""
    lab.on.config = {"disable": ["local-storage"]}


def taken_out_again(lab: Lab) -> None:
    """K3s has started without it, and its configuration says something else by now."""
    lab.on.config = {"disable": ["metrics-server"]}


def skip_file(lab: Lab) -> None:
    deleted_by_hand(lab)
    lab.files.append(f"{MANIFESTS}metrics-server/metrics-server-deployment.yaml.skip")
    lab.deployment("metrics-server", "kube-system")


def skip_file_and_deleted(lab: Lab) -> None:
    deleted_by_hand(lab)
    lab.files += [f"{MANIFESTS}metrics-server/{name}" for name in ("auth-reader.yaml", "service.yaml", "service.yaml.skip")]


def metrics_mistyped(lab: Lab) -> None:
    lab.on.config = {"disable": ["local-storage", "metrics"]}
    lab.node_args("server", "--disable", "local-storage", "--disable", "metrics")
    lab.deployment("metrics-server", "kube-system")


def till(lab: Lab) -> None:
    lab.deployment("old-till", "default")
    lab.on.add({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "old-till"}, "spec": {}})
    lab.on.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old-till-rates", "namespace": "kube-system"}})


def till_rates(lab: Lab) -> None:
    lab.on.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old-till-rates", "namespace": "kube-system"}})


def till_file(lab: Lab) -> None:
    lab.files.append(f"{MANIFESTS}old-till.yaml")


def till_with_skip(lab: Lab) -> None:
    till(lab)
    lab.files += [f"{MANIFESTS}old-till.yaml", f"{MANIFESTS}old-till.yaml.skip"]


@pytest.mark.parametrize(
    ("wrong", "task", "diagnosis"),
    [
        (no_board, "addon", ""),
        (underscore, "addon", "invalid-name"),
        (capital, "addon", "invalid-name"),
        (by_hand, "addon", "by-hand"),
        (other_addon, "addon", "other-name"),
        (text_file, "addon", "suffix"),
        (skipped, "addon", "skipped"),
        (file_removed, "addon", ""),
        (shared_name, "addon", "shared-name"),
        (other_namespace, "addon", "other-namespace"),
        (cannot_be_parsed, "addon", "cannot-be-applied"),
        (cannot_be_parsed_after_an_underscore, "addon", "cannot-be-applied"),
        (no_chart, "helm", ""),
        (chart_called_otherwise, "helm", "other-name"),
        (chart_without_a_spec, "helm", "no-chart"),
        (namespace_missing, "helm", "namespace-missing"),
        (chart_not_there, "helm", "chart-not-found"),
        (chart_as_path, "helm", "not-a-url"),
        (installed_elsewhere, "helm", "other-namespace"),
        (broken_template, "helm", "job-failed"),
        (made_with_kubectl, "helm", ""),
        (moved_to_default, "helm", "other-namespace"),
        (value_misnamed, "values", "value-unknown"),
        (values_nested, "values", "value-unknown"),
        (values_no_mapping, "values", "not-values"),
        (scaled_by_hand, "values", "by-hand"),
        (other_greeting, "values", ""),
        (no_log, "traefik", ""),
        (packaged_file, "traefik", "packaged-file"),
        (set_in_the_packaged_file, "traefik", "packaged-file"),
        (deployment_edited, "traefik", "by-hand"),
        (copied_packaged_file, "traefik", "packaged-file"),
        (config_elsewhere, "traefik", "config-namespace"),
        (config_misnamed, "traefik", "config-name"),
        (config_refused, "traefik", "values-refused"),
        (config_says_no, "traefik", "not-turned-on"),
        (value_of_an_older_chart, "traefik", "not-turned-on"),
        (value_of_a_newer_chart, "traefik", "not-turned-on"),
        (config_in_the_packaged_file, "traefik", "packaged-file"),
        (traefik_gone, "traefik", ""),
        (not_restarted, "metrics", "not-restarted"),
        (list_replaced, "metrics", "list-replaced"),
        (list_replaced_and_skipped, "metrics", "list-replaced"),
        (list_mended_and_not_read, "metrics", "not-restarted"),
        (deleted_by_hand, "metrics", "comes-back"),
        (node_says_so_by_hand, "metrics", "comes-back"),
        (taken_out_again, "metrics", "list-replaced"),
        (skip_file, "metrics", "skip-file"),
        (skip_file_and_deleted, "metrics", "comes-back"),
        (metrics_mistyped, "metrics", "mistyped"),
        (till, "retired", "objects-remain"),
        (till_rates, "retired", "some-remain"),
        (till_file, "retired", "file-remains"),
        (till_renamed, "retired", "file-remains"),
        (till_with_skip, "retired", "skip-file"),
    ],
)
def test_wrong_answers_fail_and_are_named(lab: Lab, wrong: Callable[[Lab], None], task: str, diagnosis: str) -> None:
    wrong(lab)
    assert lab.says(task) == ("fail", diagnosis)
    assert lab.passed() >= ALL - {task, "values"}


def test_what_turns_the_log_on_is_told_in_the_words_of_the_chart(lab: Lab) -> None:
    value_of_an_older_chart(lab)
    assert "The chart's own is accessLog.enabled." in lab.told("traefik")
    lab.traefik_chart["spec"]["chart"] = "traefik-40.1.3+up40.1.0.tgz"
    lab.config["spec"]["valuesContent"] = "accessLog: {enabled: true}"
    assert "The chart's own is logs.access.enabled." in lab.told("traefik")


def test_a_file_that_is_skipped_is_not_said_to_be_missing(lab: Lab) -> None:
    skipped(lab)
    assert "no such file" not in lab.told("addon")


def test_values_of_the_chart_s_own_are_not_said_to_be_lost(lab: Lab) -> None:
    """The learner changed values.yaml, and packed the chart anew."""
    lab.chart["spec"].pop("valuesContent")
    assert lab.says("values") == ("fail", "by-hand")
    assert "values.yaml" in lab.told("values")


def test_the_flags_of_the_unit_are_read(lab: Lab) -> None:
    shown = (
        "{ path=/usr/local/bin/k3s ; argv[]=/usr/local/bin/k3s server --disable metrics-server --disable=a,b ; ignore_errors=no ; pid=7 }\n"
    )
    fact = next(one.function for one in lab.on.checker.facts if one.mark.name == "flags")
    assert fact(SimpleNamespace(run=lambda _: SimpleNamespace(stdout=shown))) == ["a", "b", "metrics-server"]


def test_names_of_files_may_be_anything(lab: Lab) -> None:
    listed = f"1.5 {MANIFESTS}{lab.params.addon}.yaml\0002.5 {MANIFESTS}a\nb.yaml\0003.5 {MANIFESTS}".encode() + b"\xff.yaml\0"
    fact = next(one.function for one in lab.on.checker.facts if one.mark.name == "files")
    files = fact(SimpleNamespace(run=lambda _: SimpleNamespace(stdout_bytes=listed)))
    assert files == {f"{MANIFESTS}{lab.params.addon}.yaml": 1.5, f"{MANIFESTS}a\nb.yaml": 2.5, f"{MANIFESTS}\ufffd.yaml": 3.5}
    lab.files += files
    assert lab.passed() == ALL


def test_a_pod_of_traefik_that_goes_while_it_is_asked_is_passed_over(lab: Lab) -> None:
    def logs(pod: str, *, container: str, **_: Any) -> str:
        if pod == "old":
            raise ApiRefused(404, "NotFound", "pods not found")
        return "GET /who-asks-1 HTTP/1.1" if container == "tail" else ""

    pods = [{"metadata": {"name": name}, "spec": {"containers": [{"name": "traefik"}, {"name": "tail"}]}} for name in ("old", "new")]
    live = SimpleNamespace(http=lambda _: {"status": 404, "error": ""}, list=lambda *_, **__: pods, logs=logs, sleep=lambda _: None)
    ask = next(one.function for one in lab.on.checker.probes if one.mark.name == "07.access")
    assert ask(live) == {"status": 404, "error": "", "logged": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secrets.token_hex", lambda _: "1")
        assert ask(live)["logged"]
