/* seqrec tool: characters of UTF-8. */
#include "utf8.h"
#include <string.h>

/* As the first byte says, whatever follows. */
static size_t claimed_length(unsigned char first)
{
    return first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
}

static int goes_on(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t utf8_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    const size_t length = claimed_length(at[0]);
    if (length == 1) return 1;
    if (at[0] < 0xC2 || at[0] > 0xF4) return 0;
    for (size_t i = 1; i < length; i++)
        if (!goes_on(text[i])) return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
        (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

void utf8_mend_end(char *text)
{
    const size_t bytes = strlen(text);
    size_t tail = 0;
    while (tail < bytes && tail < 3 && goes_on(text[bytes - 1 - tail])) tail++;
    if (tail == bytes) return;
    const unsigned char first = (unsigned char)text[bytes - 1 - tail];
    if (first >= 0xC2 && tail + 1 < claimed_length(first)) text[bytes - 1 - tail] = 0;
}
