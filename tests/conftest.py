"""What all tests share: OpenMP threads that sleep while they wait, as the server sets for its workers."""

from __future__ import annotations

from service.settings import prepare_workers

prepare_workers()
