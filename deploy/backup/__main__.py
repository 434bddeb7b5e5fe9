"""Start of `python -m deploy.backup`."""

from deploy.interrupts import exit_at_interrupt


def main() -> None:
<<<<<<< HEAD
    """Run the command that the arguments name. Exit with status 1 and one line if it fails, with 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (
        ("create", "back up both schemas and the import files into a new folder, while the services run"),
        ("restore", "restore a backup into an empty database, before the services start"),
    ):
        commands.add_parser(name, help=summary).add_argument("folder", type=Path)
    arguments = parser.parse_args()
    settings = load_settings(BackupSettings)
    run = create_backup if arguments.command == "create" else restore_backup
    try:
        manifest = run(settings, arguments.folder)
    except BackupError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # such as a full disk
        sys.exit(f"error: {error.filename or arguments.folder}: {error.strerror or error}.")
    except BackupInterrupted as interruption:
        sys.stderr.write(f"Interrupted. {interruption}\n")
        sys.exit(128 + signal.SIGINT)  # as a shell reports a program that Ctrl-C ended
    sys.stdout.write("\n".join(_summary(arguments.command, arguments.folder, manifest)) + "\n")
=======
    """Run the command that the arguments name."""
    exit_at_interrupt()
    from deploy.backup.command_line import run_command_line  # the import takes a second
>>>>>>> newcomer

    run_command_line()


if __name__ == "__main__":
    main()
