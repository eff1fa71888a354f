// Pulumi loads packs with `require`, through ts-node where they are TypeScript, and that knows no
// `.ts` import paths. From plain JavaScript Node itself loads the TypeScript, as it does the bottles'.
import "./pack.ts";
