"""Every topic, service and action name of the stack, relative to the namespace.

Nodes take names from here; a launch file remaps them where a robot differs.
"""

CAMERA_IMAGE = "camera/image_raw"  # sensor_msgs/Image, rgb8
MASK = "segmentation/mask"  # sensor_msgs/Image, mono8, what the networks see
TASK_STATE = "task_state"  # ls3_interfaces/TaskState
LATENT = "latent"  # ls3_interfaces/Latent
STEP_REQUEST = "step_request"  # ls3_interfaces/StepRequest
PLAN = "plan"  # ls3_interfaces/Plan
ARM_COMMAND = "arm_command"  # ls3_interfaces/ArmCommand
MOTION_STATE = "motion_state"  # ls3_interfaces/MotionState, latched
RESET_SCENE = "reset_scene"  # ls3_interfaces/srv/ResetScene
RETREAT = "retreat"  # ls3_interfaces/Plan, a step back to the start pose between episodes
RESET_REQUEST = "reset_request"  # std_msgs/String, latched: what the operator shall do; empty: none
RUN_EPISODE = "run_episode"  # ls3_interfaces/action/RunEpisode
EPISODE_MARK = "episode_mark"  # StringStamped or String, an operator's marks for a recording
JOY = "joy"  # sensor_msgs/Joy, a person's gamepad
SCENE_IMAGE = "scene/image_raw"  # sensor_msgs/Image, a picture for people
JOINT_STATES = "joint_states"  # sensor_msgs/JointState, as ros2_control publishes it

RETREAT_EPISODE = 2**32 - 1
"""The number under which the arm goes back between two episodes; no episode has it."""


def load_model(node: str) -> str:
    """Service (ls3_interfaces/srv/LoadModel) of a node that uses a trained model."""
    return f"{node}/load_model"


def arm_node(name: str) -> str:
    """Operator's service (std_srvs/Trigger) of arm_node, e.g. ``arm_node("stop")``."""
    return f"arm_node/{name}"


def arm(name: str, topic: str) -> str:
    """CRTK topic of one arm, e.g. ``arm("PSM1", "measured_cp")``."""
    return f"{name}/{topic}"


def beside(topic: str, name: str) -> str:
    """A topic next to a camera's, e.g. ``beside("left/image_raw/compressed", "camera_info")``.

    image_transport's rule: in the name space of the picture, compressed or not.
    """
    base, slash, _ = topic.removesuffix("/compressed").rpartition("/")
    return f"{base}{slash}{name}"


def controller(interface: str) -> str:
    """Commands (std_msgs/Float64MultiArray) of ros2_control's forward controller.

    interface: what the joints take, e.g. ``effort``.
    """
    return f"{interface}_controller/commands"
