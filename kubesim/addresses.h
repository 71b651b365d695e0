/* kubesim/addresses.h: loopback addresses for pods and Services.
 *
 * Several simulated clusters share one machine's 127.0.0.0/8: a block of 254 addresses is claimed
 * by holding a bound socket on its last one, so that two clusters never hand out the same. */
#pragma once

struct addresses;
/* Of 127.SECOND.x.y. */
struct addresses *addresses_new(int second);
void addresses_free(struct addresses *a); /* NULL-safe */
/* An address nobody else has; false when there is none left. */
_Bool addresses_take(struct addresses *a, char ip[16]);
void addresses_give_back(struct addresses *a, const char *ip); /* "" and foreign ones are ignored */
