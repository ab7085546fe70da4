"""What operators ask and do, shared by the desk and by `manage.py`.

acts         cancel, hold, release, settle, pause, go live: the one place for these acts
situation    what steers the sending now, and what is open
troubles     what is wrong, with what to do about it: the one list
causes       what each code of FCM and of ours means, and what to do
differences  how the settings of two workers differ
status       what `manage.py sending status` tells
why          why a listener did or did not get a talk
retention    how long the send log is kept, and whatever else does not stay for ever
personal     what is kept of a person, model by model
export       all that is kept of a person, as files
erase        a person is forgotten
test_push    asks the worker for one real push to a device of the operator's own
probe        whether a worker could send from this machine
"""
