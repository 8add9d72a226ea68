"""Names of the environments.

gymnasium 1.x loads no plugins: ``import ls3_sim`` first, or have gymnasium do it with
``gymnasium.make("ls3_sim:LS3/CableRouting-v0")``.
"""

from __future__ import annotations

import gymnasium

CABLE_ROUTING = "LS3/CableRouting-v0"
NAVIGATION = "LS3/Navigation-v0"
REACHER = "LS3/Reacher-v0"
SEQUENTIAL_PUSHING = "LS3/SequentialPushing-v0"
HORIZON = {CABLE_ROUTING: 50, NAVIGATION: 100, REACHER: 100, SEQUENTIAL_PUSHING: 150}
"""T of each environment, section 5.3."""
_ENTRY_POINTS = {
    CABLE_ROUTING: "ls3_sim.cable_env:CableEnv",
    NAVIGATION: "ls3_sim.navigation_env:NavigationEnv",
    REACHER: "ls3_sim.reacher_env:ReacherEnv",
    SEQUENTIAL_PUSHING: "ls3_sim.pushing_env:PushingEnv",
}


def register() -> None:
    """Make the environments known to gymnasium; calling it twice does nothing."""
    for name, entry_point in _ENTRY_POINTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=entry_point, max_episode_steps=HORIZON[name])
