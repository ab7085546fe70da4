"""An FCM that runs on your machine: loopback only, so nothing ever reaches a phone.

The emulator is FCM, not Radiotalk: nothing in here imports the rest of the project, or Django. It
needs only granian, its web server, and cryptography. Read in this order:

- `server`       the requests it answers, from the body's last byte to the answer's first
- `message`      what FCM calls a valid message, over the fields listed in `schema`
- `faults`       answers that a device token asks for by name (`dev-17-unregistered`)
- `answers`      FCM's JSON, and how an answer goes back: whole, dripping, never
- `oauth`        the service account, and the access tokens it is given
- `journal`      one line per request, written before the answer: what a phone would have shown
- `phones`       the page that shows it
- `launch`       options, files and port, and the line that says where it listens
- `certificates` a certificate authority of its own, and the server's certificate
- `connection`   resets a connection under its client
- `process`      starts an emulator beside a test, and stops it

Run it: `python -m fcm_emulator --tls`, or `manage.py fcm_emulator --tls`, which is the same.
How to use it, with the table of faults: fcm_emulator/README.md.
"""
