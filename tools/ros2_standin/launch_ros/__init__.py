"""The part of `launch_ros` that this project's launch files use; see the stand-in's README."""

from ros2_standin import refuse_beside_ros

refuse_beside_ros()
