"""Names of the environments; also gymnasium's plugin, so `gymnasium.make` finds them by itself."""

from __future__ import annotations

CABLE_ROUTING = "LS3/CableRouting-v0"
HORIZON = {CABLE_ROUTING: 50}
"""T of each environment (Table 3)."""


def register() -> None:
    """Make the environments known to gymnasium; calling it twice does nothing."""
    from gymnasium.envs import registration  # here, as gymnasium calls this while importing itself

    if CABLE_ROUTING not in registration.registry:
        registration.register(
            CABLE_ROUTING,
            entry_point="ls3_sim.cable_env:CableEnv",
            max_episode_steps=HORIZON[CABLE_ROUTING],
        )
