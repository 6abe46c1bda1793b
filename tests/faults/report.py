"""What the runs came to: build/faults.md for people, build/faults.json with each run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.running import Outcome
from tests.faults.steps import STEPS


def markdown(outcomes: Sequence[Outcome], *, seconds: float) -> str:
    """The table of faults and steps with their outcomes, and what it counts."""
    done = [outcome for outcome in outcomes if not outcome.skipped]
    broken = [outcome for outcome in done if outcome.broken]
    lines = [
        "# Faults injected",
        "",
        f"{len(done)} runs, {len(broken)} with a broken invariant, in {seconds / 60:.0f} minutes.",
        "",
        "| backend / way | runs | broken |",
        "|---|---:|---:|",
    ]
    by_way = Counter("/".join(outcome.cell.split("/")[:2]) for outcome in done)
    wrong = Counter("/".join(outcome.cell.split("/")[:2]) for outcome in broken)
    lines += [f"| {way} | {count} | {wrong[way]} |" for way, count in by_way.items()]
    lines += ["", "| fault | step | runs | outcome |", "|---|---|---:|---|"]
    for fault in FAULTS.values():
        for step in STEPS.values():
            here = [found for found in done if (found.fault, found.step) == (fault.name, step.name)]
            if here:
                said = Counter(found.said for found in here)
                told = "; ".join(f"{count}x {text}" for text, count in said.most_common())
                lines.append(f"| {fault.label} | {step.label} | {len(here)} | {told} |")
    if broken:
        lines += ["", "## Broken", ""]
        lines += [f"- `{found.cell}` (seed {found.seed}): {found.broken}" for found in broken]
    skipped = Counter(outcome.said for outcome in outcomes if outcome.skipped)
    if skipped:
        lines += ["", "## Not tried", ""]
        lines += [f"- {count} runs {reason}" for reason, count in skipped.items()]
    return "\n".join(lines) + "\n"


def write(folder: Path, outcomes: Sequence[Outcome], *, seconds: float) -> None:
    """Put both files into ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "faults.md").write_text(markdown(outcomes, seconds=seconds))
    runs = [asdict(outcome) for outcome in outcomes]
    (folder / "faults.json").write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")
