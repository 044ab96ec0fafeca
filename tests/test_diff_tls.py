from __future__ import annotations

from typing import TYPE_CHECKING

from support import pki
from support.diffing import CA_ID, CERT_ID, OTHER_CA_ID, pair, service, services

if TYPE_CHECKING:
    from conftest import Certs
    from support.diffing import Sides

# Upstream TLS


def test_verification_that_ends(sides: Sides) -> None:
    conf = "nginx_proxy_proxy_ssl_trusted_certificate = ca.crt\n"
    (sides.folder / "ca.crt").write_text(pki.ca().cert_pem)
    sides.write(services(tls_verify=True), services(tls_verify=False), conf)
    change = sides.changes()["upstream-verify-removed"]
    assert (change["risk"], change["before"], change["after"]) == ("weakens", True, False)
    assert change["message"].startswith(
        "billing: upstream no longer verified (services.billing.tls_verify (new/kong.json:"
    )


def test_a_global_setting_changes_every_service(sides: Sides) -> None:
    (sides.folder / "ca.crt").write_text(pki.ca().cert_pem)
    conf = "nginx_proxy_proxy_ssl_trusted_certificate = ca.crt\nnginx_proxy_proxy_ssl_verify = "
    both = {"services": [service("a"), service("b")]}
    sides.write(both, both, conf + "off\n", conf + "on\n")
    assert sides.messages() == [
        "nginx_proxy_proxy_ssl_verify: off → on (new/kong.conf:3:1)",
        "a: upstream now verified (nginx_proxy_proxy_ssl_verify (new/kong.conf:3:1))",
        "b: upstream now verified (nginx_proxy_proxy_ssl_verify (new/kong.conf:3:1))",
    ]
    assert {c["risk"] for c in sides.document()["changes"]} == {"strengthens"}


def test_the_ca_set_and_the_depth(sides: Sides) -> None:
    first, second = pki.ca("First"), pki.ca("Second")
    cas = [{"id": CA_ID, "cert": first.cert_pem}, {"id": OTHER_CA_ID, "cert": second.cert_pem}]
    old, new = (
        {"ca_certificates": cas, "services": [service(tls_verify=True, **fields)]}
        for fields in (
            {"ca_certificates": [CA_ID], "tls_verify_depth": 1},
            {"ca_certificates": [CA_ID, OTHER_CA_ID], "tls_verify_depth": 3},
        )
    )
    sides.write(old, new)
    changes = sides.changes()
    change = changes["upstream-ca-set-changed"]
    assert change["risk"] == "weakens"
    assert f"trusts CN=Second, sha256:{second.sha256[:16]}" in change["message"]
    assert changes["upstream-verify-depth-changed"]["after"] == 3
    sides.write(new, old)
    assert sides.changes()["upstream-ca-set-changed"]["risk"] == "strengthens"


def test_the_client_certificate(sides: Sides, certs: Certs) -> None:
    renewed = pki.leaf(certs.intermediate, "client.example", client=True)
    old, new = (
        {"certificates": [pair(cert, id=CERT_ID)], **services(client_certificate=CERT_ID)}
        for cert in (certs.client, renewed)
    )
    sides.write(old, new)
    change = sides.changes()["upstream-client-certificate-changed"]
    assert certs.client.sha256[:16] in change["before"]
    assert renewed.sha256[:16] in change["after"]
    sides.write(old, {"certificates": old["certificates"], **services()})
    assert sides.changes()["upstream-client-certificate-removed"]["risk"] == "weakens"


def test_an_upstream_that_loses_tls(sides: Sides) -> None:
    sides.write(services(), services(url="http://billing.internal:8443"))
    change = sides.changes()["upstream-tls-removed"]
    assert (change["risk"], change["before"], change["after"]) == ("weakens", "https", "http")


def test_the_name_that_is_verified(sides: Sides) -> None:
    sides.write(services(), services(url="https://other.internal:8443"))
    change = sides.changes()["upstream-name-changed"]
    assert (change["before"], change["after"]) == ("billing.internal", "other.internal")


# Server certificates


def test_a_replaced_certificate(sides: Sides, certs: Certs) -> None:
    renewed = pki.leaf(certs.intermediate, "example.com")
    # No id is written: the certificate is known by its SNIs.
    old, new = ({"certificates": [pair(c, "example.com")]} for c in (certs.ec, renewed))
    sides.write(old, new)
    changes = sides.changes()
    assert changes.keys() == {"certificate-changed", "server-certificate-changed"}
    change = changes["server-certificate-changed"]
    expiry = f"{renewed.certificate.not_valid_after_utc:%Y-%m-%d}"
    assert change["message"].startswith(
        "example.com: certificate replaced: CN=example.com, sha256:"
    )
    assert change["message"].endswith(f"sha256:{renewed.sha256[:16]}, expires {expiry}")
    assert changes["certificate-changed"]["before"].keys() >= {"cert", "key"}


def test_a_name_that_falls_back(sides: Sides, certs: Certs) -> None:
    wild = pki.leaf(certs.root, "*.example.com")
    both = [pair(certs.ec, "a.example.com"), pair(wild, "*.example.com")]
    sides.write({"certificates": both}, {"certificates": both[1:]})
    message = sides.changes()["server-certificate-changed"]["message"]
    assert message.startswith(
        "a.example.com: now answered by the wildcard *.example.com, was by its own SNI: "
    )
    for name, text in (("d.crt", certs.rsa.chain_pem), ("d.key", certs.rsa.key_pem)):
        (sides.folder / name).write_text(text)
    conf = "ssl_cert = d.crt\nssl_cert_key = d.key\n"
    sides.write({"certificates": both[:1]}, {}, conf)
    change = sides.changes()["server-certificate-changed"]
    assert change["risk"] == "weakens"
    assert "now answered by the default certificate" in change["message"]


def test_the_default_certificate(sides: Sides, certs: Certs) -> None:
    for name, text in (("d.crt", certs.ec.chain_pem), ("d.key", certs.ec.key_pem)):
        (sides.folder / name).write_text(text)
    sides.write({}, {}, "", "ssl_cert = d.crt\nssl_cert_key = d.key\n")
    change = next(
        c for c in sides.document()["changes"] if c["kind"] == "server-certificate-changed"
    )
    assert (change["risk"], change["entity"]["type"]) == ("strengthens", "default_certificate")
    assert change["message"].startswith("clients without SNI: certificate replaced: self-signed → ")


def test_the_rule_alone(sides: Sides, certs: Certs) -> None:
    old, new = ({"certificates": [pair(certs.ec, *names)]}
                for names in (["*.example.com", "a.example.com"], ["*.example.com"]))  # fmt: skip
    sides.write(old, new)
    change = sides.changes()["server-name-rule-changed"]
    assert "same certificate, now by the wildcard *.example.com" in change["message"]
