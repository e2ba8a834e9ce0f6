"""Shared parts of the tests: programs that they start (gateway, PostgREST, relay, pooler), and requests to them.

Fixtures that one kind of test needs are here, and the test modules import them; those that many need are in
conftest.py.
"""
