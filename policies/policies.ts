// Every policy of the pack, in the order in which Pulumi shows them.
import type { Policies } from "@pulumi/policy";
import { authorityCertificates } from "./certificates/authority-certificates.ts";
import { authorityRequested } from "./certificates/authority-requested.ts";
import { capabilitiesDropped } from "./containers/capabilities-dropped.ts";
import { composeFileReadable } from "./containers/compose-file-readable.ts";
import { imagesPinned } from "./containers/images-pinned.ts";
import { limitsSet } from "./containers/limits-set.ts";
import { noHostMounts } from "./containers/no-host-mounts.ts";
import { noHostNamespaces } from "./containers/no-host-namespaces.ts";
import { noNewPrivileges } from "./containers/no-new-privileges.ts";
import { noPublishedPorts } from "./containers/no-published-ports.ts";
import { nonRoot } from "./containers/non-root.ts";
import { notPrivileged } from "./containers/not-privileged.ts";
import { readOnlyRoot } from "./containers/read-only-root.ts";
import { gitHostKeysPinned } from "./git/git-host-keys-pinned.ts";
import { gitPushesNarrow } from "./git/git-pushes-narrow.ts";
import { inputsKnown } from "./life/inputs-known.ts";
import { labelsSet } from "./life/labels-set.ts";
import { teardownGuard } from "./life/teardown-guard.ts";
import { agentInternalNetworksOnly } from "./networks/agent-internal-networks-only.ts";
import { internalNetworksIsolated } from "./networks/internal-networks-isolated.ts";
import { authNarrowed } from "./routes/auth-narrowed.ts";
import { authOverTls } from "./routes/auth-over-tls.ts";
import { noBroadHosts } from "./routes/no-broad-hosts.ts";
import { passthroughListed } from "./routes/passthrough-listed.ts";
import { reachBounded } from "./routes/reach-bounded.ts";
import { noLiteralSecrets } from "./secrets/no-literal-secrets.ts";
import { noSecretsPipelockKnows } from "./secrets/no-secrets-pipelock-knows.ts";
import { privateKeysInOneService } from "./secrets/private-keys-in-one-service.ts";

export const policies: Policies = [
  inputsKnown,
  composeFileReadable,
  agentInternalNetworksOnly,
  internalNetworksIsolated,
  noPublishedPorts,
  noHostNamespaces,
  noHostMounts,
  notPrivileged,
  capabilitiesDropped,
  noNewPrivileges,
  readOnlyRoot,
  nonRoot,
  limitsSet,
  imagesPinned,
  noLiteralSecrets,
  noSecretsPipelockKnows,
  privateKeysInOneService,
  authorityRequested,
  authorityCertificates,
  teardownGuard,
  labelsSet,
  noBroadHosts,
  authOverTls,
  authNarrowed,
  passthroughListed,
  reachBounded,
  gitHostKeysPinned,
  gitPushesNarrow,
];
