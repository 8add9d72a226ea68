"""learn_node: runs Algorithm 1 through the node graph, in a process of its own.

The node does what `ls3 learn` does, with the same files, but its episodes come from the action
run_episode. It computes the updates between episodes, while the arm is at rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rclpy.node import Node

from ls3.runs.methods import refuse_on_robot
from ls3_common import ros
from ls3_common.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class LearnNodeConfig:
    """Parameters of learn_node, which a launch file sets. All others stand in `config`."""

    domain: str = parameter(description="name of the domain")
    method: str = parameter("ls3", description="the method, as in `ls3 learn --method`")
    config: str = parameter(description="parameter file of the domain")
    run: str = parameter(description="directory of this run; an interrupted run continues there")
    data: str = parameter(description="directory of the offline data, from `ls3 collect`")
    offline: str = parameter(
        "",
        description="directory of an `ls3 train` run or of a model to reuse; empty: train offline",
    )
    set: tuple[str, ...] = parameter(
        (), description="changed parameters, SECTION.KEY=VALUE, as `ls3 learn --set`"
    )
    updates: int = parameter(0, low=0, description="U, number of updates; 0: as in `config`")
    seed: int = parameter(0, low=0, description="seed of all random numbers")


class LearnNode(Node):
    """Holds the parameters and the clients of the graph. `learn` works in another thread."""

    def __init__(self) -> None:
        super().__init__("learn_node")
        self.config = ros.declare(self, LearnNodeConfig)
        refuse_on_robot(self.config.method)
        from ls3.learning.through_graph import GraphClients  # imports PyTorch

        self.graph_clients = GraphClients(self)


def learn(node: LearnNode) -> None:
    """Run all of Algorithm 1 with the graph as the environment.

    Raises:
        UserError, Interrupted: as `ls3.cli.commands.Learn.learn`.
    """
    from ls3.cli.commands import Learn
    from ls3.learning.curve import training_rates
    from ls3.learning.through_graph import GraphEpisodes

    config = node.config
    command = Learn(
        domain=config.domain,
        method=config.method,
        config=Path(config.config),
        set=[*config.set, *([f"algorithm.updates={config.updates}"] if config.updates else [])],
        seed=config.seed,
        data=Path(config.data),
        run=Path(config.run),
        offline=Path(config.offline) if config.offline else None,
    )
    domain = command.load()
    source = GraphEpisodes(
        node.graph_clients,
        Path(config.run) / "phases",
        horizon=domain.algorithm.horizon,
        stop_on_success=domain.algorithm.stop_on_success,
    )
    online = command.learn(domain, source)
    print(json.dumps(training_rates(online.rows), indent=1))


def main() -> NoReturn:
    """Entry point of the process."""
    from ls3.cli.guard import guarded

    def work() -> None:
        with ros.beside(LearnNode) as node:
            assert isinstance(node, LearnNode)
            learn(node)

    ros.leave(guarded(work))


if __name__ == "__main__":
    main()
