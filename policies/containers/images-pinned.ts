import { containersOf, value } from "../lib/containers.ts";
import { imageRequest, matchesImage } from "../lib/images.ts";
import { resourceRule } from "../lib/rule.ts";
import { child, entries } from "../lib/values.ts";

const mend = "is named by a tag, which may be another image tomorrow; name it as NAME@sha256:…, or put it on the list `trusted`";

/** Advisory: Debian bases made by debootstrap and images built here have no digest. Teams with a registry make it mandatory. */
export const imagesPinned = resourceRule<{ trusted: string[] }>({
  name: "images-pinned",
  description: "Images of a bottle, and what they are built on, are named by digest.",
  severity: "medium",
  enforcementLevel: "advisory",
  config: { trusted: { type: "array", items: { type: "string" }, default: [], description: "Images that may be named by tag: names, with * for any text." } },
  check: ({ type, inputs }, report, { trusted }) => {
    const pinned = (image: unknown) => (typeof image === "string" && /@sha256:[0-9a-f]{64}$/.test(image)) || trusted.some((pattern) => matchesImage(pattern, image));
    for (const container of containersOf(type, inputs)) {
      const image = value(container, "image");
      // Built here and called by the hash of all that went into it: what counts is the base, below.
      if (!pinned(image) && !/^bottle-[a-z0-9-]+:[0-9a-f]{16,64}$/.test(String(image))) report(container.path("image"), image === undefined ? "is not set; name an image as NAME@sha256:…" : mend);
    }
    const request = imageRequest(type, inputs);
    if (request === undefined) return;
    for (const [name, base] of entries(request.build["args"])) {
      if (name === "BASE" && !pinned(base)) report(child("stdin: build.args", name), mend);
    }
  },
});
