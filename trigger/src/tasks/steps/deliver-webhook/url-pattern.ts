/**
 * Patterns instead of functions, because they are part of the step's published schema: the API refuses with them what
 * the worker would refuse. Both engines read them alike: no flags, no named groups.
 */

const scheme = "[hH][tT][tT][pP][sS]?://";
const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const name = `(?:${label}\\.)*${label}\\.?`;
const port = "(?::(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}))?";
// Printable ASCII without the backslash, which browsers and Node take for a slash.
const rest = "(?:[/?#][!-\\[\\]-~]*)?";
const end = "(?:[:/?#]|$)";

/** An http or https URL of a name or an address, without user name, password, blanks and control characters. */
export const WEBHOOK_URL = new RegExp(`^${scheme}(?:${name}|\\[[0-9A-Fa-f:.]{2,45}\\])${port}${rest}$`);

const octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const address = `(?:${octet}\\.){3}${octet}${end}`;
const number = "(?:[0-9]+|0[xX][0-9A-Fa-f]*)";
// prettier-ignore
const privateBeginnings = [
  "(?:0|10|127)\\.", "100\\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.", "168\\.63\\.129\\.16(?![0-9])", "169\\.254\\.",
  "172\\.(?:1[6-9]|2[0-9]|3[01])\\.", "192\\.0\\.[02]\\.", "192\\.88\\.99\\.", "192\\.168\\.", "198\\.1[89]\\.",
  "198\\.51\\.100\\.", "203\\.0\\.113\\.", "(?:22[4-9]|2[34][0-9]|25[0-5])\\.",
];
const localNames = ["localhost", "local", "localdomain", "internal"].map((text) =>
  text.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`),
);
const publicIpv6 =
  "(?!2001:(?:[0-9A-Fa-f]{0,2}|[01][0-9A-Fa-f]{2}|0[01][0-9A-Fa-f]{2}|0?[dD][bB]8):)(?!2002:)(?!3[fF]{3}:)" +
  "[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]*\\]";

/**
 * The URLs whose host, as it is written, leads into a private network: such an address, a number that is another way to
 * write one, or a local name. What a name leads to is checked when it is called (`address-guard.ts`).
 */
export const PRIVATE_URL = new RegExp(
  `^${scheme}(?:` +
    [
      `(?=${address})(?:${privateBeginnings.join("|")})`,
      `(?!${address})(?:[^/?#:]*\\.)?${number}\\.?${end}`,
      `(?:[^/?#:]*\\.)?(?:${localNames.join("|")})\\.?${end}`,
      `\\[(?!${publicIpv6})`,
    ].join("|") +
    ")",
);
