"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

planner_node = node("ls3_planner.planner_node")
episode_node = node("ls3_planner.episode_node")
run_node = node("ls3_planner.run_node")
controller_node = node("ls3_planner.controller_node")
learn_node = node("ls3_planner.learn_node")
