"""Why a PersistentVolumeClaim is not bound."""

from __future__ import annotations

from courselab.grade.dig import Obj, table, text, texts
from courselab.grade.settle import pods_using
from courselab.grade.why.walk import Walk
from courselab.grade.world import name_of, namespace_of

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def claim(walk: Walk, obj: Obj) -> None:
    """Its class, then what the provisioner said, then whether it waits for a pod."""
    if text(obj, "status", "phase") == "Bound":
        return
    base = {"name": name_of(obj), "namespace": namespace_of(obj)}
    classes = walk.world.objects("StorageClass")
    listed = f"; there is {', '.join(map(name_of, classes))}" if classes else "; the cluster has none"
    wanted = obj.get("spec", {}).get("storageClassName")
    storage = walk.world.find("StorageClass", wanted) if wanted else None
    known = "StorageClass" in walk.world.evidence.cluster.kinds and not text(obj, "spec", "volumeName")
    if known and wanted and storage is None:
        walk.signal("claim", "UnknownClass", wanted=wanted, classes=listed, **base)
    elif walk.events(obj, modes=", ".join(texts(obj, "spec", "accessModes")), **base):
        return
    elif known and wanted is None and not any(table(found, "metadata", "annotations").get(_DEFAULT_CLASS) == "true" for found in classes):
        walk.signal("claim", "NoClass", classes=listed, **base)
    elif storage and text(storage, "volumeBindingMode") == "WaitForFirstConsumer" and not pods_using(walk.world, obj):
        walk.signal("claim", "WaitsForPod", **base)
