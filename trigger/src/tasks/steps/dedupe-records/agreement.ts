/** More different combinations of values share a key by chance: then only those that are complete and equal are one. */
const MOST_COMPARED = 64;

/** The numbers of a row's values in the fields that must agree; -1 for an empty one. */
export type Signature = readonly number[];

/**
 * Divides rows that share a key into groups without contradiction. A row joins those that it agrees with, unless it agrees
 * with two that contradict each other: nobody can say then whose duplicate it is. Returns the number of each row's group,
 * or -1 for a row that is alone.
 */
export function groupsThatAgree(rows: readonly Signature[]): number[] {
  const numbers = new Map<string, number>();
  const distinct: Signature[] = [];
  const kinds = rows.map((row) => {
    const key = row.join(" ");
    let kind = numbers.get(key);
    if (kind === undefined) numbers.set(key, (kind = distinct.push(row) - 1));
    return kind;
  });
  const groups = groupsOfKinds(distinct);
  return kinds.map((kind) => groups[kind] ?? -1);
}

function groupsOfKinds(distinct: readonly Signature[]): number[] {
  if (distinct.length > MOST_COMPARED) return distinct.map((signature, kind) => (signature.includes(-1) ? -1 : kind));
  const agreeing = distinct.map((signature) =>
    distinct.flatMap((other, kind) => (agree(signature, other) ? [kind] : [])),
  );
  const isClear = agreeing.map((kinds) =>
    kinds.every((kind) => kinds.every((other) => agree(distinct[kind] ?? [], distinct[other] ?? []))),
  );
  // Rows that are clear and agree, agree with all that either of them agrees with: the first of them names the group.
  return distinct.map((_, kind) =>
    isClear[kind] === true ? (agreeing[kind]?.find((other) => isClear[other] === true) ?? kind) : -1,
  );
}

function agree(a: Signature, b: Signature): boolean {
  return a.every((value, field) => value === -1 || b[field] === -1 || value === b[field]);
}
