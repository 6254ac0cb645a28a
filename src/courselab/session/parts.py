"""Everything a lab is made of, made ready at the same time: machine image, K3s, lab images."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from courselab.course import Lab
from courselab.k3s import images, standin
from courselab.k3s.release import Release, architecture, find_release
from courselab.k3s.standin.toolchain import go_command
from courselab.session.context import Context


@dataclass(frozen=True)
class Parts:
    """What installing a lab needs, beside machines."""

    release: Release
    images: tuple[Path, ...]


def gather_parts(context: Context, lab: Lab) -> Parts:
    """Make or find all parts; quick when they are kept from before. The first failure is raised once the others have ended."""
    with ThreadPoolExecutor(thread_name_prefix="parts") as pool:
        machine_image: Future[None] = pool.submit(context.provider.prepare)
        k3s = pool.submit(_k3s_and_images, context, lab)
        machine_image.result()
        return k3s.result()


def _k3s_and_images(context: Context, lab: Lab) -> Parts:
    """One after the other: both may compile, and there are few cores."""
    release = find_release(context.paths, context.progress, stand_in=lambda: standin.stand_in_release(context.paths, context.progress))
    archives = images.lab_images(
        context.paths, lab.file.images, architecture(), context.progress, go=lambda: go_command(context.paths, context.progress)
    )
    return Parts(release, tuple(archives))
