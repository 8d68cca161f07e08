"""Rules that the whole catalogue must keep. A guard returns its findings as sentences.

Nothing is listed by hand: everything that a migration adds must keep the same rules.
"""

from __future__ import annotations

from tests.support.guards import functions, grants, policies, tables
from tests.support.guards.catalogue import Guard

GUARDS: tuple[Guard, ...] = (
    tables.row_level_security_is_on,
    tables.views_run_as_their_caller,
    tables.everything_has_a_comment,
    functions.functions_pin_an_empty_search_path,
    grants.nobody_executes_by_default,
    grants.operators_keep_their_schema_to_themselves,
    tables.foreign_keys_are_indexed,
    tables.foreign_keys_say_what_deleting_does,
    tables.links_stay_within_their_tenant,
    tables.tables_belong_to_an_org,
    tables.columns_that_clients_write_are_bounded,
    policies.policies_read_the_caller_once,
    policies.policies_are_for_clients_and_named_so,
    policies.policies_name_their_tenant,
    policies.updates_hold_old_and_new_rows_alike,
    functions.definers_ask_for_the_org,
    grants.grants_are_minimal,
    functions.functions_tell_what_they_raise,
    functions.settings_are_named_and_the_callers_is_kept_apart,
)
