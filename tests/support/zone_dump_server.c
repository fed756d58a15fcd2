/* zone_dump_server.c - answers questions about time zones, a line each, so that
 * another implementation can be compared with ours:
 *     Europe/Paris offset MS | local_day MS | day_start DAY | format MS
 *     Europe/Paris start GRAIN MS | next GRAIN MS   (GRAIN 0 to 4, as in
 * zone.h) One line of answer for each, "error" where the question is none. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone.h"

static void
answer_about(const struct lb_zone *zone, const char *what, const char *numbers)
{
    char text[LB_ZONE_TEXT_BYTES];
    char *end = NULL;
    int64_t first = strtoll(numbers, &end, 10);
    bool has_second = *end == ' ';
    int64_t second = has_second ? strtoll(end, NULL, 10) : 0;

    if (strcmp(what, "offset") == 0) {
        (void)printf("%" PRId64 "\n", lb_zone_offset_s(zone, first));
    } else if (strcmp(what, "local_day") == 0) {
        (void)printf("%" PRId64 "\n", lb_zone_local_day(zone, first));
    } else if (strcmp(what, "day_start") == 0) {
        (void)printf("%" PRId64 "\n", lb_zone_day_start_ms(zone, first));
    } else if (strcmp(what, "format") == 0) {
        lb_zone_format(zone, first, text);
        (void)printf("%s\n", text);
    } else if (strcmp(what, "start") == 0 && has_second) {
        (void)printf(
            "%" PRId64 "\n",
            lb_zone_bucket_start_ms(zone, (enum lb_zone_grain)first, second));
    } else if (strcmp(what, "next") == 0 && has_second) {
        (void)printf(
            "%" PRId64 "\n",
            lb_zone_bucket_next_ms(zone, (enum lb_zone_grain)first, second));
    } else {
        (void)printf("error\n");
    }
}

int main(void)
{
    char line[256];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        const struct lb_zone *zone = NULL;
        char name[64];
        char what[16];
        int used = 0;

        if (sscanf(line, "%63s %15s %n", name, what, &used) != 2 ||
            lb_zone_find(name, &zone, NULL) != LB_OK) {
            (void)printf("error\n");
        } else {
            answer_about(zone, what, line + used);
        }
    }
    return 0;
}
