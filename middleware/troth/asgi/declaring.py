"""What application code declares: events that no request is by itself."""

from __future__ import annotations

from troth._types import Scope
from troth.asgi.middleware import CURRENT
from troth.errors import DeclarationError
from troth.model.consent import params as canonical
from troth.runtime.declaring import Declaration, Declaring


async def declare(
    scope: Scope,
    event: str,
    *persons: str,
    reference: str | None = None,
    state: str | None = None,
    to: str = "set",
    **params: str,
) -> None:
    """Declare an event of the policy in the request that is being served, about these `persons`, or about the site.

    Rules judge it with all that is known of the request, for each person, and may refuse it. It begins and meets
    deadlines. `state` is set for each person, or cleared (`to`), with `params`. Declarations about the site that belong
    together carry the same `reference`; the trail holds a pseudonym of it. Waits for the disk, in a thread.

    Raises EventRefused where a rule refuses it, DeclarationError for what the policy does not have or outside of a
    guarded request, LedgerError or TrailError where it cannot be kept or told: then no state has changed.
    """
    del scope  # the exchange stands in the context; the scope is asked for as in `troth.consent`
    exchange = CURRENT.get()
    if exchange is None:
        raise DeclarationError("an event is declared outside a request that PolicyMiddleware guards")
    judging = exchange.full().judging
    given = Declaration(
        event=event, persons=persons, reference=reference, state=state, to=to, params=canonical(**params)
    )
    await Declaring(judging.runtime, judging.site, judging.x).declare(given)
