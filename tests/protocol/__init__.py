"""An explicit-state explorer of the ledger protocol: no database, every interleaving within small bounds.

Two or three processes, two or three messages that the platform may deliver again, and a kill -9, a SIGSTOP
past the lease, a lost reply to a commit or a drain anywhere. How to read it:

1. rules.py: the protocol's rules, each with the reason why it is there, each a switch;
2. model.py: what a state is, and what is left out;
3. accept.py, lane.py, ownership.py, outbox.py, direct.py over memory.py, kept.py, faults.py: who may do what next. One
   function per transaction or reply, with the SQL's decisions in it and the switches where a rule decides;
4. properties.py: the promises, checked on what a step did, without knowledge of the rules;
5. scenarios.py: the small worlds; explorer.py: the search; trace.py: its finding as a story;
6. test_explorer.py: the protocol holds in every world, and without any single rule it does not.

`make test` visits every state of the small worlds, and shows that every rule is needed; `make test-all` visits the
large ones too: more faults at once, redeliveries beside them, more processes.

The protocol of jobs is before the same search in jobs/.

When the ledger's SQL changes, the model changes first. To see what a rule protects from::

    python -m tests.protocol settle_reads_locked_row
"""
