"""YAML that anybody may have written: read as plain values, or refused; never an exception of another kind, never a long wait."""

from __future__ import annotations

import pytest

from courselab.grade.plain_yaml import NotYaml, read_yaml, read_yaml_documents

BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30))])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, yes, ~, 1.5, text]", {"a": [1, True, None, 1.5, "text"]}),
        ("6443: x\n~: y\ntrue: z\n2026-11-29: day", {"6443": "x", "null": "y", "true": "z", '"2026-11-29"': "day"}),
        ("when: 2026-11-29", {"when": "2026-11-29"}),
        ("a: &one {b: 1}\nc: *one", {"a": {"b": 1}, "c": {"b": 1}}),
        ("!!set {a, b}", ["a", "b"]),
        ("", None),
    ],
)
def test_what_can_be_read(text: str, value: object) -> None:
    found = read_yaml(text)
    assert (sorted(found) if text.startswith("!!set") else found) == value


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: 1\n---\nb: 2", "a: 2026-13-45", "a: !!bool x", "a: !!timestamp x", "a: !!int x", "{[]: 1}", "a: &a [*a]", "[" * 5000, "a: \x00", "!!python/object:os.system {}", BOMB],
    ids=lambda text: repr(text)[:20],
)  # fmt: skip
def test_what_cannot(text: str) -> None:
    with pytest.raises(NotYaml):
        read_yaml(text)


def test_several_documents_share_one_bound() -> None:
    assert read_yaml_documents("a: 1\n---\n- b\n---\n") == [{"a": 1}, ["b"], None]
    with pytest.raises(NotYaml):
        read_yaml_documents("---\n".join(["[x, x, x, x, x, x, x, x, x]\n"] * 1001))


def test_where_it_is_wrong() -> None:
    with pytest.raises(NotYaml) as told:
        read_yaml("token: very-secret\na: b\n  c: d\n")
    assert told.value.line == 3
    assert "very-secret" not in str(told.value)
