/* tests/support/relay.h: a TCP relay to a port on loopback, to cut or freeze what goes through it.
 */
#pragma once
#include <stdbool.h>

struct relay; /* any thread */

struct relay *relay_new(unsigned to_port);
void relay_free(struct relay *r);
unsigned relay_port(const struct relay *r);
/* Ends every connection that is open now. */
void relay_cut(struct relay *r);
/* From now on, until thawed, nothing is passed on and nothing is ended: as when a cable is pulled.
 */
void relay_freeze(struct relay *r, bool frozen);
