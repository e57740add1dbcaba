"""Networks whose weights come from a checkpoint, made without drawing any."""

from __future__ import annotations

from typing import Any

from torch.overrides import TorchFunctionMode


class Unfilled(TorchFunctionMode):
    """Within it ``torch.nn.init`` leaves tensors as they are.

    On the meta device draws cost nothing either, but the first normal one imports PyTorch's compiler: 3 s.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by PyTorch for each of its functions."""
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
