/* fuzz_detect.c - a CSV of any bytes through the reader and the detector. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/detect.h"
#include "alerts/detect_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct detect_verdict *verdict)
{
    if (!(verdict->score >= 0 && verdict->score <= 1) ||
        !(verdict->probability >= 0 && verdict->probability <= 1) ||
        !(verdict->probability_low >= 0 && verdict->probability_low <= 1) ||
        !isfinite(verdict->expected)) {
        abort();
    }
}

static void run(char *text)
{
    struct detect_csv csv;
    struct detect detect;
    struct lb_error err;
    char *rest = text;

    detect_init(&detect, 0);
    if (detect_csv_read_header(strsep(&rest, "\n"), &csv, &err) != LB_OK) {
        return;
    }
    while (rest != NULL) {
        char *line = strsep(&rest, "\n");
        struct detect_csv_row row;
        struct detect_verdict verdict;

        if (detect_csv_read_row(&csv, line, &row, &err) == LB_OK) {
            detect_step(&detect, row.at_ms, row.value, &verdict);
            check(&verdict);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text != NULL) {
        memcpy(text, data, size);
        text[size] = '\0';
        run(text);
    }
    free(text);
    return 0;
}
