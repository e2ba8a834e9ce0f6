"""Attacks by those who have little, on what others have; test_attacks.py runs them.

lab.py has the victims, intruder.py the attackers; each other module has attacks of one kind, which it gives as attacks().
"""
