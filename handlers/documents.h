/* handlers/documents.h: openapi/openapi.yaml as JSON, made at build time by openapi/embed.c. */
#pragma once

extern const char openapi_json[];
