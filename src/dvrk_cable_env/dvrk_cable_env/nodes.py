"""Entry points of this package's executables; ls3_common.entry describes how a node starts."""

from ls3_common.entry import node

segmentation_node = node("dvrk_cable_env.camera.segmentation_node")
arm_node = node("dvrk_cable_env.arm.arm_node")
preflight = node("dvrk_cable_env.preflight.preflight_node")
teleop_node = node("dvrk_cable_env.teleop.teleop_node")
record_monitor = node("dvrk_cable_env.teleop.record_monitor")
black_box = node("dvrk_cable_env.black_box.black_box_node")
calibrate = node("dvrk_cable_env.calibrate.command")
