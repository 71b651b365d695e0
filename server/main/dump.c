/* main/settings.c: `sluiced dump-settings`. */
#include "base/cleanup.h"
#include "config/config.h"
#include "main/commands.h"
#include <stdio.h>

int command_dump_settings(int argc, char **argv) {
    _cleanup_free_ char *reference = config_reference();

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    return fputs(reference, stdout) < 0;
}
