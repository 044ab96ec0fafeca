"""K40x and K41x: what upstreams and the lookup of their names ask for that nginx has not."""

from compiler.model.diagnostic import Rule, Severity

HASH_INPUT = Rule(
    code="K400",
    name="hash-input-not-compiled",
    severity=Severity.ERROR,
    message="upstream {upstream}: {field} is {input}, which is not compiled: {reason}",
    hint="hash by ip, header, cookie, path or query_arg",
)
HASH_CONSUMER = Rule(
    code="K401",
    name="hash-consumer-not-compiled",
    severity=Severity.WARNING,
    message=("upstream {upstream}: {field} is consumer, and consumers are not compiled: {instead}"),
    hint="remove consumer from the hashing, or keep these routes on Kong",
)
HASH_BY_NOTHING = Rule(
    code="K402",
    name="hash-by-nothing",
    severity=Severity.WARNING,
    message=(
        "upstream {upstream} uses consistent-hashing, but hash_on is none: every request goes to "
        "one target, as with Kong"
    ),
    hint="set hash_on, or use round-robin",
)
SLOTS = Rule(
    code="K403",
    name="upstream-slots-not-compiled",
    severity=Severity.INFO,
    message="upstream {upstream}: slots is {slots}, which is not compiled: nginx has its own",
    hint="remove it; shares follow the weights",
)
HASH_NAMES = Rule(
    code="K404",
    name="hash-over-names-differs",
    severity=Severity.WARNING,
    message="service {service}: upstream {upstream} hashes over names, and {difference}",
    hint="give addresses as targets where a key has to stay with one of them",
)
ACTIVE_CHECKS = Rule(
    code="K405",
    name="active-health-checks-not-compiled",
    severity=Severity.WARNING,
    message=(
        "upstream {upstream}: active health checks ({checks}) are not compiled, since nginx "
        "sends no probes; instead {instead}"
    ),
    hint="watch the targets by other means",
)
PASSIVE_CHECKS = Rule(
    code="K406",
    name="passive-health-checks-differ",
    severity=Severity.WARNING,
    message=(
        "upstream {upstream}: passive health checks become max_fails={failures} "
        "fail_timeout={seconds}s: failed connections and timeouts count together, and a target "
        "comes back after {seconds} s, {kong}"
    ),
    hint="nothing needs to be done if that is good enough",
)
PASSIVE_STATUSES = Rule(
    code="K407",
    name="passive-http-failures-not-compiled",
    severity=Severity.WARNING,
    message=(
        "upstream {upstream}: passive.unhealthy.http_failures is not compiled: nginx counts an "
        "answer as a failure only if it repeats the request elsewhere, which Kong does not do"
    ),
    hint="count tcp_failures and timeouts",
)
SRV_NAMES = Rule(
    code="K408",
    name="srv-names-not-compiled",
    severity=Severity.ERROR,
    message="{owner}: the SRV records of {name} cannot be looked up: {reason}",
    hint="{advice}",
)
SRV_HOST = Rule(
    code="K409",
    name="srv-target-name-not-compiled",
    severity=Severity.WARNING,
    message=(
        "upstream {upstream}: use_srv_name is not compiled: the Host that is sent is {host}, not "
        "the name that the SRV record holds"
    ),
    hint="set host_header of the upstream to the Host that the targets expect",
)
SRV_FIRST = Rule(
    code="K410",
    name="srv-records-first-not-compiled",
    severity=Severity.INFO,
    message=(
        "names of upstreams such as {name} are looked up as addresses; that Kong asks for SRV "
        "records first (dns_order) is not compiled"
    ),
    hint="write names with SRV records as _http._tcp.NAME, or set use_srv_name of the upstream",
)
DNS_SETTING = Rule(
    code="K411",
    name="dns-setting-not-compiled",
    severity=Severity.WARNING,
    message="{setting} is not compiled: {reason}",
    hint="remove it, or accept the difference",
)

RULES = (
    HASH_INPUT, HASH_CONSUMER, HASH_BY_NOTHING, SLOTS, HASH_NAMES, ACTIVE_CHECKS,
    PASSIVE_CHECKS, PASSIVE_STATUSES, SRV_NAMES, SRV_HOST, SRV_FIRST, DNS_SETTING,
)  # fmt: skip
