"""A gateway, written by hand, whose locations are protected by the Lua of `lua/`."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import shutil
import socket
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import client, engines, pki, ports
from support.upstreams import Identity, Upstream, identity

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping, Sequence

    from support.engines import Engine, Running
    from support.pki import Cert

_ROOT = Path(__file__).resolve().parents[2]
_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_LIBRARIES = ("cjson.so", "resty/core.lua", "resty/lrucache.lua")
_LUA_FOLDERS = (Path("/usr/share/lua/5.1"), *Path("/usr/lib").glob("*/lua/5.1"))

ABSENT = "No required TLS certificate was sent"
FAILED = "TLS certificate failed verification"
HEADERS = {
    "X-Consumer-ID": "consumer_id",
    "X-Consumer-Username": "consumer_username",
    "X-Consumer-Custom-ID": "consumer_custom_id",
    "X-Credential-Identifier": "credential_identifier",
    "X-Anonymous-Consumer": "anonymous_consumer",
    "X-Client-Cert-Dn": "client_cert_dn",
    "X-Client-Cert-San": "client_cert_san",
    "X-Authenticated-Group": "authenticated_group",
}

_CONF = """\
{load}
error_log logs/error.log info;
worker_processes {workers};
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path logs; proxy_temp_path logs; fastcgi_temp_path logs;
    uwsgi_temp_path logs; scgi_temp_path logs;
    underscores_in_headers on;
    ssl_protocols TLSv1.2 TLSv1.3;
    large_client_header_buffers 8 256k;
    keepalive_requests 10000000;
    lua_package_path "$prefix/lua/?.lua;;";
    lua_shared_dict kcompile_intermediates 1m;
    lua_shared_dict kcompile_responders 1m;
    init_by_lua_block {{ require("kcompile.access").init() }}
    geo $realip_remote_addr $from_trusted_peer {{ default 0; {trusted} 1; }}
    upstream echo {{ server {upstream}; keepalive 32; keepalive_requests 10000000; }}
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl http2;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        {ask}
        error_page 596 =401 /./absent;
        error_page 495 595 =401 /./failed;
        location = /./absent {{ return 200 "{absent}"; }}
        location = /./failed {{ return 200 "{failed}"; }}
{initial}
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Nginx-Dn $ssl_client_s_dn;
{headers}
        location ^~ /open {{ proxy_pass http://echo; }}
        location ~ ^/(?<rule>[^/]+) {{
            set $access $rule;
            access_by_lua_block {{ require("kcompile.access").run(ngx.var.access) }}
            proxy_pass http://echo;
        }}
    }}
}}
"""
BY_LUA = 'ssl_certificate_by_lua_block { require("ngx.ssl").verify_client() }'
"""Asks for certificates as Kong does; nginx itself then judges none of them."""


def find_engine() -> Engine:
    """Find Debian's nginx with its Lua module; skips the test, saying why, without it."""
    engine = engines.find("debian")
    folder = engine.modules
    if folder is None or not all((folder / name).exists() for name in _MODULES):
        pytest.skip("openresty: libnginx-mod-http-lua is not installed")
    for name in _LIBRARIES:
        if not any((each / name).exists() for each in _LUA_FOLDERS):
            pytest.skip(f"openresty: Lua's {name} is not installed")
    return engine


@dataclass
class Data:
    """What the Lua reads; see lua/kcompile/access.lua."""

    consumers: list[dict[str, Any]] = field(default_factory=list)
    credentials: list[dict[str, Any]] = field(default_factory=list)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    trusts: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def consumer(self, name: str, custom_id: str | None = None) -> str:
        """Add a consumer, whose id it returns."""
        made = f"id-of-{name}"
        self.consumers.append({"id": made, "username": name, "custom_id": custom_id})
        return made

    def credential(self, consumer: str, subject_name: str, authority: Cert | None = None) -> str:
        """Add a credential of a consumer for a name, whose id it returns."""
        made = f"credential-{len(self.credentials)}"
        self.credentials.append(
            {
                "id": made,
                "subject_name": subject_name,
                "consumer": f"id-of-{consumer}",
                "ca_certificate": authority.sha256 if authority else None,
            }
        )
        return made

    def trust(
        self,
        *authorities: Cert,
        partial: bool = False,
        mode: str = "SKIP",
        crls: Sequence[str] = (),
        timeout: int = 2000,
        proxy: tuple[str, int] | None = None,
    ) -> str:
        """Add authorities that are trusted together; return the id, which equal ones share."""
        said = {
            "ca_certificates": [self.add_file("ca", each.cert_pem) for each in authorities],
            "allow_partial_chain": partial,
            "revocation_check_mode": mode,
            "crls": [self.add_file("crls", each) for each in crls],
            "responders": None
            if mode == "SKIP"
            else {
                "timeout": timeout,
                "proxy_host": proxy[0] if proxy else None,
                "proxy_port": proxy[1] if proxy else None,
            },
        }
        for name, known in self.trusts.items():
            if known == said:
                return name
        made = f"trust-{len(self.trusts)}"
        self.trusts[made] = said
        return made

    def step(self, trust: str, *, header: str | None = None, **options: Any) -> dict[str, Any]:
        """Make a step: of mtls-auth, or of header-cert-auth with certificates in a header."""
        made: dict[str, Any] = {
            "plugin": "mtls-auth",
            "trust": trust,
            "by_host": False,
            "skip_consumer_lookup": False,
            "authenticated_group_by": "CN",
            "consumer_by": ["custom_id", "username"],
            "default_consumer": None,
            "anonymous": None,
            "san_dirname_matcher": [],
            "cert_cache_ttl": 60,
        }
        if header is not None:
            made |= {
                "plugin": "header-cert-auth",
                "certificate_header_name": header,
                "certificate_header_format": "base64_encoded",
                "secure_source": False,
            }
        return made | options

    def add_file(self, folder: str, text: str) -> str:
        """Add a file, named by what is in it; gives its digest."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.files[f"tls/{folder}/{digest}.pem"] = text
        return digest

    def json(self) -> str:
        """Give the file that the Lua reads."""
        return json.dumps(
            {
                "rules": self.rules,
                "trusts": self.trusts,
                "consumers": {each["id"]: each for each in self.consumers},
                "mtls_auth_credentials": {each["id"]: each for each in self.credentials},
                "header_cert_auth_credentials": {each["id"]: each for each in self.credentials},
            }
        )


@dataclass(frozen=True)
class Exchange:
    """What came of requests over one connection."""

    answers: list[client.Response]
    session: ssl.SSLSession | None
    resumed: bool


@dataclass(frozen=True)
class Gateway:
    """An nginx that runs, whose locations are called like their rules."""

    running: Running
    upstream: Upstream
    http_port: int
    https_port: int

    def get(
        self,
        path: str,
        cert: Cert | None = None,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        context: ssl.SSLContext | None = None,
        tls: bool = True,
    ) -> client.Response:
        """Request over TLS with a client's certificate, or without."""
        return client.https_request(
            self.https_port if tls else self.http_port,
            "gateway.test",
            path,
            headers=headers,
            client=identity(cert) if cert else None,
            context=context,
            tls=tls,
        )

    def log(self) -> str:
        """Everything nginx said."""
        return self.running.error_log()


def told(response: client.Response) -> dict[str, str]:
    """Give the headers of `HEADERS` that the upstream was sent."""
    assert response.status == 200, response.text
    wanted = {name.lower(): name for name in HEADERS}
    sent = [(wanted.get(name.lower()), value) for name, value in response.json()["headers"]]
    named = [(name, value) for name, value in sent if name]
    assert len(dict(named)) == len(named), named
    return dict(named)


def refusal(response: client.Response) -> str:
    """Give the words with which a request was refused."""
    assert response.status == 401, (response.status, response.text)
    return response.text


def base64_header(cert: Cert) -> str:
    """Encode a certificate for the format base64_encoded."""
    return base64.b64encode(cert.der).decode()


def url_header(*certs: Cert) -> str:
    """Encode certificates for the format url_encoded."""
    return urllib.parse.quote("".join(each.cert_pem for each in certs), safe="")


def write_tree(
    folder: Path,
    data: Data | str,
    upstream: str,
    *,
    ask: str = BY_LUA,
    trusted: str = "127.0.0.1",
    workers: int = 1,
) -> tuple[int, int]:
    """Write a tree that nginx runs on; gives its HTTP and HTTPS ports."""
    engine = find_engine()
    shutil.copytree(_ROOT / "lua", folder / "lua")
    server = pki.leaf(pki.ca("Server Root"), "gateway.test")
    http, https = ports.free_port(), ports.free_port()
    conf = _CONF.format(
        load="".join(f"load_module {engine.modules}/{name};\n" for name in _MODULES),
        workers=workers,
        trusted=trusted,
        upstream=upstream,
        http=http,
        https=https,
        ask=ask,
        absent=ABSENT,
        failed=FAILED,
        initial="".join(f'        set ${name} "";\n' for name in HEADERS.values()),
        headers="".join(f"        proxy_set_header {n} ${v};\n" for n, v in HEADERS.items()),
    )
    files = {
        "nginx.conf": conf,
        "server.pem": server.chain_pem,
        "server.key": server.key_pem,
        "logs/error.log": "",
        "lua/data/access.json": data if isinstance(data, str) else data.json(),
        **({} if isinstance(data, str) else data.files),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder.chmod(0o755)
    return http, https


@contextlib.contextmanager
def serve(folder: Path, data: Data, upstream: Upstream, **options: Any) -> Iterator[Gateway]:
    """Serve rules within the block; see `write_tree`."""
    http, https = write_tree(folder, data, upstream.address, **options)
    with engines.start(find_engine(), folder) as running:
        yield Gateway(running, upstream, http, https)


def context_of(cert: Cert | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Make a client's context; everything that a `Cert` brings along is sent."""
    given = Identity(cert.chain_pem, cert.key_pem) if cert else None
    return client.client_context(client=given, minimum=version, maximum=version)


def exchange(
    port: int, context: ssl.SSLContext, *paths: str, session: ssl.SSLSession | None = None
) -> Exchange:
    """Make requests over one connection, which resumes a session if there is one."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="gateway.test", session=session) as secured,
    ):
        answers = []
        for path in paths:
            secured.sendall(f"GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
            answer = http.client.HTTPResponse(secured)
            answer.begin()
            body = answer.read()
            answers.append(client.Response(answer.status, answer.reason, answer.getheaders(), body))
        return Exchange(answers, secured.session, bool(secured.session_reused))
