"""Everything a lab is made of, made ready at the same time: machine image, K3s, lab images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from courselab.course import Lab
from courselab.errors import LabError
from courselab.k3s import debian, images
from courselab.k3s.debian_inside import download_inside
from courselab.k3s.release import Release, architecture, find_release
from courselab.machines import Machine
from courselab.session.context import Context


@dataclass(frozen=True)
class Parts:
    """What installing a lab needs, beside machines."""

    release: Release
    images: tuple[Path, ...]


def gather_parts(context: Context, lab: Lab) -> Parts:
    """Make or find all parts; quick when they are kept from before. The first failure is raised once the others have ended."""
    pool = ThreadPoolExecutor(thread_name_prefix="parts")
    try:
        machine_image: Future[None] = pool.submit(context.provider.prepare)
        k3s = pool.submit(_k3s_and_images, context, lab)
        machine_image.result()
        parts = k3s.result()
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)  # who presses Ctrl-C does not wait for ten more compilations
        raise
    except BaseException:
        pool.shutdown()
        raise
    pool.shutdown()
    return parts


def _k3s_and_images(context: Context, lab: Lab) -> Parts:
    """One after the other: both may compile, and there are few cores."""
    release = find_release(context.paths, context.progress, stand_in=lambda: _stand_in(context, lab))
    if not debian.can_download():  # macOS, Windows: with_images makes them, once there is a machine
        return Parts(release, ())
    return Parts(release, tuple(images.lab_images(context.paths, lab.file.images, architecture(), context.progress)))


def with_images(context: Context, lab: Lab, parts: Parts, machine: Machine) -> Parts:
    """The same parts with the lab's images. What this host could not make is made with packages that a machine of the lab fetches."""
    if parts.images or not lab.file.images:
        return parts

    def fetch(packages: Sequence[str], arch: str, _scratch: Path) -> debian.Packages:
        return download_inside(machine, packages, arch)

    return replace(parts, images=tuple(images.lab_images(context.paths, lab.file.images, architecture(), context.progress, fetch=fetch)))


def _stand_in(context: Context, lab: Lab) -> Release:
    """The stand-in, made here if need be. Its parts can only be compiled on Linux."""
    if sys.platform != "linux":
        why = "The K3s release could not be fetched, and its stand-in can only be made on Linux."
        raise LabError("No K3s can be had", why=why, fix="Check the internet connection, or set LAB_K3S_MIRROR or LAB_K3S_BINARY.")
    from courselab.k3s.standin import stand_in_release

    return stand_in_release(context.paths, context.progress, without=lab.disabled)
