"""K505, K506, K53x: certificates that were revoked, and the lists that say so."""

from compiler.model.diagnostic import Rule, Severity

REVOCATION_UNCHECKED = Rule(
    code="K505",
    name="client-revocation-not-compiled",
    severity=Severity.WARNING,
    message=(
        "plugin {plugin} ({scope}): revocation_check_mode {mode} is not compiled: nginx does not "
        "ask who revoked a certificate"
    ),
    hint=(
        "give the authorities' revocation lists with --crl, or set revocation_check_mode to SKIP "
        "to say that this is known"
    ),
)
STRICT_WITHOUT_LISTS = Rule(
    code="K506",
    name="client-strict-revocation-without-lists",
    severity=Severity.ERROR,
    message=(
        "plugin {plugin} ({scope}): revocation_check_mode STRICT lets in nobody of whom it is not "
        "known that their certificate was not revoked, and there is no revocation list of {missing}"
    ),
    hint="give every authority's list with --crl, or accept revoked certificates and set SKIP",
)
REVOCATION_IN_PART = Rule(
    code="K530",
    name="client-revocation-in-part-not-compiled",
    severity=Severity.ERROR,
    message=(
        "plugin {plugin} ({scope}): revocation_check_mode {mode} is not compiled where there are "
        "revocation lists of some authorities alone: nginx would refuse every certificate of "
        "{missing}"
    ),
    hint=(
        "give every authority's list with --crl, set SKIP and give none, or compile for "
        "--target openresty"
    ),
)
RESPONDERS_ASKED = Rule(
    code="K531",
    name="client-revocation-asked",
    severity=Severity.INFO,
    message=(
        "plugin {plugin} ({scope}): there is no revocation list of {missing}: responders (OCSP) "
        "that certificates name are asked while requests come; {effect}"
    ),
    hint=(
        "give the list with --crl, and nobody is asked about the certificates that it speaks for; "
        "those of intermediates that clients send need lists of their own"
    ),
)
LIST_INVALID = Rule(
    code="K532",
    name="revocation-list-invalid",
    severity=Severity.ERROR,
    message="{file} {problem}",
    hint="give certificate revocation lists in PEM (BEGIN X509 CRL), or one in DER",
)
LIST_LIMITED = Rule(
    code="K533",
    name="revocation-list-not-compiled",
    severity=Severity.ERROR,
    message="the revocation list of {issuer} is not compiled: it {limit}",
    hint="give the authority's full list",
)
LIST_OF_NOBODY = Rule(
    code="K534",
    name="revocation-list-of-nobody",
    severity=Severity.WARNING,
    message="the revocation list of {issuer} is not used: {reason}",
    hint="add the authority to ca_certificates, or leave the list out",
)
LIST_SUPERSEDED = Rule(
    code="K535",
    name="revocation-list-superseded",
    severity=Severity.WARNING,
    message="the revocation list of {issuer} is not used: that in {other} is newer",
    hint="give the newest list alone",
)
LIST_OUT_OF_DATE = Rule(
    code="K536",
    name="revocation-list-out-of-date",
    severity=Severity.WARNING,
    message="the revocation list of {issuer} {what} {date}; {effect}",
    hint="give a list that holds now, and compile again before it ends",
)

RULES = (
    REVOCATION_UNCHECKED,
    STRICT_WITHOUT_LISTS,
    REVOCATION_IN_PART,
    RESPONDERS_ASKED,
    LIST_INVALID,
    LIST_LIMITED,
    LIST_OF_NOBODY,
    LIST_SUPERSEDED,
    LIST_OUT_OF_DATE,
)
