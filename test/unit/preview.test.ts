import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parsePreview } from "../../scripts/preview/arguments.ts";
import { PLACEHOLDER, scratchConfig, stackOf } from "../../scripts/preview/scratch-config.ts";
import { summary } from "../../scripts/preview/summary.ts";

describe("a manifest for a machine without its secrets", () => {
  const text = `secretsprovider: awskms://alias/bottles
encryptedkey: AQIDAHg=
encryptionsalt: v1:abc
environment: [team]
config:
  aws:token: {secure: v1:top}
  bottle:agent: {env: {A: "1"}}
  bottle:network:
    routes:
      - host: a.example.com
        auth: {secret: {secure: v1:one}}
      - {host: b.example.com}
    odd.key: {secure: v1:two}
`;

  it("holds a placeholder where a secret was, and its path", () => {
    const { text: made, secrets, dropped } = scratchConfig(text);
    expect(secrets).toEqual(["aws:token", "bottle:network.routes[0].auth.secret", 'bottle:network["odd.key"]']);
    expect(dropped).toEqual(["encryptedkey", "encryptionsalt", "environment", "secretsprovider"]);
    expect(parse(made)).toEqual({
      config: {
        "aws:token": PLACEHOLDER,
        "bottle:agent": { env: { A: "1" } },
        "bottle:network": { routes: [{ host: "a.example.com", auth: { secret: PLACEHOLDER } }, { host: "b.example.com" }], "odd.key": PLACEHOLDER },
      },
    });
  });

  it.each(["", "config:\n", "encryptionsalt: v1:abc\n"])("may be empty: %j", (empty) => {
    expect(scratchConfig(empty)).toMatchObject({ text: "config: {}\n", secrets: [] });
  });

  it.each([
    ["- a\n", "is no YAML mapping"],
    ["config: [a]\n", "has a config that is no mapping"],
  ])("must be a stack's file: %j", (wrong, message) => {
    expect(() => scratchConfig(wrong)).toThrow(new Error(message));
  });

  it("names its stack", () => {
    expect(["Pulumi.reviewer.yaml", "examples/reviewer.yaml", "a/Pulumi.x.y.yml"].map(stackOf)).toEqual(["reviewer", "reviewer", "x.y"]);
  });
});

describe("the summary", () => {
  const output = "Previewing update (a):\n\nResources:\n    + 38 to create\n    3 unchanged\n";
  const preview = { stack: "a", file: "Pulumi.a.yaml", code: 0, output, secrets: [] };

  it("has a row and the whole output for each stack, open where it failed", () => {
    const text = summary([preview, { ...preview, stack: "b", code: 255, output: "error: no", secrets: ["bottle:x.y"] }], ["bottle's own"]);
    expect(text).toContain("| a | Pulumi.a.yaml | passed | 38 to create, 3 unchanged |");
    expect(text).toContain("| b | Pulumi.a.yaml | **failed** |  |");
    expect(text).toContain("<details><summary>a</summary>\n\n```text\nPreviewing update (a):");
    expect(text).toContain("<details open><summary>b</summary>\n\nPlaceholders stood in for the secrets `bottle:x.y`.\n\n```text\nerror: no\n```");
  });

  it("cannot be broken out of by what a pull request makes Pulumi say", () => {
    const text = summary([{ ...preview, stack: "<b>|x", output: "```\n</details>\n````text\n[x](y)" }], []);
    expect(text).toContain("\n`````text\n```\n</details>\n````text\n[x](y)\n`````\n");
    expect(text).toContain("| &lt;b&gt;\\|x |");
  });

  it("shows the end of what is too long for it", () => {
    const text = summary([{ ...preview, output: `FIRST${"x".repeat(100_000)}end` }], []);
    expect(text.length).toBeLessThan(61_000);
    expect(text).toContain("xend\n```");
    expect(text).not.toContain("FIRST");
  });
});

describe("the command line", () => {
  it("takes manifests, packs and their configuration", () => {
    expect(parsePreview([])).toEqual({ manifests: [], packs: undefined, packConfig: [], summaryFile: undefined, help: false });
    expect(parsePreview(["--no-policy-pack", "Pulumi.a.yaml"])).toMatchObject({ manifests: ["Pulumi.a.yaml"], packs: [] });
    expect(parsePreview(["--policy-pack", "p", "--policy-pack", "q", "--policy-pack-config", "c.json"])).toMatchObject({ packs: ["p", "q"], packConfig: ["c.json"] });
  });

  it("refuses what it does not know", () => {
    expect(() => parsePreview(["--polcy-pack", "p"])).toThrow(/--polcy-pack/);
  });
});
