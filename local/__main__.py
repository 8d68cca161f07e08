"""`python -m local`: the local stack's command line."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from uuid import UUID

from local.commands import start_command
from local.environment import as_dotenv
from local.errors import StackError
from local.log_follower import LogFollower
from local.mail import describe, read_mail
from local.overview import overview
from local.ports import DEFAULT_PORT_BASE, PortsTakenError
from local.private_file import open_private
from local.replay import command as replay
from local.settings import DEFAULT_DIRECTORY, ROOT, StackSettings, read_settings
from local.stack import Stack, environment_file, stop_stack
from local.state import port_base_of, read_state

_POLL_SECONDS = 0.1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["demo"]:
        from local.demo import command as demo  # here, since only the demo needs its imports

        return demo.main(arguments[1:])
    options = _parser().parse_args(arguments)
    options.directory = options.directory.resolve()
    try:
        return int(options.run(options))
    except PortsTakenError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.free_base is not None:
            print(f"Type: {start_command('up', options.directory, error.free_base)}", file=sys.stderr)
        return 1
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=sys.modules["local"].__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.add_argument(
            "--dir",
            dest="directory",
            type=Path,
            default=DEFAULT_DIRECTORY,
            help="the stack's folder for data, secrets and logs (default: .local in the repository)",
        )
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "Start everything and show one log. Ctrl-C stops it.")
    up.add_argument(
        "--detach", action="store_true", help="return when everything is ready, and leave it running"
    )
    up.add_argument("--quiet", action="store_true", help="do not print the lines of the log files")
    up.add_argument(
        "--port-base",
        type=int,
        metavar="N",
        help="the API listens on N, the others on N+1 to N+6 "
        f"(default: as the last time, or {DEFAULT_PORT_BASE})",
    )
    up.add_argument(
        "--only",
        dest="scope",
        choices=["supabase"],
        default="all",
        help="start database, Data API and Auth alone",
    )
    up.add_argument(
        "--migrate", action="store_true", help="apply the migrations to your own Supabase project"
    )
    command("down", _down, "Stop the stack, or what a crash left of it.")
    command("status", _status, "List the processes and whether they run.")
    command("env", _env, "Print the stack's variables as dotenv lines.")
    mail = command("mail", _mail, "Show the e-mails that local Auth sent, newest first.")
    mail.add_argument("--limit", type=int, default=10, help="how many (default: %(default)s)")
    sql = command("sql", _sql, "Run SQL as role postgres and print the rows.")
    sql.add_argument("statements", metavar="SQL")
    logs = command("logs", _logs, "Print the log of one process.")
    logs.add_argument("name", metavar="NAME", help="as `status` lists them")
    replayed = command(
        "replay", _replay, "Execute the steps of a finished run again and compare every chunk."
    )
    replayed.add_argument("run_id", metavar="RUN", type=UUID, help="the pipeline run's id")
    commands.add_parser("demo", help="Send a sample export through everything.", add_help=False)
    return parser


def _up(options: argparse.Namespace) -> int:
    settings = read_settings(
        directory=options.directory,
        port_base=options.port_base or port_base_of(options.directory),
        scope=options.scope,
        migrate=options.migrate,
    )
    return _up_detached(settings) if options.detach else _up_here(settings, quiet=options.quiet)


def _up_here(settings: StackSettings, *, quiet: bool) -> int:
    for number in _STOP_SIGNALS:
        signal.signal(number, _interrupt_once)
    stack = Stack(settings)
    with LogFollower([] if quiet else stack.logs) as screen:
        try:
            environment = stack.start()
        except KeyboardInterrupt:
            return 0  # Stack.start has stopped what it started
        try:
            screen.say("Ready:")
            for line in overview(settings, environment):
                screen.say(line)
            while True:
                stack.check()
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            stack.stop()
            return 0
        except StackError as error:
            stack.stop(reason=str(error))
            raise


def _up_detached(settings: StackSettings) -> int:
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "stack.log"
    arguments = ["up", "--quiet", "--dir", str(settings.directory), "--port-base", str(settings.ports.base)]
    arguments += ["--only", settings.scope] if settings.scope != "all" else []
    arguments += ["--migrate"] if settings.migrate else []
    with open_private(log) as output:  # the overview has passwords
        owner = subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _ready_under(settings.directory, owner.pid):
            if owner.poll() is not None:
                sys.stderr.write(log.read_text())
                return 1
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        owner.terminate()
        owner.wait()
        return 1
    sys.stdout.write(log.read_text())
    return 0


def _ready_under(directory: Path, pid: int) -> bool:
    state = read_state(directory)
    return state is not None and state.phase == "ready" and state.owner.pid == pid


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stop
    raise KeyboardInterrupt


def _down(options: argparse.Namespace) -> int:
    print("Stopped." if stop_stack(options.directory) else f"No stack runs in {options.directory}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    state = read_state(options.directory)
    if state is None:
        print(f"No stack was ever started in {options.directory}.")
        return 1
    crashed = state.phase in ("starting", "ready") and not state.running
    print(f"{'crashed' if crashed else state.phase} (port base {state.port_base}, {state.scope})")
    for name, identity in state.processes.items():
        print(f"  {name:<18} {'running' if identity.alive() else 'dead':<8} pid {identity.pid}")
    if state.reason:
        print(state.reason)
    if crashed:
        print("The process that started it is gone. Stop what is left: python -m local down")
    return 0 if state.phase == "ready" and state.running else 1


def _env(options: argparse.Namespace) -> int:
    sys.stdout.write(as_dotenv(_environment_of(options.directory)))
    return 0


def _mail(options: argparse.Namespace) -> int:
    mails = read_mail(options.directory)
    for mail in mails[: options.limit]:
        print(describe(mail))
    if not mails:
        print(f"Local Auth has sent no e-mail in {options.directory}.")
    return 0


def _sql(options: argparse.Namespace) -> int:
    from local.sql import run_sql  # here, since only this needs its imports

    for line in run_sql(_environment_of(options.directory)["DATABASE_URL"], options.statements):
        print(line)
    return 0


def _logs(options: argparse.Namespace) -> int:
    path = options.directory / "logs" / f"{options.name}.log"
    if not path.exists():
        names = ", ".join(sorted(log.stem for log in path.parent.glob("*.log"))) or "none yet"
        raise StackError(f"There is no log of {options.name}. Logs: {names}.")
    sys.stdout.write(path.read_text(errors="replace"))
    return 0


def _replay(options: argparse.Namespace) -> int:
    return replay.main(_environment_of(options.directory), options.run_id)


def _environment_of(directory: Path) -> dict[str, str]:
    path = environment_file(directory)
    if not path.exists():
        raise StackError(f"No stack was ever started in {directory}. Start one: python -m local up")
    environment: dict[str, str] = json.loads(path.read_text())
    return environment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
