"""The domains of the paper in MuJoCo, as gymnasium environments and as ROS nodes."""

from ls3_sim.registration import register

register()
