"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

segmentation_node = node("dvrk_cable_env.segmentation_node")
arm_node = node("dvrk_cable_env.arm_node")
