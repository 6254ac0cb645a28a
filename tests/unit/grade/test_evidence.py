"""The document: written, read again, refused, and described by its schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import msgspec
import pytest

from courselab.errors import UsageError
from courselab.grade.clean import clean
from courselab.grade.evidence import ContainerLog, Missing, ProbeResult, decode, encode, evidence_schema, load, save
from tests.unit.grade.builders import deployment, evidence, node, pod

FULL = evidence(
    deployment(),
    pod(),
    node(),
    logs=(ContainerLog(namespace="shop", pod="web-1", container="web", lines=["a"]),),
    probes={"02.http": ProbeResult(result={"status": 200}, at=1.0)},
    missing=[Missing(what="cluster/Lease", why="403")],
    trimmed=["Pod: 3 more objects"],
)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    save(FULL, tmp_path / "evidence.json")
    assert load(tmp_path / "evidence.json") == FULL
    assert (tmp_path / "evidence.json").stat().st_mode & 0o077 == 0


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FULL.lab = "03"  # type: ignore[misc]


def test_the_schema_describes_it() -> None:
    schema = evidence_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(encode(FULL))
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "cluster": 5}, schema)


def test_what_a_newer_version_added_is_ignored() -> None:
    assert decode(json.dumps({**json.loads(encode(FULL)), "news": 1}).encode()) == FULL


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is not Evidence"),
        (b"{}", "is not Evidence"),
        (b"\xff\xfe", "is not Evidence"),
        (b"[" * 100_000, "is not Evidence"),
        (encode(msgspec.structs.replace(FULL, schema=2)), "is Evidence of schema 2"),
    ],
)
def test_what_is_no_evidence_is_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert caught.value.what == f"{path} {what}"


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(Path("/nonexistent/evidence.json"))


@pytest.mark.parametrize(
    ("dirty", "tidy"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\r\n\tb", "a b"),
        ("\u202eabc", "\\u202eabc"),
        ("x" * 500, "x" * 399 + "…"),
        ("größer →", "größer →"),
    ],
)
def test_clean(dirty: str, tidy: str) -> None:
    assert clean(dirty) == tidy


def test_a_place_where_nothing_can_be_kept_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")  # as /dev/stdout may be, which root could replace
    for name in ("file/evidence.json", "pipe", "."):
        with pytest.raises(UsageError, match="cannot be written"):
            save(FULL, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
