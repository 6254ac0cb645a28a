"""Expectations: right answers written another way pass, wrong ones say where and how they differ."""

from __future__ import annotations

from typing import Any

import pytest

from courselab.grade import (
    ABSENT,
    ANY,
    CheckerMistake,
    Failure,
    all_of,
    at_least,
    at_most,
    between,
    condition,
    contains,
    duration,
    each,
    exactly,
    expect,
    image,
    length,
    not_,
    one_of,
    quantity,
    regex,
    where,
)
from courselab.grade.redacted import SecretText, redact

CONTAINER = {
    "name": "web",
    "image": "docker.io/course/web:2@sha256:" + "a" * 64,
    "ports": [{"containerPort": 8080, "name": "http"}],
    "env": [{"name": "MODE", "value": "fast"}, {"name": "PORT", "value": "8080"}],
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
}
WEB = {
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "web", "extra": "yes"}},
    "spec": {"replicas": 3, "paused": False, "template": {"spec": {"containers": [{"name": "side", "image": "busybox"}, CONTAINER]}}},
    "status": {"conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "False", "reason": "Slow"}]},
}


def containers(*patterns: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(patterns)}}}}


@pytest.mark.parametrize(
    "pattern",
    [
        {"spec": {"replicas": 3}},
        {"spec": {"replicas": "3"}},  # a parameter is text
        {"spec": {"replicas": at_least(2)}},
        {"spec": {"replicas": between(1, 3), "paused": False}},
        {"spec": {"minReadySeconds": ABSENT}},
        {"metadata": {"labels": ANY, "annotations": ABSENT}},
        containers({"name": "web", "image": "course/web:2"}),
        containers({"name": "web", "image": image("course/web")}),
        containers({"image": "course/web:2"}),
        containers({"name": "web", "resources": {"requests": {"cpu": 0.1, "memory": "65536Ki"}}}),
        containers({"name": "web", "resources": {"requests": {"cpu": "0.1", "memory": "67108864"}}}),
        containers({"name": "web", "env": [{"name": "PORT", "value": "8080"}]}),
        containers({"name": "web", "env": [{"name": "PORT", "value": 8080}]}),
        containers({"name": "web", "ports": [{"containerPort": 8080}]}),
        containers({"name": "side", "image": "docker.io/library/busybox:latest"}),
        {"status": {"conditions": condition("Available")}},
        {"status": {"conditions": length(2)}},
        {"spec": {"template": {"spec": {"containers": each({"image": ANY})}}}},
        {"spec": one_of({"replicas": 5}, {"replicas": 3})},
        {"spec": all_of({"replicas": at_most(3)}, {"paused": False})},
        {"metadata": {"name": not_("api")}},
        {"metadata": {"name": regex("^we")}},
        {"metadata": {"name": where(str.islower, "lower case")}},
        {"metadata": {"labels": exactly({"extra": "yes", "app.kubernetes.io/name": "web"})}},
    ],
)
def test_right_answers_pass_however_they_are_written(pattern: Any) -> None:
    expect(WEB).matches(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "expected", "actual"),
    [
        ({"spec": {"replicas": 5}}, "spec.replicas", "5", "3"),
        ({"spec": {"replicas": at_least(4)}}, "spec.replicas", "at least 4", "3"),
        ({"spec": {"paused": True}}, "spec.paused", "true", "false"),
        ({"spec": {"paused": 0}}, "spec.paused", "0", "false"),
        ({"spec": {"replica": 3}}, "spec.replica", "3", "missing (there is 'replicas': is that a slip of the pen?)"),
        ({"status": {"availableReplica": 3}}, "status.availableReplica", "3", "missing"),  # nobody slips there but Kubernetes
        (containers({"name": "wbe"}), "spec.template.spec.containers", "one named 'wbe'", None),
        (containers({"name": "web", "image": "course/web:1"}), "spec.template.spec.containers[web].image", "course/web:1", None),
        (
            containers({"name": "web", "resources": {"requests": {"cpu": "100"}}}),
            "spec.template.spec.containers[web].resources.requests.cpu",
            "100",
            "100m",
        ),
        (
            containers({"name": "web", "ports": [{"containerPort": 80}]}),
            "spec.template.spec.containers[web].ports[http].containerPort",
            "80",
            "8080",
        ),
        ({"metadata": {"labels": {"app.kubernetes.io/name": "api"}}}, 'metadata.labels["app.kubernetes.io/name"]', "api", "web"),
        ({"status": {"conditions": condition("Progressing")}}, "status.conditions[Progressing].status", "True", "False (Slow: )"),
        ({"status": {"conditions": condition("Ready")}}, "status.conditions", "condition Ready=True", "no such condition yet"),
        ({"metadata": {"labels": exactly({"extra": "yes"})}}, "metadata.labels", None, None),
        ({"spec": ABSENT}, "spec", "nothing there", None),
        ({"metadata": {"name": not_("web")}}, "metadata.name", "anything but web", "web"),
    ],
)
def test_wrong_answers_say_where_and_how(pattern: Any, path: str, expected: str | None, actual: str | None) -> None:
    with pytest.raises(Failure) as caught:
        expect(WEB).matches(pattern)
    assert caught.value.path == path
    assert expected is None or caught.value.expected == expected
    assert actual is None or caught.value.actual == actual
    assert caught.value.about is WEB


def test_the_message_names_the_object_and_all_differences_are_counted() -> None:
    with pytest.raises(Failure, match=r"Deployment web: spec\.replicas: expected 5, found 3; 1 more differ"):
        expect(WEB).matches({"spec": {"replicas": 5, "paused": True}})


def test_an_author_can_write_the_sentence() -> None:
    with pytest.raises(Failure) as caught:
        expect(WEB, "web runs five replicas", next="kubectl get deployments").matches({"spec": {"replicas": 5}})
    assert caught.value.message == "web runs five replicas"
    assert caught.value.next == "kubectl get deployments"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.replicas", 3),
        ("spec.template.spec.containers[web].image", image("course/web:2")),
        ("spec.template.spec.containers[1].env[MODE].value", "fast"),
        ("spec.template.spec.containers[name=web].env[value=8080].name", "PORT"),
        ('metadata.labels["app.kubernetes.io/name"]', "web"),
    ],
)
def test_at_goes_to_a_part(path: str, value: Any) -> None:
    expect(WEB).at(path).matches(value)


def test_at_says_what_is_missing_and_what_was_meant() -> None:
    with pytest.raises(Failure) as caught:
        expect(WEB).at("spec.template.spec.container[web].image").matches("x")
    assert caught.value.path == "spec.template.spec.container"
    assert "containers" in caught.value.actual
    with pytest.raises(CheckerMistake, match="not a path"):
        expect(WEB).at("spec..replicas")


@pytest.mark.parametrize(
    ("predicate", "right", "wrong"),
    [
        (quantity("1Gi"), ["1024Mi", 1073741824, "1Gi"], ["1G", "many", None]),
        (duration("90s"), ["1m30s", 90], ["1m", "soon"]),
        (image("course/web:1"), ["docker.io/course/web:1", "course/web:1@sha256:00"], ["course/web:2", "ghcr.io/course/web:1", 3]),
        (image("localhost:5000/web"), ["localhost:5000/web:7"], ["web:7"]),
        (contains("ab"), ["cabs", ["ab"]], ["ba", ["abc"], 5]),
        (each("a"), [["a", "a"]], [[], ["a", "b"], "a"]),
        (length(at_least(2)), [[1, 2], "ab", {"a": 1, "b": 2}], [[1], 7]),
    ],
)
def test_predicates(predicate: Any, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        expect({"x": value}).matches({"x": predicate})
    for value in wrong:
        with pytest.raises(Failure):
            expect({"x": value}).matches({"x": predicate})


SECRET = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": redact("hunter22", "lab-key")}}


def test_secrets_compare_without_being_there() -> None:
    assert "hunter22" not in str(SECRET)
    expect(SECRET).matches({"data": {"password": "hunter22"}})
    expect(SECRET).matches({"data": {"password": SecretText(redact("hunter22", "lab-key"))}})
    expect(SECRET).matches({"data": {"password": ANY}})
    expect(SECRET).matches({"data": {"password": length(8)}})
    expect(SECRET).matches({"data": {"password": not_("hunter23")}})
    with pytest.raises(Failure) as caught:
        expect(SECRET).matches({"data": {"password": "swordfish"}})
    assert "swordfish" not in caught.value.expected + caught.value.actual + str(caught.value)


@pytest.mark.parametrize(
    ("stored", "said"),
    [("hunter22\n", "white space"), ("aHVudGVyMjI=", "encoded once too often"), ("YUhWdWRHVnlNakk9", "encoded twice too often")],
)
def test_secrets_that_are_nearly_right_say_how_they_differ(stored: str, said: str) -> None:
    with pytest.raises(Failure) as caught:
        expect({"data": {"password": redact(stored, "lab-key")}}).matches({"data": {"password": "hunter22"}})
    assert said in caught.value.actual


def test_a_secret_cannot_be_compared_in_part() -> None:
    with pytest.raises(CheckerMistake, match="compared whole"):
        expect(SECRET).matches({"data": {"password": contains("hunter")}})
