"""Where things live on a user's machine, and where the course itself lives.

`LAB_HOME` moves state, cache and config together (tests use it); `LAB_CACHE` moves the cache alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab.errors import UsageError

APP = "k3s-course-lab"


@dataclass(frozen=True)
class Paths:
    """The folders one run of `lab` uses."""

    course: Path  # the checkout: labs/, checkers/, docs/, infra/
    state: Path  # labs, keys, progress; private
    cache: Path  # builds, images, downloads; safe to delete
    config: Path  # config.toml
    work: Path  # the learner's own files, work/NN; never deleted by us

    @property
    def labs(self) -> Path:
        """State of each started lab: labs/NN/."""
        return self.state / "labs"

    @property
    def logs(self) -> Path:
        """What was done to each lab: logs/NN.log; stays when the lab is deleted."""
        return self.state / "logs"

    @property
    def machines(self) -> Path:
        """State of local machines: machines/NAME/."""
        return self.state / "machines"

    @property
    def infra(self) -> Path:
        """What machines are made of."""
        return self.course / "infra"

    def settings(self) -> dict[str, Any]:
        """What the user's config.toml says, nothing where there is none. Raises UsageError if it is damaged."""
        import tomllib

        try:
            return tomllib.loads(self.settings_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as broken:
            raise self.bad_settings(broken) from broken

    def bad_settings(self, why: Exception) -> UsageError:
        """What to say of a config.toml that cannot be used."""
        return UsageError(f"{self.settings_file} cannot be used", why=str(why)[:300], fix="Mend it, or remove it.")

    @property
    def settings_file(self) -> Path:
        """The user's config.toml."""
        return self.config / "config.toml"


def find_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """Work out the folders from the environment; creates nothing."""
    course = course_root(environ)
    home = environ.get("LAB_HOME")
    if home:
        base = Path(home).expanduser().absolute()
        state, cache, config, work = base / "state", base / "cache", base / "config", base / "work"
    else:
        import platformdirs

        state = Path(platformdirs.user_state_dir(APP, appauthor=False))
        cache = Path(platformdirs.user_cache_dir(APP, appauthor=False))
        config = Path(platformdirs.user_config_dir(APP, appauthor=False))
        work = course / "work"
    if environ.get("LAB_CACHE"):
        cache = Path(environ["LAB_CACHE"]).expanduser().absolute()
    return Paths(course=course, state=state, cache=cache, config=config, work=work)


def course_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The checkout this program belongs to (`LAB_COURSE` names another one)."""
    if environ.get("LAB_COURSE"):
        return Path(environ["LAB_COURSE"]).expanduser().absolute()
    return Path(__file__).resolve().parents[2]
