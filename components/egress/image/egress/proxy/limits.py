"""Bounds on what one agent can make egress hold. An agent that floods egress slows itself, nothing else."""

MAX_CONNECTIONS = 400
"""Client connections at once; the next one is answered 503. About 150 KB each when opened."""

MAX_HEAD = 64 * 1024
"""Bytes of a request's or a response's head, request line included."""

MAX_HELLO = 64 * 1024
"""Bytes of a TLS ClientHello, records included."""

BUFFERED_BODY = 64 * 1024
"""Request bodies up to this size are held until whole (and can be sent again); larger ones are streamed."""

DRAINED_BODY = 8 * 1024 * 1024
"""Bytes of a refused request's body that are read and dropped, so that the client gets to read the refusal."""

READ_AHEAD = 256 * 1024
"""Bytes of a server's answer that are held ahead before its socket is left unread."""

HEAD_TIMEOUT = 60.0
"""Seconds for a new connection to say what it wants."""

CONNECT_TIMEOUT = 30.0
"""Seconds for pipelock to be reached, to answer a CONNECT, and for TLS with the server."""

RESTART_TIMEOUT = 5.0
"""Seconds in which a pipelock that takes no connections is tried again: some changes of its rules restart it."""

IDLE_TIMEOUT = 1800
"""Seconds without a byte in either direction after which an opened connection is closed."""
