"""What an engine found: which rules acted on which thing, and what follows for the whole exchange."""

from __future__ import annotations

from dataclasses import dataclass

from troth.model.words import RESTRICTING, Action, Thing


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One rule on one thing. Equal findings are the same reason; tests compare them across engines."""

    rule: str
    thing: Thing
    item: int | None
    """Index in the exchange's tuple of that thing; None for the exchange and the page."""
    action: Action
    dry: bool
    """Found by a rule in dry-run: reported as an alert, nothing is done."""
    status: int | None = None
    clauses: tuple[str, ...] = ()
    """The rule's clauses; of an opened rule those of the exception."""

    @property
    def refuses(self) -> bool:
        """Whether the thing does not go through as it is: of an event, that it is refused."""
        return self.action in RESTRICTING and not self.dry


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """The exchange is refused: with which status, for which findings. `redirect` asks for https first (308)."""

    status: int
    redirect: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings of one exchange, sorted, and the denial if there is one."""

    findings: tuple[Finding, ...]
    denial: Denial | None
