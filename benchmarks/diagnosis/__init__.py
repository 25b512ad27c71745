"""Faulty set-ups with known causes, their repaired versions, and healthy ones: is the cause found, and nothing else?"""
