"""An FCM that misbehaves below HTTP's surface, where the emulator's web server is well-behaved.

certificates  authorities that a test trusts, and what they sign: in time, expired, for others
fcm           the server, a thread of the test; its journal is the emulator's
http          its end of a connection: HTTP/2 frame by frame, and HTTP/1.1
manners       how it misbehaves, chosen by a test while it runs
"""
