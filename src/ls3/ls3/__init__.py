"""LS3 for Python: `load`, `make_env`, `check_task`, `collect` and `learn`.

`import ls3` imports nothing slow. PyTorch and the simulator are imported by the first call that
needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ls3.learning.trained_agent import Belief, TrainedAgent
    from ls3.scripting import Learned, collect, learn, load, make_env
    from ls3_planner.plan import Plan
    from ls3_sim.task_check import check_task

__all__ = [
    "Belief",
    "Learned",
    "Plan",
    "TrainedAgent",
    "check_task",
    "collect",
    "learn",
    "load",
    "make_env",
]
_MODULES = {
    "Belief": "ls3.learning.trained_agent",
    "Plan": "ls3_planner.plan",
    "TrainedAgent": "ls3.learning.trained_agent",
    "check_task": "ls3_sim.task_check",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'ls3' has no attribute '{name}'")
    found = getattr(importlib.import_module(_MODULES.get(name, "ls3.scripting")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
