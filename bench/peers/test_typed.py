"""Seven tasks of chapter 02 in pytest with the official client's types; objects are read once per run.

KUBECONFIG, LAB_WORK (the learner's folder) and the parameters (LAB_NAMESPACE, …) come from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

NAMESPACE = os.environ["LAB_NAMESPACE"]
CAUSE, REVISION = "kubernetes.io/change-cause", "deployment.kubernetes.io/revision"


@pytest.fixture(scope="session")
def apps() -> Any:
    config.load_kube_config()  # pyright: ignore[reportUnknownMemberType]
    return client.AppsV1Api()


@pytest.fixture(scope="session")
def web(apps: Any) -> Any:
    return apps.read_namespaced_deployment("web", NAMESPACE)


@pytest.fixture(scope="session")
def pods(apps: Any) -> Any:
    return client.CoreV1Api().list_namespaced_pod(NAMESPACE, label_selector="app=web").items


@pytest.fixture(scope="session")
def sets(apps: Any) -> Any:
    found = apps.list_namespaced_replica_set(NAMESPACE, label_selector="app=web").items
    return sorted(found, key=lambda one: int(one.metadata.annotations[REVISION]))


def is_ready(pod: Any) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def test_deploy(web: Any) -> None:
    assert web.spec.template.spec.containers[0].image.startswith("course/web:")
    assert web.status.available_replicas >= 1


def test_scale(web: Any) -> None:
    assert web.spec.replicas == web.status.available_replicas == int(os.environ["LAB_REPLICAS"])


def test_image(pods: Any) -> None:
    assert pods
    assert all(pod.spec.containers[0].image == "course/web:2" and is_ready(pod) for pod in pods)


def test_history(sets: Any) -> None:
    images = [one.spec.template.spec.containers[0].image for one in sets]
    assert "course/web:1" in images
    assert images[-1] == "course/web:2"
    assert sets[-1].metadata.annotations[CAUSE].strip()


def test_ready(pods: Any) -> None:
    asked = [pod.spec.containers[0].readiness_probe.http_get for pod in pods]
    port = os.environ["LAB_PORT"]
    assert all(one.path == "/readyz" and str(getattr(one.port, "actual_instance", one.port)) == port for one in asked)
    assert all(map(is_ready, pods))


def test_requests(pods: Any) -> None:
    wanted = {"cpu": f"{os.environ['LAB_CPU']}m", "memory": f"{os.environ['LAB_MEMORY']}Mi"}
    plain: Callable[[Any], str] = lambda value: str(getattr(value, "actual_instance", value))  # noqa: E731
    found = [{name: plain(value) for name, value in pod.spec.containers[0].resources.requests.items()} for pod in pods]
    assert found == [wanted] * len(pods)


def test_crash() -> None:
    assert (Path(os.environ["LAB_WORK"]) / "crash.txt").read_text().strip() == os.environ["LAB_MISSING"]
