"""The report: tables, curves, sweeps and maps from runs of the real code."""

import re
from urllib.parse import unquote

import numpy as np
import pytest
import tiny_runs
from random_models import random_bundle

from ls3.cli.cli import main
from ls3.studies import figures, maps, stats, tables
from ls3.studies.results import read_results
from ls3_common.domain import load_spec
from ls3_sim.registration import make_environment

pytestmark = pytest.mark.background

RUNS = (
    ("ls3", 0, ()),
    ("ls3", 1, ()),
    ("no_safe_set", 0, ()),
    ("ls3", 0, ("--set", "planner_node.horizon=2")),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Directory of a report on four runs: results/, docs/."""
    top = tmp_path_factory.mktemp("report")
    data = tiny_runs.collect_data(top / "data")
    config = tiny_runs.write_config(top / "tiny.yaml")
    words = ["--domain", "navigation", "--config", str(config), "--data", str(data)]
    words += ["--set", "algorithm.updates=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        for method, seed, more in RUNS:
            assert main(["learn", *words, "--method", method, "--seed", str(seed), *more]) == 0
        assert main(["results"]) == 0
        assert main(["report"]) == 0
    return top


@pytest.fixture(scope="module")
def page(written):
    return (written / "docs" / "report.html").read_text()


def test_our_cells_stand_beside_the_papers(written, page):
    results = {r["run_name"]: r["metrics"] for r in read_results(written / "results")}
    assert set(results) == {"ls3", "no_safe_set", "ls3+horizon=2"}
    ours = results["ls3"]
    cell = f"<b>{ours['success_rate']:.3f}</b>"  # no standard error of two seeds
    assert f'<span class="paper">0.988 ± 0.004</span><br>{cell}' in page
    assert "2 seeds, 4 episodes" in page
    cells = 4 * 7 * 2  # domains, methods, tables
    beside, against = 4 * 4 * 2, 4 * 6  # on latents, and the comparisons with LS3
    assert page.count("not measured") == cells - 2 * 2 + beside - 2 + against
    assert page.count("not in the paper") == cells - 3 * 5 * 2 + beside - 3 * 2


def test_the_page_links_every_picture_beside_it(written, page):
    docs = written / "docs"
    pictures = {path.name for path in (docs / "media").iterdir()}
    assert {
        "report_curves_navigation.png",
        "report_sweep_navigation_horizon.png",
        "report_maps_navigation.png",
        "report_decoded_navigation.png",
    } <= pictures
    links = re.findall(r'src="([^"]+)"', page)
    assert sorted(links) == sorted(f"media/{name}" for name in pictures)
    assert all((docs / link).read_bytes().startswith(b"\x89PNG") for link in links)
    assert page.count("src=") == len(links) and "href=" not in page


def test_pictures_may_lie_elsewhere(tmp_path, written):
    out, media = tmp_path / "page" / "report.html", tmp_path / "my pictures"
    words = ["--results", str(written / "results"), "--runs", str(tmp_path)]
    assert main(["report", *words, "--out", str(out), "--media", str(media)]) == 0
    links = [unquote(link) for link in re.findall(r'src="([^"]+)"', out.read_text())]
    assert {(out.parent / link).resolve() for link in links} == set(media.iterdir())


def test_what_is_missing_is_said(page):
    assert "Reacher: no training run." in page
    assert "Figure 7, constraint threshold δ_C: no sweep has been run." in page
    assert "Figure 9, planning horizon H: no sweep" not in page
    assert "Reacher: no policy has been evaluated" in page


def result_of(domain, method, rates, episodes=10):
    """As much of a results file as the tables read."""
    curves = {}
    for seed, rate in enumerate(rates):
        success = [1.0] * round(rate * episodes) + [0.0] * round((1 - rate) * episodes)
        curves[str(seed)] = {"success": success, "violation": [0.0] * episodes}
    mean, error = stats.mean_and_error([curve["success"] for curve in curves.values()])
    metrics = {
        "seeds": list(range(len(rates))), "episodes": episodes * len(rates), "complete": True,
        "success_rate": mean, "success_se": error, "violation_rate": 0.0, "violation_se": 0.0,
        "curves": curves,
    }  # fmt: skip
    return {"domain": domain, "run_name": method, "label": method, "metrics": metrics}


def test_ls3_stands_against_each_comparison():
    rates = {
        ("navigation", "ls3"): [1.0, 0.9, 1.0],
        ("navigation", "sacfd"): [0.1, 0.9, 0.5],
        ("navigation", "sacfd_latents"): [1.0, 1.0, 1.0],
        ("reacher", "ls3"): [0.9, 0.8],
        ("reacher", "awac"): [0.1],
    }
    known = {key: result_of(*key, values) for key, values in rates.items()}
    table = tables.against_ls3(tables.paper_results(), known)
    rows = {row.partition("<")[0]: row for row in table.split("<tr><th>")[1:]}
    assert "LS3 above, by +0.467<br>0.94 [" in rows["SACfD"]  # 8 of 9 pairs, and a tie for half
    assert "LS3 <b>not above</b>, by -0.033" in rows["SACfD, from LS3&#x27;s latents"]
    assert "LS3 above, by +0.750<br><small>2 and 1 seeds" in rows["AWAC"]
    assert "0.967 (domains: 1)" in rows["LS3"] and "<td>-</td>" in rows["AWAC"]
    cell = tables.comparison(tables.paper_results(), "success_rate", known)
    assert "<b>0.967 ± 0.033</b><br><small>[0.828, 0.999]" in cell  # 29 of 30
    assert "<b>0.850</b><br><small>[0.621, 0.968]" in cell  # 17 of 20


def test_the_figure_of_policies_shows_every_run():
    results = [result_of("navigation", name, [0.5, 0.7, 0.9]) for name in ("ls3", "sacfd")]
    for result in results:
        rates = {"episodes": [0.0, 10.0], "success_rate": [0.0, 1.0], "violation_rate": [0.5, 0.0]}
        result["metrics"]["checkpoints"] = {str(seed): rates for seed in range(3)}
    figure = figures.checkpoints(results, "Navigation")
    success, violation = figure.axes
    assert [line.get_label() for line in success.lines] == ["ls3 (3)", "sacfd (3)"]
    assert violation.lines[0].get_ydata().tolist() == [0.5, 0.0]


def test_without_any_result_there_is_a_page(tmp_path, capsys):
    out = tmp_path / "report.html"
    assert (
        main(["report", "--results", str(tmp_path), "--runs", str(tmp_path), "--out", str(out)])
        == 0
    )
    assert "No training run has been gathered" in out.read_text()
    (tmp_path / "training_navigation_ls3.json").write_text("{")
    assert main(["report", "--results", str(tmp_path), "--out", str(out)]) == 2
    assert "training_navigation_ls3.json" in capsys.readouterr().err


def test_the_papers_tables_are_complete():
    paper = tables.paper_results()
    for table in paper["tables"].values():
        assert list(table["cells"]) == ["navigation", "reacher", "pushing"]
        for cells in table["cells"].values():
            assert set(cells) < set(paper["methods"]) and len(cells) == 5
            assert all(0 <= mean <= 1 and 0 < error < 0.2 for mean, error in cells.values())


def test_a_band_is_over_the_seeds_that_have_come_so_far():
    mean, error = figures.band([[0, 0], [1, 1, 1]], window=1)
    np.testing.assert_allclose(mean, [0.5, 0.5, 1])
    np.testing.assert_allclose(error, [0.5, 0.5, 0])  # std(ddof=1) / sqrt(2) of (0, 1)


def test_a_map_shows_what_the_models_say_of_the_picture_there():
    bundle = random_bundle(
        domain="navigation", observation_shape=(64, 64, 3), action_low=(-3, -3), action_high=(3, 3)
    )
    env = make_environment(load_spec("navigation"))
    start, info = env.reset(seed=0)
    found = maps.plane(bundle, env, (7, 3))
    (column,) = np.flatnonzero(found["x"] == info["position"][0])
    (row,) = np.flatnonzero(found["y"] == info["position"][1])
    expected = maps.head_outputs(bundle, start[None])
    for key in ("value", "safe", "constraint", "goal"):
        assert found[key].shape == (3, 7)
        assert found[key][row, column] == pytest.approx(expected[key][0], abs=1e-5)
    assert np.unique(found["value"].round(6)).size > 10
    np.testing.assert_array_equal(env.unwrapped.scene.position, info["position"])
    env.close()
