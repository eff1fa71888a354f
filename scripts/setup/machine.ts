import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What set-up must know about the machine before it installs anything. */
export interface Machine {
  platform: NodeJS.Platform;
  /** ID and VERSION_CODENAME of os-release(5); empty elsewhere. */
  id: string;
  codename: string;
  root: boolean;
  /** Whether apt installs software here: Debian, Ubuntu and what is made from them. */
  apt: boolean;
  /** Whether systemd is the running init, by sd_booted(3)'s own test. */
  systemd: boolean;
}

export function readMachine(): Machine {
  const release = parseOsRelease(readIfThere("/etc/os-release") ?? readIfThere("/usr/lib/os-release") ?? "");
  const id = release["ID"] ?? "";
  const family = [id, ...(release["ID_LIKE"] ?? "").split(/\s+/)];
  return {
    platform: process.platform,
    id,
    codename: release["VERSION_CODENAME"] ?? "",
    root: process.getuid?.() === 0,
    apt: family.includes("debian") && which("apt-get") !== undefined,
    systemd: existsSync("/run/systemd/system"),
  };
}

/** os-release(5): shell-like assignments, values optionally quoted. */
export function parseOsRelease(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
      return match ? [[match[1]!, match[2] ?? match[3] ?? match[4] ?? ""]] : [];
    }),
  );
}

/** The path of a program on PATH, or in the folders of system programs that a user's PATH often lacks. */
export function which(program: string, path = process.env["PATH"] ?? ""): string | undefined {
  const folders = [...path.split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.filter(Boolean).map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
