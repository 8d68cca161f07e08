import { describe, expect, it } from "vitest";

import { withinTimeLimit } from "./time-limit";

describe("the time limit of a schema", () => {
  it("returns what the work returns", () => {
    expect(withinTimeLimit(() => [1, 2], 1_000)).toEqual([1, 2]);
  });

  it("passes the work's own error on", () => {
    expect(() =>
      withinTimeLimit(() => {
        throw new RangeError("too deep");
      }, 1_000),
    ).toThrow(RangeError);
  });

  it("ends work that does not end, as a final invalid_step_config", () => {
    let turns = 0;
    const endless = () => {
      while (turns >= 0) turns++;
    };
    expect(() => withinTimeLimit(endless, 50)).toThrow(
      expect.objectContaining({ code: "invalid_step_config", retryable: false }),
    );
    expect(turns).toBeGreaterThan(0);
  });
});
