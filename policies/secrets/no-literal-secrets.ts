import { exceptDefault, isExcepted, placesOf } from "../lib/secret-places.ts";
import { kindsOfSecret } from "../lib/secretlint.ts";
import { resourceRule } from "../lib/rule.ts";

export const noLiteralSecrets = resourceRule<{ except: string[] }>({
  name: "no-literal-secrets",
  description: "No secret stands in a Compose file, an environment, a label, a command line, a build argument or the stack's configuration.",
  severity: "critical",
  config: { except: { type: "array", items: { type: "string" }, default: exceptDefault, description: "Paths where a secret belongs, with * for any text." } },
  check: async ({ type, inputs }, report, { except }) => {
    for (const { path, text } of placesOf(type, inputs)) {
      if (isExcepted(path, except)) continue;
      const kinds = await kindsOfSecret(text);
      if (kinds.length > 0) report(path, `looks like a secret (${kinds.join(", ")}); give a token as a route's auth.variable or auth.secret, and revoke this one where it was shared`);
    }
  },
});
