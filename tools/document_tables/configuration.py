"""The tables of parameters, from the dataclasses that declare them and the files in config/."""

from __future__ import annotations

from collections import defaultdict

from reading import DOMAINS, Results, table

from ls3.runs.configuration import Setting, in_words, range_in_words, read_settings
from ls3_common.domain import find_config

HEAD = ("parameter", "meaning", "range", "default", "in `config/`")


def configuration(_results: Results) -> str:
    """Return a table for each section of the domains' parameter files.

    Raises:
        RuntimeError: ROS is missing, so that the nodes' sections are not known.
    """
    sections: dict[str, dict[str, dict[str, Setting]]] = defaultdict(lambda: defaultdict(dict))
    for domain in DOMAINS:
        settings, missing = read_settings(domain)
        if missing:
            raise RuntimeError(f"no ROS: {', '.join(missing)} cannot be imported")
        for setting in settings:
            sections[setting.section][setting.leaf.name][domain] = setting
    parts = []
    for section, rows in sections.items():
        found = [_row(f"`{name}`", by_domain) for name, by_domain in rows.items()]
        parts.append(f"### {section}\n{table(HEAD, found)}")
    return "\n\n".join(parts)


def _row(name: str, by_domain: dict[str, Setting]) -> list[str]:
    first = next(iter(by_domain.values()))
    meanings: dict[str, list[str]] = defaultdict(list)
    values: dict[str, list[str]] = defaultdict(list)
    for domain, setting in by_domain.items():
        meanings[setting.leaf.description].append(domain)
        if setting.source.startswith("domain."):
            values[f"`{setting.source}`"] = []
        elif setting.source == "a launch file":
            values["set by the launch"] = []
        elif setting.source == str(find_config(domain)):
            values[f"`{in_words(setting.value)}`"].append(domain)
    if len(meanings) == 1:
        meaning = first.leaf.description
        if first.section == "environment" and len(by_domain) < len(DOMAINS):
            meaning += f" ({', '.join(by_domain)})"
    else:
        meaning = "; ".join(f"{', '.join(names)}: {text}" for text, names in meanings.items())
    default = in_words(first.leaf.default)
    cells = [
        name,
        meaning,
        _ranges(by_domain),
        f"`{default}`" if default else "",
        "; ".join(
            value if len(names) in (0, len(DOMAINS)) else f"{value} {', '.join(names)}"
            for value, names in values.items()
        ),
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def _ranges(by_domain: dict[str, Setting]) -> str:
    ranges: dict[str, list[str]] = defaultdict(list)
    for domain, setting in by_domain.items():
        ranges[range_in_words(setting.leaf)].append(domain)
    if len(ranges) == 1:
        return next(iter(ranges))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in ranges.items())
