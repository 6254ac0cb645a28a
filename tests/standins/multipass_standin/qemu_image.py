"""The disk image for real virtual machines: Debian with a kernel, cloud-init and an ssh server, as an Ubuntu cloud image has them."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path

from courselab import process
from courselab.machines.local import image
from courselab.paths import Paths
from courselab.progress import Silent
from multipass_standin.image import CLOUD_CFG

PACKAGES = ("cloud-init", "cloud-guest-utils", "openssh-server", "udev", "linux-image-cloud-amd64", "initramfs-tools", "zstd")
DISK = "8G"
NETWORK_CFG = "system_info: {network: {renderers: [networkd]}}\n"
SETUP = """\
#!/bin/sh
set -eu
systemctl enable systemd-networkd ssh
systemctl mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service getty.target
systemctl set-default multi-user.target
echo MODULES=list > /etc/initramfs-tools/conf.d/small
printf 'virtio_pci\\nvirtio_blk\\nvirtio_net\\next4\\n' > /etc/initramfs-tools/modules
update-initramfs -u
echo '/dev/vda / ext4 defaults 0 1' > /etc/fstab
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
"""


@dataclass(frozen=True)
class Boot:
    """What a virtual machine is booted from."""

    disk: Path
    kernel: Path
    initrd: Path


def make(paths: Paths) -> Boot:
    """The image, made once."""
    cache = paths.cache / "multipass-standin" / "qemu"
    recipe = _recipe(paths, cache)
    found = image.find_image(recipe, cache, image.host_suite())
    folder = cache / found.key
    boot = Boot(folder / "disk.img", folder / "vmlinuz", folder / "initrd")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not boot.disk.exists():
            image.build(found, recipe, image.host_sources(), Silent())
            _write(found.root, folder, boot)
    return boot


def _recipe(paths: Paths, cache: Path) -> Path:
    recipe = cache / "recipe"
    shutil.rmtree(recipe, ignore_errors=True)
    recipe.mkdir(parents=True)
    names = (paths.infra / "machine" / "packages.txt").read_text()
    (recipe / "packages.txt").write_text(names + "".join(f"{name}\n" for name in PACKAGES))
    script = recipe / "rootfs/usr/lib/courselab/setup"
    script.parent.mkdir(parents=True)
    script.write_text(SETUP)
    script.chmod(0o755)
    config = recipe / "rootfs/etc/cloud/cloud.cfg.d/95-standin.cfg"
    config.parent.mkdir(parents=True)
    config.write_text(CLOUD_CFG.replace("network: {config: disabled}\n", NETWORK_CFG))
    return recipe


def _write(root: Path, folder: Path, boot: Boot) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(next((root / "boot").glob("vmlinuz-*")), boot.kernel)
    shutil.copyfile(next((root / "boot").glob("initrd.img-*")), boot.initrd)
    making = boot.disk.with_suffix(".new")
    making.unlink(missing_ok=True)
    process.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(making), DISK], timeout_s=600).check("No disk image")
    making.rename(boot.disk)
