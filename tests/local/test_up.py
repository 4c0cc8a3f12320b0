import socket

import pytest

from serve_app.core.errors import PortTaken
from serve_app.local.up import require_free_port


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}.*--port"):
            require_free_port("127.0.0.1", port)
    require_free_port("127.0.0.1", port)
