"""The machine image below the stand-in: the course's local image with a real cloud-init and an ssh server, and without our own user."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from courselab.paths import Paths

PACKAGES = ("cloud-init", "openssh-server")
CLOUD_CFG = """\
datasource_list: [NoCloud, None]
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: C.UTF-8
ssh_genkeytypes: [ed25519]
"""
# A fresh Ubuntu image has no users beside root; cloud-init makes the default one. The empty home is what LocalProvider copies.
SETUP = """
userdel student
rm -rf /home/student /etc/sudoers.d/student
mkdir /home/student
rm -f /etc/ssh/ssh_host_*
"""


def variant(paths: Paths, work: Path) -> Paths:
    """Folders for a LocalProvider whose machines are the stand-in's: own state in `work`, own images beside the course's own."""
    recipe = work / "infra" / "machine"
    if not (recipe / "complete").exists():
        shutil.rmtree(recipe, ignore_errors=True)
        shutil.copytree(paths.infra / "machine", recipe, symlinks=True)
        with (recipe / "packages.txt").open("a", encoding="utf-8") as packages:
            packages.write("".join(f"{name}\n" for name in PACKAGES))
        with (recipe / "rootfs/usr/lib/courselab/setup").open("a", encoding="utf-8") as setup:
            setup.write(SETUP)
        folder = recipe / "rootfs/etc/cloud/cloud.cfg.d"
        folder.mkdir(parents=True)
        (folder / "95-standin.cfg").write_text(CLOUD_CFG, encoding="utf-8")
        (recipe / "complete").touch()
    return replace(paths, course=work, state=work, cache=paths.cache / "multipass-standin")
