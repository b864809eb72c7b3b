"""The plan: rules compiled to about twenty operators over facts. See `troth/docs/plan.md`."""

from troth.plan.compile import PlannedRule, Way, compile_plan
from troth.plan.tables import Tables

__all__ = ["PlannedRule", "Tables", "Way", "compile_plan"]
