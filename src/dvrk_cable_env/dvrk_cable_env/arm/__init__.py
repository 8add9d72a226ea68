"""Planned action to arm: limits, guards, the controller's state machine, and arm_node."""
