import { findSecrets, hasImage } from "../lib/pipelock.ts";
import { exceptDefault, isExcepted, placesOf } from "../lib/secret-places.ts";
import { stackRule } from "../lib/rule.ts";

interface Config {
  image: string;
  when: "present" | "always" | "never";
  except: string[];
}

/**
 * One container for the whole stack, a quarter of a second. The image is this rule's own setting: one
 * named by the stack under test could say that all is well.
 */
export const noSecretsPipelockKnows = stackRule<Config>({
  name: "no-secrets-pipelock-knows",
  description: "No text that pipelock would stop on the wire stands where others read it.",
  severity: "critical",
  config: {
    image: { type: "string", default: "ghcr.io/luckypipewrench/pipelock:2.3.0", description: "pipelock's image; never pulled." },
    when: { type: "string", enum: ["present", "always", "never"], default: "present", description: "present: where the engine has the image. always: a missing one is a finding." },
    except: { type: "array", items: { type: "string" }, default: exceptDefault, description: "Paths where a secret belongs, with * for any text." },
  },
  check: async (resources, report, { image, when, except, report: reportAt }) => {
    if (when === "never") return;
    if (!(await hasImage(image))) {
      if (when === "always") report("the engine", "lacks pipelock's image or does not answer, so the rule could not run; pull the image that the rule's `image` names, or set `when: present`");
      return;
    }
    const places = resources.flatMap(({ type, urn, properties }) => placesOf(type, properties).map((place) => ({ ...place, urn }))).filter(({ path }) => !isExcepted(path, except));
    for (const { index, pattern } of await findSecrets(image, places.map(({ text }) => text))) {
      const { path, urn } = places[index]!;
      reportAt(urn)(path, `looks like a secret to pipelock (${pattern}); give a token as a route's auth.variable or auth.secret, and revoke this one where it was shared`);
    }
  },
});
