"""What every exchange of one app shares: the runtime, who watches, and how a head becomes facts."""

from __future__ import annotations

from troth._types import Scope
from troth.asgi.judging import Judging, Observer
from troth.asgi.request import Head, first_facts, hostname, read_consent
from troth.filters.cookies import Jar
from troth.runtime.runtime import Runtime


class Guard:
    """What every exchange of one app shares. `observer` sees each exchange as it was judged (for tests and cases)."""

    def __init__(self, runtime: Runtime, observer: Observer | None = None) -> None:
        self.runtime = runtime
        self.observer = observer
        self._many = len(runtime.sites) > 1

    def facts(self, scope: Scope, path: str) -> tuple[Judging, Head, Jar]:
        """Read the head of a request or handshake."""
        runtime = self.runtime
        given = scope["headers"]
        headers = given if type(given) is list else list(given)
        head = Head(headers, scope)
        site = runtime.site_of(hostname(head.host)) if self._many else runtime.first
        found = site.routes.match(scope.get("method", "GET"), path)
        x = first_facts(runtime, site, scope, head, runtime.clock(), found)
        jar = Jar(headers)
        judging = Judging(runtime, site, x, found[1] if found else {}, observed=self.observer is not None)
        if jar.pieces:
            judging.consent = read_consent(runtime, jar)
            x.device = judging.consent.choices
        return judging, head, jar
