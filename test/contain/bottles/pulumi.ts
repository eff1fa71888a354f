// Bottles made by `pulumi up`, in a project of the suite's own.
import { containers } from "../../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../../lib/e2e-project.ts";
import { bottleSubnet, networkSubnets } from "../../../components/subnets.ts";
import { DEFAULT_POOL } from "../../../components/manifest/schema.ts";
import type { Bottle } from "../lab.ts";

export class PulumiBottles {
  readonly project: ScratchProject;
  readonly env: NodeJS.ProcessEnv;

  private constructor(project: ScratchProject, env: NodeJS.ProcessEnv) {
    this.project = project;
    this.env = env;
  }

  /** @param env variables of the shell that runs `pulumi up`: the tokens */
  static async make(env: NodeJS.ProcessEnv): Promise<PulumiBottles> {
    return new PulumiBottles(await scratchProject(), env);
  }

  async up(name: string, manifest: Manifest): Promise<PulumiBottle> {
    const stack = await this.project.stack(name, manifest);
    await stack.up({ env: this.env, timeout: 900_000 });
    return new PulumiBottle(stack, this.env);
  }

  /** Destroys what is still there. */
  dispose(): Promise<void> {
    return this.project.dispose();
  }
}

export class PulumiBottle implements Bottle {
  readonly form = "pulumi";
  readonly stack: Stack;
  readonly env: NodeJS.ProcessEnv;

  constructor(stack: Stack, env: NodeJS.ProcessEnv) {
    this.stack = stack;
    this.env = env;
  }

  get identity(): Stack["identity"] {
    return this.stack.identity;
  }

  get state(): string {
    return this.stack.state;
  }

  get subnets(): Bottle["subnets"] {
    return networkSubnets(bottleSubnet(DEFAULT_POOL, this.identity.instance));
  }

  container(service: string): string {
    return `${this.identity.composeProject}-${service}-1`;
  }

  /** Running containers by service. */
  services(): ReturnType<typeof containers> {
    return containers(this.identity.instance);
  }

  async destroy(): Promise<void> {
    await this.stack.destroy({ env: this.env });
  }
}
