"""Variables that Kubernetes and Docker inject to say where a service is: ours in name alone, and no settings.

A Kubernetes Service named ``prospero`` gives each pod of its namespace ``PROSPERO_SERVICE_HOST``,
``PROSPERO_PORT=tcp://10.0.0.7:8000`` and more (kubernetes.io, Service, "Environment variables"); one named
``prospero-text``, the same behind ``PROSPERO_TEXT_``. Docker's ``--link`` gives the like, and the linked
container's name and environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NUMBER = r"\d{1,5}"
_PROTOCOL = r"(?:tcp|udp|sctp)"
_URL = rf"{_PROTOCOL}://\S+:{_NUMBER}"
_PORT = rf"PORT_{_NUMBER}_(?:TCP|UDP|SCTP)"
_FORMS = [  # how the name ends, and what the value looks like; anything else is a setting with a slip in it
    (r"SERVICE_HOST", r"[0-9a-fA-F.:]+"),
    (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", _NUMBER),
    (rf"(?:PORT|{_PORT}|{_PORT}_START|{_PORT}_END)", _URL),
    (rf"{_PORT}_PROTO", _PROTOCOL),
    (rf"{_PORT}_PORT(?:_START|_END)?", _NUMBER),
    (rf"{_PORT}_ADDR", r"\S+"),
]
_PATTERNS = [re.compile(rf"PROSPERO_(?:[A-Z0-9_]+_)?{name}={value}") for name, value in _FORMS]
_LINK_NAME = re.compile(r"(PROSPERO_(?:[A-Z0-9_]+_)?)NAME=(?:/[\w.-]+){2}")


def service_links(environment: Mapping[str, str]) -> list[str]:
    """The names of all such variables that there are."""
    found = {
        name
        for name, value in environment.items()
        if any(pattern.fullmatch(f"{name}={value}") for pattern in _PATTERNS)
    }
    for name, value in environment.items():
        if link := _LINK_NAME.fullmatch(f"{name}={value}"):
            found |= {name, *(other for other in environment if other.startswith(f"{link[1]}ENV_"))}
    return sorted(found)
