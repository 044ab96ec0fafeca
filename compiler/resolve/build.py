"""Checked values to entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.model.entities import (
    AclGroup,
    CaCertificate,
    Certificate,
    CertificateCredential,
    Consumer,
    ConsumerGroup,
    ConsumerGroupMember,
    Plugin,
    Route,
    Service,
    Sni,
    Target,
    Upstream,
)
from compiler.model.secret import Secret
from compiler.resolve.hosts import join_host, parse_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.entities import Entity
    from compiler.resolve.drafts import Draft
    from compiler.resolve.problems import Problems

Values = dict[str, Any]

DEFAULT_TARGET_PORT = 8000


def build_service(draft: Draft, values: Values, _problems: Problems) -> Service:
    """Return a service."""
    return Service(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        name=values["name"],
        protocol=values["protocol"],
        host=values["host"],
        port=values["port"],
        path=values["path"],
        retries=values["retries"],
        connect_timeout=values["connect_timeout"],
        write_timeout=values["write_timeout"],
        read_timeout=values["read_timeout"],
        enabled=values["enabled"],
        client_certificate=values["client_certificate"],
        tls_verify=values["tls_verify"],
        tls_verify_depth=values["tls_verify_depth"],
        ca_certificates=values["ca_certificates"],
        tls_sans=values.get("tls_sans"),
    )


def build_route(draft: Draft, values: Values, _problems: Problems) -> Route:
    """Return a route."""
    created_at = values["created_at"]
    return Route(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        name=values["name"],
        service=values["service"],
        protocols=values["protocols"],
        methods=values["methods"] or (),
        hosts=values["hosts"] or (),
        paths=values["paths"] or (),
        headers=values["headers"] or {},
        snis=values["snis"] or (),
        sources=values["sources"] or (),
        destinations=values["destinations"] or (),
        https_redirect_status_code=values["https_redirect_status_code"],
        regex_priority=values["regex_priority"],
        strip_path=values["strip_path"],
        preserve_host=values["preserve_host"],
        path_handling=values["path_handling"],
        request_buffering=values["request_buffering"],
        response_buffering=values["response_buffering"],
        expression=values.get("expression"),
        priority=values.get("priority"),
        created_at=None if created_at is None else int(created_at),
    )


def build_upstream(draft: Draft, values: Values, _problems: Problems) -> Upstream:
    """Return an upstream."""
    return Upstream(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        name=values["name"],
        algorithm=values["algorithm"],
        hash_on=values["hash_on"],
        hash_fallback=values["hash_fallback"],
        hash_on_header=values["hash_on_header"],
        hash_fallback_header=values["hash_fallback_header"],
        hash_on_cookie=values["hash_on_cookie"],
        hash_on_cookie_path=values["hash_on_cookie_path"],
        hash_on_query_arg=values["hash_on_query_arg"],
        hash_fallback_query_arg=values["hash_fallback_query_arg"],
        hash_on_uri_capture=values["hash_on_uri_capture"],
        hash_fallback_uri_capture=values["hash_fallback_uri_capture"],
        slots=values["slots"],
        healthchecks=values["healthchecks"],
        host_header=values["host_header"],
        client_certificate=values["client_certificate"],
        use_srv_name=values["use_srv_name"],
    )


def build_target(draft: Draft, values: Values, _problems: Problems) -> Target:
    """Return a target with its port filled in."""
    return Target(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        upstream=values["upstream"],
        target=join_host(parse_host(values["target"]), DEFAULT_TARGET_PORT),
        weight=values["weight"],
    )


def build_certificate(draft: Draft, values: Values, _problems: Problems) -> Certificate:
    """Return a certificate, its keys wrapped so that nothing prints them."""
    second_key = values["key_alt"]
    return Certificate(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        cert=values["cert"],
        key=Secret(values["key"]),
        cert_alt=values["cert_alt"],
        key_alt=None if second_key is None else Secret(second_key),
    )


def build_sni(draft: Draft, values: Values, _problems: Problems) -> Sni:
    """Return an SNI, without a dot at its end."""
    return Sni(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        name=values["name"].removesuffix("."),
        certificate=values["certificate"],
    )


def build_ca_certificate(draft: Draft, values: Values, _problems: Problems) -> CaCertificate:
    """Return a certificate authority."""
    tags = values["tags"] or ()
    return CaCertificate(id=draft.id, tags=tags, source=draft.node, cert=values["cert"])


def build_plugin(draft: Draft, values: Values, _problems: Problems) -> Plugin:
    """Return a plugin, whose config was resolved."""
    return Plugin(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        name=values["name"],
        instance_name=values["instance_name"],
        service=values["service"],
        route=values["route"],
        consumer=values["consumer"],
        consumer_group=values["consumer_group"],
        config=values["config"],
        written=values["written"],
        protocols=values["protocols"],
        enabled=values["enabled"],
    )


def build_consumer(draft: Draft, values: Values, _problems: Problems) -> Consumer:
    """Return a consumer."""
    return Consumer(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        username=values["username"],
        custom_id=values["custom_id"],
    )


def build_credential(draft: Draft, values: Values, _problems: Problems) -> CertificateCredential:
    """Return what a consumer's certificates are known by."""
    return CertificateCredential(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        kind=draft.kind,
        consumer=values["consumer"],
        subject_name=values["subject_name"],
        ca_certificate=values["ca_certificate"],
    )


def build_acl_group(draft: Draft, values: Values, _problems: Problems) -> AclGroup:
    """Return a group that a consumer is in."""
    return AclGroup(
        id=draft.id,
        tags=values["tags"] or (),
        source=draft.node,
        consumer=values["consumer"],
        group=values["group"],
    )


def build_consumer_group(draft: Draft, values: Values, _problems: Problems) -> ConsumerGroup:
    """Return a group of consumers."""
    tags = values["tags"] or ()
    return ConsumerGroup(id=draft.id, tags=tags, source=draft.node, name=values["name"])


def build_member(draft: Draft, values: Values, _problems: Problems) -> ConsumerGroupMember:
    """Return a consumer's place in a group."""
    return ConsumerGroupMember(
        id=draft.id,
        source=draft.node,
        consumer=values["consumer"],
        consumer_group=values["consumer_group"],
    )


BUILDERS: Mapping[str, Callable[[Draft, Values, Problems], Entity]] = {
    "services": build_service,
    "routes": build_route,
    "upstreams": build_upstream,
    "targets": build_target,
    "certificates": build_certificate,
    "snis": build_sni,
    "ca_certificates": build_ca_certificate,
    "plugins": build_plugin,
    "consumers": build_consumer,
    "consumer_groups": build_consumer_group,
    "consumer_group_consumers": build_member,
    "acls": build_acl_group,
    "mtls_auth_credentials": build_credential,
    "header_cert_auth_credentials": build_credential,
}
"""How the entities of each kind are made."""
