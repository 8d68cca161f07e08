-- AuthContext: what the API asks first about a credential.

create function public.auth_context() returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
begin
    perform private.note_api_token_use();
    return jsonb_build_object(
        'org_id', v_caller.org_id,
        'user_id', v_caller.user_id,
        'company_id', v_caller.company_id,
        'role', v_caller.role,
        'auth_method', v_caller.auth_method
    );
end;
$$;
comment on function public.auth_context is
    'AuthContext of the caller, the same for both credentials. Any caller. Notes the use of an API token '
    '(private.note_api_token_use). '
    'Raises what private.require_caller raises. Safe to repeat.';
grant execute on function public.auth_context to authenticated;
