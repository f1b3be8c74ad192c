/* unit: a locale of another decimal point, made for this process where the system has none. */
#ifndef MADE_LOCALE_H
#define MADE_LOCALE_H
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* Makes `source` a locale of this process with localedef; 0 when this system cannot. */
static inline int use_locale(const char *source)
{
    char folder[] = "/tmp/seqrec-locale-XXXXXX", command[256];
    if (mkdtemp(folder) == NULL) return 0;
    (void)snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s.UTF-8 >/dev/null 2>&1", source, folder,
                   source);
    const int made = system(command) != -1;
    (void)setenv("LOCPATH", folder, 1);
    (void)snprintf(command, sizeof command, "%s.UTF-8", source);
    const int used = made && setlocale(LC_ALL, command) != NULL;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    (void)!system(command);
    return used;
}
#endif
