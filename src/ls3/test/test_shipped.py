"""Shipped models load, fit their domains, and know what they claim to know."""

import numpy as np
import pytest
import torch

from ls3.learning import environment
from ls3.learning.ls3_agent import PlannerPolicy, guarded_policy
from ls3.runs.domains import load_domain
from ls3_common.domain import load_spec
from ls3_common.shared import find_shared
from ls3_models.bundle import load_bundle
from ls3_planner.plan import make_planner
from ls3_sim.foreign import moved
from ls3_sim.registration import make_environment

pytestmark = pytest.mark.background

MODELS = sorted(path.name for path in find_shared("models").iterdir())


def shipped(name):
    return load_bundle(find_shared(f"models/{name}"))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_fits_its_domain(name):
    bundle, domain = shipped(name), load_domain(name)
    assert bundle.domain == name
    spec = domain.data_spec
    assert bundle.observation_shape == spec.observation_shape
    assert (bundle.action_low, bundle.action_high) == (spec.action_low, spec.action_high)
    env = make_environment(domain.spec)  # refused unless these are the environment's
    assert env.spec.max_episode_steps == domain.spec.horizon
    env.close()
    assert bundle.config == domain.learner  # the YAML is what it was trained with


@pytest.mark.parametrize("name", MODELS)
def test_a_model_reaches_its_domain_s_goal_in_one_of_three_episodes(name):
    bundle, domain = shipped(name), load_domain(name)
    assert bundle.guard is not None
    policy = guarded_policy(bundle, domain.planner)
    env = make_environment(domain.spec, domain.variations)
    tried = []
    for seed in range(3):
        policy.begin(seed)
        tried.append(
            environment.run_episode(
                env, policy.act, source="online", seed=seed, stop_on_success=True
            )
        )
        if tried[-1].succeeded:
            break
    env.close()
    assert tried[-1].succeeded
    assert policy.record()["objections"] == 0
    assert not any(episode.violated for episode in tried)


@pytest.mark.parametrize("name", MODELS)
def test_the_guard_objects_to_a_camera_that_was_pushed_aside(name):
    bundle, domain = shipped(name), load_domain(name)
    env = make_environment(domain.spec, domain.variations)
    image, _ = env.reset(seed=0)
    env.close()
    for observation, objects in ((image, False), (moved(image), True)):
        mean, _ = bundle.encode(observation[None])
        scores = bundle.guard.scores(observation[None], mean)[0]
        assert bool(bundle.guard.objection(scores, 0)) is objects


@pytest.fixture(scope="module")
def scene():
    env = make_environment(load_spec("navigation")).unwrapped
    env.reset(seed=0)
    return env.scene


def probability(scene, head, positions):
    """What a head of the navigation model says of the robot at each position."""
    bundle = shipped("navigation")
    images = []
    for position in positions:
        scene.reset(np.array(position, float))
        images.append(scene.draw(64, 64, show_goal=False))
    mean, _ = bundle.encode(np.stack(images))
    with torch.no_grad():
        logits = getattr(bundle.models.heads, head)(torch.from_numpy(mean)[None])
    return torch.sigmoid(logits[0, :, 0]).numpy()


def test_the_constraint_estimator_knows_the_obstacle(scene):
    inside = [(x, y) for x in (78, 87, 97) for y in (58, 75, 92)]
    beside = [(x, y) for x in (70, 105) for y in (50, 75, 100)] + [(87, 49), (87, 101)]
    assert probability(scene, "constraint", inside).min() > 0.9
    assert probability(scene, "constraint", beside).max() < 0.2


def test_the_goal_estimator_knows_the_goal(scene):
    assert probability(scene, "goal", [(150, 75), (151, 74), (149, 76)]).min() > 0.5
    assert probability(scene, "goal", [(144, 75), (150, 68), (30, 75), (87, 15)]).max() < 0.5


def test_the_safe_set_is_where_demonstrations_were(scene):
    assert probability(scene, "safe", [(30, 60), (30, 40), (87, 15), (150, 60)]).min() > 0.8
    assert probability(scene, "safe", [(60, 120), (15, 130), (170, 140)]).max() < 0.2


def test_the_planner_reaches_the_goal_from_near_it(scene):
    bundle = shipped("navigation")
    policy = PlannerPolicy(bundle, make_planner(bundle, load_domain("navigation").planner))
    policy.begin(0)
    rng = np.random.default_rng(0)
    scene.reset(np.array([149.0, 55.0]))
    for _ in range(14):  # 20 units away, at most 3 a step
        image = scene.draw(64, 64, show_goal=False)
        action = policy.act(image, {"constraint": scene.violated})
        scene.move(np.zeros(2) if action is None else action, rng)
        if scene.at_goal:
            break
    assert scene.at_goal
    assert policy.record()["holds"] == 0
