// HS256 tokens as Supabase makes them.
import { createHmac } from "node:crypto";

export function signToken(claims, secret) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** The claims of a token that this process has made itself. Nothing is verified. */
export function readClaims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}
