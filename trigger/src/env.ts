import { z } from "zod";

const envSchema = z.object({
  SUPABASE_URL: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, "")),
  SUPABASE_SECRET_KEY: z.string().min(1),
  /** True only locally: a hosted worker that posts to private addresses can be turned against its own network. */
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: z
    .enum(["true", "false"])
    .default("false")
    .transform((value) => value === "true"),
});

/**
 * The tasks' environment. It is validated where it is used and not when a file is imported: Trigger.dev's build has no
 * secrets, and imports every task to index it. The SDK itself reads the TRIGGER_* variables.
 */
export function env(): z.infer<typeof envSchema> {
  const result = envSchema.safeParse(process.env);
  if (!result.success) throw new Error(`The environment is not complete.\n${z.prettifyError(result.error)}`);
  return result.data;
}
