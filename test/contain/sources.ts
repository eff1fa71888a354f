// Where the ideas for attempts come from.

export interface Source {
  /** As short as a table's cell. */
  readonly name: string;
  /** Absent: thought of here, from DESIGN.md's list of classes. */
  readonly url?: string;
}

const github = (repository: string, kind: "issues" | "pull", number: number): Source => ({
  name: `${repository.split("/")[1]} #${number}`,
  url: `https://github.com/${repository}/${kind}/${number}`,
});

export const sources = {
  own: { name: "DESIGN.md §7" },
  // Docker's networks
  mobyInternalDns: { name: "CVE-2024-29018", url: "https://osv.dev/vulnerability/GHSA-mq39-4gv4-mvpx" },
  mobyIpv6: { name: "CVE-2024-32473", url: "https://images.chainguard.dev/security/CVE-2024-32473" },
  mobyIsolated: github("moby/moby", "pull", 49262),
  internalReachesHost: github("moby/libnetwork", "issues", 1151),
  internalPingsHost: github("moby/libnetwork", "issues", 2261),
  defaultRoute: github("moby/moby", "issues", 47145),
  desktopApi: { name: "CVE-2025-9074", url: "https://linuxsecurity.com/news/security-vulnerabilities/docker-desktop-4-44-3-security-update" },
  logSize: github("moby/moby", "issues", 8911),
  // Containers and kernel
  leakyVessels: { name: "CVE-2024-21626", url: "https://safeguard.sh/resources/blog/leaky-vessels-runc-container-escape-class-2024" },
  runcOverwrite: { name: "CVE-2019-5736", url: "https://www.openwall.com/lists/oss-security/2019/02/11/2" },
  releaseAgent: { name: "CVE-2022-0492", url: "https://sysdig.com/blog/detecting-mitigating-cve-2022-0492-sysdig/" },
  shimSockets: { name: "CVE-2020-15257", url: "https://research.nccgroup.com/2020/11/30/technical-advisory-containerd-containerd-shim-api-exposed-to-host-network-containers-cve-2020-15257/" },
  inheritable: { name: "CVE-2022-24769", url: "https://windowsforum.com/threads/cve-2022-27649-privilege-elevation-in-podman-and-docker-via-inheritable-capabilities.402139" },
  engineApi: { name: "Exposed Docker Engine API", url: "https://www.legba.app/recon/exposures/exposed-docker-engine-api" },
  // Other sandboxes' egress
  directIp: github("github/gh-aw-firewall", "issues", 137),
  sniAllowlist: github("github/gh-aw-firewall", "pull", 8878),
  udpUnrestricted: github("navikt/cplt", "issues", 241),
  protocolGaps: github("schmitthub/clawker", "issues", 313),
  relayedConnect: github("anthropics/claude-code", "issues", 87381),
  connectNotEnforced: github("anthropics/claude-code", "issues", 89165),
  plainHttp: { name: "cc-safe-setup: plain HTTP", url: "https://yurukusa.github.io/cc-safe-setup/bash-domain-allowlist.html" },
  sandboxDns: github("anthropic-experimental/sandbox-runtime", "issues", 88),
  nulByte: github("NVIDIA/OpenShell", "issues", 1498),
  startsWith: { name: "CVE-2026-24052", url: "https://cvereports.com/reports/CVE-2026-24052" },
  suffixMatch: github("tinyproxy/tinyproxy", "issues", 627),
  trailingDot: github("FactoryGameFan/factorio-blueprint-editor", "pull", 450),
  userinfo: github("runvendo/vendo", "pull", 151),
  rebinding: github("openclaw/crabbox", "issues", 912),
  ipAllowlist: github("luckyPipewrench/pipelock", "issues", 299),
  redirectSsrf: github("oomol-lab/open-connector", "issues", 94),
  sniHost: github("agentcage/agentcage", "pull", 214),
  fronting: github("superradcompany/microsandbox", "issues", 709),
  frontingTunnel: github("Wide-Moat/open-computer-use", "issues", 198),
  // HTTP
  smuggling: { name: "Request smuggling in mitmproxy", url: "https://dev.infopercept.com/news/http-request-smuggling-bug-patched-in-mitmproxy" },
  smugglingForms: { name: "Smuggling: parsing flaws", url: "https://infosec.zeyu2001.com/2022/http-request-smuggling-in-the-multiverse-of-parsing-flaws" },
  upgrade: { name: "RFC 9931", url: "https://www.rfc-editor.org/rfc/rfc9931" },
  escapedSlashes: { name: "CVE-2021-29492", url: "https://istio.io/v1.9/news/security/istio-security-2021-005/" },
  normalization: { name: "CVE-2021-31920", url: "https://docs.redhat.com/ko/documentation/openshift_container_platform/4.21/html/service_mesh/_updating-the-path-normalization-configuration" },
  overlong: { name: "Overlong UTF-8 (CRS #4189)", url: "https://docs.rs/wafrift-encoding/latest/wafrift_encoding/encoding/unicode/fn.overlong_utf8_path.html" },
  edgeCases: { name: "ALG edge cases", url: "https://signando.eu/products/alg-http/security-tests/edge-cases" },
  reverseProxies: { name: "The reverse proxy paradox", url: "https://blog.devsecopsguides.com/p/secure-by-design-the-reverse-proxy" },
  methodOverride: { name: "Method override in a proxy", url: "https://blog.ssrf.in/post/abusing-method-overwrite-in-a-proxy" },
  verbTunneling: { name: "MS-ODATA X-HTTP-Method", url: "https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-odata/bdbabfa6-8c4a-4741-85a9-8d93ffd66c41" },
  // Data and credentials
  dlpEvasion: { name: "evadex", url: "https://pypi.org/project/evadex/" },
  baseUrl: { name: "CVE-2026-21852", url: "https://gentic.news/article/how-to-govern-claude-code-across" },
  crossProvider: github("onsails/right-agent", "issues", 92),
  plaintextInjection: github("TencentCloud/CubeSandbox", "issues", 1410),
  whereTokensLeak: github("multikernel/sandlock", "issues", 66),
  credentialProxy: github("seznam/jailoc", "issues", 93),
  exactHeader: github("superradcompany/microsandbox", "pull", 1227),
  // Git
  gitConfigOnHost: github("fwdai/fletch", "pull", 564),
  gitHooks: github("asamassekou10/ship-safe", "issues", 203),
  guestGitConfig: github("webcoyote/sandvault", "pull", 177),
  gitleaksBinary: github("gitleaks/gitleaks", "pull", 810),
  gitleaksIgnore: github("gitleaks/gitleaks", "issues", 1100),
  gitleaksBase64: github("gitleaks/gitleaks", "pull", 1488),
  // Approval
  selfApproval: github("curie-eng/curie", "issues", 1054),
  settingsRce: { name: "CVE-2025-59536", url: "https://gentic.news/article/how-to-govern-claude-code-across" },
} as const satisfies Record<string, Source>;
