/* seqrec tool: keeps each epoch for the curve, writes it to the metrics file and tells it on stderr. */
#include "train_journal.h"
#include "json_writer.h"
#include <math.h>
#include <stdlib.h>

static void keep(train_journal *journal, const seqrec_epoch_stats *stats)
{
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

static void write_metrics(train_journal *journal, const seqrec_epoch_stats *stats)
{
    json_writer json = {.to = journal->metrics};
    if (!journal->metrics) return;
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
    if (fflush(journal->metrics) && !journal->broken) {
        remark("the metrics file cannot be written");
        journal->broken = 1;
    }
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
    if (!journal->count)
        journal_label(journal, journal->planned && total ? (done - 1) * journal->planned / total + 1 : 1);
    if (journal->by_epoch && journal->planned > 0 && total % journal->planned == 0) {
        total /= journal->planned;
        done = total > 0 ? (done - 1) % total + 1 : done;
    }
    return progress_tick(&journal->bar, stage, done, total);
}

int32_t journal_epoch(void *context, const seqrec_epoch_stats *stats)
{
    train_journal *journal = context;
    if (stats->improved && !isnan(stats->metric)) {
        journal->best_metric = stats->metric;
        journal->best_epoch = stats->epoch;
    }
    keep(journal, stats);
    write_metrics(journal, stats);
    tell(journal, stats);
    journal_label(journal, stats->epoch < journal->planned ? stats->epoch + 1 : stats->epoch);
    return interrupted() != 0;
}

void journal_close(train_journal *journal)
{
    if (journal->metrics) fclose(journal->metrics);
    free(journal->epochs);
    journal->metrics = NULL;
    journal->epochs = NULL;
}
