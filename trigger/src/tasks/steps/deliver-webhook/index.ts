import { env } from "../../../env";
import { defineStep } from "../step";
import { configSchema } from "./config";
import { DeliveredMessages, deliverChunk } from "./delivery";
import { acceptingReceiver } from "./stand-in";

export const deliverWebhook = defineStep({
  slug: "deliver-webhook",
  version: "1.0.0",
  title: "Deliver to a webhook",
  description:
    "Posts the records in signed batches to a URL (Standard Webhooks), at least once each, and passes them on unchanged.",
  executionMode: "task",
  configSchema,
  rejects: {
    payload_too_large: "The record alone does not fit into `max_payload_bytes`.",
  },
  example: {
    config: { url: "https://example.com/hooks/companies", secret_name: "crm_webhook", max_payload_bytes: 10_000 },
    records: [{ name: "Acme GmbH", domain: "acme.de" }],
  },
  standIn: acceptingReceiver,
  prepareBatch: () => Promise.resolve(new DeliveredMessages()),
  processChunk: (records, context) =>
    deliverChunk(records, context, { allowPrivateAddresses: env().WEBHOOK_ALLOW_PRIVATE_ADDRESSES }),
});
