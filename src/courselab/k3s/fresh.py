"""Ready again after a restart. What the cluster says of nodes and pods may be from before it, so what is waited for must be newer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from courselab.errors import LabError
from courselab.k3s.api import Api, Kind, Object
from courselab.k3s.ready import COMPONENTS, DEPLOYMENT, Wanted, ready_node, wait_for

LEASE = Kind("Lease", "apis/coordination.k8s.io/v1", "leases")
_PODS = "/api/v1/namespaces/kube-system/pods"
_WATCH_S = 30.0
_PAUSE_S = 0.2


def wait_for_fresh(
    api: Api,
    *,
    nodes: Sequence[str],
    needs: Sequence[str],
    since: float,
    booted: float,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once each node has renewed its lease after `since` (seconds, the cluster's clock) and is Ready, and each component that is
    needed has a pod whose containers started after `booted` and are ready. Raises LabError with what was last seen."""
    deadline = clock() + timeout_s
    leases = [Wanted(LEASE, name, lambda lease: _moment(lease["spec"].get("renewTime")) >= since, "kube-node-lease") for name in nodes]
    wait_for(api, [*leases, *(ready_node(name) for name in nodes)], timeout_s=max(1.0, deadline - clock()))
    parts = [wanted for name in needs for wanted in COMPONENTS[name]]
    for wanted in parts:
        if wanted.kind is DEPLOYMENT:
            _wait_for_pod(api, wanted.name, booted, deadline, clock)
    wait_for(api, parts, timeout_s=max(1.0, deadline - clock()))


def _wait_for_pod(api: Api, deployment: str, since: float, deadline: float, clock: Callable[[], float]) -> None:
    last = "It has no pod."
    while (left := deadline - clock()) > 0:
        try:
            for event in api.watch(_PODS, timeout_s=min(left, _WATCH_S)):
                pod = event.get("object", {})
                if event.get("type") in ("ADDED", "MODIFIED") and pod["metadata"]["name"].startswith(f"{deployment}-"):
                    if _runs_since(pod, since):
                        return
                    last = f"Pod {pod['metadata']['name']} is {pod.get('status', {}).get('phase', 'unknown')}, and not ready since the restart."
        except LabError as interrupted:
            last = interrupted.why
            time.sleep(min(_PAUSE_S, max(0.0, deadline - clock())))  # the API may be restarting: there is no event to wait on
    raise LabError(
        f"{deployment} did not get ready again in time",
        why=last,
        fix="`lab kubectl get events -A` shows what the cluster says; `lab resume` again goes on waiting",
    )


def _runs_since(pod: Object, since: float) -> bool:
    """Whether all containers of a pod are ready and started after `since`."""
    containers: list[Object] = pod.get("status", {}).get("containerStatuses") or []
    return bool(containers) and all(
        one.get("ready") and _moment(one.get("state", {}).get("running", {}).get("startedAt")) >= since for one in containers
    )


def _moment(text: str | None) -> float:
    """A time as Kubernetes writes it, in seconds; 0 where there is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0
