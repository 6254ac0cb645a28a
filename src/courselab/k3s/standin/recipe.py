"""What the stand-in consists of. Versions are in the go.mod of each module and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from courselab.errors import LabError
from courselab.k3s.oci import Entry, File, Folder, ImageConfig, Link

KUBERNETES = "k8s.io/kubernetes"
HELM = "helm.sh/helm/v4"
METRICS_SERVER = "sigs.k8s.io/metrics-server"
DEBIAN_PACKAGES = ("runc", "busybox-static")  # runc needs a C compiler to build; Debian has it built
RUNC = "/usr/sbin/runc"
BUSYBOX = "/bin/busybox"
KLIPPER = "/usr/bin/klipper-helm"
APPLETS = tuple("cat chmod chown cp du echo find grep ls mkdir mv rm rmdir sh sleep stat test touch".split())


@dataclass(frozen=True)
class Program:
    """A program built from a Go module below infra/standin/modules."""

    name: str
    module: str
    package: str = "."
    tags: str = ""
    stamp: tuple[str, str] = ("", "")  # a variable that gets the version of a module at link time: (variable, module)
    seconds: float = 60.0  # about how long it takes the first time, on two cores


# The longest first: what comes after it fills the cores while it links.
PROGRAMS = (
    Program("kube", "kube", tags="providerless,netgo,osusergo", seconds=300.0),
    Program("kine", "kine", "github.com/k3s-io/kine", seconds=90.0),
    Program("coredns", "coredns", seconds=60.0),
    Program(
        "containerd", "containerd", "github.com/containerd/containerd/v2/cmd/containerd", tags="no_btrfs,no_devmapper,no_zfs",
        stamp=("github.com/containerd/containerd/v2/version.Version", "github.com/containerd/containerd/v2"), seconds=50.0,
    ),
    Program(
        "containerd-shim-runc-v2", "containerd", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        tags="no_btrfs,no_devmapper,no_zfs", seconds=3.0,
    ),
    Program("ctr", "containerd", "github.com/containerd/containerd/v2/cmd/ctr", tags="no_btrfs,no_devmapper,no_zfs", seconds=3.0),
    Program("local-path-provisioner", "local-path-provisioner", "github.com/rancher/local-path-provisioner", seconds=50.0),
    Program(
        "crictl", "crictl", "sigs.k8s.io/cri-tools/cmd/crictl",
        stamp=("sigs.k8s.io/cri-tools/pkg/version.Version", "sigs.k8s.io/cri-tools"), seconds=25.0,
    ),
    Program("pause", "pause", seconds=2.0),
    Program("lb", "lb", seconds=3.0),
    # After kube, with which they share nearly all packages.
    Program(
        "helm", "kube", "./helm", tags="providerless,netgo,osusergo", seconds=40.0, stamp=("helm.sh/helm/v4/internal/version.version", HELM),
    ),
    Program("metrics-server", "kube", "sigs.k8s.io/metrics-server/cmd/metrics-server", tags="providerless,netgo,osusergo", seconds=10.0),
    Program(
        "traefik", "traefik", "github.com/traefik/traefik/v3/cmd/traefik",
        stamp=("github.com/traefik/traefik/v3/pkg/version.Version", "github.com/traefik/traefik/v3"), seconds=300.0,
    ),
)  # fmt: skip
# Left out of a stand-in for labs that disable the component: it is compiled when a lab first needs it.
OPTIONAL = frozenset({"traefik"})
# These run in pods, from images; the others run in the machine.
IN_PODS = frozenset({"coredns", "helm", "lb", "local-path-provisioner", "metrics-server", "pause", "traefik"})


@dataclass(frozen=True)
class PodImage:
    """An image the stand-in brings. `program` is what it is made of."""

    program: str
    name: str

    @property
    def config(self) -> ImageConfig:
        """How it starts."""
        if self.program == "helm":  # as K3s's job image: the helm-controller mounts folders below this home, and lets no root in
            home = "/home/klipper-helm"
            return ImageConfig(entrypoint=(KLIPPER,), env=(*ImageConfig().env, f"HOME={home}"), user="1000:1000", workdir=home)
        return ImageConfig(entrypoint=(self._path,))

    @property
    def _path(self) -> str:
        below_usr = {"local-path-provisioner", "helm"}
        return BUSYBOX if self.program == "busybox" else f"/usr/bin/{self.program}" if self.program in below_usr else f"/{self.program}"

    def entries(self, binary: Path) -> Sequence[Entry]:
        """Its files."""
        links = [Link(f"/bin/{applet}", "busybox") for applet in APPLETS] if self.program == "busybox" else []
        if self.program == "helm":
            links = [Link(KLIPPER, "helm"), Folder("/home/klipper-helm", owner=1000)]
        return [File(self._path, binary, 0o755), Folder("/tmp", 0o1777), *links]  # noqa: S108 - a folder of the image


def pod_images(modules: Path) -> tuple[PodImage, ...]:
    """The images of packaged components; their tags are the versions built."""
    coredns = module_version(modules / "coredns", "github.com/coredns/coredns").removeprefix("v")
    provisioner = module_version(modules / "local-path-provisioner", "github.com/rancher/local-path-provisioner")
    traefik = module_version(modules / "traefik", "github.com/traefik/traefik/v3").removeprefix("v")
    helm = module_version(modules / "kube", HELM).removeprefix("v")
    metrics_server = module_version(modules / "kube", METRICS_SERVER)
    return (
        PodImage("pause", "k3s-standin/pause:1"),
        PodImage("busybox", "k3s-standin/busybox:1"),
        PodImage("coredns", f"k3s-standin/coredns:{coredns}"),
        PodImage("local-path-provisioner", f"k3s-standin/local-path-provisioner:{provisioner}"),
        PodImage("lb", "k3s-standin/lb:1"),
        PodImage("helm", f"k3s-standin/klipper-helm:{helm}"),
        PodImage("metrics-server", f"k3s-standin/metrics-server:{metrics_server}"),
        PodImage("traefik", f"k3s-standin/traefik:{traefik}"),
    )


def module_version(module: Path, name: str) -> str:
    """The version of `name` that a module's go.mod asks for. Raises LabError if it asks for none."""
    text = (module / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"^\s*(?:require )?{re.escape(name)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise LabError(f"{module.name}/go.mod does not say which {name} it needs", fix="Put the file back: git checkout infra/standin")
    return found[1]


def linker_flags(program: Program, modules: Path) -> str:
    """What the linker is told: no debugging tables, and the versions that the programs report."""
    flags = ["-s", "-w"]
    if program.name == "kube":
        version = module_version(modules / "kube", KUBERNETES)
        major, minor, _ = version.removeprefix("v").split(".", 2)
        stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items()]
    variable, module = program.stamp
    if variable:
        flags.append(f"-X {variable}={module_version(modules / program.module, module)}")
    return " ".join(flags)
