"""Chapter 08, Access for a teammate: what an account may do, what it may not, and whether its kubeconfig is of use elsewhere."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from courselab.grade import check, diagnose, fact, fail, partial, probe
from courselab.grade.plain_yaml import NotYaml, read_yaml
from courselab.grade.redacted import MARK, is_redacted

SHOP, TILL = "shop", "till"
ELSEWHERE = ("accounts", "default", "kube-system")
MASTERS = "system:masters"
DAY_S = 24 * 3600
SLACK_S = 60  # a token's times are rounded
JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{8,}")
LOOPBACK = ("localhost", "::1", "0.0.0.0")  # noqa: S104 names in a file, nothing listens
HTTPS_PORT, NOT_ASKED = 443, -1
OTHER_KEYS = (
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "tokenFile",
    "username",
    "password",
    "exec",
    "auth-provider",
)
KINDS_TO_CHANGE = (
    "pods",
    "secrets",
    "configmaps",
    "services",
    "serviceaccounts",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "ingresses.networking.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
)
READY_MADE = ("cluster-admin", "admin", "edit")

Obj = dict[str, Any]


# Who it is ------------------------------------------------------------------------------------------------------------------


def account_name(namespace: str, name: str) -> str:
    """A ServiceAccount's name as a user."""
    return f"system:serviceaccount:{namespace}:{name}"


def groups_of(namespace: str) -> list[str]:
    """The groups of every ServiceAccount of a namespace."""
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]


def is_person(subject: Obj, params: Any) -> bool:
    """Whether a binding's subject is the account itself."""
    return account_of(subject) == (params.namespace, params.person)


def account_of(subject: Obj) -> tuple[str, str]:
    """Namespace and name of the ServiceAccount that a subject is, also as a user; ("", "") of another one."""
    if subject.get("kind") == "ServiceAccount":
        return subject.get("namespace", ""), subject.get("name", "")
    full = re.fullmatch(r"system:serviceaccount:([^:]+):([^:]+)", subject.get("name", "")) if subject.get("kind") == "User" else None
    return (full[1], full[2]) if full else ("", "")


def reaches(binding: Obj, params: Any) -> bool:
    """Whether a binding is for the account, by itself or by a group that it is in."""
    subjects = binding.get("subjects") or []
    return any(
        is_person(one, params) or (one.get("kind") == "Group" and one.get("name") in groups_of(params.namespace)) for one in subjects
    )


def own_bindings(cluster: Any, params: Any) -> list[Obj]:
    """The RoleBindings of the namespace that name the account."""
    return [
        one
        for one in cluster.list("RoleBinding", namespace=params.namespace)
        if any(is_person(s, params) for s in one.get("subjects") or [])
    ]


def role_of(cluster: Any, binding: Obj) -> Obj | None:
    """The Role or ClusterRole that a binding refers to; None if it is not there."""
    reference = binding["roleRef"]
    if reference["kind"] == "ClusterRole":
        return cluster.find("ClusterRole", reference["name"])
    return cluster.find("Role", reference["name"], namespace=binding["metadata"].get("namespace", ""))


def rules_of(cluster: Any, params: Any) -> list[Obj]:
    """The rules that the account gets in the namespace from RoleBindings of its own."""
    roles = [role_of(cluster, one) for one in own_bindings(cluster, params)]
    return [rule for role in roles if role for rule in role.get("rules") or []]


def title(obj: Obj) -> str:
    """A role or binding in a sentence."""
    return f"{obj['kind']} {obj['metadata']['name']}"


# 08.account -----------------------------------------------------------------------------------------------------------------


@check("08.account", reads=["ServiceAccount"])
def account(cluster: Any, params: Any) -> None:
    cluster.get("ServiceAccount", params.person, namespace=params.namespace)


@diagnose("08.account", "other-namespace")
def account_in_other_namespace(cluster: Any, params: Any) -> str | None:
    for one in cluster.list("ServiceAccount"):
        namespace = one["metadata"]["namespace"]
        if one["metadata"]["name"] == params.person:
            return f"ServiceAccount {params.person} is in namespace {namespace}. One of the same name in {params.namespace} is another account."
    return None


@diagnose("08.account", "other-name")
def account_of_other_name(cluster: Any, params: Any) -> str | None:
    names = [one["metadata"]["name"] for one in cluster.list("ServiceAccount", namespace=params.namespace)]
    others = [name for name in names if name not in ("default", TILL)]
    return f"There is ServiceAccount {others[0]}. The task asks for {params.person}." if others else None


# What it may do -------------------------------------------------------------------------------------------------------------


def question(text: str, namespace: str = "", name: str = "") -> tuple[str, Obj]:
    """A question as kubectl auth can-i takes it ("get pods/log", "patch deployments.apps"), and as the API does."""
    verb, _, what = text.partition(" ")
    what, _, subresource = what.partition("/")
    resource, _, group = what.partition(".")
    attributes = {"verb": verb, "resource": resource, "group": group, "subresource": subresource, "namespace": namespace, "name": name}
    return f"{text}{f' {name}' if name else ''}", {key: value for key, value in attributes.items() if value}


def questions(params: Any) -> dict[str, dict[str, Obj]]:
    """All that is asked, by the part of the task it belongs to: for the account, but what is below "till"."""
    here = params.namespace
    looks = [
        "get pods",
        "list pods",
        "watch pods",
        "get pods/log",
        "get deployments.apps",
        "list deployments.apps",
        "watch deployments.apps",
    ]
    secrets = ["get secrets", "list secrets", "watch secrets"]
    others = ["patch deployments.apps", "update deployments.apps", "patch deployments.apps/scale", "update deployments.apps/scale"]
    changes = [*(f"{verb} {kind}" for kind in KINDS_TO_CHANGE for verb in ("create", "patch", "update", "delete")), "create deployments.apps",
               "delete deployments.apps", "deletecollection pods", "deletecollection deployments.apps", "deletecollection secrets",
               "create pods/exec", "impersonate serviceaccounts"]  # fmt: skip
    elsewhere = [
        (text, namespace) for namespace in ELSEWHERE for text in ("list pods", "list deployments.apps", "get secrets", "get configmaps")
    ]
    return {
        "look": dict(question(text, here) for text in looks),
        "restart": dict([question("get deployments.apps", here, SHOP), question("patch deployments.apps", here, SHOP)]),
        "others": dict([*(question(text, here, TILL) for text in others), question("patch deployments.apps", here)]),
        "secrets": dict([*(question(text, here) for text in secrets), question("get secrets", here, TILL)]),
        "elsewhere": {f"{text} in {namespace}": question(text, namespace)[1] for text, namespace in elsewhere}
        | {
            f"patch deployments.apps {SHOP} in {namespace}": question("patch deployments.apps", namespace, SHOP)[1]
            for namespace in ELSEWHERE
        },
        "nodes": dict([question("list nodes"), question("get nodes"), question("get nodes/proxy")]),
        "changes": dict([*(question(text, here) for text in changes), question("create serviceaccounts/token", here, TILL)]),
        "till": dict([question("get secrets", here, TILL)]),
    }


@probe("08.may", effect="observe", deadline_s=15)
def ask_what_it_may(lab: Any, params: Any) -> Obj:
    """What the API server answers to each question: whether, and by which binding."""
    person, till = (account_name(params.namespace, name) for name in (params.person, TILL))
    return {
        part: {text: answer(lab, till if part == "till" else person, attributes, params) for text, attributes in asked.items()}
        for part, asked in questions(params).items()
    }


def answer(lab: Any, user: str, attributes: Obj, params: Any) -> Obj:
    """One SubjectAccessReview: {"allowed", "reason"}."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "groups": groups_of(params.namespace), "resourceAttributes": attributes},
    }
    status = lab.create(review).get("status") or {}
    return {"allowed": bool(status.get("allowed")), "reason": str(status.get("reason", ""))[:300]}


def denied(answers: Obj) -> list[str]:
    """The questions to which the answer is no."""
    return [text for text, one in answers.items() if not one["allowed"]]


def allowed(answers: Obj) -> list[str]:
    """The questions to which the answer is yes."""
    return [text for text, one in answers.items() if one["allowed"]]


def must_be_allowed(answers: Obj, params: Any, about: Any = None) -> None:
    """Fail unless the account may do all of it."""
    if missing := denied(answers):
        fail(
            f"The account may not {missing[0]}",
            expected=", ".join(answers),
            actual=f"not allowed: {', '.join(missing)}",
            about=about,
            next=can_i(missing[0], params),
        )


def must_be_denied(answers: Obj, params: Any) -> None:
    """Fail unless the account may do nothing of it."""
    if beyond := allowed(answers):
        fail(
            f"the account may {beyond[0]}",
            expected="not allowed",
            actual=f"allowed: {', '.join(beyond[:6])}; {answers[beyond[0]]['reason'].removeprefix('RBAC: ')}",
            next=can_i(beyond[0], params),
        )


def can_i(text: str, params: Any) -> str:
    """The command that asks the same."""
    asked, _, namespace = text.partition(" in ")
    verb, what, *name = asked.split()
    what, _, subresource = what.partition("/")
    words = ["kubectl auth can-i", verb, "/".join([what, *name])]
    words += [f"--subresource={subresource}"] if subresource else []
    return " ".join([*words, f"--as={account_name(params.namespace, params.person)} -n {namespace or params.namespace}"])


def refused(failure: Any, resource: str) -> set[str]:
    """The verbs for a resource without which a check failed: refused(failure, "pods/log") is {"get"}."""
    kind, _, texts = failure.actual.partition(": ")
    asked = [text.split() for text in texts.split(", ")] if kind == "not allowed" else []
    return {verb for verb, what, *_ in asked if what in (resource, f"{resource}.apps")}


def gives(rule: Obj, verbs: set[str]) -> bool:
    """Whether one of these verbs is among a rule's."""
    return bool(verbs and {*verbs, "*"} & set(rule.get("verbs") or []))


def helpful_bindings(cluster: Any, params: Any, failure: Any) -> list[Obj]:
    """The RoleBindings of the namespace that give somebody what a check failed for."""
    return [one for one in cluster.list("RoleBinding", namespace=params.namespace) if would_help(role_of(cluster, one), failure)]


def would_help(role: Obj | None, failure: Any) -> bool:
    """Whether a role gives something without which a check failed; one that is not there may."""
    named = [(rule, resource) for rule in (role or {}).get("rules") or [] for resource in rule.get("resources") or []]
    return role is None or any(resource == "*" or gives(rule, refused(failure, resource)) for rule, resource in named)


RBAC = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]


# 08.look --------------------------------------------------------------------------------------------------------------------


@check("08.look", needs=["08.account"], reads=RBAC, probes=["08.may"])
def look(cluster: Any, probes: Any, params: Any) -> None:
    must_be_allowed(probes["08.may"]["look"], params)


@diagnose("08.look", "subject-namespace")
@diagnose("08.restart", "subject-namespace")
def subject_of_other_namespace(cluster: Any, params: Any, failure: Any) -> str | None:
    for binding in helpful_bindings(cluster, params, failure):
        for subject in binding.get("subjects") or []:
            namespace, name = account_of(subject)
            if name == params.person and namespace != params.namespace:
                return f"{title(binding)} is for ServiceAccount {params.person} of namespace {namespace}. The account is in {params.namespace}."
    return None


@diagnose("08.look", "subject-kind")
@diagnose("08.restart", "subject-kind")
def subject_of_other_kind(cluster: Any, params: Any, failure: Any) -> str | None:
    for binding in helpful_bindings(cluster, params, failure):
        for subject in binding.get("subjects") or []:
            last = subject.get("name", "").rpartition(":")[2]
            if subject.get("kind") in ("User", "Group") and last == params.person and not is_person(subject, params):
                kind = subject["kind"]
                return f"{title(binding)} is for a {kind} of the name {subject['name']}. A ServiceAccount is another kind of subject, even if it has this name."
    return None


@diagnose("08.look", "role-missing")
@diagnose("08.restart", "role-missing")
def role_missing(cluster: Any, params: Any) -> str | None:
    for binding in own_bindings(cluster, params):
        if role_of(cluster, binding) is None:
            kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
            there = ", ".join(one["metadata"]["name"] for one in cluster.list("Role", namespace=params.namespace)) or "none"
            return f"{title(binding)} refers to {kind} {name}, which is not there. Roles of this namespace: {there}."
    return None


@diagnose("08.look", "binding-namespace")
@diagnose("08.restart", "binding-namespace")
def binding_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if own_bindings(cluster, params):
        return None
    for binding in cluster.list("RoleBinding"):
        namespace = binding["metadata"]["namespace"]
        if namespace != params.namespace and any(is_person(one, params) for one in binding.get("subjects") or []):
            return f"{title(binding)} is in namespace {namespace}, so what it gives is given there, and not in {params.namespace}."
    return None


@diagnose("08.look", "no-binding")
@diagnose("08.restart", "no-binding")
def role_without_binding(cluster: Any, params: Any) -> str | None:
    roles = [one["metadata"]["name"] for one in cluster.list("Role", namespace=params.namespace) if one["metadata"]["name"] != TILL]
    if own_bindings(cluster, params) or not roles:
        return None
    return f"Role {roles[0]} is there, and no RoleBinding of this namespace gives it to {params.person}."


@diagnose("08.look", "api-group")
@diagnose("08.restart", "api-group")
def deployments_of_other_group(cluster: Any, params: Any, failure: Any) -> str | None:
    for rule in rules_of(cluster, params):
        named = "deployments" in (rule.get("resources") or []) and gives(rule, refused(failure, "deployments"))
        groups = rule.get("apiGroups") or []
        if named and "apps" not in groups and "*" not in groups:
            shown = ", ".join(group or '""' for group in groups)
            return f"A rule names deployments in API group {shown}. They are in group apps: `kubectl api-resources` shows it."
    return None


@diagnose("08.look", "resource-name")
@diagnose("08.restart", "resource-name")
def resource_misspelt(cluster: Any, params: Any, failure: Any) -> str | None:
    wrong = {"pod": "pods", "Pod": "pods", "Pods": "pods", "log": "pods/log", "logs": "pods/log", "pod/log": "pods/log", "pods/logs": "pods/log",
             "deployment": "deployments", "Deployment": "deployments", "Deployments": "deployments", "deployments/shop": "deployments"}  # fmt: skip
    for rule in rules_of(cluster, params):
        for resource in rule.get("resources") or []:
            if resource in wrong and gives(rule, refused(failure, wrong[resource])):
                return f"A rule names {resource}. The API calls it {wrong[resource]}, and takes every other word without a complaint."
    return None


@diagnose("08.look", "resource-names")
def list_of_named_objects(cluster: Any, params: Any, failure: Any) -> str | None:
    for rule in rules_of(cluster, params):
        names = rule.get("resourceNames") or []
        for resource in {"pods", "deployments"} & set(rule.get("resources") or []):
            if names and "list" in refused(failure, resource) and gives(rule, {"list"}):
                return f"The rule for {resource} has resourceNames ({', '.join(names)}). A list is not one object: it is refused where names are given."
    return None


@diagnose("08.look", "logs")
def logs_left_out(probes: Any) -> str | None:
    if denied(probes["08.may"]["look"]) != ["get pods/log"]:
        return None
    return "Logs are a part of their own, pods/log: who may read pods may not read their logs for that."


@diagnose("08.look", "verb-missing")
def look_verb_missing(probes: Any) -> str | None:
    missing = denied(probes["08.may"]["look"])
    verbs = {text.partition(" ")[0] for text in missing}
    if len(missing) == len(probes["08.may"]["look"]) or not verbs < {"get", "list", "watch"}:
        return None
    return f"The verb {' and '.join(sorted(verbs))} is missing for {', '.join(sorted({text.partition(' ')[2] for text in missing}))}."


# 08.restart -----------------------------------------------------------------------------------------------------------------


@check("08.restart", needs=["08.account"], reads=RBAC, probes=["08.may"])
def restart(cluster: Any, probes: Any, params: Any) -> None:
    answers = probes["08.may"]
    must_be_allowed(answers["restart"], params)
    if beyond := allowed(answers["others"]):
        fail(
            f"The account may change other Deployments than {SHOP}",
            expected=f"patch deployments.apps {SHOP}, and no other",
            actual=f"allowed: {', '.join(beyond)}",
            next=can_i(beyond[0], params),
        )


@diagnose("08.restart", "every-deployment")
def every_deployment(cluster: Any, probes: Any, params: Any) -> str | None:
    if not allowed(probes["08.may"]["others"]):
        return None
    for rule in rules_of(cluster, params):
        resources, verbs, names = (set(rule.get(part) or []) for part in ("resources", "verbs", "resourceNames"))
        changes = {"deployments", "deployments/scale", "*"} & resources and {"patch", "update", "*"} & verbs
        if changes and not names:
            return (
                "A rule that lets the account change Deployments names none, so it is for all of them: resourceNames names single objects."
            )
        if changes and TILL in names:
            return f"A rule that lets the account change Deployments names {' and '.join(sorted(names))}: it may change each of them."
    reason = probes["08.may"]["others"][allowed(probes["08.may"]["others"])[0]]["reason"]
    return f"Another binding lets it change every Deployment: {reason.removeprefix('RBAC: allowed by ')}." if reason else None


@diagnose("08.restart", "other-name")
def other_deployment_named(cluster: Any, params: Any) -> str | None:
    for rule in rules_of(cluster, params):
        names = rule.get("resourceNames") or []
        if "deployments" in (rule.get("resources") or []) and names and SHOP not in names:
            return f"The rule is for {', '.join(names)}. A name is the object's alone, here {SHOP}."
    return None


@diagnose("08.restart", "role-not-bound")
def role_not_bound(cluster: Any, params: Any, failure: Any) -> str | None:
    bound = [role_of(cluster, one) for one in own_bindings(cluster, params)]
    for role in cluster.list("Role", namespace=params.namespace):
        rules = [rule for rule in role.get("rules") or [] if "deployments" in (rule.get("resources") or [])]
        if role not in bound and any(gives(rule, refused(failure, "deployments")) for rule in rules):
            return f"Role {role['metadata']['name']} would allow it, and no RoleBinding of this namespace gives it to {params.person}."
    return None


@diagnose("08.restart", "verb-missing")
def patch_missing(cluster: Any, probes: Any, params: Any) -> str | None:
    missing = [text.partition(" ")[0] for text in denied(probes["08.may"]["restart"])]
    rules = [rule for rule in rules_of(cluster, params) if "deployments" in (rule.get("resources") or [])]
    rules = [rule for rule in rules if SHOP in (rule.get("resourceNames") or [])] or [
        rule for rule in rules if not rule.get("resourceNames")
    ]
    if not missing or not rules:
        return None
    return f"The rule for it has the verbs {', '.join(rules[-1].get('verbs') or [])}. kubectl rollout restart needs {' and '.join(missing)} too."


# 08.bounds ------------------------------------------------------------------------------------------------------------------


@check("08.bounds", needs=["08.look"], reads=RBAC, probes=["08.may"])
def bounds(cluster: Any, probes: Any, params: Any) -> None:
    answers = probes["08.may"]
    with partial() as part:
        with part("no Secrets", weight=2):
            must_be_denied(answers["secrets"], params)
        with part("nothing in other namespaces"):
            must_be_denied(answers["elsewhere"], params)
        with part("no nodes"):
            must_be_denied(answers["nodes"], params)
        with part("no changes but of the Deployment shop"):
            must_be_denied(answers["changes"], params)
        with part("the till as before"):
            if denied(answers["till"]):
                fail(
                    "the till may not get its Secret any more",
                    expected=f"ServiceAccount {TILL} may get Secret {TILL}",
                    actual="not allowed",
                    next=f"kubectl auth can-i get secret/{TILL} --as={account_name(params.namespace, TILL)} -n {params.namespace}",
                )


def beyond_bounds(probes: Any) -> dict[str, str]:
    """What the account may do and should not, with the API server's reason."""
    parts = ("secrets", "elsewhere", "nodes", "changes")
    return {text: one["reason"] for part in parts for text, one in probes["08.may"][part].items() if one["allowed"]}


def is_named(binding: Obj, reason: str) -> bool:
    """Whether the API server's reason is this binding."""
    name, namespace = binding["metadata"]["name"], binding["metadata"].get("namespace")
    return f'by {binding["kind"]} "{name}{f"/{namespace}" if namespace else ""}" ' in reason


def is_why(binding: Obj, probes: Any) -> bool:
    """Whether a binding is the reason for something beyond the bounds."""
    return any(is_named(binding, reason) for reason in beyond_bounds(probes).values())


@diagnose("08.bounds", "cluster-wide")
def bound_cluster_wide(cluster: Any, probes: Any, params: Any) -> str | None:
    bindings = [one for one in cluster.list("ClusterRoleBinding") if any(is_person(s, params) for s in one.get("subjects") or [])]
    by_us = [one for one in bindings if is_why(one, probes)]
    if not by_us:
        return None
    name, role = by_us[0]["metadata"]["name"], by_us[0]["roleRef"]["name"]
    return f"ClusterRoleBinding {name} gives the account {role} in every namespace. A RoleBinding to the same ClusterRole gives it in one."


@diagnose("08.bounds", "ready-made")
def bound_to_ready_made_role(cluster: Any, probes: Any, params: Any) -> str | None:
    for binding in cluster.list("RoleBinding", namespace=params.namespace):
        name = binding["roleRef"]["name"]
        if reaches(binding, params) and binding["roleRef"]["kind"] == "ClusterRole" and name in READY_MADE and is_why(binding, probes):
            return f"{title(binding)} gives it the ClusterRole {name}, which reads and changes Secrets. `kubectl describe clusterrole {name}` shows all of it."
    return None


@diagnose("08.bounds", "stars")
def bound_by_stars(cluster: Any, probes: Any, params: Any) -> str | None:
    roles = [role_of(cluster, one) for one in own_bindings(cluster, params) if is_why(one, probes)]
    for rule in [rule for role in roles if role for rule in role.get("rules") or []]:
        stars = [what for what in ("verbs", "resources", "apiGroups") if "*" in (rule.get(what) or [])]
        if stars:
            return f"A rule has a star as {' and '.join(stars)}. It stands for all there is, also for what comes with the next version."
    return None


@diagnose("08.bounds", "group")
def bound_by_group(cluster: Any, probes: Any, params: Any) -> str | None:
    bindings = [*cluster.list("RoleBinding", namespace=params.namespace), *cluster.list("ClusterRoleBinding")]
    for text, reason in beyond_bounds(probes).items():
        for binding in bindings:
            groups = [one["name"] for one in binding.get("subjects") or [] if one.get("kind") == "Group"]
            ours = [group for group in groups if group in groups_of(params.namespace)]
            if ours and is_named(binding, reason):
                return f"{title(binding)} lets the account {text}: it is for the group {ours[0]}, and every ServiceAccount of the namespace is in it."
    return None


@diagnose("08.bounds", "till-cut-off")
def till_cut_off(probes: Any) -> str | None:
    if beyond_bounds(probes) or not denied(probes["08.may"]["till"]):
        return None
    return "The account is kept out of the Secrets, and so is the till now, which needs one: what it had is gone for everybody."


@diagnose("08.bounds", "rule-too-wide")
def rule_too_wide(probes: Any) -> str | None:
    for text, reason in beyond_bounds(probes).items():
        if reason:
            return f"The account may {text}: {reason.removeprefix('RBAC: allowed by ')}."
    return None


# Its kubeconfig -------------------------------------------------------------------------------------------------------------


def path_of(params: Any) -> str:
    """Where the file should be."""
    return f"/home/student/work/{params['person']}.kubeconfig"


@fact("kubeconfig", on="server")
def read_kubeconfig(host: Any, params: Any) -> Obj:
    """The file taken apart. Of secrets only tokens go on, whole, so that they are recognised and hidden; of certificates what is public."""
    found = host.run("head -c 65536 -- %s", path_of(params))
    if found.rc != 0:
        beside = host.run("ls -d /home/student/*config* /home/student/work/*config* 2>/dev/null").stdout.split()
        return {
            "exists": path_of(params) in beside,
            "problem": "it cannot be read as a file",
            "beside": [path.removeprefix("/home/student/") for path in beside[:8]],
        }
    try:
        content = read_yaml(found.stdout_bytes.decode("utf-8", "replace"))
    except NotYaml as broken:
        return {"exists": True, "problem": f"it is not YAML: {str(broken)[:200]}"}
    if not isinstance(content, dict):
        return {"exists": True, "problem": "it is not a kubeconfig"}
    return {
        "exists": True,
        "problem": "",
        "current": word(content.get("current-context")),
        "contexts": {
            name: {"cluster": word(one.get("cluster")), "user": word(one.get("user"))} for name, one in entries(content, "context")
        },
        "clusters": {name: cluster_entry(one) for name, one in entries(content, "cluster")},
        "users": {name: user_entry(one) for name, one in entries(content, "user")},
    }


def entries(content: Obj, what: str) -> Iterator[tuple[str, Obj]]:
    """The named entries of one of a kubeconfig's lists; what has not their shape is left out."""
    listed = content.get(f"{what}s")
    for entry in listed[:20] if isinstance(listed, list) else []:
        inner = entry.get(what) if isinstance(entry, dict) else None
        if isinstance(inner, dict):
            yield word(entry.get("name")), inner


def word(value: Any) -> str:
    """A text of the file, as it can be written down; "" for what is none, however large it would be as text."""
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else ""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def cluster_entry(entry: Obj) -> Obj:
    """Where a cluster is, and how its server is checked."""
    return {
        "server": word(entry.get("server"))[:300],
        "ca": "data" if entry.get("certificate-authority-data") else "file" if entry.get("certificate-authority") else "",
        "insecure": entry.get("insecure-skip-tls-verify") is True,
    }


def user_entry(entry: Obj) -> Obj:
    """What a user shows to say who it is."""
    token = word(entry.get("token"))
    shape = "" if not token else "jwt" if JWT.fullmatch(token) else "base64" if JWT.fullmatch(decoded(token)) else "other"
    certificate = decoded(word(entry.get("client-certificate-data")))
    return {
        "shape": shape,
        "token": token if shape == "jwt" else "",
        "groups": organisations(certificate),
        "more": [key for key in OTHER_KEYS if entry.get(key)],
    }


def decoded(text: str) -> str:
    """The text behind base64; "" if it is none."""
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def organisations(pem: str) -> list[str]:
    """The groups that a client certificate names."""
    from cryptography import x509

    try:
        subject = x509.load_pem_x509_certificate(pem.encode()).subject
    except ValueError:
        return []
    return [str(part.value) for part in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)]


@probe("08.by-file", effect="observe", needs=["08.account"], deadline_s=12)
def try_the_file(lab: Any, nodes: Any, params: Any) -> Obj:
    """Who one is with the file, and whether its server can be reached from outside the machine."""
    kubeconfig = nodes["server"].fact("kubeconfig")
    if not kubeconfig["exists"] or kubeconfig.get("problem"):
        return {"user": "", "groups": [], "error": "", "status": 0, "unreachable": ""}
    argv = ["/usr/local/bin/kubectl", f"--kubeconfig={path_of(params)}", "--request-timeout=4s", "auth", "whoami", "--output=json"]
    done = lab.run("server", argv, timeout_s=7, user="student")
    try:
        user = json.loads(done.text)["status"]["userInfo"]
    except (ValueError, KeyError, TypeError):
        user = {}
    error = "" if user else next(iter(reversed(done.error_text.strip().splitlines())), "no answer")[:300]
    outside = ask_outside(lab, nodes, own_cluster(kubeconfig).get("server", ""))
    return {
        "user": str(user.get("username", "")),
        "groups": [str(group) for group in user.get("groups") or []],
        "error": error,
        "status": outside["status"],
        "unreachable": outside["error"],
    }


def ask_outside(lab: Any, nodes: Any, server: str) -> Obj:
    """Whether the server answers here, outside the machine. Names are not looked up: one that pods do not have may be known elsewhere."""
    host, port = host_and_port(server)
    if is_loopback(host):
        return {"status": 0, "error": ""}
    if host == nodes["server"].hostname:
        host = nodes["server"].address
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pods_only = host.partition(".")[0] == "kubernetes" or host.endswith((".svc", ".cluster.local"))
        error = "only pods know this name" if pods_only else "" if host and server.startswith("https://") else "it is not an https address"
        return {"status": 0 if error else NOT_ASKED, "error": error}
    return lab.http(f"https://[{address}]:{port}/version" if address.version == 6 else f"https://{address}:{port}/version")


def own_context(kubeconfig: Obj) -> Obj:
    """The context that counts when none is named."""
    return kubeconfig.get("contexts", {}).get(kubeconfig.get("current"), {})


def own_cluster(kubeconfig: Obj) -> Obj:
    """The cluster of that context."""
    return kubeconfig.get("clusters", {}).get(own_context(kubeconfig).get("cluster"), {})


def own_user(kubeconfig: Obj) -> Obj:
    """The user of that context."""
    return kubeconfig.get("users", {}).get(own_context(kubeconfig).get("user"), {})


def host_and_port(server: str) -> tuple[str, int]:
    """Host and port of the server's URL; "" if it is none."""
    try:
        parts = urllib.parse.urlsplit(server)
        return parts.hostname or "", parts.port or HTTPS_PORT
    except ValueError:
        return "", HTTPS_PORT


def host_of(kubeconfig: Obj) -> str:
    """The host name or address of the server."""
    return host_and_port(own_cluster(kubeconfig).get("server", ""))[0]


def is_loopback(host: str) -> bool:
    """Whether a host is whoever asks."""
    return host in LOOPBACK or host.startswith("127.")


# 08.kubeconfig --------------------------------------------------------------------------------------------------------------


@check("08.kubeconfig", needs=["08.account"], reads=["ServiceAccount"], probes=["08.by-file"])
def kubeconfig(nodes: Any, probes: Any, params: Any) -> None:
    found, path = nodes["server"].fact("kubeconfig"), path_of(params)
    view = f"kubectl config view --kubeconfig={path}"
    if not found["exists"]:
        fail(f"There is no file {path}", expected="a kubeconfig", actual="no such file", path=path, next="ls -l ~/work")
    if found["problem"]:
        fail(f"{path} is no kubeconfig", expected="a kubeconfig", actual=found["problem"], path=path, next=view)
    if not own_cluster(found) or not own_user(found):
        fail(
            "The file's current context does not lead to a cluster and a user",
            expected="a current-context with a cluster and a user that are in the file",
            actual=f"current-context {found['current'] or 'missing'}",
            path="current-context",
            next=view,
        )
    if admins := [name for name, one in found["users"].items() if MASTERS in one["groups"]]:
        fail(
            "The file carries the administrator's key",
            expected=f"no credentials but those of {params.person}",
            actual=f"user {admins[0]} has a certificate of group {MASTERS}",
            path="users",
            next=view,
        )
    cluster = own_cluster(found)
    if cluster["insecure"] or cluster["ca"] != "data":
        ways = "insecure-skip-tls-verify" if cluster["insecure"] else "a file beside it" if cluster["ca"] else "none"
        fail(
            "The file does not carry the cluster's certificate authority",
            expected="certificate-authority-data",
            actual=ways,
            path="clusters[].cluster",
            next=view,
        )
    if not own_user(found)["shape"]:
        fail(
            "The file does not carry a token",
            expected="a token",
            actual="none",
            path="users[].user",
            next=view,
        )
    seen, wanted = probes["08.by-file"], account_name(params.namespace, params.person)
    if seen["user"] != wanted:
        fail(
            f"With the file one is not {params.person}",
            expected=wanted,
            actual=seen["user"] or seen["error"],
            path="users",
            next=f"kubectl --kubeconfig={path} auth whoami",
        )
    if others := others_in(found, wanted):
        fail(
            f"The file carries more than {params.person}'s token",
            expected=f"no credentials but those of {params.person}",
            actual=others[0],
            path="users",
            next=view,
        )
    if is_loopback(host_of(found)) or not seen["status"]:
        fail(
            "The server in the file cannot be reached from another computer",
            expected=f"https://{nodes['server'].address}:6443, or a name for it",
            actual=f"{cluster['server']}{': ' + seen['unreachable'] if seen['unreachable'] else ''}",
            path="clusters[].cluster.server",
            next=view,
        )


def others_in(kubeconfig: Obj, wanted: str) -> list[str]:
    """The credentials of a file that are not the account's token."""
    users = kubeconfig["users"].items()
    tokens = [f"user {name} has a token of {sub}" for name, one in users if (sub := claims_in(one).get("sub", wanted)) != wanted]
    return tokens + [f"user {name} has {one['more'][0]}" for name, one in users if one.get("more")]


@diagnose("08.kubeconfig", "other-place")
def kubeconfig_elsewhere(nodes: Any, params: Any) -> str | None:
    found = nodes["server"].fact("kubeconfig")
    if found["exists"] or not found["beside"]:
        return None
    return f"There is ~/{found['beside'][0]}. The task asks for ~/work/{params.person}.kubeconfig."


@diagnose("08.kubeconfig", "admin")
def kubeconfig_of_the_administrator(nodes: Any, probes: Any) -> str | None:
    users = nodes["server"].fact("kubeconfig").get("users", {})
    if MASTERS not in probes["08.by-file"]["groups"] and not any(MASTERS in one["groups"] for one in users.values()):
        return None
    return f"The file has a client certificate of group {MASTERS}, as K3s's own has: it may do everything, whatever Roles say, for as long as it is valid."


@diagnose("08.kubeconfig", "insecure")
def kubeconfig_insecure(nodes: Any) -> str | None:
    if not own_cluster(nodes["server"].fact("kubeconfig")).get("insecure"):
        return None
    return "insecure-skip-tls-verify shows the token to whoever answers at this address. The certificate authority tells the right server."


@diagnose("08.kubeconfig", "ca-file")
def kubeconfig_with_ca_file(nodes: Any) -> str | None:
    if own_cluster(nodes["server"].fact("kubeconfig")).get("ca") != "file":
        return None
    return (
        "The certificate authority is a file beside it, which is not there on another computer. --embed-certs puts it into the kubeconfig."
    )


@diagnose("08.kubeconfig", "no-ca")
def kubeconfig_without_ca(nodes: Any) -> str | None:
    cluster = own_cluster(nodes["server"].fact("kubeconfig"))
    if not cluster or cluster.get("ca"):
        return None
    return "The file names no certificate authority, so kubectl knows none that has signed this server's certificate."


@diagnose("08.kubeconfig", "token-encoded")
def kubeconfig_with_encoded_token(nodes: Any) -> str | None:
    if own_user(nodes["server"].fact("kubeconfig")).get("shape") != "base64":
        return None
    return "The token is still base64, as a Secret shows it. In a kubeconfig it stands as it is."


@diagnose("08.kubeconfig", "token-expired")
def kubeconfig_with_old_token(nodes: Any) -> str | None:
    claims = claims_of(nodes["server"].fact("kubeconfig"))
    ends = claims.get("exp", 0)
    return "The token's time is over. Make a new one." if isinstance(ends, int) and 0 < ends < nodes["server"].time else None


@diagnose("08.kubeconfig", "other-account")
def kubeconfig_of_other_account(probes: Any, params: Any) -> str | None:
    user = probes["08.by-file"]["user"]
    if not user or user == account_name(params.namespace, params.person):
        return None
    return f"With this file one is {user}. The token decides that, not the name of the user in the file."


@diagnose("08.kubeconfig", "loopback")
def kubeconfig_of_loopback(nodes: Any) -> str | None:
    host = host_of(nodes["server"].fact("kubeconfig"))
    if not is_loopback(host):
        return None
    return f"The server is {host}: whoever uses the file asks the own computer. It needs this machine's address, {nodes['server'].address}."


@diagnose("08.kubeconfig", "inside-only")
def kubeconfig_of_cluster_address(nodes: Any, probes: Any) -> str | None:
    host = host_of(nodes["server"].fact("kubeconfig"))
    if probes["08.by-file"]["status"] or not (host.startswith("10.43.") or host.partition(".")[0] == "kubernetes"):
        return None
    return f"{host} is the address that pods use. Outside the cluster nobody knows it: the machine's is {nodes['server'].address}."


def claims_in(user: Obj) -> Obj:
    """What the token of a user says of itself: {"sub", "iat", "exp"}, Unix seconds."""
    token = user.get("token")
    return token[MARK].get("jwt", {}) if is_redacted(token) else {}


def claims_of(kubeconfig: Obj) -> Obj:
    """What the token that counts says."""
    return claims_in(own_user(kubeconfig))


# 08.expiry ------------------------------------------------------------------------------------------------------------------


def all_claims(nodes: Any) -> list[Obj]:
    """What the tokens of the file say: that of its context, and then those that others would find in it."""
    found = nodes["server"].fact("kubeconfig")
    return [claims_of(found), *(claims for one in found.get("users", {}).values() if (claims := claims_in(one)))]


def lasts_s(claims: Obj) -> int | None:
    """For how many seconds a token is good; None for one without an end."""
    ends, begins = claims.get("exp"), claims.get("iat", claims.get("nbf"))
    return ends - begins if isinstance(ends, int) and isinstance(begins, int) else None


@check("08.expiry", needs=["08.kubeconfig"])
def expiry(nodes: Any) -> None:
    for seconds in map(lasts_s, all_claims(nodes)):
        if seconds is None or seconds > DAY_S + SLACK_S:
            fail(
                "The token lasts longer than a day",
                expected="at most 24 hours",
                actual="without an end" if seconds is None else f"{seconds / 3600:.4g} hours",
                path="users[].user.token",
                next="kubectl create token --help",
            )


@diagnose("08.expiry", "never-ends")
def token_never_ends(nodes: Any) -> str | None:
    if all("exp" in claims for claims in all_claims(nodes) if claims):
        return None
    return "The token has no end: it is one that lies in a Secret, and works until that is deleted. `kubectl create token` makes one that ends."


@diagnose("08.expiry", "too-long")
def token_lasts_too_long(nodes: Any) -> str | None:
    longest = max((seconds for seconds in map(lasts_s, all_claims(nodes)) if seconds is not None), default=0)
    if longest <= DAY_S + SLACK_S:
        return None
    return f"The token lasts {longest / 3600:.4g} hours. Once it is made it cannot be shortened: make another one."
