import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** Accepts a WebSocket (RFC 6455) and sends every text and binary message back as it came. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let buffered = head;
  socket.on("error", () => socket.destroy());
  socket.on("data", (data: Buffer) => {
    buffered = Buffer.concat([buffered, data]);
    for (let frame = readFrame(buffered); frame; frame = readFrame(buffered)) {
      buffered = buffered.subarray(frame.length);
      if (frame.opcode === 0x9) socket.write(writeFrame(0x8a, frame.payload));
      else if (frame.opcode === 0x8) socket.end(writeFrame(0x88, frame.payload));
      else if (frame.opcode !== 0xa) socket.write(writeFrame((frame.final ? 0x80 : 0) | frame.opcode, frame.payload));
    }
  });
}

interface Frame {
  final: boolean;
  opcode: number;
  payload: Buffer;
  /** Bytes of the whole frame. */
  length: number;
}

/** The first frame in a buffer, unmasked; undefined if it is not whole yet. */
export function readFrame(data: Buffer): Frame | undefined {
  if (data.length < 2) return undefined;
  const masked = (data[1]! & 0x80) !== 0;
  const short = data[1]! & 0x7f;
  const header = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (masked ? 4 : 0);
  if (data.length < header) return undefined;
  const size = short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short;
  if (data.length < header + size) return undefined;
  const payload = Buffer.from(data.subarray(header, header + size));
  if (masked) for (let i = 0; i < size; i++) payload[i]! ^= data[header - 4 + (i % 4)]!;
  return { final: (data[0]! & 0x80) !== 0, opcode: data[0]! & 0x0f, payload, length: header + size };
}

/** An unmasked frame, as servers send it. @param first the first byte: FIN and opcode */
export function writeFrame(first: number, payload: Buffer): Buffer {
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, payload.length]), payload]);
  const header = Buffer.alloc(payload.length < 0x10000 ? 4 : 10);
  header[0] = first;
  if (header.length === 4) {
    header[1] = 126;
    header.writeUInt16BE(payload.length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([header, payload]);
}
