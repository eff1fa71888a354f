// What can be asked of the client in its container, and what it answers. Types alone: both sides share them.

/** Where and how requests go. */
export interface Way {
  readonly host: string;
  /** `host:port` of the proxy; undefined: direct. */
  readonly proxy?: string;
  /** CA bundle, path in the client's container. */
  readonly caFile: string;
}

export type Measure =
  /** New connections one after the other: TCP, CONNECT, TLS, one request of 1 KB. */
  | { readonly kind: "new"; readonly count: number }
  /** Requests one after the other over one connection, which is opened again where the other side closes it. */
  | { readonly kind: "kept"; readonly count: number }
  /** Requests over several connections at once, until so many are answered or so many seconds are over. */
  | { readonly kind: "load"; readonly connections: number; readonly requests: number; readonly seconds: number }
  /** Streams of server-sent events. */
  | { readonly kind: "events"; readonly streams: number; readonly events: number }
  | { readonly kind: "down"; readonly bytes: number }
  | { readonly kind: "up"; readonly bytes: number }
  /** Requests with a body of so many bytes, over one connection: an LLM chat, or a table of numbers. */
  | { readonly kind: "post"; readonly body: "chat" | "table"; readonly bytes: number; readonly count: number }
  /** One request. */
  | { readonly kind: "get"; readonly path: string }
  /** A chat in content blocks that grows by one turn; sent at every `step`-th turn. */
  | { readonly kind: "chat"; readonly turns: number; readonly step: number };

export type MeasureOf<Kind extends Measure["kind"]> = Extract<Measure, { kind: Kind }>;

/** Milliseconds of each request, and how often the other side closed the connection. */
export interface Latencies {
  readonly milliseconds: number[];
  readonly reopened: number;
  /** What was not a 200, by status or error message. */
  readonly faults: Record<string, number>;
}

export interface Answers {
  new: Latencies;
  kept: Latencies;
  load: { readonly answered: number; readonly seconds: number; readonly reopened: number; readonly retried: number; readonly faults: Record<string, number> };
  /** Milliseconds from sent by the server to seen by the client. */
  events: { readonly first: number[]; readonly later: number[]; readonly faults: Record<string, number> };
  down: { readonly bytes: number; readonly seconds: number; readonly status: number };
  up: { readonly bytes: number; readonly seconds: number; readonly status: number };
  post: Latencies;
  /** `start`: the first KB of the body. */
  get: { readonly status: number; readonly start: string };
  /** `refusedAt`: the first turn that was not answered with 200. */
  chat: { readonly sent: number; readonly refusedAt?: number; readonly status?: number; readonly said?: string };
}
