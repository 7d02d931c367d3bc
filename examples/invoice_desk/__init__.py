"""An accounts-payable desk: an inbox of files becomes postings in a ledger, questions for a person, and a summary."""
