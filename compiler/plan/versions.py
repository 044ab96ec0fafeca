"""What each nginx version can do, as far as the output depends on it."""

from __future__ import annotations

from compiler.model.plan import Features

Version = tuple[int, int, int]


def features_of(version: Version) -> Features:
    """Return the features of nginx *version* (nginx's own change log is the source)."""
    return Features(
        http2_directive=version >= (1, 25, 1),
        resolve_peers=version >= (1, 27, 3),
        certificate_cache=version >= (1, 27, 4),
        shares_upstream_tls=version >= (1, 23, 1),
        upstream_tls13_by_default=version >= (1, 23, 4),
        keepalive_by_default=version >= (1, 29, 7),
        lookup_without_ipv4=version >= (1, 23, 1),
        joins_headers=version >= (1, 23),
        long_locations=version >= (1, 23, 4),
        # Before, a session was taken up before its server was known (CVE-2025-23419).
        sessions_know_their_server=(1, 26, 3) <= version < (1, 27) or version >= (1, 27, 4),
    )
