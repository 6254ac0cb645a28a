"""Chapter 08: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import base64
import copy
import datetime
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from courselab.grade.redact import Redactor
from tests.unit.checkers.answers import assert_all_pass, assert_fails, each_right, each_wrong
from tests.unit.checkers.fake_cluster import KEY, FakeCluster, Obj, hidden, objects
from tests.unit.checkers.fake_rbac import READY_MADE, Rbac

ALL = {"account", "look", "restart", "bounds", "kubeconfig", "expiry"}
ADDRESS, NOW = "10.83.0.2", 1_790_000_000
HOUR = 3600
SOLUTION = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: "{person}", namespace: {namespace}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: look, namespace: {namespace}}
rules:
  - {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
  - {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: look, namespace: {namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: look}
subjects: [{kind: ServiceAccount, name: "{person}", namespace: {namespace}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: restart, namespace: {namespace}}
rules:
  - {apiGroups: [apps], resources: [deployments], resourceNames: [shop], verbs: [get, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: restart, namespace: {namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: restart}
subjects: [{kind: ServiceAccount, name: "{person}", namespace: {namespace}}]
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
clusters:
  - name: lab
    cluster: {server: "https://10.83.0.2:6443", certificate-authority-data: Q0E=}
contexts:
  - name: lab
    context: {cluster: lab, user: "{person}", namespace: {namespace}}
users:
  - name: "{person}"
    user: {}
"""


def part(data: Obj | bytes) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(namespace: str, name: str, hours: float | None = 8, since: int = NOW - 60) -> str:
    """A ServiceAccount's token, signed by nobody."""
    claims: Obj = {"sub": f"system:serviceaccount:{namespace}:{name}", "iat": since}
    if hours is not None:
        claims["exp"] = since + int(hours * HOUR)
    return f"{part({'alg': 'RS256'})}.{part(claims)}.{part(b'signature of nobody')}"


def admin_certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "system:masters"), x509.NameAttribute(x509.NameOID.COMMON_NAME, "system:admin")]
    )
    since = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(since).not_valid_after(since + datetime.timedelta(days=365)).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def cluster_role(name: str, rules: list[Obj]) -> Obj:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}


class Lab:
    """A lab on paper; tests change its objects and the file, then have it judged by the checker's own probes and facts."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("08")
        self.params = self.cluster.params
        manifests = [path.read_text() for path in self.cluster.lab.manifests_folder.glob("*.yaml")]
        self.objects = [obj for text in manifests for obj in objects(text, self.params)]
        self.objects += [cluster_role(name, rules) for name, rules in READY_MADE.items()]
        self["Secret/till"]["data"] = {"password": hidden(self["Secret/till"].pop("stringData")["password"])}
        self.file: Any = None
        self.text: str | None = None
        self.beside = ""
        self.groups = ["system:serviceaccounts", "system:authenticated"]
        self.reached = {ADDRESS}
        if solved:
            self.objects += objects(SOLUTION, self.params)
            self.till["subjects"] = [{"kind": "ServiceAccount", "name": "till", "namespace": self.params.namespace}]
            self.file = yaml.safe_load(self.params.fill(KUBECONFIG))
            self.user["token"] = token(self.params.namespace, self.params.person)

    def __getitem__(self, name: str) -> Obj:
        kind, _, name = name.partition("/")
        return next(obj for obj in self.objects if obj["kind"] == kind and obj["metadata"]["name"] == name)

    @property
    def till(self) -> Obj:
        return self["RoleBinding/till"]

    @property
    def user(self) -> Obj:
        return self.file["users"][0]["user"]

    @property
    def at(self) -> Obj:
        return self.file["clusters"][0]["cluster"]

    def drop(self, name: str) -> None:
        self.objects.remove(self[name])

    def add(self, text: str) -> None:
        self.objects += objects(text, self.params)

    def bind(self, role: str, name: str = "more", **metadata: Any) -> None:
        """One more binding for the account."""
        kind = "RoleBinding" if "namespace" in metadata else "ClusterRoleBinding"
        subject = {"kind": "ServiceAccount", "name": self.params.person, "namespace": self.params.namespace}
        reference = {"kind": role.partition("/")[0], "name": role.partition("/")[2]}
        api = "rbac.authorization.k8s.io/v1"
        self.objects.append(
            {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "roleRef": reference, "subjects": [subject]}
        )

    def verdicts(self) -> Any:
        for obj in self.objects:
            if obj["kind"] != "Deployment":
                self.cluster.add(obj)
        functions = {one.mark.name: one.function for one in (*self.cluster.checker.probes, *self.cluster.checker.facts)}
        clean = Redactor(KEY).value
        self.cluster.facts["kubeconfig"] = clean(functions["kubeconfig"](Host(self), self.params))
        self.cluster.time, self.cluster.address = float(NOW), ADDRESS
        self.cluster.probe("08.may", clean(functions["08.may"](LiveLab(self), self.params)))
        if any(obj["kind"] == "ServiceAccount" and obj["metadata"]["name"] == self.params.person for obj in self.objects):
            server = SimpleNamespace(fact=self.cluster.facts.__getitem__, hostname="server", address=ADDRESS)
            self.cluster.probe("08.by-file", clean(functions["08.by-file"](LiveLab(self), {"server": server}, self.params)))
        return self.cluster.verdicts()

    def passed(self) -> set[str]:
        return {name for name, one in self.verdicts().items() if one.passed}


class Host:
    """The machine, as far as the fact asks it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def run(self, command: str, *arguments: str) -> SimpleNamespace:
        if command.startswith("ls"):
            return SimpleNamespace(rc=0, stdout=self._lab.beside)
        text = self._lab.text if self._lab.text is not None else yaml.safe_dump(self._lab.file) if self._lab.file else None
        assert arguments == (f"/home/student/work/{self._lab.params.person}.kubeconfig",)
        return SimpleNamespace(rc=0 if text is not None else 1, stdout_bytes=(text or "").encode())


class LiveLab:
    """The live lab, as far as the probes ask it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.create = Rbac(lab.cluster).create

    def run(self, machine: str, argv: list[str], **_: Any) -> SimpleNamespace:
        """kubectl auth whoami with the file."""
        context = {one["name"]: one["context"] for one in self._lab.file["contexts"]}.get(self._lab.file["current-context"], {})
        shown = {one["name"]: one["user"] for one in self._lab.file["users"]}.get(context.get("user"))
        if shown is None:
            return SimpleNamespace(
                text="", error_text="The connection to the server localhost:8080 was refused - did you specify the right host or port?"
            )
        if "client-certificate-data" in shown:
            return self._is("system:admin", ["system:masters", "system:authenticated"])
        if not self._lab.at.get("certificate-authority-data") and not (
            {"certificate-authority", "insecure-skip-tls-verify"} & set(self._lab.at)
        ):
            return SimpleNamespace(text="", error_text="tls: failed to verify certificate: x509: certificate signed by unknown authority")
        pieces = str(shown.get("token", "")).split(".")
        claims = json.loads(base64.urlsafe_b64decode(pieces[1] + "==")) if len(pieces) == 3 else {}
        ends = claims.get("exp", NOW + 1)
        if not claims or not isinstance(ends, int) or ends < NOW:
            return SimpleNamespace(text="", error_text="error: You must be logged in to the server (Unauthorized)")
        return self._is(claims["sub"], self._lab.groups)

    def http(self, url: str) -> Obj:
        host = url.partition("://")[2].partition(":")[0]
        return {"status": 401, "error": ""} if host in self._lab.reached else {"status": 0, "error": "timed out"}

    @staticmethod
    def _is(name: str, groups: list[str]) -> SimpleNamespace:
        return SimpleNamespace(text=json.dumps({"status": {"userInfo": {"username": name, "groups": groups}}}), error_text="")


def test_the_solved_lab_passes_everything() -> None:
    assert Lab().passed() == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"account"}


def test_an_account_alone_passes_nothing_else() -> None:
    lab = Lab(solved=False)
    lab.objects += objects(SOLUTION, lab.params)[:1]
    assert lab.passed() == {"account"}


def test_what_the_predecessor_left_is_found() -> None:
    lab = Lab()
    lab.till["subjects"] = [{"kind": "Group", "name": f"system:serviceaccounts:{lab.params.namespace}"}]
    one = lab.verdicts()["bounds"]
    assert (one.verdict.value, one.diagnosis) == ("fail", "group")
    assert 0 < one.credit < 1


# Right answers reached another way ------------------------------------------------------------------------------------------


def one_role(lab: Lab) -> None:
    lab["Role/look"]["rules"] += lab["Role/restart"]["rules"]
    lab.drop("RoleBinding/restart")
    lab.drop("Role/restart")


def the_ready_made_view(lab: Lab) -> None:
    lab["RoleBinding/look"]["roleRef"] = {"kind": "ClusterRole", "name": "view"}
    lab.drop("Role/look")


def a_cluster_role_of_their_own(lab: Lab) -> None:
    role = lab["Role/look"]
    role["kind"] = lab["RoleBinding/look"]["roleRef"]["kind"] = "ClusterRole"
    role["metadata"].pop("namespace")


def other_names(lab: Lab) -> None:
    lab["Role/look"]["metadata"]["name"] = lab["RoleBinding/look"]["roleRef"]["name"] = "pod-reader"
    lab["RoleBinding/look"]["metadata"]["name"] = f"{lab.params.person}-reads"


def subject_as_a_user(lab: Lab) -> None:
    lab["RoleBinding/look"]["subjects"] = [{"kind": "User", "name": f"system:serviceaccount:{lab.params.namespace}:{lab.params.person}"}]


def reads_more(lab: Lab) -> None:
    lab["Role/look"]["rules"].append({"apiGroups": [""], "resources": ["services", "configmaps", "events"], "verbs": ["get", "list"]})


def a_rule_per_kind(lab: Lab) -> None:
    pods, deployments = lab["Role/look"]["rules"]
    lab["Role/look"]["rules"] = [{**pods, "resources": ["pods"]}, {**pods, "resources": ["pods/log"], "verbs": ["get"]}, deployments]


def update_too(lab: Lab) -> None:
    lab["Role/restart"]["rules"][0]["verbs"] = ["get", "patch", "update"]


def two_groups_of_deployments(lab: Lab) -> None:
    lab["Role/look"]["rules"] = [
        {"apiGroups": ["", "apps"], "resources": ["pods", "pods/log", "deployments"], "verbs": ["get", "list", "watch"]}
    ]


def till_by_its_own_role(lab: Lab) -> None:
    lab["Role/till"]["rules"] = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["till"], "verbs": ["get"]}]


def till_as_a_user(lab: Lab) -> None:
    lab.till["subjects"] = [{"kind": "User", "name": f"system:serviceaccount:{lab.params.namespace}:till"}]


def till_by_another_binding(lab: Lab) -> None:
    lab.till["metadata"]["name"] = "till-reads-its-secret"


def others_in_the_namespace(lab: Lab) -> None:
    lab.add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: '{namespace}'}}")


def server_by_name(lab: Lab) -> None:
    lab.at["server"] = "https://server:6443"


def server_by_public_name(lab: Lab) -> None:
    lab.at["server"] = "https://k3s.bakery.example:6443"


def server_with_slash(lab: Lab) -> None:
    lab.at["server"] = f"https://{ADDRESS}:6443/"


def a_day_exactly(lab: Lab) -> None:
    lab.user["token"] = token(lab.params.namespace, lab.params.person, 24)


def an_hour(lab: Lab) -> None:
    lab.user["token"] = token(lab.params.namespace, lab.params.person, 1)


def other_names_in_the_file(lab: Lab) -> None:
    lab.file["users"][0]["name"] = lab.file["contexts"][0]["context"]["user"] = "me"
    lab.file["clusters"][0]["name"] = lab.file["contexts"][0]["context"]["cluster"] = "k3s"


def no_namespace_in_the_file(lab: Lab) -> None:
    lab.file["contexts"][0]["context"].pop("namespace")


def as_json(lab: Lab) -> None:
    lab.text = json.dumps(lab.file)


RIGHT = [
    one_role,
    the_ready_made_view,
    a_cluster_role_of_their_own,
    other_names,
    subject_as_a_user,
    reads_more,
    a_rule_per_kind,
    update_too,
    two_groups_of_deployments,
    till_by_its_own_role,
    till_as_a_user,
    till_by_another_binding,
    others_in_the_namespace,
    server_by_name,
    server_by_public_name,
    server_with_slash,
    a_day_exactly,
    an_hour,
    other_names_in_the_file,
    no_namespace_in_the_file,
    as_json,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def dropped(name: str) -> Change:
    return lambda lab: lab.drop(lab.params.fill(name))


def moved(name: str) -> Change:
    return lambda lab: lab[lab.params.fill(name)]["metadata"].update(namespace="default")


def renamed_account(lab: Lab) -> None:
    lab[f"ServiceAccount/{lab.params.person}"]["metadata"]["name"] = lab.params.person + "-sa"


def subject(binding: str, **changes: str) -> Change:
    return lambda lab: lab[f"RoleBinding/{binding}"]["subjects"][0].update({key: lab.params.fill(value) for key, value in changes.items()})


def user_of_this_name(lab: Lab) -> None:
    lab["RoleBinding/look"]["subjects"] = [{"kind": "User", "name": lab.params.person}]


def user_of_other_namespace(lab: Lab) -> None:
    lab["RoleBinding/look"]["subjects"] = [{"kind": "User", "name": f"system:serviceaccount:default:{lab.params.person}"}]


def group_of_this_name(lab: Lab) -> None:
    lab["RoleBinding/look"]["subjects"] = [{"kind": "Group", "name": lab.params.person}]


def no_subject(lab: Lab) -> None:
    lab["RoleBinding/look"].pop("subjects")
    lab.drop("RoleBinding/restart")


def role_misnamed(lab: Lab) -> None:
    lab["RoleBinding/look"]["roleRef"]["name"] = "looks"


def bound_elsewhere_only(lab: Lab) -> None:
    lab.drop("RoleBinding/restart")
    moved("RoleBinding/look")(lab)


def never_bound(lab: Lab) -> None:
    lab.drop("RoleBinding/restart")
    lab.drop("RoleBinding/look")


def rule(role: str, place: int = 0, **changes: Any) -> Change:
    return lambda lab: lab[f"Role/{role}"]["rules"][place].update(changes)


def all_with_names(lab: Lab) -> None:
    lab["Role/look"]["rules"][1].update(resourceNames=["shop"], verbs=["get", "list", "watch", "patch"])


def more_rights(**changes: Any) -> Change:
    def change(lab: Lab) -> None:
        base = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
        lab["Role/look"]["rules"].append({**base, **changes})

    return change


def bound(role: str, namespace: str = "") -> Change:
    return lambda lab: lab.bind(role, **({"namespace": lab.params.fill(namespace)} if namespace else {}))


def view_for_all_accounts(lab: Lab) -> None:
    lab.bind("ClusterRole/view")
    lab.objects[-1]["subjects"] = [{"kind": "Group", "name": "system:serviceaccounts"}]


def account_added_to_the_till(lab: Lab) -> None:
    lab.till["subjects"].append({"kind": "ServiceAccount", "name": lab.params.person, "namespace": lab.params.namespace})


def till_forgotten(lab: Lab) -> None:
    lab.till["subjects"] = [{"kind": "ServiceAccount", "name": "till", "namespace": "default"}]


def no_file(lab: Lab) -> None:
    lab.file = None


def beside(lab: Lab) -> None:
    lab.file, lab.beside = None, f"/home/student/{lab.params.person}.kubeconfig\n"


def text(content: str) -> Change:
    def change(lab: Lab) -> None:
        lab.text = content

    return change


def cluster(**changes: Any) -> Change:
    def change(lab: Lab) -> None:
        for key, value in changes.items():
            lab.at.pop(key.replace("_", "-"), None)
            if value is not None:
                lab.at[key.replace("_", "-")] = value

    return change


def admin_copied(lab: Lab) -> None:
    lab.file["users"][0]["user"] = {"client-certificate-data": admin_certificate(), "client-key-data": "a2V5"}


def admin_beside(lab: Lab) -> None:
    lab.file["users"].append({"name": "default", "user": {"client-certificate-data": admin_certificate(), "client-key-data": "a2V5"}})


def wrong_context(lab: Lab) -> None:
    lab.file["current-context"] = ""


def user_misnamed(lab: Lab) -> None:
    lab.file["contexts"][0]["context"]["user"] = "somebody"


def with_token(make: Callable[[Lab], str]) -> Change:
    return lambda lab: lab.user.update(token=make(lab))


def encoded_token(lab: Lab) -> str:
    return base64.b64encode(token(lab.params.namespace, lab.params.person).encode()).decode()


def till_for_all(lab: Lab) -> None:
    """The till's binding as the predecessor left it."""
    lab.till["subjects"] = [{"kind": "Group", "name": f"system:serviceaccounts:{lab.params.namespace}"}]


def till_for_all_and(*changes: Change) -> Change:
    """The group is the cause, whatever else is there."""
    return lambda lab: [change(lab) for change in (till_for_all, *changes)]


def restart_for_somebody_else_and_no_logs(lab: Lab) -> None:
    """A first try of the other task, which is not why logs cannot be read."""
    rule("look", 0, resources=["pods"])(lab)
    lab.bind("Role/restart", namespace=lab.params.namespace)
    lab.objects[-1]["subjects"][0]["namespace"] = "default"


def harmless_everywhere(lab: Lab) -> None:
    lab.objects.append(cluster_role("namespaces", [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]))
    lab.bind("ClusterRole/namespaces")


def no_logs_and(**more: Any) -> Change:
    """Logs are missing, and another rule is of no use."""
    return lambda lab: [rule("look", 0, resources=["pods"])(lab), more_rights(**more)(lab)]


def signed_by_nobody(lab: Lab) -> None:
    claims = part({"sub": "me", "iat": [], "exp": "soon"})
    lab.user["token"] = f"{part({'alg': 'RS256'})}.{claims}.{part(b'signature of nobody')}"


WRONG: list[tuple[Change, str, str]] = [
    (no_logs_and(resources=["deployments"], verbs=["get", "list", "watch"]), "look", "logs"),
    (no_logs_and(resources=["pod"], verbs=["get", "list", "watch"]), "look", "logs"),
    (restart_for_somebody_else_and_no_logs, "look", "logs"),
    (rule("restart", resourceNames=["shop", "till"]), "restart", "every-deployment"),
    (till_for_all_and(rule("restart", apiGroups=["*"])), "bounds", "group"),
    (till_for_all_and(harmless_everywhere), "bounds", "group"),
    (signed_by_nobody, "kubeconfig", ""),
    (text("a: !!timestamp x"), "kubeconfig", ""),
    (dropped("ServiceAccount/{person}"), "account", ""),
    (moved("ServiceAccount/{person}"), "account", "other-namespace"),
    (renamed_account, "account", "other-name"),
    (subject("look", namespace="default"), "look", "subject-namespace"),
    (subject("look", name="{person}s"), "look", ""),
    (user_of_this_name, "look", "subject-kind"),
    (user_of_other_namespace, "look", "subject-namespace"),
    (group_of_this_name, "look", "subject-kind"),
    (no_subject, "look", "no-binding"),
    (role_misnamed, "look", "role-missing"),
    (moved("Role/look"), "look", "role-missing"),
    (bound_elsewhere_only, "look", "binding-namespace"),
    (never_bound, "look", "no-binding"),
    (rule("look", 1, apiGroups=[""]), "look", "api-group"),
    (rule("look", 1, apiGroups=["extensions"]), "look", "api-group"),
    (rule("look", 0, resources=["pod", "pods/log"]), "look", "resource-name"),
    (rule("look", 0, resources=["pods", "logs"]), "look", "resource-name"),
    (rule("look", 0, resources=["pods"]), "look", "logs"),
    (rule("look", 0, verbs=["get", "list"]), "look", "verb-missing"),
    (rule("look", 1, verbs=["list"]), "look", "verb-missing"),
    (all_with_names, "look", "resource-names"),
    (subject("restart", namespace="kube-system"), "restart", "subject-namespace"),
    (rule("restart", resourceNames=[]), "restart", "every-deployment"),
    (bound("ClusterRole/edit", "{namespace}"), "restart", "every-deployment"),
    (rule("restart", verbs=["get", "update"]), "restart", "verb-missing"),
    (rule("restart", resourceNames=["web"]), "restart", "other-name"),
    (rule("restart", resources=["deployment"]), "restart", "resource-name"),
    (rule("restart", apiGroups=["extensions"]), "restart", "api-group"),
    (dropped("RoleBinding/restart"), "restart", "role-not-bound"),
    (bound("ClusterRole/view"), "bounds", "cluster-wide"),
    (bound("ClusterRole/cluster-admin"), "bounds", "cluster-wide"),
    (bound("ClusterRole/edit", "{namespace}"), "bounds", "ready-made"),
    (bound("ClusterRole/cluster-admin", "{namespace}"), "bounds", "ready-made"),
    (more_rights(resources=["*"], verbs=["get", "list"]), "bounds", "stars"),
    (more_rights(verbs=["*"]), "bounds", "stars"),
    (more_rights(resources=["secrets"]), "bounds", "rule-too-wide"),
    (more_rights(resources=["pods/exec"], verbs=["create"]), "bounds", "rule-too-wide"),
    (more_rights(verbs=["delete"]), "bounds", "rule-too-wide"),
    (bound("ClusterRole/view", "accounts"), "bounds", "rule-too-wide"),
    (view_for_all_accounts, "bounds", "group"),
    (account_added_to_the_till, "bounds", "rule-too-wide"),
    (dropped("RoleBinding/till"), "bounds", "till-cut-off"),
    (dropped("Role/till"), "bounds", "till-cut-off"),
    (till_forgotten, "bounds", "till-cut-off"),
    (no_file, "kubeconfig", ""),
    (beside, "kubeconfig", "other-place"),
    (text("just words"), "kubeconfig", ""),
    (text("a: [b"), "kubeconfig", ""),
    (text(""), "kubeconfig", ""),
    (text("clusters: 7\nusers: {a: b}\ncurrent-context: [x]"), "kubeconfig", ""),
    (admin_copied, "kubeconfig", "admin"),
    (admin_beside, "kubeconfig", "admin"),
    (cluster(certificate_authority_data=None, insecure_skip_tls_verify=True), "kubeconfig", "insecure"),
    (cluster(certificate_authority_data=None, certificate_authority="/home/student/work/ca.crt"), "kubeconfig", "ca-file"),
    (cluster(certificate_authority_data=None), "kubeconfig", "no-ca"),
    (cluster(server="https://127.0.0.1:6443"), "kubeconfig", "loopback"),
    (cluster(server="https://localhost:6443"), "kubeconfig", "loopback"),
    (cluster(server="https://10.43.0.1"), "kubeconfig", "inside-only"),
    (cluster(server="https://kubernetes.default.svc"), "kubeconfig", "inside-only"),
    (cluster(server="https://10.83.0.9:6443"), "kubeconfig", ""),
    (cluster(server="https://10.83.0.2:port"), "kubeconfig", ""),
    (cluster(server=f"{ADDRESS}:6443"), "kubeconfig", ""),
    (cluster(server=None), "kubeconfig", ""),
    (wrong_context, "kubeconfig", ""),
    (user_misnamed, "kubeconfig", ""),
    (with_token(encoded_token), "kubeconfig", "token-encoded"),
    (with_token(lambda lab: "secret"), "kubeconfig", ""),
    (with_token(lambda lab: ""), "kubeconfig", ""),
    (with_token(lambda lab: token(lab.params.namespace, lab.params.person, 8, NOW - 9 * HOUR)), "kubeconfig", "token-expired"),
    (with_token(lambda lab: token(lab.params.namespace, "default")), "kubeconfig", "other-account"),
    (with_token(lambda lab: token("default", lab.params.person)), "kubeconfig", "other-account"),
    (with_token(lambda lab: token(lab.params.namespace, lab.params.person, None)), "expiry", "never-ends"),
    (with_token(lambda lab: token(lab.params.namespace, lab.params.person, 8760)), "expiry", "too-long"),
    (with_token(lambda lab: token(lab.params.namespace, lab.params.person, 25)), "expiry", "too-long"),
    (with_token(lambda lab: token(lab.params.namespace, lab.params.person, 48, NOW - 40 * HOUR)), "expiry", "too-long"),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis, ("fail",))


def test_no_token_and_no_key_is_in_the_evidence() -> None:
    lab = Lab()
    admin_beside(lab)
    secrets = [lab.user["token"], "a2V5"]
    lab.user["token-of-old"] = "another one"
    lab.verdicts()
    said = repr(lab.cluster.evidence())
    assert not [secret for secret in [*secrets, "another one"] if secret in said]


def test_a_file_that_swells_is_read_in_bounds() -> None:
    lab = Lab()
    lines = [
        "a: &a [x, x, x, x, x, x, x, x]",
        *(f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(8))}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
    lab.text = "\n".join([*lines, "current-context: *i", "clusters: [{name: *i, cluster: {server: *i}}]"])
    assert lab.verdicts()["kubeconfig"].verdict.value == "fail"


def test_a_task_that_is_wrong_leaves_the_others_alone() -> None:
    lab = Lab()
    more_rights(resources=["secrets"])(lab)
    rule("restart", verbs=["get"])(lab)
    with_token(lambda lab: token(lab.params.namespace, lab.params.person, 48))(lab)
    assert lab.passed() == ALL - {"bounds", "restart", "expiry"}


def test_commands_to_look_with_are_ones_that_kubectl_takes() -> None:
    lab = copy.copy(Lab())
    rule("look", 0, resources=["pods"])(lab)
    assert "can-i get pods --subresource=log --as=" in lab.verdicts()["look"].next


def test_a_folder_of_this_name_is_told_as_one() -> None:
    lab = Lab()
    lab.file, lab.beside = None, f"/home/student/work/{lab.params.person}.kubeconfig\n"
    one = lab.verdicts()["kubeconfig"]
    assert one.actual == "it cannot be read as a file"
