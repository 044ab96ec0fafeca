from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import BasicConstraints
from support import client, dns, engines, gateway, pki, ports, rawtls, upstreams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Certs
    from support.engines import Engine

ALL_TLS = pytest.mark.parametrize("version", ["1.2", "1.3"])

NGINX = """
error_log logs/error.log;
pid nginx.pid;
worker_processes 1;
events { }
http {
    access_log off;
    ssl_protocols TLSv1.2 TLSv1.3;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    HTTP
}
"""


def write_tree(folder: Path, http: str, certificates: Mapping[str, pki.Cert] | None = None) -> Path:
    tree = folder / "tree"
    for name in ("logs", "tmp"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "nginx.conf").write_text(NGINX.replace("HTTP", http))
    for name, cert in (certificates or {}).items():
        put(tree / f"{name}.crt", cert.chain_pem)
        put(tree / f"{name}.key", cert.key_pem)
    return tree


def put(path: Path, content: str) -> None:
    # A new file, not new content: since 1.27.4 a reload reads only files whose inode or time of
    # modification, in whole seconds, has changed.
    new = path.with_suffix(".new")
    new.write_text(content)
    new.replace(path)


def server(port: int, *certificates: str, names: str = '""', more: str = "") -> str:
    pairs = "".join(f"ssl_certificate {c}.crt; ssl_certificate_key {c}.key; " for c in certificates)
    return (
        f"server {{ listen 127.0.0.1:{port} ssl; server_name {names}; {pairs} "
        f"{more or 'return 200 $ssl_server_name;'} }}\n"
    )


# --- certificates


def test_a_chain_is_the_leaf_and_its_intermediates(certs: Certs) -> None:
    leaf = certs.ec
    assert leaf.chain_pem == leaf.cert_pem + certs.intermediate.cert_pem
    assert leaf.full_chain_pem == leaf.chain_pem + certs.root.cert_pem
    assert leaf.swapped_chain_pem == certs.intermediate.cert_pem + leaf.cert_pem
    assert leaf.root is certs.root
    assert certs.root.chain_pem == certs.root.cert_pem
    assert leaf.cn == "example.com"
    leaf.certificate.verify_directly_issued_by(certs.intermediate.certificate)


def test_odd_certificates() -> None:
    now = datetime.now(UTC)
    assert pki.expired(None, "old.example").certificate.not_valid_after_utc < now
    assert pki.not_yet_valid(None, "new.example").certificate.not_valid_before_utc > now
    assert pki.self_signed("self.example").path[0].issuer is None
    fake = pki.ca("Fake", is_ca=False)
    constraints = fake.certificate.extensions.get_extension_for_class(BasicConstraints)
    assert constraints.value.ca is False
    assert pki.leaf(fake, "a.example").path[-1] is fake
    assert pki.leaf(None, "x" * 70 + ".example").cn == "x" * 64


def test_keys_can_be_encrypted(certs: Certs) -> None:
    pem = certs.rsa.encrypted_key_pem("secret").encode()
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(pem, None)
    serialization.load_pem_private_key(pem, b"secret")
    assert "BEGIN RSA PRIVATE KEY" in certs.rsa.traditional_key_pem


def test_rsa_keys_are_kept_by_name() -> None:
    one, same, other = (pki.leaf(None, n, key="rsa") for n in ("a.test", "a.test", "b.test"))
    assert one.key_pem == same.key_pem != other.key_pem
    assert one.sha256 != same.sha256


# --- ports


def test_reserved_ports_differ_even_between_processes() -> None:
    code = "from support import ports; print(*[ports.free_port() for _ in range(200)])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with ports.reserve(200) as mine:
        said = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment, check=True
        )
        theirs = {int(word) for word in said.stdout.split()}
    assert len(set(mine)) == len(theirs) == 200
    assert not theirs & set(mine)


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_FIRST", number)
        monkeypatch.setattr(ports, "_LAST", number)
        with pytest.raises(RuntimeError, match="no free port"), ports.reserve():
            pass


# --- engines


def test_engines_tell_their_version(engine: Engine) -> None:
    assert engine.version >= (1, 22)
    assert engine.version_text.count(".") == 2


def test_nginx_test_tells_errors(engine: Engine, workdir: Path) -> None:
    assert engines.nginx_test(engine, write_tree(workdir, "")).returncode == 0
    done = engines.nginx_test(engine, write_tree(workdir, "nonsense on;"))
    assert done.returncode != 0
    assert 'unknown directive "nonsense"' in done.stderr


def test_an_engine_that_does_not_start_says_why(engine: Engine, workdir: Path) -> None:
    tree = write_tree(workdir, "nonsense on;")
    with pytest.raises(AssertionError, match='unknown directive "nonsense"'):  # noqa: SIM117
        with engines.start(engine, tree):
            pass


def test_an_engine_stops_also_when_the_test_fails(
    engine: Engine, workdir: Path, certs: Certs
) -> None:
    with ports.reserve() as [port]:
        tree = write_tree(workdir, server(port, "ec"), {"ec": certs.ec})
        with pytest.raises(ZeroDivisionError), engines.start(engine, tree) as running:  # noqa: PT012
            assert running.ports == [port]
            pids = [running.pid, *running.workers()]
            assert len(pids) == 2
            raise ZeroDivisionError
        assert not any(alive(pid) for pid in pids)
        with pytest.raises(ConnectionRefusedError):
            client.handshake(port, "example.com")


def test_an_engine_ends_with_a_parent_that_is_killed(
    engine: Engine, workdir: Path, certs: Certs
) -> None:
    code = (
        "import sys, pathlib, time\nfrom support import engines\n"
        "with engines.start(engines.find(sys.argv[1]), pathlib.Path(sys.argv[2])) as running:\n"
        "    print(running.pid, *running.workers(), flush=True)\n    time.sleep(60)\n"
    )
    with ports.reserve() as [port]:
        tree = write_tree(workdir, server(port, "ec"), {"ec": certs.ec})
        command = [sys.executable, "-c", code, engine.name, str(tree)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
            assert parent.stdout is not None
            pids = [int(word) for word in parent.stdout.readline().split()]
            assert len(pids) == 2
            parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while any(alive(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_reload_takes_a_new_certificate(engine: Engine, workdir: Path, certs: Certs) -> None:
    with ports.reserve() as [port]:
        tree = write_tree(workdir, server(port, "own"), {"own": certs.ec})
        with engines.start(engine, tree) as running:
            assert client.handshake(port, "example.com").sha256 == certs.ec.sha256
            write_tree(workdir, server(port, "own"), {"own": certs.rsa})
            running.reload()
            assert client.handshake(port, "example.com").sha256 == certs.rsa.sha256
            write_tree(workdir, "nonsense on;")
            with pytest.raises(AssertionError, match='unknown directive "nonsense"'):
                running.reload()
            assert client.handshake(port, "example.com").sha256 == certs.rsa.sha256


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a zombie only waits for whoever adopted it


# --- clients


SNI_NAMES = [
    b"example.com",
    b"EXAMPLE.Com",
    b"example.com.",
    b"*.example.com",
    b".example.com",
    b"single",
    b"under_score.example.com",
    b"a..example.com",
    b"x" * 64 + b".example.com",
]


@ALL_TLS
@pytest.mark.parametrize("sni", SNI_NAMES, ids=lambda name: name.decode()[:24])
def test_raw_handshake_sends_any_name(sni: bytes, version: rawtls.Version, certs: Certs) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    upstreams.load_identity(context, upstreams.identity(certs.ec))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        serving = pool.submit(_shake_once, listener, context)
        result = client.raw_handshake(listener.getsockname()[1], sni, version=version)
        serving.result()
    assert result.chain_ders == [certs.ec.der, certs.intermediate.der]
    assert seen == [sni.decode()]


def _shake_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    with (
        plain,
        pytest.raises(OSError, match=r"."),  # the client leaves in the middle
        context.wrap_socket(plain, server_side=True),
    ):
        pass


@ALL_TLS
def test_certificates_by_name(
    engine: Engine, workdir: Path, certs: Certs, version: rawtls.Version
) -> None:
    by_name = {
        name: pki.leaf(certs.intermediate, f"{name}.test")
        for name in ("default", "plain", "wild", "regex")
    }
    with ports.reserve() as [port]:
        http = (
            server(port, "default", names="_")
            + server(port, "plain", names="plain.test under_score.test single")
            + server(port, "wild", names="*.wild.test")
            + server(port, "regex", names=r"~^\.")
        )
        with engines.start(engine, write_tree(workdir, http, by_name)):
            for sni, name in [
                (None, "default"),
                (b"other.test", "default"),
                (b"plain.test", "plain"),
                (b"PLAIN.Test", "plain"),
                (b"plain.test.", "plain"),
                (b"under_score.test", "plain"),
                (b"single", "plain"),
                (b"a.wild.test", "wild"),
                (b"*.wild.test", "wild"),
            ]:
                result = client.raw_handshake(port, sni, version=version)
                assert result.sha256 == by_name[name].sha256, sni
                assert result.subject_cn == f"{name}.test"
                assert result.chain_ders[1:] == [certs.intermediate.der]


@ALL_TLS
def test_clients_of_one_kind_only(
    engine: Engine, workdir: Path, certs: Certs, version: rawtls.Version
) -> None:
    with ports.reserve(2) as [port, only_ec]:
        http = server(port, "ec", "rsa") + server(only_ec, "ec")
        tree = write_tree(workdir, http, {"ec": certs.ec, "rsa": certs.rsa})
        with engines.start(engine, tree):
            rsa = client.raw_handshake(port, b"example.com", "rsa", version=version)
            ecdsa = client.raw_handshake(port, b"example.com", "ecdsa", version=version)
            refused = client.raw_handshake(only_ec, b"example.com", "rsa", version=version)
            assert client.handshake(port, "example.com", auth="rsa").sha256 == certs.rsa.sha256
            assert client.handshake(port, "example.com", auth="ecdsa").sha256 == certs.ec.sha256
    assert (rsa.sha256, ecdsa.sha256) == (certs.rsa.sha256, certs.ec.sha256)
    assert (refused.chain_ders, refused.alert) == ([], 40)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_handshake_resumes(
    engine: Engine, workdir: Path, certs: Certs, maximum: ssl.TLSVersion
) -> None:
    with ports.reserve() as [port]:
        more = "ssl_session_cache shared:s:1m; return 204;"
        tree = write_tree(workdir, server(port, "ec", more=more), {"ec": certs.ec})
        with engines.start(engine, tree):
            first = client.handshake(
                port, "example.com", maximum=maximum, alpn=["http/1.1"], keep_session=True
            )
            second = client.handshake(port, "example.com", resume=first)
            fresh = client.handshake(port, "example.com", maximum=maximum)
    assert first.version == maximum.name.replace("_", ".")
    assert (first.alpn, fresh.alpn, first.subject_cn) == ("http/1.1", None, "example.com")
    assert (first.session_reused, second.session_reused) == (False, True)
    assert fresh.session_reused is False


def test_requests(engine: Engine, workdir: Path, certs: Certs) -> None:
    with ports.reserve(2) as [port, plain]:
        answer = 'add_header X-Target $request_uri; return 200 "$host|$ssl_server_name";'
        http = server(port, "ec", more=answer)
        http += f"server {{ listen 127.0.0.1:{plain}; {answer} }}"
        with engines.start(engine, write_tree(workdir, http, {"ec": certs.ec})):
            got = client.https_request(port, f"example.com:{port}", "/a%2Fb//?x=%00")
            assert (got.status, got.reason, got.text) == (200, "OK", "example.com|example.com")
            assert got.header("x-target") == "/a%2Fb//?x=%00"
            assert got.tls is not None
            assert got.tls.sha256 == certs.ec.sha256
            assert client.https_request(port, "a.test", sni=None).text == "a.test|"
            assert client.https_request(port, "a.test", sni="b.test").text == "a.test|b.test"
            assert client.https_request(plain, "a.test", tls=False).text == "a.test|"
            assert client.https_request(port, "a.test", headers={"host": "c"}).text == "c|a.test"
            odd = client.https_request(port, "a.test", b"/\xff\x80|")
            assert odd.header("x-target") == b"/\xff\x80|".decode("latin-1")
            checked = client.https_request(port, "example.com", ca=certs.root.cert_pem)
            assert checked.status == 200
            with pytest.raises(ssl.SSLCertVerificationError):
                client.https_request(port, "other.com", ca=certs.root.cert_pem)


# --- upstreams


def test_an_upstream_echoes_the_request() -> None:
    with upstreams.upstream(upstreams.Options(name="blue", status=418)) as echo:
        got = client.https_request(
            echo.port,
            "a.test",
            "/x%2fy?z",
            method="POST",
            headers=[("X-A", "1"), ("X-A", "2")],
            body=b"hello",
            tls=False,
        )
        assert got.status == 418
        said = got.json()
        assert said == echo.last
    assert (said["method"], said["target"], said["body"]) == ("POST", "/x%2fy?z", "hello")
    assert said["headers"] == [
        ["Host", "a.test"],
        ["Connection", "close"],
        ["Content-Length", "5"],
        ["X-A", "1"],
        ["X-A", "2"],
    ]
    assert (said["upstream"], said["connection"], said["tls"]) == ("blue", 1, None)


def test_an_upstream_tells_of_tls(certs: Certs) -> None:
    other = pki.leaf(certs.root, "other.test")
    options = upstreams.Options(
        identity=upstreams.identity(certs.ec),
        by_sni={"other.test": upstreams.identity(other)},
        client_ca=certs.root.cert_pem,
        maximum=ssl.TLSVersion.TLSv1_2,
    )
    with upstreams.upstream(options) as echo:
        anonymous = client.https_request(echo.port, "a.test").json()["tls"]
        known = client.https_request(echo.port, "a.test", client=upstreams.identity(certs.client))
        assert client.handshake(echo.port, "other.test").sha256 == other.sha256
        assert client.handshake(echo.port, "a.test").sha256 == certs.ec.sha256
    assert (anonymous["sni"], anonymous["version"]) == ("a.test", "TLSv1.2")
    assert (anonymous["client"], anonymous["resumed"]) == (None, False)
    assert known.json()["tls"]["client"] == {
        "sha256": certs.client.sha256,
        "subject": "CN=client.example",
        "chain_length": 2,
    }


def test_an_upstream_that_demands_a_client_certificate_refuses_others(certs: Certs) -> None:
    options = upstreams.Options(
        identity=upstreams.identity(certs.ec),
        client_ca=certs.root.cert_pem,
        demand_client=True,
        maximum=ssl.TLSVersion.TLSv1_2,
    )
    with upstreams.upstream(options) as echo:
        with pytest.raises(ssl.SSLError):
            client.https_request(echo.port, "a.test")
        good = client.https_request(echo.port, "a.test", client=upstreams.identity(certs.client))
    assert good.status == 200
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in echo.failures[0]


def test_nginx_before_an_upstream(engine: Engine, workdir: Path, certs: Certs) -> None:
    short = pki.leaf(certs.root, "short.test", client=True)
    options = upstreams.Options(
        identity=upstreams.identity(certs.ec),
        client_ca=certs.root.cert_pem + certs.intermediate.cert_pem,
    )
    with upstreams.upstream(options) as echo, ports.reserve() as [port]:
        more = (
            "location / {{ proxy_pass https://{0}; proxy_http_version 1.1; "
            'proxy_set_header Connection "{2}"; proxy_ssl_name {1}.test; '
            "proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3; "
            "proxy_ssl_certificate {1}.crt; proxy_ssl_certificate_key {1}.key; }}"
        )
        http = (
            f"upstream kept {{ server {echo.address}; keepalive 8; }}\n"
            + server(port, "ec", names="kept", more=more.format("kept", "client", ""))
            + server(port, "ec", names="fresh", more=more.format(echo.address, "short", "close"))
        )
        tree = write_tree(workdir, http, {"ec": certs.ec, "client": certs.client, "short": short})
        with engines.start(engine, tree):
            kept = [client.https_request(port, "kept").json() for _ in range(3)]
            fresh = [client.https_request(port, "fresh").json() for _ in range(2)]
    assert [each["connection"] for each in kept] == [1, 1, 1]
    assert [each["connection"] for each in fresh] == [2, 3]
    assert [each["tls"]["resumed"] for each in fresh] == [False, True]
    assert kept[0]["tls"]["sni"] == "client.test"
    assert kept[0]["tls"]["client"]["sha256"] == certs.client.sha256
    assert kept[0]["tls"]["client"]["chain_length"] == 2
    assert fresh[0]["tls"]["client"]["sha256"] == short.sha256
    assert fresh[0]["tls"]["client"]["chain_length"] == 1


def test_nothing_stays_behind(certs: Certs) -> None:
    def state() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = state()
    options = upstreams.Options(identity=upstreams.identity(certs.ec))
    with upstreams.upstream(options) as echo, upstreams.upstream() as plain, dns.name_server():
        client.https_request(echo.port, "a.test")
        # One that says nothing, one that breaks off its handshake, one that speaks no TLS.
        idle = [socket.create_connection(("127.0.0.1", p)) for p in (echo.port, plain.port)]
        client.raw_handshake(echo.port, b"a.test")
        with socket.create_connection(("127.0.0.1", echo.port)) as wrong:
            wrong.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                wrong.recv(100)
        deadline = time.monotonic() + 5
        while len(echo.failures) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    for each in idle:
        each.close()
    assert len(echo.failures) == 2
    assert state() == before


# --- names


def test_nginx_asks_the_name_server(engine: Engine, workdir: Path, certs: Certs) -> None:
    with (
        upstreams.upstream() as echo,
        dns.name_server({"known.test": ["127.0.0.1"]}) as names,
        ports.reserve() as [port],
    ):
        http = f"resolver 127.0.0.1:{names.port} ipv6=off;" + server(
            port, "ec", more=f"location / {{ proxy_pass http://$host:{echo.port}; }}"
        )
        with engines.start(engine, write_tree(workdir, http, {"ec": certs.ec})):
            assert client.https_request(port, "known.test").json()["target"] == "/"
            assert client.https_request(port, "unknown.test").status == 502
        assert names.asked == ["known.test", "unknown.test"]


# --- the gateway


def test_a_gateway_that_does_not_compile_says_why(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines.Engine("any", Path("/none"), (1, 2, 3))
    fake = workdir / "compiler.py"
    fake.write_text("import sys; sys.exit(f'no: {sys.argv[1:]}')")
    monkeypatch.setattr(gateway, "_ROOT", workdir)
    files: dict[str, gateway.FileContent] = {"kong.yml": {"_format_version": "3.0"}}
    with pytest.raises(AssertionError, match=r"ended with 1, not 0:\nno: \['render', '-o'"):
        gateway.compile_tree(engine, workdir, files)
    done = gateway.compile_tree(engine, workdir, files, args=["--odd"], exit_code=1)
    assert "'-e', 'kong.yml', '--no-env', '--nginx-version', '1.2.3', '--odd'" in done.stderr


def test_a_gateway_that_compiles_is_served(
    engine: Engine, workdir: Path, certs: Certs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = workdir / "ready"
    ready.mkdir()
    # In the compiler's place: it puts the ports of proxy_listen into a tree made beforehand.
    tree = write_tree(ready, server(1, "ec") + "server { listen 127.0.0.1:2; return 204; }")
    (workdir / "compiler.py").write_text(
        "import pathlib, re, shutil, sys\n"
        "out, conf = pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[5]).read_text()\n"
        "http, https = re.search(r'1:(\\d+), 127.0.0.1:(\\d+) ssl', conf).groups()\n"
        f"shutil.copytree({str(tree)!r}, out)\n"
        "text = (out / 'nginx.conf').read_text()\n"
        "text = text.replace('.1:1 ', f'.1:{https} ').replace('.1:2;', f'.1:{http};')\n"
        "(out / 'nginx.conf').write_text(text)\n"
    )
    monkeypatch.setattr(gateway, "_ROOT", workdir)
    files = {"kong.conf": "# nothing"}
    for kind in ("crt", "key"):
        put(tree / f"ec.{kind}", certs.ec.chain_pem if kind == "crt" else certs.ec.key_pem)
    with gateway.gateway(engine, workdir, files) as gate:
        assert gate.ports == sorted([gate.http_port, gate.https_port])
        assert gate.get("a.test").text == "a.test"
        assert gate.get("a.test", tls=False).status == 204
        assert gate.handshake("a.test").sha256 == certs.ec.sha256
        assert gate.raw_handshake(b".a").sha256 == certs.ec.sha256
        gate.reload()
        assert "[emerg]" not in gate.error_log()
