"""Values that are written differently and mean the same: quantities (100m = 0.1), image names, durations, numbers in quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)([a-zA-Z]{0,2})")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# Below these keys of any Kubernetes object stand quantities.
QUANTITY_PARENTS = frozenset({"requests", "limits", "capacity", "allocatable", "hard", "used", "default", "defaultRequest", "max", "min"})


def parse_quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity as a number ("100m", "64Mi", 1, "1e3"), or None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    found = _QUANTITY.fullmatch(str(value).strip())
    if not found or found[2] not in _SUFFIXES:
        return None
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def readable(quantity: str) -> str:
    """A quantity of bytes in the largest unit in which it is at least 1: "24684084Ki" is about "23.5Gi"."""
    value = parse_quantity(quantity)
    if value is None or not quantity.endswith("i"):
        return quantity
    unit = next((unit for unit in ("Ti", "Gi", "Mi", "Ki") if value >= _SUFFIXES[unit]), "Ki")
    return f"{float(value / _SUFFIXES[unit]):.1f}".removesuffix(".0") + unit


def parse_duration(value: Any) -> float | None:
    """A Go duration ("1m30s") or a number of seconds, in seconds; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(value))


@dataclass(frozen=True)
class ImageName:
    """An image name taken apart, with the defaults a container runtime fills in."""

    registry: str  # "docker.io"
    repository: str  # "library/nginx", "course/web"
    tag: str  # "latest" where neither tag nor digest is written
    digest: str
    tag_written: bool


def parse_image(value: Any) -> ImageName | None:
    """An image name as the container runtime understands it; None if it is not one."""
    if not isinstance(value, str) or not value or re.search(r"\s", value):
        return None
    name, _, digest = value.partition("@")
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, ""
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = "docker.io", path
    if registry in ("docker.io", "index.docker.io"):
        registry = "docker.io"
        if "/" not in repository:
            repository = f"library/{repository}"
    return ImageName(registry, repository, tag or ("" if digest else "latest"), digest, bool(tag))


def same_image(expected: str, actual: Any, *, any_tag: bool = False) -> bool:
    """Whether both names mean the same image. A digest counts only if it is expected; `any_tag`: a tag not written matches all."""
    wanted, found = parse_image(expected), parse_image(actual)
    if wanted is None or found is None:
        return expected == actual
    if (wanted.registry, wanted.repository) != (found.registry, found.repository):
        return False
    if wanted.digest:
        return wanted.digest == found.digest
    return wanted.tag == found.tag or (any_tag and not wanted.tag_written)


def same_value(expected: Any, actual: Any, keys: tuple[str, ...] = ()) -> bool:
    """Whether two leaves are equal by meaning. `keys` is the way to them, which says what kind of value stands there."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if QUANTITY_PARENTS.intersection(keys):
        wanted = parse_quantity(expected)
        return expected == actual or (wanted is not None and wanted == parse_quantity(actual))
    if keys and keys[-1] == "image" and isinstance(expected, str):
        return same_image(expected, actual)
    if isinstance(expected, str) != isinstance(actual, str):  # "8081" in an annotation or a parameter, 8081 in a port
        return str(expected).strip() == str(actual).strip()
    return expected == actual
