"""Objects as the official kubernetes client's models, for authors who prefer attributes. Importing the client takes half a second."""

from __future__ import annotations

from typing import Any

from courselab.grade.authors import CheckerMistake
from courselab.grade.dig import Obj, text


def model_of(obj: Obj) -> Any:
    """The client's model of `obj`: a V1Deployment for an apps/v1 Deployment. Raises CheckerMistake for kinds it has none for."""
    import kubernetes.client

    kind, version = text(obj, "kind"), text(obj, "apiVersion").rpartition("/")[2]
    name = "CoreV1Event" if kind == "Event" else f"{version[:1].upper()}{version[1:]}{kind}"
    model = getattr(kubernetes.client, name, None)
    if model is None:
        raise CheckerMistake(f"the kubernetes client has no model of {obj.get('apiVersion')} {kind}")
    return model.from_dict(obj)
