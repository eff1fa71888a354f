import { describe, expect, it } from "vitest";
import { packageHosts } from "../../components/machine/packages.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";

/** Puts a program in the real one's place. */
function machineWith(name: string, answer: string): void {
  withEnvironment({ PATH: fakeProgram(name, [["*", answer]]).folder + ":/usr/bin:/bin" });
}

describe("packageHosts", () => {
  it("asks nobody where the manifest names no client", async () => {
    expect(await packageHosts([])).toEqual({ hosts: [], ports: [], environment: {} });
  });

  it("npm: its registry, without the credentials in its address", async () => {
    machineWith("npm", "https://user:s3cret@mirror.example.com:8443/npm/\n");
    expect(await packageHosts(["npm"])).toEqual({
      hosts: [],
      ports: [{ host: "mirror.example.com", scheme: "https", port: 8443 }],
      environment: { NPM_CONFIG_REGISTRY: "https://mirror.example.com:8443/npm/" },
    });
  });

  it("pip: its index, extra indexes and the host of its files", async () => {
    machineWith("python3", "https://index.example.com/simple\nextra https://u:s3cret@extra.example.com/simple\nhttps://files.example.com\n");
    expect(await packageHosts(["pip"])).toEqual({
      hosts: ["extra.example.com", "files.example.com", "index.example.com"],
      ports: [],
      environment: { PIP_INDEX_URL: "https://index.example.com/simple", PIP_EXTRA_INDEX_URL: "https://extra.example.com/simple" },
    });
  });

  it("apt: each host once, and nothing that is no URL", async () => {
    machineWith("apt-get", "http://deb.example.com/debian/\nhttp://deb.example.com/debian-security/\n/cdrom\n");
    expect(await packageHosts(["apt"])).toEqual({ hosts: ["deb.example.com"], ports: [], environment: {} });
  });

  it.each([
    ["npm", "npm"],
    ["pip", "python3 or python"],
    ["apt", "apt-get"],
  ] as const)("names %s where it does not answer", async (client, asked) => {
    withEnvironment({ PATH: "/nonexistent" });
    await expect(packageHosts([client])).rejects.toThrow(
      new Error(
        `bottle:network.packages: ${client} did not say which hosts it uses (asked: ${asked}); install ${client} on this machine, or list the hosts in network.hosts with inspect: false`,
      ),
    );
  });
});
