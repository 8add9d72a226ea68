"""The command `ls3 new-task`: writes a task of one's own to begin with (docs/own_task.md)."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import tyro

from ls3_common.errors import UserError

TEMPLATE = "own_task"
"""Name of the task that the new one is a copy of, in examples/own_task."""


@dataclass(kw_only=True)
class NewTask:
    """Write a task of your own to begin with: environment, parameters and launch file."""

    name: tyro.conf.Positional[str]
    """Name of the task: lower-case letters, digits and underscores."""
    out: Path | None = None
    """Folder to write, which must not exist; by default one of the task's name."""

    def execute(self) -> None:
        """Write the files, and say what to do next."""
        from ls3_common.files import write_text
        from ls3_common.shared import find_shared

        self._check()
        folder = self.out or Path(self.name)
        if folder.exists():
            raise UserError("exists", where=str(folder), do="give another NAME, or --out FOLDER")
        template = find_shared(TEMPLATE)
        if template is None:
            raise UserError("its example is not installed", do="install the package ls3 again")
        for path in sorted(template.glob(f"{TEMPLATE}.*")):
            target = folder / self._renamed(path.name)
            write_text(target, self._renamed(path.read_text()))
            print(f"{target} is written")
        where = f"--domain {self.name} --config {self.name}.yaml"
        print(f"cd {folder} && export PYTHONPATH=$PWD:$PYTHONPATH && ls3 collect {where}")

    def _check(self) -> None:
        from ls3_common.domain import domain_names

        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            do = "use lower-case letters, digits and underscores, a letter first"
            raise UserError("is no name of a Python module", where=self.name, do=do)
        if self.name in domain_names():
            raise UserError("is a task that is here already", where=self.name, do="give another")
        found = None if self.name == TEMPLATE else importlib.util.find_spec(self.name)
        if found is not None:
            what = f"is the name of a Python module, {found.origin}"
            raise UserError(what, where=self.name, do="give another, or Python would import that")

    def _renamed(self, text: str) -> str:
        """Replace the example's name, and the name of its class."""
        camel = "".join(part.capitalize() for part in self.name.split("_"))
        return text.replace(TEMPLATE, self.name).replace("OwnTask", camel)
