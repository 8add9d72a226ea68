"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

planner_node = node("ls3_planner.planner_node")
