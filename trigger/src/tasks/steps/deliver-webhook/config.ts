import { z } from "zod";

import { HEADER_NAME } from "./reserved-headers";
import { PRIVATE_URL, WEBHOOK_URL } from "./url-pattern";

const mostHeaders = 20;

export const configSchema = z.strictObject({
  url: z
    .string()
    .max(2_000)
    .regex(WEBHOOK_URL, "must be an http or https URL without user name and password")
    // Only for the API: the worker checks the address that it really connects to.
    .meta(process.env["WEBHOOK_ALLOW_PRIVATE_ADDRESSES"] === "true" ? {} : { not: { pattern: PRIVATE_URL.source } })
    .describe(
      "Where the records go: an http or https URL without user name and password. Only public addresses; redirects are not followed.",
    ),
  secret_name: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,62}$/)
    .describe("Name of the org's secret that signs the messages: whsec_ followed by 24 to 64 bytes in base64."),
  batch_size: z.number().int().min(1).max(1_000).default(100).describe("At most this many records in one request."),
  max_payload_bytes: z
    .number()
    .int()
    .min(10_000)
    .max(5_000_000)
    .default(1_000_000)
    .describe(
      "At most this many bytes in one request; a record that does not fit alone is rejected as payload_too_large.",
    ),
  timeout_seconds: z
    .number()
    .int()
    .min(1)
    .max(120)
    .default(15)
    .describe("How long one request may take, answer included."),
  headers: z
    .record(
      z.string().regex(HEADER_NAME).describe("Not one of the headers that the delivery itself sets."),
      z
        .string()
        .regex(/^[\x20-\x7e]{0,1000}$/)
        .describe("Printable ASCII, at most 1,000 characters."),
    )
    .refine((headers) => Object.keys(headers).length <= mostHeaders, `has more than ${mostHeaders} headers`)
    .meta({ maxProperties: mostHeaders })
    .default({})
    .describe("Further headers of every request. They are part of the blueprint and not secret."),
});

export type DeliverWebhookConfig = z.infer<typeof configSchema>;
