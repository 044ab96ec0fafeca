from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, pki
from support.gateway import check, compile_tree, gateway
from support.upstreams import Options, identity, upstream

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway

_PATIENCE = 10
CA = "aaaaaaaa-0000-4000-8000-000000000001"

UNSAFE = """\
_format_version: "3.0"
services:
- name: billing
  url: https://billing.internal
  tls_verify: false
  routes:
  - name: billing
    paths: [/billing]
    plugins:
    - name: ldap-auth
      config:
        ldaps: true
        verify_ldap_host: false
- name: plain
  url: http://plain.internal
  routes:
  - name: plain
    paths: [/plain]
plugins:
- name: rate-limiting
  config:
    redis:
      ssl_verify: false
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file", {"file": "kong.conf", "line": 2, "variable": None}),
        ("environment", {"file": None, "line": None, "variable": "KONG_TLS_CERTIFICATE_VERIFY"}),
    ],
)
def test_switched_on_it_refuses_what_is_not_verified(
    engine: Engine, workdir: Path, source: str, expected: dict[str, Any]
) -> None:
    conf = "# comment\ntls_certificate_verify = on\n" if source == "file" else ""
    environment = {"KONG_TLS_CERTIFICATE_VERIFY": "on"} if source == "environment" else None
    files = {"kong.conf": conf, "kong.yml": UNSAFE}
    refused = compile_tree(
        engine, workdir, files, args=["--format", "json"], environment=environment, exit_code=1
    )
    assert not refused.tree.exists()
    document = json.loads(refused.stdout)
    assert document["output"] is None
    found = [each for each in document["diagnostics"] if each["code"] == "K320"]
    assert [(each["file"], each["line"]) for each in found] == [
        ("kong.yml", 5),
        ("kong.yml", 13),
        ("kong.yml", 23),
    ]
    assert [each["entity"]["name"] or each["message"].split()[1] for each in found] == [
        "billing",
        "ldap-auth",
        "rate-limiting",
    ]
    for each in found:
        assert each["severity"] == "error"
        assert {key: each["related"][0][key] for key in expected} == expected

    told = compile_tree(engine, workdir, files, environment=environment, exit_code=1)
    assert "kong.yml:5:" in told.stderr
    assert "error[K320]" in told.stderr
    assert (expected["variable"] or "kong.conf:2") in told.stderr


@pytest.mark.parametrize(
    ("version", "conf", "refused"),
    [
        ("3.12", "", False),
        ("3.12", "tls_certificate_verify = on\n", False),
        ("3.13", "", False),
        ("3.13", "tls_certificate_verify = on\n", True),
        ("3.14", "", True),
        ("3.14", "tls_certificate_verify = off\n", False),
        ("3.15", "", True),
    ],
)
def test_its_default_is_that_of_the_version(
    workdir: Path, version: str, conf: str, *, refused: bool
) -> None:
    files = {"kong.conf": conf, "kong.yml": UNSAFE}
    allowed = ("ldap-auth", "rate-limiting")
    code, found = check(workdir, files, kong_version=version, allow_uncompiled=allowed)
    assert any(each["code"] == "K320" for each in found) == refused
    assert code == refused
    if version == "3.12" and conf:
        (warning,) = [each for each in found if "tls_certificate_verify" in each["message"]]
        assert (warning["severity"], warning["file"], warning["line"]) == (
            "warning",
            "kong.conf",
            1,
        )


def await_names(served: Gateway, path: str) -> None:
    """Ask until an upstream answers: nginx looks names up when it has started."""
    deadline = time.monotonic() + _PATIENCE
    while served.get("x.test", path).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("given", ["file", "two files", "system"])
def test_a_service_that_says_nothing_is_verified_by_lua_ssl_trusted_certificate(
    engine: Engine, workdir: Path, given: str
) -> None:
    root, other = pki.ca("Root"), pki.ca("Other")
    good = identity(pki.leaf(root, "ok.test"))
    bad = identity(pki.self_signed("ok.test"))
    setting, args = {
        "file": ("root.pem", []),
        "two files": ("other.pem, root.pem", []),
        "system": ("system", ["--system-ca", "root.pem"]),
    }[given]
    with (
        upstream(Options(identity=good)) as trusted,
        upstream(Options(identity=bad)) as untrusted,
        dns.name_server({name: ["127.0.0.1"] for name in ("ok.test", "bad.test")}) as names,
    ):

        def service(name: str, host: str, port: int, **fields: Any) -> dict[str, Any]:
            routes = [{"name": name, "paths": [f"/{name}"]}]
            fixed = {"name": name, "protocol": "https", "host": host, "port": port}
            return {**fixed, "routes": routes, **fields}

        entities = {
            "_format_version": "3.0",
            "ca_certificates": [{"id": CA, "cert": other.cert_pem}],
            "services": [
                service("good", "ok.test", trusted.port),
                service("untrusted", "ok.test", untrusted.port),
                service("misnamed", "bad.test", trusted.port),
                service("own-ca", "ok.test", trusted.port, ca_certificates=[CA]),
            ],
        }
        files = {
            "kong.conf": f"dns_resolver = 127.0.0.1:{names.port}\n"
            f"lua_ssl_trusted_certificate = {setting}\n",
            "kong.yml": entities,
            "root.pem": root.cert_pem,
            "other.pem": other.cert_pem,
        }
        with gateway(engine, workdir, files, args=args) as served:
            assert "K323" in served.compiled.stderr
            await_names(served, "/good")
            statuses = {
                name: served.get("x.test", f"/{name}").status
                for name in ("good", "untrusted", "misnamed", "own-ca")
            }
        assert statuses == {"good": 200, "untrusted": 502, "misnamed": 502, "own-ca": 502}
        # Up to 3.13 the same configuration verifies nothing (and own-ca is warned of).
        args = [*args, "--kong-version", "3.13"]
        with gateway(engine, workdir, files, args=args) as served:
            assert "K322" in served.compiled.stderr
            await_names(served, "/good")
            assert served.get("x.test", "/untrusted").status == 200


def test_system_without_any_bundle_is_refused_where_it_matters(workdir: Path) -> None:
    entities = {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "https://ok.test", "routes": [{"paths": ["/"]}]}],
    }
    files = {"kong.conf": "lua_ssl_trusted_certificate = gone.pem\n", "kong.yml": entities}
    code, found = check(workdir, files)
    assert code == 1
    (error,) = [each for each in found if each["severity"] == "error"]
    assert (error["file"], error["line"]) == ("kong.conf", 1)
