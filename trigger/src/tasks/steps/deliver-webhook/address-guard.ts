import { lookup as resolve, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

/** Addresses that look public and lead to a service of the cloud host itself: Azure's wire server. */
const HOST_SERVICES = new Set(["168.63.129.16"]);
const IPV4_IN_IPV6 = /^0{1,4}(?::0{1,4}){5}:/;

/** A name or address leads into a private network. */
export class RefusedAddressError extends Error {
  override readonly name = "RefusedAddressError";
  readonly code = "ERR_REFUSED_ADDRESS";
}

/**
 * True only for addresses of the public internet. False for loopback, private, link-local (the clouds' metadata services),
 * carrier-grade NAT, multicast, documentation, translation and tunnel prefixes: a tunnel may end inside.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || HOST_SERVICES.has(address)) return false;
  const parsed = ipaddr.process(address);
  if (HOST_SERVICES.has(parsed.toString())) return false;
  // The obsolete IPv4-compatible form, ::10.0.0.1, counts as an ordinary address in the library.
  if (parsed.kind() === "ipv6" && IPV4_IN_IPV6.test(parsed.toNormalizedString())) return false;
  return parsed.range() === "unicast";
}

/** Checks a URL's host that is an address: it is never looked up, so `publicLookup` does not see it. */
export function refusePrivateHost(hostname: string): void {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) !== 0 && !isPublicAddress(address))
    throw new RefusedAddressError(`${hostname} is not a public address`);
}

/**
 * The DNS lookup of the connection itself. It checks the addresses that the socket connects to, so a name cannot change
 * between check and use. One private address among several refuses the name.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, "", 0);
    if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(new RefusedAddressError(`${hostname} does not lead to a public address`), "", 0);
    }
    if (options.all === true) return callback(null, addresses);
    const [first] = addresses;
    return callback(null, first?.address ?? "", first?.family);
  });
};
