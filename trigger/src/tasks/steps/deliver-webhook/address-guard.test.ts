import { describe, expect, it } from "vitest";

import { isPublicAddress, refusePrivateHost } from "./address-guard";

const publicAddresses = ["8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"];

const otherAddresses = [
  "127.0.0.1",
  "127.255.255.254",
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "100.100.100.200",
  "0.0.0.0",
  "255.255.255.255",
  "224.0.0.1",
  "240.0.0.1",
  "192.0.0.192",
  "192.0.2.1",
  "198.18.0.1",
  "168.63.129.16",
  "::ffff:168.63.129.16",
  "::1",
  "::",
  "::ffff:10.0.0.1",
  "::ffff:7f00:1",
  "::127.0.0.1",
  "::7f00:1",
  "::a00:1",
  "fe80::1",
  "fec0::1",
  "fd00:ec2::254",
  "ff02::1",
  "64:ff9b::a00:1",
  "64:ff9b:1::1",
  "2002:a00:1::",
  "2001::1",
  "2001:db8::1",
  "not an address",
  "",
];

describe("the address guard", () => {
  it.each(publicAddresses)("lets %s pass", (address) => expect(isPublicAddress(address)).toBe(true));
  it.each(otherAddresses)("refuses %j", (address) => expect(isPublicAddress(address)).toBe(false));

  it.each([
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::1]/",
  ])("refuses the host of %s", (url) => {
    expect(() => refusePrivateHost(new URL(url).hostname)).toThrow("not a public address");
  });

  it("leaves names to the lookup of the connection", () => {
    expect(() => refusePrivateHost("localhost")).not.toThrow();
  });
});
