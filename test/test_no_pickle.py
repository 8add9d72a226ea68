"""Nothing that reads files can run what is in them: no pickle, nor what is built on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for top in ("src", "tools", "launch")
    for path in (ROOT / top).rglob("*.py")
    if "egg-info" not in path.parts
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
YAML_LOADERS = {"load_all", "full_load", "unsafe_load", "full_load_all", "unsafe_load_all"}
# the stand-in's PythonExpression of a launch file, which is a program itself
MAY_EVALUATE = {"tools/ros2_standin/launch/substitutions.py"}


def dotted(node: ast.expr) -> str:
    """`np.load` of the expression that says so."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def suspicions(text: str) -> Iterator[str]:
    """What in a source may run, or unpickle, what it reads."""
    tree = ast.parse(text)
    safe = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(dotted(base).endswith("SafeLoader") for base in node.bases)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            yield from (f"import {name}" for name in names & MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"from {node.module}"
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            allowed = options.get("allow_pickle")
            if allowed is not None and not (
                isinstance(allowed, ast.Constant) and allowed.value is False
            ):
                yield "allow_pickle"
            if name in ("torch.load", "torch.jit.load", "torch.hub.load", "pd.read_pickle"):
                yield name
            if name in ("eval", "exec", "os.system"):
                yield name
            if name == "yaml.load":
                loader = options.get("Loader") or (node.args[1] if len(node.args) > 1 else None)
                if loader is None or dotted(loader).split(".")[-1] not in safe | {"SafeLoader"}:
                    yield name
            if name.startswith("yaml.") and name.partition(".")[2] in YAML_LOADERS:
                yield name


def test_no_source_unpickles_or_runs_what_it_reads() -> None:
    assert len(SOURCES) > 200
    found = {
        str(path.relative_to(ROOT)): what
        for path in SOURCES
        if (what := list(suspicions(path.read_text())))
        and str(path.relative_to(ROOT)) not in MAY_EVALUATE
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import numpy, pickle as p",
        "from joblib import load",
        "import torch\ntorch.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=1 > 0)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import yaml\nyaml.load(text, yaml.UnsafeLoader)",
        "import yaml\nclass L(yaml.Loader): pass\nyaml.load(text, Loader=L)",
        "import yaml\nyaml.unsafe_load(text)",
        "eval(text)",
    ],
)
def test_each_of_them_would_be_found(text: str) -> None:
    assert list(suspicions(text))


def test_what_is_safe_is_not_found() -> None:
    text = "import yaml\nclass L(yaml.SafeLoader): pass\nyaml.load(t, Loader=L)\nyaml.safe_load(t)"
    assert not list(suspicions(f"{text}\nimport numpy as np\nnp.load('x', allow_pickle=False)"))
