"""Entry points of this package's executables; ls3_common.entry describes how a node starts."""

from ls3_common.entry import node

sim_node = node("ls3_sim.sim_node")
gym_node = node("ls3_sim.gym_node")
operator_node = node("ls3_sim.operator_node")
