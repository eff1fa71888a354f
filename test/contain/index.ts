// All attempts, in the order in which they are made and reported.
import type { Attempt } from "./attempt.ts";
import { around, ownClients } from "./attempts/1-around.ts";
import { nameAttempts } from "./attempts/2-names.ts";
import { disagreement } from "./attempts/3-disagreement.ts";
import { paths } from "./attempts/4-paths.ts";
import { data } from "./attempts/5-data.ts";
import { credentials } from "./attempts/6-credentials.ts";
import { git, savedWork } from "./attempts/7-git.ts";
import { sidecars } from "./attempts/8-sidecars.ts";
import { approval } from "./attempts/9-approval.ts";
import { asking } from "./attempts/9-supervise.ts";
import { ends, life } from "./attempts/10-life.ts";
import { sidecarFaults } from "./faults/sidecars.ts";

export const allAttempts: readonly Attempt[] = [
  ...around,
  ...ownClients,
  ...nameAttempts,
  ...disagreement,
  ...paths,
  ...data,
  ...credentials,
  ...git,
  ...sidecars,
  ...approval,
  ...asking,
  ...sidecarFaults,
  ...life,
  // After these there is no bottle any more.
  ...ends,
  savedWork,
];
