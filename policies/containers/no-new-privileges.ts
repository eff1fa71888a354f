import { containerRule, textList } from "../lib/containers.ts";

export const noNewPrivileges = containerRule({
  name: "no-new-privileges",
  description: "Processes in a bottle gain no rights by setuid programs, and the engine's own confinement stays on.",
  severity: "high",
  check: (container, report) => {
    const options = textList(container, "security_opt").map((option) => option.replace("=", ":"));
    if (!options.some((option) => option === "no-new-privileges" || option === "no-new-privileges:true")) {
      report(container.path("security_opt"), "lacks no-new-privileges:true; add it");
    }
    options.forEach((option, index) => {
      if (/:(unconfined|disable)$|^label:type:/.test(option)) report(`${container.path("security_opt")}[${index}]`, "turns a confinement of the engine off or exchanges it (seccomp, AppArmor, SELinux, masked paths); remove it");
    });
  },
});
