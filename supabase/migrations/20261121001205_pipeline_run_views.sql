-- Pipeline runs as clients see them: with the steps that failed, and why.
--
-- Views, since security invoker functions cannot read whole rows of a table whose claim_id is not granted. The steps are asked
-- in a subquery and not by a function, so that a list asks the policies once and not for each run.

create view private.pipeline_runs_with_snapshot with (security_invoker = true) as
select
    r.id, r.org_id, r.company_id, r.submission_id, r.run_number, r.blueprint_id, r.blueprint_version, r.status, r.error,
    case
        when r.status in ('queued', 'succeeded') then '[]'
        else (
            select coalesce(jsonb_agg(
                jsonb_build_object('position', sr.position, 'slug', sr.slug, 'code', sr.error -> 'code', 'message', sr.error -> 'message')
                order by sr.position
            ), '[]')
            from public.step_results sr
            where sr.pipeline_run_id = r.id and sr.status = 'failed'
        )
    end as failed_steps,
    r.retry_of, r.record_count, r.chunk_count, r.admitted_at is not null as admitted,
    r.dispatched_at is not null as dispatched, r.trigger_run_id, r.trace_id, r.request_id, r.created_by, r.created_at, r.admitted_at, r.dispatched_at,
    r.started_at, r.finished_at, r.blueprint_snapshot
from public.pipeline_runs r;
comment on view private.pipeline_runs_with_snapshot is
    'Runs as clients see one of them, with the snapshot, under the caller''s policies. failed_steps: [{position, slug, code, message}]; a run that cannot have any is not looked at.';
grant select on private.pipeline_runs_with_snapshot to authenticated;

create view private.pipeline_runs_readable with (security_invoker = true) as
select
    r.id, r.org_id, r.company_id, r.submission_id, r.run_number, r.blueprint_id, r.blueprint_version, r.status, r.error,
    r.failed_steps, r.retry_of, r.record_count, r.chunk_count, r.admitted, r.dispatched, r.trigger_run_id, r.trace_id,
    r.request_id, r.created_by, r.created_at, r.admitted_at, r.dispatched_at, r.started_at, r.finished_at
from private.pipeline_runs_with_snapshot r;
comment on view private.pipeline_runs_readable is 'Runs as clients see them in lists, without the snapshot, under the caller''s policies.';
grant select on private.pipeline_runs_readable to authenticated;
