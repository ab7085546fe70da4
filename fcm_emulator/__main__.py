"""The emulator's own command line, for where there is no Django."""

import argparse

from . import launch


def main() -> None:
    """Run the emulator as the arguments say."""
    parser = argparse.ArgumentParser("python -m fcm_emulator", description=__doc__)
    launch.add_arguments(parser)
    launch.run(launch.options_from(vars(parser.parse_args())))


if __name__ == "__main__":
    main()
