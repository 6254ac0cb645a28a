"""No secret leaves the machine it was on."""

from __future__ import annotations

import base64
import json

import pytest

from courselab.grade.evidence import encode
from courselab.grade.redact import Redactor, is_secret_name
from courselab.grade.redacted import is_redacted
from tests.unit.grade.builders import container, evidence, obj, pod

MARKER = "s3cr3t-MARKER"
JWT = (
    "eyJhbGciOiJSUzI1NiJ9."
    + base64.urlsafe_b64encode(b'{"sub":"system:serviceaccount:shop:web","exp":1}').decode().rstrip("=")
    + ".c2lnbmF0dXJl"
)
K3S_TOKEN = "K10" + "ab" * 32 + f"::server:{MARKER}"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_marker_planted_everywhere_is_nowhere_in_the_document() -> None:
    secret = obj("Secret", "db", type="Opaque", data={"password": b64(MARKER), "tls.key": b64(f"-----BEGIN PRIVATE KEY-----\n{MARKER}\n")})
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"password": b64(MARKER)}}), "note": f"is {MARKER}"}
    secret["metadata"]["annotations"] = dict(applied)
    config = obj("ConfigMap", "app", data={"app.conf": f"url=postgres://u:{MARKER}@db", "password": MARKER, "plain": f"x {MARKER} y"})
    env = [
        {"name": "DB_PASSWORD", "value": MARKER},
        {"name": "URL", "value": f"postgres://u:{MARKER}@db/x"},
        {"name": "COPY", "value": MARKER},
    ]
    one = container(env=env, args=["--db-password", MARKER, f"--token={MARKER}"], command=["sh", "-c", f"login {MARKER}"])
    web = pod(containers=[one], annotations=dict(applied), state={"waiting": {"reason": "X", "message": f"bad {MARKER}"}})
    token_secret = obj("Secret", "token", data={"token": b64(JWT)})

    redactor = Redactor("lab-key", public=["shop"])
    redactor.learn_secrets([secret, token_secret])
    objects = [redactor.object(found) for found in (secret, token_secret, config, web)]
    params = redactor.mapping({"namespace": "shop", "db_password": MARKER})
    facts = redactor.value({"out": [f"password is {MARKER}", MARKER, b64(MARKER)], "jwt": JWT})
    files = [
        redactor.file("/var/lib/rancher/k3s/server/node-token", f"{K3S_TOKEN}\n"),
        redactor.file("/etc/rancher/k3s/k3s.yaml", f"users:\n- user:\n    client-key-data: {b64(MARKER)}\n    token: {MARKER}\n"),
        redactor.file("/etc/systemd/system/k3s.service.env", f"K3S_TOKEN={K3S_TOKEN}\nK3S_URL=https://192.0.2.1:6443\n"),
        redactor.file("/home/student/notes.txt", f"I set it to {MARKER}."),
    ]
    log = redactor.text(f"connecting with password={MARKER} and {JWT}")

    document = encode(evidence(*objects, params=params, from_run={"facts": facts, "files": files, "log": log})).decode()
    for form in (MARKER, b64(MARKER), JWT, JWT.rpartition(".")[2], b64(JWT)):
        assert form not in document


def test_values_of_a_chart_keep_no_secret_and_stay_values() -> None:
    """K3s copies valuesContent into a Secret, so that as a whole it is a known one."""
    content = f"replicas: 2\nauth:\n  password: {MARKER}\n  note: of {MARKER[:8]}other\n"
    copy = obj("Secret", "chart-values-web", data={"values-01_HelmChart.yaml": b64(content)})
    other = obj("Secret", "other", data={"key": b64(f"{MARKER[:8]}other")})
    spec = {
        "valuesContent": content,
        "set": {"adminPassword": MARKER, "replicas": 2},
        "values": {"auth": {"password": MARKER, "user": "ada"}},
    }
    redactor = Redactor("lab-key")
    redactor.learn_secrets([copy, other])
    chart = redactor.object({"kind": "HelmChart", "metadata": {"name": "web"}, "spec": spec})
    assert MARKER[:8] not in json.dumps(chart)
    assert chart["spec"]["valuesContent"].startswith("replicas: 2\nauth:\n  password: ‹")
    assert chart["spec"]["set"]["replicas"] == 2
    assert chart["spec"]["values"]["auth"]["user"] == "ada"


def test_of_a_secret_that_begins_with_another_nothing_stays() -> None:
    redactor = Redactor("lab-key")
    longer = [f"{MARKER}-{place}-and-more" for place in range(20)]
    for value in (MARKER, *longer):
        redactor.learn(value)
    assert redactor.text(f"tried {' '.join(longer)}") == f"tried {' '.join(['‹secret›'] * 20)}"


def test_of_a_bootstrap_token_only_the_secret_half_is_secret() -> None:
    said = {"token-id": "abc123", "token-secret": "0123456789abcdef", "expiration": "2026-11-28T17:31:33Z", "description": "for the shed"}
    redactor = Redactor("lab-key")
    redactor.learn_secrets(
        [obj("Secret", "t", type="bootstrap.kubernetes.io/token", data={key: b64(value) for key, value in said.items()})]
    )
    assert redactor.value({"id": "abc123", "ends": said["expiration"]}) == {"id": "abc123", "ends": said["expiration"]}
    assert redactor.text("abc123.0123456789abcdef for the shed") == "abc123.‹secret› for the shed"


def test_public_parts_stay_readable() -> None:
    redactor = Redactor("lab-key", public=["postgres-shop"])
    redactor.learn("postgres-shop")
    web = redactor.object(pod(containers=[container(image="postgres-shop:16", env=[{"name": "HOST", "value": "postgres-shop"}])]))
    assert web["spec"]["containers"][0]["image"] == "postgres-shop:16"
    assert web["spec"]["containers"][0]["env"][0]["value"] == "postgres-shop"
    assert redactor.text("couldn't find key password in Secret shop/db") == "couldn't find key password in Secret shop/db"
    assert redactor.text('MountVolume.SetUp failed for volume "c" : secret "db" not found').endswith('secret "db" not found')


def test_what_is_public_stays_so_when_a_secret_holds_a_file_of_it() -> None:
    redactor = Redactor("lab-key", public=["Closed on Mondays"])
    redactor.learn_secrets([obj("Secret", "notice", data={"notice.txt": b64("Closed on Mondays\n")})])
    assert redactor.value("Closed on Mondays\n") == "Closed on Mondays\n"


def test_what_is_public_of_a_secret_is_kept() -> None:
    redactor = Redactor("lab-key")
    certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    assert redactor.secret(JWT)["$secret"]["jwt"]["sub"] == "system:serviceaccount:shop:web"
    assert redactor.secret(K3S_TOKEN)["$secret"]["token"] == {"kind": "server", "id": "", "ca": "ab" * 32}
    assert redactor.secret("K10" + "ab" * 32 + "::abc123.0123456789abcdef")["$secret"]["token"]["kind"] == "bootstrap"
    assert redactor.secret(certificate)["$secret"]["certificates"] == [certificate]
    assert "kind=server" in redactor.text(f"joining with {K3S_TOKEN}")


@pytest.mark.parametrize("name", ["DB_PASSWORD", "adminPassword", "api-key", "token", "agent-token", "client-key-data", "PRIVATE_KEY"])
def test_names_that_say_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["host", "secretName", "monkey", "PATH", "imagePullSecrets", "tokens_per_second", "keyboard"])
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


def test_config_of_k3s_hides_tokens_and_keeps_the_rest() -> None:
    cleaned = Redactor("lab-key").mapping({"token": "abcdef123", "tls-san": ["lab.example"], "write-kubeconfig-mode": "0644"})
    assert is_redacted(cleaned["token"])
    assert cleaned["tls-san"] == ["lab.example"]
    assert cleaned["write-kubeconfig-mode"] == "0644"


def test_long_texts_are_cut_and_said_so() -> None:
    redactor = Redactor("lab-key")
    cut = redactor.object(obj("ConfigMap", "big", data={"blob": "x" * 5_000_000}))
    assert len(cut["data"]["blob"]) < 20_000
    assert redactor.trimmed == ["a text of 5000000 characters"]


def test_an_error_about_a_file_whose_name_says_secret_stays_readable() -> None:
    for said in ('exec: "/etc/passwd": permission denied', "open /run/token: permission denied"):
        assert Redactor("lab-key").text(said) == said
    assert "hunter22" not in Redactor("lab-key").text('"password": hunter22')


@pytest.mark.parametrize(
    "claims", ['{"a": ' + "[" * 20_000, '{"a": ' + "[" * 900 + "]" * 900 + "}", '{"sub": "\\ud800"}', '{"exp": 1e999}', "7"]
)
def test_a_token_that_somebody_made_up_breaks_nothing(claims: str) -> None:
    head, _, signature = JWT.split(".")
    made_up = f"{head}.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.{signature}"
    redactor = Redactor("lab-key")
    assert encode(evidence(from_run={"fact": redactor.value(made_up), "log": redactor.text(f"with {made_up}")}))
