"""What each API key may use: requests a second, tokens a minute, requests at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from service.api_key import ApiKey
from service.errors import ApiError

BURST_SECONDS = 2.0  # of a rate may be used at once


class Allowance:
    """A bucket that fills at a rate, up to its size; it may be overdrawn: some costs are known late."""

    def __init__(self, rate: float, size: float, clock: Callable[[], float]) -> None:
        self._rate, self.size, self._clock = rate, size, clock
        self._level, self._at = size, clock()

    @property
    def level(self) -> float:
        now = self._clock()
        self._level = min(self.size, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        self._level = self.level - amount

    def seconds_until(self, wanted: float) -> float:
        return max(0.0, (wanted - self.level) / self._rate)


class KeyUse:
    """What a key has used lately, held against what it may."""

    def __init__(self, key: ApiKey, clock: Callable[[], float] = time.monotonic) -> None:
        self.key = key
        self._running = 0
        self._requests = self._tokens = None
        if (rate := key.requests_per_second) is not None:
            self._requests = Allowance(rate, max(1.0, rate * BURST_SECONDS), clock)
        if (most := key.tokens_per_minute) is not None:
            self._tokens = Allowance(most / 60, most, clock)

    def enter(self) -> None:
        """Count a request that begins; `leave` must follow.

        Raises:
            ApiError: 429, with the seconds after which it may succeed.
        """
        if self.key.concurrency is not None and self._running >= self.key.concurrency:
            raise self._refusal(f"{self.key.concurrency} requests at once", 1.0)
        if self._tokens is not None and self._tokens.level <= 0:
            wait = self._tokens.seconds_until(1.0)
            raise self._refusal(f"{self.key.tokens_per_minute} tokens a minute", wait)
        if self._requests is not None:
            if self._requests.level < 1.0:
                wait = self._requests.seconds_until(1.0)
                raise self._refusal(f"{self.key.requests_per_second:g} requests a second", wait)
            self._requests.take(1.0)
        self._running += 1

    def pay(self, num_tokens: int) -> None:
        """Count what a request has read and drawn."""
        if self._tokens is not None:
            self._tokens.take(num_tokens)

    def leave(self) -> None:
        """A request is over."""
        self._running -= 1

    def headers(self) -> list[tuple[bytes, bytes]]:
        """How much is left of requests and tokens, and the seconds until all is there again."""
        found: list[tuple[bytes, bytes]] = []
        for what, allowance, most in (
            ("requests", self._requests, self.key.requests_per_second),
            ("tokens", self._tokens, self.key.tokens_per_minute),
        ):
            if allowance is not None:
                left = max(0, math.floor(allowance.level))
                reset = math.ceil(allowance.seconds_until(allowance.size))
                for name, value in (("limit", most), ("remaining", left), ("reset", reset)):
                    found.append((f"x-ratelimit-{name}-{what}".encode(), f"{value:g}".encode()))
        return found

    def _refusal(self, limit: str, seconds: float) -> ApiError:
        message = f"the API key {self.key.name!r} may use {limit}"
        return ApiError(429, message, retry_after=max(1, math.ceil(seconds)))
