// Writes a tar archive (POSIX pax, https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). Pure.

export interface TarEntry {
  /** Relative, with slashes. */
  readonly path: string;
  readonly content: Buffer;
  readonly executable?: boolean;
}

/** Regular files only; their directories are made by whoever unpacks. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, content, executable }) => {
    const name = Buffer.from(path);
    const short = name.length <= 100;
    return [
      ...(short ? [] : file("pax", Buffer.from(paxRecord("path", path)), 0o644, "x")),
      ...file(short ? path : "long", content, executable ? 0o755 : 0o644, "0"),
    ];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function file(path: string, content: Buffer, mode: number, type: "0" | "x"): Buffer[] {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) => header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at);
  header.write(path, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  header.write("        ", 148); // the checksum is taken with its own field blank
  header.write(type, 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
