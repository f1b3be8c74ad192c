/* seqrec tool: which user of the data a word means, one rule for all commands. */
#ifndef SEQREC_TOOL_DATA_USERS_H
#define SEQREC_TOOL_DATA_USERS_H
#include <seqrec.h>

typedef struct data_user {
    const char *name; /* NULL: the data has none */
    int64_t id;
} data_user;

/* Users who are kept apart are told by number, or by a name that one of them alone has; others by name where the data has names,
 * else by number. */
typedef struct data_users {
    data_user *at; /* [count] by name, then by id */
    int64_t count;
    const seqrec_dataset *dataset;
    int apart;
} data_users;

enum { USER_FOUND, USER_UNKNOWN, USER_AMBIGUOUS, NAMESAKES_BYTES = 120 };

/* Lists the users of the dataset, which must live as long. Returns 0 or the exit code, with the reason told. */
int open_data_users(data_users *users, const seqrec_dataset *dataset, int apart);
/* Returns one of USER_*. */
int find_data_user(const data_users *users, const char *word, int64_t *id);
/* The numbers of those who have the name, "1, 41", the first of them where there are many; returns out. */
const char *namesakes(const data_users *users, const char *name, char out[NAMESAKES_BYTES]);
void close_data_users(data_users *users);
#endif
