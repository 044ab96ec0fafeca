"""K34x to K36x: what routes, services and plugins ask for that is not compiled."""

from compiler.model.diagnostic import Rule, Severity

PLUGIN_REFUSED = Rule(
    code="K340",
    name="plugin-not-compiled",
    severity=Severity.ERROR,
    message="plugin {plugin} ({scope}) is not compiled, and without it {loss}",
    hint="protect the route by other means and say --allow-uncompiled {plugin}, or remove it",
)
PLUGIN_IGNORED = Rule(
    code="K341",
    name="plugin-not-compiled-harmless",
    severity=Severity.WARNING,
    message="plugin {plugin} ({scope}) is not compiled: {loss}",
    hint="nginx serves the route without it",
)
ENTITY_IGNORED = Rule(
    code="K342",
    name="entity-not-compiled",
    severity=Severity.WARNING,
    message="{count} {kind} read, but not compiled: nothing in the output uses them",
)
ROUTE_PATH = Rule(
    code="K372",
    name="route-path-not-compiled",
    severity=Severity.ERROR,
    message="route {route}: {what} holds a NUL, which nginx cannot",
    hint="remove it: no client can ask for it",
)
ROUTE_REGEX = Rule(
    code="K344",
    name="route-regex-not-compiled",
    severity=Severity.ERROR,
    message="route {route}: the regular expression {regex} {reason}",
    hint="write it without that, or keep this route on Kong",
)
ROUTE_REGEX_ASCII = Rule(
    code="K346",
    name="route-regex-ascii-only",
    severity=Severity.WARNING,
    message=(
        "route {route}: in the regular expression {regex}, \\w, \\d, \\s, \\b, \\p or ignored "
        "letter case mean ASCII alone; Kong takes letters and digits of all scripts for them"
    ),
    hint="nothing to do where paths are ASCII; else write the characters that are meant",
)
ROUTE_SNIS_PLAINTEXT = Rule(
    code="K343",
    name="route-snis-without-tls",
    severity=Severity.WARNING,
    message=(
        "route {route}: with router_flavor traditional, Kong tries a route with snis for a request "
        "without TLS only where no other routes have all that the request meets; nginx tries it "
        "always"
    ),
    hint="use traditional_compatible, which tries it always, too, or give the route hosts",
)
ROUTE_EXPRESSION = Rule(
    code="K345",
    name="route-expression-not-compiled",
    severity=Severity.ERROR,
    message="route {route}: the expression {reason}",
    hint="write it with fields that can be decided, or keep this route on Kong",
)
ROUTE_HEADER_REPEATED = Rule(
    code="K347",
    name="route-header-regex-repeated",
    severity=Severity.INFO,
    message=(
        "route {route}: Kong compares regular expressions with each value of a repeated header, "
        "{how}"
    ),
    hint="nothing to do where clients send these headers once",
)
SERVICE_PATH = Rule(
    code="K348",
    name="service-path-not-compiled",
    severity=Severity.ERROR,
    message=(
        "service {service}: the path {path} holds {what}, which nginx cannot send as it is {where}"
    ),
    hint="use a path without it",
)
UPSTREAM_ALGORITHM = Rule(
    code="K349",
    name="upstream-algorithm-not-compiled",
    severity=Severity.ERROR,
    message="upstream {upstream}: the algorithm {algorithm} is not compiled yet",
    hint="use round-robin, least-connections or consistent-hashing",
)
UPSTREAM_FEATURE = Rule(
    code="K350",
    name="upstream-feature-not-compiled",
    severity=Severity.WARNING,
    message="upstream {upstream}: {feature} is not compiled; nginx goes without it",
)
UPSTREAM_EMPTY = Rule(
    code="K351",
    name="upstream-without-targets",
    severity=Severity.WARNING,
    message="upstream {upstream} has no target with a weight: its services answer 503",
    hint="add a target",
)
TARGET_NAMES_DIFFER = Rule(
    code="K352",
    name="target-names-not-compiled",
    severity=Severity.ERROR,
    message=(
        "service {service}: the targets of upstream {upstream} have different names ({names}); "
        "Kong {effect} the name of the target it picks, nginx has one name for all"
    ),
    hint="set host_header of the upstream to the name that its certificates are for",
)
TARGET_HOST_HEADER = Rule(
    code="K353",
    name="target-host-header-differs",
    severity=Severity.WARNING,
    message=(
        "service {service}: Kong sends the picked target's name as Host, nginx sends {host} to "
        "every target of upstream {upstream}"
    ),
    hint="set host_header of the upstream to the Host that the targets expect",
)
TOO_MANY_LOCATIONS = Rule(
    code="K355",
    name="too-many-locations",
    severity=Severity.ERROR,
    message=(
        "routes that match under many of the {hosts} hosts, and win over routes for those alone, "
        "make more than {limit} locations, more than nginx can hold"
    ),
    hint="give such routes hosts of their own, or fewer attributes",
)
TOO_MANY_CHOICES = Rule(
    code="K354",
    name="too-many-choices",
    severity=Severity.ERROR,
    message=(
        "regular expressions and conditions that may match at many paths make more than {limit} "
        "rows of maps, more than nginx can hold (under {table})"
    ),
    hint="begin regular expressions with literal text, so that they are looked at there alone",
)
NO_RESOLVER = Rule(
    code="K356",
    name="resolver-from-this-machine",
    severity=Severity.WARNING,
    message=(
        "{names} are looked up while nginx runs, and dns_resolver is not set: the "
        "name servers of {source} are written ({servers})"
    ),
    hint="set dns_resolver to the name servers of the machine that runs nginx",
)
NAMES_AT_START = Rule(
    code="K357",
    name="target-names-at-start-not-compiled",
    severity=Severity.ERROR,
    message=(
        "upstream {upstream} has targets with names, and nginx {version} can look those up only "
        "when it starts: one that does not resolve keeps nginx from starting"
    ),
    hint="use nginx 1.27.3 or newer, addresses, or accept it with --names-at-start",
)
COSTLY_CONTEXTS = Rule(
    code="K358",
    name="upstream-tls-costly",
    severity=Severity.WARNING,
    message=(
        "nginx {version} builds a TLS context for each of {count} https locations: expect about "
        "{seconds} s and {megabytes} MB to load, twice the memory during a reload"
    ),
    hint="use nginx 1.23.1 or newer, which shares them, or a small CA bundle",
)
PROXY_OFF = Rule(
    code="K361",
    name="proxy-listener-missing",
    severity=Severity.WARNING,
    message="proxy_listen is off: no route is served",
)
VALUE_TOO_LONG = Rule(
    code="K362",
    name="value-too-long",
    severity=Severity.ERROR,
    message="{what} takes up to {length} bytes as nginx reads it, and 4095 is its limit for a word",
    hint="shorten it",
)
ROUTE_TOO_LONG = Rule(
    code="K374",
    name="route-too-long-not-compiled",
    severity=Severity.ERROR,
    message=(
        "route {route}: what it makes of {path} ({start}…) takes up to {length} bytes as nginx "
        "reads it, and 4095 is its limit for a word"
    ),
    hint="use shorter or fewer values and regular expressions in one route, or several routes",
)
LOCATION_TOO_LONG = Rule(
    code="K373",
    name="location-too-long-not-compiled",
    severity=Severity.ERROR,
    message=(
        "the location {location} has a name of {length} bytes; before nginx 1.23.4 only the first "
        "255 of a name count, and the wrong requests would be taken"
    ),
    hint="use nginx 1.23.4 or newer, or a shorter path or host",
)
HTTPS_NOT_SERVED = Rule(
    code="K363",
    name="https-route-not-served",
    severity=Severity.WARNING,
    message="route {route} wants {protocol}, but no entry of proxy_listen has ssl",
    hint="add an ssl listener to proxy_listen",
)
KEYS_UNREADABLE = Rule(
    code="K364",
    name="keys-unreadable-for-workers",
    severity=Severity.WARNING,
    message=(
        "the key files belong to {user} with mode 0600: if nginx starts as root, its workers "
        "({worker}) cannot read them and every handshake fails"
    ),
    hint="render as root, or give tls/keys to the group of the workers with mode 0640",
)

ENTITIES_MISSING = Rule(
    code="K365",
    name="entities-missing",
    severity=Severity.WARNING,
    message="no entities were given: no route is served",
    hint="name them with -e FILE, or set declarative_config",
)
ENTITIES_UNREADABLE = Rule(
    code="K366",
    name="entities-unreadable",
    severity=Severity.ERROR,
    message="declarative_config names {path}, which cannot be read: {reason}",
    hint="give an existing file",
)

DIRECTIVE_NAME = Rule(
    code="K367",
    name="injected-directive-name-invalid",
    severity=Severity.ERROR,
    message="nginx_{block}_{directive} injects a directive called {directive}, which nginx has not",
    hint="nginx's directives are lower case letters, digits and _",
)

DIRECTIVE_IGNORED = Rule(
    code="K368",
    name="injected-directive-not-compiled",
    severity=Severity.WARNING,
    message="nginx_{block}_{directive} is not compiled: {reason}",
    hint="remove it, or accept that nginx goes without it",
)


RULES = (
    PLUGIN_REFUSED, PLUGIN_IGNORED, ENTITY_IGNORED, ROUTE_PATH, ROUTE_REGEX, ROUTE_REGEX_ASCII,
    ROUTE_SNIS_PLAINTEXT,
    ROUTE_EXPRESSION, ROUTE_HEADER_REPEATED,
    SERVICE_PATH, UPSTREAM_ALGORITHM, UPSTREAM_FEATURE,
    UPSTREAM_EMPTY, TARGET_NAMES_DIFFER, TARGET_HOST_HEADER, TOO_MANY_LOCATIONS, TOO_MANY_CHOICES,
    NO_RESOLVER, NAMES_AT_START, COSTLY_CONTEXTS,
    PROXY_OFF, VALUE_TOO_LONG, ROUTE_TOO_LONG, LOCATION_TOO_LONG, HTTPS_NOT_SERVED, KEYS_UNREADABLE,
    ENTITIES_MISSING, ENTITIES_UNREADABLE, DIRECTIVE_NAME,
    DIRECTIVE_IGNORED,
)  # fmt: skip
