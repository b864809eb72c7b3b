"""A walk through the guarded shop that shows, from bytes taken on both sides, what the privacy policy changed."""
