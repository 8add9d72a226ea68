"""The CRTK messages are on the wire what a dVRK's own are."""

from __future__ import annotations

import pytest

from crtk_msgs.msg import OperatingState, StringStamped
from crtk_msgs.srv import QueryForwardKinematics, QueryInverseKinematics

# Names, types and order of crtk_msgs 1.3.0; a DDS type is equal when these are.
CRTK = {
    OperatingState: {
        "header": "std_msgs/Header",
        "state": "string",
        "is_homed": "boolean",
        "is_busy": "boolean",
    },
    StringStamped: {"header": "std_msgs/Header", "string": "string"},
    QueryForwardKinematics.Request: {"jp": "sequence<double>", "cp": "geometry_msgs/Pose"},
    QueryForwardKinematics.Response: {
        "cp": "geometry_msgs/Pose",
        "result": "boolean",
        "message": "string",
    },
    QueryInverseKinematics.Request: {"cp": "geometry_msgs/Pose", "jp": "sequence<double>"},
    QueryInverseKinematics.Response: {
        "jp": "sequence<double>",
        "result": "boolean",
        "message": "string",
    },
}


@pytest.mark.parametrize("kind", CRTK, ids=lambda kind: kind.__name__)
def test_fields_are_those_of_a_dvrk(kind: type) -> None:
    fields = kind.get_fields_and_field_types()  # type: ignore[attr-defined]
    assert list(fields.items()) == list(CRTK[kind].items())
