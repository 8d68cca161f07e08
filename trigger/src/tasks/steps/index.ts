// Every step that this worker can run, one line each. registry.ts reads this list.
export { dedupeRecords } from "./dedupe-records";
export { deliverWebhook } from "./deliver-webhook";
export { normalizeCompany } from "./normalize-company";
export { validateRecords } from "./validate-records";
