"""Kong's entities with defaults filled in and references resolved to ids."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from compiler.model.diagnostic import EntityRef
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.document import MappingNode
    from compiler.model.secret import Secret


@value(kw_only=True)
class Entity:
    """What all entities have. `source` is the mapping it was read from, for diagnostics."""

    id: str
    tags: tuple[str, ...] = ()
    source: MappingNode = field(compare=False, repr=False)


@value(kw_only=True)
class Service(Entity):
    """Where requests go. Times are in milliseconds; None means unset."""

    name: str | None
    protocol: str
    host: str
    port: int
    path: str | None
    retries: int
    connect_timeout: int
    write_timeout: int
    read_timeout: int
    enabled: bool
    client_certificate: str | None
    tls_verify: bool | None
    tls_verify_depth: int | None
    ca_certificates: tuple[str, ...] | None
    tls_sans: Mapping[str, Any] | None

    @property
    def label(self) -> str:
        """Return its name, else its id."""
        return self.name or self.id

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("service", self.id, self.name)


@value(kw_only=True)
class Route(Entity):
    """Which requests go to a service. Unset list fields are empty."""

    name: str | None
    service: str | None
    protocols: tuple[str, ...]
    methods: tuple[str, ...]
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    headers: Mapping[str, tuple[str, ...]]
    snis: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    destinations: tuple[Mapping[str, Any], ...]
    https_redirect_status_code: int
    regex_priority: int
    strip_path: bool
    preserve_host: bool
    path_handling: str
    request_buffering: bool
    response_buffering: bool
    expression: str | None
    priority: int | None
    created_at: int | None

    @property
    def label(self) -> str:
        """Return its name, else its id."""
        return self.name or self.id

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("route", self.id, self.name)


@value(kw_only=True)
class Upstream(Entity):
    """A virtual host name with targets behind it."""

    name: str
    algorithm: str
    hash_on: str
    hash_fallback: str
    hash_on_header: str | None
    hash_fallback_header: str | None
    hash_on_cookie: str | None
    hash_on_cookie_path: str
    hash_on_query_arg: str | None
    hash_fallback_query_arg: str | None
    hash_on_uri_capture: str | None
    hash_fallback_uri_capture: str | None
    slots: int
    healthchecks: Mapping[str, Any]
    host_header: str | None
    client_certificate: str | None
    use_srv_name: bool

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("upstream", self.id, self.name)


@value(kw_only=True)
class Target(Entity):
    """An address of an upstream; `target` is host:port with Kong's default port 8000 filled in."""

    upstream: str
    target: str
    weight: int

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("target", self.id, self.target)


@value(kw_only=True)
class Certificate(Entity):
    """A certificate (with its chain) and key, perhaps a second pair of another key type."""

    cert: str
    key: Secret
    cert_alt: str | None
    key_alt: Secret | None

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("certificate", self.id)


@value(kw_only=True)
class Sni(Entity):
    """A server name that a certificate is served for (as written; wildcards at either end)."""

    name: str
    certificate: str

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("sni", self.id, self.name)


@value(kw_only=True)
class CaCertificate(Entity):
    """A certificate authority that services or plugins trust."""

    cert: str

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("ca_certificate", self.id)


@value(kw_only=True)
class Plugin(Entity):
    """A plugin and its scope.

    `config` has every field of a plugin whose fields are known (catalog/plugin_schemas.py):
    checked, None where unset, lists as tuples, certificate authorities and consumers as ids.
    That of other plugins is as written. `written` is what stands in the files, for places.
    """

    name: str
    instance_name: str | None
    service: str | None
    route: str | None
    consumer: str | None
    config: Mapping[str, Any]
    protocols: tuple[str, ...]
    enabled: bool
    written: MappingNode = field(compare=False, repr=False)
    consumer_group: str | None = None

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("plugin", self.id, self.instance_name or self.name)


@value(kw_only=True)
class Consumer(Entity):
    """Somebody who may be let in."""

    username: str | None
    custom_id: str | None

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("consumer", self.id, self.username or self.custom_id)


@value(kw_only=True)
class CertificateCredential(Entity):
    """A name by which client certificates are taken for those of a consumer.

    `kind` is whose it is: mtls_auth_credentials or header_cert_auth_credentials. With
    `ca_certificate` (the id of an authority) it counts only for certificates issued by that.
    """

    kind: str
    consumer: str
    subject_name: str
    ca_certificate: str | None

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef(self.kind.removesuffix("s"), self.id, self.subject_name)


@value(kw_only=True)
class AclGroup(Entity):
    """A group that a consumer is in."""

    consumer: str
    group: str

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("acl", self.id, self.group)


@value(kw_only=True)
class ConsumerGroup(Entity):
    """A group of consumers that is an entity of its own."""

    name: str

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("consumer_group", self.id, self.name)


@value(kw_only=True)
class ConsumerGroupMember(Entity):
    """That a consumer is in such a group."""

    consumer: str
    consumer_group: str

    @property
    def ref(self) -> EntityRef:
        """Return what diagnostics call it."""
        return EntityRef("consumer_group_consumer", self.id)


@value(kw_only=True)
class Uncompiled:
    """An entity of a kind that is read but not compiled (a credential, a vault, a key, …).

    `parent` is the id of the consumer that a credential belongs to.
    """

    kind: str
    source: MappingNode = field(compare=False, repr=False)
    parent: str | None = None


@value(kw_only=True)
class Entities:
    """All entities, keyed by id, in the order they were read."""

    services: Mapping[str, Service]
    routes: Mapping[str, Route]
    upstreams: Mapping[str, Upstream]
    targets: Mapping[str, Target]
    certificates: Mapping[str, Certificate]
    snis: Mapping[str, Sni]
    ca_certificates: Mapping[str, CaCertificate]
    plugins: Mapping[str, Plugin]
    consumers: Mapping[str, Consumer]
    consumer_groups: Mapping[str, ConsumerGroup]
    consumer_group_consumers: Mapping[str, ConsumerGroupMember]
    acls: Mapping[str, AclGroup]
    mtls_auth_credentials: Mapping[str, CertificateCredential]
    header_cert_auth_credentials: Mapping[str, CertificateCredential]
    uncompiled: tuple[Uncompiled, ...] = ()
