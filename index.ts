// The Pulumi program: one stack, one bottle.
import { Bottle } from "./components/bottle.ts";
import { readStack } from "./components/stack.ts";

const stack = await readStack();
const bottle = new Bottle(stack.identity.slug, stack);

/** The line that enters the bottle. */
export const attach = bottle.attach;
/** Name of the agent's container. */
export const agentContainer = bottle.agentContainer;
/** What the agent uses as its proxy. */
export const proxyUrl = bottle.proxyUrl;
/** Compose project. */
export const composeProject = bottle.composeProject;
/** Docker networks by role. */
export const networks = bottle.networks;
/** Folder of the bottle's rendered files and logs. */
export const state = bottle.state;
