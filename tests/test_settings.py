"""Settings: types, precedence, what follows from what, and what is said about mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.catalog import read_rules, settings_rules
from compiler.catalog.properties import PROPERTIES, default_text, is_sensitive
from compiler.model.diagnostic import Diagnostic, Report, Severity
from compiler.model.inputs import SourceText
from compiler.model.place import Default, Derived, FromEnvironment, FromFile, Place
from compiler.model.settings import Directive, Listener
from compiler.read.conf_file import read_conf
from compiler.resolve.settings import resolve_settings
from compiler.resolve.versions import NEWEST_PATCHES, NEWEST_VERSION, parse_kong_version

if TYPE_CHECKING:
    from compiler.model.settings import Settings

V3_10 = (3, 10, 0)
V3_13 = (3, 13, 0, 0)
DATA_PLANE = "role = data_plane\ndatabase = off\ncluster_cert = a\ncluster_cert_key = b\n"


def resolve(
    text: str = "", version: tuple[int, ...] = V3_10, /, **environment: str
) -> tuple[Settings, list[Diagnostic]]:
    report = Report()
    conf = read_conf(SourceText("kong.conf", text.encode()), report)
    settings = resolve_settings(conf, environment, kong_version=version, report=report)
    return settings, list(report)


def reported(text: str = "", version: tuple[int, ...] = V3_10, /, **environment: str) -> list[str]:
    return [d.rule.name for d in resolve(text, version, **environment)[1]]


def injected(settings: Settings, block: str) -> dict[str, str]:
    return {d.name: d.value for d in settings.directives[block]}


def at(line: int, column: int = 1) -> FromFile:
    return FromFile(Place("kong.conf", line, column))


# Precedence and provenance


def test_nothing_set_is_nothing_reported() -> None:
    for version in NEWEST_PATCHES.values():
        settings, diagnostics = resolve("", version)
        assert diagnostics == []
        assert all(isinstance(s.origin, Default | Derived) for s in settings.properties.values())


def test_no_file_is_an_empty_file() -> None:
    report = Report()
    assert resolve_settings(None, {}, kong_version=V3_10, report=report) == resolve()[0]


def test_environment_over_file_over_default() -> None:
    setting = resolve("\nlog_level = warn", KONG_LOG_LEVEL="info")[0]["log_level"]
    assert (setting.value, setting.origin) == ("info", FromEnvironment("KONG_LOG_LEVEL"))
    assert setting.overridden == (("warn", at(2)), ("notice", Default()))


def test_directive_says_what_it_derives_from() -> None:
    settings, _ = resolve("ssl_session_timeout = 2h")
    origin = Derived("ssl_session_timeout", at(1))
    assert settings["nginx_stream_ssl_session_timeout"].origin == origin
    assert settings.directive("http", "ssl_session_timeout") == Directive(
        "ssl_session_timeout", "2h", origin
    )


def test_properties_and_directives_are_sorted() -> None:
    settings, _ = resolve("nginx_http_zz = 1\nnginx_http_aa = 2")
    assert list(settings.properties) == sorted(settings.properties)
    names = [d.name for d in settings.directives["http"]]
    assert names == sorted(names)
    assert {"aa", "zz"} <= set(names)


def test_order_of_the_file_does_not_matter() -> None:
    lines = ["ssl_protocols = TLSv1.3", "ssl_cipher_suite = custom", "nginx_http_a = b"]
    one, two = resolve("\n".join(lines))[0], resolve("\n".join(reversed(lines)))[0]
    assert injected(one, "http") == injected(two, "http")


# Types


@pytest.mark.parametrize("text", ["yes", "1", "On", "TRUE", "True", "no", "0"])
def test_only_on_and_true_are_on(text: str) -> None:
    settings, [warning] = resolve(f"client_ssl = {text}")
    assert settings["client_ssl"].value is False
    assert warning.rule.name == "read-as-off"
    assert f"'{text}'" in warning.message
    assert warning.place == Place("kong.conf", 1, 1)


@pytest.mark.parametrize("text", ["on", "true", "off", "false", ""])
def test_plain_booleans_are_not_reported(text: str) -> None:
    assert reported(f"client_ssl = {text}") == []


def test_empty_boolean_is_off_even_if_its_default_is_on() -> None:
    settings, [warning] = resolve("anonymous_reports =")
    assert settings["anonymous_reports"].value is False
    assert warning.rule.name == "read-as-off"


def test_switch_is_copied_as_written_and_reported() -> None:
    settings, diagnostics = resolve("real_ip_recursive = true")
    assert settings["real_ip_recursive"].value == "off"
    assert injected(settings, "proxy")["real_ip_recursive"] == "true"
    assert [d.rule.name for d in diagnostics] == ["switch-copied-as-written"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pg_port", "5432x", "pg_port must be a whole number, and '5432x' is not"),
        ("pg_port", "1.5", "pg_port must be a whole number, and '1.5' is not"),
        ("db_cache_ttl", "5s", "db_cache_ttl must be a number, and '5s' is not"),
        ("db_cache_ttl", "inf", "db_cache_ttl must be a number, and 'inf' is not"),
    ],
)
def test_number_that_is_none_is_an_error(name: str, text: str, message: str) -> None:
    settings, [error] = resolve(f"{name} = {text}")
    assert (error.rule.name, error.message) == ("not-a-number", message)
    assert error.severity is Severity.ERROR
    assert settings[name].value == resolve()[0][name].value


def test_numbers() -> None:
    settings, diagnostics = resolve("pg_port = 0x10\ndb_cache_ttl = 1.5\npg_pool_size =")
    assert [settings[n].value for n in ("pg_port", "db_cache_ttl", "pg_pool_size")] == [
        16,
        1.5,
        None,
    ]
    assert diagnostics == []


def test_empty_number_that_kong_needs_is_an_error() -> None:
    assert reported("upstream_keepalive_pool_size =") == ["empty-value"]
    assert reported("prefix =") == ["empty-value"]


def test_choice() -> None:
    settings, [error] = resolve('log_level = "warn"')
    assert error.rule.name == "invalid-choice"
    assert error.message == "log_level cannot be '\"warn\"'"
    assert "emerg" in str(error.hint)
    assert settings["log_level"].value == "notice"


def test_list_drops_blanks_and_empty_entries() -> None:
    assert resolve("plugins = a , ,b,")[0].items("plugins") == ("a", "b")


def test_number_printed_anew_is_reported_without_a_secret() -> None:
    settings, diagnostics = resolve("pg_password = 0123\npg_user = 007")
    assert settings["pg_password"].value == "123"
    password, user = diagnostics
    assert password.rule.name == user.rule.name == "number-rewritten"
    assert "123" not in f"{password.message}{password.hint}"
    assert user.message.startswith("pg_user becomes '7': Kong takes '007'")
    assert "KONG_PG_USER" in str(user.hint)
    assert reported("pg_port = 0123") == []
    assert resolve(KONG_PG_PASSWORD="0123")[0]["pg_password"].value == "0123"


def test_users_who_count_as_nobody() -> None:
    assert "user" not in injected(resolve()[0], "main")
    assert "user" not in injected(resolve("nginx_user = nobody")[0], "main")
    assert injected(resolve("nginx_user = www  www")[0], "main")["user"] == "www  www"


# Names


def test_unknown_property_suggests_the_nearest() -> None:
    settings, [warning] = resolve("ssl_cipher_suit = modern")
    assert warning.rule.name == "unknown-property"
    assert warning.severity is Severity.WARNING
    assert warning.hint == "did you mean ssl_cipher_suite?"
    assert "ssl_cipher_suit" not in settings.properties


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("LOG_LEVEL = x", "write it in lower case: log_level"),
        ("nginx_proxi_foo = x", "write nginx_<block>_<directive>"),
        ("nginx_http_ = x", "nginx_"),
        ("what_is_this = x", "remove it"),
    ],
)
def test_unknown_property_hints(line: str, hint: str) -> None:
    _, [warning] = resolve(line)
    assert warning.rule.name == "unknown-property"
    assert hint in str(warning.hint)


def test_unknown_variable_is_reported_under_its_own_name() -> None:
    _, [warning] = resolve(KONG_LOG_LEVLE="x")
    assert warning.place == Place(variable="KONG_LOG_LEVLE")
    assert warning.message.startswith("KONG_LOG_LEVLE is no property")


@pytest.mark.parametrize(
    "variable",
    [
        "KONG_SERVICE_HOST",
        "KONG_PROXY_PORT_443_TCP_ADDR",
        "KONG_PORT",
        "KONG_LICENSE_DATA",
        "KONG_",
        "KONGA",
        "PATH",
    ],
)
def test_variables_that_are_nobodys_mistake(variable: str) -> None:
    assert reported("", V3_10, **{variable: "x"}) == []


def test_lower_case_variable() -> None:
    _, [warning] = resolve(kong_log_level="warn")
    assert (warning.rule.name, warning.severity) == ("variable-not-upper-case", Severity.WARNING)
    _, [error] = resolve(kong_nginx_http_foo="1")
    assert (error.rule.name, error.severity) == ("variable-not-upper-case", Severity.ERROR)
    assert error.hint == "rename it to KONG_NGINX_HTTP_FOO"
    both = resolve(kong_nginx_http_foo="1", KONG_NGINX_HTTP_FOO="2")
    assert both[1][0].severity is Severity.WARNING


def test_variable_that_is_no_text() -> None:
    _, [error] = resolve(KONG_PG_USER="a\udcffb")
    assert error.rule.name == "variable-not-utf8"


def test_property_of_another_version_is_ignored() -> None:
    settings, [warning] = resolve("tls_certificate_verify = on", (3, 12, 0, 9))
    assert warning.rule.name == "property-not-in-version"
    assert warning.message == "Kong 3.12.0.9 has no property tls_certificate_verify, and ignores it"
    assert "from 3.13 on" in str(warning.hint)
    assert "tls_certificate_verify" not in settings.properties
    assert reported("portal = on", (3, 4, 0, 0)) == []
    assert "before 3.5" in str(resolve("portal = on", (3, 5, 0, 0))[1][0].hint)


@pytest.mark.parametrize(
    ("name", "line", "value"),
    [
        ("status_listen", (3, 5), ("off",)),
        ("status_listen", (3, 6), ("127.0.0.1:8007 reuseport backlog=16384",)),
        ("tls_certificate_verify", (3, 13), False),
        ("tls_certificate_verify", (3, 14), True),
        ("pg_ssl_verify", (3, 13), False),
        ("pg_ssl_verify", (3, 14), True),
        ("proxy_server_ssl_verify", (3, 12), True),
        ("headers", (3, 4), ("server_tokens", "latency_tokens")),
    ],
)
def test_defaults_of_versions(name: str, line: tuple[int, int], value: object) -> None:
    assert resolve("", (*line, 0, 0))[0][name].value == value


@pytest.mark.parametrize(
    ("version", "depth"),
    [
        ((3, 10, 0), 1),
        ((3, 10, 0, 14), 1),
        ((3, 10, 0, 15), 5),
        ((3, 10, 0, 16), 5),
        ((3, 10, 1, 0), 5),
        ((3, 11, 0, 99), 1),
        ((3, 12, 0, 8), 1),
        ((3, 12, 0, 9), 5),
        ((3, 13, 0, 7), 5),
        ((3, 14, 0, 6), 1),
        ((3, 14, 0, 7), 5),
        ((3, 15, 0, 0), 1),
        ((3, 15, 0, 1), 5),
    ],
)
def test_depth_of_patch_releases(version: tuple[int, ...], depth: int) -> None:
    settings, _ = resolve("", version)
    assert settings["lua_ssl_verify_depth"].value == depth
    directive = settings.directive("proxy", "proxy_ssl_verify_depth")
    assert directive == (
        Directive("proxy_ssl_verify_depth", "5", Default()) if depth == 5 else None
    )


@pytest.mark.parametrize("block", ["proxy", "http"])
def test_depth_of_the_user_stays(block: str) -> None:
    settings, _ = resolve(f"nginx_{block}_proxy_ssl_verify_depth = 3", (3, 15, 0, 1))
    depths = {b: injected(settings, b).get("proxy_ssl_verify_depth") for b in ("proxy", "http")}
    assert depths == {"proxy": None, "http": None, block: "3"}


# Directives


def test_file_property_over_its_directive_in_the_same_file() -> None:
    text = "ssl_session_timeout = 1h\nnginx_http_ssl_session_timeout = 2h"
    settings, [warning] = resolve(text)
    assert injected(settings, "http")["ssl_session_timeout"] == "1h"
    assert warning.rule.name == "setting-without-effect"
    assert warning.place == Place("kong.conf", 2, 1)
    assert "ssl_session_timeout (kong.conf:1:1) is in force" in warning.message


def test_environment_property_under_the_directives_file() -> None:
    settings, diagnostics = resolve("ssl_session_timeout = 1h", KONG_SSL_SESSION_TIMEOUT="3h")
    assert settings["ssl_session_timeout"].value == "3h"
    assert injected(settings, "http")["ssl_session_timeout"] == "1h"
    assert [d.place for d in diagnostics] == [Place(variable="KONG_SSL_SESSION_TIMEOUT")] * 2


def test_environment_directive_over_everything() -> None:
    settings, diagnostics = resolve(
        "ssl_session_timeout = 1h", KONG_NGINX_HTTP_SSL_SESSION_TIMEOUT="2h"
    )
    assert injected(settings, "http")["ssl_session_timeout"] == "2h"
    assert injected(settings, "stream")["ssl_session_timeout"] == "1h"
    assert diagnostics == []


def test_other_name_in_the_environment_loses_to_the_file() -> None:
    settings, [warning] = resolve(
        "nginx_main_worker_processes = 2", KONG_NGINX_WORKER_PROCESSES="6"
    )
    assert injected(settings, "main")["worker_processes"] == "2"
    assert warning.rule.name == "setting-without-effect"
    assert warning.place == Place(variable="KONG_NGINX_WORKER_PROCESSES")


@pytest.mark.parametrize("value", ["", "NONE"])
def test_empty_and_none_are_not_injected(value: str) -> None:
    assert "charset" not in injected(resolve(f"nginx_http_charset = {value}")[0], "http")


@pytest.mark.parametrize(
    "name", ["nginx_http_upstream_keepalive", "nginx_stream_lua_ssl_protocols"]
)
def test_injections_that_kong_leaves_out(name: str) -> None:
    settings, _ = resolve(f"{name} = x")
    assert settings[name].value == "x"
    assert not any(d.value == "x" for block in settings.directives.values() for d in block)


def test_every_block() -> None:
    blocks = "main events http proxy location upstream admin status stream sproxy supstream"
    text = "\n".join(f"nginx_{block}_foo = {block}" for block in blocks.split())
    settings, diagnostics = resolve(text)
    assert diagnostics == []
    assert {b: injected(settings, b)["foo"] for b in blocks.split()} == {
        b: b for b in blocks.split()
    }
    assert list(settings.directives) == blocks.split()


def test_metrics_memory_only_with_the_plugin_and_once() -> None:
    assert injected(resolve("plugins = off")[0], "http").get("lua_shared_dict") is None
    settings, _ = resolve("nginx_http_lua_shared_dict = prometheus_metrics 9m")
    values = [d.value for d in settings.directives["http"] if d.name == "lua_shared_dict"]
    assert values == ["prometheus_metrics 9m"]


@pytest.mark.parametrize(
    ("group", "injects"),
    [("proxy", True), ("stream", True), ("status", True), ("admin_gui", False)],
)
def test_dh_group_only_for_listeners_with_tls(group: str, *, injects: bool) -> None:
    plain = dict.fromkeys(("proxy", "stream", "admin", "admin_gui", "status"), "127.0.0.1:1")
    listens = plain | {group: "127.0.0.1:2 ssl"}
    settings, _ = resolve("\n".join(f"{g}_listen = {text}" for g, text in listens.items()))
    assert ("ssl_dhparam" in injected(settings, "http")) is injects


def test_same_text_twice_is_not_reported() -> None:
    assert reported("ssl_session_timeout = 1h\nnginx_http_ssl_session_timeout = 1h") == []


# Cipher suites


@pytest.mark.parametrize(
    ("suite", "protocols", "prefer", "dhparam"),
    [
        ("modern", "TLSv1.3", "off", None),
        ("intermediate", "TLSv1.2 TLSv1.3", "off", "ffdhe2048"),
        ("old", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", "on", "ffdhe4096"),
        ("fips", "TLSv1.2", "on", None),
        ("custom", "TLSv1.2", "off", "ffdhe4096"),
    ],
)
def test_suite(suite: str, protocols: str, prefer: str, dhparam: str | None) -> None:
    settings, _ = resolve(
        f"ssl_cipher_suite = {suite}\nssl_dhparam = ffdhe4096\nssl_protocols = TLSv1.2\n"
        "ssl_prefer_server_ciphers = off\n"
    )
    for block in ("http", "stream"):
        found = injected(settings, block)
        assert found["ssl_protocols"] == protocols
        assert found["ssl_prefer_server_ciphers"] == prefer
        assert found.get("ssl_dhparam") == dhparam
    assert settings["ssl_dhparam"].value == dhparam


def test_suite_is_the_origin_of_what_it_decides() -> None:
    settings, [warning] = resolve("ssl_cipher_suite = modern\nnginx_http_ssl_protocols = TLSv1.1")
    setting = settings["nginx_http_ssl_protocols"]
    assert setting.value == "TLSv1.3"
    assert setting.origin == Derived("ssl_cipher_suite", at(1))
    assert setting.overridden[0] == ("TLSv1.1", at(2))
    assert warning.place == Place("kong.conf", 2, 1)
    assert "ssl_cipher_suite = modern (kong.conf:1:1) is in force" in warning.message
    assert warning.related[0].place == Place("kong.conf", 1, 1)


@pytest.mark.parametrize(
    "name", ["ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_dhparam"]
)
def test_what_the_default_suite_overrides_is_reported(name: str) -> None:
    value = "on" if name == "ssl_prefer_server_ciphers" else "ffdhe4096"
    _, [warning] = resolve(f"{name} = {value}")
    assert warning.rule.name == "setting-without-effect"
    assert warning.message.startswith(f"{name} has no effect: ssl_cipher_suite = intermediate")
    assert reported(f"{name} = {value}\nssl_cipher_suite = custom") == []


def test_intermediate_of_old_versions() -> None:
    assert ":DHE-RSA-CHACHA20" not in str(resolve("", (3, 5, 0, 0))[0]["ssl_ciphers"].value)
    assert ":DHE-RSA-CHACHA20" in str(resolve("", (3, 6, 0, 0))[0]["ssl_ciphers"].value)


# Injected text


def test_what_stands_behind_a_semicolon_is_a_directive() -> None:
    text = "nginx_proxy_a = 'x;y' \\; ${z};\tproxy_ssl_verify  off;; ip_hash ;"
    settings, diagnostics = resolve(text)
    [origin] = {d.origin for d in settings.directives["proxy"] if d.leader == "a"}
    assert [d for d in settings.directives["proxy"] if "a" in {d.name, d.leader}] == [
        Directive("a", "'x;y' \\; ${z}", origin),
        Directive("proxy_ssl_verify", "off", origin, "a"),
        Directive("ip_hash", "", origin, "a"),
    ]
    assert diagnostics == []


def test_what_follows_stands_behind_its_leader() -> None:
    settings, _ = resolve("nginx_proxy_b = 1; a 2\nnginx_proxy_c = 3; b 4")
    names = [d.name + d.value for d in settings.directives["proxy"] if d.value in set("1234")]
    assert names == ["b1", "a2", "c3", "b4"]


@pytest.mark.parametrize(
    "text", ['a "b', "a 'b", "a 'b\\'", 'a; b "c', "a #b", "a;# b", "a \\", "'a' #"]
)
def test_text_that_does_not_end_is_refused(text: str) -> None:
    settings, [error] = resolve(KONG_NGINX_PROXY_X=text)
    assert error.rule.name == "injected-text-not-whole"
    assert "x" not in injected(settings, "proxy")


@pytest.mark.parametrize("text", ["a#b", "a'b", 'a"b', "\\'", "'#'", "${a}#", "a}", "a\\{"])
def test_text_that_ends_is_kept(text: str) -> None:
    settings, diagnostics = resolve(KONG_NGINX_PROXY_X=text)
    assert injected(settings, "proxy")["x"] == text
    assert diagnostics == []


@pytest.mark.parametrize("text", ["a { b; }", "a; if (b) { c; }", "{ a }", "a; include b", "}"])
def test_text_that_nobody_reads_is_reported(text: str) -> None:
    _, [warning] = resolve(KONG_NGINX_PROXY_X=text)
    assert warning.rule.name == "injected-text-not-read"


def test_policy_contradicted_behind_a_semicolon() -> None:
    text = "tls_certificate_verify = on\nnginx_proxy_proxy_buffering = off; proxy_ssl_verify off"
    settings, [error] = resolve(text, V3_13)
    assert error.rule.name == "verification-contradicted"
    assert "nginx_proxy_proxy_buffering" in error.message
    assert injected(settings, "proxy")["proxy_ssl_verify"] == "on"


# Verification of upstreams


def test_policy_switches_verification_on() -> None:
    settings, diagnostics = resolve("tls_certificate_verify = on", V3_13)
    assert settings.directive("proxy", "proxy_ssl_verify") == Directive(
        "proxy_ssl_verify", "on", Derived("tls_certificate_verify", at(1))
    )
    assert diagnostics == []


def test_policy_of_the_user_or_default() -> None:
    assert "proxy_ssl_verify" not in injected(resolve("", V3_13)[0], "proxy")
    assert injected(resolve("", (3, 14, 0, 0))[0], "proxy")["proxy_ssl_verify"] == "on"
    settings, diagnostics = resolve("nginx_proxy_proxy_ssl_verify = on", (3, 14, 0, 0))
    assert settings.directive("proxy", "proxy_ssl_verify") == Directive(
        "proxy_ssl_verify", "on", at(1)
    )
    assert diagnostics == []


@pytest.mark.parametrize("block", ["proxy", "http", "location", "sproxy"])
def test_policy_contradicted(block: str) -> None:
    text = f"tls_certificate_verify = on\nnginx_{block}_proxy_ssl_verify = off"
    settings, [error] = resolve(text, V3_13)
    assert error.rule.name == "verification-contradicted"
    assert error.place == Place("kong.conf", 2, 1)
    assert error.related[0].place == Place("kong.conf", 1, 1)
    assert injected(settings, "proxy")["proxy_ssl_verify"] == "on"
    assert reported(text.replace("= on", "= off"), V3_13) == []


def test_policy_contradicted_by_default() -> None:
    _, [error] = resolve("nginx_proxy_proxy_ssl_verify = off", (3, 14, 0, 0))
    assert "tls_certificate_verify = on (by default in this version of Kong)" in error.message


def test_policy_contradicted_by_a_misnamed_directive() -> None:
    _, diagnostics = resolve("nginx_proxy_proxy_tls_verify = off", (3, 14, 0, 0))
    [error] = [d for d in diagnostics if d.severity is Severity.ERROR]
    assert error.message.startswith("nginx_proxy_proxy_tls_verify switches verification")


def test_misnamed_directive_is_understood() -> None:
    settings, [warning] = resolve("nginx_proxy_proxy_tls_verify = on")
    assert settings.directive("proxy", "proxy_ssl_verify") == Directive(
        "proxy_ssl_verify", "on", at(1)
    )
    assert "proxy_tls_verify" not in injected(settings, "proxy")
    assert warning.rule.name == "misnamed-verify-directive"
    assert "nginx_proxy_proxy_ssl_verify" in str(warning.hint)


# Listeners


def test_listener_in_full() -> None:
    settings, diagnostics = resolve(
        "proxy_listen = [::1]:08443 http2 ssl proxy_protocol deferred bind reuseport "
        "backlog=5 ipv6only=off so_keepalive=1m::9"
    )
    assert diagnostics == []
    assert settings.listeners["proxy"] == (
        Listener(
            ip="[0000:0000:0000:0000:0000:0000:0000:0001]",
            port=8443,
            ssl=True,
            http2=True,
            proxy_protocol=True,
            deferred=True,
            bind=True,
            reuseport=True,
            backlog=5,
            ipv6only=False,
            so_keepalive="1m::9",
        ),
    )


def test_stream_listener() -> None:
    settings, _ = resolve("stream_listen = 1.2.3.004:53 udp, host.test:99 ssl")
    assert settings.listeners["stream"] == (
        Listener(ip="1.2.3.4", port=53, udp=True),
        Listener(ip="host.test", port=99, ssl=True),
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("unix:/tmp/kong.sock", "Kong listens on no unix sockets"),
        ("0.0.0.0:80 ssl ssl", "'ssl' is unknown here or repeated"),
        ("0.0.0.0:80 ipv6only=maybe", "'ipv6only=maybe' is unknown here or repeated"),
        ("0.0.0.0:80 udp", "'udp' is unknown here or repeated"),
        ("0.0.0.0:80, off", "off can only stand alone"),
        ("0.0.0.0:0", "'0.0.0.0:0' is not of the form <ip>:<port>"),
        ("0.0.0.0:65536", "'0.0.0.0:65536' is not of the form <ip>:<port>"),
        ("256.0.0.1:80", "'256.0.0.1:80' is not"),
        ("::1:80", "'::1:80' is not"),
        ("[::1]", "'[::1]' is not"),
        ("[::g]:80", "'[::g]:80' is not"),
        ("ssl", "it has no <ip>:<port>"),
        ("0.0.0.0:80 backlog=99999999999", "backlog=99999999999 is too large"),
        ("0.0.0.0:" + "9" * 5000, "is not of the form"),
        ("", "it has no <ip>:<port>"),
    ],
)
def test_listener_refused(entry: str, problem: str) -> None:
    _, [error] = resolve(f"proxy_listen = {entry}")
    assert error.rule.name == "invalid-listener"
    assert problem in error.message
    assert error.message.startswith("proxy_listen: ")


def test_stream_has_flags_of_its_own() -> None:
    assert reported("stream_listen = 0.0.0.0:80 http2") == ["invalid-listener"]


# References to secrets


def test_reference_to_the_environment() -> None:
    settings, diagnostics = resolve("pg_user = {vault://env/my-user}", MY_USER="me")
    assert (settings["pg_user"].value, settings["pg_user"].sensitive) == ("me", True)
    assert diagnostics == []


def test_reference_in_a_list_and_to_a_part_of_json() -> None:
    settings, _ = resolve(
        "ssl_cert = a.crt, {vault://env/tls/cert}\nssl_cert_key = k, {vault://env/tls/key}",
        TLS='{"cert": "b,c", "key": "d"}',
    )
    assert settings.items("ssl_cert") == ("a.crt", "b,c")
    assert settings.items("ssl_cert_key") == ("k", "d")


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ("{vault://hcv/a}", "vault-reference-not-compiled"),
        ("{vault://aws/a/b}", "vault-reference-not-compiled"),
        ("{vault://env/missing}", "vault-reference-unresolved"),
        ("{vault://env/}", "vault-reference-unresolved"),
        ("{vault://env/secret/k}", "vault-reference-unresolved"),
        ("{vault://env/json/number}", "vault-reference-unresolved"),
        ("{vault://env/json/absent}", "vault-reference-unresolved"),
    ],
)
def test_reference_that_cannot_be_read(reference: str, rule: str) -> None:
    _, [error] = resolve(f"pg_user = {reference}", SECRET="hunter2", JSON='{"number": 815}')
    assert error.rule.name == rule
    assert error.severity is Severity.ERROR
    assert "hunter2" not in error.message
    assert "815" not in error.message


def test_reference_needs_the_vault() -> None:
    assert reported("vaults = off\npg_user = {vault://env/a}", A="x") == [
        "vault-reference-unresolved"
    ]


def test_secret_of_a_reference_is_not_shown() -> None:
    _, [error] = resolve("pg_port = {vault://env/port}", PORT="hunter2")
    assert error.message == "pg_port must be a whole number, and [redacted] is not"


# What Kong demands of several properties


@pytest.mark.parametrize(
    ("text", "rule", "word"),
    [
        ("ssl_cert = a, b\nssl_cert_key = c", "certificate-and-key-counts-differ", "ssl_cert"),
        (
            "proxy_listen = 0.0.0.0:80\nstream_listen = 0.0.0.0:81 ssl\nssl_cert = a",
            "certificate-and-key-counts-differ",
            "ssl_cert_key",
        ),
        ("admin_ssl_cert = a", "certificate-and-key-counts-differ", "admin_ssl_cert_key"),
        ("admin_gui_ssl_cert = a", "certificate-and-key-counts-differ", "admin_gui_ssl_cert_key"),
        ("client_ssl = on\nclient_ssl_cert = a", "certificate-and-key-counts-differ", "none"),
        ("trusted_ips = 10.0.0.0/33", "invalid-entry", "10.0.0.0/33"),
        ("trusted_ips = fe80::1%eth0", "invalid-entry", "fe80"),
        ("dns_resolver = ns.test", "invalid-entry", "ns.test"),
        ("dns_order = LAST, MX", "invalid-entry", "MX"),
        ("headers = server", "", ""),
        ("headers = x-what", "invalid-entry", "x-what"),
        ("tracing_instrumentations = off, router", "settings-conflict", "off beside others"),
        ("port_maps = 80:0", "invalid-entry", "80:0"),
        ("lua_max_uri_args = 0", "out-of-range", "1 to 1000"),
        ("tracing_sampling_rate = 1.1", "out-of-range", "1.1"),
        ("cluster_max_payload = 1", "out-of-range", "4194304"),
        ("worker_state_update_frequency = 0", "out-of-range", "greater than 0"),
        ("node_id = x", "out-of-range", "UUID"),
        ("admin_gui_path = /a b", "out-of-range", "letters"),
        ("database = cassandra", "settings-conflict", "cassandra"),
        ("proxy_server = ftp://x", "out-of-range", "proxy_server"),
        ("proxy_server = http://[x", "out-of-range", "proxy_server"),
        ("proxy_server = http://x/?a", "out-of-range", "proxy_server"),
        ("pluginserver_names = a-b", "settings-conflict", "pluginserver_a_b_query_cmd"),
        ("cluster_dp_labels = a:b", "settings-conflict", "cluster_dp_labels"),
        ("role = control_plane", "settings-conflict", "cluster_cert"),
    ],
)
def test_check(text: str, rule: str, word: str) -> None:
    _, diagnostics = resolve(text)
    assert [d.rule.name for d in diagnostics] == ([rule] if rule else [])
    assert all(d.severity is Severity.ERROR and word in d.message for d in diagnostics)
    assert all(d.place is not None for d in diagnostics)


@pytest.mark.parametrize(
    "text",
    [
        "trusted_ips = 0.0.0.0/0, ::/0, [::1], unix:, 1.2.3.4",
        "dns_resolver = 8.8.8.8, [::1]:53",
        "port_maps = 80 : 8000",
        "proxy_server = http://u:p@x:80",
        "pluginserver_names = a\npluginserver_a_query_cmd = /bin/a",
        "admin_ssl_cert = a\nadmin_listen = 127.0.0.1:8001",
        "client_ssl_cert = a",
        f"{DATA_PLANE}cluster_dp_labels = Region:EU-1",
    ],
)
def test_check_passes(text: str) -> None:
    assert reported(text) == []


@pytest.mark.parametrize("label", ["a", "a:", ":b", "mesh-x:b", "KIC:b", "a:-b", f"a:{'x' * 64}"])
def test_label_refused(label: str) -> None:
    assert reported(f"{DATA_PLANE}cluster_dp_labels = {label}") == ["invalid-entry"]


def test_data_plane_trusts_the_cluster() -> None:
    settings, _ = resolve(DATA_PLANE)
    assert settings.items("lua_ssl_trusted_certificate") == ("system", "a")
    assert settings.origin("lua_ssl_trusted_certificate") == Derived("cluster_cert", at(3))


# Secrets


@pytest.mark.parametrize(
    "name", [p.name for p in PROPERTIES.values() if p.sensitive and p.exists_in((3, 10))]
)
def test_sensitive_values_are_never_shown(name: str) -> None:
    for value in ("hunter2", "0x4ae", "hunter2,,", "{vault://hunter2/x}", '"hunter2"'):
        settings, diagnostics = resolve(f"{name} = {value}\n{name} = {value}")
        assert settings[name].sensitive
        for diagnostic in diagnostics:
            said = f"{diagnostic.message}{diagnostic.hint}{diagnostic.related}"
            assert value not in said
            assert "1198" not in said


def test_names_that_sound_secret_are() -> None:
    assert is_sensitive("vault_hcv_token")
    assert is_sensitive("ssl_cert_key")
    assert not is_sensitive("ssl_cert")
    assert not is_sensitive("nginx_proxy_proxy_ssl_certificate_key")


# Versions and tables


def test_versions() -> None:
    assert parse_kong_version("3.10") == (3, 10, 0, 15)
    assert parse_kong_version("3.15") == NEWEST_VERSION
    assert parse_kong_version(" 3.10.0 ") == (3, 10, 0)
    assert parse_kong_version("3.14.0.2") == (3, 14, 0, 2)


@pytest.mark.parametrize("text", ["", "3", "3.3", "3.16", "4.0", "latest", "3.x", "3.10.", "v3.10"])
def test_versions_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Kong"):
        parse_kong_version(text)


def test_every_default_reads_without_a_fault() -> None:
    for version in NEWEST_PATCHES.values():
        for name, known in PROPERTIES.items():
            if known.exists_in((version[0], version[1])) and known.choices:
                assert default_text(name, version) in {None, *known.choices}


def test_names_passed_on_to_exist() -> None:
    for known in PROPERTIES.values():
        for target in (*known.directives, known.stands_for or known.name):
            assert target in PROPERTIES


def test_rules_are_distinct() -> None:
    every = (*read_rules.RULES, *settings_rules.RULES)
    assert len({rule.code for rule in every}) == len({rule.name for rule in every}) == len(every)


@pytest.mark.parametrize(
    "value", ["", ",", "{vault://", "{vault://}", "9" * 5000, "\0", "=", "[", "%", "ä", "-1", "{}"]
)
def test_no_value_raises(value: str) -> None:
    resolve("\n".join(f"{name} = {value}" for name in PROPERTIES), V3_10)
    resolve("", NEWEST_VERSION, **{f"KONG_{name.upper()}": value for name in PROPERTIES})


@given(st.binary(), st.dictionaries(st.text().map("KONG_{}".format), st.text()))
def test_no_input_raises(data: bytes, environment: dict[str, str]) -> None:
    report = Report()
    conf = read_conf(SourceText("kong.conf", data), report)
    resolve_settings(conf, environment, kong_version=NEWEST_VERSION, report=report)
    list(report)
