"""Sections 3 to 5 of docs/robot.md in simulation, with the commands as they are written there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from ros_bench import Bench, Child, until

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "robot.md").read_text()
SIMULATED = ["-p", "use_sim_time:=true"]
"""What section 3 says to add to the commands of section 4."""


def section(number: int) -> str:
    return re.split(r"^## \d+\. .*$", GUIDE, flags=re.MULTILINE)[number]


def commands(number: int) -> list[list[str]]:
    """The `ros2` commands of a section, in blocks and in the text, in their order."""
    found = []
    for block, word in re.findall(r"```\w*\n(.*?)```|`(ros2 [^`]+)`", section(number), re.DOTALL):
        for line in (block or " ".join(word.split())).replace("\\\n", " ").splitlines():
            if line.startswith("ros2 "):
                found.append(shlex.split(line, comments=True))
    return found


def the(number: int, *words: str) -> list[str]:
    """The first command of a section that has all these words."""
    return next(c for c in commands(number) if set(words) <= set(c))


def services() -> list[str]:
    return re.findall(r"`~/(\w+)`", "".join(re.findall(r"^\| `~.*?\|", section(5), re.MULTILINE)))


def block(number: int, language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", section(number), re.DOTALL)[0]


class Operator:
    """Types the commands of the guide."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self._folder = bench, folder

    def run(self, command: list[str], timeout: float = 60.0) -> tuple[int, str]:
        result = subprocess.run(
            command,
            cwd=self._folder,
            env=self.bench.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return result.returncode, result.stdout + result.stderr

    def start(self, command: list[str]) -> Child:
        return self.bench.command("env", "-C", str(self._folder), *command)

    def call(self, service: str) -> tuple[bool, str]:
        """Success and message of one of the services, called as the guide's example calls ~/arm."""
        example = the(5, "service", "call")
        assert example[3] == "/arm_node/arm"
        code, output = self.run([*example[:3], f"/arm_node/{service}", *example[4:]])
        assert code == 0, output
        answer = re.search(r"Trigger_Response\(success=(\w+), message=(.*)\)", output)
        assert answer, output
        return answer[1] == "True", answer[2]

    def tip(self) -> list[float]:
        code, output = self.run(the(4, "echo"))
        assert code == 0, output
        position = yaml.safe_load(output.partition("---")[0])["pose"]["position"]
        return [position[axis] for axis in "xyz"]


@pytest.fixture
def operator(bench: Bench, tmp_path: Path) -> Operator:
    # section 2: a copy of the domain's file, to which the robot's numbers are added
    text = (ROOT / "config" / "cable_routing.yaml").read_text()
    numbers = block(2, "yaml").replace("backend: dvrk", "backend: crtk")  # as section 3 says
    (tmp_path / "my_robot.yaml").write_text(text + "\n" + numbers)
    return Operator(bench, tmp_path)


def test_the_guide_has_the_commands_that_are_rehearsed() -> None:
    assert [c[2:4] for c in commands(3)][:2] == [
        ["ls3_sim", "sim_node"],
        ["dvrk_cable_env", "arm_node"],
    ]
    assert services() == ["home", "arm", "pause", "stop", "disarm", "reset"]
    assert "`--use-sim-time`" in section(3)
    assert "`backend: crtk`" in section(3)
    assert f"`{' '.join(SIMULATED)}`" in section(3)


@pytest.mark.timeout(300)
def test_sections_3_and_5_are_rehearsed(operator: Operator) -> None:
    operator.start(the(3, "sim_node"))
    arm_node = operator.start(the(3, "arm_node"))
    until(lambda: "the arm is DISABLED" in arm_node.output)
    ready, why = operator.call("arm")
    assert not ready and "DISABLED" in why
    for service in ("home", "arm", "pause", "stop", "disarm", "reset", "arm"):
        # a simulated arm may still be homing
        until(lambda service=service: operator.call(service)[0], 60)
    began = operator.tip()
    step = the(5, "pub")
    code, output = operator.run([*step[:3], "--use-sim-time", *step[3:]])
    assert code == 0, output
    asked = yaml.safe_load(step[-1])["action"]
    assert asked == [0.002, 0.0], "2 mm along x"
    wanted = [began[0] + asked[0], began[1] + asked[1], began[2]]
    until(lambda: operator.tip() == pytest.approx(wanted, abs=5e-4), 30)
    operator.start(the(3, "segmentation_node"))
    code, output = operator.run(the(3, "preflight"))
    assert "ok      arm state" in output, output
    assert "ok      segmentation" in output, output
    assert "Traceback" not in output + arm_node.output


@pytest.mark.timeout(300)
def test_section_4_is_rehearsed_with_the_robot_s_numbers(operator: Operator) -> None:
    operator.start(the(3, "sim_node"))
    arm_node = operator.start([*the(4, "arm_node"), *SIMULATED])
    until(lambda: "the arm is DISABLED" in arm_node.output)
    done, why = operator.call("home")
    assert not done, "no foot is on the pedal"
    assert "pedal" in why
    operator.start(the(3, "/footpedals/coag"))
    until(lambda: operator.call("home")[0], 60)
    until(lambda: operator.call("arm")[0], 60)
    code, output = operator.run([*the(4, "preflight"), *SIMULATED])
    assert code == 1
    for line in ("arm state", "arm pose"):
        assert line in output
    assert "Traceback" not in output + arm_node.output
