#include "rollout/seen.h"
#include <stdlib.h>
#include <string.h>

const char *const color_names[COLORS] = {"blue", "green"};

bool color_find(const char *name, Color *ret) {
    for (int i = 0; name && i < COLORS; i++)
        if (strcmp(name, color_names[i]) == 0) {
            *ret = (Color)i;
            return true;
        }
    return false;
}

void seen_done(struct seen *s) {
    for (Color c = COLOR_BLUE; s && c < COLORS; c++) {
        json_decref(s->template_[c]);
        s->template_[c] = NULL;
        free(s->workload[c].comparable);
        s->workload[c].comparable = NULL;
    }
    if (s) {
        free(s->service.comparable);
        s->service.comparable = NULL;
    }
}
