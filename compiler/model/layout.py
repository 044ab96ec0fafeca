"""Where certificates and keys lie in the output tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.revocation import RevocationLists
    from compiler.model.x509 import Bundle, KeyPair


def certificate_file(pair: KeyPair) -> str:
    """Return the path of a pair's certificate, from the root of the tree."""
    return f"tls/certs/{pair.certificate_name}.pem"


def key_file(pair: KeyPair) -> str:
    """Return the path of a pair's private key."""
    return f"tls/keys/{pair.key_name}.pem"


def bundle_file(bundle: Bundle) -> str:
    """Return the path of a bundle of trusted certificates."""
    return f"tls/ca/{bundle.name}.pem"


def lists_file(lists: RevocationLists) -> str:
    """Return the path of lists of revoked certificates."""
    return f"tls/crls/{lists.name}.pem"


def dhparam_file(value: str) -> str:
    """Return the path of the DH parameters: a predefined group's, or the user's own."""
    return f"tls/dhparam/{value}.pem" if "-----" not in value else "tls/dhparam/ssl_dhparam.pem"


COMMON_PART = "conf/server.conf"
"""What all servers of requests include, where there are several."""
