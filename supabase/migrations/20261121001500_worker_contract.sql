-- The contract between database and workers: the functions of schema worker, their arguments and answers.
--
-- Database and tasks are deployed one after the other, so each must know what it meets. A worker names the version that
-- it was built for (workerContract in trigger/) when it claims a run.

create function private.contract_version() returns int
language sql immutable set search_path = '' as $$ select 3 $$;
comment on function private.contract_version is
    'Version of the contract. Raise it with the worker''s own constant whenever the worker begins to call, send or '
    'read something that the database did not have before.';

create function private.oldest_contract() returns int
language sql immutable set search_path = '' as $$ select 2 $$;
comment on function private.oldest_contract is
    'The oldest version that the database still serves. Raise it to the current one when a change makes an older '
    'worker fail or do harm: a function or field that it uses is gone, or means something else.';

create function private.check_contract(p_contract int) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if p_contract < private.oldest_contract() then
        perform private.raise_error(409, 'worker_outdated',
            format('The worker was built for version %s of the database''s contract, and the database needs %s at least. '
                'Deploy the tasks of this release (npm run deploy in trigger/); the run waits for them.',
                p_contract, private.oldest_contract()),
            jsonb_build_object('worker', p_contract, 'oldest', private.oldest_contract()));
    elsif p_contract > private.contract_version() then
        perform private.raise_error(409, 'database_outdated',
            format('The worker was built for version %s of the database''s contract, and the database has %s. '
                'Apply the migrations of this release (supabase db push); the run waits for them.',
                p_contract, private.contract_version()),
            jsonb_build_object('worker', p_contract, 'version', private.contract_version()));
    end if;
end;
$$;
comment on function private.check_contract is
    'Refuses a worker that does not fit the database; null fits. '
    'Raises 409 worker_outdated, database_outdated.';

-- Definer: like all of schema worker, see …_worker.sql.
create function worker.contract(p_contract int default null) returns jsonb
language plpgsql immutable security definer set search_path = '' as $$
begin
    perform private.check_contract(p_contract);
    return jsonb_build_object('version', private.contract_version(), 'oldest', private.oldest_contract());
end;
$$;
comment on function worker.contract is
    'The versions of the contract that the database serves, if p_contract is one of them or null. A worker asks before '
    'its first run. service_role. '
    'Raises 409 worker_outdated, database_outdated. Safe to repeat.';
grant execute on function worker.contract to service_role;
