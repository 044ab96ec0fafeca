"""Make the benchmark's input: `python generate.py COUNT FOLDER`.

COUNT services over https, each with a route, a certificate with a key of its own, and an SNI.
One service in ten is verified with a private CA, the others with the gateway's default. Beside
kong.conf and kong.yml stands caddy.json: the same names, certificates and upstreams for Caddy.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

CA_ID = "6f0dba9c-9d17-4f53-8d3a-6d2b4fd6c001"
NOW = datetime.now(UTC)

CONF = """\
proxy_listen = 127.0.0.1:18000, 127.0.0.1:18443 http2 ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
dns_resolver = 127.0.0.1
tls_certificate_verify = on
lua_ssl_trusted_certificate = {folder}/default-ca.pem
"""

SERVICE = """\
- name: service-{n}
  id: 00000000-0000-4000-8000-0000000{n}
  protocol: https
  host: backend-{n}.internal
  port: 8443
  path: /v1
  connect_timeout: 60000
  read_timeout: 60000
  write_timeout: 60000
  retries: 5{ca}
  tags:
  - benchmark
  routes:
  - name: route-{n}
    id: 00000000-0000-4000-9000-0000000{n}
    hosts:
    - {name}
    paths:
    - /
    protocols:
    - https
    https_redirect_status_code: 426
    preserve_host: false
    strip_path: true
    request_buffering: true
    response_buffering: true
"""

CERTIFICATE = """\
- id: 00000000-0000-4000-a000-0000000{n}
  cert: |
{cert}  key: |
{key}  snis:
  - name: {name}
"""

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make(name: str, issuer: Pair | None) -> Pair:
    """Make a certificate authority, or with *issuer* a server's certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(pair: Pair) -> tuple[str, str]:
    """Return a pair's certificate and key as text."""
    key = pair[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pair[0].public_bytes(Encoding.PEM).decode(), key.decode()


def main(count: int, folder: Path) -> None:
    """Write the input for *count* services to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, default_ca = make("private.ca", None), make("default.ca", None)
    issuer = make("public.ca", None)
    names = [f"name-{n:05}.example.com" for n in range(count)]
    pairs = [pem(make(name, issuer)) for name in names]
    (folder / "default-ca.pem").write_text(pem(default_ca)[0])
    (folder / "kong.conf").write_text(CONF.format(folder=folder))
    (folder / "kong.yml").write_text(entities(names, pairs, pem(ca)[0]))
    roots = [root[0].public_bytes(Encoding.DER) for root in (ca, default_ca)]
    (folder / "caddy.json").write_text(json.dumps(caddy(names, pairs, roots)))


def has_own_ca(number: int) -> bool:
    """Tell whether a service is verified with the private CA."""
    return number % 10 == 0


def entities(names: list[str], pairs: list[tuple[str, str]], ca: str) -> str:
    """Return the declarative entities."""
    own_ca = f"\n  ca_certificates:\n  - {CA_ID}"
    services = "".join(
        SERVICE.format(n=f"{n:05}", name=name, ca=own_ca * has_own_ca(n))
        for n, name in enumerate(names)
    )
    certificates = "".join(
        CERTIFICATE.format(
            n=f"{n:05}", cert=indent(cert, "    "), key=indent(key, "    "), name=name
        )
        for n, (name, (cert, key)) in enumerate(zip(names, pairs, strict=True))
    )
    return (
        f'_format_version: "3.0"\nservices:\n{services}certificates:\n{certificates}'
        f"ca_certificates:\n- id: {CA_ID}\n  cert: |\n{indent(ca, '    ')}"
    )


def caddy(names: list[str], pairs: list[tuple[str, str]], roots: list[bytes]) -> dict[str, Any]:
    """Return Caddy's configuration for the same traffic."""
    trusted = [[b64encode(root).decode()] for root in roots]
    routes = [
        {
            "match": [{"host": [name]}],
            "handle": [
                {
                    "handler": "reverse_proxy",
                    "upstreams": [{"dial": f"backend-{n:05}.internal:8443"}],
                    "transport": {
                        "protocol": "http",
                        "tls": {
                            "ca": {
                                "provider": "inline",
                                "trusted_ca_certs": trusted[1 - has_own_ca(n)],
                            }
                        },
                    },
                }
            ],
            "terminal": True,
        }
        for n, name in enumerate(names)
    ]
    server = {
        "listen": ["127.0.0.1:18443"],
        "routes": routes,
        "tls_connection_policies": [{}],
        "automatic_https": {"disable": True},
    }
    loaded = [{"certificate": cert, "key": key} for cert, key in pairs]
    return {
        "admin": {"disabled": True},
        "apps": {
            "http": {"servers": {"proxy": server}},
            "tls": {"certificates": {"load_pem": loaded}},
        },
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).resolve())
