import { describe, expect, test } from "vitest";
import { atLeast, parseVersion, shortVersion } from "../../scripts/setup/version.ts";

describe("versions", () => {
  test.each([
    ["28.5.2+dfsg4", [28, 5, 2]],
    ["5:28.5.2-1~debian.12~bookworm", [28, 5, 2]],
    ["20.10.24+dfsg1-1+deb12u1+b6", [20, 10, 24]],
    ["Docker Compose version 2.40.3-3", [2, 40, 3]],
    ["github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", [0, 29, 1]],
    ["v3.255.0", [3, 255, 0]],
    ["dev", []],
  ])("the numbers of %s", (text, numbers) => {
    expect(parseVersion(text)).toEqual(numbers);
  });

  test.each([
    ["28.0.0", "28.0", true],
    ["28", "28.0.0", true],
    ["27.5.1", "28.0.0", false],
    ["5:29.1.0-1", "28.0.0", true],
    ["2.9.0", "2.24.0", false],
    ["2.24.0~rc1", "2.24", true],
    ["", "1.0", false],
  ])("%s is at least %s: %s", (version, minimum, expected) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });

  test("a version for people leaves the packaging out", () => {
    expect(shortVersion("28.5.2+dfsg4")).toBe("28.5.2");
    expect(shortVersion("dev\n")).toBe("dev");
  });
});
