// Every tool there is, in the order in which an agent sees them.
import { listRefusals } from "./list-refusals.ts";
import { listRequests } from "./list-requests.ts";
import { listRules } from "./list-rules.ts";
import { requestGitBranch } from "./request-git-branch.ts";
import { requestGitUpstream } from "./request-git-upstream.ts";
import { requestHost } from "./request-host.ts";
import { requestRoute } from "./request-route.ts";
import type { Register } from "./tool.ts";
import { waitForAnswer } from "./wait-for-answer.ts";

export const tools: readonly Register[] = [requestHost, requestRoute, requestGitUpstream, requestGitBranch, waitForAnswer, listRequests, listRules, listRefusals];
