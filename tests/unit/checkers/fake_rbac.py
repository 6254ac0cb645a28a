"""Who may do what, worked out from Roles and bindings as the API server does it."""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any, Protocol

from tests.unit.checkers.fake_cluster import Obj


class HasObjects(Protocol):
    """A cluster on paper."""

    @property
    def objects(self) -> list[Obj]: ...


# As much of Kubernetes's ready-made roles as the questions touch: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
READY_MADE: dict[str, list[Obj]] = {
    "view": [
        {"apiGroups": [""], "resources": ["pods", "pods/log", "configmaps", "services"], "verbs": _READ},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": _READ},
    ],
    "edit": [
        {"apiGroups": [""], "resources": ["pods", "pods/log", "pods/exec", "configmaps", "secrets"], "verbs": _READ + _WRITE},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": _READ + _WRITE},
    ],
    "cluster-admin": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
}


class Rbac:
    """Answers to SubjectAccessReviews, as the cluster is now."""

    def __init__(self, cluster: HasObjects) -> None:
        self._of: defaultdict[str, list[Obj]] = defaultdict(list)  # by kind
        for obj in cluster.objects:
            self._of[obj["kind"]].append(obj)
        self._bound = functools.cache(self._bound_anew)

    def answer(self, user: str, groups: list[str], asked: Obj) -> Obj:
        """{"allowed", "reason"}, with the words of the API server."""
        for binding, subject in self._bound(user, tuple(groups)):
            namespace = binding["metadata"].get("namespace", "")
            if namespace in ("", asked.get("namespace")) and any(
                self._fits(rule, asked) for rule in self._rules(binding["roleRef"], namespace)
            ):
                where = f'"{binding["metadata"]["name"]}{"/" + namespace if namespace else ""}"'
                role, to = binding["roleRef"], f'{subject["kind"]} "{subject["name"]}"'
                return {"allowed": True, "reason": f'RBAC: allowed by {binding["kind"]} {where} of {role["kind"]} "{role["name"]}" to {to}'}
        return {"allowed": False, "reason": ""}

    def create(self, review: Obj) -> Obj:
        """The API server's answer to a SubjectAccessReview."""
        spec = review["spec"]
        return {"status": self.answer(spec["user"], spec["groups"], spec["resourceAttributes"])}

    def _bound_anew(self, user: str, groups: tuple[str, ...]) -> list[tuple[Obj, Obj]]:
        """The bindings of a user, each with the subject that is meant."""
        bindings = self._of["ClusterRoleBinding"] + self._of["RoleBinding"]
        meant = (
            (one, next((subject for subject in one.get("subjects") or [] if self._is(subject, user, groups)), None)) for one in bindings
        )
        return [(binding, subject) for binding, subject in meant if subject is not None]

    @staticmethod
    def _is(subject: Obj, user: str, groups: tuple[str, ...]) -> bool:
        if subject["kind"] == "ServiceAccount":
            return user == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
        return subject["name"] == user if subject["kind"] == "User" else subject["name"] in groups

    def _rules(self, role: Obj, namespace: str) -> list[Obj]:
        for found in self._of[role["kind"]]:
            if found["metadata"]["name"] == role["name"] and found["metadata"].get("namespace", "") in ("", namespace):
                return found.get("rules") or []
        return []

    @staticmethod
    def _fits(rule: Obj, asked: Obj) -> bool:
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        names: list[str] = rule.get("resourceNames") or []

        def holds(values: Any, wanted: str) -> bool:
            return "*" in values or wanted in values

        named = not names or asked.get("name", "") in names
        return (
            named
            and holds(rule["verbs"], asked["verb"])
            and holds(rule.get("resources") or [], resource)  # none in rules about URLs
            and holds(rule.get("apiGroups") or [], asked.get("group", ""))
        )
