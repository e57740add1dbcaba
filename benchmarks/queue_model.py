"""Replicas as queues: requests wait for a slot, first come, first served, and running texts share an engine.

A step gives every running text a token. It takes as long as so many at once were measured to take, and longer
for each prompt that enters with it.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.compare.text import ANSWERS_B, PROMPTS_B

CHARACTERS_PER_TOKEN = 2.5  # of Shakespeare, in the bundled tokenizer
SLOTS = 64


class Service:
    """How long prompts and steps take.

    Args:
        prompt_seconds: of a prompt's character.
        answer_seconds: of an answer's, all running texts counted, by how many run.
    """

    def __init__(self, prompt_seconds: float, answer_seconds: Mapping[int, float]) -> None:
        self.prompt_seconds = prompt_seconds
        self._running = list(answer_seconds)
        self._steps = [n * CHARACTERS_PER_TOKEN * seconds for n, seconds in answer_seconds.items()]

    def step_seconds(self, num_running: int) -> float:
        return float(np.interp(num_running, self._running, self._steps))

    def answer_seconds(self) -> float:
        """Of an answer's character, when all slots are in use."""
        return self.step_seconds(SLOTS) / SLOTS / CHARACTERS_PER_TOKEN

    def capacity(self, prompt: float, answer: float) -> float:
        """Requests a second of a replica that never idles, by mean lengths in characters."""
        return 1 / (prompt * self.prompt_seconds + answer * self.answer_seconds())


@dataclass(slots=True)
class Request:
    asked_at: float
    prompt: int  # characters
    tokens: int
    first_seconds: float = float("inf")  # until its first token


def arrivals(rate: float, begin: float, end: float, chance: random.Random) -> Iterator[Request]:
    """A Poisson process of workload B's requests."""
    now = begin
    while (now := now + chance.expovariate(rate)) < end:
        tokens = round(chance.randint(*ANSWERS_B) / CHARACTERS_PER_TOKEN)
        yield Request(now, chance.randint(*PROMPTS_B), tokens)


class Replica:
    """One server's queue and slots, moved on step by step."""

    def __init__(self, service: Service, slots: int = SLOTS) -> None:
        self._service, self._slots = service, slots
        self._now, self._step, self._num_running = 0.0, 0, 0
        self._ends = Counter[int]()  # how many texts end with a step, by its number
        self._queue = deque[Request]()

    @property
    def num_calls(self) -> int:
        return self._num_running + len(self._queue)

    def admit(self, request: Request) -> None:
        self.run_until(request.asked_at)
        self._queue.append(request)

    def run_until(self, moment: float) -> None:
        while self._now < moment and self.num_calls:
            self._take_step()
        self._now = max(self._now, moment)

    def _take_step(self) -> None:
        num_entering = min(len(self._queue), self._slots - self._num_running)
        entering = [self._queue.popleft() for _ in range(num_entering)]
        self._num_running += num_entering
        self._now += self._service.step_seconds(self._num_running)
        self._now += self._service.prompt_seconds * sum(one.prompt for one in entering)
        for one in entering:
            one.first_seconds = self._now - one.asked_at
            self._ends[self._step + one.tokens] += 1
        self._step += 1
        self._num_running -= self._ends.pop(self._step, 0)


class Fleet:
    """Replicas behind a balancer that gives each request to one of them and never takes it back."""

    def __init__(self, service: Service, num_replicas: int, balance: str, seed: int = 0) -> None:
        self._replicas = [Replica(service) for _ in range(num_replicas)]
        self._balance, self._chance, self._turn = balance, random.Random(seed), 0

    def serve(self, requests: Sequence[Request], until: float) -> None:
        """Take the requests in, and work on until a moment."""
        for request in requests:
            self._choose(request.asked_at).admit(request)
        for replica in self._replicas:
            replica.run_until(until)

    def _choose(self, now: float) -> Replica:
        if self._balance == "sticky":  # by who asks: at random, as far as load goes
            return self._chance.choice(self._replicas)
        self._turn = (self._turn + 1) % len(self._replicas)
        in_turn = self._replicas[self._turn :] + self._replicas[: self._turn]
        if self._balance == "roundrobin":
            return in_turn[0]
        for replica in in_turn:
            replica.run_until(now)
        return min(in_turn, key=lambda one: one.num_calls)  # the first of equals
