-- One submission as clients see it: with what the newest run made of its columns.

create function private.with_fields(p_submission public.submissions) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_run_id uuid;
    v_uses jsonb;
begin
    select r.id, sr.columns into v_run_id, v_uses
    from public.pipeline_runs r
    join public.step_results sr on sr.pipeline_run_id = r.id
    where r.org_id = p_submission.org_id and r.company_id = p_submission.company_id and r.submission_id = p_submission.id
        and sr.columns is not null
    order by r.run_number desc, sr.position
    limit 1;
    return to_jsonb(p_submission) || jsonb_build_object(
        'columns_reported_by', v_run_id,
        'columns', (
            select coalesce(jsonb_agg(c.value || jsonb_build_object('field', u.field) order by c.ordinality), '[]')
            from jsonb_array_elements(p_submission.columns) with ordinality c
            left join (
                select e.value ->> 'name' as name, min(e.value ->> 'field') as field
                from jsonb_array_elements(v_uses) e
                group by e.value ->> 'name'
            ) u on u.name = c.value ->> 'name'
        )
    );
end;
$$;
comment on function private.with_fields is
    'A submission whose columns have the field that took each, by the first report of the newest run that has one. '
    'columns_reported_by is that run; null: no step has reported yet, and each field is null.';
grant execute on function private.with_fields to authenticated;

create function public.get_submission(p_submission_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_submission public.submissions;
begin
    select s.* into v_submission from public.submissions s where s.id = p_submission_id;
    if not found then
        perform private.raise_error(404, 'submission_not_found', 'No such submission.');
    end if;
    return private.with_fields(v_submission);
end;
$$;
comment on function public.get_submission is
    'One submission, its columns with the field that took each in the newest run. Any caller who can see its company. '
    'Raises 404 submission_not_found.';
grant execute on function public.get_submission to authenticated;
