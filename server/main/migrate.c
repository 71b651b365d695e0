/* main/migrate.c: `sluiced migrate [--roles]`. */
#include "db/migrate.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "main/commands.h"
#include <stdio.h>
#include <string.h>

int command_migrate(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[512] = "";
    int applied = 0;
    bool roles = false;
    Status s;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--roles") != 0)
            return usage_error("migrate: unknown word \"%s\"", argv[i]);
        roles = true;
    }
    if (!config_load_for(&config, CONFIG_NEEDS_DATABASE, line, sizeof line))
        return failure("%s", line);
    s = db_migrate(config.database_url, &applied, line, sizeof line);
    if (s != STATUS_OK)
        return failure("migrate: %s", line);
    printf("%d migration%s applied\n", applied, applied == 1 ? "" : "s");
    if (!roles)
        return EXIT_DONE;
    s = db_roles_setup(config.database_url, line, sizeof line);
    if (s != STATUS_OK)
        return failure("migrate --roles: %s", line);
    puts("roles sluice_owner, sluice_app and sluice_auditor are set up");
    return EXIT_DONE;
}
