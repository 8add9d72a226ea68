"""learn_node: Algorithm 1 through the running graph, in a process of its own.

`ls3 learn` with episodes by run_episode: the same files, the same resume. Updates are computed here
between episodes, while the arm is at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rclpy.node import Node

from ls3.runs.methods import refuse_on_robot
from ls3_common import ros
from ls3_common.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class LearnNodeConfig:
    """What a launch says; the numbers stand in the domain's YAML, `config`."""

    domain: str = parameter(description="whose data and models these are")
    method: str = parameter("ls3", description="what learns, as `ls3 learn --method`")
    config: str = parameter(description="parameter file of the domain")
    run: str = parameter(description="directory of this run; one begun before goes on")
    data: str = parameter(description="directory of the offline data, of `ls3 collect`")
    offline: str = parameter(
        "", description="run of `ls3 train`, or model, to start from; empty: train"
    )
    updates: int = parameter(0, low=0, description="U; 0: that of the parameter file")
    seed: int = parameter(0, low=0, description="decides every random draw")


class LearnNode(Node):
    """Parameters and the clients of the graph; the work is done beside it."""

    def __init__(self) -> None:
        super().__init__("learn_node")
        self.config = ros.declare(self, LearnNodeConfig)
        refuse_on_robot(self.config.method)
        from ls3.learning.through_graph import GraphClients  # imports PyTorch

        self.asks = GraphClients(self)


def learn(node: LearnNode) -> None:
    """All of Algorithm 1, with the graph as the environment."""
    from ls3.cli.commands import Learn
    from ls3.learning.through_graph import GraphEpisodes

    config = node.config
    command = Learn(
        domain=config.domain,
        method=config.method,
        config=Path(config.config),
        set=[f"algorithm.updates={config.updates}"] if config.updates else [],
        seed=config.seed,
        data=Path(config.data),
        run=Path(config.run),
        offline=Path(config.offline) if config.offline else None,
    )
    domain = command.load()
    source = GraphEpisodes(
        node.asks,
        Path(config.run) / "phases",
        horizon=domain.algorithm.horizon,
        stop_on_success=domain.algorithm.stop_on_success,
    )
    command.learn(domain, source)


def main() -> NoReturn:
    """Entry point of the process."""
    from ls3.cli.commands import guarded  # imports PyTorch

    def work() -> None:
        with ros.beside(LearnNode) as node:
            assert isinstance(node, LearnNode)
            learn(node)

    ros.leave(guarded(work))


if __name__ == "__main__":
    main()
