"""The test rig beside the product: what `make demo`, `make run`, tests and benchmarks start.

What a person starts:

    demo             `make demo`: a talk reaches 1,000 listeners, and everything is counted
    run              `make run`: all of Radiotalk until Ctrl-C
    stage, report    where the demo plays, and how it counts from outside
    logins           the accounts of `make run`
    engines          runs a command with a PostgreSQL and a Redis of its own
    stalls           stops processes at random while a command runs, as a slow machine does

How processes are started, the upper by the lower:

    system           the whole system for a test; Deployment is the part that benchmarks share
    processes        the processes of one Radiotalk: same settings, stopped together
    local_settings   settings that send to an FCM on this machine, and `manage.py` with them
    postgresql       a PostgreSQL of our own, from a wheel or from the machine
    redis            a Redis of our own, from PATH, from a wheel, or imitated
    process          one child process: started, waited for, stopped; and free ports
    end_with_parent  the wrapper of each child, which lets no child outlive its parent

What tests use besides:

    fixtures         for the tests of every folder, among them `system`
    lasting_system   one system for all tests of a module
    own_engines      a PostgreSQL, SQLite file or Redis that a test may break
    proxy            breaks the connections between two processes
    hostile/         an FCM that misbehaves below HTTP
    interop/         other people's HTTP/2 servers, through which our client sends
    chromium         a browser, for the browser tests and the screenshots

The product imports nothing of this package. `demo`, `run` and what they use need only
requirements-demo.txt; the rest needs requirements-dev.txt.
"""
