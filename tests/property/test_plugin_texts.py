"""Whatever stands in the config of a plugin or in a credential, there is an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.compiling import certificate, compile_texts

from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS

CA = "33333333-3333-4333-8333-333333333333"
KEY = certificate("ec.key").splitlines()[1][:20]
CONF = {"proxy_listen": "0.0.0.0:8000", "admin_listen": "off"}
QUICK = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

WORDS = st.sampled_from(
    ("", "*", "u", CA, "10.0.0.0/8", "GET", "REQUEST", "CN", "(", "a**", "~", "{vault://env/x}",
     "X-A", "\0", "\ud800", "username", certificate("ca.crt"), certificate("ec.key"),
     "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----")
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | WORDS
    | st.text(max_size=6)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def plugins(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(PLUGIN_SCHEMAS)))
    fields = st.sampled_from([*PLUGIN_SCHEMAS[name], "whitelist", "x"])
    config = draw(st.dictionaries(fields, VALUES, max_size=8) | VALUES)
    more = draw(st.dictionaries(st.sampled_from(("protocols", "consumer", "_config")), VALUES))
    return {"name": name, "config": config, **more}


CREDENTIALS = st.dictionaries(
    st.sampled_from(("id", "subject_name", "ca_certificate", "group", "consumer", "tags", "x")),
    VALUES,
)


def document(**more: Any) -> str:
    return json.dumps(
        {
            "_format_version": "3.0",
            "_plugin_configs": {"u": {"allow": ["a"], "ca_certificates": [CA]}},
            "ca_certificates": [{"id": CA, "cert": certificate("ca.crt")}],
            "services": [{"name": "s", "url": "http://127.0.0.1:1"}],
            **more,
        },
    )


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in PLUGIN_SCHEMAS for field in PLUGIN_SCHEMAS[name]]
)
def test_a_key_that_went_astray_is_not_shown(name: str, field: str) -> None:
    key = certificate("ec.key")
    for value in (key, [key], {"id": key}, {key: 1}):
        outcome = compile_texts(document(plugins=[{"name": name, "config": {field: value}}]), CONF)
        assert KEY not in outcome.diagnostics


@QUICK
@given(plugins())
def test_every_config_has_an_answer(plugin: dict[str, Any]) -> None:
    outcome = compile_texts(document(consumers=[{"username": "u"}], plugins=[plugin]), CONF)
    assert KEY not in outcome.diagnostics


@QUICK
@given(
    st.sampled_from(("acls", "mtls_auth_credentials", "header_cert_auth_credentials")),
    CREDENTIALS,
    CREDENTIALS,
)
def test_every_credential_has_an_answer(
    kind: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    consumers = [{"username": "u", kind: [first]}, {"username": "v"}]
    outcome = compile_texts(document(consumers=consumers, **{kind: [second]}), CONF)
    assert KEY not in outcome.diagnostics


@QUICK
@given(VALUES, st.lists(VALUES, max_size=3), VALUES)
def test_every_membership_has_an_answer(inside: Any, groups: list[Any], members: Any) -> None:
    found = {
        "consumers": [{"username": "u", "groups": inside}, {"username": "v", "groups": groups}]
    }
    more = {"consumer_groups": [{"name": "a"}], "consumer_group_consumers": [members]}
    outcome = compile_texts(document(**found, **more), CONF)
    assert KEY not in outcome.diagnostics
