"""What operators ask and do, shared by the admin and by `manage.py sending`.

acts       cancel, hold, release, settle, pause, go live: the one place that does it
status     what would happen to a talk posted now, and why
why        why a listener did or did not get a talk
retention  how long the send log is kept
test_push  one real push to a device of the operator's own
"""
