"""What the page on privacy has to say of the policy that guards the shop: since when, whom to write to, who watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Whose promises the shop keeps, and the words by which people find the way to them."""

    whose: str
    effective: date
    privacy: str
    support: str
    phone: str
    authority: str


OWN = Notice(
    whose="Halvtakt Audio AB",
    effective=date(2026, 1, 1),
    privacy="privacy(at)halvtakt.example",
    support="support(at)halvtakt.example",
    phone="+46 90 000 00 00",
    authority="Integritetsskyddsmyndigheten, the Data Protection Authority of Sweden",
)
_LENT = {
    "toontrack": Notice(
        whose="Toontrack Music AB",
        effective=date(2018, 5, 25),
        privacy="privacy(at)toontrack.com",
        support="support(at)toontrack.com",
        phone="+46 902001820",
        authority="Integritetsskyddsmyndigheten (until 2021 Datainspektionen), the Data Protection Authority of Sweden",
    )
}
"""By the folder of the policy. The shop has no policy of its own: it keeps the one that somebody lends it."""


def notice_of(policy: Path) -> Notice:
    """The notice that goes with a policy folder."""
    return _LENT.get(policy.name, OWN)
