/* import_table.c - rows by the names of their columns. */
#include "ingest/import_table.h"

#include <string.h>

#include "base/json.h"

#define HEADER_BYTES ((size_t)16 * 1024)

enum lb_err import_table_find(const char *header,
                              const char *const *names,
                              int *places,
                              size_t *cell_count_out,
                              struct lb_error *err)
{
    struct lb_arena *arena = lb_arena_new(HEADER_BYTES);
    struct import_cells cells;
    enum lb_err rc = arena == NULL ? LB_ENOMEM : LB_OK;

    header += strncmp(header, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    rc = rc == LB_OK
             ? import_cells_read(header, strlen(header), ',', arena, &cells)
             : rc;
    for (size_t i = 0; names[i] != NULL && rc == LB_OK; i++) {
        places[i] = import_cells_find(&cells, names[i]);
    }
    *cell_count_out = rc == LB_OK ? cells.count : 0;
    lb_arena_free(arena);
    return rc == LB_OK ? LB_OK
                       : lb_err_set(err, LB_EFORMAT,
                                    "the first row is no row of names");
}

enum import_verdict import_table_read(struct import_reading *reading,
                                      size_t cell_count,
                                      struct import_cells *cells)
{
    enum lb_err rc = import_cells_read(reading->text, reading->len, ',',
                                       reading->arena, cells);

    reading->event->json = lb_json_new_object(reading->arena);
    if (rc == LB_ENOMEM || reading->event->json == NULL) {
        return IMPORT_FULL;
    }
    return rc == LB_OK && cells->count == cell_count
               ? IMPORT_EVENT
               : import_reading_bad(reading, "bad_line", NULL,
                                    "the row is broken, or has not %zu cells "
                                    "as the first one",
                                    cell_count);
}

const char *import_table_cell(const struct import_cells *cells, int place)
{
    return place < 0 ? "" : cells->text[place];
}

void import_table_put_referrer(struct import_reading *reading,
                               const char *referrer)
{
    if (referrer[0] != '\0') {
        import_reading_put_cut(
            reading, "referrer",
            strstr(referrer, "://") != NULL
                ? referrer
                : import_reading_print(reading, "https://%s", referrer),
            IMPORT_REFERRER_BYTES);
    }
}
