from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import pytest

from compiler.catalog import document_rules, entity_rules
from compiler.model.diagnostic import Diagnostic, Report, Severity
from compiler.model.inputs import SourceText
from compiler.model.uri_path import normalize_path
from compiler.read.documents import read_documents
from compiler.resolve.entities import resolve_entities
from compiler.resolve.hosts import BadHostError, is_ip_or_cidr, join_host, parse_host
from compiler.resolve.identifiers import uuid5 as own_uuid5
from compiler.resolve.paths import migrate_path
from compiler.resolve.regex_syntax import regex_problem
from compiler.resolve.urls import expand_url

if TYPE_CHECKING:
    from compiler.model.entities import Entities

ID = "11111111-1111-4111-8111-111111111111"
OTHER_ID = "22222222-2222-4222-8222-222222222222"


def resolve(
    *texts: str,
    version: tuple[int, ...] = (3, 15),
    flavor: str = "traditional_compatible",
    head: str = '_format_version: "3.0"\n',
) -> tuple[Entities, list[Diagnostic]]:
    """Resolve *texts*, each a file whose first line is *head*."""
    report = Report()
    sources = [
        SourceText(f"{number}.yml", (head + dedent(text)).encode())
        for number, text in enumerate(texts, start=1)
    ]
    documents = read_documents(sources, report)
    entities = resolve_entities(
        documents, kong_version=version, router_flavor=flavor, report=report
    )
    return entities, list(report)


def accepted(*texts: str, **options: object) -> Entities:
    entities, diagnostics = resolve(*texts, **options)  # type: ignore[arg-type]
    assert diagnostics == []
    return entities


def found(*texts: str, **options: object) -> list[tuple[str, str]]:
    """Return the rule and place of every diagnostic."""
    _, diagnostics = resolve(*texts, **options)  # type: ignore[arg-type]
    return [(d.rule.name, str(d.place)) for d in diagnostics]


def test_nested_and_flat_entities_are_the_same() -> None:
    nested = accepted(
        """
        services:
        - name: s
          host: h.test
          routes:
          - name: r
            paths: [/a]
            plugins: [{name: cors}]
        """
    )
    flat = accepted(
        """
        plugins: [{name: cors, route: r}]
        routes: [{name: r, paths: [/a], service: s}]
        services: [{name: s, host: h.test}]
        """
    )
    assert nested.services == flat.services
    assert nested.routes == flat.routes
    (of_nested,), (of_flat,) = nested.plugins.values(), flat.plugins.values()
    assert of_nested.route == of_flat.route == next(iter(nested.routes))


@pytest.mark.parametrize(
    "service", ["s", ID, f"{{id: {ID}}}", "{name: s}", f"{{id: {ID}, name: x}}"]
)
def test_references_by_name_and_id(service: str) -> None:
    entities = accepted(
        f"""
        services: [{{name: s, id: {ID}, host: h.test}}]
        routes: [{{name: r, paths: [/a], service: {service}}}]
        """
    )
    assert [route.service for route in entities.routes.values()] == [ID]


def test_references_across_files() -> None:
    entities = accepted(
        "routes: [{name: r, paths: [/a], service: s}]", "services: [{name: s, host: h.test}]"
    )
    assert [route.service for route in entities.routes.values()] == list(entities.services)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("routes: [{name: r, paths: [/a], service: x}]", "1.yml:2:33"),
        ("plugins: [{name: cors, service: x}]", "1.yml:2:24"),
        ("plugins: [{name: cors, consumer: {username: x}}]", "1.yml:2:24"),
        ("snis: [{name: a.test, certificate: x}]", "1.yml:2:23"),
        ("targets: [{target: h, upstream: x}]", "1.yml:2:23"),
        (
            f"services: [{{name: s, host: h, protocol: https, ca_certificates: [{ID}]}}]",
            "1.yml:2:66",
        ),
        ("acls: [{group: g, consumer: x}]", "1.yml:2:19"),
    ],
)
def test_unknown_references_are_reported(text: str, place: str) -> None:
    assert found(text) == [("unknown-reference", place)]


def test_an_unknown_reference_suggests_the_nearest_name() -> None:
    _, (diagnostic,) = resolve(
        "services: [{name: billing, host: h}]\nroutes: [{paths: [/a], service: biling}]"
    )
    assert diagnostic.hint == "did you mean 'billing'?"


def test_of_thousands_of_wrong_references_the_first_get_suggestions() -> None:
    services = ", ".join(f"{{name: service-{n}, host: h}}" for n in range(2000))
    routes = ", ".join(f"{{paths: [/{n}], service: servic-{n}}}" for n in range(2000))
    _, diagnostics = resolve(f"services: [{services}]\nroutes: [{routes}]")
    suggested = [d for d in diagnostics if d.hint and d.hint.startswith("did you mean")]
    assert (len(diagnostics), len(suggested)) == (2000, 20)


def test_repeated_items_of_a_set_count_once() -> None:
    (route,) = accepted("routes: [{methods: [GET, GET, POST], paths: [/a]}]").routes.values()
    assert route.methods == ("GET", "POST")


def test_a_nested_reference_to_another_parent_is_a_warning() -> None:
    text = """
        services:
        - {name: a, host: h, routes: [{name: r, paths: [/a], service: b}]}
        - {name: b, host: h}
        """
    entities, (diagnostic,) = resolve(text)
    assert diagnostic.severity is Severity.WARNING
    parent = next(iter(entities.services))
    assert [route.service for route in entities.routes.values()] == [parent]


def test_every_problem_is_reported_in_one_run() -> None:
    text = """\
        services:
        - name: a/b
          host: "a b"
          port: 99999
          protocol: htps
          colour: red
          tags: ["a,b"]
        - {name: c}
        routes:
        - {name: r, protocols: [http, tcp], paths: [/a]}
        bogus: []
        """
    assert found(text) == [
        ("invalid-value", "1.yml:3:3"),
        ("invalid-value", "1.yml:4:3"),
        ("field-out-of-range", "1.yml:5:3"),
        ("unknown-value", "1.yml:6:3"),
        ("unknown-field", "1.yml:7:3"),
        ("invalid-value", "1.yml:8:10"),
        ("missing-field", "1.yml:9:3"),
        ("protocols-mixed", "1.yml:11:13"),
        ("unknown-kind", "1.yml:12:1"),
    ]


def test_misspelt_words_suggest_the_nearest() -> None:
    _, diagnostics = resolve("services: [{name: a, hots: h, host: h, protocol: htps}]\nservies: []")
    hints = [diagnostic.hint or "" for diagnostic in diagnostics]
    assert hints[0] == "did you mean 'host'?"
    assert hints[1].startswith("did you mean 'https'?")
    assert hints[2] == "did you mean 'services'?"


def test_a_diagnostic_names_the_entity() -> None:
    _, (diagnostic,) = resolve(f"services: [{{name: s, id: {ID}, host: h, port: x}}]")
    assert diagnostic.entity is not None
    assert (diagnostic.entity.type, diagnostic.entity.id, diagnostic.entity.name) == (
        "service",
        ID,
        "s",
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("services: [{name: s, host: h}, {name: s, host: h}]", "name"),
        (f"services: [{{id: {ID}, host: h}}, {{id: {ID}, host: h}}]", "id"),
        ("routes: [{name: r, paths: [/a]}, {name: r, paths: [/b]}]", "name"),
        ("consumers: [{username: u}, {username: u}]", "username"),
        ("consumers: [{custom_id: u}, {custom_id: u}]", "custom_id"),
        ("plugins: [{name: cors}, {name: cors}]", "name and scope"),
        ("upstreams: [{name: u, targets: [{target: h}, {target: h}]}]", "name and scope"),
        ("keyauth_credentials: [{key: a}, {key: a}]", "key"),
    ],
)
def test_duplicates_are_reported(text: str, field: str) -> None:
    _, diagnostics = resolve(text)
    assert [d.rule.name for d in diagnostics] == ["duplicate-entity"]
    assert f"the same {field}" in diagnostics[0].message
    assert diagnostics[0].related[0].message == "first declared here"


def test_a_duplicate_across_files_names_both() -> None:
    first, second = "services: [{name: s, host: h}]", "services: [{host: g, name: s}]"
    entities, (diagnostic,) = resolve(first, second)
    assert [service.host for service in entities.services.values()] == ["h"]
    assert str(diagnostic.place) == "2.yml:2:22"
    assert str(diagnostic.related[0].place) == "1.yml:2:13"


CERTIFICATE = f"certificates: [{{id: {ID}, cert: C, key: K, snis: [%s]}}]"


def test_snis_may_be_plain_names() -> None:
    entities = accepted(CERTIFICATE % "a.test, {name: '*.b.test'}")
    assert [(s.name, s.certificate) for s in entities.snis.values()] == [
        ("a.test", ID),
        ("*.b.test", ID),
    ]


@pytest.mark.parametrize(
    ("snis", "name"),
    [
        ("a.test, A.test", "duplicate-sni"),
        ("a.test, a.test.", "duplicate-sni"),
        ("a.test, a.test", "duplicate-entity"),
        ("a.test.", "sni-trailing-dot"),
        ("10.0.0.1", "invalid-value"),
        ("'a.*.test'", "invalid-value"),
        ("'*.a.*'", "invalid-value"),
        ("'a.test:443'", "invalid-value"),
    ],
)
def test_sni_names(snis: str, name: str) -> None:
    assert [rule for rule, _ in found(CERTIFICATE % snis)] == [name]


def test_a_trailing_dot_of_an_sni_is_dropped_with_a_warning() -> None:
    entities, (diagnostic,) = resolve(CERTIFICATE % "a.test.")
    assert [sni.name for sni in entities.snis.values()] == ["a.test"]
    assert diagnostic.severity is Severity.WARNING


def test_keys_are_never_shown() -> None:
    text = f"""
        certificates:
        - {{id: {ID}, cert: C, key: [hidden], cert_alt: C}}
        - {{cert: C, key: hidden, key_alt: hidden}}
        consumers: [{{username: u, keyauth_credentials: [{{key: hidden}}, {{key: hidden}}]}}]
        """
    entities, diagnostics = resolve(text)
    assert len(diagnostics) == 4
    assert "hidden" not in repr(diagnostics)
    assert "hidden" not in repr(entities)


@pytest.mark.parametrize("field", ["cert", "key", "cert_alt", "key_alt"])
def test_vault_references_are_not_compiled(field: str) -> None:
    pairs = {"cert": "C", "key": "K", "cert_alt": "C", "key_alt": "K"}
    pairs[field] = "{vault://env/x}"
    text = f"certificates: {json.dumps([pairs])}"
    assert [rule for rule, _ in found(text)] == ["pem-vault-reference-not-compiled"]


@pytest.mark.parametrize(
    ("protocol", "version", "names"),
    [
        ("https", (3, 4), []),
        ("tls", (3, 4), []),
        ("http", (3, 15), ["field-not-allowed"]),
        ("grpcs", (3, 13), ["field-not-allowed"]),
        ("grpcs", (3, 14), []),
        ("wss", (3, 13), ["field-not-allowed"]),
        ("wss", (3, 15), []),
    ],
)
def test_upstream_tls_needs_a_tls_protocol(
    protocol: str, version: tuple[int, ...], names: list[str]
) -> None:
    text = f"services: [{{name: s, host: h, protocol: {protocol}, tls_verify: true}}]"
    assert [rule for rule, _ in found(text, version=version)] == names


def test_wildcards_in_route_snis_depend_on_the_flavor() -> None:
    text = "routes: [{protocols: [https], snis: ['*.a.test']}]"
    accepted(text)
    assert found(text, flavor="traditional") == [("invalid-value", "1.yml:2:38")]


def test_expressions_need_their_flavor() -> None:
    text = "routes: [{name: r, expression: 'http.path == \"/\"', priority: 5}]"
    route = next(iter(accepted(text, flavor="expressions").routes.values()))
    assert (route.expression, route.priority) == ('http.path == "/"', 5)
    assert [rule for rule, _ in found(text)] == ["nothing-to-match"] + ["unknown-field"] * 2
    both = "routes: [{expression: x, paths: [/a], priority: 1}]"
    assert [rule for rule, _ in found(both, flavor="expressions")] == ["field-not-allowed"] * 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/plain", "/plain"),
        ("/a%20b", "/a b"),
        ("/a//b", "/a/b"),
        ("/a%2fb", "/a%2Fb"),
        (r"/\d+", r"~/\d+"),
        ("/(a|b)$", "~/(a|b)$"),
        ("/a%2E(b)", r"~/a\.(b)"),
    ],
)
def test_paths_of_old_formats_are_rewritten(old: str, new: str) -> None:
    for head in ('_format_version: "1.1"\n', '_format_version: "2.1"\n'):
        entities = accepted(f"routes: [{{paths: ['{old}']}}]", head=head)
        assert [route.paths for route in entities.routes.values()] == [(new,)]
    assert migrate_path(old) == new


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("/..", "/"),
        ("/a/../b", "/b"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/../a", "/a"),
        ("/a//b///c", "/a/b/c"),
        ("/%C3%A9", "/é"),
        ("/a%2fb%3f", "/a%2Fb%3F"),
        ("/%61%zz", "/a%zz"),
        ("/a.b/..c/...", "/a.b/..c/..."),
    ],
)
def test_the_normal_form_of_paths(path: str, normal: str) -> None:
    assert normalize_path(path) == normal
    assert normalize_path(normal) == normal


@pytest.mark.parametrize(
    ("pattern", "compat", "traditional"),
    [
        ("/a(?=b)", "looks ahead", None),
        (r"/(a)\1", "back-reference", None),
        ("/(?>a)", "kind of group", None),
        ("/a{b}", "'{'", None),
        ("/[", "never closed", "never closed"),
        ("/(a", "never closed", "never closed"),
        ("/a)", "without", "without"),
        ("/a**", "repeats nothing", "repeats nothing"),
        ("/(*a)", "repeats nothing", "repeats nothing"),
        ("/[z-a]", "wrong order", "wrong order"),
        ("/a{3,2}", "impossible", "impossible"),
        ("/a\\", "backslash", "backslash"),
        ("/*a", None, None),
        ("/a?+", None, None),
        (r"/(?<id>\d+)/[[:alpha:]]{2,}/[]a-z]+(?:x|y)?$", None, None),
        (r"/\p{L}\x{41}(?i)a", None, None),
    ],
)
def test_regular_expressions(pattern: str, compat: str | None, traditional: str | None) -> None:
    for expected, is_compat in ((compat, True), (traditional, False)):
        problem = regex_problem(pattern, compat=is_compat)
        assert problem is None if expected is None else expected in (problem or "")


def test_a_regex_in_a_header_is_checked() -> None:
    text = "routes: [{headers: {x-a: ['~*(?=a)']}}]"
    assert found(text) == [("invalid-value", "1.yml:2:21")]
    accepted(text, flavor="traditional")


@pytest.mark.parametrize(
    ("text", "kind", "joined"),
    [
        ("h", "name", "h:8000"),
        ("h.test.:80", "name", "h.test.:80"),
        ("001.2.3.4", "ipv4", "1.2.3.4:8000"),
        ("1.2.3.4:080", "ipv4", "1.2.3.4:80"),
        ("::1", "ipv6", "[::1]:8000"),
        ("[0::1]:80", "ipv6", "[::1]:80"),
        ("a:0", "name", "a:0"),
    ],
)
def test_hosts(text: str, kind: str, joined: str) -> None:
    parsed = parse_host(text)
    assert (parsed.type, join_host(parsed, 8000)) == (kind, joined)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "a-.b",
        "a-",
        "a b",
        "1.2.3",
        "1.2.3.256",
        "a:65536",
        "::g",
        "[::1]:",
        "é",
    ],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(BadHostError):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("10.0.0.1", True),
        ("10.0.0.1/8", True),
        ("::1/128", True),
        ("10.0.0.0/33", False),
        ("::/129", False),
        ("10.0.0.0/08", False),
        ("10.0.0.0/", False),
        ("fe80::1%eth0", False),
        ("x", False),
    ],
)
def test_addresses_and_ranges(text: str, valid: bool) -> None:  # noqa: FBT001
    assert is_ip_or_cidr(text) is valid


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h", ("http", "h", 80, None)),
        ("https://h/a?q", ("https", "h", 443, "/a")),
        ("grpcs://h", ("grpcs", "h", 80, None)),
        ("https://u:p@[::1]:8443/", ("https", "::1", 8443, "/")),
        ("//h:443", ("https", "h", 443, None)),
        ("http://", ("http", None, 80, None)),
        ("h.test", ("http", None, 80, "h.test")),
    ],
)
def test_urls_of_services(url: str, parts: tuple[object, ...]) -> None:
    assert tuple(expand_url(url).values()) == parts


def test_problems_of_a_url_point_at_it() -> None:
    assert found("services: [{name: a, url: 'http://'}]") == [("missing-field", "1.yml:2:22")]
    assert found("services: [{name: a, url: 'ftp://h'}]") == [("unknown-value", "1.yml:2:22")]


def test_ids_are_kongs_where_it_derives_them() -> None:
    entities = accepted("services: [{name: a, host: h}]\nplugins: [{name: datadog}]")
    assert list(entities.services) == ["72734e2a-702d-5711-b9ef-697178108ad8"]
    assert list(entities.plugins) == ["ae06835b-16e3-5f3e-91fd-23649643ca95"]
    namespace = UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5")
    assert own_uuid5(namespace.bytes, "é") == str(uuid5(namespace, "é"))


def test_other_ids_do_not_depend_on_the_order() -> None:
    first = "routes: [{paths: [/a]}, {paths: [/b]}]\ncertificates: [{cert: C, key: K}]"
    second = "certificates: [{key: K, cert: C}]\nroutes: [{paths: [/b]}, {paths: [/a]}]"
    one, other = accepted(first), accepted(second)
    assert dict(one.routes) == dict(other.routes)
    assert list(one.certificates) == list(other.certificates)


def test_identical_siblings_have_ids_of_their_own() -> None:
    assert len(accepted("routes: [{paths: [/a]}, {paths: [/a]}]").routes) == 2
    text = f"""
        services: [{{name: a, id: {ID}, host: h}}, {{name: b, id: {OTHER_ID}, host: h}}]
        plugins:
        - {{name: cors, service: {{id: {ID}}}}}
        - {{name: cors, service: {{id: {OTHER_ID}}}}}
        """
    assert len(accepted(text).plugins) == 2


def test_ids_of_certificates_do_not_depend_on_keys() -> None:
    ids = {
        next(iter(accepted(f"certificates: [{{cert: C, key: {key}}}]").certificates))
        for key in ("a", "b")
    }
    assert len(ids) == 1


def test_a_deck_dump_is_read() -> None:
    entities = accepted(
        """
        _info: {select_tags: [x], defaults: {}}
        _workspace: default
        _transform: false
        _plugin_configs: {shared: {minute: 5, policy: local}}
        services:
        - name: s
          host: h.test
          path: null
          client_certificate: null
          tags: null
          retries: null
        plugins:
        - {name: rate-limiting, _config: shared, config: {policy: redis}}
        consumers:
        - {username: u, acls: [{group: g}]}
        vaults: [{name: env, prefix: e}]
        """
    )
    assert [service.retries for service in entities.services.values()] == [5]
    assert [p.config for p in entities.plugins.values()] == [{"minute": 5, "policy": "redis"}]
    consumer = next(iter(entities.consumers))
    assert [(acl.group, acl.consumer) for acl in entities.acls.values()] == [("g", consumer)]
    assert [(u.kind, u.parent) for u in entities.uncompiled] == [("vaults", None)]


@pytest.mark.parametrize(
    ("head", "place"),
    [
        ("services: []\n", "1.yml:1:1"),
        ("_format_version: 3.0\n", "1.yml:1:1"),
        ('_format_version: "4.0"\n', "1.yml:1:1"),
        ("_format_version: [x]\n", "1.yml:1:1"),
    ],
)
def test_the_format_version_is_needed(head: str, place: str) -> None:
    assert found("", head=head) == [("format-version", place)]


def test_empty_mappings_and_lists_are_one_to_kong() -> None:
    entities = accepted("services: {}\nroutes: [{paths: [/a], hosts: {}, headers: []}]")
    assert len(entities.routes) == 1


def test_wrong_shapes_are_reported() -> None:
    assert found("services: x\nroutes: [1]\n_info: 5") == [
        ("field-type", "1.yml:2:1"),
        ("field-type", "1.yml:3:10"),
        ("field-type", "1.yml:4:1"),
    ]


@pytest.mark.parametrize(
    ("fields", "algorithm", "hash_on"),
    [
        ("", "round-robin", "none"),
        ("algorithm: latency, hash_on: none", "latency", "none"),
        ("hash_on: ip", "consistent-hashing", "ip"),
        ("algorithm: least-connections, hash_on: none", "least-connections", "none"),
    ],
)
def test_the_algorithm_follows_from_the_hash(fields: str, algorithm: str, hash_on: str) -> None:
    (upstream,) = accepted(f"upstreams: [{{name: u, {fields}}}]").upstreams.values()
    assert (upstream.algorithm, upstream.hash_on) == (algorithm, hash_on)


@pytest.mark.parametrize(
    "fields",
    [
        "hash_on: header",
        "hash_on: ip, hash_fallback: cookie",
        "hash_on: ip, hash_fallback: ip",
        "hash_on: cookie, hash_on_cookie: c, hash_fallback: ip",
        "hash_fallback: ip",
        "hash_on: header, hash_on_header: a, hash_fallback: header, hash_fallback_header: a",
        "hash_on: query_arg, hash_on_query_arg: 'a b'",
    ],
)
def test_hashing_that_can_not_work(fields: str) -> None:
    assert len(found(f"upstreams: [{{name: u, {fields}}}]")) == 1


def test_fields_of_the_enterprise_edition() -> None:
    text = "plugins: [{name: cors, ordering: {before: {access: [acl]}}}]"
    assert [rule for rule, _ in found(text, version=(3, 10))] == ["unknown-field"]
    assert [rule for rule, _ in found(text)] == ["field-not-compiled"]


def test_every_rule_has_a_hint_and_a_code_of_its_own() -> None:
    rules = entity_rules.RULES + document_rules.RULES
    assert all(rule.hint for rule in rules)
    assert len({rule.code for rule in rules}) == len({rule.name for rule in rules}) == len(rules)
