"""The updates of SACfD, SACfD+RRL and AWAC against numbers that were worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Generator
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from ls3_models.comparisons.awac import Awac
from ls3_models.comparisons.config import AwacConfig, RecoveryConfig, SacfdConfig
from ls3_models.comparisons.networks import GaussianPolicy, SquashedGaussian, VectorTrunk, follow
from ls3_models.comparisons.replay import Batch
from ls3_models.comparisons.sacfd import Sacfd
from ls3_models.comparisons.sacfd_rrl import SacfdRrl

pytestmark = pytest.mark.background

SIZE, ACTIONS = 3, 2


def generator(seed=0):
    return Generator().manual_seed(seed)


def sacfd(**changes):
    return Sacfd(SacfdConfig(**{"penalty": -3.0, **changes}), lambda: VectorTrunk(SIZE), ACTIONS, 0)


def rrl(gamma_risk=0.5, eps_risk=0.7, **changes):
    recovery = RecoveryConfig(gamma_risk=gamma_risk, eps_risk=eps_risk)
    config = SacfdConfig(penalty=-3.0, **changes)
    return SacfdRrl(config, recovery, lambda: VectorTrunk(SIZE), ACTIONS, 0)


def awac(**changes):
    return Awac(AwacConfig(**{"penalty": -1.0, **changes}), lambda: VectorTrunk(SIZE), ACTIONS, 0)


def batch(rows=4, seed=0):
    """The first step arrives, the second violates, and the third is the last before T."""
    rng = np.random.default_rng(seed)

    def random(*shape):
        return torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32))

    arrives, constraint = torch.zeros(rows), torch.zeros(rows)
    arrives[0], constraint[1] = 1, 1
    return Batch(
        random(rows, SIZE), random(rows, ACTIONS), arrives - 1, constraint, arrives,
        random(rows, SIZE),
    )  # fmt: skip


def constant(network, value):
    """Make a stacked network, or a linear layer, give the same value everywhere."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        last = list(network.biases)[-1] if hasattr(network, "biases") else network.bias
        last += torch.as_tensor(value).reshape(-1, *[1] * (last.ndim - 1))


# -- policies --------------------------------------------------------------------------------------


def test_the_squashed_density_is_that_of_torchs_distributions():
    torch.manual_seed(0)
    policy = SquashedGaussian(SIZE, ACTIONS, 8)
    features = torch.randn(50, SIZE)
    actions, log_density = policy.sample(features, generator())
    mean, log_std = policy(features)
    base = Normal(mean.double(), log_std.double().exp())
    expected = Independent(TransformedDistribution(base, TanhTransform()), 1)
    inside = actions.abs().amax(dim=1) < 0.99  # nearer to 1 the 1e-6 in the logarithm shows
    assert inside.sum() > 25
    found, known = log_density.double()[inside], expected.log_prob(actions.double())[inside]
    torch.testing.assert_close(found, known, rtol=0, atol=1e-3)
    assert torch.equal(policy.greedy(features), torch.tanh(mean))


def test_the_squashed_density_by_hand():
    """Mean 0, sigma 1 and x = 0: log N(0) = -0.9189 an axis, and 1 - tanh(0)^2 = 1."""
    policy = SquashedGaussian(SIZE, 1, 8)
    constant(policy.mean, 0.0)
    constant(policy.log_std, 0.0)
    found = policy.sample(torch.zeros(1, SIZE), generator(1))
    noise = torch.randn((1, 1), generator=generator(1)).item()
    expected = -0.5 * noise**2 - 0.918939 - math.log(1 - math.tanh(noise) ** 2 + 1e-6)
    assert found[0].item() == pytest.approx(math.tanh(noise), abs=1e-6)
    assert found[1].item() == pytest.approx(expected, abs=1e-5)


def test_the_log_std_stays_in_its_bounds():
    policy = SquashedGaussian(SIZE, ACTIONS, 8)
    constant(policy.log_std, 50.0)
    assert policy(torch.zeros(1, SIZE))[1].tolist() == [[2, 2]]
    constant(policy.log_std, -50.0)
    actions, log_density = policy.sample(torch.zeros(1, SIZE), generator())
    assert torch.isfinite(log_density).all() and torch.isfinite(actions).all()


def test_awacs_density_is_that_of_torchs_distributions():
    policy = GaussianPolicy((SIZE, 8, ACTIONS), bounds=(-6.0, 0.0))
    features, actions = torch.randn(20, SIZE), torch.rand(20, ACTIONS) * 2 - 1
    expected = Independent(Normal(policy.greedy(features), math.exp(-3)), 1).log_prob(actions)
    torch.testing.assert_close(policy.log_density(features, actions), expected)
    assert GaussianPolicy((SIZE, 8, ACTIONS)).log_std.tolist() == [0, 0]


# -- SACfD -----------------------------------------------------------------------------------------


def test_the_target_of_sac_by_hand():
    rule, steps = sacfd(), batch()
    constant(rule.target_critic.both, [-10.0, -8.0])
    target = rule.target(steps)
    _, log_density = rule.actor.sample(steps.next_observations, generator())
    soft = -10 - 0.2 * log_density
    assert target[0].item() == 0, "the goal is paid 0 and ends"
    assert target[1].item() == pytest.approx(-1 - 3 + 0.99 * soft[1].item(), abs=1e-5)
    assert target[2].item() == pytest.approx(-1 + 0.99 * soft[2].item(), abs=1e-5), "T is no end"


def test_the_losses_of_sac_by_hand():
    rule, steps = sacfd(), batch()
    constant(rule.critic.both, [-1.0, 2.0])
    loss = rule.critic_loss(steps.observations, steps.actions, torch.tensor([0.0, -1, 1, 3]))
    assert loss.item() == pytest.approx((1 + 0 + 4 + 16) / 4 + (4 + 9 + 1 + 1) / 4)
    _, log_density = rule.actor.sample(steps.observations, generator())
    found = rule.actor_loss(steps.observations)
    assert found.item() == pytest.approx((0.2 * log_density + 1).mean().item(), abs=1e-6)


def test_the_actor_learns_from_the_updated_critic_and_the_target_follows_slowly():
    rule, steps = sacfd(tau=0.25), batch(rows=16)
    before = {name: value.clone() for name, value in rule.state().items()}
    rule.update(steps)
    after = rule.state()
    for name in [key for key in after if key.startswith("critic.")]:
        slow = torch.lerp(before[f"target_{name}"], after[name], 0.25)
        torch.testing.assert_close(after[f"target_{name}"], slow)
        assert not torch.equal(before[name], after[name])
    assert not torch.equal(before["actor.mean.weight"], after["actor.mean.weight"])


def test_cloning_trains_the_mean_and_not_sigma():
    rule, steps = sacfd(learning_rate=3e-3), batch(rows=16)
    sigma = [weight.clone() for weight in rule.actor.log_std.parameters()]
    first = rule.cloning_step(steps)["cloning"]
    for _ in range(200):
        last = rule.cloning_step(steps)["cloning"]
    assert last < first / 10
    assert all(map(torch.equal, sigma, rule.actor.log_std.parameters()))


def test_before_the_first_episode_the_critic_learns_and_the_clone_stays():
    rule, steps = sacfd(), batch(rows=16)
    actor = [weight.clone() for weight in rule.actor.parameters()]
    assert rule.offline_step(steps).keys() == {"critic"}
    assert all(map(torch.equal, actor, rule.actor.parameters()))


def test_a_target_follows_by_its_share():
    slow, fast = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    constant(slow, 1.0)
    constant(fast, 3.0)
    follow(slow, fast, 0.1)
    assert slow.bias.item() == pytest.approx(1.2)


# -- SACfD+RRL -------------------------------------------------------------------------------------


def test_the_target_of_risk_by_hand():
    rule = rrl(gamma_risk=0.5)
    constant(rule.target_risk.both, [0.0, math.log(3)])  # sigmoids of 1/2 and 3/4
    expected = [0, 1, 0.375, 0.375]  # the goal; a violation, and nothing beyond; T goes on
    assert rule.risk_target(batch()).tolist() == pytest.approx(expected)


def test_the_gate_opens_above_eps():
    seen, action = torch.zeros(1, SIZE), torch.zeros(1, ACTIONS)
    for eps, risk, opens in ((0.7, 0.75, True), (0.8, 0.75, False), (0.0, 1e-3, True)):
        rule = rrl(eps_risk=eps)
        constant(rule.risk.both, [-9.0, math.log(risk / (1 - risk))])
        assert (rule.recover(seen, action, generator()) is not None) == opens
    assert rrl(eps_risk=1.1).recover(seen, action, generator()) is None


def test_the_recovery_policy_lowers_the_risk():
    """Risky is what goes up; so the policy learns to go down."""
    rule = rrl(learning_rate=3e-3, hidden=32)
    rng = generator(3)
    for _ in range(200):
        actions = torch.rand((64, ACTIONS), generator=rng) * 2 - 1
        steps = Batch(
            torch.zeros(64, SIZE), actions, -torch.ones(64), (actions[:, 1] > 0).float(),
            torch.zeros(64), torch.zeros(64, SIZE),
        )  # fmt: skip
        losses = rule.risk_step(steps)
    assert rule.recovery.greedy(torch.zeros(1, SIZE))[0, 1] < -0.3
    assert losses["recovery"] < 0.7


def test_risk_on_a_chain_of_six_states_tends_to_gamma_to_the_k():
    """States 0 to 5 in a row; each step goes on by one, and state 5 violates for good."""
    rule = SacfdRrl(
        SacfdConfig(penalty=-3.0, hidden=32, learning_rate=3e-3),
        RecoveryConfig(gamma_risk=0.5, eps_risk=0.7, tau_risk=0.05),
        lambda: VectorTrunk(6), 1, 0,
    )  # fmt: skip
    for _ in range(500):
        rule.risk_step(chain_of_six(rule.generator))
    chain = chain_of_six(generator())
    risk = torch.sigmoid(rule.risk(chain.observations, chain.actions)).view(2, 6, -1).mean((0, 2))
    # from state 4 and from 5 the step itself violates
    expected = torch.tensor([0.5**4, 0.5**3, 0.5**2, 0.5, 1, 1])
    torch.testing.assert_close(risk, expected, rtol=0, atol=0.06)


def chain_of_six(rng, repeats=8):
    """All steps, each with several actions, which change nothing."""
    now = torch.arange(6).repeat_interleave(repeats)
    following = (now + 1).clamp(max=5)
    states, zeros = torch.eye(6), torch.zeros(len(now))
    actions = 2 * torch.rand((len(now), 1), generator=rng) - 1
    violates = (following == 5).float()
    return Batch(states[now], actions, zeros - 1, violates, zeros, states[following])


def test_q_without_a_goal_tends_to_the_infinite_sum():
    """T is no end: -1 a step for ever, and lambda where it is frozen."""
    config = SacfdConfig(penalty=-2.0, gamma=0.8, alpha=0.0, tau=0.1, hidden=32, learning_rate=1e-2)
    rule = Sacfd(config, lambda: VectorTrunk(6), 1, 0)
    for _ in range(600):
        rule.critic_step(chain_of_six(rule.generator))
    chain = chain_of_six(generator())
    found = rule.critic(chain.observations, chain.actions).view(2, 6, -1).mean((0, 2))
    frozen = (-1 - 2) / (1 - 0.8)
    expected = [frozen, frozen]  # of states 5 and 4
    for _ in range(4):
        expected.append(-1 + 0.8 * expected[-1])
    torch.testing.assert_close(found, torch.tensor(expected[::-1]), rtol=0, atol=0.5)


# -- AWAC ------------------------------------------------------------------------------------------


def test_awacs_weights_by_hand():
    rule = awac()
    found = rule.advantage_weights(torch.tensor([0.0, 2 * math.log(3)]))
    assert found.tolist() == pytest.approx([0.5, 1.5])  # softmax of 0 and log 3, times two rows
    advantages = torch.randn(64, generator=generator())
    weights = rule.advantage_weights(advantages)
    assert weights.sum().item() == pytest.approx(64, rel=1e-5)
    torch.testing.assert_close(weights, rule.advantage_weights(advantages + 7))


def test_awacs_target_by_hand():
    rule = awac()
    constant(rule.target_critic.both, [-10.0, -8.0])
    assert rule.target(batch()).tolist() == pytest.approx([0, -1 - 1 - 9.9, -10.9, -10.9])


def test_with_equal_advantages_awac_clones():
    rule, steps = awac(), batch(rows=32)
    constant(rule.critic.both, [-5.0, -5.0])  # the same value of every action
    weighted = rule.actor_loss(steps.observations, steps.actions)
    cloning = -rule.actor.log_density(steps.observations, steps.actions).mean()
    assert weighted.item() == pytest.approx(cloning.item(), rel=1e-6)
    ours, theirs = (torch.autograd.grad(x, rule.actor.free)[0] for x in (weighted, cloning))
    torch.testing.assert_close(ours, theirs)


def test_awac_prefers_what_its_critic_prefers():
    """Actions with a first component above 0 are worth more: the policy takes those."""
    rule = awac()
    rng = generator(3)
    rule.critic.forward = lambda features, actions: 8 * actions[:, 0].expand(2, -1)
    optimiser = rule.optimisers["actor"]
    for _ in range(300):
        actions = torch.rand((64, ACTIONS), generator=rng) * 2 - 1
        loss = rule.actor_loss(torch.zeros(64, SIZE), actions)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    mean = rule.actor.greedy(torch.zeros(1, SIZE))[0]
    assert mean[0] > 0.5 and abs(mean[1]) < 0.2


# -- an independent implementation -----------------------------------------------------------------


def test_a_critic_loss_is_twice_that_of_stable_baselines():
    """stable-baselines3 halves the sum over the two critics; all else is the same."""
    sb3 = pytest.importorskip("stable_baselines3")
    gymnasium = pytest.importorskip("gymnasium")

    class Line(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-10, 10, (SIZE,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (ACTIONS,), np.float32)

        def reset(self, *, seed=None, options=None):
            return np.zeros(SIZE, np.float32), {}

        def step(self, action):
            return np.zeros(SIZE, np.float32), -1.0, False, False, {}

    net = {"pi": [256, 256], "qf": [256, 256]}
    theirs = sb3.SAC("MlpPolicy", Line(), ent_coef=0.2, policy_kwargs={"net_arch": net}, seed=0)
    rule, steps = sacfd(), batch(rows=32)
    with torch.no_grad():
        for index, network in enumerate(theirs.critic.q_networks):
            copy_into(rule.critic.both, index, network)
        for index, network in enumerate(theirs.critic_target.q_networks):
            copy_into(rule.target_critic.both, index, network)
    # the actions drawn at s' by one of the two are given to both
    drawn, log_density = rule.actor.sample(steps.next_observations, generator())
    ahead = torch.cat(theirs.critic_target(steps.next_observations, drawn), dim=1).amin(dim=1)
    rewards = steps.rewards - 3 * steps.constraint
    target = rewards + (1 - steps.arrives) * 0.99 * (ahead - 0.2 * log_density)
    values = theirs.critic(steps.observations, steps.actions)
    loss = 0.5 * sum(((value[:, 0] - target) ** 2).mean() for value in values)
    ours = rule.critic_loss(steps.observations, steps.actions, rule.target(steps))
    assert ours.item() == pytest.approx(2 * loss.item(), rel=1e-5)


def copy_into(stacked, member, network):
    linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    for weight, bias, layer in zip(stacked.weights, stacked.biases, linear, strict=True):
        weight[member], bias[member, 0] = layer.weight.T, layer.bias
