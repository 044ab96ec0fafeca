"""No text in a user's field changes the shape of what is written: refused, or harmless."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nginx_syntax import Directive, parse
from support import engines
from support.compiling import Outcome, certificate, compile_texts

from compiler.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKENS = (
    ";", "}", "{", "\n", "\r", "$", "${", '"', "'", "\\", "#", "~", " ", "\t", "$uri", "${uri}",
    "\"' ;", "'\" }",
    "é", "\u2028", "%", "%7d", "\x01", "\x02", "\x011\x02", "\x01-1\x02", "\x7f", "*", "^",
    "(", ")", "|", "*/", "include /etc/passwd;", "} server {", "return 200;", ";\nevil on;\n",
    "{{ 1 }}", "{% x %}", "../", "default", "a", "0", ",", ":", "]", "\ufeff", "\U0001f600",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6).map("".join)


def plugin(name: str, **config: Any) -> dict[str, Any]:
    return {"route": {"plugins": [{"name": name, "config": config}]}}


ENTITIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "service name": lambda text: {"service": {"name": f"s{text}"}},
    "service host": lambda text: {"service": {"host": f"192.0.2.1{text}"}},
    "service path": lambda text: {"service": {"path": f"/base${text}x"}},
    "service tag": lambda text: {"service": {"tags": [f"t{text}"]}},
    "route name": lambda text: {"route": {"name": f"r{text}"}},
    "route host": lambda text: {"route": {"hosts": [f"h{text}.example.com"]}},
    "route path": lambda text: {"route": {"paths": [f"/p{text}x"]}},
    "route path kept": lambda text: {"route": {"paths": [f"/p{text}x"], "strip_path": False}},
    "route tag": lambda text: {"route": {"tags": [f"t{text}"]}},
    "upstream name": lambda text: {
        "service": {"host": f"u{text}"},
        "upstream": {"name": f"u{text}"},
    },
    "upstream host_header": lambda text: {
        "service": {"host": "u"},
        "upstream": {"host_header": f"h{text}"},
    },
    "cookie hashed by": lambda text: {
        "service": {"host": "u"},
        "upstream": {"hash_on": "cookie", "hash_on_cookie": f"c{text}"},
    },
    "path of that cookie": lambda text: {
        "service": {"host": "u"},
        "upstream": {"hash_on": "cookie", "hash_on_cookie": "c", "hash_on_cookie_path": f"/{text}"},
    },
    "header hashed by": lambda text: {
        "service": {"host": "u"},
        "upstream": {"hash_on": "header", "hash_on_header": f"X{text}"},
    },
    "argument hashed by": lambda text: {
        "service": {"host": "u"},
        "upstream": {"hash_on": "query_arg", "hash_on_query_arg": f"a{text}"},
    },
    "message of a refusal": lambda text: plugin(
        "ip-restriction", deny=["192.0.2.0/24"], message=f"m{text}"
    ),
    "message in place of a service": lambda text: plugin("request-termination", message=f"m{text}"),
    "body in place of a service": lambda text: plugin(
        "request-termination", body=f"b{text}", content_type=f"text/{text}"
    ),
    "site": lambda text: plugin("cors", origins=[f"https://(a|b){text}"]),
    "header of a page": lambda text: plugin(
        "cors", headers=[f"X-{text}"], exposed_headers=[f"X-{text}"]
    ),
    "group": lambda text: plugin("acl", allow=[f"g{text}"]),
    "target": lambda text: {"service": {"host": "u"}, "target": {"target": f"192.0.2.9{text}"}},
    "sni": lambda text: {"sni": {"name": f"n{text}.example.com"}},
    "sni wildcard": lambda text: {"sni": {"name": f"*.n{text}.example.com"}},
}
SETTINGS = {
    "proxy_access_log": "logs/a.log",
    "proxy_error_log": "logs/e.log",
    "admin_access_log": "logs/a.log",
    "admin_error_log": "logs/e.log",
    "status_access_log": "logs/a.log",
    "status_error_log": "logs/e.log",
    "admin_gui_access_log": "logs/a.log",
    "admin_gui_error_log": "logs/e.log",
    "ssl_ciphers": "HIGH",
    "ssl_session_cache_size": "10m",
    "dns_resolver": "192.0.2.53",
    "trusted_ips": "192.0.2.0/24",
    "headers": "server_tokens",
    "headers_upstream": "x-kong-request-id",
    "proxy_listen": "127.0.0.1:8000",
    "admin_listen": "127.0.0.1:8001",
    "status_listen": "127.0.0.1:8007",
    "admin_gui_listen": "127.0.0.1:8002",
    "log_level": "notice",
    "ssl_cipher_suite": "custom",
    "ssl_dhparam": "ffdhe2048",
    "upstream_keepalive_pool_size": "60",
    "upstream_keepalive_idle_timeout": "60",
    "upstream_keepalive_max_requests": "60",
    "lua_ssl_trusted_certificate": "ca.crt",
    "ssl_protocols": "TLSv1.2",
    "ssl_session_timeout": "1d",
    "ssl_session_tickets": "on",
    "ssl_prefer_server_ciphers": "on",
    "real_ip_header": "X-Real-IP",
    "real_ip_recursive": "on",
    "client_body_buffer_size": "8k",
    "prefix": "/usr/local/kong",
    "error_default_type": "text/plain",
}
SEVERAL_WORDS = frozenset(
    {
        "access_log",
        "error_log",
        "ssl_protocols",
        "ssl_session_timeout",
        "ssl_session_tickets",
        "ssl_prefer_server_ciphers",
        "real_ip_header",
        "real_ip_recursive",
        "client_body_buffer_size",
    }
)
"""Directives of which users write all words: nginx refuses too many, none ends the directive."""

BASE_CONF = {
    "PROXY_LISTEN": "127.0.0.1:8000, 127.0.0.1:8443 ssl",
    "STATUS_LISTEN": "127.0.0.1:8007",
    "SSL_CERT": "ec.crt",
    "SSL_CERT_KEY": "ec.key",
    "SSL_CIPHER_SUITE": "custom",
    "TRUSTED_IPS": "192.0.2.0/24",
    "ALLOW_DEBUG_HEADER": "on",
    "TLS_CERTIFICATE_VERIFY": "off",
    "DNS_RESOLVER": "192.0.2.53",
}


def entities(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [
            {
                "name": "s",
                "host": "192.0.2.1",
                "path": "/base$",
                **changes.get("service", {}),
                "routes": [{"name": "r", "paths": ["/p"], **changes.get("route", {})}],
            }
        ],
        "upstreams": [
            {
                "name": "u",
                "host_header": "h",
                **changes.get("upstream", {}),
                "targets": [{"target": "192.0.2.9:80", **changes.get("target", {})}],
            }
        ],
        "certificates": [
            {
                "cert": certificate("other.crt"),
                "key": certificate("other.key"),
                "snis": [{"name": "n.example.com", **changes.get("sni", {})}],
            }
        ],
    }


def compiled(changes: dict[str, Any], variables: dict[str, str]) -> Outcome:
    environment = {f"KONG_{name}": value for name, value in (BASE_CONF | variables).items()}
    return compile_texts(entities(changes), environment=environment, nginx_version=(1, 31, 3))


def shapes(outcome: Outcome) -> dict[str, tuple[Any, ...]]:
    return {path: tuple(_shape(parse(text))) for path, text in outcome.texts.items()}


def _shape(directives: tuple[Directive, ...], above: str = "") -> Iterator[tuple[Any, ...]]:
    before: tuple[Directive, ...] | None = None
    for found in directives:
        if found.name == "location" and found.block == before:
            # A path that can be written with escapes has a second location, for that spelling.
            continue
        before = found.block
        # What stands in a table are no directives: its keys are text of users.
        name = "" if above in {"map", "geo"} else found.name
        words = None if found.name in SEVERAL_WORDS else len(found.args)
        inner = None if found.block is None else tuple(_shape(found.block, found.name))
        yield name, words, inner


@cache
def benign(slot: str) -> list[dict[str, tuple[Any, ...]]]:
    """Return the shapes that harmless text gives: a letter, one with an escape, and a digit."""
    if slot in ENTITIES:
        found = [compiled(ENTITIES[slot](text), {}) for text in ("x", "é", "0")]
        return [shapes(outcome) for outcome in found if outcome.compiled is not None]
    return [shapes(compiled({}, {slot.upper(): SETTINGS[slot]}))]


def check(outcome: Outcome, slot: str) -> None:
    if outcome.compiled is None:
        assert any(d.severity is Severity.ERROR for d in outcome.report)
    else:
        assert shapes(outcome) in benign(slot), outcome.texts


@pytest.mark.parametrize("slot", ENTITIES)
@settings(deadline=None, max_examples=25)
@given(text=HOSTILE)
def test_text_of_an_entity_changes_no_shape(slot: str, text: str) -> None:
    check(compiled(ENTITIES[slot](text), {}), slot)


@pytest.mark.parametrize("slot", SETTINGS)
@settings(deadline=None, max_examples=12)
@given(text=HOSTILE)
def test_text_of_a_setting_changes_no_shape(slot: str, text: str) -> None:
    check(compiled({}, {slot.upper(): SETTINGS[slot] + text}), slot)


@pytest.mark.parametrize("slot", ENTITIES)
def test_each_token_alone_changes_no_shape(slot: str) -> None:
    for token in TOKENS:
        check(compiled(ENTITIES[slot](token), {}), slot)


@pytest.mark.parametrize("slot", SETTINGS)
def test_each_token_in_a_setting_changes_no_shape(slot: str) -> None:
    for token in TOKENS[:13]:
        check(compiled({}, {slot.upper(): SETTINGS[slot] + token}), slot)


def test_nginx_takes_what_was_not_refused(workdir: Path) -> None:
    engine = engines.find("embedded")
    accepted = 0
    (workdir / "logs" / "tmp").mkdir(parents=True)
    for slot in (
        "service path", "route path", "route name", "route tag", "upstream host_header", "site",
        "message of a refusal", "body in place of a service", "header of a page",
    ):  # fmt: skip
        for token in TOKENS:
            outcome = compiled(ENTITIES[slot](token), {})
            if outcome.compiled is None:
                continue
            accepted += 1
            for path, file in outcome.compiled.tree.files.items():
                (workdir / path).parent.mkdir(parents=True, exist_ok=True)
                (workdir / path).write_bytes(file.data())
            done = engines.nginx_test(engine, workdir)
            assert done.returncode == 0, (slot, token, done.stderr)
    assert accepted > 20
