/* protocol.pml: model of the deployment-control protocol of design.md, section 3 (Lease, Fencing, Undo, Keep previous)
 *
 * RUN      ./scripts/model check | all  the variants of docs/model/variants
 *          one by hand:  spin -DN_D2=1 -DN_RB=1 -a protocol.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=5000 -o pan pan.c && ./pan -m2000000
 *          a counter-example as text:   ./scripts/model trace -DNO_FENCE -DN_AB=1
 *
 * TWO SYSTEMS; NO STEP IS ATOMIC ACROSS BOTH
 *   PostgreSQL   lease row {epoch, held}, the active deployment {job, step, intent}, a pending clean-up {step, intent}, gate rows.
 *                Every block marked "tx" is one transaction.
 *   Kubernetes   object 0 = production Service {selector}, 1 = workload blue, 2 = workload green {version, replicas 0|N}, each with rv, op, epoch.
 *   Worker       tx (store result, choose step, commit intent)  ->  GET  ->  lease check (tx) + send  ->  ... the write lands any time later ...  ->  reply
 *                A write in flight (a "slot") survives the time-out, the crash and the loss of lease of its sender, and lands when it likes.
 *
 * ABSTRACTIONS (each keeps or widens the set of behaviours, unless noted)
 *   rv      "my rv is still the object's" is a bit, cleared in every worker and slot when any write to that object lands.
 *   epoch   "my epoch is the database's" is a bit, cleared when the epoch is incremented. Numbers exist only with EPOCH (policy, or client-side compare).
 *   op      (job, step). A retry of one intent reuses its op; another job or step never has the same. Every op is in the journal.
 *   N pods  replicas is 0 or N, N pods are ready at once (NEW_DEAD: the new color has crashed, law 2's "0:0").
 *   stall   is simply not being scheduled; expiry frees the lease without telling the holder. Crash = forget everything, in-flight write stays.
 *   lost    reply lost or request late: one action (time-out), bounded by TMO.
 *
 * JOBS  op = job*8+step        1 deploy D1 (v2)   2 undo of D1   3 deploy D2 (v3)   4 undo of D2   5,7 rollback R1, R2   6 clean-up C
 *   deploy    1 seize Service  2 seize target  3 apply (version, replicas)  4 GATE + switch  5 observe, succeed, create C
 *   undo      1 write Service (selector=from): abort is confirmed  (4 of a lost past: mark the target)  2 scale target to what it had  3 end
 *   rollback  1 seize the color returned to  5 seize Service, 2 scale up / restore template, if needed  3 write Service: confirmed
 *             (6 of a lost past: mark the other color)  4 end
 *   clean-up  1 seize Service  2 seize workload  3 observe selector, scale to 0  4 end
 *
 * SCENARIO        N_AB aborts (0,1)  N_RB rollbacks (0..2)  N_D2 second deployment, may be queued at any time  N_WD sign-off withdrawals
 * PROPERTIES      P1 one forward switch per promotion   P2 after a confirmed abort or rollback no older promotion moves traffic   P3 never 0 replicas behind the Service
 *                 P4 what serves was approved (served before, or its cut-over was committed with open gates)   P5 succeeded: the target serves the new version
 *                 P6 clean-up never scales what serves   P7 withdrawn before the cut-over: no switch   P8 "effective: false" was true   P9 a rollback that ended
 *                 serves its target   P10 (STRAY) no apply lands after failed/aborted   P11 at rest: nothing active, rows = cluster, no deadlock
 *                 P14 (LOST) after an abort or a rollback of history-lost no deployment meets a write that it does not know.
 *                 P12 (TOGGLE) a second rollback click, or one after an abort, moves nothing.   P3, P4, P6 are relaxed while a LAW2 rollback is active.
 * NOT MODELLED    other hands (kubectl, HPA, GitOps), readiness and partial roll-outs, canary/rolling, the 30 s and keep_previous clocks, DELETE,
 *                 the watch cache; liveness only as P11.
 * BOUNDS          W workers, K writes in flight, CRASH, EXP (lease expiries beyond those caused by crashes), TMO (lost replies + late writes)
 * KNOWN WRONG     NO_FENCE ABORT_SKIP ABORT_DB WL_UNFENCED WL_NOT_SEIZED LATE_READ(+EPOCH: right) CLEAN_NO_RECHECK RB_NO_EPOCH NOOP_SEIZE SEIZE_PER_EPOCH(+EPOCH; wrong with APPLY_SKIP)
 *                 GATE_SKEW FAIL_NO_WRITE(+GATE_AGAIN +NO_P8) UNDO_SKIP
 * OTHER READINGS (design.md excludes them; README.md says why)   CLEAN_RESUME RB_PUTBY RB_NO_TEMPLATE TARGET_AT_REQUEST GATE_AGAIN ABORT_NO_BUMP RB_PUTBY_R FIRST -DFIRST_ON_SELECTED
 * OPTIONS         LAW2 (a rollback may move traffic before the workload is seized or scaled)  CLEAN_NO_SVC (clean-up does not seize the Service)
 *                 CLEAN_REASK (interrupted clean-up asks again, does not seize anew)  RB_NAMED (rollback of a named deployment)  EPOCH  TOGGLE (also check P12)  STRAY (also check that a final deployment leaves no live write)
 */
#ifndef W
#define W 2
#endif
#ifndef K
#define K 3
#endif
#ifndef CRASH
#define CRASH 1
#endif
#ifndef EXP
#define EXP 1
#endif
#ifndef TMO
#define TMO 1
#endif
#ifndef N_AB
#define N_AB 0
#endif
#ifndef N_RB
#define N_RB 0
#endif
#ifndef N_D2
#define N_D2 0
#endif
#ifndef V2
#define V2 3                     /* version of D2; 1 = a redeployment of v1 */
#endif
#ifndef N_WD
#define N_WD 0
#endif
#ifndef N_PA
#define N_PA 0                   /* pause and resume */
#endif
#ifndef N_ST
#define N_ST 0                   /* writes that are given up: a step fails, or what has no undo is stuck */
#endif
#ifndef N_TR
#define N_TR 0                   /* traffic by hand */
#endif
#ifndef IDLE_REPL
#define IDLE_REPL 0             /* replicas of green (v0) at the start */
#endif
#ifdef LOST                      /* a failover loses the last transactions: epochs are numbers then */
#ifndef EPOCH
#define EPOCH
#endif
#endif
#ifdef FIRST                     /* first deployment: no workload exists, selector = blue */
#ifdef FIRST_ON_SELECTED
#define T1 0                     /* excluded by api.md: the target is a color that the Service does not select */
#else
#define T1 1
#endif
#else
#define T1 1
#endif

/* ---------- Kubernetes ---------- */
bit  sel = 0;                    /* 0 blue, 1 green */
byte ver[2];                     /* 0 = v0, 1 = v1 ... ; 9 = no such workload (FIRST) */
bit  repl[2];
byte oop[3];                     /* op annotation */
#ifdef EPOCH
byte oep[3];                     /* epoch annotation */
#endif
/* writes in flight */
byte sop[K]; bit sfr[K]; byte sow[K];   /* op (0 = free slot), rv still current, 1 + worker waiting for the reply (0 = nobody) */
#ifdef EPOCH
byte sep[K];
#endif

/* ---------- PostgreSQL ---------- */
bit  leased = 0;
byte act = 1, stp = 1;  bit intent = 0;      /* active job, its step, intent committed? (D1 is created running) */
bit  cl = 0; byte cst = 1; bit cin = 0; bit ct = 0; byte chash = 0;   /* clean-up: pending, step, intent, color, template hash */
byte out1 = 1, out2 = 0;                     /* 0 not started 1 active 3 succeeded 4 aborted 5 rolled_back 6 failed */
bit  serv = 0; byte sver = 1; byte putby = 0;/* what serves according to the rows; who put it there: 0 = D0, 1 D1, 3 D2, 5 rollback */
bit  t2 = 0, f2 = 0; byte f2v = 0; bit q2 = 0;      /* D2: target, from (color, version), queued */
bit  lastR = 0; bit lf = 0; byte lfv = 1;    /* `from` of the deployment that was active last; was that a rollback */
bit  rt = 0; byte rver = 0; byte nrb = 0;    /* rollback: color, version, how many */
bit  l2 = 0;                                 /* this rollback moved traffic first (law 2) */
bit  applied = 0, rec = 0;                   /* apply has a recorded intent; replicas at resolve */
bit  gate[2];                                /* sign-off of D1, D2 */
bit  fgate = 0;                              /* undo is because of a gate, or of a step that failed */
bit  gen = 0;                                /* of the ops: what is begun anew has fresh ones */
bit  held = 0;                               /* this rollback has seized the Service before it changes a workload */
bit  pz = 0, pau = 0, stk = 0;               /* pause asked for; paused; stuck */
bit  tt = 0; bit tf = 0; byte tver = 0;      /* traffic: to this color, from that one, the version found there */
#ifdef EPOCH
byte epoch = 0;
#endif
#ifdef LOST                      /* the journal: steps of a job with an intent; and what the surviving replica of PostgreSQL has */
byte jrn[9]; bit hist = 0, fo = 0, adopt = 0, taken = 0;   /* this undo takes a lost past over; one has */
byte z_act = 1, z_stp = 1, z_cst = 1, z_chash, z_out1 = 1, z_sver = 1, z_putby, z_epoch, z_jrn[9];
bit z_intent, z_cl, z_cin, z_ct, z_serv, z_applied, z_rec, z_fgate, z_stk;
#define JOURNAL(op)  jrn[J(op)] = jrn[J(op)] | (1<<S(op))
#define KNOWN(op)    ((op)==0 || ((op)>>7)==1 || (jrn[J(op)] & (1<<S(op))))
#define LOSTHIST(o,me) (!(isA(J(wop[me])) || isR(J(wop[me]))) && (!KNOWN(oop[o]) || oep[o]>wep[me]))
#else
#define JOURNAL(op)  skip
#endif

/* ---------- workers (what the API server's reply must reach) ---------- */
bit  wcur[W]; bit wfr[W]; byte wop[W]; byte wres[W];
#ifdef EPOCH
byte wep[W];
#endif

/* ---------- bounds and observers of the properties ---------- */
byte crashes = 0, exps = 0, tmos = 0, refusals = 0;
byte fwd[2];                                 /* forward switches landed, per promotion */
bit  confirmed[2];                           /* an abort or rollback of this promotion was confirmed to its caller */
bit  cut[2];                                 /* cut-over committed */
byte fwdt = 0; bit cutt = 0, confirmedt = 0; /* the same of traffic */
byte weff[2];                                /* withdrawal answered 1 effective, 2 effective:false */
bit  appr[4];                                /* version may serve: it served before, or its cut-over was committed with open gates */

#ifdef TRACE                     /* readable counter-examples: scripts/model trace */
#define TR0(f)        printf(f)
#define TR1(f,a)      printf(f, a)
#define TR2(f,a,b)    printf(f, a, b)
#define TR3(f,a,b,c)  printf(f, a, b, c)
#define TR6(f,a,b,c,d,e,g) printf(f, a, b, c, d, e, g)
#else
#define TR0(f)        skip
#define TR1(f,a)      skip
#define TR2(f,a,b)    skip
#define TR3(f,a,b,c)  skip
#define TR6(f,a,b,c,d,e,g) skip
#endif

#define J(op)     (((op)>>3)&15)
#define S(op)     ((op)&7)
#define OP(j,s)   (gen*128+(j)*8+(s))
#define isD(j)    ((j)==1 || (j)==3)
#define isA(j)    ((j)==2 || (j)==4)
#define isR(j)    ((j)==5 || (j)==7)
#define isT(j)    ((j)==8)
#define D(j)      ((j)>2 -> 1 : 0)                                   /* index of the promotion of a deploy or undo job */
#define DT(j)     ((j)<=2 -> T1 : t2)
#define DF(j)     ((j)<=2 -> 0 : f2)
#define DV(j)     ((j)<=2 -> 2 : V2)
#define SVC(op)   ((S(op)==1 && !isR(J(op))) || (S(op)==4 && isD(J(op))) || ((S(op)==3 || S(op)==5) && isR(J(op))) || (S(op)==3 && isT(J(op))))
#define COL(op)   (isR(J(op)) -> (S(op)==6 -> 1-rt : rt) : (J(op)==6 -> ct : (isT(J(op)) -> tt : DT(J(op)))))
#define OBJ(op)   (SVC(op) -> 0 : 1+COL(op))
#define SEIZE(op) ((isD(J(op)) && S(op)<=2) || ((J(op)==6 || isT(J(op))) && S(op)<=2) || (isR(J(op)) && (S(op)==1 || S(op)==5)))

inline bump() {                  /* epoch := epoch+1: nobody is the holder any more */
  wcur[0]=0;
#if W>1
  wcur[1]=0;
#endif
#if W>2
  wcur[2]=0;
#endif
#ifdef EPOCH
  epoch++;
#endif
}

/* ===== the API server: a write lands, whenever it likes ===== */
inline check_serving() {
#ifdef FIRST
  if :: ver[sel]!=9 && repl[sel] ->
#ifndef NO_P4
     assert(appr[ver[sel]])                                                         /* P4 */
#else
     skip
#endif
  :: else fi;
#else
  assert(repl[sel] || (l2 && isR(act)));                                          /* P3 never 0 replicas behind the Service */
  assert(appr[ver[sel]] || (l2 && isR(act)));                                     /* P4 what serves was approved */
#endif
}
inline land(i) {
  op = sop[i]; o = OBJ(op); ok = 1;
#ifdef FIRST
  create = (!SVC(op) && isD(J(op)) && S(op)==3 && ver[o-1]==9);                    /* POST: succeeds iff absent */
  if :: !SVC(op) && !create && ver[o-1]==9 -> ok = 0 :: else fi;
#endif
#if !defined(NO_FENCE)
  if
#ifdef WL_UNFENCED
  :: o!=0 -> skip
#endif
#ifdef FIRST
  :: create -> skip
#endif
  :: else ->
     if :: !sfr[i] -> ok = 0 :: else fi;
#ifdef EPOCH
     if :: sep[i] < oep[o] -> ok = 0 :: else fi;
#endif
  fi;
#endif
  if
  :: ok -> TR3(">       KUBE: write job %d step %d lands on object %d (0 Service 1 blue 2 green)\n", J(op), S(op), o);
     if
     :: isD(J(op)) && S(op)==3 -> ver[o-1] = DV(J(op)); repl[o-1] = 1;
#ifdef STRAY
        assert((J(op)==1 -> out1 : out2)!=4 && (J(op)==1 -> out1 : out2)!=6);      /* P10 nothing of an undone deployment lands */
#endif
#ifdef FIRST
        assert(!(o-1==sel && confirmed[D(J(op))]));                                /* P2 */
#endif
     :: isD(J(op)) && S(op)==4 ->
        assert(!confirmed[D(J(op))]);                                              /* P2 abort and rollback stick */
        assert(cut[D(J(op))] && weff[D(J(op))]!=1);                                /* P7 withdrawn before the cut-over: no switch */
        assert(ver[DT(J(op))]==DV(J(op)));                                         /* P13 only to what was applied and checked */
        if :: sel!=DT(J(op)) -> fwd[D(J(op))]++; assert(fwd[D(J(op))]<=1) :: else fi;  /* P1 one switch */
        sel = DT(J(op))
     :: isA(J(op)) && S(op)==1 -> sel = DF(J(op))
#ifdef LOST
        ; repl[DF(J(op))] = 1                                                      /* undo-prepare brought its pods back before */
#endif
     :: isA(J(op)) && S(op)==2 -> repl[o-1] = rec
     :: isT(J(op)) && S(op)==3 ->
        assert(!confirmedt && cutt);                                               /* P2, P7 */
        if :: sel!=tt -> fwdt++; assert(fwdt<=1) :: else fi;                       /* P1 */
        sel = tt
     :: isR(J(op)) && S(op)==2 -> repl[o-1] = 1;
#ifndef RB_NO_TEMPLATE
        ver[o-1] = rver
#endif
     :: isR(J(op)) && S(op)==3 -> sel = rt
     :: J(op)==6 && S(op)==3   -> assert(sel!=ct || (l2 && isR(act))); repl[o-1] = 0   /* P6 clean-up never hits what serves */
     :: else -> skip
     fi;
     TR6(">       KUBE: now selector=%d blue v%d x%d green v%d x%d (waiting worker+1: %d)\n", sel, ver[0], repl[0], ver[1], repl[1], sow[i]);
     check_serving();
#ifdef NOOP_SEIZE
     if :: SEIZE(op) -> goto noop :: else fi;      /* a write that changes nothing: accepted, rv and annotations stay */
#endif
     oop[o] = op;
#ifdef EPOCH
     oep[o] = sep[i];
#endif
     /* rv changes: everybody else's is old */
     q = 0;
     do
     :: q<K -> if :: sop[q]!=0 && q!=i && OBJ(sop[q])==o -> sfr[q]=0;
#if !defined(NO_FENCE) && !defined(WL_UNFENCED) && !defined(FIRST)
                     if :: sow[q]==0 -> sop[q]=0 :: else fi      /* certain 409, nobody listens: forget it */
#endif
               :: else fi; q++
     :: q>=K -> break
     od;
     q = 0;
     do
     :: q<W -> if :: wfr[q] && wop[q]!=0 && OBJ(wop[q])==o -> wfr[q]=0 :: else fi; q++
     :: q>=W -> break
     od
  :: else -> TR3(">       KUBE: write job %d step %d on object %d: 409\n", J(op), S(op), o)
  fi;
#ifdef NOOP_SEIZE
noop:
#endif
  if :: sow[i]!=0 -> wres[sow[i]-1] = 1+ok :: else fi;
  sop[i]=0; sfr[i]=0; sow[i]=0;
#ifdef EPOCH
  sep[i]=0;
#endif
  op=0; o=0; ok=0; q=0
}
active proctype api() {
  byte op, o, q; bit ok;
#ifdef FIRST
  bit create;
#endif
end_api:
  do
  :: d_step { sop[0]!=0 -> land(0) }
  :: d_step { sop[1]!=0 -> land(1) }
#if K>2
  :: d_step { sop[2]!=0 -> land(2) }
#endif
#if K>3
  :: d_step { sop[3]!=0 -> land(3) }
#endif
  od
}

/* ===== a worker ===== */
inline detach() {                /* the sender no longer listens; the write stays in flight */
  x = 0;
  do
  :: x<K -> if :: sow[x]==me+1 -> sow[x]=0;
#if !defined(NO_FENCE) && !defined(WL_UNFENCED) && !defined(FIRST)
                  if :: !sfr[x] -> sop[x]=0 :: else fi;
#endif
            :: else fi; x++
  :: x>=K -> break
  od; x = 0
}
inline forget() { wop[me]=0; wfr[me]=0; wres[me]=0; d=0; ob=0 }
inline crash()  { TR1("> W%d is killed\n", me); crashes++; detach(); forget(); if :: wcur[me] -> wcur[me]=0; leased=0 :: else fi }
#ifdef LOST
inline finish() { act=0; stp=1; intent=0; applied=0; rec=0; held=0; pz=0; pau=0; stk=0; adopt=0 }
inline begin_undo() { act=act+1; stp=1; intent=0; pz=0; pau=0; stk=0; hist=0 }
#else
inline finish() { act=0; stp=1; intent=0; applied=0; rec=0; held=0; pz=0; pau=0; stk=0 }
inline begin_undo() { act=act+1; stp=1; intent=0; pz=0; pau=0; stk=0 }
#endif

inline step_done() {             /* the active job's step has its result */
  intent=0;
#ifdef LOST
  if :: fo -> gen=1 :: else fi;
  if :: oep[OBJ(wop[me])]>epoch -> epoch=oep[OBJ(wop[me])]; wep[me]=epoch :: else fi;   /* the lease follows an object that is ahead */
#endif
  if
#if defined(LOST) && !defined(NO_ADOPT)
  :: isA(act) && stp==1 && adopt -> confirmed[D(act)]=1; stp=4; TR0(">     abort CONFIRMED\n")
  :: isA(act) && stp==1 && !adopt -> confirmed[D(act)]=1; stp=2; TR0(">     abort CONFIRMED\n")
  :: isA(act) && stp==4 -> stp=2
#else
  :: isA(act) && stp==1 -> confirmed[D(act)]=1; stp=2; TR0(">     abort CONFIRMED\n")
#endif
  :: isR(act) && stp==3 ->
     if :: out1!=0 -> confirmed[0]=1 :: else fi;
     if :: out2!=0 -> confirmed[1]=1 :: else fi;
     if :: cutt -> confirmedt=1 :: else fi;
     stp = (l2 -> 1 : 4); TR0(">     rollback CONFIRMED\n")
  :: isR(act) && stp==2 -> stp = (l2 -> 4 : 3)
  :: isR(act) && stp==5 -> held=1; stp=2
#ifdef LOST
  :: isR(act) && stp==6 -> taken=1; stp=4
#endif
  :: else -> stp++
  fi
}

proctype worker(byte me) {
  bit d; byte ob, x; byte nx;    /* d: the step at wop is done; ob: 0 nothing observed, 1, 2 = the two answers; nx: where to go after a tx */
end_idle:
idle:
  atomic { !leased && !pau && !stk && (act!=0 || cl) -> leased=1;
#ifdef RB_NO_EPOCH
    if :: isR(act) -> skip :: else -> bump() fi;
#else
    bump();
#endif
    wcur[me]=1; TR1("> W%d takes the lease (epoch+1)\n", me);
#ifdef EPOCH
    wep[me]=epoch;
#endif
  }
tick:                            /* tx */
  atomic {
    if
    :: crashes<CRASH -> crash(); goto idle
    :: !wcur[me] -> TR1("> W%d tx: epoch is not mine, drops everything\n", me); forget(); goto idle          /* 0 rows: drop everything */
    :: wcur[me] ->
       /* store the last result */
       if
       :: d && intent && wop[me]==OP(act,stp) -> step_done()
       :: d && cin && wop[me]==OP(6,cst)    -> cin=0; cst++
       :: else
       fi;
       d=0; wop[me]=0; wfr[me]=0; nx=0;
       /* ask the step, commit the next intent */
       do
       :: nx!=0 -> break
       :: nx==0 && act==0 && !cl -> leased=0; wcur[me]=0; nx=1                      /* nothing to do */
       :: nx==0 && act!=0 && intent -> wop[me]=OP(act,stp); nx=2                      /* an intent without result: resume it */
       :: nx==0 && act==0 && cl && cin -> wop[me]=OP(6,cst); nx=2
       :: nx==0 && act==0 && cl && !cin ->
          if
#ifdef CLEAN_NO_SVC
          :: cst==1 -> cst=2
#else
          :: cst==1 -> cin=1
#endif
#ifdef WL_NOT_SEIZED
          :: cst==2 -> cst=3
#else
          :: cst==2 -> cin=1
#endif
#ifdef CLEAN_NO_RECHECK
          :: cst==3 -> cin=1
#else
          :: cst==3 && ob==0 -> nx=3
          :: cst==3 && ob==1 -> cin=1                                               /* it does not serve and holds the recorded template */
          :: cst==3 && ob==2 -> cl=0; cst=1
#endif
          :: cst==4 -> cl=0; cst=1
          fi
       :: nx==0 && isD(act) && !intent && pz && ob==0 -> pz=0; pau=1; leased=0; wcur[me]=0; nx=1; TR0(">     PAUSED\n")
       :: nx==0 && isT(act) && !intent ->
          if
          :: stp<=2 -> intent=1
          :: stp==3 && ob==0 -> nx=3
          :: stp==3 && ob==2 -> finish(); ob=0                                      /* short of pods: stuck, resolved as failed; nothing was written */
          :: stp==3 && ob==1 -> cutt=1; appr[tver]=1; intent=1
          :: stp==4 -> assert(sel==tt && repl[tt]);
             cl=1; cst=1; cin=0; ct=tf; chash=ver[tf]; serv=tt; sver=tver; finish()
          fi
       :: nx==0 && isD(act) && !intent && !(pz && ob==0) ->
          if
          :: stp==1 -> intent=1
#ifdef WL_NOT_SEIZED
          :: stp==2 -> stp=3
#else
          :: stp==2 -> intent=1
#endif
          :: stp==3 && ob==0 -> nx=3
          :: stp==3 && ob!=0 -> rec=ob-1; applied=1; intent=1; ob=0
          :: stp==4 && ob==0 -> nx=3
          :: stp==4 && ob==2 -> begin_undo(); ob=0                                  /* the target is not as applied: fail */
#ifdef GATE_SKEW
          :: stp==4 && ob==1 -> cut[D(act)]=1; appr[DV(act)]=1; intent=1            /* gate was evaluated in another snapshot */
          :: stp==4 && ob==3 -> fgate=1; begin_undo(); ob=0
#else
          :: stp==4 && ob==1 && gate[D(act)]  -> cut[D(act)]=1; appr[DV(act)]=1; intent=1     /* CUT-OVER */
          :: stp==4 && ob==1 && !gate[D(act)] ->
#ifndef NO_P8
             assert(weff[D(act)]!=2);                                               /* P8 "effective: false" was true */
#endif
#ifdef FAIL_NO_WRITE
             if :: act==1 -> out1=6 :: else -> out2=6 fi; confirmed[D(act)]=1; finish(); ob=0
#else
             fgate=1; begin_undo(); ob=0
#endif
#endif
          :: stp==5 && ob==0 -> nx=3
#ifdef LOST
          :: stp==5 && ob==2 -> fgate=1; begin_undo(); ob=0                         /* somebody moved it: our own lost past */
#else
          :: stp==5 && ob==2 -> assert(0)                                           /* P5 */
#endif
          :: stp==5 && ob==1 ->
#ifndef LOST                     /* a write of the lost past may land between the look and this: drift, which is shown, not prevented */
             assert(sel==DT(act) && repl[sel] && ver[sel]==DV(act));                /* P5 succeeded: the target serves, with the new version */
#endif
#ifndef LOST                     /* keep_previous_s, 30 s and more, is longer than what a failover loses */
             cl=1; cst=1; cin=0; ct=DF(act); chash=sver;
#endif
             serv=DT(act); sver=DV(act); putby=act;
             TR1(">     job %d SUCCEEDED\n", act);
             if :: act==1 -> out1=3 :: else -> out2=3 fi; finish(); ob=0
          fi
       :: nx==0 && isA(act) && !intent ->
          if
          :: stp==1 -> intent=1
          :: stp==2 && applied  -> intent=1
          :: stp==2 && !applied -> stp=3
#ifdef LOST
          :: stp==4 -> intent=1
          :: stp==3 && adopt && !taken -> taken=1
          :: stp==3 && !(adopt && !taken) ->
#else
          :: stp==3 ->
#endif
             if :: act==2 -> out1=(fgate -> 6 : 4) :: else -> out2=(fgate -> 6 : 4) fi; fgate=0; finish()
          fi
       :: nx==0 && isR(act) && !intent ->
          if
#ifdef WL_NOT_SEIZED
          :: stp==1 -> stp=2
#else
          :: stp==1 -> intent=1
#endif
          :: stp==2 && ob==0 -> nx=3
#ifdef PREPARE_UNHELD
          :: stp==2 && ob==2 -> intent=1; ob=0
#else
          :: stp==2 && ob==2 && !held && !l2 -> stp=5; ob=0
          :: stp==2 && ob==2 && (held || l2) -> intent=1; ob=0
          :: stp==5 -> intent=1
#endif
          :: stp==2 && ob==1 -> stp=(l2 -> 4 : 3); ob=0
          :: stp==3 -> intent=1
#ifdef LOST
#ifdef NO_ADOPT_BACK
          :: stp==4 && adopt && !taken -> taken=1
#else
          :: stp==4 && adopt && !taken -> stp=6
#endif
          :: stp==6 -> intent=1
          :: stp==4 && !(adopt && !taken) ->
#else
          :: stp==4 ->
#endif
             assert(sel==rt && repl[rt]);                                           /* P9 */
#ifndef RB_NO_TEMPLATE
             assert(ver[rt]==rver);
#endif
             serv=rt; sver=rver;
#ifdef RB_PUTBY_R
             skip;                                       /* reading: a rollback that moved nothing did not "put" the serving version there */
#else
             putby=5;
#endif
             l2=0; finish()
          fi
       od;
       if :: nx!=3 -> ob=0 :: else fi;
       if :: nx==2 -> JOURNAL(wop[me]) :: else fi;
       if
       :: nx==1 -> nx=0; TR1("> W%d tx: nothing to do, gives the lease back\n", me); forget(); goto idle
       :: nx==2 -> nx=0; TR3("> W%d tx: intent job %d step %d\n", me, J(wop[me]), S(wop[me])); goto gets
       :: nx==3 -> nx=0
       fi
    fi
  }
observe:                         /* kube GET, of an object seized before */
  atomic {
    if
    :: act==0 && cl && cst==3 -> ob = ((sel!=ct && ver[ct]==chash) -> 1 : 2)
    :: isD(act) && stp==3 -> ob = 1+repl[DT(act)]
    :: isD(act) && stp==4 -> ob = ((repl[DT(act)] && ver[DT(act)]==DV(act)) -> 1 : 2);
#ifdef GATE_SKEW
       if :: ob==1 && !gate[D(act)] -> ob=3 :: else fi
#endif
    :: isD(act) && stp==5 -> ob = (sel==DT(act) -> 1 : 2)
    :: isT(act) && stp==3 -> ob = ((repl[tt] && ver[tt]==tver) -> 1 : 2)
#ifdef RB_NO_TEMPLATE
    :: isR(act) && stp==2 -> ob = (repl[rt] -> 1 : 2)
#else
    :: isR(act) && stp==2 -> ob = ((repl[rt] && ver[rt]==rver) -> 1 : 2)
#endif
    :: else -> ob=0                                                       /* somebody took over meanwhile: the tx will say */
    fi;
    TR2("> W%d GET (observe): %d\n", me, ob);
    goto tick
  }
gets:                            /* kube GET of the object to write: its op tells whether the intent was carried out already */
  atomic {
    if
    :: crashes<CRASH -> crash(); goto idle
#ifdef LATE_READ                 /* wrong order: lease check first ... */
    :: !wcur[me] -> forget(); goto idle
    :: wcur[me] -> skip
#else
    :: oop[OBJ(wop[me])]==wop[me] -> d=1; goto tick
#if defined(LOST) && !defined(LOST_IGNORED)
    :: oop[OBJ(wop[me])]!=wop[me] && LOSTHIST(OBJ(wop[me]),me) ->                       /* write_history_known */
       TR0("> history lost\n");
       assert(!(wcur[me] && taken));                                                /* P14 */
       if
       :: wcur[me] -> if :: act==0 -> cl=0; cst=1; cin=0 :: else -> stk=1; hist=1; intent=0 fi; leased=0; wcur[me]=0
       :: else
       fi;
       forget(); goto idle
#endif
#ifdef FIRST
    :: isA(J(wop[me])) && S(wop[me])==2 && ver[COL(wop[me])]==9 -> d=1; goto tick      /* 404: nothing to undo, nothing to seize */
    :: isD(J(wop[me])) && S(wop[me])==2 && ver[COL(wop[me])]==9 -> d=1; goto tick
#endif
#ifdef ABORT_SKIP
    :: isA(J(wop[me])) && S(wop[me])==1 && sel==DF(J(wop[me])) -> d=1; goto tick
#endif
#ifdef UNDO_SKIP
    :: isA(J(wop[me])) && S(wop[me])==2 && repl[COL(wop[me])]==rec -> d=1; goto tick
#endif
#ifdef APPLY_SKIP
    :: isD(J(wop[me])) && S(wop[me])==3 && repl[COL(wop[me])] && ver[COL(wop[me])]==DV(J(wop[me])) -> d=1; goto tick
#endif
#ifdef SEIZE_PER_EPOCH
    :: SEIZE(wop[me]) && oep[OBJ(wop[me])]==wep[me] -> d=1; goto tick
#endif
    :: (oop[OBJ(wop[me])]!=wop[me]
#if defined(LOST) && !defined(LOST_IGNORED)
       && !LOSTHIST(OBJ(wop[me]),me)
#endif
#ifdef ABORT_SKIP
       && !(isA(J(wop[me])) && S(wop[me])==1 && sel==DF(J(wop[me])))
#endif
#ifdef UNDO_SKIP
       && !(isA(J(wop[me])) && S(wop[me])==2 && repl[COL(wop[me])]==rec)
#endif
#ifdef APPLY_SKIP
       && !(isD(J(wop[me])) && S(wop[me])==3 && repl[COL(wop[me])] && ver[COL(wop[me])]==DV(J(wop[me])))
#endif
#ifdef SEIZE_PER_EPOCH
       && !(SEIZE(wop[me]) && oep[OBJ(wop[me])]==wep[me])
#endif
#ifdef FIRST
       && !(isA(J(wop[me])) && S(wop[me])==2 && ver[COL(wop[me])]==9)
       && !(isD(J(wop[me])) && S(wop[me])==2 && ver[COL(wop[me])]==9)
#endif
       ) -> wfr[me]=1; TR2("> W%d GET object %d: not my op\n", me, OBJ(wop[me]))
#endif
    fi
  }
send:                            /* lease check (tx), then the write leaves */
  atomic {
    (sop[0]==0 || sop[1]==0
#if K>2
     || sop[2]==0
#endif
#if K>3
     || sop[3]==0
#endif
    ) ->
    if
    :: crashes<CRASH -> crash(); goto idle
#ifdef LATE_READ                 /* ... and the GET afterwards, without another check */
    :: oop[OBJ(wop[me])]==wop[me] -> d=1; goto tick
    :: oop[OBJ(wop[me])]!=wop[me] -> wfr[me]=1;
#else
    :: !wcur[me] -> TR1("> W%d lease check: lost\n", me); forget(); goto idle
    :: wcur[me] ->
#endif
       TR3("> W%d lease check ok, sends job %d step %d\n", me, J(wop[me]), S(wop[me]));
       x=0; do :: sop[x]!=0 -> x++ :: sop[x]==0 -> break od;
       sop[x]=wop[me]; sfr[x]=wfr[me]; sow[x]=me+1; wfr[me]=0; wres[me]=0;
#ifdef EPOCH
       sep[x]=wep[me];
#ifdef LOST
       if :: (isA(J(wop[me])) || isR(J(wop[me]))
#ifdef LOST_IGNORED
           || true
#endif
          ) && oep[OBJ(wop[me])]>=wep[me] -> sep[x]=oep[OBJ(wop[me])]+1 :: else fi;
#endif
#endif
       x=0
    fi
  }
wait:
  atomic {
    if
    :: wres[me]==2 -> wres[me]=0; d=1; goto tick                          /* done */
    :: wres[me]==1 -> wres[me]=0;                                         /* 409: re-read, ask the step again */
#ifdef GATE_AGAIN
       if :: wcur[me] && isD(act) && intent && stp==4 && wop[me]==OP(act,stp) && oop[0]!=wop[me] -> intent=0; goto tick :: else fi;
#endif
       goto tick
    :: tmos<TMO && wres[me]!=1 -> TR1("> W%d time-out: unknown\n", me); tmos++; detach(); wres[me]=0;           /* unknown: landed, or still in flight; re-read, compare the op */
#ifdef GATE_AGAIN
       if :: wcur[me] && isD(act) && intent && stp==4 && wop[me]==OP(act,stp) && oop[0]!=wop[me] -> intent=0; goto tick :: else fi;
#endif
       goto tick
#if N_ST>0
    :: refusals<N_ST && wres[me]!=1 && wcur[me] && intent && wop[me]==OP(act,stp) ->       /* given up: a deadline; it may still land */
       refusals++; detach(); wres[me]=0; TR0("> given up\n");
#ifdef STUCK_NO_UNDO
       if :: isD(act) -> if :: act==1 -> out1=6 :: else -> out2=6 fi; confirmed[D(act)]=1; finish(); leased=0; wcur[me]=0
#else
       if :: isD(act) -> fgate=1; begin_undo()                                           /* undo covers it: it has an intent */
#endif
          :: else -> stk=1; leased=0; wcur[me]=0
       fi;
       goto tick
#endif
    :: crashes<CRASH -> crash(); goto idle
    fi
  }
}

inline clean_interrupted() {     /* another job gets the environment while a clean-up is pending */
#if defined(CLEAN_RESUME)        /* reading: the journalled intent is resumed, seizures were made */
  skip
#elif defined(CLEAN_REASK)       /* the intent is void, the seizures count */
  cin=0
#else                            /* proposed: the job starts again from its seizures */
  cst=1; cin=0
#endif
}

/* ===== people, schedulers, time ===== */
active proctype expiry() {
end_exp:
  do
  :: atomic { leased && exps<EXP -> exps++; leased=0; TR0("> lease expires\n") }
  od
}
#if N_PA>0
active proctype pauser() {       /* deployment_pause, deployment_resume */
  if
  :: atomic { isD(act) && !pau && !stk -> pz=1; TR0("> PAUSE requested\n");
#ifndef PAUSE_NO_BUMP
       bump();
#endif
       leased=0 }
  :: true -> goto fin
  fi;
  atomic { pau || !isD(act) || !pz -> if :: pau -> pau=0; TR0("> RESUMED\n") :: else fi }
fin: skip
}
#endif
#if N_ST>0
active proctype retrier() {      /* deployment_retry; of a stuck undo also deployment_abort: it begins anew */
end_ret:
  do
  :: atomic { stk -> stk=0; TR0("> RETRY\n");
#ifndef RETRY_SAME_OP
       gen=1-gen; intent=0;
#endif
       if :: isA(act) -> if :: true :: stp=1 fi :: else fi }
  od
}
#endif
#ifdef LOST
active proctype failover() {     /* asynchronous replication: the new primary has a past state; what the cluster shows is not undone */
  if
  :: atomic { true -> z_act=act; z_stp=stp; z_intent=intent; z_cl=cl; z_cst=cst; z_cin=cin; z_ct=ct; z_chash=chash; z_out1=out1; z_serv=serv;
       z_sver=sver; z_putby=putby; z_applied=applied; z_rec=rec; z_fgate=fgate; z_epoch=epoch; z_stk=stk;
       z_jrn[1]=jrn[1]; z_jrn[2]=jrn[2]; z_jrn[6]=jrn[6] }
  :: true -> goto fin
  fi;
  atomic { true -> act=z_act; stp=z_stp; intent=z_intent; cl=z_cl; cst=z_cst; cin=z_cin; ct=z_ct; chash=z_chash; out1=z_out1; serv=z_serv;
       sver=z_sver; putby=z_putby; applied=z_applied; rec=z_rec; fgate=z_fgate; epoch=z_epoch; stk=z_stk;
       jrn[1]=z_jrn[1]; jrn[2]=z_jrn[2]; jrn[6]=z_jrn[6]; leased=0; wcur[0]=0;
#if W>1
       wcur[1]=0;
#endif
       fo=1; if :: !intent && !cin -> gen=1 :: else fi; TR0("> FAILOVER: the last transactions are lost\n");
       z_act=0; z_stp=0; z_intent=0; z_cl=0; z_cst=0; z_cin=0; z_ct=0; z_chash=0; z_out1=0; z_serv=0; z_sver=0; z_putby=0; z_applied=0; z_rec=0;
       z_fgate=0; z_epoch=0; z_stk=0; z_jrn[1]=0; z_jrn[2]=0; z_jrn[6]=0 };
end_fo:
  do
  :: atomic { stk && hist && isD(act) -> hist=0; stk=0; gen=1; adopt=1; begin_undo(); TR0("> ABORT of what is stuck\n"); bump(); leased=0 }
  od;
fin: skip
}
#endif
#if N_TR>0
active proctype mover() {        /* deployment_traffic: nothing is active; not to what served before (that is a rollback) */
  if
  :: atomic { act==0 && !(putby==1 && !lastR) && repl[1-serv] ->
       clean_interrupted();
       tf=serv; tt=1-serv; tver=ver[tt]; act=8; stp=1; intent=0; lf=tf; lfv=sver; lastR=0; putby=8; TR1("> TRAFFIC to %d\n", tt) }
  :: true
  fi
}
#endif
#if N_AB>0
active proctype aborter() {
  if
  :: atomic { isD(act) -> TR1("> ABORT of job %d requested (tx)\n", act);
#ifdef ABORT_DB
       confirmed[D(act)]=1; if :: act==1 -> out1=4 :: else -> out2=4 fi; finish(); bump(); leased=0
#else
       begin_undo();
#ifndef ABORT_NO_BUMP
       bump(); leased=0
#endif
#endif
     }
  :: true
  fi
}
#endif
#if N_WD>0
active proctype signer() {
  if
  :: atomic { gate[0] && out1==1 -> gate[0]=0; weff[0]=(cut[0] -> 2 : 1); TR1("> SIGN-OFF withdrawn (1 effective, 2 effective:false): %d\n", weff[0]) }
  :: true
  fi
}
#endif
#if N_RB>0
inline roll(c, v) {              /* tx: ends what is active, inserts the rollback, epoch+1, lease cleared */
  TR3("> ROLLBACK requested (tx) while job %d is active: to color %d version v%d\n", act, c, v);
#ifdef LOST
  adopt=((isD(act) || isA(act)) && (adopt || (stk && hist))); hist=0; gen=1;
#endif
  rt=c; rver=v; nrb++; held=0; pz=0; pau=0; stk=0;
  if :: act==1 || act==2 -> out1=5 :: act==3 || act==4 -> out2=5 :: else fi;
  act=(nrb==1 -> 5 : 7); intent=0; applied=0; rec=0; fgate=0; lastR=1;
  clean_interrupted();
#ifdef LAW2
  if :: l2=0; stp=1 :: l2=1; stp=3 fi;
#else
  l2=0; stp=1;
#endif
#ifdef RB_NO_EPOCH
  leased=0
#else
  bump(); leased=0
#endif
}
inline click(c, v) {             /* rollback without a target */
#ifdef TOGGLE                    /* P12: clicking again, or after an abort, with no deployment since, does not move traffic */
  assert(!(serv!=c && (lastR || (out2==0 && out1==4) || out2==4)));
#endif
  roll(c, v)
}
active proctype roller() {
#ifdef LOST                      /* what a failover loses is of D1 */
end_roller:
  fo;
#endif
again:
  if
  :: atomic { isD(act) || isA(act) -> if :: act<=2 -> roll(0,1) :: else -> roll(f2,f2v) fi }
#if N_TR>0
  :: atomic { isT(act) -> roll(tf,sver) }
#endif
#ifdef RB_PUTBY                  /* design.md: "else of the one that put the serving version there" */
  :: atomic { act==0 && putby==0 -> click(1,0) }
  :: atomic { act==0 && putby==1 -> click(0,1) }
  :: atomic { act==0 && putby==3 -> click(f2,f2v) }
#else                            /* proposed: the `from` of the deployment that was active last, however it ended; a rollback answers with itself */
  :: atomic { act==0 && !lastR -> click(lf,lfv) }
#endif
#ifdef RB_NAMED                  /* POST /deployments/D1/rollback while D1 is the one that put the serving version there */
  :: atomic { !isR(act) && putby==1 -> roll(0,1) }
#endif
  :: true -> goto fin
  fi;
  if :: nrb<N_RB -> atomic { act==0 -> goto again } :: nrb>=N_RB fi;
fin: skip
}
#endif
#if N_D2>0
active proctype second() {       /* a second release; queued at any time, starts when nothing is active */
  if
  :: atomic { true -> q2=1; t2=1-serv; f2=serv; f2v=sver; TR1("> D2 (v3) requested, rows say active color is %d\n", serv) }                /* request */
  :: true -> goto fin
  fi;
#ifdef LOST                      /* what a failover loses is of D1 */
end_second:
  atomic { act==0 && fo ->
#else
  atomic { act==0 ->                                                      /* becomes active */
#endif
#ifndef TARGET_AT_REQUEST
    t2=1-serv; f2=serv; f2v=sver;
#endif
    TR1("> D2 becomes active, target color %d\n", t2);
    act=3; stp=1; intent=0; out2=1; lastR=0; lf=f2; lfv=f2v;
    clean_interrupted();
  }
fin: skip
}
#endif
init {
  atomic {
#ifdef FIRST
    ver[0]=9; ver[1]=9; repl[0]=0; repl[1]=0; sver=9;
#else
    ver[0]=1; repl[0]=1; ver[1]=0; repl[1]=IDLE_REPL;
    appr[0]=1; appr[1]=1;
#endif
    gate[0]=1; gate[1]=1;
    run worker(0);
#if W>1
    run worker(1);
#endif
#if W>2
    run worker(2);
#endif
  }
  timeout;                       /* everything has come to rest: nothing is left active, rows and cluster agree */
  assert(act==0 && !cl);
#ifndef LOST
  assert(sel==serv);                                                                /* P11 */
#endif
#ifndef FIRST
  assert(repl[sel]);
#ifndef RB_NO_TEMPLATE
#ifndef LOST
  assert(ver[sel]==sver)
#endif
#endif
#endif
}
