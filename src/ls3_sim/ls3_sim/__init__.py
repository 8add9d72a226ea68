"""The paper's domains as gymnasium environments, and a simulated robot for ROS."""

from ls3_sim.registration import register

register()
