"""A head that the paper does not have: named in one place, it is learned, measured and kept."""

import dataclasses

import numpy as np
import pytest
import torch
from small import SPEC, config, episode, episodes

from ls3_common.errors import ConfigError
from ls3_models import heads
from ls3_models.bundle import Bundle, load_bundle, save_bundle
from ls3_models.heads import Head, Role, TrainingData
from ls3_models.learner import Learner
from ls3_models.ls3_learning import make_replay
from ls3_models.validation import Validation

pytestmark = pytest.mark.background

PAPER = ("value", "safe", "constraint", "goal")


def soon(episode, _config):
    """Frames from which the next step violates a constraint."""
    return np.concatenate((episode.constraint, [False]))


def risk(episode, _config):
    """Transitions into a violation."""
    return episode.constraint


def discounted_risk(_batch, label, ahead, config):
    return torch.maximum(label, config.gamma * ahead)


SOON = Head("soon", "violates soon", Role.STEP_CONSTRAINT, TrainingData.FRAMES, soon, delta=0.4)
RISK = Head(
    "risk",
    "will violate",
    Role.STEP_CONSTRAINT,
    TrainingData.TRANSITIONS,
    risk,
    target=discounted_risk,
    members=lambda config: config.value_members,
)


@pytest.fixture(params=[SOON, RISK], ids=lambda head: head.name)
def fifth(request, monkeypatch):
    monkeypatch.setitem(heads.HEADS, request.param.name, request.param)
    return request.param


def violating():
    """Every third episode violates a constraint in its last steps."""
    made = episodes(9)
    for one in made[::3]:
        one.constraint[4:] = True
    return made


def test_a_fifth_head_is_learned_measured_and_kept(fifth, tmp_path):
    settings = config(heads=(*PAPER, fifth.name), learning_rate=3e-3, batch_size=64)
    learner = Learner(settings, 1, 2, seed=0)
    replay = make_replay(learner, SPEC, violating())
    first = learner.head_step(replay)
    assert first.keys() == {"dynamics", "safe", "constraint", "goal", fifth.name}
    for _ in range(60):
        last = learner.head_step(replay)
    assert last[fifth.name] < 0.8 * first[fifth.name]
    assert learner.updates == {"value": 0, "safe": 61} | ({"risk": 61} if fifth is RISK else {})

    validation = Validation(learner, "tiny", violating())
    validation.replay = replay
    assert 0 <= validation.measure("heads")[f"held_out/{fifth.name}_false_alarm"] <= 1

    restored = Learner(settings, 1, 2, seed=1)
    restored.load_state(learner.state())
    for name, tensor in learner.state().items():
        assert torch.equal(tensor, restored.state()[name]), name

    kept = save_bundle(
        Bundle(learner.models, settings, "tiny", *dataclasses.astuple(SPEC)[1:]), tmp_path
    )
    assert [head.name for head in kept.models.head_list] == [*PAPER, fifth.name]
    latents = torch.randn(5, settings.latent_dim, generator=torch.Generator().manual_seed(0))
    probability = kept.models.read(fifth, latents)
    torch.testing.assert_close(
        probability, learner.models.read(fifth, latents), rtol=0.01, atol=0.01
    )


def test_heads_that_learn_from_frames_share_them(monkeypatch):
    """One more of them draws nothing, and the others learn as without it."""
    monkeypatch.setitem(heads.HEADS, SOON.name, SOON)
    weights = []
    for names in (PAPER, (*PAPER, SOON.name)):
        learner = Learner(config(heads=names, head_noise=0.1), 1, 2, seed=0)
        replay = make_replay(learner, SPEC, violating())
        for _ in range(3):
            learner.head_step(replay)
        weights.append({k: v for k, v in learner.models.state_dict().items() if SOON.name not in k})
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_model_of_the_papers_heads_loads_where_there_are_more(fifth, tmp_path):
    settings = config()
    models = Learner(settings, 1, 2, seed=0).models
    save_bundle(Bundle(models, settings, "tiny", *dataclasses.astuple(SPEC)[1:]), tmp_path)
    loaded = load_bundle(tmp_path)
    assert [head.name for head in loaded.models.head_list] == list(PAPER)


@pytest.mark.parametrize(
    ("names", "fault"),
    [(("value", "sfae"), "'sfae' is not a head"), (("goal",) * 2, "is listed twice")],
)
def test_heads_that_there_are_not_are_named(names, fault):
    with pytest.raises(ConfigError, match=f"{fault}\n.*once: value, safe, constraint, goal"):
        Learner(config(heads=names), 1, 2, seed=0)


def test_labels_that_do_not_fit_are_refused(monkeypatch):
    """Those of frames are one more than those of transitions."""
    wrong = dataclasses.replace(SOON, name="wrong", data=TrainingData.TRANSITIONS)
    monkeypatch.setitem(heads.HEADS, "wrong", wrong)
    learner = Learner(config(heads=("wrong",)), 1, 2, seed=0)
    with pytest.raises(ValueError, match=r"head 'wrong': \(7,\), not \(6,\)"):
        make_replay(learner, SPEC, [episode()])
