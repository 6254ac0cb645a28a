"""Chapter 16: what a user can reach again, for good, is mended, unless the site is not the one of the evening before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.checkers.fake_cluster import hidden
from tests.unit.checkers.people_16 import (
    DATABASE_KEY,
    RIGHT,
    TEMPLATE,
    WRONG,
    Change,
    both,
    custom,
    dana,
    down,
    field,
    gone,
    names,
    no_pod_of,
    pods,
    secret,
    wall,
    without,
)
from tests.unit.checkers.site_16 import ALL, HTTPS, LOCAL, PAGES, TELNET, Site


@pytest.fixture
def site() -> Site:
    return Site()


def test_the_mended_site_passes(site: Site) -> None:
    assert site.passed() == ALL


@pytest.mark.parametrize("way", RIGHT.values(), ids=list(RIGHT))
def test_however_it_was_mended(site: Site, way: Change) -> None:
    way(site)
    assert site.passed() == ALL


@pytest.mark.parametrize(("task", "diagnosis", "way"), WRONG.values(), ids=list(WRONG))
def test_what_is_still_broken_is_named(site: Site, task: str, diagnosis: str, way: Change) -> None:
    way(site)
    verdict, named = site.says(task)
    assert verdict in ("fail", "waiting")
    assert named == diagnosis or not diagnosis
    assert site.passed() == ALL - {task}


def test_there_are_enough_of_them() -> None:
    assert len(RIGHT) >= 30
    assert {task for task, _, _ in WRONG.values()} == ALL


# As the night has left it -------------------------------------------------------------------------------------------------------

PENDING = field("PersistentVolumeClaim/guestbook", "status/phase", "Pending")
NIGHT: dict[str, Change] = {
    "node": down("offers", field("Node/server", "spec", "{unschedulable: true, taints: [{key: maintenance, value: tonight, effect: NoSchedule}]}")),
    "image": down("shop", pods("shop", "containers/0/image", "course/wed:1")),
    "selector": down("cart", field("Service/cart", "spec/selector", "{app: basket}")),
    "names": both(custom({"old-zone.override": TEMPLATE}), names("3")),
    "quota": both(no_pod_of("orders"), field("ResourceQuota/budget", "spec/hard", "{requests.memory: 8Mi}")),
    "key": down("account", secret(databasekey="{password}")),
    "door": both(gone("press"), field("Ingress/press", "spec/ingressClassName", "nginx")),
    "storage": down("guestbook", field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "fast"), PENDING),
    "access": dana("The connection to the server 127.0.0.1:16443 was refused - did you specify the right host or port?"),
    "wall": wall([TELNET, HTTPS], [TELNET, HTTPS]),
    "clock": lambda site: site.on.facts.update(clock="NTP=no\nNTPSynchronized=no\n"),
}  # fmt: skip


@pytest.mark.parametrize("task", NIGHT)
def test_a_fault_alone_is_told_by_what_people_see_and_its_cause_is_not(site: Site, task: str) -> None:
    NIGHT[task](site)
    judged = site.on.verdicts()[task]
    assert (judged.verdict.value, judged.diagnosis, judged.why) == ("fail", "", ())
    assert judged.expected
    assert judged.actual
    assert site.passed() == ALL - {task}


def test_all_faults_together(site: Site) -> None:
    for change in NIGHT.values():
        change(site)
    verdicts = site.on.verdicts()
    assert {task for task, judged in verdicts.items() if judged.passed} == ALL - set(NIGHT)
    assert not [judged for task, judged in verdicts.items() if task in NIGHT and (judged.why or judged.diagnosis)]


@pytest.mark.parametrize("task", ["node", "selector", "quota", "key", "storage"])
def test_a_cause_is_told_once_something_was_done_about_it(site: Site, task: str) -> None:
    """The page is still down, and the fault is another than that of the night."""
    NIGHT[task](site)
    done: dict[str, Change] = {
        "node": field("Node/server", "spec/taints", "null"),
        "selector": field("Service/cart", "spec/selector", "{app: trolley}"),
        "quota": without("ResourceQuota/budget"),
        "key": pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef/key", "database_key"),
        "storage": field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "ssd"),
    }
    done[task](site)
    judged = site.on.verdicts()[task]
    assert not judged.passed
    assert judged.diagnosis or judged.why or judged.waits_for


# Mended at the cost of something else ---------------------------------------------------------------------------------------------


def new_cluster(site: Site) -> None:
    for name in ("kube-system", site.params.namespace, site.params.back):
        site.find("Namespace", name)["metadata"]["uid"] = f"another-{name}"


def in_all_pages(change: Callable[[Site, str], Any]) -> Change:
    return lambda site: [change(site, app) for app in PAGES.values()]


def lose_their_owners(site: Site, app: str) -> None:
    for pod in site.pods(app):
        pod["metadata"]["ownerReferences"] = []


OPEN = "[{from: [{podSelector: {}}]}]"
CHEATS: dict[str, tuple[str, Change]] = {
    "installed anew": ("reinstalled", new_cluster),
    "the namespace made anew": ("namespace-recreated", field("Namespace/{namespace}", "metadata/uid", "another")),
    "the back office made anew": ("namespace-recreated", field("Namespace/{back}", "metadata/uid", "another")),
    "the policy deleted": ("policy-deleted", without("NetworkPolicy/keep-out")),
    "the policy lets everybody in": ("policy-deleted", field("NetworkPolicy/keep-out", "spec/ingress", OPEN)),
    "the policy is about nobody": ("policy-deleted", field("NetworkPolicy/keep-out", "spec/podSelector/matchLabels", "{vault: 'false'}")),
    "the policy is about what goes out": ("policy-deleted", field("NetworkPolicy/keep-out", "spec/policyTypes", "[Egress]")),
    "the firewall flushed": ("firewall-flushed", wall([], [TELNET])),
    "an empty firewall in the file": ("firewall-flushed", wall([TELNET], [])),
    "both rules deleted": ("firewall-flushed", wall([], [])),
    "telnet is let in by a rule before the other": (
        "firewall-flushed",
        wall(["tcp dport 23 accept", TELNET], ["tcp dport 23 accept", TELNET]),
    ),
    "telnet is let in": ("firewall-flushed", wall(["tcp dport 2323 drop"], ["tcp dport 2323 drop"])),
}


@pytest.mark.parametrize(("named", "cheat"), CHEATS.values(), ids=list(CHEATS))
def test_a_site_that_is_not_the_same_is_not_mended(site: Site, named: str, cheat: Change) -> None:
    cheat(site)
    assert {(one.verdict.value, one.diagnosis) for one in site.on.verdicts().values()} == {("fail", named)}


@pytest.mark.parametrize(
    ("named", "cheat"),
    [
        ("host-network", in_all_pages(lambda site, app: site.pods_have(app, "hostNetwork", True))),
        ("host-network", in_all_pages(lambda site, app: site.pods_have(app, "containers/0/ports/0/hostPort", 8443))),
        ("lone-pod", in_all_pages(lose_their_owners)),
    ],
)
def test_a_pod_that_goes_around_is_not_the_page_s(site: Site, named: str, cheat: Change) -> None:
    cheat(site)
    assert {task: site.says(task) for task in PAGES} == dict.fromkeys(PAGES, ("fail", named))
    assert site.passed() == ALL - set(PAGES)


def test_a_page_that_does_not_open_is_told_before_a_policy_that_is_gone(site: Site) -> None:
    both(without("NetworkPolicy/keep-out"), down("shop", pods("shop", "containers/0/image", "course/web:9")))(site)
    assert "does not open" in site.on.verdicts()["image"].message or site.says("image")[1] != "policy-deleted"


def test_a_cheat_is_known_when_what_it_removed_is_missing(site: Site) -> None:
    new_cluster(site)
    without("Service/cart", "Deployment/shop", "PersistentVolumeClaim/guestbook", "Secret/account")(site)
    for app in PAGES.values():
        site.answers(app, 404, "404 page not found")
    assert {site.says(task) for task in LOCAL} == {("fail", "reinstalled")}


def test_nothing_there_breaks_no_check(site: Site) -> None:
    site.on.remove("Deployment", "ReplicaSet", "Pod", "Service", "EndpointSlice", "Ingress", "ConfigMap", "Secret", "ResourceQuota")
    site.on.remove("IngressClass", "StorageClass", "PersistentVolumeClaim", "NetworkPolicy")
    for app in PAGES.values():
        site.answers(app, 404, "404 page not found")
    site.on.probe("16.names", {"answers": {}, "error": "there is no name server"})
    local = {judged.verdict.value for task, judged in site.on.verdicts().items() if task in PAGES or task == "names"}
    assert local <= {"fail", "waiting"}


def test_a_custom_file_of_a_secret_s_name_breaks_nothing(site: Site) -> None:
    custom({})(site)
    site.find("ConfigMap", "coredns-custom")["data"]["secret.override"] = hidden("hosts { }")
    assert site.passed() == ALL


def test_what_a_pod_was_started_with_is_read_on_the_machine(site: Site) -> None:
    """As the probe does it: of processes of the pods that are named, and of no others."""
    script = ask_account_of(site).__globals__["READ_KEYS"]
    own = {"HOSTNAME": "account-x7k2p", "DATABASE_KEY": "letmein"}
    with subprocess.Popen(["/bin/cat"], env=own, stdin=subprocess.PIPE):
        for pod, found in (("account-x7k2p", ["letmein"]), ("account-other", [])):
            shown = subprocess.run([sys.executable, "-I", "-c", script, pod], capture_output=True, text=True, check=True, timeout=10).stdout
            assert json.loads(shown) == found


@pytest.mark.parametrize(("keys", "outdated"), [(["letmein"], True), ([], False), ([None], False), (["letmein", None], True)])
def test_a_pod_that_was_started_with_another_password_is_known(site: Site, keys: list[str | None], outdated: bool) -> None:
    values = [key or site.params.password for key in keys]
    live = SimpleNamespace(
        http=lambda *_, **__: {"status": 200, "body": "", "error": ""}, run=lambda *_, **__: SimpleNamespace(text=json.dumps(values))
    )
    none = SimpleNamespace(list=lambda *_, **__: [], find=lambda *_, **__: None)
    assert ask_account_of(site)(live, none, site.params)["outdated"] is outdated


def ask_account_of(site: Site) -> Callable[..., Any]:
    return next(one.function for one in site.on.checker.probes if one.mark.name == "16.account")


def test_a_zone_that_denies_one_old_name_is_not_why_nobody_answers(site: Site) -> None:
    custom({"old-zone.override": TEMPLATE.replace("{\n", "{\n  match ^gone\\.\n")})(site)
    site.on.probe("16.names", {"answers": {}, "error": "the name server at 10.43.0.10 does not answer"})
    assert site.says("names") == ("fail", "")
