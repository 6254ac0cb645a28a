"""The table of causes: what was seen → why, and what to look at next. First match wins, so the special stands before the general.

`where` says who reports: "waiting", "crash", "running" (a container), "pod", "event" (a warning), "deployment", "service", "ingress",
"claim", "node", "job". `reason` and `message` are regular expressions, the first for all of the reason, the second for any part of the
message; its named groups, and the fields that the walker gives, fill {braces} in the sentence. `terminal`: waiting cannot help;
None leaves it to the walker's field `lasting`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    slug: str
    where: str
    reason: str
    sentence: str
    next: str = ""
    message: str = ""
    terminal: bool | None = True
    misses: str = ""  # the kind of object, named {name}, without whose coming (with its {key}) it does not pass by itself
    _reason: re.Pattern[str] = field(init=False, repr=False)
    _message: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reason", re.compile(self.reason))
        object.__setattr__(self, "_message", re.compile(self.message, re.S))

    def fits(self, where: str, reason: str, message: str) -> dict[str, str] | None:
        """The named parts of the message if the row fits, else None."""
        if where != self.where or not self._reason.fullmatch(reason):
            return None
        found = self._message.search(message)
        return None if found is None else {key: value or "" for key, value in found.groupdict().items()}


_PULL = "ErrImagePull|ImagePullBackOff|ErrImageNeverPull"
_CONFIG = "CreateContainerConfigError"
_CREATE = "CreateContainerError|RunContainerError|StartError|ContainerCannotRun"
_DESCRIBE_POD = "kubectl describe pod {pod} -n {namespace}"
_LOGS = "kubectl logs {pod} -n {namespace} -c {container} --previous"
_SCHEDULE = "Unschedulable"
# What the API server answers, in a log as it is or inside JSON: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
_DENIED = (
    r'forbidden: User \\?"system:serviceaccount:(?P<owner>[^:"\\]+):(?P<account>[^"\\]+)\\?" cannot (?P<verb>\w+) '
    r'resource \\?"(?P<resource>[^"\\]+)\\?"'
)

RULES: tuple[Rule, ...] = (
    # Images -------------------------------------------------------------------------------------------------------------------
    Rule(
        "image-name-invalid",
        "waiting",
        "InvalidImageName",
        "container {container}: “{image}” is not a valid image name",
        next="An image name is lower case, with one colon before the tag: compare it with {images}",
    ),
    Rule(
        "image-tag",
        "waiting",
        _PULL,
        "container {container}: there is no tag {tag} of image {repository}; here are {same_repository}",
        next="Compare the image in the object with the names that are there",
        message=r"(?s)^tag:",
    ),
    Rule(
        "image-name",
        "waiting",
        _PULL,
        "container {container}: image “{image}” cannot be had; did you mean {near_image}?",
        next="Compare the image in the object letter by letter with {near_image}",
        message=r"(?s)^name:",
    ),
    Rule(
        "image-never-pull",
        "waiting",
        "ErrImageNeverPull",
        "container {container}: image {image} is not on the node, and imagePullPolicy Never forbids to fetch it; here are {images}",
        next="sudo k3s crictl images",
    ),
    Rule(
        "image-private",
        "waiting",
        _PULL,
        "container {container}: the registry gives image {image} to nobody without a password, or has no such image",
        next=_DESCRIBE_POD,
        message=r"unauthorized|pull access denied|authorization failed|403 Forbidden",
    ),
    Rule(
        "image-missing",
        "waiting",
        _PULL,
        "container {container}: the registry has no image {image}; on the node are {images}",
        next="Compare the image in the object with the names that are there",
        message=r"not found|manifest unknown|does not exist",
    ),
    Rule(
        "registry-unreachable",
        "waiting",
        _PULL,
        "container {container}: image {image} is not on the node, and its registry cannot be reached; here are {images}",
        next="Compare the image in the object with the names that are there",
        message=r"dial tcp|no such host|i/o timeout|connection refused|network is unreachable|TLS handshake|deadline exceeded|lookup .* on",
    ),
    Rule(
        "image-pull",
        "waiting",
        _PULL,
        "container {container}: image {image} cannot be had: {message}; here are {images}",
        next=_DESCRIBE_POD,
    ),
    # Configuration ------------------------------------------------------------------------------------------------------------
    Rule(
        "config-key-missing",
        "waiting",
        _CONFIG,
        "container {container} wants key {key} of {what} {name}, which has no such key{keys_there}",
        next="kubectl describe {what} -n {namespace}",
        message=r"couldn't find key (?P<key>\S+) in (?P<what>ConfigMap|Secret) (?:\S+/)?(?P<name>[^\s/]+)",
        misses="{what}",
    ),
    Rule(
        "config-missing",
        "waiting",
        _CONFIG,
        "container {container} wants {what} {name}, which does not exist in namespace {namespace}",
        next="kubectl get configmaps,secrets -n {namespace}",
        message=r"(?P<what>configmap|secret) \"(?P<name>[^\"]+)\" not found",
        misses="{what}",
    ),
    Rule(
        "runs-as-root",
        "waiting",
        _CONFIG,
        "container {container} must not run as root (runAsNonRoot), but its image would",
        next=_DESCRIBE_POD,
        message=r"runAsNonRoot|non-root",
    ),
    Rule(
        "config-error",
        "waiting",
        _CONFIG,
        "container {container} cannot be configured: {message}",
        next=_DESCRIBE_POD,
    ),
    Rule(
        "mount-key-missing",
        "event",
        "FailedMount",
        "a volume wants key {key}, which its ConfigMap or Secret does not have",
        next="kubectl get configmaps,secrets -n {namespace} -o yaml",
        message=r"(?:volume \"(?P<volume>[^\"]+)\".*?)?references non-existent (?:config|secret) key: (?P<key>\S+)",
    ),
    Rule(
        "mount-config-missing",
        "event",
        "FailedMount",
        "a volume wants {what} {name}, which does not exist in namespace {namespace}",
        next="kubectl get configmaps,secrets -n {namespace}",
        message=r"(?P<what>configmap|secret) \"(?P<name>[^\"]+)\" not found",
        misses="{what}",
    ),
    Rule(
        "mount-failed",
        "event",
        "FailedMount|FailedAttachVolume",
        "a volume cannot be mounted: {message}",
        next=_DESCRIBE_POD,
        terminal=False,
    ),
    Rule(
        "sandbox",
        "event",
        "FailedCreatePodSandBox",
        "the node cannot set up the pod's network or sandbox: {message}",
        next="sudo journalctl -u k3s -n 50",
        terminal=False,
    ),
    # Starting -----------------------------------------------------------------------------------------------------------------
    Rule(
        "command-not-found",
        "waiting",
        _CREATE,
        "container {container}: its command “{program}” is not in the image",
        next="Compare command and args with what the image has",
        message=r"exec: \"(?P<program>[^\"]+)\".*(?:executable file not found|no such file)",
    ),
    Rule(
        "command-not-found",
        "crash",
        _CREATE,
        "container {container}: its command “{program}” is not in the image",
        next="Compare command and args with what the image has",
        message=r"exec: \"(?P<program>[^\"]+)\".*(?:executable file not found|no such file)",
    ),
    Rule(
        "command-not-executable",
        "waiting",
        _CREATE,
        "container {container}: its command “{program}” may not be executed",
        next="Compare command and args with what the image has",
        message=r"exec: \"(?P<program>[^\"]+)\".*permission denied",
    ),
    Rule(
        "mount-kind",
        "waiting",
        _CREATE,
        "container {container}: a file is mounted where the image has a folder, or the other way round",
        next=_DESCRIBE_POD,
        message=r"not a directory|are you trying to mount a directory",
    ),
    Rule(
        "create-error",
        "waiting",
        _CREATE,
        "container {container} cannot be created: {message}",
        next=_DESCRIBE_POD,
    ),
    # Crashes ------------------------------------------------------------------------------------------------------------------
    Rule(
        "oom-killed",
        "crash",
        "OOMKilled",
        "container {container} used more memory than its limit of {memory_limit} and was killed (OOMKilled)",
        next="kubectl describe pod {pod} -n {namespace} and look at limits.memory",
    ),
    Rule(
        "oom-killed",
        "waiting",
        _CREATE,
        "container {container} cannot even start with its memory limit of {memory_limit}",
        next="kubectl describe pod {pod} -n {namespace} and look at limits.memory",
        message=r"OOM-killed|memory limit too low",
    ),
    Rule(
        "liveness-probe",
        "crash",
        "LivenessFailed",
        "container {container} is restarted because its liveness probe fails: {message}",
        next="Compare the probe's port and path with what the container answers: kubectl describe pod {pod} -n {namespace}",
        terminal=None,
    ),
    Rule(
        "command-not-found",
        "crash",
        ".*",
        "container {container} ended with code 127: a command in it was not found",
        next=_LOGS,
        message=r"^exit 127$",
        terminal=None,
    ),
    Rule(
        "rbac-denied",
        "crash",
        ".*",
        "container {container} was refused by the Kubernetes API: ServiceAccount {account} may not {verb} {resource} (RBAC)",
        next="kubectl auth can-i {verb} {resource} -n {namespace} --as=system:serviceaccount:{owner}:{account}",
        message=_DENIED,
        terminal=None,
    ),
    Rule(
        "namespace-missing",
        "crash",
        ".*",
        "container {container} ended with code {exit_code}{again}: it wants namespace {name}, which does not exist",
        next=_LOGS,
        message=r"namespaces \"(?P<name>[^\"]+)\" not found",
        terminal=None,
        misses="Namespace",
    ),
    Rule(
        "wrong-architecture",
        "crash",
        ".*",
        "container {container}: the image is for another kind of processor",
        next="kubectl get nodes -L kubernetes.io/arch",
        message=r"exec format error",
        terminal=None,
    ),
    Rule(
        "ends-by-itself",
        "crash",
        "Completed",
        "container {container} does its work and ends with code 0; under a controller that restarts it, its main process must keep running",
        next="Compare command and args with what the image does by itself",
        terminal=None,
    ),
    Rule(
        "crash-loop",
        "crash",
        ".*",
        "container {container} ended with code {exit_code}{again}",
        next=_LOGS,
        terminal=None,
    ),
    # Probes -------------------------------------------------------------------------------------------------------------------
    Rule(
        "probe-port",
        "running",
        "Unhealthy",
        "container {container} runs but is not ready: its {probe} probe asks port {port}, where nothing listens{ports_declared}",
        next="Compare the probe's port with the container's: kubectl describe pod {pod} -n {namespace}",
        message=r"connection refused",
        terminal=None,
    ),
    Rule(
        "probe-path",
        "running",
        "Unhealthy",
        "container {container} runs but is not ready: its {probe} probe asks for {path} and is answered {status}",
        next="Compare the probe's path with what the application answers: kubectl logs {pod} -n {namespace}",
        message=r"statuscode: (?P<status>\d+)",
        terminal=None,
    ),
    Rule(
        "probe-timeout",
        "running",
        "Unhealthy",
        "container {container} runs but is not ready: its {probe} probe is not answered in time",
        next=_DESCRIBE_POD,
        message=r"deadline exceeded|timeout|Timeout",
        terminal=None,
    ),
    Rule(
        "probe-command",
        "running",
        "Unhealthy",
        "container {container} runs but is not ready: the command of its {probe} probe fails: {message}",
        next=_DESCRIBE_POD,
        terminal=None,
    ),
    Rule(
        "starting",
        "running",
        "NotReady",
        "container {container} runs but is not ready yet",
        next="kubectl logs {pod} -n {namespace}",
        terminal=False,
    ),
    # Scheduling ---------------------------------------------------------------------------------------------------------------
    Rule(
        "insufficient",
        "pod",
        _SCHEDULE,
        "no node has enough {resource} left: the pod asks for {asked}{node_has}",
        next="Compare the requests with `kubectl describe nodes` (Allocatable, Allocated resources)",
        message=r"Insufficient (?P<resource>[\w\-/]+(?:\.[\w\-/]+)*)",
    ),
    Rule(
        "node-not-ready",
        "pod",
        _SCHEDULE,
        "no node is ready to take the pod (taint {taint})",
        next="kubectl get nodes",
        message=r"untolerated taint\S* \{(?P<taint>node\.kubernetes\.io/(?:not-ready|unreachable|network-unavailable)[^}]*)\}",
        terminal=False,
    ),
    Rule(
        "cordoned",
        "pod",
        _SCHEDULE,
        "the node takes no new pods: it is cordoned",
        next="kubectl get nodes",
        message=r"node\.kubernetes\.io/unschedulable|node\(s\) were unschedulable",
    ),
    Rule(
        "taint",
        "pod",
        _SCHEDULE,
        "the pod does not tolerate the node's taint {taint}",
        next="kubectl describe nodes | grep -i taint",
        message=r"untolerated taint\S* \{(?P<taint>[^}]+)\}",
    ),
    Rule(
        "taint",
        "pod",
        _SCHEDULE,
        "the pod does not tolerate the taint of a node",
        next="kubectl describe nodes | grep -i taint",
        message=r"untolerated taint",
    ),
    Rule(
        "node-selector",
        "pod",
        _SCHEDULE,
        "no node has the labels the pod asks for: {node_selector}",
        next="kubectl get nodes --show-labels",
        message=r"node affinity/selector|node selector",
    ),
    Rule(
        "claim-missing",
        "pod",
        _SCHEDULE,
        "the pod wants PersistentVolumeClaim {name}, which does not exist in namespace {namespace}",
        next="kubectl get pvc -n {namespace}",
        message=r"persistentvolumeclaim \"(?P<name>[^\"]+)\" not found",
        misses="PersistentVolumeClaim",
    ),
    Rule(
        "storage-class-missing",
        "pod",
        _SCHEDULE,
        "the pod's PersistentVolumeClaim asks for StorageClass {name}, which does not exist",
        next="kubectl get storageclasses",
        message=r"storageclass\S* \"(?P<name>[^\"]+)\" not found",
        misses="StorageClass",
    ),
    Rule(
        "claim-unbound",
        "pod",
        _SCHEDULE,
        "the pod waits for its PersistentVolumeClaim to be bound",
        next="kubectl get pvc -n {namespace}",
        message=r"unbound immediate PersistentVolumeClaims",
        terminal=False,
    ),
    Rule(
        "port-taken",
        "pod",
        _SCHEDULE,
        "a host port the pod wants is taken on every node{port_holder}",
        next="kubectl get pods -A -o wide",
        message=r"didn't have free ports",
    ),
    Rule(
        "volume-node",
        "pod",
        _SCHEDULE,
        "the pod's volume is tied to a node that cannot take the pod",
        next="kubectl get pv -o wide",
        message=r"didn't match PersistentVolume's node affinity|volume node affinity conflict",  # the latter in earlier versions
    ),
    Rule(
        "anti-affinity",
        "pod",
        _SCHEDULE,
        "the pod must not run beside another that is on every node (anti-affinity)",
        next=_DESCRIBE_POD,
        message=r"anti-affinity rules",
    ),
    Rule(
        "too-many-pods",
        "pod",
        _SCHEDULE,
        "the node has as many pods as it may have",
        next="kubectl get pods -A",
        message=r"Too many pods",
    ),
    Rule(
        "unschedulable",
        "pod",
        _SCHEDULE,
        "no node can take the pod: {message}",
        next=_DESCRIBE_POD,
    ),
    Rule(
        "evicted",
        "pod",
        "Evicted",
        "the pod was evicted: {message}",
        next="kubectl describe nodes",
    ),
    Rule(
        "pod-deadline",
        "pod",
        "DeadlineExceeded",
        "the pod ran longer than it may (activeDeadlineSeconds)",
        next=_DESCRIBE_POD,
    ),
    Rule(
        "node-lost",
        "pod",
        "NodeLost|NodeMissing",
        "the pod is bound to node {node}, which {node_state}",
        next="kubectl get nodes",
    ),
    Rule(
        "unscheduled",
        "pod",
        "Pending",
        "the pod is not placed on a node yet",
        next="kubectl get pods -n kube-system",
        terminal=False,
    ),
    Rule(
        "creating",
        "pod",
        "Creating",
        "the pod's containers are being created",
        next=_DESCRIBE_POD,
        terminal=False,
    ),
    Rule(
        "finalizer",
        "pod",
        "Stuck",
        "{what} is being deleted, but waits for {finalizers}",
    ),
    # Creating pods ------------------------------------------------------------------------------------------------------------
    Rule(
        "quota-needs",
        "event",
        "FailedCreate",
        "ResourceQuota {quota} demands that every container states {needs}",
        next="kubectl describe quota -n {namespace}",
        message=r"failed quota: (?P<quota>[^:]+): must specify (?P<needs>[^;]+)",
    ),
    Rule(
        "quota",
        "event",
        "FailedCreate",
        "ResourceQuota {quota} forbids more pods: requested {requested}, used {used}, limited {limited}",
        next="kubectl describe quota -n {namespace}",
        message=r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: (?P<used>.+?), limited: (?P<limited>[^\n]+)",
    ),
    Rule(
        "pod-security",
        "event",
        "FailedCreate",
        "the namespace's pod security level “{level}” refuses the pod: {details}",
        next="kubectl get namespace {namespace} --show-labels",
        message=r"violates PodSecurity \"(?P<level>[^\"]+)\": (?P<details>[^\n]+)",
    ),
    Rule(
        "limit-range",
        "event",
        "FailedCreate",
        "a LimitRange refuses the pod: {details}",
        next="kubectl describe limits -n {namespace}",
        message=r"(?P<details>(?:maximum|minimum) [\w.-]+ usage per [^\n]+)",
    ),
    Rule(
        "service-account-missing",
        "event",
        "FailedCreate",
        "the pod wants ServiceAccount {name}, which does not exist in namespace {namespace}",
        next="kubectl get serviceaccounts -n {namespace}",
        message=r"serviceaccount \"(?:[^\"/]+/)?(?P<name>[^\"]+)\" not found",
        misses="ServiceAccount",
    ),
    Rule(
        "service-account-missing",
        "event",
        "FailedCreate",
        "the pod wants ServiceAccount {name}, which does not exist in namespace {namespace}",
        next="kubectl get serviceaccounts -n {namespace}",
        message=r"error looking up service account \S+?/(?P<name>[^\s:]+)",
    ),
    Rule(
        "webhook-denied",
        "event",
        "FailedCreate",
        "admission webhook {webhook} refuses the pod: {details}",
        message=r"admission webhook \"(?P<webhook>[^\"]+)\" denied the request: (?P<details>[^\n]+)",
    ),
    Rule(
        "webhook-unreachable",
        "event",
        "FailedCreate",
        "admission webhook {webhook} is to be asked about each pod, and cannot be reached: {details}",
        next="kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        message=r"failed calling webhook \"(?P<webhook>[^\"]+)\": (?:failed to call webhook: )?(?P<details>[^\n]+)",
    ),
    Rule(
        "policy-denied",
        "event",
        "FailedCreate",
        "admission policy {policy} refuses the pod: {details}",
        next="kubectl describe validatingadmissionpolicy {policy}",
        message=r"ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']+' denied request: (?P<details>[^\n]+)",
    ),
    Rule(
        "create-forbidden",
        "event",
        "FailedCreate",
        "pods cannot be created: {message}",
        next="kubectl get events -n {namespace}",
    ),
    # Deployments and Jobs -----------------------------------------------------------------------------------------------------
    Rule(
        "scaled-to-zero",
        "deployment",
        "ScaledToZero",
        "it is scaled to 0 replicas",
        next="kubectl get deployments -n {namespace}",
    ),
    Rule(
        "paused",
        "deployment",
        "Paused",
        "its rollout is paused: changes of the template are not carried out",
        next="kubectl rollout resume --help",
    ),
    Rule(
        "no-progress",
        "deployment",
        "ProgressDeadlineExceeded",
        "its rollout has made no progress for {deadline} seconds",
        next="kubectl rollout status deployment/{name} -n {namespace}",
    ),
    Rule(
        "job-backoff",
        "job",
        "BackoffLimitExceeded",
        "its pods failed more often than backoffLimit allows",
        next="kubectl describe job {name} -n {namespace}",
    ),
    Rule(
        "job-deadline",
        "job",
        "DeadlineExceeded",
        "it ran longer than activeDeadlineSeconds allows",
        next="kubectl describe job {name} -n {namespace}",
    ),
    Rule(
        "job-failed",
        "job",
        ".*",
        "it failed: {message}",
        next="kubectl describe job {name} -n {namespace}",
    ),
    # Services -----------------------------------------------------------------------------------------------------------------
    Rule(
        "selector-none",
        "service",
        "NoSelector",
        "it has no selector, so it reaches no pods by itself",
        next="kubectl describe service {name} -n {namespace}",
    ),
    Rule(
        "selector-other-namespace",
        "service",
        "SelectorElsewhere",
        "its selector {selector} matches no pod in namespace {namespace}; pods with these labels are in namespace {elsewhere}",
        next="kubectl get pods -A --show-labels",
    ),
    Rule(
        "selector-matches-no-pod",
        "service",
        "SelectorMatchesNothing",
        "its selector {selector} matches no pod{labels_there}",
        next="kubectl get pods -n {namespace} --show-labels",
    ),
    Rule(
        "target-port-name",
        "service",
        "TargetPortName",
        "it sends to port “{port}”, a name that no container of its pods declares{declared}",
        next="kubectl describe service {name} -n {namespace}",
    ),
    Rule(
        "target-port",
        "service",
        "TargetPort",
        "it sends to port {port}, but the containers of its pods declare {declared}",
        next="Compare targetPort with containerPort: kubectl describe service {name} -n {namespace}",
    ),
    Rule(
        "load-balancer-port-taken",
        "service",
        "PortTaken",
        "port {port} of the node is taken by Service {holder} in namespace {holder_namespace}",
        next="kubectl get services -A",
    ),
    Rule(
        "load-balancer-pending",
        "service",
        "LoadBalancerPending",
        "no load balancer has given it an address yet",
        next="kubectl get pods -n kube-system",
        terminal=False,
    ),
    # Ingress ------------------------------------------------------------------------------------------------------------------
    Rule(
        "class-missing",
        "ingress",
        "NoClass",
        "it names no ingress class, and there is no default one, so no controller claims it{classes}",
        next="kubectl get ingressclasses",
    ),
    Rule(
        "class-unknown",
        "ingress",
        "UnknownClass",
        "no controller claims its ingress class “{wanted}”{classes}",
        next="kubectl get ingressclasses",
    ),
    Rule(
        "backend-other-namespace",
        "ingress",
        "BackendElsewhere",
        "it sends to Service {service}, which is not in its namespace {namespace} but in {elsewhere}; both must be in the same one",
        next="kubectl get services,ingresses -A",
    ),
    Rule(
        "backend-missing",
        "ingress",
        "BackendMissing",
        "it sends to Service {service}, which does not exist in namespace {namespace}{near}",
        next="kubectl get services -n {namespace}",
    ),
    Rule(
        "backend-port",
        "ingress",
        "BackendPort",
        "it asks Service {service} for port {port}, which offers {offered}",
        next="kubectl describe ingress {name} -n {namespace}",
    ),
    Rule(
        "host-taken",
        "ingress",
        "HostTaken",
        "Ingress {other} in namespace {other_namespace} leads {host}{path} elsewhere: which of the two is followed is not said anywhere",
        next="kubectl get ingresses -A",
    ),
    Rule(
        "tls-missing",
        "ingress",
        "TlsMissing",
        "it wants the certificate of Secret {secret}, which does not exist in namespace {namespace}",
        next="kubectl get secrets -n {namespace}",
    ),
    Rule(
        "tls-type",
        "ingress",
        "TlsType",
        "Secret {secret} is of type {type}, and a certificate needs kubernetes.io/tls",
        next="kubectl get secrets -n {namespace}",
    ),
    # Storage ------------------------------------------------------------------------------------------------------------------
    Rule(
        "storage-class-missing",
        "claim",
        "UnknownClass",
        "there is no StorageClass {wanted}{classes}",
        next="kubectl get storageclasses",
    ),
    Rule(
        "storage-class-none",
        "claim",
        "NoClass",
        "it names no StorageClass, and there is no default one{classes}",
        next="kubectl get storageclasses",
    ),
    Rule(
        "waits-for-pod",
        "claim",
        "WaitsForPod",
        "it is bound only when a pod uses it (WaitForFirstConsumer), and none does",
        next="kubectl describe pvc {name} -n {namespace}",
        terminal=False,
    ),
    Rule(
        "access-mode",
        "event",
        "ProvisioningFailed",
        "the storage cannot give access mode {modes}: {message}",
        next="kubectl describe pvc -n {namespace}",
        message=r"(?i)(?:only support\w* \w*ReadWriteOnce|access ?modes?|NodePath only)",
    ),
    Rule(
        "storage-class-missing",
        "event",
        "ProvisioningFailed",
        "there is no StorageClass {name}",
        next="kubectl get storageclasses",
        message=r"storageclass\S* \"(?P<name>[^\"]+)\" not found",
        misses="StorageClass",
    ),
    Rule(
        "provisioning-failed",
        "event",
        "ProvisioningFailed",
        "its volume could not be made: {message}",
        next="kubectl describe pvc -n {namespace}",
    ),
    # Nodes --------------------------------------------------------------------------------------------------------------------
    Rule(
        "node-silent",
        "node",
        "NodeStatusUnknown|Unknown",
        "its kubelet has stopped reporting: the machine or its K3s is down",
        next="sudo systemctl status k3s k3s-agent",
    ),
    Rule(
        "node-network",
        "node",
        "KubeletNotReady",
        "its pod network is not ready: {message}",
        next="sudo journalctl -u k3s -n 50",
        message=r"(?i)cni|network plugin",
        terminal=False,
    ),
    Rule(
        "node-pressure",
        "node",
        "Pressure",
        "it is short of {what} and takes no new pods",
        next="kubectl describe node {name}",
    ),
    Rule(
        "node-cordoned",
        "node",
        "Cordoned",
        "it is cordoned: it takes no new pods",
        next="kubectl uncordon --help",
    ),
    Rule(
        "node-not-ready",
        "node",
        ".*",
        "it is not ready: {message}",
        next="kubectl describe node {name}",
        terminal=False,
    ),
    # K3s ----------------------------------------------------------------------------------------------------------------------
    Rule(
        "addon-unread",
        "event",
        "ReadManifestFailed",
        "its manifest cannot be read: {message}",
        next="sudo journalctl -u k3s | grep -i manifest",
    ),
    Rule(
        "addon-invalid",
        "event",
        "(Parse|Validate)ManifestFailed",
        "its manifest is not valid: {message}",
        next="sudo journalctl -u k3s | grep -i manifest",
    ),
    Rule(
        "addon-refused",
        "event",
        "ApplyManifestFailed",
        "its manifest cannot be applied: {message}",
        next="sudo journalctl -u k3s | grep -i manifest",
    ),
)
