/* import_cells.c - rows of tables. */
#include "ingest/import_cells.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

char *import_cells_clean(const char *bytes, size_t len, struct lb_arena *arena)
{
    char *out;
    size_t used = 0;

    if (lb_text_is_utf8(bytes, len) && memchr(bytes, '\0', len) == NULL) {
        return lb_arena_text(arena, bytes, len);
    }
    out = lb_arena_alloc(arena, len * 3 + 1);
    for (size_t i = 0; i < len && out != NULL;) {
        int unit = lb_text_char_len(bytes + i, len - i);

        if (unit < 0) {
            memcpy(out + used, "\xef\xbf\xbd", 3);
            used += 3;
            i += (size_t)-unit;
            continue;
        }
        memcpy(out + used, bytes[i] == '\0' ? " " : bytes + i, (size_t)unit);
        used += (size_t)unit;
        i += (size_t)unit;
    }
    if (out != NULL) {
        out[used] = '\0';
    }
    return out;
}

/* Takes the quotes off a cell in place; the byte behind it, NULL when it is
 * not closed. */
static char *unquote(char *cell)
{
    char *to = cell;
    char *from = cell + 1;

    while (*from != '\0') {
        if (*from == '"' && from[1] != '"') {
            *to = '\0';
            return from + 1;
        }
        from += *from == '"' ? 1 : 0;
        *to++ = *from++;
    }
    return NULL;
}

enum lb_err import_cells_read(const char *row,
                              size_t len,
                              char delimiter,
                              struct lb_arena *arena,
                              struct import_cells *out)
{
    char *at = import_cells_clean(row, len, arena);

    out->count = 0;
    if (at == NULL) {
        return LB_ENOMEM;
    }
    for (;;) {
        bool is_quoted = *at == '"';
        char *end;

        if (out->count == IMPORT_CELLS_MAX) {
            return LB_ELIMIT;
        }
        out->text[out->count++] = at;
        end = is_quoted ? unquote(at) : strchr(at, delimiter);
        if (is_quoted && (end == NULL || (*end != '\0' && *end != delimiter))) {
            return LB_EFORMAT;
        }
        if (end == NULL || *end == '\0') {
            return LB_OK;
        }
        *end = '\0';
        at = end + 1;
    }
}

int import_cells_find(const struct import_cells *cells, const char *name)
{
    for (size_t i = 0; i < cells->count; i++) {
        if (strcmp(cells->text[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}
