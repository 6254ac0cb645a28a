"""The faults whose Evidence is kept in tests/unit/grade/evidence: one namespace each, made for real in a lab 03.

python -m tests.faults > faults.json && lab kubectl apply -f faults.json
lab check --no-wait --no-disturb --save-evidence faults.json.gz        # a minute later, when the probes have failed often enough

`python -m tests.faults more` makes those of more-faults.json.gz, in a lab 03 of their own; then `kubectl delete pod held -n finalizer --wait=false`, and
MANIFESTS go to the server's folder of manifests. policy.json.gz has `… policy` only,
applied twice: a policy holds a few seconds after it was made. taint.json.gz and cordoned.json.gz are of a fresh lab whose node was tainted (`kubectl taint node server
pool=gpu:NoSchedule`) and cordoned before `python -m tests.faults taint` and `… cordoned`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

Obj = dict[str, Any]
BUSYBOX = "k3s-standin/busybox:1"


def make(kind: str, name: str, api: str = "v1", **parts: Any) -> Obj:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **parts}


def web(replicas: int = 1, *, spec: Obj | None = None, pod: Obj | None = None, labels: Obj | None = None, **container: Any) -> Obj:
    """A Deployment of one container; `container` is what is wrong with it."""
    own = {"name": "web", "image": "course/web:1", **container}
    # Without this, a Service named web sets WEB_PORT in pods that start after it.
    template = {"containers": [own], "terminationGracePeriodSeconds": 1, "enableServiceLinks": False, **(pod or {})}
    all_labels = {"app": "web", **(labels or {})}
    return make(
        "Deployment",
        "web",
        "apps/v1",
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": all_labels}, "spec": template},
            **(spec or {}),
        },
    )


def service(selector: Obj | None = None, target: Any = 8080) -> Obj:
    return make("Service", "web", spec={"selector": selector or {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]})


def ingress(ingress_class: str | None = "traefik", port: int = 80, to: str = "web", host: str = "shop.example", **spec: Any) -> Obj:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": to, "port": {"number": port}}}}
    rules = [{"host": host, "http": {"paths": [path]}}]
    return make("Ingress", "web", "networking.k8s.io/v1", spec={"ingressClassName": ingress_class, "rules": rules, **spec})


def claim(storage_class: str = "local-path", mode: str = "ReadWriteOnce") -> Obj:
    spec = {"accessModes": [mode], "storageClassName": storage_class, "resources": {"requests": {"storage": "1Mi"}}}
    return make("PersistentVolumeClaim", "data", spec=spec)


def config(**data: str) -> Obj:
    return make("ConfigMap", "app", data=data)


def mounts(volume: Obj, path: str = "/c", **mount: Any) -> Obj:
    """Arguments for `web`: it mounts this volume."""
    return {"pod": {"volumes": [{"name": "c", **volume}]}, "volumeMounts": [{"name": "c", "mountPath": path, **mount}]}


def job(**spec: Any) -> Obj:
    container = {"name": "web", "image": "course/web:1", "args": spec.pop("args", [])}
    return make("Job", "once", "batch/v1", spec={**spec, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}})


def env_from(kind: str, name: str, key: str) -> Obj:
    return {"env": [{"name": "A", "valueFrom": {kind: {"name": name, "key": key}}}]}


def asks(path: str, port: int, **more: Any) -> Obj:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, **more}


HTTP = {"ports": [{"containerPort": 8080, "name": "http"}]}
DISK = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}
APART = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
CLAIMED = mounts({"persistentVolumeClaim": {"claimName": "data"}})
CONFIGURED = mounts({"configMap": {"name": "app"}})
WRONG_KEY = {"configMap": {"name": "app", "items": [{"key": "colour", "path": "x"}]}}

FAULTS: dict[str, list[Obj]] = {
    "image-tag": [web(image="course/web:9")],
    "image-name": [web(image="course/wbe:1")],
    "image-name-invalid": [web(image="Course/Web:1")],
    "registry-unreachable": [web(image="redis:7")],
    "image-never-pull": [web(image="redis:7", imagePullPolicy="Never")],
    "config-missing": [web(**env_from("configMapKeyRef", "app", "a"))],
    "secret-missing": [web(**env_from("secretKeyRef", "db", "a"))],
    "config-key-missing": [config(color="red"), web(**env_from("configMapKeyRef", "app", "colour"))],
    "secret-key-missing": [
        make("Secret", "db", stringData={"password": "x-y-z-secret"}),
        web(**env_from("secretKeyRef", "db", "passwort")),
    ],
    "envfrom-missing": [web(envFrom=[{"configMapRef": {"name": "app"}}])],
    "mount-config-missing": [web(**CONFIGURED)],
    "mount-key-missing": [config(color="red"), web(**mounts(WRONG_KEY))],
    "mount-kind": [config(a="b"), web(**mounts({"configMap": {"name": "app"}}, "/etc", subPath="a"))],
    "runs-as-root": [web(securityContext={"runAsNonRoot": True, "runAsUser": 0})],
    "command-not-found": [web(command=["serv"])],
    "ends-by-itself": [web(args=["--help"])],
    "crash-loop": [web(env=[{"name": "WEB_REQUIRE_ENV", "value": "MODE"}])],
    "init-crash": [web(pod={"initContainers": [{"name": "prepare", "image": "course/web:1", "args": ["--port=x"]}]})],
    "oom-killed": [web(image=BUSYBOX, command=["sh", "-c", "a=x; while :; do a=$a$a; done"], resources={"limits": {"memory": "16Mi"}})],
    "liveness-probe": [web(livenessProbe=asks("/", 81, failureThreshold=1))],
    "probe-port": [web(**HTTP, readinessProbe=asks("/readyz", 81))],
    "probe-path": [web(args=["--path=/shop"], readinessProbe=asks("/redy", 8080))],
    "probe-command": [web(readinessProbe={"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1})],
    "probe-port-no-progress": [web(**HTTP, readinessProbe=asks("/", 81), spec={"progressDeadlineSeconds": 5})],
    "insufficient-cpu": [web(resources={"requests": {"cpu": "64"}})],
    "insufficient-memory": [web(resources={"requests": {"memory": "500Gi"}})],
    "node-selector": [web(pod={"nodeSelector": {"disk": "fast"}})],
    "node-affinity": [web(pod={"affinity": {"nodeAffinity": {REQUIRED: DISK}}})],
    "anti-affinity": [web(2, pod={"affinity": {"podAntiAffinity": {REQUIRED: [APART]}}})],
    "port-taken": [web(2, ports=[{"containerPort": 8080, "hostPort": 18080}])],
    "claim-missing": [web(**CLAIMED)],
    "claim-unbound": [claim("fast"), web(**CLAIMED)],
    "access-mode": [claim(mode="ReadWriteMany"), web(**CLAIMED)],
    "storage-class-missing": [claim("fast")],
    "waits-for-pod": [claim()],
    "quota": [make("ResourceQuota", "tight", spec={"hard": {"pods": "1"}}), web(3)],
    "quota-needs": [make("ResourceQuota", "tight", spec={"hard": {"limits.cpu": "1"}}), web()],
    "limit-range": [
        make("LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"cpu": "100m"}}]}),
        web(resources={"limits": {"cpu": "2"}}),
    ],
    "pod-security": [web()],
    "service-account-missing": [web(pod={"serviceAccountName": "robot"})],
    "paused": [web(spec={"paused": True})],
    "scaled-to-zero": [web(0)],
    "job-backoff": [job(backoffLimit=0, args=["--port=x"])],
    "job-deadline": [job(activeDeadlineSeconds=2)],
    "selector-matches-no-pod": [web(), service({"app": "wbe"})],
    "selector-other-namespace": [service({"tier": "only-there"})],
    "elsewhere": [web(labels={"tier": "only-there"})],
    "target-port": [web(**HTTP), service(target=80)],
    "target-port-name": [web(**HTTP), service(target="htpp")],
    "class-unknown": [web(), service(), ingress("nginx")],
    "class-missing": [web(), service(), ingress(None)],
    "backend-missing": [web(), service(), ingress(to="wbe")],
    "backend-port": [web(), service(), ingress(port=8080)],
    "tls-missing": [web(), service(), ingress(tls=[{"secretName": "cert"}])],
    "tls-type": [
        make("Secret", "cert", type="Opaque", stringData={"tls.crt": "x", "tls.key": "y"}),
        web(),
        service(),
        ingress(tls=[{"secretName": "cert"}]),
    ],
}


def bare(name: str = "web", *, spec: Obj | None = None, metadata: Obj | None = None, **container: Any) -> Obj:
    """A pod that nobody owns."""
    own = {"name": "web", "image": "course/web:1", **container}
    made = make("Pod", name, spec={"containers": [own], "terminationGracePeriodSeconds": 1, "enableServiceLinks": False, **(spec or {})})
    return {**made, "metadata": {**made["metadata"], **(metadata or {})}}


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ASKS_FOR_PODS = (
    f'curl --silent --cacert {ACCOUNT}/ca.crt --header "Authorization: Bearer $(cat {ACCOUNT}/token)" '
    "https://kubernetes.default.svc/api/v1/namespaces/default/pods; exit 1"
)
ADMISSION = "admissionregistration.k8s.io/v1"
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def only_in(namespace: str) -> Obj:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


MORE_FAULTS: dict[str, list[Obj]] = {
    "command-not-executable": [web(command=["/etc/passwd"])],
    "exit-127": [web(command=shell("serv"))],
    "rbac-denied": [web(image="course/tools:1", command=shell(ASKS_FOR_PODS))],
    "probe-timeout": [web(image="course/tools:1", command=["nc", "-lk", "8080"], readinessProbe=asks("/", 8080, timeoutSeconds=1))],
    "pod-deadline": [bare(spec={"activeDeadlineSeconds": 2})],
    "evicted": [
        bare(
            image="course/tools:1",
            command=shell("head -c 8000000 /dev/zero > /c/file; sleep 1000"),
            volumeMounts=[{"name": "c", "mountPath": "/c"}],
            spec={"volumes": [{"name": "c", "emptyDir": {"sizeLimit": "1Mi"}}]},
        )
    ],
    "finalizer": [bare("held", metadata={"finalizers": ["example.org/hold"]})],
    "webhook-unreachable": [
        make(
            "ValidatingWebhookConfiguration",
            "asks-nobody",
            ADMISSION,
            webhooks=[
                {
                    "name": "pods.example.org",
                    "rules": [PODS],
                    "namespaceSelector": only_in("webhook-unreachable"),
                    "clientConfig": {"service": {"name": "hook", "namespace": "webhook-unreachable"}},
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        ),
        web(),
    ],
    "job-failed": [
        job(
            args=["--port=x"],
            podFailurePolicy={"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]},
        )
    ],
    "selector-none": [make("Service", "web", spec={"ports": [{"port": 80}]})],
    "load-balancer-port-taken": [
        web(),
        make("Service", "web", spec={"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}),
    ],
    "backend-other-namespace": [ingress(to="web", host="lonely.example")],
    "host-taken": [
        web(),
        service(),
        ingress(host="taken.example"),
        {**service(), "metadata": {"name": "other"}},
        {**ingress(to="other", host="taken.example"), "metadata": {"name": "other"}},
    ],
}
POLICY: dict[str, list[Obj]] = {
    "policy-denied": [
        make(
            "ValidatingAdmissionPolicy",
            "no-pods-here",
            ADMISSION,
            spec={
                "matchConstraints": {"resourceRules": [PODS], "namespaceSelector": only_in("policy-denied")},
                "validations": [{"expression": "false", "message": "pods need an owner label"}],
            },
        ),
        make(
            "ValidatingAdmissionPolicyBinding",
            "no-pods-here",
            ADMISSION,
            spec={"policyName": "no-pods-here", "validationActions": ["Deny"]},
        ),
        web(),
    ],
}
TAINT: dict[str, list[Obj]] = {"taint": [web()]}
CORDONED: dict[str, list[Obj]] = {"cordoned": [web()]}
WITHOUT_NAMESPACE = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration")
MANIFESTS = {
    "addon-invalid.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n",
    "addon-refused.yaml": "apiVersion: v1\nkind: Confmap\nmetadata: {name: a}\n",
}
DOCUMENTS = {"": FAULTS, "more": MORE_FAULTS, "policy": POLICY, "taint": TAINT, "cordoned": CORDONED}


def objects(document: str = "") -> Iterator[Obj]:
    """Every fault's namespace and what is in it."""
    for name, made in DOCUMENTS[document].items():
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if name == "pod-security" else {}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for one in made:
            scope = {} if one["kind"] in WITHOUT_NAMESPACE else {"namespace": name}
            yield {**one, "metadata": {**one["metadata"], **scope}}


if __name__ == "__main__":
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects(*sys.argv[1:2]))}))
