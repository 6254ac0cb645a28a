"""HelmCharts: the real helm-controller, started with the first of them (docs.k3s.io/helm, pkg/server/server.go).

A cluster without charts has the kinds and nothing else: neither the controller's caches nor the image of its Jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import containers, layout
from .api import TROUBLE, Api
from .children import Node
from .config import Config
from .deploy import log
from .files import write

IMAGE = "docker.io/k3s-standin/klipper-helm:4.2.4"
ARCHIVE = "helm.tar"
HELMCHARTS = "/apis/helm.cattle.io/v1/helmcharts"
WATCH_S = 25  # below the time that a request may take
TRY_AGAIN_S = 0.2


def stage_charts() -> None:
    """Lay the packaged charts where the API server hands them out: server/static/charts (pkg/static)."""
    for source in (layout.HOME / "static" / "charts").glob("*.tgz"):
        target = layout.SERVER / "static" / "charts" / source.name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            write(target, source.read_bytes())


def run(kube: Node, config: Config, check: Callable[[], None]) -> None:
    """Make the kinds; with the first HelmChart, and once the image of its Job is there, start the controller."""
    if config.on("disable-helm-controller"):
        return
    flags = {"kubeconfig": f"{layout.CRED}/supervisor.kubeconfig", "node-name": config.node_name, "job-image": IMAGE}
    kube.run("helm-crds", flags)
    _wait_for_first(check)
    for problem in containers.import_images([layout.HOME / "images" / ARCHIVE]):
        log(problem)
    kube.run("helm-controller", flags)


def _wait_for_first(check: Callable[[], None]) -> None:
    """Return once there is a HelmChart; a watch begins with an event for each that is there."""
    while True:
        check()
        try:
            for event in Api().watch(f"{HELMCHARTS}?watch=true&timeoutSeconds={WATCH_S}"):
                if event.get("type") == "ADDED":
                    return
        except (*TROUBLE, ValueError):
            time.sleep(TRY_AGAIN_S)  # the kind takes a moment to be served
