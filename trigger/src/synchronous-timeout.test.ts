import { describe, expect, it } from "vitest";

import { finalError } from "./errors";
import { withSynchronousTimeout } from "./synchronous-timeout";

const exceeded = () => finalError("too_slow", "It takes too long.");

describe("a synchronous timeout", () => {
  it("returns the result of the work", () => {
    expect(withSynchronousTimeout(() => [1, 2], 1_000, exceeded)).toEqual([1, 2]);
  });

  it("passes the work's own error on", () => {
    expect(() =>
      withSynchronousTimeout(
        () => {
          throw new RangeError("too deep");
        },
        1_000,
        exceeded,
      ),
    ).toThrow(RangeError);
  });

  it("stops endless work with the given error", () => {
    let turns = 0;
    const endless = () => {
      while (turns >= 0) turns++;
    };
    expect(() => withSynchronousTimeout(endless, 50, exceeded)).toThrow(
      expect.objectContaining({ code: "too_slow", retryable: false }),
    );
    expect(turns).toBeGreaterThan(0);
  });
});
