import type { DedupeRecordsConfig } from "./config";

/** Fields that must all be equal; in the long form also fields that must agree: a value that both records have is the same. */
export type MatchRule = DedupeRecordsConfig["match_on"][number];

export function equalFields(rule: MatchRule): string[] {
  return Array.isArray(rule) ? rule : rule.equal;
}

export function agreeingFields(rule: MatchRule): string[] {
  return Array.isArray(rule) ? [] : rule.agree;
}
