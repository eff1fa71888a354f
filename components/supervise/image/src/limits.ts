// What supervise bears at most. The agent is hostile: it may send anything, as fast as it can.
import { CHANGE_MAX, WHY_MAX } from "../../request.ts";

export const limits = {
  /** Bytes of a request's body and of its head. */
  body: 2 * (CHANGE_MAX + 4 * WHY_MAX),
  head: 8 * 1024,
  connections: 64,
  /** POSTs at work at once, and among them those that wait for an answer. */
  working: 32,
  waiting: 16,
  /** POSTs a second, and how many at once after a pause. */
  rate: 20,
  burst: 60,
  /** Milliseconds for a head, for a whole request, and of silence between two. */
  headTime: 5_000,
  requestTime: 10_000,
  idleTime: 10_000,
  /** Requests without an answer; requests filed within an hour. */
  open: 20,
  anHour: 30,
  /** Hours until an unanswered request expires. */
  lifeHours: 24,
  /** Closed requests whose files are kept. */
  kept: 200,
  /** Seconds that one call waits for an answer. */
  wait: 600,
  /** Bytes read from the end of a log, and refusals told at once. */
  logTail: 256 * 1024,
  refusals: 50,
} as const;
