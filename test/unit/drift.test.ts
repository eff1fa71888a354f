// What the look at the engine makes of what it finds, against a Docker that is made up.
import { cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findDrift } from "../../components/drift/drift.ts";
import { fingerprint, readApplied, renderedFiles, writeApplied, type Applied } from "../../components/drift/record.ts";
import { liveEvidence } from "../../components/pipelock/evidence.ts";
import { stateFolder, type StateFolder } from "../../components/state-folder.ts";
import { generationOf } from "../../components/sweeper.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";
import { bottleArgs, identity, machine, temporaryFolder } from "./fixtures.ts";
import { bottle, withRoutes } from "./recorded-bottle.ts";

const me = { uid: process.getuid!(), gid: process.getgid!() };
const composeFile = "services: {agent: {image: a}, pipelock: {image: p}}\n";

/** A state folder as a good `up` leaves it. */
function applied(more: Partial<Applied> = {}): StateFolder {
  const folder = stateFolder(temporaryFolder(), identity.slug);
  mkdirSync(folder.pipelock.config, { recursive: true });
  writeFileSync(folder.composeFile, composeFile);
  writeFileSync(folder.metadata, "{}");
  writeFileSync(join(folder.pipelock.config, "pipelock.yaml"), "mode: strict\n");
  writeFileSync(join(folder.pipelock.config, "pipelock.next.yaml"), "");
  writeApplied(folder.root, { composeFile: fingerprint(composeFile), services: {}, files: renderedFiles(folder), ...more }, me);
  return folder;
}

/** pipelock's container, with nothing of what a look compares. */
const inspectedPipelock = {
  ...{ Id: "1", Name: "/pipelock", Config: { Image: "p", User: "", Labels: { "com.docker.compose.service": "pipelock" } }, State: { Status: "running", StartedAt: "", ExitCode: 0 } },
  HostConfig: { Memory: 0, NanoCpus: 0, PidsLimit: 0, RestartPolicy: { Name: "no" }, ReadonlyRootfs: false, Privileged: false },
  ...{ Mounts: [], NetworkSettings: { Networks: {} } },
};

/** No container is there, or the engine does not answer. */
function docker(answers = true): void {
  withEnvironment({ PATH: `${fakeProgram("docker", [["ps *", answers ? "" : { sh: "exit 1" }]]).path}:${process.env["PATH"]}` });
}
const look = (folder: StateFolder) => findDrift(identity, machine.engine, folder);

describe("findDrift", () => {
  it("finds nothing before the first good up, and where the engine does not answer keeps what was", async () => {
    docker(false);
    expect(await look(stateFolder(temporaryFolder(), "x"))).toEqual({ findings: [], missingFiles: [] });
    expect(await look(applied({ repair: "4: x is missing" }))).toEqual({ findings: [], missingFiles: [], repair: "4: x is missing", agentRepair: undefined });
  });

  it("says which service, counts repairs, and tells that the agent is made anew", async () => {
    docker();
    const text = "agent is missing; pipelock is missing";
    expect(await look(applied())).toEqual({ findings: text.split("; "), missingFiles: [], repair: `1: ${text}`, agentRepair: `1: ${text}` });
    expect((await look(applied({ repair: `1: ${text}` }))).repair).toBe(`2: ${text}`);
  });

  it("does not compare with a Compose file that is not the one applied", async () => {
    docker();
    const folder = applied({ repair: "7: x is missing" });
    writeFileSync(folder.composeFile, "services: {}\n");
    expect(await look(folder)).toEqual({ findings: ["docker-compose.yml was changed by hand"], missingFiles: [], repair: "8: docker-compose.yml was changed by hand" });
  });

  it("names files that are gone; what comes and goes is none of them", async () => {
    docker();
    const folder = applied();
    expect(readApplied(folder.root)?.files).toEqual(["docker-compose.yml", "metadata.json", "pipelock/config/pipelock.yaml"]);
    rmSync(folder.composeFile);
    rmSync(folder.pipelock.config, { recursive: true });
    const { missingFiles, repair } = await look(folder);
    expect(missingFiles).toEqual(["docker-compose.yml", "pipelock/config/pipelock.yaml"]);
    expect(repair).toBeUndefined();
  });

  it("tells where pipelock records nothing: started after a receipt that a secret was taken from", async () => {
    const folder = applied();
    const live = liveEvidence(folder.pipelock.evidence);
    cpSync(join(import.meta.dirname, "recorded"), live, { recursive: true });
    const last = join(live, "evidence-proxy-4.jsonl");
    const pipelock = (StartedAt: string) => {
      const container = JSON.parse(JSON.stringify(inspectedPipelock)) as typeof inspectedPipelock;
      container.State.StartedAt = StartedAt;
      withEnvironment({ PATH: `${fakeProgram("docker", [["ps *", "1\n"], ["inspect *", JSON.stringify([container])]]).path}:${process.env["PATH"]}` });
    };
    utimesSync(last, new Date("2026-01-01T00:00:00Z"), new Date("2026-01-01T00:00:00Z"));
    const says = "pipelock records no evidence: it cannot go on with the evidence from before its start";
    pipelock("2026-01-01T00:00:01Z");
    expect((await look(folder)).findings).toContain(says);
    expect((await look(folder)).repair).toContain(says);
    pipelock("2025-12-31T00:00:00Z");
    expect((await look(folder)).findings).not.toContain(says);
  });

  it("takes a lost record for drift: without one nothing could be compared", async () => {
    docker();
    const folder = applied();
    rmSync(join(folder.root, ".applied.json"));
    expect((await look(folder)).repair).toMatch(/^\d{4}-\S+Z: the record of the last `pulumi up` \(\.applied\.json\) is missing$/);
  });
});

describe("what Pulumi is told", () => {
  it("a lost file is a new making of the folder, which says why", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, ".generation"), "generation-1");
    expect(generationOf(folder)).toBe("generation-1");
    expect(generationOf(folder, ["a/b.yaml"])).toMatch(/^[0-9a-f-]{36} \(a\/b\.yaml missing\)$/);
    expect(readFileSync(join(folder, ".generation"), "utf8")).toBe("generation-1");
  });

  it("the repair is an input of up, and of provisioning where the agent is made anew", async () => {
    const repaired = async (drift: object) => {
      const made = await bottle(bottleArgs(withRoutes, { drift: { findings: [], missingFiles: [], ...drift } }));
      return [made.command("b-up").inputs["environment"], made.command("b-agent-provision").inputs["environment"]] as Record<string, string>[];
    };
    const [up, provision] = await repaired({ repair: "1: egress is paused" });
    expect(up).toMatchObject({ BOTTLE_REPAIR: "1: egress is paused" });
    expect(provision).not.toHaveProperty("REPAIR");
    const [both, again] = await repaired({ repair: "2: agent is missing", agentRepair: "2: agent is missing" });
    expect(both).toMatchObject({ BOTTLE_REPAIR: "2: agent is missing", BOTTLE_AGENT_REPAIR: "2: agent is missing" });
    expect(again).toMatchObject({ REPAIR: "2: agent is missing" });
    const [none] = await repaired({});
    expect(none).not.toHaveProperty("BOTTLE_REPAIR");
  });
});
