"""K50x: who may come in."""

from compiler.model.diagnostic import Rule, Severity

TRUST_DIFFERS = Rule(
    code="K500",
    name="client-trust-not-compiled",
    severity=Severity.ERROR,
    message=(
        "routes {one} and {other} may both be asked for by {name}, and {difference}; nginx "
        "verifies a client once, before it knows the route"
    ),
    hint=(
        "give the routes hosts (or snis) of their own, let both plugins trust the same "
        "ca_certificates, or compile for --target openresty"
    ),
)
LOOKUP_BY_SAN = Rule(
    code="K501",
    name="client-names-not-compiled",
    severity=Severity.WARNING,
    message=(
        "plugin mtls-auth ({scope}): nginx does not know the subject alternative names of a "
        "certificate: clients that have some are taken for no consumer, others are known by their "
        "common name"
    ),
    hint=(
        "give clients certificates without such names, set skip_consumer_lookup if any certificate "
        "that is trusted will do, or compile for --target openresty"
    ),
)
SAN_HEADER = Rule(
    code="K502",
    name="client-san-header-not-compiled",
    severity=Severity.INFO,
    message=(
        "plugin mtls-auth ({scope}): upstreams are not told X-Client-Cert-San, as nginx does not "
        "know the subject alternative names of a certificate"
    ),
    hint="let upstreams go by X-Client-Cert-Dn, or compile for --target openresty",
)
PARTIAL_CHAIN = Rule(
    code="K503",
    name="client-partial-chain-not-compiled",
    severity=Severity.ERROR,
    message=(
        "plugin mtls-auth ({scope}): allow_partial_chain trusts {subject} without {issuer}, which "
        "certifies it; nginx, where lists tell who was revoked, refuses all whose chain ends there"
    ),
    hint=(
        "compile for --target openresty; or add the root to ca_certificates, if everybody whom it "
        "certifies may come in; or set revocation_check_mode = SKIP"
    ),
)
NAMES_NOT_SENT = Rule(
    code="K539",
    name="authority-names-not-sent",
    severity=Severity.WARNING,
    message=(
        "route {route}: clients are not told whose certificates are believed (send_ca_dn): nginx "
        "would refuse whom {subject} certifies, as {issuer}, which certifies that, is not believed"
    ),
    hint="remove send_ca_dn; or add {issuer}, if everybody whom it certifies may come in",
)
CHAIN_WITHOUT_ROOT = Rule(
    code="K504",
    name="client-trust-without-root",
    severity=Severity.WARNING,
    message=(
        "plugin {plugin} ({scope}): no certificate is ever trusted: {subject} is certified by "
        "{issuer}, which is not among ca_certificates"
    ),
    hint=(
        "add {issuer}, if everybody whom it certifies may come in; else set allow_partial_chain, "
        "which takes --target openresty"
    ),
)
CREDENTIAL_AUTHORITY = Rule(
    code="K507",
    name="client-credential-authority-not-compiled",
    severity=Severity.ERROR,
    message=(
        "credential {name} is for certificates of {authority} alone, and plugin mtls-auth "
        "({scope}) trusts others, too; nginx does not know who certified a client"
    ),
    hint=(
        "leave ca_certificate out of the credential, have the plugin trust {authority} alone, or "
        "compile for --target openresty"
    ),
)
REQUEST_INJECTED = Rule(
    code="K508",
    name="client-certificates-injected",
    severity=Severity.ERROR,
    message=(
        "{setting} contradicts plugin {plugin} ({scope}), which decides where clients are asked "
        "for a certificate, and whose are trusted"
    ),
    hint="remove the setting: what nginx needs follows from the plugin",
)
NO_TLS_LISTENER = Rule(
    code="K509",
    name="client-certificates-without-tls",
    severity=Severity.WARNING,
    message=(
        "plugin {plugin} ({scope}): no proxy listener has TLS, so no client can show a certificate"
    ),
    hint="add ssl to an address of proxy_listen",
)
OPEN_WAY = Rule(
    code="K510",
    name="service-protected-in-part",
    severity=Severity.WARNING,
    message=(
        "route {open} leads to service {service} without the client's certificate that route "
        "{guarded} asks for"
    ),
    hint="put the plugin on the service, so that it is for all its routes, unless this is meant",
)
OPEN_DESTINATION = Rule(
    code="K540",
    name="destination-protected-in-part",
    severity=Severity.WARNING,
    message=(
        "route {open} of service {way} leads to {destination} without the client's certificate "
        "that route {guarded} of service {service} asks for"
    ),
    hint="put the plugin on service {way}, too, unless this is meant",
)
ASKED_EVERYWHERE = Rule(
    code="K511",
    name="client-certificates-asked-everywhere",
    severity=Severity.INFO,
    message=(
        "clients are asked for a certificate in handshakes for every server name{names}, and in "
        "those without one: route {route} {reach}"
    ),
    hint="name hosts or snis (http.host in expressions), and only their clients are asked",
)
ASKED_BY_NAME = Rule(
    code="K538",
    name="client-certificates-asked-by-name",
    severity=Severity.INFO,
    message=(
        "clients are asked for a certificate in handshakes for {names}, and neither in those for "
        "other server names nor in those without one{counts}"
    ),
    hint="kcompile explain sni NAME says it of one name",
)

NEEDS_LUA = Rule(
    code="K512",
    name="plugin-not-compiled-for-nginx",
    severity=Severity.ERROR,
    message=(
        "plugin {plugin} ({scope}) is not compiled for nginx, which cannot verify a certificate "
        "outside of a handshake"
    ),
    hint=(
        "compile for --target openresty; or protect the route by other means and say "
        "--allow-uncompiled {plugin}"
    ),
)
HEADER_FROM_ANYONE = Rule(
    code="K513",
    name="client-certificates-from-anyone",
    severity=Severity.WARNING,
    message=(
        "plugin header-cert-auth ({scope}): secure_source is false, so anybody who knows a "
        "client's certificate, which is no secret, is let in as that client"
    ),
    hint="set secure_source to true, and trusted_ips to the proxies that verify clients",
)
HEADER_FROM_NOBODY = Rule(
    code="K514",
    name="client-certificates-from-nobody",
    severity=Severity.WARNING,
    message=(
        "plugin header-cert-auth ({scope}): certificates are taken from trusted_ips alone, of "
        "which there are none: nobody is let in"
    ),
    hint="set trusted_ips to the proxies that verify clients",
)
EVERYBODY_TRUSTED = Rule(
    code="K515",
    name="client-certificates-from-everywhere",
    severity=Severity.WARNING,
    message=(
        "plugin header-cert-auth ({scope}): trusted_ips trusts every address ({address}), so "
        "anybody who knows a client's certificate, which is no secret, is let in as that client"
    ),
    hint="set trusted_ips to the proxies that verify clients",
)
HEADER_BUFFERS = Rule(
    code="K516",
    name="client-certificate-header-too-long",
    severity=Severity.WARNING,
    message=(
        "plugin header-cert-auth ({scope}): nginx answers a header of more than {size} bytes with "
        "400, and many certificates are longer"
    ),
    hint="set nginx_proxy_large_client_header_buffers = 8 24k",
)

CERTIFICATE_HEADER_TAKEN = Rule(
    code="K517",
    name="certificate-header-not-compiled",
    severity=Severity.ERROR,
    message="plugin tls-metadata-headers ({scope}): {field}: {reason}",
    hint="give the header another name",
)
CERTIFICATE_NOT_ASKED = Rule(
    code="K518",
    name="certificate-headers-without-certificate",
    severity=Severity.WARNING,
    message=(
        "plugin tls-metadata-headers: route {route} tells its upstream of clients' certificates, "
        "and asks no client for one"
    ),
    hint="add tls-handshake-modifier or mtls-auth to the route or its service",
)

INTERMEDIATES_NOT_TOLD = Rule(
    code="K537",
    name="client-intermediates-not-compiled",
    severity=Severity.INFO,
    message=(
        "plugin tls-metadata-headers ({scope}): upstreams are told of a client's own certificate "
        "alone, where Kong adds the intermediates that came with it"
    ),
    hint="let upstreams verify by intermediates that they know, or compile for --target openresty",
)

STREAM_CERTIFICATES = Rule(
    code="K541",
    name="stream-certificates-not-compiled",
    severity=Severity.WARNING,
    message=(
        "plugin {plugin} is for the connections of route {route}, too, and is compiled for "
        "requests alone: {loss}"
    ),
    hint=(
        "keep this route on Kong; or leave the plugin off it, or tls out of the plugin's "
        "protocols, if nobody wants certificates there"
    ),
)
CONSUMER_NAME = Rule(
    code="K519",
    name="consumer-name-not-compiled",
    severity=Severity.ERROR,
    message="consumer {consumer}: {field} holds a control character, which no header may",
    hint="remove the character: upstreams are told the {field} in a header",
)

RULES = (
    TRUST_DIFFERS,
    LOOKUP_BY_SAN,
    SAN_HEADER,
    PARTIAL_CHAIN,
    NAMES_NOT_SENT,
    CHAIN_WITHOUT_ROOT,
    CREDENTIAL_AUTHORITY,
    REQUEST_INJECTED,
    NO_TLS_LISTENER,
    OPEN_WAY,
    OPEN_DESTINATION,
    ASKED_EVERYWHERE,
    ASKED_BY_NAME,
    NEEDS_LUA,
    HEADER_FROM_ANYONE,
    HEADER_FROM_NOBODY,
    EVERYBODY_TRUSTED,
    HEADER_BUFFERS,
    CERTIFICATE_HEADER_TAKEN,
    CERTIFICATE_NOT_ASKED,
    INTERMEDIATES_NOT_TOLD,
    STREAM_CERTIFICATES,
    CONSUMER_NAME,
)
