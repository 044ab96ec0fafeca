"""No output of diff shows a secret, wherever somebody put one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from typer.testing import CliRunner

from compiler.cli.app import app
from compiler.diff.masking import Masker

if TYPE_CHECKING:
    from pathlib import Path

MARK = "MARKER"


def secret(what: str, turn: int) -> str:
    return f"{MARK}-{what}-{turn}"


def entities(cert: pki.Cert, ca: pki.Cert, turn: int) -> dict[str, Any]:
    """Return entities that hold a secret wherever there is room for one."""
    plugins = [
        {"name": "key-auth", "config": {"key_names": ["apikey"], "anonymous": None}},
        {
            "name": "openid-connect",
            "config": {
                "client_secret": [secret("client", turn)],
                "redis": {"password": secret("redis", turn), "host": "redis.internal"},
                "session_secret": secret("session", turn),
                "issuer": f"https://user:{secret('url', turn)}@issuer.test/",
                "extra_jwks": [{"k": 1, "token": {"value": secret("nested", turn)}}],
                "pin": int(f"9876543{turn}"),
            },
        },
        {
            "name": "request-transformer",
            "config": {
                "add": {"headers": [f"Authorization: Basic {secret('basic', turn)}"]},
                "replace": {"querystring": [f"api_key:{secret('query', turn)}"]},
            },
        },
        {
            "name": "pre-function",
            "config": {"access": [f'local password = "{secret("code", turn)}"']},
        },
    ]
    service = {
        "name": "s",
        "url": "https://s.internal",
        "routes": [
            {
                "name": "r",
                "paths": ["/r"],
                "headers": {"X-Api-Key": [secret("header", turn)], "accept": ["a/b"]},
            }
        ],
        "plugins": plugins,
    }
    upstream = {
        "name": "u",
        "healthchecks": {"active": {"headers": {"Authorization": [secret("health", turn)]}}},
    }
    consumer = {
        "username": "bob",
        "keyauth_credentials": [{"key": secret("key", turn)}],
        "basicauth_credentials": [{"username": "bob", "password": secret("password", turn)}],
        "jwt_secrets": [{"key": secret("jwt-key", turn), "secret": secret("jwt", turn)}],
        "hmacauth_credentials": [{"username": "bob", "secret": secret("hmac", turn)}],
        "oauth2_credentials": [
            {"name": "app", "client_id": secret("id", turn), "client_secret": secret("oauth", turn)}
        ],
    }
    return {
        "certificates": [
            {"cert": cert.chain_pem, "key": cert.key_pem, "snis": [{"name": "a.test"}]}
        ],
        "ca_certificates": [{"id": "33333333-3333-4333-8333-333333333333", "cert": ca.cert_pem}],
        "services": [service],
        "upstreams": [upstream],
        "consumers": [consumer],
        "vaults": [
            {
                "name": "hcv",
                "prefix": "hcv",
                "config": {"token": secret("vault", turn), "port": 8200},
            }
        ],
        "keys": [{"name": "k", "kid": "1", "pem": {"private_key": secret("pem", turn)}}],
        "licenses": [{"payload": secret("license", turn)}],
    }


def conf(turn: int) -> str:
    return "".join(
        f"{line}\n"
        for line in (
            f"pg_password = {secret('pg', turn)}",
            f'nginx_proxy_proxy_set_header = Authorization "Basic {secret("directive", turn)}"',
            f'nginx_location_proxy_set_header = X-Api-Key "{secret("directive-key", turn)}"',
            f"vault_hcv_token = {secret('vault-setting', turn)}",
            f"request_debug_token = {secret('debug', turn)}",
        )
    )


@pytest.mark.parametrize("output_format", ["text", "json", "markdown", "unified"])
@pytest.mark.parametrize("turns", [(1, 2), (1, None), (None, 1)])
def test_no_secret_is_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output_format: str,
    turns: tuple[int | None, int | None],
) -> None:
    monkeypatch.chdir(tmp_path)
    ca = pki.ca()
    bodies = []
    for name, turn in zip(("old", "new"), turns, strict=True):
        side = tmp_path / name
        side.mkdir()
        cert = pki.leaf(ca, "a.test")
        bodies += cert.key_pem.splitlines()[1:-1]
        held = {} if turn is None else entities(cert, ca, turn)
        (side / "kong.json").write_text(json.dumps({"_format_version": "3.0", **held}))
        (side / "kong.conf").write_text("" if turn is None else conf(turn))
    words = ["diff", "old", "new", "--no-env", "--format", output_format]
    for plugin in ("key-auth", "openid-connect", "request-transformer", "pre-function"):
        words += ["--allow-uncompiled", plugin]
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (0, 1), result.output
    shown = [line for line in result.output.splitlines() if MARK in line]
    assert shown == []
    assert "9876543" not in result.stdout
    assert not [body for body in bodies if body in result.stdout]
    assert "BEGIN" not in result.stdout
    if output_format != "unified":
        assert "sha256:" in result.stdout
    if output_format == "json" and None in turns:
        assert "redis.internal" in result.stdout


def test_lines_around_a_change_show_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ('nginx_proxy_add_header = X-Api-Key "MARKER-1"', "nginx_proxy_proxy_no_cache = ")
    for name, value in (("old", "$arg_a"), ("new", "$arg_b")):
        (tmp_path / f"{name}.conf").write_text("\n".join(lines) + value + "\n")
    result = CliRunner().invoke(app, ["diff", "old.conf", "new.conf", "--no-env"])
    assert "$arg_b" in result.stdout
    assert "add_header" in result.stdout
    assert MARK not in result.stdout


@pytest.mark.parametrize(
    ("key", "value", "is_hidden"),
    [
        ("password", "x", True),
        ("redis_password", 12345, True),
        ("client_secrets", ["a", "b"], True),
        ("key_names", ["apikey"], False),
        ("hide_credentials", True, False),
        ("password", "{vault://env/redis}", False),
        ("uri", "redis://me:pw@host", True),
        ("uri", "redis://host", False),
        ("value", "ghp9aBcDeFgHiJkLmNoPqRsTuV", True),
        ("value", "6f1ed002ab5595859014ebf0951522d9", True),
        ("id", "33333333-3333-4333-8333-333333333333", False),
        ("header", "Bearer abc", True),
        ("path", "/v1/Some/Longer/Path/To2", False),
        ("origins", ["*"], False),
        ("minute", 5, False),
    ],
)
def test_what_is_taken_for_a_secret(key: str, value: Any, *, is_hidden: bool) -> None:
    shown = Masker().value(key, value)
    assert (shown != value) is is_hidden
    assert ("sha256:" in str(shown)) is is_hidden


def test_certificates_are_shown_by_subject() -> None:
    cert = pki.self_signed("a.test")
    for text in (cert.cert_pem, cert.cert_pem.replace("\n", "\r\n")):
        assert Masker().value("client_cert", text) == f"CN=a.test, sha256:{cert.sha256[:16]}"
