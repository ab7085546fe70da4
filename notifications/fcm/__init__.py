"""The way to FCM: the only sockets to FCM, for the worker and for the operators' test push.

    message      the body of a request, encoded once and completed for each target
    connection   one HTTP/2 connection with up to 100 requests in flight (the only pycurl)
    credentials  the access token of the service account, refreshed once for all connections
    outcomes     what an answer of FCM means: the one table

Nothing in here knows Django, the settings or a model: requests and answers are bytes.
"""
