/* sluice: the command line of Sluice, an HTTP client of its API and nothing else. */
#include "cli/commands.h"
#include "cli/text.h"
#include <stdio.h>

int main(int argc, char **argv) {
    ExitCode code;

    text_setup();
    net_setup();
    code = command_line(argc - 1, argv + 1);
    /* A reader that has gone (| head) is no failure of ours to tell about. */
    fflush(stdout);
    return (int)code;
}
