// The e-mails that Auth sends: a file for each in the stack's folder. `python -m local mail` shows them.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MOST_KEPT = 200;

/**
 * An e-mail driver for Lite. Lite's links begin with the site's URL and return to it. As hosted ones, these lead to Auth, and
 * return to where the caller asked (`askedRedirect`). Auth checks that when the link is opened.
 */
export class MailFolder {
  #directory;
  #siteUrl;
  #publicUrl;
  #askedRedirect;
  #count = 0;

  constructor({ directory, siteUrl, publicUrl, askedRedirect }) {
    this.#directory = directory;
    this.#siteUrl = siteUrl;
    this.#publicUrl = publicUrl;
    this.#askedRedirect = askedRedirect;
  }

  async send({ to, subject, text = "", html = "" }) {
    const asked = this.#askedRedirect();
    const toAuth = (part) => {
      const led = part.replaceAll(`${this.#siteUrl}/auth/v1/`, `${this.#publicUrl}/auth/v1/`);
      const [here, there] = [this.#siteUrl, asked].map((url) => `redirect_to=${encodeURIComponent(url)}`);
      return asked ? led.replaceAll(here, there) : led;
    };
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const at = new Date().toISOString();
    this.#count += 1;
    const name = `${at.replaceAll(":", "-")}-${String(this.#count).padStart(6, "0")}.json`;
    // A link signs its reader in.
    writeFileSync(
      join(this.#directory, name),
      JSON.stringify({ at, to, subject, text: toAuth(text), html: toAuth(html) }),
      {
        mode: 0o600,
      },
    );
    const outdated = readdirSync(this.#directory).sort().slice(0, -MOST_KEPT);
    for (const old of outdated) rmSync(join(this.#directory, old), { force: true });
    console.log(`E-mail to ${to}: ${subject}. To read it: python -m local mail`);
  }
}
