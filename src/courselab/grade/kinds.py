"""Which kinds of objects there are, where the API serves them, and which are always collected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of object: where its list is served and whether its objects live in namespaces."""

    name: str  # "Deployment"
    api: str  # "apps/v1", "v1"
    plural: str  # "deployments"
    namespaced: bool = True

    @property
    def group(self) -> str:
        return self.api.rpartition("/")[0]

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """The URL path of the list, or of one object."""
        parts = ["/apis" if self.group else "/api", self.api]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


# What `why` needs to follow any trouble to its cause; collected for every lab.
ALWAYS = (
    Kind("Namespace", "v1", "namespaces", False),
    Kind("Node", "v1", "nodes", False),
    Kind("Pod", "v1", "pods"),
    Kind("Service", "v1", "services"),
    Kind("ConfigMap", "v1", "configmaps"),
    Kind("Secret", "v1", "secrets"),
    Kind("Event", "v1", "events"),
    Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
    Kind("PersistentVolume", "v1", "persistentvolumes", False),
    Kind("ResourceQuota", "v1", "resourcequotas"),
    Kind("LimitRange", "v1", "limitranges"),
    Kind("Deployment", "apps/v1", "deployments"),
    Kind("ReplicaSet", "apps/v1", "replicasets"),
    Kind("StatefulSet", "apps/v1", "statefulsets"),
    Kind("DaemonSet", "apps/v1", "daemonsets"),
    Kind("Job", "batch/v1", "jobs"),
    Kind("CronJob", "batch/v1", "cronjobs"),
    Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
    Kind("Ingress", "networking.k8s.io/v1", "ingresses"),
    Kind("IngressClass", "networking.k8s.io/v1", "ingressclasses", False),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", False),
)
# K3s's own; collected where the cluster serves them.
K3S = (
    Kind("Addon", "k3s.cattle.io/v1", "addons"),
    Kind("HelmChart", "helm.cattle.io/v1", "helmcharts"),
    Kind("HelmChartConfig", "helm.cattle.io/v1", "helmchartconfigs"),
)
# Collected when a check reads them.
ON_REQUEST = (
    Kind("ServiceAccount", "v1", "serviceaccounts"),
    Kind("Endpoints", "v1", "endpoints"),
    Kind("ControllerRevision", "apps/v1", "controllerrevisions"),
    Kind("Role", "rbac.authorization.k8s.io/v1", "roles"),
    Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    Kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", False),
    Kind("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    Kind("SubjectAccessReview", "authorization.k8s.io/v1", "subjectaccessreviews", False),  # a question: created, answered, not kept
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    Kind("PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", False),
    Kind("Lease", "coordination.k8s.io/v1", "leases"),
    Kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    Kind("APIService", "apiregistration.k8s.io/v1", "apiservices", False),
    Kind("ETCDSnapshotFile", "k3s.cattle.io/v1", "etcdsnapshotfiles", False),
    Kind("IngressRoute", "traefik.io/v1alpha1", "ingressroutes"),
    Kind("Middleware", "traefik.io/v1alpha1", "middlewares"),
    Kind("Plan", "upgrade.cattle.io/v1", "plans"),
)
KNOWN = {kind.name: kind for kind in (*ALWAYS, *K3S, *ON_REQUEST)}
# How else people call them.
ALIASES = {
    "AddOn": "Addon",
    "PVC": "PersistentVolumeClaim",
    "PV": "PersistentVolume",
    "CRD": "CustomResourceDefinition",
    "HPA": "HorizontalPodAutoscaler",
}


def canonical(name: str) -> str:
    """The kind's name as the API writes it, without a group: "AddOn" → "Addon", "traefik.io/IngressRoute" → "IngressRoute"."""
    bare = name.rpartition("/")[2]
    return ALIASES.get(bare, bare)


def to_collect(reads: set[str]) -> tuple[list[Kind], list[str]]:
    """The kinds to list for checks that read these, and the names that only a CustomResourceDefinition can explain."""
    names = {canonical(name) for name in reads}
    extra = [KNOWN[name] for name in sorted(names) if name in KNOWN]
    kinds = list(dict.fromkeys((*ALWAYS, *K3S, *extra)))
    return kinds, sorted(name for name in names if name not in KNOWN)
