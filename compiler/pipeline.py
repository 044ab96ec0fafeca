"""The stages in their order: this module is the architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.ahead import Ahead
from compiler.catalog import plan_rules
from compiler.emit.limits import check_written
from compiler.emit.tree import emit, emit_material
from compiler.lower.main import lower
from compiler.model.config import Config
from compiler.model.inputs import SourceText
from compiler.model.place import place_of
from compiler.plan.make import check_listeners, make_plan
from compiler.read.conf_file import read_conf
from compiler.read.documents import read_documents
from compiler.resolve.entities import resolve_entities
from compiler.resolve.materials import lacks_pair, resolve_materials
from compiler.resolve.settings import resolve_settings
from compiler.validate.certificate_headers import check_certificate_headers
from compiler.validate.certificates import check_certificates
from compiler.validate.clients import check_clients
from compiler.validate.directives import check_directives
from compiler.validate.plugins import check_plugins, check_uncompiled
from compiler.validate.policies import check_policies
from compiler.validate.revocation import check_revocation
from compiler.validate.routes import check_routes
from compiler.validate.stream import check_streams
from compiler.validate.tls_policy import check_tls_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.emit.tree import Tree
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import Inputs
    from compiler.model.nginx import OutputFile
    from compiler.model.plan import Plan
    from compiler.model.settings import Settings
    from compiler.model.x509 import KeyPair
    from compiler.second_process import SecondProcess

    SelfSigned = Callable[[], tuple[KeyPair, ...]]
    Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compilation without errors gives."""

    config: Config
    plan: Plan
    tree: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """What is done aside while a large input is compiled.

    The pipeline starts *second* when that is worth it. *self_signed_needed* is called as soon as
    that is known, *material_known* once nothing can fail any more, with the finished files of
    certificates and keys.
    """

    second: SecondProcess
    self_signed_needed: Callable[[], None]
    material_known: Callable[[Config, Mapping[str, OutputFile]], None]


def compile_inputs(
    inputs: Inputs,
    self_signed: SelfSigned,
    report: Report,
    step: Step = lambda _: None,
    aside: Aside | None = None,
) -> Compiled | None:
    """Compile *inputs*; None when *report* holds errors.

    *self_signed* supplies the pairs for listeners without any; *step* is told what begins. Some
    of a large input's work is done aside.
    """
    config = _resolve(inputs, report, step, aside)
    plan = plan_config(config, inputs, self_signed, report, step)
    if plan is None:
        return None
    step("writing nginx.conf")
    material = emit_material(plan)
    if aside is not None:
        aside.material_known(config, material)
    main = lower(plan)
    tree = emit(main, material)
    check_written(main, tree, plan.features, report)
    return None if _failed(report) else Compiled(config, plan, tree)


def plan_config(
    config: Config,
    inputs: Inputs,
    self_signed: SelfSigned,
    report: Report,
    step: Step = lambda _: None,
) -> Plan | None:
    """Check and plan what was resolved; None when errors were found.

    What could be resolved is checked even where other things could not: all errors at once.
    """
    step("checking")
    check_listeners(config.settings, report)
    check_directives(config.settings, lua=inputs.target == "openresty", report=report)
    check_certificates(config, now=inputs.now, report=report)
    check_tls_policy(config, report)
    check_plugins(config, target=inputs.target, allowed=inputs.allow_uncompiled, report=report)
    check_uncompiled(config, target=inputs.target, report=report)
    check_clients(config, inputs.target, report)
    check_revocation(config, inputs.target, now=inputs.now, report=report)
    check_certificate_headers(config, inputs.target, report)
    check_policies(config, inputs.target, report)
    check_routes(config, report)
    check_streams(config, report)
    if _failed(report):  # below, references hold and every value is acceptable
        return None
    step("planning")
    plan = make_plan(config, inputs, self_signed, report)
    return None if _failed(report) else plan  # below, nothing can fail


def resolve_inputs(inputs: Inputs, report: Report, step: Step = lambda _: None) -> Config | None:
    """Read and resolve everything; None when errors were found."""
    config = _resolve(inputs, report, step)
    return None if _failed(report) else config


def _resolve(inputs: Inputs, report: Report, step: Step, aside: Aside | None = None) -> Config:
    """Read and resolve what can be; the rest is missing and reported."""
    settings = read_settings(inputs, report)
    sources = _sources(inputs, settings, report)
    ahead = None if aside is None else Ahead.begin(sources, aside.second)
    if aside is not None and lacks_pair(settings):
        aside.self_signed_needed()
    step("reading entities")
    documents = read_documents(sources, report)
    step("resolving entities")
    entities = resolve_entities(
        documents,
        kong_version=inputs.kong_version,
        router_flavor=settings.text("router_flavor") or "traditional_compatible",
        report=report,
    )
    step("reading certificates")
    materials = resolve_materials(
        settings,
        entities,
        files=inputs.files,
        system_ca=inputs.system_ca,
        lists=inputs.crls,
        matches=None if ahead is None else ahead.matches(documents),
        report=report,
    )
    return Config(settings=settings, entities=entities, materials=materials)


def read_settings(inputs: Inputs, report: Report) -> Settings:
    """Read and resolve kong.conf and the environment alone."""
    conf = None if inputs.conf is None else read_conf(inputs.conf, report)
    return resolve_settings(
        conf, inputs.environment, kong_version=inputs.kong_version, report=report
    )


def _failed(report: Report) -> bool:
    return report.has_errors


def _sources(inputs: Inputs, settings: Settings, report: Report) -> tuple[SourceText, ...]:
    """Return the entities given, else those that kong.conf names."""
    if inputs.entities:
        return inputs.entities
    text = settings.text("declarative_config_string")
    if text is not None:
        return (SourceText("declarative_config_string", text.encode("utf-8", "surrogateescape")),)
    path = settings.text("declarative_config")
    if path is None:
        report.add(plan_rules.ENTITIES_MISSING, None)
        return ()
    try:
        return (SourceText(path, inputs.files.read(path)),)
    except (OSError, ValueError) as error:
        report.add(
            plan_rules.ENTITIES_UNREADABLE,
            place_of(settings.origin("declarative_config")),
            path=path,
            reason=getattr(error, "strerror", None) or "it is no file name",
        )
        return ()
