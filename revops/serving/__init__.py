"""What stands between the web server and Django: a request's body is complete before a worker thread is taken, so that a slow
client costs nobody else anything.

Granian calls `application` (RSGI) on one event loop. It reads the body with a deadline, a size and a share of the memory
(`bodies`), and hands the whole request to one of a few threads, in which Django answers it as any WSGI application does (`wsgi`).

Never: Django is called on the event loop, and no other package imports this one.
"""
