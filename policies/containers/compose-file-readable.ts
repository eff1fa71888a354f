import { COMMANDS, readCompose } from "../lib/compose.ts";
import { resourceRule } from "../lib/rule.ts";
import { child, entries, isObject, known, texts } from "../lib/values.ts";

/** What some rule of this pack reads, or what gives a container no reach; anything else may open the bottle. */
const serviceKeys = new Set(
  (
    "attach cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_shares cpus cpuset " +
    "depends_on deploy device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint environment expose extra_hosts gpus group_add healthcheck hostname " +
    "image init ipc labels logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit network_mode networks oom_kill_disable oom_score_adj pid " +
    "pids_limit platform ports post_start pre_stop privileged profiles pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open " +
    "stop_grace_period stop_signal tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir"
  ).split(" "),
);
const topKeys = new Set(["name", "version", "services", "networks", "volumes", "configs", "secrets"]);

/** Starts containers by Compose; starts or opens them otherwise. */
const composes = /\bdocker(-compose|\s+(-\S+\s+|--\S+[\s=]\S+\s+)*compose)\b[^;&|\n]*\s(up|run|create|start)\b/;
const runs = /\b(docker|podman|nerdctl)\s+((container\s+)?(run|create)|network\s+connect|(container\s+)?exec\b[^;&|\n]*\s--privileged)\b/;
/** Other resources that bring code onto the engine. */
const unread = new Set(["docker:index/service:Service", "docker:index/plugin:Plugin"]);
/** Bottle's own script, which takes the Compose file from stdin. */
const ownUp = /\/compose\/up\.[jt]s\b/;

export const composeFileReadable = resourceRule({
  name: "compose-file-readable",
  description: "What containers a bottle runs stands in the stdin of a command, in a Compose file that says all of it.",
  severity: "critical",
  check: ({ type, inputs }, report) => {
    if (unread.has(type)) report("the resource", "runs code on the engine that no rule of this pack reads; use a Compose file in a command's stdin");
    if (!COMMANDS.has(type)) return;
    const reading = readCompose(type, inputs);
    for (const key of ["create", "update"]) {
      const script = String(known(inputs[key], key) ?? "");
      const fromStdin = reading !== undefined && (ownUp.test(script) || readsStdinAlone(script));
      if (runs.test(script) || ((composes.test(script) || ownUp.test(script)) && !fromStdin)) {
        report(key, "starts or opens containers in a way that no policy reads; pass the one Compose file by stdin (docker compose --file - up)");
      }
    }
    if (reading === undefined) return;
    if ("fault" in reading) return report("stdin", `${reading.fault}; write it as one plain Compose document`);
    const { document, services } = reading.file;
    for (const key of Object.keys(document)) if (!topKeys.has(key) && !key.startsWith("x-")) report(`stdin: ${child("", key)}`, "is a key this pack does not check, so it may open the bottle; remove it");
    for (const [name, service] of entries(services)) {
      const path = child("stdin: services", name);
      if (!isObject(service)) report(path, "is no mapping");
      for (const [key] of entries(service)) if (!serviceKeys.has(key) && !key.startsWith("x-")) report(child(path, key), "is a key this pack does not check, so it may open the bottle; remove it");
    }
    for (const { path, text } of texts(document, "")) {
      if (/\$(\{|[A-Za-z_])/.test(text.replaceAll("$$", ""))) {
        report(`stdin: ${path}`, "is filled in by Compose from the shell's variables, after all checks; write the value itself, $$ for a plain dollar, and a bare name in environment to inherit");
      }
    }
  },
});

/** Each `docker compose up` names stdin as its file, and no other. */
function readsStdinAlone(script: string): boolean {
  const files = [...script.matchAll(/(?:^|\s)(?:-f|--file)[\s=]+(\S+)/g)].map(([, file]) => file);
  return files.length > 0 && files.every((file) => file === "-");
}
