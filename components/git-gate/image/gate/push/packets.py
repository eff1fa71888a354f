"""git's packet lines (https://git-scm.com/docs/gitprotocol-common), as the hook proc-receive speaks them."""


class PacketError(ValueError):
    """What was read is no packet line."""


def read_packets(stream) -> list[bytes]:
    """Up to a flush packet. Raises PacketError."""
    packets = []
    while True:
        head = stream.read(4)
        try:
            length = int(head, 16)
        except ValueError:
            raise PacketError(f"no packet: {head!r}") from None
        if length == 0:
            return packets
        if length < 4:
            raise PacketError(f"no packet: {head!r}")
        data = stream.read(length - 4)
        if len(data) != length - 4:
            raise PacketError("a packet is cut short")
        packets.append(data.removesuffix(b"\n"))


def write_packets(stream, packets: list[bytes]) -> None:
    """With a flush packet at their end."""
    for packet in packets:
        stream.write(f"{len(packet) + 4:04x}".encode() + packet)
    stream.write(b"0000")
    stream.flush()
