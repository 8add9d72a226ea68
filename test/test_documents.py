"""What the documents name exists: links, paths, commands; what they hold comes from results/."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / name for name in ("docker/README.md", "tools/ros2_standin/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TOOL = "tools/document_tables"
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```\w*\n(.*?)```|`([^`]+)`", re.DOTALL)
FOLDERS = ("src", "docs", "tools", "test", "config", "launch", "results", "docker")
PATH = re.compile(rf"(?<![\w/.])(?:\./)?((?:{'|'.join(FOLDERS)})/[\w./+=<>*{{}}-]*)")
RECORD = re.compile(r"^## (\d+)\. .+ \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code(page: Path) -> str:
    """What a page shows as code: blocks and words in backticks, a line each."""
    return "\n".join(block or word for block, word in CODE.findall(page.read_text()))


def anchors(page: Path) -> set[str]:
    """What links to the headings of a page end with."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_exist(page: Path) -> None:
    for path in PATH.findall(code(page)):
        if not set(path) & set("<{"):  # a pattern for a reader to fill in
            assert list(ROOT.glob(path.rstrip("./"))), path


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tests_exist(page: Path) -> None:
    for name in re.findall(r"\b(test_\w+\.py)", page.read_text()):
        assert [*ROOT.glob(f"src/*/test/{name}"), *ROOT.glob(f"test/{name}")], name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page: Path) -> None:
    text = code(page)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"^make ([a-z]+)", text, re.MULTILINE):
        assert target in targets, f"make {target}"
    for package, program in re.findall(r"ros2 run (ls3\w*|dvrk_cable_env) (\w+)", text):
        assert f'"{program} = ' in (ROOT / f"src/{package}/setup.py").read_text(), program
    for package, file in re.findall(r"ros2 launch (ls3\w*|dvrk_cable_env) (\S+\.py)", text):
        assert (ROOT / f"src/{package}/launch/{file}").is_file(), file
    for module in re.findall(r"python -m (ls3[\w.]*)", text):
        parts = module.split(".")
        assert ROOT.joinpath("src", parts[0], *parts, "__main__.py").is_file(), module
    for package in re.findall(r"(?<![\w/])(ls3_\w+|dvrk_cable_env)(?= |$)", text):
        assert (ROOT / "src" / package).is_dir() or package == "ls3_keys", package


def test_commands_of_ls3_exist() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from ls3.cli.cli import main; main(['--help'])"],
        capture_output=True,
        text=True,
    )
    (listed,) = re.findall(r"\{([\w,-]+)\}", ran.stdout)
    used = {
        command
        for page in PAGES
        for command in re.findall(r"^ls3 ([a-z-]+)", code(page), re.MULTILINE)
    }
    assert used <= set(listed.split(","))
    assert len(used) > 5


def test_the_readme_can_be_read_at_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


def test_the_readme_installs_what_ls3_requires() -> None:
    installed = set(re.findall(r"\./src/(\w+)", (ROOT / "README.md").read_text()))
    setup = (ROOT / "src/ls3/setup.py").read_text()
    required = setup.partition("install_requires=[")[2].partition("]")[0]
    assert installed == {"ls3", *re.findall(r'"(ls3_\w+|dvrk_cable_env)"', required)}


def test_the_python_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block + "env.reset(seed=0)"], check=True)


def test_each_document_that_a_source_names_exists() -> None:
    sources = [
        path
        for folder in ("src", "tools", "test")
        for ending in ("*.py", "*.yaml", "*.sh", "*.xml", "*.cpp")
        for path in (ROOT / folder).rglob(ending)
    ]
    names = {name for path in sources for name in re.findall(r"docs/[\w/]+\.md", path.read_text())}
    assert len(names) > 3
    for name in names:
        assert (ROOT / name).is_file(), name


def test_decisions_are_numbered_once_and_dated() -> None:
    pages = [path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "README.md"]
    numbers = []
    for page in pages:
        text = page.read_text()
        records = RECORD.findall(text)
        assert len(records) == len(re.findall(r"^## ", text, re.MULTILINE)), page.name
        numbers += [int(number) for number, _ in records]
        for _, date in records:
            datetime.date.fromisoformat(date)
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The documents, the results, and the tool that fills the ones from the others."""
    for name in ("docs", "results", TOOL, "src/ls3/ls3/studies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def check(top: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(top / TOOL), *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_tables_are_those_of_the_results(copy: Path) -> None:
    assert check(copy, "--check").returncode == 0


def test_a_changed_figure_is_noticed_and_written_anew(copy: Path) -> None:
    page = copy / "docs/results.md"
    before = page.read_text()
    page.write_text(before.replace("| 750 |", "| 751 |", 1))
    checked = check(copy, "--check")
    assert checked.returncode == 1
    assert "docs/results.md" in checked.stderr
    assert check(copy).returncode == 0
    assert page.read_text() == before


def test_another_hazard_changes_its_count_in_the_readme(copy: Path) -> None:
    page = copy / "docs/safety.md"
    text = page.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| no plan is feasible"))
    page.write_text(text.replace(row, f"{row}\n{row}"))
    checked = check(copy, "--check")
    assert checked.returncode == 1
    assert "README.md" in checked.stderr


def test_results_that_no_document_shows_are_named(copy: Path) -> None:
    shutil.copy(copy / "results/masks.json", copy / "results/forgotten.json")
    checked = check(copy)
    assert checked.returncode == 1
    assert "forgotten" in checked.stderr


def test_every_page_has_its_place_in_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = re.findall(r"^ +- (?:\w+: )?([\w/]+\.md)$", text, re.MULTILINE)
    pages = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*pages, "reference.md"]), "reference.md is generated"


def test_all_packages_have_the_version_of_the_newest_change() -> None:
    (newest, *_) = re.findall(
        r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    patterns = {"package.xml": "<version>(.+)</version>", "setup.py": r'version="(.+)",'}
    for name, pattern in patterns.items():
        for path in ROOT.glob(f"src/*/{name}"):
            assert re.findall(pattern, path.read_text()) == [newest], path
    assert f"\nversion: {newest}\n" in (ROOT / "CITATION.cff").read_text()
