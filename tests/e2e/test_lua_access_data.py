"""Trees that are broken keep nginx from starting; nobody passes by what is missing."""

from __future__ import annotations

import base64
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import access, engines, pki, upstreams
from support.access import FAILED, Data, refusal, told
from support.client_certs import client, revocations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.debian

ROOT = pki.ca("Clients")
ALICE = client(ROOT, "alice")


def make_data() -> Data:
    data = Data()
    data.consumer("alice", "a-1")
    data.credential("alice", "alice", ROOT)
    trust = data.trust(ROOT, mode="STRICT", crls=[revocations(ROOT)])
    data.rules = {"mtls": [data.step(trust)], "header": [data.step(trust, header="X-Cert")]}
    return data


def refusal_to_start(folder: Path) -> str:
    """Give nginx's words, if it does not start on a tree."""
    # nginx -t would not do: the module runs no Lua in it.
    try:
        with engines.start(access.find_engine(), folder):
            return ""
    except AssertionError as error:
        return str(error)


def starts(folder: Path, data: Data | str) -> str:
    """Give nginx's words, if it does not start on data."""
    access.write_tree(folder, data, "127.0.0.1:1")
    return refusal_to_start(folder)


def test_whole_data(tmp_path: Path) -> None:
    assert starts(tmp_path, make_data()) == ""


def test_configurations_that_lack_something(tmp_path: Path) -> None:
    http, https = access.write_tree(tmp_path, make_data(), "127.0.0.1:1")
    conf = tmp_path / "nginx.conf"
    whole = conf.read_text()
    conf.write_text(whole.replace("lua_shared_dict kcompile_intermediates", "lua_shared_dict x"))
    assert "there is no lua_shared_dict kcompile_intermediates" in refusal_to_start(tmp_path)
    conf.write_text(
        whole.replace('set $consumer_id "";', "").replace("X-Consumer-ID $consumer_id", "X x")
    )
    with engines.start(access.find_engine(), tmp_path) as running:
        upstream = upstreams.Upstream(1, upstreams.Options())
        gateway = access.Gateway(running, upstream, http, https)
        assert gateway.get("/mtls", ALICE).status == 500


def test_reloads(tmp_path: Path) -> None:
    """Broken data keeps nginx at what it had read before."""
    path = tmp_path / "lua/data/access.json"
    with upstreams.upstream() as upstream, access.serve(tmp_path, make_data(), upstream) as gateway:
        whole = path.read_text()
        path.write_text(whole.replace("STRICT", "strict"))
        gateway.running.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while "does not say how it verifies" not in gateway.log():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert told(gateway.get("/mtls", ALICE))
        path.write_text(whole.replace('"id-of-alice"', '"renamed"'))
        gateway.running.reload()
        assert told(gateway.get("/mtls", ALICE))["X-Consumer-ID"] == "renamed"


def test_pem_files_of_several_certificates(tmp_path: Path) -> None:
    data = make_data()
    both = pki.ca("Others").cert_pem + "\n" + ROOT.cert_pem
    trust = data.trust()
    data.trusts[trust]["ca_certificates"] = [data.add_file("ca", both)]
    data.rules["both"] = [data.step(trust)]
    with upstreams.upstream() as upstream, access.serve(tmp_path, data, upstream) as gateway:
        assert told(gateway.get("/both", ALICE))


def test_unknown_rules(tmp_path: Path) -> None:
    data = make_data()
    with upstreams.upstream() as upstream, access.serve(tmp_path, data, upstream) as gateway:
        for path in ("/unknown", "/__index", "/MTLS", "/mtls%00"):
            assert gateway.get(path, ALICE).status in (400, 500)
        assert not upstream.requests


@pytest.mark.parametrize(
    ("module", "function"),
    [("verification", "verify"), ("consumers", "find"), ("client_certificate", "from_connection")],
)
def test_errors_refuse(tmp_path: Path, module: str, function: str) -> None:
    data = make_data()
    http, https = access.write_tree(tmp_path, data, "127.0.0.1:1")
    path = tmp_path / f"lua/kcompile/{module}.lua"
    fault = f'_M.{function} = function() error("a fault") end\n\nreturn _M\n'
    path.write_text(path.read_text().removesuffix("return _M\n") + fault)
    with engines.start(access.find_engine(), tmp_path) as running:
        gateway = access.Gateway(running, upstreams.Upstream(1, upstreams.Options()), http, https)
        assert refusal(gateway.get("/mtls", ALICE)) == FAILED
        assert "[mtls-auth] " in gateway.log()
        assert "a fault" in gateway.log()


def without(field: str) -> Callable[[Data], object]:
    return lambda data: data.rules["header"][0].pop(field)


def other(field: str, value: Any) -> Callable[[Data], object]:
    return lambda data: data.rules["header"][0].__setitem__(field, value)


def in_trust(field: str, value: Any) -> Callable[[Data], object]:
    return lambda data: data.trusts["trust-0"].__setitem__(field, value)


def file(folder: str, text: str) -> Callable[[Data], object]:
    field = "ca_certificates" if folder == "ca" else folder
    return lambda data: data.trusts["trust-0"].__setitem__(field, [data.add_file(folder, text)])


def with_a_byte(pem: str) -> str:
    first, *body, last = pem.splitlines()
    der = base64.b64decode("".join(body)) + bytes(1)
    return f"{first}\n{base64.b64encode(der).decode()}\n{last}\n"


def spoil(data: Data) -> None:
    for name in data.files:
        data.files[name] += "\n"


REQUIRED = [
    name for name in make_data().rules["header"][0] if name not in {"default_consumer", "anonymous"}
]
BROKEN: dict[str, Callable[[Data], object]] = {
    **{f"no {field}": without(field) for field in REQUIRED},
    "another plugin": other("plugin", "key-auth"),
    "another trust": other("trust", "trust-1"),
    "another group": other("authenticated_group_by", "OU"),
    "another field of consumers": other("consumer_by", ["id"]),
    "another format": other("certificate_header_format", "pem"),
    "words for yes": other("secure_source", "false"),
    "unknown default": other("default_consumer", "alice"),
    "unknown anonymous": other("anonymous", "alice"),
    "no steps": lambda data: data.rules.__setitem__("empty", []),
    "no authorities": in_trust("ca_certificates", []),
    "unknown mode": in_trust("revocation_check_mode", "strict"),
    "no mode": in_trust("revocation_check_mode", None),
    "words for a partial chain": in_trust("allow_partial_chain", "false"),
    "missing file": in_trust("ca_certificates", ["0" * 64]),
    "missing lists": in_trust("crls", None),
    "missing list": in_trust("crls", ["0" * 64]),
    "no word of responders": in_trust("responders", None),
    "responders without a time": in_trust(
        "responders", {"timeout": None, "proxy_host": None, "proxy_port": None}
    ),
    "a proxy without a port": in_trust(
        "responders", {"timeout": 9, "proxy_host": "a.test", "proxy_port": None}
    ),
    "path for a digest": in_trust("ca_certificates", ["../../server"]),
    "changed files": spoil,
    "empty file": file("ca", "\n"),
    "broken certificate": file("ca", ROOT.cert_pem.replace("A", "B", 5)),
    "certificate cut": file("ca", ROOT.cert_pem[:-20]),
    "key for a certificate": file("ca", ROOT.key_pem),
    "list for a certificate": file("ca", revocations(ROOT)),
    "certificate for a list": file("crls", ROOT.cert_pem),
    "list and a byte": file("crls", with_a_byte(revocations(ROOT))),
    "credential of nobody": lambda data: data.credentials[0].__setitem__("consumer", "x"),
    "credential twice": lambda data: data.credential("alice", "alice", ROOT),
    "header in a username": lambda data: data.consumer("bob\r\nX-Consumer-ID: id-of-alice"),
    "header in a custom id": lambda data: data.consumer("bob", "b\nX-Consumer-ID: id-of-alice"),
    "custom id twice": lambda data: data.consumer("bob", "a-1"),
    "nameless credential": lambda data: data.credential("alice", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data(tmp_path: Path, name: str) -> None:
    data = make_data()
    BROKEN[name](data)
    said = starts(tmp_path, data)
    assert "init_by_lua error" in said
    assert "PRIVATE" not in said


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", '{"rules": {}}'])
def test_broken_files(tmp_path: Path, text: str) -> None:
    assert "init_by_lua error" in starts(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    access.write_tree(tmp_path, make_data(), "127.0.0.1:1")
    (tmp_path / "lua/data/access.json").unlink()
    assert "access.json" in refusal_to_start(tmp_path)
