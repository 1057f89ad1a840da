"""The stress program: threads x loops x cancels x closes x overflow policies, and a ledger beside it.

    make stress MINUTES=10 SEED=7
    python -m tests.stress.program --seed 7 --round 41 --rounds 1     # one round again

Contract:
- A run is a row of rounds; each is one medium from its making to its end. What a round is made of (mailboxes,
  orders, policies, loops, the end) and what each actor tries next comes from generators named after the seed,
  the round and the actor.
- What is the same for the same seed: the plan of each round, and the choices of each actor in their order. What
  is not: how threads and loops interleave, when a timeout strikes, when the collector runs, and so what an
  actor finds when it makes its next choice.
- Publishers note each receipt, readers each wave, at once and without a lock. From that the ledger knows what
  every mailbox must have got, exactly where nothing was closed or detuned meanwhile, and within the bounds of
  that moment otherwise.
- Checked while it runs: counters never go back, `received` is what readers hold, what receipts say is in the
  sums. Checked whenever publishers pause, and at the end: for each vibrator entered = received + waiting +
  dropped by reason; the sums of all receipts; nothing twice, nothing lost, nothing uninvited; the order. After
  each round: no payload, medium or thread is left over, and memory is flat over the rounds.
- The first broken promise ends the program with status 1, the seed, the round and the evidence. If nothing moves
  for 60 seconds, the evidence is every thread's stack and what the medium says of itself.
"""
