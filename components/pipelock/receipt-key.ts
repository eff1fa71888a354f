// The key with which pipelock signs its receipts; without one it records hardly anything. Of the bottle's
// life only, and in no state: a new one begins a new chain.
import { generateKeyPairSync } from "node:crypto";

/** A new key, in pipelock's own notation: Go's 64 bytes, the seed and the public half. */
export function newReceiptKey(): string {
  const { d, x } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return `pipelock-ed25519-private-v1\n${Buffer.concat([Buffer.from(d!, "base64url"), Buffer.from(x!, "base64url")]).toString("base64")}\n`;
}
