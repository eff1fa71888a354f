import { describe, expect, it } from "vitest";
import { parseDockerignore } from "../../components/agent/dockerignore.ts";
import { dockerignoreCases } from "./agent-dockerignore-cases.ts";

// What Docker itself does with these is checked in test/engine/agent-workspace.test.ts.
describe("a .dockerignore", () => {
  it.each(dockerignoreCases)("$name", ({ lines, out, stays }) => {
    const ignores = parseDockerignore(lines.join("\n"));
    expect({ out: [...out, ...stays].filter(ignores) }).toEqual({ out: [...out] });
  });
});
