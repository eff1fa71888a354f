import { Bottle, readStack } from "pulumi-bottle";
const stack = await readStack();
export const { attach, agentContainer } = new Bottle(stack.identity.slug, stack);
