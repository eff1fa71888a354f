// An image that must be in the engine's store before containers start.
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { nodeScript, quiet } from "../script.ts";
import type { ImageRequest } from "./ensure.ts";

export interface ImageArgs {
  readonly request: ImageRequest;
  readonly engineEnvironment: Readonly<Record<string, string>>;
}

/** Pulls or builds where the image is not there; its reference is known in preview. */
export class Image extends pulumi.ComponentResource {
  readonly ready: command.local.Command;

  constructor(name: string, args: ImageArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Image", name, {}, options);
    this.ready = new command.local.Command(
      name,
      {
        create: nodeScript("./ensure", import.meta.url),
        environment: { ...args.engineEnvironment },
        stdin: JSON.stringify(args.request),
        ...quiet,
        logging: "stderr", // a first build takes minutes: people see its steps
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
