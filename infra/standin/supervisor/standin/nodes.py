"""What K3s writes on the Node of the machine it runs on (pkg/agent/run.go, pkg/nodeconfig/nodeconfig.go, pkg/cloudprovider)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from .api import Api, Object
from .config import Config

SECRET_VARIABLES = ("K3S_TOKEN", "K3S_AGENT_TOKEN", "K3S_CLUSTER_SECRET", "K3S_DATASTORE_ENDPOINT")
HIDDEN = "********"


def path_of(config: Config) -> str:
    """Where the API has our Node."""
    return f"/api/v1/nodes/{config.node_name}"


def describe(
    api: Api, config: Config, command: str, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> Object:
    """Give our Node its labels and annotations; returns it. Labels of the configuration are set at each start, never taken away."""
    return api.merge(
        path_of(config),
        {
            "metadata": {
                "labels": {"beta.kubernetes.io/instance-type": "k3s", **node_labels(config), **(labels or {})},
                "annotations": {
                    "k3s.io/hostname": config.node_name,
                    "k3s.io/internal-ip": config.node_ip,
                    "k3s.io/node-args": json.dumps([command, *config.given]),
                    "k3s.io/node-env": json.dumps(environment(os.environ)),
                    **(annotations or {}),
                },
            }
        },
    )


def node_labels(config: Config) -> dict[str, str]:
    """The labels that the configuration asks for."""
    return {key: value for key, _, value in (label.partition("=") for label in config.all("node-label"))}


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """K3s's own variables, secrets hidden."""
    return {name: HIDDEN if name in SECRET_VARIABLES else environ[name] for name in sorted(environ) if name.startswith("K3S_")}
