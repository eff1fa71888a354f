// A bottle's life beside bare Docker Compose and an empty Pulumi program, in turns, so that a noisy minute hits all alike.
import { BareProject } from "./bare.ts";
import { EmptyProgram } from "./empty.ts";
import { median, type Figure, type Table, type Target } from "./figures.ts";
import type { Scratch } from "./scratch.ts";

const actions = ["bareUp", "bareAgain", "bareDown", "emptyPreview", "nothingPreview", "up", "upWithPreview", "again", "preview", "change", "destroy"] as const;
type Action = (typeof actions)[number];

/**
 * Measures; the bottle is up before and after.
 * @param rounds how often; each up and down is taken once a round, destroy and the cheap ones twice
 */
export async function measureLife(scratch: Scratch, rounds: number, say: (line: string) => void): Promise<Table> {
  await scratch.keepImages();
  const bare = await BareProject.copy(scratch);
  const empty = await EmptyProgram.make(scratch);
  const samples = Object.fromEntries(actions.map((action) => [action, [] as number[]])) as Record<Action, number[]>;
  const take = async (action: Action, ...args: string[]): Promise<void> => {
    samples[action].push((await scratch.pulumi(...args)).seconds);
  };
  const destroy = () => take("destroy", "destroy", "--yes", "--skip-preview");
  await scratch.pulumi("destroy", "--yes", "--skip-preview");
  for (let round = 1; round <= rounds; round++) {
    say(`life: round ${round} of ${rounds}`);
    const { up, again, down } = await bare.upAndDown();
    samples.bareUp.push(up);
    samples.bareAgain.push(again);
    samples.bareDown.push(down);
    await take("up", "up", "--yes", "--skip-preview");
    for (let twice = 0; twice < 2; twice++) {
      samples.emptyPreview.push(await empty.preview("sdk"));
      await take("preview", "preview", "--expect-no-changes");
    }
    samples.nothingPreview.push(await empty.preview("nothing"));
    await take("again", "up", "--yes", "--skip-preview", "--expect-no-changes");
    scratch.allow([`new-${round}.bottle-bench.test`]);
    await take("change", "up", "--yes", "--skip-preview");
    await destroy();
    scratch.allow([]);
    await take("upWithPreview", "up", "--yes");
    if (round < rounds) await destroy();
  }
  return { title: "Life of a bottle (agent, egress, pipelock), images present", remarks: remarks(rounds), figures: figures(samples) };
}

function figures(samples: Record<Action, readonly number[]>): Figure[] {
  const of = (action: Action): number => median(samples[action]);
  const atMost = (bound: number, from: string): Target => ({ bound, sense: "at most", from });
  const row = (what: string, action: Action, name: string, other: Action, target?: Target): Figure => ({
    ...{ what, unit: "s", value: of(action), beside: { name, value: of(other) }, samples: samples[action] },
    ...(target && { target }),
  });
  return [
    row("up --skip-preview", "up", "bare up", "bareUp", atMost(of("bareUp") + 5, "bare + 5 s")),
    row("up with preview", "upWithPreview", "bare up", "bareUp", atMost(of("bareUp") + 8, "bare + 8 s")),
    row("up, nothing changed", "again", "bare up again", "bareAgain"),
    row("preview, nothing changed", "preview", "empty program", "emptyPreview", atMost(1.5 * of("emptyPreview"), "1.5 × empty program")),
    { what: "preview of a program without a line of code", unit: "s", value: of("nothingPreview"), beside: { name: "empty program", value: of("emptyPreview") }, samples: samples.nothingPreview },
    row("up, one more allowed host (reload in place)", "change", "bare up again", "bareAgain"),
    row("destroy", "destroy", "bare down", "bareDown", atMost(of("bareDown") + 4, "bare + 4 s")),
  ];
}

function remarks(rounds: number): string[] {
  return [
    `Medians of ${rounds} round${rounds === 1 ? "" : "s"}, each with every action in turn.`,
    "Empty program: what `pulumi new` writes, with the bottle's runtime options; it loads the Pulumi SDK and makes no resource.",
    "Every image is there beforehand, the workspace's too, whose build an `up` otherwise waits for.",
    "Bare: the very docker-compose.yml that the bottle rendered, with networks and volumes made and removed by Compose.",
  ];
}
