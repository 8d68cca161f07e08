/**
 * Fields that must all be equal; in the long form also fields that must agree: where both records have a value, it is the
 * same.
 */
export type MatchRule = string[] | { equal: string[]; agree: string[] };

export function equalFields(rule: MatchRule): string[] {
  return Array.isArray(rule) ? rule : rule.equal;
}

export function agreeingFields(rule: MatchRule): string[] {
  return Array.isArray(rule) ? [] : rule.agree;
}
