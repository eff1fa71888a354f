import { containerRule, textList, value } from "../lib/containers.ts";

export const nonRoot = containerRule({
  name: "non-root",
  description: "Containers of a bottle run as an ordinary user, by number.",
  severity: "high",
  check: (container, report) => {
    const user = value(container, "user");
    const [uid, gid] = String(user ?? "").split(":");
    // A name is looked up in the image, where it may well be root.
    if (!/^\d+$/.test(uid!) || Number(uid) === 0) report(container.path("user"), "is not the number of an ordinary user; set it, such as \"1000:1000\" (`user` in the manifest)");
    else if (gid !== undefined && (!/^\d+$/.test(gid) || Number(gid) === 0)) report(container.path("user"), "has root's group or a group by name; give the number of an ordinary one");
    textList(container, "group_add").forEach((_, index) => report(`${container.path("group_add")}[${index}]`, "adds the container to a group that may be the host's root or docker; remove it"));
  },
});
