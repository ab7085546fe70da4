"""The way to FCM: the only sockets to it, below the worker and the admin's test push.

    connection   one HTTP/2 connection with up to 100 requests in flight (the only pycurl)
    credentials  the access token of the service account, refreshed once for all connections
    outcomes     what an answer of FCM means: the one table

Nothing in here knows Django or a model: requests and answers are bytes.
"""
