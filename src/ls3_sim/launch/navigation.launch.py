"""The navigation domain through the node graph: `ros2 launch ls3_sim navigation.launch.py`.

`--show-args` lists the arguments.
"""

from ls3_launch.gym_graph import domain_graph


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return domain_graph("navigation")
