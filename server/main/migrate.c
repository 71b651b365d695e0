/* main/migrate.c: `sluiced migrate`. */
#include "db/migrate.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "main/commands.h"
#include <stdio.h>

int command_migrate(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[512] = "";
    int applied = 0;
    Status s;

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    if (!config_load_for(&config, CONFIG_NEEDS_DATABASE, line, sizeof line))
        return failure("%s", line);
    s = db_migrate(config.database_url, &applied, line, sizeof line);
    if (s != STATUS_OK)
        return failure("migrate: %s", line);
    printf("%d migration%s applied\n", applied, applied == 1 ? "" : "s");
    return EXIT_DONE;
}
