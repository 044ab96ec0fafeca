"""What is decided about answers: their headers, and how errors are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping


@value(kw_only=True)
class Headers:
    """What is added to requests and answers.

    `product` is what the gateway calls itself. With `via_lists_hops`, Via is a list of hops that
    grows with each, towards upstreams too; else it is what answers hold, and nothing but that.
    """

    product: str
    debug: bool
    request_id_to_client: bool
    request_id_to_upstream: bool
    via: bool
    via_lists_hops: bool
    upstream_latency: bool
    response_latency: bool
    upstream_status: bool


@value(kw_only=True)
class ErrorTexts:
    """How the gateway tells an error: the user's text by format, where there is one.

    `default_type` is the format for clients that ask for none. `names_request` tells that Kong's
    own texts hold the request's id.
    """

    default_type: str
    templates: Mapping[str, str]
    names_request: bool
