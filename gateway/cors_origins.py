"""Setting of the origins whose pages may call the API."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from chassis.settings import MAX_PORT, split_by_commas

ANY_ORIGIN = "*"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::([1-9][0-9]{0,4}))?")


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Accept only origins in the form in which browsers send them: any other form would never match."""
    if ANY_ORIGIN in origins and len(origins) > 1:
        message = "must be * alone, or a list of origins without *"
        raise ValueError(message)
    for number, origin in enumerate(origins, start=1):
        if origin != ANY_ORIGIN and not _is_serialized_origin(origin):
            message = (
                f"origin {number} of the list must be scheme://host[:port] as browsers send it, such as "
                "https://app.example.com or http://localhost:3000: in lower case, with an international name in its "
                "xn-- form, without a path, a slash at the end or the default port"
            )
            raise ValueError(message)
    return origins


def _is_serialized_origin(text: str) -> bool:
    """Return True for the serialization of an origin (WHATWG HTML section 7.1.1, RFC 6454 section 6.2)."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return False
    scheme, host, port = match.groups()
    has_valid_port = port is None or (int(port) <= MAX_PORT and int(port) != _DEFAULT_PORTS.get(scheme))
    return has_valid_port and _is_canonical_host(host)


def _is_canonical_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]" == host
        # A host whose last label is a number is an IPv4 address in a browser (WHATWG URL section 3.5).
        return not host.rpartition(".")[2].isdigit() or str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


CorsOrigins = Annotated[tuple[str, ...], BeforeValidator(split_by_commas), AfterValidator(_check_origins)]
"""Origins, separated by commas, or * alone."""
