"""Chapter 07, add-ons and Helm: what K3s keeps applied, installs, changes, leaves out, and what it leaves behind."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import re
import secrets
from typing import Any

from courselab.grade import at_least, check, diagnose, expect, fact, fail, partial, probe
from courselab.grade.kube import ApiRefused
from courselab.grade.plain_yaml import NotYaml, read_yaml

MANIFESTS = "/var/lib/rancher/k3s/server/manifests/"
STATIC = "/var/lib/rancher/k3s/server/static/"
SYSTEM = "kube-system"
STARTING_S = 20  # for what K3s does after its start
LOOKS_EVERY_S = 15  # pkg/deploy/controller.go
SUFFIXES = (".yaml", ".yml", ".json")
OWNER = "objectset.rio.cattle.io/owner-name"
RELEASE = "meta.helm.sh/release-name"
NODE_ARGS = "k3s.io/node-args"
VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
CHART_VALUES = {"replicas", "greeting", "image"}
GREETING = "WEB_BODY"
TRAEFIK = "app.kubernetes.io/name=traefik"
OLD_ACCESS, NEW_ACCESS, RENAMED_ACCESS = ("logs", "access", "enabled"), ("accessLog", "enabled"), 41  # from this version of the chart on
DISABLED = ("metrics-server", "local-storage")
OLD_TILL = "old-till"
TILL_MADE = (("Deployment", "default", "old-till"), ("Service", "default", "old-till"), ("ConfigMap", SYSTEM, "old-till-rates"))
ACCESS_WORD = "access"  # every way to turn Traefik's access log on has this word in it

Obj = dict[str, Any]


# Reading files and objects --------------------------------------------------------------------------------------------------


@fact("files", on="server")
def files_of_server(host: Any) -> dict[str, float]:
    """The files that K3s keeps applied, and those that it hands out, and since when each is there as it is (Unix seconds)."""
    listed = f"find {MANIFESTS} {STATIC} ! -type d -printf '%C@ %p\\0' 2>/dev/null | sort --zero-terminated --key=2 | head -z -n 500"
    found = host.run(listed).stdout_bytes.decode("utf-8", "replace").split("\0")  # a name may hold anything but this
    return {path: float(when) for when, _, path in (line.partition(" ") for line in found if line)}


def manifests(nodes: Any) -> list[str]:
    """The files below server/manifests, by their path in it."""
    return [path.removeprefix(MANIFESTS) for path in nodes["server"].fact("files") if path.startswith(MANIFESTS)]


def base(path: str) -> str:
    return path.rpartition("/")[2]


def is_manifest(path: str) -> bool:
    """Whether K3s reads a file: by its suffix, in letters of any size, and none that is hidden."""
    return path.lower().endswith(SUFFIXES) and not base(path).startswith(".")


def addon_of(path: str) -> str:
    """The name of the AddOn that a file becomes: up to the first dot."""
    return base(path).partition(".")[0]


def skipped(nodes: Any) -> set[str]:
    """The names of files that a file beside them keeps from being applied."""
    return {base(path).removesuffix(".skip") for path in manifests(nodes) if path.endswith(".skip")}


def applied_as(nodes: Any, name: str) -> list[str]:
    """The files that K3s applies as the AddOn of this name."""
    return [path for path in manifests(nodes) if is_manifest(path) and addon_of(path) == name and base(path) not in skipped(nodes)]


def await_look(cluster: Any, nodes: Any, only: str = "") -> None:
    """A failure waits while there is a file (of the AddOn `only`) at which K3s may not have looked since it was changed."""
    server = nodes["server"]
    for path, changed in server.fact("files").items():
        name = addon_of(path)
        if path.startswith(MANIFESTS) and is_manifest(path) and only in ("", name) and VALID_NAME.fullmatch(name):
            looked = max((time_of(event) for event in cluster.history("Addon", name, namespace=SYSTEM)), default=0.0)
            # Events have no parts of a second: one in the second of the change may be from before it.
            if server.time - changed < LOOKS_EVERY_S and looked <= int(changed):
                server.settling(f"K3s looks at its folder every {LOOKS_EVERY_S} seconds and may not have seen {base(path)} yet")


def time_of(event: Obj) -> float:
    """When something happened last, Unix seconds; 0 if it does not say."""
    try:
        return datetime.datetime.fromisoformat(event["lastTimestamp"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0.0


def annotation(obj: Obj | None, name: str) -> str:
    return ((obj or {}).get("metadata", {}).get("annotations") or {}).get(name, "")


def spec_of(obj: Obj | None) -> Obj:
    """What an object's spec says; nothing where there is neither."""
    return (obj or {}).get("spec") or {}


def place(obj: Obj) -> str:
    """An object with its namespace, in words."""
    metadata = obj["metadata"]
    inside = f" in namespace {metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{obj['kind']} {metadata['name']}{inside}"


def first_line(text: str) -> str:
    return next(iter(text.splitlines()), "").strip()[:300]


# 07.addon -------------------------------------------------------------------------------------------------------------------


@check("07.addon", reads=["Addon", "Deployment", "ReplicaSet", "Pod"])
def addon(cluster: Any, nodes: Any, params: Any) -> None:
    await_look(cluster, nodes, only=params.addon)
    look = f"kubectl describe addon {params.addon} --namespace={SYSTEM}"
    found = cluster.get("Addon", params.addon, namespace=SYSTEM)
    if not applied_as(nodes, params.addon):
        fail(
            f"K3s keeps nothing applied as AddOn {params.addon}: there is no file for it that K3s reads",
            expected=f"a file {params.addon}.yaml in {MANIFESTS}",
            actual="none that K3s reads",
            about=found,
            next=f"sudo ls {MANIFESTS}",
        )
    board = cluster.get("Deployment", "board", namespace=params.namespace)
    if annotation(board, OWNER) != params.addon:
        fail(
            f"Deployment board does not come from AddOn {params.addon}",
            expected=params.addon,
            actual=annotation(board, OWNER) or "no AddOn",
            path=f"metadata.annotations[{OWNER}]",
            about=board,
            next=look,
        )
    expect(board, next="kubectl get pods").matches({"status": {"availableReplicas": at_least(1)}})


@diagnose("07.addon", "invalid-name")
def name_that_no_object_may_have(nodes: Any, params: Any) -> str | None:
    for path in [] if applied_as(nodes, params.addon) else manifests(nodes):
        name = addon_of(path)
        if is_manifest(path) and not VALID_NAME.fullmatch(name):
            return (
                f"No object may be named {name}: small letters, digits and dashes are allowed. So K3s does not apply {base(path)}, and "
                "says so in its journal."
            )
    return None


@diagnose("07.addon", "shared-name")
def files_that_share_a_name(nodes: Any, params: Any) -> str | None:
    both = applied_as(nodes, params.addon)
    if len(both) < 2:
        return None
    return f"The files {' and '.join(both)} are one AddOn, {params.addon}: each takes away what only the other describes."


@diagnose("07.addon", "skipped")
def file_is_skipped(nodes: Any, params: Any) -> str | None:
    skip = next((path for path in manifests(nodes) if path.endswith(".skip") and addon_of(path) == params.addon), None)
    return f"The file {skip} tells K3s not to apply {base(skip).removesuffix('.skip')}." if skip else None


@diagnose("07.addon", "suffix")
def file_without_suffix(nodes: Any, params: Any) -> str | None:
    named = [path for path in manifests(nodes) if addon_of(path) == params.addon and not path.endswith(".skip")]
    if not named or applied_as(nodes, params.addon):
        return None
    return f"K3s reads files that end with {', '.join(SUFFIXES)}. {base(named[0])} is none of them."


@diagnose("07.addon", "cannot-be-applied")
def file_cannot_be_applied(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Addon", params.addon, namespace=SYSTEM)
    events = [event for event in (cluster.events_of(found) if found else []) if event.get("reason") != "ApplyingManifest"]
    newest = next(iter(events), {})  # the newest one comes first
    if not newest.get("reason", "").endswith("ManifestFailed"):  # Read…, Parse…, Validate…, Apply…
        return None
    return f"K3s could not apply the file. Its event {newest['reason']} says: {first_line(newest.get('message', ''))}"


@diagnose("07.addon", "other-name")
def board_from_other_addon(cluster: Any, params: Any) -> str | None:
    for found in cluster.list("Deployment"):
        owner = annotation(found, OWNER)
        if found["metadata"]["name"] == "board" and owner and owner != params.addon:
            return f"Deployment board comes from AddOn {owner}: an AddOn is named after its file, and this one is to be {params.addon}."
    return None


@diagnose("07.addon", "other-namespace")
def board_in_other_namespace(cluster: Any, params: Any) -> str | None:
    for found in cluster.list("Deployment"):
        if annotation(found, OWNER) == params.addon and found["metadata"]["namespace"] != params.namespace:
            return f"The file makes {place(found)}. The board belongs into {params.namespace}."
    return None


@diagnose("07.addon", "by-hand")
def applied_by_hand(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Deployment", "board", namespace=params.namespace)
    if found is None or annotation(found, OWNER):
        return None
    return "Deployment board was made with kubectl. It works, and nobody keeps it applied: K3s looks at files of one folder only."


# 07.helm --------------------------------------------------------------------------------------------------------------------


def helm_chart(cluster: Any, name: str) -> Obj:
    """The HelmChart of this name, in whichever namespace its Job may run; the check fails if there is none."""
    found = find_chart(cluster, name)
    return cluster.rely(found) if found else cluster.get("HelmChart", name, namespace=SYSTEM)


def find_chart(cluster: Any, name: str) -> Obj | None:
    if found := cluster.find("HelmChart", name, namespace=SYSTEM):
        return found
    return next((one for one in cluster.list("HelmChart") if one["metadata"]["name"] == name), None)


def job_log(cluster: Any, name: str) -> str:
    """The last words of the Job that installs this HelmChart, if it has failed."""
    chart = find_chart(cluster, name)
    job = cluster.find("Job", f"helm-install-{name}", namespace=chart["metadata"]["namespace"]) if chart else None
    return "\n".join(line for pod in (cluster.pods_of(job) if job else []) for line in cluster.log_of(pod))


def is_complete(job: Obj) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


@check("07.helm", reads=["Addon", "HelmChart", "HelmChartConfig", "Job", "Deployment", "ReplicaSet", "Pod"])
def helm(cluster: Any, nodes: Any, params: Any) -> None:
    await_look(cluster, nodes)
    chart = helm_chart(cluster, params.release)
    job = cluster.get("Job", f"helm-install-{params.release}", namespace=chart["metadata"]["namespace"])
    logs = f"kubectl logs job/helm-install-{params.release} --namespace={job['metadata']['namespace']}"
    if not is_complete(job):
        fail(
            f"Job {job['metadata']['name']} has not installed the chart",
            expected="condition Complete",
            actual=failure_of(job),
            path="status.conditions",
            about=job,
            next=logs,
        )
    into = spec_of(chart).get("targetNamespace") or chart["metadata"]["namespace"]
    if into != params.target:
        fail(
            f"HelmChart {params.release} is to be installed in another namespace",
            expected=params.target,
            actual=into,
            path="spec.targetNamespace",
            about=chart,
            next=f"kubectl get helmchart {params.release} --namespace={chart['metadata']['namespace']} --output=yaml",
        )
    release = cluster.get("Deployment", params.release, namespace=params.target)
    if annotation(release, RELEASE) != params.release:
        fail(
            f"Deployment {params.release} was not installed by Helm",
            expected=params.release,
            actual=annotation(release, RELEASE) or "no release",
            path=f"metadata.annotations[{RELEASE}]",
            about=release,
            next=logs,
        )
    expect(release, next="kubectl get pods").matches({"status": {"availableReplicas": at_least(1)}})


def failure_of(job: Obj) -> str:
    status = job.get("status", {})
    failed = next((one.get("reason", "Failed") for one in status.get("conditions") or [] if one["type"] == "Failed"), "")
    return failed or (f"{status['failed']} failed pods" if status.get("failed") else "not complete yet")


@diagnose("07.helm", "namespace-missing")
def namespace_missing(cluster: Any, params: Any) -> str | None:
    lost = re.search(r'namespaces? "([^"]+)" not found', job_log(cluster, params.release))
    if lost is None:
        return None
    return f"The Job's log says that namespace {lost[1]} is not there. Helm makes none unasked; the HelmChart can ask for it."


@diagnose("07.helm", "no-chart")
def chart_not_named(cluster: Any, params: Any) -> str | None:
    chart = find_chart(cluster, params.release)
    if chart is None or spec_of(chart).get("chart") or spec_of(chart).get("chartContent"):
        return None
    return f"HelmChart {params.release} does not say which chart, so K3s starts no Job for it."


@diagnose("07.helm", "not-a-url")
def chart_is_a_path(cluster: Any, params: Any) -> str | None:
    spec = spec_of(find_chart(cluster, params.release))
    name = spec.get("chart", "")
    if not name or "://" in name or spec.get("repo") or spec.get("chartContent"):
        return None
    return f"The chart is {name}: the Job looks for that in its own pod, which sees no file of this machine."


@diagnose("07.helm", "chart-not-found")
def chart_not_found(cluster: Any, nodes: Any, params: Any) -> str | None:
    log = job_log(cluster, params.release)
    if not re.search(r"404 Not Found|no such host|connection refused|failed to (fetch|download)", log):
        return None
    served = [path.removeprefix(STATIC) for path in nodes["server"].fact("files") if path.startswith(STATIC)]
    name = spec_of(find_chart(cluster, params.release)).get("chart", "")
    return f"The Job cannot fetch {name}. What K3s hands out below /static/ is: {', '.join(served) or 'nothing'}."


@diagnose("07.helm", "other-name")
def chart_of_other_name(cluster: Any, params: Any) -> str | None:
    if find_chart(cluster, params.release):
        return None
    others = [one["metadata"]["name"] for one in cluster.list("HelmChart") if not one["metadata"]["name"].startswith("traefik")]
    return f"There is a HelmChart {others[0]}. The release has the HelmChart's name, and it is to be {params.release}." if others else None


@diagnose("07.helm", "other-namespace")
def release_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if find_chart(cluster, params.release) is None:
        return None
    for found in cluster.list("Deployment"):
        if annotation(found, RELEASE) == params.release and found["metadata"]["namespace"] != params.target:
            return (
                f"The release is in namespace {found['metadata']['namespace']}. Where the HelmChart does not say targetNamespace, that is "
                f"its own namespace; it is to be {params.target}."
            )
    return None


@diagnose("07.helm", "job-failed")
def install_failed(cluster: Any, params: Any) -> str | None:
    return last_error(job_log(cluster, params.release))


def last_error(log: str) -> str | None:
    """What a Job said last that is an error."""
    errors = [line for line in log.splitlines() if re.search(r"error", line, re.IGNORECASE)]
    return f"The Job's log ends with: {first_line(errors[-1])}" if errors else None


# 07.values ------------------------------------------------------------------------------------------------------------------


def config_of(cluster: Any, name: str) -> Obj | None:
    """The HelmChartConfig that changes a HelmChart: it has its name and its namespace."""
    chart = find_chart(cluster, name)
    return cluster.find("HelmChartConfig", name, namespace=chart["metadata"]["namespace"] if chart else SYSTEM)


def sources_of_values(cluster: Any, name: str) -> list[Obj]:
    """Where a HelmChart and its HelmChartConfig say values, one dict each: the later one counts."""
    own, more = spec_of(find_chart(cluster, name)), spec_of(config_of(cluster, name))
    parts = [part for spec in (own, more) for part in (parsed(spec.get("valuesContent")), spec.get("values"))]
    return [part for part in (*parts, own.get("set"), more.get("set")) if isinstance(part, dict)]


def values_of(cluster: Any, name: str) -> Obj:
    """What a HelmChart and its HelmChartConfig say together."""
    return {key: value for one in sources_of_values(cluster, name) for key, value in one.items()}


def parsed(text: Any) -> Any:
    """YAML as a value; None for what cannot be read."""
    with contextlib.suppress(NotYaml):
        return read_yaml(text) if isinstance(text, str) else None
    return None


def is_said(value: Any, wanted: str) -> bool:
    """Whether a value is what is wanted, as a text or as a number."""
    return value == wanted or (isinstance(value, (int, float)) and wanted.isdigit() and value == int(wanted))


def in_short(value: Any) -> str:
    """A value of somebody's YAML, however large it is."""
    plain = isinstance(value, (str, float)) or (isinstance(value, int) and value.bit_length() <= 64)
    return str(value)[:80] if plain else "no value" if value is None else "another kind of value"


def has_secret_values(cluster: Any, name: str) -> bool:
    """Whether values come from a Secret, which nobody but the Job reads."""
    return any(spec_of(one).get("valuesSecrets") for one in (find_chart(cluster, name), config_of(cluster, name)))


@check("07.values", needs=["07.helm"], reads=["Addon", "HelmChart", "HelmChartConfig", "Job", "Deployment", "ReplicaSet", "Pod"])
def values(cluster: Any, nodes: Any, params: Any) -> None:
    await_look(cluster, nodes)
    release = cluster.get("Deployment", params.release, namespace=params.target)
    look = f"kubectl get helmchart {params.release} --namespace={SYSTEM} --output=yaml"
    wanted = {"replicas": params.replicas, "greeting": params.greeting}
    expect(release, next=look).matches({"spec": {"replicas": int(params.replicas)}})
    containers = release["spec"]["template"]["spec"]["containers"]
    said = [in_short(one.get("value", "")) for container in containers for one in container.get("env") or [] if one["name"] == GREETING]
    if params.greeting not in said:
        fail(
            "The release greets in other words",
            expected=params.greeting,
            actual=", ".join(said) or "nothing",
            path=f"spec.template.spec.containers[].env[{GREETING}]",
            about=release,
            next=look,
        )
    told = values_of(cluster, params.release)
    unsaid = [name for name, value in wanted.items() if not is_said(told.get(name), value)]
    if unsaid and not has_secret_values(cluster, params.release):
        fail(
            f"The Deployment has the right {' and '.join(unsaid)}, and the HelmChart does not say so",
            expected=f"{unsaid[0]}: {wanted[unsaid[0]]}",
            actual=f"{unsaid[0]}: {in_short(told.get(unsaid[0]))}",
            path="spec.valuesContent",
            about=find_chart(cluster, params.release),
            next=look,
        )
    expect(release, next="kubectl get pods").matches({"status": {"availableReplicas": at_least(int(params.replicas))}})


@diagnose("07.values", "config-namespace")
def config_of_values_elsewhere(cluster: Any, params: Any) -> str | None:
    return config_elsewhere(cluster, params.release)


def config_elsewhere(cluster: Any, name: str) -> str | None:
    """A HelmChartConfig that changes nothing, because its HelmChart is in another namespace."""
    chart = find_chart(cluster, name)
    others = [one["metadata"]["namespace"] for one in cluster.list("HelmChartConfig") if one["metadata"]["name"] == name]
    if chart is None or not others or chart["metadata"]["namespace"] in others:
        return None
    return (
        f"The HelmChartConfig is in namespace {others[0]}, and the HelmChart that it is to change is in {chart['metadata']['namespace']}."
    )


@diagnose("07.values", "value-unknown")
def value_that_the_chart_does_not_have(cluster: Any, params: Any) -> str | None:
    unknown = sorted({name for name in values_of(cluster, params.release) if isinstance(name, str)} - CHART_VALUES)
    if not unknown:
        return None
    return f"The chart has no value named {unknown[0]}, and what it does not know it ignores. It has {', '.join(sorted(CHART_VALUES))}."


@diagnose("07.values", "not-values")
def values_that_are_none(cluster: Any, params: Any) -> str | None:
    content = spec_of(find_chart(cluster, params.release)).get("valuesContent")
    if not content or isinstance(parsed(content), dict):
        return None
    return "What stands below valuesContent are not lines of the form `name: value`, so the Job cannot read it."


@diagnose("07.values", "by-hand")
def changed_by_hand(cluster: Any, params: Any) -> str | None:
    release = cluster.find("Deployment", params.release, namespace=params.target)
    says = is_said(values_of(cluster, params.release).get("replicas"), params.replicas)
    if release is None or says or release["spec"].get("replicas") != int(params.replicas):
        return None
    return (
        "The pods' number is said elsewhere than in the HelmChart. If with kubectl, it is lost the next time K3s upgrades the release; if in "
        "the chart's own values.yaml, everybody who installs the chart gets it."
    )


# 07.traefik -----------------------------------------------------------------------------------------------------------------


@probe("07.access", effect="observe", deadline_s=10)
def ask_and_read(lab: Any) -> Obj:
    """Ask Traefik for something that nobody else asks for, and look for it in its log."""
    word = f"who-asks-{secrets.token_hex(4)}"
    answer = lab.http(f"http://server/{word}")
    for _ in range(4):
        if any(word in log for pod in lab.list("Pod", namespace=SYSTEM, labels=TRAEFIK) for log in logs_of(lab, pod)):
            return {"status": answer["status"], "logged": True}
        lab.sleep(0.3)
    return {"status": answer["status"], "error": answer["error"], "logged": False}


def logs_of(lab: Any, pod: Obj) -> list[str]:
    """The last lines of each of a pod's containers; of one that has not begun, or is gone by now, there are none."""
    found: list[str] = []
    for container in pod["spec"]["containers"]:
        with contextlib.suppress(ApiRefused):
            found.append(lab.logs(pod["metadata"]["name"], namespace=SYSTEM, container=container["name"], lines=200))
    return found


@check("07.traefik", reads=["Addon", "HelmChart", "HelmChartConfig", "Job", "Deployment", "ReplicaSet", "Pod"], probes=["07.access"])
def traefik(cluster: Any, nodes: Any, probes: Any) -> None:
    await_look(cluster, nodes)
    cluster.find("HelmChart", "traefik", namespace=SYSTEM)
    running, seen = cluster.get("Deployment", "traefik", namespace=SYSTEM), probes["07.access"]
    if not seen["status"]:
        fail("Traefik does not answer", expected="an answer on port 80", actual=seen["error"], about=running, next="kubectl get pods -A")
    if not seen["logged"]:
        fail(
            "A request to Traefik leaves no line in its log",
            expected="a line with what was asked for",
            actual="no line",
            about=[running, *[one for one in [cluster.find("Job", "helm-install-traefik", namespace=SYSTEM)] if one]],
            next=f"kubectl logs deployment/traefik --namespace={SYSTEM}",
        )
    if not lasts(cluster, nodes):
        fail(
            "Traefik writes its access log, and will not when K3s has started again",
            expected=f"a HelmChartConfig traefik in namespace {SYSTEM} that says so",
            actual="none",
            about=running,
            next=f"kubectl get helmchartconfigs --namespace={SYSTEM}",
        )


def spec_text(obj: Obj | None, *, but: str = "") -> str:
    """All values that a HelmChart or HelmChartConfig says, as text; `but`: a field that is left out."""
    spec = spec_of(obj)
    return json.dumps({name: spec.get(name) for name in ("valuesContent", "values", "set", "valuesSecrets") if name != but}).lower()


def lasts(cluster: Any, nodes: Any) -> bool:
    """Whether what asks for the access log is nothing that K3s writes anew."""
    config, ways = cluster.find("HelmChartConfig", "traefik", namespace=SYSTEM), ways_to_turn_on(cluster)
    spec = spec_of(config)
    said = turns_on(parsed(spec.get("valuesContent")), ways) or turns_on(spec.get("values"), ways) or bool(spec.get("valuesSecrets"))
    return (said and not is_packaged(config, nodes)) or chart_lasts(cluster, nodes)


def is_packaged(obj: Obj | None, nodes: Any) -> bool:
    """Whether an object stands in K3s's own traefik.yaml: K3s writes that anew, and takes away what is not in it any more."""
    return annotation(obj, OWNER) == "traefik" and bool(applied_as(nodes, "traefik"))


def chart_lasts(cluster: Any, nodes: Any) -> bool:
    """Whether HelmChart traefik itself asks for it, and K3s's own file does not change it back: of several files the last is applied last."""
    chart, packaged = find_chart(cluster, "traefik"), applied_as(nodes, "traefik")
    if ACCESS_WORD not in spec_text(chart):
        return False
    if not packaged or max([*applied_as(nodes, annotation(chart, OWNER)), *packaged]) not in packaged:
        return True
    # K3s merges its file into what is there: an entry stays that the file, as K3s has written it at its start, does not have.
    written_until = (nodes["server"].unit("k3s").since or 0.0) + STARTING_S
    as_written = all(nodes["server"].fact("files")[MANIFESTS + path] < written_until for path in packaged)
    return as_written and ACCESS_WORD in spec_text(chart, but="valuesContent")


@diagnose("07.traefik", "config-namespace")
def config_in_other_namespace(cluster: Any) -> str | None:
    return config_elsewhere(cluster, "traefik")


@diagnose("07.traefik", "config-name")
def config_of_other_name(cluster: Any) -> str | None:
    if cluster.find("HelmChartConfig", "traefik", namespace=SYSTEM):
        return None
    for found in cluster.list("HelmChartConfig"):
        if ACCESS_WORD in spec_text(found):
            return f"HelmChartConfig {found['metadata']['name']} changes a HelmChart of this name, and Traefik's is named traefik."
    return None


@diagnose("07.traefik", "packaged-file")
def packaged_file_edited(cluster: Any, nodes: Any) -> str | None:
    chart, config = find_chart(cluster, "traefik"), cluster.find("HelmChartConfig", "traefik", namespace=SYSTEM)
    if lasts(cluster, nodes):
        return None
    if ACCESS_WORD in spec_text(config) and is_packaged(config, nodes):
        return "The HelmChartConfig stands in traefik.yaml. K3s writes this file anew at each start, and then takes away what is not in it: it needs another file."
    if ACCESS_WORD not in spec_text(chart):
        return None
    return (
        "The access log was turned on in HelmChart traefik itself. K3s writes traefik.yaml anew at each start, and with it that HelmChart."
    )


@diagnose("07.traefik", "by-hand")
def deployment_changed_by_hand(cluster: Any, nodes: Any) -> str | None:
    running = cluster.find("Deployment", "traefik", namespace=SYSTEM)
    template = (running or {}).get("spec", {}).get("template", {})
    if lasts(cluster, nodes) or "accesslog" not in json.dumps(template).lower():
        return None
    return "The access log was turned on in Deployment traefik. Helm owns that one: its next upgrade puts its own words back."


@diagnose("07.traefik", "values-refused")
def values_refused(cluster: Any) -> str | None:
    return last_error(job_log(cluster, "traefik"))


@diagnose("07.traefik", "not-turned-on")
def not_turned_on(cluster: Any) -> str | None:
    config = cluster.find("HelmChartConfig", "traefik", namespace=SYSTEM)
    spec = spec_of(config)
    content, given = spec.get("valuesContent"), spec.get("values")
    read, ways = parsed(content) if content else given, ways_to_turn_on(cluster)
    if config is None or turns_on(read, ways) or turns_on(given, ways):
        return None
    if content and not isinstance(read, dict):
        return "What stands below valuesContent are not lines of the form `name: value`."
    own = " or ".join(".".join(way) for way in ways)
    return f"The HelmChartConfig is in the right place, and none of its values turns the access log on. The chart's own is {own}."


def ways_to_turn_on(cluster: Any) -> list[tuple[str, ...]]:
    """The value of Traefik's chart that turns the access log on; of a chart whose version nobody says, it may be either."""
    # https://github.com/traefik/traefik-helm-chart/pull/1887
    spec = spec_of(find_chart(cluster, "traefik"))
    version = re.search(r"traefik-(\d{1,4})\.\d", str(spec.get("chart"))) or re.match(r"v?(\d{1,4})\.", str(spec.get("version")))
    if version is None:
        return [OLD_ACCESS, NEW_ACCESS]
    return [NEW_ACCESS if int(version[1]) >= RENAMED_ACCESS else OLD_ACCESS]


def turns_on(values: Any, ways: list[tuple[str, ...]]) -> bool:
    """Whether values of Traefik's chart turn the access log on, by one of these values or as an argument."""
    if not isinstance(values, dict):
        return False
    words = [word for name in ("additionalArguments", "globalArguments", "env") for word in words_of(values.get(name))]
    return any(value_at(values, way) is True for way in ways) or any("accesslog" in word for word in words)


def value_at(values: Any, way: tuple[str, ...]) -> Any:
    """What stands where these names lead; None if they lead nowhere."""
    for name in way:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def words_of(value: Any) -> list[str]:
    """The texts of a list of arguments, or of names with values, in small letters."""
    entries = value if isinstance(value, list) else [value]
    flat = [part for one in entries for part in ((*one, *one.values()) if isinstance(one, dict) else (one,))]
    return [part.lower() for part in flat if isinstance(part, str)]


# 07.metrics -----------------------------------------------------------------------------------------------------------------


def disabled(arguments: list[Any]) -> set[str]:
    """What --disable names in a command line of K3s."""
    line = [str(word) for word in arguments]
    found = [word.partition("=")[2] for word in line if word.startswith("--disable=")]
    found += [value for flag, value in itertools.pairwise(line) if flag == "--disable"]
    return {name.strip() for value in found for name in value.split(",")}


def running_without(cluster: Any) -> set[str]:
    """What the server that runs was told to leave out: it says so on its node."""
    found: set[str] = set()
    for node in cluster.list("Node"):
        try:
            arguments = json.loads(annotation(node, NODE_ARGS) or "[]")
        except (ValueError, RecursionError):
            continue
        found |= disabled(arguments if isinstance(arguments, list) else [])
    return found


def configured_without(nodes: Any) -> set[str]:
    """What the configuration files leave out."""
    told = nodes["server"].k3s.config.get("disable") or []
    return {name.strip() for value in (told if isinstance(told, list) else [told]) for name in str(value).split(",")}


@fact("flags", on="server")
def disabled_by_unit(host: Any) -> list[str]:
    """What the unit's command line leaves out; nothing else of it: tokens stand there, too."""
    return sorted(disabled(host.run("/usr/bin/systemctl show k3s --property=ExecStart --value").stdout.split()))


def stays_out(nodes: Any, name: str) -> bool:
    """Whether K3s is configured, by file or by flag, to leave a component out at its next start."""
    return name in configured_without(nodes) or name in nodes["server"].fact("flags")


def has_just_read(nodes: Any) -> bool:
    """Whether K3s has started a moment ago, with its configuration as it is now."""
    server = nodes["server"]
    since = server.unit("k3s").since or 0.0
    read = all(file.modified <= since for file in server.k3s.config_files.values())
    return read and server.time - since < STARTING_S


def is_skipped(nodes: Any, component: str) -> bool:
    """Whether each of a component's files is kept from being applied, by a file beside it."""
    own = {base(path) for path in manifests(nodes) if path.startswith((f"{component}/", f"{component}.")) and is_manifest(path)}
    return bool(own) and own <= skipped(nodes)


@check("07.metrics", reads=["Node", "Deployment", "ReplicaSet", "Pod", "APIService"])
def metrics(cluster: Any, nodes: Any) -> None:
    if stays_out(nodes, "metrics-server") and has_just_read(nodes):
        nodes["server"].settling("K3s has just started, and may not have taken away yet what is disabled")
    told, look = running_without(cluster), "sudo cat /etc/rancher/k3s/config.yaml"
    for name in DISABLED:
        if is_skipped(nodes, name):
            continue
        if name not in told:
            fail(
                f"K3s was started with {name}",
                expected=f"{name} among what is disabled",
                actual=", ".join(sorted(told)) or "nothing is disabled",
                path=f"Node server: metadata.annotations[{NODE_ARGS}]",
                about=cluster.list("Node"),
                next=look,
            )
        if not stays_out(nodes, name):
            fail(
                f"K3s is not configured to leave {name} out at its next start",
                expected=f"{name} among what is disabled",
                actual=", ".join(sorted({*configured_without(nodes), *nodes["server"].fact("flags")} - {""})) or "nothing is disabled",
                path="/etc/rancher/k3s/config.yaml",
                next=look,
            )
    left = [cluster.find("Deployment", name, namespace=SYSTEM) for name in ("metrics-server", "local-path-provisioner")]
    left.append(cluster.find("APIService", "v1beta1.metrics.k8s.io"))
    for found in filter(None, left):
        fail(
            f"{place(found)} is still there",
            expected="nothing of metrics-server and local-storage",
            actual=place(found),
            about=found,
            next="kubectl get pods -A",
        )


@diagnose("07.metrics", "list-replaced")
def list_replaced(cluster: Any, nodes: Any) -> str | None:
    told, configured = running_without(cluster), configured_without(nodes)
    told = {name for name in told if stays_out(nodes, name)} if "metrics-server" in told else configured
    if "metrics-server" not in told or "local-storage" in told or configured.issuperset(DISABLED):
        return None
    return "metrics-server is disabled, and local-storage is not any more: the list has to name both. Of a key that is there twice only the last value counts."


@diagnose("07.metrics", "not-restarted")
def not_restarted(cluster: Any, nodes: Any) -> str | None:
    told = configured_without(nodes)
    if "metrics-server" not in told or running_without(cluster).issuperset(told.intersection(DISABLED)):
        return None
    return "The configuration says it, and the K3s that runs has not read it: it reads its configuration when it starts."


@diagnose("07.metrics", "mistyped")
def mistyped(nodes: Any) -> str | None:
    near = sorted(name for name in configured_without(nodes) if "metric" in name.lower() and name != "metrics-server")
    return f"The configuration disables {near[0]}, and the component is called metrics-server." if near else None


@diagnose("07.metrics", "skip-file")
def skip_file(cluster: Any, nodes: Any) -> str | None:
    if cluster.find("Deployment", "metrics-server", namespace=SYSTEM) is None:
        return None
    skips = [path for path in manifests(nodes) if path.endswith(".skip") and path.startswith(("metrics-server/", "metrics-server."))]
    return f"{base(skips[0])} keeps K3s from applying a file again. What was applied before stays." if skips else None


@diagnose("07.metrics", "comes-back")
def comes_back(cluster: Any, nodes: Any) -> str | None:
    disabled_for_good = "metrics-server" in running_without(cluster) and stays_out(nodes, "metrics-server")
    stays_away = disabled_for_good or is_skipped(nodes, "metrics-server")
    if stays_away or cluster.find("Deployment", "metrics-server", namespace=SYSTEM):
        return None
    return "metrics-server is gone for now. K3s lays its files out anew at each start, and with them it comes back."


# 07.retired -----------------------------------------------------------------------------------------------------------------


def left_of_till(cluster: Any) -> list[Obj]:
    """What the old till made and is still there."""
    made = [cluster.find(kind, name, namespace=namespace) for kind, namespace, name in TILL_MADE]
    orphans = [
        one
        for one in cluster.list("ReplicaSet", namespace="default", labels={"app": OLD_TILL})
        if not one["metadata"].get("ownerReferences")
    ]
    return [one for one in (*made, *orphans) if one and not one["metadata"].get("deletionTimestamp")]


def till_files(cluster: Any, nodes: Any) -> list[str]:
    """The old till's files that K3s reads, or would without a skip file, also under another name: an AddOn knows what its file says."""
    sums = {one["metadata"]["name"]: spec_of(one).get("checksum") for one in cluster.list("Addon", namespace=SYSTEM)}
    same = [name for name, checksum in sums.items() if checksum and checksum == sums.get(OLD_TILL)]
    return [path for path in manifests(nodes) if addon_of(path) in (OLD_TILL, *same) and is_manifest(path)]


@check("07.retired", reads=["Addon", "Deployment", "ReplicaSet", "Service", "ConfigMap"])
def retired(cluster: Any, nodes: Any) -> None:
    left, there = left_of_till(cluster), till_files(cluster, nodes)
    with partial() as part:
        with part("its file"):
            if there:
                fail(
                    f"The file {there[0]} is still there", expected="no such file", actual=MANIFESTS + there[0], next=f"sudo ls {MANIFESTS}"
                )
        with part("what it made"):
            if left:
                names = ", ".join(map(place, left))
                fail("Something that it made is still there", expected="nothing", actual=names, about=left, next="kubectl get all -A")


@diagnose("07.retired", "skip-file")
def till_is_skipped(nodes: Any) -> str | None:
    skips = [path for path in manifests(nodes) if path.endswith(".skip") and addon_of(path) == OLD_TILL]
    return f"{base(skips[0])} keeps K3s from applying the file. It takes nothing away." if skips else None


@diagnose("07.retired", "file-remains")
def file_remains(cluster: Any, nodes: Any) -> str | None:
    if left_of_till(cluster) or not till_files(cluster, nodes):
        return None
    return "Everything that it made is gone, for now. The file is still there, and at its next start K3s applies it again."


@diagnose("07.retired", "some-remain")
def some_remain(cluster: Any, nodes: Any) -> str | None:
    left = left_of_till(cluster)
    if not left or till_files(cluster, nodes) or len(left) == len(TILL_MADE):
        return None
    return f"An AddOn's objects may be in several namespaces. There is still {', '.join(map(place, left))}."


@diagnose("07.retired", "objects-remain")
def objects_remain(cluster: Any, nodes: Any) -> str | None:
    if till_files(cluster, nodes) or not left_of_till(cluster):
        return None
    return "The file is gone, and K3s leaves alone what a file has made: it has to be deleted as well."
