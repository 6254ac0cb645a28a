"""Causes: from the object a check was about down to what is wrong, in the words a learner reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from courselab.grade.evidence import ContainerLog, UnitState
from courselab.grade.why import Why, explain
from tests.unit.grade.builders import (
    NAMESPACE,
    NOW,
    container,
    deployment,
    endpoint_slice,
    event,
    machine_state,
    namespaces,
    node,
    obj,
    pod,
    replica_set,
    service,
    terminated,
    waiting,
    world,
)

Obj = dict[str, Any]


def why_pod(one: Obj, *others: Obj | list[Obj], **parts: Any) -> Why:
    return explain(world(one, node(), namespaces(), *others, **parts), one)


def only(why: Why, slug: str, *, terminal: bool = True) -> str:
    """The sentence of the one cause, which must be this one."""
    assert [cause.slug for cause in why.causes] == [slug], why.lines()
    assert why.causes[0].terminal is terminal
    return why.causes[0].sentence


def test_a_healthy_object_needs_no_explanation() -> None:
    web = deployment()
    one = pod(owner=(sets := replica_set(web)))
    assert explain(world(web, sets, one), web).causes == ()
    done = pod(phase="Succeeded", ready=False)
    assert explain(world(done), done).causes == ()


def test_the_chain_leads_from_the_deployment_to_the_container_and_three_pods_tell_it_once() -> None:
    web = deployment(status={"replicas": 3, "updatedReplicas": 3, "unavailableReplicas": 3})
    sets = replica_set(web)
    bad = [container(image="course/web:9")]
    pods = [
        pod(f"web-6d9f7c-x{place}abc", owner=sets, ready=False, phase="Pending", containers=bad, state=waiting("ImagePullBackOff"))
        for place in "123"
    ]
    why = explain(world(web, sets, pods, node()), web)
    assert only(why, "image-tag") == "container web: there is no tag 9 of image course/web; here are course/web:1, course/web:2"
    assert why.lines()[0] == "Deployment web → ReplicaSet web-6d9f7c1 → Pod web-6d9f7c-x1abc"


@pytest.mark.parametrize(
    ("image", "reason", "message", "slug", "says"),
    [
        ("course/web:9", "ErrImagePull", "not found", "image-tag", "course/web:1, course/web:2"),
        ("course/wbe:1", "ImagePullBackOff", "Back-off", "image-name", "did you mean course/web:1?"),
        ("Course/Web:1", "InvalidImageName", "", "image-name-invalid", "“Course/Web:1” is not a valid"),
        ("redis:7", "ErrImagePull", "manifest unknown: not found", "image-missing", "the registry has no image redis:7"),
        ("redis:7", "ImagePullBackOff", "dial tcp: lookup registry-1.docker.io: no such host", "registry-unreachable", "course/web:1"),
        ("redis:7", "ErrImagePull", "pull access denied, may require authorization", "image-private", "without a password"),
        ("redis:7", "ErrImageNeverPull", "", "image-never-pull", "imagePullPolicy Never"),
        ("redis:7", "ErrImagePull", "disk on fire", "image-pull", "disk on fire"),
    ],
)
def test_images(image: str, reason: str, message: str, slug: str, says: str) -> None:
    one = pod(ready=False, phase="Pending", containers=[container(image=image)], state=waiting(reason, message))
    assert says in only(why_pod(one), slug)


def test_the_pull_event_tells_more_than_the_state() -> None:
    one = pod(
        ready=False, phase="Pending", containers=[container(image="redis:7")], state=waiting("ImagePullBackOff", "Back-off pulling image")
    )
    failed = event(one, "Failed", 'Failed to pull image "redis:7": dial tcp 1.2.3.4:443: i/o timeout')
    only(why_pod(one, failed), "registry-unreachable")


@pytest.mark.parametrize(
    ("message", "slug", "says"),
    [
        ('configmap "web" not found', "config-missing", "configmap web, which does not exist in namespace shop"),
        ('secret "db" not found', "config-missing", "secret db"),
        (
            "couldn't find key colour in ConfigMap shop/app",
            "config-key-missing",
            "key colour of ConfigMap app, which has no such key; it has color, size",
        ),
        ("container has runAsNonRoot and image will run as root", "runs-as-root", "runAsNonRoot"),
        ("something else", "config-error", "something else"),
    ],
)
def test_configuration(message: str, slug: str, says: str) -> None:
    one = pod(ready=False, phase="Pending", state=waiting("CreateContainerConfigError", message))
    assert says in only(why_pod(one, obj("ConfigMap", "app", data={"color": "red", "size": "1"})), slug)


def test_a_crash_loop_tells_exit_code_restarts_and_last_words() -> None:
    one = pod(ready=False, state=waiting("CrashLoopBackOff"), lastState=terminated(1), restartCount=3)
    log = ContainerLog(
        namespace=NAMESPACE, pod="web-1", container="web", lines=["starting", "", "fatal: LEDGER_ZONE is not set"], previous=True
    )
    why = why_pod(one, logs=(log,))
    assert only(why, "crash-loop") == "container web ended with code 1 and was restarted 3 times"
    assert why.lines()[-1] == "log: fatal: LEDGER_ZONE is not set"
    assert why.next == "kubectl logs web-1 -n shop -c web --previous"


def test_the_first_crash_may_pass() -> None:
    only(why_pod(pod(ready=False, state=terminated(1), restartCount=0)), "crash-loop", terminal=False)
    only(why_pod(pod(ready=False, state=terminated(1), restartCount=1)), "crash-loop", terminal=True)


@pytest.mark.parametrize(
    ("state", "slug", "says"),
    [
        (terminated(137, "OOMKilled"), "oom-killed", "limit of 16Mi"),
        (terminated(0, "Completed"), "ends-by-itself", "must keep running"),
        (terminated(127), "command-not-found", "code 127"),
        (terminated(139), "crash-loop", "139 (segmentation fault)"),
    ],
)
def test_ways_to_end(state: Obj, slug: str, says: str) -> None:
    limited = [container(resources={"limits": {"memory": "16Mi"}})]
    one = pod(ready=False, containers=limited, state=waiting("CrashLoopBackOff"), lastState=state, restartCount=2)
    assert says in only(why_pod(one), slug)


def test_a_command_that_is_not_in_the_image() -> None:
    message = 'failed to create containerd task: exec: "serv": executable file not found in $PATH: unknown'
    one = pod(ready=False, state=waiting("RunContainerError", message), restartCount=1)
    assert "“serv” is not in the image" in only(why_pod(one), "command-not-found")


def test_a_failing_liveness_probe_is_why_it_restarts() -> None:
    one = pod(ready=False, state=waiting("CrashLoopBackOff"), lastState=terminated(137), restartCount=4)
    unhealthy = event(one, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404", count=9)
    assert "its liveness probe fails: HTTP probe failed with statuscode: 404" in only(why_pod(one, unhealthy), "liveness-probe")


@pytest.mark.parametrize(
    ("message", "slug", "says"),
    [
        ('Readiness probe failed: Get "http://10.42.0.9:81/": dial tcp 10.42.0.9:81: connect: connection refused', "probe-port",
         "asks port 81, where nothing listens; the container declares port 8080"),
        ("Readiness probe failed: HTTP probe failed with statuscode: 404", "probe-path", "asks for /redy and is answered 404"),
        ('Readiness probe failed: Get "http://x": context deadline exceeded', "probe-timeout", "not answered in time"),
        ("Readiness probe failed: cat: /tmp/ok: No such file", "probe-command", "No such file"),
    ],
)  # fmt: skip
def test_readiness(message: str, slug: str, says: str) -> None:
    probed = [container(ports=[{"containerPort": 8080}], readinessProbe={"httpGet": {"path": "/redy", "port": 81}})]
    one = pod(ready=False, containers=probed, state={"running": {"startedAt": "2025-01-01T00:00:00Z"}})
    why = why_pod(one, event(one, "Unhealthy", message, count=5))
    assert says in only(why, slug)
    young = pod("web-2", ready=False, containers=probed, state={"running": {"startedAt": "2025-01-01T00:00:00Z"}})
    only(why_pod(young, event(young, "Unhealthy", message, count=1)), slug, terminal=False)


@pytest.mark.parametrize(
    ("code", "started_s", "ready_lost_s", "lasts"),
    [
        (404, 600, 600, True),  # a wrong path
        (500, 20, 20, False),  # an application that says itself that it is not ready yet: metrics-server, for half a minute
        (503, 90, 90, True),
        (500, 600, 20, False),  # it was ready, and K3s was just restarted
        (404, 600, 5, False),
    ],
)
def test_readiness_is_given_time(code: int, started_s: int, ready_lost_s: int, lasts: bool) -> None:
    def ago(seconds: int) -> str:
        return datetime.fromtimestamp(NOW - seconds, UTC).isoformat()

    probed = [container(readinessProbe={"httpGet": {"path": "/readyz", "port": 80}})]
    conditions = [{"type": "Ready", "status": "False", "lastTransitionTime": ago(ready_lost_s)}]
    one = pod(ready=False, containers=probed, conditions=conditions, state={"running": {"startedAt": ago(started_s)}})
    failed = event(one, "Unhealthy", f"Readiness probe failed: HTTP probe failed with statuscode: {code}", count=9)
    only(why_pod(one, failed), "probe-path", terminal=lasts)


@pytest.mark.parametrize(("machine_s", "started_s", "lasts"), [(-7200, 5, False), (7200, 600, True)])
def test_readiness_is_timed_by_the_clock_of_the_machine(machine_s: int, started_s: int, lasts: bool) -> None:
    """A virtual machine's clock is hours behind after the laptop slept; the times of objects are the machine's."""
    started = datetime.fromtimestamp(NOW + machine_s - started_s, UTC).isoformat()
    probed = [container(readinessProbe={"httpGet": {"path": "/redy", "port": 80}})]
    one = pod(ready=False, containers=probed, conditions=[], state={"running": {"startedAt": started}})
    failed = event(one, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", count=9)
    only(why_pod(one, failed, nodes={"server": machine_state(time=NOW + machine_s)}), "probe-path", terminal=lasts)


def unschedulable(message: str, **spec: Any) -> Obj:
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    return pod(ready=False, phase="Pending", node="", conditions=conditions, **spec)


@pytest.mark.parametrize(
    ("message", "slug", "terminal", "says"),
    [
        (
            "0/1 nodes are available: 1 Insufficient cpu.",
            "insufficient",
            True,
            "enough cpu left: the pod asks for 64, the node has 2 in all",
        ),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.", "taint", True, "{dedicated: gpu}".strip("{}")),
        ("1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", "node-not-ready", False, "no node is ready"),
        ("1 node(s) were unschedulable", "cordoned", True, "cordoned"),
        ("1 node(s) didn't match Pod's node affinity/selector", "node-selector", True, "disk=fast"),
        ('persistentvolumeclaim "data" not found', "claim-missing", True, "data, which does not exist in namespace shop"),
        ("1 node(s) didn't have free ports for the requested pod ports", "port-taken", True, "Pod holder in namespace shop holds port 80"),
        ("1 node(s) didn't match PersistentVolume's node affinity", "volume-node", True, "tied to a node"),
        ("1 node(s) had volume node affinity conflict", "volume-node", True, "tied to a node"),
        ("1 Too many pods", "too-many-pods", True, "as many pods"),
        ("pod has unbound immediate PersistentVolumeClaims", "claim-unbound", False, "waits for its PersistentVolumeClaim"),
        ("the stars are not right", "unschedulable", True, "the stars are not right"),
    ],
)
def test_scheduling(message: str, slug: str, terminal: bool, says: str) -> None:
    wants = [container(resources={"requests": {"cpu": "64"}}, ports=[{"containerPort": 80, "hostPort": 80}])]
    one = unschedulable(message, containers=wants, spec={"nodeSelector": {"disk": "fast"}})
    holder = pod("holder", containers=[container(ports=[{"containerPort": 80, "hostPort": 80}])])
    assert says in only(why_pod(one, holder), slug, terminal=terminal)


@pytest.mark.parametrize(
    ("message", "slug", "says"),
    [
        ('pods "web" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2', "quota",
         "ResourceQuota tight forbids more pods: requested pods=1, used pods=2, limited pods=2"),
        ('pods "web" is forbidden: failed quota: tight: must specify limits.cpu for: web', "quota-needs", "states limits.cpu"),
        ('pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false', "pod-security", "restricted:latest"),
        ("maximum cpu usage per Container is 1, but limit is 2", "limit-range", "maximum cpu usage per Container"),
        ('error looking up service account shop/robot: serviceaccount "robot" not found', "service-account-missing", "ServiceAccount robot"),
        ('admission webhook "no.example" denied the request: no', "webhook-denied", "no.example refuses the pod: no"),
        ("because", "create-forbidden", "because"),
    ],
)  # fmt: skip
def test_pods_that_cannot_be_created(message: str, slug: str, says: str) -> None:
    web = deployment(status={"observedGeneration": 2})
    sets = replica_set(web)
    assert says in only(explain(world(web, sets, event(sets, "FailedCreate", message)), web), slug)


def test_an_old_quota_event_does_not_explain_pods_that_are_there() -> None:
    web = deployment(replicas=1)
    sets = replica_set(web)
    one = pod(owner=sets, ready=False, state=waiting("CreateContainerConfigError", 'secret "db" not found'))
    only(
        explain(world(web, sets, one, event(sets, "FailedCreate", "exceeded quota: x, requested: a, used: b, limited: c")), web),
        "config-missing",
    )


def test_events_about_a_former_object_of_the_same_name_say_nothing() -> None:
    former, one = pod(ready=False), pod(ready=False, phase="Pending", state=waiting("ContainerCreating"))
    only(why_pod(one, event(former, "FailedMount", 'configmap "app" not found')), "creating", terminal=False)
    only(why_pod(one, event(one, "FailedMount", 'MountVolume.SetUp failed: configmap "app" not found')), "mount-config-missing")


def test_a_mounted_key_that_is_not_there() -> None:
    one = pod(ready=False, phase="Pending", state=waiting("ContainerCreating"))
    assert "key app.conf" in only(
        why_pod(one, event(one, "FailedMount", "references non-existent config key: app.conf")), "mount-key-missing"
    )


def test_deployments_of_their_own_making() -> None:
    only(explain(world(web := deployment(replicas=0)), web), "scaled-to-zero")
    paused = deployment(paused=True, status={"replicas": 3, "updatedReplicas": 0, "availableReplicas": 3})
    only(explain(world(paused), paused), "paused")
    stuck = {"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    slow = deployment(status=stuck, progressDeadlineSeconds=600)
    assert "600 seconds" in only(explain(world(slow), slow), "no-progress")


def test_services() -> None:
    web, one = service(selector={"app": "wbe"}), pod(labels={"app": "web", "pod-template-hash": "1"})
    said = only(explain(world(web, one), web), "selector-matches-no-pod")
    assert said == "its selector app=wbe matches no pod; the pods in namespace shop have app=web"
    elsewhere = pod(namespace="default")
    s = service()
    assert "namespace default" in only(explain(world(s, elsewhere), s), "selector-other-namespace")
    s = service(ports=[{"port": 80, "targetPort": 80}])
    ready = pod(containers=[container(ports=[{"containerPort": 8080, "name": "http"}])])
    assert "port 80, but the containers of its pods declare 8080" in only(
        explain(world(s, ready, endpoint_slice(s, [ready])), s), "target-port"
    )
    s = service(ports=[{"port": 80, "targetPort": "htpp"}])
    assert "Did you mean http?" in only(explain(world(s, ready), s), "target-port-name")
    unready = pod(ready=False, state=waiting("ImagePullBackOff"), containers=[container(image="course/web:9")])
    only(explain(world(s := service(), unready, node()), s), "image-tag")


def test_a_service_between_two_generations_of_pods_waits_for_their_workload() -> None:
    """After a Recreate rollout was begun, or rolled back, there is no pod for a moment; the selector is right all the same."""
    s, web = service(), deployment(status={"replicas": 0})
    assert not explain(world(s, web, replica_set(web)), s).causes
    bad = [container(image="course/web:9")]
    waits = pod(owner=(sets := replica_set(web)), labels={}, ready=False, state=waiting("ImagePullBackOff"), containers=bad)
    broken = world(s, web, sets, waits, node())
    only(explain(broken, s), "image-tag")
    none = deployment(replicas=0)
    only(explain(world(s, none), s), "scaled-to-zero")
    alike = pod(namespace="elsewhere", labels={"app": "web"})  # of somebody else, and no explanation
    only(explain(world(s, none, alike), s), "scaled-to-zero")
    refused = event(
        sets := replica_set(web), "FailedCreate", "exceeded quota: budget, requested: memory=1Gi, used: memory=0, limited: memory=8Mi"
    )
    only(explain(world(s, web, sets, refused), s), "quota")


def test_a_load_balancer_whose_port_is_taken() -> None:
    traefik = service(
        "traefik", spec={"type": "LoadBalancer"}, namespace="kube-system", status={"loadBalancer": {"ingress": [{"ip": "192.0.2.11"}]}}
    )
    web = service(spec={"type": "LoadBalancer"})
    why = explain(world(web, traefik, pod(containers=[container(ports=[])])), web)
    assert only(why, "load-balancer-port-taken") == "port 80 of the node is taken by Service traefik in namespace kube-system"


def ingress(cls: str | None = "traefik", service_name: str = "web", port: Any = 80, **spec: Any) -> Obj:
    backend = {"service": {"name": service_name, "port": {"number": port} if isinstance(port, int) else {"name": port}}}
    rules = [{"host": "shop.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    return obj("Ingress", "web", spec={**({"ingressClassName": cls} if cls else {}), "rules": rules, **spec})


def test_ingresses() -> None:
    traefik = obj("IngressClass", "traefik", spec={})
    one = pod(containers=[container(ports=[{"containerPort": 8080}])])
    fine = [service(), one, traefik]

    def why(found: Obj, *others: Obj) -> Why:
        return explain(world(found, *fine, *others), found)

    assert why(ingress()).causes == ()
    assert "class “nginx”; there is traefik" in only(why(ingress("nginx")), "class-unknown")
    only(why(ingress(None)), "class-missing")
    assert "did you mean web?" in only(why(ingress(service_name="wbe")), "backend-missing")
    assert "port 8080, which offers 80" in only(why(ingress(port=8080)), "backend-port")
    other = service("api")
    other["metadata"]["namespace"] = "default"
    assert "but in default" in only(why(ingress(service_name="api"), other), "backend-other-namespace")
    tls = ingress(tls=[{"secretName": "cert"}])
    only(why(tls), "tls-missing")
    wrong = obj("Secret", "cert", type="Opaque", data={})
    assert "type Opaque" in only(why(tls, wrong), "tls-type")


def test_storage() -> None:
    local = obj("StorageClass", "local-path", volumeBindingMode="WaitForFirstConsumer")
    claim = obj(
        "PersistentVolumeClaim", "data", spec={"storageClassName": "fast", "accessModes": ["ReadWriteMany"]}, status={"phase": "Pending"}
    )
    assert "there is no StorageClass fast; there is local-path" in only(explain(world(claim, local), claim), "storage-class-missing")
    claim["spec"]["storageClassName"] = "local-path"
    only(explain(world(claim, local), claim), "waits-for-pod", terminal=False)
    refused = event(
        claim, "ProvisioningFailed", "failed to provision volume: NodePath only supports ReadWriteOnce and ReadWriteOncePod access modes"
    )
    assert "access mode ReadWriteMany" in only(explain(world(claim, local, refused), claim), "access-mode")


def test_nodes() -> None:
    down = node(ready=False)
    assert "not yet" in only(explain(world(down), down), "node-not-ready", terminal=False)
    down["status"]["conditions"][0].update(status="Unknown", reason="NodeStatusUnknown")
    only(explain(world(down), down), "node-silent")
    cordoned = node()
    cordoned["spec"]["unschedulable"] = True
    only(explain(world(cordoned), cordoned), "node-cordoned")
    cordoned["status"]["conditions"][0].update(status="False")
    only(explain(world(cordoned), cordoned), "node-not-ready", terminal=False)


def test_jobs() -> None:
    job = obj("Job", "once", spec={}, status={"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]})
    failed = pod("once-x", owner=job, ready=False, phase="Failed", state=terminated(2), spec={"restartPolicy": "Never"})
    why = explain(world(job, failed), job)
    assert {cause.slug for cause in why.causes} == {"crash-loop", "job-backoff"}


@pytest.mark.parametrize(
    ("reason", "message", "slug"),
    [
        ("ReadManifestFailed", "permission denied", "addon-unread"),
        ("ParseManifestFailed", "yaml: line 3: did not find expected key", "addon-invalid"),
        ("ValidateManifestFailed", "Object 'Kind' is missing", "addon-invalid"),
        ("ApplyManifestFailed", 'no matches for kind "Confmap"', "addon-refused"),
    ],
)
def test_an_addon_tells_what_k3s_said(reason: str, message: str, slug: str) -> None:
    addon = obj("Addon", "app", namespace="kube-system", spec={})
    assert message in only(explain(world(addon, event(addon, reason, message)), addon), slug)


def test_what_strangers_wrote_is_kept_short() -> None:
    one = pod(ready=False, phase="Pending", state=waiting("CreateContainerError", "x" * 10_000))
    assert len(only(why_pod(one), "create-error")) < 400


UNNAMED = "0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: not helpful."


@pytest.mark.parametrize(
    ("taint", "slug", "says"),
    [
        ({"key": "pool", "value": "gpu", "effect": "NoSchedule"}, "taint", "taint pool: gpu"),
        ({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}, "node-not-ready", "no node is ready"),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, "cordoned", "it is cordoned"),
    ],
)
def test_taints_that_the_scheduler_does_not_name_are_read_from_the_node(taint: Obj, slug: str, says: str) -> None:
    machine = node()
    machine["spec"] = {
        "taints": [
            {"key": "kind", "value": "soft", "effect": "PreferNoSchedule"},
            {"key": "own", "value": "a", "effect": "NoSchedule"},
            taint,
        ]
    }
    found = unschedulable(UNNAMED, spec={"tolerations": [{"key": "own", "operator": "Exists"}]})
    [cause] = explain(world(found, machine), found).causes
    assert (cause.slug, says in cause.sentence) == (slug, True), cause.sentence


def test_an_ingress_whose_host_another_one_leads_elsewhere() -> None:
    def one(name: str, host: str, to: str, namespace: str = "shop") -> Obj:
        backend = {"service": {"name": to, "port": {"number": 80}}}
        rules = [{"host": host, "http": {"paths": [{"path": "/", "backend": backend}]}}]
        return obj("Ingress", name, namespace=namespace, spec={"ingressClassName": "traefik", "rules": rules})

    mine, services = one("web", "shop.example", "web"), [service("web", selector={}), service("other", selector={})]
    beside = [one("cart", "cart.example", "other"), one("same", "shop.example", "web")]
    assert not {"host-taken"} & {cause.slug for cause in explain(world(mine, *services, *beside), mine).causes}
    causes = explain(world(mine, *services, one("theirs", "shop.example", "other", "default")), mine).causes
    assert "Ingress theirs in namespace default leads shop.example/ elsewhere" in " ".join(cause.sentence for cause in causes)


def test_pods_that_a_rollout_replaces_explain_nothing() -> None:
    bad = [container(image="course/web:9")]
    web = deployment(replicas=1, status={"replicas": 2, "updatedReplicas": 1})
    old, new = replica_set(web, 1, 1), replica_set(web, 1, 2)
    stuck = pod("web-old", old, ready=False, phase="Pending", containers=bad, state=waiting("ImagePullBackOff"))
    starting = pod("web-new", new, ready=False, phase="Pending", state=waiting("ContainerCreating"))
    only(explain(world(web, old, new, stuck, starting, node()), web), "creating", terminal=False)
    assert explain(world(web, old, new, stuck, starting, node()), stuck).causes == ()
    also = pod("web-new", new, ready=False, phase="Pending", containers=bad, state=waiting("ImagePullBackOff"))
    only(explain(world(web, old, new, stuck, also, node()), web), "image-tag")


@pytest.mark.parametrize(
    ("reason", "message", "slug", "there"),
    [
        ("waiting", 'configmap "app" not found', "config-missing", obj("ConfigMap", "app", data={})),
        ("waiting", 'secret "app" not found', "config-missing", obj("Secret", "app", data={})),
        ("waiting", "couldn't find key size in ConfigMap shop/app", "config-key-missing", obj("ConfigMap", "app", data={"size": "1"})),
        ("FailedMount", 'MountVolume.SetUp failed: configmap "app" not found', "mount-config-missing", obj("ConfigMap", "app", data={})),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "app" : references non-existent config key: size',
            "mount-key-missing",
            obj("ConfigMap", "app", data={"size": "1"}),
        ),
    ],
)
def test_what_was_missing_and_is_there_now_is_found_at_the_next_try(reason: str, message: str, slug: str, there: Obj) -> None:
    state = waiting("CreateContainerConfigError", message) if reason == "waiting" else waiting("ContainerCreating")
    one = pod(ready=False, phase="Pending", state=state, spec={"volumes": [{"name": "app", "configMap": {"name": "app"}}]})
    events = [] if reason == "waiting" else [event(one, reason, message)]
    only(why_pod(one, events), slug)
    assert "mended since" in only(why_pod(one, events, there), slug, terminal=False)
    if "size" in message:
        only(why_pod(one, events, obj("ConfigMap", "app", data={"colour": "red"})), slug)


def test_a_namespace_made_last_is_found_when_the_container_is_started_again() -> None:
    one = pod(ready=False, state=waiting("CrashLoopBackOff"), lastState=terminated(1), restartCount=3)
    said = 'Error: INSTALLATION FAILED: create: failed to create: namespaces "shop-hello" not found'
    log = ContainerLog(namespace=NAMESPACE, pod="web-1", container="web", lines=["Installing helm chart", said], previous=True)
    only(why_pod(one, logs=(log,)), "namespace-missing")
    only(why_pod(one, namespaces("shop-hello"), logs=(log,)), "namespace-missing", terminal=False)


def test_a_claim_and_a_class_that_were_missing() -> None:
    one = unschedulable('0/1 nodes are available: persistentvolumeclaim "data" not found.')
    claim = obj("PersistentVolumeClaim", "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    only(why_pod(one, claim), "claim-missing", terminal=False)
    local, fast = (obj("StorageClass", name, volumeBindingMode="WaitForFirstConsumer") for name in ("local-path", "fast"))
    refused = event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    only(explain(world(claim, local, refused), claim), "storage-class-missing")
    only(explain(world(claim, local, fast, refused), claim), "storage-class-missing", terminal=False)


def test_what_the_scheduler_said_before_a_node_was_changed_may_not_hold_any_more() -> None:
    one, machine = unschedulable("1 node(s) were unschedulable"), node()
    found = world(one, machine)
    only(explain(found, one), "cordoned")
    found.evidence.cluster.kinds["Node"].changed[machine["metadata"]["uid"]] = NOW - 1
    only(explain(found, one), "cordoned", terminal=False)
    machine["spec"] = {"taints": [{"key": "maintenance", "effect": "NoSchedule"}]}
    only(explain(found, one), "cordoned")
    machine["spec"] = {"unschedulable": True}
    only(explain(found, one), "cordoned")


def test_a_quota_that_has_just_been_changed_is_tried_again() -> None:
    web = deployment(status={"observedGeneration": 2})
    sets, budget = replica_set(web), obj("ResourceQuota", "budget", spec={})
    refused = event(sets, "FailedCreate", "exceeded quota: budget, requested: pods=1, used: pods=2, limited: pods=2")
    found = world(web, sets, refused, budget)
    only(explain(found, web), "quota")
    found.evidence.cluster.kinds["ResourceQuota"].changed[budget["metadata"]["uid"]] = NOW - 1
    only(explain(found, web), "quota", terminal=False)


def test_a_node_whose_k3s_has_just_started_is_silent_for_a_moment() -> None:
    silent = node("edge1")
    silent["status"]["conditions"][0].update(status="Unknown", reason="NodeStatusUnknown")
    for seconds, lasting in ((600, True), (3, False)):
        machine = machine_state(units={"k3s-agent": UnitState(load="loaded", active="active", since=NOW - seconds)})
        only(explain(world(silent, nodes={"edge1": machine}), silent), "node-silent", terminal=lasting)


def test_a_pod_of_servicelb_for_another_port_than_the_service_has_now() -> None:
    web = service(spec={"type": "LoadBalancer"})
    marks = {"svccontroller.k3s.cattle.io/svcname": "web", "svccontroller.k3s.cattle.io/svcnamespace": NAMESPACE}
    taken = "1 node(s) didn't have free ports for the requested pod ports"
    for port, slug, terminal in ((81, "load-balancer-pending", False), (80, "port-taken", True)):
        keeper = unschedulable(taken, labels=marks, containers=[container(ports=[{"containerPort": port, "hostPort": port}])])
        only(explain(world(web, pod(), keeper, node()), web), slug, terminal=terminal)
