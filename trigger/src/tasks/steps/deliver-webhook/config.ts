import { z } from "zod";

import { isAllowedHeader } from "./reserved-headers";

export const configSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .refine(
      (url) => !URL.canParse(url) || (new URL(url).username === "" && new URL(url).password === ""),
      "must not contain a user name or password",
    )
    .describe("Where the records go. Only public addresses; redirects are not followed."),
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
    .record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/), z.string().regex(/^[\x20-\x7e]{0,1000}$/))
    .refine((headers) => Object.keys(headers).length <= 20, "has more than 20 headers")
    .refine(
      (headers) => Object.keys(headers).every(isAllowedHeader),
      "sets a header that belongs to the delivery itself",
    )
    .default({})
    .describe("Further headers of every request. They are part of the blueprint and not secret."),
});

export type DeliverWebhookConfig = z.infer<typeof configSchema>;
