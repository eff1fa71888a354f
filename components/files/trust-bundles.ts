// Run by a Command: writes each container's bundle of trusted roots. The public roots are those of
// this machine's Node; with them go the machine's extra CAs and the bottle's own.
// stdin: JSON {files: [paths of PEM files], bundles: [{path, roots, owned, reload?, certificates: [PEM]}]}.
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { rootCertificates } from "node:tls";
import { hangUp, runningContainer } from "../compose/container.ts";
import { ownedFile, ownedFolder } from "./owned-files.ts";
import { input, main, owner, setting } from "./script-io.ts";

interface Input {
  readonly files: readonly string[];
  readonly bundles: readonly {
    readonly path: string;
    /** Whether the public roots are in it. */
    readonly roots: boolean;
    readonly owned: boolean;
    /** Service that reads its bundle again at SIGHUP. */
    readonly reload?: string;
    readonly certificates: readonly string[];
  }[];
}

await main(async () => {
  const { files, bundles } = JSON.parse(input()) as Input;
  const extra = files.map((path) => readFileSync(path, "utf8"));
  for (const { path, roots, owned, reload, certificates } of bundles) {
    const text = [...(roots ? rootCertificates : []), ...extra, ...certificates].map((pem) => `${pem.trim()}\n`).join("");
    if (owned) {
      ownedFolder(dirname(path), owner());
      const old = existsSync(path) ? readFileSync(path, "utf8") : undefined;
      ownedFile(path, text, owner());
      const container = reload === undefined || old === text ? undefined : await runningContainer(setting("COMPOSE_PROJECT"), reload);
      if (container !== undefined) await hangUp(container);
    } else {
      writeInPlace(path, text);
    }
  }
});

/** Keeps the inode: a file that is mounted by itself never sees a rename. Certificates are public: 0644. */
function writeInPlace(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, "a", 0o644);
  try {
    if (readFileSync(path, "utf8") === text) return;
    ftruncateSync(file, 0);
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}
