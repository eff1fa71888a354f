import { MINIMUM_COMPOSE, MINIMUM_ENGINE } from "../../components/machine/preflight.ts";
import { installEngine } from "./docker-install.ts";
import { startEngine } from "./docker-start.ts";
import { describeState, type DockerState, readDockerState, shortcomings } from "./docker-state.ts";
import { type Machine, readMachine, which } from "./machine.ts";
import { type Part, SetupError } from "./part.ts";

const name = "Docker engine";

/**
 * An engine that honours isolated gateways, with Compose and buildx: used if it answers, started if it is installed,
 * installed by apt where root runs this on Debian or Ubuntu. Everywhere else the error says the next step.
 */
export const dockerEngine: Part = {
  name,
  async ensure(progress) {
    const machine = readMachine();
    let state = await readDockerState();
    if (shortcomings(state).length === 0) return { changed: false, detail: describeState(state) };
    if (state.engine === undefined) {
      const installed = which("dockerd");
      const stop = cannotStart(state, machine, installed);
      if (stop) throw stop;
      if (!installed) await installEngine(machine, progress);
      await startEngine(machine, which("dockerd") ?? "dockerd", progress);
    } else {
      const stop = cannotComplete(state, machine);
      if (stop) throw stop;
      await installEngine(machine, progress);
    }
    state = await readDockerState();
    if (shortcomings(state).length > 0) throw notGoodEnough(state);
    return { changed: true, detail: describeState(state) };
  },
};

/**
 * Why set-up must not or cannot start or install an engine, or undefined.
 * @param installed path of `dockerd`, if there is one
 */
export function cannotStart(state: DockerState, machine: Machine, installed: string | undefined): SetupError | undefined {
  const problem = `no engine answers at ${state.endpoint}: ${firstLine(state.error)}`;
  const tried = "docker version";
  if (/permission denied/i.test(state.error ?? "")) {
    const mend = 'sudo usermod -aG docker "$USER", log out and in again, and run this again.';
    return new SetupError(name, { problem, tried, mend });
  }
  if (state.chosen) {
    const mend = "Start that engine, or unset DOCKER_HOST and run `docker context use default` for this machine's own.";
    return new SetupError(name, { problem, tried, mend });
  }
  if (installed && !machine.root) {
    const mend = `sudo ${machine.systemd ? "systemctl enable --now docker" : "service docker start"}, then run this again.`;
    return new SetupError(name, { problem, tried, mend });
  }
  if (installed || (machine.apt && machine.root)) return undefined;
  return new SetupError(name, { problem, tried, mend: nextStep(machine) });
}

/** Why set-up cannot add what a running engine lacks, or undefined. */
export function cannotComplete(state: DockerState, machine: Machine): SetupError | undefined {
  // A running engine is not replaced behind its user's back: other containers may depend on it.
  const tooOld = shortcomings(state).some((each) => each.includes("older"));
  if (tooOld || state.chosen || !machine.root || !machine.apt) return notGoodEnough(state);
  return undefined;
}

function notGoodEnough(state: DockerState): SetupError {
  return new SetupError(name, {
    problem: `${shortcomings(state).join("; ")}.`,
    tried: "docker version; docker compose version; docker buildx version",
    mend: `Update to Docker Engine ≥ ${MINIMUM_ENGINE}, Compose ≥ ${MINIMUM_COMPOSE} and buildx (https://docs.docker.com/engine/install/), and run this again.`,
  });
}

/** The exact next step on a machine where set-up does not install an engine itself. */
export function nextStep(machine: Machine): string {
  const again = ", then run this again.";
  if (machine.platform === "darwin") return `Install and start Docker Desktop, or: brew install colima docker docker-compose docker-buildx && colima start${again}`;
  if (machine.platform !== "linux") return "Run this inside Linux (on Windows: WSL 2 with Docker Desktop's integration).";
  if (machine.apt) return `sudo node scripts/bootstrap.mjs scripts/setup.ts docker && sudo usermod -aG docker "$USER", log out and in again${again}`;
  if (machine.id === "fedora") return `sudo dnf install moby-engine docker-cli docker-compose docker-buildx && sudo systemctl enable --now docker && sudo usermod -aG docker "$USER", log out and in again${again}`;
  return `Install Docker Engine ≥ ${MINIMUM_ENGINE} with Compose ≥ ${MINIMUM_COMPOSE} and buildx (https://docs.docker.com/engine/install/)${again}`;
}

function firstLine(text: string | undefined): string {
  return (text ?? "").split("\n")[0] ?? "";
}
