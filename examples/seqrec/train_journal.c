/* seqrec tool: keeps each epoch for the curve, writes it to the log and tells it on stderr. */
#include "train_journal.h"
#include "json_lines.h"
#include "json_writer.h"
#include "svg_curve.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An epoch that comes again, after a resume from a checkpoint before it, takes the place of what was kept from it on. */
static void keep(train_journal *journal, const seqrec_epoch_stats *stats)
{
    while (journal->count && journal->epochs[journal->count - 1].epoch >= stats->epoch) journal->count--;
    if (journal->count == journal->capacity) {
        int64_t capacity = journal->capacity ? 2 * journal->capacity : 64;
        seqrec_epoch_stats *grown = realloc(journal->epochs, (size_t)capacity * sizeof *grown);
        if (!grown) {
            if (!journal->broken) remark("out of memory: the curve lacks epochs");
            journal->broken = 1;
            return;
        }
        journal->epochs = grown;
        journal->capacity = capacity;
    }
    journal->epochs[journal->count++] = *stats;
}

/* Half a line may be in the file, so no other follows it. */
static void give_up_log(train_journal *journal, int code)
{
    fail("%s: cannot be written: %s; the log lacks epochs", journal->log_path, strerror(code));
    journal->log_failed = 1;
    if (journal->log) fclose(journal->log);
    journal->log = NULL;
}

/* Lines of two that write one file stand behind each other, whole. */
static FILE *fopen_fresh(const char *path)
{
    const int file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC);
    return file < 0 ? NULL : fdopen(file, "a");
}

static void open_log(train_journal *journal)
{
    journal->log = journal->log_resumed ? append_json_lines(journal->log_path) : fopen_fresh(journal->log_path);
    if (journal->log) return;
    if (!journal->log_resumed) fail("%s: cannot be written: %s", journal->log_path, strerror(errno));
    journal->log_failed = 1;
}

/* At the first step, or the first epoch where that had none. */
static void begin(train_journal *journal)
{
    if (journal->log_path && !journal->begun) open_log(journal);
    journal->begun = 1;
}

static void write_log(train_journal *journal, const seqrec_epoch_stats *stats)
{
    json_writer json = {.to = journal->log};
    if (!journal->log) return;
    emit_object(&json, NULL);
    emit_count(&json, "epoch", stats->epoch);
    emit_count(&json, "targets", stats->targets);
    emit_real(&json, "loss", stats->loss);
    emit_real(&json, "seconds", stats->seconds);
    emit_real(&json, "learning_rate", stats->learning_rate);
    emit_text(&json, "metric_name", journal->metric);
    emit_real(&json, "metric", stats->metric);
    emit_truth(&json, "improved", stats->improved);
    emit_end(&json, '}');
    if (fflush(journal->log)) give_up_log(journal, errno);
}

void journal_label(train_journal *journal, int64_t next)
{
    const seqrec_epoch_stats *last = journal->count ? &journal->epochs[journal->count - 1] : NULL;
    char *label = journal->bar.label;
    size_t size = sizeof journal->bar.label;
    if (last && journal->best_epoch)
        snprintf(label, size, "epoch %lld/%lld  loss %.4f  best %s %.4f", (long long)next, (long long)journal->planned,
                 last->loss, journal->metric, journal->best_metric);
    else if (last)
        snprintf(label, size, "epoch %lld/%lld  loss %.4f", (long long)next, (long long)journal->planned, last->loss);
    else
        snprintf(label, size, "epoch %lld/%lld", (long long)next, (long long)journal->planned);
}

static void tell(train_journal *journal, const seqrec_epoch_stats *stats)
{
    if (isnan(stats->metric))
        progress_line(&journal->bar, 0, "epoch %lld  loss %.4f  %.2f s", (long long)stats->epoch, stats->loss,
                      stats->seconds);
    else
        progress_line(&journal->bar, 1, "epoch %lld  loss %.4f  %.2f s  %s %.4f%s", (long long)stats->epoch,
                      stats->loss, stats->seconds, journal->metric, stats->metric,
                      stats->improved ? "  (best so far)" : "");
}

int32_t journal_tick(void *context, const char *stage, int64_t done, int64_t total)
{
    train_journal *journal = context;
    begin(journal);
    if (!journal->count)
        journal_label(journal, journal->planned && total ? (done - 1) * journal->planned / total + 1 : 1);
    if (journal->by_epoch && journal->planned > 0 && total % journal->planned == 0) {
        total /= journal->planned;
        done = total > 0 ? (done - 1) % total + 1 : done;
    }
    return progress_tick(&journal->bar, stage, done, total);
}

static void note_best(train_journal *journal, const seqrec_epoch_stats *stats)
{
    if (!stats->improved || isnan(stats->metric)) return;
    journal->best_metric = stats->metric;
    journal->best_epoch = stats->epoch;
}

void journal_name_metric(train_journal *journal, const char *name)
{
    for (int64_t i = 0; i < journal->count && strcmp(journal->metric, name); i++) {
        journal->epochs[i].metric = NAN;
        journal->epochs[i].improved = 0;
        journal->best_epoch = 0;
    }
    snprintf(journal->metric, sizeof journal->metric, "%s", name);
}

static int take_line(void *context, const json_t *line, int64_t number)
{
    train_journal *journal = context;
    seqrec_epoch_stats stats = {.struct_size = sizeof stats};
    const char *metric = json_string_value(json_object_get(line, "metric_name"));
    (void)number;
    stats.epoch = member_count(line, "epoch");
    stats.targets = member_count(line, "targets");
    stats.loss = member_real(line, "loss");
    stats.seconds = member_real(line, "seconds");
    stats.learning_rate = member_real(line, "learning_rate");
    stats.metric = member_real(line, "metric");
    stats.improved = json_is_true(json_object_get(line, "improved"));
    if (stats.epoch < 1 || isnan(stats.loss)) return 0;
    if (metric) journal_name_metric(journal, metric);
    keep(journal, &stats);
    note_best(journal, &stats);
    return journal->broken ? EXIT_WORK : 0;
}

int journal_read(train_journal *journal, const char *path)
{
    return read_json_lines(path, take_line, journal);
}

int journal_log(train_journal *journal, const char *path, int resumed)
{
    struct stat status;
    journal->log_path = path;
    journal->log_resumed = resumed && path && !stat(path, &status) && S_ISREG(status.st_mode);
    return journal->log_resumed ? journal_read(journal, path) : 0;
}

int journal_end_log(train_journal *journal)
{
    FILE *log = journal->log;
    journal->log = NULL;
    if (log && fclose(log)) give_up_log(journal, errno);
    return journal->log_failed ? EXIT_WORK : 0;
}

int journal_curve(const train_journal *journal, const char *path, const char *title)
{
    size_t count = (size_t)journal->count;
    double *columns = malloc(3 * count * sizeof *columns + 1);
    int32_t *best = malloc(count * sizeof *best + 1);
    int outcome = columns && best ? 0 : fail("out of memory");
    if (!outcome) {
        for (size_t i = 0; i < count; i++) {
            columns[i] = (double)journal->epochs[i].epoch;
            columns[count + i] = journal->epochs[i].loss;
            columns[2 * count + i] = journal->epochs[i].metric;
            best[i] = journal->epochs[i].improved;
        }
        outcome = write_curve(path, &(curve){.title = title,
                                             .x_name = "epoch",
                                             .count = journal->count,
                                             .x = columns,
                                             .left = {"loss", columns + count, NULL},
                                             .right = {journal->metric, columns + 2 * count, best}});
    }
    free(columns);
    free(best);
    return outcome;
}

int32_t journal_epoch(void *context, const seqrec_epoch_stats *stats)
{
    train_journal *journal = context;
    begin(journal);
    note_best(journal, stats);
    keep(journal, stats);
    write_log(journal, stats);
    tell(journal, stats);
    journal_label(journal, stats->epoch < journal->planned ? stats->epoch + 1 : stats->epoch);
    return interrupted() != 0;
}

void journal_close(train_journal *journal)
{
    (void)journal_end_log(journal);
    free(journal->epochs);
    journal->epochs = NULL;
}
