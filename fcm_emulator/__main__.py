"""Run an FCM on this machine: loopback only, nothing reaches a phone."""

import argparse

from . import launch


def main() -> None:
    """Run the emulator as the arguments say."""
    parser = argparse.ArgumentParser("python -m fcm_emulator", description=__doc__)
    launch.add_arguments(parser)
    launch.run(launch.options_from(vars(parser.parse_args())))


if __name__ == "__main__":
    main()
