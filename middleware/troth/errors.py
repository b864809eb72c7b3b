"""Every exception that Troth raises. Facts travel as attributes; no message holds a value, a token or personal data."""

from __future__ import annotations


class TrothError(Exception):
    """Base of all errors raised by Troth."""


class ConfigurationError(TrothError):
    """The middleware was given a policy, binding, home or hook that it cannot use. Raised when the app starts."""


class HomeError(ConfigurationError):
    """The home folder or a file in it cannot be read, made or locked. `path` says which."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(f"{message}: {path}")
        self.path = path


class ActivationRefused(ConfigurationError):
    """Rules refuse that a policy `version` follows the one in force. `found`: each rule with the clauses it keeps."""

    def __init__(self, policy: str, before: str, version: str, found: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        rules = "; ".join(f"{rule} ({', '.join(clauses)})" for rule, clauses in found)
        super().__init__(
            f"version {version} of policy {policy} may not follow version {before}, refused by {rules}:"
            f" meet what is asked for, or keep version {before} among the `versions`"
        )
        self.version = version
        self.found = found


class HookError(TrothError):
    """A callable named by the binding failed. Carries the `hook` (``module:name``) and the class name of the cause."""

    def __init__(self, hook: str, cause: str) -> None:
        super().__init__(f"hook {hook} failed with {cause}")
        self.hook = hook
        self.cause = cause


class LedgerError(TrothError):
    """The consent ledger could not be read or written. Decisions that need it treat what they asked as unreadable."""


class TrailError(TrothError):
    """A line that is due could not be written. The request path answers 503 before the first byte."""


class DeclarationError(TrothError):
    """An event that cannot be declared: the policy has none of that name, or no such state, or nobody was named."""


class EventRefused(TrothError):
    """Rules refuse a declared `event`: ids of the `rules`, and the `clauses` they keep. Nothing was changed."""

    def __init__(self, event: str, rules: tuple[str, ...], clauses: tuple[str, ...]) -> None:
        super().__init__(f"the policy refuses {event} (rules: {', '.join(rules)})")
        self.event = event
        self.rules = rules
        self.clauses = clauses


class UnreadableBody(TrothError):
    """A body that a rule needs cannot be read. `reason` is one of ``too-large``, ``coding``, ``malformed``."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the body cannot be read: {reason}")
        self.reason = reason


class ConsentError(TrothError):
    """A choice that the application cannot make: unknown consent, wrong parameters, nobody to hold it, too late."""


class ConsentRefused(ConsentError):
    """Rules refuse to record a consent: ids of the `rules`, and the `clauses` they keep. Nothing was recorded."""

    def __init__(self, rules: tuple[str, ...], clauses: tuple[str, ...]) -> None:
        super().__init__(f"the policy refuses to record this consent (rules: {', '.join(rules)})")
        self.rules = rules
        self.clauses = clauses
