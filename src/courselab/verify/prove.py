"""`lab verify` as one call: fresh labs, all cases, their Evidence kept, the labs gone. The gate's chapter test makes the same call."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from courselab.course import Lab
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import K3sName
from courselab.paths import Paths
from courselab.progress import Progress
from courselab.verify.cases import Case, Result, cases_of
from courselab.verify.kept import Keeper, folder_of, forget, seconds_of
from courselab.verify.own_lab import ProviderOf, own_labs
from courselab.verify.run import Verification
from courselab.verify.share import share

SCHEMA = 1
MOST_LABS = 4  # more are for those who ask for them


@dataclass
class Proof:
    """What is known of a chapter so far."""

    lab: Lab
    provider: str = ""
    k3s: K3sName = field(default_factory=K3sName)
    results: list[Result] = field(default_factory=list[Result])
    seconds: float = 0.0

    @property
    def wrong(self) -> list[Result]:
        """What was not as expected."""
        return [result for result in self.results if not result.ok]

    @property
    def exit_code(self) -> int:
        """The highest of all cases."""
        return max((result.exit_code for result in self.results), default=0)

    def to_json(self) -> dict[str, Any]:
        """As `lab verify --json` prints it."""
        return {
            "schema": SCHEMA,
            "lab": self.lab.chapter,
            "k3s": {"distribution": self.k3s.distribution, "version": self.k3s.version},
            "provider": self.provider,
            "ok": not self.wrong,
            "seconds": round(self.seconds, 1),
            "cases": [result.to_json() for result in self.results],
        }


def prove(
    proof: Proof,
    paths: Paths,
    progress: Progress,
    provider_of: ProviderOf,
    *,
    task: str = "",
    disturb: bool = True,
    keep_in: Path | None = None,
    labs: int = 0,
) -> None:
    """Verify the chapter of `proof` and fill it while it goes on, so that what is known is there even when this ends early.

    `task`: only the cases about it, by its name. `keep_in`: where Evidence goes instead of tests/evidence/NN. Without `disturb` no
    Evidence is kept, because it would lack the experiments. `labs`: how many share the cases, where there is room for them;
    0: one for each processor, within reason. Raises LabError.
    """
    lab, began = proof.lab, time.monotonic()
    labs = 1 if task else min(labs or min(MOST_LABS, os.cpu_count() or 1), len(lab.tasks))
    cases: list[Case] = []
    checker = load_checker(checker_path(paths.course, lab.chapter), lab)
    keeper = Keeper(keep_in or folder_of(paths.course, lab.chapter), paths.state / "not-verified" / lab.chapter)
    try:
        with own_labs(paths, lab, checker, progress, provider_of, seed=f"verify/{lab.chapter}", at_most=labs) as own:
            state, cases = own[0].state, list(cases_of(own[0].lab, task))
            proof.provider = state.provider
            proof.k3s = K3sName(distribution=state.distribution or "k3s", version=state.version)
            runs = [Verification(one, progress, keeper.keep if disturb else forget, disturb=disturb) for one in own]
            share(cases, runs, proof.results.append, seconds_of(lab, paths.course))
            if disturb and not task and not proof.wrong:
                about: dict[str, Any] = {"k3s": f"{proof.k3s.distribution} {proof.k3s.version}".strip(), "provider": proof.provider}
                about["seconds"] = {one.case: round(one.seconds, 1) for one in sorted(proof.results, key=lambda one: one.case)}
                keeper.seal(own[0].lab, own[0].course, cases, about)
    finally:
        order = [case.name for case in cases]
        proof.results.sort(key=lambda result: order.index(result.case))
        proof.seconds = time.monotonic() - began
