"""`launch_ros` as far as this project's launch files use it."""

from ros2_standin import refuse_beside_ros

refuse_beside_ros()
