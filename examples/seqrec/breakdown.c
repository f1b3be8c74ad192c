/* seqrec tool: how the rows of groups of users are written. */
#include "breakdown.h"
#include <math.h>
#include <string.h>

static const struct {
    const char *name, *title;
    int count; /* 0: one group, without a number */
} groupings[] = {{"decile", "by popularity of the target, the most popular first (training events)", 10},
                 {"quintile", "by length of the history, the shortest first (events)", 5},
                 {"cold", "cold targets (training events)", 0},
                 {"warm", "other targets (training events)", 0}};

enum { GROUPINGS = sizeof groupings / sizeof groupings[0], NAME = 40 };

static void name_group(char out[NAME], const char *row, int grouping, int number)
{
    if (groupings[grouping].count)
        snprintf(out, NAME, "%s/%s-%d", row, groupings[grouping].name, number);
    else
        snprintf(out, NAME, "%s/%s", row, groupings[grouping].name);
}

static int groups_in(int grouping) { return groupings[grouping].count ? groupings[grouping].count : 1; }

void emit_groups(json_writer *json, const seqrec_report *report, const char *row,
                 void (*members)(json_writer *json, const seqrec_report *report, const char *row))
{
    char name[NAME];
    emit_object(json, row);
    for (int g = 0; g < GROUPINGS; g++) {
        const int count = groupings[g].count;
        if (count) emit_array(json, groupings[g].name);
        for (int i = 1; i <= groups_in(g); i++) {
            name_group(name, row, g, i);
            emit_object(json, count ? NULL : groupings[g].name);
            members(json, report, name);
            emit_end(json, '}');
        }
        if (count) emit_end(json, ']');
    }
    emit_end(json, '}');
}

/* Name, users, and "12 .. 345", or "-" for a group without users. */
static void print_group(const seqrec_report *report, const char *name)
{
    double low, high;
    char cell[64] = "-", users[32];
    const double least = report_figure(report, name, "least", &low, &high);
    const double most = report_figure(report, name, "most", &low, &high);
    if (!isnan(least)) snprintf(cell, sizeof cell, "%.0f .. %.0f", least, most);
    printf("%-12s  %-10s  %-16s", strchr(name, '/') + 1,
           grouped((int64_t)report_figure(report, name, "users", &low, &high), users), cell);
}

/* The cut-off that stands for all of them in a breakdown. */
static int64_t main_cutoff(const evaluation_arguments *e)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < e->cutoff_count; i++) {
        if (e->cutoffs[i] == 10) return 10;
        if (e->cutoffs[i] > longest) longest = e->cutoffs[i];
    }
    return longest ? longest : 10;
}

void print_groups(const seqrec_report *report, const evaluation_arguments *e, const char *row)
{
    char name[NAME], hit[NAME], gain[NAME];
    snprintf(hit, sizeof hit, "hr@%lld", (long long)main_cutoff(e));
    snprintf(gain, sizeof gain, "ndcg@%lld", (long long)main_cutoff(e));
    for (int g = 0; g < GROUPINGS; g++) {
        printf("\n%s%s: %s%s\n", bold(), row, groupings[g].title, plain());
        printf("%-12s  %-10s  %-16s  %-24s  %-24s\n", "", "users", "from .. to", hit, gain);
        for (int i = 1; i <= groups_in(g); i++) {
            name_group(name, row, g, i);
            print_group(report, name);
            print_figure(report, name, hit, 1, 24);
            print_figure(report, name, gain, 1, 24);
            putchar('\n');
        }
    }
}

void print_compared_groups(const seqrec_report *report, const evaluation_arguments *e)
{
    static const struct {
        const char *row;
        int interval, width;
    } cells[] = {{"a", 0, 8}, {"b", 0, 8}, {"difference", 1, 26}, {"p", 0, 8}};
    char name[NAME], gain[NAME];
    snprintf(gain, sizeof gain, "ndcg@%lld", (long long)main_cutoff(e));
    for (int g = 0; g < GROUPINGS; g++) {
        printf("\n%s%s, %s%s\n", bold(), gain, groupings[g].title, plain());
        printf("%-12s  %-10s  %-16s  %-8s  %-8s  %-26s  %-8s\n", "", "users", "from .. to", "a", "b", "a - b", "p");
        for (int i = 1; i <= groups_in(g); i++) {
            name_group(name, "a", g, i);
            print_group(report, name);
            for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
                name_group(name, cells[c].row, g, i);
                print_figure(report, name, gain, cells[c].interval, cells[c].width);
            }
            putchar('\n');
        }
    }
}
