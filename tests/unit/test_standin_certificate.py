"""`k3s certificate` of the stand-in: what it says in which words, and what it sets aside."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import yaml

from tests.unit.test_standin_supervisor import make_certificates

from standin import certificate, certs, layout  # isort: skip
from standin.errors import Refused  # isort: skip

DAY_S = 24 * 3600


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in table.strip().splitlines()]


def test_a_table_shows_every_certificate_with_its_authority(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates()
    assert certificate.run(["check", "--output", "table"]) == 0
    printed = capsys.readouterr()
    head, line, *found = rows(printed.out)
    assert head == ["FILENAME", "SUBJECT", "USAGES", "EXPIRES", "RESIDUAL TIME", "STATUS"]
    assert [len(dashes) for dashes in line] == [len(word) for word in head]
    admin, authority = [row for row in found if row[0] == "client-admin.crt"]
    assert (admin[1], admin[2], admin[4:]) == ("system:admin", "ClientAuth", ["1 year", "OK"])
    assert authority[1].startswith("k3s-client-ca@")
    assert (authority[2], authority[4:]) == ("CertSign", ["10 years", "OK"])
    assert admin[3] == (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)).strftime("%b %d, %Y %H:%M UTC")
    assert {"serving-kubelet.crt", "client-kube-proxy.crt", "serving-kube-apiserver.crt"} <= {row[0] for row in found}
    assert 'level=info msg="Server detected, checking agent and server certificates"' in printed.err


def test_lines_say_what_will_end_soon(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificates()
    certificate.run(["check", "-s", "admin"])
    assert 'level=info msg="client-admin.crt: certificate system:admin (ClientAuth) is ok, expires at 20' in capsys.readouterr().err
    monkeypatch.setattr(certs, "RENEW_WITHIN", datetime.timedelta(days=366))
    certificate.run(["check", "--service=admin"])
    assert "level=warning" in (said := capsys.readouterr().err)
    assert "will expire within 366 days at" in said


@pytest.mark.parametrize(("shift_days", "status"), [(0, "OK"), (300, "WARNING"), (400, "EXPIRED"), (-1, "NOT YET VALID")])
def test_the_status_follows_the_clock(root: Path, shift_days: int, status: str) -> None:
    make_certificates()
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=shift_days)
    first = next(iter(certificate.read(layout.TLS / "client-admin.crt", now)))
    assert first.status == status


def test_other_forms_carry_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates()
    certificate.run(["check", "-o", "json", "-s", "kubelet"])
    (client, _, serving, _) = json.loads(capsys.readouterr().out)["Certificates"]
    assert (client["Filename"], client["Subject"], client["Usages"]) == ("client-kubelet.crt", "system:node:server", ["ClientAuth"])
    assert (serving["Usages"], serving["Status"]) == (["ServerAuth"], "OK")
    assert 364 * DAY_S < serving["ResidualTime"] / 1e9 < 365 * DAY_S
    certificate.run(["check", "-o", "yaml", "-s", "kubelet"])
    assert yaml.safe_load(capsys.readouterr().out)["certificates"][0]["subject"] == "system:node:server"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "now"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (DAY_S, "1 day"), (13 * DAY_S, "1 week"),
        (29 * DAY_S, "4 weeks"), (45 * DAY_S, "1 month"), (359 * DAY_S, "11 months"), (365 * DAY_S, "1 year"), (600 * DAY_S, "2 years"),
        (3650 * DAY_S, "10 years"),
    ],
)  # fmt: skip
def test_spans_are_said_as_k3s_says_them(seconds: float, words: str) -> None:
    assert certificate.in_words(seconds) == words


def test_rotate_sets_certificates_and_keys_aside(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates()
    admin, kubelet, authority = layout.TLS / "client-admin", layout.AGENT / "client-kubelet", layout.TLS / "client-ca"
    before = {path: path.with_suffix(".key").read_bytes() for path in (admin, kubelet, authority)}
    assert certificate.run(["rotate"]) == 0
    assert "please restart k3s server or agent to rotate certificates" in capsys.readouterr().err
    (kept,) = layout.SERVER.glob("tls-*")
    assert (kept / "client-admin.key").read_bytes() == before[admin]
    assert (kept / "client-kubelet.key").read_bytes() == before[kubelet]
    assert not admin.with_suffix(".crt").exists()
    make_certificates()
    assert admin.with_suffix(".key").read_bytes() != before[admin]
    assert authority.with_suffix(".key").read_bytes() == before[authority], "authorities stay"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["check", "--output", "xml"], "invalid output format xml"),
        (["check", "--service", "kubelets"], "service kubelets is not recognized"),
        (["check", "--output"], "--output needs a value"),
        (["check", "--data-dir=/srv"], "--data-dir"),
        (["rotate-ca"], "no command 'certificate rotate-ca'"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(root: Path, words: list[str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        certificate.run(words)
