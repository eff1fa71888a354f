// secretlint's recommended rules, in this process: no engine, no network, pinned by the lock file.
import { lintSource } from "@secretlint/core";
import * as preset from "@secretlint/secretlint-rule-preset-recommend";

const RECOMMENDED = "@secretlint/secretlint-rule-preset-recommend";

const config = {
  rules: [
    {
      id: RECOMMENDED,
      rule: preset.creator,
      rules: [
        // A comment in a value would switch the rules off.
        { id: "@secretlint/secretlint-rule-filter-comments", disabled: true },
        { id: "@secretlint/secretlint-rule-aws", options: { enableIDScanRule: true } },
      ],
    },
  ],
};

/** @returns what kinds of secret a text holds, such as "GITHUB_TOKEN"; never the secret. */
export async function kindsOfSecret(text: string): Promise<string[]> {
  const { messages } = await lintSource({ source: { content: text, filePath: "value.txt", ext: ".txt", contentType: "text" }, options: { config, maskSecrets: true } });
  return [...new Set(messages.map(({ messageId }) => messageId))];
}
