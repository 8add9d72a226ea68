"""A hook of mkdocs: what documents link to outside docs/ stands in the site, too."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()(?:\.\./)+([^)#\s]+)(?=[)#])")
"""The path in a link that leads upwards."""
OUTSIDE = "repository"
"""Folder of the site for files of the repository that are not documents."""


def on_files(files: Files, config: Any) -> Files:
    """Add every file that a document links to outside docs/, and the reference of the packages."""
    docs = Path(config.docs_dir)
    for page in sorted(docs.rglob("*.md")):
        for link in LINK.finditer(page.read_text()):
            target = _target(page, link.group())
            path = f"{OUTSIDE}/{target.relative_to(ROOT)}"
            if not target.is_relative_to(docs) and target.is_file() and path not in files.src_uris:
                text = target.read_text()  # as text, so that a browser shows the file
                files.append(File.generated(config, f"{path}.txt", content=text))
    names = ("ls3", "ls3_planner.plan", "ls3_models.agent", "ls3_models.heads", "ls3_common.domain")
    content = "# Reference\n\n" + "\n\n".join(f"::: {name}" for name in names)
    files.append(File.generated(config, "reference.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let links to the repository's files lead to their copies in the site."""
    source = Path(page.file.abs_src_path or config.docs_dir)
    up = "../" * (len(PurePosixPath(page.file.src_uri).parts) - 1)

    def replace(link: re.Match[str]) -> str:
        target = _target(source, link.group())
        if target.is_relative_to(config.docs_dir):
            return link.group()
        if target.is_dir():
            return f"{up}README.md"
        return f"{up}{OUTSIDE}/{target.relative_to(ROOT)}.txt"

    return LINK.sub(replace, markdown)


def _target(page: Path, link: str) -> Path:
    return (page.parent / link).resolve()
