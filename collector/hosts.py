"""A Datasette plugin: refuse requests whose Host header names somebody else.

Datasette answers any Host header, so a web page that the operator visits could point a name of its own at
127.0.0.1 (DNS rebinding) and read the whole record. The names that are allowed stand in the metadata, under
`plugins.uplog.hosts`; without that the plugin does nothing.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from datasette import hookimpl

if TYPE_CHECKING:  # Datasette imports its plugins before it is whole itself
    from datasette.app import Datasette

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


@hookimpl  # type: ignore[untyped-decorator]
def asgi_wrapper(datasette: "Datasette") -> Callable[[App], App]:
    """Wrap Datasette's application in the guard."""
    allowed = (datasette.plugin_config("uplog") or {}).get("hosts")

    def wrap(app: App) -> App:
        async def guarded(scope: Scope, receive: Any, send: Any) -> None:
            if allowed is None or scope["type"] != "http" or host_of(scope) in allowed:
                await app(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 421, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"This host name is not served here.\n"})

        return guarded

    return wrap


def host_of(scope: Scope) -> str:
    """Return the Host header without its port.

    >>> host_of({"headers": [(b"host", b"[::1]:8001")]})
    '[::1]'
    """
    value = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    name, colon, port = value.rpartition(":")
    return name if colon and port.isdigit() else value
