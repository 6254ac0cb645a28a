"""Chapter 07 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

from tests.unit.checkers.fake_cluster import hidden
from tests.unit.checkers.kept_addons import (
    MANIFESTS,
    OWNER,
    Addons,
    access,
    board,
    both,
    chart,
    config_of,
    file,
    gone,
    metrics_there,
    more_files,
    no_addon,
    no_config,
    not_installed,
    orphaned_till,
    said_of_addon,
    started_with,
    till,
    values,
)
from tests.unit.checkers.kept_lab import GONE, put
from tests.unit.checkers.variant import Variant, each, one

OWNED_BY = f"metadata/annotations/{OWNER.replace('/', '~1')}"
WORDS = "greeting: {greeting}"
ON = "logs: {access: {enabled: true}}"
DISABLED = ("--disable", "metrics-server", "--disable", "local-storage")
ADDON_FILE = "{addon}.yaml"
METRICS = ("auth-reader", "metrics-apiservice", "metrics-server-deployment", "metrics-server-service")
BEGUN = "Error: INSTALLATION FAILED: "


def chart_elsewhere(lab: Addons) -> None:
    """The HelmChart and its Job in a namespace of the learner's."""
    lab.chart["metadata"]["namespace"] = lab.params.namespace
    lab.find("Job", f"helm-install-{lab.params.release}", "kube-system")["metadata"]["namespace"] = lab.params.namespace


def nothing_but_a_wrong_kind(lab: Addons) -> None:
    """apiVersion k3s.cattle.io/v1, as in the first releases: there is no such kind any more (k3s-io/k3s#196)."""
    lab.remove("HelmChart", "{release}")
    lab.remove("Job", "helm-install-{release}")
    lab.remove("Deployment", "{release}", "{target}")


def in_the_charts_own_namespace(lab: Addons) -> None:
    """Without targetNamespace (k3s-io/helm-controller#76)."""
    del lab.chart["spec"]["targetNamespace"]
    lab.release["metadata"]["namespace"] = "kube-system"


def own_traefik(lab: Addons) -> None:
    """A HelmChart traefik with the access log, in a file of one's own."""
    chart = lab.find("HelmChart", "traefik", "kube-system")
    chart["metadata"]["annotations"].update({OWNER: "my-traefik"})
    chart["spec"]["valuesContent"] += f"\n{ON}"


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    *each("", file, values=["{addon}.yml", "{addon}.json", "{addon}.YAML", "{addon}.v2.yaml", "mine/{addon}.yaml", "a/b/{addon}.yml"]),  # timothystewart6/k3s-ansible#41
    one("", "other files beside it", more_files("README", ".board.yaml.swp", "{addon}.yaml.orig", "shop.yaml", "kustomization")),
    one("", "two boards", both(board("spec/replicas", 2), board("status/replicas", 2), board("status/updatedReplicas", 2), board("status/availableReplicas", 2))),
    one("", "the HelmChart is an AddOn", both(chart(OWNED_BY, "{release}"), more_files("{release}.yaml"))),
    one("", "the HelmChart in another namespace", chart_elsewhere),
    one("", "chartContent", both(chart("spec/chart", GONE), chart("spec/chartContent", "H4sIAAAAAAAAA"))),
    one("", "a repository", both(chart("spec/chart", "greeter"), chart("spec/repo", "https://charts.example/"), chart("spec/version", "1.0.0"))),
    one("", "no createNamespace, the namespace was made before", chart("spec/createNamespace", GONE)),
    one("", "numbers as text, text in quotes", values("replicas: '{replicas}'\ngreeting: \"{greeting}\"\n")),
    one("", "all of the chart's values", values("# mine\nimage: course/web:1\nreplicas: {replicas}\n" + WORDS)),
    one("", "by set", both(values(""), chart("spec/set", {"replicas": 3, "greeting": "Best in town"}))),
    one("", "as an object", both(values(""), chart("spec/values", {"replicas": 3, "greeting": "Best in town"}))),
    one("", "half of them by set", both(values("replicas: {replicas}"), chart("spec/set", {"greeting": "Best in town"}))),
    one("", "a HelmChartConfig of one's own", both(values(""), config_of("{release}", valuesContent="replicas: {replicas}\n" + WORDS))),
    one("", "from a Secret", both(values(""), chart("spec/valuesSecrets", [{"name": "words", "keys": ["values.yaml"]}]))),
    *[one("", f"traefik: {text}", access(text, logged=True)) for text in (
        "logs:\n  access:\n    enabled: true\n    format: json\n  general:\n    level: DEBUG\n",
        "additionalArguments:\n- --accesslog\n- --accesslog.format=json\n",  # k3s-io/k3s#3822
        "additionalArguments: ['--accesslog=true', '--log.level=DEBUG']\n",
        "globalArguments: ['--accesslog']\n",
        "env: [{name: TRAEFIK_ACCESSLOG, value: 'true'}]\n",
        ON + "\nports: {web: {forwardedHeaders: {trustedIPs: ['10.0.0.0/8']}}}\nservice: {spec: {externalTrafficPolicy: Local}}\n",
    )],
    one("", "traefik: as an object", access(logged=True, values={"logs": {"access": {"enabled": True}}})),
    one("", "traefik: from a Secret", access(logged=True, valuesSecrets=[{"name": "traefik", "keys": ["values.yaml"]}])),
    one("", "traefik: Traefik asked for by an AddOn of one's own", both(no_config(logged=True), own_traefik, lambda lab: lab.files.pop(f"{MANIFESTS}traefik.yaml"))),
    one("", "traefik: from an AddOn of one's own that is applied last", both(no_config(logged=True), own_traefik, lambda lab: lab.files.update({f"{MANIFESTS}zz/my-traefik.yaml": 1.0}))),
    *[one("", f"started with {words}", started_with(*words, configured=[], flags=("metrics-server", "local-storage"))) for words in (
        ("--disable=metrics-server", "--disable=local-storage"), ("--disable", "metrics-server,local-storage"), ("--disable=metrics-server,local-storage", "--tls-san", "x"),
        ("--disable", "local-storage", "--disable", "metrics-server", "--disable", "servicelb"))],  # k3s-io/k3s#5765
    one("", "one line with commas", started_with("--disable", "metrics-server,local-storage", configured=["metrics-server, local-storage"])),
    one("", "a skip file for each of its files, and everything deleted", both(
        started_with("--disable", "local-storage", configured=["local-storage"]),
        more_files(*(f"metrics-server/{name}.yaml{suffix}" for name in METRICS for suffix in ("", ".skip"))))),  # docs.k3s.io/installation/packaged-components
    one("", "a skip file beside what is disabled", more_files("metrics-server.yaml.skip")),
    one("", "the AddOn deleted as well", gone("Addon", "old-till")),
    one("", "its file as a copy that K3s does not read", more_files("old-till.yaml.bak")),
    one("", "disabled, which takes file and objects away", started_with(*DISABLED, "--disable", "old-till")),
    one("", "a skip file is left", more_files("old-till.yaml.skip")),
]  # fmt: skip
WRONG: list[Variant] = [
    *[one("addon", name, both(file(name), no_addon)) for name in (
        "notice_board.yaml", "Notice.yaml", "board.yaml", "{addon}", "{addon}.yaml.txt", "{addon}.yaml.bak", "{addon}.conf", ".{addon}.yaml")],
    one("addon", "a skip file", both(more_files(ADDON_FILE + ".skip"), no_addon)),
    one("addon", "the same name in two folders", both(more_files("old/{addon}.yaml"), gone("Deployment", "board", "{namespace}"))),  # k3s-io/k3s#9500
    one("addon", "the file was removed again", file()),
    one("addon", "by kubectl alone", board("metadata/annotations", {})),
    one("addon", "from an AddOn of another name", both(more_files("board.yaml"), board(OWNED_BY, "board"))),
    one("addon", "no namespace in the file", lambda lab: lab.board["metadata"].update(namespace="default")),
    *[one("addon", reason, said_of_addon(reason, "…")) for reason in ("ParseManifestFailed", "ApplyManifestFailed", "ValidateManifestFailed", "ReadManifestFailed")],
    one("addon", "no such image", both(board("spec/template/spec/containers/0/image", "course/web:9"), board("status/availableReplicas", 0))),
    one("helm", "a kind of years ago", nothing_but_a_wrong_kind),
    one("helm", "no targetNamespace", in_the_charts_own_namespace),
    *[one("helm", log, not_installed(log)) for log in (
        f'{BEGUN}create: failed to create: namespaces "{{target}}" not found',  # k3s-io/k3s#5623
        f"{BEGUN}failed to fetch https://10.43.0.1:443/static/charts/greeter.tgz : 404 Not Found",
        f'{BEGUN}path "/home/student/work/greeter" not found',
        f"{BEGUN}file '/home/student/work/greeter-1.0.0.tgz' does not appear to be a gzipped archive; got 'application/octet-stream'",
        f"{BEGUN}chart.metadata.version \"\" is invalid",
        f'{BEGUN}Get "https://charts.example/index.yaml": dial tcp: lookup charts.example: no such host',
        f'{BEGUN}unable to continue with install: Deployment "{{release}}" exists and cannot be imported into the current release',
    )],
    one("helm", "made from the templates with kubectl", lambda lab: lab.release["metadata"].update(annotations={})),
    one("helm", "installed under another name", lambda lab: lab.chart["metadata"].update(name="greeter")),
    *[one("values", text, values(text, replicas="1", greeting="Hello!")) for text in (
        "", "replicaCount: {replicas}\ngreetings: {greeting}", "greeter:\n  replicas: {replicas}\n  greeting: {greeting}", "replicas={replicas}", "set:\n  replicas: {replicas}")],
    one("values", "the number alone", values("replicas: {replicas}", greeting="Hello!")),
    one("values", "the words alone", values(WORDS, replicas="1")),
    one("values", "scaled", values(WORDS)),
    one("values", "edited in the Deployment", values("")),
    one("values", "a HelmChartConfig in the release's namespace", both(values("", replicas="1", greeting="Hello!"), config_of("{release}", "default", valuesContent="replicas: {replicas}"))),
    one("values", "a HelmChartConfig in another namespace, and the rest by hand", both(values(""), config_of("{release}", "default", valuesContent="replicas: {replicas}\n" + WORDS))),
    one("values", "a HelmChartConfig says something else", both(values("replicas: {replicas}\n" + WORDS), config_of("{release}", valuesContent="replicas: 1"))),
    *[one("values", f"by hand, and values that are odd: {text[:24]}", values(text)) for text in (
        "opened: 2026-12-24", "opened: 2026-13-45", "replicas: &a [*a]", "replicas: !!bool x", "[" * 5000, f"replicas: 0x{'f' * 5000}")],
    one("values", "it greets with something secret", lambda lab: put(lab.release, "spec/template/spec/containers/0/env/0/value", hidden("K10…"))),
    one("values", "one pod too many", values("replicas: 4\n" + WORDS, replicas="4")),
    *[one("traefik", f"traefik: {text}", access(text)) for text in (
        "accessLogs:\n  enabled: true\n",  # k3s-io/k3s#3822
        "accessLog:\n  enabled: true\n",  # traefik/traefik-helm-chart#486
        "logs.access.enabled: true\n", "logs:\n  access: true\n", "logs: {general: {level: DEBUG}}\n", "logs: {access: {enabled: false}}\n", "logs: {accesslog: {enabled: true}}\n",
        "logs:\naccess:\n  enabled: true\n", "spec: {" + ON + "}\n", "- --accesslog\n",
        "additionalArguments: &a [2026-12-24, *a]\n",
        "logs: {access: {enabled: true, filePath: /var/log/access.log}}\n",  # traefik/traefik#9676
    )],
    one("traefik", "the Deployment edited, and values that say nothing", access("accessLogs: {enabled: true}\n", logged=True)),
    one("traefik", "the Deployment edited", no_config(logged=True)),
    one("traefik", "traefik.yaml edited", both(no_config(logged=True), lambda lab: lab.find("HelmChart", "traefik", "kube-system")["spec"].update(valuesContent=ON))),  # k3s-io/k3s#1428
    one("traefik", "in another namespace", both(no_config(), config_of("traefik", "default", valuesContent=ON))),  # k3s-io/k3s#6928
    one("traefik", "under another name", both(no_config(), config_of("traefik-config", valuesContent=ON))),
    one("metrics", "deleted", started_with("--disable", "local-storage", configured=["local-storage"])),
    one("metrics", "not restarted", both(started_with("--disable", "local-storage"), metrics_there)),
    *[one("metrics", f"disabled {name}", both(started_with("--disable", "local-storage", "--disable", name, configured=["local-storage", name]), metrics_there)) for name in (
        "metrics", "metrics_server", "metric-server")],
    one("metrics", "the list replaced", started_with("--disable", "metrics-server", configured=["metrics-server"])),
    one("metrics", "a skip file", both(started_with("--disable", "local-storage", configured=["local-storage"]), more_files("metrics-server/metrics-server-deployment.yaml.skip"), metrics_there)),
    one("metrics", "a skip file for one of its files, and everything deleted", both(
        started_with("--disable", "local-storage", configured=["local-storage"]),
        more_files(*(f"metrics-server/{name}.yaml" for name in METRICS), "metrics-server/metrics-apiservice.yaml.skip"))),
    one("metrics", "disabled, and applied again by hand", metrics_there),
    one("retired", "the objects", more_files("old-till.yaml")),
    one("retired", "the file", till("Deployment", "Service", "ConfigMap")),
    one("retired", "kubectl delete all in default", till("ConfigMap")),
    one("retired", "the Deployment only", till("Service", "ConfigMap")),
    one("retired", "a skip file", both(more_files("old-till.yaml", "old-till.yaml.skip"), till("Deployment", "Service", "ConfigMap"))),
    one("retired", "moved into a folder beside it", more_files("attic/old-till.yaml")),
    one("retired", "its pods go on", orphaned_till),
]  # fmt: skip
