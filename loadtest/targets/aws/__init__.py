"""AWS: boto3's clients and credentials, and signed requests over a connection that each user keeps.

boto3 spends many times as long on a call, in all of which no other user of the process moves
(`python -m tests.bench.dynamodb` measures both), repeats calls, and does not say whether a request
had left when it failed. `endpoint.py` finds what boto3 would find: address, credentials, authorities
to trust. `signing.py` makes the head of a request, `connection.py` sends it.
"""
