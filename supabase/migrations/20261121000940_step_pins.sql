-- What an API needs before it saves a blueprint: the right to save it, then the schemas to check its configs against.

create function public.pin_steps(
    p_slugs text[],
    p_versions text[],
    p_blueprint_id uuid default null
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
begin
    perform from public.blueprints b where b.id = p_blueprint_id;
    if not found and p_blueprint_id is not null then
        perform private.raise_error(404, 'blueprint_not_found', 'No such blueprint.');
    end if;
    v_caller := private.require_org_wide('Only an org_admin saves blueprints.');
    if coalesce(cardinality(p_slugs), 0) not between 1 and 50
        or cardinality(p_versions) is distinct from cardinality(p_slugs) then
        perform private.raise_error(422, 'invalid_request',
            'Between 1 and 50 steps can be pinned, each with its version or null.');
    end if;
    return jsonb_build_object('steps', (
        select jsonb_agg(
            jsonb_build_object('version', s.version, 'config_schema', s.config_schema) order by wanted.ordinal
        )
        from unnest(p_slugs, p_versions) with ordinality wanted (slug, version, ordinal)
        left join public.steps s
            on s.slug = wanted.slug and s.version = private.pinned_version(wanted.slug, wanted.version)
    ));
end;
$$;
comment on function public.pin_steps is
    'The versions to which a blueprint with these steps is pinned, with the schemas of their configs, in the given '
    'order; both null for a step that is not published. With an id, for a change of that blueprint. org_admin. '
    'Raises 403 forbidden, 404 blueprint_not_found, 422 invalid_request.';
grant execute on function public.pin_steps to authenticated;
