"""The worker: it turns notifications that are due into POSTs to FCM, and answers into the log.

Follow a talk through it by file names:

    receiver    listens to Redis; whatever it hears only means "look now"
    inbox       the one queue by which anything reaches the invoker
    invoker     the loop: the lease, the order of a turn, when to stop
    opening     which notifications are sent now: begun, gone on with, or ended as overdue
    claiming    how many targets of which notification go to the lanes now
    recording   what was answered: judged, written into the send log, closed when complete
    repository/ the only place with queries: what is due, claims, results, recovery
    fanout      a notification that is being sent, as the main thread holds it in memory
    rotation    whose turn it is among the notifications that are being sent
    ledger      what is in flight, and what is answered but not yet written
    lease       proof of being the one active worker, with its fencing epoch
    held        the log's line of a notification that an operator must look at
    sender      lanes on a bounded ThreadPoolExecutor; a lane drives up to 100 streams at once
    retry       when to attempt again, by meaning and attempt
    rate        how many may go out now
    brakes      when answers say that something is wrong with us, not with the devices
    work        what crosses between the main thread and the lanes
    timer       what the loop does every so often
    watchdog    tells systemd that the loop turns
    outage      logs what is away twice: at the start, and at the end with the length

What talks to FCM is notifications/fcm: the connection of a lane, the access token, and what an
answer means.

Threads: the main thread runs the invoker and is the only one that touches the database; the
receiver has one thread of its own; the lanes have the pool's, and a refresh of the access token one
for itself. What crosses threads is an immutable tuple (work.py, inbox.py). A lane or the receiver
that dies ends the process: never alive but deaf.

Order of stopping: no new claims; what is in flight is answered and recorded, the lease still
renewed; the lease is given back; the receiver stops; the pool stops; exit 0.
"""
