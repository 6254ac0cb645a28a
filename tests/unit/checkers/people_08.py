"""Chapter 08 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

import copy

from tests.unit.checkers.kept_access import Access, at, both, bound, dropped, field, lasting, rule, second_user, tried
from tests.unit.checkers.variant import Variant, each, one

PERSON = "{kind: ServiceAccount, name: {person}, namespace: {namespace}}"
LOOK, RESTART, TILL = "RoleBinding/look", "RoleBinding/restart", "RoleBinding/till"
RULES = "Role/look", "rules"
ADMIN = {"shape": "", "token": "", "groups": ["system:masters"]}


def no_namespace_of_the_subject(lab: Access) -> None:
    for binding in ("look", "restart"):
        lab.find("RoleBinding", binding)["subjects"][0].pop("namespace")


def aggregated(lab: Access) -> None:
    """Rules in a ClusterRole of their own, bound here."""
    role = lab.find("Role", "look")
    lab.all("Role").remove(role)
    lab.all("ClusterRole").append({**role, "kind": "ClusterRole", "metadata": {"name": "look", "uid": "uid-look"}})
    lab.find("RoleBinding", "look")["roleRef"]["kind"] = "ClusterRole"


def one_binding_for_two(lab: Access) -> None:
    lab.find("RoleBinding", "look")["subjects"].append({"kind": "User", "name": "somebody-else", "apiGroup": "rbac.authorization.k8s.io"})


def old_token(lab: Access) -> None:
    lasting(8, ago_h=9)(lab)
    lab.seen.update(user="", groups=[], error="error: You must be logged in to the server (Unauthorized)")


def token_of_a_deleted_account(lab: Access) -> None:
    lab.seen.update(user="", groups=[], error="error: You must be logged in to the server (Unauthorized)")


def with_exec_plugin(lab: Access) -> None:
    """No token in the file, a program that would get one."""
    lab.user.update(shape="", token="")
    lab.seen.update(user="", groups=[], error="exec: executable kubelogin not found")


def another_ca(lab: Access) -> None:
    """The authority of the cluster before this one."""
    lab.seen.update(user="", groups=[], error="tls: failed to verify certificate: x509: certificate signed by unknown authority")


def restart_in_default(lab: Access) -> None:
    """kubectl create role and rolebinding, without a namespace, before it was done right."""
    for kind in ("Role", "RoleBinding"):
        first = copy.deepcopy(lab.find(kind, "restart"))
        first["metadata"].update(namespace="default", uid=f"uid-{kind}-default")
        lab.all(kind).append(first)


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    one("", "a ClusterRole of their own", aggregated),
    one("", "bound together with somebody else", one_binding_for_two),
    *each("", field, LOOK, "roleRef", values=["{kind: ClusterRole, name: view}"]),
    *each("", field, "Role/look", "rules", values=[
        "[{apiGroups: [''], resources: [pods], verbs: [get, list, watch]}, {apiGroups: [''], resources: [pods/log], verbs: [get]},"
        " {apiGroups: [apps], resources: [deployments, replicasets], verbs: [get, list, watch]}]",
        "[{apiGroups: ['', apps], resources: [pods, pods/log, deployments, events, services], verbs: [get, list, watch]}]",
    ]),
    *each("", field, "Role/restart", "rules/0/verbs", values=["[get, list, watch, patch]", "[patch, update, get]"]),
    *each("", rule, values=[
        "{apiGroups: [''], resources: [events, services, endpoints], verbs: [get, list]}",
        "{apiGroups: [apps], resources: [replicasets], verbs: [get, list]}",
        "{apiGroups: [metrics.k8s.io], resources: [pods], verbs: [get, list]}",
        "{apiGroups: [apps], resources: [deployments/scale], resourceNames: [shop], verbs: [patch, update]}",
    ]),
    *each("", field, TILL, "subjects", values=[
        "[{kind: User, name: 'system:serviceaccount:{namespace}:till', apiGroup: rbac.authorization.k8s.io}]",
        "[{kind: ServiceAccount, name: till, namespace: {namespace}}, {kind: ServiceAccount, name: cashier, namespace: {namespace}}]",
    ]),
    *each("", field, "Role/till", "rules", values=["[{apiGroups: [''], resources: [secrets], resourceNames: [till], verbs: [get, watch]}]"]),
    one("", "bound to a group of people", bound("ClusterRole/view", "[{kind: Group, name: developers}]", "{namespace}")),
    *[one("", f"a token of {hours} hours", lasting(hours)) for hours in (0.2, 1, 12, 24)],
    one("", "a token of yesterday evening", lasting(24, ago_h=15)),
    *each("", lambda server: at(server=server), values=["https://server:6443", "https://k3s.bakery.example:6443"]),
    one("", "its token of before beside it", second_user()),
]  # fmt: skip
WRONG: list[Variant] = [
    one("look restart", "no namespace of the subject", no_namespace_of_the_subject),
    *each("look", field, LOOK, "subjects", values=[
        "[{kind: User, name: '{person}'}]", "[{kind: Group, name: '{person}'}]", "[{kind: ServiceAccount, name: default, namespace: {namespace}}]",
        "[{kind: User, name: 'system:serviceaccount:default:{person}'}]", "[{kind: User, name: 'system:serviceaccounts:{namespace}:{person}'}]", "[]",
    ]),
    *each("look", field, LOOK, "roleRef", values=["{kind: ClusterRole, name: look}", "{kind: Role, name: view}"]),
    one("look", "deployments in the group of before", field("Role/look", "rules/1/apiGroups", "[extensions]")),
    one("look", "the API's version as group", field("Role/look", "rules/1/apiGroups", "[apps/v1]")),
    one("look", "v1 as group of pods", field("Role/look", "rules/0/apiGroups", "[v1]")),
    one("look", "pod names as resources", field("Role/look", "rules/0/resources", "[pods/shop]")),
    one("look", "logs as a verb", field("Role/look", "rules/0", "{apiGroups: [''], resources: [pods], verbs: [get, list, watch, log]}")),
    one("restart", "the verb restart", field("Role/restart", "rules/0/verbs", "[get, restart]")),  # kubernetes/kubernetes#105074
    one("restart", "the verb rollout on a subresource", field("Role/restart", "rules/0", "{apiGroups: [apps], resources: [deployments/rollout], resourceNames: [shop], verbs: [get, patch]}")),
    one("restart", "all Deployments", field("Role/restart", "rules/0/resourceNames", "[]")),
    one("restart", "patch only", both(field("Role/restart", "rules/0/verbs", "[patch]"), field("Role/restart", "rules/0/resourceNames", "[web]"))),
    one("restart", "update for all Deployments", rule("{apiGroups: [apps], resources: [deployments], verbs: [update]}")),
    one("restart", "all Deployments may be scaled", rule("{apiGroups: [apps], resources: [deployments/scale], verbs: [patch]}")),
    *each("bounds", rule, values=[
        "{apiGroups: [''], resources: [pods], verbs: [get, update]}",
        "{apiGroups: [apps], resources: [replicasets], verbs: [get, patch]}",  # for kubectl rollout undo
        "{apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [till], verbs: [create]}",
    ]),
    *each("bounds", rule, values=[
        "{apiGroups: [''], resources: [configmaps, services], verbs: [get, create]}",
        "{apiGroups: [apps], resources: [statefulsets, daemonsets], verbs: [get, create]}",
        "{apiGroups: [batch], resources: [jobs, cronjobs], verbs: [get, list, create]}",
        "{apiGroups: [''], resources: [pods], verbs: [get, deletecollection]}",
        "{apiGroups: [''], resources: [serviceaccounts], verbs: [get, create]}",
        "{apiGroups: [''], resources: [serviceaccounts], verbs: [impersonate]}",
        "{apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [get, patch]}",
        "{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [get, update]}",
        "{apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [delete]}",
    ]),
    one("bounds", "a first try in another namespace is still there", restart_in_default),
    one("bounds", "pods may be deleted, which restarts too", rule("{apiGroups: [''], resources: [pods], verbs: [delete]}")),
    one("bounds", "exec for looking", rule("{apiGroups: [''], resources: [pods/exec], verbs: [create]}")),
    one("bounds restart", "edit", bound("ClusterRole/edit", f"[{PERSON}]", "{namespace}")),
    one("bounds restart", "admin everywhere", bound("ClusterRole/cluster-admin", f"[{PERSON}]")),
    one("bounds", "view everywhere", bound("ClusterRole/view", f"[{PERSON}]")),
    one("bounds restart", "everybody is admin", bound("ClusterRole/cluster-admin", "[{kind: Group, name: 'system:serviceaccounts'}]")),
    one("bounds", "its own binding to the till's Role", bound("Role/till", f"[{PERSON}]", "{namespace}")),
    one("bounds", "the group is still there beside the till", field(TILL, "subjects", "[{kind: ServiceAccount, name: till, namespace: {namespace}}, {kind: Group, name: 'system:serviceaccounts:{namespace}'}]")),
    one("bounds", "the group of all accounts", field(TILL, "subjects", "[{kind: Group, name: 'system:serviceaccounts'}]")),
    one("bounds", "the till's binding is gone", dropped(TILL)),
    one("bounds", "the till by another namespace", field(TILL, "subjects", "[{kind: ServiceAccount, name: till, namespace: default}]")),
    one("kubeconfig", "the admin's user beside it", second_user(**ADMIN)),
    one("kubeconfig", "the till's token beside it", second_user(account="till")),
    one("kubeconfig", "another certificate beside it", second_user(shape="", token="", groups=[], more=["client-certificate-data"])),
    one("kubeconfig", "K3s's own file", both(lambda lab: lab.user.update(ADMIN), tried(user="system:admin", groups=["system:masters"]))),
    one("kubeconfig", "not verified", at(ca="", insecure=True)),
    one("kubeconfig", "the authority as a file", at(ca="file")),
    one("kubeconfig", "another cluster's authority", another_ca),
    *[one("kubeconfig", f"server {server}", both(at(server=server), tried(status=0, unreachable=""))) for server in (
        "https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443", "https://0.0.0.0:6443")],
    one("kubeconfig", "the Service's address", both(at(server="https://10.43.0.1:443"), tried(status=0, unreachable="timed out"))),
    one("kubeconfig", "plain http", both(at(server="http://10.83.0.2:6443"), tried(status=0, unreachable="it is not an https address"))),
    one("kubeconfig", "a token that is over", old_token),
    one("kubeconfig", "the account was deleted and made again", token_of_a_deleted_account),
    one("kubeconfig", "a plugin instead of a token", with_exec_plugin),
    one("kubeconfig", "the token of default", tried(user="system:serviceaccount:{namespace}:default")),
    one("kubeconfig", "the till's token", tried(user="system:serviceaccount:{namespace}:till")),
    *[one("expiry", f"a token of {hours} hours", lasting(hours)) for hours in (25, 48, 720, 8760)],
    one("expiry", "a token of two days, made the day before", lasting(48, ago_h=30)),
    one("expiry", "a token from a Secret", lasting(None)),
    *[one("expiry", f"a first try of {hours} hours is still there", second_user(hours=hours)) for hours in (None, 48)],
]  # fmt: skip
