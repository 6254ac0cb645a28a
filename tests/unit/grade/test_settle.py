"""What is on its way to another state, and what has arrived."""

from __future__ import annotations

from typing import Any

import pytest

from courselab.grade.settle import leaving, outdated, renewing, settling, superseded
from tests.unit.grade.builders import NOW, deployment, endpoint_slice, event, node, obj, pod, replica_set, service, waiting, world

Obj = dict[str, Any]
CLASS = obj("StorageClass", "local-path", volumeBindingMode="WaitForFirstConsumer")


def claim(**parts: Any) -> Obj:
    return obj("PersistentVolumeClaim", "data", spec={"storageClassName": "local-path"}, status={"phase": parts.get("phase", "Pending")})


def daemon_set(**status: Any) -> Obj:
    return obj("DaemonSet", "agent", generation=1, spec={}, status={"observedGeneration": 1, "desiredNumberScheduled": 2, **status})


def stateful_set(**status: Any) -> Obj:
    return obj("StatefulSet", "db", generation=1, spec={"replicas": 1}, status={"observedGeneration": 1, "availableReplicas": 1, **status})


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (
            deployment(status={"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
            "has just been changed",
        ),
        (deployment(status={"replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}), "1 of 3 pods are of the new kind"),
        (deployment(status={"replicas": 5, "updatedReplicas": 3, "availableReplicas": 3}), "2 of the old pods are still there"),
        (deployment(status={"replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}), "has 2 of 3 pods available"),
        (deployment(paused=True, status={"replicas": 3, "updatedReplicas": 0, "availableReplicas": 3}), "and is paused"),
        (deployment(status={}), "0 of 3 pods are of the new kind"),
        (stateful_set(currentRevision="a", updateRevision="b", updatedReplicas=0), "rolling out"),
        (stateful_set(availableReplicas=0), "0 of 1 pods available"),
        (daemon_set(updatedNumberScheduled=1), "1 of 2 pods are of the new kind"),
        (daemon_set(updatedNumberScheduled=2, numberAvailable=1), "1 of 2 pods available"),
        (pod(ready=False, phase="Pending", state=waiting("ContainerCreating")), "is starting"),
        (pod(ready=False), "is not ready"),
        (pod(deletionTimestamp="2026-11-24T10:00:00Z"), "is being deleted"),
        (obj("Job", "once", spec={}, status={"active": 1}), "has not finished"),
        (obj("Namespace", "old", status={"phase": "Terminating"}), "is being deleted"),
        (service(selector={}, spec={"type": "LoadBalancer"}), "has no external address yet"),
        (node(ready=False), "is not ready"),
    ],
)
def test_settling(one: Obj, says: str) -> None:
    assert says in settling(world(one), one)


@pytest.mark.parametrize(
    "one",
    [
        deployment(),
        deployment(replicas=0, status={"observedGeneration": 2}),
        stateful_set(currentRevision="a", updateRevision="a"),
        daemon_set(updatedNumberScheduled=2, numberAvailable=2),
        pod(),
        pod(ready=False, phase="Succeeded"),
        pod(ready=False, phase="Failed"),
        obj("Job", "done", spec={}, status={"conditions": [{"type": "Complete", "status": "True"}]}),
        obj("Job", "failed", spec={}, status={"conditions": [{"type": "Failed", "status": "True"}]}),
        obj("ConfigMap", "app", data={}),
        claim(phase="Bound"),
        service(selector={}),
        node(),
    ],
)
def test_settled(one: Obj) -> None:
    assert settling(world(one), one) == ""


def test_a_claim_waits_only_when_a_pod_uses_it() -> None:
    one = claim()
    assert settling(world(one, CLASS), one) == ""
    user = pod(spec={"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]})
    assert "not bound yet" in settling(world(one, CLASS, user), one)


def test_a_service_settles_when_its_endpoints_are_its_ready_pods() -> None:
    web, one, two = service(), pod("web-1"), pod("web-2")
    assert "endpoints" in settling(world(web, one, two, endpoint_slice(web, [one])), web)
    assert settling(world(web, one, two, endpoint_slice(web, [one, two])), web) == ""


def test_an_ingress_settles_when_its_controller_has_taken_it_up() -> None:
    traefik = obj("IngressClass", "traefik", spec={})
    web = obj("Ingress", "web", spec={"ingressClassName": "traefik"}, status={})
    assert "taken up" in settling(world(web, traefik), web)
    assert settling(world(web), web) == "", "nobody will ever take it up"
    web["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.11"}]}}
    assert settling(world(web, traefik), web) == ""


def test_what_a_chart_made_does_not_last_once_the_chart_was_changed() -> None:
    """Between the change and the new Job, a second at most, everything else looks as it did before."""
    chart = obj("HelmChart", "hello", namespace="kube-system", spec={"chart": "hello", "targetNamespace": "shop"})
    chart["status"] = {"jobName": "helm-install-hello"}
    job = obj(
        "Job", "helm-install-hello", namespace="kube-system", spec={}, status={"conditions": [{"type": "Complete", "status": "True"}]}
    )
    job["metadata"]["creationTimestamp"] = "2026-09-21T14:00:00Z"
    made = obj("ConfigMap", "hello")
    made["metadata"]["annotations"] = {"meta.helm.sh/release-name": "hello", "meta.helm.sh/release-namespace": "shop"}
    others = obj("ConfigMap", "notes")
    elsewhere = obj("ConfigMap", "hello", namespace="till")
    elsewhere["metadata"]["annotations"] = {"meta.helm.sh/release-name": "hello", "meta.helm.sh/release-namespace": "till"}
    found = world(chart, job, made, others, elsewhere)
    assert leaving(found, made) == renewing(found, made) == ""
    found.evidence.cluster.kinds["HelmChart"].changed[chart["metadata"]["uid"]] = NOW - 2
    assert leaving(found, made) == renewing(found, made) == leaving(found, chart) == "HelmChart hello has just been changed"
    assert leaving(found, others) == leaving(found, elsewhere) == ""
    without_jobs = world(chart, made)
    without_jobs.evidence.cluster.kinds["HelmChart"].changed[chart["metadata"]["uid"]] = NOW - 2
    assert leaving(without_jobs, made) == "", "its Job may have been deleted, or not been collected: a pass must not wait for ever"
    assert renewing(without_jobs, made) == "", "nor a failure"


def test_a_chart_settles_when_the_job_of_its_newest_words_has_ended() -> None:
    chart = obj("HelmChart", "hello", spec={"chart": "hello"}, status={"jobName": "helm-install-hello"})
    config = obj("HelmChartConfig", "hello", spec={})
    job = obj("Job", "helm-install-hello", spec={"suspend": True}, status={"conditions": [{"type": "Suspended", "status": "True"}]})
    assert "is being installed" in settling(world(chart), chart)
    nothing = obj("HelmChart", "hello", spec={"targetNamespace": "shop"})
    assert settling(world(nothing), nothing) == renewing(world(nothing), nothing) == "", "no Job is made for one without a chart"
    assert "is being installed" in settling(world(chart, job), chart), "the helm-controller makes its Jobs suspended"
    job["spec"]["suspend"] = False
    assert "is being installed" in settling(world(chart, job), chart)
    assert renewing(world(chart, job), chart) == "", "what it says now is its own"
    job["status"]["conditions"].append({"type": "Complete", "status": "True"})
    job["metadata"]["creationTimestamp"] = "2026-09-21T14:00:00Z"
    found = world(chart, config, job)
    assert settling(found, chart) == ""
    for changed in (chart, config):
        times = found.evidence.cluster.kinds[changed["kind"]].changed
        times[changed["metadata"]["uid"]] = NOW - 2
        assert "has just been changed" in settling(found, chart), "the Job is the one of before"
        assert renewing(found, chart)
        times[changed["metadata"]["uid"]] = NOW - 20
        assert settling(found, chart) == "", "there is no new Job for it"
    job["metadata"]["creationTimestamp"] = "2026-09-21T14:13:19Z"
    found.evidence.cluster.kinds["HelmChart"].changed[chart["metadata"]["uid"]] = NOW - 2
    assert settling(found, chart) == ""


def test_a_claim_waits_also_for_a_pod_that_a_workload_is_about_to_make() -> None:
    one, volumes = claim(), [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    web = deployment(status={"observedGeneration": 1})
    web["spec"]["template"]["spec"]["volumes"] = volumes
    assert "not bound yet" in settling(world(one, CLASS, web), one)
    none = deployment(replicas=0)
    none["spec"]["template"]["spec"]["volumes"] = volumes
    assert settling(world(one, CLASS, none), one) == "", "nobody will ever use it"


def test_a_service_settles_when_its_endpoints_have_its_ports() -> None:
    web, one = service(ports=[{"port": 80, "targetPort": 8081}]), pod()
    assert "endpoints" in settling(world(web, one, endpoint_slice(web, [one], port=8080)), web)
    assert settling(world(web, one, endpoint_slice(web, [one], port=8081)), web) == ""
    by_name = service(ports=[{"port": 80, "targetPort": "http"}])
    assert settling(world(by_name, one, endpoint_slice(by_name, [one], port=8080)), by_name) == "", "each pod says itself which it is"
    two = service(ports=[{"name": "a", "port": 80, "targetPort": 8080}, {"name": "b", "port": 81, "targetPort": 8080}])
    assert "endpoints" in settling(world(two, one, endpoint_slice(two, [one])), two)


def test_an_annotation_reaches_the_newest_replica_set_a_moment_later() -> None:
    web = deployment()
    web["metadata"]["annotations"] = {"why": "release 2", "deployment.kubernetes.io/revision": "2"}
    old, new = replica_set(web, 0, 1), replica_set(web, 3, 2)
    found = world(web, old, new)
    assert settling(found, web) == "", "long ago: somebody else's affair"
    found.evidence.cluster.kinds["Deployment"].changed[web["metadata"]["uid"]] = NOW - 1
    assert "has just been changed" in settling(found, web)
    new["metadata"]["annotations"]["why"] = "release 2"
    assert settling(found, web) == ""


def test_what_runs_on_nodes_follows_a_change_of_a_node() -> None:
    one, machine = daemon_set(updatedNumberScheduled=2, numberAvailable=2), node()
    found = world(one, machine)
    assert settling(found, one) == ""
    found.evidence.cluster.kinds["Node"].changed[machine["metadata"]["uid"]] = NOW - 1
    assert "a node has just been changed" in settling(found, one)
    assert leaving(found, one) == "", "where its pods are is no less true for that"
    found.evidence.cluster.kinds["Node"].changed[machine["metadata"]["uid"]] = NOW - 4
    assert settling(found, one) == ""


def test_what_a_rollout_replaces_is_superseded() -> None:
    web = deployment()
    old, new = replica_set(web, 1, 1), replica_set(web, 3, 2)
    one, two, lone = pod("web-1", old), pod("web-2", new), pod("web-3")
    found = world(web, old, new, one, two, lone)
    assert [superseded(found, obj) for obj in (old, one, new, two, lone, web)] == [True, True, False, False, False, False]
    web["status"]["observedGeneration"] = 1
    assert superseded(found, new)
    assert superseded(found, two), "the ReplicaSet of the newest words is not there yet"
    agents = daemon_set()
    three = pod("agent-1", agents)
    assert not superseded(world(agents, three), three)
    agents["metadata"]["generation"] = 2
    assert superseded(world(agents, three), three)


def test_a_status_of_before_is_outdated_and_a_rollout_is_not() -> None:
    assert outdated(world(web := deployment(status={"observedGeneration": 1, "availableReplicas": 3})), web)
    assert not outdated(world(web := deployment(status={})), web)


def test_a_manifest_settles_when_k3s_has_ended_with_it() -> None:
    addon = obj("Addon", "shop", namespace="kube-system")
    refused, begun = event(addon, "ApplyManifestFailed", "no such kind"), event(addon, "ApplyingManifest", "applying", type="Normal")
    refused["lastTimestamp"], begun["lastTimestamp"] = "2026-09-21T14:13:00Z", "2026-09-21T14:13:18Z"
    assert "is being applied" in settling(world(addon, refused, begun), addon)
    refused["lastTimestamp"] = "2026-09-21T14:13:18Z"
    assert settling(world(addon, refused, begun), addon) == ""
