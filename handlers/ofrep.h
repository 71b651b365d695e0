/* handlers/ofrep.h: what the files of OFREP share. */
#pragma once
#include "flags/snapshot.h"
#include "http/http.h"

struct strbuf;
/* `eventStreams` of a bulk answer: where its caller learns of changes; etag: of that answer. */
void ofrep_streams_json(const struct request *q, const struct snapshot *s, const char *etag,
                        struct strbuf *out);
/* Whether somebody who asks with this ETag has to get a whole answer once, because the ticket in
 * the one before is spent; from then on not any more. */
bool ofrep_stream_owed(const char *etag);
