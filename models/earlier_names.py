"""Fields that once had another name: files and commands from then are still understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, model_validator


class EarlierNames(BaseModel):
    """Base of what is read from files that older versions wrote; new files have today's names."""

    earlier_names: ClassVar[Mapping[str, str]] = {}  # earlier name → today's

    @model_validator(mode="before")
    @classmethod
    def _take_earlier_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        today = {old: new for old, new in cls.earlier_names.items() if new not in data}
        return {today.get(name, name): value for name, value in data.items()}
