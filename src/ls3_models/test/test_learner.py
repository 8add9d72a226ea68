"""On which latents each part learns."""

import pytest
import torch
from small import SPEC, config, episode

from ls3_models.heads import discounted_returns
from ls3_models.learner import Learner
from ls3_models.replay import Replay

pytestmark = pytest.mark.background


def spread_of_inputs(head_noise):
    """Standard deviation of what each part is shown, where all frames have the same latent."""
    settings = config(latent_dim=8, batch_size=512, head_noise=head_noise)
    learner = Learner(settings, channels=1, action_dim=2, seed=0)
    replay = Replay(settings, torch.tensor(SPEC.action_low), torch.tensor(SPEC.action_high))
    for seed in range(2):
        replay.add(episode(seed), torch.ones(7, 8), torch.full((7, 8), 0.01))
    seen = {}

    def watch(name):
        def note(module, inputs):
            seen[name] = float(inputs[0][..., :8].std())

        return note

    heads, dynamics = learner.models.heads, learner.models.dynamics.mlp
    for name, network in heads.items():
        network.register_forward_pre_hook(watch(name))
    dynamics.register_forward_pre_hook(watch("dynamics"))
    for name, network in learner.targets.items():
        network.register_forward_pre_hook(watch(f"target of {name}"))
    learner.head_step(replay)
    learner.value_step(replay, monte_carlo=False)
    return seen


@pytest.mark.parametrize("head_noise", [0.0, 0.3])
def test_heads_alone_learn_beside_the_frames(head_noise):
    """And are asked there for their targets; the dynamics learn from the frames themselves."""
    seen = spread_of_inputs(head_noise)
    assert seen.pop("dynamics") == pytest.approx(0.01, rel=0.05)
    lagged = {"target of safe", "target of value"}
    assert seen.keys() == {"value", "safe", "constraint", "goal", *lagged}
    assert seen == pytest.approx(dict.fromkeys(seen, max(head_noise, 0.01)), rel=0.05)


def safe_set_of(imagined_weight):
    """f_S on frames and on what is imagined from them, all data being demonstrations on a line."""
    settings = config(
        latent_dim=4, batch_size=60, learning_rate=3e-3, imagined_weight=imagined_weight
    )
    learner = Learner(settings, channels=1, action_dim=2, seed=0)
    replay = Replay(settings, torch.tensor(SPEC.action_low), torch.tensor(SPEC.action_high))
    line = torch.linspace(-2, 2, 31)[:, None] * torch.ones(4)
    for seed in range(4):
        replay.add(episode(seed, steps=30, goal_from=29), line, torch.full_like(line, 0.01))
    for _ in range(300):
        learner.head_step(replay)
    with torch.no_grad():
        learner.models.dynamics.mlp.biases[-1][:, :, :2] += 1.0  # away from the line
        imagined = learner._imagined(line.expand(5, -1, -1))
        safe = learner.models.heads.safe
        return [float(torch.sigmoid(safe(points)).mean()) for points in (line[None], imagined)]


def test_what_is_only_imagined_is_outside_the_safe_set():
    """Without a single example of outside f_S takes everything for safe."""
    frames, imagined = safe_set_of(0.0)
    assert frames > 0.95
    assert imagined > 0.95
    frames, imagined = safe_set_of(0.3)
    assert frames > 0.7
    assert imagined < 0.5


def test_episodes_that_end_at_the_goal_teach_their_returns():
    """Where V of the last frame, from which no step begins, had a say, all would follow it."""
    settings = config(batch_size=64, learning_rate=3e-3, hidden=64, target_interval=20)
    learner = Learner(settings, channels=1, action_dim=2, seed=0)
    replay = Replay(settings, torch.tensor(SPEC.action_low), torch.tensor(SPEC.action_high))
    line = torch.linspace(-2, 2, 11)[:, None] * torch.ones(4)
    ending = episode(steps=10, goal_from=9)
    replay.add(ending, line, torch.full_like(line, 0.01))
    for _ in range(1500):
        learner.value_step(replay, monte_carlo=False)
    with torch.no_grad():
        value = learner.models.heads.value(line[None].expand(5, -1, -1))[..., 0].mean(dim=0)
    torch.testing.assert_close(
        value[:-1], torch.from_numpy(discounted_returns(ending.rewards, 0.99)), rtol=0, atol=0.3
    )


def test_value_of_a_walk_without_an_end_falls():
    """Targets asked where V does not learn would hold it up, or let it grow."""
    settings = config(latent_dim=32, batch_size=64, hidden=64, learning_rate=1e-3, head_noise=0.3)
    learner = Learner(settings, channels=1, action_dim=2, seed=0)
    replay = Replay(settings, torch.tensor(SPEC.action_low), torch.tensor(SPEC.action_high))
    generator = torch.Generator().manual_seed(0)
    for seed in range(4):
        walk = torch.randn((51, 32), generator=generator).mul(0.1).cumsum(dim=0)
        walk -= walk.mean(dim=0)
        replay.add(episode(seed, 50, goal_from=99), walk, torch.full_like(walk, 0.01))
    for _ in range(1000):
        learner.value_step(replay, monte_carlo=False)
    frames = replay.transitions((5, 500), generator).latents
    with torch.no_grad():
        value = learner.models.heads.value(frames)
    assert value.max() < -90
