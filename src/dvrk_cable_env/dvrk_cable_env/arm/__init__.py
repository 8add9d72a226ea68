"""From a planned action to the arm: limits, guards, the controller's state machine, arm_node."""
