"""Methods name their agents: what a sweep shares, and which of them may move an arm."""

import pytest
import random_agent

from ls3.learning.ls3_agent import Ls3Agent
from ls3.learning.through_graph import RunsInGraph
from ls3.runs.methods import METHODS, Method, find_method, load_method, refuse_on_robot
from ls3.studies import sweep
from ls3_common.errors import UserError

pytestmark = pytest.mark.background


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(METHODS, "random", Method("Random", "random_agent:KIND"))


def test_a_sweep_trains_ls3_for_those_only_that_take_it_over(registered, monkeypatch, tmp_path):
    config = random_agent.write_config(tmp_path / "navigation.yaml")

    def load(domain, method, _config=None, overrides=()):
        return load_method(domain, method, config, overrides)

    monkeypatch.setattr(sweep, "load_method", load)
    tasks = sweep.SweepPlan(["navigation"], ["random"], [0]).tasks()
    assert [task.words[0] for task in tasks] == ["collect", "learn"]
    assert tasks[1].after == (0,) and "--offline" not in tasks[1].words
    both = sweep.SweepPlan(["navigation"], ["random", "no_safe_set"], [0]).tasks()
    assert [task.words[0] for task in both] == ["collect", "train", "learn", "learn"]
    assert [task.after for task in both[2:]] == [(0,), (1,)]


def test_a_sweep_gives_latents_the_shipped_encoder_if_there_is_one(monkeypatch):
    plan = sweep.SweepPlan(["navigation"], ["sacfd", "sacfd_latents"], [0, 1])
    tasks = plan.tasks()
    assert [task.words[0] for task in tasks] == ["collect", *["learn"] * 4]
    assert all(task.after == (0,) and "--offline" not in task.words for task in tasks[1:])
    monkeypatch.setattr(sweep, "find_shared", lambda _path: None)
    tasks = plan.tasks()
    assert [task.words[0] for task in tasks] == ["collect", *["train"] * 2, *["learn"] * 4]
    assert [task.after for task in tasks[3:]] == [(0,), (0,), (1,), (2,)]
    assert tasks[5].words[-1] == "runs/navigation/ls3/seed_0"


def test_only_methods_that_may_move_an_arm_learn_through_a_graph(registered):
    refuse_on_robot("ls3")
    for name in ("random", "no_constraint"):
        with pytest.raises(UserError, match=f"'{name}' must not move an arm.*\n.*: ls3$"):
            refuse_on_robot(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_an_agent(name):
    kind = find_method(name).kind
    domain = load_method("navigation", name)
    assert domain.settings(kind.sections).keys() == kind.sections.keys()


def test_what_may_move_an_arm_has_models_for_the_nodes():
    assert issubclass(Ls3Agent, RunsInGraph)
    assert not issubclass(random_agent.RandomAgent, RunsInGraph)
    kinds = {method.agent for method in METHODS.values() if method.on_robot}
    assert kinds == {"ls3.learning.ls3_agent:KIND"}
