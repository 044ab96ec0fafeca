"""Streams on the command line: `explain`, `diff`, and which nginx needs its module loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.diffing import CA_ID
from support.gateway import check, write_files

from compiler.cli.engine import find_stream_module, stream_module

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Certs
    from support.diffing import Sides
    from support.explaining import Gateway

CONF = {"proxy_listen": "off", "stream_listen": "127.0.0.1:5432 ssl, 127.0.0.1:5433"}


def database(**fields: Any) -> dict[str, Any]:
    route = {"name": "db", "protocols": ["tls"], "snis": ["db.example.com"],
             "destinations": [{"port": 5432}]}  # fmt: skip
    return {"name": "db", "url": "tls://db.internal:5432", "routes": [route], **fields}


def test_explain_service_tells_how_a_stream_is_verified(gateway: Gateway, certs: Certs) -> None:
    gateway.write(
        {
            "services": [database(tls_verify=True, ca_certificates=[CA_ID])],
            "ca_certificates": [{"id": CA_ID, "cert": certs.root.cert_pem}],
        },
        dns_resolver="192.0.2.53",
        nginx_sproxy_proxy_ssl_verify_depth="3",
        nginx_proxy_proxy_ssl_verify_depth="9",
        tls_certificate_verify="off",
        **CONF,
    )
    found = gateway.ask("service", "db")
    tls = found["upstream"]["tls"]
    assert (tls["verify"], tls["depth"]) == (True, 3)
    assert (tls["name"], tls["server_name"]) == ("db.internal", True)
    assert tls["trusted_certificates"] == [certs.root.sha256]
    assert found["because"]["verify"][0].startswith("services.db.tls_verify (kong.json:")
    assert found["because"]["depth"] == ["nginx_sproxy_proxy_ssl_verify_depth (kong.conf:2:1)"]
    text = gateway.run("service", "db").stdout
    assert "sends to: tls://db.internal:5432" in text
    assert "Host" not in text


def test_explain_service_tells_that_the_client_names_a_stream(gateway: Gateway) -> None:
    service = database()
    service["routes"][0]["preserve_host"] = True
    gateway.write(
        {"services": [service]},
        dns_resolver="192.0.2.53", tls_certificate_verify="off", **CONF,
    )  # fmt: skip
    assert (
        "the client's server name, if any, instead of that" in gateway.run("service", "db").stdout
    )


def test_explain_sni_answers_for_streams(gateway: Gateway, certs: Certs) -> None:
    certificate = {"cert": certs.ec.chain_pem, "key": certs.ec.key_pem,
                   "snis": [{"name": "db.example.com"}]}  # fmt: skip
    gateway.write(
        {"services": [database()], "certificates": [certificate]},
        dns_resolver="192.0.2.53", tls_certificate_verify="off", **CONF,
    )  # fmt: skip
    assert gateway.ask("sni", "db.example.com")["certificate"]["sha256"] == certs.ec.sha256


def test_diff_tells_what_changes_in_streams(sides: Sides) -> None:
    conf = "".join(f"{name} = {value}\n" for name, value in CONF.items())
    conf += "dns_resolver = 192.0.2.53\n"
    moved = database()
    moved["routes"][0]["snis"] = ["db.example.org"]
    sides.write({"services": [database()]}, {"services": [moved]}, conf)
    assert [c["kind"] for c in sides.document()["changes"]] == ["route-changed"]
    raw = database(url="tcp://db.internal:5432")
    sides.write({"services": [database()]}, {"services": [raw]}, conf, conf.replace("5433", "5434"))
    kinds = {change["kind"] for change in sides.document()["changes"]}
    assert "upstream-tls-removed" in kinds
    assert any("stream" in str(change) for change in sides.document()["changes"])


DEBIAN = (
    "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx "
    "--modules-path={} --with-stream=dynamic --with-stream_ssl_module"
)


def test_a_dynamic_stream_module_is_loaded_from_where_nginx_says(tmp_path: Path) -> None:
    (tmp_path / "ngx_stream_module.so").touch()
    found = stream_module(DEBIAN.format(tmp_path))
    assert (found.present, found.file) == (True, f"{tmp_path}/ngx_stream_module.so")
    assert not stream_module(DEBIAN.format(tmp_path / "elsewhere")).present


@pytest.mark.parametrize(
    ("arguments", "present"),
    [
        ("--prefix=/p --with-stream --with-http_ssl_module", True),
        ("--prefix=/p --with-http_ssl_module", False),
        ("", True),
    ],
)
def test_a_stream_module_is_built_in_or_missing(arguments: str, present: bool) -> None:  # noqa: FBT001
    found = stream_module(f"nginx version: nginx/1.22.1\nconfigure arguments: {arguments}")
    assert (found.present, found.file) == (present, None)


def test_nobody_is_asked_where_the_version_is_given() -> None:
    assert find_stream_module(None, version_given=True).present


def fake_nginx(folder: Path, arguments: str) -> str:
    path = folder / "fake-nginx"
    path.write_text(f"#!/bin/sh\necho 'nginx version: nginx/1.28.0\n{arguments}' >&2\n")
    path.chmod(0o755)
    return str(path)


def test_an_nginx_without_streams_is_an_error_where_streams_are_listened_for(
    tmp_path: Path,
) -> None:
    nginx = fake_nginx(tmp_path, "configure arguments: --with-http_ssl_module")
    conf = "proxy_listen = off\nstream_listen = 127.0.0.1:9000\n"
    write_files(tmp_path, {})
    files = {"kong.conf": conf, "kong.yml": {"_format_version": "3.0"}}
    assert "K392" in str(check(tmp_path, files, nginx=nginx)[1])
    injected = conf + "nginx_main_load_module = /modules/ngx_stream_module.so\n"
    assert "K392" not in str(check(tmp_path, {**files, "kong.conf": injected}, nginx=nginx)[1])
    assert "K392" not in str(check(tmp_path, {**files, "kong.conf": "status_listen = off\n"},
                                   nginx=nginx)[1])  # fmt: skip


def test_crossing_conditions_are_reported(tmp_path: Path) -> None:
    routes = [
        {"name": f"r{n}", "protocols": ["tls"], "snis": [f"*.{n}.test", f"{n}.*"],
         "sources": [{"ip": f"10.{n}.0.0/16", "port": n}, {"port": n + 1}]}
        for n in range(1, 60)
    ]  # fmt: skip
    service = {"name": "s", "url": "tcp://192.0.2.1:1", "routes": routes}
    conf = "proxy_listen = off\nstream_listen = 127.0.0.1:9000 ssl\n"
    files = {"kong.conf": conf, "kong.yml": {"_format_version": "3.0", "services": [service]}}
    assert "K391" in [d["code"] for d in check(tmp_path, files)[1]]
