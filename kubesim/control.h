/* kubesim/control.h: the control API (api.md, "kubesim"): plain HTTP on loopback. */
#pragma once
struct call;
/* A call_fn with the sim as its context. */
void control_call(void *ctx, struct call *call);
