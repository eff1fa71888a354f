import { z } from "zod";
import { limits } from "../limits.ts";
import { Refused } from "../requests.ts";
import { answer, looks, refusal, told, type Register } from "./tool.ts";

export const waitForAnswer: Register = (server, context) => {
  server.registerTool(
    "wait_for_answer",
    {
      title: "Wait for the answer",
      description: "Waits until the human has answered a request, or the seconds are over. An approval is told only once it is in force: what you asked for then works at once.",
      inputSchema: z.strictObject({
        id: z.string().max(16).describe("From the tool that filed it."),
        seconds: z.int().min(0).max(limits.wait).default(50).describe("How long to wait at most. Keep it below your client's own limit for a call."),
      }),
      annotations: looks,
    },
    async ({ id, seconds }, { signal }) => {
      try {
        const state = await context.requests.wait(id, seconds, signal);
        if (state === undefined) return refusal("There is no such request of yours; list_requests shows them.");
        return answer({ ...told(state), ...(state.status === "open" && { next: "No answer yet. Call again, or go on with other work." }) });
      } catch (error) {
        if (error instanceof Refused) return refusal(error.message);
        throw error;
      }
    },
  );
};
