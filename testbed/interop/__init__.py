"""Other people's HTTP/2 servers, against which our client must send each notification once.

FCM itself cannot be reached by a test, and our own servers may share our mistakes. So the client is
held to what it will meet: the HTTP/2 of nginx, HAProxy, Apache, nghttpx and Caddy in front of the
emulator, and those of granian (the emulator), h2 (the hostile FCM with good manners), Node and gRPC
(Google's own).

servers      a table of them: how each is started, and what it has to be asked with
settings/    the configuration files; all that concerns HTTP/2 stays at each server's defaults
node         an FCM of a few lines on Node's http2
grpc_core    an FCM of a few lines on gRPC's C core
sending      sends as the worker's lanes do, and counts what became of each

`python -m testbed.interop` runs them all with 10,000 sends each and prints a table.
"""
