/* kubesim/podlog.h: the logs of a pod: a few plausible lines. */
#pragma once
#include "kubesim/sim.h"

struct call;
/* Answers with the text; ?tailLines and ?previous as Kubernetes has them. */
void podlog_answer(struct sim *sim, struct call *call, const struct slot *pod);
