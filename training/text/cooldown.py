"""`--finish`: the learning rate's decay from wherever a run stands, in a folder of its own beside its state.

The run itself is left as it is and may go on. A finish of a run at its full rate equals, bit for bit, a run
whose steps and decay had been chosen so from the start.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from training.arguments import resolve_settings
from training.errors import TrainingError
from training.files import replacing_file
from training.run import STATE_FILE, read_settings, write_settings
from training.state import read_state
from training.text.optimiser import rate_factor
from training.text.settings import TextSettings


def start_cooldown(run: Path, overrides: list[str], num_decay_steps: int) -> tuple[Path, TextSettings]:
    """Copy the state of `run` to `<run>/finish-<step>+<decay steps>/`, unless a finish goes on there already.

    Args:
        overrides: KEY=VALUE changes for the decay, such as `decay_fraction=0.3`.
        num_decay_steps: 0 takes decay_fraction of all steps.

    Returns:
        the folder, which holds a run that can be resumed, and its settings.

    Raises:
        TrainingError: nothing to finish, or overrides that can't be followed.
    """
    kept = read_settings(run, TextSettings)
    step = read_state(run / STATE_FILE, mmap=True)["step"]
    factor = rate_factor(kept, step) if step < kept.steps else 0.0
    if factor <= kept.final_fraction:
        raise TrainingError(
            f"{run}: its learning rate has decayed already, at step {step}; nothing to finish"
        )
    settings = decay_now(resolve_settings(kept, overrides), step, factor, num_decay_steps)
    folder = run / f"finish-{step}+{settings.steps - step}"
    if not (folder / STATE_FILE).exists():
        write_settings(folder, settings)
        if (run / "log.jsonl").exists():
            shutil.copyfile(run / "log.jsonl", folder / "log.jsonl")
        with (run / STATE_FILE).open("rb") as state, replacing_file(folder / STATE_FILE) as copy:
            shutil.copyfileobj(state, copy)
    return folder, settings


def decay_now(settings: TextSettings, step: int, factor: float, num_decay_steps: int = 0) -> TextSettings:
    """Settings under which the rate, at `factor` of its peak before `step`, falls from there in a line."""
    share = settings.decay_fraction
    default = settings.steps - step if share == 1 else round(step * share / (1 - share))
    length = max(1, num_decay_steps or default)
    changes = {
        "steps": step + length,
        "schedule": "wsd",
        "decay_fraction": length / (step + length),
        "warmup_steps": min(settings.warmup_steps, step),
        "final_fraction": min(1.0, settings.final_fraction / factor),
        "learning_rate": settings.learning_rate * factor,
        "muon_learning_rate": settings.muon_learning_rate * factor,
    }
    return settings.model_copy(update=changes)
