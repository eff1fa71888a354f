// Who a bottle is on its engine: pure functions from backend, organisation, project and stack.
import { createHash } from "node:crypto";

/** The names and labels under which everything of one bottle is found. */
export interface Identity {
  /** Pulumi stack name as given. */
  readonly stack: string;
  /** Pulumi project name. */
  readonly project: string;
  /** The stack's name as Docker takes it: `[a-z0-9][a-z0-9-]*`, at most 40 characters. */
  readonly slug: string;
  /** Eight hex digits that tell this stack from every stack of the same name elsewhere. */
  readonly instance: string;
  /** Compose project name, and prefix of every Docker name of the bottle. */
  readonly composeProject: string;
  /** Labels carried by every Docker object of the bottle. */
  readonly labels: Readonly<Record<LabelKey, string>>;
}

/** Label keys; `bottle.instance` alone decides whose an object is. */
export type LabelKey = "bottle.project" | "bottle.stack" | "bottle.instance";

const SLUG_MAX = 40;

/**
 * Turns a Pulumi stack name into a Docker-safe slug.
 * Docker Compose project names must match `[a-z0-9][a-z0-9_-]*`
 * (https://docs.docker.com/compose/how-tos/project-name/).
 *
 * @throws Error naming the stack when nothing usable is left or the result is too long.
 */
export function slugify(stack: string): string {
  const slug = stack
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  if (slug === "") {
    throw new Error(
      `stack name "${stack}" has no letter or digit that Docker takes in a name. ` +
        `Choose a stack name with at least one of a-z, 0-9: pulumi stack rename NAME`,
    );
  }
  if (slug.length > SLUG_MAX) {
    throw new Error(
      `stack name "${stack}" makes the slug "${slug}" of ${slug.length} characters; ` +
        `Docker names leave room for ${SLUG_MAX}. Choose a shorter one: pulumi stack rename NAME`,
    );
  }
  return slug;
}

/**
 * The instance id: the same stack of the same backend always has the same one, and a stack of
 * the same name in another clone, backend or organisation has another.
 *
 * @returns eight lower-case hex digits.
 */
export function instanceId(backend: string, organization: string, project: string, stack: string): string {
  return createHash("sha256").update(JSON.stringify([backend, organization, project, stack])).digest("hex").slice(0, 8);
}

/** Computes a stack's {@link Identity}. Errors: see {@link slugify}. */
export function identify(backend: string, organization: string, project: string, stack: string): Identity {
  const slug = slugify(stack);
  const instance = instanceId(backend, organization, project, stack);
  return {
    stack,
    project,
    slug,
    instance,
    composeProject: `bottle-${slug}-${instance}`,
    labels: { "bottle.project": project, "bottle.stack": stack, "bottle.instance": instance },
  };
}
