"""Bundles: found good as a whole before anything of them is used; anything that was changed, added, left out or is for others is refused."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from courselab.bundle import archive, load
from courselab.bundle.archive import Writer
from courselab.bundle.gather import course_files
from courselab.bundle.manifest import END, NAME, Entry, Manifest, decode, digest, is_allowed, python
from courselab.errors import LabError
from courselab.k3s.release import architecture
from courselab.machines.local.image import find_image, host_suite
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session.context import Context
from courselab.session.store import Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeProvider


@pytest.fixture
def context(tmp_path: Path) -> Context:
    course = tmp_path / "course"
    (course / "labs" / "02-workloads").mkdir(parents=True)
    (course / "labs" / "02-workloads" / "lab.yaml").write_text(LAB_YAML)
    (course / "infra" / "machine").mkdir(parents=True)
    (course / "infra" / "machine" / "packages.txt").write_text("systemd\n")
    paths = Paths(course, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    return Context(paths, Store(paths), FakeProvider(), Silent())


def contents(context: Context) -> dict[str, bytes]:
    key = find_image(context.paths.infra / "machine", context.paths.cache, host_suite()).key
    return {
        "cache/standin/0123/bin/k3s": b"a program" * 1000,
        "cache/standin/0123/manifest.json": b"{}",
        "cache/images/ab/course-web-1-amd64.tar": b"an image",
        "wheels/click-8-py3-none-any.whl": b"a wheel",
        "debs/Packages": b"Package: one\n",
        "course/labs/02/lab.yaml": b"schema: 1\n",
        f"machine/{key}.tar": b"a file system" * 5000,
    }


def manifest_of(files: dict[str, bytes]) -> Manifest:
    entries = [Entry(path, len(data), hashlib.sha256(data).hexdigest(), 0o755, 10**18 + 1) for path, data in files.items()]
    return Manifest(
        architecture=architecture(), system=host_suite(), python=python(), chapters=["02"], k3s="stand-in 1", made_at="now", files=entries,
    )  # fmt: skip


def written(target: Path, files: dict[str, bytes], manifest: Manifest) -> Path:
    with target.open("wb") as file:
        writer = Writer(file)
        writer.add_bytes(NAME, manifest.encode(), mtime_s=0)
        for path, data in files.items():
            writer.add_bytes(path, data, mtime_s=0)
        writer.add_bytes(END, digest(manifest.encode()).encode(), mtime_s=0)
        writer.close()
    return target


@pytest.fixture
def bundle(context: Context, tmp_path: Path) -> Path:
    files = contents(context)
    return written(tmp_path / "a bundle.lab", files, manifest_of(files))


def in_cache(context: Context) -> list[str]:
    found = [
        path for path in context.paths.cache.rglob("*") if path.is_file() and "bundle" not in path.relative_to(context.paths.cache).parts
    ]
    return sorted(str(path.relative_to(context.paths.cache)) for path in found)


def test_a_good_bundle_is_put_in_place(context: Context, bundle: Path) -> None:
    manifest, fingerprint = load.verify(bundle, Silent())
    assert in_cache(context) == []
    assert load.load(context, bundle, expect=fingerprint[:16].upper()) == (manifest, fingerprint)
    assert in_cache(context) == [
        "debs/Packages", "images/ab/course-web-1-amd64.tar", "standin/0123/bin/k3s", "standin/0123/manifest.json",
    ]  # fmt: skip
    program = context.paths.cache / "standin/0123/bin/k3s"
    assert (program.stat().st_mode & 0o777, program.stat().st_mtime_ns) == (0o755, 10**18 + 1)
    assert isinstance(context.provider, FakeProvider)
    assert [one for one in context.provider.happened if one.startswith("unpack")]
    assert not list((context.paths.cache / "bundle").glob("loading-*"))
    load.load(context, bundle)  # again changes nothing


def test_loading_again_leaves_what_running_machines_have_mounted(context: Context, bundle: Path) -> None:
    load.load(context, bundle)
    stand_in = context.paths.cache / "standin" / "0123"
    mounted, program = stand_in.stat().st_ino, (stand_in / "bin" / "k3s").stat().st_ino
    load.load(context, bundle)
    assert (stand_in.stat().st_ino, (stand_in / "bin" / "k3s").stat().st_ino) == (mounted, program)
    (stand_in / "bin" / "k3s").write_bytes(b"cut")
    load.load(context, bundle)
    assert (stand_in / "bin" / "k3s").read_bytes() == b"a program" * 1000, "what is damaged is made good"


def test_another_fingerprint_than_the_one_told_is_refused(context: Context, bundle: Path) -> None:
    with pytest.raises(LabError, match="another bundle"):
        load.load(context, bundle, expect="0" * 16)


def test_every_changed_byte_is_found(context: Context, bundle: Path) -> None:
    """Wherever it is: in the list, a name, a size, a file. Bytes that mean nothing, between files, may be anything."""
    data, files = bundle.read_bytes(), contents(context)
    refused = 0
    for at in range(0, len(data), 997):
        bundle.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            load.load(context, bundle)
        except LabError as error:
            refused += 1
            assert error.what in ("The bundle is refused", "The bundle does not fit this computer"), at
            assert in_cache(context) == [], at
        else:
            assert all(
                (context.paths.cache / name).read_bytes() == files.get(f"cache/{name}", files.get(name)) for name in in_cache(context)
            )
        shutil.rmtree(context.paths.cache, ignore_errors=True)  # what was found good would not be read again
    assert refused > 60


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.8])
def test_a_bundle_that_was_not_copied_to_its_end_is_refused(context: Context, bundle: Path, share: float) -> None:
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(LabError, match="refused"):
        load.load(context, bundle)
    assert in_cache(context) == []


Change = Callable[[Manifest], Manifest]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: replace(one, architecture="s390x"), "another processor"),
        (lambda one: replace(one, version="99.0"), "another version of the course"),
        (lambda one: replace(one, system="potato"), "another Linux distribution"),
        (lambda one: replace(one, python="2.7"), "another Python"),
        (lambda one: replace(one, format=2), "format 2"),
        (lambda one: replace(one, chapters=["77"]), "chapter 77"),
    ],
)
def test_a_bundle_for_others_is_refused(context: Context, tmp_path: Path, change: Change, says: str) -> None:
    files = contents(context)
    bundle = written(tmp_path / "other.lab", files, change(manifest_of(files)))
    with pytest.raises(LabError) as told:
        load.load(context, bundle)
    assert says in f"{told.value.what} {told.value.why}"
    assert in_cache(context) == []


def test_a_bundle_with_another_machine_image_is_of_another_course(context: Context, bundle: Path) -> None:
    (context.paths.infra / "machine" / "packages.txt").write_text("systemd\nless\n")
    with pytest.raises(LabError, match="another version of the course"):
        load.load(context, bundle)


@pytest.mark.parametrize(
    "path",
    [
        "../escape", "cache/standin/../../../escape", "/etc/passwd", "cache//x/y", "cache/standin/./x", "etc/passwd", "cache/progress.db",
        "cache/go/x", "course", "course/", "course/a\nb", "course/a\\b", "course/..", "", "manifest.json", "course/x\0y", "cache/k3s",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(context: Context, tmp_path: Path, path: str) -> None:
    assert not is_allowed(path)
    entry = Entry(path, 1, "0" * 64)
    with pytest.raises(LabError, match="refused"):
        decode(replace(manifest_of({}), files=[entry]).encode())


def test_a_file_twice_a_link_and_one_that_is_not_listed_are_refused(context: Context, tmp_path: Path) -> None:
    files = contents(context)
    manifest = manifest_of(files)
    with pytest.raises(LabError, match="refused"):
        decode(replace(manifest, files=[manifest.files[0], manifest.files[0]]).encode())
    more = written(tmp_path / "more.lab", {**files, "cache/images/ab/more.tar": b"more"}, manifest)
    with pytest.raises(LabError) as told:
        load.load(context, more)
    assert "not what its list says" in told.value.why
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        data = manifest.encode()
        info = tarfile.TarInfo(NAME)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("cache/standin/0123/bin/k3s")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "linked.lab").write_bytes(linked.getvalue())
    with pytest.raises(LabError) as told:
        load.load(context, tmp_path / "linked.lab")
    assert "no plain file" in told.value.why
    assert in_cache(context) == []


def test_a_load_that_was_cut_off_goes_on(context: Context, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was copied and found good is not written again; nothing is in place before the end."""
    whole, files = bundle.read_bytes(), contents(context)
    bundle.write_bytes(whole[:-40_000])  # the stick was pulled out
    with pytest.raises(LabError, match="refused"):
        load.load(context, bundle)
    assert in_cache(context) == []
    bundle.write_bytes(whole)
    staged = next((context.paths.cache / "bundle").glob("loading-*")) / "cache/standin/0123/bin/k3s"
    before = staged.stat().st_ino
    load.load(context, bundle)
    assert (context.paths.cache / "standin/0123/bin/k3s").stat().st_ino == before
    assert (context.paths.cache / "standin/0123/bin/k3s").read_bytes() == files["cache/standin/0123/bin/k3s"]


def test_no_room_is_told_before_anything_is_copied(context: Context, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(load.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(LabError, match="not enough room"):
        load.load(context, bundle)


def test_what_is_no_bundle_is_told(context: Context, tmp_path: Path) -> None:
    for data in (b"", b"hello", b"\0" * 2048):
        (tmp_path / "x.lab").write_bytes(data)
        with pytest.raises(LabError, match="refused"):
            load.verify(tmp_path / "x.lab", Silent())
    with pytest.raises(LabError, match="no bundle"):
        load.verify(tmp_path / "none.lab", Silent())


def test_a_course_without_git_is_taken_without_what_was_made(context: Context) -> None:
    course = context.paths.course
    for name in (".venv/x", "work/02/mine.txt", "docs/a.md", "src/__pycache__/a.pyc"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("x")
    assert course_files(course) == ["docs/a.md", "infra/machine/packages.txt", "labs/02-workloads/lab.yaml"]


@pytest.mark.parametrize("git", [False, True])
def test_all_of_the_course_is_taken_and_no_earlier_bundle(context: Context, git: bool) -> None:
    course = context.paths.course
    theirs = ("labs/02-workloads/work/web.yaml", "src/courselab/site/server.py", "infra/bundle/install-lab")
    for name in (*theirs, "out.lab", "install-lab"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("x")
    if git:
        subprocess.run(["git", "init", "--quiet", str(course)], check=True, timeout=20)
    found = course_files(course)
    assert set(theirs) <= set(found)
    assert "out.lab" not in found and "install-lab" not in found


def test_a_name_that_is_too_long_for_the_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not fit"):
        Writer(io.BytesIO()).add_bytes("course/" + "x" * 600, b"", mtime_s=0)


@pytest.mark.parametrize("length", [10, 92, 93, 94, 200, 400])
def test_a_long_name_comes_back(length: int) -> None:
    """Names of wheels have more than the 100 characters that fit into a header."""
    kept, name = io.BytesIO(), "wheels/" + "x" * length
    writer = Writer(kept)
    writer.add_bytes(name, b"data", mtime_s=0)
    writer.close()
    kept.seek(0)
    ((member, content, _),) = [(member, list(content()), skip) for member, content, skip in archive.members(kept)]
    assert (member, content) == (archive.Member(name, 4), [b"data"])
