"""Cable routing, simulated: `ros2 launch ls3_sim cable_routing.launch.py`.

The launch file of ls3_planner, which runs the robot too.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    share = get_package_share_directory("ls3_planner")
    path = os.path.join(share, "launch", "cable_routing.launch.py")
    return LaunchDescription([IncludeLaunchDescription(PythonLaunchDescriptionSource(path))])
