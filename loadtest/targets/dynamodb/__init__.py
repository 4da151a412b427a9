"""DynamoDB: accounts as items, a transfer as one `TransactWriteItems`.

`target.py` is the target, `session.py` one user's way to the items over a connection of its own,
`requests.py` what is sent, `errors.py` what the answers mean.
An account is an item of three attributes: `id` (a number, or a UUID as text), `balance` and
`version`, which goes up by one with every change.
"""
