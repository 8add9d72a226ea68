"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

sim_node = node("ls3_sim.sim_node")
gym_node = node("ls3_sim.gym_node")
operator_node = node("ls3_sim.operator_node")
