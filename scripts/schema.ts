// npm run schema: writes bottle.schema.json, by which editors complete and check Pulumi.<stack>.yaml.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { editorSchema, SCHEMA_FILE } from "./editor-schema.ts";
import { projectRoot } from "./setup/project.ts";

writeFileSync(join(projectRoot, SCHEMA_FILE), `${JSON.stringify(editorSchema(), null, 2)}\n`);
console.log(`${SCHEMA_FILE} is written from components/manifest/schema.ts`);
