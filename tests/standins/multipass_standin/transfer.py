"""`multipass transfer`: files as the user ubuntu, by SFTP in the real one."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multipass_standin.failure import Failed, failed
from multipass_standin.world import Instance

Running = Callable[[str], Instance]


def transfer(engine: Any, args: argparse.Namespace, running: Running) -> int:
    *sources, target = args.names
    if not sources:
        raise Failed("Not enough arguments given", 1)
    if "-" in (*sources, target) and len(sources) > 1:
        raise Failed("Only two arguments allowed when using standard streams", 1)
    if ":" in target:
        name, path = target.split(":", 1)
        running(name)
        for source in sources:
            _push(engine, name, source, path, recursive=args.recursive, parents=args.parents)
        return 0
    for source in sources:
        if ":" not in source:
            raise Failed("An instance name is needed for either source or destination", 1)
        name, path = source.split(":", 1)
        running(name)
        _pull(engine, name, path, target, recursive=args.recursive)
    return 0


def _push(engine: Any, name: str, source: str, path: str, *, recursive: bool, parents: bool) -> None:
    local = Path(source)
    if source == "-":
        data, mode = sys.stdin.buffer.read(), 0o664
    elif not local.exists():
        raise failed("transfer", f"[sftp] cannot open local file {source}: No such file or directory")
    elif local.is_dir():
        if not recursive:
            raise failed("transfer", f"[sftp] omitting local directory {source}: recursive mode not specified")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(local, local.name)
        _ask(engine, name, f"cd {shlex.quote(path)} && tar -xf -", packed.getvalue())
        return
    else:
        data, mode = local.read_bytes(), local.stat().st_mode & 0o777
    where = shlex.quote(path)
    make = f'mkdir -p "$(dirname {where})";' if parents else ""
    inner = shlex.quote(f"{path.rstrip('/')}/{local.name}")
    _ask(engine, name, f'{make} t={where}; [ -d {where} ] && t={inner}; cat > "$t" && chmod {mode:o} "$t"', data)


def _pull(engine: Any, name: str, path: str, target: str, *, recursive: bool) -> None:
    where = shlex.quote(path)
    if engine.ask(name, f"test -d {where}").code == 0:
        if not recursive:
            raise failed("transfer", f"[sftp] omitting remote directory {path}: recursive mode not specified")
        data = _ask(engine, name, f"tar -C {where} -cf - .", None)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(target, filter="data")
        return
    data = _ask(engine, name, f"cat {where}", None)
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    local = Path(target)
    (local / Path(path).name if local.is_dir() else local).write_bytes(data)


def _ask(engine: Any, name: str, command: str, data: bytes | None) -> bytes:
    done = engine.ask(name, command, input=data)
    if done.code != 0:
        raise failed(
            "transfer",
            f"[sftp] remote target does not exist ({done.error_text})"
            if data is not None
            else f"[sftp] cannot open remote file: {done.error_text}",
        )
    return done.stdout
