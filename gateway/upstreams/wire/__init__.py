"""The HTTP/1.1 client: kept connections to one upstream, one request at a time on each (RFC 9112).

    head        what to send, as bytes
    reader      what came back, from bytes: no socket
    rules       what the fields of its head say about an answer
    heads       those of answers that were read before
    connection  one connection: writes the one, reads the other
    dial        how a connection is made
    exchange    one try of a request, from waiting to its outcome
    alarm       one timer for many deadlines
    pool        which exchange has which connection, and until when

The parser is llhttp, by way of httptools; what cannot go on is `broken`. A connection is used again only if the answer on it
was read to its exact end.
"""
