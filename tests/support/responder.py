"""A responder (OCSP) for tests, which counts what it is asked and answers as it is told."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from support import client_certs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.pki import Cert

Said = Literal["good", "revoked", "held", "unknown"]

_STATUSES = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "held": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}
_REASONS = {
    "revoked": x509.ReasonFlags.unspecified,
    "held": x509.ReasonFlags.certificate_hold,
}
_HOUR = timedelta(hours=1)


def signed(
    cert: Cert,
    status: Said,
    signer: Cert | None = None,
    *,
    since: timedelta = -_HOUR,
    ends: timedelta | None = _HOUR,
    issuer: Cert | None = None,
) -> bytes:
    """Make an answer about a certificate, signed by its issuer or by `signer`, as DER."""
    issuer = issuer or cert.issuer
    assert issuer is not None
    signer = signer or issuer
    now = datetime.now(UTC).replace(microsecond=0)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=cert.certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA1(),  # noqa: S303 - it names certificates, and proves nothing
        cert_status=_STATUSES[status],
        this_update=now + since,
        next_update=None if ends is None else now + ends,
        revocation_time=now - _HOUR if status in _REASONS else None,
        revocation_reason=_REASONS.get(status),
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if signer is not issuer:
        builder = builder.certificates([signer.certificate])
    answer = builder.sign(signer.key, hashes.SHA256())
    return answer.public_bytes(serialization.Encoding.DER)


@dataclass
class Responder:
    """A responder on 127.0.0.1; `answers` may be changed while it runs.

    If there are `pieces`, they are all that is sent, one after another.
    """

    port: int
    answers: dict[int, bytes] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    status: int = 200
    delay: float = 0
    padding: int = 0
    cut: bool = False
    pieces: Sequence[bytes] = ()

    @property
    def url(self) -> str:
        """Give its address."""
        return f"http://127.0.0.1:{self.port}/ocsp"

    def names(self, url: str | None = None) -> x509.AuthorityInformationAccess:
        """Give the extension by which certificates name it, or another one."""
        where = x509.UniformResourceIdentifier(url or self.url)
        method = AuthorityInformationAccessOID.OCSP
        return x509.AuthorityInformationAccess([x509.AccessDescription(method, where)])

    def certify(
        self, issuer: Cert, name: str = "alice", *, url: str | None = None, authority: bool = False
    ) -> Cert:
        """Make a client's certificate (or an authority's) that names it."""
        extensions = [self.names(url)]
        return client_certs.client(issuer, name, extensions=extensions, authority=authority)

    def says(self, cert: Cert, answer: bytes | Said) -> None:
        """Answer so from now on when it is asked about a certificate."""
        text = answer if isinstance(answer, bytes) else signed(cert, answer)
        self.answers[cert.certificate.serial_number] = text

    @contextlib.contextmanager
    def sending(self, **options: Any) -> Iterator[None]:
        """Send answers otherwise within the block."""
        before = {name: getattr(self, name) for name in options}
        vars(self).update(options)
        try:
            yield
        finally:
            vars(self).update(before)

    def count(self, cert: Cert) -> int:
        """Tell how often it was asked about a certificate."""
        return self.asked.count(cert.certificate.serial_number)


@contextlib.contextmanager
def responder() -> Iterator[Responder]:
    """Answer within the block."""
    made: list[Responder] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/ocsp-request"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            serial = ocsp.load_der_ocsp_request(body).serial_number
            state = made[0]
            state.asked.append(serial)
            state.targets.append(self.path)
            time.sleep(state.delay)
            with contextlib.suppress(OSError):
                self._answer(state, state.answers.get(serial, b""))

        def _answer(self, state: Responder, text: bytes) -> None:
            for piece in state.pieces:
                self.connection.sendall(piece)
                time.sleep(0.001)
            if not state.pieces:
                self._answer_whole(state, text)
            self.close_connection = bool(state.pieces) or state.cut

        def _answer_whole(self, state: Responder, text: bytes) -> None:
            self.send_response(state.status)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("X-Padding", "0" * state.padding)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[:-1] if state.cut else text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.append(Responder(server.server_port))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made[0]
        finally:
            server.shutdown()
            thread.join()
