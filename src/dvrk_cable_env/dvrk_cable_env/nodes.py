"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

segmentation_node = node("dvrk_cable_env.segmentation_node")
arm_node = node("dvrk_cable_env.arm_node")
preflight = node("dvrk_cable_env.preflight_node")
teleop_node = node("dvrk_cable_env.teleop_node")
record_monitor = node("dvrk_cable_env.record_monitor")
calibrate = node("dvrk_cable_env.calibrate")
