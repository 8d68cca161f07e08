"""What an attempt's error means: whether to retry, how the run ends, what the API shows.

The codes and their classes are those of `@trigger.dev/core` (`dist/esm/v3/errors.js`, shouldRetryError and
shouldLookupRetrySettings) and of the platform's run engine.
"""

from typing import Final

from local.trigger_platform.models import JsonObject, RunStatus

_RETRYABLE_CODES: Final = frozenset(
    {
        "TASK_RUN_STALLED_EXECUTING",
        "TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS",
        "GRACEFUL_EXIT_TIMEOUT",
        "HANDLE_ERROR_ERROR",
        "TASK_INPUT_ERROR",
        "TASK_OUTPUT_ERROR",
        "TASK_MIDDLEWARE_ERROR",
        "POD_EVICTED",
        "POD_UNKNOWN_ERROR",
        "TASK_EXECUTION_ABORTED",
        "TASK_EXECUTION_FAILED",
        "TASK_RUN_CRASHED",
        "TASK_RUN_UNCAUGHT_EXCEPTION",
        "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
        "TASK_PROCESS_SIGTERM",
        "TASK_PROCESS_SIGSEGV",
    }
)
# A process that died cannot say how to retry, so the task's own policy decides.
_LOOKUP_CODES: Final = frozenset(
    {
        "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
        "TASK_PROCESS_SIGTERM",
        "TASK_PROCESS_SIGSEGV",
        "TASK_RUN_UNCAUGHT_EXCEPTION",
        "TASK_MIDDLEWARE_ERROR",
    }
)
_OUT_OF_MEMORY_CODES: Final = frozenset({"TASK_PROCESS_OOM_KILLED", "TASK_PROCESS_MAYBE_OOM_KILLED"})
_STATUS_OF_CODE: Final = {
    **dict.fromkeys(
        (
            "RECURSIVE_WAIT_DEADLOCK",
            "TASK_INPUT_ERROR",
            "TASK_OUTPUT_ERROR",
            "TASK_MIDDLEWARE_ERROR",
            "TASK_RUN_UNCAUGHT_EXCEPTION",
        ),
        RunStatus.COMPLETED_WITH_ERRORS,
    ),
    **dict.fromkeys(
        (
            "TASK_PROCESS_OOM_KILLED",
            "TASK_PROCESS_MAYBE_OOM_KILLED",
            "TASK_PROCESS_SIGSEGV",
            "DISK_SPACE_EXCEEDED",
            "OUTDATED_SDK_VERSION",
            "HANDLE_ERROR_ERROR",
            "TASK_RUN_CRASHED",
            "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
        ),
        RunStatus.CRASHED,
    ),
    "TASK_RUN_CANCELLED": RunStatus.CANCELED,
    "MAX_DURATION_EXCEEDED": RunStatus.TIMED_OUT,
    # In a dev environment a silent worker nearly always means that somebody stopped the CLI.
    "TASK_RUN_STALLED_EXECUTING": RunStatus.CANCELED,
    "TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS": RunStatus.CANCELED,
}


def internal_error(code: str, message: str) -> JsonObject:
    return {"type": "INTERNAL_ERROR", "code": code, "message": message}


def is_cancellation(error: JsonObject) -> bool:
    return _code(error) == "TASK_RUN_CANCELLED"


def is_out_of_memory(error: JsonObject) -> bool:
    """Whether the process ran out of memory. SIGKILL counts: the kernel then kills with it."""
    if error.get("type") == "BUILT_IN_ERROR":
        return error.get("name") == "OutOfMemoryError" or "killed with signal SIGKILL" in _message(error)
    code, message = _code(error), _message(error)
    if code in _OUT_OF_MEMORY_CODES:
        return True
    if code != "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE" or "-1" not in message:
        return False
    return "SIGKILL" in message or ("SIGABRT" in message and "heap" in str(error.get("stackTrace")))


def is_retryable(error: JsonObject) -> bool:
    return error.get("type") != "INTERNAL_ERROR" or _refined_code(error) in _RETRYABLE_CODES


def needs_retry_lookup(error: JsonObject) -> bool:
    return error.get("type") == "INTERNAL_ERROR" and _refined_code(error) in _LOOKUP_CODES


def run_status(error: JsonObject) -> RunStatus:
    """Return the status of a run whose last attempt ended with this error."""
    if error.get("type") != "INTERNAL_ERROR":
        return RunStatus.COMPLETED_WITH_ERRORS
    return _STATUS_OF_CODE.get(_code(error), RunStatus.SYSTEM_FAILURE)


def public_error(error: JsonObject) -> JsonObject:
    """Return the error as the API shows it: `{message, name?, stackTrace?}`."""
    if error.get("type") == "BUILT_IN_ERROR":
        shown = {key: error.get(key) for key in ("name", "message", "stackTrace", "causes")}
        return {key: value for key, value in shown.items() if value}
    if error.get("type") == "INTERNAL_ERROR":
        return {"message": f"trigger.dev internal error ({_refined_code(error)})"}
    return {"message": str(error.get("raw", ""))}


def _refined_code(error: JsonObject) -> str:
    """Return the code, made more precise by the signal that ended the process."""
    code, message = _code(error), _message(error)
    if code != "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE":
        return code
    for signal, refined in (
        ("SIGTERM", "TASK_PROCESS_SIGTERM"),
        ("SIGSEGV", "TASK_PROCESS_SIGSEGV"),
        ("SIGKILL", "TASK_PROCESS_MAYBE_OOM_KILLED"),
        ("SIGABRT", "TASK_PROCESS_MAYBE_OOM_KILLED"),
    ):
        if signal in message:
            return refined
    return code


def _code(error: JsonObject) -> str:
    return str(error.get("code", ""))


def _message(error: JsonObject) -> str:
    return str(error.get("message") or "")
