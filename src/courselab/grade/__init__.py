"""Grading: what a chapter's checker is written with.

    from courselab.grade import ANY, at_least, check, diagnose, expect, fact, fail, image, partial, probe

    @check("02.deploy", reads=["Deployment", "Pod"])
    def deploy(cluster, params):
        web = cluster.get("Deployment", "web", namespace=params.namespace)
        expect(web).matches({"spec": {"replicas": 3}, "status": {"availableReplicas": at_least(3)}})

    @diagnose("02.deploy", "image-typo")
    def image_typo(cluster, params):
        ...                                     # one sentence, or None

What a function is given, by argument name (all of it is frozen Evidence; only a probe's `lab` and a fact's `host` are live):

`cluster`
    .get(kind, name, namespace="default")        the object, a plain dict as kubectl shows it. If it is not there the check fails
                                                 with the namespaces where one is, and the names that look alike.
    .find(kind, name, namespace="default")       the same, or None.
    .list(kind, namespace=None, labels=None)     a list; None means all namespaces; labels: {"app": "web"} or a selector string.
    .rely(obj)                                   says that the check stands on an object that it found in a list: like one read
                                                 with get or find, it must have settled (rolled out, not being deleted) to pass.
    .pods_of(obj)                                pods of a Deployment, ReplicaSet, StatefulSet, DaemonSet or Job (through the
                                                 owners), or the pods that a Service selects; dying pods are left out.
    .owned_by(obj, kind)                         objects of that kind whose controller is obj.
    .endpoints_of(service)                       its ready addresses: [{"ip", "port", "name", "pod", "node"}].
    .events_of(obj)                              newest first.
    .log_of(pod, container=None)                 last lines of a container that crashed or is not ready (collected for those only).
    .images(node=None)                           image names that the nodes have.
    .typed(obj)                                  the official kubernetes client's model of it.
    .reachable                                   False: the machine answers, its Kubernetes does not. Reading then fails by itself,
                                                 and says what the unit and its last log lines say.
    A kind that is not in `reads` raises, and names the fix.

`nodes["server"]`                                names as in lab.yaml
    .unit("k3s")                                 .active .sub .enabled .since (Unix seconds) .restarts .result .log (last 20 lines)
    .file("/etc/rancher/k3s/config.yaml")        .exists .text .mode ("600") .owner .group .size .modified; .yaml() .json() .lines()
    .port(8081)                                  .listening .address
    .sysctl("net.ipv4.ip_forward")               "1"
    .k3s                                         .version .config (config.yaml with config.yaml.d merged as K3s does)
    .fact("tls_sans")                            what that @fact function returned
    Files, units and sysctls beyond K3s's own are named in lab.yaml (`collect`).

`probes["02.replacement"]`                       what that @probe function returned
`params.namespace`, `params["namespace"]`        this student's values

Values that are secret (Secret data, passwords in env, tokens) are never in Evidence in clear. Compare them with `expect`: it
compares keyed hashes, and says "ends with a newline" or "is base64 of base64" where that is the difference.
"""

from __future__ import annotations

from courselab.grade.authors import CheckerMistake, Failure, check, diagnose, fact, fail, partial, probe
from courselab.grade.expect import (
    ABSENT,
    ANY,
    Expectation,
    Predicate,
    all_of,
    at_least,
    at_most,
    between,
    condition,
    contains,
    duration,
    each,
    exactly,
    expect,
    image,
    length,
    not_,
    one_of,
    quantity,
    regex,
    where,
)
from courselab.grade.placement import may_run_on, patience_s, refusals, requires, tolerations

__all__ = [
    "ABSENT",
    "ANY",
    "CheckerMistake",
    "Expectation",
    "Failure",
    "Predicate",
    "all_of",
    "at_least",
    "at_most",
    "between",
    "check",
    "condition",
    "contains",
    "diagnose",
    "duration",
    "each",
    "exactly",
    "expect",
    "fact",
    "fail",
    "image",
    "length",
    "may_run_on",
    "not_",
    "one_of",
    "partial",
    "patience_s",
    "probe",
    "quantity",
    "refusals",
    "regex",
    "requires",
    "tolerations",
    "where",
]
