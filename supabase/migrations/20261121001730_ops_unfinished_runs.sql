-- Unfinished runs, and what keeps each of them from going on.

create view ops.unfinished_runs with (security_invoker = true) as
select
    r.id as pipeline_run_id,
    o.slug as org,
    c.name as company,
    r.status,
    found.problem,
    date_trunc('second', now() - found.since) as waiting_for,
    r.restart_count as restarts,
    r.trigger_run_id,
    case found.problem
        when 'never dispatched' then
            'The reconciler starts it within a minute. '
            'If it does not: is the task reconcile-runs deployed and scheduled in Trigger.dev?'
        when 'requeued' then
            'The reconciler starts it within a minute. '
            'If it does not: is the task reconcile-runs deployed and scheduled in Trigger.dev?'
        when 'dispatched, not claimed' then
            'Trigger.dev holds it: look at the queue of run-pipeline there. If Trigger.dev has lost it: ops.requeue_runs.'
        when 'lost its worker' then
            case
                when r.dispatched_at > r.lease_expires_at then
                    'Trigger.dev was told to start it again. If it does not: ops.requeue_runs.'
                when r.restart_count < private.most_restarts() then
                    'The reconciler starts it again within a minute. To start counting anew: ops.requeue_runs.'
                else 'The reconciler fails it within a minute, as lost too often. To give it another chance: ops.requeue_runs.'
            end
        else case
            when r.admitted_at is null then
                'It waits its turn: the org, or all together, have as many runs in flight as they may. '
                'To let more of the org go at once: ops.set_org_limits.'
            else 'A worker has it until ' || private.in_utc(r.lease_expires_at) || ', unless it renews the lease.'
        end
    end as what_happens
from public.pipeline_runs r
join public.orgs o on o.id = r.org_id
join public.companies c on c.org_id = r.org_id and c.id = r.company_id
cross join lateral (
    select
        case
            when r.admitted_at is null then null
            when r.status = 'queued' and r.trigger_run_id is null then 'never dispatched'
            when r.status = 'queued' and r.dispatched_at is null then 'requeued'
            when r.status = 'queued' then 'dispatched, not claimed'
            when r.lease_expires_at < now() then 'lost its worker'
        end as problem,
        case
            when r.status = 'queued' then coalesce(r.dispatched_at, r.admitted_at, r.created_at)
            when r.lease_expires_at < now() then r.lease_expires_at
            else r.started_at
        end as since
) found
where r.status in ('queued', 'running');
comment on view ops.unfinished_runs is
    'Every queued and running run: what keeps it from going on (problem; null while it waits for admission or a worker '
    'has it), for how long, and what happens next.';

create view ops.stuck_runs with (security_invoker = true) as
select u.*
from ops.unfinished_runs u
where u.problem is not null and u.waiting_for >= interval '10 minutes';
comment on view ops.stuck_runs is
    'Unfinished runs that have waited for ten minutes or more without a worker. Leaves no audit row; '
    'ops.list_stuck_runs does.';

create function ops.list_stuck_runs(p_older_than interval default '10 minutes')
returns setof ops.unfinished_runs
language plpgsql volatile set search_path = '' as $$
begin
    perform private.audit_operation(
        array(
            select r.org_id
            from ops.unfinished_runs u
            join public.pipeline_runs r on r.id = u.pipeline_run_id
            where u.problem is not null and u.waiting_for >= p_older_than
        ),
        'list_stuck_runs', jsonb_build_object('older_than', p_older_than)
    );
    return query
    select u.*
    from ops.unfinished_runs u
    where u.problem is not null and u.waiting_for >= p_older_than
    order by u.waiting_for desc, u.pipeline_run_id;
end;
$$;
comment on function ops.list_stuck_runs is
    'Runs that have waited for p_older_than or longer without a worker, the longest first: why, and what happens next. '
    'Operators. Changes nothing but the audit log.';

create view ops.reconciler with (security_invoker = true) as
select
    case when late.since is null then 'in time' else 'late since ' || private.in_utc(late.since) end as status,
    date_trunc('second', now() - private.reconciler_last_ran_at()) as last_ran_ago,
    case when late.since is not null then
        'Trigger.dev drops a schedule whose runs keep failing. There: Schedules, reconcile-runs, or deploy the tasks again.'
    end as what_to_do
from (select private.reconciler_late_since() as since) late;
comment on view ops.reconciler is 'Whether the task reconcile-runs, which repairs runs each minute, still runs.';
