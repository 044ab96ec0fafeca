"""K30x to K33x: certificates, keys, certificate authorities and the verification of upstreams."""

from compiler.model.diagnostic import Rule, Severity

MATERIAL_UNREADABLE = Rule(
    code="K300",
    name="certificate-file-unreadable",
    severity=Severity.ERROR,
    message="{setting} names {path}, which cannot be read: {reason}",
    hint="give an existing file, PEM text, or PEM in base64",
)
MATERIAL_INVALID = Rule(
    code="K301",
    name="certificate-invalid",
    severity=Severity.ERROR,
    message="{what} {problem}",
    hint="check that the file or text is complete and in PEM",
)
KEY_MISMATCH = Rule(
    code="K302",
    name="key-mismatch",
    severity=Severity.ERROR,
    message="{what}: the private key does not belong to the certificate ({subject})",
    hint="give the key that was made together with this certificate",
)
CHAIN_ORDER = Rule(
    code="K303",
    name="chain-out-of-order",
    severity=Severity.WARNING,
    message="{what}: {order}; written in the right order",
    hint="put the server's own certificate first, then each issuer",
)
CERTIFICATE_EXPIRED = Rule(
    code="K304",
    name="certificate-expired",
    severity=Severity.WARNING,
    message="{what}: {subject} expired on {date}",
    hint="renew it; clients that verify refuse it",
)
CERTIFICATE_NOT_YET_VALID = Rule(
    code="K305",
    name="certificate-not-yet-valid",
    severity=Severity.WARNING,
    message="{what}: {subject} is valid only from {date}",
    hint="check the clock of the machine that issued it",
)
CA_EXPIRED = Rule(
    code="K306",
    name="ca-certificate-expired",
    severity=Severity.ERROR,
    message="CA certificate {subject} expired on {date}",
    hint="replace it; Kong refuses expired CA certificates before 3.15",
)
CA_FLAG_MISSING = Rule(
    code="K307",
    name="ca-flag-missing",
    severity=Severity.ERROR,
    message="{subject} is not a CA certificate (no basicConstraints CA:TRUE)",
    hint="give the certificate of the authority that signs the upstream's certificate",
)
CA_SEVERAL = Rule(
    code="K308",
    name="ca-certificate-several",
    severity=Severity.ERROR,
    message="a ca_certificates entity holds {count} certificates where exactly one is allowed",
    hint="make one entity for each certificate",
)
SNI_NOT_COVERED = Rule(
    code="K309",
    name="sni-not-covered",
    severity=Severity.WARNING,
    message="the certificate served for {sni} is not valid for that name (it is for {names})",
    hint="add the name to the certificate, or attach the SNI to another one",
)
SNI_UNREACHABLE = Rule(
    code="K310",
    name="sni-unreachable",
    severity=Severity.WARNING,
    message="the SNI {sni} can never match: {reason}",
    hint="a wildcard stands for exactly one whole label, first or last; write the names out",
)
ALT_SAME_TYPE = Rule(
    code="K311",
    name="alternative-same-key-type",
    severity=Severity.ERROR,
    message="cert and cert_alt have the same key type ({key_type})",
    hint="the alternative must be of the other type: one RSA, one EC",
)
CHAIN_INCOMPLETE = Rule(
    code="K312",
    name="chain-incomplete",
    severity=Severity.INFO,
    message="{what}: the chain stops at {subject}, whose issuer {issuer} is not in it",
    hint="append the issuer's certificate unless clients trust it as a root",
)
SELF_SIGNED = Rule(
    code="K313",
    name="self-signed-default",
    severity=Severity.WARNING,
    message="not set: {settings}; a self-signed certificate for localhost is served instead",
    hint="set them with their _key; the self-signed pair is kept from one render to the next",
)
CLIENT_SSL_OFF = Rule(
    code="K314",
    name="client-certificate-unused",
    severity=Severity.WARNING,
    message="{setting} is set, but client_ssl is off: no client certificate is sent to upstreams",
    hint="set client_ssl = on, or remove {setting}",
)
CLIENT_SSL_EMPTY = Rule(
    code="K315",
    name="client-certificate-missing",
    severity=Severity.ERROR,
    message="client_ssl is on, but client_ssl_cert and client_ssl_cert_key are not both set",
    hint="set both, or turn client_ssl off",
)
KEY_TYPE_REPEATED = Rule(
    code="K316",
    name="key-type-repeated",
    severity=Severity.WARNING,
    message="{setting} holds more than one {key_type} certificate; only the last one is served",
    hint="give at most one RSA and one EC certificate",
)
VERIFY_DISABLED = Rule(
    code="K320",
    name="upstream-verify-disabled",
    severity=Severity.ERROR,
    message="{subject} sets {field} to false, but tls_certificate_verify is on ({origin})",
    hint="remove {field}, or turn tls_certificate_verify off",
)
VERIFY_WITHOUT_CA = Rule(
    code="K321",
    name="upstream-verify-without-ca",
    severity=Severity.ERROR,
    message="service {service} is to be verified, but no CA is given to verify it with",
    hint="set ca_certificates of the service, or {setting}",
)
CA_WITHOUT_VERIFY = Rule(
    code="K322",
    name="ca-certificates-without-verify",
    severity=Severity.WARNING,
    message="service {service} has ca_certificates, but nothing verifies: tls_verify is {state}",
    hint="set tls_verify: true",
)
VERIFY_FROM_POLICY = Rule(
    code="K323",
    name="upstream-verify-by-policy",
    severity=Severity.INFO,
    message=(
        "upstreams without CAs of their own are verified with lua_ssl_trusted_certificate "
        "({source}), because tls_certificate_verify is on ({origin})"
    ),
    hint="set {setting} to choose the CAs",
)
SYSTEM_CA_MISSING = Rule(
    code="K324",
    name="system-ca-missing",
    severity=Severity.ERROR,
    message=(
        "service {service} is to be verified with lua_ssl_trusted_certificate, which names no CA "
        "that exists on this machine"
    ),
    hint="name a bundle with --system-ca FILE, or set ca_certificates of the service",
)
VERIFY_IP = Rule(
    code="K325",
    name="upstream-verify-address",
    severity=Severity.WARNING,
    message=(
        "service {service} is verified against the address {address}; a certificate is valid for "
        "it only where it holds that address as a DNS name, as with Kong"
    ),
    hint="give the upstream a name: host, or host_header of its upstream entity",
)
VERIFY_DEPTH_SHALLOW = Rule(
    code="K326",
    name="verify-depth-zero",
    severity=Severity.INFO,
    message="service {service} allows no intermediate certificate (depth 0)",
    hint="set tls_verify_depth to the number of intermediates the upstream sends",
)
TLS_SANS = Rule(
    code="K328",
    name="tls-sans-not-compiled",
    severity=Severity.ERROR,
    message="service {service} sets tls_sans; nginx checks one name only",
    hint="remove tls_sans, or use a host that the upstream's certificate names",
)
TRUSTED_DIRECTIVE_INVALID = Rule(
    code="K329",
    name="injected-tls-directive-invalid",
    severity=Severity.ERROR,
    message="{setting} has the value {value}, where {wanted} is wanted",
    hint="correct the value",
)

RULES = (
    MATERIAL_UNREADABLE, MATERIAL_INVALID, KEY_MISMATCH, CHAIN_ORDER, CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID, CA_EXPIRED, CA_FLAG_MISSING, CA_SEVERAL, SNI_NOT_COVERED,
    SNI_UNREACHABLE, ALT_SAME_TYPE, CHAIN_INCOMPLETE, SELF_SIGNED, CLIENT_SSL_OFF,
    CLIENT_SSL_EMPTY, KEY_TYPE_REPEATED, VERIFY_DISABLED, VERIFY_WITHOUT_CA, CA_WITHOUT_VERIFY,
    VERIFY_FROM_POLICY, SYSTEM_CA_MISSING, VERIFY_IP, VERIFY_DEPTH_SHALLOW,
    TLS_SANS, TRUSTED_DIRECTIVE_INVALID,
)  # fmt: skip
