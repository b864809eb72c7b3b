"""Filters carry verdicts out on bytes. They are pure: tables and callables come in, no policy is known here.

Inbound cookies `cookies`, outbound ones `set_cookie`; JSON `json_text`, `places`, `tagging`, `splicing`; other fields
`names`, `query`, `form`, `multipart`; rows `csv_text`, `ndjson`;
values `probes`, `patterns`, `unwrapping`, `ages`, `digits`; headers `headers`,
`caching`, `csp`; codings `coding`.
"""
