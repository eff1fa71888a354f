// Where supervise finds its files, and where the agent finds it; see image/README.md. Pure.

/** Inside its container. */
export const supervisePaths = {
  requests: "/var/lib/supervise/requests",
  answers: "/var/lib/supervise/answers",
  rules: "/etc/bottle/rules",
  gate: "/etc/bottle/git-gate",
  egressLog: "/var/log/egress",
  gateLog: "/var/log/git-gate",
} as const;

/** Name and port under which the agent finds it. */
export const SUPERVISE_NAME = "supervise";
export const SUPERVISE_PORT = 8090;
export const MCP_URL = `http://${SUPERVISE_NAME}:${SUPERVISE_PORT}/mcp`;
