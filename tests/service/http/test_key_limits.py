"""What a key may use, by a clock that the test turns."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from service.api_key import ApiKey
from service.errors import ApiError
from service.http.auth import ApiKeys
from service.http.key_limits import KeyUse


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def use_of(clock: Clock, **limits: object) -> KeyUse:
    return KeyUse(ApiKey.model_validate({"name": "alice", "key": "secret", **limits}), clock)


def refused(use: KeyUse) -> int:
    with pytest.raises(ApiError) as refusal:
        use.enter()
    assert refusal.value.status == 429
    assert "'alice'" in refusal.value.message
    assert "secret" not in refusal.value.message
    assert refusal.value.retry_after is not None
    return refusal.value.retry_after


def test_requests_a_second() -> None:
    clock = Clock()
    use = use_of(clock, requests_per_second=2)
    for _ in range(4):  # two seconds' worth at once
        use.enter()
    assert refused(use) == 1
    assert dict(use.headers())[b"x-ratelimit-remaining-requests"] == b"0"
    clock.now += 0.5
    use.enter()
    refused(use)
    clock.now += 3600
    for _ in range(4):
        use.enter()
    refused(use)


def test_a_slow_rate_lets_one_in_and_says_when_the_next() -> None:
    clock = Clock()
    use = use_of(clock, requests_per_second=0.1)
    use.enter()
    assert refused(use) == 10
    clock.now += 10
    use.enter()


def test_requests_at_once() -> None:
    use = use_of(Clock(), concurrency=2)
    use.enter()
    use.enter()
    refused(use)
    use.leave()
    use.enter()


def test_tokens_a_minute_are_paid_afterwards() -> None:
    clock = Clock()
    use = use_of(clock, tokens_per_minute=60)
    use.enter()
    use.pay(90)  # more than there were: owed
    use.leave()
    assert refused(use) == 31
    clock.now += 31
    use.enter()
    headers = dict(use.headers())
    assert headers[b"x-ratelimit-limit-tokens"] == b"60"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"1"
    assert headers[b"x-ratelimit-reset-tokens"] == b"59"


def test_no_limits_no_headers() -> None:
    use = use_of(Clock())
    for _ in range(1000):
        use.enter()
    assert use.headers() == []


def test_a_key_that_stays_keeps_its_account() -> None:
    def key(secret: str, most: int) -> ApiKey:
        return ApiKey(name="alice", key=SecretStr(secret), concurrency=most)

    keys = ApiKeys({"one": key("one", 1)}, frozenset())
    before = keys.check("/", {b"x-api-key": b"one"})
    keys.replace({"one": key("one", 1), "two": key("two", 1)})
    assert keys.check("/", {b"x-api-key": b"one"}) is before
    keys.replace({"one": key("one", 2)})
    assert keys.check("/", {b"x-api-key": b"one"}) is not before
    with pytest.raises(ApiError):
        keys.check("/", {b"x-api-key": b"two"})
