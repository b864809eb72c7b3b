"""Troth keeps the promises of a privacy policy on every request and response."""
