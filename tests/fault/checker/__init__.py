"""The checker of faults: what clients were told and given, held against the ledger, while everything breaks.

    history.py   what was done and seen, as plain data: the clients' own records, and the ledger's lines
    checks.py    what must be true of it: one function a promise, which yields a sentence for each breach
    faults.py    what is broken, when: a plan drawn from a seed, and who carries it out
    proxy.py     what stands on the wires, and cuts them at a given byte
    parties.py   who uses the service meanwhile: booking systems, apps, an administrator, an auditor
    run.py       a whole run: put up, break, mend, wait until nothing is owed, gather, check

`tests/fault/check --help` runs it for as long as one likes. A seed gives the same plan of faults and the same decisions of each
party again; how their threads and the machine's processes interleave is not in anybody's hand.
"""
