/* seqrec tool: `curve`, the log of a training as a picture. */
#include "commands.h"
#include "output_check.h"
#include "train_journal.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static const command_text text = {
    "curve", "--log FILE --out FILE",
    "Draws loss and validation metric over the epochs of a log that train --log wrote, as SVG."};

int run_curve(int argc, char **argv)
{
    const char *log = NULL, *out = NULL, *title = NULL;
    train_journal journal = {0};
    const argument table[] = {{"log", ARGUMENT_TEXT, &log, "FILE", "log to draw", 0, 0},
                              {"out", ARGUMENT_TEXT, &out, "FILE", "SVG file to write", 0, 0},
                              {"title", ARGUMENT_TEXT, &title, "TEXT", "heading (default: the log's name)", 0, 0},
                              {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome != PARSED) return outcome;
    if (!log || !out) return usage_error(text.name, "--%s FILE is needed", log ? "out" : "log");
    const named_file inputs[] = {{"log", log}, {0}};
    const named_output outputs[] = {{"out", out, OUTPUT_WHOLE, NULL}, {0}};
    catch_signals(); /* to remove the temporary file */
    outcome = check_outputs(text.name, outputs, inputs, NULL);
    if (outcome != PARSED || interrupted()) return interrupted() ? interrupted() : outcome;
    outcome = access(log, R_OK) ? fail("%s: %s", log, strerror(errno)) : journal_read(&journal, log);
    if (!outcome && !journal.count) outcome = fail("%s: has no line of an epoch, as train --log writes them", log);
    if (!outcome) outcome = journal_curve(&journal, out, title ? title : log);
    if (!outcome) printf("%s: %lld epochs\n", out, (long long)journal.count);
    journal_close(&journal);
    return outcome;
}
