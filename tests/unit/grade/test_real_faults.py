"""Causes read from Evidence of real faults on a real cluster (tests/faults.py made them)."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from courselab.grade.evidence import load
from courselab.grade.why import explain
from courselab.grade.world import World, name_of, namespace_of
from tests.faults import DOCUMENTS

EVIDENCE = Path(__file__).parent / "evidence"
KEPT = {"": "faults", "more": "more-faults", "policy": "policy", "taint": "taint", "cordoned": "cordoned"}
WORLDS = {document: World(load(EVIDENCE / f"{name}.json.gz")) for document, name in KEPT.items()}
DOCUMENT_OF = {fault: document for document, faults in DOCUMENTS.items() for fault in faults}
WORLD = WORLDS[""]
NOT_HERE = {"elsewhere"}  # no fault: the pods that another namespace's Service would like to have
SAID = {
    "access-mode": ("access-mode", "the storage cannot give access mode ReadWriteMany: failed to provision volume"),
    "anti-affinity": ("anti-affinity", "must not run beside another that is on every node"),
    "backend-missing": ("backend-missing", "it sends to Service wbe, which does not exist in namespace backend-missing; did you mean web?"),
    "backend-port": ("backend-port", "it asks Service web for port 8080, which offers 80"),
    "claim-missing": ("claim-missing", "wants PersistentVolumeClaim data, which does not exist in namespace claim-missing"),
    "claim-unbound": ("storage-class-missing", "there is no StorageClass fast; there is local-path"),
    "class-missing": ("class-missing", "it names no ingress class, and there is no default one"),
    "class-unknown": ("class-unknown", "no controller claims its ingress class “nginx”"),
    "command-not-found": ("command-not-found", "its command “serv” is not in the image"),
    "config-key-missing": ("config-key-missing", "wants key colour of ConfigMap app, which has no such key; it has color"),
    "config-missing": ("config-missing", "wants configmap app, which does not exist in namespace config-missing"),
    "crash-loop": ("crash-loop", "ended with code 1 and was restarted 4 times"),
    "ends-by-itself": ("ends-by-itself", "does its work and ends with code 0"),
    "envfrom-missing": ("config-missing", "wants configmap app"),
    "image-name": ("image-name", "image “course/wbe:1” cannot be had; did you mean course/web:1?"),
    "image-name-invalid": ("image-name-invalid", "“Course/Web:1” is not a valid image name"),
    "image-never-pull": ("image-never-pull", "imagePullPolicy Never forbids to fetch it; here are course/web:1, course/web:2"),
    "image-tag": ("image-tag", "there is no tag 9 of image course/web; here are course/web:1, course/web:2"),
    "init-crash": ("crash-loop", "container prepare ended with code 1"),
    "insufficient-cpu": ("insufficient", "no node has enough cpu left: the pod asks for 64, the node has 2 in all"),
    "insufficient-memory": ("insufficient", "enough memory left: the pod asks for 500Gi, the node has 23.5Gi in all"),
    "job-backoff": ("job-backoff", "its pods failed more often than backoffLimit allows"),
    "job-deadline": ("job-deadline", "it ran longer than activeDeadlineSeconds allows"),
    "limit-range": ("limit-range", "maximum cpu usage per Container is 100m, but limit is 2"),
    "liveness-probe": ("liveness-probe", "is restarted because its liveness probe fails"),
    "mount-config-missing": ("mount-config-missing", "a volume wants configmap app, which does not exist"),
    "mount-key-missing": ("mount-key-missing", "a volume wants key colour"),
    "mount-kind": ("mount-kind", "a file is mounted where the image has a folder"),
    "node-affinity": ("node-selector", "no node has the labels the pod asks for: disk Exists"),
    "node-selector": ("node-selector", "no node has the labels the pod asks for: disk=fast"),
    "oom-killed": ("oom-killed", "used more memory than its limit of 16Mi and was killed"),
    "paused": ("paused", "its rollout is paused"),
    "pod-security": ("pod-security", "security level “restricted:latest” refuses the pod: allowPrivilegeEscalation != false"),
    "port-taken": ("port-taken", "in namespace port-taken holds port 18080"),
    "probe-command": ("probe-command", "the command of its readiness probe fails: cat: can't open '/tmp/ok'"),
    "probe-path": ("probe-path", "its readiness probe asks for /redy and is answered 404"),
    "probe-port": ("probe-port", "asks port 81, where nothing listens; the container declares port 8080"),
    "probe-port-no-progress": ("probe-port", "asks port 81, where nothing listens"),
    "quota": ("quota", "ResourceQuota tight forbids more pods: requested pods=1, used pods=1, limited pods=1"),
    "quota-needs": ("quota-needs", "ResourceQuota tight demands that every container states limits.cpu"),
    "registry-unreachable": ("registry-unreachable", "its registry cannot be reached; here are course/web:1, course/web:2"),
    "runs-as-root": ("runs-as-root", "must not run as root"),
    "scaled-to-zero": ("scaled-to-zero", "it is scaled to 0 replicas"),
    "secret-key-missing": ("config-key-missing", "wants key passwort of Secret db, which has no such key; it has password"),
    "secret-missing": ("config-missing", "wants secret db"),
    "selector-matches-no-pod": (
        "selector-matches-no-pod",
        "its selector app=wbe matches no pod; the pods in namespace selector-matches-no-pod",
    ),
    "selector-other-namespace": ("selector-other-namespace", "pods with these labels are in namespace elsewhere"),
    "service-account-missing": ("service-account-missing", "the pod wants ServiceAccount robot"),
    "storage-class-missing": ("storage-class-missing", "there is no StorageClass fast; there is local-path"),
    "target-port": ("target-port", "it sends to port 80, but the containers of its pods declare 8080"),
    "target-port-name": (
        "target-port-name",
        "port “htpp”, a name that no container of its pods declares; they declare http. Did you mean http?",
    ),
    "tls-missing": ("tls-missing", "it wants the certificate of Secret cert, which does not exist"),
    "tls-type": ("tls-type", "Secret cert is of type Opaque"),
    "waits-for-pod": ("waits-for-pod", "it is bound only when a pod uses it"),
}
SAID |= {
    "command-not-executable": ("command-not-executable", "its command “/etc/passwd” may not be executed"),
    "exit-127": ("command-not-found", "ended with code 127: a command in it was not found"),
    "rbac-denied": ("rbac-denied", "refused by the Kubernetes API: ServiceAccount default may not list pods (RBAC)"),
    "probe-timeout": ("probe-timeout", "its readiness probe is not answered in time"),
    "pod-deadline": ("pod-deadline", "ran longer than it may (activeDeadlineSeconds)"),
    "evicted": ("evicted", "the pod was evicted: Usage of EmptyDir volume"),
    "finalizer": ("finalizer", "Pod held is being deleted, but waits for example.org/hold"),
    "policy-denied": ("policy-denied", "admission policy no-pods-here refuses the pod: pods need an owner label"),
    "webhook-unreachable": (
        "webhook-unreachable",
        "admission webhook pods.example.org is to be asked about each pod, and cannot be reached",
    ),
    "job-failed": ("job-failed", "it failed: "),
    "selector-none": ("selector-none", "it has no selector"),
    "load-balancer-port-taken": ("load-balancer-port-taken", "port 80 of the node is taken by Service traefik in namespace kube-system"),
    "backend-other-namespace": ("backend-other-namespace", "it sends to Service web, which is not in its namespace"),
    "host-taken": ("host-taken", "Ingress other in namespace host-taken leads taken.example/ elsewhere"),
    "taint": ("taint", "the pod does not tolerate the node's taint pool: gpu"),
    "cordoned": ("cordoned", "the node takes no new pods: it is cordoned"),
}
ADDONS = {
    "addon-invalid": ("addon-invalid", "its manifest is not valid"),
    "addon-refused": ("addon-refused", "its manifest cannot be applied"),
}
MAY_PASS = {"waits-for-pod"}  # waiting could help


@pytest.mark.parametrize("fault", sorted(SAID))
def test_the_cause_of_a_real_fault(fault: str) -> None:
    kinds = ("Ingress", "Service", "Deployment", "Job", "PersistentVolumeClaim", "Pod")
    world = WORLDS[DOCUMENT_OF[fault]]
    about = next(one for kind in kinds for one in world.objects(kind) if namespace_of(one) == fault and name_of(one) != "other")
    why = explain(world, about)
    slug, said = SAID[fault]
    found = {cause.slug: cause for cause in why.causes}
    assert slug in found, why.lines()
    assert said in found[slug].sentence
    assert why.terminal == (fault not in MAY_PASS)
    assert why.next or slug == "finalizer"


@pytest.mark.parametrize("addon", sorted(ADDONS))
def test_the_cause_of_an_addon_that_failed(addon: str) -> None:
    world = WORLDS["more"]
    found = world.find("Addon", addon, "kube-system")
    assert found
    slug, said = ADDONS[addon]
    [cause] = explain(world, found).causes
    assert (cause.slug, said in cause.sentence) == (slug, True)


def test_every_fault_has_its_cause_here() -> None:
    assert SAID.keys() == DOCUMENT_OF.keys() - NOT_HERE


def test_the_table_has_many_causes_that_were_seen_for_real() -> None:
    assert len({slug for slug, _ in (*SAID.values(), *ADDONS.values())}) >= 60


def test_pods_that_are_well_have_no_cause() -> None:
    web = WORLD.find("Deployment", "web", "elsewhere")
    assert web
    assert explain(WORLD, web).causes == ()


def test_no_secret_is_in_the_document() -> None:
    for name in KEPT.values():
        raw = gzip.decompress((EVIDENCE / f"{name}.json.gz").read_bytes()).decode()
        assert "x-y-z-secret" not in raw
        assert "eC15LXotc2VjcmV0" not in raw
