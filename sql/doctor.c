/* doctor.c - findings. */
#include "sql/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "base/clock.h"
#include "base/json.h"

#define TEXT_BYTES 600
#define LAG_MAX_MS 60000
#define WAL_BYTES (INT64_C(64) * 1024 * 1024)
#define FREE_LOW_BYTES (INT64_C(256) * 1024 * 1024)
#define AHEAD_MS 10000 /* of what was received last, when the clock stepped */
#define MIB (1024.0 * 1024.0)

static const char *const words[] = {"ok", "warn", "fail"};

void doctor_note(struct doctor *doctor,
                 enum doctor_level level,
                 const char *name,
                 const char *fmt,
                 ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    lb_json_add_comma(&doctor->rows);
    lb_buf_printf(&doctor->rows,
                  "{\"status\":\"%s\",\"name\":\"%s\",\"text\":", words[level],
                  name);
    lb_json_add_plain_string(&doctor->rows, text);
    lb_buf_add_char(&doctor->rows, '}');
    doctor->worst = level > doctor->worst ? level : doctor->worst;
}

/* --- data ----------------------------------------------------------------- */

/* The first line of SQLite's own check. */
static bool is_sound(struct db *db, char *text, size_t bytes)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DOCTOR_CHECK);
    struct lb_error err;
    bool has_row = false;

    (void)snprintf(text, bytes, "the check gave no answer");
    if (db_next(db, stmt, &has_row, &err) != LB_OK) {
        (void)snprintf(text, bytes, "%s", err.text);
    } else if (has_row) {
        (void)snprintf(text, bytes, "%s",
                       (const char *)sqlite3_column_text(stmt, 0));
        (void)sqlite3_reset(stmt);
    }
    return strcmp(text, "ok") == 0;
}

static void look_at_data(struct doctor *doctor, struct db *db)
{
    char text[200];

    if (is_sound(db, text, sizeof(text))) {
        doctor_note(doctor, DOCTOR_OK, "data",
                    "%s/%s: %.1f MiB, schema %zu, sound", db_dir(db),
                    DB_FILE_NAME, (double)db_file_bytes(db) / MIB,
                    sql_migration_count);
    } else {
        doctor_note(doctor, DOCTOR_FAIL, "data",
                    "%s/%s is damaged (%s): stop the service, keep a copy of "
                    "the file, then linkbell restore the last backup",
                    db_dir(db), DB_FILE_NAME, text);
    }
    if (db_wal_bytes(db) > 2 * WAL_BYTES) {
        doctor_note(doctor, DOCTOR_WARN, "wal",
                    "%.0f MiB wait to be moved into the database: a reader "
                    "holds an old snapshot, such as a backup that runs",
                    (double)db_wal_bytes(db) / MIB);
    }
}

static void look_at_log(struct doctor *doctor, struct db *db)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DOCTOR_LOG);
    struct lb_error err;
    bool has_row = false;

    if (db_next(db, stmt, &has_row, &err) == LB_OK && has_row) {
        int64_t events = sqlite3_column_int64(stmt, 1);
        double bytes = (double)sqlite3_column_int64(stmt, 2);

        doctor_note(doctor, DOCTOR_OK, "log",
                    "%" PRId64 " events in %" PRId64
                    " segments (%.1f bytes an event), %" PRId64
                    " not sealed yet",
                    events, (int64_t)sqlite3_column_int64(stmt, 0),
                    events == 0 ? 0 : bytes / (double)events,
                    (int64_t)sqlite3_column_int64(stmt, 3));
        (void)sqlite3_reset(stmt);
    } else {
        doctor_note(doctor, DOCTOR_FAIL, "log", "it can't be read: %.300s",
                    err.text);
    }
}

static void look_at_writing(struct doctor *doctor,
                            const struct doctor_facts *facts)
{
    const struct writer_status *status = &facts->writer;

    if (status->is_failing && !status->is_disk_full) {
        doctor_note(doctor, DOCTOR_FAIL, "writing",
                    "events are refused, since the database can't be written: "
                    "%.300s",
                    status->last_error.text);
    } else if (status->is_derive_failing) {
        doctor_note(doctor, DOCTOR_FAIL, "rollup",
                    "events are stored, but figures and alerts stand still: "
                    "%.300s; report this, and try linkbell rebuild",
                    status->last_error.text);
    } else if (facts->lag_ms > LAG_MAX_MS) {
        doctor_note(doctor, DOCTOR_WARN, "rollup",
                    "figures and alerts are %" PRId64 " s behind",
                    facts->lag_ms / LB_MS_PER_S);
    } else {
        doctor_note(doctor, DOCTOR_OK, "rollup",
                    "figures and alerts are up to date");
    }
}

static void look_at_disk(struct doctor *doctor,
                         struct db *db,
                         const struct doctor_facts *facts)
{
    struct statvfs status;
    int64_t free_bytes;

    if (statvfs(db_dir(db), &status) != 0) {
        doctor_note(doctor, DOCTOR_WARN, "disk",
                    "the file system of %s can't be looked at", db_dir(db));
        return;
    }
    free_bytes = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
    if (facts->writer.is_disk_full) {
        doctor_note(doctor, DOCTOR_FAIL, "disk",
                    "events are refused: %.0f MiB are free, less than "
                    "limits.disk_reserve, or the database passed "
                    "limits.max_db_bytes; free some room, or shorten "
                    "privacy.retention",
                    (double)free_bytes / MIB);
    } else {
        doctor_note(doctor,
                    free_bytes < FREE_LOW_BYTES ? DOCTOR_WARN : DOCTOR_OK,
                    "disk", "%.0f MiB are free in %s", (double)free_bytes / MIB,
                    db_dir(db));
    }
}

/* --- the machine ---------------------------------------------------------- */

static int64_t read_number(struct db *db, enum sql_query query)
{
    sqlite3_stmt *stmt = db_stmt(db, query);
    struct lb_error err;
    bool has_row = false;
    int64_t number = 0;

    if (db_next(db, stmt, &has_row, &err) == LB_OK && has_row) {
        number = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return number;
}

static void look_at_clock(struct doctor *doctor, struct db *db)
{
    int64_t now_ms = lb_clock_wall_ms();
    int64_t last_ms = read_number(db, SQL_DOCTOR_LAST_RECEIVED);
    struct timex state = {.modes = 0};
    char now[LB_CLOCK_TEXT_BYTES];

    lb_clock_format(now_ms, now);
    if (last_ms > now_ms + AHEAD_MS) {
        doctor_note(doctor, DOCTOR_WARN, "clock",
                    "it says %s, and the last event came %" PRId64
                    " s later: the clock was set back",
                    now, (last_ms - now_ms) / LB_MS_PER_S);
    } else if (adjtimex(&state) == TIME_ERROR) {
        doctor_note(doctor, DOCTOR_WARN, "clock",
                    "it says %s, and nothing keeps it in time: install "
                    "systemd-timesyncd or chrony",
                    now);
    } else {
        doctor_note(doctor, DOCTOR_OK, "clock", "it says %s", now);
    }
}

static void look_at_geo(struct doctor *doctor, const char *state)
{
    bool is_ok = strcmp(state, "ok") == 0;
    bool is_missing = strcmp(state, "missing") == 0;

    doctor_note(doctor, is_ok ? DOCTOR_OK : DOCTOR_WARN, "geo", "%s",
                is_ok ? "the database of places works"
                : is_missing
                    ? "there is no database of places, so countries are those "
                      "that events name: linkbell geo build data/geo.mmdb "
                      "makes one"
                    : "the database of places can't be read, and the last "
                      "good one is used: see the log");
}

/* --- what is set up ------------------------------------------------------- */

static void look_at_catalog(struct doctor *doctor,
                            const struct catalog *catalog)
{
    size_t tokens = 0;

    for (size_t i = 0; i < catalog_token_count(catalog); i++) {
        tokens += catalog_token_at(catalog, i)->revoked_at_ms == 0;
    }
    if (catalog_site_count(catalog) == 0) {
        doctor_note(doctor, DOCTOR_WARN, "configuration",
                    "there is no site: write one into linkbell.yaml, then "
                    "linkbell apply linkbell.yaml");
        return;
    }
    doctor_note(doctor, DOCTOR_OK, "configuration",
                "%zu sites, %zu sources, %zu rules, %zu destinations, %zu "
                "tokens",
                catalog_site_count(catalog),
                catalog_object_count(catalog, CATALOG_SOURCE),
                catalog_object_count(catalog, CATALOG_RULE),
                catalog_object_count(catalog, CATALOG_DESTINATION), tokens);
}

static void note_destination(struct doctor *doctor, sqlite3_stmt *stmt)
{
    const char *id = (const char *)sqlite3_column_text(stmt, 0);
    int64_t waiting = sqlite3_column_int64(stmt, 1);
    int64_t dead = sqlite3_column_int64(stmt, 2);
    const char *state = (const char *)sqlite3_column_text(stmt, 3);
    const char *reason = (const char *)sqlite3_column_text(stmt, 4);

    if (state != NULL) {
        doctor_note(doctor, DOCTOR_WARN, "destination",
                    "%s takes no messages (%s: %s); %" PRId64
                    " wait. When the cause is mended: linkbell destinations "
                    "enable %s",
                    id, state, reason, waiting, id);
    } else if (dead > 0) {
        doctor_note(doctor, DOCTOR_WARN, "destination",
                    "%s: %" PRId64 " messages were given up, %" PRId64
                    " wait; linkbell deliveries list --destination %s --state "
                    "dead says why",
                    id, dead, waiting, id);
    } else {
        doctor_note(doctor, DOCTOR_OK, "destination",
                    "%s: %" PRId64 " messages wait", id, waiting);
    }
}

static void look_at_destinations(struct doctor *doctor,
                                 struct db *db,
                                 const struct catalog *catalog)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DOCTOR_DESTINATIONS);
    struct lb_error err;
    bool has_row = false;

    while (db_next(db, stmt, &has_row, &err) == LB_OK && has_row) {
        const char *id = (const char *)sqlite3_column_text(stmt, 0);

        if (catalog_object_find(catalog, CATALOG_DESTINATION, id) != NULL) {
            note_destination(doctor, stmt);
        }
    }
}

void doctor_look(struct doctor *doctor,
                 struct db *db,
                 const struct doctor_facts *facts)
{
    look_at_data(doctor, db);
    look_at_log(doctor, db);
    look_at_writing(doctor, facts);
    look_at_disk(doctor, db, facts);
    look_at_clock(doctor, db);
    look_at_geo(doctor, facts->geo);
    look_at_catalog(doctor, facts->catalog);
    look_at_destinations(doctor, db, facts->catalog);
}
