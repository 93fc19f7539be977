"""Jobs as those see them who ask for them: written to the ledger, read back, waited for.

Who runs them is ``workers/``, which the gateway knows nothing of; what lies between is the ledger.
"""
