/* kubesim/proxy.h: the proxy subresource: …/services/[SCHEME:]NAME[:PORT]/proxy/PATH goes to a
 * ready endpoint of the Service, …/pods/NAME[:PORT]/proxy/PATH to the pod; answered by the loop
 * when the pod answers. */
#pragma once
#include "kubesim/rest.h"

void proxy_call(struct sim *sim, struct call *call, const struct target *target);
