/* scrub.c - zeroes what SQLite leaves between cell pointers and cells. */
#include "sql/scrub.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 4 /* for readers; the writer stands still meanwhile */
#define MAP_ENTRY_BYTES 5
#define MAP_ROOT 1 /* types of the pointer map: SQLite file format, 1.8 */
#define MAP_BTREE 5
#define HEADER_BYTES 100

struct pages {
    sqlite3_file *file;
    int page_bytes;
    int64_t count;
    unsigned char *map;  /* owned; the pointer map page that is current */
    unsigned char *page; /* owned */
    int64_t map_page;    /* its number; 0: none */
};

static unsigned two_bytes(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool read_page(struct pages *pages, int64_t number, unsigned char *out)
{
    return pages->file->pMethods->xRead(pages->file, out, pages->page_bytes,
                                        (number - 1) * pages->page_bytes) ==
           SQLITE_OK;
}

/* Whether the pointer map calls it a page of a b-tree; page 1 is one. */
static bool is_btree(struct pages *pages, int64_t number)
{
    int64_t span = pages->page_bytes / MAP_ENTRY_BYTES + 1;
    int64_t map_page = (number - 2) / span * span + 2;
    unsigned char type;

    if (number == 1) {
        return true;
    }
    if (map_page == number) {
        return false;
    }
    if (map_page != pages->map_page) {
        if (!read_page(pages, map_page, pages->map)) {
            return false;
        }
        pages->map_page = map_page;
    }
    type = pages->map[(number - map_page - 1) * MAP_ENTRY_BYTES];
    return type == MAP_ROOT || type == MAP_BTREE;
}

/* The gap of a b-tree page: from the end of the cell pointers to the content
 * (SQLite file format, 1.6).  False when the page makes no sense. */
static bool find_gap(const struct pages *pages,
                     int64_t number,
                     size_t *from_out,
                     size_t *to_out)
{
    size_t at = number == 1 ? HEADER_BYTES : 0;
    const unsigned char *header = pages->page + at;
    bool is_leaf = header[0] == 0x0a || header[0] == 0x0d;

    if (!is_leaf && header[0] != 0x02 && header[0] != 0x05) {
        return false;
    }
    *from_out = at + (is_leaf ? 8 : 12) + 2 * (size_t)two_bytes(header + 3);
    *to_out = two_bytes(header + 5);
    *to_out = *to_out == 0 ? 65536 : *to_out;
    return *from_out <= *to_out && *to_out <= (size_t)pages->page_bytes;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
    return len == 0 ||
           (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static enum lb_err
scrub_page(struct pages *pages, int64_t number, struct lb_error *err)
{
    size_t from = 0;
    size_t to = 0;

    if (!is_btree(pages, number)) {
        return LB_OK;
    }
    if (!read_page(pages, number, pages->page)) {
        return lb_err_set(err, LB_EIO, "the database can't be read");
    }
    if (!find_gap(pages, number, &from, &to) ||
        is_zero(pages->page + from, to - from)) {
        return LB_OK;
    }
    memset(pages->page + from, 0, to - from);
    return pages->file->pMethods->xWrite(
               pages->file, pages->page + from, (int)(to - from),
               (number - 1) * pages->page_bytes + (int64_t)from) == SQLITE_OK
               ? LB_OK
               : lb_err_set(err, LB_EIO, "the database can't be written");
}

static enum lb_err
scrub_pages(struct pages *pages, int64_t first, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (int64_t number = first;
         number < first + SCRUB_PAGES && number <= pages->count && rc == LB_OK;
         number++) {
        rc = scrub_page(pages, number, err);
    }
    if (rc == LB_OK && pages->file->pMethods->xSync(
                           pages->file, SQLITE_SYNC_FULL) != SQLITE_OK) {
        rc = lb_err_set(err, LB_EIO, "the database can't be synced");
    }
    return rc;
}

/* The file behind the connection, through SQLite's own handle: a descriptor of
 * our own would drop its locks when closed (fcntl(2), F_SETLK). */
static enum lb_err
open_pages(struct db *db, struct pages *pages, struct lb_error *err)
{
    unsigned char header[HEADER_BYTES];
    sqlite3_int64 bytes = 0;

    if (sqlite3_file_control(db_handle(db), "main", SQLITE_FCNTL_FILE_POINTER,
                             &pages->file) != SQLITE_OK ||
        pages->file == NULL || pages->file->pMethods == NULL) {
        return lb_err_set(err, LB_EIO, "the database's file is not open");
    }
    if (pages->file->pMethods->xFileSize(pages->file, &bytes) != SQLITE_OK ||
        pages->file->pMethods->xRead(pages->file, header, sizeof(header), 0) !=
            SQLITE_OK) {
        return lb_err_set(err, LB_EIO, "the database can't be read");
    }
    pages->page_bytes = (int)two_bytes(header + 16);
    pages->page_bytes = pages->page_bytes == 1 ? 65536 : pages->page_bytes;
    pages->count = bytes / pages->page_bytes;
    pages->map = malloc((size_t)pages->page_bytes);
    pages->page = malloc((size_t)pages->page_bytes);
    return pages->map == NULL || pages->page == NULL
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : LB_OK;
}

enum lb_err scrub_run(struct db *db,
                      int64_t *next_page,
                      bool *is_over_out,
                      struct lb_error *err)
{
    struct pages pages = {.file = NULL};
    enum lb_err rc;
    int sqlite;

    (void)sqlite3_busy_timeout(db_handle(db), WAIT_MS);
    sqlite = sqlite3_wal_checkpoint_v2(db_handle(db), NULL,
                                       SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(db_handle(db), DB_BUSY_MS);
    *is_over_out = false;
    if (sqlite != SQLITE_OK) {
        return (sqlite & 0xff) == SQLITE_BUSY ? LB_OK
                                              : db_error(db, "checkpoint", err);
    }
    /* A page in the cache would bring its old gap back. */
    (void)sqlite3_db_release_memory(db_handle(db));
    rc = open_pages(db, &pages, err);
    rc = rc == LB_OK ? scrub_pages(&pages, *next_page, err) : rc;
    if (rc == LB_OK) {
        *next_page += SCRUB_PAGES;
        *is_over_out = *next_page > pages.count;
    }
    free(pages.map);
    free(pages.page);
    return rc;
}
