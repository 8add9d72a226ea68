"""The comparisons as agents: what they remember, what they see, and that SACfD learns."""

import numpy as np
import pytest
import small
import torch
from torch import Generator

from ls3_models.agent import ObservedStep, episode_of, steps_of
from ls3_models.comparisons.awac import AwacAgent
from ls3_models.comparisons.config import AwacConfig, RecoveryConfig, SacfdConfig
from ls3_models.comparisons.networks import VectorTrunk
from ls3_models.comparisons.perception import Perception, of_images
from ls3_models.comparisons.replay import LatentFrames
from ls3_models.comparisons.sacfd import SacfdAgent
from ls3_models.comparisons.sacfd_rrl import SacfdRrlAgent
from ls3_models.episodes import Episode
from ls3_models.offline_data import OfflineData, Spec

pytestmark = pytest.mark.background

RISK = RecoveryConfig(gamma_risk=0.9, eps_risk=0.7)


def make(method, data, *, sees=of_images, penalty=-20.0, **changes):
    """An agent on `data`, with small batches."""
    small_batches = {"hidden": 16, "batch_size": 6, **changes}
    if method == "awac":
        config = AwacConfig(penalty=penalty, image_batch_size=6, **small_batches)
        return AwacAgent(method, {"awac": config}, config, sees(config, data.spec), data, 0)
    config = SacfdConfig(penalty=penalty, **small_batches)
    perception = sees(config, data.spec)
    if method == "sacfd":
        return SacfdAgent(method, {"sacfd": config}, config, perception, data, 0)
    settings = {"sacfd": config, "sacfd_rrl": RISK}
    return SacfdRrlAgent(method, settings, config, perception, data, 0)


def episode(source, seed, *, channels=1, steps=5, violates=None):
    """Noise for pictures; frozen from the step on that violates."""
    rng = np.random.default_rng(seed)
    constraint = np.arange(steps) >= (steps if violates is None else violates)
    success = ~constraint & (np.arange(steps) == steps - 1)
    return Episode(
        observations=rng.integers(0, 256, (steps + 1, 64, 64, channels), np.uint8),
        actions=rng.uniform(-0.01, 0.01, (steps, 2)).astype(np.float32),
        rewards=np.where(success, 0, -1).astype(np.float32),
        constraint=constraint, success=success, source=source, seed=seed,
    )  # fmt: skip


def data_of(channels=1):
    spec = Spec("tiny", (64, 64, channels), small.SPEC.action_low, small.SPEC.action_high)
    episodes = [
        episode("demonstration", 0, channels=channels),
        episode("demonstration", 1, channels=channels),
        episode("constraint", 2, channels=channels, violates=2),
        episode("random", 3, channels=channels, steps=4),
    ]
    return OfflineData.split(spec, episodes, "")  # the first is held out


@pytest.mark.parametrize("method", ["sacfd", "sacfd_rrl", "awac"])
@pytest.mark.parametrize(
    ("channels", "changes"),
    [(1, {}), (3, {}), (9, {"frame_stack": 3}), (1, {"arithmetic": "bfloat16"})],
)
def test_an_update_from_pictures_of_every_domain_is_finite(method, channels, changes):
    data = data_of(channels)
    agent = make(method, data, **changes)
    for stage in agent.stages:
        losses = agent.stage(stage).step()
        assert losses and all(np.isfinite(value) for value in losses.values())
        assert np.isfinite(agent.stage(stage).measure()["held_out/action_error"])
    agent.begin(3)
    bad = episode("online", 9, channels=channels, violates=1)
    for step in steps_of(bad):
        action = agent.act(step.observation, {"constraint": False, "success": False})
        assert action.dtype == np.float32 and (np.abs(action) <= 0.01).all()
        agent.observe(step)
        assert all(np.isfinite(value) for value in agent.update().values())
    assert all(torch.isfinite(t.float()).all() for t in agent.state().values())


def test_a_trunk_learns_from_pictures_and_its_gradient_reaches_the_first_layer():
    agent = make("sacfd", data_of())
    before = agent.rule.trunk.convolutions[0].weight.clone()
    agent.update()
    assert not torch.equal(before, agent.rule.trunk.convolutions[0].weight)
    slow = agent.rule.target_trunk.convolutions[0].weight
    expected = torch.lerp(before, agent.rule.trunk.convolutions[0].weight, 0.005)
    torch.testing.assert_close(slow, expected)


def test_each_method_learns_from_its_data():
    """Section 7.1.2: SACfD from D_demos only; section 7.1.3: Q_risk from all of D."""
    data = data_of()
    assert len(make("sacfd", data).replay()) == 5
    recovering = make("sacfd_rrl", data)
    assert (len(recovering.replay()), len(recovering.replay("risk"))) == (5, 14)
    assert len(make("awac", data).replay()) == 14
    batch = recovering.draw(200, Generator().manual_seed(0))
    assert not batch.constraint.any() and batch.arrives.any()
    batch = recovering.draw(200, Generator().manual_seed(0), "risk")
    assert batch.constraint.any() and not (batch.constraint * batch.arrives).any()


def test_every_frozen_step_is_kept_with_its_violation():
    agent = make("sacfd", data_of())
    bad = episode("online", 9, steps=6, violates=2)
    for step in steps_of(bad):
        agent.observe(step)
    batch = agent.draw(500, Generator().manual_seed(0))
    online = [(batch.observations == torch.from_numpy(frame)).flatten(1).all(1) for frame in
              bad.observations[:-1]]  # fmt: skip
    found = [bool(batch.constraint[rows].all()) for rows in online]
    assert all(rows.any() for rows in online) and found == [False, False, True, True, True, True]
    assert not any(batch.arrives[rows].any() for rows in online), "no goal after a violation"


def test_a_frame_is_remembered_once_and_follows_its_step():
    agent = make("sacfd", data_of())
    good = episode("online", 9)
    agent.replay()
    count = len(agent._frames)
    for step in steps_of(good):
        agent.observe(step)
    assert len(agent._frames) == count + len(good) + 1
    batch = agent.draw(300, Generator().manual_seed(1))
    for t in range(len(good)):
        here = torch.from_numpy(good.observations[t])
        rows = (batch.observations == here).flatten(1).all(1)
        following = torch.from_numpy(good.observations[t + 1])
        assert rows.any() and (batch.next_observations[rows] == following).all()
        expected = torch.from_numpy(good.actions[t]) / 0.01
        torch.testing.assert_close(batch.actions[rows][0], expected, rtol=0, atol=1e-5)


def test_start_steps_are_uniformly_random():
    agent = make("sacfd", data_of(), start_steps=60)
    image = np.zeros((64, 64, 1), np.uint8)
    agent.begin(0)
    drawn = []
    for t in range(70):
        drawn.append(agent.act(image, {}) / 0.01)
        agent.observe(ObservedStep(t, image, drawn[-1] * 0.01, -1.0, False, False, image, False))
    assert np.abs(np.mean(drawn[:60])) < 0.25 and np.abs(drawn[:60]).max() > 0.9
    agent.load_state(agent.state())
    assert agent.observed == 0, "the loop shows the steps again"


# -- it learns -------------------------------------------------------------------------------------

SIDE, T = 16, 20
START, GOAL, SPEED = 2.0, 13.0, 1.5


class Blob:
    """A blob in a picture of 16 x 16 pixels, which has to come to the right within 20 steps."""

    def reset(self):
        self.place = np.array([START, SIDE / 2])
        return self.picture()

    def picture(self):
        rows, columns = np.mgrid[:SIDE, :SIDE]
        distance = (columns - self.place[0]) ** 2 + (rows - self.place[1]) ** 2
        return (255 * np.exp(-distance / 8)).astype(np.uint8)[..., None]

    def step(self, action):
        self.place = np.clip(self.place + SPEED * action, 0, SIDE - 1)
        return self.picture(), self.place[0] >= GOAL

    def run(self, act, source="online", on_step=lambda step: None):
        """One episode that ends at the goal or at T."""
        steps, seen = [], self.reset()
        while not (steps and steps[-1].ended):
            action = np.asarray(act(seen), np.float32)
            following, success = self.step(action)
            ended = bool(success or len(steps) == T - 1)
            steps.append(
                ObservedStep(
                    len(steps), seen, action, float(success) - 1, False, success, following, ended
                )
            )
            on_step(steps[-1])
            seen = following
        return steps


def pixels(_config, _spec):
    """See the pixels of a small picture as a vector."""

    def encode(images):
        flat = torch.from_numpy(np.ascontiguousarray(images)).flatten(1).float() / 255
        return flat, torch.zeros_like(flat)

    return Perception(lambda: VectorTrunk(SIDE * SIDE), lambda: LatentFrames(encode))


def test_sacfd_beats_the_clone_that_it_begins_with():
    """Demonstrations reach the goal at a third of the speed that is possible."""
    torch.manual_seed(0)
    rng, blob = np.random.default_rng(0), Blob()

    def demonstrate(_seen):
        return np.array([rng.uniform(0.1, 0.9), rng.uniform(-0.3, 0.3)])

    spec = Spec("blob", (SIDE, SIDE, 1), (-1.0, -1.0), (1.0, 1.0))
    episodes = [
        episode_of(blob.run(demonstrate), source="demonstration", seed=i) for i in range(12)
    ]
    agent = make(
        "sacfd", OfflineData.split(spec, episodes, ""), sees=pixels, penalty=-1.0,
        hidden=64, batch_size=64, gamma=0.95, tau=0.02, alpha=0.02, learning_rate=1e-3,
        cloning_steps=300, critic_steps=300,
    )  # fmt: skip

    def greedy():
        policy = agent.policy(explores=False)
        policy.begin(0)
        return len(blob.run(lambda seen: policy.act(seen, {})))

    for stage, count in agent.stages.items():
        step = agent.stage(stage).step
        for _ in range(count):
            step()
    clone = greedy()
    assert 12 <= clone <= 18, "about half speed"

    def learn(step):
        agent.observe(step)
        agent.update()

    for number in range(40):
        agent.begin(number)
        blob.run(lambda seen: agent.act(seen, {}), on_step=learn)
    assert greedy() <= clone - 3
