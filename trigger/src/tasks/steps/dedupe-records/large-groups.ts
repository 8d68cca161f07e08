import type { Warn } from "../step";
import type { LargeGroup } from "./key-index";

const MOST_LISTED = 10;
const MOST_CHARACTERS = 60;
/** A warning has 4 kB for its details, of which the numbers take a little. */
const MOST_BYTES = 3_500;

/** Says which values are no key because more than `maxGroup` records share them, the most shared first. */
export function warnOfLargeGroups(
  groups: readonly LargeGroup[],
  ids: readonly string[],
  maxGroup: number,
  warn: Warn,
): void {
  const listed = [...groups]
    .sort((a, b) => b.records - a.records || a.firstRow - b.firstRow)
    .slice(0, MOST_LISTED)
    .map(({ fields, values, records, firstRow }) => ({
      fields: fields.map(cut),
      values: values?.map(cut) ?? null,
      records,
      first_record: ids[firstRow] ?? "",
    }));
  while (Buffer.byteLength(JSON.stringify(listed)) > MOST_BYTES) listed.pop();
  warn(
    "group_too_large",
    `Values that more than ${maxGroup} records share are no key: those records were left apart.`,
    {
      max_group: maxGroup,
      group_count: groups.length,
      record_count: groups.reduce((sum, { records }) => sum + records, 0),
      groups: listed,
    },
  );
}

function cut(text: string): string {
  // By code points: half of one is no JSON to the database.
  const characters = [...text];
  return characters.length <= MOST_CHARACTERS ? text : `${characters.slice(0, MOST_CHARACTERS - 1).join("")}…`;
}
