import { mkdirSync, writeFileSync } from "node:fs";

import { stepDocuments } from "./step-pages/documents";

for (const { file, text } of await stepDocuments()) {
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, text);
}
