"""The trail: chained lines, signed checkpoints and seals, recovery, verification.

Nothing is imported here, so that `troth.audit.verify` never loads the writer.
"""
