"""`ls3 robustness`: rows on the same seeds, exact intervals, and continuing after any end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny_runs
from PIL import Image

from ls3.cli.cli import main
from ls3.runs.domains import load_domain
from ls3.studies import robustness
from ls3.studies.stats import exact_interval, paired_difference
from ls3_common.errors import ConfigError
from ls3_common.files import read_json
from ls3_models.episodes import VARIATIONS, list_episodes, read_episode
from ls3_sim.registration import check_variations

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]


HALVED = "all at half size"
"""The row of the shipped study that repeats the others' magnitudes."""
STUDY = """
navigation:
  title: Point
  episodes: 2
  rows:
    nominal: {}
    late: {delay: 2, start_jitter: 1}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    data = tiny_runs.collect_data(directory / "data")
    run = directory / "run"
    assert main(["train", *tiny_runs.options(), "--data", str(data), "--run", str(run)]) == 0
    return run / "offline_model"


@pytest.fixture
def words(model, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    settings = [word for text in tiny_runs.SETTINGS for word in ("--set", text)]
    settings += ["--set", "domain.horizon=8"]
    places = ["--out", "robustness.json", "--picture", "bars.png", "--work", "work"]
    places = [str(tmp_path / word) if not word.startswith("--") else word for word in places]
    return [
        "robustness",
        "--domains",
        "navigation",
        "--model",
        str(model),
        *settings,
        *places,
        "--study",
        str(study),
    ]


def test_the_shipped_study_has_the_rows_and_every_domain_knows_them():
    studies = robustness.read_studies()
    assert list(studies) == ["cable_routing", "navigation", "reacher", "pushing"]
    for name, study in studies.items():
        spec = load_domain(name).spec
        assert study.rows["nominal"] == {}
        for row, values in study.rows.items():
            assert len(check_variations(spec, values, row)) == len(values)
    assert studies["cable_routing"].episodes == 300 and len(studies["cable_routing"].rows) == 11


def test_all_at_half_size_is_half_of_every_other_row():
    rows = robustness.read_studies()["cable_routing"].rows
    halves = {}
    for name, row in rows.items():
        for key, value in row.items() if name != HALVED else ():
            # what has no half is whole
            halves[key] = value if key in ("delay", "domain_randomisation") else value / 2
    assert dict(rows[HALVED]) == halves


def test_rows_share_their_seeds_and_results_and_picture_are_written(words, tmp_path):
    assert main(words) == 0
    document = read_json(tmp_path / "robustness.json")
    result = document["domains"]["navigation"]
    assert result["seeds"] == [robustness.FIRST_SEED, robustness.FIRST_SEED + 1]
    assert list(result["rows"]) == ["nominal", "late"]
    late = result["rows"]["late"]
    assert late["variations"] == {"delay": 2, "start_jitter": 1.0}
    assert late["episodes"] == 2
    assert late["success_rate_interval"] == pytest.approx([0, 0.8419], abs=1e-4)
    assert late["success_less_nominal"] == 0
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.width > 300
    episodes = [
        [read_episode(path) for path in list_episodes(folder)]
        for folder in sorted((tmp_path / "work").glob("*/*/*"))
    ]
    on = [{str(e.attributes[VARIATIONS]["on"]) for e in row} for row in episodes]
    assert sorted(map(sorted, on)) == [[str(late["variations"])], ["{}"]]
    assert [[e.seed for e in row] for row in episodes] == [result["seeds"]] * 2
    starts = [[e.observations[0].tobytes() for e in row] for row in episodes]
    assert len({*starts[0], *starts[1]}) == 3, "one start of the nominal row, two of the other"


def test_the_command_goes_on_after_kill_9(words, tmp_path):
    words = [*words, "--episodes", "40"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ls3.cli.cli", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "work").glob("*/*/*/[!.]*.h5")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "work").glob("*/*/*/[!.]*.h5")}
    assert 0 < len(kept) < 80
    assert main(words) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    rows = read_json(tmp_path / "robustness.json")["domains"]["navigation"]["rows"]
    assert [row["episodes"] for row in rows.values()] == [40, 40]


def test_other_rows_and_domains_of_the_file_are_kept(words, tmp_path):
    other = {"title": "T", "rows": {"nominal": row(0.5)}}
    (tmp_path / "robustness.json").write_text(json.dumps({"domains": {"reacher": other}}))
    assert main([*words, "--rows", "nominal"]) == 0
    assert main([*words, "--rows", "late"]) == 0
    domains = read_json(tmp_path / "robustness.json")["domains"]
    assert list(domains) == ["reacher", "navigation"] and domains["reacher"] == other
    assert list(domains["navigation"]["rows"]) == ["nominal", "late"]
    assert domains["navigation"]["rows"]["late"]["success_less_nominal"] == 0
    assert main([*words, "--rows", "late", "--episodes", "1"]) == 0  # other seeds: begun anew
    domains = read_json(tmp_path / "robustness.json")["domains"]
    assert list(domains["navigation"]["rows"]) == ["late"]


def test_episodes_of_another_length_are_run_anew(words, tmp_path):
    for horizon in (8, 5):
        assert main([*words, "--rows", "nominal", "--set", f"domain.horizon={horizon}"]) == 0
    found = read_json(tmp_path / "robustness.json")["domains"]["navigation"]
    assert found["domain_spec"]["horizon"] == 5 and found["rows"]["nominal"]["episodes"] == 2
    lengths = [len(read_episode(path)) for path in (tmp_path / "work").glob("*/*/*/[!.]*.h5")]
    assert sorted(lengths) == [5, 5, 8, 8]


def test_processes_with_different_rows_share_a_file(tmp_path):
    """Each adds its rows to what is there while it holds the lock."""
    path = tmp_path / "rows.json"
    program = (
        "import sys\nfrom ls3_common.files import locked, read_json, write_json\n"
        "path, own = sys.argv[1], sys.argv[2]\n"
        "for row in range(50):\n"
        "    with locked(path):\n"
        "        rows = read_json(path) if row or __import__('os').path.exists(path) else {}\n"
        "        write_json(path, rows | {f'{own} {row}': row})\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path), own]) for own in "abc"]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(read_json(path)) == 150


def row(rate):
    interval = [rate - 0.1, rate + 0.1]
    return {
        "episodes": 5,
        "success_rate": rate,
        "success_rate_interval": interval,
        "violation_rate": rate,
        "violation_rate_interval": interval,
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["--rows", "dark"], "the study has no row 'dark'"),
        (["--set", "environment.delay=1"], "a study names its variations itself"),
        (["--domains", "cable_routing"], "the study has no domain 'cable_routing'"),
        (["--episodes", "0"], "at least one row and one episode"),
        (["--study", "missing.yaml"], "cannot be read"),
    ],
)
def test_what_is_no_study_is_refused(words, change, text, capsys):
    assert main([*words, *change]) == 2
    error = capsys.readouterr().err
    assert text in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("study", "text"),
    [
        ("navigation: {title: x, episodes: 2, rows: {bad: {goal_offset: 1}}}", "row 'bad'"),
        ("navigation: {title: x, episodes: 2, rows: {bad: {delay: 99}}}", "outside"),
        ("navigation: {title: x, rows: {}}", "not a list of studies"),
        ("navigation: [1, 2]", "not a list of studies"),
        ("{", "not a list of studies"),
    ],
)
def test_a_wrong_study_is_refused_before_any_episode(words, study, text, tmp_path, capsys):
    (tmp_path / "study.yaml").write_text(study)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert text in error and "Traceback" not in error
    assert not (tmp_path / "work").exists()


def test_a_study_file_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        robustness.read_studies(tmp_path)


def test_exact_intervals_are_those_of_the_beta_distribution():
    stats = pytest.importorskip("scipy.stats")
    for count, total in ((0, 300), (1, 300), (290, 300), (300, 300), (3, 7), (1, 1)):
        low, high = exact_interval(count, total)
        assert low == pytest.approx(
            stats.beta.ppf(0.025, count, total - count + 1) if count else 0, abs=1e-9
        )
        assert high == pytest.approx(
            stats.beta.ppf(0.975, count + 1, total - count) if count < total else 1, abs=1e-9
        )


def test_paired_differences():
    same = [True, False, True]
    difference, low, high = paired_difference(same, same)
    assert difference == 0 and low < -0.2 and high > 0.2, "three seeds say little"
    _, low, _ = paired_difference([True] * 100, [True] * 100)
    assert low == pytest.approx(-0.037, abs=1e-4), "Wilson's bound of 0 in 100"
    first, second = [True] * 10 + [False] * 90, [False] * 100
    difference, low, high = paired_difference(first, second)
    assert difference == pytest.approx(0.1) and 0.03 < low < 0.05 and 0.17 < high < 0.18
    assert paired_difference(second, first) == pytest.approx((-difference, -high, -low))
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):  # true difference 0.1
        draws = rng.random(100)
        _, low, high = paired_difference(list(draws < 0.8), list(draws[::-1] < 0.7))
        inside += low <= 0.1 <= high
    assert inside >= 180
