import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identify, instanceId, slugify } from "../../components/identity.ts";

describe("slugify", () => {
  it.each([
    ["implementer", "implementer"],
    ["Review/One", "review-one"],
    ["a__b..c", "a-b-c"],
    ["--x--", "x"],
    ["ÄÖx9", "x9"],
  ])("%s → %s", (stack, slug) => {
    expect(slugify(stack)).toBe(slug);
  });

  it("names a stack of which nothing is left", () => {
    expect(() => slugify("___")).toThrow(
      new Error('stack name "___" has no letter or digit that Docker takes in a name. Choose a stack name with at least one of a-z, 0-9: pulumi stack rename NAME'),
    );
  });

  it("names a stack whose slug is too long", () => {
    const long = "a".repeat(41);
    expect(() => slugify(long)).toThrow(
      new Error(`stack name "${long}" makes the slug "${long}" of 41 characters; Docker names leave room for 40. Choose a shorter one: pulumi stack rename NAME`),
    );
    expect(slugify("a".repeat(40))).toHaveLength(40);
  });

  it("makes what Compose takes as a project's name, and nothing more of it the second time", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom(..."aZ0-_./ é") })), (stack) => {
        let slug: string;
        try {
          slug = slugify(stack);
        } catch {
          return;
        }
        expect(slug).toMatch(/^[a-z0-9](-?[a-z0-9])*$/);
        expect(slug.length).toBeLessThanOrEqual(40);
        expect(slugify(slug)).toBe(slug);
      }),
    );
  });
});

describe("instanceId", () => {
  const parts = ["file:///a", "organization", "bottle", "dev"] as const;

  it("is the same for the same stack, always", () => {
    expect(instanceId(...parts)).toBe("bc4a7849");
  });

  it.each([0, 1, 2, 3])("is another where part %i is another", (index) => {
    expect(instanceId(...(parts.map((part, at) => (at === index ? `${part}x` : part)) as [string, string, string, string]))).not.toBe(instanceId(...parts));
  });

  it("does not run its parts together", () => {
    expect(instanceId("a", "b", "c", "d")).not.toBe(instanceId("ab", "", "c", "d"));
    expect(instanceId('a","b', "", "c", "d")).not.toBe(instanceId("a", "b", "c", "d"));
  });
});

it("identify: names that Docker takes, and labels by which all of a bottle is found", () => {
  const identity = identify("file:///a", "organization", "bottle", "Dev");
  expect(identity).toEqual({
    stack: "Dev",
    project: "bottle",
    slug: "dev",
    instance: instanceId("file:///a", "organization", "bottle", "Dev"),
    composeProject: `bottle-dev-${identity.instance}`,
    labels: { "bottle.project": "bottle", "bottle.stack": "Dev", "bottle.instance": identity.instance },
  });
});
