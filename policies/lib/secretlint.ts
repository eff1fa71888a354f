// secretlint's recommended rules, in this process: no engine, no network, pinned by the lock file.
import { lintSource } from "@secretlint/core";
import * as preset from "@secretlint/secretlint-rule-preset-recommend";

const RECOMMENDED = "@secretlint/secretlint-rule-preset-recommend";

const config = {
  rules: [
    {
      id: RECOMMENDED,
      rule: preset.creator,
      rules: [{ id: "@secretlint/secretlint-rule-aws", options: { enableIDScanRule: true } }],
    },
  ],
};

/** @returns what kinds of secret a text holds, such as "GITHUB_TOKEN"; never the secret. */
export async function kindsOfSecret(text: string): Promise<string[]> {
  // A comment in the text would switch the rules off: the preset's rule for it runs even where it is disabled (13.0).
  const content = text.replaceAll(/secretlint-(?=disable|enable)/g, "secretlint ");
  const { messages } = await lintSource({ source: { content, filePath: "value.txt", ext: ".txt", contentType: "text" }, options: { config, maskSecrets: true } });
  return [...new Set(messages.map(({ messageId }) => messageId))];
}
