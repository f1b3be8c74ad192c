/* seqrec tool: train, evaluate and serve sequential recommenders from the command line; an example of libseqrec's use. */
#define _XOPEN_SOURCE 700
#include "commands.h"
#include "terminal.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} command;

static const command commands[] = {
    {"train", run_train, "train a model on a file of events"},
    {"evaluate", run_evaluate, "rank held-out events; beside popularity and Markov"},
    {"compare", run_compare, "two models on the same users: differences and whether they could be chance"},
    {"recommend", run_recommend, "the items that should come next"},
    {"decode", run_decode, "how a history may go on, in paths of several items"},
    {"synth", run_synth, "generate events and the best possible result on them"},
    {"stats", run_stats, "describe a file of events"},
    {"options", run_options, "list the options of --set and the presets"},
    {"export", run_export, "write item vectors, a file for serving, or a model with longer windows"},
    {"import", run_import, "put item vectors into a model"},
    {"index", run_index, "build an index of a model's items for approximate search"},
    {"tune", run_tune, "search for options by validation"},
    {"find-rate", run_find_rate, "find a learning rate by trying them all"},
    {"curve", run_curve, "draw the log of a training"},
    {"bench", run_bench, "measure training and serving on this machine"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    fputs("Usage: seqrec COMMAND [OPTIONS]\n\nCommands:\n", to);
    for (int i = 0; i < COMMANDS; i++) fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\n'seqrec COMMAND --help' lists the options of a command, 'seqrec --version' describes this build.\n"
          "Results go to stdout (with --json one object on the last line), everything else to stderr.\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 129, 130 or 143 interrupted\n"
          "(training: step finished, model saved).\n",
          to);
}

static int unknown_command(const char *name)
{
    const char *words[COMMANDS + 1] = {0};
    for (int i = 0; i < COMMANDS; i++) words[i] = commands[i].name;
    const char *near = nearest_word(name, words);
    if (near) return usage_error("", "unknown command '%s'; did you mean '%s'?", name, near);
    return usage_error("", "unknown command '%s'", name);
}

static int run_named(const char *name, int argc, char **argv)
{
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(name, "--version")) {
        printf("seqrec %d.%d.%d\n%s\n", SEQREC_VERSION_MAJOR, SEQREC_VERSION_MINOR, SEQREC_VERSION_PATCH,
               seqrec_build_info());
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(name, commands[i].name)) return commands[i].run(argc, argv);
    return unknown_command(name);
}

/* The next file that is opened would take the place of a standard one that is closed, and get the messages or the results. What
 * stands there instead cannot be used its way round, so that reading or writing fails as before. */
static int hold_standard_files(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0 && open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY) != file) return 0;
    return 1;
}

int main(int argc, char **argv)
{
    if (!hold_standard_files()) return fail("a standard file is closed and /dev/null cannot be opened in its place");
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk, which is told */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    int outcome = run_named(argv[1], argc - 2, argv + 2);
    if (fflush(stdout) || ferror(stdout)) return fail("cannot write to standard output");
    return outcome;
}
