"""The worker: it turns notifications that are due into POSTs to FCM, and answers into the send log.

Follow a talk through it by file names:

    receiver    listens to Redis; every message only means "look now"
    inbox       the one queue: wake-ups, results and stops reach the invoker through it
    invoker     the loop: keeps the lease, runs the steps of a turn in order, decides when to stop
    opening     looks for due notifications; starts, resumes or ends each
    claiming    claims targets of the notification whose turn it is, and hands them to the lanes
    recording   writes answers into the send log, closes complete notifications
    repository/ all queries but the lease's: what is due, claims, results, recovery
    fanout      a notification that is being sent, as the main thread holds it in memory
    rotation    the notifications that are being sent, in the order of their turns
    ledger      the targets that are in flight, and the answers that are not yet written
    lease       proof of being the one active worker, with its fencing epoch
    session     sets what safety rests on in each session with PostgreSQL, and asks it back
    configuration  the settings by which it sends, for people and other workers to see
    held        logs that a notification is held for an operator
    sender      lanes on a bounded ThreadPoolExecutor, as the main thread sees them
    ahead       what is claimed and waits for a free stream, in one place for all lanes
    lane        one thread with one connection; it drives up to 100 streams at once
    retry       when to attempt again, by meaning and attempt
    rate        how many targets may be sent to now
    judging     holds what the brakes object to, disables the devices that are gone
    brakes      notice when many refusals are a mistake of our own
    blame       the same for answers that blame our configuration outright
    testing     sends an operator's test to a device of their own
    work        the tuples that cross between the main thread and the lanes
    timer       when a step that the loop repeats is due again
    watchdog    tells systemd that the loop turns
    telemetry   the worker's metrics: what the parts tell, and what is read from them
    latency     how long FCM takes to answer, counted by each lane
    scraping    serves the metrics to Prometheus
    descriptors raises the limit of open files to what the lanes need
    outage      logs an outage twice: at its start, and at its end with its length
    reach       whether FCM can be reached and takes our credentials, for operators to see

The folder notifications/fcm talks to FCM: a lane's connection, the access token, the meaning of an
answer.

Threads: the main thread runs the invoker and is the only one that touches the database. The
receiver has a thread of its own, each lane a thread of the pool, each refresh of the access token,
each attempt to connect, each test and each scrape of the metrics another one. Only immutable
objects cross threads (work.py, inbox.py). When a lane or the receiver dies, the process ends, since
a worker without it would seem healthy.

Order of stopping: claims end; what is in flight is answered and recorded, while the lease is still
renewed; the lease is given back; the receiver stops; the pool stops; the process exits with 0.
"""
