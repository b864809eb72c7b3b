"""The engine that decides in process: plan operators as closures, residuals remembered per request head."""

from troth.engines.embedded.engine import CompiledRule, Engine, Residual, Run, Verdict

__all__ = ["CompiledRule", "Engine", "Residual", "Run", "Verdict"]
