"""The names of all topics, services and actions of the stack, relative to the namespace.

Nodes take the names from here. If a robot uses another name, a launch file remaps it.
"""

CAMERA_IMAGE = "camera/image_raw"  # sensor_msgs/Image, rgb8
MASK = "segmentation/mask"  # sensor_msgs/Image, mono8, what the networks see
TASK_STATE = "task_state"  # ls3_interfaces/TaskState
LATENT = "latent"  # ls3_interfaces/Latent
STEP_REQUEST = "step_request"  # ls3_interfaces/StepRequest
PLAN = "plan"  # ls3_interfaces/Plan
PLAN_INPUT = "plan_input"  # std_msgs/String, JSON: what a plan rests on
ARM_COMMAND = "arm_command"  # ls3_interfaces/ArmCommand
MOTION_STATE = "motion_state"  # ls3_interfaces/MotionState, latched: the present state
MOTION_HISTORY = "motion_history"  # ls3_interfaces/MotionState of arm_node: its last changes
RESET_SCENE = "reset_scene"  # ls3_interfaces/srv/ResetScene
RETREAT = "retreat"  # ls3_interfaces/Plan, a step back to the start pose between episodes
RESET_REQUEST = "reset_request"  # std_msgs/String, latched: what the operator must do, or empty
RUN_EPISODE = "run_episode"  # ls3_interfaces/action/RunEpisode
EPISODE_MARK = "episode_mark"  # StringStamped or String, an operator's marks for a recording
JOY = "joy"  # sensor_msgs/Joy, a person's gamepad
SCENE_IMAGE = "scene/image_raw"  # sensor_msgs/Image, a picture for people
VIEW_PICTURE = "view_node/picture/compressed"  # sensor_msgs/CompressedImage, as film draws it
VIEW_MARKERS = "view_node/markers"  # visualization_msgs/MarkerArray: plan, workspace, goal
JOINT_STATES = "joint_states"  # sensor_msgs/JointState, as ros2_control publishes it

RETREAT_EPISODE = 2**32 - 1
"""The episode number in the plans of a retreat between two episodes; no episode has it."""


def load_model(node: str) -> str:
    """Return the service (ls3_interfaces/srv/LoadModel) of a node that uses a trained model."""
    return f"{node}/load_model"


def arm_node(name: str) -> str:
    """Return the name of an operator's service (std_srvs/Trigger) of arm_node, such as ``stop``."""
    return f"arm_node/{name}"


def arm(name: str, topic: str) -> str:
    """Return the name of an arm's CRTK topic, e.g. ``arm("PSM1", "measured_cp")``."""
    return f"{name}/{topic}"


def of_camera(image_topic: str, name: str) -> str:
    """Return a topic of the same camera: ``camera_info`` of ``left/image_raw/compressed``, say.

    As image_transport has it, the topic is in the namespace of the images, compressed or not.
    """
    base, slash, _ = image_topic.removesuffix("/compressed").rpartition("/")
    return f"{base}{slash}{name}"


def controller(interface: str) -> str:
    """Return the command topic (std_msgs/Float64MultiArray) of ros2_control's forward controller.

    interface: the joints' command interface, e.g. ``effort``.
    """
    return f"{interface}_controller/commands"
