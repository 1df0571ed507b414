/* The protocol of docs/protocol.md as a model for Spin; docs/model.md says what it leaves out and how to run it.
 * Numbers in comments are the sections of the page.
 *
 * One step of the model has one access to what other threads change: a load, a store, a CAS, or a section under
 * the spin lock of a fat record, during which the others cannot use that record. What is in an atomic beside it
 * is the thread's own. test_model.py gives NT threads, NR records and PROGRAMS; BREAK_<rule> leaves a rule out.
 */

#define NONE 255

/* ---- 2: modes, and what is granted beside what */
#define R 1
#define U 2
#define A 3
#define W 4
#define X 5
#define WRITES(mode) ((mode) >= W)
#define CHANGES(mode) ((mode) >= A)
#define COVERS(has, wants) (WRITES(has) || (has) == (wants) || ((has) == U && (wants) == R))
#define JOINED(has, wants) ((has) != 0 && ((has) == A) != ((wants) == A) -> W : (wants))
#ifdef BREAK_TABLE
#define BESIDE_U(has) ((has) == R || (has) == U)
#else
#define BESIDE_U(has) ((has) == R)
#endif
#define COMPATIBLE(wants, has) \
  (((wants) == R && ((has) == R || (has) == U)) || ((wants) == U && BESIDE_U(has)) || ((wants) == A && (has) == A))
/* The table of the page once more, for what is asserted. */
#define MAY_COEXIST(a, b) \
  ((a) == 0 || (b) == 0 || ((a) == R && (b) <= U) || ((a) == U && (b) == R) || ((a) == A && (b) == A))

/* ---- 1: the status. Generations are not counted: each reference to an attempt knows whether it is the thread's
 * current one. begin() makes the references to the thread's earlier attempts stale. */
#define IDLE 0
#define ACTIVE 1
#define DOOMED 2
#define IRREVOCABLE 3
#define COMMITTED 4
byte state[NT];
#define ENDS_BY_ITSELF(s) ((s) == IDLE || (s) == DOOMED || (s) == COMMITTED)

/* 3: ages, as ranks: 0 for none, 1 for the oldest. */
byte age[NT];
#define OLDER(a, b) (age[a] != 0 && (age[b] == 0 || age[a] < age[b]))

/* References to attempts, by whose they are: whom the last refusal named, and the holders in a senior's way. */
byte by[NT] = NONE;
bit by_is_current[NT];
byte excluders[NT];

/* ---- 2: records: the holders' modes, a pending claim, the watched bit */
byte held[NR * NT];
#define HELD(r, t) held[(r)*NT + (t)]
byte claimed_by[NR] = NONE;
bit claim_is_current[NR];
#define CLAIM_IS_PENDING(r) (claimed_by[r] != NONE && claim_is_current[r] && state[claimed_by[r]] != IDLE)
bit watched[NR];

/* ---- 4: parking. The list of waiters and its length are one here: whoever ends looks at both, whoever waits
 * changes both before and behind its recheck. */
bit token[NT];
byte waiters[NT];

/* ---- 8: the watchers' table; 10: the token */
byte watchers[NR];
bit woken[NT];
byte irrevocable_token = NONE;

#ifdef VALUES
bit value[NR]; /* a write turns it over */
#endif

/* ---- What a call does: one or two accesses (first_r in first_m, then second_r in second_m unless that is 0). */
#define ORDINARY 0
#define CANDIDATE 1 /* asks to be irrevocable */
#define RETRIES 2   /* until value[0] is its own number's parity */
#define STORES 3    /* outside (12): without an attempt where the record is free */

#define ONE_RECORD 1
#define TWO_RECORDS 2
#define EVERY_MODE 3
#define PAIRS 4
#define IRREVOCABLES 5
#define TAKING_TURNS 6
#define STORED_OUTSIDE 7
#define CROSSING 8
#define UPGRADES 9
#define WRITERS 10

#if PROGRAMS == ONE_RECORD /* reads, updates, writes, and both upgrades */
#define KINDS 5
#define PROGRAM(p) \
  first_r = 0; second_r = 0; \
  first_m = (p == 0 || p == 3 -> R : (p == 2 -> W : U)); second_m = (p < 3 -> 0 : W)
#elif PROGRAMS == TWO_RECORDS /* in both orders, reading and writing */
#define KINDS 8
#define PROGRAM(p) \
  first_r = p & 1; second_r = 1 - first_r; first_m = ((p & 2) -> W : R); second_m = ((p & 4) -> W : R)
#elif PROGRAMS == CROSSING /* writers that meet in opposite orders */
#define KINDS 2
#define PROGRAM(p) \
  first_r = me & 1; second_r = 1 - first_r; first_m = (p == 0 -> W : R); second_m = W
#elif PROGRAMS == UPGRADES /* readers that write afterwards, and writers */
#define KINDS 2
#define PROGRAM(p) first_r = 0; second_r = 0; first_m = (p == 0 -> R : W); second_m = (p == 0 -> W : 0)
#elif PROGRAMS == WRITERS
#define KINDS 1
#define PROGRAM(p) first_r = 0; second_r = 0; first_m = W; second_m = 0
#elif PROGRAMS == EVERY_MODE /* on one record, with changes that commute and exclusive reads */
#define KINDS 7
#define PROGRAM(p) \
  first_r = 0; second_r = 0; first_m = (p == 0 -> R : (p == 1 -> U : (p == 2 -> W : (p == 3 -> X : A)))); \
  second_m = (p == 5 -> R : (p == 6 -> A : (p == 0 -> A : 0)))
#elif PROGRAMS == PAIRS /* writers and readers of both records */
#define KINDS 6
#define PROGRAM(p) \
  first_r = p & 1; second_r = 1 - first_r; first_m = (p < 2 -> R : (p < 4 -> W : X)); second_m = first_m
#elif PROGRAMS == IRREVOCABLES
#define KINDS 6
#define PROGRAM(p) \
  first_r = p & 1; second_r = 1 - first_r; first_m = (p < 2 -> R : W); second_m = W; \
  kind = (p >= 4 -> CANDIDATE : ORDINARY)
#elif PROGRAMS == TAKING_TURNS /* each waits for the other's write */
#define KINDS 1
#define PROGRAM(p) first_r = 0; second_r = 0; first_m = R; second_m = W; kind = RETRIES
#elif PROGRAMS == STORED_OUTSIDE /* one waits for what the others write, outside too */
#define KINDS 2
#define PROGRAM(p) \
  first_r = 0; second_r = 0; first_m = (me == 0 -> R : W); second_m = (me == 0 -> W : 0); \
  kind = (me == 0 -> RETRIES : (p == 0 -> STORES : ORDINARY))
#endif

inline all_references_go_stale() {
  for (i : 0 .. NT - 1) {
    by_is_current[i] = by_is_current[i] && by[i] != me;
#ifndef BREAK_GENERATION
    excluders[i] = excluders[i] & ~(1 << me)
#endif
  }
  for (i : 0 .. NR - 1) { claim_is_current[i] = claim_is_current[i] && claimed_by[i] != me }
  i = 0
}

inline draw_age() {
  d_step {
    o = 0;
    for (i : 0 .. NT - 1) { o = (age[i] > o -> age[i] : o) }
    age[me] = (age[me] == 0 -> o + 1 : age[me]);
    i = 0; o = 0
  }
}

inline forget_age() {
  d_step {
    for (i : 0 .. NT - 1) { age[i] = (age[me] != 0 && age[i] > age[me] -> age[i] - 1 : age[i]) }
    age[me] = 0;
    i = 0
  }
}

/* ---- 2: a request, by one CAS on a thin record or under a fat one's lock */
#define EXCLUDES(t) ((t) < NT && (t) != me && HELD(r, t) != 0 && !COMPATIBLE(m, HELD(r, t)))
#ifdef BREAK_CLAIM_IGNORED
#define HELD_BACK 0
#else
#define HELD_BACK (HELD(r, me) == 0 && CLAIM_IS_PENDING(r) && claimed_by[r] != me && !OLDER(me, claimed_by[r]))
#endif
#if NR > 1
#define HOLDS_NOTHING (HELD(0, me) == 0 && HELD(1, me) == 0)
#else
#define HOLDS_NOTHING (HELD(0, me) == 0)
#endif

inline refuse(whom) {
  refused = 1;
  by[me] = (state[whom] != IDLE -> whom : NONE);
  by_is_current[me] = (state[whom] != IDLE)
}

inline request() {
  refused = 0; by_claim = 0; by[me] = NONE; by_is_current[me] = 0;
  if
  :: HELD(r, me) != 0 && COVERS(HELD(r, me), m)
  :: else ->
    m = JOINED(HELD(r, me), m);
    if
    :: HELD_BACK -> by_claim = 1; refuse(claimed_by[r])
    :: !HELD_BACK && EXCLUDES(0) -> refuse(0)
    :: !HELD_BACK && EXCLUDES(1) -> refuse(1)
#if NT > 2
    :: !HELD_BACK && EXCLUDES(2) -> refuse(2)
#endif
    :: !HELD_BACK && !EXCLUDES(0) && !EXCLUDES(1) && !EXCLUDES(NT - 1) -> HELD(r, me) = m
    fi
  fi;
  for (i : 0 .. NT - 1) { assert(i == me || MAY_COEXIST(HELD(r, me), HELD(r, i))) }
  i = 0
}

/* ---- 2: claims, under the lock. The displaced one is told behind it. */
#define SET 1
#define TAKEN 2
#define SET_ON_A_FREE_RECORD 3
inline set_claim() {
  d_step {
    o = NONE;
    answer = SET_ON_A_FREE_RECORD;
    for (i : 0 .. NT - 1) { answer = (HELD(r, i) != 0 -> SET : answer) }
    i = 0;
    if
#ifdef BREAK_CLAIM_ONLY_WHERE_HELD
    :: answer == SET_ON_A_FREE_RECORD
#else
    :: 0
#endif
    :: else ->
      if
      :: CLAIM_IS_PENDING(r) && claimed_by[r] != me && !OLDER(me, claimed_by[r]) -> answer = TAKEN
      :: else ->
        o = (CLAIM_IS_PENDING(r) && claimed_by[r] != me -> claimed_by[r] : NONE);
        claimed_by[r] = me; claim_is_current[r] = 1; claimed = r
      fi
    fi
  }
  if
  :: o != NONE -> token[o] = 1; o = 0
  :: else -> o = 0
  fi
}

inline drop_claim() {
  if
  :: claimed != NONE ->
    d_step {
      claimed_by[claimed] = (claimed_by[claimed] == me -> NONE : claimed_by[claimed]);
      claimed = NONE
    }
  :: else
  fi
}

inline doom_self() {
  state[me] = (state[me] == ACTIVE || state[me] == IRREVOCABLE -> DOOMED : state[me])
}

/* ---- 3, rule 3: of several holders none is doomed unless all can be: younger, and not irrevocable. The status is
 * looked at before the age. */
inline look_whether_all_can_be_doomed() {
  possible = 1;
  do
  :: atomic {
      o < NT ->
      seen = ((excluders[me] & (1 << o)) -> state[o] : IDLE);
      if
      :: ENDS_BY_ITSELF(seen) -> o++
      :: else
      fi
    }
    if
    :: ENDS_BY_ITSELF(seen)
    :: else -> atomic { possible = possible && seen == ACTIVE && OLDER(me, o); o++ }
    fi
  :: else -> break
  od;
  o = 0; seen = 0
}

/* One CAS each: of status and generation. */
inline doom_others() {
  do
  :: d_step {
      o < NT && possible ->
      told = 0;
      if
      :: !(excluders[me] & (1 << o))
      :: else ->
        if
        :: state[o] == ACTIVE -> assert(EXCLUDES(o)); state[o] = DOOMED; told = 1
#ifdef BREAK_DOOM_BY_STORE
        :: state[o] == COMMITTED -> state[o] = DOOMED; told = 1
#endif
        :: else -> possible = ENDS_BY_ITSELF(state[o])
        fi
      fi;
      o++
    }
    if
    :: told -> token[o - 1] = 1; told = 0
    :: else -> told = 0
    fi
  :: else -> break
  od;
  o = 0
}

/* ---- 6, 8: the releasing step takes the watched bit where something was changed; then the table is looked up. */
inline release() {
  do
  :: r < NR ->
    d_step {
      told = committed && CHANGES(HELD(r, me)) && watched[r];
#ifdef BREAK_ABORT_TAKES_BIT
      watched[r] = watched[r] && (committed || HELD(r, me) == 0);
#endif
#ifndef BREAK_BIT_TAKEN_LATE
      watched[r] = watched[r] && !told;
#endif
      HELD(r, me) = 0;
      r = r + 1;
      r = (r < NR && HELD(r, me) == 0 -> r + 1 : r)
    }
    if
    :: told ->
      d_step {
        o = 0;
#if NR > 1
        assert(0); /* retry is modelled with one record */
#endif
        for (i : 0 .. NT - 1) {
          if
          :: (watchers[0] & (1 << i)) && !woken[i] -> woken[i] = 1; to_wake = to_wake | (1 << i)
          :: else
          fi
        }
        i = 0; told = 0
      }
#ifdef BREAK_BIT_TAKEN_LATE
      watched[0] = 0
#endif
    :: else
    fi
  :: else -> break
  od;
  r = 0
}

inline wake_waiters() {
  if
  :: waiters[me] != 0 ->
    d_step {
      for (i : 0 .. NT - 1) { token[i] = ((waiters[me] & (1 << i)) -> 1 : token[i]) }
      i = 0
    }
  :: else
  fi
}

inline become_idle() {
  d_step { assert(state[me] == (committed -> COMMITTED : DOOMED)); state[me] = IDLE }
}

/* ---- 1, 5, 6: everything released, IDLE, then all who wait for that are woken, then the watchers. */
inline end_attempt() {
  drop_claim();
  r = (HELD(0, me) == 0 -> 1 : 0);
#ifdef BREAK_WAKE_BEFORE_IDLE
  release();
  wake_waiters();
  become_idle();
#else
  release();
  become_idle();
  wake_waiters();
#endif
  do
  :: to_wake ->
    if
    :: to_wake & (1 << o) -> token[o] = 1; to_wake = to_wake & ~(1 << o)
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0
}

proctype Thread(byte me; byte p) {
  byte kind, first_r, first_m, second_r, second_m; /* of the call */
  byte promoted;                                   /* of the call: records on which an upgrade has failed */
  byte calls;
  byte at, wrote;                                  /* of the attempt: the access that is made, what is written */
  bit committed, waits_afterwards;
  byte claimed = NONE;                             /* the record on which it has set its claim */
  byte r, m, refusals, answer;                     /* of the request */
  bit refused, by_claim, possible, told;
  byte claim_before;                               /* of the wait */
  bit in_place;
  byte seen, i, o, to_wake;

call:
  atomic {
#ifndef CALLS
    select(p : 0 .. KINDS - 1);
#endif
    PROGRAM(p);
    p = 0;
    if
    :: kind == STORES -> goto store
    :: kind == CANDIDATE -> goto candidate
    :: else -> goto attempt
    fi
  }

candidate: /* 10: holds nothing, draws its age when it asks, gets the token once no call in progress is older */
  draw_age();
#ifdef BREAK_TOKEN_FIRST
  atomic { irrevocable_token == NONE -> irrevocable_token = me }
#endif
#ifndef BREAK_CANDIDATE_NOT_OLDEST
  !(OLDER(0, me) || OLDER(1, me) || OLDER(NT - 1, me)); /* stays so */
#endif
#ifndef BREAK_TOKEN_FIRST
  atomic { irrevocable_token == NONE -> irrevocable_token = me }
#endif

attempt: /* 1: IDLE to ACTIVE, in a new generation */
  atomic {
    all_references_go_stale();
    assert(state[me] == IDLE);
    state[me] = ACTIVE;
    at = 0; wrote = 0; committed = 0; refusals = 0; by[me] = NONE; by_is_current[me] = 0;
    r = first_r;
    if
    :: kind == CANDIDATE
    :: else -> goto barrier
    fi
  }
  atomic { assert(state[me] == ACTIVE); state[me] = IRREVOCABLE }

barrier: /* 5: a doomed attempt notices here */
  atomic {
    if
    :: state[me] == DOOMED -> goto abort
    :: else
    fi;
    m = (at == 0 -> first_m : second_m);
    m = ((promoted & (1 << r)) && first_m != X -> W : m);
    if
    :: claimed == NONE || claimed == r -> goto ask
    :: else
    fi
  }
  drop_claim();

ask:
  atomic {
    request();
    if
    :: !refused && claimed == NONE -> goto granted
    :: !refused && claimed != NONE -> goto granted_by_claim
    :: refused && first_m == X && by[me] == NONE -> refused = 0; goto barrier
    :: refused && first_m == X && by[me] != NONE -> goto give_up /* 3: to the letter */
    :: else ->
      refused = 0;
      refusals = (refusals < 3 && (HOLDS_NOTHING || by[me] == NONE) -> refusals + 1 : refusals);
      if
#ifdef BREAK_NO_AGE_ON_SECOND_REFUSAL
      :: 0
#elif defined(BREAK_NO_AGE_WHERE_SOMETHING_IS_HELD)
      :: refusals == 2 && HOLDS_NOTHING -> refusals = 3; goto second_refusal
#else
      :: refusals == 2 && (HOLDS_NOTHING || by[me] == NONE) -> refusals = 3; goto second_refusal
#endif
      :: else ->
        if
        :: by[me] == NONE -> by_claim = 0; goto barrier
        :: by[me] != NONE && HOLDS_NOTHING && by_claim -> by_claim = 0; goto displaced
        :: by[me] != NONE && HOLDS_NOTHING && !by_claim && (WRITES(m) || age[me] != 0) -> goto claim
        :: by[me] != NONE && HOLDS_NOTHING && !by_claim && !(WRITES(m) || age[me] != 0) -> goto wait_in_place
        :: by[me] != NONE && !HOLDS_NOTHING && by_claim -> goto give_up
        :: by[me] != NONE && !HOLDS_NOTHING && !by_claim && age[me] != 0 -> goto senior
        :: by[me] != NONE && !HOLDS_NOTHING && !by_claim && age[me] == 0 -> goto younger_than_all
        fi
      fi
    fi
  }

second_refusal: /* 3, rule 1: draws its age, looks again before anything else */
  by_claim = 0;
  draw_age();
  goto barrier;

displaced: /* 2: who has lost its claim to an older one waits for that one */
  drop_claim();
  goto wait_in_place;

claim: /* 3, rule 1: holds nothing, waits in place */
  set_claim();
  if
  :: answer == SET -> answer = 0; goto wait_in_place
  :: else -> answer = 0; goto barrier
  fi;

younger_than_all: /* 3, rule 3: anyone may wait in place for who never waits itself */
  if
#ifdef BREAK_JUNIOR_WAITS
  :: true -> goto wait_in_place
#endif
  :: !by_is_current[me] || ENDS_BY_ITSELF(state[by[me]]) ->
    refusals = (refusals < 3 -> refusals + 1 : 3);
    if
#if !defined(BREAK_NO_AGE_ON_SECOND_REFUSAL) && !defined(BREAK_NO_AGE_WHERE_SOMETHING_IS_HELD)
    :: refusals == 2 -> refusals = 3; goto second_refusal
#endif
    :: else -> goto wait_in_place
    fi
  :: else -> goto give_up
  fi;

senior: /* 3, rule 3 */
#ifdef BREAK_CLAIM_BEHIND_THE_SPIN
  if
  :: !by_is_current[me] -> goto barrier
  :: else
  fi;
#endif
  set_claim();
  if
  :: answer == SET_ON_A_FREE_RECORD -> answer = 0; goto barrier
  :: answer == TAKEN -> answer = 0; goto give_up
  :: answer == SET -> answer = 0
  fi;
  atomic {
    for (i : 0 .. NT - 1) {
      excluders[me] = (EXCLUDES(i) && state[i] != IDLE -> excluders[me] | (1 << i) : excluders[me])
    }
    i = 0
  }
  look_whether_all_can_be_doomed();
  doom_others();
  atomic {
    excluders[me] = 0;
    if
    :: possible -> possible = 0; goto wait_in_place
    :: else -> goto give_up
    fi
  }

wait_in_place: /* 4: registers, rechecks, sleeps. What it looks at would wake it from here on, so it is one look. */
  in_place = 1; claim_before = claimed;
wait:
  atomic { token[me] = 0; waiters[by[me]] = waiters[by[me]] | (1 << me) }
  atomic {
    if
#ifndef BREAK_NO_RECHECK
    :: !by_is_current[me] || state[by[me]] == IDLE -> seen = 1
#endif
    :: else ->
      if
      :: in_place && claim_before != NONE && claimed_by[claim_before] != me -> seen = 1
      :: else ->
        if
        :: in_place && state[me] == DOOMED -> seen = 2
        :: else -> seen = 0
        fi
      fi
    fi;
    if
    :: seen -> goto waited
    :: else
    fi
  }
  if
  :: atomic { token[me] -> token[me] = 0 }
#ifdef SIGNALS
  :: seen = 3; goto waited /* a signal handler raises, or a deadline has come */
#endif
  fi;
  waiters[by[me]] = waiters[by[me]] & ~(1 << me);
  goto wait;
waited:
  atomic {
    waiters[by[me]] = waiters[by[me]] & ~(1 << me);
    claim_before = 0;
    if
    :: seen == 3 && in_place -> goto raised
    :: seen == 3 && !in_place -> seen = 0; goto call_ended
    :: seen != 3 && !in_place -> seen = 0; by[me] = NONE; by_is_current[me] = 0; goto attempt
    :: seen == 1 && in_place -> seen = 0; in_place = 0; goto barrier
    :: seen == 2 && in_place -> seen = 0; in_place = 0; goto abort
    fi
  }
raised:
  seen = 0; in_place = 0;
  doom_self();
  end_attempt();
  goto call_ended;

give_up: /* 3, rule 4 */
  atomic {
    assert(state[me] != IRREVOCABLE);
    /* 3: no older call is aborted for an irrevocable one */
    assert(!by_is_current[me] || state[by[me]] != IRREVOCABLE || !OLDER(me, by[me]));
    refused = 0; by_claim = 0; possible = 0; waits_afterwards = 1;
    promoted = (HELD(r, me) != 0 -> promoted | (1 << r) : promoted);
    if
    :: age[me] != 0 -> goto doomed_by_self
    :: else
    fi
  }
  draw_age();
doomed_by_self:
  doom_self();

abort: /* 5: replay, release, IDLE, wake, then wait where it has doomed itself */
  assert(kind != CANDIDATE);
#ifdef VALUES
#ifdef BREAK_RELEASE_BEFORE_REPLAY
  i = wrote;
#else
  if
  :: wrote & 1 -> value[0] = !value[0]
  :: else
  fi;
#if NR > 1
  if
  :: wrote & 2 -> value[1] = !value[1]
  :: else
  fi;
#endif
#endif
  wrote = 0;
#endif
  if
  :: age[me] == 0 -> draw_age()
  :: else
  fi;
#ifdef BREAK_RELEASE_BEFORE_REPLAY
  o = i; i = 0; r = (HELD(0, me) == 0 -> 1 : 0); release();
  if
  :: o & 1 -> value[0] = !value[0]
  :: else
  fi;
  if
  :: o & 2 -> value[1] = !value[1]
  :: else
  fi;
  o = 0;
#endif
  end_attempt();
  atomic {
    m = 0; refusals = 0;
    if
    :: waits_afterwards && by[me] != NONE -> waits_afterwards = 0; in_place = 0; claim_before = NONE; goto wait
    :: else -> waits_afterwards = 0; goto attempt
    fi
  }

granted_by_claim:
  drop_claim(); /* 2: when granted */
granted:
#ifdef VALUES
  atomic {
    if
    :: WRITES((at == 0 -> first_m : second_m)) && !(wrote & (1 << r)) ->
      value[r] = !value[r]; wrote = wrote | (1 << r)
    :: else
    fi;
#if PROGRAMS == PAIRS
    /* opacity: who has both, sees what was together, in a doomed attempt too */
    assert(at == 0 || value[0] == value[1]);
#endif
    if
    :: kind == RETRIES && at == 0 && value[0] != (me & 1) -> goto retry
    :: else
    fi
  }
#endif
  atomic {
    refusals = 0;
    m = 0;
    if
    :: at == 0 && second_m != 0 -> at = 1; r = second_r; goto barrier
    :: else -> goto commit
    fi
  }

commit: /* 6: one CAS, and nothing else, is the commit point */
  atomic {
    if
    :: state[me] == ACTIVE || state[me] == IRREVOCABLE -> state[me] = COMMITTED; committed = 1
    :: else -> goto abort
    fi
  }
  end_attempt();
  if
  :: me == 0 -> progress: skip
  :: else
  fi;

call_ended:
  if
  :: irrevocable_token == me -> irrevocable_token = NONE
  :: else
  fi;
  if
  :: age[me] != 0 -> forget_age()
  :: else
  fi;
  atomic {
    promoted = 0; by[me] = NONE; by_is_current[me] = 0; committed = 0; kind = ORDINARY; r = 0; m = 0; at = 0; wrote = 0;
    refusals = 0; waits_afterwards = 0
  }
#ifdef CALLS
  goto done;
#else
  goto call;
#endif

retry: /* 8: enters the table and sets the bit while it holds R; reverts, releases, sleeps */
  doom_self();
  m = 0; refusals = 0;
#ifndef BREAK_WATCHES_AFTER_RELEASE
  atomic { woken[me] = 0; watchers[0] = watchers[0] | (1 << me) }
  watched[0] = 1;
#endif
  end_attempt();
#ifdef BREAK_WATCHES_AFTER_RELEASE
  atomic { woken[me] = 0; watchers[0] = watchers[0] | (1 << me) }
  watched[0] = 1;
#endif
  forget_age();
asleep:
  token[me] = 0;
#ifndef BREAK_WAKE_UP_NOT_KEPT
  if
  :: woken[me] -> goto awake
  :: else
  fi;
#endif
  atomic { token[me] -> token[me] = 0 }
#ifndef BREAK_WAKE_UP_NOT_KEPT
  goto asleep;
#endif
awake:
  watchers[0] = watchers[0] & ~(1 << me);
  goto attempt;

store: /* 9, 12 */
#ifdef VALUES
  atomic {
    if
    :: HELD(0, 0) == 0 && HELD(0, 1) == 0 && HELD(0, NT - 1) == 0 && !CLAIM_IS_PENDING(0) && !watched[0] ->
      HELD(0, me) = W
    :: else -> kind = ORDINARY; goto attempt /* an attempt of one W */
    fi
  }
  value[0] = !value[0];
  committed = 1; r = 0;
  release();
  do
  :: to_wake ->
    if
    :: to_wake & (1 << o) -> token[o] = 1; to_wake = to_wake & ~(1 << o)
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0;
#endif
  goto call_ended;

done:
  skip
}

init {
  atomic {
    byte t, p;
    for (t : 0 .. NT - 1) {
#ifdef CALLS
      /* threads are alike: it is enough to try each set of programs once */
      do
      :: p < KINDS - 1 -> p++
      :: break
      od;
#endif
      run Thread(t, p)
    }
  }
}
