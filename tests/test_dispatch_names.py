"""Names that are digests, or end in one: two things never share one."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from support.compiling import compile_texts

from compiler.lower import dispatch, names

if TYPE_CHECKING:
    import pytest


def test_equal_digests_do_not_share_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(*parts: str, length: int = 8) -> str:
        return "0" * 8 if length == 8 else sha256("\0".join(parts).encode()).hexdigest()

    monkeypatch.setattr(names, "digest", digest)
    monkeypatch.setattr(dispatch, "digest", digest)
    routes = [
        {"name": f"r{n}", "paths": [f"/{n}", f"~/x{n}/[a-z]+$"], "headers": {"x": [f"~*{n}$"]}}
        for n in range(5)
    ]
    # What decides for paths above, too, stands in a map.
    routes += [{"name": f"below-{n}", "paths": [f"/{n}/below"]} for n in range(5)]
    found = compile_texts(
        {"_format_version": "3.0", "services": [{"url": "http://192.0.2.1", "routes": routes}]},
        {"proxy_listen": "127.0.0.1:80"},
    )
    variables = re.findall(r"(\$(?:decided|matches)_\w+) \{", found.texts["conf/routing.conf"])
    assert len(variables) == len(set(variables)) == 5 + 10
    locations = re.findall(r"location (route=\S+)", found.conf)
    assert len(locations) == len(set(locations)) == 15


def test_a_route_that_is_called_like_the_path_of_another() -> None:
    routes = [{"name": "r", "paths": ["/a", "/bb"], "headers": {"x": ["1"]}}]
    service = {"url": "http://192.0.2.1/as%2Fwritten"}
    conf = {"proxy_listen": "127.0.0.1:80"}
    first = compile_texts(
        {"_format_version": "3.0", "services": [{**service, "routes": routes}]}, conf
    )
    names = re.findall(r"location route=(\S+)/ ", first.conf)
    routes += [{"name": name, "paths": ["/other"], "headers": {"x": ["2"]}} for name in names]
    found = compile_texts(
        {"_format_version": "3.0", "services": [{**service, "routes": routes}]}, conf
    )
    for kind in ("route", "to"):
        locations = re.findall(rf"location ({kind}=\S+)", found.conf)
        assert len(locations) == len(set(locations)) == 4
