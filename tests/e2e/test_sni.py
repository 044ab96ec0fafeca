from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import engines, pki, ports
from support.client import raw_handshake
from support.gateway import check, gateway, write_files

from compiler.cli.gather import Options
from compiler.cli.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.client import Auth
    from support.engines import Engine
    from support.gateway import Gateway
    from support.rawtls import Version

CASES = json.loads((Path(__file__).parents[1] / "data" / "sni_cases.json").read_text())
FORMAT = {"_format_version": "3.0"}
CONF = """\
proxy_listen = 127.0.0.1:{port} ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
nginx_main_worker_processes = 1
ssl_cert = default.pem
ssl_cert_key = default.key
"""


@functools.cache
def cert_of(name: str) -> pki.Cert:
    return pki.leaf(None, cn=name)


DEFAULT = cert_of("the default")


def entities(snis: list[str]) -> dict[str, Any]:
    return {
        **FORMAT,
        "certificates": [
            {"cert": cert_of(s).cert_pem, "key": cert_of(s).key_pem, "snis": [{"name": s}]}
            for s in snis
        ],
    }


def looked_up(name: str | None, snis: list[str]) -> str | None:
    """Give the SNI that Kong finds for a name, letter case and a trailing dot left aside."""
    if name is None:
        return None
    wanted = name.lower().removesuffix(".")
    labels = wanted.split(".")
    tried = [wanted]
    if len(labels) > 2 and all(labels[:2]):
        tried.append(".".join(["*", *labels[1:]]))
    if len(labels) > 1 and labels[-1]:
        tried.append(".".join([*labels[:-1], "*"]))
    given = {sni.lower(): sni for sni in snis}
    return next((given[each] for each in [*tried, "*"] if each in given), None)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
@pytest.mark.usefixtures("capsys")
def test_kongs_own_answers(engine: Engine, workdir: Path, case: dict[str, Any]) -> None:
    with ports.reserve() as (port,):
        files = {"default.pem": DEFAULT.cert_pem, "default.key": DEFAULT.key_pem}
        conf = CONF.format(port=port).replace("default.", f"{workdir}/default.")
        write_files(workdir, {**files, "kong.conf": conf, "kong.yml": entities(case["snis"])})
        options = Options(
            conf=workdir / "kong.conf",
            entities=(str(workdir / "kong.yml"),),
            no_env=True,
            **engine.options,
        )
        assert render(options, workdir / "out", "text", test=False, stdout=False) == 0
        with engines.start(engine, workdir / "out"):
            for request in case["requests"]:
                name = request["name"]
                expected = looked_up(name, case["snis"])
                if name is None or name == name.lower().removesuffix("."):
                    differs = any(sni != sni.lower() for sni in case["snis"])
                    assert differs or expected == request["expect"]
                sent = raw_handshake(port, None if name is None else name.encode())
                assert sent.subject_cn == (expected or DEFAULT.cn), name


@pytest.mark.parametrize("case", [c for c in CASES if c["snis_rejected_by_schema"]])
def test_snis_that_kongs_schema_refuses_are_refused(workdir: Path, case: dict[str, Any]) -> None:
    refused = list(case["snis_rejected_by_schema"])
    code, found = check(workdir, {"kong.yml": entities([*case["snis"], *refused])})
    assert code == 1
    text = (workdir / "kong.yml").read_text().splitlines()
    errors = {text[each["line"] - 1].split("name:")[1].strip(" '") for each in found
              if each["severity"] == "error"}  # fmt: skip
    assert errors == set(refused)


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    certs: dict[str, pki.Cert]

    def cn(self, name: str | None, auth: Auth = "any", **options: Any) -> str | None:
        raw = None if name is None else name.encode()
        return self.gateway.raw_handshake(raw, auth, **options).subject_cn


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    middle = pki.intermediate(pki.ca())
    certs = {
        name: pki.leaf(middle, cn=name, key="rsa" if name.endswith("rsa") else "ec")
        for name in ("default ec", "default rsa", "exact", "prefix", "suffix", "any",
                     "both ec", "both rsa", "only rsa", "only ec")
    }  # fmt: skip

    def entity(cert: str, *snis: str, alternative: str | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"cert": certs[cert].chain_pem, "key": certs[cert].key_pem}
        if alternative is not None:
            made |= {"cert_alt": certs[alternative].chain_pem}
            made |= {"key_alt": certs[alternative].traditional_key_pem}
        return {**made, "snis": [{"name": sni} for sni in snis]}

    files = {
        "kong.conf": "ssl_cert = a.pem, b.pem\nssl_cert_key = a.key, b.key\n",
        "a.pem": certs["default ec"].chain_pem,
        "a.key": certs["default ec"].key_pem,
        "b.pem": certs["default rsa"].chain_pem,
        "b.key": certs["default rsa"].key_pem,
        "kong.yml": {
            **FORMAT,
            "certificates": [
                entity("exact", "a.example.com", "Mixed.Case.Test"),
                entity("prefix", "*.example.com"),
                entity("suffix", "a.example.*", "b.example.*"),
                entity("any", "*"),
                entity("both ec", "ec-first.test", alternative="both rsa"),
                entity("both rsa", "rsa-first.test", alternative="both ec"),
                entity("only rsa", "rsa.test"),
                entity("only ec", "ec.test"),
            ],
        },
    }
    with gateway(engine, folder, files) as running:
        yield Served(running, certs)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.example.com", "exact"),
        ("A.eXaMple.COM", "exact"),
        ("a.example.com.", "exact"),
        ("A.EXAMPLE.COM.", "exact"),
        ("mixed.case.test", "exact"),
        ("MIXED.CASE.TEST", "exact"),
        ("b.example.com", "prefix"),
        ("B.Example.Com.", "prefix"),
        ("a.example.org", "suffix"),
        ("A.EXAMPLE.ORG.", "suffix"),
        ("x.b.example.com", "any"),
        ("example.com", "any"),
        ("other", "any"),
        ("x." + "y" * 63 + ".test", "any"),
        ("127.0.0.1", "any"),
        (None, "default ec"),
    ],
)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_kongs_order_of_precedence(
    served: Served, name: str | None, expected: str, version: Version
) -> None:
    assert served.cn(name, "ecdsa", version=version) == expected


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["ec-first.test", "rsa-first.test"])
def test_two_pairs_serve_rsa_and_ec_by_what_the_client_can(
    served: Served, name: str, version: Version
) -> None:
    for auth, expected in (("rsa", "both rsa"), ("ecdsa", "both ec")):
        sent = served.gateway.raw_handshake(name.encode(), auth, version=version)
        assert sent.chain_ders == [cert.der for cert in served.certs[expected].sent]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_name_with_one_pair_never_gets_the_defaults_other_type(
    served: Served, version: Version
) -> None:
    assert served.cn("rsa.test", "rsa", version=version) == "only rsa"
    assert served.cn("ec.test", "ecdsa", version=version) == "only ec"
    for name, auth in (("rsa.test", "ecdsa"), ("ec.test", "rsa")):
        refused = served.gateway.raw_handshake(name.encode(), auth, version=version)
        assert refused.leaf_der is None
        assert refused.alert == 40


def test_a_client_without_sni_gets_the_default_of_its_type(served: Served) -> None:
    assert served.cn(None, "rsa") == "default rsa"
    assert served.cn(None, "ecdsa") == "default ec"


def test_workers_read_the_keys_although_nginx_was_started_by_root(served: Served) -> None:
    """The handshakes above prove it; this shows that the workers are not root where they may."""
    status = Path(f"/proc/{served.gateway.running.workers()[0]}/status").read_text()
    master = Path(f"/proc/{served.gateway.running.pid}/status").read_text()
    if "Uid:\t0\t" not in master:
        pytest.skip("nginx was not started by root")
    assert "Uid:\t0\t" not in status
    assert served.gateway.handshake("a.example.com").subject_cn == "exact"


def test_the_certificate_does_not_depend_on_routes_or_host(served: Served) -> None:
    answer = served.gateway.get("unknown.test", "/", sni="a.example.com")
    assert answer.status == 404
    assert answer.tls is not None
    assert answer.tls.subject_cn == "exact"


def test_duplicate_snis_are_refused_where_they_are_written(workdir: Path) -> None:
    files = {"kong.yml": entities(["a.test", "A.test"])}
    code, found = check(workdir, files)
    assert code == 1
    (error,) = [each for each in found if each["severity"] == "error"]
    lines = (workdir / "kong.yml").read_text().splitlines()
    assert (error["file"], lines[error["line"] - 1].strip(" -")) == ("kong.yml", "name: A.test")


def test_an_sni_with_a_trailing_dot_is_taken_without_it(engine: Engine, workdir: Path) -> None:
    with gateway(engine, workdir, {"kong.yml": entities(["a.test."])}) as served:
        assert "warning" in served.compiled.stderr
        assert served.raw_handshake(b"a.test").subject_cn == "a.test."
        assert served.raw_handshake(b"a.test.").subject_cn == "a.test."


def test_certificates_of_a_gateway_without_tls_listeners_are_checked_and_left_out(
    engine: Engine, workdir: Path
) -> None:
    with ports.reserve() as (port,):
        files = {
            "kong.conf": f"proxy_listen = 127.0.0.1:{port}\n",
            "kong.yml": entities(["a.test"]),
        }
        with gateway(engine, workdir, files, http_port=port) as served:
            assert not (served.tree / "tls" / "keys").exists()
            assert served.get("a.test", tls=False).status == 404
