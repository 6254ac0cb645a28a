"""Cheats on a live lab 03: none makes an undone task pass, none takes a done one away, and those that could are named."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from tests.integration.command import COURSE, LabCommand

CHAPTER = "03"
LAB = Catalog(COURSE).find(CHAPTER)
# Answers as the shop does, pod and all, on every port it is given.
FAKE = r"""
import http.server, os, sys, threading
greeting, pod, *ports = sys.argv[1:]
class Fake(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/go"):
            self.send_response(302); self.send_header("Location", "/"); self.end_headers(); return
        self.send_response(404 if self.headers["Host"].startswith("somebody-else.") else 200); self.end_headers()
        self.wfile.write(f"{greeting}\nversion: 1\npod: {pod}\n".encode())
    def log_message(self, *a): ...
servers = [http.server.ThreadingHTTPServer(("0.0.0.0", int(port)), Fake) for port in ports]
if os.fork(): os._exit(0)
os.setsid()
for fd in (0, 1, 2): os.close(fd)
for server in servers[1:]: threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""
# Programs that say what their user wants to hear, where a careless PATH finds them first.
LIARS = """
for name in systemctl journalctl curl wget python3 cat stat ss kubectl; do
    printf '#!/bin/sh\\necho active\\nexit 0\\n' > "/usr/local/sbin/$name"
    cp "/usr/local/sbin/$name" "/usr/local/bin/$name.liar"
    chmod 755 "/usr/local/sbin/$name"
done
for file in /root/.bashrc /root/.profile /root/.bash_aliases /home/student/.bashrc /home/student/.profile; do
    printf 'alias kubectl=true\\nalias curl=true\\nexport PATH=/usr/local/sbin PYTHONPATH=/tmp/liars\\n' >> "$file"
done
printf 'PATH="/usr/local/sbin"\\nPYTHONPATH="/tmp/liars"\\n' >> /etc/environment
printf 'output = "/dev/null"\\nproxy = "http://127.0.0.1:1"\\n' > /root/.curlrc
cp /root/.curlrc /home/student/.curlrc
mkdir -p /tmp/liars && printf 'raise SystemExit(0)\\n' > /tmp/liars/json.py
cp /tmp/liars/json.py /usr/lib/python3/dist-packages/sitecustomize.py
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    command = LabCommand(tmp_path_factory.mktemp("trust"))
    try:
        command.ok("start", CHAPTER)
        yield command
    finally:
        command.ok("delete", "--all", "--yes")


@pytest.fixture(scope="module")
def values(lab: LabCommand) -> dict[str, str]:
    """The student's values, as LAB_… variables."""
    return json.loads(lab.ok("env", CHAPTER, "--json").stdout)["env"]


def root(lab: LabCommand, script: str, *arguments: str) -> str:
    """Run as root; a shell of `lab shell` reads the start files, so the way to the programs is said again."""
    own = f"export PATH=/usr/sbin:/usr/bin:/sbin:/bin; unset PYTHONPATH; {script}"
    return lab.ok("shell", "--root", "--lab", CHAPTER, "server", "--", "/bin/sh", "-ec", own, "sh", *arguments).stdout


def checks(lab: LabCommand, *words: str) -> dict[str, dict[str, Any]]:
    done = lab.run("check", CHAPTER, "--json", *words)
    assert done.returncode in (0, 1, 3), done.stderr
    return {one["id"]: one for one in json.loads(done.stdout)["checks"]}


def verdicts(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {id: one["verdict"] for id, one in found.items()}


def solve(lab: LabCommand) -> None:
    for script in read_scripts(LAB, "solution"):
        lab.ok("shell", "--lab", CHAPTER, script.on, "--", "sh", "-elc", script.text)


def a_shop_pod(lab: LabCommand, namespace: str) -> str:
    names = lab.ok("kubectl", "get", "pods", f"--namespace={namespace}", "--selector=app=shop", "--output=name").stdout
    return names.split()[0].removeprefix("pod/")


def fake_servers(lab: LabCommand, values: dict[str, str], *ports: str) -> None:
    pod = a_shop_pod(lab, values["LAB_NAMESPACE"])
    lab.ok("shell", "--root", "--lab", CHAPTER, "server", "--", "/usr/bin/python3", "-c", FAKE, values["LAB_GREETING"], pod, *ports)


def stop_fakes(lab: LabCommand) -> None:
    root(lab, "pkill -f '[c]lass Fake' || true")


def test_an_untouched_lab_passes_nothing_with_a_web_server_that_answers_as_the_shop(lab: LabCommand, values: dict[str, str]) -> None:
    fake_servers(lab, values, "8080", values["LAB_PUBLIC"])
    root(lab, 'echo "127.0.0.1 $1 server shop" >> /etc/hosts', values["LAB_HOST"])
    try:
        found = checks(lab, "--no-wait")
        assert "pass" not in verdicts(found).values()
    finally:
        stop_fakes(lab)


def test_a_service_that_does_not_reach_the_shop_is_not_saved_by_a_web_server_on_its_port(lab: LabCommand, values: dict[str, str]) -> None:
    solve(lab)
    assert set(verdicts(checks(lab)).values()) == {"pass"}
    fake_servers(lab, values, values["LAB_PUBLIC"], "80", "443")
    try:
        found = checks(lab)
        assert verdicts(found) | {"03.service": "pass", "03.public": "fail", "03.route": "fail"} == verdicts(found)
        for id, port in (("03.public", values["LAB_PUBLIC"]), ("03.route", "80")):
            assert f"A program of the machine itself listens on port {port}" in found[id]["message"]
    finally:
        stop_fakes(lab)
    assert set(verdicts(checks(lab)).values()) == {"pass"}


def test_a_redirect_is_no_answer(lab: LabCommand, values: dict[str, str]) -> None:
    """Every request is sent to https by Traefik: the page is there for a browser, and not at the address that the task names."""
    redirect = f"""
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {{name: away, namespace: {values["LAB_NAMESPACE"]}}}
spec: {{redirectScheme: {{scheme: https}}}}
"""
    manifest = lab.home / "away.yaml"
    manifest.write_text(redirect)
    lab.ok("kubectl", "apply", "-f", str(manifest))
    name, annotation = f"--namespace={values['LAB_NAMESPACE']}", "traefik.ingress.kubernetes.io/router.middlewares"
    lab.ok("kubectl", "annotate", "ingress/shop", name, f"{annotation}={values['LAB_NAMESPACE']}-away@kubernetescrd")
    try:
        found = checks(lab)["03.route"]
        assert found["verdict"] == "fail"
        assert found["actual"][:3] in ("301", "302", "308")
    finally:
        lab.ok("kubectl", "annotate", "ingress/shop", name, f"{annotation}-")
    assert set(verdicts(checks(lab)).values()) == {"pass"}


def test_liars_in_the_path_aliases_and_start_files_change_nothing(lab: LabCommand, values: dict[str, str]) -> None:
    root(lab, LIARS)
    work = root(lab, "ls -d /home/student/work").strip()
    for name in ("conftest.py", "sitecustomize.py", "courselab.py", "kubectl"):
        root(lab, f"printf 'raise SystemExit(0)\\n' > {work}/{name}")
    root(lab, "rm -f /home/student/.kube/config; sed -i 's|server: https://[^:]*:|server: https://203.0.113.1:|' /etc/rancher/k3s/k3s.yaml")
    found = checks(lab)
    assert set(verdicts(found).values()) == {"pass"}, found
    root(lab, 'KUBECONFIG=/var/lib/lab.kubeconfig; sed "s|203.0.113.1|127.0.0.1|" /etc/rancher/k3s/k3s.yaml > $KUBECONFIG; export KUBECONFIG; '
              '/usr/local/bin/kubectl delete service shop --namespace="$1"', values["LAB_NAMESPACE"])  # fmt: skip
    assert verdicts(checks(lab))["03.service"] == "fail"


def test_replaced_programs_of_the_system_are_named(lab: LabCommand) -> None:
    evidence = lab.home / "evidence.json"
    checks(lab, "--no-wait", "--save-evidence", str(evidence))
    assert "untrusted" not in json.loads(evidence.read_text())["nodes"]["server"]
    root(
        lab,
        "cp /usr/bin/systemctl /root/systemctl; cp /usr/bin/journalctl /usr/bin/systemctl.new; mv /usr/bin/systemctl.new /usr/bin/systemctl",
    )
    try:
        checks(lab, "--no-wait", "--save-evidence", str(evidence))
        assert json.loads(evidence.read_text())["nodes"]["server"]["untrusted"] == {
            "/usr/bin/systemctl": "is not the one that its package brought"
        }
    finally:
        root(lab, "mv /root/systemctl /usr/bin/systemctl")
    root(lab, 'for file in /usr/lib/python3.*/json/__init__.py; do echo >> "$file"; done')
    found = checks(lab, "--no-wait")
    assert "pass" not in (found["03.public"]["verdict"], found["03.route"]["verdict"])
    assert "json/__init__.py is not the one that its package brought" in found["03.public"]["message"]
