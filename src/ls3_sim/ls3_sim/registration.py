"""Names of the environments.

gymnasium 1.x loads no plugins: ``import ls3_sim`` first, or have gymnasium do it with
``gymnasium.make("ls3_sim:LS3/CableRouting-v0")``.
"""

from __future__ import annotations

import gymnasium

CABLE_ROUTING = "LS3/CableRouting-v0"
HORIZON = {CABLE_ROUTING: 50}
"""T of each environment."""


def register() -> None:
    """Make the environments known to gymnasium; calling it twice does nothing."""
    if CABLE_ROUTING not in gymnasium.registry:
        gymnasium.register(
            CABLE_ROUTING,
            entry_point="ls3_sim.cable_env:CableEnv",
            max_episode_steps=HORIZON[CABLE_ROUTING],
        )
