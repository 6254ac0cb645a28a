"""Completion in real shells: what TAB offers after `lab st`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.command import COURSE

# Each prints the words offered, one a line. zsh has no way to ask without a terminal, so it gets one and a TAB.
ASK = {
    "bash": """
        eval "$(lab completion bash)"
        COMP_WORDS=(lab st) COMP_CWORD=1
        _lab_completion lab st lab
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "fish": """
        lab completion fish | source
        complete --do-complete "lab st"
    """,
    "zsh": """
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PROMPT= RPROMPT= ; autoload -Uz compinit && compinit -u -d $HOME/dump; eval \\"\\$(lab completion zsh)\\"; print loaded"
        zpty -r -m shell line '*loaded*loaded*'
        zpty -w -n shell $'lab st\\t\\t'
        zpty -r -m shell line '*status*stop*'
        print -r -- $line
    """,
}


@pytest.mark.parametrize("shell", ASK)
def test_tab_offers_verbs(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", shell], timeout=600, check=True)
        program = shutil.which(shell)
    assert program is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lab").symlink_to(COURSE / "lab")
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LAB_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run([program, "-c", ASK[shell]], env=environment, capture_output=True, text=True, timeout=60, check=False)
    offered = re.findall(r"[a-z]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", " ", done.stdout))
    assert {"start", "status", "stop"} <= set(offered), done
