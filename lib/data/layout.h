/* data: where in a file's lines users, items, values and times stand, as asked for or as found out from the text. */
#ifndef SQ_LAYOUT_H
#define SQ_LAYOUT_H
#include "data/fields.h"
#include "base/status.h"

typedef struct sq_layout {
    const char *format; /* name for messages */
    int32_t sequences;  /* 1: a line is a user and the items in order; there are no columns */
    sq_dialect dialect;
    int32_t header;                  /* 1: the first record names the columns */
    int64_t columns;                 /* of every record */
    int32_t user, item, value, time; /* columns from 0; value and time -1 when there are none */
    int32_t guessed;                 /* 1: the third is value or time by what its numbers can be, which all have to bear out */
    char unread[140];                /* where no name in the header means times: the names of columns that are not read, as far as they go in */
} sq_layout;

static inline int32_t sq_may_be_time(double number) { return number >= 1e8; }
static inline int32_t sq_may_be_value(double number) { return number >= -1e4 && number <= 1e4; }

/* Decides the layout from the reader's fields (NULL: all detected) and the start of the file: whole records, and with
 * `last` all of the file. Where a user or item column is given and there is no header, value and time are read only from
 * columns that are given too. */
int32_t sq_layout_resolve(const seqrec_reader *reader, const char *sample, size_t bytes, int32_t last, sq_layout *out,
                          seqrec_error *error);

/* The first records of a sample, seen through one dialect. */
typedef struct sq_survey {
    int64_t records;      /* not blank; at most SQ_SURVEY_RECORDS */
    int64_t fewest, most; /* fields of one */
    int64_t usual, usual_records; /* as many fields as most often, and how many have them */
    int64_t odd_line, odd_fields; /* the first record with another number of them */
    int32_t zeros;                /* 1: the sample holds a NUL byte: it is no text, and whoever reads a field with one says where */
    int32_t together;             /* 1: somewhere one record begins with the field that the one before it begins with */
    int64_t first_line;   /* of the first, from 1; without any, where `split` stopped */
    int32_t split;        /* SQ_SPLIT_DONE, or why the survey ended before the sample did */
    sq_record first;
    struct {
        int32_t first_number; /* the first record's field is a number */
        int32_t rest_numbers; /* those of all others are */
        double low, high;     /* over all records; sensible when all are numbers */
    } column[4];
} sq_survey;

#define SQ_SURVEY_RECORDS 2000

/* A record that cannot be split ends the survey. */
void sq_survey_sample(const sq_dialect *dialect, const char *sample, size_t bytes, int32_t last, sq_survey *out);
/* E_FORMAT for SQ_SPLIT_OPEN and SQ_SPLIT_GARBAGE of the record at `line`. */
int32_t sq_split_check(int32_t split, int64_t line, seqrec_error *error);
/* E_FORMAT when the survey of a sample of `bytes`, which holds a line that is not blank, has no record. */
int32_t sq_survey_check(const sq_survey *survey, size_t bytes, seqrec_error *error);
/* 1 when the first record names columns: known words for user and item, or no number where all that follow have some. */
int32_t sq_survey_header(const sq_survey *survey);
/* Sets format, sequences and dialect from the text alone. explicit_columns: columns are given, which rules sequences out. */
int32_t sq_layout_detect(const char *sample, size_t bytes, int32_t last, int32_t explicit_columns, sq_layout *out,
                         seqrec_error *error);
/* Words for a column in common headers, in the order of preference; ends with NULL. Compared without case and [_- ]. */
extern const char *const sq_user_words[], *const sq_item_words[], *const sq_value_words[], *const sq_time_words[];
/* Column of the first record called by one of `words`, or -1. */
int32_t sq_column_of(const sq_record *header, const char *const *words);
/* Column of exactly this name (a RecBole ":type" behind it may be left away), or -1. */
int32_t sq_column_named(const sq_record *header, const char *name);
#endif
