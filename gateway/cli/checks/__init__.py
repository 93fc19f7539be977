"""What ``switchboard doctor`` looks at: a file for each group, a function for each check.

A check yields one finding for each thing that it looked at.  To add one, write its function and name it in the list of
its group; to add a group, write its file and name it in ``GROUPS``.
"""
