"""Attacks by intruders with few rights on the data of others; test_attacks.py runs them.

lab.py has the victims, intruder.py the attackers; each other module has attacks of one kind, returned by attacks().
"""
